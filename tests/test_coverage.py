"""Coverage on the small study, worked out on paper, and against a person-by-person, hour-by-hour brute force."""

import numpy as np
import pandas as pd
import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.capacity import serve
from planner.coverage import (
    Offers,
    clock,
    gini,
    host_hours,
    indicators,
    measure,
    offers,
    service_shares,
    standing_sites,
    weighted_quantile,
)
from planner.hours import HALF_HOURS, week_mask
from planner.network import from_lines, locate
from planner.reach import Reach, nearest, reach

RADIUS_M = 500.0


def reach_of(distance_m: np.ndarray) -> Reach:
    """Return the pairs within the radius of a dense matrix (units × places; inf: unreachable)."""
    demand, site = np.nonzero(distance_m <= RADIUS_M)
    order = np.lexsort([site, distance_m[demand, site], demand])
    demand, site = demand[order].astype(np.int32), site[order].astype(np.int32)
    millimetres = np.rint(distance_m[demand, site] * 1000).astype(np.uint32)
    return Reach(*distance_m.shape, RADIUS_M, demand, site, millimetres)


def nearest_of(distance_m: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(place):
        return np.full(len(distance_m), -1), np.full(len(distance_m), np.nan)
    best = distance_m[:, place].argmin(axis=1)
    metres = distance_m[np.arange(len(distance_m)), place[best]]
    return np.where(np.isfinite(metres), place[best], -1), np.where(np.isfinite(metres), metres, np.nan)


@st.composite
def districts(draw: st.DrawFn):
    n_units, n_places = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    distance_m = rng.choice([0.0, 100.0, 400.0, 500.0, 501.0, 900.0, np.inf], size=(n_units, n_places))
    stands = np.flatnonzero(rng.random(n_places) < 0.7)
    mask = rng.random((len(stands), HALF_HOURS)) < 0.4
    serves = rng.random(len(stands)) < 0.7
    profiles = {g: (rng.random(HALF_HOURS) < 0.3) * rng.choice([0.5, 1.0]) for g in "ab"}
    for profile in profiles.values():
        profile[0] = 1.0
    demand = pd.DataFrame(
        {
            "group": rng.choice(list("ab"), n_units),
            "zone": rng.choice(["X", "Y"], n_units),
            "weight": rng.integers(0, 5, n_units).astype(float),
        }
    )
    return distance_m, Offers(stands, mask, serves), demand, profiles


def measured(distance_m, standing, demand, profiles):
    group = demand["group"].map(list(profiles).index).to_numpy()
    near = nearest_of(distance_m, standing.place)
    straight_m = np.full(len(distance_m), np.inf)
    return measure(reach_of(distance_m), near, straight_m, standing, group, np.stack(list(profiles.values())))


@settings(max_examples=30)
@given(districts())
def test_every_figure_equals_a_count_person_by_person_and_hour_by_hour(district):
    distance_m, standing, demand, profiles = district
    coverage = measured(*district)
    for group in [None, "a", "b"]:
        rows = [i for i in range(len(demand)) if group in (None, demand["group"][i])]
        total = sum(demand["weight"][i] for i in rows)
        if not total:
            continue
        found = indicators(demand, coverage, profiles)
        found = found if group is None else found["by_group"][group]
        near = [[s for s in standing.place if distance_m[i, s] <= RADIUS_M] for i in range(len(demand))]
        worked = met = 0.0
        for i in rows:
            profile = profiles[demand["group"][i]]
            for h in range(HALF_HOURS):
                people = demand["weight"][i] * profile[h]
                worked += people
                at = list(standing.place)
                met += people * any(standing.mask[at.index(s), h] and standing.serves[at.index(s)] for s in near[i])
        assert found["total_weight"] == pytest.approx(total)
        assert found["share"] == pytest.approx(sum(demand["weight"][i] for i in rows if near[i]) / total)
        assert found["covered_weight"] == pytest.approx(found["share"] * total)
        assert found["backup_share"] == pytest.approx(
            sum(demand["weight"][i] for i in rows if len(near[i]) > 1) / total
        )
        assert found["effective_share"] == pytest.approx(met / worked)


@given(districts())
def test_groups_and_zones_add_up_to_the_whole(district):
    _, _, demand, profiles = district
    found = indicators(demand, measured(*district), profiles)
    for part in ("by_group", "by_zone"):
        for key in ("covered_weight", "total_weight"):
            assert sum(f[key] for f in found[part].values()) == pytest.approx(found[key])


@given(districts(), st.integers(0, HALF_HOURS - 1))
def test_a_site_an_hour_or_a_service_more_never_lowers_coverage(district, hour: int):
    distance_m, standing, demand, profiles = district
    before = measured(*district)
    richer = [Offers(standing.place, standing.mask | (np.arange(HALF_HOURS) == hour), standing.serves)]
    richer.append(Offers(standing.place, standing.mask, np.ones_like(standing.serves)))
    missing = np.setdiff1d(np.arange(distance_m.shape[1]), standing.place)[:1]
    place = np.append(standing.place, missing)
    mask = np.vstack([standing.mask, np.ones((len(missing), HALF_HOURS), bool)])
    richer.append(Offers(place, mask, np.append(standing.serves, np.ones(len(missing), bool))))
    for more in richer:
        after = measured(distance_m, more, demand, profiles)
        assert (after.effective_share >= before.effective_share - 1e-12).all()
        assert (after.sites_within >= before.sites_within).all()


@settings(max_examples=30)
@given(districts())
def test_the_clock_adds_up_to_the_effective_share(district):
    _, _, demand, profiles = district
    coverage = measured(*district)
    found = clock(demand, coverage, profiles)
    for group, figures in indicators(demand, coverage, profiles)["by_group"].items():
        if figures["total_weight"]:
            hours = found[group].to_numpy()
            assert (np.isnan(hours) == (profiles[group] == 0)).all()
            assert np.nansum(hours * profiles[group]) / profiles[group].sum() == pytest.approx(
                figures["effective_share"]
            )


def test_effective_share_of_a_bank_and_an_early_shift():
    # Banks 9-17, early shift 4:30-10:00: two of eleven half-hours, 18 %.
    sites = pd.DataFrame({"opening_hours": ["Mo-Su 09:00-17:00"], "services": ["rest;water"], "status": ["existing"]})
    standing = standing_sites(sites, ("rest", "water"))
    profile = np.zeros((1, HALF_HOURS))
    for day in range(7):
        profile[0, day * 48 + 9 : day * 48 + 20] = 1
    distance_m = np.array([[100.0]])
    coverage = measure(
        reach_of(distance_m), nearest_of(distance_m, standing.place), np.zeros(1), standing, np.zeros(1, int), profile
    )
    assert coverage.effective_share[0] == pytest.approx(2 / 11)


def test_reasons_of_loss_are_kept_apart():
    table = pd.DataFrame({"opening_hours": ["24/7", "Mo-Su 00:00-12:00"], "services": ["rest", "rest;water"]})
    standing = offers(table, np.array([0, 1]), ("rest", "water"))
    distance_m = np.array([[10.0, 10.0], [10.0, 900.0]])
    near, group = nearest_of(distance_m, standing.place), np.zeros(2, int)
    coverage = measure(reach_of(distance_m), near, np.zeros(2), standing, group, np.ones((1, HALF_HOURS)))
    assert coverage.open_share.tolist() == [1.0, 1.0]
    assert coverage.equipped_share.tolist() == [1.0, 0.0]
    assert coverage.effective_share.tolist() == [0.5, 0.0]


def test_candidates_and_closed_sites_do_not_stand():
    sites = pd.DataFrame(
        {"opening_hours": "24/7", "services": "", "status": ["existing", "candidate", "closed", "upgraded", "chosen"]}
    )
    assert standing_sites(sites, ()).place.tolist() == [0, 3, 4]


def test_no_site_at_all():
    demand = pd.DataFrame({"group": ["a"], "zone": [""], "weight": [3.0]})
    nothing = Offers(np.zeros(0, np.int64), np.zeros((0, HALF_HOURS), bool), np.zeros(0, bool))
    coverage = measured(np.array([[10.0]]), nothing, demand, {"a": np.ones(HALF_HOURS)})
    found = indicators(demand, coverage, {"a": np.ones(HALF_HOURS)})
    assert (found["share"], found["effective_share"], found["mean_m"], found["unreachable_share"]) == (0, 0, None, 1)


@pytest.mark.parametrize(
    ("values", "weights", "q", "expected"),
    [([1, 2, 3], [1, 1, 1], 0.9, 3), ([3, 1], [1, 9], 0.9, 1), ([5], [2], 0.9, 5), ([1, 2], [0, 1], 0.0, 1)],
)
def test_weighted_quantile(values: list[float], weights: list[float], q: float, expected: float):
    assert weighted_quantile(np.array(values, float), np.array(weights, float), q) == expected


def test_gini_by_pairs_of_people():
    values, weights = np.array([0.0, 0.5, 1.0]), np.array([2.0, 1.0, 1.0])
    people = np.repeat(values, weights.astype(int))
    pairs = np.abs(people[:, None] - people[None]).mean()
    assert gini(values, weights) == pytest.approx(pairs / (2 * people.mean()))
    assert gini(np.ones(3), weights) == pytest.approx(0) and gini(np.zeros(3), weights) is None


@settings(max_examples=30)
@given(districts(), st.integers(0, 2**32 - 1))
def test_each_service_alone_is_coverage_with_that_service_required(district, seed: int):
    distance_m, standing, demand, profiles = district
    if not demand["weight"].sum():
        return
    rng = np.random.default_rng(seed)
    services = [frozenset(s for s in ("rest", "water", "toilet") if rng.random() < 0.5) for _ in standing.place]
    codes, weight = demand["group"].map(list(profiles).index).to_numpy(), demand["weight"].to_numpy(dtype=float)
    who = weight, codes, np.stack(list(profiles.values()))
    found = service_shares(reach_of(distance_m), standing, services, ["rest", "water", "toilet"], *who)
    for name, figures in found.items():
        has = np.array([name in offer for offer in services], dtype=bool)
        alone = indicators(
            demand, measured(distance_m, Offers(standing.place, standing.mask, has), demand, profiles), profiles
        )
        assert figures["effective_share"] == pytest.approx(alone["effective_share"])
        assert figures["share"] == pytest.approx(alone["equipped_share"])


PAPER = """
    a---A--b----B-----c

    d--+
"""


@pytest.fixture(scope="module")
def paper():
    """A district worked out on paper: 100 m a character, radius 500 m, rest and water required.

    a - A 400 m, A - b 300 m, b - B 500 m, B - c 600 m; d's street leads nowhere. A has both services and is open 0-12, B has no water
    and is open 6-18. Sweepers work 4-12: ten at a, six at c, four at d. Twenty couriers at b work 8-16.
    """
    town = toys.toy(PAPER)
    network = from_lines(town.streets)
    sites, units = locate(network, town.sites.geometry), locate(network, town.demand.geometry)
    frame = pd.DataFrame({"opening_hours": ["00:00-12:00", "06:00-18:00"], "services": ["rest;water", "rest"]})
    standing = offers(frame, np.arange(2), ("rest", "water"))
    profiles = {"s": week_mask("04:00-12:00").astype(float), "k": week_mask("08:00-16:00").astype(float)}
    demand = pd.DataFrame(
        {"group": ["s", "k", "s", "s"], "zone": ["W", "W", "E", "E"], "weight": [10.0, 20.0, 6.0, 4.0]}
    )
    pairs, group = reach(network, units, sites, cutoff_m=RADIUS_M), np.array([0, 1, 0, 0])
    straight_m = town.demand.geometry.apply(lambda unit: town.sites.distance(unit).min()).to_numpy()
    coverage = measure(
        pairs, nearest(network, units, sites), straight_m, standing, group, np.stack(list(profiles.values()))
    )
    return coverage, demand, profiles, pairs, standing, group


def test_every_indicator_on_paper(paper):
    coverage, demand, profiles, *_ = paper
    found = indicators(demand, coverage, profiles)
    assert {key: value for key, value in found.items() if not isinstance(value, dict)} == pytest.approx(
        {
            "share": 30 / 40,  # a and b
            "covered_weight": 30,
            "total_weight": 40,
            "effective_share": 20 / 40,  # a throughout; b from 8 to 12 of 8 to 16
            "backup_share": 20 / 40,  # b
            "mean_m": (10 * 400 + 20 * 300 + 6 * 600) / 36,
            "p90_m": 600,  # 30 of 36 within 400 m
            "worst_m": 600,
            "unreachable_share": 4 / 40,  # d
            "circle_share": 34 / 40,  # d is 447 m from A as the crow flies
            "open_share": 30 / 40,  # from 12 on b has B, without water
            "equipped_share": 30 / 40,
            "all_hours_share": 10 / 40,  # a
            # 10 people have 1, 20 a half, 10 nothing: mean difference 2 × (10·20·½ + 20·10·½ + 10·10·1) ÷ 40², mean ½.
            "gini": 600 / 1600 / 2 / 0.5,
        }
    )
    groups, zones = found["by_group"], found["by_zone"]
    assert [groups[g]["effective_share"] for g in "sk"] == pytest.approx([0.5, 0.5])
    assert [groups[g]["gini"] for g in "sk"] == pytest.approx([0.5, 0.0])
    assert [zones[z]["effective_share"] for z in "WE"] == pytest.approx([20 / 30, 0.0])
    at = clock(demand, coverage, profiles)
    # Wednesday 5:00: ten of twenty sweepers; nobody else works. 12:00: b's only open door has no water.
    assert at["s"].iloc[2 * 48 + 10] == 0.5 and np.isnan(at["k"].iloc[2 * 48 + 10]) and at["k"].iloc[2 * 48 + 24] == 0


def test_services_seats_and_hosts_on_paper(paper):
    coverage, demand, profiles, pairs, standing, group = paper
    weight, profile = demand["weight"].to_numpy(), np.stack(list(profiles.values()))
    offered = [frozenset({"rest", "water"}), frozenset({"rest"})]
    alone = service_shares(pairs, standing, offered, ["rest", "water", "toilet"], weight, group, profile)
    assert alone["rest"] == pytest.approx({"share": 0.75, "effective_share": 0.75})
    assert alone["water"] == pytest.approx({"share": 0.75, "effective_share": 0.5})
    assert alone["toilet"] == {"share": 0, "effective_share": 0}
    # One seat at A, a twentieth of working time on it: half a seat for a, one for b. From 8 to 12 they share two thirds each.
    seats = np.array([1.0, 9.0])
    found = serve(pairs, standing, seats, weight, group, profile, seat_share=0.05)
    assert found.served_share == pytest.approx([(8 + 8 * 2 / 3) / 16, 8 * 2 / 3 / 16, 0, 0], abs=1e-6)
    assert found.load == pytest.approx([(8 * 0.5 + 8 * 1) / 24, 0], abs=1e-6)
    assert found.accepted_share == pytest.approx(coverage.effective_share)
    # If half of the couriers would enter, there is room for all who would.
    half = serve(
        pairs, standing, seats, weight, group, profile, seat_share=0.05, acceptance=np.array([[1.0, 1.0], [0.5, 1.0]])
    )
    assert half.served_share == pytest.approx([1, 0.25, 0, 0], abs=1e-6)
    assert half.accepted_share == pytest.approx([1, 0.25, 0, 0])


def test_what_hosts_miss_of_a_shift():
    sites = pd.DataFrame({"kind": ["bank", "bank", "toilet"], "opening_hours": ["09:00-17:00", "", "24/7"]})
    found = host_hours(sites, [("s", "early", "Mo-Su 04:30-10:00")]).set_index("kind")
    # Two of eleven half-hours at one bank, none at the one whose hours nobody wrote down.
    assert found["open_share"].to_dict() == pytest.approx({"bank": 1 / 11, "toilet": 1.0})
    assert found["sites"].to_dict() == {"bank": 2, "toilet": 1}


def test_a_shift_of_public_holidays_alone_says_nothing_of_hosts():
    sites = pd.DataFrame({"kind": ["bank"], "opening_hours": ["09:00-17:00"]})
    found = host_hours(sites, [("s", "holidays", "PH 08:00-12:00"), ("s", "day", "08:00-12:00")])
    assert found["shift"].tolist() == ["day"] and found["open_share"].tolist() == pytest.approx([6 / 8])
