// The page of the keys: make one, hand it to its holder, let another in, report one lost; an identity opened by two.
// What is sent: public keys and wrapped shares. What is opened is shown here and nowhere kept.
import { busy, showFaults } from "./forms.js";
import { call, Problem } from "./http.js";
import * as ring from "./keyring.js";
import { makeKey, openBody, publicOf, toBytes, toText, unwrap, wrap, xor } from "./sealbox.js";
import { say, speak } from "./words.js";

const make = document.querySelector("form[data-make]");
const sheet = document.querySelector("[data-recovery]");
const shown = document.querySelector("[data-identity]");

/** Run a deed of a button: busy while it lasts, what went wrong said beside it. */
async function deed(button, run) {
  const done = busy(button);
  const box = button.closest("[data-deed]") ?? button.parentElement;
  showFaults(box, []);
  try {
    await run();
  } catch (fault) {
    const sentence = ring.explain(fault) ?? (fault instanceof Problem ? fault.message : null);
    if (!sentence) throw fault;
    if (fault.message !== "open_first") showFaults(box, [{ sentence }]);
  } finally {
    done();
  }
}

ring.start((key) => {
  for (const part of document.querySelectorAll("[data-when-open]")) part.hidden = false;
  sheet.dataset.id = key.id;
});

// ---- make: first into the holder's hands, then its public half to the server
make?.addEventListener("submit", (event) => {
  event.preventDefault();
  const { passphrase, again } = make.elements;
  const faults = ring.tooShort(passphrase, again);
  showFaults(make, faults);
  if (faults.length) return;
  deed(event.submitter, async () => {
    const key = await ring.take(makeKey(), passphrase.value);
    ring.download(key);
    ring.showRecovery(sheet, key);
    make.reset();
    make.hidden = true;
    document.querySelector("[data-register]").hidden = false;
  });
});

document.querySelector("[data-register]")?.addEventListener("click", (event) => deed(event.target.closest("button"), async () => {
  const key = ring.need();
  await call("/api/v1/keys", { json: { public: toText(publicOf(key.secret)), duty: document.body.querySelector("[data-duty]").dataset.duty } });
  location.reload();
}));

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (button) deed(button, () => DEEDS[button.dataset.do](button));
});

const DEEDS = {
  async download() {
    ring.download(ring.need());
  },
  async recovery() {
    ring.showRecovery(sheet, ring.need());
  },
  async lost(button) {
    await call("/api/v1/keys/" + button.dataset.key + "/lost", { method: "POST" });
    location.reload();
  },
  // my share of every envelope, wrapped to the newcomer: no envelope is opened for it
  async vouch(button) {
    const key = ring.need();
    const newcomer = toBytes(button.dataset.public);
    let shares = [];
    for (;;) {
      const told = await call("/api/v1/keys/" + button.dataset.key + "/vouch", { json: { key: key.id, shares } });
      if (told.state === "active") return location.reload();
      shares = told.lacking.map((one) => ({ envelope: one.envelope, wrapped: toText(wrap(newcomer, unwrap(key.secret, toBytes(one.wrapped)))) }));
    }
  },
  async ask(button) {
    const row = button.closest("[data-deed]");
    const reason = row.querySelector("input[name=reason]");
    if (!reason.value.trim()) return showFaults(row, [{ field: reason, sentence: say("no_reason") }]);
    const key = ring.need();
    const tip = await call("/api/v1/envelopes/" + row.dataset.tip);
    const side = tip.keys.find((one) => one.key === key.id)?.side;
    const others = tip.keys.filter((one) => one.side !== side);
    const shares = tip.parts.flatMap((part) => {
      const half = unwrap(key.secret, toBytes(part.mine[key.id] ?? ""));
      return others.map((other) => ({ envelope: part.envelope, to: other.key, wrapped: toText(wrap(toBytes(other.public), half)) }));
    });
    await call("/api/v1/openings", { json: { tip: row.dataset.tip, key: key.id, reason: reason.value, shares } });
    location.reload();
  },
  async open(button) {
    const key = ring.need();
    const at = "/api/v1/openings/" + button.dataset.opening;
    const told = await call(at + "/open", { json: { key: key.id } });
    const rows = [];
    for (const part of told.parts) {
      const halves = [part.mine, part.given].map((wrapped) => unwrap(key.secret, toBytes(wrapped ?? "")));
      const answer = await fetch(at + "/bodies/" + part.envelope, { credentials: "same-origin" });
      if (!answer.ok) throw new Problem(answer.status, {});
      rows.push([part.what, openBody(xor(...halves), new Uint8Array(await answer.arrayBuffer()))]);
    }
    reveal(rows);
  },
};

function reveal(rows) {
  const list = shown.querySelector("dl");
  list.replaceChildren();
  shown.querySelectorAll("figure").forEach((old) => old.remove());
  for (const [what, bytes] of rows) {
    if (what === "photo") {
      const figure = document.createElement("figure");
      const image = document.createElement("img");
      image.alt = say("photo");
      image.src = URL.createObjectURL(new Blob([bytes]));
      figure.append(image);
      shown.querySelector("[data-hide]").before(figure);
      continue;
    }
    for (const [name, words] of Object.entries(JSON.parse(new TextDecoder().decode(bytes)))) {
      const [term, said] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = say("field_" + name);
      said.textContent = words;
      list.append(term, said);
    }
  }
  shown.hidden = false;
  shown.scrollIntoView({ block: "center" });
  speak(say("shown"));
}

shown?.querySelector("[data-hide]").addEventListener("click", () => {
  shown.querySelectorAll("img").forEach((image) => URL.revokeObjectURL(image.src));
  shown.querySelectorAll("figure, dt, dd").forEach((old) => old.remove());
  shown.hidden = true;
});
