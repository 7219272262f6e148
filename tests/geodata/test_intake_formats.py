"""Files from desktop programs: each format comes in as the same features, in WGS-84, and says what it did."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import geopandas
import pytest

from geodata.crs import distance_m, from_wgs84
from geodata.errors import GeoError, GeoErrors
from geodata.intake import import_layer, read_vector
from geodata.place import Place
from geodata.place_check import check

PLACE = Place.open("taihugang")
GRIDS = geopandas.GeoDataFrame(
    [{"编号": grid.code, "名称": grid.name, "社区": grid.community} for grid in PLACE.grids],
    geometry=[grid.polygon for grid in PLACE.grids],
    crs="EPSG:4326",
)
KML = """<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Style id="s"><IconStyle><Icon><href>http://127.0.0.1:1/a.png</href></Icon></IconStyle></Style>{}</Document></kml>"""


def _shapefile(folder: Path, crs: str = "EPSG:4326", encoding: str = "utf-8") -> Path:
    path = folder / "网格.shp"
    GRIDS.to_crs(crs).to_file(path, encoding=encoding)
    return path


def _zip(shp: Path, *without: str) -> Path:
    packed = shp.parent / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for part in shp.parent.glob(f"{shp.stem}.*"):
            if part.suffix not in without:
                out.write(part, f"图层/{part.name}")
    return packed


def _same_as_bundled(features: list[Any]) -> None:
    assert [feature.properties["code"] for feature in features] == ["G1", "G2", "G3", "G4", "G5"]
    assert [feature.properties["community"] for feature in features] == [grid.community for grid in PLACE.grids]
    for feature, grid in zip(features, PLACE.grids, strict=True):
        here, there = feature.shape.centroid, grid.polygon.centroid
        assert distance_m(here.x, here.y, there.x, there.y) < 0.1


def _kml_polygon(grid: Any) -> str:
    points = " ".join(f"{x},{y},0" for x, y in grid.polygon.exterior.coords)
    return (
        f"<Placemark><name>{grid.name}</name><ExtendedData>"
        f"<Data name='编号'><value>{grid.code}</value></Data>"
        f"<Data name='社区'><value>{grid.community}</value></Data></ExtendedData><Polygon><outerBoundaryIs>"
        f"<LinearRing><coordinates>{points}</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
    )


def test_shapefile_in_parts_and_zipped_in_degrees_and_in_metres(tmp_path: Path) -> None:
    shp = _shapefile(tmp_path)
    _same_as_bundled(read_vector(shp, "grids", "wgs84"))
    _same_as_bundled(read_vector(_zip(shp), "grids", "wgs84"))
    _same_as_bundled(read_vector(_zip(_shapefile(tmp_path, "EPSG:4546")), "grids", "EPSG:4546"))


def test_geopackage(tmp_path: Path) -> None:
    GRIDS.to_file(tmp_path / "g.gpkg", driver="GPKG", layer="grids")
    _same_as_bundled(read_vector(tmp_path / "g.gpkg", "grids", "wgs84"))
    GRIDS.to_crs("EPSG:4490").to_file(tmp_path / "c.gpkg", driver="GPKG", layer="grids")
    _same_as_bundled(read_vector(tmp_path / "c.gpkg", "grids", "cgcs2000"))


def test_kml_and_kml_in_a_zip(tmp_path: Path) -> None:
    (tmp_path / "g.kml").write_text(KML.format("".join(_kml_polygon(grid) for grid in PLACE.grids)), "utf-8")
    _same_as_bundled(read_vector(tmp_path / "g.kml", "grids", "wgs84"))
    with zipfile.ZipFile(tmp_path / "g.kmz", "w") as out:
        out.write(tmp_path / "g.kml", "doc.kml")
    _same_as_bundled(read_vector(tmp_path / "g.kmz", "grids", "wgs84"))


def test_geojson_in_gcj02_comes_out_in_wgs84(tmp_path: Path) -> None:
    document = PLACE.layer("outfalls")
    for item in document["features"]:
        item["geometry"]["coordinates"] = list(from_wgs84(*item["geometry"]["coordinates"], "gcj02"))
    (tmp_path / "noname").write_text(json.dumps(document), "utf-8")
    features = read_vector(tmp_path / "noname", "outfalls", "gcj02")
    for feature, outfall in zip(features, PLACE.outfalls, strict=True):
        assert distance_m(feature.shape.x, feature.shape.y, outfall.lon, outfall.lat) < 0.02


