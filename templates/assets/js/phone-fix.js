// Where the phone is: one watch for the whole page, metres to things, and the place along the river. Sends nothing.
import { serverNow } from "./time.js";

export const GOOD_M = 10; // this good a fix is taken without asking
export const POOR_M = 100; // the server counts a worse one as none

const block = document.getElementById("phone-words");
const words = block ? JSON.parse(block.textContent) : {};
const rest = new Set();
let watch = null;
let latest = null;

/** A sentence of the phone's pages with {name} places filled. */
export function word(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Call `hear` with every fix {lon, lat, accuracy_m, at} and with {fault} where there is none. */
export function onFix(hear) {
  rest.add(hear);
  if (latest) hear(latest);
}

function tell(fix) {
  latest = fix;
  for (const hear of rest) hear(fix);
}

/** The last fix if it is not older than `maxS` seconds. */
export function current(maxS = 120) {
  return latest && !latest.fault && serverNow() - latest.at <= maxS * 1000 ? latest : null;
}

export function start() {
  if (watch !== null) return;
  if (!navigator.geolocation) {
    tell({ fault: "no_fix" });
    return;
  }
  watch = navigator.geolocation.watchPosition(
    ({ coords }) => tell({ lon: coords.longitude, lat: coords.latitude, accuracy_m: Math.round(coords.accuracy * 10) / 10, at: serverNow() }),
    (fault) => {
      if (!current()) tell({ fault: fault.code === 1 ? "denied" : "no_fix" });
    },
    { enableHighAccuracy: true, maximumAge: 5000, timeout: 20000 },
  );
}

export function stop() {
  if (watch !== null) navigator.geolocation.clearWatch(watch);
  watch = null;
}

/** Whether asking would need no prompt. */
export async function allowed() {
  try {
    return (await navigator.permissions.query({ name: "geolocation" })).state === "granted";
  } catch {
    return false;
  }
}

const RAD = Math.PI / 180;
const EAST_M = 111320;
const NORTH_M = 110860; // at 30° north

/** Metres east and north of `from` to `to`; good to a decimetre within a few kilometres. */
export function offset(from, to) {
  return [(to.lon - from.lon) * EAST_M * Math.cos(from.lat * RAD), (to.lat - from.lat) * NORTH_M];
}

export function apart(from, to) {
  return Math.hypot(...offset(from, to));
}

function toSegment(a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const along = Math.max(0, Math.min(1, -(a[0] * dx + a[1] * dy) / (dx * dx + dy * dy || 1)));
  return { along, metres: Math.hypot(a[0] + along * dx, a[1] + along * dy), side: dx * -a[1] - dy * -a[0] };
}

/** Metres from `at` to the coordinates of a GeoJSON (Multi)Polygon; 0 inside. */
export function toOutline(at, coordinates) {
  const polygons = typeof coordinates[0][0][0] === "number" ? [coordinates] : coordinates;
  let best = Infinity;
  for (const rings of polygons) {
    let inside = false;
    for (const ring of rings) {
      const points = ring.map(([lon, lat]) => offset(at, { lon, lat }));
      for (let i = 1; i < points.length; i += 1) {
        const [a, b] = [points[i - 1], points[i]];
        best = Math.min(best, toSegment(a, b).metres);
        if (a[1] > 0 !== b[1] > 0 && (-a[1] * (b[0] - a[0])) / (b[1] - a[1]) + a[0] > 0) inside = !inside;
      }
    }
    if (inside) return 0;
  }
  return best;
}

const riverBlock = document.getElementById("river");
const river = riverBlock ? JSON.parse(riverBlock.textContent) : {};

/** {chainage_m, bank, off_m} of a fix by the centreline, or null where the place has none. */
export function alongRiver(fix) {
  if (!river.line || river.line.length < 2) return null;
  const points = river.line.map(([lon, lat]) => offset(fix, { lon, lat }));
  let [total, best] = [0, null];
  for (let i = 1; i < points.length; i += 1) {
    const long = Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]);
    const near = toSegment(points[i - 1], points[i]);
    if (!best || near.metres < best.off_m) best = { at: total + near.along * long, off_m: near.metres, bank: near.side >= 0 ? "left" : "right" };
    total += long;
  }
  return { chainage_m: (best.at / total) * river.length_m, bank: best.bank, off_m: best.off_m };
}

/** K1+240 */
export function mark(m) {
  const whole = Math.round(m);
  return "K" + Math.floor(whole / 1000) + "+" + String(whole % 1000).padStart(3, "0");
}

/** 32 米, 1.1 公里 */
export function metres(m) {
  return m < 1000 ? word("metres", { m: Math.round(m) }) : word("km", { m: (m / 1000).toFixed(1) });
}
