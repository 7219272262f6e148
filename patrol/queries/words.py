"""Small words every question needs: a time as people outside read it, a person's name, a place."""

from __future__ import annotations

from datetime import datetime

from geodata.errors import GeoError
from patrol import models as m
from patrol.rules.calendar import SHANGHAI
from patrol.station import Work


def shown(at: datetime | None) -> str | None:
    """ISO 8601 with offset, Asia/Shanghai."""
    return at.astimezone(SHANGHAI).isoformat(timespec="seconds") if at is not None else None


def person_name(work: Work, person_id: int | None) -> str | None:
    if person_id is None:
        return None
    row = work.session.get(m.Person, person_id)
    return row.name if row else None


def place_words(work: Work, issue: m.Issue) -> str:
    """K1+240 左岸，3号排口; the words of the report where there is no chainage."""
    place = work.place
    if issue.lon is None or issue.lat is None:
        return issue.place_words
    spoken = place.river.words(issue.chainage_m, issue.bank) if place.river and issue.chainage_m is not None else ""
    outfall = place.nearest_outfall(issue.lon, issue.lat, 40.0)
    return (spoken or place.name) + (f"，{outfall.name}" if outfall else "")


def on_river(work: Work, lon: float, lat: float) -> str:
    """K1+240 左岸; "" for a point of another place."""
    river = work.place.river
    if river is None:
        return ""
    try:
        at = river.chainage_of(lon, lat)
    except GeoError:
        return ""
    return river.words(at.chainage_m, at.bank)
