"""Opening hours and shifts -> week masks: 336 half-hours, half-hour 0 is Monday 00:00-00:30.

Takes OSM opening-hours text (parsed by a library) or shifts; gives NumPy arrays. Public holidays are left aside: the week
asked about is an ordinary one of the season that the shifts are given for.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import opening_hours
from numpy.typing import NDArray

from planner.errors import InputError
from planner.study import Shift

# The stubs of the library name it in the compiled module only.
_ParserError: type[Exception] = opening_hours.ParserError  # type: ignore[attr-defined]
HALF_HOURS = 336
OSM_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
# An ordinary week: a Monday to a Sunday, no public holiday, far from changes of season.
_WEEK_START = dt.datetime(2026, 3, 9)
_HALF_HOUR = dt.timedelta(minutes=30)
_ON_TOP = r"(?:错时(?:制|延时|开放|服务)?|延时(?:开放|服务)?|AB岗(?:值守|轮值|值班)?|[AB]岗)"
_WORDS = {"全天": "24/7", "24小时": "24/7", "全天候": "24/7", "全天开放": "24/7", "24h": "24/7"}
_DAYS = {f"{week}{day}": osm for week in ("周", "星期") for day, osm in zip("一二三四五六日", OSM_DAYS, strict=True)}
_DAYS |= {"每天": "Mo-Su", "每日": "Mo-Su", "工作日": "Mo-Fr"}


def in_osm_syntax(text: str) -> str:
    """Return opening hours as the OSM specification writes them; full-width signs and common Chinese words are understood.

    Raises:
        InputError: the text is no opening hours.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    for sign, osm in (("—", "-"), ("–", "-"), ("~", "-"), ("至", "-"), ("到", "-"), ("、", ",")):
        plain = plain.replace(sign, osm)
    plain = _WORDS.get(plain.replace(" ", "").lower(), plain)
    # Staggered hours 错时制 and a backup rota AB岗 come on top of the ordinary hours: OSM's additional rules, set off by a comma.
    plain = re.sub(r"[;,\s]*" + _ON_TOP + r"[:\s]*", lambda word: ", " if word.start() else "", plain)
    for word, day in _DAYS.items():
        plain = plain.replace(word, day)
    try:
        opening_hours.OpeningHours(plain)
    except _ParserError as error:
        raise InputError("hours_unreadable", text=text) from error
    return plain


@cache
def _mask_bytes(text: str) -> bytes:
    mask = np.zeros(HALF_HOURS, dtype=bool)
    week_end = _WEEK_START + HALF_HOURS * _HALF_HOUR
    parsed = opening_hours.OpeningHours(in_osm_syntax(text))
    for begin, end, state, _ in parsed.intervals(_WEEK_START, week_end):
        if str(state) != "open":
            continue
        # A half-hour counts only where the door is open throughout: a promise that is half kept is not kept.
        first = -((_WEEK_START - max(begin, _WEEK_START)) // _HALF_HOUR)
        last = (min(end or week_end, week_end) - _WEEK_START) // _HALF_HOUR
        mask[first:last] = True
    return mask.tobytes()


def week_mask(text: str) -> NDArray[np.bool_]:
    """Return which half-hours of the week are open throughout: shape (336,), bool.

    An empty text means hours unknown: never open, so that nothing is promised that nobody has written down.

    Raises:
        InputError: the text is no opening hours.
    """
    if not text.strip():
        return np.zeros(HALF_HOURS, dtype=bool)
    return np.frombuffer(_mask_bytes(text), dtype=bool).copy()


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
