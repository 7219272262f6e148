"""The database under test: one of its own for every station, and its tables as the migrations made them once.

Migrating costs most of a second, and most tests want nothing but the head. So the first station of a process is
migrated, and the others get what came of that: on SQLite a copy of the file, on PostgreSQL the same statements.
Must not know any table; what the migrations themselves do is the business of tests/migrations.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, text

from patrol.settings import Settings
from patrol.station import Station

_made: dict[str, Any] = {}  # "sqlite": the folder of the file that is copied, "postgresql": the statements


def database_url() -> str:
    """The database under test: empty is the embedded SQLite."""
    return os.environ.get("PATROL_TEST_DATABASE_URL", "")


@contextmanager
def own_database(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of one station of its own, without tables: a folder, and on PostgreSQL a schema of its own."""
    values = {"PATROL_DATA": str(folder / "data"), "PATROL_FREE_DISK_MB": "1"}
    url = database_url()
    if not url:
        yield values
        return
    schema = "t" + uuid.uuid4().hex[:12]
    engine = create_engine(Settings.read({"PATROL_DATABASE_URL": url}).database)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    glue = "&" if "?" in url else "?"
    try:
        yield values | {"PATROL_DATABASE_URL": f"{url}{glue}options=-csearch_path%3D{schema}"}
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        engine.dispose()


def migrated(station: Station) -> Station:
    """The same station, with the tables of head."""
    if station.settings.is_sqlite:
        _copy(station)
    elif "postgresql" in _made:
        with station.engine.begin() as connection:
            connection.connection.driver_connection.execute(_made["postgresql"])  # type: ignore[union-attr]
    else:
        _made["postgresql"] = ";\n".join(_statements(station))
    if station.settings.place == Settings.place:
        station.place = _made.setdefault("place", station.place)  # frozen: every station of a process may look at it
    return station


def _copy(station: Station) -> None:
    if "sqlite" not in _made:
        _made["sqlite"] = tempfile.TemporaryDirectory(prefix="patrol-tables-")  # goes with the process
        first = Station.open(Settings.read({}, data=Path(_made["sqlite"].name)))
        first.migrate()
        first.close()  # the last to close takes the log into the file
    kept = Path(station.settings.database.removeprefix("sqlite:///"))
    station.engine.dispose()
    shutil.copyfile(Path(_made["sqlite"].name) / kept.name, kept)


def _statements(station: Station) -> list[str]:
    """Migrate, and tell what was said to the database on the way, questions left out."""
    said: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if not statement.lstrip().upper().startswith("SELECT"):
            assert not values, f"a migration with values cannot be repeated as text: {statement}"
            said.append(statement)

    event.listen(station.engine, "before_cursor_execute", note)
    try:
        station.migrate()
    finally:
        event.remove(station.engine, "before_cursor_execute", note)
    return said
