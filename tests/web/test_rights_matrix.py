"""Every route, role and scope, generated from DOORS and PAGES: who may knock, and what no answer may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from flask import Flask

from patrol import models as m
from patrol.rules import rights
from patrol.rules.rights import ANYONE, DOORS, PAGES, ROLES, Door
from patrol.station import SYSTEM, Station
from patrol.web import limits
from tests.walk import picture
from tests.web.api_town import Api, form, problem

ABSENT = "TH-2026-9999"
LIST = "/api/v1/issues"
NO_UUID = "00000000-0000-4000-8000-000000000000"
WORDS = "MARKTIPWORDS"
PLACE = "MARKTIPPLACE"
BEFORE = "MARKSOURCE"  # stands in everything that was said before the first slip
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# served by the app itself, outside the tables of rights: no person, no issue
OPEN_RULES = {"/assets/<path:name>", "/health/live", "/health/ready", "/health/work"}


@dataclass(frozen=True)
class Thing:
    """One thing in the town and the ids under which the routes name it."""

    name: str
    issue: str
    photo: str
    slip: str
    request: int
    clue: str
    grid: str | None
    unit: str | None


@dataclass(frozen=True)
class Caller:
    """One identity: a role with its unit and grids, nobody, or somebody with a bad token."""

    name: str
    role: str | None
    unit: str | None = None
    grids: tuple[str, ...] | None = None
    bad: bool = False

    @property
    def roles(self) -> frozenset[str]:
        return frozenset({self.role}) if self.role else frozenset()


CALLERS = (
    Caller("nobody", None),
    Caller("bad token", None, bad=True),
    *(Caller(role, role) for role in ROLES if role not in ("unit", "grid")),
    Caller("grid everywhere", "grid"),
    Caller("grid here", "grid", grids=("G1",)),
    Caller("grid there", "grid", grids=("G4",)),
    Caller("unit here", "unit", unit="water"),
    Caller("unit there", "unit", unit="construction"),
    Caller("unit elsewhere", "unit", unit="agriculture"),
)


def walk_to(api: Api, chainage_m: float, unit: str) -> Thing:
    """An issue from a tip, joined by a drone's frame, assigned, checked, with an open request and three photos."""
    town = api.town
    number = town.report(
        "tip", "floating_debris", chainage_m, words=f"{WORDS} {BEFORE}", place_words=PLACE
    ).issue.number
    api.photo(number, "check", "office", claim={"position": town.at(chainage_m)})
    town.station.clock.forward(minutes=7)  # type: ignore[attr-defined]  # the settable clock
    frame = api.report(
        "drone", (picture(int(chainage_m)),), position=town.at(chainage_m), score=0.95,
        flight=f"F-{BEFORE}", frame="D-1", seen_at=api.station.now().isoformat(),
    )  # fmt: skip
    assert frame.json["issue"] == number and frame.json["joined"], frame.text
    town.station.clock.forward(minutes=4)  # type: ignore[attr-defined]  # the settable clock
    town.step(number, "assign", town.person("office"), lead_unit=unit, words="请清理水面")
    town.station.clock.forward(minutes=3)  # type: ignore[attr-defined]  # the settable clock
    grid = town.person("grid")
    town.photo(number, "before", grid, chainage_m=chainage_m)
    town.step(number, "supervise", grid, finding="true", position=town.at(chainage_m))
    town.step(number, "supervise", town.person("office2"))
    asker = town.person("unit", unit=unit, name=f"水利员{unit}")
    asked = town.step(number, "extend", asker, reason="水位高", by={"amount": 2, "unit": "working_hours"})
    assert asked.request is not None
    clue = town.report("drone", "floating_debris", chainage_m + 180, score=0.2).sighting
    issue = town.issue(number)
    with api.station.look() as look:
        photo = look.session.query(m.Photo).filter_by(issue_id=issue.id, stage="check").one()
        assert not photo.released
        slip = look.session.query(m.Slip).filter_by(issue_id=issue.id, kind="assignment").one()
    return Thing(number, number, photo.ref, slip.number, asked.request.id, clue.ref, issue.grid, unit)


