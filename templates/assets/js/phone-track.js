// A patrol as stretches of bank while it goes on: every fix becomes a chainage and a bank and is forgotten. Pure: no
// page, no store, no clock of its own (times are milliseconds of the server's clock).
const WORST_FIX_M = 60;
const AWAY_M = 150;
const SILENT_MS = 90000;
const TURN_M = 20; // less backwards is the fix trembling

export const begin = (id, owner, now) => ({ id, owner, started: now, stretches: [], gaps: [], on: null, bad: null, seen: now });

function shut(walk) {
  if (walk.on && Math.abs(walk.on.to_m - walk.on.from_m) >= 1) {
    const { bank, from_m, to_m, since, at } = walk.on;
    walk.stretches.push({ bank, from_m: Math.round(from_m * 10) / 10, to_m: Math.round(to_m * 10) / 10, seconds: Math.round((at - since) / 1000) });
  }
  walk.on = null;
}

function gap(walk, ms, why) {
  if (ms >= SILENT_MS) walk.gaps.push({ seconds: Math.round(ms / 1000), why });
}

const anew = (here, at) => ({ bank: here.bank, from_m: here.chainage_m, to_m: here.chainage_m, since: at, at });

/** One fix, along the river or (`here` null) nowhere near it. Changes the walk and gives it back. */
export function heard(walk, here, accuracyM, at) {
  const why = !here || here.off_m > AWAY_M ? "away" : accuracyM > WORST_FIX_M ? "poor_fix" : "";
  if (why) {
    walk.bad ??= { since: walk.seen, why };
    if (at - walk.bad.since >= SILENT_MS) shut(walk);
    return walk;
  }
  const silent = at - walk.seen;
  if (walk.bad) gap(walk, at - walk.bad.since, walk.bad.why);
  else gap(walk, silent, "no_fix");
  walk.bad = null;
  walk.seen = at;
  const on = walk.on;
  if (on && (silent >= SILENT_MS || on.bank !== here.bank)) shut(walk);
  if (!walk.on) {
    walk.on = anew(here, at);
    return walk;
  }
  const way = Math.sign(on.to_m - on.from_m);
  const ahead = here.chainage_m - on.to_m;
  if (way && way * ahead < -TURN_M) {
    const turn = { chainage_m: on.to_m, bank: on.bank };
    shut(walk);
    walk.on = anew(turn, at);
    walk.on.to_m = here.chainage_m;
  } else if (!way || way * ahead > 0) on.to_m = here.chainage_m;
  walk.on.at = at;
  return walk;
}

/** The page was closed and is open again: what happened meanwhile is a gap, not a walk. */
export function resumed(walk, at) {
  gap(walk, at - walk.seen, "page_closed");
  shut(walk);
  walk.seen = at;
  return walk;
}

/** What goes to the house: stretches and gaps, nothing else. */
export function ended(walk, at) {
  shut(walk);
  const iso = (ms) => new Date(ms).toISOString();
  return { started_at: iso(walk.started), stopped_at: iso(at), stretches: walk.stretches, breaks: walk.gaps };
}

export function metres(walk) {
  const all = walk.on ? [...walk.stretches, walk.on] : walk.stretches;
  return all.reduce((sum, one) => sum + Math.abs(one.to_m - one.from_m), 0);
}
