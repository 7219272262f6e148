"""The tip line: the receipt code and what it opens, and that nothing of an informant is kept in the open."""

from __future__ import annotations

import io
import json
import uuid
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import text
from werkzeug.test import TestResponse

from patrol import models as m
from patrol.actions import notices
from patrol.gateways import identity
from patrol.rules.audience import AUDIENCE
from patrol.station import SYSTEM, Station
from patrol.web import limits
from tests.sealroom import ring
from tests.walk import picture
from tests.web.api_town import Api, codes, form, problem
from tests.web.tinyapp import logged

PHONE = "13987654321"
NAME = "李守堤"
ADDRESS = "203.0.113.219"
AGENT = "MarkerPhone/77"


@pytest.fixture
def api(station: Station) -> Api:
    return Api(station)


def tip(api: Api, **fields: object) -> dict[str, str]:
    answer = api.report(None, **fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def ask(api: Api, verb: str, **body: object) -> TestResponse:
    limits.reset()
    return api.post(f"/api/v1/tips/{verb}", body)


def test_an_anonymous_answer_holds_the_code_and_the_time_only(api: Api) -> None:
    told = tip(api, words="水面有油")
    assert set(told) == {"receipt_code", "accepted_at"}
    assert identity.normalise_code(told["receipt_code"]) is not None
    assert told["accepted_at"].endswith("+08:00")


def test_the_code_opens_the_status_and_nothing_more(api: Api) -> None:
    told = tip(api, words="MARKWORDS 水面有油", place_words="MARKPLACE 桥下")
    answer = ask(api, "status", code=told["receipt_code"])
    assert answer.status_code == 200
    assert set(answer.json) == {"state", "state_zh", "kind", "received_at", "steps"}
    assert answer.json["steps"][0]["stage"] == "received"
    for mark in ("TH-2026", "MARKWORDS", "MARKPLACE"):
        assert mark not in answer.text
    # as people type it: small letters, spaces, O for 0
    typed = told["receipt_code"].lower().replace("-", " ").replace("0", "o")
    assert ask(api, "status", code=typed).json == answer.json


@pytest.mark.parametrize("verb,more", [
    ("status", {}), ("supplement", {"words": "又来了"}), ("reopen", {"reason": "没清完"}),
    ("appeal", {"against": "dismissed", "words": "还在"}), ("rating", {"stars": 5, "solved": True}),
])  # fmt: skip
def test_a_code_nobody_has_is_missing_everywhere_alike(api: Api, verb: str, more: dict[str, object]) -> None:
    tip(api)
    before = api.kept()
    for code in (
        "0000-0000-0000-0000",
        "ZZZZZZZZZZZZZZZZ",
        "x",
        "１２３４５６７８９０１２３４５６",
        "' OR 1=1 --",
    ):
        body = problem(ask(api, verb, code=code, **more), 404)
        assert body["detail"].startswith("没有这个查询码") and body["type"] == "/problems/missing"
    assert api.kept() == before


def test_the_code_is_never_taken_from_an_address(api: Api) -> None:
    code = tip(api)["receipt_code"]
    assert api.get(f"/api/v1/tips/{code}").status_code in (404, 405)
    problem(api.call("POST", f"/api/v1/tips/status?code={code}", json={}), 422)
    problem(api.call("POST", "/api/v1/tips/status", data=f"code={code}",
                     content_type="application/x-www-form-urlencoded"), 415)  # fmt: skip


def test_guessing_is_slowed(api: Api) -> None:
    limits.reset()
    answers = [api.post("/api/v1/tips/status", {"code": f"{n:016d}"}) for n in range(12)]
    assert [a.status_code for a in answers] == [404] * 10 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) == 60
    limits.reset()


def test_a_resend_gives_the_same_code_and_one_report(api: Api) -> None:
    body = {"client_id": str(uuid.uuid4()), "kind": "sewage", "words": "黑水", "position": api.town.at()}
    first = api.post("/api/v1/reports", body)
    again = api.post("/api/v1/reports", body)
    assert (first.status_code, again.status_code) == (201, 200) and first.json == again.json
    other = problem(api.post("/api/v1/reports", {**body, "words": "别的"}), 409)
    assert other["type"] == "/problems/clash"
    assert api.count(m.Sighting) == 1


