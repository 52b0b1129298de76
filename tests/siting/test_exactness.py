"""Every optimum equals brute force on small problems drawn by hypothesis, whichever stage of the solver finds and proves it."""

import itertools
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from planner.siting import Plan, from_cost_matrix, solving

INF = math.inf
MANY = settings(max_examples=80, deadline=None)


@dataclass
class Town:
    """A cost matrix with ties, walks of nothing and unreachable pairs; rows and columns may reach nothing at all."""

    walk: np.ndarray
    weight: np.ndarray
    cost: np.ndarray
    fixed: list[int]
    as_sparse: bool

    @property
    def matrix(self) -> np.ndarray | sparse.csr_array:
        if not self.as_sparse:
            return self.walk
        row, column = np.nonzero(np.isfinite(self.walk))
        return sparse.csr_array(sparse.coo_array((self.walk[row, column], (row, column)), self.walk.shape))

    def choices(self, sizes: range | None = None) -> Iterator[list[int]]:
        n = self.walk.shape[1]
        for k in range(n + 1) if sizes is None else sizes:
            for chosen in itertools.combinations(range(n), k):
                if set(self.fixed) <= set(chosen):
                    yield list(chosen)

    def nearest(self, chosen: list[int]) -> np.ndarray:
        return self.walk[:, chosen].min(axis=1, initial=INF)


@st.composite
def towns(draw: st.DrawFn) -> Town:
    n, m = draw(st.integers(1, 8)), draw(st.integers(1, 6))
    walk = st.one_of(st.just(INF), st.integers(0, 6).map(float), st.just(1.5))
    weight = draw(st.sampled_from([st.integers(0, 5).map(float), st.floats(0, 3, width=16), st.just(1.0)]))
    return Town(
        walk=np.array(draw(st.lists(st.lists(walk, min_size=m, max_size=m), min_size=n, max_size=n))),
        weight=np.array(draw(st.lists(weight, min_size=n, max_size=n))),
        cost=np.array(draw(st.lists(st.sampled_from([0.0, 1.0, 1.0, 2.0, 2.5]), min_size=m, max_size=m))),
        fixed=sorted(draw(st.sets(st.integers(0, m - 1), max_size=2))),
        as_sparse=draw(st.booleans()),
    )


def agrees(plan: Plan, best: float, town: Town) -> None:
    """The plan is the best there is, or there is none and it says why."""
    if math.isinf(best):
        assert plan.status == "infeasible" and plan.reasons and math.isnan(plan.objective)
        return
    assert plan.status == "optimal" and plan.gap == 0.0 and plan.bound == plan.objective
    assert plan.objective == pytest.approx(best, abs=1e-9)
    assert set(town.fixed) <= set(plan.selected.tolist())


@pytest.mark.parametrize("bounded", [False, True])
@MANY
@given(data=st.data(), town=towns(), radius=st.integers(0, 7))
def test_mclp(bounded: bool, data: st.DataObject, town: Town, radius: int) -> None:
    n = town.walk.shape[1]
    p = data.draw(st.integers(1, n) | st.none())
    budget = data.draw(st.sampled_from([0.0, 1.0, 2.5, 4.0, 100.0]) if p is None else st.sampled_from([None, 2.0, 3.5]))
    covered = lambda s: float(town.weight[town.nearest(s) <= radius].sum())  # noqa: E731
    if budget is None:
        possible = list(town.choices(range(p, p + 1)))
    else:
        possible = [s for s in town.choices() if town.cost[s].sum() <= budget and (p is None or len(s) <= p)]
    best = max((covered(s) for s in possible), default=-INF)
    # Let the bound strike out options where HiGHS would settle all at once.
    small = -1 if bounded else 6_000
    with patch.object(solving, "_SMALL", small), patch.object(solving, "_ROUNDS", (20, 20, 40)):
        plan = from_cost_matrix(
            town.matrix,
            town.weight,
            objective="mclp",
            service_radius=radius,
            p_facilities=p,
            facility_costs=town.cost,
            budget=budget,
            predefined=town.fixed,
        )
    agrees(plan, best, town)
    if plan.status == "optimal":
        assert plan.objective == pytest.approx(covered(plan.selected.tolist()))
        assert budget is None or town.cost[plan.selected].sum() <= budget + 1e-9
        assert p is None or (len(plan.selected) == p if budget is None else len(plan.selected) <= p)


@MANY
@given(town=towns(), radius=st.integers(0, 7), budget=st.sampled_from([None, 2.0, 3.5]), priced=st.booleans())
def test_lscp(town: Town, radius: int, budget: float | None, priced: bool) -> None:
    cost = town.cost if priced else np.ones(len(town.cost))
    covers = [s for s in town.choices() if (town.nearest(s) <= radius).all()]
    best = min((float(cost[s].sum()) for s in covers), default=INF)
    plan = from_cost_matrix(
        town.matrix,
        None,
        objective="lscp",
        service_radius=radius,
        facility_costs=cost if priced else None,
        budget=budget,
        predefined=town.fixed,
    )
    agrees(plan, INF if budget is not None and best > budget else best, town)
    if plan.status == "optimal":
        assert (town.nearest(plan.selected.tolist()) <= radius).all()


@pytest.mark.parametrize("objective", ["p_median", "p_center"])
@MANY
@given(data=st.data(), town=towns())
def test_p_median_and_p_center(objective: str, data: st.DataObject, town: Town) -> None:
    p = data.draw(st.integers(1, town.walk.shape[1]))

    def walked(s: list[int]) -> float:
        nearest = town.nearest(s)
        if objective == "p_center":
            return float(nearest.max())
        asked = town.weight > 0
        return float(town.weight[asked] @ nearest[asked]) if asked.any() else 0.0

    best = min(map(walked, town.choices(range(p, p + 1))), default=INF)
    plan = from_cost_matrix(town.matrix, town.weight, objective=objective, p_facilities=p, predefined=town.fixed)
    agrees(plan, best, town)
    if plan.status == "optimal":
        assert len(plan.selected) == p
        assert plan.objective == pytest.approx(walked(plan.selected.tolist()), abs=1e-9)


def grid(n_demand: int, n_places: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    demand, places = rng.random((n_demand, 2)), rng.random((n_places, 2))
    walk = np.hypot(*(demand[:, None] - places[None]).transpose(2, 0, 1))
    return np.ceil(walk * 100), rng.integers(1, 10, n_demand).astype(float)


@pytest.mark.parametrize("objective", ["mclp", "lscp", "p_median", "p_center"])
def test_optimum_equals_spopts(objective: str) -> None:
    """A peer on problems beyond brute force; skipped where the extra ``benchmarks`` is not installed."""
    pytest.importorskip("spopt")
    pytest.importorskip("pulp")
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    from siting import spopt

    matrix, weight = grid(80, 25, 3)
    radius = 40 if objective in ("mclp", "lscp") else None
    p = None if objective == "lscp" else 6
    peer = spopt("cbc")(objective, sparse.csr_array(matrix), weight, radius, p, 60)
    plan = from_cost_matrix(matrix, weight, objective=objective, service_radius=radius, p_facilities=p)
    assert peer["status"] == "optimal" and plan.status == "optimal"
    assert plan.objective == pytest.approx(peer["value"])
