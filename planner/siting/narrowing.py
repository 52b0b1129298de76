"""A problem with some of its actions only, its units merged anew: what `planning` and `solving` look at closely."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from planner.siting.covering import same_rows
from planner.siting.problem import Ints, SitingProblem


def narrowed(problem: SitingProblem, actions: Ints) -> SitingProblem:
    """Return the problem in which only ``actions`` (ascending) may be done, numbered anew; of any plan among them it says the same.

    Units that are covered whatever is done become part of the constants, those that nothing covers go, and those that the same actions
    cover and close alike become one. Seats as an aim are not narrowed.
    """
    assert problem.seats is None
    cover = problem.cover[:, actions].tocsr()
    standing = np.zeros(problem.n_units, np.int64) if problem.standing is None else problem.standing.astype(np.int64)
    need = np.ones(problem.n_units, np.int64) if problem.need is None else problem.need.astype(np.int64)
    opens, closes = (np.asarray((side > 0).sum(axis=1)).ravel() for side in (cover, -cover))
    always = standing - closes >= need
    live = np.flatnonzero(~always & (standing + opens >= need))
    # An action covers or closes, the same for all units: the same columns are the same row.
    alike = np.column_stack([same_rows(cover[live]), standing[live], need[live]])
    _, first, unit = np.unique(alike, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    number = np.empty(len(first), np.int64)
    number[order] = np.arange(len(first))
    unit, first = number[unit.ravel()], live[first[order]]
    merged = sparse.csr_array((np.ones(len(live)), (live, unit)), (problem.n_units, len(first)))
    position = np.full(problem.n_actions, -1, np.int64)
    position[actions] = np.arange(len(actions))
    kept = [position[rule.action] >= 0 for rule in problem.rules]
    rules = tuple(
        replace(rule, action=position[rule.action[k]], take=rule.take[k])
        for rule, k in zip(problem.rules, kept, strict=True)
    )
    counted = problem.tally is not None
    return replace(
        problem,
        unit_weight=np.bincount(unit, weights=problem.unit_weight[live], minlength=len(first)).astype(float),
        cover=cover[first].astype(np.int8),
        capital_cost=problem.capital_cost[actions],
        operating_cost=problem.operating_cost[actions],
        place=problem.place[actions],
        constant=problem.constant + float(problem.unit_weight[always].sum()),
        limit_use=None if problem.limit_use is None else problem.limit_use[:, actions].tocsr(),
        standing=None if problem.standing is None else standing[first],
        need=None if problem.need is None else need[first],
        rules=rules,
        tally=(problem.tally @ merged).tocsr() if counted else None,
        tally_constant=problem.tally_constant + (problem.tally @ always.astype(float) if counted else 0.0),
        option_value=None if problem.option_value is None else problem.option_value[actions],
    )
