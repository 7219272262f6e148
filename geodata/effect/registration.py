"""Bringing the later picture onto the earlier one, by what stands still: land and banks, never water.

Phase correlation and ECC at a reduced scale, then tiles at full scale; half of the tiles fit, the other half
say how good the fit is. What cannot be registered is refused, because everything after would be a guess.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from geodata.effect.canvas import F32, Array, Mask
from geodata.errors import GeoError

COARSE_PX = 640
LEAST_AGREEMENT = 0.1
"""Correlation of the two coarse pictures below which tiles are not even tried; whether it is right they tell."""
CLEAR, GOOD_PX = 0.6, 0.5
"""Above this correlation, and below this residual, no other way is tried."""
TILE_PX, REACH_PX = 48, 14
"""Half a tile's side grown by how far it may have to move."""
LEAST_MATCH = 0.5
LEAST_TILES = 8
MOST_RESIDUAL_PX = 1.5
LEAST_TEXTURE = 0.35
"""A tile's own variation over the picture's, below which it has nothing to match by."""


@dataclass(frozen=True, eq=False)
class Registration:
    """`matrix` (3, 3): pixels of the earlier picture -> the same place in the later one.

    `residual_px`: median distance on tiles that were not used in the fit; `p90_px` likewise.
    """

    matrix: Array = field(repr=False)
    residual_px: float
    p90_px: float
    tiles: int
    shift_px: float
    turn_deg: float
    turned_over: bool = False

    def bring(self, bands: F32, valid: Mask) -> tuple[F32, Mask]:
        """The later picture's bands (n, h, w) and validity on the earlier one's pixels."""
        size = (valid.shape[1], valid.shape[0])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = [
            cv2.warpPerspective(band, self.matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE) for band in bands
        ]
        good = cv2.warpPerspective(valid.astype(np.float32), self.matrix, size, flags=flags)
        return np.stack(moved).astype(np.float32), np.asarray(good > 0.99)


def register(before: F32, after: F32, still_before: Mask, still_after: Mask, reach_px: float) -> Registration:
    """How the later grey picture lies on the earlier one.

    Parameters: two grey pictures (h, w) of the same canvas; where each shows something that stands still;
    `reach_px`, how far apart they may lie. Raises GeoError `unregistered` with the reason.
    """
    if still_before.mean() < 0.02 or still_after.mean() < 0.02:
        raise _refused("画面里岸上不动的地物太少")
    views = [(_dimmed(before), _dimmed(after)), (_edges(before), _edges(after))]
    starts: list[tuple[float, Array]] = []
    for a, b in views:
        coarse, agreement = _coarse(a, b, still_before, still_after, reach_px)
        starts.append((agreement, coarse))
        if agreement > CLEAR:
            break
    starts.sort(key=lambda start: -start[0])
    best, why = None, _refused("两期画面对不上，没有足够的共同地物")
    for agreement, coarse in starts:
        for (a, b), side_px in ((views[0], TILE_PX), (views[1], TILE_PX), (views[1], 2 * TILE_PX)):
            if agreement < LEAST_AGREEMENT or (best is not None and best.residual_px <= GOOD_PX):
                break
            try:
                found = _fine(_even(a, still_before), _even(b, still_after), still_before, still_after, coarse, side_px)
            except GeoError as error:
                why = error
                continue
            best = found if best is None or found.residual_px < best.residual_px else best
    if best is None:
        raise why
    return best


def _dimmed(grey: F32) -> F32:
    """Logarithms, so that shade is a step like any other."""
    floor = max(0.03 * float(np.quantile(grey, 0.99)), 1e-6)
    return np.asarray(np.log(np.maximum(grey, 0) + floor), dtype=np.float32)


def _edges(grey: F32) -> F32:
    """How steep brightness is, whichever way: a field that was mown and one that was not share their border."""
    smooth = cv2.GaussianBlur(_dimmed(grey), (0, 0), 1.5)
    slopes = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(np.hypot(*slopes), dtype=np.float32)


def _refused(why: str) -> GeoError:
    return GeoError("unregistered", f"{why}，不能配准，也就不能比较。", "after")


