"""However a picture is cut into windows, it shows what whole arrays show: scipy and rasterio, no code of the product."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.features import shapes
from scipy import ndimage

from geodata.bands.ruleset import rules_of
from geodata.recognise import recognise
from tests.geodata.made_rasters import THINGS, Made, place_folder, river
from tests.geodata.recognition_rules import papers

WATER_ROWS = (60, 540)
LEAST_PX = {"aquatic_bloom": 20, "floating_debris": 10, "bare_soil": 100}


def fixed_limits() -> dict[str, Any]:
    """Rules without anything measured in the picture, so that whole arrays can follow them in a few lines."""
    changed = papers()
    bloom, debris, soil = changed["kind"]
    bloom["terms"] = [{"index": "ndvi", "above": 0.4, "soft": 0.2}]
    debris["terms"] = [{"index": "red", "above": 0.1, "soft": 0.1}, {"index": "ndvi", "below": 0.3, "soft": 0.1}]
    del debris["unless"]
    soil["terms"] = [{"index": "ndvi", "above": -0.05, "below": 0.3, "soft": 0.1}]
    return changed


def crowded(seed: int) -> Made:
    """A river with discs and bars of every size over it, many across the edges of any window."""
    made = river(600, 800, seed=seed, noise=0.05, things=False)
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:600, :800]
    clean = np.ones((600, 800), bool)
    for name, band in (("debris", (80, 520)), ("bloom", (80, 520)), ("soil", (15, 45))):
        for _ in range(14):
            cy, cx = rng.uniform(*band), rng.uniform(20, 780)
            tall, wide = np.exp(rng.uniform(0.7, 4.0 if name != "soil" else 2.5, 2))
            inside = clean & (((x - cx) / wide) ** 2 + ((y - cy) / tall) ** 2 <= 1)
            inside[:5] = inside[:, :5] = inside[:, -5:] = False
            made.bands[:, inside] = np.array(THINGS[name], np.float32)[:, None]
            made.bands[:, inside] *= 1.0 + rng.normal(0, 0.05, (5, int(inside.sum()))).astype(np.float32)
    return made


def by_whole_arrays(path: Path) -> list[tuple[str, Any]]:
    with rasterio.open(path) as file:
        values = file.read()
        transform = file.transform
    middle = np.stack([ndimage.median_filter(band, 3, mode="nearest") for band in values])
    _, _, red, _, nir = middle.astype(np.float32) * np.float32(1e-4)
    ndvi = (nir - red) / (nir + red)
    water = np.zeros(red.shape, bool)
    water[slice(*WATER_ROWS)] = True
    bank = ndimage.binary_dilation(water, np.ones((3, 3)), 80) & ~water
    bloom = water & (ndvi > 0.4)
    debris = water & ~bloom & (red > 0.1) & (ndvi < 0.3)
    soil = bank & (ndvi > -0.05) & (ndvi < 0.3)
    found = []
    for kind, mask in (("aquatic_bloom", bloom), ("floating_debris", debris), ("bare_soil", soil)):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        sizes[0] = 0
        for number in np.flatnonzero(sizes >= LEAST_PX[kind]):
            one = (labels == number).astype(np.uint8)
            parts = [shapely.geometry.shape(part) for part, _ in shapes(one, one == 1, 4, transform)]
            found.append((kind, shapely.union_all(parts)))
    return found


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[tuple[str, Any]]]:
    folder = tmp_path_factory.mktemp("whole")
    made = crowded(4)
    path = made.write(folder / "a.tif")
    return path, place_folder(folder / "place", made, WATER_ROWS), by_whole_arrays(path)


@given(rows=st.integers(40, 700), columns=st.integers(40, 900))
@settings(max_examples=8, deadline=None)
def test_the_same_objects_as_whole_arrays_for_any_window(
    picture: tuple[Path, Path, list[tuple[str, Any]]], rows: int, columns: int
) -> None:
    path, place, whole = picture
    found = recognise(path, place, rules_of(fixed_limits()), window_px=(rows, columns), tolerance_px=0.0)
    assert len(whole) > 20
    assert sorted(one.kind for one in found.detections) == sorted(kind for kind, _ in whole)
    metres = Transformer.from_crs("EPSG:4326", "EPSG:32649", always_xy=True)
    outlines = [
        (one.kind, shapely.transform(one.outline, metres.transform, interleaved=False)) for one in found.detections
    ]
    for kind, truth in whole:
        shares = [truth.intersection(o).area / truth.union(o).area for other, o in outlines if other == kind]
        assert max(shares) >= 0.999, (kind, truth.bounds)
