"""Who is charged with what: check, assign, push, receive, return, reassign."""

from __future__ import annotations

from patrol.rules import lifecycle as law
from patrol.rules.evidence.case import Case
from patrol.rules.evidence.registry import need, text
from patrol.rules.problems import CONFIRMED_CE90_M, PROBLEMS, WORST_FIX_M


@need("fix")
def _fix(case: Case) -> str | None:
    if case.fix is None:
        return "缺定位：请在现场打开定位。"
    if case.fix.accuracy_m is not None and case.fix.accuracy_m > WORST_FIX_M:
        return f"定位不准（±{case.fix.accuracy_m:.0f} 米），到空旷处再试，或在图上点。"
    return None


@need("fix_in_fence")
def _fix_in_fence(case: Case) -> str | None:
    lack = _fix(case)
    if lack or case.fix is None:
        return lack
    if case.fix.beyond_m > 0:
        return f"定位离问题点还差 {case.fix.beyond_m:.0f} 米，请到现场再办。"
    return None


@need("fix_in_fence_if_grid")
def _fix_in_fence_if_grid(case: Case) -> str | None:
    return _fix_in_fence(case) if case.as_grid else None


@need("photo_or_reason")
def _photo_or_reason(case: Case) -> str | None:
    return None if case.new_photos or text(case, "reason") else "缺核实照片，拍不了的写明原因。"


@need("kind")
def _kind(case: Case) -> str | None:
    kind = case.body.get("kind") or case.kind
    return None if kind in PROBLEMS else "缺问题种类。"


@need("sure_position")
def _sure_position(case: Case) -> str | None:
    if case.position_confirmed or case.body.get("position"):
        return None
    if not case.has_position:
        return "缺位置：请在图上点，或填桩号。"
    if case.ce90_m is not None and case.ce90_m <= CONFIRMED_CE90_M:
        return None
    return "位置还不准：请核对后在图上点一下，或派人核实。"


@need("lead_unit")
def _lead_unit(case: Case) -> str | None:
    unit = case.body.get("lead_unit")
    if not unit:
        return "缺责任单位。"
    wrong = [u for u in (unit, *(case.body.get("assisting") or ())) if u not in case.known_units]
    return f"没有这个单位：{'、'.join(map(str, wrong))}。" if wrong else None


@need("limit")
def _limit(case: Case) -> str | None:
    # absent = the kind's own limit; a given one is parsed before it gets here
    known = case.body.get("limit") or (case.body.get("kind") or case.kind) in PROBLEMS
    return None if known else "缺整改时限：种类未定的，请写明时限。"


@need("duplicate_answered")
def _duplicate_answered(case: Case) -> str | None:
    if case.similar_open and not case.body.get("duplicate_answered"):
        return f"附近有相似问题 {'、'.join(case.similar_open)}：请先答是不是同一件。"
    return None


@need("assignment_slip")
def _assignment_slip(case: Case) -> str | None:
    return None if case.has_assignment_slip else "还没有交办单，无从送达。"


@need("screenshot_unless_chief")
def _screenshot(case: Case) -> str | None:
    if case.has_role("chief") or any(p.stage == "push" for p in case.new_photos):
        return None
    return "缺送达截图（要能看到校验码）。"


@need("not_assigner", refuses=True)
def _not_assigner(case: Case) -> str | None:
    if case.actor is None or case.actor != case.assigner:
        return None
    return "您没有确认送达的权限：单子是您交办的，请换一个人确认。"


@need("of_lead_unit_or_signed_receipt", refuses=False)
def _of_lead_unit_or_signed_receipt(case: Case) -> str | None:
    if "unit" in case.roles and (case.own_unit or not case.has_role("office", "office_head")):
        return None if case.own_unit else "这件不归您单位签收。"
    if case.lead_reach != "paper":
        return "签收由责任单位自己办；纸质送达的单位才由办公室上传签收单。"
    return None if any(p.stage == "receipt" for p in case.new_photos) else "缺签收单照片。"


@need("reason")
def _reason(case: Case) -> str | None:
    return None if text(case, "reason") else "缺原因：请写一句。"


@need("words")
def _words(case: Case) -> str | None:
    return None if text(case, "words") else "缺说明：请写一句。"


@need("of_lead_unit", refuses=True)
def _of_lead_unit(case: Case) -> str | None:
    if case.own_unit or not case.has_role("unit") or case.has_role("office", "office_head", "chief"):
        return None
    return "这一步由主办的责任单位办，协办单位请找主办单位。"


@need("returns_left")
def _returns_left(case: Case) -> str | None:
    return None if case.returns < law.MAX_RETURNS else "已退回 2 次，按首接负责办理，不能再退。"


@need("other_unit")
def _other_unit(case: Case) -> str | None:
    return "改派要换一个单位。" if case.body.get("lead_unit") == case.lead_unit else None
