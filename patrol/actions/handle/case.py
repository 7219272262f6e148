"""Gather the Case that the law judges: what is known of an issue, its photos, its clocks and who asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from geodata.errors import GeoError
from geodata.merge import apart_m, outline_facts
from patrol import models as m
from patrol.actions import clocks, photos, siting
from patrol.errors import BadInput, Fault
from patrol.rules import lifecycle as law
from patrol.rules.calendar import SHANGHAI
from patrol.rules.evidence import Case, Fix, PhotoFact
from patrol.rules.lifecycle import Step
from patrol.rules.problems import UNKNOWN_ACCURACY_M
from patrol.station import Work


def gather(work: Work, issue: m.Issue, row: Step, body: dict[str, Any]) -> tuple[Case, list[m.Photo]]:
    """The case of one step, and the photo rows the step names."""
    actor, place = work.actor, work.place
    rows = list(work.session.scalars(select(m.Photo).where(m.Photo.issue_id == issue.id).order_by(m.Photo.id)))
    named = _named(work, rows, row, body)
    unit = place.units.get(issue.lead_unit or "")
    rectify, on_site = clocks.last(work, issue, "rectify"), clocks.last(work, issue, "on_site")
    at = siting.site(work, body["position"]) if body.get("position") else None
    fix, moved = None, None
    if at is not None:
        beyond = photos.beyond_m(issue, at.lon, at.lat, at.accuracy_m)
        fix = Fix(0.0 if beyond is None else beyond, at.accuracy_m)
        if issue.lon is not None and issue.lat is not None:
            moved = apart_m(at.lon, at.lat, None, issue.lon, issue.lat, None)
        else:
            moved = 0.0
    elif body.get("outline") and issue.lon is not None and issue.lat is not None:
        moved = _outline_moved_m(issue, body["outline"])
    units, of_office = memberships(work) if row.name in ("verify", "close") else (frozenset(), False)
    limit_s = extended_s = asked_s = 0
    if rectify is not None:
        base = clocks.first_limit(rectify)
        grown = [each.limit for each in clocks.marks_of(rectify) if each.kind == "extend" and each.limit]
        limit_s, extended_s = base.seconds(work.calendar), sum(each.seconds(work.calendar) for each in grown)
        by = body.get("by")
        asked_s = by.seconds(work.calendar) if by is not None and by.frame == base.frame else 0
    roles = set(actor.roles)
    if is_acting_head(work):
        roles.add("acting_head")
    if actor.person_id is not None and actor.person_id == issue.acceptor_id:
        roles.add("named")
    case = Case(
        state=issue.state, now=work.now, actor=actor.person_id, roles=frozenset(roles), body=body, unit=actor.unit,
        of_units=units, of_office=of_office, other_chief=row.name == "verify" and another_chief(work), merged_from=issue.merged_from,
        kind=issue.kind, ce90_m=UNKNOWN_ACCURACY_M if issue.accuracy_m is None else issue.accuracy_m,
        position_confirmed=issue.position_confirmed, has_position=issue.lon is not None, lead_unit=issue.lead_unit,
        assisting=tuple(issue.assisting), lead_reach=unit.reach if unit else "account",
        lead_is_office=bool(unit and unit.is_office), round=issue.round, returns=issue.returns,
        extensions=issue.extensions, extended_s=extended_s, limit_s=limit_s, asked_s=asked_s,
        rectify_due=rectify.due_at if rectify else None,
        on_site_red=bool(on_site and on_site.due_at and on_site.due_at <= work.now and not issue.half1),
        suspended="suspended" in issue.flags, still_visible="still_visible" in issue.flags, half1=issue.half1,
        half2=issue.half2, assigner=issue.assigner_id, submitter=issue.submitter_id, verifier=issue.verifier_id,
        closer=issue.closer_id, checker=issue.checker_id, named_acceptor=issue.acceptor_id,
        photos=tuple(_fact(photo) for photo in rows), new_photos=tuple(_fact(photo) for photo in named),
        expected_photos=issue.expected_photos, fix=fix, moved_m=moved, step_before_at=issue.step_at,
        similar_open=tuple(similar_open(work, issue)) if row.name == "assign" else (),
        known_units=frozenset(place.units), area_m2=issue.area_m2,
        has_assignment_slip=_has_slip(work, issue), ended_at=issue.ended_at,
        parent_ok=_parent(work, issue, body) is not None if row.name == "merge" else False,
        other_units=_other_units(work, issue) if row.name == "name_acceptor" else frozenset(),
        split_ok=_split_ok(work, issue, body) if row.name == "split" else False,
        appeal_fits=_appeal_fits(work, issue) if row.name == "appeal" else frozenset(),
        appeal_until=_appeal_until(work, issue, str(body.get("against") or "")) if row.name == "appeal" else None,
    )  # fmt: skip
    return case, named


def is_acting_head(work: Work) -> bool:
    """Whether the actor holds a delegation of the head today."""
    if work.actor.person_id is None:
        return False
    today = work.now.astimezone(SHANGHAI).date()
    return work.session.scalar(
        select(m.Delegation.id).where(
            m.Delegation.to_id == work.actor.person_id, m.Delegation.from_on <= today, m.Delegation.to_on >= today
        ).limit(1)
    ) is not None  # fmt: skip


def similar_open(work: Work, issue: m.Issue) -> list[str]:
    """Numbers of other open issues of the kind that may be the same thing."""
    if issue.lon is None or issue.lat is None:
        return []
    at = siting.site_wgs84(work, issue.lon, issue.lat, issue.accuracy_m, "")
    rows = siting.near(work, issue.kind, at, issue.outline)
    return [n.issue.number for n in rows if n.issue.id != issue.id and n.verdict in ("join", "still_visible")][:5]


def _named(work: Work, rows: Sequence[m.Photo], row: Step, body: dict[str, Any]) -> list[m.Photo]:
    """The photos a step names; when it names none, those its actor sent for it and no step has used yet."""
    if "photos" in body:
        by_ref = {photo.ref: photo for photo in rows}
        unknown = [ref for ref in body["photos"] if ref not in by_ref]
        if unknown:
            raise BadInput([Fault("/photos", "unknown_photo", f"没有这张照片：{ref[:40]}。") for ref in unknown])
        return [by_ref[ref] for ref in body["photos"]]
    if row.stage is None and row.name not in ("send_back", "reopen", "correct", "suspend"):
        return []
    mine = work.actor.person_id
    return [photo for photo in rows if photo.step is None and photo.person_id is not None and photo.person_id == mine]


def _fact(photo: m.Photo) -> PhotoFact:
    inside = None if photo.beyond_m is None else photo.beyond_m <= 0
    return PhotoFact(photo.ref, photo.stage, photo.person_id, photo.round, photo.received_at, inside,
                     frozenset(photo.flags))  # fmt: skip


def _has_slip(work: Work, issue: m.Issue) -> bool:
    query = select(m.Slip.id).where(m.Slip.issue_id == issue.id, m.Slip.kind == "assignment").limit(1)
    return work.session.scalar(query) is not None


def parent_of(work: Work, issue: m.Issue, body: dict[str, Any]) -> m.Issue | None:
    return _parent(work, issue, body)


def _parent(work: Work, issue: m.Issue, body: dict[str, Any]) -> m.Issue | None:
    parent = work.session.scalar(select(m.Issue).where(m.Issue.number == str(body.get("parent") or "")))
    if parent is None or parent.id == issue.id:
        return None
    if parent.state in law.OPEN:
        return parent
    fresh = parent.ended_at is not None and work.now - parent.ended_at < timedelta(days=law.MERGE_REOPEN_DAYS)
    return parent if parent.state == "closed" and fresh else None


def _other_units(work: Work, issue: m.Issue) -> frozenset[int]:
    """Persons who hold a way in for another unit, and none for the lead unit or the office."""
    other: set[int] = set()
    ours: set[int] = set()
    for person_id, roles, unit in ways_in(work):
        if unit == issue.lead_unit or set(roles) & set(OFFICE):
            ours.add(person_id)
        elif unit is not None:
            other.add(person_id)
    return frozenset(other - ours)


OFFICE = ("office", "office_head")


def ways_in(work: Work, person_id: int | None = None) -> list[tuple[int, list[str], str | None]]:
    """Every account and token in force, as (person, roles, unit)."""
    accounts = select(m.Account.person_id, m.Account.roles, m.Account.unit).where(m.Account.active.is_(True))
    tokens = select(m.Token.person_id, m.Token.role, m.Token.unit).where(m.Token.revoked_at.is_(None))
    if person_id is not None:
        accounts, tokens = (
            accounts.where(m.Account.person_id == person_id),
            tokens.where(m.Token.person_id == person_id),
        )
    ways = [(who, list(roles), unit) for who, roles, unit in work.session.execute(accounts)]
    return ways + [(who, [role], unit) for who, role, unit in work.session.execute(tokens)]


def memberships(work: Work) -> tuple[frozenset[str], bool]:
    """The units the acting person belongs to, and whether to the office: by every way in, not by this one alone."""
    ways = ways_in(work, work.actor.person_id) if work.actor.person_id is not None else []
    roles = set(work.actor.roles).union(*(set(held) for _, held, _ in ways))
    units = {work.actor.unit, *(unit for _, _, unit in ways)} - {None}
    return frozenset(unit for unit in units if unit), bool(roles & set(OFFICE))


def another_chief(work: Work) -> bool:
    """Whether anybody but the acting person holds a way in as chief."""
    return any("chief" in roles and who != work.actor.person_id for who, roles, _ in ways_in(work))


def _outline_moved_m(issue: m.Issue, outline: dict[str, Any]) -> float | None:
    try:
        lon, lat, _ = outline_facts(outline)
    except GeoError:
        return 0.0  # the step itself says what is wrong with it
    return apart_m(lon, lat, None, issue.lon or 0.0, issue.lat or 0.0, None)


def _split_ok(work: Work, issue: m.Issue, body: dict[str, Any]) -> bool:
    have = set(work.session.scalars(select(m.Sighting.ref).where(m.Sighting.issue_id == issue.id)))
    named = set(body.get("sightings") or ())
    return bool(named) and named < have


def _appeal_fits(work: Work, issue: m.Issue) -> frozenset[str]:
    fits: set[str] = {name for name in ("dismissed", "transferred") if issue.state == name}
    if any(clock.state in ("met_late", "missed") or _late_now(work, clock) for clock in clocks.of(work, issue)):
        fits.add("late")
    return frozenset(fits | {name for name in ("refused_return", "sent_back") if _told_at(work, issue, name)})


def _told_at(work: Work, issue: m.Issue, against: str) -> datetime | None:
    """When the last refused return or send-back was told."""
    event = {"refused_return": "refused", "sent_back": "sent_back"}[against]
    lines = work.session.scalars(
        select(m.Trail).where(m.Trail.issue_id == issue.id, m.Trail.event == event).order_by(m.Trail.seq.desc())
    )
    wanted = (line for line in lines if against == "sent_back" or (line.facts or {}).get("step") == "return")
    return next((line.at for line in wanted), None)


def _late_now(work: Work, clock: m.Clock) -> bool:
    return clock.state == "running" and clock.due_at is not None and clock.due_at <= work.now


def _appeal_until(work: Work, issue: m.Issue, against: str) -> datetime | None:
    """The end of the time to appeal, counted from what is appealed and from nothing the appellant does since."""
    base = issue.ended_at
    if against in ("refused_return", "sent_back"):
        base = _told_at(work, issue, against)
    elif base is None:
        late = [c.due_at for c in clocks.of(work, issue) if c.state in ("met_late", "missed") or _late_now(work, c)]
        base = max((due for due in late if due is not None), default=None)
    if base is None:
        return None
    if work.actor.has("unit"):
        return work.calendar.add(base, law.UNIT_APPEAL_WORKING_DAYS * work.calendar.working_day_s, "working")
    return base + timedelta(days=law.REPORTER_APPEAL_DAYS)
