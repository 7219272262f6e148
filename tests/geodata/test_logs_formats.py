"""GPX, KML, waylines and tables of several apps, each written here anew in the app's own words."""

from __future__ import annotations

import io
import math
import zipfile
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geodata.errors import GeoError
from geodata.logs import read_log_bytes
from geodata.logs.clock import reading
from geodata.logs.dms import degrees
from geodata.logs.fill import fill

START = datetime(2026, 5, 1, 1, tzinfo=UTC)


def _gpx(version: str, stamp: str = "2026-05-01T01:00:0{0}Z") -> bytes:
    spaces = f"http://www.topografix.com/GPX/{version.replace('.', '/')}"
    points = "\n".join(
        f'<trkpt lat="30.35{at}" lon="112.18{at}"><ele>9{at}.5</ele><time>{stamp.replace("{0}", str(at))}</time>'
        f"<extensions><x:gimbal_pitch>-90</x:gimbal_pitch></extensions></trkpt>"
        for at in range(5)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="{version}" xmlns="{spaces}" xmlns:x="urn:x">\n'
        f'<wpt lat="1" lon="2"/><trk><name>flight</name><trkseg>\n{points}\n</trkseg></trk></gpx>'
    ).encode()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_gpx_tracks(version: str) -> None:
    track = read_log_bytes(_gpx(version))
    assert (track.kind, track.dialect, track.zone, track.start_at) == ("gpx", "trkpt", "UTC", START)
    assert track.lon.tolist() == [112.18, 112.181, 112.182, 112.183, 112.184] and track.abs_alt_m[1] == 91.5
    assert track.line.tolist() == [4, 5, 6, 7, 8] and track.gimbal_pitch_deg[0] == -90


def test_gpx_with_an_offset_without_zone_and_with_both() -> None:
    assert read_log_bytes(_gpx("1.1", "2026-05-01T09:00:0{0}+08:00")).start_at == START
    bare = read_log_bytes(_gpx("1.1", "2026-05-01T09:00:0{0}"))
    assert bare.zone == "undeclared" and bare.start_at is None
    assert read_log_bytes(_gpx("1.1", "2026-05-01T09:00:0{0}"), "Asia/Shanghai").start_at == START
    mixed = read_log_bytes(_gpx("1.1").replace(b"01:00:03Z", b"01:00:03"))
    assert len(mixed) == 4 and {"mixed_zones", "no_time"} <= {remark.code for remark in mixed.remarks}


def test_a_truncated_gpx_keeps_its_whole_points() -> None:
    data = _gpx("1.1")
    cut = read_log_bytes(data[: data.index(b'lat="30.353"') + 30])
    assert len(cut) == 3 and cut.remarks[-1].code == "truncated" and cut.remarks[-1].line == 7


def test_gpx_routes_are_plans_and_without_points_a_sentence() -> None:
    route = read_log_bytes(b'<gpx><rte><rtept lat="30.35" lon="112.18"/><rtept lat="30.36" lon="112.18"/></rte></gpx>')
    assert route.planned and not route.timed and route.at(0.0) is None
    with pytest.raises(GeoError) as caught:
        fill([], route)
    assert caught.value.code == "planned-not-flown"
    for data, code in ((b"<gpx><trk/></gpx>", "no-positions"), (b"<svg></svg>", "not-a-log"), (b"<gpx", "not-a-log")):
        with pytest.raises(GeoError) as caught:
            read_log_bytes(data)
        assert caught.value.code == code


def test_kml_tracks_with_angles() -> None:
    whens = "".join(f"<when>2026-05-01T01:00:0{at}Z</when>\n" for at in range(4))
    coords = "".join(f"<gx:coord>112.18{at} 30.35{at} 9{at}</gx:coord>\n" for at in range(4))
    angles = "".join(f"<gx:angles>{at * 10} -45 0</gx:angles>\n" for at in range(4))
    data = (
        '<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="urn:gx"><Document><Placemark>'
        f"<gx:Track><altitudeMode>absolute</altitudeMode>{whens}{coords}{angles}</gx:Track></Placemark></Document></kml>"
    ).encode()
    track = read_log_bytes(data)
    assert (track.kind, track.dialect, track.start_at) == ("kml", "track", START)
    assert track.lat[2] == 30.352 and track.abs_alt_m[2] == 92 and track.heading_deg[2] == 20
    grounded = read_log_bytes(data.replace(b"absolute", b"relativeToGround"))
    assert all(math.isnan(value) for value in grounded.abs_alt_m)
    cut = read_log_bytes(data[: data.index(b"<gx:angles>20")])
    assert len(cut) == 4 and "truncated" in {remark.code for remark in cut.remarks}


