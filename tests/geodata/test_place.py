"""The bundled place, another kind of place, and everything that can be wrong with a place folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from geodata.crs import distance_m
from geodata.errors import GeoError, GeoErrors
from geodata.place import BUNDLED, Place, bundled
from geodata.place_check import check

PLACE = Place.open("taihugang")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the bundled place that a test may break."""
    return Path(shutil.copytree(BUNDLED / "taihugang", tmp_path / "copy"))


def _edit(folder: Path, layer: str, change: Any) -> None:
    path = folder / f"{layer}.geojson"
    document = json.loads(path.read_text("utf-8"))
    change(document["features"])
    path.write_text(json.dumps(document, ensure_ascii=False), "utf-8")


def _codes(folder: Path) -> set[str]:
    return {fault.code for fault in check(folder)}


def test_the_bundled_segment_is_as_the_newspaper_says() -> None:
    assert PLACE.river is not None
    assert PLACE.river.length_m == pytest.approx(2900, abs=1)
    assert PLACE.schematic
    assert PLACE.hotline == "0716-8686001"
    assert PLACE.office == "荆州区人民政府西城街道办事处"
    assert (PLACE.slip_prefix, PLACE.number_prefix) == ("西城", "TH")
    assert any("示意" in note for note in PLACE.notes)
    for layer in ("centreline", "water", "key_areas", "grids", "outfalls"):
        document = PLACE.layer(layer)
        assert document["schematic"] is True
        assert all("示意" in item["properties"]["note"] for item in document["features"])
    assert distance_m(*PLACE.river.point_at(1450), 112.18, 30.35) < 1000


def test_the_bundled_segment_is_complete() -> None:
    assert check("taihugang") == []
    assert 4 <= len(PLACE.grids) <= 5
    assert 5 <= len(PLACE.key_areas) <= 6
    assert 8 <= len(PLACE.outfalls) <= 10
    assert {unit.reach for unit in PLACE.units.values()} == {"account", "robot", "paper"}
    assert PLACE.office_unit is not None and PLACE.office_unit.name == "西城街道环保办"
    assert "taihugang" in bundled()


def test_the_water_is_forty_to_sixty_metres_wide() -> None:
    river = PLACE.river
    assert river is not None
    for chainage_m in range(10, 2900, 90):
        for bank in ("left", "right"):
            assert PLACE.holds(*river.point_at(chainage_m, 19.5, bank))
            assert not PLACE.holds(*river.point_at(chainage_m, 31.0, bank))


def test_every_metre_of_the_river_has_a_grid_and_every_kind_a_unit() -> None:
    river = PLACE.river
    assert river is not None
    for chainage_m in range(0, 2900, 25):
        for bank in ("left", "right"):
            assert PLACE.grid_of(*river.point_at(chainage_m, 60.0, bank)) is not None
    kinds = [
        "sewage",
        "floating_debris",
        "bare_soil",
        "aquatic_bloom",
        "solid_waste",
        "illegal_fishing",
        "other",
    ]
    for kind in kinds:
        assert all(PLACE.propose_unit(kind, grid) for grid in (*PLACE.grids, None))
    assert PLACE.propose_unit("illegal_fishing", None).name == "区农业农村局"  # type: ignore[union-attr]
    assert PLACE.propose_unit("no_such_kind", "G1") is None


def test_outfall_three_stands_where_the_papers_say() -> None:
    river = PLACE.river
    assert river is not None
    outfall = next(item for item in PLACE.outfalls if item.name == "3号排口")
    assert outfall.chainage_m == pytest.approx(1240, abs=2)
    assert outfall.bank == "left"
    assert PLACE.nearest_outfall(*river.point_at(1255, 20), 30.0) == outfall
    assert PLACE.nearest_outfall(*river.point_at(1340, 20), 30.0) is None
    assert PLACE.key_area_of(outfall.lon, outfall.lat).code == "KA3"  # type: ignore[union-attr]
    marks = PLACE.layer("outfalls")["features"]
    assert {item["properties"]["bank"] for item in marks} == {"left", "right"}


def test_a_lake_shore_needs_no_centreline(folder: Path) -> None:
    for name in ("centreline", "grids", "key_areas", "outfalls"):
        (folder / f"{name}.geojson").unlink()
    (folder / "units.toml").unlink()
    place = Place.open(folder)
    lon, lat = PLACE.river.point_at(800)  # type: ignore[union-attr]
    assert place.river is None
    assert place.on_river(lon, lat) is None
    assert place.holds(lon, lat) and not place.holds(lon, lat + 0.001, 20.0)
    assert place.holds(lon, lat + 0.001, 100.0)
    assert place.grid_of(lon, lat) is None
    assert place.layer("grids") == {"type": "FeatureCollection", "schematic": True, "features": []}
    assert _codes(folder) == {"no-units"}


