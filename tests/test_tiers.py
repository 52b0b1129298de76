"""Rules of the tiers on a drawn district, every verdict worked out on paper.

        a---A----+---B---b     100 m a character: a A 400 m, A B 900 m, B b 400 m
                 |
                 c              400 m below the junction, which is 500 m from A and 400 m from B

Zones: W holds a and A, E all the rest; both lie in the county N. a is a zone's 30 workers, b 50, c an enterprise of 20.
"""

import numpy as np
import pytest
import shapely
import toys

from planner.coverage import standing_sites
from planner.network import from_lines, locate
from planner.study import TierRule
from planner.tiers import Ground, judge_tiers, tier_matrix

TOWN = toys.toy("""
    a---A----+---B---b
             |
             |
             |
             c
""")


def ground(**changes) -> Ground:
    network = from_lines(TOWN.streets)
    sites = TOWN.sites.assign(
        tier=changes.get("tiers", ["township", "county"]),
        role=changes.get("roles", ["rest_station", "service_centre"]),
        status=changes.get("status", "existing"),
        zone=["W", "E"],
        opening_hours="24/7",
        services="rest;water",
    )
    demand = TOWN.demand.assign(
        weight=[30.0, 50.0, 20.0], zone=["W", "E", "E"], tier=["", "", "enterprise"], name=["", "", "c & co"]
    )
    west, north = toys.WEST, toys.NORTH
    zones = toys.gpd.GeoDataFrame(
        {"id": ["W", "E"], "name": ["west", ""], "county": changes.get("county", "N")},
        geometry=[shapely.box(west + w, north - 900, west + e, north + 50) for w, e in ((-50, 850), (850, 2000))],
        crs=toys.CRS,
    )  # fmt: skip
    at = locate(network, demand.geometry), locate(network, sites.geometry)
    return Ground(sites, standing_sites(sites, ()), demand, zones, network, at, radius_m=900)


def judged(rule: TierRule, **changes):
    return judge_tiers([rule], ground(**changes)).set_index("place")


def test_a_township_has_the_sites_of_its_tier_that_lie_in_it():
    found = judged(TierRule(tier="township"))
    assert found["met"].to_dict() == {"W": True, "E": False}
    assert found["sites"].tolist() == [1, 0] and found["workers"].tolist() == [30, 70]
    assert found["name"].tolist() == ["west", "E"] and found.loc["W", "site_ids"] == "A"


def test_a_site_of_another_tier_counts_where_the_rule_says_so():
    found = judged(TierRule(tier="township", counts=("county",)))
    assert found["met"].all()
    assert judged(TierRule(tier="county", at_least=2)).loc["N", "met"] == False  # noqa: E712
    upward = judged(TierRule(tier="county", at_least=2, counts=("township",)))
    assert upward.loc["N", "met"] and upward.loc["N", "site_ids"] == "A;B"


def test_only_the_roles_named_count():
    assert judged(TierRule(tier="county", roles=("venue",)))["met"].tolist() == [False]
    assert judged(TierRule(tier="county", roles=("venue", "service_centre")))["met"].tolist() == [True]


@pytest.mark.parametrize(("per_workers", "required"), [(50.0, 2), (49.0, 3), (100.0, 1), (1000.0, 1)])
def test_one_for_so_many_workers_begun(per_workers: float, required: int):
    city = judged(TierRule(tier="city", per_workers=per_workers, counts=("township", "county")))
    assert city["required"].tolist() == [required] and city["met"].tolist() == [required <= 2]


def test_the_walk_counts_people_wherever_the_site_lies():
    # Within 900 m of A or B: a (400), b (400), c (800 from B). Within 500 m: not c.
    both = ("township", "county")
    assert judged(TierRule(tier="city", within_m=900, counts=both))["share"].tolist() == [1.0]
    near = judged(TierRule(tier="city", within_m=500, share=0.8, counts=both))
    assert near["share"].tolist() == [pytest.approx(0.8)] and near["met"].tolist() == [True]
    assert judged(TierRule(tier="city", within_m=500, share=0.81, counts=both))["met"].tolist() == [False]


def test_an_enterprise_has_what_lies_within_the_walk():
    # c is 800 m from B and 900 m from A; the standard's radius is 900 m.
    def at(**rule):
        return judged(TierRule(tier="enterprise", counts=("township", "county"), **rule))

    assert at()["site_ids"].tolist() == ["A;B"]
    assert at(within_m=850)["site_ids"].tolist() == ["B"]
    assert at(within_m=799)["met"].tolist() == [False]
    assert at(from_workers=21).empty
    assert at()["name"].tolist() == ["c & co"] and at()["zone"].tolist() == ["E"]
    assert judged(TierRule(tier="cluster")).empty


def test_a_candidate_is_no_site_yet():
    assert not judged(TierRule(tier="township"), status=["candidate", "candidate"])["met"].any()


def test_the_matrix_has_every_zone_and_tier():
    rules = [
        TierRule(tier="city", counts=("township",)),
        TierRule(tier="county"),
        TierRule(tier="township"),
        TierRule(tier="township", counts=("county",)),
        TierRule(tier="enterprise", within_m=850, counts=("county",)),
    ]
    here = ground()
    matrix = tier_matrix(judge_tiers(rules, here), here.zones)
    assert matrix.to_dict("index") == {
        "W": {"city": "present", "county": "present", "township": "present", "cluster": "", "enterprise": ""},
        "E": {"city": "present", "county": "present", "township": "missing", "cluster": "", "enterprise": "present"},
    }


def test_zones_without_a_county_have_none_to_judge():
    here = ground(county="")
    found = judge_tiers([TierRule(tier="county")], here)
    assert found.empty and (tier_matrix(found, here.zones)["county"] == "").all()


def test_a_site_more_never_unmeets_a_rule():
    rng = np.random.default_rng(5)
    tiers = ["city", "county", "township", "cluster", "enterprise"]
    for _ in range(30):
        counts, least = tuple(rng.choice(tiers, 3)), int(rng.integers(1, 3))
        walk_m = float(rng.integers(300, 1000))
        rule = TierRule(tier=str(rng.choice(tiers)), counts=counts, at_least=least, within_m=walk_m)
        of = [str(tier) for tier in rng.choice(tiers, 2)]
        fewer = judged(rule, tiers=of, status=["existing", "candidate"])["met"]
        assert (judged(rule, tiers=of)["met"] >= fewer).all()
