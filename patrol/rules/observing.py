"""SERIES: what teams watch at fixed spots, in which unit, within which bounds; and the comparison of two years.

The bird count year on year compares like with like only: the same months, and spots counted in both years.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from statistics import fmean


@dataclass(frozen=True)
class Series:
    """One thing that is watched. `scale`: the words of whole steps from `least` on, where it is a scale."""

    zh: str
    en: str
    unit: str
    least: float
    most: float
    whole: bool = True
    scale: tuple[str, ...] = ()
    hint: str = ""


SERIES: dict[str, Series] = {
    "birds": Series("水鸟", "water birds", "只", 0, 20_000, hint="站在点上数 15 分钟，飞过的也算"),
    "water_colour": Series("水色", "water colour", "级", 1, 5, scale=("清", "微黄绿", "黄绿", "浑黄", "发黑"),
                           hint="离水面一臂远看，和色卡比"),
    "litter": Series("岸上垃圾", "litter on the bank", "件", 0, 5_000, hint="沿岸走 100 米，捡到的件数"),
}  # fmt: skip


def fault(series: str, value: float) -> str:
    """What is wrong with a value of a series, or nothing."""
    row = SERIES[series]
    if row.whole and value != int(value):
        return f"{row.zh}要写整数。"
    if not row.least <= value <= row.most:
        return f"{row.zh}要在 {row.least:g} 到 {row.most:g} {row.unit}之间。"
    return ""


@dataclass(frozen=True)
class Seen:
    """One observation of a series."""

    spot: str
    on: date
    value: float


@dataclass(frozen=True)
class Comparison:
    """Two years side by side: means of the same months at the same spots. `change` None: nothing to compare."""

    year: int
    now: float | None
    before: float | None
    pairs: int  # how many (spot, month) were counted in both years
    spots: int
    months: tuple[int, ...]

    @property
    def change(self) -> float | None:
        return (self.now - self.before) / self.before if self.now is not None and self.before else None


def year_on_year(rows: Iterable[Seen], year: int, upto_month: int = 12) -> Comparison:
    """The mean of the (spot, month) means that both years have. A spot or month of one year alone is left out."""
    of: dict[int, dict[tuple[str, int], list[float]]] = {year: defaultdict(list), year - 1: defaultdict(list)}
    for row in rows:
        if row.on.year in of and row.on.month <= upto_month:
            of[row.on.year][row.spot, row.on.month].append(row.value)
    both = sorted(set(of[year]) & set(of[year - 1]))
    now, before = (fmean(fmean(of[y][key]) for key in both) if both else None for y in (year, year - 1))
    return Comparison(year, now, before, len(both), len({spot for spot, _ in both}),
                      tuple(sorted({month for _, month in both})))  # fmt: skip


def monthly(rows: Iterable[Seen]) -> list[tuple[str, float, int]]:
    """(month, mean, how many) of a series in the order of time: what a small chart draws and its table lists."""
    months: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        months[f"{row.on:%Y-%m}"].append(row.value)
    return [(month, fmean(values), len(values)) for month, values in sorted(months.items())]
