"""The fair assignment against linear programming, and on a district worked out on paper."""

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from test_coverage import reach_of

from planner.capacity import fair_shares, serve
from planner.coverage import Offers
from planner.hours import HALF_HOURS


@st.composite
def problems(draw: st.DrawFn):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    want, seats = rng.integers(0, 6, n).astype(float), rng.integers(0, 5, m).astype(float)
    row, column = np.nonzero(rng.random((n, m)) < 0.6)
    most = want[row] * rng.choice([0.3, 0.6, 1.0], len(row))
    return want, seats, row, column, most


def programme(want, seats, row, column, most):
    """Return the constraints of any assignment: per unit and per site, as rows of a matrix over pairs."""
    by_unit = (row[None] == np.arange(len(want))[:, None]).astype(float)
    by_site = (column[None] == np.arange(len(seats))[:, None]).astype(float)
    # Whoever goes to a place would go to all that suit more people: of a unit no more are at a place and at those that suit still fewer.
    nested = ((row[:, None] == row) & (most[None] <= most[:, None])).astype(float)
    return by_unit, np.vstack([by_site, nested]), np.concatenate([seats, most])


def fairest(want, seats, row, column, most) -> np.ndarray:
    """Lexicographic max-min by linear programs: raise the worst, fix those who can get no more, go on."""
    by_unit, upper, room = programme(want, seats, row, column, most)
    n, k = len(want), len(row)
    share = np.where(want > 0, np.nan, 1.0)
    while np.isnan(share).any():
        free = np.isnan(share)

        def solve(weights, level=None, free=free):
            # Variables: the pairs, then the common level of those still free.
            rows, limits = [np.hstack([upper, np.zeros((len(upper), 1))])], [room]
            for i in range(n):
                if free[i]:
                    rows.append(
                        np.append(-by_unit[i], want[i])[None] if level is None else np.append(-by_unit[i], 0)[None]
                    )
                    limits.append([0.0] if level is None else [-level * want[i] + 1e-9])
                elif want[i] > 0:
                    rows.append(np.append(-by_unit[i], 0)[None])
                    limits.append([-share[i] * want[i] + 1e-9])
                rows.append(np.append(by_unit[i], 0)[None])
                limits.append([want[i]])
            return linprog(
                -weights, np.vstack(rows), np.concatenate(limits), bounds=[*[(0, None)] * k, (0, 1)], method="highs"
            )

        level = -solve(np.append(np.zeros(k), 1.0)).fun
        stuck = []
        for i in np.flatnonzero(free):
            best = -solve(np.append(by_unit[i], 0.0), level).fun / want[i]
            if best <= level + 1e-6:
                stuck.append(i)
        share[stuck if stuck else free] = level
    return share * want


@given(problems())
def test_shares_are_the_fairest_and_serve_most(problem):
    want, _, row, _, _ = problem
    if not len(row):
        return
    got, flows, cut = fair_shares(*problem)
    by_unit, upper, room = programme(*problem)
    best = -linprog(-np.ones(len(row)), np.vstack([by_unit, upper]), np.concatenate([want, room])).fun
    assert got.sum() == pytest.approx(best, abs=1e-6) and cut == pytest.approx(best, abs=1e-6)
    assert np.allclose(by_unit @ flows, got, atol=1e-6)
    assert (upper @ flows <= room + 1e-6).all()
    assert np.allclose(got, fairest(*problem), atol=1e-5)


@given(problems())
def test_as_many_are_served_as_a_maximum_flow_of_another_library_serves(problem):
    want, seats, row, column, most = problem
    graph = networkx.DiGraph()
    graph.add_nodes_from(("source", "sink"))
    for u, wanted in enumerate(want):
        graph.add_edge("source", ("unit", u), capacity=float(wanted))
        above = ("unit", u)
        # A chain from what suits most people down.
        for level in sorted(set(most[row == u]), reverse=True):
            graph.add_edge(above, ("level", u, level), capacity=float(level))
            above = ("level", u, level)
    for u, s, level in zip(row, column, most, strict=True):
        graph.add_edge(("level", u, level), ("site", s), capacity=1e9)
    for s, room in enumerate(seats):
        graph.add_edge(("site", s), "sink", capacity=float(room))
    got, _, cut = fair_shares(*problem)
    value = networkx.maximum_flow_value(graph, "source", "sink")
    assert got.sum() == pytest.approx(value, abs=1e-6) and cut == pytest.approx(value, abs=1e-6)


@given(problems(), st.integers(0, 3))
def test_a_seat_more_never_serves_anybody_less(problem, where: int):
    want, seats, row, column, most = problem
    more = seats + (np.arange(len(seats)) == where)
    before, after = fair_shares(*problem)[0], fair_shares(want, more, row, column, most)[0]
    assert (after >= before - 1e-6).all()


def test_two_seats_between_two_streets():
    # One bank with two seats, open the first two half-hours of the week; ten workers here, thirty there, one in ten on a seat.
    distance_m = np.array([[100.0], [200.0], [900.0]])
    mask = np.zeros((1, HALF_HOURS), bool)
    mask[0, :2] = True
    profile = np.zeros((1, HALF_HOURS))
    profile[0, :4] = 1
    standing = Offers(np.array([0]), mask, np.array([True]))
    weight = np.array([10.0, 30.0, 5.0])
    found = serve(reach_of(distance_m), standing, np.array([2.0]), weight, np.zeros(3, int), profile, seat_share=0.1)
    # 4 seats wanted, 2 there: half of them in half of the hours.
    assert found.served_share == pytest.approx([0.25, 0.25, 0.0], abs=1e-6)
    assert found.load == pytest.approx([1.0], abs=1e-6)
    assert found.served == pytest.approx(4.0, abs=1e-6) and found.limit == pytest.approx(4.0, abs=1e-6)
    assert found.wanted == pytest.approx(4 * 4.5)


def test_acceptance_bounds_what_a_host_can_serve():
    distance_m = np.array([[100.0, 100.0]])
    standing = Offers(np.array([0, 1]), np.ones((2, HALF_HOURS), bool), np.ones(2, bool))
    arguments = (np.array([10.0]), np.zeros(1, int), np.ones((1, HALF_HOURS)))
    # Two banks that three in ten would enter suit three in ten, not six.
    for acceptance, expected in ([[0.2, 0.3]], 0.3), ([[0.3, 0.3]], 0.3), ([[1.0, 0.0]], 1.0), ([[0.0, 0.0]], 0.0):
        found = serve(
            reach_of(distance_m),
            standing,
            np.array([9.0, 9.0]),
            *arguments,
            seat_share=0.1,
            acceptance=np.array(acceptance),
        )
        assert found.served_share == pytest.approx([expected], abs=1e-6)


def test_unknown_or_no_seats_serve_nobody():
    standing = Offers(np.array([0, 1]), np.ones((2, HALF_HOURS), bool), np.ones(2, bool))
    found = serve(
        reach_of(np.array([[1.0, 1.0]])),
        standing,
        np.array([np.nan, 0.0]),
        np.ones(1),
        np.zeros(1, int),
        np.ones((1, HALF_HOURS)),
        seat_share=1,
    )
    assert found.served_share.tolist() == [0.0] and found.served == 0 and np.isnan(found.load).all()
    # It is the seats that are missing: both hosts suit everybody.
    assert found.accepted_share.tolist() == [1.0]
