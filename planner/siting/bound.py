"""How good a plan can be at most: a Lagrangian bound, and the options that no better plan can contain.

The cover rows ``y_it ≤ Σ_j open_jt`` are priced by multipliers λ_it, the money and limit rows by μ; what is left falls apart into one
choice a place. The multipliers move along a deflected subgradient (Camerini, Fratta & Maffioli 1975) in units of each unit's own
weight, which comes close to the linear relaxation in a few hundred rounds. Where one year, one budget and no rival actions are
planned, the money row is kept and solved exactly as a fractional knapsack. An option is an action in a year.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from planner.siting.covering import same_rows
from planner.siting.kernels import Model
from planner.siting.problem import Floats, Ints
from planner.siting.subgradient import Ascent, climb


@dataclass(frozen=True)
class Multipliers:
    """Where the bound stands; `tighten` gives the next. Values are shares of all weight.

    Attributes:
        cover: (n_units × n_years) λ, between 0 and what the unit is worth in the year.
        row: (n_rows,) μ of the budgets and the limits.
        bound: the least bound so far; it belongs to ``cover`` and ``row``.
        ascent: how it was found.
    """

    cover: Floats
    row: Floats
    bound: float
    ascent: Ascent


@dataclass(frozen=True)
class Relaxation:
    """What the bound works on beside the model itself.

    Attributes:
        units: CSR (n_actions × n_units), one where the action covers the unit.
        worth: (n_units × n_years) what a unit is worth in each year.
        knapsack: one year, one budget, no rivals: the money row is solved exactly.
    """

    units: sparse.csr_array
    worth: Floats
    knapsack: bool


def relaxation(model: Model) -> Relaxation:
    """Return the relaxation of a model."""
    n_actions = len(model.place)
    return Relaxation(
        units=sparse.csr_array(
            (np.ones(len(model.action_unit)), model.action_unit, model.action_ptr), (n_actions, len(model.weight))
        ),
        worth=np.outer(model.weight, -np.diff(model.worth)),
        knapsack=model.use.shape[1] == 1 and len(np.unique(model.place)) == n_actions,
    )


def first_multipliers(model: Model, relaxed: Relaxation) -> Multipliers:
    """Return where to begin: half of each unit's worth, and a third of all weight for all money."""
    n_years = model.allowed.shape[1]
    cover, row = 0.5 * relaxed.worth, 0.3 / n_years * (np.arange(len(model.has)) < n_years) * inverse(model.has)
    at = cover.ravel() if relaxed.knapsack else np.concatenate([cover.ravel(), row])
    return Multipliers(cover, row, np.inf, Ascent(at))


def option_values(model: Model, relaxed: Relaxation, at: Multipliers) -> tuple[Floats, Floats]:
    """Return each option's reduced value, (n_actions × n_years), and the best at each place (≥ 0 unless it is required)."""
    value = _values(model, relaxed, at.cover, at.row)
    best = np.where(model.must, -np.inf, 0.0)
    np.maximum.at(best, model.place, value.max(axis=1))
    return value, best


def strike_out(model: Model, relaxed: Relaxation, at: Multipliers, known: float) -> int:
    """Strike options from ``model.allowed`` that no plan better than ``known`` contains; mark places that each of them needs.

    With the option ``bound − (best − value)`` bounds every plan, without the place ``bound − best`` does.

    Returns:
        How many options are left.
    """
    value, best = option_values(model, relaxed, at)
    model.allowed[at.bound - (best[model.place][:, None] - value) <= known] = False
    model.must[at.bound - best <= known] = True
    return int(model.allowed.sum())


def tighten(
    model: Model, relaxed: Relaxation, at: Multipliers, target: float, rounds: int, over: Callable[[], bool]
) -> Multipliers:
    """Move the multipliers on for at most ``rounds`` rounds, or until the bound meets ``target``; return the best seen."""
    shape, n = relaxed.worth.shape, relaxed.worth.size
    worth = relaxed.worth.ravel()
    free_rows = np.zeros(0) if relaxed.knapsack else inverse(model.has) ** 2
    price_of_money = np.zeros(len(model.has))

    def look(multipliers: Floats) -> tuple[float, Floats]:
        row = price_of_money if relaxed.knapsack else multipliers[n:]
        bound, slope, row_slope, _ = _look(model, relaxed, multipliers[:n].reshape(shape), row)
        return -bound, slope.ravel() if relaxed.knapsack else np.concatenate([slope.ravel(), row_slope])

    ascent = climb(
        look,
        at.ascent,
        target=-target,
        rounds=rounds,
        scale=np.concatenate([worth, free_rows]),
        cap=np.concatenate([worth, np.full(len(free_rows), np.inf)]),
        over=over,
    )
    cover = ascent.at[:n].reshape(shape)
    row = _look(model, relaxed, cover, price_of_money if relaxed.knapsack else ascent.at[n:])[3]
    return Multipliers(cover, row, -ascent.bound, ascent)


