"""From raw rows to a track: one time axis, the declared zone, and the rows at which a new position came in.

Clocks are compared, never corrected; a zone comes from the file or from a declaration, never from here.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, tzinfo

import numpy as np

from geodata.errors import GeoError
from geodata.logs.clock import digits, zone_of
from geodata.logs.doubts import quantum_deg, sift
from geodata.logs.rows import COLUMNS, Floats, LineRemark, Rows, Whole
from geodata.logs.track import NO_CLOCK, UNDECLARED, Track


def track_of(rows: Rows, zone: str | tzinfo | None = None) -> Track:
    """A track from raw rows, every doubtful line remarked on.

    `zone` declares the zone of a clock that does not say its own. Raises GeoError `unknown-zone`, `no-positions`.
    """
    declared = zone_of(zone) if zone is not None else None
    t_s, origin_s, clock_sigma_s = _axis(rows)
    kept = sift(rows, t_s)
    if not len(kept.index):
        raise GeoError(
            "no-positions",
            f"日志里 {len(rows.line)} 行都没有可用的坐标：可能当时没有卫星定位，或机型不写坐标；请换用飞行记录（CSV、GPX）。",
            rows.kind,
        )
    start_clock = None if origin_s is None else digits(origin_s)
    start_at, name = _start_at(rows, start_clock, declared)
    lon, lat = rows.column("lon")[kept.index], rows.column("lat")[kept.index]
    knots, knot_s, tick_s = _knots(kept.t_s, lon, lat)
    return Track(
        kind=rows.kind,
        dialect=rows.dialect,
        zone=name,
        start_clock=start_clock,
        start_at=start_at,
        clock_sigma_s=clock_sigma_s,
        t_s=kept.t_s,
        **{column: rows.column(column)[kept.index] for column in COLUMNS},
        line=rows.line[kept.index],
        names=tuple(rows.names[index] for index in kept.index) if rows.names else (),
        order=rows.order,
        order_by=rows.order_by,
        planned=rows.planned,
        remarks=tuple(sorted(rows.remarks, key=lambda remark: remark.line)),
        knots=knots,
        knot_s=knot_s,
        tick_s=tick_s,
        step_deg=quantum_deg(lon, lat),
    )


def _axis(rows: Rows) -> tuple[Floats, float | None, float]:
    """Seconds of each row, what the clock showed at zero, and how sure that is."""
    clock = rows.clock_s
    if clock is not None and not np.isfinite(clock).any():
        clock = None
    if rows.t_s is None or not np.isfinite(rows.t_s).any():
        if clock is None:
            return np.full(len(rows.line), np.nan), None, 0.0
        origin = float(np.nanmin(clock))
        # Digits cut off after the second: the truth lies up to one step later.
        return np.round(clock - origin, 3), origin, rows.clock_step_s / math.sqrt(3.0)
    if clock is None:
        return rows.t_s, None, 0.0
    ahead = clock - rows.t_s
    known = ahead[np.isfinite(ahead)]
    if not len(known):
        return rows.t_s, None, 0.0
    times = rows.t_s[np.isfinite(rows.t_s)]
    cadence = float(np.median(np.abs(np.diff(times)))) if len(times) > 1 else 0.0
    if rows.clock_step_s >= 1.0 and 0.0 < cadence < rows.clock_step_s / 2:
        # Many rows a second under a clock that only counts seconds: the latest of them stands at the tick.
        origin, sigma = float(np.percentile(known, 99)), cadence
    else:
        origin, sigma = float(np.median(known)), rows.clock_step_s / math.sqrt(3.0)
    off = np.abs(ahead - origin) > 1.0 + rows.clock_step_s
    if off.sum() > 0.1 * len(known):
        rows.remarks.append(
            LineRemark("clock_unsteady", "时钟与视频时间对不上（视频可能剪辑过），只能按视频时间使用。")
        )
        return rows.t_s, None, 0.0
    if off.any():
        rows.remarks.append(
            LineRemark(
                "clock_jump",
                f"从第 {int(rows.line[off][0])} 行起有 {int(off.sum())} 行的时钟与视频时间相差 1 秒以上（录制中断或对时），以多数行为准。",
                int(rows.line[off][0]),
            )
        )
    return rows.t_s, origin, sigma


def _start_at(rows: Rows, start: datetime | None, declared: tuple[tzinfo, str] | None) -> tuple[datetime | None, str]:
    if start is None:
        return None, NO_CLOCK
    if rows.clock_zone:
        return start.replace(tzinfo=UTC), rows.clock_zone
    if declared is None:
        rows.remarks.append(
            LineRemark("zone_undeclared", "日志的时间没有写明时区，只能与同一时钟比较；要按绝对时间使用，请声明时区。")
        )
        return None, UNDECLARED
    return start.replace(tzinfo=declared[0]).astimezone(UTC), declared[1]


def _knots(t_s: Floats, lon: Floats, lat: Floats) -> tuple[Whole, Floats, float]:
    """Rows at which a new position came in, their times, and the usual time between two of them.

    A position that stays much longer than a tick is held until one tick before the next one came: the drone
    stood still, the log did not merely wait.
    """
    if not len(t_s) or np.isnan(t_s).any():
        return np.zeros(0, np.int64), np.zeros(0), 0.0
    new = np.flatnonzero(np.concatenate(([True], (np.diff(lon) != 0) | (np.diff(lat) != 0))))
    at = t_s[new]
    steps = np.diff(at)
    row_s = float(np.median(np.diff(t_s))) if len(t_s) > 1 else 0.0
    tick_s = max(float(np.median(steps)), row_s) if len(steps) else row_s
    last = np.concatenate((new[1:] - 1, [len(t_s) - 1]))
    held_until = np.concatenate((at[1:] - tick_s, t_s[-1:]))
    # Only where the log itself shows the position again later; a hole in the log is not a standing drone.
    held_until = np.minimum(held_until, t_s[last])
    held = held_until > at + 0.8 * tick_s
    held[-1:] = t_s[-1] > at[-1]
    rows = np.concatenate((new, new[held]))
    times = np.concatenate((at, held_until[held]))
    order = np.argsort(times, kind="stable")
    return rows[order], times[order], tick_s
