// One flight on the map: its pictures, footprints, gaps, what cannot be flown, and what was recognised.
import * as marks from "./marks.js";
import { L, layers, map, outline, Pictures, spread } from "./sky-map.js";
import { start } from "./sky-progress.js";
import { say, speak } from "./words.js";

const MOST = 12;
const MOST_PINS = 60;
const facts = JSON.parse(document.getElementById("sky").textContent);
const $ = (selector) => document.querySelector(selector);

for (const name of ["grids", "key_areas"]) if (layers[name] && name === "grids") map.removeLayer(layers[name]);
const groups = Object.fromEntries(["frames", "gaps", "unflyable", "things"].map((name) => [name, L.layerGroup().addTo(map)]));
const placed = facts.frames.filter((one) => ["photo", "raster", "stack"].includes(one.kind));
const pictures = new Pictures($("[data-views]"), () => {
  const n = pictures.laid;
  $("[data-laid]").textContent = n ? say(n < placed.length ? "more_than" : "laid", { n, t: placed.length }) : "";
});
groups.picture = pictures.group;

for (const one of facts.frames) {
  const layer = outline(one.outline, one.doubt ? "layer-foot layer-doubt" : "layer-foot", one.name);
  layer.on("click", () => lay(one.frame));
  groups.frames.addLayer(layer);
}
for (const gap of facts.gaps) groups.gaps.addLayer(outline(gap.outline, "layer-gap", say("gap", { m: Math.round(gap.area_m2) })));
for (const one of facts.unflyable) groups.unflyable.addLayer(outline(one.outline, "layer-unflyable", say("no_fly", { why: one.reason })));
// what still waits, the surest first; a pin for everything would hide the river
const pinned = new Set([...facts.things].sort((a, b) => b.score - a.score).slice(0, MOST_PINS).map((one) => one.key));
for (const one of facts.things) {
  if (one.outline) {
    groups.things.addLayer(outline(one.outline, "layer-thing-under"));
    groups.things.addLayer(outline(one.outline, "layer-thing"));
  }
  if (!pinned.has(one.key)) continue;
  const label = say("thing", { kind: one.kind_zh, score: one.score.toFixed(2) });
  const state = { new: "reported", reported: one.issue ? "assigned" : "reported" }[one.state] ?? "dismissed";
  const pin = L.marker([one.lat, one.lon], { icon: L.divIcon({ className: "", html: marks.pin({ kind: one.kind, state, label }), iconSize: [44, 44], iconAnchor: [22, 22] }) });
  pin.on("click", () => one.href && (location.href = one.href));
  pin.on("keypress", (event) => event.originalEvent.key === "Enter" && pin.fire("click"));
  groups.things.addLayer(pin);
}

async function lay(frame) {
  await pictures.add([{ flight: facts.flight, frame }]);
  const entry = pictures.frames.get(frame);
  document.querySelectorAll("[data-lay]").forEach((card) => card.setAttribute("aria-pressed", String(card.dataset.lay === frame)));
  if (!entry?.layer) {
    $("[data-laid]").textContent = say("not_laid");
    speak(say("not_laid"));
    return;
  }
  pictures.group.removeLayer(entry.layer);
  pictures.group.addLayer(entry.layer); // on top of the others
  map.fitBounds(entry.layer.getBounds(), { padding: [30, 30], animate: false });
}

document.addEventListener("click", (event) => {
  const card = event.target.closest("[data-lay]");
  if (card) {
    $("[data-sky-map]").scrollIntoView({ block: "nearest" });
    lay(card.dataset.lay);
  }
  const chip = event.target.closest("[data-layers] button");
  if (!chip) return;
  const on = chip.getAttribute("aria-pressed") !== "true";
  chip.setAttribute("aria-pressed", String(on));
  map[on ? "addLayer" : "removeLayer"](groups[chip.dataset.layer]);
});

start();
const all = L.featureGroup(groups.frames.getLayers());
if (all.getLayers().length) map.fitBounds(all.getBounds(), { padding: [30, 30], animate: false });
await pictures.add(spread(placed, MOST).map((one) => ({ flight: facts.flight, frame: one.frame })));
