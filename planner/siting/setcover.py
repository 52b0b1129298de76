"""Set covering: the cheapest places within reach of every unit, with the proof. p-center is asked of it distance by distance.

Takes a demand × place CSR pattern and costs; gives chosen columns and a lower bound. Rows and columns that others imply are dropped
and sole servers taken until nothing changes; then local search, a Lagrangian bound that strikes places out, and HiGHS on what is
left (Beasley 1987 has the same steps).
"""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

import math
from dataclasses import dataclass

import highspy
import numpy as np
from numba import njit
from scipy import sparse

from planner.siting.milp import Program, minimise
from planner.siting.problem import PROOF_TOLERANCE, Floats, Ints, relative_gap
from planner.siting.watch import Watch

# Steps of the local search for each column that is left.
_STEPS = 50


@dataclass(frozen=True)
class Cover:
    """Chosen columns (None: none serves everybody, or none within ``at_most``), their cost, the lower bound and the work."""

    chosen: Ints | None
    cost: float
    bound: float
    stopped: str
    work: dict[str, int]


def solve_cover(
    within: sparse.csr_array,
    cost: Floats,
    required: Ints,
    watch: Watch,
    *,
    at_most: float | None = None,
    mip_gap: float = 0.0,
    work_limit: int | None = None,
) -> Cover:
    """Choose columns of least cost so that every row has one.

    Args:
        within: CSR (n_demand × n_places); a stored entry means that the place serves the unit.
        cost: (n_places,) ≥ 0.
        required: columns that are chosen in any case.
        at_most: stop as soon as it is known whether that cost suffices: p-center only asks this.
        mip_gap: stop when the gap is proven to be no more than this fraction.
        work_limit: most branch-and-bound nodes.
        watch: who follows the search and may end it.
    """
    n_places = within.shape[1]
    taken = np.zeros(n_places, bool)
    taken[required] = True
    if (np.diff(within.indptr) == 0).any():
        return Cover(None, math.nan, math.nan, "conflict", {})
    rows, columns = _reduced(within, cost, taken)
    spent = float(cost[taken].sum())
    work = {"rows": rows.shape[0], "places": len(columns), "nodes": 0}
    whole = bool((cost == np.rint(cost)).all())
    grain = 1.0 - 1e-5 if whole else 0.0

    def answer(chosen: Ints, bound: float, stopped: str) -> Cover:
        price = float(cost[chosen].sum())
        if whole:
            bound = math.ceil(bound - 1e-6)
        bound = min(bound, price)
        if relative_gap(price, bound) <= PROOF_TOLERANCE:
            bound, stopped = price, "proof"
        return Cover(
            np.sort(chosen), price, float(bound), stopped if stopped == "proof" else watch.stopped or stopped, work
        )

    if rows.shape[0] == 0:
        return answer(np.flatnonzero(taken), spent, "proof")
    price = cost[columns]
    data = _both_ways(rows)
    best = _row_weighting(data, price, _greedy_cover(data, price, price), _STEPS * len(columns))
    u, bound, step = np.zeros(rows.shape[0]), -math.inf, 0.1
    u[:] = _start_prices(data, price)
    stopped = "gap"
    allowed = np.ones(len(columns), bool)
    value = float(price[best].sum())

    def answered() -> bool:
        """Tell whether it is known if ``at_most`` suffices."""
        least = math.ceil(spent + bound - 1e-6) if whole and bound > -math.inf else spent + bound
        return at_most is not None and (spent + value <= at_most or least > at_most)

    for _ in range(8):
        bound, step, u = _climb_cover(data, price, u, allowed, bound, step, value - grain, 200)
        reduced = price - _column_sums(data, u)
        near = _greedy_cover(data, price, np.maximum(reduced, 1e-6 * price.max(initial=1.0)))
        near = _row_weighting(data, price, near, _STEPS * len(columns) // 10)
        if price[near].sum() < value - 1e-9:
            best, value = near, float(price[near].sum())
        allowed &= ~(bound + np.maximum(reduced, 0.0) > value - grain + (0.0 if whole else 1e-9 * value))
        allowed[best] = True
        if answered() or value - grain <= bound or step < 1e-4:
            break
        if watch.tell("bound", spent + value, spent + bound):
            break
    chosen = np.union1d(np.flatnonzero(taken), columns[best])
    low = spent + bound
    if (
        answered()
        or value - grain <= bound
        or watch.stopped
        or relative_gap(spent + value, low) <= max(mip_gap, PROOF_TOLERANCE)
    ):
        return answer(chosen, low, stopped)
    left = np.flatnonzero(allowed)
    again = np.zeros(len(left), bool)
    final_rows, final_columns = _reduced(rows[:, left], price[left], again)
    final_columns, sure = left[final_columns], left[again]
    work["rows"], work["places"] = final_rows.shape[0], len(final_columns)
    n = len(final_columns)
    start = np.isin(final_columns, best).astype(float)
    program = Program(
        cost=price[final_columns],
        matrix=final_rows.astype(float).tocsc(),
        lower=np.ones(final_rows.shape[0]),
        upper=np.full(final_rows.shape[0], highspy.kHighsInf),
        x_lower=np.zeros(n),
        x_upper=np.ones(n),
        n_integer=n,
        offset=spent + float(price[sure].sum()),
    )
    outcome = minimise(
        program,
        start=start if (final_rows @ start >= 1).all() else None,
        mip_gap=mip_gap,
        abs_gap=grain,
        nodes=work_limit,
        time_limit_s=watch.left_s,
        tell=lambda _, least: watch.tell("settle", spent + value, max(low, least)),
    )
    work["nodes"] = outcome.nodes
    if outcome.x is not None:
        found = np.concatenate([sure, final_columns[outcome.x > 0.5]]).astype(np.int64)
        if price[found].sum() < price[best].sum() - 1e-9:
            chosen = np.union1d(np.flatnonzero(taken), columns[found])
    return answer(chosen, max(low, outcome.bound) if math.isfinite(outcome.bound) else low, outcome.stopped)


def _reduced(within: sparse.csr_array, cost: Floats, taken: np.ndarray) -> tuple[sparse.csr_array, Ints]:
    """Drop implied rows and columns and take sole servers until nothing changes.

    Marks what is taken in ``taken``; returns the rows and columns left, and the numbers of those columns.
    """
    columns = np.flatnonzero(~taken)
    served = np.asarray(within[:, np.flatnonzero(taken)].sum(axis=1)).ravel() > 0
    rows = within[~served][:, columns].tocsr()
    while rows.shape[0]:
        size = rows.shape
        rows.sort_indices()
        rows = rows[_needed_rows(_both_ways(rows))]
        keep = _needed_columns(_both_ways(rows), cost[columns])
        rows, columns = rows[:, keep].tocsr(), columns[keep]
        alone = np.unique(rows.indices[rows.indptr[:-1][np.diff(rows.indptr) == 1]])
        if len(alone):
            taken[columns[alone]] = True
            served = np.asarray(rows[:, alone].sum(axis=1)).ravel() > 0
            rest = np.setdiff1d(np.arange(len(columns)), alone)
            rows, columns = rows[~served][:, rest].tocsr(), columns[rest]
        if rows.shape == size:
            break
    return rows, columns


def _both_ways(rows: sparse.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rows.sort_indices()
    columns = rows.tocsc()
    columns.sort_indices()
    return (
        rows.indptr.astype(np.int64),
        rows.indices.astype(np.int32),
        columns.indptr.astype(np.int64),
        columns.indices.astype(np.int32),
    )


@njit(cache=True, nogil=True)
def _inside(index, a, a_end, b, b_end):
    """Tell whether the sorted run a is part of the sorted run b."""
    while a < a_end:
        while b < b_end and index[b] < index[a]:
            b += 1
        if b == b_end or index[b] != index[a]:
            return False
        a += 1
    return True


@njit(cache=True, nogil=True)
def _needed_rows(data):
    """Return the rows that no other row implies: a row with a part of another's columns is the harder one."""
    ptr, col, col_ptr, col_row = data
    n = len(ptr) - 1
    needed = np.ones(n, np.bool_)
    for row in range(n):
        if not needed[row]:
            continue
        rarest = col[ptr[row]]
        for q in range(ptr[row], ptr[row + 1]):
            if col_ptr[col[q] + 1] - col_ptr[col[q]] < col_ptr[rarest + 1] - col_ptr[rarest]:
                rarest = col[q]
        size = ptr[row + 1] - ptr[row]
        for q in range(col_ptr[rarest], col_ptr[rarest + 1]):
            other = col_row[q]
            if other == row or not needed[other] or ptr[other + 1] - ptr[other] < size:
                continue
            if _inside(col, ptr[row], ptr[row + 1], ptr[other], ptr[other + 1]):
                needed[other] = False
    return np.flatnonzero(needed)


@njit(cache=True, nogil=True)
def _needed_columns(data, cost):
    """Return the columns that no other column, no dearer, makes needless; of equals the first stays."""
    ptr, col, col_ptr, col_row = data
    n = len(col_ptr) - 1
    needed = np.ones(n, np.bool_)
    for column in range(n):
        size = col_ptr[column + 1] - col_ptr[column]
        if size == 0:
            needed[column] = False
            continue
        rarest = col_row[col_ptr[column]]
        for q in range(col_ptr[column], col_ptr[column + 1]):
            row = col_row[q]
            if ptr[row + 1] - ptr[row] < ptr[rarest + 1] - ptr[rarest]:
                rarest = row
        for q in range(ptr[rarest], ptr[rarest + 1]):
            other = col[q]
            other_size = col_ptr[other + 1] - col_ptr[other]
            if other == column or not needed[other] or other_size < size or cost[other] > cost[column]:
                continue
            if other_size == size and cost[other] == cost[column] and other > column:
                continue
            if _inside(col_row, col_ptr[column], col_ptr[column + 1], col_ptr[other], col_ptr[other + 1]):
                needed[column] = False
                break
    return np.flatnonzero(needed)


@njit(cache=True, nogil=True)
def _greedy_cover(data, price, key):
    """Cover all rows, the column with least ``key`` for its uncovered rows each time; then drop what is needless, dearest first."""
    ptr, col, col_ptr, col_row = data
    n_rows, n = len(ptr) - 1, len(col_ptr) - 1
    covers = np.zeros(n_rows, np.int64)
    fresh = np.empty(n, np.int64)
    for column in range(n):
        fresh[column] = col_ptr[column + 1] - col_ptr[column]
    chosen = np.zeros(n, np.bool_)
    left = n_rows
    while left > 0:
        best, least = -1, np.inf
        for column in range(n):
            if fresh[column] > 0 and key[column] / fresh[column] < least:
                best, least = column, key[column] / fresh[column]
        chosen[best] = True
        for q in range(col_ptr[best], col_ptr[best + 1]):
            row = col_row[q]
            if covers[row] == 0:
                left -= 1
                for k in range(ptr[row], ptr[row + 1]):
                    fresh[col[k]] -= 1
            covers[row] += 1
    for column in np.argsort(-price, kind="mergesort"):
        if not chosen[column]:
            continue
        needless = True
        for q in range(col_ptr[column], col_ptr[column + 1]):
            if covers[col_row[q]] == 1:
                needless = False
                break
        if needless:
            chosen[column] = False
            for q in range(col_ptr[column], col_ptr[column + 1]):
                covers[col_row[q]] -= 1
    return np.flatnonzero(chosen)


@njit(cache=True, nogil=True)
def _flip(data, row_weight, covers, chosen, score, column):
    """Take a column in or out. A score is what the column's rows would win (out) or lose, negated (in)."""
    ptr, col, col_ptr, col_row = data
    coming = not chosen[column]
    chosen[column] = coming
    score[column] = -score[column]
    for q in range(col_ptr[column], col_ptr[column + 1]):
        row = col_row[q]
        covers[row] += 1 if coming else -1
        if coming and covers[row] == 1:
            for k in range(ptr[row], ptr[row + 1]):
                if col[k] != column:
                    score[col[k]] -= row_weight[row]
        elif coming and covers[row] == 2:
            for k in range(ptr[row], ptr[row + 1]):
                if chosen[col[k]] and col[k] != column:
                    score[col[k]] += row_weight[row]
        elif not coming and covers[row] == 0:
            for k in range(ptr[row], ptr[row + 1]):
                if col[k] != column:
                    score[col[k]] += row_weight[row]
        elif not coming and covers[row] == 1:
            for k in range(ptr[row], ptr[row + 1]):
                if chosen[col[k]] and col[k] != column:
                    score[col[k]] -= row_weight[row]


@njit(cache=True, nogil=True)
def _row_weighting(data, price, start, steps):
    """Improve a cover: take columns out until it is cheaper, then repair it; rows long uncovered weigh more and more.

    After Gao, Weise & Li (2015), with the row uncovered longest in place of a random one, so that nothing is left to chance.
    """
    ptr, col, col_ptr, _ = data
    n_rows, n = len(ptr) - 1, len(col_ptr) - 1
    row_weight, covers = np.ones(n_rows), np.zeros(n_rows, np.int64)
    since = np.zeros(n_rows, np.int64)
    chosen, score, moved = np.zeros(n, np.bool_), np.zeros(n), np.zeros(n, np.int64)
    for column in range(n):
        score[column] = col_ptr[column + 1] - col_ptr[column]
    for column in start:
        _flip(data, row_weight, covers, chosen, score, column)
    best, best_cost, cost, last = start, price[start].sum(), price[start].sum(), -1
    for step in range(1, steps + 1):
        uncovered, oldest = -1, steps + 1
        for row in range(n_rows):
            if covers[row] == 0:
                if since[row] == 0:
                    since[row] = step
                if since[row] < oldest:
                    uncovered, oldest = row, since[row]
            else:
                since[row] = 0
        if uncovered < 0 and cost < best_cost - 1e-9:
            best, best_cost = np.flatnonzero(chosen), cost
        # Out with what is least missed for its price, until there is room for one more below the best cost.
        rounds = 1 if uncovered >= 0 else 2
        while rounds > 0 or cost >= best_cost - 1e-9:
            worst, least = -1, np.inf
            for column in range(n):
                if chosen[column] and column != last:
                    missed = -score[column] / max(price[column], 1e-9)
                    if missed < least or (missed == least and moved[column] < moved[worst]):
                        worst, least = column, missed
            if worst < 0:
                return best
            _flip(data, row_weight, covers, chosen, score, worst)
            cost -= price[worst]
            moved[worst] = step
            rounds -= 1
        if uncovered < 0:
            for row in range(n_rows):
                if covers[row] == 0:
                    uncovered = row
                    break
        if uncovered < 0:
            continue
        taken, most = -1, -1.0
        for q in range(ptr[uncovered], ptr[uncovered + 1]):
            column = col[q]
            # A column just put out does not come back at once.
            if moved[column] == step:
                continue
            won = score[column] / max(price[column], 1e-9)
            if won > most or (won == most and moved[column] < moved[taken]):
                taken, most = column, won
        if taken >= 0 and cost + price[taken] < best_cost - 1e-9:
            _flip(data, row_weight, covers, chosen, score, taken)
            cost += price[taken]
            moved[taken] = step
            last = taken
        for row in range(n_rows):
            if covers[row] == 0:
                row_weight[row] += 1.0
                for k in range(ptr[row], ptr[row + 1]):
                    score[col[k]] += 1.0
    return best


@njit(cache=True, nogil=True)
def _start_prices(data, price):
    ptr, col, col_ptr, _ = data
    u = np.empty(len(ptr) - 1)
    for row in range(len(u)):
        u[row] = np.inf
        for q in range(ptr[row], ptr[row + 1]):
            u[row] = min(u[row], price[col[q]] / (col_ptr[col[q] + 1] - col_ptr[col[q]]))
    return u


@njit(cache=True, nogil=True)
def _column_sums(data, u):
    _, _, col_ptr, col_row = data
    sums = np.zeros(len(col_ptr) - 1)
    for column in range(len(sums)):
        for q in range(col_ptr[column], col_ptr[column + 1]):
            sums[column] += u[col_row[q]]
    return sums


@njit(cache=True, nogil=True)
def _climb_cover(data, price, u, allowed, bound, step, target, rounds):
    """Raise the bound of the covering by a deflected subgradient; return it with the step and its multipliers."""
    ptr, _, col_ptr, col_row = data
    n_rows, n = len(ptr) - 1, len(col_ptr) - 1
    now, best_u = u.copy(), u.copy()
    g, direction = np.empty(n_rows), np.zeros(n_rows)
    in_vain = 0
    for _ in range(rounds):
        sums = _column_sums(data, now)
        value = 0.0
        for row in range(n_rows):
            value += now[row]
            g[row] = 1.0
        for column in range(n):
            if allowed[column] and price[column] < sums[column]:
                value += price[column] - sums[column]
                for q in range(col_ptr[column], col_ptr[column + 1]):
                    g[col_row[q]] -= 1.0
        if value > bound:
            in_vain = in_vain + 1 if value < bound + 1e-7 * abs(bound) else 0
            bound = value
            best_u[:] = now
        else:
            in_vain += 1
        if bound >= target:
            break
        if in_vain >= 30:
            step *= 0.7
            in_vain = 0
            now[:] = best_u
            direction[:] = 0.0
            if step < 1e-4:
                break
        length = 0.0
        for row in range(n_rows):
            slope = 0.0 if g[row] < 0.0 and now[row] <= 0.0 else g[row]
            direction[row] = 0.9 * direction[row] + 0.1 * slope
            length += direction[row] ** 2
        if length <= 0.0:
            break
        move = step * (target + 0.01 * abs(target) - value) / length
        for row in range(n_rows):
            now[row] = max(now[row] + move * direction[row], 0.0)
    return bound, step, best_u
