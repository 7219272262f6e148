"""One flight, from frames to papers, without a server: the loop on a machine that only has a terminal.

A fresh station lives in a temporary folder; what stays is in the folder that was asked for: `map.html`, three
PDFs and `summary.json`. Nothing of the caller's own data folder is read or written.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from geodata.snapshot import single_file_map
from patrol import models as m
from patrol.actions import calendar_store, slips
from patrol.demo import cast
from patrol.demo.load import TERMINAL
from patrol.demo.walk import SetClock, Walk
from patrol.demo.week import Case, Times, loop, tell
from patrol.errors import Misconfigured
from patrol.rules.lifecycle import STATES
from patrol.rules.problems import PROBLEMS
from patrol.settings import Settings
from patrol.station import Station, wall_clock

LEAFLET = Path(__file__).parents[2] / "templates" / "assets" / "vendor" / "leaflet"
_WORDS = {
    "issue": "编号",
    "kind": "种类",
    "state": "状态",
    "chainage_m": "桩号",
    "late": "超期",
    "round": "轮次",
}
# the flight: kind, chainage, bank, how far it comes by the evening; the first goes all the way
_FLIGHT = (
    ("floating_debris", 1290.0, "right", "closed"),
    ("sewage", 1240.0, "left", "progress"),
    ("solid_waste", 420.0, "left", "supervised"),
    ("bare_soil", 980.0, "left", "on_site"),
    ("aquatic_bloom", 1900.0, "left", "assigned"),
)
STEPS = 34  # so many acts and papers; the progress bar counts them


def fly(
    settings: Settings, out: Path, *, now: datetime | None = None, on_each: Callable[[], None] = lambda: None
) -> Path:
    """Frames, issues, slips, then map and papers in `out`; returns the map. Raises PatrolError on failure."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"文件夹 {out} 建不了：{error.strerror}。") from error
    with tempfile.TemporaryDirectory(prefix="patrol-") as folder:
        own = replace(
            settings,
            data=Path(folder) / "data",
            database_url="",
            photos_url="",
            keys="",
            robots_file="",
            free_disk_mb=1,
        )
        clock = SetClock(now or wall_clock())
        station = Station.open(own, clock=clock)
        try:
            station.migrate()
            number = _walk(station, clock, on_each)
            papers = _papers(station, number, out, on_each)
            drawn = _map(station, out)
            _summary(station, out, number, papers)
            on_each()
        finally:
            station.close()
    return drawn


def _walk(station: Station, clock: SetClock, on_each: Callable[[], None]) -> str:
    with station.work(TERMINAL) as work:
        calendar_store.seed(work)
        times = Times.before(clock.at, work.calendar, 2)
    clock.at = times.start
    walk = Walk(station, clock, cast.actors(station), on_each=on_each)
    first = times.day(1, "09:05")
    cases = [
        Case(kind, chainage_m, bank, first + timedelta(minutes=index), until, 1, name=kind)
        for index, (kind, chainage_m, bank, until) in enumerate(_FLIGHT)
    ]
    tell(walk, [loop(walk, case) for case in cases])
    return walk.names[_FLIGHT[0][0]]


def _papers(station: Station, number: str, out: Path, on_each: Callable[[], None]) -> list[str]:
    with station.look() as look:
        issue = look.session.scalars(select(m.Issue).where(m.Issue.number == number)).one()
        rows = slips.of(look, issue)
    names = []
    for slip in rows:
        name = f"{slips.TITLES[slip.kind]}-{slip.number}.pdf"
        (out / name).write_bytes(slips.pdf(station, slip))
        names.append(name)
        on_each()
    return names


def _map(station: Station, out: Path) -> Path:
    with station.look() as look:
        rows = list(look.session.scalars(select(m.Issue).order_by(m.Issue.id)))
        late = set(
            look.session.scalars(select(m.Clock.issue_id).where(m.Clock.due_at <= look.now, m.Clock.state == "running"))
        )
    features = [
        {
            "type": "Feature", "geometry": {"type": "Point", "coordinates": [issue.lon, issue.lat]},
            "properties": {"issue": issue.number, "kind": issue.kind, "state": issue.state,
                           "chainage_m": round(issue.chainage_m or 0), "late": issue.id in late},
        }
        for issue in rows if issue.lon is not None
    ]  # fmt: skip
    words = _WORDS | STATES | {kind.code: kind.zh for kind in PROBLEMS.values()}
    path = out / "map.html"
    path.write_text(single_file_map(station.place, features, LEAFLET, words), "utf-8")
    return path


def _summary(station: Station, out: Path, number: str, papers: list[str]) -> None:
    with station.look() as look:
        rows = look.session.execute(select(m.Issue.number, m.Issue.state).order_by(m.Issue.number))
        states = dict(rows.all())
    facts = {"issues": states, "closed": number, "papers": papers, "map": "map.html", "sample": True}
    (out / "summary.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf-8")
