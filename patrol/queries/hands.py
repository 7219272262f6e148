"""Teams, watches, classes, points and the catalogue as rows. Nothing for the public names anybody."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from patrol import models as m
from patrol.queries.words import shown
from patrol.rules import hands as law
from patrol.rules import points as point_law
from patrol.rules.calendar import SHANGHAI
from patrol.station import Work


def when(row: m.Shift | m.Lesson) -> str:
    """12月05日 14:00–16:00"""
    begins, ends = row.starts_at.astimezone(SHANGHAI), row.ends_at.astimezone(SHANGHAI)
    return f"{begins:%m月%d日} {begins:%H:%M}–{ends:%H:%M}"


def teams(work: Work) -> list[dict[str, Any]]:
    """Teams with head counts and hours kept; for everybody."""
    members = _counts(work, select(m.Member.team_id, func.count()).group_by(m.Member.team_id))
    held = (m.Shift.state == "held", m.ShiftEntry.state == "present")
    minutes = _counts(work, select(m.Shift.team_id, func.sum(m.ShiftEntry.minutes)).join(
        m.ShiftEntry, m.ShiftEntry.shift_id == m.Shift.id).where(*held).group_by(m.Shift.team_id))  # fmt: skip
    heads = _counts(work, select(m.Shift.team_id, func.sum(m.Shift.heads)).where(m.Shift.state == "held")
                    .group_by(m.Shift.team_id))  # fmt: skip
    river = work.place.river
    return [
        {
            "team": row.id, "name": row.name, "kind": row.kind, "kind_zh": law.TEAM_KINDS[row.kind].zh,
            "minors": law.TEAM_KINDS[row.kind].minors, "words": row.words, "adults": members.get(row.id, 0),
            "children": row.heads, "hours": law.hours(minutes.get(row.id, 0)), "child_visits": heads.get(row.id, 0),
            "stretch": f"{river.words(row.from_m)} – {river.words(row.to_m)}"
            if river and row.from_m is not None and row.to_m is not None else "",
        }
        for row in work.session.scalars(select(m.Team).where(m.Team.active.is_(True)).order_by(m.Team.id))
    ]  # fmt: skip


def members(work: Work) -> dict[int, list[dict[str, Any]]]:
    """Team -> its grown-ups, for the office."""
    query = select(m.Member, m.Person.name).join(m.Person, m.Person.id == m.Member.person_id).order_by(m.Person.name)
    found: dict[int, list[dict[str, Any]]] = {}
    for row, name in work.session.execute(query):
        found.setdefault(row.team_id, []).append({"person": row.person_id, "name": name, "leader": row.leader})
    return found


def shifts(work: Work, *, mine: bool = False) -> list[dict[str, Any]]:
    """Watches to come or to confirm, the nearest first; `mine`: of my teams."""
    query = select(m.Shift, m.Team).join(m.Team, m.Team.id == m.Shift.team_id).where(m.Shift.state == "planned")
    if mine:
        mine_teams = select(m.Member.team_id).where(m.Member.person_id == (work.actor.person_id or 0))
        query = query.where(m.Shift.team_id.in_(mine_teams), m.Shift.ends_at > work.now)
    found = []
    for row, team in work.session.execute(query.order_by(m.Shift.starts_at)):
        signed = list(work.session.execute(
            select(m.ShiftEntry.person_id, m.Person.name).join(m.Person, m.Person.id == m.ShiftEntry.person_id)
            .where(m.ShiftEntry.shift_id == row.id, m.ShiftEntry.state == "signed").order_by(m.Person.name)))  # fmt: skip
        entry = {"shift": row.id, "team": team.name, "when": when(row), "where": row.where, "wanted": row.wanted,
                 "signed": len(signed), "over": row.ends_at <= work.now, "minors": law.TEAM_KINDS[team.kind].minors,
                 "mine": any(id_ == work.actor.person_id for id_, _ in signed)}  # fmt: skip
        if not mine:
            entry["people"] = [{"person": id_, "name": name} for id_, name in signed]
        found.append(entry)
    return found


def classes(work: Work, *, to_come: bool = True) -> list[dict[str, Any]]:
    """Classes one may sign up for, with the seats left; or every class that is not yet settled, for the office."""
    query = select(m.Lesson).where(m.Lesson.state == "planned")
    if to_come:
        query = query.where(m.Lesson.starts_at > work.now)
    found = []
    for row in work.session.scalars(query.order_by(m.Lesson.starts_at)):
        entries = list(work.session.scalars(select(m.LessonEntry).where(m.LessonEntry.lesson_id == row.id,
                                                                        m.LessonEntry.state == "signed")))  # fmt: skip
        adults, children = sum(e.adults for e in entries), sum(e.children for e in entries)
        entry = {"class": row.id, "title": row.title, "words": row.words, "when": when(row), "where": row.where,
                 "seats": row.seats, "left": row.seats - adults - children, "starts_at": shown(row.starts_at),
                 "mine": any(e.person_id == work.actor.person_id for e in entries if e.person_id is not None)}  # fmt: skip
        if not to_come:
            ids = [e.person_id for e in entries if e.person_id is not None]
            names = work.session.execute(select(m.Person.id, m.Person.name).where(m.Person.id.in_(ids)))
            entry |= {"adults": adults, "children": children, "over": row.ends_at <= work.now,
                      "people": [{"person": id_, "name": name} for id_, name in names]}  # fmt: skip
        found.append(entry)
    return found


def held_classes(work: Work) -> dict[str, int]:
    """How many classes were held and how many came."""
    row = work.session.execute(
        select(func.count(m.Lesson.id), func.coalesce(func.sum(m.Lesson.came), 0),
               func.coalesce(func.sum(m.Lesson.came_children), 0)).where(m.Lesson.state == "held")).one()  # fmt: skip
    return {"held": int(row[0]), "came": int(row[1]), "children": int(row[2])}


def goods(work: Work, *, all_: bool = False) -> list[dict[str, Any]]:
    """The catalogue."""
    query = select(m.Good).order_by(m.Good.price, m.Good.id)
    return [{"good": row.id, "name": row.name, "words": row.words, "price": row.price, "stock": row.stock,
             "active": row.active}
            for row in work.session.scalars(query if all_ else query.where(m.Good.active.is_(True)))]  # fmt: skip


def wallet(work: Work) -> dict[str, Any]:
    """One's own points, hours, last moves and exchanges."""
    person_id = work.actor.person_id or 0
    account = work.session.scalar(select(m.PointAccount).where(m.PointAccount.person_id == person_id))
    minutes = work.session.scalar(select(func.coalesce(func.sum(m.ShiftEntry.minutes), 0)).where(
        m.ShiftEntry.person_id == person_id, m.ShiftEntry.state == "present"))  # fmt: skip
    moves: list[dict[str, Any]] = []
    exchanges: list[dict[str, Any]] = []
    if account is not None:
        query = (select(m.PointMove, m.Posting.amount).join(m.Posting, m.Posting.move_id == m.PointMove.id)
                 .where(m.Posting.account_id == account.id).order_by(m.PointMove.id.desc()).limit(20))  # fmt: skip
        moves = [{"at": shown(row.at), "what": row.what, "zh": point_law.MOVES[row.what], "amount": amount}
                 for row, amount in work.session.execute(query)]  # fmt: skip
        exchanges = [row for row in exchanges_of(work) if row["account"] == account.id]
    return {"balance": account.balance if account else 0, "hours": law.hours(int(minutes or 0)), "moves": moves,
            "exchanges": exchanges}  # fmt: skip


