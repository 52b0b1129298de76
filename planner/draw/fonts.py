"""Fonts that hold every Chinese character we print, from an installed package: the system's fonts are never asked.

Gives font properties, cleans text to what the fonts can draw, and measures it. Noto Sans SC and Noto Serif SC, SIL Open Font License.
"""

import unicodedata
from functools import cache
from pathlib import Path

from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.textpath import text_to_path

from planner.errors import MissingPackageError

# Stands for a character that the fonts lack (emoji, rare scripts): the printers' geta mark, 〓.
GETA = "〓"
MM_PER_PT = 25.4 / 72
_MEASURED_PT = 100.0


@cache
def font(*, serif: bool = False) -> FontProperties:
    """Return Noto Sans SC, or Noto Serif SC.

    Raises:
        MissingPackageError: the package with the fonts is not installed, or has lost its files.
    """
    return FontProperties(fname=str(_file(serif=serif)))


def _file(*, serif: bool) -> Path:
    try:
        import pylopdf_fonts_zh_cn as package
    except ImportError as error:
        raise MissingPackageError("font_missing", package="pylopdf-fonts-zh-cn") from error
    path = Path(package.serif_path() if serif else package.sans_path())
    if not path.is_file():
        raise MissingPackageError("font_missing", package="pylopdf-fonts-zh-cn")
    return path


@cache
def _drawable(*, serif: bool) -> frozenset[int]:
    return frozenset(FT2Font(str(_file(serif=serif))).get_charmap())


def clean(text: object, *, serif: bool = False) -> str:
    """Return ``text`` as one line that the font can draw.

    White space of any kind becomes one space; invisible marks (joiners, direction marks, variation selectors, control characters) go;
    a character that the font lacks becomes 〓, one for a run of them.
    """
    known, kept = _drawable(serif=serif), list[str]()
    for char in unicodedata.normalize("NFC", str(text)):
        if char.isspace():
            char = " "
        elif unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me"):
            continue
        elif ord(char) not in known:
            char = GETA
        if not (kept and char in (" ", GETA) and kept[-1] == char):
            kept.append(char)
    return "".join(kept).strip()


@cache
def _unit_width(text: str, serif: bool) -> float:
    properties = font(serif=serif).copy()
    properties.set_size(_MEASURED_PT)
    width: float = text_to_path.get_text_width_height_descent(text, properties, ismath=False)[0]
    return width / _MEASURED_PT * MM_PER_PT


def width_mm(text: str, size_pt: float, *, serif: bool = False) -> float:
    """Return how wide ``text`` (as `clean` gives it) is drawn."""
    return _unit_width(text, serif) * size_pt if text else 0.0


def shorten(text: str, size_pt: float, limit_mm: float, *, serif: bool = False) -> str:
    """Return ``text``, cut with … where it is wider than ``limit_mm``."""
    if width_mm(text, size_pt, serif=serif) <= limit_mm:
        return text
    while text and width_mm(text + "…", size_pt, serif=serif) > limit_mm:
        text = text[:-1]
    return text.rstrip() + "…"


# Chinese typography: these never open a line, and those never close one.
_NO_START = set("、，。；：！？）》」』】〕％℃·…—–,.;:!?)]}%")
_NO_END = set("（《「『【〔([{¥￥")


def wrap(text: str, size_pt: float, limit_mm: float, *, lines: int = 99, serif: bool = False) -> list[str]:
    """Break ``text`` into at most ``lines`` lines that fit ``limit_mm``; the last is cut with … where it doesn't end.

    Chinese breaks between any two characters except before closing and after opening marks; Latin words stay whole where they fit.
    """
    rest, broken = text.strip(), list[str]()
    while rest:
        if len(broken) == lines - 1:
            return [*broken, shorten(rest, size_pt, limit_mm, serif=serif)]
        cut = _fitting(rest, size_pt, limit_mm, serif)
        broken.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return broken or [""]


def wrap_evenly(text: str, size_pt: float, limit_mm: float) -> list[str]:
    """Break ``text`` into two lines where one is too narrow, about as long as each other: no line of a single character."""
    rows = wrap(text, size_pt, limit_mm, lines=2)
    if len(rows) < 2 or rows[-1].endswith("…"):
        return rows
    for part in (0.55, 0.65, 0.75, 0.85):
        even = wrap(text, size_pt, part * limit_mm, lines=2)
        if not even[-1].endswith("…") or text.endswith("…"):
            return even
    return rows


def _fitting(text: str, size_pt: float, limit_mm: float, serif: bool) -> int:
    """Return how many characters go on the line."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = width_mm(text[:middle].rstrip(), size_pt, serif=serif) <= limit_mm
        low, high = (middle, high) if fits else (low, middle - 1)
    if low == len(text):
        return low
    for cut in range(low, 0, -1):
        before, after = text[cut - 1], text[cut]
        # A range of hours (8:00–12:00) is a word, too.
        latin = (before.isascii() or before == "–") and after.isascii()
        inside_word = latin and before != " " and after != " " and before not in "-/;,"
        if not inside_word and after not in _NO_START and before not in _NO_END:
            return cut
    return low
