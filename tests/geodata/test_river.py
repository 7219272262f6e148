"""Chainage and bank: the laws of a ruler laid along a bending line."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from shapely.geometry import LineString

from geodata.crs import distance_m, local_xy
from geodata.errors import GeoError
from geodata.place import Place
from geodata.river import River, words

FRAME = local_xy(112.18, 30.35)


def _river(points_m: list[tuple[float, float]]) -> River:
    return River.along(shapely.transform(LineString(points_m), FRAME.inverse, interleaved=False))


PLACE = Place.open("taihugang")
BUNDLED = PLACE.river
assert BUNDLED is not None
STRAIGHT = _river([(0, 0), (400, 0), (1000, 0)])


@st.composite
def gentle_rivers(draw: st.DrawFn) -> tuple[River, float]:
    """A river that turns at most a little at each vertex, and its sharpest turn in radians."""
    turns = draw(st.lists(st.floats(-0.06, 0.06), min_size=2, max_size=12))
    x_m = y_m = 0.0
    heading = draw(st.floats(0, 2 * math.pi))
    points = [(x_m, y_m)]
    for turn in turns:
        heading += turn
        x_m += 60 * math.cos(heading)
        y_m += 60 * math.sin(heading)
        points.append((x_m, y_m))
    return _river(points), max(abs(turn) for turn in turns[1:])


@given(gentle_rivers(), st.floats(0, 1), st.floats(0.01, 60), st.sampled_from(["left", "right"]))
def test_chainage_there_and_back(made: tuple[River, float], share: float, offset_m: float, bank: str) -> None:
    river, sharpest = made
    chainage_m = share * river.length_m
    at = river.chainage_of(*river.point_at(chainage_m, offset_m, bank))
    assert at.bank == bank
    assert abs(at.chainage_m - chainage_m) <= 2 * offset_m * math.tan(sharpest / 2) + 0.01
    assert at.offset_m <= offset_m + 0.01


@given(st.floats(0, 1), st.floats(0, 300), st.sampled_from(["left", "right"]))
def test_a_straight_reach_is_exact(share: float, offset_m: float, bank: str) -> None:
    chainage_m = share * STRAIGHT.length_m
    at = STRAIGHT.chainage_of(*STRAIGHT.point_at(chainage_m, offset_m, bank))
    assert at.chainage_m == pytest.approx(chainage_m, abs=0.01)
    assert at.offset_m == pytest.approx(offset_m, abs=0.01)
    assert offset_m < 0.01 or at.bank == bank


@given(st.floats(0, 2899), st.floats(0, 80), st.sampled_from(["left", "right"]))
def test_the_bundled_river_there_and_back(chainage_m: float, offset_m: float, bank: str) -> None:
    at = BUNDLED.chainage_of(*BUNDLED.point_at(chainage_m, offset_m, bank))
    assert abs(at.chainage_m - chainage_m) < 2.5
    assert abs(at.offset_m - offset_m) < 0.5
    assert offset_m < 0.1 or at.bank == bank


@given(st.floats(0, 2899), st.floats(0, 2899))
def test_upstream_is_an_order(a: float, b: float) -> None:
    at_a, at_b = BUNDLED.chainage_of(*BUNDLED.point_at(a)), BUNDLED.chainage_of(*BUNDLED.point_at(b))
    assert BUNDLED.upstream_of(a, b) == (a < b)
    if abs(a - b) > 0.1:
        assert BUNDLED.upstream_of(at_a, at_b) == (a < b)


def test_left_is_left_when_looking_downstream() -> None:
    assert STRAIGHT.chainage_of(*FRAME.inverse(500.0, 10.0)).bank == "left"
    assert STRAIGHT.chainage_of(*FRAME.inverse(500.0, -10.0)).bank == "right"
    back = _river([(1000, 0), (0, 0)])
    assert back.bank_of(*FRAME.inverse(500.0, 10.0)) == "right"


def test_length_is_the_ellipsoids() -> None:
    walked = [BUNDLED.point_at(min(step * 10.0, BUNDLED.length_m)) for step in range(291)]
    total_m = sum(distance_m(*a, *b) for a, b in pairwise(walked))
    assert BUNDLED.length_m == pytest.approx(total_m, abs=0.5)


def test_past_an_end_the_chainage_is_the_ends() -> None:
    assert STRAIGHT.chainage_of(*FRAME.inverse(-50.0, 5.0)).chainage_m == 0
    assert STRAIGHT.chainage_of(*FRAME.inverse(1200.0, 5.0)).chainage_m == STRAIGHT.length_m


def test_words_as_people_say_them() -> None:
    assert words(0.0, "right") == "K0+000 右岸"
    assert words(1240.0, "left") == "K1+240 左岸"
    assert words(999.7) == "K1+000"
    assert words(None) == ""


def test_holds_within_the_margin_and_no_farther() -> None:
    assert STRAIGHT.holds(*FRAME.inverse(500.0, 29.9), 30.0)
    assert not STRAIGHT.holds(*FRAME.inverse(500.0, 30.1), 30.0)
    lon, lat = BUNDLED.point_at(1240.0)
    assert BUNDLED.holds(lon, lat)
    assert not BUNDLED.holds(*BUNDLED.point_at(1240.0, 60.0, "left"))
    assert BUNDLED.holds(*BUNDLED.point_at(1240.0, 60.0, "left"), 50.0)


@pytest.mark.parametrize("chainage_m", [-1.0, 2905.0, math.nan, math.inf])
def test_a_chainage_off_the_river_is_refused(chainage_m: float) -> None:
    with pytest.raises(GeoError) as caught:
        BUNDLED.point_at(chainage_m)
    assert caught.value.code == "off-river"
    with pytest.raises(GeoError):
        BUNDLED.point_at(100.0, -1.0)


@pytest.mark.parametrize("bad", [(math.nan, 30.0), (112.0, math.inf), (200.0, 30.0)])
def test_a_position_that_is_none_is_refused(bad: tuple[float, float]) -> None:
    with pytest.raises(GeoError):
        BUNDLED.chainage_of(*bad)
    with pytest.raises(GeoError):
        BUNDLED.holds(*bad)


@given(st.floats(-180, 180), st.floats(-90, 90))
@example(-67.82, -30.35)
@example(-67.82, 30.35)
@example(112.18, 90.0)
def test_nothing_far_away_is_held(lon: float, lat: float) -> None:
    if BUNDLED.holds(lon, lat, 500.0):
        assert distance_m(lon, lat, 112.1785, 30.3545) < 3000
    at = PLACE.on_river(lon, lat)
    assert at is None or 0 <= at.chainage_m <= BUNDLED.length_m


def test_a_line_without_length_is_refused() -> None:
    with pytest.raises(GeoError):
        River.along(LineString([(112.0, 30.0), (112.0, 30.0)]))


def test_a_stretch_between_two_marks() -> None:
    part = River.along(BUNDLED.between(500.0, 800.0))
    assert part.length_m == pytest.approx(300.0, abs=0.01)
