"""Runs under faults and races: a seeded tenth by default, the whole with PATROL_FULL=1 (`make test-faults`)."""

import os

FULL = os.environ.get("PATROL_FULL") == "1"


def share(whole: int) -> int:
    """How many trials this run makes: all of them, or a tenth."""
    return whole if FULL else max(1, whole // 10)
