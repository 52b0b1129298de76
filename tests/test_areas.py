from itertools import permutations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point
from test_reach import districts, located
from toys import CRS, grid, toy

from planner.areas import reached_streets, service_areas
from planner.network import Positions, from_lines, locate, take, without_streets
from planner.reach import reach


def test_streets_are_cut_exactly_at_the_cutoff() -> None:
    network, _, sites = located(
        toy("""
            +--A--+----+
                  |
                  +
        """)
    )
    pieces = reached_streets(network, sites, 450)
    assert list(pieces.columns) == ["site", "cutoff_m", "edge", "from_m", "to_m", "geometry"]
    reached = {edge: (low, high) for edge, low, high in zip(pieces.edge, pieces.from_m, pieces.to_m, strict=True)}
    assert reached == {0: (0, 600), 1: (0, 150), 2: (0, 150)}
    assert pieces.length.sum() == pytest.approx(900)


def test_a_bend_stays_in_a_piece_that_is_cut_on_both_sides() -> None:
    bent = gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (300, 0), (300, 0), (300, 300)])], crs=CRS)
    network = from_lines(bent)
    pieces = reached_streets(network, locate(network, gpd.GeoSeries([Point(300, 0)], crs=CRS)), 100)
    assert [list(line.coords) for line in pieces.geometry] in (
        [[(200, 0), (300, 0), (300, 100)]],
        [[(200, 0), (300, 0), (300, 0), (300, 100)]],
    )


def test_bands_share_the_streets_among_them() -> None:
    network, _, sites = located(toy("A---------+"))
    pieces = reached_streets(network, sites, [500, 200])
    assert list(zip(pieces.cutoff_m, pieces.from_m, pieces.to_m, strict=True)) == [(200, 0, 200), (500, 200, 500)]


def test_a_piece_shorter_than_a_millimetre_hides_no_street() -> None:
    west, east = [(0, 0), (100, 0)], [(100.0003, 0), (200, 0)]
    sliver = [west[-1], east[0]]
    for drawn in permutations([west, sliver, east]):
        network = from_lines(gpd.GeoDataFrame(geometry=[shapely.LineString(xy) for xy in drawn], crs=CRS))
        sites = locate(network, gpd.GeoSeries([Point(x, 0) for x in (50, 100, 150)], crs=CRS))
        lengths = reached_streets(network, sites, 30).dissolve("site").length
        assert lengths.tolist() == pytest.approx([60, 60, 60], abs=0.002)


@settings(max_examples=80, deadline=None)
@given(districts(), st.lists(st.sampled_from([0.0, 35.0, 90.0, 210.0, 5000.0]), min_size=1, max_size=3), st.booleans())
def test_a_stretch_is_reached_where_its_distance_says_so(district: tuple, cutoffs_m: list[float], oneway: bool) -> None:
    streets, _, site_points = district
    network = from_lines(streets.assign(oneway=oneway), oneway="oneway")
    sites = locate(network, site_points)
    length_m = network.edges["length_m"].to_numpy()
    parts = np.linspace(0.05, 0.95, 10)  # inside the edges: a stretch of no length is none
    edge = np.repeat(np.arange(network.n_edges), len(parts))
    probes = Positions(edge, length_m[edge] * np.tile(parts, network.n_edges), np.zeros(len(edge)))
    walks = reach(network, probes, sites, cutoff_m=np.inf)
    walk_m = np.full((len(probes), len(sites)), np.inf)
    walk_m[walks.demand, walks.site] = walks.distance_m

    pieces = reached_streets(network, sites, cutoffs_m)
    assert (pieces.from_m < pieces.to_m).all()
    assert np.allclose(pieces.length, pieces.to_m - pieces.from_m, atol=0.01)
    slack = 0.005
    site, within_m, on, low, high = (pieces[c].to_numpy() for c in ("site", "cutoff_m", "edge", "from_m", "to_m"))
    at, same_edge = probes.offset_m[:, None], probes.edge[:, None] == on
    for j in range(len(sites)):
        for cutoff_m in set(cutoffs_m):
            mine = same_edge & (site == j) & (within_m <= cutoff_m)
            inside = (mine & (low - slack <= at) & (at <= high + slack)).any(axis=1)
            well_inside = (mine & (low + slack < at) & (at < high - slack)).sum(axis=1)
            assert (well_inside <= 1).all()  # stretches don't overlap
            assert inside[walk_m[:, j] < cutoff_m - slack].all()
            assert not well_inside[walk_m[:, j] > cutoff_m + slack].any()


