// Server time on a device whose own clock may be wrong. The difference is learnt from the page (data-now) and
// from the Date header of every answer, and kept, so that a page opened offline still counts right.
const KEY = "patrol.offset_ms";
let offsetMs = 0;
let known = false;

function keep() {
  try {
    localStorage.setItem(KEY, String(offsetMs));
  } catch {
    // counts with what it has
  }
}

/** Learn the server's time from an ISO time or a Date header; `precise` false keeps a difference under 2 s. */
export function learn(text, precise = false) {
  const at = Date.parse(text);
  if (Number.isNaN(at)) return;
  const found = at - Date.now();
  if (known && !precise && Math.abs(found - offsetMs) < 2000) return; // a Date header has whole seconds only
  offsetMs = found;
  known = true;
  keep();
}

/** Milliseconds since 1970 by the server's clock. */
export function serverNow() {
  return Date.now() + offsetMs;
}

/** True while the count rests on the device alone. */
export function byPhone() {
  return !navigator.onLine;
}

try {
  const kept = localStorage.getItem(KEY);
  if (kept !== null) offsetMs = Number(kept) || 0;
} catch {
  offsetMs = 0;
}
const written = document.documentElement.dataset.now;
const entry = performance.getEntriesByType("navigation")[0];
// A page that came out of a cache carries an old data-now; a fresh one carries bytes.
if (written && navigator.onLine && (!entry || entry.transferSize > 0)) {
  const age = entry && entry.responseStart ? performance.now() - entry.responseStart : 0;
  learn(new Date(Date.parse(written) + age).toISOString(), true);
}
