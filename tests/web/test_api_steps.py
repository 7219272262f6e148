"""Steps, requests and clues through the doors: versions before states, states before evidence, everything at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from patrol import models as m
from patrol.rules import lifecycle
from patrol.rules.problems import PROBLEMS
from patrol.station import Station
from tests.web.api_town import Api, codes, problem


@pytest.fixture
def api(station: Station) -> Api:
    return Api(station)


def wait(api: Api, **span: float) -> None:
    api.station.clock.forward(**span)  # type: ignore[attr-defined]  # the settable clock


def version(api: Api, number: str) -> int:
    return api.town.issue(number).version


# --- one issue from report to close, as outsiders do it ------------------------------------------------------


def test_the_loop_goes_through_the_doors_alone(api: Api) -> None:
    number = api.report("grid", words="水面有漂浮物").json["issue"]
    assert api.step(number, "assign", "office", {"lead_unit": "water", "words": "请清理"}).json["state"] == "assigned"
    assert api.photo(number, "before", "grid").status_code == 201
    on_site = {"finding": "true", "position": api.town.at(), "at_claimed": api.station.now().isoformat()}
    assert api.step(number, "supervise", "grid", on_site).status_code == 200
    supervised = api.step(number, "supervise", "office", {"on_site": False})
    assert supervised.json["state"] == "supervised" and supervised.json["turn"] == "区水利和湖泊局"
    wait(api, minutes=30)
    assert api.photo(number, "after", "unit").status_code == 201
    submitted = api.step(number, "submit", "unit", {"words": "清完了"})
    assert submitted.status_code == 200 and submitted.json["state"] == "rectified"
    verified = api.step(number, "verify", "office", {"checklist": api.town.checklist(number)})
    assert verified.json["state"] == "verified"
    closed = api.step(number, "close", "office_head")
    assert closed.json["state"] == "closed" and closed.headers["ETag"] == f'"{closed.json["version"]}"'
    assert [slip["kind"] for slip in closed.json["slips"]] == ["assignment", "supervision", "closure"]
    for slip in closed.json["slips"]:
        pdf = api.get(slip["pdf"], "unit")
        assert pdf.mimetype == "application/pdf" and pdf.data.startswith(b"%PDF")
        assert api.get(slip["pdf"], "office").data == pdf.data  # a reprint is the same paper
    events = [line["event"] for line in api.get(f"/api/v1/issues/{number}/trail", "inspector").json["trail"]]
    assert events[0] == "reported" and events[-1] == "closed"


# --- versions ------------------------------------------------------------------------------------------------


def test_without_a_version_428_and_with_an_old_one_412(api: Api) -> None:
    number = api.town.report().issue.number
    before = api.kept()
    body = {"lead_unit": "water"}
    problem(api.post(f"/api/v1/issues/{number}/steps/assign", body, "office"), 428)
    told = problem(api.step(number, "assign", "office", body, version=9), 412)
    assert (told["version"], told["state"]) == (1, "reported")
    assert api.kept() == before
    assert api.step(number, "assign", "office", body, version=1).status_code == 200


def test_the_version_is_checked_before_right_state_and_evidence(api: Api) -> None:
    """A race's loser is told that somebody was faster, not that his step is wrong."""
    number = api.town.to_assigned()
    old = version(api, number) - 1
    for role, verb, body in (("office", "assign", {"lead_unit": "water"}), ("office_head", "close", {}),
                             ("unit", "verify", {}), ("grid", "supervise", {})):  # fmt: skip
        problem(api.step(number, verb, role, body, version=old), 412)
        problem(api.post(f"/api/v1/issues/{number}/steps/{verb}", body, role), 428)


@pytest.mark.parametrize("text", ['"1"', "1", 'W/"1"', ' "1" '])
def test_a_version_as_clients_write_it(api: Api, text: str) -> None:
    number = api.town.report().issue.number
    answer = api.post(
        f"/api/v1/issues/{number}/steps/assign", {"lead_unit": "water"}, "office", headers={"If-Match": text}
    )
    assert answer.status_code == 200


def test_every_change_moves_the_version_and_a_look_does_not(api: Api) -> None:
    number = api.town.report().issue.number
    first = api.get(f"/api/v1/issues/{number}", "office")
    assert first.headers["ETag"] == '"1"' == api.get(f"/api/v1/issues/{number}/steps", "office").headers["ETag"]
    after = api.step(number, "assign", "office", {"lead_unit": "water"})
    assert after.headers["ETag"] == api.get(f"/api/v1/issues/{number}", "office").headers["ETag"] == '"2"'


# --- states and evidence -------------------------------------------------------------------------------------


