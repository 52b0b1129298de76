import geopandas as gpd
import pytest
import shapely
from shapely import LineString, Point
from test_reach import located
from toys import CRS, NORTH, WEST, toy

from planner.audit import audit_crossings, audit_positions
from planner.errors import InputError
from planner.network import from_lines, locate, take, without_streets


def test_each_point_says_how_far_it_was_moved_and_onto_which_street() -> None:
    town = toy("""
        +--A--+---+
          b

              +-+
               c
    """)
    streets = town.streets.assign(name=["长江路", None, "岛上"])
    _, demand, sites = located(town)
    network = from_lines(streets)
    river = gpd.GeoDataFrame(
        {"kind": ["water", "railway"]},
        geometry=[LineString([(WEST, NORTH - 50), (WEST + 900, NORTH - 50)])] * 2,
        crs=CRS,
    )
    audit = audit_positions(network, town.demand, demand, far_m=99, barriers=river.to_crs("EPSG:4326"))
    assert list(audit.street) == ["长江路", "岛上"]
    assert list(audit.moved_m) == [100, 100]
    assert list(audit.far) == [True, True]
    assert list(audit.island) == [False, True]
    assert list(audit.barrier) == ["railway", ""]
    assert list(audit.geometry[0].coords) == [(WEST + 200, NORTH - 100), (WEST + 200, NORTH)]

    plain = audit_positions(from_lines(town.streets), town.sites, sites)
    assert (plain.street[0], plain.moved_m[0], plain.far[0], plain.barrier[0]) == ("", 0, False, "")
    assert len(audit_positions(network, town.demand[:0], take(demand, []))) == 0


def test_positions_of_other_points_or_of_no_streets_are_not_audited() -> None:
    town = toy("A--a--B")
    network, demand, _ = located(town)
    with pytest.raises(ValueError, match="2 points have 1 positions"):
        audit_positions(network, town.sites, demand)
    with pytest.raises(InputError, match="coordinate system"):
        audit_positions(network, town.demand.set_crs(None, allow_override=True), demand)
    nothing = without_streets(CRS, 1.3)
    with pytest.raises(ValueError, match="no streets"):
        audit_positions(nothing, town.demand, locate(nothing, town.demand))


def test_crossings_touches_and_overlaps_are_told_from_junctions() -> None:
    network = from_lines(
        gpd.GeoDataFrame(
            geometry=[
                LineString([(0, 0), (100, 0)]),
                LineString([(100, 0), (200, 0)]),  # a junction with the first
                LineString([(50, -50), (50, 50)]),  # crosses the first
                LineString([(150, 0), (150, 80)]),  # ends on the second's side
                LineString([(20, 0), (40, 0)]),  # lies on the first
                LineString([(200, 0), (250, 50), (250, 0), (200, 0)]),  # a loop at the second's end
            ],
            crs=CRS,
        )
    )
    found = audit_crossings(network)
    assert list(zip(found.kind, found.edge, found.other, strict=True)) == [
        ("crossing", 0, 2),
        ("overlap", 0, 4),
        ("touch", 1, 3),
    ]
    assert found.geometry[0] == Point(50, 0)
    assert found.geometry[1].length == pytest.approx(20)


def test_dead_ends_that_stop_just_short_of_a_street_are_near_it() -> None:
    network = from_lines(
        gpd.GeoDataFrame(
            geometry=[
                LineString([(0, 0), (100, 0)]),
                LineString([(50, 0.9), (50, 60)]),  # stops 90 cm short of the first
                LineString([(70, -1.1), (70, -60)]),  # too far to be a slip
                LineString([(0, 0), (40, 0.5)]),  # ends beside the street that it begins at
            ],
            crs=CRS,
        )
    )
    found = audit_crossings(network)
    assert list(zip(found.kind, found.edge, found.other, strict=True)) == [("near", 0, 1)]
    assert found.geometry[0] == Point(50, 0.9)
    assert list(audit_crossings(network, near_m=2.0).kind) == ["near", "near"]


def test_a_bridge_is_reported_as_a_crossing() -> None:
    found = audit_crossings(
        from_lines(
            toy("""
                  |
                --#--
                  |
            """).streets
        )
    )
    assert list(found.kind) == ["crossing"]
    assert shapely.get_type_id(found.geometry[0]) == 0
