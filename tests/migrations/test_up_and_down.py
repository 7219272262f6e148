"""Every revision goes up and down with rows in every table, on the database under test, and loses none it need not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from patrol.models import Base
from patrol.settings import Settings
from patrol.station import MIGRATIONS, Station
from tests.migrations.rows import VERSION, common, fill, kept, tables_of

REVISIONS = [revision.revision for revision in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
STEPS = list(zip([None, *REVISIONS], REVISIONS, strict=False))


@pytest.fixture
def bare(environ: dict[str, str]) -> Iterator[Station]:
    """A station whose database has no tables yet."""
    opened = Station.open(Settings.read(environ))
    yield opened
    opened.close()


def at(station: Station) -> Connection:
    """A connection that commits what is written on it when it is closed properly."""
    return station.engine.execution_options(patrol_write=True).connect()


def test_the_revisions_are_one_chain() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert len(script.get_heads()) == 1 and len(script.get_bases()) == 1
    assert sorted(REVISIONS) == REVISIONS, "numbered in the order in which they follow"


@pytest.mark.parametrize(("before", "revision"), STEPS, ids=REVISIONS)
def test_a_revision_goes_up_and_down_with_rows_in_every_table(bare: Station, before: str | None, revision: str) -> None:
    if before:
        bare.migrate(before)
    with at(bare) as connection, connection.begin():
        fill(connection, 1, 2, 3)
        old = kept(connection)
    bare.migrate(revision)
    with at(bare) as connection, connection.begin():
        there, here = common(old, kept(connection))
        assert set(there) == set(old), "a table was dropped on the way up"
        assert here == there
        assert fill(connection, 4, 5) == len(tables_of(connection))
        new = kept(connection)
    bare.migrate(before or "base")
    with at(bare) as connection, connection.begin():
        assert set(kept(connection)) == set(old), "the tables that the revision brought are gone, no other"
        there, here = common(new, kept(connection))
        assert here == there
        down = kept(connection)
    bare.migrate("head")
    with at(bare) as connection:
        there, here = common(down, kept(connection))
        assert here == there


def test_head_is_what_the_models_say(bare: Station) -> None:
    bare.migrate()
    with bare.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, Base.metadata) == []


def test_nothing_is_left_when_all_are_taken_back(bare: Station) -> None:
    bare.migrate()
    with at(bare) as connection, connection.begin():
        fill(connection, 1, 2)
    bare.migrate("base")
    with bare.engine.connect() as connection:
        assert tables_of(connection) == {}
        assert connection.execute(text(f"SELECT count(*) FROM {VERSION}")).scalar() == 0
