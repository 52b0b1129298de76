import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
import small_study as small
import toys

from planner.coverage import Coverage
from planner.gaps import WIDTH_M, compare_gaps, gathering_points, left_over, reasons, seat_reasons
from planner.network import from_lines, locate
from planner.pipeline import Result, run
from planner.reach import reach
from planner.study import load_study


def test_the_gaps_of_a_group_add_up_to_what_its_coverage_lacks(small_result: Result):
    for group, figures in small_result.indicators[0]["by_group"].items():
        lost = small_result.gaps.loc[small_result.gaps["group"] == group, "weight"].sum()
        assert lost == pytest.approx(figures["total_weight"] * (1 - figures["effective_share"]))


def test_too_far_gaps_are_just_the_uncovered_people(small_result: Result):
    far = small_result.gaps[small_result.gaps["reason"].isin(["too_far", "unreachable"])]
    figures = small_result.indicators[0]
    assert far["weight"].sum() == pytest.approx(figures["total_weight"] - figures["covered_weight"])


def test_every_unit_that_lacks_something_is_in_one_gap_of_its_kind(small_result: Result):
    demand, gaps = small_result.demand, small_result.gaps.set_index("id")
    lacking = demand["effective_share"] < 1
    assert (demand.loc[lacking, "gap"] != "").all() and (demand.loc[~lacking, "gap"] == "").all()
    for gap, units in demand[lacking].groupby("gap"):
        assert set(units["zone"]) == {gaps.loc[gap, "zone"]} and set(units["group"]) == {gaps.loc[gap, "group"]}
        assert len(units) == gaps.loc[gap, "units"]


def test_gaps_are_ranked_by_weight_and_ids_are_unique(small_result: Result):
    weights = small_result.gaps["weight"].to_numpy()
    assert (np.diff(weights) <= 0).all() and small_result.gaps["id"].is_unique and (weights > 0).all()


def test_the_area_of_a_gap_holds_its_units_and_its_point(small_result: Result):
    demand, areas = small_result.demand, small_result.gap_areas.set_index("id").geometry
    places = demand["line"].where(demand["line"].notna(), demand.geometry)
    for column in ("gap", "gap_seats"):
        for gap, units in demand[demand[column] != ""].groupby(column):
            of_units = shapely.union_all(places[units.index].to_numpy())
            assert areas[gap].is_valid and areas[gap].buffer(0.01).contains(of_units)
            assert areas[gap].within(of_units.buffer(1.5 * WIDTH_M))
    assert areas.contains(small_result.gaps.set_index("id").geometry).all()


def test_a_gap_on_paper(small_result: Result):
    # Radius 400 m: a lattice of 533 m, whose points lie nearest to B, C, I, K and L (those farther than 308 m from any are none).
    # Too far in the west and soonest at B: two thirds of A-B, the third of A-E beside A (350 m; I is 550 m off), a quarter of B-C.
    corner = small_result.gaps[(small_result.gaps["zone"] == "W") & (small_result.gaps["reason"] == "too_far")].iloc[0]
    assert corner["units"] == 4 and corner["length_m"] == pytest.approx(375)
    assert corner["weight"] == pytest.approx(375 / 5100 * 170)
    assert corner["nearest_site"] == "S1" and corner["worst_m"] == pytest.approx(550, abs=0.01)
    assert corner["streets"] == ""


def test_a_gap_names_its_streets(small_result: Result):
    # Only E-F-G-H has a name; the units of each gap along it say so.
    named = small_result.demand[small_result.demand["street_class"] == "primary"]
    here = small_result.gaps["id"].isin(named["gap"])
    assert (small_result.gaps.loc[here, "streets"] == "人民路").all()
    assert (small_result.gaps.loc[~here, "streets"] == "").all()


def test_ids_do_not_depend_on_the_order_of_rows(tmp_path, small_result: Result):
    folder = small.write(tmp_path / "again")
    file = folder / "candidates.csv"
    head, *rows = file.read_text(encoding="utf-8-sig").splitlines()
    file.write_text("\n".join([head, *reversed(rows)]) + "\n", encoding="utf-8")
    again = run(load_study(folder))
    assert again.gaps["id"].tolist() == small_result.gaps["id"].tolist()


def test_places_last_whatever_is_covered(tmp_path, small_result: Result):
    """Next year one site is gone: the gaps that are still there have kept their places, and where nothing changed their ids."""
    folder = small.write(tmp_path / "next")
    small.edit_cell(folder / "sites.xlsx", "F3", "24/7")
    later = run(load_study(folder))
    place = dict(zip(small_result.demand["id"], small_result.demand["gap"].map(_places(small_result)), strict=True))
    for unit, gap in zip(later.demand["id"], later.demand["gap"].map(_places(later)), strict=True):
        assert gap is np.nan or place[unit] == gap
    far = [set(r.gaps.loc[r.gaps["reason"] == "too_far", "id"]) for r in (small_result, later)]
    assert far[0] == far[1] and len(far[0]) > 3


