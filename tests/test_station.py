"""A station that cannot work says so in a sentence, whoever opens it."""

from __future__ import annotations

from pathlib import Path

import pytest

from patrol.errors import Misconfigured
from patrol.settings import Settings
from patrol.station import Station


def test_a_place_that_is_none_is_a_sentence_not_a_crash(tmp_path: Path) -> None:
    station = Station.open(Settings.read({"PATROL_PLACE": str(tmp_path)}, data=tmp_path / "data"))
    with pytest.raises(Misconfigured, match=r"place\.toml"):
        _ = station.place
    station.close()
