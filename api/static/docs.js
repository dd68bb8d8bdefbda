// Renders /openapi.json.

import { el, prose } from "./dom.js";

const api = await (await fetch("/openapi.json")).json();

const DEEPEST = 3;

const resolved = (schema) => (schema?.$ref ? api.components.schemas[schema.$ref.split("/").at(-1)] : schema ?? {});

function kind(given) {
  const schema = resolved(given);
  const bounds = [schema.minimum !== undefined ? `from ${schema.minimum}` : "", schema.maximum !== undefined ? `to ${schema.maximum}` : ""];
  if (schema.enum) return schema.enum.map((each) => `\`${each}\``).join(", ");
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.anyOf) return schema.anyOf.map(kind).join(" or ");
  if (schema.type === "array") return `list of ${kind(schema.items)}`;
  return [[schema.type ?? "anything"].flat().join(" or "), ...bounds].filter(Boolean).join(" ");
}

// [name, type, what] of each member, those of members in dots.
function members(given, prefix = "", depth = 1) {
  const schema = resolved(given);
  const inner = schema.anyOf?.map(resolved).find((each) => each.properties || each.items) ?? schema;
  if (inner.items) return members(inner.items, `${prefix.slice(0, -1)}[].`, depth);
  return Object.entries(inner.properties ?? {}).flatMap(([name, member]) => [
    [`${prefix}${name}`, inner.required?.includes(name) ? kind(member) : `${kind(member).replace(/ or null$/, "")}, optional`, member.description ?? ""],
    ...(depth < DEEPEST ? members(member, `${prefix}${name}.`, depth + 1) : []),
  ]);
}

const sentences = (text) => (text ?? "").split("\n\n").map((part) => el("p", {}, prose(part)));

function table(rows) {
  return el("div", { className: "wide" }, el("table", {}, rows.map(([name, ...cells]) =>
    el("tr", {}, el("td", {}, el("code", { textContent: name })), cells.map((text) => el("td", {}, prose(text)))))));
}

function schemaOf(content) {
  return content?.["application/json"]?.schema;
}

function operation(method, path, found) {
  const [first, ...rest] = (found.description ?? "").split("\n\n");
  const scopes = Object.values(found.security?.[0] ?? {})[0];
  const parameters = (found.parameters ?? []).map((each) =>
    [each.name, `${each.in}${each.required ? ", required" : ""}`, each.description ?? each.schema?.description ?? ""]);
  const input = schemaOf(found.requestBody?.content);
  const answers = Object.entries(found.responses);
  const answer = schemaOf(answers.find(([status]) => status < "300")?.[1].content);
  const body = el("div", { className: "body" },
    rest.map(sentences),
    scopes ? el("p", { className: "soft" }, scopes.length ? ["Scope: ", el("code", { textContent: scopes.join(", ") })] : "Any key will do.") : null,
    parameters.length ? [el("h4", { textContent: "Parameters" }), table(parameters)] : null,
    input ? [el("h4", { textContent: "Body" }), table(members(input))] : null,
    el("h4", { textContent: "Answers" }),
    table(answers.map(([status, each]) => [status, each.description, Object.keys(each.content ?? {}).join(", ")])),
    answer ? [el("h4", { textContent: "What it answers with" }), table(members(answer))] : null);
  return el("details", { className: "operation", id: found.operationId },
    el("summary", {}, el("span", { className: `verb mono ${method}`, textContent: method.toUpperCase() }),
      el("code", { className: "path", textContent: path }), el("span", { className: "soft" }, prose(first))), body);
}

const groups = new Map();
for (const [path, operations] of Object.entries(api.paths)) {
  for (const [method, found] of Object.entries(operations)) {
    const tag = found.tags?.[0] ?? "Other";
    groups.set(tag, [...(groups.get(tag) ?? []), operation(method, path, found)]);
  }
}
document.getElementById("main").replaceChildren(
  ...sentences(api.info.description),
  el("pre", { className: "text", textContent: "Authorization: Bearer orchex_sk_…" }),
  ...[...groups].flatMap(([tag, found]) => [el("h3", { textContent: tag }), ...found]),
);

// An address may name an operation: /docs#start_execution
function look() {
  const named = document.getElementById(location.hash.slice(1));
  if (named instanceof HTMLDetailsElement) named.open = true;
  named?.scrollIntoView();
}
addEventListener("hashchange", look);
look();
