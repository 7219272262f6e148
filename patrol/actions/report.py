"""report(): the one door behind every intake channel.

It places a sighting on the river, lets it wait as a clue, joins it to an open issue or opens a new one, in one
transaction. Channels differ in their draft only, never in a branch of their own.
"""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from patrol import models as m
from patrol.actions import clocks, photos, sealing, siting, trust
from patrol.actions.photos import Shot
from patrol.errors import BadInput, Fault
from patrol.gateways import identity
from patrol.rules import rights
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

OWN_FLIGHT_CHANNELS = rights.MACHINE_CHANNELS


@dataclass(frozen=True)
class Draft:
    """What one source said, before anything is decided. Positions are as declared; photos are examined."""

    channel: str
    kind: str
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    words: str = ""
    place_words: str = ""
    position: dict[str, Any] | None = None
    method: str = "declared"
    ellipse: dict[str, Any] | None = None
    outline: dict[str, Any] | None = None
    area_m2: float | None = None
    score: float | None = None
    seen_at: datetime | None = None
    flight: str | None = None
    frame: str | None = None
    round_no: int | None = None
    shots: tuple[Shot, ...] = ()
    contact: dict[str, Any] | None = None
    callback: bool = False
    reward: bool = False
    place_sure: bool = False  # asked whether it is GCJ-02 after all, and denied
    hold: str = ""  # a door's own reason to hold it (limits), never a reason to refuse it
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a report."""

    sighting: m.Sighting
    issue: m.Issue | None
    joined: bool
    waiting: bool
    receipt_code: str | None


def report(work: Work, draft: Draft) -> Outcome:
    """Take one report in. The answer stands once the transaction has committed."""
    _check(work, draft)
    kind = PROBLEMS[draft.kind]
    machine = draft.channel in rights.MACHINE_CHANNELS
    place = siting.site(work, draft.position, draft.method) if draft.position else None
    if machine and (place is None or not place.inside):
        raise BadInput(Fault("/position", "out_of_area", "位置不在本河段：无人机线索要落在河段 500 米以内。"))
    work.only_one(f"join:{draft.kind}")
    sighting = _kept(work, draft, place)
    if machine:
        sighting.trust = trust.measured(work, draft.channel, sighting.person_id, draft.kind)
    code = None
    if draft.channel in ("tip", "hotline"):
        code = identity.receipt_code(work.keys.receipt, draft.client_id)
        sighting.receipt_hash = identity.receipt_hash(work.keys.pepper, code)
    _seal(work, sighting, draft)
    work.session.add(sighting)
    work.session.flush()
    photos.keep_with_sighting(work, sighting, draft.shots)
    if machine and place and siting.false_spot(work, draft.kind, place):
        sighting.state, sighting.why = "discarded", "false_spot"
        work.tell("clue_discarded", subject=f"clue:{sighting.id}", why="false_spot", kind=draft.kind)
        return Outcome(sighting, None, False, False, code)
    why = _waits(draft, place, machine, kind.confirm_score)
    found = _match(work, sighting, place) if not why else None
    if found and found.verdict == "relapse":
        why, sighting.relapse_of = "relapse", found.issue.id
    if why:
        _wait(work, sighting, why)
        return Outcome(sighting, None, False, True, code)
    issue, joined = settle(work, sighting, found)
    return Outcome(sighting, issue, joined, False, code)


def settle(
    work: Work, sighting: m.Sighting, found: siting.Near | None, kind: str | None = None
) -> tuple[m.Issue, bool]:
    """Join the issue that was found to be the same thing, or open a new one."""
    sighting.state = "joined"
    if found and found.verdict in ("join", "still_visible"):
        join(work, sighting, found.issue, distance_m=found.distance_m, still_visible=found.verdict == "still_visible")
        return found.issue, True
    origin = (found.issue, "recurrence") if found and found.verdict == "recurrence" else None
    return open_issue(work, sighting, origin, kind), False


def join(
    work: Work, sighting: m.Sighting, issue: m.Issue, *, distance_m: float | None = None, still_visible: bool = False
) -> None:
    """Let a sighting join an issue, whatever brought it in."""
    lock(work, issue)
    sighting.state, sighting.issue_id = "joined", issue.id
    photos.move_to_issue(work, sighting, issue)
    if issue.tips_only and sighting.channel not in rights.TIP_CHANNELS:
        issue.tips_only = False
    if issue.lon is None and sighting.lon is not None:
        take_position(work, issue, sighting)
    work.tell("joined", issue, sighting=sighting.id, channel=sighting.channel,
              distance_m=None if distance_m is None else round(distance_m, 1))  # fmt: skip
    if issue.state == "reported" and sighting.channel not in rights.TIP_CHANNELS:
        clocks.start_push(work, issue, _captured(sighting))
    if still_visible:
        issue.flags = {**issue.flags, "still_visible": work.now.isoformat()}
        work.tell("still_visible", issue, moves=True, sighting=sighting.id)


def open_issue(
    work: Work, sighting: m.Sighting, origin: tuple[m.Issue, str] | None = None, kind: str | None = None
) -> m.Issue:
    """A new issue from one sighting, its clocks started by its channel."""
    year = work.now.astimezone(clocks.law_zone()).year
    serial = work.number(f"issue:{year}")
    tip = sighting.channel in rights.TIP_CHANNELS
    captured = _captured(sighting)
    issue = m.Issue(
        number=f"{work.place.number_prefix}-{year}-{serial:04d}", version=1, state="reported", kind=kind or sighting.kind,
        words="", place_words="" if tip else sighting.place_words, assisting=[], flags={}, tips_only=tip, round=1,
        returns=0, extensions=0, half2=False, expected_photos=0, position_confirmed=False, trail_seq=0, trail_head="",
        found_at=captured or sighting.received_at, opened_at=work.now, changed_at=work.now, step_at=work.now,
    )  # fmt: skip
    if origin:
        issue.origin_id, issue.origin_how = origin[0].id, origin[1]
        issue.flags = {origin[1]: origin[0].number}
    take_position(work, issue, sighting)
    work.session.add(issue)
    work.session.flush()
    sighting.state, sighting.issue_id = "joined", issue.id
    photos.move_to_issue(work, sighting, issue)
    waits_for_check = tip and not (sighting.channel == "hotline" and work.settings.operator_waives_check)
    if waits_for_check:
        clocks.start(work, "check", issue=issue)
    else:
        clocks.start_push(work, issue, captured)
    work.tell("reported", issue, kind=issue.kind, sighting=sighting.id, channel=sighting.channel,
              origin=origin[0].number if origin else None)  # fmt: skip
    return issue


def take_position(work: Work, issue: m.Issue, sighting: m.Sighting) -> None:
    """Give an issue the position, outline and place of a sighting."""
    issue.lon, issue.lat, issue.accuracy_m = sighting.lon, sighting.lat, sighting.accuracy_m
    issue.position_method, issue.outline, issue.area_m2 = sighting.position_method, sighting.outline, sighting.area_m2
    issue.chainage_m, issue.bank = sighting.chainage_m, sighting.bank
    issue.grid, issue.cell = sighting.grid, sighting.cell


def lock(work: Work, issue: m.Issue) -> m.Issue:
    """Hold an issue's row until this transaction ends, and read it as it now is."""
    work.session.refresh(issue, with_for_update=True)
    return issue


