"""A town for the tests of the law: many persons, photos of any honesty, and a station that can be emptied.

It takes every step through the real actions; it must not write to issues or clocks round them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from PIL import Image
from sqlalchemy import select, text

from patrol import models as m
from patrol.actions import clocks, handle, photos, slips
from patrol.actions.report import Outcome
from patrol.models.base import Base
from patrol.settings import Settings
from patrol.station import Actor, Station
from tests.conftest import MONDAY, SetClock
from tests.databases import migrated, own_database
from tests.walk import NAMES, Town, picture

ALLOWED_LEFT = {"calendar_day", "calendar_year", "calendar_kept", "alembic_version"}
DECIDERS = {  # row of APPROVALS -> who decides it in these tests
    "second_person": "office_head",
    "office": "office2",
    "office_day": "office2",
    "head": "office_head",
    "chief": "chief",
    "inspector": "inspector",
    "receiver": "office2",
}


@contextmanager
def open_station(folder: Path, **settings: str) -> Iterator[Station]:
    """A migrated station of its own with a settable clock, on the database under test."""
    with own_database(folder) as values:
        opened = migrated(Station.open(Settings.read({**values, **settings}), clock=SetClock()))
        try:
            yield opened
        finally:
            opened.close()


class LawTown(Town):
    """Town with photos at the issue's own place, persons with several roles, and askings decided."""

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.shots: dict[int, photos.Shot] = {}

    @property
    def clock(self) -> SetClock:
        return cast("SetClock", self.station.clock)

    def forward(self, **span: float) -> datetime:
        return self.clock.forward(**span)

    def empty(self) -> None:
        """Forget every issue and person and set the clock back: a fresh town for one transaction."""
        with self.station.engine.execution_options(patrol_write=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                names = ", ".join(f'"{t.name}"' for t in Base.metadata.sorted_tables if t.name not in ALLOWED_LEFT)
                connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
            else:
                connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
                for table in reversed(Base.metadata.sorted_tables):
                    if table.name not in ALLOWED_LEFT:
                        connection.execute(table.delete())
        self.clock.at = MONDAY
        self.seed = 1000

    def role(self, word: str) -> Actor:
        """A person by a short word: `office`, `office2`, `unit`, `unit:sanitation`, `grid`, …"""
        role, _, unit = word.partition(":")
        if role.rstrip("2") == "unit":
            unit = unit or "water"
            base = NAMES["unit"] if (role, unit) == ("unit", "water") else f"{unit}员{role[4:]}"
            return self.person("unit", unit=unit, name=base)
        return self.person(role)

    def several(self, name: str, *roles: str, unit: str | None = None) -> Actor:
        """One person signed in with several roles at once."""
        one = self.person(roles[0], name=name)
        return Actor(one.person_id, name, frozenset(roles), unit, None, via="test")

    def shot(self, seed: int, quality_of: int | None = None) -> photos.Shot:
        """A photo in the store; `quality_of` re-saves another seed's picture at another quality."""
        if seed not in self.shots:
            data = picture(seed if quality_of is None else quality_of)
            if quality_of is not None:
                data = resaved(data)
            self.shots[seed] = photos.take_in(self.station, data)
        return self.shots[seed]

    def here(self, number: str, along_m: float = 0.0, accuracy_m: float | None = 5.0) -> dict[str, Any]:
        """The issue's own place, or so many metres north of it."""
        issue = self.issue(number)
        lon, lat = (issue.lon, issue.lat) if issue.lon is not None and issue.lat is not None else (None, None)
        if lon is None or lat is None:
            return self.at()
        return {"lon": lon, "lat": lat + along_m / 111_320, "crs": "wgs84", "accuracy_m": accuracy_m}

    def photo(
        self,
        number: str,
        stage: str,
        actor: Actor,
        *,
        seed: int | None = None,
        chainage_m: float = 0.0,
        away_m: float = 0.0,
        resaved_of: int | None = None,
        **claim: Any,
    ) -> str:
        self.seed += 1
        shot = self.shot(seed if seed is not None else self.seed, resaved_of)
        claim.setdefault("position", self.here(number, away_m))
        claim.setdefault("taken_at", self.station.now())
        with self.station.work(actor) as work:
            issue = handle.find_issue(work, number, lock=True)
            return photos.attach(work, issue, stage, shot, photos.Claim(**claim)).ref

    def decide(self, request: m.Request | None, who: str | Actor = "", **body: Any) -> handle.Result:
        assert request is not None
        actor = self.role(who or DECIDERS[request.approval]) if isinstance(who, str) else who
        return self.approve(self.request(request.id), actor, **body)

    def turn_down(self, request: m.Request | None, who: str | Actor = "", words: str = "不同意") -> handle.Result:
        assert request is not None
        actor = self.role(who or DECIDERS[request.approval]) if isinstance(who, str) else who
        with self.station.work(actor) as work:
            return handle.refuse(work, request.id, {"words": words}, self.request(request.id).version)

    def take_back(self, request: m.Request | None, actor: Actor) -> handle.Result:
        assert request is not None
        with self.station.work(actor) as work:
            return handle.withdraw(work, request.id, self.request(request.id).version)

    def request(self, request_id: int) -> m.Request:
        with self.station.look() as look:
            return look.session.query(m.Request).filter_by(id=request_id).one()

    # the walk, at whatever place the issue lies

    def reported(self, **fields: Any) -> str:
        outcome: Outcome = self.report(**fields)
        assert outcome.issue is not None, outcome.sighting.why
        return outcome.issue.number

    def assigned(self, unit: str = "water", **fields: Any) -> str:
        number = self.reported(**fields)
        self.step(number, "assign", self.role("office"), lead_unit=unit)
        return number

    def half1(self, number: str, finding: str = "true", stage: str = "before", **body: Any) -> handle.Result:
        grid = self.role("grid")
        for _ in range(2 if finding == "false" else 1):
            self.photo(number, stage, grid)
        body.setdefault("position", self.here(number))
        return self.step(number, "supervise", grid, finding=finding, **body)

    def supervised(self, unit: str = "water", **fields: Any) -> str:
        number = self.assigned(unit, **fields)
        self.half1(number)
        self.step(number, "supervise", self.role("office2"))
        return number

    def submit(self, number: str, actor: Actor | None = None) -> handle.Result:
        actor = actor or self.role(f"unit:{self.issue(number).lead_unit}")
        self.forward(minutes=3)
        self.photo(number, "after", actor)
        return self.step(number, "submit", actor)

    def rectified(self, unit: str = "water", **fields: Any) -> str:
        number = self.supervised(unit, **fields)
        self.submit(number)
        return number

    def verified(self, unit: str = "water", **fields: Any) -> str:
        number = self.rectified(unit, **fields)
        self.step(number, "verify", self.role("office"), checklist=self.checklist(number))
        return number

    def closed(self, unit: str = "water", **fields: Any) -> str:
        number = self.verified(unit, **fields)
        self.step(number, "close", self.role("office_head"))
        return number

    def dismissed(self, **fields: Any) -> str:
        number = self.reported(**fields)
        asked = self.step(number, "dismiss", self.role("office"), reason="没看到", reason_code="not_found")
        self.decide(asked.request)
        return number

    # what is known

    def clocks(self, number: str) -> dict[str, m.Clock]:
        """The newest instance of each clock."""
        with self.station.look() as look:
            return {clock.name: clock for clock in clocks.of(look, self.issue(number))}

    def instances(self, number: str, name: str) -> list[m.Clock]:
        with self.station.look() as look:
            return [clock for clock in clocks.of(look, self.issue(number)) if clock.name == name]

    def left_s(self, number: str, name: str = "rectify") -> int:
        with self.station.look() as look:
            clock = clocks.last(look, self.issue(number), name)
            assert clock is not None
            return clocks.reading(look, clock).left_s

    def slips(self, number: str, kind: str | None = None) -> list[m.Slip]:
        with self.station.look() as look:
            return slips.of(look, self.issue(number), kind)

    def trail(self, number: str) -> list[m.Trail]:
        issue_id = self.issue(number).id
        with self.station.look() as look:
            return list(look.session.scalars(select(m.Trail).where(m.Trail.issue_id == issue_id).order_by(m.Trail.seq)))

    def events(self, number: str) -> list[str]:
        return [line.event for line in self.trail(number)]


def resaved(data: bytes) -> bytes:
    """The same picture as a viewer would save it again: other bytes, hardly another look."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.save(out, "JPEG", quality=60)
    return out.getvalue()
