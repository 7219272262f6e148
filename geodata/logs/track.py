"""One flight's log as a track: where the drone was, when, and how sure that is between the rows.

Positions in subtitles tick slower than their lines, so repeated rows are not taken for standing still. A log
without a declared zone answers about its own clock only; a planned route answers about no moment at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from geodata.logs.doubts import M_PER_DEG, impossible_steps, step_m
from geodata.logs.rows import COLUMNS, Floats, LineRemark, Whole

UNDECLARED, NO_CLOCK = "undeclared", "none"

GNSS_SIGMA_M = 2.0
"""One axis, consumer GNSS: the figure that frames without RTK get too."""
SWAY_MPS2 = 1.5
"""How hard a drone turns or brakes between two rows; what a straight line between them may miss. A survey flight
whose every second row was hidden needs less; generated flights that turn at 4 m/s2 need this."""
LAG_S = 0.2
"""How old a position may be by the time it is written."""
FASTEST_TYPICAL_MPS = 15.0
BRIDGE_S = 30.0
"""Longer gaps than this are not bridged."""
BEYOND_S = 2.0
"""How far before the first and after the last row an answer is still given."""
_ANGLES = ("gimbal_yaw_deg", "gimbal_roll_deg", "heading_deg")


@dataclass(frozen=True)
class TrackPoint:
    """The drone at one moment: WGS-84 degrees, metres, degrees; None is unknown.

    `sigma_m` is one standard deviation along each ground axis; it grows with `gap_s`, the time between the two
    rows (`lines`) it was taken from.
    """

    lon: float
    lat: float
    sigma_m: float
    gap_s: float
    lines: tuple[int, int]
    rel_alt_m: float | None = None
    abs_alt_m: float | None = None
    gimbal_yaw_deg: float | None = None
    gimbal_pitch_deg: float | None = None
    gimbal_roll_deg: float | None = None
    heading_deg: float | None = None


@dataclass(frozen=True, eq=False)
class Track:
    """A log read whole. Columns are numpy arrays (n,) in order of time, NaN where unknown; see COLUMNS.

    `t_s` counts seconds on the log's own axis (video time for subtitles, else from the first row); it is NaN for a
    route without times. `zone` is the zone's name, `undeclared` for a clock nobody gave a zone, `none` for a log
    without clock. `start_clock` is what the clock showed at t_s = 0, `start_at` the same in UTC, when declared.
    `order_by` tells by what a pair of numbers was read as lon, lat (`declared`, `range`, `place`, `dialect`).
    """

    kind: str
    dialect: str
    zone: str
    start_clock: datetime | None
    start_at: datetime | None
    clock_sigma_s: float
    t_s: Floats = field(repr=False)
    lon: Floats = field(repr=False)
    lat: Floats = field(repr=False)
    rel_alt_m: Floats = field(repr=False)
    abs_alt_m: Floats = field(repr=False)
    gimbal_yaw_deg: Floats = field(repr=False)
    gimbal_pitch_deg: Floats = field(repr=False)
    gimbal_roll_deg: Floats = field(repr=False)
    heading_deg: Floats = field(repr=False)
    line: Whole = field(repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)
    order: str = ""
    order_by: str = ""
    planned: bool = False
    remarks: tuple[LineRemark, ...] = ()
    knots: Whole = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    knot_s: Floats = field(default_factory=lambda: np.zeros(0), repr=False)
    tick_s: float = 0.0
    step_deg: float = 1e-8

    def __len__(self) -> int:
        return len(self.lon)

    @property
    def timed(self) -> bool:
        """Whether rows have moments at all."""
        return bool(len(self) and np.isfinite(self.t_s[0]) and not self.planned)

    def shifted(self, offset_s: float) -> Track:
        """The same track when the log's clock runs `offset_s` behind the one it is compared with.

        Video time (`at(12.5)`) does not move.
        """
        by = timedelta(seconds=offset_s)
        return replace(
            self,
            start_clock=None if self.start_clock is None else self.start_clock + by,
            start_at=None if self.start_at is None else self.start_at + by,
        )

    def seconds(self, moment: datetime | float) -> float | None:
        """A moment on the log's axis, or None when the log cannot tell.

        A number is that axis itself (video time); a datetime with zone needs the log's zone to be declared; a
        datetime without zone is the log's own clock.
        """
        if not isinstance(moment, datetime):
            return float(moment)
        start = self.start_clock if moment.tzinfo is None else self.start_at
        return None if start is None else (moment - start).total_seconds()

    def at(self, moment: datetime | float) -> TrackPoint | None:
        """Where the drone was; None outside of the log, across long gaps and jumps, or when times do not compare.

        `sigma_m` joins the receiver's error, the digits' coarseness, the clock's step and what a straight line
        may miss: 0.5 * 1.5 m/s2 * t1 * t2 between rows t1 before and t2 after, at most 15 m/s times the nearer.
        Proven on generated flights and one public photo list.

        >>> from geodata.logs.build import track_of
        >>> from geodata.logs.srt import read_srt
        >>> cue = "1\\n00:00:0{0},000 --> 00:00:0{0},900\\n[latitude: 30.35000{0}] [longitude: 112.180000]\\n\\n"
        >>> track = track_of(read_srt("".join(cue.format(i) for i in range(5)).encode()))
        >>> point = track.at(1.5)
        >>> round(point.lat, 7), round(point.sigma_m, 1)
        (30.3500015, 2.0)
        """
        t = self.seconds(moment)
        if t is None or not self.timed or not math.isfinite(t):
            return None
        knots = self.knot_s
        if not knots[0] - BEYOND_S <= t <= knots[-1] + BEYOND_S:
            return None
        after = min(max(int(np.searchsorted(knots, t, "right")), 1), len(knots) - 1)
        # On the log's own axis its clock does not matter.
        clock_sigma_s = self.clock_sigma_s if isinstance(moment, datetime) else 0.0
        return self._between(t, after - 1 if after else 0, after, clock_sigma_s)

    def _between(self, t: float, before: int, after: int, clock_sigma_s: float) -> TrackPoint | None:
        first, second = int(self.knots[before]), int(self.knots[after])
        start, end = float(self.knot_s[before]), float(self.knot_s[after])
        if first == second:  # standing still, or waiting for the next fix: the rows themselves bound the doubt
            low, high = self._around(t)
            start, end = float(self.t_s[low]), float(self.t_s[high])
        gap = end - start
        into, left = max(t - start, 0.0), max(end - t, 0.0)
        if gap > BRIDGE_S and min(into, left) > BEYOND_S:
            return None
        pair = np.array([first, second])
        if first != second and impossible_steps(self.knot_s[[before, after]], self.lon[pair], self.lat[pair])[0]:
            return None
        share = min(into / gap, 1.0) if gap else 0.0
        if gap > BRIDGE_S:  # near one end of a long gap the end itself is the answer
            share = float(round(share))
        lon = self.lon[first] + share * ((self.lon[second] - self.lon[first] + 540.0) % 360.0 - 180.0)
        lat = self.lat[first] + share * (self.lat[second] - self.lat[first])
        speed = float(step_m(self.lon[pair], self.lat[pair])[0]) / gap if gap else 0.0
        outside = max(start - t, t - end, 0.0)
        bridge = min(0.5 * SWAY_MPS2 * into * left, FASTEST_TYPICAL_MPS * min(into, left))
        beyond = max(speed, FASTEST_TYPICAL_MPS / 3) * outside
        coarse = self.step_deg * M_PER_DEG / math.sqrt(12.0)
        late = speed * math.hypot(clock_sigma_s, min(self.tick_s, LAG_S) / math.sqrt(12.0))
        sigma = math.sqrt(GNSS_SIGMA_M**2 + coarse**2 + late**2 + bridge**2 + beyond**2)
        others = {name: self._value(name, t) for name in COLUMNS[2:]}
        return TrackPoint(float(lon), float(lat), sigma, gap, (int(self.line[first]), int(self.line[second])), **others)

    def _around(self, t: float) -> tuple[int, int]:
        low = min(max(int(np.searchsorted(self.t_s, t, "right")) - 1, 0), len(self.t_s) - 1)
        return low, min(low + 1, len(self.t_s) - 1)

    def _value(self, name: str, t: float) -> float | None:
        """A column at a time, from the nearest rows that have it; turns are taken the short way."""
        values = getattr(self, name)
        low, high = self._around(t)
        a, b = float(values[low]), float(values[high])
        span = float(self.t_s[high] - self.t_s[low])
        share = min(max((t - float(self.t_s[low])) / span, 0.0), 1.0) if span else 0.0
        if math.isnan(a) or math.isnan(b) or span > BRIDGE_S:
            near = b if share > 0.5 else a
            return None if math.isnan(near) else near
        if name in _ANGLES:
            turned = a + share * ((b - a + 540.0) % 360.0 - 180.0)
            return turned - 360.0 if turned > 180.0 and max(a, b) <= 180.0 else turned
        return a + share * (b - a)

    def named(self, name: str) -> TrackPoint | None:
        """The row of a file's name, for logs that list photographs; None when it is not listed."""
        wanted = name.lower()
        for index, listed in enumerate(self.names):
            if listed.lower() == wanted:
                values = {column: float(getattr(self, column)[index]) for column in COLUMNS[2:]}
                known = {column: None if math.isnan(value) else value for column, value in values.items()}
                line = int(self.line[index])
                return TrackPoint(
                    float(self.lon[index]), float(self.lat[index]), GNSS_SIGMA_M, 0.0, (line, line), **known
                )
        return None
