// Before/after slider: pointer, arrow keys by 2 %, Home and End. Position is a custom property set by script.
import { say } from "./words.js";

function set(box, handle, percent) {
  const value = Math.round(Math.min(100, Math.max(0, percent)));
  box.style.setProperty("--cut", value + "%");
  handle.setAttribute("aria-valuenow", value);
  handle.setAttribute("aria-valuetext", say("before") + " " + value + "%");
}

export function start() {
  for (const box of document.querySelectorAll("[data-compare]")) {
    const handle = box.querySelector(".handle");
    handle.addEventListener("keydown", (event) => {
      const now = Number(handle.getAttribute("aria-valuenow"));
      const to = { ArrowLeft: now - 2, ArrowRight: now + 2, Home: 0, End: 100 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      set(box, handle, to);
    });
    handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const frame = box.getBoundingClientRect();
      set(box, handle, ((event.clientX - frame.left) / frame.width) * 100);
    });
  }
}
