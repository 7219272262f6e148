// The question of the two places a position may be. Only the sender's own answer moves it; another position ends it.

/** Show the question where the server asked it. */
export function ask(form, faults) {
  const asked = faults.find((fault) => fault.code === "maybe_gcj02");
  const box = form.querySelector("[data-read-as]");
  if (!asked || !box) return;
  box.hidden = false;
  box.querySelector("[data-read-as-words]").textContent = asked.sentence;
  asked.sentence = box.dataset.which; // both places are named above the answers: once is enough
}

export function forget(form) {
  const box = form.querySelector("[data-read-as]");
  if (!box) return;
  box.hidden = true;
  for (const answer of box.querySelectorAll("input")) answer.checked = false;
}
