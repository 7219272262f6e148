"""Numbers and keys read straight from a file's bytes, many at once: what makes long subtitles quick to read.

It understands plain decimals only and knows no dialect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geodata.logs.rows import Floats, Whole

Bytes = NDArray[np.uint8]

WIDTH = 18
"""Longest number read, sign and point included; its digits stay exact in a float."""
_COLON, _SPACE, _POINT, _MINUS, _PLUS, _ZERO = 58, 32, 46, 45, 43, 48
# Division by an exact power of ten rounds once, as reading the text would.
_TENTHS = 10.0 ** np.arange(WIDTH + 1)


def padded(data: bytes) -> bytes:
    """Lower case, with room to look ahead of the last byte."""
    return data.lower() + b" " * (WIDTH + 8)


def numbers_at(buffer: Bytes, at: Whole) -> Floats:
    """The decimals that begin at byte positions, (n,) floats equal to `float(text)`; NaN where none begins.

    Up to two blanks before the number are passed over; numbers of more than 15 digits are NaN.

    >>> numbers_at(np.frombuffer(padded(b"a:-12.50] b: 7 c:n/a"), np.uint8), np.array([2, 12, 17])).tolist()
    [-12.5, 7.0, nan]
    """
    at = at.astype(np.int64)
    for _ in range(2):
        at = at + (buffer[at] == _SPACE)
    first = buffer[at]
    minus = first == _MINUS
    at = at + (minus | (first == _PLUS))
    value = np.zeros(len(at))
    digits = np.zeros(len(at), np.int8)
    decimals = np.zeros(len(at), np.int8)
    running = np.ones(len(at), bool)
    pointed = np.zeros(len(at), bool)
    for step in range(WIDTH):
        byte = buffer[at + step]
        digit = byte - _ZERO  # wraps round for what is no digit
        is_digit = running & (digit <= 9)
        is_point = running & (byte == _POINT) & ~pointed & (digits > 0)
        value = np.where(is_digit, value * 10.0 + digit, value)
        digits += is_digit
        decimals += is_digit & pointed
        pointed |= is_point
        running = is_digit | is_point
        if not running.any():
            break
    value /= _TENTHS[decimals]
    value[(digits == 0) | (digits > 15) | running] = np.nan
    return np.where(minus, -value, value)


class Keys:
    """Every `word:` of a text, found by its word; one blank before the colon is allowed.

    >>> keys = Keys(np.frombuffer(padded(b"[altitude: 1] [gps_altitude: 2] [altitude : 3]"), np.uint8))
    >>> keys.behind(b"altitude").tolist()
    [10, 43]
    """

    def __init__(self, buffer: Bytes) -> None:
        self._buffer = buffer
        self._colons = np.flatnonzero(buffer == _COLON)
        self._last = self._colons - 1
        self._last -= buffer[self._last] == _SPACE
        self._letter = buffer[self._last]

    def behind(self, key: bytes) -> Whole:
        """Byte positions right behind the colons of a key (lower case) that stands as a word of its own."""
        at = np.flatnonzero(self._letter == key[-1])
        last, colon = self._last[at], self._colons[at]
        for back in range(1, len(key)):  # before the first byte one looks at the padding, which is blank
            same = self._buffer[last - back] == key[-1 - back]
            last, colon = last[same], colon[same]
        before = self._buffer[last - len(key)]
        apart = ~(((before >= 97) & (before <= 122)) | (before == 95))
        return np.asarray(colon[apart] + 1, np.int64)
