"""What-ifs: the same figures as a run on the edited tables, whatever is edited."""

import dataclasses
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import small_study as small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.errors import InputError
from planner.pipeline import Result, cover, run
from planner.scenarios import write_study
from planner.study import load_study
from planner.whatif import Edit, Ground, edit_of, edited, evaluate, ground, new_id, remedies_of

HOURS = ("24/7", "Mo-Fr 09:00-17:00", "Mo-Su 05:00-11:00", "")
SERVICES = ("rest;water", "rest", "rest;water;toilet")


@pytest.fixture(scope="module")
def today(small_result) -> Ground:
    return ground(small_result)


def at(letter: str, east_m: float = 0.0, north_m: float = 0.0) -> dict:
    lon, lat = small.lonlat(letter, east_m, north_m)
    return {"lon": lon, "lat": lat}


def add(letter: str, site: str = "W1", **said) -> Edit:
    return Edit(do="add", site=site, **at(letter), **{"opening_hours": "24/7", "services": "rest;water", **said})


def whole(result: Result, sites: gpd.GeoDataFrame):
    """The coverage of some places, everything measured from nothing."""
    from planner.network import locate
    from planner.reach import reach

    walks, study = result.walks, result.study.model_copy(update={"capacity": None})
    places = locate(walks.network, sites.geometry)
    pairs = reach(
        walks.network, walks.demand, places, cutoff_m=study.standard.service_radius_m, access_share=walks.access_share
    )
    return cover(study, sites, result.demand, dataclasses.replace(walks, sites=places, reach=pairs), result.profiles)


def same(outcome, wanted) -> None:
    for name in (
        "nearest",
        "nearest_m",
        "sites_within",
        "covered",
        "circled",
        "effective_share",
        "open_share",
        "equipped_share",
    ):
        np.testing.assert_array_equal(getattr(outcome.coverage, name), getattr(wanted, name), err_msg=name)
    np.testing.assert_array_equal(outcome.coverage.open_mask, wanted.open_mask)


EDITS: dict[str, list[Edit]] = {
    "add": [add("C")],
    "add off the streets": [Edit(do="add", site="W1", **at("C", 60, 40), opening_hours="24/7", services="rest;water")],
    "move": [Edit(do="move", site="S1", **at("D"))],
    "close": [Edit(do="close", site="S1")],
    "close all": [Edit(do="close", site="S1"), Edit(do="close", site="S2")],
    "hours": [Edit(do="change", site="S1", opening_hours="Mo-Su 05:00-22:00")],
    "kit": [Edit(do="change", site="S2", services="rest;water")],
    "open a candidate": [Edit(do="change", site="C1", mode="self_build", opening_hours="24/7", services="rest;water")],
    "several": [
        add("C"),
        Edit(do="close", site="S1"),
        Edit(do="move", site="W1", **at("L")),
        add("A", "W2", services="rest"),
    ],
    "close and open again": [Edit(do="close", site="S1"), Edit(do="change", site="S1")],
}


@pytest.mark.parametrize("edits", EDITS.values(), ids=EDITS.keys())
def test_only_what_is_touched_is_measured_and_all_is_right(small_result, today, edits):
    outcome = evaluate(today, edits)
    same(outcome, whole(small_result, outcome.sites))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_edited_all_is_right(small_result, today, data):
    letters, edits, ids = st.sampled_from("ABCDEFGHIJKL"), [], ["S1", "S2", "C1", "C2"]
    for _ in range(data.draw(st.integers(1, 5))):
        do = data.draw(st.sampled_from(["add", "move", "close", "change"]))
        site = new_id(ids) if do == "add" else data.draw(st.sampled_from(ids))
        ids = [*ids, site] if do == "add" else ids
        where = (
            at(data.draw(letters), data.draw(st.integers(-140, 140)), data.draw(st.integers(-60, 60)))
            if do in ("add", "move")
            else {}
        )
        said = {"opening_hours": data.draw(st.sampled_from(HOURS)), "services": data.draw(st.sampled_from(SERVICES))}
        edits.append(Edit(do=do, site=site, **where, **(said if do in ("add", "change") else {})))
    outcome = evaluate(today, edits)
    same(outcome, whole(small_result, outcome.sites))


# A study without any site is refused when it is read.
STUDIES = {name: edits for name, edits in EDITS.items() if name != "close all"}


