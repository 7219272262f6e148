"""DJI subtitles: every dialect known, written here anew, and what is done about order, units and damage."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geodata.errors import GeoError
from geodata.logs import Track, read_log_bytes
from geodata.logs.digits import numbers_at, padded
from geodata.logs.srt import read_srt

NEAR = (8.21, 47.46)


def _cue(at: int, body: str, end: str = "\n") -> str:
    return f"{at + 1}{end}00:00:{at:02d},000 --> 00:00:{at + 1:02d},000{end}{body}{end}{end}"


def _bracket(lat: str, lon: str, rest: str = "", stamp: str = "2026-05-01 09:00:{0:02d}.250") -> str:
    return f'<font size="28">FrameCnt: 1, DiffTime: 33ms\n{stamp}\n[iso: 100] [latitude: {lat}] [longitude: {lon}] {rest}</font>'


# dialect, three cues' text, what is expected at the second cue
DIALECTS: dict[str, tuple[str, dict[str, float | str | None]]] = {
    "bracket with both heights and gimbal": (
        _bracket("30.35{0}", "112.18{0}", "[rel_alt: 60.{0} abs_alt: 92.500] [gb_yaw: -67.6 gb_pitch: -90.0 gb_roll: 0.5] "),
        {
            "lat": 30.351, "lon": 112.181, "rel_alt_m": 60.1, "abs_alt_m": 92.5, "gimbal_yaw_deg": -67.6,
            "gimbal_pitch_deg": -90.0, "gimbal_roll_deg": 0.5, "dialect": "bracket", "order_by": "",
        },
    ),
    "bracket with gimbal in boxes of its own": (
        _bracket("30.35{0}", "112.18{0}", "[altitude: 92.5] [gb_yaw: 10.0] [gb_pitch: -45.0] [gb_roll: 0.0] "),
        {"abs_alt_m": 92.5, "rel_alt_m": None, "gimbal_pitch_deg": -45.0, "dialect": "bracket"},
    ),
    "bracket without gimbal": (
        _bracket("-30.35{0}", "-112.18{0}", "[rel_alt: -2.400 abs_alt: 0.401] "),
        {"lat": -30.351, "lon": -112.181, "rel_alt_m": -2.4, "abs_alt_m": 0.401, "gimbal_pitch_deg": None},
    ),
    "misspelt, blanks before colons, micro seconds": (
        '<font size="36">FrameCnt : 1, DiffTime : 40ms\n2026-05-01 09:00:{0:02d},250,904\n'
        "[iso : 110] [latitude : 30.35{0}] [longtitude : 112.18{0}] [altitude: 74.725998] </font>",
        {"lat": 30.351, "lon": 112.181, "abs_alt_m": 74.725998, "dialect": "bracket"},
    ),
    "longitude first": (
        _bracket("", "").replace("[latitude: ] [longitude: ]", "[longitude: 112.18{0}] [latitude: 30.35{0}]"),
        {"lat": 30.351, "lon": 112.181},
    ),
    "DJI FPV writes a tenth of the height": (
        _bracket("30.35{0}", "112.18{0}", "[altitude: 9.25] "),
        {"abs_alt_m": 92.5, "dialect": "fpv"},
    ),
    "old call with HOME, third number counts satellites": (
        "HOME(112.1800,30.3500) 2026.05.01 09:00:{0:02d}\nGPS(112.18{0},30.35{0},16) BAROMETER:31.9\nISO:100 EV: Fnum:2.2",
        {"lat": 30.351, "lon": 112.181, "rel_alt_m": 31.9, "abs_alt_m": None, "order_by": "range", "order": "lon,lat"},
    ),
    "older still: Hb and Hs, day without zeros": (
        "HOME(112.1800,30.3500) 2026.5.1 9:00:{0:02d}\nGPS(112.18{0},30.35{0},16) Hb:1.9 Hs:1.7\nISO:100 TV:60",
        {"lat": 30.351, "rel_alt_m": 1.9, "dialect": "gps-call"},
    ),
    "call with units, latitude first": (
        "2026.05.01 09:00:{0:02d}\nGPS(36.61{0},-6.11{0},0.0M) BAROMETER:80.1M",
        {"lat": 36.611, "lon": -6.111, "rel_alt_m": 80.1, "abs_alt_m": None, "dialect": "gps-units", "order": "lat,lon"},
    ),
    "call with a height and barometer in brackets": (
        "GPS(30.35{0},112.18{0},69.800) BAROMETER(91.2)\nHOME(30.35,112.18) D=5.2m H=1.5m",
        {"lat": 30.351, "lon": 112.181, "abs_alt_m": 69.8, "rel_alt_m": 91.2, "order": "lat,lon", "order_by": "range"},
    ),
    "compact with pitch, roll, yaw": (
        "F/5.6, SS 400, ISO 100, EV +0.7, GPS (-58.85{0}, -34.23{0}, 15), HOME (-58.847, -34.232, -57.98m), D 698.70m, "
        "H 85.80m, H.S 0.00m/s, V.S 0.00m/s, F.PRY (2.7°, -7.0°, 110.1°), G.PRY (-24.4°, 0.0°, 110.4°)",
        {
            "lat": -34.231, "lon": -58.851, "rel_alt_m": 85.8, "gimbal_pitch_deg": -24.4, "gimbal_roll_deg": 0.0,
            "gimbal_yaw_deg": 110.4, "heading_deg": 110.1, "dialect": "gps-compact", "order_by": "dialect",
        },
    ),
    "compact without attitude": (
        "F/2.8, SS 30.15, ISO 260, EV -1.7, GPS (-121.74{0}, 48.07{0}, 17), D 221.21m, H 200.70m, H.S n/a, V.S n/a ",
        {"lat": 48.071, "lon": -121.741, "rel_alt_m": 200.7, "gimbal_pitch_deg": None, "order_by": "range"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_each_dialect_is_read(name: str) -> None:
    body, expected = DIALECTS[name]
    for end in ("\n", "\r\n"):
        text = "".join(_cue(at, body.replace("{0:02d}", f"{at:02d}").replace("{0}", str(at))) for at in range(3))
        for data in (text.encode(), b"\xef\xbb\xbf" + text.replace("\n", end).encode(), text.encode("utf-16")):
            track = read_log_bytes(data)
            assert len(track) == 3 and track.kind == "srt"
            for key, value in expected.items():
                found = getattr(track, key)
                if isinstance(value, str):
                    assert found == value
                elif value is None:
                    assert math.isnan(found[1])
                else:
                    assert found[1] == pytest.approx(value, abs=1e-9)


def test_a_subtitle_without_cue_times_is_read_by_its_clock() -> None:
    text = "".join(
        f"{at + 1}\n2026.05.01 14:11:{51 + at},393,525\n[latitude : 30.35{at}] [longtitude : 112.18{at}] [iso : 100]\n\n"
        for at in range(3)
    )
    track = read_log_bytes(text.encode(), "+08:00")
    assert track.t_s.tolist() == [0, 1, 2] and track.start_at == datetime(2026, 5, 1, 6, 11, 51, 393000, UTC)


def _pair(first: str, second: str) -> bytes:
    return "".join(_cue(at, f"GPS({first}{at},{second}{at},16) BAROMETER:1.9") for at in range(3)).encode()


def test_the_order_of_a_pair_is_decided_by_values_place_declaration_or_told_as_assumed() -> None:
    assert read_log_bytes(_pair("112.18", "30.35")).order_by == "range"
    open_pair = _pair("8.21", "47.46")
    assumed = read_log_bytes(open_pair)
    assert (assumed.order, assumed.order_by) == ("lon,lat", "dialect")
    assert "order_assumed" in {remark.code for remark in assumed.remarks}
    placed = read_log_bytes(_pair("47.46", "8.21"), near=NEAR)
    assert (placed.order, placed.order_by) == ("lat,lon", "place")
    assert placed.lon[0] == pytest.approx(8.21, abs=0.01)
    told = read_log_bytes(open_pair, order="lat,lon", near=NEAR)
    assert told.order_by == "declared" and told.lat[0] == pytest.approx(8.21, abs=0.01)
    for order, code in (("lat,lon", "bad-order"), ("latlon", "bad-order")):
        with pytest.raises(GeoError) as caught:
            read_log_bytes(_pair("112.18", "30.35"), order=order)
        assert caught.value.code == code and "order" in caught.value.where


def test_cues_without_a_fix_are_told_with_their_lines_and_the_rest_is_kept() -> None:
    bodies = [
        "GPS(112.181,30.351,12) BAROMETER:0.0",
        "GPS(N/A,N/A,3) BAROMETER:0.0",
        "GPS(112.182,30.352,9) BAROMETER:0.0",
    ]
    track = read_log_bytes("".join(_cue(at, body) for at, body in enumerate(bodies)).encode())
    assert track.lat.tolist() == [30.351, 30.352] and track.line.tolist() == [2, 10]
    assert [(remark.code, remark.line) for remark in track.remarks if remark.line] == [("no_position", 6)]
    zeros = read_log_bytes((_cue(0, _bracket("0.000000", "0.000000")) + _cue(1, _bracket("30.35", "112.18"))).encode())
    assert len(zeros) == 1 and zeros.remarks[0].code == "zero_position"


def test_spliced_videos_may_speak_two_dialects() -> None:
    compact = "F/5.6, SS 400, GPS (112.181, 30.351, 16), D 1.0m, H 17.50m, F.PRY (1.0°, 2.0°, 3.0°), G.PRY (-27.3°, 0.0°, -76.0°)"
    bracket = _bracket("30.352", "112.182", "[rel_alt: 60.0 abs_alt: 92.5] [gb_yaw: 5.0 gb_pitch: -90.0 gb_roll: 0.0] ")
    track = read_log_bytes((_cue(0, compact) + _cue(1, bracket)).encode())
    assert track.dialect == "bracket+gps-compact" and track.lat.tolist() == [30.351, 30.352]
    assert track.rel_alt_m.tolist() == [17.5, 60.0] and track.gimbal_pitch_deg.tolist() == [-27.3, -90.0]


def test_damaged_files_keep_what_can_be_read() -> None:
    whole = "".join(
        _cue(at, _bracket(f"30.35{at}", f"112.18{at}", "[rel_alt: 60.0 abs_alt: 92.5] ")) for at in range(8)
    ).encode()
    full = read_log_bytes(whole)
    for cut in range(200, len(whole), 7):
        track = read_log_bytes(whole[:cut])
        assert 1 <= len(track) <= 8
        np.testing.assert_array_equal(track.lon[:-1], full.lon[: len(track) - 1])
    binary = read_log_bytes(whole + bytes(range(256)) * 40)
    assert len(binary) == 8
    hole = read_log_bytes(whole[:600] + b"\x00\xff" * 50 + whole[750:])
    assert 6 <= len(hole) <= 8 and set(hole.lat) <= set(full.lat)


def test_a_lost_cue_line_does_not_shift_the_others() -> None:
    """One arrow and, further on, one latitude are broken: counts agree, places must not slide."""
    text = "".join(_cue(at, _bracket(f"30.35{at}", f"112.18{at}", "[rel_alt: 60.0 abs_alt: 92.5] ")) for at in range(9))
    text = text.replace("00:00:02,000 -->", "00:00:02,000 -").replace("[latitude: 30.356]", "[latit")
    track = read_log_bytes(text.encode())
    for t, lat in zip(track.t_s, track.lat, strict=True):
        assert lat == pytest.approx(30.35 + int(t) / 1000)
    assert len(track) == 7


@pytest.mark.parametrize("data", [b"1\n", b"1\n00:00:01 no arrow\nGPS(112.18,30.35,9)", b"-->"])
def test_what_is_no_subtitle_gets_a_sentence(data: bytes) -> None:
    with pytest.raises(GeoError) as caught:
        read_srt(data) if data != b"-->" else read_log_bytes(data)
    assert caught.value.code in ("not-a-log", "no-positions") and caught.value.sentence.endswith("。")


def test_a_video_without_positions_says_what_to_use_instead() -> None:
    text = "".join(_cue(at, "[iso : 100] [shutter : 1/240.0] [fnum : 280]") for at in range(3))
    with pytest.raises(GeoError, match="CSV") as caught:
        read_log_bytes(text.encode())
    assert caught.value.code == "no-positions"


def test_an_edited_video_answers_by_video_time_only() -> None:
    bodies = [_bracket("30.35", "112.18", stamp=f"2026-05-01 09:0{at}:00.000") for at in range(6)]
    track = read_log_bytes("".join(_cue(at, body) for at, body in enumerate(bodies)).encode(), "UTC")
    assert (track.start_at, track.zone) == (None, "none")
    assert "clock_unsteady" in {remark.code for remark in track.remarks}
    assert track.at(2.0) is not None and track.at(datetime(2026, 5, 1, 9, 2, tzinfo=UTC)) is None


def _seconds_only(rate: int, begin: float) -> Track:
    """A clock that counts seconds only, under `rate` cues a second; the video starts at `begin` seconds past nine."""
    parts = []
    for at in range(rate * 20):
        ms = round(at * 1000 / rate)
        shown = int(begin + ms / 1000)
        parts.append(
            f"{at + 1}\n00:00:{ms // 1000:02d},{ms % 1000:03d} --> 00:00:59,000\n2026.05.01 09:00:{shown:02d}\n"
            f"GPS(112.18{at % 90 + 10},30.35{at % 90 + 10},16) BAROMETER:1.9\n\n"
        )
    return read_log_bytes("".join(parts).encode(), "UTC")


@pytest.mark.parametrize("begin", [0.0, 0.37, 0.93])
def test_a_clock_of_whole_seconds_is_believed_no_further_than_it_shows(begin: float) -> None:
    dense, sparse = _seconds_only(10, begin), _seconds_only(1, begin)
    truth = datetime(2026, 5, 1, 9, tzinfo=UTC).timestamp() + begin
    assert dense.start_at is not None and sparse.start_at is not None
    assert abs(dense.start_at.timestamp() - truth) <= 0.11 and dense.clock_sigma_s <= 0.1
    assert abs(sparse.start_at.timestamp() - truth) < 1.0 and sparse.clock_sigma_s == pytest.approx(1 / math.sqrt(3))


@given(
    values=st.lists(
        st.one_of(
            st.decimals(-9999, 9999, places=6, allow_nan=False).map(str),
            st.integers(-(10**6), 10**6).map(str),
            st.floats(0, 999).map(lambda x: f"+{x:.3f}"),
        ),
        min_size=1,
        max_size=20,
    ),
    blanks=st.integers(0, 2),
)
def test_numbers_read_from_bytes_are_those_of_the_text(values: list[str], blanks: int) -> None:
    text, at = b"", []
    for value in values:
        text += b"key:"
        at.append(len(text))
        text += b" " * blanks + value.encode() + b"] "
    found = numbers_at(np.frombuffer(padded(text), np.uint8), np.array(at))
    assert found.tolist() == [float(value) for value in values]
