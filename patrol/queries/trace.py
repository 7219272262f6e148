"""Where the sewage of an issue may come from: registered outfalls and the unregistered one, ranked with probability.

It orders a search and accuses nobody. The model is `geodata.sources`'; what is added here is what this house knows:
the head of a plume where a raster showed one, and how often each outfall was at fault within a year.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from geodata.errors import GeoError
from geodata.merge import apart_m
from geodata.sources import Clue, trace
from patrol import models as m
from patrol.rules.problems import UNKNOWN_ACCURACY_M
from patrol.station import Work

KIND = "sewage"
LOOKED_BACK = timedelta(days=365)
AT_OUTFALL_M = 50.0  # an issue this near to an outfall counts for it, the nearest one only
MOST = 8
LEAST_ERROR_M = 0.5


def of_issue(look: Work, issue: m.Issue) -> list[dict[str, Any]]:
    """Possible sources of an issue's sewage, likeliest first; none for other kinds or without a position or river."""
    river, start = look.place.river, start_of(look, issue)
    if river is None or start is None:
        return []
    clue = Clue(start["lon"], start["lat"], max(LEAST_ERROR_M, start["error_m"]), start["bank"], start["is_head"])
    try:
        found = trace(clue, river, look.place.outfalls, weights=weights(look, issue))
    except GeoError:
        return []  # farther from this river than it can be followed
    return [
        {**asdict(one), "distance_m": round(one.distance_m, 1), "along_m": round(one.along_m, 1),
         "chainage_m": round(one.chainage_m, 1), "from_m": round(one.from_m, 1), "to_m": round(one.to_m, 1),
         "probability": round(one.probability, 4)}
        for one in found[:MOST]
    ]  # fmt: skip


def start_of(look: Work, issue: m.Issue) -> dict[str, Any] | None:
    """Where tracing begins: the head of a plume with its own error, else the issue's position."""
    if issue.kind != KIND or issue.lon is None or issue.lat is None:
        return None
    plume = _plume(look, issue)
    if plume is not None:
        return {"lon": plume["lon"], "lat": plume["lat"], "error_m": plume["head_error_m"], "bank": plume["bank"],
                "is_head": True, "words": "从影像里污水带的起点算起"}  # fmt: skip
    error_m = UNKNOWN_ACCURACY_M if issue.accuracy_m is None else issue.accuracy_m
    # the bank only where the position tells it: the model weighs both by the error
    return {"lon": issue.lon, "lat": issue.lat, "error_m": error_m, "bank": None, "is_head": False,
            "words": "从报来的位置算起，没有影像里的污水带"}  # fmt: skip


def weights(look: Work, issue: m.Issue) -> dict[str, float]:
    """Prior weight of each outfall: 1 and the sewage issues of the last year nearest to it, without this one."""
    counted = {outfall.code: 1.0 for outfall in look.place.outfalls}
    rows = look.session.execute(
        select(m.Issue.lon, m.Issue.lat).where(
            m.Issue.kind == KIND, m.Issue.id != issue.id, m.Issue.found_at > look.now - LOOKED_BACK,
            m.Issue.state.not_in(("dismissed", "merged")), m.Issue.lon.is_not(None), m.Issue.lat.is_not(None),
        )
    )  # fmt: skip
    for lon, lat in rows:
        if lon is None or lat is None:
            continue
        near = [(apart_m(lon, lat, None, each.lon, each.lat, None), each.code) for each in look.place.outfalls]
        away, code = min(near, default=(AT_OUTFALL_M + 1, ""))
        if away <= AT_OUTFALL_M:
            counted[code] += 1.0
    return counted


def _plume(look: Work, issue: m.Issue) -> dict[str, Any] | None:
    """The head of the newest plume recognised for this issue whose beginning the picture shows."""
    rows = look.session.scalars(
        select(m.Detection.facts)
        .join(m.Thing, m.Thing.id == m.Detection.thing_id)
        .join(m.Sighting, m.Sighting.id == m.Thing.sighting_id)
        .where(m.Sighting.issue_id == issue.id, m.Detection.kind == KIND)
        .order_by(m.Detection.at.desc(), m.Detection.id.desc())
        .limit(50)
    )
    return next((facts["plume"] for facts in rows if facts.get("plume", {}).get("head_seen")), None)
