"""One cell as people type it -> a number: units, full-width digits, degrees, minutes and seconds, two coordinates in one cell.

Takes text, gives floats; NaN where the text is no such thing. Never guesses: what is not wholly understood is not a number.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

# What stands behind a number, as a multiple of the unit the number is wanted in.
PEOPLE = {"": 1.0, "人": 1.0, "名": 1.0, "位": 1.0, "个": 1.0, "人次": 1.0, "people": 1.0, "workers": 1.0, "persons": 1.0,
          "千人": 1e3, "万": 1e4, "万人": 1e4}  # fmt: skip
SEATS = {
    "": 1.0,
    "个": 1.0,
    "座": 1.0,
    "张": 1.0,
    "把": 1.0,
    "席": 1.0,
    "位": 1.0,
    "人": 1.0,
    "seats": 1.0,
    "chairs": 1.0,
}
METRES = {"": 1.0, "m": 1.0, "米": 1.0, "km": 1e3, "公里": 1e3, "千米": 1e3, "里": 500.0}
SQUARE_METRES = {"": 1.0, "m2": 1.0, "平方米": 1.0, "平米": 1.0, "平": 1.0, "万m2": 1e4, "万平方米": 1e4, "公顷": 1e4, "ha": 1e4,
                 "亩": 10_000 / 15, "km2": 1e6, "平方公里": 1e6}  # fmt: skip
YUAN = {"元": 1.0, "块": 1.0, "rmb": 1.0, "千元": 1e3, "万": 1e4, "万元": 1e4, "亿": 1e8, "亿元": 1e8}
UNITS = frozenset(unit for units in (PEOPLE, SEATS, METRES, SQUARE_METRES, YUAN) for unit in units if unit) | {
    "度",
    "°",
}

# Excel's words for a formula that failed: an empty cell.
FAILED = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})
EMPTY = frozenset({"", "-", "--", "—", "/", "无", "暂无", "不详", "未知", "null", "none", "nan", "n/a"})

# "约30余人", "¥5000元/年", "1.2万m2左右": words that change nothing, the number, its unit.
_NUMBER = re.compile(
    r"(?:约|近|大约|[¥$])?\s*([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:e[+-]?\d+)?)\s*[余多]?\s*"
    r"([^\d\s.,+-]*?2?)(?:左右|/年|每年)?"
)
# Longer than any map link; what looks for two numbers in a cell takes the square of its length.
_LONGEST_PAIR = 1_000
_DEGREE_SIGNS = str.maketrans({"º": "°", "˚": "°", "゜": "°", "’": "'", "‘": "'", "′": "'",
                               "“": '"', "”": '"', "″": '"', "´": "'", "`": "'"})  # fmt: skip
_ANGLE = re.compile(
    r"(?P<before>[NSEW])?\s*(?P<sign>[+-])?(?P<degrees>\d{1,3}(?:\.\d+)?)"
    r"(?:[°:\s]\s*(?:(?P<minutes>\d{1,2}(?:\.\d+)?)(?:[':\s]\s*(?:(?P<seconds>\d{1,2}(?:\.\d+)?)(?:\"|'')?)?)?)?)?"
    r"\s*(?P<after>[NSEW])?"
)
# Words around two coordinates in a cell that say nothing of their order, the datum's among them.
_SAID = (
    r"gcj[-_ ]?0?2|bd[-_ ]?0?9|wgs[-_ ]?84|cgcs2000|高德|百度|腾讯|"
    r"point( z)?|coordinates?|longitude|latitude|lng|lon|lat|经度|纬度|坐标"
)
# A plain number behind its own label, whatever stands between the two: {"lng":120.1,"lat":30.9}, X=120.1 Y=30.9.
_LABELLED = tuple(
    rf"(?:{words})[\"'\s:=]*(-?\d+(?:\.\d+)?)(?![\d.]*[°度:'])"
    for words in (r"经度|东经|longitude|lng|lon|\bx", r"纬度|北纬|latitude|lat|\by")
)


def plain(text: object) -> str:
    """Return a cell without full-width signs, no-break and zero-width spaces: "120.5 " -> "120.5"."""
    kept = str(text).translate(_DEGREE_SIGNS).replace("\u200b", "").replace("\ufeff", "")
    return unicodedata.normalize("NFKC", kept).strip()


def is_empty(text: str) -> bool:
    """Tell whether a cell says nothing: blank, a dash, "无", a failed formula."""
    return text.strip().lower() in EMPTY or text.strip() in FAILED


def money(cost_unit: str) -> dict[str, float]:
    """Return the units of an amount as multiples of ``cost_unit``; a unit of the user's own allows bare numbers and itself."""
    one = YUAN.get(cost_unit.lower())
    units = {unit: yuan / one for unit, yuan in YUAN.items()} if one else {cost_unit.lower(): 1.0}
    return {"": 1.0, **units}


def number(text: str, units: Mapping[str, float], heading_unit: str = "") -> float:
    """Return the number a cell holds, in the unit for which ``units`` gives 1: "1.2万人" -> 12000, "0.8 km" -> 800.

    ``heading_unit`` is what stands in the heading's brackets; it speaks for cells that name no unit.
    """
    found = _NUMBER.fullmatch(plain(text).lower())
    if not found or not re.search(r"\d", found[1]):
        return math.nan
    factor = units.get(found[2]) if found[2] else units.get(heading_unit.lower(), units.get(""))
    return math.nan if factor is None else float(found[1].replace(",", "")) * factor


