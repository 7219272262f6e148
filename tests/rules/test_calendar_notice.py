"""Days of a year from the package, the pasted notice and CSV; every fault at once."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrol.actions.calendar import YearDays, parse_day_csv, parse_notice, seed_confirmed, seed_year
from patrol.errors import BadInput
from patrol.rules.calendar import SHANGHAI, Calendar

CLOSING = "节假日期间，各地区、各部门要妥善安排好值班和安全、保卫、疫情防控等工作。\n\n国务院办公厅\n{}"

# The day clauses of the published notices; wording has changed over the years, so four forms.
NOTICES = {
    2026: """国务院办公厅关于2026年
部分节假日安排的通知
国办发明电〔2025〕7号

各省、自治区、直辖市人民政府，国务院各部委、各直属机构：
　　经国务院批准，现将2026年元旦、春节、清明节、劳动节、端午节、中秋节和国庆节放假调休日期的具体安排通知如下。
　　一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。1月4日（周日）上班。
　　二、春节：2月15日（农历腊月二十八、周日）至23日（农历正月初七、周一）放假调休，共9天。2月14日（周六）、2月28日（周六）上班。
　　三、清明节：4月4日（周六）至6日（周一）放假，共3天。
　　四、劳动节：5月1日（周五）至5日（周二）放假调休，共5天。5月9日（周六）上班。
　　五、端午节：6月19日（周五）至21日（周日）放假，共3天。
　　六、中秋节：9月25日（周五）至27日（周日）放假，共3天。
　　七、国庆节：10月1日（周四）至7日（周三）放假调休，共7天。9月20日（周日）、10月10日（周六）上班。
　　鼓励单位和个人结合落实带薪年休假等制度，实际形成较长假期。"""
    + CLOSING.format("2025年11月4日"),
    2025: """经党中央、国务院批准，自2025年1月1日起，全体公民放假的假日增加2天，其中春节、劳动节各增加1天。
按照上述原则，现将2025年元旦、春节、清明节、劳动节、端午节、中秋节和国庆节放假调休日期的具体安排通知如下。
一、元旦：1月1日（周三）放假1天，不调休。
二、春节：1月28日（农历除夕、周二）至2月4日（农历正月初七、周二）放假调休，共8天。1月26日（周日）、2月8日（周六）上班。
三、清明节：4月4日（周五）至6日（周日）放假，共3天。
四、劳动节：5月1日（周四）至5日（周一）放假调休，共5天。4月27日（周日）上班。
五、端午节：5月31日（周六）至6月2日（周一）放假，共3天。
六、国庆节、中秋节：10月1日（周三）至8日（周三）放假调休，共8天。9月28日（周日）、10月11日（周六）上班。
"""
    + CLOSING.format("2024年11月12日"),
    2024: """国务院办公厅关于2024年部分节假日安排的通知
一、元旦：1月1日放假，与周末连休。
二、春节：2月10日至17日放假调休，共8天。2月4日（星期日）、2月18日（星期日）上班。鼓励各单位结合带薪年休假等制度落实，安排职工在除夕（2月9日）休息。
三、清明节：4月4日至6日放假调休，共3天。4月7日（星期日）上班。
四、劳动节：5月1日至5日放假调休，共5天。4月28日（星期日）、5月11日（星期六）上班。
五、端午节：6月10日放假，与周末连休。
六、中秋节：9月15日至17日放假调休，共3天。9月14日（星期六）上班。
七、国庆节：10月1日至7日放假调休，共7天。9月29日（星期日）、10月12日（星期六）上班。
"""
    + CLOSING.format("2023年10月25日"),
    2023: """现将2023年元旦、春节、清明节、劳动节、端午节、中秋节和国庆节放假调休日期的具体安排通知如下。
一、元旦：2022年12月31日至2023年1月2日放假调休，共3天。
二、春节：1月21日至27日放假调休，共7天。1月28日（星期六）、1月29日（星期日）上班。
三、清明节：4月5日放假，共1天。
四、劳动节：4月29日至5月3日放假调休，共5天。4月23日（星期日）、5月6日（星期六）上班。
五、端午节：6月22日至24日放假调休，共3天。6月25日（星期日）上班。
六、中秋节、国庆节：9月29日至10月6日放假调休，共8天。10月7日（星期六）、10月8日（星期日）上班。
"""
    + CLOSING.format("2022年12月8日"),
}
NEW_YEAR_2019 = "一、元旦：2018年12月30日至2019年1月1日放假调休，共3天。2018年12月29日（星期六）上班。"
NOTICE_2019 = (
    "现将2019年元旦、春节、清明节、劳动节、端午节、中秋节和国庆节放假调休日期的具体安排通知如下。"
    + NEW_YEAR_2019
    + """二、春节：2月4日至10日放假调休，共7天。2月2日（星期六）、2月3日（星期日）上班。
