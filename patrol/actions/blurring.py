"""Pictures on which somebody may be seen fishing are shown with faces and heads made unrecognisable.

One place decides which pictures those are: photos of illegal fishing, and every photograph on which the model saw a
person or a boat, whatever else it is evidence of. The original stays as it came; it is an officer's to fetch.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from patrol import models as m
from patrol.gateways import pictures
from patrol.gateways.pictures import Share
from patrol.station import SYSTEM, Station, Work

KIND = "illegal_fishing"
_ANY_SIZE = 200_000_000


def shown(station: Station, sha256: str, max_side_px: int, *, fishing: bool = False) -> bytes:
    """The rendition of a stored photo that people may see. `fishing`: it belongs to a case of illegal fishing."""
    data = station.store.get(sha256)
    clean = pictures.rendition(data, max_side_px, max_bytes=len(data) + 1, max_pixels=_ANY_SIZE)
    with station.look(SYSTEM) as look:
        people = people_on(look, sha256)
    if people is None and not fishing:
        return clean
    return pictures.blurred(clean, people or ())


def people_on(look: Work, sha256: str) -> list[Share] | None:
    """Boxes of the persons the model saw on a photograph, as shares of its sides; None when it saw nobody at all."""
    found: list[Share] | None = None
    for facts in look.session.scalars(select(m.Frame.facts).where(m.Frame.sha256 == sha256)):
        for each in facts.get("seen", []):
            found = found if found is not None else []
            if each["cls"] == "person":
                left, top, right, bottom = each["shares"]
                found.append((left, top, right, bottom))
    return found


def is_fishing(look: Work, photo: m.Photo) -> bool:
    """Whether a photo belongs to a case of illegal fishing, by its sighting or by its issue."""
    sighting = look.session.get(m.Sighting, photo.sighting_id) if photo.sighting_id else None
    issue = look.session.get(m.Issue, photo.issue_id) if photo.issue_id else None
    kinds: Sequence[str] = [row.kind for row in (sighting, issue) if row is not None]
    return KIND in kinds
