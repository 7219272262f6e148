"""A detection in one frame, and the thing on the ground that several of them are: plain values and their score.

`associate.py` decides which detections are one thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

AGAIN = 0.4
"""Detector scores of one thing in several frames err together: each further one counts for so much of the one before."""
TOP_SCORE = 0.99
FIRM_SCORE = 0.9


@dataclass(frozen=True)
class Seen:
    """One detection in one frame: WGS-84 degrees, covariance over east and north (2, 2) in m², score 0 to 1.

    `outline`: GeoJSON Polygon or MultiPolygon in WGS-84, or None; `area_m2` of it, when known.
    """

    kind: str
    lon: float
    lat: float
    cov_en_m2: Array
    score: float
    outline: Mapping[str, Any] | None = None
    area_m2: float | None = None


@dataclass(frozen=True)
class Thing:
    """One problem on the ground: mean place (WGS-84 degrees), its covariance (m²) and the frames that saw it.

    `scores` of its `n` sightings; `score` of them all, see `joint_score`. `outline`, `area_m2`: of the strongest
    sighting that has one. `first`, `last`: earliest and latest moment, when moments were given.
    """

    id: int
    kind: str
    lon: float
    lat: float
    cov_en_m2: Array
    frames: tuple[str, ...]
    scores: tuple[float, ...]
    outline: Mapping[str, Any] | None = None
    area_m2: float | None = None
    first: datetime | None = None
    last: datetime | None = None

    @property
    def n(self) -> int:
        """Sightings, one a frame."""
        return len(self.frames)

    @property
    def score(self) -> float:
        """Score over all frames."""
        return joint_score(self.scores)

    @property
    def firm(self) -> bool:
        """Whether it was seen twice, or once strongly; anything else waits for a person."""
        return self.n >= 2 or self.score >= FIRM_SCORE


def joint_score(scores: Sequence[float]) -> float:
    """Score of a thing from its sightings' scores: a noisy-or damped for their dependence.

    1 - (1 - s1) (1 - 0.4 s2) (1 - 0.16 s3) ..., strongest first, at most 0.99. A detector that is wrong about a
    shape is wrong about it again in the next frame, so a further sighting says less than an independent one
    would. It ranks; it is not a measured probability.

    >>> round(joint_score([0.6]), 3), round(joint_score([0.6, 0.6]), 3), round(joint_score([0.6] * 50), 3)
    (0.6, 0.696, 0.742)
    """
    missed = 1.0
    for place, score in enumerate(sorted(scores, reverse=True)):
        missed *= 1.0 - AGAIN**place * score
    return min(1.0 - missed, TOP_SCORE)
