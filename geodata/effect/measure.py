"""How much of a problem is there before and after: learnt from the earlier picture inside and around an outline.

The water or ground around is a few spectral groups, the problem is what stands out inside; a pixel of either
round belongs to the nearer. It needs no kind and no index of its own, so it serves colour and multispectral
pictures alike. It decides no verdict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import scipy.ndimage
import scipy.stats
from numpy.typing import NDArray

from geodata.effect.canvas import F32, Array, Mask

BEYOND = 1.6
MOST_BEYOND = 2.5
"""How many times as far from the surroundings as it was a problem may be and still be the same."""
SAME = 0.08
"""Only a shadow changes all bands as evenly as this; what lies under a thing has another colour than the thing."""
GROUPS = 3
ODD = 0.99
"""A pixel farther from its surroundings than this share of them is odd."""
LEAST_PIXELS = 12
DIMMED, LIT = math.log(0.62), math.log(1.6)
EVEN = 0.22
"""Cloud and shadow change all bands by nearly the same factor: within this, in logarithms."""
SEPARATE = 0.4
"""The outline must hold this much more of the problem's look than the ring does."""
SHUFFLES = 400


@dataclass(frozen=True, eq=False)
class Measured:
    """Pixels that show the problem, (h, w) each; index 1 is the problem as it was, 0 the surroundings.

    `interval`: 90 % of after / before by area, from resampled blocks. `index_mad`: scatter of the surroundings
    on the index. `odd_share`: of the outline, later pixels that are neither problem nor surroundings.
    `veiled_share`: of the outline, later pixels under cloud, glint or shadow. `light`: the largest local change
    of light in logarithms. `visible`: whether the earlier picture shows anything inside at all. `pixels`: of the outline.
    """

    before: Mask = field(repr=False)
    after: Mask = field(repr=False)
    ratio: float
    interval: tuple[float, float]
    index_before: float
    index_after: float
    index_mad: float
    odd_share: float
    veiled_share: float
    light: float
    visible: bool
    pixels: int


@dataclass(frozen=True, eq=False)
class _Group:
    mean: Array
    inverse: Array
    log_det: float

    def distance(self, values: Array) -> Array:
        """Squared Mahalanobis distances of rows (n, bands)."""
        gap = values - self.mean
        return np.asarray(np.einsum("ij,jk,ik->i", gap, self.inverse, gap))


def surroundings(outline: Mask, seen: Mask, gsd_m: float, land: Mask | None = None) -> tuple[Mask, Mask]:
    """Where a problem may have grown to, and the ring beyond it that shows what is usual here.

    With `land` known, the ring of what lies in the water is water, and of what lies ashore is land.
    """
    away = scipy.ndimage.distance_transform_edt(~outline)
    inside = scipy.ndimage.distance_transform_edt(outline)
    size = max(float(inside.max()), 0.5 * math.sqrt(float(outline.sum()) / math.pi), 2.0)
    near = max(1.0 / gsd_m, 2.0)
    gap = min(max(0.15 * size, 2.0), near)
    ring = (away > gap) & (away <= gap + max(2.0 * size, 3.0 / gsd_m)) & seen
    zone = away <= gap + max(1.2 * size, 1.5 / gsd_m)
    if land is not None:
        ashore = float(land[outline].mean())
        like = land if ashore > 0.8 else ~land if ashore < 0.2 else np.ones_like(land)
        if (ring & like).sum() >= 200:
            ring, zone = ring & like, zone & (like | outline)
    return np.asarray(zone), np.asarray(ring)


