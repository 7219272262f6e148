"""Fixtures every room shares: a settable clock, a station on each database, actors, shots and real data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from patrol.actions import people
from patrol.settings import Settings
from patrol.station import Station
from tests.chromium import launched
from tests.databases import migrated, own_database

settings.register_profile("patrol", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("patrol")

MONDAY = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # Mon 09:00 in Shanghai


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever opens a browser is marked so: `make test` must pass where there is none."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """A command sends the logs of its process to the stderr of its test, which no later test has."""
    kept = structlog.get_config()
    yield
    structlog.configure(**kept)


@pytest.fixture(autouse=True, scope="session")
def costly() -> Iterator[PasswordHasher]:
    """Tests hash passwords by the hundred, so with the least work. Gives the hasher of the product, which has a test."""
    kept = people.HASHER, people._NOBODY
    people.HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    people._NOBODY = people.HASHER.hash("nobody has this")
    yield kept[0]
    people.HASHER, people._NOBODY = kept


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A Chromium that the tests of one file share; using it marks a test `browser`."""
    with launched() as browser:
        yield browser


class SetClock:
    """A clock that tests move by hand."""

    def __init__(self, at: datetime = MONDAY) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> datetime:
        self.at += timedelta(**span)
        return self.at


@pytest.fixture
def data_files() -> Path:
    """The folder of real frames, photos and hostile files."""
    folder = Path(os.environ.get("PATROL_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real sample files are not here: set PATROL_TEST_DATA")
    return folder


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of one station of its own, whose database has no tables yet."""
    with own_database(tmp_path) as values:
        yield values


@pytest.fixture
def station(environ: dict[str, str], clock: SetClock) -> Iterator[Station]:
    """An open, migrated station with the settable clock."""
    opened = migrated(Station.open(Settings.read(environ), clock=clock))
    yield opened
    opened.close()
