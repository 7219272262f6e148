"""Questions about issues, answered as plain rows and cut by who asks (`patrol.rules.rights`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, false, func, or_, select

from patrol import models as m
from patrol.queries import clockwords
from patrol.queries.words import person_name, place_words, shown
from patrol.rules import lifecycle, rights
from patrol.rules.calendar import SHANGHAI
from patrol.rules.problems import PROBLEMS
from patrol.station import Actor, Work

PAGE = 200
CHANGES = 500


@dataclass(frozen=True)
class Filter:
    """What a list is narrowed to."""

    bbox: tuple[float, float, float, float] | None = None
    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    unit: str | None = None
    since: datetime | None = None
    overdue: bool | None = None
    words: str = ""
    page: int = 1
    size: int = PAGE
    newest_first: bool = False
    chainage_m: tuple[float, float] | None = None  # a stretch of the river


def scope(actor: Actor) -> ColumnElement[bool]:
    """The issues an actor may see at all, as one predicate; the public has its own question."""
    scopes = {rights.ROLES[role].scope for role in actor.roles if role in rights.ROLES}
    if "all" in scopes:
        return m.Issue.id.is_not(None)
    parts: list[ColumnElement[bool]] = []
    if "unit" in scopes and actor.unit is not None:
        parts.append(and_(m.Issue.assigned_at.is_not(None), or_(m.Issue.lead_unit == actor.unit, _assists(actor.unit))))
    if "grid" in scopes:
        parts.append(m.Issue.id.is_not(None) if actor.grids is None else m.Issue.grid.in_(sorted(actor.grids)))
    if scopes & {"unit", "grid"} and actor.person_id is not None:
        parts.append(m.Issue.acceptor_id == actor.person_id)  # the acceptor a chief named, of whatever unit
    return or_(*parts) if parts else false()


def _assists(unit: str) -> ColumnElement[bool]:
    """A JSON list of short codes: the code in its quotes is found as text on both databases."""
    return cast(m.Issue.assisting, String).contains(f'"{unit}"', autoescape=True)


def public_set() -> ColumnElement[bool]:
    """What anybody may see: from supervised on, never a hidden kind, never a tips-only issue until closed."""
    kinds = [code for code, row in PROBLEMS.items() if row.public]
    return and_(
        m.Issue.state.in_(sorted(rights.PUBLIC_STATES)),
        m.Issue.kind.in_(kinds),
        or_(m.Issue.tips_only.is_(False), m.Issue.state == "closed"),
    )


def overdue_now(now: datetime, view: rights.View = "full") -> ColumnElement[bool]:
    """Issues with a running clock past its due; of the clocks this view may see."""
    late = select(m.Clock.issue_id).where(
        m.Clock.issue_id.is_not(None), m.Clock.state == "running", m.Clock.due_at <= now
    )
    if view != "full":
        late = late.where(m.Clock.name.in_(sorted(rights.WORK_CLOCKS)))
    return m.Issue.id.in_(late)


def _narrow(query: Select[Any], chosen: Filter, now: datetime, view: rights.View = "full") -> Select[Any]:
    if chosen.bbox is not None:
        west, south, east, north = chosen.bbox
        query = query.where(m.Issue.lon.between(west, east), m.Issue.lat.between(south, north))
    if chosen.chainage_m is not None:
        query = query.where(m.Issue.chainage_m.between(*chosen.chainage_m))
    if chosen.states:
        query = query.where(m.Issue.state.in_(chosen.states))
    if chosen.kinds:
        query = query.where(m.Issue.kind.in_(chosen.kinds))
    if chosen.unit:
        query = query.where(m.Issue.lead_unit == chosen.unit)
    if chosen.since is not None:
        query = query.where(m.Issue.changed_at >= chosen.since)
    if chosen.overdue is not None:
        late = and_(overdue_now(now, view), m.Issue.state.in_(lifecycle.OPEN))
        query = query.where(late if chosen.overdue else ~late)
    if chosen.words:
        query = query.where(m.Issue.number.contains(chosen.words.upper(), autoescape=True))
    return query


def rows(work: Work, chosen: Filter) -> tuple[list[m.Issue], bool]:
    """One page of issues in the actor's scope, and whether there are more."""
    view = rights.view_of(work.actor.roles)
    query = _narrow(select(m.Issue).where(scope(work.actor)), chosen, work.now, view)
    order = m.Issue.id.desc() if chosen.newest_first else m.Issue.id
    query = query.order_by(order).offset((chosen.page - 1) * chosen.size).limit(chosen.size + 1)
    found = list(work.session.scalars(query))
    return found[: chosen.size], len(found) > chosen.size