def _captured(sighting: m.Sighting) -> datetime | None:
    return sighting.seen_at if sighting.channel in OWN_FLIGHT_CHANNELS else None


def _check(work: Work, draft: Draft) -> None:
    faults = []
    if draft.kind not in PROBLEMS:
        faults.append(Fault("/kind", "unknown_kind", f"没有这个问题种类；可选：{'、'.join(PROBLEMS)}。"))
    if draft.channel not in rights.CHANNELS:
        faults.append(Fault("/channel", "unknown_channel", "没有这个来源。"))
    if not draft.position and not draft.place_words.strip() and not draft.words.strip():
        faults.append(Fault("/position", "no_place", "缺位置：给出坐标，或写明在哪里。"))
    if not draft.position and not draft.place_words.strip() and draft.channel in rights.MACHINE_CHANNELS:
        faults.append(Fault("/position", "no_place", "缺位置：无人机线索要有坐标或范围。"))
    if draft.seen_at and draft.seen_at > work.now + timedelta(days=366):
        faults.append(Fault("/seen_at", "bad_time", "看到的时间太远。"))
    if faults:
        raise BadInput(faults)


def _kept(work: Work, draft: Draft, place: siting.Site | None) -> m.Sighting:
    warnings = [*draft.warnings, *(place.warnings if place else ())]
    if draft.seen_at and draft.seen_at > work.now + timedelta(minutes=5):
        warnings.append("seen_in_future")
    tip = draft.channel == "tip"
    return m.Sighting(
        ref=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)), channel=draft.channel, state="waiting",
        kind=draft.kind, words=draft.words, place_words=draft.place_words,
        lon=round(place.lon, 7) if place else None, lat=round(place.lat, 7) if place else None,
        accuracy_m=place.accuracy_m if place else None, given=place.given if place else None,
        position_method=place.method if place else None, ellipse=draft.ellipse, outline=draft.outline,
        area_m2=draft.area_m2, chainage_m=place.chainage_m if place else None, bank=place.bank if place else None,
        grid=place.grid if place else None, cell=place.cell if place else None, score=draft.score,
        flight=draft.flight, frame=draft.frame, round_no=draft.round_no, warnings=warnings, seen_at=draft.seen_at,
        received_at=work.now, reward=draft.reward, person_id=None if tip else work.actor.person_id,
    )  # fmt: skip


