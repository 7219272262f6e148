"""Taking a step at the desk: photos first, then the step through the API's own path, and the page again on a fault."""

from __future__ import annotations

from flask import Response, request

from patrol.actions import handle, photos
from patrol.actions.photos import Claim
from patrol.errors import BadInput, Clash, Fault, Missing, NeedsVersion, PatrolError, Refused, Stale, WrongStep
from patrol.queries import issues as rows
from patrol.queries import timeline
from patrol.rules import lifecycle
from patrol.web import access, answers, desk_forms, desk_read, parse
from patrol.web.access import door, station
from patrol.web.desk import draw_inbox
from patrol.web.desk_issues import draw_issue
from patrol.web.desk_shell import back_to, bp
from patrol.web.issues import take_step

__all__ = ["bp"]


@door(bp, "POST", "/desk/issues/<issue>/steps/<step>")
def post_step(issue: str, step: str) -> Response:
    """Photos first, then the step through the same path as the API; what fails comes back with all that was written."""
    place = station()
    most = place.settings.photo_max_mb * 1024 * 1024
    parts, files = parse.multipart_body(request, max_file_bytes=most, json_fields=(), many=desk_forms.MANY)
    with place.look(access.actor()) as look:
        found = handle.find_issue(look, issue)
        row = desk_forms.row_of(look, found, step)
        if row is None:
            raise Missing(f"没有「{step[:20]}」这一步。")
        body, faults = desk_read.read(look, found, row, parts)
    faults += _attach(issue, row, [part.content for part in files], skip=bool(_unsure(faults)))
    back = "/desk" if parts.get("back") == "inbox" else f"/desk/issues/{issue}"
    sent = desk_forms.Sent(step, dict(parts), faults)
    try:
        if faults:
            with place.look(access.actor()) as look:
                faults += desk_read.lacks(look, handle.find_issue(look, issue), row, body)
            raise BadInput(_once(faults))
        version = access.whole(parts.get("version", ""), "version") if parts.get("version") else None
        if version is None:
            raise NeedsVersion
        status, _, _ = take_step(issue, step, {**body, "client_id": parts.get("client_id") or None}, version)
    except (BadInput, Stale, WrongStep, Refused, Clash, NeedsVersion) as error:
        return _again(issue, step, sent, error)
    return back_to(back, f"asked:{step}" if status == 202 else step, issue)


def _unsure(faults: list[Fault]) -> list[Fault]:
    return [fault for fault in faults if fault.code == "sure"]


def _once(faults: list[Fault]) -> list[Fault]:
    return list({(fault.where, fault.sentence): fault for fault in faults}.values())


def _attach(issue: str, row: lifecycle.Step, contents: list[bytes], *, skip: bool) -> list[Fault]:
    """Each photo by itself: one that is refused does not cost the others."""
    if skip or not contents:
        return []
    place, faults = station(), []
    place.room()
    for content in contents:
        try:
            shot = photos.take_in(place, content)
            with place.work(access.actor()) as work:
                photos.check_day(work)
                photos.attach(work, handle.find_issue(work, issue, lock=True), row.stage or "receipt", shot, Claim())
        except BadInput as error:
            faults += [Fault("photo", fault.code, fault.sentence) for fault in error.faults]
    return faults


def _again(issue: str, step: str, sent: desk_forms.Sent, error: PatrolError) -> Response:
    """The page once more, with the values kept: every fault, or who changed the issue meanwhile."""
    sent.status = answers.status_of(error)
    with station().look(access.actor()) as look:
        found = handle.find_issue(look, issue)
        if isinstance(error, BadInput):
            sent.faults = list(error.faults)
        elif isinstance(error, Stale | WrongStep):
            sent.conflict = timeline.last_change(look, rows.trail(look, found))
        else:
            sent.faults = [Fault("", error.code, error.sentence)]
        if sent.values.get("back") == "inbox" and found.state == "reported":
            return draw_inbox(look, issue, sent=sent)
        return draw_issue(look, found, step, sent=sent)


@door(bp, "POST", "/desk/issues/<issue>/photos/<photo>/release")
def release(issue: str, photo: str) -> Response:
    parse.form_body(request)
    with station().work(access.actor()) as work:
        found = handle.find_issue(work, issue, lock=True)
        photos.release(work, found, [photos.find(work, found, photo)])
    return back_to(f"/desk/issues/{issue}", "release")
