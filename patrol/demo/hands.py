"""The many hands of the sample: teams, watches, classes, points, a reward, two years of counts. Invented, marked 样例."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.actions import goods, lessons, observing, payout, points, rewards, teams
from patrol.actions.tips import REPORTER
from patrol.demo.walk import Walk
from patrol.demo.week import Case, Story, Times, loop
from patrol.errors import WrongStep
from patrol.station import ANYONE, Work

SPOTS = (("B1", "柳林湾", 420.0, "left"), ("B2", "芦苇滩", 1330.0, "right"), ("B3", "泵站口", 2240.0, "left"))
# how many birds a month of an ordinary year, January first
_BIRDS = (46, 44, 33, 24, 17, 14, 12, 13, 19, 29, 38, 44)
GOODS = (
    ("帆布袋（样例）", 40, 30),
    ("观鸟手册（样例）", 60, 12),
    ("毛巾（样例）", 25, 40),
    ("多肉盆栽（样例）", 80, 6),
)
SEED = 715


def stories(walk: Walk, t: Times) -> list[Story]:
    return [_before(walk, t), _watch(walk, t), _classes(walk, t), _exchange(walk, t), _tip(walk, t)]


def _do(walk: Walk, who: str, deed: Callable[[Work], Any]) -> Any:
    with walk.station.work(walk.people[who]) as work:
        return deed(work)


def _before(walk: Walk, t: Times) -> Story:
    """Teams, members, spots, goods, and what was counted since last year."""
    yield t.day(8, "08:05")

    def found(work: Work) -> None:
        silver = teams.put_team(
            work, "银发护湖一队（样例）", "silver", words="每周二、五早上走一趟", from_m=0, to_m=1400
        )
        scarf = teams.put_team(
            work, "西城小学红领巾监测站（样例）", "scarf", words="周三下午，老师带队", heads=26, from_m=1200, to_m=1700
        )
        for team, names in (
            (silver, ("杨树（样例）", "贺春（样例）", "秦岭（样例）", "罗湖（样例）")),
            (scarf, ("杨树（样例）", "兰亭（样例）")),
        ):
            for index, name in enumerate(names):
                teams.add_member(work, team.id, name, leader=index == 0, of_age=True)
        for code, name, chainage_m, bank in SPOTS:
            observing.put_spot(work, code, name, chainage_m, bank)
        for name, price, stock in GOODS:
            goods.put(work, name, price, stock)

    _do(walk, "office", found)
    with walk.station.work(walk.people["volunteer"]) as work:
        _counts(work, t)


def _counts(work: Work, t: Times) -> None:
    """Two counts a month at each spot since fourteen months: autumn and winter fuller, this year by some 15 %."""
    dice = random.Random(SEED)
    last = t.start.date() - timedelta(days=1)
    day = last - timedelta(days=395)
    while day <= last:
        if day.day in (8, 22):
            for index, (code, *_) in enumerate(SPOTS):
                _count(work, dice, code, index, day, 1.15 if day > last - timedelta(days=300) else 1.0)
        day += timedelta(days=1)


def _count(work: Work, dice: random.Random, code: str, index: int, day: date, more: float) -> None:
    birds = round(_BIRDS[day.month - 1] * (1.0, 1.4, 0.7)[index] * more * dice.uniform(0.92, 1.08))
    observing.observe(work, "birds", code, birds, day)
    observing.observe(work, "litter", code, max(0, round(dice.gauss(16 if more == 1.0 else 9, 3))), day)
    observing.observe(work, "water_colour", code, dice.choice((1, 2, 2, 3) if more > 1 else (2, 2, 3, 4)), day)


def _watch(walk: Walk, t: Times) -> Story:
    """One watch held with children, one to come for each team."""
    yield t.day(5, "08:30")

    def plan(work: Work) -> int:
        scarf = work.session.scalars(select(m.Team.id).where(m.Team.kind == "scarf")).one()
        begins = t.day(4, "14:30")
        return teams.plan_shift(work, scarf, begins, begins + timedelta(hours=1.5), "柳林湾亲水平台", 3).id

    held = _do(walk, "office", plan)
    _do(walk, "volunteer", lambda work: teams.sign_up(work, held))
    yield t.day(4, "16:30")
    _do(walk, "office2", lambda work: teams.hold(work, held, [walk.people["volunteer"].person_id or 0], heads=22))
    yield t.day(1, "09:00")

    def next_ones(work: Work) -> None:
        for kind, days, hour, where in (
            ("silver", 1, 7, "K0+300 石阶"),
            ("silver", 4, 7, "柳林湾亲水平台"),
            ("scarf", 2, 15, "芦苇滩木栈道"),
        ):
            team = work.session.scalars(select(m.Team.id).where(m.Team.kind == kind)).one()
            begins = t.day(1, "00:00") + timedelta(days=days + (t.now - t.day(1, "00:00")).days, hours=hour)
            teams.plan_shift(work, team, begins, begins + timedelta(hours=2), where, 6)

    _do(walk, "office", next_ones)
    with walk.station.look() as look:
        first = look.session.scalars(
            select(m.Shift.id).where(m.Shift.state == "planned").order_by(m.Shift.starts_at)
        ).first()
    _do(walk, "volunteer", lambda work: teams.sign_up(work, first or 0))


def _classes(walk: Walk, t: Times) -> Story:
    """One class held, two open for sign-up."""
    yield t.day(6, "09:00")
    begins = t.day(3, "15:00")
    held = _do(
        walk,
        "office",
        lambda w: (
            lessons.plan(w, "河水为什么会变绿（样例）", begins, begins + timedelta(hours=1.5), "柳门社区活动室", 30).id
        ),
    )
    _do(walk, "volunteer", lambda w: lessons.sign_up(w, held, 1, 0, ""))
    with walk.station.work(ANYONE) as work:
        lessons.sign_up(work, held, 2, 3, str(uuid.UUID(int=SEED, version=4)))
    yield t.day(3, "17:00")
    there = frozenset({walk.people["volunteer"].person_id or 0})
    _do(walk, "office2", lambda w: lessons.hold(w, held, 24, 15, there))
    yield t.day(1, "09:30")
    days = t.now - t.day(1, "00:00")
    for title, in_days, where, seats in (
        ("认水鸟（样例）", 3, "芦苇滩木栈道", 20),
        ("垃圾分一分（样例）", 6, "柳门社区活动室", 30),
    ):
        at = t.day(1, "00:00") + timedelta(days=days.days + in_days, hours=14)
        with walk.station.work(walk.people["office"]) as work:
            lessons.plan(work, title, at, at + timedelta(hours=2), where, seats, "带水杯，穿防滑鞋")


def _exchange(walk: Walk, t: Times) -> Story:
    """Points for a towel, waiting to be collected."""
    yield t.day(2, "10:00")
    mine = walk.people["volunteer"].person_id

    def thank(work: Work) -> None:
        points.by_hand(work, points.account(work, person_id=mine), 50, "清滩日带队（样例）", "sample:1")

    _do(walk, "head", thank)
    with walk.station.look() as look:
        towel = look.session.scalars(select(m.Good.id).where(m.Good.name == "毛巾（样例）")).one()
    _do(walk, "volunteer", lambda w: goods.exchange(w, towel, 1, "sample:1"))


def _tip(walk: Walk, t: Times) -> Story:
    """A passer-by's report that was the first of its thing and proved true: it may be rewarded."""

    def told(walk: Walk, case: Case) -> str:
        position = walk.at(case.chainage_m, case.bank)
        outcome = walk.says("tip", case.kind, "管口往外流黑水，气味重", photo=True, position=position)
        assert outcome.issue is not None
        return outcome.issue.number

    return loop(walk, Case("sewage", 1985, "left", t.day(5, "09:12"), "closed"), seen=told)


def reward(walk: Walk) -> None:
    """At the end of the week: whoever of the reporters may ask for a reward asks; the first is granted and listed."""
    asked = []
    for code in walk.receipts:
        try:
            with walk.station.work(REPORTER) as work:
                asked.append(rewards.apply(work, code).number)
        except WrongStep:
            continue  # not closed, or somebody else was first
    for number in asked[:1]:
        with walk.station.work(walk.people["office"]) as work:
            rewards.propose(work, number, 1, "large", "按位置一次找到，当天清完")
        with walk.station.work(walk.people["head"]) as work:
            rewards.grant(work, number, 2, "large", "同意")
        with walk.station.work(walk.people["reward"]) as work:
            payout.batch(work, [number])
