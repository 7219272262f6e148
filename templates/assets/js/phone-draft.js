// What is being written on a form stays in this tab until it is sent: words and choices, never photos or a fix.
const KEY = "patrol.draft." + location.pathname + location.search;
let form = null;

function fields() {
  return [...form.elements].filter(
    (field) => field.name && !["hidden", "file", "submit", "button"].includes(field.type) && !field.closest("[data-place]"),
  );
}

/** Keep the form as it is. */
export function keep() {
  const values = fields().map((field) =>
    ["radio", "checkbox"].includes(field.type) ? [field.name, field.value, field.checked] : [field.name, field.value],
  );
  const ids = ["client_id", "at_claimed", "seen_at"].map((name) => [name, form.elements[name]?.value ?? ""]);
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ values, ids }));
  } catch {
    // a full or closed store: the page itself still holds everything
  }
}

/** Put kept values {name: value or list} back into the form. */
export function fill(values) {
  for (const field of form.elements) {
    if (!(field.name in values) || ["csrf_token", "client_id", "version"].includes(field.name) || field.type === "file") continue;
    const value = values[field.name];
    if (["radio", "checkbox"].includes(field.type)) field.checked = [value].flat().includes(field.value);
    else field.value = value;
  }
}

/** It was sent: nothing to keep. */
export function drop() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // nothing was kept
  }
}

/** Fill in what this tab kept of the form; true where that was anything. From now on changes are kept. */
export function restore(given) {
  form = given;
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  } catch {
    kept = null;
  }
  const asked = Boolean(form.querySelector("[data-faults]")); // the server gave the values back itself
  let filled = false;
  if (kept && !asked) {
    for (const [name, value, checked] of kept.values) {
      for (const field of fields().filter((each) => each.name === name)) {
        if (checked === undefined) {
          field.value = value;
          filled ||= value !== "" && field.type !== "select-one";
        } else if (field.value === value) {
          field.checked = checked;
          filled ||= checked;
        }
      }
    }
    for (const [name, value] of kept.ids) if (value && form.elements[name]) form.elements[name].value = value;
  }
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
  return filled;
}
