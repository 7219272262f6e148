"""The one real multispectral capture at hand, farmland without water: what the rules, tuned on made scenes, say of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from geodata.bands.capture import load
from geodata.bands.grid import AffineGrid
from geodata.bands.grouping import group
from geodata.bands.ruleset import read_rules
from geodata.bands.stack import Stack
from geodata.recognise import recognise_stack
from tests.geodata.made_rasters import Made, place_folder

PIXEL_M = 0.07
TRANSFORM = Affine(PIXEL_M, 0, 613000, 0, -PIXEL_M, 3358000)
GRID = AffineGrid.of(TRANSFORM, CRS.from_epsg(32649).to_wkt())


@pytest.fixture
def farmland(data_files: Path) -> Stack:
    return aligned(data_files)


@cache
def aligned(data_files: Path) -> Stack:
    """Aligned once for all tests: nothing changes it."""
    files = sorted((data_files / "multispectral" / "sequoia_garfield").glob("*.TIF"))
    if not files:
        pytest.skip("the Sequoia capture is not here")
    return load(group(files).captures[0])


def hectares(stack: Stack) -> float:
    return stack.array[0].size * PIXEL_M**2 / 10_000


def test_farmland_without_water_gives_at_most_one_false_object_a_hectare(farmland: Stack) -> None:
    told = recognise_stack(farmland, GRID)
    print(f"\n{len(told.detections)} objects on {hectares(farmland):.2f} ha of farmland; {'；'.join(told.warnings)}")
    assert len(told.detections) / hectares(farmland) <= 1.0
    assert told.water_area_m2 == 0 and any("没有找到水面" in sentence for sentence in told.warnings)


@pytest.mark.parametrize("band_gain", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("part", range(4))
def test_no_part_of_it_under_any_balance_of_its_bands_is_water(farmland: Stack, part: int, band_gain: float) -> None:
    """The capture is not balanced, so its indices have no level of their own: none may be trusted for water."""
    rows, columns = (slice(0, 480), slice(480, 960))[part // 2], (slice(0, 640), slice(640, 1280))[part % 2]
    array = farmland.array[:, rows, columns] * np.array([[[band_gain]], [[1]], [[1]], [[1]]], np.float32)
    quarter = replace(farmland, array=array, valid=farmland.valid[rows, columns])
    assert recognise_stack(quarter, GRID).water_area_m2 == 0


def test_the_same_farmland_as_the_bank_of_a_river_beside_it(farmland: Stack, tmp_path: Path) -> None:
    """How often each kind would be called if all of it lay on a bank: fields are bare soil there."""
    rules = read_rules()
    wide = replace(rules, bank={**rules.bank, "buffer_m": 200.0})
    beside = place_folder(tmp_path / "place", Made(farmland.array, transform=TRANSFORM), (-400, -200))
    told = recognise_stack(farmland, GRID, beside, wide)
    print(f"\nas bank, {hectares(farmland):.2f} ha: {dict(Counter(one.kind for one in told.detections))}")
    assert all(one.kind in ("bare_soil", "solid_waste") for one in told.detections)
