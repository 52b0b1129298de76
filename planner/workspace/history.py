"""Saving a study whole or not at all, going back, and never over another person's work.

study.toml is the one file that a save replaces, in one step and last; tables are never written over: a corrected table is a new file that
the new study.toml names. So whoever is killed anywhere leaves the old study or the new one, and going back is putting an earlier
study.toml in its place. Every state is kept in `.planner/history`, the newest `KEPT` of them.
"""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import filelock

from planner.errors import ConflictError, InputError, PlannerError, SurroundingsError
from planner.saving import put
from planner.study import load_study, parse_study
from planner.workspace.files import ROOM

KEPT = 30
# Another save takes less than this; who waits longer is told so.
_WAIT_S = 15
# What a study and its files looked like: name -> hash of study.toml, size and time of change of the others.
Seen = dict[str, str]


@dataclass(frozen=True)
class State:
    """A study as it once was.

    Attributes:
        number: counts the states, from 1.
        text: of study.toml.
        what: what led to it, as a key of the catalogue's section ``workspace``.
        at: when, local time, to the second.
        made: names of the corrected tables that were made for it.
    """

    number: int
    text: str
    what: str
    at: str
    made: tuple[str, ...]


@dataclass(frozen=True)
class History:
    """The states that are kept, oldest first, and which of them (by position) the study is in."""

    states: tuple[State, ...]
    now: int

    @property
    def before(self) -> State | None:
        """The state that undoing leads to, if there is one."""
        return self.states[self.now - 1] if self.now > 0 else None

    @property
    def after(self) -> State | None:
        """The state that redoing leads to, if there is one."""
        return self.states[self.now + 1] if self.now + 1 < len(self.states) else None


def look(file: Path) -> Seen:
    """Return what a study and its files look like now; of a study that can't be read, study.toml alone.

    Args:
        file: the study's study.toml.
    """
    try:
        seen = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()}
    except OSError:
        return {file.name: ""}
    try:
        names = load_study(file).files()[1:]
    except PlannerError:
        return seen
    for name in names:
        try:
            stamp = (file.parent / name).stat()
            seen[name] = f"{stamp.st_size}-{stamp.st_mtime_ns}"
        except OSError:
            seen[name] = ""
    return seen


