"""What changed anywhere in two registered pictures, when nobody said where to look.

It finds patches and says in which round each stands out from its surroundings; it knows no kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import scipy.ndimage
import scipy.stats
import shapely.geometry
from numpy.typing import NDArray

from geodata.effect.canvas import F32, Canvas, Mask

SURE = 0.99999
LEAST_M2 = 0.3
LEAST_PX = 24
STANDS_OUT = 1.6
MOST = 200


@dataclass(frozen=True)
class Change:
    """One patch: `what` is `gone`, `new` or `changed`; `outline` a GeoJSON geometry in WGS-84."""

    what: str
    area_m2: float
    outline: dict[str, Any]


def changes(before: F32, after: F32, seen: Mask, canvas: Canvas) -> list[Change]:
    """Patches that changed, largest first. Bands (n, h, w) as logarithms, registered, in one light."""
    if seen.sum() < 400:
        return []
    first, second = (np.stack([cv2.GaussianBlur(band, (0, 0), 1.5) for band in part]) for part in (before, after))
    gap = second - first
    # slow differences are light, not things
    weight = _slow(seen.astype(np.float32))
    slow = [_slow(np.where(seen, np.clip(band, -0.5, 0.5), 0).astype(np.float32)) for band in gap]
    gap = gap - np.stack(slow) / np.maximum(weight, 1e-3)
    rows = gap[:, seen].T.astype(np.float64)
    middle = np.median(rows, axis=0)
    spread = np.median(np.abs(rows - middle), axis=0) * 1.4826 + 0.02
    power = (((rows - middle) / spread) ** 2).sum(axis=1)
    # the scatter is measured, not assumed normal: the usual pixel sets the scale
    scale = float(np.median(power)) / float(scipy.stats.chi2.median(rows.shape[1]))
    limit = float(scipy.stats.chi2.ppf(SURE, rows.shape[1])) * max(scale, 1.0)
    mark = np.zeros(seen.shape, dtype=bool)
    mark[seen] = power > limit
    mark = scipy.ndimage.binary_opening(mark, structure=np.ones((3, 3)))
    mark = scipy.ndimage.binary_closing(mark, structure=np.ones((3, 3)), iterations=2) & seen
    labels, count = scipy.ndimage.label(mark, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    least = max(LEAST_PX, LEAST_M2 / canvas.gsd_m**2)
    found = [number for number in range(1, count + 1) if sizes[number] >= least]
    found.sort(key=lambda number: -int(sizes[number]))
    windows = scipy.ndimage.find_objects(labels)
    told = []
    for number in found[:MOST]:
        rows_, columns = (slice(max(0, part.start - 15), part.stop + 15) for part in windows[number - 1])
        patch, calm = labels[rows_, columns] == number, (seen & ~mark)[rows_, columns]
        what = _what(first[:, rows_, columns], second[:, rows_, columns], patch, calm)
        shape = canvas.shape(patch, rows_.start, columns.start)
        told.append(Change(what, float(sizes[number]) * canvas.gsd_m**2, dict(shapely.geometry.mapping(shape))))
    return told


def _slow(band: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blurred over 60 pixels, at an eighth of the size."""
    size = (band.shape[1], band.shape[0])
    small = cv2.resize(band, (max(8, size[0] // 8), max(8, size[1] // 8)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cv2.GaussianBlur(small, (0, 0), 7.5), size), dtype=np.float32)


def _what(before: F32, after: F32, patch: Mask, calm: Mask) -> str:
    """The round in which a patch stands out more from the calm pixels around it."""
    around = calm & scipy.ndimage.binary_dilation(patch, iterations=12)
    if around.sum() < 20:
        return "changed"
    first, second = (_contrast(part, patch, around) for part in (before, after))
    if first > STANDS_OUT * second:
        return "gone"
    return "new" if second > STANDS_OUT * first else "changed"


def _contrast(bands: NDArray[np.float32], inside: Mask, around: Mask) -> float:
    gaps = [float(np.median(band[inside]) - np.median(band[around])) for band in bands]
    return float(np.linalg.norm(gaps))
