// One way to talk to our own server: same origin only, CSRF header, problem+json turned into an Error with
// sentences a person can read. Learns the server's time from every answer.
import { learn } from "./time.js";
import { say } from "./words.js";

/** What the server refused, or that it could not be reached (status 0). */
export class Problem extends Error {
  constructor(status, body, waitS = 0) {
    super(body.detail || body.title || say(status ? "crash" : "no_network"));
    this.status = status;
    this.code = body.code ?? (body.type ?? "").split("/").pop();
    // the server names a field by a JSON pointer; a form knows it by its first step
    this.faults = (body.errors ?? []).map((each) => ({ ...each, where: each.pointer.replace(/^\//, "").split("/")[0] }));
    this.errorId = body.request_id ?? "";
    this.waitS = waitS; // what Retry-After asks for
    this.body = body;
  }
}

export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

/**
 * Fetch `path` and give the parsed JSON (null for an empty answer).
 * options: method, json (a value to send), form (FormData), headers, version (sent as If-Match), signal, whole
 * (true: give {status, headers, data}).
 */
export async function call(path, options = {}) {
  const { json, form, version, whole, ...rest } = options;
  const headers = new Headers(options.headers ?? {});
  headers.set("Accept", "application/json");
  const method = options.method ?? (json !== undefined || form ? "POST" : "GET");
  if (!["GET", "HEAD"].includes(method)) headers.set("X-CSRF-Token", csrfToken());
  if (version !== undefined) headers.set("If-Match", '"' + version + '"');
  let body = form;
  if (json !== undefined) {
    headers.set("Content-Type", "application/json");
    body = JSON.stringify(json);
  }
  let answer;
  try {
    answer = await fetch(path, { ...rest, method, headers, body, credentials: "same-origin", redirect: "follow" });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new Problem(0, {});
  }
  const date = answer.headers.get("Date");
  if (date) learn(date);
  let text;
  try {
    text = await answer.text();
  } catch {
    throw new Problem(0, {}); // cut on the way
  }
  let data = null;
  if (text && (answer.headers.get("Content-Type") ?? "").includes("json")) {
    try {
      data = JSON.parse(text);
    } catch {
      throw new Problem(answer.status, {}); // a cut answer is a failed one
    }
  }
  if (!answer.ok) throw new Problem(answer.status, data ?? {}, Number(answer.headers.get("Retry-After")) || 0);
  return whole ? { status: answer.status, headers: answer.headers, data } : data;
}