def test_areas_overlap_the_exact_buffer_of_the_reached_streets() -> None:
    network = from_lines(grid(9, 9))
    sites = locate(
        network, gpd.GeoSeries(gpd.points_from_xy(network.node_x[[0, 40]] + 7, network.node_y[[0, 40]]), crs=CRS)
    )
    areas, pieces = service_areas(network, sites, 350), reached_streets(network, sites, 350)
    for j in range(2):
        exact = pieces.geometry[pieces.site == j].buffer(25).union_all()
        area = areas.geometry[j]
        assert area.intersection(exact).area / area.union(exact).area > 0.98


def test_areas_leave_out_what_no_street_leads_to() -> None:
    network, _, sites = located(
        toy("""
            +--A--+
            |     |
            +-----+
        """)
    )
    area = service_areas(network, sites, 2000).geometry[0]
    assert len(area.geoms[0].interiors) == 1
    assert not area.contains(Point(network.node_x.mean(), network.node_y.mean()))


@settings(max_examples=25, deadline=None)
@given(districts())
def test_areas_are_valid_nested_and_rings_fill_them(district: tuple) -> None:
    streets, _, site_points = district
    network = from_lines(streets)
    sites = locate(network, site_points)
    areas = service_areas(network, sites, [60, 150, 400]).geometry.to_numpy().reshape(len(sites), 3)
    rings = service_areas(network, sites, [60, 150, 400], rings=True).geometry.to_numpy().reshape(len(sites), 3)
    assert shapely.is_valid(areas).all()
    assert shapely.area(shapely.difference(areas[:, :-1], areas[:, 1:])).max() < 1e-6
    assert np.allclose(shapely.area(rings).sum(axis=1), shapely.area(areas[:, -1]))


def test_bands_and_cells_that_are_none_are_refused() -> None:
    network, _, sites = located(toy("A---+"))
    with pytest.raises(ValueError, match="at least one"):
        service_areas(network, sites, [])
    for frontage_m, cell_m in ((25, 25), (25, 0), (0, 10), (np.nan, 10)):
        with pytest.raises(ValueError, match="cell_m"):
            service_areas(network, sites, 100, frontage_m=frontage_m, cell_m=cell_m)
    assert list(service_areas(network, sites, [200, 100, 200]).cutoff_m) == [100, 200]


def test_merged_areas_are_those_of_all_sites() -> None:
    network, _, sites = located(toy("A----+----------B"))
    each, merged = service_areas(network, sites, 300), service_areas(network, sites, 300, merged=True)
    assert list(merged.site) == [-1]
    assert merged.geometry[0].symmetric_difference(each.geometry.union_all()).area < 1e-6


def test_a_site_too_far_from_any_street_has_an_empty_area() -> None:
    town = toy("""
        +---+

        A
    """)
    network, _, sites = located(town)
    assert service_areas(network, sites, 100).geometry[0].is_empty
    assert len(reached_streets(network, sites, 100)) == 0
    assert len(service_areas(network, take(sites, []), 100)) == 0


def test_little_room_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = from_lines(grid(12, 12))
    sites = locate(
        network, gpd.GeoSeries(gpd.points_from_xy(network.node_x[:9] + 20, network.node_y[:9]), crs=network.crs)
    )
    ample = reached_streets(network, sites, [300, 700])
    monkeypatch.setattr("planner.areas.BLOCK_PIECES", 16)
    assert reached_streets(network, sites, [300, 700]).equals(ample)


def test_without_streets_areas_are_circles_of_the_straight_line_that_a_walk_stands_for() -> None:
    network = without_streets(CRS, 1.25)
    sites = locate(network, gpd.GeoSeries([Point(0, 0), Point(300, 0)], crs=CRS))
    areas = service_areas(network, sites, [250, 500])
    assert areas.area.to_numpy() == pytest.approx(2 * [np.pi * 200**2, np.pi * 400**2], rel=0.01)
    merged = service_areas(network, sites, [250, 500], merged=True, rings=True)
    assert list(merged["site"]) == [-1, -1]
    assert merged.area.sum() == pytest.approx(areas.geometry[1].union(areas.geometry[3]).area)
    assert reached_streets(network, sites, 500).empty


def test_an_area_too_large_to_draw_is_refused_with_advice() -> None:
    street = gpd.GeoDataFrame(geometry=[LineString([(0, 0), (700_000, 700_000)])], crs=CRS)
    network = from_lines(street)
    site = Positions(np.array([0]), np.zeros(1), np.zeros(1))
    with pytest.raises(ValueError, match="larger cell_m than 10"):
        service_areas(network, site, 900_000)
    assert len(service_areas(network, site, 900_000, cell_m=1000, frontage_m=2500)) == 1
