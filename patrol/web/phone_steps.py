"""The table of the phone's steps: what each form asks on a small screen, and which field answers which lack.

What a step may carry and needs is said by `patrol.rules`; nothing here decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """One step: its title, button, what will happen, its fields; `photo` names the photos it takes."""

    title: str
    button: str
    note: str
    fields: tuple[str, ...] = ()
    photo: str = ""
    icon: str = ""


PAGES: dict[str, Page] = {
    "check": Page(
        "现场核实",
        "提交核实",
        "提交后环保办按核实结果交办",
        ("position", "photo", "found", "reason"),
        "现场照片",
        "ui-go",
    ),
    "supervise": Page(
        "到场核实",
        "提交核实",
        "提交后由环保办确认，出整改督办单",
        ("position", "photo", "finding", "reason", "words"),
        "整改前照片",
        "ui-go",
    ),
    "confirm": Page(
        "确认督办",
        "确认督办",
        "两头都确认后出整改督办单，责任单位马上收到",
        ("on_site", "words"),
        "",
        "ui-check",
    ),
    "handle_here": Page(
        "当场处理",
        "提交当场处理",
        "提交后等环保办验收",
        ("position", "photo", "area_m2", "words"),
        "整改后照片",
        "ui-check",
    ),
    "receive": Page("签收", "签收", "签收后开始整改，时限照走", (), "签收单照片", "ui-paper"),
    "progress": Page("报进展", "报进展", "提交后环保办和网格员看得到", ("photo", "words"), "整改中照片", "ui-camera"),
    "submit": Page("报验", "报验", "提交后整改时限停走，等环保办验收", ("photo", "words"), "整改后照片", "ui-camera"),
    "extend": Page("申请延期", "申请延期", "批下来才算数，时限照走", ("by", "reason"), "", "ui-plus"),
    "suspend": Page(
        "申请挂账",
        "申请挂账",
        "河湖长批下来才停表",
        ("condition", "review_on", "photo", "reason"),
        "临时防护照片",
        "time-paused",
    ),
    "resume": Page("恢复整改", "恢复整改", "恢复后接着计时", ("words",), "", "ui-again"),
    "return": Page("退回", "申请退回", "环保办批下来才换单位，时限照走", ("reason",), "", "ui-back"),
    "appeal": Page("申诉", "提交申诉", "由督察员定，超期记录不改，只影响考核", ("against", "words"), "", "ui-pen"),
    "correct": Page(
        "更正",
        "提交更正",
        "改错的种类或位置",
        ("kind", "position_new", "photo", "reason"),
        "现场照片",
        "ui-pen",
    ),
    "waive_check": Page("免核实", "免核实", "不用再派人看，马上可以交办", ("words",), "", "ui-check"),
    "verify": Page(
        "验收",
        "验收合格",
        "合格后等环保办负责人销号",
        ("checklist", "looked_again", "photo", "words"),
        "我拍的照片",
        "ui-accept",
    ),
    "send_back": Page(
        "退回整改",
        "退回整改",
        "责任单位马上收到，整改时限接着走",
        ("photo", "reason"),
        "不合格的照片",
        "ui-back",
    ),
    "close": Page(
        "销号", "销号", "出销号反馈单，告诉反映人", ("looked_again", "photo", "words"), "我拍的照片", "ui-check"
    ),
    "confirm_push": Page("确认送达", "确认送达", "推送时限就此停表", ("photo",), "送达截图", "ui-bell"),
    "press": Page("督办", "督办", "责任单位和环保办马上收到", ("words",), "", "ui-up"),
    "look_back": Page(
        "回头看", "提交回头看", "反弹的会另开一件", ("photo", "finding", "reason"), "回头看照片", "ui-eye"
    ),
}

ORDER = tuple(PAGES)  # buttons stand in the order of the table
# a decision on photos: they stand above its form
LOOK_FIRST = frozenset({"verify", "send_back", "close"})
# steps people ask for and should be told why they cannot have
WORTH_SAYING = frozenset({"submit", "progress", "extend", "suspend", "return", "supervise", "verify", "close"})

# code of evidence.NEEDS -> the field of the form that answers it; a lack without a field bars the step
ANSWERED_BY: dict[str, str] = {
    "fix": "position",
    "fix_in_fence": "position",
    "fix_in_fence_if_grid": "position",
    "moved_position": "position",
    "photo_or_reason": "photo",
    "before_photo_if_grid": "photo",
    "today_photo_if_grid": "photo",
    "two_photos": "photo",
    "before_after_2min": "photo",
    "during_photo": "photo",
    "after_photo_new": "photo",
    "suspend_photo": "photo",
    "send_back_photo": "photo",
    "look_back_photo": "photo",
    "own_photo_if_flagged": "photo",
    "own_photo_if_seen_again": "photo",
    "before_photo_kept": "photo",
    "screenshot_unless_chief": "photo",
    "of_lead_unit_or_signed_receipt": "photo",
    "photo_if_moved_30m": "photo",
    "finding_if_grid": "finding",
    "look_back_finding": "finding",
    "reason": "reason",
    "words": "words",
    "extension_size": "by",
    "condition": "condition",
    "review_on": "review_on",
    "checklist": "checklist",
    "not_still_visible": "looked_again",
    "appeal_against": "against",
    "something_new": "kind",
}
PHOTO_CODES = frozenset(code for code, name in ANSWERED_BY.items() if name == "photo")
LABELS = {
    "found": "现场看到了吗",
    "finding": "现场是这样吗",
    "by": "延长多久",
    "words": "说两句",
    "reason": "原因",
    "on_site": "我在现场确认",
    "looked_again": "又去看过，已经没有了",
    "checklist": "验收清单",
    "area_m2": "约多少平方米",
}
SHORT_FINDINGS = {"true": "属实", "moved": "位置变了", "gone": "已清除", "false": "不属实"}
