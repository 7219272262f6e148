// Numbers to ring back: opened one at a time, each with its reason, in the operator's own browser.
import { busy, showFaults } from "./forms.js";
import { call, Problem } from "./http.js";
import * as ring from "./keyring.js";
import { openBody, toBytes, unwrap } from "./sealbox.js";
import { say, speak } from "./words.js";

ring.start();

document.addEventListener("submit", async (event) => {
  const row = event.target.closest("form[data-callback]");
  if (!row) return;
  event.preventDefault();
  const reason = row.elements.reason;
  const missing = reason.value.trim() ? [] : [{ field: reason, sentence: say("no_reason") }];
  showFaults(row, missing);
  if (missing.length) return;
  const done = busy(event.submitter);
  try {
    const key = ring.need();
    const told = await call("/api/v1/callbacks/" + row.dataset.callback + "/open", { json: { key: key.id, reason: reason.value } });
    const number = new TextDecoder().decode(openBody(unwrap(key.secret, toBytes(told.mine)), toBytes(told.body)));
    document.querySelectorAll("[data-number]").forEach((shown) => shown.replaceChildren()); // one at a time
    const link = document.createElement("a");
    link.className = "strong nowrap";
    link.href = "tel:" + number.replace(/[^0-9+]/g, "");
    link.textContent = number;
    row.querySelector("[data-number]").replaceChildren(link);
    speak(say("shown"));
    reason.value = "";
  } catch (fault) {
    const sentence = ring.explain(fault) ?? (fault instanceof Problem ? fault.message : null);
    if (!sentence) throw fault;
    if (fault.message !== "open_first") showFaults(row, [{ sentence }]);
  } finally {
    done();
  }
});
