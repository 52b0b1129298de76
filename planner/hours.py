"""Opening hours and shifts -> week masks: 336 half-hours, half-hour 0 is Monday 00:00-00:30.

Takes OSM opening-hours text (parsed by a library) or shifts; gives NumPy arrays. Public holidays are left aside. Hours that hang on months
are settled once, where a table is read (`in_season`); everything after knows one ordinary week.
"""

import calendar
import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import opening_hours
from numpy.typing import NDArray

from planner.errors import InputError
from planner.study import Shift

# The stubs of the library name it in the compiled module only.
_ParserError: type[Exception] = opening_hours.ParserError  # type: ignore[attr-defined]
HALF_HOURS = 336
Interval = tuple[dt.datetime, dt.datetime | None, Any, str]
OSM_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
# Ordinary weeks: a Monday to a Sunday, no public holiday, in the middle of a season; of words of the user's own, March.
_WEEK_STARTS = {"summer": dt.datetime(2026, 7, 13), "winter": dt.datetime(2026, 1, 12)}
_WEEK_START = dt.datetime(2026, 3, 9)
_MINUTE = dt.timedelta(minutes=1)
_DAY = rf"(?:{'|'.join(OSM_DAYS)})"
# OSM's own values have at most 255 characters; no week takes more than this.
_LONGEST = 500
_MONTHS = r"[A-Z][a-z]{2}-[A-Z][a-z]{2}"
_CLOCK = r"\d{1,2}:\d\d"
_SPANS = rf"{_CLOCK}-{_CLOCK}(?:,{_CLOCK}-{_CLOCK})*"
_DAYS = {
    f"{week}{day}": osm for week in ("周", "星期", "礼拜") for day, osm in zip("一二三四五六日", OSM_DAYS, strict=True)
}
_DAYS |= {"周天": "Su", "星期天": "Su", "礼拜天": "Su"}
_DAYS |= dict.fromkeys(("每天", "每日", "天天", "周一至周日"), "Mo-Su") | dict.fromkeys(("工作日", "平日"), "Mo-Fr")
_DAYS |= dict.fromkeys(("周末", "双休日"), "Sa,Su")
# What people write in lists, one after the other, to the OSM specification's syntax.
_REWRITTEN: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"[—–~～]|至|到", "-"),
    (r"、", ","),
    # The summer and winter timetables of offices, K.
    (r"夏[季令天](?:时间)?:?", " May-Sep "),
    (r"冬[季令天](?:时间)?:?", " Oct-Apr "),
    (r"(\d{1,2})月(?:份)?", lambda found: f" {_month(found[1])} "),
    (r"[()]", " "),
    (r"[每逢](?=周|星期|礼拜)", ""),
    (r"全年无休|节假日(?:照常|正常)?(?:营业|开放)?无?休?(?=$|[;,\s])|(?:正常|照常)(?:营业|开放)", ""),
    (r"(?:7\s*[x×*]\s*24|24\s*[x×*]\s*7)(?:小时|h)?|全天候|(?:全天|24\s*(?:小时|h))+", "全天"),
    (r"全天(?:开放|营业|服务|运营)", "全天"),
    # Staggered hours 错时制 and a backup rota AB岗 come on top of the ordinary hours: OSM's additional rules, set off by a comma.
    (r"[;,\s]*(?:错时(?:制|延时|开放|服务)?|延时(?:开放|服务)?|AB岗(?:值守|轮值|值班)?|[AB]岗)[:\s]*", ", "),
    (r"(?:对外)?(?:营业|开放|服务|办公|开门)(?:时间)?:?(?=.*\d)|(?<=\d):?(?:对外)?(?:营业|开放|服务|办公)$", " "),
    (r"(\d{1,2})[点时]半", r"\1:30"),
    (r"(\d{1,2})[点时](\d{1,2})分?", r"\1:\2"),
    (r"(\d{1,2})[点时]整?", r"\1:00"),
    (r"(?<!\d)(\d{1,2})\.(\d\d)(?!\d)", r"\1:\2"),
    (r"(?:法定)?节假日", "PH"),
    (r"[;,\s]*([^;,\s\d]+)(?:除外|不含)", r"; \1 off"),
    (r"[;,\s]*(PH|周[一二三四五六日末天]|双休日)\s*(?:休息|不营业|不开放|闭馆|关闭)", r"; \1 off"),
    (r"休息|不营业|不开放|闭馆|关闭", "off"),
)
_WORD = r"(?:(上午|早上|早晨|清晨|早|凌晨|中午|下午|傍晚|晚上|晚):?\s*)?"
_NIGHT = ("晚上", "晚")
_SPOKEN = rf"{_WORD}({_CLOCK})(?:-(次日|翌日|第二天)?{_WORD}({_CLOCK}))?"


