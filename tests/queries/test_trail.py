"""The trail's verification: every kind of tampering is found and named, and a clean history never alarms."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, insert, select, update
from sqlalchemy import delete as remove

from patrol import models as m
from patrol.actions import followup
from patrol.queries.trail import Broken, TrailReport, anchors_of, verify
from patrol.station import SYSTEM, Station
from tests.walk import Town

TRAIL: Table = m.Trail.__table__  # type: ignore[assignment]
SLIP: Table = m.Slip.__table__  # type: ignore[assignment]
ISSUE: Table = m.Issue.__table__  # type: ignore[assignment]
CHAIN: Table = m.Chain.__table__  # type: ignore[assignment]
ANCHOR: Table = m.Anchor.__table__  # type: ignore[assignment]
COUNTER: Table = m.Counter.__table__  # type: ignore[assignment]


@pytest.fixture
def town(station: Station) -> Town:
    """One closed issue, one that waits for its check, one dismissed by two persons, one clue."""
    town = Town(station)
    closed = town.to_closed()
    other = town.to_assigned(chainage_m=400)
    assert (closed, other) == ("TH-2026-0001", "TH-2026-0002")
    office = town.person("office")
    third = town.report(chainage_m=2000).issue.number
    asked = town.step(third, "dismiss", office, reason="看过没有", reason_code="not_found")
    town.approve(asked.request, town.person("office_head"))
    town.report("drone", chainage_m=2600, score=0.4)
    return town


def check(station: Station, file: Path | None = None) -> TrailReport:
    with station.look() as look:
        return verify(look, file or anchors_of(station.settings))


def first(station: Station, subject: str) -> Broken:
    found = [broken for broken in check(station).broken if broken.subject == subject]
    assert found, check(station).broken
    return found[0]


def rows(station: Station, table: Table, **where: Any) -> list[dict[str, Any]]:
    query = select(table).order_by(*table.primary_key.columns)
    for name, value in where.items():
        query = query.where(table.c[name] == value)
    with station.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


@contextmanager
def changed(station: Station, table: Table, row: dict[str, Any], **values: Any) -> Iterator[None]:
    """The row with other values, behind the station's back; as it was afterwards."""
    key = [column == row[column.name] for column in table.primary_key.columns]
    with station.engine.begin() as connection:
        connection.execute(update(table).where(*key).values(values))
    yield
    with station.engine.begin() as connection:
        connection.execute(update(table).where(*key).values({name: row[name] for name in values}))


@contextmanager
def removed(station: Station, table: Table, *gone: dict[str, Any]) -> Iterator[None]:
    with station.engine.begin() as connection:
        for row in gone:
            key = [column == row[column.name] for column in table.primary_key.columns]
            connection.execute(remove(table).where(*key))
    yield
    with station.engine.begin() as connection:
        for row in gone:
            connection.execute(insert(table).values(row))


def other(value: Any, name: str) -> Any:
    """Another value of the same type, such as an editor might put."""
    if name == "event":
        return "closed" if value != "closed" else "verified"
    if name in ("facts", "assisting"):
        return {"step": "verify", "from": "rectified", "to": "verified"}
    if isinstance(value, str) and len(value) == 64:
        return hashlib.sha256(value.encode()).hexdigest()
    if isinstance(value, bytes):
        return bytes(byte ^ 1 for byte in value)
    if isinstance(value, int):
        return value + 1
    if hasattr(value, "tzinfo"):
        return value + timedelta(seconds=1)
    return "x" if value != "x" else "y"


def test_clean_history_raises_no_alarm(town: Town) -> None:
    report = check(town.station)
    assert report.broken == []
    assert (report.slips, report.subjects) == (5, 4) and report.lines > 15
    followup.anchor(town.station)
    town.report(chainage_m=1600)
    again = check(town.station)
    assert again.ok and again.anchors > report.anchors and "完整" in again.words


# `id` orders nothing: a line's place is its subject and seq
COLUMNS = [column.name for column in TRAIL.columns if column.name != "id"]


def another(station: Station, line: dict[str, Any], name: str) -> Any:
    persons = [person["id"] for person in rows(station, m.Person.__table__)]  # type: ignore[arg-type]
    special = {
        "subject": "issue:999",
        "seq": 1000 + line["seq"],
        "issue_id": 3,
        "person_id": next(each for each in persons if each != line["person_id"]),
    }
    return special[name] if name in special else other(line[name], name)


