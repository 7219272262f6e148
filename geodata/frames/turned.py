"""Which pictures were turned by a viewer: told from matches with their neighbours, not from file marks.

A turned picture keeps its stated position and attitude, so what it shows lands on the wrong side of the
camera. Each frame gets the quarter turn that agrees best with its neighbours; it corrects nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geodata.frames.project import Pose, hits

Array = NDArray[np.float64]

QUARTERS = 4
CAP = 60.0
"""No single pair may say more than this, so that one false pair cannot overrule the others."""
DISAGREES = 30.0
"""A pair that costs more under the best turns shows another place, or one of its positions is wrong."""
TURN_COSTS = 6.0
"""Turned pictures are rare: without evidence a frame counts as it was taken."""
SURE = 12.0
"""By how much every other explanation must be worse before a frame is called turned."""


@dataclass(frozen=True)
class Evidence:
    """What one pair says: `costs` (4, 4), about chi-squared, of the first and second frame's quarter turns."""

    first: int
    second: int
    costs: Array


@dataclass(frozen=True)
class Turns:
    """Quarter turns clockwise of each frame's picture, and whether no other explanation comes near."""

    quarters: tuple[int, ...]
    sure: tuple[bool, ...]


def turned_pose(pose: Pose, quarters: int) -> Pose:
    """The pose by which a picture turned clockwise by `quarters` must be projected.

    >>> turned_pose(Pose(45.0, -90.0, 0.0, 40.0), 2).roll_deg
    -180.0
    """
    return replace(pose, roll_deg=pose.roll_deg - 90.0 * quarters) if quarters else pose


def evidence_of(
    first: int, second: int, rays: tuple[Array, Array], poses: tuple[Pose, Pose], plane_m: Array, own: Array
) -> Evidence:
    """Costs of all turns of one pair.

    `rays`: normalised coordinates (n, 2) of each match in both frames. `poses`: both in one plane. `plane_m`
    (2,): 1 sigma of each camera's place along an axis. `own` (2, 2): 1 sigma of yaw, radians, and of scale.
    """
    views = [
        [hits(plain, turned_pose(pose, k)) for k in range(QUARTERS)] for plain, pose in zip(rays, poses, strict=True)
    ]
    costs = np.full((QUARTERS, QUARTERS), CAP)
    height = (poses[0].height_m + poses[1].height_m) / 2
    for i, one in enumerate(views[0]):
        for j, other in enumerate(views[1]):
            seen = np.isfinite(one[:, 0]) & np.isfinite(other[:, 0])
            if seen.sum() * 2 < len(seen):
                continue
            costs[i, j] = min(CAP, _cost(one[seen], other[seen], poses, plane_m, own, height))
    return Evidence(first, second, costs)


def _cost(one: Array, other: Array, poses: tuple[Pose, Pose], plane_m: Array, own: Array, height_m: float) -> float:
    gaps = one - other
    shift = np.median(gaps, axis=0)
    shape = float(np.median(np.linalg.norm(gaps - shift, axis=1)))
    swing = stretch = 0.0
    for points, pose, angle in zip((one, other), poses, own[:, 0] ** 2 + own[:, 1] ** 2, strict=True):
        centre = np.median(points, axis=0)
        swing += angle * float(np.sum((centre - (pose.east_m, pose.north_m)) ** 2))
        stretch += angle * float(np.mean(np.sum((points - centre) ** 2, axis=1)))
    # Relief and lens make a pair disagree in shape by some hundredths of its height, however good its poses.
    relief = (0.03 * height_m) ** 2
    moved = float(shift @ shift) / (float(np.sum(plane_m**2)) + swing + relief)
    return moved + shape**2 / (stretch + relief)


def turns_of(count: int, evidence: Sequence[Evidence]) -> Turns:
    """The turns of `count` frames that cost least over all pairs, and of which it is sure.

    >>> costs = np.full((4, 4), 60.0)
    >>> costs[0, 2] = 1.0
    >>> sees = [Evidence(0, 1, costs), Evidence(2, 1, costs)]
    >>> turns_of(3, sees)
    Turns(quarters=(0, 2, 0), sure=(True, True, True))
    """
    around: list[list[tuple[int, Array]]] = [[] for _ in range(count)]
    for pair in evidence:
        around[pair.first].append((pair.second, pair.costs))
        around[pair.second].append((pair.first, pair.costs.T))
    best = np.zeros(count, dtype=int)
    sure = [True] * count
    for group in groups_of(count, [(pair.first, pair.second) for pair in evidence]):
        if len(group) == 1:
            continue
        starts = [_spread(group, around, {group[0]: k}) for k in range(QUARTERS)]
        labels, cost = min(starts, key=lambda start: start[1])
        for frame in group:
            best[frame] = labels[frame]
        for frame in group:
            if not labels[frame]:
                continue
            others = [_spread([frame, *(f for f in group if f != frame)], around, {frame: k}, fixed=frame)
                      for k in range(QUARTERS) if k != labels[frame]]  # fmt: skip
            sure[frame] = min(other[1] for other in others) - cost >= SURE
    return Turns(tuple(int(k) for k in best), tuple(sure))


def groups_of(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Frames that hang together through `pairs`, each group and the list of groups in order.

    >>> groups_of(4, [(0, 2)])
    [[0, 2], [1], [3]]
    """
    root = list(range(count))

    def top(frame: int) -> int:
        while root[frame] != frame:
            frame = root[frame]
        return frame

    for first, second in pairs:
        low, high = sorted((top(first), top(second)))
        root[high] = low
    found: dict[int, list[int]] = {}
    for frame in range(count):
        found.setdefault(top(frame), []).append(frame)
    return list(found.values())


def _spread(
    group: list[int], around: list[list[tuple[int, Array]]], labels: dict[int, int], fixed: int | None = None
) -> tuple[dict[int, int], float]:
    """Labels of a group from a first one: each next frame as its strongest neighbour wants it, then improved."""
    labels = dict(labels)
    while len(labels) < len(group):
        # The frame whose choice among turns is the clearest comes next.
        open_ = []
        for frame in group:
            near = [(other, costs) for other, costs in around[frame] if other in labels]
            if frame not in labels and near:
                row = _row(near, labels)
                order = np.sort(row)
                open_.append((float(order[1] - order[0]), -frame, int(row.argmin())))
        _, negative, label = max(open_)
        labels[-negative] = label
    for _ in range(20):
        changed = False
        for frame in group:
            if frame == fixed:
                continue
            label = int(_row(around[frame], labels).argmin())
            changed |= label != labels[frame]
            labels[frame] = label
        if not changed:
            break
    cost = sum(TURN_COSTS for frame in group if labels[frame])
    for frame in group:
        cost += sum(float(costs[labels[frame], labels[other]]) for other, costs in around[frame]) / 2
    return labels, cost


def _row(near: Sequence[tuple[int, Array]], labels: dict[int, int]) -> Array:
    row = np.array([0.0, TURN_COSTS, TURN_COSTS, TURN_COSTS])
    for other, costs in near:
        row += costs[:, labels[other]]
    return row
