// A patch, file by file.

import { el } from "./dom.js";

const HEAD = /^(index |--- |\+\+\+ |new file|deleted file|old mode|new mode|rename |copy |similarity |dissimilarity )/;
const OPEN_FILES = 12;

export function diff(text) {
  const files = [];
  let body = false;
  for (const line of text.replace(/\n$/, "").split("\n")) {
    if (line.startsWith("diff --git ") || !files.length) {
      files.push({ name: line.replace(/^diff --git /, ""), lines: [], added: 0, removed: 0, note: "" });
      body = false;
      if (line.startsWith("diff --git ")) continue;
    }
    const file = files.at(-1);
    if (!body && HEAD.test(line)) {
      head(file, line);
      continue;
    }
    if (line.startsWith("@@") || line.startsWith("GIT binary") || line.startsWith("Binary files")) body = true;
    const kind = line.startsWith("@@") ? "at" : line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : "";
    if (kind === "add") file.added += 1;
    if (kind === "del") file.removed += 1;
    file.lines.push(el("span", { className: kind, textContent: line || " " }));
  }
  return files.map((file, at) => shown(file, at < OPEN_FILES));
}

function head(file, line) {
  const [, path] = line.match(/^(?:\+\+\+ b\/|--- a\/|rename to )(.*?)\t?$/) ?? [];
  if (path !== undefined) file.name = path;
  if (line.startsWith("new file")) file.note = "new";
  if (line.startsWith("deleted file")) file.note = "deleted";
  if (line.startsWith("rename from ")) file.note = `was ${line.slice(12)}`;
  if (line.startsWith("new mode")) file.note = `mode ${line.slice(9)}`;
}

function shown(file, open) {
  const summary = el("summary", {},
    el("span", { className: "path mono", textContent: file.name }),
    file.note ? el("span", { className: "soft", textContent: file.note }) : null,
    el("span", { className: "space" }),
    el("span", { className: "plus mono", textContent: `+${file.added}` }),
    el("span", { className: "minus mono", textContent: `−${file.removed}` }));
  return el("details", { className: "file", open }, summary, el("pre", { className: "diff" }, file.lines));
}
