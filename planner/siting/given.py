"""What an analyst gives to `from_cost_matrix`, checked once at the door: sizes, kinds, signs, and what each objective needs.

Whatever is wrong is named with its row and column. Nothing is guessed and nothing dropped without a word.
"""

import math
import operator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from planner.errors import InputError
from planner.siting.problem import Floats, Ints

Objective = Literal["mclp", "lscp", "p_median", "p_center"]
_NEEDS = {
    "mclp": ("service_radius",),
    "lscp": ("service_radius",),
    "p_median": ("p_facilities",),
    "p_center": ("p_facilities",),
}
_NO_USE = {
    "mclp": (),
    "lscp": ("p_facilities",),
    "p_median": ("budget",),
    "p_center": ("budget",),
}
# Bounds multiply a sum of walks by a few numbers of moderate size.
_MOST = np.finfo(float).max / 1e4
# In these formats a stored zero cannot be told from padding.
_PADDED = ("bsr", "dia")


@dataclass(frozen=True)
class Given:
    """A location problem whose parts fit together.

    Attributes:
        walk: CSR (n_demand × n_facilities), the pairs within the radius; stored zeros stay.
        weight: (n_demand,) ≥ 0.
        cost: (n_facilities,) ≥ 0.
        p: how many to choose.
        budget: most that they may cost.
        fixed: columns chosen in any case, ascending.
    """

    walk: sparse.csr_array
    weight: Floats
    cost: Floats
    p: int | None
    budget: float | None
    fixed: Ints


def checked(
    cost_matrix: ArrayLike | sparse.sparray,
    weights: ArrayLike | None,
    objective: str,
    service_radius: float | None,
    p_facilities: int | None,
    facility_costs: ArrayLike | None,
    budget: float | None,
    predefined: ArrayLike | None,
) -> Given:
    """Return the problem with everything checked; the arguments are those of `from_cost_matrix`."""
    if objective not in _NEEDS:
        raise InputError("matrix_objective", objective=objective)
    parameters = {
        "service_radius": service_radius,
        "p_facilities": p_facilities,
        "facility_costs": facility_costs,
        "budget": budget,
    }
    for parameter in _NEEDS[objective]:
        if parameters[parameter] is None:
            raise InputError("matrix_missing", objective=objective, parameter=parameter)
    for parameter in _NO_USE[objective]:
        if parameters[parameter] is not None:
            raise InputError("matrix_unused", objective=objective, parameter=parameter)
    if objective == "mclp" and p_facilities is None and budget is None:
        raise InputError("matrix_missing", objective=objective, parameter="p_facilities")
    radius = math.inf if service_radius is None else not_negative("service_radius", service_radius)
    walk = _pairs(cost_matrix, radius)
    n_demand, n_facilities = walk.shape
    weight = _vector("weights", weights, n_demand)
    if objective == "p_median":
        _refuse_large(walk, weight)
    return Given(
        walk=walk,
        weight=weight,
        cost=_vector("facility_costs", facility_costs, n_facilities),
        p=None if p_facilities is None else _count(p_facilities, n_facilities),
        budget=None if budget is None else not_negative("budget", budget),
        fixed=_columns(predefined, n_facilities),
    )


