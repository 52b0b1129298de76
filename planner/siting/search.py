"""A good plan fast: greedy construction and swap search on a `SitingProblem`. Proves nothing.

Takes a problem; gives build years. The moves are compiled in `kernels`. Nothing is left to chance.
"""

import numpy as np
from scipy import sparse

from planner.siting.kernels import Model, State, construct, follow, improve_state, open_action
from planner.siting.problem import MONEY_TOLERANCE, Floats, Ints, SitingProblem


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
    """Return the arrays that the compiled search and bound work on. Weights are normalised to sum to one."""
    by_unit = problem.cover
    by_action = by_unit.tocsc()
    use = problem.limit_use if problem.limit_use is not None else sparse.csr_array((0, problem.n_actions))
    limits = use.tocsc()
    price, money = prices(problem)
    money = money + MONEY_TOLERANCE * np.maximum(1.0, money)
    limit = problem.limit + MONEY_TOLERANCE * np.maximum(1.0, problem.limit)
    over_limit = np.zeros(problem.n_actions, bool)
    over_limit[np.repeat(np.arange(problem.n_actions), np.diff(limits.indptr))[limits.data > limit[limits.indices]]] = (
        True
    )
    total = problem.unit_weight.sum()
    must = np.zeros(int(problem.place.max(initial=-1)) + 1, bool)
    must[list(problem.required)] = True
    return Model(
        action_ptr=by_action.indptr.astype(np.int64),
        action_unit=by_action.indices.astype(np.int32),
        unit_ptr=by_unit.indptr.astype(np.int64),
        unit_action=by_unit.indices.astype(np.int32),
        weight=problem.unit_weight / (total if total > 0 else 1.0),
        worth=np.append(np.cumsum(problem.year_weight[::-1])[::-1], 0.0),
        price=np.ascontiguousarray(price),
        money=money,
        limit_ptr=limits.indptr.astype(np.int64),
        limit_row=limits.indices.astype(np.int32),
        limit_use=limits.data.astype(np.float64),
        limit=limit,
        place=problem.place.astype(np.int64),
        must=must,
        allowed=np.all(price <= money, axis=2) & ~over_limit[:, None],
        rate=np.where(money > 1e-6 * money.max(initial=0.0), 1.0 / money, 0.0),
    )


Found = tuple[Ints, float]
_NO_OPTIONS = np.zeros(0, np.int64)


def search(model: Model, *, passes: int = 50) -> Found | None:
    """Build a plan greedily and swap until no single swap improves it.

    Returns:
        Years (n: never) and the value as a share of all weight; None where the required places do not fit.
    """
    found = []
    for by_price in (False,) if _same_price(model) else (False, True):
        state = empty_state(model)
        if construct(model, state, by_price):
            value = improve_state(model, state, by_price, passes, _NO_OPTIONS)
            found.append((state.year.copy(), float(value)))
    return max(found, key=lambda plan: plan[1], default=None)


def search_near(model: Model, value: Floats, *, passes: int = 50, forced: int = 100) -> Found | None:
    """Build a plan from the options with the largest reduced ``value`` that the bound gives them, and improve it by swaps.

    Args:
        model: what to plan.
        value: (n_actions × n_years), what `planner.siting.bound.option_values` gives.
        passes: most passes over the open actions.
        forced: options that are opened by force in each pass, where costs differ.
    """
    state = empty_state(model)
    for place in np.flatnonzero(model.must):
        here = np.flatnonzero(model.place == place)
        action, year = np.unravel_index(np.argmax(value[here]), (len(here), len(model.money)))
        open_action(model, state, here[action], year)
    if np.any(state.spent > model.money) or np.any(state.used > model.limit):
        return None
    follow(model, state, value)
    construct(model, state, not _same_price(model))
    return _improved(model, state, value, passes, forced)


def improve(model: Model, year: Ints, value: Floats, *, passes: int = 50, forced: int = 100) -> Found:
    """Return a plan that swaps make from one that keeps the rules, never worse."""
    state = empty_state(model)
    for action in np.flatnonzero(year < len(model.money)):
        open_action(model, state, action, year[action])
    return _improved(model, state, value, passes, forced)


def _improved(model: Model, state: State, value: Floats, passes: int, forced: int) -> Found:
    same_price = _same_price(model)
    best = np.zeros(len(model.must))
    np.maximum.at(best, model.place, value.max(axis=1))
    short = np.where(model.allowed, best[model.place][:, None] - value, np.inf).ravel()
    promising = np.argsort(short, kind="stable")[: 0 if same_price else forced]
    worth = improve_state(model, state, not same_price, passes, promising)
    return state.year.copy(), float(worth)


def _same_price(model: Model) -> bool:
    return len(model.money) == 1 and len(np.unique(model.price)) <= 1


def empty_state(model: Model) -> State:
    """Return the state in which nothing is open."""
    n_units, n_actions, n_years = len(model.weight), len(model.place), len(model.money)
    start = np.zeros(n_actions)
    np.add.at(start, np.repeat(np.arange(n_actions), np.diff(model.action_ptr)), model.weight[model.action_unit])
    return State(
        year=np.full(n_actions, n_years, np.int64),
        covers=np.zeros((n_units, n_years), np.int32),
        first=np.full(n_units, n_years, np.int64),
        gain=start[:, None] * model.worth[None, :n_years],
        spent=np.zeros(n_years),
        used=np.zeros(len(model.limit)),
        busy=np.zeros(len(model.must), np.int64),
    )
