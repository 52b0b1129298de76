"""The siting problem and its answer, as arrays: what may be done, what it covers, what it costs; and the plan with its proof.

Years are numbered 1 … n in a plan, 0 meaning "not chosen"; the calendar belongs to `programme`. Knows neither streets nor hours.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from planner.siting.seats import Seats, served

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Status = Literal["optimal", "feasible", "infeasible", "unknown"]

# A plan is called optimal only within this fraction of its bound, which is what sums in float64 can tell apart.
PROOF_TOLERANCE = 1e-6
# Money is compared to a millionth of the budget: cents of 万元 do not survive sums in float64 exactly.
MONEY_TOLERANCE = 1e-9
# Sums of shares over some ten thousand units.
RULE_TOLERANCE = 1e-7


@dataclass(frozen=True)
class Reason:
    """Why no plan fits: a key of the catalogue's ``programme`` section and what its sentence names."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """One linear condition on a plan::

        Σ_k Σ_t take_kt · [action_k is done in year t] − (what ``tally`` counts as covered at the end of ``year``) ≤ most

    Attributes:
        reason: what a sentence says of it when it cannot be kept.
        most: right-hand side.
        action: (n,) numbers of the actions that it speaks of.
        take: (n × n_years).
        tally: row of `SitingProblem.tally`, −1 for none.
        year: 0 … n_years − 1, of the tally.
        worth: what one unit of a breach weighs when the least relaxation is looked for.
    """

    reason: Reason
    most: float
    action: Ints
    take: Floats
    tally: int = -1
    year: int = -1
    worth: float = 1.0


@dataclass(frozen=True)
class SitingProblem:
    """Which actions to take in which year so that most is covered within the budgets.

    The model is maximal covering (Church & ReVelle 1974) over actions and years::

        max  constant + Σ_t year_weight_t Σ_i unit_weight_i · y_it
        need_i · y_it ≤ standing_i + Σ_j cover_ij open_jt,  one action a place over all years, spending_t ≤ budget_t, every rule

    A problem with nothing below ``reductions`` is plain: actions only ever add coverage, and costs and limits are all there is to keep.

    Attributes:
        unit_weight: (n_units,) what covering a unit is worth; existing sites that stay cover none of these units.
        cover: CSR (n_units × n_actions); 1 where the action covers the unit, −1 where it closes a site that does.
        capital_cost: (n_actions,) paid in the year of opening.
        operating_cost: (n_actions,) paid each year from the year of opening on; negative where a closing saves it.
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
        standing: (n_units,) sites that may be closed and cover the unit today; None: there are none.
        need: (n_units,) how many must cover a unit for it to count (2 is cross coverage); None: one.
        price_level: (n_years,) what a price of today is in each year; None: the same.
        rules: further conditions, all kept at once.
        tally: CSR (n_tallies × n_units) what each unit adds to each tally (the share of a group, of a zone) when it is covered.
        tally_constant: (n_tallies,) the same of what is covered in any case.
        option_value: (n_actions × n_years) what doing an action in a year adds to the objective besides coverage; None: nothing.
        seats: who finds a seat, where that is an aim (`planner.siting.seating`): each year's worth is weighted like coverage.
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
    standing: Ints | None = None
    need: Ints | None = None
    price_level: Floats | None = None
    rules: tuple["Rule", ...] = ()
    tally: sparse.csr_array | None = None
    tally_constant: Floats = field(default_factory=lambda: np.zeros(0))
    option_value: Floats | None = None
    seats: Seats | None = None

    @property
    def plain(self) -> bool:
        """Whether actions only add coverage, and money, limits and required places are all the rules."""
        extras = (self.standing, self.need, self.price_level, self.option_value, self.seats)
        return not self.rules and all(extra is None for extra in extras) and not (self.operating_cost < 0).any()

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
class Plan:
    """Chosen actions with the proof of how good they are.

    Attributes:
        build_year: (n_actions,) number of the year, 1 … n; 0 where not chosen.
        objective: value of the plan; nan where infeasible.
        bound: no plan is better than this (above for covering, below where cost or distance is minimised).
        gap: ``|bound − objective| ÷ |objective|``.
        status: ``optimal`` only where the gap is proven below 1e-6; ``infeasible`` only where it is proven that nothing fits; ``unknown``
            where a search was stopped before it found a plan.
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
    def found(self) -> bool:
        """Whether there is a plan at all."""
        return self.status in ("optimal", "feasible")

    @property
    def verdict(self) -> str:
        """The status, or what ended the search before it was proven: "interrupted", "time"."""
        return self.stopped if self.status == "feasible" and self.stopped in ("interrupted", "time") else self.status

    @property
    def selected(self) -> Ints:
        """Numbers of the chosen actions (columns of a cost matrix), ascending."""
        return np.flatnonzero(self.build_year)


def relative_gap(objective: float, bound: float) -> float:
    """Return ``|bound − objective| ÷ |objective|``; 0 where both are equal, also at 0."""
    if objective == bound:
        return 0.0
    if objective == 0 or not math.isfinite(objective):
        return math.inf
    return abs(bound - objective) / abs(objective)


def is_open(problem: SitingProblem, build_year: Ints) -> Floats:
    """Return which actions are done by the end of each year, (n_actions × n_years), 1 or 0."""
    done = build_year[:, None]
    return ((done > 0) & (done <= np.arange(1, problem.n_years + 1))).astype(float)


def covered_units(problem: SitingProblem, build_year: Ints) -> NDArray[np.bool_]:
    """Return which units are covered at the end of each year, (n_units × n_years)."""
    count = problem.cover @ is_open(problem, build_year)
    if problem.standing is not None:
        count += problem.standing[:, None]
    need = np.ones(1) if problem.need is None else problem.need
    return np.asarray(count >= need[:, None] - 0.5)


def objective_of(problem: SitingProblem, build_year: Ints) -> float:
    """Score a plan from scratch: Σ_t year_weight_t × (what existing sites and the plan cover at the end of year t)."""
    covered = covered_units(problem, build_year)
    value = problem.constant * problem.year_weight.sum() + problem.unit_weight @ covered @ problem.year_weight
    if problem.option_value is not None:
        done = np.flatnonzero(build_year)
        value += problem.option_value[done, build_year[done] - 1].sum()
    if problem.seats is not None:
        # Years in which nothing more is done are alike.
        stands = is_open(problem, build_year)
        worth = {year.tobytes(): served(problem.seats, year) for year in stands.T}
        value += sum(w * worth[year.tobytes()] for w, year in zip(problem.year_weight, stands.T, strict=True))
    return float(value)


def tallies(problem: SitingProblem, build_year: Ints) -> Floats:
    """Return what each tally counts at the end of each year, (n_tallies × n_years)."""
    if problem.tally is None:
        return np.zeros((0, problem.n_years))
    return np.asarray(problem.tally_constant[:, None] + problem.tally @ covered_units(problem, build_year))


def spending(problem: SitingProblem, build_year: Ints) -> Floats:
    """Return what each year costs, (n_years,): capital of the year's actions and operating cost of all that are open."""
    level = np.ones(problem.n_years) if problem.price_level is None else problem.price_level
    stands = is_open(problem, build_year)
    opened = np.diff(stands, axis=1, prepend=0.0)
    return np.asarray(level * (problem.capital_cost @ opened + problem.operating_cost @ stands))


def excess(problem: SitingProblem, rule: Rule, build_year: Ints, counted: Floats) -> float:
    """Return by how much a plan breaks a rule; not above 0 where it keeps it. ``counted`` is what `tallies` gave."""
    year = build_year[rule.action]
    done = np.flatnonzero(year)
    used = float(rule.take[done, year[done] - 1].sum())
    return used - (float(counted[rule.tally, rule.year]) if rule.tally >= 0 else 0.0) - rule.most


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
    counted = tallies(problem, build_year) if problem.rules else np.zeros((0, 0))
    broken += [
        rule.reason
        for rule in problem.rules
        if excess(problem, rule, build_year, counted) > RULE_TOLERANCE * max(1.0, abs(rule.most))
    ]
    return tuple(broken)