三、清明节：4月5日放假，与周末连休。
四、劳动节：5月1日放假。
五、端午节：6月7日放假，与周末连休。
六、中秋节：9月13日放假，与周末连休。
七、国庆节：10月1日至7日放假调休，共7天。9月29日（星期日）、10月12日（星期六）上班。
"""
    + CLOSING.format("2018年12月4日")
)


def faults_of(text: str) -> dict[str, list[str]]:
    with pytest.raises(BadInput) as caught:
        parse_notice(text)
    codes: dict[str, list[str]] = {}
    for fault in caught.value.faults:
        codes.setdefault(fault.code, []).append(fault.sentence)
    return codes


@pytest.mark.parametrize("year", NOTICES)
def test_a_pasted_notice_reads_as_the_package_knows_the_year(year: int) -> None:
    read = parse_notice(NOTICES[year])
    assert read.year == year
    assert [row for row in read.days if row[0].year == year] == seed_year(year)


def test_a_notice_may_move_the_end_of_the_year_before() -> None:
    days = dict(parse_notice(NOTICE_2019).days)
    assert days[date(2018, 12, 29)] == "work" and days[date(2018, 12, 31)] == "off"
    assert days[date(2019, 1, 1)] == "off"


def test_december_before_new_year_needs_no_year() -> None:
    short = NOTICES[2023].replace("2022年12月31日至2023年1月2日", "12月31日至1月2日")
    assert parse_notice(short) == parse_notice(NOTICES[2023])


def test_names_of_the_days_are_kept() -> None:
    names = parse_notice(NOTICES[2026]).names
    assert names[date(2026, 10, 1)] == "国庆节" and names[date(2026, 10, 10)] == "调休上班"


def test_importing_the_notice_confirms_the_year_and_moves_its_days() -> None:
    """What an import does: rows of the year are replaced, the year joins `confirmed`."""
    estimate = Calendar(dict(seed_year(2027)), frozenset({2026}), version="a")
    notice_2027 = """国务院办公厅关于2027年部分节假日安排的通知
