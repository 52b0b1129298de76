"""The one catalogue of strings, Chinese and English side by side: a TOML file a section, ``say(lang, "section.key")``.

Takes a language and a key, gives a sentence. Knows nothing of what the sentences are about.
"""

import re
import string
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

Lang = Literal["zh", "en"]
LANGS: tuple[Lang, ...] = get_args(Lang)
# What people type beside the catalogue's own words; no section of it.
_SYNONYMS = "synonyms.toml"


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Return every key with its text in each language: ``{"gap.too_far": {"zh": …, "en": …}}``."""
    texts: dict[str, dict[str, str]] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml") and file.name != _SYNONYMS:
            section = file.name.removesuffix(".toml")
            for key, by_lang in tomllib.loads(file.read_text(encoding="utf-8")).items():
                texts[f"{section}.{key}"] = by_lang
    return texts


def say(lang: Lang, key: str, /, **values: object) -> str:
    """Return the text of ``key`` in ``lang`` with ``values`` filled in.

    Raises:
        KeyError: the catalogue has no such key, or the text names a value that was not given.
    """
    text = catalogue()[key][lang]
    return _FIGURES.vformat(text, (), values) if "%}" in text else text.format(**values)


def share(value: float, digits: int) -> str:
    """Return a fraction as a percentage; one that is not nothing, or not all, never reads as if it were: "<0.1%", ">99.9%"."""
    text, least = f"{value:.{digits}%}", 10.0**-digits
    if value > _NOISE and float(text[:-1]) == 0:
        return f"<{least:.{digits}f}%"
    if 0 < value < 1 - _NOISE and float(text[:-1]) >= 100:
        return f">{100 - least:.{digits}f}%"
    return text


# What sums of floats leave behind.
_NOISE = 1e-9


class _Figures(string.Formatter):
    """Fills in sentences as `str.format` does, but for shares."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if found := re.fullmatch(r"\.(\d)%", format_spec):
            return share(value, int(found[1]))
        return str(super().format_field(value, format_spec))


_FIGURES = _Figures()


def has(key: str) -> bool:
    """Tell whether the catalogue knows ``key``."""
    return key in catalogue()


def term(lang: Lang, section: str, word: str) -> str:
    """Return the display word of an identifier, or the identifier itself where the catalogue has none.

    For values that a user may extend (kinds of host, services): a new one is shown as it was typed.
    """
    key = f"{section}.{word}"
    return say(lang, key) if has(key) else word


@cache
def meanings(section: str) -> dict[str, str]:
    """Return what people type for the identifiers of a section, in lower case -> the identifier.

    The identifiers themselves, their words in both languages, and the synonyms of synonyms.toml.
    """
    typed = tomllib.loads(files(__name__).joinpath(_SYNONYMS).read_text(encoding="utf-8")).get(section, {})
    found = {word.lower(): identifier for identifier, words in typed.items() for word in words}
    for key, by_lang in catalogue().items():
        if key.startswith(f"{section}."):
            identifier = key.partition(".")[2]
            # The catalogue's own words come before anybody's synonym.
            found |= {word.lower(): identifier for word in (identifier, *by_lang.values())}
    return found
