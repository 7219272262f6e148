"""Doors of phones that sign in by key and PIN: bind, challenge, sign in, take away."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response, jsonify, redirect, request
from pydantic import Field

from patrol.actions import devices
from patrol.errors import NotSignedIn
from patrol.station import ANYONE
from patrol.web import access, answers, fields, limits, parse
from patrol.web.access import COOKIE, door, station

bp = Blueprint("devices", __name__)
TRIES_A_MINUTE = 20
Ref = Annotated[str, Field(max_length=36)]


class BindIn(fields.Strict):
    """This phone: what to call it, its public key, and the PIN."""

    name: fields.Name
    key: dict[str, Any]
    pin: Annotated[str, Field(max_length=16)]


class ChallengeIn(fields.Strict):
    """Which phone wants to sign in."""

    device: Ref


class DeviceSignInIn(fields.Strict):
    """The phone, its PIN, and the challenge signed by its key."""

    device: Ref
    pin: Annotated[str, Field(max_length=16)]
    signature: Annotated[str, Field(max_length=200)]


@door(bp, "POST", "/phone/devices")
def post_device() -> tuple[Response, int]:
    body = fields.read_model(BindIn, parse.json_body(request))
    session = access.session_value()
    if session is None:
        raise NotSignedIn()
    with station().work(access.actor()) as work:
        row = devices.bind(work, session, body.name, body.key, body.pin)
        return jsonify({"device": row.ref, "name": row.name}), 201


@door(bp, "POST", "/signin/challenge")
def post_challenge() -> Response:
    body = fields.read_model(ChallengeIn, parse.json_body(request))
    limits.slow("device", TRIES_A_MINUTE)
    with station().work(ANYONE) as work:
        return jsonify({"challenge": devices.challenge(work, body.device)})


@door(bp, "POST", "/signin/device")
def post_signin() -> Response:
    body = fields.read_model(DeviceSignInIn, parse.json_body(request))
    limits.slow("device", TRIES_A_MINUTE)
    place = station()
    with place.work(ANYONE) as work:
        value = devices.sign_in(work, body.device, body.pin, body.signature)
    if value is None:
        raise NotSignedIn("PIN 不对，或等得太久，请再试一次。", "wrong_pin")
    response = jsonify({"next": "/phone"})
    response.set_cookie(COOKIE, value, max_age=place.settings.session_hours * 3600, httponly=True, samesite="Lax",
                        secure=request.is_secure, path="/")  # fmt: skip
    return response


@door(bp, "POST", "/phone/devices/<device>/revoke")
def post_revoke(device: str) -> Any:
    """My own phone, or anybody's by the office: its sessions end now."""
    parse.form_body(request)
    with station().work(access.actor()) as work:
        row = devices.revoke(work, device)
        ref = row.ref
    if answers.wants_json(request):
        return jsonify({"device": ref, "revoked": True})
    office = access.actor().has("office", "office_head")
    return redirect("/desk/people?done=device" if office else "/phone/me", 303)
