"""Lists, changes, slips, check codes, layers and health through the doors."""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pypdf import PdfReader

from patrol import models as m
from patrol.queries import issues as questions
from patrol.rules import rights
from patrol.settings import Settings
from patrol.station import SYSTEM, Station
from patrol.web import limits
from tests.databases import migrated
from tests.web.api_town import Api, codes, problem

LIST = "/api/v1/issues"


@pytest.fixture
def api(station: Station) -> Api:
    return Api(station)


def wait(api: Api, **span: float) -> None:
    api.station.clock.forward(**span)  # type: ignore[attr-defined]  # the settable clock


def numbers(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/geo+json"
    return {feature["properties"]["issue"] for feature in answer.json["features"]}


# --- the list ------------------------------------------------------------------------------------------------


def test_every_filter_narrows_and_they_narrow_together(api: Api) -> None:
    town = api.town
    first = town.report(chainage_m=300).issue.number
    wait(api, hours=1)
    sewage = town.report(kind="sewage", chainage_m=1240).issue.number
    since = api.station.now().isoformat()
    wait(api, hours=1)
    assigned = town.to_assigned(kind="solid_waste")
    everything = {first, sewage, assigned}
    assert numbers(api.get(LIST, "office")) == everything
    for query, want in (
        ("state=assigned", {assigned}), ("state=assigned,reported", everything), ("kind=sewage", {sewage}),
        ("kind=sewage,solid_waste", {sewage, assigned}), ("unit=water", {assigned}), ("unit=nobody", set()),
        ("state=closed", set()), ("kind=sewage&state=assigned", set()),
    ):  # fmt: skip
        assert numbers(api.get(f"{LIST}?{query}", "office")) == want, query
    assert numbers(api.get(LIST, "office", query_string={"since": since})) == {sewage, assigned}
    at = town.at(300)
    box = f"{at['lon'] - 0.001},{at['lat'] - 0.001},{at['lon'] + 0.001},{at['lat'] + 0.001}"
    assert numbers(api.get(f"{LIST}?bbox={box}", "office")) == {first}


def test_overdue_counts_the_clocks_a_role_may_see(api: Api) -> None:
    """An issue whose push alone is late is overdue for the office and not for the unit or the grid worker."""
    number = api.town.report("drone", "floating_debris", seen_at=api.station.now()).issue.number
    wait(api, hours=2)
    assert numbers(api.get(f"{LIST}?overdue=true", "office")) == {number}
    assert numbers(api.get(f"{LIST}?overdue=false", "office")) == set()
    assert numbers(api.get(f"{LIST}?overdue=true", "grid")) == set()
    shown = api.get(LIST, "grid").json["features"][0]["properties"]
    assert shown["overdue"] is False and shown["clocks"] == []


@pytest.mark.parametrize("query,code", [
    ("bbox=1,2,3", "bad_bbox"), ("bbox=113,30,112,31", "bad_bbox"), ("bbox=a,b,c,d", "bad_bbox"),
    ("bbox=nan,0,1,1", "bad_bbox"), ("bbox=1e2,0,200,1", "bad_bbox"), ("bbox=,,,", "bad_bbox"), ("state=open", "unknown_state"),
    ("kind=fish", "unknown_kind"), ("since=yesterday", "bad_time"), ("overdue=perhaps", "bad_bool"),
    ("page=0", "not_a_number"), ("page=x", "not_a_number"), ("page=100001", "not_a_number"), ("colour=red", "unknown_field"),
])  # fmt: skip
def test_a_filter_that_cannot_be_read_is_named(api: Api, query: str, code: str) -> None:
    assert codes(problem(api.get(f"{LIST}?{query}", "office"), 422)) == {code}


def test_every_bad_filter_is_named_at_once(api: Api) -> None:
    told = problem(api.get(f"{LIST}?bbox=1&state=x&kind=y&since=z&overdue=w", "office"), 422)
    assert {fault["pointer"] for fault in told["errors"]} == {"/bbox", "/state", "/kind", "/since", "/overdue"}


@pytest.mark.parametrize("role", ["office", None])
def test_pages_follow_each_other_to_the_end(api: Api, monkeypatch: pytest.MonkeyPatch, role: str | None) -> None:
    town = api.town
    kinds = ["sewage", "floating_debris", "bare_soil", "solid_waste", "aquatic_bloom"]
    made = {town.report(kind=kind, chainage_m=at).issue.number for at in (300, 900) for kind in kinds}
    with api.station.work(SYSTEM) as work:  # all in the public set
        for issue in work.session.query(m.Issue):
            issue.state = "supervised"
    size = questions.Filter.__dataclass_fields__["size"]
    monkeypatch.setattr(questions.Filter.__init__, "__defaults__",
                        tuple(4 if value == size.default and type(value) is int else value
                              for value in questions.Filter.__init__.__defaults__))  # fmt: skip
    path, seen, pages = f"{LIST}?kind={','.join(kinds)}", [], 0
    while path:
        answer = api.get(path, role)
        assert answer.status_code == 200 and len(answer.json["features"]) <= 4
        seen += [str(feature) for feature in answer.json["features"]]
        pages += 1
        link = answer.headers.get("Link")
        assert link is None or re.fullmatch(r'<(/api/v1/issues\?[^>]+)>; rel="next"', link)
        path = link[1 : link.index(">")] if link else ""
        assert not path or parse_qs(urlsplit(path).query)["kind"] == [",".join(kinds)]
    assert pages == 3 and len(seen) == len(made)


def test_a_link_carries_any_filter_whole(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit's name in Chinese and a time with its offset come back as they were sent."""
    monkeypatch.setattr(questions, "rows", lambda *_: ([], True))
    sent = {"unit": "水利局&x=1", "since": "2026-11-23T09:00:00+08:00"}
    link = api.get(LIST, "office", query_string=sent).headers["Link"]
    assert parse_qs(urlsplit(link[1 : link.index(">")]).query) == {k: [v] for k, v in (sent | {"page": "2"}).items()}


def test_the_list_and_the_single_issue_agree_on_scope(api: Api) -> None:
    town = api.town
    made = [town.to_assigned(chainage_m=at) for at in (300, 1240, 2200)]
    acceptor = api.actor("unit", unit="agriculture").person_id
    with api.station.work(SYSTEM) as work:
        issues = {issue.number: issue for issue in work.session.query(m.Issue)}
        issues[made[1]].lead_unit, issues[made[1]].assisting = "construction", ["water"]
        issues[made[2]].lead_unit, issues[made[2]].assisting = "construction", ["water2"]
        issues[made[0]].acceptor_id = acceptor
    callers: list[dict[str, Any]] = [
        {"role": role} for role in rights.ROLES if rights.ROLES[role].view in ("full", "work")
    ]
    callers += [{"role": "unit", "who": {"unit": unit}} for unit in ("construction", "agriculture")]
    callers += [{"role": "grid", "who": {"grids": grids}} for grids in (("G1",), ("G3", "G4"))]
    for caller in callers:
        opened = {number for number in made if api.get(f"{LIST}/{number}", **caller).status_code == 200}
        assert numbers(api.get(LIST, **caller)) == opened, caller


# --- changes -------------------------------------------------------------------------------------------------


def test_changes_tell_what_moved_and_304_when_nothing_did(api: Api) -> None:
    one, two = (api.town.report(chainage_m=at).issue.number for at in (300, 2200))
    first = api.get("/api/v1/changes", "office")
    assert {row["issue"] for row in first.json["changes"]} == {one, two}
    cursor = first.json["next"]
    assert first.headers["ETag"] == f'"{cursor}"'
    assert api.get(f"/api/v1/changes?since={cursor}", "office").json["changes"] == []
    # a page that wants only what comes from now on asks with the largest number it knows
    assert api.get(f"/api/v1/changes?since={2**53 - 1}", "office").json["changes"] == []
    again = api.get("/api/v1/changes", "office", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and not again.data
    api.town.step(two, "assign", api.town.person("office"), lead_unit="water")
    told = api.get(f"/api/v1/changes?since={cursor}", "office", headers={"If-None-Match": first.headers["ETag"]}).json
    assert told["changes"] == [{"issue": two, "version": 2, "state": "assigned"}]
    mine = {"role": "unit", "who": {"unit": "water"}}
    assert {row["issue"] for row in api.get("/api/v1/changes", **mine).json["changes"]} == {two}


def test_a_long_list_of_changes_loses_none(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "CHANGES", 3)
    made = {api.town.report(chainage_m=at).issue.number for at in range(200, 2700, 300)}
    api.town.step(min(made), "assign", api.town.person("office"), lead_unit="water")
    seen, cursor, rounds = set(), 0, 0
    while True:
        told = api.get(f"/api/v1/changes?since={cursor}", "office").json
        seen |= {row["issue"] for row in told["changes"]}
        cursor, rounds = told["next"], rounds + 1
        if not told["more"]:
            break
    assert seen == made and rounds == 3
    assert api.get(f"/api/v1/changes?since={cursor}", "office").json["changes"] == []


# --- slips and their codes -----------------------------------------------------------------------------------


def test_a_slip_and_its_json_twin_say_the_same(api: Api) -> None:
    number = api.town.to_assigned()
    listed = api.get(f"{LIST}/{number}", "unit").json["slips"][0]
    twin = api.get(listed["json"], "unit").json
    assert twin["printed_number"] == listed["printed_number"] and twin["facts"]["issue"] == number
    pdf = api.get(listed["pdf"], "unit").data
    printed = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    code = twin["check_code"]
    assert number in printed and f"{code[:5]}-{code[5:]}" in printed
    assert api.get(listed["pdf"], "unit").data == pdf


def test_a_check_code_proves_a_slip_and_nothing_else(api: Api) -> None:
    number = api.town.to_assigned()
    old = api.get(f"{LIST}/{number}", "office").json["slips"][0]
    code = old["check_code"]
    told = api.get(f"/api/v1/check?slip={old['number']}&code={code}").json
    assert set(told) == {"genuine", "kind", "title", "made_at", "superseded"}
    assert told["genuine"] and told["kind"] == "assignment" and told["superseded"] is False
    typed = f"{code[:5].lower()}-{code[5:].lower()}"
    assert api.get(f"/api/v1/check?slip={old['number']}&code={typed}").json == told
    wrong = ("0" if code[0] != "0" else "1") + code[1:]
    for slip, given in ((old["number"], wrong), ("JB-2026-9999-1", code), ("", ""), (old["number"], ""), ("x", "y")):
        assert api.get(f"/api/v1/check?slip={slip}&code={given}").json == {"genuine": False}
    api.step(number, "reassign", "office", {"lead_unit": "construction", "reason": "派错了"})
    assert api.get(f"/api/v1/check?slip={old['number']}&code={code}").json["superseded"] is True


def test_guessing_check_codes_is_slowed(api: Api) -> None:
    limits.reset()
    answers = [api.get(f"/api/v1/check?slip=JB-2026-0001-1&code={n:010d}") for n in range(32)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 2
    limits.reset()


# --- suggestions ---------------------------------------------------------------------------------------------


def test_suggestions_name_what_it_may_already_be_within_scope(api: Api) -> None:
    number = api.town.report(chainage_m=300).issue.number
    at = api.town.at(305)
    query = f"lon={at['lon']}&lat={at['lat']}&crs=wgs84&kind=floating_debris&accuracy_m=5"
    told = api.get(f"/api/v1/suggestions?{query}", "operator").json["suggestions"]
    assert [(one["issue"], one["verdict"]) for one in told] == [(number, "join")]
    assert api.get(f"/api/v1/suggestions?{query}", "grid", who={"grids": ("G4",)}).json["suggestions"] == []
    problem(api.get(f"/api/v1/suggestions?{query}"), 401)
    told = problem(api.get("/api/v1/suggestions", "operator"), 422)
    assert {fault["pointer"] for fault in told["errors"]} == {"/lon", "/lat", "/crs", "/kind"}
    for bad in ("lon=x", "lon=1e2", "lon=181", "crs=gps", "kind=fish", "accuracy_m=-5", "accuracy_m=nan"):
        name = bad.partition("=")[0]
        kept = "&".join(part for part in query.split("&") if not part.startswith(f"{name}="))
        problem(api.get(f"/api/v1/suggestions?{kept}&{bad}", "operator"), 422)


# --- the place, health ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["centreline", "water", "key_areas", "grids", "outfalls"])
def test_layers_are_geojson_for_anyone(api: Api, layer: str) -> None:
    answer = api.get(f"/api/v1/place/{layer}")
    assert answer.mimetype == "application/geo+json" and answer.json["type"] == "FeatureCollection"
    assert answer.json["features"] and answer.json["schematic"] is True


@pytest.mark.parametrize("layer", ["units", "place", "..", "water.geojson", "x"])
def test_no_other_layer_exists(api: Api, layer: str) -> None:
    problem(api.get(f"/api/v1/place/{layer}"), 404)


def test_health_says_what_it_can_and_names_what_it_cannot(api: Api) -> None:
    assert api.get("/health/live").json == {"live": True}
    ready = api.get("/health/ready")
    assert ready.status_code == 200 and ready.json == {"ready": True, "database": "ok", "photos": "ok", "disk": "ok"}
    work = api.get("/health/work")  # no worker runs here
    assert work.status_code == 503 and work.json["working"] is False and work.json["worker_seen_s"] is None
    with api.station.work(SYSTEM) as session:
        session.session.add(m.Beat(worker="one", at=session.now))
    assert api.get("/health/work").status_code == 200
    wait(api, seconds=31)
    assert api.get("/health/work").status_code == 503


def test_a_full_disk_refuses_and_says_so(environ: dict[str, str], clock: Any) -> None:
    full = migrated(Station.open(Settings.read(environ | {"PATROL_FREE_DISK_MB": str(10**9)}), clock=clock))
    try:
        api = Api(full)
        before = api.kept()
        problem(api.report("grid"), 507)
        problem(api.report(None, words="x"), 507)
        assert api.get("/health/ready").status_code == 503
        assert api.kept() == before
        assert api.get(LIST, "office").status_code == 200  # looking goes on
    finally:
        full.close()