def _even(grey: F32, mask: Mask) -> F32:
    """Local brightness taken out, local contrast made equal: light and season matter less, edges more."""
    values = np.where(mask, grey, np.float32(np.median(grey[mask])))
    span = np.percentile(values[mask], (1, 99))
    values = np.clip(values, *span).astype(np.float32)
    size = max(15, 2 * (min(grey.shape) // 24) + 1)
    mean = cv2.GaussianBlur(values, (0, 0), size / 3)
    flat = cv2.GaussianBlur(values, (0, 0), 1.0) - mean
    power = np.sqrt(cv2.GaussianBlur(flat * flat, (0, 0), size / 2))
    floor = 0.3 * float(np.median(power[mask])) + 1e-9
    return np.where(mask, flat / (power + floor), np.float32(0)).astype(np.float32)


def _coarse(a: F32, b: F32, still_a: Mask, still_b: Mask, reach_px: float) -> tuple[Array, float]:
    """The best of several starts at a reduced scale, and the correlation it reaches."""
    scale = min(1.0, COARSE_PX / max(a.shape))
    size = (max(16, round(a.shape[1] * scale)), max(16, round(a.shape[0] * scale)))
    plain = [np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.float32) for part in (a, b)]
    masks = [
        cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.9 for part in (still_a, still_b)
    ]
    if min(mask.sum() for mask in masks) < 400:
        raise _refused("画面里岸上不动的地物太少")
    small = [_even(part, mask) for part, mask in zip(plain, masks, strict=True)]
    best, agreement = np.eye(3), -1.0
    for start in _starts(small[0], small[1], reach_px * scale):
        found, score = _ecc(small[0], small[1], masks[0], masks[1], start)
        if np.hypot(*_shift(found, size)) > 1.5 * reach_px * scale + 2:
            continue
        if score > agreement:
            best, agreement = found, score
        if agreement > 0.45:
            break
    grown = np.array([size[0] / a.shape[1], size[1] / a.shape[0], 1.0])
    return np.diag(1 / grown) @ best @ np.diag(grown), agreement


def _shift(matrix: Array, size: tuple[int, int]) -> Array:
    middle = np.array([size[0] / 2, size[1] / 2, 1.0])
    moved = matrix @ middle
    return np.asarray(moved[:2] / moved[2] - middle[:2])


def _starts(a: F32, b: F32, reach_px: float) -> Iterator[Array]:
    """Cheap ones first: the next is only made when those before did not serve."""
    window = cv2.createHanningWindow((a.shape[1], a.shape[0]), cv2.CV_64F)
    (dx, dy), _ = cv2.phaseCorrelate(a.astype(np.float64), b.astype(np.float64), window)
    if math.hypot(dx, dy) <= reach_px + 2:
        yield np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])
    yield np.eye(3)
    points = _by_points(a, b)
    if points is not None:
        yield points


def _by_points(a: F32, b: F32) -> Array | None:
    """A similarity from distinctive points: the start when a frame's stated pose is far off."""
    sift = cv2.SIFT.create(1500)
    seen = [sift.detectAndCompute(np.clip(part * 40 + 128, 0, 255).astype(np.uint8), None) for part in (a, b)]
    if any(described is None or len(points) < 8 for points, described in seen):
        return None
    pairs = cv2.BFMatcher().knnMatch(seen[0][1], seen[1][1], k=2)
    good = [first for first, *rest in pairs if rest and first.distance < 0.75 * rest[0].distance]
    if len(good) < 8:
        return None
    source = np.array([seen[0][0][match.queryIdx].pt for match in good])
    target = np.array([seen[1][0][match.trainIdx].pt for match in good])
    found, held = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=2.0)
    if found is None or int(held.sum()) < 8:
        return None
    return np.vstack((found, [0.0, 0.0, 1.0]))


def _ecc(a: F32, b: F32, still_a: Mask, still_b: Mask, start: Array) -> tuple[Array, float]:
    """ECC with a rigid motion; the correlation afterwards is measured here, on both masks."""
    motion: NDArray[Any] = start[:2].astype(np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    # masked by 0 inside of `_even`, so that water has no gradient to follow
    rigid = abs(np.linalg.norm(motion[:, 0]) - 1) < 1e-3
    mode = cv2.MOTION_EUCLIDEAN if rigid else cv2.MOTION_AFFINE
    try:
        _, found = cv2.findTransformECC(a, b, motion, mode, stop, still_b.astype(np.uint8), 5)
        motion = np.asarray(found)
    except cv2.error:
        motion = start[:2].astype(np.float32)
    matrix = np.vstack((motion.astype(np.float64), [0.0, 0.0, 1.0]))
    size = (a.shape[1], a.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpPerspective(b, matrix, size, flags=flags)
    seen = cv2.warpPerspective(still_b.astype(np.float32), matrix, size, flags=flags) > 0.9
    both = seen & still_a
    if both.sum() < 400:
        return matrix, -1.0
    x, y = a[both] - a[both].mean(), moved[both] - moved[both].mean()
    return matrix, float((x * y).sum() / (math.sqrt(float((x * x).sum()) * float((y * y).sum())) + 1e-9))


def _fine(a: F32, b: F32, still_a: Mask, still_b: Mask, coarse: Array, side_px: int) -> Registration:
    matrix = coarse
    spots: Array = np.zeros((0, 2))
    for turn, reach in enumerate((REACH_PX, 6, 4)):
        spots, targets = _tiles(a, b, still_a, still_b, matrix, reach, side_px)
        if len(spots) < LEAST_TILES:
            raise _refused("岸上能逐块对齐的地物太少")
        fit = _every_second(spots)
        if turn == 2:
            break
        moved = _model(spots[fit], targets[fit], spread=turn > 0)
        if moved is None:
            raise _refused("各处地物移动不一致")
        matrix = moved
    gaps = np.linalg.norm(_through(matrix, spots[~fit]) - targets[~fit], axis=1)
    agreeing = gaps < 3.0
    if agreeing.mean() < 0.5 or agreeing.sum() < LEAST_TILES // 2:
        raise _refused("各处地物移动不一致")
    residual, p90 = (float(value) for value in np.quantile(gaps[agreeing], (0.5, 0.9)))
    if residual > MOST_RESIDUAL_PX:
        raise _refused(f"配准残差 {residual:.1f} 像素，超过 {MOST_RESIDUAL_PX:g} 像素")
    shift = _shift(matrix, (a.shape[1], a.shape[0]))
    turn_deg = math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))
    return Registration(matrix, residual, p90, len(spots), float(np.hypot(*shift)), turn_deg, abs(turn_deg) > 90.0)


