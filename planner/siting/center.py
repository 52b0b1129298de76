"""p-center: the places that make the longest walk to the nearest of them shortest, with the proof.

Halves the list of distinct walks and asks set covering at each whether p places suffice within it (Minieka 1970).
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import sparse

from planner.siting.choice import Choice
from planner.siting.problem import Floats, Ints
from planner.siting.setcover import solve_cover
from planner.siting.watch import Watch


def solve_center(walk: sparse.csr_array, p: int, required: Ints, watch: Watch) -> Choice:
    """Choose ``p`` columns that minimise the largest walk to the nearest chosen column.

    Args:
        walk: CSR (n_demand × n_places), ≥ 0, no row without an entry; an absent pair is unreachable.
        p: how many, at least the required ones.
        required: columns that must be among them.
        watch: who follows the search and may end it.

    Returns:
        The best choice. Its objective is infinite where it does not serve everybody, its bound where no choice does.
    """
    choice = watch.follow(_choices(walk, p, required, watch))
    assert choice is not None
    return choice


def _choices(walk: sparse.csr_array, p: int, required: Ints, watch: Watch) -> Iterator[Choice]:
    """Yield the best choice after each distance that was asked."""
    levels = np.unique(walk.data)
    # Nobody can do better than the unit whose nearest place is farthest. Past the last distance nothing is served.
    ends = np.append(levels, math.inf)
    low = int(np.searchsorted(levels, np.minimum.reduceat(walk.data, walk.indptr[:-1]).max()))
    choice = _measured(walk, _far_apart(walk, p, required), p)
    choice = replace(choice, bound=float(levels[low]), work={"coverings": 0, "nodes": 0})
    yield choice
    high = int(np.searchsorted(ends, choice.objective))
    # What is not settled within the limits is taken as impossible for the search, but never for the bound.
    tried = low
    while tried < high:
        middle = (tried + high) // 2
        inside = watch.inner("settle", choice.objective, choice.bound)
        cover = solve_cover(_within(walk, float(levels[middle])), np.ones(walk.shape[1]), required, inside, at_most=p)
        watch.stopped = watch.stopped or inside.stopped
        asked = {"coverings": choice.work["coverings"] + 1, "nodes": choice.work["nodes"]}
        if cover is not None:
            asked["nodes"] += cover.work["nodes"]
        choice = replace(choice, step="settle", work=asked)
        if cover is not None and len(cover.chosen) <= p:
            found = _measured(walk, cover.chosen, p)
            choice = choice.taking(found.chosen, found.objective)
            high = int(np.searchsorted(ends, choice.objective))
        else:
            impossible = cover is None or cover.bound > p
            if impossible and tried == low:
                low = middle + 1
                choice = choice.raised(float(ends[low]))
            tried = middle + 1
        yield choice
    if tried == low:
        yield choice.raised(choice.objective)


def _far_apart(walk: sparse.csr_array, p: int, required: Ints) -> Ints:
    """Choose the nearest place of the unit that is worst served, again and again (after Gonzalez 1985)."""
    columns = walk.tocsc()
    nearest = np.full(walk.shape[0], math.inf)
    chosen: list[int] = []

    def take(column: int) -> None:
        span = slice(columns.indptr[column], columns.indptr[column + 1])
        nearest[columns.indices[span]] = np.minimum(nearest[columns.indices[span]], columns.data[span])
        chosen.append(column)

    for column in required.tolist():
        take(column)
    while len(chosen) < p and len(nearest) and nearest.max() > 0:
        unit = int(nearest.argmax())
        span = slice(walk.indptr[unit], walk.indptr[unit + 1])
        column = int(walk.indices[span][walk.data[span].argmin()])
        if column in chosen:
            break
        take(column)
    return np.array(chosen, np.int64)


def _measured(walk: sparse.csr_array, chosen: Ints, p: int) -> Choice:
    """Return p columns, idle ones added, with the longest walk; infinite where somebody is not served."""
    idle = np.setdiff1d(np.arange(walk.shape[1]), chosen)[: p - len(chosen)]
    columns = np.union1d(chosen, idle)
    is_open = np.zeros(walk.shape[1], bool)
    is_open[columns] = True
    nearest: Floats = np.minimum.reduceat(np.where(is_open[walk.indices], walk.data, math.inf), walk.indptr[:-1])
    return Choice(columns, float(nearest.max()))


def _within(walk: sparse.csr_array, distance: float) -> sparse.csr_array:
    near = walk.data <= distance
    indptr = np.concatenate([[0], np.cumsum(near)])[walk.indptr]
    return sparse.csr_array((np.ones(int(near.sum()), np.int8), walk.indices[near], indptr), walk.shape)
