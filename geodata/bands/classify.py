"""From the pixels of one window to runs of one kind: smoothing, indices, limits and scores in one pass.

A window comes with a margin of two rows and columns above and left and one below and right; runs never leave their
row. The arithmetic is float32, each operation once and in one order, no division replaced by a product: the plain
way (`geodata.bands.classify_plain`) must give the same numbers, which a test compares.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geodata.bands.compiled import compiled
from geodata.bands.plan import Features, Levels, Rules, Signals
from geodata.bands.zone import Spans

CHUNK = 512
"""Columns worked on at a time, so that all their bands and indices stay in the nearest cache."""
BEYOND = 16777215.0
"""No number of a file counts for more than this in sums."""
ROW, FROM, TO, CLASS = 0, 1, 2, 3
"""Columns of a run's `where`: row, first column, column behind the last, rule row counted from 1."""
SCORE, SQUARES, FIRST_BAND = 0, 1, 2
"""Columns of a run's `sums`: scores (100 to 200 a pixel), squares of brightness, then the bands and the texture."""


@compiled
def sort_three(a: Any, b: Any, c: Any, low: Any, middle: Any, high: Any) -> None:
    """Least, middle and greatest of three rows, column by column."""
    for i in range(low.size):
        p = min(a[i], b[i])
        q = max(a[i], b[i])
        r = c[i]
        low[i] = min(p, r)
        high[i] = max(q, r)
        middle[i] = max(p, min(q, r))


@compiled
def median_of_columns(low: Any, middle: Any, high: Any, scale: Any, offset: Any, out: Any) -> None:
    """Median of 3 x 3 from sorted columns (n + 2 each), as a signal (n)."""
    left, centre, right = low[: out.size], low[1 : out.size + 1], low[2 : out.size + 2]
    mid_left, mid_centre, mid_right = middle[: out.size], middle[1 : out.size + 1], middle[2 : out.size + 2]
    top_left, top_centre, top_right = high[: out.size], high[1 : out.size + 1], high[2 : out.size + 2]
    for i in range(out.size):
        most_low = max(max(left[i], centre[i]), right[i])
        least_high = min(min(top_left[i], top_centre[i]), top_right[i])
        p = min(mid_left[i], mid_centre[i])
        q = max(mid_left[i], mid_centre[i])
        mid = max(p, min(q, mid_right[i]))
        p = min(most_low, mid)
        q = max(most_low, mid)
        out[i] = max(np.float32(max(p, min(q, least_high))) * scale + offset, np.float32(0.0))


@compiled
def range_of_columns(low: Any, high: Any, scale: Any, out: Any) -> None:
    """Greatest minus least of 3 x 3 from sorted columns (n + 2 each), as a signal (n)."""
    left, centre, right = low[: out.size], low[1 : out.size + 1], low[2 : out.size + 2]
    top_left, top_centre, top_right = high[: out.size], high[1 : out.size + 1], high[2 : out.size + 2]
    for i in range(out.size):
        least = min(min(left[i], centre[i]), right[i])
        most = max(max(top_left[i], top_centre[i]), top_right[i])
        out[i] = (np.float32(most) - np.float32(least)) * scale


@compiled
def as_signal(row: Any, scale: Any, offset: Any, out: Any) -> None:
    """Numbers of the file as a signal."""
    for i in range(out.size):
        out[i] = max(np.float32(row[i]) * scale + offset, np.float32(0.0))


@compiled
def index_row(bands: Any, num: Any, den: Any, ratio: Any, out: Any, other: Any) -> None:
    """One index of the first pixels of a row: bands (n + 1, CHUNK), weights (n + 1,)."""
    _weighted(bands, num, out)
    if ratio:
        _weighted(bands, den, other)
        for i in range(out.size):
            out[i] /= other[i]


