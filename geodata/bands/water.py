"""Where the water is: from a place's polygons, or, where no place tells, from the picture itself.

The official polygon is worth more than any index: the water found here is a stand-in, and the answer says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from geodata.bands.classify import median_of_columns, sort_three
from geodata.bands.compiled import compiled
from geodata.bands.grid import Grid
from geodata.bands.plan import BANK, OPEN, WATER, Plan
from geodata.bands.raster import Source
from geodata.bands.ruleset import RuleSet
from geodata.bands.stream import mark_gaps
from geodata.bands.zone import Spans, over, spans_of_mask, spans_of_polygons
from geodata.crs import LocalXY, local_xy

COARSE_PX = 1000
HOLE = 10.0
"""Holes up to this many times the least water area are taken for floating things, larger ones for islands."""
BRIGHT = 2.5
"""Water whose near infrared is this many times the water's median is a blue roof or a boat."""
LEAST_REST = 0.02
"""Share of a picture that must be dry before water is held against it; less is a bridge pier or a boat."""
LEAST_WET = 0.5
"""Least share of a body's pixels that are wet by themselves: closing may fill gaps, not make the water."""


@dataclass(frozen=True)
class Zone:
    """`spans` of water and bank; `found`: the water was found in the picture, no place told it.

    `shore`: the water that is not open (shapely, WGS-84), None where only the picture tells the water. Then `codes` is
    what was found, a pixel of it `factor` of the picture's.
    """

    spans: Spans
    found: bool
    shore: Any = None
    codes: Any = None
    factor: int = 1


def zone_of_place(water: Any, grid: Grid, height_px: int, width_px: int, bank_m: float, shore_m: float = 0.0) -> Zone:
    """The place's water (shapely, WGS-84) and `bank_m` around it, as far as they lie in the picture.

    `shore_m`: water nearer to the bank is no open water: the bottom shines through, reed stands in it, and no survey
    knows today's waterline.
    """
    west, south, east, north = shapely.bounds(water)
    frame = local_xy((west + east) / 2, (south + north) / 2)
    seen = _seen(grid, height_px, width_px, frame, bank_m)
    metres = shapely.transform(water, frame.forward, interleaved=False)
    shore = shapely.boundary(metres)
    if seen is not None:  # a whole river's edges need not be followed for one frame of it
        metres = shapely.intersection(metres, seen)
        shore = shapely.intersection(shore, seen)  # where the picture ends there is no bank
    bank = shapely.union(shapely.buffer(metres, bank_m), metres) if bank_m > 0 else metres
    away = shapely.difference(metres, shapely.buffer(shore, shore_m)) if shore_m > 0 else metres
    strip = shapely.difference(metres, away) if shore_m > 0 else shapely.Polygon()
    near, wide, far, by = (
        shapely.transform(shape, frame.inverse, interleaved=False) for shape in (metres, bank, away, strip)
    )
    return Zone(spans_of_polygons(near, wide, grid, height_px, width_px, far), found=False, shore=by)


def _seen(grid: Grid, height_px: int, width_px: int, frame: LocalXY, bank_m: float) -> Any:
    """The ground around the picture in local metres, wide enough, or None when its outline is not all ground."""
    side = np.linspace(0.0, 1.0, 17)[:-1]
    zero, one = np.zeros(16), np.ones(16)
    border = np.concatenate(
        [np.stack(pair, axis=1) for pair in ((side, zero), (one, side), (1 - side, one), (zero, 1 - side))]
    ) * (width_px, height_px)
    places = grid.to_lonlat(border)
    if not np.isfinite(places).all() or not all(frame.covers(float(lon), float(lat)) for lon, lat in places):
        return None
    x_m, y_m = frame.forward(places[:, 0], places[:, 1])
    hull = shapely.convex_hull(shapely.multipoints(np.column_stack((x_m, y_m))))
    return shapely.buffer(hull, 2.0 * bank_m + 0.02 * hull.length)