def measure(
    before: F32, after: F32, outline: Mask, seen: Mask, around: tuple[Mask, Mask], residual_px: float
) -> Measured:
    """Compare the two rounds (bands as logarithms, registered, in one light) inside an outline.

    `outline`, `seen`: (h, w); `seen` where both are valid. `around`: zone and ring of `surroundings`, the ring
    with some seen pixels in it.
    """
    zone, ring = around
    width_px = float(np.clip(0.07 * math.sqrt(outline.sum()), 0.8, 8.0))
    first, second = (_smooth(part, seen, width_px) for part in (before, after))
    local = np.median((second - first)[:, ring], axis=1)
    second = second - local[:, None, None].astype(np.float32)
    here = (zone | ring | outline) & seen
    rows = np.flatnonzero(here.ravel())
    a, b = (part.reshape(len(part), -1)[:, rows].T.astype(np.float64) for part in (first, second))
    in_outline, in_ring = outline.ravel()[rows], ring.ravel()[rows]
    groups = _groups(a[in_ring])
    usual_a, usual_b = (np.min([group.distance(part) for group in groups], axis=0) for part in (a, b))
    odd = max(float(np.quantile(usual_a[in_ring], ODD)), float(scipy.stats.chi2.ppf(ODD, a.shape[1])))
    core = in_outline & (usual_a > odd)
    visible = int(core.sum()) >= max(LEAST_PIXELS, 0.08 * in_outline.sum())
    if not visible:
        core = in_outline
    problem = _group(a[core])
    floor = 0.5 * odd if visible else 0.0
    is_a, is_b = (_belongs(part, usual, groups, problem, floor, odd) for part, usual in ((a, usual_a), (b, usual_b)))
    if not visible:  # nothing odd inside, but it may still be a thing of its own among mixed surroundings
        visible = float(is_a[in_outline].mean()) - float(is_a[in_ring].mean()) >= SEPARATE
    # far beyond the problem's own look is no problem that got stronger, when it is as white as a cloud
    own_look = is_b & (_share(b, _nearest(groups, problem), problem) < BEYOND)
    veil = _veil(a, b, usual_b, odd, own_look, in_ring)
    index_a, index_b, mad = _index(a, b, core, in_ring, groups, problem)
    masks = []
    for mark in (is_a, is_b & ~veil):
        mask = np.zeros(outline.size, dtype=bool)
        mask[rows[mark]] = True
        masks.append(_joined(mask.reshape(outline.shape), outline, zone))
    ratio, interval = _ratio(masks[0], masks[1], zone, width_px, residual_px)
    inside = max(int(in_outline.sum()), 1)
    odd_b = in_outline & (usual_b > 2.0 * odd) & ~is_b & ~veil
    return Measured(
        masks[0],
        masks[1],
        ratio,
        interval,
        index_a,
        index_b,
        mad,
        float(odd_b.sum()) / inside,
        float((veil & in_outline).sum()) / inside,
        float(np.abs(local).max()),
        visible,
        int(in_outline.sum()),
    )


def _smooth(bands: F32, seen: Mask, width_px: float) -> F32:
    weight = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), width_px)
    drawn = [cv2.GaussianBlur(np.where(seen, band, np.float32(0)), (0, 0), width_px) for band in bands]
    return np.asarray(np.stack(drawn) / np.maximum(weight, 1e-3), dtype=np.float32)


