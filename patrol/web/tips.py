"""Doors of the tip line: what a reporter asks and says with the receipt code alone, and the place's public layers.

No cookie is set or read here, nothing about the caller is logged, and the code never stands in an address. A body is
judged before the code is looked up, so that a refusal of the body says nothing about the code. Whether a code is
known shows neither in the time nor in the length of an answer (`alike`).
"""

from __future__ import annotations

from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify, request

from geodata.errors import GeoError
from patrol.actions import tips as deeds
from patrol.errors import Missing
from patrol.queries import tips
from patrol.web import alike, fields, limits, parse
from patrol.web.access import door, station
from patrol.web.tip_fields import LAYERS, AppealIn, CodeIn, RatingIn, ReopenIn, SupplementIn

bp = Blueprint("tips", __name__)
TRIES_A_MINUTE = 10
JSON_BYTES = 2048  # every answer to a code is filled up to a multiple of this


M = TypeVar("M", bound=CodeIn)


def _read(model: type[M]) -> M:
    body = fields.read_model(model, parse.json_body(request))
    limits.slow("tips", TRIES_A_MINUTE)
    return body


@door(bp, "POST", "/api/v1/tips/status")
@alike.alike(JSON_BYTES)
def status() -> Response:
    body = _read(CodeIn)
    with station().look() as look:
        return jsonify(tips.status(look, body.code))


def _status_after(code: str) -> dict[str, Any]:
    with station().look() as look:
        return tips.status(look, code)


@door(bp, "POST", "/api/v1/tips/supplement")
@alike.alike(JSON_BYTES)
def supplement() -> Response:
    body = _read(SupplementIn)
    with station().work(deeds.REPORTER) as work:
        deeds.supplement(work, body.code, body.words)
    return jsonify(_status_after(body.code))


@door(bp, "POST", "/api/v1/tips/reopen")
@alike.alike(JSON_BYTES)
def reopen() -> tuple[Response, int]:
    body = _read(ReopenIn)
    return _asked(body.code, "reopen", {"reason": body.reason})


@door(bp, "POST", "/api/v1/tips/appeal")
@alike.alike(JSON_BYTES)
def appeal() -> tuple[Response, int]:
    body = _read(AppealIn)
    return _asked(body.code, "appeal", {"against": body.against, "words": body.words})


def _asked(code: str, verb: str, body: dict[str, Any]) -> tuple[Response, int]:
    with station().work(deeds.REPORTER) as work:
        asked = deeds.ask(work, code, verb, body)
    return jsonify({**_status_after(code), "asked": verb}), 200 if asked is None else 202


@door(bp, "POST", "/api/v1/tips/rating")
@alike.alike(JSON_BYTES)
def rating() -> Response:
    body = _read(RatingIn)
    with station().work(deeds.REPORTER) as work:
        deeds.rate(work, body.code, body.stars, body.solved, body.words or "")
    return jsonify(_status_after(body.code))


@door(bp, "GET", "/api/v1/place/<layer>")
def layer(layer: str) -> Response:
    if layer not in LAYERS:
        raise Missing("没有这个图层。")
    try:
        body = station().place.layer(layer)
    except GeoError:
        raise Missing("没有这个图层。") from None
    response = jsonify(body)
    response.mimetype = "application/geo+json"
    return response
