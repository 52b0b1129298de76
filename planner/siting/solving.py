"""Solve a siting problem: reduce, search, bound, prove. Gives a `Plan` whose status claims no more than its bound proves."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.siting.bound import Multipliers, first_multipliers, option_values, strike_out, tighten
from planner.siting.covering import merge_units
from planner.siting.milp import covering_program, minimise, plan_of, point_of
from planner.siting.problem import (
    MONEY_TOLERANCE,
    PROOF_TOLERANCE,
    Ints,
    Plan,
    Reason,
    SitingProblem,
    broken_rules,
    objective_of,
    relative_gap,
)
from planner.siting.search import improve, model_of, prices, search, search_near

# HiGHS works with absolute tolerances of 1e-6 to 1e-7; with all weight scaled to this, the lightest unit still shows.
_SCALE = 1e4
# Rounds of the Lagrangian bound between two looks at plans near it; the first six are always done.
_ROUNDS = (100, 100, 200, 200, 400, 400, 600, 1000, 1000)
# HiGHS is asked only where its linear programs stay below this many nonzeros; beyond, they take minutes and prove little.
_MOST_NONZEROS = 4_000_000

Progress = Callable[[float, float], None]


def solve(
    problem: SitingProblem,
    *,
    mip_gap: float = 0.005,
    work_limit: int | None = 200,
    time_limit_s: float | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Find the best plan and prove how good it is. The same problem gives the same plan, unless a limit in seconds strikes.

    Swap search finds a plan, a Lagrangian bound closes in on it and strikes out options that no better plan contains, and HiGHS
    settles what is left.

    Args:
        problem: what to plan.
        mip_gap: stop when the gap is proven to be no more than this fraction.
        work_limit: most branch-and-bound nodes; None is no limit.
        time_limit_s: a limit in seconds; None is no limit.
        progress: called with (objective, bound) while searching.

    Returns:
        A plan; ``optimal`` only if proven to 1e-6, ``infeasible`` with its reasons if the rules leave none.
    """
    begun = time.perf_counter()
    kept = useful_actions(problem)
    small = restrict(problem, kept)
    work = {**problem.reductions, **_sizes(problem, small)}

    def infeasible() -> Plan:
        none, seconds = np.zeros(problem.n_actions, np.int64), time.perf_counter() - begun
        return Plan(none, math.nan, math.nan, math.inf, "infeasible", seconds, work, conflict(problem), "conflict")

    if not set(problem.required) <= set(small.place.tolist()):
        return infeasible()
    race = _Race(small, begun, time_limit_s, progress)
    if not race.start():
        return infeasible()
    race.close_in(mip_gap)
    if race.gap() > max(mip_gap, PROOF_TOLERANCE):
        race.settle(mip_gap, work_limit)
    whole = np.zeros(problem.n_actions, np.int64)
    whole[kept] = tidy(small, race.plan())
    objective = objective_of(problem, whole)
    bound = max(race.bound(), objective)
    gap = relative_gap(objective, bound)
    proven = gap <= PROOF_TOLERANCE
    return Plan(
        build_year=whole,
        objective=objective,
        bound=objective if proven else bound,
        gap=0.0 if proven else gap,
        status="optimal" if proven else "feasible",
        seconds=time.perf_counter() - begun,
        work={**work, **race.work},
        stopped="proof" if proven else race.stopped,
    )


