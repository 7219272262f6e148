"""The sky: rounds, flights, their frames, what was recognised on them, what was covered, and what changed.

Positions are WGS-84 degrees, lengths metres. A detection is never edited; what became of it is its thing's state.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from patrol.models.base import Base


class Round(Base):
    """轮次: one planned coverage of the whole segment, flown in one or several flights."""

    __tablename__ = "round"
    id: Mapped[int] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(unique=True)
    due_on: Mapped[date | None]
    opened_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]  # when its coverage was last reckoned
    words: Mapped[str] = mapped_column(default="")


class Flight(Base):
    """航次: one flight (or one satellite scene, or one fixed camera's delivery) and how far its reading has come."""

    __tablename__ = "flight"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"), index=True)
    source: Mapped[str] = mapped_column(String(16), default="drone")  # drone, satellite, sensor
    state: Mapped[str] = mapped_column(String(16))  # planned, receiving, reading, settled, cancelled
    approval: Mapped[str] = mapped_column(String(64), default="")  # the airspace approval's number
    drone: Mapped[str] = mapped_column(String(64), default="")
    pilot: Mapped[str] = mapped_column(String(64), default="")
    zone: Mapped[str] = mapped_column(String(40), default="")  # declared zone of the camera's clock; empty: undeclared
    planned_on: Mapped[date | None]
    opened_at: Mapped[datetime]
    received_at: Mapped[datetime | None]  # all files are here
    landed_at: Mapped[datetime | None]  # a claim: the last frame's own time
    settled_at: Mapped[datetime | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    digest: Mapped[str | None] = mapped_column(String(64), unique=True)  # over the digests of its files
    live: Mapped[bool] = mapped_column(default=False)
    live_key: Mapped[str] = mapped_column(String(64), default="")  # what the platform calls the flight it pushes
    quiet_at: Mapped[datetime | None] = mapped_column(index=True)  # a live flight silent until then has landed
    log: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    warnings: Mapped[list[Any]] = mapped_column(JSON, default=list)


class Frame(Base):
    """航片: one file of a flight. `due` until it was read; a file that breaks its reading is parked with its reason."""

    __tablename__ = "frame"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    flight_id: Mapped[int] = mapped_column(ForeignKey("flight.id"))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(160))  # as the sender called it: shown, never a path
    bytes: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(8))  # photo, band, raster, log
    state: Mapped[str] = mapped_column(String(12))  # due, read, parked, duplicate, cancelled
    error: Mapped[str] = mapped_column(default="")
    received_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    taken_at: Mapped[datetime | None]  # a claim
    taken_words: Mapped[str | None] = mapped_column(String(40))  # the camera clock's words where it names no zone
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    ce90_m: Mapped[float | None]  # of the camera itself
    method: Mapped[str | None] = mapped_column(String(16))  # laser, pose, log, raster, camera_only, none
    pose: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    footprint: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    footprint_ce90_m: Mapped[float | None]
    faults: Mapped[list[Any]] = mapped_column(JSON, default=list)  # {code, sentence}
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # bands, sizes, seconds of each stage

    __table_args__ = (
        UniqueConstraint("flight_id", "sha256"),
        Index("ix_frame_state", "flight_id", "state"),
    )


class Thing(Base):
    """疑点: what detections of one or several frames take for one thing; it becomes at most one sighting."""

    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(12))  # new, reported, dismissed, merged
    why: Mapped[str] = mapped_column(String(32), default="")
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("thing.id"))
    sighting_id: Mapped[int | None] = mapped_column(ForeignKey("sighting.id"), index=True)
    lon: Mapped[float]
    lat: Mapped[float]
    cov_en_m2: Mapped[list[Any]] = mapped_column(JSON)  # 2 x 2, east and north
    ce90_m: Mapped[float]
    cell: Mapped[int] = mapped_column(BigInteger)
    outline: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    area_m2: Mapped[float | None]
    score: Mapped[float]
    frames: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    reviewer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))

    __table_args__ = (
        Index("ix_thing_near", "round_id", "kind", "cell"),
        Index("ix_thing_state", "state", "last_at"),
    )


