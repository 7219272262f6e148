// Issues on the map, live: fetched as the caller may see them, drawn as pins built node by node, counted in the chips,
// listed beside it. Asked again every half minute; staff pages first ask whether anything changed.
import { call } from "./http.js";
import { pin } from "./marks.js";
import { say, speak } from "./words.js";

const { live, kinds } = JSON.parse(document.getElementById("mapdata").textContent);
const kindWords = Object.fromEntries(kinds.map((kind) => [kind.code, kind.zh]));
const map = window.patrolMap?.map;
const layer = map ? L.layerGroup().addTo(map) : null;
const chips = [...document.querySelectorAll("[data-filters] [data-state]")];
const lateChip = document.querySelector("[data-filters] [data-late]");
const kindBox = document.querySelector("[data-filters] [data-kind]");
const said = document.querySelector("[data-said]");
const card = document.querySelector("[data-card]");
const list = document.querySelector("[data-list]");
let features = [];
let cursor = 0;

function on(chip) {
  return chip?.getAttribute("aria-pressed") === "true";
}

function shown(feature, ignoring) {
  const it = feature.properties;
  const states = chips.filter(on).map((chip) => chip.dataset.state);
  if (ignoring !== "state" && states.length && !states.includes(it.state)) return false;
  if (ignoring !== "late" && on(lateChip) && !it.overdue) return false;
  return !kindBox.value || kindBox.value === it.kind;
}

function words(it) {
  const late = it.overdue ? " " + say("late") : "";
  return (kindWords[it.kind] ?? it.kind) + " " + say(it.state) + late;
}

function pick(feature) {
  const it = feature.properties;
  const title = document.createElement("b");
  title.textContent = words(it);
  const parts = [title];
  const note = document.createElement("span");
  note.className = "note";
  note.textContent = it.issue ? it.issue : it.month ?? "";
  parts.push(note);
  if (it.issue) {
    const link = document.createElement("a");
    link.className = "btn btn-main";
    link.href = "/i/" + encodeURIComponent(it.issue);
    link.textContent = say("open_issue");
    parts.push(link);
  }
  card.replaceChildren(...parts);
  card.hidden = false;
  speak(title.textContent);
}

function draw() {
  const kept = features.filter((feature) => shown(feature));
  if (layer) {
    layer.clearLayers();
    for (const feature of kept) {
      if (!feature.geometry) continue;
      const it = feature.properties;
      const soon = (it.clocks ?? []).some((clock) => clock.status === "soon");
      const mark = pin({ kind: it.kind, state: it.state, late: it.overdue, soon, label: words(it) });
      const [lon, lat] = feature.geometry.coordinates;
      L.marker([lat, lon], { icon: L.divIcon({ html: mark, className: "", iconSize: [44, 44], iconAnchor: [22, 22] }), alt: words(it) })
        .on("click keypress", () => pick(feature)).addTo(layer);
    }
  }
  for (const chip of chips) {
    const count = features.filter((f) => shown(f, "state") && f.properties.state === chip.dataset.state).length;
    chip.querySelector("[data-count]").textContent = count;
  }
  const late = features.filter((f) => shown(f, "late") && f.properties.overdue).length;
  if (lateChip) lateChip.querySelector("[data-count]").textContent = late;
  const keptLate = kept.filter((f) => f.properties.overdue).length;
  said.textContent = keptLate ? say("shown_late", { n: kept.length, late: keptLate }) : say("shown", { n: kept.length });
  for (const row of list.querySelectorAll("[data-row]")) {
    const it = { state: row.dataset.state, kind: row.dataset.kind, overdue: "late" in row.dataset };
    row.hidden = !shown({ properties: it });
  }
}

async function fetchAll() {
  const found = [];
  for (let page = 1; page <= 50; page += 1) {
    const body = await call("/api/v1/issues?page=" + page);
    found.push(...body.features);
    if (body.features.length < 200) break;
  }
  features = found;
  draw();
}

async function again() {
  try {
    if (live) {
      const body = await call("/api/v1/changes?since=" + cursor);
      if (cursor && !body.changes.length) return;
      cursor = body.next;
    }
    await fetchAll();
  } catch {
    said.textContent = say("map_broken");
  }
}

for (const chip of [...chips, lateChip].filter(Boolean)) {
  chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", String(!on(chip)));
    draw();
  });
}
kindBox.addEventListener("change", draw);
const asked = new URLSearchParams(location.search);
for (const chip of chips) if ((asked.get("state") ?? "").split(",").includes(chip.dataset.state)) chip.setAttribute("aria-pressed", "true");
if (asked.get("kind")) kindBox.value = asked.get("kind");
if (asked.get("late") && lateChip) lateChip.setAttribute("aria-pressed", "true");
again();
setInterval(again, 30000);

// names of fixed things come as data and are written as text: nothing a file said is ever read as markup
if (map) {
  call("/api/v1/place/outfalls").then((body) => {
    for (const feature of body.features) {
      const [lon, lat] = feature.geometry.coordinates;
      const name = document.createElement("span");
      name.textContent = feature.properties.name;
      L.circleMarker([lat, lon], { radius: 9, opacity: 0, fillOpacity: 0 }).bindTooltip(name).addTo(map);
    }
  }).catch(() => {});
}
