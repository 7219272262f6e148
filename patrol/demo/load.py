"""Load the sample into a fresh data folder, once; never into one that holds anything else.

The folder is marked before the first row is written, so that a load cut short is known for what it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import calendar_store, delivery, followup, slips
from patrol.demo import cast, clues, hands, sky, twists, week
from patrol.demo.walk import SetClock, Walk
from patrol.errors import Misconfigured
from patrol.settings import Settings
from patrol.station import Actor, Station, wall_clock

MARK = "sample.json"
ACTS = 296  # so many acts, papers and keys make the week; the progress bar counts them
TERMINAL = Actor(None, "命令行", frozenset({"terminal"}), via="terminal")


@dataclass(frozen=True)
class Loaded:
    """What a load left: keys to show once, and receipt codes of two tips to try `/tips` with."""

    keys: list[cast.Key]
    receipts: list[str]
    fresh: bool


def is_sample(settings: Settings) -> bool:
    """Whether this data folder holds a whole sample."""
    state = _mark(settings)
    if state == "loading":
        raise Misconfigured(f"上次装样例没有装完。里面只有样例，请删掉 {settings.data} 再试，或换个 PATROL_DATA。")
    return state == "loaded"


def load(settings: Settings, *, now: datetime | None = None, on_each: Callable[[], None] = lambda: None) -> Loaded:
    """Tables, calendar, sample week and ways in. A folder that is a sample already gets new passwords."""
    fresh = not is_sample(settings)
    clock = SetClock(now or wall_clock())
    station = Station.open(settings, clock=clock)
    try:
        station.migrate()
        with station.work(TERMINAL) as work:
            calendar_store.seed(work)
        receipts: list[str] = []
        if fresh:
            _refuse_real(station, settings)
            _put_mark(settings, "loading")
            receipts = _tell(station, clock, on_each)
            _put_mark(settings, "loaded")
        return Loaded(cast.give_keys(station, TERMINAL, on_each), receipts, fresh)
    finally:
        station.close()


def _tell(station: Station, clock: SetClock, on_each: Callable[[], None]) -> list[str]:
    now = clock.at
    with station.look() as look:
        times = week.Times.before(now, look.calendar)
    clock.at = times.start
    walk = Walk(station, clock, cast.actors(station), on_each=on_each)
    told = (week.key_issues, twists.stories, clues.stories, sky.stories, hands.stories)
    stories = [story for each in told for story in each(walk, times)]
    week.tell(walk, stories)
    walk.until(now)
    hands.reward(walk)
    followup.anchor(station)
    _print(station, on_each)
    return walk.receipts


def _print(station: Station, on_each: Callable[[], None]) -> None:
    """Print every slip now, on two cores, so that a fresh start owes nothing; the errands find it done."""
    with station.look() as look:
        owed = list(look.session.scalars(select(m.Slip.id).where(m.Slip.pdf_sha256.is_(None)).order_by(m.Slip.id)))
    with ThreadPoolExecutor(2) as hands:
        for _ in hands.map(lambda slip_id: slips.print_slip(station, slip_id), owed):
            on_each()
    while delivery.run_jobs(station):
        pass


def _refuse_real(station: Station, settings: Settings) -> None:
    with station.look() as look:
        rows = sum(
            look.session.scalar(select(func.count()).select_from(table)) or 0
            for table in (m.Sighting, m.Issue, m.Account, m.Token)
        )
    if rows:
        raise Misconfigured(f"{settings.data} 里已有真实数据，样例不往里装。请用 PATROL_DATA 另指一个空文件夹。")


def _mark(settings: Settings) -> str:
    try:
        return str(json.loads((settings.data / MARK).read_text("utf-8"))["state"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError):
        return "loading"


def _put_mark(settings: Settings, state: str) -> None:
    (settings.data / MARK).write_text(json.dumps({"sample": True, "state": state}), "utf-8")
