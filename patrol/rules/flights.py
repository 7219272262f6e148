"""The law of flights: words of their states and files, and when what a machine saw is told to people.

Constants and pure functions over plain values; which frames exist is somebody else's knowledge.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

SOURCES: dict[str, str] = {"drone": "无人机", "satellite": "卫星", "sensor": "固定监测"}
FLIGHT_STATES: dict[str, str] = {
    "planned": "待飞", "receiving": "接收中", "reading": "识别中", "settled": "已处理", "cancelled": "已取消",
}  # fmt: skip
FRAME_STATES: dict[str, str] = {
    "due": "待处理", "read": "已处理", "parked": "读不了，已搁置", "duplicate": "重复", "cancelled": "已取消",
}  # fmt: skip
FILE_KINDS: dict[str, str] = {
    "photo": "照片", "band": "单波段影像", "stack": "多光谱组", "raster": "栅格影像", "log": "飞行日志",
}  # fmt: skip
THING_STATES: dict[str, str] = {"new": "待看", "reported": "已成线索", "dismissed": "已排除", "merged": "已并入"}
DISMISS_DAYS = 90  # how long a dismissed place and kind is remembered

SURE_ALONE = 0.9  # a thing one frame alone shows is told at once from this score on
LEAST_SCORE = 0.3  # below it a detection is kept for review and told to nobody
FRAMES_TO_TELL = 2
MEASURED_FROM = 10  # reviewed clues that outweigh the first trust in a platform

MOST_FILES = 5000  # of one flight
MOST_FILE_BYTES = 4 * 1024**3
LIVE_QUIET = timedelta(minutes=10)  # a live flight silent for so long has landed
IN_FUTURE = timedelta(minutes=5)  # a clock this far ahead is wrong
INGEST_LATE_M = 20  # minutes from capture to arrival after which a frame came late

RoundState = Literal["planned", "overdue", "flown"]
ROUND_STATES: dict[str, str] = {"planned": "待飞", "overdue": "逾期未飞", "flown": "已飞"}


def round_state(due_on: date | None, settled: bool, today: date) -> RoundState:
    """Whether a round was flown, is still to come, or is overdue.

    >>> round_state(date(2026, 11, 20), False, date(2026, 11, 23))
    'overdue'
    """
    if settled:
        return "flown"
    return "overdue" if due_on is not None and due_on < today else "planned"


def may_tell(score: float, frames: int, *, over: bool) -> bool:
    """Whether a thing is told to people: sure from one frame, seen by two, or all its frames are read (`over`).

    >>> may_tell(0.95, 1, over=False), may_tell(0.6, 1, over=False), may_tell(0.6, 2, over=False)
    (True, False, True)
    """
    if score < LEAST_SCORE:
        return False
    return score >= SURE_ALONE or frames >= FRAMES_TO_TELL or over


def trust(confirmed: int, discarded: int) -> float:
    """What a machine's score is worth here, 0 to 1: its measured precision, from a first trust that fades.

    Nothing reviewed counts as `MEASURED_FROM` clues that proved true, so that the office's own threshold holds
    until there is something to measure.

    >>> trust(0, 0), round(trust(30, 30), 2)
    (1.0, 0.57)
    """
    return (confirmed + MEASURED_FROM) / (confirmed + discarded + MEASURED_FROM)


def percent(share: float, complete: bool) -> str:
    """A share as people read it; never 100 % while a gap is left.

    >>> percent(0.99996, False), percent(1.0, True), percent(0.5, False)
    ('99.9 %', '100 %', '50.0 %')
    """
    if complete:
        return "100 %"
    return f"{min(int(share * 1000) / 10, 99.9):.1f} %"
