import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InputError
from planner.hours import (
    HALF_HOURS,
    OSM_DAYS,
    in_osm_syntax,
    in_season,
    label,
    perhaps_on_12_hours,
    week_mask,
    week_profile,
)
from planner.study import Shift


def half_hours(text: str) -> list[int]:
    return np.flatnonzero(week_mask(text)).tolist()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("周一至周五 9:00-17:00；错时 周一至周五 17:00-20:00", "Mo-Fr 09:00-20:00"),
        ("Mo-Fr 09:00-12:00,14:00-17:00; AB岗 Mo-Fr 12:00-14:00", "Mo-Fr 09:00-17:00"),
        ("9:00-17:00，错时制：6:00-8:00；AB岗值守：17:00-18:00", "06:00-08:00,09:00-18:00"),
        ("错时开放 每天 5:00-9:00", "05:00-09:00"),
        ("A岗 08:00-14:00、B岗 14:00-20:00", "08:00-20:00"),
    ],
)
def test_staggered_hours_and_a_backup_rota_come_on_top(text: str, same: str):
    assert (week_mask(text) == week_mask(same)).all() and week_mask(text).any()


def test_bank_hours_fill_sixteen_half_hours_on_each_weekday():
    expected = [day * 48 + h for day in range(5) for h in range(18, 34)]
    assert half_hours("Mo-Fr 09:00-17:00") == expected


def test_a_half_hour_counts_only_when_open_throughout():
    assert half_hours("Mo 08:45-10:10") == [18, 19]


def test_night_hours_wrap_into_the_next_day_and_the_week_into_itself():
    mask = week_mask("Mo-Su 22:00-06:00")
    assert mask[:12].all() and mask[44:60].all() and not mask[12:44].any()


def test_round_the_clock_and_unknown_hours():
    assert week_mask("24/7").all()
    assert not week_mask("").any() and not week_mask("  ").any()


@pytest.mark.parametrize(
    ("typed", "osm"),
    [
        ("周一至周五 9:00-17:00", "Mo-Fr 09:00-17:00"),
        ("每天 04:30~10:00", "Mo-Su 04:30-10:00"),
        ("全天", "24/7"),
        ("星期六、星期日 10:00-16:00", "Sa,Su 10:00-16:00"),
        ("工作日 9:00—17:00", "Mo-Fr 09:00-17:00"),
        ("24小时营业", "24/7"),
        ("7*24小时", "24/7"),
        ("周一至周日全天", "24/7"),
        ("周一-周五8:30-17:00", "Mo-Fr 08:30-17:00"),
        ("星期一至星期五：8:00-17:00", "Mo-Fr 08:00-17:00"),
        ("周一至周五8:00-18:00，周六、周日9:00-17:00", "Mo-Fr 08:00-18:00; Sa,Su 09:00-17:00"),
        ("周一到周六 08:00—20:00;周日休息", "Mo-Sa 08:00-20:00"),
        ("8:00-12:00，14:00-18:00（周末休息）", "Mo-Fr 08:00-12:00,14:00-18:00"),
        ("8:00-17:30 周末除外", "Mo-Fr 08:00-17:30"),
        ("8:30-17:00(法定节假日除外)", "08:30-17:00"),
        ("8:00-20:00（节假日照常营业）", "08:00-20:00"),
        ("9:00-17:00 周一至周五", "Mo-Fr 09:00-17:00"),
        ("周一,周三,周五 9:00-17:00", "Mo,We,Fr 09:00-17:00"),
        ("上午8:30-12:00，下午2:00-5:30", "08:30-12:00,14:00-17:30"),
        ("早8点-晚8点半", "08:00-20:30"),
        ("晚上10点到早上6点", "22:00-06:00"),
        ("晚10:00-6:00", "22:00-06:00"),
        ("早8点到晚12点", "08:00-24:00"),
        ("晚12点-早6点", "00:00-06:00"),
        ("晚上12:30-2:00", "00:30-02:00"),
        ("晚上6:00-12:00", "18:00-24:00"),
        ("凌晨12:00-6:00", "00:00-06:00"),
        ("下午2点到凌晨12点半", "14:00-24:30"),
        ("早8点-凌晨2点", "08:00-26:00"),
        ("中午12点-1点，下午1:30-5:00", "12:00-13:00,13:30-17:00"),
        ("中午11:30-1:30", "11:30-13:30"),
        ("周五 22:00-次日早上6:00", "Fr 22:00-30:00"),
        ("9:00-17:00 每周一闭馆", "Tu-Su 09:00-17:00"),
        ("08.00-17.00", "08:00-17:00"),
        ("营业时间：8:00-21:30", "08:00-21:30"),
    ],
)
def test_chinese_wording_means_what_osm_says(typed: str, osm: str):
    assert (week_mask(typed) == week_mask(osm)).all() and week_mask(osm).any()


