"""What a machine's score is worth here: the share of its reviewed clues of a kind that proved true.

Counted over the clues that a person confirmed or discarded as wrong in the last half year, for each platform by
itself; our own recognition is a platform too. A score is multiplied by it before anything is assigned by rule; whether
a detection opens an issue is asked of the score as given, because that much outsiders are promised.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import case, func, select

from patrol import models as m
from patrol.rules.flights import trust
from patrol.rules.lifecycle import FALSE_REASONS
from patrol.station import Work

LOOKED_BACK = timedelta(days=180)


def measured(work: Work, channel: str, person_id: int | None, kind: str) -> float:
    """The trust in a platform's scores of one kind, 0 to 1; `person_id` None is our own recognition."""
    joined = func.sum(case((m.Sighting.state == "joined", 1), else_=0))
    wrong = func.sum(case((m.Sighting.why.in_(sorted(FALSE_REASONS)), 1), else_=0))
    query = select(joined, wrong).where(
        m.Sighting.channel == channel, m.Sighting.kind == kind, m.Sighting.person_id == person_id,
        m.Sighting.reviewer_id.is_not(None), m.Sighting.state.in_(("joined", "discarded")),
        m.Sighting.received_at > work.now - LOOKED_BACK,
    )  # fmt: skip
    confirmed, discarded = work.session.execute(query).one()
    return round(trust(int(confirmed or 0), int(discarded or 0)), 4)


def worth(sighting: m.Sighting) -> float:
    """The score of a sighting as far as it is trusted; 0 where it has none."""
    return (sighting.score or 0.0) * (1.0 if sighting.trust is None else sighting.trust)
