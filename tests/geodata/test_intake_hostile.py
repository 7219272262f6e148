"""Files meant to hurt: they read nothing outside, call nobody, cost little, and get a sentence."""

from __future__ import annotations

import json
import resource
import socket
import sqlite3
import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import geopandas
import pytest
import shapely

from geodata.errors import GeoError, GeoErrors
from geodata.intake import read_vector
from geodata.place import Place

PLACE = Place.open("taihugang")
SECRET = "do-not-read-me-73bd"


class Listener:
    """A real server on this machine that only counts who calls."""

    def __init__(self) -> None:
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.calls += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def _refused(path: Path | str, layer: str = "water", crs: str = "wgs84") -> set[str]:
    started = time.monotonic()
    with pytest.raises(GeoError) as caught:
        read_vector(path, layer, crs)
    assert time.monotonic() - started < 20
    faults = caught.value.faults if isinstance(caught.value, GeoErrors) else [caught.value]
    for fault in faults:
        assert SECRET not in fault.sentence
        assert "Traceback" not in fault.sentence
        assert any("一" <= char <= "鿿" for char in fault.sentence)
    return {fault.code for fault in faults}


def _vrt(source: str) -> str:
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>{source}</SrcDataSource>'
        "<GeometryType>wkbPoint</GeometryType></OGRVRTLayer></OGRVRTDataSource>"
    )


@pytest.mark.parametrize("name", ["a.geojson", "a.vrt", "a.shp", "a.gpkg", "a.kml", "a.json"])
def test_a_virtual_dataset_reads_no_file_and_calls_nobody(tmp_path: Path, listener: Listener, name: str) -> None:
    (tmp_path / "secret.csv").write_text(f"x,y,v\n1,2,{SECRET}\n")
    for source in (str(tmp_path / "secret.csv"), f"/vsicurl/http://127.0.0.1:{listener.port}/a.csv"):
        (tmp_path / name).write_text(_vrt(source))
        assert _refused(tmp_path / name) == {"unsupported"}
    assert listener.calls == 0


