"""The phone's doors, walked by a grid worker and a unit: check, check in, receive, progress, submit; and what is refused."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from patrol import models as m
from patrol.actions import people
from patrol.station import Actor, Station
from patrol.web import access
from patrol.web.app import create_app
from tests.conftest import SetClock
from tests.forms import multipart
from tests.walk import Town, picture


@dataclass
class Phone:
    """One person's browser: signed in by a session, forms sent as the pages send them."""

    client: FlaskClient
    actor: Actor

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.get_data(as_text=True)

    def post(self, path: str, fields: dict[str, Any], photos: tuple[bytes, ...] = (), *, script: bool = True) -> Any:
        parts = {name: str(value) for name, value in {"csrf_token": self.token(), **fields}.items()}
        headers = {"Accept": "application/json"} if script else {"Accept": "text/html"}
        # a boundary of our own: the stock client's is now and then longer than the 70 characters allowed
        return self.client.post(path, headers=headers, **multipart(parts, list(photos)))

    def token(self) -> str:
        found = re.search(r'name="csrf-token" content="([^"]+)"', self.get("/phone/me"))
        assert found
        return found[1]

    def form(self, number: str, step: str = "") -> dict[str, str]:
        """The hidden fields of the form the page shows."""
        page = self.get(f"/phone/issues/{number}" + (f"?step={step}" if step else ""))
        found = dict(re.findall(r'<input type="hidden" name="(version|client_id)" value="([^"]*)">', page))
        assert set(found) == {"version", "client_id"}, page
        return found

    def take(self, number: str, step: str, fields: dict[str, Any], photos: tuple[bytes, ...] = (), **more: Any) -> Any:
        form = self.form(number, step) | fields
        return self.post(f"/phone/issues/{number}/steps/{step}", form, photos, **more)


@dataclass
class Street:
    """A town and its phones."""

    town: Town

    def phone(
        self, role: str, *, unit: str | None = None, grids: frozenset[str] | None = None, name: str | None = None
    ) -> Phone:
        station = self.town.station
        who = self.town.person(role, unit=unit, grids=grids, name=name)
        value = uuid.uuid4().hex
        with station.work(who) as work:
            account = m.Account(person_id=who.person_id, login=value, password_hash="-", roles=sorted(who.roles),
                                unit=unit, grids=sorted(grids) if grids else None, active=True, failed=0)  # fmt: skip
            work.session.add(account)
            work.session.flush()
            ends = work.now.replace(year=work.now.year + 1)
            work.session.add(
                m.SignIn(digest=people.digest(value), account_id=account.id, made_at=work.now, ends_at=ends)
            )
        client = create_app(station).test_client()
        client.set_cookie(access.COOKIE, value, domain="localhost")
        return Phone(client, who)


@pytest.fixture
def street(station: Station) -> Street:
    return Street(Town(station))


def here(town: Town, chainage_m: float = 1240, accuracy_m: float = 8) -> dict[str, str]:
    at = town.at(chainage_m)
    return {"lon": str(at["lon"]), "lat": str(at["lat"]), "accuracy_m": str(accuracy_m)}


def claims(town: Town, count: int = 1) -> dict[str, str]:
    one = {"position": town.at(), "taken_at": town.station.now().isoformat()}
    return {"claims": json.dumps({"photos": [one] * count})}


