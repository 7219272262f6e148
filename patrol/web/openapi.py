"""The OpenAPI 3.1 document, made from DOORS, STEPS and the request models: no second list of routes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, jsonify

from patrol.rules import forms, lifecycle
from patrol.rules.observing import SERIES
from patrol.rules.problems import PROBLEMS
from patrol.rules.rights import ANYONE, DOORS, ROLES, Door
from patrol.web import fields, flights, hand_fields, keys, live, tip_fields, walks
from patrol.web.access import door
from patrol.web.outline import Outline

bp = Blueprint("openapi", __name__)
Json = dict[str, Any]
_PART = re.compile(r"<([a-z_]+)>")
_TEXT: Json = {"type": "string"}
_WHOLE: Json = {"type": "integer", "minimum": 0}
_NUMBER: Json = {"type": "number"}
_KINDS: Json = {"type": "string", "enum": list(PROBLEMS)}
_UUID: Json = {"type": "string", "format": "uuid"}
_STAGES = [name for name in lifecycle.PHOTO_STAGES if name not in ("frame", "report")]
_VERSION = "the version the change rests on (the ETag of the issue, the `version` of the request)"


def _list_of(codes: Any) -> Json:
    one = "|".join(codes)
    return {"type": "string", "pattern": f"^({one})(,({one}))*$"}


@dataclass(frozen=True)
class Said:
    """What the tables do not say of one route: its query, body, answers."""

    summary: str
    query: dict[str, Json] = field(default_factory=dict)
    needs: tuple[str, ...] = ()  # query values that must be there
    body: str | None = None  # a schema's name
    parts: tuple[str, str, int] | None = None  # multipart: JSON part, its schema, most photos
    or_part: tuple[str, str] | None = None  # multipart: another JSON part that may come instead
    ok: dict[str, str] = field(default_factory=lambda: {"200": "done"})
    media: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    empty_body: bool = False  # the body may be left out
    files: tuple[str, int] | None = None  # multipart: file part, most files
    raw: bool = False  # the body is the bytes themselves


_BOX: Json = {"type": "string", "pattern": r"^-?\d{1,3}(\.\d+)?(,-?\d{1,3}(\.\d+)?){3}$"}
_PAGE: Json = {"type": "integer", "minimum": 1, "maximum": 100_000}
_SIZE: Json = {"type": "string", "pattern": r"^([1-9]\d{1,3}|original)$", "default": "1280"}
_DAY: Json = {"type": "string", "format": "date"}
_PERIOD = {"from": _DAY, "to": _DAY}
_DECIDED = {"200": "the issue", "412": "decided meanwhile", "428": "no If-Match"}

SAID: dict[str, Said] = {
    "POST /api/v1/reports": Said(
        "report", body="ReportIn", parts=("report", "ReportIn", 10), headers={"Idempotency-Key": "instead of `client_id`"},
        ok={"201": "taken: a receipt for anyone, ids for a token", "200": "the same id again: the first answer",
            "409": "the same id with another body"}),
    "POST /api/v1/detections": Said("detections of a flight", body="DetectionsIn", ok={"207": "one result an item"}),
    "POST /api/v1/frames": Said(
        "a frame with a marked box, or of a flight in the air", parts=("mark", "MarkIn", 1), or_part=("live", "LiveIn"),
        ok={"201": "a sighting", "202": "the worker will look at it", "200": "the same id again"}),
    "GET /api/v1/rounds": Said("rounds with their coverage"),
    "POST /api/v1/rounds": Said("plan a round, or move its day", body="RoundIn", ok={"201": "kept"}),
    "POST /api/v1/unflyable": Said("a part that cannot be flown, and why", body="UnflyableIn", ok={"201": "kept"}),
    "GET /api/v1/flights": Said("flights with their progress", {"round": _PAGE}),
    "POST /api/v1/flights": Said("open a flight", body="FlightIn", ok={"201": "opened"}),
    "GET /api/v1/flights/<flight>": Said("one flight with its frames and issues"),
    "GET /api/v1/flights/<flight>/progress": Said("how far the reading has come"),
    "GET /api/v1/flights/<flight>/timings": Said("seconds of each stage, by frame, with p50 and p95"),
    "GET /api/v1/flights/<flight>/detections": Said("what was recognised, and what became of it"),
    "POST /api/v1/flights/<flight>/files": Said("small files whole", files=("file", 10), ok={"201": "on disk"}),
    "POST /api/v1/flights/<flight>/uploads": Said("announce a large file", body="UploadIn", ok={"201": "send from offset"}),
    "GET /api/v1/flights/<flight>/uploads/<upload>": Said("how much of a file is here"),
    "PUT /api/v1/flights/<flight>/uploads/<upload>": Said(
        "the bytes from an offset on", {"offset": _WHOLE}, ("offset",), ok={"200": "on disk", "409": "send from offset"},
        raw=True),
    "POST /api/v1/flights/<flight>/finish": Said("all files are here", ok={"200": "the flight, or the one it repeats"}),
    "POST /api/v1/flights/<flight>/cancel": Said("read no more of it"),
    "GET /api/v1/flights/<flight>/frames/<frame>.jpg": Said(
        "a frame to look at", {"size": {"type": "integer", "minimum": 16, "maximum": 2048}, "view": _TEXT,
                               "detection": _TEXT}, media="image/jpeg"),
    "GET /api/v1/flights/<flight>/frames/<frame>/views": Said("in which views a frame can be shown, and its corners"),
    "POST /api/v1/things/<thing>/confirm": Said("it is real", body="ThingConfirm", empty_body=True),
    "POST /api/v1/things/<thing>/dismiss": Said("it is nothing, and why", body="ThingDismiss"),
    "POST /api/v1/things/<thing>/merge": Said("it is that thing", body="ThingMerge"),
    "GET /api/v1/episodes": Said("fishing events people were warned of", {"open": {"type": "boolean"}}),
    "POST /api/v1/episodes/<episode>/acknowledge": Said("somebody has taken notice"),
    "GET /api/v1/patrols": Said("this week's patrols by grid, planned and walked"),
    "POST /api/v1/patrols": Said(
        "a finished patrol along the river, as stretches of bank", body="PatrolIn",
        ok={"201": "kept, or kept before", "409": "the same id with another walk"}),
    "GET /api/v1/suggestions": Said(
        "issues near a place", {"lon": _NUMBER, "lat": _NUMBER, "crs": {"enum": list(forms.CRS)}, "kind": _KINDS,
                                "accuracy_m": _NUMBER}, ("lon", "lat", "crs", "kind")),
    "GET /api/v1/clues": Said("clues", {"state": {"enum": ["waiting", "joined", "discarded", "expired"]}, "kind": _KINDS,
                                        "page": _PAGE}),
    "GET /api/v1/clues/<clue>": Said("one clue"),
    "POST /api/v1/clues/<clue>/confirm": Said("it is real", body="ClueConfirm", empty_body=True),
    "POST /api/v1/clues/<clue>/discard": Said("it is nothing", body="ClueDiscard"),
    "POST /api/v1/clues/<clue>/join": Said("it is that issue", body="ClueJoin"),
    "GET /api/v1/clues/<clue>/photos/<photo>": Said("photo of a clue", {"size": _SIZE}, media="image/jpeg"),
    "GET /api/v1/issues": Said(
        "issues as GeoJSON", {"bbox": _BOX, "state": _list_of(lifecycle.STATES), "kind": _list_of(PROBLEMS), "unit": _TEXT,
                              "since": {"type": "string", "format": "date-time"}, "overdue": {"type": "boolean"},
                              "page": _PAGE}, media="application/geo+json"),
    "GET /api/v1/issues/<issue>": Said("one issue, cut by role; ETag is its version"),
    "GET /api/v1/issues/<issue>/steps": Said("what this token may do now, with what each step still lacks"),
    "POST /api/v1/issues/<issue>/photos": Said(
        "evidence photo", {"stage": {"enum": _STAGES}}, ("stage",), parts=("claim", "ClaimIn", 1), ok={"201": "kept"}),
    "GET /api/v1/issues/<issue>/photos/<photo>": Said("photo", {"size": _SIZE}, media="image/jpeg"),
    "GET /api/v1/issues/<issue>/trail": Said("what happened, whole or from the first slip on"),
    "GET /api/v1/issues/<issue>/trace": Said("where sewage may come from, ranked"),
    "GET /api/v1/issues/<issue>/effects": Said("what two rounds say of the treatment"),
    "GET /api/v1/issues/<issue>/effects/<effect>/<side>.jpg": Said("one picture of the pair", media="image/jpeg"),
    "GET /api/v1/requests": Said("requests", {"open": {"type": "boolean"}}),
    "POST /api/v1/requests/<request_id>/approve": Said("grant", body="Decide", ok=_DECIDED, empty_body=True),
    "POST /api/v1/requests/<request_id>/refuse": Said("refuse", body="Decide", ok=_DECIDED),
    "POST /api/v1/requests/<request_id>/withdraw": Said("take back", body="Withdraw", ok=_DECIDED, empty_body=True),
    "GET /api/v1/slips/<number>.pdf": Said("the printed slip", media="application/pdf"),
    "GET /api/v1/slips/<number>.json": Said("the frozen facts of a slip"),
    "GET /api/v1/changes": Said("what changed after a cursor", {"since": _WHOLE}, ok={"200": "changes", "304": "nothing new"}),
    "GET /api/v1/figures": Said("every figure of a period, with its formula; the public's without issues", _PERIOD),
    "GET /api/v1/figures/<name>": Said("one figure, with the issues behind it", _PERIOD),
    "GET /api/v1/place/<layer>": Said("a layer of the place", media="application/geo+json"),
    "POST /api/v1/tips/status": Said("how a report stands", body="CodeIn"),
    "POST /api/v1/tips/supplement": Said("more words to a report", body="SupplementIn"),
    "POST /api/v1/tips/reopen": Said("ask to reopen", body="ReopenIn", ok={"202": "asked: another person decides"}),
    "POST /api/v1/tips/appeal": Said("appeal", body="AppealIn", ok={"202": "asked: another person decides"}),
    "POST /api/v1/tips/rating": Said("how it went", body="RatingIn"),
    "GET /api/v1/keys": Said("the keys that open envelopes, public halves"),
    "POST /api/v1/keys": Said("a public key of one's own", body="KeyIn", ok={"201": "in force, or waiting to be let in"}),
    "POST /api/v1/keys/<key>/vouch": Said("let a waiting key in", body="VouchIn", ok={"200": "in force, or what lacks"}),
    "POST /api/v1/keys/<key>/lost": Said("a key is lost"),
    "GET /api/v1/envelopes": Said("tips with something sealed"),
    "GET /api/v1/envelopes/<tip>": Said("the envelopes of a tip, with one's own shares"),
    "GET /api/v1/openings": Said("who opened what, and why"),
    "POST /api/v1/openings": Said("one officer's half", body="AskIn", ok={"201": "waits for the other side"}),
    "POST /api/v1/openings/<opening>/open": Said("the second officer's turn", body="OpenIn"),
    "GET /api/v1/openings/<opening>/bodies/<envelope>": Said("a locked body", media="application/octet-stream"),
    "POST /api/v1/callbacks/<tip>/open": Said("one number to ring back", body="CallbackIn"),
    "POST /api/v1/tips/reward": Said("ask for the reward of a report", body="CodeIn", ok={
        "201": "the application", "409": "no reward for this report: every lack"}),
    "POST /api/v1/tips/payee": Said("how the reporter wants it", body="PayeeIn"),
    "GET /api/v1/rewards": Said("rewards and payments; the issue only for those who see it whole"),
    "POST /api/v1/rewards/<reward>/<act>": Said("propose, grant, refuse, or note the payment", body="RewardActIn"),
    "POST /api/v1/payments": Said("put granted rewards together", body="PaymentIn", ok={"201": "waits for a second person"}),
    "POST /api/v1/payments/claim": Said("pay out against the code", body="ClaimIn"),
    "POST /api/v1/payments/<batch>/<act>": Said("approve or cancel a payment, as a second person", empty_body=True),
    "GET /api/v1/points": Said("my points, hours and exchanges"),
    "POST /api/v1/points": Said("give or take points by hand", body="PointsIn", ok={"201": "moved"}),
    "GET /api/v1/goods": Said("what points buy"),
    "POST /api/v1/goods/<good>/exchange": Said(
        "points for a good", body="ExchangeIn", ok={"201": "reserved", "200": "the same id again", "409": "not enough"}),
    "GET /api/v1/classes": Said("classes to come"),
    "POST /api/v1/classes/<class_id>/seats": Said("seats by head count", body="SeatsIn", ok={"201": "seats, and the code"}),
    "POST /api/v1/classes/give-back": Said("give seats back", body="CodeIn"),
    "GET /api/v1/observations": Said("what teams saw, by months", {"series": {"enum": list(SERIES)}, "spot": _TEXT}),
    "POST /api/v1/observations": Said("one value at one spot", body="ObservationIn", ok={"201": "kept"}),
    "GET /api/v1/check": Said("is this slip genuine", {"slip": _TEXT, "code": _TEXT}, ("slip", "code")),
    "GET /api/v1/openapi.json": Said("this document"),
}  # fmt: skip
_MODELS = (fields.ReportIn, fields.DetectionsIn, fields.DetectionIn, fields.PositionIn, Outline, tip_fields.CodeIn,
           tip_fields.SupplementIn, tip_fields.ReopenIn, tip_fields.AppealIn, tip_fields.RatingIn, *flights.MODELS, *live.MODELS,
           *keys.MODELS, *hand_fields.MODELS, *walks.MODELS)  # fmt: skip


def document() -> Json:
    """The whole document."""
    paths: Json = {}
    for row in DOORS:
        for path, operation in _operations(row):
            paths.setdefault(path, {})[row.method.lower()] = operation
    for name, says in _HEALTH.items():
        answers = {"200": {"description": says}, "503": {"description": "not so"}}
        paths[f"/health/{name}"] = {"get": {"operationId": f"get_health_{name}", "summary": says, "responses": answers}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Patrol 太湖港巡护", "version": "1", "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


_ABOUT = ("Times are ISO 8601 with offset; positions name their system. Every refusal is problem+json with a Chinese "
          "sentence and every fault at once. Out of scope answers 404, the same as absent.")  # fmt: skip
_HEALTH = {"live": "the process lives", "ready": "reports can be taken", "work": "the work gets done"}


def _schemas() -> Json:
    found: Json = {"Problem": _PROBLEM}
    for model in _MODELS:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    for row in lifecycle.STEPS.values():
        found[f"Step_{row.verb}"] = forms.schema_of(row)
    moment: Json = {"type": "string", "format": "date-time"}
    position = {"$ref": "#/components/schemas/PositionIn"}
    box = {"type": "array", "items": _NUMBER, "minItems": 4, "maxItems": 4}
    return found | {
        "ClaimIn": _object({"position": position, "taken_at": moment}),
        "MarkIn": _object({"client_id": _UUID, "kind": _KINDS, "score": {"type": "number", "minimum": 0, "maximum": 1},
                           "box": box, "round": {"type": "integer", "minimum": 1}, "flight": _TEXT, "words": _TEXT,
                           "seen_at": moment, "ground_z_m": _NUMBER, "method": {"enum": ["auto", "laser", "pose"]}},
                          "kind", "score", "box"),
        "ClueConfirm": _object({"kind": _KINDS, "words": _TEXT}),
        "ClueDiscard": _object({"reason": {"enum": list(lifecycle.DISCARD_REASONS)}, "words": _TEXT}, "reason"),
        "ClueJoin": _object({"issue": _TEXT, "words": _TEXT}, "issue"),
        "Decide": {"type": "object", "properties": {"words": _TEXT, "client_id": _UUID}},
        "Withdraw": _object({"client_id": _UUID}),
    }  # fmt: skip


def _object(properties: Json, *required: str) -> Json:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}


def _operations(row: Door) -> list[tuple[str, Json]]:
    path = _PART.sub(r"{\1}", row.path)
    if "<step>" in row.path:
        return [(path.replace("{step}", verb), _step(row, verb)) for verb in lifecycle.VERBS if verb != "report"]
    said = SAID[f"{row.method} {row.path}"]
    operation = _operation(row, f"{row.method.lower()}{row.path}", said)
    return [(path, operation)]


def _step(row: Door, verb: str) -> Json:
    answers = {"200": "the issue", "202": "asked: another person decides", "409": "not from this state",
               "412": "changed meanwhile", "428": "no If-Match"}  # fmt: skip
    said = Said(lifecycle.STEPS[verb].zh, body=f"Step_{verb}", ok=answers, empty_body=True)
    return _operation(row, f"step_{verb}", said, skip="step")


def _operation(row: Door, name: str, said: Said, skip: str = "") -> Json:
    who = "anyone" if row.who == ANYONE else ", ".join(role for role in ROLES if role in row.who)
    parameters = [{"name": part, "in": "path", "required": True, "schema": _in_path(part)}
                  for part in _PART.findall(row.path) if part != skip]  # fmt: skip
    parameters += [{"name": key, "in": "query", "required": key in said.needs, "schema": schema}
                   for key, schema in said.query.items()]  # fmt: skip
    parameters += [{"name": key, "in": "header", "required": False, "schema": _UUID, "description": text}
                   for key, text in said.headers.items()]  # fmt: skip
    if skip or "428" in said.ok:
        parameters.append({"name": "If-Match", "in": "header", "required": True, "description": _VERSION,
                           "schema": {"type": "string", "pattern": '^(W/)?"?[0-9]{1,9}"?$'}})  # fmt: skip
    operation: Json = {
        "operationId": re.sub(r"\W+", "_", name.replace("api/v1/", "")).strip("_"),
        "summary": said.summary,
        "description": f"who: {who}" + ("; out of scope answers 404" if row.scoped else ""),
        "parameters": parameters,
        "responses": {code: _answer(code, text, said.media) for code, text in said.ok.items()} | {"default": _REFUSED},
        "security": [] if row.who == ANYONE else [{"bearer": []}],
    }
    if row.who == ANYONE:
        operation["security"] = [{}, {"bearer": []}]
    content = _content(said)
    if content:
        operation["requestBody"] = {"required": not said.empty_body, "content": content}
    return operation


def _in_path(part: str) -> Json:
    if part in ("request_id", "good", "class_id"):
        return {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
    return {"type": "string", "enum": sorted(tip_fields.LAYERS)} if part == "layer" else _TEXT


def _content(said: Said) -> Json:
    content: Json = {}
    if said.body:
        content["application/json"] = {"schema": {"$ref": f"#/components/schemas/{said.body}"}}
    if said.files:
        name, most = said.files
        files = {
            "type": "array",
            "maxItems": most,
            "items": {"type": "string", "contentMediaType": "application/octet-stream"},
        }
        content["multipart/form-data"] = {"schema": _object({name: files}, name)}
    if said.raw:
        content["application/octet-stream"] = {}
    if said.parts:
        name, schema, most = said.parts
        photo = {"type": "array", "maxItems": most, "items": {"type": "string", "contentMediaType": "image/*"}}
        part = _object({name: {"$ref": f"#/components/schemas/{schema}"}, "photo": photo})
        encoding = {name: {"contentType": "application/json"}}
        if said.or_part:
            other, its = said.or_part
            second = _object({other: {"$ref": f"#/components/schemas/{its}"}, "photo": photo})
            part, encoding[other] = {"oneOf": [part, second]}, {"contentType": "application/json"}
        content["multipart/form-data"] = {"schema": part, "encoding": encoding}
    return content


def _answer(code: str, text: str, media: str) -> Json:
    if code >= "300":
        return {"description": text} if code < "400" else {**_REFUSED, "description": text}
    return {"description": text, "content": {media: {}}}


_REFUSED: Json = {
    "description": "a problem",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_PROBLEM: Json = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
        "detail": {"type": "string"}, "request_id": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object", "properties": {
            "pointer": {"type": "string"}, "code": {"type": "string"}, "sentence": {"type": "string"}}}},
    },
}  # fmt: skip


@door(bp, "GET", "/api/v1/openapi.json")
def openapi() -> Response:
    return jsonify(document())
