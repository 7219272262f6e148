"""What every desk page stands in: blueprint, rail with its counts, banners, and what was just done."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, make_response, redirect, render_template

from patrol.actions import siting
from patrol.queries import desk, review, rewards, sky
from patrol.queries import issues as rows
from patrol.rules import lifecycle, rights
from patrol.rules.calendar import SHANGHAI
from patrol.rules.problems import FENCE_M, PROBLEMS
from patrol.station import Work

bp = Blueprint("desk", __name__)

DONE = {
    "confirm": "立案了", "join": "并入了", "discard": "不用办，已记下", "approve": "批准了", "refuse": "不予批准，已告知申请人",
    "withdraw": "申请撤回了", "replay": "再推一次，结果看这里", "handed_over": "记下了：已粘贴。推送时限到确认送达才停",
    "release": "照片放给单位看了", "delegate": "代行定好了", "round": "轮次记下了", "flight": "航次开好了，可以收文件",
    "stopped": "航次取消了，读过的留着", "finish": "文件收齐了，开始识别", "real": "认定属实", "nothing": "已排除，这一处 90 天内不再由机器报",
    "same": "并为一个疑点了", "propose": "等级拟好了，等奖励专员定", "grant": "同意奖励了，举报人凭码能看到", "refuse_reward": "不予奖励，理由举报人能看到",
    "batch": "列入付款了，等另一个人复核", "approve_batch": "复核了，可以发", "cancel_batch": "这批撤回了", "claim": "发放了，记下了",
    "pay": "转账记下了", "mark": "号码登记了，只存摘要", "team": "队伍记下了", "member": "入队了", "unmember": "退队了",
    "shift": "值守排好了", "hold": "确认了，积分已记", "drop_shift": "值守取消了", "class": "课排好了", "hold_class": "到课登记了",
    "drop_class": "课取消了", "good": "商品记下了", "hand": "发出去了", "back": "退回了，积分和库存都还原", "points": "积分调好了",
    "reverse": "这笔退回了", "spot": "监测点记下了", "drop": "这条去掉了",
    "device": "手机停用了，它的登录现在就断",
}  # fmt: skip
# href, icon, word, key after G, count, red (red is for what is late or has failed)
_RAIL = (
    ("/desk", "ui-inbox", "收件箱", "I", "inbox", False),
    ("/desk/issues", "ui-list", "问题", "L", "late", True),
    ("/desk/issues?state=rectified,verified", "ui-accept", "验收", "C", "accept", False),
    ("/desk/requests", "ui-pen", "申请", "Q", "requests", False),
    ("/desk/flights", "ui-drone", "航次", "F", "rounds", True),
    ("/desk/review", "ui-eye", "疑点", "E", "review", False),
    ("/desk/deliveries", "ui-bell", "推送", "T", "deliveries", False),
    ("/desk/rewards", "ui-gift", "奖励", "W", "rewards", False),
    ("/desk/hands", "ui-smile", "志愿", "V", "hands", False),
    ("/hotline", "ui-phone", "热线", "H", "", False),
    ("/map", "ui-map", "地图", "M", "", False),
    ("/desk/figures", "ui-chart", "数字", "N", "", False),
    ("/keys", "ui-lock", "钥匙", "", "", False),
    ("/desk/people", "ui-people", "人员", "P", "", False),
)


def page(look: Work, template: str, on: str, status: int = 200, **more: Any) -> Response:
    """Draw a desk page: `on` is the address of its item on the rail."""
    context = {
        "rail": rail(look, on),
        "me": me(look),
        "alarms": _alarms(look) if look.actor.has(*rights.AT_DESK) else {},
        "now_words": look.now.astimezone(SHANGHAI).strftime("%m月%d日 %H:%M"),
        **more,
    }
    path = template if "/" in template else f"desk/{template}"
    return make_response(render_template(f"pages/{path}.html", **context), status)


def _alarms(look: Work) -> dict[str, Any]:
    return {
        **desk.banners(look),
        "office": look.actor.has("office", "office_head"),
        "fishing": sky.unanswered(look),
        "rounds": sky.rounds_due(look),
    }


def rail(look: Work, on: str) -> list[dict[str, Any]]:
    """The rail of every desk page; what this app does not serve, or not to this person, is left out."""
    counts: dict[str, int] = {"rewards": rewards.waiting(look)}
    if look.actor.has(*rights.AT_DESK):
        counts |= desk.counts(look) | {"rounds": len(sky.rounds_due(look)), "review": review.count(look)}
    served = {rule.rule for rule in current_app.url_map.iter_rules()}
    return [
        {"href": href, "symbol": symbol, "zh": zh, "go": key, "count": counts.get(count) or None,
         "late": late or (href == "/desk/deliveries" and counts.get("stuck", 0) > 0),
         "on": href == on, "last": href == "/desk/people"}
        for href, symbol, zh, key, count, late in _RAIL
        if href.split("?")[0] in served and rights.may_open(href.split("?")[0], look.actor.roles)
    ]  # fmt: skip


def me(look: Work) -> dict[str, str]:
    zh = [row.zh for code, row in rights.ROLES.items() if code in look.actor.roles]
    return {"name": look.actor.name, "role": f"{look.actor.name}（{'、'.join(zh)}）"}


def told(done: str, number: str = "") -> str:
    """What the banner says after a deed: `done` names it (a step, or a deed of DONE), or asked:<step>."""
    verb = done.removeprefix("asked:")
    row = lifecycle.STEPS.get(verb)
    what = DONE.get(done) or (row.zh if row else "")
    if not what:
        return ""
    if done.startswith("asked:"):
        return f"{number} 的{what}申请提交了，等另一个人批。"
    return f"{number} {what}。" if done in DONE else f"{number} {what}办好了。"


def back_to(path: str, done: str, number: str = "") -> Response:
    glue = "&" if "?" in path else "?"
    return redirect(f"{path}{glue}done={done}{f'&about={number}' if number else ''}", 303)  # type: ignore[return-value]


def near(look: Work, kind: str, thing: Any, but: str = "") -> list[dict[str, Any]]:
    """Issues near a clue or an issue that may be the same thing, nearest first, each with a picture."""
    if thing.lon is None or thing.lat is None:
        return []
    at = siting.site_wgs84(look, thing.lon, thing.lat, thing.accuracy_m, "")
    found = []
    for one in siting.near(look, kind, at, thing.outline):
        if one.issue.number == but or (one.verdict == "other" and one.distance_m > desk.NEIGHBOUR_M):
            continue
        shots = rows.photos(look, one.issue, rights.view_of(look.actor.roles))
        found.append({
            "number": one.issue.number, "state": one.issue.state, "distance_m": round(one.distance_m),
            "same": one.verdict in ("join", "still_visible"), "words": VERDICTS[one.verdict],
            "unit": look.place.units[one.issue.lead_unit or ""].name if one.issue.lead_unit in look.place.units else "",
            "kind_zh": PROBLEMS[one.issue.kind].zh, "open": one.issue.state in lifecycle.OPEN,
            "photo": shots[0]["url"] + "?size=320" if shots else None,
        })  # fmt: skip
    return found[:4]


VERDICTS = {
    "join": "距离在同一件的范围里", "still_visible": "整改后又看到，可能没改好", "relapse": "原处已销号，疑似反弹",
    "recurrence": "以前在这里办过", "other": "同种类，隔得远些",
}  # fmt: skip


def frame(photo: dict[str, Any], base: str, size: int = 960) -> dict[str, Any]:
    """One photo as the photo macro takes it."""
    stage = lifecycle.PHOTO_STAGES.get(photo.get("stage", "report"), "")
    at = photo.get("taken_at") or photo.get("received_at") or ""
    return {
        "zh": stage, "src": f"{base}?size={size}", "at": at[5:16].replace("T", " "), "href": f"{base}?size=2048",
        "error_m": round(photo["accuracy_m"]) if photo.get("accuracy_m") else None, "gone": photo.get("lost", False),
        "source": {"app": "手机", "exif": "相机"}.get(str(photo.get("source") or ""), ""),
    }  # fmt: skip


FLAG_WORDS = {
    "no_position": "没有位置", "elsewhere": f"离点超过 {FENCE_M:.0f} 米", "no_time": "没有拍摄时间",
    "old": "拍得比上一步还早", "similar": "和别件的照片很像",
}  # fmt: skip
