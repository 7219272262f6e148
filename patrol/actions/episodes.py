"""Fishing events that people were warned of: who took notice, and when. Their review is the clue's, not this one's."""

from __future__ import annotations

from sqlalchemy import select

from patrol import models as m
from patrol.errors import Missing
from patrol.rules.rights import sees_fishing
from patrol.station import Work

NO_EPISODE = "没有这次预警，或不归您看。"


def acknowledge(work: Work, ref: str) -> m.Episode:
    """Somebody has taken notice of a warning. The first one counts; a second changes nothing."""
    episode = work.session.scalar(select(m.Episode).where(m.Episode.ref == ref))
    if episode is None or episode.warned_at is None or not _in_scope(work, episode):
        raise Missing(NO_EPISODE)
    _note(work, episode, "seen")
    return episode


def reviewed(work: Work, sighting: m.Sighting) -> None:
    """Whoever reviews a fishing clue has taken notice of it."""
    for episode in work.session.scalars(select(m.Episode).where(m.Episode.sighting_id == sighting.id)):
        if episode.warned_at is not None:
            _note(work, episode, "reviewed")


def _note(work: Work, episode: m.Episode, how: str) -> None:
    work.only_one(f"episode:{episode.id}")
    work.session.refresh(episode)
    if episode.acknowledged_at is not None or episode.warned_at is None:
        return
    episode.acknowledged_at, episode.acknowledged_by = work.now, work.actor.person_id
    work.tell("episode_acknowledged", subject=f"episode:{episode.id}", ref=episode.ref, how=how,
              after_s=round((work.now - episode.warned_at).total_seconds(), 1))  # fmt: skip


def _in_scope(work: Work, episode: m.Episode) -> bool:
    sighting = work.session.get(m.Sighting, episode.sighting_id) if episode.sighting_id else None
    return sees_fishing(work.actor.roles, work.actor.grids, sighting.grid if sighting else None)