def dump(station: Station) -> str:
    """Every table as text, bytes as hex."""
    parts = []
    with station.look() as look:
        for table in m.Base.metadata.sorted_tables:
            for row in look.session.execute(text(f'SELECT * FROM "{table.name}"')):
                parts.append(repr([bytes(v).hex() if isinstance(v, bytes | memoryview) else v for v in row]))
    return "\n".join(parts)


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_informant_leaves_no_mark(api: Api) -> None:
    """Contact, client id, code, address and browser: in no table, file, log or photo; sealed once, and readable there."""
    held = ring(api.station)
    client_id, photo = str(uuid.uuid4()), marked_photo()
    body = {"client_id": client_id, "kind": "sewage", "words": "排口出黑水", "position": api.town.at(),
            "contact": {"name": NAME, "phone": PHONE, "wechat": "wx_marker_5"}}  # fmt: skip
    headers = {"User-Agent": AGENT, "Referer": f"http://localhost/{AGENT}", "Idempotency-Key": client_id,
               "X-Forwarded-For": ADDRESS}  # fmt: skip
    with logged() as log:
        client = api.app.test_client()
        sent = form({"report": body}, [photo])
        told = client.post("/api/v1/reports", headers=headers, environ_base={"REMOTE_ADDR": ADDRESS}, **sent)
        assert told.status_code == 201, told.text
        again = client.post("/api/v1/reports", headers=headers, environ_base={"REMOTE_ADDR": ADDRESS}, **sent)
        assert again.json == told.json
        code = told.json["receipt_code"]
        limits.reset()
        for given in (code, "wrong"):
            client.post("/api/v1/tips/status", json={"code": given}, headers={"User-Agent": AGENT},
                        environ_base={"REMOTE_ADDR": ADDRESS})  # fmt: skip
    plain = code.replace("-", "")
    marks = [PHONE, NAME, "wx_marker_5", client_id, client_id.replace("-", ""), code, plain, plain.lower(), ADDRESS,
             AGENT, "MARKEXIF", "MARKCOMMENT"]  # fmt: skip
    kept = dump(api.station) + log.getvalue()
    files = files_of(api.station.settings.data)
    assert any(path.name.startswith("patrol.db") for path in files) or not api.station.settings.is_sqlite
    for mark in marks:
        assert mark not in kept, mark
        for path, data in files.items():
            assert mark.encode() not in data and mark.encode("utf-16-le") not in data, (mark, path)
    with api.station.look(SYSTEM) as look:
        sighting = look.session.query(m.Sighting).one()
        assert sighting.identity_sealed is not None and sighting.person_id is None
        assert json.loads(held.identity(sighting.identity_sealed))["phone"] == PHONE
        assert sighting.callback_sealed is None  # not asked for
        row = look.session.query(m.Photo).one()
        assert row.sealed_sha256 is not None
        assert b"MARKEXIF" in held.identity(look.photos.get(row.sealed_sha256))


def marked_photo() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "MARKEXIF"
    out = io.BytesIO()
    Image.open(io.BytesIO(picture(5))).save(out, "JPEG", exif=exif, comment=b"MARKCOMMENT")
    return out.getvalue()


@pytest.mark.parametrize("role", [None, "operator", "volunteer", "grid"])
def test_contact_is_sealed_or_refused_never_dropped(api: Api, role: str | None) -> None:
    contact = {"phone": PHONE}
    before = api.kept()
    assert codes(problem(api.report(role, contact=contact), 422)) == {"no_keys"}
    assert api.kept() == before
    held = ring(api.station)
    assert api.report(role, contact=contact).status_code == 201
    with api.station.look() as look:
        sealed = look.session.query(m.Sighting).one().identity_sealed
    assert sealed is not None and json.loads(held.identity(sealed)) == contact


