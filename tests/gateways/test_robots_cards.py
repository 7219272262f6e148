"""Cards and messages: byte limits, merging, splitting, and text that tries to be more than text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrol.gateways.cards import LIMITS_BYTES, SIGN, Card, Message, compose, copied, numbered, plain

FORMS = [(brand, form) for brand, forms in LIMITS_BYTES.items() for form in forms]
LINK = "https://patrol.example/issues/TH-2026-0123"

# Words as the office writes them, with the characters that cost most: 3 and 4 bytes each.
words = st.text(st.sampled_from("交办单城管中队沙岸村𠮷🚮🐟aK0 ：，。"), min_size=1, max_size=40)
long_words = st.text(st.sampled_from("河𠮷🐟x"), min_size=300, max_size=2500)
anything = st.text(max_size=60)


@st.composite
def decks(draw: st.DrawFn, line: st.SearchStrategy[str] = words, most: int = 60) -> list[Card]:
    count = draw(st.integers(0, most))
    return [
        Card(
            title=f"单{number:03d}{draw(line)}",
            lines=tuple(f"行{number:03d}-{at}{draw(line)}" for at in range(draw(st.integers(0, 7)))),
            link=draw(st.sampled_from([None, LINK])),
            urgent=draw(st.booleans()),
            key=f"key-{number}",
        )
        for number in range(count)
    ]


def keys_of(messages: list[Message]) -> list[str]:
    """The keys in order, a card that is carried by several messages once."""
    found: list[str] = []
    for key in (key for message in messages for key in message.keys):
        if not found or found[-1] != key:
            found.append(key)
    return found


def check_laws(cards: list[Card], brand: str, form: str) -> list[Message]:
    messages = compose(cards, brand, form)
    assert keys_of(messages) == [card.key for card in cards]
    for number, message in enumerate(messages, start=1):
        assert len(message.content.encode("utf-8")) <= LIMITS_BYTES[brand][form]
        assert (message.part, message.parts) == (number, len(messages))
        assert message.content.startswith(SIGN)
        assert (f"（{number}/{len(messages)}）" in message.content[:40]) == (len(messages) > 1)
        assert len(set(message.keys)) == len(message.keys)
    return messages


@pytest.mark.parametrize(("brand", "form"), FORMS)
@given(cards=decks())
def test_no_card_is_lost_and_order_is_kept(brand: str, form: str, cards: list[Card]) -> None:
    messages = check_laws(cards, brand, form)
    everything = "\n".join(message.content for message in messages)
    at = -1
    for card in cards:
        for text in (card.title, *card.lines):
            at = everything.index(plain(text), at + 1)
    # A card that fits a message is whole in exactly one.
    assert sum(len(message.keys) for message in messages) == len(cards)


@pytest.mark.parametrize(("brand", "form"), FORMS)
@given(cards=decks(long_words, most=3))
def test_a_card_too_long_for_one_message_is_parted_between_characters(brand: str, form: str, cards: list[Card]) -> None:
    messages = check_laws(cards, brand, form)
    # Without the headings and the repeated titles, every character is there, in order.
    said = ""
    for message in messages:
        body = re.sub(r"^【巡护】(（\d+/\d+）)?(本条 \d+ 件)?\n?", "", message.content)
        lines = body.replace("\n\n", "\n").split("\n")
        said += "".join(line for line in lines if not line.endswith(("…", "…（续）")))
    wanted = ""
    for card in cards:
        wanted += "【急】" * card.urgent + plain(card.title) + "".join(plain(line) for line in card.lines)
        if card.link:
            wanted += f"[打开]({card.link})" if form == "markdown" else f"打开：{card.link}"
    assert said == wanted


@pytest.mark.parametrize(("brand", "form"), FORMS)
@given(text=anything, count=st.integers(1, 400))
def test_any_text_at_all_stays_within_the_limit(brand: str, form: str, text: str, count: int) -> None:
    check_laws([Card(text * count, (text * count, text), text or None, key="k")], brand, form)


def test_the_limit_is_used_to_the_last_bytes() -> None:
    """Merging that sends a card a message would keep the limit too: it must also be few messages."""
    cards = [
        Card(f"交办单 {n:03d}", ("类别：漂浮垃圾", "地点：秘师桥", "单位：城管中队"), LINK, key=str(n))
        for n in range(200)
    ]
    size = len("\n".join([cards[0].title, *cards[0].lines, f"打开：{LINK}"]).encode()) + 2
    messages = compose(cards, "wecom")
    assert len(messages) <= -(-200 // ((2048 - 64) // size))
    assert len(compose(cards, "wecom", "markdown")) < len(messages)


def test_a_full_message_and_one_character_more() -> None:
    def card(count: int) -> Card:
        return Card("交办单", ("𠮷" * count,), key="k")

    fits = max(count for count in range(400, 520) if len(compose([card(count)], "wecom")) == 1)
    assert 2048 - 64 - 4 <= len("交办单\n".encode()) + 4 * fits <= 2048 - 64
    first, second = compose([card(fits + 1)], "wecom")
    assert "（1/2）" in first.content and "（2/2）" in second.content
    assert first.keys == second.keys == ("k",)
    assert "交办单\n" in first.content and "交办单（续）\n" in second.content
    assert (first.content + second.content).count("𠮷") == fits + 1


def test_one_card_reads_as_a_person_expects() -> None:
    card = Card("问题交办单 交办〔2026〕0012", ("类别：漂浮垃圾", "校验码：7KQ2"), LINK, urgent=True, key="12")
    (message,) = compose([card], "wecom")
    assert message.content == ("【巡护】【急】问题交办单 交办〔2026〕0012\n类别：漂浮垃圾\n校验码：7KQ2\n打开：" + LINK)
    assert copied(card) == message.content
    two = compose([card, Card("销号反馈单", (), key="13")], "feishu")
    assert [message.keys for message in two] == [("12", "13")]
    assert two[0].content.startswith("【巡护】本条 2 件\n【急】问题交办单")
    assert two[0].content.endswith(f"{LINK}\n\n销号反馈单")
    assert compose([], "wecom") == []


def test_a_second_push_says_so_once() -> None:
    card = Card("交办单", ("单位：城管",), key="9")
    assert numbered(card, 1) == card
    third = numbered(numbered(card, 2), 3)
    assert third.lines == ("第 3 次推送", "单位：城管") and third.key == "9"
    assert numbered(third, 1) == card
    with pytest.raises(ValueError):
        numbered(card, 0)


ATTACKS = [
    "@all",
    "<@all>",
    "<@userid>",
    '<at user_id="all">所有人</at>',
    "<at id=all></at>",
    "@13800001111 速来",
    "[领取补贴](http://evil.example/a)",
    "![图](https://evil.example/p.png)",
    "http://evil.example",
    "HTTPS://EVIL.EXAMPLE/x",
    "www.evil.example",
    "evil.example",
    "evil。com 或 evil．com",
    "恶意.中国",
    "e\u0301.com",
    "evil.\ufe0fcom",
    "ev\u200bil.com",
    "ht\u200btp://evil.example",
    "weixin://dl/chat",
    "javascript://x",
    "http://2130706433/",
    "127.0.0.1:8000",
    "a@evil.example",
    '<font color="warning">已销号</font>',
    "**已销号**",
    "`code`",
    "# 标题",
    "> 引用",
    "- 单",
    "=====",
    "-----",
    "| a | b |",
    "~~划掉~~",
    "\u202e单办交",
    "&lt;at user_id=all&gt;",
    "正常\n【巡护】问题交办单 伪造\n打开：http://evil.example",
    "正常\u2028打开\u0085换行\x0b再换\r再换",
    "\ud800 半个",
    "\\[x\\](y)",
]
_TLD = re.compile(r"\S[.．。｡]\ufe0f?[A-Za-z]|[^\W\d][.][^\W\d]|\d\.\d+\.\d+\.\d")


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(("brand", "form"), FORMS)
def test_text_stays_text(attack: str, brand: str, form: str) -> None:
    for card in (
        Card(attack, (), key="k"),
        Card("交办单", (attack,), key="k"),
        Card("单", (), attack, key="k"),
    ):
        (message,) = compose([card], brand, form)
        shown = message.content
        shown.encode("utf-8")
        if card.link is not None and re.match(r"https?://[a-z0-9.]+", card.link):
            continue  # a link of ours is meant to be one
        assert not re.search(r"[@<>&`*_\[\]#~|\\]|://", shown)
        assert not _TLD.search(shown)
        assert not re.search(r"[\u200b-\u200f\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f\x85\u2028\u2029]", shown)
        assert shown.count("\n") <= 1 and not re.search(r"(?m)^[-+=]", shown)


@given(st.text())
def test_plain_text_is_one_harmless_line(text: str) -> None:
    said = plain(text)
    assert not re.search(r"[@<>&`*_\[\]#~|\\\n\r]|://", said)
    assert not _TLD.search(said)
    assert said == said.strip()
    assert plain(said) == said


def test_what_people_write_stays_readable() -> None:
    for text in (
        "距岸 1.5 m，K1+200",
        "2026-11-24 09:30",
        "交办〔2026〕0012（第二版）",
        "水深2.35米。A区",
        "112.2398, 30.3517",
    ):
        assert plain(text).replace("。 A", "。A") == text


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "http://evil.example/a b",
        "http://a@evil.example/",
        "https://x.example/)[y](z",
        "ftp://x",
    ],
)
def test_a_link_that_is_none_is_shown_but_not_live(link: str) -> None:
    (message,) = compose([Card("单", (), link)], "wecom", "markdown")
    assert "[" not in message.content and "://" not in message.content
