"""A narrowed problem says the same of every plan among its actions as the whole one."""

import numpy as np
import pytest
from test_planning import with_everything

from planner.siting import broken_rules, objective_of
from planner.siting.narrowing import narrowed
from planner.siting.problem import tallies


@pytest.mark.parametrize("seed", range(5))
def test_plans_among_the_actions_are_worth_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    merged = 0
    for _ in range(20):
        problem = with_everything(rng)
        actions = np.flatnonzero(rng.random(problem.n_actions) < 0.6)
        small = narrowed(problem, actions)
        merged += small.n_units < problem.n_units
        for _ in range(10):
            years = np.where(rng.random(len(actions)) < 0.5, rng.integers(1, problem.n_years + 1, len(actions)), 0)
            whole = np.zeros(problem.n_actions, np.int64)
            whole[actions] = years
            assert objective_of(small, years) == pytest.approx(objective_of(problem, whole), abs=1e-9)
            assert tallies(small, years) == pytest.approx(tallies(problem, whole), abs=1e-9)
            # Places that must get an action miss it in both.
            assert broken_rules(small, years) == broken_rules(problem, whole)
    assert merged > 5