@pytest.fixture
def api(station: Station) -> Api:
    return Api(station)


def town_of_two(api: Api) -> tuple[Thing, Thing, Thing]:
    here, there = walk_to(api, 300, "water"), walk_to(api, 2000, "construction")
    assert (here.grid, there.grid) == ("G1", "G4")
    nothing = Thing("nothing", ABSENT, NO_UUID, "JB-2026-9999-1", 999_999, NO_UUID, None, None)
    for caller in CALLERS:  # so that no call of the matrix makes one
        if caller.role:
            api.token(caller.role, unit=caller.unit, grids=caller.grids)
    return here, there, nothing


# --- what a route needs to be knocked at without changing anything -------------------------------------------


@dataclass(frozen=True)
class Probe:
    """A request to one route that changes nothing even where it is allowed, and the answer it then gets."""

    status: int
    more: dict[str, Any]
    query: str = ""


CODE = {"code": "0000000000000000"}
PROBES: dict[str, Probe] = {
    "POST /api/v1/reports": Probe(422, {"json": {}}),
    "POST /api/v1/detections": Probe(422, {"json": {}}),
    "POST /api/v1/frames": Probe(422, form({"mark": {}}, [b"x"])),
    "POST /api/v1/rounds": Probe(422, {"json": {"round": 0}}),
    "POST /api/v1/unflyable": Probe(422, {"json": {}}),
    "POST /api/v1/flights": Probe(422, {"json": {"source": "balloon"}}),
    "GET /api/v1/flights/<flight>": Probe(404, {}),
    "GET /api/v1/flights/<flight>/progress": Probe(404, {}),
    "GET /api/v1/flights/<flight>/timings": Probe(404, {}),
    "GET /api/v1/flights/<flight>/detections": Probe(404, {}),
    "POST /api/v1/flights/<flight>/files": Probe(415, {"json": {}}),
    "POST /api/v1/flights/<flight>/uploads": Probe(422, {"json": {}}),
    "GET /api/v1/flights/<flight>/uploads/<upload>": Probe(404, {}),
    "PUT /api/v1/flights/<flight>/uploads/<upload>": Probe(422, {}, "?offset=x"),
    "POST /api/v1/flights/<flight>/finish": Probe(404, {}),
    "POST /api/v1/flights/<flight>/cancel": Probe(404, {}),
    "GET /api/v1/flights/<flight>/frames/<frame>.jpg": Probe(404, {}),
    "GET /api/v1/flights/<flight>/frames/<frame>/views": Probe(404, {}),
    "POST /api/v1/things/<thing>/confirm": Probe(422, {"json": {"kind": "nonsense"}}),
    "POST /api/v1/things/<thing>/dismiss": Probe(422, {"json": {"reason": "nonsense"}}),
    "POST /api/v1/things/<thing>/merge": Probe(422, {"json": {}}),
    "POST /api/v1/episodes/<episode>/acknowledge": Probe(404, {}),
    "POST /api/v1/patrols": Probe(422, {"json": {}}),
    "GET /api/v1/suggestions": Probe(200, {}, "?lon=112.18&lat=30.355&crs=wgs84&kind=sewage"),
    "POST /api/v1/clues/<clue>/confirm": Probe(422, {"json": {"kind": "nonsense"}}),
    "POST /api/v1/clues/<clue>/discard": Probe(422, {"json": {"reason": "nonsense"}}),
    "POST /api/v1/clues/<clue>/join": Probe(422, {"json": {"issue": ABSENT}}),
    "GET /api/v1/clues/<clue>/photos/<photo>": Probe(404, {}),
    "POST /api/v1/issues/<issue>/steps/<step>": Probe(428, {"json": {}}),
    "POST /api/v1/issues/<issue>/photos": Probe(415, form({}, [b"no photo"]), "?stage=during"),
    "GET /api/v1/issues/<issue>/effects/<effect>/<side>.jpg": Probe(404, {}),
    "POST /api/v1/requests/<request_id>/approve": Probe(428, {"json": {}}),
    "POST /api/v1/requests/<request_id>/refuse": Probe(428, {"json": {}}),
    "POST /api/v1/requests/<request_id>/withdraw": Probe(428, {"json": {}}),
    "POST /api/v1/keys": Probe(422, {"json": {}}),
    "POST /api/v1/keys/<key>/vouch": Probe(422, {"json": {}}),
    "POST /api/v1/keys/<key>/lost": Probe(404, {}),
    "GET /api/v1/envelopes/<tip>": Probe(404, {}),
    "POST /api/v1/openings": Probe(422, {"json": {}}),
    "POST /api/v1/openings/<opening>/open": Probe(422, {"json": {}}),
    "GET /api/v1/openings/<opening>/bodies/<envelope>": Probe(404, {}),
    "POST /api/v1/callbacks/<tip>/open": Probe(422, {"json": {}}),
    "POST /api/v1/tips/status": Probe(404, {"json": CODE}),
    "POST /api/v1/tips/supplement": Probe(404, {"json": {**CODE, "words": "x"}}),
    "POST /api/v1/tips/reopen": Probe(404, {"json": {**CODE, "reason": "x"}}),
    "POST /api/v1/tips/appeal": Probe(404, {"json": {**CODE, "against": "late", "words": "x"}}),
    "POST /api/v1/tips/reward": Probe(404, {"json": CODE}),
    "POST /api/v1/tips/payee": Probe(404, {"json": {**CODE, "way": "counter"}}),
    "POST /api/v1/rewards/<reward>/<act>": Probe(404, {"json": {}}),
    "POST /api/v1/payments": Probe(422, {"json": {}}),
    "POST /api/v1/payments/claim": Probe(404, {"json": CODE}),
    "POST /api/v1/payments/<batch>/<act>": Probe(404, {"json": {}}),
    "POST /api/v1/points": Probe(422, {"json": {}}),
    "POST /api/v1/goods/<good>/exchange": Probe(422, {"json": {}}),
    "POST /api/v1/classes/<class_id>/seats": Probe(422, {"json": {}}),
    "POST /api/v1/classes/give-back": Probe(404, {"json": CODE}),
    "POST /api/v1/observations": Probe(422, {"json": {}}),
    "POST /api/v1/tips/rating": Probe(404, {"json": {**CODE, "stars": 3, "solved": True}}),
}


