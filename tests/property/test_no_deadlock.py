"""No deadlock: from every state an issue can reach, somebody of the town can move it on towards an end.

Each state is reached by real steps and left by really trying, person by person with full evidence, never by reading
the table. The towns: an ordinary unit, a unit on paper, a unit with a robot, the office as the unit; and each again
with no head at all.
"""

from __future__ import annotations

import pytest

from patrol.actions import people
from patrol.errors import PatrolError
from patrol.rules.lifecycle import APPROVALS, STEPS
from patrol.station import Actor
from tests.property.kit import PEOPLE, Way, bring, settle_in
from tests.property.lawtown import LawTown

UNITS = ["water", "property", "sanitation", "office"]
# what leads towards an end, best first; merging and forcing are no way out here
TOWARDS = (
    "assign",
    "supervise",
    "supervise_gone",
    "supervise_false",
    "resume",
    "submit",
    "verify",
    "close",
    "name_acceptor",
    "send_back",
    "dismiss",
)
RANK = {"reported": 0, "assigned": 1, "supervised": 2, "rectified": 3, "verified": 4, "closed": 5, "dismissed": 5}


class Folk:
    """The persons of one town, with or without a head, who try things."""

    def __init__(self, law: LawTown, head: bool) -> None:
        self.law = law
        ways: tuple[Way, ...] = tuple(w for w in PEOPLE if head or "office_head" not in w.roles)
        self.actors = settle_in(law, ways)

    def by(self, name: str) -> Actor:
        return next(actor for way, actor in self.actors.items() if way.name == name)

    def on(self, number: str, names: tuple[str, ...] = TOWARDS) -> str | None:
        """The first step towards an end that somebody takes, asked for and granted where it must be."""
        state = self.law.issue(number).state
        for name in names:
            if state not in STEPS[name].from_ or (name == "name_acceptor" and self.law.issue(number).acceptor_id):
                continue
            for actor in self.actors.values():
                if self._takes(number, name, actor):
                    return name
        return None

    def _takes(self, number: str, name: str, actor: Actor) -> bool:
        named = actor.person_id == self.law.issue(number).acceptor_id
        if not (named or actor.roles & set(STEPS[name].who) or "acting_head" in STEPS[name].who):
            return False  # who has no right to try leaves no photos behind either
        self.law.forward(minutes=1)
        try:
            result = self.law.step(number, STEPS[name].verb, actor, **bring(self.law, number, STEPS[name], actor))
        except PatrolError:
            return False
        return result.request is None or self.granted(result.request.id)

    def granted(self, request_id: int) -> bool:
        request = self.law.request(request_id)
        assert APPROVALS[request.approval]
        for actor in self.actors.values():
            try:
                self.law.decide(request, actor)
            except PatrolError:
                continue
            return True
        return False

    def to_the_end(self, number: str) -> list[str]:
        """Steps taken until the issue has ended; a step may repeat only a few times."""
        taken: list[str] = []
        while RANK[self.law.issue(number).state] < 5:
            step = self.on(number)
            if step is None and self.law.issue(number).state == "verified":
                self.delegate()
                step = self.on(number)
            assert step is not None, f"stuck in {self.law.issue(number).state} after {taken}"
            taken.append(step)
            assert len(taken) < 14, f"going round in circles: {taken}"
        return taken

    def delegate(self) -> None:
        """The head is away: a chief names an acting head for today."""
        today = self.law.clock.at.date()
        deputy = self.by("环保办乙").person_id
        assert deputy is not None
        with self.law.station.work(self.by("河长")) as work:
            people.delegate(work, deputy, today, today)


@pytest.mark.parametrize("head", [True, False], ids=["head", "no-head"])
@pytest.mark.parametrize("unit", UNITS)
def test_from_report_to_close_in_every_town(law: LawTown, unit: str, head: bool) -> None:
    folk, number = Folk(law, head), law.reported()
    law.step(number, "assign", folk.by("环保办甲"), lead_unit=unit)
    steps = folk.to_the_end(number)
    assert law.issue(number).state == "closed" and steps[-1] == "close" and "verify" in steps
    assert "forced" not in law.issue(number).flags


def _half_confirmed(law: LawTown, folk: Folk, number: str) -> None:
    law.step(number, "supervise", folk.by("环保办乙"))


def _checked(law: LawTown, folk: Folk, number: str) -> None:
    bring_and_take(law, number, "supervise", folk.by("网格员"))


def _gone(law: LawTown, folk: Folk, number: str) -> None:
    bring_and_take(law, number, "supervise_gone", folk.by("网格员"))


def _false(law: LawTown, folk: Folk, number: str) -> None:
    bring_and_take(law, number, "supervise_false", folk.by("网格员"))


def _gone_and_confirmed(law: LawTown, folk: Folk, number: str) -> None:
    _gone(law, folk, number)
    law.step(number, "supervise", folk.by("环保办乙"))


def _unit_silent_and_nobody_came(law: LawTown, folk: Folk, number: str) -> None:
    law.forward(days=5)


def _suspended(law: LawTown, folk: Folk, number: str) -> None:
    unit = next((actor for way, actor in folk.actors.items() if way.unit == law.issue(number).lead_unit), None)
    if unit is None:
        return  # a unit on paper has nobody who could ask
    body = bring(law, number, STEPS["suspend"], unit)
    asked = law.step(number, "suspend", unit, **body)
    assert asked.request is not None and folk.granted(asked.request.id)


