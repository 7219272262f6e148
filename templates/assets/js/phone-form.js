// The forms of the phone: photos are gathered as they are taken, the position follows the fix, a draft stays in this
// tab, and a send that fails loses nothing. The server decides; what it refuses is named in the form.
import * as draft from "./phone-draft.js";
import * as fix from "./phone-fix.js";
import * as readAs from "./read-as.js";
import { said } from "./phone.js";
import { busy, showFaults } from "./forms.js";
import { call, Problem } from "./http.js";
import { serverNow } from "./time.js";
import { icon } from "./words.js";

const MOST_MB = 20;
const form = document.querySelector("[data-phone-form]");
const shots = []; // {file, claim, frame}
let typed = false; // the person wrote the place by hand: the fix no longer overwrites it
let settled = false;

// ---- photos

function claimNow() {
  const at = fix.current();
  const claim = { taken_at: new Date(serverNow()).toISOString() };
  if (at && at.accuracy_m < fix.POOR_M) claim.position = { lon: at.lon, lat: at.lat, crs: "wgs84", accuracy_m: at.accuracy_m };
  return claim;
}

function add(file, claim) {
  const frame = document.createElement("div");
  frame.className = "photo";
  const image = document.createElement("img");
  image.alt = file.name;
  image.src = URL.createObjectURL(file);
  const drop = document.createElement("button");
  drop.type = "button";
  drop.className = "drop";
  drop.append(icon("ui-close"));
  const shot = { file, claim, frame };
  drop.addEventListener("click", () => {
    shots.splice(shots.indexOf(shot), 1);
    URL.revokeObjectURL(image.src);
    frame.remove();
    rules();
  });
  frame.append(image, drop);
  shots.push(shot);
  form.querySelector("[data-shots] .slot").before(frame);
}

function onPicked(input) {
  const camera = input.name === "photo";
  for (const file of input.files) add(file, camera ? claimNow() : null); // an older picture speaks by its own EXIF
  input.value = "";
  rules();
}

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
    const count = shots.length + Number(camera.dataset.have ?? 0);
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
  for (const shot of shots) data.append("photo", shot.file, shot.file.name || "photo.jpg");
  if (shots.length) data.append("claims", JSON.stringify({ photos: shots.map((shot) => shot.claim) }));
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

async function send() {
  try {
    return await call(form.getAttribute("action"), { form: filled() });
  } catch (fault) {
    if (!(fault instanceof Problem) || fault.code !== "csrf" || !(await freshToken())) throw fault;
    return call(form.getAttribute("action"), { form: filled() });
  }
}

async function onStale() {
  const page = await fresh();
  const other = page.querySelector("#" + CSS.escape(form.id));
  if (!other?.elements.version) return told(fix.word("gone"), { href: location.pathname, zh: fix.word("see") });
  form.elements.version.value = other.elements.version.value;
  return told(fix.word("stale", { state: page.querySelector(".bar .pill")?.textContent.trim() ?? "" }));
}

async function onFault(fault) {
  if (!(fault instanceof Problem)) throw fault;
  if (fault.status === 0) return told(fix.word("offline"));
  if (fault.status === 401) return told(fix.word("signin"), { href: "/signin?next=/phone/me", zh: fix.word("signin_link"), apart: true });
  if (fault.status === 412) return onStale();
  if (fault.code === "clash") form.elements.client_id.value = crypto.randomUUID();
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
  const heavy = shots.findIndex((shot) => shot.file.size > MOST_MB * 1024 * 1024);
  if (heavy >= 0) {
    const m = Math.ceil(shots[heavy].file.size / 1024 / 1024);
    showFaults(form, [{ field: form.querySelector("#f-photo"), sentence: fix.word("too_big", { n: heavy + 1, m }) }]);
    return;
  }
  const at = form.elements.at_claimed ?? form.elements.seen_at;
  if (at && !at.value) at.value = new Date(serverNow()).toISOString(); // when it was done here, however late it arrives
  told("");
  showFaults(form, []);
  const button = event.submitter ?? document.querySelector(`[form="${CSS.escape(form.id)}"]`);
  button.dataset.busy = shots.length ? fix.word("sending_n", { n: shots.length }) : fix.word("sending");
  const ready = busy(button);
  draft.keep();
  try {
    sent(await send());
  } catch (fault) {
    await onFault(fault);
  } finally {
    ready();
  }
}

if (form) {
  for (const input of form.querySelectorAll("[data-camera] input[type=file]")) input.addEventListener("change", () => onPicked(input));
  form.addEventListener("input", rules);
  form.addEventListener("change", rules);
  form.addEventListener("submit", onSubmit);
  if (draft.restore(form)) told(fix.word("kept"));
  rules();
  watchMissing();
  followFix();
}
