"""STEPS as a machine: whatever people do, in whatever order, with honest or false evidence, the law holds.

Short in every run; `PATROL_FULL=1` walks long.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from patrol import models as m
from patrol.actions import clues, followup
from patrol.errors import PatrolError
from patrol.rules.lifecycle import APPROVALS, DISCARD_REASONS, PHOTO_STAGES, STEPS
from patrol.station import Actor
from tests.property.invariants import Invariants
from tests.property.kit import PEOPLE, TWO_HATS, bring, settle_in
from tests.property.lawtown import LawTown, open_station

FULL = bool(os.environ.get("PATROL_FULL"))
WAYS = (*PEOPLE, *TWO_HATS)
FORWARD = {  # state -> the row that leads on, by whom
    "reported": ("assign", "office"),
    "assigned": ("supervise", "grid office"),
    "supervised": ("submit", "unit grid"),
    "rectified": ("verify", "office chief unit"),
    "verified": ("close", "office_head chief"),
    "merged": ("unmerge", "office"),
    "closed": ("reopen", "office"),
    "dismissed": ("reopen", "office"),
    "transferred": ("reopen", "office"),
}
DEEDS = ["go on"] * 6 + ["take"] * 6 + ["decide"] * 4 + ["meddle", "photograph", "see", "review", "time", "time"]
WALK_LIMITS = settings(
    max_examples=400 if FULL else 14,
    stateful_step_count=60 if FULL else 26,
    deadline=None,
    database=None,
    phases=[Phase.generate] if not FULL else [Phase.generate, Phase.shrink],
    derandomize=not FULL,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


class Steps(RuleBasedStateMachine):
    """One river, up to four issues, seventeen ways in for thirteen persons."""

    law: LawTown
    taken = 0

    @initialize(
        channel=st.sampled_from(["drone", "grid", "tip", "hotline"]),
        kind=st.sampled_from(["floating_debris", "sewage", "solid_waste"]),
        unit=st.sampled_from(["water", "sanitation", "property", "office"]),
    )
    def open(self, channel: str, kind: str, unit: str) -> None:
        self.law.empty()
        self.actors = settle_in(self.law, WAYS)
        self.unit = unit
        self.holds, self.throws = Invariants(self.law), 0
        self.law.report(channel=channel, kind=kind)
        self.law.report(channel="hotline", kind=kind)
        self.law.report(channel="grid", kind=kind, chainage_m=1700)

    def _issue(self, n: int) -> str:
        with self.law.station.look() as look:
            numbers = [number for (number,) in look.session.query(m.Issue.number).order_by(m.Issue.id)]
        return numbers[n % len(numbers)]

    def _actor(self, n: int, *roles: str) -> Actor:
        fit = [self.actors[way] for way in WAYS if not roles or way.roles & set(roles)]
        return fit[n % len(fit)]

    def _try(self, deed: Callable[[], object]) -> bool:
        try:
            deed()
        except PatrolError as error:
            assert error.sentence.endswith(("。", "！")) and not error.sentence.isascii()
            return False
        return True

    def _step(self, number: str, name: str, actor: Actor, body: dict[str, object]) -> bool:
        before = self.law.issue(number)
        result = []

        def deed() -> None:
            result.append(self.law.step(number, STEPS[name].verb, actor, **body))

        taken = self._try(deed)
        after = self.law.issue(number)
        if not taken:
            assert (after.version, after.trail_head) == (before.version, before.trail_head)
        elif result[0].request is None:
            assert after.version > before.version, "a step moves the version"
        else:
            assert (after.version, after.state) == (before.version, before.state), "asking changes no state"
        type(self).taken += taken
        return taken

    def _somebody(self, number: str, name: str, who: int, roles: tuple[str, ...], tries: int) -> None:
        """Persons come one after another with everything the step needs, until one may take it."""
        for n in range(tries):
            actor, body = self._actor(who + n, *roles), []

            def prepare(actor: Actor = actor, body: list[dict[str, object]] = body) -> None:
                body.append(bring(self.law, number, STEPS[name], actor, self.unit))

            if self._try(prepare) and self._step(number, name, actor, body[0]):
                return

    @rule(dice=st.integers(0, 2**32 - 1))
    def something_happens(self, dice: int) -> None:
        """One throw decides what, who, where and with what: mixed, so that a repeated number repeats no deed."""
        self.throws += 1
        throw = Random(f"{dice} {self.throws}")
        deed, name = throw.choice(DEEDS), throw.choice(list(STEPS))
        who, which, n = (throw.randrange(10_000) for _ in range(3))
        hours = throw.choice([0.2, 1, 3, 9, 30, 24 * 8, 24 * 100])
        match deed:
            case "go on":
                self.go_on(who, which, minutes=1 + n % 90, steps=1 + n % 3)
            case "take":
                self.take(who, which, name)
            case "meddle":
                self.meddle(who, which, name, drop=n)
            case "photograph":
                stages = sorted(set(PHOTO_STAGES) - {"frame", "report"})
                self.photograph(who, which, stages[n % len(stages)], (0, 0, 400)[n % 3], (0, 30)[n % 2], 1 + n % 12)
            case "decide":
                self.decide(who, which, ("approve", "approve", "approve", "refuse", "withdraw")[n % 5])
            case "see":
                self.see(("drone", "grid", "tip")[n % 3], (0, 20, 150)[n % 7 % 3], (0.5, 0.95)[n % 2])
            case "review":
                self.review(who, which, ("confirm", "discard", "join")[n % 3])
            case _:
                self.time_passes(hours)

    def go_on(self, who: int, which: int, minutes: int, steps: int) -> None:
        """Somebody takes the step that leads on, and then somebody the next."""
        number = self._issue(which)
        for n in range(steps):
            name, roles = FORWARD[self.law.issue(number).state]
            self.law.forward(minutes=minutes)
            self._somebody(number, name, who + n, tuple(roles.split()), tries=6)

    def take(self, who: int, which: int, name: str) -> None:
        """Somebody of the right role tries any step with everything it needs."""
        number, row = self._issue(which), STEPS[name]
        if self.law.issue(number).state not in row.from_:
            fitting = [r for r in STEPS.values() if self.law.issue(number).state in r.from_]
            row = fitting[who % len(fitting)]
        self._somebody(number, row.name, who, row.who, tries=2)

    def meddle(self, who: int, which: int, name: str, drop: int) -> None:
        """Anybody tries anything, with a piece of the evidence left out."""
        number, actor = self._issue(which), self._actor(who)
        body: list[dict[str, object]] = []
        if not self._try(lambda: body.append(bring(self.law, number, STEPS[name], actor, self.unit))):
            return
        names = sorted(body[0])
        if names:
            body[0].pop(names[drop % len(names)])
        self._step(number, name, actor, body[0])

    def photograph(self, who: int, which: int, stage: str, away_m: int, hours_ago: int, seed: int) -> None:
        """Anybody sends a photo: here or elsewhere, now or old, perhaps one that was sent before."""
        number, actor = self._issue(which), self._actor(who)
        at = self.law.clock.at - timedelta(hours=hours_ago)
        self._try(lambda: self.law.photo(number, stage, actor, seed=seed, away_m=away_m, taken_at=at))

    def decide(self, who: int, which: int, outcome: str) -> None:
        with self.law.station.look() as look:
            rows = look.session.query(m.Request).filter_by(state="open").order_by(m.Request.id).all()
        if not rows:
            return
        request = rows[which % len(rows)]
        rungs = APPROVALS[request.approval].rungs
        asker = [a for a in self.actors.values() if a.person_id == request.asker_id]
        actor = asker[0] if outcome == "withdraw" and asker else self._actor(who, *rungs[which % len(rungs)])
        if outcome == "withdraw":
            self._try(lambda: self.law.take_back(request, actor))
        elif outcome == "refuse":
            self._try(lambda: self.law.turn_down(request, actor))
        else:
            with self.law.station.look() as look:
                issue = look.session.get(m.Issue, request.issue_id)
            adds = {"lead_unit": "sanitation"} if request.step == "return" else {}
            if request.step == "transfer" and issue is not None:
                self._try(lambda: self.law.photo(issue.number, "receipt", actor))
            self._try(lambda: self.law.decide(request, actor, **adds))

    def see(self, channel: str, apart_m: int, score: float) -> None:
        """Something is seen again, or beside it."""
        with self.law.station.look() as look:
            if look.session.query(m.Issue).count() >= 4:
                return
        self._try(lambda: self.law.report(channel=channel, chainage_m=1240 + apart_m, score=score))

    def review(self, who: int, which: int, deed: str) -> None:
        with self.law.station.look() as look:
            refs = [r for (r,) in look.session.query(m.Sighting.ref).filter_by(state="waiting").order_by(m.Sighting.id)]
        if not refs:
            return
        ref, actor = refs[which % len(refs)], self._actor(who, "office", "grid")
        number = self._issue(which)

        def act() -> None:
            with self.law.station.work(actor) as work:
                if deed == "confirm":
                    clues.confirm(work, ref)
                elif deed == "join":
                    clues.join(work, ref, number)
                else:
                    clues.discard(work, ref, sorted(DISCARD_REASONS)[who % len(DISCARD_REASONS)])

        self._try(act)

    def time_passes(self, hours: float) -> None:
        """Time alone changes no state and grants nothing; what falls due is told once."""
        with self.law.station.look() as look:
            states = dict(look.session.query(m.Issue.number, m.Issue.state).all())
            granted = look.session.query(m.Request).filter_by(state="approved").count()
        self.law.forward(hours=hours)
        followup.sweep(self.law.station)
        assert followup.sweep(self.law.station) == 0, "what was due is told once"
        with self.law.station.look() as look:
            assert dict(look.session.query(m.Issue.number, m.Issue.state).all()) == states
            assert look.session.query(m.Request).filter_by(state="approved").count() == granted

    @invariant()
    def law_holds(self) -> None:
        if hasattr(self, "holds"):
            self.holds.check()


@pytest.mark.faults
@pytest.mark.timeout(0 if FULL else 240)
def test_the_law_holds_whatever_people_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    with open_station(tmp_path_factory.mktemp("machine"), PATROL_PHOTOS_PER_ISSUE="2000") as station:
        Steps.law, Steps.taken = LawTown(station), 0
        run_state_machine_as_test(Steps, settings=WALK_LIMITS)
    assert Steps.taken >= (4000 if FULL else 120), "the walk refused almost everything: it tells nothing"
