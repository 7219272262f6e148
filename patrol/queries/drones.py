"""Which drones a platform has spoken of, where they were last, and what has become of the files it told of."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import func, select

from patrol import models as m
from patrol.station import Work

STATES = ("awaited", "taken", "refused", "lost")


def drones(work: Work) -> dict[str, Any]:
    """Plain values: every known drone, files by state, messages by method as the listener counted them last."""
    rows = work.session.scalars(select(m.Drone).order_by(m.Drone.sn)).all()
    media: Counter[str] = Counter(
        {str(state): int(count) for state, count in work.session.execute(
            select(m.Media.state, func.count()).group_by(m.Media.state)
        )}
    )  # fmt: skip
    watch = work.session.get(m.Watch, "dji")
    return {
        "drones": [
            {
                "drone": each.sn, "gateway": each.gateway, "model": each.model, "online": each.online,
                "lon": each.lon, "lat": each.lat, "height_m": each.height_m, "above_takeoff_m": each.above_takeoff_m,
                "placed_at": each.placed_at.isoformat() if each.placed_at else None, "seen_at": each.seen_at.isoformat(),
            }
            for each in rows
        ],
        "media": {state: media[state] for state in STATES},
        "heard": dict(watch.state.get("heard", {})) if watch is not None else {},
    }  # fmt: skip
