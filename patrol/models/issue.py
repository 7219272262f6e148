"""Issues and what hangs on them: clocks, requests, slips, and the ordered numbers of both."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from patrol.models.base import Base


class Issue(Base):
    """One real-world problem at one place. `version` moves with every trail line; `trail_head` is its digest."""

    __tablename__ = "issue"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    version: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(32))
    words: Mapped[str] = mapped_column(default="")  # the office's own words; never a tip's
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    accuracy_m: Mapped[float | None]
    position_method: Mapped[str | None] = mapped_column(String(32))
    position_confirmed: Mapped[bool] = mapped_column(default=False)
    place_words: Mapped[str] = mapped_column(default="")
    outline: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    area_m2: Mapped[float | None]
    chainage_m: Mapped[float | None]
    bank: Mapped[str | None] = mapped_column(String(8))
    cell: Mapped[int | None] = mapped_column(BigInteger)
    grid: Mapped[str | None] = mapped_column(String(32))
    lead_unit: Mapped[str | None] = mapped_column(String(32))
    assisting: Mapped[list[Any]] = mapped_column(JSON, default=list)
    round: Mapped[int] = mapped_column(default=1)  # rework and reopening rounds
    returns: Mapped[int] = mapped_column(default=0)
    extensions: Mapped[int] = mapped_column(default=0)
    half1: Mapped[str | None] = mapped_column(String(8))
    half2: Mapped[bool] = mapped_column(default=False)
    suspended_until: Mapped[datetime | None]
    flags: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # lifecycle.FLAGS -> detail
    tips_only: Mapped[bool] = mapped_column(default=False)
    assigner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    checker_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    confirmer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    submitter_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    verifier_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    closer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    acceptor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("issue.id"))  # merged into
    origin_id: Mapped[int | None] = mapped_column(ForeignKey("issue.id"))  # relapse of, recurrence of, split from
    origin_how: Mapped[str | None] = mapped_column(String(16))
    merged_from: Mapped[str | None] = mapped_column(String(16))  # the state before a merge
    expected_photos: Mapped[int] = mapped_column(default=0)
    found_at: Mapped[datetime]  # capture or receipt of the first sighting
    opened_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    step_at: Mapped[datetime]  # the last step that an after photo must be newer than
    assigned_at: Mapped[datetime | None]
    after_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    trail_seq: Mapped[int] = mapped_column(default=0)
    trail_head: Mapped[str] = mapped_column(String(64), default="")

    __table_args__ = (
        Index("ix_issue_near", "kind", "cell"),
        Index("ix_issue_state_changed", "state", "changed_at"),
        Index("ix_issue_unit", "lead_unit", "state"),
        Index("ix_issue_changed", "changed_at"),
        # a second line behind the law: no closing by the acceptor, whatever code runs
        CheckConstraint("state <> 'closed' OR closer_id IS NULL OR verifier_id IS NULL OR closer_id <> verifier_id"
                        , name="four_eyes"),
    )  # fmt: skip


class Clock(Base):
    """One instance of a limit. `marks` are the truth; the other columns are what they read as, for indexes."""

    __tablename__ = "clock"
    id: Mapped[int] = mapped_column(primary_key=True)
    issue_id: Mapped[int | None] = mapped_column(ForeignKey("issue.id"), index=True)
    sighting_id: Mapped[int | None] = mapped_column(ForeignKey("sighting.id"), index=True)
    request_id: Mapped[int | None] = mapped_column(ForeignKey("request.id"), index=True)
    name: Mapped[str] = mapped_column(String(16))
    instance: Mapped[int] = mapped_column(default=1)
    follows_id: Mapped[int | None] = mapped_column(ForeignKey("clock.id"))
    marks: Mapped[list[Any]] = mapped_column(JSON)
    opens: Mapped[str | None] = mapped_column(String(16))
    policy: Mapped[str] = mapped_column(String(32))
    calendar: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))  # running, paused, met, met_late, missed, cancelled, not_needed
    due_at: Mapped[datetime | None]
    first_due_at: Mapped[datetime | None]
    estimated: Mapped[bool] = mapped_column(default=False)
    fired: Mapped[int] = mapped_column(default=0)  # how many rungs of the ladder have been told
    next_at: Mapped[datetime | None]
    grace: Mapped[bool] = mapped_column(default=False)  # met within the offline grace
    exempt: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (Index("ix_clock_next", "next_at"),)


class Request(Base):
    """A step asked for by one person and decided by another."""

    __tablename__ = "request"
    id: Mapped[int] = mapped_column(primary_key=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey("issue.id"), index=True)
    step: Mapped[str] = mapped_column(String(32))
    approval: Mapped[str] = mapped_column(String(16))
    rung: Mapped[int] = mapped_column(default=0)
    asker_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))  # None: the reporter, by code
    asker_sighting_id: Mapped[int | None] = mapped_column(ForeignKey("sighting.id"))
    asker_role: Mapped[str] = mapped_column(String(16))
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    version: Mapped[int] = mapped_column(default=1)
    asked_at: Mapped[datetime]
    decide_by: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(16), default="open")  # open, approved, refused, withdrawn
    decider_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None]
    words: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        Index("uq_request_open", "issue_id", "step", unique=True, sqlite_where=(state == "open"),
              postgresql_where=(state == "open")),
        CheckConstraint("decider_id IS NULL OR asker_id IS NULL OR state = 'withdrawn' OR decider_id <> asker_id",
                        name="two_persons"),
    )  # fmt: skip


class Slip(Base):
    """A numbered, frozen paper. `facts` are never changed; a revision supersedes it."""

    __tablename__ = "slip"
    id: Mapped[int] = mapped_column(primary_key=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey("issue.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    year: Mapped[int]
    serial: Mapped[int]
    revision: Mapped[int] = mapped_column(default=1)
    number: Mapped[str] = mapped_column(String(32), unique=True)  # for addresses: JB-2026-0110-1
    printed_number: Mapped[str] = mapped_column(String(64))  # for people: 西城交办〔2026〕第 0110 号
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    check_code: Mapped[str] = mapped_column(String(10))
    trail_seq: Mapped[int]
    trail_head: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    superseded_by: Mapped[int | None] = mapped_column(ForeignKey("slip.id"))
    pdf_sha256: Mapped[str | None] = mapped_column(String(64))
    template: Mapped[str] = mapped_column(String(16))

    __table_args__ = (UniqueConstraint("kind", "year", "serial", "revision"),)


class Counter(Base):
    """The last number given out in one series; taken inside the deed's own transaction, so no gaps."""

    __tablename__ = "counter"
    series: Mapped[str] = mapped_column(String(32), primary_key=True)
    last: Mapped[int]