def test_the_format_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    GRIDS.to_file(tmp_path / "g.gpkg", driver="GPKG", layer="grids")
    shutil.move(tmp_path / "g.gpkg", tmp_path / "g.geojson")
    _same_as_bundled(read_vector(tmp_path / "g.geojson", "grids", "wgs84"))


def test_a_chinese_attribute_table_without_cpg_is_read_as_gb18030_and_said(tmp_path: Path) -> None:
    shp = _shapefile(tmp_path, encoding="GB18030")
    shp.with_suffix(".cpg").unlink()
    done = import_layer(shp, "grids", "wgs84", tmp_path / "place")
    assert any("GB18030" in note for note in done.notes)
    _same_as_bundled(read_vector(shp, "grids", "wgs84"))


@pytest.mark.parametrize("missing", [".shx", ".dbf", ".prj"])
def test_a_shapefile_with_a_part_missing_names_it(tmp_path: Path, missing: str) -> None:
    with pytest.raises(GeoErrors) as caught:
        read_vector(_zip(_shapefile(tmp_path), missing), "grids", "wgs84")
    [fault] = caught.value.faults
    assert fault.code == "missing-part" and missing in fault.sentence


def test_a_prj_that_speaks_of_another_system(tmp_path: Path) -> None:
    degrees = _shapefile(tmp_path)
    metres_prj = geopandas.GeoSeries([], crs="EPSG:4547").crs.to_wkt("WKT1_ESRI")
    for declared in ("wgs84", "gcj02", "EPSG:4546"):
        with pytest.raises(GeoError) as caught:
            read_vector(_shapefile(tmp_path, "EPSG:4547"), "grids", declared)
        assert "EPSG:4547" in caught.value.sentence
    _shapefile(tmp_path)
    degrees.with_suffix(".prj").write_text(metres_prj)
    with pytest.raises(GeoErrors) as several:
        read_vector(degrees, "grids", "EPSG:4547")
    assert {fault.code for fault in several.value.faults} == {"crs-mismatch"}
    assert "像经纬度" in several.value.faults[0].sentence


def test_an_old_datum_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeoErrors) as caught:
        read_vector(_shapefile(tmp_path, "EPSG:4610"), "grids", "wgs84")
    assert caught.value.faults[0].code == "crs-mismatch"


def test_import_makes_a_place_that_serves_for_recognition(tmp_path: Path) -> None:
    water = tmp_path / "water.json"
    water.write_text(json.dumps(PLACE.layer("water")), "utf-8")
    into = tmp_path / "some" / "lake"
    done = import_layer(water, "water", "wgs84", into)
    assert (done.layer, done.features) == ("water", 1)
    assert any("place.toml" in note for note in done.notes)
    place = Place.open(into)
    assert (place.code, place.schematic, place.river) == ("lake", False, None)
    assert {fault.code for fault in done.faults} == {"no-units", "not-filled"}


def test_import_extends_a_place_and_tells_what_no_longer_fits(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(PLACE.folder, tmp_path / "copy"))
    kept = (copy / "place.toml").read_text("utf-8")
    three = {**PLACE.layer("grids"), "features": PLACE.layer("grids")["features"][:2]}
    (tmp_path / "two.json").write_text(json.dumps(three), "utf-8")
    done = import_layer(tmp_path / "two.json", "grids", "wgs84", copy)
    assert {"unknown-grid"} <= {fault.code for fault in done.faults}
    assert (copy / "place.toml").read_text("utf-8") == kept


def test_a_refused_import_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(PLACE.folder, tmp_path / "copy"))
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    (tmp_path / "bad.json").write_text('{"type": "FeatureCollection", "features": [1]}', "utf-8")
    with pytest.raises(GeoErrors):
        import_layer(tmp_path / "bad.json", "water", "wgs84", copy)
    with pytest.raises(GeoErrors):
        import_layer(tmp_path / "bad.json", "water", "wgs84", tmp_path / "never")
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert not (tmp_path / "never").exists()


def test_features_without_a_number_get_one_and_it_is_said(tmp_path: Path) -> None:
    points = PLACE.layer("outfalls")
    for item in points["features"]:
        item["properties"] = {"NAME": item["properties"]["name"]}
    (tmp_path / "p.json").write_text(json.dumps(points), "utf-8")
    done = import_layer(tmp_path / "p.json", "outfalls", "wgs84", Path(shutil.copytree(PLACE.folder, tmp_path / "c")))
    assert any("编号" in note for note in done.notes)
    assert [outfall.code for outfall in Place.open(tmp_path / "c").outfalls][:2] == ["PK01", "PK02"]
    assert check(tmp_path / "c") == []
