"""The steps that change what one issue is: correct, split, merge, unmerge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

from sqlalchemy import select

from geodata.errors import GeoError
from geodata.merge import outline_facts
from patrol import models as m
from patrol.actions import clocks, siting
from patrol.actions.handle import papers
from patrol.actions.handle.case import parent_of
from patrol.actions.handle.steps import Doing, Done, begin_receive, flag, reopen, step, take_site, unflag
from patrol.actions.report import lock, open_issue
from patrol.errors import BadInput, Fault, WrongStep
from patrol.rules import clocks as law
from patrol.rules import lifecycle, rights
from patrol.rules.clocks import Limit, Mark
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

REGISTERED = ("correct", "split", "merge", "unmerge")


@step("correct")
def _correct(doing: Doing) -> Done:
    work, issue, body = doing.work, doing.issue, doing.body
    facts: dict[str, Any] = {}
    if body.get("kind") and body["kind"] != issue.kind:
        facts |= {"kind_old": issue.kind, "kind_new": body["kind"]}
        _change_kind(doing, body["kind"])
    if body.get("position"):
        facts |= take_site(doing, "corrected")
    if body.get("outline"):
        try:
            lon, lat, area_m2 = outline_facts(body["outline"])
        except GeoError as error:
            raise BadInput(Fault("/outline", error.code, error.sentence)) from None
        facts |= {"outline_old": issue.outline, "outline_new": body["outline"]}
        issue.outline, issue.area_m2 = body["outline"], round(area_m2, 1)
        if not body.get("position"):
            at = siting.site_wgs84(work, lon, lat, issue.accuracy_m, "corrected")
            issue.lon, issue.lat, issue.cell = round(lon, 7), round(lat, 7), at.cell
            issue.chainage_m, issue.bank, issue.grid = at.chainage_m, at.bank, at.grid or issue.grid
    slip = papers.assignment if issue.state in ("assigned", "supervised") else None
    return Done("corrected", facts, slip=slip)


def _change_kind(doing: Doing, kind: str) -> None:
    """The shorter limit holds unless the approver says otherwise; no clock starts anew."""
    work, issue = doing.work, doing.issue
    issue.kind = kind
    rectify = clocks.live(work, issue, "rectify")
    if rectify is None:
        return
    old = clocks.first_limit(rectify)
    begun = clocks.marks_of(rectify)[0].at
    chosen = doing.extra.get("limit") or law.shorter(old, PROBLEMS[kind].rectify, work.calendar, begun)
    if chosen == old:
        return
    if chosen.frame == old.frame or not any(each.kind == "extend" for each in clocks.marks_of(rectify)):
        clocks.mark(work, rectify, Mark("rebase", work.now, limit=chosen, why="更正种类"))


def _recount(work: Work, *issues: m.Issue) -> None:
    """Whether only tips speak for an issue, after sightings came or went: such an issue is not public until closed."""
    for issue in issues:
        channels = work.session.scalars(select(m.Sighting.channel).where(m.Sighting.issue_id == issue.id)).all()
        if channels:
            issue.tips_only = rights.TIP_CHANNELS.issuperset(channels)


@step("split")
def _split(doing: Doing) -> Done:
    work, issue = doing.work, doing.issue
    refs = doing.body["sightings"]
    rows = list(work.session.scalars(select(m.Sighting).where(m.Sighting.ref.in_(refs)).order_by(m.Sighting.id)))
    first = rows[0]
    kind = doing.body.get("kind") or issue.kind
    child = open_issue(work, first, (issue, "split"), kind)
    if child.lon is None:
        child.lon, child.lat, child.accuracy_m = issue.lon, issue.lat, issue.accuracy_m
        child.chainage_m, child.bank, child.grid, child.cell = issue.chainage_m, issue.bank, issue.grid, issue.cell
    for row in rows[1:]:
        row.issue_id = child.id
        for photo in work.session.scalars(select(m.Photo).where(m.Photo.sighting_id == row.id)):
            photo.issue_id = child.id
    _recount(work, issue, child)
    _inherit(doing, child)
    return Done("split", {"child": child.number, "sightings": [row.id for row in rows]})


def _inherit(doing: Doing, child: m.Issue) -> None:
    """The child keeps the earliest due: it runs on the parent's own clocks, not on fresh ones."""
    work, issue = doing.work, doing.issue
    if issue.state != "reported" and issue.lead_unit is None:
        return  # handled on the spot: nobody was ever told to rectify, so the child is a fresh report
    for clock in clocks.of(work, child):
        if clock.state in clocks.LIVE:
            clocks.stop(work, clock, "cancelled", why="随原件计时")
    for name in ("check", "push", "rectify"):
        known = clocks.live(work, issue, name) if name != "rectify" else clocks.last(work, issue, name)
        if known is not None:
            clocks.twin(work, known, child)
    if issue.state == "reported":
        return
    # it is a thing of its own now: dispatched to the same unit by a slip of its own, and somebody must go there
    child.lead_unit, child.assisting = issue.lead_unit, list(issue.assisting)
    child.assigner_id, child.assigned_at = issue.assigner_id, issue.assigned_at or work.now
    child.position_confirmed, child.state, child.step_at = issue.position_confirmed, "assigned", work.now
    if "suspended" in issue.flags:
        flag(child, "suspended", issue.flags["suspended"])
        child.suspended_until = issue.suspended_until
    walked = clocks.live(work, issue, "on_site")
    if walked is not None:
        clocks.twin(work, walked, child)
    else:
        clocks.apply(work, child, ("start:on_site",))
    begin_receive(work, child)
    own = replace(doing, issue=child, body={}, photos=[], extra={})
    work.tell("assigned", child, moves=True, slip=papers.assignment(own), by="split", lead_unit=child.lead_unit)


