"""How good a plan can be at most: a Lagrangian bound, and the options that no better plan can contain.

The cover rows ``y_it ≤ Σ_j open_jt`` are priced by multipliers λ_it, the money and limit rows by μ; what is left falls apart into one
choice a place. The multipliers move along a deflected subgradient (Camerini, Fratta & Maffioli 1975) in units of each unit's own
weight, which comes close to the linear relaxation in a few hundred rounds. Where one year, one budget and no rival actions are
planned, the money row is kept and solved exactly as a fractional knapsack.
"""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from dataclasses import dataclass

import numpy as np
from numba import njit

from planner.siting.kernels import Model
from planner.siting.problem import Floats

# Seen to serve: each direction keeps 97 % of the last, the first step is 5 % of the gap, and shrinks by a fifth after 50 rounds in vain.
_DEFLECTION = 0.97
_FIRST_STEP = 0.05
_SHRINK = 0.8
_PATIENCE = 50


@dataclass
class Multipliers:
    """Where the bound stands; `tighten` moves it on.

    Attributes:
        cover: (n_units × n_years) λ, between 0 and what the unit is worth in the year.
        money: (n_years,) μ of the budgets.
        limit: (n_limits,) μ of the limits.
        step: current step length.
        bound: the least bound so far, of the model's normalised weight; it belongs to ``cover``, ``money`` and ``limit``.
        rounds: subgradient rounds so far.
    """

    cover: Floats
    money: Floats
    limit: Floats
    step: float = _FIRST_STEP
    bound: float = np.inf
    rounds: int = 0


def first_multipliers(model: Model) -> Multipliers:
    """Return where to begin: half of each unit's worth, and a third of all weight for all money."""
    each_year = -np.diff(model.worth)
    return Multipliers(
        0.5 * np.outer(model.weight, each_year), 0.3 / len(model.money) * model.rate, np.zeros(len(model.limit))
    )


def tighten(model: Model, at: Multipliers, target: float, rounds: int) -> None:
    """Move the multipliers on for at most ``rounds`` rounds, or until the bound meets ``target``."""
    knapsack = len(model.money) == 1 and len(model.limit) == 0 and len(np.unique(model.place)) == len(model.place)
    at.bound, at.step, done = _subgradient(
        model, at.cover, at.money, at.limit, at.bound, at.step, target, rounds, knapsack
    )
    at.rounds += done


def option_values(model: Model, at: Multipliers) -> tuple[Floats, Floats]:
    """Return each option's reduced value, (n_actions × n_years), and the best at each place (≥ 0 unless it is required)."""
    value = _values(model, at.cover, at.money, at.limit)
    best = np.where(model.must, -np.inf, 0.0)
    np.maximum.at(best, model.place, value.max(axis=1))
    return value, best


def strike_out(model: Model, at: Multipliers, known: float) -> int:
    """Strike options from ``model.allowed`` that no plan better than ``known`` contains; mark places that each of them needs.

    With the option ``bound − (best − value)`` bounds every plan, without the place ``bound − best`` does.

    Returns:
        How many options are left.
    """
    value, best = option_values(model, at)
    with_option = at.bound - (best[model.place][:, None] - value)
    model.allowed[with_option <= known] = False
    model.must[at.bound - best <= known] = True
    return int(model.allowed.sum())


@njit(cache=True, nogil=True)
def _values(m, cover, money, limit):
    n_actions, n_years = len(m.place), len(m.money)
    value = np.empty((n_actions, n_years))
    for action in range(n_actions):
        for t in range(n_years):
            value[action, t] = 0.0
        if n_years == 1:
            total = 0.0
            for q in range(m.action_ptr[action], m.action_ptr[action + 1]):
                total += cover[m.action_unit[q], 0]
            value[action, 0] = total
        else:
            for q in range(m.action_ptr[action], m.action_ptr[action + 1]):
                unit = m.action_unit[q]
                for t in range(n_years):
                    value[action, t] += cover[unit, t]
            for t in range(n_years - 2, -1, -1):
                value[action, t] += value[action, t + 1]
        paid = 0.0
        for q in range(m.limit_ptr[action], m.limit_ptr[action + 1]):
            paid += limit[m.limit_row[q]] * m.limit_use[q]
        for t in range(n_years):
            if m.allowed[action, t]:
                value[action, t] -= paid
                for s in range(n_years):
                    value[action, t] -= money[s] * m.price[action, t, s]
            else:
                value[action, t] = -np.inf
    return value


@njit(cache=True, nogil=True)
def _take(m, g, used, limit_used, action, year):
    """Count an option of the relaxed choice into the subgradient."""
    n_years = len(m.money)
    for s in range(n_years):
        used[s] += m.price[action, year, s]
    for q in range(m.limit_ptr[action], m.limit_ptr[action + 1]):
        limit_used[m.limit_row[q]] += m.limit_use[q]
    for q in range(m.action_ptr[action], m.action_ptr[action + 1]):
        for t in range(year, n_years):
            g[m.action_unit[q], t] -= 1.0


