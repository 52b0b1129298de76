"""A good plan fast: greedy construction and swap search on a `SitingProblem`. Proves nothing.

Takes a problem; gives build years. One state is kept up to date by two moves, open and close; each touches only the units of one
action and the actions that share them (Resende & Werneck 2007 keep the same gains for the p-median). Nothing is left to chance.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy import sparse

from planner.siting.problem import MONEY_TOLERANCE, Floats, Ints, SitingProblem


class _Model(NamedTuple):
    """Read-only arrays of the search. Years are 0 … n−1 here, n meaning never."""

    action_ptr: np.ndarray  # units of each action
    action_unit: np.ndarray
    unit_ptr: np.ndarray  # actions of each unit
    unit_action: np.ndarray
    weight: np.ndarray  # units, summing to one
    worth: np.ndarray  # (n_years + 1,) a unit covered from year t on; 0 for never
    price: np.ndarray  # (n_actions × n_years × n_years) what opening in a year takes from each year's money
    money: np.ndarray  # (n_years,)
    limit_ptr: np.ndarray  # limits of each action
    limit_row: np.ndarray
    limit_use: np.ndarray
    limit: np.ndarray
    place: np.ndarray
    must: np.ndarray  # (n_places,) bool


class _State(NamedTuple):
    year: np.ndarray  # (n_actions,)
    count: np.ndarray  # (n_units × n_years) open actions that cover the unit, by their year
    first: np.ndarray  # (n_units,) earliest of them
    gain: np.ndarray  # (n_actions × n_years) what opening would add now
    spent: np.ndarray
    used: np.ndarray
    busy: np.ndarray  # (n_places,) actions open there


# Less than this share of all weight is the dirt of summing in float64, not a gain.
_NOTHING = 1e-11


def prices(problem: SitingProblem) -> tuple[Floats, Floats]:
    """Return what opening action j in year t takes from the money of year s, and that money.

    With carry-over both are cumulative, so that a budget is one ``≤`` a year in either case.
    """
    years = np.arange(problem.n_years)
    opened = (years[:, None] == years[None, :]).astype(float)
    running = (years[:, None] <= years[None, :]).astype(float)
    price = problem.capital_cost[:, None, None] * opened + problem.operating_cost[:, None, None] * running
    if problem.carry_over:
        return np.cumsum(price, axis=2), np.cumsum(problem.budget)
    return price, problem.budget.copy()


def search(problem: SitingProblem, *, passes: int = 50, trials: int = 200) -> Ints | None:
    """Return the build years of a plan that no single swap improves, or None where the required places do not fit.

    Args:
        problem: what to plan.
        passes: most passes over the open actions.
        trials: closed actions tried by force in each pass, largest gain first, where costs differ.
    """
    model = _model(problem)
    best, best_value = None, -1.0
    same_price = bool((model.price == model.price[:1]).all()) if len(model.price) else True
    for by_price in (False,) if same_price else (False, True):
        state = _empty(model)
        if not _construct(model, state, by_price):
            continue
        value = _improve(model, state, by_price, passes, 0 if same_price else trials)
        if value > best_value + _NOTHING:
            best, best_value = state.year.copy(), value
    return None if best is None else np.where(best < problem.n_years, best + 1, 0)


def improve(problem: SitingProblem, build_year: Ints, *, passes: int = 50, trials: int = 200) -> Ints:
    """Return a plan that swaps make from ``build_year``, never worse."""
    model = _model(problem)
    state = _empty(model)
    for action in np.flatnonzero(build_year):
        _open(model, state, action, build_year[action] - 1)
    _improve(model, state, True, passes, trials)
    return np.where(state.year < problem.n_years, state.year + 1, 0)


def _model(problem: SitingProblem) -> _Model:
    by_unit = problem.cover
    by_action = by_unit.tocsc()
    use = problem.limit_use if problem.limit_use is not None else sparse.csr_array((0, problem.n_actions))
    limits = use.tocsc()
    price, money = prices(problem)
    total = problem.unit_weight.sum()
    must = np.zeros(int(problem.place.max(initial=-1)) + 1, bool)
    must[[place for place in problem.required if place < len(must)]] = True
    return _Model(
        action_ptr=by_action.indptr.astype(np.int64),
        action_unit=by_action.indices.astype(np.int32),
        unit_ptr=by_unit.indptr.astype(np.int64),
        unit_action=by_unit.indices.astype(np.int32),
        weight=problem.unit_weight / (total if total > 0 else 1.0),
        worth=np.append(np.cumsum(problem.year_weight[::-1])[::-1], 0.0),
        price=np.ascontiguousarray(price),
        money=money + MONEY_TOLERANCE * np.maximum(1.0, money),
        limit_ptr=limits.indptr.astype(np.int64),
        limit_row=limits.indices.astype(np.int32),
        limit_use=limits.data.astype(np.float64),
        limit=problem.limit + MONEY_TOLERANCE * np.maximum(1.0, problem.limit),
        place=problem.place.astype(np.int64),
        must=must,
    )


def _empty(model: _Model) -> _State:
    n_units, n_actions, n_years = len(model.weight), len(model.place), len(model.money)
    start = np.zeros(n_actions)
    np.add.at(start, np.repeat(np.arange(n_actions), np.diff(model.action_ptr)), model.weight[model.action_unit])
    return _State(
        year=np.full(n_actions, n_years, np.int64),
        count=np.zeros((n_units, n_years), np.int32),
        first=np.full(n_units, n_years, np.int64),
        gain=start[:, None] * model.worth[None, :n_years],
        spent=np.zeros(n_years),
        used=np.zeros(len(model.limit)),
        busy=np.zeros(len(model.must), np.int64),
    )


@njit(cache=True, nogil=True)
def _shift(m, s, unit, old, new):  # type: ignore[no-untyped-def]
    """Tell all actions of a unit that it is now covered from ``new`` on, no longer from ``old``; return what that is worth."""
    weight, n_years = m.weight[unit], len(m.money)
    for q in range(m.unit_ptr[unit], m.unit_ptr[unit + 1]):
        action = m.unit_action[q]
        for t in range(n_years):
            s.gain[action, t] += weight * (max(0.0, m.worth[t] - m.worth[new]) - max(0.0, m.worth[t] - m.worth[old]))
    s.first[unit] = new
    return weight * (m.worth[new] - m.worth[old])


@njit(cache=True, nogil=True)
def _open(m, s, action, year):  # type: ignore[no-untyped-def]
    value = 0.0
    s.year[action] = year
    s.busy[m.place[action]] += 1
    for t in range(len(m.money)):
        s.spent[t] += m.price[action, year, t]
    for q in range(m.limit_ptr[action], m.limit_ptr[action + 1]):
        s.used[m.limit_row[q]] += m.limit_use[q]
    for q in range(m.action_ptr[action], m.action_ptr[action + 1]):
        unit = m.action_unit[q]
        s.count[unit, year] += 1
        if year < s.first[unit]:
            value += _shift(m, s, unit, s.first[unit], year)
    return value


@njit(cache=True, nogil=True)
def _close(m, s, action):  # type: ignore[no-untyped-def]
    value, year, n_years = 0.0, s.year[action], len(m.money)
    s.year[action] = n_years
    s.busy[m.place[action]] -= 1
    for t in range(n_years):
        s.spent[t] -= m.price[action, year, t]
    for q in range(m.limit_ptr[action], m.limit_ptr[action + 1]):
        s.used[m.limit_row[q]] -= m.limit_use[q]
    for q in range(m.action_ptr[action], m.action_ptr[action + 1]):
        unit = m.action_unit[q]
        s.count[unit, year] -= 1
        if s.first[unit] == year and s.count[unit, year] == 0:
            later = year + 1
            while later < n_years and s.count[unit, later] == 0:
                later += 1
            value += _shift(m, s, unit, year, later)
    return value


@njit(cache=True, nogil=True)
def _loss(m, s, action):  # type: ignore[no-untyped-def]
    """Return what closing an open action would lose now."""
    lost, year, n_years = 0.0, s.year[action], len(m.money)
    for q in range(m.action_ptr[action], m.action_ptr[action + 1]):
        unit = m.action_unit[q]
        if s.first[unit] == year and s.count[unit, year] == 1:
            later = year + 1
            while later < n_years and s.count[unit, later] == 0:
                later += 1
            lost += m.weight[unit] * (m.worth[year] - m.worth[later])
    return lost


@njit(cache=True, nogil=True)
def _fits(m, s, action, year):  # type: ignore[no-untyped-def]
    if s.busy[m.place[action]] > 0:
        return False
    for t in range(len(m.money)):
        if s.spent[t] + m.price[action, year, t] > m.money[t]:
            return False
    for q in range(m.limit_ptr[action], m.limit_ptr[action + 1]):
        if s.used[m.limit_row[q]] + m.limit_use[q] > m.limit[m.limit_row[q]]:
            return False
    return True


@njit(cache=True, nogil=True)
def _share_of_money(m, action, year):  # type: ignore[no-untyped-def]
    share = 0.0
    for t in range(len(m.money)):
        if m.money[t] > 0.0:
            share += m.price[action, year, t] / m.money[t]
    return share


@njit(cache=True, nogil=True)
def _pick(m, s, place, by_price):  # type: ignore[no-untyped-def]
    """Return the best action and year that still fit (at ``place`` only, if it is ≥ 0), or (−1, 0)."""
    best_action, best_year, best = -1, 0, -1.0
    least = _NOTHING if place < 0 else -1.0
    for action in range(len(m.place)):
        if (place >= 0 and m.place[action] != place) or s.busy[m.place[action]] > 0:
            continue
        for year in range(len(m.money)):
            gain = s.gain[action, year]
            if gain <= least:
                continue
            score = (gain + 1e-300) / (1e-9 + _share_of_money(m, action, year)) if by_price else gain
            if score > best and _fits(m, s, action, year):
                best_action, best_year, best = action, year, score
    return best_action, best_year


@njit(cache=True, nogil=True)
def _construct(m, s, by_price):  # type: ignore[no-untyped-def]
    for place in range(len(m.must)):
        if m.must[place] and s.busy[place] == 0:
            # The cheapest way first: what is required must fit before anything else.
            best_action, best_year, best = -1, 0, np.inf
            for action in range(len(m.place)):
                if m.place[action] == place:
                    for year in range(len(m.money)):
                        share = _share_of_money(m, action, year)
                        if share < best and _fits(m, s, action, year):
                            best_action, best_year, best = action, year, share
            if best_action < 0:
                return False
            _open(m, s, best_action, best_year)
    action, year = _pick(m, s, -1, by_price)
    while action >= 0:
        _open(m, s, action, year)
        action, year = _pick(m, s, -1, by_price)
    return True


@njit(cache=True, nogil=True)
def _refill(m, s, by_price, opened, n):  # type: ignore[no-untyped-def]
    """Open what fits, best first; note it in ``opened`` from position ``n`` on; return the value and the new length."""
    value = 0.0
    while True:
        action, year = _pick(m, s, -1, by_price)
        if action < 0:
            return value, n
        value += _open(m, s, action, year)
        opened[n] = action
        n += 1


@njit(cache=True, nogil=True)
def _improve(m, s, by_price, passes, trials):  # type: ignore[no-untyped-def]
    """Swap until nothing improves; return the value of the plan (share of all weight)."""
    n_actions, n_years = len(m.place), len(m.money)
    opened = np.empty(2 * n_actions + 2, np.int64)
    closed = np.empty(n_actions + 1, np.int64)
    closed_year = np.empty(n_actions + 1, np.int64)
    for _ in range(passes):
        better = False
        # Close one, open what then fits best.
        for action in range(n_actions):
            year = s.year[action]
            if year == n_years:
                continue
            for variant in range(2 if by_price else 1):
                value = _close(m, s, action)
                n, ok = 0, True
                if m.must[m.place[action]]:
                    other, other_year = _pick(m, s, m.place[action], variant == 1)
                    ok = other >= 0
                    if ok:
                        value += _open(m, s, other, other_year)
                        opened[0], n = other, 1
                if ok:
                    added, n = _refill(m, s, variant == 1, opened, n)
                    value += added
                if ok and value > _NOTHING:
                    better = True
                    break
                for q in range(n):
                    _close(m, s, opened[q])
                _open(m, s, action, year)
        # Open one by force, close what is least missed until it fits.
        if trials > 0:
            order = np.argsort(-s.gain[:, 0])
            for rank in range(min(trials, n_actions)):
                action = order[rank]
                for year in range(n_years):
                    if s.year[action] < n_years or s.gain[action, year] <= _NOTHING:
                        continue
                    value, n_closed, n, ok = 0.0, 0, 0, True
                    while ok and not _fits(m, s, action, year):
                        worst, least = -1, np.inf
                        rival = s.busy[m.place[action]] > 0
                        for other in range(n_actions):
                            if s.year[other] == n_years or (rival and m.place[other] != m.place[action]):
                                continue
                            if m.must[m.place[other]] and m.place[other] != m.place[action]:
                                continue
                            missed = _loss(m, s, other) / (1e-9 + _share_of_money(m, other, s.year[other]))
                            if missed < least:
                                worst, least = other, missed
                        if worst < 0:
                            ok = False
                            break
                        closed[n_closed], closed_year[n_closed] = worst, s.year[worst]
                        n_closed += 1
                        value += _close(m, s, worst)
                    if ok:
                        value += _open(m, s, action, year)
                        opened[0] = action
                        added, n = _refill(m, s, True, opened, 1)
                        value += added
                    if ok and value > _NOTHING:
                        better = True
                        continue
                    for q in range(n):
                        _close(m, s, opened[q])
                    for q in range(n_closed):
                        _open(m, s, closed[q], closed_year[q])
        if not better:
            break
    value = 0.0
    for unit in range(len(m.weight)):
        value += m.weight[unit] * m.worth[s.first[unit]]
    return value
