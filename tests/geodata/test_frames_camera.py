"""Which focal length is believed, how it is scaled, and the lens's bend taken out once."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from geodata.frames.camera import camera_for, distort, undistort
from geodata.frames.metadata import Dewarp, FrameMeta

LENS = (-0.26, 0.11, 0.0003, -0.0004, -0.03)


def frame(**facts) -> FrameMeta:
    return FrameMeta(**{"width_px": 4000, "height_px": 3000, "format": "JPEG", **facts})


def test_undistortion_agrees_with_opencv():
    focal, centre = 3713.0, (2640.0, 1978.0)
    pixels = np.random.default_rng(1).uniform((0, 0), (5280, 3956), (500, 2))
    matrix = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    exact = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    expected = cv2.undistortPointsIter(pixels[:, None, :], matrix, np.array(LENS), np.eye(3), np.eye(3), exact).reshape(
        -1, 2
    )
    assert np.abs(undistort((pixels - centre) / focal, LENS) - expected).max() < 1e-8


def test_the_rational_model_is_inverted():
    bend = (*LENS, 0.02, -0.01, 0.004)
    ideal = np.random.default_rng(2).uniform(-0.6, 0.6, (200, 2))
    assert np.abs(undistort(distort(ideal, bend), bend) - ideal).max() < 1e-8


def test_a_bend_that_cannot_be_undone_gives_no_ray_instead_of_a_wrong_one():
    assert np.isnan(undistort(np.array([[3.0, 2.0]]), (-0.9, 0.0, 0.0, 0.0, 0.0))).all()


def test_dewarp_data_is_applied_once_and_its_centre_is_the_photos():
    bent = frame(width_px=5280, height_px=3956, dewarp=Dewarp(3713, 3714, 5.5, -7.25, LENS, applied=False))
    camera = camera_for(bent)
    assert camera is not None and camera.source == "dewarp" and camera.distortion == LENS
    assert (camera.cx_px, camera.cy_px) == (2645.5, 1970.75)
    straight = camera_for(frame(dewarp=Dewarp(3713, 3714, 5.5, -7.25, LENS, applied=True)))
    assert straight is not None and straight.distortion == ()
    assert straight.rays([[4000, 0]])[0, 0] == pytest.approx((4000 - 2005.5) / 3713)


def test_the_order_of_trust():
    facts = {"model": "FC330", "focal_mm": 3.61, "focal_35mm": 20.0, "calibrated_focal_px": 2330.0}
    dewarp = Dewarp(2350, 2350, 0, 0, (0.0,) * 5, applied=False)
    steps = [
        ({**facts, "dewarp": dewarp}, "dewarp", 2350),
        (facts, "calibrated_focal", 2330),
        ({**facts, "calibrated_focal_px": None}, "sensor_table", 2340.4),
        ({**facts, "calibrated_focal_px": None, "model": "?"}, "focal_35mm", 2311.3),
    ]
    cameras = [camera_for(frame(**given)) for given, _, _ in steps]
    assert [c and c.source for c in cameras] == [source for _, source, _ in steps]
    assert [c and c.fx_px for c in cameras] == [pytest.approx(focal, abs=0.1) for _, _, focal in steps]
    assert camera_for(frame(focal_mm=4.5)) is None


def test_a_cut_16_9_picture_keeps_the_focal_length_of_the_whole_sensor():
    for facts in ({"model": "FC300S", "focal_mm": 3.61}, {"focal_35mm": 20.0}):
        whole, cut = camera_for(frame(**facts)), camera_for(frame(height_px=2250, **facts))
        assert whole is not None and cut is not None
        assert cut.fx_px == pytest.approx(whole.fx_px)


def test_focal_lengths_follow_the_decoder_not_exif():
    small = {"width_px": 3600, "height_px": 2700, "exif_width_px": 4000, "exif_height_px": 3000}
    for facts, full in (
        ({"calibrated_focal_px": 2330.0}, 2330.0),
        ({"model": "FC300S", "focal_mm": 3.61}, 2340.357),
        ({"focal_35mm": 20.0}, 2311.27),
        ({"dewarp": Dewarp(2350, 2350, 10, 0, LENS, applied=False)}, 2350.0),
    ):
        camera = camera_for(frame(**small, **facts))
        assert camera is not None and camera.fx_px == pytest.approx(full * 0.9, rel=1e-5)


def test_micrometres_in_the_pixel_field_are_not_believed():
    # A thermal camera writes CalibratedFocalLength=9100 for a 9.1 mm lens before 640 pixels.
    thermal = frame(width_px=640, height_px=512, model="M3T", focal_mm=9.1, focal_35mm=40.0, calibrated_focal_px=9100.0)
    camera = camera_for(thermal)
    assert camera is not None and camera.source == "sensor_table"
    assert camera.fx_px == pytest.approx(758.3, abs=0.1)


def test_a_lens_of_the_same_name_but_another_picture_is_not_taken_for_the_thermal_one():
    camera = camera_for(frame(width_px=4056, height_px=3040, model="ZH20T", focal_mm=4.5, focal_35mm=24.0))
    assert camera is not None and camera.source == "focal_35mm"


def test_digital_zoom_multiplies_and_costs_trust():
    plain, zoomed = (camera_for(frame(focal_35mm=29.0, zoom=zoom)) for zoom in (1.0, 8.0))
    assert plain is not None and zoomed is not None
    assert zoomed.fx_px == pytest.approx(8 * plain.fx_px)
    assert zoomed.focal_sigma > plain.focal_sigma
