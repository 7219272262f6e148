"""Runs joined into objects row by row: a union-find over runs that forgets every object once it is closed.

Memory grows with the width of the picture and with the objects still open, not with the height. All sums are whole
numbers, so that windows of any size give the very same objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geodata.bands.classify import CLASS, FROM, ROW, TO
from geodata.bands.compiled import compiled
from geodata.errors import GeoError

MAX_RUNS = 3_000_000
LAZY_RUNS = 4096
"""So many runs are kept before anybody looks which of their objects are closed."""


@dataclass(frozen=True)
class Component:
    """One object: its runs (n, 4) in reading order (see `classify.ROW`), pixels, bounds, sums over its pixels.

    `kind`: rule row counted from 1. `bounds`: rows from, to, columns from, to. `sums`: see `classify.SCORE`.
    """

    kind: int
    pixels: int
    bounds: tuple[int, int, int, int]
    sums: NDArray[np.int64]
    runs: NDArray[np.int32]


class Labeller:
    """Takes runs in reading order, gives objects when they are closed.

    `reach_px` (classes,): how many pixels apart two runs of one class may lie and still be one object, in rows and
    columns; 1 is eight-connectivity. `least_px` (classes,): smaller objects are dropped.

    >>> labeller = Labeller(np.array([1]), np.array([1]), 2)
    >>> runs = np.array([[0, 0, 2, 1], [1, 2, 3, 1], [1, 5, 6, 1]], np.int32)
    >>> found = labeller.push(runs, np.ones((3, 2), np.int64), 2) + labeller.finish()
    >>> [(one.pixels, one.bounds) for one in found]
    [(3, (0, 2, 0, 3)), (1, (1, 2, 5, 6))]
    """

    def __init__(self, reach_px: NDArray[Any], least_px: NDArray[Any], columns: int) -> None:
        self._reach = np.concatenate(([1], reach_px)).astype(np.int32)
        self._least = np.concatenate(([0], least_px)).astype(np.int64)
        self._runs = np.zeros((0, 4), np.int32)
        self._sums = np.zeros((0, columns), np.int64)
        self._parent = np.zeros(0, np.int32)
        self._swept = 0
        self.dropped = 0

    def push(self, runs: NDArray[np.int32], sums: NDArray[np.int64], upto_row: int) -> list[Component]:
        """Adds the runs of the rows before `upto_row`, sorted by row and column; gives the objects now closed."""
        old = len(self._runs)
        if len(runs):
            self._runs = np.concatenate((self._runs, runs))
            self._sums = np.concatenate((self._sums, sums))
            fresh = np.arange(old, old + len(runs), dtype=np.int32)
            self._parent = np.concatenate((self._parent, fresh))
            join_runs(self._runs, self._parent, self._reach, old)
        # Going over everything open again and again would be quadratic: only when there is twice as much.
        if len(self._runs) < max(LAZY_RUNS, 2 * self._swept):
            return []
        found = self._sweep(upto_row)
        self._swept = len(self._runs)
        if self._swept > MAX_RUNS:
            raise GeoError(
                "too_speckled", "影像几乎处处都像问题（噪声太大，或规则太松），没有继续；请检查影像和规则。", "pixels"
            )
        return found

    def finish(self) -> list[Component]:
        """The objects still open."""
        return self._sweep(None)

    def _sweep(self, upto_row: int | None) -> list[Component]:
        count = len(self._runs)
        if not count:
            return []
        roots = roots_of(self._parent)
        numbers, last, pixels = tally(self._runs, roots)
        heads = np.flatnonzero(roots == np.arange(count))
        kinds = self._runs[heads, CLASS]
        closed = np.ones(len(heads), np.bool_) if upto_row is None else last + self._reach[kinds] < upto_row
        large = pixels >= self._least[kinds]
        self.dropped += int((closed & ~large).sum())
        found = self._taken(np.flatnonzero(closed & large), numbers)
        keep = ~closed[numbers]
        place = np.cumsum(keep, dtype=np.int32) - 1
        self._parent = place[roots[keep]].astype(np.int32)
        self._runs, self._sums = self._runs[keep], self._sums[keep]
        return found

    def _taken(self, objects: NDArray[Any], numbers: NDArray[np.int32]) -> list[Component]:
        if not objects.size:
            return []
        rank = np.full(int(numbers.max()) + 1, -1, np.int64)
        rank[objects] = np.arange(objects.size)
        mine = np.flatnonzero(rank[numbers] >= 0)
        mine = mine[np.argsort(rank[numbers[mine]], kind="stable")]
        starts = np.searchsorted(rank[numbers[mine]], np.arange(objects.size + 1))
        runs, first = merge_touching(self._runs[mine], rank[numbers[mine]])
        sums = self._sums[mine]
        totals = np.add.reduceat(sums, starts[:-1], axis=0)
        bounds = np.searchsorted(first, starts)
        found = []
        for k in range(objects.size):
            own = runs[bounds[k] : bounds[k + 1]]
            box = (int(own[0, ROW]), int(own[-1, ROW]) + 1, int(own[:, FROM].min()), int(own[:, TO].max()))
            pixels = int((own[:, TO] - own[:, FROM]).sum())
            found.append(Component(int(own[0, CLASS]), pixels, box, totals[k], own))
        return found


def merge_touching(runs: NDArray[np.int32], owner: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Runs of one object that touch in their row (cut by a window's border) as one; and where each began."""
    opens = np.ones(len(runs), np.bool_)
    opens[1:] = (owner[1:] != owner[:-1]) | (runs[1:, ROW] != runs[:-1, ROW]) | (runs[1:, FROM] != runs[:-1, TO])
    first = np.flatnonzero(opens)
    joined = runs[first].copy()
    joined[:, TO] = runs[np.append(first[1:], len(runs)) - 1, TO]
    return joined, first


