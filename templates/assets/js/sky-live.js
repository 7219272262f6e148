// What cannot wait, on every desk page: fishing that nobody has answered, asked again while the page stays open, and
// ages that count on. The strip is drawn by the server; this only puts the new one in its place.
import { call, Problem } from "./http.js";
import { busy } from "./forms.js";
import { speak } from "./words.js";

const REFRESH_MS = 10000;
const strip = document.querySelector("[data-live-strip]");
const begun = performance.now();

function ages() {
  for (const node of document.querySelectorAll("[data-ago]")) {
    node.dataset.from ??= String(performance.now());
    const s = Math.floor(Number(node.dataset.ago) + (performance.now() - Number(node.dataset.from)) / 1000);
    const words = s < 60 ? node.dataset.agoS : s < 3600 ? node.dataset.agoM : node.dataset.agoH;
    const values = { s: s < 3600 ? s % 60 : 0, m: s < 3600 ? Math.floor(s / 60) : Math.floor((s % 3600) / 60), h: Math.floor(s / 3600) };
    if (s < 60) values.s = s;
    const said = words.replace(/\{(\w)\}/g, (whole, name) => String(values[name]));
    if (node.textContent !== said) node.textContent = said;
  }
}

const shown = () => [...strip.querySelectorAll("[data-episode]")].map((one) => one.dataset.episode).join();

async function refresh() {
  if (!strip || document.hidden || strip.querySelector("[aria-busy]")) return;
  let text;
  try {
    const answer = await fetch("/desk/live", { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    text = await answer.text();
  } catch {
    return; // asked again soon
  }
  const fresh = new DOMParser().parseFromString(text, "text/html").body;
  const before = shown();
  const now = [...fresh.querySelectorAll("[data-episode]")].map((one) => one.dataset.episode).join();
  if (now === before) return;
  strip.replaceChildren(...fresh.childNodes);
  ages();
  const first = strip.querySelector("[data-episode] p");
  if (first && now.length > before.length) speak(first.textContent);
}

strip?.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-acknowledge]");
  if (!button || button.getAttribute("aria-busy") === "true") return;
  const line = button.closest("[data-episode]");
  const done = busy(button);
  try {
    await call("/api/v1/episodes/" + button.dataset.acknowledge + "/acknowledge", { method: "POST" });
    line.remove();
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    done();
    const words = line.querySelector("[data-live-fault]");
    words.textContent = fault.message;
    words.hidden = false;
  }
});

ages();
setInterval(ages, 1000);
if (strip) setInterval(refresh, REFRESH_MS);
document.addEventListener("visibilitychange", () => performance.now() - begun > 1000 && refresh());
