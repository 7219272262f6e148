"""Where a frame's picture lies on the map, and which part of it shows a detection.

A picture is laid by its four corners, so that it may stand at any angle; what lies between follows the plane through
them, which is what a flat river bank looks like from above. For looking at, never for measuring: measured places come
from the projection, not from here.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from shapely.geometry import shape

from geodata.errors import GeoError
from patrol import models as m
from patrol.actions.flights.picture import picture
from patrol.station import Station

if TYPE_CHECKING:
    from geodata.bands.preview import Window

RING = 48  # points of a whole footprint: twelve a side, the corners among them
ROOM = 0.7  # of a detection's size that is shown around it
LEAST_PX = 160
ASPECT = 4 / 3  # of a crop, unless the picture ends before
RENDITION_PX = 2048


@dataclass(frozen=True)
class Lying:
    """A picture on the ground: its size in pixels, and longitude and latitude of its upper left, upper right, lower
    right and lower left corner; `corners` None where they are not known."""

    width_px: int
    height_px: int
    corners: list[list[float]] | None


def lying(station: Station, frame: m.Frame) -> Lying | None:
    """How a frame lies on the map; None for what has no picture."""
    if frame.kind == "raster":
        return _raster(station, frame)
    width, height = frame.facts.get("width_px"), frame.facts.get("height_px")
    if frame.kind not in ("photo", "stack") or not width or not height:
        return None
    return Lying(int(width), int(height), corners_of(frame.footprint))


def corners_of(footprint: dict[str, Any] | None) -> list[list[float]] | None:
    """The ground under a photo's corners, from its footprint; None where the horizon or a border cut the footprint.

    A footprint runs twelve points a side, counter-clockwise as the map sees it, so from the end of the picture's
    border back to its beginning.
    """
    if footprint is None or footprint["type"] != "Polygon" or len(footprint["coordinates"]) != 1:
        return None
    ring = footprint["coordinates"][0][:-1]
    if len(ring) != RING:
        return None
    return [[float(part) for part in ring[at][:2]] for at in (47, 35, 23, 11)]


def window_of(how: Lying, detection: m.Detection) -> Window | None:
    """The part of a picture to look at for a detection, with room around it; None where nothing says which."""
    from geodata.bands.preview import Window

    points = outline_px(how, detection)
    if points is None:
        return None
    low, high = points.min(0), points.max(0)
    side = np.maximum((high - low) * (1 + 2 * ROOM), LEAST_PX)
    height = max(side[1], side[0] / ASPECT)
    side = np.array([height * ASPECT, height])
    size = np.array([how.width_px, how.height_px], dtype=float)
    side = np.minimum(side, size)
    start = np.clip((low + high) / 2 - side / 2, 0, size - side)
    left, top = (int(value) for value in np.floor(start))
    right, bottom = (int(value) for value in np.ceil(start + side))
    return Window(left, top, min(right, how.width_px), min(bottom, how.height_px))


def outline_px(how: Lying, detection: m.Detection) -> np.ndarray[Any, Any] | None:
    """The outline of a detection in pixels of the picture (n, 2): its box, else what it covers on the ground."""
    if detection.box is not None:
        left, top, right, bottom = (float(value) for value in detection.box)
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    if how.corners is None:
        return None
    if detection.outline is None:
        return to_pixels(how, [[detection.lon, detection.lat]])
    solid = shape(detection.outline)
    if solid.geom_type == "MultiPolygon":
        solid = max(solid.geoms, key=lambda part: part.area)
    return to_pixels(how, [point[:2] for point in solid.exterior.coords]) if solid.geom_type == "Polygon" else None


def to_pixels(how: Lying, places: list[Any]) -> np.ndarray[Any, Any]:
    """Longitude and latitude (n, 2) as pixels of a picture that lies by its corners.

    >>> how = Lying(100, 50, [[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    >>> to_pixels(how, [[0.5, 0.5], [1.0, 0.0]]).round(6).tolist()
    [[50.0, 25.0], [100.0, 50.0]]
    """
    assert how.corners is not None  # whoever asks has looked
    ground = np.asarray(how.corners, dtype=float)
    origin, scale = ground[0], np.abs(ground - ground[0]).max()
    picture_px = np.array([[0, 0], [how.width_px, 0], [how.width_px, how.height_px], [0, how.height_px]], dtype=float)
    turned = _projective((ground - origin) / scale, picture_px)
    flat = (np.asarray(places, dtype=float).reshape(-1, 2) - origin) / scale
    seen = np.column_stack((flat, np.ones(len(flat)))) @ turned.T
    return np.asarray(seen[:, :2] / seen[:, 2:])


def crop(station: Station, frame: m.Frame, members: list[m.Frame], view: str, side_px: int, window: Window) -> bytes:
    """A JPEG of a part of a frame. A photo is cut from its clean rendition, so that whatever must not be seen in the
    whole is not seen in the part."""
    if frame.kind != "photo":
        return picture(station, frame, members, view, side_px, window)
    whole = Image.open(io.BytesIO(picture(station, frame, members, view, RENDITION_PX)))
    width, height = frame.facts.get("width_px"), frame.facts.get("height_px")
    across, down = whole.width / (width or whole.width), whole.height / (height or whole.height)
    box = (round(window.left_px * across), round(window.top_px * down),
           round(window.right_px * across), round(window.bottom_px * down))  # fmt: skip
    part = whole.crop((box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1)))
    if max(part.size) < side_px:  # a small part is enlarged, so that the eye has something to hold
        grow = min(4.0, side_px / max(part.size))
        part = part.resize((round(part.width * grow), round(part.height * grow)), Image.Resampling.BICUBIC)
    part.thumbnail((side_px, side_px))
    out = io.BytesIO()
    part.save(out, "JPEG", quality=88)
    return out.getvalue()


def _raster(station: Station, frame: m.Frame) -> Lying | None:
    from geodata.bands.raster import open_raster

    try:
        with station.store.lend(frame.sha256) as path:
            source = open_raster(path)
    except GeoError:
        return None
    width, height = source.width_px, source.height_px
    places = source.grid.to_lonlat([[0, 0], [width, 0], [width, height], [0, height]])
    return Lying(width, height, places.round(9).tolist() if np.isfinite(places).all() else None)


def _projective(start: np.ndarray[Any, Any], end: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The 3 x 3 matrix that takes four points to four others."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(start, end, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(wanted)), 1.0).reshape(3, 3)
