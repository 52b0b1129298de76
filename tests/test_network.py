import doctest

import geopandas as gpd
import numpy as np
import pytest
import toys
from shapely import LinearRing, LineString, MultiLineString, Point
from toys import CRS, toy

from planner.errors import InputError
from planner.network import from_lines, locate, take, without_streets


def lines(*shapes: object, crs: str | None = CRS) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"name": [f"street {i}" for i in range(len(shapes))]}, geometry=list(shapes), crs=crs)


def test_the_drawings_are_read_as_their_own_example_says() -> None:
    assert doctest.testmod(toys).failed == 0


def test_nodes_are_ends_corners_and_junctions_but_not_letters_on_a_straight_street() -> None:
    network = from_lines(
        toy("""
            A--a--+--B
                  |
                  b   c
        """).streets
    )
    assert (network.n_nodes, network.n_edges, network.n_components) == (4, 3, 1)
    assert network.length_km == pytest.approx(0.6 + 0.3 + 0.2)


def test_a_bridge_joins_nothing() -> None:
    network = from_lines(
        toy("""
              |
            --#--
              |
        """).streets
    )
    assert (network.n_nodes, network.n_edges, network.n_components) == (4, 2, 2)


def test_edges_keep_order_geometry_and_columns() -> None:
    streets = toys.grid(4, 3)
    network = from_lines(streets)
    assert network.edges.geometry.geom_equals_exact(streets.geometry, 0).all()
    assert list(network.edges["id"]) == list(streets["id"])
    ends = np.array([line.coords[0] for line in streets.geometry])
    assert np.array_equal(network.node_x[network.start], ends[:, 0])
    assert np.array_equal(network.node_y[network.start], ends[:, 1])


def test_loops_and_parallel_edges_stay_parts_are_split_and_the_rest_is_reported() -> None:
    network = from_lines(
        lines(
            LineString([(0, 0), (10, 0)]),
            LineString([(0, 0), (5, 5), (10, 0)]),  # parallel to the first
            LinearRing([(10, 0), (20, 0), (20, 10)]),  # a loop
            MultiLineString([[(0, 0), (0, 7)], [(0, 7), (0, 9)]]),
            LineString(),
            LineString([(3, 3), (3, 3)]),
            Point(1, 1),
            None,
            LineString([(0, 0, 5), (9, 9, 50)]),  # heights are ignored
        )
    )
    assert list(network.edges["row"]) == [0, 1, 2, 3, 3, 8]
    assert list(network.edges["name"]) == [f"street {i}" for i in [0, 1, 2, 3, 3, 8]]
    assert network.start[2] == network.stop[2]
    assert network.edges["length_m"].iloc[5] == pytest.approx(np.hypot(9, 9))
    assert list(map(tuple, network.dropped.to_numpy())) == [
        (4, "no_geometry"),
        (5, "zero_length"),
        (6, "not_a_line"),
        (7, "no_geometry"),
    ]


def test_component_0_is_the_largest() -> None:
    network = from_lines(
        lines(LineString([(0, 0), (9, 0)]), LineString([(50, 0), (60, 0)]), LineString([(60, 0), (70, 0)]))
    )
    assert [network.component[network.start[i]] for i in range(3)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("layer", "key"),
    [
        (lines(LineString([(0, 0), (1, 0)]), crs=None), "streets_no_crs"),
        (lines(LineString([(0, 0), (1, 0)]), crs="EPSG:4326"), "streets_not_metres"),
        (lines(LineString([(0, 0), (1, 0)]), crs="EPSG:3857"), "streets_not_metres"),  # they grow northward
        (lines(LineString(), Point(0, 0)), "streets_none"),
        (lines(), "streets_none"),
    ],
)
def test_lines_that_make_no_network_are_refused(layer: gpd.GeoDataFrame, key: str) -> None:
    with pytest.raises(InputError) as error:
        from_lines(layer)
    assert error.value.key == key
    assert error.value.text("zh")


@pytest.mark.parametrize("flags", [["yes", "no"], ["T", "B"], [True, None], [1, np.nan], [1, -1]])
def test_one_ways_that_do_not_say_true_or_false_are_refused(flags: list[object]) -> None:
    streets = lines(LineString([(0, 0), (1, 0)]), LineString([(1, 0), (2, 0)])).assign(oneway=flags)
    with pytest.raises(InputError, match="oneway"):
        from_lines(streets, oneway="oneway")
    with pytest.raises(InputError, match="way_one"):
        from_lines(streets, oneway="way_one")


