// Elements and words. Text only ever becomes text: nothing is parsed as HTML.

export const $ = (id) => document.getElementById(id);

export function el(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

// Shows [key, data, build] in this order. What is there with the same data stays as it is: open, scrolled, focused.
export function keep(parent, entries) {
  const before = parent.kept ?? new Map();
  parent.kept = new Map();
  entries.forEach(([key, data, build], place) => {
    const signature = JSON.stringify(data);
    const known = before.get(key);
    const node = known?.signature === signature ? known.node : build();
    parent.kept.set(key, { signature, node });
    if (parent.childNodes[place] !== node) parent.insertBefore(node, parent.childNodes[place] ?? null);
  });
  while (parent.childNodes.length > entries.length) parent.lastChild.remove();
}

export function clear(parent, ...children) {
  parent.kept = undefined;
  parent.replaceChildren(...children);
}

// `code` in a sentence.
export function prose(text) {
  return text.split("`").map((part, at) => (at % 2 ? el("code", { textContent: part }) : part));
}

// -- words

export const terminal = (status) => ["completed", "failed", "cancelled"].includes(status);
export const words = (status) => status.replaceAll("_", " ");
export const dot = (status) => el("span", { className: `dot ${status}`, title: words(status) });

export function duration(ms) {
  const all = Math.max(0, ms) / 1000;
  if (all < 60) return `${all.toFixed(1)} s`;
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor((all % 3600) / 60)];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(all % 60)} s`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const units = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

function ago(time) {
  const past = Math.max(0, (Date.now() - new Date(time)) / 1000);
  if (past < 10) return "just now";
  const [size, unit] = units.find(([each]) => past >= each);
  return relative.format(-Math.floor(past / size), unit);
}

export function since(time) {
  return el("time", { dateTime: time, title: new Date(time).toLocaleString(), textContent: ago(time) });
}

// How long something has been going on, by this machine's clock and what the server told at first.
export function stopwatch(elapsed) {
  const node = el("b", { textContent: duration(elapsed) });
  node.dataset.from = String(Date.now() - elapsed);
  return node;
}

// Clocks go on between two answers.
export function tick() {
  for (const node of document.querySelectorAll("time")) {
    const text = ago(node.dateTime);
    if (node.textContent !== text) node.textContent = text;
  }
  for (const node of document.querySelectorAll("[data-from]")) {
    node.textContent = duration(Date.now() - Number(node.dataset.from));
  }
}
