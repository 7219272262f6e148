// This phone as a way in: a key the browser keeps and cannot give away, with a PIN. On 我的 it is made, at the sign-in
// it signs. Only where the browser has keys at all (an encrypted address).
import { call, Problem } from "./http.js";
import * as kept from "./phone-kept.js";
import * as store from "./phone-store.js";

const KIND = { name: "ECDSA", namedCurve: "P-256" };
const box = document.querySelector("[data-device]");
const $ = (selector) => box.querySelector(selector);
const known = (await store.fact("device")) ?? null;

function told(words) {
  $("[data-device-told]").textContent = words;
}

async function bind() {
  const pair = await crypto.subtle.generateKey(KIND, false, ["sign", "verify"]);
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const made = await call("/phone/devices", { json: { name: box.dataset.name || "手机", key: { kty, crv, x, y }, pin: $("input").value } });
  await store.setFact("device", { ref: made.device, key: pair.privateKey, name: box.dataset.name });
  location.reload();
}

async function signIn() {
  const { challenge } = await call("/signin/challenge", { json: { device: known.ref } });
  const message = new TextEncoder().encode("patrol-device\n" + known.ref + "\n" + challenge);
  const signature = new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, known.key, message));
  await call("/signin/device", { json: { device: known.ref, pin: $("input").value, signature: btoa(String.fromCharCode(...signature)) } });
  location.assign(box.dataset.next || "/phone");
}

async function press(event) {
  event.preventDefault();
  told("");
  try {
    await (box.dataset.device === "bind" ? bind() : signIn());
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    if (fault.code === "device_unknown") {
      await kept.forget(); // taken away by the office: tasks go, unsent photos stay
      await store.dropFact("device");
    }
    told(fault.faults[0]?.sentence ?? fault.message);
  }
}

if (globalThis.crypto?.subtle && globalThis.isSecureContext) {
  const here = known && (box.dataset.device === "signin" || box.dataset.refs.split(" ").includes(known.ref));
  if (box.dataset.device === "signin") box.hidden = !known;
  else {
    $("[data-bound]").hidden = !here;
    $("form").hidden = Boolean(here);
  }
  $("[data-device-form]").addEventListener("submit", press);
} else if (box.dataset.device === "bind") told(box.dataset.none);