@njit(cache=True, nogil=True)
def _knapsack(m, value, g, used, limit_used):
    """Choose for one budget by value per money; return the bound's part and the price of money."""
    left, total, price_of_money = m.money[0], 0.0, 0.0
    n_actions = len(m.place)
    ratio = np.empty(n_actions)
    for action in range(n_actions):
        price = m.price[action, 0, 0]
        if m.must[m.place[action]]:
            left -= price
            total += value[action, 0]
            _take(m, g, used, limit_used, action, 0)
            ratio[action] = -1.0
        elif value[action, 0] <= 0.0:
            ratio[action] = -1.0
        else:
            ratio[action] = value[action, 0] / price if price > 0.0 else np.inf
    order = np.argsort(-ratio, kind="mergesort")
    for rank in range(n_actions):
        action = order[rank]
        if ratio[action] <= 0.0:
            break
        price = m.price[action, 0, 0]
        if price > left:
            price_of_money = ratio[action]
            total += ratio[action] * max(left, 0.0)
            break
        left -= price
        total += value[action, 0]
        _take(m, g, used, limit_used, action, 0)
    return total, price_of_money


@njit(cache=True, nogil=True)
def _subgradient(m, cover, money, limit, bound, step, target, rounds, knapsack):
    n_units, n_actions, n_years, n_places = len(m.weight), len(m.place), len(m.money), len(m.must)
    now, now_money, now_limit = cover.copy(), money.copy(), limit.copy()
    if knapsack:
        now_money[:] = 0.0
    g, direction = np.empty((n_units, n_years)), np.zeros((n_units, n_years))
    money_direction, limit_direction = np.zeros(n_years), np.zeros(len(m.limit))
    used, limit_used = np.empty(n_years), np.empty(len(m.limit))
    best, pick, pick_year = np.empty(n_places), np.empty(n_places, np.int64), np.empty(n_places, np.int64)
    in_vain, done = 0, 0
    for _ in range(rounds):
        done += 1
        value = _values(m, now, now_money, now_limit)
        at = 0.0
        for unit in range(n_units):
            for t in range(n_years):
                rest = m.weight[unit] * (m.worth[t] - m.worth[t + 1]) - now[unit, t]
                if rest > 0.0:
                    at += rest
                    g[unit, t] = 1.0
                else:
                    g[unit, t] = 0.0
        used[:] = 0.0
        limit_used[:] = 0.0
        if knapsack:
            gained, price_of_money = _knapsack(m, value, g, used, limit_used)
            at += gained
        else:
            price_of_money = 0.0
            for place in range(n_places):
                best[place] = -np.inf if m.must[place] else 0.0
                pick[place] = -1
            for action in range(n_actions):
                for t in range(n_years):
                    if value[action, t] > best[m.place[action]]:
                        best[m.place[action]] = value[action, t]
                        pick[m.place[action]], pick_year[m.place[action]] = action, t
            for place in range(n_places):
                if pick[place] >= 0:
                    at += best[place]
                    _take(m, g, used, limit_used, pick[place], pick_year[place])
            for t in range(n_years):
                at += now_money[t] * m.money[t]
            for row in range(len(m.limit)):
                at += now_limit[row] * m.limit[row]
        if at < bound:
            in_vain = in_vain + 1 if at > bound - 1e-7 * bound else 0
            bound = at
            cover[:] = now
            money[:] = now_money
            limit[:] = now_limit
            if knapsack:
                money[0] = price_of_money
        else:
            in_vain += 1
        if bound <= target:
            break
        if in_vain >= _PATIENCE:
            step *= _SHRINK
            in_vain = 0
            now[:] = cover
            now_limit[:] = limit
            if not knapsack:
                now_money[:] = money
            direction[:] = 0.0
            money_direction[:] = 0.0
            limit_direction[:] = 0.0
            if step < 1e-5:
                break
        length = 0.0
        for unit in range(n_units):
            for t in range(n_years):
                most = m.weight[unit] * (m.worth[t] - m.worth[t + 1])
                slope = g[unit, t]
                if (slope < 0.0 and now[unit, t] <= 0.0) or (slope > 0.0 and now[unit, t] >= most):
                    slope = 0.0
                direction[unit, t] = _DEFLECTION * direction[unit, t] + (1.0 - _DEFLECTION) * slope
                length += most * direction[unit, t] ** 2
        if not knapsack:
            for t in range(n_years):
                if m.money[t] > 0.0:
                    slope = (used[t] - m.money[t]) / m.money[t]
                    if slope < 0.0 and now_money[t] <= 0.0:
                        slope = 0.0
                    money_direction[t] = _DEFLECTION * money_direction[t] + (1.0 - _DEFLECTION) * slope
                    length += money_direction[t] ** 2
            for row in range(len(m.limit)):
                slope = (limit_used[row] - m.limit[row]) / max(1.0, m.limit[row])
                if slope < 0.0 and now_limit[row] <= 0.0:
                    slope = 0.0
                limit_direction[row] = _DEFLECTION * limit_direction[row] + (1.0 - _DEFLECTION) * slope
                length += limit_direction[row] ** 2
        if length <= 0.0:
            break
        move = step * (at - target) / length
        for unit in range(n_units):
            for t in range(n_years):
                most = m.weight[unit] * (m.worth[t] - m.worth[t + 1])
                now[unit, t] = min(max(now[unit, t] + move * most * direction[unit, t], 0.0), most)
        if not knapsack:
            for t in range(n_years):
                if m.money[t] > 0.0:
                    now_money[t] = max(0.0, now_money[t] + move * money_direction[t] / m.money[t])
            for row in range(len(m.limit)):
                now_limit[row] = max(0.0, now_limit[row] + move * limit_direction[row] / max(1.0, m.limit[row]))
    return bound, step, done
