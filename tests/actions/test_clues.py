"""Clues: sightings that wait. Who reviews them, what expires, what is remembered as false, and against whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from patrol import models as m
from patrol.actions import clues, followup
from patrol.errors import BadInput, Missing, WrongStep
from patrol.rules.lifecycle import DISCARD_REASONS
from patrol.rules.problems import PROBLEMS
from patrol.station import Actor
from tests.property.lawtown import LawTown


def waiting(law: LawTown, **fields: object) -> m.Sighting:
    outcome = law.report(**fields)  # type: ignore[arg-type]  # a draft's own fields
    assert outcome.waiting and outcome.issue is None
    return outcome.sighting


def sighting(law: LawTown, ref: str) -> m.Sighting:
    with law.station.look() as look:
        return look.session.query(m.Sighting).filter_by(ref=ref).one()


def review(law: LawTown, deed: str, ref: str, *given: str, who: str | Actor = "office") -> clues.Settled:
    actor = law.role(who) if isinstance(who, str) else who
    with law.station.work(actor) as work:
        settled: clues.Settled = getattr(clues, deed)(work, ref, *given)
        return settled


def review_clock(law: LawTown, ref: str) -> m.Clock:
    with law.station.look() as look:
        kept = sighting(law, ref)
        return look.session.query(m.Clock).filter_by(sighting_id=kept.id).one()


def test_detection_below_its_score_waits_without_number_unit_or_slip(law: LawTown) -> None:
    for kind, row in PROBLEMS.items():
        if row.confirm_score > 1:
            continue
        clue = waiting(law, channel="drone", kind=kind, score=row.confirm_score - 0.01)
        assert (clue.state, clue.why, clue.issue_id) == ("waiting", "unsure", None)
        assert law.report(channel="drone", kind=kind, score=row.confirm_score).issue is not None
    with law.station.look() as look:
        assert look.session.query(m.Issue).count() == len(PROBLEMS) - 1


def test_review_clock_runs_thirty_duty_minutes_and_stops_with_the_review(law: LawTown) -> None:
    law.clock.at = law.clock.at.replace(hour=14)  # 22:00 in Shanghai: after duty
    clue = waiting(law, channel="drone", score=0.4)
    clock = review_clock(law, clue.ref)
    assert clock.due_at == law.clock.at.replace(day=23, hour=23, minute=30)  # 07:30 next morning
    review(law, "confirm", clue.ref)
    assert review_clock(law, clue.ref).state == "met"


def test_confirmed_clue_opens_an_issue_and_its_push(law: LawTown) -> None:
    clue = waiting(law, channel="drone", score=0.4)
    settled = review(law, "confirm", clue.ref, who="grid")
    assert settled.issue is not None and settled.issue.state == "reported" and not settled.joined
    assert law.clocks(settled.issue.number)["push"].state == "running"
    assert sighting(law, clue.ref).reviewer_id == law.role("grid").person_id
    with pytest.raises(WrongStep, match="处理过"):
        review(law, "confirm", clue.ref)


def test_confirmed_clue_joins_what_was_reported_meanwhile(law: LawTown) -> None:
    clue = waiting(law, channel="drone", score=0.4)
    number = law.reported()
    settled = review(law, "confirm", clue.ref)
    assert settled.joined and settled.issue is not None and settled.issue.number == number


def test_clue_is_confirmed_as_another_kind_or_joined_by_hand(law: LawTown) -> None:
    number = law.reported(kind="sewage")
    clue = waiting(law, channel="drone", score=0.4)
    assert review(law, "confirm", clue.ref, "sewage").joined
    assert sighting(law, clue.ref).kind == "floating_debris", "what a source said is never edited"
    other = waiting(law, channel="drone", score=0.4)
    with pytest.raises(BadInput, match="没有这一件"):
        review(law, "join", other.ref, "TH-2026-9999")
    assert review(law, "join", other.ref, number).joined
    with pytest.raises(BadInput, match="种类"):
        review(law, "confirm", waiting(law, channel="drone", score=0.4).ref, "unheard_of")


def test_fishing_is_always_a_clue_and_expires_after_two_hours(law: LawTown) -> None:
    clue = waiting(law, channel="drone", kind="illegal_fishing", score=1.0)
    assert clue.why == "fishing" and clue.expires_at == law.clock.at + timedelta(hours=2)
    with law.station.look() as look:
        told = {(e.group, e.urgent) for e in look.session.query(m.Errand).filter_by(event="fishing_clue")}
    assert told == {("fishing", True)}
    law.forward(hours=1, minutes=59)
    followup.sweep(law.station)
    assert sighting(law, clue.ref).state == "waiting"
    law.forward(minutes=1)
    followup.sweep(law.station)
    late = sighting(law, clue.ref)
    assert (late.state, late.why) == ("expired", "expired:fishing")
    assert review_clock(law, clue.ref).state == "missed", "unreviewed in time is late, not forgotten"
    with pytest.raises(WrongStep):
        review(law, "confirm", clue.ref)


def test_confirmed_fishing_has_half_an_hour_on_site(law: LawTown) -> None:
    clue = waiting(law, channel="drone", kind="illegal_fishing", score=1.0)
    operator = law.role("operator")
    settled = review(law, "confirm", clue.ref, who=operator)
    assert settled.issue is not None
    law.step(settled.issue.number, "assign", law.role("office"), lead_unit="agriculture")
    assert law.clocks(settled.issue.number)["on_site"].due_at == law.clock.at + timedelta(minutes=30)


def test_machine_clues_expire_after_three_days_and_a_persons_report_never(law: LawTown) -> None:
    machine = waiting(law, channel="drone", score=0.4)
    person = waiting(law, channel="tip", hold="too_many")
    law.forward(hours=72)
    followup.sweep(law.station)
    assert sighting(law, machine.ref).state == "expired"
    law.forward(days=400)
    followup.sweep(law.station)
    assert sighting(law, person.ref).state == "waiting" and sighting(law, person.ref).expires_at is None
    settled = review(law, "confirm", person.ref)
    assert settled.issue is not None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"hold": "too_many"}, "too_many"),
        ({"position": {"lon": 112.3, "lat": 30.35, "crs": "wgs84", "accuracy_m": 5.0}}, "out_of_area"),
        ({"accuracy_m": 1500.0}, "vague_position"),
    ],
)
def test_a_persons_report_is_held_never_refused(law: LawTown, fields: dict[str, object], why: str) -> None:
    if "accuracy_m" in fields:
        fields = {"position": law.at(accuracy_m=1500.0)}
    assert waiting(law, channel="tip", **fields).why == why


@pytest.mark.parametrize("reason", DISCARD_REASONS)
def test_false_spot_is_remembered_for_false_alarms_of_machines_only(law: LawTown, reason: str) -> None:
    clue = waiting(law, channel="drone", score=0.4)
    review(law, "discard", clue.ref, reason)
    assert (sighting(law, clue.ref).state, sighting(law, clue.ref).why) == ("discarded", reason)
    again = law.report(channel="drone", score=0.99)
    if reason in ("false_detection", "glint_or_shadow", "not_a_problem"):
        assert again.issue is None and not again.waiting and again.sighting.why == "false_spot"
    else:
        assert again.issue is not None


def test_false_spot_holds_ninety_days_at_that_place_and_kind_and_swallows_no_person(law: LawTown) -> None:
    clue = waiting(law, channel="drone", score=0.4)
    review(law, "discard", clue.ref, "glint_or_shadow")
    assert law.report(channel="drone", score=0.99, chainage_m=1400).issue is not None
    assert law.report(channel="drone", score=0.99, kind="sewage").issue is not None
    assert law.report(channel="tip").issue is not None, "a person's report is never swallowed"
    law.forward(days=90)
    assert law.report(channel="drone", score=0.99).issue is not None


def test_a_persons_discarded_report_is_remembered_against_nobody(law: LawTown) -> None:
    clue = waiting(law, channel="tip", hold="too_many")
    review(law, "discard", clue.ref, "false_detection")
    assert law.report(channel="drone", score=0.99).issue is not None


def test_dismissing_what_only_machines_saw_is_remembered_but_not_what_people_saw(law: LawTown) -> None:
    number = law.reported(channel="drone")
    asked = law.step(number, "dismiss", law.role("office"), reason="反光", reason_code="not_a_problem")
    law.decide(asked.request)
    assert law.report(channel="drone", score=0.99).sighting.why == "false_spot"
    people = law.reported(channel="grid", chainage_m=1800)
    asked = law.step(people, "dismiss", law.role("office"), reason="没有", reason_code="not_a_problem")
    law.decide(asked.request)
    assert law.report(channel="drone", score=0.99, chainage_m=1800).issue is not None


def test_discarding_needs_a_reason_code(law: LawTown) -> None:
    clue = waiting(law, channel="drone", score=0.4)
    with pytest.raises(BadInput, match="理由类别"):
        review(law, "discard", clue.ref, "because")
    assert sighting(law, clue.ref).state == "waiting"


@pytest.mark.parametrize(
    ("who", "channel", "kind", "sees"),
    [
        ("office", "tip", "floating_debris", True),
        ("office", "drone", "illegal_fishing", True),
        ("grid", "drone", "floating_debris", True),
        ("grid", "tip", "floating_debris", False),
        ("operator", "drone", "illegal_fishing", True),
        ("operator", "drone", "floating_debris", False),
        ("unit", "drone", "floating_debris", False),
    ],
)
def test_who_may_review_which_clue(law: LawTown, who: str, channel: str, kind: str, sees: bool) -> None:
    clue = waiting(law, channel=channel, kind=kind, score=0.4 if channel == "drone" else None, hold="too_many")
    if sees:
        assert review(law, "confirm", clue.ref, who=who).issue is not None
    else:
        with pytest.raises(Missing):
            review(law, "confirm", clue.ref, who=who)


def test_grid_worker_reviews_his_own_grids_only(law: LawTown) -> None:
    clue = waiting(law, channel="drone", score=0.4)
    assert clue.grid is not None
    elsewhere = Actor(law.role("grid").person_id, "网格员", frozenset({"grid"}), None, frozenset({"none"}), via="test")
    with pytest.raises(Missing):
        review(law, "confirm", clue.ref, who=elsewhere)


def test_a_machine_names_its_place_in_the_reach_or_is_refused(law: LawTown) -> None:
    far = {"lon": 112.3, "lat": 30.35, "crs": "wgs84", "accuracy_m": 5.0}
    with pytest.raises(BadInput, match="500 米"):
        law.report(channel="drone", position=far)
    with pytest.raises(BadInput, match="缺位置"):
        law.report(channel="drone", position=None)
