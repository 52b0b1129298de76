import base64
import dataclasses
import json
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from planner.draw.web import page, write_map
from planner.draw.webdata import DEGREE_PARTS, encode, plan_data
from planner.draw.webparts import data_script
from planner.hours import week_mask
from planner.words import LANGS
from planner.words.wording import percent

HOSTILE = "</script><script>alert(1)</script>{{7*7}}{% raw %}<!--\u2028\"'&"
degrees = st.floats(-180, 180).map(lambda x: round(x, 6))


@pytest.fixture(scope="module")
def data(small_result):
    return json.loads(data_script(plan_data(small_result, "zh")).removeprefix("window.plannerData=").removesuffix(";"))


def decoded(flat: list[int]) -> np.ndarray:
    return np.cumsum(np.array(flat).reshape(-1, 2), axis=0)


@given(st.lists(st.lists(st.tuples(degrees, degrees), min_size=2, max_size=6), max_size=5))
def test_encoded_lines_come_back_to_the_sixth_decimal(lines):
    shapes = np.array([shapely.LineString(line) for line in lines], dtype=object)
    encoded = encode(shapes)
    assert len(encoded) == len(lines)
    for flat, line in zip(encoded, lines, strict=True):
        wanted = np.rint(np.array(line) * DEGREE_PARTS)
        again = np.r_[True, (np.diff(wanted, axis=0) != 0).any(axis=1)]
        assert (decoded(flat) == wanted[again]).all()


def test_a_shape_of_several_lines_gives_one_list_a_line():
    both = shapely.MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3)]])
    assert encode(gpd.GeoSeries([both])) == [[0, 0, 1_000_000, 1_000_000], [2_000_000, 2_000_000, 1_000_000, 1_000_000]]


def test_the_same_result_gives_the_same_file(small_result, tmp_path: Path):
    for name in ("one.html", "two.html"):
        write_map(small_result, tmp_path / name, "zh")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


@pytest.mark.parametrize("lang", LANGS)
def test_nothing_in_the_page_is_loaded_from_elsewhere(small_result, lang):
    text = page(plan_data(small_result, lang))
    loads = re.findall(
        r"<(?:script|link|img|iframe)[^>]*\b(?:src|href)=[^>]*>|@import|url\((?!data:|#)[^)]*\)|sourceMappingURL", text
    )
    assert [load for load in loads if "url(#" not in load] == []


def test_hostile_words_cannot_leave_the_data(small_result):
    sites = small_result.sites.assign(name=HOSTILE, host=HOSTILE, address=HOSTILE)
    study = small_result.study.model_copy(
        update={
            "name": HOSTILE,
            "illustrative": HOSTILE,
            "map": small_result.study.map.model_copy(update={"title": HOSTILE}),
        }
    )
    text = page(plan_data(dataclasses.replace(small_result, sites=sites, study=study), "en"))
    # Nothing is read as markup or as a template: the words stand in the data alone, and escaped.
    assert "<script>alert" not in text
    assert "{{7*7}}" in text and "49{%" not in text
    assert text.count("</script>") == len(re.findall(r"<script>", text))
    assert json.loads(re.search(r"window\.plannerData=(.*);</script>", text)[1])["title"] == HOSTILE


def test_figures_are_the_results_own(small_result, data):
    for moment, drawn in zip(small_result.indicators, data["moments"], strict=True):
        figures = small_result.indicators[moment]
        assert drawn["year"] == moment
        for group, own in {"": figures, **figures["by_group"]}.items():
            wanted = [percent(own[key]) for key in ("share", "effective_share", "backup_share")]
            assert [figure for _, figure, _ in drawn["figures"][group]] == wanted


def test_each_unit_is_drawn_once_where_it_lies_and_from_when_it_is_covered(small_result, data):
    demand = small_result.demand
    lines = demand[demand["line"].notna()]
    moments = [moment["year"] for moment in data["moments"]] + [-1]
    assert [moments[i] for i in data["lines"]["from"]] == lines["covered_from"].tolist()
    assert len(data["points"]["x"]) == len(demand) - len(lines)
    own = gpd.GeoSeries(lines["line"].to_numpy(), crs=demand.crs).to_crs("EPSG:4326")
    for flat, line in zip(data["lines"]["shape"], own, strict=True):
        ends = shapely.get_coordinates(line)[[0, -1]] * DEGREE_PARTS
        assert np.abs(decoded(flat)[[0, -1]] - ends).max() <= 0.5 + 1e-6


