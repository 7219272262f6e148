"""The numbers of an adjustment: one robust least-squares problem over the poses of overlapping frames.

It works on metres alone and knows neither files nor names. A frame's correction is (east, north, yaw, height,
slope east, slope north): metres, metres, radians clockwise, share of its height over the ground, rise per metre.
The slope stands for the ground's and for the camera's small tilt: both bend a view alike, and as a slope it
does not move the view's middle, which the satellites hold. Without it the real flight's gaps were twice as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]

PARTS = 6
"""Numbers of one frame's correction."""
LEAST_SPREAD_M = 0.05
PAIR_WORTH = 8.0
"""Matches of one pair share its relief and lens errors: however many, they count as so many independent ones."""
TUNE = 2.0
"""In units of the spread: matches farther off lose weight as a Cauchy error would."""
STEPS = 30


@dataclass(frozen=True)
class Link:
    """One pair's matches on the ground before correction: offsets (n, 2) from each camera's own place, metres.

    `slant` (n,): squared tangents off the vertical, both views summed; relief and lens errors grow with it.
    """

    first: int
    second: int
    first_m: Array
    second_m: Array
    slant: Array


@dataclass(frozen=True)
class Solution:
    """`corrections` (f, 6), their covariance (6f, 6f), the matches' spread along one axis, and the steps taken."""

    corrections: Array
    covariance: Array
    spread_m: float
    steps: int


def corrected(places: Array, heights: Array, offsets: Array, corrections: Array) -> Array:
    """Ground points (n, 2) of offsets (n, 2) from cameras at `places` (n, 2), `heights` (n,), by `corrections` (n, 6).

    A correction of yaw and height turns and stretches what a frame sees about its own place; a slope brings
    nearer what it lifts.

    >>> turn = np.array([[1.0, 0.0, np.pi / 2, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.1]])
    >>> heights, ahead = np.array([40.0, 40.0]), np.array([[0.0, 10.0], [0.0, 40.0]])
    >>> np.round(corrected(np.zeros((2, 2)), heights, ahead, turn), 3).tolist()
    [[16.0, 0.0], [0.0, 36.364]]
    """
    seen, bend = _turned(heights, offsets, corrections)
    return np.asarray(places + corrections[:, :2] + seen * ((1 + corrections[:, 3]) / bend)[:, None])


def solve(places: Array, heights: Array, links: Sequence[Link], own: Array, shared: Array) -> Solution:
    """The most likely corrections of frames at `places` (f, 2) and `heights` (f,) over the ground, given `links` and 1 sigma of what to expect.

    `own` (f, 6) is each frame's own error, `shared` (f, 6) how much of the flight's common error it has.
    Minimises the robust sum of squared gaps between the two views of each match, each gap measured in units
    of the pair's own scale (else the whole scene would shrink, as that makes every gap smaller), plus the
    squared corrections in units of their sigma. The common error is solved for too, so that the covariance
    stays honest about what overlaps cannot show, and the mean correction stays where the satellites put it.
    """
    count = len(places)
    found = np.zeros((count, PARTS))
    prior = _prior(own, shared)
    if not links:
        return Solution(found, _of_frames(prior, count), float("nan"), 0)
    rows = _Rows(places, heights, links)
    common = np.zeros(PARTS)
    spread = 1.0
    steps = 0
    while steps < STEPS:
        steps += 1
        gaps, grades = rows.at(found)
        size = np.hypot(gaps[:, 0], gaps[:, 1]) / np.sqrt(1 + rows.slant)
        # The spread of one axis: the median length of a normal pair is 1.1774 of it.
        spread = max(float(np.median(size)) / 1.1774, LEAST_SPREAD_M)
        weight = rows.worth / spread**2 / (1 + (size / (TUNE * spread)) ** 2)
        doubled = np.repeat(weight, 2)
        normal = np.zeros_like(prior)
        inner = count * PARTS
        normal[:inner, :inner] = (grades.T @ sparse.diags(doubled) @ grades).toarray()
        state = np.concatenate((found.ravel(), common))
        pull = np.zeros(len(state))
        pull[:inner] = grades.T @ (doubled * gaps.ravel())
        normal += prior
        change = np.linalg.solve(normal, -(pull + prior @ state))
        found = found + change[:inner].reshape(count, PARTS)
        common = common + change[inner:]
        if np.abs(change[:inner].reshape(count, PARTS) / own).max() < 1e-5:
            break
    return Solution(found, _of_frames(normal, count), spread, steps)