@compiled
def _root(parent: Any, run: int) -> int:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@compiled
def _join(parent: Any, a: int, b: int) -> None:
    a, b = _root(parent, a), _root(parent, b)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@compiled
def join_runs(runs: Any, parent: Any, reach: Any, fresh: int) -> None:
    """Joins the runs from `fresh` on with each other and with those before, within each class's reach."""
    widest = 1
    for k in range(reach.size):
        widest = max(widest, reach[k])
    count = runs.shape[0]
    # The first run that may still lie within reach of the row in hand, for each row above it.
    low = fresh
    while low > 0 and runs[low - 1, 0] >= runs[fresh, 0] - widest:
        low -= 1
    begin = fresh
    while begin < count:
        row = runs[begin, 0]
        end = begin
        while end < count and runs[end, 0] == row:
            end += 1
        while low < begin and runs[low, 0] < row - widest:
            low += 1
        for i in range(begin + 1, end):
            k = i - 1
            while k >= begin and runs[k, 2] + widest > runs[i, 1]:
                if runs[k, 3] == runs[i, 3] and runs[k, 2] + reach[runs[i, 3]] > runs[i, 1]:
                    _join(parent, k, i)
                k -= 1
        at = low
        while at < begin:
            other = runs[at, 0]
            stop = at
            while stop < begin and runs[stop, 0] == other:
                stop += 1
            first = at
            for i in range(begin, end):
                kind = runs[i, 3]
                while first < stop and runs[first, 2] + widest <= runs[i, 1]:
                    first += 1
                k = first
                while k < stop and runs[k, 1] < runs[i, 2] + widest:
                    near = runs[k, 2] + reach[kind] > runs[i, 1] and runs[k, 1] < runs[i, 2] + reach[kind]
                    if runs[k, 3] == kind and near and row - other <= reach[kind]:
                        _join(parent, k, i)
                    k += 1
            at = stop
        begin = end


@compiled
def roots_of(parent: Any) -> Any:
    """The first run of each run's object."""
    out = np.empty(parent.size, np.int32)
    for i in range(parent.size):
        out[i] = _root(parent, i)
    return out


@compiled
def tally(runs: Any, roots: Any) -> Any:
    """Number of each run's object in order of first runs; and each object's last row and pixels."""
    numbers = np.empty(roots.size, np.int32)
    count = 0
    for i in range(roots.size):
        if roots[i] == i:
            numbers[i] = count
            count += 1
        else:
            numbers[i] = numbers[roots[i]]
    last = np.zeros(count, np.int64)
    pixels = np.zeros(count, np.int64)
    for i in range(roots.size):
        last[numbers[i]] = max(last[numbers[i]], runs[i, 0])
        pixels[numbers[i]] += runs[i, 2] - runs[i, 1]
    return numbers, last, pixels
