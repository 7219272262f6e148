"""Paints a plan: from outlines and published reflectances to five bands as they would be without camera and air.

Every border pixel is a mixture by area. It must not add what a camera adds (noise, glint, haze): that is sense.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from shapely import affinity
from shapely.geometry import MultiPolygon, Polygon

from geodata.scenes.plan import Plan, Thing

F32 = NDArray[np.float32]
OVER = 4  # pixels are divided by this each way to measure how much of one a thing covers
_ORDER = (
    ("path", "bare_soil", "solid_waste", "roof"),
    ("sewage",),
    ("aquatic_bloom", "floating_debris", "boat"),
    ("reed",),
    ("tree",),
    ("bridge",),
)


@dataclass(frozen=True)
class Painted:
    """Clean reflectance (5, h, w), `labels` (h, w) with the number + 1 of the thing on top among the problems,
    `open_water` (h, w) 0 to 1 where glint may fall, and the visible outline of each plume by thing number."""

    surface: F32
    labels: NDArray[np.uint16]
    open_water: F32
    plumes: dict[int, Polygon]


@dataclass(frozen=True)
class _Window:
    row: int
    col: int
    alpha: F32

    @property
    def at(self) -> tuple[slice, slice]:
        h, w = self.alpha.shape
        return slice(self.row, self.row + h), slice(self.col, self.col + w)


def coverage(outline: Any, gsd_m: float, size_px: int) -> _Window | None:
    """How much of each pixel an outline (plane metres) covers, in the window that holds it; None when outside."""
    if outline.is_empty:
        return None
    west, north, east, south = (value / gsd_m for value in outline.bounds)
    col, row = max(math.floor(west) - 1, 0), max(math.floor(north) - 1, 0)
    far_col, far_row = min(math.ceil(east) + 1, size_px), min(math.ceil(south) + 1, size_px)
    if far_col <= col or far_row <= row:
        return None
    fine = np.zeros(((far_row - row) * OVER, (far_col - col) * OVER), np.uint8)
    for polygon in outline.geoms if isinstance(outline, MultiPolygon) else [outline]:
        for value, ring in [(255, polygon.exterior), *((0, hole) for hole in polygon.interiors)]:
            points = (np.asarray(ring.coords)[:, :2] / gsd_m - [col, row]) * OVER - 0.5
            cv2.fillPoly(fine, [np.round(points * 16).astype(np.int32)], value, shift=4)
    shape = (far_col - col, far_row - row)
    alpha = cv2.resize(fine, shape, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255.0)
    return _Window(row, col, alpha)


def mottle(rng: np.random.Generator, h: int, w: int, grain_px: float) -> F32:
    """Smooth random patches, mean 0 and about one sigma 1, about `grain_px` wide."""
    grain = max(grain_px, 1.0)
    small = rng.standard_normal((math.ceil(h / grain) + 3, math.ceil(w / grain) + 3), dtype=np.float32)
    if grain <= 1.0:
        return np.ascontiguousarray(small[:h, :w])
    big = cv2.resize(small, None, fx=grain, fy=grain, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(big[:h, :w]) * np.float32(1.15)


def paint(plan: Plan, gsd_m: float, size_px: int) -> Painted:
    """The plan on a raster of `size_px` squared pixels of `gsd_m` metres."""
    surface = _ground(plan, gsd_m, size_px)
    labels = np.zeros((size_px, size_px), np.uint16)
    open_water = np.zeros((size_px, size_px), np.float32)
    plumes: dict[int, Polygon] = {}
    for kinds in _ORDER:
        if kinds == ("sewage",):
            open_water = _water(plan, gsd_m, size_px, surface, labels, plumes)
            continue
        for thing in (item for item in plan.things if item.kind in kinds):
            window = coverage(thing.outline, gsd_m, size_px)
            if window is None:
                continue
            colour, cover = _colour(plan, thing, window, gsd_m)
            alpha = window.alpha * cover
            for band in range(5):
                view = surface[band][window.at]
                view += alpha * (colour[band] - view)
            open_water[window.at] *= 1.0 - window.alpha
            if thing.kind in ("bare_soil", "solid_waste", "aquatic_bloom", "floating_debris"):
                labels[window.at][window.alpha >= 0.5] = thing.number + 1
    _shade(plan, gsd_m, size_px, surface, open_water)
    return Painted(surface, labels, open_water, plumes)


def _rng(plan: Plan, *what: int) -> np.random.Generator:
    return np.random.default_rng([plan.seed, 7, *what])


def _mix(rows: list[F32], share: F32) -> F32:
    """(5, h, w) from two spectra by the share (h, w) of the second."""
    first, second = rows[0][:, None, None], rows[-1][:, None, None]
    return np.asarray(first + share * (second - first), dtype=np.float32)


def _ground(plan: Plan, gsd_m: float, size_px: int) -> F32:
    rng = _rng(plan, 1)
    patches = np.clip(0.25 + 0.3 * mottle(rng, size_px, size_px, 2.5 / gsd_m), 0, 1)
    ground = _mix([row.values for row in plan.ground], patches)
    thin = np.clip(0.25 * mottle(rng, size_px, size_px, 0.8 / gsd_m) - 0.1, 0, 0.3)
    blades = np.exp(0.16 * mottle(rng, size_px, size_px, 0.12 / gsd_m))
    bottom = plan.bottom.values
    for band in range(5):
        ground[band] += thin * (bottom[band] - ground[band])
        ground[band] *= blades
    return ground


def _axes(plan: Plan, gsd_m: float, size_px: int) -> tuple[F32, F32]:
    along = ((np.arange(size_px, dtype=np.float32) + np.float32(0.5)) * np.float32(gsd_m)).astype(np.float32)
    return (along[:, None], along[None, :]) if plan.reach.turned else (along[None, :], along[:, None])


def _water(
    plan: Plan, gsd_m: float, size_px: int, surface: F32, labels: NDArray[np.uint16], plumes: dict[int, Polygon]
) -> F32:
    s, t = _axes(plan, gsd_m, size_px)
    rng = _rng(plan, 2)
    inside = plan.reach.inside_m(s, t).astype(np.float32)
    alpha = np.clip(inside / np.float32(gsd_m) + np.float32(0.5), 0, 1)
    swirl = 1.0 + 0.08 * mottle(rng, size_px, size_px, 6.0 / gsd_m) + 0.04 * mottle(rng, size_px, size_px, 1.5 / gsd_m)
    shallow = 0.35 * np.exp(-np.maximum(inside, 0) / np.float32(0.4 * plan.difficulty.shallow_m))
    shallow = np.where(inside < plan.difficulty.shallow_m, shallow, np.float32(0))
    bottom, base = 0.6 * plan.bottom.values, plan.water.values
    share = np.zeros_like(alpha)
    foul = base
    for thing in plan.things:
        if thing.plume is None:
            continue
        ripple = np.exp(0.12 * mottle(_rng(plan, 3, thing.number), size_px, size_px, 2.0 / gsd_m))
        share = np.clip(thing.plume.share(plan.reach, s, t).astype(np.float32) * ripple, 0, 1)
        foul = thing.materials[0].values
        seen = (share >= plan.difficulty.visible) & (alpha >= 0.5)
        outline = _largest(seen, gsd_m)
        if outline is not None:
            plumes[thing.number] = outline
            labels[seen] = thing.number + 1
    for band in range(5):
        water = base[band] * swirl
        water += shallow * (bottom[band] - water)
        water += share * (foul[band] - water)
        surface[band] += alpha * (water - surface[band])
    return np.asarray(alpha, dtype=np.float32)


def _largest(seen: NDArray[np.bool_], gsd_m: float) -> Polygon | None:
    found, _ = cv2.findContours(seen.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rings = [ring[:, 0, :] for ring in found if len(ring) >= 4]
    if not rings:
        return None
    shapes = [Polygon((ring + 0.5) * gsd_m).buffer(0.5 * gsd_m, join_style="mitre") for ring in rings]
    best = max(shapes, key=lambda item: item.area)
    return best.simplify(0.5 * gsd_m) if best.geom_type == "Polygon" else None


def _colour(plan: Plan, thing: Thing, window: _Window, gsd_m: float) -> tuple[F32, Any]:
    """Reflectance (5, h, w) of a thing in its window, and how much of what lies below it hides."""
    h, w = window.alpha.shape
    rng = _rng(plan, 4, thing.number)
    rows = [row.values for row in thing.materials]
    if thing.kind == "solid_waste":
        return _heap(rng, rows, h, w, gsd_m), 1.0
    share = (mottle(rng, h, w, 0.15 / gsd_m) > 0).astype(np.float32)
    colour = _mix(rows, share)
    if len(rows) > 2:
        third = mottle(rng, h, w, 0.2 / gsd_m) > 0.5
        colour[:, third] = rows[1][:, None]
    grain_m, rough = {
        "tree": (0.35, 0.26),
        "reed": (0.15, 0.24),
        "aquatic_bloom": (0.2, 0.12),
        "floating_debris": (0.1, 0.12),
        "bare_soil": (0.3, 0.08),
    }.get(thing.kind, (0.3, 0.04))
    colour *= np.exp(rough * mottle(rng, h, w, grain_m / gsd_m))
    if thing.kind == "roof":
        colour *= np.where(_side(thing, window, gsd_m) > 0, 1.13, 0.85).astype(np.float32)
    if thing.kind == "boat":
        deck = coverage(affinity.scale(thing.outline, 0.6, 0.6), gsd_m, 1 << 20)
        if deck is not None:
            rows_in = slice(deck.row - window.row, deck.row - window.row + deck.alpha.shape[0])
            cols_in = slice(deck.col - window.col, deck.col - window.col + deck.alpha.shape[1])
            part = colour[:, rows_in, cols_in]
            part *= 1.0 - 0.45 * deck.alpha[: part.shape[1], : part.shape[2]]
    if thing.kind in ("aquatic_bloom", "reed", "bare_soil"):
        holes = np.clip(thing.cover + (1 - thing.cover) * mottle(rng, h, w, 0.25 / gsd_m), 0.3, 1.0)
        return colour, holes.astype(np.float32)
    return colour, np.float32(thing.cover)


def _side(thing: Thing, window: _Window, gsd_m: float) -> F32:
    """Which side of its long middle line each pixel of a roof lies on."""
    corners = np.asarray(thing.outline.exterior.coords)[:4]
    edges = corners[1:3] - corners[0:2]
    long = edges[int(np.argmax(np.hypot(edges[:, 0], edges[:, 1])))]
    middle = corners.mean(axis=0) / gsd_m - [window.col, window.row]
    rows, cols = np.mgrid[0 : window.alpha.shape[0], 0 : window.alpha.shape[1]]
    return np.asarray((cols - middle[0]) * long[1] - (rows - middle[1]) * long[0], dtype=np.float32)


def _heap(rng: np.random.Generator, rows: list[F32], h: int, w: int, gsd_m: float) -> F32:
    """A heap of rubbish: pieces of 0.15 to 0.5 m of its materials, lit from one side, dark gaps between them."""
    colour = np.empty((5, h, w), np.float32)
    best = np.full((h, w), -np.inf, np.float32)
    grain = rng.uniform(0.15, 0.4) / gsd_m
    for row in rows:
        level = mottle(rng, h, w, grain)
        mine = level > best
        best = np.maximum(best, level)
        colour[:, mine] = row[:, None]
    lit = np.exp(0.25 * mottle(rng, h, w, 0.15 / gsd_m))
    gaps = np.where(mottle(rng, h, w, 0.12 / gsd_m) > 1.3, np.float32(0.35), np.float32(1.0))
    return np.asarray(colour * (lit * gaps), dtype=np.float32)


def _shade(plan: Plan, gsd_m: float, size_px: int, surface: F32, open_water: F32) -> None:
    shade = np.zeros((size_px, size_px), np.float32)
    reach_m = 1.0 / math.tan(math.radians(plan.sun_elevation_deg))
    azimuth = math.radians(plan.sun_azimuth_deg)
    tops: list[_Window] = []
    for thing in plan.things:
        if thing.height_m <= 0:
            continue
        length = thing.height_m * reach_m
        far = affinity.translate(thing.outline, -length * math.sin(azimuth), length * math.cos(azimuth))
        # A deck stands on nothing: only its far picture is dark. A tree or house is dark from its foot on.
        dark = far if thing.kind == "bridge" else thing.outline.union(far).convex_hull
        window = coverage(dark, gsd_m, size_px)
        if window is not None:
            np.maximum(shade[window.at], window.alpha, out=shade[window.at])
        top = coverage(thing.outline, gsd_m, size_px)
        if top is not None:
            tops.append(top)
    for top in tops:
        shade[top.at] *= 1.0 - top.alpha
    shade = np.asarray(cv2.blur(shade, (3, 3)), dtype=np.float32)
    open_water *= 1.0 - shade  # no sun, no glint
    cloud = None
    if plan.cloud is not None:
        window = coverage(plan.cloud, gsd_m, size_px)
        if window is not None:
            cloud = np.zeros((size_px, size_px), np.float32)
            cloud[window.at] = window.alpha
            small = cv2.resize(cloud, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
            soft = cv2.GaussianBlur(small, (0, 0), 1.0 / gsd_m / 10 * 1.5)
            cloud = 1.0 - (1.0 - plan.cloud_light) * cv2.resize(soft, (size_px, size_px))
    for band, left in enumerate(plan.sky.values):
        surface[band] *= 1.0 - (1.0 - left) * shade
        if cloud is not None:
            surface[band] *= cloud
