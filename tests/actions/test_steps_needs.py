"""Every row of STEPS as a pure case: whole it lacks nothing; without a need it says which, in a sentence.

The tables below must name every row and every need: a new need without a case fails here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from patrol.rules import evidence
from patrol.rules.evidence import CONDITIONS, NEEDS, REFUSALS, Case, Fix, PhotoFact, approval_of, lacks
from patrol.rules.lifecycle import APPROVALS, STEPS
from patrol.rules.problems import PROBLEMS

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
GRID, UNIT, OFFICE, HEAD, CHIEF, OTHER = 1, 2, 3, 4, 5, 6


def photo(
    stage: str, person: int, minutes: float = 0, *, flags: str = "", in_fence: bool = True, round: int = 1
) -> PhotoFact:
    at = NOW + timedelta(minutes=minutes)
    return PhotoFact(f"{stage}{minutes}{person}", stage, person, round, at, in_fence, frozenset(flags.split()))


BASE = Case(
    state="supervised",
    now=NOW,
    actor=OFFICE,
    roles=frozenset({"office"}),
    body={},
    kind="floating_debris",
    ce90_m=5.0,
    has_position=True,
    lead_unit="water",
    rectify_due=NOW + timedelta(hours=5),
    limit_s=28800,
    assigner=OTHER,
    known_units=frozenset({"water", "sanitation", "office"}),
    has_assignment_slip=True,
    step_before_at=NOW - timedelta(hours=1),
    fix=Fix(-40.0, 5.0),
    photos=(photo("before", GRID, -90), photo("after", UNIT, -30)),
)
CHECKED = dict.fromkeys(PROBLEMS["floating_debris"].checklist, True)


def case(roles: str = "office", actor: int = OFFICE, body: dict[str, Any] | None = None, **over: Any) -> Case:
    return replace(BASE, roles=frozenset(roles.split()), actor=actor, body=body or {}, **over)


def by_unit(body: dict[str, Any] | None = None, **over: Any) -> Case:
    return case("unit", UNIT, body, unit="water", **over)


def by_grid(body: dict[str, Any] | None = None, **over: Any) -> Case:
    return case("grid", GRID, body, **over)


WHY = {"reason": "看过现场"}
# row of STEPS -> a complete case
COMPLETE: dict[str, Case] = {
    "check": by_grid(state="reported", new_photos=(photo("check", GRID),)),
    "waive_check": case(state="reported"),
    "assign": case(state="reported", body={"lead_unit": "water"}),
    "confirm_push": case(new_photos=(photo("push", OFFICE),)),
    "receive": by_unit(state="assigned"),
    "return": by_unit(WHY, state="assigned"),
    "reassign": case(body={**WHY, "lead_unit": "sanitation"}),
    "supervise": by_grid({"finding": "true"}, state="assigned", new_photos=(photo("before", GRID),)),
    "supervise_gone": by_grid({"finding": "gone"}, state="assigned", new_photos=(photo("before", GRID),)),
    "supervise_false": by_grid(
        {"finding": "false", **WHY},
        state="assigned",
        photos=(),
        new_photos=(photo("before", GRID), photo("before", GRID, 1)),
    ),
    "handle_here": by_grid(
        state="reported",
        area_m2=4.0,
        photos=(),
        new_photos=(photo("before", GRID, -5), photo("after", GRID, -1)),
    ),
    "progress": by_unit({"words": "在捞"}, new_photos=(photo("during", UNIT),)),
    "correct": case(body={**WHY, "kind": "solid_waste"}),
    "split": case(body={**WHY, "sightings": ["a"]}, split_ok=True),
    "extend": by_unit(WHY, asked_s=3600),
    "suspend": by_unit({"condition": "works", "review_on": date(2026, 12, 20)}, new_photos=(photo("suspend", UNIT),)),
    "resume": by_unit(suspended=True),
    "submit": by_unit(new_photos=(photo("after", UNIT),)),
    "send_back": case(body=WHY, state="rectified", new_photos=(photo("send_back", OFFICE),)),
    "name_acceptor": case(
        "chief",
        CHIEF,
        {"acceptor": OTHER},
        state="rectified",
        lead_unit="office",
        lead_is_office=True,
        other_units=frozenset({OTHER}),
    ),
    "verify": case(body={"checklist": CHECKED}, state="rectified", submitter=UNIT),
    "close": case("office_head", HEAD, state="verified", verifier=OFFICE),
    "reopen": case(body=WHY, state="closed", new_photos=(photo("reopen", OFFICE),)),
    "merge": case(body={**WHY, "parent": "TH-2026-0001"}, parent_ok=True),
    "unmerge": case(body=WHY, state="merged", merged_from="assigned"),
    "dismiss": case(body={**WHY, "reason_code": "not_found"}, state="reported"),
    "transfer": case("office_head", HEAD, {**WHY, "receiving_body": "区住建局"}),
    "press": case("chief", CHIEF, {"words": "抓紧"}),
    "appeal": by_unit(
        {"against": "late", "words": "停电"},
        appeal_fits=frozenset({"late"}),
        appeal_until=NOW + timedelta(days=1),
    ),
    "force_close": case("chief", CHIEF, WHY),
    "look_back": case(
        "inspector",
        OTHER,
        {"finding": "good"},
        state="closed",
        closer=HEAD,
        new_photos=(photo("look_back", OTHER),),
    ),
}


def without(*names: str) -> Any:
    return lambda c: replace(c, body={key: value for key, value in c.body.items() if key not in names})


def to(**over: Any) -> Any:
    return lambda c: replace(c, **over)


def said(**values: Any) -> Any:
    return lambda c: replace(c, body={**c.body, **values})


NO_NEW = to(new_photos=())
BARE = to(new_photos=(), photos=())
# need -> what takes it away from a whole case (a need with two ways to lack it has its own test below)
LACKING: dict[str, Any] = {
    "fix": to(fix=None),
    "fix_in_fence": to(fix=Fix(12.0, 5.0)),
    "fix_in_fence_if_grid": to(fix=Fix(12.0, 5.0)),
    "photo_or_reason": BARE,
    "kind": lambda c: replace(said(kind="unheard_of")(c), kind=None),
    "sure_position": to(ce90_m=80.0),
    "lead_unit": said(lead_unit="nobody"),
    "limit": to(kind=None),
    "duplicate_answered": to(similar_open=("TH-2026-0007",)),
    "assignment_slip": to(has_assignment_slip=False),
    "screenshot_unless_chief": NO_NEW,
    "not_assigner": to(assigner=OFFICE),
    "of_lead_unit_or_signed_receipt": to(unit="sanitation"),
    "reason": without("reason"),
    "words": without("words"),
    "of_lead_unit": to(unit="sanitation"),
    "returns_left": to(returns=2),
    "other_unit": said(lead_unit="water"),
    "half_open": to(half1="true"),
    "before_photo_if_grid": BARE,
    "today_photo_if_grid": BARE,
    "finding_if_grid": without("finding"),
    "half1_evidence_if_office": lambda c: replace(
        c, roles=frozenset({"office"}), half1=None, body={**c.body, "finding": "gone"}
    ),
    "moved_position": lambda c: replace(said(finding="moved")(c), fix=None, moved_m=None),
    "two_photos": to(new_photos=(photo("before", GRID),)),
    "kind_here": to(kind="sewage"),
    "before_after_2min": to(new_photos=(photo("before", GRID, -2), photo("after", GRID, -1))),
    "of_units_or_paper": to(unit="sanitation"),
    "during_photo": NO_NEW,
    "something_new": without("kind"),
    "photo_if_moved_30m": to(moved_m=31.0),
    "grid_checked_it": to(roles=frozenset({"grid"}), actor=GRID, checker=OTHER, state="reported"),
    "sightings_to_split": to(split_ok=False),
    "before_due": to(rectify_due=NOW),
    "extensions_left": to(extensions=2),
    "extension_size": to(extended_s=28800),
    "suspended": to(suspended=False),
    "condition": without("condition"),
    "review_on": said(review_on=date(2026, 11, 23)),
    "suspend_photo": NO_NEW,
    "submit_from_assigned_only_when_on_site_red": to(state="assigned", on_site_red=False),
    "of_lead_unit_or_paper_grid": to(unit="sanitation"),
    "not_suspended": to(suspended=True),
    "before_photo_kept": to(photos=()),
    "after_photo_new": to(new_photos=(photo("after", UNIT, -61),), photos=(photo("before", GRID, -90),)),
    "seen_again_if_verified": to(state="verified"),
    "send_back_photo": NO_NEW,
    "office_is_the_unit": to(lead_is_office=False),
    "acceptor": said(acceptor=CHIEF),
    "may_verify": to(roles=frozenset({"chief"}), actor=CHIEF),
    "four_eyes_verify": to(submitter=OFFICE),
    "checklist": said(checklist={"水面已清净": True, "打捞物已外运": False}),
    "manifest": to(expected_photos=3),
    "has_before_and_after": to(photos=(photo("before", GRID, -90),)),
    "not_still_visible": to(still_visible=True),
    "own_photo_if_flagged": to(photos=(photo("before", GRID, -90, flags="old"), photo("after", UNIT, -30))),
    "may_close": to(roles=frozenset({"office"}), actor=OFFICE, verifier=OTHER),
    "four_eyes_close": to(verifier=HEAD),
    "own_photo_if_seen_again": lambda c: replace(said(looked_again=True)(c), still_visible=True),
    "reopen_photo": NO_NEW,
    "reporter_in_time": to(roles=frozenset({"reporter"}), actor=None, ended_at=NOW - timedelta(days=15, seconds=1)),
    "parent": to(parent_ok=False),
    "reason_if_past_assigned": without("reason"),
    "dismiss_reason": without("reason_code"),
    "receiving_body": without("receiving_body"),
    "appeal_against": to(appeal_fits=frozenset()),
    "appeal_in_time": to(appeal_until=NOW - timedelta(seconds=1)),
    "not_closer": to(closer=OTHER),
    "look_back_photo": NO_NEW,
    "look_back_finding": without("finding"),
}
NEEDED = [(row.name, need) for row in STEPS.values() for need in row.needs]


def test_tables_here_name_every_row_need_and_condition() -> None:
    assert set(COMPLETE) == set(STEPS)
    assert set(LACKING) == set(NEEDS) == {need for _, need in NEEDED}
    used = {condition for row in STEPS.values() for condition, _ in row.approval}
    assert used == set(CONDITIONS)
    assert {name for row in STEPS.values() for _, name in row.approval} == set(APPROVALS)
    assert set(NEEDS) >= REFUSALS


@pytest.mark.parametrize("name", STEPS)
def test_complete_case_lacks_nothing(name: str) -> None:
    assert COMPLETE[name].state in STEPS[name].from_
    assert lacks(STEPS[name], COMPLETE[name]) == []


@pytest.mark.parametrize(("name", "need"), NEEDED)
def test_missing_need_is_named_in_a_sentence(name: str, need: str) -> None:
    found = {lack.code: lack for lack in lacks(STEPS[name], LACKING[need](COMPLETE[name]))}
    assert need in found
    assert found[need].sentence.endswith("。") and len(found[need].sentence) >= 5
    assert found[need].refuses == (need in REFUSALS)


def test_everything_missing_is_named_at_once() -> None:
    empty = by_unit(state="supervised", lead_unit="water", photos=())
    assert [lack.code for lack in lacks(STEPS["suspend"], empty)] == [
        "condition",
        "review_on",
        "suspend_photo",
    ]
    assert [lack.code for lack in lacks(STEPS["submit"], empty)] == ["before_photo_kept", "after_photo_new"]


@pytest.mark.parametrize(
    ("step", "over", "lacking"),
    [
        ("check", {"fix": Fix(-5.0, 101.0)}, "fix"),
        ("sure", {"has_position": False, "ce90_m": None}, "sure_position"),
        ("verify", {"actor": UNIT, "roles": frozenset({"office"})}, "four_eyes_verify"),
        ("verify", {"of_units": frozenset({"water"})}, "four_eyes_verify"),
        ("verify", {"unit": "water"}, "four_eyes_verify"),
        ("verify", {"actor": GRID}, "four_eyes_verify"),
        ("verify", {"lead_is_office": True}, "may_verify"),
        ("verify", {"lead_is_office": True, "roles": frozenset({"chief"}), "actor": CHIEF}, "may_verify"),
        (
            "verify",
            {"lead_is_office": True, "roles": frozenset({"chief"}), "of_office": True, "other_chief": True},
            "four_eyes_verify",
        ),
        ("close", {"lead_is_office": True}, "may_close"),
        ("look_back", {"verifier": OTHER}, "not_closer"),
        ("confirm_push", {"roles": frozenset({"chief", "office"}), "assigner": OFFICE}, "not_assigner"),
        ("suspend", {"body": {"condition": "works", "review_on": date(2027, 2, 22)}}, "review_on"),
        ("extend", {"asked_s": 0}, "extension_size"),
        ("name_acceptor", {"lead_is_office": False}, "office_is_the_unit"),
        ("name_acceptor", {"other_units": frozenset()}, "acceptor"),
        ("handle_here", {"area_m2": 21.0}, "kind_here"),
        (
            "receive",
            {"roles": frozenset({"office"}), "unit": None, "lead_reach": "paper"},
            "of_lead_unit_or_signed_receipt",
        ),
        ("receive", {"roles": frozenset({"office"}), "unit": None}, "of_lead_unit_or_signed_receipt"),
        ("progress", {"roles": frozenset({"office"}), "unit": None}, "of_units_or_paper"),
        ("submit", {"roles": frozenset({"grid"}), "unit": None}, "of_lead_unit_or_paper_grid"),
        ("supervise", {"roles": frozenset({"office"}), "half2": True, "body": {}}, "half_open"),
        (
            "supervise",
            {"roles": frozenset({"office"}), "half1": "gone", "body": {"finding": "true"}},
            "half1_evidence_if_office",
        ),
    ],
)
def test_other_ways_to_lack_a_need(step: str, over: dict[str, Any], lacking: str) -> None:
    name = {"sure": "assign"}.get(step, step)
    assert lacking in [lack.code for lack in lacks(STEPS[name], replace(COMPLETE[name], **over))]


@pytest.mark.parametrize(
    ("step", "over"),
    [
        (
            "receive",
            {
                "roles": frozenset({"office"}),
                "unit": None,
                "lead_reach": "paper",
                "new_photos": (photo("receipt", OFFICE),),
            },
        ),
        (
            "receive",
            {
                "roles": frozenset({"office", "unit"}),
                "unit": "sanitation",
                "lead_reach": "paper",
                "new_photos": (photo("receipt", OFFICE),),
            },
        ),
        ("submit", {"roles": frozenset({"grid"}), "actor": GRID, "unit": None, "lead_reach": "paper"}),
        ("submit", {"roles": frozenset({"grid"}), "actor": GRID, "unit": None, "lead_is_office": True}),
        ("submit", {"state": "assigned", "on_site_red": True}),
        ("progress", {"roles": frozenset({"office"}), "unit": None, "lead_reach": "paper"}),
        ("progress", {"unit": "sanitation", "assisting": ("sanitation",)}),
        ("confirm_push", {"roles": frozenset({"chief"}), "actor": CHIEF, "new_photos": ()}),
        (
            "verify",
            {
                "lead_is_office": True,
                "lead_unit": "office",
                "roles": frozenset({"chief"}),
                "actor": CHIEF,
                "other_chief": True,
            },
        ),
        (
            "verify",
            {
                "lead_is_office": True,
                "lead_unit": "office",
                "roles": frozenset({"unit"}),
                "actor": OTHER,
                "named_acceptor": OTHER,
            },
        ),
        (
            "verify",
            {
                "photos": (photo("before", GRID, -90, flags="old"), photo("after", UNIT, -30)),
                "new_photos": (photo("accept", OFFICE),),
            },
        ),
        ("close", {"lead_is_office": True, "roles": frozenset({"chief"}), "actor": CHIEF}),
        ("close", {"roles": frozenset({"acting_head"}), "actor": OTHER}),
        (
            "close",
            {"still_visible": True, "body": {"looked_again": True}, "new_photos": (photo("accept", HEAD),)},
        ),
        ("send_back", {"state": "verified", "still_visible": True}),
        ("supervise", {"roles": frozenset({"office"}), "half1": "true", "body": {}}),
        ("reopen", {"new_photos": (), "body": {"reason": "来电", "by_telephone": True}}),
        ("correct", {"roles": frozenset({"grid"}), "actor": GRID, "checker": GRID, "state": "reported"}),
        ("merge", {"state": "assigned", "body": {"parent": "TH-2026-0001"}}),
        ("suspend", {"suspended": True}),
    ],
)
def test_other_ways_to_be_complete(step: str, over: dict[str, Any]) -> None:
    assert lacks(STEPS[step], replace(COMPLETE[step], **over)) == []


def test_flagged_own_photo_is_no_look_of_ones_own() -> None:
    flagged = replace(
        COMPLETE["verify"], photos=(photo("before", GRID, -90), photo("after", UNIT, -30, flags="similar"))
    )
    for bad in (photo("accept", OFFICE, flags="elsewhere"), photo("accept", OTHER), photo("during", OFFICE)):
        assert evidence.NEEDS["own_photo_if_flagged"](replace(flagged, new_photos=(bad,)))
    good = photo("accept", OFFICE, flags="no_position")
    assert evidence.NEEDS["own_photo_if_flagged"](replace(flagged, new_photos=(good,))) is None


@pytest.mark.parametrize(
    ("step", "over", "approval"),
    [
        ("return", {}, "office"),
        ("extend", {}, "head"),
        ("extend", {"extensions": 1}, "chief"),
        ("suspend", {}, "chief"),
        ("dismiss", {}, "second_person"),
        ("transfer", {}, "receiver"),
        ("appeal", {}, "inspector"),
        ("correct", {"state": "reported"}, None),
        ("correct", {}, "second_person"),
        ("merge", {"state": "assigned"}, None),
        ("merge", {}, "second_person"),
        ("unmerge", {}, None),
        ("unmerge", {"merged_from": "rectified"}, "second_person"),
        ("reopen", {}, None),
        ("reopen", {"roles": frozenset({"reporter"})}, "office_day"),
        ("supervise_false", {}, None),
        ("supervise_false", {"roles": frozenset({"office"})}, "second_person"),
    ],
)
def test_who_must_decide(step: str, over: dict[str, Any], approval: str | None) -> None:
    assert approval_of(STEPS[step], replace(COMPLETE[step], **over)) == approval


def test_no_approval_ends_with_a_rung_that_nobody_above_can_take() -> None:
    for name, row in APPROVALS.items():
        if name in ("inspector", "receiver", "chief"):
            continue
        assert len(row.rungs) >= 2 and "chief" in row.rungs[1], name
