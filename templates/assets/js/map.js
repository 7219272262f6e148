// Issues on the map: pins and cluster rings of what the caller may see, filters kept in the address, the same as a
// list, a card on selection, the river strip at the foot. Every word goes in by textContent. Asked again every 30 s.
import { call, Problem } from "./http.js";
import * as marks from "./marks.js";
import * as river from "./river.js";
import { settle } from "./strip.js";
import { icon, say } from "./words.js";

const L = window.L;
const { map, layers } = window.patrolMap;
const facts = JSON.parse(document.getElementById("map-facts").textContent);
const query = new URLSearchParams(location.search);
const REFRESH_MS = 30000;
const MOST_PAGES = 25;
const NEAR_PX = 46;
const kindWords = Object.fromEntries(facts.kinds.map((kind) => [kind.code, kind.zh]));
const OPEN = ["reported", "assigned", "supervised", "rectified", "verified"];
const chosen = {
  states: new Set(query.get("state")?.split(",") ?? facts.states),
  kinds: new Set(query.get("kind")?.split(",") ?? facts.kinds.map((kind) => kind.code)),
  time: query.get("late") ?? "",
  view: query.get("view") === "list" ? "list" : "map",
};
let issues = [];
let cursor = 0;
let picked = query.get("issue") ?? "";
const drawn = L.layerGroup().addTo(map);
const $ = (selector) => document.querySelector(selector);

// the frame was drawn without knowing the reader's language
for (const way of ["in", "out"]) {
  const press = $(".leaflet-control-zoom-" + way);
  press?.setAttribute("title", say("zoom_" + way));
  press?.setAttribute("aria-label", say("zoom_" + way));
}
document.querySelectorAll(".map-sketch").forEach((note) => (note.textContent = say("sketch")));

function make(name, cls = "", words = "") {
  const node = document.createElement(name);
  if (cls) node.className = cls;
  if (words) node.textContent = words;
  return node;
}

// ---- what there is

function read(feature, index) {
  const said = feature.properties;
  const spot = feature.geometry?.coordinates ?? null;
  const on = spot ? river.on(...spot) : null;
  const chainage = said.chainage_m ?? (on && !facts.staff ? Math.round(on.chainage_m / 100) * 100 : on?.chainage_m) ?? null;
  const bank = facts.staff ? said.bank ?? "" : "";
  const clocks = said.clocks ?? [];
  const where = chainage === null ? say("nowhere") : facts.staff
    ? river.k(chainage) + (bank ? " " + say(bank + "_bank") : "") : say("about", { k: river.k(chainage) });
  return {
    id: said.issue ?? "p" + index, number: said.issue ?? "", state: said.state, kind: said.kind, month: said.month ?? "", spot, chainage, bank,
    late: Boolean(said.overdue), soon: clocks.some((clock) => clock.status === "soon"), where,
  };
}

async function fetchAll() {
  const found = [];
  for (let page = 1; page <= MOST_PAGES; page += 1) {
    const answer = await call("/api/v1/issues?page=" + page, { whole: true });
    found.push(...answer.data.features);
    if (!(answer.headers.get("Link") ?? "").includes('rel="next"')) break;
  }
  issues = found.map(read).filter((one) => facts.states.includes(one.state));
  show();
}

async function refresh() {
  if (document.hidden) return;
  try {
    if (facts.live && cursor) {
      const news = await call("/api/v1/changes?since=" + cursor);
      cursor = news.next;
      if (!news.changes.length) return say_fresh();
    } else if (facts.live) {
      cursor = (await call("/api/v1/changes?since=" + Number.MAX_SAFE_INTEGER)).next;
    }
    await fetchAll();
    say_fresh();
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    $("[data-told]").textContent = say("stale", { at: fresh });
  }
}

let fresh = "";
function say_fresh() {
  fresh = new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", hour12: false }).format(Date.now());
  sum();
}

// ---- what is shown

const ofTime = (one) => !chosen.time || one[chosen.time];
const kept = () => issues.filter((one) => chosen.states.has(one.state) && chosen.kinds.has(one.kind) && ofTime(one));

