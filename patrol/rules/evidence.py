"""What one case lacks before a step may be taken: pure verdicts over a `Case`, each a code and a sentence.

NEEDS are the codes that rows of STEPS name; CONDITIONS choose a row's approver. Nothing here raises or reads
a database; `patrol.actions.handle` gathers the Case and raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from patrol.rules import lifecycle as law
from patrol.rules.calendar import SHANGHAI
from patrol.rules.problems import CONFIRMED_CE90_M, PROBLEMS, WORST_FIX_M


@dataclass(frozen=True)
class PhotoFact:
    """What the law needs to know of one photo of the issue."""

    id: str
    stage: str
    person_id: int | None
    round: int
    received_at: datetime
    in_fence: bool | None = None
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fix:
    """A declared on-site position: how far from the thing's outline or ellipse, and how good."""

    beyond_m: float
    accuracy_m: float | None


@dataclass(frozen=True)
class Case:
    """Everything a verdict rests on. Ids are persons, never accounts."""

    state: str
    now: datetime
    actor: int | None
    roles: frozenset[str]
    body: Mapping[str, Any]
    unit: str | None = None  # the unit this sign-in acts for
    of_units: frozenset[str] = frozenset()  # every unit the person belongs to, through whatever account
    other_chief: bool = False  # another person is a chief too
    of_office: bool = False  # the person is of the office, through whatever account
    kind: str | None = None
    ce90_m: float | None = None
    position_confirmed: bool = False
    has_position: bool = False
    lead_unit: str | None = None
    assisting: tuple[str, ...] = ()
    lead_reach: str = "account"
    lead_is_office: bool = False
    round: int = 1
    returns: int = 0
    extensions: int = 0
    extended_s: int = 0
    limit_s: int = 0
    asked_s: int = 0
    rectify_due: datetime | None = None
    on_site_red: bool = False
    suspended: bool = False
    still_visible: bool = False
    half1: str | None = None  # the finding of half 1, once made
    half2: bool = False
    assigner: int | None = None
    submitter: int | None = None
    verifier: int | None = None
    closer: int | None = None
    checker: int | None = None
    named_acceptor: int | None = None
    merged_from: str | None = None  # the state before a merge
    photos: tuple[PhotoFact, ...] = ()
    new_photos: tuple[PhotoFact, ...] = ()  # named by this step
    expected_photos: int = 0
    fix: Fix | None = None
    moved_m: float | None = None
    step_before_at: datetime | None = None  # the step an after photo must be newer than
    similar_open: tuple[str, ...] = ()  # issues that may be the same thing
    known_units: frozenset[str] = frozenset()
    parent_ok: bool = False
    area_m2: float | None = None
    has_assignment_slip: bool = False
    ended_at: datetime | None = None
    appeal_until: datetime | None = None
    other_units: frozenset[int] = frozenset()  # persons of a unit that is neither the lead unit nor the office
    split_ok: bool = False
    appeal_fits: frozenset[str] = frozenset()
    notes: Mapping[str, Any] = field(default_factory=dict)

    def has_role(self, *roles: str) -> bool:
        return bool(self.roles & set(roles))

    @property
    def as_grid(self) -> bool:
        """On-site halves are made as a grid worker; a person who is also of the office acts as the office
        only when he says so (`as=office`) or holds no grid."""
        return "grid" in self.roles and not (self.has_role("office", "office_head") and "finding" not in self.body)

    @property
    def own_unit(self) -> bool:
        return self.unit is not None and self.unit == self.lead_unit

    def staged(self, *stages: str, this_round: bool = True) -> tuple[PhotoFact, ...]:
        return tuple(p for p in self.photos if p.stage in stages and (not this_round or p.round == self.round))


@dataclass(frozen=True)
class Lack:
    """One thing missing: its code, its sentence, and whether it is a refusal of the person rather than a gap."""

    code: str
    sentence: str
    refuses: bool = False


Check = Callable[[Case], str | None]
NEEDS: dict[str, Check] = {}
REFUSALS: set[str] = set()