@pytest.mark.parametrize("what", ["site", "demand"])
def test_what_comes_far_away_renames_no_gap(tmp_path, small_result: Result, what: str):
    """A site or couriers at L: no gap that has neither gained nor lost a unit there gets another id or weight."""
    folder = small.write(tmp_path / "more")
    if what == "site":
        book = openpyxl.load_workbook(folder / "sites.xlsx")
        book.active.append(["S3", "远处", "银行", "", "共享", "24/7", "歇脚;饮水", 2, "", *small.lonlat("L")])
        book.save(folder / "sites.xlsx")
    else:
        file = folder / "couriers.csv"
        more = "P2,远处,2,{},{}\n".format(*small.lonlat("L", north_m=5))
        file.write_bytes(file.read_bytes() + more.encode("gb18030"))
    later = run(load_study(folder))
    at_l = reach(
        later.walks.network, later.walks.demand, locate(later.walks.network, _point(later, "L")), cutoff_m=400
    ).demand
    touched = set(later.demand["id"].to_numpy()[at_l])
    before = small_result.demand[~small_result.demand["id"].isin(touched)].set_index("id")["gap"]
    after = later.demand.set_index("id")["gap"].loc[before.index]
    assert (before == after).all() and len(before) > 30 and (before != "").any()


def _point(result: Result, letter: str) -> gpd.GeoSeries:
    return gpd.GeoSeries([shapely.Point(small.node(letter))], crs=result.demand.crs)


def _places(result: Result) -> dict[str, str]:
    return dict(zip(result.gaps["id"], result.gaps["place"], strict=True))


@pytest.mark.parametrize("radius_m", [150.0, 300.0, 500.0, 800.0])
def test_gaps_are_what_one_site_could_serve(radius_m: float):
    """On a chequerboard of 100 m with rivers across it, one bridge each, some corner is within the radius of all of a gap's units."""
    streets = toys.grid(15, 15)
    south = streets.geometry.bounds.miny.min()
    middle_y = shapely.get_coordinates(
        shapely.line_interpolate_point(streets.geometry.to_numpy(), 0.5, normalized=True)
    )[:, 1]
    across = np.isclose((middle_y - south) % 700, 650) & (
        np.arange(len(streets)) != np.flatnonzero(middle_y > south + 600)[0]
    )
    network = from_lines(streets[~across].reset_index(drop=True))
    units = gpd.GeoSeries(
        shapely.line_interpolate_point(network.edges.geometry.to_numpy(), 0.5, normalized=True), crs=toys.CRS
    )
    at = locate(network, units)
    corners = locate(network, gpd.GeoSeries(gpd.points_from_xy(network.node_x, network.node_y), crs=toys.CRS))
    point = gathering_points(network, at, radius_m)
    pairs = reach(network, at, corners, cutoff_m=radius_m)
    for _, members in pd.Series(range(len(point))).groupby(point):
        inside = np.isin(pairs.demand, members)
        assert np.bincount(pairs.site[inside]).max() == len(members)


def test_units_off_the_main_streets_gather_among_themselves():
    town = toys.toy("""
        +--a--+

        +--b--+--c--+
    """)
    network = from_lines(town.streets)
    at = locate(network, town.demand.geometry)
    point = gathering_points(network, at, 2_000.0)
    assert point[0] != point[1] == point[2]


def test_with_seats_the_gaps_add_up_to_what_is_not_served(tmp_path):
    folder = small.write(tmp_path)
    seats = "[capacity]\nvisit_minutes = 30\nevery_hours = 2\n[capacity.acceptance.sweepers]\nbank = 0.5\n\n[plan]"
    (folder / "study.toml").write_text(small.STUDY.replace("[plan]", seats), encoding="utf-8")
    result = run(load_study(folder))
    found = result.gaps.groupby(["group", result.gaps["reason"].isin(["full", "awkward_host"])])["weight"].sum()
    for group, figures in result.indicators[0]["by_group"].items():
        weight = figures["total_weight"]
        assert found.get((group, False), 0.0) == pytest.approx(weight * (1 - figures["effective_share"]))
        seatless = weight * (figures["effective_share"] - figures["served_share"])
        assert found.get((group, True), 0.0) == pytest.approx(seatless, abs=1e-4)
    assert {"full", "awkward_host"} & set(result.gaps["reason"])
    left = left_over(result.demand, result.coverage[0])
    assert left == pytest.approx(dict(zip(result.gaps["id"], result.gaps["weight"], strict=True)))
    last = left_over(result.demand, result.coverage[2028])
    assert set(last) == set(left) and sum(last.values()) < sum(left.values())


