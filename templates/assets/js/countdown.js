// Countdowns tick by the server's time. The words are those of _macros/clocks.html (a test compares them); the
// bar is moved by SVG attributes, never animated; crossing 80 % and 100 % is spoken once.
import { byPhone, serverNow } from "./time.js";
import { say, speak, spriteAt } from "./words.js";

const HOUR = 3600;
const DAY = 86400;
const two = (n) => String(n).padStart(2, "0");

/** Words for what is left; negative seconds are past the due. `seconds` adds seconds under ten minutes. */
export function leftWords(leftS, unit = "continuous", dayS = 21600, seconds = false) {
  const s = Math.floor(Math.abs(leftS));
  if (leftS < 0) {
    if (s < 60) return say("late_none");
    if (s < HOUR) return say("late_min", { m: Math.floor(s / 60) });
    if (s <= 2 * DAY) return say("late_hour", { h: Math.floor(s / HOUR), m: two(Math.floor((s % HOUR) / 60)) });
    return say("late_day", { d: Math.floor(s / DAY) });
  }
  if (unit === "work_day" && s >= dayS) {
    const h = Math.floor((s % dayS) / HOUR);
    const d = Math.floor(s / dayS);
    return h && s < 3 * dayS ? say("left_work_hour", { d, h }) : say("left_work", { d });
  }
  if (s < 60) return say("left_none");
  if (seconds && s < 600) return say("left_sec", { m: Math.floor(s / 60), sec: two(s % 60) });
  if (s < HOUR) return say("left_min", { m: Math.floor(s / 60) });
  if (unit !== "continuous" || s <= 2 * DAY) {
    return say("left_hour", { h: Math.floor(s / HOUR), m: two(Math.floor((s % HOUR) / 60)) });
  }
  return say("left_day", { d: Math.floor(s / DAY), h: Math.floor((s % DAY) / HOUR) });
}

/** Seconds left of one clock at `now` (ms): it counts only inside [runs_from, runs_until], past its due by the wall. */
export function leftAt(data, now) {
  const at = Date.parse(data.at ?? "") || now;
  const due = Date.parse(data.dueAt ?? "");
  if (now >= due) return -Math.max(now - due, 1) / 1000; // at the due itself it is red
  const left = Number(data.leftS);
  if (left < 0) return left - (now - at) / 1000;
  const from = Math.max(at, Date.parse(data.runsFrom ?? "") || at);
  const until = Math.min(now, Date.parse(data.runsUntil ?? "") || now);
  const rest = left - Math.max(0, until - from) / 1000;
  if (rest > 0) return rest;
  return Number.isNaN(due) ? Math.min(rest, -0.001) : 1; // a known due decides, not a rounding of what is left
}

function statusOf(left, limit, notch) {
  if (left < 0) return "late";
  return limit > 0 && 1 - left / limit >= notch ? "soon" : "running";
}

function turn(clock, status) {
  const was = clock.dataset.status;
  clock.dataset.status = status;
  clock.classList.replace("clock-" + was, "clock-" + status);
  clock.querySelector(".icon use")?.setAttribute("href", spriteAt() + "#time-" + status);
  const card = clock.closest(".issue-card");
  card?.classList.toggle("is-late", status === "late");
  card?.classList.toggle("is-soon", status === "soon");
  if (status === "late") clock.querySelector(".bar-track")?.querySelectorAll("svg > *").forEach((part) => part.remove());
  const what = clock.dataset.name;
  const left = clock.querySelector(".clock-value")?.textContent ?? "";
  speak(status === "late" ? say("say_late", { what }) : say("say_soon", { what, left }));
  clock.dispatchEvent(new CustomEvent("clock", { bubbles: true, detail: { status } }));
}

/** Bring one clock up to `now`. */
export function tick(clock, now) {
  const data = clock.dataset;
  const left = leftAt(data, now);
  const limit = Number(data.limitS);
  const value = clock.querySelector(".clock-value");
  let words = leftWords(left, data.unit, Number(data.dayS), true);
  if (byPhone()) words += " " + say("by_phone");
  if (value && value.textContent !== words) value.textContent = words;
  if (left >= 0 && limit > 0) {
    const used = Math.min(1, Math.max(0, 1 - left / limit));
    clock.querySelector(".bar-used")?.setAttribute("width", (used * 100).toFixed(2) + "%");
  }
  const status = statusOf(left, limit, Number(data.notch) || 0.8);
  // Only forward: a clock that the server called soon does not calm down by rounding.
  const order = ["running", "soon", "late"];
  if (order.indexOf(status) > order.indexOf(data.status)) turn(clock, status);
}

function tickAll() {
  const now = serverNow();
  for (const clock of document.querySelectorAll("[data-clock]")) tick(clock, now);
  const time = document.querySelector("[data-time]");
  if (time) {
    const zone = { timeZone: "Asia/Shanghai" };
    const lang = document.documentElement.lang;
    time.textContent = new Intl.DateTimeFormat("zh-CN", { ...zone, hour: "2-digit", minute: "2-digit", hour12: false }).format(now);
    const date = document.querySelector("[data-date]");
    if (date) date.textContent = new Intl.DateTimeFormat(lang, { ...zone, month: "long", day: "numeric", weekday: "short" }).format(now);
  }
}

export function start() {
  tickAll();
  setInterval(tickAll, 1000);
  document.addEventListener("visibilitychange", () => document.hidden || tickAll());
  addEventListener("online", tickAll);
  addEventListener("offline", tickAll);
}
