"""What the office desk asks: what waits, what is listed, what was sent, who may act. Plain rows, no words of HTML."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from patrol import models as m
from patrol.queries import clockwords, clues, health, issues
from patrol.queries.clockview import most_urgent, row_view
from patrol.queries.words import place_words, shown
from patrol.rules import lifecycle, rights
from patrol.rules.audience import CARDS, GROUPS
from patrol.rules.calendar import SHANGHAI
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

PAGE = 40
BEFORE_DAYS = 90
NEIGHBOUR_M = 100.0
SOURCE_ICONS = {
    "drone": "ui-drone", "satellite": "ui-satellite", "sensor": "ui-sensor", "grid": "ui-person", "tip": "ui-people",
    "hotline": "ui-phone", "volunteer": "ui-people", "petition": "ui-people", "superior": "ui-office",
    "transfer_in": "ui-link", "look_back": "ui-again", "api": "ui-link",
}  # fmt: skip
ERRAND_STATES = {
    "due": "等着推", "claimed": "正在推", "done": "已推到", "stuck": "推不出去", "by_hand": "要人贴", "void": "不用推了",
}  # fmt: skip


def source(channel: str) -> dict[str, str]:
    """The icon and word of a channel."""
    return {"icon": SOURCE_ICONS.get(channel, "ui-info"), "zh": rights.CHANNELS.get(channel, channel)}


# --- the inbox -----------------------------------------------------------------------------------------------


def inbox(work: Work) -> list[dict[str, Any]]:
    """Waiting clues and reported issues as one list, what presses most first."""
    rows = [_clue_row(work, row) for row in clues.listing(work)]
    reported, _ = issues.rows(work, issues.Filter(states=("reported",), size=200))
    clocks = clockwords.of_issues(work, [issue.id for issue in reported])
    first = _first_sightings(work, [issue.id for issue in reported])
    for issue in reported:
        rows.append(_reported_row(work, issue, clocks.get(issue.id, []), first.get(issue.id)))
    return sorted(rows, key=lambda row: row["order"])


def _first_sightings(work: Work, ids: list[int]) -> dict[int, m.Sighting]:
    found: dict[int, m.Sighting] = {}
    query = select(m.Sighting).where(m.Sighting.issue_id.in_(ids)).order_by(m.Sighting.id)
    for sighting in work.session.scalars(query):
        found.setdefault(sighting.issue_id or 0, sighting)
    return found


def _clue_row(work: Work, row: dict[str, Any]) -> dict[str, Any]:
    clock = most_urgent([row["review"]]) if row["review"] else None
    where = work.place.river.words(row["chainage_m"], row["bank"]) if work.place.river else ""
    where = where or row.get("place_words") or ("不在本河段" if row["position"] else "位置不清")
    fact = f"把握 {row['score']:.2f}" if row["score"] is not None else f"{_clock_of(row['received_at'])} 报"
    return {
        "href": f"/desk/clues/{row['clue']}", "key": row["clue"], "clue": True, "kind": row["kind"],
        "title": f"{PROBLEMS[row['kind']].zh} 线索", "place": where, "fact": fact,
        "source": source(row["channel"]), "clock": row_view(clock), "order": _order(row["review"], row["received_at"]),
    }  # fmt: skip


def _reported_row(work: Work, issue: m.Issue, clocks: list[m.Clock], sighting: m.Sighting | None) -> dict[str, Any]:
    read = [clockwords.full(work, clock) for clock in clocks]
    named = [row for row in read if row["name"] in ("push", "check") and row["status"] in ("running", "soon", "late")]
    seen = (sighting.seen_at or sighting.received_at) if sighting else issue.found_at
    return {
        "href": f"/desk?open={issue.number}", "key": issue.number, "clue": False, "kind": issue.kind,
        "title": PROBLEMS[issue.kind].zh, "place": place_words(work, issue) or "位置不清",
        "fact": f"{_clock_of(shown(seen))} {'拍到' if sighting and sighting.channel == 'drone' else '报'}",
        "source": source(sighting.channel) if sighting else None, "clock": row_view(most_urgent(named or read)),
        "state": issue.state, "order": _order(next(iter(named or read), None), shown(issue.opened_at)),
    }  # fmt: skip


def _order(clock: dict[str, Any] | None, at: str | None) -> tuple[str, str]:
    """By the moment it is due; what has no due comes after, oldest first."""
    return (clock["due_at"] if clock and clock["due_at"] else "9999", at or "")


def _clock_of(at: str | None) -> str:
    return (at or "")[11:16]


def banners(work: Work) -> dict[str, Any]:
    """What the desk says before anything else: worker health, stuck pushes, cards that people must paste."""
    query = select(m.Errand.state, func.count(m.Errand.id)).where(m.Errand.state.in_(("stuck", "by_hand")))
    rows = work.session.execute(query.group_by(m.Errand.state)).all()
    counts = {row[0]: row[1] for row in rows}
    return {"health": health.work(work), "stuck": counts.get("stuck", 0), "by_hand": counts.get("by_hand", 0)}


def counts(work: Work) -> dict[str, int]:
    """The numbers on the rail."""
    waiting = work.session.scalar(
        select(func.count(m.Sighting.id)).where(clues.scope(work), m.Sighting.state == "waiting")
    ) or 0  # fmt: skip
    open_ = issues.Filter(states=lifecycle.OPEN)
    mine = [row for row in clues.requests(work) if row["decide"]]
    alarms = banners(work)
    return {
        "inbox": waiting + issues.count(work, issues.Filter(states=("reported",))),
        "late": issues.count(work, replace(open_, overdue=True)),
        "accept": issues.count(work, issues.Filter(states=("rectified", "verified"))),
        "requests": len(mine), "deliveries": alarms["stuck"] + alarms["by_hand"], "stuck": alarms["stuck"],
    }  # fmt: skip


# --- lists and surroundings ----------------------------------------------------------------------------------


def issue_rows(work: Work, chosen: issues.Filter) -> tuple[list[dict[str, Any]], bool]:
    """One page of the issue list, each with the clock that presses most."""
    found, more = issues.rows(work, chosen)
    clocks = clockwords.of_issues(work, [issue.id for issue in found])
    rows = []
    for issue in found:
        read = [clockwords.full(work, clock) for clock in clocks.get(issue.id, [])]
        live = issue.state in lifecycle.OPEN
        unit = work.place.units.get(issue.lead_unit or "")
        rows.append({
            "href": f"/desk/issues/{issue.number}", "number": issue.number, "kind": issue.kind, "state": issue.state,
            "title": PROBLEMS[issue.kind].zh, "place": place_words(work, issue) or "位置不清",
            "unit": unit.name if unit else "", "turn": issues.turn(issue, unit.name if unit else None),
            "clock": row_view(most_urgent(read)) if live else None, "flags": flag_marks(issue),
            "opened": shown(issue.opened_at), "ended": shown(issue.ended_at),
        })  # fmt: skip
    return rows, more


def flag_marks(issue: m.Issue) -> list[dict[str, Any]]:
    """The flags beside a state, as the flag macro takes them."""
    names = {"recurrence": "recurring", "relapse": "relapse_of"}
    marks = [{"code": names.get(code, code), "zh": zh} for code, zh in issues.flags(issue).items()]
    if issue.round > 1:
        marks.append({"code": "round", "zh": f"第 {issue.round} 轮"})
    return marks


def strip_marks(work: Work, chosen: issues.Filter | None = None, only: str | None = None) -> list[dict[str, Any]]:
    """Issues as marks of the river strip; open ones where nothing is chosen."""
    found, _ = issues.rows(work, chosen or issues.Filter(states=lifecycle.OPEN, size=300))
    late = set(work.session.scalars(select(m.Issue.id).where(issues.overdue_now(work.now))))
    return [_mark(work, issue, issue.id in late) for issue in found
            if issue.chainage_m is not None and (only is None or issue.number == only)]  # fmt: skip


def _mark(work: Work, issue: m.Issue, late: bool) -> dict[str, Any]:
    return {
        "chainage_m": issue.chainage_m, "bank": issue.bank or "middle", "state": issue.state,
        "late": late and issue.state in lifecycle.OPEN, "href": f"/desk/issues/{issue.number}",
        "label": f"{PROBLEMS[issue.kind].zh} {place_words(work, issue)} {lifecycle.STATES[issue.state]}",
    }  # fmt: skip


def before_here(work: Work, kind: str, chainage_m: float | None, but: str | None = None) -> dict[str, Any] | None:
    """Issues of a kind along 200 m of the river in the last 90 days."""
    if chainage_m is None:
        return None
    low, high = chainage_m - NEIGHBOUR_M, chainage_m + NEIGHBOUR_M
    query = select(m.Issue).where(
        issues.scope(work.actor), m.Issue.kind == kind, m.Issue.chainage_m.between(low, high),
        m.Issue.opened_at > work.now - timedelta(days=BEFORE_DAYS), m.Issue.number != (but or ""),
    ).order_by(m.Issue.id)  # fmt: skip
    found = list(work.session.scalars(query))
    length_m = work.place.river.length_m if work.place.river else high
    return {
        "total": len(found), "closed": sum(1 for issue in found if issue.state == "closed"),
        "marks": [_mark(work, issue, False) for issue in found], "stretch": (max(low, 0.0), min(high, length_m)),
    }  # fmt: skip


def unit_words(work: Work, code: str | None) -> str:
    """在办 3 件，近 90 天按期 9/9: how a unit stands."""
    if not code:
        return ""
    open_ = issues.count(work, issues.Filter(states=lifecycle.OPEN, unit=code))
    since = work.now - timedelta(days=BEFORE_DAYS)
    states = list(
        work.session.scalars(
            select(m.Clock.state).join(m.Issue, m.Issue.id == m.Clock.issue_id).where(
                m.Issue.lead_unit == code, m.Issue.ended_at > since, m.Clock.name == "rectify",
                m.Clock.state.in_(("met", "met_late", "missed")),
            )
        )
    )  # fmt: skip
    met = sum(1 for state in states if state == "met")
    return f"在办 {open_} 件，近 90 天按期 {met}/{len(states)}"


# --- deliveries ----------------------------------------------------------------------------------------------


def deliveries(work: Work, state: str = "", page: int = 1) -> tuple[list[dict[str, Any]], bool]:
    """The delivery log, newest first; stuck and by-hand ones of every age come before the others."""
    query = (
        select(m.Errand, m.Issue.number)
        .outerjoin(m.Issue, m.Issue.id == m.Errand.issue_id).where(m.Errand.group.is_not(None))
    )  # fmt: skip
    if state:
        query = query.where(m.Errand.state == state)
    first = m.Errand.state.in_(("stuck", "by_hand")).desc()
    found = work.session.execute(query.order_by(first, m.Errand.id.desc()).offset((page - 1) * PAGE).limit(PAGE + 1))
    pushing = set(
        work.session.scalars(select(m.Clock.issue_id).where(m.Clock.name == "push", m.Clock.state == "running"))
    )
    rows = [_delivery(work, errand, number, errand.issue_id in pushing) for errand, number in found]
    return rows[:PAGE], len(rows) > PAGE


def _delivery(work: Work, errand: m.Errand, number: str | None, pushing: bool) -> dict[str, Any]:
    row = issues.delivery_row(errand)
    slip = work.session.get(m.Slip, errand.slip_id) if errand.slip_id else None
    return row | {
        "card_zh": CARDS.get(row["card"], row["card"]), "group_zh": group_words(work, errand.group),
        "state_zh": ERRAND_STATES.get(errand.state, errand.state), "issue": number, "pushing": pushing,
        "slip": slip.printed_number if slip else None, "due_at": shown(errand.due_at),
        "by_person": bool((errand.answer or {}).get("by_hand")), "assignment": row["card"] == "assignment",
    }  # fmt: skip


def group_words(work: Work, group: str | None) -> str:
    """A robot group as people call it."""
    if group and group.startswith("unit:"):
        unit = work.place.units.get(group.removeprefix("unit:"))
        return f"{unit.name}群" if unit else group
    return GROUPS.get(group or "", group or "")


def robots(work: Work) -> list[dict[str, Any]]:
    """Every group that hears of things: whether it has a robot, and whether that robot rests. Never an address."""
    health_of = {row.group: row for row in work.session.scalars(select(m.Channel))}
    names = ["chiefs", "office", "fishing", *(f"unit:{code}" for code, unit in work.place.units.items()
                                              if unit.reach == "robot")]  # fmt: skip
    rows = []
    for name in names:
        robot, state = work.station.robots.get(name), health_of.get(name)
        words, tone = ("有机器人", "ok") if robot else ("没有机器人，由人贴", "")
        if robot and state is not None and state.stopped:
            words, tone = f"机器人停了：{state.why}", "late"
        elif robot and state is not None and state.rests_until and state.rests_until > work.now:
            words, tone = f"机器人歇到 {_clock_of(shown(state.rests_until))}：{state.why}", "soon"
        rows.append({"zh": group_words(work, name), "words": words, "tone": tone})
    return rows


# --- people --------------------------------------------------------------------------------------------------


def persons(work: Work) -> list[dict[str, Any]]:
    """Everybody with a way in, and in which roles."""
    roles: dict[int, set[str]] = {}
    units: dict[int, set[str]] = {}
    for account in work.session.scalars(select(m.Account).where(m.Account.active)):
        roles.setdefault(account.person_id, set()).update(account.roles)
        units.setdefault(account.person_id, set()).update(filter(None, [account.unit]))
    for token in work.session.scalars(select(m.Token).where(m.Token.revoked_at.is_(None))):
        roles.setdefault(token.person_id, set()).add(token.role)
        units.setdefault(token.person_id, set()).update(filter(None, [token.unit]))
    rows = []
    for person in work.session.scalars(select(m.Person).order_by(m.Person.id)):
        mine = roles.get(person.id, set())
        rows.append({
            "id": person.id, "name": person.name, "roles": sorted(mine),
            "roles_zh": [rights.ROLES[role].zh for role in rights.ROLES if role in mine],
            "units_zh": [work.place.units[code].name for code in sorted(units.get(person.id, ()))
                         if code in work.place.units],
        })  # fmt: skip
    return rows


def delegations(work: Work) -> list[dict[str, Any]]:
    """Acting heads, now and to come, then those that have ended this month."""
    today = work.now.astimezone(SHANGHAI).date()
    query = select(m.Delegation).where(m.Delegation.to_on >= today - timedelta(days=31)).order_by(m.Delegation.from_on)
    names = {row.id: row.name for row in work.session.scalars(select(m.Person))}
    return [
        {
            "to": names.get(row.to_id, ""), "by": names.get(row.by_id, ""), "from_on": row.from_on.isoformat(),
            "to_on": row.to_on.isoformat(), "now": row.from_on <= today <= row.to_on, "over": row.to_on < today,
        }
        for row in work.session.scalars(query)
    ]  # fmt: skip
