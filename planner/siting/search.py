"""A good plan fast: greedy construction and swap search on a `SitingProblem`. Proves nothing.

Takes a problem; gives build years. The moves are compiled in `kernels`. Nothing is left to chance.
"""

import numpy as np
from scipy import sparse

from planner.siting.kernels import NOTHING, Model, State, construct, improve_state, open_action
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
        if not construct(model, state, by_price):
            continue
        value = improve_state(model, state, by_price, passes, 0 if same_price else trials)
        if value > best_value + NOTHING:
            best, best_value = state.year.copy(), value
    return None if best is None else np.where(best < problem.n_years, best + 1, 0)


def improve(problem: SitingProblem, build_year: Ints, *, passes: int = 50, trials: int = 200) -> Ints:
    """Return a plan that swaps make from ``build_year``, never worse."""
    model = _model(problem)
    state = _empty(model)
    for action in np.flatnonzero(build_year):
        open_action(model, state, action, build_year[action] - 1)
    improve_state(model, state, True, passes, trials)
    return np.where(state.year < problem.n_years, state.year + 1, 0)


def _model(problem: SitingProblem) -> Model:
    by_unit = problem.cover
    by_action = by_unit.tocsc()
    use = problem.limit_use if problem.limit_use is not None else sparse.csr_array((0, problem.n_actions))
    limits = use.tocsc()
    price, money = prices(problem)
    total = problem.unit_weight.sum()
    must = np.zeros(int(problem.place.max(initial=-1)) + 1, bool)
    must[[place for place in problem.required if place < len(must)]] = True
    return Model(
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


def _empty(model: Model) -> State:
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
