"""Outlines against rasterio's polygons: the same ground, valid, holes kept, thinned by no more than half a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import shape

from geodata.bands.components import Component
from geodata.bands.outline import outlines
from tests.geodata.test_bands_components import labelled


def drawn(one: Component, size: tuple[int, int]) -> NDArray[np.uint8]:
    mask = np.zeros(size, np.uint8)
    for y, x0, x1, _ in one.runs.tolist():
        mask[y, x0:x1] = 1
    return mask


def by_rasterio(mask: NDArray[np.uint8]) -> Any:
    return shapely.union_all([shape(part) for part, _ in shapes(mask, mask == 1, connectivity=4)])


@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 26),
    width=st.integers(1, 26),
    share=st.sampled_from([0.2, 0.5, 0.65, 0.8, 0.95]),
    reach=st.integers(1, 3),
)
@settings(max_examples=150)
def test_the_same_ground_as_rasterio_and_valid(seed: int, height: int, width: int, share: float, reach: int) -> None:
    kinds = (np.random.default_rng(seed).random((height, width)) < share).astype(np.uint8)
    found = labelled(kinds, [7], [5, 11], [reach, 1], [1, 1])
    exact = outlines(found, 0.0)
    thin = outlines(found)
    for one, outline, thinned in zip(found, exact, thin, strict=True):
        assert outline.is_valid and thinned.is_valid
        assert outline.area == one.pixels
        assert outline.symmetric_difference(by_rasterio(drawn(one, kinds.shape))).area == 0
        for border in (outline.boundary, thinned.boundary):  # no point of one is far from the other
            other = thinned.boundary if border is outline.boundary else outline.boundary
            assert max(other.distance(shapely.Point(point)) for point in shapely.get_coordinates(border)) <= 0.5 + 1e-9


def disc(radius: float, hole: float = 0.0) -> NDArray[np.uint8]:
    size = int(2 * radius) + 5
    y, x = np.mgrid[:size, :size] - size / 2 + 0.5
    away = np.hypot(y, x)
    return ((away <= radius) & (away >= hole)).astype(np.uint8)


@pytest.mark.parametrize("radius", [5, 20, 80])
def test_a_disc_keeps_its_area_with_fewer_points(radius: int) -> None:
    found = labelled(disc(radius), [64], [], [1, 1], [1, 1])
    (exact,), (thin,) = outlines(found, 0.0), outlines(found)
    assert abs(thin.area - exact.area) < 0.15 * radius
    assert len(thin.exterior.coords) < 0.75 * len(exact.exterior.coords)
    assert thin.length < 1.15 * 2 * np.pi * radius < exact.length
    assert thin.symmetric_difference(exact).area <= 0.5 * exact.length


def test_holes_stay_holes() -> None:
    (thin,) = outlines(labelled(disc(30, 10), [64], [], [1, 1], [1, 1]))
    assert len(thin.interiors) == 1
    assert thin.interiors[0].centroid.distance(thin.exterior.centroid) < 0.5
    assert shapely.Polygon(thin.interiors[0]).area == pytest.approx(np.pi * 100, rel=0.05)


def test_an_island_in_a_hole_that_touches_by_a_corner_is_a_part() -> None:
    rows = ["#####", "#...#", "#.#.#", "##..#", "#####"]
    kinds = np.array([[letter == "#" for letter in row] for row in rows], np.uint8)
    (one,) = labelled(kinds, [5], [], [1, 1], [1, 1])
    (outline,) = outlines([one], 0.0)
    assert outline.geom_type == "MultiPolygon" and outline.is_valid and outline.area == one.pixels
    assert sorted(len(part.interiors) for part in outline.geoms) == [0, 1]


def test_nothing_gives_nothing() -> None:
    assert outlines([]).size == 0
