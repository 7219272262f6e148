// How far flights are, asked while they are read; and the way to stop one.
import { call, Problem } from "./http.js";
import { busy } from "./forms.js";
import { say, speak } from "./words.js";

const EVERY_MS = 1500;

const eta = (s) => (s === null || s === 0 ? "" : s < 90 ? say("eta_s", { s: Math.ceil(s) }) : say("eta_m", { m: Math.ceil(s / 60) }));

function draw(line, now) {
  const bar = line.querySelector("progress");
  if (bar) bar.value = now.percent;
  const count = line.querySelector("[data-count]");
  if (count) count.textContent = now.total ? say("count", { d: now.done, t: now.total }) + (now.parked ? say("parked", { n: now.parked }) : "") : "";
  const left = line.querySelector("[data-eta]");
  if (left) left.textContent = eta(now.eta_s);
}

async function follow(line) {
  if (document.hidden) return true;
  let now;
  try {
    now = await call("/api/v1/flights/" + line.dataset.flight + "/progress");
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    return fault.status === 0 || fault.status >= 500; // asked again when the house answers
  }
  draw(line, now);
  if (now.state === line.dataset.state) return true;
  location.reload();
  return false;
}

/** Ask for every element [data-flight] whose [data-state] still moves. */
export function start() {
  for (const line of document.querySelectorAll('[data-flight][data-state="reading"]')) {
    const again = async () => (await follow(line)) && setTimeout(again, EVERY_MS);
    again();
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-cancel]");
    if (!button || button.getAttribute("aria-busy") === "true") return;
    if (!(await sure())) return;
    const done = busy(button);
    try {
      await call("/api/v1/flights/" + button.dataset.cancel + "/cancel", { method: "POST" });
      location.reload();
    } catch (fault) {
      done();
      speak(fault.message);
      button.insertAdjacentText("afterend", fault.message);
    }
  });
}

function sure() {
  return new Promise((answer) => {
    const sheet = document.createElement("dialog");
    sheet.className = "sheet";
    const words = document.createElement("p");
    words.textContent = say("stop_sure");
    const row = document.createElement("div");
    row.className = "btn-row";
    for (const [value, zh, cls] of [["yes", say("stop"), "btn btn-danger"], ["no", say("close"), "btn"]]) {
      const button = document.createElement("button");
      button.className = cls;
      button.textContent = zh;
      button.addEventListener("click", () => sheet.close(value));
      row.append(button);
    }
    const form = document.createElement("div");
    form.className = "form";
    form.append(words, row);
    sheet.append(form);
    sheet.addEventListener("close", () => {
      sheet.remove();
      answer(sheet.returnValue === "yes");
    });
    document.body.append(sheet);
    sheet.showModal();
  });
}