function counts() {
  const n = (test) => String(issues.filter(test).length);
  for (const node of document.querySelectorAll("[data-n-state]")) node.textContent = n((one) => one.state === node.dataset.nState && chosen.kinds.has(one.kind) && ofTime(one));
  for (const node of document.querySelectorAll("[data-n-kind]")) node.textContent = n((one) => one.kind === node.dataset.nKind && chosen.states.has(one.state) && ofTime(one));
  for (const node of document.querySelectorAll("[data-n-limit]")) node.textContent = n((one) => one[node.dataset.nLimit] && chosen.states.has(one.state) && chosen.kinds.has(one.kind));
}

function sum() {
  const shown = kept();
  const late = shown.filter((one) => one.late).length;
  $("[data-told]").textContent = say("sum", { n: shown.length, open: shown.filter((one) => OPEN.includes(one.state)).length }) + (late ? say("sum_late", { n: late }) : "");
  const all = chosen.states.size === facts.states.length && chosen.kinds.size === facts.kinds.length && !chosen.time;
  $("[data-clear]").hidden = all;
  $("[data-filter-words]").textContent = all ? "" : say("filtered");
}

function show() {
  const shown = kept();
  counts();
  sum();
  pins(shown);
  list(shown);
  strip(shown);
}

const label = (one) => [kindWords[one.kind] ?? one.kind, one.where, facts.state_words[one.state], one.late ? say("overdue") : one.soon ? say("soon") : ""].filter(Boolean).join(" ");

/** Groups of issues that would lie on top of each other at this zoom. */
function groups(shown) {
  const found = [];
  for (const one of shown) {
    if (!one.spot) continue;
    const at = map.latLngToLayerPoint([one.spot[1], one.spot[0]]);
    const near = found.find((group) => Math.hypot(group.at.x - at.x, group.at.y - at.y) < NEAR_PX);
    if (near) near.all.push(one);
    else found.push({ at, all: [one] });
  }
  return found;
}

function pins(shown) {
  drawn.clearLayers();
  for (const { all } of groups(shown)) {
    const lat = all.reduce((total, one) => total + one.spot[1], 0) / all.length;
    const lon = all.reduce((total, one) => total + one.spot[0], 0) / all.length;
    const one = all[0];
    const single = all.length === 1;
    const html = single ? marks.pin({ ...one, label: label(one), picked: one.id === picked }) : ring(all);
    const size = single ? 44 : 52;
    const marker = L.marker([lat, lon], {
      icon: L.divIcon({ className: "", html, iconSize: [size, size], iconAnchor: [size / 2, size / 2] }), zIndexOffset: all.some((each) => each.late) ? 500 : 0,
    });
    marker.on("click", () => (single ? pick([one]) : into(all)));
    marker.on("keypress", (event) => event.originalEvent.key === "Enter" && (single ? pick([one]) : into(all)));
    drawn.addLayer(marker);
  }
}

function ring(all) {
  const byState = Object.fromEntries(facts.states.map((state) => [state, all.filter((one) => one.state === state).length]));
  const late = all.filter((one) => one.late).length;
  const soon = all.filter((one) => one.soon && !one.late).length;
  const shares = facts.states.filter((state) => byState[state]).map((state) => facts.state_words[state] + " " + byState[state]).join(say("sep"));
  const words = say("cluster", { n: all.length, shares }) + (late ? say("cluster_late", { n: late }) : "");
  return marks.ring({ counts: byState, late, soon, label: words, lateWord: say("late_tab"), soonWord: say("soon_tab") });
}

/** Nearer, until the group falls apart; where it cannot (one mark for all), its list. */
function into(all) {
  const bounds = L.latLngBounds(all.map((one) => [one.spot[1], one.spot[0]]));
  const tight = bounds.getNorthEast().distanceTo(bounds.getSouthWest()) < 8;
  if (tight || map.getZoom() >= map.getMaxZoom()) pick(all);
  else map.fitBounds(bounds, { padding: [60, 60], maxZoom: map.getMaxZoom() });
}

// ---- the card

