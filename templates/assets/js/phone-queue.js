// The outbox: every draft is kept first and sent after, one at a time, oldest first, by one tab. A draft leaves the
// phone only when the server answered that it has it; what the server refuses waits for the person with its reason.
import { call, csrfToken, Problem } from "./http.js";
import { sendPieces } from "./pieces.js";
import * as store from "./phone-store.js";
import { serverNow } from "./time.js";

const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 5 * 60 * 1000;
const CALL_MS = 60000;
const PASSING = new Set([0, 408, 413, 425, 429, 507]);
const ears = new Set();
let running = null;
let again = false;
let timer = 0;

/** Hear of every change: hear(draft or null). */
export function onChange(hear) {
  ears.add(hear);
}

function tell(draft) {
  for (const hear of ears) hear(draft);
}

export const inWeChat = /MicroMessenger/i.test(navigator.userAgent);
/** WeChat's own browser may clear everything at any time: nothing is kept there unless the person insists. */
export const mayKeep = () => !inWeChat || localStorage.getItem("patrol.insist") === "1";
export const owner = () => document.documentElement.dataset.owner ?? "";
const mine = (draft) => !owner() || draft.owner === owner();
/** Drafts to be sent, without what is still being written. */
export const waiting = async () => (await store.drafts()).filter((draft) => draft.state !== "writing");

/** Put a finished draft into the outbox and try it now. Gives the draft as it then is, or {state: "done", answer}. */
export async function post(draft, photos) {
  const made = { ...draft, owner: owner(), state: "waiting", tries: 0, next: 0, parcel: "", why: "", faults: [], changed: [], made: draft.made ?? serverNow() };
  await store.keep(made, photos);
  store.room();
  tell(made);
  return sendNow(made.id);
}

/** One draft out of turn, as when the person is looking at it. */
export async function sendNow(id) {
  await store.change(id, { next: 0, state: "waiting" });
  let answer = null;
  await alone(async () => {
    answer = await one(await store.draft(id));
  });
  plan();
  return answer ?? (await store.draft(id)) ?? { state: "done", answer: null };
}

/** Everything that may go. `now`: the person or the network says so, waits are over. */
export async function run(now = false) {
  if (now) for (const draft of await store.drafts()) if (draft.next) await store.change(draft.id, { next: 0 });
  if (running) {
    again = true;
    return running;
  }
  running = alone(async () => {
    do {
      again = false;
      let failed = 0;
      for (const draft of await store.drafts()) {
        if (failed >= 3) break; // the line is bad: the rest waits too
        if (draft.state !== "waiting" || draft.next > Date.now() || !mine(draft)) continue;
        const after = await one(draft);
        if (after.state === "signin") return;
        failed = after.state === "waiting" ? failed + 1 : 0;
      }
    } while (again);
  }).finally(() => {
    running = null;
    plan();
  });
  return running;
}

/** One sender at a time over all tabs; where the browser has no locks the server's own memory keeps things single. */
function alone(deed) {
  return navigator.locks ? navigator.locks.request("patrol-outbox", deed) : deed();
}

async function plan() {
  clearTimeout(timer);
  const next = (await store.drafts()).filter((draft) => draft.state === "waiting" && mine(draft)).map((draft) => draft.next);
  if (next.length) timer = setTimeout(() => run(), Math.max(1000, Math.min(...next) - Date.now()));
}

async function one(draft) {
  if (!draft) return { state: "done", answer: null };
  try {
    const answer = await send(draft);
    await store.forget(draft.id, { at: serverNow(), title: draft.title, place: draft.place, issue: answer.issue ?? draft.issue ?? "", owner: draft.owner, answer });
    tell(null);
    return { state: "done", answer };
  } catch (fault) {
    const after = await store.change(draft.id, await said(draft.id, fault));
    tell(after);
    return after ?? { state: "done", answer: null };
  }
}

const ask = (path, json) => authentic(() => call(path, { json, signal: AbortSignal.timeout(CALL_MS) }));