def _groups(values: Array) -> list[_Group]:
    """Up to three groups of the surroundings, started by brightness so that the same pixels give the same groups."""
    sample = values[:: max(1, len(values) // 20_000)].astype(np.float32)
    if len(sample) < 60:
        return [_group(values)]
    order = np.argsort(np.argsort(sample.mean(axis=1)))
    labels = (order * GROUPS // len(sample)).astype(np.int32).reshape(-1, 1)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    _, final, _ = cv2.kmeans(sample, GROUPS, labels, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    found = [sample[np.asarray(final).ravel() == group].astype(np.float64) for group in range(GROUPS)]
    return [_group(part) for part in found if len(part) >= max(20, 0.03 * len(sample))] or [_group(values)]


def _group(values: Array) -> _Group:
    """Middle and spread of pixels; the spread never thinner than a hundredth part of light."""
    middle = np.median(values, axis=0)
    gap = values - middle
    keep = np.linalg.norm(gap / (np.median(np.abs(gap), axis=0) * 1.4826 + 1e-3), axis=1)
    kept = gap[keep <= np.quantile(keep, 0.9)] if len(gap) > 20 else gap
    spread = kept.T @ kept / max(len(kept), 1) * 1.2 + np.eye(values.shape[1]) * 0.015**2
    return _Group(middle, np.linalg.inv(spread), float(np.linalg.slogdet(spread)[1]))


def _belongs(
    values: Array, usual: Array, groups: list[_Group], problem: _Group, floor: float, odd: float
) -> NDArray[np.bool_]:
    """Pixels nearer to the problem than to any group around, by likelihood, and odd enough to be no chance."""
    around = np.min([group.distance(values) + group.log_det for group in groups], axis=0)
    # what lies beyond the problem, away from all around, is the problem without what a border mixes into it
    own = np.minimum(problem.distance(values), problem.distance(_brought_back(values, groups, problem)))
    # blurred rims look more like the problem than like anything around; half way is where its edge is
    half = np.all([_share(values, group, problem) >= 0.5 for group in groups], axis=0)
    return np.asarray(half & (own + problem.log_det < around) & (usual >= floor) & (own < 6.0 * odd))


def _brought_back(values: Array, groups: list[_Group], problem: _Group) -> Array:
    """Pixels farther out than the problem, moved along the line to their nearest surroundings until level with it."""
    nearest = _nearest(groups, problem)
    share = np.clip(_share(values, nearest, problem), 1.0, MOST_BEYOND)
    return np.asarray(nearest.mean + (values - nearest.mean) / share[:, None])


def _share(values: Array, group: _Group, problem: _Group) -> Array:
    """How far from a group (0) to the problem (1) pixels lie, on the axis that parts the two best."""
    axis = group.inverse @ (problem.mean - group.mean)
    length = float(axis @ (problem.mean - group.mean))
    return np.asarray((values - group.mean) @ axis / max(length, 1e-9))


def _nearest(groups: list[_Group], problem: _Group) -> _Group:
    return min(groups, key=lambda group: float(group.distance(problem.mean[None])[0]))


def _veil(
    before: Array, after: Array, usual: Array, odd: float, problem: NDArray[np.bool_], ring: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Later pixels under cloud, glint or shadow: all bands moved by one factor, onto nothing known here."""
    change = after - before
    even = change.std(axis=1) < np.maximum(EVEN, 0.25 * np.abs(change.mean(axis=1)))
    strange = (usual > odd) & ~problem
    # what was cleared is dark as well, but as dark as its surroundings; a shadow is darker than they are
    darkest = float(np.quantile(after[ring].mean(axis=1), 0.01)) - 0.15
    dimmed = (
        (change.max(axis=1) < 0)
        & (change.mean(axis=1) < DIMMED)
        & ((after.mean(axis=1) < darkest) | (usual > 3.0 * odd) | (change.std(axis=1) < SAME))
    )
    top = np.quantile(before, 0.98, axis=0)
    white = (after > top + 0.1).all(axis=1) & (change.mean(axis=1) > LIT)
    return np.asarray(strange & ((dimmed & even) | white))


def _index(
    before: Array, after: Array, core: NDArray[np.bool_], ring: NDArray[np.bool_], groups: list[_Group], problem: _Group
) -> tuple[float, float, float]:
    """Means on the axis that best parts the problem (1) from its nearest surroundings (0), and their scatter."""
    nearest = _nearest(groups, problem)
    first, second = (_share(part, nearest, problem) for part in (before, after))
    own = ring & (nearest.distance(before) < 3.0 * before.shape[1])
    usual = first[own] if own.sum() > 20 else first[ring]
    mad = float(np.median(np.abs(usual - np.median(usual)))) * 1.4826
    zero = float(np.median(usual))
    return float(np.median(first[core])) - zero, float(np.median(second[core])) - zero, mad


def _joined(mask: Mask, outline: Mask, zone: Mask) -> Mask:
    """Pixels inside of the outline, and those beyond it that hang together with them."""
    mask = mask & (zone | outline)
    # single pixels beyond are noise, and noise must not grow a problem
    solid = scipy.ndimage.binary_opening(mask, structure=np.ones((3, 3))) | (mask & outline)
    labels, _ = scipy.ndimage.label(solid, structure=np.ones((3, 3)))
    touching = np.unique(labels[outline & solid])
    return np.asarray(np.isin(labels, touching[touching > 0]))


def _ratio(
    before: Mask, after: Mask, zone: Mask, width_px: float, residual_px: float
) -> tuple[float, tuple[float, float]]:
    """after / before by area with its 90 % interval: blocks drawn again, and the rim misplaced by the residual."""
    whole = max(float(before.sum()), 1.0)
    ratio = float(after.sum()) / whole
    side = max(4, round(4 * width_px))
    rows, columns = np.nonzero(before | after | zone)
    block = (rows // side) * (before.shape[1] // side + 1) + columns // side
    _, number = np.unique(block, return_inverse=True)
    counts = [np.bincount(number, part[rows, columns].astype(float)) for part in (before, after)]
    draw = np.random.default_rng(20260101)
    picks = draw.integers(0, len(counts[0]), (SHUFFLES, len(counts[0])))
    drawn = counts[1][picks].sum(axis=1) / np.maximum(counts[0][picks].sum(axis=1), 1.0)
    rim = float((before ^ scipy.ndimage.binary_erosion(before)).sum())
    drawn = drawn * (1.0 + draw.normal(0.0, min(0.5 * residual_px * rim / whole, 0.3), SHUFFLES))
    low, high = (float(value) for value in np.quantile(np.maximum(drawn, 0.0), (0.05, 0.95)))
    return ratio, (min(low, ratio), max(high, ratio))
