import itertools
from random import Random

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point
from shapely.ops import substring
from toys import CRS, Toy, toy

from planner import kernels
from planner.areas import reached_streets, service_areas
from planner.errors import InputError
from planner.network import Network, Positions, from_lines, locate, take, without_streets
from planner.reach import (
    Reach,
    add_site,
    cost_matrix,
    k_nearest,
    move_site,
    nearest,
    only_sites,
    reach,
    remove_site,
    rows_by_demand,
    rows_by_site,
    sites_within,
    straight_nearest,
    straight_reach,
    within,
)


def located(town: Toy) -> tuple[Network, Positions, Positions]:
    network = from_lines(town.streets)
    return network, locate(network, town.demand), locate(network, town.sites)


def triplets(found: Reach) -> list[tuple[int, int, float]]:
    return list(zip(found.demand.tolist(), found.site.tolist(), found.distance_m.tolist(), strict=True))


def test_walks_run_along_streets_and_not_through_blocks() -> None:
    town = toy("""
        A--a--+
              |
        b-----+
              |
              +--B
    """)
    site, distance_m = nearest(*located(town))
    assert list(site) == [0, 1]
    assert list(distance_m) == [300, 1100]
    assert triplets(reach(*located(town), cutoff_m=1000)) == [(0, 0, 300), (0, 1, 1000)]


def test_a_walk_on_one_edge_stays_on_it() -> None:
    town = toy("+-A---a-b-B--c")
    assert triplets(reach(*located(town), cutoff_m=400)) == [
        (0, 0, 400),
        (0, 1, 400),
        (1, 1, 200),
        (2, 1, 300),
    ]
    site, distance_m = nearest(*located(town))
    assert list(site) == [0, 1, 1]  # a is as far from A as from B: the first
    assert list(distance_m) == [400, 200, 300]


def test_the_way_round_may_be_shorter_than_the_edge_both_are_on() -> None:
    loop = LineString([(0, 0), (0, 500), (500, 500), (500, 0), (0, 0)])
    network = from_lines(gpd.GeoDataFrame(geometry=[loop], crs=CRS))
    demand = locate(network, gpd.GeoSeries([Point(0, 100), Point(250, 500)], crs=CRS))
    site = locate(network, gpd.GeoSeries([Point(100, 0)], crs=CRS))
    assert list(nearest(network, demand, site)[1]) == [200, 850]
    assert triplets(reach(network, demand, site, cutoff_m=850)) == [(0, 0, 200), (1, 0, 850)]


def test_both_walks_to_the_street_count_by_their_share() -> None:
    town = toy("""
        A

        +------+

            a
    """)
    places = located(town)
    assert nearest(*places)[1][0] == 200 + 400 + 200
    assert nearest(*places, access_share=0.5)[1][0] == 100 + 400 + 100
    assert nearest(*places, access_share=0)[1][0] == 400
    assert len(reach(*places, cutoff_m=799.999)) == 0
    assert triplets(reach(*places, cutoff_m=800)) == [(0, 0, 800)]


def test_what_no_street_leads_to_is_absent() -> None:
    town = toy("""
        A--+  a--+
    """)
    site, distance_m = nearest(*located(town))
    assert list(site) == [-1]
    assert np.isnan(distance_m).all()
    assert len(reach(*located(town), cutoff_m=np.inf)) == 0


def test_a_place_at_a_site_is_zero_metres_away() -> None:
    town = toy("A--+--B")
    network = from_lines(town.streets)
    places = locate(network, town.sites)
    assert triplets(reach(network, places, places, cutoff_m=0)) == [(0, 0, 0), (1, 1, 0)]
    assert cost_matrix(reach(network, places, places, cutoff_m=0)).nnz == 2


def test_no_demand_or_no_sites_give_no_pairs() -> None:
    town = toy("A--a")
    network, demand, sites = located(town)
    none = take(sites, [False])
    assert triplets(reach(network, demand, none, cutoff_m=900)) == []
    assert triplets(reach(network, none, sites, cutoff_m=900)) == []
    assert list(nearest(network, demand, none)[0]) == [-1]
    assert len(nearest(network, none, sites)[0]) == 0