@pytest.mark.parametrize(
    "flags", [[True, False], np.array([1, 0]), np.array([1.0, 0.0]), np.array([True, False], dtype=object)]
)
def test_one_ways_are_true_and_false_or_1_and_0(flags: object) -> None:
    streets = lines(LineString([(0, 0), (1, 0)]), LineString([(1, 0), (2, 0)])).assign(oneway=flags)
    assert from_lines(streets, oneway="oneway").oneway.tolist() == [True, False]


def test_points_lie_on_the_nearest_street_at_a_distance_along_it() -> None:
    town = toy("""
        +--A----+
              c
    """)
    places = locate(from_lines(town.streets), town.sites)
    assert (places.edge[0], places.offset_m[0], places.access_m[0]) == (0, 300, 0)
    off = locate(from_lines(town.streets), town.demand)
    assert (off.edge[0], off.offset_m[0], off.access_m[0]) == (0, 600, 100)


def test_of_streets_equally_near_the_first_counts() -> None:
    network = from_lines(
        toy("""
            +---+
              a
            +---+
        """).streets
    )
    between = gpd.GeoSeries([Point(toys.WEST + 200, toys.NORTH - 100), Point(toys.WEST, toys.NORTH)], crs=CRS)
    assert list(locate(network, between).edge) == [0, 0]


def test_points_snap_to_an_island_when_it_is_nearest() -> None:
    town = toy("""
        +-----+
           a
          +-+
    """)
    network = from_lines(town.streets)
    places = locate(network, town.demand)
    assert places.edge[0] == 0  # both are one step away: the first
    nearer = town.demand.set_geometry(town.demand.translate(0, -1))
    assert locate(network, nearer).edge[0] == 1


def test_points_come_in_any_crs_and_are_refused_without_one() -> None:
    town = toy("A--a--+")
    network = from_lines(town.streets)
    here = locate(network, town.demand.to_crs("EPSG:4326"))
    assert here.offset_m[0] == pytest.approx(300, abs=1e-3)
    with pytest.raises(InputError, match="coordinate"):
        locate(network, gpd.GeoSeries([Point(0, 0)]))
    with pytest.raises(InputError, match="2"):
        locate(network, gpd.GeoSeries([Point(0, 0), None], crs=CRS))


@pytest.mark.parametrize("xy", [(np.nan, np.nan), (0, np.nan), (np.inf, 0), (1e300, 0)])
def test_points_that_lie_nowhere_are_named(xy: tuple[float, float]) -> None:
    for network in (from_lines(toy("+--+").streets), without_streets(CRS, 1.3)):
        with pytest.raises(InputError, match="number 2") as error:
            locate(network, gpd.GeoSeries([Point(0, 0), Point(xy)], crs=CRS))
        assert error.value.key == "point_nowhere"


def test_longitude_and_latitude_that_are_swapped_are_guessed_at() -> None:
    with pytest.raises(InputError, match=r"30, 114.*swapped"):
        locate(from_lines(toy("+--+").streets), gpd.GeoSeries([Point(30, 114)], crs="EPSG:4326"))


def test_lines_that_lie_nowhere_or_have_no_end_are_reported() -> None:
    network = from_lines(
        lines(
            LineString([(0, 0), (9, 0)]),
            LineString([(0, 0), (np.inf, 0)]),
            LineString([(0, 0), (np.nan, np.nan), (5, 0)]),
            LineString([(0, 0), (1e9, 0)]),
            LineString([(0, 0), (1e300, 0)]),
        )
    )
    assert (network.n_edges, network.length.tolist()) == (1, [9000])
    assert list(network.dropped["row"]) == [1, 2, 3, 4]
    assert list(network.dropped["reason"]) == ["nowhere", "nowhere", "too_long", "nowhere"]


def test_no_points_give_no_positions() -> None:
    town = toy("+--+")
    places = locate(from_lines(town.streets), town.demand)
    assert len(places) == 0
    assert len(take(places, np.array([], dtype=int))) == 0


def test_taking_positions_keeps_them_together() -> None:
    town = toy("a--b--c--+")
    places = locate(from_lines(town.streets), town.demand)
    assert list(take(places, [2, 0]).offset_m) == [600, 0]
    assert list(take(places, places.offset_m > 100).offset_m) == [300, 600]
