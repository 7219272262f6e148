"""An issue's trail as people read it: who did what, newest first. Words only; the lines come from `issues.trail`."""

from __future__ import annotations

from typing import Any

from patrol.queries import desk
from patrol.queries.words import person_name
from patrol.rules import lifecycle, rights
from patrol.rules.audience import CARDS
from patrol.rules.clocks import CLOCKS
from patrol.station import Work

FILTERS = {"key": "要紧的", "all": "全部", "push": "推送"}
# event -> what was done; the words of a line that has a reason, words or a slip follow it
DID: dict[str, str] = {
    "reported": "报来问题", "joined": "线索并入", "checked": "核实", "check_waived": "免核实", "assigned": "交办",
    "push_confirmed": "确认送达", "received": "签收", "returned": "准予退回，改派", "reassigned": "改派",
    "on_site": "到场核实", "half_confirmed": "确认到场结果", "supervised": "督办", "cleared": "已自行清除",
    "handled_here": "当场处理", "progressed": "进展", "corrected": "更正", "split": "拆分", "extended": "延期",
    "suspended": "挂账", "resumed": "恢复整改", "submitted": "报验", "sent_back": "验收退回",
    "acceptor_named": "指定验收人", "verified": "验收合格", "closed": "销号", "forced": "强制结案", "pressed": "督办催办",
    "dismissed": "不予立案", "transferred": "移送", "reopened": "重开", "merged": "并案", "unmerged": "撤销并案",
    "looked_back": "回头看", "supplemented": "反映人补充", "rated": "反映人评价", "appealed": "申诉", "asked": "申请", "decided": "批准", "refused": "不予批准",
    "withdrawn": "撤回申请", "lapsed": "申请失效（件已往下走）", "refusal_asked": "提出不予重开，待另一人确认", "climbed": "申请超时，上转", "delivered": "推到", "errand_stuck": "推不出去",
    "photo_received": "收到照片", "photo_released": "放给单位看照片", "still_visible": "整改后又有人看到",
    "amber": "时限用过八成", "red": "已超时限", "level1": "超期催办", "level2": "超期督办", "level3": "超期升级",
    "rebased": "换日历", "relapse_waits": "疑似反弹，待研判",
}  # fmt: skip
PUSHES = frozenset({"delivered", "errand_stuck", "push_confirmed"})
SMALL = frozenset({"photo_received", "photo_released", "delivered", "rebased", "amber", "joined"})
_ICONS = {
    "received": "time-met", "push_confirmed": "time-met", "delivered": "ui-bell", "errand_stuck": "time-late",
    "photo_received": "ui-camera", "photo_released": "ui-eye", "asked": "ui-pen", "decided": "time-met",
    "refused": "ui-close", "withdrawn": "ui-back", "red": "time-late", "amber": "time-soon", "level1": "time-late",
    "level2": "time-late", "level3": "time-late", "climbed": "ui-up", "pressed": "ui-up", "suspended": "time-paused",
    "merged": "state-merged", "joined": "state-merged", "corrected": "ui-pen", "still_visible": "ui-eye",
}  # fmt: skip
_SYSTEM = {"system": "系统", "rule": "自动交办", "ladder": "时限", "reporter": "反映人", "": "公众"}


def lines(work: Work, trail: list[dict[str, Any]], chosen: str = "key") -> list[dict[str, Any]]:
    """The lines a filter shows, newest first, as the timeline macro draws them."""
    kept = [line for line in trail if _shown(line["event"], chosen)]
    return [_line(work, line) for line in reversed(kept)]


def _shown(event: str, chosen: str) -> bool:
    if chosen == "push":
        return event in PUSHES
    return chosen == "all" or event not in SMALL


def _line(work: Work, line: dict[str, Any]) -> dict[str, Any]:
    event, facts = line["event"], line.get("facts") or {}
    moved = facts.get("to") if facts.get("to") != facts.get("from") else None
    return {
        "at": line["at"][5:16].replace("T", " "), "iso": line["at"],
        "icon": None if moved else _ICONS.get(event), "state": moved or ("reported" if event == "reported" else None),
        "who": line.get("person") or _SYSTEM.get(line.get("role") or "", ""), "did": DID.get(event, event),
        "words": _words(work, event, facts), "extra": _extra(event, facts), "link": _link(facts),
        "claimed": str(facts["at_claimed"])[5:16].replace("T", " ") if facts.get("at_claimed") else None,
    }  # fmt: skip


