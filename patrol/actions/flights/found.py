"""What one file of a flight showed, before it is kept: plain values that recognition gives and deeds take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Found:
    """One thing recognised on one file. Degrees WGS-84, square metres, pixels of the stored picture."""

    kind: str
    score: float
    by: str
    lon: float
    lat: float
    cov_en_m2: list[list[float]]
    ce90_m: float
    outline: dict[str, Any] | None = None
    area_m2: float | None = None
    box: list[float] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
