"""The steps that change what one issue is: correct, split, merge, unmerge."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from geodata.errors import GeoError
from geodata.merge import outline_facts
from patrol import models as m
from patrol.actions import clocks, siting
from patrol.actions.handle import papers
from patrol.actions.handle.case import parent_of
from patrol.actions.handle.steps import Doing, Done, flag, reopen, step, take_site, unflag
from patrol.actions.report import lock, open_issue
from patrol.errors import BadInput, Fault, WrongStep
from patrol.rules import clocks as law
from patrol.rules import lifecycle
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


@step("split")
def _split(doing: Doing) -> Done:
    work, issue = doing.work, doing.issue
    refs = doing.body["sightings"]
    rows = list(work.session.scalars(select(m.Sighting).where(m.Sighting.ref.in_(refs)).order_by(m.Sighting.id)))
    first = rows[0]
    kind = doing.body.get("kind") or issue.kind
    child = open_issue(work, first, (issue, "split"))
    child.kind = kind
    if child.lon is None:
        child.lon, child.lat, child.accuracy_m = issue.lon, issue.lat, issue.accuracy_m
        child.chainage_m, child.bank, child.grid, child.cell = issue.chainage_m, issue.bank, issue.grid, issue.cell
    for row in rows[1:]:
        row.issue_id = child.id
        for photo in work.session.scalars(select(m.Photo).where(m.Photo.sighting_id == row.id)):
            photo.issue_id = child.id
    _inherit(work, issue, child)
    return Done("split", {"child": child.number, "sightings": [row.id for row in rows]})


def _inherit(work: Work, issue: m.Issue, child: m.Issue) -> None:
    """The child keeps the earliest due: it runs on the parent's own clocks, not on fresh ones."""
    for clock in clocks.of(work, child):
        if clock.state in clocks.LIVE:
            clocks.stop(work, clock, "cancelled", why="随原件计时")
    if issue.state != "reported":
        child.lead_unit, child.assisting = issue.lead_unit, list(issue.assisting)
        child.assigner_id, child.assigned_at = issue.assigner_id, issue.assigned_at
        child.position_confirmed, child.state = issue.position_confirmed, "assigned"
    names = ("check", "push") if issue.state == "reported" else ("push", "on_site", "rectify")
    for clock in clocks.of(work, issue):
        if clock.name in names and (clock.state in clocks.LIVE or clock.name in ("on_site", "rectify")):
            twin = clocks.start(work, clock.name, issue=child, limit=clocks.first_limit(clock))
            keep = [raw for raw in clock.marks if raw["kind"] not in ("stop",)]
            twin.marks, twin.calendar, twin.fired = keep, clock.calendar, clock.fired
            clocks.refresh_all(work, [twin])


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
    parent.tips_only = parent.tips_only and child.tips_only
    child.merged_from, child.parent_id = child.state, parent.id
    flag(child, "moved", {"sightings": [row.id for row in sightings], "photos": [row.id for row in photos]})
    _take_earlier_due(work, parent, child)
    work.tell("merged", parent, moves=True, child=child.number, sightings=len(sightings))
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


def _take_earlier_due(work: Work, parent: m.Issue, child: m.Issue) -> None:
    ours, theirs = clocks.live(work, parent, "rectify"), clocks.live(work, child, "rectify")
    if ours is None or theirs is None or ours.due_at is None or theirs.due_at is None or ours.due_at <= theirs.due_at:
        return
    said = clocks.reading(work, ours)
    base = clocks.first_limit(ours)
    grown = sum(each.limit.seconds(work.calendar) for each in clocks.marks_of(ours)
                if each.kind == "extend" and each.limit)  # fmt: skip
    left = work.calendar.between(work.now, theirs.due_at, base.frame)
    seconds = max(60, said.used_s + left - grown)
    unit = {"continuous": "hours", "duty": "duty_hours", "working": "working_hours"}[base.frame]
    clocks.mark(work, ours, Mark("rebase", work.now, limit=Limit(seconds / 3600, unit), why="并案取早"))  # type: ignore[arg-type]  # one of Unit


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
    work.tell("unmerged", parent, moves=True, child=child.number)
    return Done("unmerged", {"parent": parent.number, "back_to": back}, to=back)
