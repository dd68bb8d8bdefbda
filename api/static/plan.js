// A plan that waits for a decision: all of it, before anybody is asked to say yes.

import { json } from "./api.js";
import { el } from "./dom.js";

export async function plan(id, stream) {
  const path = `/executions/${id}/artifacts/${stream.split("/").map(encodeURIComponent).join("/")}.plan.json`;
  const { steps, estimate } = await json(path);
  return [
    el("ol", { className: "plan" }, steps.map(step)),
    estimate ? el("p", { className: "soft", textContent: worth(estimate) }) : null,
  ];
}

function step({ title, text, files, commands }) {
  return el("li", {},
    el("b", { textContent: title }),
    files.length ? el("p", { className: "soft" }, "Touches ", list(files)) : null,
    commands.length ? el("p", { className: "soft" }, "Runs ", list(commands)) : null,
    text.trim() !== title ? el("details", {}, el("summary", { textContent: "In full" }), el("pre", { className: "text", textContent: text })) : null);
}

function list(names) {
  return names.flatMap((name, at) => [at ? ", " : "", el("code", { textContent: name })]);
}

function worth({ tokens, cost_usd: costUsd }) {
  const cost = costUsd == null ? "" : `, $${costUsd.toFixed(2)}`;
  return `It may take about ${tokens.toLocaleString()} tokens${cost}.`;
}
