"""The trail (append-only, chained), the errands owed to the outside, anchors, and answers already given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from patrol.models.base import Base


class Trail(Base):
    """One line: what happened to one subject. `mac` chains it; `facts` may be erased without breaking the chain,
    because the chain holds only their salted digest."""

    __tablename__ = "trail"
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(48))  # issue:12, clue:7, house
    seq: Mapped[int]
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issue.id"), index=True)
    event: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    role: Mapped[str] = mapped_column(String(16), default="")
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    facts_digest: Mapped[str] = mapped_column(String(64))
    prev: Mapped[str] = mapped_column(String(64))
    mac: Mapped[str] = mapped_column(String(64))

    __table_args__ = (UniqueConstraint("subject", "seq"),)


class Chain(Base):
    """The head of a chain that hangs on no issue row."""

    __tablename__ = "chain"
    subject: Mapped[str] = mapped_column(String(48), primary_key=True)
    seq: Mapped[int]
    head: Mapped[str] = mapped_column(String(64))


class Errand(Base):
    """What is owed to the outside after a commit. The database is the queue; a broker message is only a wake-up."""

    __tablename__ = "errand"
    id: Mapped[int] = mapped_column(primary_key=True)
    handler: Mapped[str] = mapped_column(String(32))  # card:assignment, job:print
    event: Mapped[str] = mapped_column(String(32))
    group: Mapped[str | None] = mapped_column("group_name", String(64), index=True)
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issue.id"), index=True)
    slip_id: Mapped[int | None] = mapped_column(ForeignKey("slip.id"))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    urgent: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(8), default="due")  # due, claimed, done, stuck, void, by_hand
    made_at: Mapped[datetime]
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    claim: Mapped[str | None] = mapped_column(String(36))
    tries: Mapped[int] = mapped_column(default=0)
    pushes: Mapped[int] = mapped_column(default=0)  # how many times it may have reached the group
    done_at: Mapped[datetime | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    last_error: Mapped[str] = mapped_column(default="")

    __table_args__ = (Index("ix_errand_due", "state", "due_at"),)


class Send(Base):
    """One call to a robot, written before it is made, so that the pace holds across workers and kills."""

    __tablename__ = "send"
    id: Mapped[int] = mapped_column(primary_key=True)
    group: Mapped[str] = mapped_column("group_name", String(64))
    at: Mapped[datetime]

    __table_args__ = (Index("ix_send_group_at", "group_name", "at"),)


class Channel(Base):
    """What is known of one robot's health: until when it rests, and why."""

    __tablename__ = "channel"
    group: Mapped[str] = mapped_column("group_name", String(64), primary_key=True)
    rests_until: Mapped[datetime | None]
    stopped: Mapped[bool] = mapped_column(default=False)
    why: Mapped[str] = mapped_column(default="")


class Anchor(Base):
    """A chain head that left the house (in a push, on a slip): a cut tail shows against it."""

    __tablename__ = "anchor"
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(48), index=True)
    seq: Mapped[int]
    head: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    where: Mapped[str] = mapped_column("place", String(32))


class Answer(Base):
    """The answer already given to a client's id, so that a repeat gets the same."""

    __tablename__ = "answer"
    client_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    body_digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(index=True)


class Beat(Base):
    """When each worker was last seen."""

    __tablename__ = "beat"
    worker: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime]