class _Race:
    """The best plan and the least bound of one solve, moving towards each other. Values are shares of the units' weight."""

    def __init__(
        self, problem: SitingProblem, begun: float, time_limit_s: float | None, progress: Progress | None
    ) -> None:
        self.problem, self.model = problem, model_of(problem)
        self.begun, self.time_limit_s, self.progress = begun, time_limit_s, progress
        self.weight = float(problem.unit_weight.sum())
        self.constant = problem.constant * float(problem.year_weight.sum())
        self.years: Ints = np.zeros(0, np.int64)
        self.value, self.least = -math.inf, float(problem.year_weight.sum())
        # What is struck out is worth no more than this; a bound below it proves nothing more.
        self.floor = -math.inf
        self.work: dict[str, int] = {"rounds": 0, "options": int(self.model.allowed.sum()), "nodes": 0}
        self.values = np.zeros(self.model.allowed.shape)
        self.grain = _grain(problem) / max(self.weight, 1e-300)
        self.stopped = "gap"

    def objective(self, value: float) -> float:
        return self.constant + self.weight * value

    def gap(self) -> float:
        return (
            relative_gap(self.objective(self.value), self.bound()) if self.bound() > self.objective(self.value) else 0.0
        )

    def bound(self) -> float:
        least = max(self.least, self.floor)
        # Where every value is a whole number of grains, nothing lies between one and the next.
        return self.objective(self.value if self.value < least < self.value + self.grain * (1 - 1e-6) else least)

    def plan(self) -> Ints:
        return np.where(self.years < self.problem.n_years, self.years + 1, 0)

    def left(self) -> float | None:
        return None if self.time_limit_s is None else self.time_limit_s - (time.perf_counter() - self.begun)

    def take(self, found: tuple[Ints, float] | None) -> None:
        """Keep a plan if it is the best so far."""
        if found is not None and found[1] > self.value:
            self.years, self.value = found
        if self.progress is not None and self.value > -math.inf:
            self.progress(self.objective(self.value), self.bound())

    def start(self) -> bool:
        """Find a first plan; tell whether there is any."""
        self.take(search(self.model))
        if self.value == -math.inf:
            # Greedy could not place what is required: ask for any plan that keeps the rules.
            program, action, year = covering_program(self.model, 0.0)
            outcome = minimise(program)
            if outcome.x is None:
                return False
            found = plan_of(action, year, outcome.x, self.problem.n_actions, self.problem.n_years)
            self.take(improve(self.model, found, self.values))
        return True

    def close_in(self, mip_gap: float) -> None:
        """Lower the bound and look for plans near it, until the gap is small enough or the bound stalls."""
        at = first_multipliers(self.model)
        for look, rounds in enumerate(_ROUNDS):
            tighten(self.model, at, self.value, rounds)
            self.least = min(self.least, at.bound)
            self.model.rate[:] = at.money
            self.values = option_values(self.model, at)[0]
            self.take(search_near(self.model, self.values))
            self.strike(at)
            self.work["rounds"] = at.rounds
            left = self.left()
            if left is not None and left <= 0:
                self.stopped = "time"
                return
            enough = self.gap() <= (PROOF_TOLERANCE if look < 5 else max(mip_gap, PROOF_TOLERANCE))
            if enough or at.step < 1e-5 or self.work["options"] == 0:
                return

    def strike(self, at: Multipliers) -> None:
        """Strike out options that no better plan contains."""
        known = self.value + max(1e-8 * abs(self.value) + 1e-12, self.grain * (1 - 1e-6))
        before = self.work["options"]
        self.work["options"] = strike_out(self.model, at, known)
        if self.work["options"] < before:
            self.floor = max(self.floor, self.value if self.grain > 0 else known)

    def settle(self, mip_gap: float, work_limit: int | None) -> None:
        """Let HiGHS decide among the options that are left."""
        if self.work["options"] == 0:
            self.least = self.floor
            return
        program, action, year = covering_program(self.model, _SCALE)
        self.work["rows"], self.work["pairs_left"] = program.matrix.shape[0], int(program.matrix.nnz)
        if program.matrix.nnz > _MOST_NONZEROS:
            self.stopped = "work"
            return
        program = replace(program, offset=-_SCALE * self.constant / self.weight)
        outcome = minimise(
            program,
            start=point_of(program, action, year, self.years, self.problem.n_years),
            mip_gap=mip_gap,
            abs_gap=self.grain * _SCALE * (1 - 1e-4),
            nodes=work_limit,
            time_limit_s=self.left(),
            progress=None if self.progress is None else lambda *_: self.take(None),
        )
        self.work["nodes"], self.stopped = outcome.nodes, outcome.stopped
        if outcome.stopped == "conflict":
            # Nothing that keeps the rules is left: nothing is better than the plan at hand.
            self.least = self.floor
            return
        if outcome.x is not None:
            found = plan_of(action, year, outcome.x, self.problem.n_actions, self.problem.n_years)
            if not broken_rules(self.problem, np.where(found < self.problem.n_years, found + 1, 0)):
                self.take(improve(self.model, found, self.values))
        if math.isfinite(outcome.bound):
            self.least = min(self.least, -outcome.bound / _SCALE - self.constant / self.weight)


def _grain(problem: SitingProblem) -> float:
    """Return the greatest whole number that divides every plan's value, 0 where values are not whole."""
    if problem.n_years > 1 or problem.n_units == 0:
        return 0.0
    worth = problem.unit_weight * problem.year_weight[0]
    whole = np.rint(worth)
    return float(np.gcd.reduce(whole.astype(np.int64))) if (worth == whole).all() and whole.max() < 2**53 else 0.0


