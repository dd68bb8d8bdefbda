// The dashboard: a list of executions, and one of them live. Text only ever becomes text: nothing is parsed as HTML.

const $ = (id) => document.getElementById(id);
const terminal = (status) => ["completed", "failed", "cancelled"].includes(status);
let key = sessionStorage.getItem("orchex-key");
let chosen = location.hash.slice(1);
let watching = null;
let cursor = null;
let shown = [];

function el(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

async function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${key}`, ...options.headers };
  const answer = await fetch(`/v1${path}`, { ...options, headers });
  if (answer.status === 401) {
    forget("This key is unknown, expired or revoked.");
    throw new Error("not authorised");
  }
  if (!answer.ok && answer.status !== 304) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail || `The server answered ${answer.status}.`);
  }
  return answer;
}

const json = async (path, options) => (await ask(path, options)).json();

// -- the key

function forget(reason = "") {
  sessionStorage.removeItem("orchex-key");
  key = null;
  watching?.abort();
  $("leave").hidden = true;
  $("refused").textContent = reason;
  $("refused").hidden = !reason;
  $("list").replaceChildren();
  $("detail").replaceChildren();
  $("team").textContent = "";
  if (!$("door").open) $("door").showModal();
}

$("leave").onclick = () => forget();
$("door").addEventListener("cancel", (event) => event.preventDefault());
$("door").querySelector("form").onsubmit = () => {
  key = $("key").value.trim();
  $("key").value = "";
  sessionStorage.setItem("orchex-key", key);
  enter();
};

async function enter() {
  try {
    const me = await json("/me");
    $("team").textContent = me.team?.name ?? "";
    $("leave").hidden = false;
    await refresh();
    if (!chosen && shown.length) chosen = shown[0].id;
    chosen ? open(chosen) : empty();
  } catch (error) {
    tell(error.message);
  }
}

// -- the list

function title(execution) {
  return execution.task ?? execution.manifest ?? execution.id;
}

async function refresh() {
  const page = await json("/executions?limit=50");
  const known = new Set(page.data.map((execution) => execution.id));
  const older = shown.filter((execution) => !known.has(execution.id) && execution.id < (page.data.at(-1)?.id ?? ""));
  if (!older.length) cursor = page.nextCursor;
  shown = [...page.data, ...older];
  draw();
}

async function more() {
  const page = await json(`/executions?limit=50&before=${encodeURIComponent(cursor)}`);
  shown.push(...page.data);
  cursor = page.nextCursor;
  draw();
}

function draw() {
  const items = shown.map((execution) => {
    const item = el(
      "button",
      { className: "item", onclick: () => open(execution.id) },
      el("span", { className: `dot ${execution.status}`, title: execution.status }),
      el("span", { className: "name", textContent: title(execution) }),
      el("span", { className: "soft", textContent: `${words(execution.status)} · ${ago(execution.createdAt)}` }),
    );
    item.setAttribute("aria-current", String(execution.id === chosen));
    return item;
  });
  if (cursor) items.push(el("button", { className: "more", textContent: "Older", onclick: more }));
  $("list").replaceChildren(...items);
}

// -- one execution

function empty() {
  $("detail").replaceChildren(
    el("div", { className: "empty" }, el("p", { textContent: "No execution yet." }),
      el("p", { className: "mono", textContent: "POST /v1/executions" })),
  );
}

async function open(id) {
  chosen = id;
  history.replaceState(null, "", `#${id}`);
  draw();
  watching?.abort();
  const control = (watching = new AbortController());
  let after = 0;
  while (!control.signal.aborted) {
    try {
      const execution = await show(id);
      tell("");
      if (terminal(execution.status)) return;
      after = await follow(id, after, control.signal);
    } catch (error) {
      if (control.signal.aborted) return;
      tell(`${error.message} Trying again…`);
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}

// Reads the event stream with fetch, because EventSource can send no key.
async function follow(id, after, signal) {
  const answer = await ask(`/executions/${id}/events`, {
    headers: { Accept: "text/event-stream", "Last-Event-ID": String(after) },
    signal,
  });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let due = null;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return after;
    text += value;
    const frames = text.split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const line = frame.split("\n").find((each) => each.startsWith("id: "));
      if (!line) continue;
      after = Number(line.slice(4));
      due ??= setTimeout(() => { due = null; if (!signal.aborted) show(id).catch(() => {}); }, 150);
    }
  }
}