def count(work: Work, chosen: Filter) -> int:
    view = rights.view_of(work.actor.roles)
    query = _narrow(select(func.count(m.Issue.id)).where(scope(work.actor)), chosen, work.now, view)
    return work.session.scalar(query) or 0


def listing(work: Work, chosen: Filter) -> tuple[dict[str, Any], bool]:
    """One page as GeoJSON, cut by view."""
    found, more = rows(work, chosen)
    view = rights.view_of(work.actor.roles)
    clocks = clockwords.of_issues(work, [issue.id for issue in found])
    features = [_feature(work, issue, view, clocks.get(issue.id, [])) for issue in found]
    return {"type": "FeatureCollection", "features": features}, more


def _feature(work: Work, issue: m.Issue, view: rights.View, clocks: list[m.Clock]) -> dict[str, Any]:
    read = [clockwords.brief(work, clock) for clock in shown_clocks(view, clocks)]
    fields: dict[str, Any] = {
        "issue": issue.number, "state": issue.state, "kind": issue.kind, "clocks": read,
        "chainage_m": issue.chainage_m, "bank": issue.bank, "unit": issue.lead_unit, "version": issue.version,
        "overdue": issue.state in lifecycle.OPEN and any(c["status"] == "late" for c in read),
        "flags": flags(issue), "month": month(issue),
    }  # fmt: skip
    geometry = None
    if issue.lon is not None and rights.sees(view, "position"):
        geometry = {"type": "Point", "coordinates": [issue.lon, issue.lat]}
    return {"type": "Feature", "geometry": geometry, "properties": rights.cut(view, fields)}


def public_listing(work: Work, chosen: Filter) -> tuple[dict[str, Any], bool]:
    """The public set: state, kind, month and a 100 m mark; no number, no words, no clocks."""
    query = select(m.Issue).where(public_set())
    query = _narrow(query, Filter(states=chosen.states, kinds=chosen.kinds), work.now).order_by(m.Issue.id)
    features = []
    for issue in work.session.scalars(query):
        mark = mark_100m(work, issue)
        if chosen.bbox is not None and not _inside(mark, chosen.bbox):
            continue  # by the mark, never by the real position: a box must not tell more than the answer does
        fields = {"state": issue.state, "kind": issue.kind, "month": month(issue)}
        geometry = {"type": "Point", "coordinates": list(mark)} if mark else None
        features.append({"type": "Feature", "geometry": geometry, "properties": rights.cut("public", fields)})
    start = (chosen.page - 1) * chosen.size
    page = features[start : start + chosen.size]
    return {"type": "FeatureCollection", "features": page}, len(features) > start + chosen.size


def mark_100m(work: Work, issue: m.Issue) -> tuple[float, float] | None:
    """The 100 m chainage mark an issue is shown at to the public."""
    river = work.place.river
    if river is not None and issue.chainage_m is not None:
        lon, lat = river.point_at(min(round(issue.chainage_m / 100) * 100, river.length_m))
        return round(lon, 5), round(lat, 5)
    if issue.lon is None or issue.lat is None:
        return None
    return round(issue.lon, 3), round(issue.lat, 3)


def month(issue: m.Issue) -> str:
    """The month it was found in, as the calendar on the wall has it."""
    return issue.found_at.astimezone(SHANGHAI).strftime("%Y-%m")


def _inside(mark: tuple[float, float] | None, bbox: tuple[float, float, float, float]) -> bool:
    return mark is not None and bbox[0] <= mark[0] <= bbox[2] and bbox[1] <= mark[1] <= bbox[3]


def flags(issue: m.Issue) -> dict[str, str]:
    """The flags that stand beside the state, with their words."""
    return {name: lifecycle.FLAGS[name] for name in lifecycle.FLAGS if name in issue.flags}


def shown_clocks(view: rights.View, clocks: Iterable[m.Clock]) -> list[m.Clock]:
    """The clocks a view may see: all, or those from the first slip on."""
    return [clock for clock in clocks if view == "full" or clock.name in rights.WORK_CLOCKS]