def test_the_weeks_of_cover_are_the_coverages_own(small_result, data):
    weeks = [
        np.unpackbits(np.frombuffer(base64.b64decode(week), dtype=np.uint8), count=336) for week in data["patterns"]
    ]
    is_line = small_result.demand["line"].notna().to_numpy()
    for i, moment in enumerate(small_result.coverage.values()):
        for units, rows in (("lines", is_line), ("points", ~is_line)):
            drawn = np.array([weeks[k] for k in data[units]["pattern"][i]])
            assert (drawn == moment.open_mask[rows]).all()


def test_hours_of_a_day_add_up_to_effective_coverage(small_result, data):
    for moment, hours in zip(small_result.indicators, data["hours"], strict=True):
        covered, at_work = sum(hours[""]["covered"]), sum(hours[""]["at_work"])
        assert covered / at_work == pytest.approx(small_result.indicators[moment]["effective_share"], abs=2e-3)


def test_a_gap_shrinks_by_what_the_plan_covers(small_result, data):
    assert [gap["left"][0] for gap in data["gaps"]] == pytest.approx(small_result.gaps["weight"].tolist(), abs=0.01)
    for gap in data["gaps"]:
        assert gap["left"] == sorted(gap["left"], reverse=True)


def test_a_popup_says_what_the_programme_says(small_result, data):
    planned = {row["site"]: row for row in small_result.programme.to_dict("records")}
    assert planned
    for site in data["sites"]:
        rows = dict(site["rows"])
        own = small_result.sites.set_index("id").loc[site["id"]]
        assert rows["资料来源"] == own["source"]
        if site["id"] in planned:
            row = planned[site["id"]]
            assert rows["建设年度"] == str(row["year"])
            assert rows["建设费"] == f"{row['capital_cost']:g} 万元"
            assert site["number"] == str(row["number"])


def test_a_popup_says_from_when_to_when_hours_change(data):
    told = {site["id"]: dict(site["rows"])["开放时间"] for site in data["sites"]}
    assert told["S1"] == "由周一至周五 9:00–17:00改为每天 5:00–22:00"
    assert told["C2"] == "每天 7:00–21:00"


def test_the_weeks_of_a_site_are_those_of_its_hours_at_each_moment(small_result, data):
    for i, moment in enumerate((0, *small_result.years)):
        hours = small_result.sites_at(moment).set_index("id")["opening_hours"]
        for site in data["sites"]:
            packed = np.frombuffer(base64.b64decode(data["site_weeks"][site["weeks"][i]]), dtype=np.uint8)
            assert (np.unpackbits(packed, count=336) == week_mask(hours[site["id"]])).all()


def test_online_base_maps_stand_in_the_page_only_where_the_study_allows_them(small_result, data):
    def online(**settings):
        block = small_result.study.map.model_copy(update=settings)
        study = small_result.study.model_copy(update={"map": block})
        return plan_data(dataclasses.replace(small_result, study=study), "en")["online"]

    assert data["online"] == online() == []
    assert [base["name"] for base in online(online=("osm", "tianditu"))] == ["OpenStreetMap"]
    own = online(online=("tianditu",), tianditu_key="k1")[0]["tiles"]
    # CGCS2000 in Web Mercator ("w"), with the user's key.
    assert all("TILEMATRIXSET=w&" in url and url.endswith("&tk=k1") for url in own)


def test_the_legend_holds_the_symbols_on_the_map_and_no_others(small_result, data):
    shown = [site for site in data["sites"] if site["status"] != "candidate"]
    assert {shape for shape, _ in data["legend"]["modes"]} == {site["shape"] for site in shown}
    assert {status for status, _ in data["legend"]["states"]} == {site["status"] for site in shown}


def test_service_areas_hold_the_units_that_are_covered_and_no_others(small_result, data):
    demand = small_result.demand.to_crs("EPSG:4326")
    inside = 0
    for i, moment in enumerate(small_result.coverage.values()):
        polygons = [
            shapely.Polygon(decoded(rings[0]), [decoded(hole) for hole in rings[1:]]) for rings in data["areas"][i]
        ]
        area = shapely.union_all(polygons)
        held = shapely.contains(
            area, shapely.points(demand.geometry.x * DEGREE_PARTS, demand.geometry.y * DEGREE_PARTS)
        )
        # A unit that is a step beyond the radius may lie within the frontage; the other way round nothing is lost.
        assert held[moment.covered].all()
        assert not held[moment.nearest_m > small_result.study.standard.service_radius_m + 60].any()
        inside += held.sum()
    assert 0 < inside < len(demand) * len(data["areas"])
