"""Which places of a batch do not belong to it: far off and few, or reached faster than anything flies.

It knows places and moments only. Two honest sites in one batch are no fault.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GAP_M = 2000.0
"""Sites this far apart are different sites."""
FEW = 0.1
"""A site with less than this share of the batch is a stray."""
FEW_IN_ONE_GO = 0.3
"""So is one below this share when the times rule out a flight; above it two drones may have flown at once."""
FASTEST_M_S = 100.0
EARTH_M = 6_371_000.0


def strays(places: Sequence[tuple[float, float]], moments: Sequence[float]) -> list[tuple[int, float]]:
    """Rows that are strays, each with its distance in metres from the middle of the largest site.

    Parameters: `places`, plausible longitudes and latitudes; `moments`, seconds, NaN where unknown. The largest
    site never is a stray; another one is when it holds less than a tenth of the batch, or less than three
    tenths and two frames that follow each other in time lie in both, too far apart for any aircraft.

    >>> [row for row, _ in strays([(112.18, 30.35)] * 20 + [(2.35, 48.86)], [float("nan")] * 21)]
    [20]
    """
    if len(places) < 2:
        return []
    lon, lat = np.radians(np.array(places, dtype=np.float64)).T
    points = EARTH_M * np.column_stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))
    site = _sites(points)
    sizes = np.bincount(site)
    main = int(np.argmax(sizes))
    wrong = {number for number, size in enumerate(sizes) if number != main and size < FEW * len(places)}
    leaps = _jumped(points, site, main, np.array(moments, dtype=np.float64))
    wrong |= {number for number in leaps if sizes[number] < FEW_IN_ONE_GO * len(places)}
    middle = np.median(points[site == main], axis=0)
    return [
        (int(row), float(np.linalg.norm(points[row] - middle))) for row in np.flatnonzero(np.isin(site, list(wrong)))
    ]


def _sites(points: Array) -> NDArray[np.int64]:
    """Number of the site of each point (n,): cubes of `GAP_M` that touch belong together."""
    cubes: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row, cube in enumerate(np.floor(points / GAP_M).astype(np.int64).tolist()):
        cubes[tuple(cube)].append(row)
    site = np.full(len(points), -1, dtype=np.int64)
    number = 0
    for first in list(cubes):
        if site[cubes[first][0]] >= 0:
            continue
        waiting = [first]
        while waiting:
            cube = waiting.pop()
            if site[cubes[cube][0]] >= 0:
                continue
            site[cubes[cube]] = number
            beside = (tuple(a + b for a, b in zip(cube, step, strict=True)) for step in product((-1, 0, 1), repeat=3))
            waiting.extend(other for other in beside if other in cubes)
        number += 1
    return site


def _jumped(points: Array, site: NDArray[np.int64], main: int, moments: Array) -> set[int]:
    """Sites that a frame of the main one is followed by, or follows, at an impossible speed."""
    known = np.flatnonzero(np.isfinite(moments))
    order = known[np.argsort(moments[known], kind="stable")]
    found: set[int] = set()
    for before, after in pairwise(order.tolist()):
        pair = {int(site[before]), int(site[after])}
        if len(pair) == 1 or main not in pair:
            continue
        seconds = max(float(moments[after] - moments[before]), 1.0)
        if float(np.linalg.norm(points[after] - points[before])) > FASTEST_M_S * seconds:
            found |= pair - {main}
    return found
