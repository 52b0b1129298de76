"""Figures and lists of a result as people write them: 1,234 · 56.7 % · 周一至周五 9:00–17:00 · A, B and C.

Takes plain values and a language, gives text. Rounds only here, so that a figure reads the same in every document. Every word comes
from the catalogue's section ``document``.
"""

import math
import re
from collections.abc import Sequence

from planner.words import Lang, has, say, share

_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


def percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction as a percentage; a dash where there is none. What is not nothing, or not all, never reads as if it were."""
    return "—" if value is None or not math.isfinite(value) else share(value, digits)


def metres(value: float | None) -> str:
    """Return a distance in whole metres; a dash where there is none."""
    return "—" if _missing(value) else f"{value:,.0f}"


def people(value: float | None) -> str:
    """Return a number of people: whole from ten on, up to one decimal below, some never as none; a dash where unknown."""
    if value is None or not math.isfinite(value):
        return "—"
    if 1e-6 < value < 0.05:
        return "<0.1"
    return f"{value:,.1f}".removesuffix(".0") if value < 9.95 else f"{value:,.0f}"


def money(value: float | None) -> str:
    """Return an amount with up to two decimals, for a sentence; a dash where there is none."""
    return amount(value).removesuffix("0").removesuffix(".0")


def amount(value: float | None) -> str:
    """Return an amount with two decimals, for a column; a dash where there is none."""
    return "—" if _missing(value) else f"{value:,.2f}"


def _missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def count(lang: Lang, number: int, noun: str) -> str:
    """Return a number with its noun: "3 个现有站点", "1 site", "2 sites". Zero is the caller's to word."""
    return say(lang, f"document.{'one' if number == 1 else 'many'}_{noun}", n=f"{number:,}")


def listed(lang: Lang, words: Sequence[str]) -> str:
    """Return "A、B和C" or "A, B and C"."""
    if len(words) < 2:
        return "".join(words)
    return say(lang, "document.list", most=say(lang, "document.list_comma").join(words[:-1]), last=words[-1])


def sentences(lang: Lang, *parts: str) -> str:
    """Join whole sentences as the language does; empty ones are left out."""
    return ("" if lang == "zh" else " ").join(part for part in parts if part)


def hours(lang: Lang, text: str) -> str:
    """Return opening hours in the reader's words: "Mo-Fr 09:00-17:00" is "周一至周五 9:00–17:00".

    What is more than days and times (months, holidays) stays as it is in OSM syntax.
    """
    if not text.strip():
        return say(lang, "document.hours_unknown")
    if text.strip() == "24/7":
        return say(lang, "document.always")
    plain = re.sub(rf"\b({'|'.join(_DAYS)}),\s+", r"\1,", text)
    if re.search(r"[A-Za-z\"']", re.sub("|".join(_DAYS), "", plain)):
        return text
    named = re.sub(
        rf"\b({'|'.join(_DAYS)})\b(?:\s*-\s*({'|'.join(_DAYS)})\b)?", lambda m: _days(lang, m[1], m[2]), plain
    )
    clocked = re.sub(r"0?(\d{1,2}:\d\d)\s*-\s*0?(\d{1,2}:\d\d)", r"\1–\2", named)
    clocked = re.sub(r"\s*;\s*|\s*,\s+", say(lang, "document.hours_then"), clocked.strip(" ;"))
    return re.sub(r"\s*,\s*", say(lang, "document.hours_and"), clocked)


def hours_changed(lang: Lang, before: str, after: str) -> str:
    """Return from which opening hours to which; the hours alone where they stay the same."""
    told = {"before": hours(lang, before), "after": hours(lang, after)}
    return say(lang, "document.hours_changed", **told) if told["before"] != told["after"] else told["after"]


def _days(lang: Lang, first: str, last: str | None) -> str:
    if last is None:
        return say(lang, f"document.day_{first}")
    run = f"document.days_{first}_{last}"
    if has(run):
        return say(lang, run)
    return say(lang, "document.days", first=say(lang, f"document.day_{first}"), last=say(lang, f"document.day_{last}"))


def harmless(text: object) -> str:
    """Return text without the control characters that XML, and so xlsx and docx, cannot hold."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "", str(text))


def on_a_terminal(text: str) -> str:
    """Return text on one line, in which no sign moves a terminal's cursor, changes its colours or turns the direction of writing."""
    flat = re.sub(r"[\t\n\x0b\x0c\r\x85\u2028\u2029]+", " ", text)
    return re.sub("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", "\ufffd", flat)


def label(lang: Lang, key: str, /, **values: object) -> str:
    """Return a text of the catalogue as what stands by itself: with a capital, where a sentence would have it small."""
    return capital(say(lang, key, **values))


def capital(text: str) -> str:
    """Return words with a capital first."""
    return text[:1].upper() + text[1:]
