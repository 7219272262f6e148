// Sealed envelopes in the holder's own browser, byte for byte as patrol/gateways/envelopes.py and identity.py make
// them: libsodium's sealed boxes and secret boxes, key files under a passphrase, the printed recovery key.
// Nothing here speaks to a server. Private keys and opened words live in the page's memory only.
import "../vendor/tweetnacl/nacl-fast.min.js";
import { argon2idAsync } from "../vendor/@noble/hashes/argon2.js";
import { blake2b } from "../vendor/@noble/hashes/blake2.js";

const nacl = self.nacl;
const MAGIC = [0x50, 0x41, 0x54, 0x52, 0x4f, 0x4c, 0x02]; // PATROL, version 2
const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const KDF = { ops: 3, memory_bytes: 64 * 1024 * 1024 };
export const SHORTEST = 12;

/** What went wrong, by a word of the page: wrong_passphrase, damaged, not_yours, mistyped. */
export class Unopened extends Error {}

export const toText = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
export const toBytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const person = (words) => Uint8Array.from({ length: 16 }, (_, at) => words.charCodeAt(at) || 0);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const makeKey = () => nacl.box.keyPair().secretKey;
export const publicOf = (secret) => nacl.box.keyPair.fromSecretKey(secret).publicKey;
export const keyId = (open) => hex(blake2b(open, { dkLen: 8, personalization: person("patrol-key-id") }));
export const xor = (one, other) => one.map((byte, at) => byte ^ other[at]);

/** Wrap a share to a public key (crypto_box_seal). */
export function wrap(open, share) {
  const once = nacl.box.keyPair();
  const nonce = blake2b(joined(once.publicKey, open), { dkLen: 24 });
  return joined(once.publicKey, nacl.box(share, nonce, open, once.secretKey));
}

export function unwrap(secret, wrapped) {
  if (wrapped.length !== 80) throw new Unopened("not_yours");
  const sender = wrapped.subarray(0, 32);
  const nonce = blake2b(joined(sender, publicOf(secret)), { dkLen: 24 });
  const share = nacl.box.open(wrapped.subarray(32), nonce, sender, secret);
  if (!share) throw new Unopened("not_yours");
  return share;
}

/** What is inside a locked body. */
export function openBody(key, body) {
  if (!MAGIC.every((byte, at) => body[at] === byte)) throw new Unopened("damaged");
  const at = MAGIC.length;
  const padded = nacl.secretbox.open(body.subarray(at + 24), body.subarray(at, at + 24), key);
  const end = padded ? padded.lastIndexOf(0x80) : -1;
  if (end < 0 || padded.subarray(end + 1).some((byte) => byte)) throw new Unopened("damaged");
  return padded.subarray(0, end);
}

// ---- key files

async function stretch(passphrase, salt, { ops, memory_bytes: memory }) {
  const words = new TextEncoder().encode(passphrase.normalize("NFKC"));
  return argon2idAsync(words, salt, { t: ops, m: memory / 1024, p: 1, dkLen: 32, asyncTick: 100 });
}

/** A key file: the private key under a passphrase. */
export async function lockKey(secret, passphrase) {
  const [salt, nonce] = [nacl.randomBytes(16), nacl.randomBytes(24)];
  const box = joined(nonce, nacl.secretbox(secret, nonce, await stretch(passphrase, salt, KDF)));
  return JSON.stringify({ patrol_key: 1, public: toText(publicOf(secret)), kdf: "argon2id13", ...KDF, salt: toText(salt), box: toText(box) }, null, 1) + "\n";
}

export async function unlockKey(file, passphrase) {
  let kept;
  try {
    kept = JSON.parse(file);
    const sane = kept.patrol_key === 1 && kept.kdf === "argon2id13" && kept.ops >= 1 && kept.ops <= 10
      && kept.memory_bytes >= 8192 && kept.memory_bytes <= 2 ** 30;
    if (!sane || toBytes(kept.salt).length !== 16) throw new Unopened("damaged");
  } catch {
    throw new Unopened("damaged");
  }
  const box = toBytes(kept.box);
  const secret = nacl.secretbox.open(box.subarray(24), box.subarray(0, 24), await stretch(passphrase, toBytes(kept.salt), kept));
  if (!secret) throw new Unopened("wrong_passphrase");
  return secret;
}

// ---- the printed recovery key

const recoverySum = (secret) => blake2b(secret, { dkLen: 5, personalization: person("patrol-recovery") });

export function recoveryText(secret) {
  let value = BigInt("0x" + hex(joined(secret, recoverySum(secret)))) << 4n;
  let digits = "";
  for (let at = 0; at < 60; at += 1, value >>= 5n) digits = CROCKFORD[Number(value & 31n)] + digits;
  return digits.match(/.{4}/g).join("-");
}

export function readRecovery(text) {
  const plain = text.normalize("NFKC").toUpperCase().replace(/[\s\-–—_.·]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
  if (plain.length !== 60 || [...plain].some((letter) => !CROCKFORD.includes(letter))) throw new Unopened("mistyped");
  const value = [...plain].reduce((sum, letter) => sum * 32n + BigInt(CROCKFORD.indexOf(letter)), 0n);
  const raw = Uint8Array.from((value >> 4n).toString(16).padStart(74, "0").match(/../g), (pair) => parseInt(pair, 16));
  const secret = raw.subarray(0, 32);
  if (value & 15n || hex(recoverySum(secret)) !== hex(raw.subarray(32))) throw new Unopened("mistyped");
  return Uint8Array.from(secret);
}
