"""What is known of one report when a reward is asked for: plain facts for the law.

Nothing here looks at who reported; only at what was said, when, and by which channel.
"""

from __future__ import annotations

from sqlalchemy import select

from patrol import models as m
from patrol.actions import tips
from patrol.rules import rewards as law
from patrol.rules.rights import REPORTERS
from patrol.station import Work


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


def standing(work: Work, code: str) -> tuple[m.Reward | None, law.Facts]:
    """Where the reward of a code stands, for its holder: the application if there is one, and the facts."""
    sighting = tips.find(work, code)
    row = work.session.scalar(select(m.Reward).where(m.Reward.sighting_id == sighting.id))
    issue = work.session.get(m.Issue, sighting.issue_id) if sighting.issue_id is not None else None
    while issue is not None and issue.state == "merged" and issue.parent_id is not None:
        issue = work.session.get(m.Issue, issue.parent_id)
    return row, facts_of(work, sighting, issue)
