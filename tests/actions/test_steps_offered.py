"""What a person is offered is what he may do: buttons and `GET …/steps` say the same as the deed itself."""

from __future__ import annotations

import pytest

from patrol.actions import handle
from patrol.errors import BadInput, Missing, PatrolError, Refused, WrongStep
from patrol.rules import forms
from patrol.rules.lifecycle import APPROVALS, STATES, STEPS, VERBS, row_for
from patrol.station import Actor
from tests.property.lawtown import LawTown
from tests.property.scenes import STATE_MAKERS

WHO = ["office", "office_head", "chief", "inspector", "grid", "unit", "unit:sanitation", "operator"]


class Undone(Exception):
    """Takes a deed back that was only tried."""


def try_bare(law: LawTown, number: str, verb: str, actor: Actor) -> str:
    """What the deed itself says to an empty body: done, lacking, or refused; nothing of it is kept."""
    said = "done"
    try:
        with law.station.work(actor) as work:
            handle.act(work, number, verb, {}, law.issue(number).version)
            raise Undone
    except Undone:
        pass
    except BadInput:
        said = "lacking"
    except (Refused, WrongStep, Missing):
        said = "refused"
    return said


def test_offered_is_what_the_deed_would_not_refuse(law: LawTown) -> None:
    compared = 0
    for number in [make(law) for make in STATE_MAKERS.values()]:
        for who in WHO:
            actor = law.role(who)
            try:
                with law.station.look(actor) as look:
                    issue = handle.find_issue(look, number)
                    offered = {row["step"]: row for row in handle.may(look, issue)}
            except PatrolError:
                offered = {}
            for verb in VERBS:
                said = try_bare(law, number, verb, actor)
                assert (verb in offered) == (said != "refused"), f"{who} {verb} in {law.issue(number).state}: {said}"
                if verb in offered:
                    assert bool(offered[verb]["missing"]) == (said == "lacking"), f"{who} {verb}: {offered[verb]}"
                compared += 1
    assert compared == len(STATES) * len(WHO) * len(VERBS)


def test_an_offer_says_who_decides_what_is_missing_and_what_the_body_may_carry(law: LawTown) -> None:
    number = law.supervised()
    with law.station.look(law.role("unit")) as look:
        rows = {row["step"]: row for row in handle.may(look, handle.find_issue(look, number))}
    assert set(rows) == {"progress", "extend", "suspend", "resume", "submit", "appeal"}
    assert rows["suspend"]["asks"] == "chief" and rows["suspend"]["asks"] in APPROVALS
    assert [lack["code"] for lack in rows["submit"]["missing"]] == ["after_photo_new"]
    for verb, row in rows.items():
        known = row_for(verb)
        assert known is not None
        assert set(row["schema"]["properties"]) == set(forms.fields_of(known))
        assert row["zh"] and row["en"] and row["to"] in STATES


def test_an_offer_says_that_it_was_asked_already(law: LawTown) -> None:
    number = law.reported()
    law.step(number, "dismiss", law.role("office"), reason="没有", reason_code="not_found")
    with law.station.look(law.role("office2")) as look:
        rows = {row["step"]: row for row in handle.may(look, handle.find_issue(look, number))}
    assert rows["dismiss"]["asked"] and not rows["assign"]["asked"]
    assert rows["dismiss"]["final"] and not rows["assign"]["final"]


@pytest.mark.parametrize("name", [name for name, row in STEPS.items() if row.final])
def test_what_cannot_be_taken_back_ends_the_issue(name: str) -> None:
    assert STEPS[name].to in ("closed", "dismissed", "transferred")
