"""What a card says: an allow-list of plain facts. No tip's words, no person's name, no token, no exact position."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from patrol import models as m
from patrol.actions import clocks
from patrol.actions.siting import place_words
from patrol.gateways.cards import Card
from patrol.rules import lifecycle
from patrol.rules.audience import CARDS
from patrol.rules.calendar import SHANGHAI
from patrol.rules.clocks import CLOCKS
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

WHY_WAITS: dict[str, str] = {
    "unsure": "把握不足，待研判",
    "fishing": "请立即确认",
    "out_of_area": "位置不在本河段",
    "maybe_gcj02": "坐标像是高德、腾讯地图的，请问清在哪里",
    "vague_position": "位置太粗",
    "too_many": "同一来源报得多，先留待人工",
    "relapse": "原处已销号，疑似反弹",
}


def card_of(work: Work, errand: m.Errand) -> Card:
    """The card of an errand, as of now but naming what was frozen."""
    name = errand.handler.removeprefix("card:")
    issue = work.session.get(m.Issue, errand.issue_id) if errand.issue_id else None
    slip = work.session.get(m.Slip, errand.slip_id) if errand.slip_id else None
    link = f"{work.settings.address}/i/{issue.number}" if issue else f"{work.settings.address}/desk"
    lines = _slip_lines(slip) if slip else []
    if issue is not None:
        lines += _issue_lines(work, issue, errand.facts, with_due=slip is None or slip.kind == "assignment")
    else:
        lines += _clue_lines(work, errand.facts)
    return Card(CARDS[name], tuple(lines), link=link, urgent=errand.urgent, key=str(errand.id))


def _slip_lines(slip: m.Slip) -> list[str]:
    lines = [f"{slip.printed_number}（第 {slip.revision} 版）"]
    return [*lines, f"校验码 {slip.check_code[:5]}-{slip.check_code[5:]}"]


def _issue_lines(work: Work, issue: m.Issue, facts: dict[str, Any], *, with_due: bool) -> list[str]:
    kind = PROBLEMS[issue.kind]
    lines = [f"{issue.number} {kind.zh} · {lifecycle.STATES[issue.state]}"]
    where = place_words(work, issue.chainage_m, issue.bank, issue.lon, issue.lat)
    if where:
        lines.append(f"位置：{where}")
    unit = work.place.units.get(issue.lead_unit or "")
    if unit is not None:
        lines.append(f"责任单位：{unit.name}")
    if facts.get("clock"):
        lines.append(f"{CLOCKS[facts['clock']].zh}时限：应于 {_when(datetime.fromisoformat(facts['due_at']))}")
    elif (
        with_due and (rectify := clocks.last(work, issue, "rectify")) and rectify.due_at and rectify.state == "running"
    ):
        lines.append(f"整改时限：{clocks.first_limit(rectify).zh}，{_when(rectify.due_at)} 前")
    if facts.get("request"):
        row = lifecycle.STEPS.get(str(facts.get("step")))
        lines.append(f"申请：{row.zh if row else ''}，请到办公桌面审批")
    return lines


def _clue_lines(work: Work, facts: dict[str, Any]) -> list[str]:
    if "kind" not in facts:
        return [str(facts.get("words") or facts.get("why") or "请到办公桌面查看")]
    kind = PROBLEMS[facts["kind"]]
    lines = [f"疑似 {kind.zh}"]
    if facts.get("score") is not None:
        lines[0] += f"，把握 {facts['score']:.2f}"
    if facts.get("chainage_m") is not None and work.place.river is not None:
        lines.append(f"位置：{work.place.name} {work.place.river.words(facts['chainage_m'], facts.get('bank'))}")
    if facts.get("why") in WHY_WAITS:
        lines.append(WHY_WAITS[facts["why"]])
    if facts.get("clock"):
        lines.append(f"{CLOCKS[facts['clock']].zh}时限：应于 {_when(datetime.fromisoformat(facts['due_at']))}")
    return lines


def _when(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%m月%d日 %H:%M")
