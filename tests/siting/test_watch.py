"""What a listener hears, and that a stopped search keeps its best plan with an honest status."""

import _thread
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from small import random_problem
from test_cross import crossed
from test_planning import with_everything

from planner.siting import (
    Progress,
    Reason,
    SitingProblem,
    broken_rules,
    from_cost_matrix,
    milp,
    objective_of,
    planning,
    rules,
    solve,
)


def town(n_demand: int = 500, n_places: int = 100, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    demand, places = rng.random((n_demand, 2)), rng.random((n_places, 2))
    return np.hypot(*(demand[:, None] - places[None]).transpose(2, 0, 1)), rng.integers(1, 10, n_demand).astype(float)


def years(seed: int = 4) -> SitingProblem:
    matrix, weight = town(seed=seed)
    n = matrix.shape[1]
    return SitingProblem(
        unit_weight=weight,
        cover=sparse.csr_array((matrix < 0.12).astype(np.int8)),
        capital_cost=np.random.default_rng(seed).uniform(1, 3, n),
        operating_cost=np.full(n, 0.2),
        place=np.arange(n),
        budget=np.array([9.0, 9.0]),
        year_weight=np.array([0.5, 0.5]),
    )


def with_a_floor(share: float, seed: int = 4) -> SitingProblem:
    """The same, where a share of all weight has to be covered by the end of the last year."""
    problem = years(seed)
    whole = problem.unit_weight / problem.unit_weight.sum()
    floor = rules.floor(Reason("floor"), 0, share, 2, by=1)
    return replace(problem, tally=sparse.csr_array(whole[None, :]), tally_constant=np.zeros(1), rules=floor)


SETTINGS = {
    "mclp": {"service_radius": 0.13, "p_facilities": 15},
    "lscp": {"service_radius": 0.25},
    "p_median": {"p_facilities": 12},
    "p_center": {"p_facilities": 12},
}


@pytest.mark.parametrize("objective", SETTINGS)
def test_listener_hears_plans_and_bounds_that_only_get_better(objective: str) -> None:
    heard: list[Progress] = []
    plan = from_cost_matrix(*town(), objective=objective, progress=lambda p: heard.append(p), **SETTINGS[objective])
    better = 1 if objective == "mclp" else -1
    assert plan.status == "optimal" and heard
    for before, after in pairwise(heard):
        assert better * (after.objective - before.objective) >= -1e-9
        assert better * (after.bound - before.bound) <= 1e-6 * abs(after.objective)
        assert after.seconds >= before.seconds
    for progress in heard:
        assert better * (progress.bound - plan.objective) >= -1e-6 * plan.objective
        assert better * (plan.objective - progress.objective) >= -1e-9


def stop(_: Progress) -> bool:
    return True


def ctrl_c(_: Progress) -> bool:
    raise KeyboardInterrupt


def ctrl_c_in_a_kernel(_: Progress) -> bool:
    # What numba makes of it.
    raise SystemError("CPUDispatcher returned a result with an exception set") from KeyboardInterrupt()


@pytest.mark.parametrize("how", [stop, ctrl_c, ctrl_c_in_a_kernel])
@pytest.mark.parametrize("problem", [years(), with_a_floor(0.1)], ids=["plain", "rules"])
def test_interruption_keeps_the_best_plan_so_far(problem: SitingProblem, how: object) -> None:
    best = solve(problem, mip_gap=0.001)
    plan = solve(problem, mip_gap=0.0, progress=how)
    assert plan.stopped == "interrupted" and plan.status == "feasible"
    assert not broken_rules(problem, plan.build_year)
    assert plan.objective == objective_of(problem, plan.build_year)
    assert plan.objective <= best.bound and plan.bound >= best.objective


@pytest.mark.parametrize("objective", SETTINGS)
@pytest.mark.parametrize("how", [stop, ctrl_c, ctrl_c_in_a_kernel])
def test_interruption_of_the_fields_problems(how: object, objective: str) -> None:
    whole = from_cost_matrix(*town(), objective=objective, **SETTINGS[objective])
    plan = from_cost_matrix(*town(), objective=objective, progress=how, **SETTINGS[objective])
    if plan.status == "unknown":
        assert objective == "p_center" and plan.stopped == "interrupted"
        return
    assert len(plan.selected) == SETTINGS[objective].get("p_facilities", len(plan.selected))
    low, high = sorted((plan.objective, plan.bound))
    assert low - 1e-9 <= whole.objective <= high + 1e-9
    assert plan.stopped == ("proof" if plan.status == "optimal" else "interrupted")


def test_limit_in_seconds_is_named_in_the_plan() -> None:
    plan = solve(years(), time_limit_s=0.0)
    assert (plan.status, plan.stopped, plan.time_limit_s) == ("feasible", "time", 0.0)
    assert solve(years(), mip_gap=0.01).time_limit_s is None


def test_a_listener_that_fails_is_heard() -> None:
    def fail(_: Progress) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        solve(years(), progress=fail)


def test_what_nobody_had_time_to_find_is_not_called_impossible() -> None:
    # So much that what covers most for its money does not reach it at once.
    whole = solve(with_a_floor(0.3), mip_gap=0.01)
    most = float(objective_of(with_a_floor(0.0), whole.build_year)) / with_a_floor(0.0).unit_weight.sum()
    hard = with_a_floor(min(1.6 * most, 0.99))
    plan = solve(hard, time_limit_s=0.0)
    assert (plan.status, plan.stopped, plan.found) == ("unknown", "time", False)
    assert [reason.key for reason in plan.reasons] == ["no_plan_yet"]


def told() -> str:
    """What many solves give, word for word."""
    rng = np.random.default_rng(8)
    plans = [solve(with_everything(rng), mip_gap=0.0) for _ in range(20)]
    plans += [solve(random_problem(rng), mip_gap=0.0) for _ in range(20)]
    plans += [solve(years(), mip_gap=0.01), solve(with_a_floor(0.3), mip_gap=0.02)]
    plans += [from_cost_matrix(*town(300, 60), objective=name, **given) for name, given in SETTINGS.items()]
    words = [(p.build_year.tolist(), p.objective, p.bound, p.status, p.reasons, sorted(p.work.items())) for p in plans]
    return "\n".join(map(repr, words))


def test_the_same_problems_give_the_same_plans_again_and_in_another_process() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_watch; print(test_watch.told())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONUTF8": "1"}, capture_output=True, text=True, encoding="utf-8", check=True,
    ).stdout  # fmt: skip
    here = told()
    assert here.count("\n") > 40
    assert here == told() == elsewhere.removesuffix("\n")


