"""Real frames: the laser frame, the lake shore flight, a camera without attitude, and hostile files."""

from __future__ import annotations

import itertools
import math
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from geodata.errors import GeoError
from geodata.frames.ellipse import holds
from geodata.frames.locate import locate
from geodata.frames.metadata import read_frame
from geodata.frames.project import to_plane

ROOT = Path(os.environ.get("PATROL_TEST_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
LASER = ROOT / "drone_lrf" / "H20N_DJI_0006_R.JPG"
BEACH = ROOT / "drone_rgb" / "brighton_beach"
RESAVED = {"DJI_0026.JPG", "DJI_0027.JPG", "DJI_0028.JPG"}

pytestmark = pytest.mark.skipif(not LASER.exists(), reason="PATROL_TEST_DATA names no folder with real frames")


def claims(path: Path) -> dict[str, float]:
    """Numbers of the DJI packet, by plain search, so that nothing of the code under test is used."""
    text = path.read_bytes()[:300_000].decode("latin-1")
    pairs = re.findall(r'drone-dji:(\w+)="([+-]?\d+\.?\d*)"', text)
    return {name: float(value) for name, value in pairs}


def metres(origin: tuple[float, float], place: tuple[float, float]) -> np.ndarray:
    """East and north by the ellipsoid's radii of curvature: good to millimetres over these distances."""
    a, e2 = 6378137.0, 0.00669437999014
    lat = math.radians((origin[1] + place[1]) / 2)
    w = math.sqrt(1 - e2 * math.sin(lat) ** 2)
    east = math.radians(place[0] - origin[0]) * a / w * math.cos(lat)
    return np.array([east, math.radians(place[1] - origin[1]) * a * (1 - e2) / w**3])


def spot(point: dict) -> tuple[float, float]:
    return point["lon"], point["lat"]


def independent(told: dict[str, float], x: float, y: float, focal: float, height: float) -> np.ndarray:
    """East and north of a pixel's ground point by rotation matrices in north-east-down."""
    yaw, pitch, roll = (math.radians(told[f"Gimbal{name}Degree"]) for name in ("Yaw", "Pitch", "Roll"))
    about_z = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    about_y = np.array([[math.cos(pitch), 0, math.sin(pitch)], [0, 1, 0], [-math.sin(pitch), 0, math.cos(pitch)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(roll), -math.sin(roll)], [0, math.sin(roll), math.cos(roll)]])
    north, east, down = about_z @ about_y @ about_x @ np.array([focal, x, y])
    return np.array([east, north]) * height / down


def test_pose_without_the_laser_finds_the_lasers_target_within_two_metres():
    told = claims(LASER)
    point = locate(LASER, method="pose")["points"][0]
    miss = metres((told["LRFTargetLon"], told["LRFTargetLat"]), spot(point))
    assert point["method"] == "pose"
    assert np.linalg.norm(miss) < 2.0
    assert holds(np.array(point["cov_en_m2"]), *-miss)
    # The height above take-off gives 0.94 m; nothing better can be had from the file without the laser.
    assert np.linalg.norm(miss) == pytest.approx(0.94, abs=0.02)


def test_the_default_method_is_the_laser_itself():
    told = claims(LASER)
    answer = locate(LASER)
    point = answer["points"][0]
    assert answer["method"] == point["method"] == "laser"
    assert np.linalg.norm(metres((told["LRFTargetLon"], told["LRFTargetLat"]), spot(point))) < 0.1


@pytest.mark.parametrize("shift", [(200, 0), (-200, 0), (0, 200), (0, -200), (140, -140)])
@pytest.mark.parametrize("method", ["pose", "auto"])
def test_a_pixel_200_off_the_centre_of_the_laser_frame_moves_as_calculated(method, shift):
    told = claims(LASER)
    # 29 mm equivalent at 8 x digital zoom: people in this frame, 80 pixels tall at 80 m, are 1.7 m then.
    focal = 29.0 * 8.0 / math.hypot(36, 24) * math.hypot(640, 512)
    depth = told["LRFTargetDistance"] * math.sin(math.radians(-told["GimbalPitchDegree"]))
    height = told["RelativeAltitude"] if method == "pose" else depth
    centre, beside = locate(LASER, [(320, 256), (320 + shift[0], 256 + shift[1])], method)["points"]
    expected = independent(told, *shift, focal, height) - independent(told, 0, 0, focal, height)
    assert np.linalg.norm(metres(spot(centre), spot(beside)) - expected) < 0.5
    assert np.linalg.norm(expected) > 3


@pytest.mark.parametrize("shift", [(200, 0), (0, -200), (-141, 141)])
def test_a_pixel_200_off_the_centre_of_a_nadir_frame_moves_as_calculated(shift):
    path = BEACH / "DJI_0018.JPG"
    told = claims(path)
    centre, beside = locate(path, [(2000, 1125), (2000 + shift[0], 1125 + shift[1])])["points"]
    moved = metres(spot(centre), spot(beside))
    for focal in (2222.0, 2311.0, 2340.0):  # the plausible readings of this lens
        height = told["RelativeAltitude"]
        expected = independent(told, *shift, focal, height) - independent(told, 0, 0, focal, height)
        assert np.linalg.norm(moved - expected) < 0.5


def test_people_in_the_laser_frame_are_of_human_size():
    # A standing figure spans rows 168 to 248 at column 575; it stands across the line of sight's slope.
    head, feet = locate(LASER, [(575, 168), (575, 248)])["points"]
    along = np.linalg.norm(metres(spot(head), spot(feet)))
    height = along * math.tan(math.radians(32.9))
    assert 1.4 < height < 2.1


def test_every_frame_a_viewer_saved_again_is_marked_and_no_other_warns():
    marked = {}
    for path in sorted(BEACH.glob("*.JPG")):
        marked[path.name] = [remark["code"] for remark in locate(path)["warnings"]]
    assert {name for name, codes in marked.items() if codes == ["edited"]} == RESAVED
    assert {name for name, codes in marked.items() if codes} == RESAVED


def test_the_same_ground_seen_in_two_clean_frames_lands_within_three_metres():
    finder = cv2.SIFT_create(nfeatures=3000)
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    seen = {}
    scale = 4
    clean = [path for path in sorted(BEACH.glob("*.JPG")) if not read_frame(path).edited]
    for path in clean:
        picture = cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_4)
        seen[path] = finder.detectAndCompute(picture, None)
    medians = []
    for first, second in itertools.combinations(clean, 2):
        (keys_a, marks_a), (keys_b, marks_b) = seen[first], seen[second]
        pairs = [a for a, b in matcher.knnMatch(marks_a, marks_b, k=2) if a.distance < 0.7 * b.distance]
        if len(pairs) < 25:
            continue
        here = np.array([keys_a[pair.queryIdx].pt for pair in pairs]) * scale
        there = np.array([keys_b[pair.trainIdx].pt for pair in pairs]) * scale
        _, kept = cv2.findHomography(here, there, cv2.RANSAC, 12.0)
        same = kept.ravel().astype(bool)
        if same.sum() < 25:
            continue
        places = [
            np.array([spot(point) for point in locate(path, points[same])["points"]])
            for path, points in ((first, here), (second, there))
        ]
        origin = places[0][0]
        gaps = to_plane(*origin, places[0]) - to_plane(*origin, places[1])
        medians.append(float(np.median(np.linalg.norm(gaps, axis=1))))
    assert len(medians) >= 6
    assert np.median(medians) < 3.0
    assert max(medians) < 6.0


def test_a_turned_frame_disagrees_so_its_warning_is_deserved():
    """The same ground in a clean and a turned frame lands far apart, yet inside the stated ellipse."""
    turned, clean = BEACH / "DJI_0027.JPG", BEACH / "DJI_0020.JPG"
    finder = cv2.SIFT_create(nfeatures=3000)
    (keys_a, marks_a), (keys_b, marks_b) = (
        finder.detectAndCompute(cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_4), None) for path in (turned, clean)
    )
    pairs = [a for a, b in cv2.BFMatcher().knnMatch(marks_a, marks_b, k=2) if a.distance < 0.6 * b.distance]
    here = np.array([keys_a[pair.queryIdx].pt for pair in pairs]) * 4
    there = np.array([keys_b[pair.trainIdx].pt for pair in pairs]) * 4
    same = cv2.findHomography(here, there, cv2.RANSAC, 12.0)[1].ravel().astype(bool)
    assert same.sum() >= 15
    wrong, right = (locate(path, points[same])["points"] for path, points in ((turned, here), (clean, there)))
    gaps = [metres(spot(a), spot(b)) for a, b in zip(wrong, right, strict=True)]
    assert np.median([np.linalg.norm(gap) for gap in gaps]) > 10
    inside = [holds(np.array(a["cov_en_m2"]), *gap) for a, gap in zip(wrong, gaps, strict=True)]
    assert np.mean(inside) > 0.8


