"""Places as people say them: K1+240 左岸, or the name of an outfall. Words in, a declared position out.

Knows nothing of reports or pages. A position found in words is as good as reading a mark, and says so.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from geodata.place import Place
from patrol.errors import BadInput, Fault

MARK_ACCURACY_M = 50.0
OFF_CENTRE_M = 12.0  # a bank is said, not the middle of the water
_MARK = re.compile(r"\bK\s*(\d{1,3})(?:\s*\+\s*(\d{1,3}))?", re.IGNORECASE | re.ASCII)
_METRES = re.compile(r"(左|右)岸\s*(\d{1,5})\s*米处")
_BARE = re.compile(r"\s*(\d{2,5})\s*(?:米|[mM])?\s*(左|右)?岸?\s*", re.ASCII)  # 1240左: as it is said on the telephone
_BANKS = {"左": "left", "右": "right"}


def find(words: str, place: Place, bank: str = "", where: str = "/place_words") -> dict[str, Any] | None:
    """The position that words name, or None where they name none; BadInput for a mark off this river.

    >>> find("K1+240 左岸", Place.open("taihugang"))["crs"]
    'wgs84'
    >>> find("桥下面", Place.open("taihugang")) is None
    True
    """
    plain = unicodedata.normalize("NFKC", words)
    chainage_m = _chainage(plain)
    bare = _BARE.fullmatch(plain)
    if bare and place.river is not None and int(bare[1]) <= place.river.length_m:
        chainage_m = int(bare[1])  # digits that are no mark of this river are words
    said = next((_BANKS[letter] for letter in "左右" if f"{letter}岸" in plain or (bare and bare[2] == letter)), bank)
    if chainage_m is not None and place.river is not None:
        longest_m = round(place.river.length_m)
        if chainage_m > longest_m:
            last = place.river.words(longest_m)
            raise BadInput(Fault(where, "off_river", f"桩号超出本河段：应在 K0+000 到 {last} 之间。"))
        side: Any = said if said in ("left", "right") else "left"
        lon, lat = place.river.point_at(
            min(float(chainage_m), place.river.length_m), OFF_CENTRE_M if said in ("left", "right") else 0.0, side
        )
        return _position(lon, lat)
    squeezed = re.sub(r"\s", "", plain)
    named = [outfall for outfall in place.outfalls if outfall.name in squeezed]
    # the longest name: 11号排口 holds 1号排口
    best = max(named, key=lambda outfall: len(outfall.name), default=None)
    return _position(best.lon, best.lat) if best else None


def _chainage(plain: str) -> int | None:
    mark = _MARK.search(plain)
    if mark:
        return int(mark[1]) * 1000 + int(mark[2] or 0)
    metres = _METRES.search(plain)
    return int(metres[2]) if metres else None


def _position(lon: float, lat: float) -> dict[str, Any]:
    return {"lon": round(lon, 7), "lat": round(lat, 7), "crs": "wgs84", "accuracy_m": MARK_ACCURACY_M}
