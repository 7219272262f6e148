"""Sealed envelopes: a locked body, and shares of its key that only named private keys can unwrap.

An envelope of two locks has its key split in two halves that are worth nothing alone (their XOR is the key): one
half wrapped to every key of side `a`, the other to every key of side `b`, like a safe with two locks. One of one
lock wraps the whole key. This process can write an envelope and never read it. The shares are kept apart from
the body: whoever destroys them has destroyed the content wherever copies of the body lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import nacl.bindings
import nacl.exceptions
import nacl.secret
import nacl.utils
from nacl.public import PrivateKey, PublicKey, SealedBox

from patrol.errors import BadInput, Fault, Misconfigured, Refused

KEY_BYTES = 32
WRAPPED_BYTES = KEY_BYTES + 48  # a sealed box adds 32 bytes of public key and 16 of authenticator

_MAGIC = b"PATROL\x02"
_KEY_ID_BYTES = 8
_PAD_BYTES = 256  # a short name and a long one make envelopes of the same length


@dataclass(frozen=True)
class Share:
    """One key's part of an envelope: the half (or the whole) of the content key, wrapped to it."""

    key_id: str
    wrapped: bytes = field(repr=False)


@dataclass(frozen=True)
class Sealed:
    """An envelope: what is stored, and the shares that go beside it."""

    body: bytes = field(repr=False)
    shares: tuple[Share, ...]

    @property
    def digest(self) -> str:
        """What names the envelope: the SHA-256 of its body."""
        return hashlib.sha256(self.body).hexdigest()


def make_keypair() -> tuple[bytes, bytes]:
    """Make a key pair for an officer or an operator: (private key, public key)."""
    private = PrivateKey.generate()
    return bytes(private), bytes(private.public_key)


def key_id(public_key: bytes) -> str:
    """The short id of a public key."""
    return hashlib.blake2b(public_key, digest_size=_KEY_ID_BYTES, person=b"patrol-key-id").hexdigest()


def seal(keys: Sequence[bytes], plaintext: bytes) -> Sealed:
    """Seal so that the holder of any one of `keys` can open it, and nobody else."""
    content_key = nacl.utils.random(KEY_BYTES)
    return Sealed(_lock(content_key, plaintext), _shares(keys, content_key))


def seal_for_two(side_a: Sequence[bytes], side_b: Sequence[bytes], plaintext: bytes) -> Sealed:
    """Seal so that it takes a key of side `a` and a key of side `b` together."""
    content_key, half = nacl.utils.random(KEY_BYTES), nacl.utils.random(KEY_BYTES)
    shares = (*_shares(side_a, half), *_shares(side_b, xor(content_key, half)))
    return Sealed(_lock(content_key, plaintext), shares)


def wrap(public_key: bytes, share: bytes) -> bytes:
    """Wrap a share to a public key: what one who can open does for a new one, or for the second of two."""
    try:
        return bytes(SealedBox(PublicKey(public_key)).encrypt(share))
    except (nacl.exceptions.CryptoError, TypeError, ValueError):
        raise BadInput(Fault("public_key", "bad_key", "公钥无效，应是 32 字节。")) from None


def unwrap(private_key: bytes, wrapped: bytes) -> bytes:
    """The share inside; `Refused` when it was not wrapped to this key or was changed."""
    try:
        private = PrivateKey(private_key)
    except (nacl.exceptions.CryptoError, TypeError, ValueError):
        raise BadInput(Fault("private_key", "bad_key", "私钥无效，应是 32 字节。")) from None
    try:
        return bytes(SealedBox(private).decrypt(wrapped))
    except (nacl.exceptions.CryptoError, ValueError):
        raise Refused("这把密钥打不开这份密封信息。", code="not_a_recipient") from None


def xor(one: bytes, other: bytes) -> bytes:
    """The key of two halves, or the other half of a key."""
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def open_body(content_key: bytes, body: bytes) -> bytes:
    """What is inside; `BadInput` when the key is not its key or the body was changed."""
    try:
        if not body.startswith(_MAGIC):
            raise ValueError(body[:8])
        padded = nacl.secret.SecretBox(content_key).decrypt(body[len(_MAGIC) :])
        return bytes(nacl.bindings.sodium_unpad(padded, _PAD_BYTES))
    except (nacl.exceptions.CryptoError, TypeError, ValueError):
        raise BadInput(Fault("sealed", "damaged", "密封信息已损坏，或钥匙不对，打不开。")) from None


def _lock(content_key: bytes, plaintext: bytes) -> bytes:
    padded = nacl.bindings.sodium_pad(plaintext, _PAD_BYTES)
    return _MAGIC + bytes(nacl.secret.SecretBox(content_key).encrypt(padded))


def _shares(keys: Sequence[bytes], share: bytes) -> tuple[Share, ...]:
    if not keys:
        raise Misconfigured("还没有收件公钥，密封信息无法保存。请先在「钥匙」页建立。", code="no_seal_key")
    return tuple(Share(key_id(key), wrap(key, share)) for key in dict.fromkeys(keys))