def useful_actions(problem: SitingProblem) -> Ints:
    """Return the actions that some best plan may contain; exact.

    Left out are actions that no budget can pay, those that cover nothing at a place that is not required, and those
    dominated at their own place: another covers at least as much and costs no more, now and every year.
    """
    price, money = prices(problem)
    payable = np.any(np.all(price <= money * (1 + MONEY_TOLERANCE) + MONEY_TOLERANCE, axis=2), axis=1)
    covers = np.asarray(problem.cover.sum(axis=0)).ravel() > 0
    useful = payable & (covers | np.isin(problem.place, problem.required))
    rivals = np.flatnonzero(
        useful & (np.bincount(problem.place[useful], minlength=problem.place.max(initial=-1) + 1)[problem.place] > 1)
    )
    useful[rivals[_dominated(problem, rivals)]] = False
    return np.flatnonzero(useful)


def _dominated(problem: SitingProblem, rivals: Ints) -> NDArray[np.bool_]:
    """Tell which of the actions another one at the same place beats or equals in everything; of equals the first stays."""
    units = problem.cover[:, rivals].astype(np.int32)
    shared = (units.T @ units).tocoo()
    k, j = shared.coords
    size, place = np.asarray(units.sum(axis=0)), problem.place[rivals]
    capital, operating = problem.capital_cost[rivals], problem.operating_cost[rivals]
    # better: k covers all that j covers, and is nowhere dearer.
    better = (k != j) & (place[k] == place[j]) & (shared.data == size[j])
    better &= (capital[k] <= capital[j]) & (operating[k] <= operating[j])
    k, j = k[better], j[better]
    if problem.limit_use is not None:
        use = problem.limit_use[:, rivals].tocsc()
        no_more = np.asarray((use[:, k] > use[:, j]).sum(axis=0)).ravel() == 0
        k, j = k[no_more], j[no_more]
    alike = set(zip(k.tolist(), j.tolist(), strict=True))
    beaten = np.zeros(len(rivals), bool)
    beaten[[b for a, b in alike if (b, a) not in alike or a < b]] = True
    return beaten


def restrict(problem: SitingProblem, kept: Ints) -> SitingProblem:
    """Return the problem with the ``kept`` actions only, units merged anew."""
    cover = problem.cover[:, kept].tocsr()
    coverable = np.diff(cover.indptr) > 0
    weight, cover = merge_units(problem.unit_weight[coverable], cover[coverable])
    return replace(
        problem,
        unit_weight=weight,
        cover=cover,
        capital_cost=problem.capital_cost[kept],
        operating_cost=problem.operating_cost[kept],
        place=problem.place[kept],
        limit_use=None if problem.limit_use is None else problem.limit_use[:, kept].tocsr(),
    )


def tidy(problem: SitingProblem, build_year: Ints) -> Ints:
    """Close actions without which the plan covers as much, dearest first, so that no money is spent for nothing."""
    plan, value = build_year.copy(), objective_of(problem, build_year)
    total = problem.capital_cost + problem.operating_cost
    for j in sorted(np.flatnonzero(plan), key=lambda j: (-total[j], j)):
        if problem.place[j] in problem.required:
            continue
        without = plan.copy()
        without[j] = 0
        if objective_of(problem, without) >= value - 1e-12 * abs(value):
            plan = without
    return plan


def conflict(problem: SitingProblem) -> tuple[Reason, ...]:
    """Say why no plan fits: required places without an action, or the cheapest way to have them all against the money."""
    missing = [place for place in problem.required if place not in problem.place]
    if missing:
        return tuple(Reason("required_no_action", {"place": place}) for place in missing)
    price, money = prices(problem)
    last = price[:, :, -1].min(axis=1)
    cheapest = {place: float(last[problem.place == place].min()) for place in problem.required}
    dear = [place for place in problem.required if cheapest[place] > money[-1]]
    if dear:
        return tuple(
            Reason("required_too_dear", {"place": p, "cost": cheapest[p], "budget": float(money[-1])}) for p in dear
        )
    needed = float(sum(cheapest.values()))
    if needed > money[-1]:
        return (Reason("required_over_budget", {"cost": needed, "budget": float(money[-1])}),)
    return (Reason("required_conflict"),)


def _sizes(problem: SitingProblem, small: SitingProblem) -> dict[str, int]:
    return {
        "units": small.n_units,
        "actions_before": problem.n_actions,
        "actions": small.n_actions,
        "pairs": int(small.cover.nnz),
    }
