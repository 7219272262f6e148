"""The four systems: published vectors, an independent implementation, the laws of there and back."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import prcoords
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geodata.crs import (
    CRS_NAMES,
    declared,
    disagreement,
    distance_m,
    from_wgs84,
    local_xy,
    maybe_gcj02,
    to_wgs84,
)
from geodata.errors import GeoError

CHECKOUT = Path(__file__).parents[2]
DATA = Path(os.environ.get("PATROL_TEST_DATA", CHECKOUT.parent / "shared" / "data"))

# Mainland, away from the rim of the box at which the shift stops at once.
LON = st.floats(73.0, 136.0)
LAT = st.floats(3.0, 54.0)


def _vectors(name: str) -> object:
    return json.loads((DATA / "coords" / name).read_text("utf-8"))


@pytest.mark.parametrize("crs", ["gcj02", "bd09"])
def test_published_cities(crs: str) -> None:
    for city in _vectors("gcoord_cities.json"):
        assert from_wgs84(*city["wgs84"], crs) == pytest.approx(city[crs], abs=1e-5), city["name"]
        assert distance_m(*to_wgs84(*city[crs], crs), *city["wgs84"]) < 1.5, city["name"]


def test_published_points_of_eviltransform() -> None:
    vectors = _vectors("eviltransform.json")
    for wgs_lat, wgs_lon, lat, lon in vectors["wgs2gcj_lat_lon"]:
        assert from_wgs84(wgs_lon, wgs_lat, "gcj02") == pytest.approx((lon, lat), abs=1e-6)
        assert distance_m(*to_wgs84(lon, lat, "gcj02"), wgs_lon, wgs_lat) < 0.5
    for bd_lat, bd_lon, lat, lon in vectors["bd2wgs_lat_lon"]:
        # That library writes pi where the formula has 3000 pi / 180; the cities above confirm ours.
        assert distance_m(*to_wgs84(bd_lon, bd_lat, "bd09"), lon, lat) < 15
        assert distance_m(*from_wgs84(*to_wgs84(bd_lon, bd_lat, "bd09"), "bd09"), bd_lon, bd_lat) < 0.001


@given(LON, LAT)
def test_agrees_with_an_independent_implementation(lon: float, lat: float) -> None:
    theirs = prcoords.wgs_gcj(prcoords.Coords(lat, lon), check_china=False)
    assert from_wgs84(lon, lat, "gcj02") == pytest.approx((theirs.lon, theirs.lat), abs=1e-9)
    theirs = prcoords.wgs_bd(prcoords.Coords(lat, lon), check_china=False)
    assert from_wgs84(lon, lat, "bd09") == pytest.approx((theirs.lon, theirs.lat), abs=1e-9)


@given(LON, LAT, st.sampled_from(CRS_NAMES))
def test_there_and_back_is_exact(lon: float, lat: float, crs: str) -> None:
    back_lon, back_lat = to_wgs84(*from_wgs84(lon, lat, crs), crs)
    assert abs(back_lon - lon) < 1e-8
    assert abs(back_lat - lat) < 1e-8


@given(LON, LAT, st.sampled_from(CRS_NAMES))
def test_back_and_there_is_exact(lon: float, lat: float, crs: str) -> None:
    there_lon, there_lat = from_wgs84(*to_wgs84(lon, lat, crs), crs)
    assert abs(there_lon - lon) < 1e-8
    assert abs(there_lat - lat) < 1e-8


@given(st.floats(-180, 180), st.floats(-90, 90), st.sampled_from(CRS_NAMES))
def test_anywhere_on_earth_gives_numbers(lon: float, lat: float, crs: str) -> None:
    assert all(math.isfinite(value) for value in (*to_wgs84(lon, lat, crs), *from_wgs84(lon, lat, crs)))


def test_gcj02_moves_a_point_at_taihu_port_by_the_measured_amount() -> None:
    frame = local_xy(112.18, 30.35)
    east_m, north_m = frame.forward(*from_wgs84(112.18, 30.35, "gcj02"))
    assert east_m == pytest.approx(558.1, abs=1)
    assert north_m == pytest.approx(-274.8, abs=1)


def test_nothing_is_shifted_outside_china() -> None:
    assert to_wgs84(-92.0, 46.7, "gcj02") == (-92.0, 46.7)
    assert from_wgs84(2.35, 48.85, "gcj02") == (2.35, 48.85)


@pytest.mark.parametrize("bad", [(math.nan, 30.0), (112.0, math.inf), (181.0, 30.0), (30.35, 112.18), (0.0, -91.0)])
@pytest.mark.parametrize("crs", CRS_NAMES)
def test_a_position_that_is_none_is_refused(bad: tuple[float, float], crs: str) -> None:
    for ask in (to_wgs84, from_wgs84):
        with pytest.raises(GeoError) as caught:
            ask(*bad, crs)
        assert caught.value.code == "bad-position"


@pytest.mark.parametrize("crs", ["", "WGS-84", "gps", "EPSG:27700", "EPSG:0", "EPSG:9999999", "auto"])
def test_an_undeclared_system_is_never_guessed(crs: str) -> None:
    with pytest.raises(GeoError) as caught:
        to_wgs84(112.18, 30.35, crs)
    assert caught.value.code == "unknown-crs"
    with pytest.raises(GeoError):
        declared(crs)


def test_a_survey_grid_comes_out_in_degrees() -> None:
    # 112.18 E is 1.18 degrees east of the 111 E meridian; half a kilometre of false easting is 500 km.
    lon, lat = declared("EPSG:4546").to_wgs84(613430.0, 3359000.0)
    assert 112.17 < lon < 112.19
    assert 30.3 < lat < 30.4
    with_prefix = declared("EPSG:4525").to_wgs84(37613430.0, 3359000.0)
    assert distance_m(lon, lat, *with_prefix) < 0.01


def test_a_files_own_word_is_compared_not_believed() -> None:
    assert disagreement(declared("gcj02"), "urn:ogc:def:crs:OGC:1.3:CRS84") == ""
    assert disagreement(declared("cgcs2000"), "EPSG:4490") == ""
    assert "EPSG:4214" in disagreement(declared("wgs84"), "EPSG:4214")
    assert "EPSG:4547" in disagreement(declared("EPSG:4546"), "EPSG:4547")
    assert "读不懂" in disagreement(declared("wgs84"), "/etc/passwd")
    assert "读不懂" in disagreement(declared("wgs84"), "+init=/etc/hostname:1")


@given(st.floats(-20_000, 20_000), st.floats(-20_000, 20_000))
def test_local_metres_there_and_back_and_true_to_the_ellipsoid(x_m: float, y_m: float) -> None:
    frame = local_xy(112.18, 30.35)
    lon, lat = frame.inverse(x_m, y_m)
    assert frame.forward(lon, lat) == pytest.approx((x_m, y_m), abs=1e-6)
    assert distance_m(112.18, 30.35, lon, lat) == pytest.approx(math.hypot(x_m, y_m), rel=1e-5, abs=1e-6)


def test_a_gcj02_position_taken_for_wgs84_is_noticed() -> None:
    def inside(lon: float, lat: float) -> bool:
        return distance_m(lon, lat, 112.18, 30.35) < 200

    assert maybe_gcj02(*from_wgs84(112.18, 30.35, "gcj02"), inside)
    assert not maybe_gcj02(112.18, 30.35, inside)
    assert not maybe_gcj02(113.0, 30.35, inside)
