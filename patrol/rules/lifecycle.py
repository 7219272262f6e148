"""STEPS: every act that moves an issue, as rows. Buttons, routes, rights, tests and docs are driven by them.

A row says from where to where, who may do it, who must approve it, what it needs, which slip it makes and
what it does to the clocks. `patrol.rules.evidence` says what is missing in one case; `patrol.actions.handle`
carries a row out. Source: the domain page, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

STATES: dict[str, str] = {
    "reported": "待交办",
    "assigned": "已交办",
    "supervised": "督办中",
    "rectified": "待验收",
    "verified": "已验收",
    "closed": "已销号",
    "dismissed": "不予立案",
    "merged": "并案",
    "transferred": "移送",
}
STATES_EN: dict[str, str] = {
    "reported": "Reported", "assigned": "Assigned", "supervised": "Supervised", "rectified": "Rectified",
    "verified": "Verified", "closed": "Closed", "dismissed": "Dismissed", "merged": "Merged",
    "transferred": "Transferred",
}  # fmt: skip
PUBLIC_STATES_ZH: dict[str, str] = {
    "waiting": "收到了", "reported": "收到了", "assigned": "交给单位了", "supervised": "在整改",
    "rectified": "正在验收", "verified": "正在验收", "closed": "办完了", "dismissed": "没有立案",
    "merged": "和别的并在一起办", "transferred": "转给别的部门了", "discarded": "没有立案", "expired": "没有立案",
}  # fmt: skip
OPEN: tuple[str, ...] = ("reported", "assigned", "supervised", "rectified", "verified")
ENDS: tuple[str, ...] = ("closed", "dismissed", "merged", "transferred")
FLAGS: dict[str, str] = {
    "suspended": "挂账", "overdue": "超期", "pressed": "督办", "appealed": "申诉中", "still_visible": "仍可见",
    "relapse": "反弹", "recurrence": "反复点", "forced": "强制结案", "here": "自处理", "cleared": "已自行清除",
    "exempt": "申诉通过", "offline": "离线补传",
}  # fmt: skip
FINDINGS: dict[str, str] = {"true": "属实", "moved": "属实，位置有移动", "gone": "已自行清除", "false": "不属实"}
DISMISS_REASONS: dict[str, str] = {
    "not_found": "现场未发现",
    "not_a_problem": "不属于问题",
    "not_here": "不在本河段",
    "duplicate_report": "同一人重复报送",
    "no_detail": "线索太少，无法核实",
    "other_body": "不属本单位职责，已告知去处",
}
DISCARD_REASONS: dict[str, str] = {
    "false_detection": "识别有误",
    "glint_or_shadow": "反光或阴影",
    "not_a_problem": "不属于问题",
    "out_of_area": "不在本河段",
    "already_handled": "已处理",
    "spam": "恶意或无关",
}
# reasons that say the machine was wrong, not that the thing was elsewhere or done
FALSE_REASONS = frozenset({"false_detection", "glint_or_shadow", "not_a_problem"})
SUSPEND_CONDITIONS: dict[str, str] = {
    "season": "汛期或季节原因",
    "works": "须配合工程施工",
    "weather": "天气原因",
    "land": "涉及征迁或权属",
    "other": "其他条件不具备",
}
PHOTO_STAGES: dict[str, str] = {
    "check": "核实", "before": "整改前", "during": "整改中", "after": "整改后", "accept": "验收",
    "send_back": "退回", "suspend": "挂账", "reopen": "重开", "look_back": "回头看", "report": "上报",
    "frame": "航片", "receipt": "签收单", "push": "送达截图", "correct": "更正",
}  # fmt: skip


@dataclass(frozen=True)
class Approval:
    """Who must decide an asked step: the rungs a request climbs, each a tuple of roles."""

    zh: str
    rungs: tuple[tuple[str, ...], ...]
    clock: str  # the clock of `decide`


_TOP = ("office_head", "chief")
APPROVALS: dict[str, Approval] = {
    "second_person": Approval("第二人", (("office", "office_head", "chief", "inspector"), _TOP, ("chief",)), "decide_other"),
    "office": Approval("环保办", (("office", "office_head"), _TOP, ("chief",)), "decide_office"),
    "office_day": Approval("环保办", (("office", "office_head"), _TOP), "decide_other"),
    "head": Approval("环保办负责人", (("office_head",), _TOP, ("chief",)), "decide_office"),
    "chief": Approval("河湖长", (("chief",),), "decide_other"),
    "inspector": Approval("督察员", (("inspector", "chief"),), "decide_other"),
    "receiver": Approval("接收单位签收", (("office", "office_head", "chief"),), "transfer"),
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One row of STEPS. `needs` are codes of `evidence.NEEDS`; `clocks` are effects `verb:clock`."""

    name: str
    zh: str
    en: str
    from_: tuple[str, ...]
    to: str | None  # None: the state stays
    who: tuple[str, ...]
    approval: tuple[tuple[str, str], ...] = ()  # (condition of evidence.CONDITIONS, row of APPROVALS), first wins
    needs: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    slip: str | None = None
    clocks: tuple[str, ...] = ()
    stage: str | None = None  # the photo stage this step attaches
    button: str = ""  # what the button says; empty: no button of its own
    final: bool = False  # irreversible: the screen asks once
    verb: str = ""  # the public verb when several rows share one

    def __post_init__(self) -> None:
        if not self.verb:
            object.__setattr__(self, "verb", self.name)


