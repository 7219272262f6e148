"""One generated scene with its truth, and overlapping frames of it; the doors of this package.

Positions of truth are WGS-84 degrees, longitude first; the raster lies in UTM zone 49 north. Everything here is
made, nothing is measured: a score on scenes is a floor for the code, not a promise for the field.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import LineString, Point, Polygon

from geodata.errors import GeoError
from geodata.scenes.difficulty import DIFFICULTY, Difficulty
from geodata.scenes.paint import Painted, paint
from geodata.scenes.plan import KINDS, Plan, plan
from geodata.scenes.sense import sense
from geodata.scenes.spectra import HALVES, Half

F32 = NDArray[np.float32]
CRS = "+proj=utm +zone=49 +datum=WGS84 +units=m +no_defs"
SMALLEST_PX, LARGEST_PX = 300, 6000
_EAST_M, _NORTH_M, _STEP_M = 613_400.0, 3_358_600.0, 400.0


@dataclass(frozen=True)
class Truth:
    """A problem that is there: kind, outline (WGS-84), area, and for a plume the outfall it comes from.

    `number` + 1 is its value in `Scene.labels`.
    """

    kind: str
    number: int
    outline: Polygon = field(repr=False)
    area_m2: float
    head: Point | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """Bands (5, h, w) float32 reflectance in the order of spectra.BANDS, NaN where not seen, and what is true there.

    `water` is the official surface (wrong at the waterline as real ones are), `centreline` runs downstream, both
    WGS-84 and a little longer than the raster; `labels` (h, w) numbers the truths; `surface` is the clean picture.
    """

    plan: Plan = field(repr=False)
    bands: F32 = field(repr=False)
    truths: tuple[Truth, ...]
    labels: NDArray[np.uint16] = field(repr=False)
    water: Polygon = field(repr=False)
    centreline: LineString = field(repr=False)
    transform: Affine = field(repr=False)
    gsd_m: float
    surface: F32 = field(repr=False)
    open_water: F32 = field(repr=False)
    crs: str = CRS

    @property
    def hectares(self) -> float:
        """Area of the raster."""
        return float(self.labels.size) * self.gsd_m**2 / 10_000


def scene(
    seed: int,
    half: Half = "tune",
    size_px: int = 1500,
    gsd_m: float = 0.05,
    difficulty: Difficulty = DIFFICULTY,
) -> Scene:
    """A scene of `size_px` squared pixels of `gsd_m` metres: the same seed and half give the same scene.

    Raises GeoError `bad-scene` for a size, ground pixel or half that cannot be made.

    >>> made = scene(3, "tune", size_px=400)
    >>> made.bands.shape, made.bands.dtype.name, {truth.kind for truth in made.truths} <= set(KINDS)
    ((5, 400, 400), 'float32', True)
    """
    if not SMALLEST_PX <= size_px <= LARGEST_PX or not 0.01 <= gsd_m <= 1.0 or half not in HALVES:
        raise GeoError(
            "bad-scene",
            f"生成场景的边长应为 {SMALLEST_PX} 到 {LARGEST_PX} 像素、地面分辨率 0.01 到 1 米、half 为 tune 或 score。",
        )
    made = plan(seed, half, size_px * gsd_m, difficulty)
    return develop(made, paint(made, gsd_m, size_px), gsd_m, 0)


def frames(base: Scene, count: int = 3) -> tuple[Scene, ...]:
    """`count` overlapping frames of one scene: other glint, noise and light, corners apart, up to a pixel misplaced.

    The first corner stays; every frame is smaller by the shift and shows every truth whole.
    """
    worst, most = base.plan.difficulty.offset_px, base.plan.difficulty.shift_px
    h, w = base.labels.shape
    made = []
    for number in range(count):
        rng = np.random.default_rng([base.plan.seed, 11, number])
        down, right = (0, 0) if number == 0 else (int(value) for value in rng.integers(0, most + 1, 2))
        rows, cols = slice(down, h - most + down), slice(right, w - most + right)
        off_x, off_y = rng.uniform(-worst, worst, 2) if number else (0.0, 0.0)
        made.append(
            replace(
                base,
                bands=sense(base.surface[:, rows, cols], base.open_water[rows, cols], base.plan.difficulty, rng),
                labels=base.labels[rows, cols],
                surface=base.surface[:, rows, cols],
                open_water=base.open_water[rows, cols],
                transform=_moved(base.transform, float(right + off_x), float(down + off_y)),
            )
        )
    return tuple(made)


def develop(made: Plan, painted: Painted, gsd_m: float, frame: int) -> Scene:
    """The scene of a painted plan, sensed as frame number `frame`."""
    transform = _transform(made.seed, gsd_m)
    rng = np.random.default_rng([made.seed, 11, frame])
    return Scene(
        plan=made,
        bands=sense(painted.surface, painted.open_water, made.difficulty, rng),
        truths=_truths(made, painted),
        labels=painted.labels,
        water=to_degrees(made, made.reach.water(made.wider_m, 10.0)),
        centreline=to_degrees(made, made.reach.line(10.0)),
        transform=transform,
        gsd_m=gsd_m,
        surface=painted.surface,
        open_water=painted.open_water,
    )


@lru_cache(maxsize=1)
def _degrees() -> Transformer:
    return Transformer.from_crs(CRS, "+proj=longlat +datum=WGS84 +no_defs", always_xy=True)


def _transform(seed: int, gsd_m: float) -> Affine:
    # Scenes of different seeds lie apart, so that two never join into one place by mistake.
    return Affine(gsd_m, 0.0, _EAST_M + _STEP_M * (seed % 50), 0.0, -gsd_m, _NORTH_M + _STEP_M * (seed // 50 % 50))


def _moved(transform: Affine, right_px: float, down_px: float) -> Affine:
    a, b, c, d, e, f = tuple(transform)[:6]
    return Affine(a, b, c + a * right_px + b * down_px, d, e, f + d * right_px + e * down_px)


def to_degrees(made: Plan, shape_m: Any) -> Any:
    """A shape of the plan's plane (metres, y down) as WGS-84 degrees."""
    corner = _transform(made.seed, 1.0)

    def turn(x: Any, y: Any) -> tuple[Any, Any]:
        lon, lat = _degrees().transform(corner.c + x, corner.f - y)
        return lon, lat

    return shapely.transform(shape_m, turn, interleaved=False)


