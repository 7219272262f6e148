"""The strict GeoJSON reader: what a hostile or careless file gets told, and what it can never do."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geodata.drawing import MAX_VERTICES
from geodata.errors import GeoError, GeoErrors
from geodata.layers import MAX_BYTES, MAX_FEATURES, collection, read_geojson

SQUARE = [[112.17, 30.35], [112.18, 30.35], [112.18, 30.36], [112.17, 30.36], [112.17, 30.35]]
HOLE = [[112.172, 30.352], [112.174, 30.352], [112.174, 30.354], [112.172, 30.354], [112.172, 30.352]]
OUTSIDE = [[112.192, 30.352], [112.194, 30.352], [112.194, 30.354], [112.192, 30.354], [112.192, 30.352]]


def _file(geometry: Any, **properties: Any) -> bytes:
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


def _water(*rings: Any) -> bytes:
    return _file({"type": "Polygon", "coordinates": rings})


def _faults(data: bytes, layer: str = "water", crs: str = "wgs84") -> list[GeoError]:
    with pytest.raises(GeoError) as caught:
        read_geojson(data, layer, crs)
    return caught.value.faults if isinstance(caught.value, GeoErrors) else [caught.value]


def _codes(data: bytes, layer: str = "water", crs: str = "wgs84") -> set[str]:
    return {fault.code for fault in _faults(data, layer, crs)}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"nonsense", b"[", b"\xff\xfe{\x00}\x00",
        b'{"type": "FeatureCollection", "features": [NaN]}',
        b'{"a": 1, "a": 2}', b"[" * 100_000, b'{"a":' * 5_000, b"1" * 5_000,
    ],
)  # fmt: skip
def test_what_is_not_strict_json(data: bytes) -> None:
    assert _codes(data) <= {"bad-json", "bad-geojson"}


@pytest.mark.parametrize("data", [b'"a"', b"[]", b"null", b"1", b"{}", b'{"type": "FeatureCollection"}'])
def test_json_that_is_no_collection(data: bytes) -> None:
    assert _codes(data) <= {"bad-geojson", "empty"}


def test_an_empty_collection() -> None:
    assert _codes(b'{"type": "FeatureCollection", "features": []}') == {"empty"}


@pytest.mark.parametrize("feature", [None, "a", [], 1, {"type": "Point"}])
def test_a_feature_that_is_none(feature: Any) -> None:
    assert _codes(json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()) == {"bad-geojson"}


def test_a_feature_without_a_shape() -> None:
    assert _codes(_file(None)) == {"no-geometry"}


@pytest.mark.parametrize(
    "position",
    ["[NaN, 30]", "[1e999, 30]", "[1e308, 30]", "[112.1]", '["112", 30]', "[true, 30]", "null", "{}",
     "[null, 30]", "[" + "9" * 400 + ", 30]"],
)  # fmt: skip
def test_positions_that_are_none(position: str) -> None:
    data = '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties":'
    data += f'{{"code": "P", "name": "P"}}, "geometry": {{"type": "Point", "coordinates": {position}}}}}]}}'
    assert _codes(data.encode(), "outfalls") <= {"bad-position", "bad-json", "crs-mismatch"}


def test_shapes_that_are_not_sound_name_layer_feature_and_point() -> None:
    bow = [[112.17, 30.35], [112.18, 30.36], [112.18, 30.35], [112.17, 30.36], [112.17, 30.35]]
    [fault] = _faults(_water(bow))
    assert (fault.code, fault.where) == ("self-crossing", "water 第 1 个要素 点 (112.175, 30.355)")
    assert "交叉" in fault.sentence
    assert _codes(_water(SQUARE, OUTSIDE)) == {"hole-outside"}
    assert _codes(_water(SQUARE, HOLE, HOLE)) == {"duplicate-rings"} or _codes(_water(SQUARE, HOLE, HOLE)) == {
        "self-crossing"
    }
    assert _codes(_water(SQUARE[:2])) == {"too-few-points"}
    assert _codes(_water([SQUARE[0], SQUARE[1], SQUARE[0], SQUARE[0]])) == {"too-few-points"}
    assert _codes(_water(SQUARE[:-1])) == {"open-ring"}
    assert _codes(_water()) == {"too-few-points"}
    line = {"type": "LineString", "coordinates": [[112.17, 30.35], [112.17, 30.35]]}
    assert _codes(_file(line), "centreline") == {"zero-length"}


def test_a_shell_and_a_hole_both_wrong_are_both_named() -> None:
    bow = [[112.17, 30.35], [112.18, 30.36], [112.18, 30.35], [112.17, 30.36], [112.17, 30.35]]
    assert len(_faults(_water(bow, HOLE[:-1]))) == 2


@pytest.mark.parametrize("kind", ["GeometryCollection", "CircularString", "CurvePolygon", "LineString", "", None, 7])
def test_the_wrong_kind_of_shape(kind: Any) -> None:
    assert _codes(_file({"type": kind, "coordinates": SQUARE})) == {"wrong-geometry"}


@pytest.mark.parametrize(
    "ring",
    [
        [[179.9, 30.0], [-179.9, 30.0], [-179.9, 30.1], [179.9, 30.0]],
        [[0.0, 89.0], [90.0, 89.0], [180.0, 89.0], [0.0, 89.0]],
        [[30.35, 112.17], [30.36, 112.17], [30.36, 112.18], [30.35, 112.17]],
        [[100.0, 30.0], [104.0, 30.0], [104.0, 34.0], [100.0, 30.0]],
    ],
)
def test_across_the_antimeridian_at_a_pole_or_with_swapped_axes(ring: Any) -> None:
    assert _codes(_water(ring)) <= {"out-of-area", "bad-position"}


def test_height_is_dropped_and_said() -> None:
    [feature] = read_geojson(_water([[*point, 30.0] for point in SQUARE]), "water")
    assert not feature.shape.has_z
    assert feature.notes == ("高程已略去",)


def test_metres_declared_as_degrees_and_the_other_way_round() -> None:
    assert _codes(_water(SQUARE), crs="EPSG:4547") == {"crs-mismatch"}
    metres = [[613430, 3359000], [613530, 3359000], [613530, 3359100], [613430, 3359000]]
    assert _codes(_water(metres)) == {"crs-mismatch"}
    [feature] = read_geojson(_water(metres), "water", "EPSG:4546")
    assert 112.1 < feature.shape.centroid.x < 112.3
    said = json.loads(_water(SQUARE)) | {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}}
    assert _codes(json.dumps(said).encode()) == {"crs-mismatch"}
    said["crs"]["properties"]["name"] = "urn:ogc:def:crs:OGC:1.3:CRS84"
    assert len(read_geojson(json.dumps(said).encode(), "water")) == 1


def test_a_zigzag_over_the_limit_is_refused_within_a_second() -> None:
    ring = [[112.0 + (n % 2) / 1000, 30.0 + n / 1e6] for n in range(200_000)]
    data = _water([*ring, ring[0]])
    started = time.monotonic()
    [fault] = _faults(data)
    assert fault.code == "too-much" and str(MAX_VERTICES) in fault.sentence
    assert time.monotonic() - started < 5


def test_a_file_over_the_limit_is_not_even_parsed() -> None:
    assert _codes(b" " * MAX_BYTES + b"{}") == {"too-much"}


def test_too_many_features() -> None:
    feature = {
        "type": "Feature",
        "properties": {"name": "P"},
        "geometry": {"type": "Point", "coordinates": [112, 30]},
    }
    features = [feature | {"properties": {"name": "P", "code": str(n)}} for n in range(MAX_FEATURES + 1)]
    data = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    assert _codes(data, "outfalls") == {"too-much"}


@pytest.mark.parametrize("name", ["a\u0000b", "a\nb", "\ud800", "x" * 501])
def test_words_that_cannot_be_kept(name: str) -> None:
    point = {"type": "Point", "coordinates": [112.17, 30.35]}
    assert "bad-properties" in _codes(_file(point, code="P1", name=name), "outfalls")


def test_an_unknown_layer_is_refused_by_name() -> None:
    assert _codes(_water(SQUARE), "/vsicurl/http://127.0.0.1/x") == {"unknown-layer"}
    assert _codes(_water(SQUARE), "water", "") == {"unknown-crs"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=25,
    )
)
def test_any_geometry_is_read_or_refused_but_never_a_crash(coordinates: Any) -> None:
    for kind, layer in (("Point", "outfalls"), ("LineString", "centreline"), ("MultiPolygon", "water")):
        data = _file({"type": kind, "coordinates": coordinates}, code="A", name="A")
        try:
            features = read_geojson(data, layer)
        except GeoError as error:
            assert error.sentence
        else:
            assert all(math.isfinite(value) for feature in features for value in feature.shape.bounds)


@given(st.lists(st.tuples(st.floats(112.0, 113.0), st.floats(30.0, 31.0)), min_size=1, max_size=8, unique=True))
def test_what_is_written_reads_back(points: list[tuple[float, float]]) -> None:
    features = [
        {"type": "Feature", "properties": {"code": f"P{n}", "name": "排口"},
         "geometry": {"type": "Point", "coordinates": list(point)}}
        for n, point in enumerate(points)
    ]  # fmt: skip
    data = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    once = collection(read_geojson(data, "outfalls"))
    again = collection(read_geojson(json.dumps(once).encode(), "outfalls"))
    assert once == again
