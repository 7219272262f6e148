"""Every cheat we know: refused, or without the acceptor's own photo it never becomes verified."""

from __future__ import annotations

from datetime import timedelta

import pytest

from patrol import models as m
from patrol.actions import people
from patrol.errors import BadInput, PatrolError, Refused, WrongStep
from patrol.rules.lifecycle import STEPS
from patrol.station import RULE, Actor
from tests.property.kit import PEOPLE, settle_in
from tests.property.lawtown import LawTown


def flags(law: LawTown, number: str) -> set[str]:
    issue_id = law.issue(number).id
    with law.station.look() as look:
        return {flag for (row,) in look.session.query(m.Photo.flags).filter_by(issue_id=issue_id) for flag in row}


def needs_own_photo(law: LawTown, number: str) -> None:
    """Verify is refused without the acceptor's own photo from the place, and taken with it."""
    office, checklist = law.role("office"), law.checklist(number)
    with pytest.raises(BadInput, match="您自己"):
        law.step(number, "verify", office, checklist=checklist)
    with pytest.raises(BadInput, match="您自己"):  # somebody else's photo is no look of one's own
        other = law.photo(number, "accept", law.role("office2"))
        law.step(number, "verify", office, checklist=checklist, photos=[other])
    with pytest.raises(BadInput, match="您自己"):  # nor one from the desk
        desk = law.photo(number, "accept", office, away_m=900)
        law.step(number, "verify", office, checklist=checklist, photos=[desk])
    own = law.photo(number, "accept", office)
    law.step(number, "verify", office, checklist=checklist, photos=[own])
    assert law.issue(number).state == "verified"


def test_an_honest_walk_raises_no_flag_and_needs_no_extra_photo(law: LawTown) -> None:
    number = law.closed()
    assert flags(law, number) == set()
    assert law.issue(number).state == "closed" and not set(law.issue(number).flags) & {"forced", "still_visible"}


def test_old_photo(law: LawTown) -> None:
    number, unit = law.supervised(), law.role("unit")
    law.forward(minutes=30)
    law.photo(number, "after", unit, taken_at=law.clock.at - timedelta(days=2))
    law.step(number, "submit", unit)
    assert flags(law, number) == {"old"}
    needs_own_photo(law, number)


def test_photo_from_the_future(law: LawTown) -> None:
    number, unit = law.supervised(), law.role("unit")
    law.photo(number, "after", unit, taken_at=law.clock.at + timedelta(hours=1))
    law.forward(minutes=1)
    assert flags(law, number) == {"old"}


def test_photo_from_elsewhere(law: LawTown) -> None:
    number, unit = law.supervised(), law.role("unit")
    law.forward(minutes=3)
    law.photo(number, "after", unit, away_m=400)
    law.step(number, "submit", unit)
    assert flags(law, number) == {"elsewhere"}
    needs_own_photo(law, number)


def test_photo_without_time_or_place(law: LawTown) -> None:
    number, unit = law.supervised(), law.role("unit")
    law.forward(minutes=3)
    law.photo(number, "after", unit, position=None, taken_at=None)
    law.step(number, "submit", unit)
    assert flags(law, number) == {"no_position", "no_time"}
    needs_own_photo(law, number)


def test_photo_whose_fix_is_no_fix(law: LawTown) -> None:
    number = law.supervised()
    law.photo(number, "during", law.role("unit"), position=law.here(number, accuracy_m=101.0))
    assert flags(law, number) == {"no_position"}


@pytest.mark.parametrize("where", ["another issue", "an earlier round", "another stage"])
def test_the_same_bytes_again(law: LawTown, where: str) -> None:
    number, unit = law.supervised(), law.role("unit")
    law.forward(minutes=3)
    first = law.photo(number, "after", unit, seed=5)
    assert law.photo(number, "after", unit, seed=5) == first, "a resend by the same person is the same photo"
    if where == "another issue":
        other = law.supervised(kind="sewage", chainage_m=1700)
        with pytest.raises(BadInput, match="用过"):
            law.photo(other, "after", unit, seed=5)
    elif where == "another stage":
        with pytest.raises(BadInput, match="用过"):
            law.photo(number, "during", unit, seed=5)
    else:
        law.step(number, "submit", unit)
        law.photo(number, "send_back", law.role("office"))
        law.step(number, "send_back", law.role("office"), reason="还有")
        with pytest.raises(BadInput, match="用过"):
            law.photo(number, "after", unit, seed=5)
        with pytest.raises(BadInput, match="整改后"):
            law.step(number, "submit", unit)


def test_a_photo_saved_again_from_another_issue(law: LawTown) -> None:
    other, number, unit = law.supervised(chainage_m=500), law.supervised(), law.role("unit")
    law.photo(other, "during", unit, seed=41)
    law.forward(minutes=3)
    law.photo(number, "after", unit, seed=42, resaved_of=41)
    law.step(number, "submit", unit)
    assert flags(law, number) == {"similar"}
    needs_own_photo(law, number)


