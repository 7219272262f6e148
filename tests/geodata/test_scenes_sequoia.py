"""The one real multispectral capture at hand, farmland without water: what the rules, tuned on made scenes, say of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from affine import Affine
from pyproj import CRS
from shapely.geometry import box

from geodata.bands.capture import load
from geodata.bands.grid import AffineGrid
from geodata.bands.grouping import group
from geodata.place import Place
from geodata.recognise import recognise_stack

PIXEL_M = 0.07
GRID = AffineGrid.of(Affine(PIXEL_M, 0, 613000, 0, -PIXEL_M, 3358000), CRS.from_epsg(32649).to_wkt())


def test_farmland_without_water_gives_at_most_one_false_object_a_hectare(data_files: Path, tmp_path: Path) -> None:
    files = sorted((data_files / "multispectral" / "sequoia_garfield").glob("*.TIF"))
    if not files:
        pytest.skip("the Sequoia capture is not here")
    stack = load(group(files).captures[0])
    hectares = stack.array[0].size * PIXEL_M**2 / 10_000
    told = recognise_stack(stack, GRID)
    print(f"\n{len(told.detections)} objects on {hectares:.2f} ha of farmland; {'；'.join(told.warnings)}")
    # How often each kind would be called if the whole frame lay on a river's bank: fields are bare soil there.
    height, width = stack.array.shape[1:]
    corners = GRID.to_lonlat([[-200, -200], [-100, height + 200]])
    beside = Place.open("taihugang")
    strip = box(*corners.min(axis=0), *corners.max(axis=0))
    object.__setattr__(beside, "water", strip)
    as_bank = recognise_stack(stack, GRID, beside)
    print({kind: sum(one.kind == kind for one in as_bank.detections) for kind in {d.kind for d in as_bank.detections}})
    assert len(told.detections) / hectares <= 1.0
    assert width * height == told.pixels
