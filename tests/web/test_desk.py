"""The desk in a browser's terms: what the inbox shows, assigning from a form, what is missing, conflicts."""

from __future__ import annotations

import re
from collections.abc import Iterator

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


# ---- who may come in


@pytest.mark.parametrize("path", ["/desk", "/desk/issues", "/desk/requests", "/desk/deliveries", "/desk/people"])
def test_only_the_desk_comes_in(town: Town, app: Flask, path: str) -> None:
    stranger = app.test_client().get(path)
    assert stranger.status_code == 303 and stranger.headers["Location"].startswith("/signin?next=")
    grid = Desk(town, app, "grid", name="网格员丙")
    assert "您的角色不能进这里" in grid.get(path, 403)
    unit = Desk(town, app, "unit", name="水利员丙", unit="water")
    unit.get(path, 403)


@pytest.mark.parametrize("path", ["/desk", "/desk/issues", "/desk/requests", "/desk/deliveries", "/desk/people"])
def test_pages_keep_the_policy(office: Desk, town: Town, path: str) -> None:
    town.report()
    town.report("drone", score=0.5, chainage_m=300)
    page = office.get(path)
    assert not re.search(r"\sstyle=|\son[a-z]+=|(src|href)=\"(https?:)?//", page)
    assert page.count("<h1") == 1


# ---- the inbox


def test_inbox_shows_clues_and_reports_by_what_presses(office: Desk, town: Town, station: Station) -> None:
    clue = town.report("drone", kind="sewage", chainage_m=300, score=0.4)
    assert clue.issue is None
    station.clock.forward(minutes=20)  # type: ignore[attr-defined]  # review has 10 minutes left, push an hour
    number = town.report().issue.number
    page = office.get("/desk")
    rows = re.findall(r'class="issue-row" href="([^"]+)"', page)
    assert rows == [f"/desk/clues/{clue.sighting.ref}", f"/desk?open={number}"]
    assert "污水直排 线索" in page and "无人机" in page and "把握 0.40" in page and "K0+300" in page
    assert "推送" in office.get(f"/desk?open={number}")


def test_inbox_of_nothing_says_why(office: Desk) -> None:
    page = office.get("/desk")
    assert "收件箱空了" in page and "后台没有干活" in page


def test_clue_is_confirmed_joined_and_discarded(office: Desk, town: Town) -> None:
    refs = [town.report("drone", chainage_m=at, score=0.3).sighting.ref for at in (200, 700, 1240)]
    there = office.post(f"/desk/clues/{refs[0]}/confirm", {"kind": "floating_debris"}, plain=True)
    number = re.search(r"open=(TH-\d+-\d+)", there)[1]  # type: ignore[index]
    assert "立案了" in office.get(there)
    again = office.post(f"/desk/clues/{refs[1]}/discard", {"reason": "", "words": "水草影子"}, 422, plain=True)
    assert "缺理由：选一个。" in again and "水草影子" in again
    office.post(f"/desk/clues/{refs[1]}/discard", {"reason": "glint_or_shadow"}, plain=True)
    office.post(f"/desk/clues/{refs[2]}/join", {"issue": number.lower()}, plain=True)
    with town.station.look() as look:
        states = {s.ref: s.state for s in look.session.scalars(select(m.Sighting))}
    assert [states[ref] for ref in refs] == ["joined", "discarded", "joined"]
    office.post(f"/desk/clues/{refs[2]}/join", {"issue": number}, 409, plain=True)


# ---- assigning


def test_assigning_from_the_form_makes_the_slip(office: Desk, town: Town) -> None:
    number = town.report().issue.number
    page = office.get(f"/desk?open={number}")
    assert 'value="sanitation" selected' in page, "the unit is proposed from kind and grid"
    assert re.search(r'value="8"[^>]*name="limit"|name="limit"[^>]*value="8"', page)
    there = office.step(number, "assign", kind="floating_debris", lead_unit="sanitation", limit="4",
                        limit_unit="working_hours", limit_for="floating_debris", words="当日清完", back="inbox")  # fmt: skip
    assert there.startswith("/desk?done=assign")
    issue = town.issue(number)
    assert (issue.state, issue.lead_unit, issue.words) == ("assigned", "sanitation", "当日清完")
    page = office.get(f"/desk/issues/{number}")
    slip = re.search(r'href="(/api/v1/slips/[^"]+\.pdf)"', page)
    assert slip is not None and "问题交办单" in page and "4 工作时" in page
    assert office.client.get(slip[1]).data.startswith(b"%PDF")