function pick(all) {
  picked = all.length === 1 ? all[0].id : "";
  const card = $("[data-card]");
  const head = make("div", "head");
  head.append(make("h2", "", all.length === 1 ? kindWords[all[0].kind] : say("many_here", { n: all.length })));
  const shut = make("button", "btn btn-plain shut");
  shut.type = "button";
  shut.setAttribute("aria-label", say("shut"));
  shut.append(icon("ui-close"));
  shut.addEventListener("click", unpick);
  head.append(shut);
  const rows = all.length === 1 ? single(all[0]) : [many(all)];
  card.replaceChildren(head, ...rows);
  card.hidden = false;
  card.focus({ preventScroll: true });
  pins(kept());
}

function unpick() {
  $("[data-card]").hidden = true;
  picked = "";
  pins(kept());
}

function pill(one) {
  const node = make("span", "pill state-" + one.state);
  node.append(icon("state-" + one.state), make("span", "", facts.state_words[one.state]));
  return node;
}

function flag(one) {
  const tone = one.late ? "late" : "soon";
  const node = make("span", "tag tag-" + tone);
  node.append(icon("time-" + tone), make("span", "", say(one.late ? "overdue" : "soon")));
  return node;
}

function single(one) {
  const facts_ = make("div", "row");
  facts_.append(pill(one));
  if (one.late || one.soon) facts_.append(flag(one));
  const where = make("p", "note", [one.where, one.number || say("found_in", { month: one.month })].filter(Boolean).join(say("sep")));
  const rows = [facts_, where];
  if (one.number) {
    const link = make("a", "btn btn-main", say("open_issue"));
    link.href = "/i/" + encodeURIComponent(one.number);
    rows.push(link);
  }
  return rows;
}

function many(all) {
  const list = make("ul");
  for (const one of all) {
    const row = make("li");
    const name = make(one.number ? "a" : "span", "strong", kindWords[one.kind] + (one.number ? " " + one.number : say("sep") + one.month));
    if (one.number) name.href = "/i/" + encodeURIComponent(one.number);
    row.append(name, pill(one));
    list.append(row);
  }
  return list;
}

// ---- the list and the strip

function list(shown) {
  $("[data-list]").replaceChildren(...shown.map((one) => {
    const row = make("tr");
    const head = make("th");
    head.scope = "row";
    const kind = make("span", "list-kind");
    kind.append(icon("kind-" + one.kind), kindWords[one.kind] ?? one.kind);
    head.append(kind);
    const state = make("td");
    state.append(pill(one));
    if (one.late || one.soon) state.append(" ", flag(one));
    const last = make("td");
    if (one.number) {
      const link = make("a", "nowrap", one.number);
      link.href = "/i/" + encodeURIComponent(one.number);
      last.append(link);
    } else last.textContent = one.month;
    row.append(head, make("td", "", one.where), state, last);
    return row;
  }));
  $("[data-none]").hidden = shown.length > 0;
  const more = $("[data-more]");
  if (more) more.hidden = true; // the script has them all
}

const NS = "http://www.w3.org/2000/svg";
function svg(name, attributes, parent) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

function strip(shown) {
  const box = $("[data-strip]");
  if (!box) return;
  const frame = box.querySelector("svg");
  frame.querySelectorAll(".mark").forEach((old) => old.remove());
  const px = frame.clientWidth || 700;
  for (const bank of ["left", "middle", "right"]) {
    const row = shown.filter((one) => one.chainage !== null && (one.bank || "middle") === bank).sort((a, b) => a.chainage - b.chainage);
    let group = [];
    for (const one of [...row, null]) {
      const far = one && group.length && ((one.chainage - group.at(-1).chainage) / river.lengthM) * px >= 22;
      if (group.length && (!one || far)) {
        stripMark(frame, group, bank);
        group = [];
      }
      if (one) group.push(one);
    }
  }
  settle(box);
}

