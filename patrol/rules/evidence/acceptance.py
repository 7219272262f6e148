"""Acceptance: submit, send back, verify, close; evidence, four eyes, whose own look is needed."""

from __future__ import annotations

from patrol.rules.evidence.case import Case
from patrol.rules.evidence.registry import need
from patrol.rules.problems import PROBLEMS


@need("submit_from_assigned_only_when_on_site_red")
def _submit_from(case: Case) -> str | None:
    if case.state == "assigned" and not case.on_site_red:
        return "还没到场核实；到场时限过了才能直接报验。"
    return None


@need("of_lead_unit_or_paper_grid", refuses=True)
def _of_lead_unit_or_paper_grid(case: Case) -> str | None:
    if case.has_role("unit") and case.own_unit:
        return None
    if case.has_role("grid") and (case.lead_reach == "paper" or case.lead_is_office):
        return None
    return "报验由责任单位办；纸质送达的单位才由网格员代办。"


@need("before_photo_kept")
def _before_photo_kept(case: Case) -> str | None:
    have = any(p.stage == "before" for p in (*case.photos, *case.new_photos))
    return None if have else "缺整改前照片。"


@need("after_photo_new")
def _after_photo_new(case: Case) -> str | None:
    after = [p for p in (*case.new_photos, *case.staged("after")) if p.stage == "after"]
    if not after:
        return "缺整改后照片。"
    if case.step_before_at and all(p.received_at <= case.step_before_at for p in after):
        return "整改后照片比上一步还早，请重拍。"
    return None


@need("send_back_photo")
def _send_back_photo(case: Case) -> str | None:
    return None if any(p.stage == "send_back" for p in case.new_photos) else "缺不合格的照片。"


@need("office_is_the_unit", refuses=True)
def _office_is_the_unit(case: Case) -> str | None:
    return None if case.lead_is_office else "责任单位不是环保办，由环保办人员验收，不用另指定。"


@need("acceptor")
def _acceptor(case: Case) -> str | None:
    named = case.body.get("acceptor")
    if named not in case.other_units:
        return "缺验收人，或这个人不是外单位的。"
    if named in (case.submitter, case.actor):
        return "验收人不能是报验人，也不能是指定的人自己。"
    return None


@need("may_verify", refuses=True)
def _may_verify(case: Case) -> str | None:
    if case.lead_is_office:
        named = case.actor is not None and case.actor == case.named_acceptor
        if case.has_role("chief") and not named and not case.other_chief:
            return "河湖长只有您一位，您验收了就没有人能销号：请先指定外单位的验收人。"
        return None if named or case.has_role("chief") else "责任单位就是环保办，要由河湖长或他指定的外单位人员验收。"
    return None if case.has_role("office", "office_head") else "验收由环保办人员办。"


@need("four_eyes_verify", refuses=True)
def _four_eyes_verify(case: Case) -> str | None:
    if case.actor == case.submitter:
        return "您没有验收这件的权限：报验的是您。"
    if any(p.person_id == case.actor for p in case.staged("before", "during", "after", this_round=False)):
        return "您没有验收这件的权限：照片是您拍的。"
    if case.lead_unit is not None and case.lead_unit in {case.unit, *case.of_units}:
        return "您没有验收这件的权限：您是责任单位的人。"
    if case.lead_is_office and case.of_office:
        return "您没有验收这件的权限：责任单位就是环保办，您是环保办的人。"
    return None


@need("checklist")
def _checklist(case: Case) -> str | None:
    if case.kind not in PROBLEMS:
        return "缺问题种类。"
    answers = case.body.get("checklist") or {}
    left = [item for item in PROBLEMS[case.kind].checklist if answers.get(item) is not True]
    return f"验收清单还有 {len(left)} 条没答「是」：{'、'.join(left)}。" if left else None


@need("manifest")
def _manifest(case: Case) -> str | None:
    have = len(case.staged("before", "during", "after"))
    if case.expected_photos > have:
        return f"还有 {case.expected_photos - have} 张照片没传到，传齐再验收。"
    return None


@need("has_before_and_after")
def _has_before_and_after(case: Case) -> str | None:
    every = (*case.photos, *case.new_photos)
    if not any(p.stage in ("before", "frame", "report", "check") for p in every):
        return "没有整改前的影像，不能验收。"
    if not any(p.stage == "after" and p.round == case.round for p in every):
        return "没有本轮整改后的照片，不能验收。"
    return None


@need("not_still_visible")
def _not_still_visible(case: Case) -> str | None:
    if case.still_visible and not case.body.get("looked_again"):
        return "整改后又有人看到同一问题，要有人再去看过才能往下办。"
    return None


# what makes even the acceptor's own photo no look at this place and time
NO_LOOK = frozenset({"elsewhere", "old", "similar"})


def _own_look(case: Case) -> bool:
    return any(p.stage == "accept" and p.person_id == case.actor and not p.flags & NO_LOOK for p in case.new_photos)


@need("own_photo_if_flagged")
def _own_photo_if_flagged(case: Case) -> str | None:
    flagged = any(p.flags for p in case.staged("before", "during", "after"))
    if (flagged or case.still_visible) and not _own_look(case):
        return "照片有疑点，验收要附您自己现在到现场拍的照片。"
    return None


@need("own_photo_if_seen_again")
def _own_photo_if_seen_again(case: Case) -> str | None:
    if case.still_visible and not _own_look(case):
        return "验收后又有人看到同一问题，销号要附您自己现在到现场拍的照片。"
    return None


@need("seen_again_if_verified", refuses=True)
def _seen_again_if_verified(case: Case) -> str | None:
    if case.state == "verified" and not case.still_visible:
        return "已验收的，只有又被看到的才能退回；要重办请销号后重开。"
    return None


@need("may_close", refuses=True)
def _may_close(case: Case) -> str | None:
    if case.lead_is_office:
        return None if case.has_role("chief") else "责任单位就是环保办，要由河湖长销号。"
    if case.has_role("office_head", "acting_head"):
        return None
    return "销号由环保办负责人或代行人办。"


@need("four_eyes_close", refuses=True)
def _four_eyes_close(case: Case) -> str | None:
    return "您没有销号的权限：验收的是您，请换一个人。" if case.actor == case.verifier else None
