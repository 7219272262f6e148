// Review by keyboard: J and K turn to the next and the one before, B changes the view, O hides the outline. Yes, no
// with a reason and joining are buttons with keys of their own (keys.js presses them).
const crop = document.querySelector("[data-crop]");
const shown = crop?.querySelector("[data-shown]");

function show(chip) {
  shown.src = chip.dataset.view;
  for (const other of crop.querySelectorAll("[data-bands] .chip")) {
    if (other === chip) other.setAttribute("aria-current", "true");
    else other.removeAttribute("aria-current");
  }
}

crop?.addEventListener("click", (event) => {
  const chip = event.target.closest("[data-bands] .chip");
  if (!chip) return;
  event.preventDefault();
  show(chip);
});
crop?.querySelector("[data-outline]")?.addEventListener("change", (event) => crop.classList.toggle("no-marks", !event.target.checked));

const off = () => {
  try {
    return localStorage.getItem("patrol.single_keys") === "off";
  } catch {
    return false;
  }
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || off()) return;
  if (event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, dialog[open]")) return;
  const key = event.key.toUpperCase();
  if (key === "J" || key === "K") {
    const link = document.querySelector(key === "J" ? "[data-next]" : "[data-prev]");
    event.preventDefault();
    event.stopImmediatePropagation();
    if (link) location.href = link.href;
  } else if (key === "B" && crop) {
    const chips = [...crop.querySelectorAll("[data-bands] .chip")];
    if (chips.length) show(chips[(chips.findIndex((chip) => chip.hasAttribute("aria-current")) + 1) % chips.length]);
    event.preventDefault();
  } else if (key === "O" && crop) {
    crop.querySelector("[data-outline]")?.click();
    event.preventDefault();
  }
}, { capture: true });

const list = document.querySelector(".pane-list");
const open = list?.querySelector("[aria-current]");
if (open && list.scrollHeight > list.clientHeight) list.scrollTop = open.offsetTop - list.offsetTop - list.clientHeight / 3;
