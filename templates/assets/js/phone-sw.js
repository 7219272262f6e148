// The service worker of /phone; the server writes EDITION and SHELL above this line. The shell is everybody's and kept
// by edition. Pages and pictures of one person are kept apart, put there by js/phone-kept.js and by use, and
// forgotten at sign-out. Sends nothing by itself: the outbox does not rest on it.
const SHELL_CACHE = "patrol-shell-" + EDITION;
const MINE_CACHE = "patrol-mine";
const PATIENCE_MS = 6000;

self.addEventListener("install", (event) => {
  const fresh = SHELL.map((path) => new Request(path, { cache: "reload", credentials: "omit" }));
  event.waitUntil(caches.open(SHELL_CACHE).then((shell) => shell.addAll(fresh)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("patrol-shell-") && name !== SHELL_CACHE;
  event.waitUntil(
    caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))).then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (SHELL.includes(url.pathname)) event.respondWith(fromShell(request, url.pathname));
  else if (request.mode === "navigate") event.respondWith(page(request));
  else if (/\/photos\/|\/api\/v1\/slips\//.test(url.pathname)) event.respondWith(kept(request));
  else if (url.pathname === "/phone/kept") event.respondWith(fresh(request));
});

async function fromShell(request, path) {
  return (await caches.match(path, { cacheName: SHELL_CACHE })) ?? fetch(request);
}

/** The newest there is; a line that says nothing for long counts as none, and so does a house that is down. */
async function page(request) {
  let answer = null;
  try {
    answer = await inTime(request);
    if (answer.ok && !answer.redirected && answer.type === "basic") await put(request, answer.clone());
    if (answer.status < 502 || answer.status === 507) return answer;
  } catch {
    answer = null;
  }
  return (await mine(request)) ?? answer ?? (await caches.match("/phone/offline", { cacheName: SHELL_CACHE })) ?? Response.error();
}

async function inTime(request) {
  const had = await mine(request);
  if (!had) return fetch(request);
  let timer = 0;
  const late = new Promise((_, bad) => (timer = setTimeout(() => bad(new Error("late")), PATIENCE_MS)));
  return Promise.race([fetch(request), late]).finally(() => clearTimeout(timer));
}

async function mine(request) {
  const cache = await caches.open(MINE_CACHE);
  return (await cache.match(request)) ?? cache.match(new URL(request.url).pathname);
}

async function put(request, answer) {
  const url = new URL(request.url);
  for (const name of ["did", "asked"]) url.searchParams.delete(name); // said once, never again
  if (url.searchParams.has("step") && url.pathname === "/phone") url.searchParams.delete("step");
  const cache = await caches.open(MINE_CACHE);
  await cache.put(url.href, answer);
}

/** Pictures and slips do not change under their address. */
async function kept(request) {
  const cache = await caches.open(MINE_CACHE);
  return (await cache.match(request)) ?? fetch(request);
}

async function fresh(request) {
  const cache = await caches.open(MINE_CACHE);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(request, answer.clone());
    return answer;
  } catch {
    return (await cache.match(request)) ?? Response.error();
  }
}
