"""Doors and pages of the keys: make, let in, lose; an identity opened by two; a number to ring back.

All opening happens in the holder's browser. What comes in is public keys and wrapped shares, what goes out is locked
bodies and wrapped shares: no private key, passphrase or opened word ever passes here.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from pydantic import BeforeValidator, Field

from patrol.actions import sealing
from patrol.errors import Refused
from patrol.queries import sealed
from patrol.rules import rights
from patrol.rules.secrecy import DUTIES
from patrol.station import Work
from patrol.web import access, fields, language, parse
from patrol.web.access import door, station
from patrol.web.text import wrong

bp = Blueprint("keys", __name__)


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        raise wrong("not_base64", "要写成 base64。") from None


Raw = Annotated[bytes, BeforeValidator(_bytes), Field(max_length=128)]
KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class KeyIn(fields.Strict):
    """A public key, base64, and whose work it is for."""

    public: Raw
    duty: Annotated[str, Field(pattern="^(officer|operator)$")] = "officer"


class ShareIn(fields.Strict):
    """A share wrapped anew. `to` names the key it is for, where that is not said by the address."""

    envelope: Digest
    wrapped: Raw
    to: KeyId | None = None


class VouchIn(fields.Strict):
    """By which key of one's own, and shares for the newcomer."""

    key: KeyId
    shares: list[ShareIn] = Field(default_factory=list, max_length=sealing.MOST_SHARES)


class AskIn(fields.Strict):
    """Which tip, why, and one's own shares for the other side."""

    tip: Annotated[str, Field(max_length=36)]
    key: KeyId
    reason: fields.Line
    shares: list[ShareIn] = Field(max_length=sealing.MOST_SHARES)


class OpenIn(fields.Strict):
    """With which key of one's own."""

    key: KeyId


class CallbackIn(fields.Strict):
    """With which key of one's own, and why."""

    key: KeyId
    reason: fields.Line


MODELS = (KeyIn, VouchIn, AskIn, OpenIn, CallbackIn)


def _text(raw: bytes | None) -> str | None:
    return base64.b64encode(raw).decode("ascii") if raw is not None else None


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: _text(value) if isinstance(value, bytes) else value for name, value in row.items()} for row in rows]


def _body(model: type[fields.M]) -> fields.M:
    return fields.read_model(model, parse.json_body(request))


# --- keys


@door(bp, "GET", "/api/v1/keys")
def list_keys() -> Response:
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        return jsonify({"keys": _plain(sealed.keys(look))})


@door(bp, "POST", "/api/v1/keys")
def add_key() -> tuple[Response, int]:
    body = _body(KeyIn)
    with station().work(access.actor()) as work:
        role = DUTIES[body.duty]
        if not work.actor.has(role):
            raise Refused(f"这种钥匙只给{rights.ROLES[role].zh}。", "other_duty")
        row = sealing.add_key(work, work.actor.person_id or 0, body.duty, body.public)
        return jsonify({"key": row.key_id, "side": row.side, "state": row.state}), 201


@door(bp, "POST", "/api/v1/keys/<key>/vouch")
def vouch(key: str) -> Response:
    body = _body(VouchIn)
    with station().work(access.actor()) as work:
        lacking = sealing.vouch(work, key, body.key, [(share.envelope, share.wrapped) for share in body.shares])
        return jsonify({"state": "waiting" if lacking else "active",
                        "lacking": [{"envelope": row.envelope, "wrapped": _text(row.wrapped)} for row in lacking]})  # fmt: skip


@door(bp, "POST", "/api/v1/keys/<key>/lost")
def lost(key: str) -> Response:
    access.no_body()
    with station().work(access.actor()) as work:
        return jsonify({"key": sealing.lose(work, key).key_id, "state": "lost"})


# --- identities, by two


@door(bp, "GET", "/api/v1/envelopes")
def list_envelopes() -> Response:
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        return jsonify({"tips": sealed.tips(look)})


