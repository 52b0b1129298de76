"""Hostile input to `from_cost_matrix`: each is answered with a sentence, none with a guess."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from planner.errors import InputError, PlannerError
from planner.siting import Plan, from_cost_matrix

WALK = np.array([[0.0, 5.0], [3.0, 1.0], [9.0, 2.0]])
# What is chosen and what it is worth, whichever way the same matrix is given.
ANSWER = ([1], 8.0)


def median(matrix: Any = WALK, weights: Any = (1, 1, 1), **settings: Any) -> Plan:
    return from_cost_matrix(matrix, weights, **{"objective": "p_median", "p_facilities": 1, **settings})


def stored(matrix: np.ndarray) -> sparse.coo_array:
    row, column = np.indices(matrix.shape).reshape(2, -1)
    return sparse.coo_array((matrix.ravel(), (row, column)), matrix.shape)


def named(**settings: Any) -> InputError:
    with pytest.raises(InputError) as error:
        median(**settings)
    assert isinstance(error.value, PlannerError) and isinstance(error.value, ValueError)
    assert error.value.text("zh") and error.value.text("en")
    return error.value


@pytest.mark.parametrize(
    "matrix",
    [
        WALK.tolist(),
        WALK.astype(np.int8),
        WALK.astype(np.uint64),
        WALK.astype(np.float32),
        WALK.astype(object),
        WALK[::-1, ::-1].copy()[::-1, ::-1],
        np.asfortranarray(WALK),
        pd.DataFrame(WALK, index=list("abc")),
        stored(WALK),
        stored(WALK).tocsr(),
        stored(WALK).tocsc(),
        sparse.csr_matrix(stored(WALK)),
        stored(WALK.astype(np.int16)).tocsr(),
    ],
    ids=lambda m: f"{type(m).__name__} {getattr(m, 'dtype', '')}",
)
def test_the_same_matrix_in_any_form_gives_the_same_plan(matrix: Any) -> None:
    plan = median(matrix)
    assert (plan.selected.tolist(), plan.objective, plan.status) == (*ANSWER, "optimal")


@pytest.mark.parametrize("gone", [np.nan, np.inf])
def test_nan_and_inf_are_unreachable_dense_or_stored(gone: float) -> None:
    matrix = WALK.copy()
    matrix[0, 1] = gone
    for kind in (matrix, stored(matrix), np.ma.masked_invalid(matrix)):
        plan = median(kind)
        assert (plan.selected.tolist(), plan.objective) == ([0], 12.0)


def test_masked_entries_are_unreachable_whatever_lies_beneath() -> None:
    assert median(np.ma.array(WALK, mask=[[0, 1], [0, 0], [0, 0]])).selected.tolist() == [0]


@pytest.mark.parametrize(
    ("matrix", "key"),
    [
        (WALK.ravel(), "matrix_size"),
        (WALK[None], "matrix_size"),
        (np.float64(3), "matrix_size"),
        ([[1, 2], [3]], "matrix_kind"),
        ([["near", "far"]], "matrix_kind"),
        (WALK > 2, "matrix_kind"),
        (stored(WALK > 2), "matrix_kind"),
        (WALK.astype(complex), "matrix_kind"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), "matrix_kind"),
        (None, "matrix_size"),
        (np.zeros((0, 2)), "matrix_empty"),
        (sparse.csr_array((3, 0)), "matrix_empty"),
        (stored(WALK).tobsr(), "matrix_format"),
        (stored(WALK).todia(), "matrix_format"),
        (sparse.coo_array(([1.0, 2.0], ([0, 0], [1, 1])), (3, 2)), "matrix_twice"),
        (sparse.csr_array((np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2, 2, 2])), (3, 2)), "matrix_twice"),
    ],
)
def test_a_matrix_that_is_none_is_named(matrix: Any, key: str) -> None:
    assert named(matrix=matrix).key == key


@pytest.mark.parametrize("bad", [-1.0, -np.inf, -1e-300])
def test_negative_costs_are_named_with_row_and_column_however_far(bad: float) -> None:
    matrix = WALK.copy()
    matrix[2, 1] = bad
    for kind in (matrix, stored(matrix)):
        error = named(matrix=kind, service_radius=0.5)
        assert (error.key, error.values["row"], error.values["column"]) == ("matrix_negative_pair", 2, 1)


@pytest.mark.parametrize(
    ("weights", "key"),
    [
        ([1, 1], "matrix_size"),
        ([[1, 1, 1]], "matrix_size"),
        (1.0, "matrix_size"),
        ([1, -1, 1], "matrix_negative"),
        ([1, np.nan, 1], "matrix_negative"),
        ([1, np.inf, 1], "matrix_negative"),
        ([True, False, True], "matrix_kind"),
        (["a", "b", "c"], "matrix_kind"),
        ([1e308, 1e308, 1e308], "matrix_large"),
    ],
)
def test_wrong_weights_are_named(weights: Any, key: str) -> None:
    error = named(weights=weights)
    assert error.key == key and error.values["name"] == "weights"
    if key == "matrix_negative":
        assert error.values["at"] == 1


@pytest.mark.parametrize(
    ("walk", "weights"), [(1e308, None), (1e306, [1, 1, 1]), (1e200, [1e107, 1, 1]), (1e10, [1e295, 0, 0])]
)
def test_walks_whose_sum_is_beyond_numbers_are_refused_and_not_reckoned_with(walk: float, weights: Any) -> None:
    error = named(matrix=np.array([[walk, 1, 2], [2, walk, 1], [1, 2, walk]]), weights=weights)
    assert (error.key, error.values["name"]) == ("matrix_large", "weights × cost_matrix") and isinstance(
        error, ValueError
    )


def test_no_weights_are_all_alike() -> None:
    assert median(weights=None).objective == median().objective


@pytest.mark.parametrize("p", [0, -1, 3, 1.5, np.nan, np.inf, True, "1", None])
def test_wrong_p_is_named(p: Any) -> None:
    assert named(p_facilities=p).key == ("matrix_missing" if p is None else "matrix_p")


@pytest.mark.parametrize("p", [1.0, np.int32(1), np.float32(1)])
def test_whole_p_of_any_kind_will_do(p: Any) -> None:
    assert median(p_facilities=p).selected.tolist() == [1]


@pytest.mark.parametrize("name", ["service_radius", "time_limit", "mip_gap"])
@pytest.mark.parametrize("value", [-1.0, np.nan, "3", True, [1, 2]])
def test_wrong_numbers_are_named(name: str, value: Any) -> None:
    error = named(**{name: value})
    assert (error.key, error.values["name"]) == ("matrix_number", name)


@pytest.mark.parametrize(
    "predefined", [[2], [-1], [0.5], [np.nan], [0, 0], [1, 0, 1], "0", [True], [[0]], [True, False, True]]
)
def test_wrong_predefined_is_named(predefined: Any) -> None:
    assert named(predefined=predefined, p_facilities=2).key == "matrix_predefined"


@pytest.mark.parametrize("predefined", [[], None, [0], [0.0], np.array([True, False]), (0,), np.uint8([0])])
def test_predefined_of_any_kind_will_do(predefined: Any) -> None:
    assert median(predefined=predefined).selected.tolist() == (
        [1] if predefined is None or len(predefined) == 0 else [0]
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "p_median", "budget": 3.0},
        {"objective": "p_center", "budget": 3.0},
        {"objective": "lscp", "service_radius": 9.0},
    ],
)
def test_what_would_have_no_effect_is_refused(settings: dict[str, Any]) -> None:
    assert named(**settings).key == "matrix_unused"


def test_more_predefined_than_p_is_no_plan() -> None:
    plan = median(predefined=[0, 1])
    assert (plan.status, plan.reasons[0].key) == ("infeasible", "predefined_over_p")
