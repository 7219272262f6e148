"""A whole case of every row of STEPS, and an issue in every state, made through the real actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from patrol.actions import people
from patrol.station import RULE, Actor
from tests.property.lawtown import LawTown

Scene = Callable[[LawTown], tuple[str, Actor, dict[str, Any]]]


WHY = {"reason": "看过现场"}


BY = {"amount": 4, "unit": "working_hours"}


def to_check(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
    number = law.reported(channel="tip")
    law.photo(number, "check", law.role("grid"))
    return number, law.role("grid"), {"position": law.here(number)}


def to_confirm_push(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
    number = law.assigned()
    law.photo(number, "push", law.role("office2"))
    return number, law.role("office2"), {}


def _half(finding: str) -> Scene:
    def scene(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
        number = law.assigned()
        law.half1(number, finding, **(WHY if finding == "false" else {}))
        return number, law.role("office2"), {"finding": finding, **(WHY if finding == "false" else {})}

    return scene


def to_handle_here(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
    number, grid = law.reported(), law.role("grid")
    law.photo(number, "before", grid)
    law.forward(minutes=4)
    law.photo(number, "after", grid)
    return number, grid, {"position": law.here(number), "area_m2": 3}


def _with_photo(make: str, stage: str, who: str, **body: Any) -> Scene:
    def scene(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
        number = getattr(law, make)()
        law.forward(minutes=1)
        law.photo(number, stage, law.role(who))
        return number, law.role(who), body

    return scene


def _plain(make: str, who: str, **body: Any) -> Scene:
    return lambda law: (getattr(law, make)(), law.role(who), body)


def _suspended(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
    number, unit = law.supervised(), law.role("unit")
    suspend(law, number)
    return number, unit, {}


def suspend(law: LawTown, number: str, review_on: str = "2026-12-20") -> None:
    unit = law.role("unit")
    law.photo(number, "suspend", unit)
    asked = law.step(number, "suspend", unit, condition="works", review_on=review_on, reason="等施工")
    law.decide(asked.request)


def to_split(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
    number = law.assigned()
    second = law.report(channel="hotline")
    assert second.joined
    return number, law.role("office"), {**WHY, "sightings": [second.sighting.ref], "kind": "solid_waste"}


def _merge(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
    parent, child = law.assigned(), law.reported(chainage_m=1800)
    return child, law.role("office"), {"parent": parent, **WHY}


def _unmerge(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
    number, office, body = _merge(law)
    law.step(number, "merge", office, **body)
    return number, office, WHY


def to_name_acceptor(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
    number = law.rectified("office")
    with law.station.work(RULE) as work:
        people.add_token(work, "城建员", "unit", unit="construction")
        named = people.person(work, "城建员").id
    return number, law.role("chief"), {"acceptor": named}


def _verify(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
    number = law.rectified()
    return number, law.role("office"), {"checklist": law.checklist(number)}


def _appeal(law: LawTown) -> tuple[str, Actor, dict[str, Any]]:
    number = law.supervised()
    law.forward(days=4)
    return number, law.role("unit"), {"against": "late", "words": "水位太高"}


SCENES: dict[str, Scene] = {
    "check": to_check,
    "waive_check": lambda law: (law.reported(channel="tip"), law.role("office"), {}),
    "assign": _plain("reported", "office", lead_unit="water", assisting=["sanitation"]),
    "confirm_push": to_confirm_push,
    "receive": _plain("assigned", "unit"),
    "return": _plain("assigned", "unit", **WHY),
    "reassign": _plain("supervised", "office", **WHY, lead_unit="sanitation"),
    "supervise": _half("true"),
    "supervise_gone": _half("gone"),
    "supervise_false": _half("false"),
    "handle_here": to_handle_here,
    "progress": _with_photo("supervised", "during", "unit", words="在捞"),
    "correct": _plain("supervised", "office", **WHY, kind="sewage"),
    "split": to_split,
    "extend": _plain("supervised", "unit", **WHY, by=BY),
    "suspend": _with_photo("supervised", "suspend", "unit", condition="works", review_on="2026-12-20"),
    "resume": _suspended,
    "submit": _with_photo("supervised", "after", "unit"),
    "send_back": _with_photo("rectified", "send_back", "office", **WHY),
    "name_acceptor": to_name_acceptor,
    "verify": _verify,
    "close": _plain("verified", "office_head"),
    "reopen": _with_photo("closed", "reopen", "office", **WHY),
    "merge": _merge,
    "unmerge": _unmerge,
    "dismiss": _plain("reported", "office", **WHY, reason_code="not_found"),
    "transfer": _plain("supervised", "office_head", **WHY, receiving_body="区住建局"),
    "press": _plain("supervised", "chief", words="抓紧"),
    "appeal": _appeal,
    "force_close": _plain("supervised", "chief", **WHY),
    "look_back": _with_photo("closed", "look_back", "inspector", finding="good"),
}


def _merged(law: LawTown) -> str:
    number, office, body = _merge(law)
    law.step(number, "merge", office, **body)
    return number


def _transferred(law: LawTown) -> str:
    number = law.reported(chainage_m=700)
    asked = law.step(number, "transfer", law.role("office_head"), **WHY, receiving_body="区住建局")
    law.photo(number, "receipt", law.role("office2"))
    law.decide(asked.request)
    return number


STATE_MAKERS: dict[str, Callable[[LawTown], str]] = {
    "reported": lambda law: law.reported(kind="other", chainage_m=300),
    "assigned": lambda law: law.assigned(kind="sewage", chainage_m=300),
    "supervised": lambda law: law.supervised(kind="bare_soil", chainage_m=300),
    "rectified": lambda law: law.rectified(kind="solid_waste", chainage_m=300),
    "verified": lambda law: law.verified(kind="aquatic_bloom", chainage_m=300),
    "closed": lambda law: law.closed(kind="sewage", chainage_m=1000),
    "dismissed": lambda law: law.dismissed(kind="bare_soil", chainage_m=1000),
    "merged": _merged,
    "transferred": _transferred,
}


def send_back(law: LawTown, number: str) -> None:
    law.forward(minutes=1)
    law.photo(number, "send_back", law.role("office"))
    law.step(number, "send_back", law.role("office"), reason="还有")


# what a decider must add, because it is his to say
ADDS: dict[str, dict[str, Any]] = {"return": {"lead_unit": "sanitation"}}
# rows that another person must decide in the scenes above
ASKED = {"return", "supervise_false", "correct", "extend", "suspend", "dismiss", "transfer", "appeal"}
