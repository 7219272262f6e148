"""Sealed envelopes for informants, receipt codes and slip check codes (domain.md §9).

An envelope is sealed to public keys only; this process can write it and never read it. Nothing here stores,
logs or names anything: it takes bytes and gives bytes. The codes are keyed hashes, so that the database
holds nothing with which a code could be guessed or a sender named.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Sequence

import nacl.bindings
import nacl.exceptions
import nacl.pwhash
import nacl.secret
import nacl.utils
from nacl.public import PrivateKey, PublicKey, SealedBox

from patrol.errors import BadInput, Fault, Misconfigured, Refused

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RECEIPT_CODE_LENGTH = 16
CHECK_CODE_LENGTH = 10

_MAGIC = b"PATROL\x01"
_KEY_BYTES = 32
_KEY_ID_BYTES = 8
_WRAPPED_BYTES = _KEY_BYTES + 48  # a sealed box adds 32 bytes of public key and 16 of authenticator
_PAD_BYTES = 256  # a short name and a long one make envelopes of the same length
_MOST_RECIPIENTS = 64
_KDF_OPS = 3
_KDF_MEMORY_BYTES = 64 * 1024 * 1024  # a browser on an office PC or phone can still allocate it
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_DASHES = "-‐‑‒–—―−－_·."


# --- envelopes -----------------------------------------------------------------------------------------


def make_keypair() -> tuple[bytes, bytes]:
    """Make a key pair for an officer, the operator or the recovery sheet: (private key, public key)."""
    private = PrivateKey.generate()
    return bytes(private), bytes(private.public_key)


def seal(public_keys: Sequence[bytes], plaintext: bytes) -> bytes:
    """Seal `plaintext` so that the holder of any one of `public_keys` can open it, and nobody else."""
    keys = list(dict.fromkeys(public_keys))
    if not keys:
        raise Misconfigured(
            "还没有任何收件公钥，密封信息无法保存。请先建立奖励专员或话务员的密钥。", code="no_seal_key"
        )
    if len(keys) > _MOST_RECIPIENTS:
        raise BadInput(Fault("public_keys", "too_many_keys", f"收件公钥最多 {_MOST_RECIPIENTS} 个。"))
    data_key = nacl.utils.random(_KEY_BYTES)
    wrapped = b"".join(_key_id(key) + _wrap(key, data_key) for key in keys)
    padded = nacl.bindings.sodium_pad(plaintext, _PAD_BYTES)
    return _MAGIC + bytes([len(keys)]) + wrapped + bytes(nacl.secret.SecretBox(data_key).encrypt(padded))


def open_sealed(private_key: bytes, sealed: bytes) -> bytes:
    """Open an envelope; `Refused` when it is not for this key, `BadInput` when it is damaged."""
    data_key, body = _unwrap(private_key, sealed)
    try:
        return bytes(nacl.bindings.sodium_unpad(nacl.secret.SecretBox(data_key).decrypt(body), _PAD_BYTES))
    except (nacl.exceptions.CryptoError, ValueError):
        raise _damaged() from None


def reseal(private_key: bytes, sealed: bytes, public_keys: Sequence[bytes]) -> bytes:
    """Seal the same content anew for `public_keys`: how one who can open lets a new officer in."""
    return seal(public_keys, open_sealed(private_key, sealed))


def recipients(sealed: bytes) -> list[str]:
    """List the short ids of the keys that can open an envelope, in their order."""
    return [key_id.hex() for key_id, _ in _split(sealed)[0]]


def key_id(public_key: bytes) -> str:
    """Return the short id of a public key, as `recipients` lists it."""
    return _key_id(public_key).hex()


def _key_id(public_key: bytes) -> bytes:
    return hashlib.blake2b(public_key, digest_size=_KEY_ID_BYTES, person=b"patrol-key-id").digest()


def _wrap(public_key: bytes, data_key: bytes) -> bytes:
    try:
        return bytes(SealedBox(PublicKey(public_key)).encrypt(data_key))
    except (nacl.exceptions.CryptoError, TypeError, ValueError):
        raise BadInput(Fault("public_keys", "bad_key", "公钥无效，应是 32 字节。")) from None


def _split(sealed: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    head = len(_MAGIC) + 1
    if len(sealed) < head or not sealed.startswith(_MAGIC):
        raise _damaged()
    size = _KEY_ID_BYTES + _WRAPPED_BYTES
    end = head + sealed[head - 1] * size
    if sealed[head - 1] == 0 or len(sealed) < end:
        raise _damaged()
    slots = [sealed[at : at + size] for at in range(head, end, size)]
    return [(slot[:_KEY_ID_BYTES], slot[_KEY_ID_BYTES:]) for slot in slots], sealed[end:]


def _unwrap(private_key: bytes, sealed: bytes) -> tuple[bytes, bytes]:
    slots, body = _split(sealed)
    try:
        private = PrivateKey(private_key)
    except (nacl.exceptions.CryptoError, TypeError, ValueError):
        raise BadInput(Fault("private_key", "bad_key", "私钥无效，应是 32 字节。")) from None
    mine = _key_id(bytes(private.public_key))
    for slot_id, wrapped in slots:
        if slot_id == mine:
            try:
                return bytes(SealedBox(private).decrypt(wrapped)), body
            except (nacl.exceptions.CryptoError, ValueError):
                raise _damaged() from None
    raise Refused("这把密钥打不开这份密封信息。", code="not_a_recipient")


def _damaged() -> BadInput:
    return BadInput(Fault("sealed", "damaged", "密封信息已损坏，打不开。"))


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
