"""POINTS: what earns eco-points, how many, and the limits that make gaming them pointless.

A rule is a row. The ledger itself (postings, balances) is an action; here is only what it must hold to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Earning:
    """One way to earn: points a unit of work, what the unit is, and the most one account gets of it a day."""

    zh: str
    en: str
    points: int
    unit: str
    most_a_day: int
    team: bool = False  # earned by the team's account as well as by a person's


EARNINGS: dict[str, Earning] = {
    "shift_hour": Earning("护河值守", "river watch", 5, "小时", 30, team=True),
    "class": Earning("上生态课堂", "attending a class", 5, "次", 10),
    "observation": Earning("监测记录", "monitoring record", 2, "条", 10, team=True),
    "report_true": Earning("报告属实", "a report that proved true", 10, "件", 30),
}
# what moves points beside earning; the sign is seen from the account of a person or a team
MOVES: dict[str, str] = {
    **{code: row.zh for code, row in EARNINGS.items()}, "manual": "人工调整", "exchange": "兑换", "reversal": "退回",
}  # fmt: skip

EXCHANGE_STATES: dict[str, str] = {"waiting": "待领取", "handed": "已领取", "back": "已退回"}

MOST_A_DAY = 60  # of all earnings together, one account
MANUAL_MOST = 500  # moved by hand at once
EXCHANGES_A_MONTH = 4  # one account
LARGEST_MOVE = 1_000_000
# accounts of the house: points come out of the first and go into the second; the first may be below zero
SOURCE, SHOP = "source", "shop"
HOUSE_ACCOUNTS = {SOURCE: "积分发放", SHOP: "兑换回收"}


def earned(rule: str, units: float, today: int, today_of_rule: int) -> int:
    """Points for so many units of work, cut by the day's limits; never below zero."""
    row = EARNINGS[rule]
    wanted = int(units * row.points)
    return max(0, min(wanted, row.most_a_day - today_of_rule, MOST_A_DAY - today))


def balanced(amounts: Sequence[int]) -> bool:
    """Whether postings make one transfer: at least two, none empty, their sum zero."""
    return len(amounts) >= 2 and all(amounts) and sum(amounts) == 0