def numbers(cells: pd.Series, units: Mapping[str, float], heading_unit: str = "") -> pd.Series:
    """Return a column of `number`."""
    bare = pd.to_numeric(cells, errors="coerce").astype(float).where(lambda n: np.isfinite(n))
    with np.errstate(over="ignore"):
        scaled = bare * units.get(heading_unit.lower(), units.get("", math.nan))
    return _fill(scaled, cells, lambda t: number(t, units, heading_unit))


def angle(text: str) -> float:
    """Return degrees: "120.5", "东经120°06′12″", "120°6.2'E", "120 6 12". West and south are negative."""
    value, _ = _angle(plain(text))
    return value


def _angle(text: str) -> tuple[float, str]:
    """Return degrees and the hemisphere's letter, or "" where none is named."""
    for word, letter in (("东经", "E"), ("西经", "W"), ("北纬", "N"), ("南纬", "S"), ("经度", ""), ("纬度", "")):
        text = text.replace(word, letter)
    text = text.replace("度", "°").replace("分", "'").replace("秒", '"').upper().strip(" :=,;")
    # Excel's mark for text, typed along; a hemisphere in one letter behind; hyphens between degrees, minutes and seconds.
    text = re.sub(r"^'(?=\d)", "", text)
    text = re.sub(r"\(?([东西南北])\)?$", lambda side: "EWSN"["东西南北".index(side[1])], text)
    text = re.sub(r"^(\d{1,3})-(\d{1,2})-(\d{1,2}(?:\.\d+)?)$", r"\1:\2:\3", text)
    if re.fullmatch(r"[+-]?\d+(\.\d+)?(E[+-]?\d+)?", text):
        value = float(text)
        return (value if math.isfinite(value) else math.nan), ""
    found = _ANGLE.fullmatch(text)
    if not found:
        return math.nan, ""
    minutes, seconds = float(found["minutes"] or 0), float(found["seconds"] or 0)
    # "120.1 30.9" is two coordinates: only the last part of an angle has a fraction.
    broken = (found["minutes"] and "." in found["degrees"]) or (found["seconds"] and "." in found["minutes"])
    if minutes >= 60 or seconds >= 60 or broken:
        return math.nan, ""
    letter = found["before"] or found["after"] or ""
    sign = -1.0 if (found["sign"] == "-") != (letter in ("W", "S")) else 1.0
    return sign * (float(found["degrees"]) + minutes / 60 + seconds / 3600), letter


def angles(cells: pd.Series) -> pd.Series:
    """Return a column of `angle`; plain numbers, projected ones too, pass as they are."""
    bare = pd.to_numeric(cells, errors="coerce").astype(float).where(lambda n: np.isfinite(n))
    return _fill(bare, cells, angle)


def _fill(found: pd.Series, cells: pd.Series, read: Callable[[str], float]) -> pd.Series:
    """Return ``found`` with the cells that are no bare numbers read one by one."""
    values = found.to_numpy(dtype=float, copy=True)
    for row in np.flatnonzero(np.isnan(values)).tolist():
        values[row] = read(str(cells.iat[row]))
    return pd.Series(values, index=cells.index)


def pair(text: str) -> tuple[float, float]:
    """Return the two coordinates of one cell, longitude first where letters tell, else in the order they stand.

    "120.1,30.9", "POINT(120.1 30.9)", "30°52′N 120°06′E", "经度:120.1 纬度:30.9", "120.1,30.9,12.5" with a height, a map link with two
    numbers.
    """
    cell = plain(text)
    if len(cell) > _LONGEST_PAIR:
        return math.nan, math.nan
    if cell.startswith(("http:", "https:")):
        found = re.search(r"(-?\d{1,3}\.\d{3,})(?:,|%2C)(-?\d{1,3}\.\d{3,})", cell)
        return (float(found[1]), float(found[2])) if found else (math.nan, math.nan)
    lon, lat = (re.search(label, cell, re.IGNORECASE) for label in _LABELLED)
    if lon and lat:
        return float(lon[1]), float(lat[1])
    named = re.search(r"(纬度|lat)\D*[\d.]+.*?(经度|lng|lon)", cell, re.IGNORECASE) is not None
    cell = re.sub(r"(?i)" + _SAID + r"|[()\[\]{}=]|(?<!\d):|:(?!\d\d\b)", " ", cell).strip()
    parts = [part for part in re.split(r"[,;、|/]", cell) if part.strip()]
    parts = _without_height(parts)
    if len(parts) != 2:
        parts = [p for p in re.split(r"(?<=[NSEW])\s+(?=\d)|\s*(?=[NSEW]\d|东经|西经|北纬|南纬)", cell) if p]
    if len(parts) != 2:
        parts = _without_height(cell.split())
    if len(parts) != 2:
        return math.nan, math.nan
    (a, letter_a), (b, letter_b) = _angle(parts[0].strip()), _angle(parts[1].strip())
    swapped = named or letter_a in ("N", "S") or letter_b in ("E", "W")
    return (b, a) if swapped and (letter_a or letter_b or named) else (a, b)


def _without_height(parts: list[str]) -> list[str]:
    """Return two of three numbers: a height stands behind longitude and latitude."""
    degrees = len(parts) == 3 and all(re.fullmatch(r"\s*-?\d+\.\d+\s*", part) for part in parts[:2])
    return parts[:2] if degrees else parts
