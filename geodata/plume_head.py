"""Where a plume begins: a step in the profile along its bank, found between cells, with its own error.

It is given one connected area; whether that area is a plume is not its business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from geodata.plume_background import STANDS_OUT, Anomaly
from geodata.plume_reach import Mask, Reach
from geodata.river import Bank

Array = NDArray[np.float64]

BEFORE_M, AFTER_M = 25.0, 18.0
"""Calm water looked at upstream of a step, and plume looked at downstream of it."""
LEAST_M = 6.0
STRIP_M = 8.0
"""Only this far from the bank: what comes out of a mouth begins there."""
FLOOR_M = 0.4
"""No head is known better than this: mouths have a width, cells a size."""
CUT_M = 6.0
"""So much calm water must be seen upstream of a head before it is believed to be one."""


@dataclass(frozen=True)
class Head:
    """Along the grid, and off the bank's edge; one-sigma errors; `level` of the anomaly just below it."""

    along_m: float
    shore_m: float
    along_sigma_m: float
    shore_sigma_m: float
    level: float
    seen: bool


def head_of(reach: Reach, anomaly: Anomaly, area: Mask, bank: Bank) -> Head | None:
    """The head of an area (offset, chainage) that hugs a bank; None when its profile has no step."""
    step = reach.step_m
    columns = np.flatnonzero((area & (reach.shore_m[bank] <= STRIP_M)).any(axis=0))
    if not len(columns):
        return None
    weights = _strip(reach, anomaly, area, bank, int(columns[0]))
    profile, known = _profile(reach, anomaly, weights)
    first = max(0, int(columns[0]) - round(BEFORE_M / step))
    far = int(columns[0]) + round((BEFORE_M + AFTER_M) / step)
    last = min(len(profile), far, max(int(columns[-1]) + 1, int(columns[0]) + round(LEAST_M / step)))
    busy = (np.abs(anomaly.broad) > STANDS_OUT * anomaly.broad_sigma) & (weights > 0)
    calm = known & ~_near(busy, round(2.0 / step))
    sigma, correlated = _noise(profile, calm if calm.sum() > 40 else known)
    spots, weight, levels = _steps(profile, known, first, last, step, sigma, correlated)
    if not len(spots):
        return None
    along = float((spots * weight).sum())
    sigma_m = float(np.sqrt((weight * (spots - along) ** 2).sum()))
    level = float((levels * weight).sum())
    if level <= 0.0:
        return None
    begin = int(np.clip(round(along), 0, len(profile) - 1))
    above = known[max(0, begin - round(CUT_M / step)) : begin]
    seen = begin >= round(CUT_M / step) and bool(above.mean() > 0.7 if len(above) else False)
    shore_m, shore_sigma_m = _off_the_bank(reach, anomaly, bank, begin)
    return Head(
        float(reach.along_m[0] + (along - 0.5) * step),  # a step between two columns stands half a cell before
        shore_m,
        float(np.hypot(sigma_m * step, FLOOR_M)) if seen else BEFORE_M,
        shore_sigma_m,
        level,
        seen,
    )


def _near(area: Mask, cells: int) -> NDArray[np.bool_]:
    return np.asarray(scipy.ndimage.binary_dilation(area.any(axis=0), iterations=max(cells, 1)))


def _strip(reach: Reach, anomaly: Anomaly, area: Mask, bank: Bank, first: int) -> Array:
    """Weights of the distances from the bank: the plume's own mean shape across its first metres."""
    bins = np.arange(0.0, STRIP_M + reach.step_m, reach.step_m)
    shore = reach.shore_m[bank]
    part = np.zeros(area.shape, dtype=bool)
    part[:, first : first + round(AFTER_M / reach.step_m)] = True
    part &= reach.seen & (shore >= 0) & (shore < STRIP_M)
    where = np.digitize(shore[part], bins) - 1
    total = np.bincount(where, anomaly.plain[part], minlength=len(bins))
    count = np.bincount(where, minlength=len(bins))
    shape = scipy.ndimage.gaussian_filter1d(total / np.maximum(count, 1), 1.0)
    shape = np.clip(shape, 0.0, None)
    weights = np.where(shape > 0.25 * shape.max(), shape, 0.0) if shape.max() > 0 else np.ones(len(bins))
    spread = np.zeros(area.shape)
    inside = reach.seen & (shore >= 0) & (shore < STRIP_M)
    spread[inside] = weights[np.digitize(shore[inside], bins) - 1]
    return spread