def changed(file: Path, seen: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the files that are no longer as they were ``seen``."""
    now = look(file)
    return tuple(name for name in dict.fromkeys([*seen, *now]) if seen.get(name) != now.get(name))


def save(
    file: Path, text: str, files: Mapping[str, Path], *, seen: Mapping[str, str], what: str, made: Sequence[str] = ()
) -> State:
    """Make ``text`` the study's settings, with new files beside it: all of it or nothing.

    Args:
        file: the study's study.toml.
        text: its new content.
        files: new name in the study's folder -> where the file is now; it is copied.
        seen: what the study looked like when this person began.
        what: why, as a key of the catalogue's section ``workspace``.
        made: which of the files are corrected tables; they go again when no state that is kept needs them.

    Raises:
        InputError: the new settings are wrong.
        ConflictError: the study is no longer as it was ``seen``; nothing is written.
        SurroundingsError: the folder can't be written; the study is as it was.
    """
    parse_study(text, file)
    with _locked(file):
        _refuse_changed(file, seen)
        history = read_history(file)
        _keep_now(file, history)
        copied = [_copy(source, file.parent / name) for name, source in files.items()]
        try:
            state = _append(file, history, text, what, tuple(made))
            put(file, text.encode("utf-8"))
        except PlannerError:
            for path in filter(None, copied):
                path.unlink(missing_ok=True)
            raise
        _point(file, state.number)
        _forget(file)
    return state


def step(file: Path, way: int, *, seen: Mapping[str, str]) -> State:
    """Put the study back to the state before (``way`` −1), or forth again (+1).

    Raises:
        ConflictError: the study is no longer as it was ``seen``.
        InputError: there is no such state.
        SurroundingsError: the folder can't be written.
    """
    with _locked(file):
        _refuse_changed(file, seen)
        history = read_history(file)
        _keep_now(file, history)
        state = history.before if way < 0 else history.after
        if state is None:
            raise InputError("no_state")
        put(file, state.text.encode("utf-8"))
        _point(file, state.number)
    return state


def read_history(file: Path) -> History:
    """Return the states of a study; the one it is in now is the last, and new, where somebody changed study.toml by hand."""
    states = sorted(filter(None, map(_read, (_room(file)).glob("*.json"))), key=lambda state: state.number)
    text = read_text(file)
    pointed = _pointed(file)
    same = [n for n, state in enumerate(states) if state.text == text]
    if same:
        return History(tuple(states), next((n for n in same if states[n].number == pointed), same[-1]))
    at = dt.datetime.fromtimestamp(file.stat().st_mtime)
    number = states[-1].number + 1 if states else 1
    what = "state_by_hand" if states else "state_first"
    return History((*states, State(number, text, what, _shown(at), ())), len(states))


def read_text(file: Path) -> str:
    """Return the content of a study.toml, its line ends as they are.

    Raises:
        InputError: it can't be read, or is not UTF-8.
    """
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError("study_unreadable", file=file.name, detail=error.strerror or "") from error
    except UnicodeDecodeError as error:
        raise InputError("not_utf8", file=file.name) from error


# --- on disk ---------------------------------------------------------------------------------------------------------


def _room(file: Path) -> Path:
    # A folder may hold several settings files, each a study of its own.
    return file.parent / ROOM / "history" / re.sub(r"\W", "_", file.stem)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Let one save at a time through, of all programs that have this folder; the system takes the lock away from a dead one."""
    place = file.parent / ROOM
    try:
        place.mkdir(exist_ok=True)
        with filelock.FileLock(place / "lock", timeout=_WAIT_S):
            yield
    except filelock.Timeout as error:
        raise ConflictError("study_in_use", folder=file.parent.name) from error
    except OSError as error:
        if isinstance(error, PlannerError):
            raise
        raise SurroundingsError("cannot_write", folder=str(file.parent), detail=error.strerror or str(error)) from error


def _refuse_changed(file: Path, seen: Mapping[str, str]) -> None:
    names = changed(file, seen)
    if names:
        at = max((_changed_at(file.parent / name) for name in names), default="")
        raise ConflictError("study_changed", files="、".join(names), at=at)


def _changed_at(path: Path) -> str:
    try:
        return _shown(dt.datetime.fromtimestamp(path.stat().st_mtime))
    except OSError:
        return ""


def _shown(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _keep_now(file: Path, history: History) -> None:
    """Keep the state that the study is in, where nobody has."""
    state = history.states[history.now]
    if not _place(file, state.number).exists():
        _write(file, state)


def _append(file: Path, history: History, text: str, what: str, made: tuple[str, ...]) -> State:
    """Keep a new state behind the present one; what was undone goes."""
    for undone in history.states[history.now + 1 :]:
        _place(file, undone.number).unlink(missing_ok=True)
    number = history.states[history.now].number + 1
    state = State(number, text, what, _shown(dt.datetime.now()), made)
    _write(file, state)
    return state


def _place(file: Path, number: int) -> Path:
    return _room(file) / f"{number:06d}.json"


def _write(file: Path, state: State) -> None:
    record = {"text": state.text, "what": state.what, "at": state.at, "made": list(state.made)}
    put(_place(file, state.number), json.dumps(record, ensure_ascii=False, indent=1).encode("utf-8"))


def _read(path: Path) -> State | None:
    """Return a state; None of a file that is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        made = tuple(map(str, record["made"]))
        return State(int(path.stem), str(record["text"]), str(record["what"]), str(record["at"]), made)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _point(file: Path, number: int) -> None:
    # Only tells two states of the same text apart: a study is in the state whose text it has.
    with suppress(SurroundingsError):
        put(_room(file) / "now", str(number).encode("ascii"))


def _pointed(file: Path) -> int:
    try:
        return int((_room(file) / "now").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def _copy(source: Path, target: Path) -> Path | None:
    """Copy a file to a name that is free; return it, or None where the same file is there already."""
    content = source.read_bytes()
    if target.exists():
        if target.read_bytes() == content:
            return None
        raise ConflictError("study_changed", files=target.name, at=_changed_at(target))
    put(target, content)
    return target


def _forget(file: Path) -> None:
    """Let the oldest states go, and the corrected tables that no state needs any more."""
    states = sorted(filter(None, map(_read, _room(file).glob("*.json"))), key=lambda state: state.number)
    for state in states[:-KEPT]:
        named = "".join(text for other in file.parent.glob("*.toml") if (text := _text_or_none(other)))
        needed = named + "".join(later.text for later in states[-KEPT:])
        for name in state.made:
            if name not in needed:
                (file.parent / name).unlink(missing_ok=True)
        _place(file, state.number).unlink(missing_ok=True)


def _text_or_none(file: Path) -> str | None:
    try:
        return read_text(file)
    except PlannerError:
        return None