def not_negative(name: str, value: Any) -> float:
    """Return a number ≥ 0; infinity is one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, (bool, str)) or not number >= 0:
        raise InputError("matrix_number", name=name, given=repr(value))
    return number


def _numbers(name: str, values: Any) -> NDArray[Any]:
    """Return an array of real numbers; True and False are none."""
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(float), np.nan)
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":
            array = array.astype(float)
    except (TypeError, ValueError):
        raise InputError("matrix_kind", name=name, kind="object") from None
    if array.dtype.kind not in "iuf":
        raise InputError("matrix_kind", name=name, kind=str(array.dtype))
    return array


def _pairs(cost_matrix: Any, radius: float) -> sparse.csr_array:
    """Return the pairs within the radius as CSR that keeps stored zeros."""
    if sparse.issparse(cost_matrix):
        row, column, value, shape = _stored(cost_matrix)
    else:
        dense = _numbers("cost_matrix", cost_matrix)
        if dense.ndim != 2:
            raise InputError("matrix_size", name="cost_matrix", size="n × m", given=str(dense.shape))
        _refuse_negative(dense < 0, lambda at: at)
        shape = dense.shape
        # nan compares false, so that it is absent too; pairs beyond the radius are never looked at again.
        row, column = np.nonzero(np.isfinite(dense) & (dense <= radius))
        value = dense[row, column]
    if 0 in shape:
        raise InputError("matrix_empty", given=str(shape))
    kept = np.isfinite(value) & (value <= radius)
    row, column, value = row[kept], column[kept], value[kept].astype(float)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
    index = np.int32 if len(value) < 2**31 else np.int64
    return sparse.csr_array((value, column.astype(index), indptr.astype(index)), shape=shape)


def _stored(matrix: Any) -> tuple[Ints, Ints, NDArray[Any], tuple[int, int]]:
    """Return the stored pairs of a sparse matrix by row and column, each once."""
    if matrix.format in _PADDED:
        raise InputError("matrix_format", format=matrix.format)
    if matrix.ndim != 2:
        raise InputError("matrix_size", name="cost_matrix", size="n × m", given=str(matrix.shape))
    pairs = sparse.coo_array(matrix)
    value = _numbers("cost_matrix", pairs.data)
    order = np.lexsort((pairs.col, pairs.row))
    row, column, value = pairs.row[order], pairs.col[order], value[order]
    twice = np.flatnonzero((np.diff(row) == 0) & (np.diff(column) == 0))
    if len(twice):
        raise InputError("matrix_twice", row=int(row[twice[0]]), column=int(column[twice[0]]))
    _refuse_negative(value < 0, lambda at: (row[at[0]], column[at[0]]))
    return row, column, value, matrix.shape


def _refuse_negative(negative: NDArray[np.bool_], where: Any) -> None:
    if negative.any():
        row, column = where(np.unravel_index(int(negative.argmax()), negative.shape))
        raise InputError("matrix_negative_pair", row=int(row), column=int(column))


def _vector(name: str, values: ArrayLike | None, size: int) -> Floats:
    """Return (size,) finite numbers ≥ 0; all alike where none are given."""
    if values is None:
        return np.ones(size)
    array = _numbers(name, values).astype(float)
    if array.shape != (size,):
        raise InputError("matrix_size", name=name, size=size, given=str(array.shape))
    wrong = ~np.isfinite(array) | (array < 0)
    if wrong.any():
        at = int(wrong.argmax())
        raise InputError("matrix_negative", name=name, at=at, value=float(array[at]))
    if len(array) and array.max() > np.finfo(float).max / len(array):
        raise InputError("matrix_large", name=name)
    return array


def _refuse_large(walk: sparse.csr_array, weight: Floats) -> None:
    """Refuse walks whose weighted sum leaves no room for the bounds that are computed from it."""
    farthest = walk.max(axis=1).toarray().ravel()
    most = _MOST / len(weight)
    if (farthest > most / np.maximum(weight, 1.0)).any():
        raise InputError("matrix_large", name="weights × cost_matrix")


def _count(p: Any, most: int) -> int:
    try:
        number = operator.index(p) if not isinstance(p, (float, np.floating)) else int(p)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if isinstance(p, (bool, np.bool_)) or number != p or not 0 < number <= most:
        raise InputError("matrix_p", p=p, facilities=most)
    return number


def _columns(predefined: ArrayLike | None, n: int) -> Ints:
    """Return the predefined columns, given as numbers or as a mask of True and False."""
    if predefined is None:
        return np.zeros(0, np.int64)
    given = np.asarray(predefined)
    if given.dtype.kind == "b" and given.shape == (n,):
        return np.flatnonzero(given)
    if given.size == 0 and given.ndim == 1:
        return np.zeros(0, np.int64)
    if given.ndim != 1 or given.dtype.kind not in "iuf" or (given != np.rint(given)).any():
        raise InputError("matrix_predefined", facilities=n)
    columns, count = np.unique(given, return_counts=True)
    # A column that is named twice is a sign of a 0/1 array, which would be read as the numbers 0 and 1.
    if columns[0] < 0 or columns[-1] >= n or count.max() > 1:
        raise InputError("matrix_predefined", facilities=n)
    return columns.astype(np.int64)
