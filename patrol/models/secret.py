"""Keys that open sealed envelopes (their public halves), the shares wrapped to them, and openings by two."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from patrol.models.base import Base


class SealKey(Base):
    """The public half of a key; the private half is in its holder's key file, never here."""

    __tablename__ = "seal_key"
    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(String(16), unique=True)
    public: Mapped[bytes] = mapped_column(LargeBinary)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    duty: Mapped[str] = mapped_column(String(8))  # officer, operator
    side: Mapped[str] = mapped_column(String(1), default="")  # a, b: which of the two locks; operators have none
    state: Mapped[str] = mapped_column(String(8))  # waiting (for one who can open), active, lost
    made_at: Mapped[datetime]
    vouched_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    lost_at: Mapped[datetime | None]


class SealShare(Base):
    """One key's share of one envelope. Destroying all shares of an envelope destroys its content for good."""

    __tablename__ = "seal_share"
    id: Mapped[int] = mapped_column(primary_key=True)
    envelope: Mapped[str] = mapped_column(String(64))  # SHA-256 of the sealed body
    key_id: Mapped[str] = mapped_column(String(16), index=True)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (UniqueConstraint("envelope", "key_id"),)


class Opening(Base):
    """One identity asked for by one officer, to be opened by one who holds a key of the other side."""

    __tablename__ = "opening"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    sighting_id: Mapped[int] = mapped_column(ForeignKey("sighting.id"), index=True)
    reason: Mapped[str]
    side: Mapped[str] = mapped_column(String(1))  # of the one who asked
    asked_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    asked_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    opened_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    opened_at: Mapped[datetime | None]


class OpeningShare(Base):
    """The asker's half of one envelope, wrapped to a key of the other side; gone when the opening has ended."""

    __tablename__ = "opening_share"
    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"))
    envelope: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(16))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (Index("ix_opening_share_opening", "opening_id"),)