@pytest.mark.parametrize("cutoff_m", [-1, -np.inf, np.nan])
def test_a_cutoff_that_is_none_is_refused(cutoff_m: float) -> None:
    network, demand, sites = located(toy("A--a"))
    with pytest.raises(ValueError, match="not negative"):
        reach(network, demand, sites, cutoff_m=cutoff_m)
    for streets in (network, without_streets(CRS, 1.3)):
        for draw in (reached_streets, service_areas):
            with pytest.raises(ValueError, match="not negative"):
                draw(streets, sites, [100, cutoff_m])


@pytest.mark.parametrize("access_share", [-1, 1.5, np.nan])
def test_a_share_that_is_none_is_refused(access_share: float) -> None:
    with pytest.raises(ValueError, match="access_share"):
        nearest(*located(toy("A--a")), access_share=access_share)


@pytest.mark.parametrize(
    ("edge", "offset_m", "access_m", "what"),
    [
        (1, 0, 0, "another"),
        (-1, 0, 0, "another"),
        (0, np.nan, 0, "offset_m"),
        (0, -3, 0, "offset_m"),
        (0, 0, np.nan, "access_m"),
    ],
)
def test_positions_that_lie_nowhere_are_refused(edge: int, offset_m: float, access_m: float, what: str) -> None:
    network, demand, _ = located(toy("A--a"))
    wrong = Positions(np.array([edge]), np.array([float(offset_m)]), np.array([float(access_m)]))
    with pytest.raises(ValueError, match=what):
        reach(network, demand, wrong, cutoff_m=900)


@pytest.fixture(scope="module")
def crossing() -> Reach:
    town = toy("""
        A--a--+--b--B
              |
              c
              |
              C
    """)
    return reach(*located(town), cutoff_m=1000)


def test_views_by_demand_and_by_site(crossing: Reach) -> None:
    first = rows_by_demand(crossing)
    assert list(crossing.site[first[2] : first[3]]) == [2, 0, 1]
    first, order = rows_by_site(crossing)
    assert list(crossing.demand[order[first[0] : first[1]]]) == [0, 1, 2]
    assert list(sites_within(crossing)) == [3, 3, 3]


def test_fewer_sites_or_metres(crossing: Reach) -> None:
    assert triplets(only_sites(crossing, [1])) == [t for t in triplets(crossing) if t[1] == 1]
    assert triplets(only_sites(crossing, [True, False, True])) == [t for t in triplets(crossing) if t[1] != 1]
    assert triplets(within(crossing, 300)) == [t for t in triplets(crossing) if t[2] <= 300]
    with pytest.raises(ValueError, match="1000"):
        within(crossing, 2000)


def test_cost_matrix_has_demand_rows_and_facility_columns(crossing: Reach) -> None:
    matrix = cost_matrix(crossing)
    assert matrix.shape == (3, 3)
    assert matrix[0, 0] == 300
    assert matrix[2, 1] == 800
    assert cost_matrix(crossing, speed_m_s=1.25)[2, 1] == 640
    with pytest.raises(ValueError, match="above zero"):
        cost_matrix(crossing, speed_m_s=0)


def test_only_sites_and_demand_that_were_searched_for_change() -> None:
    network, demand, sites = located(toy("A--a--B"))
    found, one = reach(network, demand, sites, cutoff_m=900), take(sites, [0])
    for number in (-1, 2):
        with pytest.raises(ValueError, match="numbered from 0 to 1"):
            move_site(found, network, demand, one, number)
        with pytest.raises(ValueError, match="numbered from 0 to 1"):
            remove_site(found, number)
    for places in ((demand, sites), (demand, take(sites, [])), (take(demand, []), one)):
        with pytest.raises(ValueError, match="wanted 1 site and 1 demand"):
            add_site(found, network, *places)


# Against networkx on the graph split at every place, over small networks with every oddity.

OFF_OR_ON = st.sampled_from([0.0, 0.0, 7.3, 40.0])


