// Forms say what is missing instead of greying a button out: pressing it names every missing thing at once and
// puts the cursor into the first. Values are never cleared. The server checks the same again.
import { icon, say, speak } from "./words.js";

function isEmpty(field) {
  if (field.matches("fieldset")) return !field.querySelector("input:checked");
  if (field.type === "checkbox") return !field.checked;
  if (field.type === "file") return field.files.length === 0 && !field.closest("[data-photos]")?.querySelector("[data-shown] .photo:not(.slot)");
  return field.value.trim() === "";
}

/** What a form still lacks: [{field, sentence}] in the order of the page. */
export function lacks(form) {
  return [...form.querySelectorAll("[data-required]")]
    .filter((field) => !field.disabled && !field.closest("[hidden]") && isEmpty(field))
    .map((field) => ({ field, sentence: field.dataset.required }));
}

/** Show the box of missing things in a form and focus the first. faults: [{field?, where?, sentence}] */
export function showFaults(form, faults) {
  const place = form.querySelector("[data-missing]") ?? form;
  place.querySelector(".missing")?.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  if (!faults.length) return;
  const box = document.createElement("div");
  box.className = "missing missing-block";
  const head = document.createElement("h3");
  head.append(icon("time-soon"), say("missing", { n: faults.length }));
  const list = document.createElement("ul");
  for (const fault of faults) {
    const field = fault.field ?? (fault.where ? form.querySelector("#" + CSS.escape("f-" + fault.where)) : null);
    const line = document.createElement("li");
    const words = document.createElement(field ? "a" : "span");
    words.textContent = fault.sentence;
    if (field) {
      field.setAttribute("aria-invalid", "true");
      words.href = "#" + field.id;
      words.addEventListener("click", (event) => {
        event.preventDefault();
        focus(field);
      });
      fault.field = field;
    }
    line.append(icon("time-not_started"), words);
    list.append(line);
  }
  box.append(head, list);
  place.append(box);
  speak(head.textContent);
  const first = faults.find((fault) => fault.field);
  if (first) focus(first.field);
}

function focus(field) {
  const target = field.matches("fieldset") ? field.querySelector("input") ?? field : field;
  target.focus();
  field.scrollIntoView({ block: "center" });
}

/** Turn a button busy: the word changes, the width stays. Gives back the way to end it. */
export function busy(button) {
  const words = button.querySelector("span") ?? button;
  const before = words.textContent;
  button.style.setProperty("min-width", button.offsetWidth + "px");
  button.setAttribute("aria-busy", "true");
  words.textContent = button.dataset.busy ?? say("busy");
  return () => {
    button.removeAttribute("aria-busy");
    words.textContent = before;
  };
}

/** Ask once before an irreversible step. */
function ask(sentence, word) {
  return new Promise((answer) => {
    const sheet = document.createElement("dialog");
    sheet.className = "sheet";
    const words = document.createElement("p");
    words.textContent = sentence;
    const row = document.createElement("div");
    row.className = "btn-row";
    for (const [value, zh, cls] of [["yes", word, "btn btn-main"], ["no", say("cancel"), "btn"]]) {
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

async function onSubmit(event) {
  const form = event.target.closest("form[data-form]");
  if (!form) return;
  const button = event.submitter ?? form.querySelector("[type=submit]");
  if (button?.getAttribute("aria-busy") === "true") {
    event.preventDefault(); // a second press sends nothing
    return;
  }
  if (!button?.hasAttribute("formnovalidate")) {
    const missing = lacks(form);
    if (missing.length) {
      event.preventDefault();
      event.stopImmediatePropagation(); // page scripts that send the form themselves never see a lacking one
      showFaults(form, missing);
      return;
    }
  }
  if (form.dataset.confirm && form.dataset.sure !== "yes") {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (await ask(form.dataset.confirm, button?.querySelector("span")?.textContent ?? say("sure"))) {
      form.dataset.sure = "yes";
      form.requestSubmit(button);
      delete form.dataset.sure;
    }
    return;
  }
  // Forms a page script sends (data-form="script") turn busy there; a plain one turns busy here.
  if (button && form.dataset.form !== "script") busy(button);
}

function showPicked(input) {
  const shown = input.closest("[data-photos]")?.querySelector("[data-shown]");
  if (!shown) return;
  shown.querySelectorAll("[data-picked]").forEach((old) => {
    URL.revokeObjectURL(old.querySelector("img").src);
    old.remove();
  });
  for (const file of input.files) {
    const frame = document.createElement("div");
    frame.className = "photo";
    frame.dataset.picked = "";
    const image = document.createElement("img");
    image.alt = file.name;
    image.src = URL.createObjectURL(file);
    frame.append(image);
    shown.prepend(frame);
  }
}

export function start() {
  document.addEventListener("submit", onSubmit, { capture: true });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-photos] input[type=file]")) showPicked(event.target);
    const form = event.target.form;
    if (form?.matches("[data-form]") && form.querySelector("[data-missing] .missing-block")) {
      const still = lacks(form);
      if (!still.length) form.querySelector("[data-missing] .missing-block").remove();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form?.requestSubmit();
  });
  document.querySelector("[data-faults]")?.focus();
}
