"""The sample week: which things are seen, by whom, how far each has come. Told as the newspaper tells it.

Five rounds of the drone, eight key issues supervised to their end, tips, calls and grid reports between them,
and at the end an issue in every state. Each story is a generator that yields the moment of its next act;
`tell` lets them take turns. No story touches a row by itself: it only calls deeds of `Walk`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from patrol.demo.walk import Walk
from patrol.rules.calendar import SHANGHAI, Calendar

Story = Iterator[datetime]
STAGES = ("reported", "assigned", "on_site", "supervised", "progress", "rectified", "verified", "closed")


@dataclass(frozen=True)
class Times:
    """Moments of the past days: `day(1, …)` is the last working day before today, `ago` counts from now."""

    now: datetime
    days: tuple[date, ...]

    @staticmethod
    def before(now: datetime, calendar: Calendar, count: int = 8) -> Times:
        days: list[date] = []
        on = now.astimezone(SHANGHAI).date()
        while len(days) < count:
            on -= timedelta(days=1)
            if calendar.is_workday(on):
                days.append(on)
        return Times(now, tuple(days))

    def day(self, back: int, at: str) -> datetime:
        return datetime.combine(self.days[back - 1], time.fromisoformat(at), SHANGHAI)

    def ago(self, minutes: float) -> datetime:
        return self.now - timedelta(minutes=minutes)

    @property
    def start(self) -> datetime:
        return self.day(len(self.days), "08:00")


@dataclass(frozen=True)
class Case:
    """One thing on the river and how far its story goes."""

    kind: str
    chainage_m: float
    bank: str
    seen_at: datetime
    until: str
    round_no: int | None = None  # seen by the drone in this round; None: a grid worker sees it
    words: str = ""
    pace: float = 1.0  # 1.0: assigned after a quarter of an hour, submitted after some five hours
    next_day: datetime | None = None  # when the office accepts; None: an hour after the submission
    name: str = ""  # by which other stories find it


def tell(walk: Walk, stories: list[Story]) -> None:
    """Let all stories happen in the order of their moments."""
    queue: list[tuple[datetime, int, Story]] = []
    for turn, story in enumerate(stories):
        heapq.heappush(queue, (next(story), turn, story))
    while queue:
        at, turn, story = heapq.heappop(queue)
        walk.until(at)
        following = next(story, None)
        if following is not None:
            heapq.heappush(queue, (max(following, at), turn, story))


def see(walk: Walk, case: Case) -> str:
    """The first sighting of a case; returns the issue's number."""
    if case.round_no is not None:
        outcome = walk.drone(case.kind, case.chainage_m, case.bank, case.round_no, words=case.words)
    else:
        position = walk.at(case.chainage_m, case.bank)
        outcome = walk.says("grid", case.kind, case.words, by="grid", photo=True, position=position)
    assert outcome.issue is not None
    return outcome.issue.number


def loop(
    walk: Walk, case: Case, then: Callable[[str], Story] | None = None, seen: Callable[[Walk, Case], str] = see
) -> Story:
    """The closed loop, as far as the case goes; `then` goes on from there. `seen`: how it comes in."""
    at, last = case.seen_at, STAGES.index(case.until)

    def after(minutes: float) -> datetime:
        return at + timedelta(minutes=minutes * case.pace)

    yield at
    number = seen(walk, case)
    if case.name:
        walk.names[case.name] = number
    if last >= 1:
        yield after(14)
        yield from assigned(walk, number, after)
    if last >= 2:
        yield after(52)
        walk.photo(number, "before", "grid")
        walk.step(number, "supervise", "grid", finding="true", position=walk.spot(number), words="现场属实")
    if last >= 3:
        yield after(71)
        walk.step(number, "supervise", "office2")
        walk.copy_cards(number, "supervision")
    if last >= 4:
        yield after(170)
        who = worker(walk, number)
        walk.photo(number, "during", who)
        walk.step(number, "progress", who, words="人员和设备已到场，正在处理")
    if last >= 5:
        yield after(300)
        who = worker(walk, number)
        walk.photo(number, "after", who)
        walk.step(number, "submit", who, words="已处理完，现场已清理")
    if last >= 6:
        yield case.next_day or after(360)
        verified(walk, number)
    if last >= 7:
        yield (case.next_day or after(360)) + timedelta(minutes=35)
        walk.step(number, "close", "head")
        walk.copy_cards(number, "closure")
    if then is not None:
        yield from then(number)


def assigned(walk: Walk, number: str, after: Callable[[float], datetime], **body: Any) -> Story:
    """Assigned by the office, its card copied into the chiefs' group, opened there by the chief, received."""
    walk.step(number, "assign", "office", lead_unit=body.pop("unit", None) or walk.proposed(number), **body)
    yield after(17)
    walk.copy_cards(number, "assignment", "new_issue")
    yield after(23)
    walk.step(number, "confirm_push", "chief")
    yield after(31)
    unit = walk.station.place.units[walk.issue(number).lead_unit or ""]
    if unit.reach == "paper":
        walk.photo(number, "receipt", "office2", drawn="after")
        walk.step(number, "receive", "office2")
    elif unit.reach == "account" and unit.code != "office":
        walk.step(number, "receive", unit.code)


def worker(walk: Walk, number: str) -> str:
    """Who works on an issue and hands it in: the unit's own person, or the grid worker for a paper unit."""
    unit = walk.station.place.units[walk.issue(number).lead_unit or ""]
    return "grid" if unit.reach == "paper" or unit.is_office else unit.code


def verified(walk: Walk, number: str) -> None:
    """Accepted on the spot, with a picture of the acceptor's own."""
    walk.photo(number, "accept", "office")
    walk.step(number, "verify", "office", checklist=walk.checklist(number), words="现场复核，符合结案条件")


def key_issues(walk: Walk, t: Times) -> list[Story]:
    """Eight key issues, floating debris and sources of solid waste, supervised and closed."""
    rows: tuple[tuple[str, int, str, int, int, str], ...] = (
        ("floating_debris", 260, "right", 1, 8, "09:05"), ("floating_debris", 760, "left", 1, 8, "09:20"),
        ("solid_waste", 420, "left", 2, 6, "08:50"), ("solid_waste", 1530, "left", 2, 6, "09:10"),
        ("floating_debris", 1290, "right", 2, 6, "09:25"), ("floating_debris", 1760, "left", 3, 4, "09:00"),
        ("floating_debris", 2480, "right", 3, 4, "09:15"), ("solid_waste", 2150, "right", 4, 2, "08:40"),
    )  # fmt: skip
    stories = []
    for index, (kind, chainage_m, bank, round_no, back, at) in enumerate(rows):
        accepted = t.day(back - 1, f"09:{10 + index * 4:02d}")
        case = Case(kind, chainage_m, bank, t.day(back, at), "closed", round_no, next_day=accepted)
        stories.append(loop(walk, case, _looked_back(walk, t) if index == 0 else None))
    return stories


def _looked_back(walk: Walk, t: Times) -> Callable[[str], Story]:
    def story(number: str) -> Story:
        yield t.day(3, "15:20")
        walk.photo(number, "look_back", "inspector")
        walk.step(number, "look_back", "inspector", finding="good", reason="水面清净，未见反弹")

    return story
