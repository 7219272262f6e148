"""Where no place tells the water: it is found where it is, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from geodata.bands.ruleset import read_rules
from geodata.place import Place
from geodata.recognise import recognise
from geodata.scenes.folder import write
from geodata.scenes.scene import frames, scene
from tests.geodata.made_rasters import LAND, THINGS, WATER, Made, river

SPECTRA = {"water": WATER, "land": LAND, "soil": THINGS["soil"], "debris": THINGS["debris"]}
FIELD = {"young crop": (0.05, 0.085, 0.07, 0.13, 0.16), "asphalt": (0.09, 0.10, 0.11, 0.115, 0.12)}


def painted(ground: str, patches: dict[str, tuple[slice, slice]], gain: float = 1.0, seed: int = 3) -> Made:
    """A picture of 24 x 32 m; `gain` of the green band is what a camera without calibration may have."""
    spectra = SPECTRA | FIELD
    bands = np.empty((5, 240, 320), np.float32)
    bands[:] = np.array(spectra[ground], np.float32)[:, None, None]
    for name, (rows, columns) in patches.items():
        bands[:, rows, columns] = np.array(spectra[name], np.float32)[:, None, None]
    bands[1] *= gain
    grain: NDArray[np.float32] = np.random.default_rng(seed).normal(0.0, 0.08, bands.shape).astype(np.float32)
    return Made(np.clip(bands * (1.0 + grain), 1e-4, 1.0))


def water_m2(made: Made, folder: Path) -> float:
    return recognise(made.write(folder / "a.tif"), None, read_rules()).water_area_m2


def test_a_picture_of_nothing_but_water_is_water(tmp_path: Path) -> None:
    assert water_m2(painted("water", {}), tmp_path) == pytest.approx(768.0, rel=0.01)
    floating = {"debris": (slice(60, 90), slice(100, 140))}
    assert water_m2(painted("water", floating), tmp_path) == pytest.approx(768.0, rel=0.01)


@pytest.mark.parametrize("gain", [0.6, 1.0, 1.6])
def test_a_river_between_its_banks_is_found_whatever_the_camera_makes_of_green(gain: float, tmp_path: Path) -> None:
    made = river()
    made.bands[1] *= gain
    assert water_m2(made, tmp_path) == pytest.approx(384.0, rel=0.05)


@pytest.mark.parametrize("ground", ["land", "soil", "young crop", "asphalt"])
@pytest.mark.parametrize("patch", ["land", "soil", "asphalt"])
def test_fields_and_roads_are_no_water_next_to_any_other(ground: str, patch: str, tmp_path: Path) -> None:
    """Each pair has two groups of index for Otsu to part, and a camera without calibration shifts them."""
    for gain in (1.0, 1.4):
        assert water_m2(painted(ground, {patch: (slice(40, 200), slice(60, 260))}, gain), tmp_path) == 0.0


def test_a_pond_is_found_though_a_road_beside_it_is_none(tmp_path: Path) -> None:
    patches = {"asphalt": (slice(0, 240), slice(0, 120)), "water": (slice(50, 190), slice(170, 290))}
    assert water_m2(painted("land", patches), tmp_path) == pytest.approx(168.0, rel=0.05)


@given(seed=st.integers(100, 140))
@settings(max_examples=2, deadline=None)
def test_the_river_of_a_generated_scene_is_found_without_its_place(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("scene")
    raster = write(frames(scene(seed, "tune", 600), 1)[0], folder, "frame0").raster
    told, alone = recognise(raster, Place.open(folder / "place")), recognise(raster)
    assert alone.water_area_m2 == pytest.approx(told.water_area_m2, rel=0.25)