def path_of(row: Door, thing: Thing) -> str:
    parts = {"issue": thing.issue, "photo": thing.photo, "number": thing.slip, "request_id": str(thing.request),
             "clue": thing.clue, "step": "press", "layer": "water", "flight": NO_UUID, "upload": NO_UUID,
             "frame": NO_UUID, "thing": NO_UUID, "episode": NO_UUID, "effect": NO_UUID, "side": "before", "key": "0" * 16, "tip": NO_UUID, "opening": NO_UUID, "envelope": "0" * 64,
             "reward": "JL-2026-9999", "act": "nothing", "batch": "FF-2026-9999", "good": "999999", "class_id": "999999",
             "name": "closed"}  # fmt: skip
    return re.sub(r"<(\w+)>", lambda part: parts[part[1]], row.path)


def in_scope(caller: Caller, row: Door, thing: Thing) -> bool:
    """Whether the thing is this caller's to see, said once more and on its own."""
    assert caller.role is not None
    if thing.grid is None:
        return False
    if "<clue>" in row.path:  # both clues are a drone's; the operator has those of fishing only
        office = caller.role in ("office", "office_head", "chief", "inspector")
        return office or (caller.role == "grid" and (caller.grids is None or thing.grid in caller.grids))
    scope = ROLES[caller.role].scope
    if scope == "unit":
        return caller.unit == thing.unit
    if scope == "grid":
        return caller.grids is None or thing.grid in caller.grids
    return scope == "all"