def in_osm_syntax(text: str) -> str:
    """Return opening hours as the OSM specification writes them; full-width signs and common Chinese wording are understood.

    Raises:
        InputError: the text is no opening hours.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if len(plain) > _LONGEST:
        raise InputError("hours_unreadable", text=f"{plain[:40]}…")
    osm = _from_chinese(plain) if re.search(r"[^\x00-\x7f]|24\s*(?:[x*]|h)|7\s*[x*]|\d\.\d\d", plain) else plain
    # A rule without a day would undo the one before it: whoever lists two spells of a day means both.
    osm = re.sub(rf"(?<=\d)\s*;\s*(?={_CLOCK}-)", ",", osm)
    # Days without hours are no promise of all 24, and 9点到5点 is no night: what is doubtful is asked about.
    doubtful = osm != plain and not re.search(r"\d|off", osm)
    if doubtful or (re.search(r"\d[点时]", plain) and any(map(_turned, re.findall(rf"{_CLOCK}-{_CLOCK}", osm)))):
        raise InputError("hours_unreadable", text=text)
    try:
        opening_hours.OpeningHours(osm)
    except _ParserError as error:
        raise InputError("hours_unreadable", text=text) from error
    return osm


def _month(number: str) -> str:
    return calendar.month_abbr[int(number)] if 1 <= int(number) <= 12 else f"{number}月"


def _from_chinese(text: str) -> str:
    """Return opening hours as Chinese lists have them in OSM's syntax, as far as they are understood."""
    for words, osm in _REWRITTEN:
        text = re.sub(words, osm, text)
    for word, osm in sorted(_DAYS.items(), key=lambda item: -len(item[0])):
        text = text.replace(word, f" {osm} ")
    text = re.sub(r"\s*([-,:;])\s*", r"\1", text).strip(" ,;:")
    text = re.sub(_SPOKEN, _on_24_hours, text)
    text = re.sub(rf"({_DAY}(?:[-,]{_DAY})*|{_MONTHS}):?\s*(?=\d)", r"\1 ", text)
    text = re.sub(rf"({_CLOCK})\s+(?={_CLOCK})", r"\1,", text)
    # The days may come last.
    text = re.sub(rf"^({_SPANS})\s+({_DAY}(?:[-,]{_DAY})*)$", r"\2 \1", text)
    text = "24/7" if text == "全天" else re.sub(r"\s*全天", " 00:00-24:00", text)
    # OSM sets a further rule off from the last by a blank; days of one rule have none between them.
    return re.sub(rf"(?<=\d),(?={_DAY}|{_MONTHS})|;(?=\S)", lambda sign: f"{sign[0]} ", re.sub(r"\s+", " ", text))


def _on_24_hours(found: re.Match[str]) -> str:
    """Return spoken hours on the clock of 24: 下午2:00-5:00 is 14:00-17:00, 晚6:00-12:00 goes to midnight, 晚10:00-6:00 beyond it."""
    word, begin, next_day, end_word, end = found.groups()
    if not (word or next_day or end_word):
        return found[0]
    # Twelve at night is where a day begins, unless it is an end.
    word = "凌晨" if word in _NIGHT and _minutes(begin) // 60 == 12 else word
    start = _of_day(word, begin)
    if end is None:
        return _written(start)
    stop, plain = _of_day(end_word or word, end), _minutes(end)
    if not end_word and stop <= start:
        stop = plain + 720 if plain // 60 == 12 else plain
    if next_day or (end_word == "凌晨" and stop <= start):
        stop += 1440
    return f"{_written(start)}-{_written(stop)}"


def _of_day(word: str | None, clock: str) -> int:
    """Return the minute of the day that a clock of 12 shows, by the word before it; 1440 and more for the hour after midnight."""
    minutes = _minutes(clock)
    if word == "凌晨":
        return minutes - 720 if minutes // 60 == 12 else minutes
    until = {"中午": 240, "下午": 720, "傍晚": 720}.get(word or "", 780 if word in _NIGHT else 0)
    return minutes + 720 if minutes < until else minutes


