"""Collects single points into rows: what the readers of GPX, KML and tables share. It reads no file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from geodata.logs.clock import reading
from geodata.logs.rows import LineRemark, Rows


def number(text: str) -> float:
    """A finite number, or NaN for anything else; a decimal comma is understood.

    >>> number("1.5"), number("1,5"), number("n/a"), number("1e999")
    (1.5, 1.5, nan, nan)
    """
    text = text.strip()
    try:
        value = float(text if "." in text or text.count(",") != 1 else text.replace(",", "."))
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


@dataclass
class Points:
    """Points in file order; `add` one by one, then `rows`."""

    lines: list[int] = field(default_factory=list)
    values: list[dict[str, float]] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    zoned: list[bool] = field(default_factory=list)

    def add(self, line: int, when: str, **values: float) -> None:
        """One point: its line, its time as written ("" for none) and any of COLUMNS."""
        read = reading(when) if when else None
        self.lines.append(line)
        self.values.append(values)
        self.clock.append(read[0] if read else math.nan)
        if read:
            self.steps.append(read[1])
            self.zoned.append(read[2])

    def rows(self, kind: str, dialect: str, planned: bool = False) -> Rows:
        """The rows; times with a zone are UTC, times without are a clock's digits.

        Where a file mixes both, those without a zone are dropped: they cannot be compared.
        """
        names = sorted({name for point in self.values for name in point})
        columns = {name: np.array([point.get(name, math.nan) for point in self.values]) for name in names}
        clock = np.array(self.clock)
        found = Rows(kind, dialect, np.array(self.lines, np.int64), columns, planned=planned)
        if np.isfinite(clock).any():
            found.clock_s = clock
            found.clock_step_s = min(self.steps)
        if any(self.zoned):
            found.clock_zone = "UTC"
            if not all(self.zoned):
                clock[np.flatnonzero(np.isfinite(clock))[~np.array(self.zoned)]] = np.nan
                found.remarks.append(LineRemark("mixed_zones", "有的时间写明了时区、有的没有；没有写明的没有采用。"))
        return found


def broken(rows: Rows, line: int) -> None:
    """Remarks that a file breaks off at a line (0: it does not)."""
    if line:
        rows.remarks.append(
            LineRemark("truncated", f"文件在第 {line} 行中断或写法有误，之后的内容读不出来；已采用前面的记录。", line)
        )
