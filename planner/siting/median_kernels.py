"""The compiled part of the p-median: greedy, swaps, and the relaxed choice at given multipliers."""
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: disable-error-code="no-untyped-def"

from typing import NamedTuple

import numpy as np
from numba import njit


class Walks(NamedTuple):
    """Who walks how far to which place, both ways round."""

    row_ptr: np.ndarray  # places of each unit, near to far
    row_col: np.ndarray
    row_walk: np.ndarray
    col_ptr: np.ndarray  # units of each place
    col_row: np.ndarray
    col_walk: np.ndarray
    weight: np.ndarray  # (n_units,)
    far: np.ndarray  # (n_units,) the walk of a unit that nobody serves


@njit(cache=True, nogil=True)
def _two_nearest(data, is_open, unit):
    ptr, col, dist, far = data.row_ptr, data.row_col, data.row_walk, data.far
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
def second_walk(data, chosen):
    """Return each unit's walk to the second nearest chosen place, kept moderate: where its multiplier is good to begin."""
    n = len(data.row_ptr) - 1
    is_open = np.zeros(len(data.col_ptr) - 1, np.bool_)
    is_open[chosen] = True
    walk = np.empty(n)
    for unit in range(n):
        _, first_d, second_d = _two_nearest(data, is_open, unit)
        walk[unit] = min(second_d, 2.0 * first_d + 1.0)
    return walk


@njit(cache=True, nogil=True)
def greedy(data, p, must, allowed):
    """Add the place that shortens the walk most, ``p`` times."""
    col_ptr, col_unit, col_dist, weight, far = data.col_ptr, data.col_row, data.col_walk, data.weight, data.far
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
def swap(data, chosen, must, allowed):
    """Swap one chosen place for another, the best pair each time, until no swap shortens the walk; return places and cost."""
    col_ptr, col_unit, col_dist, weight = data.col_ptr, data.col_row, data.col_walk, data.weight
    n, n_places = len(data.row_ptr) - 1, len(col_ptr) - 1
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
def relaxed_choice(data, u, p, must, allowed):
    """Return the p places that serve most of the multipliers, and what each of all places is worth (≤ 0)."""
    ptr, col, dist, weight = data.row_ptr, data.row_col, data.row_walk, data.weight
    part = np.zeros(len(data.col_ptr) - 1)
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
def not_served_by(data, u, choice):
    """Return the slope of the bound at the multipliers: one less the chosen places that serve the unit for less than its multiplier."""
    ptr, col, dist, weight = data.row_ptr, data.row_col, data.row_walk, data.weight
    taken = np.zeros(len(data.col_ptr) - 1, np.bool_)
    taken[choice] = True
    slope = np.ones(len(ptr) - 1)
    for unit in range(len(slope)):
        for q in range(ptr[unit], ptr[unit + 1]):
            if weight[unit] * dist[q] >= u[unit]:
                break
            if taken[col[q]]:
                slope[unit] -= 1.0
    return slope
