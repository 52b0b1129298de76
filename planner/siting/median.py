"""p-median: the places that make the walk to the nearest of them shortest, with the proof.

Takes demand × place costs as a CSR array; gives chosen columns, their cost and a lower bound. Swap search after Whitaker (1983) as in
Resende & Werneck (2007); the bound relaxes "each unit is served" (Cornuéjols, Fisher & Nemhauser 1977); places that no better choice
contains are struck out by it, and HiGHS settles the rest in the formulation by distance levels (Elloumi 2010).
"""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

import math
from dataclasses import dataclass

import highspy
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from planner.siting.milp import Program, minimise
from planner.siting.problem import PROOF_TOLERANCE, Floats, Ints, relative_gap
from planner.siting.watch import Watch

_ROUNDS = (100, 200, 300, 400, 600, 1000)
_MOST_NONZEROS = 4_000_000


@dataclass(frozen=True)
class Median:
    """Chosen columns (None: nothing serves everybody), their cost, the lower bound, and what the proof took."""

    chosen: Ints | None
    cost: float
    bound: float
    stopped: str
    work: dict[str, int]


def solve_median(
    walk: sparse.csr_array,
    weight: Floats,
    p: int,
    required: Ints,
    watch: Watch,
    *,
    mip_gap: float = 0.0,
    work_limit: int | None = None,
) -> Median:
    """Choose ``p`` columns that minimise Σ_i weight_i × walk to the nearest chosen column.

    Args:
        walk: CSR (n_demand × n_places), ≥ 0; an absent pair is unreachable, a stored zero is a walk of nothing.
        weight: (n_demand,) ≥ 0.
        p: how many, at least the required ones.
        required: columns that must be among them.
        mip_gap: stop when the gap is proven to be no more than this fraction.
        work_limit: most branch-and-bound nodes.
        watch: who follows the search and may end it.
    """
    n_demand, n_places = walk.shape
    rows, columns = _near_first(walk), walk.tocsc()
    # A unit that nobody serves costs more than all walks together: a search device that never reaches a result.
    unserved = float(weight @ np.maximum.reduceat(walk.data, walk.indptr[:-1])) + 1.0 if n_demand else 1.0
    far = np.full(n_demand, 2 * max(unserved, 1.0))
    far /= np.where(weight > 0, weight, 1.0)
    must = np.zeros(n_places, bool)
    must[required] = True
    allowed = np.ones(n_places, bool)
    data = (
        rows.indptr.astype(np.int64),
        rows.indices.astype(np.int32),
        rows.data,
        columns.indptr.astype(np.int64),
        columns.indices.astype(np.int32),
        columns.data,
        weight,
        far,
    )
    whole = (walk.data == np.rint(walk.data)).all() and (weight == np.rint(weight)).all()
    grain = 1.0 - 1e-6 if whole else 0.0

    chosen, cost = _swap(data, _greedy(data, p, must, allowed), must, allowed)
    u = _second_walk(data, chosen) * weight
    bound, step, at_u = -math.inf, 0.05, u.copy()
    work = {"rounds": 0, "nodes": 0, "places": n_places}
    stopped = "gap"

    def proven(gap: float) -> bool:
        return bound > cost - max(grain, 1e-9 * cost) or relative_gap(cost, bound) <= gap

    for rounds in _ROUNDS:
        bound, step, at_u, done = _climb(data, at_u, p, must, allowed, bound, step, cost - grain, rounds)
        work["rounds"] += done
        near = _relaxed_choice(data, at_u, p, must, allowed)[0]
        other, other_cost = _swap(data, near, must, allowed)
        if other_cost < cost - 1e-12 * cost:
            chosen, cost = other, other_cost
        _, part = _relaxed_choice(data, at_u, p, must, allowed)
        _strike_out(part, p, must, allowed, cost - bound - max(grain, 1e-9 * cost))
        work["places"] = int(allowed.sum())
        if proven(max(mip_gap, PROOF_TOLERANCE)) or step < 1e-5 or work["places"] <= p:
            break
        if watch.tell("bound", cost, bound):
            break
    if work["places"] <= p or must.sum() >= p:
        bound = cost
    if not proven(max(mip_gap, PROOF_TOLERANCE)) and not watch.over():
        program = _level_program(rows, weight, far, p, must, allowed)
        stopped = "work"
        if program.matrix.nnz <= _MOST_NONZEROS:
            scale = 1e4 / max(cost, 1e-300)
            program = Program(
                program.cost * scale,
                program.matrix,
                program.lower,
                program.upper,
                program.x_lower,
                program.x_upper,
                program.n_integer,
                program.offset * scale,
            )
            outcome = minimise(
                program, start=_level_point(program, chosen, allowed), mip_gap=mip_gap,
                abs_gap=grain * scale * (1 - 1e-4), nodes=work_limit, time_limit_s=watch.left_s,
                tell=lambda _, least: watch.tell("settle", cost, max(bound, least / scale)),
            )  # fmt: skip
            stopped, work["nodes"] = outcome.stopped, outcome.nodes
            if outcome.x is not None:
                found = np.flatnonzero(allowed)[outcome.x[: program.n_integer] > 0.5]
                if len(found) == p:
                    other, other_cost = _swap(data, found, must, np.ones(n_places, bool))
                    if other_cost < cost:
                        chosen, cost = other, other_cost
            # What was struck out is no better than the plan it was struck out for.
            bound = cost if outcome.stopped == "conflict" else max(bound, min(outcome.bound / scale, cost))
    if cost >= unserved:
        return Median(None, math.nan, math.nan, "conflict", work)
    if proven(PROOF_TOLERANCE):
        bound, stopped = cost, "proof"
    return Median(np.sort(chosen), cost, bound, stopped if stopped == "proof" else watch.stopped or stopped, work)


