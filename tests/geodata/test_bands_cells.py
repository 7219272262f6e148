"""Cells are medians of their pixels wherever the picture is cut, and objects of open water reach their bank once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from geodata.bands.cells import Cells
from geodata.bands.describe import Detection
from geodata.bands.grid import AffineGrid
from geodata.bands.raster import Held
from geodata.bands.ruleset import read_rules
from geodata.bands.shore import to_bank
from geodata.bands.stack import Stack
from geodata.crs import local_xy

NAMES = ("green", "red", "rededge", "nir")
GRID = AffineGrid.of(Affine(0.05, 0, 615000, 0, -0.05, 3358000), CRS.from_epsg(32649).to_wkt())


def held(h: int, w: int) -> Held:
    array = np.random.default_rng(5).random((4, h, w)).astype(np.float32)
    array[:, 3, 4] = np.nan
    stack = Stack(array, NAMES, (560.0, 668.0, 717.0, 840.0), True, np.isfinite(array[0]), True)
    return Held(stack, GRID)


def brute(array: np.ndarray, factor: int) -> np.ndarray:
    """The same by a plain loop that shares no code."""
    picks = [factor // 6, factor // 2, factor - 1 - factor // 6]
    out = np.empty((array.shape[0] // factor, array.shape[1] // factor), np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            nine = [array[y * factor + a, x * factor + b] for a in picks for b in picks]
            out[y, x] = np.median(nine)  # NaN where one of them is
    return out


@given(factor=st.integers(3, 9), y=st.integers(0, 4), x=st.integers(0, 4))
@pytest.mark.filterwarnings("ignore:.*All-NaN.*")
def test_a_cell_is_the_median_of_its_nine_pixels_wherever_it_is_read(factor: int, y: int, x: int) -> None:
    source = held(83, 71)
    cells = Cells(source, factor)
    assert (cells.height_px, cells.width_px) == (83 // factor, 71 // factor)
    whole = np.stack([brute(band, factor) for band in source.stack.array])
    out = np.empty((2, cells.height_px - y, cells.width_px - x), np.float32)
    with cells.opened() as reader:
        reader.read((3, 0), y, x, out)
    np.testing.assert_array_equal(out, whole[[3, 0], y:, x:])


def test_a_cell_lies_where_its_pixels_lie() -> None:
    cells = Cells(held(80, 80), 5)
    middle = np.array([[3.5, 7.5]])
    np.testing.assert_allclose(cells.grid.to_lonlat(middle), GRID.to_lonlat(middle * 5), rtol=0, atol=1e-12)
    np.testing.assert_allclose(cells.grid.to_pixels(cells.grid.to_lonlat(middle)), middle, atol=1e-4)


def test_pieces_at_the_bank_become_one_thing_that_reaches_it() -> None:
    frame = local_xy(112.18, 30.35)

    def at(*bounds: float) -> shapely.Polygon:
        return shapely.transform(shapely.box(*bounds), frame.inverse, interleaved=False)

    def piece(outline: shapely.Polygon, area_m2: float, score: float) -> Detection:
        return Detection("sewage", score, outline, 112.18, 30.35, area_m2, "plume", "", {})

    row = replace(read_rules().rows[0], name="plume", kind="sewage", where="open_water", to_bank_m=2.0)
    shore = at(0, 0, 100, 1.5)
    near = [piece(at(10, 1.5, 14, 3), 6.0, 0.6), piece(at(15, 1.5, 19, 3), 6.0, 0.8)]
    far = piece(at(40, 1.5, 44, 3), 6.0, 0.9)
    middle = piece(at(70, 6, 74, 8), 8.0, 0.7)
    told = to_bank([*near, far, middle], {"plume": row}, shore, frame)
    assert [round(one.score, 2) for one in told] == [0.7, 0.9, 0.7]
    joined, alone, open_water = (shapely.transform(one.outline, frame.forward, interleaved=False) for one in told)
    assert joined.bounds[1] == pytest.approx(0.0, abs=0.05) and joined.area == pytest.approx(told[0].area_m2, rel=1e-4)
    assert joined.area > alone.area > 6.0
    assert open_water.area == pytest.approx(8.0, rel=1e-3)  # what ends before the strip stays as it is
