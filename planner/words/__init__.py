"""The one catalogue of strings, Chinese and English side by side: a TOML file a section, ``say(lang, "section.key")``.

Takes a language and a key, gives a sentence. Knows nothing of what the sentences are about.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

Lang = Literal["zh", "en"]
LANGS: tuple[Lang, ...] = get_args(Lang)


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Return every key with its text in each language: ``{"gap.too_far": {"zh": …, "en": …}}``."""
    texts: dict[str, dict[str, str]] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml"):
            section = file.name.removesuffix(".toml")
            for key, by_lang in tomllib.loads(file.read_text(encoding="utf-8")).items():
                texts[f"{section}.{key}"] = by_lang
    return texts


def say(lang: Lang, key: str, /, **values: object) -> str:
    """Return the text of ``key`` in ``lang`` with ``values`` filled in.

    Raises:
        KeyError: the catalogue has no such key, or the text names a value that was not given.
    """
    return catalogue()[key][lang].format(**values)


def has(key: str) -> bool:
    """Tell whether the catalogue knows ``key``."""
    return key in catalogue()


def term(lang: Lang, section: str, word: str) -> str:
    """Return the display word of an identifier, or the identifier itself where the catalogue has none.

    For values that a user may extend (kinds of host, services): a new one is shown as it was typed.
    """
    key = f"{section}.{word}"
    return say(lang, key) if has(key) else word
