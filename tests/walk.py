"""The steps of one issue as tests take them: persons, photos drawn here, and the walk from report to close."""

from __future__ import annotations

import io
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from patrol import models as m
from patrol.actions import handle, people, photos
from patrol.actions.report import Draft, Outcome, report
from patrol.rules.problems import PROBLEMS
from patrol.station import ANYONE, Actor, Station

NAMES = {
    "office": "环保办甲", "office2": "环保办乙", "office_head": "环保办主任", "chief": "河长", "inspector": "督察员",
    "grid": "网格员", "unit": "水利员", "operator": "话务员", "drone": "无人机",
}  # fmt: skip


def picture(seed: int = 0, size: tuple[int, int] = (320, 240)) -> bytes:
    """A JPEG unlike any other: smooth noise from a seed, so that perceptual hashes differ."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


@dataclass
class Town:
    """A station with people in it."""

    station: Station
    seed: int = 1000

    def person(self, role: str, *, unit: str | None = None, name: str | None = None,
               grids: frozenset[str] | None = None) -> Actor:  # fmt: skip
        name = name or NAMES.get(role, role)
        with self.station.work(ANYONE) as work:
            row = people.person(work, name)
            return Actor(row.id, name, frozenset({role.rstrip("2")}), unit, grids, via="test")

    def at(self, chainage_m: float = 1240, offset_m: float = 0.0, accuracy_m: float | None = 5.0) -> dict[str, Any]:
        lon, lat = self.station.place.river.point_at(chainage_m, offset_m, "left")
        return {"lon": lon, "lat": lat, "crs": "wgs84", "accuracy_m": accuracy_m}

    def report(self, channel: str = "grid", kind: str = "floating_debris", chainage_m: float = 1240,
               actor: Actor = ANYONE, **fields: Any) -> Outcome:  # fmt: skip
        fields.setdefault("position", self.at(chainage_m))
        fields.setdefault("score", 0.95 if channel == "drone" else None)
        with self.station.work(actor) as work:
            return report(work, Draft(channel=channel, kind=kind, client_id=str(uuid.uuid4()), **fields))

    def photo(self, number: str, stage: str, actor: Actor, *, seed: int | None = None, chainage_m: float = 1240,
              **claim: Any) -> str:  # fmt: skip
        self.seed += 1
        shot = photos.take_in(self.station, picture(seed if seed is not None else self.seed))
        claim.setdefault("position", self.at(chainage_m))
        claim.setdefault("taken_at", self.station.now())
        with self.station.work(actor) as work:
            issue = handle.find_issue(work, number, lock=True)
            return photos.attach(work, issue, stage, shot, photos.Claim(**claim)).ref

    def issue(self, number: str) -> m.Issue:
        with self.station.look() as look:
            return look.session.query(m.Issue).filter_by(number=number).one()

    def step(self, number: str, verb: str, actor: Actor, **body: Any) -> handle.Result:
        version = self.issue(number).version
        with self.station.work(actor) as work:
            return handle.act(work, number, verb, body, version)

    def approve(self, request: m.Request, actor: Actor, **body: Any) -> handle.Result:
        with self.station.work(actor) as work:
            return handle.approve(work, request.id, body, request.version)

    def checklist(self, number: str) -> dict[str, bool]:
        return dict.fromkeys(PROBLEMS[self.issue(number).kind].checklist, True)

    def to_assigned(self, **report_fields: Any) -> str:
        number = self.report(**report_fields).issue.number
        self.step(number, "assign", self.person("office"), lead_unit="water")
        return number

    def to_supervised(self, **report_fields: Any) -> str:
        number = self.to_assigned(**report_fields)
        grid = self.person("grid")
        self.photo(number, "before", grid)
        self.step(number, "supervise", grid, finding="true", position=self.at())
        self.step(number, "supervise", self.person("office2"))
        return number

    def to_rectified(self, **report_fields: Any) -> str:
        number = self.to_supervised(**report_fields)
        unit = self.person("unit", unit="water")
        self.station.clock.forward(minutes=5)  # type: ignore[attr-defined]  # the settable clock
        self.photo(number, "after", unit)
        self.step(number, "submit", unit)
        return number

    def to_verified(self, **report_fields: Any) -> str:
        number = self.to_rectified(**report_fields)
        self.step(number, "verify", self.person("office"), checklist=self.checklist(number))
        return number

    def to_closed(self, **report_fields: Any) -> str:
        number = self.to_verified(**report_fields)
        self.step(number, "close", self.person("office_head"))
        return number