def compressed(model: Model, at: Multipliers) -> tuple[Model, Multipliers, Ints]:
    """Return the model without the actions that have no option left, units merged anew; and the multipliers that belong to it.

    The bound at these is no worse: what merged units leave over is counted together, and units that nothing covers any more are gone.

    Returns:
        Model, multipliers, and which actions are left.
    """
    n_years = model.allowed.shape[1]
    left = np.flatnonzero(model.allowed.any(axis=1))
    cover = sparse.csr_array(
        (np.ones(len(model.unit_action), np.int8), model.unit_action, model.unit_ptr),
        (len(model.weight), len(model.place)),
    )[:, left].tocsr()
    same = same_rows(cover)
    first = np.unique(same, return_index=True)[1]
    covered = np.diff(cover[first].indptr) > 0
    by_unit = cover[first[covered]].tocsr()
    by_action = by_unit.tocsc()

    def merged(values: Floats) -> Floats:
        sums = np.bincount(same, weights=values, minlength=len(first))
        return np.asarray(sums[covered], dtype=float)

    options = (left[:, None] * n_years + np.arange(n_years)).ravel()
    smaller = model._replace(
        action_ptr=by_action.indptr.astype(np.int64),
        action_unit=by_action.indices.astype(np.int32),
        unit_ptr=by_unit.indptr.astype(np.int64),
        unit_action=by_unit.indices.astype(np.int32),
        weight=merged(model.weight),
        use=np.ascontiguousarray(model.use[options]),
        place=model.place[left],
        allowed=np.ascontiguousarray(model.allowed[left]),
        toll=model.toll[options],
    )
    multipliers = np.column_stack([merged(column) for column in at.cover.T])
    multipliers = np.minimum(multipliers, np.outer(smaller.weight, -np.diff(smaller.worth)))
    ascent = replace(at.ascent, at=np.concatenate([multipliers.ravel(), at.ascent.at[at.cover.size :]]))
    return smaller, replace(at, cover=multipliers, ascent=ascent), left


def inverse(has: Floats) -> Floats:
    """Return one over each budget and limit, 0 where there is next to nothing to share out."""
    return np.where(has > 1e-6 * has.max(initial=0.0), 1.0 / np.maximum(has, 1e-300), 0.0)


def _values(model: Model, relaxed: Relaxation, cover: Floats, row: Floats) -> Floats:
    """Return the reduced values: a unit's λ counts in every year from opening on."""
    served = relaxed.units @ cover
    value = np.cumsum(served[:, ::-1], axis=1)[:, ::-1] - np.einsum("or,r->o", model.use, row).reshape(served.shape)
    return np.where(model.allowed, value, -np.inf)


def _look(model: Model, relaxed: Relaxation, cover: Floats, row: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Return the bound at the multipliers, its slopes, and the row multipliers (solved for where the money row is kept)."""
    n_years = cover.shape[1]
    rest = relaxed.worth - cover
    bound = float(np.maximum(rest, 0.0).sum())
    slope = (rest > 0).astype(float)
    if relaxed.knapsack:
        value = _values(model, relaxed, cover, np.zeros_like(row))
        part, option, price_of_money = _knapsack(model, value[:, 0], model.use[:, 0], float(model.has[0]))
        row = np.array([price_of_money])
    else:
        value = _values(model, relaxed, cover, row)
        part, option = _choice(model, value)
        part += float(row @ model.has)
    action = option // n_years
    runs = (np.arange(n_years) >= (option % n_years)[:, None]).astype(float)
    slope -= relaxed.units[action].T @ runs
    return bound + part, slope, model.use[option].sum(axis=0) - model.has, row


def _choice(model: Model, value: Floats) -> tuple[float, Ints]:
    """Return the best option of each place where that is worth it or required: value and option numbers."""
    n_years = value.shape[1]
    year = value.argmax(axis=1)
    top = value[np.arange(len(year)), year]
    best = np.where(model.must, -np.inf, 0.0)
    np.maximum.at(best, model.place, top)
    takes = (top == best[model.place]) & (top > -np.inf) & ((top > 0) | model.must[model.place])
    action = np.flatnonzero(takes)
    # Of actions that are worth the same at one place, the first.
    action = action[np.unique(model.place[action], return_index=True)[1]]
    return float(top[action].sum()), action * n_years + year[action]


def _knapsack(model: Model, value: Floats, price: Floats, money: float) -> tuple[float, Ints, float]:
    """Choose for one budget by value per money: the bound's part, the actions taken whole, and the price of money."""
    must = model.must[model.place]
    sure = np.flatnonzero(must)
    free = np.flatnonzero(~must & (value > 0))
    ratio = value[free] / np.maximum(price[free], 1e-300)
    free = free[np.argsort(-ratio, kind="stable")]
    money -= float(price[sure].sum())
    spent = np.cumsum(price[free])
    whole = int(np.searchsorted(spent, money, side="right"))
    taken = np.concatenate([sure, free[:whole]])
    part, price_of_money = float(value[taken].sum()), 0.0
    if whole < len(free):
        price_of_money = float(value[free[whole]] / price[free[whole]])
        part += price_of_money * max(money - (float(spent[whole - 1]) if whole else 0.0), 0.0)
    return part, taken, price_of_money
