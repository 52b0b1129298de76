import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.hours import week_mask
from planner.words import LANGS, Lang, say
from planner.words.wording import (
    amount,
    count,
    harmless,
    hours,
    hours_changed,
    listed,
    metres,
    money,
    people,
    percent,
    sentences,
)


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        (
            "Mo-Fr 09:00-17:00; Sa,Su 10:00-16:00",
            "周一至周五 9:00–17:00;周六、周日 10:00–16:00",
            "Mon–Fri 9:00–17:00; Sat, Sun 10:00–16:00",
        ),
        ("Mo-Su 04:30-10:00,15:00-22:00", "每天 4:30–10:00、15:00–22:00", "daily 4:30–10:00, 15:00–22:00"),
        ("24/7", "全天 24 小时", "24 hours a day"),
        ("Mo 08:00-12:00, Tu 13:00-17:00", "周一 8:00–12:00;周二 13:00–17:00", "Mon 8:00–12:00; Tue 13:00–17:00"),
        ("Sa, Su 00:00-06:00", "周六、周日 0:00–6:00", "Sat, Sun 0:00–6:00"),
        ("", "不明", "unknown"),
        ("Mo-Fr 09:00-17:00; PH off", "Mo-Fr 09:00-17:00; PH off", "Mo-Fr 09:00-17:00; PH off"),
        ("Apr-Oct Mo-Su 05:00-22:00", "Apr-Oct Mo-Su 05:00-22:00", "Apr-Oct Mo-Su 05:00-22:00"),
    ],
)
def test_opening_hours_read_like_speech(text: str, zh: str, en: str) -> None:
    assert hours("zh", text).replace("\uff1b", ";") == zh
    assert hours("en", text) == en


@given(
    st.sets(st.sampled_from(["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"]), min_size=1),
    st.integers(0, 46).flatmap(lambda begin: st.tuples(st.just(begin), st.integers(begin + 1, 47))),
)
def test_hours_in_chinese_are_read_back_as_the_same_week(days: set[str], span: tuple[int, int]) -> None:
    begin, end = (f"{half // 2:02d}:{half % 2 * 30:02d}" for half in span)
    text = f"{','.join(sorted(days))} {begin}-{end}"
    assert (week_mask(hours("zh", text)) == week_mask(text)).all()


def test_figures_are_rounded_alike_everywhere() -> None:
    assert [percent(v) for v in (0.0, 0.05864, 1.0, None)] == ["0.0%", "5.9%", "100.0%", "—"]
    # What is not nothing, or not all, never reads as if it were; what sums of floats leave behind is no share.
    assert [percent(v) for v in (0.0004, 0.9996, 1e-17, 1 - 1e-15)] == ["<0.1%", ">99.9%", "0.0%", "100.0%"]
    assert [percent(v, 0) for v in (0.0007, 0.006, 0.9965)] == ["<1%", "1%", ">99%"]
    assert say("en", "app.gap_reason", reason="x", share=0.0007) == "x <1%"
    assert people(0.02) == "<0.1"
    assert [metres(v) for v in (0.4, 1051.8, None, float("nan"))] == ["0", "1,052", "—", "—"]
    assert [people(v) for v in (0, 0.44, 3.0, 9.94, 9.96, 10.2, 2235.8)] == [
        "0",
        "0.4",
        "3",
        "9.9",
        "10",
        "10",
        "2,236",
    ]
    assert [money(v) for v in (20.0, 22.8, 0.56, 1234.5, 0.004)] == ["20", "22.8", "0.56", "1,234.5", "0"]
    assert [amount(v) for v in (20.0, 0.56)] == ["20.00", "0.56"]


@given(st.floats(0, 1e9))
def test_money_in_a_sentence_says_the_same_as_in_a_column(value: float) -> None:
    assert float(money(value).replace(",", "")) == float(amount(value).replace(",", ""))


def test_one_and_many() -> None:
    assert count("en", 1, "site") == "1 existing site"
    assert count("en", 1200, "site") == "1,200 existing sites"
    assert count("zh", 1, "site") == "1个现有站点"


def test_lists_and_sentences() -> None:
    assert [listed("en", words) for words in ([], ["A"], ["A", "B"], ["A", "B", "C"])] == [
        "",
        "A",
        "A and B",
        "A, B and C",
    ]
    assert listed("zh", ["甲", "乙", "丙"]) == "甲、乙和丙"
    for lang, joint in zip(LANGS, ("", " "), strict=True):
        assert sentences(lang, "A.", "", "B.") == f"A.{joint}B."


@pytest.mark.parametrize("lang", LANGS)
def test_hours_that_stay_are_told_once(lang: Lang) -> None:
    assert hours_changed(lang, "Mo-Su 09:00-17:00", "Mo-Su 09:00-17:00") == hours(lang, "Mo-Su 09:00-17:00")
    both = hours_changed(lang, "", "24/7")
    assert hours(lang, "") in both and hours(lang, "24/7") in both


def test_harmless_text_keeps_everything_that_can_be_read() -> None:
    assert harmless("a\x00\x07b\ud800\ufffe🚹<&\n") == "ab🚹<&\n"
