"""The volunteers' page, phone width first: classes and teams for everybody; watches, records and points when signed in.

Who is not signed in takes seats in a class by head count and a code, which stands in the answer's body only.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request

from patrol.actions import goods, lessons, observing, points, teams
from patrol.errors import BadInput, Fault, Missing, PatrolError
from patrol.queries import hands as rows
from patrol.queries import series as seen
from patrol.rules.observing import SERIES
from patrol.station import Work
from patrol.web import access, answers, language, limits, parse
from patrol.web.access import door, station

bp = Blueprint("volunteer", __name__)
SEATS_A_MINUTE = 20
DONE = {
    "sign": "报上名了，按时来。", "leave": "退了，谢谢告知。", "observe": "记下了，谢谢。", "exchange": "换好了，到环保办领。",
    "seats": "座位留好了。", "back": "座位退了，谢谢告知。",
}  # fmt: skip
Parts = dict[str, Any]


@door(bp, "GET", "/volunteer")
def get_page() -> Response:
    args = parse.query_args(request, ("lang", "done"))
    return _draw(done=DONE.get(args.get("done", ""), ""))


def _draw(*, done: str = "", faults: list[str] | None = None, sent: Parts | None = None, code: str = "",
          status: int = 200) -> Response:  # fmt: skip
    who = access.actor()
    mine = who.has("volunteer")
    with station().look(who) as look:
        context: Parts = {
            "teams": rows.teams(look), "classes": rows.classes(look), "goods": rows.goods(look), "mine": mine,
            "me_name": who.name if mine else "", "held": rows.held_classes(look), "client_id": str(uuid.uuid4()),
            "wallet": rows.wallet(look) if mine else None, "shifts": rows.shifts(look, mine=True) if mine else [],
            "spots": seen.spots(look) if mine else [], "today": points.today(look).isoformat(),
        }  # fmt: skip
    series = [{"value": code_, "zh": language.gettext(row.zh), "hint": row.hint, "scale": row.scale, "unit": row.unit}
              for code_, row in SERIES.items()]  # fmt: skip
    page = render_template("pages/volunteer.html", done=done, faults=faults or [], sent=sent or {}, code=code,
                           series=series, langs=language.choices(), **context)  # fmt: skip
    return make_response(page, status)


def _whole(parts: Parts, name: str, zh: str, default: int | None = None) -> int:
    text = str(parts.get(name) or "").strip()
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadInput(Fault(f"/{name}", "not_a_number", f"{zh}要写整数。"))
    return int(text)


@door(bp, "POST", "/volunteer/seats")
def take_seats() -> Response:
    """Seats in a class, or seats given back by their code."""
    parts = parse.form_body(request)
    limits.slow("seats", SEATS_A_MINUTE)
    try:
        with station().work(access.actor()) as work:
            if parts.get("deed") == "back":
                code = str(parts.get("code") or "")[:64]
                mine = _whole(parts, "class", "课") if parts.get("class") else None
                lessons.give_back(work, code=None if mine is not None else code, lesson_id=mine)
                given = None
            else:
                adults, children = _whole(parts, "adults", "大人", 0), _whole(parts, "children", "孩子", 0)
                client = str(parts.get("client_id") or "")[:36]
                _, given = lessons.sign_up(work, _whole(parts, "class", "课"), adults, children, client)
    except PatrolError as error:
        return _refused(error, {**parts, "deed": "seats"})
    if given is not None:
        return _draw(done=DONE["seats"], code=given)
    return _back("back" if parts.get("deed") == "back" else "seats")


def _observe(work: Work, parts: Parts) -> object:
    try:
        on, value = date.fromisoformat(str(parts.get("on") or "")), float(str(parts.get("value") or ""))
    except ValueError:
        raise BadInput(Fault("/value", "value", "日期和数都要写。")) from None
    spot, words = str(parts.get("spot") or ""), str(parts.get("words") or "")[:500]
    return observing.observe(work, str(parts.get("series") or ""), spot, value, on, words)


DEEDS: dict[str, Callable[[Work, Parts], object]] = {
    "sign": lambda work, parts: teams.sign_up(work, _whole(parts, "shift", "值守")),
    "leave": lambda work, parts: teams.leave(work, _whole(parts, "shift", "值守")),
    "observe": _observe,
    "exchange": lambda work, parts: goods.exchange(work, _whole(parts, "good", "商品"), 1, str(parts.get("client_id") or "")[:36]),
}  # fmt: skip


@door(bp, "POST", "/volunteer/<deed>")
def do_own(deed: str) -> Response:
    if deed not in DEEDS:
        raise Missing
    parts = parse.form_body(request)
    try:
        with station().work(access.actor()) as work:
            DEEDS[deed](work, parts)
    except PatrolError as error:
        return _refused(error, {**parts, "deed": deed})
    return _back(deed)


def _refused(error: PatrolError, sent: Parts) -> Response:
    faults = [f.sentence for f in error.faults] if isinstance(error, BadInput) else [error.sentence]
    return _draw(faults=faults, sent=sent, status=answers.status_of(error))


def _back(done: str) -> Response:
    return redirect(f"/volunteer?done={done}", 303)  # type: ignore[return-value]  # werkzeug's own response
