"""What teams see along the river: spots on the strip, small charts with their tables, birds against the year before."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from patrol.queries import series as seen
from patrol.rules.observing import SERIES
from patrol.web import language, parse
from patrol.web.access import door, station

bp = Blueprint("nature", __name__)


@door(bp, "GET", "/nature")
def show() -> str:
    args = parse.query_args(request, ("lang", "spot"))
    with station().look() as look:
        spots = seen.spots(look)
        spot = next((row for row in spots if row["spot"] == args.get("spot", "").upper()), None)
        found = [seen.series(look, code, spot["spot"] if spot else "") for code in SERIES]
    return render_template("pages/nature.html", spots=spots, spot=spot, series=found, langs=language.choices())
