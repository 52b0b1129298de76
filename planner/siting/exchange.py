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
    toll: np.ndarray  # (n_options,) what an option takes, in worth; below zero where it makes room for others


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
def _fits(b, s, option):
    """Tell whether an option breaks none of its rules: a quick look, where nothing is broken so far."""
    for q in range(b.option_ptr[option], b.option_ptr[option + 1]):
        rule = b.option_rule[q]
        if b.option_take[q] > 0.0 and s.used[rule] + b.option_take[q] > b.most[rule] + NOTHING:
            return False
    return True


@njit(cache=True, nogil=True)
def _fill(b, s, options, opened, n):
    """Do the best of ``options`` until none helps: what lessens the breach most, then what gains most for its toll.

    What costs less worth than the room that it makes (a closing that saves its running) helps too.
    """
    n_years = np.int64(b.worth.shape[1])
    while True:
        best, best_fix, best_gain = np.int64(-1), 0.0, 0.0
        breach, value = s.merit[0], s.merit[1]
        for option in options:
            action, year = option // n_years, option % n_years
            if s.busy[b.place[action]] > 0 or (breach <= NOTHING and not _fits(b, s, option)):
                continue
            move(b, s, action, year, np.int64(1))
            fix, gain = breach - s.merit[0], s.merit[1] - value
            move(b, s, action, year, np.int64(-1))
            toll = b.toll[option]
            if fix < -NOTHING or (fix <= NOTHING and gain - min(toll, 0.0) <= NOTHING):
                continue
            fix = fix if fix > NOTHING else 0.0
            gain = gain / (NOTHING + toll) if toll >= 0.0 else -toll / (NOTHING + max(-gain, 0.0))
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
            missed = loss / (NOTHING + max(b.toll[action * n_years + year], 0.0))
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


@njit(cache=True, nogil=True)
def _helps(b, s, option):
    """Tell whether an option itself gives to a rule that is broken."""
    for q in range(b.option_ptr[option], b.option_ptr[option + 1]):
        rule = b.option_rule[q]
        if b.option_take[q] < 0.0 and s.used[rule] > b.most[rule] + NOTHING:
            return True
    return False


@njit(cache=True, nogil=True)
def _mend(b, s, options, counted, kept, turns):
    """Lessen the breach: do what ends most of it, else undo what is missed least, but not ``kept``.

    ``counted`` tells which rules count what is covered.
    """
    n_years = np.int64(b.worth.shape[1])
    for _ in range(turns):
        breach, value = s.merit[0], s.merit[1]
        if breach <= NOTHING:
            return
        best, best_fix, best_net, floors = np.int64(-1), NOTHING, 0.0, False
        for rule in range(len(b.most)):
            floors |= counted[rule] and s.used[rule] > b.most[rule] + NOTHING
        for option in options:
            action, year = option // n_years, option % n_years
            if s.busy[b.place[action]] > 0 or not (floors or _helps(b, s, option)):
                continue
            move(b, s, action, year, np.int64(1))
            fix, net = breach - s.merit[0], s.merit[1] - value - b.toll[option]
            move(b, s, action, year, np.int64(-1))
            if fix > best_fix * 1.01 or (best >= 0 and fix >= best_fix * 0.99 and net > best_net):
                best, best_fix, best_net = option, fix, net
        s.merit[0], s.merit[1] = breach, value
        if best < 0 or best_fix < 0.5 * breach:
            other = _least_missed(b, s, kept)
            if other >= 0:
                move(b, s, other, s.year[other], np.int64(-1))
                continue
        if best < 0:
            return
        move(b, s, best // n_years, best % n_years, np.int64(1))


@njit(cache=True, nogil=True)
def wander(b, s, options, steps, heat, most_out, seed):
    """Undo actions, do one by force, mend, fill up; keep that also where it loses a little, ever less.

    Ruin and recreate (Schrimpf et al. 2000) under threshold accepting (Dueck & Scheuer 1990); what is picked follows a fixed sequence.

    Args:
        b: board.
        s: where to begin; changed in place.
        options: what may be done.
        steps: how many turns.
        heat: worth that a turn may lose at first.
        most_out: most actions that are undone at once.
        seed: where the sequence begins.

    Returns:
        The years of the best plan seen.
    """
    n_years, n_actions = np.int64(b.worth.shape[1]), len(b.place)
    opened, done = np.empty(n_actions + 1, np.int64), np.empty(n_actions, np.int64)
    year, covers, used, busy, merit = s.year.copy(), s.covers.copy(), s.used.copy(), s.busy.copy(), s.merit.copy()
    best_year, best = s.year.copy(), s.merit.copy()
    counted = np.zeros(len(b.most), np.bool_)
    counted[b.unit_rule] = True
    number = np.uint64(seed)
    for step in range(1, steps + 1):
        # A linear congruential sequence (Knuth 1997): its upper bits pick what is undone, what is done, and whether.
        number = number * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        kind, n_out = (number >> np.uint64(60)) % np.uint64(3), np.int64(0)
        if kind != 2:
            n_out = np.int64(1) + np.int64((number >> np.uint64(33)) % np.uint64(most_out))
        n = np.int64(0)
        for action in range(n_actions):
            if s.year[action] < n_years:
                done[n] = action
                n += 1
        for _ in range(min(n_out, n)):
            number = number * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            at = np.int64((number >> np.uint64(33)) % np.uint64(n))
            n -= 1
            out, done[at] = done[at], done[n]
            move(b, s, out, s.year[out], np.int64(-1))
        kept = np.int64(-1)
        if kind != 0 and len(options) > 0:
            number = number * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            option = options[np.int64((number >> np.uint64(33)) % np.uint64(len(options)))]
            kept = option // n_years
            rival = s.busy[b.place[kept]] - 1
            if rival >= 0:
                move(b, s, rival, s.year[rival], np.int64(-1))
            move(b, s, kept, option % n_years, np.int64(1))
        _mend(b, s, options, counted, kept, n_actions)
        _fill(b, s, options, opened, np.int64(0))
        if s.merit[0] <= merit[0] + NOTHING and s.merit[1] > merit[1] - heat * (1.0 - step / steps):
            year[:], covers[:], used[:], busy[:], merit[:] = s.year, s.covers, s.used, s.busy, s.merit
            fix, gain = best[0] - merit[0], merit[1] - best[1]
            if fix > NOTHING or (fix >= -NOTHING and gain > NOTHING):
                best_year[:], best[:] = year, merit
        else:
            s.year[:], s.covers[:], s.used[:], s.busy[:], s.merit[:] = year, covers, used, busy, merit
    return best_year
