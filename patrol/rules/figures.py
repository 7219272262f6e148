"""FIGURES: what each number means. Its formula in words, what is counted in which period, and who may see it.

A figure counts members, each of which meets it or not; the share is met over all. What becomes of suspended and merged
issues is said of each. Constants and pure functions; where members come from is the business of the queries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Literal

from patrol.rules.calendar import SHANGHAI

Unit = Literal["share", "minutes", "count", "percent"]


@dataclass(frozen=True)
class Figure:
    """One row. `top` over `bottom` is the formula; `basis` the moment that puts a member into a period."""

    code: str
    zh: str
    unit: Unit
    top: str
    bottom: str
    basis: str
    notes: str
    public: bool = False

    @property
    def formula(self) -> str:
        if self.unit == "minutes":
            return f"{self.top}的中位数"
        return f"{self.top} ÷ {self.bottom}" if self.bottom else self.top


_OUT = "挂账中不计，恢复后按新的应于时间计；并案的只计主件；重新起算的另算一次，先前超的仍算超。"
_CLOCK = "应于时间在本期内，已到期或已办的；" + _OUT

FIGURES: dict[str, Figure] = {
    row.code: row
    for row in (
        Figure("filed", "立案率", "share", "立件或并入的线索", "本期收到并已研判的线索", "收到时间",
               "待研判的、到期没看的机器线索不计。"),
        Figure("push", "按时交办率", "share", "1 小时内送达", "应交办的", "推送应于时间",
               "机器人回执、河长确认、截图确认分列；自处理的不用推送，另列。" + _OUT, True),
        Figure("on_site", "2 小时到场率", "share", "时限内到场核实", "应到场的", "到场应于时间", _CLOCK, True),
        Figure("rectify", "按期处置率", "share", "时限内整改完", "应整改完的", "整改应于时间", _CLOCK, True),
        Figure("closed_on_time", "按期结案率", "share", "整改、验收、销号都没有超期的", "本期销号的", "销号时间",
               "强制结案不计；并案的只计主件。", True),
        Figure("closed", "结案率", "share", "已销号的", "本期立件的", "立件时间",
               "不予立案、移送、并案的不计；挂账中的计入分母。", True),
        Figure("rectified", "整改完成率", "share", "已报验或更后的", "整改到期的", "整改应于时间", _CLOCK, True),
        Figure("rework", "返工率", "share", "验收不合格", "验收次数（合格加不合格）", "验收时间", "一件验收几次计几次。"),
        Figure("late", "超期率", "share", "整改超期（申诉通过的不算）", "应整改完的", "整改应于时间", _CLOCK),
        Figure("late_all", "超期率（含申诉通过）", "share", "整改超期", "应整改完的", "整改应于时间", _CLOCK),
        Figure("missed", "漏报率", "share", "群众先发现的", "群众或巡查先发现的", "立件时间",
               "群众：举报、热线、志愿者、接访；巡查：无人机、卫星、固定监测、网格员。上级交办和外部移入两边都不算。"),
        Figure("answered", "响应率", "share", "反映人评价了的", "可以问的（凭码举报、已办完）", "办完时间", "一份举报问一次。"),
        Figure("solved", "解决率", "share", "评价为已解决的", "反映人评价了的", "办完时间", "同上。", True),
        Figure("satisfied", "满意率", "share", "四星以上的", "反映人评价了的", "办完时间", "同上。", True),
        Figure("relapse", "反弹率", "share", "回头看为反弹的", "回头看次数", "回头看时间", "看不清的计入分母。"),
        Figure("precision", "识别准确率", "share", "属实的机器线索", "有人研判过的机器线索", "收到时间",
               "没人看过的不计，直接立件的等第一次到场结论。"),
        Figure("waiting", "未处理线索", "count", "现在待研判的线索", "", "现在", "不随期间变。"),
        Figure("coverage", "重点区域覆盖", "percent", "扣掉误差后确实拍到的面积", "飞得了的重点区域面积", "轮次结算时间",
               "取本期最后一轮；还有 1 平方米缺口就不写 100 %。", True),
        Figure("rounds", "航次完成率", "share", "已飞的轮次", "应飞的轮次", "应飞日期", "当天还没到期的不计。", True),
        Figure("close_time", "销号用时", "minutes", "立件到销号的分钟数", "", "销号时间",
               "含挂账的日子；强制结案不计；并案的只计主件。", True),
    )
}  # fmt: skip
MOST_DAYS = 3660


@dataclass(frozen=True)
class Period:
    """Whole days of Shanghai, both ends counted."""

    first: date
    last: date

    @staticmethod
    def usual(now: datetime) -> Period:
        """The last thirty days, today among them: a month that has just begun would show nothing."""
        today = now.astimezone(SHANGHAI).date()
        return Period(today - timedelta(days=29), today)

    @property
    def begins(self) -> datetime:
        return datetime.combine(self.first, time.min, SHANGHAI)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last + timedelta(days=1), time.min, SHANGHAI)

    def before(self) -> Period:
        """The period of the same length that ends the day before.

        >>> Period(date(2026, 11, 1), date(2026, 11, 30)).before()
        Period(first=datetime.date(2026, 10, 2), last=datetime.date(2026, 10, 31))
        """
        days = self.last - self.first + timedelta(days=1)
        return Period(self.first - days, self.last - days)


@dataclass(frozen=True)
class Member:
    """One thing a figure counts. `key` names it once; `part` tells apart how it was met; `amount` is minutes."""

    key: str
    met: bool
    issue: str | None = None
    part: str = ""
    amount: float | None = None


@dataclass(frozen=True)
class Value:
    """A figure of a period; `value` None where nothing was counted."""

    value: float | None
    numerator: int
    denominator: int
    parts: dict[str, int]


def value_of(figure: Figure, members: Iterable[Member]) -> Value:
    """The number of a figure from its members; a part that stands apart (`apart:…`) is told and not counted.

    >>> value_of(FIGURES["push"], [Member("1", True, part="robot"), Member("2", False), Member("3", True, part="apart:here")])
    Value(value=0.5, numerator=1, denominator=2, parts={'robot': 1, 'apart:here': 1})
    """
    every = list(members)
    parts: dict[str, int] = {}
    for member in every:
        if member.part:
            parts[member.part] = parts.get(member.part, 0) + 1
    counted = [member for member in every if not member.part.startswith("apart:")]
    met = sum(member.met for member in counted)
    if figure.unit == "count":
        return Value(float(len(counted)), len(counted), len(counted), parts)
    if figure.unit == "minutes":
        amounts = [member.amount for member in counted if member.amount is not None]
        return Value(round(median(amounts), 1) if amounts else None, len(amounts), len(amounts), parts)
    return Value(round(met / len(counted), 4) if counted else None, met, len(counted), parts)