class Detection(Base):
    """识别: one thing as one frame showed it, with what recognised it. Kept as it came."""

    __tablename__ = "detection"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    frame_id: Mapped[int] = mapped_column(ForeignKey("frame.id"), index=True)
    thing_id: Mapped[int | None] = mapped_column(ForeignKey("thing.id"), index=True)
    episode_id: Mapped[int | None] = mapped_column(ForeignKey("episode.id"), index=True)  # of a fishing event
    kind: Mapped[str] = mapped_column(String(32))
    score: Mapped[float]
    by: Mapped[str] = mapped_column("recognised_by", String(80))  # rules:<hash>, model:<hash>, person
    box: Mapped[list[Any] | None] = mapped_column(JSON)  # pixels: left, top, right, bottom
    lon: Mapped[float]
    lat: Mapped[float]
    cov_en_m2: Mapped[list[Any]] = mapped_column(JSON)
    ce90_m: Mapped[float]
    outline: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    area_m2: Mapped[float | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    warnings: Mapped[list[Any]] = mapped_column(JSON, default=list)
    at: Mapped[datetime]


class Coverage(Base):
    """How much of one key area a round has seen, with the gaps as polygons."""

    __tablename__ = "coverage"
    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    area: Mapped[str] = mapped_column(String(32))
    area_m2: Mapped[float]
    seen: Mapped[float | None]  # share, 0 to 1, of what can be flown; None: nothing can
    seen_twice: Mapped[float | None]
    complete: Mapped[bool]
    gaps: Mapped[list[Any]] = mapped_column(JSON, default=list)  # {outline, area_m2}
    unflyable_m2: Mapped[float] = mapped_column(default=0.0)
    words: Mapped[str] = mapped_column(default="")  # one sentence for people
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("round_id", "area"),)


class Unflyable(Base):
    """A part of a key area that cannot be flown, and why; it counts neither as seen nor as a gap."""

    __tablename__ = "unflyable"
    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int | None] = mapped_column(ForeignKey("round.id"), index=True)  # None: every round
    outline: Mapped[dict[str, Any]] = mapped_column(JSON)
    reason: Mapped[str]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime]


class Upload(Base):
    """A file that arrives in pieces; how much of it is safe on disk is the size of its part file."""

    __tablename__ = "upload"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    flight_id: Mapped[int] = mapped_column(ForeignKey("flight.id"), index=True)
    name: Mapped[str] = mapped_column(String(160))
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12))  # open, whole, refused
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("flight_id", "sha256"),)


class Episode(Base):
    """One fishing event: persons and boats that belong together in place and time; one warning an episode."""

    __tablename__ = "episode"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    zone: Mapped[str] = mapped_column(String(64))
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    lon: Mapped[float]
    lat: Mapped[float]
    frames: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime] = mapped_column(index=True)
    warned_at: Mapped[datetime | None]
    sighting_id: Mapped[int | None] = mapped_column(ForeignKey("sighting.id"), index=True)
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class Watch(Base):
    """What a watch over many frames remembers between two of them, so that a killed worker forgets nothing."""

    __tablename__ = "watch"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime]


class Drone(Base):
    """无人机: one a platform has spoken of, and where it was last. A row a drone, never a trail of positions."""

    __tablename__ = "drone"
    sn: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(64), index=True)  # the dock or remote control that speaks for it
    model: Mapped[str] = mapped_column(String(32), default="")
    online: Mapped[bool] = mapped_column(default=False)
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    height_m: Mapped[float | None]  # above the ellipsoid
    above_takeoff_m: Mapped[float | None]
    placed_at: Mapped[datetime | None]  # by the platform's own clock
    seen_at: Mapped[datetime]


class Media(Base):
    """A file a platform says it has uploaded: awaited until it lies where we can read it, then a frame of its flight."""

    __tablename__ = "media"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # of gateway and object key
    gateway: Mapped[str] = mapped_column(String(64))
    object_key: Mapped[str] = mapped_column(String(512))
    flight_key: Mapped[str] = mapped_column(String(64), index=True)  # the platform's own name for the flight
    drone: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[str] = mapped_column(String(12))  # awaited, taken, refused, lost
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what the platform says of it
    error: Mapped[str] = mapped_column(default="")
    tries: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime]
    due_at: Mapped[datetime]
    frame_id: Mapped[int | None] = mapped_column(ForeignKey("frame.id"))

    __table_args__ = (Index("ix_media_due", "state", "due_at"),)


class Effect(Base):
    """What treatment changed at one issue, from two rounds: verdict, figures with interval, and the picture pair."""

    __tablename__ = "effect"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey("issue.id"), index=True)
    before_id: Mapped[int] = mapped_column(ForeignKey("frame.id"))
    after_id: Mapped[int] = mapped_column(ForeignKey("frame.id"))
    verdict: Mapped[str] = mapped_column(String(16))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    before_sha256: Mapped[str | None] = mapped_column(String(64))
    after_sha256: Mapped[str | None] = mapped_column(String(64))
    bounds: Mapped[list[Any] | None] = mapped_column(JSON)  # west, south, east, north
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("issue_id", "before_id", "after_id"),)