def _need(code: str, *, refuses: bool = False) -> Callable[[Check], Check]:
    def keep(check: Check) -> Check:
        NEEDS[code] = check
        if refuses:
            REFUSALS.add(code)
        return check

    return keep


def _text(case: Case, name: str) -> str:
    return str(case.body.get(name) or "").strip()


@_need("fix")
def _fix(case: Case) -> str | None:
    if case.fix is None:
        return "缺定位：请在现场打开定位。"
    if case.fix.accuracy_m is not None and case.fix.accuracy_m > WORST_FIX_M:
        return f"定位不准（±{case.fix.accuracy_m:.0f} 米），到空旷处再试，或在图上点。"
    return None


@_need("fix_in_fence")
def _fix_in_fence(case: Case) -> str | None:
    lack = _fix(case)
    if lack or case.fix is None:
        return lack
    if case.fix.beyond_m > 0:
        return f"定位离问题点还差 {case.fix.beyond_m:.0f} 米，请到现场再办。"
    return None


@_need("fix_in_fence_if_grid")
def _fix_in_fence_if_grid(case: Case) -> str | None:
    return _fix_in_fence(case) if case.as_grid else None


@_need("photo_or_reason")
def _photo_or_reason(case: Case) -> str | None:
    return None if case.new_photos or _text(case, "reason") else "缺核实照片，拍不了的写明原因。"


@_need("kind")
def _kind(case: Case) -> str | None:
    kind = case.body.get("kind") or case.kind
    return None if kind in PROBLEMS else "缺问题种类。"


@_need("sure_position")
def _sure_position(case: Case) -> str | None:
    if case.position_confirmed or case.body.get("position"):
        return None
    if not case.has_position:
        return "缺位置：请在图上点，或填桩号。"
    if case.ce90_m is not None and case.ce90_m <= CONFIRMED_CE90_M:
        return None
    return "位置还不准：请核对后在图上点一下，或派人核实。"


@_need("lead_unit")
def _lead_unit(case: Case) -> str | None:
    unit = case.body.get("lead_unit")
    if not unit:
        return "缺责任单位。"
    wrong = [u for u in (unit, *(case.body.get("assisting") or ())) if u not in case.known_units]
    return f"没有这个单位：{'、'.join(map(str, wrong))}。" if wrong else None


@_need("limit")
def _limit(case: Case) -> str | None:
    # absent = the kind's own limit; a given one is parsed before it gets here
    known = case.body.get("limit") or (case.body.get("kind") or case.kind) in PROBLEMS
    return None if known else "缺整改时限：种类未定的，请写明时限。"


@_need("duplicate_answered")
def _duplicate_answered(case: Case) -> str | None:
    if case.similar_open and not case.body.get("duplicate_answered"):
        return f"附近有相似问题 {'、'.join(case.similar_open)}：请先答是不是同一件。"
    return None


@_need("assignment_slip")
def _assignment_slip(case: Case) -> str | None:
    return None if case.has_assignment_slip else "还没有交办单，无从送达。"


@_need("screenshot_unless_chief")
def _screenshot(case: Case) -> str | None:
    if case.has_role("chief") or any(p.stage == "push" for p in case.new_photos):
        return None
    return "缺送达截图（要能看到校验码）。"


@_need("not_assigner", refuses=True)
def _not_assigner(case: Case) -> str | None:
    if case.actor is None or case.actor != case.assigner:
        return None
    return "您没有确认送达的权限：单子是您交办的，请换一个人确认。"


@_need("of_lead_unit_or_signed_receipt", refuses=False)
def _of_lead_unit_or_signed_receipt(case: Case) -> str | None:
    if "unit" in case.roles and (case.own_unit or not case.has_role("office", "office_head")):
        return None if case.own_unit else "这件不归您单位签收。"
    if case.lead_reach != "paper":
        return "签收由责任单位自己办；纸质送达的单位才由办公室上传签收单。"
    return None if any(p.stage == "receipt" for p in case.new_photos) else "缺签收单照片。"


