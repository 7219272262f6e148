"""Rewards, points, volunteer teams and what they watch. No column here holds a payee or a child."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from patrol.models.base import Base

# --- rewards


class PayBatch(Base):
    """Rewards paid together: made by one person, approved by another."""

    __tablename__ = "pay_batch"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    state: Mapped[str] = mapped_column(String(16))  # open, approved, cancelled
    total_yuan: Mapped[int]
    maker_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    approver_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    made_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("approver_id IS NULL OR approver_id <> maker_id", name="two_persons"),
    )  # fmt: skip


class Reward(Base):
    """One application by a receipt code. Who is behind it is nowhere but in `payee_sealed`, which only officers open."""

    __tablename__ = "reward"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey("issue.id"))
    sighting_id: Mapped[int] = mapped_column(ForeignKey("sighting.id"), unique=True)
    state: Mapped[str] = mapped_column(String(16))  # rules.rewards.STATES
    version: Mapped[int] = mapped_column(default=1)
    applied_at: Mapped[datetime]
    decide_by: Mapped[datetime]
    proposer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    proposed: Mapped[str | None] = mapped_column(String(16))
    proposed_words: Mapped[str] = mapped_column(default="")
    decider_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None]
    grade: Mapped[str | None] = mapped_column(String(16))
    amount_yuan: Mapped[int | None]
    reason: Mapped[str] = mapped_column(default="")
    way: Mapped[str] = mapped_column(String(16), default="counter")
    payee_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("pay_batch.id"), index=True)
    payer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    paid_at: Mapped[datetime | None]

    __table_args__ = (
        # a second line behind the law: one issue is rewarded once, whatever code runs
        Index("uq_reward_issue", "issue_id", unique=True, sqlite_where=(state != "refused"),
              postgresql_where=(state != "refused")),
        CheckConstraint("decider_id IS NULL OR proposer_id IS NULL OR decider_id <> proposer_id", name="two_persons"),
        CheckConstraint("amount_yuan IS NULL OR amount_yuan > 0", name="amount"),
    )  # fmt: skip


class StaffMark(Base):
    """Keyed digests of the telephone and identity numbers of staff and their families: they are paid no reward."""

    __tablename__ = "staff_mark"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime]


# --- points


class PointAccount(Base):
    """Whose points: of a person, of a team, or of the house. `balance` is the sum of its postings."""

    __tablename__ = "point_account"
    id: Mapped[int] = mapped_column(primary_key=True)
    house: Mapped[str | None] = mapped_column(String(16), unique=True)  # source, shop
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), unique=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), unique=True)
    balance: Mapped[int] = mapped_column(BigInteger, default=0)

    __table_args__ = (
        CheckConstraint("balance >= 0 OR coalesce(house, '') = 'source'", name="not_negative"),
    )  # fmt: skip


class PointMove(Base):
    """One transfer; its postings sum to zero. `key` is what makes a repeat the same transfer."""

    __tablename__ = "point_move"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    what: Mapped[str] = mapped_column(String(16))  # rules.points.MOVES
    words: Mapped[str] = mapped_column(default="")
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # who did it
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("point_move.id"), unique=True)
    on: Mapped[date] = mapped_column(Date)  # the day it counts for, in Shanghai
    at: Mapped[datetime]


class Posting(Base):
    """One side of a transfer."""

    __tablename__ = "posting"
    id: Mapped[int] = mapped_column(primary_key=True)
    move_id: Mapped[int] = mapped_column(ForeignKey("point_move.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("point_account.id"))
    amount: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        UniqueConstraint("move_id", "account_id"),
        Index("ix_posting_account", "account_id", "move_id"),
        CheckConstraint("amount <> 0", name="not_empty"),
    )


class Good(Base):
    """What points buy."""

    __tablename__ = "good"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    words: Mapped[str] = mapped_column(default="")
    price: Mapped[int]
    stock: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (CheckConstraint("stock >= 0", name="stock"), CheckConstraint("price > 0", name="price"))


class Exchange(Base):
    """Points for a good: reserved, then handed over or taken back."""

    __tablename__ = "exchange"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    good_id: Mapped[int] = mapped_column(ForeignKey("good.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("point_account.id"), index=True)
    move_id: Mapped[int] = mapped_column(ForeignKey("point_move.id"), unique=True)
    count: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))  # waiting, handed, back
    at: Mapped[datetime]
    hander_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    settled_at: Mapped[datetime | None]


# --- teams


class Team(Base):
    """A volunteer team. `heads`: how many children belong to it; they have no row."""

    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    words: Mapped[str] = mapped_column(default="")
    heads: Mapped[int] = mapped_column(default=0)
    from_m: Mapped[float | None]  # the stretch it keeps, by chainage
    to_m: Mapped[float | None]
    active: Mapped[bool] = mapped_column(default=True)
    made_at: Mapped[datetime]


class Member(Base):
    """A grown-up in a team."""

    __tablename__ = "member"
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    leader: Mapped[bool] = mapped_column(default=False)
    since: Mapped[datetime]


class Shift(Base):
    """A watch of a team. `heads`: how many children came along."""

    __tablename__ = "shift"
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    where: Mapped[str] = mapped_column("place_words", String(200))
    wanted: Mapped[int]
    heads: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16))
    confirmer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class ShiftEntry(Base):
    """A grown-up's part in a watch."""

    __tablename__ = "shift_entry"
    shift_id: Mapped[int] = mapped_column(ForeignKey("shift.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    minutes: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime]


class Lesson(Base):
    """A class of 生态课堂."""

    __tablename__ = "lesson"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(60))
    words: Mapped[str] = mapped_column(default="")
    where: Mapped[str] = mapped_column("place_words", String(200))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    seats: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    came: Mapped[int] = mapped_column(default=0)
    came_children: Mapped[int] = mapped_column(default=0)


class LessonEntry(Base):
    """Seats taken in a class: of a signed-in person, or of nobody in particular, who holds the code."""

    __tablename__ = "lesson_entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    lesson_id: Mapped[int] = mapped_column(ForeignKey("lesson.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    code_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    adults: Mapped[int]
    children: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("lesson_id", "person_id"),
        CheckConstraint("adults >= 0 AND children >= 0 AND adults + children > 0", name="heads"),
    )


# --- what is watched


class Spot(Base):
    """A fixed place where teams watch."""

    __tablename__ = "spot"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(16), unique=True)
    name: Mapped[str] = mapped_column(String(60))
    chainage_m: Mapped[float]
    bank: Mapped[str] = mapped_column(String(8))
    lon: Mapped[float]
    lat: Mapped[float]


class Observation(Base):
    """One value of one series at one spot on one day, by one team."""

    __tablename__ = "observation"
    id: Mapped[int] = mapped_column(primary_key=True)
    series: Mapped[str] = mapped_column(String(16))
    spot_id: Mapped[int] = mapped_column(ForeignKey("spot.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    on: Mapped[date] = mapped_column(Date)
    value: Mapped[float]
    words: Mapped[str] = mapped_column(default="")
    dropped: Mapped[bool] = mapped_column(default=False)  # taken out by the office as a slip of the pen
    at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("series", "spot_id", "team_id", "on"),
        Index("ix_observation_series", "series", "on"),
    )
