"""What the water looks like round about: median and usual deviation of each index on a coarse lattice.

First pass over a picture: small patches at fixed places, whatever the blocks of the file, so that limits relative to
the water do not depend on how a file is stored. Gradients and haze go along with it; a plume or a mat that fills a
patch is outvoted by the patches around. It finds no object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geodata.bands.classify import index_row, mark_zone, smooth_band
from geodata.bands.compiled import compiled
from geodata.bands.plan import OPEN, Features, Levels, Plan, Signals
from geodata.bands.raster import Source
from geodata.bands.ruleset import RuleSet
from geodata.bands.stream import mark_gaps
from geodata.bands.zone import Spans

PATCH_PX = 48
STRIDE_PX = 2
LEAST_SAMPLES = 60
LEAST_STEP_PX = 48
MOST_STEPS = 28  # lattice points along the longer side of a picture, however large it is
FEWEST_STEPS = 8


@dataclass(frozen=True)
class Background:
    """Median and median absolute deviation of the water for each relative term's index: (slots, gy, gx).

    `step_px`: pixels between lattice points, the first at half a step. `share`: lattice points that saw water.
    """

    median: NDArray[np.float64]
    mad: NDArray[np.float64]
    step_px: int
    share: float


def measure(source: Source, plan: Plan, rules: RuleSet, spans: Spans, pixel_m: float) -> Background:
    """The background of a picture. `pixel_m`: side of a pixel on the ground.

    Where no lattice point saw enough water the medians are NaN, and no relative term can then hold.
    """
    step = lattice_step_px(source.height_px, source.width_px, rules.background["lattice_m"], pixel_m)
    shape = (max(1, round(source.height_px / step)), max(1, round(source.width_px / step)))
    wanted = [plan.rules.feature[np.flatnonzero(plan.rules.slot == slot)[0]] for slot in range(len(plan.relative))]
    distinct = sorted({int(k) for k in wanted})
    found = np.full((2, len(distinct), *shape), np.nan)
    if distinct:
        look = _patch_reader(source, plan, spans, distinct)
        jobs = [(gy, gx) for gy in range(shape[0]) for gx in range(shape[1])]

        def row_of(gys: Sequence[int]) -> None:
            with source.opened() as reader:
                for gy in gys:
                    for gx in range(shape[1]):
                        corner = (int((gy + 0.5) * step) - PATCH_PX // 2, int((gx + 0.5) * step) - PATCH_PX // 2)
                        found[:, :, gy, gx] = look(reader, corner)

        if jobs:
            halves = [range(0, shape[0] // 2), range(shape[0] // 2, shape[0])]
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(row_of, halves))
    reach = int(rules.background["reach"])
    seen = float(np.isfinite(found[0, :1]).mean()) if distinct else 0.0
    medians = [around(found[0, k], reach) for k in range(len(distinct))]
    mads = [_spread(found[1, k], reach, rules.background["least_mad"]) for k in range(len(distinct))]
    order = [distinct.index(int(k)) for k in wanted]
    empty = np.zeros((0, *shape))
    return Background(
        np.stack([medians[k] for k in order]) if order else empty,
        np.stack([mads[k] for k in order]) if order else empty,
        step,
        seen,
    )


def lattice_step_px(height_px: int, width_px: int, lattice_m: float, pixel_m: float) -> int:
    """Pixels between lattice points: as asked, but neither too few nor too many points.

    >>> lattice_step_px(8000, 8000, 20.0, 0.05), lattice_step_px(400, 300, 20.0, 0.05)
    (400, 50)
    """
    long = max(height_px, width_px)
    step = lattice_m / pixel_m if pixel_m > 0 else long
    return round(max(LEAST_STEP_PX, long / MOST_STEPS, min(step, long / FEWEST_STEPS)))


def _patch_reader(
    source: Source, plan: Plan, spans: Spans, distinct: Sequence[int]
) -> Callable[[Any, tuple[int, int]], NDArray[np.float64]]:
    picked = np.array(distinct, np.int64)

    def look(reader: Any, corner: tuple[int, int]) -> NDArray[np.float64]:
        nothing = np.full((2, len(distinct)), np.nan)
        y0, x0 = max(corner[0], 1), max(corner[1], 1)
        y1, x1 = min(corner[0] + PATCH_PX, source.height_px - 1), min(corner[1] + PATCH_PX, source.width_px - 1)
        if y1 - y0 < 2 or x1 - x0 < 2:
            return nothing
        wet = np.zeros((y1 - y0, x1 - x0), np.uint8)
        if wet_samples(spans, y0, x0, wet) < min(LEAST_SAMPLES, wet.size // (2 * STRIDE_PX**2)):
            return nothing
        numbers = np.empty((len(plan.bands), y1 - y0 + 2, x1 - x0 + 2), source.dtype)
        reader.read(plan.bands, y0 - 1, x0 - 1, numbers)
        bad = np.zeros(numbers.shape[1:], np.uint8)
        if source.masked:
            mask = np.empty(bad.shape, np.uint8)
            reader.mask(y0 - 1, x0 - 1, mask)
            bad[mask == 0] = 1
        for place, band in enumerate(plan.bands):
            gap = source.nodata[band]
            if gap is not None or source.dtype == "float32":
                mark_gaps(numbers[place], np.float64(np.nan if gap is None else gap), bad)
        values = np.empty((len(picked), wet.size), np.float32)
        count = sample(numbers, bad, wet, plan.signals, plan.features, picked, values)
        if count < LEAST_SAMPLES // 2:
            return nothing
        values = values[:, :count]
        values[~np.isfinite(values)] = 0.0
        half = count // 2
        middle = np.partition(values, half, axis=1)[:, half]
        apart = np.abs(values - middle[:, None])
        return np.stack((middle, np.partition(apart, half, axis=1)[:, half])).astype(np.float64)

    return look


@compiled
def wet_samples(spans: Spans, y0: int, x0: int, out: Any) -> int:
    """Marks the open water of a patch (h, w); gives how many samples lie in it."""
    count = 0
    for y in range(out.shape[0]):
        mark_zone(spans, y0 + y, x0, x0 + out.shape[1], out[y])
        for x in range(out.shape[1]):
            out[y, x] = np.uint8((out[y, x] & OPEN) != 0)
            if y % STRIDE_PX == 0 and x % STRIDE_PX == 0:
                count += out[y, x]
    return count


@compiled
def sample(numbers: Any, bad: Any, wet: Any, signals: Signals, features: Features, picked: Any, values: Any) -> int:
    """Indices `picked` at the samples of a patch, made as the pass over all pixels makes them; gives their number.

    `numbers` (n, h + 2, w + 2) with a margin, `bad` (h + 2, w + 2), `wet` (h, w), `values` (len(picked), most).
    """
    width = wet.shape[1]
    bands = np.zeros((numbers.shape[0] + 1, width), np.float32)
    low = np.empty(width + 2, numbers.dtype)
    middle = np.empty(width + 2, numbers.dtype)
    high = np.empty(width + 2, numbers.dtype)
    row = np.empty((picked.size, width), np.float32)
    spare = np.empty(width, np.float32)
    count = 0
    for y in range(0, wet.shape[0], STRIDE_PX):
        for b in range(numbers.shape[0] + 1):
            if b < numbers.shape[0] or signals.texture >= 0:
                smooth_band(numbers, b, y + 1, 1, signals, low, middle, high, bands[b])
        for k in range(picked.size):
            f = picked[k]
            index_row(bands, features.num[f], features.den[f], features.ratio[f], row[k], spare)
        for x in range(0, width, STRIDE_PX):
            gaps = wet[y, x] == 0
            for dy in range(3):
                for dx in range(3):
                    gaps = gaps or bad[y + dy, x + dx] != 0
            if not gaps:
                for k in range(picked.size):
                    values[k, count] = row[k, x]
                count += 1
    return count


def around(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Median of each lattice point and its neighbours that saw water; gaps filled from the nearest that did.

    >>> around(np.array([[1.0, np.nan, 3.0]]), 0).tolist()
    [[1.0, 2.0, 3.0]]
    """
    if not np.isfinite(values).any():
        return values
    out = values.copy()
    if reach > 0:
        padded = np.pad(values, reach, constant_values=np.nan)
        height, width = values.shape
        near = np.stack(
            [padded[dy : dy + height, dx : dx + width] for dy in range(2 * reach + 1) for dx in range(2 * reach + 1)]
        )
        some = np.isfinite(near).any(axis=0) & np.isfinite(values)
        out[some] = np.nanmedian(near[:, some], axis=0)
        # At the rim the neighbours lie to one side only: what they differ by on a slope is put back.
        out[some] += _rim_shift(near[:, some], out[some], reach)
    while np.isnan(out).any():
        padded = np.pad(out, 1, constant_values=np.nan)
        near = np.stack([padded[dy : dy + out.shape[0], dx : dx + out.shape[1]] for dy in range(3) for dx in range(3)])
        fill = np.isnan(out) & np.isfinite(near).any(axis=0)
        out[fill] = np.nanmean(near[:, fill], axis=0)
    return out