def _words(work: Work, event: str, facts: dict[str, Any]) -> str:
    parts: list[str] = []
    if event in ("asked", "decided", "refused", "withdrawn", "climbed"):
        row = lifecycle.STEPS.get(str(facts.get("step")))
        parts.append(row.zh if row else "")
    if event in PUSHES and facts.get("card"):
        card = str(facts["card"]).removeprefix("card:")
        parts.append(f"{desk.group_words(work, facts.get('group'))}，{CARDS.get(card, card)}")
        if facts.get("by_hand"):
            parts.append("人工粘贴")
    if facts.get("channel"):
        parts.append(rights.CHANNELS.get(facts["channel"], ""))
    if event in ("amber", "red", "level1", "level2", "level3") and facts.get("clock") in CLOCKS:
        parts.append(CLOCKS[facts["clock"]].zh)
    for name, table in (("finding", {**lifecycle.FINDINGS, **lifecycle.LOOK_BACK_FINDINGS}),
                        ("reason_code", lifecycle.DISMISS_REASONS), ("stage", lifecycle.PHOTO_STAGES)):  # fmt: skip
        if facts.get(name):
            parts.append(table.get(facts[name], str(facts[name])))
    if facts.get("lead_unit"):
        unit = work.place.units.get(facts["lead_unit"])
        parts.append(unit.name if unit else facts["lead_unit"])
    if facts.get("acceptor"):
        parts.append(person_name(work, facts["acceptor"]) or "")
    if event == "received":
        parts.append({"silence": "视同签收", "unit": "单位签收"}.get(str(facts.get("by")), ""))
    parts += [str(facts[name]) for name in ("receiving_body", "reason", "words") if facts.get(name)]
    return "，".join(filter(None, parts))


def _extra(event: str, facts: dict[str, Any]) -> str:
    if event != "photo_released" and facts.get("photos"):
        return f"照片 {len(facts['photos'])}"
    return f"第 {facts['round']} 轮" if facts.get("round") and event in ("sent_back", "reopened") else ""


def _link(facts: dict[str, Any]) -> dict[str, str] | None:
    if facts.get("slip"):
        return {"href": f"/api/v1/slips/{facts['slip']}.pdf", "zh": "打开单子"}
    for name in ("parent", "child", "issue"):
        if isinstance(facts.get(name), str):
            return {"href": f"/desk/issues/{facts[name]}", "zh": facts[name]}
    return None


def steps(state: str, trail: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The six steps of the header: done with time and who, now, and to come."""
    road = [*lifecycle.OPEN, "closed"]
    reached: dict[str, dict[str, Any]] = {}
    for line in trail:
        facts = line.get("facts") or {}
        to = "reported" if line["event"] == "reported" else facts.get("to")
        if to in lifecycle.STATES and to != facts.get("from"):
            reached[to] = line
    at = road.index(state) if state in road else None
    found: list[dict[str, Any]] = []
    for index, name in enumerate(road):
        told = reached.get(name)
        if at is not None:
            phase = "now" if index == at and state != "closed" else ("done" if index <= at else "todo")
        else:
            phase = "done" if told else "todo"
        if at is None and not told:
            continue
        told = told if phase != "todo" else None
        found.append({
            "state": name, "phase": phase, "at": told["at"][5:16].replace("T", " ") if told else None,
            "who": (told.get("person") or _SYSTEM.get(told.get("role") or "", "")) if told else None,
        })  # fmt: skip
    if at is None:
        end = reached.get(state)
        found.append({"state": state, "phase": "now", "at": end["at"][5:16].replace("T", " ") if end else None,
                      "who": (end.get("person") or "") if end else None})  # fmt: skip
    return found


def last_change(work: Work, trail: list[dict[str, Any]]) -> dict[str, str]:
    """Who changed an issue last, when and how: for the conflict box."""
    moving = [line for line in trail if line["event"] not in SMALL] or trail
    if not moving:
        return {"who": "别人", "at": "", "words": ""}
    line = moving[-1]
    who = line.get("person") or _SYSTEM.get(line.get("role") or "", "别人")
    words = _words(work, line["event"], line.get("facts") or {})
    did = DID.get(line["event"], "")
    return {"who": who or "别人", "at": line["at"][11:16], "words": f"{did}：{words}。" if words else f"{did}。"}
