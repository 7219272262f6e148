"""Laws of the trail over random histories: whole ones verify, and no single edit of a line goes unseen."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from patrol import models as m
from patrol.actions.followup import anchor
from patrol.queries.trail import TrailReport, anchors_of, verify
from patrol.station import Actor, Station
from tests.walk import Town

numbers = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
names = st.text("abcé水", max_size=4)
plain = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
facts = st.dictionaries(st.sampled_from(["words", "why", "photos", "n", "渠道"]), plain, max_size=4)
tellings = st.lists(
    st.tuples(st.sampled_from(["issue:1", "issue:2", "house", "clue:9"]), facts, st.booleans()),
    min_size=1,
    max_size=12,
)


def check(station: Station) -> TrailReport:
    with station.look() as look:
        return verify(look, anchors_of(station.settings))


class TestHistories:
    """One station for all examples: each example adds its lines to what is there."""

    @given(tellings)
    @hypothesis_settings(max_examples=40)
    def test_whole_histories_verify(self, station: Station, told: list[tuple[str, dict[str, Any], bool]]) -> None:
        tell(station, told)
        report = check(station)
        assert report.broken == []
        assert report.lines >= len(told)

    @given(told=tellings, seed=st.integers(0, 2**32))
    @hypothesis_settings(max_examples=60)
    def test_no_single_edit_goes_unseen(
        self, station: Station, told: list[tuple[str, dict[str, Any], bool]], seed: int
    ) -> None:
        if not station.settings.is_sqlite:
            return  # the edits below are made to the file
        tell(station, told)
        station.clock.forward(hours=1)  # type: ignore[attr-defined]  # the settable clock; anchors go out hourly
        anchor(station)
        assert check(station).broken == []
        file = station.settings.data / "patrol.db"
        with closing(sqlite3.connect(file, isolation_level=None)) as base:
            undo = edit(base, Random(seed))
            assert not check(station).ok
            undo()
        assert check(station).broken == []


def tell(station: Station, told: list[tuple[str, dict[str, Any], bool]]) -> None:
    if not Path(station.settings.data / "started").exists():
        town = Town(station)
        town.report()
        town.report(chainage_m=400)
        Path(station.settings.data / "started").touch()
    for subject, known, moves in told:
        with station.work(Actor(None, "甲", frozenset({"office"}))) as work:
            if subject.startswith("issue:"):
                work.tell("progressed", work.session.get_one(m.Issue, int(subject[6:])), moves=moves, **known)
            else:
                work.tell("progressed", subject=subject, **known)


def edit(base: sqlite3.Connection, random: Random) -> Any:
    """One edit of one line as somebody with the file might make; returns what takes it back."""
    lines = base.execute("SELECT * FROM trail ORDER BY id").fetchall()
    names = [column[1] for column in base.execute("PRAGMA table_info(trail)")]
    line = random.choice(lines)
    how = random.choice(["remove", "cut", *[name for name in names if name != "id"]])
    row = dict(zip(names, line, strict=True))
    if how == "remove":
        base.execute("DELETE FROM trail WHERE id = ?", (row["id"],))
        return lambda: base.execute(f"INSERT INTO trail VALUES ({','.join('?' * len(names))})", line)
    if how == "cut":
        return cut(base, row["subject"], row["seq"])
    value: Any = {"issue_id": 77, "seq": row["seq"] + 500, "person_id": 55}.get(how)
    if value is None:
        old = row[how]
        if isinstance(old, bytes):
            at = random.randrange(len(old))
            value = old[:at] + bytes([old[at] ^ (1 << random.randrange(8))]) + old[at + 1 :]
        elif how == "facts":
            value = old.replace("}", ', "added": 1}') if old != "{}" else '{"added": 1}'
        else:
            at = random.randrange(max(len(old), 1))
            value = old[:at] + ("7" if old[at : at + 1] != "7" else "8") + old[at + 1 :]
    base.execute(f"UPDATE trail SET {how} = ? WHERE id = ?", (value, row["id"]))
    return lambda: base.execute(f"UPDATE trail SET {how} = ? WHERE id = ?", (row[how], row["id"]))


def cut(base: sqlite3.Connection, subject: str, seq: int) -> Any:
    """Cut a chain from a line on and put its head right; only what left the house can tell."""
    gone = base.execute("SELECT * FROM trail WHERE subject = ? AND seq >= ?", (subject, seq)).fetchall()
    head = base.execute("SELECT seq, mac FROM trail WHERE subject = ? AND seq = ?", (subject, seq - 1)).fetchone()
    base.execute("DELETE FROM trail WHERE subject = ? AND seq >= ?", (subject, seq))
    if not subject.startswith("issue:"):  # other chains are not anchored: the head row is all there is

        def undo() -> None:
            base.executemany(f"INSERT INTO trail VALUES ({','.join('?' * len(gone[0]))})", gone)

        return undo
    issue = int(subject[6:])
    kept = base.execute("SELECT trail_seq, trail_head FROM issue WHERE id = ?", (issue,)).fetchone()
    base.execute("UPDATE issue SET trail_seq = ?, trail_head = ? WHERE id = ?", (*(head or (0, "")), issue))

    def undo_issue() -> None:
        base.executemany(f"INSERT INTO trail VALUES ({','.join('?' * len(gone[0]))})", gone)
        base.execute("UPDATE issue SET trail_seq = ?, trail_head = ? WHERE id = ?", (*kept, issue))

    return undo_issue
