"""Candidate sources of a clue: a law book of probabilities, and how often the truth stands where they say."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString

from geodata.errors import GeoError
from geodata.place import Place
from geodata.river import River
from geodata.sources import DRIFT_HEAD_M, DRIFT_POINT_M, REGISTER_ERROR_M, Clue, _density, trace


@dataclass(frozen=True)
class Mouth:
    code: str
    name: str
    lon: float
    lat: float


LON = 112.18 + np.linspace(0.0, 0.03, 200)
WINDING = River.along(LineString(np.column_stack((LON, 30.35 + 0.0006 * np.sin(np.linspace(0, 12, 200))))))
STRAIGHT = River.along(LineString([(112.18, 30.35), (112.21, 30.35)]))


def mouth(code: str, chainage_m: float, bank: str = "left", river: River = STRAIGHT) -> Mouth:
    return Mouth(code, f"{code}号排口", *river.point_at(chainage_m, 20.0, bank))


def head(chainage_m: float, error_m: float = 3.0, bank: str | None = "left", river: River = STRAIGHT) -> Clue:
    return Clue(*river.point_at(chainage_m, 19.0, bank or "left"), error_m, bank, is_head=True)


@given(
    st.lists(st.tuples(st.floats(10, 2800), st.sampled_from(["left", "right"]), st.floats(0, 20)), max_size=12),
    st.floats(20, 2800),
    st.floats(0.1, 40),
    st.sampled_from(["left", "right", None]),
    st.booleans(),
    st.floats(0, 1),
)
def test_probabilities_are_a_distribution_and_only_banks_in_question_are_searched(
    mouths, at_m, error_m, bank, is_head, share
):
    register = [mouth(f"P{index}", chainage_m, side) for index, (chainage_m, side, _) in enumerate(mouths)]
    weights = {f"P{index}": weight for index, (_, _, weight) in enumerate(mouths)}
    clue = Clue(*STRAIGHT.point_at(at_m, 5.0, bank or "left"), error_m, bank, is_head)
    found = trace(clue, STRAIGHT, register, weights=weights, unregistered=share)
    assert sum(one.probability for one in found) == pytest.approx(1.0, abs=1e-9)
    assert all(0.0 <= one.probability <= 1.0 for one in found)
    assert [one.probability for one in found] == sorted((one.probability for one in found), reverse=True)
    assert [one.kind for one in found].count("unregistered") == 1
    if bank is not None:
        assert {one.bank for one in found} == {bank}
    unknown = next(one for one in found if one.kind == "unregistered")
    assert 0.0 <= unknown.from_m <= unknown.chainage_m <= unknown.to_m <= STRAIGHT.length_m
    assert all(one.why.endswith("。") for one in found)


@given(st.floats(0.2, 60), st.sampled_from([DRIFT_HEAD_M, DRIFT_POINT_M]))
def test_the_density_is_the_convolution_of_its_two_errors(sigma_m, drift_m):
    """By brute force: an exponential drift summed against the normal error, at several distances."""
    drift = (np.arange(200_000) + 0.5) * drift_m * 40 / 200_000
    weight = np.exp(-drift / drift_m) / drift_m * (drift[1] - drift[0])
    for along_m in (-2 * sigma_m, 0.0, sigma_m, drift_m, 3 * drift_m):
        normal = np.exp(-0.5 * ((along_m - drift) / sigma_m) ** 2) / (sigma_m * math.sqrt(2 * math.pi))
        assert _density(along_m, sigma_m, drift_m) == pytest.approx(float((weight * normal).sum()), rel=2e-3, abs=1e-12)


def test_far_downstream_mouths_have_a_density_near_nothing_and_never_a_fault():
    values = [_density(-distance, 0.3, 60.0) for distance in (1.0, 5.0, 30.0, 400.0)]
    assert values == sorted(values, reverse=True)
    assert 0.0 <= values[-1] < 1e-300


@pytest.mark.timeout(600)
def test_what_the_ranking_says_comes_true_as_often_as_it_says():
    """4,000 discharges drawn from a world of its own: even sources, a quarter unknown, drift and errors as stated."""
    draw = np.random.default_rng(20261123)
    told, true, first, held, unknown_ones = [], [], 0, 0, 0
    for _ in range(4000):
        places = np.sort(draw.uniform(100, 2700, 30))
        register = [mouth(f"P{index}", value) for index, value in enumerate(places)]
        at_m = draw.uniform(700, 2500)
        in_reach = [index for index in range(30) if at_m - 500 <= places[index] <= at_m]
        if not in_reach:
            continue
        error_m = draw.uniform(1.0, 12.0)
        sigma_m = error_m / 2.146
        if draw.random() < 0.25:
            source, code = draw.uniform(at_m - 500, at_m), ""
        else:
            index = int(draw.choice(in_reach))
            source, code = places[index] + draw.normal(0, REGISTER_ERROR_M), f"P{index}"
        seen_m = source + draw.exponential(DRIFT_HEAD_M) + draw.normal(0, sigma_m)
        found = trace(head(seen_m, error_m), STRAIGHT, register)
        first += found[0].code == code
        for one in found:
            told.append(one.probability)
            true.append(one.code == code)
        if code == "":
            unknown = next(one for one in found if one.kind == "unregistered")
            held += unknown.from_m <= source <= unknown.to_m
            unknown_ones += 1
    told_, true_ = np.array(told), np.array(true)
    rows = []
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.0)):
        bin_ = (told_ >= low) & (told_ <= high)
        rows.append((told_[bin_].mean(), true_[bin_].mean(), int(bin_.sum())))
        assert abs(told_[bin_].mean() - true_[bin_].mean()) < 0.06
    print("\nsources: said / came true / n:", "  ".join(f"{a:.2f}/{b:.2f}/{n}" for a, b, n in rows))
    print(f"sources: first of the list right {first / 4000:.3f}; 90 % stretch holds {held / unknown_ones:.3f}")
    assert first / 4000 > 0.75
    assert 0.86 <= held / unknown_ones <= 0.94


def test_ten_times_a_large_register_is_searched_within_fifty_milliseconds():
    register = [
        mouth(f"P{index}", 1.0 + 9.5 * index, "left" if index % 2 else "right", WINDING) for index in range(300)
    ]
    clue = head(1500.0, 5.0, "left", WINDING)
    trace(clue, WINDING, register[:10])
    spent = []
    for _ in range(5):
        start = time.process_time()
        found = trace(clue, WINDING, register)
        spent.append(time.process_time() - start)
    print(f"\nsources: 300 mouths, {len(found)} in reach: {min(spent) * 1000:.1f} ms")
    assert len(found) > 20
    assert min(spent) < 0.05


def test_the_nearest_mouth_upstream_wins_and_history_can_turn_it():
    register = [mouth("NEAR", 990.0), mouth("FAR", 975.0), mouth("OVER", 995.0, "right"), mouth("DOWN", 1060.0)]
    plain = trace(head(1000.0), STRAIGHT, register)
    assert [one.code for one in plain if one.code] == ["NEAR", "FAR"]
    turned = trace(head(1000.0), STRAIGHT, register, weights={"FAR": 500.0})
    assert turned[0].code == "FAR"
    assert "此处以往多发" in turned[0].why
    bricked = trace(head(1000.0), STRAIGHT, register, weights={"NEAR": 0.0})
    assert "NEAR" not in [one.code for one in bricked]


def test_upstream_inflows_stand_beside_outfalls():
    found = trace(head(1000.0), STRAIGHT, [mouth("PK1", 900.0)], others=[mouth("ZL1", 997.0)])
    assert (found[0].code, found[0].kind) == ("ZL1", "upstream")


def test_without_any_mouth_in_reach_the_unknown_one_has_it_all():
    found = trace(head(1000.0), STRAIGHT, [mouth("PK1", 100.0)])
    assert [one.probability for one in found] == [1.0]
    assert found[0].from_m < 1000.0 < found[0].to_m + 5.0
    assert "没有登记的排口" in found[0].why


def test_a_point_report_is_less_sure_than_a_head_and_searches_a_longer_stretch():
    register = [mouth("PK1", 990.0), mouth("PK2", 930.0)]
    of_head = trace(head(1000.0), STRAIGHT, register)
    of_point = trace(Clue(*STRAIGHT.point_at(1000.0, 15.0), 6.0, "left"), STRAIGHT, register)
    best = {one.code: one for one in of_point}
    assert {one.code: one for one in of_head}["PK1"].probability > best["PK1"].probability
    stretch = [next(one for one in found if one.code == "") for found in (of_head, of_point)]
    assert stretch[1].to_m - stretch[1].from_m > 2 * (stretch[0].to_m - stretch[0].from_m)


def test_mid_river_positions_search_both_banks():
    clue = Clue(*STRAIGHT.point_at(1000.0, 1.0, "left"), 8.0)
    found = trace(clue, STRAIGHT, [mouth("L", 950.0), mouth("R", 950.0, "right")])
    by_code = {one.code: one for one in found}
    assert by_code["L"].probability > by_code["R"].probability > 0.2
    assert "岸别不能确定" in by_code["R"].why
    assert "两岸" in by_code[""].why


def test_the_bundled_place_is_traced_from_any_point_of_its_river():
    place = Place.open("taihugang")
    for outfall in place.outfalls:
        lon, lat = place.river.point_at(min(outfall.chainage_m + 6.0, place.river.length_m), 15.0, outfall.bank)
        found = trace(Clue(lon, lat, 4.0, outfall.bank, True), place.river, place.outfalls)
        assert found[0].code == outfall.code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"clue": Clue(112.185, 30.35, 0.0)}, "bad-error"),
        ({"clue": Clue(112.185, 30.35, math.nan)}, "bad-error"),
        ({"clue": Clue(math.nan, 30.35)}, "bad-position"),
        ({"weights": {"PK1": -1.0}}, "bad-weight"),
        ({"weights": {"PK1": math.inf}}, "bad-weight"),
        ({"reach_m": 0.0}, "bad-reach"),
        ({"unregistered": 1.5}, "bad-share"),
    ],
)
def test_wrong_questions_get_a_sentence(change, code):
    asked = {"clue": head(1000.0), "river": STRAIGHT, "outfalls": [mouth("PK1", 900.0)]} | change
    with pytest.raises(GeoError) as refused:
        trace(**asked)
    assert refused.value.code == code
    assert refused.value.sentence.endswith("。")
