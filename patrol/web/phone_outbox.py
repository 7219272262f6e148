"""Doors of the phone's outbox: a draft announced, its photos in pieces, the draft taken or given up, and what is kept
on the phone for the time without a network.

The phone is told of each photo by itself and keeps everything until then. Nothing here decides a step.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, jsonify, request
from pydantic import Field
from sqlalchemy import select

from patrol import models as m
from patrol.actions import handle, outbox, photos
from patrol.actions.photos import Shot
from patrol.errors import BadInput, Fault, Missing, Stale, WrongStep
from patrol.queries import timeline
from patrol.queries.issues import trail
from patrol.rules import lifecycle
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import access, fields, parse, phone_forms, phone_view, reports, wire
from patrol.web.access import door, station
from patrol.web.issues import read_claim
from patrol.web.phone_steps import PAGES
from patrol.web.phone_take import act, report_body

bp = Blueprint("outbox", __name__)
Moment = fields.Moment  # the model below has a part called `fields`
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ExpectedIn(fields.Strict):
    """One photo the phone will send, and what it says of it."""

    sha256: Digest
    bytes: Annotated[int, Field(ge=1, le=2**31)]
    claim: dict[str, Any] | None = None


class ParcelIn(fields.Strict):
    """A draft of the phone: what, of which issue, the fields of its form, the photos to expect."""

    client_id: fields.ClientId
    what: Literal["step", "photos", "report"]
    issue: fields.Key | None = None
    step: fields.Code | None = None
    stage: fields.Code | None = None
    fields: dict[str, Annotated[str, Field(max_length=4000)] | Annotated[list[str], Field(max_length=40)]]
    photos: Annotated[list[ExpectedIn], Field(max_length=outbox.MOST_PHOTOS)] = []
    based_at: Moment | None = None


class SendIn(fields.Strict):
    """The version the phone last saw; after a refusal, the one the person has now seen."""

    version: Annotated[int, Field(ge=1, le=2**31)] | None = None


class NothingIn(fields.Strict):
    """An act that carries nothing."""


@door(bp, "POST", "/phone/outbox")
def post_parcel() -> tuple[Response, int]:
    """Announce a draft. A report is taken at once: nobody waits for its photos."""
    body = fields.read_model(ParcelIn, parse.json_body(request))
    who, place = access.actor(), station()
    place.room()
    draft = _draft(body)
    said = report_body(dict(draft.body)) if body.what == "report" else None
    with place.work(who) as work:
        row = handle.find_issue(work, body.issue) if body.issue and said is None else None
        parcel = outbox.announce(work, draft, row)
        ref = parcel.ref
    if said is not None and parcel.sighting_ref is None and parcel.state == "open":
        said["client_id"] = str(body.client_id)
        _, answer = reports.take(who, fields.read_model(fields.ReportIn, said), said, [])
        answer = {**answer, "kind": PROBLEMS[said["kind"]].zh, "photos": len(draft.photos)}
        with place.work(who) as work:
            parcel = outbox.find(work, ref)
            parcel.sighting_ref, parcel.answer = answer["report_id"], answer
            if answer["issue"]:
                parcel.issue_id = handle.find_issue(work, answer["issue"]).id
    return jsonify(_told(ref)), 201


def _draft(body: ParcelIn) -> outbox.Draft:
    expected = []
    for one in body.photos:
        read_claim(one.claim)
        expected.append(outbox.Expected(one.sha256, one.bytes, one.claim or {}))
    faults = []
    if body.what == "step" and body.step not in PAGES:
        faults.append(Fault("step", "step", "这一步请在电脑上办。"))
    if body.what == "photos" and body.stage not in lifecycle.PHOTO_STAGES:
        faults.append(Fault("stage", "unknown_stage", "没有这个照片阶段。"))
    if body.what != "report" and not body.issue:
        faults.append(Fault("issue", "issue", "没说是哪一件。"))
    if faults:
        raise BadInput(faults)
    return outbox.Draft(str(body.client_id), body.what, body.fields, expected, body.step or "", body.stage or "",
                        body.based_at)  # fmt: skip


def _told(ref: str) -> dict[str, Any]:
    """A parcel as its phone needs it: how much of each photo is here, and the answer where there is one."""
    place = station()
    with place.look(access.actor()) as look:
        parcel = outbox.find(look, ref)
        listed = [{"sha256": one.sha256, "state": one.state, "offset": outbox.offset_of(place, parcel, one)}
                  for one in outbox.photos_of(look, parcel)]  # fmt: skip
        return {"parcel": parcel.ref, "state": parcel.state, "photos": listed, "answer": parcel.answer,
                "piece_bytes": outbox.PIECE_BYTES}  # fmt: skip


@door(bp, "GET", "/phone/outbox/<parcel>")
def get_parcel(parcel: str) -> Response:
    return jsonify(_told(parcel))


@door(bp, "PUT", "/phone/outbox/<parcel>/<photo>")
def put_piece(parcel: str, photo: str) -> Response:
    """The bytes of one photo from `offset` on; answered once they are on disk. `whole` is the acknowledgement."""
    args = parse.query_args(request, ("offset",))
    offset = access.whole(args.get("offset", ""), "offset", least=0, most=2**31)
    place = station()
    place.room()
    wire.require_type(request, "application/octet-stream")
    now = outbox.take_piece(place, access.actor(), parcel, photo, offset, wire.chunks(request, outbox.PIECE_BYTES))
    with place.look(access.actor()) as look:
        row = outbox.find_photo(look, outbox.find(look, parcel), photo)
        return jsonify({"sha256": photo, "offset": now, "state": row.state})


@door(bp, "POST", "/phone/outbox/<parcel>/send")
def post_send(parcel: str) -> Response:
    """Everything is here: take it. The same parcel again is answered as before."""
    sent = fields.read_model(SendIn, parse.json_body(request))
    place, who = station(), access.actor()
    with place.look(who) as look:
        row = outbox.find(look, parcel)
        if row.state == "done":
            return jsonify(row.answer)
        if row.state == "dropped":
            raise Missing("这一件已放弃，要办请从任务里重新提交。", "no_parcel")
        shots = outbox.shots_of(place, look, row) if row.what != "report" else []
    with place.work(who) as work:
        row = outbox.find(work, parcel)
        work.only_one(f"parcel:{row.ref}")
        if row.state == "done":
            return jsonify(row.answer)
        answer = _take(work, row, shots, sent.version)
        outbox.finish(work, row, answer)
        return jsonify(answer)


def _take(
    work: Work, row: m.Parcel, shots: list[tuple[Shot, m.ParcelPhoto]], version: int | None
) -> dict[str, Any]:  # fmt: skip
    if row.what == "report":
        left = [one for one in outbox.photos_of(work, row) if one.state != "whole"]
        if left or row.sighting_ref is None:
            raise WrongStep(f"照片还差 {len(left)} 张没传到。", "photos_missing")
        return dict(row.answer or {})
    issue = handle.find_issue(work, work.session.get_one(m.Issue, row.issue_id).number, lock=True)
    if row.what == "photos":
        faults = _attached(work, issue, row.stage, shots)[1]
        if faults:
            raise BadInput(faults)
        return {
            "issue": issue.number,
            "next": f"/phone/issues/{issue.number}" + (f"?step={row.step}" if row.step else ""),
        }
    page = phone_forms.page_of(row.step, as_grid=work.actor.has("grid"))
    if page is None:
        raise WrongStep("这一步请在电脑上办。", step=row.step)
    body, faults = phone_forms.read(row.step, page, row.body, work.place)
    body["client_id"] = row.client_id
    try:
        mine = [photo.ref for photo in phone_view.unused_photos(work, issue)]
        refs, bad = _attached(work, issue, phone_forms.stage_of(row.step, body.get("finding")), shots)
        if refs:
            body["photos"] = list(dict.fromkeys((*mine, *refs)))
        answer = act(work, issue, row.step, body, _base(work, issue, version, row.based_at), [*faults, *bad])
    except (Stale, WrongStep) as error:
        error.facts["changed"] = _changed(work, issue, row.based_at)
        error.facts |= {"version": issue.version, "state": lifecycle.STATES[issue.state]}
        raise
    to = f"/phone?did={issue.number}&step={row.step}" + ("&asked=1" if answer.get("asked") else "")
    return {**answer, "next": to}


def _attached(
    work: Work, issue: m.Issue, stage: str, shots: list[tuple[Shot, m.ParcelPhoto]]
) -> tuple[list[str], list[Fault]]:  # fmt: skip
    """The photos as rows of the issue; which cannot be is said by its number, with its digest for the phone."""
    refs, faults = [], []
    for number, (shot, row) in enumerate(shots, start=1):
        try:
            refs.append(photos.attach(work, issue, stage, shot, read_claim(row.claim or None)).ref)
        except BadInput as bad:
            faults += [Fault("photo", fault.code, f"第 {number} 张：{fault.sentence}") for fault in bad.faults]
    return refs, faults


def _base(work: Work, issue: m.Issue, version: int | None, since: datetime | None) -> int | None:
    """The version a step rests on. What only this person did after the phone last looked is no news to them: two
    steps made one after the other without a network are both taken."""
    if version is None or since is None or version >= issue.version:
        return version
    later = select(m.Trail.id).where(m.Trail.issue_id == issue.id, m.Trail.at > since,
                                     m.Trail.person_id.is_distinct_from(work.actor.person_id))  # fmt: skip
    return version if work.session.scalar(later.limit(1)) is not None else issue.version


def _changed(work: Work, issue: m.Issue, since: datetime | None) -> list[dict[str, str]]:
    """What became of the issue after the phone last saw it, as far as this person may see."""
    lines = [line for line in trail(work, issue) if since is None or datetime.fromisoformat(line["at"]) > since]
    return [{"at": line["at"], "who": line["who"], "did": line["did"]} for line in timeline.lines(work, lines)][:5]


@door(bp, "POST", "/phone/outbox/<parcel>/drop")
def post_drop(parcel: str) -> Response:
    fields.read_model(NothingIn, parse.json_body(request))
    with station().work(access.actor()) as work:
        row = outbox.find(work, parcel)
        outbox.drop(work, row)
        return jsonify({"parcel": row.ref, "state": row.state})
