"""Doors of intake: reports (tip, hotline, grid, volunteer, api), detections of drones, suggestions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request

from geodata.crs import to_wgs84
from geodata.errors import GeoError
from geodata.merge import outline_facts
from patrol import models as m
from patrol.actions import photos, siting
from patrol.actions.clues import suggestion
from patrol.actions.handle.mechanism import in_scope
from patrol.actions.photos import Shot
from patrol.actions.report import Draft, Outcome, report
from patrol.actions.ruleassign import assign_by_rule
from patrol.errors import BadInput, Fault, PatrolError, Refused
from patrol.gateways import identity
from patrol.queries.words import shown
from patrol.rules import rights
from patrol.rules.forms import FieldFault, read_moment
from patrol.rules.problems import PROBLEMS
from patrol.station import Actor, Work
from patrol.web import access, answers, fields, limits, parse, repeat
from patrol.web.access import door, station

bp = Blueprint("reports", __name__)


def read_report() -> tuple[dict[str, Any], list[bytes]]:
    """The report part and the photos, from JSON or multipart."""
    if (request.mimetype or "").lower() == "multipart/form-data":
        most = station().settings.photo_max_mb * 1024 * 1024
        parts, files = parse.multipart_body(request, max_file_bytes=most)
        unknown = set(parts) - {"report"}
        if "report" not in parts or unknown:
            raise BadInput(Fault("/report", "report_part", "表单要有一份 report（JSON）和零到多张 photo。"))
        if not isinstance(parts["report"], dict):
            raise BadInput(Fault("/report", "not_object", "report 要写成 JSON 对象。"))
        return parts["report"], [file.content for file in files]
    return parse.json_body(request), []


@door(bp, "POST", "/api/v1/reports")
def post_report() -> tuple[Response, int]:
    raw, files = read_report()
    who = access.actor()
    body = fields.read_model(fields.ReportIn, raw)
    status, answer = take(who, body, raw, files, request.headers.get("Idempotency-Key"))
    response = jsonify(answer)
    if answer.get("issue"):
        response.headers["Location"] = f"/api/v1/issues/{answer['issue']}"
    return response, status


def take(
    who: Actor, body: fields.ReportIn, raw: dict[str, Any], files: Sequence[bytes], header: str | None = None
) -> tuple[int, dict[str, Any]]:
    """One report of a person, from any door: the same answer for the same client id."""
    place = station()
    client_id = str(fields.client_id_of(header, body.client_id)) if header or body.client_id else str(uuid.uuid4())
    channel = channel_of(who, body.channel)
    if channel == "tip" and uuid.UUID(client_id).version != 4:
        raise BadInput(Fault("/client_id", "not_random", "client_id 要用随机的 UUID（第 4 版）。"))
    _check_kind(body.kind)
    place.room()
    tip = channel == "tip"
    shots = [photos.take_in(place, data, tip=tip) for data in files]
    hold = limits.hold(place, tip)
    with place.work(who) as work:
        key = repeat.key_of(work, "report", client_id)
        digest = repeat.digest_of(work, raw, [shot.sha256 for shot in shots])
        before = repeat.given(work, key, digest)
        if before is not None:
            return 200, _with_code(work, before[1], client_id, channel)
        photos.check_day(work)
        outcome = report(work, _draft(work, channel, body, client_id, shots, hold))
        if outcome.issue is not None:
            assign_by_rule(work, outcome.issue, outcome.sighting)
        answer = _answer(who, outcome) | _about_place(work, outcome.sighting)
        repeat.keep(work, key, digest, 201, answer)
        return 201, _with_code(work, answer, client_id, channel)


def _answer(who: Actor, outcome: Outcome) -> dict[str, Any]:
    accepted = shown(outcome.sighting.received_at)
    if not who.roles:
        return {"accepted_at": accepted}
    # a volunteer sees the public set alone: no number
    blind = rights.view_of(who.roles) == "public"
    number = outcome.issue.number if outcome.issue and not blind else None
    return {"report_id": outcome.sighting.ref, "issue": number, "joined": outcome.joined, "waiting": outcome.waiting,
            "accepted_at": accepted}  # fmt: skip


def _about_place(work: Work, sighting: m.Sighting) -> dict[str, Any]:
    """What a sender should know of a position that waits: which two places it may be, or whose it is instead."""
    if sighting.why == "maybe_gcj02" and sighting.given is not None:
        asked = siting.readings(work, sighting.given)
        return {"question": {"code": "maybe_gcj02", "as_given": asked.given, "as_gcj02": asked.gcj02,
                             "apart_m": asked.apart_m}} if asked else {}  # fmt: skip
    return {"elsewhere": True} if sighting.why == "out_of_area" else {}


def ask_place(body: fields.ReportIn) -> None:
    """On a page: ask the person before anything is kept, with both places in the sentence."""
    if body.position is None or body.place_sure:
        return
    with station().look() as look:
        asked = siting.readings(look, body.position.model_dump(exclude_none=True))
    if asked is not None:
        sentence = (f"是哪一处？照手机给的坐标是「{asked.given}」；按高德、腾讯、微信地图的坐标算是「{asked.gcj02}」，"
                    f"两处差 {asked.apart_m} 米。")  # fmt: skip
        raise BadInput(Fault("/read_as", "maybe_gcj02", sentence))


def answered(sent: dict[str, Any]) -> dict[str, Any]:
    """What the answer to that question makes of a form's position: the sender's word, nobody's guess."""
    if sent.get("read_as") == "gcj02" and sent.get("position.crs") == "wgs84":
        return {"position.crs": "gcj02"}
    return {"place_sure": "true"} if sent.get("read_as") == "wgs84" else {}