def detail(work: Work, issue: m.Issue) -> dict[str, Any]:
    """One issue with everything this actor may see of it."""
    view = rights.view_of(work.actor.roles)
    place = work.place
    clocks = shown_clocks(view, clockwords.of_issues(work, [issue.id]).get(issue.id, []))
    read = [clockwords.full(work, clock) for clock in clocks]
    kind = PROBLEMS[issue.kind]
    position = None
    if issue.lon is not None:
        position = {"lon": issue.lon, "lat": issue.lat, "crs": "wgs84", "accuracy_m": issue.accuracy_m,
                    "confirmed": issue.position_confirmed}  # fmt: skip
        if view == "full":
            position["method"] = issue.position_method  # how it was found tells by whom
    unit = place.units.get(issue.lead_unit or "")
    fields: dict[str, Any] = {
        "issue": issue.number, "version": issue.version, "state": issue.state, "kind": issue.kind,
        "chainage_m": issue.chainage_m, "bank": issue.bank, "position": position, "outline": issue.outline,
        "place": place_words(work, issue), "grid": issue.grid, "unit": issue.lead_unit, "assisting": issue.assisting,
        "words": issue.words, "clocks": read, "flags": flags(issue), "round": issue.round, "finding": issue.half1,
        "overdue": issue.state in lifecycle.OPEN and any(c["status"] == "late" for c in read),
        "assigned_at": shown(issue.assigned_at), "turn": turn(issue, unit.name if unit else None),
        "conditions": {"filing": kind.filing, "closing": kind.closing, "requirement": kind.requirement,
                       "checklist": list(kind.checklist)},
        "slips": slips(work, issue), "photos": photos(work, issue, view), "requests": requests(work, issue, view),
        "photos_due": photos_due(work, issue),
    }  # fmt: skip
    if view == "full":
        fields |= _full(work, issue)
    return rights.cut(view, fields)


def turn(issue: m.Issue, unit: str | None) -> str:
    """轮到谁: whose act the issue waits for."""
    if issue.state == "reported":
        return "环保办"
    if issue.state == "assigned":
        return "网格员到场" if not issue.half1 else "环保办确认"
    if issue.state == "supervised":
        return unit or "责任单位"
    return {"rectified": "环保办验收", "verified": "环保办负责人销号"}.get(issue.state, "")


def slips(work: Work, issue: m.Issue) -> list[dict[str, Any]]:
    query = select(m.Slip).where(m.Slip.issue_id == issue.id).order_by(m.Slip.id)
    found = []
    for slip in work.session.scalars(query):
        pushes = work.session.scalar(select(func.max(m.Errand.pushes)).where(m.Errand.slip_id == slip.id)) or 0
        found.append({
            "number": slip.number, "kind": slip.kind, "printed_number": slip.printed_number,
            "revision": slip.revision, "superseded": slip.superseded_by is not None, "made_at": shown(slip.made_at),
            "check_code": slip.check_code, "pushes": pushes,
            "pdf": f"/api/v1/slips/{slip.number}.pdf", "json": f"/api/v1/slips/{slip.number}.json",
        })  # fmt: skip
    return found


def photos_due(work: Work, issue: m.Issue) -> dict[str, int] | None:
    """How many photos phones have announced for this issue and not yet brought whole; None when nothing is on its way."""
    rows = work.session.execute(
        select(m.ParcelPhoto.state, func.count(m.ParcelPhoto.id)).join(m.Parcel, m.Parcel.id == m.ParcelPhoto.parcel_id)
        .where(m.Parcel.issue_id == issue.id, m.Parcel.state == "open").group_by(m.ParcelPhoto.state)
    )  # fmt: skip
    counts = {row[0]: int(row[1]) for row in rows}
    expected = sum(counts.values())
    return {"expected": expected, "received": counts.get("whole", 0)} if expected else None


def may_see_photo(work: Work, photo: m.Photo, view: rights.View) -> bool:
    """Full views see all; the work view sees what was released to it and what it sent itself."""
    if view == "full":
        return True
    own = photo.person_id is not None and photo.person_id == work.actor.person_id
    same_unit = photo.unit is not None and photo.unit == work.actor.unit
    return view == "work" and (photo.released or own or same_unit)


def _may_date(work: Work, issue: m.Issue, photo: m.Photo, view: rights.View) -> bool:
    """When a photo came in before the first slip would tell when, and so from whom, the issue came."""
    own = photo.person_id is not None and photo.person_id == work.actor.person_id
    return view == "full" or own or (issue.assigned_at is not None and photo.received_at >= issue.assigned_at)