def _profile(reach: Reach, anomaly: Anomaly, weights: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The anomaly along the bank, one value a column, and which columns were seen well enough."""
    total = weights.sum(axis=0)
    enough = total > 0.4 * np.median(total[total > 0]) if (total > 0).any() else total > 0
    return np.where(enough, (weights * anomaly.plain).sum(axis=0) / np.maximum(total, 1e-9), 0.0), enough


def _noise(profile: Array, calm: NDArray[np.bool_]) -> tuple[float, float]:
    """Scatter of the calm profile, and how many neighbours say the same thing (its correlation length)."""
    centred = np.where(calm, profile - np.median(profile[calm]), 0.0)
    sigma = max(float(np.median(np.abs(centred[calm]))) * 1.4826, 1e-9)
    clipped = np.clip(centred, -3 * sigma, 3 * sigma)
    length = 1.0
    power = float((clipped**2).sum()) or 1.0
    for lag in range(1, min(24, len(profile) - 1)):
        both = calm[lag:] & calm[:-lag]
        share = float(calm.sum()) / max(float(both.sum()), 1.0)
        same = float((clipped[lag:] * clipped[:-lag] * both).sum()) / power * share
        if same < 0.05:
            break
        length += 2 * same
    return sigma, length


def _steps(
    profile: Array, known: NDArray[np.bool_], first: int, last: int, step_m: float, sigma: float, correlated: float
) -> tuple[Array, Array, Array]:
    """Posterior of where the columns `first` … `last` leave 0 for a line: columns, weights, levels just below.

    One break only: a line, because a plume thins out downstream, and all columns are judged for every spot.
    """
    least = max(3, round(2.0 / step_m))
    columns = np.arange(first, last)
    good = known[first:last].astype(np.float64)
    x, y = (columns - first) * 1.0, profile[first:last]
    n, sx, sy, sxx, sxy, syy = (_from_here(good * part) for part in (np.ones(len(x)), x, y, x * x, x * y, y * y))
    spots = np.arange(max(len(x) - least, 0))
    n, sx, sy, sxx, sxy, below = (part[spots] for part in (n, sx, sy, sxx, sxy, syy))
    usable = n >= least
    count = np.maximum(n, 1.0)
    vx, vxy, vy = sxx - sx**2 / count, sxy - sx * sy / count, below - sy**2 / count
    slope = np.where(vx > 1e-9, vxy / np.maximum(vx, 1e-9), 0.0)
    level = sy / count + slope * (spots + 2.5 / step_m - sx / count)
    left_over = (syy[0] - below if len(spots) else below) + vy - slope * vxy
    usable &= level > 0.0
    if not usable.any():
        return np.zeros(0), np.zeros(0), np.zeros(0)
    fit = np.where(usable, -0.5 * left_over / (sigma**2 * max(correlated, 1.0)), -np.inf)
    weight = np.exp(fit - fit.max())
    return columns[spots].astype(np.float64), weight / weight.sum(), level


def _from_here(values: Array) -> Array:
    """Sums from each place to the end."""
    return np.asarray(np.cumsum(values[::-1])[::-1])


def _off_the_bank(reach: Reach, anomaly: Anomaly, bank: Bank, begin: int) -> tuple[float, float]:
    """How far off the bank's edge the plume's first metres lie: their centroid, and half of it as an error."""
    shore = reach.shore_m[bank]
    part = np.zeros(shore.shape, dtype=bool)
    part[:, begin : begin + round(4.0 / reach.step_m)] = True
    part &= reach.seen & (shore >= 0) & (shore < STRIP_M)
    level = np.clip(anomaly.plain[part] - 0.5 * anomaly.cell_sigma, 0.0, None)
    if level.sum() <= 0:
        return 1.0, 1.0
    centre = float((level * shore[part]).sum() / level.sum())
    # a mouth stands at the edge: the centroid of what spreads from it lies about twice as far out
    return centre / 2, max(centre / 2, reach.step_m)