@compiled
def _weighted(bands: Any, weights: Any, out: Any) -> None:
    fresh = True
    for b in range(weights.size):
        weight = weights[b]
        if weight != np.float32(0.0):
            row = bands[b, : out.size]
            if fresh:
                fresh = False
                for i in range(out.size):
                    out[i] = weight * row[i]
            else:
                for i in range(out.size):
                    out[i] += weight * row[i]
    if fresh:
        out[:] = np.float32(0.0)


@compiled
def keep_beyond(values: Any, limit: Any, above: Any, mask: Any) -> Any:
    """Clears the mask where a value is not above (or below) the limit; whether anything is left."""
    left = np.uint8(0)
    if above:
        for i in range(mask.size):
            mask[i] &= np.uint8(values[i] > limit)
            left |= mask[i]
    else:
        for i in range(mask.size):
            mask[i] &= np.uint8(values[i] < limit)
            left |= mask[i]
    return left != 0


@compiled
def keep_against(values: Any, limits: Any, above: Any, mask: Any) -> Any:
    """As `keep_beyond`, with a limit of its own for each pixel."""
    left = np.uint8(0)
    if above:
        for i in range(mask.size):
            mask[i] &= np.uint8(values[i] > limits[i])
            left |= mask[i]
    else:
        for i in range(mask.size):
            mask[i] &= np.uint8(values[i] < limits[i])
            left |= mask[i]
    return left != 0


@compiled
def level_row(edges: Any, levels: Levels, x0: int, out: Any) -> None:
    """A row of relative limits from column x0 on, from its coarse values, by lines between them."""
    x1 = x0 + out.size
    k = levels.column[x0]
    while x0 < x1:
        end = min(levels.first[k + 1], x1)
        start, slope = edges[k], edges[k + 1] - edges[k]
        part = levels.column_part[x0:end]
        stretch = out[out.size - (x1 - x0) : out.size - (x1 - end)]
        for i in range(part.size):
            stretch[i] = start + slope * part[i]
        x0 = end
        k += 1


@compiled
def mark_zone(spans: Spans, y: int, x0: int, x1: int, out: Any) -> tuple[int, bool]:
    """Writes the codes of a stretch of a row; gives which codes there are and whether one of them fills it."""
    out[:] = np.uint8(0)
    held = 0
    full = False
    row = spans.row[y]
    for s in range(spans.start[row], spans.start[row + 1]):
        a = max(spans.x0[s], x0)
        b = min(spans.x1[s], x1)
        if a < b:
            out[a - x0 : b - x0] = spans.code[s]
            full = a == x0 and b == x1
            held = spans.code[s] if full else held | spans.code[s]
    return held, full


@compiled
def _count(zone: Any, bits: Any) -> Any:
    """Pixels of a stretch whose code has one of the bits."""
    total: Any = 0
    for start in range(0, zone.size, 128):  # short sums in bytes, which processors add many at a time
        part = zone[start : start + 128]
        block = np.uint8(0)
        for i in range(part.size):
            block += np.uint8((part[i] & bits) != 0)
        total += np.int64(block)
    return total


@compiled
def smooth_band(
    numbers: Any, b: int, r: int, c: int, signals: Signals, low: Any, middle: Any, high: Any, out: Any
) -> None:
    """One band of a stretch of a row as a signal; band `n` is the texture."""
    n = out.size
    texture = b == numbers.shape[0]
    if texture:
        b = signals.texture
    if signals.smooth or texture:
        sort_three(
            numbers[b, r - 1, c - 1 : c + n + 1],
            numbers[b, r, c - 1 : c + n + 1],
            numbers[b, r + 1, c - 1 : c + n + 1],
            low[: n + 2],
            middle[: n + 2],
            high[: n + 2],
        )
    if texture:
        range_of_columns(low[: n + 2], high[: n + 2], signals.scale[b], out)
    elif signals.smooth:
        median_of_columns(low[: n + 2], middle[: n + 2], high[: n + 2], signals.scale[b], signals.offset[b], out)
    else:
        as_signal(numbers[b, r, c : c + n], signals.scale[b], signals.offset[b], out)


