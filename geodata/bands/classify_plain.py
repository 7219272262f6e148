"""The same as `geodata.bands.classify`, in plain numpy on a whole window: for machines without numba, and as its check.

Every operation is the same float32 operation in the same order, so the runs, sums and scores are the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geodata.bands.classify import BEYOND, CLASS, FIRST_BAND, FROM, ROW, SCORE, SQUARES, TO
from geodata.bands.plan import Features, Levels, Rules, Signals
from geodata.bands.zone import Spans

_ZERO, _ONE, _HALF, _HUNDRED = np.float32(0.0), np.float32(1.0), np.float32(0.5), np.float32(100.0)


def zones(spans: Spans, y0: int, y1: int, x0: int, x1: int) -> NDArray[np.uint8]:
    """Codes (y1 - y0, x1 - x0) of a part of the picture."""
    out = np.zeros((y1 - y0, x1 - x0), np.uint8)
    for y in range(y0, y1):
        row = spans.row[y]
        for s in range(spans.start[row], spans.start[row + 1]):
            a, b = max(int(spans.x0[s]), x0), min(int(spans.x1[s]), x1)
            if a < b:
                out[y - y0, a - x0 : b - x0] = spans.code[s]
    return out


def level_map(coarse: NDArray[np.float32], levels: Levels, y0: int, y1: int, x0: int, x1: int) -> NDArray[np.float32]:
    """Relative limits (y1 - y0, x1 - x0) from their coarse values (gy, gx)."""
    row, row_part = levels.row[y0:y1], levels.row_part[y0:y1]
    edges = coarse[row] + (coarse[row + 1] - coarse[row]) * row_part[:, None]
    column, part = levels.column[x0:x1], levels.column_part[x0:x1]
    out: NDArray[np.float32] = edges[:, column] + (edges[:, column + 1] - edges[:, column]) * part
    return out


def signals_of(numbers: Any, signals: Signals, rows: slice, columns: slice) -> NDArray[np.float32]:
    """Bands and texture (n + 1, h, w) of a part of a window with margins."""
    count = numbers.shape[0]
    height, width = rows.stop - rows.start, columns.stop - columns.start
    out = np.zeros((count + 1, height, width), np.float32)
    for b in range(count):
        near = [
            numbers[b, rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx]
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
        ]
        chosen = np.sort(np.stack(near), axis=0) if signals.smooth or b == signals.texture else None
        value = chosen[4] if signals.smooth and chosen is not None else near[4]
        out[b] = np.maximum(value.astype(np.float32) * signals.scale[b] + signals.offset[b], _ZERO)
        if b == signals.texture and chosen is not None:
            out[count] = (chosen[8].astype(np.float32) - chosen[0].astype(np.float32)) * signals.scale[b]
    return out


def index_map(bands: NDArray[np.float32], features: Features, k: int) -> NDArray[np.float32]:
    """One index of all pixels."""
    sums = []
    for weights in (features.num[k], features.den[k]):
        total = None
        for b in range(weights.size):
            if weights[b] != _ZERO:
                total = weights[b] * bands[b] if total is None else total + weights[b] * bands[b]
        sums.append(np.zeros(bands.shape[1:], np.float32) if total is None else total)
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[0] / sums[1] if features.ratio[k] else sums[0]


def scan_window(
    numbers: Any,
    bad: Any,
    with_bad: bool,
    corner: tuple[int, int],
    inner: tuple[int, int, int, int],
    signals: Signals,
    features: Features,
    rules: Rules,
    levels: Levels,
    spans: Spans,
    where: NDArray[np.int32],
    sums: NDArray[np.int64],
) -> tuple[int, int, int]:
    """See `geodata.bands.classify.scan_window`."""
    y0, y1, x0, x1 = inner
    zone = zones(spans, y0, y1, x0, x1)
    rows = slice(y0 - corner[0] + 2, y1 - corner[0] + 2)
    columns = slice(x0 - corner[1] + 2, x1 - corner[1] + 2)
    reach = 1 if signals.smooth or signals.texture >= 0 else 0
    if with_bad:
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                gaps = bad[rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx]
                zone[gaps != 0] = 0
    water, judged = int((zone & 1).sum()), int((zone != 0).sum())
    if not judged:
        return 0, 0, 0
    bands = signals_of(numbers, signals, rows, columns)
    values = [index_map(bands, features, k) for k in range(features.num.shape[0])]
    part = (y0, y1, x0, x1)
    limits = [level_map(coarse, levels, *part) for coarse in levels.limit]
    softs = [level_map(coarse, levels, *part) for coarse in levels.soft]

    def holds(t: int) -> NDArray[np.bool_]:
        limit = rules.limit[t] if rules.slot[t] < 0 else limits[rules.slot[t]]
        value = values[rules.feature[t]]
        return np.asarray(value > limit if rules.above[t] else value < limit)

    kinds = np.zeros(zone.shape, np.uint8)
    score = np.zeros(zone.shape, np.int64)
    for row in range(rules.zone.size):
        mask = ((zone & rules.zone[row]) != 0) & (kinds == 0)
        own = range(rules.terms[row], rules.terms[row + 1])
        for t in own:
            mask &= holds(t)
        for group in range(rules.unless[row], rules.unless[row + 1]):
            against = mask.copy()
            for t in range(rules.groups[group], rules.groups[group + 1]):
                against &= holds(t)
            mask &= ~against
        kinds[mask] = row + 1
        least = np.ones(int(mask.sum()), np.float32)
        for t in own:
            value = values[rules.feature[t]][mask]
            slot = rules.slot[t]
            limit = rules.limit[t] if slot < 0 else limits[slot][mask]
            soft = rules.soft[t] if slot < 0 else softs[slot][mask]
            least = np.minimum(least, (value - limit if rules.above[t] else limit - value) / soft)
        score[mask] = (least * _HUNDRED + np.float32(100.5)).astype(np.int64)
    count = _runs(kinds, y0, x0, where)
    if count > 0:
        _sum_up(where[:count], y0, x0, bands, score, signals, sums)
    return count, water, judged


def _runs(kinds: NDArray[np.uint8], y0: int, x0: int, where: NDArray[np.int32]) -> int:
    edged = np.zeros((kinds.shape[0], kinds.shape[1] + 2), np.int16)
    edged[:, 1:-1] = kinds
    rows, ends = np.nonzero(edged[:, 1:] != edged[:, :-1])
    codes = edged[rows, ends + 1]
    opens = np.flatnonzero(codes != 0)
    if opens.size > where.shape[0]:
        return -1
    if opens.size:
        where[: opens.size, ROW] = rows[opens] + y0
        where[: opens.size, FROM] = ends[opens] + x0
        where[: opens.size, TO] = ends[opens + 1] + x0
        where[: opens.size, CLASS] = codes[opens]
    return int(opens.size)


def _sum_up(
    where: NDArray[np.int32], y0: int, x0: int, bands: Any, score: Any, signals: Signals, sums: NDArray[np.int64]
) -> None:
    amounts = np.minimum(bands * signals.quantum + _HALF, np.float32(BEYOND)).astype(np.int64)
    bright = amounts[signals.green] + amounts[signals.red]
    planes = {SCORE: score, SQUARES: bright * bright}
    planes |= {FIRST_BAND + b: amounts[b] for b in range(bands.shape[0])}
    first = (where[:, ROW] - y0) * score.shape[1] + where[:, FROM] - x0
    last = first + where[:, TO] - where[:, FROM]
    for column, plane in planes.items():
        running = np.concatenate(([0], np.cumsum(plane.ravel())))
        sums[: len(where), column] = running[last] - running[first]