def test_a_program_that_is_stopped_before_it_has_a_status_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    program = milp.Program(
        cost=np.array([-1.0]),
        matrix=sparse.csc_array([[1.0]]),
        lower=np.array([0.0]),
        upper=np.array([1.0]),
        x_lower=np.zeros(1),
        x_upper=np.ones(1),
        n_integer=1,
    )
    monkeypatch.setattr(milp, "_run", lambda *_: True)
    assert milp.minimise(program).stopped == "interrupted"


class Listeners:
    def __iadd__(self, _: object) -> "Listeners":
        return self


class Slow:
    """A solver that hears Ctrl-C in the middle, and is not done at once."""

    cbMipInterrupt = cbSimplexInterrupt = cbIpmInterrupt = Listeners()  # noqa: N815
    done = False

    def run(self) -> None:
        time.sleep(0.1)
        _thread.interrupt_main()
        time.sleep(0.3)
        self.done = True


def test_ctrl_c_waits_until_the_solver_has_ended() -> None:
    # What it says halfway is no bound.
    slow = Slow()
    assert milp._run(slow, lambda *_: False, None, math.inf)
    assert slow.done


def test_ctrl_c_among_the_cuts_of_a_core_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []

    def interrupted(program: milp.Program, **limits: Any) -> milp.Outcome:
        calls.append(limits.get("cutter") is not None)
        outcome = milp.minimise(program, **limits)
        return replace(outcome, stopped="interrupted") if calls[-1] and sum(calls) == 2 else outcome

    monkeypatch.setattr(planning, "minimise", interrupted)
    monkeypatch.setattr(planning, "_WALKS", ())
    rng, heard = np.random.default_rng(6), 0
    for _ in range(40):
        calls.clear()
        plan = solve(crossed(rng), mip_gap=0.0)
        if sum(calls) == 2:
            # Nothing more was asked.
            assert calls[-1] and plan.stopped == "interrupted"
            heard += 1
    assert heard > 0
