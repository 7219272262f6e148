"""Scenes are seeded, as hard as written down, and true: what the labels say lies where the outlines say."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely

from geodata.errors import GeoError
from geodata.place import Place
from geodata.place_check import check
from geodata.scenes.difficulty import DIFFICULTY
from geodata.scenes.folder import write
from geodata.scenes.paint import coverage
from geodata.scenes.plan import KINDS
from geodata.scenes.scene import Scene, frames, scene, to_plane
from geodata.scenes.sense import glint, sense

SIZE = 600


@pytest.fixture(scope="module")
def made() -> Scene:
    return scene(5, "score", size_px=900)


def test_one_seed_gives_one_scene_and_another_seed_another() -> None:
    first, again, other = scene(4, "tune", SIZE), scene(4, "tune", SIZE), scene(5, "tune", SIZE)
    np.testing.assert_array_equal(first.bands, again.bands)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert [truth.outline.wkb for truth in first.truths] == [truth.outline.wkb for truth in again.truths]
    assert not np.array_equal(first.labels, other.labels)


def test_all_five_kinds_come_up() -> None:
    seen = {truth.kind for seed in range(4) for truth in scene(seed, "tune", SIZE).truths}
    assert seen == set(KINDS)


def test_only_materials_of_its_half_are_used() -> None:
    for half in ("tune", "score"):
        for seed in range(3):
            plan = scene(seed, half, 300).plan
            rows = [plan.water, plan.bottom, plan.sky, *plan.ground]
            rows += [row for thing in plan.things for row in thing.materials]
            assert {row.half for row in rows} == {half}


def test_labels_lie_inside_the_outlines(made: Scene) -> None:
    for truth in made.truths:
        rows, cols = np.nonzero(made.labels == truth.number + 1)
        if not len(rows):
            continue
        outline = to_plane(made.plan, truth.outline).buffer(2 * made.gsd_m)
        inside = shapely.contains_xy(outline, (cols + 0.5) * made.gsd_m, (rows + 0.5) * made.gsd_m)
        assert inside.mean() > 0.98, truth


def test_truth_areas_agree_with_the_labels_where_nothing_lies_on_top(made: Scene) -> None:
    heaps = [truth for truth in made.truths if truth.kind in ("bare_soil", "solid_waste")]
    assert heaps
    for truth in heaps:
        labelled = np.count_nonzero(made.labels == truth.number + 1) * made.gsd_m**2
        assert labelled == pytest.approx(truth.area_m2, rel=0.06)


def test_the_raster_lies_where_the_outlines_are(made: Scene) -> None:
    # An independent way from degrees to pixels: the file's own system by PROJ, then the affine transform.
    from pyproj import Transformer

    to_grid = Transformer.from_crs("EPSG:4326", "EPSG:32649", always_xy=True)
    for truth in made.truths:
        if truth.kind not in ("bare_soil", "solid_waste"):
            continue
        rows, cols = np.nonzero(made.labels == truth.number + 1)
        middle = (
            made.transform.c + (cols.mean() + 0.5) * made.gsd_m,
            made.transform.f - (rows.mean() + 0.5) * made.gsd_m,
        )
        at = to_grid.transform(truth.outline.centroid.x, truth.outline.centroid.y)
        assert np.hypot(middle[0] - at[0], middle[1] - at[1]) < 0.1


def test_borders_are_mixed_as_promised(made: Scene) -> None:
    mixed = border = 0
    for thing in made.plan.things:
        window = coverage(thing.outline, made.gsd_m, made.labels.shape[0])
        if thing.kind not in KINDS or window is None:
            continue
        solid = (window.alpha >= 0.5).astype(np.uint8)
        cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
        rim = cv2.dilate(solid, cross) != cv2.erode(solid, cross)
        border += np.count_nonzero(rim)
        mixed += np.count_nonzero(rim & (window.alpha > 0.1) & (window.alpha < 0.9))
    print(f"\nmixed border pixels: {mixed / border:.2f} (before the lens)")
    assert mixed / border >= DIFFICULTY.mixed_border


def test_noise_and_glint_are_as_hard_as_written() -> None:
    flat = np.full((5, 400, 400), 0.1, np.float32)
    water = np.ones((400, 400), np.float32)
    rng = np.random.default_rng(1)
    frame = sense(flat, water * 0, DIFFICULTY, rng)
    fine = frame[2] / cv2.GaussianBlur(frame[2], (0, 0), 25)
    assert 0.08 <= fine.std() <= 0.09
    middle = [np.median(band[180:220]) for band in (frame[2][:, :20], frame[2][:, -20:])]
    assert max(middle) / min(middle) > 1.02  # light is uneven
    share = float((glint(water, DIFFICULTY, rng) > 0).mean())
    print(f"\nshare of water with glint: {share:.3f}")
    assert share == pytest.approx(DIFFICULTY.glint, abs=0.005)


def test_light_differs_by_the_stated_gradient() -> None:
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(6):
        frame = sense(np.full((5, 300, 300), 0.2, np.float32), np.zeros((300, 300), np.float32), DIFFICULTY, rng)
        smooth = cv2.GaussianBlur(frame[3], (0, 0), 8)
        ratios.append(smooth.max() / smooth.min())
    assert 1.3 / 0.7 * 0.85 <= np.median(ratios) <= 1.3 / 0.7 * 1.1


def test_the_smallest_debris_is_four_pixels_a_side() -> None:
    areas = [
        truth.area_m2 / 0.05**2
        for seed in range(6)
        for truth in scene(seed, "score", SIZE).truths
        if truth.kind == "floating_debris"
    ]
    assert min(areas) == pytest.approx(16, abs=0.01)


def test_frames_overlap_and_differ_only_by_camera_and_glint(made: Scene) -> None:
    views = frames(made, 3)
    assert {view.bands.shape for view in views} == {(5, 876, 876)}
    assert len({view.transform for view in views}) == 3
    for view in views:
        for truth in view.truths:
            labelled = np.count_nonzero(view.labels == truth.number + 1)
            whole = np.count_nonzero(made.labels == truth.number + 1)
            if truth.kind != "sewage":
                assert labelled == whole, truth
    first, other = views[0], views[1]
    right = round((other.transform.c - first.transform.c) / made.gsd_m)
    down = round((first.transform.f - other.transform.f) / made.gsd_m)
    both = np.s_[down:850, right:850], np.s_[: 850 - down, : 850 - right]
    # Only plain water: plumes, mats and shallows are bright in every frame.
    wet = (first.open_water[both[0]] > 0.9) & (first.surface[4][both[0]] < 1.5 * made.plan.water.values[4])
    lit = [
        view.bands[4][part] > 5 * np.median(view.bands[4][part][wet]) for view, part in zip(views, both, strict=False)
    ]
    again = np.count_nonzero(lit[0] & lit[1] & wet) / np.count_nonzero(lit[0] & wet)
    print(f"\nglint that is there again in the next frame: {again:.3f}")
    assert again < 0.2
    np.testing.assert_array_equal(frames(made, 3)[2].bands, views[2].bands)


def test_the_written_place_opens_without_a_doubt(made: Scene, tmp_path: Path) -> None:
    import rasterio

    written = write(made, tmp_path)
    assert check(written.place) == []
    place = Place.open(written.place)
    assert place.river is not None and place.river.length_m > 45
    heads = [truth.head for truth in made.truths if truth.head is not None]
    assert len(place.outfalls) == len(heads) == 1
    with rasterio.open(written.raster) as raster:
        assert raster.descriptions == ("blue", "green", "red", "rededge", "nir")
        assert raster.crs.to_epsg() == 32649 and raster.dtypes[0] == "uint16" and raster.nodata == 0
        back = raster.read(3) * raster.scales[2]
    np.testing.assert_allclose(back, made.bands[2], atol=6e-5)


def test_a_reach_without_a_plume_is_a_place_too(tmp_path: Path) -> None:
    calm = next(
        made for made in (scene(seed, "tune", 300) for seed in range(20)) if all(t.head is None for t in made.truths)
    )
    assert check(write(calm, tmp_path).place) == []


def test_the_official_waterline_is_wrong_but_not_by_more_than_stated(made: Scene) -> None:
    official = to_plane(made.plan, made.water)
    off = official.exterior.hausdorff_distance(made.plan.reach.water(margin_m=10.0).exterior)
    assert 0.02 < off <= DIFFICULTY.waterline_m + 0.05


def test_what_cannot_be_made_is_refused() -> None:
    for wrong in ({"size_px": 20}, {"gsd_m": 0.0}, {"half": "both"}):
        with pytest.raises(GeoError) as refusal:
            scene(1, **wrong)  # type: ignore[arg-type]  # wrong on purpose
        assert refusal.value.code == "bad-scene"


def test_the_page_tells_the_difficulty_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recognition.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, flags=re.M))
    assert set(told) >= {item.name for item in fields(DIFFICULTY)}
    for item in fields(DIFFICULTY):
        value = getattr(DIFFICULTY, item.name)
        numbers = tuple(float(part) for part in told[item.name].split(","))
        assert numbers == (tuple(value) if isinstance(value, tuple) else (value,)), item.name
