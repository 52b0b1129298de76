"""What somebody typed and has not saved: kept on disk beside the study at every step, so that a reload, a closed tab or a dead server
loses none of it.

A draft is a list of changes, not a copy: settings by their place, cells by their row in the file, rows struck out, files that were sent.
`drafted` applies it to the study as it is on disk now and gives the study that saving would make. Each person has a draft of their own.
"""

import hashlib
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from planner.errors import ConflictError, InputError
from planner.saving import put
from planner.study import Study, Table, parse_study
from planner.words import say
from planner.workspace import history
from planner.workspace.amend import Value, amend
from planner.workspace.files import ROOM, free_name
from planner.workspace.repairs import Corrections, corrected

_ID = re.compile(r"[0-9a-f]{12}")
_CORRECTED = re.compile(r"(.+?)-(?:订正|corrected)(?:-\d+)?")


class Draft(BaseModel):
    """Changes that are not saved.

    Attributes:
        version: grows by one each time it is kept; tells two tabs with one draft apart.
        seen: what the study looked like when the first change was made.
        settings: place in study.toml -> value; None takes it away.
        cells: role -> row in the file -> heading -> what the cell should hold.
        struck: role -> rows in the file that should not be used.
        files: names of the files that were sent and stand in the draft's folder.
        saving: hash of the study.toml that is being saved; a study that has it has this draft in it.
    """

    model_config = ConfigDict(extra="forbid")

    version: int = 0
    seen: dict[str, str] = {}
    settings: dict[str, Any] = {}
    cells: dict[str, dict[int, dict[str, str]]] = {}
    struck: dict[str, list[int]] = {}
    files: list[str] = []
    saving: str = ""

    @property
    def count(self) -> int:
        """How many changes there are."""
        return len(self.settings) + sum(map(len, self.cells.values())) + sum(map(len, self.struck.values()))


@dataclass(frozen=True)
class Drafted:
    """The study that saving a draft would make.

    Attributes:
        text: of study.toml.
        study: its settings; files that only the draft has are in ``unsaved``.
        files: name in the study's folder -> where the file is meanwhile.
        made: which of these are corrected tables.
        of: role -> the file that its corrected table was made from.
    """

    text: str
    study: Study
    files: dict[str, Path]
    made: tuple[str, ...]
    of: dict[str, str]


# --- keeping ---------------------------------------------------------------------------------------------------------


def new_id() -> str:
    """Return an id for a draft that nobody else has."""
    return secrets.token_hex(6)


def folder(file: Path, draft_id: str) -> Path:
    """Return where a draft of a study keeps its files.

    Raises:
        InputError: the id, which comes from an address, is none.
    """
    if not _ID.fullmatch(draft_id):
        raise InputError("no_draft")
    return file.parent / ROOM / "drafts" / draft_id


def read(file: Path, draft_id: str) -> Draft:
    """Return a draft as it was kept; an empty one where nothing was, or where it has been saved meanwhile.

    Raises:
        InputError: the id is none.
    """
    place = folder(file, draft_id) / "draft.json"
    try:
        draft = Draft.model_validate_json(place.read_bytes())
    except (OSError, ValidationError):
        return Draft()
    # Killed between the study's replacement and the draft's end: all of it is in the study.
    return Draft() if draft.saving and draft.saving == _digest(file) else draft


def keep(file: Path, draft_id: str, draft: Draft) -> Draft:
    """Keep a draft on disk and return it as kept.

    Raises:
        ConflictError: another tab has changed this draft meanwhile.
        SurroundingsError: the folder can't be written.
    """
    place = folder(file, draft_id)
    if read(file, draft_id).version != draft.version:
        raise ConflictError("draft_changed")
    seen = draft.seen or history.look(file)
    kept = draft.model_copy(update={"version": draft.version + 1, "seen": seen})
    put(place / "draft.json", kept.model_dump_json(indent=1).encode("utf-8"))
    return kept


def discard(file: Path, draft_id: str) -> None:
    """Throw a draft away, with the files in it."""
    shutil.rmtree(folder(file, draft_id), ignore_errors=True)


def waiting(file: Path) -> Iterator[tuple[str, Draft, float]]:
    """Yield the drafts of a study that hold changes, the latest first: id, draft, time of the last change (seconds)."""
    found = []
    for place in (file.parent / ROOM / "drafts").glob("*/draft.json"):
        with suppress(OSError, InputError):
            draft = read(file, place.parent.name)
            if draft.count:
                found.append((place.stat().st_mtime, place.parent.name, draft))
    yield from ((name, draft, at) for at, name, draft in sorted(found, key=lambda f: (-f[0], f[1])))


# --- typing ----------------------------------------------------------------------------------------------------------


