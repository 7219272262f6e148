"""What is known of one report when a reward is asked for: plain facts for the law, and flags for the officers.

Nothing here looks at who reported; only at what was said, when, and by which channel.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from patrol import models as m
from patrol.rules import rewards as law
from patrol.rules.rights import TIP_CHANNELS
from patrol.station import Work

REPORTERS = TIP_CHANNELS | {"petition", "transfer_in"}  # whoever came first of these was the first to report
FLAG_HOURS, FLAG_M = 24, 50.0
FLAGS: dict[str, str] = {
    "near_clue": "前 24 小时内，50 米以内有巡查线索", "supplemented": "申请人补充过情况", "appealed": "这件有过申诉",
}  # fmt: skip
_DEGREE_M = 111_320.0


def facts_of(work: Work, sighting: m.Sighting, issue: m.Issue | None) -> law.Facts:
    """The law's facts of one report; `issue` is what it has become, through every merge."""
    photo = work.session.scalar(select(m.Photo.id).where(m.Photo.sighting_id == sighting.id).limit(1)) is not None
    placed = sighting.lon is not None
    earlier = _earlier(work, sighting, issue)
    state = issue.state if issue is not None else sighting.state
    return law.Facts(
        state="forced" if issue is not None and "forced" in issue.flags else state,
        has_object=bool(sighting.kind) and (photo or bool(sighting.words.strip())),
        has_place=placed or bool(sighting.place_words.strip()),
        has_evidence=photo or placed,
        known_before=any(channel not in REPORTERS for channel in earlier),
        told_before=any(channel in REPORTERS for channel in earlier),
        rewarded=issue is not None and _rewarded(work, issue),
        ended_at=issue.ended_at if issue is not None else None,
    )


def flags_of(work: Work, sighting: m.Sighting, issue: m.Issue) -> list[str]:
    """What the officers should look at before they decide; no flag refuses anything."""
    found = []
    if _near_clue(work, sighting, issue):
        found.append("near_clue")
    told = select(m.Trail.facts).where(m.Trail.issue_id == issue.id, m.Trail.event == "supplemented")
    if any((facts or {}).get("sighting") == sighting.id for facts in work.session.scalars(told)):
        found.append("supplemented")
    if "appealed" in issue.flags:
        found.append("appealed")
    return found


def family(work: Work, issue: m.Issue) -> list[int]:
    """The issue and everything that was ever merged into it."""
    found, edge = [issue.id], [issue.id]
    while edge:
        edge = list(
            work.session.scalars(select(m.Issue.id).where(m.Issue.parent_id.in_(edge), m.Issue.state == "merged"))
        )
        found += edge
    return found


def _earlier(work: Work, sighting: m.Sighting, issue: m.Issue | None) -> list[str]:
    """The channels of everything seen of the same thing before this report came in."""
    if issue is None:
        return []
    query = select(m.Sighting.channel).where(
        m.Sighting.issue_id.in_(family(work, issue)),
        (m.Sighting.received_at < sighting.received_at)
        | ((m.Sighting.received_at == sighting.received_at) & (m.Sighting.id < sighting.id)),
    )
    return list(work.session.scalars(query))


def _rewarded(work: Work, issue: m.Issue) -> bool:
    query = select(m.Reward.id).where(m.Reward.issue_id.in_(family(work, issue)), m.Reward.state != "refused")
    return work.session.scalar(query.limit(1)) is not None


def _near_clue(work: Work, sighting: m.Sighting, issue: m.Issue) -> bool:
    if sighting.lon is None or sighting.lat is None:
        return False
    reach = FLAG_M / _DEGREE_M
    query = select(m.Sighting.id).where(
        m.Sighting.kind == sighting.kind, m.Sighting.id != sighting.id, m.Sighting.channel.not_in(REPORTERS),
        m.Sighting.received_at < sighting.received_at,
        m.Sighting.received_at >= sighting.received_at - timedelta(hours=FLAG_HOURS),
        m.Sighting.lat.between(sighting.lat - reach, sighting.lat + reach),
        m.Sighting.lon.between(sighting.lon - 1.2 * reach, sighting.lon + 1.2 * reach),
        (m.Sighting.issue_id.is_(None)) | (m.Sighting.issue_id != issue.id),
    )  # fmt: skip
    return work.session.scalar(query.limit(1)) is not None
