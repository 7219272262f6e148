"""GeoJSON layers of a place: a strict reader that names every fault at once, and a writer.

Public GeoJSON never reaches GDAL: this parser is the only door. It repairs nothing silently, and knows
nothing of places or rivers.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping

from geodata.crs import Declared, declared, disagreement
from geodata.drawing import Drawing, Faults
from geodata.errors import GeoError

# 180,000 vertices as desktop programs write them; hostile JSON of this size costs some 300 MB to parse.
MAX_BYTES = 8 * 1024 * 1024
MAX_FEATURES = 50_000
MAX_VERTICES_IN_ALL = 500_000
# A place is a reach of one river or a lake shore. Anything wider is a slip of the axis, a wrong system, or
# a shape across the antimeridian or a pole.
MAX_EXTENT_DEG = 3.0

Value = str | int | float | bool | None


@dataclass(frozen=True)
class LayerRule:
    """What a layer holds: its geometry types, the properties each feature must have, and its Chinese name."""

    title: str
    shapes: tuple[str, ...]
    required: tuple[str, ...] = ()
    single: bool = False


LAYERS: dict[str, LayerRule] = {
    "centreline": LayerRule("中心线", ("LineString",), single=True),
    "water": LayerRule("水面", ("Polygon", "MultiPolygon")),
    "key_areas": LayerRule("重点区域", ("Polygon", "MultiPolygon"), ("code", "name")),
    "grids": LayerRule("网格", ("Polygon", "MultiPolygon"), ("code", "name", "community")),
    "outfalls": LayerRule("排口", ("Point",), ("code", "name")),
}

_KINDS: dict[str, str] = {"Point": "点", "LineString": "线", "Polygon": "面", "MultiPolygon": "多面"}


@dataclass(frozen=True)
class Feature:
    """One feature in WGS-84: its number in the file (from 1), shape, plain properties, the reader's notes."""

    number: int
    shape: Any
    properties: dict[str, Value]
    notes: tuple[str, ...] = ()


def rule_of(layer: str) -> LayerRule:
    """The rule of a layer. Raises GeoError `unknown-layer`.

    >>> rule_of("water").title
    '水面'
    """
    if layer not in LAYERS:
        raise GeoError("unknown-layer", f"没有“{layer[:40]}”这个图层，请写 {'、'.join(LAYERS)} 之一。", "layer")
    return LAYERS[layer]


