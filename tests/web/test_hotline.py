"""The operator's form: the place as it is said, the phone sealed, the code and the words to read out."""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from patrol import models as m
from patrol.queries import tips
from patrol.station import Station
from patrol.web.app import create_app
from tests.sealroom import ring
from tests.walk import Town
from tests.web.deskroom import Desk

PHONE = "13800138000"


@pytest.fixture
def app(station: Station) -> Iterator[Flask]:
    made = create_app(station)
    made.testing = True
    yield made


@pytest.fixture
def operator(station: Station, app: Flask) -> Desk:
    return Desk(Town(station), app, "operator", name="话务员甲")


def send(desk: Desk, status: int = 201, **fields: Any) -> str:
    return html.unescape(answer_of(desk, status, **fields).get_data(as_text=True))


def answer_of(desk: Desk, status: int, **fields: Any) -> TestResponse:
    page = desk.get("/hotline")
    token, client_id = (
        re.search(pattern, page) for pattern in (r'csrf-token" content="([^"]+)', r'"client_id" value="([^"]+)')
    )
    assert token and client_id
    given = {
        "csrf_token": token[1],
        "client_id": client_id[1],
        **{name.replace("__", "."): value for name, value in fields.items()},
    }
    answer = desk.client.post("/hotline", data=given, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
    return answer


def code_of(page: str) -> str:
    found = re.search(r'class="code[^>]*>([^<]+)<', page)
    assert found is not None
    return found[1]


def sightings(station: Station) -> list[m.Sighting]:
    with station.look() as look:
        return list(look.session.scalars(select(m.Sighting).order_by(m.Sighting.id)))


def test_the_form_follows_speech_and_keeps_the_policy(operator: Desk) -> None:
    page = operator.get("/hotline")
    order = [page.index(f'name="{name}"') for name in ("place_words", "bank", "kind", "size", "words")]
    assert order == sorted(order)
    assert re.findall(r'data-digit="(\d)"', page) == list("1234567")
    assert page.count("<h1") == 1 and not re.search(r"\sstyle=|\son[a-z]+=|(src|href)=\"(https?:)?//", page)
    assert "data-strip" in page and "河尺" in page
    assert 'href="/hotline" aria-current="page"' in page
    assert 'action="/signout"' in page


def test_a_chainage_gives_the_place_the_code_and_the_words_to_read_back(operator: Desk, station: Station) -> None:
    page = send(
        operator, place_words="Ｋ1＋240 附近", bank="right", kind="sewage", size="约 20 平方米", words="有股臭味"
    )
    said = re.search(r'class="read-back">([^<]+)<', page)
    assert said is not None
    assert re.fullmatch(r".*K1\+240 右岸.*，排污水，有股臭味，大小：约 20 平方米，对吗？", said[1])
    row = sightings(station)[0]
    assert row.channel == "hotline" and row.lon is not None and row.lat is not None
    at = station.place.river.chainage_of(row.lon, row.lat)  # type: ignore[union-attr]
    assert at.chainage_m == pytest.approx(1240, abs=2) and at.bank == "right"
    code = code_of(page)
    assert re.fullmatch(r"\w{4} \w{4} \w{4} \w{4}", code), "read out in groups of four"
    with station.look() as look:
        assert tips.status(look, code)["state_zh"] == "收到了"


def test_an_outfall_is_a_place_and_words_alone_are_taken(operator: Desk, station: Station) -> None:
    send(operator, place_words="就在 3号 排口 下面", kind="sewage")
    send(operator, place_words="大桥底下", kind="solid_waste")
    named, unnamed = sightings(station)
    outfall = next(one for one in station.place.outfalls if one.name == "3号排口")
    assert (named.lon, named.lat) == pytest.approx((outfall.lon, outfall.lat), abs=1e-6)
    assert unnamed.lon is None and unnamed.place_words == "大桥底下"


def test_every_missing_thing_at_once_and_what_was_typed_stays(operator: Desk, station: Station) -> None:
    page = send(operator, 422, words="水面发黑", size="两条船大", contact__phone="")
    assert "还没填：在哪里" in page and "还没选：是什么" in page
    assert "水面发黑" in page and "两条船大" in page and sightings(station) == []
    off = send(operator, 422, place_words="K9+900", kind="sewage", bank="left")
    assert "桩号超出本河段" in off and 'value="K9+900"' in off
    assert re.search(r'value="left" checked', off) and re.search(r'value="sewage"[^>]* checked', off)


def test_a_phone_is_sealed_for_officers_and_only_a_yes_opens_it_for_calls(operator: Desk, station: Station) -> None:
    held = ring(station)
    page = send(operator, place_words="K0+500", bank="left", kind="sewage", contact__phone=PHONE, contact__name="李四",
                callback="true")  # fmt: skip
    assert PHONE not in page and "李四" not in page
    row = sightings(station)[0]
    assert row.identity_sealed is not None and row.callback_sealed is not None
    assert json.loads(held.identity(row.identity_sealed)) == {"phone": PHONE, "name": "李四"}
    assert held.callback(row.callback_sealed) == PHONE.encode()
    send(operator, place_words="K2+500", kind="sewage", contact__phone=PHONE)
    assert sightings(station)[1].callback_sealed is None


def test_without_keys_a_phone_is_refused_and_the_form_says_so(operator: Desk, station: Station) -> None:
    assert "还没有建立保密钥匙" in operator.get("/hotline") and 'name="contact.phone"' not in operator.get("/hotline")
    page = send(operator, 422, place_words="K0+500", kind="sewage", contact__phone=PHONE)
    assert "还没有建立保密钥匙，暂不能收姓名电话" in page and sightings(station) == []


def test_the_same_thing_is_joined_and_offered_while_typing(operator: Desk, station: Station) -> None:
    first = send(operator, place_words="K1+240", bank="left", kind="sewage")
    number = re.search(r"新立 (TH-\d+-\d+)", first)
    assert number is not None
    row = sightings(station)[0]
    asked = f"/api/v1/suggestions?lon={row.lon}&lat={row.lat}&crs=wgs84&kind=sewage&accuracy_m=50"
    offered = json.loads(operator.get(asked))["suggestions"]
    assert [(one["issue"], one["verdict"]) for one in offered] == [(number[1], "join")]
    assert f"并入 {number[1]}" in send(operator, place_words="K1+243 左岸", kind="sewage")
    # what the page's own link opens for an operator
    there = operator.client.get(f"/i/{number[1]}")
    assert there.status_code == 303 and there.headers["Location"] == f"/map?issue={number[1]}"


def test_a_form_sent_twice_is_one_report_with_one_code(operator: Desk, station: Station) -> None:
    same = str(uuid.uuid4())
    first = send(operator, client_id=same, place_words="K1+240", kind="sewage")
    again = send(operator, 200, client_id=same, place_words="K1+240", kind="sewage")
    assert code_of(first) == code_of(again) and len(sightings(station)) == 1


def test_who_may_take_calls(station: Station, app: Flask, operator: Desk) -> None:
    town = Town(station)
    assert "您的角色不能进这里" in Desk(town, app, "grid", name="网格员戊").get("/hotline", 403)
    Desk(town, app, "unit", name="水利员戊", unit="water").get("/hotline", 403)
    assert 'href="/desk"' in Desk(town, app, "office", name="环保办戊").get("/hotline")
    stranger = app.test_client().get("/hotline")
    assert stranger.status_code == 303 and stranger.headers["Location"] == "/signin?next=/hotline"
    assert 'href="/desk"' not in operator.get("/hotline")
    bare = operator.client.post("/hotline", data={"kind": "sewage"}, content_type="application/x-www-form-urlencoded")
    assert bare.status_code == 403 and sightings(station) == []