def test_a_virtual_dataset_inside_a_zip_is_not_even_unpacked(tmp_path: Path, listener: Listener) -> None:
    for name in ("layer.shp", "layer.kml", "layer.vrt", "layer.geojson"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
            out.writestr(name, _vrt(f"/vsicurl/http://127.0.0.1:{listener.port}/a.csv"))
        assert _refused(tmp_path / "a.zip") <= {"bad-shapefile", "unsupported", "missing-part"}
    assert listener.calls == 0


def test_other_formats_that_lead_elsewhere(tmp_path: Path, listener: Listener) -> None:
    url = f"http://127.0.0.1:{listener.port}"
    bodies = [
        f"<MRF_META><CachedSource><Source>/vsicurl/{url}/x</Source></CachedSource></MRF_META>",
        f"<GDAL_WMS><Service name='TMS'><ServerUrl>{url}/</ServerUrl></Service></GDAL_WMS>",
        f"<OGRWFSDataSource><URL>{url}</URL></OGRWFSDataSource>",
        f"<VRTDataset rasterXSize='1'><SourceFilename>/vsicurl/{url}</SourceFilename></VRTDataset>",
        f"<html>{url}</html>",
        "name,lon,lat\nA,112.18,30.35\n",
        "%PDF-1.4\n",
        "CSV:/etc/passwd",
        "",
    ]
    for body in bodies:
        (tmp_path / "a.tif").write_text(body)
        assert _refused(tmp_path / "a.tif") == {"unsupported"}
    assert listener.calls == 0


def test_addresses_and_virtual_paths_are_no_files(tmp_path: Path, listener: Listener) -> None:
    url = f"http://127.0.0.1:{listener.port}/a.geojson"
    for path in (
        url,
        f"/vsicurl/{url}",
        f"/vsizip/{tmp_path}/a.zip",
        f"GPKG:{tmp_path}/a",
        str(tmp_path),
        "/dev/zero",
    ):
        assert _refused(path) <= {"unsupported", "no-file"}
    (tmp_path / "a.json").write_text("{}")
    assert _refused(tmp_path / "a.json", layer=f"/vsicurl/{url}") == {"unknown-layer"}
    assert _refused(tmp_path / "a.json", crs=url) == {"unknown-crs"}
    assert listener.calls == 0


KML = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>'
POINT = "<Placemark><name>{}</name><Point><coordinates>112.18,30.35</coordinates></Point></Placemark>"


def test_kml_that_fetches_or_expands(tmp_path: Path, listener: Listener) -> None:
    (tmp_path / "secret").write_text(SECRET)
    url = f"http://127.0.0.1:{listener.port}/x.kml"
    link = f"<NetworkLink><Link><href>{url}</href></Link></NetworkLink>"
    xxe = f'<!DOCTYPE kml [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>' + KML.format(POINT.format("&x;"))
    remote = f'<!DOCTYPE kml SYSTEM "{url}">' + KML.format(POINT.format("A"))
    laughs = "<!DOCTYPE kml [<!ENTITY a 'ha'>" + "".join(
        f"<!ENTITY {chr(98 + n)} '{'&' + chr(97 + n) + ';'}{'&' + chr(97 + n) + ';'}'>" for n in range(20)
    )
    bodies = {
        KML.format(POINT.format("A") + link): "network-link",
        xxe: "bad-xml",
        remote: "bad-xml",
        laughs + "]>" + KML.format(POINT.format("&t;")): "bad-xml",
        KML.format(POINT.format("A"))[:-20]: "bad-xml",
        "<kml>" + "<Folder>" * 100_000: "bad-xml",
    }
    for body, code in bodies.items():
        (tmp_path / "a.kml").write_text(body)
        assert _refused(tmp_path / "a.kml", "outfalls") == {code}
    assert listener.calls == 0


@pytest.mark.parametrize(
    "shape",
    [
        "<gx:Track xmlns:gx='x'><gx:coord>112 30 0</gx:coord></gx:Track>",
        "<MultiGeometry><Point><coordinates>112,30</coordinates></Point><LineString/></MultiGeometry>",
        "<Point><coordinates>nan,inf</coordinates></Point>",
        "<Point><coordinates>a,b</coordinates></Point>",
        "<Point/>",
        "",
    ],
)
def test_kml_shapes_that_are_none(tmp_path: Path, shape: str) -> None:
    (tmp_path / "a.kml").write_text(KML.format(f"<Placemark><name>A</name>{shape}</Placemark>"))
    assert _refused(tmp_path / "a.kml", "outfalls") <= {"wrong-geometry", "bad-position", "no-geometry"}


def _coordinates(text: str) -> str:
    return f"<coordinates>{text}</coordinates>"


@pytest.mark.parametrize(
    "body",
    [
        "<kml>" + "<a/>" * 1_000_000 + "</kml>",
        "<kml>" + "<Placemark/>" * 300_000 + "</kml>",
        "<kml>" + "<a>" * 1_300_000,
        KML.format(
            "<Placemark><LineString><coordinates>" + "1,2 " * 900_000 + "</coordinates></LineString></Placemark>"
        ),
        KML.format("<Placemark><Point><coordinates>" + "1," * 1_900_000 + "</coordinates></Point></Placemark>"),
        "<kml>" + " " * 5_000_000 + "</kml>",
    ],
    ids=["elements", "placemarks", "depth", "vertices", "numbers", "bytes"],
)
def test_heavy_kml(tmp_path: Path, body: str) -> None:
    (tmp_path / "a.kml").write_text(body)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert _refused(tmp_path / "a.kml", "centreline") <= {
        "empty", "no-geometry", "bad-xml", "too-much", "wrong-geometry", "unreadable",
    }  # fmt: skip
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 300 * 1024


def _zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, body in entries.items():
            out.writestr(name, body)
    return path


@pytest.mark.parametrize(
    "name", ["../../escape.shp", "/etc/escape.shp", "a/../../escape.kml", "..\\escape.shp", "C:\\a.shp"]
)
def test_zip_paths_that_climb_out(tmp_path: Path, name: str) -> None:
    assert _refused(_zip(tmp_path / "a.zip", {name: b"x"})) == {"bad-zip"}
    assert not list(tmp_path.parent.rglob("escape*"))


def test_zip_with_a_symlink_a_password_or_a_zip_inside(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("layer.shp")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as out:
        out.writestr(link, "/etc/passwd")
    assert _refused(tmp_path / "link.zip") == {"bad-zip"}
    assert _refused(_zip(tmp_path / "n.zip", {"inner.zip": b"PK", "layer.kml": b"<kml/>"})) == {"bad-zip"}
    locked = bytearray(_zip(tmp_path / "p.zip", {"layer.kml": b"<kml/>"}).read_bytes())
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "p.zip").write_bytes(locked)
    assert _refused(tmp_path / "p.zip") == {"bad-zip"}


def test_zip_bombs_cost_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[bytes]:
        yield from (b"\0" * 1024 * 1024 for _ in range(300))

    with (
        zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as out,
        out.open("layer.shp", "w") as part,
    ):
        for row in rows():
            part.write(row)
    assert (tmp_path / "bomb.zip").stat().st_size < 1024 * 1024
    assert _refused(tmp_path / "bomb.zip") == {"bad-zip"}
    # The same with a table of contents that says "ten bytes".
    liar = bytearray((tmp_path / "bomb.zip").read_bytes())
    at = liar.index(b"PK\x01\x02")
    liar[at + 24 : at + 28] = struct.pack("<I", 10)
    (tmp_path / "liar.zip").write_bytes(liar)
    assert _refused(tmp_path / "liar.zip") <= {"bad-zip", "bad-shapefile", "missing-part"}
    assert _refused(_zip(tmp_path / "many.zip", {f"{n}.shp": b"" for n in range(5_000)})) == {"bad-zip"}


def test_zip_that_is_cut_or_has_two_layers_or_none(tmp_path: Path) -> None:
    whole = _zip(tmp_path / "a.zip", {"a.shp": b"x" * 500, "b.shp": b"y"})
    assert _refused(whole) == {"bad-zip"}
    (tmp_path / "cut.zip").write_bytes(whole.read_bytes()[:-30])
    assert _refused(tmp_path / "cut.zip") == {"bad-zip"}
    assert _refused(_zip(tmp_path / "none.zip", {"readme.txt": b"x"})) == {"unsupported"}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "a.gpkg"
    points = list(PLACE.outfalls)
    geopandas.GeoDataFrame(
        [{"code": item.code, "name": item.name} for item in points],
        geometry=geopandas.points_from_xy([item.lon for item in points], [item.lat for item in points]),
        crs="EPSG:4326",
    ).to_file(path, driver="GPKG", layer="outfalls")
    assert len(read_vector(path, "outfalls", "wgs84")) == len(points)
    return path


def _run(path: Path, *statements: str) -> None:
    base = sqlite3.connect(path)
    base.create_function("ST_IsEmpty", 1, lambda _: 0)
    base.create_function("ST_MinX", 1, lambda _: 0.0)
    base.create_function("ST_MaxX", 1, lambda _: 0.0)
    base.create_function("ST_MinY", 1, lambda _: 0.0)
    base.create_function("ST_MaxY", 1, lambda _: 0.0)
    with base:
        for statement in statements:
            base.execute(statement)
    base.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW v AS SELECT * FROM outfalls",
        "CREATE TRIGGER t AFTER INSERT ON outfalls BEGIN DELETE FROM gpkg_contents; END",
        "CREATE VIRTUAL TABLE f USING fts5(x)",
        "CREATE TABLE g (a TEXT, b TEXT GENERATED ALWAYS AS (hex(a)) VIRTUAL)",
        "UPDATE gpkg_contents SET data_type = 'tiles'",
        "UPDATE gpkg_geometry_columns SET table_name = 'sqlite_master'",
        "UPDATE gpkg_contents SET table_name = 'sqlite_master'",
        "UPDATE gpkg_geometry_columns SET column_name = 'code'",
        "UPDATE outfalls SET geom = x'4750'",
        "UPDATE outfalls SET geom = x'47500001E6100000FFFFFFFFFF'",
        "UPDATE outfalls SET geom = NULL",
        "UPDATE outfalls SET geom = 'text'",
        "DELETE FROM outfalls",
    ],
)
def test_geopackage_with_code_or_nonsense_inside(package: Path, statement: str) -> None:
    _run(package, statement)
    assert _refused(package, "outfalls") <= {"bad-gpkg", "no-geometry", "empty", "wrong-geometry"}


