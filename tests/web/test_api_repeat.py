"""The same client id any number of times is one thing with one answer; with another body it is refused."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from patrol import models as m
from patrol.station import Station
from tests.walk import picture
from tests.web.api_town import Api, codes, form, problem

MANY = 16


@pytest.fixture
def api(station: Station) -> Api:
    return Api(station)


def at_once(call: Callable[[], TestResponse], many: int = MANY) -> list[TestResponse]:
    """The same call from many clients at the same moment."""
    gate, answers = threading.Barrier(many), []

    def one() -> None:
        gate.wait()
        answers.append(call())

    threads = [threading.Thread(target=one) for _ in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == many
    return answers


def new_id() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize("role", [None, "grid", "operator", "volunteer", "drone"])
def test_sixteen_at_once_are_one_report(api: Api, role: str | None) -> None:
    body = {"client_id": new_id(), "kind": "floating_debris", "position": api.town.at(), "score": 0.95}
    if role is None:
        body.pop("score")
    answers = at_once(lambda: api.post("/api/v1/reports", body, role))
    assert sorted(answer.status_code for answer in answers) == [200] * (MANY - 1) + [201]
    assert len({answer.text for answer in answers}) == 1
    assert api.count(m.Sighting) == 1 and api.count(m.Issue) == 1


def test_sixteen_at_once_with_a_photo_keep_one_photo(api: Api) -> None:
    sent = form({"report": {"client_id": new_id(), "kind": "sewage", "position": api.town.at()}}, [picture(3)])
    answers = at_once(lambda: api.call("POST", "/api/v1/reports", "grid", **sent))
    assert sorted(answer.status_code for answer in answers) == [200] * (MANY - 1) + [201]
    assert api.count(m.Photo) == 1 and len(list(api.station.store.digests())) == 1


def test_the_key_may_stand_in_the_header_and_must_agree(api: Api) -> None:
    key, body = new_id(), {"kind": "sewage", "words": "黑水", "position": api.town.at()}
    first = api.post("/api/v1/reports", body, "grid", headers={"Idempotency-Key": key})
    again = api.post("/api/v1/reports", body, "grid", headers={"Idempotency-Key": f'"{key.upper()}"'})
    assert (first.status_code, again.status_code) == (201, 200) and first.json == again.json
    differs = api.post("/api/v1/reports", {**body, "client_id": new_id()}, "grid", headers={"Idempotency-Key": key})
    assert codes(problem(differs, 422)) == {"ids_differ"}
    assert api.count(m.Sighting) == 1


def test_another_body_under_the_same_id_is_refused(api: Api) -> None:
    body = {"client_id": new_id(), "kind": "sewage", "words": "黑水", "position": api.town.at()}
    first = api.post("/api/v1/reports", body, "grid")
    before = api.kept()
    for other in ({**body, "words": "清水"}, {**body, "kind": "solid_waste"}, {**body, "round": 2}):
        assert problem(api.post("/api/v1/reports", other, "grid"), 409)["type"] == "/problems/clash"
    sent = form({"report": body}, [picture(4)])
    problem(api.call("POST", "/api/v1/reports", "grid", **sent), 409)
    assert api.kept() == before
    assert api.post("/api/v1/reports", body, "grid").json == first.json


def test_the_order_of_keys_does_not_matter(api: Api) -> None:
    body = {"client_id": new_id(), "kind": "sewage", "words": "黑水", "position": api.town.at()}
    first = api.post("/api/v1/reports", body, "grid")
    turned = dict(reversed(body.items()))
    again = api.call("POST", "/api/v1/reports", "grid", data=json.dumps(turned), content_type="application/json")
    assert again.status_code == 200 and again.json == first.json


def test_an_id_means_nothing_to_another_person(api: Api) -> None:
    body = {"client_id": new_id(), "kind": "sewage", "words": "黑水", "position": api.town.at()}
    mine = api.post("/api/v1/reports", body, "grid", who={"name": "甲"})
    other = api.post("/api/v1/reports", {**body, "words": "乙看到的"}, "grid", who={"name": "乙"})
    assert mine.status_code == other.status_code == 201
    assert mine.json["report_id"] != other.json["report_id"]
    anyone = api.post("/api/v1/reports", body)
    assert anyone.status_code == 201 and set(anyone.json) == {"receipt_code", "accepted_at"}


def test_an_answer_stays_what_it_was(api: Api) -> None:
    """The repeat answers what was true then, whatever has become of the report since."""
    body = {"client_id": new_id(), "kind": "floating_debris", "position": api.town.at()}
    first = api.post("/api/v1/reports", body, "grid")
    api.town.step(first.json["issue"], "assign", api.town.person("office"), lead_unit="water")
    api.station.clock.forward(days=7)  # type: ignore[attr-defined]  # the settable clock
    assert api.post("/api/v1/reports", body, "grid").json == first.json


def test_a_refused_body_may_be_mended_under_its_id(api: Api) -> None:
    key = new_id()
    problem(api.report("grid", client_id=key, kind="nonsense"), 422)
    assert api.report("grid", client_id=key).status_code == 201


# --- detections ----------------------------------------------------------------------------------------------


def detection(api: Api, chainage_m: float = 1240, **fields: Any) -> dict[str, Any]:
    return {"client_id": new_id(), "kind": "floating_debris", "score": 0.95, "position": api.town.at(chainage_m),
            "seen_at": api.station.now().isoformat(), **fields}  # fmt: skip


def batch(*items: Any) -> dict[str, Any]:
    return {"flight": "F-7", "frame": "DJI_0001.JPG", "round": 3, "detections": list(items)}


def test_every_detection_is_answered_by_itself(api: Api) -> None:
    strong, weak = detection(api), detection(api, 400, score=0.1)
    far = detection(api, position={"lon": 112.30, "lat": 30.35, "crs": "wgs84"})
    late = detection(api, 900, seen_at="2026-11-23T10:00:00+08:00")
    twice = {**strong, "score": 0.5}
    items = batch(strong, weak, far, "text", {"kind": "sewage"}, late, detection(api, 700, kind="nonsense"), twice)
    answer = api.post("/api/v1/detections", items, "drone")
    assert answer.status_code == 207
    told = answer.json["results"]
    assert [one["status"] for one in told] == [201, 201, 422, 422, 422, 422, 422, 422]
    assert [one["index"] for one in told] == list(range(8))
    assert told[0]["issue"] and not told[0]["waiting"] and told[0]["client_id"] == strong["client_id"]
    assert told[1]["issue"] is None and told[1]["waiting"]
    assert told[2]["errors"][0]["code"] == "out_of_area"
    assert {fault["pointer"] for fault in told[4]["errors"]} >= {
        "/detections/4/client_id",
        "/detections/4/score",
    }
    assert told[5]["errors"][0]["code"] == "in_future"
    assert all(any("\u4e00" <= c <= "\u9fff" for c in f["sentence"]) for one in told[2:] for f in one["errors"])
    assert api.count(m.Sighting) == 2


def test_a_batch_sent_again_adds_only_what_is_new(api: Api) -> None:
    one, two = detection(api), detection(api, 400)
    first = api.post("/api/v1/detections", batch(one), "drone").json["results"]
    again = api.post("/api/v1/detections", batch(one, two), "drone").json["results"]
    assert [item["status"] for item in again] == [200, 201]
    assert {k: v for k, v in again[0].items() if k != "status"} == {k: v for k, v in first[0].items() if k != "status"}
    changed = api.post("/api/v1/detections", batch({**one, "score": 0.96}), "drone").json["results"][0]
    assert changed["status"] == 409 and changed["code"] == "clash"
    assert api.count(m.Sighting) == 2


def test_a_batch_sixteen_times_at_once_is_one_batch(api: Api) -> None:
    body = batch(*(detection(api, at) for at in (300, 900, 1500)))
    answers = at_once(lambda: api.post("/api/v1/detections", body, "drone"))
    assert all(answer.status_code == 207 for answer in answers)
    made = [item["status"] for answer in answers for item in answer.json["results"]]
    assert made.count(201) == 3 and made.count(200) == 3 * (MANY - 1)
    assert api.count(m.Sighting) == 3 and api.count(m.Issue) == 3


def test_an_envelope_that_cannot_be_read_stores_nothing(api: Api) -> None:
    before = api.kept()
    for body in (
        batch(),
        {"detections": [detection(api)]},
        {**batch(detection(api)), "speed": 3},
        batch(*[{}] * 501),
    ):
        problem(api.post("/api/v1/detections", body, "drone"), 422)
    assert api.kept() == before


# --- steps ---------------------------------------------------------------------------------------------------


def test_a_step_repeated_answers_the_first_result(api: Api) -> None:
    number = api.town.report().issue.number
    body = {"lead_unit": "water", "client_id": new_id()}
    first = api.step(number, "assign", "office", body, version=1)
    assert first.status_code == 200 and first.json["state"] == "assigned"
    for version in (1, first.json["version"]):
        again = api.step(number, "assign", "office", body, version=version)
        assert again.status_code == 200 and again.json == first.json
        assert again.headers["ETag"] == first.headers["ETag"]
    other = api.step(number, "assign", "office", {**body, "lead_unit": "construction"})
    assert problem(other, 409)["type"] == "/problems/clash"
    assert api.count(m.Slip) == 1


def test_a_step_at_once_is_taken_once(api: Api) -> None:
    number = api.town.report().issue.number
    body = {"lead_unit": "water", "client_id": new_id()}
    answers = at_once(lambda: api.step(number, "assign", "office", body, version=1))
    assert [answer.status_code for answer in answers] == [200] * MANY
    assert len({answer.text for answer in answers}) == 1 and api.count(m.Slip) == 1


def test_of_many_officers_one_wins_and_the_others_are_told_the_new_state(api: Api) -> None:
    number = api.town.report().issue.number
    tokens = iter([api.token("office", name=f"办事员{n}") for n in range(MANY)])
    path, body = f"/api/v1/issues/{number}/steps/assign", {"lead_unit": "water"}
    answers = at_once(lambda: api.post(path, body, token=next(tokens), version=1))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * (MANY - 1)
    for answer in answers:
        if answer.status_code == 412:
            body = problem(answer, 412)
            assert body["version"] == 2 and body["state"] == "assigned"


def test_an_asked_step_repeated_is_one_request(api: Api) -> None:
    number = api.town.to_assigned()
    body = {"reason": "水位高", "by": {"amount": 2, "unit": "working_hours"}, "client_id": new_id()}
    version = api.town.issue(number).version
    answers = at_once(lambda: api.step(number, "extend", "unit", body, version=version), 8)
    assert [answer.status_code for answer in answers] == [202] * 8
    assert len({answer.json["request"]["id"] for answer in answers}) == 1 and api.count(m.Request) == 1


def test_a_photo_sent_again_is_the_same_photo(api: Api) -> None:
    number, data = api.town.to_supervised(), picture(77)
    answers = at_once(lambda: api.photo(number, "during", "grid", data, {}), 6)
    assert [answer.status_code for answer in answers] == [201] * 6
    assert len({answer.json["photo_id"] for answer in answers}) == 1
