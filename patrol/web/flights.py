"""Doors of flights: rounds and flights registered, files taken whole or in pieces, what was found reviewed."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, jsonify, request
from pydantic import Field, field_validator

from patrol.actions import flights
from patrol.actions.flights import drape, pieces, things
from patrol.actions.flights.picture import find_frame, members_of, picture, views
from patrol.actions.flights.pieces import PIECE_BYTES
from patrol.errors import BadInput, Fault
from patrol.queries import flights as ask
from patrol.rules.flights import FLIGHT_STATES
from patrol.rules.lifecycle import DISCARD_REASONS
from patrol.rules.problems import PROBLEMS
from patrol.web import access, fields, parse, wire
from patrol.web.access import door, station
from patrol.web.outline import Outline
from patrol.web.text import wrong

bp = Blueprint("flights", __name__)


class Dated(fields.Strict):
    """What carries a day, written as 2026-11-23."""

    @staticmethod
    def day(value: Any) -> Any:
        if value is None or isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise wrong("day", "日期要写成 2026-11-23。") from None


class RoundIn(Dated):
    """A round to plan: its number (the next one when absent) and the day it is due."""

    round: Annotated[int, Field(ge=1, le=99999)] | None = None
    due_on: date | None = None
    words: fields.Words = ""

    _day = field_validator("due_on", mode="before")(Dated.day)


class FlightIn(Dated):
    """A flight: planned for a day, or about to be received."""

    round: Annotated[int, Field(ge=1, le=99999)] | None = None
    source: Literal["drone", "satellite", "sensor"] = "drone"
    approval: Annotated[str, Field(max_length=64)] = ""
    drone: Annotated[str, Field(max_length=64)] = ""
    pilot: Annotated[str, Field(max_length=64)] = ""
    zone: Annotated[str, Field(max_length=40)] = ""
    planned_on: date | None = None

    _day = field_validator("planned_on", mode="before")(Dated.day)


class UploadIn(fields.Strict):
    """A file that will come in pieces."""

    name: Annotated[str, Field(min_length=1, max_length=300)]
    bytes: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ThingConfirm(fields.Strict):
    """A thing is real; `kind` when it is of another kind than the machine said."""

    kind: fields.Code | None = None


class ThingDismiss(fields.Strict):
    """A thing is nothing, and why."""

    reason: fields.Code
    words: fields.Words = ""


class ThingMerge(fields.Strict):
    """A thing is another one."""

    into: fields.Key


class UnflyableIn(fields.Strict):
    """A part of the segment that cannot be flown: a polygon, why, and in which round (absent: every one)."""

    outline: Outline
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    round: Annotated[int, Field(ge=1, le=99999)] | None = None


MODELS = (RoundIn, FlightIn, UploadIn, ThingConfirm, ThingDismiss, ThingMerge, UnflyableIn)


@door(bp, "GET", "/api/v1/rounds")
def get_rounds() -> Response:
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        return jsonify({"rounds": ask.rounds(look)})


@door(bp, "POST", "/api/v1/rounds")
def post_round() -> tuple[Response, int]:
    body = fields.read_model(RoundIn, parse.json_body(request))
    with station().work(access.actor()) as work:
        row = flights.open_round(work, body.round, body.due_on, body.words)
        answer = {"round": row.no, "due_on": row.due_on.isoformat() if row.due_on else None}
    return jsonify(answer), 201


@door(bp, "POST", "/api/v1/unflyable")
def post_unflyable() -> tuple[Response, int]:
    body = fields.read_model(UnflyableIn, parse.json_body(request))
    outline = body.outline.model_dump(exclude_none=True)
    outline.pop("crs", None)
    with station().work(access.actor()) as work:
        row = flights.note_unflyable(work, outline, body.reason, body.round)
        answer = {"reason": row.reason, "round": body.round}
    return jsonify(answer), 201


@door(bp, "GET", "/api/v1/flights")
def get_flights() -> Response:
    args = parse.query_args(request, ("round",))
    no = access.whole(args["round"], "round", most=99999) if "round" in args else None
    with station().look(access.actor()) as look:
        return jsonify({"flights": ask.flights(look, no), "states": FLIGHT_STATES})


@door(bp, "POST", "/api/v1/flights")
def post_flight() -> tuple[Response, int]:
    said = fields.read_model(FlightIn, parse.json_body(request)).model_dump()
    place = station()
    place.room()
    with place.work(access.actor()) as work:
        row = flights.open_flight(work, flights.Plan(round_no=said.pop("round"), **said))
        ref = row.ref
    return _state(ref), 201


@door(bp, "GET", "/api/v1/flights/<flight>")
def get_flight(flight: str) -> Response:
    with station().look(access.actor()) as look:
        return jsonify(ask.flight(look, flight))


@door(bp, "GET", "/api/v1/flights/<flight>/progress")
def get_progress(flight: str) -> Response:
    return _state(flight)


@door(bp, "GET", "/api/v1/flights/<flight>/detections")
def get_detections(flight: str) -> Response:
    with station().look(access.actor()) as look:
        flights.find(look, flight)
        return jsonify({"detections": ask.detections(look, flight)})


@door(bp, "POST", "/api/v1/flights/<flight>/files")
def post_files(flight: str) -> tuple[Response, int]:
    """Small files whole: each is on disk when the answer says so."""
    most = station().settings.photo_max_mb * 1024 * 1024
    _, files = parse.multipart_body(request, max_file_bytes=most, file_fields=("file",), json_fields=())
    if not files:
        raise BadInput(Fault("/file", "no_file", "表单里没有文件（file）。"))
    place = station()
    place.room()
    arrived = [flights.arrive_bytes(file.content, file.shown_name) for file in files]
    with place.work(access.actor()) as work:
        row = flights.find(work, flight)
        kept = [flights.take(work, row, file) for file in arrived]
        answer = [{"frame": each.ref, "name": each.name, "sha256": each.sha256} for each in kept]
    return jsonify({"files": answer}), 201


@door(bp, "POST", "/api/v1/flights/<flight>/uploads")
def post_upload(flight: str) -> tuple[Response, int]:
    body = fields.read_model(UploadIn, parse.json_body(request))
    place = station()
    place.room()
    with place.work(access.actor()) as work:
        row = pieces.open_upload(work, flights.find(work, flight), body.name, body.bytes, body.sha256)
        answer = {"upload": row.ref, "offset": pieces.offset_of(place, row), "state": row.state}
    return jsonify({**answer, "piece_bytes": PIECE_BYTES}), 201


@door(bp, "GET", "/api/v1/flights/<flight>/uploads/<upload>")
def get_upload(flight: str, upload: str) -> Response:
    with station().look(access.actor()) as look:
        row = pieces.find_upload(look, flights.find(look, flight), upload)
        return jsonify({"upload": row.ref, "offset": pieces.offset_of(station(), row), "state": row.state})


@door(bp, "PUT", "/api/v1/flights/<flight>/uploads/<upload>")
def put_piece(flight: str, upload: str) -> Response:
    """The bytes from `offset` on; answered once they are on disk. The last piece ends the upload."""
    args = parse.query_args(request, ("offset",))
    offset = access.whole(args.get("offset", ""), "offset", least=0, most=10**13)
    who, place = access.actor(), station()
    place.room()
    with place.look(who) as look:
        row = pieces.find_upload(look, flights.find(look, flight), upload)
    wire.require_type(request, "application/octet-stream")
    now = pieces.take_piece(place, row, offset, wire.chunks(request, PIECE_BYTES))
    frames = pieces.whole(place, who, row) if now == row.bytes else []
    return jsonify({"upload": row.ref, "offset": now, "state": "whole" if now == row.bytes else "open",
                    "frames": [each.ref for each in frames]})  # fmt: skip


@door(bp, "POST", "/api/v1/flights/<flight>/finish")
def post_finish(flight: str) -> Response:
    """All files are here. A flight of the same files as one before answers with that one."""
    access.no_body()
    with station().work(access.actor()) as work:
        ref = flights.finish(work, flights.find(work, flight)).ref
    return _state(ref)


@door(bp, "POST", "/api/v1/flights/<flight>/cancel")
def post_cancel(flight: str) -> Response:
    access.no_body()
    with station().work(access.actor()) as work:
        flights.cancel(work, flights.find(work, flight))
    return _state(flight)


@door(bp, "GET", "/api/v1/flights/<flight>/frames/<frame>.jpg")
def get_frame(flight: str, frame: str) -> Response:
    """A frame as people see it: a clean rendition, never the original; with `detection` the part that shows it."""
    args = parse.query_args(request, ("size", "view", "detection"))
    side = access.whole(args.get("size", "1280"), "size", least=16, most=2048)
    view = args.get("view", "auto")
    with station().look(access.actor()) as look:
        row = find_frame(look, flights.find(look, flight), frame)
        members = members_of(look, row)
        found = ask.detection_on(look, row, args["detection"]) if "detection" in args else None
    how = drape.lying(station(), row) if found is not None else None
    part = drape.window_of(how, found) if how is not None and found is not None else None
    if part is not None:
        data = drape.crop(station(), row, members, view, side, part)
    else:
        data = picture(station(), row, members, view, side)
    response = Response(data, mimetype="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response


@door(bp, "GET", "/api/v1/flights/<flight>/frames/<frame>/views")
def get_views(flight: str, frame: str) -> Response:
    """In which views a frame can be shown, and where its corners lie (None where it cannot be laid on the map)."""
    with station().look(access.actor()) as look:
        row = find_frame(look, flights.find(look, flight), frame)
        members = members_of(look, row)
    how = drape.lying(station(), row)
    known = views(station(), row, members)
    return jsonify({"frame": row.ref, "views": [{"view": name, "zh": zh} for name, zh in known.items()],
                    "corners": how.corners if how else None})  # fmt: skip


@door(bp, "POST", "/api/v1/things/<thing>/confirm")
def post_thing_confirm(thing: str) -> Response:
    body = fields.read_model(ThingConfirm, parse.json_body(request)) if request.content_length else ThingConfirm()
    if body.kind is not None and body.kind not in PROBLEMS:
        raise BadInput(Fault("/kind", "unknown_kind", f"没有这个问题种类；可选：{'、'.join(PROBLEMS)}。"))
    with station().work(access.actor()) as work:
        settled = things.confirm(work, thing, body.kind)
        answer = {"thing": thing, "clue": settled.sighting.ref, "joined": settled.joined,
                  "issue": settled.issue.number if settled.issue else None}  # fmt: skip
    return jsonify(answer)


@door(bp, "POST", "/api/v1/things/<thing>/dismiss")
def post_thing_dismiss(thing: str) -> Response:
    body = fields.read_model(ThingDismiss, parse.json_body(request))
    if body.reason not in DISCARD_REASONS:
        known = "、".join(f"{code}（{zh}）" for code, zh in DISCARD_REASONS.items())
        raise BadInput(Fault("/reason", "reason", f"缺理由类别：{known}。"))
    with station().work(access.actor()) as work:
        row = things.dismiss(work, thing, body.reason, body.words)
        answer = {"thing": row.ref, "state": row.state, "reason": row.why}
    return jsonify(answer)


@door(bp, "POST", "/api/v1/things/<thing>/merge")
def post_thing_merge(thing: str) -> Response:
    body = fields.read_model(ThingMerge, parse.json_body(request))
    with station().work(access.actor()) as work:
        row = things.merge(work, thing, body.into)
        answer = {"thing": thing, "into": row.ref}
    return jsonify(answer)


def _state(ref: str) -> Response:
    with station().look(access.actor()) as look:
        return jsonify(ask.flight_state(look, ref))
