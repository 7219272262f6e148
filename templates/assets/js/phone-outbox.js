// The page 待传: one card a draft with its picture, what it waits for, and what the person may do about it.
import * as backup from "./phone-export.js";
import * as queue from "./phone-queue.js";
import * as store from "./phone-store.js";
import { icon, say } from "./words.js";

const $ = (selector) => document.querySelector(selector);
const pictures = new Map(); // draft -> object URL

function button(words, deed, cls = "btn") {
  const made = document.createElement(typeof deed === "string" ? "a" : "button");
  made.className = cls;
  made.textContent = words;
  if (typeof deed === "string") made.href = deed;
  else {
    made.type = "button";
    made.addEventListener("click", () => deed(made));
  }
  return made;
}

const clock = (ms) => new Date(ms).toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", timeZone: "Asia/Shanghai" });

function until(ms) {
  const s = Math.ceil((ms - Date.now()) / 1000);
  return s < 60 ? say("ob_sec", { n: Math.max(1, s) }) : say("ob_min", { n: Math.ceil(s / 60) });
}

/** {tone, symbol, words} of a draft, and the acts it offers. */
function state(draft) {
  const n = draft.photos.length;
  const got = draft.photos.filter((one) => one.here).length;
  const drop = ["ob_drop", (made) => giveUp(draft, made)];
  const edit = draft.href + "#draft=" + draft.id;
  if (draft.owner && queue.owner() && draft.owner !== queue.owner()) return { symbol: "ui-lock", words: say("ob_other"), acts: [] };
  if (draft.state === "writing") return { symbol: "ui-pen", words: say("ob_writing"), acts: [["ob_go_on", edit], drop] };
  if (draft.state === "signin") return { tone: "soon", symbol: "ui-key", words: say("ob_signin"), acts: [["ob_sign", "/signin?next=/phone/outbox"]] };
  if (draft.state === "stale") {
    return { tone: "late", symbol: "ui-again", words: say("ob_stale", { now: draft.now }), more: draft.changed.map((line) => [line.at?.slice(5, 16).replace("T", " "), line.who, line.did].filter(Boolean).join(" ")),
             acts: [["ob_see", "/phone/issues/" + draft.issue], ["ob_insist", () => queue.insist(draft.id)], drop] }; // prettier-ignore
  }
  if (draft.state === "refused") {
    const told = draft.faults.map((fault) => fault.sentence);
    return { tone: "late", symbol: "time-late", words: say("ob_bad", { why: told[0] ?? draft.why }), more: told.slice(1), acts: [["ob_edit", edit], drop] };
  }
  if (got && got < n) return { tone: "soon", symbol: "time-soon", words: say("ob_half", { n, got }), share: got / n, acts: [] };
  const waits = navigator.onLine ? (draft.next > Date.now() ? say("ob_again", { m: until(draft.next) }) : say("ob_wait")) : say("ob_wait_net");
  return { symbol: "time-running", words: [waits, n ? say("ob_photos", { n }) : "", say("ob_at", { t: clock(draft.made) })].filter(Boolean).join("，"), acts: [] };
}

async function giveUp(draft, made) {
  if (!made.dataset.sure) {
    made.dataset.sure = "1"; // photos are evidence: the second press deletes
    made.textContent = say("ob_drop_sure");
    return;
  }
  await queue.giveUp(draft.id);
}

async function picture(draft) {
  if (!pictures.has(draft.id)) {
    const first = draft.photos[0] && (await store.photo(draft.id, draft.photos[0].sha256));
    pictures.set(draft.id, first ? URL.createObjectURL(new Blob([first.buffer], { type: first.type })) : "");
  }
  return pictures.get(draft.id);
}

async function card(draft) {
  const made = document.getElementById("outbox-card").content.cloneNode(true).firstElementChild;
  const { tone = "", symbol, words, more = [], share, acts } = state(draft);
  made.dataset.id = draft.id;
  made.dataset.at = draft.state;
  if (tone) made.dataset.tone = tone;
  made.querySelector("[data-title]").textContent = draft.title;
  made.querySelector("[data-place]").textContent = [draft.issue, draft.place].filter(Boolean).join("，");
  made.querySelector("[data-state]").append(icon(symbol), words);
  for (const line of more) {
    const p = document.createElement("p");
    p.className = "note";
    p.textContent = line;
    made.querySelector("[data-more]").append(p);
  }
  for (const [name, deed] of acts) made.querySelector("[data-acts]").append(button(say(name), deed));
  const bar = made.querySelector("progress");
  bar.hidden = share === undefined;
  if (share !== undefined) bar.value = share;
  const src = await picture(draft);
  if (src) {
    const image = document.createElement("img");
    image.src = src;
    image.alt = "";
    made.querySelector(".outbox-thumb").append(image);
  } else made.querySelector(".outbox-thumb").append(icon(draft.what === "walk" ? "ui-route" : "ui-camera"));
  return made;
}

let drawing = Promise.resolve();

function draw() {
  drawing = drawing.then(async () => {
    const all = await store.drafts();
    const sent = (await store.done()).filter((line) => !line.owner || line.owner === queue.owner()).sort((a, b) => b.at - a.at).slice(0, 5);
    if ($("[data-list] [data-sure]") && all.length === $("[data-list]").childElementCount) return; // a question is open
    $("[data-list]").replaceChildren(...(await Promise.all(all.map(card))));
    $("[data-none]").hidden = all.length > 0;
    $("[data-rule]").hidden = !all.length;
    $("h1").textContent = all.length ? say("ob_title", { n: all.length }) : say("ob_title_0");
    $("[data-done]").hidden = !sent.length;
    $("[data-done] ul").replaceChildren(...sent.map((line) => {
      const item = document.createElement("li");
      item.append(icon("time-met", "icon tone-ok"), [line.title, line.issue, clock(line.at)].filter(Boolean).join("，"));
      return item;
    }));
    document.documentElement.dataset.drawn = String(all.length);
  });
  return drawing;
}

const size = (bytes) => (bytes < 1e9 ? (bytes / 1e6).toFixed(1) + " MB" : (bytes / 1e9).toFixed(1) + " GB");

async function quota() {
  const room = await store.room();
  if (room) $("[data-room]").textContent = say("ob_room", { used: size(room.used), left: size(room.left) });
}

$("[data-retry]").addEventListener("click", async () => {
  const words = $("[data-retry] span");
  words.textContent = say("ob_trying");
  await queue.wake();
  words.textContent = say("ob_retry");
});
$("[data-export]").addEventListener("click", backup.download);
queue.onChange(draw);
addEventListener("online", draw);
addEventListener("offline", draw);
setInterval(draw, 5000);
await draw();
await quota();
