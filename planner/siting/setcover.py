"""Set covering: the cheapest places within reach of every unit, with the proof. p-center is asked of it distance by distance.

Takes a demand × place CSR pattern and costs; yields ever better choices. Rows and columns that others imply are dropped and sole servers
taken until nothing changes; then local search, a Lagrangian bound that strikes places out, and HiGHS on what is left (Beasley 1987
has the same steps).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from planner.siting.choice import Choice, grain_of, settled
from planner.siting.milp import Program
from planner.siting.problem import Floats, Ints
from planner.siting.setcover_kernels import (
    column_sums,
    greedy_cover,
    needed_columns,
    needed_rows,
    priced,
    row_weighting,
    start_prices,
)
from planner.siting.subgradient import Ascent, climb
from planner.siting.watch import Watch

# Steps of the local search for each column that is left, at the start and at each look.
_STEPS, _FEWER_STEPS = 50, 5
# Rounds of the bound between two looks at covers near it, and how many looks.
_ROUNDS, _LOOKS = 400, 10

Data = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]


def solve_cover(
    within: sparse.csr_array,
    cost: Floats,
    required: Ints,
    watch: Watch,
    *,
    at_most: float | None = None,
    mip_gap: float = 0.0,
    work_limit: int | None = None,
) -> Choice | None:
    """Choose columns of least cost so that every row has one.

    Args:
        within: CSR (n_demand × n_places); a stored entry means that the place serves the unit.
        cost: (n_places,) ≥ 0.
        required: columns that are chosen in any case.
        watch: who follows the search and may end it.
        at_most: stop as soon as it is known whether that cost suffices: p-center only asks this.
        mip_gap: stop when the gap is proven to be no more than this fraction.
        work_limit: most branch-and-bound nodes.

    Returns:
        The best choice; None where a row has no column.
    """
    if (np.diff(within.indptr) == 0).any():
        return None
    return watch.follow(_choices(within, cost, required, watch, at_most, mip_gap, work_limit))


@dataclass(frozen=True)
class Left:
    """What is left of a covering once everything certain is done.

    Attributes:
        rows: CSR pattern of the rows and columns left.
        columns: their numbers in the whole problem.
        price: their costs.
        taken: columns of the whole problem that are certain.
        spent: what those cost.
    """

    rows: sparse.csr_array
    columns: Ints
    price: Floats
    taken: Ints
    spent: float

    def whole(self, chosen: Ints) -> tuple[Ints, float]:
        """Return a cover of what is left as one of the whole problem, with its cost."""
        return np.concatenate([self.taken, self.columns[chosen]]), self.spent + float(self.price[chosen].sum())


def _choices(
    within: sparse.csr_array,
    cost: Floats,
    required: Ints,
    watch: Watch,
    at_most: float | None,
    mip_gap: float,
    work_limit: int | None,
) -> Iterator[Choice]:
    """Reduce, search, bound, settle: yield the best choice after each step."""
    left = reduced(within, cost, required)
    sizes = {"rows": left.rows.shape[0], "places": len(left.columns), "nodes": 0}
    chosen, value = left.whole(np.zeros(0, np.int64))
    if left.rows.shape[0] == 0:
        yield Choice(chosen, value, value, step="settle", stopped="proof", work=sizes)
        return
    data = both_ways(left.rows)
    start = greedy_cover(data, left.price, left.price)
    chosen, value = left.whole(row_weighting(data, left.price, start, _STEPS * len(left.columns)))
    choice = Choice(np.sort(chosen), value, left.spent, grain_of(cost), work=sizes)
    yield choice
    allowed = np.ones(len(left.columns), bool)
    for closer in _close_in(choice, left, data, allowed, watch, mip_gap):
        choice = closer
        yield choice
        if at_most is not None and (choice.objective <= at_most or choice.bound > at_most):
            return
    if not choice.close(mip_gap):
        yield _settle(choice, left, allowed, watch, mip_gap, work_limit)


def _close_in(
    choice: Choice, left: Left, data: Data, allowed: NDArray[np.bool_], watch: Watch, mip_gap: float
) -> Iterator[Choice]:
    """Raise the bound, look for covers near it, and strike out columns, until the gap is small enough or the bound stalls."""
    price = left.price

    def look(u: Floats) -> tuple[float, Floats]:
        value, slope = priced(data, price, u, allowed)
        return value, slope

    ascent = Ascent(start_prices(data, price))
    for _ in range(_LOOKS):
        ascent = climb(
            look,
            ascent,
            target=choice.better - left.spent,
            rounds=_ROUNDS,
            scale=np.maximum(ascent.at, 1e-3 * price.max(initial=1.0)),
            over=watch.over,
        )
        lowered = np.maximum(price - column_sums(data, ascent.at), 0.0)
        near = greedy_cover(data, price, np.maximum(lowered, 1e-6 * price.max(initial=1.0)))
        near = row_weighting(data, price, near, _FEWER_STEPS * len(price))
        choice = replace(choice, step="bound").taking(*left.whole(near)).raised(left.spent + ascent.bound)
        allowed &= left.spent + ascent.bound + lowered <= choice.better
        yield choice
        if choice.close(mip_gap) or ascent.spent:
            return


def _settle(
    choice: Choice, left: Left, allowed: NDArray[np.bool_], watch: Watch, mip_gap: float, work_limit: int | None
) -> Choice:
    """Let HiGHS decide among the columns that are left, reduced once more."""
    choice = replace(choice, step="settle")
    open_columns = np.flatnonzero(allowed)
    rows = left.rows[:, open_columns].tocsr()
    if (np.diff(rows.indptr) == 0).any():
        # A better cover would have to do without any column of this row.
        return choice.raised(choice.objective)
    rest = reduced(rows, left.price[open_columns], np.zeros(0, np.int64))
    n = len(rest.columns)
    program = Program(
        cost=rest.price,
        matrix=rest.rows.astype(float).tocsc(),
        lower=np.ones(rest.rows.shape[0]),
        upper=np.full(rest.rows.shape[0], highspy.kHighsInf),
        x_lower=np.zeros(n),
        x_upper=np.ones(n),
        n_integer=n,
        offset=left.spent + rest.spent,
    )
    start = np.isin(left.columns[open_columns[rest.columns]], choice.chosen).astype(float)
    known = start if (rest.rows @ start >= 1).all() else None
    choice = replace(choice, work={**choice.work, "places": n})
    choice, x = settled(choice, program, known, watch, mip_gap, work_limit)
    if x is not None:
        chosen, _ = rest.whole(np.flatnonzero(x > 0.5))
        choice = choice.taking(*left.whole(open_columns[chosen]))
    return choice.raised(choice.bound)


def reduced(within: sparse.csr_array, cost: Floats, required: Ints) -> Left:
    """Drop implied rows and columns and take sole servers until nothing changes; exact."""
    taken = np.zeros(within.shape[1], bool)
    taken[required] = True
    pattern = sparse.csr_array((np.ones(within.nnz, np.int8), within.indices, within.indptr), within.shape)
    columns = np.flatnonzero(~taken)
    served = np.diff(pattern[:, np.flatnonzero(taken)].indptr) > 0
    rows = pattern[~served][:, columns].tocsr()
    while rows.shape[0]:
        size = rows.shape
        rows.sort_indices()
        rows = rows[needed_rows(both_ways(rows))]
        keep = needed_columns(both_ways(rows), cost[columns])
        rows, columns = rows[:, keep].tocsr(), columns[keep]
        alone = np.unique(rows.indices[rows.indptr[:-1][np.diff(rows.indptr) == 1]])
        if len(alone):
            taken[columns[alone]] = True
            served = np.diff(rows[:, alone].indptr) > 0
            rest = np.setdiff1d(np.arange(len(columns)), alone)
            rows, columns = rows[~served][:, rest].tocsr(), columns[rest]
        if rows.shape == size:
            break
    return Left(rows, columns, cost[columns], np.flatnonzero(taken), float(cost[taken].sum()))


def both_ways(rows: sparse.csr_array) -> Data:
    """Return the pattern both ways round, as the kernels take it."""
    rows.sort_indices()
    columns = rows.tocsc()
    columns.sort_indices()
    return (
        rows.indptr.astype(np.int64),
        rows.indices.astype(np.int32),
        columns.indptr.astype(np.int64),
        columns.indices.astype(np.int32),
    )
