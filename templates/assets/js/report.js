// The public report: what was shot is shown, the place is found, one question a page in the 长辈版. The form works
// without any of this. A report that did not get through is sent again as it was, under the same client id.
import { busy, lacks, showFaults } from "./forms.js";
import { call, Problem } from "./http.js";
import * as receipts from "./receipts.js";
import * as readAs from "./read-as.js";
import * as places from "./report-place.js";
import { icon, say, speak } from "./words.js";

const form = document.querySelector("form[data-report]");
const input = form.elements.photo;
const shots = form.querySelector("[data-shots]");
const mostMb = Number(form.dataset.mostMb);
let unsent = null; // exactly what was sent and may or may not have arrived
let here = null;

// ---- photos: each choice adds to what is there
input.classList.add("sr");
let files = [];

function draw() {
  shots.querySelectorAll("img").forEach((old) => URL.revokeObjectURL(old.src));
  shots.replaceChildren(...files.map((file, at) => {
    const frame = document.createElement("div");
    frame.className = "photo";
    const image = document.createElement("img");
    image.alt = file.name;
    image.src = URL.createObjectURL(file);
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "btn";
    drop.setAttribute("aria-label", say("drop", { n: at + 1 }));
    drop.append(icon("ui-close"));
    drop.addEventListener("click", () => keep(files.filter((_, index) => index !== at)));
    frame.append(image, drop);
    return frame;
  }));
  form.querySelector("[data-shoot]").classList.toggle("has-shots", files.length > 0);
  form.querySelector("[data-shoot-words]").textContent = files.length ? say("again") : say("first");
  if (files.length) {
    const caption = document.createElement("span");
    caption.className = "photo-caption";
    caption.textContent = say("shots", { n: files.length });
    shots.firstElementChild.append(caption);
  }
}

function keep(next) {
  files = next.slice(0, 10);
  const held = new DataTransfer();
  files.forEach((file) => held.items.add(file));
  input.files = held.files;
  draw();
}

input.addEventListener("change", () => {
  const added = [...input.files].filter((file) => !files.some((old) => old.name === file.name && old.size === file.size && old.lastModified === file.lastModified));
  keep([...files, ...added]);
  place.photos(files);
});

// ---- place and what is already being dealt with there
const place = places.start(form, (at) => {
  here = at;
  readAs.forget(form);
  hint();
});

async function hint() {
  const line = form.querySelector("[data-near]");
  const kind = form.elements.kind.value;
  line.hidden = true;
  if (!here || !kind) return;
  try {
    const found = await places.near(here, kind);
    line.hidden = found.length === 0;
    line.querySelector("p").textContent = say("near", { n: found.length });
    line.querySelector("[data-near-list]").replaceChildren(...found.slice(0, 3).map((one) => {
      const row = document.createElement("li");
      row.className = "state-word state-" + one.state;
      row.append(icon("state-" + one.state), say("near_line", { place: one.place, state: say("state_" + one.state) }));
      return row;
    }));
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault; // a hint that does not come is no loss
  }
}
form.addEventListener("change", (event) => event.target.name === "kind" && hint());

// ---- one question a page
const main = document.querySelector("[data-main]");
const turn = document.querySelector("[data-turn]");
let at = 1;

function paged() {
  return document.documentElement.dataset.size === "elder";
}

function page() {
  if (!form.isConnected) return; // sent: the receipt stands in its place
  if (paged()) form.dataset.pagedNow = String(at);
  else delete form.dataset.pagedNow;
  const steps = form.querySelector("[data-steps]");
  steps.hidden = !paged();
  steps.dataset.steps = at;
  steps.querySelector("p").textContent = say("step", { n: at });
  form.querySelector("[data-more]").open = !paged();
  turn.hidden = !paged();
  turn.querySelector("[data-turn-back]").disabled = at === 1;
  const bar = document.querySelector("h1");
  bar.dataset.words ??= bar.textContent;
  bar.textContent = paged() ? say("step", { n: at }) : bar.dataset.words;
  main.querySelector("span").textContent = paged() && at < 3 ? say("next") : say("submit");
}

new MutationObserver(page).observe(document.documentElement, { attributes: true, attributeFilter: ["data-size"] });
function go(to) {
  at = Math.min(3, Math.max(1, to));
  page();
  scrollTo({ top: 0 });
  form.querySelector('[data-paged="' + at + '"]').querySelector("input, button, textarea")?.focus({ preventScroll: true });
}
turn.querySelector("[data-turn-back]").addEventListener("click", () => go(at - 1));
main.addEventListener("click", (event) => {
  if (!paged() || at === 3) return;
  event.preventDefault();
  const missing = missingOn(at);
  showFaults(form, missing);
  if (!missing.length) go(at + 1);
});

