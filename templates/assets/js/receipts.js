// Receipts of reports sent from this phone: kept in its own storage, never sent anywhere, taken off by the person.
const NAME = "patrol.receipts";
const MOST = 50;

/** Newest first: {code, kind, at}. Empty where storage is closed or holds something else. */
export function all() {
  try {
    const found = JSON.parse(localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(found) ? found.filter((one) => typeof one?.code === "string") : [];
  } catch {
    return [];
  }
}

function write(list) {
  try {
    localStorage.setItem(NAME, JSON.stringify(list.slice(0, MOST)));
    return true;
  } catch {
    return false; // full, or closed as in a private window
  }
}

export const keep = (one) => write([one, ...all().filter((old) => old.code !== one.code)]);
export const drop = (code) => write(all().filter((one) => one.code !== code));
