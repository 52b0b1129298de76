"""Reach × hours × services -> the siting problem: which action covers which (demand, hour) units.

Takes pairs of demand and place within the service radius, week masks and costs; gives a `SitingProblem` in which units that the
same actions cover are merged, so that it is as small as it can be without changing any plan's value.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from planner.siting.problem import Floats, Ints, SitingProblem

if TYPE_CHECKING:
    from planner.coverage import Offers

Bools = NDArray[np.bool_]


def covering_problem(
    reach_demand: Ints,
    reach_place: Ints,
    n_demand: int,
    *,
    weight: Floats,
    group: Ints,
    profile: Floats,
    existing: "Offers",
    actions: "Offers",
    capital_cost: Floats,
    operating_cost: Floats,
    budget: Sequence[float] | Floats,
    year_weight: Sequence[float] | Floats | None = None,
    carry_over: bool = True,
    required: Sequence[int] = (),
    objective: Literal["effective", "share"] = "effective",
) -> SitingProblem:
    """Build the covering problem over (demand × working half-hour) units.

    Its objective is Σ_t year_weight_t × effective_share at the end of year t, existing sites and plan together; with
    ``objective="share"`` it is Σ_t year_weight_t × share, for which hours and services do not matter.

    Args:
        reach_demand, reach_place: (n_pairs,) pairs within the service radius, each once.
        n_demand: number of demand units.
        weight: (n_demand,) people.
        group: (n_demand,) row of ``profile`` of each demand unit.
        profile: (n_groups × half-hours) fraction of the group that is at work.
        existing: the existing sites as they are.
        actions: each action with its place as it would be after the action.
        capital_cost, operating_cost: (n_actions,).
        budget: (n_years,).
        year_weight: (n_years,) summing to one; default: all years alike.
        carry_over: whether unspent money stays for later years.
        required: places that must get an action.
        objective: what is maximised.
    """
    if objective == "share":
        profile = np.ones((len(profile), 1))
        existing, actions = _always(existing), _always(actions)
    classes, class_profile = _hour_classes(existing, actions, profile)
    hours = classes.shape[1]
    n_existing = len(existing.place)
    serves = np.concatenate([existing.serves, actions.serves])
    place = np.concatenate([existing.place, actions.place])
    n_places = int(max(reach_place.max(initial=-1), place.max(initial=-1))) + 1

    # Demand units that reach the same places are one; their weight is kept for each group.
    matrix = sparse.csr_array((np.ones(len(reach_demand), bool), (reach_demand, reach_place)), (n_demand, n_places))
    same = _same_rows(matrix)
    n_same = int(same.max(initial=-1)) + 1
    first = np.full(n_same, n_demand)
    np.minimum.at(first, same, np.arange(n_demand))
    by_group = np.zeros((n_same, len(profile)))
    np.add.at(by_group, (same, group), weight)
    worth = by_group @ class_profile
    total = float(worth.sum())
    worth /= total if total > 0 else 1.0

    # Places reached -> offers there, existing ones first; then one block of units for each class of hours.
    offers_at = sparse.csr_array((np.ones(len(place), np.int8), (place, np.arange(len(place)))), (n_places, len(place)))
    reached = (matrix[first].astype(np.int8) @ offers_at).tocsr()
    blocks, unit_weight, constant = [], [], 0.0
    for h in range(hours):
        counts = (classes[:, h] & serves).astype(np.int8)
        covering = (reached @ sparse.diags_array(counts, dtype=np.int8)).tocsr()
        covering.eliminate_zeros()
        covered = np.diff(covering[:, :n_existing].indptr) > 0
        constant += float(worth[covered, h].sum())
        by_actions = covering[:, n_existing:].tocsr()
        open_units = np.flatnonzero(~covered & (worth[:, h] > 0) & (np.diff(by_actions.indptr) > 0))
        blocks.append(by_actions[open_units])
        unit_weight.append(worth[open_units, h])
    stacked = (
        sparse.vstack(blocks, format="csr") if blocks else sparse.csr_array((0, len(actions.place)), dtype=np.int8)
    )
    merged_weight, cover = merge_units(np.concatenate([np.zeros(0), *unit_weight]), stacked)
    n_years = len(budget)
    return SitingProblem(
        unit_weight=merged_weight,
        cover=cover,
        capital_cost=np.asarray(capital_cost, float),
        operating_cost=np.asarray(operating_cost, float),
        place=np.asarray(actions.place, np.int64),
        budget=np.asarray(budget, float),
        year_weight=np.full(n_years, 1 / n_years) if year_weight is None else np.asarray(year_weight, float),
        constant=constant,
        carry_over=carry_over,
        required=tuple(int(p) for p in required),
        people=float(weight.sum()),
        reductions={"demand": n_demand, "hour_classes": hours, "units_before": n_demand * hours},
    )


def merge_units(weight: Floats, cover: sparse.csr_array) -> tuple[Floats, sparse.csr_array]:
    """Merge units that the same actions cover, adding their weights; exact. Units keep the order of their first row."""
    same = _same_rows(cover)
    n_same = int(same.max(initial=-1)) + 1
    first = np.full(n_same, cover.shape[0])
    np.minimum.at(first, same, np.arange(cover.shape[0]))
    merged = cover[first].astype(np.int8)
    merged.data[:] = 1
    return np.bincount(same, weights=weight, minlength=n_same).astype(float), merged


def _same_rows(matrix: sparse.csr_array) -> Ints:
    """Number rows so that rows with the same stored columns share a number, in order of first appearance."""
    matrix.sort_indices()
    indices = np.ascontiguousarray(matrix.indices, np.int32)
    raw, ends = indices.tobytes(), matrix.indptr.tolist()
    numbers: dict[bytes, int] = {}
    return np.fromiter(
        (numbers.setdefault(raw[4 * a : 4 * b], len(numbers)) for a, b in pairwise(ends)),
        np.int64,
        count=len(ends) - 1,
    )


def _always(offers: "Offers") -> "Offers":
    n = len(offers.place)
    return replace(offers, mask=np.ones((n, 1), bool), serves=np.ones(n, bool))


def _hour_classes(existing: "Offers", actions: "Offers", profile: Floats) -> tuple[Bools, Floats]:
    """Join half-hours in which the same places are open: masks by class, and each group's working time in each class."""
    masks = np.vstack([existing.mask, actions.mask])
    worked = np.flatnonzero(profile.sum(axis=0) > 0)
    classes, number = np.unique(masks[:, worked], axis=1, return_inverse=True)
    joined = np.zeros((classes.shape[1], len(profile)))
    np.add.at(joined, number.ravel(), profile[:, worked].T)
    return classes, joined.T
