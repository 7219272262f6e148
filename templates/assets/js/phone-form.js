// The forms of the phone: photos are kept as they are taken, the position follows the fix, and what is submitted goes
// into the outbox first and to the server from there. The server decides; what it refuses is named in the form.
import * as draft from "./phone-draft.js";
import * as fix from "./phone-fix.js";
import * as readAs from "./read-as.js";
import * as queue from "./phone-queue.js";
import * as store from "./phone-store.js";
import { Shots } from "./phone-shots.js";
import { said } from "./phone.js";
import { busy, showFaults } from "./forms.js";
import { call, Problem } from "./http.js";
import { serverNow } from "./time.js";
import { icon } from "./words.js";

const MOST_MB = 20;
const form = document.querySelector("[data-phone-form]");
const shots = form && new Shots(form, rules);
let typed = false; // the person wrote the place by hand: the fix no longer overwrites it
let settled = false;

// ---- what is required now

function chosen(name) {
  return form.querySelector(`input[name="${CSS.escape(name)}"]:checked`)?.value ?? "";
}

function need(field, sentence) {
  if (sentence) field.setAttribute("data-required", sentence);
  else field.removeAttribute("data-required");
}

function rules() {
  const camera = form.querySelector("[data-camera]");
  if (camera) {
    const input = camera.querySelector("[name=photo]");
    input.dataset.need ??= input.dataset.required ?? "";
    const count = shots.list.length + Number(camera.dataset.have ?? 0);
    const [when, least] = (camera.dataset.least ?? "=:").split(":");
    const [name, value] = when.split("=");
    const many = name && chosen(name) === value ? Number(least) : 0;
    const instead = camera.dataset.unless && form.elements[camera.dataset.unless]?.value.trim();
    if (many && count < many) need(input, fix.word("two", { n: many - count }));
    else need(input, count || instead ? "" : input.dataset.need);
    const taken = camera.querySelector("[data-taken]");
    taken.hidden = !count;
    taken.replaceChildren(icon("ui-check"), " " + fix.word("taken", { n: count }));
    camera.querySelector("[data-slot-words]").textContent = fix.word(count ? "more" : "take");
    camera.querySelectorAll(".drop").forEach((drop, at) => drop.setAttribute("aria-label", fix.word("drop", { n: at + 1 })));
  }
  for (const field of form.querySelectorAll("[data-only-if]")) {
    const [name, value] = field.dataset.onlyIf.split("=");
    const holds = chosen(name) === value;
    need(field, holds ? field.dataset.need : "");
    field.closest(".field").hidden = !holds;
  }
}

/** The box of missing things stays in sight until the person goes on filling in. */
function watchMissing() {
  const place = form.querySelector("[data-missing]");
  const show = () => form.classList.toggle("is-told", place.childElementCount > 0);
  new MutationObserver(show).observe(place, { childList: true });
  const goOn = (event) => {
    if (event.type !== "click" || event.target.closest("a")) form.classList.remove("is-told");
  };
  form.addEventListener("change", goOn);
  place.addEventListener("click", goOn);
  show();
}

// ---- position

function place(at) {
  const box = form.querySelector("[data-place]");
  if (!box || typed || settled || at.fault) return;
  const field = box.querySelector("input[type=text]");
  const put = { lon: at.lon.toFixed(7), lat: at.lat.toFixed(7), "accuracy-m": at.accuracy_m };
  for (const [name, value] of Object.entries(put)) box.querySelector(`[data-${name}]`).value = value;
  const here = fix.alongRiver(at);
  field.value = (here ? fix.mark(here.chainage_m) + " " + fix.word(here.bank) + "，" : "") + "±" + Math.round(at.accuracy_m) + " 米";
  field.removeAttribute("aria-invalid");
  const { tone } = said(at);
  box.classList.toggle("is-fixed", at.accuracy_m < fix.POOR_M); // what is measured stands in the bar; typing stays one press away
  settled = at.accuracy_m <= fix.GOOD_M && tone === "ok"; // good enough and on the spot: taken without asking
}

function forget(box) {
  for (const name of ["lon", "lat", "accuracy-m"]) box.querySelector(`[data-${name}]`).value = "";
}

