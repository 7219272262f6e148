"""Walking the chains: one pass over all lines in order, each against the one before it.

Rows come as the database gives them, and whoever edits a database may put anything into a cell, so every cell
is doubted here. Only the first broken line of a chain is named: after it nothing can be said.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, text

from patrol import models as m
from patrol.queries.trail_anchors import Anchors
from patrol.station import line_mac

Fault = tuple[str, int | None, str, str]  # subject, line, code, sentence

LINES = """
SELECT subject, seq, issue_id, event, at, person_id, role, CAST(facts AS TEXT), salt, facts_digest, prev, mac
FROM trail ORDER BY subject, seq
"""
AT_ONCE = 2000
_UNKNOWN = None


class Line(NamedTuple):
    """What `line_mac` reads of a line."""

    subject: str
    seq: int
    event: str
    at: datetime
    person_id: int | None
    role: str
    facts_digest: str
    prev: str


@dataclass
class Count:
    lines: int = 0
    subjects: int = 0
    erased: int = 0


class Broke(Exception):
    """A line that does not hold: code and the end of a sentence."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(code)
        self.code = code
        self.words = words


class Walk:
    """One pass over the trail of one database state."""

    def __init__(self, connection: Connection, key: bytes, anchors: Anchors) -> None:
        self.connection = connection
        self.key = key
        self.anchors = anchors
        self.heads: dict[str, tuple[int, str]] = {}
        self.kept: dict[str, tuple[Any, Any]] = {}  # subject -> (seq, head) as the row of issue or chain says
        self.names: dict[str, str] = {}
        self.states: dict[str, str] = {}
        for id_, number, state, seq, head in connection.exec_driver_sql(
            "SELECT id, number, state, trail_seq, trail_head FROM issue"
        ):
            subject = f"issue:{id_}"
            self.kept[subject], self.names[subject], self.states[subject] = (
                (seq, head),
                str(number),
                str(state),
            )
        for subject, seq, head in connection.exec_driver_sql("SELECT subject, seq, head FROM chain"):
            self.kept[str(subject)] = (seq, head)

    def faults(self, count: Count) -> Iterator[Fault]:
        """The first fault of every chain, then the chains that have lost all their lines."""
        chain: _Chain | None = None
        options: dict[str, Any] = {"yield_per": AT_ONCE}
        for row in self.connection.execute(text(LINES).execution_options(**options)):
            count.lines += 1
            subject = str(row[0])
            if chain is None or chain.subject != subject:
                if chain is not None:
                    yield from self._end(chain)
                chain = _Chain(subject, self.key, self.anchors.of(subject))
                count.subjects += 1
            count.erased += chain.take(row)
        if chain is not None:
            yield from self._end(chain)
        for subject in sorted(self.kept.keys() - self.heads.keys()):
            yield subject, None, "no_lines", f"{self._name(subject)}：台账一行也没有了。"
        for subject in sorted(set(self.anchors.subjects()) - self.heads.keys() - self.kept.keys()):
            yield subject, None, "vanished", f"{self._name(subject)}：外面留有校验，库里整件不见了。"

    def _name(self, subject: str) -> str:
        return self.names.get(subject, subject)

    def _end(self, chain: _Chain) -> Iterator[Fault]:
        """What the end of a chain must agree with."""
        subject, name = chain.subject, self._name(chain.subject)
        self.heads[subject] = chain.seq, chain.mac
        if chain.broke is not None:
            yield (
                subject,
                chain.broken_at,
                chain.broke.code,
                f"{name} 台账第 {chain.broken_at} 行{chain.broke.words}。",
            )
            return
        if any(seq < 1 for seq in chain.wanted):
            yield subject, None, "anchor", f"{name}：有一处外存校验或单据所指的行号不成样子，被改过。"
            return
        cut = min((seq for seq in chain.wanted if seq > chain.seq), default=None)
        if cut is not None:
            where = next(iter(chain.wanted[cut].values()))
            yield (
                subject,
                chain.seq + 1,
                "cut",
                f"{name} 台账只到第 {chain.seq} 行，而 {where} 证明有过第 {cut} 行：第 {chain.seq + 1} 行起被截掉了。",
            )
            return
        if subject not in self.kept:
            yield subject, 1, "no_head", f"{name}：有台账 {chain.seq} 行，库里却没有这件。"
        elif self.kept[subject] != (chain.seq, chain.mac):
            said = self.kept[subject][0]
            short = isinstance(said, int) and said > chain.seq
            words = f"链头记着 {said} 行，台账只有 {chain.seq} 行" if short else "链头与台账最后一行不符"
            yield subject, chain.seq + 1 if short else chain.seq, "head", f"{name}：{words}。"
        elif chain.state is not None and subject in self.states and chain.state != self.states[subject]:
            yield (
                subject,
                chain.seq,
                "state",
                (f"{name}：台账写的是 {chain.state}，库里却是 {self.states[subject]}，状态被人直接改过。"),
            )