_OFFICE = ("office", "office_head")
_ANY_OPEN = OPEN

STEPS: dict[str, Step] = {
    row.name: row
    for row in (
        Step("check", "核实", "Check", ("reported",), None, ("grid",),
             needs=("fix", "photo_or_reason"), fields=("reason", "position", "found"),
             clocks=("stop:check", "start:push"), stage="check", button="提交核实"),
        Step("waive_check", "免核实", "Waive check", ("reported",), None, _OFFICE,
             clocks=("stop:check", "start:push"), button="免核实"),
        Step("assign", "交办", "Assign", ("reported",), "assigned", (*_OFFICE, "rule"),
             needs=("kind", "sure_position", "lead_unit", "limit", "duplicate_answered"),
             fields=("kind", "position", "lead_unit", "assisting", "limit", "duplicate_answered", "release"),
             slip="assignment",
             clocks=("cancel:check", "start:push", "start:on_site", "start:rectify"), button="交办"),
        Step("confirm_push", "确认送达", "Confirm delivery", ("assigned", "supervised", "rectified", "verified"), None,
             ("chief", *_OFFICE), needs=("assignment_slip", "screenshot_unless_chief", "not_assigner"),
             clocks=("stop:push",), stage="push", button="确认送达"),
        Step("receive", "签收", "Receive", ("assigned",), None, ("unit", *_OFFICE),
             needs=("of_lead_unit_or_signed_receipt",), clocks=("stop:receive",), stage="receipt", button="签收"),
        Step("return", "退回", "Return", ("assigned",), None, ("unit",), approval=(("always", "office"),),
             needs=("of_lead_unit", "reason", "returns_left"), fields=("reason",), slip="assignment", button="退回"),
        Step("reassign", "改派", "Reassign", ("assigned", "supervised"), None, _OFFICE,
             needs=("reason", "lead_unit", "other_unit"),
             fields=("reason", "lead_unit", "assisting", "office_mistake"), slip="assignment", button="改派"),
        Step("supervise", "督办", "Supervise", ("assigned",), "supervised", ("grid", *_OFFICE),
             needs=("half_open", "fix_in_fence_if_grid", "before_photo_if_grid", "finding_if_grid",
                    "half1_evidence_if_office", "moved_position"),
             fields=("finding", "position", "on_site", "reason"), slip="supervision",
             clocks=("stop:on_site",), stage="before", button="到场核实"),
        Step("supervise_gone", "督办（已自行清除）", "Supervise (already gone)", ("assigned",), "rectified",
             ("grid", *_OFFICE),
             needs=("half_open", "fix_in_fence_if_grid", "today_photo_if_grid", "half1_evidence_if_office"),
             fields=("finding", "position", "on_site", "reason"), slip="supervision",
             clocks=("stop:on_site", "stop:rectify", "start:accept"), stage="after", verb="supervise"),
        Step("supervise_false", "督办（不属实）", "Supervise (not true)", ("assigned",), "dismissed",
             ("grid", *_OFFICE), approval=(("office_asks", "second_person"),),
             needs=("half_open", "fix_in_fence_if_grid", "two_photos", "reason", "half1_evidence_if_office"),
             fields=("finding", "position", "on_site", "reason"), slip="dismissal",
             clocks=("stop_all",), stage="before", verb="supervise", final=True),
        Step("handle_here", "自处理", "Handle on the spot", ("reported",), "rectified", ("grid",),
             needs=("kind_here", "fix_in_fence", "before_after_2min"), fields=("position", "area_m2"),
             slip="supervision", clocks=("cancel:check", "not_needed:push", "start:accept"), stage="after",
             button="当场处理"),
        Step("progress", "进展", "Progress", ("supervised",), None, ("unit", "grid", *_OFFICE),
             needs=("of_units_or_paper", "during_photo", "words"), stage="during", button="报进展"),
        Step("correct", "更正", "Correct", _ANY_OPEN, None, (*_OFFICE, "grid"),
             approval=(("after_reported", "second_person"),),
             needs=("reason", "something_new", "photo_if_moved_30m", "grid_checked_it"),
             fields=("reason", "kind", "position", "outline"), stage="correct", button="更正"),
        Step("split", "拆分", "Split", _ANY_OPEN, None, _OFFICE, needs=("reason", "sightings_to_split"),
             fields=("reason", "sightings", "kind"), button="拆分"),
        Step("extend", "延期", "Extend", ("assigned", "supervised"), None, ("unit",),
             approval=(("first_extension", "head"), ("always", "chief")),
             needs=("of_lead_unit", "reason", "before_due", "extensions_left", "extension_size"), fields=("reason", "by"),
             clocks=("extend:rectify",), button="申请延期"),
        Step("suspend", "挂账", "Suspend", ("assigned", "supervised"), None, ("unit",), approval=(("always", "chief"),),
             needs=("of_lead_unit", "condition", "review_on", "suspend_photo"),
             fields=("reason", "condition", "review_on"), clocks=("pause:on_site", "pause:rectify"), stage="suspend",
             button="申请挂账"),
        Step("resume", "恢复", "Resume", ("assigned", "supervised"), None, ("unit", *_OFFICE, "chief"),
             needs=("of_lead_unit", "suspended"), clocks=("resume:on_site", "resume:rectify"), button="恢复整改"),
        Step("submit", "报验", "Submit", ("supervised", "assigned"), "rectified", ("unit", "grid"),
             needs=("submit_from_assigned_only_when_on_site_red", "of_lead_unit_or_paper_grid", "not_suspended",
                    "before_photo_kept", "after_photo_new"),
             clocks=("pause:rectify", "start:accept"), stage="after", button="报验"),
        # from verified only where the thing was seen again and a person has looked: else that state had no way out
        Step("send_back", "验收不合格", "Send back", ("rectified", "verified"), "supervised", _OFFICE,
             needs=("seen_again_if_verified", "reason", "send_back_photo"), fields=("reason",), slip="supervision",
             clocks=("stop:accept", "cancel:close", "again:rectify"), stage="send_back", button="退回整改"),
        Step("name_acceptor", "指定验收人", "Name acceptor", ("rectified",), None, ("chief",),
             needs=("office_is_the_unit", "acceptor"), fields=("acceptor",), button="指定验收人"),
        Step("verify", "验收合格", "Verify", ("rectified",), "verified", ("office", "office_head", "chief", "named"),
             needs=("may_verify", "four_eyes_verify", "checklist", "manifest", "has_before_and_after", "not_still_visible",
                    "own_photo_if_flagged"),
             fields=("checklist", "looked_again"), clocks=("stop:accept", "stop:rectify", "start:close"), stage="accept", button="验收合格"),
        Step("close", "销号", "Close", ("verified",), "closed", ("office_head", "chief", "acting_head"),
             needs=("may_close", "four_eyes_close", "not_still_visible", "own_photo_if_seen_again"),
             fields=("looked_again",), slip="closure", clocks=("stop:close", "stop_all"), stage="accept", button="销号", final=True),
        Step("reopen", "重开", "Reopen", ("closed", "dismissed", "transferred"), "assigned",
             ("office", "office_head", "inspector", "reporter"), approval=(("reporter_asks", "office_day"),),
             needs=("reason", "reopen_photo", "reporter_in_time"), fields=("reason", "by_telephone"), slip="assignment",
             clocks=("start_half:rectify", "start:on_site", "start:push"), stage="reopen", button="重开"),
        Step("merge", "并案", "Merge", _ANY_OPEN, "merged", _OFFICE, approval=(("past_assigned", "second_person"),),
             needs=("parent", "reason_if_past_assigned"), fields=("parent", "reason"), clocks=("freeze_all",),
             button="并入"),
        Step("unmerge", "拆并", "Unmerge", ("merged",), None, _OFFICE, approval=(("past_assigned", "second_person"),),
             needs=("reason",), fields=("reason",), clocks=("thaw_all",), button="撤销并案"),
        Step("dismiss", "不予立案", "Dismiss", ("reported", "assigned"), "dismissed", _OFFICE,
             approval=(("always", "second_person"),), needs=("dismiss_reason", "reason"),
             fields=("reason", "reason_code"), slip="dismissal", clocks=("stop_all",), button="不予立案", final=True),
        Step("transfer", "移送", "Transfer", _ANY_OPEN, "transferred", ("office_head", "acting_head"),
             approval=(("always", "receiver"),), needs=("receiving_body", "reason"),
             fields=("reason", "receiving_body"), slip="transfer", clocks=("stop_all",), button="移送", final=True),
        Step("press", "督办催办", "Press", _ANY_OPEN, None, ("chief", "ladder"), needs=("words",), button="督办"),
        Step("appeal", "申诉", "Appeal", (*OPEN, *ENDS), None, ("unit", "reporter"),
             approval=(("always", "inspector"),), needs=("appeal_against", "words", "appeal_in_time"),
             fields=("against",), button="申诉"),
        Step("force_close", "强制结案", "Force close", _ANY_OPEN, "closed", ("chief",), needs=("reason",),
             fields=("reason",), slip="closure", clocks=("stop_all",), button="强制结案", final=True),
        Step("look_back", "回头看", "Look back", ("closed",), None, ("office", "office_head", "inspector"),
             needs=("not_closer", "look_back_photo", "look_back_finding"), fields=("finding", "reason", "position"),
             slip="look_back", stage="look_back", button="回头看"),
    )
}  # fmt: skip

