"""The siting problem and its answer, as arrays: what may be done, what it covers, what it costs; and the plan with its proof.

Years are numbered 1 … n in a plan, 0 meaning "not chosen"; the calendar belongs to `programme`. Knows neither streets nor hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Status = Literal["optimal", "feasible", "infeasible"]

# A plan is called optimal only within this fraction of its bound, which is what sums in float64 can tell apart.
PROOF_TOLERANCE = 1e-6
# Money is compared to a millionth of the budget: cents of 万元 do not survive sums in float64 exactly.
MONEY_TOLERANCE = 1e-9


@dataclass(frozen=True)
class SitingProblem:
    """Which actions to take in which year so that most is covered within the budgets.

    The model is maximal covering (Church & ReVelle 1974) over actions and years::

        max  constant + Σ_t year_weight_t Σ_i unit_weight_i · y_it
        y_it ≤ Σ_{j covers i} open_jt,  one action a place over all years, spending_t ≤ budget_t

    Attributes:
        unit_weight: (n_units,) what covering a unit is worth; existing sites cover none of these units.
        cover: CSR (n_units × n_actions); a stored entry means that the action covers the unit.
        capital_cost: (n_actions,) paid in the year of opening.
        operating_cost: (n_actions,) paid each year from the year of opening on.
        place: (n_actions,) number of the place; actions at one place exclude each other.
        budget: (n_years,).
        year_weight: (n_years,) how much the coverage at each year's end counts.
        constant: what existing sites cover.
        carry_over: whether unspent money stays for later years.
        required: places that must get an action.
        limit_use: CSR (n_limits × n_actions), ≥ 0: how much of each limit an action takes up, in whatever year it is done.
        limit: (n_limits,) most that all chosen actions together may take up ("at most n of a mode", spacing, …).
        people: how many people a value of one stands for.
        reductions: sizes before and after merging, for the report.
    """

    unit_weight: Floats
    cover: sparse.csr_array
    capital_cost: Floats
    operating_cost: Floats
    place: Ints
    budget: Floats
    year_weight: Floats
    constant: float = 0.0
    carry_over: bool = True
    required: tuple[int, ...] = ()
    limit_use: sparse.csr_array | None = None
    limit: Floats = field(default_factory=lambda: np.zeros(0))
    people: float = 1.0
    reductions: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_units(self) -> int:
        """Number of units still to be covered."""
        return len(self.unit_weight)

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return len(self.place)

    @property
    def n_years(self) -> int:
        """Number of years."""
        return len(self.budget)


@dataclass(frozen=True)
class Reason:
    """Why no plan fits: a key of the catalogue's ``programme`` section and what its sentence names."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Chosen actions with the proof of how good they are.

    Attributes:
        build_year: (n_actions,) number of the year, 1 … n; 0 where not chosen.
        objective: value of the plan; nan where infeasible.
        bound: no plan is better than this (above for covering, below where cost or distance is minimised).
        gap: ``|bound − objective| ÷ |objective|``.
        status: ``optimal`` only where the gap is proven below 1e-6.
        seconds: time taken.
        work: counts that explain the proof: units, actions and nonzeros before and after reductions, nodes, swaps.
        reasons: why nothing fits, where infeasible.
        stopped: what ended the search: "proof", "gap", "work", "time", "interrupted" or "conflict".
        time_limit_s: the limit in seconds that the user set; None where work was counted only.
    """

    build_year: Ints
    objective: float
    bound: float
    gap: float
    status: Status
    seconds: float
    work: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    stopped: str = "proof"
    time_limit_s: float | None = None

    @property
    def selected(self) -> Ints:
        """Numbers of the chosen actions (columns of a cost matrix), ascending."""
        return np.flatnonzero(self.build_year)


def relative_gap(objective: float, bound: float) -> float:
    """Return ``|bound − objective| ÷ |objective|``; 0 where both are equal, also at 0."""
    difference = abs(bound - objective)
    if difference == 0:
        return 0.0
    return float(difference / abs(objective)) if objective else float("inf")


def objective_of(problem: SitingProblem, build_year: Ints) -> float:
    """Score a plan from scratch: Σ_t year_weight_t × (what existing sites and the plan cover at the end of year t)."""
    never = problem.n_years + 1
    year = np.where(build_year > 0, build_year, never)
    first = np.full(problem.n_units, never)
    units = np.repeat(np.arange(problem.n_units), np.diff(problem.cover.indptr))
    np.minimum.at(first, units, year[problem.cover.indices])
    # worth[y]: the weight of all years from y on, when the unit is covered.
    worth = np.concatenate([[0.0], np.cumsum(problem.year_weight[::-1])[::-1], [0.0]])
    return float(problem.constant * problem.year_weight.sum() + problem.unit_weight @ worth[first])


def spending(problem: SitingProblem, build_year: Ints) -> Floats:
    """Return what each year costs, (n_years,): capital of the year's actions and operating cost of all that are open."""
    spent = np.zeros(problem.n_years)
    for t in range(problem.n_years):
        opened, is_open = build_year == t + 1, (build_year > 0) & (build_year <= t + 1)
        spent[t] = problem.capital_cost[opened].sum() + problem.operating_cost[is_open].sum()
    return spent


def broken_rules(problem: SitingProblem, build_year: Ints) -> tuple[Reason, ...]:
    """Return the rules that a plan breaks, none where it keeps them all."""
    broken = []
    spent, budget = spending(problem, build_year), problem.budget
    if problem.carry_over:
        spent, budget = np.cumsum(spent), np.cumsum(budget)
    for t in np.flatnonzero(spent > budget + MONEY_TOLERANCE * np.maximum(1.0, budget)):
        broken.append(Reason("over_budget", {"year": int(t) + 1, "cost": float(spent[t]), "budget": float(budget[t])}))
    if problem.limit_use is not None:
        used = problem.limit_use @ (build_year > 0).astype(float)
        for number in np.flatnonzero(used > problem.limit + MONEY_TOLERANCE * np.maximum(1.0, problem.limit)):
            broken.append(Reason("over_limit", {"limit": int(number)}))
    places, count = np.unique(problem.place[build_year > 0], return_counts=True)
    broken += [Reason("two_actions", {"place": int(p)}) for p in places[count > 1]]
    broken += [Reason("required_missing", {"place": p}) for p in problem.required if p not in places]
    return tuple(broken)