def photos(work: Work, issue: m.Issue, view: rights.View) -> list[dict[str, Any]]:
    found = []
    for photo in work.session.scalars(select(m.Photo).where(m.Photo.issue_id == issue.id).order_by(m.Photo.id)):
        if not may_see_photo(work, photo, view):
            continue
        one: dict[str, Any] = {
            "photo_id": photo.ref, "stage": photo.stage, "round": photo.round,
            "received_at": shown(photo.received_at) if _may_date(work, issue, photo, view) else None,
            "width": photo.width, "height": photo.height, "url": f"/api/v1/issues/{issue.number}/photos/{photo.ref}",
            "lost": not work.photos.has(photo.sha256),
        }  # fmt: skip
        if view == "full":
            one |= {"flags": photo.flags, "sha256": photo.sha256, "released": photo.released, "source": photo.source,
                    "by": person_name(work, photo.person_id), "taken_at": shown(photo.taken_at),
                    "accuracy_m": photo.accuracy_m, "beyond_m": photo.beyond_m}  # fmt: skip
        found.append(one)
    return found


def requests(work: Work, issue: m.Issue, view: rights.View) -> list[dict[str, Any]]:
    """The requests on an issue: whole to full views, one's own and one's unit's to the work view."""
    query = select(m.Request).where(m.Request.issue_id == issue.id).order_by(m.Request.id)
    found = []
    for request in work.session.scalars(query):
        if view == "full" or _may_see_request(work, request):
            found.append(request_row(work, request, issue, full=view == "full"))
    return found


def request_row(work: Work, request: m.Request, issue: m.Issue, *, full: bool) -> dict[str, Any]:
    row = lifecycle.STEPS[request.step]
    one: dict[str, Any] = {
        "id": request.id, "issue": issue.number, "step": row.verb, "zh": row.zh, "state": request.state,
        "version": request.version, "asked_at": shown(request.asked_at), "decide_by": shown(request.decide_by),
        "reason": request.body.get("reason") or request.body.get("words") or "", "words": request.words,
        "approval": lifecycle.APPROVALS[request.approval].zh,
    }  # fmt: skip
    if full:
        one |= {"asker": person_name(work, request.asker_id) or "反映人", "body": _plain(request.body),
                "decider": person_name(work, request.decider_id)}  # fmt: skip
    return one


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "client_id"}


def _full(work: Work, issue: m.Issue) -> dict[str, Any]:
    sightings = list(
        work.session.scalars(select(m.Sighting).where(m.Sighting.issue_id == issue.id).order_by(m.Sighting.id))
    )
    errands = work.session.scalars(
        select(m.Errand).where(m.Errand.issue_id == issue.id, m.Errand.group.is_not(None)).order_by(m.Errand.id)
    )
    links = work.session.execute(
        select(m.Issue.number, m.Issue.origin_how, m.Issue.state).where(
            or_(m.Issue.origin_id == issue.id, m.Issue.parent_id == issue.id)
        )
    ).all()
    origin = work.session.get(m.Issue, issue.origin_id) if issue.origin_id else None
    parent = work.session.get(m.Issue, issue.parent_id) if issue.parent_id else None
    people = {"assigner": issue.assigner_id, "checker": issue.checker_id, "confirmer": issue.confirmer_id,
              "submitter": issue.submitter_id, "verifier": issue.verifier_id, "closer": issue.closer_id,
              "acceptor": issue.acceptor_id}  # fmt: skip
    return {
        "sightings": [sighting_row(work, sighting) for sighting in sightings],
        "channels": sorted({sighting.channel for sighting in sightings}),
        "reporter_count": len(sightings),
        "opened_at": shown(issue.opened_at),
        "trail_head": issue.trail_head,
        "persons": {name: person_name(work, who) for name, who in people.items() if who is not None},
        "deliveries": [delivery_row(errand) for errand in errands],
        "links": {
            "origin": {"issue": origin.number, "how": issue.origin_how} if origin else None,
            "parent": parent.number if parent else None,
            "followers": [{"issue": number, "how": how, "state": state} for number, how, state in links],
        },
    }


def sighting_row(work: Work, sighting: m.Sighting) -> dict[str, Any]:
    """A sighting as the office side sees it: never a contact, a code or a key."""
    photos = work.session.scalars(select(m.Photo).where(m.Photo.sighting_id == sighting.id).order_by(m.Photo.id))
    position = None
    if sighting.lon is not None:
        position = {"lon": sighting.lon, "lat": sighting.lat, "crs": "wgs84", "accuracy_m": sighting.accuracy_m,
                    "method": sighting.position_method, "given": sighting.given}  # fmt: skip
    return {
        "clue": sighting.ref, "channel": sighting.channel, "channel_zh": rights.CHANNELS[sighting.channel],
        "state": sighting.state, "why": sighting.why, "kind": sighting.kind, "words": sighting.words,
        "place_words": sighting.place_words, "position": position, "outline": sighting.outline,
        "area_m2": sighting.area_m2, "chainage_m": sighting.chainage_m, "bank": sighting.bank, "grid": sighting.grid,
        "score": sighting.score, "trust": sighting.trust, "flight": sighting.flight, "frame": sighting.frame, "round": sighting.round_no,
        "warnings": sighting.warnings, "seen_at": shown(sighting.seen_at), "received_at": shown(sighting.received_at),
        "expires_at": shown(sighting.expires_at), "ellipse": sighting.ellipse,
        "sealed": sighting.identity_sealed is not None, "callback": sighting.callback_sealed is not None,
        "photos": [{"photo_id": photo.ref, "width": photo.width, "height": photo.height} for photo in photos],
    }  # fmt: skip


