"""What one person owes now, soonest due first: the cards of the phone. One job an issue, cut as everywhere.

A reported issue has no time on its card: the work view sees clocks from the first slip on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select

from patrol import models as m
from patrol.queries import clockwords, issues
from patrol.queries.clockview import clock_view
from patrol.queries.words import place_words
from patrol.rules import lifecycle
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

UNTIMED = timedelta(hours=2)  # where a job without a visible time stands among the others
MOST = 200
GRID, UNIT, OFFICE = ("grid",), ("unit",), ("office", "office_head", "chief")
BANKS = {"left": "左岸", "right": "右岸", "middle": "河中"}


@dataclass(frozen=True)
class Job:
    """What is owed: the step that does it (None: wait), its button, its clock, a word before the kind."""

    code: str
    step: str | None
    zh: str
    icon: str = ""
    clock: str = ""
    prefix: str = ""


JOBS: dict[str, Job] = {
    job.code: job
    for job in (
        Job("check", "check", "去核实", "ui-go", prefix="核实："),
        Job("on_site", "supervise", "去现场", "ui-go", "on_site"),
        Job("receive", "receive", "签收", "ui-paper", "receive"),
        Job("rectify", "submit", "拍整改后，报验", "ui-camera", "rectify"),
        Job("assist", "progress", "报进展", "ui-camera", "rectify", prefix="协办："),
        Job("wait", None, "等网格员到场核实", "", "rectify"),
        Job("paused", None, "挂账中", "", "rectify"),
        Job("confirm", "supervise", "看照片，确认", "ui-check", "rectify", prefix="确认督办："),
        Job("accept", "verify", "去验收", "ui-accept", "accept", prefix="验收："),
        Job("close", "close", "销号", "ui-check", "close", prefix="销号："),
    )
}


@dataclass(frozen=True)
class Known:
    """What decides a job beyond the issue's own row."""

    receive_live: bool = False
    on_site_red: bool = False
    checked: bool = False
    own_report: bool = False


def job_of(work: Work, issue: m.Issue, known: Known) -> Job | None:
    """The one job this person has with this issue, or None."""
    for roles, find in ((GRID, _of_grid), (UNIT, _of_unit), (OFFICE, _of_office)):
        if work.actor.has(*roles):
            code = find(work, issue, known)
            if code is not None:
                return JOBS[code]
    return None


def _of_grid(work: Work, issue: m.Issue, known: Known) -> str | None:
    grids = work.actor.grids
    if grids is not None and issue.grid not in grids:
        return None
    if issue.state == "reported":
        return None if known.checked or known.own_report else "check"
    if issue.state == "assigned" and not issue.half1:
        return "on_site"
    unit = work.place.units.get(issue.lead_unit or "")
    if issue.state == "supervised" and unit is not None and (unit.reach == "paper" or unit.is_office):
        return "paused" if "suspended" in issue.flags else "rectify"
    return None


def _of_unit(work: Work, issue: m.Issue, known: Known) -> str | None:
    own = work.actor.unit is not None and issue.lead_unit == work.actor.unit
    if not own:
        return "assist" if issue.state == "supervised" and work.actor.unit in issue.assisting else None
    if issue.state not in ("assigned", "supervised"):
        return None
    if "suspended" in issue.flags:
        return "paused"
    if issue.state == "supervised":
        return "rectify"
    if known.receive_live:
        return "receive"
    return "rectify" if known.on_site_red else "wait"


def _of_office(work: Work, issue: m.Issue, known: Known) -> str | None:
    actor = work.actor
    unit = work.place.units.get(issue.lead_unit or "")
    by_chief = bool(unit and unit.is_office)  # the office's own work is accepted and closed by a chief
    if issue.state == "assigned" and issue.half1 and not issue.half2 and actor.has("office", "office_head"):
        return "confirm"
    if issue.state == "rectified" and actor.person_id != issue.submitter_id:
        return "accept" if actor.has(*(("chief",) if by_chief else ("office", "office_head"))) else None
    if issue.state == "verified" and actor.person_id != issue.verifier_id:
        return "close" if actor.has("chief" if by_chief else "office_head") else None
    return None


