"""Carries objects of open water on to the bank where their rule says that they reach it.

Along the bank the bottom shines through and the waterline is uncertain, so a rule may look at open water only; a
plume that ends there surely began at the bank. It changes outlines and areas, no score, and finds nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import shapely

from geodata.bands.describe import Detection
from geodata.bands.ruleset import Row
from geodata.crs import LocalXY

TOUCH_M = 0.3
"""An object this near to the strip along the bank ends there because the strip was not looked at."""


def to_bank(
    detections: Sequence[Detection], rows: Mapping[str, Row], shore: Any, frame: LocalXY
) -> tuple[Detection, ...]:
    """Detections of rows with `to_bank_m`, joined with the `shore` (WGS-84: water that is not open) so near to them.

    Pieces of one row that then lie within that distance of each other are one thing: noise tears a faint plume apart.
    Its score is the mean by area, its statistics are those of the largest piece. `shore` None: only pieces are joined.
    """
    strip = None if shore is None else shapely.transform(shore, frame.forward, interleaved=False)
    kept = [one for one in detections if rows[one.rule].to_bank_m <= 0]
    for name in dict.fromkeys(one.rule for one in detections if rows[one.rule].to_bank_m > 0):
        kept += _reaching([one for one in detections if one.rule == name], rows[name].to_bank_m, strip, frame)
    return tuple(kept)


def _reaching(pieces: Sequence[Detection], reach_m: float, strip: Any, frame: LocalXY) -> list[Detection]:
    outlines = [shapely.transform(one.outline, frame.forward, interleaved=False) for one in pieces]
    whole = [shape if strip is None else _grown(shape, reach_m, strip) for shape in outlines]
    found = []
    for members in _groups(whole, reach_m):
        first = max(members, key=lambda k: pieces[k].area_m2)
        outline = shapely.union_all([whole[k] for k in members]).simplify(0.02)
        if not outline.is_valid or outline.geom_type not in ("Polygon", "MultiPolygon"):
            outline = shapely.union_all([outlines[k] for k in members])
        weight = sum(pieces[k].area_m2 for k in members)
        score = sum(pieces[k].score * pieces[k].area_m2 for k in members) / weight
        degrees = shapely.transform(outline, frame.inverse, interleaved=False)
        found.append(replace(pieces[first], outline=degrees, area_m2=float(outline.area), score=score))
    return found


def _grown(outline: Any, reach_m: float, strip: Any) -> Any:
    """The outline and what of the strip lies before the part of it that ends there."""
    ends = outline.intersection(strip.buffer(TOUCH_M))
    return outline if ends.is_empty else shapely.union(outline, ends.buffer(reach_m, quad_segs=4).intersection(strip))


def _groups(shapes: Sequence[Any], apart_m: float) -> list[list[int]]:
    """Numbers of the shapes that hang together by gaps of at most `apart_m`, in the order of their first."""
    tree = shapely.STRtree(list(shapes))
    group = list(range(len(shapes)))
    for a, b in sorted(zip(*tree.query(list(shapes), predicate="dwithin", distance=apart_m), strict=True)):
        low, high = sorted((group[a], group[b]))
        group = [low if mark == high else mark for mark in group]
    return [[k for k, mark in enumerate(group) if mark == one] for one in dict.fromkeys(group)]