@st.composite
def districts(draw: st.DrawFn) -> tuple[gpd.GeoDataFrame, gpd.GeoSeries, gpd.GeoSeries]:
    """Streets between points of a lattice (hence parallel edges, loops, dead ends, islands), demand and sites on and off them."""
    corner = st.tuples(st.integers(0, 3), st.integers(0, 3))
    bend = st.tuples(st.floats(-30, 330), st.floats(-30, 330))
    street = st.tuples(corner, st.lists(bend, max_size=2), corner).filter(lambda s: s[0] != s[2] or len(s[1]) == 2)
    streets = [
        LineString([(100 * a[0], 100 * a[1]), *bends, (100 * b[0], 100 * b[1])])
        for a, bends, b in draw(st.lists(street, min_size=1, max_size=14))
    ]
    streets = [line for line in streets if line.length > 0.01] or [LineString([(0, 0), (100, 0)])]
    on = st.tuples(st.integers(0, len(streets) - 1), st.sampled_from([0.0, 0.25, 0.5, 0.77, 1.0]), OFF_OR_ON, OFF_OR_ON)

    def points(places: list[tuple[int, float, float, float]]) -> gpd.GeoSeries:
        there = [streets[i].interpolate(part, normalized=True) for i, part, _, _ in places]
        moved = [Point(p.x + dx, p.y + dy) for p, (_, _, dx, dy) in zip(there, places, strict=True)]
        return gpd.GeoSeries(moved, crs=CRS)

    some = st.lists(on, min_size=1, max_size=8)
    return gpd.GeoDataFrame(geometry=streets, crs=CRS), points(draw(some)), points(draw(some))


def by_networkx(network: Network, demand: Positions, sites: Positions) -> np.ndarray:
    """All walks by Dijkstra on a graph with a node at every place; infinite where there is none."""
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    places = {"d": demand, "s": sites}
    for edge in range(network.n_edges):
        on_it = [(p.offset_m[i], side, int(i)) for side, p in places.items() for i in np.flatnonzero(p.edge == edge)]
        stops = [(0.0, int(network.start[edge])), *((m, (side, i)) for m, side, i in sorted(on_it))]
        stops.append((float(network.edges["length_m"][edge]), int(network.stop[edge])))
        for (m0, a), (m1, b) in itertools.pairwise(stops):
            graph.add_edge(a, b, weight=m1 - m0)
            if not network.oneway[edge] or m1 - m0 < 1e-6:  # who is at the end of a one-way is at a junction
                graph.add_edge(b, a, weight=m1 - m0)
    graph = graph.reverse()
    walks = np.full((len(demand), len(sites)), np.inf)
    for j in range(len(sites)):
        reached = nx.single_source_dijkstra_path_length(graph, ("s", j))
        for i in range(len(demand)):
            if ("d", i) in reached:
                walks[i, j] = reached["d", i] + demand.access_m[i] + sites.access_m[j]
    return walks


@settings(max_examples=150, deadline=None)
@given(districts(), st.sampled_from([0.0, 80.0, 250.0, 1000.0]))
def test_distances_equal_networkx_on_the_split_graph(district: tuple, cutoff_m: float) -> None:
    streets, demand_points, site_points = district
    network = from_lines(streets)
    demand, sites = locate(network, demand_points), locate(network, site_points)
    walks = by_networkx(network, demand, sites)
    rounding = 0.02  # half a millimetre an edge and a place

    site, distance_m = nearest(network, demand, sites)
    best = walks.min(axis=1)
    assert np.array_equal(site >= 0, np.isfinite(best))
    there = site >= 0
    assert np.abs(distance_m[there] - best[there]).max(initial=0) < rounding
    assert np.abs(walks[there, site[there]] - best[there]).max(initial=0) < rounding

    found = reach(network, demand, sites, cutoff_m=cutoff_m)
    assert np.abs(found.distance_m - walks[found.demand, found.site]).max(initial=0) < rounding
    missing = np.ones_like(walks, dtype=bool)
    missing[found.demand, found.site] = False
    assert (walks[missing] > cutoff_m - rounding).all()
    assert (found.distance_m <= cutoff_m).all()
    assert triplets(found) == sorted(triplets(found), key=lambda t: (t[0], t[2], t[1]))
    assert len(set(zip(found.demand.tolist(), found.site.tolist(), strict=True))) == len(found)


@settings(max_examples=60, deadline=None)
@given(districts())
def test_nearest_and_reach_agree_to_the_bit(district: tuple) -> None:
    streets, demand_points, site_points = district
    network = from_lines(streets)
    demand, sites = locate(network, demand_points), locate(network, site_points)
    site, distance_m = nearest(network, demand, sites)
    found = reach(network, demand, sites, cutoff_m=np.inf)
    first = rows_by_demand(found)
    for i in range(len(demand)):
        row = slice(first[i], first[i + 1])
        assert list(found.site[row])[:1] == ([site[i]] if site[i] >= 0 else [])
        assert list(found.distance_m[row])[:1] == ([distance_m[i]] if site[i] >= 0 else [])
    # A radius that is exactly somebody's distance: covered and counted are one and the same.
    for radius in np.unique(distance_m[site >= 0]):
        assert np.array_equal(sites_within(within(found, radius)) > 0, distance_m <= radius)
        assert len(reach(network, demand, sites, cutoff_m=radius)) == len(within(found, radius))


