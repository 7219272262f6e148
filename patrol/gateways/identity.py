"""Key files of those who open envelopes, receipt codes and slip check codes (domain.md §9).

Nothing here stores, logs or names anything: it takes bytes and gives bytes. The codes are keyed hashes, so
that the database holds nothing with which a code could be guessed or a sender named.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import unicodedata

import nacl.exceptions
import nacl.pwhash
import nacl.secret
import nacl.utils
from nacl.public import PrivateKey

from patrol.errors import BadInput, Fault, Misconfigured, Refused

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RECEIPT_CODE_LENGTH = 16
CHECK_CODE_LENGTH = 10

_KEY_BYTES = 32
_KDF_OPS = 3
_KDF_MEMORY_BYTES = 64 * 1024 * 1024  # a browser on an office PC or phone can still allocate it
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_DASHES = "-‐‑‒–—―−－_·."


# --- key files and the recovery sheet ------------------------------------------------------------------


def lock_key(private_key: bytes, passphrase: str) -> bytes:
    """Make a key file (JSON): the private key under a passphrase, Argon2id and secretbox."""
    if len(passphrase) < 12:
        raise BadInput(Fault("passphrase", "too_short", "口令太短，至少 12 个字。"))
    salt = nacl.utils.random(nacl.pwhash.argon2id.SALTBYTES)
    box = nacl.secret.SecretBox(_stretch(passphrase, salt, _KDF_OPS, _KDF_MEMORY_BYTES)).encrypt(private_key)
    content = {
        "patrol_key": 1,
        "public": _text(bytes(PrivateKey(private_key).public_key)),
        "kdf": "argon2id13",
        "ops": _KDF_OPS,
        "memory_bytes": _KDF_MEMORY_BYTES,
        "salt": _text(salt),
        "box": _text(bytes(box)),
    }
    return json.dumps(content, indent=1).encode() + b"\n"


def unlock_key(key_file: bytes, passphrase: str) -> bytes:
    """Return the private key of a key file; `Refused` on a wrong passphrase, `BadInput` on a broken file."""
    broken = BadInput(Fault("key_file", "damaged", "密钥文件读不出来，请换一份备份。"))
    try:
        content = json.loads(key_file)
        salt, box = (base64.b64decode(content[name], validate=True) for name in ("salt", "box"))
        ops, memory_bytes = content["ops"], content["memory_bytes"]
        known = content["patrol_key"] == 1 and content["kdf"] == "argon2id13"
    except (ValueError, KeyError, TypeError):
        raise broken from None
    # A forged file must not make the opener work for an hour or eat all memory.
    sane = isinstance(ops, int) and 1 <= ops <= 10 and isinstance(memory_bytes, int)
    if not known or not sane or not 8192 <= memory_bytes <= 1 << 30 or len(salt) != 16:
        raise broken
    try:
        private = nacl.secret.SecretBox(_stretch(passphrase, salt, ops, memory_bytes)).decrypt(box)
    except (nacl.exceptions.CryptoError, ValueError):
        raise Refused("口令不对。", code="wrong_passphrase") from None
    if len(private) != _KEY_BYTES:
        raise broken
    return bytes(private)


def recovery_text(private_key: bytes) -> str:
    """Write a private key for print: groups of four Crockford characters with a checksum at the end."""
    digits = _crockford(private_key + _recovery_sum(private_key), 60)
    return "-".join(digits[at : at + 4] for at in range(0, 60, 4))


def read_recovery(text: str) -> bytes:
    """Read a printed recovery key back; a mistyped one is `BadInput`."""
    code = normalise_code(text, 60)
    if code is not None:
        value = 0
        for character in code:
            value = value * 32 + CROCKFORD.index(character)
        raw = (value >> 4).to_bytes(37, "big")
        private, checksum = raw[:_KEY_BYTES], raw[_KEY_BYTES:]
        if value & 0xF == 0 and hmac.compare_digest(checksum, _recovery_sum(private)):
            return private
    raise BadInput(Fault("recovery", "mistyped", "恢复密钥抄错了，请对照打印件逐组核对。"))


def _recovery_sum(private_key: bytes) -> bytes:
    return hashlib.blake2b(private_key, digest_size=5, person=b"patrol-recovery").digest()


def _stretch(passphrase: str, salt: bytes, ops: int, memory_bytes: int) -> bytes:
    # The same words typed on another keyboard must give the same bytes.
    words = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")
    return bytes(nacl.pwhash.argon2id.kdf(_KEY_BYTES, words, salt, opslimit=ops, memlimit=memory_bytes))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


# --- codes ---------------------------------------------------------------------------------------------


def receipt_code(receipt_key: bytes, client_id: str) -> str:
    """Return the receipt code of a tip, `XXXX-XXXX-XXXX-XXXX`: the same for a resend, 80 bits otherwise."""
    mac = hmac.digest(_checked(receipt_key), _utf8(client_id.strip().lower()), "sha256")
    digits = _crockford(mac, RECEIPT_CODE_LENGTH)
    return "-".join(digits[at : at + 4] for at in range(0, RECEIPT_CODE_LENGTH, 4))


def receipt_hash(pepper: bytes, code: str) -> str:
    """Return what is stored of a code (hex); any text has one, so a wrong code costs the same look-up."""
    return hmac.digest(_checked(pepper), _utf8(normalise_code(code) or "?" + code), "sha256").hex()


def client_key(client_secret: bytes, scope: str, client_id: str) -> str:
    """Return what is stored of a client id (hex): one sender's id means nothing in another scope."""
    return _mac(client_secret, b"client", scope, client_id.strip().lower()).hex()


def check_code(check_key: bytes, slip_digest: str, trail_head: str) -> str:
    """Return the ten characters printed on a slip that prove it is ours and rests on that trail."""
    return _crockford(_mac(check_key, b"check", slip_digest, trail_head), CHECK_CODE_LENGTH)


def same_code(given: str, expected: str) -> bool:
    """Compare a code as typed with the true one, in constant time."""
    wanted = normalise_code(expected, len(expected)) or expected
    typed = normalise_code(given, len(wanted)) or ""
    return hmac.compare_digest(typed.encode(), wanted.encode())


def normalise_code(text: str, length: int = RECEIPT_CODE_LENGTH) -> str | None:
    """Read a code as people type it (case, spaces, dashes, O for 0, I and L for 1, full width), or None."""
    if len(text) > 4 * length:
        return None
    plain = unicodedata.normalize("NFKC", text).upper().translate(_ALIKE)
    kept = "".join(character for character in plain if not character.isspace() and character not in _DASHES)
    return kept if len(kept) == length and all(character in CROCKFORD for character in kept) else None


def _mac(key: bytes, purpose: bytes, *parts: str) -> bytes:
    """Keyed hash over parts that cannot run into each other (each with its length)."""
    mac = hmac.new(_checked(key), purpose, hashlib.sha256)
    for part in parts:
        raw = _utf8(part)
        mac.update(len(raw).to_bytes(8, "big") + raw)
    return mac.digest()


def _checked(key: bytes) -> bytes:
    """Refuse an empty or short key: HMAC would take it without a word."""
    if len(key) < _KEY_BYTES:
        raise Misconfigured("密钥长度不足。", code="key_damaged")
    return key


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _crockford(raw: bytes, length: int) -> str:
    """Write the first `5 * length` bits of `raw`, padded with zero bits where it is shorter."""
    have = len(raw) * 8
    value = int.from_bytes(raw, "big")
    value = value >> (have - 5 * length) if have >= 5 * length else value << (5 * length - have)
    return "".join(CROCKFORD[(value >> (5 * at)) & 31] for at in reversed(range(length)))
