"""Health: may this process take reports (ready), and does the work get done (work)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from patrol.errors import PatrolError
from patrol.queries import health
from patrol.station import SYSTEM
from patrol.web.access import station

bp = Blueprint("health", __name__)


@bp.get("/health/live")
def live() -> Response:
    return jsonify({"live": True})


@bp.get("/health/ready")
def ready() -> tuple[Response, int]:
    """Database and photo store accept a write, and the disk is over the gate."""
    place = station()
    told: dict[str, Any] = {}
    try:
        with place.work(SYSTEM) as work:
            health.probe(work)
        told["database"] = "ok"
    except SQLAlchemyError as error:
        told["database"] = type(error).__name__
    for name, probe in (("photos", place.store.probe), ("disk", place.room)):
        try:
            probe()
            told[name] = "ok"
        except PatrolError as error:
            told[name] = error.code
    good = all(value == "ok" for value in told.values())
    return jsonify({"ready": good, **told}), 200 if good else 503


@bp.get("/health/work")
def work() -> tuple[Response, int]:
    """503 when the oldest due row is over 30 s old or no worker was seen for 30 s."""
    with station().look(SYSTEM) as look:
        told = health.work(look)
    return jsonify(told), 200 if told["working"] else 503
