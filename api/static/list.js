// The team's executions, newest first, a page at a time.

import { json } from "./api.js";
import { $, dot, el, keep, since, words } from "./dom.js";

let shown = [];
let cursor = null;
let chosen = "";

export const title = (execution) => execution.task ?? execution.manifest ?? execution.id;
export const newest = () => shown[0];
export const filtered = () => Boolean($("filter").value);

function query(before) {
  const parameters = new URLSearchParams({ limit: "50" });
  if (before) parameters.set("before", before);
  for (const status of $("filter").value.split(" ").filter(Boolean)) parameters.append("status", status);
  return `/executions?${parameters}`;
}

export async function refresh() {
  const page = await json(query());
  const last = page.data.at(-1)?.id ?? "";
  const older = page.hasMore ? shown.filter((execution) => execution.id < last) : [];
  if (!older.length) cursor = page.nextCursor;
  shown = [...page.data, ...older];
  draw();
}

export function forget() {
  shown = [];
  cursor = null;
}

async function more() {
  const page = await json(query(cursor));
  shown.push(...page.data);
  cursor = page.nextCursor;
  draw();
}

export function choose(id) {
  chosen = id;
  draw();
}

// One of them was read by itself, and is newer than the list.
export function update(execution) {
  const at = shown.findIndex((each) => each.id === execution.id);
  if (at < 0 || shown[at].status === execution.status) return;
  shown[at] = execution;
  draw();
}

function draw() {
  const entries = shown.map((execution) => {
    const told = { title: title(execution), status: execution.status, current: execution.id === chosen };
    return [execution.id, told, () => item(execution, told)];
  });
  if (cursor) entries.push(["more", cursor, () => el("button", { className: "more", textContent: "Show older ones", onclick: more })]);
  if (!entries.length) entries.push(["none", filtered(), () => el("p", { className: "none soft", textContent: filtered() ? "None of these." : "None yet." })]);
  keep($("items"), entries);
}

function item(execution, { title, status, current }) {
  const node = el("a", { className: "item", href: `#${execution.id}` },
    dot(status),
    el("span", { className: "name", textContent: title.slice(0, 300) }),
    el("span", { className: "soft" }, `${words(status)} · `, since(execution.createdAt)));
  if (current) node.setAttribute("aria-current", "true");
  return node;
}
