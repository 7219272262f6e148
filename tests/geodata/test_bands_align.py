"""Alignment: the real Parrot capture before and after, known warps recovered, and what must be refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from geodata.bands.align import align, reference_of, resample
from geodata.bands.bandtags import read_band_tags
from geodata.bands.capture import read_pixels
from geodata.bands.radiometry import to_signal
from geodata.bands.tiles import edges
from geodata.bands.warp import Alignment, Warp
from geodata.errors import GeoError

WIDTH, HEIGHT = 640, 480


def texture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Fields, tracks and speckle: edges of all sizes, positive."""
    dice = np.random.default_rng(seed)
    found = np.full((height, width), 0.2, np.float32)
    for _ in range(140):
        middle = dice.uniform((0, 0), (width, height))
        points = middle + dice.uniform(-45, 45, (5, 2))
        hull = cv2.convexHull(points.astype(np.float32)).astype(np.int32)
        cv2.fillConvexPoly(found, hull, float(dice.uniform(0.05, 0.6)))
    return cv2.GaussianBlur(found, (0, 0), 0.8) + dice.normal(0, 0.004, found.shape).astype(np.float32)


def seen_through(scene: np.ndarray, warp: Warp) -> np.ndarray:
    """The band that lies on `scene` after `warp`: found by turning the map around point by point."""
    x, y = np.meshgrid(np.arange(scene.shape[1], dtype=np.float64), np.arange(scene.shape[0], dtype=np.float64))
    wanted = np.column_stack([x.ravel(), y.ravel()])
    guess = wanted.copy()
    for _ in range(5):
        guess += wanted - warp.at(guess)
    places = guess.reshape(*scene.shape, 2).astype(np.float32)
    return cv2.remap(scene, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def real_signals(data_files: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted((data_files / "multispectral" / "sequoia_garfield").glob("*.TIF")):
        tags = read_band_tags(path)
        assert tags.name is not None
        found[tags.name] = to_signal(read_pixels(path), tags).array
    return found


def template_offsets(still: np.ndarray, moved: np.ndarray, reach: int) -> np.ndarray:
    """Distance in px by normalised template search over patches: another estimator than the code's own."""
    a, b = edges(still), edges(moved)
    off = []
    for top in range(60, a.shape[0] - 120, 70):
        for left in range(60, a.shape[1] - 120, 70):
            patch = a[top : top + 56, left : left + 56]
            around = b[top - reach : top + 56 + reach, left - reach : left + 56 + reach]
            if patch.std() < 0.05 or not np.isfinite(around).all():
                continue
            score = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
            _, best, _, (column, row) = cv2.minMaxLoc(score)
            if best > 0.5:
                off.append(np.hypot(column - reach, row - reach))
    return np.array(off)


def test_the_real_capture_before_and_after(data_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signals = real_signals(data_files)
    found = align(signals)
    array, valid = resample(signals, found)
    assert found.reference == "rededge" and array.shape == (4, 960, 1280) and 0.9 < valid.mean() < 1.0
    lines = []
    for fit in found.fits:
        after = dict(zip(signals, array, strict=True))[fit.name]
        raw_off = template_offsets(signals["rededge"], signals[fit.name], 44)
        new_off = template_offsets(signals["rededge"], after, 44)
        lines.append(
            f"{fit.name:6s} largest displacement {fit.warp.reach_px:4.1f} px, edges agree "
            f"{fit.correlation_before:.2f} -> {fit.correlation:.2f}, held-out tiles {fit.tiles}: "
            f"{fit.residual_px:.2f} px median, {fit.residual_p90_px:.2f} p90; by template search "
            f"{np.median(raw_off):.1f} -> {np.median(new_off):.1f} px median"
        )
        assert fit.residual_px < 0.5 and fit.residual_p90_px < 2.0 and fit.tiles >= 80
        assert 5.0 < fit.warp.reach_px < 40.0
        assert fit.correlation > 0.6 > fit.correlation_before
        assert len(new_off) > 60 and np.median(raw_off) > 4.0 and np.median(new_off) <= 1.0
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def test_the_maps_are_the_warp_itself() -> None:
    bend = tuple((float(x), float(y)) for x, y in np.random.default_rng(1).normal(0, 1.5, (10, 2)))
    warp = Warp(333, 207, (1.01, -0.006, 4.0, 0.008, 0.99, -7.0, 2e-6, -3e-6, 1.0), bend)
    columns, rows = warp.maps()
    x, y = np.meshgrid(np.arange(333), np.arange(207))
    exact = warp.at(np.column_stack([x.ravel(), y.ravel()])).reshape(207, 333, 2)
    assert columns.shape == rows.shape == (207, 333)
    assert np.abs(np.stack([columns, rows], axis=-1) - exact).max() < 0.05


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_known_warp_is_found_again_even_with_light_and_dark_swapped(seed: int) -> None:
    dice = np.random.default_rng(seed)
    matrix = (1 + dice.normal(0, 0.004), dice.normal(0, 0.006), dice.uniform(-25, 25),
              dice.normal(0, 0.006), 1 + dice.normal(0, 0.004), dice.uniform(-20, 20), 0.0, 0.0, 1.0)  # fmt: skip
    bend = tuple((float(x), float(y)) for x, y in np.vstack([np.zeros((3, 2)), dice.normal(0, 0.7, (7, 2))]))
    truth = Warp(WIDTH, HEIGHT, tuple(float(value) for value in matrix), bend)
    scene = texture(seed)
    other = seen_through((0.9 - scene) * 3.0, truth) + dice.normal(0, 0.01, scene.shape).astype(np.float32)
    fit = align({"red": scene, "nir": other}).fit("nir")
    assert fit is not None
    x, y = np.meshgrid(np.linspace(60, WIDTH - 60, 9), np.linspace(60, HEIGHT - 60, 7))
    points = np.column_stack([x.ravel(), y.ravel()])
    off = np.hypot(*(fit.warp.at(points) - truth.at(points)).T)
    assert np.median(off) < 0.25 and off.max() < 1.0
    assert fit.residual_px < 0.4, "the stated figure must not be worse than what it describes"


def test_a_band_laid_on_itself_does_not_move() -> None:
    scene = texture(5)
    found = align({"green": scene, "red": scene * 7.0})
    array, valid = resample({"green": scene, "red": scene * 7.0}, found)
    assert found.fits[0].residual_px < 0.05 and found.fits[0].warp.reach_px < 0.3
    assert np.abs(array[1] / 7.0 - array[0])[valid].mean() < 0.003


def test_pictures_of_two_places_are_refused() -> None:
    with pytest.raises(GeoError) as caught:
        align({"red": texture(1), "nir": texture(2)})
    assert caught.value.code in ("not_aligned", "no_texture") and caught.value.where == "nir"
    assert "对不齐" in caught.value.sentence


@pytest.mark.parametrize("seed", range(2))
def test_noise_is_refused_and_not_fitted(seed: int) -> None:
    dice = np.random.default_rng(seed)
    plain = {name: (0.05 + dice.normal(0, 0.004, (HEIGHT, WIDTH))).astype(np.float32) for name in ("green", "nir")}
    with pytest.raises(GeoError) as caught:
        align(plain)
    assert caught.value.code == "no_texture"


def test_plain_water_may_borrow_a_proven_fit_of_the_same_rig_and_says_so() -> None:
    truth = Warp(WIDTH, HEIGHT, (1.0, 0.0, 9.0, 0.0, 1.0, -6.0, 0.0, 0.0, 1.0))
    scene = texture(7)
    proven = align({"green": scene, "nir": seen_through(scene, truth)})
    dice = np.random.default_rng(7)
    water = {name: (0.05 + dice.normal(0, 0.004, (HEIGHT, WIDTH))).astype(np.float32) for name in ("green", "nir")}
    lent = align(water, lender=proven)
    assert lent.borrowed and not proven.borrowed and lent.fits[0].start == "borrowed"
    assert lent.fits[0].warp == proven.fits[0].warp
    with pytest.raises(GeoError):
        align({"green": water["green"][:400], "nir": water["nir"][:400]}, lender=proven)


def test_a_makers_matrix_helps_where_a_shift_cannot_and_a_wrong_one_does_no_harm() -> None:
    scene = texture(9)
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 18.0, 1.0)
    matrix = (*(float(value) for value in turn.ravel()), 0.0, 0.0, 1.0)
    other = seen_through(scene, Warp(WIDTH, HEIGHT, matrix))
    near = (matrix[0], matrix[1], matrix[2] + 3.0, *matrix[3:])
    with pytest.raises(GeoError):
        align({"red": scene, "nir": other})
    helped = align({"red": scene, "nir": other}, starts={"nir": [near]}).fits[0]
    assert helped.start == "given" and helped.residual_px < 0.3
    shifted = seen_through(scene, Warp(WIDTH, HEIGHT, (1.0, 0.0, 5.0, 0.0, 1.0, 4.0, 0.0, 0.0, 1.0)))
    unharmed = align({"red": scene, "nir": shifted}, starts={"nir": [matrix]}).fits[0]
    assert unharmed.start == "phase" and unharmed.warp.shift_px == pytest.approx((5.0, 4.0), abs=0.2)


def test_places_without_a_value_stay_without_and_do_not_spoil_the_fit() -> None:
    scene = texture(11)
    other = seen_through(scene, Warp(WIDTH, HEIGHT, (1.0, 0.0, 12.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)))
    other[100:180, 200:300] = np.nan
    bands = {"red": scene, "nir": other}
    array, valid = resample(bands, align(bands))
    assert not valid[130:150, 215:280].any() and np.isnan(array[1, 140, 250])
    assert valid[300:400, 100:500].all()


def test_bands_of_other_sizes_unknown_bands_and_no_bands_are_refused() -> None:
    scene = texture(1)
    with pytest.raises(GeoError, match="大小不同"):
        align({"red": scene, "nir": scene[:100]})
    with pytest.raises(GeoError, match="没有可配准"):
        align({})
    with pytest.raises(GeoError, match="没有与其余波段配准"):
        resample({"red": scene, "nir": scene}, Alignment("red", ()))


def test_one_band_alone_is_its_own_reference() -> None:
    scene = texture(3)
    found = align({"blue": scene})
    array, valid = resample({"blue": scene}, found)
    assert found == Alignment("blue", ()) and valid.all() and np.array_equal(array[0], scene)
    assert reference_of(["red531"]) == "red531"
