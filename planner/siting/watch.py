"""How a search is followed: its progress goes out; a limit in seconds, a wish to stop or Ctrl-C come in.

An engine is a generator of ever better standings; `Watch.follow` runs it, so that stopping early keeps the best plan and the bound so far.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from planner.errors import plain_ctrl_c
from planner.siting.problem import relative_gap

Step = Literal["search", "bound", "settle"]


@dataclass(frozen=True)
class Progress:
    """Where a search stands.

    Attributes:
        step: ``search`` looks for good plans, ``bound`` closes in on how good a plan can be, ``settle`` decides what is left.
        objective: value of the best plan so far; infinite as long as there is none.
        bound: no plan is better than this; infinite as long as nothing is known.
        gap: ``|bound − objective| ÷ |objective|``.
        seconds: since the call.
    """

    step: Step
    objective: float
    bound: float
    gap: float
    seconds: float


# Called in the caller's own thread, a few times a second at most; returning True stops the search with the best plan so far.
Listener = Callable[[Progress], bool | None]


class Standing(Protocol):
    """What an engine yields: a plan's value and the bound, at one moment of the search."""

    @property
    def step(self) -> Step: ...  # noqa: D102
    @property
    def objective(self) -> float: ...  # noqa: D102
    @property
    def bound(self) -> float: ...  # noqa: D102


AnyStanding = TypeVar("AnyStanding", bound=Standing)


class Watch:
    """The clock of one call, and who listens to it.

    Attributes:
        limit_s: most seconds; None is no limit.
        stopped: "time" or "interrupted" once the search has to end, else None.
    """

    def __init__(self, limit_s: float | None = None, listener: Listener | None = None) -> None:
        self.limit_s = limit_s
        self.stopped: Literal["time", "interrupted"] | None = None
        self._listener = listener
        self._begun = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the call."""
        return time.perf_counter() - self._begun

    @property
    def left_s(self) -> float | None:
        """Seconds left, at least 0; None is no limit."""
        return None if self.limit_s is None else max(self.limit_s - self.seconds, 0.0)

    def over(self) -> bool:
        """Tell whether the search has to end; an engine asks this in long work between two standings."""
        if self.stopped is None and self.left_s == 0.0:
            self.stopped = "time"
        return self.stopped is not None

    def heed(self, stopped: str) -> None:
        """Take note of it if an inner solver was stopped by the clock or by Ctrl-C."""
        if stopped in ("time", "interrupted") and self.stopped is None:
            self.stopped = "time" if stopped == "time" else "interrupted"

    def tell(self, step: Step, objective: float, bound: float) -> bool:
        """Let the listener know, and return whether the search has to end."""
        if self._listener is not None and not math.isnan(objective):
            gap = relative_gap(objective, bound)
            if self._listener(Progress(step, objective, bound, gap, self.seconds)):
                self.stopped = "interrupted"
        return self.over()

    def follow(self, standings: Iterable[AnyStanding]) -> AnyStanding | None:
        """Run an engine and return its last standing; None where it has none (nothing keeps the rules).

        Ctrl-C ends the search like a wish to stop, as soon as there is a plan to keep.
        """
        last = None
        try:
            with plain_ctrl_c():
                for last in standings:
                    if self.tell(last.step, last.objective, last.bound):
                        break
        except KeyboardInterrupt:
            if last is None:
                raise
            self.stopped = "interrupted"
        return last

    def inner(self, step: Step, objective: float, bound: float) -> "Watch":
        """Return a watch for a search inside this one, whose listener hears how the outer search stands."""
        return Watch(self.left_s, lambda _: self.tell(step, objective, bound))
