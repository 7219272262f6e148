"""Doors of rewards: asked for and claimed by receipt code, proposed, decided and paid by two persons.

A code comes in bodies only. No answer holds a payee: it is opened like an identity, by two officers on the page of the keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify, request

from patrol import models as m
from patrol.actions import payout
from patrol.actions import rewards as deeds
from patrol.actions.tips import REPORTER
from patrol.errors import Missing, NeedsVersion
from patrol.queries import rewards as rows
from patrol.station import Work
from patrol.web import access, fields, hand_fields, limits, parse, tip_reward
from patrol.web.access import door, station
from patrol.web.tip_fields import CodeIn

bp = Blueprint("rewards", __name__)
TRIES_A_MINUTE = 10
M = TypeVar("M", bound=CodeIn)


def _by_code(model: type[M]) -> M:
    body = fields.read_model(model, parse.json_body(request))
    limits.slow("tips", TRIES_A_MINUTE)
    return body


@door(bp, "POST", "/api/v1/tips/reward")
def apply() -> tuple[Response, int]:
    body = _by_code(CodeIn)
    with station().work(REPORTER) as work:
        deeds.apply(work, body.code)
    return jsonify(_told(body.code)), 201


@door(bp, "POST", "/api/v1/tips/payee")
def payee() -> Response:
    body = _by_code(hand_fields.PayeeIn)
    with station().work(REPORTER) as work:
        deeds.payee(work, body.code, body.way, body.payee.model_dump() if body.payee else None)
    return jsonify(_told(body.code))


def _told(code: str) -> dict[str, Any]:
    with station().look() as look:
        return tip_reward.standing(look, code)


@door(bp, "GET", "/api/v1/rewards")
def listing() -> Response:
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        return jsonify({"rewards": rows.listing(look), "payments": rows.batches(look)})


Deed = Callable[[Work, str, hand_fields.RewardActIn, int], m.Reward]
ACTS: dict[str, Deed] = {
    "propose": lambda w, number, b, v: deeds.propose(w, number, v, b.grade or "", b.words or ""),
    "grant": lambda w, number, b, v: deeds.grant(w, number, v, b.grade or "", b.words or ""),
    "refuse": lambda w, number, b, v: deeds.refuse(w, number, v, b.words or ""),
    "pay": lambda w, number, b, v: payout.pay(w, number, v),
}


@door(bp, "POST", "/api/v1/rewards/<reward>/<act>")
def act(reward: str, act: str) -> Response:
    if act not in ACTS:
        raise Missing
    body = fields.read_model(hand_fields.RewardActIn, parse.json_body(request))
    if body.version is None:
        raise NeedsVersion("请带上版本号 version 再提交。")
    with station().work(access.actor()) as work:
        row = ACTS[act](work, reward, body, body.version)
        answer = {"reward": row.number, "state": row.state, "version": row.version}
    return jsonify(answer)


@door(bp, "POST", "/api/v1/payments")
def batch() -> tuple[Response, int]:
    body = fields.read_model(hand_fields.PaymentIn, parse.json_body(request))
    with station().work(access.actor()) as work:
        made = payout.batch(work, body.rewards)
        answer = {"batch": made.number, "state": made.state, "yuan": made.total_yuan}
    return jsonify(answer), 201


@door(bp, "POST", "/api/v1/payments/claim")
def claim() -> Response:
    body = fields.read_model(hand_fields.ClaimIn, parse.json_body(request))
    limits.slow("tips", TRIES_A_MINUTE)
    with station().work(access.actor()) as work:
        row = payout.claim(work, body.code, body.not_staff)
        answer = {"reward": row.number, "state": row.state, "yuan": row.amount_yuan}
    return jsonify(answer)


@door(bp, "POST", "/api/v1/payments/<batch>/<act>")
def settle(batch: str, act: str) -> Response:
    found = {"approve": payout.approve, "cancel": payout.cancel}
    if act not in found:
        raise Missing
    if (request.content_length or 0) > 0:
        fields.read_model(fields.Strict, parse.json_body(request))
    with station().work(access.actor()) as work:
        made = found[act](work, batch)
        answer = {"batch": made.number, "state": made.state, "yuan": made.total_yuan}
    return jsonify(answer)