def _written(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


def _turned(span: str) -> bool:
    """Tell whether hours that begin in the morning end before they begin."""
    begin, end = map(_minutes, span.split("-"))
    return end <= begin < 720


def perhaps_on_12_hours(osm: str) -> str:
    """Return the first spell that begins in the morning and ends before it began, but not at midnight: 9:00-5:00; "" where none does.

    Read as it stands it goes on into the next day, 20 hours; who wrote it may have meant five in the afternoon.
    """
    spans = re.findall(rf"{_CLOCK}\s*-\s*{_CLOCK}", osm)
    return next((span for span in spans if _turned(span) and _minutes(span.split("-")[1]) >= 60), "")


def _minutes(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def _intervals(osm: str, week_start: dt.datetime) -> Iterator[Interval]:
    """Yield the states of a week. The library's own intervals lose what follows a fallback rule (``||``): there, minute by minute."""
    parsed = opening_hours.OpeningHours(osm)
    if "||" not in osm:
        yield from parsed.intervals(week_start, week_start + HALF_HOURS * 30 * _MINUTE)
        return
    for n in range(HALF_HOURS * 30):
        begin = week_start + n * _MINUTE
        yield begin, begin + _MINUTE, *parsed.state(begin)


@cache
def _mask_bytes(text: str, week_start: dt.datetime = _WEEK_START) -> bytes:
    is_open = np.zeros(HALF_HOURS * 30, dtype=bool)
    week_end = week_start + len(is_open) * _MINUTE
    osm = in_osm_syntax(text)
    for begin, end, state, comment in _intervals(osm, week_start):
        # A rule that is but a comment ("by appointment") is no promise; the library calls it open.
        if str(state) == "open" and not (comment and not re.search(r'open\s*"', osm)):
            first = (max(begin, week_start) - week_start) // _MINUTE
            is_open[first : (min(end or week_end, week_end) - week_start) // _MINUTE] = True
    # A half-hour counts only where the door is open throughout: a promise that is half kept is not kept.
    return bytes(is_open.reshape(HALF_HOURS, 30).all(axis=1).tobytes())


def week_mask(text: str) -> NDArray[np.bool_]:
    """Return which half-hours of the week are open throughout: shape (336,), bool.

    An empty text means hours unknown: never open, so that nothing is promised that nobody has written down.

    Raises:
        InputError: the text is no opening hours.
    """
    if not text.strip():
        return np.zeros(HALF_HOURS, dtype=bool)
    return np.frombuffer(_mask_bytes(text), dtype=bool).copy()


def in_season(text: str, season: str) -> str:
    """Return opening hours as they are in a season: those that hang on months are written out day by day, others stay as they are.

    Args:
        text: as `in_osm_syntax` gave it; empty: unknown.
        season: ``summer`` (mid July), ``winter`` (mid January); else March counts.
    """
    if not text or not any(month in text for month in calendar.month_abbr[1:]):
        return text
    masks = {start: _mask_bytes(text, start) for start in (_WEEK_START, *_WEEK_STARTS.values())}
    if len(set(masks.values())) == 1:
        return text
    return written_out(np.frombuffer(masks[_WEEK_STARTS.get(season, _WEEK_START)], dtype=bool)) or "off"


def written_out(mask: NDArray[np.bool_]) -> str:
    """Write a week mask day by day in OSM syntax; "" for never."""
    rules = []
    for day, open_then in zip(OSM_DAYS, mask.reshape(7, 48), strict=True):
        turns = np.flatnonzero(np.diff(np.concatenate([[False], open_then, [False]]).astype(np.int8)))
        spans = [f"{_clock(a)}-{_clock(b)}" for a, b in turns.reshape(-1, 2)]
        if spans:
            rules.append(f"{day} {','.join(spans)}")
    return "; ".join(rules)


def _clock(half_hour: int) -> str:
    return f"{half_hour // 2:02d}:{half_hour % 2 * 30:02d}"


def week_profile(shifts: Sequence[Shift]) -> NDArray[np.float64]:
    """Return which fraction of a group is at work in each half-hour of the week: shape (336,), float.

    Shares of the shifts are relative to each other; a half-hour worked by all shifts counts 1.
    """
    whole = sum(shift.share for shift in shifts)
    profile = np.zeros(HALF_HOURS)
    for shift in shifts:
        profile += week_mask(shift.hours) * (shift.share / whole)
    return profile


def label(half_hour: int) -> str:
    """Return the clock time at which a half-hour of the day begins: 9 -> "04:30"."""
    return f"{half_hour % 48 // 2:02d}:{half_hour % 2 * 30:02d}"
