"""The compiled part of set covering: what others imply, greedy, local search, and the bound at given multipliers.

``data`` is a pattern both ways round: row pointers, columns of each row, column pointers, rows of each column.
"""
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: disable-error-code="no-untyped-def"

import numpy as np
from numba import njit


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
def needed_rows(data):
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
def needed_columns(data, cost):
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
def greedy_cover(data, price, key):
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
def row_weighting(data, price, start, steps):
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
def start_prices(data, price):
    """Return for each row the least price a row among its columns: multipliers that every column can bear."""
    ptr, col, col_ptr, _ = data
    u = np.empty(len(ptr) - 1)
    for row in range(len(u)):
        u[row] = np.inf
        for q in range(ptr[row], ptr[row + 1]):
            u[row] = min(u[row], price[col[q]] / (col_ptr[col[q] + 1] - col_ptr[col[q]]))
    return u


@njit(cache=True, nogil=True)
def column_sums(data, u):
    """Return the sum of the multipliers of each column's rows."""
    _, _, col_ptr, col_row = data
    sums = np.zeros(len(col_ptr) - 1)
    for column in range(len(sums)):
        for q in range(col_ptr[column], col_ptr[column + 1]):
            sums[column] += u[col_row[q]]
    return sums


@njit(cache=True, nogil=True)
def priced(data, price, u, allowed):
    """Return the bound at the multipliers, Σ u + Σ min(0, price − Σ u of the column's rows), and its slope."""
    _, _, col_ptr, col_row = data
    sums = column_sums(data, u)
    value, slope = u.sum(), np.ones(len(u))
    for column in range(len(sums)):
        if allowed[column] and price[column] < sums[column]:
            value += price[column] - sums[column]
            for q in range(col_ptr[column], col_ptr[column + 1]):
                slope[col_row[q]] -= 1.0
    return value, slope