def faults(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.get_data(as_text=True)
    return [fault["sentence"] for fault in answer.json["errors"]]


def test_a_grid_worker_checks_a_tip(street: Street) -> None:
    number = street.town.report("tip").issue.number
    grid = street.phone("grid")
    assert "核实：漂浮物" in grid.get("/phone")
    answer = grid.take(number, "check", {"found": "1", **here(street.town), **claims(street.town)}, (picture(1),))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.json["next"] == f"/phone?did={number}&step=check"
    issue = street.town.issue(number)
    assert (issue.half1, issue.position_confirmed) == ("true", True)
    done = grid.get(answer.json["next"])
    assert f"{number} 已提交核实" in done and "核实：漂浮物" not in done


def test_a_grid_worker_checks_in_and_the_unit_rectifies(street: Street, clock: SetClock) -> None:
    town = street.town
    number = town.to_assigned()
    unit, grid = street.phone("unit", unit="water"), street.phone("grid")
    assert unit.take(number, "receive", {}).status_code == 200
    assert "等网格员到场" in unit.get(f"/phone/issues/{number}") or "轮到" in unit.get(f"/phone/issues/{number}")
    answer = grid.take(number, "supervise", {"finding": "true", **here(town), **claims(town)}, (picture(2),))
    assert answer.status_code == 200, answer.get_data(as_text=True)

    with town.station.look() as look:
        row = look.session.query(m.Photo).filter_by(stage="before").one()
        assert (row.step, row.source, row.flags) == ("supervise", "app", [])
    office = street.phone("office", name="环保办乙")
    assert "确认督办" in office.get("/phone")
    assert office.take(number, "supervise", {}).status_code == 200
    assert town.issue(number).state == "supervised"
    clock.forward(minutes=30)
    answer = unit.take(number, "progress", {"words": "正在打捞"}, (picture(3),))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    clock.forward(minutes=30)
    answer = unit.take(number, "submit", {"words": "清完了", **claims(town)}, (picture(4),))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert town.issue(number).state == "rectified"
    assert "验收：漂浮物" in street.phone("office").get("/phone")


def test_everything_missing_is_named_at_once_and_nothing_is_kept(street: Street) -> None:
    number = street.town.to_assigned()
    grid = street.phone("grid")
    said = faults(grid.take(number, "supervise", {"words": "看过"}))
    assert said == ["缺定位：请在现场打开定位。", "缺整改前照片。", "缺核实结果：属实、移动、已清除还是不属实。"]
    answer = grid.take(number, "supervise", {"finding": "false", **here(street.town)}, (picture(5), b"no picture"))
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["photo", "reason"]
    with street.town.station.look() as look:
        assert look.session.query(m.Photo).count() == 0


def test_without_scripts_the_page_comes_back_with_values_and_photos_kept(street: Street) -> None:
    town, grid = street.town, street.phone("grid")
    number = town.to_assigned()
    answer = grid.take(
        number, "supervise", {"words": "约 20 平方米", "position": "K1+240 左岸"}, (picture(6),), script=False
    )
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "缺核实结果" in page and "约 20 平方米" in page and 'value="K1+240 左岸"' in page and "已传到" in page
    again = grid.take(number, "supervise", {"finding": "true", "position": "K1+240 左岸"}, script=False)
    assert (again.status_code, again.headers["Location"]) == (303, f"/phone?did={number}&step=supervise")
    with town.station.look() as look:
        assert [photo.step for photo in look.session.query(m.Photo)] == ["supervise"]


def test_the_same_send_again_does_nothing_twice(street: Street) -> None:
    town, grid = street.town, street.phone("grid")
    number = town.report("tip").issue.number
    form = grid.form(number, "check") | {"found": "1", **here(town), **claims(town)}
    first = grid.post(f"/phone/issues/{number}/steps/check", form, (picture(7),))
    again = grid.post(f"/phone/issues/{number}/steps/check", form, (picture(7),))
    assert (first.status_code, again.status_code, first.json) == (200, 200, again.json)
    with town.station.look() as look:
        assert look.session.query(m.Photo).count() == 1
        assert look.session.query(m.Trail).filter_by(event="checked").count() == 1


def test_out_of_scope_and_absent_are_the_same_404(street: Street) -> None:
    number = street.town.to_assigned()
    for phone in (
        street.phone("unit", unit="sanitation"),
        street.phone("grid", grids=frozenset({"G1"}), name="西门网格员"),
    ):
        assert number not in phone.get("/phone")
        hidden, absent = (phone.client.get(f"/phone/issues/{each}") for each in (number, "TH-2026-9999"))
        assert hidden.status_code == absent.status_code == 404
        sent = phone.post(f"/phone/issues/{number}/steps/progress", {"version": "1", "words": "x"}, (picture(8),))
        assert sent.status_code == 404
    with street.town.station.look() as look:
        assert look.session.query(m.Photo).count() == 0


def test_an_old_version_is_refused_and_the_script_keeps_its_photos(street: Street) -> None:
    town, unit = street.town, street.phone("unit", unit="water")
    number = town.to_supervised()
    form = unit.form(number, "progress")
    town.step(number, "press", town.person("chief"), words="快")
    answer = unit.post(f"/phone/issues/{number}/steps/progress", form | {"words": "在捞"}, (picture(9),))
    assert (answer.status_code, answer.json["detail"][:6]) == (412, "这件刚有人改")
    with town.station.look() as look:
        assert look.session.query(m.Photo).filter_by(stage="during").count() == 0


def test_a_unit_asks_for_more_time_sees_the_answer_and_may_withdraw(street: Street) -> None:
    town, unit = street.town, street.phone("unit", unit="water")
    number = town.to_assigned()
    asked = unit.take(number, "extend", {"by": "4", "by_unit": "working_hours", "reason": "要等打捞船"})
    assert asked.json["asked"] is True
    page = unit.get(f"/phone/issues/{number}")
    assert "已申请延期，等批" in page and "要等打捞船" in page and "撤回申请" in page
    with town.station.work(town.person("office_head")) as work:
        from patrol.actions import handle

        request = work.session.query(m.Request).one()
        handle.refuse(work, request.id, {"words": "今天有船"}, request.version)
    assert "没批" in unit.get(f"/phone/issues/{number}") and "今天有船" in unit.get(f"/phone/issues/{number}")
    unit.take(number, "return", {"reason": "不是我们的河段"})
    with town.station.look() as look:
        open_one = look.session.query(m.Request).filter_by(state="open").one()
    gone = unit.client.post(f"/phone/requests/{open_one.id}/withdraw",
                            data={"csrf_token": unit.token(), "version": str(open_one.version)})  # fmt: skip
    assert gone.status_code == 303 and "撤回了" in unit.get(f"/phone/issues/{number}")


def test_a_step_that_cannot_be_taken_says_why(street: Street) -> None:
    number = street.town.to_assigned()
    unit = street.phone("unit", unit="water")
    page = unit.get(f"/phone/issues/{number}?step=submit")
    assert "报验现在办不了" in page and "还没到场核实" in page
    sent = unit.post(f"/phone/issues/{number}/steps/assign", {"version": "1"})
    assert (sent.status_code, sent.json["detail"]) == (409, "这一步请在电脑上办。")


def test_tasks_are_sorted_by_what_is_left_and_one_card_has_the_button(street: Street, clock: SetClock) -> None:
    town = street.town
    later = town.to_assigned(chainage_m=600)
    clock.forward(minutes=70)
    sooner = town.to_assigned(kind="sewage", chainage_m=1800)
    clock.forward(minutes=60)  # the first check-in is red now
    page = street.phone("grid").get("/phone")
    assert page.index(later) < page.index(sooner)
    assert page.count("btn btn-main btn-wide") == 1 and "is-late" in page


def test_a_grid_sees_no_channel_and_no_time_before_the_first_slip(street: Street) -> None:
    number = street.town.report("tip", words="我家楼下").issue.number
    page = street.phone("grid").get(f"/phone/issues/{number}") + street.phone("grid").get("/phone")
    for word in ("举报", "我家楼下", "推送", "data-clock"):
        assert word not in page.replace("举报电话", "")


def test_a_quick_report_names_every_gap_and_opens_an_issue(street: Street) -> None:
    town, grid = street.town, street.phone("grid")
    client_id = str(uuid.uuid4())
    assert faults(grid.post("/phone/report", {"client_id": client_id})) == [
        "还没选：是什么。",
        "还没有位置：打开定位，或填桩号、地名。",
    ]
    fields = {"client_id": client_id, "kind": "solid_waste", "words": "一堆砖头", **here(town, 900)}
    answer = grid.post("/phone/report", fields, (picture(10),))
    assert answer.status_code == 200 and answer.json["issue"]
    assert grid.post("/phone/report", fields, (picture(10),)).json == answer.json
    volunteer = street.phone("volunteer").post(
        "/phone/report", {**fields, "client_id": str(uuid.uuid4()), "words": "砖头"}
    )
    assert volunteer.status_code == 200 and volunteer.json["issue"] is None


def test_before_something_is_put_right_on_the_spot_its_picture_is_sent(street: Street, clock: SetClock) -> None:
    town, grid = street.town, street.phone("grid")
    number = town.report("drone").issue.number
    assert "先拍整改前" in grid.get(f"/phone/issues/{number}?step=handle_here")
    sent = grid.post(f"/phone/issues/{number}/photos", {"stage": "before", **claims(town)}, (picture(11),))
    assert sent.status_code == 200, sent.get_data(as_text=True)
    clock.forward(minutes=3)
    answer = grid.take(number, "handle_here", {**here(town), **claims(town), "area_m2": "4"}, (picture(12),))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert town.issue(number).state == "rectified"


def test_a_unit_that_nobody_came_to_check_sends_before_and_after_itself(street: Street, clock: SetClock) -> None:
    town, unit = street.town, street.phone("unit", unit="water")
    number = town.to_assigned()
    unit.take(number, "receive", {})
    clock.forward(hours=3)  # the check-in is red
    assert "先拍整改前" in unit.get(f"/phone/issues/{number}")
    sent = unit.post(f"/phone/issues/{number}/photos", {"stage": "before", "step": "submit"}, (picture(31),))
    assert sent.json["next"] == f"/phone/issues/{number}?step=submit"
    clock.forward(minutes=1)
    answer = unit.take(number, "submit", {}, (picture(32),))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert town.issue(number).state == "rectified"


def test_me_says_who_where_and_how_to_leave(street: Street) -> None:
    page = street.phone("grid", grids=frozenset({"G3"})).get("/phone/me")
    assert "柳门网格（柳门社区）" in page and 'action="/signout"' in page and "长辈版" in page


def test_nobody_gets_in_without_a_sign_in(street: Street) -> None:
    client = create_app(street.town.station).test_client()
    assert client.get("/phone").headers["Location"] == "/signin?next=/phone"
    assert client.post("/phone/report", data={}).status_code == 401
