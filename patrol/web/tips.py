"""Doors of the tip line: the status of a report by its receipt code, and the place's public layers.

No cookie is set or read here, nothing about the caller is logged, and the code never stands in an address.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from geodata.errors import GeoError
from patrol.errors import BadInput, Fault, Missing
from patrol.queries import tips
from patrol.web import limits, parse
from patrol.web.access import door, station

bp = Blueprint("tips", __name__)


@door(bp, "POST", "/api/v1/tips/status")
def status() -> Response:
    body = parse.json_body(request)
    unknown = [Fault(f"/{name}", "unknown_field", "不认识这一项。") for name in body if name != "code"]
    if unknown or not isinstance(body.get("code"), str):
        raise BadInput(unknown or [Fault("/code", "code", "缺查询码。")])
    limits.slow("tips", 10)
    with station().look() as look:
        return jsonify(tips.status(look, body["code"]))


@door(bp, "GET", "/api/v1/place/<layer>")
def layer(layer: str) -> Response:
    try:
        body = station().place.layer(layer)
    except GeoError:
        raise Missing("没有这个图层。") from None
    response = jsonify(body)
    response.mimetype = "application/geo+json"
    return response
