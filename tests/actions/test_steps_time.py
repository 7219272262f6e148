"""What single rows say beyond the table: extending, suspending, sending back, reopening, claimed times."""

from __future__ import annotations

from datetime import timedelta

import pytest

from patrol.actions import clocks, followup
from patrol.errors import BadInput, Refused, WrongStep
from tests.property.lawtown import LawTown
from tests.property.scenes import BY, STATE_MAKERS, send_back, suspend


def test_extension_asked_in_time_and_granted_late_counts_from_the_old_due(law: LawTown) -> None:
    number = law.supervised()
    due = law.clocks(number)["rectify"].due_at
    law.clock.at = due - timedelta(minutes=1)
    asked = law.step(number, "extend", law.role("unit"), reason="水位高", by=BY)
    law.forward(hours=3)
    law.decide(asked.request)
    clock = law.clocks(number)["rectify"]
    with law.station.look() as look:
        said = clocks.reading(look, clock)
        assert clock.due_at == look.calendar.add(due, 4 * 3600, "working")
    assert not said.was_late
    assert clock.first_due_at == due, "the original stays visible"


def test_refused_extension_leaves_the_issue_late_from_the_old_due(law: LawTown) -> None:
    number = law.supervised()
    due = law.clocks(number)["rectify"].due_at
    law.clock.at = due - timedelta(minutes=1)
    asked = law.step(number, "extend", law.role("unit"), reason="水位高", by=BY)
    law.forward(hours=3)
    law.turn_down(asked.request)
    with law.station.look() as look:
        said = clocks.reading(look, law.clocks(number)["rectify"])
    assert said.was_late and said.due_at == due


def test_extension_is_refused_at_the_due_a_third_time_and_beyond_twice_the_limit(law: LawTown) -> None:
    number, unit = law.supervised(), law.role("unit")
    with pytest.raises(BadInput, match="一倍"):
        law.step(number, "extend", unit, reason="x", by={"amount": 9, "unit": "working_hours"})
    with pytest.raises(BadInput, match="单位"):
        law.step(number, "extend", unit, reason="x", by={"amount": 9, "unit": "hours"})
    for who in ("office_head", "chief"):
        asked = law.step(number, "extend", unit, reason="x", by=BY)
        with pytest.raises(Refused):
            law.decide(asked.request, "inspector")
        law.decide(asked.request, who)
    with pytest.raises(BadInput, match="2 次"):
        law.step(number, "extend", unit, reason="x", by={"amount": 1, "unit": "working_hours"})
    late = law.supervised(chainage_m=600)
    law.clock.at = law.clocks(late)["rectify"].due_at
    with pytest.raises(BadInput, match="已过"):
        law.step(late, "extend", unit, reason="x", by=BY)


def test_suspension_keeps_what_is_left_and_ends_by_itself_at_its_review_date(law: LawTown) -> None:
    number = law.supervised()
    law.forward(hours=1)
    left = law.left_s(number)
    suspend(law, number, "2026-11-27")
    law.forward(days=2)
    assert law.left_s(number) == left and law.clocks(number)["rectify"].state == "paused"
    law.clock.at = law.clock.at.replace(day=26, hour=16, minute=0)  # 11-27 00:00 in Shanghai
    followup.sweep(law.station)
    assert "suspended" not in law.issue(number).flags and law.clocks(number)["rectify"].state == "running"
    assert law.left_s(number) == left and law.events(number).count("resumed") == 1


def test_suspension_is_renewed_while_it_lasts_and_resumed_by_hand(law: LawTown) -> None:
    number = law.supervised()
    left = law.left_s(number)
    suspend(law, number, "2026-11-27")
    law.forward(days=1)
    suspend(law, number, "2026-12-10")
    law.forward(days=7)
    followup.sweep(law.station)
    assert law.clocks(number)["rectify"].state == "paused" and law.left_s(number) == left
    with pytest.raises(BadInput, match="挂账"):
        law.submit(number)
    law.step(number, "resume", law.role("unit"))
    assert law.clocks(number)["rectify"].state == "running" and law.issue(number).suspended_until is None


def test_suspension_ends_with_the_issue_and_never_speaks_up_later(law: LawTown) -> None:
    number = law.supervised()
    suspend(law, number, "2026-11-27")
    law.step(number, "force_close", law.role("chief"), reason="合并整治")
    lines = len(law.events(number))
    law.forward(days=10)
    followup.sweep(law.station)
    assert len(law.events(number)) == lines


def test_review_date_counts_in_shanghai_and_must_still_lie_ahead_when_granted(law: LawTown) -> None:
    number, unit = law.supervised(), law.role("unit")
    law.clock.at = law.clock.at.replace(hour=17)  # 01:00 on the 24th in Shanghai
    law.photo(number, "suspend", unit)
    with pytest.raises(BadInput, match="今天以后"):
        law.step(number, "suspend", unit, condition="works", review_on="2026-11-24")
    asked = law.step(number, "suspend", unit, condition="works", review_on="2026-11-25")
    law.forward(days=2)
    with pytest.raises(BadInput, match="已过"):
        law.decide(asked.request)


def test_assisting_unit_reports_progress_but_asks_for_nothing(law: LawTown) -> None:
    number = law.reported()
    law.step(number, "assign", law.role("office"), lead_unit="water", assisting=["sanitation"])
    helper = law.role("unit:sanitation")
    for verb in ("return", "extend", "suspend"):
        with pytest.raises(Refused, match="主办"):
            law.step(number, verb, helper)