def _with_code(work: Work, answer: dict[str, Any], client_id: str, channel: str) -> dict[str, Any]:
    """The receipt code is made anew from the client's own id: the database holds neither."""
    if channel not in ("tip", "hotline"):
        return answer
    return {"receipt_code": identity.receipt_code(work.keys.receipt, client_id), **answer}


def channel_of(who: Actor, named: str | None) -> str:
    """A channel follows from the caller; only operator and office may name another."""
    own = "tip"
    for role in sorted(who.roles):
        if rights.ROLES[role].channel:
            own = str(rights.ROLES[role].channel)
        elif who.roles:
            own = "api"
    if named is None or named == own:
        return own
    if not who.has(*rights.MAY_NAME_CHANNEL):
        raise Refused("来源由您的身份决定，不能另填。", "channel")
    if named not in rights.NAMEABLE_CHANNELS:
        known = "、".join(sorted(rights.NAMEABLE_CHANNELS))
        raise BadInput(Fault("/channel", "unknown_channel", f"来源只能填其一：{known}。"))
    return named


def _check_kind(kind: str | None) -> None:
    if kind is not None and kind not in PROBLEMS:
        raise BadInput(Fault("/kind", "unknown_kind", f"没有这个问题种类；可选：{'、'.join(PROBLEMS)}。"))


def _draft(work: Work, channel: str, body: fields.ReportIn, client_id: str, shots: Sequence[Shot], hold: str) -> Draft:
    if body.seen_at is not None:
        _sane(body.seen_at)
    position, outline, area_m2 = located(body.position, body.outline)
    contact = body.contact.model_dump(exclude_none=True) if body.contact and not body.anonymous else None
    return Draft(
        channel=channel, kind=body.kind or "other", client_id=client_id, words=body.words or "",
        place_words=body.place_words or "", position=position, outline=outline, area_m2=area_m2, score=body.score,
        seen_at=body.seen_at, flight=body.flight, frame=body.frame, round_no=body.round, shots=tuple(shots),
        contact=contact, callback=body.callback, reward=body.reward, place_sure=body.place_sure,
        hold=hold,
    )  # fmt: skip


def _sane(seen_at: Any) -> None:
    try:
        read_moment(seen_at.isoformat())
    except FieldFault as fault:
        raise BadInput(Fault("/seen_at", "bad_time", str(fault))) from None


def located(
    position: fields.PositionIn | None, outline: Any
) -> tuple[dict[str, Any] | None, dict[str, Any] | None, float | None]:
    """Position, WGS-84 outline and its area; an outline alone gives its own inner point."""
    given = position.model_dump(exclude_none=True) if position is not None else None
    if outline is None:
        return given, None, None
    shape = outline if isinstance(outline, dict) else outline.model_dump(exclude_none=True)
    crs = shape.pop("crs", "wgs84") if isinstance(shape, dict) else "wgs84"
    try:
        shape = _converted(shape, crs)
        lon, lat, area_m2 = outline_facts(shape)
    except GeoError as error:
        raise BadInput(Fault("/outline", error.code, error.sentence)) from None
    return given or {"lon": lon, "lat": lat, "crs": "wgs84"}, shape, round(area_m2, 1)


