"""Requests, deliveries and the acting head as the desk's pages handle them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import select

from patrol import models as m
from patrol.station import Station
from patrol.web.app import create_app
from tests.walk import Town, picture
from tests.web.deskroom import Desk


@pytest.fixture
def town(station: Station) -> Town:
    return Town(station)


@pytest.fixture
def app(station: Station) -> Iterator[Flask]:
    made = create_app(station)
    made.testing = True
    yield made


@pytest.fixture
def office(town: Town, app: Flask) -> Desk:
    return Desk(town, app, "office", name="环保办甲")


@pytest.fixture
def head(town: Town, app: Flask) -> Desk:
    return Desk(town, app, "office_head", name="环保办主任")


def request_of(town: Town) -> m.Request:
    with town.station.look() as look:
        return look.session.scalars(select(m.Request).order_by(m.Request.id.desc()).limit(1)).one()


def errand_of(town: Town, **by: str) -> m.Errand:
    with town.station.look() as look:
        return look.session.query(m.Errand).filter_by(**by).order_by(m.Errand.id).first()


# ---- requests


def test_a_dismissal_is_asked_at_the_desk_and_decided_by_another(office: Desk, head: Desk, town: Town) -> None:
    number = town.report().issue.number
    there = office.step(number, "dismiss", reason="到过了，没有", reason_code="not_found", sure="1")
    assert "done=asked:dismiss" in there and "等另一个人批" in office.get(there)
    asked = request_of(town)
    assert "到过了，没有" in office.get("/desk/requests") and "撤回申请" in office.get("/desk/requests")
    assert "要由另一个人批" in office.post(f"/desk/requests/{asked.id}/approve", {"version": "1"}, 403)
    page = head.get("/desk/requests")
    assert "要我批的" in page and "不予批准" in page and number in page
    page = head.post(f"/desk/requests/{asked.id}/refuse", {"version": "1", "words": ""}, 422)
    assert "要写明理由" in page
    there = head.post(f"/desk/requests/{asked.id}/approve", {"version": "1", "words": "同意"})
    assert town.issue(number).state == "dismissed" and "批准了" in head.get(there)
    assert "已有人处理" in head.post(f"/desk/requests/{asked.id}/approve", {"version": "1"}, 412)


def test_the_asker_withdraws(office: Desk, town: Town) -> None:
    number = town.report().issue.number
    office.step(number, "dismiss", reason="重复", reason_code="duplicate_report", sure="1")
    assert "申请在等批" in office.get(f"/desk/issues/{number}")
    office.post(f"/desk/requests/{request_of(town).id}/withdraw", {"version": "1"})
    assert request_of(town).state == "withdrawn"


def test_a_return_is_granted_only_with_the_next_unit(office: Desk, town: Town) -> None:
    number = town.to_assigned()
    town.step(number, "return", town.person("unit", unit="water"), reason="不归我们管")
    asked = request_of(town)
    assert "改派给" in office.get("/desk/requests")
    assert "新的责任单位" in office.post(f"/desk/requests/{asked.id}/approve", {"version": "1", "lead_unit": ""}, 422)
    there = office.post(f"/desk/requests/{asked.id}/approve",
                        {"version": "1", "lead_unit": "sanitation", "back": f"/desk/issues/{number}"})  # fmt: skip
    assert there.startswith(f"/desk/issues/{number}") and town.issue(number).lead_unit == "sanitation"


def test_a_transfer_is_granted_with_the_receipt(head: Desk, town: Town, app: Flask) -> None:
    number = town.report().issue.number
    head.step(number, "transfer", reason="归区农业农村局", receiving_body="区农业农村局", sure="1")
    other = Desk(town, app, "office", name="环保办乙")
    asked = request_of(town)
    assert "签收单照片" in other.post(f"/desk/requests/{asked.id}/approve", {"version": "1"}, 422)
    other.post(f"/desk/requests/{asked.id}/approve", {"version": "1", "photo": picture(901)})
    assert town.issue(number).state == "transferred"


# ---- deliveries


def test_a_card_is_copied_pasted_and_then_confirmed(office: Desk, town: Town) -> None:
    number = town.report().issue.number
    town.step(number, "assign", town.person("office", name="环保办丁"), lead_unit="water")
    assert "张卡要人贴到群里" in office.get("/desk")
    page = office.get("/desk/deliveries?state=by_hand")
    card = errand_of(town, handler="card:assignment", group="chiefs")
    text = re.search(rf'id="card-{card.id}"[^>]*>([^<]+)</pre>', page)
    assert text is not None and number in text[1] and "校验码" in text[1] and "河湖长群" in page
    assert f'data-copy="{text[1]}"' in page and "http://" in html.unescape(text[1])
    office.post(f"/desk/deliveries/{card.id}/handed_over", {}, plain=True)
    assert errand_of(town, handler="card:assignment", group="chiefs").state == "done"
    page = office.get("/desk/deliveries")
    assert f"/desk/issues/{number}?step=confirm_push" in page and "人工粘贴" in page
    assert "缺送达截图" in office.step(number, "confirm_push", 422)
    office.step(number, "confirm_push", photo=picture(777))
    with town.station.look() as look:
        push = look.session.query(m.Clock).filter_by(name="push").one()
    assert push.state == "met"


def test_the_assigner_cannot_confirm_the_delivery(office: Desk, town: Town) -> None:
    number = town.report().issue.number
    office.step(number, "assign", lead_unit="water")
    assert "step=confirm_push" not in office.get(f"/desk/issues/{number}")


def test_a_stuck_card_says_why_and_is_tried_again(office: Desk, town: Town) -> None:
    town.to_assigned()
    with town.station.work(town.person("office")) as work:
        card = work.session.query(m.Errand).filter_by(handler="card:assignment", group="chiefs").one()
        card.state, card.tries, card.last_error = "stuck", 9, "机器人回 93000：密钥不对"
    assert "1 张卡推不出去" in office.get("/desk")
    page = office.get("/desk/deliveries?state=stuck")
    assert "密钥不对" in page and "再推一次" in page
    office.post(f"/desk/deliveries/{card.id}/replay", {}, plain=True)
    assert errand_of(town, handler="card:assignment", group="chiefs").state == "due"
    office.post(f"/desk/deliveries/{card.id}/replay", {}, 404, plain=True)


def test_a_chief_reads_deliveries_but_mends_none(town: Town, app: Flask) -> None:
    town.to_assigned()
    chief = Desk(town, app, "chief", name="河长乙")
    assert "已粘贴" not in chief.get("/desk/deliveries")
    chief.post(f"/desk/deliveries/{errand_of(town, group='chiefs').id}/handed_over", {}, 403, plain=True)


# ---- people


def test_the_head_names_an_acting_head_who_then_closes(head: Desk, office: Desk, town: Town) -> None:
    number = town.to_rectified()
    town.step(number, "verify", town.person("office", name="环保办丙"), checklist=town.checklist(number))
    assert "由环保办负责人或河湖长指定" in office.get("/desk/people")
    acting = office.town.person("office", name="环保办甲")
    page = head.post("/desk/people/delegate", {"to": "", "from_on": "", "to_on": "2026-11-30"}, 422)
    assert "没写从哪天" in page and "没选代行人" in page and 'value="2026-11-30"' in page
    page = head.post(
        "/desk/people/delegate", {"to": str(acting.person_id), "from_on": "2026-11-23", "to_on": "2027-03-01"}, 422
    )
    assert "最长 31 天" in page
    head.post("/desk/people/delegate", {"to": str(acting.person_id), "from_on": "2026-11-23", "to_on": "2026-11-25"})
    with town.station.look() as look:
        kept = look.session.query(m.Delegation).one()
    assert (kept.to_id, kept.from_on, kept.to_on) == (acting.person_id, date(2026, 11, 23), date(2026, 11, 25))
    assert "代行中" in head.get("/desk/people")
    office.step(number, "close", sure="1")
    assert town.issue(number).state == "closed"


def test_an_acting_head_sees_what_he_may_decide(head: Desk, office: Desk, town: Town) -> None:
    number = town.to_supervised()
    town.step(
        number, "extend", town.person("unit", unit="water"), reason="水位高", by={"amount": 2, "unit": "working_hours"}
    )
    assert "没有等您批的" in office.get("/desk/requests")
    acting = town.person("office", name="环保办甲")
    head.post("/desk/people/delegate", {"to": str(acting.person_id), "from_on": "2026-11-23", "to_on": "2026-11-24"})
    assert "没有等您批的" not in office.get("/desk/requests")
    office.post(f"/desk/requests/{request_of(town).id}/approve", {"version": "1"})
    assert request_of(town).state == "approved"