def _near_first(walk: sparse.csr_array) -> sparse.csr_array:
    """Return the array with each row's entries from near to far, ties by column."""
    row = np.repeat(np.arange(walk.shape[0]), np.diff(walk.indptr))
    order = np.lexsort((walk.indices, walk.data, row))
    return sparse.csr_array((walk.data[order].astype(float), walk.indices[order], walk.indptr), walk.shape)


@njit(cache=True, nogil=True)
def _two_nearest(data, is_open, unit):
    ptr, col, dist, far = data[0], data[1], data[2], data[7]
    first, first_d, second_d = -1, far[unit], far[unit]
    for q in range(ptr[unit], ptr[unit + 1]):
        if is_open[col[q]]:
            if first < 0:
                first, first_d = col[q], dist[q]
            else:
                second_d = dist[q]
                break
    return first, first_d, second_d


@njit(cache=True, nogil=True)
def _second_walk(data, chosen):
    n = len(data[0]) - 1
    is_open = np.zeros(len(data[3]) - 1, np.bool_)
    is_open[chosen] = True
    walk = np.empty(n)
    for unit in range(n):
        _, first_d, second_d = _two_nearest(data, is_open, unit)
        walk[unit] = min(second_d, 2.0 * first_d + 1.0)
    return walk


@njit(cache=True, nogil=True)
def _greedy(data, p, must, allowed):
    """Add the place that shortens the walk most, ``p`` times."""
    col_ptr, col_unit, col_dist, weight, far = data[3], data[4], data[5], data[6], data[7]
    n_places = len(col_ptr) - 1
    near = far.copy()
    chosen = np.empty(p, np.int64)
    taken = np.zeros(n_places, np.bool_)
    for k in range(p):
        best, most = -1, -1.0
        for place in range(n_places):
            if taken[place] or not allowed[place]:
                continue
            gain = 0.0
            for q in range(col_ptr[place], col_ptr[place + 1]):
                if col_dist[q] < near[col_unit[q]]:
                    gain += weight[col_unit[q]] * (near[col_unit[q]] - col_dist[q])
            if must[place]:
                gain = np.inf
            if gain > most:
                best, most = place, gain
        chosen[k] = best
        taken[best] = True
        for q in range(col_ptr[best], col_ptr[best + 1]):
            near[col_unit[q]] = min(near[col_unit[q]], col_dist[q])
    return chosen


