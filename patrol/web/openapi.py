"""The OpenAPI 3.1 document, made from DOORS, STEPS and the request models: no second list of routes."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, jsonify

from patrol.rules import forms, lifecycle
from patrol.rules.rights import ANYONE, DOORS, ROLES, Door
from patrol.web import fields
from patrol.web.access import door

bp = Blueprint("openapi", __name__)
_PART = re.compile(r"<([a-z_]+)>")
_BODIES = {"/api/v1/reports": fields.ReportIn, "/api/v1/detections": fields.DetectionsIn}
_STATUS = {"POST /api/v1/reports": "201", "POST /api/v1/detections": "207", "POST /api/v1/frames": "201",
           "POST /api/v1/issues/<issue>/photos": "201"}  # fmt: skip


def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, Any] = {}
    for row in DOORS:
        for path, operation in _operations(row):
            paths.setdefault(path, {})[row.method.lower()] = operation
    models = {model.__name__: model.model_json_schema(ref_template="#/components/schemas/{model}")
              for model in (*_BODIES.values(), fields.PositionIn)}  # fmt: skip
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    for name, schema in models.items():
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
    for row_ in lifecycle.STEPS.values():
        schemas[f"Step_{row_.verb}"] = forms.schema_of(row_)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Patrol 太湖港巡护", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operations(row: Door) -> list[tuple[str, dict[str, Any]]]:
    path = _PART.sub(r"{\1}", row.path)
    if "<step>" in row.path:
        return [(path.replace("{step}", verb), _operation(row, verb)) for verb in lifecycle.VERBS if verb != "report"]
    return [(path, _operation(row, None))]


def _operation(row: Door, verb: str | None) -> dict[str, Any]:
    who = "anyone" if row.who == ANYONE else "、".join(role for role in ROLES if role in row.who)
    parts = [part for part in _PART.findall(row.path) if not (part == "step" and verb)]
    ok = _STATUS.get(f"{row.method} {row.path}", "200")
    operation: dict[str, Any] = {
        "summary": lifecycle.STEPS[verb].zh if verb else row.path.rsplit("/", 1)[-1],
        "description": f"who: {who}" + ("; out of scope answers 404" if row.scoped else ""),
        "parameters": [{"name": part, "in": "path", "required": True, "schema": {"type": "string"}} for part in parts],
        "responses": {ok: {"description": "done"}, "default": {
            "description": "a problem", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }},
    }  # fmt: skip
    if row.who != ANYONE:
        operation["security"] = [{"bearer": []}]
    body = {"$ref": f"#/components/schemas/Step_{verb}"} if verb else None
    if row.path in _BODIES:
        body = {"$ref": f"#/components/schemas/{_BODIES[row.path].__name__}"}
    if body is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": body}}}
    if verb:
        operation["parameters"].append({"name": "If-Match", "in": "header", "required": True, "schema": {"type": "string"}})
        operation["responses"]["202"] = {"description": "asked: another person decides"}
    return operation


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
        "detail": {"type": "string"}, "code": {"type": "string"}, "request_id": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object", "properties": {
            "pointer": {"type": "string"}, "code": {"type": "string"}, "sentence": {"type": "string"}}}},
    },
}  # fmt: skip


@door(bp, "GET", "/api/v1/openapi.json")
def openapi() -> Response:
    return jsonify(document())
