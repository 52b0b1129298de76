"""The compiled part of the search: a state of open actions, kept up to date by opening and closing one at a time.

Each move touches only the units of one action and the actions that share them (Resende & Werneck 2007 keep the same gains for the
p-median). Years are 0 … n−1 here, n meaning never.
"""
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: disable-error-code="no-untyped-def"

from typing import NamedTuple

import numpy as np
from numba import njit


class Model(NamedTuple):
    """Read-only arrays of the search."""

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
    must: np.ndarray  # (n_places,) bool, needs an action
    allowed: (
        np.ndarray
    )  # (n_actions × n_years) bool, options that a better plan may contain; the bound strikes others out
    rate: np.ndarray  # (n_years,) what money is worth when gains are weighed against it


class State(NamedTuple):
    """What is open, and what follows from it."""

    year: np.ndarray  # (n_actions,)
    covers: np.ndarray  # (n_units × n_years) open actions that cover the unit, by their year
    first: np.ndarray  # (n_units,) earliest of them
    gain: np.ndarray  # (n_actions × n_years) what opening would add now
    spent: np.ndarray
    used: np.ndarray
    busy: np.ndarray  # (n_places,) actions open there


# Less than this share of all weight is the dirt of summing in float64, not a gain.
NOTHING = 1e-11


@njit(cache=True, nogil=True)
def _shift(m, s, unit, old, new):
    """Tell all actions of a unit that it is now covered from ``new`` on, no longer from ``old``; return what that is worth."""
    weight, n_years = m.weight[unit], len(m.money)
    for q in range(m.unit_ptr[unit], m.unit_ptr[unit + 1]):
        action = m.unit_action[q]
        for t in range(n_years):
            s.gain[action, t] += weight * (max(0.0, m.worth[t] - m.worth[new]) - max(0.0, m.worth[t] - m.worth[old]))
    s.first[unit] = new
    return weight * (m.worth[new] - m.worth[old])


@njit(cache=True, nogil=True)
def open_action(m, s, action, year):
    """Open an action; return what that is worth."""
    value = 0.0
    s.year[action] = year
    s.busy[m.place[action]] += 1
    for t in range(len(m.money)):
        s.spent[t] += m.price[action, year, t]
    for q in range(m.limit_ptr[action], m.limit_ptr[action + 1]):
        s.used[m.limit_row[q]] += m.limit_use[q]
    for q in range(m.action_ptr[action], m.action_ptr[action + 1]):
        unit = m.action_unit[q]
        s.covers[unit, year] += 1
        if year < s.first[unit]:
            value += _shift(m, s, unit, s.first[unit], year)
    return value


@njit(cache=True, nogil=True)
def _close(m, s, action):
    value, year, n_years = 0.0, s.year[action], len(m.money)
    s.year[action] = n_years
    s.busy[m.place[action]] -= 1
    for t in range(n_years):
        s.spent[t] -= m.price[action, year, t]
    for q in range(m.limit_ptr[action], m.limit_ptr[action + 1]):
        s.used[m.limit_row[q]] -= m.limit_use[q]
    for q in range(m.action_ptr[action], m.action_ptr[action + 1]):
        unit = m.action_unit[q]
        s.covers[unit, year] -= 1
        if s.first[unit] == year and s.covers[unit, year] == 0:
            later = year + 1
            while later < n_years and s.covers[unit, later] == 0:
                later += 1
            value += _shift(m, s, unit, year, later)
    return value


@njit(cache=True, nogil=True)
def _loss(m, s, action):
    """Return what closing an open action would lose now."""
    lost, year, n_years = 0.0, s.year[action], len(m.money)
    for q in range(m.action_ptr[action], m.action_ptr[action + 1]):
        unit = m.action_unit[q]
        if s.first[unit] == year and s.covers[unit, year] == 1:
            later = year + 1
            while later < n_years and s.covers[unit, later] == 0:
                later += 1
            lost += m.weight[unit] * (m.worth[year] - m.worth[later])
    return lost


@njit(cache=True, nogil=True)
def _fits(m, s, action, year):
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
def _worth_of_money(m, action, year):
    worth = 0.0
    for t in range(len(m.money)):
        worth += m.price[action, year, t] * m.rate[t]
    return worth


@njit(cache=True, nogil=True)
def _pick(m, s, place, by_price):
    """Return the best action and year that still fit (at ``place`` only, if it is ≥ 0), or (−1, 0)."""
    best_action, best_year, best = -1, 0, -1.0
    least = NOTHING if place < 0 else -1.0
    for action in range(len(m.place)):
        if (place >= 0 and m.place[action] != place) or s.busy[m.place[action]] > 0:
            continue
        for year in range(len(m.money)):
            gain = s.gain[action, year]
            if gain <= least or not m.allowed[action, year]:
                continue
            score = (gain + 1e-300) / (1e-9 + _worth_of_money(m, action, year)) if by_price else gain
            if score > best and _fits(m, s, action, year):
                best_action, best_year, best = action, year, score
    return best_action, best_year


