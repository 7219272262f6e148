"""One latitude or longitude as people and programs write it: decimals, degrees-minutes-seconds, with N/S/E/W.

It converts notation only, no coordinate system.
"""

from __future__ import annotations

import math
import re

from geodata.logs.points import number

_PLAIN = re.compile(r"[-+]?\d+(?:[.,]\d+)?")
_PARTS = re.compile(
    r"(?P<sign>[-+])?\s*(?P<d>\d+(?:[.,]\d+)?)\s*(?:°|º|度|deg|d|\s|:)\s*"
    r"(?:(?P<m>\d+(?:[.,]\d+)?)\s*(?:'|′|’|分|m|\s|:)?\s*(?:(?P<s>\d+(?:[.,]\d+)?)\s*(?:\"|″|”|''|秒|s)?)?)?",
    re.IGNORECASE,
)
_SIDES = {"N": 1, "S": -1, "E": 1, "W": -1, "北": 1, "南": -1, "东": 1, "西": -1}
_OF = {"lat": "NS北南", "lon": "EW东西"}


def degrees(text: str, axis: str) -> float:
    """Degrees of a written coordinate; NaN when it is none or names the other axis. `axis`: `lat` or `lon`.

    >>> round(degrees("8 deg 17' 39.30\\" S", "lat"), 6), degrees("112.18E", "lon"), degrees("112.18E", "lat")
    (-8.29425, 112.18, nan)
    >>> round(degrees("北纬30度21分0秒", "lat"), 4), degrees("30,35", "lat")
    (30.35, 30.35)
    """
    text = text.strip().replace("纬", "").replace("经", "")
    if _PLAIN.fullmatch(text):
        return number(text)
    side = 0
    for letter in (text[:1].upper(), text[-1:].upper()):
        if letter in _SIDES:
            if letter not in _OF[axis]:
                return math.nan
            side = _SIDES[letter]
            text = text[1:] if text[:1].upper() == letter else text[:-1]
            break
    text = text.strip()
    if _PLAIN.fullmatch(text):
        value = number(text)
        return value if not side else math.copysign(value, side)
    found = _PARTS.fullmatch(text)
    if not found:
        return math.nan
    minutes, seconds = number(found["m"] or "0"), number(found["s"] or "0")
    if minutes >= 60 or seconds >= 60:
        return math.nan
    value = number(found["d"]) + minutes / 60 + seconds / 3600
    return -value if side < 0 or found["sign"] == "-" else value
