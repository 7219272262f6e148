"""Every way Patrol says no: one class a kind, a stable code, a Chinese sentence.

Raised by actions, queries and gateways; turned into HTTP, terminal or page answers elsewhere
(`patrol.web.guard`, `patrol.cli`). Nothing here knows how an error is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input: where it is, a stable code, a sentence for a person."""

    where: str
    code: str
    sentence: str


class PatrolError(Exception):
    """Base of every refusal. `code` is stable for machines, `sentence` is for people."""

    code = "error"
    sentence = "出错了，写的还在。"

    def __init__(self, sentence: str | None = None, code: str | None = None, **facts: Any) -> None:
        super().__init__(sentence or self.sentence)
        self.sentence = sentence or self.sentence
        self.code = code or self.code
        self.facts = facts


class BadInput(PatrolError):
    """What was sent cannot be taken; every fault is named at once."""

    code = "bad_input"
    sentence = "填的内容有问题。"

    def __init__(self, faults: Iterable[Fault] | Fault | str, **facts: Any) -> None:
        if isinstance(faults, str):
            faults = [Fault("", "bad_input", faults)]
        elif isinstance(faults, Fault):
            faults = [faults]
        self.faults = list(faults)
        super().__init__("；".join(fault.sentence for fault in self.faults) or None, **facts)


class Malformed(PatrolError):
    """The bytes are not the format they claim to be (400), or of a type not taken (415)."""

    code = "malformed"
    sentence = "发来的内容读不出来，请重发。"


class NotSignedIn(PatrolError):
    """No valid session or token."""

    code = "not_signed_in"
    sentence = "请先登录。登录过期时写的还在，登录后接着办。"


class Refused(PatrolError):
    """This person may not do this, here, now."""

    code = "refused"
    sentence = "您没有办这件事的权限。"


class Missing(PatrolError):
    """Absent, or out of the asker's scope: the two are never told apart."""

    code = "missing"
    sentence = "没有这一件，或不归您看。"


class WrongStep(PatrolError):
    """The step does not exist from this state."""

    code = "wrong_step"
    sentence = "这一步现在不能办。"


class Clash(PatrolError):
    """The same client id came with another body (409)."""

    code = "clash"
    sentence = "同一编号已报过别的内容，没有再存。"


class Stale(PatrolError):
    """Someone else changed it first: the caller's version is old (412)."""

    code = "stale"
    sentence = "别人刚改过，先看新的再办。"


class NeedsVersion(PatrolError):
    """A change was sent without saying which version it rests on (428)."""

    code = "needs_version"
    sentence = "请带上版本号（If-Match）再提交。"


class TooMuch(PatrolError):
    """Too large (413) or too often (429, with `retry_after_s`)."""

    code = "too_much"
    sentence = "太大或太频繁，请稍后再试。"


class OutOfReach(PatrolError):
    """An outside service did not do what was asked; the only error the retry ladder retries."""

    code = "out_of_reach"
    sentence = "外部服务没有接通，稍后自动再试。"


class NoRoom(PatrolError):
    """The disk gate is closed (507): nothing was stored."""

    code = "no_room"
    sentence = "存储空间不足，这次没有存下，请稍后再试或打电话 0716-8686001。"


class Misconfigured(PatrolError):
    """Settings that cannot work; raised at start-up only, exit code 2."""

    code = "misconfigured"
    sentence = "设置有误。"
