"""Every row of STEPS through the real actions: from where to where, its slip, clocks and one trail line."""

from __future__ import annotations

import pytest

from patrol.actions import clocks, handle
from patrol.errors import BadInput, Missing, NeedsVersion, PatrolError, Refused, Stale, WrongStep
from patrol.rules.lifecycle import ENDS, OPEN, STATES, STEPS, target
from tests.property.lawtown import LawTown
from tests.property.scenes import ADDS, ASKED, SCENES, STATE_MAKERS

# a correction after the assignment prints the assignment anew: the facts on it have changed
ALSO_PRINTS = {"correct": "assignment"}


def test_every_row_has_a_scene() -> None:
    assert set(SCENES) == set(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_row_does_what_it_says(law: LawTown, name: str) -> None:
    number, actor, body = SCENES[name](law)
    row = STEPS[name]
    before, slips_before, lines_before = law.issue(number), law.slips(number), law.trail(number)
    result = law.step(number, row.verb, actor, **body)
    if result.request is not None:
        after = law.issue(number)
        assert (after.state, after.version) == (before.state, before.version), "asking changes no state"
        assert len(law.slips(number)) == len(slips_before)
        if name == "transfer":
            law.photo(number, "receipt", law.role("office2"))
        law.decide(result.request, **ADDS.get(name, {}))
    assert (result.request is not None) == (name in ASKED)
    after = law.issue(number)
    assert after.state == (before.merged_from if name == "unmerge" else target(row, before.state))
    assert after.version > before.version
    made = law.slips(number)[len(slips_before) :]
    assert [slip.kind for slip in made] == [kind for kind in (row.slip or ALSO_PRINTS.get(name),) if kind]
    moving = [
        line
        for line in law.trail(number)[len(lines_before) :]
        if (line.facts or {}).get("step") == name and "from" in (line.facts or {})
    ]
    assert len(moving) == 1, "one step, one line of its own"
    assert moving[0].facts["to"] == after.state
    check_clocks(law, number, row.clocks)


def check_clocks(law: LawTown, number: str, effects: tuple[str, ...]) -> None:
    known = law.clocks(number)
    for effect in effects:
        verb, _, name = effect.partition(":")
        if verb in ("stop_all", "freeze_all", "thaw_all"):
            bad = {"stop_all": clocks.LIVE, "freeze_all": ("running",), "thaw_all": ("paused",)}[verb]
            assert not [clock.name for clock in known.values() if clock.state in bad]
        elif verb == "pause":
            assert name not in known or known[name].state not in ("running",)
        elif verb in ("start", "start_half", "again", "resume", "extend"):
            assert known[name].state in (
                "running",
                *(("met", "cancelled") if name in ("on_site", "push") else ()),
            )
        else:
            assert name not in known or known[name].state not in clocks.LIVE


def test_rows_are_taken_from_their_states_only_and_by_their_roles_only(law: LawTown) -> None:
    made = {state: make(law) for state, make in STATE_MAKERS.items()}
    before = {state: law.issue(number).trail_head for state, number in made.items()}
    for name, row in STEPS.items():
        finding = {"supervise_gone": "gone", "supervise_false": "false"}.get(name)
        body = {"finding": finding} if finding else {}
        role = next(role for role in row.who if role not in ("acting_head", "rule", "ladder", "named", "reporter"))
        for state, number in made.items():
            if state in row.from_:
                continue
            with pytest.raises((WrongStep, Missing)) as caught:
                law.step(number, row.verb, law.role(role), **body)
            if isinstance(caught.value, WrongStep):
                assert caught.value.facts["state"] == state and STATES[state] in caught.value.sentence
            else:
                assert role == "unit" and law.issue(number).lead_unit is None, "no unit, so in no unit's scope"
        outsider = next(r for r in ("operator", "inspector", "grid", "office") if r not in row.who)
        with pytest.raises(Refused):
            law.step(made[row.from_[0]], row.verb, law.role(outsider), **body)
    assert {state: law.issue(number).trail_head for state, number in made.items()} == before


def test_states_made_here_are_all_states() -> None:
    assert set(STATE_MAKERS) == {*OPEN, *ENDS} == set(STATES)


def test_version_is_asked_for_and_checked_before_the_state(law: LawTown) -> None:
    number, office = law.reported(), law.role("office")
    with law.station.work(office) as work, pytest.raises(NeedsVersion):
        handle.act(work, number, "assign", {"lead_unit": "water"}, None)
    old = law.issue(number).version
    law.step(number, "assign", office, lead_unit="water")
    with law.station.work(office) as work, pytest.raises(Stale, match="已交办"):
        handle.act(work, number, "assign", {"lead_unit": "water"}, old)


def test_unknown_fields_and_bad_values_are_all_named(law: LawTown) -> None:
    number = law.reported()
    with pytest.raises(BadInput) as caught:
        law.step(
            number,
            "assign",
            law.role("office"),
            lead_unit=7,
            limit={"amount": -1, "unit": "hours"},
            colour="red",
        )
    assert {fault.where for fault in caught.value.faults} == {"/lead_unit", "/limit", "/colour"}


def test_every_refusal_leaves_the_issue_as_it_was(law: LawTown) -> None:
    number = law.supervised()
    before = (law.issue(number).version, law.issue(number).trail_head, len(law.slips(number)))
    for verb in {row.verb for row in STEPS.values()}:
        for who in ("operator", "volunteer", "unit:sanitation"):
            with pytest.raises(PatrolError):
                law.step(number, verb, law.role(who))
    assert (law.issue(number).version, law.issue(number).trail_head, len(law.slips(number))) == before