def load_json(data: bytes, where: str) -> Any:
    """Strict JSON: UTF-8, no NaN or Infinity, no duplicate keys, limits of size and depth.

    Raises GeoError `bad-json` or `too-much`.

    >>> load_json(b'{"a": 1}', "water")
    {'a': 1}
    """
    if len(data) > MAX_BYTES:
        raise GeoError("too-much", f"{where}：文件超过 {MAX_BYTES // 2**20} MB，请先简化。", where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GeoError("bad-json", f"{where}：不是 UTF-8 编码的 JSON，请另存为 UTF-8。", where) from error

    def no_constant(word: str) -> Any:
        raise ValueError(f"{word} 不是 JSON 的数")

    def no_repeat(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        kept = dict(pairs)
        if len(kept) != len(pairs):
            raise ValueError("同一个键写了两次")
        return kept

    try:
        return json.loads(text, parse_constant=no_constant, object_pairs_hook=no_repeat)
    except (ValueError, RecursionError) as error:
        said = f"第 {error.lineno} 行" if isinstance(error, json.JSONDecodeError) else str(error)[:80]
        raise GeoError("bad-json", f"{where}：不是有效的 JSON（{said}）。", where) from error


def read_geojson(data: bytes, layer: str, crs: str = "wgs84") -> list[Feature]:
    """The features of one GeoJSON layer, in WGS-84, shapes checked.

    `crs` is the declared system of the numbers. Raises GeoError for a file that cannot be read, GeoErrors
    naming every fault of a file that can.

    >>> text = '''{"type": "FeatureCollection", "features": [{"type": "Feature", "properties":
    ...   {"code": "P1", "name": "1号"}, "geometry": {"type": "Point", "coordinates": [112.18, 30.35]}}]}'''
    >>> read_geojson(text.encode(), "outfalls")[0].properties["name"]
    '1号'
    """
    system = declared(crs)
    faults = Faults(layer)
    return build(raw_features(data, layer, system, faults), layer, system, faults)


def raw_features(data: bytes, layer: str, system: Declared, faults: Faults) -> list[Any]:
    """The unchecked features of GeoJSON bytes. Raises GeoError or GeoErrors when there are none to check."""
    rule_of(layer)
    document = load_json(data, layer)
    if not isinstance(document, dict) or document.get("type") not in ("FeatureCollection", "Feature"):
        faults.add("bad-geojson", "应是一个 GeoJSON FeatureCollection。")
        faults.close()
    _check_crs_member(document, system, faults)
    raw = [document] if document["type"] == "Feature" else document.get("features")
    if not isinstance(raw, list) or not raw:
        faults.add("empty", "里面没有要素，请检查导出时是否选中了图层。")
        faults.close()
    return list(raw)


def build(raw: Iterable[Any], layer: str, system: Declared, faults: Faults | None = None) -> list[Feature]:
    """Checked features from GeoJSON-like ones (a generator will do). Raises GeoErrors with every fault."""
    faults = faults or Faults(layer)
    features: list[Feature] = []
    total = 0
    for number, item in enumerate(raw, start=1):
        if number > MAX_FEATURES:
            faults.add("too-much", f"要素超过 {MAX_FEATURES} 个，请先裁剪到本河段。")
            break
        feature = _feature(item, number, layer, system, faults)
        if feature is None:
            continue
        total += int(shapely.count_coordinates(feature.shape))
        if total > MAX_VERTICES_IN_ALL:
            faults.add("too-much", f"顶点合计超过 {MAX_VERTICES_IN_ALL} 个，请先简化。")
            break
        features.append(feature)
    if not features and not faults.found:
        faults.add("empty", "里面没有要素，请检查导出时是否选中了图层。")
    if features and not faults.found:
        _check_whole(features, layer, faults)
    faults.close()
    return features


def _check_whole(features: list[Feature], layer: str, faults: Faults) -> None:
    if LAYERS[layer].single and len(features) > 1:
        faults.add("too-many-lines", "中心线应只有一条从上游到下游的线，请先合并。")
    if "code" in LAYERS[layer].required:
        seen: dict[str, int] = {}
        for feature in features:
            code = str(feature.properties["code"])
            if code in seen:
                faults.add("duplicate-code", f"编号 {code[:40]} 与第 {seen[code]} 个重复。", feature.number)
            seen.setdefault(code, feature.number)
    west, south, east, north = shapely.total_bounds([feature.shape for feature in features])
    if east - west > MAX_EXTENT_DEG or north - south > MAX_EXTENT_DEG:
        faults.add(
            "out-of-area",
            f"范围从 ({west:.4f}, {south:.4f}) 到 ({east:.4f}, {north:.4f})，超过 {MAX_EXTENT_DEG:g} 度："
            "可能坐标系声明错了、经纬度写反了，或图形跨过了 180 度经线。",
        )


def _check_crs_member(document: dict[str, Any], system: Declared, faults: Faults) -> None:
    """RFC 7946 dropped the `crs` member, but desktop programs still write it; it must not contradict."""
    member = document.get("crs")
    if member is None:
        return
    inside = member.get("properties") if isinstance(member, dict) else None
    name = inside.get("name") if isinstance(inside, dict) else None
    said = disagreement(system, name) if isinstance(name, str) and len(name) < 200 else "crs 一项写法有误。"
    if said:
        faults.add("crs-mismatch", said)
        faults.close()


def _feature(item: Any, number: int, layer: str, system: Declared, faults: Faults) -> Feature | None:
    rule = LAYERS[layer]
    if not isinstance(item, dict) or item.get("type") != "Feature":
        faults.add("bad-geojson", "不是一个 Feature。", number)
        return None
    known = len(faults.found)
    properties = _properties(item.get("properties"), number, rule, faults)
    geometry = item.get("geometry")
    if not isinstance(geometry, dict):
        faults.add("no-geometry", "没有图形，请删去或补画。", number)
        return None
    kind = geometry.get("type")
    if kind not in rule.shapes:
        allowed = "、".join(_KINDS[shape] for shape in rule.shapes)
        faults.add("wrong-geometry", f"图形类型是 {str(kind)[:40]!r}，{rule.title}图层只收{allowed}。", number)
        return None
    notes: list[str] = []
    shape = Drawing(number, system, faults, notes).draw(str(kind), geometry.get("coordinates"))
    if shape is None or len(faults.found) > known:
        return None
    return Feature(number, shape, properties, tuple(notes))


def _properties(given: Any, number: int, rule: LayerRule, faults: Faults) -> dict[str, Value]:
    if given is None:
        given = {}
    if not isinstance(given, dict):
        faults.add("bad-properties", "属性应是一个对象。", number)
        return {}
    kept: dict[str, Value] = {}
    for key, value in given.items():
        if isinstance(value, (dict, list)):
            continue
        if isinstance(value, float) and not math.isfinite(value):
            faults.add("bad-properties", f"属性 {key[:40]} 不是有效的数。", number)
        elif _unprintable(key) or (isinstance(value, str) and _unprintable(value)):
            faults.add("bad-properties", "属性里有控制字符或半个字符，请重新导出。", number)
        elif isinstance(value, str) and len(value) > 500:
            faults.add("bad-properties", f"属性 {key[:40]} 超过 500 字。", number)
        else:
            kept[key] = value
    for key in rule.required:
        if not isinstance(kept.get(key), str) or not str(kept[key]).strip():
            faults.add("missing-property", f"缺少属性 {key}。", number)
    return kept


def _unprintable(text: str) -> bool:
    return any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF for char in text)


def collection(features: Iterable[Feature], **members: Any) -> dict[str, Any]:
    """Features as a GeoJSON FeatureCollection dict; degrees to 7 places (1 cm), `members` beside the list.

    >>> from shapely.geometry import Point
    >>> made = collection([Feature(1, Point(112.18, 30.35), {"code": "P1"})], schematic=True)
    >>> made["features"][0]["geometry"]["coordinates"], made["schematic"]
    ([112.18, 30.35], True)
    """
    return {
        "type": "FeatureCollection",
        **members,
        "features": [
            {"type": "Feature", "properties": dict(item.properties), "geometry": as_geometry(item.shape)}
            for item in features
        ],
    }


def as_geometry(shape: Any) -> dict[str, Any]:
    """A shape as a GeoJSON geometry dict, degrees to 7 places."""
    return {"type": shape.geom_type, "coordinates": _rounded(mapping(shape)["coordinates"])}


def _rounded(item: Any) -> Any:
    return [_rounded(part) for part in item] if isinstance(item, tuple) else round(float(item), 7)


def write_geojson(path: Path, features: Iterable[Feature]) -> None:
    """One layer file, whole or not at all: written beside and moved into place."""
    text = json.dumps(collection(features), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_whole(path, text + "\n")


def write_whole(path: Path, text: str) -> None:
    """A text file that no reader ever sees half written."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
