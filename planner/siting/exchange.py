"""The compiled search for problems with rules of any kind: open, close, exchange, with every condition kept up to date.

Unlike `kernels`, nothing is taken to be monotone: an action may close a site, and doing less may break a rule. So a move is tried by
making it, and taken back if it is no better. Fewer breaches count first, then value. Years are 0 … n−1 here, n meaning never; an
option is an action in a year, numbered action × n_years + year.
"""
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: disable-error-code="no-untyped-def"

from typing import NamedTuple

import numpy as np
from numba import njit


class Board(NamedTuple):
    """What the search works on."""

    action_ptr: np.ndarray  # units of each action
    action_unit: np.ndarray
    action_sign: np.ndarray  # 1 covers, −1 closes what covers
    standing: np.ndarray  # (n_units,)
    need: np.ndarray  # (n_units,)
    worth: np.ndarray  # (n_units × n_years)
    option_value: np.ndarray  # (n_options,)
    option_ptr: np.ndarray  # rules each option takes from
    option_rule: np.ndarray
    option_take: np.ndarray
    unit_ptr: np.ndarray  # rules each (unit × year) takes from when covered
    unit_rule: np.ndarray
    unit_take: np.ndarray
    most: np.ndarray  # (n_rules,)
    scale: np.ndarray  # (n_rules,) what a breach of one weighs
    place: np.ndarray  # (n_actions,)
    toll: np.ndarray  # (n_options,) what an option takes, in worth


class Stand(NamedTuple):
    """What is done, and what follows from it."""

    year: np.ndarray  # (n_actions,)
    covers: np.ndarray  # (n_units × n_years)
    used: np.ndarray  # (n_rules,)
    busy: np.ndarray  # (n_places,) 1 + action that is done there, 0 for none
    merit: np.ndarray  # (2,) breach, value


# Breaches and gains below this are the dirt of summing in float64.
NOTHING = 1e-9


@njit(cache=True, nogil=True)
def _take(b, s, rule, amount):
    """Take from a rule; return what that adds to the breach."""
    before = max(0.0, s.used[rule] - b.most[rule])
    s.used[rule] += amount
    return b.scale[rule] * (max(0.0, s.used[rule] - b.most[rule]) - before)


@njit(cache=True, nogil=True)
def move(b, s, action, year, sign):
    """Do (sign 1) or undo (sign −1) an action in a year."""
    n_years = np.int64(b.worth.shape[1])
    option = action * n_years + year
    s.year[action] = year if sign > 0 else n_years
    s.busy[b.place[action]] = action + 1 if sign > 0 else np.int64(0)
    value, breach = sign * b.option_value[option], 0.0
    for q in range(b.option_ptr[option], b.option_ptr[option + 1]):
        breach += _take(b, s, b.option_rule[q], sign * b.option_take[q])
    for q in range(b.action_ptr[action], b.action_ptr[action + 1]):
        unit, step = np.int64(b.action_unit[q]), sign * np.int64(b.action_sign[q])
        for t in range(year, n_years):
            before = s.covers[unit, t]
            s.covers[unit, t] = before + step
            turn = np.int64(before + step >= b.need[unit]) - np.int64(before >= b.need[unit])
            if turn != 0:
                value += turn * b.worth[unit, t]
                cell = unit * n_years + t
                for k in range(b.unit_ptr[cell], b.unit_ptr[cell + 1]):
                    breach += _take(b, s, b.unit_rule[k], turn * b.unit_take[k])
    s.merit[0] += breach
    s.merit[1] += value


