"""Which detections of many frames are one thing: each is joined to the nearest thing it can be, or starts one.

It weighs places by their own covariance, so it works as well as the errors it is told are true: give it
covariances of the frames against each other (after adjustment), not against the earth. It knows no frames'
pixels, no issues and no rounds: floating things that drift between rounds must not be joined by place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from geodata.crs import LocalXY, local_xy
from geodata.errors import GeoError
from geodata.merge import outline_facts
from geodata.things import Seen, Thing

Array = NDArray[np.float64]

GATE_SIGMA = 3.0
"""A detection may lie so far from a thing, in sigma of their difference: sqrt(1 + 1/n) times its own, where all err alike."""
SETTLE_SIGMA = 4.0
"""One true join in 90 lies outside of 3 sigma and splits a thing; what never shared a frame may lie a little farther off."""
COMPATIBLE = (frozenset({"floating_debris", "aquatic_bloom"}), frozenset({"bare_soil", "solid_waste"}))
"""Kinds mistaken for one another from above; a thing keeps the kind its sightings speak for most."""
LEAST_OVERLAP = 0.2
"""Outlines that share so much of the smaller one may be one thing although their middles lie apart."""
LEAST_SIGMA_M = 0.02
CHUNK = 256


@dataclass
class _Kept:
    """A thing as it grows, in metres of the common plane; `pull` is information times place."""

    id: int
    information: Array
    pull: Array
    votes: dict[str, float]
    frames: list[str]
    scores: list[float]
    surface: BaseGeometry | None = None
    surface_score: float = -1.0
    outline: Mapping[str, Any] | None = None
    area_m2: float | None = None
    moments: list[datetime] = field(default_factory=list)
    covariance: Array = field(init=False)
    place: Array = field(init=False)
    kind: str = field(init=False)

    def __post_init__(self) -> None:
        self._sum_up()

    def _sum_up(self) -> None:
        self.covariance = np.asarray(np.linalg.inv(self.information))
        self.place = self.covariance @ self.pull
        self.kind = max(sorted(self.votes), key=lambda kind: self.votes[kind])

    def take(self, other: _Kept) -> None:
        """Everything another one knows."""
        self.information = self.information + other.information
        self.pull = self.pull + other.pull
        for kind, vote in other.votes.items():
            self.votes[kind] = self.votes.get(kind, 0.0) + vote
        self.frames.extend(other.frames)
        self.scores.extend(other.scores)
        self.moments.extend(other.moments)
        if other.surface is not None and other.surface_score > self.surface_score:
            self.surface, self.surface_score = other.surface, other.surface_score
            self.outline, self.area_m2 = other.outline, other.area_m2
        self._sum_up()


class Things:
    """Things so far, joined frame by frame.

    A detection may join a thing of the same or a compatible kind when it lies within `GATE_SIGMA` of it, by the
    covariance of their difference, or when their outlines overlap by `LEAST_OVERLAP` of the smaller. Within
    one frame the joins of least total cost are taken (Hungarian method), so that two detections of a frame
    never become one thing. A thing's place is the mean of its sightings weighted by their covariances.

    `known`: things kept from before, to go on with; `compatible`: groups of kinds.

    >>> things = Things()
    >>> spot = Seen("floating_debris", 112.18, 30.35, np.eye(2) * 0.04, 0.6)
    >>> beside = Seen("floating_debris", 112.1801, 30.35, np.eye(2) * 0.04, 0.6)
    >>> things.add([spot], "a.jpg"), things.add([beside, spot], "b.jpg")
    ((0,), (1, 0))
    >>> [(thing.id, thing.n, round(thing.score, 3)) for thing in things.all()]
    [(0, 2, 0.696), (1, 1, 0.6)]
    """

    def __init__(self, known: Iterable[Thing] = (), compatible: Iterable[Iterable[str]] = COMPATIBLE) -> None:
        self._kept: dict[int, _Kept] = {}
        self._plane: LocalXY | None = None
        self._groups = [frozenset(group) for group in compatible]
        self._frames: set[str] = set()
        for thing in known:
            self._frames.update(thing.frames)
            seen = Seen(
                thing.kind, thing.lon, thing.lat, thing.cov_en_m2, max(thing.scores), thing.outline, thing.area_m2
            )
            kept = self._placed(seen, thing.id, "")
            kept.frames, kept.scores = list(thing.frames), list(thing.scores)
            kept.votes = {thing.kind: sum(thing.scores)}
            kept.moments = [moment for moment in (thing.first, thing.last) if moment is not None]
            self._kept[thing.id] = kept

    def all(self) -> tuple[Thing, ...]:
        """All things, in the order they were first seen."""
        return tuple(self._thing(kept) for kept in self._kept.values())

    def add(self, detections: Sequence[Seen], frame: str, at: datetime | None = None) -> tuple[int, ...]:
        """Join one frame's detections; returns the id of each one's thing.

        `frame` names the frame and may be added once; `at`: its moment, with a zone. Raises `GeoError`:
        `frame_twice`, `bad_detection`, `bad-position`, `bad-outline`, before anything is changed.
        """
        if frame in self._frames:
            raise GeoError("frame_twice", f"照片 {frame} 的识别结果已经并入过，不能重复并入。", where=frame)
        number = max(self._kept, default=-1) + 1
        fresh = [self._placed(seen, number, frame, f"{frame}[{i}]", at) for i, seen in enumerate(detections)]
        chosen = self._choose(fresh, list(self._kept.values()))
        self._frames.add(frame)
        ids = []
        for kept, goal in zip(fresh, chosen, strict=True):
            if goal is None:
                kept.id = number
                number += 1
                self._kept[kept.id] = kept
            else:
                goal.take(kept)
            ids.append(kept.id if goal is None else goal.id)
        return tuple(ids)

    def settle(self) -> dict[int, int]:
        """Join things that were split by an outlying detection; returns {id that is gone: id that took it}.

        Two things become one when no frame shows both, their kinds are compatible, each is the other's nearest
        and they lie within `SETTLE_SIGMA` of each other.
        """
        gone: dict[int, int] = {}
        while pairs := self._splits():
            for one, other in pairs:
                one.take(other)
                del self._kept[other.id]
                gone = {old: one.id if new == other.id else new for old, new in gone.items()}
                gone[other.id] = one.id
        return gone

    def _splits(self) -> list[tuple[_Kept, _Kept]]:
        """Pairs of things that are each other's nearest and may be one."""
        kept = list(self._kept.values())
        nearest: dict[int, tuple[float, int]] = {}
        for start in range(0, len(kept), CHUNK):
            costs = self._costs(kept[start : start + CHUNK], kept, SETTLE_SIGMA)
            for row, column in np.argwhere(np.isfinite(costs)).tolist():
                one, other = kept[start + row], kept[column]
                if one is not other and not set(one.frames) & set(other.frames):
                    near = (float(costs[row, column]), column)
                    nearest[start + row] = min(nearest.get(start + row, near), near)
        return [
            (kept[row], kept[column])
            for row, (_, column) in nearest.items()
            if row < column and nearest.get(column, (0.0, -1))[1] == row
        ]

    def _choose(self, fresh: Sequence[_Kept], kept: Sequence[_Kept]) -> list[_Kept | None]:
        """The thing each of a frame's detections joins, or None for a new one."""
        if not fresh or not kept:
            return [None] * len(fresh)
        costs = self._costs(fresh, kept, GATE_SIGMA)
        near = np.flatnonzero(np.isfinite(costs).any(axis=0))
        # A column of its own for each detection: to be new costs more than any allowed join.
        alone = np.full((len(fresh), len(fresh)), np.inf)
        np.fill_diagonal(alone, 2 * GATE_SIGMA**2)
        table = np.hstack((costs[:, near], alone))
        rows, columns = linear_sum_assignment(np.where(np.isfinite(table), table, 1e9))
        chosen: list[_Kept | None] = [None] * len(fresh)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if column < len(near) and np.isfinite(table[row, column]):
                chosen[row] = kept[near[column]]
        return chosen

    def _costs(self, fresh: Sequence[_Kept], kept: Sequence[_Kept], gate: float) -> Array:
        """Squared distances (f, k) in sigma of the difference; infinite where a join is not allowed."""
        if not fresh or not kept:
            return np.zeros((len(fresh), len(kept)))
        gaps = np.array([one.place for one in fresh])[:, None] - np.array([one.place for one in kept])
        spread = np.array([one.covariance for one in fresh])[:, None] + np.array([one.covariance for one in kept])
        a, b, c = spread[..., 0, 0], spread[..., 0, 1], spread[..., 1, 1]
        x, y = gaps[..., 0], gaps[..., 1]
        costs = (c * x * x - 2 * b * x * y + a * y * y) / (a * c - b * b)
        costs[costs > gate**2] = np.inf
        solid = [column for column, one in enumerate(kept) if one.surface is not None]
        for row, one in enumerate(fresh):
            for column in solid if one.surface is not None else ():
                share = _overlap(one.surface, kept[column].surface)
                if share >= LEAST_OVERLAP:
                    costs[row, column] = min(costs[row, column], gate**2 * (1 - share))
        kinds = sorted({one.kind for one in (*fresh, *kept)})
        allowed = np.array([[self._alike(one, other) for other in kinds] for one in kinds])
        at = {kind: index for index, kind in enumerate(kinds)}
        may = allowed[np.ix_([at[one.kind] for one in fresh], [at[one.kind] for one in kept])]
        return np.asarray(np.where(may, costs, np.inf))

    def _alike(self, one: str, other: str) -> bool:
        return one == other or any(one in group and other in group for group in self._groups)

    def _placed(self, seen: Seen, number: int, frame: str, where: str = "", at: datetime | None = None) -> _Kept:
        """A detection as a thing of its own, in metres, checked."""
        covariance = np.asarray(seen.cov_en_m2, dtype=np.float64)
        sound = covariance.shape == (2, 2) and bool(np.isfinite(covariance).all())
        if not sound or np.linalg.eigvalsh((covariance + covariance.T) / 2)[0] < 0:
            raise GeoError("bad_detection", "识别结果的位置误差不是合法的协方差（平方米）。", where=where)
        if not (math.isfinite(seen.score) and 0.0 <= seen.score <= 1.0):
            raise GeoError("bad_detection", "识别结果的得分要在 0 到 1 之间。", where=where)
        if self._plane is None:
            self._plane = local_xy(seen.lon, seen.lat)
        local_xy(seen.lon, seen.lat)  # refuses what is no position
        place = np.array(self._plane.forward(seen.lon, seen.lat), dtype=np.float64)
        floored = (covariance + covariance.T) / 2 + np.eye(2) * LEAST_SIGMA_M**2
        information = np.asarray(np.linalg.inv(floored))
        kept = _Kept(number, information, information @ place, {seen.kind: seen.score}, [frame], [seen.score])
        kept.moments = [] if at is None else [at]
        if seen.outline is not None:
            outline_facts(seen.outline)  # refuses what is no surface
            kept.surface = shapely.transform(shape(seen.outline), self._plane.forward, interleaved=False)
            kept.surface_score, kept.outline, kept.area_m2 = seen.score, seen.outline, seen.area_m2
        return kept

    def _thing(self, kept: _Kept) -> Thing:
        assert self._plane is not None  # a kept thing has been placed on it
        lon, lat = self._plane.inverse(*kept.place.tolist())
        return Thing(
            kept.id,
            kept.kind,
            float(lon),
            float(lat),
            kept.covariance,
            tuple(kept.frames),
            tuple(kept.scores),
            kept.outline,
            kept.area_m2,
            min(kept.moments, default=None),
            max(kept.moments, default=None),
        )


def associate(
    frames: Iterable[tuple[str, Sequence[Seen], datetime | None]], compatible: Iterable[Iterable[str]] = COMPATIBLE
) -> tuple[tuple[Thing, ...], dict[str, tuple[int, ...]]]:
    """Join the detections of whole frames, in the order given; returns the things and each frame's ids.

    `frames`: (name, detections, moment). Raises `GeoError` as `Things.add` does.

    >>> spot = Seen("sewage", 112.18, 30.35, np.eye(2) * 0.04, 0.6)
    >>> things, ids = associate([("a", [spot], None), ("b", [spot], None)])
    >>> len(things), ids
    (1, {'a': (0,), 'b': (0,)})
    """
    things = Things(compatible=compatible)
    ids = {name: things.add(detections, name, at) for name, detections, at in frames}
    gone = things.settle()
    return things.all(), {name: tuple(gone.get(number, number) for number in each) for name, each in ids.items()}


def _overlap(one: BaseGeometry | None, other: BaseGeometry | None) -> float:
    """Share of the smaller surface that lies in the other one."""
    if one is None or other is None or not one.intersects(other):
        return 0.0
    return float(one.intersection(other).area / max(min(one.area, other.area), 1e-9))
