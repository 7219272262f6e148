"""Volunteer teams, shifts, classes: kinds, states and limits. A child under 14 is a number here, never a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class TeamKind:
    """A kind of team. `minors`: its members are children, kept as a head count; only grown-up leaders have rows."""

    zh: str
    en: str
    minors: bool = False


TEAM_KINDS: dict[str, TeamKind] = {
    "silver": TeamKind("银发护湖队", "Silver Lake Guards"),
    "scarf": TeamKind("红领巾监测站", "Red Scarf Monitoring Post", minors=True),
    "other": TeamKind("志愿护河队", "volunteer river team"),
}
OF_AGE = 14  # from this age on a person may have a row
SHIFT_STATES: dict[str, str] = {"planned": "报名中", "held": "已完成", "cancelled": "已取消"}
ENTRY_STATES: dict[str, str] = {"signed": "已报名", "present": "到了", "absent": "没到", "left": "已退出"}
CLASS_STATES: dict[str, str] = {"planned": "报名中", "held": "已上课", "cancelled": "已取消"}

LONGEST_SHIFT = timedelta(hours=6)
LONGEST_CLASS = timedelta(hours=4)
MOST_HEADS = 200  # children of a team, or of one shift
MOST_OF_ONE_SIGN_UP = 10  # people one sign-up brings to a class
MOST_SEATS = 500


def overlaps(a: tuple[datetime, datetime], b: tuple[datetime, datetime]) -> bool:
    """Whether two spans share a moment: nobody keeps watch in two places at once."""
    return a[0] < b[1] and b[0] < a[1]


def hours(minutes: int) -> float:
    """Volunteer hours as they are shown: halves, rounded down, so that nobody is credited what was not kept."""
    return minutes // 30 / 2
