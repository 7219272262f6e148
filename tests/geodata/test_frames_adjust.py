"""Frames adjusted together: the real lake-shore flight, flights made up with known poses, and laws."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from geodata.errors import GeoError
from geodata.frames.adjust import adjust, framed
from geodata.frames.adjusted import Adjustment, Framed, LeftOut
from geodata.frames.camera import Camera
from geodata.frames.ellipse import holds
from geodata.frames.locate import locate
from geodata.frames.matches import Features, Ties, features_in, features_of, pairs_of, ties_of
from geodata.frames.metadata import FrameMeta, read_frame
from geodata.frames.project import Pose, Sigma
from geodata.frames.solve import Link, corrected, slopes, solve
from geodata.frames.together import adjust_photos, candidate_pairs, locate_together
from geodata.frames.turned import groups_of
from patrol.cli import run
from tests.faults import share

TURNED = ("DJI_0026.JPG", "DJI_0027.JPG", "DJI_0028.JPG")

# --- the real flight --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beach() -> Path:
    folder = Path(os.environ.get("PATROL_TEST_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
    if not (folder / "drone_rgb" / "brighton_beach").is_dir():
        pytest.skip("the real sample files are not here: set PATROL_TEST_DATA")
    return folder / "drone_rgb" / "brighton_beach"


@pytest.fixture(scope="module")
def flight(beach: Path) -> tuple[list[Framed], list[Ties]]:
    photos = sorted(beach.glob("*.JPG"))
    frames = [framed(photo.name, read_frame(photo)) for photo in photos]
    assert all(isinstance(frame, Framed) for frame in frames)
    ready = [frame for frame in frames if isinstance(frame, Framed)]
    seen = {index: features_of(photo) for index, photo in enumerate(photos)}
    return ready, ties_of(seen, candidate_pairs(ready))


@pytest.fixture(scope="module")
def adjusted(flight: tuple[list[Framed], list[Ties]]) -> Adjustment:
    return adjust(*flight)


def test_the_lake_shore_flight_agrees_within_decimetres_on_matches_the_fit_did_not_use(adjusted: Adjustment):
    clean = [pair for pair in adjusted.pairs if not {pair.first, pair.second} & set(TURNED)]
    print("\npair        matches   before med/p90   after med/p90 (m, held out)")
    for pair in adjusted.pairs:
        print(
            f"{pair.first[4:8]}-{pair.second[4:8]} {pair.matches:8d} {pair.before_m:10.2f} {pair.before_p90_m:6.2f}"
            f" {pair.after_m:10.2f} {pair.after_p90_m:6.2f}"
        )
    raw = float(np.median([pair.before_m for pair in clean]))
    assert adjusted.before_m is not None and adjusted.after_m is not None
    print(f"clean pairs as stated: median of medians {raw:.2f} m over {len(clean)} pairs")
    print(f"all pairs as stated {adjusted.before_m[0]:.2f} / {adjusted.before_m[1]:.2f} m (median / p90)")
    print(f"after, held out: {adjusted.after_m[0]:.3f} / {adjusted.after_m[1]:.3f} m over {adjusted.matches} matches")
    assert len(clean) >= 10 and raw <= 2.0
    assert adjusted.after_m[0] <= 0.15 and adjusted.after_m[1] <= 0.35
    # The worst pair shares little but tree tops.
    assert max(pair.after_m for pair in adjusted.pairs) < 0.6
    assert len(adjusted.corrections) == 11 and adjusted.left_out == ()


def test_every_turned_picture_is_named_from_the_pixels_and_no_other(adjusted: Adjustment):
    # Neither adjust() nor what it is given holds any mark of the files; see Framed.
    assert adjusted.turned == TURNED
    assert {correction.turned_deg for correction in adjusted.corrections} == {0, 180}


def test_the_held_out_figures_are_those_of_fits_that_never_saw_the_matches(flight, adjusted: Adjustment):
    """The same split done from outside: a fit on the even matches, judged by `ground` on the odd ones."""
    frames, ties = flight
    half = [
        Ties(tie.first, tie.second, tie.first_px[::2], tie.second_px[::2]) for tie in ties if len(tie.first_px) >= 30
    ]
    fitted = adjust(frames, half)
    gaps = []
    for tie in ties:
        if len(tie.first_px) < 30:
            continue
        ends = [
            fitted.ground(frames[end].name, px[1::2])[0]
            for end, px in ((tie.first, tie.first_px), (tie.second, tie.second_px))
        ]
        gaps.append(np.linalg.norm((ends[0] - ends[1]) * (76270.0, 111190.0), axis=1))  # metres a degree at 46.84 N
    middle = float(np.median(np.concatenate(gaps)))
    print(f"\nfit on even matches, judged by ground() on odd ones: {middle:.3f} m")
    assert middle <= 0.15
    assert adjusted.after_m is not None and abs(middle - adjusted.after_m[0]) < 0.06


def turned_by_a_viewer(frame: Framed, quarters: int) -> tuple[Framed, np.ndarray, np.ndarray]:
    """The frame as it reads after its picture was turned clockwise, and the map of its pixels: A p + b."""
    camera = frame.camera
    width, height = camera.width_px, camera.height_px
    spin = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), quarters)
    size = np.abs(spin) @ (width, height)
    corner = np.array([spin @ p for p in ((0, 0), (width, 0), (0, height), (width, height))]).min(axis=0)
    shift = -corner
    told = replace(camera, width_px=int(size[0]), height_px=int(size[1]), cx_px=size[0] / 2, cy_px=size[1] / 2)
    return replace(frame, camera=told), spin, shift


@pytest.mark.parametrize("seed", range(6))
def test_whichever_pictures_are_turned_they_are_found_with_their_quarter(flight, seed: int):
    frames, ties = flight
    random = np.random.default_rng(seed)
    quarters = random.choice([0, 0, 0, 1, 2, 2, 3], len(frames))
    shown = [turned_by_a_viewer(frame, int(k)) for frame, k in zip(frames, quarters, strict=True)]

    def moved(end: int, pixels: np.ndarray) -> np.ndarray:
        return pixels @ shown[end][1].T + shown[end][2]

    changed = [
        Ties(t.first, t.second, moved(t.first, t.first_px), moved(t.second, t.second_px)) for t in ties
    ]  # fmt: skip
    found = adjust([frame for frame, _, _ in shown], changed)
    already = np.array([180 if frame.name in TURNED else 0 for frame in frames])
    expected = (quarters * 90 + already) % 360
    assert [correction.turned_deg for correction in found.corrections] == expected.tolist()
    assert found.after_m is not None and found.after_m[0] <= 0.3


def test_matches_are_the_same_every_time(beach: Path):
    one, again = (features_of(beach / "DJI_0032.JPG") for _ in range(2))
    assert np.array_equal(one.points_px, again.points_px) and np.array_equal(one.marks, again.marks)
    other = features_of((beach / "DJI_0026.JPG").read_bytes())
    first, second = (ties_of({0: one, 1: other}, [(0, 1)])[0] for _ in range(2))
    assert np.array_equal(first.first_px, second.first_px) and np.array_equal(first.second_px, second.second_px)
    assert one.marks.nbytes + one.points_px.nbytes < 500_000


def with_pixels(source: Path, target: Path, pixels: np.ndarray) -> None:
    """Another picture under the metadata of a real frame."""
    with Image.open(source) as image:
        exif, xmp = image.getexif(), image.info["xmp"]
        Image.fromarray(pixels).resize(image.size).save(target, exif=exif, xmp=xmp, quality=90)


def test_a_turned_photo_is_located_where_its_neighbours_see_the_same(beach: Path, tmp_path: Path, flight):
    frames, ties = flight
    for name in ("DJI_0026.JPG", "DJI_0027.JPG", "DJI_0031.JPG"):
        shutil.copy(beach / name, tmp_path)
    waves = np.full((90, 160, 3), (40, 70, 80), np.uint8)
    with_pixels(beach / "DJI_0020.JPG", tmp_path / "WATER.JPG", waves)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    names = [frame.name for frame in frames]
    tie = next(t for t in ties if {names[t.first], names[t.second]} == {"DJI_0026.JPG", "DJI_0031.JPG"})
    pixels = [tuple(pixel) for pixel in tie.first_px[:20].tolist()]
    there = [tuple(pixel) for pixel in tie.second_px[:20].tolist()]
    answer = locate_together(beach / "DJI_0026.JPG", tmp_path, pixels)
    other = locate_together(beach / "DJI_0031.JPG", tmp_path, there)
    gaps = [
        math.hypot((a["lon"] - b["lon"]) * 76270.0, (a["lat"] - b["lat"]) * 111190.0)
        for a, b in zip(answer["points"], other["points"], strict=True)
    ]
    assert np.median(gaps) < 0.5

    told = answer["adjustment"]
    assert told["used"] and told["frames"] == 3 and told["turned"] == ["DJI_0026.JPG", "DJI_0027.JPG"]
    assert told["median_m"]["after"] <= 0.3 < 5.0 < told["median_m"]["before"]
    assert told["matches"] == sum(pair["matches"] for pair in told["pair_report"]) and told["pairs"] == 3
    assert {left["name"]: left["code"] for left in told["left_out"]} == {
        "WATER.JPG": "no_matches",
        "broken.jpg": "unreadable",
    }
    assert answer["method"] == "pose" and {point["method"] for point in answer["points"]} == {"pose"}
    codes = [remark["code"] for remark in answer["warnings"]]
    assert codes == ["edited", "picture_turned", "others_turned"]
    assert [remark["code"] for remark in other["warnings"]] == ["others_turned"]

    plain = locate(beach / "DJI_0026.JPG", pixels)
    assert answer["camera"] == plain["camera"]
    # An unknown half turn no longer widens the ellipse; the flight's common error stays in it.
    for before, after in zip(plain["points"], answer["points"], strict=True):
        assert 0.7 * 2.0 * 2.146 < after["ce90_m"] < before["ce90_m"]


def test_a_photo_that_cannot_be_adjusted_is_located_as_before_and_says_so(beach: Path, tmp_path: Path):
    others = tmp_path / "others"
    others.mkdir()
    shutil.copy(beach / "DJI_0018.JPG", others)
    with_pixels(beach / "DJI_0019.JPG", tmp_path / "water.jpg", np.zeros((90, 160, 3), np.uint8))
    no_pose = beach.parent / "caliterra" / "IMG_9354.jpg"
    for photo, code in ((tmp_path / "water.jpg", "no_matches"), (no_pose, "no_pose")):
        answer = locate_together(photo, others)
        plain = locate(photo)
        assert answer["points"] == plain["points"] and answer["method"] == plain["method"]
        assert answer["warnings"][-1]["code"] == "not_adjusted" and photo.name in answer["warnings"][-1]["sentence"]
        told = answer["adjustment"]
        assert told["used"] is False and told["pairs"] == told["matches"] == 0
        assert told["median_m"] == {"before": None, "after": None}
        assert code in {left["code"] for left in told["left_out"] if left["name"] == photo.name}


def test_the_terminal_answers_with_the_adjustment_in_json_and_in_words(
    beach: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copy(beach / "DJI_0032.JPG", tmp_path)
    photo = str(beach / "DJI_0031.JPG")
    assert run(["locate", photo, "--pixel", "3000,900", "--adjust-with", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["adjustment"]) >= {"frames", "pairs", "matches", "median_m", "turned", "corrections"}
    assert told["adjustment"]["frames"] == 2 and told["adjustment"]["median_m"]["after"] < 0.3
    assert [each["name"] for each in told["adjustment"]["corrections"]] == ["DJI_0031.JPG", "DJI_0032.JPG"]
    assert told["points"][0]["pixel"] == [3000, 900] and told["method"] == "pose"
    with_pixels(beach / "DJI_0032.JPG", tmp_path / "DJI_0032.JPG", np.zeros((9, 16, 3), np.uint8))
    assert run(["locate", photo, "--adjust-with", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "没有平差" in said and "未用　DJI_0032.JPG" in said and "平差前" not in said


def test_the_terminal_refuses_what_cannot_be_adjusted(beach: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    photo = str(beach / "DJI_0031.JPG")
    for arguments, code, words in (
        ([str(tmp_path)], 1, "没有别的照片"),
        ([str(tmp_path / "absent")], 2, "没有这个文件或文件夹"),
        ([str(tmp_path), "--method", "laser"], 2, "不能与 --method laser 一起用"),
        ([str(tmp_path), "--pixel", "99999,1"], 1, "不在照片内"),
    ):
        assert run(["locate", photo, "--adjust-with", *arguments]) == code
        said = capsys.readouterr()
        assert said.out == "" and words in said.err, said.err


def test_a_folder_without_other_photos_is_refused_in_words(beach: Path, tmp_path: Path):
    shutil.copy(beach / "DJI_0018.JPG", tmp_path)
    (tmp_path / "note.txt").write_text("x", "utf-8")
    for folder, code in ((tmp_path, "no_others"), (tmp_path / "absent", "no_folder")):
        with pytest.raises(GeoError) as refusal:
            locate_together(beach / "DJI_0018.JPG", folder)
        assert refusal.value.code == code and refusal.value.sentence


# --- flights made up, with every pose known -----------------------------------------------------------------------------

CAMERA = Camera(4000, 3000, 2340.0, 2340.0, 2000.0, 1500.0, "sensor_table", 0.015)
SIGMA = Sigma(2.0, 1.5, 2.0, 0.0, 0.0, 0.0, 0.5)
LON, LAT = 112.18, 30.35
EAST_M, NORTH_M = 96170.0, 110860.0
"""Metres a degree there, good to 1e-4: all a test needs that compares decimetres over 100 m."""


def rotation(axis: str, angle_deg: float) -> np.ndarray:
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return np.array(
        {
            "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
            "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis]
    )


def pixels_of(points: np.ndarray, pose: Pose, slope: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Pixels (n, 2) of points (n, 2) of a plane through the origin, by rotation matrices in north-east-down."""
    turn = rotation("z", pose.yaw_deg) @ rotation("y", pose.pitch_deg) @ rotation("x", pose.roll_deg)
    drop = pose.height_m - points @ slope
    away = np.column_stack((points[:, 1] - pose.north_m, points[:, 0] - pose.east_m, drop))
    forward, right, down = (away @ turn).T
    return np.column_stack((2000 + 2340 * right / forward, 1500 + 2340 * down / forward))


