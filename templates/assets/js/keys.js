// Keyboard at the desk. Single keys work outside fields only, can be switched off (kept on the device), and do
// nothing a button does not: a key presses the visible element that carries data-key, data-go or data-row.
import { say } from "./words.js";

const KEY = "patrol.single_keys";
let afterG = 0;

function on() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

const visible = (node) => node.getClientRects().length > 0;

function press(selector) {
  const node = [...document.querySelectorAll(selector)].find(visible);
  if (!node) return false;
  node.focus();
  node.click();
  return true;
}

function move(by) {
  const rows = [...document.querySelectorAll("[data-row]")].filter(visible);
  if (!rows.length) return false;
  let at = rows.indexOf(document.activeElement);
  if (at < 0) at = rows.findIndex((row) => row.hasAttribute("aria-current"));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function help() {
  const open = document.getElementById("keys");
  if (open) {
    open.close();
    return;
  }
  const sheet = document.createElement("dialog");
  sheet.id = "keys";
  sheet.className = "sheet";
  const title = document.createElement("h2");
  title.textContent = say("keys");
  const list = document.createElement("dl");
  list.className = "pairs";
  const add = (key, words) => {
    const dt = document.createElement("dt");
    const cap = document.createElement("kbd");
    cap.textContent = key;
    dt.append(cap);
    const dd = document.createElement("dd");
    dd.textContent = words;
    list.append(dt, dd);
  };
  add("J K", say("next_prev"));
  add("Enter", say("open"));
  add("Esc", say("back"));
  add("/", say("search"));
  add("Ctrl Enter", say("send"));
  for (const node of document.querySelectorAll("[data-go]")) add("G " + node.dataset.go, node.querySelector("span")?.textContent ?? "");
  for (const node of document.querySelectorAll("[data-key]")) {
    if (visible(node)) add(node.dataset.key, node.querySelector("span")?.textContent ?? node.textContent);
  }
  const row = document.createElement("div");
  row.className = "btn-row";
  const close = document.createElement("button");
  close.className = "btn";
  close.textContent = say("close");
  close.addEventListener("click", () => sheet.close());
  const toggle = document.createElement("button");
  toggle.className = "btn btn-plain";
  toggle.textContent = say(on() ? "keys_off" : "keys_on");
  toggle.addEventListener("click", () => {
    try {
      localStorage.setItem(KEY, on() ? "off" : "on");
    } catch {
      // stays as it is
    }
    toggle.textContent = say(on() ? "keys_off" : "keys_on");
  });
  row.append(close, toggle);
  const body = document.createElement("div");
  body.className = "form";
  body.append(title, list, row);
  sheet.append(body);
  sheet.addEventListener("close", () => sheet.remove());
  document.body.append(sheet);
  sheet.showModal();
}

function onKey(event) {
  if (event.defaultPrevented || event.altKey || event.isComposing) return;
  const inField = event.target.closest("input, textarea, select, [contenteditable], dialog[open]");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    if (press("[data-search]")) event.preventDefault();
    return;
  }
  if (event.ctrlKey || event.metaKey || inField || !on()) {
    if (event.key === "?" && !inField && !event.ctrlKey) help();
    return;
  }
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  let done = false;
  if (afterG && Date.now() - afterG < 1500) {
    afterG = 0;
    done = press('[data-go="' + CSS.escape(key) + '"]');
  } else if (key === "?") {
    help();
    done = true;
  } else if (key === "/") {
    done = press("[data-search]");
  } else if (key === "J" || key === "K") {
    done = move(key === "J" ? 1 : -1);
  } else if (key === "G") {
    afterG = Date.now();
    done = true;
  } else if (key === "Escape") {
    done = press("[data-back]");
  } else if (/^[A-Z0-9]$/.test(key)) {
    done = press('[data-key="' + CSS.escape(key) + '"]');
  }
  if (done) event.preventDefault();
}

export function start() {
  document.addEventListener("keydown", onKey);
}
