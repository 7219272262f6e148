"""The desk's page of rewards: the office proposes, officers decide, two persons pay, the counter pays out by code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request

from patrol.actions import payout, rewards, sealing
from patrol.errors import BadInput, Missing, PatrolError
from patrol.queries import rewards as rows
from patrol.rules import rewards as law
from patrol.station import Work
from patrol.web import access, answers, limits, parse
from patrol.web.access import door, station
from patrol.web.desk_shell import back_to, bp, page, told
from patrol.web.rewards import TRIES_A_MINUTE


@door(bp, "GET", "/desk/rewards")
def list_rewards() -> Response:
    args = parse.query_args(request, ("done", "about"))
    with station().look(access.actor()) as look:
        return draw(look, done=told(args.get("done", ""), args.get("about", "")))


def draw(look: Work, *, done: str = "", sent: dict[str, Any] | None = None, status: int = 200) -> Response:
    every = rows.listing(look)
    amounts = law.amounts_of(look.settings.reward_amounts)
    return page(
        look, "rewards", "/desk/rewards", status, done=done, sent=sent or {"faults": []}, crumbs=[{"zh": "奖励"}],
        open_=[row for row in every if row["state"] == "applied"],
        granted=[row for row in every if row["state"] == "granted"],
        paying=[row for row in every if row["state"] in ("batched", "payable")],
        past=[row for row in reversed(every) if row["state"] in ("paid", "refused")][:40],
        batches=rows.batches(look), may=_may(look),
        grades=[{"value": code, "zh": f"{row.zh} {amounts[code]} 元", "when": row.when} for code, row in law.GRADES.items()],
        merits=[merit.zh for merit in law.MERITS],
    )  # fmt: skip


def _may(look: Work) -> dict[str, Any]:
    """What this person may do here, so that no button leads to a refusal."""
    return {act: look.actor.has(*row.who) for act, row in law.ACTS.items()} | {
        "mark": look.actor.has("office_head", "admin"), "keys": sealing.takes_identities(look), "me": look.actor.name,
    }  # fmt: skip


Deed = Callable[[Work, dict[str, Any]], str]


def _version(parts: dict[str, Any]) -> int:
    return access.whole(str(parts.get("version") or ""), "version")


def _act(deed: Callable[..., Any], *names: str) -> Deed:
    def run(work: Work, parts: dict[str, Any]) -> str:
        more = [str(parts.get(name) or "") for name in names]
        return str(deed(work, str(parts.get("number") or ""), _version(parts), *more).number)

    return run


def _claim(work: Work, parts: dict[str, Any]) -> str:
    limits.slow("tips", TRIES_A_MINUTE)
    return payout.claim(work, str(parts.get("code") or "")[:64], bool(parts.get("not_staff"))).number


def _mark(work: Work, parts: dict[str, Any]) -> str:
    numbers = str(parts.get("numbers") or "").replace("，", " ").replace(",", " ").split()
    rewards.mark_staff(work, str(parts.get("name") or ""), numbers)
    return ""


DEEDS: dict[str, Deed] = {
    "propose": _act(rewards.propose, "grade", "words"), "grant": _act(rewards.grant, "grade", "words"),
    "refuse": _act(rewards.refuse, "words"), "pay": _act(payout.pay),
    "batch": lambda work, parts: payout.batch(work, parts.get("rewards") or []).number,
    "approve": lambda work, parts: payout.approve(work, str(parts.get("number") or "")).number,
    "cancel": lambda work, parts: payout.cancel(work, str(parts.get("number") or "")).number,
    "claim": _claim, "mark": _mark,
}  # fmt: skip
_SAID = {"refuse": "refuse_reward", "approve": "approve_batch", "cancel": "cancel_batch"}


@door(bp, "POST", "/desk/rewards/<deed>")
def do_reward(deed: str) -> Response:
    if deed not in DEEDS:
        raise Missing
    parts = parse.form_body(request, many=("rewards",))
    try:
        with station().work(access.actor()) as work:
            number = DEEDS[deed](work, parts)
    except PatrolError as error:
        faults = [f.sentence for f in error.faults] if isinstance(error, BadInput) else [error.sentence]
        with station().look(access.actor()) as look:
            kept = {"number": parts.get("number", ""), "words": parts.get("words", ""), "faults": faults}
            return draw(look, sent=kept, status=answers.status_of(error))
    return back_to("/desk/rewards", _SAID.get(deed, deed), number)
