"""Fishing rules as data: seasons, hours, zones, exemptions, doubt, and faults told all at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geodata.errors import GeoError, GeoErrors
from geodata.place import BUNDLED, Place
from geodata.season import Season
from geodata.season_file import Window

HERE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=HERE)

Lake = Callable[..., Season]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A square lake of about 960 m a side, with the given fishing.toml and zones."""

    def open_(toml: str | None, zones: dict[str, tuple[float, float, float, float]] | None = None) -> Season:
        folder = tmp_path / "lake"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(BUNDLED / "taihugang" / "place.toml", folder / "place.toml")
        area(folder / "water.geojson", {"W": (112.18, 30.35, 112.19, 30.3586)})
        if toml is not None:
            (folder / "fishing.toml").write_text(toml, "utf-8")
        if zones is not None:
            area(folder / "fishing_zones.geojson", zones)
        return Season.open(Place.open(folder))

    return open_


def area(file: Path, boxes: dict[str, tuple[float, float, float, float]]) -> None:
    features = [
        {"type": "Feature", "properties": {"code": code, "name": f"{code}区"}, "geometry": {
            "type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]}}
        for code, (w, s, e, n) in boxes.items()
    ]  # fmt: skip
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")


def test_the_bundled_place_is_closed_everywhere_all_year() -> None:
    season = Season.open(Place.open("taihugang"))
    river = Place.open("taihugang").river
    assert river is not None
    middle = river.point_at(river.length_m / 2)
    for month in range(1, 13):
        forbidden, why = season.forbidden(*middle, 3.0, datetime(2026, month, 28, 23, 59, tzinfo=HERE), "person")
        assert forbidden and "全年禁捕" in why
    assert not season.forbidden(112.5, 30.35, 3.0, NOON)[0]
    assert not season.forbidden(-92.0, 46.8, 3.0, NOON)[0]


def test_without_a_file_the_whole_water_is_closed(lake: Lake) -> None:
    season = lake(None)
    assert season.judge(112.185, 30.354, 5.0, NOON).forbidden
    assert season.reach_m == {"boat": 3.0, "person": 10.0}


def test_an_angler_counts_on_the_bank_and_a_boat_does_not(lake: Lake) -> None:
    season = lake('[[closed]]\nname = "禁"\nfrom = "01-01"\nto = "12-31"\n[reach_m]\nboat = 0\nperson = 12\n')
    bank = 112.18 - 8 / 96_200  # some 8 m west of the water
    person, boat = (season.judge(bank, 30.354, 1.0, NOON, kind) for kind in ("person", "boat"))
    assert person.forbidden and person.inside_m == pytest.approx(4.0, abs=0.3) and person.certain
    assert not boat.forbidden and boat.inside_m == pytest.approx(-8.0, abs=0.3) and "8 米" in boat.why
    doubtful = season.judge(bank, 30.354, 20.0, NOON, "person")
    assert doubtful.forbidden and not doubtful.certain and "误差" in doubtful.why
    assert not season.judge(bank, 30.354, None, NOON, "person").certain


def test_zones_may_overlap_each_with_its_own_season(lake: Lake) -> None:
    toml = """
[[closed]]
name = "春季禁渔"
zones = ["A"]
from = "03-01"
to = "06-30"
[[closed]]
name = "核心区全年"
zones = ["B"]
from = "01-01"
to = "12-31"
"""
    whole, core = (112.18, 30.35, 112.19, 30.3586), (112.184, 30.353, 112.186, 30.355)
    season = lake(toml, {"A": whole, "B": core})
    july, may = datetime(2026, 7, 1, 4, tzinfo=UTC), datetime(2026, 5, 1, 4, tzinfo=UTC)
    assert [season.judge(112.185, 30.354, 1.0, at).forbidden for at in (july, may)] == [True, True]
    assert [season.judge(112.189, 30.354, 1.0, at).forbidden for at in (july, may)] == [False, True]
    assert season.judge(112.185, 30.354, 1.0, july).zone == "B"
    assert "不在禁捕期" in season.forbidden(112.189, 30.354, 1.0, july)[1]


def test_exempt_hours_and_zone_of_time(lake: Lake) -> None:
    toml = """
timezone = "Asia/Shanghai"
[[closed]]
name = "全年"
from = "01-01"
to = "12-31"
[[exempt]]
name = "保洁船作业"
kinds = ["boat"]
from = "01-01"
to = "12-31"
hours = ["07:00-09:00"]
"""
    season = lake(toml)
    eight = datetime(2026, 7, 1, 0, 0, tzinfo=UTC)  # 08:00 there
    assert not season.judge(112.185, 30.354, 1.0, eight, "boat").forbidden
    assert season.judge(112.185, 30.354, 1.0, eight, "person").forbidden
    assert season.judge(112.185, 30.354, 1.0, eight + timedelta(hours=1), "boat").forbidden


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 28)), st.tuples(st.integers(1, 12), st.integers(1, 28)),
    st.integers(0, 1439), st.integers(0, 1440), st.datetimes(datetime(2023, 1, 1), datetime(2029, 1, 1)),
)  # fmt: skip
def test_a_window_holds_what_a_walk_through_its_minutes_holds(
    first: tuple[int, int], last: tuple[int, int], start: int, end: int, at: datetime
) -> None:
    if start == end:
        return
    window = Window("w", frozenset("*"), frozenset(["boat"]), first, last, ((start, end),))

    def is_day(day: date) -> bool:
        cursor = date(2023 if first > last else 2024, *first)  # passes a 29 February wherever the window has one
        for _ in range(367):
            if (cursor.month, cursor.day) == (day.month, day.day):
                return True
            if (cursor.month, cursor.day) == last:
                return False
            cursor += timedelta(days=1)
        return False

    spans = []
    for back in (0, 1):
        day = at.date() - timedelta(days=back)
        if is_day(day):
            midnight = datetime.combine(day, datetime.min.time())
            over = 0 if end > start else 1440
            spans.append((midnight + timedelta(minutes=start), midnight + timedelta(minutes=end + over)))
    assert window.holds(at) == any(begin <= at < stop for begin, stop in spans)