# rows a caller reaches through one verb, told apart by the finding
SUPERVISE_BY_FINDING = {"true": "supervise", "moved": "supervise", "gone": "supervise_gone", "false": "supervise_false"}
VERBS: tuple[str, ...] = tuple(dict.fromkeys(row.verb for row in STEPS.values()))
LOOK_BACK_FINDINGS = {"good": "好的", "relapse": "反弹", "unclear": "看不清"}
APPEAL_AGAINST = {"late": "超期认定", "dismissed": "不予立案", "transferred": "移送", "refused_return": "退回未准", "sent_back": "验收退回"}  # fmt: skip
REOPEN_TO = {"closed": "assigned", "dismissed": "reported", "transferred": "reported"}
MAX_RETURNS = 2
MAX_EXTENSIONS = 2
REPORTER_REOPEN_DAYS = 15
REPORTER_APPEAL_DAYS = 7
UNIT_APPEAL_WORKING_DAYS = 3
PRESS_AT_ROUND = 3
MERGE_REOPEN_DAYS = 30
MAX_SUSPEND_DAYS = 90
TRANSFER_WORKING_DAYS = 3


def row_for(verb: str, finding: str | None = None) -> Step | None:
    """The row a verb means; `supervise` is told apart by its finding. None: no such verb."""
    if verb == "supervise":
        return STEPS[SUPERVISE_BY_FINDING.get(finding or "true", "supervise")]
    row = STEPS.get(verb)
    return row if row and row.verb == verb else None


def target(row: Step, state: str) -> str:
    """The state after `row` from `state`."""
    if row.name == "reopen":
        return REOPEN_TO[state]
    return row.to or state