def test_submitting_past_the_missing_check_leaves_the_check_with_the_office(law: LawTown) -> None:
    number, unit = law.assigned(), law.role("unit")
    law.forward(minutes=10)
    law.photo(number, "before", unit)
    law.forward(minutes=10)
    law.photo(number, "after", unit)
    with pytest.raises(BadInput, match="到场"):
        law.step(number, "submit", unit)
    law.forward(hours=2)
    law.photo(number, "after", unit)
    law.step(number, "submit", unit)
    assert law.issue(number).state == "rectified" and not law.slips(number, "supervision")
    assert law.clocks(number)["on_site"].state == "running"
    law.step(number, "verify", law.role("office"), checklist=law.checklist(number))
    law.step(number, "close", law.role("office_head"))
    assert law.clocks(number)["on_site"].state == "missed"


def test_send_back_goes_on_with_what_was_left(law: LawTown) -> None:
    number = law.rectified()
    left = law.left_s(number)
    law.forward(hours=2)
    send_back(law, number)
    assert law.clocks(number)["rectify"].state == "running" and law.left_s(number) == left
    assert law.clocks(number)["accept"].state == "met" and law.slips(number, "supervision")[-1].revision == 2


def test_send_back_with_nothing_left_gives_half_or_a_day_and_counts_late(law: LawTown) -> None:
    number = law.supervised()
    law.forward(days=3)
    law.submit(number)
    send_back(law, number)
    old, new = law.instances(number, "rectify")
    assert old.state == "missed" and new.follows_id == old.id and law.issue(number).flags["overdue"]
    assert clocks.first_limit(new).to_json() == {"amount": 4, "unit": "working_hours"}
    long = law.supervised(kind="aquatic_bloom")
    law.forward(days=9)
    law.submit(long)
    send_back(law, long)
    assert clocks.first_limit(law.clocks(long)["rectify"]).to_json() == {"amount": 24, "unit": "hours"}


def test_third_round_is_pressed_and_a_lost_photo_holds_up_one_round_only(law: LawTown) -> None:
    number = law.supervised()
    law.forward(minutes=3)
    law.photo(number, "after", law.role("unit"))
    law.step(number, "submit", law.role("unit"), manifest=9)
    with pytest.raises(BadInput, match="传齐"):
        law.step(number, "verify", law.role("office"), checklist=law.checklist(number))
    for _ in range(2):
        send_back(law, number)
        law.submit(number)
    assert law.issue(number).round == 3 and "pressed" in law.issue(number).flags
    law.step(number, "verify", law.role("office"), checklist=law.checklist(number))


def test_reopen_runs_on_half_the_limit_with_a_second_slip(law: LawTown) -> None:
    number = law.closed()
    first = clocks.first_limit(law.clocks(number)["rectify"])
    law.photo(number, "reopen", law.role("inspector"))
    law.step(number, "reopen", law.role("inspector"), reason="又有了")
    issue = law.issue(number)
    assert (issue.state, issue.round, issue.verifier_id, issue.closer_id) == ("assigned", 2, None, None)
    new = law.clocks(number)["rectify"]
    assert clocks.first_limit(new) == first.halves() and new.instance == 2
    assert law.clocks(number)["push"].instance == 2 and "第 2 轮" in law.slips(number, "assignment")[-1].facts["marks"]
    with pytest.raises(WrongStep):
        law.step(number, "verify", law.role("office"))


@pytest.mark.parametrize("state", ["dismissed", "transferred"])
def test_reopening_what_was_never_done_goes_back_to_reported(law: LawTown, state: str) -> None:
    number = STATE_MAKERS[state](law)
    law.step(number, "reopen", law.role("office"), reason="来电", by_telephone=True)
    assert law.issue(number).state == "reported" and law.clocks(number)["push"].state == "running"


def test_a_step_made_offline_counts_in_time_within_the_grace_only(law: LawTown) -> None:
    in_time, too_late = law.assigned(), law.assigned(chainage_m=600)
    due = law.clocks(in_time)["on_site"].due_at
    law.clock.at = due + timedelta(minutes=29)
    followup.sweep(law.station)
    law.half1(in_time, at_claimed=(due - timedelta(minutes=5)).isoformat())
    clock = law.clocks(in_time)["on_site"]
    assert clock.state == "met" and clock.grace and "red" in law.events(in_time), (
        "the red that fired stays in the trail"
    )
    law.clock.at = due + timedelta(minutes=31)
    law.half1(too_late, at_claimed=(due - timedelta(minutes=5)).isoformat())
    assert law.clocks(too_late)["on_site"].state == "met_late"


@pytest.mark.parametrize(
    ("minutes_ago", "starts", "late_link"),
    [(10, "capture", False), (25, "receipt", True), (25 * 60, "receipt", False), (-30, "receipt", False)],
)
def test_push_starts_at_capture_where_that_is_plausible(
    law: LawTown, minutes_ago: int, starts: str, late_link: bool
) -> None:
    captured = law.clock.at - timedelta(minutes=minutes_ago)
    number = law.reported(channel="drone", seen_at=captured)
    started = law.clocks(number)["push"].due_at - timedelta(hours=1)
    assert started == (captured if starts == "capture" else law.clock.at)
    assert ("late_link" in law.issue(number).flags) == late_link


def test_a_persons_claimed_time_moves_no_clock(law: LawTown) -> None:
    number = law.reported(channel="grid", seen_at=law.clock.at - timedelta(minutes=15))
    assert law.clocks(number)["push"].due_at == law.clock.at + timedelta(hours=1)