@step("merge")
def _merge(doing: Doing) -> Done:
    work, child = doing.work, doing.issue
    parent = parent_of(work, child, doing.body)
    if parent is None:
        raise BadInput(Fault("/parent", "parent", "要并入的那件不能并。"))
    lock(work, parent)
    if parent.state == "closed":
        _reopen_parent(work, parent)
    sightings = list(work.session.scalars(select(m.Sighting).where(m.Sighting.issue_id == child.id)))
    photos = list(work.session.scalars(select(m.Photo).where(m.Photo.issue_id == child.id)))
    for sighting in sightings:
        sighting.issue_id = parent.id
    for photo in photos:
        photo.issue_id = parent.id
    _recount(work, parent)
    child.merged_from, child.parent_id = child.state, parent.id
    moved: dict[str, Any] = {"sightings": [row.id for row in sightings], "photos": [row.id for row in photos]}
    rebased = _take_earlier_due(work, parent, child)
    flag(child, "moved", moved | ({"parent_limit": rebased} if rebased else {}))
    work.tell("merged", parent, moves=True, child=child.number, sightings=len(sightings))
    _still_there(work, parent, sightings)
    return Done("merged", {"parent": parent.number}, to="merged")


def _reopen_parent(work: Work, parent: m.Issue) -> None:
    """A parent closed a short while ago is reopened by the merge, never joined silently."""
    row = lifecycle.STEPS["reopen"]
    done = reopen(work, parent, row)
    clocks.apply(work, parent, done.effects or row.clocks, **done.given)
    parent.state, parent.step_at = done.to or "assigned", work.now
    work.session.flush()
    doing = Doing(work, parent, row, None, {}, [], None, {})  # type: ignore[arg-type]  # the slip needs no case
    slip = papers.assignment(doing) if parent.state == "assigned" else None
    work.tell("reopened", parent, moves=True, slip=slip, by="merge", round=parent.round)


def _still_there(work: Work, parent: m.Issue, sightings: list[m.Sighting]) -> None:
    """A merge must not hide that the thing was seen after the parent's work was said to be done."""
    if parent.state not in ("rectified", "verified"):
        return
    later = [row for row in sightings if parent.after_at is None or row.received_at > parent.after_at]
    if later:
        flag(parent, "still_visible", work.now.isoformat())
        work.tell("still_visible", parent, moves=True, sighting=later[-1].id)


def _take_earlier_due(work: Work, parent: m.Issue, child: m.Issue) -> dict[str, Any] | None:
    """Let the parent run on what the child had left, if that is less; returns what the parent had before."""
    ours, theirs = clocks.live(work, parent, "rectify"), clocks.live(work, child, "rectify")
    if theirs is None:
        return None
    if ours is None:
        if parent.state != "reported":
            return None
        # not dispatched yet: the due waits on the issue until its own limit starts
        due = theirs.due_at or work.now + timedelta(seconds=max(0, clocks.reading(work, theirs).left_s))
        known = parent.flags.get("due_by")
        flag(parent, "due_by", min(filter(None, (known, due.astimezone(UTC).isoformat()))))
        return None
    said, base = clocks.reading(work, ours), clocks.first_limit(ours)
    if theirs.due_at is not None:
        left = work.calendar.between(work.now, theirs.due_at, base.frame)
    elif clocks.first_limit(theirs).frame == base.frame:
        left = max(0, clocks.reading(work, theirs).left_s)
    else:
        return None
    if left >= said.left_s:
        return None
    grown = sum(each.limit.seconds(work.calendar) for each in clocks.marks_of(ours)
                if each.kind == "extend" and each.limit)  # fmt: skip
    limit = clocks.in_frame(ours, max(60, said.used_s + left - grown))
    clocks.mark(work, ours, Mark("rebase", work.now, limit=limit, why="并案取早"))
    return {"clock": ours.id, "was": base.to_json(), "now": limit.to_json()}


def _give_back(work: Work, moved: dict[str, Any]) -> None:
    """Undo what the merge took from the parent's limit, unless another act has changed it since."""
    taken = moved.get("parent_limit")
    if taken is None:
        return
    clock = work.session.get(m.Clock, taken["clock"])
    if clock is None or clock.state not in clocks.LIVE or clocks.first_limit(clock).to_json() != taken["now"]:
        return
    clocks.mark(work, clock, Mark("rebase", work.now, limit=Limit.from_json(taken["was"]), why="拆并还原"))


@step("unmerge")
def _unmerge(doing: Doing) -> Done:
    work, child = doing.work, doing.issue
    parent = work.session.get(m.Issue, child.parent_id) if child.parent_id else None
    if parent is None or child.merged_from is None:
        raise WrongStep("这件没有并入别的件。")
    lock(work, parent)
    moved = child.flags.get("moved", {})
    for sighting in work.session.scalars(select(m.Sighting).where(m.Sighting.id.in_(moved.get("sightings", [])))):
        sighting.issue_id = child.id
    for photo in work.session.scalars(select(m.Photo).where(m.Photo.id.in_(moved.get("photos", [])))):
        photo.issue_id = child.id
    back = child.merged_from
    child.parent_id, child.merged_from, child.ended_at = None, None, None
    unflag(child, "moved")
    _recount(work, parent, child)
    _give_back(work, moved)
    work.tell("unmerged", parent, moves=True, child=child.number)
    return Done("unmerged", {"parent": parent.number, "back_to": back}, to=back)