@settings(max_examples=100, deadline=None)
@given(districts(), st.data())
def test_one_ways_are_only_taken_as_drawn(district: tuple, data: st.DataObject) -> None:
    streets, demand_points, site_points = district
    flags = data.draw(st.lists(st.booleans(), min_size=len(streets), max_size=len(streets)))
    network = from_lines(streets.assign(oneway=flags), oneway="oneway")
    demand, sites = locate(network, demand_points), locate(network, site_points)
    walks = by_networkx(network, demand, sites)
    assert np.allclose(dense(reach(network, demand, sites, cutoff_m=np.inf)), walks, atol=0.02, rtol=0)
    best = nearest(network, demand, sites)[1]
    assert np.allclose(np.nan_to_num(best, nan=np.inf), walks.min(axis=1), atol=0.02, rtol=0)


def test_who_is_at_the_end_of_a_one_way_is_at_a_junction() -> None:
    """Such a place lies on the one-way, where that is the first of the streets that meet there, and is not bound by it."""
    through, fork = LineString([(100, 0), (200, 0)]), LineString([(100, 0), (0, 0)])
    lines = gpd.GeoDataFrame({"oneway": [True, False]}, geometry=[through, fork], crs=CRS)
    begins, ends = (
        from_lines(lines.assign(geometry=[way, fork]), oneway="oneway") for way in (through, through.reverse())
    )
    places = gpd.GeoSeries([Point(100, 0), Point(40, 0)], crs=CRS)
    for network in (begins, ends):
        at = locate(network, places)
        assert list(at.edge) == [0, 1]
        for demand, site in ([0], [1]), ([1], [0]):
            assert triplets(reach(network, take(at, demand), take(at, site), cutoff_m=99)) == [(0, 0, 60)]
            assert list(nearest(network, take(at, demand), take(at, site))[1]) == [60]


@settings(max_examples=80, deadline=None)
@given(districts(), st.integers(1, 5))
def test_k_nearest_are_the_first_k_of_all_pairs(district: tuple, k: int) -> None:
    streets, demand_points, site_points = district
    network = from_lines(streets)
    demand, sites = locate(network, demand_points), locate(network, site_points)
    site, distance_m = k_nearest(network, demand, sites, k)
    found = reach(network, demand, sites, cutoff_m=np.inf)
    first = rows_by_demand(found)
    for i in range(len(demand)):
        row = slice(first[i], min(first[i + 1], first[i] + k))
        there = site[i] >= 0
        assert list(site[i][there]) == list(found.site[row])
        assert list(distance_m[i][there]) == list(found.distance_m[row])
        assert np.isnan(distance_m[i][~there]).all()


def test_more_than_all_sites_take_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    network, demand, sites = located(toy("A--a--B"))
    asked: list[int] = []
    settle_k = kernels.settle_k
    monkeypatch.setattr("planner.kernels.settle_k", lambda *of: asked.append(of[3]) or settle_k(*of))
    site, distance_m = k_nearest(network, demand, sites, 1000)
    assert asked == [2]
    assert site.shape == distance_m.shape == (1, 1000)
    assert list(site[0, :3]) == [0, 1, -1]


def same(a: Reach, b: Reach) -> bool:
    return (a.n_demand, a.n_sites, a.cutoff_m, triplets(a)) == (b.n_demand, b.n_sites, b.cutoff_m, triplets(b))


@settings(max_examples=80, deadline=None)
@given(districts(), st.sampled_from([80.0, 250.0, np.inf]), st.sampled_from([0.0, 1.0]), st.data())
def test_adding_moving_and_removing_a_site_equal_a_new_search(
    district: tuple, cutoff_m: float, access_share: float, data: st.DataObject
) -> None:
    streets, demand_points, site_points = district
    network = from_lines(streets)
    demand, sites = locate(network, demand_points), locate(network, site_points)
    n = len(sites)

    def search(which: list[int]) -> Reach:
        return reach(network, demand, take(sites, which), cutoff_m=cutoff_m, access_share=access_share)

    whole = search(list(range(n)))
    assert same(add_site(search(list(range(n - 1))), network, demand, take(sites, [n - 1])), whole)
    number, to = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, n - 1))
    moved = [to if i == number else i for i in range(n)]
    assert same(move_site(whole, network, demand, take(sites, [to]), number), search(moved))
    assert same(remove_site(whole, number), only_sites(whole, [i for i in range(n) if i != number]))


