"""Time asked for: extension and suspension."""

from __future__ import annotations

from datetime import date

from patrol.rules import lifecycle as law
from patrol.rules.calendar import SHANGHAI
from patrol.rules.evidence.case import Case
from patrol.rules.evidence.registry import need


@need("before_due")
def _before_due(case: Case) -> str | None:
    late = case.rectify_due is not None and case.now >= case.rectify_due
    return "已过整改时限，不能再申请延期。" if late else None


@need("extensions_left")
def _extensions_left(case: Case) -> str | None:
    return None if case.extensions < law.MAX_EXTENSIONS else "已延期 2 次，不能再延。"


@need("extension_size")
def _extension_size(case: Case) -> str | None:
    if case.asked_s <= 0:
        return "缺延长多久，或单位和原时限不同。"
    if case.limit_s + case.extended_s + case.asked_s > 2 * case.limit_s:
        return "延期合计不能超过原时限的一倍。"
    return None


@need("not_suspended")
def _not_suspended(case: Case) -> str | None:
    return "正在挂账，先恢复整改。" if case.suspended else None


@need("suspended")
def _suspended(case: Case) -> str | None:
    return None if case.suspended else "没有挂账，不用恢复。"


@need("condition")
def _condition(case: Case) -> str | None:
    return None if case.body.get("condition") in law.SUSPEND_CONDITIONS else "缺挂账条件。"


@need("review_on")
def _review_on(case: Case) -> str | None:
    on = case.body.get("review_on")
    if not isinstance(on, date):
        return "缺复核日期。"
    days = (on - case.now.astimezone(SHANGHAI).date()).days
    return None if 0 < days <= law.MAX_SUSPEND_DAYS else "复核日期要在 90 天以内、今天以后。"


@need("suspend_photo")
def _suspend_photo(case: Case) -> str | None:
    return None if any(p.stage == "suspend" for p in case.new_photos) else "缺临时防护照片。"
