// What the phone's pages show of where I am: metres on the cards, me on the strip and in the drawing round a point.
import * as fix from "./phone-fix.js";
import { icon, speak } from "./words.js";

const NS = "http://www.w3.org/2000/svg";

function onCards(at) {
  for (const task of document.querySelectorAll("[data-at]")) {
    const place = task.querySelector(".place .facts");
    if (!place) continue;
    let far = place.querySelector("[data-far]");
    if (!far) {
      far = document.createElement("span");
      far.className = "fact";
      far.dataset.far = "";
      const dot = document.createElement("i");
      dot.className = "dot";
      dot.ariaHidden = "true";
      place.lastElementChild?.append(dot); // at the end of the line before it, should the line break there
      far.append(document.createElement("span"));
      place.append(far);
    }
    const spot = { lon: Number(task.dataset.lon), lat: Number(task.dataset.lat) };
    far.lastElementChild.textContent = fix.word("distance", { m: fix.metres(fix.apart(at, spot)) });
  }
}

function onStrip(at) {
  const here = fix.alongRiver(at);
  for (const strip of document.querySelectorAll("[data-strip]")) {
    const svg = strip.querySelector("svg");
    let me = svg.querySelector("[data-strip-me]");
    if (!here || here.off_m > 1000) {
      me?.remove();
      continue;
    }
    if (!me) {
      me = document.createElementNS(NS, "svg");
      me.setAttribute("overflow", "visible");
      me.setAttribute("role", "img");
      me.dataset.stripMe = "";
      for (const [cls, r] of [["halo", 11], ["me", 6]]) {
        const disc = document.createElementNS(NS, "circle");
        disc.setAttribute("class", cls);
        disc.setAttribute("cy", "29");
        disc.setAttribute("r", String(r));
        me.append(disc);
      }
      svg.insertBefore(me, svg.querySelector(".mark")); // under the marks, so that they can still be pressed
    }
    me.setAttribute("x", ((here.chainage_m / Number(strip.dataset.lengthM)) * 100).toFixed(2) + "%");
    me.setAttribute("aria-label", fix.word("me_at", { k: fix.mark(here.chainage_m) }));
  }
}

/** What the server's own fence says of a fix, or null where there is no point to measure to. */
export function measured(at) {
  const around = document.querySelector("[data-around]");
  if (!around) return null;
  const data = around.dataset;
  const spot = { lon: Number(data.lon), lat: Number(data.lat) };
  const metres = data.outline ? fix.toOutline(at, JSON.parse(data.outline)) : fix.apart(at, spot);
  const beyond = metres - Number(data.reachM) - Math.min(at.accuracy_m ?? 0, Number(data.fenceM));
  return { metres, beyond, inside: beyond <= 0 };
}

/** The words of the pill and their tone. */
export function said(at) {
  if (at.fault) return { tone: "", words: fix.word(at.fault), symbol: "ui-pin" };
  if (at.accuracy_m >= fix.POOR_M) return { tone: "late", words: fix.word("poor", { m: Math.round(at.accuracy_m) }), symbol: "time-late" };
  const acc = fix.word("acc", { m: Math.round(at.accuracy_m) });
  const near = measured(at);
  if (near) {
    const away = fix.word("away", { m: fix.metres(near.metres) });
    if (near.inside) return { tone: "ok", parts: [fix.word("here"), away, acc], symbol: "ui-check" };
    return { tone: "", parts: [away, fix.word("closer", { m: fix.metres(near.beyond) }), acc], symbol: "ui-pin" };
  }
  const here = fix.alongRiver(at);
  if (!here) return { tone: at.accuracy_m <= fix.GOOD_M ? "ok" : "", parts: [acc], symbol: "ui-pin" };
  const parts = [fix.mark(here.chainage_m) + " " + fix.word(here.bank), acc];
  if (here.off_m > 100) parts.splice(1, 0, fix.word("off", { m: fix.metres(here.off_m) }));
  return { tone: at.accuracy_m <= fix.GOOD_M ? "ok" : "", parts, symbol: at.accuracy_m <= fix.GOOD_M ? "ui-check" : "ui-pin" };
}

let spoken = "";

function onPills(at) {
  const { tone, words, parts, symbol } = said(at);
  for (const pill of document.querySelectorAll("[data-fix]")) {
    pill.hidden = pill.classList.contains("fix-bar") && Boolean(document.querySelector("[data-around]"));
    pill.dataset.tone = tone;
    pill.querySelector(".icon")?.replaceWith(icon(symbol));
    const line = pill.querySelector("[data-fix-words]");
    line.replaceChildren();
    (parts ?? [words]).forEach((part, index) => {
      if (index) {
        const dot = document.createElement("i");
        dot.className = "dot";
        dot.ariaHidden = "true";
        line.append(dot);
      }
      line.append(part);
    });
  }
  if (tone !== spoken && parts) speak(parts.join("，")); // only when it changes between here, away and poor
  spoken = tone;
}

function onDrawing(at) {
  const around = document.querySelector("[data-around]");
  const me = around?.querySelector("[data-me]");
  if (!me) return;
  const scale = Number(around.dataset.scaleM);
  const [east, north] = fix.offset({ lon: Number(around.dataset.lon), lat: Number(around.dataset.lat) }, at);
  const [x, y] = [east / scale, -north / scale];
  const [halfWidth, halfHeight] = [180, 92];
  const shrink = Math.min(1, halfWidth / Math.abs(x || 1), halfHeight / Math.abs(y || 1)); // outside: at the edge, hollow
  me.removeAttribute("hidden");
  me.classList.toggle("is-far", shrink < 1);
  me.setAttribute("transform", `translate(${(195 + x * shrink).toFixed(1)} ${(112 + y * shrink).toFixed(1)})`);
  me.querySelector("[data-me-halo]").setAttribute("r", String(Math.max(10, Math.min(90, (at.accuracy_m ?? 10) / scale))));
}

fix.onFix((at) => {
  onPills(at);
  const row = document.querySelector("[data-near-row]");
  if (at.fault) {
    if (row) row.querySelector("[data-fix-words]").textContent = fix.word(at.fault);
    return;
  }
  if (row) row.replaceChildren();
  onCards(at);
  onStrip(at);
  onDrawing(at);
});

const near = document.querySelector("[data-near-row] [data-locate]");
if (near) {
  near.addEventListener("click", fix.start);
  if (await fix.allowed()) fix.start();
  else near.hidden = false;
}
if (document.querySelector("[data-place]:not([data-ask]), [data-camera]")) {
  document.querySelectorAll("[data-fix]").forEach((pill) => {
    pill.hidden = pill.classList.contains("fix-bar") && Boolean(document.querySelector("[data-around]"));
    pill.querySelector("[data-fix-words]").textContent = fix.word("locating");
  });
  fix.start();
}
