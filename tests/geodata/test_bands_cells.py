"""Cells are medians of their pixels wherever the picture is cut, and objects of open water reach their bank once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from geodata.bands.cells import Cells
from geodata.bands.describe import Detection
from geodata.bands.grid import AffineGrid
from geodata.bands.raster import Held
from geodata.bands.ruleset import read_rules
from geodata.bands.shore import to_bank
from geodata.bands.stack import Stack
from geodata.bands.stream import Filled, Stream
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
    spread = 1 if factor < 5 else 2
    picks = [factor // 2 - spread, factor // 2, factor // 2 + spread]
    out = np.empty((array.shape[0] // factor, array.shape[1] // factor), np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            nine = [array[y * factor + a, x * factor + b] for a in picks for b in picks]
            out[y, x] = np.median(nine)  # NaN where one of them is
    return out


def filled(source: Held, factor: int, side_px: tuple[int, int], plainly: bool = False) -> Cells:
    """The cells of a picture, taken from windows of that size."""
    cells = Cells(source, factor, (3, 0))
    size = (source.height_px, source.width_px)

    def work(window: Filled, store: object) -> object:
        return cells.take(window, window.window.inner(*size, cells.spread))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geodata.bands.cells.COMPILES", not plainly)
        stream = Stream(source, (3, 0), work, side_px=side_px, reach=cells.spread)
        for _, results in stream.results():
            cells.put(results)  # type: ignore[arg-type]  # what work gave
    return cells


@given(
    factor=st.integers(3, 9),
    y=st.integers(0, 4),
    x=st.integers(0, 4),
    side_px=st.tuples(st.integers(4, 90), st.integers(4, 90)),
    plainly=st.booleans(),
)
@settings(max_examples=30)
def test_a_cell_is_the_median_of_its_nine_pixels_wherever_the_picture_is_cut(
    factor: int, y: int, x: int, side_px: tuple[int, int], plainly: bool
) -> None:
    source = held(83, 71)
    cells = filled(source, factor, side_px, plainly)
    assert (cells.height_px, cells.width_px) == (83 // factor, 71 // factor)
    whole = np.stack([brute(source.stack.array[band], factor) for band in (3, 0)])
    out = np.empty((2, cells.height_px - y, cells.width_px - x), np.float32)
    mask = np.empty(out.shape[1:], np.uint8)
    with cells.opened() as reader:
        reader.read((0, 1), y, x, out)
        reader.mask(y, x, mask)
        thin, thin_mask = reader.coarse((1,), 2)
    cells.close()
    np.testing.assert_array_equal(np.where(mask != 0, out, np.nan), whole[:, y:, x:])
    assert thin.shape == (1, -(-cells.height_px // 2), -(-cells.width_px // 2)) and thin_mask is not None
    assert thin[0, 0, 0] == out[1, 1, 1] if (y, x) == (0, 0) and mask[1, 1] else True


def test_what_no_window_answered_for_is_empty() -> None:
    cells = Cells(held(80, 80), 5, (3, 0))
    mask = np.ones((cells.height_px, cells.width_px), np.uint8)
    with cells.opened() as reader:
        reader.mask(0, 0, mask)
    cells.close()
    assert not mask.any()


def test_a_cell_lies_where_its_pixels_lie() -> None:
    cells = Cells(held(80, 80), 5, (3, 0))
    middle = np.array([[3.5, 7.5]])
    np.testing.assert_allclose(cells.grid.to_lonlat(middle), GRID.to_lonlat(middle * 5), rtol=0, atol=1e-12)
    np.testing.assert_allclose(cells.grid.to_pixels(cells.grid.to_lonlat(middle)), middle, atol=1e-4)
    cells.close()


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
