"""One run for one group: claim what it is owed, say it in few messages, settle by the robot's receipts.

The only file that speaks to robots. Must not hold a transaction open while it does.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import OperationalError

from patrol import models as m
from patrol.actions import clocks
from patrol.actions.delivery.due import claimable, lease, served, stick
from patrol.actions.notices import card_of
from patrol.errors import Missing, OutOfReach
from patrol.gateways.cards import Message, compose, numbered
from patrol.gateways.pace import Pace, retry_in_s
from patrol.rules.problems import PROBLEMS
from patrol.station import SYSTEM, Station, Work

BATCH = 20
SETTLE_TRIES = 5
log = structlog.get_logger("patrol.delivery")


@dataclass
class Plan:
    """What one claim decided to send to one group: messages, and which errands each carries."""

    group: str
    claim: str
    messages: list[Message]
    errands: dict[str, int]  # card key -> errand id
    lease_until: datetime
    sends: list[m.Send] = field(default_factory=list)  # one a message, in order


@dataclass(frozen=True)
class Spoken:
    """How a plan fared: messages up to `arrived` have a receipt, those up to `called` were tried."""

    arrived: int
    called: int
    failure: OutOfReach | None = None

    def keys(self, plan: Plan, *, called: bool) -> set[str]:
        """The cards that are wholly within what arrived, or that some call was made for."""
        end = self.called if called else self.arrived
        touched = {key for message in plan.messages[:end] for key in message.keys}
        unsaid = {key for message in plan.messages[end:] for key in message.keys}
        return touched if called else touched - unsaid


def run_group(station: Station, group: str, stopping: Callable[[], bool] = lambda: False) -> int:
    """Claim what one group is owed, send it in as few messages as the pace allows, settle.

    `stopping` is asked between two messages: what has not been said then is due again at once.
    """
    with station.work(SYSTEM) as work:
        plan = _claim(work, group)
    if plan is None or not plan.messages:
        return 0
    spoken = _speak(station, plan, stopping)
    for tries_left in reversed(range(SETTLE_TRIES)):
        try:
            with station.work(SYSTEM) as work:
                _settle(work, plan, spoken)
            break
        except OperationalError as error:  # a deadlock, a lost connection: the receipt must not be forgotten
            log.warning("settle_again", group=group, error=type(error).__name__, tries_left=tries_left)
            if not tries_left:
                raise
    return len(plan.errands)


def _speak(station: Station, plan: Plan, stopping: Callable[[], bool]) -> Spoken:
    """Send the messages in order, until one fails, the lease runs out or the worker ends."""
    robot = station.robots.get(plan.group)
    if robot is None:
        raise Missing(f"群 {plan.group} 没有机器人。")
    for index, message in enumerate(plan.messages):
        if index and (stopping() or station.now() + timedelta(seconds=robot.limit_s) >= plan.lease_until):
            return Spoken(index, index)
        try:
            robot.send(message, now=station.now())
        except OutOfReach as error:
            log.warning("robot_out_of_reach", group=plan.group, code=error.code)
            return Spoken(index, index + 1, error)
    return Spoken(len(plan.messages), len(plan.messages))


def _claim(work: Work, group: str) -> Plan | None:
    work.only_one(f"robot:{group}")
    if served(work, group):
        return None
    channel = work.session.get(m.Channel, group)
    if channel is not None and (channel.stopped or (channel.rests_until and channel.rests_until > work.now)):
        if channel.stopped:
            _hold_stopped(work, group, channel)
        return None
    rows = list(
        work.session.scalars(
            select(m.Errand).where(m.Errand.group == group, claimable(work.now))
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
    cards = {str(errand.id): numbered(card_of(work, errand), errand.pushes + 1) for errand in rows}
    messages = compose(list(cards.values()), robot.brand)[:room]
    carried = {key for message in messages for key in message.keys}
    # a card that runs over into a message there is no room for waits whole
    beyond = {key for message in compose(list(cards.values()), robot.brand)[room:] for key in message.keys}
    whole = [errand for errand in rows if str(errand.id) in carried - beyond]
    if len(whole) < len(rows):
        messages = compose([cards[str(errand.id)] for errand in whole], robot.brand)[:room] if whole else []
    claim, lease_until = str(uuid.uuid4()), work.now + lease(work)
    for errand in whole:
        errand.state, errand.claim, errand.lease_until = "claimed", claim, lease_until
        errand.tries += 1
        errand.pushes += 1
    sends = [m.Send(group=group, at=work.now) for _ in messages]
    work.session.add_all(sends)
    return Plan(group, claim, messages, {str(errand.id): errand.id for errand in whole}, lease_until, sends)


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


def _settle(work: Work, plan: Plan, spoken: Spoken) -> None:
    arrived, called = spoken.keys(plan, called=False), spoken.keys(plan, called=True)
    for errand in _held(work, m.Errand.id.in_(plan.errands.values()), m.Errand.claim == plan.claim):
        errand.claim = errand.lease_until = None
        if str(errand.id) in arrived:
            errand.state, errand.done_at = "done", work.now
            errand.answer, errand.last_error = {"code": 0}, ""
            _delivered(work, errand)
        elif str(errand.id) in called:
            _failed(work, errand, spoken.failure)
        else:
            # nothing was said of it: neither a try nor a push; behind a robot that fails it waits a moment
            errand.tries, errand.pushes = errand.tries - 1, errand.pushes - 1
            wait_s = retry_in_s(1, spoken.failure) if spoken.failure else 0
            errand.state, errand.due_at = "due", work.now + timedelta(seconds=wait_s or 0)
    unsaid = [send.id for send in plan.sends[spoken.called :]]
    work.session.execute(delete(m.Send).where(m.Send.id.in_(unsaid)))
    if spoken.failure is not None:
        _rest(work, plan.group, spoken.failure)


def _held(work: Work, *which: Any) -> list[m.Errand]:
    """Errands with their issues locked in one order, so that two workers never wait for each other."""
    query = select(m.Errand).where(*which).order_by(m.Errand.issue_id.nulls_last(), m.Errand.id)
    rows = list(work.session.scalars(query))
    if work.dialect == "postgresql":
        ids = sorted({errand.issue_id for errand in rows if errand.issue_id})
        work.session.execute(select(m.Issue.id).where(m.Issue.id.in_(ids)).order_by(m.Issue.id).with_for_update())
    return rows


def _failed(work: Work, errand: m.Errand, failure: OutOfReach | None) -> None:
    if failure is None:  # part of a long card went out before the worker was stopped
        errand.state, errand.due_at = "due", work.now
        return
    errand.last_error = failure.sentence[:500]
    wait = retry_in_s(errand.tries, failure)
    if wait is None:
        stick(work, errand)
    else:
        errand.state, errand.due_at = "due", work.now + timedelta(seconds=wait)


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
    due = select(m.Errand.id).where(m.Errand.group == group, claimable(work.now)).limit(BATCH)
    for errand in _held(work, m.Errand.id.in_(list(work.session.scalars(due)))):
        errand.last_error, errand.claim, errand.lease_until = channel.why, None, None
        stick(work, errand)


def _delivered(work: Work, errand: m.Errand) -> None:
    """What an acknowledgement means for the issue: `push` stops, `receive` starts, the head is anchored."""
    issue = work.session.get(m.Issue, errand.issue_id) if errand.issue_id else None
    if issue is None:
        return
    work.session.refresh(issue, with_for_update=True)
    work.tell("delivered", issue, errand=errand.id, group=errand.group, card=errand.handler,
              push=errand.pushes)  # fmt: skip
    work.session.add(m.Anchor(subject=f"issue:{issue.id}", seq=issue.trail_seq, head=issue.trail_head,
                              at=work.now, where=f"push {errand.group}"[:32]))  # fmt: skip
    slip = work.session.get(m.Slip, errand.slip_id) if errand.slip_id else None
    if slip is None or slip.kind != "assignment":
        return
    if errand.group == "chiefs" and (push := clocks.live(work, issue, "push")):
        clocks.stop(work, push, why="机器人回执")
    theirs = errand.group == f"unit:{issue.lead_unit}" and issue.state == "assigned"
    if theirs and not clocks.live(work, issue, "receive"):
        clocks.start(work, "receive", issue=issue, urgent=PROBLEMS[issue.kind].urgent)
