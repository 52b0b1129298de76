"""What somebody is in the middle of on a page, kept beside the study at every step: a reload or a dead server loses none of it.

Takes the study's file, a token that names the person and a model of the page's own; gives the model back. Nothing here is part of the
study: that is `draft`'s and `history`'s.
"""

import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from planner.errors import SurroundingsError
from planner.saving import put
from planner.workspace.files import ROOM
from planner.workspace.shelf import is_embedded

Kind = TypeVar("Kind", bound=BaseModel)
_TOKEN = re.compile(r"[0-9a-f]{32}")
# The oldest go when there are more; nobody comes back to them.
KEPT = 200
_MOST_BYTES = 5_000_000
# Of the embedded study, beside which nothing is written, and of folders that can't be written: as long as the server lives.
_memory: dict[tuple[Path, str, str], str] = {}


def token(told: str | None) -> str:
    """Return the token that an address tells, or a new one where it tells none."""
    return told if told and _TOKEN.fullmatch(told) else secrets.token_hex(16)


def keep(file: Path, token: str, page: str, content: BaseModel) -> None:
    """Keep what a page is in the middle of; where the folder can't be written, in memory."""
    text, key = content.model_dump_json(), (file, token, page)
    if not is_embedded(file):
        with suppress(SurroundingsError):
            place = _place(file, token, page)
            is_new = not place.exists()
            put(place, text.encode("utf-8"))
            _memory.pop(key, None)
            if is_new:
                _forget(place.parent)
            return
    _memory[key] = text
    for old in list(_memory)[:-KEPT]:
        del _memory[old]


def recall(file: Path, token: str, page: str, kind: type[Kind]) -> Kind | None:
    """Return what was kept; None where nothing was, or it is damaged."""
    text = _memory.get((file, token, page))
    try:
        if text is None:
            place = _place(file, token, page)
            if place.stat().st_size > _MOST_BYTES:
                return None
            text = place.read_text(encoding="utf-8")
        return kind.model_validate_json(text)
    except (OSError, ValueError, ValidationError, RecursionError):
        return None


def _place(file: Path, token: str, page: str) -> Path:
    return file.parent / ROOM / "midway" / f"{token}-{page}.json"


def _forget(folder: Path) -> None:
    with suppress(OSError):
        found = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in found[:-KEPT]:
            path.unlink(missing_ok=True)