def exchanges_of(work: Work) -> list[dict[str, Any]]:
    """Exchanges, those that wait first."""
    query = (select(m.Exchange, m.Good.name, m.Person.name).join(m.Good, m.Good.id == m.Exchange.good_id)
             .join(m.PointAccount, m.PointAccount.id == m.Exchange.account_id)
             .outerjoin(m.Person, m.Person.id == m.PointAccount.person_id)
             .order_by(m.Exchange.state != "waiting", m.Exchange.id.desc()).limit(100))  # fmt: skip
    return [{"number": row.number, "good": good, "count": row.count, "who": who or "", "state": row.state,
             "state_zh": point_law.EXCHANGE_STATES[row.state], "at": shown(row.at), "account": row.account_id}
            for row, good, who in work.session.execute(query)]  # fmt: skip


def balances(work: Work) -> list[dict[str, Any]]:
    """Every person's and team's points, for the office."""
    query = (select(m.PointAccount, m.Person.name, m.Team.name)
             .outerjoin(m.Person, m.Person.id == m.PointAccount.person_id)
             .outerjoin(m.Team, m.Team.id == m.PointAccount.team_id)
             .where(m.PointAccount.house.is_(None)).order_by(m.PointAccount.balance.desc()))  # fmt: skip
    return [{"account": row.id, "who": person or team or "", "team": row.team_id is not None, "balance": row.balance}
            for row, person, team in work.session.execute(query)]  # fmt: skip


def recent_moves(work: Work) -> list[dict[str, Any]]:
    """The last moves that may be reversed, for the office."""
    undone = select(m.PointMove.reverses_id).where(m.PointMove.reverses_id.is_not(None))
    query = (select(m.PointMove, m.Posting.amount, m.Person.name, m.Team.name)
             .join(m.Posting, m.Posting.move_id == m.PointMove.id)
             .join(m.PointAccount, m.PointAccount.id == m.Posting.account_id)
             .outerjoin(m.Person, m.Person.id == m.PointAccount.person_id)
             .outerjoin(m.Team, m.Team.id == m.PointAccount.team_id)
             .where(m.PointAccount.house.is_(None), m.PointMove.what.not_in(("exchange", "reversal")),
                    m.PointMove.id.not_in(undone)).order_by(m.PointMove.id.desc()).limit(20))  # fmt: skip
    return [{"move": row.id, "at": shown(row.at), "zh": point_law.MOVES[row.what], "who": person or team or "",
             "amount": amount, "words": row.words if row.what == "manual" else ""}
            for row, amount, person, team in work.session.execute(query)]  # fmt: skip


def _counts(work: Work, query: Any) -> dict[int, int]:
    return {int(key): int(count or 0) for key, count in work.session.execute(query)}
