"""What single rows say beyond the table: checking, dispatching, receiving and going there."""

from __future__ import annotations

from pathlib import Path

import pytest

from patrol import models as m
from patrol.actions import followup
from patrol.errors import BadInput, Refused
from tests.property.lawtown import LawTown, open_station
from tests.property.scenes import BY, to_check, to_handle_here


def test_check_inside_the_fence_with_a_photo_serves_as_half_one(law: LawTown) -> None:
    number, grid, body = to_check(law)
    assert "push" not in law.clocks(number), "a tip waits for its check"
    law.step(number, "check", grid, **body)
    assert law.clocks(number)["check"].state == "met" and law.clocks(number)["push"].state == "running"
    law.step(number, "assign", law.role("office"), lead_unit="water")
    assert law.clocks(number)["on_site"].state == "met"
    law.step(number, "supervise", law.role("office2"))
    assert law.issue(number).state == "supervised"


def test_check_outside_the_fence_or_with_nothing_found_is_no_half_one(law: LawTown) -> None:
    far, grid, _ = to_check(law)
    law.step(far, "check", grid, position=law.here(far, 300))
    assert law.issue(far).half1 is None and not law.issue(far).position_confirmed
    nothing = law.reported(channel="tip", kind="sewage")
    law.step(nothing, "check", grid, position=law.here(nothing), reason="没看到", found=False)
    assert law.issue(nothing).half1 is None


def test_either_half_may_come_first(law: LawTown) -> None:
    number = law.assigned()
    law.step(number, "supervise", law.role("office2"), on_site=True)
    assert law.issue(number).state == "assigned" and not law.slips(number, "supervision")
    assert law.clocks(number)["on_site"].state == "running", "the office's half does not stop the on-site clock"
    law.half1(number)
    assert law.issue(number).state == "supervised"
    slip = law.slips(number, "supervision")[0]
    assert slip.facts["confirmed_how"] == "现场"


def test_office_may_not_say_gone_or_false_before_anybody_was_there(law: LawTown) -> None:
    number = law.assigned()
    with pytest.raises(BadInput, match="还没到场"):
        law.step(number, "supervise", law.role("office"), finding="gone")
    law.half1(number, "true")
    with pytest.raises(BadInput, match="属实"):
        law.step(number, "supervise", law.role("office"), finding="gone")


def test_gone_keeps_the_sightings_picture_as_before_and_todays_as_after(law: LawTown) -> None:
    shot = law.shot(1)
    number = law.assigned(channel="drone", shots=(shot,), actor=law.role("office"))
    law.half1(number, "gone")
    assert law.issue(number).state == "assigned"
    law.step(number, "supervise", law.role("office2"), finding="gone")
    assert law.issue(number).state == "rectified"
    known = law.clocks(number)
    assert known["rectify"].state == "met" and known["accept"].state == "running"
    with pytest.raises(Refused):
        law.step(number, "verify", law.several("网格员", "office"), checklist=law.checklist(number))
    law.step(number, "verify", law.role("office"), checklist=law.checklist(number))
    slip = law.slips(number, "supervision")[0]
    assert "已自行清除" in slip.facts["marks"]


def test_gone_after_the_office_confirmed_makes_the_office_look_again(law: LawTown) -> None:
    number = law.assigned()
    law.step(number, "supervise", law.role("office2"))
    law.half1(number, "gone")
    assert law.issue(number).state == "assigned" and not law.issue(number).half2
    law.step(number, "supervise", law.role("office2"))
    assert law.issue(number).state == "rectified"


def test_false_needs_two_photos_a_reason_and_a_second_person(law: LawTown) -> None:
    number, grid = law.assigned(), law.role("grid")
    law.photo(number, "before", grid)
    with pytest.raises(BadInput) as caught:
        law.step(number, "supervise", grid, finding="false", position=law.here(number))
    assert [fault.code for fault in caught.value.faults] == ["two_photos", "reason"]
    law.half1(number, "false", reason="是反光")
    asked = law.step(number, "supervise", law.role("office"), finding="false", reason="是反光")
    assert asked.request is not None and law.issue(number).state == "assigned"
    law.decide(asked.request)
    assert law.issue(number).state == "dismissed"


def test_moved_takes_the_new_place_with_a_trail_line(law: LawTown) -> None:
    number = law.assigned()
    old = law.issue(number).lat
    law.half1(number, "moved", position=law.here(number, 40))
    assert law.issue(number).lat > old
    line = next(line for line in law.trail(number) if line.event == "on_site")
    assert line.facts["position_old"] != line.facts["position_new"]


def test_a_returned_slip_is_revised_and_rectify_goes_on(law: LawTown) -> None:
    number = law.assigned()
    due = law.clocks(number)["rectify"].due_at
    asked = law.step(number, "return", law.role("unit"), reason="不归我们")
    law.forward(minutes=20)
    with pytest.raises(BadInput, match="新的责任单位"):
        law.decide(asked.request)
    with pytest.raises(BadInput, match="没有这个单位"):
        law.decide(asked.request, lead_unit="nobody")
    with pytest.raises(BadInput, match="换一个"):
        law.decide(asked.request, lead_unit="water")
    law.decide(asked.request, lead_unit="sanitation")
    first, second = law.slips(number, "assignment")
    assert (first.serial, first.superseded_by, second.revision) == (second.serial, second.id, 2)
    assert law.clocks(number)["rectify"].due_at == due and law.clocks(number)["receive"].instance == 2
    third = law.step(number, "return", law.role("unit:sanitation"), reason="也不归我们")
    law.decide(third.request, lead_unit="water")
    with pytest.raises(BadInput, match="首接负责"):
        law.step(number, "return", law.role("unit"), reason="再退")