def test_a_wrong_step_names_the_step_and_the_state(api: Api) -> None:
    number = api.town.to_assigned()
    for verb, role in (("assign", "office"), ("close", "office_head"), ("reopen", "office"), ("handle_here", "grid")):
        told = problem(api.step(number, verb, role), 409)
        assert (told["step"], told["state"]) == (verb, "assigned")
        assert lifecycle.STATES["assigned"] in told["detail"]


def test_a_step_that_is_not_yours_is_refused_by_name(api: Api) -> None:
    number = api.town.to_assigned()
    for verb, role in (("assign", "grid"), ("close", "unit"), ("press", "office"), ("verify", "operator")):
        assert problem(api.step(number, verb, role), 403)["step"] == verb
    problem(api.step(number, "no_such_step", "office"), 404)


def test_everything_missing_is_named_at_once(api: Api) -> None:
    number = api.town.to_assigned()
    told = problem(api.step(number, "supervise", "grid", {"finding": "true"}), 422)
    assert codes(told) >= {"fix_in_fence_if_grid", "before_photo_if_grid"}
    assert all(fault["sentence"].endswith("。") for fault in told["errors"])
    told = problem(api.step(number, "extend", "unit", {}), 422)
    assert codes(told) >= {"reason", "extension_size"}
    told = problem(api.step(number, "assign", "office", {"limit": 3, "kind": "x", "assisting": "y", "z": 1},
                            version=version(api, number)), 409)  # fmt: skip
    other = api.town.report(chainage_m=500).issue.number
    told = problem(api.step(other, "assign", "office", {"limit": 3, "kind": "x", "assisting": "y", "z": 1}), 422)
    assert {fault["pointer"] for fault in told["errors"]} == {"/limit", "/kind", "/assisting", "/z"}


def test_what_may_be_done_now_is_what_can_be_done(api: Api) -> None:
    """`GET …/steps` and the doors agree: a step without anything missing goes through, one it leaves out does not."""
    number = api.town.report().issue.number
    told = api.get(f"/api/v1/issues/{number}/steps", "office").json
    assert told["version"] == 1
    by_name = {step["step"]: step for step in told["steps"]}
    assert by_name["assign"]["missing"] and by_name["assign"]["schema"]["additionalProperties"] is False
    assert by_name["dismiss"]["asks"] == "second_person" and not by_name["waive_check"]["asks"]
    for verb in lifecycle.VERBS:
        if verb not in by_name:
            answer = api.step(number, verb, "office")
            assert answer.status_code in (403, 409, 422), (verb, answer.status_code)
    assert api.get(f"/api/v1/issues/{number}/steps", "operator").json["steps"] == []


# --- asking and deciding -------------------------------------------------------------------------------------


def asked(api: Api) -> tuple[str, dict[str, Any]]:
    number = api.town.to_assigned()
    by = {"amount": 2, "unit": "working_hours"}
    answer = api.step(number, "extend", "unit", {"reason": "水位高", "by": by})
    assert answer.status_code == 202
    return number, dict(answer.json["request"])


def test_who_may_ask_but_not_decide_gets_a_request(api: Api) -> None:
    number, request = asked(api)
    assert request["step"] == "extend" and request["state"] == "open" and request["reason"] == "水位高"
    assert api.town.issue(number).state == "assigned"
    again = problem(
        api.step(number, "extend", "unit", {"reason": "再", "by": {"amount": 1, "unit": "working_hours"}}), 409
    )
    assert again["type"] == "/problems/already_asked"
    for role, mine, decide in (("unit", True, False), ("office_head", False, True), ("office", False, False)):
        listed = api.get("/api/v1/requests", role).json["requests"]
        assert [(row["id"], row["mine"], row["decide"]) for row in listed] == [(request["id"], mine, decide)]
    assert api.get("/api/v1/requests", "grid").json["requests"] == []


def test_a_request_is_decided_once_by_another_with_its_version(api: Api) -> None:
    number, request = asked(api)
    path = f"/api/v1/requests/{request['id']}"
    problem(api.post(f"{path}/approve", {}, "office_head"), 428)
    problem(api.post(f"{path}/approve", {}, "office_head", version=7), 412)
    problem(api.post(f"{path}/approve", {}, "unit", version=1), 403)
    problem(api.post(f"{path}/approve", {}, "office", version=1), 403)
    problem(api.post(f"{path}/refuse", {}, "office_head", version=1), 422)
    due = api.get(f"/api/v1/issues/{number}", "unit").json["clocks"]
    done = api.post(f"{path}/approve", {}, "office_head", version=request["version"])
    assert done.status_code == 200 and done.json["issue"] == number
    rectify = [next(c for c in clocks if c["name"] == "rectify") for clocks in (due, done.json["clocks"])]
    assert rectify[1]["due_at"] > rectify[0]["due_at"] and rectify[1]["first_due_at"] == rectify[0]["due_at"]
    told = problem(api.post(f"{path}/approve", {}, "chief", version=2), 412)
    assert told["state"] == "approved"
    assert api.get("/api/v1/requests", "office").json["requests"] == []
    assert len(api.get("/api/v1/requests?open=false", "office").json["requests"]) == 1
    problem(api.get("/api/v1/requests?open=maybe", "office"), 422)


