"""p-median: the places that make the walk to the nearest of them shortest, with the proof.

Takes demand × place costs as a CSR array; yields ever better choices. Swap search after Whitaker (1983) as in Resende & Werneck (2007);
the bound relaxes "each unit is served" (Cornuéjols, Fisher & Nemhauser 1977); places that no better choice contains are struck out by
it, and HiGHS settles the rest in the formulation by distance levels (Elloumi 2010).
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from planner.siting.choice import Choice, grain_of, settled
from planner.siting.median_kernels import Walks, greedy, not_served_by, relaxed_choice, second_walk, swap
from planner.siting.milp import Program
from planner.siting.problem import Floats, Ints
from planner.siting.subgradient import Ascent, climb
from planner.siting.watch import Watch

# Rounds of the bound between two looks at choices near it.
_ROUNDS = (100, 200, 300, 400, 600, 1000)


def solve_median(
    walk: sparse.csr_array,
    weight: Floats,
    p: int,
    required: Ints,
    watch: Watch,
    *,
    mip_gap: float = 0.0,
    work_limit: int | None = None,
) -> Choice:
    """Choose ``p`` columns that minimise Σ_i weight_i × walk to the nearest chosen column.

    Args:
        walk: CSR (n_demand × n_places), ≥ 0; an absent pair is unreachable, a stored zero is a walk of nothing.
        weight: (n_demand,) ≥ 0.
        p: how many, at least the required ones.
        required: columns that must be among them.
        watch: who follows the search and may end it.
        mip_gap: stop when the gap is proven to be no more than this fraction.
        work_limit: most branch-and-bound nodes.

    Returns:
        The best choice. Its objective is infinite where it does not serve everybody, its bound where no choice does.
    """
    weight = np.where(np.diff(walk.indptr) > 0, weight, 0.0)
    walks, unserved = _walks(walk, weight)
    choice = watch.follow(_choices(walks, unserved, p, required, watch, mip_gap, work_limit))
    assert choice is not None
    return choice


def _walks(walk: sparse.csr_array, weight: Floats) -> tuple[Walks, float]:
    """Return the arrays of the search, and more than what any choice that serves everybody can cost."""
    n_demand = walk.shape[0]
    row = np.repeat(np.arange(n_demand), np.diff(walk.indptr))
    farthest = np.zeros(n_demand)
    np.maximum.at(farthest, row, walk.data)
    # Beyond 2^53 one more is no more.
    unserved = float(weight @ farthest) * (1 + 1e-9) + 1.0
    order = np.lexsort((walk.indices, walk.data, row))
    columns = walk.tocsc()
    walks = Walks(
        row_ptr=walk.indptr.astype(np.int64),
        row_col=walk.indices[order].astype(np.int32),
        row_walk=walk.data[order].astype(float),
        col_ptr=columns.indptr.astype(np.int64),
        col_row=columns.indices.astype(np.int32),
        col_walk=columns.data.astype(float),
        weight=weight,
        # A unit that nobody serves costs more than all walks together: a search device that never reaches a result.
        far=2 * unserved / np.where(weight > 0, weight, 1.0),
    )
    return walks, unserved


def _choices(
    walks: Walks, unserved: float, p: int, required: Ints, watch: Watch, mip_gap: float, work_limit: int | None
) -> Iterator[Choice]:
    """Search, bound, settle: yield the best choice after each step."""
    n_places = len(walks.col_ptr) - 1
    must, allowed = np.zeros(n_places, bool), np.ones(n_places, bool)
    must[required] = True
    chosen, cost = swap(walks, greedy(walks, p, must, allowed), must, allowed)
    choice = Choice(np.sort(chosen), cost, 0.0, grain_of(walks.row_walk, walks.weight), work={"rounds": 0, "nodes": 0})
    yield _honest(choice, unserved)
    for closer in _close_in(choice, walks, p, must, allowed, watch, mip_gap):
        choice = closer
        yield _honest(choice, unserved)
    if not choice.close(mip_gap):
        yield _honest(_settle(choice, walks, p, must, allowed, watch, mip_gap, work_limit), unserved)


def _honest(choice: Choice, unserved: float) -> Choice:
    """Return the choice with an infinite cost where it does not serve everybody, and an infinite bound where none does."""
    objective = math.inf if choice.objective >= unserved else choice.objective
    return replace(choice, objective=objective, bound=math.inf if choice.bound >= unserved else choice.bound)


def _close_in(
    choice: Choice,
    walks: Walks,
    p: int,
    must: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    watch: Watch,
    mip_gap: float,
) -> Iterator[Choice]:
    """Raise the bound, look for choices near it, and strike out places, until the gap is small enough or the bound stalls."""

    def look(u: Floats) -> tuple[float, Floats]:
        near, part = relaxed_choice(walks, u, p, must, allowed)
        return float(u.sum() + part[near].sum()), not_served_by(walks, u, near)

    ascent = Ascent(second_walk(walks, choice.chosen) * walks.weight)
    for rounds in _ROUNDS:
        ascent = climb(
            look, ascent, target=choice.better, rounds=rounds, scale=np.maximum(ascent.at, 1e-9), over=watch.over
        )
        near, part = relaxed_choice(walks, ascent.at, p, must, allowed)
        choice = replace(choice.taking(*swap(walks, near, must, allowed)).raised(ascent.bound), step="bound")
        _strike_out(part, p, must, allowed, choice.better - ascent.bound)
        left = int(allowed.sum())
        choice = replace(choice, work={**choice.work, "rounds": ascent.rounds, "places": left})
        if left <= p or must.sum() >= p:
            choice = choice.raised(choice.objective)
        yield choice
        if choice.close(mip_gap) or ascent.spent:
            return


def _settle(
    choice: Choice,
    walks: Walks,
    p: int,
    must: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    watch: Watch,
    mip_gap: float,
    work_limit: int | None,
) -> Choice:
    """Let HiGHS decide among the places that are left."""
    program = _level_program(walks, p, must, allowed)
    start = _level_point(program, choice.chosen, allowed)
    choice, x = settled(replace(choice, step="settle"), program, start, watch, mip_gap, work_limit)
    found = np.zeros(0, np.int64) if x is None else np.flatnonzero(allowed)[x[: program.n_integer] > 0.5]
    if len(found) == p:
        choice = choice.taking(*swap(walks, found, must, np.ones(len(allowed), bool)))
    return choice.raised(choice.bound)


def _strike_out(part: Floats, p: int, must: NDArray[np.bool_], allowed: NDArray[np.bool_], room: float) -> None:
    """Strike out places that would raise the bound by ``room`` or more; mark those without which it would rise so."""
    free = np.flatnonzero(allowed & ~must)
    k = p - int(must.sum())
    if k <= 0 or k >= len(free):
        return
    ordered = free[np.argsort(part[free], kind="stable")]
    last_in, first_out = part[ordered[k - 1]], part[ordered[k]]
    allowed[ordered[k:][part[ordered[k:]] - last_in >= room]] = False
    must[ordered[:k][first_out - part[ordered[:k]] >= room]] = True


def _level_program(walks: Walks, p: int, must: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> Program:
    """Return ``min Σ weight × (next level − level) × (nothing open within the level)`` over the places that are left."""
    number = np.cumsum(allowed) - 1
    n = int(allowed.sum())
    r_i, r_j, r_v, cost, lower = [], [], [], [], []
    offset, row, z = 0.0, 0, n
    weight = walks.weight
    for unit in np.flatnonzero(weight > 0):
        span = slice(walks.row_ptr[unit], walks.row_ptr[unit + 1])
        left = allowed[walks.row_col[span]]
        col, dist = walks.row_col[span][left], walks.row_walk[span][left]
        sure = np.flatnonzero(must[col])
        if len(sure):
            col, dist = col[: sure[0] + 1], dist[: sure[0] + 1]
        last = walks.far[unit]
        levels = np.append(dist, last) if not len(sure) else dist
        offset += weight[unit] * (levels[0] if len(levels) else last)
        before = -1
        start = 0
        for k in np.flatnonzero(np.diff(levels) > 0).tolist():
            here = number[col[start : k + 1]]
            r_i += [row] * (len(here) + 1 + (before >= 0))
            r_j += [z, *here.tolist()] + ([before] if before >= 0 else [])
            r_v += [1.0] * (len(here) + 1) + ([-1.0] if before >= 0 else [])
            lower.append(0.0 if before >= 0 else 1.0)
            cost.append(weight[unit] * (levels[k + 1] - levels[k]))
            before, z, row, start = z, z + 1, row + 1, k + 1
    count = sparse.csr_array((np.ones(n), (np.zeros(n, int), np.arange(n))), (1, z))
    levels_matrix = sparse.csr_array((r_v, (r_i, r_j)), (row, z))
    x_lower = np.zeros(z)
    x_lower[number[must & allowed]] = 1.0
    return Program(
        cost=np.concatenate([np.zeros(n), cost]),
        matrix=sparse.vstack([levels_matrix, count], format="csc"),
        lower=np.array([*lower, float(p)]),
        upper=np.array([highspy.kHighsInf] * row + [float(p)]),
        x_lower=x_lower,
        x_upper=np.ones(z),
        n_integer=n,
        offset=offset,
    )


def _level_point(program: Program, chosen: Ints, allowed: NDArray[np.bool_]) -> Floats | None:
    """Return a choice as a point of `_level_program`; None where it has a place that was struck out."""
    if not allowed[chosen].all():
        return None
    x = np.zeros(len(program.cost))
    x[(np.cumsum(allowed) - 1)[chosen]] = 1.0
    levels = program.matrix.tocsr()
    for row in range(levels.shape[0] - 1):
        span = slice(levels.indptr[row], levels.indptr[row + 1])
        own = levels.indices[span][levels.indices[span] >= program.n_integer].max()
        rest = program.lower[row] - float(levels.data[span] @ x[levels.indices[span]])
        x[own] = max(0.0, rest)
    return x
