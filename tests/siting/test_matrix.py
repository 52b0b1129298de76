"""The field's four problems against brute force; sparse zeros; OR-Library's published optima; honest limits."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from scipy import sparse

from planner.errors import InputError
from planner.siting import from_cost_matrix

INF = np.inf


def random_matrix(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A small matrix with ties, zeros and unreachable pairs, and whole or broken weights."""
    n, m = int(rng.integers(1, 9)), int(rng.integers(1, 7))
    matrix = rng.integers(0, 8, (n, m)).astype(float)
    matrix[rng.random((n, m)) < 0.25] = INF
    weight = rng.integers(0, 6, n).astype(float) if rng.random() < 0.5 else rng.random(n)
    return matrix, weight


def subsets(m: int, sizes: range, fixed: list[int]) -> list[list[int]]:
    return [list(s) for k in sizes for s in itertools.combinations(range(m), k) if set(fixed) <= set(s)]


def as_sparse(matrix: np.ndarray) -> sparse.csr_array:
    row, column = np.nonzero(np.isfinite(matrix))
    return sparse.csr_array(sparse.coo_array((matrix[row, column], (row, column)), matrix.shape))


def fixed_by_chance(rng: np.random.Generator, m: int, p: int) -> list[int]:
    return (
        sorted(rng.choice(m, int(rng.integers(0, min(p, 2) + 1)), replace=False).tolist()) if rng.random() < 0.4 else []
    )


def nearest(matrix: np.ndarray, chosen: list[int]) -> np.ndarray:
    return matrix[:, chosen].min(axis=1) if chosen else np.full(len(matrix), INF)


@pytest.mark.parametrize("kind", [np.asarray, as_sparse])
@pytest.mark.parametrize("seed", range(4))
def test_every_objective_equals_brute_force(seed: int, kind: Callable[[np.ndarray], object]) -> None:
    rng = np.random.default_rng(seed)
    seen = {"optimal": 0, "infeasible": 0}
    for _ in range(40):
        matrix, weight = random_matrix(rng)
        m, radius = matrix.shape[1], float(rng.integers(0, 8))
        p = int(rng.integers(1, m + 1))
        fixed = fixed_by_chance(rng, m, p)
        costs = rng.integers(1, 5, m).astype(float)
        exactly = subsets(m, range(p, p + 1), fixed)
        anyhow = subsets(m, range(m + 1), fixed)

        def walk(s: list[int], matrix: np.ndarray = matrix, weight: np.ndarray = weight) -> float:
            return float(sum(w * d for w, d in zip(weight, nearest(matrix, s), strict=True) if w > 0))

        near = matrix <= radius
        covers = [s for s in anyhow if near[:, s].any(axis=1).all()]
        cases = {
            "mclp": (
                {"service_radius": radius, "p_facilities": p},
                max(weight[near[:, s].any(axis=1)].sum() for s in exactly),
            ),
            "lscp": (
                {"service_radius": radius, "facility_costs": costs},
                min((costs[s].sum() for s in covers), default=INF),
            ),
            "p_median": ({"p_facilities": p}, min(walk(s) for s in exactly)),
            "p_center": ({"p_facilities": p}, min(float(nearest(matrix, s).max()) for s in exactly)),
        }
        for objective, (settings, best) in cases.items():
            plan = from_cost_matrix(kind(matrix), weight, objective=objective, predefined=fixed or None, **settings)
            seen[plan.status] += 1
            if np.isinf(best):
                assert plan.status == "infeasible" and plan.reasons, objective
                continue
            assert plan.status == "optimal" and plan.gap == 0.0, objective
            assert plan.objective == pytest.approx(best, abs=1e-9), objective
            assert set(fixed) <= set(plan.selected.tolist())
            if objective != "lscp":
                assert len(plan.selected) == p
    assert min(seen.values()) > 5


@pytest.mark.parametrize("seed", range(3))
def test_mclp_with_costs_budget_and_number_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(30):
        matrix, weight = random_matrix(rng)
        m = matrix.shape[1]
        costs, budget, p = rng.integers(1, 5, m).astype(float), float(rng.integers(0, 10)), int(rng.integers(1, m + 1))
        near = matrix <= 3
        allowed = [s for s in subsets(m, range(p + 1), []) if costs[s].sum() <= budget]
        best = max(weight[near[:, s].any(axis=1)].sum() for s in allowed)
        plan = from_cost_matrix(
            matrix, weight, objective="mclp", service_radius=3, p_facilities=p, facility_costs=costs, budget=budget
        )
        assert plan.objective == pytest.approx(best)
        assert costs[plan.selected].sum() <= budget and len(plan.selected) <= p


