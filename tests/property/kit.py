"""What a person brings to a step: full evidence for any row of STEPS, and the people of the town who bring it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from patrol import models as m
from patrol.actions import people
from patrol.rules.lifecycle import Step
from patrol.station import RULE, Actor
from tests.property.lawtown import LawTown


@dataclass(frozen=True)
class Way:
    """One way a person comes in: an account or token with its roles and unit."""

    name: str
    roles: frozenset[str]
    unit: str | None = None


def way(name: str, roles: str, unit: str | None = None) -> Way:
    return Way(name, frozenset(roles.split()), unit)


PEOPLE: tuple[Way, ...] = (
    way("环保办甲", "office"),
    way("环保办乙", "office"),
    way("环保办主任", "office_head"),
    way("河长", "chief"),
    way("督察员", "inspector"),
    way("网格员", "grid"),
    way("网格员乙", "grid"),
    way("水利员", "unit", "water"),
    way("环卫员", "unit", "sanitation"),
    way("环保办丙", "unit", "office"),
    way("城建员", "unit", "construction"),
)
# persons of two hats: every one of them is a cheat waiting to happen
TWO_HATS: tuple[Way, ...] = (
    way("两面人", "office"),
    way("两面人", "unit", "water"),
    way("网格员", "office_head"),
    way("水利员", "office"),
    way("环保办甲", "chief office"),
    way("环保办主任", "office_head inspector"),
)


def settle_in(law: LawTown, ways: tuple[Way, ...]) -> dict[Way, Actor]:
    """Give every way its token, and answer the actor it signs in as."""
    found = {}
    with law.station.work(RULE) as work:
        for one in ways:
            for role in sorted(one.roles):
                people.add_token(work, one.name, role, unit=one.unit)
            person_id = people.person(work, one.name).id
            found[one] = Actor(person_id, one.name, one.roles, one.unit, None, via="test")
    return found


STAGES = {  # the stages of photo each row asks for
    "check": ("check",),
    "confirm_push": ("push",),
    "receive": ("receipt",),
    "supervise": ("before",),
    "supervise_gone": ("before",),
    "supervise_false": ("before", "before"),
    "progress": ("during",),
    "suspend": ("suspend",),
    "send_back": ("send_back",),
    "reopen": ("reopen",),
    "look_back": ("look_back",),
    "correct": ("correct",),
    "close": ("accept",),
    "verify": ("accept",),
}
NEXT_UNIT = {
    "water": "sanitation",
    "sanitation": "property",
    "property": "office",
    "office": "water",
    None: "water",
}


def body_of(law: LawTown, number: str, row: Step, unit: str | None = None) -> dict[str, Any]:
    """The fields of a whole body for a row, but its photos."""
    issue = law.issue(number)
    body: dict[str, Any] = {"reason": "看过现场"}
    if row.name not in ("waive_check",):
        body["words"] = "照实写"
    match row.name:
        case "check" | "supervise" | "supervise_gone" | "supervise_false" | "handle_here":
            body["position"] = law.here(number)
            if row.verb == "supervise":
                body["finding"] = {"supervise": "true", "supervise_gone": "gone", "supervise_false": "false"}[row.name]
            if row.name == "handle_here":
                body["area_m2"] = 4
        case "assign":
            body |= {"lead_unit": unit or "water", "duplicate_answered": True}
            if not issue.position_confirmed:
                body["position"] = law.here(number)
        case "reassign":
            body["lead_unit"] = NEXT_UNIT.get(issue.lead_unit, "water")
        case "correct":
            body["kind"] = "solid_waste" if issue.kind != "solid_waste" else "floating_debris"
        case "split":
            body["sightings"] = _half_of_the_sightings(law, issue)
        case "extend":
            hours = law.clocks(number).get("rectify")
            body["by"] = {"amount": 1, "unit": hours.marks[0]["limit"]["unit"] if hours else "hours"}
        case "suspend":
            body |= {
                "condition": "works",
                "review_on": (law.clock.at + timedelta(days=20)).date().isoformat(),
            }
        case "verify":
            body |= {"checklist": law.checklist(number), "looked_again": True}
        case "close":
            body["looked_again"] = True
        case "dismiss":
            body["reason_code"] = "not_a_problem"
        case "transfer":
            body["receiving_body"] = "区住建局"
        case "appeal":
            body["against"] = {"dismissed": "dismissed", "transferred": "transferred"}.get(issue.state, "late")
        case "look_back":
            body["finding"] = "good"
        case "name_acceptor":
            body["acceptor"] = _person(law, "城建员")
        case "merge":
            body["parent"] = _other_open(law, issue) or "无"
        case "receive" | "progress" | "submit" | "press":
            pass
    allowed = {*row.fields, "words", "reason", "position", "finding"}
    return {name: value for name, value in body.items() if name in allowed}


def bring(law: LawTown, number: str, row: Step, actor: Actor, unit: str | None = None) -> dict[str, Any]:
    """The whole evidence of an honest person for a row: photos sent, and the body that goes with them."""
    body = body_of(law, number, row, unit)
    refs: list[str] = []
    if row.name == "handle_here":
        refs.append(law.photo(number, "before", actor))
        law.forward(minutes=3)
        refs.append(law.photo(number, "after", actor))
    elif row.name == "submit":
        law.forward(minutes=1)
        refs.append(law.photo(number, "before", actor))
        law.forward(minutes=1)
        refs.append(law.photo(number, "after", actor))
    elif row.verb == "supervise" and "grid" not in actor.roles:
        half1 = law.issue(number).half1
        body.pop("position", None)
        if half1 not in ("gone", "false"):
            body.pop("finding", None)
    else:
        refs += [law.photo(number, stage, actor) for stage in STAGES.get(row.name, ())]
    return {**body, "photos": refs} if refs else body


def _half_of_the_sightings(law: LawTown, issue: m.Issue) -> list[str]:
    with law.station.look() as look:
        rows = look.session.query(m.Sighting.ref).filter_by(issue_id=issue.id).order_by(m.Sighting.id)
        refs = [ref for (ref,) in rows]
    return refs[: len(refs) // 2]


def _person(law: LawTown, name: str) -> int:
    with law.station.look() as look:
        row = look.session.query(m.Person).filter_by(name=name).one_or_none()
    return row.id if row is not None else 999_999


def _other_open(law: LawTown, issue: m.Issue) -> str | None:
    with law.station.look() as look:
        rows = (
            look.session.query(m.Issue.number)
            .filter(
                m.Issue.id != issue.id,
                m.Issue.state.in_(("reported", "assigned", "supervised", "rectified", "verified", "closed")),
            )
            .order_by(m.Issue.id)
        )
        return next((number for (number,) in rows), None)
