"""The map's frame: nothing from other hosts, nothing inline, nobody's words, the same text every time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from geodata.charts import MAX_ZOOM, map_parts
from geodata.errors import GeoError
from geodata.place import BUNDLED, Place
from geodata.snapshot import single_file_map

PLACE = Place.open("taihugang")
PARTS = map_parts(PLACE)
EVIL = "</script><img src=x onerror=alert(1)>${alert(2)}`'\"http://example.invalid/"
# A stand-in for the vendor folder, which is built and not there in every checkout.
LEAFLET_JS = (
    '/* Leaflet, https://leafletjs.com */var a="http://www.w3.org/2000/svg",b=\'<a href="https://leafletjs.com">\';'
    "\n//# sourceMappingURL=leaflet.js.map"
)
LEAFLET_CSS = ".leaflet-x { background-image: url(images/layers.png); behavior: url(#default#VML); }"


@pytest.fixture
def leaflet(tmp_path: Path) -> Path:
    folder = tmp_path / "leaflet"
    folder.mkdir()
    (folder / "leaflet.js").write_text(LEAFLET_JS, "utf-8")
    (folder / "leaflet.css").write_text(LEAFLET_CSS, "utf-8")
    return folder


class Tags(HTMLParser):
    """Every tag and attribute of a document, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def _issue(**facts: Any) -> dict[str, Any]:
    lon, lat = PLACE.river.point_at(1240.0, 24.0, "left")  # type: ignore[union-attr]
    return {"type": "Feature", "properties": facts, "geometry": {"type": "Point", "coordinates": [lon, lat]}}


def test_no_address_of_another_host_anywhere() -> None:
    for text in (PARTS.head_css, PARTS.html, PARTS.script):
        assert "http" not in text
        assert "//" not in text
        assert "url(" not in text
        assert "@import" not in text


def test_nothing_inline_is_left() -> None:
    tags = Tags(PARTS.html).found
    assert [tag for tag, _ in tags] == ["div", "span"]
    for _, attributes in tags:
        assert set(attributes) <= {"id", "class"}
    assert "viewport" not in PARTS.head_css + PARTS.html
    assert "html, body" not in PARTS.head_css
    assert "#map_patrol {" in PARTS.head_css


def test_the_frame_is_set_up_as_the_pages_need_it() -> None:
    assert "map_patrol.attributionControl.setPrefix(false);" in PARTS.script
    assert f'"maxZoom": {MAX_ZOOM}' in PARTS.script
    assert "L.tileLayer" not in PARTS.script
    assert "fitBounds" in PARTS.script
    exported = re.search(r"window.patrolMap = \{map: (\w+), layers: \{(.*)\}\};", PARTS.script)
    assert exported is not None
    assert exported[1] == PARTS.map_variable == "map_patrol"
    names = [pair.split(": ") for pair in exported[2].split(", ")]
    order = ["key_areas", "water", "grids", "centreline", "chainage", "outfalls"]
    assert [name for name, _ in names] == order
    for _, variable in names:
        assert f"var {variable} = L.geoJson(" in PARTS.script


def test_every_hundred_metres_has_a_tick_and_every_five_hundred_a_label() -> None:
    data = re.search(r"geo_json_chainage_add\((\{.*\})\);", PARTS.script)
    assert data is not None
    features = json.loads(data[1])["features"]
    assert sum(item["geometry"]["type"] == "LineString" for item in features) == 30
    labels = [item["properties"]["m"] for item in features if item["geometry"]["type"] == "Point"]
    assert labels == [0, 500, 1000, 1500, 2000, 2500]


def test_a_schematic_says_so_and_a_survey_does_not(tmp_path: Path) -> None:
    assert "示意图，非实测" in PARTS.html
    copy = Path(shutil.copytree(BUNDLED / "taihugang", tmp_path / "copy"))
    about = (copy / "place.toml").read_text("utf-8")
    (copy / "place.toml").write_text(about.replace("schematic = true", "schematic = false"), "utf-8")
    assert "示意" not in map_parts(Place.open(copy)).html


def test_names_of_a_place_never_go_through_folium(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(BUNDLED / "taihugang", tmp_path / "copy"))
    for layer in ("grids", "key_areas", "outfalls", "water"):
        document = json.loads((copy / f"{layer}.geojson").read_text("utf-8"))
        for number, item in enumerate(document["features"]):
            item["properties"] |= {"name": EVIL, "code": f"{EVIL}{number}", "community": EVIL}
        (copy / f"{layer}.geojson").write_text(json.dumps(document), "utf-8")
    (copy / "units.toml").unlink()
    evil = map_parts(Place.open(copy))
    assert (evil.head_css, evil.html) == (PARTS.head_css, PARTS.html)
    assert "alert" not in evil.script and "example.invalid" not in evil.script


def test_the_same_place_gives_the_same_text() -> None:
    assert map_parts(Place.open("taihugang")) == PARTS


def test_a_place_with_only_water_has_a_map(tmp_path: Path) -> None:
    for name in ("place.toml", "water.geojson"):
        shutil.copy(BUNDLED / "taihugang" / name, tmp_path / name)
    assert "layers: {water: geo_json_water}" in map_parts(Place.open(tmp_path)).script


def test_a_snapshot_carries_everything_and_asks_for_nothing(leaflet: Path) -> None:
    text = single_file_map(
        PLACE,
        [_issue(issue="TH-2026-0123", kind="sewage", state="supervised", late=True)],
        leaflet,
        {"sewage": "污水直排"},
    )
    assert set(re.findall(r"https?://[^\s\"'<>)]*", text)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in text and "sourceMappingURL" not in text
    for tag, attributes in Tags(text).found:
        assert not {"src", "href", "style"} & set(attributes), tag
        assert not any(name.startswith("on") for name in attributes), tag
        assert "user-scalable" not in (attributes.get("content") or "")
    assert "示意图，非实测" in text
    assert "<td>污水直排</td>" in text and "<td>TH-2026-0123</td>" in text and "<td>K1+240</td>" in text


def test_a_snapshots_policy_names_its_own_blocks(leaflet: Path) -> None:
    text = single_file_map(PLACE, [], leaflet)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None and "default-src 'none'" in policy[1] and "unsafe" not in policy[1]
    for kind in ("script", "style"):
        blocks = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        assert len(blocks) == 2
        for block in blocks:
            digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy[1]


def test_a_snapshot_keeps_nobodys_words(leaflet: Path) -> None:
    evil = _issue(issue="TH-2026-0001", words=EVIL, kind=EVIL, reporter="张三", nested={"a": 1}, **{EVIL: 1})
    text = single_file_map(PLACE, [evil], leaflet)
    assert "TH-2026-0001" in text
    for trace in ("alert", "example.invalid", "张三", "onerror", "nested"):
        assert trace not in text


def test_a_snapshot_refuses_what_has_no_place(leaflet: Path, tmp_path: Path) -> None:
    for geometry in (
        {"type": "Point", "coordinates": [float("inf"), 30.0]},
        {"type": "GeometryCollection", "geometries": []},
    ):
        with pytest.raises(GeoError):
            single_file_map(PLACE, [{"type": "Feature", "properties": {}, "geometry": geometry}], leaflet)
    with pytest.raises(GeoError) as caught:
        single_file_map(PLACE, [], tmp_path / "nowhere")
    assert caught.value.code == "no-leaflet"
