"""KML into plain features, by an own reader over defusedxml: no DTD, no entities, no links followed.

Styles, overlays and descriptions are not looked at; a NetworkLink refuses the whole file.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from geodata.errors import GeoError

MAX_BYTES = 4 * 1024 * 1024
_SHAPES = ("Point", "LineString", "LinearRing", "Polygon", "MultiGeometry", "Model", "Track", "MultiTrack")


def read_kml(data: bytes) -> list[dict[str, Any]]:
    """GeoJSON-like features of every Placemark: `name` and extended data as properties, shapes unchecked.

    Raises GeoError `bad-xml`, `unsupported`, `too-much` or `network-link`.

    >>> point = b"<Point><coordinates>112.18,30.35</coordinates></Point>"
    >>> read_kml(b"<kml><Placemark><name>A</name>" + point + b"</Placemark></kml>")[0]["geometry"]
    {'type': 'Point', 'coordinates': [112.18, 30.35]}
    """
    if len(data) > MAX_BYTES:
        raise GeoError("too-much", f"KML 超过 {MAX_BYTES // 2**20} MB，请先裁剪到本河段。", "kml")
    try:
        root = fromstring(data, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except (DefusedXmlException, ParseError, LookupError, ValueError) as error:
        raise GeoError("bad-xml", "KML 写法有误，或带有不收的实体声明，请重新导出。", "kml") from error
    if _local(root) != "kml":
        raise GeoError("unsupported", f"这个 XML 不是 KML（根元素是 {_local(root)[:40]}）。", "kml")
    features = []
    for element in root.iter():
        if _local(element) == "NetworkLink":
            raise GeoError("network-link", "KML 里有网络链接（NetworkLink），不收；请把内容另存为本地 KML。", "kml")
        if _local(element) == "Placemark":
            features.append({"type": "Feature", "properties": _properties(element), "geometry": _placed(element)})
    return features


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element if _local(child) == name), None)


def _properties(placemark: Element) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    name = _child(placemark, "name")
    if name is not None and name.text:
        kept["name"] = name.text.strip()
    extended = _child(placemark, "ExtendedData")
    for element in extended.iter() if extended is not None else ():
        key = element.get("name", "")
        if _local(element) == "SimpleData" and key:
            kept[key] = (element.text or "").strip()
        elif _local(element) == "Data" and key:
            value = _child(element, "value")
            kept[key] = (value.text or "").strip() if value is not None else ""
    return kept


def _placed(placemark: Element) -> dict[str, Any] | None:
    shapes = [child for child in placemark if _local(child) in _SHAPES]
    return _geometry(shapes[0]) if len(shapes) == 1 else None


def _geometry(element: Element) -> dict[str, Any]:
    kind = _local(element)
    if kind == "Point":
        points = _coordinates(element)
        return {"type": kind, "coordinates": points[0] if len(points) == 1 else points}
    if kind == "LineString":
        return {"type": kind, "coordinates": _coordinates(element)}
    if kind == "Polygon":
        return {"type": kind, "coordinates": _rings(element)}
    if kind == "MultiGeometry":
        parts = [child for child in element if _local(child) in _SHAPES]
        if parts and all(_local(part) == "Polygon" for part in parts):
            return {"type": "MultiPolygon", "coordinates": [_rings(part) for part in parts]}
        if len(parts) == 1 and _local(parts[0]) != "MultiGeometry":
            return _geometry(parts[0])
    return {"type": kind, "coordinates": None}


def _rings(polygon: Element) -> list[Any]:
    outer = [child for child in polygon if _local(child) == "outerBoundaryIs"]
    inner = [child for child in polygon if _local(child) == "innerBoundaryIs"]
    return [_coordinates(ring) for edge in (*outer, *inner) for ring in edge if _local(ring) == "LinearRing"]


def _coordinates(element: Element) -> list[Any]:
    holder = _child(element, "coordinates")
    text = holder.text or "" if holder is not None else ""
    return [[_number(part) for part in point.split(",", 4)] for point in text.split()]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text[:20]
