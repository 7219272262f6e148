"""Rows for any table as it stands in the database: made from its columns alone, so that old revisions get them too.

Must not import the models: they know only the newest tables.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Date, DateTime, Float, Integer, LargeBinary, MetaData, Table
from sqlalchemy import types as kinds

VERSION = "alembic_version"
MOMENT_LENGTH = 27  # how SQLite keeps a moment: as text of this length
Row = dict[str, Any]


def tables_of(connection: Connection) -> dict[str, Table]:
    """Every table of ours as it is now, those that are referred to first."""
    found = MetaData()
    found.reflect(connection)
    return {table.name: table for table in found.sorted_tables if table.name != VERSION}


def fill(connection: Connection, *numbers: int) -> int:
    """A row for each of these keys in every table; returns how many tables there are."""
    written = set[str]()
    for name, table in tables_of(connection).items():
        for place in range(len(numbers)):
            values = _values(table, [*numbers[place:], *numbers[:place]], written)
            connection.execute(table.insert().values(values))
        written.add(name)
    return len(written)


def _values(table: Table, numbers: list[int], written: set[str]) -> Row:
    """What fits the columns. References go to the row of the same number, a second one to the next (two persons),
    and nowhere while the rows they mean are still to come."""
    values, turn = Row(), Counter[str]()
    for column in table.columns:
        target = next((key.column for key in column.foreign_keys), None)
        if target is None:
            values[column.name] = _plain(column, numbers[0])
        elif target.table.name in written:
            values[column.name] = _plain(target, numbers[turn[target.table.name] % len(numbers)])
            turn[target.table.name] += 1
        else:
            assert column.nullable, f"{column} refers to a later table and must not be empty"
    return values


def _plain(column: Column[Any], number: int) -> Any:
    match column.type:
        case Boolean():
            return number % 2 == 0
        case Integer():
            return number
        case Float() | kinds.Numeric():
            return number + 0.25
        case DateTime():
            return datetime(2026, 11, number, 1, 2, 3, 4, tzinfo=UTC)
        case Date():
            return date(2026, 11, number)
        case LargeBinary():
            return bytes([number]) * 4
        case kinds.JSON():
            return {"number": number, "words": "水面"}
        case kinds.String() if column.type.length == MOMENT_LENGTH:
            return f"2026-11-{number:02}T01:02:03.000004Z"
        case kinds.String():
            return f"{number}{column.name}"[: column.type.length or 64]
    raise AssertionError(f"{column} is of a kind that nothing here fills: {column.type!r}")


def kept(connection: Connection) -> dict[str, list[Row]]:
    """Every row of every table, in the order of their text."""
    found = {}
    for name, table in tables_of(connection).items():
        rows = [dict(row._mapping) for row in connection.execute(table.select())]
        found[name] = sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))
    return found


def common(old: dict[str, list[Row]], new: dict[str, list[Row]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both have by name, tables and columns: they must say the same in it."""
    names = sorted(set(old) & set(new))
    parts: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name in names:
        columns = sorted(set(*(row.keys() for row in old[name][:1])) & set(*(row.keys() for row in new[name][:1])))
        for part, whole in zip(parts, (old, new), strict=True):
            rows = [{column: row[column] for column in columns} for row in whole[name]]
            part[name] = sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))
    return parts