def test_geopackage_cut_or_random(package: Path, tmp_path: Path) -> None:
    whole = package.read_bytes()
    for size in (100, 4096, len(whole) // 2, len(whole) - 5000):
        (tmp_path / "cut.gpkg").write_bytes(whole[:size])
        assert _refused(tmp_path / "cut.gpkg", "outfalls") <= {"bad-gpkg", "empty"}
    (tmp_path / "random.gpkg").write_bytes(whole[:100] + bytes(n * 7 % 256 for n in range(20_000)))
    assert _refused(tmp_path / "random.gpkg", "outfalls") == {"bad-gpkg"}
    assert package.read_bytes() == whole


def test_geopackage_with_too_many_rows(package: Path) -> None:
    base = sqlite3.connect(package)
    triggers = [row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    base.close()
    double = "INSERT INTO outfalls (geom, code, name) SELECT geom, code || hex(randomblob(8)), name FROM outfalls"
    _run(package, *(f"DROP TRIGGER {name}" for name in triggers), *[double] * 13)
    assert _refused(package, "outfalls") == {"too-much"}


def test_shapefile_with_nonsense_inside(tmp_path: Path) -> None:
    grids = geopandas.GeoDataFrame(
        [{"code": "A", "name": "B", "community": "C"}], geometry=[PLACE.grids[0].polygon], crs="EPSG:4326"
    )
    grids.to_file(tmp_path / "g.shp")
    whole = (tmp_path / "g.shp").read_bytes()
    for body in (
        whole[:60],
        whole[:150],
        whole[:100] + b"\xff" * 200,
        whole[:44] + struct.pack("<d", float("nan")) * 20 + whole[204:],
        b"\x00\x00\x27\x0a" + b"\x00" * 96,
    ):
        (tmp_path / "g.shp").write_bytes(body)
        assert _refused(tmp_path / "g.shp", "grids") <= {
            "bad-shapefile", "bad-position", "unreadable", "no-geometry", "empty", "wrong-geometry",
            "out-of-area", "open-ring", "too-few-points",
        }  # fmt: skip
    (tmp_path / "g.shp").write_bytes(whole)
    (tmp_path / "g.prj").write_text("/etc/passwd")
    assert _refused(tmp_path / "g.shp", "grids") == {"crs-mismatch"}


def test_curves_and_measures(tmp_path: Path) -> None:
    line = geopandas.GeoSeries.from_wkt(["LINESTRING Z (112.16 30.35 1, 112.19 30.36 1)"], crs="EPSG:4326")
    line.to_file(tmp_path / "z.gpkg", driver="GPKG", layer="x")
    [feature] = read_vector(tmp_path / "z.gpkg", "centreline", "wgs84")
    assert feature.shape.coords[0] == (112.16, 30.35)
    measured = shapely.from_wkt("LINESTRING ZM (112.16 30.35 1 2, 112.19 30.36 1 2)")
    head = b"GP\x00\x01" + struct.pack("<i", 4326)
    blob = head + shapely.to_wkb(measured, output_dimension=4, flavor="iso")
    _run(tmp_path / "z.gpkg", f"UPDATE x SET geom = x'{blob.hex()}'")
    assert read_vector(tmp_path / "z.gpkg", "centreline", "wgs84")[0].shape.coords[0] == (112.16, 30.35)
    points = (112.16, 30.35, 112.17, 30.36, 112.18, 30.35)
    blob = head + struct.pack("<bII6d", 1, 8, 3, *points)
    _run(tmp_path / "z.gpkg", f"UPDATE x SET geom = x'{blob.hex()}'")
    assert _refused(tmp_path / "z.gpkg", "centreline") == {"wrong-geometry"}


def test_the_parent_stays_small(tmp_path: Path) -> None:
    ring = [[112.0 + (n % 2) / 1000, 30.0 + n / 1e6] for n in range(200_000)]
    shape = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": shape}
    (tmp_path / "a.json").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert _refused(tmp_path / "a.json") == {"too-much"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 300 * 1024
