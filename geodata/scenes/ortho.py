"""A painted orthomosaic of a stretch of any place's river, for the sample: what a flight over it could have brought.

For eyes and for a walk through the program, never for scoring: things stand where they are put, and the light is kind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer

from geodata.place import Place
from geodata.river import Bank
from geodata.scenes.folder import SCALE, WAVELENGTH_NM
from geodata.scenes.scene import CRS
from geodata.scenes.shape import blob
from geodata.scenes.spectra import BANDS, of

F32 = NDArray[np.float32]
TO_PLANE = Transformer.from_crs("+proj=longlat +datum=WGS84 +no_defs", CRS, always_xy=True)
GSD_M = 0.3
ASIDE_M = 62.0
"""Ground shown on either side of the middle of the river."""
NOISE = 0.035


@dataclass(frozen=True)
class Lies:
    """One thing on the ground: kind, where along and across the river, and about how far it reaches, metres."""

    kind: str
    chainage_m: float
    bank: Bank
    offset_m: float
    radius_m: float


def ortho(
    place: Place, first_m: float, last_m: float, things: Sequence[Lies], path: Path, *, seed: int, light: float = 1.0
) -> None:
    """Write the stretch between two chainages as a five-band GeoTIFF, turned along the river (uint16, scale 1e-4).

    `seed` is the ground's: two rounds of one stretch with the same seed show the same trees. `light` is the round's.
    """
    river = place.river
    assert river is not None
    frame, size = _frame(river, first_m, last_m)
    rng = np.random.default_rng([seed, 17])
    wet_m = _plane(place.water)
    wet = _drawn(wet_m, frame, size)
    near = _drawn(wet_m.buffer(1.5), frame, size) & ~wet
    surface = _land(rng, size, near)
    surface[:, wet] = of("water", "tune")[3].values[:, None] * _mottled(rng, size, 60, 0.05)[wet]
    for thing in things:
        _lay(surface, thing, river, frame, size, seed)
    noise = np.random.default_rng([seed, int(light * 1000)])
    surface *= np.float32(light) * (1 + NOISE * noise.standard_normal(surface.shape, np.float32))
    _write(path, surface, frame)


def _frame(river: Any, first_m: float, last_m: float) -> tuple[Affine, tuple[int, int]]:
    """Pixels along the straight line between both ends, wide enough for the bends between."""
    spots = np.array([TO_PLANE.transform(*river.point_at(at)) for at in np.linspace(first_m, last_m, 40)])
    along = spots[-1] - spots[0]
    ahead = along / np.hypot(*along)
    right = np.array([ahead[1], -ahead[0]])
    parts = (spots - spots[0]) @ np.column_stack((ahead, right))
    room = np.array([4.0, ASIDE_M])
    low, high = parts.min(axis=0) - room, parts.max(axis=0) + room
    corner = spots[0] + ahead * low[0] + right * low[1]
    width, height = (math.ceil(value / GSD_M) for value in high - low)
    across, down = ahead * GSD_M, right * GSD_M
    return Affine(across[0], down[0], corner[0], across[1], down[1], corner[1]), (height, width)


def _plane(shape_deg: Any) -> Any:
    return shapely.transform(shape_deg, TO_PLANE.transform, interleaved=False)


def _drawn(shape_m: Any, frame: Affine, size: tuple[int, int]) -> NDArray[np.bool_]:
    return np.asarray(rasterio.features.rasterize([(shape_m, 1)], size, transform=frame, dtype="uint8"), dtype=bool)


def _mottled(rng: np.random.Generator, size: tuple[int, int], spot_px: int, share: float) -> F32:
    """Light and dark patches of about so many pixels, (h, w) around 1."""
    small = rng.standard_normal((size[0] // spot_px + 3, size[1] // spot_px + 3)).astype(np.float32)
    wide = cv2.resize(small, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(1 + np.float32(share) * wide, dtype=np.float32)


def _land(rng: np.random.Generator, size: tuple[int, int], near: NDArray[np.bool_]) -> F32:
    """Grass in patches, reed at the water's edge, trees with their shadows, (5, h, w)."""
    grass, other = (row.values[:, None, None] for row in of("grass", "tune")[:2])
    share = np.clip(_mottled(rng, size, 40, 0.35) - 0.1, 0.25, 1)
    surface = np.asarray((grass * share + other * (1 - share)) * _mottled(rng, size, 6, 0.08), dtype=np.float32)
    surface[:, near] = of("reed", "tune")[0].values[:, None]
    tree = of("tree", "tune")[0].values
    shadow = 0.4 * of("grass", "tune")[0].values
    for _ in range(size[0] * size[1] // 9000):
        r = int(rng.integers(6, 16))
        x, y = int(rng.integers(size[1])), int(rng.integers(size[0]))
        for column, row, colour in ((x + r // 2, y - r // 2, shadow), (x, y, tree)):
            for band, value in zip(surface, colour, strict=True):
                cv2.circle(band, (column, row), r, float(value), -1)
    return surface


def _lay(surface: F32, thing: Lies, river: Any, frame: Affine, size: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng([seed, int(thing.chainage_m), int(thing.radius_m * 10)])
    x, y = TO_PLANE.transform(*river.point_at(thing.chainage_m, thing.offset_m, thing.bank))
    outline = blob(rng, float(x), float(y), thing.radius_m, 1.4, 0.2)
    on = _drawn(outline, frame, size)
    rows = of(thing.kind, "tune")
    few = rows[:1] if thing.kind in ("aquatic_bloom", "bare_soil", "sewage") else rows
    count = int(on.sum())
    picks = np.stack([row.values for row in few])[rng.integers(0, len(few), count)]
    surface[:, on] = picks.T * rng.uniform(0.92, 1.08, count).astype(np.float32)


def _write(path: Path, surface: F32, frame: Affine) -> None:
    numbers = np.clip(np.rint(surface / np.float32(SCALE)), 1, 65535).astype(np.uint16)
    with rasterio.open(
        path, "w", driver="GTiff", width=surface.shape[2], height=surface.shape[1], count=len(BANDS), dtype="uint16",
        nodata=0, crs=CRS, transform=frame, tiled=True, blockxsize=512, blockysize=512, compress="deflate",
    ) as out:  # fmt: skip
        for number, name in enumerate(BANDS):
            out.write(numbers[number], number + 1)
            out.set_band_description(number + 1, name)
            out.update_tags(number + 1, wavelength=str(WAVELENGTH_NM[number]), wavelength_units="Nanometers")
        out.scales, out.offsets = (SCALE,) * len(BANDS), (0.0,) * len(BANDS)
