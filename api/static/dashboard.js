// The dashboard: who is asking, which execution is looked at, and what happens meanwhile.

import { follow, forgetKey, hasKey, json, useKey } from "./api.js";
import { $, clear, el, terminal, tick } from "./dom.js";
import { remember, show } from "./execution.js";
import * as list from "./list.js";

const LIST_MS = 5000;
const AGAIN_MS = 2000;
const GATHER_MS = 150;
const narrow = matchMedia("(max-width: 50rem)");
let watching = null;

// -- the key

function lock(reason = "") {
  forgetKey();
  watching?.abort();
  list.forget();
  clear($("items"));
  clear($("detail"));
  tell("");
  $("team").textContent = "";
  $("leave").hidden = true;
  $("refused").textContent = reason;
  $("refused").hidden = !reason;
  if (!$("door").open) $("door").showModal();
}

function failed(error) {
  if (error.status === 401) lock("This key is unknown, expired or revoked.");
  else tell(error.message);
}

async function enter() {
  try {
    $("team").textContent = (await json("/me")).team.name;
    $("leave").hidden = false;
    await list.refresh();
    look();
  } catch (error) {
    failed(error);
    if (hasKey()) clear($("detail"), note(error.message));
  }
}

// -- which execution

function look() {
  const id = location.hash.slice(1);
  document.body.classList.toggle("one", Boolean(id));
  if (id) watch(id);
  else if (narrow.matches || !list.newest()) rest();
  else watch(list.newest().id);
}

function rest() {
  watching?.abort();
  list.choose("");
  clear($("detail"), list.newest() || list.filtered() ? "" : empty());
}

async function watch(id) {
  watching?.abort();
  const control = (watching = new AbortController());
  const logs = new Map();
  const now = async () => {
    const execution = await json(`/executions/${encodeURIComponent(id)}`, { signal: control.signal });
    if (control.signal.aborted) return execution;
    show(execution, logs, now);
    list.update(execution);
    return execution;
  };
  list.choose(id);
  clear($("detail"));
  let [after, due] = [0, null];
  while (!control.signal.aborted) {
    try {
      const execution = await now();
      tell("");
      if (terminal(execution.status)) return;
      after = await follow(id, after, control.signal, (event) => {
        after = event.sequence;
        if (event.data.log) remember(logs, event.data.log);
        due ??= setTimeout(() => { due = null; now().catch(() => {}); }, GATHER_MS);
      });
    } catch (error) {
      if (control.signal.aborted) return;
      if ([403, 404].includes(error.status)) {
        clear($("detail"), note(error.message));
        return;
      }
      failed(error);
      if (error.status === 401) return;
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }
}

// -- words

function empty() {
  const start = `curl ${location.origin}/v1/executions \\\n  -H "Authorization: Bearer $ORCHEX_API_KEY" \\\n  --json '{"task": "Fix the login bug"}'`;
  const command = `export ORCHEX_API_URL=${location.origin} ORCHEX_API_KEY=orchex_sk_…\norchex run "Fix the login bug"`;
  return el("div", { className: "empty" },
    el("h2", { textContent: "Nothing has run yet" }),
    el("p", { className: "soft", textContent: "What this team starts is shown here as it happens. From a shell:" }),
    el("pre", { className: "text", textContent: command }),
    el("p", { className: "soft", textContent: "or over HTTP:" }),
    el("pre", { className: "text", textContent: start }));
}

const note = (message) => el("div", { className: "note" }, el("p", { textContent: message }));

function tell(message) {
  $("link").textContent = message;
}

$("leave").onclick = () => lock();
$("door").addEventListener("cancel", (event) => event.preventDefault());
$("door").querySelector("form").onsubmit = () => {
  useKey($("key").value);
  $("key").value = "";
  enter();
};
$("filter").onchange = () => { list.forget(); list.refresh().then(look, failed); };
$("back").onclick = (event) => { event.preventDefault(); location.hash = ""; };
addEventListener("hashchange", look);
setInterval(tick, 1000);
setInterval(() => {
  if (!hasKey() || document.hidden) return;
  const first = !list.newest();
  list.refresh().then(() => { if (first && list.newest() && !location.hash) look(); }, failed);
}, LIST_MS);
hasKey() ? enter() : lock();
