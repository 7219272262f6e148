"""Where recognised sewage seems to begin: the head of its plume with an error of its own, kept with the detection.

Only the part of the file around a detection is read. It names no source and proves none; a detection whose plume has
no clear head keeps none, and its tracing starts from the detection itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import shape

from geodata.errors import GeoError
from geodata.place import Place
from geodata.plume import Plume, find_plumes
from geodata.river import River
from patrol.actions.flights.found import Found

if TYPE_CHECKING:
    from geodata.bands.raster import Held, Raster

AROUND_M = 80.0
MOST_PX = 16_000_000
_M_A_DEGREE = 111_320.0

Floats = NDArray[np.float64]


def with_heads(source: Raster | Held, place: Place, found: Sequence[Found]) -> tuple[Found, ...]:
    """The same finds; those of sewage with `facts["plume"]` where a plume of theirs has a head."""
    if place.river is None:
        return tuple(found)
    return tuple(_with_head(source, place, each) if each.kind == "sewage" else each for each in found)


def _with_head(source: Raster | Held, place: Place, each: Found) -> Found:
    assert place.river is not None  # the caller has looked
    if each.outline is None:
        return each
    outline = shape(each.outline)
    try:
        window = _window(source, outline.bounds)
        if window is None:
            return each
        plumes = _plumes(source, place.river, window, each)
    except GeoError:
        return each  # too little river in the picture to say where it begins
    bank = place.river.chainage_of(each.lon, each.lat).bank
    mine = [plume for plume in plumes if plume.bank == bank and shape(plume.outline).intersects(outline)]
    if not mine:
        return each
    best = max(mine, key=lambda plume: (plume.head_seen, plume.contrast))
    return replace(each, facts={**each.facts, "plume": _facts(best)})


def _plumes(source: Raster | Held, river: River, window: tuple[int, int, int, int], each: Found) -> list[Plume]:
    """Plumes of dark water and of silt: what flows in may be either."""
    sigma_m = math.sqrt(max(0.0, float(np.trace(np.array(each.cov_en_m2))) / 2))
    found: list[Plume] = []
    for dark in (True, False):
        index, valid = _index(source, window, dark=dark)
        found += find_plumes(index, valid, _pixel_of(source, window), river, position_sigma_m=sigma_m)
    return found


def _facts(plume: Plume) -> dict[str, Any]:
    return {
        "lon": round(plume.lon, 8), "lat": round(plume.lat, 8), "head_error_m": round(plume.head_error_m, 3),
        "head_seen": plume.head_seen, "bank": plume.bank, "chainage_m": round(plume.chainage_m, 1),
        "length_m": round(plume.length_m, 1), "width_m": round(plume.width_m, 1),
        "contrast": round(plume.contrast, 2), "against_flow": plume.against_flow,
    }  # fmt: skip


def _window(source: Raster | Held, bounds: tuple[float, ...]) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom in pixels around an outline; None when that is too much to look at."""
    west, south, east, north = bounds
    up = AROUND_M / _M_A_DEGREE
    across = up / max(0.1, math.cos(math.radians((south + north) / 2)))
    ring = [(west - across, south - up), (east + across, south - up), (east + across, north + up),
            (west - across, north + up)]  # fmt: skip
    pixels = np.asarray(source.grid.to_pixels(ring))
    if not np.isfinite(pixels).all():
        return None
    left, top = np.floor(pixels.min(axis=0)).astype(int)
    right, bottom = np.ceil(pixels.max(axis=0)).astype(int)
    left, top = max(0, int(left)), max(0, int(top))
    right, bottom = min(source.width_px, int(right)), min(source.height_px, int(bottom))
    if right - left < 8 or bottom - top < 8 or (right - left) * (bottom - top) > MOST_PX:
        return None
    return left, top, right, bottom


def _index(source: Raster | Held, window: tuple[int, int, int, int], *, dark: bool) -> tuple[Floats, NDArray[np.bool_]]:
    """What is larger where the water is worse: darkness in green, or red over green; and where it is known."""
    left, top, right, bottom = window
    names = ["green"] if dark else ["green", "red"]
    bands = [source.names.index(name) for name in names]
    numbers = np.empty((len(bands), bottom - top, right - left), dtype=source.dtype)
    mask = np.full(numbers.shape[1:], 255, np.uint8)
    with source.opened() as reader:
        reader.read(bands, top, left, numbers)
        if source.masked:
            reader.mask(top, left, mask)
    signal = np.stack([
        part.astype(np.float64) * source.scales[band] + source.offsets[band]
        for part, band in zip(numbers, bands, strict=True)
    ])  # fmt: skip
    valid = np.isfinite(signal).all(axis=0) & (mask > 0)
    for part, band in zip(numbers, bands, strict=True):
        nothing = source.nodata[band]
        if nothing is not None:
            valid &= part != nothing
    with np.errstate(divide="ignore", invalid="ignore"):
        index = -signal[0] if dark else (signal[1] - signal[0]) / (signal[1] + signal[0])
    return np.where(valid, index, np.nan), valid & np.isfinite(index)


def _pixel_of(source: Raster | Held, window: tuple[int, int, int, int]) -> Any:
    left, top = window[:2]

    def pixel_of(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        spots = np.asarray(source.grid.to_pixels(np.column_stack((np.ravel(lon), np.ravel(lat)))))
        return (spots[:, 0] - left).reshape(np.shape(lon)), (spots[:, 1] - top).reshape(np.shape(lon))

    return pixel_of
