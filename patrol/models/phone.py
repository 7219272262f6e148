"""What phones bring: announced drafts with the photos they expect, phones known by a key, and walks along the river.

Times a phone says are claims. A walk is kept as stretches of the river and never as points.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from patrol.models.base import Base


class Parcel(Base):
    """待传: a step, photos or a report that a phone announced; open until all is here and it was taken, or dropped."""

    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    client_id: Mapped[str] = mapped_column(String(36))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    what: Mapped[str] = mapped_column(String(8))  # step, photos, report
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issue.id"))
    sighting_ref: Mapped[str | None] = mapped_column(String(36))  # a report is taken before its photos are here
    step: Mapped[str] = mapped_column(String(32), default="")
    stage: Mapped[str] = mapped_column(String(16), default="")
    body: Mapped[dict[str, Any]] = mapped_column(JSON)  # the fields of the form, as the phone filled them
    digest: Mapped[str] = mapped_column(String(64))  # over everything announced
    based_at: Mapped[datetime | None]  # when the phone last saw the issue
    state: Mapped[str] = mapped_column(String(8))  # open, done, dropped
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("person_id", "client_id"), Index("ix_parcel_issue", "issue_id", "state"))


class ParcelPhoto(Base):
    """One photo a parcel expects; how much of it is safe here is the size of its part file."""

    __tablename__ = "parcel_photo"
    id: Mapped[int] = mapped_column(primary_key=True)
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcel.id"))
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int] = mapped_column(BigInteger)
    claim: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(8))  # open, whole

    __table_args__ = (UniqueConstraint("parcel_id", "sha256"),)


class Device(Base):
    """绑定的手机: one phone of one account, known by a key it cannot give away, with a short PIN beside it."""

    __tablename__ = "device"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    key: Mapped[dict[str, Any]] = mapped_column(JSON)  # the public half, a P-256 JWK
    pin_hash: Mapped[str] = mapped_column(String(255))
    challenge: Mapped[str | None] = mapped_column(String(64))  # to be signed once
    challenge_until: Mapped[datetime | None]
    failed: Mapped[int] = mapped_column(default=0)
    wait_until: Mapped[datetime | None]
    made_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class Walk(Base):
    """巡河: one patrol from start to stop, kept as the stretches of bank that were walked."""

    __tablename__ = "walk"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    client_id: Mapped[str] = mapped_column(String(36))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    started_at: Mapped[datetime] = mapped_column(index=True)  # claims of the phone
    stopped_at: Mapped[datetime]
    received_at: Mapped[datetime]
    stretches: Mapped[list[Any]] = mapped_column(JSON)  # {bank, from_m, to_m, seconds}
    gaps: Mapped[list[Any]] = mapped_column(JSON)  # {seconds, why}
    metres: Mapped[float]
    by_grid: Mapped[dict[str, Any]] = mapped_column(JSON)  # grid -> metres of its banks walked, each bank once
    warnings: Mapped[list[Any]] = mapped_column(JSON, default=list)

    __table_args__ = (UniqueConstraint("person_id", "client_id"),)