@pytest.mark.parametrize("typed", ["9:00-12:00；14:00-17:00", "周一至周日 9:00-12:00; 14:00-17:00"])
def test_two_spells_of_a_day_are_both_kept_whatever_sets_them_apart(typed: str):
    # To OSM a semicolon would let the second undo the first.
    assert (week_mask(typed) == week_mask("09:00-12:00,14:00-17:00")).all()


@pytest.mark.parametrize(
    "typed",
    [
        "May-Sep 05:00-10:00; Oct-Apr 08:00-10:00",
        "夏季 5:00-10:00；冬季 8:00-10:00",
        "夏天5:00-10:00；冬天8:00-10:00",
        "5月-9月5:00-10:00，10月至4月8:00-10:00",
    ],
)
def test_hours_that_hang_on_months_are_settled_for_the_season(typed: str):
    osm = in_osm_syntax(typed)
    found = {season: week_mask(in_season(osm, season)) for season in ("summer", "winter", "")}
    assert (found["summer"] == week_mask("05:00-10:00")).all()
    assert (found["winter"] == week_mask("08:00-10:00")).all() and (found[""] == found["winter"]).all()
    assert in_season("Mo-Fr 09:00-17:00", "summer") == "Mo-Fr 09:00-17:00" and in_season("", "summer") == ""
    assert in_season("Jun-Aug 05:00-10:00", "winter") == "off"


def test_a_cell_without_end_is_refused_at_once():
    with pytest.raises(InputError, match="cannot be read"):
        in_osm_syntax("周一" * 100_000 + "9:00-17:00")


def test_hours_over_midnight_reach_into_monday():
    assert half_hours("Su 22:00-06:00") == [*range(12), *range(332, 336)]
    assert half_hours("Mo 18:00-26:00") == [*range(36, 52)]


def test_public_holidays_are_aside():
    assert (week_mask("Mo-Fr 09:00-17:00; PH off") == week_mask("Mo-Fr 09:00-17:00")).all()
    assert not week_mask("PH 09:00-17:00").any()


def test_what_is_only_a_comment_is_no_promise():
    weekdays = week_mask("Mo-Fr 09:00-17:00")
    for typed in ('Mo-Fr 09:00-17:00 || "by appointment"', 'Mo-Fr 09:00-17:00, Sa "by appointment"'):
        assert (week_mask(typed) == weekdays).all(), typed
    assert (week_mask("Mo-Fr 09:00-17:00 || Sa 10:00-12:00") == week_mask("Mo-Fr 09:00-17:00; Sa 10:00-12:00")).all()
    assert week_mask('Mo 09:00-10:00 open "ask at the counter"').sum() == 2


@pytest.mark.parametrize(
    "typed",
    [
        "上班时间",
        "9点到5点",
        "=1+1",
        "<script>",
        "25:00-26:00-27:00",
        "Mo-Fr 9-17",
        "周一至周五",
        "13月 5:00-9:00",
        "看情况",
        "(((",
        "8:00-",
    ],
)
def test_what_is_no_opening_hours_is_refused(typed: str):
    with pytest.raises(InputError, match="cannot be read"):
        in_osm_syntax(typed)


@given(day=st.integers(0, 6), start=st.integers(0, 46), length=st.integers(1, 47))
def test_a_mask_has_just_the_half_hours_that_were_written(day: int, start: int, length: int):
    stop = min(start + length, 48)
    text = f"{OSM_DAYS[day]} {label(start)}-{label(stop) if stop < 48 else '24:00'}"
    assert half_hours(text) == [day * 48 + h for h in range(start, stop)]


def test_shifts_share_the_group_and_add_up_where_they_overlap():
    profile = week_profile(
        [Shift(name="a", hours="Mo 04:00-06:00", share=3), Shift(name="b", hours="Mo 05:00-07:00", share=1)]
    )
    assert profile.shape == (HALF_HOURS,)
    assert profile[8:14].tolist() == [0.75, 0.75, 1.0, 1.0, 0.25, 0.25]
    assert profile.sum() == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("typed", "span"),
    [
        ("9:00-5:00", "9:00-5:00"),
        ("Mo-Fr 08:30 - 05:30", "08:30 - 05:30"),
        ("周一至周五 8:00-12:00，2:00-5:00；周六9:00-4:00", "9:00-4:00"),
        ("8:00-8:00", "8:00-8:00"),
        # Nights, and days that end at midnight or on the day that is named.
        ("18:00-06:00", ""),
        ("12:00-02:00", ""),
        ("08:00-00:00", ""),
        ("00:00-00:00", ""),
        ("9:00-次日5:00", ""),
        ("晚10:00-6:00", ""),
        ("24/7", ""),
        ("", ""),
    ],
)
def test_hours_that_may_be_on_a_clock_of_12(typed: str, span: str):
    assert perhaps_on_12_hours(in_osm_syntax(typed) if typed else "") == span