def test_without_streets_a_straight_line_and_a_detour_factor_stand_in() -> None:
    town = toy("""
        A  a

        B      b
    """)
    site, distance_m = straight_nearest(town.demand.geometry, town.sites.geometry, detour_factor=1.5)
    assert list(site) == [0, 1]
    assert distance_m == pytest.approx([450, 1050], abs=0.001)
    found = straight_reach(town.demand.geometry, town.sites.geometry, cutoff_m=600, detour_factor=1.5)
    assert found.approximate
    assert triplets(found) == [(0, 0, 450), (0, 1, pytest.approx(1.5 * np.hypot(300, 200), abs=0.001))]
    none = straight_reach(town.demand.geometry[:0], town.sites.geometry, cutoff_m=600)
    assert len(none) == 0
    assert list(straight_nearest(town.demand.geometry, town.sites.geometry[:0])[0]) == [-1, -1]


def test_straight_lines_are_not_measured_in_degrees_nor_from_points_that_are_missing() -> None:
    there = gpd.GeoSeries([Point(530_000, 3_384_000), Point(530_300, 3_384_000)], crs=CRS)
    site, distance_m = straight_nearest(there.to_crs("EPSG:4326"), there[:1])
    assert (list(site), distance_m.tolist()) == ([0, 0], pytest.approx([0, 390], abs=0.01))
    with pytest.raises(InputError, match="metres"):
        straight_nearest(there, there.to_crs("EPSG:4326"))
    with pytest.raises(InputError, match="coordinate system"):
        straight_reach(there, there.set_crs(None, allow_override=True), cutoff_m=900)
    with pytest.raises(InputError, match="number 2"):
        straight_reach(gpd.GeoSeries([there[0], None], crs=CRS), there, cutoff_m=900)
    with pytest.raises(ValueError, match="detour_factor"):
        straight_nearest(there, there, detour_factor=0.5)


def test_of_sites_equally_near_by_straight_line_the_first_counts() -> None:
    town = toy("""
        B A
         a
        D C
    """)
    assert list(straight_nearest(town.demand.geometry, town.sites.geometry)[0]) == [0]


def dense(found: Reach) -> np.ndarray:
    matrix = np.full((found.n_demand, found.n_sites), np.inf)
    matrix[found.demand, found.site] = found.distance_m
    return matrix


@settings(max_examples=60, deadline=None)
@given(districts(), st.randoms(use_true_random=False))
def test_what_must_not_matter_does_not(district: tuple, random: Random) -> None:
    """The way a walk is walked, the order and the direction of the lines, and where they are cut."""
    streets, demand_points, site_points = district
    network = from_lines(streets)
    demand, sites = locate(network, demand_points), locate(network, site_points)
    walks = dense(reach(network, demand, sites, cutoff_m=np.inf))
    assert np.array_equal(walks, dense(reach(network, sites, demand, cutoff_m=np.inf)).T)

    order = list(range(len(streets)))
    random.shuffle(order)
    turned = from_lines(gpd.GeoDataFrame(geometry=streets.geometry.iloc[order].reverse(), crs=CRS))

    def in_turned(places: Positions) -> Positions:
        length_m = network.edges["length_m"].to_numpy()[places.edge]
        return Positions(np.argsort(order)[places.edge], length_m - places.offset_m, places.access_m)

    again = dense(reach(turned, in_turned(demand), in_turned(sites), cutoff_m=np.inf))
    assert np.allclose(walks, again, atol=0.02, rtol=0)

    cuts = [
        (substring(line, 0, 0.3, normalized=True), substring(line, 0.3, 1, normalized=True))
        for line in streets.geometry
    ]
    halved = from_lines(gpd.GeoDataFrame(geometry=[half for cut in cuts for half in cut], crs=CRS))

    def in_halved(places: Positions) -> Positions:
        first_m = np.array([cuts[edge][0].length for edge in places.edge])
        second = places.offset_m > first_m
        return Positions(2 * places.edge + second, places.offset_m - np.where(second, first_m, 0), places.access_m)

    again = dense(reach(halved, in_halved(demand), in_halved(sites), cutoff_m=np.inf))
    assert np.allclose(walks, again, atol=0.02, rtol=0)


