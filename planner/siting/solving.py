"""Solve a siting problem: reduce, search, bound, prove. Gives a `Plan` whose status claims no more than its bound proves."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from planner.siting.covering import merge_units
from planner.siting.milp import covering_program, minimise, plan_of, point_of
from planner.siting.problem import (
    MONEY_TOLERANCE,
    PROOF_TOLERANCE,
    Floats,
    Ints,
    Plan,
    Reason,
    SitingProblem,
    broken_rules,
    objective_of,
    relative_gap,
)
from planner.siting.search import improve, prices, search

# HiGHS works with absolute tolerances of 1e-6 to 1e-7; with all weight scaled to this, the lightest unit still shows.
_SCALE = 1e4


def solve(
    problem: SitingProblem,
    *,
    mip_gap: float = 0.005,
    work_limit: int | None = 200,
    time_limit_s: float | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> Plan:
    """Find the best plan and prove how good it is. The same problem gives the same plan, unless a limit in seconds strikes.

    Args:
        problem: what to plan.
        mip_gap: stop when the gap is proven to be no more than this fraction.
        work_limit: most branch-and-bound nodes; None is no limit.
        time_limit_s: a limit in seconds; None is no limit.
        progress: called with (objective, bound) while searching.

    Returns:
        A plan; ``optimal`` only if proven to 1e-6, ``infeasible`` with its reasons if the required places do not fit.
    """
    begun = time.perf_counter()
    kept = useful_actions(problem)
    small = restrict(problem, kept)
    sizes = _sizes(problem, small)
    scale = _SCALE / max(problem.constant + float(problem.unit_weight.sum()), 1e-300)

    def done(build_year: Ints | None, bound: float, nodes: int, stopped: str) -> Plan:
        seconds = time.perf_counter() - begun
        work = {**problem.reductions, **sizes, "nodes": nodes}
        if build_year is None:
            none = np.zeros(problem.n_actions, np.int64)
            reasons = conflict(problem) if stopped == "conflict" else ()
            return Plan(none, float("nan"), bound, float("inf"), "infeasible", seconds, work, reasons, stopped)
        whole = np.zeros(problem.n_actions, np.int64)
        whole[kept] = build_year
        objective = objective_of(problem, whole)
        # The bound stands within the solver's tolerance; a plan above it is its own bound.
        bound = max(bound, objective)
        gap = relative_gap(objective, bound)
        proven = gap <= PROOF_TOLERANCE
        return Plan(
            whole,
            objective,
            objective if proven else bound,
            0.0 if proven else gap,
            "optimal" if proven else "feasible",
            seconds,
            work,
            (),
            "proof" if proven else stopped,
        )

    if not set(problem.required) <= set(small.place.tolist()):
        return done(None, float("nan"), 0, "conflict")
    start = search(small)
    ceiling = problem.constant * float(problem.year_weight.sum()) + float(small.unit_weight.sum()) * float(
        problem.year_weight.sum()
    )
    if start is not None and objective_of(small, start) >= ceiling * (1 - 1e-12):
        return done(start, ceiling, 0, "proof")
    outcome = minimise(
        covering_program(small, scale),
        start=None if start is None else point_of(small, start),
        mip_gap=mip_gap,
        nodes=work_limit,
        time_limit_s=None if time_limit_s is None else time_limit_s - (time.perf_counter() - begun),
        progress=None if progress is None else lambda best, bound: progress(-best / scale, -bound / scale),
    )
    plans = [] if start is None else [start]
    if outcome.x is not None:
        found = plan_of(small, outcome.x)
        if not broken_rules(small, found):
            plans.append(improve(small, found))
    best = max(plans, key=lambda plan: objective_of(small, plan), default=None)
    bound = min(-outcome.bound / scale, ceiling) if np.isfinite(outcome.bound) else ceiling
    return done(None if best is None else tidy(small, best), bound, outcome.nodes, outcome.stopped)


def useful_actions(problem: SitingProblem) -> Ints:
    """Return the actions that some best plan may contain; exact.

    Left out are actions that no budget can pay, those that cover nothing at a place that is not required, and those
    dominated at their own place: another covers at least as much and costs no more, now and every year.
    """
    price, money = prices(problem)
    payable = np.any(np.all(price <= money * (1 + MONEY_TOLERANCE) + MONEY_TOLERANCE, axis=2), axis=1)
    covers = np.asarray(problem.cover.sum(axis=0)).ravel() > 0
    useful = payable & (covers | np.isin(problem.place, problem.required))
    by_place = np.argsort(problem.place, kind="stable")
    by_place = by_place[useful[by_place]]
    cuts = np.flatnonzero(np.diff(problem.place[by_place])) + 1
    units = problem.cover.tocsc().astype(np.int32)
    use = None if problem.limit_use is None else problem.limit_use.tocsc()
    for rivals in np.split(by_place, cuts):
        if len(rivals) > 1:
            useful[rivals] = ~_dominated(
                units[:, rivals],
                problem.capital_cost[rivals],
                problem.operating_cost[rivals],
                np.zeros((0, len(rivals))) if use is None else use[:, rivals].toarray(),
            )
    return np.flatnonzero(useful)


def _dominated(units: sparse.csc_array, capital: Floats, operating: Floats, use: Floats) -> NDArray[np.bool_]:
    """Tell which of the actions at one place another there beats or equals in everything; of equals the first stays."""
    overlap = (units.T @ units).toarray()
    size = overlap.diagonal()
    # better[k, j]: k covers all that j covers, and is nowhere dearer.
    better = (overlap == size[None, :]) & (capital[:, None] <= capital) & (operating[:, None] <= operating)
    better &= (use[:, :, None] <= use[:, None, :]).all(axis=0)
    np.fill_diagonal(better, False)
    first = np.arange(len(size))[:, None] < np.arange(len(size))
    return np.asarray((better & (~better.T | first)).any(axis=0))


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
