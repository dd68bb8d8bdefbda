// Renders /openapi.json. Text only ever becomes text.

function el(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const api = await (await fetch("/openapi.json")).json();

function resolved(schema, depth = 0) {
  if (!schema || typeof schema !== "object" || depth > 8) return schema;
  if (schema.$ref) return resolved(api.components.schemas[schema.$ref.split("/").at(-1)], depth + 1);
  if (Array.isArray(schema)) return schema.map((each) => resolved(each, depth + 1));
  return Object.fromEntries(
    Object.entries(schema).filter(([name]) => name !== "title").map(([name, value]) => [name, resolved(value, depth + 1)]),
  );
}

const code = (value) => el("pre", {}, el("code", { textContent: JSON.stringify(value, null, 2) }));

function table(rows) {
  return el("table", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((text) => el("td", { textContent: text })))));
}

function operation(method, path, found) {
  const body = el("div", { className: "body" }, el("p", { textContent: found.description ?? found.summary ?? "" }));
  const scopes = Object.values(found.security?.[0] ?? {})[0];
  if (scopes) body.append(el("p", { className: "soft", textContent: scopes.length ? `Scope: ${scopes.join(", ")}` : "Any key." }));
  if (found.parameters?.length) {
    body.append(el("h4", { textContent: "Parameters" }), table(found.parameters.map((each) =>
      [each.name, `${each.in}${each.required ? ", required" : ""}`, each.description ?? each.schema?.description ?? ""])));
  }
  const input = found.requestBody?.content?.["application/json"]?.schema;
  if (input) body.append(el("h4", { textContent: "Body" }), code(resolved(input)));
  body.append(el("h4", { textContent: "Answers" }), table(Object.entries(found.responses).map(([status, each]) =>
    [status, each.description, Object.keys(each.content ?? {}).join(", ")])));
  const answer = Object.entries(found.responses).find(([status]) => status < "300")?.[1].content?.["application/json"]?.schema;
  if (answer) body.append(code(resolved(answer)));
  return el("details", { className: "operation" },
    el("summary", {}, el("span", { className: `verb mono ${method}`, textContent: method.toUpperCase() }),
      el("code", { textContent: path }), el("span", { className: "soft", textContent: found.summary ?? "" })), body);
}

const groups = new Map();
for (const [path, operations] of Object.entries(api.paths)) {
  for (const [method, found] of Object.entries(operations)) {
    const tag = found.tags?.[0] ?? "Other";
    groups.set(tag, [...(groups.get(tag) ?? []), operation(method, path, found)]);
  }
}
document.getElementById("main").replaceChildren(
  el("h2", { textContent: api.info.title + " API" }),
  ...api.info.description.split("\n\n").map((text) => el("p", { textContent: text })),
  el("p", { className: "mono", textContent: "Authorization: Bearer orchex_sk_…" }),
  ...[...groups].flatMap(([tag, found]) => [el("h3", { textContent: tag }), ...found]),
);