@_need("reason")
def _reason(case: Case) -> str | None:
    return None if _text(case, "reason") else "缺原因：请写一句。"


@_need("words")
def _words(case: Case) -> str | None:
    return None if _text(case, "words") else "缺说明：请写一句。"


@_need("of_lead_unit", refuses=True)
def _of_lead_unit(case: Case) -> str | None:
    if case.own_unit or not case.has_role("unit") or case.has_role("office", "office_head", "chief"):
        return None
    return "这一步由主办的责任单位办，协办单位请找主办单位。"


@_need("returns_left")
def _returns_left(case: Case) -> str | None:
    return None if case.returns < law.MAX_RETURNS else "已退回 2 次，按首接负责办理，不能再退。"


@_need("other_unit")
def _other_unit(case: Case) -> str | None:
    return "改派要换一个单位。" if case.body.get("lead_unit") == case.lead_unit else None


@_need("half_open")
def _half_open(case: Case) -> str | None:
    if case.as_grid:
        # a finding of gone or false may be looked at again: somebody must be able to say it is true after all
        return "这件已有人到场核实过。" if case.half1 in ("true", "moved") else None
    return "办公室已确认过，等网格员到场。" if case.half2 and not case.half1 else None


@_need("before_photo_if_grid")
def _before_photo_if_grid(case: Case) -> str | None:
    if not case.as_grid or any(p.stage == "before" for p in case.new_photos):
        return None
    return "缺整改前照片。"


@_need("today_photo_if_grid")
def _today_photo_if_grid(case: Case) -> str | None:
    if not case.as_grid or case.new_photos:
        return None
    return "缺今天的现场照片。"


@_need("finding_if_grid")
def _finding_if_grid(case: Case) -> str | None:
    if not case.as_grid:
        return None
    return None if case.body.get("finding") in law.FINDINGS else "缺核实结果：属实、移动、已清除还是不属实。"


@_need("half1_evidence_if_office")
def _half1_evidence(case: Case) -> str | None:
    if case.as_grid:
        return None
    said, made = case.body.get("finding"), case.half1
    if said and made and said != made:
        return f"网格员核实是「{law.FINDINGS[made]}」，与您填的不同，请先核对。"
    if said in ("gone", "false") and not made:
        return "网格员还没到场，不能先定「已清除」或「不属实」。"
    return None


@_need("moved_position")
def _moved_position(case: Case) -> str | None:
    if case.body.get("finding") == "moved" and case.moved_m is None:
        return "位置有移动：请在图上点出新位置。"
    return None


@_need("two_photos")
def _two_photos(case: Case) -> str | None:
    have = {p.id for p in (*case.new_photos, *case.staged("before", "check"))}
    return None if len(have) >= 2 else f"不属实要有 2 张现场照片，现有 {len(have)} 张。"


@_need("kind_here")
def _kind_here(case: Case) -> str | None:
    limit = PROBLEMS[case.kind].here_area_m2 if case.kind in PROBLEMS else None
    if limit is None:
        return "这一种问题不能当场处理，请报办公室交办。"
    area = case.body.get("area_m2", case.area_m2)
    if area is not None and area > limit:
        return f"面积约 {area:.0f} 平方米，超过当场处理的 {limit:.0f} 平方米。"
    return None


@_need("before_after_2min")
def _before_after_2min(case: Case) -> str | None:
    named = (*case.new_photos, *case.staged("before", "after"))
    before = [p.received_at for p in named if p.stage == "before" and p.in_fence is not False]
    after = [p.received_at for p in named if p.stage == "after" and p.in_fence is not False]
    if not before:
        return "缺整改前照片。"
    if not after:
        return "缺整改后照片。"
    if max(after) - min(before) < timedelta(minutes=2):
        return "整改前、后两张照片至少隔 2 分钟。"
    return None


