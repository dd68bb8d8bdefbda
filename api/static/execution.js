// One execution: how it stands, what is asked of a person, its steps with their output, and what it changed.

import { json, post, text } from "./api.js";
import { diff } from "./diff.js";
import { $, dot, duration, el, keep, stopwatch, terminal, words } from "./dom.js";
import { title } from "./list.js";
import { plan } from "./plan.js";

const SHORT = 140;

// `logs` names the output of each step, by "stream/index": the journal tells it before the end, the result after.
export function show(execution, logs, again) {
  const { id, status, progress, result, error, streams } = execution;
  const ended = terminal(status);
  for (const { name, kind } of result?.artifacts ?? []) if (kind === "log") remember(logs, name);
  const patches = (result?.artifacts ?? []).filter((artifact) => artifact.kind === "patch" && artifact.size);
  const waiting = status === "awaiting_approval" ? streams.filter((stream) => stream.status === "awaiting_approval") : [];
  const several = streams.length > 1;
  keep($("detail"), [
    ["head", [id, status, title(execution)], () => heading(execution)],
    ["facts", [status, progress, execution.elapsed], () => facts(execution, ended)],
    ["bar", [status, progress], () => bar(execution, ended)],
    ...(execution.currentStep && !ended ? [["now", execution.currentStep, () => el("p", { className: "now" }, execution.currentStep)]] : []),
    ...waiting.map((stream) => [`plan ${stream.id}`, stream.planHash, () => decision(execution, stream, several, again)]),
    ["actions", status, () => actions(execution, again)],
    ...(error ? [["error", error, () => failure(error)]] : []),
    ...(summary(execution) ? [["summary", summary(execution), () => el("p", { className: "summary", textContent: summary(execution) })]] : []),
    ...streams.flatMap((stream) => stepsOf(execution, stream, several, logs)),
    ...patches.map((patch) => [patch.name, patch.sha256, () => changes(patch, several)]),
  ]);
}

export function remember(logs, name) {
  const [, stream, number] = name.match(/^(.+)\/(\d+)-\d+\.log$/) ?? [];
  if (stream === undefined) return;
  const key = `${stream}/${Number(number) - 1}`;
  logs.set(key, [...new Set([...(logs.get(key) ?? []), name])]);
}

function heading(execution) {
  const whole = title(execution).trim();
  const line = whole.split("\n")[0];
  const short = line.length > SHORT ? `${line.slice(0, SHORT).trimEnd()}…` : line;
  return el("div", { className: "heading" },
    el("p", { className: "above" }, el("span", { className: `badge ${execution.status}`, textContent: words(execution.status) }),
      el("code", { className: "soft", textContent: execution.id })),
    el("h2", { textContent: short }),
    short === whole ? null : el("details", {}, el("summary", { textContent: "The whole task" }), el("p", { className: "whole", textContent: whole })));
}

function facts(execution, ended) {
  const { progress, metrics } = execution;
  const entries = [
    ["Steps", progress.total === null ? String(progress.current) : `${progress.current} of ${progress.total}`],
    ["Time", ended ? duration(execution.elapsed) : stopwatch(execution.elapsed)],
    metrics.tokensUsed ? ["Tokens", metrics.tokensUsed.toLocaleString()] : null,
    metrics.costUsd === null ? null : ["Cost", `$${metrics.costUsd.toFixed(4)}`],
    ["Project", execution.project ?? "not served any more"],
    execution.environment ? ["Environment", execution.environment] : null,
    execution.options.dryRun ? ["Dry run", "nothing is changed"] : null,
    execution.resumedFrom ? ["Goes on from", el("a", { href: `#${execution.resumedFrom}`, textContent: execution.resumedFrom })] : null,
    ...Object.entries(execution.metadata),
  ];
  return el("dl", { className: "facts" }, entries.filter(Boolean).map(([name, value]) =>
    el("div", {}, el("dt", { textContent: name }), el("dd", {}, value))));
}

function bar({ status, progress: { current, total } }, ended) {
  const known = total ? { max: total, value: Math.min(current, total) } : ended || status === "queued" ? { max: 1, value: 0 } : {};
  const node = el("progress", { className: status, ...known });
  node.setAttribute("aria-label", "Progress");
  return node;
}

// -- deciding

function actions(execution, again) {
  const { id, status } = execution;
  const possible = terminal(status)
    ? status === "completed" ? [] : [button("Resume", async () => { location.hash = (await post(`/executions/${id}/resume`)).id; })]
    : status === "cancelling" ? [] : [button("Cancel", () => post(`/executions/${id}/cancel`).then(again))];
  return el("div", { className: "row actions" }, possible);
}

