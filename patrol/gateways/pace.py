"""How often a robot may speak, and when a failed push is tried again. Pure: no clock, no socket, no rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from patrol.errors import OutOfReach

#: A call may take this long. Between our sending and the vendor's counting lies anything up to it.
CALL_LIMIT_S = 10

#: Waits before the second, third … try. Together under half of `push`'s hour, so that a slip that
#: does not get through is red while there is still time to telephone.
RETRY_LADDER_S = (1, 2, 5, 10, 20, 40, 60, 120, 180, 300, 300, 300)

#: After so many tries the errand is stuck: shown, and told to a person.
MAX_TRIES = len(RETRY_LADDER_S) + 1


def retry_in_s(tries: int, error: OutOfReach) -> int | None:
    """Seconds until the next try after `tries` failed ones; None: stuck, a person must look.

    What the vendor asked for (`wait_s`) is never undercut; a stopped channel (`stop`) is not tried again.
    """
    if tries < 1:
        raise ValueError("tries are counted from 1")
    if error.facts.get("stop") or tries >= MAX_TRIES:
        return None
    return max(RETRY_LADDER_S[tries - 1], int(error.facts.get("wait_s") or 0))


@dataclass(frozen=True)
class Pace:
    """A robot's bucket: a full minute's messages at once, then as they fall out of the window.

    The window is the vendor's minute plus the longest call: a message sent early but counted late can
    then never share the vendor's minute with one message too many.
    """

    per_minute: int = 20

    window_s = 60 + CALL_LIMIT_S
    sore_s = 600  # this long after the vendor complained, only half the pace

    def __post_init__(self) -> None:
        if self.per_minute < 1:
            raise ValueError("a robot that may never speak is no robot")

    def wait_s(self, now: datetime, sent_times: Iterable[datetime], limited_at: datetime | None = None) -> float:
        """Seconds until the next message may go, 0.0 when it may go now.

        `sent_times`: when this robot was last called, delivered or not, in any order; `limited_at`: when
        the vendor last said "too often". Times further ahead than the window come from a clock that has
        been set back and are not believed.
        """
        window = timedelta(seconds=self.window_s)
        most = self.per_minute
        if limited_at is not None and abs(now - limited_at) < timedelta(seconds=self.sore_s):
            most = max(1, most // 2)
        recent = sorted(at for at in sent_times if abs(now - at) < window)
        if len(recent) < most:
            return 0.0
        return (recent[-most] + window - now).total_seconds()

    def allow(self, now: datetime, sent_times: Iterable[datetime], limited_at: datetime | None = None) -> bool:
        """Whether the robot may be called now."""
        return self.wait_s(now, sent_times, limited_at) <= 0