def delivery_row(errand: m.Errand) -> dict[str, Any]:
    return {
        "id": errand.id, "card": errand.handler.removeprefix("card:"), "group": errand.group, "state": errand.state,
        "tries": errand.tries, "pushes": errand.pushes, "made_at": shown(errand.made_at),
        "done_at": shown(errand.done_at), "last_error": errand.last_error,
    }  # fmt: skip


def trail(work: Work, issue: m.Issue) -> list[dict[str, Any]]:
    """The lines of an issue: whole to those whose role says so, from the first slip on and cut to the others."""
    whole = any(rights.ROLES[role].whole_trail for role in work.actor.roles if role in rights.ROLES)
    query = select(m.Trail).where(m.Trail.issue_id == issue.id).order_by(m.Trail.seq)
    lines: list[dict[str, Any]] = []
    begun = whole
    for line in work.session.scalars(query):
        facts = line.facts or {}
        begun = begun or "slip" in facts
        if not begun:
            continue
        one: dict[str, Any] = {"seq": line.seq, "event": line.event, "at": shown(line.at)}
        if whole:
            one |= {"person": person_name(work, line.person_id), "role": line.role, "facts": facts, "digest": line.mac}
        else:
            if line.event not in WORK_EVENTS or not _of_theirs(work, line):
                continue
            one["facts"] = {name: facts[name] for name in WORK_FACTS if name in facts}
            one["seq"] = len(lines) + 1  # its own count: a gap would tell how much was said before
        lines.append(one)
    return lines


def _of_theirs(work: Work, line: m.Trail) -> bool:
    """Whether a line of asking and deciding is about a request the work view may see: a reporter's own is not."""
    if line.event not in REQUEST_EVENTS:
        return True
    request_id = (line.facts or {}).get("request")
    request = work.session.get(m.Request, request_id) if isinstance(request_id, int) else None
    return request is None or _may_see_request(work, request)


def _may_see_request(work: Work, request: m.Request) -> bool:
    mine = request.asker_id is not None and request.asker_id == work.actor.person_id
    return mine or (request.asker_role == "unit" and work.actor.has("unit"))


REQUEST_EVENTS = frozenset({"asked", "decided", "refused", "withdrawn"})
# what the work view sees of a trail: the steps it takes part in, and of those only what was said to it
WORK_EVENTS = frozenset({
    "assigned", "reassigned", "returned", "received", "on_site", "half_confirmed", "supervised", "cleared", "progressed",
    "extended", "suspended", "resumed", "submitted", "handled_here", "sent_back", "verified", "closed", "forced",
    "pressed", "corrected", "asked", "decided", "refused", "withdrawn",
})  # fmt: skip
WORK_FACTS = ("step", "from", "to", "reason", "words", "slip", "lead_unit", "round", "by", "finding")


LAST_ID = 2**31 - 1  # what an id's column can hold


def changes(work: Work, since: int) -> dict[str, Any]:
    """What changed in scope after a cursor, longest ago first: issues with their version, and the next cursor."""
    newest = func.max(m.Trail.id)
    since = min(since, LAST_ID)  # "from now on" may be asked with any large number
    query = (
        select(m.Issue.number, m.Issue.version, m.Issue.state, newest)
        .join(m.Trail, m.Trail.issue_id == m.Issue.id)
        .where(scope(work.actor), m.Trail.id > since)
        .group_by(m.Issue.id).order_by(newest).limit(CHANGES + 1)
    )  # fmt: skip
    rows_ = work.session.execute(query).all()
    more = len(rows_) > CHANGES
    # a cut answer ends where it was cut, so that the rest comes with the next question
    end = rows_[CHANGES - 1][3] if more else work.session.scalar(select(newest)) or 0
    found = [{"issue": number, "version": version, "state": state} for number, version, state, _ in rows_[:CHANGES]]
    return {"since": since, "next": end, "more": more, "changes": found}