def _asked_to_dismiss(law: LawTown, folk: Folk, number: str) -> None:
    law.step(number, "dismiss", folk.by("环保办甲"), reason="再看", reason_code="no_detail")


def _reassigned(law: LawTown, folk: Folk, number: str) -> None:
    _checked(law, folk, number)
    law.step(number, "supervise", folk.by("环保办乙"))
    law.step(number, "reassign", folk.by("环保办甲"), reason="换", lead_unit="construction")


def _flagged_after(law: LawTown, folk: Folk, number: str) -> None:
    _to_rectified(law, folk, number, away_m=400)


def _still_visible(law: LawTown, folk: Folk, number: str) -> None:
    _to_rectified(law, folk, number)
    law.forward(minutes=1)
    assert law.report(channel="grid").joined and "still_visible" in law.issue(number).flags


def _still_visible_when_verified(law: LawTown, folk: Folk, number: str) -> None:
    _to_rectified(law, folk, number)
    assert folk.on(number, ("verify", "name_acceptor")) and (
        law.issue(number).state == "verified" or folk.on(number, ("verify",))
    )
    law.forward(minutes=1)
    assert law.report(channel="grid").joined and "still_visible" in law.issue(number).flags


def _sent_back(law: LawTown, folk: Folk, number: str) -> None:
    _to_rectified(law, folk, number)
    assert folk.on(number, ("send_back",))


def _lost_phone(law: LawTown, folk: Folk, number: str) -> None:
    _to_rectified(law, folk, number, manifest=9)


def _reopened(law: LawTown, folk: Folk, number: str) -> None:
    folk.to_the_end(number)
    law.step(number, "reopen", folk.by("督察员"), reason="又有了", by_telephone=True)


def _returned_twice(law: LawTown, folk: Folk, number: str) -> None:
    first = law.issue(number).lead_unit
    for new in ("construction", "sanitation"):
        unit = next((actor for way, actor in folk.actors.items() if way.unit == law.issue(number).lead_unit), None)
        if unit is None:
            return
        asked = law.step(number, "return", unit, reason="不归我们")
        law.decide(asked.request, folk.by("环保办乙"), lead_unit=new if new != first else "water")


def _to_rectified(law: LawTown, folk: Folk, number: str, away_m: float = 0.0, **more: object) -> None:
    _checked(law, folk, number)
    law.step(number, "supervise", folk.by("环保办乙"))
    unit = law.issue(number).lead_unit
    actor = next((a for way, a in folk.actors.items() if way.unit == unit), folk.by("网格员"))
    law.forward(minutes=3)
    law.photo(number, "after", actor, away_m=away_m)
    law.step(number, "submit", actor, **more)


def bring_and_take(law: LawTown, number: str, name: str, actor: Actor) -> None:
    law.step(number, STEPS[name].verb, actor, **bring(law, number, STEPS[name], actor))


CORNERS = {
    name.strip("_"): deed
    for name, deed in list(globals().items())
    if name.startswith("_") and callable(deed) and name not in ("_to_rectified",) and not name.startswith("__")
}


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("unit", UNITS)
def test_out_of_every_corner_there_is_a_way(law: LawTown, unit: str, corner: str) -> None:
    folk, number = Folk(law, head=False), law.reported()
    law.step(number, "assign", folk.by("环保办甲"), lead_unit=unit)
    CORNERS[corner](law, folk, number)
    folk.to_the_end(number)
    assert law.issue(number).state in ("closed", "dismissed") and "forced" not in law.issue(number).flags


def test_handled_on_the_spot_and_sent_back_finds_a_unit(law: LawTown) -> None:
    folk, number = Folk(law, head=True), law.reported()
    bring_and_take(law, number, "handle_here", folk.by("网格员"))
    assert folk.on(number, ("send_back",))
    assert folk.on(number) is None, "there is no unit yet"
    law.step(number, "reassign", folk.by("环保办甲"), reason="要清淤", lead_unit="water")
    folk.to_the_end(number)
    assert law.issue(number).state == "closed"


def test_seen_again_after_acceptance_goes_back_to_work_when_it_is_still_there(law: LawTown) -> None:
    folk, number = Folk(law, head=True), law.reported()
    law.step(number, "assign", folk.by("环保办甲"), lead_unit="water")
    _still_visible_when_verified(law, folk, number)
    head = folk.by("环保办主任")
    with pytest.raises(PatrolError, match="再去看过"):
        law.step(number, "close", head)
    assert folk.on(number, ("send_back",)) == "send_back"
    assert law.issue(number).state == "supervised" and law.clocks(number)["rectify"].state == "running"
    assert law.clocks(number)["close"].state == "cancelled"
    folk.to_the_end(number)


def test_a_merged_issue_comes_back_and_goes_on(law: LawTown) -> None:
    folk, parent, child = Folk(law, head=True), law.reported(), law.reported(chainage_m=1800)
    for number in (parent, child):
        law.step(number, "assign", folk.by("环保办甲"), lead_unit="water", duplicate_answered=True)
    law.step(child, "merge", folk.by("环保办甲"), parent=parent)
    folk.to_the_end(parent)
    law.step(child, "unmerge", folk.by("环保办乙"), reason="不是一件")
    folk.to_the_end(child)
