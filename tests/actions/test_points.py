"""The ledger: sums stay zero, nobody goes below zero, a repeat is the same transfer, nothing is exchanged twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from patrol import models as m
from patrol.actions import goods, points
from patrol.errors import BadInput, Clash, PatrolError, Refused, WrongStep
from patrol.rules import points as law
from patrol.station import Actor, Station, Work
from tests.walk import Town


class Bank:
    """A station with an office and two volunteers."""

    def __init__(self, station: Station) -> None:
        self.town, self.station = Town(station), station
        self.office, self.head = self.town.person("office"), self.town.person("office_head")
        self.ann, self.bo = (self.town.person("volunteer", name=name) for name in ("安", "波"))

    def do(self, actor: Actor, deed: Callable[[Work], Any]) -> Any:
        with self.station.work(actor) as work:
            return deed(work)

    def give(self, who: Actor, amount: int, key: str = "g") -> m.PointMove:
        return self.do(
            self.office, lambda w: points.by_hand(w, points.account(w, person_id=who.person_id), amount, "试", key)
        )  # type: ignore[no-any-return]

    def balance(self, who: Actor) -> int:
        return int(self.do(who, lambda w: points.account(w, person_id=who.person_id).balance))

    def whole(self) -> None:
        """What must hold at every moment."""
        with self.station.look() as look:
            assert look.session.scalar(select(func.coalesce(func.sum(m.Posting.amount), 0))) == 0
            for row in look.session.scalars(select(m.PointAccount)):
                kept = select(func.coalesce(func.sum(m.Posting.amount), 0)).where(m.Posting.account_id == row.id)
                assert row.balance == look.session.scalar(kept)
                assert row.balance >= 0 or row.house == law.SOURCE


@pytest.fixture
def bank(station: Station) -> Bank:
    return Bank(station)


def refused(kind: type[PatrolError], code: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind) as said:
        call()
    assert said.value.code == code or any(f.code == code for f in getattr(said.value, "faults", [])), said.value.code


def test_points_come_from_the_source_and_the_sum_is_zero(bank: Bank) -> None:
    bank.give(bank.ann, 100)
    assert bank.balance(bank.ann) == 100
    bank.whole()
    refused(WrongStep, "not_enough", lambda: bank.give(bank.bo, -1, "x"))
    bank.whole()


def test_a_repeat_is_the_same_transfer_and_another_body_a_clash(bank: Bank) -> None:
    first = bank.give(bank.ann, 100)
    assert bank.give(bank.ann, 100).id == first.id and bank.balance(bank.ann) == 100
    with pytest.raises(Clash):
        bank.give(bank.ann, 90)
    assert bank.balance(bank.ann) == 100
    bank.whole()


def test_by_hand_needs_the_office_a_reason_a_limit_and_another_person(bank: Bank) -> None:
    refused(BadInput, "amount", lambda: bank.give(bank.ann, law.MANUAL_MOST + 1))
    refused(Refused, "same_person", lambda: bank.give(bank.office, 5))
    with pytest.raises(Refused):
        bank.do(bank.ann, lambda w: points.by_hand(w, points.account(w, person_id=bank.bo.person_id), 5, "x", "k"))
    with pytest.raises(BadInput):
        bank.do(bank.office, lambda w: points.by_hand(w, points.account(w, person_id=bank.bo.person_id), 5, " ", "k"))


def test_a_reversal_mirrors_once_and_by_another_person(bank: Bank) -> None:
    move = bank.give(bank.ann, 100)
    refused(Refused, "same_person", lambda: bank.do(bank.office, lambda w: points.reverse(w, move.id, "错了")))
    back = bank.do(bank.head, lambda w: points.reverse(w, move.id, "错了"))
    assert bank.balance(bank.ann) == 0 and back.reverses_id == move.id
    assert bank.do(bank.head, lambda w: points.reverse(w, move.id, "错了")).id == back.id
    refused(WrongStep, "not_reversible", lambda: bank.do(bank.head, lambda w: points.reverse(w, back.id, "x")))
    bank.whole()


def test_what_was_spent_cannot_be_reversed(bank: Bank) -> None:
    move = bank.give(bank.ann, 100)
    good = bank.do(bank.office, lambda w: goods.put(w, "毛巾", 60, 5))
    bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 1, "a"))
    refused(WrongStep, "not_enough", lambda: bank.do(bank.head, lambda w: points.reverse(w, move.id, "x")))
    bank.whole()


def test_earning_is_once_for_each_work_and_cut_by_the_day(bank: Bank) -> None:
    def earn(rule: str, units: float, ref: str) -> int:
        return int(
            bank.do(
                bank.office, lambda w: points.earn(w, rule, points.account(w, person_id=bank.ann.person_id), units, ref)
            )
        )

    assert (earn("shift_hour", 2, "s1"), earn("shift_hour", 2, "s1")) == (10, 0)
    assert earn("shift_hour", 6, "s2") == 20  # 30 of one rule a day
    assert earn("report_true", 3, "r1") == 30
    assert earn("observation", 1, "o1") == 0  # 60 of all rules a day
    bank.station.clock.forward(days=1)  # type: ignore[attr-defined]  # the settable clock
    assert earn("observation", 1, "o2") == 2
    bank.whole()


def test_exchange_takes_points_and_stock_together_once(bank: Bank) -> None:
    bank.give(bank.ann, 100)
    good = bank.do(bank.office, lambda w: goods.put(w, "布袋", 40, 2))
    first, made = bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 1, "one"))
    again, twice = bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 1, "one"))
    assert (made, twice, again.id) == (True, False, first.id) and bank.balance(bank.ann) == 60
    with pytest.raises(Clash):
        bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 2, "one"))
    refused(WrongStep, "out_of_stock", lambda: bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 2, "two")))
    bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 1, "three"))
    refused(WrongStep, "out_of_stock", lambda: bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 1, "four")))
    bank.do(bank.office, lambda w: goods.put(w, "布袋", 40, 9))
    refused(WrongStep, "not_enough", lambda: bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 1, "five")))
    bank.whole()


def test_an_exchange_is_handed_over_or_taken_back_never_both(bank: Bank) -> None:
    bank.give(bank.ann, 100)
    good = bank.do(bank.office, lambda w: goods.put(w, "布袋", 40, 2))
    one, _ = bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 1, "1"))
    two, _ = bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 1, "2"))
    bank.do(bank.office, lambda w: goods.hand_over(w, one.number))
    with pytest.raises(WrongStep):
        bank.do(bank.office, lambda w: goods.take_back(w, one.number, ""))
    bank.do(bank.office, lambda w: goods.take_back(w, two.number, "没货"))
    with pytest.raises(WrongStep):
        bank.do(bank.office, lambda w: goods.take_back(w, two.number, ""))
    with pytest.raises(Refused):
        bank.do(bank.ann, lambda w: goods.hand_over(w, two.number))
    assert bank.balance(bank.ann) == 60
    with bank.station.look() as look:
        assert look.session.get(m.Good, good.id).stock == 1
    bank.whole()


def test_four_exchanges_a_month(bank: Bank) -> None:
    bank.give(bank.ann, 100)
    good = bank.do(bank.office, lambda w: goods.put(w, "种子", 1, 50))
    for index in range(law.EXCHANGES_A_MONTH):
        bank.do(bank.ann, lambda w, index=index: goods.exchange(w, good.id, 1, str(index)))
    refused(WrongStep, "too_many", lambda: bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 1, "x")))
    bank.station.clock.forward(days=10)  # type: ignore[attr-defined]  # the settable clock; December
    bank.do(bank.ann, lambda w: goods.exchange(w, good.id, 1, "x"))
    bank.whole()


def test_the_database_itself_refuses_a_negative_balance(bank: Bank) -> None:
    bank.give(bank.ann, 5)
    with pytest.raises(IntegrityError), bank.station.work(bank.office) as work:
        points.account(work, person_id=bank.ann.person_id).balance = -1
