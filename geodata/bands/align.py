"""Brings the bands of a rig with one lens a band onto each other, or refuses: never gives back unaligned bands.

Edges are matched, not brightness, because plants are bright in one band and dark in the next. First a shift
(phase correlation) or the maker's matrix, then a homography (ECC), then a gentle bend for what the lenses
distort; the figures come from tiles that had no part in the bend. Proven on one real Parrot capture and on
generated pictures; a picture of plain water has no edges and is refused, unless a fit of the same rig from a
textured picture of about the same height is lent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from geodata.bands.stack import in_chinese
from geodata.bands.tiles import Tiles, edges, measure
from geodata.bands.warp import Alignment, Array, BandFit, Warp, terms
from geodata.errors import GeoError

Image = NDArray[np.float32]

REFERENCES = ("rededge", "green", "red", "nir", "blue")
COARSE_WIDTH_PX = 640
MAX_RESIDUAL_PX = 0.75
MAX_RESIDUAL_P90_PX = 2.5
MIN_CORRELATION = 0.3
MIN_TILES = 16
MIN_TILE_SHARE = 0.15
TEACHES, CHECKS = 0, 1
MAX_REACH = 0.25  # of the picture's width


def align(
    bands: Mapping[str, Image],
    *,
    starts: Mapping[str, Sequence[Sequence[float]]] | None = None,
    lender: Alignment | None = None,
) -> Alignment:
    """Find how the bands lie on each other.

    Parameters: `bands`, name -> (height, width), at least one, all of one size, NaN allowed; `starts`, name ->
    3x3 matrices (row by row, reference pixel -> band pixel) to try beside plain shifts; `lender`, a proven
    alignment of the same rig and height, used for bands without texture.
    Returns `Alignment`. Raises `GeoError`: `no_bands`, `size_differs`, `no_texture` (too few tiles to prove
    anything), `not_aligned` (something is there, but does not match).
    Source: Foroosh et al. 2002 (sub-pixel phase correlation), Evangelidis and Psarakis 2008 (ECC).

    >>> align({"red": np.zeros((200, 200), np.float32), "nir": np.zeros((200, 200), np.float32)})
    Traceback (most recent call last):
        ...
    geodata.errors.GeoError: 近红外波段与红波段对不齐：画面纹理太少（多为平静水面）或不是同一画面，无法验证；请换一张带岸线的照片，或借用同航高已验证的配准。
    """
    if not bands:
        raise GeoError("no_bands", "没有可配准的波段。")
    shapes = {band.shape for band in bands.values()}
    if len(shapes) != 1:
        raise GeoError("size_differs", "各波段大小不同，不是同一相机的一次曝光；请检查文件是否配套。")
    reference = reference_of(list(bands))
    against = edges(bands[reference])
    fits = [
        _fit(name, against, edges(band), reference, (starts or {}).get(name, ()), lender)
        for name, band in bands.items()
        if name != reference
    ]
    return Alignment(reference, tuple(fits))


def reference_of(names: Sequence[str]) -> str:
    """The band the others are brought onto: red edge resembles both the visible and the near infrared.

    >>> reference_of(["green", "nir", "red"])
    'green'
    """
    return next((name for name in REFERENCES if name in names), names[0])


def resample(bands: Mapping[str, Image], alignment: Alignment) -> tuple[Image, NDArray[np.bool_]]:
    """All bands on the reference's grid.

    Returns float32 (bands, height, width) in the order of `bands`, NaN outside a band's picture or where it had
    no value, and bool (height, width), true where all bands have one. Bilinear.
    Raises `GeoError` with code `not_aligned` for a band without fit.
    """
    layers = []
    for name, band in bands.items():
        if name == alignment.reference:
            layers.append(band.astype(np.float32))
            continue
        fit = alignment.fit(name)
        if fit is None or (fit.warp.height_px, fit.warp.width_px) != band.shape:
            raise GeoError("not_aligned", f"{in_chinese(name)}波段没有与其余波段配准，不能一起使用。", name)
        layers.append(_warped(band.astype(np.float32), fit.warp))
    array = np.stack(layers)
    return array, np.asarray(np.isfinite(array).all(axis=0))


def _warped(band: Image, warp: Warp) -> Image:
    columns, rows = warp.maps()
    nothing = float("nan")
    found = cv2.remap(band, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=nothing)
    return np.asarray(found, dtype=np.float32)


def _fit(
    name: str,
    against: Image,
    moving: Image,
    reference: str,
    starts: Sequence[Sequence[float]],
    lender: Alignment | None,
) -> BandFit:
    height, width = against.shape
    before = _correlation(against, moving)
    matrix, start = _matrix(against, moving, starts)
    warp = Warp(width, height, matrix)
    if warp.reach_px < MAX_REACH * width:
        warp = _bent(against, moving, warp)
    checked = measure(against, _warped(moving, warp), CHECKS)
    correlation = _correlation(against, _warped(moving, warp))
    enough = checked.proves(MIN_TILES, MIN_TILE_SHARE)
    if not enough:
        lent = lender.fit(name) if lender and lender.reference == reference else None
        if lent is not None and (lent.warp.width_px, lent.warp.height_px) == (width, height):
            return BandFit(
                name,
                lent.warp,
                before,
                lent.correlation,
                lent.residual_px,
                lent.residual_p90_px,
                lent.tiles,
                "borrowed",
            )
        raise GeoError(
            "no_texture",
            f"{in_chinese(name)}波段与{in_chinese(reference)}波段对不齐：画面纹理太少（多为平静水面）或不是同一画面，无法验证；"
            "请换一张带岸线的照片，或借用同航高已验证的配准。",
            name,
        )
    residual, tail = checked.residual_px()
    fit = BandFit(name, warp, before, correlation, residual, tail, checked.count, start)
    far = warp.reach_px > MAX_REACH * width
    if far or residual > MAX_RESIDUAL_PX or tail > MAX_RESIDUAL_P90_PX or correlation < MIN_CORRELATION:
        raise GeoError(
            "not_aligned",
            f"{in_chinese(name)}波段与{in_chinese(reference)}波段对不齐（剩余偏差中位 {residual:.1f} 像元，相关 {correlation:.2f}）；"
            "请检查是否为同一次曝光的文件，或改用已拼接配准的正射影像。",
            name,
            residual_px=residual,
            residual_p90_px=tail,
            correlation=correlation,
            shift_px=warp.shift_px,
        )
    return fit


def _matrix(against: Image, moving: Image, starts: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], str]:
    """The homography, sought on a smaller copy; the starting value under which the edges agree best wins."""
    scale = min(1.0, COARSE_WIDTH_PX / against.shape[1])
    size = (round(against.shape[1] * scale), round(against.shape[0] * scale))
    small, other = (
        np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_AREA), np.float32) for a in (against, moving)
    )
    up = _between(scale)
    down = np.linalg.inv(up)
    window = cv2.createHanningWindow(small.shape[::-1], cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(small, other, window)
    shift = np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1.0]])
    tries = [(shift, "phase"), (np.eye(3), "phase")]
    tries += [(down @ np.asarray(start, dtype=np.float64).reshape(3, 3) @ up, "given") for start in starts]
    best, source = max(tries, key=lambda each: _correlation(small, _warped(other, _as_warp(other, each[0]))))
    try:
        stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 80, 1e-5)
        everywhere = np.full(other.shape, 255, np.uint8)
        begin = best.astype(np.float32)
        _, found = cv2.findTransformECC(small, other, begin, cv2.MOTION_HOMOGRAPHY, stop, everywhere, 5)
    except cv2.error:  # it does not converge without texture: the check of the tiles decides
        found = best
    full: Array = up @ np.asarray(found, dtype=np.float64) @ down
    return tuple(float(value) for value in (full / full[2, 2]).ravel()), source


def _between(scale: float) -> Array:
    """Small pixel -> full pixel, both counted from the middle of their first pixel."""
    middle = (1.0 / scale - 1.0) / 2.0
    return np.array([[1.0 / scale, 0.0, middle], [0.0, 1.0 / scale, middle], [0.0, 0.0, 1.0]])


def _as_warp(image: Image, matrix: Array) -> Warp:
    return Warp(image.shape[1], image.shape[0], tuple(float(value) for value in matrix.ravel()))


def _correlation(a: Image, b: Image) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    if np.count_nonzero(both) < 0.25 * a.size:
        return -1.0
    u, v = a[both].astype(np.float64), b[both].astype(np.float64)
    spread = float(u.std() * v.std())
    return 0.0 if spread < 1e-12 else float(((u - u.mean()) * (v - v.mean())).mean() / spread)


def _bent(against: Image, moving: Image, warp: Warp) -> Warp:
    """The warp with a bend learned from every other tile, twice; kept only if it helps them."""
    for _ in range(2):
        seen = measure(against, _warped(moving, warp), TEACHES)
        count = 10 if seen.count >= 40 else 6 if seen.count >= 20 else 3
        if not seen.proves(12, MIN_TILE_SHARE):
            return warp
        more = _robust(seen, warp, count)
        old = np.zeros((10, 2))
        old[: len(warp.bend)] = np.asarray(warp.bend).reshape(-1, 2)
        old[:count] += more
        better = Warp(warp.width_px, warp.height_px, warp.matrix, tuple((float(x), float(y)) for x, y in old))
        if measure(against, _warped(moving, better), TEACHES).residual_px() >= seen.residual_px():
            return warp
        warp = better
    return warp


def _robust(seen: Tiles, warp: Warp, count: int) -> Array:
    """Coefficients (count, 2) of the displacements, tiles that disagree with the rest left out step by step."""
    columns = terms(seen.middles, warp.width_px, warp.height_px, count)
    weight = np.ones(len(columns))
    found: NDArray[np.floating] = np.zeros((count, 2))
    for _ in range(5):
        rows = weight[:, None]
        steady = columns.T @ (rows * columns) + 1e-3 * np.eye(count)
        found = np.linalg.solve(steady, columns.T @ (rows * seen.shifts))
        off = np.hypot(*(seen.shifts - columns @ found).T)
        limit = 3.0 * max(float(np.median(off)), 0.1)
        weight = np.where(off < limit, 1.0, 0.0)
    return np.asarray(found)
