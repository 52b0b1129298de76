"""The field's four location problems on a demand × facility cost matrix, for analysts who bring their own distances.

Takes a matrix, weights and the field's words (service radius, p facilities, predefined facilities); gives a `Plan` with ``selected``
columns, objective, bound, gap and status. Knows nothing of years, hours or streets.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from planner.siting.center import solve_center
from planner.siting.choice import Choice
from planner.siting.covering import merge_units
from planner.siting.given import Given, Objective, checked, not_negative
from planner.siting.median import solve_median
from planner.siting.problem import MONEY_TOLERANCE, PROOF_TOLERANCE, Plan, Reason, SitingProblem, Status
from planner.siting.setcover import solve_cover
from planner.siting.solving import solve_watched
from planner.siting.watch import Listener, Watch


def from_cost_matrix(
    cost_matrix: ArrayLike | sparse.sparray,
    weights: ArrayLike | None,
    *,
    objective: Objective,
    service_radius: float | None = None,
    p_facilities: int | None = None,
    facility_costs: ArrayLike | None = None,
    budget: float | None = None,
    predefined: ArrayLike | None = None,
    time_limit: float | None = None,
    mip_gap: float = 0.0,
    progress: Listener | None = None,
) -> Plan:
    """Solve a location problem on a cost matrix.

    Args:
        cost_matrix: demand rows × facility columns of numbers ≥ 0 in any unit, dense or scipy sparse (each pair once; not bsr or dia,
            which cannot tell a stored zero from padding). Unreachable is an absent pair of a sparse matrix, and inf, nan or a masked entry
            of either; a stored zero is a walk of nothing.
        weights: (n_demand,) ≥ 0; None is all alike.
        objective: ``mclp`` covers most weight within the radius (Church & ReVelle 1974); ``lscp`` covers everybody with fewest or
            cheapest facilities (Toregas et al. 1971; weights play no part); ``p_median`` makes Σ weight × cost to the nearest least
            (Hakimi 1964); ``p_center`` makes the largest cost to the nearest least (weights play no part).
        service_radius: needed by mclp and lscp; for the others pairs beyond it count as unreachable.
        p_facilities: how many to choose (mclp, p_median, p_center): exactly, but for mclp with a budget at most.
        facility_costs: (n_facilities,) for ``budget`` or lscp; default: all alike.
        budget: most that the chosen facilities may cost (mclp, lscp).
        predefined: column numbers, each once, or a mask of True and False, of facilities that are chosen in any case.
        time_limit: most seconds; None searches until the proof.
        mip_gap: stop when the gap is proven to be no more than this fraction.
        progress: called with a `Progress` while searching, in the caller's thread; returning True stops.

    Returns:
        A plan: ``selected`` are column numbers, ``objective`` is covered weight, cost, weighted walk or worst walk. ``status`` is
        ``infeasible`` with its reasons where no choice meets the demand, and ``unknown`` where a search that was stopped had found none. A
        search that is stopped by ``time_limit``, by ``progress`` or by Ctrl-C gives the best plan so far with the bound so far, and
        ``stopped`` says what ended it.

    Raises:
        InputError: sizes do not fit, a value is negative or no number, or a parameter that the objective needs is missing or has no use.
    """
    watch = Watch(None if time_limit is None else not_negative("time_limit", time_limit), progress)
    mip_gap = not_negative("mip_gap", mip_gap)
    given = checked(cost_matrix, weights, objective, service_radius, p_facilities, facility_costs, budget, predefined)
    if given.p is not None and len(given.fixed) > given.p:
        return _without(
            given, watch, "infeasible", Reason("predefined_over_p", {"predefined": len(given.fixed), "p": given.p})
        )
    return _SOLVERS[objective](given, watch, mip_gap)


def _mclp(given: Given, watch: Watch, mip_gap: float) -> Plan:
    plan = solve_watched(_covering(given), watch, work_limit=None, mip_gap=mip_gap)
    if plan.status == "infeasible" or given.budget is not None:
        return plan
    # The field counts exactly p: facilities that cover nothing more fill up.
    assert given.p is not None
    year = plan.build_year.copy()
    year[np.flatnonzero(year == 0)[: given.p - len(plan.selected)]] = 1
    return replace(plan, build_year=year)


def _lscp(given: Given, watch: Watch, mip_gap: float) -> Plan:
    if reason := _unreachable(given, np.ones(len(given.weight), bool)):
        return _without(given, watch, "infeasible", reason)
    choice = solve_cover(given.walk, given.cost, given.fixed, watch, mip_gap=mip_gap)
    assert choice is not None
    # Sums of costs such as 0.1 and 0.2 are not exact.
    most = math.inf if given.budget is None else given.budget + MONEY_TOLERANCE * max(1.0, given.budget)
    if choice.objective > most:
        values = {"cost": choice.bound, "budget": given.budget}
        if choice.bound > most:
            return _without(given, watch, "infeasible", Reason("cover_over_budget", values))
        return _without(given, watch, "unknown", Reason("no_plan_in_time", values))
    return _plan(given, choice, watch)


def _p_median(given: Given, watch: Watch, mip_gap: float) -> Plan:
    if reason := _unreachable(given, given.weight > 0):
        return _without(given, watch, "infeasible", reason)
    assert given.p is not None
    return _plan(given, solve_median(given.walk, given.weight, given.p, given.fixed, watch, mip_gap=mip_gap), watch)


def _p_center(given: Given, watch: Watch, mip_gap: float) -> Plan:
    if reason := _unreachable(given, np.ones(len(given.weight), bool)):
        return _without(given, watch, "infeasible", reason)
    assert given.p is not None
    return _plan(given, solve_center(given.walk, given.p, given.fixed, watch), watch)


_SOLVERS = {"mclp": _mclp, "lscp": _lscp, "p_median": _p_median, "p_center": _p_center}


def _unreachable(given: Given, asked: np.ndarray) -> Reason | None:
    rows = np.flatnonzero((np.diff(given.walk.indptr) == 0) & asked)
    return Reason("demand_unreachable", {"rows": len(rows), "first": int(rows[0])}) if len(rows) else None


def _covering(given: Given) -> SitingProblem:
    """Return mclp as a siting problem of one year: p facilities at one each, or a budget, or both."""
    walk, budget, p = given.walk, given.budget, given.p
    n = walk.shape[1]
    pattern = sparse.csr_array((np.ones(walk.nnz, np.int8), walk.indices, walk.indptr), walk.shape)
    reached = np.flatnonzero((np.diff(walk.indptr) > 0) & (given.weight > 0))
    units, cover = merge_units(given.weight[reached], pattern[reached])
    counted = budget is not None and p is not None
    return SitingProblem(
        unit_weight=units,
        cover=cover,
        capital_cost=np.ones(n) if budget is None else given.cost,
        operating_cost=np.zeros(n),
        place=np.arange(n),
        budget=np.array([budget if budget is not None else p], dtype=float),
        year_weight=np.ones(1),
        required=tuple(given.fixed.tolist()),
        limit_use=sparse.csr_array(np.ones((1, n))) if counted else None,
        limit=np.array([p], dtype=float) if counted else np.zeros(0),
    )


def _plan(given: Given, choice: Choice, watch: Watch) -> Plan:
    if math.isinf(choice.objective):
        # Nothing serves everybody, or the search was stopped before it knew.
        status: Status = "infeasible" if math.isinf(choice.bound) else "unknown"
        key = "p_too_few" if status == "infeasible" else "no_service_in_time"
        return _without(given, watch, status, Reason(key, {"p": given.p}))
    year = np.zeros(given.walk.shape[1], np.int64)
    year[choice.chosen] = 1
    proven = choice.gap <= PROOF_TOLERANCE
    return Plan(
        build_year=year,
        objective=choice.objective,
        bound=choice.objective if proven else choice.bound,
        gap=0.0 if proven else choice.gap,
        status="optimal" if proven else "feasible",
        seconds=watch.seconds,
        work=choice.work,
        stopped="proof" if proven else watch.stopped or choice.stopped,
        time_limit_s=watch.limit_s,
    )


def _without(given: Given, watch: Watch, status: Status, *reasons: Reason) -> Plan:
    """Return a plan that chooses nothing, with the reasons."""
    return Plan(
        build_year=np.zeros(given.walk.shape[1], np.int64),
        objective=math.nan,
        bound=math.nan,
        gap=math.inf,
        status=status,
        seconds=watch.seconds,
        reasons=reasons,
        stopped="conflict" if status == "infeasible" else watch.stopped or "work",
        time_limit_s=watch.limit_s,
    )