@pytest.mark.parametrize(
    ("effective", "accepted", "served", "reason", "lost"),
    [
        (0.8, 0.8, 0.8, "", 0.0),
        (0.8, 0.8, 0.5, "full", 0.3),
        (0.8, 0.5, 0.5, "awkward_host", 0.3),
        (0.8, 0.7, 0.5, "full", 0.3),
        (0.8, 0.6, 0.5, "awkward_host", 0.3),
        (0.0, 0.0, 0.0, "", 0.0),
    ],
)
def test_people_find_no_seat_for_what_loses_more(effective, accepted, served, reason, lost):
    one = np.ones(1)
    coverage = Coverage(
        np.array([0]), one, one, one > 0, one > 0, np.array([0]), np.zeros((1, 336), bool), effective * one, one, one,
        served * one, accepted * one,
    )  # fmt: skip
    why, share = seat_reasons(coverage)
    assert why.tolist() == [reason] and share.tolist() == [pytest.approx(lost)]


def gap(name: str, weight: float, *, place: str = "", group: str = "g", reason: str = "too_far") -> dict[str, object]:
    return {"id": name, "place": place or f"P{name}", "zone": "Z", "group": group, "reason": reason, "weight": weight}


def test_what_became_of_last_years_gaps():
    before = [gap("a", 10), gap("b", 5), gap("c", 4), gap("d", 8), gap("e", 2), gap("f", 6)]
    after = [
        gap("a", 10.1),
        gap("b", 7),
        gap("c", 1),
        gap("x", 3),
        gap("y", 2, place="Pe", reason="closed_then"),
        gap("f", 6),
    ]
    found = compare_gaps(before, after).set_index("id")
    assert found["change"].to_dict() == {
        "a": "same", "b": "grown", "c": "shrunk", "d": "closed", "x": "new", "y": "same", "f": "same",
    }  # fmt: skip
    # The gap at e goes on for another reason.
    assert found.loc["y", "was"] == "e" and found.loc["y", "reason_before"] == "too_far"
    assert found["before"].sum() == 35 and found["after"].sum() == pytest.approx(29.1)
    assert found.index[0] == "d" and found.loc["d", "after"] == 0


def test_a_gap_is_followed_only_where_there_is_no_doubt():
    before = [gap("a", 4, place="P"), gap("b", 3, place="P", reason="lacks_service")]
    after = [gap("c", 7, place="P", reason="closed_then")]
    assert sorted(compare_gaps(before, after)["change"]) == ["closed", "closed", "new"]
    other = [gap("c", 4, place="P", reason="closed_then", group="h")]
    assert sorted(compare_gaps(before[:1], other)["change"]) == ["closed", "new"]
    assert compare_gaps([], []).empty


@pytest.mark.parametrize(
    ("nearest_m", "within", "open_share", "equipped", "effective", "reason"),
    [
        (np.nan, 0, 0.0, 0.0, 0.0, "unreachable"),
        (900.0, 0, 0.0, 0.0, 0.0, "too_far"),
        (100.0, 1, 0.9, 0.0, 0.0, "lacks_service"),
        (100.0, 2, 0.9, 1.0, 0.4, "lacks_service"),
        (100.0, 2, 0.5, 1.0, 0.4, "closed_then"),
        (100.0, 1, 0.0, 1.0, 0.0, "closed_then"),
        (100.0, 1, 1.0, 1.0, 1.0, ""),
    ],
)
def test_the_reason_is_what_loses_most(nearest_m, within, open_share, equipped, effective, reason):
    one = [np.array([value]) for value in (nearest_m, within, within > 0, effective, open_share, equipped)]
    near_m, sites_within, covered, effective_share, open_, equipped_ = one
    week, weeks, circled = np.array([0]), np.zeros((1, 336), bool), np.array([False])
    coverage = Coverage(
        np.array([0]), near_m, sites_within, covered, circled, week, weeks, effective_share, open_, equipped_
    )
    assert reasons(coverage).tolist() == [reason]


def test_a_district_fully_served_has_no_gap(tmp_path):
    folder = small.write(tmp_path)
    (folder / "study.toml").write_text(
        small.STUDY.replace("service_radius_m = 400", "service_radius_m = 4000"), encoding="utf-8"
    )
    small.edit_cell(folder / "sites.xlsx", "F3", "24/7")
    result = run(load_study(folder))
    assert len(result.gaps) == 0 and (result.demand["gap"] == "").all()
    assert result.indicators[0]["effective_share"] == 1
