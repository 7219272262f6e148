"""A station on a generated reach, and flights over it: what the tests of the pages of the sky stand in."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable
from pathlib import Path

from patrol.actions import flights
from patrol.actions.delivery import run_jobs
from patrol.queries import flights as ask
from patrol.station import ANYONE, SYSTEM, Station

SEED, SIDE_PX = 5, 400


@functools.cache
def reach() -> tuple[Path, Path]:
    """A generated raster and the folder of its place; made once a process."""
    from geodata.scenes.folder import write
    from geodata.scenes.scene import scene

    folder = Path(tempfile.mkdtemp(prefix="patrol-reach-"))
    written = write(scene(SEED, "tune", size_px=SIDE_PX), folder)
    return written.raster, written.place


def fly(station: Station, paths: Iterable[Path], plan: flights.Plan | None = None) -> str:
    """A flight of these files, read and settled; its key."""
    with station.work(ANYONE) as work:
        row = flights.open_flight(work, plan or flights.Plan(round_no=1, drone="M3M-0012", pilot="李飞"))
        for path in paths:
            flights.take(work, row, flights.arrive_file(station, path, path.name))
        ref = flights.finish(work, row).ref
    for _ in range(50):
        run_jobs(station)
        with station.look(SYSTEM) as look:
            if ask.flight_state(look, ref)["state"] == "settled":
                return ref
    raise AssertionError(f"flight {ref} was not settled")
