"""The compiled part of the search: a state of open actions, kept up to date by opening and closing one at a time.

Each move touches only the units of one action and the actions that share them (Resende & Werneck 2007 keep the same gains for the
p-median). Years are 0 … n−1 here, n meaning never; an option is an action in a year, numbered action × n_years + year.
"""
# ruff: noqa: ANN001, ANN201, ANN202, SIM110
# mypy: disable-error-code="no-untyped-def"

from typing import NamedTuple

import numpy as np
from numba import njit


class Model(NamedTuple):
    """What the search and the bound work on. ``allowed`` and ``must`` are narrowed by the bound, ``toll`` follows it."""

    action_ptr: np.ndarray  # units of each action
    action_unit: np.ndarray
    unit_ptr: np.ndarray  # actions of each unit
    unit_action: np.ndarray
    weight: np.ndarray  # (n_units,) summing to one
    worth: np.ndarray  # (n_years + 1,) a unit covered from year t on; 0 for never
    use: np.ndarray  # (n_options × n_rows) what an option takes of each budget and limit
    has: np.ndarray  # (n_rows,) how much there is
    place: np.ndarray  # (n_actions,)
    must: np.ndarray  # (n_places,) bool, needs an action
    allowed: np.ndarray  # (n_actions × n_years) bool, options that a better plan may contain
    toll: np.ndarray  # (n_options,) what an option takes, in worth, when gains are weighed against it


class State(NamedTuple):
    """What is open, and what follows from it."""

    year: np.ndarray  # (n_actions,)
    covers: np.ndarray  # (n_units × n_years) open actions that cover the unit, by their year
    first: np.ndarray  # (n_units,) earliest of them
    gain: np.ndarray  # (n_actions × n_years) what opening would add now
    used: np.ndarray  # (n_rows,)
    busy: np.ndarray  # (n_places,) actions open there


# Less than this share of all weight is the dirt of summing in float64, not a gain.
NOTHING = 1e-11


# Every number that is passed on is int64, flags too, so that each function is compiled once.
@njit(cache=True, nogil=True)
def _shift(m, s, unit, old, new):
    """Tell all actions of a unit that it is now covered from ``new`` on, no longer from ``old``; return what that is worth."""
    weight, before, after = m.weight[unit], m.worth[old], m.worth[new]
    for q in range(m.unit_ptr[unit], m.unit_ptr[unit + 1]):
        action = m.unit_action[q]
        for t in range(m.allowed.shape[1]):
            s.gain[action, t] += weight * (max(0.0, m.worth[t] - after) - max(0.0, m.worth[t] - before))
    s.first[unit] = new
    return weight * (after - before)


@njit(cache=True, nogil=True)
def _move(m, s, action, year, sign):
    """Open (sign 1) or close (sign −1) an action in a year; return what that is worth."""
    value, n_years = 0.0, np.int64(m.allowed.shape[1])
    s.year[action] = year if sign > 0 else n_years
    s.busy[m.place[action]] += sign
    for row in range(len(m.has)):
        s.used[row] += sign * m.use[action * n_years + year, row]
    for q in range(m.action_ptr[action], m.action_ptr[action + 1]):
        unit = np.int64(m.action_unit[q])
        s.covers[unit, year] += sign
        first = s.first[unit]
        if sign > 0 and year < first:
            value += _shift(m, s, unit, first, year)
        elif sign < 0 and first == year and s.covers[unit, year] == 0:
            while first < n_years and s.covers[unit, first] == 0:
                first += 1
            value += _shift(m, s, unit, year, first)
    return value


@njit(cache=True, nogil=True)
def _loss(m, s, action):
    """Return what closing an open action would lose now."""
    lost, year, n_years = 0.0, s.year[action], m.allowed.shape[1]
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
    for row in range(len(m.has)):
        if s.used[row] + m.use[action * m.allowed.shape[1] + year, row] > m.has[row]:
            return False
    return True


