"""Plumes along a bank: an optical anomaly across the river, and its upstream end with an error of its own.

"Anomaly" is all it may say: no colour proves sewage, and every find is a clue to be checked on site. It takes
an index the caller computed, larger where the water is worse, and it names no source (`geodata.sources` does).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio.features
import scipy.ndimage
import shapely
import shapely.geometry
import shapely.ops
from numpy.typing import ArrayLike, NDArray

from geodata.errors import GeoError
from geodata.frames.ellipse import ce90_m
from geodata.plume_background import Anomaly, anomaly_of
from geodata.plume_head import Head, head_of
from geodata.plume_reach import Mask, PixelOf, Reach, unroll
from geodata.river import Bank, River

Array = NDArray[np.float64]

HALF_WIDTH_M = 60.0
"""How far off the centreline water is looked for where the place has no outline of it."""
SEED_SIGMAS = 5.0
EDGE_SIGMAS = 2.5
"""A plume starts where the smoothed anomaly is this far over its own scatter, and ends at the lower level."""
TOUCH_M = 3.0
"""A plume comes this near to its bank."""
VAGUE_M = 2.0
LEAST_AREA_M2 = 8.0
LEAST_LENGTH_M = 4.0


@dataclass(frozen=True)
class Plume:
    """One anomaly along a bank; WGS-84 degrees, metres.

    `lon`, `lat`: the head, its upstream end; `head_error_m`: the radius that holds it with 90 %, from
    `cov_en_m2`. `head_seen` is False where the picture begins inside of the plume: the head then lies farther
    upstream. `contrast`: level near the head over the scatter of a cell. `against_flow`: it is strongest at
    its downstream end, as where the water stood or ran backwards. `outline`: a GeoJSON geometry.
    """

    lon: float
    lat: float
    head_error_m: float
    cov_en_m2: tuple[tuple[float, float], tuple[float, float]]
    head_seen: bool
    bank: Bank
    chainage_m: float
    length_m: float
    width_m: float
    area_m2: float
    contrast: float
    anomaly: float
    against_flow: bool
    outline: dict[str, Any]


def find_plumes(
    index: ArrayLike,
    valid: ArrayLike,
    pixel_of: PixelOf,
    river: River,
    half_width_m: float | None = None,
    position_sigma_m: float = 0.0,
) -> list[Plume]:
    """Plumes of a picture of a river, the strongest first.

    Parameters: `index` (h, w), larger where the water is worse (NDTI for silt, minus green for dark water);
    `valid` (h, w), True on water that is neither shadow, glint nor nodata; `pixel_of`, longitudes and
    latitudes -> columns and rows (`grid_pixels` makes one of an affine transform); `river`, whose chainage
    grows downstream; `half_width_m`, how far off the centreline to look, by default the surveyed water's
    width or 60 m; `position_sigma_m`, one-sigma error of the picture's own georeference, added to the head's.

    The index minus its median across the river and minus its trend along each bank is compared with its own
    scatter; a connected area over 5 MAD sigmas that touches a bank is a plume. The head is the posterior mean
    of a step in the profile along the bank, so it falls between cells, and its error is the posterior's.

    Raises GeoError `bad-shape`, `bad-width`, `bad-error` or `no-river`. Proven on generated reaches only.

    >>> from geodata.plume_reach import grid_pixels
    >>> river = River.along(shapely.LineString([(112.18, 30.35), (112.184, 30.35)]))
    >>> picture = np.random.default_rng(7).normal(0.0, 1.0, (120, 760))
    >>> picture[26:36, 200:420] += 4.0
    >>> water = np.zeros(picture.shape, dtype=bool)
    >>> water[25:95] = True
    >>> pixel_of = grid_pixels((5.2e-6, 0, 112.18, 0, -4.51e-6, 30.35027), "EPSG:4326")
    >>> [(plume.bank, round(plume.chainage_m)) for plume in find_plumes(picture, water, pixel_of, river)]
    [('left', 100)]
    """
    if half_width_m is not None and not (math.isfinite(half_width_m) and half_width_m >= 2.0):
        raise GeoError("bad-width", "河面半宽应是不小于 2 米的数。", "half_width_m")
    if not (math.isfinite(position_sigma_m) and position_sigma_m >= 0.0):
        raise GeoError("bad-error", "影像的位置误差应是不小于零的米数。", "position_sigma_m")
    reach = unroll(index, valid, pixel_of, river, half_width_m or _half_width_m(river))
    anomaly = anomaly_of(reach)
    return sorted(
        (
            _plume(reach, anomaly, area, head, bank, river, position_sigma_m)
            for bank in ("left", "right")
            for area, head in _areas(reach, anomaly, bank)
        ),
        key=lambda plume: (-plume.contrast, plume.chainage_m),
    )


def _half_width_m(river: River) -> float:
    if river.water_m is None:
        return HALF_WIDTH_M
    edge = shapely.get_coordinates(shapely.segmentize(river.water_m.boundary, 20.0))
    away = shapely.distance(shapely.points(edge), river.line_m)
    return float(np.clip(np.quantile(away, 0.98) + 5.0, 5.0, 400.0))


def _areas(reach: Reach, anomaly: Anomaly, bank: Bank) -> list[tuple[Mask, Head]]:
    """Connected areas over the threshold that touch a bank, with their heads; what lies upstream of a head is cut."""
    shore_m = reach.shore_m[bank]
    other_m = reach.shore_m["right" if bank == "left" else "left"]
    own_half = reach.seen & (shore_m <= other_m + TOUCH_M)
    over = anomaly.broad > EDGE_SIGMAS * anomaly.broad_sigma
    seed = (anomaly.broad > SEED_SIGMAS * anomaly.broad_sigma) & reach.seen
    labels, count = scipy.ndimage.label(over & reach.seen, structure=np.ones((3, 3)))
    found: list[tuple[Mask, Head]] = []
    for number, window in enumerate(scipy.ndimage.find_objects(labels, count), start=1):
        area = np.zeros(labels.shape, dtype=bool)
        area[window] = labels[window] == number
        touching = area & own_half & (shore_m <= TOUCH_M)
        near_seed = seed & area & own_half & (shore_m <= 3 * TOUCH_M)
        if not (touching.any() and near_seed.any()):
            continue
        head = head_of(reach, anomaly, area & own_half, bank)
        if head is None or (head.along_sigma_m > VAGUE_M and head.level < anomaly.cell_sigma and head.seen):
            continue  # faint and without a beginning: uneven water, not something that flows in
        kept = area & (reach.along_m >= head.along_m - reach.step_m)[None, :]
        columns = np.flatnonzero(kept.any(axis=0))
        long_enough = len(columns) and (columns[-1] - columns[0] + 1) * reach.step_m >= LEAST_LENGTH_M
        if long_enough and kept.sum() * reach.step_m**2 >= LEAST_AREA_M2:
            found.append((kept, head))
    return found


def _plume(
    reach: Reach, anomaly: Anomaly, area: Mask, head: Head, bank: Bank, river: River, position_sigma_m: float
) -> Plume:
    column = int(np.clip(round((head.along_m - reach.along_m[0]) / reach.step_m), 0, len(reach.along_m) - 1))
    shore = np.where(np.isfinite(reach.shore_m[bank][:, column]), reach.shore_m[bank][:, column], 1e9)
    row = int(np.argmin(np.abs(shore - head.shore_m)))
    x_m, y_m = _between_cells(reach, head.along_m, row)
    along = np.array([np.gradient(reach.x_m[row])[column], np.gradient(reach.y_m[row])[column]])
    along /= max(float(np.linalg.norm(along)), 1e-9)
    turn = np.column_stack((along, (-along[1], along[0])))
    spread = turn @ np.diag([head.along_sigma_m**2, head.shore_sigma_m**2]) @ turn.T
    covariance = spread + np.eye(2) * position_sigma_m**2
    lon, lat = (float(value) for value in river.frame.inverse(x_m, y_m))
    columns = np.flatnonzero(area.any(axis=0))
    area_m2 = float(area.sum()) * reach.step_m**2
    length_m = float(columns[-1] - columns[0] + 1) * reach.step_m
    third = max(1, len(columns) // 3)
    level = np.array([anomaly.broad[:, c][area[:, c]].mean() for c in columns])
    return Plume(
        lon=lon,
        lat=lat,
        head_error_m=float(ce90_m(covariance)),
        cov_en_m2=(
            (float(covariance[0, 0]), float(covariance[0, 1])),
            (float(covariance[1, 0]), float(covariance[1, 1])),
        ),
        head_seen=head.seen,
        bank=bank,
        chainage_m=river.chainage_of(lon, lat).chainage_m,
        length_m=length_m,
        width_m=area_m2 / length_m,
        area_m2=area_m2,
        contrast=head.level / anomaly.cell_sigma,
        anomaly=head.level,
        against_flow=bool(level[-third:].mean() > 1.5 * level[:third].mean() and len(columns) >= 9),
        outline=_outline(reach, area, river),
    )


def _between_cells(reach: Reach, along_m: float, row: int) -> tuple[float, float]:
    return (
        float(np.interp(along_m, reach.along_m, reach.x_m[row])),
        float(np.interp(along_m, reach.along_m, reach.y_m[row])),
    )


def _outline(reach: Reach, area: Mask, river: River) -> dict[str, Any]:
    """The cells' outer edges as a GeoJSON geometry, simplified by less than half a cell."""
    shapes = rasterio.features.shapes(area.astype(np.uint8), mask=area)
    grid = shapely.union_all([shapely.geometry.shape(shape) for shape, _ in shapes]).simplify(0.4)
    spots = shapely.get_coordinates(grid)
    rows_columns = np.stack((spots[:, 1] - 0.5, spots[:, 0] - 0.5))
    x_m, y_m = (
        scipy.ndimage.map_coordinates(part, rows_columns, order=1, mode="nearest") for part in (reach.x_m, reach.y_m)
    )
    lon, lat = river.frame.inverse(x_m, y_m)
    moved = shapely.set_coordinates(grid, np.column_stack((np.round(lon, 8), np.round(lat, 8))))
    return dict(shapely.geometry.mapping(moved if moved.is_valid else shapely.make_valid(moved)))