def mine(work: Work) -> list[dict[str, Any]]:
    """The tasks of the actor, by what is left of the clock that presses."""
    query = select(m.Issue).where(issues.scope(work.actor), _candidate(work)).order_by(m.Issue.id).limit(2000)
    rows = list(work.session.scalars(query))
    clocks = clockwords.of_issues(work, [issue.id for issue in rows])
    facts = _known(work, rows, clocks)
    found = []
    for issue in rows:
        job = job_of(work, issue, facts[issue.id])
        if job is not None:
            found.append(_task(work, issue, job, clocks.get(issue.id, [])))
    return sorted(found, key=lambda task: (task["sort"], task["issue"]))[:MOST]


def job_now(work: Work, issue: m.Issue) -> Job | None:
    """The job the actor has with one issue."""
    if issue.state not in lifecycle.OPEN:
        return None
    clocks = clockwords.of_issues(work, [issue.id])
    return job_of(work, issue, _known(work, [issue], clocks)[issue.id])


def _candidate(work: Work) -> Any:
    """Narrow in the database to the states some job of these roles exists for."""
    states: set[str] = set()
    if work.actor.has("grid"):
        states |= {"reported", "assigned", "supervised"}
    if work.actor.has("unit"):
        states |= {"assigned", "supervised"}
    parts: list[Any] = [m.Issue.state.in_(sorted(states))]
    if work.actor.has(*OFFICE):
        parts.append(m.Issue.state.in_(("rectified", "verified")))
        parts.append(and_(m.Issue.state == "assigned", m.Issue.half1.is_not(None), m.Issue.half2.is_(False)))
    return or_(*parts)


def _known(work: Work, rows: Iterable[m.Issue], clocks: dict[int, list[m.Clock]]) -> dict[int, Known]:
    ids = [issue.id for issue in rows]
    reported = [issue.id for issue in rows if issue.state == "reported"]
    checked = set(work.session.scalars(
        select(m.Trail.issue_id).where(m.Trail.issue_id.in_(reported), m.Trail.event == "checked")
    ))  # fmt: skip
    own = set(work.session.scalars(
        select(m.Sighting.issue_id).where(
            m.Sighting.issue_id.in_(reported), m.Sighting.person_id == work.actor.person_id,
            m.Sighting.person_id.is_not(None))
    ))  # fmt: skip
    found = {}
    for each in ids:
        of = clocks.get(each, [])
        found[each] = Known(
            receive_live=any(c.name == "receive" and c.state in ("running", "paused") for c in of),
            on_site_red=any(c.name == "on_site" and c.state == "running" and _past(c, work.now) for c in of),
            checked=each in checked, own_report=each in own,
        )  # fmt: skip
    return found


def _past(clock: m.Clock, now: datetime) -> bool:
    return clock.due_at is not None and clock.due_at <= now


def _task(work: Work, issue: m.Issue, job: Job, clocks: list[m.Clock]) -> dict[str, Any]:
    pressing = [clock for clock in clocks if clock.name == job.clock]
    row = clockwords.full(work, pressing[-1]) if pressing else None
    late = row is not None and row["status"] == "late"
    return {
        "issue": issue.number, "kind": issue.kind, "title": job.prefix + PROBLEMS[issue.kind].zh, "job": job,
        "place": place_words(work, issue) or "位置待核实", "plain": plain_place(issue), "state": issue.state,
        "chainage_m": issue.chainage_m, "bank": issue.bank or "middle", "lon": issue.lon, "lat": issue.lat,
        "clock": clock_view(row) if row is not None else None, "late": late,
        "flags": [code for code in lifecycle.FLAGS if code in issue.flags and code != "overdue"],
        "href": f"/phone/issues/{issue.number}", "sort": _sort(work, row, job),
    }  # fmt: skip


def plain_place(issue: m.Issue) -> str:
    """左岸 1240 米处: the place for those who do not read chainage."""
    if issue.chainage_m is None:
        return issue.place_words or "位置待核实"
    return f"{BANKS.get(issue.bank or '', '')} {round(issue.chainage_m)} 米处".strip()


def _sort(work: Work, row: dict[str, Any] | None, job: Job) -> tuple[int, str]:
    if row is None:
        return 0, (work.now + UNTIMED).astimezone(work.now.tzinfo).isoformat()
    if row["status"] == "paused" or not row["due_at"]:
        return 1, row["due_at"] or "9"
    due = datetime.fromisoformat(row["due_at"]).astimezone(work.now.tzinfo)
    return (1 if job.step is None and row["status"] != "late" else 0), due.isoformat()
