"""Detections of many frames become things: the joins against brute force, laws, and a simulated flight."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geodata.associate import GATE_SIGMA, Things, associate
from geodata.errors import GeoError
from geodata.things import Seen, Thing, joint_score
from tests.faults import share

LON, LAT = 112.18, 30.35
# Metres per degree from the ellipsoid's radii of curvature, so that nothing under test places anything.
_W = math.sqrt(1 - 0.00669437999014 * math.sin(math.radians(LAT)) ** 2)
EAST_M = math.radians(1) * 6378137.0 / _W * math.cos(math.radians(LAT))
NORTH_M = math.radians(1) * 6378137.0 * (1 - 0.00669437999014) / _W**3


def seen(east_m: float, north_m: float, sigma_m: float = 0.2, kind: str = "solid_waste", score: float = 0.6) -> Seen:
    return Seen(kind, LON + east_m / EAST_M, LAT + north_m / NORTH_M, np.eye(2) * sigma_m**2, score)


def square(east_m: float, north_m: float, side_m: float, score: float = 0.6, kind: str = "aquatic_bloom") -> Seen:
    half = side_m / 2
    corners = [(-half, -half), (half, -half), (half, half), (-half, half), (-half, -half)]
    ring = [[LON + (east_m + x) / EAST_M, LAT + (north_m + y) / NORTH_M] for x, y in corners]
    found = seen(east_m, north_m, kind=kind, score=score)
    return replace(found, outline={"type": "Polygon", "coordinates": [ring]}, area_m2=side_m**2)


def metres(thing: Thing) -> tuple[float, float]:
    return (thing.lon - LON) * EAST_M, (thing.lat - LAT) * NORTH_M


# --- the simulated flight ---------------------------------------------------------------------------------------------


def flight(spacing_m: float, sigma_m: float, seed: int, points: int = 300, frames: int = 4) -> tuple[float, float, int]:
    """Pair-F1, count ratio, and true things of one simulated flight over a lattice of points.

    Every frame sees each point with probability 0.9. Six tenths of a detection's variance are its frame's
    shift, common to all the frame sees, as a pose's error makes it; the rest is its own.
    """
    random = np.random.default_rng(seed)
    side = math.ceil(math.sqrt(points))
    lattice = np.array(list(itertools.product(range(side), repeat=2)))[:points] * spacing_m
    truth = lattice + random.normal(0, spacing_m * 0.02, (points, 2))
    things = []
    labels: dict[str, np.ndarray] = {}
    for number in range(frames):
        shift = random.normal(0, sigma_m * math.sqrt(0.6), 2)
        caught = random.permutation(np.flatnonzero(random.random(points) < 0.9))
        places = truth[caught] + shift + random.normal(0, sigma_m * math.sqrt(0.4), (len(caught), 2))
        labels[f"f{number}"] = caught
        things.append((f"f{number}", [seen(x, y, sigma_m) for x, y in places], None))
    found, ids = associate(things)
    true_of = np.concatenate([labels[name] for name in ids])
    given_of = np.concatenate([np.array(ids[name]) for name in ids])
    # Pairs by counting: together in truth, together in the answer, together in both.
    both = np.unique(np.column_stack((true_of, given_of)), axis=0, return_counts=True)[1]
    pairs = [float(np.sum(n * (n - 1) / 2)) for n in (np.bincount(true_of), np.bincount(given_of), both)]
    real = len(np.unique(true_of))
    return 2 * pairs[2] / (pairs[0] + pairs[1]), len(found) / real, real


@pytest.mark.faults
def test_after_adjustment_things_five_metres_apart_stay_apart_and_whole():
    seeds = [int(n) for n in np.random.SeedSequence().generate_state(max(2, share(20)))]
    print()
    worst_f1, worst_count = 1.0, 0.0
    for sigma_m, spacing_m in itertools.product((0.2, 1.6), (2.0, 5.0, 10.0, 20.0)):
        runs = [flight(spacing_m, sigma_m, seed) for seed in seeds]
        f1, ratio = np.mean([run[0] for run in runs]), np.mean([run[1] for run in runs])
        least = min(run[0] for run in runs)
        print(
            f"sigma {sigma_m} m, {spacing_m:4.0f} m apart: pair-F1 {f1:.3f} (worst {least:.3f}), count ratio {ratio:.3f}"
        )
        if (sigma_m, spacing_m) == (0.2, 5.0):
            worst_f1, worst_count = least, max(abs(run[1] - 1) for run in runs)
    assert worst_f1 >= 0.98, seeds
    assert worst_count <= 0.03, seeds


# --- laws -------------------------------------------------------------------------------------------------------------

spots = st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=4)


@given(spots, spots)
@settings(max_examples=60)
def test_a_frame_joins_at_the_least_total_cost_any_assignment_has(before, now):
    things = Things()
    things.add([seen(*place, sigma_m=0.5) for place in before], "a")
    chosen = things.add([seen(*place, sigma_m=0.5) for place in now], "b")
    spread = 2 * (0.5**2 + 0.02**2)

    def cost(assignment: tuple[int | None, ...]) -> float:
        total = 0.0
        for place, goal in zip(now, assignment, strict=True):
            if goal is None:
                total += 2 * GATE_SIGMA**2
                continue
            distance = math.dist(place, before[goal]) ** 2 / spread
            total += distance if distance <= GATE_SIGMA**2 else math.inf
        return total

    ways = itertools.product([None, *range(len(before))], repeat=len(now))
    least = min(cost(way) for way in ways if len({g for g in way if g is not None}) == sum(g is not None for g in way))
    got = cost(tuple(number if number < len(before) else None for number in chosen))
    # The oracle's plane is not the code's: a distance on the very gate may fall on either side.
    assert got == pytest.approx(least, rel=1e-3) or math.isinf(got)


@given(st.lists(spots, min_size=1, max_size=4))
@settings(max_examples=40)
def test_two_detections_of_a_frame_are_never_one_thing_and_none_is_lost(frames):
    named = [(f"f{number}", [seen(*place) for place in places], None) for number, places in enumerate(frames)]
    things, ids = associate(named)
    for places, given_ids in zip(frames, ids.values(), strict=True):
        assert len(set(given_ids)) == len(places)
    assert sum(thing.n for thing in things) == sum(len(places) for places in frames)
    assert {number for each in ids.values() for number in each} == {thing.id for thing in things}
    assert all(len(set(thing.frames)) == thing.n == len(thing.scores) for thing in things)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 1))
def test_the_score_grows_with_every_sighting_and_keeps_its_bounds(scores, more):
    score = joint_score(scores)
    assert min(max(scores), 0.99) <= score + 1e-12 <= 0.99 + 1e-9
    assert joint_score([*scores, more]) >= score - 1e-12
    assert joint_score(scores[::-1]) == pytest.approx(score)
    assert score <= 1 - math.prod(1 - each for each in scores) + 1e-12  # less than independent sightings


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_gate_is_three_sigma_times_the_root_of_one_and_one_over_n(n):
    gate = GATE_SIGMA * math.hypot(1.0, 0.02) * math.sqrt(1 + 1 / n)
    for away, joined in ((gate * 0.999, True), (gate * 1.001, False)):
        things = Things()
        for number in range(n):
            things.add([seen(0, 0, 1.0)], f"f{number}")
        assert (things.add([seen(away, 0, 1.0)], "last") == (0,)) is joined


def test_the_place_is_the_weighted_mean_and_its_error_shrinks():
    things = Things()
    sharp = replace(seen(0, 0), cov_en_m2=np.diag([1.0, 0.01]))
    things.add([sharp], "a")
    things.add([replace(seen(1.0, 0.3), cov_en_m2=np.diag([0.25, 0.09]))], "b")
    (thing,) = things.all()
    east, north = metres(thing)
    assert east == pytest.approx(1.0 * (1 / 0.2504) / (1 / 0.2504 + 1 / 1.0004), abs=1e-3)
    assert north == pytest.approx(0.3 * (1 / 0.0904) / (1 / 0.0904 + 1 / 0.0104), abs=1e-3)
    assert thing.cov_en_m2[0, 0] == pytest.approx(1 / (1 / 0.2504 + 1 / 1.0004), rel=1e-6)


def test_kinds_that_cannot_be_confused_stay_apart_and_others_take_the_stronger_name():
    apart = Things()
    apart.add([seen(0, 0, kind="sewage")], "a")
    assert apart.add([seen(0, 0, kind="solid_waste")], "b") == (1,)
    alike = Things()
    alike.add([seen(0, 0, kind="floating_debris", score=0.5)], "a")
    assert alike.add([seen(0, 0, kind="aquatic_bloom", score=0.8)], "b") == (0,)
    assert alike.all()[0].kind == "aquatic_bloom"
    strict = Things(compatible=())
    strict.add([seen(0, 0, kind="floating_debris")], "a")
    assert strict.add([seen(0, 0, kind="aquatic_bloom")], "b") == (1,)


def test_outlines_that_overlap_are_one_thing_though_their_middles_lie_apart():
    things = Things()
    things.add([square(0, 0, 20.0)], "a")
    assert things.add([square(10, 0, 20.0, score=0.9), square(0, 40, 20.0)], "b") == (0, 1)
    assert things.add([seen(9, 0, kind="aquatic_bloom")], "c") == (2,)  # a point far off the middle is not an outline
    patch = things.all()[0]
    assert patch.outline == square(10, 0, 20.0).outline and patch.area_m2 == 400.0
    barely = Things()
    barely.add([square(0, 0, 20.0)], "a")
    assert barely.add([square(17, 0, 20.0)], "b") == (1,)  # 15 % of the surface


def test_a_thing_split_by_an_outlier_is_made_whole_again_unless_a_frame_shows_both():
    things = Things()
    things.add([seen(0, 0)], "a")
    assert things.add([seen(0.95, 0)], "b") == (1,)  # 3.4 sigma of the difference
    assert things.settle() == {1: 0}
    assert [(thing.id, thing.n) for thing in things.all()] == [(0, 2)]
    two = Things()
    assert two.add([seen(0, 0), seen(0.95, 0)], "a") == (0, 1)
    assert two.settle() == {}


def test_work_can_be_taken_up_again_from_the_things_kept():
    at = [datetime(2026, 6, 1, hour, tzinfo=UTC) for hour in (8, 9, 10)]
    frames = [(f"f{n}", [seen(5.0 * k + 0.05 * n, 0, score=0.5 + 0.1 * n) for k in range(4)], at[n]) for n in range(3)]
    whole = Things()
    for name, detections, moment in frames:
        whole.add(detections, name, moment)
    half = Things()
    for name, detections, moment in frames[:2]:
        half.add(detections, name, moment)
    later = Things(known=half.all())
    assert later.add(frames[2][1], frames[2][0], frames[2][2]) == (0, 1, 2, 3)
    for one, other in zip(whole.all(), later.all(), strict=True):
        assert (one.id, one.kind, one.frames, one.scores) == (other.id, other.kind, other.frames, other.scores)
        assert (one.first, one.last) == (other.first, other.last) == (at[0], at[2])
        # The floor under a covariance is laid once more when a thing comes back.
        assert math.dist(metres(one), metres(other)) < 0.005
    with pytest.raises(GeoError, match="已经并入过") as refusal:
        later.add([], "f1")
    assert refusal.value.code == "frame_twice"


def test_a_thing_is_firm_when_seen_twice_or_strongly():
    things = Things()
    things.add([seen(0, 0, score=0.5), seen(50, 0, score=0.95), seen(100, 0, score=0.5)], "a")
    things.add([seen(0, 0, score=0.5)], "b")
    assert [thing.firm for thing in things.all()] == [True, True, False]


BAD = {
    "covariance": (replace(seen(0, 0), cov_en_m2=np.array([[1.0, 2.0], [2.0, 1.0]])), "bad_detection"),
    "nan": (replace(seen(0, 0), cov_en_m2=np.full((2, 2), np.nan)), "bad_detection"),
    "shape": (replace(seen(0, 0), cov_en_m2=np.eye(3)), "bad_detection"),
    "score": (seen(0, 0, score=1.2), "bad_detection"),
    "position": (replace(seen(0, 0), lat=95.0), "bad-position"),
    "outline": (replace(seen(0, 0), outline={"type": "Point", "coordinates": [LON, LAT]}), "bad-outline"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_detection_is_refused_and_changes_nothing(name):
    wrong, code = BAD[name]
    things = Things()
    things.add([seen(0, 0)], "a")
    with pytest.raises(GeoError) as refusal:
        things.add([seen(0, 0), wrong], "b")
    assert refusal.value.code == code and "。" in refusal.value.sentence
    assert [thing.n for thing in things.all()] == [1]
    assert things.add([seen(0, 0)], "b") == (0,)


def test_nothing_is_nothing():
    assert associate([]) == ((), {})
    assert associate([("a", [], None)]) == ((), {"a": ()})
