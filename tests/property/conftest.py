"""One station for a module's tests of the law, emptied before each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.property.lawtown import LawTown, open_station


@pytest.fixture(scope="module")
def law_station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LawTown]:
    with open_station(tmp_path_factory.mktemp("law")) as station:
        yield LawTown(station)


@pytest.fixture
def law(law_station: LawTown) -> LawTown:
    """The module's town without issues or people, on a Monday at nine."""
    law_station.empty()
    return law_station
