"""Which columns of a cost matrix are chosen, and what is known of the best choice: what set covering, p-median and p-center yield."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from planner.siting.milp import Program, minimise
from planner.siting.problem import PROOF_TOLERANCE, Floats, Ints, relative_gap
from planner.siting.watch import Step, Watch

# HiGHS works with absolute tolerances; costs are scaled so that the best plan's is this.
_SCALE = 1e4
# HiGHS is asked only where its linear programs stay below this many nonzeros; beyond, they take minutes and prove little.
_MOST_NONZEROS = 4_000_000


@dataclass(frozen=True)
class Choice:
    """Chosen columns at one moment of a search for the least cost.

    Attributes:
        chosen: column numbers, ascending.
        objective: their cost.
        bound: nothing costs less.
        grain: every choice's cost is a multiple of it; 0 where that is not known.
        step, stopped, work: what the search tells of itself.
    """

    chosen: Ints
    objective: float
    bound: float = -math.inf
    grain: float = 0.0
    step: Step = "search"
    stopped: str = "gap"
    work: Mapping[str, int] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """``|bound − objective| ÷ |objective|``."""
        return relative_gap(self.objective, self.bound)

    @property
    def better(self) -> float:
        """What a better choice costs at most."""
        return self.objective - max(self.grain * (1 - 1e-6), 1e-9 * abs(self.objective))

    def close(self, gap: float) -> bool:
        """Tell whether the gap is proven to be no more than this fraction."""
        return self.gap <= max(gap, PROOF_TOLERANCE)

    def taking(self, chosen: Ints, cost: float) -> "Choice":
        """Return the better of this choice and another."""
        if cost >= self.objective - 1e-12 * abs(self.objective):
            return self
        return replace(self, chosen=np.sort(chosen), objective=cost)

    def raised(self, bound: float) -> "Choice":
        """Return the choice with a bound, if that says more: a cost is a multiple of the grain, and no better one is a proof."""
        if self.grain > 0 and math.isfinite(bound):
            bound = self.grain * math.ceil(bound / self.grain * (1 - 1e-12) - 1e-6)
        bound = max(bound, self.bound)
        return replace(self, bound=self.objective if bound > self.better else bound)


def grain_of(*values: Floats) -> float:
    """Return a number that divides every product of one value of each array; 0 where they are not all whole."""
    if any(len(v) == 0 or (v != np.rint(v)).any() or v.max() >= 2**53 for v in values):
        return 0.0
    return float(math.prod(int(np.gcd.reduce(v.astype(np.int64))) for v in values))


def settled(
    choice: Choice, program: Program, start: Floats | None, watch: Watch, mip_gap: float, work_limit: int | None
) -> tuple[Choice, Floats | None]:
    """Let HiGHS solve a program whose minimum is the least cost below this choice's; return the bound raised, and its point."""
    if program.matrix.nnz > _MOST_NONZEROS:
        return replace(choice, stopped="work"), None
    scale = _SCALE / max(abs(choice.objective), 1e-300)
    outcome = minimise(
        replace(program, cost=program.cost * scale, offset=program.offset * scale),
        below=(choice.better + 0.5 * choice.grain) * scale,
        mip_gap=mip_gap,
        abs_gap=choice.grain * scale * (1 - 1e-4),
        nodes=work_limit,
        time_limit_s=watch.left_s,
        tell=lambda _, least: watch.tell("settle", choice.objective, choice.raised(least / scale).bound),
    )
    watch.heed(outcome.stopped)
    work = {**choice.work, "rows": program.matrix.shape[0], "nodes": outcome.nodes}
    # What was struck out is no better than the choice that it was struck out for.
    bound = choice.objective if outcome.stopped == "conflict" else min(outcome.bound / scale, choice.objective)
    return replace(choice.raised(bound), stopped=outcome.stopped, work=work), outcome.x
