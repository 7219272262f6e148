"""The OpenAPI document: valid, the same as the tables, true of what the doors answer; and no input brings a 500."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from patrol.rules import forms, lifecycle, rights
from patrol.rules.rights import ANYONE, DOORS
from patrol.station import Station
from patrol.web import fields, limits
from patrol.web.openapi import SAID, document
from tests.web.api_town import PROBLEM, Api, problem

INTERFACES = Path(__file__).parents[2] / "docs" / "interfaces.md"


@pytest.fixture
def api(station: Station) -> Api:
    return Api(station)


def test_the_document_is_valid_openapi_3_1(api: Api) -> None:
    body = api.get("/api/v1/openapi.json").json
    assert body["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(body).validate()
    assert body == json.loads(json.dumps(document()))


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    body = document()
    text = json.dumps(body)
    wanted = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert wanted <= set(body["components"]["schemas"])
    assert set(body["components"]["schemas"]) - wanted <= {"DetectionIn"}  # judged item by item


def test_the_document_has_the_doors_and_no_other() -> None:
    body = document()
    found = {(method.upper(), path) for path, ops in body["paths"].items() for method in ops if "/health/" not in path}
    wanted = set()
    for row in DOORS:
        path = re.sub(r"<(\w+)>", r"{\1}", row.path)
        verbs = [verb for verb in lifecycle.VERBS if verb != "report"] if "{step}" in path else [""]
        wanted |= {(row.method, path.replace("{step}", verb)) for verb in verbs}
    assert found == wanted
    names = [op["operationId"] for ops in body["paths"].values() for op in ops.values()]
    assert len(names) == len(set(names))
    assert {f"{row.method} {row.path}" for row in DOORS if "<step>" not in row.path} == set(SAID)


def test_who_may_call_is_said_of_every_door() -> None:
    body = document()
    for row in DOORS:
        path = re.sub(r"<(\w+)>", r"{\1}", row.path).replace("{step}", "assign")
        operation = body["paths"][path][row.method.lower()]
        if row.who == ANYONE:
            assert "anyone" in operation["description"] and {} in operation["security"]
        else:
            assert all(role in operation["description"] for role in row.who)
            assert operation["security"] == [{"bearer": []}]


def test_the_schema_of_a_step_is_the_one_its_door_reads(api: Api) -> None:
    """What `GET …/steps` shows, what the document shows and what the door takes are one."""
    number = api.town.report().issue.number
    schemas = document()["components"]["schemas"]
    for step in api.get(f"/api/v1/issues/{number}/steps", "office").json["steps"]:
        assert step["schema"] == schemas[f"Step_{step['step']}"]
        allowed = set(step["schema"]["properties"])
        answer = api.step(number, step["step"], "office", dict.fromkeys((*allowed, "not_a_field"), 1))
        wrong = {fault["pointer"].split("/")[1] for fault in problem(answer, 422)["errors"]}
        assert "not_a_field" in wrong or wrong <= set(fields.StepIn.model_fields)


def routes_named() -> set[tuple[str, str]]:
    """The routes that the page for outsiders names, as `METHOD /path`."""
    text = INTERFACES.read_text("utf-8")
    return {(method, path) for method, path in re.findall(r"`(GET|POST|PUT) (/api/v1/[^\s`?]*)", text)}


def test_the_page_for_outsiders_names_every_door_and_no_other() -> None:
    assert routes_named() == {(row.method, row.path) for row in DOORS}


def test_the_page_for_outsiders_names_every_role_step_state_and_layer() -> None:
    text = INTERFACES.read_text("utf-8")
    for word in (*rights.ROLES, *lifecycle.STATES, *lifecycle.VERBS, *lifecycle.FLAGS, *lifecycle.SUSPEND_CONDITIONS,
                 *lifecycle.DISMISS_REASONS, *lifecycle.DISCARD_REASONS, *lifecycle.APPEAL_AGAINST, *forms.CRS,
                 *lifecycle.LOOK_BACK_FINDINGS, *lifecycle.FINDINGS, *rights.NAMEABLE_CHANNELS):  # fmt: skip
        assert f"`{word}`" in text, word


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values a field's schema allows, and now and then one it does not."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "string":
        dated = {"date": st.dates().map(str), "date-time": st.datetimes().map(lambda at: f"{at.isoformat()}+08:00")}
        return dated.get(schema.get("format", ""), st.text(max_size=40))
    if kind == "array":
        return st.lists(values(schema["items"]), max_size=3)
    if kind == "object":
        inner = {name: values(each) for name, each in schema.get("properties", {}).items()}
        coordinates = st.recursive(st.floats() | st.integers() | st.text(max_size=3), st.lists, max_leaves=12)
        free = st.dictionaries(st.text(max_size=8), st.booleans() | coordinates, max_size=3)
        polygon = st.fixed_dictionaries(
            {"type": st.sampled_from(["Polygon", "MultiPolygon", "x"]), "coordinates": coordinates}
        )
        return st.fixed_dictionaries(inner) if inner else free | polygon
    plain = {
        "integer": st.integers(),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
    }
    return plain[str(kind)]


# --- no input brings a 500 -----------------------------------------------------------------------------------


def test_a_short_storm_of_made_up_requests_finds_no_500(api: Api) -> None:
    """Requests made from the document, right and wrong, as every role in turn; the app raises on a fault of ours."""
    number = api.town.to_assigned()
    weak = api.town.report("drone", "floating_debris", 2000, score=0.2).sighting.ref
    body = document()
    for ops in body["paths"].values():
        for operation in ops.values():
            for parameter in operation.get("parameters", []):
                known = {"issue": number, "clue": weak, "request_id": 1, "number": "JB-2026-0001-1"}.get(
                    parameter["name"]
                )
                if known is not None and parameter["in"] == "path":
                    parameter["schema"] = {"enum": [known]}
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", api.app)
    schema.raw_schema.clear()
    schema.raw_schema.update(body)
    tokens = [api.token(role) for role in ("office", "office_head", "chief", "grid", "unit", "drone", "operator")]
    tried = 0

    for operation in schema.get_all_operations():
        strategy = operation.ok().as_strategy()

        @given(case=strategy, token=st.sampled_from(tokens))
        @settings(max_examples=6, deadline=None, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck), derandomize=True)  # fmt: skip
        def storm(case: Any, token: str) -> None:
            nonlocal tried
            limits.reset()
            answer = case.call(headers={"Authorization": f"Bearer {token}"})
            tried += 1
            assert answer.status_code < 500 or "/health/" in case.path, (case.path, answer.status_code)
            if answer.status_code >= 400 and "/health/" not in case.path:
                assert answer.headers["content-type"][0].startswith(PROBLEM), (case.path, answer.status_code)

        storm()
    assert tried >= 200


@pytest.mark.parametrize("walk", ["report", "to_assigned", "to_supervised", "to_rectified", "to_verified", "to_closed"])
def test_no_body_of_a_step_brings_a_500(api: Api, walk: str) -> None:
    """Every step from every state with bodies its own schema allows: done, asked for, or refused in words."""
    made = getattr(api.town, walk)()
    number = made.issue.number if walk == "report" else made
    roles = ("office", "office_head", "chief", "grid", "unit", "inspector")
    near = {"position": st.just(api.town.at()), "lead_unit": st.sampled_from(["water", "nobody"]),
            "photos": st.just([]), "client_id": st.uuids().map(str), "parent": st.just(number)}  # fmt: skip
    seen: set[int] = set()
    for verb in (verb for verb in lifecycle.VERBS if verb != "report"):
        row = lifecycle.row_for(verb)
        assert row is not None
        own = {name: near.get(name, values(forms.FIELDS[name].schema)) for name in forms.fields_of(row)}
        seen |= stormed(api, number, verb, st.fixed_dictionaries({}, optional=own), roles)
    assert seen <= {200, 202, 400, 403, 404, 409, 422} and {403, 409} <= seen


def stormed(
    api: Api, number: str, verb: str, bodies: st.SearchStrategy[dict[str, Any]], roles: tuple[str, ...]
) -> set[int]:
    """The statuses one step answers to made-up bodies; every refusal in the one shape."""
    seen: set[int] = set()

    @given(body=bodies, role=st.sampled_from(roles))
    @settings(max_examples=8, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck), derandomize=True)  # fmt: skip
    def storm(body: dict[str, Any], role: str) -> None:
        answer = api.step(number, verb, role, body)
        seen.add(answer.status_code)
        if answer.status_code >= 400:
            problem(answer, answer.status_code)

    storm()
    return seen