def _rim_shift(near: NDArray[np.float64], middle: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Slope of each neighbourhood (n, points), far values clipped, times how far its centre of mass is off."""
    steps = np.arange(-reach, reach + 1, dtype=np.float64)
    dy, dx = np.repeat(steps, steps.size)[:, None], np.tile(steps, steps.size)[:, None]
    seen = np.isfinite(near)
    count = np.maximum(seen.sum(axis=0), 1)
    off_y, off_x = (dy * seen).sum(axis=0) / count, (dx * seen).sum(axis=0) / count
    gap = np.where(seen, near - middle, np.nan)
    most = 3.0 * np.nanmedian(np.abs(gap), axis=0) + 1e-12
    gap = np.where(seen, np.clip(gap, -most, most), 0.0)
    ry, rx = np.where(seen, dy - off_y, 0.0), np.where(seen, dx - off_x, 0.0)
    yy, xx, xy = (ry * ry).sum(axis=0), (rx * rx).sum(axis=0), (rx * ry).sum(axis=0)
    gy, gx = (ry * gap).sum(axis=0), (rx * gap).sum(axis=0)
    whole = yy * xx - xy * xy
    sound = (count >= 6) & (np.maximum(np.abs(off_y), np.abs(off_x)) >= 0.25) & (whole > 1e-6)
    safe = np.where(sound, whole, 1.0)
    shift = -((gy * xx - gx * xy) * off_y + (gx * yy - gy * xy) * off_x) / safe
    return np.where(sound, shift, 0.0)


def _spread(values: NDArray[np.float64], reach: int, least: float) -> NDArray[np.float64]:
    if not np.isfinite(values).any():
        return values
    usual = float(np.nanmedian(values))
    return np.maximum(around(values, max(reach, 1)), max(least * usual, 1e-9))


def levels_of(plan: Plan, background: Background, height_px: int, width_px: int) -> Levels:
    """Limits of the relative terms and their soft widths, ready for the loop over pixels."""
    slots = len(plan.relative)
    shape = background.median.shape[1:]
    limit, soft = np.zeros((slots, *shape)), np.ones((slots, *shape))
    for slot, term in enumerate(plan.relative):
        middle, mad = background.median[slot], background.mad[slot]
        if term.unit == "mad":
            limit[slot], soft[slot] = middle + term.limit * mad, term.soft * mad
        else:
            limit[slot], soft[slot] = middle * term.limit, np.abs(middle) * term.soft
    soft[~(soft > 0)] = 1.0
    rim = ((0, 0), (1, 1), (1, 1))
    # One more ring, continued on a straight line, so that the half steps at the border follow a gradient too.
    limit = _continued(limit)
    soft = np.pad(soft, rim, mode="edge")
    row, row_part = _places(height_px, background.step_px, shape[0])
    column, column_part = _places(width_px, background.step_px, shape[1])
    first = np.searchsorted(column, np.arange(shape[1] + 3)).astype(np.int32)
    return Levels(limit.astype(np.float32), soft.astype(np.float32), row, row_part, column, column_part, first)


def _continued(values: NDArray[np.float64]) -> NDArray[np.float64]:
    for axis in (1, 2):
        if values.shape[axis] > 1:
            first, second = np.take(values, [0], axis), np.take(values, [1], axis)
            last, before = np.take(values, [-1], axis), np.take(values, [-2], axis)
            values = np.concatenate((2 * first - second, values, 2 * last - before), axis=axis)
        else:
            values = np.repeat(values, 3, axis=axis)
    return values


def _places(length_px: int, step_px: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For each pixel the lattice line before it, in the padded lattice, and the part of a step beyond it."""
    at = np.clip((np.arange(length_px) + 0.5) / step_px + 0.5, 0.0, count + 1.0)
    before = np.minimum(at.astype(np.int32), count)
    return before.astype(np.int32), (at - before).astype(np.float32)
