"""Remedies against doing each action alone and measuring coverage anew."""

import numpy as np
import pandas as pd
import pytest

from planner.actions import possible_actions, sites_after
from planner.coverage import Offers, offers
from planner.intake import read_inputs
from planner.pipeline import Result, cover, group_profiles
from planner.reach import Reach
from planner.remedies import CLOSED, gains_by_gap, seat_gains_by_gap


def brute_force(result: Result):
    inputs = read_inputs(result.study)
    actions = possible_actions(inputs.sites, inputs.options)
    gains = np.zeros((len(result.gaps), len(actions)))
    for j in range(len(actions)):
        sites = sites_after(inputs.sites, actions.iloc[[j]])
        after = cover(result.study, sites, inputs.demand, result.walks, result.profiles)
        for g, gap in enumerate(result.gaps["id"]):
            rows = (result.demand["gap"] == gap).to_numpy()
            more = after.effective_share[rows] - result.coverage[0].effective_share[rows]
            gains[g, j] = (result.demand["weight"].to_numpy()[rows] * more).sum()
    return inputs, actions, gains


def test_gains_equal_a_new_measurement_and_the_remedy_is_the_cheapest_that_closes(small_result: Result):
    inputs, actions, expected = brute_force(small_result)
    number = {gap: row for row, gap in enumerate(small_result.gaps["id"])}
    found = gains_by_gap(
        np.array([number.get(gap, -1) for gap in small_result.demand["gap"]]),
        inputs.demand["weight"].to_numpy(),
        *group_profiles(inputs.demand, small_result.profiles),
        small_result.coverage[0],
        small_result.walks.reach,
        offers(actions, actions["place"].to_numpy(), small_result.study.standard.services),
        n_gaps=len(small_result.gaps),
    )
    assert np.allclose(found.toarray(), expected, atol=1e-9)
    cost = (actions["capital_cost"] + actions["operating_cost"]).to_numpy()
    for g, gap in enumerate(small_result.gaps.to_dict("records")):
        closing = expected[g] >= CLOSED * gap["weight"]
        if closing.any():
            assert gap["remedy_share"] >= CLOSED
            assert gap["remedy_cost"] + gap["remedy_operating_cost"] == pytest.approx(cost[closing].min())
        elif expected[g].max() > 1e-9:
            assert gap["remedy_gain"] == pytest.approx(expected[g].max())
        else:
            assert pd.isna(gap["remedy"]) and gap["remedy_gain"] == 0


def test_some_gap_can_be_closed_and_some_cannot(small_result: Result):
    shares = small_result.gaps["remedy_share"]
    assert (shares >= CLOSED).any() and (shares < CLOSED).any()


def test_seats_added_serve_at_most_whom_they_reach_suit_and_hold():
    """Two people at one place work 10 half-hours; a seat is needed half of the time.

    A door with 1 seat that is open for 4 of the 10 half-hours gives each of them at most 0.4 of their time; its 4 seat-half-hours hold
    4 ÷ (10 × ½) = 0.8 people. Who would not go there counts by the share that would.
    """
    reach = Reach(n_demand=2, n_sites=1, cutoff_m=500.0, demand=np.array([0, 1], np.int32), site=np.array([0, 0], np.int32),
                  distance_mm=np.array([1, 1], np.uint32), access_share=1.0)  # fmt: skip
    profile = np.zeros((1, 336))
    profile[0, :10] = 1.0
    mask = np.zeros((1, 336), dtype=bool)
    mask[0, 6:20] = True
    door = Offers(place=np.array([0]), mask=mask, serves=np.array([True]))

    def gains(weight: list[float], lost: list[float], seats: float, accepts: float) -> float:
        found = seat_gains_by_gap(
            np.array([0, 0]), np.array(lost), np.array(weight), np.array([0, 0]), profile, reach, door, seats * mask,
            accepts=np.array([[accepts]]), seat_share=0.5, n_gaps=1,
        )  # fmt: skip
        return float(found.toarray()[0, 0])

    assert gains([1, 1], [1, 1], seats=9, accepts=1) == pytest.approx(0.8)
    assert gains([1, 1], [1, 0.1], seats=9, accepts=1) == pytest.approx(0.5)
    assert gains([1, 1], [1, 1], seats=9, accepts=0.5) == pytest.approx(0.4)
    # 14 half-hours are open, but only 4 of them are worked: the other seats help nobody.
    assert gains([5, 5], [5, 5], seats=1, accepts=1) == pytest.approx(0.8)
    assert gains([5, 5], [5, 5], seats=0, accepts=1) == 0
