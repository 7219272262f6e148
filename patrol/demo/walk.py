"""The real deeds, done by the people of the sample at moments of the past days.

Every act goes through `patrol.actions` with the station's clock set to its moment, and what time itself
brings about in between (ladders, silence, expiry) happens at its own moment. So trail, clocks and slips are
genuine.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import clues, followup, frames, handle, photos
from patrol.actions.delivery import handed_over
from patrol.actions.report import Draft, Outcome, report
from patrol.demo.bank import bank_photo
from patrol.demo.frame import drone_frame
from patrol.gateways import pictures
from patrol.rules.calendar import SHANGHAI
from patrol.rules.problems import PROBLEMS
from patrol.station import ANYONE, Actor, Station

_SEEDS_TRIED = 40


class SetClock:
    """The station's clock while the week is told: it stands where the story stands."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Walk:
    """One telling: the station, its people, and the pictures used so far."""

    station: Station
    clock: SetClock
    people: dict[str, Actor]
    seed: int = 2026
    on_each: Callable[[], None] = lambda: None
    scenes: dict[str, int] = field(default_factory=dict)
    hashes: list[tuple[str, str]] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def until(self, at: datetime) -> None:
        """Move to a moment, letting everything that falls due before it happen when it is due."""
        while (due := self._next_due()) is not None and due <= at:
            self.clock.at = max(self.clock.at, due)
            if not followup.sweep(self.station):
                break
        self.clock.at = max(self.clock.at, at)

    def _next_due(self) -> datetime | None:
        waiting = m.Sighting.state == "waiting"
        with self.station.look() as look:
            moments = [
                look.session.scalar(select(func.min(m.Clock.next_at))),
                look.session.scalar(select(func.min(m.Sighting.expires_at)).where(waiting)),
                look.session.scalar(select(func.min(m.Issue.suspended_until))),
            ]
        return min((moment for moment in moments if moment is not None), default=None)

    def uuid(self) -> str:
        self.made += 1
        return str(uuid.UUID(int=uuid.uuid5(uuid.NAMESPACE_OID, f"{self.seed}:{self.made}").int, version=4))

    # positions

    def at(
        self, chainage_m: float, bank: str = "left", offset_m: float = 12.0, accuracy_m: float = 6.0
    ) -> dict[str, Any]:
        river = self.station.place.river
        assert river is not None
        lon, lat = river.point_at(chainage_m, offset_m, bank)  # type: ignore[arg-type]  # left or right
        return {"lon": round(lon, 7), "lat": round(lat, 7), "crs": "wgs84", "accuracy_m": accuracy_m}

    def spot(self, number: str) -> dict[str, Any]:
        """Where an issue is, as a phone on the spot would say it."""
        issue = self.issue(number)
        return {"lon": issue.lon, "lat": issue.lat, "crs": "wgs84", "accuracy_m": 6.0}

    # what is seen

    def drone(
        self, kind: str, chainage_m: float, bank: str, round_no: int, *, score: float = 0.93, words: str = ""
    ) -> Outcome:
        """A frame of one round: drawn, read like any frame, projected, reported."""
        spot = self.at(chainage_m, bank)
        local = self.clock.at.astimezone(SHANGHAI)
        seed = self._new_seed()
        data, box = drone_frame(kind, seed, lon=spot["lon"], lat=spot["lat"], taken_at=local)
        shot = photos.take_in(self.station, data)
        mark = frames.read_mark(
            {
                "client_id": self.uuid(), "kind": kind, "score": score, "box": list(box), "round": round_no,
                "flight": f"R{round_no}-{local:%m%d}", "words": words,
            }
        )  # fmt: skip
        draft, _ = frames.draft_of(mark, data, shot)
        return self._report(draft, self.people["drone"])

    def says(
        self,
        channel: str,
        kind: str,
        words: str,
        *,
        by: str | None = None,
        photo: bool = False,
        **fields: Any,
    ) -> Outcome:
        """A person's report: tip, hotline, grid or volunteer."""
        shots: tuple[photos.Shot, ...] = ()
        if photo:
            data = bank_photo(kind, "before", self._new_seed())
            shots = (photos.take_in(self.station, data, tip=channel == "tip"),)
        draft = Draft(channel, kind, client_id=self.uuid(), words=words, shots=shots, **fields)
        outcome = self._report(draft, self.people[by] if by else ANYONE)
        if outcome.receipt_code:
            self.receipts.append(outcome.receipt_code)
        return outcome

    def _report(self, draft: Draft, actor: Actor) -> Outcome:
        with self.station.work(actor) as work:
            outcome = report(work, draft)
        self.on_each()
        return outcome

    # photos and steps

    def photo(self, number: str, stage: str, who: str, *, drawn: str | None = None) -> str:
        """Take one photo of an issue on the spot, a minute before now."""
        issue = self.issue(number)
        shown = drawn or {"during": "during", "after": "after", "look_back": "after", "accept": "after"}.get(
            stage, "before"
        )
        shot = self._unlike_others(number, issue.kind, shown, f"{stage}:{issue.round}")
        claim = photos.Claim(position=self.spot(number), taken_at=self.clock.at - timedelta(minutes=1))
        with self.station.work(self.people[who]) as work:
            held = handle.find_issue(work, number, lock=True)
            return photos.attach(work, held, stage, shot, claim).ref

    def _unlike_others(self, number: str, kind: str, drawn: str, hand: str) -> photos.Shot:
        """A drawing that no honest comparison takes for another issue's photo."""
        for _ in range(_SEEDS_TRIED):
            seed = self.scenes.setdefault(number, self._new_seed())
            shot = photos.take_in(self.station, bank_photo(kind, drawn, seed, hand))
            mine = shot.picture.phash
            far = all(pictures.hamming(mine, other) > pictures.SIMILAR_BITS for n, other in self.hashes if n != number)
            if far and not self._stored(shot):
                break
            self.scenes[number] = self._new_seed()
        self.hashes.append((number, shot.picture.phash))
        return shot

    def _stored(self, shot: photos.Shot) -> bool:
        with self.station.look() as look:
            return look.session.scalar(select(m.Photo.id).where(m.Photo.sha256 == shot.sha256).limit(1)) is not None

    def _new_seed(self) -> int:
        self.made += 1
        return self.seed * 1000 + self.made

    def issue(self, number: str) -> m.Issue:
        with self.station.look() as look:
            return look.session.scalars(select(m.Issue).where(m.Issue.number == number)).one()

    def step(self, number: str, verb: str, who: str, **body: Any) -> handle.Result:
        version = self.issue(number).version
        with self.station.work(self.people[who]) as work:
            result = handle.act(work, number, verb, body, version)
        self.on_each()
        return result

    def approve(self, asked: handle.Result, who: str, **body: Any) -> None:
        assert asked.request is not None
        with self.station.work(self.people[who]) as work:
            handle.approve(work, asked.request.id, body, asked.request.version)
        self.on_each()

    def checklist(self, number: str) -> dict[str, bool]:
        return dict.fromkeys(PROBLEMS[self.issue(number).kind].checklist, True)

    def proposed(self, number: str) -> str:
        """The unit the place proposes for an issue."""
        issue = self.issue(number)
        unit = self.station.place.propose_unit(issue.kind, issue.grid)
        assert unit is not None
        return unit.code

    # clues and cards

    def confirm(self, ref: str, who: str) -> clues.Settled:
        with self.station.work(self.people[who]) as work:
            settled = clues.confirm(work, ref)
        self.on_each()
        return settled

    def discard(self, ref: str, who: str, reason: str) -> None:
        with self.station.work(self.people[who]) as work:
            clues.discard(work, ref, reason)
        self.on_each()

    def copy_cards(self, number: str | None = None, *cards: str) -> None:
        """The office pastes waiting cards into their groups by hand: all, or an issue's of some sorts."""
        query = select(m.Errand.id).where(m.Errand.state == "by_hand").order_by(m.Errand.id)
        if number is not None:
            wanted = [f"card:{name}" for name in cards]
            query = query.where(m.Errand.issue_id == self.issue(number).id, m.Errand.handler.in_(wanted))
        with self.station.look() as look:
            waiting = list(look.session.scalars(query))
        for errand_id in waiting:
            with self.station.work(self.people["office2"]) as work:
                handed_over(work, errand_id)
