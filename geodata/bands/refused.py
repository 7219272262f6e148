"""Indices that people ask for and that are not given here, each with the reason and what to use in its place.

A table of words only. Bands by the published formulas; the substitutes are those of `indices.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from geodata.bands.wavelengths import CHINESE

SHORT_WAVE = ("swir1", "swir2")


@dataclass(frozen=True)
class Refusal:
    """`missing`: bands the formula needs and drone cameras lack; `instead`: what to do; `because` when none lack."""

    missing: tuple[str, ...]
    instead: str
    because: str = ""

    def sentence(self, name: str, held: bool = False) -> str:
        """The refusal in one sentence; `held`: this picture has short-wave infrared all the same."""
        if not self.missing:
            return f"{name} {self.because}；{self.instead}。"
        wanted = "、".join(CHINESE[band] for band in self.missing)
        if held:
            return f"{name} 不在识别所用的指数之列（规则按没有短波红外的无人机相机统一制定）；{self.instead}。"
        return f"{name} 需要{wanted}波段，无人机多光谱相机没有；{self.instead}。"


_WATER = "请改用 NDWI（阈值在河道范围内用大津法求）"
_FLOATING = "请改用红边基线高度 REBH"
_SOIL = "请改用 BSRE（有蓝光）或 SOIL（无蓝光，需定标）"
_NONE = "本系统没有等价的代替"

REFUSED: Mapping[str, Refusal] = MappingProxyType(
    {
        "MNDWI": Refusal(("swir1",), _WATER),
        "AWEI": Refusal(("swir1", "swir2"), _WATER),
        "AWEINSH": Refusal(("swir1", "swir2"), _WATER),
        "AWEISH": Refusal(("swir1", "swir2"), _WATER),
        "WI2015": Refusal(("swir1", "swir2"), _WATER),
        "NDPONI": Refusal(("swir1",), _WATER),
        "FAI": Refusal(("swir1",), _FLOATING),
        "FDI": Refusal(("swir1",), "请改用漂浮物评分（绿、红、近红外高出水面，NDVI 低，REBH 接近 0）"),
        "BSI": Refusal(("swir1",), _SOIL),
        "NDSOI": Refusal(("swir2",), _SOIL),
        "NBLI": Refusal(("thermal",), _SOIL),
        "DBSI": Refusal(("swir1",), _SOIL),
        "NDBI": Refusal(("swir1",), f"{_NONE}，建筑请用地籍图层排除"),
        "NDMI": Refusal(("swir1",), f"{_NONE}，植被水分不在识别范围内"),
        "LSWI": Refusal(("swir1",), f"{_NONE}，植被水分不在识别范围内"),
        "PI": Refusal(
            (), "请只用 NDVI，不要当作第二条证据", "即 N/(N+R)，恒等于 (1+NDVI)/2，与 NDVI 单调相关，没有新的信息"
        ),
    }
)
