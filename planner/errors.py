"""What can go wrong, in the user's words. Each error is ours and a built-in at once, and knows its exit code.

Takes a key of the catalogue (section ``error``) and its values; gives a sentence in either language.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from planner.words import Lang, say


class Words(tuple[str, ...]):
    """Keys of the catalogue that a sentence lists, each in the sentence's own language."""

    __slots__ = ()


class PlannerError(Exception):
    """Base of every error the planner raises on purpose.

    Args:
        key: key in the catalogue's ``error`` section.
        values: what the sentence names: ``file``, ``row``, ``column``, …
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, key: str, /, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(self.text("en"))

    def text(self, lang: Lang) -> str:
        """Return the sentence in ``lang``."""
        comma = say(lang, "document.list_comma")
        spoken = {
            name: comma.join(say(lang, word) for word in value) if isinstance(value, Words) else value
            for name, value in self.values.items()
        }
        return say(lang, f"error.{self.key}", **spoken)


class InputError(PlannerError, ValueError):
    """The user's files or settings are wrong (exit 1)."""


class ConflictError(PlannerError, ValueError):
    """Somebody else changed the same thing meanwhile; nothing was written (exit 1)."""


class SurroundingsError(PlannerError, OSError):
    """The network, the disk or the machine failed (exit 3)."""

    exit_code = 3


class MissingPackageError(PlannerError, ImportError):
    """An optional package is not installed; the sentence names the extra to install (exit 3)."""

    exit_code = 3


class InfeasibleError(PlannerError, RuntimeError):
    """No plan can meet the rules (exit 4)."""

    exit_code = 4


@contextmanager
def plain_ctrl_c() -> Iterator[None]:
    """Let every Ctrl-C come out as KeyboardInterrupt: one that falls into a compiled kernel comes as the cause of a SystemError."""
    try:
        yield
    except SystemError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
