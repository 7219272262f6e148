"""Objects by the streaming labeller against scipy's on the whole picture, for any cut into stripes and windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from geodata.bands import components
from geodata.bands.components import Component, Labeller
from geodata.errors import GeoError


def runs_of(kinds: NDArray[np.uint8], cuts: list[int]) -> NDArray[np.int32]:
    """Runs (row, from, to, kind) in reading order, cut at columns as windows cut them."""
    found = []
    for y, row in enumerate(kinds):
        x = 0
        while x < row.size:
            end = x + 1
            while end < row.size and row[end] == row[x] and end not in cuts:
                end += 1
            if row[x]:
                found.append((y, x, end, int(row[x])))
            x = end
    return np.array(found, np.int32).reshape(-1, 4)


def labelled(
    kinds: NDArray[np.uint8], steps: list[int], cuts: list[int], reach: list[int], least: list[int]
) -> list[Component]:
    runs = runs_of(kinds, cuts)
    labeller = Labeller(np.array(reach), np.array(least), 2)
    found, y, turn = [], 0, 0
    while y < kinds.shape[0]:
        upto = min(y + steps[turn % len(steps)], kinds.shape[0])
        mine = runs[(runs[:, 0] >= y) & (runs[:, 0] < upto)]
        lengths = (mine[:, 2] - mine[:, 1]).astype(np.int64)
        found += labeller.push(mine, np.column_stack((lengths, lengths * mine[:, 0])), upto)
        y, turn = upto, turn + 1
    return found + labeller.finish()


def as_sets(found: list[Component]) -> set[tuple[int, frozenset[tuple[int, int]]]]:
    return {(one.kind, frozenset((int(y), x) for y, x0, x1, _ in one.runs for x in range(x0, x1))) for one in found}


def by_scipy(
    kinds: NDArray[np.uint8], reach: list[int], least: list[int]
) -> set[tuple[int, frozenset[tuple[int, int]]]]:
    """Pixels within reach: label the dilated picture, where two pixels hang together by a chain of short gaps."""
    found = set()
    for kind in (1, 2):
        points = np.argwhere(kinds == kind)
        numbers = np.arange(len(points))
        near = np.abs(points[:, None] - points[None]).max(axis=2) <= reach[kind - 1]
        while True:
            fresh = np.where(near, numbers[None], len(points)).min(axis=1) if len(points) else numbers
            if np.array_equal(fresh, numbers):
                break
            numbers = fresh
        for number in np.unique(numbers):
            group = points[numbers == number]
            if len(group) >= least[kind - 1]:
                found.add((kind, frozenset(map(tuple, group.tolist()))))
    return found


pictures = st.builds(
    lambda seed, height, width, share: (
        np.random.default_rng(seed).choice([0, 1, 2], (height, width), p=[1 - share, share * 0.7, share * 0.3])
    ).astype(np.uint8),
    st.integers(0, 2**32),
    st.integers(1, 24),
    st.integers(1, 24),
    st.sampled_from([0.15, 0.4, 0.6, 0.9]),
)


@given(
    kinds=pictures,
    steps=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 23), max_size=3),
    reach=st.lists(st.integers(1, 4), min_size=2, max_size=2),
    least=st.lists(st.integers(1, 6), min_size=2, max_size=2),
    eager=st.booleans(),
)
@settings(max_examples=150)
def test_the_same_objects_for_any_cut(
    kinds: Any, steps: list[int], cuts: list[int], reach: list[int], least: list[int], eager: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if eager:  # sweep after every stripe, as a wide picture makes it
            patch.setattr(components, "LAZY_RUNS", 0)
        found = labelled(kinds, steps, cuts, reach, least)
    assert as_sets(found) == by_scipy(kinds, reach, least)
    for one in found:
        rows, columns = one.runs[:, 0], one.runs[:, 1:3]
        assert one.bounds == (rows.min(), rows.max() + 1, columns.min(), columns.max())
        assert one.sums[0] == one.pixels == (columns[:, 1] - columns[:, 0]).sum()
        assert one.sums[1] == ((columns[:, 1] - columns[:, 0]) * rows.astype(np.int64)).sum()
        assert (one.runs[1:, :2] > one.runs[:-1, :2]).any(axis=1).all() or len(one.runs) == 1


@given(kinds=pictures)
def test_eight_neighbours_are_scipys(kinds: Any) -> None:
    found = labelled(kinds, [5], [], [1, 1], [1, 1])
    assert len(found) == sum(ndimage.label(kinds == kind, np.ones((3, 3)))[1] for kind in (1, 2))


def test_memory_holds_what_is_open_not_what_went_by() -> None:
    rng = np.random.default_rng(4)
    labeller = Labeller(np.array([1, 1]), np.array([50, 50]), 2)
    held = 0
    for y in range(0, 20_000, 100):
        kinds = (rng.random((100, 200)) < 0.02).astype(np.uint8)
        runs = runs_of(kinds, [])
        runs[:, 0] += y
        labeller.push(runs, np.ones((len(runs), 2), np.int64), y + 100)
        held = max(held, len(labeller._runs))
    assert labeller.finish() == []
    assert held < 3 * components.LAZY_RUNS and labeller.dropped > 50_000


def test_noise_everywhere_is_refused_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "MAX_RUNS", 5000)
    labeller = Labeller(np.array([1]), np.array([1]), 1)
    rows = np.repeat(np.arange(100), 100)
    columns = np.tile(np.arange(100) * 2, 100)
    comb = np.column_stack((rows, columns, columns + 1, np.ones(10_000))).astype(np.int32)
    comb[:, 1] = np.where(rows % 2, columns, columns)  # upright teeth, all open to the last row
    with pytest.raises(GeoError) as told:
        labeller.push(comb, np.ones((10_000, 1), np.int64), 100)
    assert told.value.code == "too_speckled"