form.querySelector("[data-speak]").addEventListener("click", () => {
  if (!form.elements.kind.value) form.elements.kind.value = "other"; // what it is, is going to be said
  go(3);
  form.querySelector("[data-more]").open = true;
  form.elements.words.focus();
});

function missingOn(which) {
  const found = lacks(form).filter((fault) => which === 0 || fault.field.closest('[data-paged="' + which + '"]'));
  if ((which === 0 || which === 3) && !place.filled()) found.unshift({ field: form.elements.place_words, sentence: say("no_place") });
  return found;
}

// ---- sending
form.addEventListener("input", () => {
  if (!unsent) return;
  unsent = null; // another report now: it gets an id of its own, and joins the first if both arrived
  form.elements.client_id.value = crypto.randomUUID?.() ?? form.elements.client_id.value;
});

function tooBig() {
  return files.flatMap((file, index) => file.size > mostMb * 1024 * 1024
    ? [{ field: input, sentence: say("too_big", { n: index + 1, m: Math.ceil(file.size / 1024 / 1024), most: mostMb }) }] : []);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const faults = [...missingOn(0), ...tooBig()];
  showFaults(form, faults);
  if (faults.length) return;
  const done = busy(main);
  unsent ??= new FormData(form);
  try {
    const told = await call(form.getAttribute("action"), { form: unsent, headers: await sum() });
    receipt(told);
  } catch (fault) {
    done();
    if (!(fault instanceof Problem)) throw fault;
    if (fault.status !== 0) unsent = null;
    readAs.ask(form, fault.faults);
    showFaults(form, fault.faults.length ? fault.faults.map(placed) : [{ sentence: fault.status === 0 ? say("unsent") : fault.message }]);
    form.querySelector("[data-missing]").scrollIntoView({ block: "center" });
  }
});

// ---- where much has come from here this hour, a sum first; without it a person looks at the report before the rest

async function sum() {
  let asked;
  try {
    asked = await call("/report/sum");
  } catch (fault) {
    if (fault instanceof Problem) return {};
    throw fault;
  }
  if (!asked.word) return {};
  const told = form.querySelector("[data-told]");
  told.hidden = false;
  const worker = new Worker(new URL("./sum-worker.js", import.meta.url), { type: "module" });
  const answer = await new Promise((solved) => {
    worker.addEventListener("message", (event) => solved(event.data));
    worker.addEventListener("error", () => solved(null));
    worker.postMessage(asked);
  });
  worker.terminate();
  told.hidden = true;
  return answer ? { "X-Patrol-Sum": answer } : {};
}

/** A fault with its field on this page: the server names it by a pointer such as /contact/phone. */
function placed(fault) {
  const name = (fault.pointer ?? "").slice(1).replaceAll("/", ".");
  const id = name.startsWith("position") ? "f-place_words" : "f-" + name;
  return { sentence: fault.sentence, field: document.getElementById(id) ?? undefined };
}

/** The receipt on this phone too; the reporter may take it off again at once, where a phone is shared. */
function keepHere(card, told) {
  const line = card.querySelector("[data-kept]");
  const kept = receipts.keep({ code: told.receipt_code, kind: form.querySelector("[name=kind]:checked")?.closest("label").querySelector("span").textContent ?? "", at: new Date().toISOString() });
  line.hidden = false;
  line.querySelector("span").textContent = say(kept ? "kept" : "not_kept");
  const off = line.querySelector("[data-unkeep]");
  off.hidden = !kept;
  off.addEventListener("click", () => {
    receipts.drop(told.receipt_code);
    off.hidden = true;
    line.querySelector("span").textContent = say("unkept");
  });
}

function receipt(told) {
  const shown = document.getElementById("receipt").content.cloneNode(true);
  const code = told.receipt_code.replaceAll("-", "").match(/.{1,4}/g).join(" ");
  const words = document.createElement("span");
  words.className = "code nowrap";
  words.translate = false;
  words.textContent = code;
  shown.querySelector("[data-code]").append(words);
  shown.querySelector("[data-copy]").dataset.copy = told.receipt_code;
  shown.querySelector("[data-qr]").src = told.qr;
  shown.querySelector("[data-elsewhere]").hidden = !told.elsewhere;
  const card = shown.querySelector(".receipt");
  keepHere(card, told);
  document.getElementById("main").replaceChildren(shown);
  document.querySelector("h1").textContent = card.querySelector("h2").textContent;
  card.focus();
  speak(card.querySelector("h2").textContent);
  scrollTo({ top: 0 });
}

form.querySelector("[data-wechat]").hidden = !places.wechat;
page();