@compiled
def _drop_bad(bad: Any, row: int, column: int, reach: int, zone: Any) -> None:
    """Takes pixels out of the zone that have no value, or a neighbour within `reach` that has none."""
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            line = bad[row + dy, column + dx : column + dx + zone.size]
            for i in range(zone.size):
                zone[i] *= np.uint8(1) - line[i]


@compiled
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
    """Runs of one window.

    `numbers`: (n, h + 3, w + 3) of the file's type, the margin filled; `bad`: (h + 3, w + 3), 1 where there is no
    value, looked at when `with_bad`. `corner`: row and column of the picture at numbers[:, 2, 2]. `inner`: rows from,
    to, columns from, to of the picture that this window answers for. `where` (most, 4) and `sums` (most, n + 3) take
    the runs, see ROW and SCORE. Returns the number of runs (-1: more than there is room for), pixels with a value in
    the water, and in water and bank together.
    """
    count_bands = numbers.shape[0]
    count_features = features.num.shape[0]
    count_rows = rules.zone.size
    slots, _, coarse = levels.limit.shape
    bands = np.zeros((count_bands + 1, CHUNK), np.float32)
    values = np.empty((count_features, CHUNK), np.float32)
    ready = np.zeros(count_bands + 1, np.uint8)
    known = np.zeros(count_features, np.uint8)
    limits = np.empty((slots, CHUNK), np.float32)
    leveled = np.zeros(slots, np.uint8)
    edges = np.empty((slots, coarse), np.float32)
    soft_edges = np.empty((slots, coarse), np.float32)
    spare = np.empty(CHUNK, np.float32)
    zone = np.empty(CHUNK, np.uint8)
    mask = np.empty(CHUNK, np.uint8)
    other = np.empty(CHUNK, np.uint8)
    kinds = np.empty(CHUNK, np.uint8)
    low = np.empty(CHUNK + 2, numbers.dtype)
    middle = np.empty(CHUNK + 2, numbers.dtype)
    high = np.empty(CHUNK + 2, numbers.dtype)
    reach = 1 if signals.smooth or signals.texture >= 0 else 0
    runs, water, judged = 0, 0, 0
    for y in range(inner[0], inner[1]):
        r = y - corner[0] + 2
        fresh = True
        for c0 in range(inner[2], inner[3], CHUNK):
            n = min(CHUNK, inner[3] - c0)
            c = c0 - corner[1] + 2
            held, full = mark_zone(spans, y, c0, c0 + n, zone[:n])
            if held == 0:
                continue
            if with_bad:
                _drop_bad(bad, r, c, reach, zone[:n])
            if full and not with_bad:
                here = n
                wet = n if held & 1 else 0
            else:
                here = _count(zone[:n], np.uint8(255))
                wet = _count(zone[:n], np.uint8(1))
            if here == 0:
                continue
            water += wet
            judged += here
            if fresh:
                fresh = False
                gy, fy = levels.row[y], levels.row_part[y]
                for s in range(slots):
                    for k in range(coarse):
                        above, below = levels.limit[s, gy, k], levels.limit[s, gy + 1, k]
                        edges[s, k] = above + (below - above) * fy
                        above, below = levels.soft[s, gy, k], levels.soft[s, gy + 1, k]
                        soft_edges[s, k] = above + (below - above) * fy
            ready[:] = np.uint8(0)
            known[:] = np.uint8(0)
            leveled[:] = np.uint8(0)
            kinds[:n] = np.uint8(0)
            found = False
            for row in range(count_rows):
                if held & rules.zone[row] == 0:
                    continue
                code = rules.zone[row]
                if found:
                    for i in range(n):
                        mask[i] = np.uint8((zone[i] & code) != 0) & np.uint8(kinds[i] == 0)
                else:
                    for i in range(n):
                        mask[i] = np.uint8((zone[i] & code) != 0)
                left = True
                # First the row's own terms (group -1), then each list of terms that would speak against it.
                for group in range(rules.unless[row] - 1, rules.unless[row + 1]):
                    own = group < rules.unless[row]
                    target = mask if own else other
                    if own:
                        first, last = rules.terms[row], rules.terms[row + 1]
                    else:
                        first, last = rules.groups[group], rules.groups[group + 1]
                        other[:n] = mask[:n]
                    rest = True
                    for t in range(first, last):
                        f = rules.feature[t]
                        if known[f] == 0:
                            known[f] = np.uint8(1)
                            for b in range(count_bands + 1):
                                asked = features.num[f, b] != np.float32(0.0) or features.den[f, b] != np.float32(0.0)
                                if asked and ready[b] == 0:
                                    ready[b] = np.uint8(1)
                                    smooth_band(numbers, b, r, c, signals, low, middle, high, bands[b, :n])
                            index_row(
                                bands, features.num[f], features.den[f], features.ratio[f], values[f, :n], spare[:n]
                            )
                        s = rules.slot[t]
                        if s < 0:
                            rest = keep_beyond(values[f, :n], rules.limit[t], rules.above[t], target[:n])
                        else:
                            if leveled[s] == 0:
                                leveled[s] = np.uint8(1)
                                level_row(edges[s], levels, c0, limits[s, :n])
                            rest = keep_against(values[f, :n], limits[s, :n], rules.above[t], target[:n])
                        if not rest:
                            break
                    if own:
                        left = rest
                    elif rest:
                        for i in range(n):
                            mask[i] &= np.uint8(1) - other[i]
                    if not left:
                        break
                if left:
                    found = True
                    for i in range(n):
                        kinds[i] += mask[i] * np.uint8(row + 1)
            if not found:
                continue
            for b in range(count_bands + 1):
                if ready[b] == 0 and (b < count_bands or signals.texture >= 0):
                    smooth_band(numbers, b, r, c, signals, low, middle, high, bands[b, :n])
            for i in range(n):
                kind = kinds[i]
                if kind == 0:
                    continue
                x = c0 + i
                if (
                    runs > 0
                    and where[runs - 1, ROW] == y
                    and where[runs - 1, TO] == x
                    and where[runs - 1, CLASS] == kind
                ):
                    at = runs - 1
                else:
                    if runs == where.shape[0]:
                        return -1, water, judged
                    at = runs
                    runs += 1
                    where[at, ROW] = y
                    where[at, FROM] = x
                    where[at, CLASS] = kind
                    sums[at, :] = 0
                where[at, TO] = x + 1
                least = np.float32(1.0)
                for t in range(rules.terms[kind - 1], rules.terms[kind]):
                    value = values[rules.feature[t], i]
                    s = rules.slot[t]
                    if s < 0:
                        limit = rules.limit[t]
                        soft = rules.soft[t]
                    else:
                        k, part = levels.column[x], levels.column_part[x]
                        limit = limits[s, i]
                        soft = soft_edges[s, k] + (soft_edges[s, k + 1] - soft_edges[s, k]) * part
                    beyond = (value - limit if rules.above[t] else limit - value) / soft
                    least = min(least, beyond)
                sums[at, SCORE] += np.int64(least * np.float32(100.0) + np.float32(100.5))
                for b in range(count_bands + 1):
                    amount = min(bands[b, i] * signals.quantum + np.float32(0.5), np.float32(BEYOND))
                    sums[at, FIRST_BAND + b] += np.int64(amount)
                green = min(bands[signals.green, i] * signals.quantum + np.float32(0.5), np.float32(BEYOND))
                red = min(bands[signals.red, i] * signals.quantum + np.float32(0.5), np.float32(BEYOND))
                bright = np.int64(green) + np.int64(red)
                sums[at, SQUARES] += bright * bright
    return runs, water, judged
