"""Doors of patrols along the river: a finished walk from a phone, and how far the week's plan has come."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, Response, jsonify, request
from pydantic import Field

from patrol.actions import walks
from patrol.queries import walks as ask
from patrol.queries.words import shown
from patrol.web import access, fields, parse
from patrol.web.access import door, station

bp = Blueprint("walks", __name__)
Chainage = Annotated[float, Field(ge=0, le=1_000_000)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class StretchIn(fields.Strict):
    """A piece of one bank walked without a gap, by chainage in metres."""

    bank: Literal["left", "right"]
    from_m: Chainage
    to_m: Chainage
    seconds: Seconds


class BreakIn(fields.Strict):
    """A time in which the phone did not know where it was, or was away from the river."""

    seconds: Seconds
    why: Literal["no_fix", "poor_fix", "away", "page_closed"]


class PatrolIn(fields.Strict):
    """A patrol from start to stop: stretches of bank, never points."""

    client_id: fields.ClientId
    started_at: fields.Moment
    stopped_at: fields.Moment
    stretches: Annotated[list[StretchIn], Field(max_length=2000)]
    breaks: Annotated[list[BreakIn], Field(max_length=2000)] = []


MODELS = (StretchIn, BreakIn, PatrolIn)


@door(bp, "POST", "/api/v1/patrols")
def post_patrol() -> tuple[Response, int]:
    """A finished patrol; the same one again is answered as before."""
    body = fields.read_model(PatrolIn, parse.json_body(request))
    said = walks.Walked(
        str(body.client_id), body.started_at, body.stopped_at,
        [walks.Stretch(one.bank, one.from_m, one.to_m, one.seconds) for one in body.stretches],
        [(gap.seconds, gap.why) for gap in body.breaks],
    )  # fmt: skip
    with station().work(access.actor()) as work:
        return jsonify(walks.as_json(walks.take(work, said))), 201


@door(bp, "GET", "/api/v1/patrols")
def get_patrols() -> Response:
    """This week by grid: times planned, metres planned and walked."""
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        return jsonify({"since": shown(ask.week_of(look)), "grids": ask.progress(look)})