def test_a_changed_kind_brings_its_own_limit(office: Desk, town: Town) -> None:
    number = town.report().issue.number
    office.step(number, "assign", kind="bare_soil", lead_unit="construction", limit="8", limit_unit="working_hours",
                limit_for="floating_debris")  # fmt: skip
    page = office.get(f"/desk/issues/{number}")
    assert "3 工作日" in page


def test_every_missing_thing_is_named_and_the_words_stay(office: Desk, town: Town) -> None:
    first = town.report(position=town.at(1240, accuracy_m=80)).issue.number
    page = office.step(first, "assign", 422, kind="floating_debris", lead_unit="", limit="很久", words="请当日清完",
                       limit_unit="working_hours", position_k="一号桥")  # fmt: skip
    for sentence in ("整改时限要写数字。", "桩号要写成 K1+240 这样。", "缺责任单位。", "位置还不准"):
        assert sentence in page
    assert "还差 4 样" in page and "请当日清完" in page and "一号桥" in page
    assert town.issue(first).state == "reported"
    office.step(first, "assign", lead_unit="sanitation", position_k="K1+250", position_bank="left")
    assert town.issue(first).chainage_m == pytest.approx(1250, abs=2)


def test_the_duplicate_question_must_be_answered(office: Desk, town: Town) -> None:
    first, second = (town.report(chainage_m=at).issue.number for at in (1240, 1300))
    town.step(first, "correct", town.person("office", name="环保办丁"), reason="点错了", position=town.at(1265))
    town.step(second, "correct", town.person("office", name="环保办丁"), reason="点错了", position=town.at(1275))
    page = office.get(f"/desk?open={second}")
    assert "可能是同一件，先答这一问" in page and first in page
    assert "不是同一件" in office.step(second, "assign", 422, lead_unit="sanitation")
    office.step(second, "assign", lead_unit="sanitation", duplicate_answered="1")
    assert town.issue(second).state == "assigned"


def test_a_stale_form_keeps_its_words_and_says_who_changed_it(office: Desk, town: Town) -> None:
    number = town.report().issue.number
    old = str(town.issue(number).version)
    town.step(number, "correct", town.person("office", name="环保办丁"), reason="是裸土", kind="bare_soil")
    page = office.step(number, "assign", 412, version=old, lead_unit="sanitation", words="我写的要求")
    assert "别人刚改过" in page and "环保办丁" in page and "是裸土" in page and "我写的要求" in page
    fresh = re.search(r'name="version" value="(\d+)"', page)
    assert fresh is not None and int(fresh[1]) == town.issue(number).version
    town.step(number, "assign", town.person("office", name="环保办丁"), lead_unit="water")
    page = office.step(number, "assign", 412, version=fresh[1], lead_unit="sanitation", words="我写的要求")
    assert (
        "环保办丁" in page and "我写的要求" in page and 'action="/desk/issues/' + number + '/steps/assign"' not in page
    )


def test_a_second_press_does_nothing_twice(office: Desk, town: Town) -> None:
    number = town.report().issue.number
    fields = {"lead_unit": "water", "version": str(town.issue(number).version),
              "client_id": "7b0c7c0e-3f6e-4a54-9c61-0f1f6b7d9a11"}  # fmt: skip
    office.step(number, "assign", **fields)
    office.step(number, "assign", **fields)
    with town.station.look() as look:
        assert len(list(look.session.scalars(select(m.Slip)))) == 1


# ---- later steps


def test_photos_travel_with_the_step_and_stay_after_a_fault(office: Desk, town: Town) -> None:
    number = town.to_rectified()
    page = office.get(f"/desk/issues/{number}")
    assert "前后对比" in page and 'id="step-verify"' in page
    page = office.step(number, "send_back", 422, reason="", photo=picture(501))
    assert "缺原因" in page and "缺不合格的照片" not in page and "已传到" in page
    office.step(number, "send_back", reason="岸边还有", photo=picture(502))
    issue = town.issue(number)
    assert (issue.state, issue.round) == ("supervised", 2)