def made_up(seed: int, pitch_deg: float = -90.0, noise_px: float = 1.0, faulty: float = 0.0, side: int = 3):
    """A block of frames with errors as they are expected, their ties, the true poses and the ground's slope."""
    random = np.random.default_rng(seed)
    slope = tuple(random.normal(0, 0.03, 2).tolist())
    common = random.normal(0, 1, 4) * (0.7 * 2.0, 0.7 * 2.0, 0.7 * 2.0, math.hypot(0.7 * 1.5, 0.5) / 40)
    rest = math.sqrt(1 - 0.49)
    truth, frames = [], []
    for row, column in itertools.product(range(side), repeat=2):
        yaw = (45.0, -135.0)[row % 2] + random.normal(0, 3)
        east, north = (column - side / 2 + 0.5) * 14.0, (row - side / 2 + 0.5) * 20.0
        pose = Pose(yaw, pitch_deg, 0.0, 40.0, east, north)
        own = random.normal(0, 1, 4) * (rest * 2.0, rest * 2.0, rest * 2.0, math.hypot(rest * 1.5 / 40, 0.02))
        error = common + own
        truth.append(pose)
        spot = (LON + (pose.east_m + error[0]) / EAST_M, LAT + (pose.north_m + error[1]) / NORTH_M)
        stated = Pose(yaw + error[2], pitch_deg, 0.0, 40.0 * (1 + error[3]))
        frames.append(Framed(f"{row}{column}", *spot, CAMERA, stated, SIGMA))
    ground = random.uniform(-90, 90, (4000, 2))
    views = [pixels_of(ground, pose, slope) for pose in truth]
    inside = [(view > 0).all(axis=1) & (view < (4000, 3000)).all(axis=1) for view in views]
    ties = []
    for one, other in itertools.combinations(range(len(frames)), 2):
        both = np.flatnonzero(inside[one] & inside[other])[:120]
        if len(both) < 20:
            continue
        noisy = [views[end][both] + random.normal(0, noise_px, (len(both), 2)) for end in (one, other)]
        wrong = random.random(len(both)) < faulty
        noisy[1][wrong] += random.normal(0, 400, (int(wrong.sum()), 2))
        ties.append(Ties(one, other, *noisy))
    return frames, ties, truth, slope


