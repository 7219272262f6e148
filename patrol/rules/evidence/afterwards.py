"""What comes after or aside: reopen, merge, dismiss, transfer, appeal, look back."""

from __future__ import annotations

from datetime import timedelta

from patrol.rules import lifecycle as law
from patrol.rules.evidence.case import Case
from patrol.rules.evidence.registry import NEEDS, need, text


@need("reopen_photo")
def _reopen_photo(case: Case) -> str | None:
    if case.has_role("reporter") or case.body.get("by_telephone") or case.new_photos:
        return None
    return "缺照片；电话反映的请勾「电话」。"


@need("reporter_in_time")
def _reporter_in_time(case: Case) -> str | None:
    if not case.has_role("reporter") or case.ended_at is None:
        return None
    late = case.now > case.ended_at + timedelta(days=law.REPORTER_REOPEN_DAYS)
    return "销号已过 15 天，请重新举报。" if late else None


@need("parent")
def _parent(case: Case) -> str | None:
    return None if case.parent_ok else "缺要并入的问题编号，或那一件不能并。"


@need("reason_if_past_assigned")
def _reason_if_past_assigned(case: Case) -> str | None:
    return None if case.state in ("reported", "assigned") else NEEDS["reason"](case)


@need("dismiss_reason")
def _dismiss_reason(case: Case) -> str | None:
    return None if case.body.get("reason_code") in law.DISMISS_REASONS else "缺公开的理由类别。"


@need("receiving_body")
def _receiving_body(case: Case) -> str | None:
    return None if text(case, "receiving_body") else "缺接收单位。"


@need("appeal_against")
def _appeal_against(case: Case) -> str | None:
    against = case.body.get("against")
    if against not in law.APPEAL_AGAINST:
        return "缺申诉的对象。"
    return None if against in case.appeal_fits else f"这件没有「{law.APPEAL_AGAINST[against]}」可申诉。"


@need("appeal_in_time")
def _appeal_in_time(case: Case) -> str | None:
    return "申诉期已过。" if case.appeal_until is not None and case.now > case.appeal_until else None


@need("not_closer", refuses=True)
def _not_closer(case: Case) -> str | None:
    return "这件是您销号的，回头看要换人。" if case.actor in (case.closer, case.verifier) else None


@need("look_back_photo")
def _look_back_photo(case: Case) -> str | None:
    return None if any(p.stage == "look_back" for p in case.new_photos) else "缺回头看照片。"


@need("look_back_finding")
def _look_back_finding(case: Case) -> str | None:
    return None if case.body.get("finding") in law.LOOK_BACK_FINDINGS else "缺回头看结果：好的、反弹还是看不清。"
