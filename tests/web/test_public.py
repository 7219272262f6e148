"""The public's pages without a script: report, receipt, status by code, the check of a slip. No cookie, no name."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from patrol import models as m
from patrol.actions import slips
from patrol.station import Station
from patrol.web import limits
from patrol.web.app import create_app
from patrol.web.public import qr
from tests.forms import multipart
from tests.sealroom import ring
from tests.walk import Town, picture

CODE = re.compile(r'class="code[^>]*>([0-9A-Z]{4}(?: [0-9A-Z]{4}){3})<')
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def town(station: Station) -> Town:
    return Town(station)


@pytest.fixture
def app(station: Station) -> Iterator[Flask]:
    limits.reset()
    made = create_app(station)
    made.testing = True
    yield made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def text(answer: TestResponse, status: int = 200) -> str:
    page = html.unescape(answer.get_data(as_text=True))
    assert answer.status_code == status, page[:3000]
    assert all(cookie.startswith("patrol_device=") for cookie in answer.headers.getlist("Set-Cookie"))
    return page


def send(client: FlaskClient, status: int = 201, photos: list[bytes] | None = None, **fields: str) -> str:
    given = {
        "client_id": str(uuid.uuid4()),
        "anonymous": "true",
        **{k.replace("__", "."): v for k, v in fields.items()},
    }
    return text(client.post("/report", **multipart(given, photos or [])), status)


def spot(town: Town, chainage_m: float = 1240) -> dict[str, str]:
    """The hidden fields as a press on the map fills them."""
    at = town.at(chainage_m)
    return {
        "position__lon": str(at["lon"]),
        "position__lat": str(at["lat"]),
        "position__crs": "wgs84",
        "position__accuracy_m": "8",
    }


def code_of(page: str) -> str:
    found = CODE.search(page)
    assert found is not None, page[:3000]
    return found[1]


def ask(client: FlaskClient, status: int = 200, **fields: str) -> str:
    return text(client.post("/tips", data=fields, content_type=FORM), status)


def sightings(station: Station) -> list[m.Sighting]:
    with station.look() as look:
        return list(look.session.scalars(select(m.Sighting).order_by(m.Sighting.id)))


@pytest.mark.parametrize("path", ["/", "/report", "/tips", "/check"])
def test_pages_set_no_cookie_and_keep_the_policy(client: FlaskClient, path: str) -> None:
    page = text(client.get(path))
    assert page.count("<h1") == 1
    assert not re.search(r"\sstyle=|\son[a-z]+=|(src|href)=\"(https?:)?//", page)
    assert "0716-" in page and 'href="tel:' in page


# ---- report


def test_a_plain_form_gives_a_receipt_with_the_code(client: FlaskClient, station: Station) -> None:
    page = send(client, kind="sewage", place_words="K1+240 左岸", words="发黑", photos=[picture(1)])
    code = code_of(page)
    assert re.search(r'<img[^>]*src="data:image/svg', page), "the way to the status as a picture"
    row = sightings(station)[0]
    assert (row.channel, row.kind, row.words) == ("tip", "sewage", "发黑") and row.lon is not None
    assert row.identity_sealed is None
    assert "收到了" in ask(client, code=code)


def test_the_pictured_address_holds_the_code_in_its_fragment_only(app: Flask) -> None:
    with app.test_request_context("/report"):
        assert qr("ABCD").startswith("data:image/svg+xml") and qr("ABCD") != qr("ABCE")


def test_the_same_form_twice_is_one_report(client: FlaskClient, station: Station) -> None:
    same = str(uuid.uuid4())
    first = send(client, client_id=same, kind="sewage", place_words="桥下", photos=[picture(2)])
    again = send(client, 200, client_id=same, kind="sewage", place_words="桥下", photos=[picture(2)])
    assert code_of(first) == code_of(again) and len(sightings(station)) == 1


def test_what_is_missing_is_named_at_once_and_what_was_typed_stays(client: FlaskClient, station: Station) -> None:
    same = str(uuid.uuid4())
    page = send(client, 422, client_id=same, reward="true", words="有气味<b>", photos=[picture(3)])
    assert "还没选：看到了什么。" in page and "想参加有奖举报，要留个电话。" in page and "还差 2 样" in page
    assert "有气味<b>" in page and f'value="{same}"' in page and "照片要重新选一次" in page
    raw = client.post("/report", **multipart({"client_id": same, "words": "有气味<b>"}, [])).get_data(as_text=True)
    assert "有气味&lt;b&gt;" in raw
    nothing = send(client, 422)
    assert "还没选：看到了什么。" in nothing and "请至少填一样" in nothing
    off = send(client, 422, kind="sewage", place_words="K88+000")
    assert "桩号超出本河段" in off and 'value="K88+000"' in off
    assert sightings(station) == []


def test_faults_speak_the_readers_language(client: FlaskClient) -> None:
    answer = client.post("/report?lang=en", **multipart({"client_id": str(uuid.uuid4())}, []))
    assert "Not chosen yet: what you see." in text(answer, 422)


def test_a_file_that_is_no_picture_is_told_in_the_form(client: FlaskClient, station: Station) -> None:
    page = send(client, 415, kind="sewage", place_words="桥下", words="看", photos=[b"GIF89a not really"])
    assert "看" in page and 'aria-invalid="true"' in page and sightings(station) == []


def test_a_photo_gives_its_place_only_where_asked(client: FlaskClient, station: Station, data_files: Path) -> None:
    shot = sorted((data_files / "exif" / "gps").glob("*.jpg"))[0].read_bytes()
    send(client, kind="sewage", words="看照片", photos=[shot])
    send(client, kind="sewage", words="看照片", use_photo="1", photos=[shot])
    silent, placed = sightings(station)
    assert silent.lon is None and placed.lon is not None


def test_anonymous_drops_the_contact_and_a_reward_seals_it(client: FlaskClient, station: Station) -> None:
    held = ring(station)
    send(client, kind="sewage", place_words="桥下", contact__phone="13800138000")
    page = send(client, kind="sewage", place_words="堤上", contact__phone="13800138001", reward="true")
    hidden, sealed = sightings(station)
    assert hidden.identity_sealed is None and sealed.identity_sealed is not None and sealed.reward
    assert b"13800138001" in held.identity(sealed.identity_sealed)
    assert "13800138001" not in page


def test_a_place_on_the_map_wins_over_words(client: FlaskClient, station: Station, town: Town) -> None:
    at = town.at(700)
    send(client, kind="sewage", place_words="K1+240", position__lon=str(at["lon"]), position__lat=str(at["lat"]),
         position__crs="wgs84", position__accuracy_m="8")  # fmt: skip
    row = sightings(station)[0]
    assert (row.lon, row.lat) == pytest.approx((at["lon"], at["lat"]), abs=1e-6)


# ---- status


def test_the_status_follows_the_issue_and_names_nobody(client: FlaskClient, station: Station, town: Town) -> None:
    code = code_of(send(client, kind="floating_debris", words="瓶子", **spot(town)))
    with station.look() as look:
        number = look.session.scalars(select(m.Issue)).one().number
    assert re.search(r'aria-current="step".*?收到您的举报', ask(client, code=code), re.DOTALL)
    town.step(number, "assign", town.person("office"), lead_unit="water")
    page = ask(client, code=code.replace(" ", "").lower())
    assert "交给单位了" in page and "交给责任单位" in page
    units = [unit.name for unit in station.place.units.values()]
    assert number not in page and "环保办甲" not in page and not any(name in page for name in units)


def test_unknown_and_malformed_codes_get_the_same_answer(client: FlaskClient) -> None:
    bodies, lengths = set(), set()
    for code in ("ABCDEFGH12345678", "nonsense", "", "0" * 64):
        page = ask(client, 404, code=code)
        assert "没有这个查询码，请核对 16 位字母数字。" in page
        bodies.add(
            re.sub(r'nonce="[^"]*"|value="[^"]*"|data-now="[^"]*"', "", page).rstrip()
        )  # filled up to one length
        lengths.add(len(page.encode()))
    assert len(bodies) == len(lengths) == 1


def test_guessing_codes_slows_down(client: FlaskClient) -> None:
    statuses = [client.post("/tips", data={"code": "A" * 16}, content_type=FORM).status_code for _ in range(60)]
    assert set(statuses) == {404, 429} and statuses == sorted(statuses)


def test_the_owner_of_a_code_adds_words_and_rates(client: FlaskClient, station: Station, town: Town) -> None:
    code = code_of(send(client, kind="floating_debris", words="瓶子", **spot(town)))
    assert "补充的话收到了。" in ask(client, code=code, deed="add", words="又多了一些")
    assert "还没写：说两句。" in ask(client, 422, code=code, deed="add", words=" ")
    assert "还没选：满意吗。" in ask(client, 422, code=code, deed="rate")
    assert "没有这一项" in ask(client, 422, code=code, deed="nonsense", words="x")
    ask(client, 404, code="B" * 16, deed="add", words="不是我的")
    with station.look() as look:
        number = look.session.scalars(select(m.Issue)).one().number
    office = town.person("office")
    town.step(number, "assign", office, lead_unit="water")
    ask(client, 422, code=code, deed="appeal", words="太早了")


# ---- the check of a slip


def test_a_slip_is_genuine_only_with_its_own_code(client: FlaskClient, station: Station, town: Town) -> None:
    number = town.to_assigned()
    with station.look() as look:
        slip = slips.of(look, look.session.query(m.Issue).filter_by(number=number).one())[0]
    page = text(client.get(f"/check?slip={slip.number}&code={slip.check_code}"))
    assert "是真的" in page and "问题交办单" in page and "环保办甲" not in page and number not in page
    wrong = text(client.get(f"/check?slip={slip.number}&code=AAAAAAAAAA"))
    absent = text(client.get(f"/check?slip=JB-2026-9999-1&code={slip.check_code}"))
    assert "对不上" in wrong and "对不上" in absent and "是真的" not in wrong + absent
    assert "对不上" not in text(client.get("/check")) and "是真的" not in text(client.get("/check"))
    assert client.get("/check?number=1").status_code == 422
