// The desk's own help: digits choose the kind, a changed kind proposes its unit and limit, a press on the river
// strip fills in chainage and bank, and the open row stays in view. Every one of these has a way without script.

const form = document.querySelector("form[id^='step-']");
const holder = document.querySelector("[data-proposals]");
const proposals = holder ? JSON.parse(holder.dataset.proposals) : {};

function kinds() {
  return [...document.querySelectorAll("input[type=radio][name=kind]")];
}

function shownKind() {
  return kinds().find((radio) => radio.checked)?.value;
}

// What a person typed stays; only what still stands as proposed follows the kind.
let proposed = proposals[shownKind()];

function propose() {
  const next = proposals[shownKind()];
  if (!form || !next || !proposed) return;
  const unit = form.elements.lead_unit;
  const amount = form.elements.limit;
  const of = form.elements.limit_unit;
  if (unit && unit.value === proposed.unit) unit.value = next.unit;
  if (amount && of && Number(amount.value) === proposed.amount && of.value === proposed.of) {
    amount.value = String(next.amount);
    of.value = next.of;
    if (form.elements.limit_for) form.elements.limit_for.value = shownKind();
  }
  proposed = next;
  sayDue();
}

function sayDue() {
  const amount = form?.elements.limit;
  const of = form?.elements.limit_unit;
  const note = amount?.closest(".input-pair")?.querySelector(".note");
  if (!note) return;
  const same = proposed && Number(amount.value) === proposed.amount && of.value === proposed.of;
  note.textContent = same ? proposed.due : "";
}

document.addEventListener("change", (event) => {
  if (event.target.matches("input[name=kind]")) propose();
  if (event.target.matches("[name=limit], [name=limit_unit]")) sayDue();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, dialog[open]")) return;
  if (!/^[1-7]$/.test(event.key)) return;
  try {
    if (localStorage.getItem("patrol.single_keys") === "off") return;
  } catch {
    // kept nowhere: the keys stay on
  }
  const radio = kinds()[Number(event.key) - 1];
  if (!radio) return;
  radio.click();
  radio.focus();
  event.preventDefault();
});

// A press on the strip: upper half is the left bank. Marks keep being links.
document.querySelector("[data-pick]")?.addEventListener("click", (event) => {
  const strip = event.currentTarget.querySelector("[data-strip]");
  const svg = strip?.querySelector("svg");
  const place = form?.elements.position_k;
  if (!svg || !place || event.target.closest("a")) return;
  const box = svg.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  const metres = Math.round(share * Math.floor(Number(strip.dataset.lengthM)));
  place.value = "K" + Math.floor(metres / 1000) + "+" + String(metres % 1000).padStart(3, "0");
  const bank = event.clientY - box.top < 29 ? "left" : "right";
  const radio = form.querySelector(`input[name=position_bank][value=${bank}]`);
  if (radio) radio.checked = true;
  place.focus();
});

// Only the list scrolls, never the page.
const open = document.querySelector(".pane-list [aria-current]");
const list = open?.closest(".pane-list");
if (list && list.scrollHeight > list.clientHeight) list.scrollTop = open.offsetTop - list.offsetTop - list.clientHeight / 3;
