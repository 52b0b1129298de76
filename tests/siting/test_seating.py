"""Seats as the objective: flows against linear programs, plans against brute force, cuts against everything that may be done."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog
from small import best_by_brute_force
from test_planning import with_everything

from planner.siting import SitingProblem, broken_rules, objective_of, solve
from planner.siting.seats import Seats, cut_of, flow, served


def random_seats(rng: np.random.Generator, place: np.ndarray, *, hours: int = 2, kinds: int = 4) -> Seats:
    """Some people, some of whom reach some places; sites that stand, and actions that give or take seats."""
    n_places, n = int(place.max()) + 1, len(place)
    near = rng.random((kinds, n_places)) < 0.6
    row, column = np.nonzero(near)
    return Seats(
        row=row,
        column=column,
        accepts=rng.choice([0.25, 0.5, 1.0], len(row)),
        want=rng.integers(0, 9, (hours, kinds)) * 0.5,
        today=rng.integers(0, 4, (hours, n_places)) * (rng.random(n_places) < 0.5),
        after=rng.integers(0, 7, (hours, n)).astype(float),
        place=place,
        worth=rng.random(hours),
    )


def by_linear_program(seats: Seats, hour: int, rooms: np.ndarray) -> float:
    """What people find at these seats, by another solver: Σ flow at most, who and where and each pair within their limits."""
    pairs = len(seats.row)
    if not pairs:
        return 0.0
    columns = np.arange(pairs)
    who = sparse.csr_array((np.ones(pairs), (seats.row, columns)), (seats.want.shape[1], pairs))
    where = sparse.csr_array((np.ones(pairs), (seats.column, columns)), (len(rooms), pairs))
    most = seats.want[hour][seats.row] * seats.accepts
    found = linprog(
        -np.ones(pairs),
        A_ub=sparse.vstack([who, where]),
        b_ub=np.concatenate([seats.want[hour], rooms]),
        bounds=np.column_stack([np.zeros(pairs), most]),
    )
    return -float(found.fun)


def rooms_of(seats: Seats, hour: int, done: np.ndarray) -> np.ndarray:
    rooms = seats.today[hour].astype(float).copy()
    rooms[seats.place[done > 0]] = seats.after[hour][done > 0]
    return rooms


@pytest.mark.parametrize("seed", range(4))
def test_flows_are_what_a_linear_program_finds_and_cuts_hold_for_whatever_is_done(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(10):
        place = np.sort(rng.integers(0, 4, 5))
        seats = random_seats(rng, place)
        plans = [
            np.array(done, float)
            for done in itertools.product([0, 1], repeat=5)
            if all(np.sum(np.array(done)[place == p]) <= 1 for p in range(4))
        ]
        for hour in range(seats.n_hours):
            exact = [by_linear_program(seats, hour, rooms_of(seats, hour, done)) for done in plans]
            cuts = [cut_of(seats, hour, rng.random(seats.want.shape[1]) < 0.5) for _ in range(3)]
            for done, value in zip(plans, exact, strict=True):
                taken, cut = flow(seats, hour, done)
                assert taken == pytest.approx(value, abs=1e-6)
                assert cut.at(done) == pytest.approx(value, abs=1e-6)
                cuts.append(cut)
            part = rng.dirichlet(np.ones(len(plans)))
            between = part @ np.array(plans)
            cuts.append(flow(seats, hour, between)[1])
            # What is proposed in part is never cut off below what its parts would serve.
            assert flow(seats, hour, between)[0] >= part @ np.array(exact) - 1e-6
            for cut in cuts:
                assert all(cut.at(done) >= value - 1e-6 for done, value in zip(plans, exact, strict=True))


def seated(rng: np.random.Generator, *, mixed: bool) -> SitingProblem:
    """A random problem with every rule, its objective seats alone or coverage and seats together."""
    problem = with_everything(rng)
    problem = replace(problem, seats=random_seats(rng, problem.place))
    if mixed:
        return problem
    return replace(problem, unit_weight=np.zeros(problem.n_units), option_value=None)


@pytest.mark.parametrize("seed", range(6))
def test_plan_equals_brute_force_under_every_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for turn in range(12):
        problem = seated(rng, mixed=turn % 2 == 0)
        best = best_by_brute_force(problem)
        plan = solve(problem, mip_gap=0.0, work_limit=None)
        if best is None:
            assert plan.status == "infeasible"
            continue
        assert plan.status == "optimal"
        assert not broken_rules(problem, plan.build_year)
        assert plan.objective == pytest.approx(best, abs=1e-5)
        assert plan.objective == pytest.approx(objective_of(problem, plan.build_year), abs=1e-9)


def test_a_bound_that_is_left_open_still_bounds_the_best() -> None:
    rng = np.random.default_rng(99)
    open_gaps = 0
    for _ in range(25):
        problem = replace(seated(rng, mixed=False), rules=())
        best = best_by_brute_force(problem)
        plan = solve(problem, mip_gap=0.5, work_limit=0)
        if best is None or not plan.found:
            continue
        assert plan.objective <= best + 1e-6 <= plan.bound + 2e-6
        open_gaps += plan.gap > 0
    assert open_gaps


def test_more_seats_serve_no_fewer() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        seats = random_seats(rng, np.arange(4))
        more = replace(seats, after=seats.after + rng.integers(0, 3, seats.after.shape))
        done = (rng.random(4) < 0.5).astype(float)
        assert served(more, done) >= served(seats, done) - 1e-7