function followFix() {
  const box = form.querySelector("[data-place]");
  if (!box) return;
  document.body.classList.toggle("has-around", Boolean(document.querySelector("[data-around]")));
  const ask = box.hasAttribute("data-ask");
  typed = ask;
  const again = box.querySelector("[data-locate]");
  again.hidden = false;
  const typeIt = box.querySelector("[data-type-it]");
  typeIt.hidden = ask;
  typeIt.addEventListener("click", () => {
    typed = true;
    forget(box);
    box.classList.remove("is-fixed");
    const field = box.querySelector("input[type=text]");
    field.value = "";
    field.focus();
  });
  again.addEventListener("click", () => {
    typed = settled = false;
    fix.stop();
    fix.start();
  });
  box.querySelector("input[type=text]").addEventListener("input", () => {
    typed = true;
    forget(box);
  });
  fix.onFix(place);
}

// ---- sending

function told(sentence, link) {
  const place = form.querySelector("[data-told]");
  place.replaceChildren();
  if (!sentence) return;
  const box = document.createElement("div");
  box.className = "notice notice-conflict";
  box.setAttribute("role", "alert");
  const words = document.createElement("p");
  words.textContent = sentence;
  box.append(words);
  if (link) {
    const way = document.createElement("a");
    way.className = "btn";
    way.href = link.href;
    way.textContent = link.zh;
    if (link.apart) {
      way.target = "_blank"; // this page, its words and its photos stay
      way.rel = "noopener";
    }
    box.append(way);
  }
  place.append(box);
  box.scrollIntoView({ block: "center" });
}

function filled() {
  const data = new FormData(form);
  data.delete("photo");
  data.delete("gallery");
  for (const shot of shots.list) data.append("photo", shot.file, shot.file.name || "photo.jpg");
  if (shots.list.length) data.append("claims", JSON.stringify({ photos: shots.list.map((shot) => shot.claim) }));
  return data;
}

/** The same page as it is now: for a fresh token, a fresh version. */
async function fresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function freshToken() {
  const token = (await fresh()).querySelector('meta[name="csrf-token"]')?.content;
  if (!token) return false;
  document.querySelector('meta[name="csrf-token"]').content = token;
  form.elements.csrf_token.value = token;
  return true;
}

/** Straight to the server, where nothing may be kept on the phone (WeChat's browser). */
async function direct() {
  try {
    return await call(form.getAttribute("action"), { form: filled() });
  } catch (fault) {
    if (!(fault instanceof Problem) || fault.code !== "csrf" || !(await freshToken())) throw fault;
    return call(form.getAttribute("action"), { form: filled() });
  }
}

/** What the form says, as the outbox keeps it. */
function asFilled() {
  const fields = {};
  for (const field of form.elements) {
    if (!field.name || ["csrf_token", "client_id", "version", "photo", "gallery"].includes(field.name)) continue;
    if (["radio", "checkbox"].includes(field.type) && !field.checked) continue;
    if (field.type === "checkbox" && field.closest("fieldset")) (fields[field.name] ??= []).push(field.value);
    else fields[field.name] = field.value;
  }
  const { what, issue, step, stage, title, placeWords: place } = form.dataset;
  const href = location.pathname + location.search;
  const based = document.documentElement.dataset.now ?? null;
  return { what, issue, step, stage, title, place, fields, href, version: form.elements.version?.value ?? "", based_at: based };
}

/** Kept first, sent after: what comes of it now. */
async function send() {
  if (!queue.mayKeep()) return sent(await direct());
  await shots.saving;
  const { photos, fresh: bytes } = await shots.kept();
  const said = asFilled();
  if (said.what === "report") said.title += "：" + (form.querySelector("input[name=kind]:checked")?.closest("label")?.textContent.trim() ?? "");
  if (said.what === "report") said.place = form.elements.position?.value ?? "";
  const after = await queue.post({ id: form.elements.client_id.value, ...said, photos }, bytes);
  if (after.state === "done") return sent(after.answer);
  if (after.state === "waiting") return saved(after);
  if (after.state === "signin") return told(fix.word("signin"), { href: "/signin?next=/phone/outbox", zh: fix.word("signin_link"), apart: true });
  if (after.state === "stale") return onStale(after);
  readAs.ask(form, after.faults);
  if (after.faults.length) return showFaults(form, after.faults);
  return told(after.why);
}

/** In the outbox: the form has done its part. */
function saved(after) {
  draft.drop();
  const page = document.getElementById("saved").content.cloneNode(true);
  page.querySelector("[data-why]").textContent = navigator.onLine ? after.why : "";
  form.replaceWith(page);
  document.querySelector(".act-foot")?.remove();
  scrollTo(0, 0);
}

