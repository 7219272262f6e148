"""Where in a picture a kind may be: for each row the stretches of water and of bank.

It turns polygons or a coarse mask into stretches of pixels; it knows no rule and no value of a pixel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from geodata.bands.compiled import compiled
from geodata.bands.grid import Grid
from geodata.bands.plan import BANK, OPEN, WATER


class Spans(NamedTuple):
    """Stretches [x0, x1) with their code; picture row y has those from start[row[y]] to start[row[y] + 1].

    Later stretches of a row lie over earlier ones. `width_px` of the picture.
    """

    row: NDArray[np.int32]
    start: NDArray[np.int32]
    x0: NDArray[np.int32]
    x1: NDArray[np.int32]
    code: NDArray[np.uint8]
    width_px: int


def spans_of_mask(mask: NDArray[np.uint8], factor: int, height_px: int, width_px: int) -> Spans:
    """Stretches of a coarse code mask (h, w) whose pixels are `factor` picture pixels wide.

    >>> spans = spans_of_mask(np.array([[0, 1, 1, 2]], np.uint8), 2, 2, 7)
    >>> spans.x0.tolist(), spans.x1.tolist(), spans.code.tolist(), spans.row.tolist()
    ([2, 6], [6, 7], [1, 2], [0, 0])
    """
    edged = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int16)
    edged[:, 1:-1] = mask
    rows, ends = np.nonzero(edged[:, 1:] != edged[:, :-1])
    codes = edged[rows, ends + 1]
    # A change to a code other than 0 opens a stretch; the next change of the same row closes it.
    opens = np.flatnonzero(codes != 0)
    start = np.searchsorted(rows[opens], np.arange(mask.shape[0] + 1))
    return Spans(
        np.minimum(np.arange(height_px) // factor, mask.shape[0] - 1).astype(np.int32),
        start.astype(np.int32),
        np.minimum(ends[opens] * factor, width_px).astype(np.int32),
        np.minimum(ends[opens + 1] * factor, width_px).astype(np.int32) if opens.size else np.zeros(0, np.int32),
        codes[opens].astype(np.uint8),
        width_px,
    )


def spans_of_polygons(
    water: Any, bank: Any, grid: Grid, height_px: int, width_px: int, open_water: Any = None
) -> Spans:
    """Stretches whose pixel centres lie in the water, and in the bank but not in the water.

    `water`, `bank`: shapely polygons in WGS-84; `bank` holds the water too. `open_water` is the part of the water away
    from the bank, None for all of it. A place that cannot be in the picture (beyond a frame's horizon) cuts its polygon
    off.
    """
    layers = ((BANK, bank), (WATER, water), (WATER | OPEN, water if open_water is None else open_water))
    found = [(code, *_stretches(shape, grid, height_px, width_px)) for code, shape in layers]
    return _layered(np.arange(height_px, dtype=np.int32), found, width_px)


def over(lower: Spans, upper: Spans) -> Spans:
    """Two sets of stretches of one picture, the second over the first; their rows must lie alike.

    >>> low, high = (spans_of_mask(np.array([row], np.uint8), 1, 1, 3) for row in ([1, 1, 1], [0, 5, 0]))
    >>> both = over(low, high)
    >>> both.x0.tolist(), both.x1.tolist(), both.code.tolist()
    ([0, 1], [3, 2], [1, 5])
    """
    parts = []
    for spans in (lower, upper):
        rows = np.repeat(np.arange(spans.start.size - 1), np.diff(spans.start))
        parts.append((spans.code, rows, spans.x0, spans.x1))
    return _layered(lower.row, parts, lower.width_px, lower.start.size - 1)


def _layered(row: NDArray[np.int32], parts: Any, width_px: int, count: int | None = None) -> Spans:
    """Stretches (code or codes, rows, from, to) ordered by row, later parts behind earlier ones of a row."""
    rows = np.concatenate([part[1] for part in parts])
    order = np.argsort(rows, kind="stable")
    codes = np.concatenate([np.broadcast_to(np.asarray(part[0], np.uint8), part[1].shape) for part in parts])
    return Spans(
        row,
        np.searchsorted(rows[order], np.arange((row.size if count is None else count) + 1)).astype(np.int32),
        np.concatenate([part[2] for part in parts])[order].astype(np.int32),
        np.concatenate([part[3] for part in parts])[order].astype(np.int32),
        codes[order],
        width_px,
    )


def _stretches(shape: Any, grid: Grid, height_px: int, width_px: int) -> tuple[Any, Any, Any]:
    """Rows, first columns and columns behind the last of the pixels whose centre a polygon holds."""
    edges = _edges(shape, grid)
    if not len(edges):
        return (np.zeros(0, np.int32),) * 3
    size = int(_crossings(edges, height_px, np.zeros(0, np.int32), np.zeros(0, np.float64)))
    rows, xs = np.empty(size, np.int32), np.empty(size, np.float64)
    _crossings(edges, height_px, rows, xs)
    order = np.lexsort((xs, rows))
    rows, xs = rows[order], xs[order]
    if size % 2:  # a cut polygon; its rows cannot be trusted to alternate
        raise ValueError("a ring is not closed")
    first = np.clip(np.ceil(xs[0::2] - 0.5), 0, width_px).astype(np.int32)
    behind = np.clip(np.ceil(xs[1::2] - 0.5), 0, width_px).astype(np.int32)
    some = first < behind
    return rows[0::2][some], first[some], behind[some]


def _edges(shape: Any, grid: Grid) -> NDArray[np.float64]:
    """Edges (n, 4) of all rings, in pixels; edges without a place in the picture are left out ring by ring."""
    parts = []
    for ring in shapely.get_rings(shapely.get_parts(shapely.force_2d(shape))):
        points = grid.to_pixels(shapely.get_coordinates(ring)[:-1])
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) >= 3:
            parts.append(np.hstack((points, np.roll(points, -1, axis=0))))
    return np.vstack(parts) if parts else np.zeros((0, 4))


@compiled
def _crossings(edges: Any, height_px: Any, rows: Any, xs: Any) -> int:
    """Where edges cross the middle lines of pixel rows; only counts when there is no room given."""
    count = 0
    for e in range(edges.shape[0]):
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        if y0 == y1:
            continue
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        # Half-open: a line through a vertex meets exactly one of its two edges, or both or none at a tip.
        first: Any = max(np.int64(np.ceil(max(y0, -1.0) - 0.5)), 0)
        last: Any = min(np.int64(np.ceil(min(y1, height_px + 1.0) - 0.5)), height_px)
        for y in range(first, last):
            if rows.size:
                rows[count] = y
                xs[count] = x0 + (x1 - x0) * ((y + 0.5 - y0) / (y1 - y0))
            count += 1
    return count


@compiled
def gap_px(runs: Any, spans: Spans, far_px: int) -> int:
    """Fewest pixels of water between an object's runs (n, 4) and dry land, along rows and columns; at most `far_px`.

    Where the picture ends there is no bank.
    """
    best = far_px
    height = spans.row.size
    for k in range(runs.shape[0]):
        y, x0, x1 = runs[k, 0], runs[k, 1], runs[k, 2]
        inside = False
        for s in range(spans.start[spans.row[y]], spans.start[spans.row[y] + 1]):
            a, b = spans.x0[s], spans.x1[s]
            if spans.code[s] == WATER and a <= x0 and x1 <= b:
                inside = True
                if a > 0:
                    best = min(best, x0 - a)
                if b < spans.width_px:
                    best = min(best, b - x1)
        if not inside:
            return 0
        for third in range(3):
            x = x0 + (x1 - 1 - x0) * third // 2
            for step in (-1, 1):
                for gap in range(best):
                    beyond = y + step * (gap + 1)
                    if beyond < 0 or beyond >= height:
                        break
                    row = spans.row[beyond]
                    wet = False
                    for s in range(spans.start[row], spans.start[row + 1]):
                        if spans.code[s] == WATER and spans.x0[s] <= x < spans.x1[s]:
                            wet = True
                    if not wet:
                        best = gap
                        break
    return best