def set_value(draft: Draft, place: str, value: Value) -> Draft:
    """Return the draft with a setting changed; what was changed below it is forgotten."""
    below = f"{place}."
    settings = {key: old for key, old in draft.settings.items() if not key.startswith(below)}
    return draft.model_copy(update={"settings": settings | {place: value}})


def set_cell(draft: Draft, role: str, row: int, heading: str, text: str) -> Draft:
    """Return the draft with a cell changed."""
    rows = draft.cells.get(role, {})
    cells = draft.cells | {role: rows | {row: rows.get(row, {}) | {heading: text}}}
    return draft.model_copy(update={"cells": cells})


def strike(draft: Draft, role: str, row: int, *, out: bool = True) -> Draft:
    """Return the draft with a row of a table struck out, or let in again."""
    rows = (set(draft.struck.get(role, [])) | {row}) if out else (set(draft.struck.get(role, [])) - {row})
    struck = draft.struck | {role: sorted(rows)}
    return draft.model_copy(update={"struck": {key: rows for key, rows in struck.items() if rows}})


def forget_table(draft: Draft, role: str) -> Draft:
    """Return the draft without any change of a table's cells, rows and settings: another file takes its place."""
    return draft.model_copy(
        update={
            "cells": {key: rows for key, rows in draft.cells.items() if key != role},
            "struck": {key: rows for key, rows in draft.struck.items() if key != role},
            "settings": {k: v for k, v in draft.settings.items() if k != role and not k.startswith(f"{role}.")},
        }
    )


# --- applying --------------------------------------------------------------------------------------------------------


def drafted(file: Path, draft_id: str, draft: Draft) -> Drafted:
    """Return what saving the draft would make of the study as it is on disk now; corrected tables are laid into the draft's folder.

    Raises:
        InputError: the settings that come out are wrong, or a table can't be corrected.
        SurroundingsError: the draft's folder can't be written.
    """
    place = folder(file, draft_id)
    text = amend(history.read_text(file), draft.settings, file=file.name) if draft.settings else history.read_text(file)
    study = parse_study(text, file)
    files = {name: place / name for name in draft.files if name in study.files() and (place / name).is_file()}
    study = study.model_copy(update={"unsaved": files})
    made: list[str] = []
    of: dict[str, str] = {}
    changes: dict[str, Value] = {}
    taken = {path.name for path in file.parent.iterdir()} | set(draft.files)
    for role in sorted(draft.cells.keys() | draft.struck.keys()):
        table = table_of(study, role)
        corrections = Corrections(draft.cells.get(role, {}), tuple(draft.struck.get(role, ())))
        if table is None or corrections.empty:
            continue
        content, suffix, settings = corrected(study.path(table.file), table, corrections)
        name = free_name(_corrected_name(table.file, suffix, study), taken)
        put(place / name, content)
        taken.add(name)
        made.append(name)
        of[role] = table.file
        changes |= {f"{role}.file": name} | {f"{role}.{key}": value for key, value in settings.items()}
    if changes:
        text = amend(text, changes, file=file.name)
        study = parse_study(text, file)
    # What was sent stays beside its corrected copy.
    files |= {name: place / name for name in made}
    return Drafted(text, study.model_copy(update={"unsaved": files}), files, tuple(made), of)


def save(file: Path, draft_id: str, draft: Draft) -> history.State:
    """Save a draft: corrected and sent files beside the study, then study.toml in one step. The draft is gone afterwards.

    Raises:
        InputError, ConflictError, SurroundingsError: as `history.save`; study and draft are then as they were.
    """
    result = drafted(file, draft_id, draft)
    marked = draft.model_copy(update={"saving": hashlib.sha256(result.text.encode("utf-8")).hexdigest()})
    put(folder(file, draft_id) / "draft.json", marked.model_dump_json(indent=1).encode("utf-8"))
    state = history.save(file, result.text, result.files, seen=draft.seen, what="state_saved", made=result.made)
    discard(file, draft_id)
    return state


def onto_latest(file: Path, draft: Draft) -> Draft:
    """Return the draft as changes of the study as it is now, whoever changed it meanwhile."""
    return draft.model_copy(update={"seen": history.look(file), "saving": ""})


def table_of(study: Study, role: str) -> Table | None:
    """Return the settings of a role's table: "sites", "candidates", "options", "demand.0" …; None where it has none."""
    if role.startswith("demand."):
        number = int(role.partition(".")[2])
        demand = study.demand[number] if number < len(study.demand) else None
        return demand if isinstance(demand, Table) else None
    table = getattr(study, role, None)
    return table if isinstance(table, Table) else None


def _corrected_name(name: str, suffix: str, study: Study) -> str:
    path = Path(name)
    earlier = _CORRECTED.fullmatch(path.stem)
    word = say(study.language, "workspace.corrected")
    return f"{earlier[1] if earlier else path.stem}-{word}{suffix}"


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""
