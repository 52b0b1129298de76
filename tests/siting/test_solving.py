"""Every plan against brute force; what must never get worse; what a status may claim."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from small import all_plans, best_by_brute_force, random_problem

from planner.siting import Reason, SitingProblem, broken_rules, objective_of, solve, solving, spending
from planner.siting.narrowing import narrowed
from planner.siting.solving import useful_actions


def one_year(cover: list[list[int]], weight: list[float], cost: list[float], budget: float) -> SitingProblem:
    n = len(cost)
    return SitingProblem(
        unit_weight=np.array(weight, float),
        cover=sparse.csr_array(np.array(cover, np.int8)),
        capital_cost=np.array(cost, float),
        operating_cost=np.zeros(n),
        place=np.arange(n),
        budget=np.array([budget], float),
        year_weight=np.ones(1),
    )


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_plan_equals_brute_force_under_every_rule(seed: int, bounded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if bounded:
        _always_bound(monkeypatch)
    rng = np.random.default_rng(seed)
    infeasible = 0
    for _ in range(40):
        problem = random_problem(rng)
        best = best_by_brute_force(problem)
        plan = solve(problem, mip_gap=0.0, work_limit=None)
        if best is None:
            assert plan.status == "infeasible" and plan.reasons
            infeasible += 1
            continue
        assert plan.status == "optimal" and plan.gap == 0.0
        assert not broken_rules(problem, plan.build_year)
        assert plan.objective == pytest.approx(best, abs=1e-9)
        assert plan.objective == objective_of(problem, plan.build_year)
    assert infeasible < 40


def _always_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the Lagrangian bound strike out options in problems so small that HiGHS would settle them at once."""
    monkeypatch.setattr(solving, "_SMALL", -1)
    monkeypatch.setattr(solving, "_ROUNDS", (20, 20, 40))


def mclp(seed: int, n: int = 40, units: int = 400, p: float = 6) -> SitingProblem:
    rng = np.random.default_rng(seed)
    cover = (np.hypot(*(rng.random((units, 1, 2)) - rng.random((n, 2))).transpose(2, 0, 1)) < 0.12).astype(int)
    return one_year(cover.tolist(), rng.integers(1, 9, units).tolist(), [1.0] * n, p)


@pytest.mark.parametrize("seed", range(4))
def test_striking_out_loses_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = replace(mclp(seed), capital_cost=np.random.default_rng(seed).integers(1, 4, 40).astype(float))
    years = replace(
        whole, budget=np.array([5.0, 4.0]), year_weight=np.array([0.4, 0.6]), operating_cost=np.full(40, 0.3)
    )
    struck_out = 0
    for problem in (mclp(seed), whole, replace(whole, required=(3,)), years):
        monkeypatch.setattr(solving, "_SMALL", 10**9)
        settled = solve(problem, mip_gap=0, work_limit=None)
        monkeypatch.setattr(solving, "_SMALL", -1)
        bounded = solve(problem, mip_gap=0, work_limit=None)
        assert settled.status == bounded.status == "optimal"
        assert settled.work["rounds"] == 0 < bounded.work["rounds"]
        struck_out += settled.work["options"] - bounded.work["options"]
        assert bounded.objective == pytest.approx(settled.objective, rel=1e-6)
    assert struck_out > 40


def test_dropping_useless_actions_loses_nothing() -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        problem = random_problem(rng)
        small = narrowed(problem, useful_actions(problem))
        if set(problem.required) <= set(small.place.tolist()):
            assert best_by_brute_force(small) == pytest.approx(best_by_brute_force(problem), abs=1e-9)


def test_of_two_alike_one_stays() -> None:
    problem = one_year([[1, 1], [1, 1]], [1, 1], [2, 2], 9)
    assert useful_actions(replace(problem, place=np.zeros(2, np.int64))).tolist() == [0]


def test_more_money_never_covers_less() -> None:
    rng = np.random.default_rng(11)
    for _ in range(30):
        problem = replace(random_problem(rng), required=())
        richer = replace(problem, budget=problem.budget + rng.integers(0, 5, problem.n_years))
        assert solve(richer, mip_gap=0).objective >= solve(problem, mip_gap=0).objective - 1e-9


