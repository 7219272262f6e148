"""What treatment changed: for each issue a new flight saw again, its place compared with an earlier round.

A figure beside the case, never a step of it: it closes nothing, moves no state, and what was not seen well enough is
`not_observed`. Illegal fishing is not compared: what was there has left, and people may be on the pictures.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from shapely.geometry import Point, shape
from sqlalchemy import select

from geodata.crs import local_xy
from geodata.errors import GeoError
from patrol import models as m
from patrol.actions.blurring import KIND as FISHING
from patrol.actions.blurring import people_on
from patrol.actions.flights.register import new_ref
from patrol.gateways import pictures
from patrol.rules.lifecycle import OPEN
from patrol.rules.problems import UNKNOWN_ACCURACY_M
from patrol.station import SYSTEM, Station, Work

if TYPE_CHECKING:
    from geodata.effect.compare import Effect

CLOSED_DAYS = 90
LEAST_RADIUS_M = 4.0  # of the circle that stands for an issue without an outline
KINDS = ("raster", "photo")  # what can be compared, the better first


def plan_effects(station: Station, flight_id: int) -> int:
    """After a flight: owe a comparison for every issue it saw again; returns how many. Twice is once."""
    with station.work(SYSTEM) as work:
        flight = work.session.get_one(m.Flight, flight_id)
        work.only_one(f"effects:{flight_id}")
        seen = _frames(work, m.Frame.flight_id == flight_id)
        owed = 0
        for issue in _issues(work) if seen else ():
            pair = _pair(work, issue, flight, seen)
            if pair is not None and not _known(work, issue, *pair):
                work.tell("effect_due", subject=f"flight:{flight.id}", number=issue.number, about=issue.id,
                          before=pair[0].id, after=pair[1].id)  # fmt: skip
                owed += 1
        return owed


def reckon_effect(station: Station, issue_id: int, before_id: int, after_id: int) -> m.Effect | None:
    """Compare two frames at one issue and keep what came of it; a second call for the same two does nothing."""
    with station.look(SYSTEM) as look:
        issue = look.session.get_one(m.Issue, issue_id)
        before, after = look.session.get_one(m.Frame, before_id), look.session.get_one(m.Frame, after_id)
        if _known(look, issue, before, after):
            return None
        outline, again = outline_of(issue), _seen_again(look, issue, after)
        veiled = any(people_on(look, frame.sha256) is not None for frame in (before, after))
    found = _compared(station, before, after, outline, again)
    shown = [(_clean(data, veiled)) for data in (found.pair.before, found.pair.after)] if found.pair else []
    with station.work(SYSTEM) as work:
        work.only_one(f"effect:{issue_id}")
        if _known(work, issue, before, after):
            return None
        row = m.Effect(
            ref=new_ref(), issue_id=issue_id, before_id=before_id, after_id=after_id, verdict=found.verdict,
            facts=found.to_json(), bounds=list(found.pair.bounds) if found.pair else None, at=work.now,
            before_sha256=sha256(shown[0]).hexdigest() if shown else None,
            after_sha256=sha256(shown[1]).hexdigest() if shown else None,
        )  # fmt: skip
        for data in shown:
            work.before_commit.append(partial(work.photos.put, data))
        work.session.add(row)
        work.session.flush()
        work.tell("effect_reckoned", subject=f"effect:{row.id}", issue=issue.number, verdict=row.verdict,
                  before=before.ref, after=after.ref)  # fmt: skip
        return row


def outline_of(issue: m.Issue) -> dict[str, Any]:
    """The ground of an issue: its outline, or a circle as wide as its position is uncertain."""
    if issue.outline is not None and issue.outline.get("type") in ("Polygon", "MultiPolygon"):
        return issue.outline
    assert issue.lon is not None and issue.lat is not None  # only issues with a position are compared
    frame = local_xy(issue.lon, issue.lat)
    error_m = UNKNOWN_ACCURACY_M if issue.accuracy_m is None else issue.accuracy_m
    ring = Point(0, 0).buffer(max(LEAST_RADIUS_M, min(error_m, UNKNOWN_ACCURACY_M))).exterior.coords
    lonlat = [[float(part) for part in frame.inverse(x, y)] for x, y in ring]
    return {"type": "Polygon", "coordinates": [lonlat]}


def _compared(
    station: Station, before: m.Frame, after: m.Frame, outline: dict[str, Any], again: bool | None
) -> Effect:  # fmt: skip
    from geodata.effect.compare import Effect, compare
    from geodata.effect.verdict import unseen

    with ExitStack() as lent:
        paths = [lent.enter_context(station.store.lend(frame.sha256)) for frame in (before, after)]
        try:
            return compare(paths[0], paths[1], outline, station.place.water, again)
        except GeoError as error:  # a file that has no place any more: not observed, with its reason
            judged = unseen(error.code, error.sentence.rstrip("。"))
            return Effect(judged.verdict, judged.code, judged.reason, judged.tests)


def _clean(data: bytes, veiled: bool) -> bytes:
    return pictures.blurred(data) if veiled else data


def _issues(work: Work) -> list[m.Issue]:
    """Open issues, and those closed within ninety days, that have a position."""
    since = work.now - timedelta(days=CLOSED_DAYS)
    lately = (m.Issue.state == "closed") & (m.Issue.changed_at > since)
    query = select(m.Issue).where(
        m.Issue.kind != FISHING, m.Issue.lon.is_not(None), m.Issue.lat.is_not(None),
        m.Issue.state.in_(sorted(OPEN)) | lately,
    )  # fmt: skip
    return list(work.session.scalars(query.order_by(m.Issue.id)))


def _frames(work: Work, *which: Any) -> list[m.Frame]:
    query = select(m.Frame).where(
        *which, m.Frame.kind.in_(KINDS), m.Frame.state == "read", m.Frame.footprint.is_not(None)
    )
    return list(work.session.scalars(query.order_by(m.Frame.id)))


def _pair(work: Work, issue: m.Issue, flight: m.Flight, seen: list[m.Frame]) -> tuple[m.Frame, m.Frame] | None:
    """The frame of this flight and the one of an earlier round that show an issue best; None without both."""
    spot = Point(issue.lon, issue.lat)
    after = _best(seen, spot)
    if after is None:
        return None
    of_round = work.session.get_one(m.Round, flight.round_id)
    earlier = (
        select(m.Flight.id).join(m.Round).where(m.Round.no < of_round.no, m.Flight.state.in_(("settled", "reading")))
    )
    found_on = set(
        work.session.scalars(
            select(m.Detection.frame_id)
            .join(m.Thing, m.Thing.id == m.Detection.thing_id)
            .join(m.Sighting, m.Sighting.id == m.Thing.sighting_id)
            .where(m.Sighting.issue_id == issue.id)
        )
    )
    candidates = _frames(work, m.Frame.flight_id.in_(earlier), m.Frame.kind == after.kind)
    own = [frame for frame in candidates if frame.id in found_on]
    before = _best(own, spot) or _best(candidates, spot, near=issue)
    return (before, after) if before is not None else None


def _best(frames: list[m.Frame], spot: Point, near: m.Issue | None = None) -> m.Frame | None:
    """The frame that shows a spot nearest to its middle: rasters first, then (of `near`) nearest to when it was found."""
    rated = []
    for frame in frames:
        ground = shape(frame.footprint)
        if ground.is_valid and ground.covers(spot):
            age_s = (
                0.0 if near is None else abs(((frame.taken_at or frame.received_at) - near.found_at).total_seconds())
            )
            rated.append(
                (KINDS.index(frame.kind), round(age_s / 86_400), ground.centroid.distance(spot), frame.id, frame)
            )
    return min(rated)[-1] if rated else None


def _seen_again(look: Work, issue: m.Issue, after: m.Frame) -> bool | None:
    """Whether the later frame was found to show this kind here; None where nothing looks for kinds (plain photos)."""
    if after.kind != "raster":
        return None
    ground = shape(outline_of(issue))
    rows = look.session.scalars(
        select(m.Detection).where(m.Detection.frame_id == after.id, m.Detection.kind == issue.kind)
    )
    return any(ground.intersects(shape(row.outline) if row.outline else Point(row.lon, row.lat)) for row in rows)


def _known(work: Work, issue: m.Issue, before: m.Frame, after: m.Frame) -> bool:
    query = select(m.Effect.id).where(
        m.Effect.issue_id == issue.id, m.Effect.before_id == before.id, m.Effect.after_id == after.id
    )
    return work.session.scalar(query) is not None