def misses(
    found: Adjustment, truth: list[Pose], slope: tuple[float, float], pixels: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """How far each frame's idea of its pixels' ground lies off the truth (n, 2), metres, and the covariances."""
    off, spread = [], []
    for frame, pose in zip(found.frames, truth, strict=True):
        lonlat, covariances = found.ground(frame.name, pixels)
        turn = rotation("z", pose.yaw_deg) @ rotation("y", pose.pitch_deg) @ rotation("x", pose.roll_deg)
        rays = np.column_stack((np.full(len(pixels), 2340.0), pixels - (2000, 1500))) @ turn.T
        plan, here = rays[:, [1, 0]], np.array([pose.east_m, pose.north_m])
        true = plan * ((pose.height_m - here @ slope) / (rays[:, 2] + plan @ slope))[:, None] + here
        off.append((lonlat - (LON, LAT)) * (EAST_M, NORTH_M) - true)
        spread.append(covariances)
    return off, spread


def disagreements(
    found: Adjustment, truth: list[Pose], slope: tuple[float, float]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Gaps (n, 2), metres, between two frames' ideas of the same ground, and the covariances said for them."""
    out = []
    lattice = np.array(list(itertools.product(range(-30, 31, 6), range(-36, 37, 6))), dtype=float)
    views = [pixels_of(lattice, pose, slope) for pose in truth]
    for one, other in itertools.combinations(range(len(truth)), 2):
        both = [(view > 0).all(axis=1) & (view < (4000, 3000)).all(axis=1) for view in (views[one], views[other])]
        same = both[0] & both[1]
        if same.any():
            (here, spread), (there, more) = (
                found.ground(found.frames[end].name, views[end][same], relative=True) for end in (one, other)
            )
            out.append(((here - there) * (EAST_M, NORTH_M), spread + more))
    return out


@pytest.mark.parametrize("pitch_deg", [-90.0, -60.0])
@pytest.mark.parametrize("faulty", [0.0, 0.15])
def test_a_made_up_flight_is_put_right_against_itself(pitch_deg: float, faulty: float):
    frames, ties, truth, slope = made_up(3, pitch_deg, faulty=faulty)
    found = adjust(frames, ties)
    assert len(found.corrections) == 9 and found.turned == () and found.left_out == ()
    gaps = np.concatenate([np.linalg.norm(gap, axis=1) for gap, _ in disagreements(found, truth, slope)])
    print(f"\npitch {pitch_deg}, {faulty:.0%} wrong matches: the same ground {gaps.max():.3f} m apart at most")
    assert np.median(gaps) < 0.05 and gaps.max() < 0.3
    assert (
        max(float(np.linalg.norm(off[0])) for off in misses(found, truth, slope, np.array([[2000.0, 1500.0]]))[0]) < 6
    )
    yaws = [correction.pose.yaw_deg - pose.yaw_deg for correction, pose in zip(found.corrections, truth, strict=True)]
    assert np.ptp(yaws) < 0.5


def test_the_mean_place_stays_where_the_satellites_put_it():
    frames, ties, _, _ = made_up(5)
    found = adjust(frames, ties)
    shifts = np.array([(correction.east_m, correction.north_m) for correction in found.corrections])
    assert np.abs(shifts.mean(axis=0)).max() < 0.02
    assert np.abs(shifts).max() > 0.5


def test_the_scene_does_not_shrink_to_make_its_gaps_small():
    """Loose heights and matches that cannot agree: the mean height must not run away to nothing."""
    frames, ties, _, _ = made_up(8, noise_px=60.0)
    loose = [replace(frame, sigma=replace(frame.sigma, height_m=20.0)) for frame in frames]
    found = adjust(loose, ties)
    scales = np.array([correction.height_percent for correction in found.corrections])
    assert abs(scales.mean()) < 12


@pytest.mark.faults
def test_ellipses_hold_the_truth_about_as_often_as_they_say():
    held, trials = 0, 0
    pixels = np.array([[2000.0, 1500.0], [3600.0, 400.0]])
    for seed in range(share(100)):
        frames, ties, truth, slope = made_up(1000 + seed, side=2)
        off, spread = misses(adjust(frames, ties), truth, slope, pixels)
        for number in range(len(frames)):
            for point in range(len(pixels)):
                held += holds(spread[number][point], *off[number][point])
                trials += 1
    print(f"\n90 % ellipses after adjustment hold the truth {held / trials:.1%} of {trials} times")
    # The frames of one flight err together, so that few flights leave the figure wide.
    assert 0.84 <= held / trials <= 0.96 if share(100) < 100 else 0.87 <= held / trials <= 0.93


def test_two_frames_disagree_on_the_same_ground_no_more_than_said():
    inside: list[bool] = []
    said, met = [], []
    for seed in range(10):
        frames, ties, truth, slope = made_up(50 + seed, noise_px=3.0, side=2)
        for gaps, covariances in disagreements(adjust(frames, ties), truth, slope):
            inside.extend(holds(covariance, *gap) for gap, covariance in zip(gaps, covariances, strict=True))
            said.extend(np.sqrt(np.trace(covariances, axis1=1, axis2=2)))
            met.extend(np.linalg.norm(gaps, axis=1))
    print(f"\nrelative 90 % ellipses hold {np.mean(inside):.1%}; root mean square {np.sqrt(np.mean(np.square(met))):.3f} m,"
          f" said {np.sqrt(np.mean(np.square(said))):.3f} m")  # fmt: skip
    assert np.mean(inside) >= 0.9
    assert np.mean(said) < 0.6


def test_a_frame_with_a_wrong_position_is_named_and_spoils_no_other():
    frames, ties, _, _ = made_up(11)
    lost = replace(frames[4], lon=frames[4].lon + 60.0 / EAST_M)
    found = adjust([*frames[:4], lost, *frames[5:]], ties)
    assert [(left.name, left.code) for left in found.left_out] == [("11", "disagrees")]
    assert found.turned == () and len(found.corrections) == 8
    assert found.after_m is not None and found.after_m[0] < 0.1


def test_two_frames_from_one_place_of_which_one_is_turned_cannot_be_told_apart():
    truth = made_up(2, side=2)[2]
    hover = replace(truth[0], east_m=0.3)
    ground = np.random.default_rng(1).uniform(-12, 12, (60, 2))
    here, there = pixels_of(ground, truth[0]), pixels_of(ground, hover)
    pair = [Framed("a", LON, LAT, CAMERA, replace(truth[0], east_m=0.0, north_m=0.0), SIGMA)]
    pair.append(replace(pair[0], name="b"))
    found = adjust(pair, [Ties(0, 1, here, np.array([4000, 3000]) - there)])
    assert found.turned == () and found.corrections == ()
    assert {left.code for left in found.left_out} == {"turned_unsure", "disagrees"}


def test_without_ties_every_frame_stays_and_says_why():
    frames, _, _, _ = made_up(1)
    found = adjust(frames, [])
    assert found.corrections == () and {left.code for left in found.left_out} == {"no_matches"}
    assert found.after_m is None and all("卫星定位精度" in left.sentence for left in found.left_out)
    with pytest.raises(KeyError):
        found.ground("00", [[0, 0]])
    assert adjust([], []).frames == () and adjust_photos([], []).frames == ()


POSED = FrameMeta(
    4000, 3000, "JPEG", lon=LON, lat=LAT, relative_altitude_m=50.0, focal_35mm=24.0,
    gimbal_yaw_deg=10.0, gimbal_pitch_deg=-90.0, gimbal_roll_deg=0.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"lon": None}, "no_position"),
        ({"gimbal_pitch_deg": None}, "no_pose"),
        ({"relative_altitude_m": None}, "no_pose"),
        ({"focal_35mm": None}, "no_focal"),
        ({"relative_altitude_m": 0.5}, "too_low"),
    ],
)
def test_a_frame_without_what_it_takes_is_named_with_the_reason(changed: dict[str, None], code: str):
    left = framed("x.jpg", replace(POSED, **changed))
    assert isinstance(left, LeftOut) and left.code == code and "x.jpg" in left.sentence
    ready = framed("x.jpg", POSED, ground_z_m=-10.0)
    assert isinstance(ready, Framed) and ready.pose.height_m == 60.0


