"""Doors of slips: the frozen paper, its JSON twin, and the public check of a printed code."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from patrol import models as m
from patrol.actions import handle, slips
from patrol.errors import Missing
from patrol.gateways import identity
from patrol.queries.words import shown
from patrol.station import Work
from patrol.web import access, limits, parse
from patrol.web.access import door, station

bp = Blueprint("papers", __name__)


def _slip(work: Work, number: str) -> m.Slip:
    slip = slips.find(work, number)
    issue = work.session.get_one(m.Issue, slip.issue_id)
    handle.find_issue(work, issue.number)  # out of scope is the same as absent
    return slip


@door(bp, "GET", "/api/v1/slips/<number>.pdf")
def slip_pdf(number: str) -> Response:
    place = station()
    with place.look(access.actor()) as look:
        slip = _slip(look, number)
    if slip.pdf_sha256 is None:
        slips.print_slip(place, slip.id)
        with place.look(access.actor()) as look:
            slip = _slip(look, number)
    response = Response(slips.pdf(place, slip), mimetype="application/pdf")
    response.headers["Content-Disposition"] = f"inline; filename={slip.number}.pdf"
    return response


@door(bp, "GET", "/api/v1/slips/<number>.json")
def slip_json(number: str) -> Response:
    with station().look(access.actor()) as look:
        slip = _slip(look, number)
        superseded = look.session.get(m.Slip, slip.superseded_by) if slip.superseded_by else None
        return jsonify({
            "number": slip.number, "printed_number": slip.printed_number, "kind": slip.kind, "revision": slip.revision,
            "made_at": shown(slip.made_at), "digest": slip.digest, "check_code": slip.check_code,
            "superseded_by": superseded.number if superseded else None, "facts": slip.facts,
        })  # fmt: skip


def check_slip(work: Work, number: str, code: str) -> dict[str, Any]:
    """Genuine or not, kind, date, superseded: nothing else of a slip is public."""
    try:
        slip: m.Slip | None = slips.find(work, number.strip())
    except Missing:
        slip = None
    given = identity.normalise_code(code, 10) or ""
    expected = identity.check_code(work.keys.check, slip.digest, slip.trail_head) if slip else "0" * 10
    if not identity.same_code(given, expected) or slip is None:
        return {"genuine": False}
    return {"genuine": True, "kind": slip.kind, "title": slips.TITLES[slip.kind], "made_at": shown(slip.made_at),
            "superseded": slip.superseded_by is not None}  # fmt: skip


@door(bp, "GET", "/api/v1/check")
def check() -> Response:
    args = parse.query_args(request, ("slip", "code"))
    limits.slow("check", 30)
    with station().look() as look:
        return jsonify(check_slip(look, args.get("slip", ""), args.get("code", "")))
