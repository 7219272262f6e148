"""Planted faults found from values alone, few alarms on a real flight; blur and lens cap with their ROC."""

from __future__ import annotations

import csv
import random
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geodata.errors import GeoError
from geodata.frames.look import Look, look, look_at, softness_of
from geodata.frames.metadata import read_frame
from geodata.frames.quality import UNUSABLE, FrameRow, find_faults, row_of

BALI = timezone(timedelta(hours=8))
PLANTED = {
    "MISSING_COORDS": "no_position",
    "INVALID_COORD": "bad_position",
    "FAR_AWAY": "far_away",
    "MISSING_GIMBAL": "no_gimbal",
    "GIMBAL_UP": "gimbal_up",
    "GIMBAL_HORIZON": "gimbal_horizon",
    "DUP": "duplicate",
}


def degrees(text: str) -> float | None:
    found = re.fullmatch(r"(\d+) deg (\d+)' ([\d.]+)\"\" ?([NSEW])|(\d+) deg (\d+)' ([\d.]+)\" ([NSEW])", text)
    if not found:
        return None
    whole, minutes, seconds, side = found.groups()[4:]
    value = int(whole) + int(minutes) / 60 + float(seconds) / 3600
    return -value if side in "SW" else value


def read_rows(path: Path) -> list[tuple[FrameRow, str]]:
    """Rows with their names hidden, and the planted fault that the name tells (to the test only)."""
    rows = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(csv.DictReader(file)):
            planted = line["FileName"].partition("_D_")[2].removesuffix(".JPG")
            rows.append(
                (
                    FrameRow(
                        name=f"frame {number}",
                        taken_at=datetime.strptime(line["DateTimeOriginal"], "%Y:%m:%d %H:%M:%S").replace(tzinfo=BALI),
                        lon=degrees(line["GPSLongitude"]),
                        lat=degrees(line["GPSLatitude"]),
                        altitude_m=float(line["AbsoluteAltitude"] or "nan") if line["AbsoluteAltitude"] else None,
                        pitch_deg=float(line["GimbalPitchDegree"]) if line["GimbalPitchDegree"] else None,
                        yaw_deg=float(line["FlightYawDegree"]) if line["FlightYawDegree"] else None,
                    ),
                    planted,
                )
            )
    return rows


def test_planted_faults_are_found_from_values_and_a_real_flight_raises_few_alarms(data_files):
    good = [row for row, _ in read_rows(data_files / "flights" / "agung2_image_metadata.csv")]
    issues = read_rows(data_files / "flights" / "agung2_issue_image_metadata.csv")
    assert (len(good), len(issues)) == (1817, 23)
    alarms = {fault.index for fault in find_faults(good)}
    faults = find_faults([*good, *(row for row, _ in issues)])
    missed, found = [], 0
    for place, (_, planted) in enumerate(issues):
        if planted not in PLANTED:
            continue  # poor sharpness and a lens cap do not show in values
        codes = {fault.code for fault in faults if fault.index == len(good) + place}
        found += PLANTED[planted] in codes
        missed += [planted] if PLANTED[planted] not in codes else []
    beside = {fault.index for fault in faults if fault.index < len(good)}
    print(
        f"\nplanted faults found {found}/{found + len(missed)}, missed {missed}; alarms on 1817 good rows: "
        f"{len(alarms)} alone, {len(beside)} with the planted ones ({100 * len(beside) / 1817:.2f} %)"
    )
    assert not missed and found == 19
    assert max(len(alarms), len(beside)) <= 0.005 * 1817


def test_planted_faults_are_found_in_any_order_and_in_a_small_batch(data_files):
    good = [row for row, _ in read_rows(data_files / "flights" / "agung2_image_metadata.csv")][:300]
    issues = read_rows(data_files / "flights" / "agung2_issue_image_metadata.csv")
    for batch in ([], good):
        mixed = [(row, "") for row in batch] + issues
        random.Random(5).shuffle(mixed)
        faults = find_faults([row for row, _ in mixed])
        for place, (_, planted) in enumerate(mixed):
            if planted in PLANTED and planted != "DUP":  # most originals of the duplicates are not in here
                assert PLANTED[planted] in {fault.code for fault in faults if fault.index == place}, planted


