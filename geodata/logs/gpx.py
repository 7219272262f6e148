"""GPX 1.0 and 1.1 into rows: track points, else route points (a plan), else waypoints. It follows no link."""

from __future__ import annotations

from geodata.errors import GeoError
from geodata.logs.points import Points, broken, number
from geodata.logs.rows import Rows
from geodata.logs.xmlrecords import read_records

_KINDS = ("trkpt", "rtept", "wpt")


def read_gpx(data: bytes) -> Rows:
    """Rows of a GPX file. `ele` is a height above the sea as the writer meant it.

    Raises GeoError `bad-xml`, `not-a-log` (another root) or `no-positions`.

    >>> point = b'<trkpt lat="30.35" lon="112.18"><ele>40</ele><time>2026-05-01T01:00:00Z</time></trkpt>'
    >>> rows = read_gpx(b"<gpx><trk><trkseg>" + point + b"</trkseg></trk></gpx>")
    >>> float(rows.column("lat")[0]), rows.clock_zone
    (30.35, 'UTC')
    """
    read = read_records(data, _KINDS)
    if read.root != "gpx":
        raise GeoError("not-a-log", f"这个 XML 不是 GPX（根元素是 {read.root[:40]}）。", "gpx")
    for kind in _KINDS:
        records = [record for record in read.records if record.name == kind and record.whole]
        if not records:
            continue
        points = Points()
        for record in records:
            points.add(
                record.line,
                record.text("time"),
                lon=number(record.attributes.get("lon", "")),
                lat=number(record.attributes.get("lat", "")),
                abs_alt_m=number(record.text("ele")),
                heading_deg=number(record.text("heading", "course")),
                gimbal_yaw_deg=number(record.text("gimbal_yaw", "gimbalYaw")),
                gimbal_pitch_deg=number(record.text("gimbal_pitch", "gimbalPitch")),
                gimbal_roll_deg=number(record.text("gimbal_roll", "gimbalRoll")),
            )
        rows = points.rows("gpx", kind, planned=kind == "rtept" and not any(r.text("time") for r in records))
        broken(rows, read.broken_at)
        return rows
    raise GeoError("no-positions", "GPX 里没有航迹点，请确认导出的是飞行航迹。", "gpx")
