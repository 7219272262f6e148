"""Which sightings are one thing, and what "seen again" means: pure verdicts over plain numbers.

A sighting joins an issue of its kind when the distance between them is within the kind's reach plus both
uncertainties. On an issue just closed, the same nearness is a relapse clue instead. Source: domain page, 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, floor, hypot, radians
from typing import Literal

from patrol.rules.problems import PROBLEMS, RELAPSE_DAYS, UNKNOWN_ACCURACY_M, WORST_FIX_M

CELL_M = 30.0
_METRES_PER_DEGREE = 111_320.0
_SPAN = 1 << 21

Verdict = Literal["join", "still_visible", "relapse", "recurrence", "other"]


@dataclass(frozen=True)
class Known:
    """What is known of one issue near a sighting."""

    kind: str
    state: str
    distance_m: float  # from the sighting to the outline, or to its point
    accuracy_m: float | None
    closed_at: datetime | None = None
    after_at: datetime | None = None  # when the last after photo was taken in


def reach_m(kind: str, *accuracies_m: float | None, relapse: bool = False) -> float:
    """How far apart two sightings of a kind may lie and still be one thing, metres.

    The kind's own reach already holds the ordinary error of two phones; only worse fixes widen it, in
    quadrature (two independent errors), and never past `WORST_FIX_M`, where a fix is no fix.
    """
    row = PROBLEMS[kind]
    base = row.relapse_m if relapse else row.same_thing_m
    spread = hypot(*(UNKNOWN_ACCURACY_M if a is None else a for a in accuracies_m))
    return max(base, min(spread, WORST_FIX_M))


def judge(kind: str, accuracy_m: float | None, seen_at: datetime, known: Known, now: datetime) -> Verdict:
    """What a new sighting is to one known issue."""
    if known.kind != kind:
        return "other"
    if known.state in ("reported", "assigned", "supervised", "rectified", "verified"):
        if known.distance_m > reach_m(kind, accuracy_m, known.accuracy_m):
            return "other"
        late = known.state in ("rectified", "verified") and (known.after_at is None or seen_at > known.after_at)
        return "still_visible" if late else "join"
    if known.state == "closed" and known.closed_at is not None:
        if known.distance_m > reach_m(kind, accuracy_m, known.accuracy_m, relapse=True):
            return "other"
        return "relapse" if now - known.closed_at <= timedelta(days=RELAPSE_DAYS) else "recurrence"
    return "other"


def cell_of(lon: float, lat: float, lat0: float) -> int:
    """The integer 30 m cell of a position, for a b-tree on (kind, cell). `lat0`: the place's own latitude."""
    x, y = _column_row(lon, lat, lat0)
    return x * _SPAN + y


def cells_around(lon: float, lat: float, lat0: float, radius_m: float) -> list[tuple[int, int]]:
    """Ranges [first, last] of cells that cover a disc, one a column."""
    x, y = _column_row(lon, lat, lat0)
    n = int(radius_m // CELL_M) + 1
    return [(column * _SPAN + y - n, column * _SPAN + y + n) for column in range(x - n, x + n + 1)]


def _column_row(lon: float, lat: float, lat0: float) -> tuple[int, int]:
    x = floor((lon + 180.0) * _METRES_PER_DEGREE * cos(radians(lat0)) / CELL_M)
    y = floor((lat + 90.0) * _METRES_PER_DEGREE / CELL_M)
    return x, y
