"""Group robots of WeCom, DingTalk and Feishu: one message out, one verdict back.

Delivered means HTTP 200 *and* the vendor's own code 0 in a JSON object; everything else raises OutOfReach
with what to do next (`wait_s`, `stop`). This file must not decide when to try again (the errand's ladder
does), must not touch the database, and never lets a robot's address or secret into a repr, log or error.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote_plus, urlsplit

from patrol.errors import OutOfReach
from patrol.gateways import robotline
from patrol.gateways.cards import Message
from patrol.gateways.pace import CALL_LIMIT_S

#: A vendor that says how long to wait is obeyed up to this; beyond it our own ladder decides.
RETRY_AFTER_MOST_S = 300


@dataclass(frozen=True)
class Ack:
    """The vendor took the message: its code (0) and its words."""

    code: int
    detail: str


@dataclass(frozen=True)
class Robot:
    """One group's robot. Subclasses are the brands; `near` marks a robot on this machine (trials)."""

    group: str
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    near: bool = False
    limit_s: float = CALL_LIMIT_S

    brand: ClassVar[str]
    name: ClassVar[str]
    host: ClassVar[str]
    path: ClassVar[re.Pattern[str]]
    key_field: ClassVar[str | None]
    code_fields: ClassVar[tuple[str, ...]] = ("errcode",)
    text_fields: ClassVar[tuple[str, ...]] = ("errmsg",)
    rate_codes: ClassVar[frozenset[int]]
    rate_wait_s: ClassVar[int] = 60
    stop_codes: ClassVar[dict[int, str]]
    busy_codes: ClassVar[frozenset[int]] = frozenset({-1})

    def send(self, message: Message, *, now: datetime) -> Ack:
        """Send one message and return the vendor's receipt.

        Raises OutOfReach(sentence, code, wait_s, stop) whenever there is none: `facts["wait_s"]` is the
        least wait in seconds or None, `facts["stop"]` says that this channel will not work again by itself.
        """
        if now.tzinfo is None:
            raise ValueError("now needs a time zone")
        if message.brand != self.brand:
            raise ValueError(f"a {message.brand} message for a {self.brand} robot")
        body = json.dumps(self.payload(message, now), ensure_ascii=False).encode()
        answer = robotline.post(self.address(now), body, limit_s=self.limit_s, near=self.near)
        return self.read(answer, now)

    def address(self, now: datetime) -> str:
        """The URL to post to, signed where the brand signs there."""
        return self.url

    def payload(self, message: Message, now: datetime) -> dict[str, Any]:
        """The vendor's JSON for one message. It never mentions anybody."""
        raise NotImplementedError

    def read(self, answer: robotline.Answer, now: datetime) -> Ack:
        """The verdict on an answer."""
        said = _json_object(answer.body)
        code = self._code(said) if said is not None else None
        wait_s = _retry_after_s(answer.retry_after, now)
        if answer.status == 200 and said is not None and code == 0:
            return Ack(0, self._words(said))
        if code is not None and code != 0:
            raise self._refusal(code, self._words(said or {}), wait_s)
        if answer.status == 429:
            raise self._no("发送过于频繁，被限流", "rate_limited", wait_s or self.rate_wait_s)
        if 300 <= answer.status < 400:
            raise self._no("要求转到别的地址，已拒绝；请核对机器人网址", "redirected", wait_s)
        if answer.status != 200:
            raise self._no(f"答复 HTTP {answer.status}，不算送达", f"http_{answer.status}", wait_s)
        raise self._no("的答复不是约定的格式，不算送达", "not_understood", wait_s)

    def _refusal(self, code: int, words: str, wait_s: int | None) -> OutOfReach:
        tail = f"（{self.brand} {code} {words}）"
        if code in self.rate_codes:
            return self._no(f"发送过于频繁，被限流{tail}", "rate_limited", max(wait_s or 0, self.rate_wait_s))
        if code in self.stop_codes:
            return self._no(f"已停用：{self.stop_codes[code]}{tail}", "channel_stopped", wait_s, stop=True)
        if code in self.busy_codes:
            return self._no(f"系统繁忙{tail}", "busy", wait_s)
        return self._no(f"没有收下{tail}", f"vendor_{code}", wait_s)

    def _no(self, words: str, code: str, wait_s: int | None, stop: bool = False) -> OutOfReach:
        return OutOfReach(f"{self.name}群机器人（{self.group}）{words}。", code, wait_s=wait_s, stop=stop)

    def _code(self, said: dict[str, Any]) -> int | None:
        """The vendor's code; None unless every code field present is a whole number. Non-zero wins."""
        codes = [said[name] for name in self.code_fields if name in said]
        if not codes or any(type(code) is not int for code in codes):
            return None
        return next((code for code in codes if code != 0), 0)

    def _words(self, said: dict[str, Any]) -> str:
        words = next((said[name] for name in self.text_fields if isinstance(said.get(name), str)), "")
        for hidden in self._hidden():
            words = words.replace(hidden, "…")
        return "".join(char for char in words if char.isprintable())[:160]

    def _hidden(self) -> list[str]:
        """Everything of address and secret that an answer might echo."""
        parts = urlsplit(self.url)
        values = [value for _, value in parse_qsl(parts.query)]
        found = [self.secret, self.url, parts.path.rpartition("/")[2], *values]
        return sorted((text for text in found if len(text) >= 6), key=len, reverse=True)


