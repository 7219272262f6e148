"""Where the days of a calendar year come from: the `holidays` package, the State Council's yearly
notice as pasted text, or a CSV file.

Pure: text or a year in, day rows out; storing them and moving dues is somebody else's deed. Every
fault of a text is named at once, and nothing is guessed: a half-pasted notice is refused.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from itertools import zip_longest

import holidays

from patrol.errors import BadInput, Fault
from patrol.rules.calendar import DayKind

FIRST_YEAR, LAST_YEAR = 2008, 2099
LONGEST_TEXT = 20_000
FESTIVALS = ("元旦", "春节", "清明", "劳动", "端午", "中秋", "国庆")
_WEEKDAYS = "一二三四五六日"
_CSV_KINDS: dict[str, DayKind] = {
    "work": "work", "上班": "work", "班": "work", "off": "off", "放假": "off", "休": "off", "休息": "off",
}  # fmt: skip


@dataclass(frozen=True)
class YearDays:
    """The days of one year that differ from Monday to Friday, in order.

    A notice may also move days at the end of the year before: those rows stand here too. Storing it
    replaces every row of `year` and sets the others.
    """

    year: int
    days: tuple[tuple[date, DayKind], ...]
    names: Mapping[date, str] = field(default_factory=dict)


def seed_year(year: int) -> list[tuple[date, DayKind]]:
    """Days of that year that differ from Monday to Friday, as the `holidays` package knows them."""
    return list(seed_days(year).days)


@lru_cache(maxsize=16)
def seed_days(year: int) -> YearDays:
    """As `seed_year`, with the names of the holidays."""
    known = holidays.country_holidays("CN", years=year, language="zh_CN")
    rows: dict[date, DayKind] = {day: "off" for day in known if day.year == year and day.weekday() < 5}
    rows.update((day, "work") for day in known.weekend_workdays if day.year == year)
    names = {day: str(known.get(day) or "调休上班") for day in rows}
    return YearDays(year, tuple(sorted(rows.items())), names)


def seed_confirmed(year: int) -> bool:
    """Whether the package knows that year's notice, or only its rules.

    Every notice since 2004 moved at least one weekend day to work; a year without one is an estimate.
    """
    return any(kind == "work" for _, kind in seed_days(year).days)


def parse_notice(text: str) -> YearDays:
    """The days of 《国务院办公厅关于……年部分节假日安排的通知》, pasted whole."""
    if len(text) > LONGEST_TEXT:
        raise BadInput(Fault("text", "too_long", "内容太长，只粘贴通知正文。"))
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    # The body names its year; a pasted page may carry links to other years' notices.
    told = re.search(r"现将(\d{4})年", plain) or re.search(r"(\d{4})年部分节假日安排", plain)
    if told is None:
        raise BadInput(Fault("text", "no_year", "没找到是哪一年的通知，请连标题一起粘贴。"))
    reading = _Gathering(int(told.group(1)))
    if not FIRST_YEAR <= reading.year <= LAST_YEAR:
        raise BadInput(Fault("text", "bad_year", f"年份 {reading.year} 不对，请核对通知。"))
    heads, tail = [], ""
    for name, tail in _clauses(plain):
        heads.append(name)
        reading.clause(name, tail)
    missing = [festival for festival in FESTIVALS if not any(festival in name for name in heads)]
    if missing:
        reading.fault("text", "missing", f"通知不全，缺：{'、'.join(missing)}。")
    if "节假日期间" not in tail:
        # Without the closing paragraph the last make-up workdays may have been cut off unseen.
        reading.fault("text", "cut", "通知结尾“节假日期间……”没有粘贴上，可能不全。")
    return reading.finish()


def parse_day_csv(text: str, year: int) -> YearDays:
    """Rows `日期,类型[,名称]`: 2027-02-14,上班 or 2027/2/5,放假,春节. A heading line may stand first."""
    if len(text) > LONGEST_TEXT:
        raise BadInput(Fault("text", "too_long", "文件太大，一年的节假日只有几十行。"))
    reading = _Gathering(year)
    for number, row in enumerate(csv.reader(text.lstrip("\ufeff").splitlines()), start=1):
        cells = [unicodedata.normalize("NFKC", cell).strip() for cell in row]
        if not any(cells) or (number == 1 and cells[0] in ("日期", "date", "on")):
            continue
        where = f"line {number}"
        match = re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", cells[0])
        day = reading.day(where, *map(int, match.groups())) if match else None
        kind = _CSV_KINDS.get(cells[1].lower()) if len(cells) > 1 else None
        if match is None:
            reading.fault(where, "bad_date", f"第 {number} 行的日期“{cells[0]}”读不出来，写成 2027-02-14。")
        if kind is None:
            reading.fault(where, "bad_kind", f"第 {number} 行要写“上班”或“放假”。")
        if day is not None and kind is not None:
            reading.mark(where, day, kind, cells[2][:32] if len(cells) > 2 else "")
    if not reading.rows and not reading.faults:
        reading.fault("text", "empty", "没有读到任何一天。")
    return reading.finish()


def _clauses(plain: str) -> Iterator[tuple[str, str]]:
    """The numbered clauses 一、元旦:…, each with its sentences about days."""
    heads = list(re.finditer(r"[一二三四五六七八九十]、([^:。;]{2,12}):", plain))
    for head, following in zip_longest(heads, heads[1:]):
        yield head.group(1), plain[head.end() : following.start() if following else None]


class _Gathering:
    """Rows and faults gathered while a text is read."""

    def __init__(self, year: int) -> None:
        self.year = year
        self.rows: dict[date, DayKind] = {}
        self.names: dict[date, str] = {}
        self.faults: list[Fault] = []

    def fault(self, where: str, code: str, sentence: str) -> None:
        self.faults.append(Fault(where, code, sentence))

    def clause(self, name: str, words: str) -> None:
        rested = False
        for sentence in re.split(r"[。;]", words):
            start = 0
            for verb in re.finditer("放假|上班", sentence):
                days = self._days_in(name, sentence[start : verb.start()])
                start = verb.end()
                if verb.group() == "上班":
                    for day in days:
                        self.mark(name, day, "work", "调休上班")
                    continue
                rested = rested or bool(days)
                for day in days:
                    self.mark(name, day, "off", name)
                told = re.match(r"(?:调休)?,?(?:共)?(\d{1,4})天", sentence[start:])
                if told and days and int(told.group(1)) != len(days):
                    self.fault(name, "bad_count", f"{name}写共 {told.group(1)} 天，日期却有 {len(days)} 天。")
        if not rested:
            self.fault(name, "no_days", f"{name}没有读到放假日期。")

    def _days_in(self, name: str, words: str) -> list[date]:
        """Days named in `1月1日(周四)至3日(周六)` or `9月20日(周日)、10月10日(周六)`."""
        days: list[date] = []
        month, year = 0, self.year
        end_of_last = 0
        # A weekday stands in brackets, alone or after the lunar day: (农历正月初七、周一).
        for match in re.finditer(r"(?:(\d{4})年)?(?:(\d{1,2})月)?(\d{1,2})日(?:\(([^)]*)\))?", words):
            if match.group(2):
                month = int(match.group(2))
                in_new_year = "元旦" in name and month == 12
                year = int(match.group(1) or self.year - in_new_year)
            day = self.day(name, year, month, int(match.group(3)))
            if day is None:
                continue
            self._check_weekday(name, day, match.group(4) or "")
            joined = re.fullmatch("至|到|[-–—~]+", words[end_of_last : match.start()])
            end_of_last = match.end()
            if joined and days:
                first = days[-1]
                length = (day - first).days
                if not 0 < length <= 15:
                    self.fault(name, "bad_range", f"{name}的起止日期不对：{first} 至 {day}。")
                    continue
                days.extend(first + timedelta(days=i) for i in range(1, length + 1))
            else:
                days.append(day)
        return days

    def day(self, where: str, year: int, month: int, number: int) -> date | None:
        try:
            day = date(year, month, number)
        except ValueError:
            self.fault(where, "bad_date", f"没有 {year} 年 {month} 月 {number} 日这一天。")
            return None
        if day.year != self.year and (day.year, day.month) != (self.year - 1, 12):
            self.fault(where, "other_year", f"{day} 不属于 {self.year} 年的安排。")
            return None
        return day

    def _check_weekday(self, name: str, day: date, bracket: str) -> None:
        told = re.search(r"(?:周|星期)([一二三四五六日天])", bracket)
        if told and told.group(1).replace("天", "日") != _WEEKDAYS[day.weekday()]:
            real = _WEEKDAYS[day.weekday()]
            self.fault(name, "bad_weekday", f"{day} 写的是周{told.group(1)}，实际是周{real}，请核对年份。")

    def mark(self, where: str, day: date, kind: DayKind, name: str) -> None:
        if self.rows.get(day, kind) != kind:
            self.fault(where, "twice", f"{day} 既写放假又写上班。")
        if kind == "work" and day.weekday() < 5:
            self.fault(where, "not_weekend", f"{day} 是周{_WEEKDAYS[day.weekday()]}，本来就上班，请核对。")
        self.rows[day] = kind
        self.names[day] = name

    def finish(self) -> YearDays:
        if self.faults:
            raise BadInput(self.faults)
        differs = {day: kind for day, kind in self.rows.items() if kind == "work" or day.weekday() < 5}
        return YearDays(self.year, tuple(sorted(differs.items())), {day: self.names[day] for day in sorted(differs)})
