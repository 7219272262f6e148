"""PROBLEMS: one row a kind of problem. A new kind is a new row here and nothing else in `patrol`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from patrol.rules.clocks import Limit

Shape = Literal["point", "area"]


@dataclass(frozen=True)
class Problem:
    """A kind: its limits in their own unit, its conditions, how alike two sightings must be to be one thing."""

    code: str
    zh: str
    en: str
    plain_zh: str  # what the public calls it
    plain_en: str
    rectify: Limit
    on_site: Limit
    urgent: bool  # push, receive and on_site run 24/7
    filing: str  # 立案条件
    closing: str  # 结案条件
    requirement: str  # 整改要求 printed on the assignment slip
    shape: Shape
    same_thing_m: float  # reach beyond the uncertainty of both positions
    relapse_m: float  # reach of "seen again" on a closed issue
    confirm_score: float  # a detection at or above it needs no review
    here_area_m2: float | None  # may be handled on the spot up to this area; None = never
    public: bool
    machine_opens: bool  # may a detection open an issue without a person
    checklist: tuple[str, ...]  # what the acceptor answers
    clue_expires_h: int = 72
    gbt_code: str | None = None


_ON_SITE = Limit(2, "hours")

PROBLEMS: dict[str, Problem] = {
    row.code: row
    for row in (
        Problem(
            "sewage",
            "污水直排",
            "Sewage discharge",
            "排污水",
            "Dirty water flowing in",
            Limit(24, "hours"),
            _ON_SITE,
            True,
            "污水入河，有明显色差、异味或泡沫",
            "排口封堵，连续 24 小时无污水入河，水面无色差",
            "查清污水来源，封堵暗管，抽排受污水体；报验须附整改前、中、后照片。",
            "point",
            30.0,
            30.0,
            0.85,
            None,
            True,
            True,
            ("排口已封堵或截污", "水面无色差、无异味", "来源已查清"),
            gbt_code="水域不洁",
        ),
        Problem(
            "floating_debris",
            "漂浮物",
            "Floating debris",
            "漂垃圾",
            "Rubbish floating",
            Limit(8, "working_hours"),
            _ON_SITE,
            False,
            "水面有成片漂浮垃圾或植物残体",
            "水面漂浮物清净，岸边无堆放",
            "打捞水面漂浮物并外运，不得堆在岸边；报验须附整改前、中、后照片。",
            "point",
            30.0,
            200.0,
            0.80,
            20.0,
            True,
            True,
            ("水面已清净", "打捞物已外运"),
            gbt_code="水域不洁",
        ),
        Problem(
            "bare_soil",
            "裸土",
            "Bare soil",
            "裸露泥土",
            "Bare earth",
            Limit(3, "working_days"),
            _ON_SITE,
            False,
            "河岸管理范围内有成片裸露土方",
            "裸土已覆盖或复绿，无泥水入河",
            "覆盖或复绿裸露土方，设置拦挡，防止泥水入河；报验须附整改前、中、后照片。",
            "area",
            30.0,
            30.0,
            0.80,
            30.0,
            True,
            True,
            ("裸土已覆盖或复绿", "无泥水入河"),
            gbt_code="施工扬尘",
        ),
        Problem(
            "aquatic_bloom",
            "水华/水葫芦",
            "Algal bloom / water hyacinth",
            "水葫芦",
            "Water weeds",
            Limit(5, "working_days"),
            _ON_SITE,
            False,
            "水面有成片水华或水葫芦",
            "成片水华、水葫芦已清除，无回漂",
            "打捞水葫芦或处置水华，外运处理；报验须附整改前、中、后照片。",
            "area",
            30.0,
            30.0,
            0.80,
            None,
            True,
            True,
            ("成片水生植物已清除", "打捞物已外运"),
            gbt_code="水域不洁",
        ),
        Problem(
            "solid_waste",
            "固废堆放",
            "Solid waste",
            "岸上堆垃圾",
            "Rubbish on the bank",
            Limit(2, "working_days"),
            _ON_SITE,
            False,
            "河岸管理范围内堆放垃圾、渣土或其他固体废物",
            "固废已清运，场地已恢复",
            "清运固体废物并恢复场地，查找倾倒来源；报验须附整改前、中、后照片。",
            "area",
            30.0,
            30.0,
            0.80,
            10.0,
            True,
            True,
            ("固废已清运", "场地已恢复"),
            gbt_code="暴露垃圾",
        ),
        Problem(
            "illegal_fishing",
            "非法捕捞",
            "Illegal fishing",
            "电鱼网鱼",
            "Illegal fishing",
            Limit(2, "hours"),
            Limit(30, "minutes"),
            True,
            "禁捕区、禁捕期内有捕捞行为",
            "劝离、收缴渔具或移送渔政",
            "到场劝离，收缴渔具；拒不离开的移送渔政。",
            "point",
            30.0,
            30.0,
            1.01,
            None,
            False,
            False,
            ("现场已无人捕捞", "渔具已收缴或已移送渔政"),
            clue_expires_h=2,
        ),
        Problem(
            "other",
            "其他",
            "Other",
            "别的",
            "Something else",
            Limit(5, "working_days"),
            _ON_SITE,
            False,
            "影响河道环境的其他问题",
            "问题已消除，现场已恢复",
            "按现场情况整改；报验须附整改前、中、后照片。",
            "point",
            30.0,
            30.0,
            0.90,
            10.0,
            True,
            True,
            ("问题已消除", "现场已恢复"),
        ),
    )
}

UNKNOWN_ACCURACY_M = 15.0  # a position that says nothing of its accuracy counts as this good
FENCE_M = 50.0  # how far from the thing an on-site step may be made
WORST_FIX_M = 100.0  # a fix worse than this is a missing fix
CONFIRMED_CE90_M = 30.0  # a derived position at least this good needs no person to confirm it
DISMISSED_DAYS = 90  # a false machine detection is remembered this long by place and kind
RELAPSE_DAYS = 90