# --- laws of the parts --------------------------------------------------------------------------------------------------


small = st.floats(-0.2, 0.2)


@given(st.lists(small, min_size=6, max_size=6), st.tuples(st.floats(-40, 40), st.floats(-40, 40)), st.floats(20, 90))
def test_slopes_are_those_of_the_correction(correction, offset, height):
    here, r, h = np.array([correction]), np.array([offset]), np.array([height])
    step = 1e-6
    for part in range(6):
        move = np.zeros((1, 6))
        move[0, part] = step
        nowhere = np.zeros((1, 2))
        rise = (corrected(nowhere, h, r, here + move) - corrected(nowhere, h, r, here - move)) / (2 * step)
        assert slopes(h, r, here)[0, :, part] == pytest.approx(rise[0], rel=1e-4, abs=1e-4)


@given(small, small, st.floats(-40, 40), st.floats(-40, 40))
def test_a_slope_puts_points_on_the_sloping_plane_their_rays_meet(east, north, x, y):
    height = 40.0
    sloped = np.array([[0, 0, 0, 0, east, north]])
    found = corrected(np.zeros((1, 2)), np.array([height]), np.array([[x, y]]), sloped)[0]
    level = east * found[0] + north * found[1]
    # On the ray through (x, y, 0) from (0, 0, height), at that level.
    assert found == pytest.approx(np.array([x, y]) * (height - level) / height, abs=1e-9)


