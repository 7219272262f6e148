"""Whether the trail is whole: every chain against its head, its anchors and the slips printed from it.

It reads one consistent state row by row, without models, and changes nothing. It needs the installation's
keys: whoever can write to the database but does not hold them cannot make a line that passes. What it cannot
see is an end that was cut before the head it led to was ever anchored or printed.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from patrol.queries.trail_anchors import Anchors, read_anchors
from patrol.queries.trail_lines import Count, Walk
from patrol.queries.trail_slips import check_numbers, check_slips, slip_anchors
from patrol.settings import Settings
from patrol.station import Work

SHOWN = 200


@dataclass(frozen=True)
class Broken:
    """The first thing found wrong with one subject (an issue, a clue, the house, a slip, the anchors)."""

    subject: str
    seq: int | None
    code: str
    sentence: str


@dataclass
class TrailReport:
    """What a verification found. `erased` counts lines whose facts were erased and whose chain holds."""

    lines: int = 0
    subjects: int = 0
    erased: int = 0
    slips: int = 0
    anchors: int = 0
    seconds: float = 0.0
    heads: dict[str, tuple[int, str]] = field(default_factory=dict, repr=False)
    broken: list[Broken] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.broken

    @property
    def words(self) -> str:
        """One sentence for a person."""
        seen = f"{self.subjects} 条链 {self.lines} 行，单据 {self.slips} 份，外存校验 {self.anchors} 处"
        if self.ok:
            return f"台账完整：{seen}，用时 {self.seconds:.1f} 秒。"
        return f"台账有 {len(self.broken)} 处对不上（{seen}）。先停用、留存现状，再与备份和打印的单据核对。"

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok, "lines": self.lines, "subjects": self.subjects, "erased": self.erased,
            "slips": self.slips, "anchors": self.anchors, "seconds": round(self.seconds, 3),
            "broken_count": len(self.broken),
            "broken": [vars(one) for one in self.broken[:SHOWN]],
        }  # fmt: skip


def anchors_of(settings: Settings) -> Path:
    """Where heads are written outside the database."""
    return settings.data / "anchors.jsonl"


def verify(work: Work, anchors_file: Path | None) -> TrailReport:
    """Verify everything in the database of `work`, which must not have read anything yet."""
    began_s = time.monotonic()
    report = TrailReport()
    # the file before the state: what it holds was committed before, so nothing in it can be news to the state
    anchors = Anchors()
    if anchors_file is not None and anchors_file.exists():
        for line, sentence in read_anchors(anchors_file, anchors):
            report.broken.append(Broken("anchors.jsonl", line, "anchors_file", sentence))
    if work.dialect == "postgresql":
        work.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    connection = work.session.connection()
    with _any_text(connection):
        _check(work, connection, anchors, report)
    report.seconds = time.monotonic() - began_s
    return report


def _check(work: Work, connection: Connection, anchors: Anchors, report: TrailReport) -> None:
    for subject, seq, head, where in connection.exec_driver_sql("SELECT subject, seq, head, place FROM anchor"):
        anchors.add(str(subject), seq, head, where)
    slip_anchors(connection, anchors)
    report.anchors = anchors.count
    walk = Walk(connection, work.keys.chain, anchors)
    count = Count()
    for subject, seq, code, sentence in walk.faults(count):
        report.broken.append(Broken(subject, seq, code, sentence))
    report.lines, report.subjects, report.erased, report.heads = (
        count.lines, count.subjects, count.erased, walk.heads,
    )  # fmt: skip
    report.slips, faults = check_slips(connection, work.keys.check)
    faults += check_numbers(connection)
    report.broken += [Broken(subject, None, code, sentence) for subject, code, sentence in faults]


@contextmanager
def _any_text(connection: Connection) -> Iterator[None]:
    """Let SQLite hand out text that is no UTF-8: it must become a finding, not the end of the search."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        yield
        return
    raw.text_factory = lambda data: data.decode("utf-8", "replace")
    try:
        yield
    finally:
        raw.text_factory = str
