"""The field's four problems against brute force; sparse zeros; OR-Library's published optima; honest limits."""

import numpy as np
import pytest
from scipy import sparse

from planner.errors import InputError
from planner.siting import from_cost_matrix

INF = np.inf


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


def test_costs_that_sum_to_the_budget_but_for_rounding_fit_it() -> None:
    assert 0.1 + 0.2 > 0.3
    alone = np.array([[0.0, 9.0], [9.0, 0.0]])
    plan = from_cost_matrix(alone, None, objective="lscp", service_radius=1, facility_costs=[0.1, 0.2], budget=0.3)
    assert plan.status == "optimal" and plan.selected.tolist() == [0, 1]


def test_large_costs_are_no_unreachable_ones() -> None:
    # Where one more is no more in float64.
    plan = from_cost_matrix(np.full((3, 1), 1e18), np.full(3, 1e3), objective="p_median", p_facilities=1)
    assert plan.status == "optimal" and plan.objective == 3e21


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
