"""Doors of points, the catalogue, classes and what teams watch."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, Response, jsonify, request

from patrol import models as m
from patrol.actions import goods, lessons, observing, points
from patrol.errors import BadInput, Fault, Missing
from patrol.queries import hands as rows
from patrol.queries import series as seen
from patrol.rules.observing import SERIES
from patrol.web import access, fields, hand_fields, limits, parse
from patrol.web.access import door, station
from patrol.web.tip_fields import CodeIn

bp = Blueprint("hands", __name__)
SEATS_A_MINUTE = 20


@door(bp, "GET", "/api/v1/points")
def wallet() -> Response:
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        return jsonify(rows.wallet(look))


@door(bp, "POST", "/api/v1/points")
def by_hand() -> tuple[Response, int]:
    body = fields.read_model(hand_fields.PointsIn, parse.json_body(request))
    with station().work(access.actor()) as work:
        target = work.session.get(m.PointAccount, body.account)
        if target is None or target.house is not None:
            raise Missing("没有这个积分账户。")
        move = points.by_hand(work, target, body.amount, body.words, f"hand:{body.client_id}")
        answer = {"move": move.id, "amount": body.amount}
    return jsonify(answer), 201


@door(bp, "GET", "/api/v1/goods")
def catalogue() -> Response:
    parse.query_args(request, ())
    with station().look() as look:
        return jsonify({"goods": rows.goods(look)})


@door(bp, "POST", "/api/v1/goods/<good>/exchange")
def exchange(good: int) -> tuple[Response, int]:
    body = fields.read_model(hand_fields.ExchangeIn, parse.json_body(request))
    with station().work(access.actor()) as work:
        row, made = goods.exchange(work, good, body.count, str(body.client_id))
        answer = {"exchange": row.number, "state": row.state, "count": row.count}
    return jsonify(answer), 201 if made else 200


@door(bp, "GET", "/api/v1/classes")
def classes() -> Response:
    parse.query_args(request, ())
    with station().look() as look:
        found = [{name: value for name, value in row.items() if name != "mine"} for row in rows.classes(look)]
    return jsonify({"classes": found})


@door(bp, "POST", "/api/v1/classes/<class_id>/seats")
def seats(class_id: int) -> tuple[Response, int]:
    body = fields.read_model(hand_fields.SeatsIn, parse.json_body(request))
    limits.slow("seats", SEATS_A_MINUTE)
    with station().work(access.actor()) as work:
        entry, code = lessons.sign_up(work, class_id, body.adults, body.children, str(body.client_id))
        answer = {"class": entry.lesson_id, "adults": entry.adults, "children": entry.children, "code": code}
    return jsonify(answer), 201


@door(bp, "POST", "/api/v1/classes/give-back")
def give_back() -> Response:
    body = fields.read_model(CodeIn, parse.json_body(request))
    limits.slow("seats", SEATS_A_MINUTE)
    with station().work(access.actor()) as work:
        row = lessons.give_back(work, code=body.code)
        answer = {"class": row.id}
    return jsonify(answer)


@door(bp, "GET", "/api/v1/observations")
def observations() -> Response:
    args = parse.query_args(request, ("series", "spot"))
    wanted = args.get("series")
    if wanted is not None and wanted not in SERIES:
        raise BadInput(Fault("/series", "series", f"series 可选：{'、'.join(SERIES)}。"))
    with station().look() as look:
        spots = seen.spots(look)
        spot = args.get("spot", "").upper()
        if spot and spot not in {row["spot"] for row in spots}:
            raise BadInput(Fault("/spot", "spot", "没有这个监测点。"))
        found = [seen.series(look, code, spot) for code in ([wanted] if wanted else SERIES)]
    return jsonify({"spots": spots, "series": found})


@door(bp, "POST", "/api/v1/observations")
def observe() -> tuple[Response, int]:
    body = fields.read_model(hand_fields.ObservationIn, parse.json_body(request))
    try:
        on = date.fromisoformat(body.on)
    except ValueError:
        raise BadInput(Fault("/on", "day", "日期要写成 2026-11-30 这样。")) from None
    with station().work(access.actor()) as work:
        row = observing.observe(work, body.series, body.spot, body.value, on, body.words or "", body.team)
        answer = {"id": row.id, "series": row.series, "on": row.on.isoformat(), "value": row.value}
    return jsonify(answer), 201
