// The river's line in the browser: from a point to its chainage and bank, and back. The page writes the line as JSON
// in #river; metres are counted on a plane round the line's middle, good to centimetres over a few kilometres.
const block = document.getElementById("river");
export const page = block ? JSON.parse(block.textContent) : {};
const river = page.river ?? page;
const line = river.line ?? [];
const lat0 = line.length ? line[Math.floor(line.length / 2)][1] : 0;
const ky = 110850 + 5.6 * Math.abs(lat0) / 30;
const kx = 111320 * Math.cos((lat0 * Math.PI) / 180);
const flat = line.map(([lon, lat]) => [(lon - (line[0]?.[0] ?? 0)) * kx, (lat - lat0) * ky]);
const drawn = flat.slice(1).reduce((sum, b, i) => sum + Math.hypot(b[0] - flat[i][0], b[1] - flat[i][1]), 0);
const scale = drawn ? (river.length_m ?? drawn) / drawn : 1;

export const known = line.length > 1;
export const lengthM = river.length_m ?? 0;

/** Where a point stands: {chainage_m, offset_m, bank}. */
export function on(lon, lat) {
  if (!known) return null;
  const p = [(lon - line[0][0]) * kx, (lat - lat0) * ky];
  let best = null;
  let before = 0;
  for (let i = 1; i < flat.length; i += 1) {
    const [ax, ay] = flat[i - 1];
    const [dx, dy] = [flat[i][0] - ax, flat[i][1] - ay];
    const run = Math.hypot(dx, dy);
    const t = run ? Math.min(1, Math.max(0, ((p[0] - ax) * dx + (p[1] - ay) * dy) / (run * run))) : 0;
    const off = Math.hypot(p[0] - ax - t * dx, p[1] - ay - t * dy);
    if (!best || off < best.offset_m) {
      const side = dx * (p[1] - ay) - dy * (p[0] - ax);
      best = { chainage_m: (before + t * run) * scale, offset_m: off, bank: side >= 0 ? "left" : "right" };
    }
    before += run;
  }
  return best;
}

/** The point at a chainage, metres off towards a bank: [lon, lat]. */
export function at(chainageM, offM = 0, bank = "left") {
  let rest = Math.min(Math.max(chainageM, 0), lengthM) / scale;
  for (let i = 1; i < flat.length; i += 1) {
    const [ax, ay] = flat[i - 1];
    const [dx, dy] = [flat[i][0] - ax, flat[i][1] - ay];
    const run = Math.hypot(dx, dy);
    if (rest <= run || i === flat.length - 1) {
      const t = run ? Math.min(1, rest / run) : 0;
      const sign = bank === "right" ? -1 : 1;
      const x = ax + t * dx - (sign * offM * dy) / (run || 1);
      const y = ay + t * dy + (sign * offM * dx) / (run || 1);
      return [x / kx + line[0][0], y / ky + lat0];
    }
    rest -= run;
  }
  return null;
}

/** K1+240 */
export function k(chainageM) {
  const m = Math.round(chainageM);
  return "K" + Math.floor(m / 1000) + "+" + String(m % 1000).padStart(3, "0");
}

/** A chainage that words name, as the server reads them: {chainage_m, bank} or null. */
export function said(words) {
  const plain = words.normalize("NFKC");
  const mark = plain.match(/\bK\s*(\d{1,3})(?:\s*\+\s*(\d{1,3}))?/i);
  const metres = plain.match(/(左|右)岸\s*(\d{1,5})\s*米处/);
  const bare = plain.match(/^\s*(\d{2,5})\s*(?:米|m)?\s*(左|右)?岸?\s*$/i); // 1240左: as it is said on the telephone
  if (bare) return { chainage_m: Number(bare[1]), bank: bare[2] ? (bare[2] === "左" ? "left" : "right") : "" };
  const chainage = mark ? Number(mark[1]) * 1000 + Number(mark[2] ?? 0) : metres ? Number(metres[2]) : null;
  const bank = plain.includes("左岸") ? "left" : plain.includes("右岸") ? "right" : "";
  return chainage === null ? (bank ? { chainage_m: null, bank } : null) : { chainage_m: chainage, bank };
}