function stripMark(frame, group, bank) {
  const lead = group.find((one) => one.late) ?? group[0];
  const m = (group[0].chainage + group.at(-1).chainage) / 2;
  const cy = { left: 11, middle: 29, right: 47 }[bank];
  const link = svg("a", { class: "mark state-" + lead.state + (lead.late ? " is-late" : ""), href: "#main", "data-m": Math.round(m), "data-bank": bank }, frame);
  link.setAttribute("aria-label", group.length === 1 ? label(lead) : say("strip_many", { k: river.k(m), n: group.length }));
  const at = svg("svg", { x: (m / river.lengthM) * 100 + "%", overflow: "visible" }, link);
  svg("circle", { class: "hit", cy, r: 11 }, at);
  if (bank === "left") svg("line", { class: "stem", y1: 19, y2: 29 }, at);
  if (bank === "right") svg("line", { class: "stem", y1: 29, y2: 39 }, at);
  if (lead.late) svg("path", { class: "octagon", transform: "translate(0 " + cy + ")", d: "M-3.5-8.5h7l5 5v7l-5 5h-7l-5-5v-7z" }, at);
  else svg("circle", { class: "ring", cy, r: group.length > 1 ? 8.5 : 7 }, at);
  if (group.length > 1 || lead.late) svg("text", { class: "many", y: cy + 4.2 }, at).textContent = group.length > 1 ? String(group.length) : "!";
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const placed = group.filter((one) => one.spot);
    if (placed.length) map.setView([placed[0].spot[1], placed[0].spot[0]], Math.max(map.getZoom(), 16));
    look("map");
    pick(group);
  });
}

// ---- filters, views, layers

function keep() {
  const next = new URLSearchParams();
  if (query.has("lang")) next.set("lang", query.get("lang"));
  if (chosen.states.size < facts.states.length) next.set("state", [...chosen.states].join(","));
  if (chosen.kinds.size < facts.kinds.length) next.set("kind", [...chosen.kinds].join(","));
  if (chosen.time) next.set("late", chosen.time);
  if (chosen.view === "list") next.set("view", "list");
  history.replaceState(null, "", next.size ? "?" + next : location.pathname);
}

function boxes() {
  for (const box of document.querySelectorAll("[data-state]")) box.checked = chosen.states.has(box.dataset.state);
  for (const box of document.querySelectorAll("[data-kind]")) box.checked = chosen.kinds.has(box.dataset.kind);
  for (const chip of document.querySelectorAll("button[data-limit]")) if (chip.matches("button")) chip.setAttribute("aria-pressed", String(chosen.time === chip.dataset.limit));
}

function look(view) {
  chosen.view = view;
  document.body.dataset.view = view;
  for (const chip of document.querySelectorAll("button[data-view]")) chip.setAttribute("aria-pressed", String(chip.dataset.view === view));
  map.invalidateSize();
  keep();
}

document.addEventListener("change", (event) => {
  const { state, kind } = event.target.dataset;
  const set = state ? chosen.states : kind ? chosen.kinds : null;
  if (!set) return;
  set[event.target.checked ? "add" : "delete"](state ?? kind);
  keep();
  show();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.limit) chosen.time = chosen.time === button.dataset.limit ? "" : button.dataset.limit;
  else if (button.dataset.clear !== undefined) {
    chosen.states = new Set(facts.states);
    chosen.kinds = new Set(facts.kinds.map((kind) => kind.code));
    chosen.time = "";
  } else if (button.dataset.layer) {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    const layer = layers[button.dataset.layer];
    if (layer) map[on ? "addLayer" : "removeLayer"](layer);
    return;
  } else if (button.dataset.view) return look(button.dataset.view);
  else return;
  boxes();
  keep();
  show();
});
document.addEventListener("keydown", (event) => event.key === "Escape" && !$("[data-card]").hidden && unpick());
map.on("zoomend", () => pins(kept()));
addEventListener("resize", () => strip(kept()));
document.addEventListener("visibilitychange", refresh);

const narrow = matchMedia("(max-width: 899.98px)");
if (narrow.matches) $("[data-filters] details").open = false;
$("[data-filters]").hidden = false;
$("[data-views]").hidden = false;
const wanted = picked;
look(chosen.view);
boxes();
map.fitBounds(layers.water.getBounds(), { padding: [24, 24], animate: false });
await refresh();
const found = issues.find((one) => one.number && one.number === wanted);
if (found) {
  if (found.spot) map.setView([found.spot[1], found.spot[0]], 17);
  pick([found]);
}
setInterval(refresh, REFRESH_MS);
