"""A good plan fast: greedy construction and swap search on a `SitingProblem`. Proves nothing.

Takes a problem; gives build years. The moves are compiled in `kernels`. Nothing is left to chance.
"""

import numpy as np

from planner.siting.kernels import Model, State, grow, wander
from planner.siting.problem import MONEY_TOLERANCE, Floats, Ints, SitingProblem

# Years (n: never) and the value as a share of all weight.
Found = tuple[Ints, float]
_PASSES = 50
# Exchanges tried in one walk: as many as this many elementary operations allow, within limits.
_OPERATIONS, _FEWEST, _MOST = 3e8, 2_000, 30_000
# What an exchange may lose at first, as a share of what an open action is worth.
# Where all places cost the same an exchange always fits the budget, and less must be lost to get away.
_HEAT, _HEAT_SAME_PRICE = 0.2, 0.15
# Most actions that an exchange closes at once.
_MOST_OUT = 3
_NO_OPTIONS = np.zeros(0, np.int64)


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


def model_of(problem: SitingProblem) -> Model:
    """Return the arrays that the compiled search and the bound work on. Weights are normalised to sum to one."""
    n_options = problem.n_actions * problem.n_years
    by_unit, by_action = problem.cover, problem.cover.tocsc()
    price, has = prices(problem)
    use = price.reshape(n_options, problem.n_years)
    if problem.limit_use is not None:
        use = np.hstack([use, np.repeat(problem.limit_use.toarray().T, problem.n_years, axis=0)])
        has = np.concatenate([has, problem.limit])
    has = has + MONEY_TOLERANCE * np.maximum(1.0, has)
    total = problem.unit_weight.sum()
    must = np.zeros(int(problem.place.max(initial=-1)) + 1, bool)
    must[list(problem.required)] = True
    model = Model(
        action_ptr=by_action.indptr.astype(np.int64),
        action_unit=by_action.indices.astype(np.int32),
        unit_ptr=by_unit.indptr.astype(np.int64),
        unit_action=by_unit.indices.astype(np.int32),
        weight=problem.unit_weight / (total if total > 0 else 1.0),
        worth=np.append(np.cumsum(problem.year_weight[::-1])[::-1], 0.0),
        use=np.ascontiguousarray(use),
        has=has,
        place=problem.place.astype(np.int64),
        must=must,
        allowed=(use <= has).all(axis=1).reshape(problem.n_actions, problem.n_years),
        toll=np.zeros(n_options),
    )
    set_toll(model, np.where(has > 1e-6 * has.max(initial=0.0), 1.0 / has, 0.0))
    return model


def set_toll(model: Model, price: Floats) -> None:
    """Let options be weighed at these prices of the budgets and limits, (n_rows,)."""
    model.toll[:] = np.einsum("or,r->o", model.use, price)


def empty_state(model: Model) -> State:
    """Return the state in which nothing is open."""
    n_units, (n_actions, n_years) = len(model.weight), model.allowed.shape
    start = np.bincount(
        np.repeat(np.arange(n_actions), np.diff(model.action_ptr)),
        weights=model.weight[model.action_unit],
        minlength=n_actions,
    )
    return State(
        year=np.full(n_actions, n_years, np.int64),
        covers=np.zeros((n_units, n_years), np.int32),
        first=np.full(n_units, n_years, np.int64),
        gain=start[:, None] * model.worth[None, :n_years],
        used=np.zeros(len(model.has)),
        busy=np.zeros(len(model.must), np.int64),
    )


def search(model: Model) -> Found | None:
    """Build a plan greedily and swap until no single swap improves it; None where the required places do not fit."""
    # What is required goes first, the cheapest way.
    first = _leading(model, -model.toll)
    ways = (False,) if same_price(model) else (False, True)
    return max((_grown(model, first, _NO_OPTIONS, by_toll) for by_toll in ways), key=_value, default=None)


def search_near(model: Model, value: Floats, *, forced: int = 100) -> Found | None:
    """Build a plan from the options with the largest reduced ``value`` that the bound gives them, and improve it by swaps.

    Args:
        model: what to plan.
        value: (n_actions × n_years), what `planner.siting.bound.option_values` gives.
        forced: options that are opened by force in each pass, where costs differ.
    """
    flat = value.ravel()
    order = np.argsort(-flat, kind="stable")
    first = np.concatenate([_leading(model, flat), order[flat[order] > 0]])
    return _grown(model, first, _promising(model, value, forced), not same_price(model))


def improve(model: Model, year: Ints, value: Floats, *, forced: int = 100) -> Found | None:
    """Return a plan that swaps make from one that keeps the rules."""
    action = np.flatnonzero(year < model.allowed.shape[1])
    first = action * model.allowed.shape[1] + year[action]
    return _grown(model, first, _promising(model, value, forced), not same_price(model))


def walk_on(model: Model, year: Ints, seed: int) -> Found | None:
    """Return the best plan seen on a long walk of exchanges from a plan that keeps the rules."""
    state = empty_state(model)
    chosen = np.flatnonzero(year < model.allowed.shape[1])
    grow(model, state, chosen * model.allowed.shape[1] + year[chosen], _NO_OPTIONS, np.int64(0), np.int64(0))
    sharing = len(model.unit_action) / max(len(model.weight), 1)
    per_step = model.allowed.size + 4 * sharing * len(model.action_unit) / max(len(model.place), 1)
    steps = int(np.clip(_OPERATIONS / max(per_step, 1.0), _FEWEST, _MOST))
    heat = _HEAT_SAME_PRICE if same_price(model) else _HEAT
    years, value = wander(model, state, steps, heat, np.int64(_MOST_OUT), np.int64(seed))
    return years, float(value)


def _grown(model: Model, first: Ints, forced: Ints, by_toll: bool) -> Found | None:
    state = empty_state(model)
    value = float(grow(model, state, first.astype(np.int64), forced.astype(np.int64), np.int64(by_toll), _PASSES))
    return (state.year, value) if value >= 0 else None


def _value(found: Found | None) -> float:
    return -1.0 if found is None else found[1]


def _leading(model: Model, score: Floats) -> Ints:
    """Return the options of required places, best score first at each place."""
    n_years = model.allowed.shape[1]
    options = np.flatnonzero(model.allowed.ravel() & model.must[np.repeat(model.place, n_years)])
    return options[np.lexsort((options, -score[options]))]


def _promising(model: Model, value: Floats, forced: int) -> Ints:
    """Return the options that fall least short of the best at their place."""
    best = np.zeros(len(model.must))
    np.maximum.at(best, model.place, value.max(axis=1))
    short = np.where(model.allowed, best[model.place][:, None] - value, np.inf).ravel()
    return np.argsort(short, kind="stable")[: 0 if same_price(model) else forced]


def same_price(model: Model) -> bool:
    """Tell whether all options cost the same."""
    return model.use.shape[1] == 1 and len(np.unique(model.use)) <= 1
