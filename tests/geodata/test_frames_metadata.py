"""What is read from a file, what is refused of it, and that no bytes whatever raise anything but GeoError."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geodata.errors import GeoError
from geodata.frames.locate import locate
from geodata.frames.metadata import FrameMeta, read_frame

DJI = "http://www.dji.com/drone-dji/1.0/"
GOOD = {
    "GpsLatitude": "+30.352000000",
    "GpsLongitude": "+112.180000000",
    "AbsoluteAltitude": "+75.20",
    "RelativeAltitude": "+40.10",
    "GimbalYawDegree": "+42.80",
    "GimbalPitchDegree": "-89.90",
    "GimbalRollDegree": "+0.00",
    "AltitudeType": "RtkAlt",
    "RtkFlag": "50",
    "RtkStdLon": "0.01200",
    "RtkStdLat": "0.01300",
    "RtkStdHgt": "0.02500",
    "CalibratedFocalLength": "3713.29",
}


def attributes(values: dict[str, str]) -> bytes:
    inner = " ".join(f'd:{name}="{value}"' for name, value in values.items())
    return packet(f'<rdf:Description xmlns:d="{DJI}" {inner}/>')


def elements(values: dict[str, str]) -> bytes:
    inner = "".join(f"<d:{name}>{value}</d:{name}>" for name, value in values.items())
    return packet(f'<rdf:Description xmlns:d="{DJI}">{inner}</rdf:Description>')


def packet(inner: str) -> bytes:
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    return (
        f'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{rdf}">{inner}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def jpeg(xmp: bytes = b"", exif: dict[int, object] | None = None, gps: dict[int, object] | None = None) -> bytes:
    """A small DJI photograph; the JFIF header that Pillow writes is taken out, as the camera has none."""
    tags = Image.Exif()
    for key, value in {0x010F: "DJI", 0x0110: "FC330", 0x0131: "v01.23.4920", **(exif or {})}.items():
        tags[key] = value
    if gps:
        tags.get_ifd(0x8825).update(gps)
    out = BytesIO()
    Image.new("RGB", (400, 300), "green").save(out, "JPEG", exif=tags, **({"xmp": xmp} if xmp else {}))
    data = out.getvalue()
    length = int.from_bytes(data[4:6], "big")
    assert data[2:4] == b"\xff\xe0"
    return data[:2] + data[4 + length :]


def codes(meta: FrameMeta) -> list[str]:
    return [code for code, _ in meta.warnings]


@pytest.mark.parametrize("form", [attributes, elements])
def test_both_forms_of_xmp_are_read_alike(form):
    meta = read_frame(jpeg(form(GOOD)))
    assert (meta.lon, meta.lat) == (112.18, 30.352)
    assert (meta.gimbal_yaw_deg, meta.gimbal_pitch_deg, meta.gimbal_roll_deg) == (42.8, -89.9, 0.0)
    assert (meta.relative_altitude_m, meta.absolute_altitude_m, meta.altitude_type) == (40.1, 75.2, "RtkAlt")
    assert (meta.rtk_flag, meta.rtk_std_lon_m, meta.rtk_std_lat_m, meta.rtk_std_height_m) == (
        50,
        0.012,
        0.013,
        0.025,
    )
    assert meta.calibrated_focal_px == 3713.29
    assert meta.provenance["position"] == meta.provenance["attitude"] == "xmp"
    assert meta.warnings == ()


def test_the_misspelt_longitude_of_older_firmware_is_read():
    values = dict(GOOD)
    values["GpsLongtitude"] = values.pop("GpsLongitude")
    assert read_frame(jpeg(attributes(values))).lon == 112.18


def test_dewarp_data_and_its_flag():
    text = "2023-08-11;3713.29,3713.29,7.02,-8.72,-0.1125,0.0149,-0.0001,0.0003,-0.0271"
    lens = read_frame(jpeg(attributes({**GOOD, "DewarpData": text, "DewarpFlag": "1"}))).dewarp
    assert lens is not None and lens.applied and lens.cx_px == 7.02 and len(lens.coefficients) == 5
    broken = read_frame(jpeg(attributes({**GOOD, "DewarpData": "2023;1,2,nan,4,5,6,7,8,9"})))
    assert broken.dewarp is None and "dewarp_unreadable" in [code for code, _ in broken.notes]


def test_a_laser_target_is_kept_with_its_status():
    target = {
        "LRFTargetLat": "30.3521",
        "LRFTargetLon": "112.1801",
        "LRFTargetAlt": "-0.7",
        "LRFTargetDistance": "44.1",
    }
    laser = read_frame(jpeg(attributes({**GOOD, **target, "LRFStatus": "Normal"}))).laser
    assert laser is not None
    assert (laser.lon, laser.lat, laser.altitude_m, laser.distance_m) == (112.1801, 30.3521, -0.7, 44.1)
    nowhere = {**GOOD, **target, "LRFTargetLat": "0.0", "LRFTargetLon": "0.0", "LRFStatus": "Normal"}
    assert read_frame(jpeg(attributes(nowhere))).laser is None


@pytest.mark.parametrize(
    "change",
    [
        {"GpsLatitude": "91.0"},
        {"GpsLongitude": "180.5"},
        {"GpsLatitude": "0.0", "GpsLongitude": "0.0"},
        {"GpsLatitude": "nan"},
        {"GpsLatitude": "inf"},
        {"GpsLatitude": "north"},
    ],
)
def test_an_implausible_position_is_dropped_and_said(change):
    data = jpeg(attributes({**GOOD, **change}))
    meta = read_frame(data)
    assert meta.lon is None and meta.lat is None
    assert codes(meta) == ["gps_implausible"]
    assert locate(data)["method"] == "none"


@pytest.mark.parametrize(
    ("gps", "expected"),
    [
        ({1: "S", 2: (30.0, 21.0, 36.0), 3: "W", 4: (112.0, 10.0, 48.0)}, (-112.18, -30.36)),
        ({1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (112.0, 0.0, 0.0)}, None),
        ({2: (30.0, 0.0, 0.0), 4: (112.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (30.0, 75.0, 0.0), 3: "E", 4: (112.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (30.0, 0.0, 0.0), 3: "E", 4: (112.0, 0.0, 0.0), 18: "GCJ-02"}, None),
    ],
)
def test_exif_positions(gps, expected):
    meta = read_frame(jpeg(gps=gps))
    if expected is None:
        assert meta.lon is None and codes(meta) == ["gps_implausible"]
    else:
        assert (meta.lon, meta.lat) == pytest.approx(expected) and codes(meta) == []


def test_two_positions_that_disagree_are_said():
    gps = {1: "N", 2: (30.0, 22.0, 0.0), 3: "E", 4: (112.0, 10.0, 48.0)}
    assert codes(read_frame(jpeg(attributes(GOOD), gps=gps))) == ["gps_conflict"]


def test_a_time_without_zone_is_declared_not_guessed():
    meta = read_frame(jpeg(exif={0x9003: "2026:03:24 17:37:59"}))
    assert meta.taken_at is None and meta.taken_local == "2026-03-24T17:37:59"
    assert [code for code, _ in meta.notes] == ["time_without_zone"]


@pytest.mark.parametrize(
    ("exif", "gps", "source"),
    [
        ({0x9003: "2026:03:24 17:37:59", 0x9011: "+08:00"}, {}, "exif_offset"),
        ({0x9003: "2026:03:24 17:37:59"}, {7: (9.0, 37.0, 59.0), 29: "2026:03:24"}, "gps"),
    ],
)
def test_a_declared_zone_makes_an_instant(exif, gps, source):
    meta = read_frame(jpeg(exif=exif, gps=gps))
    assert meta.taken_at == datetime(2026, 3, 24, 9, 37, 59, tzinfo=UTC)
    assert meta.provenance["time"] == source and meta.taken_local == "2026-03-24T17:37:59"


@pytest.mark.parametrize(
    "exif",
    [
        {0x0131: "Microsoft Windows Photo Viewer 10.0.10240.16384"},
        {0x0131: "Adobe Photoshop CC 2017"},
        {0x0131: "something unknown"},
        {0x0132: "2026:03:25 08:00:00", 0x9003: "2026:03:24 17:37:59"},
    ],
)
def test_a_frame_saved_again_is_marked(exif):
    meta = read_frame(jpeg(attributes(GOOD), exif=exif))
    assert meta.edited and codes(meta) == ["edited"]


def test_a_jfif_header_on_a_drone_frame_is_a_mark_and_a_clean_frame_has_none():
    plain = jpeg(attributes(GOOD))
    assert not read_frame(plain).edited
    jfif = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x01\x00\x48\x00\x48\x00\x00"
    assert read_frame(plain[:2] + jfif + plain[2:]).edited


def test_the_pixel_size_is_the_decoders():
    meta = read_frame(jpeg(exif={0xA002: 4000, 0xA003: 3000}))
    assert (meta.width_px, meta.height_px, meta.exif_width_px) == (400, 300, 4000)
    assert [code for code, _ in meta.notes] == ["resized"]


def test_half_an_attitude_is_none():
    values = {name: value for name, value in GOOD.items() if name != "GimbalYawDegree"}
    meta = read_frame(jpeg(attributes(values)))
    assert meta.gimbal_pitch_deg is None and codes(meta) == ["attitude_implausible"]


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x:xmpmeta xmlns:x="a">&b;</x:xmpmeta>'


@pytest.mark.parametrize(
    "xmp",
    [
        BOMB,
        b"<rdf:RDF>" + BOMB,
        b"<x:xmpmeta",
        b"<x:xmpmeta></x:xmpmeta>",
        attributes(GOOD)[:-60],
        attributes(GOOD).replace(b"+42.80", b"\xff\xfe\x00"),
        b"<a>" * 5000 + b"</a>" * 5000,
    ],
)
def test_broken_or_hostile_xmp_loses_the_attitude_and_nothing_else(xmp):
    meta = read_frame(jpeg(xmp))
    assert meta.gimbal_pitch_deg is None and meta.width_px == 400


@pytest.mark.parametrize("photo", [b"", b"\xff\xd8", b"<?php", b"GIF89a", "no/such/file.jpg", "\x00", "."])
def test_what_is_no_photograph_is_refused_with_a_sentence(photo):
    with pytest.raises(GeoError) as caught:
        read_frame(photo)
    assert caught.value.code in ("not_a_photo", "no_file") and caught.value.sentence


WHOLE = jpeg(
    attributes(
        {
            **GOOD,
            "DewarpData": "2023;3700,3700,1,1,0.1,0.1,0,0,0",
            "LRFStatus": "Normal",
            "LRFTargetLat": "30.3521",
        }
    ),
    exif={0x9003: "2026:03:24 17:37:59", 0x920A: 3.61, 0xA405: 20},
    gps={
        1: "N",
        2: (30.0, 21.0, 7.2),
        3: "E",
        4: (112.0, 10.0, 48.0),
        7: (9.0, 37.0, 59.0),
        29: "2026:03:24",
    },
)


def answers_or_refuses(data: bytes) -> None:
    try:
        answer = locate(data)
    except GeoError as refusal:
        assert refusal.sentence
    else:
        assert answer["method"] in ("laser", "pose", "camera_only", "none")


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(data):
    answers_or_refuses(data)
    answers_or_refuses(b"\xff\xd8\xff\xe1" + data)
    answers_or_refuses(b"II*\x00\x08\x00\x00\x00" + data)
    answers_or_refuses(b"\x00\x00\x00\x18ftypheic" + data)


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(2, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_a_twisted_photograph_raises_nothing_else(changes):
    data = bytearray(WHOLE)
    for place, value in changes:
        data[place] = value
    answers_or_refuses(bytes(data))


@settings(max_examples=200)
@given(st.integers(0, len(WHOLE)))
def test_a_photograph_cut_anywhere_raises_nothing_else(length):
    answers_or_refuses(WHOLE[:length])


@given(
    st.dictionaries(
        st.sampled_from(sorted(GOOD)),
        st.text(st.characters(codec="ascii", exclude_characters='<&"'), max_size=12),
    )
)
def test_any_text_in_a_tag_raises_nothing(values):
    answers_or_refuses(jpeg(attributes({**GOOD, **{k: v.replace("\x00", "") for k, v in values.items()}})))