@njit(cache=True, nogil=True)
def _refill(m, s, by_toll, only, opened, n):
    """Open what fits, best first, noting it in ``opened`` from position ``n`` on; return the value and the new length.

    With ``only`` ≥ 0 it opens one action at that place, whatever it gains.
    """
    value, n_years = 0.0, m.allowed.shape[1]
    while True:
        best_action, best_year, best = np.int64(-1), np.int64(0), -1.0
        for action in range(len(m.place)):
            if s.busy[m.place[action]] > 0 or (only >= 0 and m.place[action] != only):
                continue
            for year in range(n_years):
                gain = s.gain[action, year]
                if not m.allowed[action, year] or (gain <= NOTHING and only < 0):
                    continue
                score = (gain + 1e-300) / (1e-9 + m.toll[action * n_years + year]) if by_toll > 0 else gain
                if score > best and _fits(m, s, action, year):
                    best_action, best_year, best = np.int64(action), np.int64(year), score
        if best_action < 0:
            return value, n
        value += _move(m, s, best_action, best_year, np.int64(1))
        opened[n] = best_action
        n += 1
        if only >= 0:
            return value, n


@njit(cache=True, nogil=True)
def _swap(m, s, action, year, by_toll, opened, closed, closed_year):
    """Exchange one action for others; keep that if it is better, else undo it.

    An open action is closed. A closed one is opened by force in ``year``, and what is least missed for its toll is closed until all
    fits. Then what fits best is opened.
    """
    n_years, n, n_closed, value = np.int64(m.allowed.shape[1]), np.int64(0), np.int64(0), 0.0
    place, fits = np.int64(m.place[action]), True
    if s.year[action] < n_years:
        closed[0], closed_year[0], n_closed = action, s.year[action], np.int64(1)
        value += _move(m, s, action, s.year[action], np.int64(-1))
        if m.must[place]:
            added, n = _refill(m, s, by_toll, place, opened, n)
            value += added
            fits = n > 0
    else:
        while fits and not _fits(m, s, action, year):
            least_missed, least = np.int64(-1), np.inf
            rival = s.busy[place] > 0
            for other in range(len(m.place)):
                if s.year[other] == n_years or ((rival or m.must[m.place[other]]) and m.place[other] != place):
                    continue
                missed = _loss(m, s, other) / (1e-9 + m.toll[other * n_years + s.year[other]])
                if missed < least:
                    least_missed, least = np.int64(other), missed
            fits = bool(least_missed >= 0)
            if fits:
                closed[n_closed], closed_year[n_closed] = least_missed, s.year[least_missed]
                n_closed += 1
                value += _move(m, s, least_missed, s.year[least_missed], np.int64(-1))
        if fits:
            value += _move(m, s, action, year, np.int64(1))
            opened[0], n = action, np.int64(1)
    if fits:
        added, n = _refill(m, s, by_toll, np.int64(-1), opened, n)
        if value + added > NOTHING:
            return True
    for q in range(n):
        _move(m, s, opened[q], s.year[opened[q]], np.int64(-1))
    for q in range(n_closed):
        _move(m, s, closed[q], closed_year[q], np.int64(1))
    return False


@njit(cache=True, nogil=True)
def _value(m, s):
    value = 0.0
    for unit in range(len(m.weight)):
        value += m.weight[unit] * m.worth[s.first[unit]]
    return value


@njit(cache=True, nogil=True)
def grow(m, s, first, forced, by_toll, passes):
    """Open what fits of ``first`` (options in their order), fill up, and swap until nothing improves.

    Args:
        m: model.
        s: state, nothing open; changed in place.
        first: options to open first; one of each required place leads them.
        forced: options that each pass opens by force, most promising first.
        by_toll: 1 weighs gains against tolls, 0 takes the largest.
        passes: most passes.

    Returns:
        The value as a share of all weight; −1 where a required place did not fit.
    """
    n_actions, n_years = len(m.place), np.int64(m.allowed.shape[1])
    opened = np.empty(2 * n_actions + 2, np.int64)
    closed = np.empty(n_actions + 1, np.int64)
    closed_year = np.empty(n_actions + 1, np.int64)
    for option in first:
        action, year = option // n_years, option % n_years
        wanted = m.must[m.place[action]] or s.gain[action, year] > NOTHING
        if wanted and _fits(m, s, action, year):
            _move(m, s, action, year, np.int64(1))
    for place in range(len(m.must)):
        if m.must[place] and s.busy[place] == 0:
            return -1.0
    _refill(m, s, by_toll, np.int64(-1), opened, np.int64(0))
    for _ in range(passes):
        better = False
        for action in range(n_actions):
            if s.year[action] == n_years:
                continue
            if _swap(m, s, np.int64(action), np.int64(0), np.int64(0), opened, closed, closed_year):
                better = True
            elif by_toll > 0:
                better |= _swap(m, s, np.int64(action), np.int64(0), by_toll, opened, closed, closed_year)
        for option in forced:
            action, year = option // n_years, option % n_years
            if s.year[action] == n_years and s.gain[action, year] > NOTHING and m.allowed[action, year]:
                better |= _swap(m, s, np.int64(action), np.int64(year), by_toll, opened, closed, closed_year)
        if not better:
            break
    return _value(m, s)


