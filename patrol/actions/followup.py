"""What time does: ladders climb, clues expire, silence counts as receipt, suspensions end, requests climb.

Workers only notify: what is due follows from marks, policy, calendar and now, so after a dead day the same
lines are written, each once, stamped with the time they were due.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, func, select

from patrol import models as m
from patrol.actions import clocks
from patrol.rules import clocks as law
from patrol.rules import lifecycle
from patrol.station import LADDER, SYSTEM, Station, Work

BATCH = 250  # a tenth of a second: so long a report may have to wait for SQLite's one writer
ANCHOR_EVERY = timedelta(hours=1)
ANCHORED = "anchors.jsonl"
_suspects: WeakKeyDictionary[Engine, list[int]] = WeakKeyDictionary()


def sweep(station: Station) -> int:
    """Everything that time has brought about by now; returns how many things moved."""
    with station.look(LADDER) as look:
        first = {deed: look.session.scalar(query) for deed, query in _FIRST_DUE.items()}
    owed = [deed for deed, at in first.items() if at is not None and at <= look.now]
    moved = 0
    for deed in owed:  # a second with nothing due takes no writer's lock
        while True:
            with station.work(LADDER) as work:
                count = deed(work)
            moved += count
            if count < BATCH:
                break
    return moved + _try_suspect(station)


def _try_suspect(station: Station) -> int:
    """One clock that broke a sweep gets a transaction of its own, after everybody else has had theirs."""
    suspects = _suspects.get(station.engine)
    if not suspects:
        return 0
    suspect = suspects.pop(0)  # put back at the end of the queue if it breaks again
    with station.work(LADDER) as work:
        return fire(work, suspect)


def fire(work: Work, only: int | None = None) -> int:
    """Tell every rung that is due, each once; or those of one clock.

    A clock that raises takes its batch back with it. It is remembered, so that the next sweep leaves it out.
    """
    suspects = _suspects.setdefault(work.station.engine, [])
    which = m.Clock.id.not_in(suspects) if only is None else m.Clock.id == only
    owed = select(m.Clock.id, m.Clock.issue_id).where(m.Clock.next_at <= work.now, which)
    due = work.session.execute(owed.order_by(m.Clock.next_at).limit(BATCH)).all()
    if not due:
        return 0
    issues = _hold(work, {issue_id for _, issue_id in due if issue_id is not None})
    ids = [clock_id for clock_id, issue_id in due if issue_id is None or issue_id in issues]
    query = select(m.Clock).where(m.Clock.id.in_(ids), m.Clock.next_at <= work.now)
    if work.dialect == "postgresql":
        query = query.with_for_update(skip_locked=True)  # a clue's clock hangs on no issue's lock
    rows = work.session.scalars(query.order_by(m.Clock.next_at, m.Clock.id).execution_options(populate_existing=True))
    count, at_hand = 0, 0
    try:
        for clock in rows.all():
            at_hand = clock.id
            _fire_one(work, clock, issues.get(clock.issue_id or 0))
            count, at_hand = count + 1, 0
    finally:
        if at_hand:
            suspects.append(at_hand)
    return count


def _hold(work: Work, ids: Iterable[int]) -> dict[int, m.Issue]:
    """The issues' rows, held in one order; those somebody else holds right now wait for the next sweep."""
    query = select(m.Issue).where(m.Issue.id.in_(sorted(ids))).order_by(m.Issue.id)
    if work.dialect == "postgresql":
        query = query.with_for_update(skip_locked=True)
    return {issue.id: issue for issue in work.session.scalars(query)}


def _fire_one(work: Work, clock: m.Clock, issue: m.Issue | None) -> None:
    if clock.name == "receive" and issue is not None and _silence_is_receipt(work, clock, issue):
        return
    marks = clocks.marks_of(clock)
    calendar = work.calendar_of(clock.calendar)
    owed = law.rungs_due(marks, calendar, work.now, clock.fired)
    for index, (rung, due_at) in enumerate(owed, clock.fired):
        _tell(work, clock, issue, rung.code, due_at)
        if index >= law.PRESSES_FROM and issue is not None and "pressed" not in issue.flags:
            issue.flags = {**issue.flags, "pressed": {"by": "ladder", "clock": clock.name}}
        clock.fired = index + 1
    clocks.climbed(work, clock, marks)


def _tell(work: Work, clock: m.Clock, issue: m.Issue | None, rung: str, due_at: datetime) -> None:
    facts: dict[str, Any] = {
        "clock": clock.name, "clock_id": clock.id, "instance": clock.instance, "due_at": due_at.isoformat(),
    }  # fmt: skip
    if clock.sighting_id is not None:
        sighting = work.session.get(m.Sighting, clock.sighting_id)
        if sighting is not None:
            facts |= {"kind": sighting.kind, "chainage_m": sighting.chainage_m, "bank": sighting.bank}
        work.tell(rung, subject=f"clue:{clock.sighting_id}", **facts)
        return
    if clock.request_id is not None:
        request = work.session.get(m.Request, clock.request_id)
        if request is None:
            return
        held = work.session.get(m.Issue, request.issue_id, with_for_update=work.dialect == "postgresql")
        if rung == "red" and request.rung + 1 < len(lifecycle.APPROVALS[request.approval].rungs):
            request.rung += 1
            work.tell("climbed", held, request=request.id, step=request.step, **facts)
            return
        work.tell(rung, held, request=request.id, step=request.step, **facts)
        return
    work.tell(rung, issue, **facts)


