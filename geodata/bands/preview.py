"""A small picture of a multiband source for people: true colour, false colour, one band, or an index on a fixed scale.

Made for looking at, never for measuring: values are stretched. An index keeps one scale for every flight, so that two
rounds may be laid side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from geodata.bands.indices import index_named
from geodata.bands.raster import Held, Raster
from geodata.bands.stack import in_chinese
from geodata.errors import GeoError

Picture = NDArray[np.uint8]
MAX_SIDE_PX = 2048
QUALITY = 85
NOTHING = (255, 255, 255)

COLOURS: Mapping[str, tuple[tuple[str, str, str], str]] = MappingProxyType(
    {
        "true": (("red", "green", "blue"), "真彩色"),
        "false": (("nir", "red", "green"), "假彩色（近红外、红、绿）"),
    }
)
INDICES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"ndwi": (-0.6, 0.8), "ndvi": (-0.3, 0.9), "ndre": (-0.3, 0.7), "ndti": (-0.3, 0.3)}
)
"""Index -> the ends of its scale, the same for every picture."""


@dataclass(frozen=True)
class Window:
    """A part of a source, whole pixels: left, top, right, bottom."""

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int


def views(source: Raster | Held) -> dict[str, str]:
    """The views a source can give: name -> Chinese words."""
    have = {name for name in source.names if name}
    found = {name: zh for name, (bands, zh) in COLOURS.items() if have.issuperset(bands)}
    for name in INDICES:
        if have.issuperset(index_named(name).bands):
            found[name] = f"{name.upper()} {index_named(name).meaning}"
    return found | {f"band:{name}": f"{in_chinese(name)}波段" for name in source.names if name}


def preview(source: Raster | Held, view: str, side_px: int = 1280, window: Window | None = None) -> bytes:
    """A JPEG of a source, its longest side at most `side_px`; white where there is nothing.

    Raises `GeoError`: `unknown_view`, `empty_window`, and as reading does.
    """
    known = views(source)
    if view == "auto":
        view = next(iter(known), "")
    if view not in known:
        raise GeoError("unknown_view", f"这个影像没有“{view[:20]}”视图；可选：{'、'.join(known)}。", "view")
    names = _bands_of(view)
    values, valid = _read(source, names, side_px, window)
    if view in INDICES:
        low, high = INDICES[view]
        picture = _ramp(_index(view, names, values), low, high)
    else:
        picture = np.stack([_stretched(band, valid) for band in (values if len(values) == 3 else [values[0]] * 3)], 2)
    picture[~valid] = NOTHING
    done, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise GeoError("not_drawn", "预览图画不出来。", "view")
    return bytes(data)


def _bands_of(view: str) -> tuple[str, ...]:
    if view in COLOURS:
        return COLOURS[view][0]
    return index_named(view).bands if view in INDICES else (view.removeprefix("band:"),)


def _read(
    source: Raster | Held, names: tuple[str, ...], side_px: int, window: Window | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    side = max(16, min(side_px, MAX_SIDE_PX))
    bands = [source.names.index(name) for name in names]
    with source.opened() as reader:
        if window is None:
            factor = max(1, -(-max(source.width_px, source.height_px) // side))
            raw, mask = reader.coarse(bands, factor)
        else:
            raw, mask = _cut(source, reader, bands, window, side)
    valid = np.ones(raw.shape[1:], bool) if mask is None else mask > 0
    for band, plane in zip(bands, raw, strict=True):
        nodata = source.nodata[band]
        valid &= np.isfinite(plane) & (True if nodata is None else plane != nodata)
    scale = np.array([source.scales[band] for band in bands], np.float32)[:, None, None]
    offset = np.array([source.offsets[band] for band in bands], np.float32)[:, None, None]
    return np.nan_to_num(raw.astype(np.float32) * scale + offset), valid


def _cut(source: Raster | Held, reader: Any, bands: list[int], window: Window, side: int) -> tuple[Any, Any]:
    left, top = max(window.left_px, 0), max(window.top_px, 0)
    right, bottom = min(window.right_px, source.width_px), min(window.bottom_px, source.height_px)
    if right - left < 1 or bottom - top < 1:
        raise GeoError("empty_window", "要看的范围在影像之外。", "window")
    raw = np.empty((len(bands), bottom - top, right - left), source.dtype)
    reader.read(bands, top, left, raw)
    mask = None
    if source.masked:
        mask = np.empty(raw.shape[1:], np.uint8)
        reader.mask(top, left, mask)
    step = max(1, -(-max(raw.shape[1:]) // side))
    return raw[:, ::step, ::step], None if mask is None else mask[::step, ::step]


def _index(view: str, names: tuple[str, ...], values: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = index_named(view).function(*values)
    return np.nan_to_num(np.asarray(found, np.float32))


def _stretched(band: NDArray[np.float32], valid: NDArray[np.bool_]) -> Picture:
    seen = band[valid]
    low, high = np.percentile(seen, (2, 98)) if seen.size else (0.0, 1.0)
    return (np.clip((band - low) / max(float(high - low), 1e-6), 0, 1) * 255).astype(np.uint8)


def _ramp(values: NDArray[np.float32], low: float, high: float) -> Picture:
    """Blue over white to brown-green, readable with the common colour weaknesses."""
    share = (np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    coloured = cv2.applyColorMap(share, cv2.COLORMAP_VIRIDIS)
    return np.ascontiguousarray(coloured[:, :, ::-1])
