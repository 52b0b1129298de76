import dataclasses
import sqlite3
from pathlib import Path
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import oracle
import pandas as pd
import pyogrio
import pytest

from planner.hours import week_mask, week_profile
from planner.pipeline import Result
from planner.report.layers import LAYERS, dictionary, layers, write_layers
from planner.words import LANGS


@pytest.fixture(scope="module")
def plan(small_result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("layers") / "plan.gpkg"
    write_layers(small_result, path, "zh")
    return path


def test_every_layer_is_written_in_the_study_crs_with_the_columns_of_the_contract(plan: Path) -> None:
    kinds = dict(pyogrio.list_layers(plan))
    for name, (geometry, columns) in LAYERS.items():
        info = pyogrio.read_info(plan, layer=name)
        assert kinds[name] == geometry
        assert info["crs"] == "EPSG:4547"
        assert tuple(info["fields"]) == columns


def test_coordinates_and_metres_are_not_rounded(plan: Path, small_result: Result) -> None:
    streets = gpd.read_file(plan, layer="streets")
    assert [line.coords[:] for line in streets.geometry] == [line.coords[:] for line in small_result.streets.geometry]
    demand = gpd.read_file(plan, layer="demand")
    assert (demand.geometry.to_numpy() == small_result.demand.geometry.to_numpy()).all()
    np.testing.assert_array_equal(demand["nearest_m"], small_result.demand["nearest_m"])


def test_unreachable_is_null_and_covered_is_boolean(small_result: Result, tmp_path: Path) -> None:
    alone = small_result.demand.assign(nearest_m=np.nan, nearest_site=None)
    write_layers(dataclasses.replace(small_result, demand=alone), tmp_path / "plan.gpkg", "en")
    demand = gpd.read_file(tmp_path / "plan.gpkg", layer="demand")
    assert demand["nearest_m"].isna().all() and demand["nearest_site"].isna().all()
    assert demand["covered"].dtype == bool
    with sqlite3.connect(tmp_path / "plan.gpkg") as database:
        assert database.execute("SELECT count(*) FROM demand WHERE nearest_m IS NULL").fetchone() == (len(alone),)


def test_demand_lines_are_the_pieces_of_line_demand_around_their_measured_points(plan: Path) -> None:
    points = gpd.read_file(plan, layer="demand").set_index("id")
    lines = gpd.read_file(plan, layer="demand_lines").set_index("id")
    assert set(lines.index) == set(points.index[points["length_m"].notna()])
    assert lines.length.sum() == pytest.approx(points["length_m"].sum())
    middle = lines.geometry.interpolate(0.5, normalized=True)
    assert (middle.distance(points.geometry[lines.index]) < 1e-6).all()


def test_a_site_says_when_it_is_planned_and_where_it_comes_from(plan: Path) -> None:
    sites = gpd.read_file(plan, layer="sites").set_index("id")
    actions = gpd.read_file(plan, layer="actions").set_index("site")
    assert sites.loc["S1", "source"] == "sites.xlsx#3" == actions.loc["S1", "source"]
    assert sites.loc["S1", "status"] == "upgraded" and sites.loc["C2", "status"] == "chosen"
    assert sites.loc[actions.index, "year"].tolist() == actions["year"].tolist()
    assert (sites.loc[actions.index].geometry == actions.geometry).all()


def test_effective_coverage_of_today_follows_from_the_file_alone(plan: Path, small_result: Result) -> None:
    streets, demand, sites, actions = (gpd.read_file(plan, layer=n) for n in ("streets", "demand", "sites", "actions"))
    standing = sites[sites["status"].isin(["existing", "upgraded"])]
    standard, groups = small_result.study.standard, small_result.study.groups

    at_work = np.array([week_profile(groups[group].shifts) for group in demand["group"]])

    def shares(offers: pd.DataFrame) -> np.ndarray:
        open_near = np.zeros((len(demand), 336), dtype=bool)
        for site, offer in offers.iterrows():
            metres = oracle.nearest_m(streets.geometry, demand.geometry, sites.geometry[[site]])
            if set(standard.services) <= set(offer["services"].split(";")):
                open_near |= (metres <= standard.service_radius_m)[:, None] & week_mask(offer["opening_hours"])
        return (open_near * at_work).sum(axis=1) / at_work.sum(axis=1)

    today = shares(standing)
    np.testing.assert_allclose(today, demand["effective_share"])
    assert np.average(today, weights=demand["weight"] * at_work.sum(axis=1)) == pytest.approx(
        small_result.indicators[0]["effective_share"]
    )
    # What the upgrades make of them stands in the actions, and it is not the same.
    new = actions.set_index("site")[["opening_hours", "services", "capacity"]]
    later = standing.set_index("id")[["opening_hours", "services", "capacity"]]
    later.update(new[new.index.isin(later.index)])
    assert (shares(later.set_index(standing.index)) > today + 0.1).any()


def test_a_site_to_be_built_has_what_is_planned(plan: Path) -> None:
    sites = gpd.read_file(plan, layer="sites").set_index("id")
    built = gpd.read_file(plan, layer="actions").set_index("site").query("action == 'build'")
    assert len(built)
    for column in ("tier", "mode", "opening_hours", "services", "capacity"):
        assert sites.loc[built.index, column].tolist() == built[column].tolist()


def test_a_site_without_an_action_has_no_year(small_result: Result) -> None:
    idle = dataclasses.replace(small_result, sites=small_result.sites.assign(year=0))
    assert layers(idle)["sites"]["year"].isna().all()


def test_zones_carry_the_indicators_of_the_result(plan: Path, small_result: Result) -> None:
    zones = gpd.read_file(plan, layer="zones").set_index("id")
    assert zones.loc["W", "share"] == small_result.indicators[0]["by_zone"]["W"]["share"]
    assert zones.loc["O", "effective_share_planned"] == small_result.indicators[2028]["by_zone"]["O"]["effective_share"]


def test_two_runs_write_the_same_bytes(small_result: Result, plan: Path, tmp_path: Path) -> None:
    write_layers(small_result, tmp_path / "plan.gpkg", "zh")
    assert (tmp_path / "plan.gpkg").read_bytes() == plan.read_bytes()


def test_the_file_says_whose_data_it_is_and_what_is_illustrative(plan: Path, small_result: Result) -> None:
    about = pyogrio.read_dataframe(plan, layer="about").set_index("key")["value"]
    assert "ODbL" in about["licence"] and "OpenStreetMap" in about["streets"]
    assert about["illustrative"] == small_result.study.illustrative
    assert about["run_id"] == small_result.run_id
    with sqlite3.connect(plan) as database:
        notes = dict(database.execute("SELECT table_name, description FROM gpkg_contents"))
    assert all("ODbL" in notes[name] and small_result.study.illustrative in notes[name] for name in LAYERS)


def test_streets_of_another_source_are_not_put_under_openstreetmaps_licence(
    small_result: Result, tmp_path: Path
) -> None:
    own = small_result.study.model_copy(
        update={"streets": small_result.study.streets.model_copy(update={"source": "道路保洁台账"})}
    )
    write_layers(dataclasses.replace(small_result, study=own), tmp_path / "plan.gpkg", "zh")
    assert "ODbL" not in pyogrio.read_dataframe(tmp_path / "plan.gpkg", layer="about")["value"].str.cat()


def test_the_dictionary_explains_every_column_in_both_languages() -> None:
    table = dictionary()
    assert list(zip(table["layer"], table["column"], strict=True)) == [
        (n, c) for n, (_, cs) in LAYERS.items() for c in cs
    ]
    for lang in LANGS:
        assert (table[f"meaning_{lang}"].str.len() > 1).all()


def test_layers_without_rows_keep_their_columns(small_result: Result, tmp_path: Path) -> None:
    empty = dataclasses.replace(
        small_result,
        gaps=small_result.gaps.iloc[:0],
        actions=small_result.actions.iloc[:0],
        zones=small_result.zones.iloc[:0],
    )
    write_layers(empty, tmp_path / "plan.gpkg", "zh")
    for name in ("gaps", "actions", "zones"):
        info = pyogrio.read_info(tmp_path / "plan.gpkg", layer=name)
        assert info["features"] == 0
        assert tuple(info["fields"]) == LAYERS[name][1]
    types = dict(zip(info["fields"], info["dtypes"], strict=True))
    assert types["share"] == "float64" and types["name"] == "object"


@pytest.mark.parametrize("lang", LANGS)
def test_styles_are_whole_and_draw_every_feature_once(small_result: Result, tmp_path: Path, lang: str) -> None:
    hostile = small_result.streets.assign(highway="it's <b>&\"")
    write_layers(dataclasses.replace(small_result, streets=hostile), tmp_path / "plan.gpkg", lang)
    with sqlite3.connect(tmp_path / "plan.gpkg") as database:
        qml = dict(database.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault"))
    assert set(qml) == set(LAYERS)
    for name, text in qml.items():
        root = ElementTree.fromstring(text.partition("\n")[2])
        symbols = [symbol.get("name") for symbol in root.iter("symbol")]
        rules = [rule for rule in root.iter("rule") if rule.get("symbol")]
        assert symbols == [rule.get("symbol") for rule in rules], name
    drawn = ElementTree.fromstring(qml["sites"].partition("\n")[2])
    sites = layers(small_result)["sites"]
    hits = pd.Series(0, index=sites.index)
    for rule in drawn.iter("rule"):
        if rule.get("filter"):
            hits += [_holds(rule.get("filter", ""), site) for _, site in sites.iterrows()]
    assert (hits == 1).all()


def _holds(expression: str, site: pd.Series) -> bool:
    """Read the little of QGIS's expressions that the styles use."""
    python = expression.replace("coalesce(\"mode\", '')", '"mode"').replace(" = ", " == ").replace(" AND ", " and ")
    for column in ("status", "mode", "tier", "year"):
        python = python.replace(f'"{column}"', repr(site[column]) if site[column] is not pd.NA else "None")
    return bool(eval(python))
