"""The pass over all pairs against an OR written out unit by unit, with weeks of one word and of several."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner import weeks
from planner.reach import Reach
from planner.weeks import Rows, different, tally, united


def reach_of(near: np.ndarray) -> Reach:
    demand, site = (found.astype(np.int32) for found in np.nonzero(near))
    metres = np.ones(len(demand), np.uint32)
    return Reach(*near.shape, cutoff_m=1.0, demand=demand, site=site, distance_mm=metres, access_share=1.0)


def by_hand(near: np.ndarray, place: np.ndarray, mask: np.ndarray) -> np.ndarray:
    flags = np.zeros((near.shape[1], mask.shape[1]), dtype=bool)
    flags[place] = mask
    return np.array([flags[row].any(axis=0) for row in near]).reshape(len(near), mask.shape[1])


@given(st.integers(0, 100_000))
def test_each_unit_has_the_union_of_what_it_reaches(seed: int):
    rng = np.random.default_rng(seed)
    n, places = rng.integers(1, 30), int(rng.integers(1, 9))
    near = rng.random((n, places)) < rng.random()
    place = np.flatnonzero(rng.random(places) < 0.7)
    # Half-hours alike in blocks make few classes; each for itself makes more than a word of 64 holds.
    masks = [
        np.repeat(np.eye(14, dtype=bool)[rng.integers(0, 14, len(place))], 24, axis=1),
        np.repeat(rng.random((len(place), 14)) < 0.5, 24, axis=1),
        rng.random((len(place), 336)) < 0.5,
        rng.random((len(place), 1)) < 0.5,
    ]
    within, found = united(reach_of(near), place, [different(mask) for mask in masks])
    assert within.tolist() == near[:, place].sum(axis=1).tolist()
    for mask, (number, rows) in zip(masks, found, strict=True):
        assert (rows[number] == by_hand(near, place, mask)).all()
        assert not rows[0].any() and len(np.unique(rows, axis=0)) == len(rows)


def test_blocks_and_the_order_of_units_change_nothing(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(1)
    near, mask = rng.random((40, 6)) < 0.4, rng.random((6, 336)) < 0.3
    within, ((number, rows),) = united(reach_of(near), np.arange(6), [different(mask)])
    monkeypatch.setattr(weeks, "_BLOCK", 5)
    again, ((other, same),) = united(reach_of(near[::-1]), np.arange(6), [different(mask)])
    assert (again[::-1] == within).all() and (other[::-1] == number).all()
    assert {row.tobytes() for row in same} == {row.tobytes() for row in rows}


def test_places_without_any_flag_count_only_as_within():
    near = np.array([[1, 1], [0, 1], [0, 0]], dtype=bool)
    within, ((number, rows),) = united(
        reach_of(near), np.array([0, 1]), [Rows(np.ones((1, 3), bool), np.array([0, -1]))]
    )
    assert within.tolist() == [2, 1, 0] and rows[number].tolist() == [[True] * 3, [False] * 3, [False] * 3]


def test_people_by_number_and_group():
    numbers, group, weight = [np.array([0, 1, 1]), np.array([2, 2, 0])], np.array([0, 1, 1]), np.array([5.0, 2.0, 4.0])
    first, second = tally(numbers, [2, 3], group, weight, 2)
    assert first.tolist() == [[5, 0], [0, 6]] and second.tolist() == [[0, 4], [0, 0], [5, 2]]