def test_the_solution_is_the_posterior_of_a_small_problem_done_by_hand():
    """Two frames, exact matches, no turning: only a shift, whose posterior mean and error are known in closed form."""
    ground = np.random.default_rng(4).uniform(-15, 15, (200, 2))
    gap = np.array([1.2, -0.8])
    own, shared = np.full((2, 6), 1e-6), np.zeros((2, 6))
    own[0, :2], own[1, :2] = 1.0, 2.0
    shared[:, :2] = 3.0
    link = Link(0, 1, ground, ground - gap, np.zeros(200))
    found = solve(np.zeros((2, 2)), np.full(2, 40.0), [link], own, shared)
    # The gap is shared out by the variances, 1 to 4; the common error moves neither frame.
    assert found.corrections[0, :2] == pytest.approx(-gap * 0.2, abs=0.01)
    assert found.corrections[1, :2] == pytest.approx(gap * 0.8, abs=0.01)
    assert math.sqrt(found.covariance[0, 0]) == pytest.approx(math.hypot(3.0, math.sqrt(0.8)), rel=0.01)


@given(st.integers(1, 8), st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=10))
@settings(max_examples=50)
def test_groups_are_the_connected_components(count, pairs):
    pairs = [(a, b) for a, b in pairs if a < count and b < count]
    rows, columns = ([pair[i] for pair in pairs] for i in (0, 1))
    graph = coo_matrix((np.ones(len(pairs)), (rows, columns)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    expected = [np.flatnonzero(labels == label).tolist() for label in dict.fromkeys(labels.tolist())]
    assert groups_of(count, pairs) == expected


@given(st.floats(-40, 40), st.floats(-40, 40))
def test_pairs_are_those_whose_squares_share_a_tenth(east, north):
    square = np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 20.0], [0.0, 20.0]])
    common = max(0.0, 20 - abs(east)) * max(0.0, 20 - abs(north))
    if abs(common - 40.0) < 0.5:
        return
    found = pairs_of({3: square, 5: square + np.array([east, north])}, {3: 0.0, 5: 0.0})
    assert found == ([(3, 5)] if common > 40.0 else [])


