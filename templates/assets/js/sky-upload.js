// Files of a flight from the page: hashed in a worker, small ones sent whole, large ones in pieces from where the
// server says it stands. Nothing is remembered here: after a reload the same files are picked again, and what the
// server has is passed over.
import { call, Problem } from "./http.js";
import { sendPieces } from "./pieces.js";
import { say, speak } from "./words.js";

const box = document.querySelector("[data-upload]");
const flight = "/api/v1/flights/" + box.dataset.flight;
const LARGE = Number(box.dataset.large);
const JUNK = /(^\.|^thumbs\.db$|^desktop\.ini$)/i;
const WAITS_MS = [1000, 2000, 5000, 10000, 20000];
const $ = (selector) => box.querySelector(selector);
const queue = [];
let running = false;
let held = false;
let here = null; // digests the server already has

const worker = new Worker("/assets/js/sky-hash.js", { type: "module" });
let hashing = null;
worker.onmessage = ({ data }) => {
  if (data.digest) hashing.good(data.digest);
  else if (data.fault) hashing.bad(new Error(data.fault));
  else hashing.told(data.done);
};
worker.onerror = () => hashing?.bad(new Error(say("crash")));

function digestOf(one) {
  return new Promise((good, bad) => {
    hashing = { good, bad, told: (done) => state(one, say("up_hash", { p: Math.floor((100 * done) / one.file.size) })) };
    worker.postMessage({ id: one.file.name, file: one.file });
  });
}

const pause = (ms) => new Promise((go) => setTimeout(go, ms));

function state(one, words, kind = "") {
  one.words.textContent = words;
  one.line.dataset.kind = kind;
}

function line(one) {
  const row = document.createElement("li");
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = one.file.name;
  one.words = document.createElement("span");
  one.words.className = "note";
  one.line = row;
  row.append(name, one.words);
  return row;
}

/** Again and again until it is through; only a refusal ends it. */
async function stubborn(one, deed) {
  for (let tries = 0; ; tries += 1) {
    while (held) await pause(300);
    try {
      return await deed();
    } catch (fault) {
      if (!(fault instanceof Problem)) throw fault;
      const passing = fault.status === 0 || fault.status === 429 || fault.status >= 500;
      if (!passing) throw fault;
      state(one, say("up_again"), "soon");
      await pause(WAITS_MS[Math.min(tries, WAITS_MS.length - 1)]);
    }
  }
}

async function sendWhole(one) {
  const form = new FormData();
  form.append("file", one.file, one.file.name);
  await stubborn(one, () => call(flight + "/files", { form }));
}

async function inPieces(one, sha256) {
  const opened = await stubborn(one, () => call(flight + "/uploads", { json: { name: one.file.name, bytes: one.file.size, sha256 } }));
  if (opened.state !== "open") return;
  await sendPieces({
    address: flight + "/uploads/" + opened.upload,
    size: one.file.size,
    offset: opened.offset,
    pieceBytes: opened.piece_bytes,
    slice: (from, to) => one.file.slice(from, to),
    again: (deed) => stubborn(one, deed),
    told: (offset) => progress(one, offset),
  });
}

function progress(one, sent) {
  one.sent = sent;
  if (sent < one.file.size) state(one, say("up_send", { p: Math.floor((100 * sent) / one.file.size) }));
  sum();
}

function sum() {
  const mb = (bytes) => (bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0);
  const all = queue.reduce((total, one) => total + one.file.size, 0);
  const sent = queue.reduce((total, one) => total + one.sent, 0);
  const done = queue.filter((one) => one.over).length;
  $("[data-upload-bar]").value = all ? sent / all : 0;
  let words = say("up_sum", { d: done, t: queue.length, b: mb(sent), s: mb(all) });
  if (held) words += " " + say("up_stopped");
  else if (done === queue.length) {
    const refused = queue.filter((one) => one.refused).length;
    words += " " + (refused ? say("up_left", { n: refused }) : say("up_all"));
    speak(words);
    document.querySelector("[data-finish] button")?.classList.add("btn-main");
  }
  $("[data-upload-sum]").textContent = words;
}

async function one_(one) {
  try {
    const sha256 = await digestOf(one);
    if (here.has(sha256)) state(one, say("up_here"), "ok");
    else {
      state(one, say("up_send", { p: 0 }));
      if (one.file.size > LARGE || /\.zip$/i.test(one.file.name)) await inPieces(one, sha256);
      else await sendWhole(one);
      here.add(sha256);
      state(one, say("up_done"), "ok");
    }
  } catch (fault) {
    one.refused = true;
    state(one, fault.faults?.[0]?.sentence ?? fault.message, "late");
  }
  one.over = true;
  progress(one, one.file.size);
}

async function run() {
  if (running) return;
  running = true;
  try {
    here ??= new Set((await call(flight)).frames.map((frame) => frame.sha256));
    for (let one = queue.find((each) => !each.over); one; one = queue.find((each) => !each.over)) await one_(one);
  } catch (fault) {
    $("[data-upload-sum]").textContent = fault.message;
  } finally {
    running = false;
  }
}

function take(files) {
  for (const file of files) {
    if (!file.size || JUNK.test(file.name)) continue;
    const one = { file, sent: 0, over: false, refused: false, line: null, words: null };
    $("[data-upload-list]").append(line(one));
    state(one, say("up_wait"));
    queue.push(one);
  }
  if (!queue.length) return;
  $("[data-upload-state]").hidden = false;
  sum();
  run();
}

for (const input of box.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
}

/** Every file of what was dropped, folders walked through. */
async function walk(entry) {
  if (entry.isFile) return [await new Promise((good, bad) => entry.file(good, bad))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const part = await new Promise((good, bad) => reader.readEntries(good, bad));
    if (!part.length) return found;
    for (const inner of part) found.push(...(await walk(inner)));
  }
}

const drop = $("[data-drop]");
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("is-over");
  });
}
drop.addEventListener("dragleave", () => drop.classList.remove("is-over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("is-over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  const files = [];
  for (const entry of entries) files.push(...(await walk(entry)));
  take(files);
});

$("[data-hold]").addEventListener("click", (event) => {
  held = !held;
  event.currentTarget.querySelector("span").textContent = say(held ? "go_on" : "hold_on");
  sum();
});
addEventListener("beforeunload", (event) => {
  if (queue.some((one) => !one.over)) event.preventDefault();
});
