"""Doors of the figures: all of a period, one with its issues. The public sees the public ones, without issues."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, Response, jsonify, request

from patrol.errors import BadInput, Fault, Missing
from patrol.queries import figures
from patrol.rules import rights
from patrol.rules.figures import FIGURES, MOST_DAYS, Period
from patrol.station import Work
from patrol.web import access, parse
from patrol.web.access import door, station

bp = Blueprint("figures", __name__)


@door(bp, "GET", "/api/v1/figures")
def all_figures() -> Response:
    args = parse.query_args(request, ("from", "to"))
    with station().look(access.actor()) as look:
        period = read_period(args, look)
        return jsonify({"from": period.first.isoformat(), "to": period.last.isoformat(),
                        "figures": figures.every(look, period, public=not _inside(look))})  # fmt: skip


@door(bp, "GET", "/api/v1/figures/<name>")
def one_figure(name: str) -> Response:
    args = parse.query_args(request, ("from", "to"))
    with station().look(access.actor()) as look:
        inside = _inside(look)
        if name not in FIGURES or not (inside or FIGURES[name].public):
            raise Missing("没有这个数字，或不归您看。")
        return jsonify(figures.figure(look, name, read_period(args, look), issues=inside))


def _inside(look: Work) -> bool:
    return rights.view_of(look.actor.roles) == "full"


def read_period(args: dict[str, str], look: Work) -> Period:
    """The days of a query; the last thirty days where it names none."""
    usual = Period.usual(look.now)
    faults: list[Fault] = []
    days = {"from": usual.first, "to": usual.last}
    for name in days:
        if args.get(name):
            try:
                days[name] = date.fromisoformat(args[name])
            except ValueError:
                faults.append(Fault(f"/{name}", "bad_date", f"{name} 要写日期，如 2026-11-01。"))
    if not faults and not date(2000, 1, 1) <= days["from"] <= days["to"] <= date(2199, 12, 31):
        faults.append(Fault("/from", "bad_period", "期间要从早到晚，在 2000 到 2199 年之间。"))
    if not faults and (days["to"] - days["from"]).days >= MOST_DAYS:
        faults.append(Fault("/from", "too_long", "期间最长十年。"))
    if faults:
        raise BadInput(faults)
    return Period(days["from"], days["to"])
