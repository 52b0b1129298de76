"""The field's four location problems on a demand × facility cost matrix, for analysts who bring their own distances.

Takes a matrix, weights and the field's words (service radius, p facilities, predefined facilities); gives a `Plan` with ``selected``
columns, objective, bound, gap and status. Knows nothing of years, hours or streets.
"""

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from planner.errors import InputError
from planner.siting.covering import merge_units
from planner.siting.median import solve_median
from planner.siting.problem import PROOF_TOLERANCE, Floats, Ints, Plan, Reason, SitingProblem, relative_gap
from planner.siting.setcover import solve_cover
from planner.siting.solving import solve_watched
from planner.siting.watch import Listener, Watch

Objective = Literal["mclp", "lscp", "p_median", "p_center"]


def from_cost_matrix(
    cost_matrix: ArrayLike | sparse.sparray,
    weights: ArrayLike,
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
        cost_matrix: demand rows × facility columns, dense or scipy sparse, ≥ 0, in any unit. Unreachable is an absent pair of a sparse
            matrix, and inf or nan of a dense one; a stored zero is a walk of nothing.
        weights: (n_demand,) ≥ 0.
        objective: ``mclp`` covers most weight within the radius (Church & ReVelle 1974); ``lscp`` covers everybody with fewest or
            cheapest facilities (Toregas et al. 1971; weights play no part); ``p_median`` makes Σ weight × cost to the nearest least
            (Hakimi 1964); ``p_center`` makes the largest cost to the nearest least (weights play no part).
        service_radius: needed by mclp and lscp; for the others pairs beyond it count as unreachable.
        p_facilities: how many to choose, exactly.
        facility_costs: (n_facilities,) for ``budget`` or lscp; default: all alike.
        budget: most that the chosen facilities may cost (mclp, lscp).
        predefined: column numbers, or a mask of columns, that are chosen in any case.
        time_limit: most seconds; None searches until the proof.
        mip_gap: stop when the gap is proven to be no more than this fraction.
        progress: called with a `Progress` while searching, in the caller's thread; returning True stops.

    Returns:
        A plan: ``selected`` are column numbers, ``objective`` is covered weight, cost, weighted walk or worst walk. ``status`` is
        ``infeasible`` with its reasons where no choice meets the demand. A search that is stopped by ``time_limit``, by ``progress`` or by
        Ctrl-C gives the best plan so far with the bound so far, and ``stopped`` says what ended it.

    Raises:
        InputError: sizes do not fit, a value is negative, or a parameter that the objective needs is missing.
    """
    watch = Watch(time_limit, progress)
    if objective not in ("mclp", "lscp", "p_median", "p_center"):
        raise InputError("matrix_objective", objective=objective)
    if objective in ("mclp", "lscp") and service_radius is None:
        raise InputError("matrix_missing", objective=objective, parameter="service_radius")
    if objective in ("p_median", "p_center") and p_facilities is None:
        raise InputError("matrix_missing", objective=objective, parameter="p_facilities")
    if objective == "mclp" and p_facilities is None and budget is None:
        raise InputError("matrix_missing", objective=objective, parameter="p_facilities")
    walk = _pairs(cost_matrix, math.inf if service_radius is None else service_radius)
    n_demand, n_facilities = walk.shape
    weight = np.asarray(weights, dtype=float)
    cost = np.ones(n_facilities) if facility_costs is None else np.asarray(facility_costs, dtype=float)
    for name, values, size in (("weights", weight, n_demand), ("facility_costs", cost, n_facilities)):
        if values.shape != (size,):
            raise InputError("matrix_size", name=name, size=size, given=str(values.shape))
        if not np.isfinite(values).all() or (values < 0).any():
            raise InputError("matrix_negative", name=name)
    if p_facilities is not None and not 0 < p_facilities <= n_facilities:
        raise InputError("matrix_p", p=p_facilities, facilities=n_facilities)
    fixed = _columns(predefined, n_facilities)
    if p_facilities is not None and len(fixed) > p_facilities:
        reason = Reason("predefined_over_p", {"predefined": len(fixed), "p": p_facilities})
        return _infeasible(n_facilities, watch, reason)
    if objective == "mclp":
        problem = _covering(walk, weight, cost, p_facilities, budget, fixed)
        plan = solve_watched(problem, watch, work_limit=None, mip_gap=mip_gap)
        return _filled_up(plan, p_facilities if budget is None else None, watch)
    unreached = np.flatnonzero((np.diff(walk.indptr) == 0) & ((objective != "p_median") | (weight > 0)))
    if len(unreached):
        return _infeasible(
            n_facilities, watch, Reason("demand_unreachable", {"rows": len(unreached), "first": int(unreached[0])})
        )
    if objective == "lscp":
        cover = solve_cover(_pattern(walk), cost, fixed, watch, mip_gap=mip_gap)
        assert cover.chosen is not None
        if budget is not None and cover.cost > budget:
            key = "cover_over_budget" if cover.bound > budget else "no_plan_in_time"
            return _infeasible(n_facilities, watch, Reason(key, {"cost": cover.bound, "budget": budget}))
        return _plan(n_facilities, cover.chosen, cover.cost, cover.bound, cover.stopped, cover.work, watch)
    assert p_facilities is not None
    if objective == "p_center":
        return _least_worst(walk, p_facilities, fixed, watch)
    served = np.diff(walk.indptr) > 0
    found = solve_median(walk[served], weight[served], p_facilities, fixed, watch, mip_gap=mip_gap)
    if found.chosen is None:
        return _infeasible(n_facilities, watch, Reason("p_too_few", {"p": p_facilities}))
    return _plan(n_facilities, found.chosen, found.cost, found.bound, found.stopped, found.work, watch)


def _pairs(cost_matrix: ArrayLike | sparse.sparray, radius: float) -> sparse.csr_array:
    """Return the pairs within the radius as CSR that keeps stored zeros."""
    if sparse.issparse(cost_matrix):
        pairs = sparse.coo_array(cost_matrix)
        row, column, value = pairs.row, pairs.col, np.asarray(pairs.data, dtype=float)
        shape = pairs.shape
    else:
        dense = np.asarray(cost_matrix, dtype=float)
        if dense.ndim != 2:
            raise InputError("matrix_size", name="cost_matrix", size="n × m", given=str(dense.shape))
        shape = dense.shape
        # Only pairs within the radius are ever looked at; nan compares false, so that it is absent too.
        within = dense <= radius if math.isfinite(radius) else np.isfinite(dense)
        row, column = np.nonzero(within)
        value = dense[row, column]
        if (dense < 0).any():
            raise InputError("matrix_negative", name="cost_matrix")
    kept = np.isfinite(value) & (value <= radius)
    if (value[kept] < 0).any():
        raise InputError("matrix_negative", name="cost_matrix")
    row, column, value = row[kept], column[kept], value[kept]
    order = np.lexsort((column, row)) if sparse.issparse(cost_matrix) else slice(None)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
    return sparse.csr_array((value[order], column[order].astype(np.int32), indptr.astype(np.int32)), shape=shape)


def _columns(predefined: ArrayLike | None, n: int) -> Ints:
    if predefined is None:
        return np.zeros(0, np.int64)
    given = np.asarray(predefined)
    columns = np.flatnonzero(given) if given.dtype == bool else np.unique(given.astype(np.int64))
    if (given.dtype == bool and given.shape != (n,)) or (len(columns) and not (columns[0] >= 0 and columns[-1] < n)):
        raise InputError("matrix_predefined", facilities=n)
    return columns


def _pattern(walk: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array((np.ones(walk.nnz, np.int8), walk.indices, walk.indptr), walk.shape)


def _covering(
    walk: sparse.csr_array, weight: Floats, cost: Floats, p: int | None, budget: float | None, fixed: Ints
) -> SitingProblem:
    """Return mclp as a siting problem of one year: p facilities at one each, or a budget, or both."""
    n = walk.shape[1]
    reached = np.flatnonzero((np.diff(walk.indptr) > 0) & (weight > 0))
    units, cover = merge_units(weight[reached], _pattern(walk)[reached])
    counted = budget is not None and p is not None
    return SitingProblem(
        unit_weight=units,
        cover=cover,
        capital_cost=np.ones(n) if budget is None else cost,
        operating_cost=np.zeros(n),
        place=np.arange(n),
        budget=np.array([budget if budget is not None else p], dtype=float),
        year_weight=np.ones(1),
        required=tuple(fixed.tolist()),
        limit_use=sparse.csr_array(np.ones((1, n))) if counted else None,
        limit=np.array([p], dtype=float) if counted else np.zeros(0),
    )


def _filled_up(plan: Plan, p: int | None, watch: Watch) -> Plan:
    """Add facilities that cover nothing more until there are exactly p, as the field counts."""
    year = plan.build_year.copy()
    if p is not None and plan.status != "infeasible":
        year[np.flatnonzero(year == 0)[: p - len(plan.selected)]] = 1
    return replace(plan, build_year=year, seconds=watch.seconds)


def _least_worst(walk: sparse.csr_array, p: int, fixed: Ints, watch: Watch) -> Plan:
    """Halve the list of distinct walks: the shortest within which p facilities cover everybody."""
    n = walk.shape[1]
    levels = np.unique(walk.data)
    # Nobody can do better than the unit whose nearest facility is farthest.
    low = int(np.searchsorted(levels, np.minimum.reduceat(walk.data, walk.indptr[:-1]).max()))
    high, best, sure = len(levels), None, True
    work = {"coverings": 0, "nodes": 0}
    proven = low
    while low < high:
        middle = (low + high) // 2
        near = walk.data <= levels[middle]
        indptr = np.concatenate([[0], np.cumsum(near)])[walk.indptr]
        pattern = sparse.csr_array((np.ones(int(near.sum()), np.int8), walk.indices[near], indptr), walk.shape)
        # No plan is known yet to speak of: any choice has the farthest walk of all at worst.
        inside = watch.inner("search", float(levels[min(high, len(levels) - 1)]), float(levels[proven]))
        cover = solve_cover(pattern, np.ones(n), fixed, inside, at_most=float(p))
        watch.stopped = watch.stopped or inside.stopped
        work["coverings"] += 1
        work["nodes"] += cover.work.get("nodes", 0)
        if cover.chosen is not None and len(cover.chosen) <= p:
            best, high = cover.chosen, middle
        else:
            low = middle + 1
            if cover.chosen is None or cover.bound > p:
                proven = low if sure else proven
            else:
                sure = False
    if best is None:
        return _infeasible(n, watch, Reason("p_too_few", {"p": p}))
    idle = np.setdiff1d(np.arange(n), best)[: p - len(best)]
    chosen = np.union1d(best, idle)
    is_open = np.zeros(n, bool)
    is_open[chosen] = True
    value = float(np.minimum.reduceat(np.where(is_open[walk.indices], walk.data, np.inf), walk.indptr[:-1]).max())
    bound = value if sure else float(levels[proven])
    return _plan(n, chosen, value, bound, "proof" if sure else watch.stopped or "work", work, watch)


def _plan(
    n: int, chosen: Ints, objective: float, bound: float, stopped: str, work: dict[str, int], watch: Watch
) -> Plan:
    year = np.zeros(n, np.int64)
    year[chosen] = 1
    gap = relative_gap(objective, bound)
    proven = gap <= PROOF_TOLERANCE
    return Plan(
        build_year=year,
        objective=objective,
        bound=objective if proven else bound,
        gap=0.0 if proven else gap,
        status="optimal" if proven else "feasible",
        seconds=watch.seconds,
        work=work,
        stopped="proof" if proven else stopped,
        time_limit_s=watch.limit_s,
    )


def _infeasible(n: int, watch: Watch, *reasons: Reason) -> Plan:
    return Plan(
        build_year=np.zeros(n, np.int64),
        objective=math.nan,
        bound=math.nan,
        gap=math.inf,
        status="infeasible",
        seconds=watch.seconds,
        reasons=reasons,
        stopped="conflict",
        time_limit_s=watch.limit_s,
    )