def test_a_photo_saved_again_from_an_earlier_round(law: LawTown) -> None:
    number, unit = law.supervised(), law.role("unit")
    law.forward(minutes=3)
    law.photo(number, "after", unit, seed=51)
    law.step(number, "submit", unit)
    law.photo(number, "send_back", law.role("office"))
    law.step(number, "send_back", law.role("office"), reason="还有")
    law.forward(minutes=3)
    law.photo(number, "after", unit, seed=52, resaved_of=51)
    law.step(number, "submit", unit)
    needs_own_photo(law, number)


def test_two_like_photos_inside_one_round_are_nothing(law: LawTown) -> None:
    number, unit = law.supervised(), law.role("unit")
    law.photo(number, "during", unit, seed=61)
    law.photo(number, "during", unit, seed=62, resaved_of=61)
    assert flags(law, number) == set()


def test_self_accepted(law: LawTown) -> None:
    number = law.supervised()
    both = law.several("水利员", "unit", "office", unit="water")
    law.submit(number, both)
    for roles in (("office",), ("office_head",), ("office", "unit")):
        with pytest.raises(Refused, match="报验的是您"):
            law.step(number, "verify", law.several("水利员", *roles), checklist=law.checklist(number))


def test_photographer_accepts(law: LawTown) -> None:
    number = law.supervised()
    law.photo(number, "during", law.role("office"))
    law.submit(number)
    with pytest.raises(Refused, match="照片是您拍的"):
        law.step(number, "verify", law.role("office"), checklist=law.checklist(number))
    law.photo(number, "send_back", law.role("office2"))
    law.step(number, "send_back", law.role("office2"), reason="还有")
    law.submit(number)
    with pytest.raises(Refused, match="照片是您拍的"):
        law.step(number, "verify", law.role("office"), checklist=law.checklist(number))


@pytest.mark.parametrize("kind", ["account", "token"])
def test_second_account_of_a_person_of_the_unit(law: LawTown, kind: str) -> None:
    """He neither took a photo nor submitted, and signs in as the office: his other account gives him away."""
    number = law.rectified()
    with law.station.work(RULE) as work:
        if kind == "account":
            people.add_account(work, "li2", "a long password", ["unit"], name="两面人", unit="water")
        else:
            people.add_token(work, "两面人", "unit", unit="water")
        people.add_token(work, "两面人", "office")
        person_id = people.person(work, "两面人").id
    office_account = Actor(person_id, "两面人", frozenset({"office"}), None, None, via="test")
    with pytest.raises(Refused, match="责任单位的人"):
        law.step(number, "verify", office_account, checklist=law.checklist(number))


def test_second_account_decides_ones_own_request(law: LawTown) -> None:
    number = law.reported()
    asked = law.step(number, "dismiss", law.role("office"), reason="没有", reason_code="not_found")
    for roles in (("office_head",), ("chief",), ("inspector", "office_head")):
        with pytest.raises(Refused, match="另一个人"):
            law.decide(asked.request, law.several("环保办甲", *roles))
        with pytest.raises(Refused, match="另一个人"):
            law.turn_down(asked.request, law.several("环保办甲", *roles))
    assert law.issue(number).state == "reported"


def test_no_before_photo(law: LawTown) -> None:
    number = law.assigned()
    with pytest.raises(BadInput, match="整改前"):
        law.step(number, "supervise", law.role("grid"), finding="true", position=law.here(number))
    law.forward(hours=3)  # nobody came: the unit may submit, but not without a before
    law.photo(number, "after", law.role("unit"))
    with pytest.raises(BadInput, match="整改前"):
        law.step(number, "submit", law.role("unit"))


def test_no_after_photo_or_one_older_than_the_step_before(law: LawTown) -> None:
    number, unit = law.assigned(), law.role("unit")
    law.half1(number)
    law.photo(number, "after", unit)
    law.forward(minutes=1)
    law.step(number, "supervise", law.role("office2"))
    with pytest.raises(BadInput, match="比上一步还早"):
        law.step(number, "submit", unit)


def test_checking_in_from_the_sofa(law: LawTown) -> None:
    number, grid = law.assigned(), law.role("grid")
    law.photo(number, "before", grid)
    with pytest.raises(BadInput, match="请到现场"):
        law.step(number, "supervise", grid, finding="true", position=law.here(number, 300))
    with pytest.raises(BadInput, match="定位不准"):
        law.step(number, "supervise", grid, finding="true", position=law.here(number, 300, accuracy_m=900))
    with pytest.raises(BadInput, match="缺定位"):
        law.step(number, "supervise", grid, finding="true")