async function onStale(after) {
  const changed = (after.changed ?? []).map((line) => [line.who, line.did].filter(Boolean).join(" ")).join("，");
  if (after.seen && form.elements.version) form.elements.version.value = after.seen;
  told(fix.word("stale", { state: after.now ?? "" }) + (changed ? " " + changed : ""), { href: location.pathname, zh: fix.word("see"), apart: true });
}

async function onFault(fault) {
  if (!(fault instanceof Problem)) throw fault;
  if (fault.status === 0) return told(fix.word("offline"));
  if (fault.status === 401) return told(fix.word("signin"), { href: "/signin?next=/phone/me", zh: fix.word("signin_link"), apart: true });
  readAs.ask(form, fault.faults);
  if (fault.faults.length) return showFaults(form, fault.faults);
  return told(fault.message);
}

function sent(answer) {
  draft.drop();
  if (!form.hasAttribute("data-report")) {
    location.assign(answer.next);
    return;
  }
  const page = document.getElementById("sent").content.cloneNode(true);
  page.querySelector("[data-issue]").textContent = answer.issue ?? "";
  page.querySelector("[data-kind]").textContent = answer.kind;
  for (const name of ["joined", "waiting"]) if (!answer[name]) page.querySelector(`[data-${name}]`).remove();
  const code = page.querySelector("[data-code]");
  if (answer.receipt_code) code.querySelector(".code").textContent = answer.receipt_code.replace(/(.{4})(?=.)/g, "$1 ");
  else code.remove();
  form.replaceWith(page);
  document.querySelector(".act-foot")?.remove();
  scrollTo(0, 0);
}

async function onSubmit(event) {
  event.preventDefault();
  const heavy = shots.list.findIndex((shot) => shot.file.size > MOST_MB * 1024 * 1024);
  if (heavy >= 0) {
    const m = Math.ceil(shots.list[heavy].file.size / 1024 / 1024);
    showFaults(form, [{ field: form.querySelector("#f-photo"), sentence: fix.word("too_big", { n: heavy + 1, m }) }]);
    return;
  }
  const at = form.elements.at_claimed ?? form.elements.seen_at;
  if (at && !at.value) at.value = new Date(serverNow()).toISOString(); // when it was done here, however late it arrives
  told("");
  showFaults(form, []);
  const button = event.submitter ?? document.querySelector(`[form="${CSS.escape(form.id)}"]`);
  button.dataset.busy = shots.list.length ? fix.word("sending_n", { n: shots.list.length }) : fix.word("sending");
  const ready = busy(button);
  draft.keep();
  try {
    await send();
  } catch (fault) {
    await onFault(fault);
  } finally {
    ready();
  }
}

/** A draft the outbox sent back, or one that was being written when the page went away. */
async function takeUp(filledIn) {
  const wanted = new URLSearchParams(location.hash.slice(1)).get("draft");
  const here = location.pathname + location.search;
  const all = await store.drafts();
  const found = wanted ? all.find((one) => one.id === wanted) : all.findLast((one) => one.state === "writing" && one.href === here && one.owner === queue.owner());
  if (!found) return false;
  form.elements.client_id.value = found.id;
  if (!filledIn || wanted) draft.fill(found.fields ?? {}); // what this tab kept is newer than what was last posted
  for (const one of found.photos) {
    const kept = await store.photo(found.id, one.sha256);
    if (kept) shots.add(new File([kept.buffer], one.name ?? "photo.jpg", { type: kept.type }), one.claim, one);
  }
  if (found.faults?.length) showFaults(form, found.faults);
  return true;
}

if (form) {
  if (!form.querySelector("[data-faults]")) form.elements.client_id.value = store.uuid(); // a page from the phone has an old one
  for (const input of form.querySelectorAll("[data-camera] input[type=file]")) input.addEventListener("change", () => shots.picked(input));
  form.addEventListener("input", rules);
  form.addEventListener("change", rules);
  form.addEventListener("submit", onSubmit);
  const filledIn = draft.restore(form);
  rules();
  watchMissing();
  followFix();
  shots.writing = () => ({ ...asFilled(), id: form.elements.client_id.value, owner: queue.owner(), state: "writing" });
  if (queue.mayKeep() && (await takeUp())) rules();
  else if (filledIn) told(fix.word("kept"));
}
