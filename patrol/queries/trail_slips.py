"""The slips of a database against what proves them: digest, keyed check code, numbers without gaps."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from patrol.gateways import identity, papers
from patrol.queries.trail_anchors import Anchors

Fault = tuple[str, str, str]  # subject, code, sentence

SLIPS = """
SELECT s.id, s.number, s.printed_number, s.kind, s.year, s.serial, s.revision, CAST(s.facts AS TEXT),
       s.digest, s.check_code, s.trail_head, s.made_at, s.superseded_by, i.number
FROM slip s LEFT JOIN issue i ON i.id = s.issue_id ORDER BY s.kind, s.year, s.serial, s.revision
"""
AT_ONCE = 500
NAMED = 20


def slip_anchors(connection: Connection, anchors: Anchors) -> None:
    """A slip names the head it was frozen on: as good as any anchor, for it hangs on somebody's wall."""
    rows = connection.exec_driver_sql("SELECT issue_id, trail_seq, trail_head, number FROM slip")
    for issue_id, seq, head, number in rows:
        anchors.add(f"issue:{issue_id}", seq, head, f"单据 {number}")


def check_slips(connection: Connection, key: bytes) -> tuple[int, list[Fault]]:
    """How many slips there are, and the first fault of each."""
    faults: list[Fault] = []
    series: dict[tuple[str, int], dict[int, dict[int, tuple[int, Any, str]]]] = defaultdict(lambda: defaultdict(dict))
    count = 0
    options: dict[str, Any] = {"yield_per": AT_ONCE}
    for row in connection.execute(text(SLIPS).execution_options(**options)):
        count += 1
        number = str(row[1])
        try:
            wrong = _fault_of(row, key)
        except (ValueError, TypeError, KeyError, AttributeError):
            wrong = "unreadable", "有一格读不出来，被改过"
        if wrong:
            faults.append((f"slip:{number}", wrong[0], f"单据 {number} {wrong[1]}。"))
        year, serial, revision = row[4:7]
        if isinstance(year, int) and isinstance(serial, int) and isinstance(revision, int):
            series[(str(row[3]), year)][serial][revision] = (row[0], row[12], number)
    last = _counters(connection, faults)
    for (kind, year), serials in series.items():
        faults += _gaps(kind, year, serials, last.get(("slip", kind, year), 0))
    for (what, kind, year), value in last.items():
        if what == "slip" and value and (kind, year) not in series:
            name = f"slip:{kind}:{year}"
            faults.append((name, "gap", f"{year} 年 {kind} 单据开过 {value} 号，库里一份也没有了。"))
    return count, faults


def _counters(connection: Connection, faults: list[Fault]) -> dict[tuple[str, str, int], int]:
    """(`slip` or `issue`, kind, year) -> the last number given out."""
    last = {}
    for series, value in connection.exec_driver_sql("SELECT series, last FROM counter"):
        what, _, rest = str(series).partition(":")
        kind, _, year = rest.rpartition(":")
        if year.isdecimal() and isinstance(value, int):
            last[(what, kind, int(year))] = value
        elif what in ("slip", "issue"):
            faults.append((str(series), "counter", f"取号记录 {series} 读不出来，被改过。"))
    return last


def _fault_of(row: Any, key: bytes) -> tuple[str, str] | None:
    _, number, printed, kind, year, serial, revision, raw, digest, code, head, made_at, _, issue = row
    facts = json.loads(raw)
    if papers.check_digest(facts) != digest:
        return "digest", "的内容被改过（摘要不符）"
    if identity.check_code(key, digest, head) != code:
        return "check_code", "的校验码不符，不是原来那份"
    said = (facts["number"], facts["kind"], facts["revision"], facts["issue"])
    if said != (printed, kind, revision, issue):
        return "columns", "登记的号码、种类、版次或所属问题与单面不符"
    if not number.endswith(f"-{year}-{serial:04d}-{revision}") or f"〔{year}〕第 {serial:04d} 号" not in printed:
        return "number", "的编号与单面不符"
    if _seconds(made_at) != datetime.fromisoformat(facts["issued_at"]).astimezone(UTC):
        return "made_at", "登记的时间与单面不符"
    return None


def _seconds(at: Any) -> datetime:
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return moment.astimezone(UTC).replace(microsecond=0)


def _gaps(kind: str, year: int, serials: dict[int, dict[int, tuple[int, Any, str]]], last: int) -> list[Fault]:
    """Numbers without gaps, revisions without gaps, each superseded by the next."""
    faults: list[Fault] = []
    name = f"slip:{kind}:{year}"
    gone = [serial for serial in range(1, max([*serials, last]) + 1) if serial not in serials]
    if gone:
        faults.append((name, "gap", f"{year} 年 {kind} 单据缺号：{_listed(gone)}。"))
    if max(serials) > last:
        faults.append((name, "counter", f"{year} 年 {kind} 单据的取号记录（{last}）比已有的号还小。"))
    for serial, revisions in serials.items():
        for revision in range(1, max(revisions) + 1):
            if revision not in revisions:
                faults.append((name, "gap", f"{year} 年 {kind} 第 {serial:04d} 号缺第 {revision} 版。"))
                continue
            _, superseded_by, number = revisions[revision]
            follower = revisions.get(revision + 1)
            if superseded_by != (follower[0] if follower else None):
                faults.append((f"slip:{number}", "superseded", f"单据 {number} 由哪一版代替，登记得不对。"))
    return faults


def check_numbers(connection: Connection) -> list[Fault]:
    """Issue numbers without gaps: an issue taken out whole leaves its number missing."""
    seen: dict[int, set[int]] = defaultdict(set)
    faults: list[Fault] = []
    for (number,) in connection.exec_driver_sql("SELECT number FROM issue"):
        parts = str(number).split("-")
        if len(parts) < 3 or not parts[-1].isdecimal() or not parts[-2].isdecimal():
            faults.append((str(number), "number", f"问题编号 {number} 不成样子，被改过。"))
            continue
        seen[int(parts[-2])].add(int(parts[-1]))
    unread: list[Fault] = []  # said once already, where slips were counted
    for (what, _, year), last in _counters(connection, unread).items():
        if what != "issue":
            continue
        have = seen.pop(year, set())
        gone = [serial for serial in range(1, last + 1) if serial not in have]
        if gone:
            faults.append((f"issue:{year}", "gap", f"{year} 年问题缺号：{_listed(gone)}。"))
        if have and max(have) > last:
            faults.append((f"issue:{year}", "counter", f"{year} 年问题的取号记录（{last}）比已有的号还小。"))
    faults += [(f"issue:{year}", "counter", f"{year} 年问题的取号记录不见了。") for year in sorted(seen)]
    return faults


def _listed(numbers: Iterable[int]) -> str:
    named = [f"{number:04d}" for number in numbers]
    return "、".join(named[:NAMED]) + (f" 等 {len(named)} 个" if len(named) > NAMED else "")
