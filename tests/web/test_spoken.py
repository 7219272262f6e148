"""Places as people say them become positions on the river, or nothing, or a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geodata.place import Place
from patrol.errors import BadInput
from patrol.web import spoken

PLACE = Place.open("taihugang")
RIVER = PLACE.river
assert RIVER is not None


@given(st.integers(0, 2900), st.sampled_from([("左岸", "left"), ("右岸", "right")]), st.booleans())
def test_a_mark_comes_back_as_itself(chainage_m: int, bank: tuple[str, str], wide: bool) -> None:
    said = f"桥边 K{chainage_m // 1000}+{chainage_m % 1000:03d} {bank[0]}"
    if wide:  # as a Chinese keyboard writes it
        said = said.replace("K", "\uff2b").replace("+", "\uff0b")
    found = spoken.find(said, PLACE)
    assert found is not None and found["crs"] == "wgs84" and found["accuracy_m"] == spoken.MARK_ACCURACY_M
    spot = PLACE.on_river(found["lon"], found["lat"])
    assert spot is not None and spot.bank == bank[1] and abs(spot.chainage_m - chainage_m) < 5


@pytest.mark.parametrize(
    ("said", "bank", "chainage_m"),
    [
        ("k1+240", "", 1240),
        ("K1", "", 1000),
        ("左岸 1240 米处", "", 1240),
        ("K 0 + 905", "right", 905),
        ("K2+5", "", 2005),
        ("1240左", "", 1240),
        ("905 右岸", "", 905),
        ("1240", "left", 1240),
    ],
)
def test_the_ways_a_mark_is_said(said: str, bank: str, chainage_m: int) -> None:
    found = spoken.find(said, PLACE, bank)
    assert found is not None
    spot = PLACE.on_river(found["lon"], found["lat"])
    assert spot is not None and abs(spot.chainage_m - chainage_m) < 5
    assert bank in ("", spot.bank)


def test_an_outfall_is_found_by_its_whole_name() -> None:
    for outfall in PLACE.outfalls:
        found = spoken.find(f"{outfall.name} 往下一点", PLACE)
        assert found is not None and (found["lon"], found["lat"]) == (round(outfall.lon, 7), round(outfall.lat, 7))


@pytest.mark.parametrize("said", ["", "桥下面", "电话 13800138000", "OK1 就在那边", "三号楼后面"])
def test_other_words_name_no_place(said: str) -> None:
    assert spoken.find(said, PLACE) is None


@pytest.mark.parametrize("said", ["K9+000", "K2+901", "左岸 5000 米处"])
def test_a_mark_off_the_river_is_told(said: str) -> None:
    with pytest.raises(BadInput) as told:
        spoken.find(said, PLACE)
    assert "K2+900" in told.value.sentence and told.value.faults[0].where == "/place_words"