@_need("of_units_or_paper", refuses=True)
def _of_units_or_paper(case: Case) -> str | None:
    if case.has_role("grid"):
        return None
    if case.has_role("unit"):
        return None if case.unit in (case.lead_unit, *case.assisting) else "这件不归您单位。"
    if case.lead_reach == "paper":
        return None
    return "进展由责任单位或网格员报；纸质送达的单位才由办公室代录。"


@_need("during_photo")
def _during_photo(case: Case) -> str | None:
    return None if any(p.stage == "during" for p in case.new_photos) else "缺整改中照片。"


@_need("something_new")
def _something_new(case: Case) -> str | None:
    kind = case.body.get("kind")
    if kind is not None and kind not in PROBLEMS:
        return "没有这个问题种类。"
    changed = (kind and kind != case.kind) or case.moved_m is not None or case.body.get("outline")
    return None if changed else "没有要更正的内容：请改种类、位置或范围。"


@_need("photo_if_moved_30m")
def _photo_if_moved(case: Case) -> str | None:
    if case.moved_m is not None and case.moved_m > 30 and not case.new_photos:
        return f"位置移动了 {case.moved_m:.0f} 米，超过 30 米要附照片。"
    return None


@_need("grid_checked_it", refuses=True)
def _grid_checked_it(case: Case) -> str | None:
    if case.has_role("office", "office_head") or (case.state == "reported" and case.actor == case.checker):
        return None
    return "只有核实过这件的网格员和办公室能更正。"


@_need("sightings_to_split")
def _sightings_to_split(case: Case) -> str | None:
    return None if case.split_ok else "请选出要拆出去的线索，原件至少留一条。"


@_need("before_due")
def _before_due(case: Case) -> str | None:
    late = case.rectify_due is not None and case.now >= case.rectify_due
    return "已过整改时限，不能再申请延期。" if late else None


@_need("extensions_left")
def _extensions_left(case: Case) -> str | None:
    return None if case.extensions < law.MAX_EXTENSIONS else "已延期 2 次，不能再延。"


@_need("extension_size")
def _extension_size(case: Case) -> str | None:
    if case.asked_s <= 0:
        return "缺延长多久，或单位和原时限不同。"
    if case.limit_s + case.extended_s + case.asked_s > 2 * case.limit_s:
        return "延期合计不能超过原时限的一倍。"
    return None


@_need("not_suspended")
def _not_suspended(case: Case) -> str | None:
    return "正在挂账，先恢复整改。" if case.suspended else None


@_need("suspended")
def _suspended(case: Case) -> str | None:
    return None if case.suspended else "没有挂账，不用恢复。"


@_need("condition")
def _condition(case: Case) -> str | None:
    return None if case.body.get("condition") in law.SUSPEND_CONDITIONS else "缺挂账条件。"


@_need("review_on")
def _review_on(case: Case) -> str | None:
    on = case.body.get("review_on")
    if not isinstance(on, date):
        return "缺复核日期。"
    days = (on - case.now.astimezone(SHANGHAI).date()).days
    return None if 0 < days <= law.MAX_SUSPEND_DAYS else "复核日期要在 90 天以内、今天以后。"


@_need("suspend_photo")
def _suspend_photo(case: Case) -> str | None:
    return None if any(p.stage == "suspend" for p in case.new_photos) else "缺临时防护照片。"


@_need("submit_from_assigned_only_when_on_site_red")
def _submit_from(case: Case) -> str | None:
    if case.state == "assigned" and not case.on_site_red:
        return "还没到场核实；到场时限过了才能直接报验。"
    return None


@_need("of_lead_unit_or_paper_grid", refuses=True)
def _of_lead_unit_or_paper_grid(case: Case) -> str | None:
    if case.has_role("unit") and case.own_unit:
        return None
    if case.has_role("grid") and (case.lead_reach == "paper" or case.lead_is_office):
        return None
    return "报验由责任单位办；纸质送达的单位才由网格员代办。"


