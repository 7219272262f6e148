// Where the reported thing is: the device's fix, the photo's own position, a click on the map, or words.
import { call } from "./http.js";
import { open } from "./pickmap.js";
import * as river from "./river.js";
import { say } from "./words.js";

/** {lon, lat} of a JPEG's EXIF, or null. Reads only the GPS block. */
export async function ofPhoto(file) {
  const view = new DataView(await file.slice(0, 256 * 1024).arrayBuffer());
  if (view.byteLength < 12 || view.getUint16(0) !== 0xffd8) return null;
  let at = 2;
  try {
    while (view.getUint8(at) === 0xff && view.getUint16(at) !== 0xffda) {
      const size = view.getUint16(at + 2);
      if (view.getUint16(at) === 0xffe1 && view.getUint32(at + 4) === 0x45786966) return gps(view, at + 10);
      at += 2 + size;
    }
  } catch (fault) {
    if (fault instanceof RangeError) return null; // a block that says it is longer than it is
    throw fault;
  }
  return null;
}

function gps(view, start) {
  const little = view.getUint16(start) === 0x4949;
  const u16 = (at) => view.getUint16(start + at, little);
  const u32 = (at) => view.getUint32(start + at, little);
  const find = (dir, tag) => {
    for (let i = 0; i < u16(dir); i += 1) if (u16(dir + 2 + i * 12) === tag) return dir + 2 + i * 12;
    return 0;
  };
  const pointer = find(u32(4), 0x8825);
  if (!pointer) return null;
  const dir = u32(pointer + 8);
  const degrees = (tag, refTag) => {
    const value = find(dir, tag);
    const ref = find(dir, refTag);
    if (!value || !ref) return NaN;
    const rational = (i) => u32(u32(value + 8) + i * 8) / u32(u32(value + 8) + i * 8 + 4);
    const sum = rational(0) + rational(1) / 60 + rational(2) / 3600;
    return "SW".includes(String.fromCharCode(view.getUint8(start + ref + 8))) ? -sum : sum;
  };
  const lat = degrees(2, 1);
  const lon = degrees(4, 3);
  return Number.isFinite(lat) && Number.isFinite(lon) && (lat || lon) ? { lon, lat } : null;
}

/** WeChat's own browser, whose fixes, storage and downloads are less dependable. */
export const wechat = /MicroMessenger/i.test(navigator.userAgent);

/** Run the place part of the form. Gives {filled(), photos(files)}. */
export function start(form, changed) {
  const part = form.querySelector("[data-where]");
  const words = part.querySelector("[data-where-words]");
  const note = part.querySelector("[data-where-note]");
  const ways = part.querySelector("[data-where-ways]");
  const typed = form.elements.place_words;
  const box = part.querySelector("[data-pickmap]");
  const fields = Object.fromEntries(["lon", "lat", "crs", "accuracy_m"].map((name) => [name, form.elements["position." + name]]));
  let map = null;
  let ofPhotos = null;

  part.querySelector("[data-ways]").hidden = false;
  part.querySelector("[data-plain]").hidden = true;
  note.textContent = say("where_how");

  function spell(lon, lat) {
    const spot = river.on(lon, lat);
    if (!spot) return [say("by_map"), ""];
    const far = spot.offset_m > 500 ? say("far", { m: Math.round(spot.offset_m) }) : "";
    return [say("about", { k: river.k(spot.chainage_m) }) + " " + say(spot.bank + "_bank"), far];
  }

  function put(lon, lat, accuracyM, how) {
    fields.lon.value = lon === null ? "" : lon.toFixed(7);
    fields.lat.value = lon === null ? "" : lat.toFixed(7);
    fields.crs.value = lon === null ? "" : "wgs84";
    fields.accuracy_m.value = accuracyM ? Math.round(accuracyM * 10) / 10 : "";
    if (lon === null) return;
    const [where, far] = spell(lon, lat);
    words.textContent = where;
    note.textContent = far || how;
    map?.show(lon, lat, accuracyM);
    changed({ lon, lat });
  }

  function fold(shut) {
    ways.hidden = shut;
    part.querySelector("[data-where-change]").hidden = !shut;
  }

  function locate() {
    if (!navigator.geolocation) {
      note.textContent = say("no_fix");
      return;
    }
    note.textContent = say("locating");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        const m = Math.round(coords.accuracy);
        put(coords.longitude, coords.latitude, coords.accuracy, wechat ? say("wechat") : m > 100 ? say("poor", { m }) : say("by_device", { m }));
        fold(m <= 100 && !wechat);
        if (wechat) pick(); // its kernels may hand over a shifted fix: shown on the map, so that the reporter sees it
      },
      (fault) => {
        note.textContent = say(fault.code === 1 ? "denied" : "no_fix");
        fold(false);
      },
      { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 },
    );
  }

  async function pick() {
    box.hidden = false;
    if (map) return;
    try {
      map = await open(box, (lon, lat) => put(lon, lat, 15, say("by_map")));
      if (fields.lon.value) map.show(Number(fields.lon.value), Number(fields.lat.value));
    } catch (fault) {
      box.hidden = true;
      note.textContent = fault.message;
    }
  }

  part.addEventListener("click", (event) => {
    const way = event.target.closest("[data-way]")?.dataset.way;
    if (way === "device") locate();
    if (way === "map") pick();
    if (way === "photo" && ofPhotos) put(ofPhotos.lon, ofPhotos.lat, 0, say("by_photo"));
    if (event.target.closest("[data-where-change]")) fold(false);
  });
  typed.addEventListener("input", () => {
    const found = river.said(typed.value);
    if (!found || found.chainage_m === null || found.chainage_m > river.lengthM) return;
    const [lon, lat] = river.at(found.chainage_m, found.bank ? 12 : 0, found.bank || "left");
    put(lon, lat, 50, say("by_words"));
  });
  if (fields.lon.value && part.dataset.where === "mark") {
    put(Number(fields.lon.value), Number(fields.lat.value), Number(fields.accuracy_m.value), say("at_mark"));
    fold(true);
  }
  // where leave was given before, the fix comes by itself; nobody is asked before touching anything
  navigator.permissions?.query({ name: "geolocation" }).then((leave) => {
    if (leave.state === "granted" && !fields.lon.value) locate();
  }, () => undefined);

  return {
    filled: () => Boolean(fields.lon.value || typed.value.trim()),
    async photos(files) {
      ofPhotos = null;
      for (const file of files) ofPhotos ??= await ofPhoto(file);
      part.querySelector('[data-way="photo"]').hidden = !ofPhotos;
      if (!files.length || fields.lon.value) return;
      if (ofPhotos) {
        put(ofPhotos.lon, ofPhotos.lat, 0, say("by_photo"));
        fold(true);
      } else locate();
    },
  };
}

/** Open issues of a kind that the public set shows within about 150 m: {state, place} each. */
export async function near(at, kind) {
  const [dx, dy] = [0.0016, 0.0014];
  const bbox = [at.lon - dx, at.lat - dy, at.lon + dx, at.lat + dy].map((n) => n.toFixed(5)).join(",");
  const found = await call("/api/v1/issues?bbox=" + bbox + "&kind=" + kind);
  return found.features.filter((one) => one.properties.state !== "closed").map((one) => {
    const spot = one.geometry && river.on(...one.geometry.coordinates);
    return { state: one.properties.state, place: spot ? say("about", { k: river.k(Math.round(spot.chainage_m / 100) * 100) }) : "" };
  });
}