class _Rows:
    """All matches of all links, ready for gaps and their slopes."""

    def __init__(self, places: Array, heights: Array, links: Sequence[Link]) -> None:
        sizes = [len(link.first_m) for link in links]
        self.places = places
        self.heights = heights
        self.first = np.repeat([link.first for link in links], sizes)
        self.second = np.repeat([link.second for link in links], sizes)
        self.first_m = np.concatenate([link.first_m for link in links])
        self.second_m = np.concatenate([link.second_m for link in links])
        self.slant = np.concatenate([link.slant for link in links])
        self.worth = np.minimum(1.0, PAIR_WORTH / np.repeat(sizes, sizes)) / (1 + self.slant)

    def at(self, found: Array) -> tuple[Array, sparse.csr_matrix]:
        """Gaps (n, 2) in units of the pair's scale, and their slopes over all corrections, sparse (2n, 6f)."""
        one, other = found[self.first], found[self.second]
        scale = 1 + (one[:, 3] + other[:, 3]) / 2
        low, high = self.heights[self.first], self.heights[self.second]
        gaps = corrected(self.places[self.first], low, self.first_m, one)
        gaps = (gaps - corrected(self.places[self.second], high, self.second_m, other)) / scale[:, None]
        blocks = []
        for sign, heights, offsets, here in ((1.0, low, self.first_m, one), (-1.0, high, self.second_m, other)):
            block = sign * slopes(heights, offsets, here) / scale[:, None, None]
            block[:, :, 3] -= gaps / (2 * scale[:, None])
            blocks.append(block)
        count = len(gaps)
        values = np.concatenate(blocks, axis=2)
        columns = np.concatenate(
            [frames[:, None] * PARTS + np.arange(PARTS) for frames in (self.first, self.second)], axis=1
        )
        places = np.repeat(columns[:, None, :], 2, axis=1)
        starts = np.arange(0, 2 * count * 2 * PARTS + 1, 2 * PARTS)
        shape = (2 * count, len(found) * PARTS)
        return gaps, sparse.csr_matrix((values.ravel(), places.ravel(), starts), shape=shape)


def _turned(heights: Array, offsets: Array, corrections: Array) -> tuple[Array, Array]:
    """Offsets (n, 2) after the yaw, and by how much (n,) the slope cuts their rays short."""
    sine, cosine = np.sin(corrections[:, 2]), np.cos(corrections[:, 2])
    east, north = offsets[:, 0], offsets[:, 1]
    turned = np.stack((cosine * east + sine * north, cosine * north - sine * east), axis=1)
    return turned, np.asarray(1 + np.sum(turned * corrections[:, 4:], axis=1) / heights)


def slopes(heights: Array, offsets: Array, corrections: Array) -> Array:
    """Slopes (n, 2, 6) of `corrected` over the corrections (n, 6)."""
    turned, bend = _turned(heights, offsets, corrections)
    stretch = 1 + corrections[:, 3]
    aside = np.stack((turned[:, 1], -turned[:, 0]), axis=1)
    cut = np.sum(aside * corrections[:, 4:], axis=1) / heights
    out = np.zeros((len(offsets), 2, PARTS))
    out[:, 0, 0] = out[:, 1, 1] = 1.0
    out[:, :, 2] = (aside / bend[:, None] - turned * (cut / bend**2)[:, None]) * stretch[:, None]
    out[:, :, 3] = turned / bend[:, None]
    out[:, :, 4:] = -(turned[:, :, None] * turned[:, None, :]) * (stretch / heights / bend**2)[:, None, None]
    return out


def _prior(own: Array, shared: Array) -> Array:
    """Inverse covariance over all corrections and, last, the common errors in units of their sigma."""
    count = len(own)
    out = np.zeros(((count + 1) * PARTS, (count + 1) * PARTS))
    np.fill_diagonal(out, np.concatenate((1 / own.ravel() ** 2, np.ones(PARTS))))
    last = count * PARTS
    for part in range(PARTS):
        frames = np.arange(count) * PARTS + part
        pull = shared[:, part] / own[:, part] ** 2
        out[frames, last + part] = out[last + part, frames] = -pull
        out[last + part, last + part] += float(np.sum(pull * shared[:, part]))
    return out


def _of_frames(normal: Array, count: int) -> Array:
    """The covariance of the frames' own corrections, out of all that was solved for."""
    return np.asarray(np.linalg.inv(normal)[: count * PARTS, : count * PARTS])
