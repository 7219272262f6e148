// What every page of the phone runs: the service worker, the outbox's count and its tries, the strip that says there
// is no network, and what is kept for later. Sends by the outbox alone.
import { Problem } from "./http.js";
import * as kept from "./phone-kept.js";
import * as queue from "./phone-queue.js";
import { say, speak } from "./words.js";

const owner = queue.owner();

async function count() {
  const all = await queue.waiting();
  for (const mark of document.querySelectorAll('[data-count="outbox"]')) {
    mark.textContent = String(all.length);
    mark.hidden = !all.length;
    mark.closest("a").setAttribute("aria-label", say("outbox_count", { n: all.length }));
  }
  const line = document.querySelector("[data-offline]");
  if (!line) return;
  line.hidden = navigator.onLine;
  line.querySelector("[data-offline-words]").textContent = say(all.length ? "offline_n" : "offline_0", { n: all.length });
}

async function up() {
  await count();
  speak(say("online"));
  await queue.run(true);
}

addEventListener("online", up);
addEventListener("offline", count);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && navigator.onLine) queue.run(true);
});
queue.onChange(count);

document.querySelector("[data-signout]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  await kept.forget();
  event.target.submit();
});

/** WeChat's own browser may clear everything at any time: nothing is kept there unless the person says so. */
function wechat() {
  const strip = document.querySelector("[data-wechat]");
  if (strip) strip.hidden = !queue.inWeChat;
  strip?.querySelector("[data-insist]")?.addEventListener("click", () => {
    localStorage.setItem("patrol.insist", "1");
    location.reload();
  });
}

async function start() {
  wechat();
  await count();
  if (!owner || !queue.mayKeep()) return;
  if (navigator.onLine) queue.wake();
  await kept.check(owner);
  if (!globalThis.isSecureContext || !navigator.serviceWorker) {
    document.querySelector("[data-untrusted]")?.removeAttribute("hidden");
    return;
  }
  await navigator.serviceWorker.register("/phone/sw.js", { scope: "/phone", updateViaCache: "none" });
  await navigator.serviceWorker.ready;
  if (navigator.onLine) {
    try {
      await kept.refresh(owner);
    } catch (fault) {
      if (!(fault instanceof Problem) && !(fault instanceof TypeError)) throw fault; // the line went away: next page
    }
  }
  document.documentElement.dataset.kept = "yes";
}

start();
