"""What may be done where: worked out by hand on four places."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import Point

from planner.actions import possible_actions, sites_after
from planner.hours import week_mask


def places(**columns: list[object]) -> gpd.GeoDataFrame:
    frame = {
        "id": ["S1", "C1", "C2"],
        "name": ["甲", "乙", "丙"],
        "tier": ["township"] * 3,
        "kind": ["bank", "toilet", "bank"],
        "status": ["existing", "candidate", "candidate"],
        "mode": ["co_host", "", ""],
        "modes": ["", "joint_build;self_build", "co_host"],
        "host": ["农业银行", "环卫所", "工商银行"],
        "opening_hours": ["Mo-Fr 09:00-17:00", "05:00-23:00", "09:00-17:00"],
        "services": ["rest;water", "toilet", "rest"],
        "capacity": [2.0, np.nan, np.nan],
        "address": ["", "", ""],
        "zone": ["Z1", "Z1", ""],
        "source": ["sites.xlsx#2", "candidates.csv#2", "candidates.csv#3"],
        **columns,
    }
    return gpd.GeoDataFrame(frame, geometry=[Point(i, 0) for i in range(3)], crs="EPSG:4547")


def option(action: str, kind: str, mode: str, **said: object) -> dict[str, object]:
    empty = {
        "opening_hours": "",
        "services": "",
        "capacity": np.nan,
        "tier": "",
        "note": "",
        "source": "options.xlsx#2",
    }
    return {"action": action, "kind": kind, "mode": mode, "capital_cost": 1.0, "operating_cost": 0.5, **empty, **said}


OPTIONS = pd.DataFrame(
    [
        option(
            "build",
            "toilet",
            "self_build",
            opening_hours="04:00-22:00",
            services="rest;water",
            capacity=4,
            tier="county",
        ),
        option("build", "toilet", "co_host"),
        option("build", "bank", "co_host"),
        option("build", "bank", "co_host", services="rest;water", capital_cost=2.0),
        option("extend_hours", "bank", "consolidate", opening_hours="Mo-Su 04:30-17:00", services="charging"),
        option("extend_hours", "bank", "consolidate", opening_hours="Mo-Su 18:00-20:00"),
    ]
)


def test_every_allowed_action_and_no_other() -> None:
    actions = possible_actions(places(), OPTIONS)
    assert actions["id"].tolist() == [
        "C1/build/self_build",
        "C2/build/co_host",
        "C2/build/co_host#2",
        "S1/extend_hours/consolidate",
        "S1/extend_hours/consolidate#2",
    ]
    assert actions["place"].tolist() == [1, 2, 2, 0, 0]
    assert actions["site"].tolist() == ["C1", "C2", "C2", "S1", "S1"]


def test_what_an_option_leaves_empty_is_the_places_own() -> None:
    actions = possible_actions(places(), OPTIONS).set_index("id")
    own, hosts = actions.loc["C1/build/self_build"], actions.loc["C2/build/co_host"]
    assert (own["opening_hours"], own["services"], own["capacity"], own["tier"]) == (
        "04:00-22:00",
        "rest;water",
        4.0,
        "county",
    )
    assert (hosts["opening_hours"], hosts["services"], hosts["tier"]) == ("09:00-17:00", "rest", "township")
    assert np.isnan(hosts["capacity"])


def test_longer_hours_are_added_to_what_is_there() -> None:
    actions = possible_actions(places(), OPTIONS).set_index("id")
    whole, evening = actions.loc["S1/extend_hours/consolidate"], actions.loc["S1/extend_hours/consolidate#2"]
    assert whole["opening_hours"] == "Mo-Su 04:30-17:00"
    assert whole["services"] == "rest;water;charging"
    assert whole["capacity"] == 2.0
    both = week_mask("Mo-Fr 09:00-17:00") | week_mask("18:00-20:00")
    assert (week_mask(evening["opening_hours"]) == both).all()


@pytest.mark.parametrize("old", ["Mo-Fr 09:00-17:00; Sa,Su 09:00-16:00", "24/7", "Mo-Fr 09:00-12:00,14:00-17:00", ""])
@pytest.mark.parametrize("new", ["Mo-Su 04:30-10:00", "Sa 08:00-09:00; Su 10:00-11:00", "22:00-02:00", ""])
def test_hours_of_an_extension_hold_both(old: str, new: str) -> None:
    sites = places(opening_hours=[old, "", ""])
    options = pd.DataFrame([option("extend_hours", "bank", "consolidate", opening_hours=new)])
    hours = possible_actions(sites, options)["opening_hours"].iloc[0]
    assert (week_mask(hours) == (week_mask(old) | week_mask(new))).all()


def test_forbidden_places_get_no_action() -> None:
    assert set(possible_actions(places(), OPTIONS, forbidden=["C2", "S1"])["site"]) == {"C1"}


def test_no_options_no_actions() -> None:
    actions = possible_actions(places(), OPTIONS.iloc[:0])
    assert len(actions) == 0 and "place" in actions


def test_order_of_options_of_different_kinds_changes_nothing() -> None:
    turned = pd.concat([OPTIONS.iloc[2:], OPTIONS.iloc[:2]])
    pd.testing.assert_frame_equal(possible_actions(places(), OPTIONS), possible_actions(places(), turned))


def test_sites_after_keep_what_no_action_touches() -> None:
    sites = places()
    actions = possible_actions(sites, OPTIONS).set_index("id", drop=False)
    after = sites_after(sites, actions.loc[["C1/build/self_build", "S1/extend_hours/consolidate"]])
    assert after["status"].tolist() == ["upgraded", "chosen", "candidate"]
    assert after["mode"].tolist() == ["co_host", "self_build", ""]
    assert sites["status"].tolist() == ["existing", "candidate", "candidate"]