def _every_second(spots: Array) -> NDArray[np.bool_]:
    """A chessboard over the tiles, so that both halves cover the picture."""
    cell = np.floor(spots / TILE_PX).astype(int)
    fit = (cell.sum(axis=1) % 2) == 0
    if min(fit.sum(), (~fit).sum()) < LEAST_TILES // 2:
        fit = np.arange(len(spots)) % 2 == 0
    return np.asarray(fit)


def _through(matrix: Array, spots: Array) -> Array:
    return np.asarray(cv2.perspectiveTransform(spots.reshape(-1, 1, 2), matrix).reshape(-1, 2))


def _model(spots: Array, targets: Array, spread: bool) -> Array | None:
    """A rigid-like motion first; with enough tiles spread out, an affine one, then a perspective one."""
    if spread and len(spots) >= 40:
        found, _ = cv2.findHomography(spots, targets, cv2.RANSAC, 1.5)
        if found is not None and abs(np.linalg.det(np.asarray(found)[:2, :2]) - 1) < 0.2:
            return np.asarray(found, dtype=np.float64)
    if spread and len(spots) >= 12:
        flat, _ = cv2.estimateAffine2D(spots, targets, ransacReprojThreshold=1.5)
    else:
        flat, _ = cv2.estimateAffinePartial2D(spots, targets, ransacReprojThreshold=3.0)
    return None if flat is None else np.vstack((flat, [0.0, 0.0, 1.0]))


def _tiles(
    a: F32, b: F32, still_a: Mask, still_b: Mask, matrix: Array, reach: int, side_px: int
) -> tuple[Array, Array]:
    """Middles of tiles of the earlier picture, and where the later one shows them, to a part of a pixel."""
    size = (a.shape[1], a.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpPerspective(b, matrix, size, flags=flags)
    seen = cv2.warpPerspective(still_b.astype(np.float32), matrix, size, flags=flags) > 0.9
    usual = float(a[still_a].std())
    spots, targets = [], []
    half = side_px // 2
    step = max(TILE_PX // 2, round(math.sqrt(a.size / 900)))
    for y in range(half + reach, size[1] - half - reach, step):
        for x in range(half + reach, size[0] - half - reach, step):
            rows, columns = slice(y - half, y + half), slice(x - half, x + half)
            if still_a[rows, columns].mean() < 0.7 or seen[rows, columns].mean() < 0.7:
                continue
            tile = a[rows, columns]
            if tile.std() < LEAST_TEXTURE * usual:
                continue
            wide = moved[y - half - reach : y + half + reach, x - half - reach : x + half + reach]
            score = cv2.matchTemplate(wide, tile, cv2.TM_CCOEFF_NORMED)
            found = _peak(np.asarray(score))
            if found is not None:
                spots.append((x + 0.0, y + 0.0))
                targets.append((x + found[0] - reach, y + found[1] - reach))
    if not spots:
        return np.zeros((0, 2)), np.zeros((0, 2))
    return np.array(spots), _through(matrix, np.array(targets))


def _peak(score: NDArray[np.generic]) -> tuple[float, float] | None:
    """The top of a correlation surface between its cells; None when it is low, at the rim, or one of several."""
    row, column = np.unravel_index(int(np.argmax(score)), score.shape)
    r, c = int(row), int(column)
    top = float(score[r, c])
    if top < LEAST_MATCH or not (0 < r < score.shape[0] - 1 and 0 < c < score.shape[1] - 1):
        return None
    rest = np.array(score)
    rest[max(0, r - 3) : r + 4, max(0, c - 3) : c + 4] = -1
    if rest.max() > 0.85 * top:
        return None
    across = [float(score[r, c + step]) for step in (-1, 0, 1)]
    down = [float(score[r + step, c]) for step in (-1, 0, 1)]
    return c + _vertex(across), r + _vertex(down)


def _vertex(three: list[float]) -> float:
    bend = three[0] - 2 * three[1] + three[2]
    return 0.0 if bend >= 0 else 0.5 * (three[0] - three[2]) / bend
