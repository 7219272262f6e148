"""The shapes of what is sent about rewards, points, classes and observations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from patrol.errors import Fault
from patrol.rules.observing import SERIES
from patrol.rules.rewards import GRADES, WAYS
from patrol.web.fields import ClientId, Key, Name, Strict, Words
from patrol.web.text import check_phone
from patrol.web.tip_fields import CodeIn

Count = Annotated[int, Field(ge=0, le=200)]
GradeCode = Annotated[str, Field(pattern=f"^({'|'.join(GRADES)})$")]


class PayeeWho(Strict):
    """To whom money is transferred; sealed by the deed that takes it."""

    name: Name
    phone: Annotated[str, BeforeValidator(check_phone)]
    id_number: Annotated[str, Field(pattern=r"^[0-9]{17}[0-9Xx]$")] | None = None
    account: Annotated[str, Field(pattern=r"^[0-9 ]{8,40}$")]
    bank: Name | None = None


class PayeeIn(CodeIn):
    """How the reporter wants the reward."""

    way: Annotated[str, Field(pattern=f"^({'|'.join(WAYS)})$")]
    payee: PayeeWho | None = None

    @classmethod
    def gaps(cls, data: Mapping[str, Any]) -> Iterator[Fault]:
        if data.get("way") == "transfer" and data.get("payee") is None:
            yield Fault("/payee", "payee", "转账要写收款人、电话和账号。")


class RewardActIn(Strict):
    """What an act on a reward carries: the version it rests on, a grade, words."""

    version: Annotated[int, Field(ge=1)] | None = None
    grade: GradeCode | None = None
    words: Words | None = None


class PaymentIn(Strict):
    """The rewards of one payment."""

    rewards: Annotated[list[Key], Field(min_length=1, max_length=200)]


class ClaimIn(CodeIn):
    """A payout at the counter."""

    not_staff: bool = False


class PointsIn(Strict):
    """Points given or taken by hand."""

    client_id: ClientId
    account: Annotated[int, Field(ge=1, le=2**31 - 1)]
    amount: Annotated[int, Field(ge=-500, le=500)]
    words: Words


class ExchangeIn(Strict):
    """So many of a good."""

    client_id: ClientId
    count: Annotated[int, Field(ge=1, le=10)] = 1


class SeatsIn(Strict):
    """Seats in a class, as head counts; no name."""

    client_id: ClientId
    adults: Count
    children: Count = 0


class ObservationIn(Strict):
    """One value at one spot."""

    series: Annotated[str, Field(pattern=f"^({'|'.join(SERIES)})$")]
    spot: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,16}$")]
    value: float
    on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", json_schema_extra={"format": "date"})]
    team: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    words: Words | None = None


MODELS = (PayeeWho, PayeeIn, RewardActIn, PaymentIn, ClaimIn, PointsIn, ExchangeIn, SeatsIn, ObservationIn)
