"""The map's frame and fixed layers, made by folium: river, chainage, grids, key areas, outfalls.

folium writes text into HTML and scripts as it comes, so nothing that a person or a file has named goes
through it: numbers, enum words and our own class names only. Names are put in by the page's own script with
`textContent`, from the GeoJSON of the layers. No address of another host, no inline style attribute: the
pieces are handed out apart, so that the page can give its nonce to the style and the script.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import folium
from folium.utilities import JsCode
from shapely.geometry import LineString, Point

from geodata.errors import GeoError
from geodata.layers import as_geometry
from geodata.place import Place

TICK_M = 100
LABEL_M = 500
TICK_HALF_M = 10.0
LABEL_HALF_M = 26.0
MAX_ZOOM = 19
SCHEMATIC = "示意图，非实测"

_LABEL = JsCode(
    """function (feature, at) {
        var m = feature.properties.m;
        var text = document.createElement("span");
        text.textContent = "K" + Math.floor(m / 1000) + "+" + String(m % 1000).padStart(3, "0");
        return L.marker(at, {interactive: false, keyboard: false,
            icon: L.divIcon({className: "map-label", html: text, iconSize: null, iconAnchor: [-4, 18]})});
    }"""
)
_OUTFALL = JsCode(
    """function (feature, at) {
        return L.circleMarker(at,
            {radius: 4, interactive: false, fillOpacity: 1, className: "layer-outfall"});
    }"""
)


_CONTROLS = """L.control.zoom({position: "topright", zoomInTitle: "放大", zoomOutTitle: "缩小"}).addTo(MAP);
L.control.scale({imperial: false}).addTo(MAP);"""
_FORBIDDEN = re.compile(r"https?:|<script|\sstyle\s*=|\son\w+\s*=\s*[\"']", re.IGNORECASE)


class _LocalMap(folium.Map):
    """folium's map without its scripts and styles from other hosts; the page brings Leaflet itself."""

    default_js: list[tuple[str, str]] = []
    default_css: list[tuple[str, str]] = []


@dataclass(frozen=True)
class MapParts:
    """A map in pieces: CSS for a style block, HTML for the body, JavaScript to run once Leaflet is loaded.

    The script leaves `map_variable` (a Leaflet map) and `window.patrolMap = {map, layers}` behind, `layers`
    by the names of the place's layers and `chainage`.
    """

    head_css: str
    html: str
    script: str
    map_variable: str


def map_parts(place: Place) -> MapParts:
    """The frame and fixed layers of a place's map. The same place gives the same text every time.

    >>> from geodata.place import Place
    >>> parts = map_parts(Place.open("taihugang"))
    >>> parts.map_variable, "http" in parts.script
    ('map_patrol', False)
    """
    west, south, east, north = place.bounds
    drawn = _LocalMap(
        location=[(south + north) / 2, (west + east) / 2],
        tiles=None,
        zoom_start=15,
        maxZoom=MAX_ZOOM,
        zoom_control=False,
        # Quarter steps, so that a long thin river fills the frame.
        zoomSnap=0.25,
    )
    drawn._id = "patrol"
    names = []
    for name, layer in _layers(place):
        layer._id = name
        layer.add_to(drawn)
        names.append((name, layer.get_name()))
    fit = folium.FitBounds([[south, west], [north, east]], padding=(24, 24))
    fit._id = "place"
    fit.add_to(drawn)
    return _parts(drawn, names, place.schematic)


def _layers(place: Place) -> Iterable[tuple[str, folium.GeoJson]]:
    """Fixed layers from the bottom up; paths carry the class names of the style sheet."""
    classes = {"key_areas": "layer-key", "water": "layer-water", "grids": "layer-grid"}
    for name, css in classes.items():
        if place.features.get(name):
            yield name, _geojson([item.shape for item in place.features[name]], class_name=css)
    if place.river is None:
        return
    yield "centreline", _geojson([place.features["centreline"][0].shape], class_name="layer-centreline")
    yield "chainage", _chainage(place)
    if place.outfalls:
        points = [item.shape for item in place.features["outfalls"]]
        yield "outfalls", _geojson(points, point_to_layer=_OUTFALL)


def _geojson(shapes: Iterable[Any], **options: Any) -> folium.GeoJson:
    features = [_feature(shape) for shape in shapes]
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        interactive=False,
        control=False,
        smooth_factor=0.3,
        **options,
    )


def _feature(shape: Any, **numbers: int) -> dict[str, Any]:
    return {"type": "Feature", "properties": numbers, "geometry": as_geometry(shape)}


def _chainage(place: Place) -> folium.GeoJson:
    """A tick each 100 m and a labelled, longer one each 500 m, across the river."""
    river = place.river
    assert river is not None
    features = []
    for at_m in range(0, int(river.length_m + 0.5) + 1, TICK_M):
        chainage_m = min(float(at_m), river.length_m)
        half_m = LABEL_HALF_M if at_m % LABEL_M == 0 else TICK_HALF_M
        ends = [river.point_at(chainage_m, half_m, "left"), river.point_at(chainage_m, half_m, "right")]
        features.append(_feature(LineString(ends)))
        if at_m % LABEL_M == 0:
            features.append(_feature(Point(ends[0]), m=at_m))
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        interactive=False,
        control=False,
        class_name="layer-tick",
        point_to_layer=_LABEL,
    )


def _parts(drawn: folium.Map, names: list[tuple[str, str]], schematic: bool) -> MapParts:
    figure: Any = drawn.get_root()
    figure.render()
    variable = drawn.get_name()
    # folium's other blocks size the whole page and its viewport; those belong to the page.
    blocks = re.findall(r"<style>(.*?)</style>", figure.header.render(), re.DOTALL)
    css = "\n".join(block.strip() for block in blocks if f"#{variable} " in block or f"#{variable}{{" in block)
    css = css.replace(".leaflet-container { font-size: 1rem; }", "")
    html = figure.html.render().strip()
    if schematic:
        html += f'\n<span class="map-sketch tag">{SCHEMATIC}</span>'
    layers = ", ".join(f"{name}: {layer}" for name, layer in names)
    script = "\n".join(
        [
            figure.script.render().strip(),
            f"{variable}.attributionControl.setPrefix(false);",
            _CONTROLS.replace("MAP", variable),
            f"window.patrolMap = {{map: {variable}, layers: {{{layers}}}}};",
        ]
    )
    parts = MapParts(css, html, script, variable)
    _check(parts)
    return parts


def _check(parts: MapParts) -> None:
    """A folium that one day writes an address or a style attribute must not reach a page unseen."""
    text = parts.head_css + parts.html + parts.script
    if _FORBIDDEN.search(text) or not parts.head_css:
        raise GeoError("unsafe-map", "地图框架里出现了外部地址或内联样式，没有输出。", "charts")