def test_refused_and_withdrawn_change_nothing_but_the_request(api: Api) -> None:
    number, request = asked(api)
    before = api.get(f"/api/v1/issues/{number}", "unit").json["clocks"]
    problem(api.post(f"/api/v1/requests/{request['id']}/withdraw", {}, "grid", version=1), 403)
    done = api.post(f"/api/v1/requests/{request['id']}/withdraw", {}, "unit", version=1)
    assert done.status_code == 200
    assert api.get(f"/api/v1/issues/{number}", "unit").json["clocks"] == before
    again = api.step(number, "extend", "unit", {"reason": "x", "by": {"amount": 1, "unit": "working_hours"}}).json[
        "request"
    ]
    refused = api.post(f"/api/v1/requests/{again['id']}/refuse", {"words": "来得及"}, "office_head", version=1)
    assert refused.status_code == 200
    states = {row["id"]: row["state"] for row in api.get("/api/v1/requests?open=0", "office").json["requests"]}
    assert states == {request["id"]: "withdrawn", again["id"]: "refused"}


def test_a_step_needs_no_body_and_no_body_of_another_kind(api: Api) -> None:
    number = api.town.report("tip").issue.number
    sent = {"If-Match": '"1"', "Authorization": f"Bearer {api.token('office')}"}
    path = f"/api/v1/issues/{number}/steps/waive_check"
    wrong = api.app.test_client().post(path, headers=sent, data="a=1", content_type="application/x-www-form-urlencoded")
    problem(wrong, 415)
    assert api.app.test_client().post(path, headers=sent).status_code == 200


# --- clues ---------------------------------------------------------------------------------------------------


def weak(api: Api, chainage_m: float = 1240, kind: str = "floating_debris", **fields: Any) -> str:
    return str(api.town.report("drone", kind, chainage_m, score=0.2, **fields).sighting.ref)


def test_a_clue_is_confirmed_joined_or_discarded_once(api: Api) -> None:
    number = api.town.report(chainage_m=600).issue.number
    one, two, three = weak(api), weak(api, 500), weak(api, 2000)
    listed = api.get("/api/v1/clues", "office").json["clues"]
    assert [clue["clue"] for clue in listed] == [one, two, three]
    assert all(clue["review"]["name"] == "review" for clue in listed)
    confirmed = api.post(f"/api/v1/clues/{one}/confirm", {"kind": "solid_waste"}, "office").json
    assert confirmed["state"] == "joined" and confirmed["issue"] and not confirmed["joined"]
    assert api.get(f"/api/v1/issues/{confirmed['issue']}", "office").json["kind"] == "solid_waste"
    joined = api.post(f"/api/v1/clues/{two}/join", {"issue": number}, "office").json
    assert joined["issue"] == number and joined["joined"]
    problem(api.post(f"/api/v1/clues/{three}/discard", {}, "office"), 422)
    gone = api.post(f"/api/v1/clues/{three}/discard", {"reason": "glint_or_shadow"}, "office").json
    assert gone["state"] == "discarded" and gone["issue"] is None
    for ref in (one, two, three):
        for verb, body in (("confirm", {}), ("join", {"issue": number}), ("discard", {"reason": "spam"})):
            problem(api.post(f"/api/v1/clues/{ref}/{verb}", body, "office"), 409)
    assert api.get("/api/v1/clues", "office").json["clues"] == []
    assert [c["clue"] for c in api.get("/api/v1/clues?state=discarded", "office").json["clues"]] == [three]


def test_the_operator_has_the_fishing_clues_and_no_other(api: Api) -> None:
    other, fishing = weak(api), weak(api, 900, "illegal_fishing")
    assert [c["clue"] for c in api.get("/api/v1/clues", "operator").json["clues"]] == [fishing]
    problem(api.get(f"/api/v1/clues/{other}", "operator"), 404)
    assert api.get(f"/api/v1/clues/{fishing}", "operator").status_code == 200
    assert api.post(f"/api/v1/clues/{fishing}/confirm", {}, "operator").status_code == 200


