"""Classes of 生态课堂: planned by the office, signed up for by anybody without a name, held with head counts.

A sign-up without a sign-in is so many grown-ups and so many children and a code, of which only a keyed digest is kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from patrol import models as m
from patrol.actions import points, teams
from patrol.errors import BadInput, Fault, Missing, Refused, WrongStep
from patrol.gateways import identity
from patrol.rules import hands as law
from patrol.station import Work

NOT_FOUND = "没有这个报名码，请核对 16 位字母数字。"


def plan(work: Work, title: str, starts_at: datetime, ends_at: datetime, where: str, seats: int,
         words: str = "") -> m.Lesson:  # fmt: skip
    """A class, open for sign-up."""
    teams.office(work)
    faults = []
    if not title.strip() or len(title) > 60:
        faults.append(Fault("/title", "title", "课名要写 1 到 60 个字。"))
    if not where.strip():
        faults.append(Fault("/where", "where", "写清在哪里上课。"))
    if not starts_at < ends_at <= starts_at + law.LONGEST_CLASS:
        faults.append(Fault("/ends_at", "times", "要先上课后下课，最长 4 小时。"))
    if starts_at < work.now:
        faults.append(Fault("/starts_at", "past", "这个时间已经过了。"))
    if not 1 <= seats <= law.MOST_SEATS:
        faults.append(Fault("/seats", "seats", f"座位要写 1 到 {law.MOST_SEATS}。"))
    if faults:
        raise BadInput(faults)
    row = m.Lesson(title=title.strip(), words=words.strip(), where=where.strip()[:200], starts_at=starts_at,
                   ends_at=ends_at, seats=seats, state="planned", came=0, came_children=0)  # fmt: skip
    work.session.add(row)
    work.session.flush()
    work.tell("class_planned", subject=f"class:{row.id}", title=row.title, at=starts_at.isoformat(), seats=seats)
    return row


def sign_up(work: Work, lesson_id: int, adults: int, children: int, client_id: str) -> tuple[m.LessonEntry, str | None]:
    """Seats for so many heads; who is not signed in gets a code to give them back with. A repeat is the same seats."""
    row = lesson(work, lesson_id)
    mine = work.actor.person_id
    code = None if mine is not None else identity.receipt_code(work.keys.receipt, f"class:{row.id}:{client_id}")
    digest = identity.receipt_hash(work.keys.pepper, code) if code else None
    kept: m.LessonEntry | None = work.session.scalar(_entry_of(row, mine, digest))
    if kept is not None and kept.state == "signed":
        return kept, code
    if row.state != "planned" or row.starts_at <= work.now:
        raise WrongStep(
            f"这节课{'已开始' if row.state == 'planned' else law.CLASS_STATES[row.state]}，不能报名。", "closed"
        )
    faults = []
    if adults < 0 or children < 0 or not 1 <= adults + children <= law.MOST_OF_ONE_SIGN_UP:
        faults.append(Fault("/adults", "heads", f"一次报 1 到 {law.MOST_OF_ONE_SIGN_UP} 人。"))
    elif children and not adults:
        faults.append(Fault("/adults", "adults", f"未满 {law.OF_AGE} 岁的孩子要有大人带着。"))
    if faults:
        raise BadInput(faults)
    left = row.seats - taken(work, row)
    if adults + children > left:
        raise WrongStep(f"只剩 {left} 个座位。", "full", left=left)
    if kept is None:
        kept = m.LessonEntry(lesson_id=row.id, person_id=mine, code_hash=digest)
        work.session.add(kept)
    kept.adults, kept.children, kept.state, kept.at = adults, children, "signed", work.now
    work.session.flush()
    work.tell("class_signed", subject=f"class:{row.id}", adults=adults, children=children)
    return kept, code


def give_back(work: Work, *, code: str | None = None, lesson_id: int | None = None) -> m.Lesson:
    """Give the seats back: by the code, or one's own when signed in."""
    if code is not None:
        digest = identity.receipt_hash(work.keys.pepper, identity.normalise_code(code) or "0" * 16)
        kept = work.session.scalar(select(m.LessonEntry).where(m.LessonEntry.code_hash == digest))
    else:
        where = m.LessonEntry.lesson_id == lesson_id, m.LessonEntry.person_id == (work.actor.person_id or 0)
        kept = work.session.scalar(select(m.LessonEntry).where(*where))
    if kept is None:
        raise Missing(NOT_FOUND)
    row = lesson(work, kept.lesson_id)
    if kept.state != "signed" or row.state != "planned":
        raise WrongStep("这次报名已经退了，或课已经上过。", "not_signed")
    kept.state = "left"
    work.tell("class_left", subject=f"class:{row.id}", adults=kept.adults, children=kept.children)
    return row


def hold(work: Work, lesson_id: int, came: int, came_children: int, persons: frozenset[int] = frozenset()) -> int:
    """How many came, as head counts; points for those who signed up by name and were there."""
    teams.office(work)
    row = lesson(work, lesson_id)
    if row.state != "planned" or row.ends_at > work.now:
        raise WrongStep("课还没上完，或已经登记过。", "not_over")
    if work.actor.person_id in persons:
        raise Refused("您自己也在里面，要由另一个人确认。", "same_person")
    if not 0 <= came_children <= came <= law.MOST_SEATS:
        raise BadInput(Fault("/came", "heads", "到课人数要包括孩子，孩子不能比总数多。"))
    entries = select(m.LessonEntry).where(m.LessonEntry.lesson_id == row.id, m.LessonEntry.state == "signed",
                                          m.LessonEntry.person_id.is_not(None))  # fmt: skip
    given = 0
    for entry in work.session.scalars(entries.order_by(m.LessonEntry.person_id)):
        there = entry.person_id in persons
        entry.state = "present" if there else "absent"
        if there:
            target = points.account(work, person_id=entry.person_id)
            given += points.earn(work, "class", target, 1, f"class:{row.id}")
    row.state, row.came, row.came_children = "held", came, came_children
    work.tell("class_held", subject=f"class:{row.id}", came=came, children=came_children)
    return given


def cancel(work: Work, lesson_id: int, words: str) -> None:
    teams.office(work)
    row = lesson(work, lesson_id)
    if row.state != "planned":
        raise WrongStep(f"这节课{law.CLASS_STATES[row.state]}，不能取消。", state=row.state)
    row.state = "cancelled"
    work.tell("class_cancelled", subject=f"class:{row.id}", words=words.strip())


def lesson(work: Work, lesson_id: int) -> m.Lesson:
    """A class, its row held, so that seats are never given twice."""
    row = work.session.scalar(select(m.Lesson).where(m.Lesson.id == lesson_id).with_for_update())
    if row is None:
        raise Missing("没有这节课。")
    return row


def taken(work: Work, row: m.Lesson) -> int:
    query = select(func.coalesce(func.sum(m.LessonEntry.adults + m.LessonEntry.children), 0))
    return int(
        work.session.scalar(query.where(m.LessonEntry.lesson_id == row.id, m.LessonEntry.state == "signed")) or 0
    )


def _entry_of(row: m.Lesson, person_id: int | None, digest: str | None) -> Select[Any]:
    whose = m.LessonEntry.person_id == person_id if person_id is not None else m.LessonEntry.code_hash == digest
    return select(m.LessonEntry).where(m.LessonEntry.lesson_id == row.id, whose)
