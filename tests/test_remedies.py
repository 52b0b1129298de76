"""Remedies against doing each action alone and measuring coverage anew."""

import numpy as np
import pandas as pd
import pytest

from planner.actions import possible_actions, sites_after
from planner.coverage import offers
from planner.intake import read_inputs
from planner.pipeline import Result, cover, group_profiles
from planner.remedies import CLOSED, gains_by_gap


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
