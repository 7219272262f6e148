// What this phone has for the time without a network: my tasks, the facts of their issues and slips, their pages and
// pictures. Brought up to date while there is a network; forgotten at sign-out and when another person signs in.
import { call } from "./http.js";
import * as store from "./phone-store.js";

const MINE_CACHE = "patrol-mine";
const EVERY_MS = 60000;

/** Another person's page is open: nothing of the one before stays, but unsent drafts. */
export async function check(owner) {
  if (!owner) return;
  const before = await store.fact("owner");
  if (before !== undefined && before !== owner) await forget();
  if (before !== owner) await store.setFact("owner", owner);
}

export async function forget() {
  if (globalThis.caches) await caches.delete(MINE_CACHE);
  await store.dropFact("kept");
  await store.dropFact("owner");
}

/** Fetch what is new. Does nothing within a minute of the last time. */
export async function refresh(owner) {
  if (!globalThis.caches || !owner) return;
  const before = await store.fact("kept");
  if (before && Date.now() - before.fetched < EVERY_MS) return;
  const kept = await call("/phone/kept");
  if (kept.person !== owner) return;
  const cache = await caches.open(MINE_CACHE);
  const had = new Map((before?.tasks ?? []).map((task) => [task.issue, task.version]));
  const wanted = new Set(kept.pages);
  for (const path of kept.pages) await take(cache, path);
  for (const task of kept.tasks) {
    for (const path of [...task.pages, ...task.pictures, ...task.slips]) wanted.add(path);
    for (const path of task.pages) if (had.get(task.issue) !== task.version || !(await cache.match(path))) await take(cache, path);
    for (const path of [...task.pictures, ...task.slips]) if (!(await cache.match(path))) await take(cache, path);
  }
  for (const request of await cache.keys()) {
    const { pathname, search } = new URL(request.url);
    if (!wanted.has(pathname + search) && !wanted.has(pathname) && pathname !== "/phone/kept") await cache.delete(request);
  }
  await store.setFact("kept", { ...kept, csrf: undefined, fetched: Date.now() });
}

async function take(cache, path) {
  const answer = await fetch(path, { headers: { Accept: path.startsWith("/api/") ? "*/*" : "text/html" } });
  if (answer.ok && !answer.redirected) await cache.put(path, answer);
}
