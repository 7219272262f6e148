"""The projection against another way of writing it, its errors against sampling, its outline by shapely."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon

from geodata.frames.camera import Camera
from geodata.frames.ellipse import ce90_m, ellipse_of, holds
from geodata.frames.project import (
    Pose,
    Sigma,
    footprint,
    ground_covariance,
    ground_points,
    to_lonlat,
    to_plane,
)

CAMERA = Camera(4000, 3000, 2340.0, 2340.0, 2000.0, 1500.0, "sensor_table", 0.01)


def rotation(axis: str, angle_deg: float) -> np.ndarray:
    """Elementary right-handed rotation matrix."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return np.array(
        {
            "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
            "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis]
    )


def oracle(camera: Camera, pose: Pose, pixel: tuple[float, float], ground_z: float) -> tuple[float, float] | None:
    """North-east-down by matrices: body x looks forward, y right, z down, then meet the plane down = drop."""
    body = np.array([1.0, (pixel[0] - camera.cx_px) / camera.fx_px, (pixel[1] - camera.cy_px) / camera.fy_px])
    turn = rotation("z", pose.yaw_deg) @ rotation("y", pose.pitch_deg) @ rotation("x", pose.roll_deg)
    north, east, down = turn @ body
    if down / np.linalg.norm([north, east, down]) <= math.sin(math.radians(2.0)):
        return None
    length = (pose.height_m - ground_z) / down
    return pose.east_m + east * length, pose.north_m + north * length


def agrees(pose: Pose, pixel: tuple[float, float], ground_z: float) -> None:
    found = ground_points(CAMERA, pose, [pixel], ground_z)[0]
    expected = oracle(CAMERA, pose, pixel, ground_z)
    if expected is None:
        assert np.isnan(found).all()
    else:
        assert math.dist(found, expected) < 1e-6


@given(
    st.floats(-180, 180),
    st.one_of(st.just(-90.0), st.floats(-180, 30)),
    st.one_of(st.just(0.0), st.just(180.0), st.floats(-180, 180)),
    st.floats(5, 150),
    st.tuples(st.floats(0, 4000), st.floats(0, 3000)),
    st.floats(-30, 4),
)
def test_any_pose_agrees_with_rotation_matrices(yaw, pitch, roll, height, pixel, ground_z):
    agrees(Pose(yaw, pitch, roll, height), pixel, ground_z)


def test_ten_thousand_seeded_poses_agree_with_rotation_matrices():
    random = np.random.default_rng(20260101)
    for _ in range(10_000):
        pitch = -90.0 if random.random() < 0.1 else random.uniform(-120, 10)
        pose = Pose(
            random.uniform(-180, 180),
            pitch,
            random.uniform(-30, 30),
            random.uniform(10, 120),
            *random.normal(0, 50, 2),
        )
        agrees(pose, (random.uniform(0, 4000), random.uniform(0, 3000)), random.uniform(-15, 5))


def test_the_right_side_leans_down_with_positive_roll():
    level, rolled = (ground_points(CAMERA, Pose(0, -45, roll, 40), [(3000, 1500)])[0] for roll in (0.0, 10.0))
    assert np.linalg.norm(rolled) < np.linalg.norm(level)


def test_a_ray_at_the_horizon_and_a_ground_above_the_camera_have_no_place():
    pixels = [(2000, 0), (2000, 1500), (2000, 3000)]
    gone = np.isnan(ground_points(CAMERA, Pose(30, -1, 0, 40), pixels)).all(axis=1)
    assert gone.tolist() == [True, True, False]
    assert np.isnan(ground_points(CAMERA, Pose(30, -90, 0, 40), pixels, ground_z_m=40.0)).all()


