"""Volunteer teams and their watches: who joins, who signs up, who was there, and the points and hours that follow.

A child is a head count of a team or a watch; only grown-ups are members. Who confirms a watch was not in it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import people, points
from patrol.errors import BadInput, Fault, Missing, Refused, WrongStep
from patrol.rules import hands as law
from patrol.station import Work


def put_team(work: Work, name: str, kind: str, *, words: str = "", heads: int = 0, from_m: float | None = None,
             to_m: float | None = None, active: bool = True) -> m.Team:  # fmt: skip
    """A team by its name, new or changed."""
    office(work)
    faults = []
    if not name.strip() or len(name) > 60:
        faults.append(Fault("/name", "name", "队名要写 1 到 60 个字。"))
    if kind not in law.TEAM_KINDS:
        faults.append(Fault("/kind", "kind", f"队伍种类可选：{'、'.join(row.zh for row in law.TEAM_KINDS.values())}。"))
    elif heads and not law.TEAM_KINDS[kind].minors:
        faults.append(Fault("/heads", "heads", "只有少年队写孩子人数；大人一个个登记。"))
    if not 0 <= heads <= law.MOST_HEADS:
        faults.append(Fault("/heads", "heads", f"孩子人数要写 0 到 {law.MOST_HEADS}。"))
    length_m = work.place.river.length_m if work.place.river else 0.0
    if (from_m is None) != (to_m is None) or (
        from_m is not None and to_m is not None and not 0 <= from_m < to_m <= length_m
    ):
        faults.append(Fault("/from_m", "stretch", "看护河段要写起止桩号，从小到大。"))
    if faults:
        raise BadInput(faults)
    work.only_one(f"team:{name.strip()}")
    row = work.session.scalar(select(m.Team).where(m.Team.name == name.strip()))
    if row is None:
        row = m.Team(name=name.strip(), kind=kind, words="", heads=0, active=True, made_at=work.now)
        work.session.add(row)
    row.kind, row.words, row.heads, row.from_m, row.to_m, row.active = kind, words.strip(), heads, from_m, to_m, active
    work.session.flush()
    work.tell("team_set", subject=f"team:{row.id}", name=row.name, kind=kind, heads=heads, active=active)
    return row


def add_member(work: Work, team_id: int, name: str, *, leader: bool = False, of_age: bool = False) -> m.Member:
    """A grown-up joins. Somebody under 14 is never written down: the head count of the team goes up instead."""
    office(work)
    row = team(work, team_id)
    if not of_age:
        raise BadInput(Fault("/of_age", "of_age", f"未满 {law.OF_AGE} 岁的不登记姓名，只记人数；满了再勾上。"))
    who = people.person(work, name)
    kept = work.session.get(m.Member, (row.id, who.id))
    if kept is None:
        kept = m.Member(team_id=row.id, person_id=who.id, leader=leader, since=work.now)
        work.session.add(kept)
        work.tell("member_joined", subject=f"team:{row.id}", person=who.id, leader=leader)
    kept.leader = leader
    return kept


def remove_member(work: Work, team_id: int, person_id: int) -> None:
    """Out of a team; what was kept stays with the person."""
    office(work)
    kept = work.session.get(m.Member, (team_id, person_id))
    if kept is None:
        raise Missing("队里没有这个人。")
    work.session.delete(kept)
    work.tell("member_left", subject=f"team:{team_id}", person=person_id)


def plan_shift(work: Work, team_id: int, starts_at: datetime, ends_at: datetime, where: str, wanted: int) -> m.Shift:
    """A watch of a team, open for sign-up."""
    office(work)
    row = team(work, team_id)
    faults = []
    if not starts_at < ends_at <= starts_at + law.LONGEST_SHIFT:
        faults.append(Fault("/ends_at", "times", "值守要先开始后结束，最长 6 小时。"))
    if ends_at < work.now:
        faults.append(Fault("/starts_at", "past", "这个时间已经过了。"))
    if not where.strip():
        faults.append(Fault("/where", "where", "写清在哪里集合。"))
    if not 1 <= wanted <= 100:
        faults.append(Fault("/wanted", "wanted", "要几个人，写 1 到 100。"))
    if faults:
        raise BadInput(faults)
    made = m.Shift(team_id=row.id, starts_at=starts_at, ends_at=ends_at, where=where.strip()[:200], wanted=wanted,
                   heads=0, state="planned")  # fmt: skip
    work.session.add(made)
    work.session.flush()
    work.tell("shift_planned", subject=f"shift:{made.id}", team=row.id, at=starts_at.isoformat())
    return made


def sign_up(work: Work, shift_id: int) -> m.ShiftEntry:
    """A member takes a place in a watch; not in two at one time. A repeat is the same place."""
    made = shift(work, shift_id)
    person_id = _member(work, made.team_id)
    if made.state != "planned" or made.ends_at <= work.now:
        raise WrongStep(f"这次值守{law.SHIFT_STATES[made.state]}，不能报名。", "shift_closed")
    kept = work.session.get(m.ShiftEntry, (made.id, person_id))
    if kept is not None and kept.state == "signed":
        return kept
    taken = select(func.count()).where(m.ShiftEntry.shift_id == made.id, m.ShiftEntry.state == "signed")
    if (work.session.scalar(taken) or 0) >= made.wanted:
        raise WrongStep("人够了，换一次吧。", "full")
    work.only_one(f"watch:{person_id}")
    mine = (
        select(m.Shift.starts_at, m.Shift.ends_at).join(m.ShiftEntry, m.ShiftEntry.shift_id == m.Shift.id)
        .where(m.ShiftEntry.person_id == person_id, m.ShiftEntry.state == "signed", m.Shift.state == "planned",
               m.Shift.id != made.id)
    )  # fmt: skip
    if any(law.overlaps((made.starts_at, made.ends_at), (a, b)) for a, b in work.session.execute(mine)):
        raise WrongStep("这个时间您已报了另一次值守。", "overlaps")
    if kept is None:
        kept = m.ShiftEntry(shift_id=made.id, person_id=person_id, minutes=0)
        work.session.add(kept)
    kept.state, kept.at = "signed", work.now
    work.session.flush()
    work.tell("shift_signed", subject=f"shift:{made.id}", person=person_id)
    return kept


def leave(work: Work, shift_id: int) -> None:
    """Out of a watch that has not been held."""
    made = shift(work, shift_id)
    kept = work.session.get(m.ShiftEntry, (made.id, work.actor.person_id or 0))
    if kept is None or kept.state != "signed" or made.state != "planned":
        raise WrongStep("没有报这次值守，或已经结束。", "not_signed")
    kept.state = "left"
    work.tell("shift_left", subject=f"shift:{made.id}", person=kept.person_id)


def hold(work: Work, shift_id: int, present: Collection[int], heads: int = 0) -> int:
    """Confirm who was there, once: hours and points for each, and for the team by its children; points given now."""
    office(work)
    made = shift(work, shift_id)
    if made.state != "planned":
        raise WrongStep(f"这次值守{law.SHIFT_STATES[made.state]}，不能再确认。", state=made.state)
    if made.ends_at > work.now:
        raise WrongStep("值守还没结束，结束以后再确认。", "not_over")
    if work.actor.person_id in present:
        raise Refused("您自己也在里面，要由另一个人确认。", "same_person")
    row = team(work, made.team_id)
    if heads and not law.TEAM_KINDS[row.kind].minors:
        raise BadInput(Fault("/heads", "heads", "只有少年队记孩子人数。"))
    if not 0 <= heads <= law.MOST_HEADS:
        raise BadInput(Fault("/heads", "heads", f"孩子人数要写 0 到 {law.MOST_HEADS}。"))
    minutes = int((made.ends_at - made.starts_at).total_seconds() // 60)
    given = 0
    entries = select(m.ShiftEntry).where(m.ShiftEntry.shift_id == made.id, m.ShiftEntry.state == "signed")
    signed = {entry.person_id: entry for entry in work.session.scalars(entries)}
    if not set(present) <= set(signed):
        raise BadInput(Fault("/present", "present", "只能确认报了名的人。"))
    for person_id, entry in signed.items():
        entry.state, entry.minutes = ("present", minutes) if person_id in present else ("absent", 0)
    for person_id in sorted(present):
        target = points.account(work, person_id=person_id)
        given += points.earn(work, "shift_hour", target, law.hours(minutes), f"shift:{made.id}")
    if heads:
        target = points.account(work, team_id=row.id)
        given += points.earn(work, "shift_hour", target, law.hours(minutes), f"shift:{made.id}")
    made.state, made.heads, made.confirmer_id = "held", heads, work.actor.person_id
    work.tell("shift_held", subject=f"shift:{made.id}", present=sorted(present), heads=heads, minutes=minutes)
    return given


def cancel_shift(work: Work, shift_id: int, words: str) -> None:
    office(work)
    made = shift(work, shift_id)
    if made.state != "planned":
        raise WrongStep(f"这次值守{law.SHIFT_STATES[made.state]}，不能取消。", state=made.state)
    made.state = "cancelled"
    work.tell("shift_cancelled", subject=f"shift:{made.id}", words=words.strip())


def team(work: Work, team_id: int) -> m.Team:
    row = work.session.get(m.Team, team_id)
    if row is None or not row.active:
        raise Missing("没有这支队伍。")
    return row


def shift(work: Work, shift_id: int) -> m.Shift:
    row = work.session.scalar(select(m.Shift).where(m.Shift.id == shift_id).with_for_update())
    if row is None:
        raise Missing("没有这次值守。")
    return row


def _member(work: Work, team_id: int) -> int:
    person_id = work.actor.person_id
    if person_id is None or work.session.get(m.Member, (team_id, person_id)) is None:
        raise Refused("您不在这支队里，先请环保办登记入队。", "not_member")
    return person_id


def office(work: Work) -> None:
    """Teams, watches and classes are kept by the office."""
    if not work.actor.has("office", "office_head"):
        raise Refused("队伍、值守和课由环保办安排。")
