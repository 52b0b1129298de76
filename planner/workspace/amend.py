"""Changes of settings -> study.toml with just these changed: comments, order and blank lines stay.

Takes the text and values by their place ("sites.datum", "demand.0.file"); gives the new text. Does not judge it: `parse_study` does.
"""

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from planner.errors import InputError

Value = str | int | float | bool | list[Any] | dict[str, Any] | None


def amend(text: str, changes: Mapping[str, Value], *, file: str) -> str:
    """Return study.toml's text with settings changed.

    Args:
        text: the text as it is.
        changes: place -> value; None takes the setting, or the whole table, away. A number in a place counts entries from 0; the number
            after the last one adds an entry.
        file: name of the file, for the sentence if something is wrong.

    Raises:
        InputError: the text is not TOML, or a place leads into something that is no table.
    """
    try:
        document = tomlkit.parse(text)
        # What is taken away goes last, so that the numbers of entries hold until then.
        for place, value in sorted(changes.items(), key=lambda change: (change[1] is None, change[0])):
            _change(document, place.split("."), value)
    except (TOMLKitError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError("study_not_amended", file=file, detail=str(error)) from error
    return tomlkit.dumps(document)


def _change(holder: Any, place: list[str], value: Value) -> None:
    key, rest = _key(holder, place[0]), place[1:]
    if rest:
        if value is None and not _holds(holder, key):
            return
        if isinstance(key, str) and key not in holder:
            holder[key] = tomlkit.table()
        _change(holder[key], rest, value)
    elif value is None:
        if _holds(holder, key):
            del holder[key]
    elif isinstance(key, int) and key == len(holder):
        holder.append(_item(value))
    else:
        _put(holder, key, value)


def _key(holder: Any, part: str) -> str | int:
    return int(part) if isinstance(holder, list) else part


def _holds(holder: Any, key: str | int) -> bool:
    return 0 <= key < len(holder) if isinstance(key, int) else key in holder


def _put(holder: Any, key: str | int, value: Value) -> None:
    """Set a value; the comment behind the old one stays."""
    old = holder[key] if _holds(holder, key) else None
    item = tomlkit.item(_item(value))
    if old is not None and hasattr(old, "trivia") and hasattr(item, "trivia") and not isinstance(value, dict):
        item.trivia.comment_ws, item.trivia.comment = old.trivia.comment_ws, old.trivia.comment
        item.trivia.trail = old.trivia.trail
    if isinstance(holder, AoT) and isinstance(key, int):
        holder[key] = _item(value)
    else:
        holder[key] = item


def _item(value: Value) -> Any:
    if not isinstance(value, dict):
        return value
    table = tomlkit.table()
    for key, inner in value.items():
        table[key] = _item(inner)
    return table
