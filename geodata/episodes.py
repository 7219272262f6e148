"""From what each frame shows to one warning per event: boats and persons followed over time on the ground.

An event is what an officer would walk to once: things near each other, seen without a long gap. A fisher in a
boat, three anglers side by side, a boat that leaves the zone and returns within the quiet gap are one event.
Pure and incremental: frames in, warnings out, the whole memory a plain dict for a database row. It reads no
clock; frames bring their moments and may come late, twice or out of order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from geodata.errors import GeoError
from geodata.frames.ellipse import CHI2_90
from geodata.season import Season, Verdict

UNKNOWN_CE90_M = 15.0
_FORM = 1


@dataclass(frozen=True)
class Policy:
    """When sightings are one event and when they are worth a warning.

    `quiet_s`: unseen for longer, the next sighting is a new event. `join_m`: things this near are one event.
    `speed_m_s`, `reach_m`: how far a thing may have moved while unseen, and the most that is believed; `doubt_m`, of a
    thing that led to no warning yet, so that false finds here and there do not add up to one thing.
    `sure_score`: the scores that one thing's sightings must add up to. `doubt_frames`: sightings wanted inside
    when the position's error leaves doubt. `follow_s`: how long a thing that led to nothing is remembered.
    `late_s`: frames older than this warn no more.
    """

    quiet_s: float = 900.0
    join_m: float = 30.0
    speed_m_s: float = 1.5
    reach_m: float = 150.0
    doubt_m: float = 15.0
    sure_score: float = 0.5
    doubt_frames: int = 3
    follow_s: float = 120.0
    late_s: float = 7200.0


@dataclass(frozen=True)
class Sight:
    """One box on the ground: `person` or `boat`, WGS-84 degrees, radius of the 90 % circle, score 0..1."""

    kind: str
    lon: float
    lat: float
    ce90_m: float | None
    score: float


@dataclass(frozen=True)
class Track:
    """One thing followed: its place is the mean of its sightings, the newer ones weighing more."""

    kind: str
    x_m: float
    y_m: float
    lon: float
    lat: float
    var_m2: float
    floor_m2: float
    at: float
    frames: int
    score: float
    inside: int
    episode: int | None = None


@dataclass(frozen=True)
class Episode:
    """One event. Moments with zone; `things` counts what was followed in it, `kinds` what it was."""

    number: int
    zone: str
    kinds: tuple[str, ...]
    started_at: datetime
    last_seen_at: datetime
    lon: float
    lat: float
    ce90_m: float
    score: float
    frames: int
    things: int
    certain: bool
    why: str


@dataclass(frozen=True)
class Seen:
    """What a frame led to: `warnings`, new events to tell; `going_on`, events it shows again; `why_not`, a word
    for every sighting that led to nothing."""

    warnings: tuple[Episode, ...]
    going_on: tuple[Episode, ...]
    why_not: tuple[str, ...]


@dataclass
class Watch:
    """The memory of one place's events.

    >>> from datetime import UTC
    >>> from geodata.place import Place
    >>> season = Season.open(Place.open("taihugang"))
    >>> watch = Watch(season)
    >>> boat = Sight("boat", 112.17, 30.3548, 3.0, 0.8)
    >>> noon = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
    >>> inside = season.judge(boat.lon, boat.lat, 3.0, noon).forbidden
    >>> len(watch.see(noon, [boat]).warnings) == inside, len(watch.see(noon, [boat]).warnings)
    (True, 0)
    """

    season: Season
    policy: Policy = field(default_factory=Policy)
    tracks: list[Track] = field(default_factory=list)
    episodes: dict[int, Episode] = field(default_factory=dict)
    next_number: int = 1
    newest: float = -math.inf

    def see(self, at: datetime, sights: Iterable[Sight]) -> Seen:
        """Take one frame's sightings, all of one moment `at` (with zone); what is new is in `warnings`.

        Raises `GeoError` `no_zone`, `kind`, `position`, `score`; nothing is remembered of a refused frame.
        """
        if at.tzinfo is None:
            raise GeoError("no_zone", "时间没有写明时区，连不成一次事件。", where="at")
        judged = [(sight, self.season.judge(sight.lon, sight.lat, _ce90(sight), at, sight.kind)) for sight in sights]
        if not all(0 <= sight.score <= 1 and _ce90(sight) < math.inf for sight, _ in judged):
            raise GeoError("score", "把握要在 0 到 1 之间，误差要是有限的米数。", where="score")
        moment = at.timestamp()
        if moment < self.newest - self.policy.late_s:
            return Seen((), (), tuple("画面太旧，不再预警。" for _ in judged))
        self.newest = max(self.newest, moment)
        self._forget()
        warnings: list[Episode] = []
        again: dict[int, Episode] = {}
        why_not: list[str] = []
        for track, verdict in self._followed(judged, moment):
            if not verdict.forbidden:
                why_not.append(verdict.why)
                continue
            if not self._is_open(track.episode, moment) and not self._worth(track, verdict):
                why_not.append("把握不够，等下一帧。")
                continue
            episode, is_new = self._told(track, verdict, at)
            if is_new:
                warnings.append(episode)
            else:
                again[episode.number] = episode
        fresh = {episode.number for episode in warnings}
        told = tuple(self.episodes[number] for number in sorted(fresh))
        return Seen(told, tuple(again[number] for number in sorted(set(again) - fresh)), tuple(why_not))

    def state(self) -> dict[str, Any]:
        """The whole memory as plain values for JSON."""
        episodes = [
            asdict(episode)
            | {"started_at": episode.started_at.isoformat(), "last_seen_at": episode.last_seen_at.isoformat()}
            for episode in self.episodes.values()
        ]
        newest = None if math.isinf(self.newest) else self.newest
        tracks = [asdict(track) for track in self.tracks]
        return {"form": _FORM, "next": self.next_number, "newest": newest, "tracks": tracks, "episodes": episodes}

    @classmethod
    def resume(cls, season: Season, state: Mapping[str, Any] | None, policy: Policy | None = None) -> Watch:
        """The memory that `state` gave; an empty one for None. Raises `GeoError` `bad_state`."""
        watch = cls(season, policy or Policy())
        if not state:
            return watch
        try:
            if state["form"] != _FORM:
                raise ValueError("another form")
            watch.next_number = int(state["next"])
            watch.newest = -math.inf if state["newest"] is None else float(state["newest"])
            watch.tracks = [Track(**row) for row in state["tracks"]]
            for row in state["episodes"]:
                moments = {key: datetime.fromisoformat(row[key]) for key in ("started_at", "last_seen_at")}
                watch.episodes[row["number"]] = Episode(**{**row, **moments, "kinds": tuple(row["kinds"])})
        except (KeyError, TypeError, ValueError) as fault:
            raise GeoError("bad_state", "预警事件的存档读不懂，请从空的重新开始。", where="state") from fault
        return watch

    def _followed(self, judged: list[tuple[Sight, Verdict]], moment: float) -> list[tuple[Track, Verdict]]:
        """Each sighting's track, updated or new, with what may be said of the track's place."""
        pairs = []
        places = [self.season.metres(sight.lon, sight.lat) for sight, _ in judged]
        for index, (sight, verdict) in enumerate(judged):
            if not math.isfinite(verdict.inside_m):
                continue
            for number, track in enumerate(self.tracks):
                away = math.hypot(track.x_m - places[index][0], track.y_m - places[index][1])
                # A thing seen a moment ago is not looked for farther off than its errors reach.
                known = track.kind == sight.kind and abs(moment - track.at) <= self.policy.quiet_s
                if known and away <= self._gate_m(track, _ce90(sight), moment, 0.0):
                    pairs.append((away, index, number))
        taken: dict[int, int] = {}
        for _, index, number in sorted(pairs):
            if index not in taken and number not in taken.values():
                taken[index] = number
        found: list[tuple[Track, Verdict]] = []
        for index, (sight, verdict) in enumerate(judged):
            if index not in taken:
                variance = _ce90(sight) ** 2 / CHI2_90
                lone = Track(sight.kind, *places[index], sight.lon, sight.lat, variance, variance / 4, moment, 1,
                             sight.score, int(verdict.forbidden))  # fmt: skip
                self.tracks.append(lone)
                found.append((lone, verdict))
                continue
            track = self._moved(self.tracks[taken[index]], sight, places[index], moment)
            at = datetime.fromtimestamp(moment, self.season.zone_of_time)
            smoothed = self.season.judge(track.lon, track.lat, math.sqrt(track.var_m2 * CHI2_90), at, sight.kind)
            track = replace(track, inside=track.inside + int(smoothed.forbidden))
            self.tracks[taken[index]] = track
            found.append((track, smoothed))
        return found

    def _moved(self, track: Track, sight: Sight, place: tuple[float, float], moment: float) -> Track:
        """A track with one more sighting; errors of one flight are alike, so its own never falls under a floor."""
        counted = replace(track, frames=track.frames + 1, score=track.score + sight.score)
        if moment < track.at:
            return counted  # a late frame shows where it was, not where it is
        seen = _ce90(sight) ** 2 / CHI2_90
        known = track.var_m2 + (self.policy.speed_m_s * (moment - track.at)) ** 2 / 4
        share = known / (known + seen) if known + seen > 0 else 1.0
        x_m, y_m = (old + share * (new - old) for old, new in zip((track.x_m, track.y_m), place, strict=True))
        lon, lat = (
            old + share * (new - old) for old, new in zip((track.lon, track.lat), (sight.lon, sight.lat), strict=True)
        )
        floor = min(track.floor_m2, seen / 4)
        variance = max(floor, (1 - share) * known)
        return replace(counted, x_m=x_m, y_m=y_m, lon=lon, lat=lat, var_m2=variance, floor_m2=floor, at=moment)

    def _gate_m(self, track: Track, ce90_m: float, moment: float, base_m: float) -> float:
        """How far from a track a sighting may be and still belong to it."""
        errors = 1.5 * math.hypot(math.sqrt(track.var_m2 * CHI2_90), ce90_m)
        most = self.policy.reach_m if self._is_open(track.episode, moment) else self.policy.doubt_m
        drift = min(most, self.policy.speed_m_s * abs(moment - track.at))
        return base_m + errors + drift

    def _worth(self, track: Track, verdict: Verdict) -> bool:
        """Whether a track has earned a warning: enough score, and no doubt that it is inside."""
        inside = verdict.certain or track.inside >= self.policy.doubt_frames
        return inside and track.score >= self.policy.sure_score

    def _told(self, track: Track, verdict: Verdict, at: datetime) -> tuple[Episode, bool]:
        """The event of a track, widened by it; True when it is new."""
        index = self.tracks.index(track)
        moment = at.timestamp()
        number = track.episode if self._is_open(track.episode, moment) else self._near(track, moment)
        is_new = number is None
        if number is None:
            number, self.next_number = self.next_number, self.next_number + 1
            radius = math.sqrt(track.var_m2 * CHI2_90)
            self.episodes[number] = Episode(number, verdict.zone, (track.kind,), at, at, track.lon, track.lat,
                                            round(radius, 1), 0.0, 0, 0, verdict.certain, verdict.why)  # fmt: skip
        old = self.episodes[number]
        joined = track.episode != number
        self.tracks[index] = replace(track, episode=number)
        self.episodes[number] = replace(
            old,
            kinds=tuple(sorted({*old.kinds, track.kind})),
            started_at=min(old.started_at, at),
            last_seen_at=max(old.last_seen_at, at),
            score=round(max(old.score, min(1.0, track.score / track.frames)), 4),
            frames=old.frames + 1,
            things=old.things + int(joined),
        )
        return self.episodes[number], is_new

    def _is_open(self, number: int | None, moment: float) -> bool:
        """Whether an event was going on at a moment, the quiet gap before and after it included."""
        if number is None or number not in self.episodes:
            return False
        episode, quiet = self.episodes[number], self.policy.quiet_s
        return episode.started_at.timestamp() - quiet <= moment <= episode.last_seen_at.timestamp() + quiet

    def _near(self, track: Track, moment: float) -> int | None:
        """The open event that a track belongs to by its nearest thing."""
        near = []
        for other in self.tracks:
            if other.episode is not None and self._is_open(other.episode, moment):
                away = math.hypot(other.x_m - track.x_m, other.y_m - track.y_m)
                radius = math.sqrt(track.var_m2 * CHI2_90)
                if away <= self._gate_m(other, radius, moment, self.policy.join_m):
                    near.append((away, other.episode))
        return min(near)[1] if near else None

    def _forget(self) -> None:
        """Drop what no frame, however late, can join any more."""
        keep_s = self.policy.quiet_s + self.policy.late_s
        first = self.newest - keep_s
        self.episodes = {n: one for n, one in self.episodes.items() if one.last_seen_at.timestamp() >= first}
        self.tracks = [
            track
            for track in self.tracks
            if self.newest - track.at <= (self.policy.follow_s if track.episode not in self.episodes else keep_s)
        ]


def _ce90(sight: Sight) -> float:
    """The sighting's circle; unknown counts as `UNKNOWN_CE90_M`."""
    if sight.ce90_m is None or not sight.ce90_m >= 0:
        return UNKNOWN_CE90_M
    return max(0.1, sight.ce90_m)