@door(bp, "GET", "/api/v1/envelopes/<tip>")
def envelopes_of(tip: str) -> Response:
    """The envelopes of a tip with the caller's own shares, and the keys of the other side to wrap them to."""
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        sighting = sealing.find_tip(look, tip)
        keys = sealed.keys(look)
        own = [row["key"] for row in keys if row["mine"] and row["state"] == "active" and row["duty"] == "officer"]
        return jsonify({
            "tip": sighting.ref,
            "parts": [{"envelope": part.envelope, "what": part.what,
                       "mine": {key: _text(sealing.share_of(look, part.envelope, key)) for key in own}}
                      for part in sealing.parts(look, sighting)],
            "keys": [{name: _text(row[name]) if name == "public" else row[name] for name in ("key", "public", "side", "holder")}
                     for row in keys if row["duty"] == "officer" and row["state"] == "active"],
        })  # fmt: skip


@door(bp, "GET", "/api/v1/openings")
def list_openings() -> Response:
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        return jsonify({"openings": sealed.openings(look)})


@door(bp, "POST", "/api/v1/openings")
def ask() -> tuple[Response, int]:
    body = _body(AskIn)
    shares = {(share.envelope, share.to or ""): share.wrapped for share in body.shares}
    with station().work(access.actor()) as work:
        row = sealing.ask(work, body.tip, body.key, body.reason, shares)
        return jsonify({"opening": row.ref}), 201


@door(bp, "POST", "/api/v1/openings/<opening>/open")
def open_(opening: str) -> Response:
    body = _body(OpenIn)
    with station().work(access.actor()) as work:
        row, halves = sealing.open_identity(work, opening, body.key)
        return jsonify({"opening": row.ref, "reason": row.reason, "parts": _plain(halves)})


@door(bp, "GET", "/api/v1/openings/<opening>/bodies/<envelope>")
def body_of(opening: str, envelope: str) -> Response:
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        response = make_response(sealing.body_of(look, opening, envelope))
    response.mimetype = "application/octet-stream"
    return response


# --- numbers to ring back, one at a time


@door(bp, "POST", "/api/v1/callbacks/<tip>/open")
def open_callback(tip: str) -> Response:
    body = _body(CallbackIn)
    with station().work(access.actor()) as work:
        locked, wrapped = sealing.open_callback(work, tip, body.key, body.reason)
        return jsonify({"body": _text(locked), "mine": _text(wrapped)})


# --- pages


@door(bp, "GET", "/keys")
def keys_page() -> str:
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        keys = sealed.keys(look)
        officer = look.actor.has("reward")
        return render_template(
            "pages/keys.html", keys=_plain(keys), dangers=sealed.dangers(keys), officer=officer,
            duty="officer" if officer else "operator" if look.actor.has("operator") else "",
            may_lose=look.actor.has("office_head"), tips=sealed.tips(look) if officer else [], openings=sealed.openings(look) if not look.actor.has("operator") else [],
            months=sealed.months(look), rail=_rail(look, "/keys"), me={"name": look.actor.name},
            crumbs=[{"zh": language.gettext("钥匙和封存的身份" if officer else "钥匙")}],
        )  # fmt: skip


@door(bp, "GET", "/callbacks")
def callbacks_page() -> str:
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        return render_template(
            "pages/callbacks.html", rows=sealed.callbacks(look), keys=_plain(sealed.keys(look)), duty="operator",
            rail=_rail(look, "/callbacks"), me={"name": look.actor.name}, crumbs=[{"zh": language.gettext("回电话")}],
        )  # fmt: skip


_RAIL = (
    ("/desk", "ui-inbox", "收件箱", frozenset({"office_head", "inspector"})),
    ("/hotline", "ui-phone", "热线", frozenset({"operator"})),
    ("/callbacks", "ui-bell", "回电话", frozenset({"operator"})),
    ("/keys", "ui-lock", "钥匙", frozenset({"reward", "operator", "office_head", "inspector"})),
    ("/map", "ui-map", "地图", frozenset(rights.ROLES)),
)


def _rail(look: Work, on: str) -> list[dict[str, Any]]:
    return [{"href": href, "symbol": symbol, "zh": language.gettext(zh), "on": href == on}
            for href, symbol, zh, who in _RAIL if look.actor.has(*who)]  # fmt: skip
