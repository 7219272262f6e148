"""What is said about a clock: 剩 7 时 05 分, 超 42 分, 已停 剩 3 工作日.

Words only, from the numbers of a reading. The look's table of time states is the model; nothing
here computes a due or decides a status.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from patrol.rules.calendar import local
from patrol.rules.limits import Unit

if TYPE_CHECKING:
    from patrol.rules.clocks import Reading

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SIDE_UNIT: dict[Unit, str] = {
    "duty_minutes": "值班时段",
    "duty_hours": "值班时段",
    "working_hours": "工作时",
    "working_days": "工作时",
}


def say_amount(seconds: int, unit: Unit, day_s: int) -> str:
    """An amount in the limit's own unit: 18 分, 7 时 05 分, 3 工作日, 2 工作日 3 时, 不到 1 分."""
    if seconds < _MINUTE:
        return "不到 1 分"
    if unit == "working_days" and day_s and seconds >= day_s:
        days, rest = divmod(seconds, day_s)
        hours = rest // _HOUR
        return f"{days} 工作日 {hours} 时" if hours else f"{days} 工作日"
    return _plain(seconds)


def _plain(seconds: int) -> str:
    if seconds < _MINUTE:
        return "不到 1 分"
    hours, minutes = divmod(seconds // _MINUTE, 60)
    if not hours:
        return f"{minutes} 分"
    return f"{hours} 时 {minutes:02d} 分" if minutes else f"{hours} 时"


def say_late(late_s: int) -> str:
    """超 42 分, 超 2 时 41 分; over 48 h 超 3 天."""
    if late_s > 2 * _DAY:
        return f"超 {late_s // _DAY} 天"
    return f"超 {_plain(late_s)}"


def say_left(reading: Reading) -> str:
    """The value of the countdown."""
    status = reading.status
    if status == "not_started":
        return "未开始"
    if status in ("running", "soon"):
        return f"剩 {say_amount(reading.left_s, reading.unit, reading.day_s)}"
    if status == "late":
        return say_late(reading.late_s)
    if status == "paused":
        if reading.late_s or reading.left_s <= 0:
            return f"已停 {say_late(reading.late_s)}"
        return f"已停 剩 {say_amount(reading.left_s, reading.unit, reading.day_s)}"
    if status in ("met", "met_late"):
        return f"用 {say_amount(reading.used_s, reading.unit, reading.day_s)}"
    return "未按时办" if status == "missed" else "已取消"


def say_side(reading: Reading, now: datetime, *, exempt: bool = False) -> str:
    """The note at the right of the bar: 10:44 前, 应于 09:44, 按时, 挂账到 12-20, 原 11-24 11:31，延 1 次."""
    if exempt and reading.was_late:
        return "曾超时（申诉通过，不计入考核）"
    status, due_at = reading.status, reading.due_at
    if status == "paused":
        return f"挂账到 {_day(reading.resumes_at, now)}" if reading.resumes_at else ""
    if status == "met":
        return "按时（离线补传）" if reading.offline else "按时"
    if status in ("met_late", "missed"):
        return "曾超时"
    if due_at is None or status == "cancelled":
        return ""
    if status == "late":
        return f"应于 {_short(due_at, now)}"
    if reading.estimated:
        return f"≈ {local(due_at):%Y-%m-%d}，日历未定"
    if reading.extended and reading.first_due_at is not None:
        return f"原 {_day_time(reading.first_due_at)}，延 {reading.extended} 次"
    side = f"{_short(due_at, now)} 前"
    unit = _SIDE_UNIT.get(reading.unit)
    return f"{side}，{unit}" if unit else side


def say_due(due_at: datetime, now: datetime, *, estimated: bool = False) -> str:
    """A due in words for forms and cards: 应于今天 15:26, 应于明天 09:30, 应于 11-25 15:00."""
    if estimated:
        return f"≈ {local(due_at):%Y-%m-%d}，日历未定"
    due, today = local(due_at), local(now).date()
    near = {0: "今天", 1: "明天"}.get((due.date() - today) // timedelta(days=1))
    return f"应于{near} {due:%H:%M}" if near else f"应于 {_short(due_at, now)}"


def _short(at: datetime, now: datetime) -> str:
    if local(at).date() == local(now).date():
        return f"{local(at):%H:%M}"
    return _day_time(at) if local(at).year == local(now).year else f"{local(at):%Y-%m-%d %H:%M}"


def _day_time(at: datetime) -> str:
    return f"{local(at):%m-%d %H:%M}"


def _day(at: datetime, now: datetime) -> str:
    return f"{local(at):%m-%d}" if local(at).year == local(now).year else f"{local(at):%Y-%m-%d}"
