// The sum of a busy hour, in a worker so that the page stays alive: the number whose SHA-256 begins with zero bits.
import { sha256 } from "../vendor/@noble/hashes/sha2.js";

const encoder = new TextEncoder();

function zeros(digest) {
  let bits = 0;
  for (const byte of digest) {
    if (byte) return bits + Math.clz32(byte) - 24;
    bits += 8;
  }
  return bits;
}

onmessage = ({ data: { word, bits } }) => {
  for (let number = 0; ; number += 1) {
    const answer = word + ":" + number;
    if (zeros(sha256(encoder.encode(answer))) >= bits) return postMessage(answer);
  }
};
