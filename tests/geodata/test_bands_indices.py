"""Indices: hand-worked numbers, laws of light, and every refusal in its own words."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geodata.bands.indices import INDICES, compute, debris_parts, index_named, soil_margin
from geodata.bands.refused import REFUSED
from geodata.bands.stack import Stack
from geodata.errors import GeoError

NM = {"blue": 475.0, "green": 560.0, "red": 668.0, "rededge": 717.0, "nir": 840.0}
PIXEL = {"blue": F(3, 100), "green": F(8, 100), "red": F(5, 100), "rededge": F(20, 100), "nir": F(45, 100)}

# Worked by hand from the published formulas (as the index catalogue spyndex lists them), in exact fractions.
BY_HAND = {
    "NDWI": F(-37, 53),
    "NDVI": F(40, 50),
    "GNDVI": F(37, 53),
    "NDRE": F(25, 65),
    "NDAVI": F(42, 48),
    "NDTI": F(-3, 13),
    "NDBWI": F(3, 13),
    "GR": F(8, 5),
    "BOI": F(3, 16),
    "NDCI": F(15, 25),
    "BSRE": F(-23, 73),
    # 0.20 - [0.05 + 0.40 * (717 - 668) / (840 - 668)]
    "REBH": F(15, 100) - F(40, 100) * F(49, 172),
    # the least of (0.80 + 0.05) / 0.15, (0.25 - 0.80) / 0.15, (0.05 - 0.12) / 0.12, (5/8 - 1.1) / 0.2
    "SOIL": F(-55, 15),
    "VIS": F(13, 200),
    "NIR": F(45, 100),
}


def stack_of(values: dict[str, object], **changes: object) -> Stack:
    planes = np.stack([np.atleast_2d(np.asarray(value, dtype=np.float32)) for value in values.values()])
    facts: dict[str, object] = {"reflectance": True, "aligned": True, "valid": np.ones(planes.shape[1:], bool)}
    facts |= {"wavelengths_nm": tuple(NM.get(name, 1600.0) for name in values)} | changes
    return Stack(array=planes, names=tuple(values), **facts)  # type: ignore[arg-type]  # the tests give what fits


def test_every_index_against_numbers_worked_by_hand() -> None:
    stack = stack_of({name: float(value) for name, value in PIXEL.items()})
    assert set(BY_HAND) == set(INDICES), "an index without a hand-worked number"
    for name, wanted in BY_HAND.items():
        assert compute(name, stack)[0, 0] == pytest.approx(float(wanted), rel=2e-6), name


@given(
    values=st.lists(st.floats(0.01, 1.0), min_size=5, max_size=5),
    light=st.floats(0.1, 8.0),
)
def test_ratios_do_not_see_the_light_and_the_others_grow_with_it(values: list[float], light: float) -> None:
    dark = stack_of(dict(zip(NM, values, strict=True)))
    lit = stack_of(dict(zip(NM, (value * light for value in values), strict=True)))
    for name, index in INDICES.items():
        if index.absolute:
            continue
        factor = light if index.scales else 1.0
        assert compute(name, lit)[0, 0] == pytest.approx(compute(name, dark)[0, 0] * factor, rel=1e-3, abs=1e-4 * light)


@given(green=st.floats(0.01, 0.6), red=st.floats(0.01, 0.6), nir=st.floats(0.01, 0.8))
def test_the_soil_margin_is_above_zero_exactly_when_all_four_conditions_hold(
    green: float, red: float, nir: float
) -> None:
    ndvi = (nir - red) / (nir + red)
    edges = (abs(ndvi + 0.05), abs(ndvi - 0.25), abs(red - 0.12), abs(red / green - 1.1))
    assume(min(edges) > 1e-9)
    holds = -0.05 < ndvi < 0.25 and red > 0.12 and red / green > 1.1
    assert (float(soil_margin(green, red, nir)) > 0) == holds


@given(red=st.floats(0.01, 1.0), nir=st.floats(0.01, 1.0))
def test_what_is_called_the_same_evidence_really_is(red: float, nir: float) -> None:
    ndvi = (nir - red) / (nir + red)
    assert nir / (nir + red) == pytest.approx((1 + ndvi) / 2), "PI says what NDVI says"
    stack = stack_of({"green": red, "red": nir, "nir": 0.3, "rededge": 0.2, "blue": 0.1})
    assert compute("NDBWI", stack)[0, 0] == -compute("NDTI", stack)[0, 0]
    assert compute("GNDVI", stack)[0, 0] == -compute("NDWI", stack)[0, 0]
    turbidity = float(compute("NDTI", stack)[0, 0])
    assert compute("GR", stack)[0, 0] == pytest.approx((1 - turbidity) / (1 + turbidity), rel=1e-4)
    assert [name for name, index in INDICES.items() if index.same_as] == ["GNDVI", "NDBWI", "GR"]


def test_ndvi_on_bands_that_do_not_lie_on_each_other_is_refused() -> None:
    loose = stack_of({"red": 0.1, "nir": 0.3}, aligned=False)
    with pytest.raises(GeoError, match="尚未配准") as caught:
        compute("NDVI", loose)
    assert caught.value.code == "not_aligned"
    assert compute("NIR", loose)[0, 0] == pytest.approx(0.3), "a single band needs no partner"


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_each_refused_index_names_its_reason_and_what_to_use(name: str) -> None:
    refusal = REFUSED[name]
    with pytest.raises(GeoError) as caught:
        compute(name.lower(), stack_of({band: float(value) for band, value in PIXEL.items()}))
    assert name not in INDICES and caught.value.sentence.startswith(name)
    assert refusal.instead in caught.value.sentence
    if refusal.missing:
        assert caught.value.code == "needs_swir" and "波段，无人机多光谱相机没有" in caught.value.sentence
    else:
        assert caught.value.code == "no_evidence"


def test_a_picture_with_short_wave_infrared_is_not_told_that_it_has_none() -> None:
    stack = stack_of({"green": 0.1, "swir1": 0.05})
    with pytest.raises(GeoError, match="不在识别所用的指数之列"):
        compute("MNDWI", stack)
    with pytest.raises(GeoError, match="没有新的信息"):
        compute("PI", stack)


def test_missing_bands_are_named_with_those_that_are_there() -> None:
    with pytest.raises(GeoError, match="计算 NDRE 需要红边波段，影像只有：红、近红外") as caught:
        compute("NDRE", stack_of({"red": 0.1, "nir": 0.3}))
    assert caught.value.code == "missing_band"
    with pytest.raises(GeoError, match="没有名为“XYZ”的指数；可用：NDWI"):
        index_named("XYZ")


@pytest.mark.parametrize(("nm", "allowed"), [(717.0, True), (705.0, True), (730.0, False), (None, False)])
def test_the_chlorophyll_index_only_near_its_wavelength(nm: float | None, allowed: bool) -> None:
    stack = stack_of({"red": 0.05, "rededge": 0.2}, wavelengths_nm=(665.0, nm))
    if allowed:
        assert compute("NDCI", stack)[0, 0] == pytest.approx(0.6)
    else:
        with pytest.raises(GeoError, match="700—720 nm"):
            compute("NDCI", stack)


def test_constants_of_reflectance_need_reflectance_and_the_baseline_needs_wavelengths() -> None:
    values = {"green": 0.1, "red": 0.18, "rededge": 0.2, "nir": 0.22}
    with pytest.raises(GeoError, match="未经定标"):
        compute("SOIL", stack_of(values, reflectance=False))
    assert compute("NDVI", stack_of(values, reflectance=False))[0, 0] == pytest.approx(0.1)
    with pytest.raises(GeoError, match="中心波长"):
        compute("REBH", stack_of(values, wavelengths_nm=(560.0, 660.0, None, 840.0)))


def test_pixels_without_value_or_with_nothing_to_divide_by_are_nan() -> None:
    valid = np.array([[True, False, True]])
    found = compute("NDVI", stack_of({"red": [[0.1, 0.1, 0.0]], "nir": [[0.3, 0.3, 0.0]]}, valid=valid))
    assert found[0, 0] == pytest.approx(0.5) and np.isnan(found[0, 1:]).all() and found.dtype == np.float32


def test_the_parts_of_a_debris_score() -> None:
    dice = np.random.default_rng(3)
    base = {"green": 0.05, "red": 0.04, "rededge": 0.035, "nir": 0.02}
    planes = {name: value * (1 + dice.normal(0, 0.08, (40, 40))) for name, value in base.items()}
    bottle = {"green": 0.30, "red": 0.31, "rededge": 0.315, "nir": 0.33}
    plant = {"green": 0.08, "red": 0.04, "rededge": 0.28, "nir": 0.45}
    for name in base:
        planes[name][5:9, 5:9], planes[name][20:24, 20:24] = bottle[name], plant[name]
    parts = debris_parts(stack_of(planes), np.ones((40, 40), bool))
    speaks = np.all([part > 0 for part in parts.values()], axis=0)
    assert speaks[5:9, 5:9].all() and speaks.sum() == 16, "the bottle, and neither water nor the plant"
    assert not (parts["not_plant"][20:24, 20:24] > 0).any()
    with pytest.raises(GeoError, match="水面太少"):
        debris_parts(stack_of(planes), np.zeros((40, 40), bool))


@pytest.mark.parametrize(
    ("names", "shape", "words"),
    [(("red",), (2, 3, 3), "波段数不一致"), (("red", "red"), (2, 3, 3), "名称重复")],
)
def test_a_stack_that_contradicts_itself_is_refused(names: tuple[str, ...], shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(GeoError, match=words):
        Stack(np.zeros(shape, np.float32), names, (None,) * len(names), False, np.ones((3, 3), bool))
    with pytest.raises(GeoError, match="掩膜"):
        Stack(np.zeros((1, 3, 3), np.float32), ("red",), (None,), False, np.ones((2, 3), bool))
