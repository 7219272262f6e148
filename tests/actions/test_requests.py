"""Asking and deciding: two persons, one open request a step, nothing by silence, and what ends a request unanswered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from patrol import models as m
from patrol.actions import clocks, followup, handle, people
from patrol.errors import BadInput, Missing, NeedsVersion, Refused, Stale, WrongStep
from patrol.rules.lifecycle import APPROVALS
from patrol.station import RULE, Actor
from tests.property.lawtown import LawTown
from tests.property.scenes import ADDS, ASKED, SCENES

BY = {"amount": 4, "unit": "working_hours"}


def asked(law: LawTown, name: str) -> tuple[str, m.Request, Actor]:
    number, actor, body = SCENES[name](law)
    result = law.step(number, {"supervise_false": "supervise"}.get(name, name), actor, **body)
    assert result.request is not None
    return number, result.request, actor


def reporter(law: LawTown, number: str, verb: str, **body: object) -> handle.Result:
    """A reporter comes with his receipt code: no person, only his sighting."""
    issue = law.issue(number)
    with law.station.work(Actor(None, "举报人", frozenset({"reporter"}), via="public")) as work:
        sighting = work.session.query(m.Sighting).filter_by(issue_id=issue.id).first()
        return handle.act(work, number, verb, body, issue.version, sighting=sighting)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_asking_changes_no_state_and_no_clock_and_is_told(law: LawTown, name: str) -> None:
    number, actor, body = SCENES[name](law)
    before, dues = law.issue(number), {n: (c.due_at, c.marks) for n, c in law.clocks(number).items()}
    result = law.step(number, {"supervise_false": "supervise"}.get(name, name), actor, **body)
    after = law.issue(number)
    assert (after.state, after.version, after.round) == (before.state, before.version, before.round)
    assert {n: (c.due_at, c.marks) for n, c in law.clocks(number).items()} == dues
    assert result.request is not None and result.request.decide_by is not None
    assert law.events(number)[-1] == "asked"


@pytest.mark.parametrize("name", sorted(ASKED))
def test_refused_or_withdrawn_leaves_everything_and_may_be_asked_again(law: LawTown, name: str) -> None:
    number, request, actor = asked(law, name)
    before = law.issue(number)
    with pytest.raises(WrongStep, match="等批"):
        number2, again, body = number, actor, dict(request.body)
        law.step(number2, {"supervise_false": "supervise"}.get(name, name), again, **body)
    with pytest.raises(BadInput, match="理由"):
        law.turn_down(request, words="")
    law.turn_down(request)
    with pytest.raises(Stale):
        law.decide(request, **ADDS.get(name, {}))
    body = dict(request.body)
    second = law.step(number, {"supervise_false": "supervise"}.get(name, name), actor, **body)
    stranger = law.role("operator")
    with pytest.raises(Refused, match="自己撤回"):
        law.take_back(second.request, stranger)
    law.take_back(second.request, actor)
    after = law.issue(number)
    assert (after.state, after.version, after.half1, after.returns) == (
        before.state,
        before.version,
        before.half1,
        before.returns,
    )
    assert {law.request(request.id).state, law.request(second.request.id).state} == {"refused", "withdrawn"}


@pytest.mark.parametrize("name", sorted(ASKED))
def test_only_the_right_people_decide(law: LawTown, name: str) -> None:
    number, request, actor = asked(law, name)
    may = set(APPROVALS[request.approval].rungs[0])
    for who in ("office2", "office_head", "chief", "inspector", "grid", "unit", "operator"):
        if who.rstrip("2") in may:
            continue
        with pytest.raises((Refused, Missing)):  # a unit has no scope before the assignment
            law.turn_down(request, who)
    with pytest.raises(Refused, match="另一个人"):
        law.turn_down(request, law.several(actor.name, *may))
    with law.station.work(law.role("chief")) as work, pytest.raises(NeedsVersion):
        handle.approve(work, request.id, {}, None)
    assert law.issue(number).state and law.request(request.id).state == "open"


@pytest.mark.parametrize(("name", "limit_s", "frame"), [
    ("return", 7200, "duty"), ("extend", 7200, "duty"), ("dismiss", 6 * 3600, "working"),
    ("suspend", 6 * 3600, "working"), ("transfer", 18 * 3600, "working"), ("appeal", 6 * 3600, "working")])  # fmt: skip
def test_each_asking_has_its_own_limit(law: LawTown, name: str, limit_s: int, frame: str) -> None:
    _, request, _ = asked(law, name)
    with law.station.look() as look:
        assert request.decide_by == look.calendar.add(look.calendar.opening(look.now, frame), limit_s, frame)


def test_at_its_limit_the_request_climbs_and_nothing_is_granted_by_silence(law: LawTown) -> None:
    number, request, _ = asked(law, "extend")
    with pytest.raises(Refused, match="负责人"):
        law.decide(request, "chief")
    assert request.decide_by is not None
    law.clock.at = request.decide_by
    followup.sweep(law.station)
    line = next(line for line in law.trail(number) if line.event == "climbed")
    assert line.facts["due_at"] == request.decide_by.isoformat() and law.request(request.id).rung == 1
    law.forward(days=300)
    followup.sweep(law.station)
    assert law.request(request.id).state == "open" and law.issue(number).extensions == 0
    law.decide(request, "chief")
    assert law.request(request.id).state == "approved"


def test_an_extension_granted_long_after_is_counted_from_the_old_due_and_stays_late_beyond_it(law: LawTown) -> None:
    number, request, _ = asked(law, "extend")
    due = law.clocks(number)["rectify"].due_at
    law.forward(days=30)
    law.decide(request)
    with law.station.look() as look:
        said = clocks.reading(look, law.clocks(number)["rectify"])
        assert said.due_at == look.calendar.add(due, 4 * 3600, "working") and said.was_late


def test_a_request_ends_unanswered_when_no_decision_can_carry_it_out(law: LawTown) -> None:
    number, request, _ = asked(law, "dismiss")
    law.step(number, "assign", law.role("office2"), lead_unit="water")
    assert law.request(request.id).state == "open", "an assigned issue may still be dismissed"
    law.half1(number)
    law.step(number, "supervise", law.role("office2"))
    assert law.request(request.id).state == "lapsed" and "lapsed" in law.events(number)
    with law.station.look() as look:
        clock = look.session.query(m.Clock).filter_by(request_id=request.id).one()
    assert clock.state == "cancelled"
    with pytest.raises(Stale):
        law.decide(request)


def test_an_extension_asked_in_time_survives_the_submission_but_not_the_closing(law: LawTown) -> None:
    number = law.supervised()
    result = law.step(number, "extend", law.role("unit"), reason="水位高", by=BY)
    law.submit(number)
    assert result.request is not None and law.request(result.request.id).state == "open"
    law.step(number, "verify", law.role("office"), checklist=law.checklist(number))
    assert law.request(result.request.id).state == "lapsed"


def test_a_multi_role_person_asks_as_whole_words(law: LawTown) -> None:
    number = law.reported()
    many = law.several("多面手", "office", "office_head", "inspector", "chief", "grid")
    result = law.step(number, "dismiss", many, reason="没有", reason_code="not_found")
    assert result.request is not None
    assert (
        set(result.request.asker_role.split(",")) <= {"office", "office_head"} and len(result.request.asker_role) <= 16
    )
    law.decide(result.request, "inspector")
    assert law.issue(number).state == "dismissed"


def test_reporter_asks_for_reopening_and_is_turned_away_by_two_persons(law: LawTown) -> None:
    number = law.closed(channel="tip")
    asking = reporter(law, number, "reopen", reason="又有了")
    assert asking.request is not None and asking.request.approval == "office_day"
    with law.station.look() as look:
        assert asking.request.decide_by == look.calendar.add(look.now, look.calendar.working_day_s, "working")
    law.turn_down(asking.request, "office", "已清理")
    assert law.request(asking.request.id).state == "open", "one person does not turn a reporter away"
    with pytest.raises(Refused, match="另一个人"):
        law.turn_down(asking.request, "office", "已清理")
    law.turn_down(asking.request, "office2", "核过")
    assert law.request(asking.request.id).state == "refused" and law.issue(number).state == "closed"
    again = reporter(law, number, "reopen", reason="还有")
    law.decide(again.request, "office")
    assert law.issue(number).state == "assigned"


def test_reporter_comes_too_late_after_fifteen_days(law: LawTown) -> None:
    number = law.closed(channel="tip")
    law.forward(days=15, seconds=1)
    with pytest.raises(BadInput, match="15 天"):
        reporter(law, number, "reopen", reason="又有了")


def test_reporters_appeal_against_dismissal_reopens_when_upheld(law: LawTown) -> None:
    number = law.dismissed(channel="tip")
    with pytest.raises(BadInput, match="没有「移送」"):
        reporter(law, number, "appeal", against="transferred", words="有的")
    asking = reporter(law, number, "appeal", against="dismissed", words="有的")
    assert law.issue(number).flags["appealed"]
    law.decide(asking.request)
    assert law.issue(number).state == "reported" and "appealed" not in law.issue(number).flags
    assert law.clocks(number)["push"].state == "running"
    other = law.dismissed(channel="tip", chainage_m=1800)
    law.forward(days=7, seconds=1)
    with pytest.raises(BadInput, match="申诉期"):
        reporter(law, other, "appeal", against="dismissed", words="有的")


def test_upheld_appeal_against_lateness_rewrites_nothing(law: LawTown) -> None:
    number, request, _ = asked(law, "appeal")
    due = law.clocks(number)["rectify"].due_at
    law.decide(request)
    clock = law.clocks(number)["rectify"]
    assert clock.exempt and clock.due_at == due and law.issue(number).flags["exempt"]
    with law.station.look() as look:
        assert clocks.reading(look, clock).was_late, "late stays late"


def test_appeal_time_runs_from_what_is_appealed_whatever_happens_since(law: LawTown) -> None:
    number = law.supervised()
    law.forward(days=4)
    due = law.clocks(number)["rectify"].due_at
    with law.station.look() as look:
        until = look.calendar.add(due, 3 * look.calendar.working_day_s, "working")
    law.clock.at = until + timedelta(seconds=1)
    unit = law.role("unit")
    law.photo(number, "during", unit)
    law.step(number, "progress", unit, words="在捞")
    with pytest.raises(BadInput, match="申诉期"):
        law.step(number, "appeal", unit, against="late", words="停电")
    law.clock.at = until
    law.step(number, "appeal", unit, against="late", words="停电")


def test_chief_decides_appeals_only_where_no_inspector_is_and_he_did_not_act(law: LawTown) -> None:
    number, request, _ = asked(law, "appeal")
    law.step(number, "press", law.role("chief"), words="抓紧")
    with pytest.raises(Refused, match="没办过"):
        law.decide(request, "chief")
    other = law.person("chief", name="另一位河长")
    with law.station.work(RULE) as work:
        people.add_token(work, "督察员", "inspector")
    with pytest.raises(Refused, match="督察员定"):
        law.decide(request, other)
    law.decide(request, "inspector")


def test_refused_return_may_be_appealed_and_a_refused_extension_is_none(law: LawTown) -> None:
    number, request, unit = asked(law, "return")
    extension = law.step(number, "extend", unit, reason="x", by=BY)
    law.turn_down(extension.request)
    with pytest.raises(BadInput, match="退回未准"):
        law.step(number, "appeal", unit, against="refused_return", words="不归我们")
    law.turn_down(request)
    assert law.step(number, "appeal", unit, against="refused_return", words="不归我们").request is not None