def test_only_the_offices_own_mistake_starts_rectify_anew(law: LawTown) -> None:
    number = law.assigned()
    law.forward(hours=2)
    law.step(number, "reassign", law.role("office"), reason="改", lead_unit="sanitation")
    assert len(law.instances(number, "rectify")) == 1
    law.step(number, "reassign", law.role("office"), reason="派错了", lead_unit="water", office_mistake=True)
    old, new = law.instances(number, "rectify")
    assert old.state == "cancelled" and new.follows_id == old.id and new.state == "running"


def test_reassign_tells_the_old_unit_too_and_ends_its_requests(tmp_path: Path) -> None:
    robots = tmp_path / "robots.toml"
    rows = "".join(
        f'[[robot]]\ngroup = "unit:{unit}"\nbrand = "wecom"\nurl = "http://127.0.0.1:9/x?key={unit}"\n\n'
        for unit in ("water", "sanitation")
    )
    robots.write_text(rows, encoding="utf-8")
    settings = {"PATROL_ROBOTS_FILE": str(robots), "PATROL_ROBOT_HOSTS": "127.0.0.1:9"}
    with open_station(tmp_path, **settings) as station:
        law = LawTown(station)
        number = law.assigned()
        asked = law.step(number, "extend", law.role("unit"), reason="水位高", by=BY)
        law.step(number, "reassign", law.role("office"), reason="改", lead_unit="sanitation")
        with station.look() as look:
            told = {e.group for e in look.session.query(m.Errand).filter_by(event="reassigned") if e.group}
        assert {"unit:water", "unit:sanitation"} <= told
        assert asked.request is not None and law.request(asked.request.id).state == "lapsed"


def test_receive_by_silence_only_for_accounts_and_robots_never_for_paper(law: LawTown) -> None:
    account, paper = law.assigned("water"), law.assigned("property", chainage_m=600)
    due = law.clocks(account)["receive"].due_at
    law.forward(minutes=31)
    followup.sweep(law.station)
    assert law.clocks(account)["receive"].state == "met" and law.issue(account).flags["deemed_received"]
    line = next(line for line in law.trail(account) if line.event == "received")
    assert line.facts["by"] == "silence" and line.facts["at"] == due.isoformat()
    assert law.clocks(paper)["receive"].state == "running" and "red" in law.events(paper)
    with pytest.raises(BadInput, match="签收单"):
        law.step(paper, "receive", law.role("office"))
    law.photo(paper, "receipt", law.role("office"))
    law.step(paper, "receive", law.role("office"))
    assert law.clocks(paper)["receive"].state == "met_late"


def test_office_cannot_receive_for_a_unit_that_can_itself(law: LawTown) -> None:
    number = law.assigned()
    with pytest.raises(BadInput, match="责任单位自己办"):
        law.step(number, "receive", law.role("office"))


def test_push_is_confirmed_by_a_chief_or_by_another_with_a_screenshot(law: LawTown) -> None:
    number = law.assigned()
    with pytest.raises(Refused, match="换一个人"):
        law.step(number, "confirm_push", law.role("office"))
    with pytest.raises(BadInput, match="截图"):
        law.step(number, "confirm_push", law.role("office2"))
    both = law.several("环保办甲", "chief", "office")
    with pytest.raises(Refused, match="换一个人"):
        law.step(number, "confirm_push", both)
    law.step(number, "confirm_push", law.role("chief"))
    assert law.clocks(number)["push"].state == "met"
    assert next(line for line in law.trail(number) if line.event == "push_confirmed").facts["how"] == "chief"


def test_handled_on_the_spot_counts_apart_and_starts_acceptance(law: LawTown) -> None:
    number, grid, body = to_handle_here(law)
    law.step(number, "handle_here", grid, **body)
    known = law.clocks(number)
    assert known["push"].state == "not_needed" and known["accept"].state == "running"
    assert "自处理 简式" in law.slips(number, "supervision")[0].facts["marks"]
    law.photo(number, "send_back", law.role("office"))
    law.step(number, "send_back", law.role("office"), reason="没清干净")
    assert law.clocks(number)["rectify"].state == "running", "work to do has a limit"


def test_on_the_spot_only_where_kind_area_fence_and_time_allow(law: LawTown) -> None:
    number, grid = law.reported(), law.role("grid")
    law.photo(number, "before", grid)
    law.forward(seconds=90)
    law.photo(number, "after", grid)
    with pytest.raises(BadInput) as caught:
        law.step(number, "handle_here", grid, position=law.here(number, 300), area_m2=21)
    assert [fault.code for fault in caught.value.faults] == ["kind_here", "fix_in_fence", "before_after_2min"]