@njit(cache=True, nogil=True)
def construct(m, s, by_price):
    """Fill a state greedily, required places first; return whether they fit."""
    for place in range(len(m.must)):
        if m.must[place] and s.busy[place] == 0:
            # The cheapest way first: what is required must fit before anything else.
            best_action, best_year, best = -1, 0, np.inf
            for action in range(len(m.place)):
                if m.place[action] == place:
                    for year in range(len(m.money)):
                        share = _worth_of_money(m, action, year)
                        if share < best and m.allowed[action, year] and _fits(m, s, action, year):
                            best_action, best_year, best = action, year, share
            if best_action < 0:
                return False
            open_action(m, s, best_action, best_year)
    action, year = _pick(m, s, -1, by_price)
    while action >= 0:
        open_action(m, s, action, year)
        action, year = _pick(m, s, -1, by_price)
    return True


@njit(cache=True, nogil=True)
def follow(m, s, value):
    """Open what the bound's own choice would, largest reduced value first, while it fits."""
    n_years = len(m.money)
    order = np.argsort(-value.ravel(), kind="mergesort")
    for rank in range(len(order)):
        action, year = order[rank] // n_years, order[rank] % n_years
        if value[action, year] <= 0.0:
            break
        if s.gain[action, year] > NOTHING and _fits(m, s, action, year):
            open_action(m, s, action, year)


@njit(cache=True, nogil=True)
def _refill(m, s, by_price, opened, n):
    """Open what fits, best first; note it in ``opened`` from position ``n`` on; return the value and the new length."""
    value = 0.0
    while True:
        action, year = _pick(m, s, -1, by_price)
        if action < 0:
            return value, n
        value += open_action(m, s, action, year)
        opened[n] = action
        n += 1


@njit(cache=True, nogil=True)
def _swap_out(m, s, action, by_price, opened):
    """Close an action and open what then fits best; keep that if it is better, else undo it."""
    year = s.year[action]
    value, n = _close(m, s, action), 0
    fits = True
    if m.must[m.place[action]]:
        other, other_year = _pick(m, s, m.place[action], by_price)
        fits = other >= 0
        if fits:
            value += open_action(m, s, other, other_year)
            opened[0], n = other, 1
    if fits:
        added, n = _refill(m, s, by_price, opened, n)
        if value + added > NOTHING:
            return True
    for q in range(n):
        _close(m, s, opened[q])
    open_action(m, s, action, year)
    return False


@njit(cache=True, nogil=True)
def _swap_in(m, s, action, year, opened, closed, closed_year):
    """Open an action by force and close what is least missed for its money until all fits; keep that if it is better."""
    n_years, n, n_closed, value = len(m.money), 0, 0, 0.0
    fits = True
    while not _fits(m, s, action, year):
        worst, least = -1, np.inf
        rival = s.busy[m.place[action]] > 0
        for other in range(len(m.place)):
            if s.year[other] == n_years or (rival and m.place[other] != m.place[action]):
                continue
            if m.must[m.place[other]] and m.place[other] != m.place[action]:
                continue
            missed = _loss(m, s, other) / (1e-9 + _worth_of_money(m, other, s.year[other]))
            if missed < least:
                worst, least = other, missed
        if worst < 0:
            fits = False
            break
        closed[n_closed], closed_year[n_closed] = worst, s.year[worst]
        n_closed += 1
        value += _close(m, s, worst)
    if fits:
        value += open_action(m, s, action, year)
        opened[0] = action
        added, n = _refill(m, s, True, opened, 1)
        if value + added > NOTHING:
            return True
    for q in range(n):
        _close(m, s, opened[q])
    for q in range(n_closed):
        open_action(m, s, closed[q], closed_year[q])
    return False


@njit(cache=True, nogil=True)
def improve_state(m, s, by_price, passes, forced):
    """Swap until nothing improves; return the value of the plan (share of all weight).

    ``forced`` lists options (action × n_years + year) to open by force in each pass, most promising first.
    """
    n_actions, n_years = len(m.place), len(m.money)
    opened = np.empty(2 * n_actions + 2, np.int64)
    closed = np.empty(n_actions + 1, np.int64)
    closed_year = np.empty(n_actions + 1, np.int64)
    for _ in range(passes):
        better = False
        for action in range(n_actions):
            for variant in range(2 if by_price else 1):
                if s.year[action] < n_years and _swap_out(m, s, action, variant == 1, opened):
                    better = True
                    break
        for option in forced:
            action, year = option // n_years, option % n_years
            if s.year[action] == n_years and s.gain[action, year] > NOTHING and m.allowed[action, year]:
                better |= _swap_in(m, s, action, year, opened, closed, closed_year)
        if not better:
            break
    value = 0.0
    for unit in range(len(m.weight)):
        value += m.weight[unit] * m.worth[s.first[unit]]
    return value