@njit(cache=True, nogil=True)
def _fill(m, s, by_toll, out, n_out, into, n_in):
    """Open what fits, best first, but nothing of ``out``; note it in ``into``; return the value and the new length."""
    value, n_years = 0.0, np.int64(m.allowed.shape[1])
    while True:
        best_action, best_year, best = np.int64(-1), np.int64(0), 0.0
        for action in range(len(m.place)):
            if s.busy[m.place[action]] > 0:
                continue
            for year in range(n_years):
                gain = s.gain[action, year]
                if gain <= NOTHING or not m.allowed[action, year]:
                    continue
                score = gain / (1e-9 + m.toll[action * n_years + year]) if by_toll > 0 else gain
                if score > best and _fits(m, s, action, year):
                    barred = False
                    for q in range(n_out):
                        barred |= out[q] == action
                    if not barred:
                        best_action, best_year, best = np.int64(action), np.int64(year), score
        if best_action < 0:
            return value, n_in
        value += _move(m, s, best_action, best_year, np.int64(1))
        into[n_in] = best_action
        n_in += 1


@njit(cache=True, nogil=True)
def wander(m, s, steps, heat, most_out, seed):
    """Exchange open actions picked by a fixed sequence for what then fits best, also where that loses a little, ever less.

    Threshold accepting (Dueck & Scheuer 1990).

    Args:
        m: model.
        s: state of a plan that keeps the rules; changed in place.
        steps: how many exchanges to try.
        heat: what an exchange may lose at first, as a share of what an open action is worth on average.
        most_out: most actions that are closed at once; from 2 on gains are weighed against tolls in every other exchange.
        seed: where the sequence begins.

    Returns:
        The years of the best plan seen, and its value.
    """
    n_actions, n_years = len(m.place), np.int64(m.allowed.shape[1])
    movable, n = np.empty(n_actions, np.int64), np.int64(0)
    for action in range(n_actions):
        if s.year[action] < n_years and not m.must[m.place[action]]:
            movable[n] = action
            n += 1
    value = _value(m, s)
    best, best_year = value, s.year.copy()
    out, out_year, into = np.empty(most_out, np.int64), np.empty(most_out, np.int64), np.empty(n_actions, np.int64)
    number, size = np.uint64(seed), value / max(n, 1)
    for step in range(1, steps + 1):
        if n == 0:
            break
        # A linear congruential sequence (Knuth 1997): its upper bits pick what is closed.
        number = number * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        n_out = min(np.int64(1) + np.int64((number >> np.uint64(60)) % np.uint64(most_out)), n)
        before = value
        for q in range(n_out):
            number = number * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            at = np.int64((number >> np.uint64(33)) % np.uint64(n))
            out[q], out_year[q] = movable[at], s.year[movable[at]]
            n -= 1
            movable[at] = movable[n]
            value += _move(m, s, out[q], out_year[q], np.int64(-1))
        by_toll = np.int64(step % 2) if most_out > 1 else np.int64(0)
        added, n_in = _fill(m, s, by_toll, out, n_out, into, np.int64(0))
        value += added
        if value < before - heat * size * (1.0 - step / steps) ** 2:
            for q in range(n_in):
                value += _move(m, s, into[q], s.year[into[q]], np.int64(-1))
            for q in range(n_out):
                value += _move(m, s, out[q], out_year[q], np.int64(1))
                movable[n] = out[q]
                n += 1
        else:
            for q in range(n_in):
                movable[n] = into[q]
                n += 1
        if value > best + NOTHING:
            best, best_year[:] = value, s.year
    return best_year, best