def zone_by_index(source: Source, plan: Plan, rules: RuleSet, pixel_m: float) -> Zone:
    """Water by NDWI above Otsu's limit (kept between two), closed over what floats, and a bank around it.

    Otsu parts any picture in two, a field too: only bodies that `_believed` takes for water count, and there may be none.
    """
    height, width = source.height_px, source.width_px
    factor = max(1, -(-max(height, width) // COARSE_PX))
    seen = _wet(source, plan, rules, factor)
    cell_m = factor * pixel_m
    least = max(1.0, rules.water["least_area_m2"] / cell_m**2)
    close_px = round(rules.water["close_m"] / cell_m)
    wet = _believed(_large(_grown(_grown(seen.wet, close_px, True), close_px, False), least), seen, rules)
    wet |= ~_large(~wet, HOLE * least, keep_border=True)
    codes = np.where(_grown(wet, round(rules.bank["buffer_m"] / cell_m), True), BANK, 0).astype(np.uint8)
    codes[wet] = WATER
    if not wet.any():
        codes[:] = 0
    far = ~_grown(~wet, round(rules.bank["shore_m"] / cell_m), True)
    codes[far & wet] = WATER | OPEN
    return Zone(_spans_of_codes(codes, factor, height, width), found=True, codes=codes, factor=factor)


def zone_of_cells(zone: Zone, factor: int, height_px: int, width_px: int) -> Zone:
    """A zone found in a picture, for the cells of `factor` pixels of that picture."""
    rows, columns = (
        np.minimum((np.arange(length) * factor + factor // 2) // zone.factor, zone.codes.shape[axis] - 1)
        for axis, length in enumerate((height_px, width_px))
    )
    codes = np.ascontiguousarray(zone.codes[np.ix_(rows, columns)])
    return Zone(_spans_of_codes(codes, 1, height_px, width_px), found=True, codes=codes)


def _spans_of_codes(codes: NDArray[np.uint8], factor: int, height_px: int, width_px: int) -> Spans:
    """Water and bank as whole stretches, with the open water over them."""
    below = codes & np.uint8(WATER | BANK)
    away = np.where(codes & OPEN, codes, np.uint8(0))
    return over(spans_of_mask(below, factor, height_px, width_px), spans_of_mask(away, factor, height_px, width_px))


@dataclass(frozen=True)
class _Seen:
    """A coarse look, each (h, w): green and near infrared as signals, what can be used, what is wet and what dry."""

    green: NDArray[np.float32]
    nir: NDArray[np.float32]
    wet: NDArray[np.bool_]
    dry: NDArray[np.bool_]


def _wet(source: Source, plan: Plan, rules: RuleSet, factor: int) -> _Seen:
    places = [plan.names.index("green"), plan.names.index("nir")]
    with source.opened() as reader:
        numbers, mask = reader.coarse([plan.bands[place] for place in places], factor)
    bad = np.zeros(numbers.shape[1:], np.uint8)
    if mask is not None:
        bad[mask == 0] = 1
    for row, place in enumerate(places):
        gap = source.nodata[plan.bands[place]]
        if gap is not None or source.dtype == "float32":
            mark_gaps(numbers[row], np.float64(np.nan if gap is None else gap), bad)
    green, nir = (
        smoothed(numbers[row], plan.signals.scale[place], plan.signals.offset[place])
        for row, place in enumerate(places)
    )
    whole = green + nir
    usable = (bad == 0) & (whole > 0)
    if not usable.any():
        return _Seen(green, nir, usable, usable)
    ndwi = np.divide(green - nir, whole, out=np.full(whole.shape, -1.0, np.float32), where=usable)
    limit = float(np.clip(otsu(ndwi[usable]), rules.water["least_ndwi"], rules.water["most_ndwi"]))
    above = usable & (ndwi > limit)
    wet = above
    if wet.any():
        wet = above & (nir <= BRIGHT * max(float(np.median(nir[above])), 1e-6))
    return _Seen(green, nir, wet, usable & ~above)


def _believed(bodies: NDArray[np.bool_], seen: _Seen, rules: RuleSet) -> NDArray[np.bool_]:
    """Those bodies that are water beyond doubt; a field that is greener than its neighbour is none.

    Water swallows near infrared: its green is a multiple of it, by itself (`sure_ndwi`) and next to what is dry in the
    same picture (`greener`), and its near infrared is a fraction of the dry ground's (`dark`). The last two compare a
    band with itself, so they hold where the bands were never balanced; a picture of nothing but water has the first.
    """
    labels, count = ndimage.label(bodies)
    rest_green, rest_nir = seen.green[seen.dry], seen.nir[seen.dry]
    has_rest = rest_nir.size > LEAST_REST * (rest_nir.size + np.count_nonzero(seen.wet))
    sure = (1.0 + rules.water["sure_ndwi"]) / max(1.0 - rules.water["sure_ndwi"], 1e-6)
    if has_rest:
        rest = max(float(np.median(rest_nir)), 1e-6)
        sure = max(sure, rules.water["greener"] * float(np.median(rest_green)) / rest)
    keep = np.zeros(count + 1, np.bool_)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        body = labels[box] == number
        wet = body & seen.wet[box]
        if np.count_nonzero(wet) < LEAST_WET * np.count_nonzero(body):
            continue
        green, nir = float(np.median(seen.green[box][wet])), float(np.median(seen.nir[box][wet]))
        keep[number] = green >= sure * nir and (not has_rest or nir <= rules.water["dark"] * rest)
    return np.asarray(keep[labels])


@compiled
def smoothed(numbers: Any, scale: Any, offset: Any) -> Any:
    """Median of 3 x 3 as a signal (h, w); at the border the outermost pixels once more."""
    height, width = numbers.shape
    rows = np.empty((3, width + 2), numbers.dtype)
    ordered = np.empty((3, width + 2), numbers.dtype)
    out = np.empty((height, width), np.float32)
    for y in range(height):
        for k in range(3):
            rows[k, 1 : width + 1] = numbers[min(max(y + k - 1, 0), height - 1)]
            rows[k, 0], rows[k, width + 1] = rows[k, 1], rows[k, width]
        sort_three(rows[0], rows[1], rows[2], ordered[0], ordered[1], ordered[2])
        median_of_columns(ordered[0], ordered[1], ordered[2], scale, offset, out[y])
    return out


def otsu(values: NDArray[Any]) -> float:
    """Otsu's limit between two groups of numbers in -1 to 1, to 1/128.

    >>> bool(-0.3 < otsu(np.array([-0.5] * 50 + [0.4] * 50)) < 0.4)
    True
    """
    counts, edges = np.histogram(values, bins=256, range=(-1.0, 1.0))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    apart[~np.isfinite(apart)] = 0.0
    # Between two clean groups the measure is flat: the middle of the flat stretch.
    best = np.flatnonzero(apart >= apart.max() * (1.0 - 1e-12))
    return float(edges[1:][best].mean())


def _grown(mask: NDArray[np.bool_], reach_px: int, more: bool) -> NDArray[np.bool_]:
    """Dilated (or eroded) by a square; beyond the border the picture goes on as it ends."""
    if reach_px < 1:
        return mask
    fold = ndimage.maximum_filter1d if more else ndimage.minimum_filter1d
    size = 2 * reach_px + 1
    out = fold(fold(mask.view(np.uint8), size, axis=0, mode="nearest"), size, axis=1, mode="nearest")
    return np.asarray(out).astype(np.bool_)


def _large(mask: NDArray[np.bool_], least_px: float, keep_border: bool = False) -> NDArray[np.bool_]:
    """The parts of a mask with at least `least_px` pixels; with `keep_border` also those that reach the border."""
    labels, count = ndimage.label(mask)
    keep = np.bincount(labels.ravel(), minlength=count + 1) >= least_px
    if keep_border:
        for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            keep[side] = True
    keep[0] = False
    return np.asarray(keep[labels])