@njit(cache=True, nogil=True)
def _fill(b, s, options, opened, n):
    """Do the best of ``options`` until none helps: what lessens the breach most, then what gains most for its toll."""
    n_years = np.int64(b.worth.shape[1])
    while True:
        best, best_fix, best_gain = np.int64(-1), 0.0, 0.0
        breach, value = s.merit[0], s.merit[1]
        for option in options:
            action, year = option // n_years, option % n_years
            if s.busy[b.place[action]] > 0:
                continue
            move(b, s, action, year, np.int64(1))
            fix, gain = breach - s.merit[0], s.merit[1] - value
            move(b, s, action, year, np.int64(-1))
            if fix < -NOTHING or (fix <= NOTHING and gain <= NOTHING):
                continue
            fix = fix if fix > NOTHING else 0.0
            gain /= NOTHING + b.toll[option]
            if fix > best_fix + NOTHING or (fix >= best_fix - NOTHING and (best < 0 or gain > best_gain)):
                best, best_fix, best_gain = option, fix, gain
        s.merit[0], s.merit[1] = breach, value
        if best < 0 or n >= len(opened):
            return n
        move(b, s, best // n_years, best % n_years, np.int64(1))
        opened[n] = best // n_years
        n += 1


@njit(cache=True, nogil=True)
def _least_missed(b, s, kept):
    """Return the action whose undoing lessens the breach at the least loss for its toll; −1 where none does."""
    n_years = np.int64(b.worth.shape[1])
    best, least = np.int64(-1), np.inf
    breach, value = s.merit[0], s.merit[1]
    for action in range(len(b.place)):
        year = s.year[action]
        if year == n_years or action == kept:
            continue
        move(b, s, np.int64(action), year, np.int64(-1))
        fix, loss = breach - s.merit[0], value - s.merit[1]
        move(b, s, np.int64(action), year, np.int64(1))
        if fix > NOTHING:
            missed = loss / (NOTHING + b.toll[action * n_years + year])
            if missed < least:
                best, least = np.int64(action), missed
    s.merit[0], s.merit[1] = breach, value
    return best


@njit(cache=True, nogil=True)
def _exchange(b, s, option, options, opened, closed, closed_year):
    """Undo an action that is done, or do one by force; mend, fill up; keep that if it is better, else take it back."""
    n_years, n, n_closed = np.int64(b.worth.shape[1]), np.int64(0), np.int64(0)
    action, year = option // n_years, option % n_years
    breach, value = s.merit[0], s.merit[1]
    if s.year[action] == year:
        closed[0], closed_year[0], n_closed = action, year, np.int64(1)
        move(b, s, action, year, np.int64(-1))
    else:
        rival = s.busy[b.place[action]] - 1
        if rival >= 0:
            closed[0], closed_year[0], n_closed = rival, s.year[rival], np.int64(1)
            move(b, s, rival, s.year[rival], np.int64(-1))
        move(b, s, action, year, np.int64(1))
        opened[0], n = action, np.int64(1)
        while s.merit[0] > breach + NOTHING and n_closed < len(closed):
            other = _least_missed(b, s, action)
            if other < 0:
                break
            closed[n_closed], closed_year[n_closed] = other, s.year[other]
            n_closed += 1
            move(b, s, other, s.year[other], np.int64(-1))
    n = _fill(b, s, options, opened, n)
    fix, gain = breach - s.merit[0], s.merit[1] - value
    if fix > NOTHING or (fix > -NOTHING and gain > NOTHING):
        return True
    for q in range(n):
        if s.year[opened[q]] < n_years:
            move(b, s, opened[q], s.year[opened[q]], np.int64(-1))
    for q in range(n_closed):
        move(b, s, closed[q], closed_year[q], np.int64(1))
    s.merit[0], s.merit[1] = breach, value
    return False


@njit(cache=True, nogil=True)
def exchange(b, s, options, forced, passes):
    """Fill up with ``options`` and exchange until nothing improves; each pass also does ``forced`` by force, in their order."""
    n_years, n_actions = np.int64(b.worth.shape[1]), len(b.place)
    opened = np.empty(n_actions + 1, np.int64)
    closed = np.empty(n_actions + 1, np.int64)
    closed_year = np.empty(n_actions + 1, np.int64)
    _fill(b, s, options, opened, np.int64(0))
    for _ in range(passes):
        better = False
        for action in range(n_actions):
            if s.year[action] < n_years:
                option = action * n_years + s.year[action]
                better |= _exchange(b, s, option, options, opened, closed, closed_year)
        for option in forced:
            if s.year[option // n_years] != option % n_years:
                better |= _exchange(b, s, option, options, opened, closed, closed_year)
        if not better:
            break