def test_a_ban_of_some_years_begins_and_ends(lake: Lake) -> None:
    season = lake(
        '[[closed]]\nname = "十年禁渔"\nfrom = "01-01"\nto = "12-31"\nsince = 2021-01-01\nuntil = 2030-12-31\n'
    )
    days = [datetime(year, 6, 1, 12, tzinfo=HERE) for year in (2020, 2021, 2030, 2031)]
    assert [season.judge(112.185, 30.354, 1.0, day).forbidden for day in days] == [False, True, True, False]


def test_every_fault_is_named_at_once(lake: Lake) -> None:
    toml = """
timezone = "Mars/Olympus"
colour = "red"
[reach_m]
boat = -1
fish = 3
[[closed]]
from = "02-30"
to = "13-01"
hours = ["25:00-26:00"]
zones = ["X"]
kinds = ["submarine"]
when = "always"
since = "2021"
"""
    with pytest.raises(GeoErrors) as caught:
        lake(toml)
    said = caught.value.sentence
    for word in ("Mars", "colour", "reach_m", "from", "to 要", "hours", "zones", "kinds", "when", "name", "since"):
        assert word in said, word
    assert all(fault.sentence.startswith("fishing.toml") for fault in caught.value.faults)


@pytest.mark.parametrize("toml", ["", "closed = 3\n", "[[closed]]\nname = 'x'\n", "not toml", "[[exempt]]\nname='x'\n"])
def test_a_file_that_says_too_little_is_refused(lake: Lake, toml: str) -> None:
    with pytest.raises(GeoErrors) as caught:
        lake(toml)
    assert caught.value.faults


def test_faults_of_the_zones_name_their_file(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(GeoErrors) as caught:
        lake(None, {"A": (112.18, 30.35, 112.18, 30.35)})
    assert "fishing_zones.geojson" in caught.value.sentence and "key_areas" not in caught.value.sentence


@pytest.mark.parametrize(
    ("lon", "lat", "at", "kind", "code"),
    [
        (112.185, 30.354, datetime(2026, 7, 1), "boat", "no_zone"), (112.185, 30.354, NOON, "fish", "kind"),
        (30.354, 112.185, NOON, "boat", "position"), (float("nan"), 30.0, NOON, "boat", "position"),
    ],
)  # fmt: skip
def test_wrong_questions_are_refused(lon: float, lat: float, at: datetime, kind: str, code: str) -> None:
    with pytest.raises(GeoError) as caught:
        Season.open(Place.open("taihugang")).judge(lon, lat, 1.0, at, kind)
    assert caught.value.code == code