@_need("before_photo_kept")
def _before_photo_kept(case: Case) -> str | None:
    have = any(p.stage == "before" for p in (*case.photos, *case.new_photos))
    return None if have else "缺整改前照片。"


@_need("after_photo_new")
def _after_photo_new(case: Case) -> str | None:
    after = [p for p in (*case.new_photos, *case.staged("after")) if p.stage == "after"]
    if not after:
        return "缺整改后照片。"
    if case.step_before_at and all(p.received_at <= case.step_before_at for p in after):
        return "整改后照片比上一步还早，请重拍。"
    return None


@_need("send_back_photo")
def _send_back_photo(case: Case) -> str | None:
    return None if any(p.stage == "send_back" for p in case.new_photos) else "缺不合格的照片。"


@_need("office_is_the_unit", refuses=True)
def _office_is_the_unit(case: Case) -> str | None:
    return None if case.lead_is_office else "责任单位不是环保办，由环保办人员验收，不用另指定。"


@_need("acceptor")
def _acceptor(case: Case) -> str | None:
    named = case.body.get("acceptor")
    if named not in case.other_units:
        return "缺验收人，或这个人不是外单位的。"
    if named in (case.submitter, case.actor):
        return "验收人不能是报验人，也不能是指定的人自己。"
    return None


@_need("may_verify", refuses=True)
def _may_verify(case: Case) -> str | None:
    if case.lead_is_office:
        named = case.actor is not None and case.actor == case.named_acceptor
        if case.has_role("chief") and not named and not case.other_chief:
            return "河湖长只有您一位，您验收了就没有人能销号：请先指定外单位的验收人。"
        return None if named or case.has_role("chief") else "责任单位就是环保办，要由河湖长或他指定的外单位人员验收。"
    return None if case.has_role("office", "office_head") else "验收由环保办人员办。"


@_need("four_eyes_verify", refuses=True)
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


@_need("checklist")
def _checklist(case: Case) -> str | None:
    if case.kind not in PROBLEMS:
        return "缺问题种类。"
    answers = case.body.get("checklist") or {}
    left = [item for item in PROBLEMS[case.kind].checklist if answers.get(item) is not True]
    return f"验收清单还有 {len(left)} 条没答「是」：{'、'.join(left)}。" if left else None


@_need("manifest")
def _manifest(case: Case) -> str | None:
    have = len(case.staged("before", "during", "after"))
    if case.expected_photos > have:
        return f"还有 {case.expected_photos - have} 张照片没传到，传齐再验收。"
    return None


@_need("has_before_and_after")
def _has_before_and_after(case: Case) -> str | None:
    every = (*case.photos, *case.new_photos)
    if not any(p.stage in ("before", "frame", "report", "check") for p in every):
        return "没有整改前的影像，不能验收。"
    if not any(p.stage == "after" and p.round == case.round for p in every):
        return "没有本轮整改后的照片，不能验收。"
    return None


@_need("not_still_visible")
def _not_still_visible(case: Case) -> str | None:
    if case.still_visible and not case.body.get("looked_again"):
        return "整改后又有人看到同一问题，要有人再去看过才能往下办。"
    return None


# what makes even the acceptor's own photo no look at this place and time
NO_LOOK = frozenset({"elsewhere", "old", "similar"})


def _own_look(case: Case) -> bool:
    return any(p.stage == "accept" and p.person_id == case.actor and not p.flags & NO_LOOK for p in case.new_photos)


@_need("own_photo_if_flagged")
def _own_photo_if_flagged(case: Case) -> str | None:
    flagged = any(p.flags for p in case.staged("before", "during", "after"))
    if (flagged or case.still_visible) and not _own_look(case):
        return "照片有疑点，验收要附您自己现在到现场拍的照片。"
    return None


@_need("own_photo_if_seen_again")
def _own_photo_if_seen_again(case: Case) -> str | None:
    if case.still_visible and not _own_look(case):
        return "验收后又有人看到同一问题，销号要附您自己现在到现场拍的照片。"
    return None