def test_two_honest_sites_are_no_strays_and_a_stray_is():
    start = datetime(2026, 5, 1, tzinfo=BALI)
    one = [FrameRow(f"a{k}", start + timedelta(seconds=k), 112.18, 30.35, pitch_deg=-90.0) for k in range(30)]
    two = [FrameRow(f"b{k}", start + timedelta(hours=3, seconds=k), 112.58, 30.35, pitch_deg=-90) for k in range(20)]
    assert find_faults([*one, *two]) == []
    lost = FrameRow("c", start + timedelta(seconds=10), 112.58, 30.35, pitch_deg=-90.0)
    assert [(fault.index, fault.code) for fault in find_faults([*one, lost])] == [(30, "far_away")]
    expected = find_faults([*one, *two], near=(112.18, 30.35, 5000.0))
    assert {fault.index for fault in expected} == set(range(30, 50))


def test_bands_of_one_exposure_and_a_hovering_series_are_no_duplicates_but_copies_are():
    moment = datetime(2026, 5, 1, tzinfo=BALI)
    bands = [FrameRow(name, moment, 112.18, 30.35, 60.0, -90.0, view=name) for name in ("Red", "NIR", "Green")]
    hover = [FrameRow(f"h{k}", moment + timedelta(seconds=k), 112.18, 30.35, 60.0, -90.0) for k in range(1, 9)]
    assert find_faults([*bands, *hover]) == []
    copies = [FrameRow(name, digest="same", pitch_deg=-90, lon=112.18, lat=30.35) for name in ("x", "y", "z")]
    told = find_faults(copies)
    assert [(fault.index, fault.code) for fault in told] == [(1, "duplicate"), (2, "duplicate")]
    assert "x" in told[0].sentence


def test_of_two_twins_the_faulty_one_is_left_out():
    moment = datetime(2026, 5, 1, tzinfo=BALI)
    plain = FrameRow("plain", moment, 112.18, 30.35, pitch_deg=-90.0)
    edited = FrameRow("edited", moment, 112.18, 30.35, pitch_deg=-90.0, marks=("edited",))
    assert ("duplicate" in {f.code for f in find_faults([edited, plain]) if f.index == 0}) is True
    assert [f for f in find_faults([edited, plain]) if f.index == 1] == []


@pytest.mark.parametrize(
    ("pitch", "code"),
    [(-90, None), (-30, None), (-12, None), (-5, "gimbal_horizon"), (0, "gimbal_horizon"), (30, "gimbal_up"),
     (-150, None), (-175, "gimbal_horizon"), (None, "no_gimbal"), (float("nan"), "no_gimbal")],
)  # fmt: skip
def test_where_the_gimbal_points(pitch, code):
    codes = [fault.code for fault in find_faults([FrameRow("a", lon=112.0, lat=30.0, pitch_deg=pitch)])]
    assert codes == ([code] if code else [])


def test_the_edited_frames_of_a_real_flight_are_found_by_their_marks_and_by_the_batch_alike(data_files):
    photos = sorted((data_files / "drone_rgb" / "brighton_beach").glob("*.JPG"))
    rows = [row_of(read_frame(photo), photo.name) for photo in photos]
    for batch in (rows, [FrameRow(row.name, model=row.model, software=row.software) for row in rows]):
        told = [batch[fault.index].name for fault in find_faults(batch) if fault.code == "edited"]
        assert told == ["DJI_0026.JPG", "DJI_0027.JPG", "DJI_0028.JPG"]
    assert {fault.code for fault in find_faults(rows)} == {"edited"}


def test_bands_of_a_real_exposure_are_no_duplicates_and_their_place_is_kept(data_files):
    bands = sorted((data_files / "multispectral" / "sequoia_garfield").glob("*.TIF"))
    assert find_faults([row_of(read_frame(band), band.name) for band in bands]) == []


number = st.one_of(st.none(), st.floats(), st.floats(-200, 200))


@given(st.lists(st.builds(FrameRow, name=st.text(max_size=3), lon=number, lat=number, altitude_m=number,
                          pitch_deg=number, digest=st.sampled_from(["", "d"]),
                          taken_at=st.sampled_from([None, datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=BALI)]),
                          look=st.sampled_from([None, Look(None, 5.0, 2.0), Look(3.0, 200.0, 90.0, 9.0)])), max_size=12))  # fmt: skip
