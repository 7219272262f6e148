"""REWARDS: who may be rewarded for a report, by when each thing is done, and who may do it.

Grades, limits, merits and acts are tables; amounts are a setting. Nothing here knows who a reporter is: a reward is
asked for, granted and paid against the receipt code. Source: the domain page, 7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from patrol.rules.calendar import Calendar
from patrol.rules.limits import Limit


@dataclass(frozen=True)
class Grade:
    """How much a report was worth: its words on both languages' pages, and when it is given."""

    zh: str
    en: str
    when: str


GRADES: dict[str, Grade] = {
    "general": Grade("一般", "ordinary", "水面漂浮物、小堆垃圾一类，当天能清掉的"),
    "large": Grade("较大", "considerable", "成片垃圾、裸土、水葫芦，或有明确责任人的"),
    "major": Grade("重大", "major", "偷排污水、倾倒固废、电鱼网鱼，查实处理的"),
}

TELL_WITHIN = Limit(5, "working_days")  # the reporter is told after closing
APPLY_WITHIN = Limit(30, "working_days")  # the reporter applies after closing, or it lapses
DECIDE_WITHIN = Limit(10, "working_days")  # the officers decide after the application


@dataclass(frozen=True)
class Facts:
    """What is known of one report when a reward is asked for."""

    state: str  # of the issue it became; of the sighting while it waits
    has_object: bool = True  # a kind, and words or a photo
    has_place: bool = True
    has_evidence: bool = True  # a photo, or a place somebody could go and look at
    known_before: bool = False  # a patrol, a drone or the office had it earlier
    told_before: bool = False  # another reporter was first
    rewarded: bool = False  # the issue has a reward already
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Merit:
    """One thing a report must have; `refusal` is what the reporter is told where it has not."""

    code: str
    zh: str
    refusal: str
    holds: Callable[[Facts], bool]


MERITS: tuple[Merit, ...] = (
    Merit("verified_true", "查证属实", "这件还没有办结，或没有查实，现在不能申请奖励。", lambda f: f.state == "closed"),
    Merit("object", "对象明确", "举报里没有说清是什么问题。", lambda f: f.has_object),
    Merit("place", "地点明确", "举报里没有说清在哪里。", lambda f: f.has_place),
    Merit("verifiable", "可以查证", "举报里没有可以查证的照片或位置。", lambda f: f.has_evidence),
    Merit("not_known", "事先不掌握", "这件在您举报以前，巡查已经发现。", lambda f: not f.known_before),
    Merit("first", "第一个举报", "这件已有人先举报，奖励给第一个举报人。", lambda f: not f.told_before),
    Merit("once", "一件只奖一次", "这件已有奖励，一件只奖一次。", lambda f: not f.rewarded),
)


def unmet(facts: Facts) -> list[Merit]:
    """Every merit a report lacks, in the order of the table."""
    return [merit for merit in MERITS if not merit.holds(facts)]


@dataclass(frozen=True)
class Window:
    """The three dates that follow from a closing, by one calendar."""

    tell_by: datetime
    apply_by: datetime
    estimated: bool

    def open(self, now: datetime) -> bool:
        return now <= self.apply_by


def window(ended_at: datetime, calendar: Calendar) -> Window:
    """By when the reporter is told and applies: a pure function of the closing, so no job has to lapse anything."""
    apply_by = APPLY_WITHIN.due(ended_at, calendar)
    return Window(TELL_WITHIN.due(ended_at, calendar), apply_by, calendar.rests_on_estimate(ended_at, apply_by))


def decide_by(applied_at: datetime, calendar: Calendar) -> datetime:
    return DECIDE_WITHIN.due(applied_at, calendar)


STATES: dict[str, str] = {
    "applied": "待审核", "granted": "同意奖励", "refused": "不予奖励", "batched": "待复核付款", "payable": "可以领取",
    "paid": "已领取",
}  # fmt: skip
# as the reporter reads them
PUBLIC_STATES: dict[str, str] = {
    "applied": "奖励申请收到了，正在审", "granted": "同意奖励，正在安排付款", "refused": "没有给奖励",
    "batched": "同意奖励，正在安排付款", "payable": "奖励可以领了", "paid": "奖励领走了",
}  # fmt: skip
BATCH_STATES: dict[str, str] = {"open": "待复核", "approved": "已复核", "cancelled": "已撤回"}
WAYS: dict[str, str] = {"counter": "凭查询码到窗口领", "transfer": "转到账户"}

REWARD_OFFICERS = frozenset({"reward", "office_head"})


@dataclass(frozen=True)
class Act:
    """One act on a reward or a batch: from which states, to which, and in which roles."""

    zh: str
    from_: frozenset[str]
    to: str
    who: frozenset[str]


ACTS: dict[str, Act] = {
    "propose": Act("拟定等级", frozenset({"applied"}), "applied", frozenset({"office", "office_head"})),
    "grant": Act("同意奖励", frozenset({"applied"}), "granted", REWARD_OFFICERS),
    "refuse": Act("不予奖励", frozenset({"applied"}), "refused", REWARD_OFFICERS),
    "batch": Act("列入付款", frozenset({"granted"}), "batched", frozenset({"reward"})),
    "approve": Act("复核付款", frozenset({"batched"}), "payable", REWARD_OFFICERS),
    "cancel": Act("撤回付款", frozenset({"batched"}), "granted", REWARD_OFFICERS),
    "claim": Act("窗口发放", frozenset({"payable"}), "paid", frozenset({"reward"})),
    "pay": Act("记下已转账", frozenset({"payable"}), "paid", frozenset({"reward"})),
}


def amounts_of(text: str) -> dict[str, int]:
    """Grade -> yuan from the setting, `general:100,large:500,major:2000`, which was checked when it was read."""
    pairs = (item.partition(":") for item in text.split(","))
    return {grade.strip(): int(yuan) for grade, _, yuan in pairs}


FLAGS: dict[str, str] = {
    "near_clue": "前 24 小时内，50 米以内有巡查线索", "supplemented": "申请人补充过情况", "appealed": "这件有过申诉",
}  # fmt: skip
FLAG_HOURS, FLAG_M = 24, 50.0
