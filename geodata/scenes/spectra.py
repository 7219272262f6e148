"""Published reflectances by kind and source, each source in one half only: what scenes are painted with.

It reads spectra.toml and hands out rows. It must not know which index or limit recognition uses.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geodata.errors import GeoError

Half = Literal["tune", "score"]
HALVES: tuple[Half, ...] = ("tune", "score")
BANDS = ("blue", "green", "red", "rededge", "nir")
FILE = Path(__file__).with_name("spectra.toml")


@dataclass(frozen=True)
class Spectrum:
    """Reflectance (0 to 1) in the order of BANDS; `approx` where the level is remembered, not read from the source."""

    kind: str
    name: str
    source: str
    half: Half
    reflectance: tuple[float, ...]
    approx: bool

    @property
    def values(self) -> NDArray[np.float32]:
        """The reflectances as float32 (5,)."""
        return np.array(self.reflectance, dtype=np.float32)


@lru_cache(maxsize=1)
def library() -> tuple[Spectrum, ...]:
    """Every row of spectra.toml, in the order of the file.

    Raises GeoError `bad-spectra` for a row whose source is unknown or whose values are not five reflectances.

    >>> {row.half for row in library()} == set(HALVES)
    True
    """
    told = tomllib.loads(FILE.read_text("utf-8"))
    rows = []
    for kind, listed in told["kinds"].items():
        for row in listed:
            source, values = row["source"], row["r"]
            if source not in told["sources"] or len(values) != len(BANDS) or not all(0 < value < 1 for value in values):
                raise GeoError(
                    "bad-spectra", f"光谱表 {kind}“{row['name']}”有误：来源未登记，或不是五个 0 到 1 的反射率。"
                )
            half = told["sources"][source]["half"]
            rows.append(Spectrum(kind, row["name"], source, half, tuple(values), bool(row.get("approx", False))))
    return tuple(rows)


def of(kind: str, half: Half) -> tuple[Spectrum, ...]:
    """The rows of one kind that a half may use. Raises GeoError `no-spectrum` where there is none.

    >>> {row.source for row in of("aquatic_bloom", "tune")} & {row.source for row in of("aquatic_bloom", "score")}
    set()
    """
    rows = tuple(row for row in library() if row.kind == kind and row.half == half)
    if not rows:
        raise GeoError("no-spectrum", f"光谱表里没有“{kind}”在 {half} 这一半的数据。", kind)
    return rows
