"""How long what an informant gave is kept, and when the days begin to count.

`ended`: from the day the issue ended (closed, not filed, transferred), or the clue was put away; a request still open
holds it. `over`: from its own end. What is erased is erased for good: the shares of an envelope are destroyed with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

BACKUPS_DAYS = 35  # erased content lives on in backups for so long: docs/operate says to keep none older


@dataclass(frozen=True)
class Keep:
    """One row: what, for how many days, counted from when."""

    name: str
    zh: str
    days: int
    after: Literal["ended", "over"]

    @property
    def span(self) -> timedelta:
        return timedelta(days=self.days)


KEEPS: dict[str, Keep] = {
    keep.name: keep
    for keep in (
        Keep("callback", "回访电话", 15, "ended"),
        Keep("identity", "姓名、电话等身份", 90, "ended"),
        Keep("original", "举报人的原始照片", 180, "ended"),
        Keep("words", "举报人写的话、地点说明、补充和评价", 730, "ended"),
        Keep("opening", "打开身份时交给另一组的份额", 0, "over"),
    )
}
