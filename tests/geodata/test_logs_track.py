"""Tracks against flights whose truth is known, a real photo list with every second row hidden, and declared times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geodata.crs import from_wgs84
from geodata.errors import GeoError
from geodata.frames import trust
from geodata.frames.ellipse import CHI2_90
from geodata.frames.metadata import FrameMeta
from geodata.logs import Track, read_log, read_log_bytes
from geodata.logs.build import track_of
from geodata.logs.fill import RADIUS_68, fill
from geodata.logs.rows import Rows
from geodata.logs.track import BRIDGE_S, GNSS_SIGMA_M

M_LAT, M_LON = 110_861.0, 96_176.0  # metres a degree at 30.35 N, by the ellipsoid
START = datetime(2026, 5, 1, 1, tzinfo=UTC)


def _truth(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """East and north metres of a flight with turns, a stop and a stretch at 12 m/s."""
    pace = 6 + 6 * np.sin(t / 17) ** 2
    pace = np.where((t > 60) & (t < 75), 0.0, pace)
    turn = np.cumsum(np.where(np.sin(t / 9) > 0.6, 0.35, 0.0)) * np.gradient(t)
    step = pace * np.gradient(t)
    return np.cumsum(step * np.cos(turn)), np.cumsum(step * np.sin(turn))


def _csv(t: np.ndarray, east: np.ndarray, north: np.ndarray, places: int = 7) -> bytes:
    lines = ["time(millisecond),datetime(utc),latitude,longitude,height_above_takeoff(feet)"]
    for at, x, y in zip(t, east, north, strict=True):
        moment = (START + timedelta(seconds=float(at))).strftime("%Y-%m-%d %H:%M:%S")
        lines.append(f"{at * 1000:.0f},{moment},{30.35 + y / M_LAT:.{places}f},{112.18 + x / M_LON:.{places}f},200")
    return "\n".join(lines).encode()


def _error_m(track: Track, at: float, east: float, north: float) -> tuple[float, float]:
    point = track.at(at)
    assert point is not None
    return float(np.hypot((point.lon - 112.18) * M_LON - east, (point.lat - 30.35) * M_LAT - north)), point.sigma_m


def test_positions_that_tick_slower_than_lines_are_interpolated() -> None:
    """30 rows a second, a new position five times a second: the waiting rows are not taken for standing still."""
    t = np.arange(0, 120, 1 / 30)
    east, north = _truth(t)
    ticked = np.arange(len(t)) // 6 * 6
    track = read_log_bytes(_csv(t, east[ticked], north[ticked]))
    assert track.tick_s == pytest.approx(0.2, abs=0.005)
    rng = np.random.default_rng(3)
    errors, held = [], []
    for at in rng.integers(60, len(t) - 60, 400):
        errors.append(_error_m(track, float(t[at]), east[at], north[at])[0])
        held.append(float(np.hypot(east[ticked][at] - east[at], north[ticked][at] - north[at])))
    print(f"\nticking positions: interpolated {np.median(errors):.3f} m median, {np.max(errors):.3f} m worst;")
    print(f"last line as it stands {np.median(held):.3f} m median, {np.max(held):.3f} m worst")
    assert np.median(errors) < 0.1 * np.median(held) and np.max(errors) < np.max(held)


@pytest.mark.parametrize("gap_s", [1.0, 4.0, 10.0])
def test_the_stated_error_holds_the_truth(gap_s: float) -> None:
    """Receiver noise as assumed, rows `gap_s` apart: the 90 % circle holds at least 88 % of the truth."""
    rng = np.random.default_rng(int(gap_s))
    t = np.arange(0, 600, 0.1)
    east, north = _truth(t)
    inside, radii, errors = [], [], []
    for _ in range(8):
        kept = np.arange(0, len(t), round(gap_s * 10))
        noise = rng.normal(0, GNSS_SIGMA_M, (2, len(kept)))
        track = read_log_bytes(_csv(t[kept], east[kept] + noise[0], north[kept] + noise[1]))
        for at in rng.integers(10, kept[-1], 150):
            error, sigma = _error_m(track, float(t[at]), east[at], north[at])
            inside.append(error <= np.sqrt(CHI2_90) * sigma)
            radii.append(np.sqrt(CHI2_90) * sigma)
            errors.append(error)
    print(f"\nrows {gap_s:g} s apart: {np.mean(inside):.1%} inside the stated 90 % circle;")
    print(f"its radius {np.median(radii):.1f} m in the median, the error's p90 {np.percentile(errors, 90):.1f} m")
    assert np.mean(inside) >= 0.88


def test_every_second_row_of_a_real_photo_list_is_found_from_the_others(data_files: Path) -> None:
    path = data_files / "flights" / "agung2_image_metadata.csv"
    whole = read_log(path, "Asia/Makassar")
    assert len(whole) == 1817 and whole.dialect == "exif-list" and whole.zone == "Asia/Makassar"
    assert whole.start_at == datetime(2025, 10, 2, 3, 57, 19, tzinfo=UTC)
    assert {remark.code for remark in whole.remarks} == {"out_of_order", "gap"}
    assert sum(remark.code == "gap" for remark in whole.remarks) == 5
    lines = path.read_bytes().splitlines()
    by_time = sorted(lines[1:], key=lambda line: line.split(b",")[2])
    track = read_log_bytes(b"\n".join([lines[0], *by_time[::2]]), "Asia/Makassar")
    errors, inside, silent = [], [], 0
    for at in range(1, len(whole), 2):
        point = track.at(
            START.replace(year=2025, month=10, day=2, hour=3, minute=57, second=19)
            + timedelta(seconds=float(whole.t_s[at]))
        )
        if point is None:
            silent += 1
            continue
        error = np.hypot((point.lon - whole.lon[at]) * 110_160, (point.lat - whole.lat[at]) * 110_600)
        errors.append(error)
        inside.append(error <= np.sqrt(CHI2_90) * point.sigma_m)
    print(
        f"\nagung2, {len(errors)} hidden rows: {np.median(errors):.2f} m median, {np.percentile(errors, 90):.2f} m p90,"
    )
    print(f"{np.max(errors):.1f} m worst; {np.mean(inside):.1%} inside the stated 90 % circle; {silent} not answered")
    assert np.median(errors) < 1.5 and np.percentile(errors, 90) < 6 and np.mean(inside) >= 0.9 and silent <= 5


def test_planted_faults_of_a_real_list_are_told_by_line(data_files: Path) -> None:
    track = read_log(data_files / "flights" / "agung2_issue_image_metadata.csv")
    told: dict[str, int] = {}
    for remark in track.remarks:
        told[remark.code] = told.get(remark.code, 0) + 1
    assert track.zone == "undeclared" and track.start_at is None and len(track) == 18
    assert told["no_position"] == 3 and told["impossible_position"] == 2 and told["jump"] >= 2
    assert all(remark.line for remark in track.remarks if remark.code != "zone_undeclared")


@settings(max_examples=60)
@given(gap=st.floats(0.2, 29), more=st.floats(1.05, 3), share=st.floats(0.05, 0.95))
def test_doubt_grows_with_the_gap_and_towards_its_middle(gap: float, more: float, share: float) -> None:
    def sigma(length: float, part: float) -> float:
        rows = Rows("csv", "", np.array([2, 3]), {"lon": np.array([112.18, 112.1801]), "lat": np.array([30.35, 30.35])})
        rows.t_s = np.array([0.0, length])
        point = track_of(rows).at(length * part)
        assert point is not None and point.gap_s == pytest.approx(length)
        return point.sigma_m

    longer = min(gap * more, BRIDGE_S)
    if longer > gap * 1.02:
        # The flown speed falls as the gap grows over the same ground, so compare the whole with a standing drone's.
        assert sigma(longer, 0.5) > sigma(gap, 0.5) - 1e-9 or gap < 2.5
    assert sigma(gap, 0.5) >= sigma(gap, share) - 1e-9
    assert sigma(gap, share) >= GNSS_SIGMA_M


def _line(count: int, step_s: float = 1.0, skip: range = range(0)) -> bytes:
    rows = ["datetime,latitude,longitude"]
    for at in range(count):
        if at not in skip:
            moment = (START.replace(tzinfo=None) + timedelta(seconds=at * step_s)).isoformat(" ")
            rows.append(f"{moment},{30.35 + at * 5e-5:.7f},112.1800000")
    return "\n".join(rows).encode()


def test_gaps_are_told_and_the_long_ones_not_bridged() -> None:
    track = read_log_bytes(_line(120, skip=range(20, 70)))
    assert [(remark.code, remark.line) for remark in track.remarks if remark.line] == [("gap", 21)]
    assert track.at(45.0) is None and track.at(20.5) is not None and track.at(19.0) is not None
    assert track.at(-1.5) is not None and track.at(-2.5) is None and track.at(122.0) is None
    short = read_log_bytes(_line(120, skip=range(20, 28)))
    bridged, close = short.at(23.5), short.at(10.5)
    assert bridged is not None and close is not None and bridged.sigma_m > 3 * close.sigma_m
    assert bridged.gap_s == 9.0 and bridged.lines == (21, 22)


def test_a_drone_that_stands_still_is_not_moved() -> None:
    t = np.arange(0, 60, 0.1)
    east = np.interp(t, [0, 20, 40, 60], [0, 100, 100, 200])
    track = read_log_bytes(_csv(t, east, np.zeros_like(t)))
    for at in (25.0, 30.0, 39.0):
        error, sigma = _error_m(track, at, 100.0, 0.0)
        assert error < 0.1 and sigma < 2.2


def test_disorder_jumps_and_spikes_are_told_with_lines() -> None:
    lines = _line(30).decode().splitlines()
    lines[5], lines[6] = lines[6], lines[5]
    lines[12] = lines[12].replace("112.18", "113.18")
    lines[20:] = [line.replace("112.18", "112.28") for line in lines[20:]]
    lines[26] = lines[26].replace("112.28", "212.28")
    track = read_log_bytes("\n".join(lines).encode())
    told = {remark.code: remark.line for remark in track.remarks if remark.line}
    assert told == {"out_of_order": 7, "spike": 13, "jump": 21, "impossible_position": 27}
    spiked = track.at(11.0)
    assert spiked is not None and spiked.lon == pytest.approx(112.18) and spiked.gap_s == 2.0
    assert track.at(18.5) is None and track.at(17.5) is not None
    assert np.all(np.diff(track.t_s) > 0)


def test_times_without_zone_give_no_absolute_answer_until_declared() -> None:
    undeclared = read_log_bytes(_line(10))
    assert undeclared.zone == "undeclared" and undeclared.start_at is None
    assert "zone_undeclared" in {remark.code for remark in undeclared.remarks}
    assert undeclared.at(START) is None
    own_clock = undeclared.at(datetime(2026, 5, 1, 1, 0, 3))
    assert own_clock is not None and own_clock.lat == pytest.approx(30.35015)
    for zone, hours in (("Asia/Shanghai", 8), ("+08:00", 8), ("UTC", 0), ("-03:30", -3.5)):
        declared = read_log_bytes(_line(10), zone)
        assert declared.start_at == START - timedelta(hours=hours)
        found = declared.at(START - timedelta(hours=hours) + timedelta(seconds=3))
        assert found is not None and found.lat == pytest.approx(30.35015)
    shifted = read_log_bytes(_line(10), "UTC", offset_s=-2.0)
    moved = shifted.at(START)
    assert moved is not None and moved.lat == pytest.approx(30.3501)
    for zone in ("Mars/Base", "+25:00", "", "../etc/passwd"):
        with pytest.raises(GeoError) as caught:
            read_log_bytes(_line(10), zone)
        assert caught.value.code == "unknown-zone"


def test_a_zone_in_the_file_stands_above_a_declared_one() -> None:
    said = _line(10).replace(b"datetime,", b"datetime(utc),", 1)
    assert read_log_bytes(said, "Asia/Shanghai").start_at == START


def test_another_coordinate_system_is_declared() -> None:
    lon, lat = from_wgs84(112.18, 30.35, "gcj02")
    data = f"datetime,latitude,longitude\n2026-05-01 01:00:00,{lat:.8f},{lon:.8f}\n".encode()
    track = read_log_bytes(data, crs="gcj02")
    assert (track.lon[0], track.lat[0]) == (pytest.approx(112.18, abs=1e-7), pytest.approx(30.35, abs=1e-7))
    with pytest.raises(GeoError) as caught:
        read_log_bytes(data, crs="mars")
    assert caught.value.code == "unknown-crs"


BLANK = FrameMeta(4000, 3000, "JPEG", taken_local="2026-05-01T01:00:03")
OWN = FrameMeta(4000, 3000, "JPEG", lon=112.2, lat=30.4, taken_at=START)


def test_photographs_without_position_take_the_logs() -> None:
    track = read_log_bytes(_line(10), "UTC")
    timed = FrameMeta(4000, 3000, "JPEG", taken_at=START + timedelta(seconds=4.5))
    late = FrameMeta(4000, 3000, "JPEG", taken_at=START + timedelta(hours=1))
    timeless = FrameMeta(4000, 3000, "JPEG")
    own, found, missed, unknown = fill([OWN, timed, late, timeless], track)
    assert own.method == "own" and own.meta is OWN
    assert found.method == "log" and found.meta.lat == pytest.approx(30.350225)
    assert found.meta.provenance["position"] == "log" and found.meta.notes[-1][0] == "position_from_log"
    assert found.sigma_m is not None and trust.plane_sigma_m(found.meta) == pytest.approx(found.sigma_m)
    assert missed.method == unknown.method == "none"
    assert "记录范围" in missed.reason and "没有拍摄时间" in unknown.reason


def test_clocks_without_zone_are_compared_only_when_declared_to_be_one() -> None:
    track = read_log_bytes(_line(10))
    refused = fill([BLANK], track)[0]
    assert refused.method == "none" and "时区" in refused.reason
    found = fill([BLANK], track, same_clock=True)[0]
    assert found.method == "log" and found.meta.lat == pytest.approx(30.35015)


def test_photographs_are_found_by_name_in_a_list(data_files: Path) -> None:
    track = read_log(data_files / "flights" / "agung2_image_metadata.csv")
    found = fill([BLANK], track, names=["dji_20251002120847_0345_d.jpg"])[0]
    assert found.method == "log" and found.meta.lat == pytest.approx(-(8 + 17 / 60 + 39.30 / 3600))
    assert found.meta.absolute_altitude_m == pytest.approx(1131.876)


def test_heights_and_gimbal_come_along_only_where_the_photograph_has_none() -> None:
    cue = "1\n00:00:0{0},000 --> 00:00:09,000\n2026-05-01 01:00:0{0}.000\n[latitude: 30.35{0}] [longitude: 112.18] "
    cue += "[rel_alt: 60.0 abs_alt: 92.0] [gb_yaw: 17{0}.0 gb_pitch: -90.0 gb_roll: 0.0]\n\n"
    track = read_log_bytes("".join(cue.replace("{0}", str(at)) for at in range(5)).encode(), "UTC")
    bare = FrameMeta(4000, 3000, "JPEG", taken_at=START + timedelta(seconds=2))
    posed = FrameMeta(
        4000, 3000, "JPEG", taken_at=START, relative_altitude_m=50.0, gimbal_yaw_deg=1.0, gimbal_pitch_deg=-80.0,
        gimbal_roll_deg=0.0,
    )  # fmt: skip
    first, second = fill([bare, posed], track)
    assert (first.meta.relative_altitude_m, first.meta.gimbal_pitch_deg) == (60.0, -90.0)
    assert first.meta.gimbal_yaw_deg == pytest.approx(172.0) and first.meta.provenance["attitude"] == "log"
    assert (second.meta.relative_altitude_m, second.meta.gimbal_pitch_deg) == (50.0, -80.0)


def test_a_heading_turns_the_short_way() -> None:
    data = (
        b"time(millisecond),latitude,longitude,compass_heading(degrees)\n0,30.35,112.18,350\n1000,30.3501,112.18,10\n"
    )
    point = read_log_bytes(data).at(0.5)
    assert point is not None and point.heading_deg is not None
    assert point.heading_deg % 360 == pytest.approx(0, abs=1e-9)


def test_the_receivers_error_is_the_one_frames_are_given() -> None:
    assert GNSS_SIGMA_M == trust.PLANE_GNSS_M
    rng = np.random.default_rng(1)
    assert np.mean(np.hypot(*rng.normal(0, 1, (2, 200_000))) < RADIUS_68) == pytest.approx(0.68, abs=0.005)
