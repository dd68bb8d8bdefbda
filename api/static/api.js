// Requests with the key, which stays in this tab.

const PLACE = "orchex-key";
let key = sessionStorage.getItem(PLACE);

export const hasKey = () => Boolean(key);

export function useKey(text) {
  key = text.trim();
  sessionStorage.setItem(PLACE, key);
}

export function forgetKey() {
  key = null;
  sessionStorage.removeItem(PLACE);
}

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${key}`, ...options.headers };
  const answer = await fetch(`/v1${path}`, { ...options, headers }).catch((error) => {
    throw error.name === "AbortError" ? error : new Refused(0, "The server does not answer.");
  });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, problem.detail || `The server answered ${answer.status}.`);
}

export const json = async (path, options) => (await ask(path, options)).json();

export function post(path, body = {}) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
  return json(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export async function text(path, most = 400_000) {
  const answer = await ask(path, { headers: { Range: `bytes=0-${most - 1}` } }).catch((error) => {
    if (error.status === 416) return null; // it is empty
    throw error;
  });
  const size = Number(answer?.headers.get("Content-Range")?.split("/")[1] ?? 0);
  return { text: answer ? await answer.text() : "", cut: size > most };
}

// Calls `heard` with each event behind `after`; returns the last sequence number. EventSource could send no key.
export async function follow(id, after, signal, heard) {
  const headers = { Accept: "text/event-stream", "Last-Event-ID": String(after) };
  const answer = await ask(`/executions/${id}/events`, { headers, signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return after;
    const frames = (rest + value).split("\n\n");
    rest = frames.pop();
    for (const frame of frames) {
      const data = frame.split("\n").find((line) => line.startsWith("data: "));
      if (!data) continue;
      const event = JSON.parse(data.slice(6));
      after = event.sequence;
      heard(event);
    }
  }
}