@pytest.mark.parametrize("edits", STUDIES.values(), ids=STUDIES.keys())
def test_the_same_what_if_gives_the_same_figures_as_a_run(today, edits, tmp_path: Path):
    outcome = evaluate(today, edits)
    again = run(load_study(write_study(today.result.study, outcome.sites, tmp_path / "study")))
    figures = again.indicators[0]
    mine = outcome.indicators
    assert mine == {key: figures[key] for key in mine}


def test_the_quick_figures_are_those_of_the_indicators(today):
    outcome = evaluate(today, EDITS["several"])
    whole = outcome.indicators
    for (column, name), figures in outcome.figures.items():
        wanted = whole if not column else whole[f"by_{column}"][name]
        assert figures == {key: wanted[key] for key in figures}


def test_gains_add_up_to_what_coverage_gains(today):
    outcome = evaluate(today, EDITS["several"])
    by = outcome.by("zone", "group")
    before, after = today.coverage, outcome.coverage
    assert by["net"].sum() == pytest.approx((today.weight * (after.effective_share - before.effective_share)).sum())
    assert (by["gained"] - by["lost"]).to_numpy() == pytest.approx(by["net"].to_numpy())
    assert by["reached"].sum() - by["unreached"].sum() == pytest.approx(
        (today.weight * (after.covered * 1.0 - before.covered)).sum()
    )
    assert not set(outcome.changed_units(gained=True)) & set(outcome.changed_units(gained=False))


def test_nothing_edited_changes_nothing(today):
    outcome = evaluate(today, [])
    assert outcome.coverage is today.coverage and not len(outcome.by("zone"))
    assert outcome.sites is today.sites


def test_undoing_an_edit_is_leaving_it_out(today):
    both = evaluate(today, [add("C"), Edit(do="close", site="S1")])
    one = evaluate(today, both.edits[:-1])
    same(one, evaluate(today, [add("C")]).coverage)


def test_a_station_more_never_takes_anything_away(today):
    for letter in "ABCDEFGHIJKL":
        outcome = evaluate(today, [add(letter)])
        assert not len(outcome.changed_units(gained=False))
        assert (outcome.by("zone")["lost"] == 0).all()


def test_the_end_of_a_year_is_a_ground_too(small_result):
    for year in small_result.years:
        there = ground(small_result, year)
        assert there.coverage.effective_share == pytest.approx(small_result.coverage[year].effective_share)
        outcome = evaluate(there, [Edit(do="close", site="S2")])
        same(outcome, whole(small_result, outcome.sites))


@pytest.mark.parametrize(
    ("edits", "key"),
    [([Edit(do="close", site="nobody")], "whatif_no_site"), ([add("C", "S1")], "whatif_taken")],
)
def test_an_edit_of_nothing_is_told(today, edits, key):
    with pytest.raises(InputError) as told:
        evaluate(today, edits)
    assert told.value.key == key


@pytest.mark.parametrize(
    "said",
    [
        {"do": "add", "site": "W1"},
        {"do": "add", "site": "W1", "lon": float("nan"), "lat": 30},
        {"do": "move", "site": "W1", "lon": 114, "lat": 91},
        {"do": "change", "site": "S1", "opening_hours": "whenever"},
        {"do": "change", "site": "S1", "capacity": -1},
        {"do": "burn", "site": "S1"},
        {"do": "close", "site": ""},
        {"do": "close", "site": "S1", "else": 1},
    ],
)
def test_an_edit_that_says_nothing_is_refused(said):
    with pytest.raises(ValueError):
        Edit(**said)


def test_remedies_of_a_gap_do_what_they_promise(small_result, today):
    seen = 0
    for gap in small_result.gaps.itertuples():
        found = remedies_of(today, gap.id)
        assert (found.empty and not gap.remedy) or found["id"].iat[0] == gap.remedy
        for _, action in found.iterrows():
            outcome = evaluate(today, [edit_of(action)])
            inside = (small_result.demand["gap"] == gap.id).to_numpy()
            assert outcome.change[inside].sum() == pytest.approx(action["gain"])
            seen += 1
    assert seen


def test_edited_keeps_the_frame_it_was_given(today):
    before = today.sites.copy()
    after = edited(today.sites, EDITS["several"])
    assert today.sites.equals(before)
    assert list(after.columns) == list(before.columns) and after.crs == before.crs
    assert after["source"].iat[-1] == "what-if#4"
