"""On site: both halves of supervise, handling on the spot, progress, correction, splitting."""

from __future__ import annotations

from datetime import timedelta

from patrol.rules import lifecycle as law
from patrol.rules.evidence.case import Case
from patrol.rules.evidence.registry import need
from patrol.rules.problems import PROBLEMS


@need("half_open")
def _half_open(case: Case) -> str | None:
    if case.as_grid:
        # a finding of gone or false may be looked at again: somebody must be able to say it is true after all
        return "这件已有人到场核实过。" if case.half1 in ("true", "moved") else None
    return "办公室已确认过，等网格员到场。" if case.half2 and not case.half1 else None


@need("before_photo_if_grid")
def _before_photo_if_grid(case: Case) -> str | None:
    if not case.as_grid or any(p.stage == "before" for p in case.new_photos):
        return None
    return "缺整改前照片。"


@need("today_photo_if_grid")
def _today_photo_if_grid(case: Case) -> str | None:
    if not case.as_grid or case.new_photos:
        return None
    return "缺今天的现场照片。"


@need("finding_if_grid")
def _finding_if_grid(case: Case) -> str | None:
    if not case.as_grid:
        return None
    return None if case.body.get("finding") in law.FINDINGS else "缺核实结果：属实、移动、已清除还是不属实。"


@need("half1_evidence_if_office")
def _half1_evidence(case: Case) -> str | None:
    if case.as_grid:
        return None
    said, made = case.body.get("finding"), case.half1
    if said and made and said != made:
        return f"网格员核实是「{law.FINDINGS[made]}」，与您填的不同，请先核对。"
    if said in ("gone", "false") and not made:
        return "网格员还没到场，不能先定「已清除」或「不属实」。"
    return None


@need("moved_position")
def _moved_position(case: Case) -> str | None:
    if case.body.get("finding") == "moved" and case.moved_m is None:
        return "位置有移动：请在图上点出新位置。"
    return None


@need("two_photos")
def _two_photos(case: Case) -> str | None:
    have = {p.id for p in (*case.new_photos, *case.staged("before", "check"))}
    return None if len(have) >= 2 else f"不属实要有 2 张现场照片，现有 {len(have)} 张。"


@need("kind_here")
def _kind_here(case: Case) -> str | None:
    limit = PROBLEMS[case.kind].here_area_m2 if case.kind in PROBLEMS else None
    if limit is None:
        return "这一种问题不能当场处理，请报办公室交办。"
    area = case.body.get("area_m2", case.area_m2)
    if area is not None and area > limit:
        return f"面积约 {area:.0f} 平方米，超过当场处理的 {limit:.0f} 平方米。"
    return None


@need("before_after_2min")
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


@need("of_units_or_paper", refuses=True)
def _of_units_or_paper(case: Case) -> str | None:
    if case.has_role("grid"):
        return None
    if case.has_role("unit"):
        return None if case.unit in (case.lead_unit, *case.assisting) else "这件不归您单位。"
    if case.lead_reach == "paper":
        return None
    return "进展由责任单位或网格员报；纸质送达的单位才由办公室代录。"


@need("during_photo")
def _during_photo(case: Case) -> str | None:
    return None if any(p.stage == "during" for p in case.new_photos) else "缺整改中照片。"


@need("something_new")
def _something_new(case: Case) -> str | None:
    kind = case.body.get("kind")
    if kind is not None and kind not in PROBLEMS:
        return "没有这个问题种类。"
    changed = (kind and kind != case.kind) or case.moved_m is not None or case.body.get("outline")
    return None if changed else "没有要更正的内容：请改种类、位置或范围。"


@need("photo_if_moved_30m")
def _photo_if_moved(case: Case) -> str | None:
    if case.moved_m is not None and case.moved_m > 30 and not case.new_photos:
        return f"位置移动了 {case.moved_m:.0f} 米，超过 30 米要附照片。"
    return None


@need("grid_checked_it", refuses=True)
def _grid_checked_it(case: Case) -> str | None:
    if case.has_role("office", "office_head") or (case.state == "reported" and case.actor == case.checker):
        return None
    return "只有核实过这件的网格员和办公室能更正。"


@need("sightings_to_split")
def _sightings_to_split(case: Case) -> str | None:
    return None if case.split_ok else "请选出要拆出去的线索，原件至少留一条。"
