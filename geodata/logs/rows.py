"""What a log's reader hands over: plain columns with line numbers, and remarks on lines that were doubtful.

It judges nothing (`doubts.py` does) and knows no file format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geodata.errors import GeoError

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

MAX_BYTES = 128 * 1024 * 1024
MAX_ROWS = 2_000_000

COLUMNS = (
    "lon",
    "lat",
    "rel_alt_m",
    "abs_alt_m",
    "gimbal_yaw_deg",
    "gimbal_pitch_deg",
    "gimbal_roll_deg",
    "heading_deg",
)
"""Heights: above take-off, and above the sea or the ellipsoid as the file says. Angles: degrees, north-east-down."""


@dataclass(frozen=True)
class LineRemark:
    """What is doubtful in a log: a stable code, a Chinese sentence, and the first line it stands in (0: none)."""

    code: str
    sentence: str
    line: int = 0


@dataclass
class Rows:
    """Raw rows in file order.

    `line` (n,) from 1. `t_s` (n,) seconds on an axis the file has of its own (video time, elapsed time), or None.
    `clock_s` (n,) what its clock shows, as if that were UTC, or None; `clock_zone` is `UTC` when the file says
    so and "" when it does not say. `columns` holds any of COLUMNS; an unknown value is NaN.
    """

    kind: str
    dialect: str
    line: Whole
    columns: dict[str, Floats]
    t_s: Floats | None = None
    clock_s: Floats | None = None
    clock_step_s: float = 0.001
    clock_zone: str = ""
    names: tuple[str, ...] = ()
    order: str = ""
    order_by: str = ""
    planned: bool = False
    remarks: list[LineRemark] = field(default_factory=list)

    def column(self, name: str) -> Floats:
        """One of COLUMNS, (n,) floats; all NaN when the file has none."""
        found = self.columns.get(name)
        return np.full(len(self.line), np.nan) if found is None else found


def slurp(path: str | Path) -> bytes:
    """A file's bytes. Raises GeoError `no-file`, `empty` or `too-much`."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise GeoError("too-much", f"日志超过 {MAX_BYTES // 2**20} MB，请按架次分开导出。", path.name)
        data = path.read_bytes()
    except OSError as error:
        raise GeoError("no-file", f"打不开日志“{path.name}”，请检查路径和权限。", path.name) from error
    if not data.strip(b"\0\r\n\t \xef\xbb\xbf"):
        raise GeoError("empty", f"日志“{path.name}”是空的，请重新导出。", path.name)
    return data
