"""Indices that exist without short-wave infrared, and a clear no to those that do not.

Each is one plain arithmetic function that takes floats or arrays alike; `compute` puts it on a stack and refuses
what would be nonsense: bands that are missing, not aligned, or too far from the wavelength the formula means.
It sets no thresholds of kinds (`rules.toml` does). Formulas are proven against hand-worked numbers; what they
mean on this river is unproven in the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geodata.bands.refused import REFUSED, SHORT_WAVE
from geodata.bands.stack import Stack, in_chinese
from geodata.errors import GeoError

Value = Any
"""A float or a numpy array of floats: the functions below are arithmetic and nothing else."""


def contrast(a: Value, b: Value) -> Value:
    """(a - b) / (a + b): light and a common factor fall out.

    >>> contrast(0.75, 0.25)
    0.5
    """
    return (a - b) / (a + b)


def baseline_height(
    red: Value, rededge: Value, nir: Value, red_nm: float = 660.0, rededge_nm: float = 730.0, nir_nm: float = 840.0
) -> Value:
    """Red edge above the straight line from red to near infrared.

    >>> round(baseline_height(0.10, 0.25, 0.40, 600.0, 700.0, 800.0), 6)
    0.0
    """
    return rededge - (red + (nir - red) * (rededge_nm - red_nm) / (nir_nm - red_nm))


def bare_soil(blue: Value, red: Value, rededge: Value, nir: Value) -> Value:
    """((R + RE) - (B + N)) / ((R + RE) + (B + N)): the form of BSI with red edge in place of short-wave infrared."""
    return contrast(red + rededge, blue + nir)


def soil_margin(green: Value, red: Value, nir: Value) -> Value:
    """How far inside NDVI -0.05 to 0.25, R > 0.12 and R/G > 1.1 a pixel lies; above 0 exactly when all hold.

    >>> round(float(soil_margin(0.10, 0.18, 0.22)), 3), round(float(soil_margin(0.10, 0.08, 0.40)), 3)
    (0.5, -2.778)
    """
    ndvi = contrast(nir, red)
    inside = np.minimum((ndvi + 0.05) / 0.15, (0.25 - ndvi) / 0.15)
    return np.minimum(inside, np.minimum((red - 0.12) / 0.12, (red / green - 1.1) / 0.2))


@dataclass(frozen=True)
class Index:
    """`bands`: canonical names, in the order `function` takes them. `absolute`: has constants of reflectance in it.
    `scales`: grows with the light, so compare it only within a picture, by its own median and spread.
    `limits_nm`: (band, from, to) outside of which the formula does not mean what it says.
    `same_as`: the index of which this is only another writing, so that it is never a second evidence.
    """

    name: str
    bands: tuple[str, ...]
    formula: str
    meaning: str
    source: str
    function: Callable[..., Value]
    absolute: bool = False
    scales: bool = False
    with_wavelengths: bool = False
    limits_nm: tuple[tuple[str, float, float], ...] = ()
    same_as: str = ""


_TABLE = (
    Index("NDWI", ("green", "nir"), "(G-N)/(G+N)", "水面为正、植被和裸土为负；阈值用画面内大津法，不用 0",
          "McFeeters 1996", contrast),
    Index("NDVI", ("nir", "red"), "(N-R)/(N+R)", "绿色植被", "Rouse 1974", contrast),
    Index("GNDVI", ("nir", "green"), "(N-G)/(N+G)", "绿色植被；数值上就是负的 NDWI", "Gitelson 1996", contrast,
          same_as="NDWI"),
    Index("NDRE", ("nir", "rededge"), "(N-RE)/(N+RE)", "区分植物与塑料等漂浮物", "Barnes 2000", contrast),
    Index("NDAVI", ("nir", "blue"), "(N-B)/(N+B)", "水生植被（水葫芦等）", "Villa 2014", contrast),
    Index("REBH", ("red", "rededge", "nir"), "RE-[R+(N-R)(λRE-λR)/(λN-λR)]",
          "红边基线高度，代替需要短波红外的 FAI；水华明显偏离 0，垃圾接近 0", "Hu 2009 的基线法，改用红边", baseline_height,
          scales=True, with_wavelengths=True),
    Index("NDTI", ("red", "green"), "(R-G)/(R+G)", "浑浊度；与绿光亮度成对使用：暗而近 0 疑似黑臭，亮而为正为泥沙",
          "Lacaux 2007", contrast),
    Index("NDBWI", ("green", "red"), "(G-R)/(G+R)", "黑臭水体指数；数值上就是负的 NDTI，须与亮度成对使用",
          "国产卫星黑臭水体研究中的用法", contrast, same_as="NDTI"),
    Index("GR", ("green", "red"), "G/R", "绿红比，黑臭水体常用；与 NDTI 单调相关", "国产卫星黑臭水体研究中的用法",
          lambda green, red: green / red, same_as="NDTI"),
    Index("BOI", ("blue", "green", "red"), "(G-R)/(B+G+R)", "黑臭水体；常用阈值约 0.065，未在本地验证", "国产卫星黑臭水体研究中的用法",
          lambda blue, green, red: (green - red) / (blue + green + red)),
    Index("NDCI", ("rededge", "red"), "(RE-R)/(RE+R)", "叶绿素；红边须在 705—720 nm 附近，730 nm 以上不可靠",
          "Mishra 2012", contrast, limits_nm=(("rededge", 700.0, 720.0),)),
    Index("BSRE", ("blue", "red", "rededge", "nir"), "((R+RE)-(B+N))/((R+RE)+(B+N))",
          "裸土（有蓝光时），以红边代替短波红外；屋顶道路须另行排除", "Rikimaru 2002 的 BSI，改用红边", bare_soil),
    Index("SOIL", ("green", "red", "nir"), "min[(NDVI+0.05)/0.15, (0.25-NDVI)/0.15, (R-0.12)/0.12, (R/G-1.1)/0.2]",
          "裸土（无蓝光时）的裕量，大于 0 即各条件都满足", "由裸土与植被光谱差异拟定，未在本地验证", soil_margin, absolute=True),
    Index("VIS", ("green", "red"), "(G+R)/2", "可见光亮度（绿、红），与 NDTI 成对判断黑臭或泥沙", "—",
          lambda green, red: (green + red) / 2, scales=True),
    Index("NIR", ("nir",), "N", "近红外亮度：静水最暗，漂浮物、耀斑偏亮", "—", lambda nir: nir + 0.0, scales=True),
)  # fmt: skip

INDICES: Mapping[str, Index] = MappingProxyType({index.name: index for index in _TABLE})


def index_named(name: str) -> Index:
    """The index of that name, any letter case. Raises `GeoError`: `unknown_index`, `needs_swir`, `no_evidence`.

    >>> index_named("ndvi").formula
    '(N-R)/(N+R)'
    >>> index_named("MNDWI")
    Traceback (most recent call last):
        ...
    geodata.errors.GeoError: MNDWI 需要短波红外 1波段，无人机多光谱相机没有；请改用 NDWI（阈值在河道范围内用大津法求）。
    """
    key = name.strip().upper()
    if key in INDICES:
        return INDICES[key]
    if key in REFUSED:
        refusal = REFUSED[key]
        raise GeoError("needs_swir" if refusal.missing else "no_evidence", refusal.sentence(key), key)
    raise GeoError("unknown_index", f"没有名为“{name}”的指数；可用：{'、'.join(INDICES)}。", name)


def compute(name: str, stack: Stack) -> NDArray[np.float32]:
    """An index over a stack.

    Parameters: `name` of `INDICES`; `stack`, aligned. Returns float32 (height, width), NaN where the stack is not
    valid or the formula divides by nothing.
    Raises `GeoError`: as `index_named`; `missing_band`, `not_aligned`, `wrong_wavelength`, `needs_reflectance`.

    >>> bands = np.array([[[0.25]], [[0.75]]], np.float32)
    >>> stack = Stack(bands, ("red", "nir"), (660.0, 840.0), True, np.ones((1, 1), bool), aligned=True)
    >>> float(compute("NDVI", stack)[0, 0])
    0.5
    """
    key = name.strip().upper()
    if key in REFUSED and REFUSED[key].missing and any(band in SHORT_WAVE for band in stack.names):
        raise GeoError("needs_swir", REFUSED[key].sentence(key, held=True), key)
    index = index_named(name)
    absent = [band for band in index.bands if band not in stack.names]
    if absent:
        wanted = "、".join(in_chinese(band) for band in absent)
        held = "、".join(in_chinese(band) for band in stack.names)
        raise GeoError("missing_band", f"计算 {index.name} 需要{wanted}波段，影像只有：{held}。", index.name)
    if len(index.bands) > 1 and not stack.aligned:
        raise GeoError(
            "not_aligned", f"各波段尚未配准，计算 {index.name} 没有意义；请先配准，或改用正射影像。", index.name
        )
    for band, low, high in index.limits_nm:
        nm = stack.wavelength(band)
        if nm is None or not low <= nm <= high:
            stated = "没有写明波长" if nm is None else f"在 {nm:.0f} nm"
            sentence = f"{index.name} 要求{in_chinese(band)}在 {low:.0f}—{high:.0f} nm，影像的{in_chinese(band)}{stated}，算出来不可靠。"
            raise GeoError("wrong_wavelength", sentence, index.name)
    if index.absolute and not stack.reflectance:
        raise GeoError(
            "needs_reflectance",
            f"{index.name} 含反射率常数，影像未经定标；请用定标板定标，或改用比值类指数。",
            index.name,
        )
    planes = [stack.band(band).astype(np.float64) for band in index.bands]
    lengths = _lengths(index, stack)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.asarray(index.function(*planes, *lengths), dtype=np.float64)
    good = stack.valid & np.isfinite(found)
    return np.where(good, found, np.nan).astype(np.float32)


def _lengths(index: Index, stack: Stack) -> list[float]:
    if not index.with_wavelengths:
        return []
    lengths = [stack.wavelength(band) for band in index.bands]
    if any(nm is None for nm in lengths):
        raise GeoError("wrong_wavelength", f"{index.name} 要用各波段的中心波长，影像没有写明；请补充波长。", index.name)
    return [float(nm) for nm in lengths if nm is not None]


def debris_parts(stack: Stack, water: NDArray[np.bool_]) -> dict[str, NDArray[np.float32]]:
    """The parts of a debris score: each above 0 where that part speaks for floating debris, 1 at twice the limit.

    Parameters: `water`, bool (height, width), the water to compare with. Returns `green`, `red`, `nir` (above the
    water's median by 5 median deviations), `not_plant` (NDVI below 0.2), `flat` (red edge on the baseline to
    within a tenth of the near infrared). Raises `GeoError` as `compute`, and `no_water` (below 100 pixels).
    """
    inside = water & stack.valid
    if np.count_nonzero(inside) < 100:
        raise GeoError("no_water", "画面里可作对照的水面太少，不能判断漂浮物；请核对河道范围。")
    parts: dict[str, NDArray[np.float32]] = {}
    height = compute("REBH", stack)
    for band in ("green", "red", "nir"):
        plane = stack.band(band).astype(np.float64)
        middle = float(np.median(plane[inside]))
        spread = max(float(np.median(np.abs(plane[inside] - middle))), 1e-6 * max(abs(middle), 1e-6))
        parts[band] = np.where(stack.valid, (plane - middle) / (5.0 * spread) - 1.0, np.nan).astype(np.float32)
    parts["not_plant"] = (1.0 - compute("NDVI", stack) / np.float32(0.2)).astype(np.float32)
    nir = stack.band("nir")
    with np.errstate(divide="ignore", invalid="ignore"):
        parts["flat"] = np.where(nir > 0, 1.0 - np.abs(height) / (0.1 * nir), np.nan).astype(np.float32)
    return parts
