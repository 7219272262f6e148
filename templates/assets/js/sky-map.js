// Pictures laid on the map by their four corners, at whatever angle they stand, and the chips that choose a view.
import { call, Problem } from "./http.js";
import { say } from "./words.js";

export const L = window.L;
export const { map, layers } = window.patrolMap;
const AT_ONCE = 3;

map.createPane("pictures").style.setProperty("z-index", "410"); // over the river, under outlines and pins
map.createPane("outlines").style.setProperty("z-index", "420");

/** The CSS matrix that takes a rectangle w × h to four points (upper left, upper right, lower right, lower left). */
export function matrixTo(w, h, [p0, p1, p2, p3]) {
  const [sx, sy] = [p0.x - p1.x + p2.x - p3.x, p0.y - p1.y + p2.y - p3.y];
  const [dx1, dx2, dy1, dy2] = [p1.x - p2.x, p3.x - p2.x, p1.y - p2.y, p3.y - p2.y];
  const d = dx1 * dy2 - dx2 * dy1;
  const g = (sx * dy2 - dx2 * sy) / d;
  const k = (dx1 * sy - sx * dy1) / d;
  const [a, b, c] = [p1.x - p0.x + g * p1.x, p3.x - p0.x + k * p3.x, p0.x];
  const [e, f, i] = [p1.y - p0.y + g * p1.y, p3.y - p0.y + k * p3.y, p0.y];
  return `matrix3d(${[a / w, e / w, 0, g / w, b / h, f / h, 0, k / h, 0, 0, 1, 0, c, i, 0, 1].join()})`;
}

/** One picture on the map. */
const Laid = L.Layer.extend({
  initialize(url, corners) {
    this.url = url;
    this.corners = corners.map(([lon, lat]) => L.latLng(lat, lon));
  },
  onAdd() {
    const img = document.createElement("img");
    img.className = "laid leaflet-zoom-hide";
    img.alt = "";
    img.addEventListener("load", () => this.place());
    img.src = this.url;
    this.img = img;
    this.getPane("pictures").append(img);
  },
  onRemove() {
    this.img.remove();
  },
  getEvents() {
    return { viewreset: this.place, zoomend: this.place };
  },
  place() {
    const { naturalWidth: w, naturalHeight: h } = this.img;
    if (!w) return;
    const points = this.corners.map((corner) => map.latLngToLayerPoint(corner));
    this.img.style.setProperty("transform", matrixTo(w, h, points));
    this.img.classList.add("is-placed");
  },
  getBounds() {
    return L.latLngBounds(this.corners);
  },
});

/** The pictures on the map: which frames, in which view. */
export class Pictures {
  constructor(chips, told) {
    this.group = L.layerGroup().addTo(map);
    this.chips = chips;
    this.told = told;
    this.view = "auto";
    this.frames = new Map(); // frame -> {flight, views, corners, layer}
    chips.addEventListener("click", (event) => {
      const chip = event.target.closest("button");
      if (chip) this.choose(chip.dataset.view);
    });
  }

  clear() {
    this.group.clearLayers();
    this.frames.clear();
  }

  /** Lay these frames ({flight, frame}) as well; resolves when their places are known. */
  async add(wanted) {
    const rest = wanted.filter((one) => !this.frames.has(one.frame));
    const worker = async () => {
      for (let one = rest.shift(); one; one = rest.shift()) await this.#learn(one);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    this.draw();
  }

  async #learn({ flight, frame }) {
    const entry = { flight, views: [], corners: null, layer: null };
    this.frames.set(frame, entry);
    try {
      const said = await call(`/api/v1/flights/${flight}/frames/${frame}/views`);
      if (this.frames.get(frame) === entry) Object.assign(entry, { views: said.views, corners: said.corners });
    } catch (fault) {
      if (!(fault instanceof Problem)) throw fault; // this one is left out, the others are shown
    }
  }

  choose(view) {
    this.view = view;
    for (const entry of this.frames.values()) {
      if (entry.layer) this.group.removeLayer(entry.layer);
      entry.layer = null;
    }
    this.draw();
  }

  /** A photo has one view, which stands for the true colours. */
  #viewOf(entry) {
    const names = entry.views.map((one) => one.view);
    if (names.includes(this.view)) return this.view;
    if (this.view === "auto") return names[0];
    return names.length === 1 && this.view === "true" ? names[0] : undefined;
  }

  draw() {
    const known = new Map();
    for (const [frame, entry] of this.frames) {
      for (const { view, zh } of entry.views) known.set(view, zh);
      const view = this.#viewOf(entry);
      if (!entry.corners || !view || entry.layer) continue;
      entry.layer = new Laid(`/api/v1/flights/${entry.flight}/frames/${frame}.jpg?size=1024&view=${encodeURIComponent(view)}`, entry.corners);
      this.group.addLayer(entry.layer);
    }
    this.#drawChips(known);
    this.told();
  }

  #drawChips(known) {
    const on = this.view === "auto" ? known.keys().next().value : this.view;
    const listed = [...known].filter(([view]) => !view.startsWith("band:"));
    this.chips.hidden = listed.length < 2;
    this.chips.replaceChildren(...listed.map(([view, zh]) => {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.className = "chip";
      chip.dataset.view = view;
      chip.setAttribute("aria-pressed", String(view === on));
      chip.textContent = zh.split(/[ （(]/)[0]; // the meaning stands below the map once it is chosen
      chip.title = zh;
      return chip;
    }));
    const note = document.querySelector("[data-view-note]");
    if (note) note.textContent = (known.get(on) ?? "") + (/^nd/.test(this.view) ? say("stop_mark") + say("index_note") : "");
  }

  get laid() {
    return [...this.frames.values()].filter((entry) => entry.layer).length;
  }

  /** Where the laid pictures are, or null. */
  get bounds() {
    const all = [...this.frames.values()].filter((entry) => entry.corners);
    if (!all.length) return null;
    return L.latLngBounds(all.flatMap((entry) => entry.corners.map(([lon, lat]) => [lat, lon])));
  }
}

/** A polygon of GeoJSON with a class of the style sheet; `words` show on touch. */
export function outline(geometry, cls, words = "") {
  const layer = L.geoJSON({ type: "Feature", properties: {}, geometry }, { className: cls, interactive: Boolean(words), pane: "outlines" });
  if (words) {
    const node = document.createElement("span");
    node.textContent = words;
    layer.bindTooltip(node, { sticky: true });
  }
  return layer;
}

/** The frames worth laying first: whole rasters and captures, then photos spread over the flight. */
export function spread(frames, most) {
  const whole = frames.filter((one) => one.kind !== "photo");
  const photos = frames.filter((one) => one.kind === "photo");
  const room = Math.max(0, most - whole.length);
  const step = Math.max(1, Math.ceil(photos.length / Math.max(1, room)));
  return [...whole.slice(0, most), ...photos.filter((one, at) => at % step === 0).slice(0, room)];
}
