import numpy as np
import pytest
import small_study as small

from planner.coverage import Coverage
from planner.gaps import reasons
from planner.pipeline import Result, run
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


def test_a_gap_on_paper(small_result: Result):
    # A-E and A-B in the west: only its far third is within 400 m of F (300 + 100), the rest of A's corner is too far.
    corner = small_result.gaps[(small_result.gaps["zone"] == "W") & (small_result.gaps["reason"] == "too_far")].iloc[0]
    assert corner["units"] == 4 and corner["length_m"] == pytest.approx(400)
    assert corner["weight"] == pytest.approx(400 / 5100 * 170)
    assert corner["nearest_site"] == "S1" and corner["worst_m"] == pytest.approx(550, abs=0.01)


def test_ids_do_not_depend_on_the_order_of_rows(tmp_path, small_result: Result):
    folder = small.write(tmp_path / "again")
    file = folder / "candidates.csv"
    head, *rows = file.read_text(encoding="utf-8-sig").splitlines()
    file.write_text("\n".join([head, *reversed(rows)]) + "\n", encoding="utf-8")
    again = run(load_study(folder))
    assert again.gaps["id"].tolist() == small_result.gaps["id"].tolist()


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