def test_kml_lines_and_timed_places() -> None:
    line = read_log_bytes(
        b"<kml><Placemark><LineString><coordinates>112.18,30.35,90\n112.19,30.35,91</coordinates></LineString></Placemark></kml>"
    )
    assert line.dialect == "line" and not line.timed and len(line) == 2 and "no_times" in {r.code for r in line.remarks}
    place = "<Placemark><TimeStamp><when>2026-05-01T01:00:0{0}Z</when></TimeStamp><Point><coordinates>112.18,30.35{0},90</coordinates></Point></Placemark>"
    timed = read_log_bytes(f"<kml>{''.join(place.replace('{0}', str(at)) for at in range(3))}</kml>".encode())
    assert timed.dialect == "placemarks" and timed.start_at == START and timed.lat[2] == 30.352


def _waypoints(heights: str) -> str:
    return "".join(
        f"<Placemark><Point><coordinates>\n 112.18{at},30.35{at} \n</coordinates></Point><wpml:index>{at}</wpml:index>{heights}"
        "<wpml:waypointHeadingParam><wpml:waypointHeadingMode>smoothTransition</wpml:waypointHeadingMode>"
        "<wpml:waypointHeadingAngle>45</wpml:waypointHeadingAngle></wpml:waypointHeadingParam><wpml:actionGroup><wpml:action>"
        "<wpml:gimbalPitchRotateAngle>-90</wpml:gimbalPitchRotateAngle></wpml:action></wpml:actionGroup></Placemark>"
        for at in range(3)
    )


def _wpml(folder: str, heights: str) -> bytes:
    return (
        '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2" xmlns:wpml="http://www.dji.com/wpmz/1.0.2">'
        "<Document><wpml:missionConfig><wpml:takeOffRefPoint>30.35,112.18,20</wpml:takeOffRefPoint></wpml:missionConfig>"
        f"<Folder>{folder}{_waypoints(heights)}</Folder></Document></kml>"
    ).encode()