def expected(caller: Caller, row: Door, thing: Thing) -> int:
    """The status the table asks for."""
    probe = PROBES.get(f"{row.method} {row.path}", Probe(200, {}))
    if caller.bad:
        return 401
    if row.who == ANYONE:
        return 403 if row.path == LIST and rights.view_of(caller.roles) == "none" else probe.status
    if caller.role is None:
        return 401
    if caller.role not in row.who:
        return 403
    if row.scoped and not in_scope(caller, row, thing):
        return 404
    if "<photo>" in row.path and "<issue>" in row.path and ROLES[caller.role].view != "full":
        return 404  # the photo was sent by the office before the first slip and released to nobody
    return probe.status


def knock(api: Api, caller: Caller, row: Door, thing: Thing) -> Any:
    probe = PROBES.get(f"{row.method} {row.path}", Probe(200, {}))
    limits.reset()
    token = "ptl_nobody_has_this" if caller.bad else None
    if caller.role:
        token = api.token(caller.role, unit=caller.unit, grids=caller.grids)
    return api.call(row.method, path_of(row, thing) + probe.query, token=token, **probe.more)


def test_every_door_role_and_scope_answers_as_the_table_says(api: Api) -> None:
    things = town_of_two(api)
    api.get(f"/api/v1/slips/{things[0].slip}.pdf", "office")  # print once: a first look prints the paper
    api.get(f"/api/v1/slips/{things[1].slip}.pdf", "office")
    before, tried, wrong, missing = api.kept(), 0, [], set()
    for row in DOORS:
        for caller in CALLERS:
            for thing in things if "<" in row.path else things[:1]:
                answer = knock(api, caller, row, thing)
                want = expected(caller, row, thing)
                tried += 1
                if answer.status_code != want:
                    wrong.append((row.method, row.path, caller.name, thing.name, answer.status_code, want))
                if want >= 400:
                    body = problem(answer, answer.status_code)
                    if want == 404 and row.scoped:
                        missing.add((row.path, body["type"], body["detail"], tuple(sorted(body))))
    assert not wrong, f"{len(wrong)} of {tried}: {wrong[:10]}"
    assert tried > 900
    assert api.kept() == before
    # absent, out of scope and not shown: one body for each route, so that nothing tells them apart
    assert len(missing) == len({path for path, *_ in missing})


def routes(app: Flask) -> set[tuple[str, str]]:
    found = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"<\1>", rule.rule)
        if rule.rule not in OPEN_RULES:
            found |= {(method, path) for method in rule.methods or () if method in METHODS}
    return found


def test_the_app_has_the_routes_of_the_tables_and_no_other(api: Api) -> None:
    doors, pages = {(row.method, row.path) for row in DOORS}, {(row.method, row.path) for row in PAGES}
    served = routes(api.app)
    assert served == doors | pages
    assert len(doors) == len(DOORS) and len(pages) == len(PAGES)
    for row in (*DOORS, *PAGES):
        assert row.who == ANYONE or row.who <= set(ROLES), row
        assert row.method in METHODS


def test_pages_keep_out_whom_the_table_keeps_out(api: Api) -> None:
    things, wrong = town_of_two(api), []
    served = routes(api.app)
    for row in PAGES:
        if (row.method, row.path) not in served or row.who == ANYONE:
            continue
        for caller in CALLERS:
            path = path_of_page(row, things[0])
            token = "ptl_nobody_has_this" if caller.bad else None
            if caller.role:
                token = api.token(caller.role, unit=caller.unit, grids=caller.grids)
            answer = api.call(row.method, path, token=token)
            if caller.bad:
                want = {401}
            elif caller.role is None:
                want = {303} if row.method == "GET" else {401}
            elif caller.role not in row.who:
                want = {403}
            elif row.scoped and "<issue>" in row.path and not in_scope(caller, row, things[0]):
                want = {400, 404, 415, 422}  # a form is judged before the thing it is about
            else:
                want = {200, 303, 400, 404, 409, 412, 413, 415, 422, 428}
            if answer.status_code not in want or (want == {303} and "/signin" not in answer.headers["Location"]):
                wrong.append((row.method, row.path, caller.name, answer.status_code, want))
    assert not wrong, wrong[:10]


def path_of_page(row: Door, thing: Thing) -> str:
    parts = {"issue": thing.issue, "photo": thing.photo, "clue": thing.clue, "request_id": str(thing.request),
             "step": "press", "deed": "confirm", "outcome": "approve"}  # fmt: skip
    return re.sub(r"<(\w+)>", lambda part: parts.get(part[1], "1"), row.path)