def _converted(shape: dict[str, Any], crs: str) -> dict[str, Any]:
    def turn(part: Any) -> Any:
        if part and isinstance(part[0], int | float):
            return list(to_wgs84(float(part[0]), float(part[1]), crs))
        return [turn(each) for each in part]

    return {"type": shape["type"], "coordinates": turn(shape["coordinates"])}


@door(bp, "POST", "/api/v1/detections")
def post_detections() -> tuple[Response, int]:
    """A drone platform's batch: each item by itself, the same item again the same answer."""
    batch = fields.read_model(fields.DetectionsIn, parse.json_body(request))
    who, place = access.actor(), station()
    place.room()
    items = []
    for index, item in enumerate(fields.validate_items(list(batch.detections))):
        if isinstance(item, list):
            items.append({"index": index, "status": 422, "errors": [_fault(fault) for fault in item]})
            continue
        try:
            items.append({"index": index, **_detection(who, batch, item)})
        except PatrolError as error:
            faults = error.faults if isinstance(error, BadInput) else []
            items.append({"index": index, "client_id": str(item.client_id), "status": answers.status_of(error),
                          "code": error.code, "detail": error.sentence, "errors": [_fault(f) for f in faults]})  # fmt: skip
    return jsonify({"results": items}), 207


def _fault(fault: Fault) -> dict[str, str]:
    return {"pointer": fault.where, "code": fault.code, "sentence": fault.sentence}


def _detection(who: Actor, batch: fields.DetectionsIn, item: fields.DetectionIn) -> dict[str, Any]:
    place = station()
    _check_kind(item.kind)
    _sane(item.seen_at)
    if item.seen_at > place.now() + timedelta(minutes=5):
        raise BadInput(Fault("/seen_at", "in_future", "看到的时间在将来，请核对平台的钟。"))
    position, outline, area_m2 = located(item.position, item.outline)
    with place.work(who) as work:
        key = repeat.key_of(work, "detection", str(item.client_id))
        digest = repeat.digest_of(work, [batch.flight, batch.frame, item.model_dump(mode="json")], [])
        before = repeat.given(work, key, digest)
        if before is not None:
            return {"client_id": str(item.client_id), "status": 200, **before[1]}
        outcome = report(work, Draft(
            channel="drone", kind=item.kind, client_id=str(item.client_id), words=item.words or "", position=position,
            method="platform", outline=outline, area_m2=area_m2, score=item.score, seen_at=item.seen_at,
            flight=batch.flight, frame=batch.frame, round_no=batch.round,
        ))  # fmt: skip
        if outcome.issue is not None:
            assign_by_rule(work, outcome.issue, outcome.sighting)
        answer = {"report_id": outcome.sighting.ref, "issue": outcome.issue.number if outcome.issue else None,
                  "joined": outcome.joined, "waiting": outcome.waiting,
                  "discarded": outcome.sighting.state == "discarded"}  # fmt: skip
        repeat.keep(work, key, digest, 201, answer)
        return {"client_id": str(item.client_id), "status": 201, **answer}


@door(bp, "GET", "/api/v1/suggestions")
def get_suggestions() -> Response:
    """What a report about to be sent may already be: for those who may see issues at all."""
    args = parse.query_args(request, ("lon", "lat", "crs", "kind", "accuracy_m"))
    faults = [
        Fault(f"/{name}", "missing", f"缺 {name}。") for name in ("lon", "lat", "crs", "kind") if name not in args
    ]
    if faults:
        raise BadInput(faults)
    numbers: dict[str, Any] = {}
    for name in ("lon", "lat", "accuracy_m"):
        if name in args:
            number = access.decimal(args[name])
            if number is None:
                raise BadInput(Fault(f"/{name}", "not_a_number", f"{name} 要写数，如 112.1805。"))
            numbers[name] = number
    position = fields.read_model(fields.PositionIn, {**numbers, "crs": args["crs"]})
    _check_kind(args["kind"])
    with station().look(access.actor()) as look:
        at = siting.site(look, position.model_dump(exclude_none=True))
        near = [n for n in siting.near(look, args["kind"], at) if n.verdict != "other"][:5]
        return jsonify({"suggestions": [suggestion(n) for n in near if in_scope(look, n.issue)]})