def _silence_is_receipt(work: Work, clock: m.Clock, issue: m.Issue) -> bool:
    """An account or robot unit that says nothing in time counts as having received; paper never does."""
    unit = work.place.units.get(issue.lead_unit or "")
    if unit is None or unit.reach == "paper" or clock.due_at is None or clock.due_at > work.now:
        return False
    due = clock.due_at
    clocks.stop(work, clock, at=due, why="视同签收")
    issue.flags = {**issue.flags, "deemed_received": due.isoformat()}
    work.tell("received", issue, by="silence", at=due.isoformat())
    return True


def expire_clues(work: Work) -> int:
    """Machine clues nobody reviewed in time: listed and counted, never joined."""
    work.only_one("expire_clues")
    query = select(m.Sighting).where(m.Sighting.state == "waiting", m.Sighting.expires_at <= work.now)
    rows = list(work.session.scalars(query.order_by(m.Sighting.id).limit(BATCH)))
    for sighting in rows:
        work.only_one(f"clue:{sighting.id}")  # the same lock a reviewer takes
        work.session.refresh(sighting)
        if sighting.state != "waiting":
            continue
        sighting.state, sighting.why = "expired", f"expired:{sighting.why}"[:32]
        stop_review(work, sighting, "closed")
        work.tell("clue_expired", subject=f"clue:{sighting.id}", kind=sighting.kind)
    return len(rows)


def stop_review(work: Work, sighting: m.Sighting, end: law.End = "done") -> None:
    for clock in work.session.scalars(select(m.Clock).where(m.Clock.sighting_id == sighting.id)):
        if clock.state in clocks.LIVE:
            clocks.stop(work, clock, end)


def end_suspensions(work: Work) -> int:
    """A suspension ends by itself at its review date unless it was renewed."""
    over = select(m.Issue.id).where(m.Issue.suspended_until <= work.now).limit(BATCH)
    issues = _hold(work, work.session.scalars(over).all())
    for issue in issues.values():
        if issue.suspended_until is None or issue.suspended_until > work.now:
            continue  # ended or renewed while we came to the lock
        issue.suspended_until = None
        issue.flags = {name: value for name, value in issue.flags.items() if name != "suspended"}
        clocks.refresh_all(work, [clock for clock in clocks.of(work, issue) if clock.state in clocks.LIVE])
        work.tell("resumed", issue, moves=True, by="review date")
    return len(issues)


_FIRST_DUE = {
    fire: select(func.min(m.Clock.next_at)),
    expire_clues: select(func.min(m.Sighting.expires_at)).where(m.Sighting.state == "waiting"),
    end_suspensions: select(func.min(m.Issue.suspended_until)),
}


def anchor(station: Station) -> bool:
    """Once an hour: every head that moved goes to a file outside the database, the sum to the office.

    The file is written first: a kill in between repeats lines there, it never leaves one out. False: not due.
    """
    with station.look(SYSTEM) as look:
        if not _anchor_due(look):
            return False
        heads, moved = _heads(look), _moved(look)
    path = station.settings.data / "anchors.jsonl"
    with path.open("a", encoding="utf-8") as file:
        for issue_id, seq, head in moved:
            line = {"subject": f"issue:{issue_id}", "seq": seq, "head": head, "at": look.now.isoformat()}
            file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())
    with station.work(SYSTEM) as work:
        work.only_one("anchor")
        if not _anchor_due(work):
            return False
        total = law_digest([[f"issue:{i}", seq, head] for i, seq, head in heads])
        for i, seq, head in moved:
            kept = m.Anchor(subject=f"issue:{i}", seq=seq, head=head, at=work.now, where=ANCHORED)
            work.session.add(kept)
        work.tell("anchored", subject="anchors", words=f"{len(heads)} 件，校验 {total[:16]}", digest=total)
    return True


def _anchor_due(work: Work) -> bool:
    """Whether the last anchor is an hour old and some head has moved since."""
    last = work.session.scalar(select(func.max(m.Trail.at)).where(m.Trail.subject == "anchors"))
    return (last is None or work.now - last >= ANCHOR_EVERY) and bool(_moved(work))


def _heads(work: Work) -> list[tuple[int, int, str]]:
    query = select(m.Issue.id, m.Issue.trail_seq, m.Issue.trail_head).order_by(m.Issue.id)
    return [(i, seq, head) for i, seq, head in work.session.execute(query)]


def _moved(work: Work) -> list[tuple[int, int, str]]:
    """The heads beyond what is written in the anchor file."""
    seq = func.max(m.Anchor.seq)
    query = select(m.Anchor.subject, seq).where(m.Anchor.where == ANCHORED).group_by(m.Anchor.subject)
    known = {row[0]: row[1] for row in work.session.execute(query)}
    return [row for row in _heads(work) if row[1] > known.get(f"issue:{row[0]}", 0)]


def law_digest(value: object) -> str:
    """A digest of plain values in canonical form."""
    return hashlib.sha256(m.canonical(value)).hexdigest()
