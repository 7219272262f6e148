"""The closed loop from report to close, its clocks, slips and refusals."""

from __future__ import annotations

import pytest

from patrol.actions import clocks, slips
from patrol.errors import BadInput, Refused, WrongStep
from patrol.station import Station
from tests.walk import Town


@pytest.fixture
def town(station: Station) -> Town:
    return Town(station)


def clock_states(town: Town, number: str) -> dict[str, str]:
    with town.station.look() as look:
        return {clock.name: clock.state for clock in clocks.of(look, town.issue(number))}


def test_loop_from_report_to_close_makes_three_slips(town: Town) -> None:
    number = town.to_closed()
    issue = town.issue(number)
    assert issue.state == "closed"
    with town.station.look() as look:
        kinds = [slip.kind for slip in slips.of(look, issue)]
        assert kinds == ["assignment", "supervision", "closure"]
        closure = slips.of(look, issue, "closure")[0]
    assert slips.pdf(town.station, closure).startswith(b"%PDF")
    states = clock_states(town, number)
    assert states["on_site"] == states["rectify"] == states["accept"] == "met"


def test_submitter_and_photographer_cannot_verify(town: Town) -> None:
    number = town.to_rectified()
    both = town.person("office", name="水利员")
    with pytest.raises(Refused, match="报验的是您"):
        town.step(number, "verify", both, checklist=town.checklist(number))


def test_verifier_cannot_close(town: Town) -> None:
    number = town.to_rectified()
    head = town.person("office_head")
    town.step(number, "verify", head, checklist=town.checklist(number))
    with pytest.raises(Refused, match="验收的是您"):
        town.step(number, "close", head)


def test_close_from_rectified_is_a_wrong_step(town: Town) -> None:
    number = town.to_rectified()
    with pytest.raises(WrongStep, match="待验收"):
        town.step(number, "close", town.person("office_head"))


def test_every_missing_thing_is_named_at_once(town: Town) -> None:
    number = town.report().issue.number
    with pytest.raises(BadInput) as caught:
        town.step(number, "assign", town.person("office"), lead_unit="nobody", kind="floating_debris")
    assert [fault.code for fault in caught.value.faults] == ["lead_unit"]
    number = town.to_assigned(chainage_m=400)
    with pytest.raises(BadInput) as caught:
        town.step(number, "supervise", town.person("grid"))
    assert {fault.code for fault in caught.value.faults} >= {"fix_in_fence_if_grid", "before_photo_if_grid"}


def test_reused_photo_is_refused_and_similar_one_needs_own_photo(town: Town) -> None:
    first = town.to_supervised()
    second = town.to_assigned(chainage_m=400)
    grid = town.person("grid")
    town.photo(first, "during", grid, seed=77)
    with pytest.raises(BadInput, match="用过"):
        town.photo(second, "before", grid, seed=77, chainage_m=400)


def test_sent_back_round_and_second_acceptance(town: Town) -> None:
    number = town.to_rectified()
    office, unit = town.person("office"), town.person("unit", unit="water")
    town.photo(number, "send_back", office)
    town.step(number, "send_back", office, reason="还有漂浮物")
    assert town.issue(number).round == 2
    with pytest.raises(BadInput, match="整改后"):
        town.step(number, "submit", unit)
    town.station.clock.forward(minutes=3)
    town.photo(number, "after", unit)
    town.step(number, "submit", unit)
    town.step(number, "verify", office, checklist=town.checklist(number))
    assert town.issue(number).state == "verified"


def test_extension_is_asked_and_decided_by_another_person(town: Town) -> None:
    number = town.to_supervised()
    unit = town.person("unit", unit="water")
    asked = town.step(number, "extend", unit, reason="水位高", by={"amount": 4, "unit": "working_hours"})
    assert asked.request is not None
    with town.station.look() as look:
        before = clocks.last(look, town.issue(number), "rectify").due_at
    town.approve(asked.request, town.person("office_head"))
    with town.station.look() as look:
        assert clocks.last(look, town.issue(number), "rectify").due_at > before


def test_dismiss_needs_a_second_person(town: Town) -> None:
    number = town.report().issue.number
    office = town.person("office")
    asked = town.step(number, "dismiss", office, reason="看过没有", reason_code="not_found")
    assert town.issue(number).state == "reported"
    with pytest.raises(Refused):
        town.approve(asked.request, town.person("office_head", name="环保办甲"))
    town.approve(asked.request, town.person("office_head"))
    assert town.issue(number).state == "dismissed"


def test_closing_in_time_meets_its_own_clock_and_the_slip_says_so(town: Town) -> None:
    number = town.to_verified()
    town.station.clock.forward(minutes=40)  # type: ignore[attr-defined]  # the settable clock
    town.step(number, "close", town.person("office_head"))
    assert clock_states(town, number)["close"] == "met"
    with town.station.look() as look:
        facts = slips.of(look, town.issue(number), "closure")[0].facts
    said = {row["clock"]: row["verdict"] for row in facts["timeliness"]}
    assert said["销号"] == "按时"
