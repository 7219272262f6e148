"""KML tracks and DJI's waylines (WPML) into rows; the newest of what a file offers: track, timed points, route.

A wayline is a plan: its rows say where the drone was meant to be and carry no times.
"""

from __future__ import annotations

import itertools
import math

from geodata.errors import GeoError
from geodata.logs.points import Points, broken, number
from geodata.logs.rows import LineRemark, Rows
from geodata.logs.xmlrecords import Read, Record, read_records

_WANTED = ("Folder", "Placemark", "Track", "LineString", "NetworkLink")
_FIXED_HEADINGS = ("smoothTransition", "fixed")


def read_kml_log(data: bytes) -> Rows:
    """Rows of a KML or WPML file. Raises GeoError `bad-xml`, `not-a-log`, `network-link` or `no-positions`.

    >>> track = b"<Track><when>2026-05-01T01:00:00Z</when><coord>112.18 30.35 80</coord></Track>"
    >>> rows = read_kml_log(b"<kml><Placemark>" + track + b"</Placemark></kml>")
    >>> rows.dialect, float(rows.column("lon")[0])
    ('track', 112.18)
    """
    read = read_records(data, _WANTED)
    if read.root != "kml":
        raise GeoError("not-a-log", f"这个 XML 不是 KML（根元素是 {read.root[:40]}）。", "kml")
    if any(record.name == "NetworkLink" for record in read.records):
        raise GeoError("network-link", "KML 里有网络链接（NetworkLink），不收；请把内容另存为本地 KML。", "kml")
    for reader in (_tracks, _timed_places, _waypoints, _lines):
        rows = reader(read)
        if rows is not None:
            broken(rows, read.broken_at)
            return rows
    raise GeoError("no-positions", "KML 里没有航迹，也没有航线，请确认导出的是飞行航迹。", "kml")


def _coordinates(text: str) -> tuple[float, float, float]:
    parts = [number(part) for part in text.replace(",", " ").split()[:3]]
    parts += [math.nan] * (3 - len(parts))
    return parts[0], parts[1], parts[2]


def _above_sea(record: Record, height: float) -> float:
    """Heights over the ground are of no use here: the ground is not known."""
    return height if record.text("altitudeMode") in ("absolute", "") else math.nan


def _tracks(read: Read) -> Rows | None:
    points = Points()
    for record in read.records:
        if record.name != "Track":
            continue
        angles = record.fields.get("angles", [])
        pairs = zip(record.fields.get("when", ()), record.fields.get("coord", ()), strict=False)
        for (when, _), (coordinate, line), angle in (
            (*pair, angle) for pair, angle in itertools.zip_longest(pairs, angles) if pair is not None
        ):
            lon, lat, height = _coordinates(coordinate)
            heading = number(angle[0].split()[0]) if angle and angle[0].split() else math.nan
            points.add(line, when, lon=lon, lat=lat, abs_alt_m=_above_sea(record, height), heading_deg=heading)
    return points.rows("kml", "track") if points.lines else None


def _timed_places(read: Read) -> Rows | None:
    points = Points()
    for record in _placemarks(read):
        when = record.text("when")
        if when:
            lon, lat, height = _coordinates(record.text("coordinates"))
            points.add(record.line, when, lon=lon, lat=lat, abs_alt_m=_above_sea(record, height))
    return points.rows("kml", "placemarks") if points.lines else None


def _placemarks(read: Read) -> list[Record]:
    return [record for record in read.records if record.name == "Placemark" and record.whole]


def _waypoints(read: Read) -> Rows | None:
    """Placemarks with a point each, in DJI's new (`wpml:`) and old (`mis:`) words."""
    points = Points()
    waylines = False
    for record in _placemarks(read):
        place = record.text("coordinates")
        if not place or "\n" in place.strip() or len(place.split()) > 1:
            continue
        lon, lat, height = _coordinates(place)
        relative, absolute = _heights(record, height)
        heading = number(record.text("waypointHeadingAngle", "heading"))
        mode = record.text("waypointHeadingMode")
        if mode and mode not in _FIXED_HEADINGS:
            heading = math.nan
        waylines |= "index" in record.fields
        points.add(
            record.line,
            "",
            lon=lon,
            lat=lat,
            rel_alt_m=relative,
            abs_alt_m=absolute,
            heading_deg=heading,
            gimbal_pitch_deg=number(record.text("gimbalPitchRotateAngle", "waypointGimbalPitchAngle", "gimbalPitch")),
        )
    if not points.lines:
        return None
    return points.rows("wpml" if waylines else "kml", "waylines" if waylines else "waypoints", planned=True)


def _heights(record: Record, height: float) -> tuple[float, float]:
    """(above take-off, above sea or ellipsoid) of a waypoint, by the mode its folder declares."""
    folder = record.parent
    while folder is not None and folder.name != "Folder":
        folder = folder.parent
    mode = folder.text("executeHeightMode", "heightMode") if folder else ""
    planned = number(record.text("executeHeight", "height"))
    if mode == "relativeToStartPoint":
        return planned, math.nan
    if mode in ("WGS84", "EGM96"):
        ellipsoid = number(record.text("ellipsoidHeight")) if mode == "WGS84" else math.nan
        return math.nan, planned if math.isnan(ellipsoid) else ellipsoid
    return math.nan, math.nan if mode else _above_sea(record, height)


def _lines(read: Read) -> Rows | None:
    points = Points()
    for record in read.records:
        for text, line in record.fields.get("coordinates", ()) if record.name == "LineString" else ():
            for offset, part in enumerate(text.split()):
                lon, lat, height = _coordinates(part)
                points.add(
                    line + min(offset, text.count("\n")), "", lon=lon, lat=lat, abs_alt_m=_above_sea(record, height)
                )
    if not points.lines:
        return None
    rows = points.rows("kml", "line")
    rows.remarks.append(LineRemark("no_times", "KML 里只有线，没有时间：只能看航迹，不能给照片定位。"))
    return rows
