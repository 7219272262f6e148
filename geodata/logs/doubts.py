"""What is wrong with a log's rows: impossible places, time running backwards, gaps and jumps, with line numbers.

It decides which rows cannot be used and says why; it repairs nothing and guesses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geodata.logs.rows import Floats, LineRemark, Rows, Whole

Flags = NDArray[np.bool_]

FASTEST_MPS = 50.0
"""No drone of this trade flies faster, wind included."""
SLACK_M = 10.0
LEAST_GAP_S = 3.0
GAP_TICKS = 10.0
MOST_REMARKS = 20
M_PER_DEG = 111_320.0
_HEIGHTS = {"rel_alt_m": (-1000.0, 12000.0), "abs_alt_m": (-1000.0, 12000.0)}


@dataclass(frozen=True)
class Sorted:
    """Row indices worth keeping, in order of time; `t_s` is NaN where the log has no time."""

    index: Whole
    t_s: Floats


def step_m(lon: Floats, lat: Floats) -> Floats:
    """Metres between consecutive positions; plane approximation, 0.5 % off over a kilometre.

    >>> bool(abs(step_m(np.array([112.0, 112.0]), np.array([30.0, 30.001]))[0] - 111.3) < 0.6)
    True
    """
    east = (np.diff(lon) + 540.0) % 360.0 - 180.0
    return np.asarray(np.hypot(east * np.cos(np.radians(lat[:-1])), np.diff(lat)) * M_PER_DEG)


def quantum_deg(lon: Floats, lat: Floats) -> float:
    """The least step in which the positions were written: 1e-4 for `112.1812`; 1e-8 when finer than seven places.

    >>> quantum_deg(np.array([112.1812, 112.1813]), np.array([30.35, 30.3512]))
    0.0001
    """
    sample = np.concatenate((lon[:2000], lat[:2000]))
    for places in range(3, 8):
        scaled = sample * 10.0**places
        if (np.abs(scaled - np.round(scaled)) < 1e-4).all():
            return float(10.0**-places)
    return 1e-8


def sift(rows: Rows, t_s: Floats) -> Sorted:
    """The rows that can be used, sorted by time; adds a remark to `rows` for everything left out or odd."""
    lon, lat = rows.column("lon"), rows.column("lat")
    for name, (least, most) in _HEIGHTS.items():
        values = rows.column(name)
        with np.errstate(invalid="ignore"):
            wild = (values < least) | (values > most)
        if wild.any():
            _tell(rows, wild, "height_implausible", "的高度不可信，没有采用。")
            rows.columns[name] = np.where(wild, np.nan, values)
    missing = ~(np.isfinite(lon) & np.isfinite(lat))
    with np.errstate(invalid="ignore"):
        zero = (np.abs(lon) < 1e-6) & (np.abs(lat) < 1e-6)
        impossible = ~missing & ((np.abs(lon) > 180) | (np.abs(lat) > 90))
    _tell(rows, missing, "no_position", "没有坐标，没有采用。")
    _tell(rows, zero, "zero_position", "的经纬度都是 0（当时没有卫星定位），没有采用。")
    _tell(rows, impossible, "impossible_position", "的经纬度超出范围，没有采用。")
    usable = ~(missing | zero | impossible)
    if np.isfinite(t_s).any():
        timeless = usable & np.isnan(t_s)
        _tell(rows, timeless, "no_time", "没有时间，没有采用。")
        usable &= ~timeless
    index = np.flatnonzero(usable)
    if not len(index) or np.isnan(t_s[index]).any():
        return Sorted(index, t_s[index])
    return _in_time(rows, index, t_s)


def _in_time(rows: Rows, index: Whole, t_s: Floats) -> Sorted:
    back = np.zeros(len(t_s), bool)
    back[index[1:]] = np.diff(t_s[index]) < 0
    if back.any():
        rows.remarks.append(
            LineRemark(
                "out_of_order",
                f"从第 {int(rows.line[back][0])} 行起有 {int(back.sum())} 行的时间比上一行早，已按时间重新排序；请确认文件没有把几次飞行拼在一起。",
                int(rows.line[back][0]),
            )
        )
        index = index[np.argsort(t_s[index], kind="stable")]
    same = np.zeros(len(t_s), bool)
    same[index[1:]] = np.diff(t_s[index]) == 0
    if same.any():
        rows.remarks.append(
            LineRemark(
                "same_time",
                f"从第 {int(rows.line[same].min())} 行起有 {int(same.sum())} 行与前一行时间相同，只用其中第一行。",
                int(rows.line[same].min()),
            )
        )
        index = index[~same[index]]
    times = t_s[index]
    _gaps(rows, index, times)
    index = _spikes(rows, index, t_s)
    return Sorted(index, t_s[index])


def _gaps(rows: Rows, index: Whole, times: Floats) -> None:
    steps = np.diff(times)
    if not len(steps):
        return
    wide = np.flatnonzero(steps > max(LEAST_GAP_S, GAP_TICKS * float(np.median(steps))))
    for at in wide[:MOST_REMARKS]:
        rows.remarks.append(
            LineRemark(
                "gap",
                f"第 {rows.line[index[at]]} 行到第 {rows.line[index[at + 1]]} 行之间缺 {steps[at]:.1f} 秒的记录。",
                int(rows.line[index[at]]),
            )
        )
    _more(rows, "gap", len(wide) - MOST_REMARKS)


def _spikes(rows: Rows, index: Whole, t_s: Floats) -> Whole:
    """Leaves out single positions that nobody could have flown to and back from; other jumps are only told."""
    lon, lat = rows.column("lon")[index], rows.column("lat")[index]
    new = np.flatnonzero(np.concatenate(([True], (np.diff(lon) != 0) | (np.diff(lat) != 0))))
    jumped = impossible_steps(t_s[index][new], lon[new], lat[new])
    keep = np.ones(len(index), bool)
    if len(new) >= 3:
        around = np.flatnonzero(jumped[:-1] & jumped[1:]) + 1
        for at in around:
            pair = new[[at - 1, at + 1]]
            if keep[new[at - 1]] and not impossible_steps(t_s[index][pair], lon[pair], lat[pair])[0]:
                end = new[at + 1]
                keep[new[at] : end] = False
    spikes = np.zeros(len(t_s), bool)
    spikes[index[~keep]] = True
    _tell(rows, spikes, "spike", "的位置忽然跳开又跳回，没有采用。")
    index = index[keep]
    lon, lat = rows.column("lon")[index], rows.column("lat")[index]
    jumps = np.zeros(len(t_s), bool)
    jumps[index[1:]] = impossible_steps(t_s[index], lon, lat)
    _tell(rows, jumps, "jump", f"的位置与上一行相距太远（超过每秒 {FASTEST_MPS:.0f} 米），这一段不内插。")
    return index


def impossible_steps(t_s: Floats, lon: Floats, lat: Floats) -> Flags:
    """Which steps between consecutive positions no drone could fly, allowing for coarse digits; (n - 1,)."""
    if len(lon) < 2:
        return np.zeros(max(len(lon) - 1, 0), bool)
    slack_m = SLACK_M + 2.0 * quantum_deg(lon, lat) * M_PER_DEG
    return np.asarray(step_m(lon, lat) > slack_m + FASTEST_MPS * np.diff(t_s))


def _tell(rows: Rows, flagged: Flags, code: str, predicate: str) -> None:
    """One remark a run of neighbouring rows."""
    at = np.flatnonzero(flagged)
    if not len(at):
        return
    runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
    for run in runs[:MOST_REMARKS]:
        first, last = int(rows.line[run[0]]), int(rows.line[run[-1]])
        where = f"第 {first} 行" if len(run) == 1 else f"第 {first}–{last} 行（{len(run)} 条）"
        rows.remarks.append(LineRemark(code, where + predicate, first))
    _more(rows, code, len(runs) - MOST_REMARKS)


def _more(rows: Rows, code: str, count: int) -> None:
    if count > 0:
        rows.remarks.append(LineRemark(code, f"同样的情况另有 {count} 处，不再一一列出。"))
