// What every page runs. Each part finds its own elements and does nothing where there are none.
import * as compare from "./compare.js";
import * as countdown from "./countdown.js";
import * as forms from "./forms.js";
import * as keys from "./keys.js";
import * as strip from "./strip.js";
import { say, speak } from "./words.js";

countdown.start();
forms.start();
strip.start();
compare.start();
if (document.body.classList.contains("desk")) keys.start();
if (document.querySelector("[data-live-strip], [data-ago]")) import("./sky-live.js");

/** Whether the words are on the clipboard now; without a secure origin the old way is the only one. */
async function copied(words) {
  if (navigator.clipboard) return navigator.clipboard.writeText(words).then(() => true, () => false);
  const field = document.createElement("textarea");
  field.value = words;
  field.className = "sr";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy && (await copied(copy.dataset.copy))) speak(say("copied"));
  if (event.target.closest('[data-act="reload"]')) location.reload();
  if (event.target.closest('[data-act="print"]')) print();
});
