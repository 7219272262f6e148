"""From the numbers a sensor wrote to reflectance, or to a signal that is honest about being less.

Every correction is a fact of the file or of a panel; what the file does not say is listed as missing, never
replaced by a typical value. It aligns nothing and judges no scene. Proven on one real Parrot capture (order of
magnitude, evenness) and on generated numbers; DJI and MicaSense formulas only against their published form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geodata.bands.bandtags import BandTags
from geodata.bands.stack import Remark, in_chinese
from geodata.bands.sunlight import light_at
from geodata.errors import GeoError

Image = NDArray[np.float32]

_FULL = 65536.0

MISSING: Mapping[str, str] = {
    "black_level": "没有暗电平，暗处（水面）数值偏高",
    "exposure": "没有曝光时间，不同照片的亮度不能相比",
    "gain": "没有增益或感光度，不同照片的亮度不能相比",
    "vignette": "没有暗角系数，边缘偏暗未改正",
    "sunlight": "没有可用的光照传感器读数，云影和时间引起的明暗变化未改正",
    "panel": "没有定标板，数值不是反射率；只可用比值类指数和画面内的相对比较",
    "sensor_model": "没有传感器模型系数，按线性响应处理",
}


@dataclass(frozen=True)
class Signal:
    """One band after radiometry.

    `array`: float32 (height, width), NaN where the pixel is saturated or has no value; never negative.
    `reflectance`: reflectance factor. `balanced`: factor common to all bands of the camera, so ratios hold.
    `steps`: codes of what was applied, in order; `missing`: codes of `MISSING`. `saturated`: share of pixels.
    """

    array: Image
    name: str
    reflectance: bool
    balanced: bool
    steps: tuple[str, ...]
    missing: tuple[str, ...]
    saturated: float

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What a person should know of this band."""
        band = in_chinese(self.name)
        found = [(f"no_{code}", f"{band}波段：{MISSING[code]}。") for code in self.missing]
        if self.saturated > 0.01:
            found.append(("saturated", f"{band}波段有 {self.saturated:.0%} 的像元过曝，已剔除；请降低曝光重拍。"))
        return tuple(found)


@dataclass(frozen=True)
class PanelFactor:
    """What turns a band's signal into reflectance, learned from a panel; only for signals with the same `steps`."""

    name: str
    factor: float
    steps: tuple[str, ...]


def to_signal(dn: NDArray[Any], tags: BandTags, panel: PanelFactor | None = None) -> Signal:
    """Correct one band.

    Parameters: `dn` (height, width), the file's numbers; `tags` of the same file; `panel`, the band's factor.
    Returns `Signal`. Raises `GeoError`: `bad_band` (no two-dimensional numbers), `size_differs`, `no_name`,
    `panel_differs` (the panel was corrected in other steps, or is another band's).
    Source: Parrot SEQ-AN-01 and the 2-D polynomial of Pix4D's `Camera:` tags; MicaSense radiometric model;
    DJI P4 Multispectral and Mavic 3M image processing guides.

    >>> from pathlib import Path
    >>> tags = BandTags(Path("a.tif"), "red", "plain", 2, 1, black_level=100.0, exposure_s=0.01, gain=1.0)
    >>> found = to_signal(np.array([[100, 755]], np.uint16), tags)
    >>> found.array.round(1).tolist(), found.reflectance, found.steps
    ([[0.0, 1.0]], False, ('black_level', 'exposure', 'gain'))
    """
    if dn.ndim != 2 or dn.size == 0 or dn.dtype.kind not in "uif":
        raise GeoError("bad_band", f"“{tags.path.name}”不是单波段影像，请提供相机原始的单波段文件。")
    if dn.shape != (tags.height_px, tags.width_px):
        raise GeoError("size_differs", f"“{tags.path.name}”解出的大小与文件所记不符，文件可能被裁剪过；请用原始文件。")
    if tags.name is None:
        raise GeoError("no_name", f"“{tags.path.name}”没有写明是哪个波段；请改用相机原始文件，或写明波长。")
    raw = dn.astype(np.float64)
    bad = ~np.isfinite(raw) | (raw <= 0) | saturated(dn)
    full = float(np.count_nonzero(saturated(dn)) / dn.size)
    steps: list[str] = []
    missing: list[str] = []
    value = _response(raw, tags, steps, missing)
    value = value * _evenness(tags, dn.shape, steps, missing)
    value, reflectance, balanced = _against_sun(value, tags, steps, missing)
    if panel is not None:
        if panel.name != tags.name or panel.steps != tuple(steps):
            raise GeoError(
                "panel_differs",
                f"定标板与{in_chinese(tags.name)}波段的改正步骤不同，不能套用；请用同一架次的定标照片。",
            )
        value, reflectance, balanced = value * panel.factor, True, True
        steps.append("panel")
    elif not reflectance:
        missing.append("panel")
    array = np.where(bad, np.nan, np.maximum(value, 0.0)).astype(np.float32)
    return Signal(array, tags.name, reflectance, balanced, tuple(steps), tuple(missing), full)