def test_a_folder_that_is_no_place(tmp_path: Path) -> None:
    for ask in (Place.open, check):
        with pytest.raises(GeoError) as caught:
            ask(tmp_path)
        assert caught.value.code == "no-place"
    with pytest.raises(GeoError):
        PLACE.layer("../../secrets")


def test_every_fault_is_named_at_once(folder: Path) -> None:
    def break_grids(features: list[Any]) -> None:
        features[1]["properties"]["code"] = "G1"
        features[2]["properties"].pop("community")

    def break_outfalls(features: list[Any]) -> None:
        features[0]["geometry"]["coordinates"] = [112.17, "30.35"]
        features[4]["geometry"] = None

    _edit(folder, "grids", break_grids)
    _edit(folder, "outfalls", break_outfalls)
    (folder / "water.geojson").unlink()
    about = (folder / "place.toml").read_text("utf-8").replace('hotline = "0716-8686001"', "hotline = 5")
    (folder / "place.toml").write_text(about, "utf-8")
    faults = check(folder)
    said = "\n".join(fault.sentence for fault in faults)
    for part in (
        "grids 第 3 个要素：缺少属性 community",
        "outfalls 第 1 个要素",
        "outfalls 第 5 个要素：没有图形",
        "water",
        "hotline",
    ):
        assert part in said
    with pytest.raises(GeoErrors) as caught:
        Place.open(folder)
    assert [fault.sentence for fault in caught.value.faults] == [fault.sentence for fault in faults]


def test_duplicate_codes_name_both_features(folder: Path) -> None:
    _edit(folder, "grids", lambda features: features[3]["properties"].update(code="G1"))
    assert any("grids 第 4 个要素：编号 G1 与第 1 个重复" in fault.sentence for fault in check(folder))


def test_a_bow_tie_names_its_crossing_point(folder: Path) -> None:
    bow = [[112.17, 30.35], [112.18, 30.36], [112.18, 30.35], [112.17, 30.36], [112.17, 30.35]]
    _edit(folder, "key_areas", lambda features: features[1]["geometry"].update(coordinates=[bow]))
    [fault] = check(folder)
    assert fault.code == "self-crossing"
    assert fault.where == "key_areas 第 2 个要素 点 (112.175, 30.355)"


def test_a_centreline_that_crosses_itself_or_comes_in_pieces(folder: Path) -> None:
    loop = [[112.17, 30.35], [112.18, 30.36], [112.18, 30.35], [112.17, 30.36]]
    _edit(folder, "centreline", lambda features: features[0]["geometry"].update(coordinates=loop))
    [fault] = check(folder)
    assert fault.code == "self-crossing" and "(112.175, 30.355)" in fault.where
    _edit(folder, "centreline", lambda features: features[0]["geometry"].update(coordinates=loop[:2]))
    _edit(folder, "centreline", lambda features: features.append(features[0]))
    assert _codes(folder) == {"too-many-lines"}


def test_overlaps_gaps_and_bare_water_are_warnings(folder: Path) -> None:
    def shift(features: list[Any]) -> None:
        for point in features[1]["geometry"]["coordinates"][0]:
            point[0] += 0.0005

    _edit(folder, "grids", shift)
    found = check(folder)
    assert {(fault.code, fault.facts["severity"]) for fault in found} == {
        ("overlap", "warning"),
        ("gap", "warning"),
    }
    assert any("G2" in fault.sentence and "G3" in fault.sentence for fault in found)
    Place.open(folder)


def test_units_that_do_not_fit_are_faults(folder: Path) -> None:
    text = (folder / "units.toml").read_text("utf-8")
    text = text.replace('reach = "robot"', 'reach = "pigeon"').replace('grid = "G3"', 'grid = "G9"')
    (folder / "units.toml").write_text(text + '[[dispatch]]\nkind = "other"\nunit = "nobody"\n', "utf-8")
    assert {"bad-reach", "unknown-grid", "unknown-unit"} <= _codes(folder)
    (folder / "units.toml").write_text("unit = [", "utf-8")
    assert _codes(folder) == {"bad-toml"}


def test_a_line_beside_the_water_is_asked_about(folder: Path) -> None:
    def move(features: list[Any]) -> None:
        for point in features[0]["geometry"]["coordinates"]:
            point[1] += 0.01

    _edit(folder, "centreline", move)
    assert "dry-line" in _codes(folder)
