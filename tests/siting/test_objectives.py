"""Least cost, the worst-off first, what money buys, and why nothing fits: each against brute force."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from small import all_plans, best_by_brute_force
from test_planning import with_everything

from planner.siting import Plan, Reason, SitingProblem, broken_rules, objectives, rules, solve, spending, tallies
from planner.siting.conflict import explain_conflict
from planner.siting.planning import standard_rules
from planner.siting.watch import Watch

EXACT = {"mip_gap": 0.0, "work_limit": None}


def drawn(seed: int, n: int = 25) -> list[SitingProblem]:
    rng = np.random.default_rng(seed)
    return [replace(with_everything(rng), option_value=None) for _ in range(n)]


@pytest.mark.parametrize("seed", range(4))
def test_least_cost_is_what_brute_force_pays(seed: int) -> None:
    for problem in drawn(seed, 15):
        plan = objectives.least_cost(problem, Watch(), **EXACT)
        costs = [spending(problem, p).sum() for p in all_plans(problem)]
        if not costs:
            assert plan.status == "infeasible"
            continue
        assert plan.status == "optimal" and not broken_rules(problem, plan.build_year)
        assert plan.objective == pytest.approx(min(costs), abs=1e-6)
        assert plan.objective == pytest.approx(spending(problem, plan.build_year).sum(), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_fairest_is_the_best_of_all_sorted_shares(seed: int) -> None:
    for problem in drawn(seed + 50, 10):
        over = np.flatnonzero(np.asarray(problem.tally.sum(axis=1)).ravel() > 1e-12)
        if not len(over):
            continue
        plan = objectives.fairest(problem, np.arange(2), Watch(), **EXACT)

        def shares(p: np.ndarray, problem: SitingProblem = problem, over: np.ndarray = over) -> tuple[float, ...]:
            return tuple(np.round(np.sort(tallies(problem, p)[over] @ problem.year_weight), 6))

        everything = [shares(p) for p in all_plans(problem)]
        if not everything:
            assert plan.status == "infeasible"
            continue
        assert not broken_rules(problem, plan.build_year)
        assert shares(plan.build_year) == pytest.approx(max(everything), abs=2e-6)


def test_what_money_buys_never_falls_and_each_point_has_its_bound() -> None:
    for problem in drawn(9, 10):
        points, tried = objectives.trade_off(problem, (0, 0.5, 1, 2), Watch(), **EXACT)
        assert tried == 4
        for a, b in itertools.pairwise(points):
            assert a.budget <= b.budget and a.objective <= b.objective + 1e-9 and a.bound <= b.bound + 1e-9
        for point in points:
            scale = point.budget / problem.budget.sum() if problem.budget.sum() else 0.0
            best = best_by_brute_force(replace(problem, budget=problem.budget * scale))
            assert best == pytest.approx(point.objective, abs=1e-7)
            assert point.objective <= point.bound + 1e-12


def named(problem: SitingProblem) -> SitingProblem:
    """The problem with reasons that tell its rules apart, as a study's do."""
    told = tuple(replace(rule, reason=Reason("rule", {"number": k})) for k, rule in enumerate(problem.rules))
    return replace(problem, rules=told)


def test_a_conflict_is_real_and_nothing_in_it_is_idle() -> None:
    rng = np.random.default_rng(4)
    seen = 0
    for _ in range(70):
        problem = named(with_everything(rng))
        reasons = explain_conflict(problem)
        if best_by_brute_force(problem) is not None:
            assert reasons == ()
            continue
        seen += 1
        in_conflict = [r for r in reasons if r.key != "relax"]
        assert in_conflict and any(r.key == "relax" for r in reasons)

        def possible(kept: list[Reason], problem: SitingProblem = problem) -> bool:
            told = {str(reason) for reason in kept}
            rest = tuple(r for r in standard_rules(problem) if str(Reason(r.reason.key, r.reason.values)) in told)
            free = replace(
                problem,
                rules=rest,
                budget=np.full(problem.n_years, np.inf),
                required=(),
                limit_use=None,
                limit=np.zeros(0),
            )
            return next(all_plans(free), None) is not None

        plain = [Reason(r.key, r.values) for r in in_conflict]
        assert not possible(plain)
        for reason in plain:
            assert possible([other for other in plain if other is not reason])
    assert seen > 8


def test_the_least_relaxation_makes_room() -> None:
    rng = np.random.default_rng(8)
    for _ in range(40):
        problem = named(with_everything(rng))
        if best_by_brute_force(problem) is not None:
            continue
        by = {str(Reason(r.values["rule"].key, r.values["rule"].values)): r.values["by"]
              for r in explain_conflict(problem) if r.key == "relax"}  # fmt: skip
        eased = tuple(replace(r, most=r.most + by.get(str(r.reason), 0.0) + 1e-6) for r in standard_rules(problem))
        free = replace(
            problem,
            rules=eased,
            budget=np.full(problem.n_years, np.inf),
            required=(),
            limit_use=None,
            limit=np.zeros(0),
        )
        assert next(all_plans(free), None) is not None


def test_worst_walk_halves_the_distances() -> None:
    problem = replace(drawn(3, 1)[0], rules=(), budget=np.full(1, 99.0), year_weight=np.ones(1), price_level=None)
    asked = []

    def within(metres: float) -> SitingProblem:
        asked.append(metres)
        fits = metres >= 300
        return (
            problem
            if fits
            else replace(problem, rules=rules.at_least(Reason("rule"), np.zeros(problem.n_actions), 0, 1, 1, by=0))
        )

    plan, found = objectives.least_worst(within, [100, 200, 300, 400, 500], Watch(), **EXACT)
    assert (plan.objective, plan.bound, plan.status) == (300, 300, "optimal") and found is problem
    assert len(asked) <= 4
    nothing, none = objectives.least_worst(within, [100, 200], Watch(), **EXACT)
    assert nothing.status == "infeasible" and none is None


def test_infeasible_plans_say_why() -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        plan: Plan = solve(with_everything(rng), mip_gap=0.0)
        assert (plan.status == "infeasible") == bool(plan.reasons)