function decision({ id }, stream, several, again) {
  const told = el("div", {}, el("p", { className: "soft", textContent: "Reading the plan…" }));
  const decide = (verb) => () => post(`/executions/${id}/${verb}`, { planHash: stream.planHash }).then(again);
  const approve = button("Approve", decide("approve"), "strong");
  approve.disabled = true; // until it can be read
  plan(id, stream.id).then(
    (nodes) => { told.replaceChildren(...nodes.filter(Boolean)); approve.disabled = false; },
    (error) => told.replaceChildren(el("p", { className: "bad", textContent: error.message })),
  );
  return el("section", { className: "decision" },
    el("h3", { textContent: stream.reason ? `${several ? `${stream.id}: m` : "M"}ay it go on?` : several ? `The plan of ${stream.id} waits for you` : "This plan waits for you" }),
    stream.reason ? el("p", { textContent: stream.reason }) : null,
    told,
    el("div", { className: "row" }, approve, button("Reject", decide("reject"))));
}

function button(label, act, className = "") {
  const node = el("button", { textContent: label, className });
  node.onclick = async () => {
    node.disabled = true;
    try {
      await act();
    } catch (error) {
      node.parentElement.querySelector(".bad")?.remove();
      node.after(el("span", { className: "bad", role: "alert", textContent: error.message }));
    } finally {
      node.disabled = false;
    }
  };
  return node;
}

// -- what came of it

function failure({ message, hint }) {
  return el("div", { className: "note" }, el("p", { textContent: message }), hint ? el("p", { className: "soft", textContent: hint }) : null);
}

// Without what the failure says already.
function summary({ result, error }) {
  const told = result?.summary ?? "";
  return error && told.startsWith(error.message) ? told.slice(error.message.length).replace(/^[;,.\s]+/, "") : told;
}

function stepsOf(execution, stream, several, logs) {
  const steps = execution.steps.filter((step) => step.stream === stream.id);
  if (!steps.length && !several) return [];
  const entries = steps.map((step) => {
    const names = logs.get(`${stream.id}/${step.index}`) ?? [];
    return [step.index, [step.status, step.attempts, names], () => row(execution.id, step, names)];
  });
  const header = several ? [dot(stream.status), el("span", { textContent: stream.id }), el("small", { textContent: stream.reason || words(stream.status) })] : ["Steps"];
  const list = ($("detail").kept?.get(`steps ${stream.id}`)?.node) ?? el("div", { className: "steps" });
  keep(list, entries);
  return [
    [`title ${stream.id}`, [stream.status, stream.reason, several], () => el("h3", { title: stream.description }, header)],
    [`steps ${stream.id}`, "", () => list],
  ];
}

function row(id, step, names) {
  const kind = step.title === step.kind ? "" : step.kind;
  const line = [
    dot(step.status),
    el("span", { className: "name", textContent: step.title }),
    el("span", { className: "soft", textContent: [kind, step.attempts > 1 ? `${step.attempts} attempts` : "", took(step)].filter(Boolean).join(" · ") }),
  ];
  if (!names.length) return el("div", { className: "step" }, line);
  const output = el("pre", { className: "text", textContent: "…" });
  const node = el("details", { className: "step" }, el("summary", {}, line), output);
  node.ontoggle = () => {
    if (!node.open) return;
    node.ontoggle = null;
    outputs(id, names).then((told) => { output.textContent = told || "It said nothing."; }, (error) => { output.textContent = error.message; });
  };
  node.open = step.status === "failed";
  return node;
}

async function outputs(id, names) {
  const parts = await Promise.all(names.map((name) => text(`/executions/${id}/artifacts/${name.split("/").map(encodeURIComponent).join("/")}`)));
  return parts.map((part) => (part.cut ? `${part.text}\n… only its beginning is shown` : part.text)).join("\n");
}

function took({ startedAt, finishedAt }) {
  return startedAt && finishedAt ? duration(new Date(finishedAt) - new Date(startedAt)) : "";
}

function changes(patch, several) {
  const files = el("div", { className: "files" }, el("p", { className: "soft", textContent: "Reading the changes…" }));
  text(patch.url).then(
    (part) => files.replaceChildren(...diff(part.text), ...(part.cut ? [el("p", { className: "soft", textContent: "Only the beginning is shown." })] : [])),
    (error) => files.replaceChildren(el("p", { className: "bad", textContent: error.message })),
  );
  const name = several ? `Changes of ${patch.name.replace(/\.patch$/, "")}` : "Changes";
  return el("section", {}, el("h3", {}, el("span", { textContent: name }), el("span", { className: "space" }), button("Save the patch", () => save(patch))), files);
}

async function save({ url, name }) {
  const { text: content } = await text(url, 2 ** 31);
  const link = el("a", { href: URL.createObjectURL(new Blob([content])), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}
