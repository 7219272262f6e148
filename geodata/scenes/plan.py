"""What stands where in a scene: the reach, the five kinds of problem, and all that is easily taken for one.

A plan is only geometry and rows of the spectral library; painting it comes later. Seeded: one seed, one plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from shapely.geometry import Polygon
from shapely.strtree import STRtree

from geodata.scenes import shape
from geodata.scenes.difficulty import Difficulty
from geodata.scenes.shape import Plume, Reach, Rng
from geodata.scenes.spectra import Half, Spectrum, of

KINDS = ("sewage", "floating_debris", "bare_soil", "aquatic_bloom", "solid_waste")
EDGE_M = 2.0  # problems keep this far from the rim, so that every frame shows them whole


@dataclass(frozen=True)
class Thing:
    """One thing: its kind (a problem of KINDS, or `roof`, `tree` …), outline in plane metres, materials, height.

    `number` seeds its texture, so that it looks the same in every frame and round. A plume has no outline of its own.
    """

    kind: str
    number: int
    outline: Polygon = field(repr=False)
    materials: tuple[Spectrum, ...] = field(repr=False)
    height_m: float = 0.0
    cover: float = 1.0
    plume: Plume | None = None


@dataclass(frozen=True)
class Plan:
    """A scene before it is painted. `sun_azimuth_deg` from north, `wider_m` the error of the official waterline."""

    seed: int
    half: Half
    size_m: float
    difficulty: Difficulty
    reach: Reach
    wider_m: tuple[float, float]
    water: Spectrum
    ground: tuple[Spectrum, ...]
    bottom: Spectrum
    sky: Spectrum
    sun_azimuth_deg: float
    sun_elevation_deg: float
    cloud: Polygon | None = field(repr=False)
    cloud_light: float = 1.0
    things: tuple[Thing, ...] = field(default=(), repr=False)


def plan(seed: int, half: Half, size_m: float, difficulty: Difficulty) -> Plan:
    """The plan of one seed: deterministic, also across machines of one numpy generation."""
    rng = np.random.default_rng([seed, 0 if half == "tune" else 1])
    river = shape.reach(rng, size_m)
    water, discharge = _waters(rng, half, difficulty)
    cloud = None
    if rng.random() < difficulty.cloud:
        x, y = (float(value) for value in rng.uniform(0, size_m, 2))
        cloud = shape.blob(rng, x, y, rng.uniform(0.2, 0.4) * size_m, rng.uniform(1, 2))
    empty = Plan(
        seed=seed,
        half=half,
        size_m=size_m,
        difficulty=difficulty,
        reach=river,
        wider_m=(_signed(rng, difficulty.waterline_m), _signed(rng, difficulty.waterline_m)),
        water=water,
        ground=tuple(_some(rng, of("grass", half), 2)),
        bottom=_one(rng, of("bare_soil", half)),
        sky=_one(rng, of("shadow", half)),
        sun_azimuth_deg=rng.uniform(100.0, 260.0),
        sun_elevation_deg=rng.uniform(35.0, 65.0),
        cloud=cloud,
        cloud_light=rng.uniform(*difficulty.cloud_light),
    )
    return _furnish(empty, rng, discharge)


def _one(rng: Rng, rows: tuple[Spectrum, ...]) -> Spectrum:
    return rows[int(rng.integers(len(rows)))]


def _some(rng: Rng, rows: tuple[Spectrum, ...], most: int) -> list[Spectrum]:
    order = rng.permutation(len(rows))[: min(most, len(rows))]
    return [rows[int(index)] for index in order]


def _signed(rng: Rng, most: float) -> float:
    return float(rng.uniform(-most, most))


def _waters(rng: Rng, half: Half, difficulty: Difficulty) -> tuple[Spectrum, Spectrum]:
    pairs = [
        (water, sewage)
        for water in of("water", half)
        for sewage in of("sewage", half)
        if float(np.max(np.abs(np.log(sewage.values / water.values)))) >= math.log(difficulty.contrast)
    ]
    # The river first, then a discharge that shows in it: else rivers with many visible discharges come up too often.
    water = _one(rng, tuple(dict.fromkeys(pair[0] for pair in pairs)))
    return water, _one(rng, tuple(pair[1] for pair in pairs if pair[0] == water))


class _Site:
    """Keeps what is placed and finds room for more."""

    def __init__(self, base: Plan) -> None:
        self.base = base
        self.things: list[Thing] = []
        self.taken: list[Any] = []
        size = base.size_m
        self.rim = shape.box(size / 2, size / 2, size - 2 * EDGE_M, size - 2 * EDGE_M, 0.0)

    def put(self, kind: str, outline: Any, materials: list[Spectrum], **more: Any) -> None:
        self.things.append(Thing(kind, len(self.things), outline, tuple(materials), **more))

    def find(self, make: Callable[[], Any], gap_m: float, whole: bool = True, tries: int = 80) -> Any:
        """An outline from `make` that keeps `gap_m` to everything taken; None when there is no room."""
        tree = STRtree(self.taken) if self.taken else None
        for _ in range(tries):
            outline = make()
            if outline is None or outline.is_empty or outline.geom_type != "Polygon":
                continue
            if whole and not self.rim.contains(outline):
                continue
            if tree is None or not len(tree.query(outline, predicate="dwithin", distance=gap_m)):
                self.taken.append(outline)
                return outline
        return None


def _furnish(base: Plan, rng: Rng, discharge: Spectrum) -> Plan:
    site = _Site(base)
    river, half, size = base.reach, base.half, base.size_m
    hectares = size * size / 10_000
    wet = river.water((-0.4, -0.4))

    def on_bank(near_m: float, far_m: float) -> tuple[float, float]:
        return river.at(rng.uniform(0, size), -rng.uniform(near_m, far_m), int(rng.choice([-1, 1])))

    def in_water(radius_m: float, at_bank: bool) -> tuple[float, float]:
        s, bank = rng.uniform(0, size), int(rng.choice([-1, 1]))
        inner = float(river.half_width_m(s))
        return river.at(s, radius_m * 0.6 if at_bank else rng.uniform(radius_m + 0.8, max(inner, radius_m + 1.0)), bank)

    _structures(site, rng, hectares)
    plume = None
    if rng.random() < 0.85:
        plume = _plume(base, rng)
        # Mats and boats keep out of the thick of a plume; debris may float on it.
        s0, s1 = sorted((plume.start_m, plume.start_m + (-1 if river.backward else 1) * 0.45 * size))
        thick = river.strip(max(s0, 0), min(s1, size), -0.5, 2.2 * plume.width_m, plume.bank)
        site.put("sewage", Polygon(), [discharge], plume=plume)
        site.taken.append(thick)
    for _ in range(int(rng.integers(2, 5))):
        radius, at_bank = _log(rng, 0.4, 0.045 * size), bool(rng.random() < 0.3)

        def mat(r: float = radius, b: bool = at_bank) -> Any:
            return _within(shape.blob(rng, *in_water(r, b), r, rng.uniform(1, 2.2), 0.2), wet)

        outline = site.find(mat, 0.8)
        if outline is not None:
            site.put("aquatic_bloom", outline, [_one(rng, of("aquatic_bloom", half))], cover=rng.uniform(0.8, 1.0))
    for _ in range(int(rng.integers(base.difficulty.boats[0], base.difficulty.boats[1] + 1))):
        length, moored = rng.uniform(3.5, 7.0), bool(rng.random() < 0.4)

        def ship(n: float = length, b: bool = moored) -> Any:
            return _within(shape.hull(*in_water(1.2, b), n, 0.28 * n, rng.uniform(0, 6.3)), wet)

        outline = site.find(ship, 0.8)
        if outline is not None:
            site.put("boat", outline, [_one(rng, of("boat", half))], height_m=0.6)
    if plume is not None:
        site.taken.pop(_index(site.taken, thick))
    for index in range(int(rng.integers(6, 11))):

        def litter(number: int = index) -> Any:
            return _within(_debris(rng, base, in_water, number), wet)

        outline = site.find(litter, 0.7)
        if outline is not None:
            count = 1 if outline.area < 0.2 else int(rng.integers(1, 4))
            rows = _some(rng, of("floating_debris", half), count)
            site.put("floating_debris", outline, rows, cover=rng.uniform(*base.difficulty.cover))
    for kind, small, large, rough in (("bare_soil", 1.0, 0.05 * size, 0.2), ("solid_waste", 0.8, 0.034 * size, 0.15)):
        for _ in range(int(rng.integers(1, 4))):
            radius = _log(rng, small, max(large, small * 1.2))

            def patch(r: float = radius, q: float = rough) -> Any:
                return shape.blob(rng, *on_bank(r + 0.5, 11.0), r, rng.uniform(1, 2), q)

            outline = site.find(patch, 1.0)
            if outline is not None and kind == "bare_soil":
                site.put(kind, outline, [_one(rng, of(kind, half))], cover=rng.uniform(0.85, 1.0))
            elif outline is not None:
                site.put(kind, outline, _some(rng, of(kind, half), int(rng.integers(3, 6))), height_m=0.8)
    _plants(site, rng, hectares)
    return replace(base, things=tuple(site.things))


def _index(taken: list[Any], shape_m: Any) -> int:
    return next(number for number, item in enumerate(taken) if item is shape_m)


def _log(rng: Rng, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def _within(outline: Any, wet: Any) -> Any:
    """The outline where all of it is water, else nothing; a mat at a bank is cut by the waterline."""
    inside = outline.intersection(wet)
    return inside if inside.area > 0.75 * outline.area else None


def _debris(rng: Rng, base: Plan, spot: Callable[[float, bool], tuple[float, float]], index: int) -> Any:
    # Pixels of 5 cm are what the limits of size are told in, whatever the raster's own pixel is.
    side_m = base.difficulty.smallest_px * 0.05
    if index == 0:
        return shape.box(*spot(0.3, False), side_m, side_m, rng.uniform(0, math.pi / 2))
    if rng.random() < 0.3:
        length = rng.uniform(1.2, min(6.0, 0.08 * base.size_m + 0.5))
        return shape.string(rng, *spot(length / 2, False), length, rng.uniform(0.22, 0.5))
    radius = _log(rng, side_m / math.sqrt(math.pi), 0.018 * base.size_m)
    return shape.blob(rng, *spot(radius, bool(rng.random() < 0.15)), radius, rng.uniform(1, 2), 0.15)


def _plume(base: Plan, rng: Rng) -> Plume:
    size, half_m = base.size_m, base.reach.half_m
    start = rng.uniform(0.15, 0.35) * size
    return Plume(
        start_m=size - start if base.reach.backward else start,
        bank=int(rng.choice([-1, 1])),
        width_m=rng.uniform(0.12, 0.22) * half_m,
        spread=rng.uniform(0.002, 0.006) * half_m,
        decay_m=rng.uniform(0.5, 1.0) * size,
        strength=rng.uniform(0.8, 1.0),
    )


def _structures(site: _Site, rng: Rng, hectares: float) -> None:
    base, river, half, size = site.base, site.base.reach, site.base.half, site.base.size_m
    if rng.random() < base.difficulty.bridge and size >= 40:
        at = rng.uniform(0.05, 0.12) * size
        s = at if rng.random() < 0.5 else size - at
        x, y = river.plane(s, river.middle_m)
        deck = shape.box(x, y, *_along(river, rng.uniform(3.5, 6.0), 0.8 * size), rng.normal(0, 0.05))
        site.put("bridge", deck, [_one(rng, of("paving", half))], height_m=rng.uniform(3.0, 5.0))
        site.taken.append(deck)
    if rng.random() < base.difficulty.path:
        off = rng.uniform(4.0, 8.0)
        strip = river.strip(-2, size + 2, -off, -off - rng.uniform(1.5, 2.5), int(rng.choice([-1, 1])))
        site.put("path", strip, [_one(rng, of("paving", half))])
        site.taken.append(strip)
    for _ in range(int(rng.poisson(base.difficulty.roofs_per_ha * hectares))):
        length, width, turn = rng.uniform(5, 10), rng.uniform(4, 7), rng.uniform(0, math.pi)

        def house(n: float = length, w: float = width, a: float = turn) -> Any:
            spot = river.at(rng.uniform(0, size), -rng.uniform(7.0, 16.0), int(rng.choice([-1, 1])))
            return shape.box(*spot, n, w, a)

        outline = site.find(house, 0.5, whole=False)
        if outline is not None:
            site.put("roof", outline, [_one(rng, of("roof", half))], height_m=rng.uniform(3.0, 7.0))


def _along(river: Reach, narrow: float, wide: float) -> tuple[float, float]:
    """Length and width of a box that crosses the river."""
    return (wide, narrow) if river.turned else (narrow, wide)


def _plants(site: _Site, rng: Rng, hectares: float) -> None:
    base, river, half, size = site.base, site.base.reach, site.base.half, site.base.size_m
    for bank in (-1, 1):
        s = rng.uniform(0, 4)
        while s < size:
            length = rng.uniform(2.0, 7.0)
            reeds = river.strip(s, min(s + length, size), -rng.uniform(0.6, 1.6), rng.uniform(0.2, 0.8), bank)
            clear = [item for item in site.taken if item.distance(reeds) < 0.3]
            if not clear:
                site.put("reed", reeds, [_one(rng, of("reed", half))], height_m=1.8, cover=rng.uniform(0.7, 1.0))
            s += length / base.difficulty.reed * rng.uniform(0.6, 1.4)
    for _ in range(int(rng.poisson(base.difficulty.trees_per_ha * hectares))):
        radius = rng.uniform(1.0, 2.8)

        def crown(r: float = radius) -> Any:
            spot = river.at(rng.uniform(0, size), -rng.uniform(0.55 * r, 14.0), int(rng.choice([-1, 1])))
            return shape.blob(rng, *spot, r, rng.uniform(1, 1.3), 0.12)

        outline = site.find(crown, 0.3, whole=False)
        if outline is not None:
            site.put("tree", outline, [_one(rng, of("tree", half))], height_m=2.5 * radius)