@settings(max_examples=40, deadline=None)
@given(districts())
def test_a_detour_is_never_shorter(district: tuple) -> None:
    """Triangle inequality, between places on the street (a detour to a place off it walks there and back)."""
    streets, demand_points, site_points = district
    network = from_lines(streets)
    every = locate(network, gpd.GeoSeries([*demand_points, *site_points], crs=CRS))
    walks = dense(reach(network, every, every, cutoff_m=np.inf))
    assert (np.diag(walks) == 2 * np.rint(every.access_m * 1000) / 1000).all()
    for via in range(len(every)):
        assert (walks <= walks[:, [via]] + walks[[via], :] + 1e-9).all()


def test_the_number_of_threads_and_of_rooms_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = from_lines(toys.grid(12, 12))
    places = locate(network, gpd.GeoSeries(gpd.points_from_xy(network.node_x + 20, network.node_y), crs=CRS))
    walks = reach(network, places, places, cutoff_m=700)
    near = nearest(network, places, take(places, [3, 40]))
    more = add_site(walks, network, places, take(places, [5]))
    monkeypatch.setattr("planner.reach.BLOCK_SITES", 5)
    monkeypatch.setattr("planner.reach.QUEUE_ROOM", 4)
    monkeypatch.setattr("planner.reach.ENTRIES_PER_NODE", 0)
    monkeypatch.setattr("planner.reach.BLOCK_PAIRS", 2)
    monkeypatch.setattr("planner.reach.BLOCK_ROWS", 7)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert triplets(reach(network, places, places, cutoff_m=700)) == triplets(walks)
    assert triplets(add_site(walks, network, places, take(places, [5]))) == triplets(more)
    assert np.array_equal(np.stack(nearest(network, places, take(places, [3, 40]))), np.stack(near))


@settings(max_examples=40, deadline=None)
@given(districts(), st.sampled_from([80.0, 250.0, np.inf]))
def test_all_searches_agree_where_there_are_no_streets(district: tuple, cutoff_m: float) -> None:
    _, demand_points, site_points = district
    network = without_streets(CRS, 1.3)
    demand, sites = locate(network, demand_points), locate(network, site_points)
    straight = np.array([[1.3 * d.distance(s) for s in site_points] for d in demand_points])
    site, distance_m = k_nearest(network, demand, sites, 2)
    assert np.array_equal(nearest(network, demand, sites)[0], site[:, 0])
    assert np.abs(distance_m[:, 0] - straight.min(axis=1)).max() < 0.001
    found = reach(network, demand, sites, cutoff_m=cutoff_m)
    assert found.approximate
    assert np.allclose(dense(found), np.where(straight <= cutoff_m, straight, np.inf), atol=0.001, rtol=0)
    fewer = reach(network, demand, take(sites, range(len(sites) - 1)), cutoff_m=cutoff_m)
    more = add_site(fewer, network, demand, take(sites, [len(sites) - 1]))
    assert same(more, found)
    assert more.approximate


def test_what_is_kept_of_a_demand_is_for_one_network_and_one_share_of_the_way_to_the_street() -> None:
    town = toy("""
        A--a--b--B
    """)
    network, demand, sites = located(town)
    away = Positions(demand.edge, demand.offset_m, np.full(len(demand), 10.0))
    assert list(nearest(network, away, sites)[1]) == [310, 310]
    assert list(nearest(network, away, sites, access_share=0.0)[1]) == [300, 300]
    assert list(nearest(network, away, sites)[1]) == [310, 310]
    stretched = town.streets.set_geometry(town.streets.affine_transform([2, 0, 0, 1, 0, 0]))
    longer = from_lines(stretched)
    there = locate(longer, town.sites.affine_transform([2, 0, 0, 1, 0, 0]))
    assert triplets(reach(network, demand, sites, cutoff_m=2000)) != triplets(
        reach(longer, demand, there, cutoff_m=2000)
    )
    fresh = take(demand, np.arange(len(demand)))
    assert triplets(reach(longer, demand, there, cutoff_m=2000)) == triplets(reach(longer, fresh, there, cutoff_m=2000))


def test_positions_cannot_be_changed_behind_the_back_of_a_search() -> None:
    offset_m = np.array([10.0])
    places = Positions(np.array([0]), offset_m, np.zeros(1))
    with pytest.raises(ValueError, match="read-only"):
        places.offset_m[0] = 20.0