@njit(cache=True, nogil=True)
def _swap(data, chosen, must, allowed):
    """Swap one chosen place for another, the best pair each time, until no swap shortens the walk; return places and cost."""
    col_ptr, col_unit, col_dist, weight = data[3], data[4], data[5], data[6]
    n, n_places = len(data[0]) - 1, len(col_ptr) - 1
    is_open = np.zeros(n_places, np.bool_)
    is_open[chosen] = True
    first, first_d, second_d = np.empty(n, np.int64), np.empty(n), np.empty(n)
    loss, with_new = np.zeros(n_places), np.zeros(n_places)
    cost = 0.0
    while True:
        loss[:] = 0.0
        cost = 0.0
        for unit in range(n):
            first[unit], first_d[unit], second_d[unit] = _two_nearest(data, is_open, unit)
            cost += weight[unit] * first_d[unit]
            if first[unit] >= 0:
                loss[first[unit]] += weight[unit] * (second_d[unit] - first_d[unit])
        best_in, best_out, least = -1, -1, -1e-9 * cost - 1e-12
        for place in range(n_places):
            if is_open[place] or not allowed[place]:
                continue
            gain = 0.0
            with_new[:] = 0.0
            for q in range(col_ptr[place], col_ptr[place + 1]):
                unit, d = col_unit[q], col_dist[q]
                if d < second_d[unit]:
                    if d < first_d[unit]:
                        gain += weight[unit] * (first_d[unit] - d)
                    if first[unit] >= 0:
                        with_new[first[unit]] += weight[unit] * (max(d, first_d[unit]) - second_d[unit])
            for k in range(len(chosen)):
                out = chosen[k]
                if must[out]:
                    continue
                change = loss[out] + with_new[out] - gain
                if change < least:
                    best_in, best_out, least = place, k, change
        if best_in < 0:
            break
        is_open[chosen[best_out]] = False
        chosen[best_out] = best_in
        is_open[best_in] = True
    return chosen, cost


@njit(cache=True, nogil=True)
def _relaxed_choice(data, u, p, must, allowed):
    """Return the p places that serve most of the multipliers, and what each of all places is worth (≤ 0)."""
    ptr, col, dist, weight = data[0], data[1], data[2], data[6]
    part = np.zeros(len(data[3]) - 1)
    for unit in range(len(ptr) - 1):
        for q in range(ptr[unit], ptr[unit + 1]):
            saved = weight[unit] * dist[q] - u[unit]
            if saved >= 0.0:
                break
            part[col[q]] += saved
    key = part.copy()
    for place in range(len(part)):
        if must[place]:
            key[place] = -np.inf
        elif not allowed[place]:
            key[place] = np.inf
    return np.argsort(key, kind="mergesort")[:p], part


@njit(cache=True, nogil=True)
def _climb(data, u, p, must, allowed, bound, step, target, rounds):
    """Raise the bound by a deflected subgradient; return it with the step, its multipliers and the rounds done."""
    ptr, col, dist, weight = data[0], data[1], data[2], data[6]
    n = len(ptr) - 1
    now, best_u, direction = u.copy(), u.copy(), np.zeros(n)
    taken = np.zeros(len(data[3]) - 1, np.bool_)
    g = np.empty(n)
    in_vain, done = 0, 0
    for _ in range(rounds):
        done += 1
        choice, part = _relaxed_choice(data, now, p, must, allowed)
        taken[:] = False
        value = 0.0
        for place in choice:
            taken[place] = True
            value += part[place]
        for unit in range(n):
            value += now[unit]
            g[unit] = 1.0
            for q in range(ptr[unit], ptr[unit + 1]):
                if weight[unit] * dist[q] >= now[unit]:
                    break
                if taken[col[q]]:
                    g[unit] -= 1.0
        if value > bound:
            in_vain = in_vain + 1 if value < bound + 1e-7 * abs(bound) else 0
            bound = value
            best_u[:] = now
        else:
            in_vain += 1
        if bound >= target:
            break
        if in_vain >= 30:
            step *= 0.75
            in_vain = 0
            now[:] = best_u
            direction[:] = 0.0
            if step < 1e-5:
                break
        length = 0.0
        for unit in range(n):
            direction[unit] = 0.9 * direction[unit] + 0.1 * g[unit]
            length += max(now[unit], 1e-9) * direction[unit] ** 2
        if length <= 0.0:
            break
        move = step * (target - value) / length
        for unit in range(n):
            now[unit] = max(now[unit] + move * max(now[unit], 1e-9) * direction[unit], 0.0)
    return bound, step, best_u, done


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


def _level_program(
    rows: sparse.csr_array, weight: Floats, far: Floats, p: int, must: NDArray[np.bool_], allowed: NDArray[np.bool_]
) -> Program:
    """Return ``min Σ weight × (next level − level) × (nothing open within the level)`` over the places that are left."""
    number = np.cumsum(allowed) - 1
    n = int(allowed.sum())
    r_i, r_j, r_v, cost, lower = [], [], [], [], []
    offset, row, z = 0.0, 0, n
    for unit in range(len(weight)):
        span = slice(rows.indptr[unit], rows.indptr[unit + 1])
        left = allowed[rows.indices[span]]
        col, dist = rows.indices[span][left], rows.data[span][left]
        sure = np.flatnonzero(must[col])
        if weight[unit] == 0:
            continue
        if len(sure):
            col, dist = col[: sure[0] + 1], dist[: sure[0] + 1]
        last = far[unit]
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
