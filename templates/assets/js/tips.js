// A receipt's QR opens /tips#CODE: the code goes into the form, off the address, and to the server in a body.
import * as receipts from "./receipts.js";
import { icon, say } from "./words.js";

const form = document.querySelector("form[data-tips]");

function take() {
  const code = location.hash.slice(1);
  if (!form || !/^[0-9A-Za-z-]{16,24}$/.test(code)) return;
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.code.value = code;
  form.requestSubmit();
}

/** What was reported from this phone: one press opens it, another takes it off. */
function mine() {
  const part = document.querySelector("[data-mine]");
  if (!part) return;
  const kept = receipts.all();
  part.hidden = kept.length === 0;
  part.querySelector("[data-mine-list]").replaceChildren(...kept.map((one) => {
    const what = [one.kind, (one.at ?? "").slice(5, 10)].filter(Boolean).join(" ");
    const row = document.createElement("li");
    const open = document.createElement("button");
    open.type = "button";
    open.className = "btn grow";
    open.append(what || one.code.slice(0, 4) + "…", icon("ui-next"));
    open.addEventListener("click", () => {
      form.elements.code.value = one.code;
      form.requestSubmit();
    });
    const off = document.createElement("button");
    off.type = "button";
    off.className = "btn btn-plain btn-icon";
    off.setAttribute("aria-label", say("drop", { what }));
    off.append(icon("ui-close"));
    off.addEventListener("click", () => {
      receipts.drop(one.code);
      mine();
    });
    row.append(open, off);
    return row;
  }));
}

mine();
addEventListener("hashchange", take);
take();
