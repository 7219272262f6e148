"""Cards for group robots: what one slip or notice says, and how many fit into one message.

A card holds only text that Patrol chose to show (slip number, kind, place name, unit, deadline, check
code); even so, every word of it is treated as if a stranger had written it. This file must not send
anything and must not know what an issue is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

#: Begins every message. DingTalk robots guarded by a keyword can use 巡护.
SIGN = "【巡护】"

#: brand -> form -> most bytes of `content` in UTF-8. WeCom's two are its documented limits. DingTalk and
#: Feishu count the whole request (20 kB each); a group message longer than 4096 bytes is not read.
LIMITS_BYTES: dict[str, dict[str, int]] = {
    "wecom": {"text": 2048, "markdown": 4096},
    "dingtalk": {"text": 4096, "markdown": 4096},
    "feishu": {"text": 4096},
}

_TITLE_BYTES = 240  # a longer title is shortened in the heading and said in full below it
_HEADING_BYTES = 64  # room for SIGN and the numbering line
_LINK_BYTES = 512
_AGAIN = re.compile(r"第 \d+ 次推送")
_LINK = re.compile(r"https?://[A-Za-z0-9.\-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~/%?=&#:,+\-]*)?")
_WIDE = str.maketrans("@<>&`*_[]#~|\\", "＠＜＞＆｀＊＿［］＃～｜＼")
_WIDE_START = {"-": "－", "+": "＋", "=": "＝"}
_SCHEME = re.compile(r":(?=//)")
_NAME_DOT = re.compile(r"(?<=\S)(?:\.(?=[^\s\d.])|[．。｡](?=[A-Za-z]))")
_FOUR_NUMBERS = re.compile(r"\d+\.\d+\.\d+\.\d+")


@dataclass(frozen=True)
class Card:
    """One slip or notice as a group sees it; `key` says which, and is never shown."""

    title: str
    lines: tuple[str, ...]
    link: str | None = None
    urgent: bool = False
    key: str = ""


@dataclass(frozen=True)
class Message:
    """One robot message, within its brand's byte limit; `keys` are the cards it carries, in order.

    A card too long for one message is carried by several: it has arrived when all of them have.
    """

    brand: str
    content: str
    keys: tuple[str, ...]
    part: int = 1
    parts: int = 1
    form: str = "text"


def numbered(card: Card, n: int) -> Card:
    """The card as its n-th push: from the second on it says so, that a duplicate is known for one.

    >>> numbered(Card("问题交办单", ("单位：城管",)), 3).lines
    ('第 3 次推送', '单位：城管')
    """
    if n < 1:
        raise ValueError("a push is counted from 1")
    lines = tuple(line for line in card.lines if not _AGAIN.fullmatch(line))
    return replace(card, lines=(f"第 {n} 次推送", *lines) if n > 1 else lines)


def plain(text: str) -> str:
    """One line of text in which no chat client finds markup, a link or a mention.

    Shortened to look like what was written: full-width twins for the characters with a meaning, a space
    after the dot of a host name, nothing invisible, no line breaks.

    >>> plain("@all 见 [这里](http://evil.example/a)")
    '＠all 见 ［这里］(http：//evil. example/a)'
    """
    kept = []
    for char in text:
        category = unicodedata.category(char)
        if category in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif category == "Cs":
            kept.append("\ufffd")
        elif category != "Cf":  # bidi overrides and zero-width joints hide what a text says
            kept.append(char)
    said = " ".join("".join(kept).split()).translate(_WIDE)
    said = _SCHEME.sub("：", said)
    said = _FOUR_NUMBERS.sub(lambda found: found[0].replace(".", ". "), said)
    said = _NAME_DOT.sub(lambda found: found[0] + " ", said)
    return _WIDE_START.get(said[:1], said[:1]) + said[1:]


def copied(card: Card) -> str:
    """The card as one text, for a person to paste into a group that has no robot."""
    return "\n".join([SIGN + _title(card), *_body(card, "text")])


def compose(cards: Sequence[Card], brand: str, form: str = "text") -> list[Message]:
    """Few messages that carry all `cards` in order, none above the brand's limit.

    Plain text by default: it is the one form that every client of the three vendors shows. A card is
    parted only when it alone is too long: between lines, and inside a line only between characters.
    """
    limit = LIMITS_BYTES[brand][form] - _HEADING_BYTES
    loads: list[list[tuple[str, str]]] = []  # per message: (key, block)
    room = 0
    for card in cards:
        for block in _blocks(card, form, limit):
            size = len(block.encode()) + 2
            if not loads or size > room:
                loads.append([])
                room = limit + 2  # the first block has no blank line before it
            loads[-1].append((card.key, block))
            room -= size
    parts = len(loads)
    return [
        Message(brand, _content(load, part, parts), tuple(key for key, _ in load), part, parts, form)
        for part, load in enumerate(loads, start=1)
    ]


def _content(load: Sequence[tuple[str, str]], part: int, parts: int) -> str:
    heading = SIGN
    if parts > 1:
        heading += f"（{part}/{parts}）"
    if len(load) > 1:
        heading += f"本条 {len(load)} 件"
    if parts > 1 or len(load) > 1:
        heading += "\n"
    return heading + "\n\n".join(block for _, block in load)


def _title(card: Card) -> str:
    return ("【急】" if card.urgent else "") + plain(card.title)


def _body(card: Card, form: str) -> list[str]:
    lines = [plain(line) for line in card.lines]
    if card.link is not None:
        if _LINK.fullmatch(card.link) and len(card.link) <= _LINK_BYTES:
            lines.append(f"[打开]({card.link})" if form == "markdown" else f"打开：{card.link}")
        else:
            lines.append("打开：" + plain(card.link))  # shown, but nothing to click
    return [line for line in lines if line]


def _blocks(card: Card, form: str, limit: int) -> Iterator[str]:
    """The card whole, or in pieces of at most `limit` bytes that each begin with its title."""
    title, lines = _title(card), _body(card, form)
    if len("\n".join([title, *lines]).encode()) <= limit:
        yield "\n".join([title, *lines])
        return
    if len(title.encode()) > _TITLE_BYTES:
        lines.insert(0, title)
        title = next(_slices(title, _TITLE_BYTES - 3)) + "…"
    room = limit - len((title + "（续）\n").encode())
    piece: list[str] = []
    used = 0
    first = True
    for line in [slice_ for whole in lines for slice_ in _slices(whole, room)]:
        size = len(line.encode()) + 1
        if piece and used + size > room + 1:
            yield "\n".join([title if first else title + "（续）", *piece])
            piece, used, first = [], 0, False
        piece.append(line)
        used += size
    yield "\n".join([title if first else title + "（续）", *piece])


def _slices(line: str, room: int) -> Iterator[str]:
    """`line` in pieces of at most `room` bytes, cut between characters only."""
    raw = line.encode()
    start = 0
    while len(raw) - start > room:
        end = start + room
        while raw[end] & 0xC0 == 0x80:  # a continuation byte: the character began earlier
            end -= 1
        yield raw[start:end].decode()
        start = end
    yield raw[start:].decode()
