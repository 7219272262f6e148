"""Clocks as the countdown macro of the templates wants them, from the rows of `clockwords.full`.

Words and plain values only: nothing here computes a due or decides a status.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from patrol.rules import lifecycle
from patrol.rules.calendar import local
from patrol.rules.clocks import CLOCKS

_UNITS = {"minutes": "continuous", "hours": "continuous", "working_days": "work_day"}
_SIDE = {"duty_minutes": "值班时段", "duty_hours": "值班时段", "working_hours": "工作时", "working_days": "工作时"}
_AS = {"missed": "met_late", "cancelled": "not_started", "not_needed": "exempt"}  # macro has no picture of these
_LEFT = {"missed": "未按时办", "cancelled": "已取消", "not_needed": "这件不用"}
HEADER = ("push", "receive", "on_site", "rectify", "accept")  # the five of an issue's header
URGENCY = {"late": 0, "soon": 1, "running": 2, "not_started": 3, "paused": 4}


def clock_view(row: dict[str, Any]) -> dict[str, Any]:
    """One row of `clockwords.full` as the dict that `_macros/clocks.html` draws and js/countdown.js ticks."""
    status = row["status"]
    view: dict[str, Any] = {
        "name": row["name"], "zh": row["zh"], "status": _AS.get(status, status), "limit": row["limit"],
        "used": _used(row), "limit_s": row["limit_s"], "used_s": row["used_s"], "day_s": row["day_s"],
        "unit": _UNITS.get(row["unit"], "work_hour"), "estimated": False, "instance": row["instance"],
    }  # fmt: skip
    if status in _LEFT:
        view["left"] = _LEFT[status]
    elif status == "paused":
        view["left"], view["due"] = row["left"], row["side"]
    elif status in ("running", "soon", "late"):
        view |= _ticking(row)
    elif status == "not_started" and row["begins_at"]:
        view["due"] = f"{_short(row['begins_at'], row['at'])} 起"
    elif status == "met":
        view["due"] = row["side"]
    if row["extended"] and row["first_due_at"]:
        view["more"] = f"原 {_day_time(row['first_due_at'])}，延 {row['extended']} 次"
        if row["limit_s"] and row.get("start_limit_s", 0) < row["limit_s"]:
            view["old_notch"] = round(row["start_limit_s"] / row["limit_s"], 4)
    return view


def row_view(view: dict[str, Any] | None) -> dict[str, Any] | None:
    """The same clock for a list row: one line, without the limit and without which hours count."""
    if view is None:
        return None
    return {**view, "limit": "", "due": str(view.get("due") or "").split("，")[0], "more": ""}


def header_views(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The five cells of an issue's header: the last instance of each clock, not started where there is none."""
    last = {row["name"]: row for row in rows}
    names = {"push": "推送", "receive": "签收", "on_site": "到场", "rectify": "整改", "accept": "验收"}
    empty = {"status": "not_started", "used": 0}
    return [clock_view(last[name]) if name in last else {"name": name, "zh": names[name], **empty} for name in HEADER]


def most_urgent(rows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The clock that presses most: late first, then the one with the least of its limit left."""
    live = [row for row in rows if row["status"] in URGENCY]
    if not live:
        return None
    return clock_view(min(live, key=lambda row: (URGENCY[row["status"]], -row["share"], row["due_at"] or "9")))


def _used(row: dict[str, Any]) -> float:
    return float(min(max(row["share"], 0.0), 1.0))


def _ticking(row: dict[str, Any]) -> dict[str, Any]:
    late = row["status"] == "late"
    view: dict[str, Any] = {
        "left_s": -max(row["late_s"], 1) if late else row["left_s"], "at": row["at"], "due_at": row["due_at"],
        "runs_from": row.get("runs_from"), "runs_until": row.get("runs_until"),
    }  # fmt: skip
    if not row["due_at"]:
        return view
    if row["estimated"] and not late:
        view |= {"estimated": True, "due": _short(row["due_at"], row["at"])}
    elif late:
        view["due"] = f"应于 {_short(row['due_at'], row['at'])}"
    else:
        side = _SIDE.get(row["unit"])
        view["due"] = f"{_short(row['due_at'], row['at'])} 前" + (f"，{side}" if side else "")
    return view


def _short(at: str, now: str) -> str:
    moment, today = local(datetime.fromisoformat(at)), local(datetime.fromisoformat(now))
    if moment.date() == today.date():
        return f"{moment:%H:%M}"
    return f"{moment:%m-%d %H:%M}" if moment.year == today.year else f"{moment:%Y-%m-%d %H:%M}"


def _day_time(at: str) -> str:
    return f"{local(datetime.fromisoformat(at)):%m-%d %H:%M}"


def arithmetic(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every clock instance as a sum a person can check: limit, from, pauses, used, due."""
    lines = []
    for row in rows:
        pauses = [f"{_brief(p['from'])} 起{'到 ' + _brief(p['until']) if p['until'] else '，还停着'}"
                  + (f"（{_why(p['why'])}）" if p["why"] else "") for p in row["pauses"]]  # fmt: skip
        lines.append({
            "zh": CLOCKS[row["name"]].zh + (f" 第 {row['instance']} 次" if row["instance"] > 1 else ""),
            "limit": row["limit"] + (f"，延 {row['extended']} 次" if row["extended"] else ""),
            "from": _brief(row["begins_at"] or row["started_at"]), "pauses": pauses,
            "used": _amount(row, row["used_s"]), "left": row["left"], "late": row["late_s"] > 0,
            "due": _brief(row["due_at"]), "first_due": _brief(row["first_due_at"]), "estimated": row["estimated"],
            "policy": row["policy"], "share": f"{row['share'] * 100:.0f}%" if row["limit_s"] else "",
        })  # fmt: skip
    return lines


def _amount(row: dict[str, Any], seconds: int) -> str:
    from_words = {"working_hours": "工作时", "working_days": "工作日", "duty_hours": "值班时", "duty_minutes": "值班时"}
    hours, minutes = divmod(seconds // 60, 60)
    words = f"{hours} 时 {minutes:02d} 分" if hours else f"{minutes} 分"
    unit = from_words.get(row["unit"])
    return f"{words}（按{unit}算）" if unit else words


def _why(why: str) -> str:
    row = lifecycle.STEPS.get(why)
    return row.zh if row else {"accept": "等验收"}.get(why, why)


def _brief(at: str | None) -> str:
    return at[5:16].replace("T", " ") if at else ""
