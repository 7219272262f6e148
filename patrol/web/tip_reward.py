"""The reward part of the reporter's page: what the card says, and what its two forms do. The code stays in the body."""

from __future__ import annotations

from typing import Any

from patrol.actions import merits, rewards
from patrol.actions.tips import REPORTER
from patrol.errors import BadInput, Refused, WrongStep
from patrol.queries import rewards as rows
from patrol.station import Work
from patrol.web import fields, hand_fields
from patrol.web.access import station

SHOWN = frozenset({"closed"})
DEEDS = frozenset({"reward", "payee"})


def standing(look: Work, code: str) -> dict[str, Any]:
    """Where the reward of a code stands."""
    return rows.of_code(look, *merits.standing(look, code))


def card(look: Work, code: str, state: str) -> dict[str, Any] | None:
    """What the page shows of a reward: nothing before the thing is done, unless there is an application already."""
    told = standing(look, code)
    return told if told["state"] != "none" or state in SHOWN else None


def deed(code: str, sent: dict[str, Any]) -> tuple[str, str]:
    """Apply, or say how to be paid: a sentence of what was done, or of what is wrong."""
    try:
        if sent.get("deed") == "reward":
            with station().work(REPORTER) as work:
                rewards.apply(work, code)
            return "奖励申请收到了，10 个工作日内有结果。", ""
        given = {"code": code, "way": str(sent.get("way") or "counter")}
        if given["way"] == "transfer":
            given |= {f"payee.{name}": str(sent.get(name) or "").strip() for name in hand_fields.PayeeWho.model_fields}
        body = fields.read_form(hand_fields.PayeeIn, given)
        with station().work(REPORTER) as work:
            rewards.payee(work, code, body.way, body.payee.model_dump() if body.payee else None)
        return "领取方式记下了。", ""
    except (BadInput, WrongStep, Refused) as error:
        return "", error.sentence
