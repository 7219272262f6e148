"""A rule may assign strong drone clues of the kinds the office configured: inside key areas, so many an hour."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import trust
from patrol.actions.handle.case import similar_open
from patrol.actions.handle.mechanism import act_by_rule
from patrol.rules.lifecycle import STEPS
from patrol.rules.problems import CONFIRMED_CE90_M, UNKNOWN_ACCURACY_M
from patrol.rules.rights import MACHINE_CHANNELS
from patrol.station import RULE, Work


def assign_by_rule(work: Work, issue: m.Issue, sighting: m.Sighting) -> bool:
    """Assign an issue that a machine has just opened, when the office's rule covers it; else leave it to people."""
    least = work.settings.auto_assign_scores.get(issue.kind)
    if (
        least is None
        or issue.state != "reported"
        or sighting.channel not in MACHINE_CHANNELS
        or trust.worth(sighting) < least
        or issue.lon is None
        or issue.lat is None
    ):
        return False
    accuracy = UNKNOWN_ACCURACY_M if issue.accuracy_m is None else issue.accuracy_m
    if accuracy > CONFIRMED_CE90_M or work.place.key_area_of(issue.lon, issue.lat) is None:
        return False
    unit = work.place.propose_unit(issue.kind, issue.grid)
    if unit is None or similar_open(work, issue) or _this_hour(work) >= work.settings.auto_assign_hourly:
        return False
    actor, work.actor = work.actor, RULE
    try:
        act_by_rule(work, issue, STEPS["assign"], {"lead_unit": unit.code})
    finally:
        work.actor = actor
    return True


def _this_hour(work: Work) -> int:
    since = work.now - timedelta(hours=1)
    query = select(func.count(m.Trail.id)).where(
        m.Trail.event == "assigned", m.Trail.role == "rule", m.Trail.at > since
    )
    return work.session.scalar(query) or 0
