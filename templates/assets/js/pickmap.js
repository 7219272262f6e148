// A small map to point at a place. Leaflet and the layers are fetched only when it is opened, from our own host.
import { call } from "./http.js";
import { page } from "./river.js";
import { say } from "./words.js";

let ready = null;

function load() {
  ready ??= new Promise((resolve, reject) => {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = "/assets/vendor/leaflet/leaflet.css";
    // ours after Leaflet's, so that its colours give way
    document.head.prepend(sheet);
    const script = document.createElement("script");
    script.src = "/assets/vendor/leaflet/leaflet.js";
    script.addEventListener("load", () => resolve(window.L));
    script.addEventListener("error", () => {
      ready = null;
      reject(new Error(say("no_network")));
    });
    document.head.append(script);
  });
  return ready;
}

/** Draw the map in `box`; `picked(lon, lat)` hears every point. Gives {show(lon, lat, accuracyM), map}. */
export async function open(box, picked) {
  const L = await load();
  const [west, south, east, north] = page.bounds;
  const map = L.map(box, { zoomControl: false, zoomSnap: 0.25, maxZoom: 19, attributionControl: false });
  L.control.zoom({ position: "topright", zoomInTitle: "+", zoomOutTitle: "−" }).addTo(map);
  map.fitBounds([[south, west], [north, east]]);
  for (const [layer, cls] of [["water", "layer-water"], ["centreline", "layer-centreline"]]) {
    const data = await call("/api/v1/place/" + layer);
    L.geoJSON(data, { interactive: false, className: cls }).addTo(map);
  }
  const outfalls = await call("/api/v1/place/outfalls");
  L.geoJSON(outfalls, {
    pointToLayer: (feature, at) => {
      const name = document.createElement("span");
      name.textContent = feature.properties.name;
      return L.circleMarker(at, { radius: 4, fillOpacity: 1, className: "layer-outfall" }).bindTooltip(name);
    },
  }).addTo(map);
  let dot = null;
  let ring = null;
  const show = (lon, lat, accuracyM = 0) => {
    dot?.remove();
    ring?.remove();
    ring = accuracyM ? L.circle([lat, lon], { radius: accuracyM, className: "layer-accuracy", interactive: false }).addTo(map) : null;
    dot = L.circleMarker([lat, lon], { radius: 8, className: "layer-me", interactive: false }).addTo(map);
    if (!map.getBounds().pad(-0.1).contains([lat, lon])) map.setView([lat, lon], Math.max(map.getZoom(), 16));
  };
  map.on("click", (event) => {
    show(event.latlng.lng, event.latlng.lat);
    picked(event.latlng.lng, event.latlng.lat);
  });
  // by keyboard: arrow keys move the map, Enter takes its middle
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target !== box) return;
    event.preventDefault();
    const middle = map.getCenter();
    show(middle.lng, middle.lat);
    picked(middle.lng, middle.lat);
  });
  const note = document.createElement("span");
  note.className = "map-sketch tag";
  note.textContent = say("sketch");
  box.append(note);
  box.setAttribute("aria-label", say("map"));
  return { show, map };
}
