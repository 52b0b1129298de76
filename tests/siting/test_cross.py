"""Cuts for cross coverage: no plan breaks one, and the relaxation comes nearer to the plans."""

from dataclasses import replace

import numpy as np
from small import best_by_brute_force
from test_planning import with_everything

from planner.siting import SitingProblem, broken_rules, solve
from planner.siting.milp import minimise
from planner.siting.planning import cutter_of, guide_of, point_of_plan, rows_of, with_constants


def crossed(rng: np.random.Generator) -> SitingProblem:
    """A random problem in which most units need two or three sites."""
    problem = with_everything(rng)
    return replace(problem, need=rng.integers(1, 4, problem.n_units))


def test_no_plan_breaks_a_cut_and_bounds_hold() -> None:
    rng = np.random.default_rng(3)
    cuts = closer = 0
    for _ in range(40):
        problem = crossed(rng)
        rows, cutter = rows_of(problem, with_constants(problem)), cutter_of(problem)
        loose, cut = minimise(rows.program, relaxed=True), minimise(rows.program, relaxed=True, cutter=cutter)
        if cut.cut is None or cut.dual is None or loose.dual is None:
            continue
        cuts += len(cut.cut_most)
        for _ in range(50):
            plan = np.where(
                rng.random(problem.n_actions) < 0.5, rng.integers(1, problem.n_years + 1, problem.n_actions), 0
            )
            _, first = np.unique(problem.place, return_index=True)
            alone = np.isin(np.arange(problem.n_actions), first)
            assert (cut.cut @ point_of_plan(problem, np.where(alone, plan, 0)) <= cut.cut_most + 1e-9).all()
        best = best_by_brute_force(problem)
        before, after = guide_of(problem, rows, loose).bound, guide_of(problem, rows, cut).bound
        closer += after < before - 1e-6
        if best is not None:
            assert best <= after + problem.constant * problem.year_weight.sum() + 1e-7
    assert cuts > 50 and closer > 5


def test_plans_under_cross_coverage_equal_brute_force() -> None:
    rng = np.random.default_rng(4)
    for _ in range(60):
        problem = crossed(rng)
        best, plan = best_by_brute_force(problem), solve(problem, mip_gap=0.0, work_limit=None)
        assert (plan.status == "infeasible") == (best is None)
        if best is not None:
            assert plan.status == "optimal" and abs(plan.objective - best) <= 1e-7
            assert not broken_rules(problem, plan.build_year)