class WeCom(Robot):
    """企业微信: no signature; the key in the address is the whole secret."""

    brand = "wecom"
    name = "企业微信"
    host = "qyapi.weixin.qq.com"
    path = re.compile(r"/cgi-bin/webhook/send")
    key_field = "key"
    rate_codes = frozenset({45009, 45033})
    stop_codes = {93000: "机器人网址（key）无效，请重新复制网址"}

    def payload(self, message: Message, now: datetime) -> dict[str, Any]:
        return {"msgtype": message.form, message.form: {"content": message.content}}


class DingTalk(Robot):
    """钉钉: signature in the query; over the limit it blocks for ten minutes."""

    brand = "dingtalk"
    name = "钉钉"
    host = "oapi.dingtalk.com"
    path = re.compile(r"/robot/send")
    key_field = "access_token"
    rate_codes = frozenset({130101, 410100})
    rate_wait_s = 600
    stop_codes = {
        310000: "加签、关键词（巡护）或来源 IP 不符，请核对机器人的安全设置和本机时间",
        300001: "机器人网址（access_token）无效，请重新复制网址",
        400013: "群已解散",
        400101: "机器人网址（access_token）无效，请重新复制网址",
        400102: "机器人被停用",
        400106: "机器人已不在群里",
    }

    def address(self, now: datetime) -> str:
        if not self.secret:
            return self.url
        timestamp_ms = str(int(now.timestamp() * 1000))
        sign = quote_plus(dingtalk_sign(timestamp_ms, self.secret))
        return f"{self.url}&timestamp={timestamp_ms}&sign={sign}"

    def payload(self, message: Message, now: datetime) -> dict[str, Any]:
        at = {"atMobiles": [], "atUserIds": [], "isAtAll": False}
        if message.form == "markdown":
            # DingTalk joins lines unless two blanks end them.
            text = message.content.replace("\n", "  \n")
            return {"msgtype": "markdown", "markdown": {"title": "巡护", "text": text}, "at": at}
        return {"msgtype": "text", "text": {"content": message.content}, "at": at}


class Feishu(Robot):
    """飞书: signature in the body; old robots answer `StatusCode`, new ones `code`, some both."""

    brand = "feishu"
    name = "飞书"
    host = "open.feishu.cn"
    path = re.compile(r"/open-apis/bot/v2/hook/[A-Za-z0-9\-]+")
    key_field = None
    code_fields = ("code", "StatusCode")
    text_fields = ("msg", "StatusMessage")
    rate_codes = frozenset({11232, 11233})
    stop_codes = {
        19001: "机器人网址无效，请重新复制网址",
        19007: "机器人被停用",
        19021: "加签不符，请核对密钥和本机时间",
        19022: "来源 IP 不在白名单",
        19024: "缺少关键词（巡护），请改机器人的安全设置",
    }

    def payload(self, message: Message, now: datetime) -> dict[str, Any]:
        said: dict[str, Any] = {"msg_type": "text", "content": {"text": message.content}}
        if self.secret:
            timestamp_s = str(int(now.timestamp()))
            said |= {"timestamp": timestamp_s, "sign": feishu_sign(timestamp_s, self.secret)}
        return said


#: brand -> class; another brand is a class and a row here, and its limits in `cards.LIMITS_BYTES`.
BRANDS: dict[str, type[Robot]] = {kind.brand: kind for kind in (WeCom, DingTalk, Feishu)}


def dingtalk_sign(timestamp_ms: str, secret: str) -> str:
    """Base64 of HMAC-SHA-256 over `timestamp\\nsecret`, keyed with the secret.

    >>> dingtalk_sign("1700000000000", "SECexampleonly0000")
    'l8JansAEAiOsA7sA1VSDUFzJNnYPtGU24h21ugbTF/A='
    """
    said = f"{timestamp_ms}\n{secret}".encode()
    return base64.b64encode(hmac.new(secret.encode(), said, hashlib.sha256).digest()).decode()


def feishu_sign(timestamp_s: str, secret: str) -> str:
    """Base64 of HMAC-SHA-256 over nothing, keyed with `timestamp\\nsecret`."""
    key = f"{timestamp_s}\n{secret}".encode()
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()


def _json_object(body: bytes) -> dict[str, Any] | None:
    """The one JSON object in `body`; None for anything else, doubled names included."""
    try:
        said = json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _retry_after_s(text: str | None, now: datetime) -> int | None:
    """Retry-After in whole seconds, at most 300; None when absent, past or no time at all."""
    if not text:
        return None
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,20}", text):
        wait_s = int(text)
    else:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        if at.tzinfo is None:
            return None
        wait_s = int((at - now).total_seconds())
    return min(wait_s, RETRY_AFTER_MOST_S) if wait_s > 0 else None