def saturated(dn: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels at the top of the converter's range; the step of the numbers tells how many bits it had.

    >>> saturated(np.array([[65472, 6400, 64]], np.uint16)).tolist(), saturated(np.array([[65472, 65471]], np.uint16)).tolist()
    ([[True, False, False]], [[False, False]])
    """
    if dn.dtype.kind not in "ui" or dn.dtype.itemsize > 2:
        return np.zeros(dn.shape, dtype=bool)
    low = int(np.bitwise_or.reduce(dn, axis=None))
    step = low & -low if low else 1
    found: NDArray[np.bool_] = dn >= (1 << 8 * dn.dtype.itemsize) - min(step, 256)
    return found


def panel_factor(dn: NDArray[Any], tags: BandTags, inside: NDArray[np.bool_], reflectance: float) -> PanelFactor:
    """Learn a band's factor from a picture of a panel.

    Parameters: `dn`, `tags` of the panel's picture; `inside` bool (height, width), true well within the panel;
    `reflectance` of the panel in this band, 0 to 1, from its certificate. Raises `GeoError`: `panel_value`,
    `panel_small` (below 25 pixels), `panel_saturated`, `panel_dark`, `panel_uneven` (spread above 10 %).
    """
    if not 0.0 < reflectance <= 1.0:
        raise GeoError("panel_value", "定标板反射率应在 0 与 1 之间，请照检定证书填写。")
    found = to_signal(dn, tags)
    name = in_chinese(found.name)
    if inside.shape != dn.shape or np.count_nonzero(inside) < 25:
        raise GeoError("panel_small", "照片中的定标板太小（不足 25 个像元），请靠近重拍。")
    if np.count_nonzero(saturated(dn) & inside) > 0.001 * np.count_nonzero(inside):
        raise GeoError("panel_saturated", f"{name}波段的定标板过曝，请降低曝光重拍。")
    values = found.array[inside]
    values = values[np.isfinite(values)]
    middle = float(np.median(values)) if values.size else 0.0
    if not middle > 0.0:
        raise GeoError("panel_dark", f"{name}波段的定标板全黑，请检查是否被遮挡。")
    if float(np.std(values)) > 0.1 * middle:
        raise GeoError("panel_uneven", f"{name}波段的定标板明暗不匀（阴影、反光或框选越界），请重拍或重新框选。")
    return PanelFactor(found.name, reflectance / middle, found.steps)


def _response(raw: NDArray[np.float64], tags: BandTags, steps: list[str], missing: list[str]) -> NDArray[np.float64]:
    """Light on the sensor, in units of the maker, from the file's numbers."""
    exposure, gain = tags.exposure_s, tags.gain
    if tags.family == "sequoia" and tags.sensor_model and exposure and gain and tags.f_number:
        a, b, c = tags.sensor_model
        steps += ["black_level", "exposure", "gain", "sensor_model"]
        return np.asarray(tags.f_number**2 * (raw - b) / (a * exposure * gain * 100.0 + c))
    black = tags.black_level
    _note(black is not None, "black_level", steps, missing)
    light = (raw - (black or 0.0)) / _FULL
    _note(exposure is not None, "exposure", steps, missing)
    _note(gain is not None, "gain", steps, missing)
    if tags.family == "micasense" and tags.radiometric and exposure and gain:
        a1, a2, a3 = tags.radiometric
        row = np.arange(raw.shape[0], dtype=np.float64)[:, None]
        steps += ["sensor_model", "row_gradient"]
        return np.asarray(light * (a1 / gain) / (exposure + a2 * row - a3 * exposure * row))
    light = light / ((exposure or 1.0) * (gain or 1.0))
    if tags.family == "sequoia":
        missing.append("sensor_model")
        light = light * (tags.f_number or 1.0) ** 2
    if tags.band_adjustment is not None:
        steps.append("band_adjustment")
        light = light * tags.band_adjustment
    return np.asarray(light)


def _note(given: bool, code: str, steps: list[str], missing: list[str]) -> None:
    (steps if given else missing).append(code)


def _evenness(
    tags: BandTags, shape: tuple[int, ...], steps: list[str], missing: list[str]
) -> NDArray[np.float64] | float:
    """Factor per pixel that takes the vignetting out, or 1 when the file does not describe it."""
    factor = vignette_factor(tags, (shape[0], shape[1]))
    _note(factor is not None, "vignette", steps, missing)
    return 1.0 if factor is None else factor


def vignette_factor(tags: BandTags, shape: tuple[int, int]) -> NDArray[np.float64] | None:
    """Factor (height, width) that evens a picture out, or None without coefficients or with absurd ones.

    Parrot: divide by a polynomial of x/width, y/height. MicaSense: divide by 1 + k0 r + ... + k5 r⁶, r in px.
    DJI: multiply by that. A factor outside 0.2 to 10 anywhere is taken as a misreading.
    """
    height, width = shape
    x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    if tags.vignette_powers:
        powers = tags.vignette_powers
        if len(powers) != 2 * len(tags.vignette):
            return None
        polynomial = np.zeros(shape)
        for k, p, q in zip(tags.vignette, powers[0::2], powers[1::2], strict=True):
            polynomial += np.outer(k * (y / height) ** q, (x / width) ** p)
        found = 1.0 / np.where(polynomial > 0, polynomial, np.nan)
    elif len(tags.vignette) == 6 and tags.vignette_centre_px is not None:
        r = np.hypot(x[None, :] - tags.vignette_centre_px[0], y[:, None] - tags.vignette_centre_px[1])
        polynomial = np.zeros(shape)
        for k in reversed(tags.vignette):
            polynomial = (polynomial + k) * r
        polynomial += 1.0
        found = polynomial if tags.family == "dji" else 1.0 / np.where(polynomial > 0, polynomial, np.nan)
    else:
        return None
    return found if bool(np.all((found > 0.2) & (found < 10.0))) else None


def _against_sun(
    value: NDArray[np.float64], tags: BandTags, steps: list[str], missing: list[str]
) -> tuple[NDArray[np.float64], bool, bool]:
    """Signal over sunlight, whether that is reflectance, and whether the bands are balanced by it."""
    if tags.irradiance is not None:
        steps.append("sunlight")
        if tags.irradiance_si and "row_gradient" in steps:
            return value * (math.pi / tags.irradiance), True, True
        # DJI states its sun sensor and band adjustment against the near infrared one: one factor stays open.
        return value / tags.irradiance, False, tags.family == "dji" and tags.band_adjustment is not None
    light = light_at(tags.sun_readings, tags.sun_gains, tags.boot_s)
    _note(light is not None, "sunlight", steps, missing)
    return (value if light is None else value / light), False, False
