"""The map page: the place's fixed layers, and issues as the caller may see them.

The frame comes from `geodata.charts`; issues are fetched by the page's own script from `/api/v1/issues`, which cuts
them by role. The list in the page is the same cut, so that the page says everything without a script.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request

from patrol.queries import flights
from patrol.queries import issues as rows
from patrol.rules import lifecycle, rights
from patrol.rules.lifecycle import PUBLIC_STATES_ZH
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import access, language, parse, phone_view
from patrol.web.access import door, station
from patrol.web.mapparts import Parts

bp = Blueprint("map", __name__)
LIVE = frozenset({"office", "office_head", "chief", "inspector", "operator", "grid", "unit"})
"""Roles that may ask what changed; everybody else's page asks for the public set again."""


SEES_ROUNDS = ("office", "office_head", "chief", "inspector")
"""Roles to whom the page offers the last round's pictures, laid on the same river."""


@door(bp, "GET", "/map")
def show_map() -> str:
    parse.query_args(request, ("lang", "state", "kind", "late", "view", "issue"))
    place, who = station(), access.actor()
    staff = rights.view_of(who.roles) in ("work", "full")
    with place.look(who) as look:
        river = phone_view.river(look)
        body, more = rows.listing(look, rows.Filter()) if staff else rows.public_listing(look, rows.Filter())
        listed = [_row(look, feature) for feature in body["features"]]
        flown = flights.last_flown(look) if who.has(*SEES_ROUNDS) else None
    states = _states(staff)
    # two filters side by side must not say the same words
    words = lifecycle.STATES if staff else PUBLIC_STATES_ZH | {"verified": "验收好了"}
    return render_template(
        "pages/map.html", parts=Parts.of(place.place), marks=[_mark(row) for row in listed if row["chainage_m"] is not None],
        listed=listed, more=more, staff=staff, river=river, flown=flown,
        live=bool(who.roles & LIVE), states=states, langs=language.choices(), signed_in=bool(who.roles),
        kinds=[{"code": row.code, "zh": language.gettext(row.zh if staff else row.plain_zh)}
               for row in PROBLEMS.values() if staff or row.public],
        state_words={code: language.gettext(words[code]) for code in states},
        schematic=place.place.schematic,
    )  # fmt: skip


def _mark(row: dict[str, Any]) -> dict[str, Any]:
    """One mark of the strip."""
    href = f"/i/{row['issue']}" if row["issue"] else "#list"
    return {"chainage_m": row["chainage_m"], "bank": row["bank"], "state": row["state"], "late": row["late"], "href": href,
            "label": f"{row['zh']} {row['place']}"}  # fmt: skip


def _states(staff: bool) -> list[str]:
    order = (*lifecycle.OPEN, "closed")
    return [state for state in order if staff or state in rights.PUBLIC_STATES]


def _row(look: Work, feature: dict[str, Any]) -> dict[str, Any]:
    """One line of the list: only what the feature itself says."""
    said = feature["properties"]
    kind = PROBLEMS[said["kind"]]
    chainage_m, bank = said.get("chainage_m"), said.get("bank")
    if chainage_m is None and feature["geometry"] and look.place.river is not None and "issue" not in said:
        at = look.place.river.chainage_of(*feature["geometry"]["coordinates"])
        chainage_m, bank = round(at.chainage_m / 100) * 100, None
    return {"issue": said.get("issue"), "state": said["state"], "kind": said["kind"], "month": said.get("month", ""),
            "zh": kind.zh if "issue" in said else kind.plain_zh, "late": bool(said.get("overdue")),
            "chainage_m": chainage_m, "bank": bank or "middle",
            "place": look.place.river.words(chainage_m, bank) if look.place.river and chainage_m is not None else ""}  # fmt: skip
