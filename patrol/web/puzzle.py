"""A sum that costs a phone a second and a flood its day: find the number whose SHA-256 begins with zero bits.

A puzzle carries its own signature, so nothing is kept until it is solved. Must not refuse anybody: what is not
solved waits for a person.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

HEADER = "X-Patrol-Sum"
LASTS_S = 20 * 60
EASIEST_BITS, HARDEST_BITS = 15, 21


@dataclass(frozen=True)
class Puzzle:
    """`word:number` has to have a SHA-256 that begins with `bits` zero bits."""

    word: str
    bits: int


def make(key: bytes, harder: int) -> Puzzle:
    """A fresh puzzle, signed; `harder` doubles its cost each time."""
    bits = min(EASIEST_BITS + max(harder, 0), HARDEST_BITS)
    word = f"{secrets.token_hex(8)}-{bits}-{int(time.time()) + LASTS_S}"
    return Puzzle(f"{word}-{_signed(key, word)}", bits)


def read(key: bytes, answer: str, now: float) -> str | None:
    """The word of a solved puzzle that we made and that is not over; None for anything else."""
    word, _, number = answer.partition(":")
    plain, _, mac = word.rpartition("-")
    parts = plain.split("-")
    if len(answer) > 200 or len(parts) != 3 or not number.isascii() or not number.isdigit():
        return None
    if not hmac.compare_digest(_signed(key, plain).encode(), mac.encode("utf-8", "replace")):
        return None
    bits, ends = int(parts[1]), int(parts[2])
    if ends < now or leading_zeros(hashlib.sha256(answer.encode()).digest()) < bits:
        return None
    return word


def leading_zeros(digest: bytes) -> int:
    """How many zero bits a digest begins with."""
    return len(digest) * 8 - int.from_bytes(digest, "big").bit_length()


def _signed(key: bytes, word: str) -> str:
    return hmac.new(key, b"sum\x00" + word.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