def test_a_blank_picture_has_no_points_and_ties_to_nothing():
    blank = features_in(np.full((300, 400), 90, np.uint8), 4000, 3000)
    noise = features_in(np.random.default_rng(0).integers(0, 255, (300, 400)).astype(np.uint8), 4000, 3000)
    other = features_in(np.random.default_rng(1).integers(0, 255, (300, 400)).astype(np.uint8), 4000, 3000)
    assert len(blank.points_px) == 0 and len(noise.points_px) > 50
    assert ties_of({0: blank, 1: noise, 2: other}, [(0, 1), (1, 2)]) == []


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_points_found_in_a_turned_and_moved_picture_are_where_they_went(quarters: int):
    random = np.random.default_rng(9)
    coarse = random.integers(0, 255, (60, 80)).astype(np.uint8)
    grey = np.asarray(Image.fromarray(coarse).resize((800, 600), Image.Resampling.BICUBIC))
    turned = np.ascontiguousarray(np.rot90(grey, -quarters))
    scale = 4.0
    one = features_in(grey, 3200, 2400)
    other = features_in(turned, int(turned.shape[1] * scale), int(turned.shape[0] * scale))
    (ties,) = ties_of({0: one, 1: other}, [(0, 1)])
    x, y = ties.first_px.T
    expected = [(x, y), (2400 - y, x), (3200 - x, 2400 - y), (y, 3200 - x)][quarters]
    assert np.abs(np.column_stack(expected) - ties.second_px).max() < 4.0
    assert isinstance(one, Features) and len(ties.first_px) > 100


def test_a_match_of_deep_pictures_survives_their_number_format(tmp_path: Path):
    coarse = np.random.default_rng(2).integers(0, 255, (60, 80)).astype(np.uint8)
    grey = np.asarray(Image.fromarray(coarse).resize((1000, 750), Image.Resampling.BICUBIC))
    Image.fromarray(grey).save(tmp_path / "plain.png")
    Image.fromarray(grey.astype(np.uint16) * 100 + 3200).save(tmp_path / "deep.tif")
    seen = {index: features_of(tmp_path / name) for index, name in enumerate(("plain.png", "deep.tif"))}
    (ties,) = ties_of(seen, [(0, 1)])
    assert np.median(np.abs(ties.first_px - ties.second_px)) < 0.5
