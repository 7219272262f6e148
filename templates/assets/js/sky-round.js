// The river round by round: the pictures of one round on the map, and a slider through the rounds. What was fetched
// once is kept; a round that is asked for while another still comes wins.
import { call, Problem } from "./http.js";
import { L, layers, map, outline, Pictures, spread } from "./sky-map.js";
import { icon, say, speak } from "./words.js";

const MOST = 40;
const { rounds, chosen } = JSON.parse(document.getElementById("rounds").textContent);
const $ = (selector) => document.querySelector(selector);
const gaps = L.layerGroup().addTo(map);
const kept = new Map();
let asked = 0;
let total = 0;
let first = true;

if (layers.grids) map.removeLayer(layers.grids);
const pictures = new Pictures($("[data-views]"), () => {
  const n = pictures.laid;
  $("[data-laid]").textContent = n ? say(n < total ? "more_than" : "laid", { n, t: total }) : "";
});

async function framesOf(no) {
  if (kept.has(no)) return kept.get(no);
  const found = [];
  const { flights } = await call("/api/v1/flights?round=" + no);
  for (const each of flights) {
    const flight = await call("/api/v1/flights/" + each.flight);
    for (const one of flight.frames) {
      if (one.state === "read" && one.footprint && ["photo", "raster", "stack"].includes(one.kind)) found.push({ flight: each.flight, frame: one.frame, kind: one.kind });
    }
  }
  kept.set(no, found);
  return found;
}

async function show(at) {
  const row = rounds[at];
  const mine = ++asked;
  const slider = $("[data-slider]");
  if (slider) {
    slider.value = String(at);
    slider.setAttribute("aria-valuetext", say("round", { n: row.round }));
    $("[data-earlier]").disabled = at === 0;
    $("[data-later]").disabled = at === rounds.length - 1;
  }
  $("[data-round-title]").textContent = say("round", { n: row.round });
  const head = document.querySelector(".crumbs h1");
  if (head) head.textContent = say("round", { n: row.round });
  covered(row);
  for (const line of document.querySelectorAll("[data-flights] > li")) line.hidden = row.round !== chosen;
  history.replaceState(null, "", "/desk/rounds/" + row.round);
  let frames;
  try {
    frames = await framesOf(row.round);
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    $("[data-laid]").textContent = fault.message;
    return;
  }
  if (mine !== asked) return;
  pictures.clear();
  total = frames.length;
  $("[data-laid]").textContent = frames.length ? "" : say("none");
  await pictures.add(spread(frames, MOST));
  if (mine !== asked) return;
  if (!pictures.laid) $("[data-laid]").textContent = say("none");
  if (first && pictures.bounds) map.fitBounds(pictures.bounds, { padding: [30, 30], animate: false });
  first = false;
  speak(say("round", { n: row.round }) + " " + $("[data-laid]").textContent);
}

function covered(row) {
  gaps.clearLayers();
  for (const gap of row.gaps ?? []) gaps.addLayer(outline(gap.outline, "layer-gap", say("gap", { m: Math.round(gap.area_m2) })));
  const list = document.createElement("ul");
  list.className = "areas";
  for (const area of row.coverage) {
    const line = document.createElement("li");
    line.className = "area";
    const head = document.createElement("div");
    head.className = "row-apart";
    const name = document.createElement("span");
    name.className = "strong";
    name.textContent = area.name;
    const share = document.createElement("span");
    share.className = area.percent === null ? "note" : area.complete ? "tone-ok" : "tone-soon";
    if (area.percent !== null) share.append(icon(area.complete ? "time-met" : "time-soon"), " ");
    share.append(area.percent ?? say("no_percent"));
    head.append(name, share);
    const words = document.createElement("p");
    words.className = "note";
    words.textContent = area.words;
    line.append(head, words);
    list.append(line);
  }
  if (row.coverage.length) $("[data-coverage]").replaceChildren(list);
  else if (row.round !== chosen) $("[data-coverage]").replaceChildren();
}

const now = () => rounds.findIndex((row) => row.round === Number(location.pathname.split("/").at(-1)));
$("[data-slider]")?.addEventListener("input", (event) => show(Number(event.target.value)));
$("[data-earlier]")?.addEventListener("click", () => show(Math.max(0, now() - 1)));
$("[data-later]")?.addEventListener("click", () => show(Math.min(rounds.length - 1, now() + 1)));
await show(Math.max(0, rounds.findIndex((row) => row.round === chosen)));
