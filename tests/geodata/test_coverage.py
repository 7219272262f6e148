"""Coverage against a plain count of points that shares no code with it, and the rule that a gap is never rounded away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import Polygon

from geodata.coverage import EXCLUDED, AreaCoverage, Footprint, Unflyable, coverage, percent_words
from geodata.errors import GeoError
from geodata.place import Place
from geodata.sheet import once_and_twice

LON, LAT = 112.18, 30.35
# Another projection than the one under test: azimuthal equidistant.
PLANE = Transformer.from_pipeline(f"+proj=aeqd +lon_0={LON} +lat_0={LAT} +ellps=WGS84")


@dataclass(frozen=True)
class Area:
    code: str
    name: str
    polygon: Any


def _degrees(xy: Any) -> Polygon:
    """A polygon of metres east and north of the middle, as degrees."""
    xy = np.asarray(xy, float)
    lon, lat = PLANE.transform(xy[:, 0], xy[:, 1], direction="INVERSE")
    return Polygon(np.column_stack((lon, lat)))


def _box(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return _degrees([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _quad(rng: np.random.Generator) -> np.ndarray:
    """A photograph's four corners: a turned, slightly keystoned rectangle, counter-clockwise, convex."""
    wide, high, turn = rng.uniform(30, 120), rng.uniform(20, 90), rng.uniform(0, 2 * np.pi)
    corners = np.array([(-wide, -high), (wide, -high), (wide, high), (-wide, high)]) / 2
    corners *= 1 + rng.uniform(-0.08, 0.08, (4, 1))
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return corners @ spin + rng.uniform(-120, 120, 2)


def _star(rng: np.random.Generator) -> np.ndarray:
    """An area's outline with bays in it."""
    turns = np.sort(rng.uniform(0, 2 * np.pi, 14)) + np.linspace(0, 1e-3, 14)
    return (rng.uniform(50, 150, 14) * np.array([np.cos(turns), np.sin(turns)])).T


