"""Doors of frames pushed one by one: with a marked box, or live; how long each stage took; fishing events told."""

from __future__ import annotations

import time
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify, request
from pydantic import Field

from patrol.actions import episodes, flights, frames, photos
from patrol.actions.flights import live
from patrol.actions.report import report
from patrol.actions.ruleassign import assign_by_rule
from patrol.errors import BadInput, Fault
from patrol.queries import episodes as told
from patrol.queries import timings
from patrol.web import access, fields, parse, repeat
from patrol.web.access import door, station
from patrol.web.multipart import FilePart

bp = Blueprint("live", __name__)


class LiveIn(fields.Strict):
    """A frame of a flight that is in the air. `flight` is the platform's own name for it."""

    client_id: fields.ClientId
    flight: Annotated[str, Field(max_length=64)] = ""
    drone: Annotated[str, Field(max_length=64)] = ""
    seen_at: fields.Moment | None = None
    zone: Annotated[str, Field(max_length=40)] = ""


MODELS = (LiveIn,)


@door(bp, "POST", "/api/v1/frames")
def post_frame() -> tuple[Response, int]:
    """A drone frame: with a `mark` part it is a sighting at once, with a `live` part the worker looks at it."""
    most = station().settings.photo_max_mb * 1024 * 1024
    parts, files = parse.multipart_body(request, max_file_bytes=most, max_files=1, json_fields=("mark", "live"))
    if len(files) != 1 or len(parts) != 1 or not isinstance(next(iter(parts.values())), dict):
        raise _which()
    if "live" in parts:
        return _live(fields.read_model(LiveIn, parts["live"]), files[0])
    if "mark" not in parts:
        raise _which()
    return _marked(parts["mark"], files[0])


def _which() -> BadInput:
    sentence = "要有一张 photo，和一份 mark（JSON：box、kind、score…）或一份 live（JSON：client_id、flight…）。"
    return BadInput(Fault("/mark", "mark_part", sentence))


def _live(body: LiveIn, file: FilePart) -> tuple[Response, int]:
    place = station()
    place.room()
    arrived = flights.arrive_bytes(file.content, file.shown_name)
    client_id, said = str(body.client_id), live.Said(body.flight, body.drone, body.seen_at, body.zone)
    with place.work(access.actor()) as work:
        key = repeat.key_of(work, "live", client_id)
        digest = repeat.digest_of(work, body.model_dump(mode="json"), [arrived.sha256])
        before = repeat.given(work, key, digest)
        if before is not None:
            return jsonify(before[1]), 200
        frame, flight = live.push(work, arrived, said)
        answer = {"frame": frame.ref, "flight": flight.ref}
        repeat.keep(work, key, digest, 202, answer)
    return jsonify(answer), 202


def _marked(mark: dict[str, Any], file: FilePart) -> tuple[Response, int]:
    who, place = access.actor(), station()
    place.room()
    marked = frames.read_mark(mark)
    began = time.perf_counter()
    shot = photos.take_in(place, file.content)
    decoded = time.perf_counter()
    draft, found = frames.draft_of(marked, file.content, shot)
    located = time.perf_counter()
    with place.work(who) as work:
        key = repeat.key_of(work, "frame", draft.client_id)
        digest = repeat.digest_of(work, mark, [shot.sha256])
        before = repeat.given(work, key, digest)
        if before is not None:
            return jsonify(before[1]), 200
        outcome = report(work, draft)
        if outcome.issue is not None:
            assign_by_rule(work, outcome.issue, outcome.sighting)
        answer = {"report_id": outcome.sighting.ref, "issue": outcome.issue.number if outcome.issue else None,
                  "joined": outcome.joined, "waiting": outcome.waiting, "located": found}  # fmt: skip
        repeat.keep(work, key, digest, 201, answer)
    response = jsonify(answer)
    stages = {"decode": decoded - began, "locate": located - decoded, "keep": time.perf_counter() - located}
    response.headers["Server-Timing"] = ", ".join(f"{name};dur={1000 * took:.1f}" for name, took in stages.items())
    return response, 201


@door(bp, "GET", "/api/v1/flights/<flight>/timings")
def get_timings(flight: str) -> Response:
    with station().look(access.actor()) as look:
        return jsonify(timings.of_flight(look, flight))


@door(bp, "GET", "/api/v1/episodes")
def get_episodes() -> Response:
    args = parse.query_args(request, ("open",))
    if args.get("open", "false") not in ("true", "false"):
        raise BadInput(Fault("/open", "not_a_choice", "open 只能写 true 或 false。"))
    with station().look(access.actor()) as look:
        return jsonify({"episodes": told.listing(look, only_open=args.get("open") == "true")})


@door(bp, "POST", "/api/v1/episodes/<episode>/acknowledge")
def post_acknowledge(episode: str) -> Response:
    """Somebody has taken notice; the first one counts, again is the same answer."""
    access.no_body()
    with station().work(access.actor()) as work:
        row = episodes.acknowledge(work, episode)
        answer = told.view(work, row)
    return jsonify(answer)
