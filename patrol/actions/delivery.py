"""Errands: what is owed to the outside, run at least once, each idempotent. The only file that speaks to robots.

An errand runs in three parts: claim (lease, tries + 1), the outside call with no transaction open, then done or
due again by the ladder, and at its end `stuck`: shown and told. `push` stops only by an acknowledgement.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import and_, delete, func, or_, select, update

from patrol import models as m
from patrol.actions import clocks, slips
from patrol.actions.notices import card_of
from patrol.errors import Missing, OutOfReach, PatrolError
from patrol.gateways.cards import Card, Message, compose, numbered
from patrol.gateways.pace import CALL_LIMIT_S, MAX_TRIES, RETRY_LADDER_S, Pace, retry_in_s
from patrol.rules.problems import PROBLEMS
from patrol.station import SYSTEM, Station, Work

LEASE = timedelta(seconds=3 * CALL_LIMIT_S)
BATCH = 20
KEEP_SENDS = timedelta(hours=1)
log = structlog.get_logger("patrol.delivery")


@dataclass
class Plan:
    """What one claim decided to send to one group: messages, and which errands each carries."""

    group: str
    claim: str
    messages: list[Message]
    errands: dict[str, int]  # card key -> errand id
    acked: dict[str, int] = field(default_factory=dict)


def due_groups(work: Work) -> list[str | None]:
    """The groups (None: worker jobs) that have something due now."""
    rows = work.session.scalars(
        select(m.Errand.group).where(_claimable(work.now)).distinct().order_by(m.Errand.group)
    )
    return list(rows)


def _claimable(now: datetime) -> Any:
    lapsed = and_(m.Errand.state == "claimed", m.Errand.lease_until <= now)
    return or_(and_(m.Errand.state == "due", m.Errand.due_at <= now), lapsed)


def run_due(station: Station) -> int:
    """Run everything that is due and may go now; returns how many errands were tried."""
    with station.look(SYSTEM) as look:
        groups = due_groups(look)
    tried = 0
    for group in groups:
        tried += run_jobs(station) if group is None else run_group(station, group)
    return tried


def run_group(station: Station, group: str) -> int:
    """Claim what one group is owed, send it in as few messages as the pace allows, settle."""
    with station.work(SYSTEM) as work:
        plan = _claim(work, group)
    if plan is None or not plan.messages:
        return 0
    robot = station.robots.get(group)
    if robot is None:
        raise Missing(f"群 {group} 没有机器人。")
    failure: OutOfReach | None = None
    sent: set[int] = set()
    for index, message in enumerate(plan.messages):
        try:
            robot.send(message, now=station.now())
        except OutOfReach as error:
            failure = error
            log.warning("robot_out_of_reach", group=group, code=error.code)
            break
        sent.add(index)
    with station.work(SYSTEM) as work:
        _settle(work, plan, sent, failure)
    return len(plan.errands)


def _claim(work: Work, group: str) -> Plan | None:
    work.only_one(f"robot:{group}")
    channel = work.session.get(m.Channel, group)
    if channel is not None and (channel.stopped or (channel.rests_until and channel.rests_until > work.now)):
        if channel.stopped:
            _hold_stopped(work, group, channel)
        return None
    rows = list(
        work.session.scalars(
            select(m.Errand).where(m.Errand.group == group, _claimable(work.now))
            .order_by(m.Errand.urgent.desc(), m.Errand.id).limit(BATCH)
        )
    )  # fmt: skip
    if not rows:
        return None
    robot = work.station.robots.get(group)
    if robot is None:
        for errand in rows:
            errand.state = "by_hand"
        return None
    room = _room(work, group)
    if room <= 0:
        return None
    cards = {str(errand.id): numbered(_card(work, errand), errand.pushes + 1) for errand in rows}
    messages = compose(list(cards.values()), robot.brand)[:room]
    carried = {key for message in messages for key in message.keys}
    # a card that runs over into a message there is no room for waits whole
    beyond = {key for message in compose(list(cards.values()), robot.brand)[room:] for key in message.keys}
    whole = [errand for errand in rows if str(errand.id) in carried - beyond]
    if len(whole) < len(rows):
        messages = compose([cards[str(errand.id)] for errand in whole], robot.brand)[:room] if whole else []
    claim = str(uuid.uuid4())
    for errand in whole:
        errand.state, errand.claim, errand.lease_until = "claimed", claim, work.now + LEASE
        errand.tries += 1
        errand.pushes += 1
    for _ in messages:
        work.session.add(m.Send(group=group, at=work.now))
    return Plan(group, claim, messages, {str(errand.id): errand.id for errand in whole})


def _card(work: Work, errand: m.Errand) -> Card:
    return card_of(work, errand)


def _room(work: Work, group: str) -> int:
    """How many messages the pace lets this robot send now."""
    pace = Pace(work.settings.robot_pace)
    since = work.now - timedelta(seconds=pace.window_s)
    sent = list(work.session.scalars(select(m.Send.at).where(m.Send.group == group, m.Send.at > since)))
    channel = work.session.get(m.Channel, group)
    limited_at = channel.rests_until if channel and channel.why == "limited" else None
    room = 0
    while room < BATCH and pace.allow(work.now, [*sent, *([work.now] * room)], limited_at):
        room += 1
    return room


def _settle(work: Work, plan: Plan, sent: set[int], failure: OutOfReach | None) -> None:
    lost = {key for index, message in enumerate(plan.messages) if index not in sent for key in message.keys}
    ids = list(plan.errands.values())
    rows = work.session.scalars(select(m.Errand).where(m.Errand.id.in_(ids), m.Errand.claim == plan.claim))
    for errand in rows.all():
        if str(errand.id) not in lost:
            errand.state, errand.done_at, errand.lease_until = "done", work.now, None
            errand.answer, errand.last_error = {"code": 0}, ""
            _delivered(work, errand)
        else:
            _failed(work, errand, failure)
    if failure is not None:
        _rest(work, plan.group, failure)


def _failed(work: Work, errand: m.Errand, failure: OutOfReach | None) -> None:
    errand.claim = errand.lease_until = None
    if failure is None:
        errand.state, errand.due_at = "due", work.now
        return
    errand.last_error = failure.sentence[:500]
    wait = retry_in_s(errand.tries, failure)
    if wait is None:
        _stick(work, errand)
    else:
        errand.state, errand.due_at = "due", work.now + timedelta(seconds=wait)


def _stick(work: Work, errand: m.Errand) -> None:
    errand.state = "stuck"
    if errand.handler == "card:stuck":
        return  # the alarm about a stuck errand does not raise one about itself
    issue = work.session.get(m.Issue, errand.issue_id) if errand.issue_id else None
    if issue is not None:
        work.session.refresh(issue, with_for_update=True)
    work.tell("errand_stuck", issue, errand=errand.id, group=errand.group, card=errand.handler,
              tries=errand.tries, why=errand.last_error)  # fmt: skip


def _rest(work: Work, group: str, failure: OutOfReach) -> None:
    channel = work.session.get(m.Channel, group)
    if channel is None:
        channel = m.Channel(group=group, stopped=False, why="")
        work.session.add(channel)
    if failure.facts.get("stop"):
        channel.stopped, channel.why = True, failure.sentence[:200]
    elif failure.facts.get("wait_s"):
        channel.rests_until = work.now + timedelta(seconds=int(failure.facts["wait_s"]))
        channel.why = "limited"


def _hold_stopped(work: Work, group: str, channel: m.Channel) -> None:
    """A stopped channel sends nothing: what is owed becomes stuck, where people see it."""
    query = select(m.Errand).where(m.Errand.group == group, _claimable(work.now)).limit(BATCH)
    for errand in work.session.scalars(query).all():
        errand.last_error, errand.claim, errand.lease_until = channel.why, None, None
        _stick(work, errand)


def _delivered(work: Work, errand: m.Errand) -> None:
    """What an acknowledgement means for the issue: `push` stops, `receive` starts, the head is anchored."""
    issue = work.session.get(m.Issue, errand.issue_id) if errand.issue_id else None
    if issue is None:
        return
    work.session.refresh(issue, with_for_update=True)
    work.tell("delivered", issue, errand=errand.id, group=errand.group, card=errand.handler, push=errand.pushes)
    work.session.add(m.Anchor(subject=f"issue:{issue.id}", seq=issue.trail_seq, head=issue.trail_head, at=work.now,
                              where=f"push {errand.group}"[:32]))  # fmt: skip
    slip = work.session.get(m.Slip, errand.slip_id) if errand.slip_id else None
    if slip is None or slip.kind != "assignment":
        return
    if errand.group == "chiefs" and (push := clocks.live(work, issue, "push")):
        clocks.stop(work, push, why="机器人回执")
    if errand.group == f"unit:{issue.lead_unit}" and issue.state == "assigned" and not clocks.live(work, issue, "receive"):
        clocks.start(work, "receive", issue=issue, urgent=PROBLEMS[issue.kind].urgent)


# --- worker jobs -------------------------------------------------------------------------------------------

JOBS: dict[str, Callable[[Station, m.Errand], None]] = {}


def _job(name: str) -> Callable[[Callable[[Station, m.Errand], None]], Callable[[Station, m.Errand], None]]:
    def keep(run: Callable[[Station, m.Errand], None]) -> Callable[[Station, m.Errand], None]:
        JOBS[name] = run
        return run

    return keep


@_job("print")
def _print(station: Station, errand: m.Errand) -> None:
    if errand.slip_id is not None:
        slips.print_slip(station, errand.slip_id)


def run_jobs(station: Station) -> int:
    """Run the worker jobs that are due, one at a time."""
    done = 0
    while (errand := _claim_job(station)) is not None:
        run_errand(station, errand)
        done += 1
    return done


def _claim_job(station: Station) -> m.Errand | None:
    with station.work(SYSTEM) as work:
        query = select(m.Errand).where(m.Errand.group.is_(None), _claimable(work.now)).order_by(m.Errand.id).limit(1)
        if work.dialect == "postgresql":
            query = query.with_for_update(skip_locked=True)
        errand = work.session.scalar(query)
        if errand is None:
            return None
        errand.state, errand.claim, errand.lease_until = "claimed", str(uuid.uuid4()), work.now + 2 * LEASE
        errand.tries += 1
        return errand


def run_errand(station: Station, errand: m.Errand) -> None:
    """Run one claimed job. Whatever it raises parks the errand by the ladder; the others go on."""
    name = errand.handler.removeprefix("job:")
    try:
        JOBS[name](station, errand)
        error = ""
    except PatrolError as refused:
        error = refused.sentence
    except Exception as crash:  # one poisoned errand must not stop the rest; it is parked, shown and told
        log.exception("errand_failed", errand=errand.id, handler=errand.handler)
        error = f"{type(crash).__name__}"
    with station.work(SYSTEM) as work:
        row = work.session.get(m.Errand, errand.id)
        if row is None or row.claim != errand.claim:
            return
        row.claim = row.lease_until = None
        if not error:
            row.state, row.done_at, row.last_error = "done", work.now, ""
        elif row.tries >= min(MAX_TRIES, 5):
            row.last_error = error[:500]
            _stick(work, row)
        else:
            row.state, row.last_error = "due", error[:500]
            row.due_at = work.now + timedelta(seconds=RETRY_LADDER_S[row.tries])


# --- by hand, again, and tidying ---------------------------------------------------------------------------


def handed_over(work: Work, errand_id: int) -> m.Errand:
    """The office pasted a card into a group that has no robot. `push` goes on until confirm_push."""
    errand = _find(work, errand_id, "by_hand", "stuck", "due")
    errand.state, errand.done_at, errand.pushes = "done", work.now, errand.pushes + 1
    errand.answer = {"by_hand": work.actor.person_id}
    issue = work.session.get(m.Issue, errand.issue_id) if errand.issue_id else None
    if issue is not None:
        work.session.refresh(issue, with_for_update=True)
        work.tell("delivered", issue, errand=errand.id, group=errand.group, card=errand.handler, by_hand=True)
    return errand


def replay(work: Work, errand_id: int) -> m.Errand:
    """Try a stuck errand again, from the ladder's foot; a stopped channel is opened with it."""
    errand = _find(work, errand_id, "stuck")
    errand.state, errand.tries, errand.due_at, errand.last_error = "due", 0, work.now, ""
    channel = work.session.get(m.Channel, errand.group) if errand.group else None
    if channel is not None:
        channel.stopped, channel.rests_until, channel.why = False, None, ""
    work.owes = True
    work.tell("errand_replayed", subject=f"errand:{errand.id}", group=errand.group)
    return errand


def _find(work: Work, errand_id: int, *states: str) -> m.Errand:
    errand = work.session.get(m.Errand, errand_id)
    if errand is None or errand.state not in states:
        raise Missing("没有这件待推送，或已经办了。")
    return errand


def release_orphans(work: Work) -> int:
    """A lone worker has just started: whatever is still claimed was claimed by one that died."""
    rows = work.session.execute(
        update(m.Errand).where(m.Errand.state == "claimed").values(state="due", claim=None, lease_until=None)
    )
    return int(getattr(rows, "rowcount", 0))


def tidy(work: Work) -> None:
    """Forget sends that no pace looks at any more."""
    work.session.execute(delete(m.Send).where(m.Send.at < work.now - KEEP_SENDS))


def owed(work: Work) -> int:
    """How many errands are due now."""
    return work.session.scalar(select(func.count(m.Errand.id)).where(_claimable(work.now))) or 0