def test_wrong_unit_submits(law: LawTown) -> None:
    number = law.reported()
    law.step(number, "assign", law.role("office"), lead_unit="water", assisting=["sanitation"])
    law.half1(number)
    law.step(number, "supervise", law.role("office2"))
    helper = law.role("unit:sanitation")
    law.forward(minutes=3)
    law.photo(number, "after", helper)
    with pytest.raises(Refused, match="报验由责任单位办"):
        law.step(number, "submit", helper)
    with pytest.raises(PatrolError, match="不归您看"):
        law.step(number, "submit", law.role("unit:construction"))
    with pytest.raises(Refused, match="报验由责任单位办"):
        law.step(number, "submit", law.role("grid"))


def test_verifier_closes(law: LawTown) -> None:
    number = law.rectified()
    head = law.role("office_head")
    law.step(number, "verify", head, checklist=law.checklist(number))
    for roles in (("office_head",), ("chief", "office_head")):
        with pytest.raises(Refused, match="验收的是您"):
            law.step(number, "close", law.several("环保办主任", *roles))


def test_closing_without_acceptance(law: LawTown) -> None:
    for make in ("reported", "assigned", "supervised", "rectified"):
        number = getattr(law, make)(
            kind="sewage", chainage_m={"reported": 300, "assigned": 700, "supervised": 1100, "rectified": 1500}[make]
        )
        for name in ("close", "look_back", "reopen"):
            with pytest.raises(WrongStep):
                law.step(number, name, law.role("office_head"), reason="x")


def test_dismissing_alone(law: LawTown) -> None:
    number = law.assigned()
    law.step(number, "dismiss", law.role("office"), reason="算了", reason_code="no_detail")
    assert law.issue(number).state == "assigned"
    with pytest.raises(WrongStep, match="等批"):
        law.step(number, "dismiss", law.role("office2"), reason="算了", reason_code="no_detail")


def test_merging_to_hide_what_is_still_there(law: LawTown) -> None:
    """A child seen after the parent's work was done makes the parent be looked at again."""
    parent = law.rectified()
    law.forward(minutes=30)
    child = law.reported(chainage_m=1800)
    law.step(child, "merge", law.role("office"), parent=parent)
    assert "still_visible" in law.issue(parent).flags
    with pytest.raises(BadInput, match="再去看过"):
        law.step(parent, "verify", law.role("office"), checklist=law.checklist(parent))


@pytest.mark.parametrize("into", ["reported", "assigned", "rectified"])
def test_merging_to_win_time(law: LawTown, into: str) -> None:
    child = law.assigned(chainage_m=1800)
    law.forward(hours=7)
    left = law.left_s(child)
    parent = getattr(law, into)()
    law.step(child, "merge", law.role("office"), parent=parent)
    if into == "reported":
        law.step(parent, "assign", law.role("office"), lead_unit="water")
    assert law.left_s(parent) <= left
    if into == "rectified":
        assert law.clocks(parent)["rectify"].state == "paused", "a merge starts no paused clock"


def test_merging_past_assigned_needs_a_second_person_and_unmerging_too(law: LawTown) -> None:
    child, parent = law.supervised(chainage_m=1800), law.assigned()
    asked = law.step(child, "merge", law.role("office"), parent=parent, reason="一处")
    assert law.issue(child).state == "supervised"
    law.decide(asked.request)
    back = law.step(child, "unmerge", law.role("office"), reason="两处")
    assert law.issue(child).state == "merged"
    law.decide(back.request)
    assert law.issue(child).state == "supervised"


def test_merging_an_issue_into_itself_or_into_nothing(law: LawTown) -> None:
    number = law.reported()
    for parent in (number, "TH-2026-9999", law.dismissed(chainage_m=1800)):
        with pytest.raises(BadInput, match="不能并"):
            law.step(number, "merge", law.role("office"), parent=parent)


def test_closing_in_bulk_is_every_issue_by_itself(law: LawTown) -> None:
    """There is no verb for many: a head who closes what he accepted is refused each time, and the rest stand."""
    assert not [row for row in STEPS.values() if "issues" in row.fields]
    head, numbers = law.role("office_head"), [law.verified(chainage_m=at) for at in (400, 1000)]
    own = law.rectified(chainage_m=1600)
    law.step(own, "verify", head, checklist=law.checklist(own))
    closed = []
    for number in (*numbers, own):
        try:
            law.step(number, "close", head)
            closed.append(number)
        except Refused:
            assert number == own
    assert closed == numbers and law.issue(own).state == "verified"


def test_renaming_oneself_acting_head(law: LawTown) -> None:
    head = law.role("office_head")
    today = law.clock.at.date()
    with law.station.work(head) as work, pytest.raises(BadInput, match="自己"):
        people.delegate(work, head.person_id or 0, today, today)
    with law.station.work(law.role("office")) as work, pytest.raises(Refused):
        people.delegate(work, head.person_id or 0, today, today)


def test_only_chief_accepts_the_offices_work_and_nobody_can_close_it(law: LawTown) -> None:
    actors = settle_in(law, PEOPLE)
    chief = next(actor for way, actor in actors.items() if way.name == "河长")
    number = law.rectified("office")
    with pytest.raises(Refused, match="指定外单位"):
        law.step(number, "verify", chief, checklist=law.checklist(number))