def test_a_supplement_reaches_the_office_and_nobody_else(api: Api) -> None:
    code = tip(api, words="看到漂浮物")["receipt_code"]
    with api.station.look() as look:
        number = look.session.query(m.Issue).one().number
    assert ask(api, "supplement", code=code, words="MARKMORE 昨晚更多").status_code == 200
    assert codes(problem(ask(api, "supplement", code=code, words="  "), 422)) == {"blank"}
    office = api.town.person("office")
    api.town.step(number, "assign", office, lead_unit="water")
    assert "MARKMORE" in api.get(f"/api/v1/issues/{number}/trail", "office").text
    for role in ("unit", "grid"):
        for path in ("", "/trail", "/steps"):
            assert "MARKMORE" not in api.get(f"/api/v1/issues/{number}{path}", role).text
    assert not any("MARKMORE" in card for card in cards(api))


def cards(api: Api) -> list[str]:
    """Every card the table of hearers would send of what has been told, were there a robot for each group."""
    found = []
    with api.station.look(SYSTEM) as look:
        for line in look.session.query(m.Trail):
            for hear in AUDIENCE.get(line.event, ()):
                if hear.job is None:
                    errand = m.Errand(
                        handler=hear.handler, facts=line.facts, issue_id=line.issue_id, urgent=False, id=1
                    )
                    found.append(repr(notices.card_of(look, errand)))
    assert found
    return found


def test_a_reporter_asks_to_reopen_and_another_person_decides(api: Api) -> None:
    number = api.town.to_closed(channel="tip", kind="floating_debris")
    # the walk's own tip keeps no code: give the sighting one
    code = "0123-4567-89AB-CDEF"
    with api.station.work(SYSTEM) as work:
        sighting = work.session.query(m.Sighting).one()
        sighting.receipt_hash = identity.receipt_hash(work.keys.pepper, code)
    answer = ask(api, "reopen", code=code, reason="MARKREASON 又漂来了")
    assert answer.status_code == 202 and answer.json["asked"] == "reopen", answer.text
    assert api.town.issue(number).state == "closed"
    problem(ask(api, "reopen", code=code, reason="再说一次"), 409)
    for role in ("unit", "grid"):
        for path in (f"/issues/{number}", f"/issues/{number}/trail", "/requests"):
            assert "MARKREASON" not in api.get(f"/api/v1{path}", role).text
    request = api.get("/api/v1/requests", "office").json["requests"][0]
    assert request["asker"] == "反映人" and "MARKREASON" in request["reason"]
    done = api.post(f"/api/v1/requests/{request['id']}/approve", {}, "office", version=request["version"])
    assert done.status_code == 200 and done.json["state"] == "assigned", done.text
    slips = api.get(f"/api/v1/issues/{number}", "unit").json["slips"]
    for slip in slips:
        assert "MARKREASON" not in api.get(slip["json"], "unit").text
    assert ask(api, "status", code=code).json["state"] == "assigned"


def test_a_reporter_may_not_reopen_what_is_open_or_long_closed(api: Api) -> None:
    code = tip(api)["receipt_code"]
    problem(ask(api, "reopen", code=code, reason="快点"), 409)
    problem(ask(api, "rating", code=code, stars=1, solved=False), 409)


def test_a_rating_is_given_once_for_each_ending(api: Api) -> None:
    number = api.town.to_closed(channel="tip")
    code = "89AB-CDEF-0123-4567"
    with api.station.work(SYSTEM) as work:
        work.session.query(m.Sighting).one().receipt_hash = identity.receipt_hash(work.keys.pepper, code)
    for stars in (0, 6, True, "5", 4.5):
        problem(ask(api, "rating", code=code, stars=stars, solved=True), 422)
    assert ask(api, "rating", code=code, stars=4, solved=True, words="办得快").status_code == 200
    problem(ask(api, "rating", code=code, stars=5, solved=True), 409)
    lines = api.get(f"/api/v1/issues/{number}/trail", "office").json["trail"]
    assert [line["facts"]["stars"] for line in lines if line["event"] == "rated"] == [4]
    assert "rated" not in api.get(f"/api/v1/issues/{number}/trail", "unit").text


def test_what_waits_as_a_clue_says_received(api: Api) -> None:
    far = {"lon": 112.30, "lat": 30.35, "crs": "wgs84"}
    code = tip(api, position=far, words="河外")["receipt_code"]
    assert ask(api, "status", code=code).json["state_zh"] == "收到了"
    assert ask(api, "supplement", code=code, words="MARKCLUE 在桥东").status_code == 200
    assert not any("MARKCLUE" in card for card in cards(api))