def to_plane(made: Plan, shape_deg: Any) -> Any:
    """A WGS-84 shape in the plan's plane (metres, y down)."""
    corner = _transform(made.seed, 1.0)

    def turn(lon: Any, lat: Any) -> tuple[Any, Any]:
        east, north = _degrees().transform(lon, lat, direction="INVERSE")
        return east - corner.c, corner.f - north

    return shapely.transform(shape_deg, turn, interleaved=False)


def _truths(made: Plan, painted: Painted) -> tuple[Truth, ...]:
    frame = shapely.box(0, 0, made.size_m, made.size_m)
    truths = []
    for thing in made.things:
        if thing.kind not in KINDS:
            continue
        outline = painted.plumes.get(thing.number) if thing.plume is not None else thing.outline.intersection(frame)
        if outline is None or outline.is_empty:
            continue
        head = None
        if thing.plume is not None:
            spot = made.reach.at(thing.plume.start_m, 0.0, thing.plume.bank)
            head = to_degrees(made, Point(*spot))
        truths.append(Truth(thing.kind, thing.number, to_degrees(made, outline), float(outline.area), head))
    return tuple(truths)


def picture(made: Scene) -> NDArray[np.uint8]:
    """The scene in true colour, (h, w, 3) uint8 RGB: for eyes, never for scoring."""
    rgb = np.nan_to_num(made.bands[[2, 1, 0]].transpose(1, 2, 0)) / np.float32(0.35)
    return np.asarray(cv2.convertScaleAbs(np.clip(rgb, 0, 1) ** np.float32(0.6), alpha=255.0), dtype=np.uint8)
