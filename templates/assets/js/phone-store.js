// What this phone keeps until the server has it: one record a draft, one record a photo (its bytes), in IndexedDB.
// A draft and its photos are written in one transaction, strictly, and deleted in one. Sends nothing.
const NAME = "patrol-phone";
const STORES = ["draft", "photo", "done", "fact"];
let opened = null;

function open() {
  opened ??= new Promise((good, bad) => {
    const ask = indexedDB.open(NAME, 1);
    ask.onupgradeneeded = () => {
      for (const name of STORES) ask.result.createObjectStore(name, { keyPath: "id" });
      ask.transaction.objectStore("photo").createIndex("draft", "draft");
    };
    ask.onsuccess = () => {
      ask.result.onversionchange = () => ask.result.close();
      ask.result.onclose = () => (opened = null);
      good(ask.result);
    };
    ask.onerror = () => {
      opened = null;
      bad(ask.error);
    };
  });
  return opened;
}

const answered = (ask) => new Promise((good, bad) => ((ask.onsuccess = () => good(ask.result)), (ask.onerror = () => bad(ask.error))));

/** Run `deed(store => IDBObjectStore)` in one transaction; resolved when it is on disk. */
async function together(names, mode, deed) {
  const base = await open();
  const work = base.transaction(names, mode, mode === "readwrite" ? { durability: "strict" } : undefined);
  const over = new Promise((good, bad) => {
    work.oncomplete = () => good();
    work.onerror = work.onabort = () => bad(work.error ?? new DOMException("", "AbortError"));
  });
  const found = deed((name) => work.objectStore(name));
  const [value] = await Promise.all([found, over]);
  return value;
}

/** Keep a draft and the photos that are new: both or neither. photos: [{sha256, buffer, type}] */
export function keep(draft, photos = []) {
  return together(["draft", "photo"], "readwrite", async (store) => {
    const listed = new Set(draft.photos.map((one) => draft.id + ":" + one.sha256));
    const held = await answered(store("photo").index("draft").getAllKeys(draft.id));
    for (const key of held) if (!listed.has(key)) store("photo").delete(key);
    for (const one of photos) store("photo").put({ id: draft.id + ":" + one.sha256, draft: draft.id, buffer: one.buffer, type: one.type });
    store("draft").put(draft);
  });
}

/** Change a draft as it stands now; nothing where it is gone. */
export function change(id, values) {
  return together(["draft"], "readwrite", async (store) => {
    const draft = await answered(store("draft").get(id));
    if (!draft) return null;
    Object.assign(draft, values);
    store("draft").put(draft);
    return draft;
  });
}

export const draft = (id) => together(["draft"], "readonly", (store) => answered(store("draft").get(id)));
export const photo = (id, sha256) => together(["photo"], "readonly", (store) => answered(store("photo").get(id + ":" + sha256)));

/** Every draft, the oldest first. */
export async function drafts() {
  const all = await together(["draft"], "readonly", (store) => answered(store("draft").getAll()));
  return all.sort((a, b) => a.made - b.made);
}

/** The server has it, or the person gave it up: draft and photos go together, a line of it may stay. */
export function forget(id, line = null) {
  return together(["draft", "photo", "done"], "readwrite", async (store) => {
    for (const key of await answered(store("photo").index("draft").getAllKeys(id))) store("photo").delete(key);
    store("draft").delete(id);
    if (line) store("done").put({ id, ...line });
    const old = (await answered(store("done").getAll())).sort((a, b) => b.at - a.at).slice(20);
    for (const one of old) store("done").delete(one.id);
  });
}

export const done = () => together(["done"], "readonly", (store) => answered(store("done").getAll()));
export const fact = async (id) => (await together(["fact"], "readonly", (store) => answered(store("fact").get(id))))?.value;
export const setFact = (id, value) => together(["fact"], "readwrite", async (store) => void store("fact").put({ id, value }));
export const dropFact = (id) => together(["fact"], "readwrite", async (store) => void store("fact").delete(id));

/** SHA-256 in hex; on a plain http address, where the browser has none, by a library. */
export async function digest(buffer) {
  let sum;
  if (globalThis.crypto?.subtle) sum = new Uint8Array(await crypto.subtle.digest("SHA-256", buffer));
  else sum = (await import("/assets/vendor/@noble/hashes/sha2.js")).sha256(new Uint8Array(buffer));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A random UUID, also where crypto.randomUUID is not given. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  const hex = Array.from(b, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Ask the browser not to clear this under pressure; {used, left} in bytes where it says. */
export async function room() {
  try {
    await navigator.storage.persist();
    const { usage, quota } = await navigator.storage.estimate();
    return { used: usage, left: Math.max(0, quota - usage) };
  } catch {
    return null; // an old browser, or a plain http address
  }
}
