"""The outbox's doors: announced, sent in pieces, acknowledged one by one, taken once; cut, repeated, stale, refused."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from patrol import models as m
from patrol.station import Station
from tests.conftest import SetClock
from tests.walk import Town, picture
from tests.web.test_phone import Phone, Street, here


@pytest.fixture
def street(station: Station) -> Street:
    return Street(Town(station))


class Box:
    """The outbox of one phone, as its script speaks to the house."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.headers = {"X-CSRF-Token": phone.token(), "Accept": "application/json"}

    def json(self, path: str, body: dict[str, Any], status: int = 200) -> Any:
        answer = self.phone.client.post(path, json=body, headers=self.headers)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json

    def announce(self, what: str, fields: dict[str, Any], photos: Sequence[bytes] = (), **more: Any) -> Any:
        listed = [{"sha256": sha(one), "bytes": len(one)} for one in photos]
        body = {"client_id": str(uuid.uuid4()), "what": what, "fields": fields, "photos": listed, **more}
        return self.json("/phone/outbox", body, 201) | {"body": body}

    def put(self, parcel: str, photo: bytes, offset: int = 0, upto: int | None = None, status: int = 200) -> Any:
        answer = self.phone.client.put(
            f"/phone/outbox/{parcel}/{sha(photo)}?offset={offset}", data=photo[offset:upto],
            headers=self.headers | {"Content-Type": "application/octet-stream"},
        )  # fmt: skip
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json

    def send(self, parcel: str, version: int | None = None, status: int = 200) -> Any:
        return self.json(f"/phone/outbox/{parcel}/send", {"version": version} if version else {}, status)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def check_in(town: Town) -> dict[str, Any]:
    return {"finding": "true", **here(town)}


def test_a_step_waits_for_its_photos_and_is_taken_once(street: Street) -> None:
    town = street.town
    number = town.to_assigned()
    version = town.issue(number).version
    box = Box(street.phone("grid"))
    shots = [picture(seed) for seed in (31, 32, 33)]
    told = box.announce("step", check_in(town), shots, issue=number, step="supervise")
    assert [one["offset"] for one in told["photos"]] == [0, 0, 0]
    again = box.json("/phone/outbox", told["body"], 201)
    assert again["parcel"] == told["parcel"]
    for shot in shots[:2]:
        assert box.put(told["parcel"], shot) == {"sha256": sha(shot), "offset": len(shot), "state": "whole"}
    refused = box.send(told["parcel"], version, 409)
    assert refused["detail"] == "照片 3 张，到了 2 张，先把照片传完。"
    assert "另有照片正在传：3 张，收到 2 张" in box.phone.get(f"/phone/issues/{number}")
    assert "另有 3 张正在传，收到 2 张" in street.phone("office").get(f"/desk/issues/{number}")
    half = len(shots[2]) // 2
    assert box.put(told["parcel"], shots[2], 0, half)["state"] == "open"
    wrong = box.put(told["parcel"], shots[2], 0, half, 409)
    assert (wrong["type"].split("/")[-1], wrong["offset"]) == ("offset", half)
    assert box.put(told["parcel"], shots[2], half)["state"] == "whole"
    answer = box.send(told["parcel"], version)
    assert box.send(told["parcel"], version) == answer and answer["next"] == f"/phone?did={number}&step=supervise"
    assert box.json("/phone/outbox", told["body"], 201)["answer"] == answer
    with town.station.look() as look:
        kept = [photo.sha256 for photo in look.session.query(m.Photo).filter_by(stage="before").order_by(m.Photo.id)]
    assert kept == [sha(shot) for shot in shots]
    assert town.issue(number).half1 == "true"
    assert "另有照片正在传" not in box.phone.get(f"/phone/issues/{number}")
    assert not list((town.station.settings.data / "incoming").iterdir())


def test_other_bytes_than_announced_begin_again_and_no_picture_is_said_at_once(street: Street) -> None:
    number = street.town.to_assigned()
    box = Box(street.phone("grid"))
    shot, junk = picture(34), b"\xff\xd8\xffnot a picture" * 40
    told = box.announce("step", check_in(street.town), [shot, junk], issue=number, step="supervise")
    path = f"/phone/outbox/{told['parcel']}/{sha(shot)}?offset=0"
    typed = box.headers | {"Content-Type": "application/octet-stream"}
    bent = box.phone.client.put(path, data=shot[:-1] + b"?", headers=typed)
    assert (bent.status_code, bent.json["errors"][0]["code"]) == (422, "digest_differs")
    assert box.put(told["parcel"], shot)["state"] == "whole"
    assert box.put(told["parcel"], junk, status=422)["errors"][0]["pointer"] == "photo"
    # the person takes another one: the same draft, its manifest corrected, what is here stays here
    fixed = told["body"] | {"photos": [{"sha256": sha(shot), "bytes": len(shot)}]}
    again = box.json("/phone/outbox", fixed, 201)
    assert again["parcel"] == told["parcel"] and [one["state"] for one in again["photos"]] == ["whole"]


