// The page 巡河: start and stop, and between the two the place along the river. Before start and after stop nothing is
// measured; of what is measured only stretches are kept. A finished patrol goes through the outbox.
import * as fix from "./phone-fix.js";
import * as queue from "./phone-queue.js";
import * as store from "./phone-store.js";
import * as track from "./phone-track.js";
import { serverNow } from "./time.js";
import { say, speak } from "./words.js";

const $ = (selector) => document.querySelector(selector);
let walk = null;
let saving = Promise.resolve();
let awake = null;

async function stayAwake() {
  try {
    awake = await navigator.wakeLock?.request("screen");
  } catch {
    awake = null; // low battery: the person keeps the screen on
  }
}

function keep() {
  const now = structuredClone(walk);
  saving = saving.then(() => store.setFact("walk", now));
}

function show() {
  document.body.dataset.walking = walk ? "yes" : "no";
  $("[data-walk-start]").hidden = Boolean(walk);
  $("[data-walk-stop]").hidden = !walk;
  $("[data-walk-now]").hidden = !walk;
  if (!walk) return;
  const s = Math.max(0, Math.round((serverNow() - walk.started) / 1000));
  $("[data-walk-metres]").textContent = fix.metres(track.metres(walk));
  $("[data-walk-time]").textContent = say("walk_time", { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) });
  $("[data-walk-gaps]").textContent = say("walk_gaps", { n: walk.gaps.length });
  const on = walk.on;
  $("[data-walk-here]").textContent = on ? fix.mark(on.to_m) + " " + fix.word(on.bank) : say(walk.bad ? "walk_" + walk.bad.why : "walk_wait");
}

fix.onFix((at) => {
  if (!walk || at.fault) return;
  track.heard(walk, fix.alongRiver(at), at.accuracy_m, at.at);
  keep();
  show();
});

$("[data-walk-start]").addEventListener("click", () => {
  walk = track.begin(store.uuid(), queue.owner(), serverNow());
  keep();
  fix.start();
  stayAwake();
  show();
  speak(say("walk_on"));
});

$("[data-walk-stop]").addEventListener("click", async () => {
  fix.stop();
  awake?.release();
  const fields = track.ended(walk, serverNow());
  const m = Math.round(track.metres(walk));
  const draft = { id: walk.id, what: "walk", title: say("walk_title", { m: fix.metres(m) }), place: "", fields, photos: [], href: "/phone/walk" };
  walk = null;
  show();
  await saving;
  const posted = queue.post(draft, []);
  await store.dropFact("walk");
  const after = await posted;
  $("[data-walk-told]").textContent = say(after.state === "done" ? "walk_sent" : "walk_kept", { m: fix.metres(m) });
});

walk = (await store.fact("walk")) ?? null;
if (walk && queue.owner() && walk.owner !== queue.owner()) walk = null; // another person's: it waits for them
if (walk) {
  track.resumed(walk, serverNow());
  keep();
  fix.start();
  stayAwake();
}
show();
setInterval(show, 5000);
document.documentElement.dataset.walkReady = "yes";