def test_no_row_whatever_raises_and_each_fault_is_told_once(rows):
    faults = find_faults(rows)
    assert len({(fault.index, fault.code) for fault in faults}) == len(faults)
    for index, row in enumerate(rows):
        codes = {fault.code for fault in faults if fault.index == index}
        assert ("no_gimbal" in codes) == (row.pitch_deg is None or not np.isfinite(row.pitch_deg))
        assert not codes or all(fault.sentence.endswith("。") for fault in faults)
        if row.lon is None and row.lat is None:
            assert "no_position" in codes and codes & UNUSABLE


def blurred(gray: np.ndarray, sigma_px: float, seed: int) -> np.ndarray:
    """Blur as by optics, then the sensor's noise and the camera's JPEG: what a soft frame really goes through."""
    soft = cv2.GaussianBlur(gray, (0, 0), sigma_px) if sigma_px else gray
    return finished(soft, seed)


def finished(gray: np.ndarray, seed: int, noise: float = 2.0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(0.0, noise, gray.shape) + gray
    coded = cv2.imencode(".jpg", np.clip(drawn, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


def area_under_roc(bad: list[float], good: list[float]) -> float:
    """Share of (bad, good) pairs in which the bad one scores higher; ties count half."""
    one, other = np.array(bad)[:, None], np.array(good)[None, :]
    return float(np.mean((one > other) + 0.5 * (one == other)))


def roc(bad: list[float], good: list[float]) -> str:
    """The curve in words: the share caught at each share of false alarms, by moving the limit."""
    points = []
    for false in (0.0, 0.02, 0.05, 0.1, 0.2):
        allowed = int(false * len(good) + 1e-9)
        limit = sorted(good, reverse=True)[allowed] if allowed < len(good) else -np.inf
        points.append(f"{allowed / len(good):.0%} → {np.mean([one > limit for one in bad]):.0%}")
    return "false → caught: " + ", ".join(dict.fromkeys(points))


@pytest.fixture(scope="module")
def crops() -> list[np.ndarray]:
    """Parts of the eleven real frames at full resolution: forest, lawn, road, shore."""
    import os

    folder = Path(os.environ.get("PATROL_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    photos = sorted((folder / "drone_rgb" / "brighton_beach").glob("*.JPG"))
    if not photos:
        pytest.skip("the real sample files are not here: set PATROL_TEST_DATA")
    wholes = [cv2.imread(str(photo), cv2.IMREAD_GRAYSCALE) for photo in photos]
    return [whole[y : y + 1024, x : x + 1536] for whole in wholes for x, y in ((0, 0), (2464, 1226))]


def waters(crops: list[np.ndarray]) -> list[np.ndarray]:
    """Real shallow water laid out over a whole picture, and smooth and rippled water that was computed."""
    shore = crops[-3]  # the lower right of DJI_0031
    real = shore[274:1004, 886:1386]
    pair = np.hstack([real, real[:, ::-1]])
    found = [np.vstack([pair, pair[::-1]])[:, :1000], finished(np.tile(pair, (2, 2)), 3)]
    y, x = np.mgrid[:1024, :1536]
    found.append(finished(90 + 20 * np.sin(x / 700) + 10 * np.sin(y / 300 + x / 900), 4))
    for length, height, seed in ((40, 6, 5), (60, 20, 6), (25, 15, 7)):
        wave = np.sin(2 * np.pi * (0.7 * x + 0.4 * y) / length + 2 * np.sin(y / 90))
        found.append(finished(90 + height * wave, seed))
    return found


def test_blur_is_told_from_sharp_frames_and_from_smooth_water(crops):
    calm = waters(crops)
    sharp = [finished(crop, seed) for seed, crop in enumerate(crops)]
    sets = {f"sigma {sigma:g} px": [blurred(crop, sigma, 50 + k) for k, crop in enumerate(crops[1::4])]
            for sigma in (1.0, 1.5, 2.0, 3.0, 5.0)}  # fmt: skip
    smear = np.full((1, 15), 1 / 15)
    sets["motion 15 px"] = [finished(cv2.filter2D(crop, -1, smear), 90 + k) for k, crop in enumerate(crops[1::4])]
    good = [look(picture) for picture in (*sharp, *calm)]

    def score(one: Look) -> float:
        return -1.0 if one.softness_px is None else one.softness_px

    rows = [FrameRow(str(k), lon=112.0, lat=30.0, pitch_deg=-90.0, look=one) for k, one in enumerate(good)]
    print()
    for name, pictures in sets.items():
        looks = [look(picture) for picture in pictures]
        area = area_under_roc([score(one) for one in looks], [score(one) for one in good])
        caught, alarms = 0, set()
        for one in looks:  # each soft frame alone within the batch
            told = [f.index for f in find_faults([*rows, FrameRow("x", lon=112, lat=30, pitch_deg=-90, look=one)])]
            caught += len(rows) in told
            alarms |= set(told) - {len(rows)}
        print(f"blur, {name}: AUC {area:.3f}, caught {caught}/{len(looks)}, alarms {len(alarms)} "
              f"of {len(sharp)} sharp and {len(calm)} water frames; "
              f"{roc([score(one) for one in looks], [score(one) for one in good])}")  # fmt: skip
        assert not alarms
        if name != "sigma 1 px":  # the mildest is printed, not promised
            assert area >= 0.99 and caught == len(looks)


def test_a_whole_batch_out_of_focus_is_told_too(crops):
    looks = [look(blurred(crop, 4.0, k)) for k, crop in enumerate(crops[:6])]
    rows = [FrameRow(str(k), lon=112.0, lat=30.0, pitch_deg=-90.0, look=one) for k, one in enumerate(looks)]
    assert [fault.code for fault in find_faults(rows)] == ["blurred"] * 6


def test_the_reading_is_the_blur_that_was_put_in():
    plain = np.full((1125, 2000), 80, np.uint8)
    for x, y, radius in np.random.default_rng(8).integers((0, 0, 20), (2000, 1125, 60), (150, 3)).tolist():
        cv2.circle(plain, (x, y), radius, int((x * y) % 120 + 100), -1)
    for sigma in (1.0, 2.0, 3.0):
        assert softness_of(blurred(plain, sigma, 9))[0] == pytest.approx(sigma, abs=0.25)


def test_a_lens_cap_is_told_from_dark_and_from_calm_pictures(crops):
    random_ = np.random.default_rng(10)
    y, x = np.mgrid[:600, :900]
    capped = [finished(np.full((600, 900), level) + glow * np.exp(-((x / 400) ** 2) - (y / 300) ** 2), k, noise)
              for k, (level, glow, noise) in enumerate((level, glow, noise) for level in (0, 4, 12)
                                                       for glow in (0, 8) for noise in (0.5, 2.0, 4.0))]  # fmt: skip
    honest = [*crops, *waters(crops), *(finished(crop * random_.uniform(0.25, 0.5), 30 + k) for k, crop in
                                        enumerate(crops[1::4]))]  # fmt: skip
    looks = [[look(np.ascontiguousarray(picture)) for picture in pictures] for pictures in (capped, honest)]
    levels = [[-float(one.bright_level) for one in part] for part in looks]
    area = area_under_roc(*levels)
    caught, alarms = (sum(one.covered for one in part) for part in looks)
    print(f"\nlens cap: AUC {area:.3f} by brightness, caught {caught}/{len(capped)}, alarms {alarms}/{len(honest)} "
          f"(dusk at 0.25 to 0.5 of the light and water among the honest); {roc(*levels)}")  # fmt: skip
    assert area >= 0.99 and caught == len(capped) and alarms == 0


def test_pictures_of_any_depth_are_looked_at_and_broken_ones_refused(data_files):
    band = next((data_files / "multispectral" / "sequoia_garfield").glob("*NIR.TIF"))
    seen = look_at(band)
    assert not seen.covered and seen.softness_px is not None and seen.softness_px < 1.5
    assert not look_at(data_files / "heic" / "iphone11_gps.HEIC").covered
    refused = 0
    for path in sorted((data_files / "hostile").rglob("*")):
        if path.is_file():
            try:
                look_at(path)
            except GeoError as refusal:
                assert refusal.sentence
                refused += 1
    assert refused >= 5