def test_a_report_is_taken_before_its_photos_and_they_join_it(street: Street) -> None:
    box = Box(street.phone("grid"))
    shots = [picture(seed) for seed in (35, 36)]
    fields = {"kind": "sewage", "words": "管口冒黑水", **here(street.town, 700)}
    told = box.announce("report", fields, shots)
    number = told["answer"]["issue"]
    assert told["state"] == "open" and number
    assert "另有照片正在传：2 张，收到 0 张" in box.phone.get(f"/phone/issues/{number}")
    box.put(told["parcel"], shots[0])
    assert box.send(told["parcel"], status=409)["detail"] == "照片还差 1 张没传到。"
    box.put(told["parcel"], shots[1])
    assert box.send(told["parcel"])["issue"] == number
    assert box.json("/phone/outbox", told["body"], 201)["state"] == "done"
    with street.town.station.look() as look:
        assert look.session.query(m.Sighting).count() == 1
        rows = look.session.query(m.Photo).order_by(m.Photo.id).all()
        assert [(row.sha256, row.stage, row.issue_id) for row in rows] == [
            (sha(shot), "report", street.town.issue(number).id) for shot in shots
        ]


def test_two_steps_made_without_a_network_are_both_taken(street: Street, clock: SetClock) -> None:
    """What only this phone changed after the page was seen is no news to its person."""
    town = street.town
    number = town.to_supervised()
    unit = Box(street.phone("unit", unit="water"))
    clock.forward(minutes=5)
    seen, version = town.station.now().isoformat(), town.issue(number).version
    clock.forward(minutes=5)
    shots = [picture(37), picture(38)]
    parcels = [
        unit.announce("step", {"words": "捞了一半"}, shots[:1], issue=number, step="progress", based_at=seen),
        unit.announce("step", {"words": "还在捞"}, shots[1:], issue=number, step="progress", based_at=seen),
    ]
    for told, shot in zip(parcels, shots, strict=True):
        unit.put(told["parcel"], shot)
        unit.send(told["parcel"], version)


def test_a_stale_step_is_told_what_changed_and_kept_for_the_person(street: Street, clock: SetClock) -> None:
    town = street.town
    number = town.to_assigned()
    seen, version = town.station.now().isoformat(), town.issue(number).version
    clock.forward(minutes=5)
    unit = street.phone("unit", unit="water")
    assert unit.take(number, "receive", {}).status_code == 200
    town.step(number, "correct", town.person("office"), kind="sewage", reason="看错了种类")
    box = Box(street.phone("grid"))
    shot = picture(39)
    told = box.announce("step", check_in(town), [shot], issue=number, step="supervise", based_at=seen)
    box.put(told["parcel"], shot)
    stale = box.send(told["parcel"], version, 412)
    assert stale["version"] == town.issue(number).version and stale["changed"], stale
    assert box.send(told["parcel"], stale["version"])["step"] == "supervise"  # seen, and sent all the same


def test_a_late_photo_never_reopens_what_went_on(street: Street, clock: SetClock) -> None:
    town = street.town
    number = town.to_supervised()
    unit = Box(street.phone("unit", unit="water"))
    version, seen = town.issue(number).version, town.station.now().isoformat()
    clock.forward(minutes=30)
    mate = town.person("unit", unit="water", name="水利员乙")
    town.photo(number, "after", mate, seed=91)
    town.step(number, "submit", mate, words="清完了")
    shot = picture(40)
    told = unit.announce("step", {"words": "在捞"}, [shot], issue=number, step="progress", based_at=seen)
    unit.put(told["parcel"], shot)
    assert unit.send(told["parcel"], version, 412)["state"] == "待验收"
    assert town.issue(number).state == "rectified"
    answer = unit.json(f"/phone/outbox/{told['parcel']}/drop", {})
    assert answer["state"] == "dropped"
    assert unit.send(told["parcel"], version, 404)["type"].endswith("no_parcel")
    assert not list((town.station.settings.data / "incoming").iterdir())


def test_a_parcel_is_its_own_persons_alone(street: Street) -> None:
    number = street.town.to_assigned()
    box, other = Box(street.phone("grid")), Box(street.phone("grid", name="别的网格员"))
    shot = picture(41)
    told = box.announce("step", check_in(street.town), [shot], issue=number, step="supervise")
    other.put(told["parcel"], shot, status=404)
    other.send(told["parcel"], status=404)
    assert other.phone.client.get(f"/phone/outbox/{told['parcel']}", headers=other.headers).status_code == 404
    far = Box(street.phone("grid", grids=frozenset({"G4"}), name="远处的"))
    body = told["body"] | {"client_id": str(uuid.uuid4())}
    far.json("/phone/outbox", body, 404)


def test_what_is_announced_is_checked_all_at_once(street: Street) -> None:
    box = Box(street.phone("grid"))
    for body, pointer in (
        ({"what": "step", "step": "assign", "fields": {}}, "step"),
        ({"what": "photos", "stage": "report2", "fields": {}}, "stage"),
        ({"what": "report", "fields": {"kind": "sewage"}}, "position"),
        ({"what": "dance", "fields": {}}, "/what"),
    ):
        answer = box.json("/phone/outbox", {"client_id": str(uuid.uuid4()), **body}, 422)
        assert pointer in [fault["pointer"] for fault in answer["errors"]], answer