def test_a_drone_camera_without_attitude_answers_with_its_own_place():
    path = ROOT / "drone_rgb" / "caliterra" / "IMG_9354.jpg"
    for method in ("auto", "pose", "laser"):
        answer = locate(path, [(0, 0)], method)
        assert answer["method"] == "camera_only" and answer["footprint"] is None
        point = answer["points"][0]
        assert spot(point) == (answer["camera"]["lon"], answer["camera"]["lat"])
        assert point["ce90_m"] > 30


def test_a_phone_photo_of_a_near_thing_is_placed_with_the_phones_own_error():
    pit = ROOT / "gcp" / "phone_sandpit" / "IMG_6785.jpg"
    answer = locate(pit)
    assert answer["method"] == "camera_only"
    assert 8 < answer["points"][0]["ce90_m"] < 30


def test_an_oblique_thermal_frame_is_cut_at_its_horizon():
    answer = locate(ROOT / "drone_lrf" / "DJI_H20T.jpg", [(320, 0), (320, 511)])
    assert [point["method"] for point in answer["points"]] == ["none", "pose"]
    assert answer["footprint"] is not None


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]


def test_every_file_of_the_test_data_is_answered_or_refused_in_words():
    refused = set()
    looked = files("hostile", "exif", "heic", "gcp", "multispectral", "robots", "coords", "labelled")
    for path in looked:
        for photo in (path, path.read_bytes()):
            try:
                answer = locate(photo)
            except GeoError as refusal:
                assert refusal.sentence and refusal.code != "no_file"
                refused.add(path.name)
            else:
                assert answer["method"] in ("camera_only", "none", "pose")
    assert len(looked) > 40
    assert {"bomb_50000x50000.png", "decompression_bomb.ico", "broken.png", "php_named.jpg"} <= refused
    assert not refused & {"gps_lat_91.jpg", "gps_zero_over_zero.jpg", "45-gps_ifd.jpg", "one_pixel.jpg"}


@pytest.mark.parametrize("name", ["gps_lat_91.jpg", "gps_zero_over_zero.jpg"])
def test_impossible_coordinates_are_ignored_with_a_warning(name):
    answer = locate(ROOT / "hostile" / "synthetic" / name)
    assert answer["method"] == "none"
    assert [remark["code"] for remark in answer["warnings"]] == ["gps_implausible", "no_position"]
