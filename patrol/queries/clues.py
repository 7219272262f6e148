"""Questions about clues and requests: what waits for whom."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, false, select

from patrol import models as m
from patrol.errors import BadInput, Fault, Missing
from patrol.queries import clockwords, issues
from patrol.rules import rights
from patrol.rules.calendar import SHANGHAI
from patrol.rules.lifecycle import APPROVALS
from patrol.station import Work

PAGE = 200
# what a grid worker who reviews a machine's clue needs not know of it
ONLY_FULL = frozenset({"words", "place_words", "sealed", "callback", "channel", "channel_zh"})
STATES = ("waiting", "joined", "discarded", "expired")


def scope(work: Work) -> ColumnElement[bool]:
    """The clues an actor may see (the same cut as `patrol.actions.clues.in_scope`; a test compares)."""
    actor = work.actor
    if actor.has("office", "office_head", "chief", "inspector"):
        return m.Sighting.id.is_not(None)
    if actor.has("operator"):
        return m.Sighting.kind == "illegal_fishing"
    if actor.has("grid"):
        machine = m.Sighting.channel.in_(sorted(rights.MACHINE_CHANNELS))
        return machine if actor.grids is None else machine & m.Sighting.grid.in_(sorted(actor.grids))
    return false()


def listing(work: Work, state: str = "waiting", kind: str | None = None, page: int = 1) -> list[dict[str, Any]]:
    """Clues in scope, oldest first: the longest waiting comes first."""
    if state not in STATES:
        raise BadInput(Fault("/state", "unknown_state", f"state 可选：{'、'.join(STATES)}。"))
    query = select(m.Sighting).where(scope(work), m.Sighting.state == state)
    if kind:
        query = query.where(m.Sighting.kind == kind)
    query = query.order_by(m.Sighting.id).offset((page - 1) * PAGE).limit(PAGE)
    return [detail(work, sighting) for sighting in work.session.scalars(query)]


def detail(work: Work, sighting: m.Sighting) -> dict[str, Any]:
    row = issues.sighting_row(work, sighting)
    review = work.session.scalar(
        select(m.Clock).where(m.Clock.sighting_id == sighting.id).order_by(m.Clock.id.desc()).limit(1)
    )
    row["review"] = clockwords.full(work, review) if review is not None else None
    row["issue"] = None
    if sighting.issue_id is not None:
        issue = work.session.get(m.Issue, sighting.issue_id)
        row["issue"] = issue.number if issue else None
    if sighting.relapse_of is not None:
        before = work.session.get(m.Issue, sighting.relapse_of)
        row["relapse_of"] = before.number if before else None
    if rights.view_of(work.actor.roles) != "full":
        row = {name: value for name, value in row.items() if name not in ONLY_FULL}
    return row


def photo(work: Work, sighting: m.Sighting, ref: str) -> m.Photo:
    row = work.session.scalar(select(m.Photo).where(m.Photo.ref == ref, m.Photo.sighting_id == sighting.id))
    if row is None:
        raise Missing("没有这张照片，或不归您看。")
    return row


def requests(work: Work, *, only_open: bool = True) -> list[dict[str, Any]]:
    """Requests in scope: all for full views, one's own (and one's unit's) for the work view."""
    full = rights.view_of(work.actor.roles) == "full"
    query = select(m.Request, m.Issue).join(m.Issue, m.Issue.id == m.Request.issue_id).where(issues.scope(work.actor))
    if only_open:
        query = query.where(m.Request.state == "open")
    if not full:
        mine = m.Request.asker_id == work.actor.person_id
        query = query.where(mine | (m.Request.asker_role == "unit") if work.actor.has("unit") else mine)
    found = []
    roles = deciding_roles(work)
    for request, issue in work.session.execute(query.order_by(m.Request.id).limit(PAGE)).all():
        row = issues.request_row(work, request, issue, full=full)
        rungs = APPROVALS[request.approval].rungs[: request.rung + 1]
        may = {role for rung in rungs for role in rung}
        row["mine"] = request.asker_id == work.actor.person_id
        row["decide"] = not row["mine"] and bool(roles & may) and request.state == "open"
        found.append(row)
    return found


def deciding_roles(work: Work) -> set[str]:
    """The actor's roles for deciding: an acting head decides as the head, on the days of the delegation."""
    today = work.now.astimezone(SHANGHAI).date()
    acting = select(m.Delegation.id).where(
        m.Delegation.to_id == work.actor.person_id, m.Delegation.from_on <= today, m.Delegation.to_on >= today
    )
    held = work.actor.person_id is not None and work.session.scalar(acting.limit(1)) is not None
    return set(work.actor.roles) | ({"office_head"} if held else set())
