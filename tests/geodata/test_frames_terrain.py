"""A grid of ground heights: what it refuses, its exactness in plain cases, its ellipses, and frames placed on it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from shapely.geometry import Point, Polygon

from geodata.errors import GeoError
from geodata.frames.camera import Camera
from geodata.frames.ellipse import ce90_m, holds
from geodata.frames.fisheye import Fisheye
from geodata.frames.locate import locate
from geodata.frames.metadata import FrameMeta
from geodata.frames.project import Pose, Sigma, footprint, ground_covariance, ground_points, to_plane
from geodata.frames.terrain import Terrain

CAMERA = Camera(4000, 3000, 2340.0, 2340.0, 2000.0, 1500.0, "sensor_table", 0.01)
LENS = Fisheye((1676.8, 0.0, 0.0, 1676.8), (0.0, 1.0, 0.00592627, -0.136981656), 663.4, 468.0)
FISHEYE = Camera(1280, 960, *LENS.focal_px, LENS.cx_px, LENS.cy_px, "fisheye", 0.005, fisheye=LENS)
HILLS = Terrain.sampled(lambda p: 5 * np.sin(p[:, 0] / 70) * np.cos(p[:, 1] / 90) + 0.05 * p[:, 1], 400.0, 5.0)


@given(st.floats(-180, 180), st.floats(-90, -20), st.floats(-20, 20), st.floats(20, 80), st.floats(-15, 5))
def test_a_level_grid_is_the_flat_ground(yaw, pitch, roll, height, level):
    grid = Terrain(np.full((41, 41), level), -200.0, -200.0, 10.0)
    pose = Pose(yaw, pitch, roll, height)
    pixels = [(2000, 1500), (0, 0), (4000, 3000), (3000, 700)]
    flat, found = ground_points(CAMERA, pose, pixels, level), ground_points(CAMERA, pose, pixels, terrain=grid)
    within = np.abs(flat).max(axis=1) < 199.99
    assert np.allclose(found[within], flat[within], atol=1e-9)
    beyond = np.abs(flat).max(axis=1) > 200.01
    assert np.isnan(found[beyond]).all()


@given(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(-180, 180), st.floats(-90, -35))
def test_a_slope_is_met_where_algebra_says(slope_e, slope_n, yaw, pitch):
    grid = Terrain.sampled(lambda p: slope_e * p[:, 0] + slope_n * p[:, 1], 300.0, 7.0)
    pose = Pose(yaw, pitch, 0.0, 30.0)
    found = ground_points(CAMERA, pose, [(2000, 1500)], terrain=grid)[0]
    ahead = np.array([math.sin(math.radians(yaw)), math.cos(math.radians(yaw))]) * math.cos(math.radians(pitch))
    along = 30.0 / (ahead @ (slope_e, slope_n) - math.sin(math.radians(pitch)))
    if along > 0 and np.abs(ahead * along).max() < 290:
        assert np.allclose(found, ahead * along, atol=1e-9)


def test_a_ridge_one_node_wide_is_never_jumped():
    heights = np.zeros((201, 201))
    heights[:, 130] = 12.0  # a wall 30 m east of the camera
    wall = Terrain(heights, -100.0, -100.0, 1.0)
    found = ground_points(CAMERA, Pose(90.0, -18.0, 0.0, 15.0), [(2000, 1500)], terrain=wall)[0]
    assert 29.0 < found[0] < 30.0 and found[1] == pytest.approx(0.0, abs=1e-9)


def test_what_the_grid_does_not_know_is_not_continued():
    heights = np.zeros((21, 21))
    heights[10, 14] = np.nan
    grid = Terrain(heights, -100.0, -100.0, 10.0)
    rays = np.array([[0.0, 0.0, -1.0], [1.0, 0.05, -1.0], [0.0, -1.0, -1.0], [4.0, 0.0, -1.0], [0.0, 0.0, 1.0]])
    met = grid.meet((0.0, 0.0, 40.0), rays)
    assert np.isfinite(met[:, 0]).tolist() == [True, False, True, False, False]
    assert np.isnan(grid.meet((0.0, 0.0, -1.0), rays)).all()
    assert np.isnan(grid.height_at([(100.1, 0.0), (40.0, 3.0)])).all()
    assert np.isfinite(grid.height_at([(100.0, 100.0), (-100.0, -100.0)])).all()
    edge = grid.meet((100.0, 100.0, 40.0), np.array([[0.0, 0.0, -1.0], [-1.0, -1.0, -1.0]]))
    assert edge.tolist() == [[100.0, 100.0], [60.0, 60.0]]


@pytest.mark.parametrize(
    "given_",
    [(np.zeros((1, 5)), 0.0, 0.0, 1.0), (np.zeros((5, 5)), 0.0, 0.0, 0.0), (np.zeros((5, 5)), math.nan, 0.0, 1.0),
     (np.full((5, 5), np.nan), 0.0, 0.0, 1.0), (np.full((5, 5), np.inf), 0.0, 0.0, 1.0), (np.zeros(5), 0.0, 0.0, 1.0),
     (np.zeros((5, 5)), 0.0, 0.0, 1.0, "takeoff", -1.0)],
)  # fmt: skip
def test_a_grid_that_is_none_is_refused_in_words(given_):
    with pytest.raises(GeoError) as refusal:
        Terrain(*given_)
    assert refusal.value.code == "terrain" and refusal.value.sentence.endswith("。")


def test_a_moved_grid_is_the_same_ground():
    moved = HILLS.moved(30.0, -20.0)
    places = np.random.default_rng(1).uniform(-300, 300, (50, 2))
    assert np.allclose(moved.height_at(places - (30.0, -20.0)), HILLS.height_at(places))


def drawn(camera: Camera, pose: Pose, pixel: tuple[float, float], sigma: Sigma, terrain: Terrain | None, count: int):
    """Ground points (count, 2) with every input drawn anew; attitude errs by small turns about level axes and up."""
    random = np.random.default_rng(11)
    yaw, pitch, roll = (math.radians(a) for a in (pose.yaw_deg, pose.pitch_deg, pose.roll_deg))
    level, north = np.array([math.cos(yaw), -math.sin(yaw), 0.0]), np.array([math.sin(yaw), math.cos(yaw), 0.0])
    ahead = north * math.cos(pitch) + np.array([0.0, 0.0, math.sin(pitch)])
    right = math.cos(roll) * level + math.sin(roll) * np.cross(ahead, level)
    x, y = (camera.rays([pixel]) / (1 + random.normal(0, sigma.focal, (count, 1)))).T
    rays = x[:, None] * right + y[:, None] * np.cross(ahead, right) + ahead
    turn = np.radians(random.normal(0, (sigma.yaw_deg, sigma.pitch_deg, sigma.roll_deg), (count, 3)))
    about = turn[:, :1] * (0.0, 0.0, -1.0) + turn[:, 1:2] * level + turn[:, 2:] * north
    rays = Rotation.from_rotvec(about).apply(rays)
    start = random.normal((0.0, 0.0, pose.height_m), (sigma.plane_m, sigma.plane_m, sigma.height_m), (count, 3))
    start[:, 2] -= random.normal(0, sigma.ground_m, count)
    if terrain is not None:
        return terrain.meet(start, rays)
    return start[:, :2] - rays[:, :2] * (start[:, 2] / rays[:, 2])[:, None]


GNSS = Sigma(2.0, 1.5, 2.0, 0.5, 0.5, 0.01, 1.0)
RIG = Sigma(2.3, 3.4, 5.0, 2.0, 2.0, 0.005, 1.0)
RTK = Sigma(0.5, 0.5, 1.0, 0.5, 0.5, 0.003, 0.5)
CASES = {
    "flat nadir centre, gnss": (CAMERA, Pose(45, -90, 0, 40), (2000, 1500), GNSS, None),
    "flat nadir corner, rtk": (CAMERA, Pose(-170, -90, 0, 60), (4000, 3000), RTK, None),
    "flat oblique, gnss": (CAMERA, Pose(-106, -45, 0, 42), (2600, 1000), GNSS, None),
    "flat nadir, fisheye rig": (FISHEYE, Pose(-17, -84.8, 0.2, 60), (1100, 800), RIG, None),
    "hills nadir corner, gnss": (CAMERA, Pose(45, -90, 0, 50), (300, 200), GNSS, HILLS),
    "hills oblique, gnss": (CAMERA, Pose(120, -50, 3, 60), (2600, 1800), GNSS, HILLS),
    "hills oblique, rtk": (CAMERA, Pose(-60, -40, 0, 60), (1200, 1700), RTK, HILLS),
    "hills nadir, fisheye rig": (FISHEYE, Pose(-17, -84.8, 0.2, 70), (200, 300), RIG, HILLS),
}


@pytest.mark.parametrize("name", CASES)
def test_the_90_percent_ellipse_holds_the_truth_when_every_input_errs(name):
    camera, pose, pixel, sigma, terrain = CASES[name]
    covariance = ground_covariance(camera, pose, sigma, [pixel], terrain=terrain)[0]
    here = ground_points(camera, pose, [pixel], terrain=terrain)[0]
    tries = 10_000
    away = drawn(camera, pose, pixel, sigma, terrain, tries) - here
    assert np.isfinite(away).all()
    inside = sum(holds(covariance, *offset) for offset in away)
    near = int((np.hypot(*away.T) <= ce90_m(covariance)).sum())
    print(f"\n{name}: CE90 {ce90_m(covariance):.2f} m, ellipse holds {100 * inside / tries:.1f} %, "
          f"circle {100 * near / tries:.1f} %")  # fmt: skip
    assert 0.87 <= inside / tries <= 0.93
    assert 0.87 <= near / tries <= 0.93


@settings(max_examples=30)
@given(st.floats(-180, 180), st.floats(-90, -25), st.floats(-10, 10), st.floats(30, 90))
def test_the_outline_on_hills_is_a_ring_about_what_is_seen(yaw, pitch, roll, height):
    pose = Pose(yaw, pitch, roll, height)
    ring = footprint(CAMERA, pose, terrain=HILLS)
    centre = ground_points(CAMERA, pose, [(2000, 1500)], terrain=HILLS)[0]
    if ring is None:
        assert np.isnan(centre).all()
        return
    shape = Polygon(ring)
    assert shape.exterior.is_ccw and np.abs(ring).max() <= 400.0 + 1e-6
    if pitch < -50 and np.isfinite(centre).all():
        assert shape.is_valid and shape.covers(Point(centre))


def frame(**facts) -> FrameMeta:
    plain = {"width_px": 4000, "height_px": 3000, "format": "JPEG", "lon": 112.18, "lat": 30.35, "focal_35mm": 24.0,
             "gimbal_yaw_deg": 0.0, "gimbal_pitch_deg": -45.0, "gimbal_roll_deg": 0.0}  # fmt: skip
    return FrameMeta(**{**plain, **facts})


SLOPE = Terrain.sampled(lambda points: 0.2 * points[:, 1], 300.0, 10.0)  # rises to the north


def test_a_frame_is_located_on_a_terrain():
    answer = locate(frame(relative_altitude_m=60.0), terrain=SLOPE)
    place = to_plane(112.18, 30.35, [(answer["points"][0]["lon"], answer["points"][0]["lat"])])[0]
    assert answer["method"] == "pose" and np.allclose(place, (0.0, 50.0), atol=1e-3)  # 60 - y = 0.2 y
    flat = locate(frame(relative_altitude_m=60.0))
    assert answer["points"][0]["ce90_m"] < flat["points"][0]["ce90_m"]
    assert "ground_level_unknown" not in [remark["code"] for remark in answer["warnings"]]


def test_a_height_counts_only_over_the_zero_of_the_terrain():
    over = {zero: Terrain.sampled(lambda p: np.full(len(p), 30.0), 300.0, 10.0, zero) for zero in ("ellipsoid", "sea_level")}  # fmt: skip
    drone = frame(relative_altitude_m=60.0, absolute_altitude_m=90.0, altitude_type="GPSFusionAlt",
                  provenance={"absolute_altitude": "xmp"})  # fmt: skip
    rtk = frame(relative_altitude_m=60.0, absolute_altitude_m=90.0, altitude_type="RtkAlt", rtk_flag=50)
    rig = frame(absolute_altitude_m=90.0, height_accuracy_m=3.4)
    methods = [
        [locate(meta, terrain=over[zero])["method"] for zero in ("ellipsoid", "sea_level")]
        for meta in (drone, rtk, rig)
    ]
    assert methods == [["camera_only", "camera_only"], ["pose", "camera_only"], ["camera_only", "pose"]]
    told = [remark["code"] for remark in locate(drone, terrain=over["sea_level"])["warnings"]]
    assert told == ["height_of_another_zero"]


@pytest.mark.parametrize(
    ("terrain", "code"),
    [
        (SLOPE.moved(-2000.0, 0.0), "outside_terrain"),
        (Terrain(np.full((9, 9), 70.0), -400.0, -400.0, 100.0), "too_low"),
    ],
)
def test_a_terrain_elsewhere_or_above_the_camera_gives_the_cameras_place_and_says_why(terrain, code):
    answer = locate(frame(relative_altitude_m=60.0), terrain=terrain)
    assert answer["method"] == "camera_only" and code in [remark["code"] for remark in answer["warnings"]]


def test_pixels_beyond_the_grid_have_no_place_and_two_grounds_are_refused():
    small = Terrain(np.zeros((3, 3)), -70.0, -70.0, 70.0)
    answer = locate(frame(relative_altitude_m=60.0), [(2000, 1500), (2000, 100)], terrain=small)
    assert [point["method"] for point in answer["points"]] == ["pose", "none"]
    assert "no_ground" in [remark["code"] for remark in answer["warnings"]]
    with pytest.raises(GeoError, match="只能给一样"):
        locate(frame(relative_altitude_m=60.0), ground_z_m=-3.0, terrain=small)