def test_what_the_list_of_clues_shows_one_clue_opens(api: Api) -> None:
    """The list's own predicate and the check of a single clue agree for every role, grid and kind."""
    refs = [weak(api, at, kind) for at, kind in ((200, "sewage"), (900, "illegal_fishing"), (2000, "bare_soil"))]
    far = {"lon": 112.30, "lat": 30.35, "crs": "wgs84"}
    refs.append(str(api.town.report("tip", position=far, words="x").sighting.ref))
    callers: list[dict[str, Any]] = [{"role": role} for role in ("office", "chief", "inspector", "operator", "grid")]
    callers += [{"role": "grid", "who": {"grids": grids}} for grids in (("G1",), ("G4",), ("G1", "G4"), ("G5",))]
    for caller in callers:
        listed = {clue["clue"] for clue in api.get("/api/v1/clues", **caller).json["clues"]}
        opened = {ref for ref in refs if api.get(f"/api/v1/clues/{ref}", **caller).status_code == 200}
        assert listed == opened, caller


def test_a_grid_worker_is_told_of_machines_without_their_names(api: Api) -> None:
    ref = weak(api, words="MARKWORDS")
    body = api.get(f"/api/v1/clues/{ref}", "grid").json
    assert body["kind"] == "floating_debris" and body["position"]
    assert not {"channel", "channel_zh", "words", "place_words", "sealed", "callback"} & set(body)


# --- photos --------------------------------------------------------------------------------------------------


def test_flags_are_told_to_office_and_inspector_alone(api: Api) -> None:
    number = api.town.to_supervised()
    old = {"position": api.town.at(2000), "taken_at": (api.station.now() - timedelta(days=30)).isoformat()}
    for role, told in (("grid", False), ("unit", False), ("chief", False), ("office", True), ("inspector", True)):
        answer = api.photo(number, "during", role, claim=old)
        assert answer.status_code == 201 and ("flags" in answer.json) == told
        if told:
            assert set(answer.json["flags"]) >= {"elsewhere", "old"}
        assert len(answer.json["sha256"]) == 64


@pytest.mark.parametrize("claim,pointer", [
    ({"position": {"lon": 112.18, "lat": 30.355}}, "/claim/position"), ({"taken_at": "2026-11-23T09:00:00"}, "/claim/taken_at"),
    ({"speed": 3}, "/claim/speed"), ({"position": [1, 2]}, "/claim/position"), ({"taken_at": 7}, "/claim/taken_at"),
])  # fmt: skip
def test_a_claim_that_cannot_be_read_is_refused(api: Api, claim: dict[str, Any], pointer: str) -> None:
    number = api.town.to_supervised()
    told = problem(api.photo(number, "during", "grid", claim=claim), 422)
    assert [fault["pointer"] for fault in told["errors"]] == [pointer]


def test_the_sizes_of_a_photo(api: Api) -> None:
    number = api.town.to_supervised()
    ref = api.photo(number, "during", "grid").json["photo_id"]
    path = f"/api/v1/issues/{number}/photos/{ref}"
    sizes = {size: len(api.get(f"{path}?size={size}", "office").data) for size in (16, 100, 1280)}
    assert sizes[16] < sizes[100] < sizes[1280]
    for size in ("0", "15", "2049", "big", "-1", "1e3", ""):
        problem(api.get(f"{path}?size={size}", "office"), 422)
    original = api.get(f"{path}?size=original", "office")
    assert original.headers["Content-Disposition"].startswith("attachment")
    assert original.headers["X-Content-Type-Options"] == "nosniff"
    for role in ("grid", "chief", "operator"):
        problem(api.get(f"{path}?size=original", role), 404)


def test_a_photo_that_is_lost_is_named_and_blocks_no_page(api: Api) -> None:
    number = api.town.to_supervised()
    told = api.photo(number, "during", "grid").json
    for path in (api.station.settings.data / "photos").rglob(told["sha256"]):
        path.unlink()
    problem(api.get(f"/api/v1/issues/{number}/photos/{told['photo_id']}", "office"), 404)
    listed = api.get(f"/api/v1/issues/{number}", "office").json["photos"]
    assert [photo["lost"] for photo in listed if photo["photo_id"] == told["photo_id"]] == [True]


def test_thirty_photos_and_no_more(api: Api) -> None:
    number = api.town.to_supervised()
    with api.station.work(api.actor("grid")) as work:
        one = work.session.query(m.Photo).first()
        assert one is not None
        fields = {
            c.name: getattr(one, c.key) for c in m.Photo.__table__.columns if c.name not in ("id", "ref", "sha256")
        }
        for index in range(29):
            work.session.add(m.Photo(**fields, ref=f"{index:036d}", sha256=f"{index:064d}"))
    before = api.kept()
    assert codes(problem(api.photo(number, "during", "grid"), 422)) == {"too_many_photos"}
    assert api.kept() == before


def test_checklists_are_those_of_the_kind(api: Api) -> None:
    number = api.town.to_rectified()
    assert api.get(f"/api/v1/issues/{number}", "office").json["conditions"]["checklist"] == list(
        PROBLEMS["floating_debris"].checklist
    )
    told = problem(api.step(number, "verify", "office", {"checklist": {}}), 422)
    assert "checklist" in codes(told)
