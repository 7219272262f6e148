"""The facts of a slip in the words that are printed: dates, places, limits, pictures, signatures.

Gives the template one flat sheet of plain strings (and None where a row is left out). It says nothing
that the facts do not say, and knows nothing of fonts, sizes or typst.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from patrol.gateways.paper_facts import FOUND, SlipFacts

_LOCAL = ZoneInfo("Asia/Shanghai")
_WEEK = "一二三四五六日"

TITLES = {
    "assignment": "问题交办单",
    "supervision": "整改督办单",
    "closure": "销号反馈单",
    "dismissal": "不予立案告知",
    "transfer": "移送单",
    "look_back": "回头看单",
}

_STAGES = {
    "sighting": "发现时",
    "check": "核实",
    "before": "整改前",
    "during": "整改中",
    "after": "整改后",
    "accept": "验收",
    "send_back": "退回时",
    "suspend": "临时措施",
    "reopen": "重开时",
    "look_back": "回头看",
}

# What an empty frame says: which picture is not there, and who gives it.
_AWAITED = {
    "supervision": {
        "before": "整改前照片\n未随单",
        "during": "整改中\n由单位随时上传\n扫码看最新",
        "after": "整改后\n由单位报验时上传\n扫码看最新",
    },
    "closure": {"before": "缺整改前照片", "during": "缺整改中照片", "after": "缺整改后照片"},
}
# Who signs a kind where the facts name no signatures: label, fact with the name, fact with the time.
_SIGNERS = {
    "assignment": [("签发", "office", "issued_at"), ("签收", "", "")],
    "supervision": [("督办人", "confirmed_by", "confirmed_at"), ("责任单位签收", "", "")],
    "closure": [("验收人", "verified_by", "verified_at"), ("销号人", "closed_by", "closed_at")],
    "dismissal": [("经办", "decided_by", "decided_at")],
    "transfer": [("移送", "office", "issued_at"), ("接收单位签收", "", "")],
    "look_back": [("回看人", "visited_by", "visited_at"), ("责任单位", "", "")],
}

_BOTH_AWAITED = "整改中、整改后\n由单位随时上传\n扫码看最新"


def local(moment: str) -> datetime:
    """An ISO moment with offset, in the office's own time."""
    return datetime.fromisoformat(moment).astimezone(_LOCAL)


def day_and_time(moment: str) -> str:
    """
    >>> day_and_time("2026-11-23T01:31:00+00:00")
    '2026年11月23日 09:31'
    """
    at = local(moment)
    return f"{at.year}年{at.month}月{at.day}日 {at:%H:%M}"


def day_week_time(moment: str) -> str:
    """
    >>> day_week_time("2026-11-24T11:31:00+08:00")
    '2026年11月24日（周二）11:31'
    """
    at = local(moment)
    return f"{at.year}年{at.month}月{at.day}日（周{_WEEK[at.weekday()]}）{at:%H:%M}"


def _short(moment: str) -> str:
    at = local(moment)
    return f"{at.month}月{at.day}日 {at:%H:%M}"


def _joined(parts: list[str | None], by: str) -> str | None:
    kept = [part for part in parts if part]
    return by.join(kept) or None


def _when(facts: Mapping[str, Any], key: str, say: Callable[[str], str] = day_and_time) -> str | None:
    moment = facts.get(key)
    return say(moment) if moment else None


def _position(facts: SlipFacts) -> str | None:
    if "lon" not in facts or "lat" not in facts:
        return None
    lon, lat = facts["lon"], facts["lat"]
    east, north = ("东经" if lon >= 0 else "西经"), ("北纬" if lat >= 0 else "南纬")
    words = f"{east} {abs(lon):.5f}°，{north} {abs(lat):.5f}°"
    if "ce90_m" in facts:
        # Rounded up: a paper must not claim to be nearer than it is.
        words += f"（误差约 {max(1, math.ceil(facts['ce90_m'] - 1e-9))} 米）"
    return words


def _due(facts: SlipFacts) -> str | None:
    if "due_at" not in facts:
        return facts.get("limit_words")
    about = "≈ " if facts.get("due_estimated") else ""
    return _joined([facts.get("limit_words"), f"{about}{day_week_time(facts['due_at'])} 前完成"], "，")


def _due_notes(facts: SlipFacts) -> list[str]:
    notes = []
    extensions = facts.get("extensions", [])
    first = facts.get("first_due_at")
    if first and (extensions or first != facts.get("due_at")):
        times = f"，已延期 {len(extensions)} 次" if extensions else ""
        notes.append(f"原期限 {day_and_time(first)}{times}。")
    for number, extension in enumerate(extensions, 1):
        words = f"：{extension['words']}" if extension.get("words") else ""
        notes.append(f"第 {number} 次延至 {day_and_time(extension['due_at'])}{words}")
    if facts.get("due_estimated"):
        notes.append("≈ 为估计：该年工作日历未定，定后有变的另出新版。")
    on_site = _joined([facts.get("on_site_words"), _when(facts, "on_site_due_at", _before)], "，")
    hours = _joined([facts.get("hours_words"), f"到场核实 {on_site}" if on_site else None], "；")
    if hours:
        notes.append(hours.rstrip("。；") + "。")
    return notes


def _before(moment: str) -> str:
    return f"{_short(moment)} 前"


