"""Several bands of one place as one array, with what may and may not be concluded from it.

A plain holder: it opens no file, aligns nothing, and says of itself whether its bands lie on each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from geodata.bands.wavelengths import CHINESE
from geodata.errors import GeoError

Remark = tuple[str, str]
"""A stable code and a Chinese sentence for people."""


def in_chinese(name: str) -> str:
    """The band's name for people.

    >>> in_chinese("rededge"), in_chinese("green531")
    ('红边', 'green531')
    """
    return CHINESE.get(name, name)


@dataclass(frozen=True)
class Stack:
    """Bands of one picture, all on one pixel grid.

    `array`: float32 (bands, height, width), NaN where a band has no value. `names`: canonical, none twice.
    `wavelengths_nm`: centre of each band or None. `valid`: bool (height, width), true where every band has a
    usable value. `aligned`: the bands are proven to lie on each other; whoever builds a stack must say so.
    `reflectance`: values are reflectance factors (0 to about 1). `balanced`: the bands share one unknown factor,
    so that ratios of bands hold though the values do not; reflectance is always balanced. `meta`: what the maker
    of the stack wants to hand on. Raises `GeoError` with code `bad_stack`.

    >>> Stack(np.ones((1, 2, 2), np.float32), ("red",), (665.0,), False, np.ones((2, 2), bool)).band("red").shape
    (2, 2)
    """

    array: NDArray[np.float32]
    names: tuple[str, ...]
    wavelengths_nm: tuple[float | None, ...]
    reflectance: bool
    valid: NDArray[np.bool_]
    aligned: bool = False
    balanced: bool = False
    meta: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.names)
        if self.array.ndim != 3 or self.array.shape[0] != count or len(self.wavelengths_nm) != count:
            raise GeoError("bad_stack", f"波段数不一致：数组 {self.array.shape}，名称 {count} 个；请检查影像。")
        if self.valid.shape != self.array.shape[1:]:
            raise GeoError("bad_stack", "有效像元掩膜与影像大小不一致；请检查影像。")
        if len(set(self.names)) != count:
            raise GeoError("bad_stack", f"波段名称重复：{'、'.join(self.names)}；请写明各波段的波长。")
        if self.reflectance and not self.balanced:
            object.__setattr__(self, "balanced", True)

    def band(self, name: str) -> NDArray[np.float32]:
        """One band (height, width) by its canonical name. Raises `GeoError` with code `missing_band`."""
        if name not in self.names:
            held = "、".join(in_chinese(other) for other in self.names) or "无"
            raise GeoError("missing_band", f"影像没有{in_chinese(name)}波段（现有：{held}）。", name)
        found: NDArray[np.float32] = self.array[self.names.index(name)]
        return found

    def wavelength(self, name: str) -> float | None:
        """Centre wavelength of a band in nm, or None when unknown or when there is no such band."""
        return self.wavelengths_nm[self.names.index(name)] if name in self.names else None
