"""Persons, their accounts and roles, tokens, sessions, delegations, the duty roster and the calendar."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Date, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from patrol.models.base import Base


class Person(Base):
    """A human being. Four eyes are counted here, not on accounts."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)


class Account(Base):
    """A way for a person to sign in by name and password. One person may hold several."""

    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    login: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    roles: Mapped[list[Any]] = mapped_column(JSON)
    unit: Mapped[str | None] = mapped_column(String(32))
    grids: Mapped[list[Any] | None] = mapped_column(JSON)  # None: every grid
    active: Mapped[bool] = mapped_column(default=True)
    failed: Mapped[int] = mapped_column(default=0)
    wait_until: Mapped[datetime | None]


class Token(Base):
    """A bearer token of a person or a platform; only its digest is kept."""

    __tablename__ = "token"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    unit: Mapped[str | None] = mapped_column(String(32))
    grids: Mapped[list[Any] | None] = mapped_column(JSON)
    made_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class SignIn(Base):
    """A server-side session; the cookie holds a random value, the row its digest."""

    __tablename__ = "sign_in"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    device_id: Mapped[int | None] = mapped_column(ForeignKey("device.id"), index=True)  # the phone it was made from
    made_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class Delegation(Base):
    """An acting head for dated days; never to oneself."""

    __tablename__ = "delegation"
    id: Mapped[int] = mapped_column(primary_key=True)
    to_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    from_on: Mapped[date] = mapped_column(Date)
    to_on: Mapped[date] = mapped_column(Date)

    __table_args__ = (CheckConstraint("to_id <> by_id", name="not_oneself"),)


class Duty(Base):
    """Who hears of a red clock on one night."""

    __tablename__ = "duty"
    on: Mapped[date] = mapped_column(Date, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)


class CalendarDay(Base):
    """A day that differs from Monday to Friday: a statutory holiday or a make-up workday."""

    __tablename__ = "calendar_day"
    on: Mapped[date] = mapped_column(Date, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))  # work, off
    name: Mapped[str] = mapped_column(String(32), default="")


class CalendarYear(Base):
    """A year of the calendar: confirmed by the State Council's notice, or estimated."""

    __tablename__ = "calendar_year"
    year: Mapped[int] = mapped_column(primary_key=True)
    confirmed: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)
    source: Mapped[str] = mapped_column(String(64), default="")


class CalendarKept(Base):
    """A calendar as it once was: a clock reads by the version it runs on."""

    __tablename__ = "calendar_kept"
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    days: Mapped[dict[str, Any]] = mapped_column(JSON)  # ISO date -> work | off
    confirmed: Mapped[list[Any]] = mapped_column(JSON)
