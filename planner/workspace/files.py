"""Names of files that every system takes, and where a study keeps what is not part of it."""

import re
import unicodedata
from pathlib import PurePosixPath

# Beside study.toml: drafts, earlier states, the lock. Deleting it loses these and nothing else.
ROOM = ".planner"
_LONGEST_NAME = 80
# Names that Windows keeps for its devices.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def safe_name(name: str, fallback: str = "file") -> str:
    """Return a name of one file that every system takes: no folders, no signs with a meaning, not too long.

    What comes from a browser may be "../../study.toml", "C:\\\\a.csv", "con.csv" or 300 characters long.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    clean = "".join("_" if sign in '<>:"|?*' or unicodedata.category(sign)[0] == "C" else sign for sign in last)
    clean = clean.strip(" .") or fallback
    stem, suffix = PurePosixPath(clean).stem, PurePosixPath(clean).suffix[:10]
    stem = stem[: _LONGEST_NAME - len(suffix)].strip(" .") or fallback
    return f"_{stem}{suffix}" if _DEVICES.fullmatch(stem) else f"{stem}{suffix}"


def free_name(name: str, taken: set[str]) -> str:
    """Return ``name``, or name-2, name-3, … where names that differ by case alone are the same."""
    lower = {other.lower() for other in taken}
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    number, free = 1, name
    while free.lower() in lower:
        number += 1
        free = f"{stem}-{number}{suffix}"
    return free