async function show(id) {
  const execution = await json(`/executions/${encodeURIComponent(id)}`);
  if (id !== chosen) return execution;
  const at = shown.findIndex((each) => each.id === id);
  if (at >= 0 && shown[at].status !== execution.status) { shown[at] = execution; draw(); }
  const { current, total } = execution.progress;
  const bar = el("progress", total ? { max: total, value: Math.min(current, total) } : terminal(execution.status) ? { max: 1, value: 1 } : {});
  bar.setAttribute("aria-label", "Progress");
  $("detail").replaceChildren(...[
    el("h2", { textContent: title(execution) }),
    el("div", { className: "facts" },
      fact("Status", words(execution.status)), fact("Steps", total === null ? String(current) : `${current} of ${total}`),
      fact("Time", seconds(execution.elapsed)), fact("Tokens", execution.metrics.tokensUsed.toLocaleString()),
      execution.metrics.costUsd === null ? null : fact("Cost", `$${execution.metrics.costUsd.toFixed(4)}`),
      fact("Project", execution.project ?? "—")),
    bar,
    execution.currentStep ? el("p", { className: "soft", textContent: execution.currentStep }) : null,
    actions(execution),
    execution.error ? el("div", { className: "note", textContent: [execution.error.message, execution.error.hint].filter(Boolean).join("\n") }) : null,
    execution.result?.summary ? el("p", { textContent: execution.result.summary }) : null,
    ...steps(execution),
    ...(await results(execution)),
    el("p", { className: "soft mono", textContent: id }),
  ].filter((node) => node !== null));
  return execution;
}

function actions(execution) {
  if (terminal(execution.status) || execution.status === "cancelling") return null;
  const row = el("p");
  const act = (label, path, body, strong) => row.append(el("button", {
    textContent: label, className: strong ? "strong" : "",
    onclick: () => json(`/executions/${execution.id}/${path}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    }).then(() => show(execution.id), (error) => tell(error.message)),
  }), " ");
  const waiting = execution.status === "awaiting_approval" ? execution.streams.filter((stream) => stream.planHash) : [];
  for (const stream of waiting.slice(-1)) {
    act("Approve the plan", "approve", { planHash: stream.planHash }, true);
    act("Reject it", "reject", { planHash: stream.planHash });
  }
  act("Cancel", "cancel", {});
  return row;
}

function steps(execution) {
  if (!execution.steps.length) return [];
  const rows = execution.steps.map((step) => el("li", {},
    el("span", { className: `dot ${step.status}`, title: step.status }),
    el("span", { textContent: step.title }),
    el("span", { className: "soft", textContent: [step.kind, step.attempts > 1 ? `${step.attempts} attempts` : "", took(step)].filter(Boolean).join(" · ") })));
  return [el("h3", { textContent: "Steps" }), el("ol", { className: "steps" }, ...rows)];
}

async function results(execution) {
  const nodes = [];
  for (const artifact of execution.result?.artifacts ?? []) {
    if (artifact.kind !== "patch" || !artifact.size) continue;
    const large = artifact.size > 400_000;
    const text = await (await ask(artifact.url, large ? { headers: { Range: "bytes=0-399999" } } : {})).text();
    nodes.push(el("h3", { textContent: artifact.name }), diff(text));
    if (large) nodes.push(el("p", { className: "soft", textContent: "Only its beginning is shown." }));
  }
  return nodes;
}

function diff(text) {
  const kind = (line) =>
    /^(diff |index |--- |\+\+\+ |new file|deleted file|rename |similarity )/.test(line) ? "head"
      : line.startsWith("@@") ? "at" : line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : "";
  const lines = text.replace(/\n$/, "").split("\n").map((line) => el("span", { className: kind(line), textContent: line || " " }));
  return el("pre", { className: "diff" }, ...lines);
}

// -- words

function fact(name, value) { return el("span", {}, `${name} `, el("b", { textContent: value })); }
function words(status) { return status.replaceAll("_", " "); }
function seconds(ms) { return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`; }
function took(step) { return step.finishedAt && step.startedAt ? seconds(new Date(step.finishedAt) - new Date(step.startedAt)) : ""; }
function tell(text) { $("link").textContent = text; }
function ago(time) {
  const past = (Date.now() - new Date(time)) / 1000;
  const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]].find(([each]) => past >= each) ?? [1, "second"];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.max(0, Math.floor(past / size)), unit);
}

setInterval(() => { if (key && !document.hidden) refresh().catch((error) => tell(error.message)); }, 5000);
key ? enter() : forget();