@_need("seen_again_if_verified", refuses=True)
def _seen_again_if_verified(case: Case) -> str | None:
    if case.state == "verified" and not case.still_visible:
        return "已验收的，只有又被看到的才能退回；要重办请销号后重开。"
    return None


@_need("may_close", refuses=True)
def _may_close(case: Case) -> str | None:
    if case.lead_is_office:
        return None if case.has_role("chief") else "责任单位就是环保办，要由河湖长销号。"
    if case.has_role("office_head", "acting_head"):
        return None
    return "销号由环保办负责人或代行人办。"


@_need("four_eyes_close", refuses=True)
def _four_eyes_close(case: Case) -> str | None:
    return "您没有销号的权限：验收的是您，请换一个人。" if case.actor == case.verifier else None


@_need("reopen_photo")
def _reopen_photo(case: Case) -> str | None:
    if case.has_role("reporter") or case.body.get("by_telephone") or case.new_photos:
        return None
    return "缺照片；电话反映的请勾「电话」。"


@_need("reporter_in_time")
def _reporter_in_time(case: Case) -> str | None:
    if not case.has_role("reporter") or case.ended_at is None:
        return None
    late = case.now > case.ended_at + timedelta(days=law.REPORTER_REOPEN_DAYS)
    return "销号已过 15 天，请重新举报。" if late else None


@_need("parent")
def _parent(case: Case) -> str | None:
    return None if case.parent_ok else "缺要并入的问题编号，或那一件不能并。"


@_need("reason_if_past_assigned")
def _reason_if_past_assigned(case: Case) -> str | None:
    return None if case.state in ("reported", "assigned") else _reason(case)


@_need("dismiss_reason")
def _dismiss_reason(case: Case) -> str | None:
    return None if case.body.get("reason_code") in law.DISMISS_REASONS else "缺公开的理由类别。"


@_need("receiving_body")
def _receiving_body(case: Case) -> str | None:
    return None if _text(case, "receiving_body") else "缺接收单位。"


@_need("appeal_against")
def _appeal_against(case: Case) -> str | None:
    against = case.body.get("against")
    if against not in law.APPEAL_AGAINST:
        return "缺申诉的对象。"
    return None if against in case.appeal_fits else f"这件没有「{law.APPEAL_AGAINST[against]}」可申诉。"


@_need("appeal_in_time")
def _appeal_in_time(case: Case) -> str | None:
    return "申诉期已过。" if case.appeal_until is not None and case.now > case.appeal_until else None


@_need("not_closer", refuses=True)
def _not_closer(case: Case) -> str | None:
    return "这件是您销号的，回头看要换人。" if case.actor in (case.closer, case.verifier) else None


@_need("look_back_photo")
def _look_back_photo(case: Case) -> str | None:
    return None if any(p.stage == "look_back" for p in case.new_photos) else "缺回头看照片。"


@_need("look_back_finding")
def _look_back_finding(case: Case) -> str | None:
    return None if case.body.get("finding") in law.LOOK_BACK_FINDINGS else "缺回头看结果：好的、反弹还是看不清。"


CONDITIONS: dict[str, Callable[[Case], bool]] = {
    "always": lambda case: True,
    "after_reported": lambda case: case.state != "reported",
    "past_assigned": lambda case: (case.merged_from or case.state) in ("supervised", "rectified", "verified"),
    "first_extension": lambda case: case.extensions == 0,
    "reporter_asks": lambda case: case.has_role("reporter"),
    "office_asks": lambda case: not case.as_grid,
}


def lacks(row: law.Step, case: Case) -> list[Lack]:
    """Everything this case lacks for `row`, in the row's own order."""
    found = ((code, NEEDS[code](case)) for code in row.needs)
    return [Lack(code, sentence, code in REFUSALS) for code, sentence in found if sentence]


def approval_of(row: law.Step, case: Case) -> str | None:
    """The row of APPROVALS that must decide this case, or None when the actor may simply do it."""
    return next((name for condition, name in row.approval if CONDITIONS[condition](case)), None)
