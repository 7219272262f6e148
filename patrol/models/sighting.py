"""Sightings (kept as they came), photos, and places remembered as falsely detected."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from patrol.models.base import Base


class Sighting(Base):
    """What one source saw or said. Only its state and its issue ever change. No plain contact column exists."""

    __tablename__ = "sighting"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)  # what addresses name
    channel: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))  # waiting, joined, discarded, expired
    why: Mapped[str] = mapped_column(String(32), default="")  # why it waits, or why it was discarded
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issue.id"), index=True)
    relapse_of: Mapped[int | None] = mapped_column(ForeignKey("issue.id"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # never for a tip
    reviewer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    kind: Mapped[str] = mapped_column(String(32))
    words: Mapped[str] = mapped_column(default="")
    place_words: Mapped[str] = mapped_column(default="")
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    accuracy_m: Mapped[float | None]
    given: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # the position as declared: lon, lat, crs, accuracy_m
    position_method: Mapped[str | None] = mapped_column(String(32))
    ellipse: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    outline: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    area_m2: Mapped[float | None]
    chainage_m: Mapped[float | None]
    bank: Mapped[str | None] = mapped_column(String(8))
    grid: Mapped[str | None] = mapped_column(String(32))
    cell: Mapped[int | None] = mapped_column(BigInteger)
    score: Mapped[float | None]
    trust: Mapped[float | None]  # what a machine's score was worth here when it came, 0 to 1
    flight: Mapped[str | None] = mapped_column(String(64))
    frame: Mapped[str | None] = mapped_column(String(128))
    round_no: Mapped[int | None]
    warnings: Mapped[list[Any]] = mapped_column(JSON, default=list)
    seen_at: Mapped[datetime | None]  # a claim
    received_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    reward: Mapped[bool] = mapped_column(default=False)
    identity_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    callback_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    erased: Mapped[list[Any]] = mapped_column(JSON, default=list)  # what retention has taken: identity, words, …
    receipt_hash: Mapped[str | None] = mapped_column(String(64), unique=True)

    __table_args__ = (
        Index("ix_sighting_state", "state", "received_at"),
        Index("ix_sighting_near", "kind", "cell"),
        Index("ix_sighting_expires", "expires_at"),
    )


class Photo(Base):
    """One photo. The original lies in the photo store under its digest; times and positions in it are claims."""

    __tablename__ = "photo"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    sealed_sha256: Mapped[str | None] = mapped_column(String(64))  # a tip's original, sealed to the officers
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issue.id"), index=True)
    sighting_id: Mapped[int | None] = mapped_column(ForeignKey("sighting.id"), index=True)
    stage: Mapped[str] = mapped_column(String(16))
    round: Mapped[int] = mapped_column(default=1)
    step: Mapped[str | None] = mapped_column(String(32))  # the step that used it
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    unit: Mapped[str | None] = mapped_column(String(32))
    received_at: Mapped[datetime]
    format: Mapped[str] = mapped_column(String(8))
    width: Mapped[int]
    height: Mapped[int]
    bytes: Mapped[int]
    phash: Mapped[str | None] = mapped_column(String(16))
    taken_at: Mapped[datetime | None]
    taken_words: Mapped[str | None] = mapped_column(String(40))  # EXIF time without a zone, as it stands
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    accuracy_m: Mapped[float | None]
    source: Mapped[str | None] = mapped_column(String(16))  # app, exif, none
    beyond_m: Mapped[float | None]  # metres outside the fence, <= 0 inside
    flags: Mapped[list[Any]] = mapped_column(JSON, default=list)
    released: Mapped[bool] = mapped_column(default=False)  # may be shown to the unit
    warnings: Mapped[list[Any]] = mapped_column(JSON, default=list)


class FalseSpot(Base):
    """A place and kind falsely detected, remembered against machine clues only."""

    __tablename__ = "false_spot"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    cell: Mapped[int] = mapped_column(BigInteger)
    lon: Mapped[float]
    lat: Mapped[float]
    until: Mapped[datetime]
    sighting_id: Mapped[int] = mapped_column(ForeignKey("sighting.id"))

    __table_args__ = (Index("ix_false_spot_near", "kind", "cell"),)