/** A page that lay open or came from the phone has an old token: fetch the new one once. */
async function authentic(deed) {
  try {
    return await deed();
  } catch (fault) {
    if (!(fault instanceof Problem) || fault.code !== "csrf") throw fault;
    const kept = await call("/phone/kept");
    if (kept.csrf === csrfToken() || kept.person !== owner()) throw fault;
    document.querySelector('meta[name="csrf-token"]').content = kept.csrf;
    return deed();
  }
}

async function send(draft) {
  if (draft.what === "walk") return ask("/api/v1/patrols", { client_id: draft.id, ...draft.fields });
  const photos = draft.photos.map(({ sha256, bytes, claim }) => ({ sha256, bytes, claim: claim ?? null }));
  const body = { client_id: draft.id, what: draft.what, fields: draft.fields, photos };
  for (const name of ["issue", "step", "stage"]) if (draft[name]) body[name] = draft[name];
  if (draft.based_at) body.based_at = draft.based_at;
  const told = await ask("/phone/outbox", body);
  await store.change(draft.id, { parcel: told.parcel, photos: marked(draft.photos, told.photos) });
  if (told.state === "done") return told.answer;
  for (const there of told.photos) {
    if (there.state === "whole") continue;
    const kept = await store.photo(draft.id, there.sha256);
    if (!kept) throw new Problem(410, {});
    const last = await sendPieces({
      address: "/phone/outbox/" + told.parcel + "/" + there.sha256,
      size: kept.buffer.byteLength,
      offset: there.offset,
      pieceBytes: told.piece_bytes,
      slice: (from, to) => kept.buffer.slice(from, to),
      again: authentic,
    });
    if (last.state !== "whole") throw new Problem(0, {});
    there.state = "whole";
    tell(await store.change(draft.id, { photos: marked(draft.photos, told.photos) }));
  }
  return ask("/phone/outbox/" + told.parcel + "/send", draft.version ? { version: Number(draft.version) } : {});
}

/** The draft's photos with what the server acknowledged; nothing is deleted here for it. */
function marked(photos, there) {
  const whole = new Set(there.filter((one) => one.state === "whole").map((one) => one.sha256));
  return photos.map((one) => ({ ...one, here: whole.has(one.sha256) }));
}

/** What a fault makes of a draft: it waits and is tried again, waits for a sign-in, or waits for the person. */
async function said(id, fault) {
  if (!(fault instanceof Problem)) throw fault;
  const draft = await store.draft(id);
  const why = fault.message;
  if (fault.status === 401) return { state: "signin", why };
  if (fault.code === "no_parcel" || fault.code === "photos_missing" || fault.code === "digest_differs") return later(draft, why, fault.waitS);
  if (fault.status < 400 || PASSING.has(fault.status) || fault.status >= 500) return later(draft, why, fault.body.retry_after_s ?? fault.waitS);
  if (fault.status === 412 || fault.code === "wrong_step") {
    return { state: "stale", why, changed: fault.body.changed ?? [], seen: fault.body.version ?? null, now: fault.body.state ?? "" };
  }
  return { state: "refused", why, faults: fault.faults.map(({ where, sentence, code }) => ({ where, sentence, code })) };
}

function later(draft, why, waitS) {
  const tries = (draft?.tries ?? 0) + 1;
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tries - 1, 10));
  return { state: "waiting", why, tries, next: Date.now() + Math.max((waitS || 0) * 1000, wait * (0.75 + Math.random() / 2)) };
}

/** The person has seen what changed and sends it all the same. */
export async function insist(id) {
  const draft = await store.draft(id);
  await store.change(id, { version: draft.seen ?? draft.version });
  return sendNow(id);
}

/** The person gives a draft up: here, and where it was announced. Photos taken for it are gone after this. */
export async function giveUp(id) {
  const draft = await store.draft(id);
  if (draft?.parcel) {
    try {
      await ask("/phone/outbox/" + draft.parcel + "/drop", {});
    } catch (fault) {
      if (!(fault instanceof Problem) || fault.code !== "no_parcel") throw fault;
    }
  }
  await store.forget(id);
  tell(null);
}

/** After a sign-in what waited for it goes on. */
export async function wake() {
  for (const draft of await store.drafts()) if (draft.state === "signin" && mine(draft)) await store.change(draft.id, { state: "waiting", next: 0 });
  return run(true);
}
