"""Slips: frozen, numbered without gaps, superseded by revisions; printed later from what was frozen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.actions import blurring, clocks
from patrol.actions.siting import place_words
from patrol.errors import Missing
from patrol.gateways import identity, paper_facts, papers
from patrol.rules import clocks as clock_law
from patrol.rules import lifecycle
from patrol.rules.calendar import SHANGHAI
from patrol.rules.clocks import CLOCKS, Mark
from patrol.rules.problems import PROBLEMS
from patrol.station import SYSTEM, Station, Work

# kind of slip -> letters of its address and the word of its printed number
SERIES: dict[str, tuple[str, str]] = {
    "assignment": ("JB", "交办"),
    "supervision": ("DB", "督办"),
    "closure": ("XH", "销号"),
    "dismissal": ("BL", "告知"),
    "transfer": ("YS", "移送"),
    "look_back": ("HT", "回头看"),
}
TITLES: dict[str, str] = {
    "assignment": "问题交办单",
    "supervision": "整改督办单",
    "closure": "销号反馈单",
    "dismissal": "不予立案告知",
    "transfer": "移送单",
    "look_back": "回头看单",
}
TEMPLATE = "1"
PHOTO_SIDE_PX = 1200


def of(work: Work, issue: m.Issue, kind: str | None = None) -> list[m.Slip]:
    """The slips of an issue, oldest first."""
    query = select(m.Slip).where(m.Slip.issue_id == issue.id).order_by(m.Slip.id)
    return list(work.session.scalars(query if kind is None else query.where(m.Slip.kind == kind)))


def current(work: Work, issue: m.Issue, kind: str) -> m.Slip | None:
    """The newest slip of a kind."""
    rows = of(work, issue, kind)
    return rows[-1] if rows else None


def freeze(
    work: Work, issue: m.Issue, kind: str, facts: dict[str, Any], *, photos: Sequence[m.Photo] = (), revise: bool = True
) -> m.Slip:
    """Freeze one slip. With `revise`, an earlier slip of the kind keeps its number and is superseded."""
    letters, word = SERIES[kind]
    old = current(work, issue, kind) if revise else None
    year = old.year if old else work.now.astimezone(SHANGHAI).year
    serial = old.serial if old else work.number(f"slip:{kind}:{year}")
    revision = old.revision + 1 if old else 1
    printed = f"{work.place.slip_prefix}{word}〔{year}〕第 {serial:04d} 号"
    body = _common(work, issue) | {
        "kind": kind, "number": printed, "revision": revision,
        "supersedes": f"第 {old.revision} 版" if old else None,
        "photos": [_photo_fact(photo) for photo in photos][:6],
        "ledger": issue.trail_head[:16] or None,
    } | facts  # fmt: skip
    frozen = dict(paper_facts.checked({name: value for name, value in body.items() if value is not None}))
    digest = papers.check_digest(frozen)
    slip = m.Slip(
        issue_id=issue.id, kind=kind, year=year, serial=serial, revision=revision,
        number=f"{letters}-{year}-{serial:04d}-{revision}", printed_number=printed, facts=frozen, digest=digest,
        check_code=identity.check_code(work.keys.check, digest, issue.trail_head), trail_seq=issue.trail_seq,
        trail_head=issue.trail_head, made_at=work.now, template=TEMPLATE,
    )  # fmt: skip
    work.session.add(slip)
    work.session.flush()
    if old:
        old.superseded_by = slip.id
    work.session.add(m.Anchor(subject=f"issue:{issue.id}", seq=issue.trail_seq, head=issue.trail_head,
                              at=work.now, where=f"slip {slip.number}"[:32]))  # fmt: skip
    return slip


def _common(work: Work, issue: m.Issue) -> dict[str, Any]:
    place, kind = work.place, PROBLEMS[issue.kind]
    grid = next((g for g in place.grids if g.code == issue.grid), None)
    unit = place.units.get(issue.lead_unit or "")
    return {
        "issued_at": shown(work.now), "issuer": place.office, "issue": issue.number, "office": "环保办",
        "place_name": place.name, "problem": kind.zh,
        "where": place_words(work, issue.chainage_m, issue.bank, issue.lon, issue.lat) or issue.place_words,
        "grid": f"{grid.community}{grid.name}" if grid else None,
        "lon": round(issue.lon, 5) if issue.lon is not None else None,
        "lat": round(issue.lat, 5) if issue.lat is not None else None,
        "ce90_m": round(issue.accuracy_m, 1) if issue.accuracy_m is not None and issue.lon is not None else None,
        "chainage_m": issue.chainage_m, "bank": issue.bank if issue.chainage_m is not None else None,
        "river_length_m": round(place.river.length_m, 1) if place.river else None,
        "lead_unit": unit.name if unit else None,
        "assisting": [place.units[code].name for code in issue.assisting if code in place.units] or None,
        "chief": " ".join(filter(None, (place.chief.title, place.chief.name))) or None,
        "requirement": kind.requirement, "filing_condition": kind.filing, "closing_condition": kind.closing,
    }  # fmt: skip


def limit_facts(work: Work, issue: m.Issue) -> dict[str, Any]:
    """The rectification limit as printed: what it was, what it is now, and each extension."""
    rectify, on_site, push = (clocks.last(work, issue, name) for name in ("rectify", "on_site", "push"))
    facts: dict[str, Any] = {}
    if rectify is not None and rectify.due_at is not None:
        limit = clocks.first_limit(rectify)
        facts |= {
            "limit_words": limit.zh, "due_at": shown(rectify.due_at), "due_estimated": rectify.estimated,
            "hours_words": "计时 09–12 时、14–17 时" if limit.frame == "working" else None,
        }  # fmt: skip
        grown = [each for each in clocks.marks_of(rectify) if each.kind == "extend"]
        if grown and rectify.first_due_at:
            facts["first_due_at"] = shown(rectify.first_due_at)
            facts["extensions"] = [
                {"due_at": shown(due), "words": each.why or "批准延期"} for due, each in _grown(work, rectify)
            ]
    if on_site is not None and on_site.due_at is not None:
        facts |= {"on_site_due_at": shown(on_site.due_at), "on_site_words": clocks.first_limit(on_site).zh}
    if push is not None and push.due_at is not None:
        by = push.due_at.astimezone(SHANGHAI)
        facts["push_words"] = f"推河湖长群和责任单位，应于 {by:%m-%d %H:%M} 前收到"
    return facts


def _grown(work: Work, clock: m.Clock) -> list[tuple[datetime, Mark]]:
    """Each extension of an instance with the due it led to."""
    calendar, known, found = work.calendar_of(clock.calendar), [], []
    for each in clocks.marks_of(clock):
        known.append(each)
        due = clock_law.read(known, calendar, each.at).due_at
        if each.kind == "extend" and due is not None:
            found.append((due, each))
    return found


def timeliness(work: Work, issue: m.Issue) -> list[dict[str, str]]:
    """Every clock from the first push on, as it stood: 推送 · 1 小时 · 22 分 · 按时.

    `check` is left out: it runs for tips and calls alone, so its row would tell the unit who had reported.
    """
    verdicts = {"met": "按时", "met_late": "曾超时", "missed": "超时", "cancelled": "未计", "not_needed": "不需要",
                "running": "进行中", "paused": "已停"}  # fmt: skip
    rows = []
    for clock in clocks.of(work, issue):
        if clock.name == "check":
            continue
        used_min = clocks.reading(work, clock).used_s // 60
        verdict = "按时（离线补传）" if clock.grace else verdicts[clock.state]
        name = CLOCKS[clock.name].zh + (f"（第 {clock.instance} 次）" if clock.instance > 1 else "")
        rows.append({"clock": name, "limit": clocks.first_limit(clock).zh, "verdict": verdict,
                     "used": f"{used_min // 60} 时 {used_min % 60:02d} 分" if used_min >= 60 else f"{used_min} 分"})  # fmt: skip
    return rows[:20]


def marks(issue: m.Issue) -> list[str]:
    """What a slip must say out loud."""
    said = [lifecycle.FLAGS[name] for name in ("forced", "cleared", "relapse", "recurrence") if name in issue.flags]
    if "here" in issue.flags:
        said.append("自处理 简式")
    return said + ([f"第 {issue.round} 轮"] if issue.round > 1 else [])


def _photo_fact(photo: m.Photo) -> dict[str, Any]:
    stage = {"frame": "sighting", "report": "sighting"}.get(photo.stage, photo.stage)
    known = {"sighting", "check", "before", "during", "after", "accept", "send_back", "suspend", "reopen", "look_back"}
    when = photo.received_at.astimezone(SHANGHAI).strftime("%m-%d %H:%M")
    word = {"sighting": "发现时"}.get(stage, lifecycle.PHOTO_STAGES.get(stage, ""))
    # when a thing was first seen is not the unit's to know: it would point at who saw it
    caption = word if stage in ("sighting", "check") else f"{word} {when}"
    return {"sha256": photo.sha256, "stage": stage if stage in known else "check", "caption": caption}


def shown(at: datetime) -> str:
    """A moment as slips carry it: ISO 8601 in Asia/Shanghai, whole seconds."""
    return at.astimezone(SHANGHAI).replace(microsecond=0).isoformat()


def find(work: Work, number: str) -> m.Slip:
    row = work.session.scalar(select(m.Slip).where(m.Slip.number == number))
    if row is None:
        raise Missing()
    return row


def pdf(station: Station, slip: m.Slip) -> bytes:
    """The paper of a slip: printed once from what was frozen, then always the same bytes."""
    if slip.pdf_sha256 and station.store.has(slip.pdf_sha256):
        return station.store.get(slip.pdf_sha256)
    shots = {}
    for fact in slip.facts.get("photos", []):
        if station.store.has(fact["sha256"]):
            fishing = slip.facts.get("problem") == PROBLEMS[blurring.KIND].zh
            shots[fact["sha256"]] = blurring.shown(station, fact["sha256"], PHOTO_SIDE_PX, fishing=fishing)
    return papers.render(printed(station, slip), shots)


def printed(station: Station, slip: m.Slip) -> dict[str, Any]:
    """The frozen facts with what proves them: the check code and the address its QR opens."""
    return {**slip.facts, "check_code": slip.check_code, "qr": f"{station.settings.address}/i/{slip.facts['issue']}"}


def print_slip(station: Station, slip_id: int) -> None:
    """Print one slip and remember its digest, outside and then inside a transaction; twice is harmless."""
    with station.look(SYSTEM) as look:
        slip = look.session.get(m.Slip, slip_id)
    if slip is None or slip.pdf_sha256:
        return
    sha256 = station.store.put(pdf(station, slip))
    with station.work(SYSTEM) as work:
        row = work.session.get(m.Slip, slip_id)
        if row is not None and row.pdf_sha256 is None:
            row.pdf_sha256 = sha256
