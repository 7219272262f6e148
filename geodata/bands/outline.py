"""Outlines of objects from their runs: rings along pixel edges, holes kept, smoothed by at most half a pixel.

Pixels that touch by a corner only become parts of their own, so that every polygon is valid. No picture of the
object is ever drawn: the rings follow from where runs begin and end. Corners are cut where half a pixel begins, which
turns the steps of a slanting edge into a line and keeps the area; the rest of the half pixel goes into thinning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geodata.bands.compiled import compiled
from geodata.bands.components import Component

TOLERANCE_PX = 0.5
CUT_PX = 0.125**0.5
"""How far a cut corner lies from the corner that was."""


def outlines(components: Sequence[Component], tolerance_px: float = TOLERANCE_PX) -> NDArray[Any]:
    """A valid shapely Polygon or MultiPolygon a component, in pixels (x right, y down).

    `tolerance_px`: how far it may stray from the pixels' edges; below CUT_PX it follows them exactly.

    >>> runs = np.array([[0, 0, 3, 1], [1, 0, 1, 1], [1, 2, 3, 1], [2, 0, 3, 1]], np.int32)
    >>> ring = Component(1, 8, (0, 3, 0, 3), np.zeros(2, np.int64), runs)
    >>> outlines([ring], 0.0)[0].wkt
    'POLYGON ((0 0, 3 0, 3 3, 0 3, 0 0), (1 2, 2 2, 2 1, 1 1, 1 2))'
    >>> len(outlines([ring])[0].exterior.coords), outlines([ring])[0].area
    (9, 8.0)
    """
    if not components:
        return np.zeros(0, object)
    runs = np.concatenate([one.runs for one in components])
    starts = np.concatenate(([0], np.cumsum([len(one.runs) for one in components])))
    points, ring_starts, ring_owner, ring_area = trace(runs, starts)
    if tolerance_px < CUT_PX:
        return _assembled(points, ring_starts, ring_owner, ring_area, len(components))
    smooth, smooth_starts = cut_corners(points, ring_starts)
    whole = _assembled(smooth, smooth_starts, ring_owner, ring_area, len(components))
    thin = shapely.simplify(whole, tolerance_px - CUT_PX, preserve_topology=True)
    bad = ~shapely.is_valid(thin) | shapely.is_empty(thin)
    thin[bad] = whole[bad]
    return np.asarray(thin)


def cut_corners(points: Any, ring_starts: Any) -> tuple[Any, Any]:
    """Rings through the points half a pixel from each corner; on an edge of one pixel the two are one."""
    smooth = np.empty((2 * len(points), 2), np.float64)
    starts = np.empty_like(ring_starts)
    return smooth[: _cut_corners(points, ring_starts, smooth, starts)], starts


@compiled
def _cut_corners(points: Any, ring_starts: Any, smooth: Any, starts: Any) -> int:
    used = 0
    for ring in range(ring_starts.size - 1):
        begin = used
        starts[ring] = begin
        for k in range(ring_starts[ring], ring_starts[ring + 1] - 1):
            x, y = np.float64(points[k, 0]), np.float64(points[k, 1])
            across, down = points[k + 1, 0] - x, points[k + 1, 1] - y
            length = abs(across) + abs(down)
            step_x, step_y = 0.5 * across / length, 0.5 * down / length
            smooth[used, 0], smooth[used, 1] = x + step_x, y + step_y
            used += 1
            if length > 1.0:
                smooth[used, 0], smooth[used, 1] = x + across - step_x, y + down - step_y
                used += 1
        smooth[used, 0], smooth[used, 1] = smooth[begin, 0], smooth[begin, 1]
        used += 1
    starts[ring_starts.size - 1] = used
    return used


def _assembled(points: Any, ring_starts: Any, ring_owner: Any, ring_area: Any, count: int) -> NDArray[Any]:
    """Rings to polygons: outer rings have positive area on a screen, holes negative."""
    numbers = np.repeat(np.arange(len(ring_starts) - 1), np.diff(ring_starts))
    rings = shapely.linearrings(np.asarray(points, np.float64), indices=numbers)
    outer = ring_area > 0
    shells_of = np.bincount(ring_owner[outer], minlength=count)
    shapes = np.empty(count, object)
    picked = np.flatnonzero(shells_of[ring_owner] == 1)
    picked = picked[np.lexsort((~outer[picked], ring_owner[picked]))]  # each owner's outer ring before its holes
    starts = np.flatnonzero(outer[picked])
    ends = np.append(starts, picked.size)[1:]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        shapes[ring_owner[picked[start]]] = shapely.Polygon(rings[picked[start]], list(rings[picked[start + 1 : end]]))
    for owner in np.flatnonzero(shells_of > 1):
        mine = np.flatnonzero(ring_owner == owner)
        shapes[owner] = _several(rings, mine[outer[mine]], mine[~outer[mine]])
    return shapes


def _several(rings: Any, shells: Any, holes: Any) -> Any:
    """Parts that touch by corners or lie apart: each hole belongs to the smallest outer ring that holds it."""
    solid = shapely.polygons(rings[shells])
    owned: list[list[Any]] = [[] for _ in shells]
    if len(holes):
        tree = shapely.STRtree(solid)
        areas = shapely.area(solid)
        for hole in holes:
            # A point inside the hole lies in its outer ring, and perhaps in a part that stands in the hole: a smaller one.
            gap = shapely.polygons(rings[hole])
            around = tree.query(shapely.point_on_surface(gap), predicate="within")
            larger = [int(k) for k in around if areas[k] > gap.area]
            owned[min(larger, key=lambda k: float(areas[k]))].append(rings[hole])
    return shapely.MultiPolygon(
        [shapely.Polygon(rings[shell], held) for shell, held in zip(shells, owned, strict=True)]
    )


def trace(runs: NDArray[np.int32], starts: NDArray[np.int64]) -> tuple[Any, Any, Any, Any]:
    """Rings of many objects: points (n, 2) closed, first point of each ring, its owner, twice its signed area."""
    room = 2 * len(runs) + 1  # each edge gives at most two points, each ring one more, and a ring has two edges
    points = np.empty((room * 3, 2), np.int32)
    ring_starts = np.empty(room + 1, np.int64)
    ring_owner = np.empty(room, np.int64)
    ring_area = np.empty(room, np.int64)
    follow = np.empty(2 * len(runs), np.int64)
    corner = np.zeros(2 * len(runs), np.uint8)
    rings, used = _trace(runs, starts, follow, corner, points, ring_starts, ring_owner, ring_area)
    return points[:used], ring_starts[: rings + 1], ring_owner[:rings], ring_area[:rings]


@compiled
def _trace(
    runs: Any, starts: Any, follow: Any, corner: Any, points: Any, ring_starts: Any, ring_owner: Any, ring_area: Any
) -> tuple[int, int]:
    # Each run has a left edge (2 i), walked upwards, and a right edge (2 i + 1), walked downwards, so that the inside
    # is on the right hand as seen on a screen. On a line between two rows the ends of edges above and below, sorted,
    # pair up: between the two of a pair only one side of the line is inside, which is a piece of outline.
    rings, used = 0, 0
    for owner in range(starts.size - 1):
        first, last = starts[owner], starts[owner + 1]
        above_from, above_to = first, first
        at = first
        line = runs[first, 0]
        while True:
            below_from = at
            while at < last and runs[at, 0] == line:
                at += 1
            _link_line(runs, above_from, above_to, below_from, at, follow, corner)
            above_from, above_to = below_from, at
            if above_from == above_to:
                if at >= last:
                    break
                line = runs[at, 0]
            else:
                line += 1
        for start in range(2 * first, 2 * last):
            if follow[start] < 0:
                continue
            begin = used
            edge = start
            touches = False
            while follow[edge] >= 0:
                after = follow[edge]
                x = runs[edge // 2, 1 + edge % 2]
                y = runs[edge // 2, 0] + edge % 2  # where the edge ends
                next_x = runs[after // 2, 1 + after % 2]
                touches = touches or corner[edge] > 0
                if next_x != x:
                    points[used, 0], points[used, 1] = x, y
                    points[used + 1, 0], points[used + 1, 1] = next_x, y
                    used += 2
                follow[edge] = -1
                edge = after
            if touches:
                rings, used = _part(points, begin, used, owner, rings, ring_starts, ring_owner, ring_area)
            else:
                rings, used = _close(points, begin, used, owner, rings, ring_starts, ring_owner, ring_area)
    ring_starts[rings] = used
    return rings, used


@compiled
def _close(
    points: Any, begin: int, used: int, owner: int, rings: int, ring_starts: Any, ring_owner: Any, ring_area: Any
) -> tuple[int, int]:
    points[used, 0], points[used, 1] = points[begin, 0], points[begin, 1]
    area = 0
    for i in range(begin, used):
        area += points[i, 0] * points[i + 1, 1] - points[i + 1, 0] * points[i, 1]
    ring_starts[rings] = begin
    ring_owner[rings] = owner
    ring_area[rings] = area
    return rings + 1, used + 1


@compiled
def _part(
    points: Any, begin: int, used: int, owner: int, rings: int, ring_starts: Any, ring_owner: Any, ring_area: Any
) -> tuple[int, int]:
    """Cuts a ring that meets itself in corners into rings that do not."""
    count = used - begin
    ring = points[begin:used].copy()
    keys = ring[:, 1].astype(np.int64) * np.int64(2147483648) + ring[:, 0].astype(np.int64)
    order = np.argsort(keys)
    place = np.empty(count, np.int64)  # the same number for the same point
    number = -1
    for k in range(count):
        if k == 0 or keys[order[k]] != keys[order[k - 1]]:
            number += 1
        place[order[k]] = number
    lies_at = np.full(number + 1, -1, np.int64)  # where a point lies in the chain not yet cut
    chain = np.empty(count, np.int64)
    length = 0
    used = begin
    for k in range(count + 1):
        here = place[k % count]
        if lies_at[here] >= 0:
            low = lies_at[here]
            first = used
            for j in range(low, length):
                points[used, 0], points[used, 1] = ring[chain[j], 0], ring[chain[j], 1]
                used += 1
                if j > low:
                    lies_at[place[chain[j]]] = -1
            rings, used = _close(points, first, used, owner, rings, ring_starts, ring_owner, ring_area)
            length = low + 1
        else:
            lies_at[here] = length
            chain[length] = k
            length += 1
    return rings, used


@compiled
def _link_line(
    runs: Any, above_from: int, above_to: int, below_from: int, below_to: int, follow: Any, corner: Any
) -> None:
    a, b = 2 * above_from, 2 * below_from
    a_end, b_end = 2 * above_to, 2 * below_to
    held = -1
    held_ends = False
    while a < a_end or b < b_end:
        if a < a_end and b < b_end:
            ax, bx = runs[a // 2, 1 + a % 2], runs[b // 2, 1 + b % 2]
            # In one place a right end goes first, so that corners part.
            take_above = ax < bx or (ax == bx and a % 2 >= b % 2)
            if ax == bx and a % 2 != b % 2:
                corner[a] = corner[b] = np.uint8(1)
        else:
            take_above = a < a_end
        if take_above:
            edge = a
            ends = a % 2 == 1
            a += 1
        else:
            edge = b
            ends = b % 2 == 0
            b += 1
        if held < 0:
            held, held_ends = edge, ends
        else:
            if held_ends:
                follow[held] = edge
            else:
                follow[edge] = held
            held = -1
