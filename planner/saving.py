"""Text -> a file, whole or not at all, and never over what somebody else has written meanwhile.

Takes a path, a text and the revision that the writer had read; gives the new revision. Knows nothing of what the text says.
"""

import contextlib
import hashlib
import os
import tempfile
import threading
from pathlib import Path

from planner.errors import ConflictError, SurroundingsError

_lock = threading.Lock()


def revision(path: Path) -> str:
    """Return what stands for a file's content: "" where there is no file.

    Raises:
        SurroundingsError: the file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SurroundingsError("unreadable", file=path.name, detail=error.strerror or str(error)) from error


def save(path: Path, text: str, *, seen: str | None = None) -> str:
    """Write a text (UTF-8) in the place of a file: the old one stays until the new one is whole, even if the power fails.

    Args:
        path: its folder is made if it is not there.
        text: what the file is to hold.
        seen: the revision that the writer had read ("": no file); None writes in any case.

    Raises:
        ConflictError: the file has been changed since; it stays as it is.
        SurroundingsError: it cannot be written; it stays as it is.
    """
    content = text.encode("utf-8")
    with _lock:
        if seen is not None and revision(path) != seen:
            raise ConflictError("changed_meanwhile", file=path.name)
        put(path, content)
    return hashlib.sha256(content).hexdigest()


def put(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of a file in one step: whoever is killed or fails before leaves it as it was.

    Raises:
        SurroundingsError: the folder can't be written, or the file is held open by another program.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, so that replacing never leaves its file system; the dot keeps it out of listings.
        handle, name = tempfile.mkstemp(prefix=".planner-", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise SurroundingsError("cannot_write", folder=str(path.parent), detail=error.strerror or str(error)) from error
