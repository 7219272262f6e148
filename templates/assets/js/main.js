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

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy && navigator.clipboard) {
    await navigator.clipboard.writeText(copy.dataset.copy);
    speak(say("copied"));
  }
  if (event.target.closest('[data-act="reload"]')) location.reload();
  if (event.target.closest('[data-act="print"]')) print();
});