def _zip(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return packed.getvalue()


RELATIVE = "<wpml:executeHeightMode>relativeToStartPoint</wpml:executeHeightMode>"
ELLIPSOID = "<wpml:executeHeightMode>WGS84</wpml:executeHeightMode>"


def test_dji_waylines_are_plans_with_heights_by_their_mode() -> None:
    waylines = _wpml(RELATIVE, "<wpml:executeHeight>60</wpml:executeHeight>")
    template = _wpml("<wpml:heightMode>EGM96</wpml:heightMode>", "<wpml:height>95</wpml:height>")
    kmz = _zip(wpmz__template_dot_kml=template, wpmz__res__a_dot_jpg=b"\xff\xd8", wpmz__waylines_dot_wpml=waylines)
    track = read_log_bytes(kmz)
    assert (track.kind, track.planned, track.timed, len(track)) == ("wpml", True, False, 3)
    assert track.rel_alt_m.tolist() == [60] * 3 and math.isnan(track.abs_alt_m[0])
    assert (track.lon[1], track.gimbal_pitch_deg[1], track.heading_deg[1]) == (112.181, -90, 45)
    assert read_log_bytes(_zip(wpmz__template_dot_kml=template)).abs_alt_m.tolist() == [95] * 3
    above = read_log_bytes(_wpml(ELLIPSOID, "<wpml:executeHeight>88</wpml:executeHeight>"))
    assert above.abs_alt_m[0] == 88 and math.isnan(above.rel_alt_m[0])
    terrain = read_log_bytes(_wpml("<wpml:executeHeightMode>realTimeFollowSurface</wpml:executeHeightMode>", ""))
    assert math.isnan(terrain.rel_alt_m[0]) and math.isnan(terrain.abs_alt_m[0])


TABLES = {
    "AirData in feet": (
        "time(millisecond),datetime(utc),latitude,longitude,height_above_takeoff(feet),altitude_above_seaLevel(feet),"
        " compass_heading(degrees),gimbal_heading(degrees),gimbal_pitch(degrees),altitude(feet)\n"
        "0,2026-05-01 01:00:00,30.35,112.18,200,300, 45.5,46,-90,300\n"
        "100,2026-05-01 01:00:00,30.3501,112.18,200,300, 45.5,46,-90,300\n",
        {"dialect": "airdata", "zone": "UTC", "rel_alt_m": 60.96, "abs_alt_m": 91.44, "heading_deg": 45.5,
         "gimbal_yaw_deg": 46, "gimbal_pitch_deg": -90},
    ),
    "decrypted DJI record": (
        "sep=,\nCUSTOM.date [local],CUSTOM.updateTime [local],OSD.flyTime,OSD.flyTime [s],OSD.latitude,OSD.longitude,"
        "OSD.height [ft],OSD.altitude [ft],OSD.yaw,GIMBAL.pitch,GIMBAL.roll,GIMBAL.yaw\n"
        "5/1/2026,9:00:00.25 AM,0m 0s,0,30.35,112.18,200,300,12,-90,0,13\n"
        "5/1/2026,9:00:00.45 AM,0m 0s,0.2,30.3501,112.18,200,300,12,-90,0,13\n",
        {"dialect": "flight-record", "zone": "undeclared", "rel_alt_m": 60.96, "gimbal_pitch_deg": -90,
         "gimbal_yaw_deg": 13, "heading_deg": 12, "start_clock": datetime(2026, 5, 1, 9, 0, 0, 250000)},
    ),
    "exiftool list in degrees, minutes, seconds": (
        "SourceFile,FileName,DateTimeOriginal,GPSLatitude,GPSLongitude,AbsoluteAltitude,GimbalPitchDegree,FlightYawDegree\n"
        './a/DJI_1.JPG,DJI_1.JPG,2026:05:01 09:00:00,"30 deg 21\' 0.00"" N","112 deg 10\' 48.00"" E",+91.5,-80.00,-90.10\n'
        './a/DJI_2.JPG,DJI_2.JPG,2026:05:01 09:00:02,"30 deg 21\' 0.36"" N","112 deg 10\' 48.00"" E",+91.5,-80.00,-90.10\n',
        {"dialect": "exif-list", "zone": "undeclared", "abs_alt_m": 91.5, "gimbal_pitch_deg": -80, "heading_deg": -90.1,
         "names": ("DJI_1.JPG", "DJI_2.JPG")},
    ),
    "Chinese, semicolons, decimal commas, GB 18030": (
        "时间;经度;纬度;相对高度(米);海拔;航向角;云台俯仰角\n2026年5月1日 9:00:00;112,18;30,35;60,5;91,5;45;-90\n"
        "2026年5月1日 9:00:01;112,18;30,3501;60,5;91,5;45;-90\n",
        {"dialect": "plain", "zone": "undeclared", "rel_alt_m": 60.5, "abs_alt_m": 91.5, "heading_deg": 45,
         "start_clock": datetime(2026, 5, 1, 9)},
    ),
    "tabs and Unix milliseconds": (
        "timestamp\tlon\tlat\trel_alt\n1777597200000\t112.18\t30.35\t60\n1777597200250\t112.18\t30.3501\t60\n",
        {"dialect": "plain", "zone": "UTC", "rel_alt_m": 60, "start_at": START},
    ),
    "date and time of day in columns of their own": (
        "# exported\nDate,Time,Lat,Lng,Altitude\n2026-05-01,09:00:00,30.35,112.18,91\n2026-05-01,09:00:01,30.3501,112.18,91\n",
        {"dialect": "plain", "zone": "undeclared", "start_clock": datetime(2026, 5, 1, 9), "rel_alt_m": math.nan},
    ),
    "ISO times with offset, empty lines": (
        "UTC time,longitude,latitude\n\n2026-05-01T09:00:00+08:00,112.18,30.35\n\n2026-05-01T09:00:01+08:00,112.18,30.3501\n",
        {"zone": "UTC", "start_at": START},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_several_apps(name: str) -> None:
    text, expected = TABLES[name]
    datas = [text.encode(), text.encode("utf-16"), text.replace("\n", "\r\n").encode("utf-8-sig")]
    if "GB" in name:
        datas.append(text.encode("gb18030"))
    for data in datas:
        track = read_log_bytes(data)
        assert len(track) == 2 and track.kind == "csv"
        assert (track.lon[0], track.lat[0]) == (pytest.approx(112.18), pytest.approx(30.35))
        assert track.lat[1] == pytest.approx(30.3501)
        for key, value in expected.items():
            found = getattr(track, key)
            if isinstance(value, (int, float)):
                assert found[0] == pytest.approx(value, nan_ok=True)
            else:
                assert found == value


def test_a_bare_altitude_is_left_out_with_a_remark() -> None:
    track = read_log_bytes(b"lat,lon,altitude\n30.35,112.18,91\n")
    assert math.isnan(track.rel_alt_m[0]) and math.isnan(track.abs_alt_m[0])
    assert [(remark.code, remark.line) for remark in track.remarks] == [("height_open", 1)]


def test_dates_that_could_be_two_days_are_not_guessed() -> None:
    track = read_log_bytes(b"datetime,lat,lon\n04/05/2026 09:00:00,30.35,112.18\n")
    assert not track.timed and [remark.code for remark in track.remarks] == ["time_unreadable"]
    assert reading("25/05/2026 09:00:00") == reading("05/25/2026 09:00:00") == reading("2026-05-25 09:00:00")


@pytest.mark.parametrize(
    "data", [b"a,b\n1,2\n", b"name\n", b"lat,lon\n", b"lat;lon\nx;y\n", b"just words", b"latitude,altitude\n30,40\n"]
)
def test_tables_without_positions_get_a_sentence(data: bytes) -> None:
    with pytest.raises(GeoError) as caught:
        read_log_bytes(data)
    assert caught.value.code in ("not-a-log", "no-positions") and caught.value.sentence.endswith("。")


def test_rows_that_are_short_or_impossible_are_told_by_line() -> None:
    data = (
        b"datetime,lat,lon\n2026-05-01 09:00:00,30.35,112.18\n2026-05-01 09:00:01\n2026-05-01 09:00:02,130.35,112.18\n"
    )
    track = read_log_bytes(data + b"2026-05-01 09:00:03,N 30.35,112.18E\n2026-05-01 09:00:04,112.18E,30.35\n")
    assert len(track) == 2 and track.line.tolist() == [2, 5]
    told = {(remark.code, remark.line) for remark in track.remarks if remark.line}
    assert told == {("no_position", 3), ("impossible_position", 4), ("no_position", 6)}


@given(
    value=st.floats(0, 89.99), side=st.sampled_from("NS"), form=st.integers(0, 4)
)  # fmt: skip
def test_degrees_minutes_seconds_come_back(value: float, side: str, form: int) -> None:
    whole = int(value)
    minutes = int((value - whole) * 60)
    seconds = min((value - whole - minutes / 60) * 3600, 59.9999)
    seconds = max(round(seconds, 4), 0.0)
    text = (
        f"{whole} deg {minutes}' {seconds:.4f}\" {side}",
        f"{whole}°{minutes}′{seconds:.4f}″{side}",
        f"{side}{whole} {minutes} {seconds:.4f}",
        f"{'南纬' if side == 'S' else '北纬'}{whole}度{minutes}分{seconds:.4f}秒",
        f"{'-' if side == 'S' else ''}{whole}:{minutes}:{seconds:.4f}",
    )[form]
    expected = (whole + minutes / 60 + seconds / 3600) * (-1 if side == "S" else 1)
    assert degrees(text, "lat") == pytest.approx(expected, abs=1e-9)
    if form < 3:
        assert math.isnan(degrees(text, "lon"))