def test_carrying_over_never_covers_less() -> None:
    rng = np.random.default_rng(12)
    for _ in range(30):
        problem = replace(random_problem(rng), required=())
        values = [solve(replace(problem, carry_over=c), mip_gap=0).objective for c in (False, True)]
        assert values[1] >= values[0] - 1e-9


def test_order_of_actions_changes_nothing() -> None:
    rng = np.random.default_rng(13)
    for _ in range(20):
        problem = replace(random_problem(rng), limit_use=None, limit=np.zeros(0))
        order = rng.permutation(problem.n_actions)
        shuffled = replace(
            problem,
            cover=problem.cover[:, order].tocsr(),
            capital_cost=problem.capital_cost[order],
            operating_cost=problem.operating_cost[order],
            place=problem.place[order],
        )
        a, b = solve(problem, mip_gap=0), solve(shuffled, mip_gap=0)
        assert a.status == b.status
        assert a.objective == pytest.approx(b.objective, nan_ok=True)


def test_same_problem_same_plan() -> None:
    problem = random_problem(np.random.default_rng(5))
    first, second = solve(problem), solve(problem)
    assert (first.build_year == second.build_year).all()
    assert (first.objective, first.bound, first.work) == (second.objective, second.bound, second.work)


def test_operating_cost_is_paid_from_the_opening_year_on() -> None:
    problem = replace(
        one_year([[1, 0], [0, 1]], [5, 1], [4, 1], 0),
        operating_cost=np.array([2.0, 1.0]),
        budget=np.array([6.0, 2.0, 5.0]),
        year_weight=np.array([1.0, 1.0, 1.0]) / 3,
        carry_over=False,
    )
    plan = solve(problem, mip_gap=0)
    assert plan.build_year.tolist() == [1, 3]
    assert spending(problem, plan.build_year).tolist() == [6.0, 2.0, 4.0]


def test_nothing_is_bought_for_nothing() -> None:
    plan = solve(one_year([[1, 1]], [1], [1, 1], 9), mip_gap=0)
    assert plan.build_year.sum() == 1


def test_no_action_is_a_plan_too() -> None:
    plan = solve(replace(one_year([[1]], [3], [5], 4), constant=7.0))
    assert (plan.status, plan.objective, plan.bound, plan.selected.tolist()) == ("optimal", 7.0, 7.0, [])


def test_required_beyond_the_budget_says_so() -> None:
    problem = replace(one_year([[1, 0], [0, 1]], [1, 1], [4, 3], 5), required=(0, 1))
    plan = solve(problem)
    assert plan.status == "infeasible" and np.isnan(plan.objective)
    assert plan.reasons == (Reason("required_over_budget", {"cost": 7.0, "budget": 5.0}),)


def test_required_place_without_an_action_says_so() -> None:
    plan = solve(replace(one_year([[1]], [1], [4], 5), required=(0, 7)))
    assert plan.reasons == (Reason("required_no_action", {"place": 7}),)


def test_required_place_too_dear_says_which() -> None:
    plan = solve(replace(one_year([[1, 1]], [1], [4, 9], 5), required=(1,)))
    assert plan.reasons == (Reason("required_too_dear", {"place": 1, "cost": 9.0, "budget": 5.0}),)


def hard_problem(seed: int = 0) -> SitingProblem:
    rng = np.random.default_rng(seed)
    n, m = 24, 120
    return replace(
        one_year((rng.random((m, n)) < 0.1).astype(int).tolist(), rng.random(m).tolist(), [1.0] * n, 0),
        capital_cost=rng.uniform(1, 3, n),
        budget=np.array([9.0, 5.0]),
        year_weight=np.array([0.5, 0.5]),
    )


def test_status_claims_no_more_than_the_bound() -> None:
    problem = hard_problem()
    best = solve(problem, mip_gap=0.0, work_limit=None)
    assert best.status == "optimal"
    rough = solve(problem, mip_gap=0.2, work_limit=0)
    assert rough.bound >= best.objective - 1e-9
    assert rough.gap == pytest.approx(abs(rough.bound - rough.objective) / rough.objective)
    assert (rough.status == "optimal") == (rough.gap <= 1e-6)


def test_brute_force_can_tell_plans_apart() -> None:
    problem = one_year([[1, 0], [0, 1]], [5, 1], [1, 1], 1)
    assert sorted(objective_of(problem, plan) for plan in all_plans(problem)) == [0.0, 1.0, 5.0]