def test_change_of_any_column_is_found_and_the_line_named(town: Town) -> None:
    station = town.station
    lines = rows(station, TRAIL, subject="issue:1")
    for name in COLUMNS:
        for line in (lines[0], lines[len(lines) // 2], lines[-1]):
            with changed(station, TRAIL, line, **{name: another(station, line, name)}):
                broken = first(station, "issue:1")
                last = line is lines[-1] and name in ("subject", "seq")
                assert broken.seq == line["seq"] or (last and broken.code in ("head", "cut", "missing")), name
                assert "TH-2026-0001" in broken.sentence
    assert check(station).ok


def test_facts_that_vanish_with_their_salt_are_counted_and_without_it_found(town: Town) -> None:
    station = town.station
    line = rows(station, TRAIL, subject="issue:1")[2]
    with changed(station, TRAIL, line, facts=None, salt=None):
        report = check(station)
        assert report.ok and report.erased == 1
    with changed(station, TRAIL, line, facts=None):
        assert first(station, "issue:1").code == "facts_gone"


def test_removed_line_is_found(town: Town) -> None:
    station = town.station
    for line in rows(station, TRAIL, subject="issue:1")[:-1]:
        with removed(station, TRAIL, line):
            broken = first(station, "issue:1")
            assert (broken.code, broken.seq) == ("missing", line["seq"])
    assert check(station).ok


def test_swapped_lines_are_found(town: Town) -> None:
    station = town.station
    one, two = rows(station, TRAIL, subject="issue:1")[3:5]
    with station.engine.begin() as connection:
        for line, seq in ((one, -1), (two, one["seq"]), (one, two["seq"])):
            connection.execute(update(TRAIL).where(TRAIL.c.id == line["id"]).values(seq=seq))
    assert first(station, "issue:1").seq == one["seq"]


def cut(station: Station, count: int) -> list[dict[str, Any]]:
    """Cut the last lines of issue 1 and put its head right, as someone who knows the house would."""
    lines = rows(station, TRAIL, subject="issue:1")
    gone, kept = lines[-count:], lines[:-count]
    with station.engine.begin() as connection:
        connection.execute(remove(TRAIL).where(TRAIL.c.id.in_([line["id"] for line in gone])))
        connection.execute(
            update(ISSUE).where(ISSUE.c.id == 1).values(trail_seq=kept[-1]["seq"], trail_head=kept[-1]["mac"])
        )
    return gone


def test_cut_tail_is_found_by_the_head(town: Town) -> None:
    station = town.station
    with removed(station, TRAIL, *rows(station, TRAIL, subject="issue:1")[-2:]):
        assert first(station, "issue:1").code in ("head", "cut")


def test_cut_tail_with_its_head_put_right_is_found_by_a_printed_slip(town: Town) -> None:
    lines = len(rows(town.station, TRAIL, subject="issue:1"))
    cut(town.station, 3)
    broken = first(town.station, "issue:1")
    assert broken.code == "cut" and broken.seq == lines - 2 and "XH-2026-0001-1" in broken.sentence


def test_cut_tail_is_found_by_the_file_when_table_and_slips_are_cut_as_well(town: Town) -> None:
    station = town.station
    file = anchors_of(station.settings)
    followup.anchor(station)
    cut(station, 2)
    seq, head = (rows(station, ISSUE, id=1)[0][name] for name in ("trail_seq", "trail_head"))
    with station.engine.begin() as connection:
        connection.execute(remove(ANCHOR).where(ANCHOR.c.subject == "issue:1"))
        connection.execute(update(ISSUE).where(ISSUE.c.id == 1).values(state="verified"))
        connection.execute(update(SLIP).where(SLIP.c.trail_seq > seq).values(trail_seq=seq, trail_head=head))
    found = [broken for broken in check(station).broken if broken.subject == "issue:1"]
    assert [broken.code for broken in found] == ["cut"] and file.name in found[0].sentence
    file.unlink()
    assert [broken for broken in check(station).broken if broken.subject == "issue:1"] == []


def test_altered_head_of_an_issue_is_found(town: Town) -> None:
    row = rows(town.station, ISSUE, id=1)[0]
    for name in ("trail_seq", "trail_head"):
        with changed(town.station, ISSUE, row, **{name: other(row[name], name)}):
            assert first(town.station, "issue:1").code == "head"


def test_altered_head_of_another_chain_is_found(town: Town) -> None:
    row = rows(town.station, CHAIN)[0]
    for name in ("seq", "head"):
        with changed(town.station, CHAIN, row, **{name: other(row[name], name)}):
            assert first(town.station, row["subject"]).code == "head"
    with removed(town.station, CHAIN, row):
        assert first(town.station, row["subject"]).code == "no_head"


def test_state_changed_without_a_step_is_found(town: Town) -> None:
    row = rows(town.station, ISSUE, id=2)[0]
    with changed(town.station, ISSUE, row, state="closed"):
        broken = first(town.station, "issue:2")
        assert broken.code == "state" and "assigned" in broken.sentence


def test_altered_or_foreign_anchor_is_found(town: Town) -> None:
    station = town.station
    row = rows(station, ANCHOR)[0]
    with changed(station, ANCHOR, row, head=other(row["head"], "head")):
        assert first(station, row["subject"]).code == "anchor"
    with changed(station, ANCHOR, row, subject="issue:77"):
        assert first(station, "issue:77").code == "vanished"


def test_damaged_anchor_file_is_told_but_a_torn_last_line_is_not(town: Town) -> None:
    station = town.station
    followup.anchor(station)
    file = anchors_of(station.settings)
    good = file.read_bytes()
    file.write_bytes(good + b'{"subject": "issue:1", "se')
    assert check(station).ok
    file.write_bytes(b"\x00\xff\n" + good)
    broken = first(station, "anchors.jsonl")
    assert (broken.seq, broken.code) == (1, "anchors_file")
    file.write_bytes(good.replace(b'"issue:2"', b'"issue:1"'))
    assert first(station, "issue:1").code in ("anchor", "cut")


def test_issue_taken_out_whole_leaves_a_gap(town: Town) -> None:
    station = town.station
    report = check(station)
    assert report.ok
    with station.engine.begin() as connection:
        connection.execute(update(COUNTER).where(COUNTER.c.series == "issue:2026").values(last=4))
    broken = first(station, "issue:2026")
    assert broken.code == "gap" and "0004" in broken.sentence
    with station.engine.begin() as connection:
        connection.execute(remove(COUNTER).where(COUNTER.c.series == "issue:2026"))
    assert first(station, "issue:2026").code == "counter"


def test_issue_whose_lines_all_went_is_found(town: Town) -> None:
    station = town.station
    with removed(station, TRAIL, *rows(station, TRAIL, subject="issue:2")):
        assert first(station, "issue:2").code == "no_lines"


# what a slip says stands in its facts; these columns only help to find and print it
FREE = {"id", "pdf_sha256", "template"}


def test_change_of_any_slip_column_is_found(town: Town) -> None:
    station = town.station
    slip = rows(station, SLIP, kind="closure")[0]
    special = {
        "facts": {**slip["facts"], "closed_by": "别人"},
        "kind": "transfer",
        "superseded_by": rows(station, SLIP, kind="assignment")[0]["id"],
        "trail_seq": slip["trail_seq"] - 1,
    }
    for name in (column.name for column in SLIP.columns if column.name not in FREE):
        value = special[name] if name in special else other(slip[name], name)
        with changed(station, SLIP, slip, **{name: value}):
            assert not check(station).ok, name
    assert check(station).ok


def test_slip_forged_with_a_right_digest_but_no_key_is_found(town: Town) -> None:
    from patrol.gateways import papers

    station = town.station
    slip = rows(station, SLIP, kind="closure")[0]
    facts = {**slip["facts"], "closed_by": "别人"}
    with changed(station, SLIP, slip, facts=facts, digest=papers.check_digest(facts)):
        assert first(station, f"slip:{slip['number']}").code == "check_code"


def test_removed_slip_is_a_gap(town: Town) -> None:
    station = town.station
    slip = rows(station, SLIP, kind="assignment")[0]
    with station.engine.begin() as connection:
        connection.execute(update(m.Errand).where(m.Errand.slip_id == slip["id"]).values(slip_id=None))
        connection.execute(remove(SLIP).where(SLIP.c.id == slip["id"]))
    broken = first(station, "slip:assignment:2026")
    assert broken.code == "gap" and "0001" in broken.sentence


def test_junk_in_a_cell_is_a_finding_not_a_crash(town: Town) -> None:
    station = town.station
    if not station.settings.is_sqlite:
        pytest.skip("PostgreSQL's own types refuse what SQLite stores")
    with sqlite3.connect(station.settings.data / "patrol.db", isolation_level=None) as base:
        for table, where in (("trail", "subject = 'issue:1' AND seq = 3"), ("slip", "kind = 'closure'")):
            names = {"trail": TRAIL, "slip": SLIP}[table].columns.keys()
            for name in names:
                if name in FREE:
                    continue
                kept = base.execute(f"SELECT id, {name} FROM {table} WHERE {where}").fetchone()
                for junk in (
                    "",
                    "not json",
                    '{"a":',
                    b"\x00\xff",
                    12.5,
                    "\ud800".encode("utf-8", "surrogatepass"),
                ):
                    try:
                        base.execute(f"UPDATE {table} SET {name} = ? WHERE id = ?", (junk, kept[0]))
                        if isinstance(junk, bytes):  # as text that is no UTF-8
                            base.execute(f"UPDATE {table} SET {name} = CAST({name} AS TEXT) WHERE id = ?", kept[:1])
                    except sqlite3.IntegrityError:
                        continue
                    assert not check(station).ok, (table, name, junk)
                    base.execute(f"UPDATE {table} SET {name} = ? WHERE id = ?", (kept[1], kept[0]))
        base.execute("UPDATE issue SET trail_head = CAST(x'ff' AS TEXT), number = '' WHERE id = 2")
    assert {broken.code for broken in check(station).broken} >= {"head", "number"}


def test_verification_while_others_write_raises_no_alarm(town: Town) -> None:
    station = town.station
    done = threading.Event()

    def write() -> None:
        for number in range(60):
            with station.work(SYSTEM) as work:
                issue = work.session.get_one(m.Issue, 1 + number % 3)
                work.tell("progressed", issue, moves=True, words=str(number))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not done.is_set():
        seen.append(check(station))
    writer.join()
    assert [report.broken for report in seen if not report.ok] == []
    assert len({report.lines for report in seen}) > 1, "nothing was written while it was verified"
