"""Who hears of what: errands are written with the deed itself, by the table and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from patrol import models as m
from patrol.actions.notices import card_of
from patrol.errors import PatrolError
from patrol.rules.audience import AUDIENCE, CARDS, QUIET
from patrol.rules.lifecycle import STEPS
from tests.property.lawtown import LawTown, open_station
from tests.property.scenes import ADDS, SCENES


def errands(law: LawTown) -> list[m.Errand]:
    with law.station.look() as look:
        return look.session.query(m.Errand).order_by(m.Errand.id).all()


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A town whose every group has a robot, so that nothing is left to the hand."""
    folder = tmp_path_factory.mktemp("wired")
    groups = [
        "chiefs",
        "office",
        "fishing",
        *(f"unit:{code}" for code in ("water", "sanitation", "property", "office")),
    ]
    rows = "".join(
        f'[[robot]]\ngroup = "{g}"\nbrand = "wecom"\nurl = "http://127.0.0.1:9/x?key={n}"\n\n'
        for n, g in enumerate(groups)
    )
    (folder / "robots.toml").write_text(rows, encoding="utf-8")
    with open_station(
        folder, PATROL_ROBOTS_FILE=str(folder / "robots.toml"), PATROL_ROBOT_HOSTS="127.0.0.1:9"
    ) as station:
        yield LawTown(station)


@pytest.mark.parametrize("name", STEPS)
def test_each_step_owes_what_the_table_says_and_not_more(wired: LawTown, name: str) -> None:
    wired.empty()
    number, actor, body = SCENES[name](wired)
    made, lines = len(errands(wired)), len(wired.trail(number))
    result = wired.step(number, STEPS[name].verb, actor, **body)
    if result.request is not None:
        if name == "transfer":
            wired.photo(number, "receipt", wired.role("office2"))
        wired.decide(result.request, **ADDS.get(name, {}))
    owed = errands(wired)[made:]
    wanted: set[tuple[str, str, str | None]] = set()
    issue = wired.issue(number)
    for line in wired.trail(number)[lines:]:
        for hear in AUDIENCE.get(line.event, ()):
            groups: list[str | None] = [hear.group]
            if hear.group == "unit":
                groups = [f"unit:{unit}" for unit in (issue.lead_unit, *issue.assisting) if unit]
            if hear.group == "old_unit":
                groups = [f"unit:{line.facts['old_unit']}"] if line.facts and line.facts.get("old_unit") else []
            wanted |= {(line.event, hear.handler, group) for group in groups}
    mine = {(e.event, e.handler, e.group) for e in owed if e.issue_id == issue.id}
    assert mine == wanted
    assert all(e.state == "due" for e in owed)


def test_without_a_robot_the_office_copies_the_card_and_a_unit_reads_it_when_it_signs_in(law: LawTown) -> None:
    law.assigned()
    states = {(e.group, e.state) for e in errands(law) if e.event == "assigned"}
    assert states == {("chiefs", "by_hand"), (None, "due")}


def test_a_refused_deed_owes_nothing(law: LawTown) -> None:
    number = law.assigned()
    before = len(errands(law))
    with pytest.raises(PatrolError):
        law.step(number, "close", law.role("office_head"))
    assert len(errands(law)) == before


def test_an_event_outside_the_tables_cannot_be_told(law: LawTown) -> None:
    with law.station.work(law.role("office")) as work, pytest.raises(KeyError):
        work.tell("whispered")
    assert "whispered" not in QUIET


def test_quiet_events_owe_nothing(law: LawTown) -> None:
    with law.station.work(law.role("office")) as work:
        for event in sorted(QUIET):
            work.tell(event)
    assert errands(law) == []


def test_cards_carry_no_words_of_an_informant_and_no_exact_place(law: LawTown) -> None:
    secret = "我是住在三栋的老王"
    number = law.reported(channel="tip", words=secret, place_words=secret)
    law.step(number, "assign", law.role("office"), lead_unit="water")
    with law.station.look() as look:
        for errand in look.session.query(m.Errand).filter(m.Errand.handler.like("card:%")):
            card = card_of(look, errand)
            text = card.title + "".join(card.lines)
            assert "老王" not in text and card.title in CARDS.values()
            issue = law.issue(number)
            assert f"{issue.lon:.5f}" not in text and f"{issue.lat:.5f}" not in text
