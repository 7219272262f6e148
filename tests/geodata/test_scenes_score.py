"""The scoring by hand-made cases whose answer can be counted on fingers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from geodata.scenes.score import IOU_AT_LEAST, Tally, overlap, pairs, score


@dataclass(frozen=True)
class Seen:
    kind: str
    outline: Any


def at(x: float, size: float = 10.0, kind: str = "debris") -> Seen:
    return Seen(kind, box(x, 0, x + size, size))


def test_a_pair_counts_from_the_stated_overlap_on() -> None:
    # Two squares of side 10 moved by d overlap by (10 - d) / (10 + d): 0.3 at d = 5.3846.
    assert pairs([at(0)], [at(5.38)]) != []
    assert pairs([at(0)], [at(5.39)]) == []
    assert IOU_AT_LEAST == 0.3


def test_each_object_is_matched_once_best_overlap_first() -> None:
    truths = [at(0), at(4)]
    found = [at(3), at(0.5)]
    assert [(i, j) for i, j, _ in pairs(truths, found)] == [(0, 1), (1, 0)]
    split = [Seen("debris", box(0, 0, 6, 10)), Seen("debris", box(6, 0, 10, 10))]
    told = score([at(0)], split, 2.0, ("debris",))["debris"]
    assert (told.matched, told.found, told.precision, told.false_per_ha) == (1, 2, 0.5, 0.5)


def test_the_right_place_with_the_wrong_kind_is_missed_and_false() -> None:
    told = score([at(0)], [at(0, kind="bloom")], 1.0, ("debris", "bloom"))
    assert told["debris"] == Tally(1, 0, 0, 0.0, 1.0) and told["debris"].f1 == 0.0
    assert told["bloom"] == Tally(0, 1, 0, 0.0, 1.0) and told["bloom"].false_per_ha == 1.0


def test_nothing_there_and_nothing_found_is_no_figure() -> None:
    empty = score([], [], 1.0, ("debris",))["debris"]
    assert math.isnan(empty.f1) and math.isnan(empty.precision) and empty.false_per_ha == 0.0
    missed = score([at(0)], [], 1.0, ("debris",))["debris"]
    assert missed.f1 == 0.0 and missed.recall == 0.0 and math.isnan(missed.mean_iou)


def test_counts_add_up_over_scenes() -> None:
    first = score([at(0), at(50)], [at(0)], 0.5, ("debris",))["debris"]
    second = score([at(0)], [at(0), at(90)], 0.5, ("debris",))["debris"]
    both = first + second
    assert (both.truths, both.found, both.matched, both.hectares) == (3, 3, 2, 1.0)
    assert both.f1 == 2 * 2 / 6 and both.mean_iou == 1.0


squares = st.lists(
    st.tuples(st.floats(0, 60), st.floats(2, 12), st.sampled_from(["debris", "bloom"])).map(lambda v: at(*v)),
    max_size=8,
)


@given(squares, squares)
def test_a_matching_is_one_to_one_of_a_kind_and_blind_to_roles(truths: list[Seen], found: list[Seen]) -> None:
    matched = pairs(truths, found)
    assert len({i for i, _, _ in matched}) == len({j for _, j, _ in matched}) == len(matched)
    for i, j, share in matched:
        assert truths[i].kind == found[j].kind
        assert share >= IOU_AT_LEAST and share == overlap(found[j].outline, truths[i].outline)
    told = score(truths, truths, 1.0, ("debris", "bloom"))
    assert all(tally.matched == tally.truths for tally in told.values())
