"""Fishing on a drone's photographs: persons and boats looked for, judged by place and season, told once an event.

The installed model looks, `geodata.season` judges, `geodata.episodes` joins frames into events; its memory is one row,
so that a killed worker neither forgets an event nor tells it twice. A warning is a clue whatever the score: who
stands where fishing is forbidden is not yet a poacher, and how good the model is on a real river is unproven.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geodata.episodes import Episode, Policy, Sight, Watch
from geodata.errors import GeoError
from geodata.frames.ellipse import CHI2_90
from geodata.frames.metadata import FrameMeta
from geodata.place import Place
from geodata.season import Season
from patrol import models as m
from patrol.actions import report, siting
from patrol.actions.flights.register import hold, new_ref
from patrol.actions.photos import Shot
from patrol.actions.report import Draft
from patrol.errors import PatrolError
from patrol.gateways import modelshelf
from patrol.rules.flights import IN_FUTURE
from patrol.station import Station, Work

if TYPE_CHECKING:
    from geodata.detector import Detector
    from geodata.detector_ground import Placed

KIND = "illegal_fishing"
NAME = "fishing"
NEAR_M = 2000.0  # a drone farther from the water than this looks at something else
LATE = timedelta(seconds=Policy().late_s)
_UPRIGHT: dict[int, Callable[[float, float], tuple[float, float]]] = {
    1: lambda x, y: (x, y), 2: lambda x, y: (1 - x, y), 3: lambda x, y: (1 - x, 1 - y), 4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x), 6: lambda x, y: (1 - y, x), 7: lambda x, y: (1 - y, 1 - x), 8: lambda x, y: (y, 1 - x),
}  # fmt: skip
"""EXIF orientation -> where a point of the stored picture lies in the upright one, as shares of its sides."""


class WantsPicture(Exception):
    """An event is about to be told and its frame has not been examined as a photo yet: try again with it."""


@dataclass(frozen=True)
class Sighted:
    """What the model saw on one photograph, and where. `warning` is why it could not look."""

    placed: tuple[Placed, ...] = ()
    model: str = ""
    warning: dict[str, str] | None = None
    seen: tuple[dict[str, Any], ...] = ()  # for blurring: class, score, shares of the upright picture

    @property
    def facts(self) -> dict[str, Any]:
        return {"seen": [dict(each) for each in self.seen]} if self.seen else {}


_loading = threading.Lock()
_loaded: dict[tuple[str, int, int], Detector] = {}


def look(station: Station, path: Path, meta: FrameMeta) -> Sighted:
    """Look for persons and boats on a photograph taken near the water; elsewhere nothing is looked for."""
    if meta.lon is None or meta.lat is None or not station.place.holds(meta.lon, meta.lat, NEAR_M):
        return Sighted()
    try:
        detector = _detector(station.settings.data)
        season_of(station.place)  # rules that cannot be read are told now, not when a boat is there
        from geodata.detector_ground import placed

        boxes = _boxes(detector, path, meta)
        found, _ = placed(meta, boxes)
    except (GeoError, PatrolError) as fault:
        return Sighted(warning={"code": fault.code, "sentence": f"没有查找人和船：{fault.sentence}"})
    seen = tuple(
        {"cls": each.box.cls, "score": each.box.score, "shares": shares_of(each.box, meta)} for each in found
    )  # fmt: skip
    return Sighted(tuple(found), f"model:{detector.sidecar.sha256}", seen=seen)


def shares_of(box: Any, meta: FrameMeta) -> list[float]:
    """A box in the upright picture: left, top, right, bottom as shares of its width and height."""
    turned = _UPRIGHT.get(meta.orientation or 1, _UPRIGHT[1])
    ends = [turned(x / meta.width_px, y / meta.height_px) for x, y in ((box.x0, box.y0), (box.x1, box.y1))]
    xs, ys = sorted(end[0] for end in ends), sorted(end[1] for end in ends)
    return [round(side, 5) for side in (xs[0], ys[0], xs[1], ys[1])]


def moment_of(flight: m.Flight, frame: m.Frame, taken_at: datetime | None, now: datetime) -> datetime | None:
    """When a frame was taken, as far as that can be believed; None: too old to warn of, or nobody knows."""
    said = frame.facts.get("seen_at")
    told = [taken_at, datetime.fromisoformat(said) if said else None, frame.received_at if flight.live else None]
    return next((at for at in told if at is not None and now - LATE <= at <= now + IN_FUTURE), None)


def keep(work: Work, flight: m.Flight, frame: m.Frame, sighted: Sighted, shot: Shot | None) -> list[m.Episode]:
    """Keep what was seen where fishing is forbidden, and tell each event once; returns the events the frame shows.

    Raises `WantsPicture` when an event is new and `shot` is None.
    """
    at = moment_of(flight, frame, frame.taken_at, work.now)
    if at is None or not any(each.sight for each in sighted.placed):
        return []
    season = season_of(work.place)
    pairs = [(each, each.sight) for each in sighted.placed if each.sight is not None]
    work.only_one(f"watch:{NAME}")
    row, watch = _watch(work, season)
    seen = watch.see(at, [sight for _, sight in pairs])
    if seen.warnings and shot is None:
        raise WantsPicture
    rows = {int(number): row_id for number, row_id in row.state.get("rows", {}).items()}
    events = []
    for event in (*seen.warnings, *seen.going_on):
        episode = work.session.get(m.Episode, rows.get(event.number, 0))
        if episode is None:
            episode = _opened(work, event)
            rows[event.number] = episode.id
            _told(work, flight, frame, episode, event, shot)
        _grown(episode, event)
        events.append(episode)
    for each, sight in pairs:
        verdict = season.judge(sight.lon, sight.lat, sight.ce90_m, at, sight.kind)
        if verdict.forbidden:
            event_row = _nearest(season, events, sight)
            work.session.add(_detection(frame, event_row, each, sight, sighted.model, verdict.why, at))
    kept = {str(number): row_id for number, row_id in rows.items() if number in watch.episodes}
    row.state, row.at = {"watch": watch.state(), "rows": kept}, work.now
    return events


@lru_cache(maxsize=4)
def season_of(place: Place) -> Season:
    """The fishing rules of a place, read once. Raises GeoErrors for rules that cannot be read."""
    return Season.open(place)


def _detector(data: Path) -> Detector:
    """The installed model, loaded once a process; another file under its name is loaded anew."""
    from geodata.detector import Detector

    path = modelshelf.find(data)
    about = path.stat()
    key = (str(path), about.st_mtime_ns, about.st_size)
    with _loading:
        if key not in _loaded:
            _loaded.clear()
            _loaded[key] = Detector.open(path)
        return _loaded[key]


def _boxes(detector: Detector, path: Path, meta: FrameMeta) -> list[Any]:
    """Boxes in pixels of the stored picture. A large JPEG is decoded smaller, but never below twice what is looked at."""
    import cv2
    import numpy as np

    from geodata.detector import Box

    most = min(meta.width_px / detector.sidecar.width_px, meta.height_px / detector.sidecar.height_px) / 2
    reduced = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
    how = next((flag for factor, flag in reduced.items() if factor <= most), cv2.IMREAD_COLOR)
    raw = np.fromfile(path, np.uint8)
    picture = cv2.imdecode(raw, how | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise GeoError("bad_picture", "这种照片解不开，请改用 JPEG。", where="picture")
    wide, high = meta.width_px / picture.shape[1], meta.height_px / picture.shape[0]
    found = detector.run(np.ascontiguousarray(picture[:, :, ::-1]))
    return [Box(each.cls, each.score, each.x0 * wide, each.y0 * high, each.x1 * wide, each.y1 * high) for each in found]


def _watch(work: Work, season: Season) -> tuple[m.Watch, Watch]:
    row = work.session.get(m.Watch, NAME, populate_existing=True)
    if row is None:
        row = m.Watch(name=NAME, state={}, at=work.now)
        work.session.add(row)
    try:
        return row, Watch.resume(season, row.state.get("watch"))
    except GeoError:  # the form of another version: begin anew rather than warn of nothing
        row.state = {}
        return row, Watch(season)


def _opened(work: Work, event: Episode) -> m.Episode:
    episode = m.Episode(ref=new_ref(), zone=event.zone, state={}, lon=event.lon, lat=event.lat, frames=0,
                        first_at=event.started_at, last_at=event.last_seen_at)  # fmt: skip
    work.session.add(episode)
    work.session.flush()
    return episode


def _told(work: Work, flight: m.Flight, frame: m.Frame, episode: m.Episode, event: Episode, shot: Shot | None) -> None:
    """One sighting an event; `report()` lets it wait as a clue and tells the robot."""
    if not work.place.holds(event.lon, event.lat, siting.AREA_MARGIN_M):
        return  # zones drawn beyond the river: kept and shown, but no clue of ours
    of_round = work.session.get_one(m.Round, flight.round_id)
    outcome = report.report(work, Draft(
        channel="drone", kind=KIND, client_id=episode.ref, method=f"frame:{frame.method or 'pose'}", words=event.why,
        position={"lon": event.lon, "lat": event.lat, "crs": "wgs84", "accuracy_m": event.ce90_m},
        score=event.score, seen_at=event.started_at, flight=flight.ref, frame=frame.sha256[:16], round_no=of_round.no,
        shots=(shot,) if shot else (), warnings=() if event.certain else ("near_the_edge",),
    ))  # fmt: skip
    episode.sighting_id = outcome.sighting.id
    if outcome.waiting:
        episode.warned_at = work.now


def _grown(episode: m.Episode, event: Episode) -> None:
    told = asdict(event)
    episode.state = {name: told[name] for name in ("number", "kinds", "score", "things", "certain", "why", "ce90_m")}
    episode.frames += 1
    episode.first_at, episode.last_at = event.started_at, event.last_seen_at


def _nearest(season: Season, events: list[m.Episode], sight: Sight) -> m.Episode | None:
    here = season.metres(sight.lon, sight.lat)

    def away(event: m.Episode) -> float:
        there = season.metres(event.lon, event.lat)
        return (there[0] - here[0]) ** 2 + (there[1] - here[1]) ** 2

    return min(events, key=away, default=None)


def _detection(
    frame: m.Frame, episode: m.Episode | None, each: Placed, sight: Sight, model: str, why: str, at: datetime
) -> m.Detection:
    ce90_m = sight.ce90_m if sight.ce90_m is not None else 15.0
    variance = round(ce90_m**2 / CHI2_90, 4)
    box = each.box
    return m.Detection(
        ref=new_ref(), frame_id=frame.id, episode_id=episode.id if episode else None, kind=KIND, score=sight.score,
        by=model, box=[box.x0, box.y0, box.x1, box.y1], lon=sight.lon, lat=sight.lat, ce90_m=round(ce90_m, 3),
        cov_en_m2=[[variance, 0.0], [0.0, variance]], facts={"cls": box.cls, "why": why}, warnings=[], at=at,
    )  # fmt: skip


def warn(work: Work, flight: m.Flight, warning: dict[str, str] | None) -> None:
    """Why nothing could be looked for, once a flight. Held first, so that two frames do not write over each other's."""
    if warning is None:
        return
    row = hold(work, flight.id)
    if warning["code"] not in {each["code"] for each in row.warnings}:
        row.warnings = [*row.warnings, warning]
