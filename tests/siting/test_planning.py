"""Every rule against brute force, on small problems by chance; every plan scored again from scratch."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from small import best_by_brute_force, random_problem

from planner.siting import Reason, Rule, SitingProblem, broken_rules, objective_of, planning, rules, solve

R = Reason("rule")


def random_rules(rng: np.random.Generator, problem: SitingProblem, closes: np.ndarray) -> tuple[Rule, ...]:
    """Some of every kind of rule, so that most of the problems have a plan and some have none."""
    n, years = problem.n_actions, problem.n_years
    by = int(rng.integers(0, years))
    change = rng.integers(0, 2, n) - 2.0 * (closes & (rng.random(n) < 0.5))
    part = change * rng.integers(0, 2, n)
    near = [pair for pair in itertools.combinations(range(int(problem.place.max()) + 1), 2) if rng.random() < 0.4]
    stands = np.zeros(int(problem.place.max()) + 1, bool)
    stands[problem.place[closes]] = True
    some = [
        rules.at_most(R, change, 1.0, float(rng.integers(0, 3)), years),
        rules.at_least(R, change, 0.0, float(rng.integers(0, 2)), years, by=by),
        rules.at_least_share(R, part, change, (1.0, 2.0), float(rng.choice([0.2, 0.5])), years, by=by),
        rules.floor(R, 0, float(rng.choice([0.2, 0.5])), years, by=by, falls=bool(closes.any())),
        rules.floor(R, 1, float(rng.choice([0.1, 0.4])), years, by=years - 1),
        rules.exactly(R, int(rng.integers(n)), by, years),
        rules.never(R, rng.choice(n, 1), years),
        rules.apart(R, problem.place, ~closes, closes, stands, near, years),
    ]
    if closes.any() and not closes.all():
        takers = np.flatnonzero(~closes)[:2]
        some.append(rules.relieved(R, int(np.flatnonzero(closes)[0]), takers, years))
    picked = rng.permutation(len(some))[: int(rng.integers(1, 4))]
    return tuple(rule for k in sorted(picked.tolist()) for rule in some[k])


def with_everything(rng: np.random.Generator) -> SitingProblem:
    """A random problem with closings, cross coverage, price changes, tallies and rules."""
    problem = random_problem(rng)
    n, m, years = problem.n_actions, problem.n_units, problem.n_years
    # A place whose site may be closed has no other actions here, and stands alone.
    closes = np.isin(
        np.arange(n), [j for j in range(n) if (problem.place == problem.place[j]).sum() == 1 and rng.random() < 0.4]
    )
    signs = problem.cover.toarray().astype(np.int8)
    signs[:, closes] *= -1
    standing = np.maximum(-signs.clip(max=0).sum(axis=1), 0).astype(np.int64)
    problem = replace(
        problem,
        cover=sparse.csr_array(signs),
        standing=standing if closes.any() else None,
        need=rng.integers(1, 3, m) if rng.random() < 0.3 else None,
        price_level=1.0 + 0.1 * np.arange(years) if rng.random() < 0.3 else None,
        operating_cost=np.where(closes, -problem.operating_cost, problem.operating_cost),
        tally=sparse.csr_array(rng.random((2, m)) * (rng.random((2, m)) < 0.6) / m),
        tally_constant=rng.random(2) * 0.3,
        option_value=-rng.random((n, years)) if rng.random() < 0.3 else None,
    )
    return replace(problem, rules=random_rules(rng, problem, closes))


@pytest.mark.parametrize("seed", range(10))
def test_plan_equals_brute_force_under_every_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    infeasible = 0
    for _ in range(40):
        problem = with_everything(rng)
        best = best_by_brute_force(problem)
        plan = solve(problem, mip_gap=0.0, work_limit=None)
        if best is None:
            assert plan.status == "infeasible"
            infeasible += 1
            continue
        assert plan.status == "optimal" and plan.gap == 0.0
        assert not broken_rules(problem, plan.build_year)
        assert plan.objective == pytest.approx(best, abs=1e-7)
        assert plan.objective == objective_of(problem, plan.build_year)
    assert 0 < infeasible < 35


def test_what_is_left_out_of_the_core_is_accounted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_CORES", (2, 6, None))
    monkeypatch.setattr(planning, "_WALKS", ())
    monkeypatch.setattr(planning, "_PASSES", 0)
    rng = np.random.default_rng(77)
    for _ in range(60):
        problem = with_everything(rng)
        best = best_by_brute_force(problem)
        for gap in (0.0, 0.3):
            plan = solve(problem, mip_gap=gap, work_limit=None)
            assert (plan.status == "infeasible") == (best is None)
            if best is not None:
                assert plan.objective <= best + 1e-7 <= plan.bound + 2e-7
                assert gap > 0 or plan.objective == pytest.approx(best, abs=1e-7)


def test_walks_find_the_best_small_plan_and_keep_every_rule() -> None:
    rng = np.random.default_rng(5)
    missed = solved = 0
    for _ in range(60):
        problem = with_everything(rng)
        best = best_by_brute_force(problem)
        if best is None:
            continue
        everything = np.ones((problem.n_actions, problem.n_years), bool)
        nothing = np.zeros(everything.shape)
        guide = planning.Guide(np.inf, nothing, nothing, nothing.ravel())
        found = planning.walk_in(problem, guide, everything, np.zeros(problem.n_actions, np.int64), 1)
        solved += 1
        missed += bool(broken_rules(problem, found)) or objective_of(problem, found) < best - 1e-7
        # From a plan a walk never comes back with less.
        again = planning.walk_in(problem, guide, everything, found, 2)
        assert objective_of(problem, again) >= objective_of(problem, found) - 1e-9
    assert solved > 30 and missed == 0


def test_limits_on_work_leave_an_honest_bound() -> None:
    rng = np.random.default_rng(78)
    for _ in range(40):
        problem = with_everything(rng)
        best = best_by_brute_force(problem)
        plan = solve(problem, mip_gap=0.0, work_limit=0)
        if plan.found:
            assert best is not None and plan.objective <= best + 1e-7 <= plan.bound + 2e-7
        elif plan.status == "infeasible":
            assert best is None


def test_where_nothing_can_be_done_there_is_still_a_plan() -> None:
    nothing = np.zeros(0)
    problem = SitingProblem(
        unit_weight=np.ones(1),
        cover=sparse.csr_array((1, 0), dtype=np.int8),
        capital_cost=nothing,
        operating_cost=nothing,
        place=nothing.astype(np.int64),
        budget=np.array([1.0]),
        year_weight=np.ones(1),
        # One of two that it needs: half covered, says the relaxation, and nothing is left to settle it with.
        standing=np.array([1]),
        need=np.array([2]),
    )
    plan = solve(problem, mip_gap=0.0)
    assert (plan.status, plan.objective, plan.bound) == ("optimal", 0.0, 0.0)