一、元旦：1月1日（周五）至3日（周日）放假，共3天。
二、春节：2月5日（周五）至12日（周五）放假调休，共8天。1月31日（周日）、2月20日（周六）上班。
三、清明节：4月3日（周六）至5日（周一）放假，共3天。
四、劳动节：5月1日（周六）至5日（周三）放假调休，共5天。5月8日（周六）上班。
五、端午节：6月9日（周三）放假1天，不调休。
六、中秋节：9月15日（周三）放假1天，不调休。
七、国庆节：10月1日（周五）至7日（周四）放假调休，共7天。9月26日（周日）、10月9日（周六）上班。
""" + CLOSING.format("2026年11月5日")  # the form is real, the arrangement of 2027 is made up
    read = parse_notice(notice_2027)
    imported = Calendar(dict(read.days), estimate.confirmed | {read.year}, version="b")
    spring = datetime(2027, 2, 4, 16, tzinfo=SHANGHAI)
    assert estimate.rests_on_estimate(spring, spring) and not imported.rests_on_estimate(spring, spring)
    assert estimate.add(spring, 6 * 3600, "working") == datetime(2027, 2, 11, 16, tzinfo=SHANGHAI)
    assert imported.add(spring, 6 * 3600, "working") == datetime(2027, 2, 15, 16, tzinfo=SHANGHAI)
    assert imported.is_workday(date(2027, 2, 20)) and not estimate.is_workday(date(2027, 2, 20))


def test_every_year_of_the_package_with_a_notice_is_confirmed() -> None:
    assert all(seed_confirmed(year) for year in range(2008, 2027))
    assert not any(seed_confirmed(year) for year in range(2027, 2032))
    assert seed_year(2031)  # a year without a notice still has its holidays


def test_faults_are_named_all_at_once() -> None:
    wrong = (
        NOTICES[2026]
        .replace("10月10日（周六）上班", "10月10日（周日）上班")
        .replace("共9天", "共8天")
        .replace("5月9日（周六）", "5月32日")
        .replace("9月20日（周日）", "9月21日")
        .replace("五、端午节：6月19日（周五）至21日（周日）放假，共3天。", "")
    )
    codes = faults_of(wrong)
    assert codes["bad_weekday"] == ["2026-10-10 写的是周日，实际是周六，请核对年份。"]
    assert codes["bad_count"] == ["春节写共 8 天，日期却有 9 天。"]
    assert codes["bad_date"] == ["没有 2026 年 5 月 32 日这一天。"]
    assert codes["not_weekend"] == ["2026-09-21 是周一，本来就上班，请核对。"]
    assert codes["missing"] == ["通知不全，缺：端午。"]


def test_a_notice_with_another_years_number_is_found_out() -> None:
    assert len(faults_of(NOTICES[2026].replace("2026年", "2027年"))["bad_weekday"]) > 10


def test_a_cut_notice_is_refused() -> None:
    text = NOTICES[2026]
    assert "missing" in faults_of(text[: text.index("六、中秋节")])
    assert "cut" in faults_of(text[: text.index("9月20日")])
    assert "no_days" in faults_of(text[: text.index("10月1日（周四）")])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "no_year"),
        ("今天放假", "no_year"),
        ("关于1999年部分节假日安排的通知", "bad_year"),
        ("关于2026年部分节假日安排的通知", "missing"),
        ("一" * 20_001, "too_long"),
    ],
)
def test_text_that_is_no_notice(text: str, code: str) -> None:
    assert code in faults_of(text)


def test_a_day_both_off_and_at_work() -> None:
    text = NOTICES[2026].replace("10月10日（周六）", "10月3日（周六）")
    assert faults_of(text)["twice"] == ["2026-10-03 既写放假又写上班。"]


def test_dates_backwards_or_of_another_year() -> None:
    codes = faults_of(NOTICES[2026].replace("4月4日（周六）至6日（周一）", "4月6日（周一）至4日（周六）"))
    assert codes["bad_range"] == ["清明节的起止日期不对：2026-04-06 至 2026-04-04。"]
    assert "other_year" in faults_of(NOTICES[2026].replace("三、清明节：4月4日", "三、清明节：2027年4月4日"))


@given(st.data())
def test_a_damaged_notice_is_read_or_refused_never_a_crash(data: st.DataObject) -> None:
    text = NOTICES[data.draw(st.sampled_from(list(NOTICES)))]
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    put = data.draw(st.text("年月日至周六共天放假上班:：、。()0123456789\u0000", max_size=12))
    try:
        assert parse_notice(text[:begin] + put + text[end:]).days
    except BadInput as error:
        assert error.faults


@given(st.text("日期,类型上班放假\n\r\"' 0123456789-/\u0000\u2028", max_size=80))
def test_any_csv_is_read_or_refused_never_a_crash(text: str) -> None:
    try:
        assert parse_day_csv(text, 2027).year == 2027
    except BadInput as error:
        assert error.faults


# --- CSV --------------------------------------------------------------------------------------------


def test_csv_with_heading_names_and_both_date_forms() -> None:
    text = "\ufeff日期,类型,名称\n2027-02-05,放假,除夕\n2027/2/20,上班\n\n2027-02-06,off\n"
    assert parse_day_csv(text, 2027) == YearDays(
        2027,
        ((date(2027, 2, 5), "off"), (date(2027, 2, 20), "work")),
        {date(2027, 2, 5): "除夕", date(2027, 2, 20): ""},
    )


def test_csv_faults_name_their_lines_all_at_once() -> None:
    text = "2027-02-30,放假\n昨天,放假\n2027-02-05,也许\n2026-05-01,放假\n2027-02-08,上班\n只有日期"
    with pytest.raises(BadInput) as caught:
        parse_day_csv(text, 2027)
    found = [(fault.where, fault.code) for fault in caught.value.faults]
    assert found == [
        ("line 1", "bad_date"),
        ("line 2", "bad_date"),
        ("line 3", "bad_kind"),
        ("line 4", "other_year"),
        ("line 5", "not_weekend"),
        ("line 6", "bad_date"),
        ("line 6", "bad_kind"),
    ]


@pytest.mark.parametrize("text", ["", "日期,类型\n", "\n\n"])
def test_an_empty_csv_is_a_fault(text: str) -> None:
    with pytest.raises(BadInput, match="没有读到任何一天"):
        parse_day_csv(text, 2027)
