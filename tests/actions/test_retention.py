"""What informants gave goes when its days are over, wherever it stood, and the trail stays whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from patrol import models as m
from patrol.actions import photos, retention, sealing, tips
from patrol.errors import WrongStep
from patrol.gateways import identity
from patrol.queries.trail import anchors_of, verify
from patrol.rules.retention import KEEPS
from patrol.station import SYSTEM, Station
from tests.sealroom import ring
from tests.walk import Town, picture

SAID = "MARKWORDS 邻居家的暗管"


@pytest.fixture
def closed(station: Station) -> tuple[m.Sighting, str]:
    """A closed issue from one tip with everything a tip can have; and its code."""
    ring(station)
    town = Town(station)
    shot = photos.take_in(station, picture(7), tip=True)
    outcome = town.report("tip", contact={"phone": "13987654321"}, callback=True, shots=(shot,), words=SAID)
    assert outcome.issue is not None and outcome.receipt_code is not None
    with station.work(tips.REPORTER) as work:
        tips.supplement(work, outcome.receipt_code, f"{SAID} 又补充")
    number = outcome.issue.number
    _to_closed(town, number)
    return outcome.sighting, outcome.receipt_code


def _to_closed(town: Town, number: str) -> None:
    town.step(number, "assign", town.person("office"), lead_unit="water", words="请清理")
    grid = town.person("grid")
    town.photo(number, "before", grid)
    town.step(number, "supervise", grid, finding="true", position=town.at())
    town.step(number, "supervise", town.person("office2"))
    town.station.clock.forward(minutes=5)  # type: ignore[attr-defined]  # the settable clock
    unit = town.person("unit", unit="water")
    town.photo(number, "after", unit)
    town.step(number, "submit", unit)
    town.step(number, "verify", town.person("office"), checklist=town.checklist(number))
    town.step(number, "close", town.person("office_head"))


def days(station: Station, count: float) -> dict[str, int]:
    station.clock.forward(days=count)  # type: ignore[attr-defined]  # the settable clock
    dry = retention.retain(station, dry=True)
    assert retention.retain(station) == dry
    assert retention.retain(station) == dict.fromkeys(KEEPS, 0)  # once is enough
    return {name: count for name, count in dry.items() if count}


def row(station: Station, sighting: m.Sighting) -> m.Sighting:
    with station.look() as look:
        return look.session.get_one(m.Sighting, sighting.id)


def test_each_thing_goes_on_its_own_day(station: Station, closed: tuple[m.Sighting, str]) -> None:
    tip, code = closed
    with station.look(SYSTEM) as look:
        envelopes = [part.envelope for part in sealing.parts(look, tip)]
        photo = look.session.query(m.Photo).filter(m.Photo.sealed_sha256.is_not(None)).one()
    sealed = str(photo.sealed_sha256)
    assert station.store.has(sealed) and days(station, 14.9) == {}
    assert days(station, 0.2) == {"callback": 1} and row(station, tip).callback_sealed is None
    assert days(station, 75) == {"identity": 1} and row(station, tip).identity_sealed is None
    assert station.store.has(sealed)
    assert days(station, 90) == {"original": 1} and not station.store.has(sealed)
    assert station.store.has(photo.sha256)  # the clean picture is evidence and stays
    assert row(station, tip).words == SAID
    assert days(station, 550) == {"words": 1} and row(station, tip).words == ""
    assert row(station, tip).erased == ["callback", "identity", "original", "words"]
    with station.look(SYSTEM) as look:
        assert look.session.query(m.SealShare).filter(m.SealShare.envelope.in_(envelopes)).count() == 0
        assert look.session.query(m.SealShare).count() == 0
    with station.look(SYSTEM) as look:
        report = verify(look, anchors_of(station.settings))
    assert report.ok, report.broken[:3]
    with station.work(tips.REPORTER) as work, pytest.raises(WrongStep):
        tips.supplement(work, code, "还有")
    assert identity.normalise_code(code)


def test_nothing_erased_is_left_in_any_file(station: Station, closed: tuple[m.Sighting, str]) -> None:
    if not station.settings.is_sqlite:
        pytest.skip("PostgreSQL keeps its files elsewhere; VACUUM is the operator's")
    data = Path(station.settings.data)
    assert any(SAID.encode() in path.read_bytes() for path in data.rglob("*") if path.is_file())
    days(station, 731)
    for path in data.rglob("*"):
        assert not path.is_file() or SAID.encode() not in path.read_bytes(), path


def test_what_is_open_or_argued_about_is_held(station: Station, closed: tuple[m.Sighting, str]) -> None:
    _, code = closed
    with station.work(tips.REPORTER) as work:
        tips.ask(work, code, "reopen", {"reason": "没办好"})
    assert days(station, 800) == {}
    ring_tip = Town(station).report("tip", contact={"phone": "13987654321"}, chainage_m=300.0)
    assert ring_tip.issue is not None and ring_tip.issue.state == "reported"
    assert days(station, 800) == {}


def test_the_queue_never_holds_what_a_reporter_wrote(station: Station, closed: tuple[m.Sighting, str]) -> None:
    with station.look() as look:
        errands = look.session.query(m.Errand).all()
    assert errands and all("MARKWORDS" not in str(errand.facts) for errand in errands)
