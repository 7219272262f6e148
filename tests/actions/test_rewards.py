"""Rewards: by code alone, first reporter only, one an issue, four eyes twice, never to staff, never twice."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from patrol import models as m
from patrol.actions import payout, rewards, sealing
from patrol.actions.report import Draft, report
from patrol.actions.tips import REPORTER
from patrol.errors import BadInput, Missing, PatrolError, Refused, Stale, WrongStep
from patrol.gateways import envelopes
from patrol.rules import rewards as law
from patrol.station import ANYONE, Actor, Station, Work
from tests.sealroom import ring
from tests.walk import Town


def own(private: bytes) -> str:
    return envelopes.key_id(bytes(envelopes.PrivateKey(private).public_key))


PHONE, STAFF_PHONE = "13900001234", "13811112222"


class Purse:
    """A town with officers, a key, and tips that went the whole way."""

    def __init__(self, station: Station) -> None:
        self.town, self.station = Town(station), station
        self.held = ring(station)
        self.office = self.town.person("office")
        self.head = self.town.person("office_head")
        self.ann, self.bo = (self.town.person("reward", name=name) for name in ("专员甲", "专员乙"))

    def do(self, actor: Actor, deed: Callable[[Work], Any]) -> Any:
        with self.station.work(actor) as work:
            return deed(work)

    def tip(self, chainage_m: float = 1240, **more: Any) -> tuple[str, str]:
        """A tip: its code, and the issue it is."""
        draft = Draft(
            "tip", "floating_debris", str(uuid.uuid4()), words="水面有漂浮物", position=self.town.at(chainage_m), **more
        )
        with self.station.work(ANYONE) as work:
            done = report(work, draft)
        assert done.receipt_code is not None and done.issue is not None
        self.station.clock.forward(minutes=2)  # type: ignore[attr-defined]  # the settable clock
        return done.receipt_code, done.issue.number

    def close(self, number: str, chainage_m: float = 1240) -> None:
        """The rest of the loop, for an issue that is reported."""
        town, grid, unit = self.town, self.town.person("grid"), self.town.person("unit", unit="water")
        town.step(number, "assign", town.person("office"), lead_unit="water")
        town.photo(number, "before", grid, chainage_m=chainage_m)
        town.step(number, "supervise", grid, finding="true", position=town.at(chainage_m))
        town.step(number, "supervise", town.person("office2"))
        self.station.clock.forward(minutes=5)  # type: ignore[attr-defined]  # the settable clock
        town.photo(number, "after", unit, chainage_m=chainage_m)
        town.step(number, "submit", unit)
        town.step(number, "verify", town.person("office"), checklist=town.checklist(number))
        town.step(number, "close", self.head)

    def closed_tip(self, chainage_m: float = 1240) -> str:
        code, number = self.tip(chainage_m)
        self.close(number, chainage_m)
        return code

    def apply(self, code: str) -> m.Reward:
        return self.do(REPORTER, lambda w: rewards.apply(w, code))  # type: ignore[no-any-return]

    def granted(self, code: str, way: str = "counter", who: dict[str, str] | None = None) -> m.Reward:
        row = self.apply(code)
        self.do(REPORTER, lambda w: rewards.payee(w, code, way, who))
        self.do(self.office, lambda w: rewards.propose(w, row.number, self.row(row).version, "large", "清了半天"))
        return self.do(self.ann, lambda w: rewards.grant(w, row.number, self.row(row).version, "large", "同意"))  # type: ignore[no-any-return]

    def payable(self, code: str, way: str = "counter", who: dict[str, str] | None = None) -> m.Reward:
        row = self.granted(code, way, who)
        batch = self.do(self.ann, lambda w: payout.batch(w, [row.number]))
        self.do(self.bo, lambda w: payout.approve(w, batch.number))
        return self.row(row)

    def row(self, reward: m.Reward) -> m.Reward:
        with self.station.look() as look:
            found = look.session.get(m.Reward, reward.id)
            assert found is not None
            return found


@pytest.fixture
def purse(station: Station) -> Purse:
    return Purse(station)


def refused(kind: type[PatrolError], code: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind) as said:
        call()
    assert said.value.code == code or any(f.code == code for f in getattr(said.value, "faults", [])), said.value.code


def test_the_whole_way_by_code_alone(purse: Purse) -> None:
    code = purse.closed_tip()
    row = purse.payable(code)
    assert (row.state, row.amount_yuan, row.payee_sealed) == ("payable", 500, None)
    paid = purse.do(purse.ann, lambda w: payout.claim(w, code, True))
    assert (paid.state, paid.payer_id) == ("paid", purse.ann.person_id)
    with purse.station.look() as look:
        told = [
            line.event for line in look.session.scalars(select(m.Trail).where(m.Trail.subject == f"reward:{row.id}"))
        ]
        assert told == ["reward_applied", "reward_way", "reward_proposed", "reward_granted", "reward_batched",
                        "reward_payable", "reward_paid"]  # fmt: skip
        facts = json.dumps(
            [line.facts for line in look.session.scalars(select(m.Trail).where(m.Trail.subject == f"reward:{row.id}"))]
        )
    assert "TH-2026" not in facts and code not in facts


def test_a_reward_paid_twice_is_refused_however_it_is_tried(purse: Purse) -> None:
    code = purse.closed_tip()
    row = purse.payable(code)
    purse.do(purse.ann, lambda w: payout.claim(w, code, True))
    refused(WrongStep, "already_paid", lambda: purse.do(purse.bo, lambda w: payout.claim(w, code, True)))
    refused(
        WrongStep,
        "at_counter",
        lambda: purse.do(purse.ann, lambda w: payout.pay(w, row.number, purse.row(row).version)),
    )
    refused(WrongStep, "wrong_step", lambda: purse.do(purse.ann, lambda w: payout.batch(w, [row.number])))
    assert purse.apply(code).id == row.id  # asking again is the same application
    with purse.station.look() as look:
        assert len(look.session.scalars(select(m.Trail).where(m.Trail.event == "reward_paid")).all()) == 1


def test_the_second_reporter_is_refused(purse: Purse) -> None:
    first, number = purse.tip()
    second, same = purse.tip()
    assert number == same
    purse.close(number)
    refused(WrongStep, "no_reward_first", lambda: purse.apply(second))
    assert purse.apply(first).state == "applied"
    refused(WrongStep, "no_reward_first", lambda: purse.apply(second))


def test_one_reward_an_issue_even_after_a_merge(purse: Purse) -> None:
    first, number = purse.tip(1240)
    later, other = purse.tip(1700)
    purse.town.step(other, "merge", purse.office, parent=number, reason="是一件")
    purse.close(number)
    purse.apply(first)
    refused(WrongStep, "no_reward_first", lambda: purse.apply(later))


def test_staff_are_refused_by_their_numbers_and_at_the_counter(purse: Purse) -> None:
    admin = purse.town.person("admin")
    purse.do(admin, lambda w: rewards.mark_staff(w, "环保办甲", ["138 1111 2222", "42100019800101123x"]))
    code = purse.closed_tip()
    purse.apply(code)
    for who in ({"name": "甲", "phone": STAFF_PHONE}, {"name": "甲", "phone": "+86 138-1111-2222"},
                {"name": "甲", "phone": PHONE, "id_number": "42100019800101123X"}):  # fmt: skip
        refused(Refused, "staff", lambda who=who: purse.do(REPORTER, lambda w: rewards.payee(w, code, "transfer", who)))
    purse.do(REPORTER, lambda w: rewards.payee(w, code, "transfer", {"name": "乙", "phone": PHONE}))
    other = purse.closed_tip(2000)
    purse.payable(other)
    refused(BadInput, "not_staff", lambda: purse.do(purse.ann, lambda w: payout.claim(w, other, False)))
    with purse.station.look() as look:
        kept = [row.digest for row in look.session.scalars(select(m.StaffMark))]
    assert len(kept) == 2 and not any(STAFF_PHONE in digest for digest in kept)
    with pytest.raises(Refused):
        purse.do(purse.office, lambda w: rewards.mark_staff(w, "x", ["13800000000"]))


def test_known_before_is_no_reward_and_not_true_is_none(purse: Purse) -> None:
    number = purse.town.report("drone").issue.number
    code, same = purse.tip()
    assert same == number
    refused(WrongStep, "no_reward_verified_true", lambda: purse.apply(code))  # still open
    purse.close(number)
    refused(WrongStep, "no_reward_not_known", lambda: purse.apply(code))
    vague, _ = purse.tip(2000)
    with pytest.raises(WrongStep) as said:
        purse.apply(vague)
    assert said.value.facts["lacks"] == ["verified_true"]


def test_thirty_working_days_or_it_lapses(purse: Purse) -> None:
    code = purse.closed_tip()
    with purse.station.look() as look:
        issue = look.session.scalars(select(m.Issue)).one()
        window = law.window(issue.ended_at, look.calendar)
    purse.station.clock.at = window.apply_by  # type: ignore[attr-defined]  # the settable clock
    assert purse.apply(code).state == "applied"
    late = purse.closed_tip(2000)
    with purse.station.look() as look:
        other = look.session.scalars(select(m.Issue).order_by(m.Issue.id.desc())).first()
        purse.station.clock.at = law.window(other.ended_at, look.calendar).apply_by  # type: ignore[attr-defined]
    purse.station.clock.forward(seconds=1)  # type: ignore[attr-defined]
    refused(WrongStep, "reward_lapsed", lambda: purse.apply(late))


def test_four_eyes_at_the_decision_and_at_the_payment(purse: Purse) -> None:
    code = purse.closed_tip()
    row = purse.apply(code)
    refused(
        WrongStep, "not_proposed", lambda: purse.do(purse.ann, lambda w: rewards.grant(w, row.number, 1, "large", "x"))
    )
    purse.do(purse.head, lambda w: rewards.propose(w, row.number, 1, "major", "偷排"))
    refused(
        Refused, "same_person", lambda: purse.do(purse.head, lambda w: rewards.grant(w, row.number, 2, "major", "x"))
    )
    with pytest.raises(Stale):
        purse.do(purse.ann, lambda w: rewards.grant(w, row.number, 1, "major", "x"))
    with pytest.raises(Refused):
        purse.do(purse.office, lambda w: rewards.grant(w, row.number, 2, "major", "x"))
    purse.do(purse.ann, lambda w: rewards.grant(w, row.number, 2, "general", "数额小"))
    assert purse.row(row).amount_yuan == 100
    batch = purse.do(purse.ann, lambda w: payout.batch(w, [row.number]))
    refused(Refused, "same_person", lambda: purse.do(purse.ann, lambda w: payout.approve(w, batch.number)))
    refused(WrongStep, "wrong_step", lambda: purse.do(purse.ann, lambda w: payout.claim(w, code, True)))
    purse.do(purse.bo, lambda w: payout.cancel(w, batch.number))
    assert purse.row(row).state == "granted"
    again = purse.do(purse.bo, lambda w: payout.batch(w, [row.number]))
    purse.do(purse.ann, lambda w: payout.approve(w, again.number))
    refused(WrongStep, "wrong_step", lambda: purse.do(purse.bo, lambda w: payout.approve(w, again.number)))


def test_who_typed_the_call_does_not_decide(purse: Purse) -> None:
    with purse.station.work(purse.ann) as work:
        done = report(work, Draft("hotline", "floating_debris", words="来电说有漂浮物", position=purse.town.at()))
    assert done.issue is not None and done.receipt_code is not None
    purse.close(done.issue.number)
    row = purse.apply(done.receipt_code)
    purse.do(purse.office, lambda w: rewards.propose(w, row.number, 1, "large", "x"))
    refused(Refused, "same_person", lambda: purse.do(purse.ann, lambda w: rewards.refuse(w, row.number, 2, "x")))
    purse.do(purse.bo, lambda w: rewards.refuse(w, row.number, 2, "查实但证据不足"))


def test_a_refusal_needs_a_reason_and_ends_it(purse: Purse) -> None:
    code = purse.closed_tip()
    row = purse.apply(code)
    refused(BadInput, "reason", lambda: purse.do(purse.ann, lambda w: rewards.refuse(w, row.number, 1, " ")))
    purse.do(purse.ann, lambda w: rewards.refuse(w, row.number, 1, "查不到对象"))
    assert purse.apply(code).state == "refused"
    refused(WrongStep, "wrong_step", lambda: purse.do(purse.ann, lambda w: payout.batch(w, [row.number])))


def test_who_is_paid_is_sealed_opens_to_two_and_is_forgotten_once_paid(purse: Purse) -> None:
    code = purse.closed_tip()
    who = {"name": "王小明", "phone": PHONE, "account": "6222000000000001"}
    row = purse.payable(code, "transfer", who)
    body = purse.row(row).payee_sealed
    assert body is not None
    for secret in who.values():
        assert secret.encode() not in body
    with purse.station.look() as look:
        tip = look.session.get_one(m.Sighting, row.sighting_id)
        part = next(part for part in sealing.parts(look, tip) if part.what == "payee")
        shares = [sealing.share_of(look, part.envelope, own(key)) for key in (purse.held.a, purse.held.b)]
    halves = [
        envelopes.unwrap(key, share or b"") for key, share in zip((purse.held.a, purse.held.b), shares, strict=True)
    ]
    assert json.loads(envelopes.open_body(envelopes.xor(*halves), body)) == who
    refused(WrongStep, "by_transfer", lambda: purse.do(purse.ann, lambda w: payout.claim(w, code, True)))
    purse.do(purse.ann, lambda w: payout.pay(w, row.number, row.version))
    assert purse.row(row).payee_sealed is None  # kept no longer than needed
    with purse.station.look() as look:
        assert sealing.share_of(look, part.envelope, own(purse.held.a)) is None


def test_a_reopened_issue_is_neither_granted_nor_paid(purse: Purse) -> None:
    code = purse.closed_tip()
    row = purse.granted(code)
    batch = purse.do(purse.ann, lambda w: payout.batch(w, [row.number]))
    with purse.station.look() as look:
        number = look.session.get(m.Issue, row.issue_id).number
    purse.town.photo(number, "reopen", purse.office)
    purse.town.step(number, "reopen", purse.office, reason="又有了")
    refused(WrongStep, "not_closed", lambda: purse.do(purse.bo, lambda w: payout.approve(w, batch.number)))


def test_an_unknown_code_is_missing_everywhere(purse: Purse) -> None:
    for deed in (lambda w: rewards.apply(w, "0" * 16), lambda w: rewards.payee(w, "0" * 16, "counter", None),
                 lambda w: payout.claim(w, "x", True)):  # fmt: skip
        with pytest.raises(Missing):
            purse.do(purse.ann, deed)
