"""What several overlapping pictures agree on: glint moves with the view, a thing on the water does not.

It compares detections of different pictures on the ground; it looks at no pixel and joins nothing across rounds
(`geodata.merge` decides which sightings are one thing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import shapely

from geodata.bands.describe import Detection
from geodata.crs import LocalXY, local_xy

OVERLAP = 0.2
"""Outlines are of one thing when they share this part of the smaller one."""
LOOKED = 0.8
"""A picture looked at a thing when it covers this part of its outline."""
ONLY_ONCE = "只有一幅影像覆盖这里，没有别的影像可以核对，反光等假象没有排除。"


class Look(Protocol):
    """One picture's detections and the ground it covers (shapely, WGS-84), as `geodata.recognise.Recognised`."""

    @property
    def detections(self) -> Sequence[Detection]: ...

    @property
    def seen(self) -> Any: ...


def persist(looks: Sequence[Look], at_least: int = 2, reach_m: float | None = None) -> tuple[Detection, ...]:
    """Things that at least `at_least` of the pictures that looked there show, each once.

    `reach_m`: how far apart outlines of one thing may lie; None takes two sigma of the detections' own covariances,
    and where they have none asks that the outlines overlap. Where fewer than `at_least` pictures looked a detection
    stays, with a warning. Kept is the outline of the picture whose area is the middle one; the score is the mean;
    `stats` gains `frames_seen` and `frames_looked`.

    >>> persist([])
    ()
    """
    entries = [(number, one) for number, look in enumerate(looks) for one in look.detections]
    if not entries:
        return ()
    frame = local_xy(entries[0][1].lon, entries[0][1].lat)
    shapes = np.array([_metres(one.outline, frame) for _, one in entries], object)
    ground = [_metres(look.seen, frame) for look in looks]
    for shape in (*shapes, *ground):
        shapely.prepare(shape)
    kept = []
    for members in _groups(entries, shapes, reach_m):
        pictures = sorted({entries[k][0] for k in members})
        thing = shapely.union_all(shapes[members])
        looked = [
            number for number, part in enumerate(ground)
            if number in pictures or part.intersection(thing).area >= LOOKED * thing.area
        ]  # fmt: skip
        if len(pictures) >= at_least or len(looked) < at_least:
            kept.append(_one([entries[k] for k in members], pictures, len(looked), at_least))
    return tuple(kept)


def _metres(shape: Any, frame: LocalXY) -> Any:
    return shapely.transform(shape, frame.forward, interleaved=False)


def _groups(entries: Sequence[tuple[int, Detection]], shapes: Any, reach_m: float | None) -> list[list[int]]:
    """Detections of one kind that hang together across pictures; those of one picture only through another."""
    spread = np.array([_reach(one) if reach_m is None else reach_m / 2 for _, one in entries])
    tree = shapely.STRtree(shapes)
    pairs = tree.query(shapes, predicate="dwithin", distance=2 * spread.max() if spread.max() > 0 else 0.0)
    parent = list(range(len(entries)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for a, b in zip(*pairs.tolist(), strict=True):
        (first, one), (second, other) = entries[a], entries[b]
        if a < b and first != second and one.kind == other.kind and _same(shapes[a], shapes[b], spread[a] + spread[b]):
            low, high = sorted((root(a), root(b)))
            parent[high] = low
    found: dict[int, list[int]] = {}
    for k in range(len(entries)):
        found.setdefault(root(k), []).append(k)
    return list(found.values())


def _reach(one: Detection) -> float:
    if one.covariance_m2 is None:
        return 0.0
    return 2.0 * float(np.sqrt(max(np.linalg.eigvalsh(one.covariance_m2)[-1], 0.0)))


def _same(first: Any, second: Any, reach_m: float) -> bool:
    if reach_m > 0:
        return bool(shapely.dwithin(first, second, reach_m))
    return bool(first.intersection(second).area >= OVERLAP * min(first.area, second.area))


def _one(members: Sequence[tuple[int, Detection]], pictures: Sequence[int], looked: int, at_least: int) -> Detection:
    """One detection for a thing: the pieces of the picture with the middle area."""
    areas = {number: sum(one.area_m2 for at, one in members if at == number) for number in pictures}
    middle = sorted(pictures, key=lambda number: (areas[number], number))[(len(pictures) - 1) // 2]
    pieces = [one for number, one in members if number == middle]
    best = max(pieces, key=lambda one: (one.area_m2, one.score))
    scores = [max(one.score for at, one in members if at == number) for number in pictures]
    stats = {**best.stats, "frames_seen": len(pictures), "frames_looked": looked}
    warnings = best.warnings if looked >= at_least else (*best.warnings, ONLY_ONCE)
    whole = best.outline if len(pieces) == 1 else shapely.union_all([one.outline for one in pieces])
    return replace(
        best, outline=whole, area_m2=areas[middle], score=float(np.mean(scores)), stats=stats, warnings=warnings
    )
