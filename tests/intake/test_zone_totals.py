"""Totals by zone on the small study: W holds 8.5 streets of 300 m less what lies east of the middle; each zone keeps its number."""

import tempfile
from pathlib import Path

import geopandas as gpd
import pytest
import small_study as small
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import InputError
from planner.intake import read_inputs
from planner.study import load_study

ZONES = """
[[demand]]
kind = "zone"
group = "couriers"
file = "zones.csv"
"""


def inputs(folder, rows: str, more: str = ""):
    small.write(folder)
    (folder / "zones.csv").write_text("街道,人数\n" + rows, encoding="utf-8")
    text = small.STUDY.replace("[standard]", ZONES + more + "\n[standard]")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return read_inputs(load_study(folder))


def spread(found):
    return found.demand[found.demand["id"].str.startswith("D3-")]


def test_each_zone_keeps_its_total(tmp_path):
    units = spread(inputs(tmp_path, "西街道,40\nO,10\n"))
    assert units.groupby("zone")["weight"].sum().to_dict() == {"W": pytest.approx(40), "O": pytest.approx(10)}
    # Streets weigh by their length, so all metres of a zone are alike: W has 3 × 450 m across and 4 × 300 m down.
    west = units[units["zone"] == "W"]
    assert (west["weight"] / west["length_m"]).round(12).nunique() == 1
    assert west["length_m"].sum() == pytest.approx(2550)
    assert set(west["source"]) == {"zones.csv#2"} and units["id"].is_unique


def test_classes_weigh_as_the_study_says(tmp_path):
    units = spread(inputs(tmp_path, "W,30\n", "width_m = { primary = 1.0 }"))
    # Only E-F-G-H is primary, 450 m of it in the west.
    assert set(units["street_class"]) == {"primary"} and units["length_m"].sum() == pytest.approx(450)
    assert units["weight"].sum() == pytest.approx(30)


def test_people_go_to_the_buildings_of_their_zone_by_their_size(tmp_path):
    small.write(tmp_path)
    gpd.GeoDataFrame(
        {"people": [1, 3, 7]}, geometry=gpd.points_from_xy(*zip(*map(small.node, "AFH"), strict=True)), crs=small.CRS
    ).to_file(tmp_path / "houses.gpkg")
    units = spread(inputs(tmp_path, "W,20\nO,14\n", 'points = { file = "houses.gpkg" }'))
    assert units["weight"].tolist() == pytest.approx([5, 15, 14])
    assert units["zone"].tolist() == ["W", "W", "O"]
    assert [(p.x, p.y) for p in units.geometry] == [pytest.approx(small.node(letter), abs=0.01) for letter in "AFH"]


def test_people_without_a_place_are_set_aside_and_said(tmp_path):
    found = inputs(tmp_path, "W,40\n北街道,9\n,2\n")
    assert found.rejects["row"].tolist() == [3, 4]
    assert any("11.0" in warning for warning in found.warnings)
    assert spread(found)["weight"].sum() == pytest.approx(40)


def test_no_zone_at_all_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"zones\.csv"):
        inputs(tmp_path, "北街道,9\n")


@settings(max_examples=4, deadline=None)
@given(
    people=st.lists(st.integers(0, 500), min_size=3, max_size=3).filter(sum),
    widths=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    piece_m=st.sampled_from([15.0, 70.0, 100.0]),
    over=st.sampled_from(["streets", "buildings"]),
)
def test_spreading_preserves_totals_whatever_it_is_spread_over(people, widths, piece_m, over):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        small.write(place)
        sizes = [1, 0, 7, 2]
        gpd.GeoDataFrame(
            {"people": sizes}, geometry=gpd.points_from_xy(*zip(*map(small.node, "AFHL"), strict=True)), crs=small.CRS
        ).to_file(place / "houses.gpkg")
        more = f"piece_m = {piece_m}\nwidth_m = {{ primary = {widths[0]}.0, residential = {widths[1]}.5 }}"
        if over == "buildings":
            more = 'points = { file = "houses.gpkg" }'
        found = inputs(place, f"W,{people[0]}\nO,{people[1]}\nW,{people[2]}\n", more)
    by_zone = spread(found).groupby("zone")["weight"].sum()
    assert by_zone.get("W", 0) == pytest.approx(people[0] + people[2]) and by_zone.get("O", 0) == pytest.approx(
        people[1]
    )
    # The sweepers' total is spread by length × width over the whole area.
    assert found.demand.loc[found.demand["group"] == "sweepers", "weight"].sum() == pytest.approx(170)