@pytest.mark.parametrize("number", ["999999999999999999999999", "2147483648", "-1", "0x1", "١٢", "1.0"])
def test_numbers_no_row_can_have_are_absent(api: Api, number: str) -> None:
    for verb in ("approve", "refuse", "withdraw"):
        problem(api.post(f"/api/v1/requests/{number}/{verb}", {}, "office", version=1), 404)


# --- what no answer may hold ---------------------------------------------------------------------------------


def walk(value: Any, at: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every key of an answer with its place and value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield at, key, inner
            yield from walk(inner, f"{at}/{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, at)


def times(value: Any) -> Iterator[datetime]:
    """Every moment in an answer, however deep."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from times(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from times(inner)
    elif isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", value):
        yield datetime.fromisoformat(value)


NEVER_WORK = {
    "sightings", "channel", "channels", "channel_zh", "reporter_count", "reporters", "opened_at", "found_at", "seen_at",
    "persons", "deliveries", "links", "trail_head", "flight", "frame", "score", "asker", "decider", "method", "sealed",
    "callback", "place_words", "source", "given",
}  # fmt: skip
ISSUE_PATHS = ("", "/trail", "/steps")


def answers_of(api: Api, caller: Caller, thing: Thing) -> dict[str, Any]:
    """Every JSON answer this caller gets about a thing it may see."""
    token = api.token(str(caller.role), unit=caller.unit, grids=caller.grids)
    found = {f"issue{path}": api.get(f"/api/v1/issues/{thing.issue}{path}", token=token) for path in ISSUE_PATHS}
    found |= {name: api.get(f"/api/v1/{name}", token=token) for name in ("issues", "requests", "changes")}
    for slip in found["issue"].json["slips"]:
        found[slip["json"]] = api.get(slip["json"], token=token)
    assert all(answer.status_code == 200 for answer in found.values())
    return {name: answer.json for name, answer in found.items()}


@pytest.mark.parametrize("caller", [c for c in CALLERS if c.name in ("unit here", "grid here", "grid everywhere")],
                         ids=lambda caller: caller.name)  # fmt: skip
def test_the_work_view_tells_nothing_of_the_source(api: Api, caller: Caller) -> None:
    thing, other, _ = town_of_two(api)
    assigned_at = api.town.issue(thing.issue).assigned_at
    with api.station.look() as look:
        kept = look.session.query(m.Photo).filter(m.Photo.released.is_(False)).all()
        hidden = {photo.ref for photo in kept if photo.stage in ("check", "report")}
    assert hidden and assigned_at is not None
    for name, body in answers_of(api, caller, thing).items():
        text = json.dumps(body, ensure_ascii=False)
        keys = {key for _, key, _ in walk(body)}
        assert not keys & (NEVER_WORK - ({"frame"} if "steps" in name else set())), (name, keys & NEVER_WORK)
        assert not keys & rights.SEALED, name
        for mark in (WORDS, PLACE, BEFORE, *hidden):
            assert mark not in text, (name, mark)
        if name not in ("requests", "changes"):
            assert all(at >= assigned_at for at in times(body)), (name, min(times(body)))
        if caller.grids or caller.unit:
            assert other.issue not in text, name
    listed = api.get(LIST, caller.role, who={"unit": caller.unit, "grids": caller.grids}).json["features"]
    for feature in listed:
        assert set(feature["properties"]) <= {name for name in rights.FIELDS if rights.sees("work", name)}
        assert {clock["name"] for clock in feature["properties"]["clocks"]} <= rights.WORK_CLOCKS
    who = {"unit": caller.unit, "grids": caller.grids}
    lines = api.get(f"/api/v1/issues/{thing.issue}/trail", caller.role, who=who).json["trail"]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1)) and lines[0]["event"] == "assigned"
    shown = api.get(f"/api/v1/issues/{thing.issue}", caller.role, who={"unit": caller.unit, "grids": caller.grids}).json
    assert set(shown) <= {name for name in rights.FIELDS if rights.sees("work", name)}
    assert {clock["name"] for clock in shown["clocks"]} <= rights.WORK_CLOCKS
    assert all("flags" not in photo and "sha256" not in photo for photo in shown["photos"])


@pytest.mark.parametrize("role", ["unit", "grid", "volunteer", "reward", "admin", None])
def test_no_page_tells_the_source_to_those_who_may_not_know(api: Api, role: str | None) -> None:
    """Every page a caller may open, as HTML: no tip's words or place, no photo that was not released to it."""
    thing, other, _ = town_of_two(api)
    with api.station.look() as look:
        hidden = {photo.ref for photo in look.session.query(m.Photo).filter(m.Photo.released.is_(False))
                  if photo.stage in ("check", "report")}  # fmt: skip
    opened = 0
    for row in PAGES:
        if row.method != "GET":
            continue
        for one in (thing, other):
            answer = api.get(path_of_page(row, one), role)
            opened += answer.status_code == 200
            text = answer.get_data(as_text=True)
            for mark in (WORDS, PLACE, BEFORE, *hidden):
                assert mark not in text, (row.path, mark)
            if role not in ("unit", "grid") and answer.status_code == 200:
                assert thing.issue not in text and other.issue not in text, row.path
    assert opened >= 5


def test_printed_slips_tell_no_time_of_finding(api: Api) -> None:
    """Neither the frozen facts nor the captions under the photos, nor a clock that only tips have."""
    thing, _, _ = town_of_two(api)
    with api.station.look() as look:
        first = look.session.query(m.Sighting).order_by(m.Sighting.id).first()
    assert first is not None
    body = api.get(f"/api/v1/slips/{thing.slip}.json", "unit").json
    frames = [photo for photo in body["facts"]["photos"] if photo["stage"] == "sighting"]
    assert frames and all(not re.search(r"\d", photo["caption"]) for photo in frames)
    number = api.town.to_closed(channel="tip", chainage_m=1240)
    with api.station.look() as look:
        issue = api.town.issue(number)
        slip = look.session.query(m.Slip).filter_by(issue_id=issue.id, kind="closure").one()
        names = {row["clock"] for row in slip.facts["timeliness"]}
        assert "check" in {clock.name for clock in look.session.query(m.Clock).filter_by(issue_id=issue.id)}
    assert names and not any("核实" in name for name in names), names


@pytest.mark.parametrize("role", ["office", "office_head", "inspector", "operator", "chief"])
def test_the_full_view_has_everything_but_what_is_sealed(api: Api, role: str) -> None:
    thing, _, _ = town_of_two(api)
    body = api.get(f"/api/v1/issues/{thing.issue}", role).json
    assert set(body) >= {"sightings", "channels", "reporter_count", "opened_at", "persons", "deliveries"}
    assert WORDS in json.dumps(body, ensure_ascii=False)
    for path in ("", "/steps"):
        body = api.get(f"/api/v1/issues/{thing.issue}{path}", role).json
        assert not {key for _, key, _ in walk(body)} & rights.SEALED


@pytest.mark.parametrize("role", [None, "volunteer", "reward", "admin"])
def test_the_public_set_is_state_kind_month_and_a_mark(api: Api, role: str | None) -> None:
    thing, there, _ = town_of_two(api)
    api.town.report("grid", "sewage", 900)  # reported: not yet public
    fishing = api.town.report("grid", "illegal_fishing", 1500).issue.number
    api.town.step(fishing, "assign", api.town.person("office"), lead_unit="agriculture")
    tips_only = api.town.to_supervised(channel="tip", chainage_m=1240)
    with api.station.work(SYSTEM) as work:  # as if it had gone on: the kind alone must hide it
        work.session.query(m.Issue).filter_by(number=fishing).one().state = "supervised"
    answer = api.get(LIST, role)
    features = answer.json["features"]
    assert len(features) == 2, answer.text  # the two that a drone saw as well
    river = api.station.place.river
    marks = {tuple(round(v, 5) for v in river.point_at(at)) for at in (*range(0, 2900, 100), river.length_m)}
    for feature in features:
        assert set(feature) == {"type", "geometry", "properties"}
        assert set(feature["properties"]) == {"state", "kind", "month"}
        assert tuple(feature["geometry"]["coordinates"]) in marks
    for mark in (WORDS, PLACE, BEFORE, "TH-2026", thing.issue, there.issue, tips_only, fishing, "water"):
        assert mark not in answer.text
    closed = api.town.to_closed(channel="tip", kind="solid_waste")
    shown = api.get(LIST, role).json["features"]
    assert [f["properties"]["state"] for f in shown].count("closed") == 1 and closed
    for name in ("unit=water", "overdue=true", "since=2026-11-23T00:00:00%2B08:00"):
        problem(api.get(f"{LIST}?{name}", role), 422)


def test_a_public_box_is_judged_by_the_mark_it_shows(api: Api) -> None:
    """A box that holds the real position but not the mark answers nothing: no search closes in on the place."""
    thing, _, _ = town_of_two(api)
    issue = api.town.issue(thing.issue)
    assert issue.lon is not None and issue.lat is not None
    tiny = f"{issue.lon - 1e-5:.6f},{issue.lat - 1e-5:.6f},{issue.lon + 1e-5:.6f},{issue.lat + 1e-5:.6f}"
    assert api.get(f"{LIST}?bbox={tiny}", "office").json["features"]
    mark = next(f["geometry"]["coordinates"] for f in api.get(LIST).json["features"])
    assert api.get(f"{LIST}?bbox={tiny}").json["features"] == [] or abs(mark[0] - issue.lon) < 1e-5


def test_an_issue_left_with_tips_alone_is_public_no_more(api: Api) -> None:
    """Splitting the drone's sighting off leaves only the tip behind; merging the two brings it back."""
    number = api.town.report("tip", words=WORDS).issue.number
    frame = api.town.report("drone", score=0.95)
    assert frame.issue.number == number and frame.joined
    assert api.town.issue(number).tips_only is False
    body = {"sightings": [frame.sighting.ref], "reason": "两件事", "kind": "solid_waste"}
    assert api.step(number, "split", "office", body).status_code == 200
    child = "TH-2026-0002"
    assert (api.town.issue(number).tips_only, api.town.issue(child).tips_only) == (True, False)
    assert api.step(child, "merge", "office", {"parent": number, "reason": "是一件"}).status_code == 200
    assert api.town.issue(number).tips_only is False
    assert api.step(child, "unmerge", "office", {"reason": "还是两件"}).status_code == 200
    assert (api.town.issue(number).tips_only, api.town.issue(child).tips_only) == (True, False)


def test_month_is_the_month_on_the_wall(api: Api) -> None:
    """Found at 07:30 on the first of a month here, still the last of the month before in UTC."""
    api.station.clock.at = datetime.fromisoformat("2026-12-01T07:30:00+08:00")  # type: ignore[attr-defined]
    api.town.to_supervised()
    assert [f["properties"]["month"] for f in api.get(LIST).json["features"]] == ["2026-12"]


# --- ids of others -------------------------------------------------------------------------------------------


def test_ids_from_other_answers_are_absent(api: Api) -> None:
    """Every id the office sees, tried by those whose it is not: the same answer as for one that never was."""
    here, there, nothing = town_of_two(api)
    office = api.get(f"/api/v1/issues/{there.issue}", "office").json
    clues = [c["clue"] for c in api.get("/api/v1/clues", "office").json["clues"]]
    paths = [f"/api/v1/issues/{there.issue}{path}" for path in ISSUE_PATHS]
    paths += [photo["url"] for photo in office["photos"]]
    paths += [f"{photo['url']}?size=original" for photo in office["photos"]]
    paths += [slip[form_] for slip in office["slips"] for form_ in ("pdf", "json")]
    absent = {
        "issues": problem(api.get(f"/api/v1/issues/{ABSENT}", "unit"), 404),
        "photos": problem(api.get(f"/api/v1/issues/{ABSENT}/photos/{NO_UUID}", "unit"), 404),
        "slips": problem(api.get(f"/api/v1/slips/{nothing.slip}.json", "unit"), 404),
    }
    for caller in ({"role": "unit", "who": {"unit": "water"}}, {"role": "grid", "who": {"grids": ("G1",)}}):
        for path in paths:
            body = problem(api.get(path, **caller), 404)
            like = absent["slips" if "/slips/" in path else "photos" if "/photos/" in path else "issues"]
            assert {**body, "request_id": ""} == {**like, "request_id": ""}, path
        # a foreign photo under one's own issue
        for photo in office["photos"]:
            problem(api.get(f"/api/v1/issues/{here.issue}/photos/{photo['photo_id']}", **caller), 404)
        foreign = {"photos": [office["photos"][0]["photo_id"]], "words": "x"}
        answer = api.step(here.issue, "progress", str(caller["role"]), foreign, who=caller["who"])
        assert {f["code"] for f in problem(answer, 422)["errors"]} == {"unknown_photo"}
    for clue in clues:
        problem(api.get(f"/api/v1/clues/{clue}", "unit"), 403)
    problem(api.get(f"/api/v1/clues/{there.clue}", "grid", who={"grids": ("G1",)}), 404)
    # a grid worker may not join a clue of his to an issue that is not his to see
    mine = {"role": "grid", "who": {"grids": ("G1",)}}
    told = [problem(api.post(f"/api/v1/clues/{here.clue}/join", {"issue": number}, **mine), 422)
            for number in (there.issue, ABSENT)]  # fmt: skip
    assert told[0]["errors"] == told[1]["errors"]


def test_a_tip_photo_is_shown_to_those_who_may_see_tips(api: Api) -> None:
    data = picture(91)
    assert api.report(None, (data,), position=api.town.at(1240)).status_code == 201
    with api.station.look() as look:
        number = look.session.query(m.Issue).one().number
        ref = look.session.query(m.Photo).one().ref
    api.station.clock.forward(minutes=9)  # type: ignore[attr-defined]  # the settable clock
    api.town.step(number, "assign", api.town.person("office"), lead_unit="water")
    path = f"/api/v1/issues/{number}/photos/{ref}"
    assert [api.get(path, role).status_code for role in ("office", "operator", "unit", "grid")] == [
        200,
        200,
        404,
        404,
    ]
    assert api.get(f"{path}?size=original", "operator").status_code == 404
    assert api.get(f"{path}?size=original", "office").data != data  # even so it is the clean picture
    with api.station.work(api.actor("office")) as work:
        photo = work.session.query(m.Photo).one()
        photo.released = True
    assert api.get(path, "unit").status_code == 200
    shown = api.get(f"/api/v1/issues/{number}", "unit").json["photos"]
    assert [photo["received_at"] for photo in shown] == [None]


def test_one_grid_or_many_and_no_grid_at_all(api: Api) -> None:
    here, there, _ = town_of_two(api)
    both = {"who": {"grids": ("G1", "G4")}}
    assert api.get(f"/api/v1/issues/{here.issue}", "grid", **both).status_code == 200
    assert api.get(f"/api/v1/issues/{there.issue}", "grid", **both).status_code == 200
    seen = {f["properties"]["issue"] for f in api.get(LIST, "grid", who={"grids": ("G2",)}).json["features"]}
    assert seen == set()


def test_a_revoked_token_ends_at_once(api: Api) -> None:
    token = api.token("office")
    assert api.get("/api/v1/requests", token=token).status_code == 200
    with api.station.work(SYSTEM) as work:
        for row in work.session.query(m.Token).filter_by(role="office"):
            row.revoked_at = work.now
    problem(api.get("/api/v1/requests", token=token), 401)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer x y", "Bearer \x7f", "Bearer ptl_%00"]
)
def test_a_bad_token_is_never_anybody(api: Api, header: str) -> None:
    body = {"kind": "sewage", "words": "x"}
    before = api.kept()
    answer = api.post("/api/v1/reports", body, headers={"Authorization": header})
    problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer") and api.kept() == before
    problem(api.get(LIST, headers={"Authorization": header}), 401)
