"""Which studies there are: those in the folder for studies, those opened lately, the embedded one; and how a new one comes about.

Takes names and paths as they were typed or stand in an address: they are checked here, and lead nowhere but to a folder with study.toml.
"""

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from planner import embedded
from planner.errors import InputError, PlannerError, SurroundingsError
from planner.intake.layers import LAYER_SUFFIXES
from planner.saving import put
from planner.starting import start_study
from planner.study import STUDY_FILE, load_study
from planner.words import Lang
from planner.workspace.files import ROOM, free_name, safe_name

# Where studies are kept that the app makes; `PLANNER_STUDIES` names another place.
ROOT_VARIABLE, ROOT_NAME = "PLANNER_STUDIES", "planner-studies"
_RECENT, _MOST_RECENT = "recent.json", 12
TABLE_SUFFIXES = frozenset({".xlsx", ".xls", ".csv", ".tsv", ".txt"})
UPLOAD_SUFFIXES = tuple(sorted(s.removeprefix(".") for s in TABLE_SUFFIXES | (LAYER_SUFFIXES - {".shp"})))
MOST_UPLOAD_BYTES = 200_000_000


@dataclass(frozen=True)
class Shelved:
    """A study that can be opened.

    Attributes:
        file: its study.toml.
        name: what it calls itself; its folder's name where it can't be read.
        changed_at: seconds since the epoch.
    """

    file: Path
    name: str
    changed_at: float


def root() -> Path:
    """Return the folder for studies; it may not be there yet."""
    told = os.environ.get(ROOT_VARIABLE)
    return Path(told) if told else Path.home() / ROOT_NAME


def studies() -> list[Shelved]:
    """Return the studies in the folder for studies and those opened lately, the latest changed first."""
    places: dict[Path, None] = {}
    with suppress(OSError):
        places |= dict.fromkeys(sorted(file.resolve() for file in root().glob(f"*/{STUDY_FILE}")))
    places |= dict.fromkeys(_recent())
    found = [shelved for file in places if (shelved := _shelved(file)) is not None]
    return sorted(found, key=lambda study: (-study.changed_at, str(study.file)))


def remember(file: Path) -> None:
    """Note that a study outside the folder for studies was opened; where that can't be noted, it isn't."""
    file = file.resolve()
    if file.is_relative_to(root().resolve()) or is_embedded(file):
        return
    paths = [str(file), *(str(old) for old in _recent() if old != file)][:_MOST_RECENT]
    with suppress(SurroundingsError):
        put(root() / _RECENT, json.dumps(paths, ensure_ascii=False, indent=1).encode("utf-8"))


def find(text: str, *, anywhere: bool) -> Path:
    """Return the study.toml of a study that was typed: a path, or a name in the folder for studies.

    Args:
        text: as typed, quotation marks around it allowed (Windows copies paths so).
        anywhere: whether any folder of this computer may be named; else only the folder for studies and those opened before.

    Raises:
        InputError: no study there, or none that may be opened from here.
    """
    typed = text.strip().strip("\"'“”").strip()
    if not typed or "\0" in typed:
        raise InputError("study_missing", file=typed[:60])
    try:
        path = Path(typed).expanduser()
        place = path if path.is_absolute() else root() / path
        file = (place / STUDY_FILE if place.is_dir() else place).resolve()
        there = file.is_file() and file.suffix == ".toml"
    except (OSError, RuntimeError, ValueError):
        there = False
    if not there:
        raise InputError("study_missing", file=typed[:60])
    if not (anywhere or file.is_relative_to(root().resolve()) or file in _recent() or is_embedded(file)):
        raise InputError("study_not_here", folder=str(root()))
    return file


def address(file: Path) -> str:
    """Return what names a study in an address: its folder's name in the folder for studies, else its path."""
    inside = file.parent.parent == root().resolve() and file.name == STUDY_FILE
    return file.parent.name if inside else str(file)


def is_embedded(file: Path) -> bool:
    """Tell whether this is the embedded study, which is not to be changed."""
    try:
        return file.parent.resolve() == embedded.folder().resolve()
    except PlannerError:
        return False


def start(name: str, area: str | None, *, lang: Lang) -> tuple[Path, PlannerError | None]:
    """Make a new study from templates in the folder for studies; return its study.toml, and why it has no streets if they were wanted.

    Raises:
        InputError: the area is none.
        SurroundingsError: the folder can't be written.
    """
    folder = _new_folder(name)
    try:
        begun = start_study(folder, area, lang=lang)
    except BaseException:
        # Only what was just made; a folder that fails half-way is no study.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return (folder / STUDY_FILE).resolve(), begun.trouble


def copy(file: Path, name: str) -> Path:
    """Copy a study's files into a new folder among the studies and return the copy's study.toml.

    Raises:
        SurroundingsError: the folder can't be written.
    """
    study, folder = load_study(file), _new_folder(name)
    try:
        folder.mkdir(parents=True)
        for named in study.files():
            source = file if named == file.name else study.path(named)
            for part in [source, *source.parent.glob(f"{source.stem}.*")] if source.suffix == ".shp" else [source]:
                target = folder / Path(named).with_name(part.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(part, target)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise SurroundingsError("cannot_write", folder=str(folder), detail=error.strerror or str(error)) from error
    return (folder / file.name).resolve()


def receive(place: Path, name: str, content: bytes, taken: Iterable[str]) -> str:
    """Lay down a file that was sent, under a safe name that nothing else has, and return the name. Nothing in it is trusted yet.

    Args:
        place: the draft's folder.
        name: as the browser gave it.
        content: what was sent.
        taken: names that are not free.

    Raises:
        InputError: too large, empty, or no kind of file that can be read.
        SurroundingsError: it can't be written.
    """
    safe = safe_name(name)
    if len(content) > MOST_UPLOAD_BYTES:
        raise InputError("too_large", file=safe, mb=MOST_UPLOAD_BYTES // 1_000_000)
    if not content:
        raise InputError("upload_empty", file=safe)
    if Path(safe).suffix.lower().removeprefix(".") not in UPLOAD_SUFFIXES:
        raise InputError("upload_kind", file=safe, kinds=", ".join(UPLOAD_SUFFIXES))
    free = free_name(safe, set(taken))
    put(place / free, content)
    return free


def _new_folder(name: str) -> Path:
    taken: set[str] = set()
    with suppress(OSError):
        taken = {path.name for path in root().iterdir()}
    return root() / free_name(safe_name(name, "study"), taken | {ROOM})


def _recent() -> list[Path]:
    try:
        paths = json.loads((root() / _RECENT).read_text(encoding="utf-8"))
        return [Path(path) for path in paths if isinstance(path, str)]
    except (OSError, ValueError, TypeError):
        return []


def _shelved(file: Path) -> Shelved | None:
    try:
        changed_at = file.stat().st_mtime
    except OSError:
        return None
    try:
        name = load_study(file).name
    except PlannerError:
        name = file.parent.name
    return Shelved(file, name, changed_at)
