"""One warning per event: generated sequences, disorder, duplicates, and a memory that survives a restart."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geodata.episodes import Policy, Sight, Watch
from geodata.errors import GeoError
from geodata.place import BUNDLED, Place
from geodata.season import Season
from tests.geodata.fishing_sequences import SPRING_BAN, Sequence, sequences

NOON = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def spring(tmp_path_factory: pytest.TempPathFactory) -> Season:
    """The bundled place with a ban in spring only."""
    folder = tmp_path_factory.mktemp("place") / "spring"
    shutil.copytree(BUNDLED / "taihugang", folder)
    (folder / "fishing.toml").write_text(SPRING_BAN, "utf-8")
    return Season.open(Place.open(folder))


@pytest.fixture(scope="module")
def season() -> Season:
    return Season.open(Place.open("taihugang"))


@pytest.fixture(scope="module")
def middle() -> tuple[float, float]:
    river = Place.open("taihugang").river
    assert river is not None
    return river.point_at(1000.0)


def watched(season: Season, sequence: Sequence) -> list[datetime]:
    watch = Watch(season)
    return [at for at, sights in sequence.frames for _ in watch.see(at, sights).warnings]


@pytest.mark.parametrize("seed", [3, 14])
def test_fifty_sequences_give_one_warning_an_event_and_none_where_or_when_it_is_allowed(
    spring: Season, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong: Counter[str] = Counter()
    told = meant = 0
    delays_s = []
    made = sequences(Place.open("taihugang"), 50, seed)
    for sequence in made:
        warnings = watched(spring, sequence)
        told, meant = told + len(warnings), meant + sequence.events
        if len(warnings) != sequence.events:
            wrong[f"{sequence.name}: {len(warnings)} for {sequence.events}"] += 1
        first = next((at for at, sights in sequence.frames if sights), None)
        if warnings and first is not None and sequence.name != "season begins while it stays":
            delays_s.append((warnings[0] - first).total_seconds())
    delays_s.sort()
    with capsys.disabled():
        print(f"\n50 sequences, seed {seed}: {meant} events, {told} warnings, {sum(wrong.values())} sequences wrong; "
              f"first warning after the first sighting: median {delays_s[len(delays_s) // 2]:.0f} s, "
              f"worst {delays_s[-1]:.0f} s")  # fmt: skip
    assert not wrong


def test_a_warning_says_where_when_and_why(season: Season, middle: tuple[float, float]) -> None:
    watch = Watch(season)
    seen = watch.see(NOON, [Sight("boat", *middle, 4.0, 0.8), Sight("person", middle[0], middle[1] + 9e-6, 4.0, 0.7)])
    (event,) = seen.warnings
    assert (event.zone, event.kinds, event.things, event.started_at) == ("river", ("boat", "person"), 2, NOON)
    assert "全年禁捕" in event.why and event.score == 0.8 and (event.lon, event.lat) == middle
    later = NOON + timedelta(seconds=30)
    again = watch.see(later, [Sight("boat", *middle, 4.0, 0.9)])
    assert again.warnings == () and again.going_on[0].last_seen_at == later and again.going_on[0].number == 1


def test_a_weak_or_doubtful_sighting_waits_for_more(season: Season, middle: tuple[float, float]) -> None:
    weak = Watch(season)
    counts = [len(weak.see(NOON + timedelta(seconds=s), [Sight("boat", *middle, 4.0, 0.3)]).warnings) for s in range(4)]
    assert counts == [0, 1, 0, 0]
    doubtful = Watch(season)  # its circle reaches over both banks
    counts = [len(doubtful.see(NOON + timedelta(seconds=s), [Sight("boat", *middle, 90.0, 0.9)]).warnings)
              for s in range(4)]  # fmt: skip
    assert counts == [0, 0, 1, 0]


def test_false_finds_here_and_there_do_not_add_up_to_one_thing(season: Season, middle: tuple[float, float]) -> None:
    watch = Watch(season)
    for number in range(6):  # each a minute and some 60 m from the one before
        ghost = Sight("person", middle[0] + number * 60 / 96_200, middle[1], 4.0, 0.4)
        assert watch.see(NOON + timedelta(minutes=number), [ghost]).warnings == ()


def test_unknown_error_counts_as_large(season: Season, middle: tuple[float, float]) -> None:
    unknown, known = (Watch(season).see(NOON, [Sight("boat", *middle, ce90_m, 0.9)]) for ce90_m in (None, 15.0))
    assert [len(unknown.warnings), unknown.why_not] == [len(known.warnings), known.why_not]


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_disorder_and_duplicates_warn_no_more_often(spring: Season, seed: int) -> None:
    dice = random.Random(seed)
    place = Place.open("taihugang")
    sequence = sequences(place, 15, 5)[dice.choice([0, 2, 3, 4, 6, 8, 9, 10, 13])]
    shaken = [frame for frame in sequence.frames[:100] for _ in range(dice.choice([1, 1, 1, 2]))]
    shaken = [frame for _, frame in sorted(enumerate(shaken), key=lambda pair: pair[0] + dice.uniform(0, 8))]
    mixed = Sequence(sequence.name, sequence.events, shaken)
    assert len(watched(spring, mixed)) <= max(1, sequence.events) * (sequence.events > 0)


def test_a_replay_long_after_warns_no_more(season: Season, middle: tuple[float, float]) -> None:
    watch = Watch(season)
    boat = [Sight("boat", *middle, 3.0, 0.9)]
    assert len(watch.see(NOON, boat).warnings) == 1
    watch.see(NOON + timedelta(seconds=2000), [])
    assert watch.see(NOON, boat).warnings == ()
    watch.see(NOON + timedelta(hours=3), [])
    old = watch.see(NOON, boat)
    assert old.warnings == () and "太旧" in old.why_not[0]


def test_memory_goes_through_json_and_goes_on_the_same(spring: Season) -> None:
    for sequence in sequences(Place.open("taihugang"), 15, 8):
        straight, broken = Watch(spring), Watch(spring)
        for at, sights in sequence.frames[:120]:
            broken = Watch.resume(spring, json.loads(json.dumps(broken.state(), allow_nan=False)))
            assert broken.see(at, sights) == straight.see(at, sights)
        assert broken.state() == straight.state()


def test_memory_stays_small_over_a_long_day(season: Season) -> None:
    dice, watch = random.Random(1), Watch(season)
    west, south, east, north = Place.open("taihugang").bounds
    for second in range(0, 2 * 3600, 4):
        ghost = Sight("person", dice.uniform(west, east), dice.uniform(south, north), 5.0, 0.3)
        watch.see(NOON + timedelta(seconds=second), [ghost])
    assert len(watch.tracks) < 200 and len(json.dumps(watch.state())) < 100_000


@pytest.mark.parametrize(
    "state", [{"form": 9}, {"form": 1}, {"form": 1, "next": 1, "newest": None, "tracks": [3], "episodes": []}]
)
def test_a_memory_of_another_kind_is_refused(season: Season, state: dict[str, object]) -> None:
    with pytest.raises(GeoError) as caught:
        Watch.resume(season, state)
    assert caught.value.code == "bad_state"


def test_a_refused_frame_leaves_no_trace(season: Season, middle: tuple[float, float]) -> None:
    watch = Watch(season, Policy())
    good = Sight("boat", *middle, 3.0, 0.9)
    for at, sights, code in (
        (NOON.replace(tzinfo=None), [good], "no_zone"),
        (NOON, [good, Sight("fish", *middle, 3.0, 0.9)], "kind"),
        (NOON, [good, Sight("boat", *middle, 3.0, 1.5)], "score"),
        (NOON, [good, Sight("boat", *middle, float("inf"), 0.5)], "score"),
        (NOON, [good, Sight("boat", 999.0, 30.0, 3.0, 0.5)], "position"),
    ):
        with pytest.raises(GeoError) as caught:
            watch.see(at, sights)
        assert caught.value.code == code
    assert watch.state() == Watch(season).state()
