"""What each action is worth in a plan, against every plan there is."""

import numpy as np
import pytest
from small import all_plans, best_by_brute_force
from test_planning import with_everything

from planner.siting import broken_rules, objective_of, solve
from planner.siting.marginal import Swaps, drops, leaving_out, without


def solved(seed: int, n: int = 25):
    """Problems with every rule that have a plan, and a good plan for each."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < n:
        problem = with_everything(rng)
        plan = solve(problem, mip_gap=0.0, work_limit=None)
        if plan.status == "optimal":
            found.append((problem, plan.build_year))
    return found


def test_dropping_loses_what_scoring_anew_says_and_names_what_breaks():
    for problem, years in solved(1):
        assert [drop.action for drop in drops(problem, years)] == np.flatnonzero(years).tolist()
        for drop in drops(problem, years):
            fewer = np.where(np.arange(len(years)) == drop.action, 0, years)
            assert drop.loss == pytest.approx(objective_of(problem, years) - objective_of(problem, fewer), abs=1e-12)
            assert drop.breaks == broken_rules(problem, fewer)


def swaps_by_hand(problem, years, action):
    """Every other action in every year instead of this one, the best year of each, as long as all rules are kept."""
    fewer, best = without(years, action), {}
    for other in range(problem.n_actions):
        for year in range(1, problem.n_years + 1):
            swapped = fewer.copy()
            if other == action or fewer[other]:
                continue
            swapped[other] = year
            if not broken_rules(problem, swapped):
                loss = objective_of(problem, years) - objective_of(problem, swapped)
                best[other] = min(best.get(other, np.inf), loss)
    return best


def test_no_substitute_is_better_than_those_found():
    seen = 0
    for problem, years in solved(2, 60):
        swaps = Swaps(problem)
        for action in np.flatnonzero(years).tolist():
            by_hand = swaps_by_hand(problem, years, action)
            found = swaps.best(years, action, most=3)
            losses = [swap.loss for swap in found]
            assert losses == pytest.approx(sorted(by_hand.values())[:3], abs=1e-9)
            for swap in found:
                assert swap.loss == pytest.approx(by_hand[swap.action], abs=1e-9)
                swapped = without(years, action)
                swapped[swap.action] = swap.year
                assert not broken_rules(problem, swapped)
                assert objective_of(problem, years) - objective_of(problem, swapped) == pytest.approx(swap.loss)
            seen += len(found)
    assert seen > 20


def test_leaving_an_action_out_is_the_best_plan_without_it():
    for problem, years in solved(3):
        for action in np.flatnonzero(years).tolist():
            best = max((objective_of(problem, plan) for plan in all_plans(problem) if not plan[action]), default=None)
            assert best_by_brute_force(leaving_out(problem, action)) == (best if best is None else pytest.approx(best))
