"""The answer about one frame: which method, what is said, and how wide the ellipse must be."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from geodata.errors import GeoError, GeoErrors
from geodata.frames.ellipse import holds
from geodata.frames.locate import locate
from geodata.frames.metadata import FrameMeta, Laser
from geodata.frames.project import to_lonlat, to_plane

HERE = (112.18, 30.352)
FRAME = FrameMeta(
    4000,
    3000,
    "MPO",
    make="DJI",
    model="FC330",
    focal_mm=3.61,
    focal_35mm=20.0,
    lon=HERE[0],
    lat=HERE[1],
    relative_altitude_m=40.0,
    gimbal_yaw_deg=30.0,
    gimbal_pitch_deg=-90.0,
    gimbal_roll_deg=0.0,
)


def aimed(pitch_deg: float, distance_m: float, **facts) -> FrameMeta:
    """An oblique frame whose laser hit a target at this distance along the optical axis."""
    reach = distance_m * math.cos(math.radians(pitch_deg))
    yaw = math.radians(30.0)
    lon, lat = to_lonlat(*HERE, np.array([[reach * math.sin(yaw), reach * math.cos(yaw)]]))[0].tolist()
    return replace(FRAME, gimbal_pitch_deg=pitch_deg, laser=Laser(lon, lat, None, distance_m, "Normal"), **facts)


def codes(answer: dict) -> list[str]:
    return [remark["code"] for remark in answer["warnings"]]


def offset(point: dict) -> np.ndarray:
    return to_plane(*HERE, (point["lon"], point["lat"]))[0]


def test_the_answer_is_plain_json_in_the_promised_shape():
    answer = locate(FRAME, [(0, 0), (2000, 1500)])
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert {"camera", "method", "warnings", "points", "footprint"} <= answer.keys()
    assert (answer["camera"]["lon"], answer["camera"]["lat"]) == HERE
    assert {"pixel", "lon", "lat", "ce90_m", "method", "ellipse"} <= answer["points"][0].keys()
    ring = answer["footprint"]["coordinates"][0]
    assert answer["footprint"]["type"] == "Polygon" and ring[0] == ring[-1] and len(ring) > 4
    assert answer["method"] == "pose" and answer["warnings"] == []


def test_without_pixels_the_centre_is_asked():
    assert [point["pixel"] for point in locate(FRAME)["points"]] == [[2000.0, 1500.0]]


def test_auto_takes_the_laser_for_the_centre_and_anchors_the_rest_to_it():
    frame = aimed(-40.0, 70.0, relative_altitude_m=33.0)  # take-off 12 m above the target's level
    answer = locate(frame, [(2000, 1500), (2400, 1500)])
    assert answer["method"] == "laser"
    assert [point["method"] for point in answer["points"]] == ["laser", "pose"]
    centre, beside = answer["points"]
    assert frame.laser is not None
    assert (centre["lon"], centre["lat"]) == pytest.approx((frame.laser.lon, frame.laser.lat), abs=1e-9)
    # 400 of 2340 pixels to the right at 70 m slant range: sideways, at right angles to the view.
    expected = np.array([math.cos(math.radians(30)), -math.sin(math.radians(30))]) * 400 / 2340.357 * 70
    assert np.abs(offset(beside) - offset(centre) - expected).max() < 1e-3


def test_pose_never_looks_at_the_laser():
    frame = aimed(-40.0, 70.0)
    for laser in (None, Laser(-80.0, 10.0, 5.0, 3.0, "Normal"), Laser(112.2, 30.4, None, None, "")):
        other = replace(frame, laser=laser)
        assert locate(other, [(100, 2900)], "pose") == locate(frame, [(100, 2900)], "pose")


def test_a_laser_without_a_valid_result_is_not_used():
    frame = aimed(-40.0, 70.0)
    assert frame.laser is not None
    for laser, code in (
        (replace(frame.laser, status="Invalid"), "ground_level_unknown"),
        (replace(frame.laser, lat=frame.laser.lat + 0.01), "laser_implausible"),
        (replace(frame.laser, distance_m=None), "laser_implausible"),
    ):
        answer = locate(replace(frame, laser=laser))
        assert answer["method"] == "pose" and code in codes(answer)
    refused = locate(replace(frame, laser=None), method="laser")
    assert refused["method"] == "camera_only" and "no_laser" in codes(refused)


def test_a_laser_pointed_level_still_gives_its_target_but_no_pose_beside_it():
    answer = locate(aimed(-1.0, 120.0), [(2000, 1500), (3000, 2500)])
    assert [point["method"] for point in answer["points"]] == ["laser", "camera_only"]
    assert answer["method"] == "laser"


def test_the_ellipse_of_a_low_take_off_reaches_the_true_target():
    # Measured on a real M30T frame: pitch -24.5, target 49 m away, take-off 13.9 m below its level; flat
    # ground by the height above take-off misses it by 30.5 m.
    drop = 49 * math.sin(math.radians(24.5))
    frame = aimed(-24.5, 49.0, relative_altitude_m=drop + 13.9)
    assert frame.laser is not None
    target = to_plane(*HERE, (frame.laser.lon, frame.laser.lat))[0]
    blind = locate(frame, method="pose")
    point = blind["points"][0]
    miss = offset(point) - target
    assert np.linalg.norm(miss) == pytest.approx(30.5, abs=0.3)
    assert holds(np.array(point["cov_en_m2"]), *miss) and point["ce90_m"] > 25
    assert codes(blind) == ["ground_level_unknown"]
    told = locate(frame, method="pose", ground_z_m=13.9)
    assert np.linalg.norm(offset(told["points"][0]) - target) < 0.01
    assert told["points"][0]["ce90_m"] < point["ce90_m"] / 3 and codes(told) == []


def test_a_pixel_above_the_horizon_has_no_place():
    answer = locate(replace(FRAME, gimbal_pitch_deg=-15.0), [(2000, 0), (2000, 2900)])
    sky, ground = answer["points"]
    assert sky["method"] == "none" and sky["lon"] is None and sky["ce90_m"] is None
    assert ground["method"] == "pose" and answer["method"] == "pose"
    assert "above_horizon" in codes(answer) and answer["footprint"] is not None


@pytest.mark.parametrize(
    ("gap", "code"),
    [
        ({"gimbal_pitch_deg": None, "gimbal_yaw_deg": None, "gimbal_roll_deg": None}, "no_pose"),
        ({"relative_altitude_m": None}, "no_height"),
        ({"relative_altitude_m": 0.2}, "too_low"),
    ],
)
def test_what_cannot_be_projected_answers_with_the_camera_and_an_honest_radius(gap, code):
    answer = locate(replace(FRAME, **gap), [(10, 10)])
    point = answer["points"][0]
    assert answer["method"] == point["method"] == "camera_only" and answer["footprint"] is None
    assert (point["lon"], point["lat"]) == HERE and point["ce90_m"] > 15
    assert codes(answer) == [code]


def test_without_a_focal_length_only_the_centre_is_placed():
    answer = locate(replace(FRAME, focal_mm=None, focal_35mm=None), [(2000, 1500), (0, 0)])
    assert [point["method"] for point in answer["points"]] == ["pose", "camera_only"]
    assert codes(answer) == ["no_focal"] and answer["footprint"] is None


def test_without_a_position_there_is_none():
    answer = locate(replace(FRAME, lon=None, lat=None))
    assert answer["method"] == "none" and answer["points"][0]["lon"] is None
    assert codes(answer) == ["no_position"] and answer["camera"]["lon"] is None


def test_an_edited_frames_ellipse_reaches_the_point_it_would_be_if_turned_over():
    edited = replace(FRAME, warnings=(("edited", "照片被其他软件重新保存过。"),))
    corner, across = locate(edited, [(100, 100), (3900, 2900)])["points"]
    assert holds(np.array(corner["cov_en_m2"]), *(offset(across) - offset(corner)))
    assert corner["ce90_m"] > 4 * locate(FRAME, [(100, 100)])["points"][0]["ce90_m"]


def test_rtk_is_believed_more_but_never_to_the_centimetre():
    exact = replace(FRAME, rtk_flag=50, rtk_std_lon_m=0.01, rtk_std_lat_m=0.01)
    radii = [locate(frame)["points"][0]["ce90_m"] for frame in (exact, replace(FRAME, rtk_flag=34), FRAME)]
    assert 1.0 < radii[0] < radii[1] < radii[2]


def test_every_fault_of_a_question_is_named_at_once():
    with pytest.raises(GeoErrors) as caught:
        locate(FRAME, [(4001, 0), (math.nan, 5), (1, 1)], method="guess", ground_z_m=math.inf)
    assert [fault.code for fault in caught.value.faults] == [
        "method",
        "ground_z",
        "pixel_outside",
        "pixel_outside",
    ]
    with pytest.raises(GeoError) as single:
        locate(FRAME, ground_z_m=39.5)
    assert single.value.code == "ground_above_camera"
