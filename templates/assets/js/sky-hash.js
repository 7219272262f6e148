// A worker that reads a file once, bit by bit, and gives its SHA-256; the page stays free meanwhile.
import { sha256 } from "/assets/vendor/@noble/hashes/sha2.js";

const TELL_EVERY = 8 * 1024 * 1024;

self.onmessage = async ({ data: { id, file } }) => {
  try {
    const sum = sha256.create();
    const reader = file.stream().getReader();
    let done = 0;
    let told = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      sum.update(part.value);
      done += part.value.length;
      if (done - told >= TELL_EVERY) {
        told = done;
        self.postMessage({ id, done });
      }
    }
    const hex = Array.from(sum.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("");
    self.postMessage({ id, digest: hex });
  } catch (fault) {
    self.postMessage({ id, fault: String(fault.message ?? fault) });
  }
};
