"""The sun sensor of the Parrot Sequoia: its list of readings, its gains, and the light at one moment.

Counts are proportional to irradiance in the band, in no unit; nothing here corrects the sensor's tilt to the sun.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_NOW = struct.Struct("<QHHHHfff")  # µs since power-on, two counts, gain index, integration ms, yaw, pitch, roll
_OLD = struct.Struct("<QHHff")  # before firmware 1.1: gain index and integration time were fixed
_OLD_GAIN, _OLD_MS = 0, 100
_FULL = 65535
_REFERENCE_GAIN = 1
_NEAR_S = 1.0


@dataclass(frozen=True)
class Reading:
    """One reading: seconds since power-on, counts of the band, index of the gain, integration in ms."""

    at_s: float
    count: int
    gain_index: int
    integration_ms: int


def parrot_readings(text: str) -> tuple[Reading, ...]:
    """Readings of an `IrradianceList`, oldest first; empty when the text is none.

    Both record lengths are tried; the one whose times rise and whose gains exist is taken.

    >>> row = struct.pack("<QHHHHfff", 2_500_000, 666, 64, 1, 100, 23.0, -1.0, 2.0)
    >>> parrot_readings(base64.b64encode(row).decode())
    (Reading(at_s=2.5, count=666, gain_index=1, integration_ms=100),)
    >>> parrot_readings("rubbish")
    ()
    """
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return ()
    for layout in (_NOW, _OLD):
        if data and len(data) % layout.size == 0:
            rows = tuple(_row(fields) for fields in layout.iter_unpack(data))
            if _plausible(rows):
                return rows
    return ()


def _row(fields: tuple[float, ...]) -> Reading:
    new = len(fields) == 8
    gain, span = (int(fields[3]), int(fields[4])) if new else (_OLD_GAIN, _OLD_MS)
    return Reading(fields[0] / 1e6, int(fields[1]), gain, span)


def _plausible(rows: Sequence[Reading]) -> bool:
    rising = all(a.at_s <= b.at_s for a, b in pairwise(rows))
    return rising and all(row.gain_index <= 3 and 0 < row.integration_ms <= 2000 for row in rows)


def parrot_gains(table: Sequence[float]) -> dict[int, float]:
    """Gain of each index relative to index 1, from `IrradianceCalibrationMeasurement`.

    The table holds rows of (gain index, integration ms, count, second count), all under the same lamp; a
    saturated count (65535) tells nothing and its row is left out.

    >>> parrot_gains([0, 600, 15, 1, 1, 600, 60, 45, 2, 600, 1200, 728, 3, 600, 65535, 18072])
    {0: 0.25, 1: 1.0, 2: 20.0}
    """
    if not table or len(table) % 4:
        return {}
    rows = [tuple(table[i : i + 4]) for i in range(0, len(table), 4)]
    rates = {int(gain): count / ms for gain, ms, count, _ in rows if ms > 0 and 0 < count < _FULL}
    reference = rates.get(_REFERENCE_GAIN)
    return {gain: rate / reference for gain, rate in rates.items()} if reference else {}


def light_at(readings: Sequence[Reading], gains: Mapping[int, float], at_s: float | None) -> float | None:
    """Irradiance at a moment, in counts per second at gain 1; None without a usable reading.

    The median of the readings within one second, else of the nearest or (moment unknown) the last one.

    >>> rows = [Reading(1.0, 100, 1, 100), Reading(2.0, 120, 1, 100), Reading(2.2, 65535, 1, 100)]
    >>> light_at(rows, {1: 1.0}, 2.1)
    1200.0
    """
    usable = [row for row in readings if 0 < row.count < _FULL and gains.get(row.gain_index, 0.0) > 0]
    if not usable:
        return None
    moment = usable[-1].at_s if at_s is None else at_s
    nearest = min(abs(row.at_s - moment) for row in usable)
    picked = [row for row in usable if abs(row.at_s - moment) <= max(_NEAR_S, nearest)]
    return median(row.count / (gains[row.gain_index] * row.integration_ms / 1000.0) for row in picked)
