// The operator's form: digits choose the kind, the place is read as it is typed, what may be the same thing and the
// words to read back follow at once. Everything is optional: the form posts without it.
import { call, Problem } from "./http.js";
import { open } from "./pickmap.js";
import * as river from "./river.js";
import { icon, say } from "./words.js";

const form = document.querySelector("form[data-hotline]");
const box = document.querySelector("[data-pickmap]");
const begun = Date.now();
let map = null;
let asked = 0;
let timer = 0;

setInterval(() => {
  const s = Math.floor((Date.now() - begun) / 1000);
  const two = (n) => String(n).padStart(2, "0");
  document.querySelector("[data-call-time]").textContent = two(Math.floor(s / 60)) + ":" + two(s % 60);
}, 1000);

const field = (name) => form.elements["position." + name];
const place = form?.elements.place_words;
const placeNeed = place?.dataset.required;
let pointed = false; // the place was pressed on the map: words that name none do not undo it

/** The place on the river strip above the fields: a dot that follows, and a press that fills in the chainage. */
const strip = form?.querySelector("[data-live-strip] [data-strip] > svg");
const dot = document.createElementNS("http://www.w3.org/2000/svg", "svg");
dot.setAttribute("overflow", "visible");
for (const [cls, r] of [["halo", "11"], ["me", "6"]]) {
  const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  circle.setAttribute("class", cls);
  circle.setAttribute("r", r);
  dot.append(circle);
}

function onStrip(lon, lat) {
  const spot = lon === null ? null : river.on(lon, lat);
  if (!strip || !spot) {
    dot.remove();
    return;
  }
  dot.setAttribute("x", (100 * Math.min(1, spot.chainage_m / river.lengthM)).toFixed(3) + "%");
  for (const circle of dot.children) circle.setAttribute("cy", spot.offset_m < 3 ? 29 : spot.bank === "left" ? 18 : 40);
  strip.append(dot);
}

strip?.addEventListener("click", (event) => {
  const box = strip.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  const bank = event.clientY - box.top < 29 ? "left" : "right";
  place.value = river.k(share * Math.floor(river.lengthM)) + " " + say(bank + "_bank_zh");
  place.focus();
  written();
  soon();
});

function put(lon, lat, accuracyM) {
  field("lon").value = lon === null ? "" : lon.toFixed(7);
  field("lat").value = lon === null ? "" : lat.toFixed(7);
  field("crs").value = lon === null ? "" : "wgs84";
  field("accuracy_m").value = accuracyM ?? "";
  if (lon === null) place.dataset.required = placeNeed;
  else delete place.dataset.required; // a place on the map is a place
  onStrip(lon, lat);
  if (lon !== null) map?.show(lon, lat, accuracyM);
}

function tell(lon, lat) {
  const spot = lon === null ? null : river.on(lon, lat);
  const note = form.querySelector("[data-where-note]");
  if (spot) note.textContent = river.k(spot.chainage_m) + " " + say(spot.bank + "_bank");
  return note.textContent;
}

/** The place that is written, as the server will read it. */
function written() {
  const words = form.elements.place_words.value;
  const said = river.said(words);
  const bank = said?.bank || form.elements.bank.value;
  const note = form.querySelector("[data-where-note]");
  if (said && said.chainage_m !== null) {
    pointed = false;
    if (said.chainage_m > river.lengthM) {
      put(null);
      note.textContent = say("off_river", { k: river.k(Math.floor(river.lengthM)) });
      return;
    }
    const [lon, lat] = river.at(said.chainage_m, bank ? 12 : 0, bank || "left");
    put(lon, lat, 50);
    tell(lon, lat);
    return;
  }
  const squeezed = words.replace(/\s/g, "");
  const named = (river.page.landmarks ?? []).filter((one) => squeezed.includes(one.name)).sort((a, b) => b.name.length - a.name.length)[0];
  if (named) {
    pointed = false;
    put(named.lon, named.lat, 50);
    tell(named.lon, named.lat);
  } else if (!pointed) put(null);
}

function readBack() {
  const line = form.querySelector("[data-read-back]");
  const kind = form.querySelector("[name=kind]:checked")?.closest("label").querySelector("span")?.textContent;
  const where = field("lon").value ? tell(Number(field("lon").value), Number(field("lat").value)) : "";
  const words = form.elements.place_words.value; // a mark among them is read out once, as the map has it
  const parts = [where, river.said(words) ? "" : words, kind, form.elements.size.value, form.elements.words.value];
  const said = parts.map((part) => (part ?? "").trim()).filter(Boolean).join(say("sep"));
  line.hidden = !said;
  line.textContent = say("say_back", { said });
}

async function same() {
  const [lon, lat, kind] = [field("lon").value, field("lat").value, form.elements.kind.value];
  const list = document.querySelector("[data-dups]");
  const none = document.querySelector("[data-dups-none]");
  if (!lon || !kind) {
    list.replaceChildren();
    none.hidden = false;
    return;
  }
  const mine = (asked += 1);
  try {
    const found = await call("/api/v1/suggestions?crs=wgs84&accuracy_m=" + (field("accuracy_m").value || 15) + "&lon=" + lon + "&lat=" + lat + "&kind=" + kind);
    if (mine !== asked) return; // an older answer never covers a newer one
    list.replaceChildren(...found.suggestions.map(line));
    none.hidden = found.suggestions.length > 0;
    none.textContent = say("none_near");
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    none.hidden = false;
    none.textContent = fault.message;
  }
}

function line(one) {
  const row = document.createElement("li");
  const state = document.createElement("span");
  state.className = "state-word state-" + one.state;
  state.append(icon("state-" + one.state), say("state_" + one.state));
  const link = document.createElement("a");
  link.href = "/i/" + encodeURIComponent(one.issue);
  link.target = "_blank";
  link.textContent = one.issue;
  const words = document.createElement("span");
  words.className = "note";
  words.textContent = say("metres", { m: Math.round(one.distance_m) }) + say("sep") + say("dup_" + one.verdict);
  row.append(state, link, words);
  return row;
}

function soon() {
  readBack();
  clearTimeout(timer);
  timer = setTimeout(same, 300);
}

async function draw() {
  try {
    map = await open(box, (lon, lat) => {
      if (!form) return;
      pointed = true;
      put(lon, lat, 15);
      tell(lon, lat);
      soon();
    });
    if (form && field("lon").value) map.show(Number(field("lon").value), Number(field("lat").value), 50);
  } catch (fault) {
    if (!(fault instanceof Error)) throw fault;
    box.textContent = fault.message;
  }
}

if (form) {
  form.addEventListener("input", (event) => {
    if (event.target.name === "place_words" || event.target.name === "bank") written();
    soon();
  });
  // a digit chooses the kind wherever it is not being written
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !/^[1-7]$/.test(event.key)) return;
    if (event.target.matches("input:not([type=radio]):not([type=checkbox]), textarea, select")) return;
    const pick = form.querySelector('[data-digit="' + event.key + '"]');
    pick.checked = true;
    pick.focus();
    pick.dispatchEvent(new Event("change", { bubbles: true }));
    soon();
    event.preventDefault();
  });
  pointed = Boolean(field("lon").value); // the form came back with what was pressed before
  if (place.value) written();
  soon();
}
draw();
