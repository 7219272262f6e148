"""Seen again: joining across channels, still visible, relapse, recurrence, and what a merge does to a closed parent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from patrol import models as m
from patrol.actions import clues
from patrol.actions.report import Outcome
from patrol.errors import BadInput
from patrol.rules.problems import PROBLEMS
from tests.property.lawtown import LawTown


def number_of(outcome: Outcome) -> str:
    assert outcome.issue is not None
    return outcome.issue.number


def channels(law: LawTown, number: str) -> list[str]:
    issue_id = law.issue(number).id
    with law.station.look() as look:
        rows = look.session.query(m.Sighting.channel).filter_by(issue_id=issue_id).order_by(m.Sighting.id)
        return [channel for (channel,) in rows]


def test_one_thing_seen_through_every_channel_is_one_issue(law: LawTown) -> None:
    number = law.reported(channel="tip")
    for apart, channel in enumerate(("drone", "grid", "hotline", "volunteer", "petition", "api", "satellite")):
        outcome = law.report(channel=channel, chainage_m=1240 + 3 * apart, score=0.99)
        assert outcome.joined and number_of(outcome) == number
    assert len(channels(law, number)) == 8
    assert not law.issue(number).tips_only, "a machine or an official has seen it too"


def test_two_kinds_at_one_place_are_two_issues(law: LawTown) -> None:
    assert law.reported(kind="sewage") != law.reported(kind="floating_debris")


@pytest.mark.parametrize(("apart_m", "joined"), [(25, True), (45, False)])
def test_reach_of_a_point_kind(law: LawTown, apart_m: float, joined: bool) -> None:
    law.reported()
    assert law.report(chainage_m=1240 + apart_m).joined == joined


def test_a_worse_fix_reaches_farther_but_never_past_a_hundred_metres(law: LawTown) -> None:
    law.reported()
    assert law.report(position=law.at(1240 + 70, accuracy_m=80.0)).joined
    assert not law.report(position=law.at(1240 + 130, accuracy_m=500.0)).joined


def test_unknown_accuracy_counts_as_fifteen_metres(law: LawTown) -> None:
    law.reported()
    assert law.report(position=law.at(1240 + 28, accuracy_m=None)).joined
    assert not law.report(position=law.at(1240 + 40, accuracy_m=None)).joined


def test_a_person_or_machine_joining_a_tip_starts_its_push(law: LawTown) -> None:
    number = law.reported(channel="tip")
    assert "push" not in law.clocks(number) and law.clocks(number)["check"].state == "running"
    law.report(channel="hotline")
    assert "push" not in law.clocks(number), "a second tip is no check"
    law.report(channel="drone")
    assert law.clocks(number)["push"].state == "running"


@pytest.mark.parametrize("state", ["rectified", "verified"])
def test_seen_after_the_after_photo_is_still_visible(law: LawTown, state: str) -> None:
    number = getattr(law, state)()
    submitted = law.clock.at
    law.forward(minutes=20)
    old = law.report(channel="drone", seen_at=submitted - timedelta(minutes=1))
    assert old.joined and "still_visible" not in law.issue(number).flags, "seen before the work was done"
    version = law.issue(number).version
    assert law.report(channel="grid").joined
    assert "still_visible" in law.issue(number).flags and law.issue(number).version > version
    verb, who = ("verify", "office") if state == "rectified" else ("close", "office_head")
    body = {"checklist": law.checklist(number)} if verb == "verify" else {}
    actor = law.role(who)
    with pytest.raises(BadInput, match="再去看过"):
        law.step(number, verb, actor, **body)
    with pytest.raises(BadInput, match="您自己"):
        law.step(number, verb, actor, **body, looked_again=True)
    law.photo(number, "accept", actor)
    law.step(number, verb, actor, **body, looked_again=True)
    assert "still_visible" not in law.issue(number).flags


def test_seen_while_work_goes_on_changes_nothing_but_the_count(law: LawTown) -> None:
    number = law.supervised()
    dues = {name: clock.due_at for name, clock in law.clocks(number).items()}
    law.forward(hours=1)
    assert law.report(channel="grid").joined and not law.issue(number).flags.get("still_visible")
    assert {name: clock.due_at for name, clock in law.clocks(number).items()} == dues


def test_back_within_ninety_days_waits_and_confirmed_is_a_new_linked_issue(law: LawTown) -> None:
    number = law.closed()
    law.forward(days=90)
    outcome = law.report(channel="grid")
    assert outcome.waiting and outcome.sighting.why == "relapse"
    with law.station.work(law.role("office")) as work:
        settled = clues.confirm(work, outcome.sighting.ref)
    assert settled.issue is not None
    again = law.issue(settled.issue.number)
    assert (again.origin_id, again.origin_how, again.state) == (law.issue(number).id, "relapse", "reported")
    assert again.flags["relapse"] == number and law.issue(number).state == "closed"


def test_a_relapse_clue_confirmed_as_another_kind_is_no_relapse(law: LawTown) -> None:
    law.closed()
    law.forward(days=5)
    outcome = law.report(channel="grid")
    with law.station.work(law.role("office")) as work:
        settled = clues.confirm(work, outcome.sighting.ref, "sewage")
    assert settled.issue is not None and law.issue(settled.issue.number).origin_id is None


def test_older_than_ninety_days_is_a_recurrence(law: LawTown) -> None:
    number = law.closed()
    law.forward(days=90, hours=1)
    outcome = law.report(channel="grid")
    assert not outcome.waiting and not outcome.joined
    again = law.issue(number_of(outcome))
    assert (again.origin_id, again.origin_how) == (law.issue(number).id, "recurrence")


@pytest.mark.parametrize(("kind", "apart_m", "relapse"), [
    ("floating_debris", 190, True), ("floating_debris", 215, False), ("sewage", 25, True), ("sewage", 45, False)])  # fmt: skip
def test_what_drifts_comes_back_farther_away(law: LawTown, kind: str, apart_m: float, relapse: bool) -> None:
    law.closed(kind=kind)
    law.forward(days=3)
    outcome = law.report(channel="grid", kind=kind, chainage_m=1240 + apart_m)
    assert outcome.waiting == relapse
    assert PROBLEMS[kind].relapse_m == (200 if kind == "floating_debris" else 30)


def test_an_open_issue_goes_before_a_closed_one(law: LawTown) -> None:
    law.closed()
    law.forward(days=1)
    first = law.report(channel="grid")
    with law.station.work(law.role("office")) as work:
        settled = clues.confirm(work, first.sighting.ref)
    assert settled.issue is not None
    assert number_of(law.report(channel="grid")) == settled.issue.number


@pytest.mark.parametrize(("days", "reopened"), [(29, True), (30, False)])
def test_merging_into_a_closed_parent_reopens_it_or_is_refused(law: LawTown, days: int, reopened: bool) -> None:
    parent = law.closed()
    law.forward(days=days)
    child = law.reported(chainage_m=1800)
    if not reopened:
        with pytest.raises(BadInput, match="不能并"):
            law.step(child, "merge", law.role("office"), parent=parent)
        return
    law.step(child, "merge", law.role("office"), parent=parent)
    issue = law.issue(parent)
    assert (issue.state, issue.round, issue.closer_id, issue.ended_at) == ("assigned", 2, None, None)
    assert law.slips(parent, "assignment")[-1].revision == 2 and "reopened" in law.events(parent)
    assert law.clocks(parent)["rectify"].instance == 2


def test_merge_takes_the_earlier_due_and_everything_with_it_and_unmerge_restores(law: LawTown) -> None:
    child = law.assigned(chainage_m=1800)
    law.photo(child, "during", law.role("grid"))
    law.forward(hours=3)
    parent = law.assigned()
    own, earlier = law.clocks(parent)["rectify"].due_at, law.clocks(child)["rectify"].due_at
    assert earlier < own
    law.step(child, "merge", law.role("office"), parent=parent)
    assert law.clocks(parent)["rectify"].due_at == earlier
    assert law.clocks(child)["rectify"].state == "paused" and len(channels(law, parent)) == 2
    left = law.left_s(child)
    law.forward(hours=4)
    law.step(child, "unmerge", law.role("office"), reason="两处")
    assert law.issue(child).state == "assigned" and law.left_s(child) == left
    assert law.clocks(parent)["rectify"].due_at == own, "what the merge took is given back"
    assert len(channels(law, parent)) == len(channels(law, child)) == 1


def test_merge_never_gives_the_parent_a_later_due(law: LawTown) -> None:
    parent = law.assigned()
    due = law.clocks(parent)["rectify"].due_at
    law.forward(hours=3)
    child = law.assigned(chainage_m=1800)
    law.step(child, "merge", law.role("office"), parent=parent)
    assert law.clocks(parent)["rectify"].due_at == due