def test_stored_zero_is_a_walk_of_nothing_and_an_absent_pair_is_no_walk() -> None:
    matrix = sparse.csr_array((np.array([0.0, 5.0, 0.0]), np.array([0, 1, 1]), np.array([0, 2, 3])), (2, 2))
    assert from_cost_matrix(matrix, [1, 1], objective="p_median", p_facilities=2).objective == 0.0
    assert from_cost_matrix(matrix, [1, 1], objective="p_median", p_facilities=1).selected.tolist() == [1]
    assert from_cost_matrix(matrix, [1, 1], objective="mclp", service_radius=0, p_facilities=1).objective == 1.0
    lonely = sparse.csr_array(([1.0], ([0], [0])), (2, 1))
    assert from_cost_matrix(lonely, [1, 1], objective="p_center", p_facilities=1).status == "infeasible"


def test_infeasible_says_which_row() -> None:
    plan = from_cost_matrix(np.array([[1.0], [9.0]]), [1, 1], objective="lscp", service_radius=3)
    assert plan.reasons[0].key == "demand_unreachable" and plan.reasons[0].values["first"] == 1


def test_predefined_may_be_numbers_or_a_mask() -> None:
    matrix = np.array([[1.0, 9.0], [1.0, 9.0]])
    for predefined in ([1], np.array([False, True])):
        plan = from_cost_matrix(
            matrix, [1, 1], objective="mclp", service_radius=2, p_facilities=1, predefined=predefined
        )
        assert plan.selected.tolist() == [1] and plan.objective == 0.0


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"objective": "mclp", "p_facilities": 1}, "matrix_missing"),
        ({"objective": "mclp", "service_radius": 1.0}, "matrix_missing"),
        ({"objective": "p_median"}, "matrix_missing"),
        ({"objective": "lscp"}, "matrix_missing"),
        ({"objective": "best", "p_facilities": 1}, "matrix_objective"),
        ({"objective": "p_median", "p_facilities": 3}, "matrix_p"),
        ({"objective": "p_median", "p_facilities": 1, "predefined": [2]}, "matrix_predefined"),
        ({"objective": "lscp", "service_radius": 1.0, "facility_costs": [1.0, -1.0]}, "matrix_negative"),
        ({"objective": "lscp", "service_radius": 1.0, "facility_costs": [1.0]}, "matrix_size"),
    ],
)
def test_wrong_input_is_named(settings: dict[str, object], key: str) -> None:
    with pytest.raises(InputError) as error:
        from_cost_matrix(np.ones((3, 2)), np.ones(3), **settings)
    assert error.value.key == key
    assert error.value.text("zh") and error.value.text("en")


def points(n_demand: int, n_places: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    demand, places = rng.random((n_demand, 2)), rng.random((n_places, 2))
    return np.hypot(*(demand[:, None] - places[None]).transpose(2, 0, 1)), rng.integers(1, 10, n_demand).astype(float)


def test_stopped_early_is_not_called_optimal() -> None:
    matrix, weight = points(600, 120, 4)
    whole = from_cost_matrix(matrix, weight, objective="mclp", service_radius=0.12, p_facilities=12)
    rough = from_cost_matrix(matrix, weight, objective="mclp", service_radius=0.12, p_facilities=12, time_limit=0.0)
    assert whole.status == "optimal"
    assert rough.objective <= whole.objective <= rough.bound
    assert (rough.status == "optimal") == (rough.gap == 0.0)


@pytest.mark.parametrize("objective", ["mclp", "lscp", "p_median", "p_center"])
def test_order_of_rows_and_columns_changes_no_value(objective: str) -> None:
    matrix, weight = points(120, 25, 7)
    rng = np.random.default_rng(0)
    settings = {"service_radius": 0.35} if objective in ("mclp", "lscp") else {}
    settings |= {} if objective == "lscp" else {"p_facilities": 4}
    r, c = rng.permutation(120), rng.permutation(25)
    a = from_cost_matrix(matrix, weight, objective=objective, **settings)
    b = from_cost_matrix(matrix[r][:, c], weight[r], objective=objective, **settings)
    assert a.status == b.status == "optimal"
    assert a.objective == pytest.approx(b.objective)
