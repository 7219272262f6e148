// The river strip's keys and handles. The drawing itself is made by _macros/strip.html and needs no script.
// A moved stretch is told by the event "stretch" on the strip, detail {from_m, to_m}.

const word = (m) => "K" + Math.floor(m / 1000) + "+" + String(m % 1000).padStart(3, "0");

const marksOf = (strip) => [...strip.querySelectorAll(".mark")].sort((a, b) => a.dataset.m - b.dataset.m);

/** One mark in the tab order, the others by arrow keys; call it again after marks were drawn anew. */
export function settle(strip) {
  marksOf(strip).forEach((mark, at) => mark.setAttribute("tabindex", at ? "-1" : "0"));
}

function walk(strip) {
  settle(strip);
  strip.addEventListener("keydown", (event) => {
    const marks = marksOf(strip);
    const at = marks.indexOf(event.target.closest(".mark"));
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? marks.length - 1 : at + step;
    if (at < 0 || !marks[to]) return;
    event.preventDefault();
    marks[at].setAttribute("tabindex", "-1");
    marks[to].setAttribute("tabindex", "0");
    marks[to].focus();
  });
}

function stretch(strip) {
  const frame = strip.querySelector(".stretch");
  const handles = [...strip.querySelectorAll(".handle")];
  if (!frame || handles.length !== 2) return;
  const length = Number(strip.dataset.lengthM);
  const svg = strip.querySelector("svg");
  const ends = [Number(frame.dataset.fromM), Number(frame.dataset.toM)];

  function put(which, m) {
    const low = which ? ends[0] + 10 : 0;
    const high = which ? length : ends[1] - 10;
    ends[which] = Math.min(high, Math.max(low, Math.round(m / 10) * 10));
    frame.setAttribute("x", (ends[0] / length) * 100 + "%");
    frame.setAttribute("width", ((ends[1] - ends[0]) / length) * 100 + "%");
    handles[which].setAttribute("x", (ends[which] / length) * 100 + "%");
    handles[which].setAttribute("aria-valuenow", ends[which]);
    handles[which].setAttribute("aria-valuetext", word(ends[which]));
    strip.dispatchEvent(new CustomEvent("stretch", { bubbles: true, detail: { from_m: ends[0], to_m: ends[1] } }));
  }

  handles.forEach((handle, which) => {
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -10, ArrowRight: 10, PageDown: -100, PageUp: 100 }[event.key];
      const m = event.key === "Home" ? 0 : event.key === "End" ? length : ends[which] + by;
      if (Number.isNaN(m)) return;
      event.preventDefault();
      put(which, m);
    });
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = svg.getBoundingClientRect();
      put(which, ((event.clientX - box.left) / box.width) * length);
    });
  });
}

export function start() {
  for (const strip of document.querySelectorAll("[data-strip]")) {
    walk(strip);
    stretch(strip);
  }
}