def _on_site(facts: SlipFacts) -> list[str]:
    distance = accuracy = None
    if "distance_m" in facts:
        distance = f"手机定位距点 {facts['distance_m']:.0f} 米"
    if "accuracy_m" in facts:
        accuracy = f"精度 ±{facts['accuracy_m']:.0f} 米"
    came = f"{_short(facts['checked_at'])} 到场" if "checked_at" in facts else None
    first = _joined([_joined([facts.get("checked_by"), came], " "), facts.get("on_site_used")], "，")
    how = f"{facts['confirmed_how']}确认" if "confirmed_how" in facts else "确认"
    confirmed = _joined([facts.get("confirmed_by"), _when(facts, "confirmed_at", _short)], " ")
    lines = [
        _joined([first, _joined([distance, accuracy], "，")], "；"),
        f"{confirmed} {how}" if confirmed else None,
    ]
    return [line + "。" for line in lines if line]


def _verdict(facts: SlipFacts) -> tuple[str | None, str | None]:
    if "verified_by" not in facts and "verified_words" not in facts:
        return None, None
    detail = _joined([facts.get("verified_by"), _when(facts, "verified_at")], "，")
    return facts.get("verified_words", "合格"), detail


def _pictures(facts: SlipFacts, names: dict[str, str | None]) -> list[dict[str, Any]]:
    """Frames in printing order; `names` gives a sha256 its file, None where that cannot be read."""
    frames: dict[str, list[dict[str, Any]]] = {}
    for photo in facts.get("photos", []):
        stage = photo.get("stage", "sighting")
        caption = photo.get("caption") or _STAGES[stage]
        digest = photo["sha256"]
        words = f"照片{'读不出' if digest in names else '丢失'}\n{digest[:12]}"
        name = names.get(digest)
        frame = {"file": name, "caption": caption, "words": None if name else words}
        frames.setdefault(stage, []).append(frame)
    awaited = _AWAITED.get(facts["kind"])
    if not awaited:
        return [frame for group in frames.values() for frame in group]
    if facts["kind"] == "closure" and not frames:
        return []
    shown = []
    for stage in ("before", "during", "after"):
        # A picture of the finding stands beside "before": both show the water as it was.
        own = frames.pop(stage, []) + (frames.pop("sighting", []) if stage == "before" else [])
        shown += own or [{"file": None, "caption": None, "words": awaited[stage]}]
    if len(shown) == 4 and [frame["words"] for frame in shown[2:]] == [awaited["during"], awaited["after"]]:
        shown[2:] = [{"file": None, "caption": None, "words": _BOTH_AWAITED}]
    return shown + [frame for group in frames.values() for frame in group]


def _signatures(facts: SlipFacts) -> list[dict[str, str]]:
    said = cast("dict[str, Any]", facts)
    usual: list[dict[str, Any]] = [
        {"label": label, "name": said.get(name), "at": said.get(at)} for label, name, at in _SIGNERS[facts["kind"]]
    ]
    asked: Sequence[Mapping[str, Any]] = facts.get("signatures") or usual
    return [
        {
            "label": _spread(item["label"]),
            "name": item.get("name") or "",
            "at": _when(item, "at", _short) or "",
        }
        for item in asked
    ]


def _spread(label: str) -> str:
    """Two-character labels take the width of three, as on an office paper."""
    return f"{label[0]}\u3000{label[1]}" if len(label) == 2 else label


def _groups(text: str | None, size: int, by: str) -> str | None:
    return text and by.join(text[start : start + size] for start in range(0, len(text), size))


def worded(facts: SlipFacts, names: dict[str, str | None]) -> dict[str, Any]:
    """The sheet of strings a template prints."""
    verdict, verified = _verdict(facts)
    clocks = facts.get("timeliness", [])
    rounds = facts.get("rework_rounds", 0)
    strip = None
    if "chainage_m" in facts and facts.get("river_length_m"):
        strip = {
            "at_m": min(facts["chainage_m"], facts["river_length_m"]),
            "length_m": facts["river_length_m"],
            "bank": facts.get("bank", ""),
            "name": facts.get("place_name", ""),
        }
    said: dict[str, Any] = {
        key: value
        for key, value in facts.items()
        if isinstance(value, str) and not key.endswith("_at") and key != "map_svg"
    }
    return said | {
        "title": TITLES[facts["kind"]],
        "revision": f"第 {facts['revision']} 版",
        "issued": day_and_time(facts["issued_at"]),
        "supersedes": f"代替 {facts['supersedes']}，旧版作废留底" if facts.get("supersedes") else None,
        "found": FOUND,
        "marks": facts.get("marks", []),
        "assisting": _joined(list(facts.get("assisting", [])), "、"),
        "related": _joined(list(facts.get("related", [])), "\n"),
        "materials": list(facts.get("materials", [])),
        "position": _position(facts),
        "strip": strip,
        "due": _due(facts),
        "due_notes": _due_notes(facts),
        "on_site": _on_site(facts),
        "verdict": verdict,
        "verified": verified,
        "submitted": _joined([facts.get("submitted_by"), _when(facts, "submitted_at")], " "),
        "closed": _joined([facts.get("closed_by"), _when(facts, "closed_at")], " "),
        "decided": _joined([facts.get("decided_by"), _when(facts, "decided_at")], " "),
        "visited": _joined([facts.get("visited_by"), _when(facts, "visited_at")], " "),
        "appeal_until": _when(facts, "appeal_until"),
        "receipt_due": _when(facts, "receipt_due_at", day_week_time),
        "look_back_due": _when(facts, "look_back_due_at"),
        "rework": f"返工 {rounds} 次" if rounds else None,
        "checklist": list(facts.get("checklist", [])),
        "clocks": [{"limit": None, "used": None, "verdict": None} | clock for clock in clocks],
        "all_on_time": bool(clocks) and all(clock.get("verdict") == "按时" for clock in clocks),
        "pictures": _pictures(facts, names),
        "signatures": _signatures(facts),
        "check_code": _groups(facts.get("check_code"), 5, "-"),
        "ledger": _groups(facts.get("ledger"), 4, " "),
    }
