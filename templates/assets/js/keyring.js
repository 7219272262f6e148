// The key in hand: its file from this browser, a file or the printed recovery key, opened by a passphrase. The file
// stays in this browser and wherever its holder puts it; the opened key lives until the page is left.
import { busy, showFaults } from "./forms.js";
import { keyId, lockKey, publicOf, readRecovery, recoveryText, SHORTEST, Unopened, unlockKey } from "./sealbox.js";
import { say, speak } from "./words.js";

const NAME = "patrol-key-";
let inHand = null;

/** The opened key {id, secret, file}; asks for it, with the cursor in the field, where none is open. */
export function need() {
  if (inHand) return inHand;
  const card = document.querySelector("[data-unlock]");
  card.hidden = false;
  showFaults(card, [{ field: card.elements.passphrase, sentence: say("open_first") }]);
  throw new Unopened("open_first");
}

export const isOpen = () => inHand !== null;

export function kept(id) {
  try {
    return localStorage.getItem(NAME + id);
  } catch {
    return null; // a browser that keeps nothing: the file has to be chosen each time
  }
}

export function keep(id, file) {
  try {
    localStorage.setItem(NAME + id, file);
  } catch {
    return; // the downloaded file is what counts
  }
}

/** A new key under a passphrase, or the one a recovery sheet gives back: {id, secret, file}, in hand at once. */
export async function take(secret, passphrase) {
  const file = await lockKey(secret, passphrase);
  const id = keyId(publicOf(secret));
  keep(id, file);
  inHand = { id, secret, file };
  return inHand;
}

export function tooShort(first, again) {
  if (first.value.length < SHORTEST) return [{ field: first, sentence: say("short") }];
  return first.value === again.value ? [] : [{ field: again, sentence: say("differ") }];
}

export const explain = (fault) => (fault instanceof Unopened ? say(fault.message) : null);

/** Hand the key file to the holder: a download with the key's own name. */
export function download({ id, file }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file], { type: "application/json" }));
  link.download = "patrol-" + id + ".key";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** The sheet for the safe: shown on the page, printed from it. */
export function showRecovery(box, key) {
  box.querySelector("[data-recovery-text]").textContent = recoveryText(key.secret);
  box.querySelector("[data-recovery-id]").textContent = key.id;
  box.hidden = false;
  box.scrollIntoView({ block: "center" });
}

/** The card that opens one's key; `then` runs when it is open. */
export function start(then) {
  const card = document.querySelector("[data-unlock]");
  if (!card) return;
  const mine = card.dataset.mine.split(",").filter(Boolean);
  const here = mine.find((id) => kept(id));
  card.querySelector("[data-file]").hidden = Boolean(here);
  card.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { file, passphrase, recovery, again } = card.elements;
    const done = busy(event.submitter);
    showFaults(card, []);
    try {
      if (recovery.value.trim()) {
        const faults = tooShort(passphrase, again);
        if (faults.length) return showFaults(card, faults);
        const secret = readRecovery(recovery.value);
        if (!mine.includes(keyId(publicOf(secret)))) throw new Unopened("not_mine");
        download(await take(secret, passphrase.value));
      } else {
        const text = file.files.length ? await file.files[0].text() : here && kept(here);
        if (!text) throw new Unopened("no_file");
        const secret = await unlockKey(text, passphrase.value);
        const id = keyId(publicOf(secret));
        if (!mine.includes(id)) throw new Unopened("not_mine");
        keep(id, text);
        inHand = { id, secret, file: text };
      }
      card.reset();
      card.hidden = true;
      document.querySelector("[data-opened]").hidden = false;
      speak(say("opened"));
      then?.(inHand);
    } catch (fault) {
      const sentence = explain(fault);
      if (!sentence) throw fault;
      showFaults(card, [{ field: fault.message === "mistyped" ? recovery : passphrase, sentence }]);
    } finally {
      done();
    }
  });
}
