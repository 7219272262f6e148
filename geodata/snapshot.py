"""One map in one HTML file, for reading without a server: the fixed layers plus what a run found.

Leaflet is read from a folder the caller names and written into the file; the file's own policy forbids any
request. Of the features only numbers, enum words and issue numbers are kept, never anyone's words.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import shapely

from geodata.charts import map_parts
from geodata.errors import GeoError
from geodata.layers import as_geometry
from geodata.place import Place
from geodata.river import words as chainage_words

_KEY = re.compile(r"[a-z][a-z0-9_]{0,30}")
_ENUM = re.compile(r"[a-z][a-z0-9_]{0,40}|[A-Z]{1,6}-\d{4}-\d{1,7}")
_SHAPES = ("Point", "LineString", "Polygon", "MultiPolygon")

# Tokens of the look, light and dark; a snapshot has no style sheet beside it.
_CSS = """
:root { color-scheme: light dark; --paper: #F3F5F2; --ink: #14201E; --ink2: #41504C; --ink3: #5A6864;
  --surface: #FFFFFF; --line: #D3DAD6; --edge: #7B8783; --land: #EEF1E9; --park: #DFE8D6; --water: #CFE2E6;
  --water2: #9DC3CD; --waterink: #2A5F6B; --late: #B01E1A; --focus: #0B57D0; --s1: #6A3FA6; --s2: #1E5CA6;
  --s3: #0B7080; --s4: #9A2F7E; --s5: #2A7438; --s6: #5C6864; }
@media (prefers-color-scheme: dark) { :root { --paper: #0E1615; --ink: #E9EFEC; --ink2: #BAC6C2;
  --ink3: #97A5A0; --surface: #16201E; --line: #2C3936; --edge: #71817C; --land: #121C1A; --park: #17251B;
  --water: #17353D; --water2: #2B5964; --waterink: #9CCBD6; --late: #FF8F84; --focus: #A8C7FA; --s1: #C3A5F2;
  --s2: #8FBDF5; --s3: #66CBD8; --s4: #F09BD6; --s5: #84D193; --s6: #A6B3AE; } }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.6;
  font-family: "PingFang SC","HarmonyOS Sans SC","MiSans","Noto Sans CJK SC","Microsoft YaHei",sans-serif; }
h1 { font-size: 1.25rem; margin: 0; padding: 12px 20px; }
.map { position: relative; height: 70vh; min-height: 20rem; border-block: 1px solid var(--line); }
.leaflet-container { background: var(--land); color: var(--ink); font-family: inherit; }
.leaflet-bar a, .leaflet-popup-content-wrapper, .leaflet-popup-tip { background: var(--surface);
  color: var(--ink); }
.leaflet-control-attribution.leaflet-control { display: none; }
.map-sketch { position: absolute; right: 12px; bottom: 12px; z-index: 500; padding: 0 8px;
  font-size: .8125rem; background: var(--surface); border: 1px solid var(--edge); border-radius: 4px; }
.map-label { color: var(--ink2); font-size: .75rem; white-space: nowrap; }
.layer-water { fill: var(--water); fill-opacity: 1; stroke: var(--water2); stroke-width: 1.5; }
.layer-centreline { stroke: var(--waterink); stroke-width: 1.5; stroke-dasharray: 6 6; }
.layer-tick { stroke: var(--waterink); stroke-width: 2; }
.layer-grid { fill: none; stroke: var(--ink3); stroke-width: 1; stroke-dasharray: 2 4; }
.layer-key { fill: var(--park); fill-opacity: .8; stroke: var(--edge); stroke-width: 1; }
.layer-outfall { fill: var(--ink2); fill-opacity: 1; stroke: var(--surface); stroke-width: 1.5; }
.found { fill: var(--surface); fill-opacity: .9; stroke: var(--s6); stroke-width: 3; cursor: pointer; }
.state-reported { stroke: var(--s1); stroke-dasharray: 5 3; } .state-assigned { stroke: var(--s2); }
.state-supervised { stroke: var(--s3); } .state-rectified { stroke: var(--s4); }
.state-verified { stroke: var(--s5); } .is-late { fill: var(--late); }
.rows { overflow-x: auto; padding: 12px 20px; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 12px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--ink3); font-weight: 400; }
"""

_SCRIPT = """
(function () {
    var found = {found}, words = {words};
    function say(value) { return Object.hasOwn(words, value) ? words[value] : String(value); }
    function shown(key, value) {
        if (value === true || value === false) { return value ? "是" : "否"; }
        if (key !== "chainage_m") { return say(value); }
        var m = Math.round(value);
        return "K" + Math.floor(m / 1000) + "+" + String(m % 1000).padStart(3, "0");
    }
    L.geoJson(found, {
        pointToLayer: function (feature, at) { return L.circleMarker(at, {radius: 8}); },
        onEachFeature: function (feature, layer) {
            var facts = feature.properties, box = document.createElement("div");
            layer.options.className = "found" + (facts.state ? " state-" + facts.state : "") +
                (facts.late === true ? " is-late" : "");
            Object.keys(facts).forEach(function (key) {
                var line = document.createElement("div");
                line.textContent = say(key) + "：" + shown(key, facts[key]);
                box.appendChild(line);
            });
            layer.bindPopup(box, {closeButton: false});
        }
    }).addTo(patrolMap.map);
})();
"""


def single_file_map(
    place: Place,
    features: Iterable[Mapping[str, Any]],
    leaflet: Path,
    words: Mapping[str, str] | None = None,
) -> str:
    """An HTML document with the place's map and GeoJSON features (WGS-84) on it.

    `leaflet` is the folder with leaflet.js and leaflet.css. `words` gives the Chinese for keys and enum
    values. Kept of each feature: numbers, booleans, enum words (`[a-z0-9_]`) and numbers like TH-2026-0123.
    Raises GeoError `no-leaflet` or `bad-position`.
    """
    parts = map_parts(place)
    found = [_kept(feature, place) for feature in features]
    said = dict(words or {})
    leaflet_js, leaflet_css = _leaflet(leaflet)
    ours = _SCRIPT.replace("{found}", _json({"type": "FeatureCollection", "features": found}))
    scripts = [leaflet_js, parts.script + ours.replace("{words}", _json(said))]
    styles = [leaflet_css, _CSS + parts.head_css]
    policy = (
        f"default-src 'none'; script-src {_digests(scripts)}; style-src {_digests(styles)}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    title = f"{escape(place.name)} 巡护图"
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            *(f"<style>{style}</style>" for style in styles),
            f'</head>\n<body>\n<h1>{title}</h1>\n<div class="map">{parts.html}</div>',
            _table(found, said),
            *(f"<script>{script}</script>" for script in scripts),
            "</body>\n</html>\n",
        ]
    )


def _kept(feature: Mapping[str, Any], place: Place) -> dict[str, Any]:
    shape = shapely.geometry.shape(feature["geometry"])
    if shape.geom_type not in _SHAPES or not all(math.isfinite(value) for value in shape.bounds):
        raise GeoError("bad-position", "要画的图形不是点、线、面，或坐标不是有限的数。", "features")
    facts = {
        key: value
        for key, value in (feature.get("properties") or {}).items()
        if isinstance(key, str) and _KEY.fullmatch(key) and _plain(value)
    }
    if "chainage_m" not in facts and place.river is not None:
        spot = shape.representative_point()
        facts["chainage_m"] = round(place.river.chainage_of(spot.x, spot.y).chainage_m)
    return {"type": "Feature", "properties": facts, "geometry": as_geometry(shape)}


def _plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, (bool, int)) or (isinstance(value, str) and bool(_ENUM.fullmatch(value)))


def _table(found: list[dict[str, Any]], said: Mapping[str, str]) -> str:
    """The same facts as a table: the map's equal for who cannot see it."""
    keys = list(dict.fromkeys(key for item in found for key in item["properties"]))
    head = "".join(f"<th>{escape(said.get(key, key))}</th>" for key in keys)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_cell(key, item['properties'].get(key), said)}</td>" for key in keys) + "</tr>"
        for item in found
    )
    return f'<div class="rows" tabindex="0"><table><tr>{head}</tr>{rows}</table></div>' if found else ""


def _cell(key: str, value: Any, said: Mapping[str, str]) -> str:
    if key == "chainage_m" and isinstance(value, (int, float)):
        return chainage_words(value)
    if isinstance(value, bool):
        return "是" if value else "否"
    return "" if value is None else escape(said.get(str(value), str(value)))


def _leaflet(folder: Path) -> tuple[str, str]:
    try:
        js = (folder / "leaflet.js").read_text("utf-8")
        css = (folder / "leaflet.css").read_text("utf-8")
    except OSError as error:
        raise GeoError("no-leaflet", f"在 {folder} 里没有找到 leaflet.js，请先安装前端资源。", "leaflet") from error
    # Its home page stands in the attribution prefix we switch off; its pictures belong to unused controls.
    js = re.sub(r"\n?//# sourceMappingURL=\S*", "", js.replace("https://leafletjs.com", ""))
    return js.replace("</script", "<\\/script"), re.sub(r"[\w-]+:\s*url\([^)]*\)\s*;", "", css)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _digests(blocks: list[str]) -> str:
    hashed = (hashlib.sha256(block.encode()).digest() for block in blocks)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashed)