CASES = {
    "nadir centre": (Pose(45, -90, 0, 40), (2000, 1500), Sigma(1.5, 1.5, 2, 0.5, 0.5, 0.01, 0.5)),
    "nadir corner": (Pose(45, -89.9, 0, 40), (0, 0), Sigma(1.5, 1.5, 2, 0.5, 0.5, 0.01, 5.0)),
    "rtk corner": (Pose(-170, -90, 3, 60), (4000, 3000), Sigma(0.5, 0.5, 1, 0.3, 0.3, 0.003, 0.5)),
    "oblique": (Pose(-106, -45, 0, 42), (2600, 1000), Sigma(2, 1.5, 2, 0.5, 0.5, 0.01, 0.5)),
    "oblique rolled": (Pose(10, -60, 8, 80), (300, 2200), Sigma(2, 1.5, 2, 0.5, 0.5, 0.04, 5.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_90_percent_ellipse_holds_the_truth_87_to_93_percent_of_the_time(name):
    pose, pixel, sigma = CASES[name]
    random = np.random.default_rng(7)
    covariance = ground_covariance(CAMERA, pose, sigma, [pixel])[0]
    here = ground_points(CAMERA, pose, [pixel])[0]
    radius = ce90_m(covariance)
    tries, inside, near = 4000, 0, 0
    spread = (sigma.yaw_deg, sigma.pitch_deg, sigma.roll_deg, sigma.height_m, sigma.plane_m, sigma.plane_m)
    base = (pose.yaw_deg, pose.pitch_deg, pose.roll_deg, pose.height_m, 0.0, 0.0)
    for _ in range(tries):
        moved = Pose(*(random.normal(value, error) for value, error in zip(base, spread, strict=True)))
        focal = CAMERA.fx_px * (1 + random.normal(0, sigma.focal))
        lens = Camera(4000, 3000, focal, focal, 2000, 1500, "drawn", 0)
        there = ground_points(lens, moved, [pixel], random.normal(0, sigma.ground_m))[0]
        inside += holds(covariance, *(there - here))
        near += math.dist(there, here) <= radius
    assert 0.87 <= inside / tries <= 0.93
    assert 0.87 <= near / tries <= 0.93


@given(st.floats(0.1, 50), st.floats(0.001, 1), st.floats(0, 180))
def test_the_circle_of_90_percent_holds_90_percent_of_samples(major, ratio, turn):
    s, c = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    frame = np.array([[s, c], [c, -s]])  # columns: long axis at azimuth `turn`, short axis across
    covariance = frame @ np.diag([major**2, (major * ratio) ** 2]) @ frame.T
    drawn = np.random.default_rng(3).normal(size=(20_000, 2)) * (major, major * ratio)
    share = np.mean(np.hypot(drawn[:, 0], drawn[:, 1]) <= ce90_m(covariance))
    assert 0.89 <= share <= 0.91
    ellipse = ellipse_of(covariance)
    assert ellipse.semi_major_m == pytest.approx(2.146 * major, rel=1e-3)
    if ratio < 0.9:
        away = abs(ellipse.azimuth_deg - turn) % 180
        assert min(away, 180 - away) < 0.1


def test_the_error_grows_as_the_view_flattens_when_the_ground_level_is_unknown():
    sigma = Sigma(2, 1.5, 2, 0.5, 0.5, 0.01, 5.0, relief=0.1)
    sizes = [
        ce90_m(ground_covariance(CAMERA, Pose(0, pitch, 0, 40), sigma, [(2000, 1500)])[0])
        for pitch in (-90, -60, -45, -30, -20)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < 5 and sizes[-1] > 40


@given(st.floats(-180, 180), st.floats(-120, 10), st.floats(-40, 40), st.floats(5, 120))
def test_the_outline_is_a_valid_ring_and_holds_what_is_seen(yaw, pitch, roll, height):
    pose = Pose(yaw, pitch, roll, height)
    ring = footprint(CAMERA, pose)
    middle = ground_points(CAMERA, pose, [(2000, 1500)])
    if ring is None:
        assert np.isnan(middle).all()
        return
    shape = Polygon(ring)
    assert shape.is_valid and shape.exterior.is_ccw
    if pose.depression_deg > 10:
        assert shape.covers(Point(middle[0]))


def test_a_nadir_outline_has_the_size_of_the_picture_on_the_ground():
    ring = footprint(CAMERA, Pose(33, -90, 0, 40))
    assert ring is not None
    assert Polygon(ring).area == pytest.approx((4000 * 40 / 2340) * (3000 * 40 / 2340), rel=1e-9)


@given(st.floats(-179, 179), st.floats(-80, 80), st.floats(-800, 800), st.floats(-800, 800))
def test_plane_and_degrees_are_inverse(lon, lat, east, north):
    place = to_lonlat(lon, lat, np.array([[east, north]]))
    assert math.dist(to_plane(lon, lat, place)[0], (east, north)) < 1e-6
