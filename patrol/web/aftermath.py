"""Doors beside an issue: where its sewage may come from, and what two rounds say of its treatment."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from patrol.actions import handle
from patrol.errors import Missing
from patrol.queries import effects, trace
from patrol.web import access
from patrol.web.access import door, station

bp = Blueprint("aftermath", __name__)
NO_PICTURE = "没有这张图，或不归您看。"


@door(bp, "GET", "/api/v1/issues/<issue>/trace")
def get_trace(issue: str) -> Response:
    with station().look(access.actor()) as look:
        row = handle.find_issue(look, issue)
        return jsonify({"issue": issue, "start": trace.start_of(look, row), "candidates": trace.of_issue(look, row)})


@door(bp, "GET", "/api/v1/issues/<issue>/effects")
def get_effects(issue: str) -> Response:
    with station().look(access.actor()) as look:
        return jsonify({"issue": issue, "effects": effects.of_issue(look, handle.find_issue(look, issue))})


@door(bp, "GET", "/api/v1/issues/<issue>/effects/<effect>/<side>.jpg")
def get_effect_picture(issue: str, effect: str, side: str) -> Response:
    """One picture of the pair: `before` or `after`."""
    with station().look(access.actor()) as look:
        try:
            row = effects.find(look, handle.find_issue(look, issue), effect)
        except Missing:  # no such issue, no such comparison: one answer
            raise Missing(NO_PICTURE) from None
    digest = {"before": row.before_sha256, "after": row.after_sha256}.get(side)
    if digest is None:
        raise Missing(NO_PICTURE)
    response = Response(station().store.get(digest), mimetype="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response