class _Chain:
    """One chain while its lines go by."""

    def __init__(self, subject: str, key: bytes, wanted: dict[int, dict[str, str]]) -> None:
        self.subject = subject
        self.key = key
        self.wanted = wanted
        self.seq = 0
        self.mac = ""
        self.state: str | None = _UNKNOWN
        self.broke: Broke | None = None
        self.broken_at = 0
        self._issue_id = int(subject[6:]) if subject.startswith("issue:") and subject[6:].isdecimal() else None

    def take(self, row: Any) -> int:
        """Check the next line; returns 1 when its facts were erased."""
        if self.broke is not None:
            return 0
        try:
            return self._check(row)
        except Broke as broke:
            self.broke = broke
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            self.broke = Broke("unreadable", "有一格读不出来，被改过")
        self.broken_at = self.seq + 1
        return 0

    def _check(self, row: Any) -> int:
        subject, seq, issue_id, event, at, person_id, role, facts, salt, digest, prev, mac = row
        if seq != self.seq + 1:
            raise Broke("missing", "不见了，或号码被改过")
        if prev != self.mac:
            raise Broke("link", "与上一行接不上")
        line = Line(subject, seq, event, _moment(at), person_id, role, digest, prev)
        # line_mac reads eight fields of a model; a tuple of the same fields is a third of the cost
        if line_mac(self.key, cast(m.Trail, line)) != mac:
            raise Broke("mac", "被改过（校验码不符）")
        if issue_id != self._issue_id:
            raise Broke("issue_id", "被挂到了别的件上")
        heads = self.wanted.get(seq)
        if heads is not None and set(heads) != {mac}:
            where = next(place for head, place in heads.items() if head != mac)
            raise Broke("anchor", f"与留在外面的校验（{where}）不符")
        erased = facts is None or facts == "null"
        if erased and salt is not None:
            raise Broke("facts_gone", "的内容不见了，却不是按规矩销去的")
        known = None if erased else self._facts(facts, salt, digest)
        self.state = _state_after(self.state, event, known)
        self.seq, self.mac = seq, mac
        return int(erased)

    @staticmethod
    def _facts(facts: str, salt: bytes, digest: str) -> Any:
        known = json.loads(facts)
        if salt is None or hmac.digest(bytes(salt), m.canonical(known), hashlib.sha256).hex() != digest:
            raise Broke("facts", "的内容被改过")
        return known


def _moment(at: Any) -> datetime:
    """The moment of a line; SQLite's text must stand exactly as it was written."""
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    if len(at) != 27 or not at.endswith("Z") or at[10] != "T":
        raise ValueError(at)
    return datetime.fromisoformat(at)


def _state_after(state: str | None, event: str, facts: Any) -> str | None:
    """The state the lines so far lead to, or None where they do not say."""
    if facts is None:
        return _UNKNOWN
    if "to" in facts and "from" in facts and "step" in facts:
        return str(facts["to"])
    if event == "reported":
        return _UNKNOWN if facts.get("origin") else "reported"
    return _UNKNOWN if event == "reopened" else state
