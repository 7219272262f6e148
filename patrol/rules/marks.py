"""Marks: what trail lines did to one clock instance, as plain values that survive as JSON.

The marks are the whole truth of a clock; what they add up to is worked out in `patrol.rules.course`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast, get_args

from patrol.rules.calendar import Frame
from patrol.rules.limits import Limit

MarkKind = Literal["start", "pause", "resume", "extend", "rebase", "stop"]
# How a clock ended: its act was done; the issue closed over it; what it measured fell away.
End = Literal["done", "closed", "cancelled"]

_KINDS: tuple[str, ...] = get_args(MarkKind)
_ENDS: tuple[str, ...] = get_args(End)
_FRAMES: tuple[str, ...] = get_args(Frame)


@dataclass(frozen=True)
class Mark:
    """One trail line's effect on one clock instance.

    start   `limit`; `opens` defers the start to that frame's next opening
    pause   ends at the matching resume or by itself at `until`. Pauses of several causes, and
            several of one cause, overlap as a union; a renewal is a resume and a pause at one instant
    resume  ends the oldest open pause of the same `cause`
    extend  `limit` is what is added, in the frame of the clock; `asked_at` when it was asked for
    rebase  `limit` replaces the base, counted from the same start (change of kind, change of policy)
    stop    `end` says how; `claimed_at` is the phone's own time of a step made offline
    """

    kind: MarkKind
    at: datetime
    limit: Limit | None = None
    why: str = ""
    opens: Frame | None = None
    cause: str = ""
    until: datetime | None = None
    asked_at: datetime | None = None
    end: End = "done"
    claimed_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"unknown kind of mark: {self.kind!r}")
        if (self.limit is not None) != (self.kind in ("start", "extend", "rebase")):
            raise ValueError(f"a {self.kind} mark and its limit do not fit: {self.limit}")
        if self.end not in _ENDS or (self.opens is not None and self.opens not in _FRAMES):
            raise ValueError(f"unknown end or frame in a mark: {self.end!r}, {self.opens!r}")
        if any(at is not None and at.tzinfo is None for at in self._times()):
            raise ValueError("a mark's time needs a time zone")

    def _times(self) -> tuple[datetime | None, ...]:
        return (self.at, self.until, self.asked_at, self.claimed_at)

    def to_json(self) -> dict[str, object]:
        """Plain values; what is absent is left out."""
        raw: dict[str, object] = {"kind": self.kind, "at": _iso(self.at), "why": self.why}
        if self.limit is not None:
            raw["limit"] = self.limit.to_json()
        if self.opens is not None:
            raw["opens"] = self.opens
        if self.cause:
            raw["cause"] = self.cause
        if self.kind == "stop":
            raw["end"] = self.end
        for name in ("until", "asked_at", "claimed_at"):
            at = cast("datetime | None", getattr(self, name))
            if at is not None:
                raw[name] = _iso(at)
        return raw

    @classmethod
    def from_json(cls, raw: Mapping[str, object]) -> Mark:
        limit = cast("Mapping[str, object] | None", raw.get("limit"))
        return cls(
            kind=cast(MarkKind, raw["kind"]),
            at=datetime.fromisoformat(str(raw["at"])),
            limit=None if limit is None else Limit.from_json(limit),
            why=str(raw.get("why", "")),
            opens=cast("Frame | None", raw.get("opens")),
            cause=str(raw.get("cause", "")),
            until=_moment(raw.get("until")),
            asked_at=_moment(raw.get("asked_at")),
            end=cast(End, raw.get("end", "done")),
            claimed_at=_moment(raw.get("claimed_at")),
        )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _moment(raw: object) -> datetime | None:
    return None if raw is None else datetime.fromisoformat(str(raw))
