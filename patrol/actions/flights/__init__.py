"""Flights: planned, received, read frame by frame, and settled into coverage and clues.

`register` keeps rounds and flights, `receive` takes their files in, `reading` reads one frame, `things` decides
what detections are one thing and when people hear of it, `settle` ends a flight. The database is the queue: each
frame is an errand of its own, so a file that cannot be read is parked and the rest go on.
"""

from __future__ import annotations

from patrol.actions.flights.receive import Arrived, arrive_bytes, arrive_file, finish, take
from patrol.actions.flights.register import Plan, cancel, find, find_round, note_unflyable, open_flight, open_round

__all__ = [
    "Arrived", "Plan", "arrive_bytes", "arrive_file", "cancel", "find", "find_round", "finish", "note_unflyable",
    "open_flight", "open_round", "take",
]  # fmt: skip