def test_a_final_step_asks_once(town: Town, app: Flask) -> None:
    number = town.to_verified()
    head = Desk(town, app, "office_head", name="环保办主任乙")
    assert f"确认销号 {number}，出销号反馈单" in head.get(f"/desk/issues/{number}")
    assert "先勾上确认" in head.step(number, "close", 422)
    head.step(number, "close", sure="1")
    assert town.issue(number).state == "closed"


def test_issue_page_explains_every_clock_and_filters_the_trail(office: Desk, town: Town) -> None:
    number = town.to_rectified()
    page = office.get(f"/desk/issues/{number}")
    for words in (
        "时限怎么算的",
        "中间停过",
        "8 工作时",
        "用 ",
        "推送",
        "签收",
        "到场",
        "整改",
        "验收",
        "轮到 环保办验收",
    ):
        assert words in page
    assert "收到照片" not in page and "收到照片" in office.get(f"/desk/issues/{number}?trail=all")
    assert office.get(f"/desk/issues/{number}?trail=push").count("<li><time") == 0


def test_a_photo_is_released_to_the_unit(office: Desk, town: Town) -> None:
    number = town.to_assigned()
    ref = town.photo(number, "check", town.person("grid"))
    assert "放给单位看" in office.get(f"/desk/issues/{number}")
    office.post(f"/desk/issues/{number}/photos/{ref}/release", {}, plain=True)
    with town.station.look() as look:
        assert look.session.scalar(select(m.Photo.released).where(m.Photo.ref == ref))


def test_another_roles_step_is_refused_in_words(office: Desk, town: Town) -> None:
    number = town.to_verified()
    page = office.step(number, "close", 403, sure="1")
    assert "销号" in page and town.issue(number).state == "verified"


# ---- the list


def test_list_filters_and_says_the_result_in_words(office: Desk, town: Town, station: Station) -> None:
    first, second = town.to_assigned(), town.report(kind="bare_soil", chainage_m=2000).issue.number
    page = office.get("/desk/issues?state=assigned")
    assert first in page and second not in page and "在办 2 件，超期 0 件" in page and "筛出的 1 件" in page
    assert second in office.get("/desk/issues?kind=bare_soil") and first in office.get("/desk/issues?unit=water")
    assert "没有这样的问题" in office.get("/desk/issues?q=TH-1999")
    station.clock.forward(days=3)  # type: ignore[attr-defined]
    office.sign_in()
    assert first in office.get("/desk/issues?overdue=1")


def test_search_takes_a_number_a_chainage_or_a_unit(office: Desk, town: Town) -> None:
    first, second = town.to_assigned(), town.report(kind="bare_soil", chainage_m=2000).issue.number
    for q, found, left_out in ((first[-4:], first, second), ("K2%2B010", second, first), ("水利", first, second)):
        page = office.get(f"/desk/issues?q={q}")
        assert f'href="/desk/issues/{found}" data-row' in page and left_out not in page
    assert second in office.get("/desk/issues?from_m=1990&to_m=2005")
    assert first not in office.get("/desk/issues?from_m=1990&to_m=2005")


def test_list_turns_pages(office: Desk, town: Town) -> None:
    for n in range(42):
        town.report(kind="other", chainage_m=60 * n + 40)
    assert "第 1 页，共 2 页，42 件" in office.get("/desk/issues")
    assert 'href="/desk/issues?page=1"' in office.get("/desk/issues?page=2")


# ---- what is offered


def test_no_button_for_what_no_form_can_fill(office: Desk, town: Town) -> None:
    number = town.to_assigned()
    page = office.get(f"/desk/issues/{number}")
    assert "step=reassign" in page and "办公室先确认" in page
    assert "step=receive" not in page and "step=resume" not in page, "water signs for itself and nothing is suspended"
    assert 'id="step-supervise"' not in page, "it is the grid worker's turn"
    grid = town.person("grid")
    town.photo(number, "before", grid)
    town.step(number, "supervise", grid, finding="true", position=town.at())
    page = office.get(f"/desk/issues/{number}")
    assert 'id="step-supervise"' in page and "确认“属实”" in page


def test_the_missing_box_stands_before_anything_is_sent(office: Desk, town: Town) -> None:
    number = town.to_rectified()
    page = office.get(f"/desk/issues/{number}?step=send_back")
    assert "还差 2 样" in page and 'href="#f-reason"' in page and 'href="#f-photo"' in page
    assert "missing-block" not in office.get(f"/desk?open={town.report(chainage_m=300).issue.number}")