def _within(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Even-odd rule by counting crossings."""
    inside = np.zeros(len(points), bool)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if y0 != y1:
            crossed = ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
            inside ^= crossed
    return inside


def _deep_within(points: np.ndarray, quad: np.ndarray, by_m: float) -> np.ndarray:
    """At least `by_m` inside of every side of a convex counter-clockwise quadrangle."""
    deep = np.ones(len(points), bool)
    for a, b in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        side = (b - a) / np.hypot(*(b - a))
        deep &= side[0] * (points[:, 1] - a[1]) - side[1] * (points[:, 0] - a[0]) >= by_m
    return deep


def _counted(
    ring: np.ndarray, quads: list[np.ndarray], errors_m: np.ndarray, rng: np.random.Generator, cells: int
) -> tuple[float, float]:
    """Shares seen once and twice by counting points, one thrown into every cell of a fine grid."""
    low, high = ring.min(axis=0), ring.max(axis=0)
    grid = np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), axis=-1).reshape(-1, 2)
    points = low + (grid + rng.uniform(0, 1, grid.shape)) * ((high - low) / cells)
    points = points[_within(points, ring)]
    times = np.zeros(len(points), int)
    for quad, error in zip(quads, errors_m, strict=True):
        times += _deep_within(points, quad, error)
    return float((times >= 1).mean()), float((times >= 2).mean())


WORST: list[float] = []


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), many=st.integers(1, 14))
def test_shares_equal_a_count_of_points(seed: int, many: int) -> None:
    rng = np.random.default_rng(seed)
    ring = _star(rng)
    quads = [_quad(rng) for _ in range(many)]
    errors_m = rng.uniform(0, 9, many)
    photos = [
        Footprint(f"{at}.jpg", _degrees(quad), float(error))
        for at, (quad, error) in enumerate(zip(quads, errors_m, strict=True))
    ]
    found = coverage([Area("K", "区", _degrees(ring))], photos)[0]
    once, twice = _counted(ring, quads, errors_m, rng, 700)
    WORST.append(max(abs((found.seen_share or 0) - once), abs((found.seen_twice_share or 0) - twice)))
    assert WORST[-1] <= 0.001
    assert found.gap_m2 == pytest.approx(found.flyable_m2 - found.seen_m2, abs=1e-6)
    assert sum(gap.area_m2 for gap in found.gaps) <= found.gap_m2 + 0.1  # drawn to the millimetre


def test_the_worst_difference_is_told() -> None:
    if not WORST:
        test_shares_equal_a_count_of_points()
    print(f"\ncoverage against a count of points, {len(WORST)} scenes: worst difference {max(WORST):.5%} of the area")
    assert len(WORST) >= 20 and max(WORST) <= 0.001


@settings(max_examples=60, deadline=None)
@given(side_m=st.floats(0.05, 4.0), x=st.floats(-80, 80), y=st.floats(-40, 40))
def test_a_gap_of_a_square_metre_is_never_complete(side_m: float, x: float, y: float) -> None:
    """Four photographs leave a square hole; whether it may be called complete follows from its size alone."""
    area = Area("K", "取水口", _box(-100, -50, 100, 50))
    x1, y1 = x + side_m, y + side_m
    around = [_box(-110, -60, x, 60), _box(x1, -60, 110, 60), _box(x, -60, x1, y), _box(x, y1, x1, 60)]
    found = coverage([area], [Footprint(f"{at}", shape, 0.0) for at, shape in enumerate(around)])[0]
    hole_m2 = side_m**2
    assert found.gap_m2 == pytest.approx(hole_m2, rel=1e-3, abs=1e-3)
    if hole_m2 > 1.002:
        assert not found.complete
        assert found.percent != "100 %" and "缺口 1 处" in found.sentence
        assert found.gaps[0].area_m2 == pytest.approx(hole_m2, rel=1e-3)
        assert found.gaps[0].polygon.within(area.polygon)
    if hole_m2 < 0.998:
        assert found.complete and found.percent == "100 %"


def test_many_small_gaps_are_not_complete_either() -> None:
    strips = [Footprint(f"{at}", _box(at * 10 + 0.01, -60, (at + 1) * 10 - 0.01, 60), 0.0) for at in range(-11, 11)]
    found = coverage([Area("K", "区", _box(-100, -50, 100, 50))], strips)[0]
    assert len(found.gaps) == 21 and all(gap.area_m2 > 0.9 for gap in found.gaps) and not found.complete
    crumbs = [Footprint("all", _box(-110, -60, 110, 60), 0.0)]
    holes = [_box(x, y, x + 0.6, y + 0.6) for x in (-50, 0, 50) for y in (-20, 20)]
    pierced = Footprint("pierced", crumbs[0].polygon.difference(shapely.union_all(holes)), 0.0)
    found = coverage([Area("K", "区", _box(-100, -50, 100, 50))], [pierced])[0]
    assert max(gap.area_m2 for gap in found.gaps) < 0.4 and found.gap_m2 > 2
    assert not found.complete and found.percent == "99.9 %"


def test_a_small_area_is_not_complete_with_a_share_of_it_unseen() -> None:
    found = coverage([Area("K", "排口", _box(0, 0, 3, 3))], [Footprint("a", _box(0, -1, 4, 2.8), 0.0)])[0]
    assert 0.5 < found.gap_m2 < 0.7 and not found.complete


@given(share=st.floats(0, 1))
def test_percent_is_cut_and_never_rounded_up(share: float) -> None:
    shown = float(percent_words(share).split()[0])
    assert shown <= min(share * 100 + 1e-6, 99.9)
    assert shown > share * 100 - 0.1001 or shown == 99.9


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_more_photographs_never_show_less_and_more_error_never_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    area = [Area("K", "区", _degrees(_star(rng)))]
    quads = [_degrees(_quad(rng)) for _ in range(6)]
    few = coverage(area, [Footprint("", quad, 2.0) for quad in quads[:5]])[0]
    more = coverage(area, [Footprint("", quad, 2.0) for quad in quads])[0]
    vague = coverage(area, [Footprint("", quad, 4.0) for quad in quads])[0]
    assert more.seen_m2 >= few.seen_m2 - 1e-6 and more.seen_twice_m2 >= few.seen_twice_m2 - 1e-6
    assert vague.seen_m2 <= more.seen_m2 + 1e-6
    assert more.seen_twice_m2 <= more.seen_m2 + 1e-6


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), many=st.integers(0, 40))
def test_the_order_of_photographs_does_not_matter(seed: int, many: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = np.array([Polygon(_quad(rng)) for _ in range(many)], dtype=object)
    once, twice = once_and_twice(shapes)
    again, twice_again = once_and_twice(shapes[rng.permutation(many)])
    assert once.area == pytest.approx(shapely.union_all(shapes).area, rel=1e-9, abs=1e-9)
    assert again.area == pytest.approx(once.area, rel=1e-9, abs=1e-9)
    assert twice_again.area == pytest.approx(twice.area, rel=1e-9, abs=1e-9)


def _covered(*photos: Footprint, unflyable: tuple[Unflyable, ...] = ()) -> AreaCoverage:
    return coverage([Area("K1", "取水口", _box(-100, -50, 100, 50))], photos, unflyable)[0]


def test_photographs_that_do_not_count_are_told_by_reason() -> None:
    whole = _box(-110, -60, 110, 60)
    told = [Footprint(reason, whole, 1.0, reason) for reason in ("blurred", "blurred", "edited", "horizon", "pose")]
    bow_tie = _degrees([(-10, -10), (10, 10), (10, -10), (-10, 10)])
    found = _covered(
        *told,
        Footprint("none", None, 1.0),
        Footprint("no error", whole, None),
        Footprint("bad error", whole, float("nan")),
        Footprint("vague", _box(0, 0, 20, 20), 30.0),
        Footprint("line", shapely.LineString([(LON, LAT), (LON, LAT + 0.001)]), 1.0),
        Footprint("flat", _degrees([(0, 0), (10, 0), (20, 0)]), 1.0),
        Footprint("off the globe", shapely.box(500, 95, 501, 96), 1.0),
        Footprint("good", _box(-110, -60, 0, 60), 0.0),
        Footprint("crossed", bow_tie, 0.0),
    )
    expected = {
        "blurred": 2, "edited": 1, "horizon": 1, "pose": 2, "no_error": 2, "too_uncertain": 1, "bad_shape": 3,
    }  # fmt: skip
    assert dict(found.left_out) == expected and set(found.left_out) <= set(EXCLUDED)
    # The right wing of the bow-tie is the only thing seen right of the middle, and the crossing adds nothing.
    assert found.seen_share == pytest.approx(0.5 + 100 / 20000, abs=1e-4)
    with pytest.raises(ValueError, match="EXCLUDED"):
        _covered(Footprint("x", whole, 1.0, "ugly"))


def test_what_cannot_be_flown_is_shown_apart() -> None:
    half = Footprint("west", _box(-110, -60, 0, 60), 0.0)
    wire = Unflyable(_box(0, -60, 50, 60), "高压线")
    bridge = Unflyable(_box(40, -60, 70, 60), "桥下")
    found = _covered(half, unflyable=(wire, bridge))
    assert found.area_m2 == pytest.approx(20000, rel=1e-4)
    assert [(part.reason, round(part.area_m2)) for part in found.barred] == [("高压线", 5000), ("桥下", 2000)]
    assert found.flyable_m2 == pytest.approx(13000, rel=1e-4)
    assert found.seen_share == pytest.approx(10 / 13, abs=1e-4)
    assert found.gap_m2 == pytest.approx(3000, rel=1e-3) and len(found.gaps) == 1
    assert "无法飞行（桥下、高压线）" in found.sentence
    nowhere = _covered(half, unflyable=(Unflyable(_box(-200, -200, 200, 200), "禁飞区"),))
    assert nowhere.seen_share is None and not nowhere.complete and nowhere.percent == "—"
    assert "全部无法飞行（禁飞区）" in nowhere.sentence


def test_a_photograph_seen_twice_is_not_twice_an_area() -> None:
    found = _covered(Footprint("a", _box(-110, -60, 20, 60), 0.0), Footprint("b", _box(-20, -60, 110, 60), 0.0))
    assert found.complete and found.sentence == "取水口：已拍到 100 %，没有缺口。"
    assert found.seen_twice_share == pytest.approx(0.2, abs=1e-4) and found.frames == 2


def test_without_any_photograph_the_whole_area_is_one_gap() -> None:
    found = _covered()
    assert found.seen_share == 0 and found.percent == "0.0 %" and found.frames == 0
    assert len(found.gaps) == 1 and found.gaps[0].area_m2 == pytest.approx(20000, rel=1e-4)


def test_areas_that_are_none_are_refused_by_name() -> None:
    endless = Polygon([(0, 0), (np.inf, 1), (1, 1)])
    for polygon in (None, Polygon(), _degrees([(0, 0), (5, 0), (9, 0)]), endless):
        with pytest.raises(GeoError) as caught:
            coverage([Area("K9", "区", polygon)], [])
        assert caught.value.code == "bad-area" and "K9" in caught.value.sentence
    with pytest.raises(GeoError) as caught:
        coverage([], [])
    assert caught.value.code == "no-area"
    far = [Area("A", "甲", shapely.box(112, 30, 112.01, 30.01)), Area("B", "乙", shapely.box(116, 30, 116.01, 30.01))]
    with pytest.raises(GeoError) as caught:
        coverage(far, [])
    assert caught.value.code == "too-wide"


def test_a_bow_tie_area_is_repaired_to_its_two_halves() -> None:
    area = Area("K", "区", _degrees([(-50, -50), (50, 50), (50, -50), (-50, 50)]))
    found = coverage([area], [Footprint("east", _box(0, -60, 60, 60), 0.0)])[0]
    assert found.area_m2 == pytest.approx(5000, rel=1e-3) and found.seen_share == pytest.approx(0.5, abs=1e-3)


def test_the_bundled_place_is_covered_by_photographs_along_its_areas() -> None:
    place = Place.open("taihugang")
    photos = [Footprint(area.code, area.polygon.buffer(0.0005), 5.0) for area in place.key_areas]
    assert all(found.complete for found in coverage(place.key_areas, photos))
    assert not any(found.complete for found in coverage(place.key_areas, photos[:1])[1:] if found.frames == 0)