def _seal(work: Work, sighting: m.Sighting, draft: Draft) -> None:
    """Contact goes into the two envelopes and nowhere else; without keys it is refused, never kept plain."""
    contact = {name: value for name, value in (draft.contact or {}).items() if value}
    if not contact:
        return
    if not sealing.takes_identities(work):
        raise BadInput(
            Fault("/contact", "no_keys", "本单位还没有建立保密钥匙，暂不能收姓名电话；可以匿名举报，或打电话。")
        )
    sighting.identity_sealed = sealing.seal_identity(work, json.dumps(contact, ensure_ascii=False).encode()).body
    if draft.callback and contact.get("phone") and sealing.takes_callbacks(work):
        sighting.callback_sealed = sealing.seal_callback(work, str(contact["phone"]).encode()).body


def _waits(draft: Draft, place: siting.Site | None, machine: bool, confirm_score: float) -> str:
    """Why a sighting waits. A machine's score counts as given: what it proved here bears on assignment by rule only."""
    if machine and (draft.score or 0.0) < confirm_score:
        return "fishing" if draft.kind == "illegal_fishing" else "unsure"
    if draft.hold:
        return draft.hold
    if place is not None and "maybe_gcj02" in place.warnings and not draft.place_sure and not machine:
        return "maybe_gcj02"
    if place is not None and not place.inside:
        return "out_of_area"
    if place is not None and place.accuracy_m is not None and place.accuracy_m > siting.WORST_ACCURACY_M:
        return "vague_position"
    return ""


def _match(work: Work, sighting: m.Sighting, place: siting.Site | None, kind: str | None = None) -> siting.Near | None:
    """The issue this sighting is: an open one before a closed one, a nearer before a farther."""
    if place is None:
        return None
    seen = _captured(sighting) or work.now
    same = [
        n
        for n in siting.near(work, kind or sighting.kind, place, sighting.outline, seen_at=seen)
        if n.verdict != "other"
    ]
    order = {"join": 0, "still_visible": 0, "relapse": 1, "recurrence": 2}
    return min(same, key=lambda n: (order[n.verdict], n.distance_m), default=None)


def match(work: Work, sighting: m.Sighting, kind: str | None = None) -> siting.Near | None:
    """As `_match`, for a sighting that is already kept (a confirmed clue)."""
    if sighting.lon is None or sighting.lat is None:
        return None
    place = siting.site_wgs84(work, sighting.lon, sighting.lat, sighting.accuracy_m, sighting.position_method or "")
    return _match(work, sighting, place, kind)


def _wait(work: Work, sighting: m.Sighting, why: str) -> None:
    kind = PROBLEMS[sighting.kind]
    sighting.state, sighting.why = "waiting", why
    if sighting.channel in rights.MACHINE_CHANNELS:
        # a person's report never expires
        sighting.expires_at = work.now + timedelta(hours=kind.clue_expires_h)
    clocks.start(work, "review", sighting=sighting)
    event = "fishing_clue" if why == "fishing" else "relapse_waits" if why == "relapse" else "clue_waits"
    facts: dict[str, Any] = {
        "sighting": sighting.id, "ref": sighting.ref, "kind": sighting.kind, "why": why, "score": sighting.score,
        "trust": sighting.trust,
        "chainage_m": sighting.chainage_m, "bank": sighting.bank, "at": work.now.isoformat(),
    }  # fmt: skip
    work.tell(event, subject=f"clue:{sighting.id}", **facts)
