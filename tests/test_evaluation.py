"""The existing sites judged: losses against closing each in turn, intervals against a published table, a survey on paper."""

import numpy as np
import pandas as pd
import pytest
import small_study as small
from hypothesis import given
from hypothesis import strategies as st

from planner.coverage import Offers, measure
from planner.evaluation import closing_losses, score_card, surveyed_acceptance, wilson
from planner.intake import read_inputs
from planner.pipeline import Result, run
from planner.reach import Reach
from planner.report.story import Text, story
from planner.study import load_study
from planner.summary import summary
from planner.tables import SURVEY_COLUMNS
from planner.words import say

SURVEY = "站点编号,调查人数,知晓人数,参与人数,满意人数,日均到访\n"


def pairs_of(near: np.ndarray) -> Reach:
    demand, site = np.nonzero(near)
    return Reach(
        n_demand=near.shape[0], n_sites=near.shape[1], cutoff_m=500.0, demand=demand.astype(np.int32),
        site=site.astype(np.int32), distance_mm=np.ones(len(demand), np.uint32), access_share=1.0,
    )  # fmt: skip


def effective(reach: Reach, standing: Offers, weight, group, profiles) -> float:
    n = reach.n_demand
    state = measure(reach, (np.zeros(n, np.int64), np.zeros(n)), np.zeros(n), standing, group, profiles)
    return float((weight * state.effective_share).sum())


@given(st.integers(0, 10_000))
def test_a_loss_is_what_coverage_loses_when_the_site_is_gone(seed: int):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 12)), int(rng.integers(1, 6))
    reach = pairs_of(rng.random((n, m)) < 0.5)
    masks = np.repeat(rng.random((m, 14)) < 0.5, 24, axis=1)
    serves, weight, group = rng.random(m) < 0.8, rng.uniform(0, 9, n), rng.integers(0, 2, n)
    profiles = np.repeat(rng.integers(0, 3, (2, 14)) / 2, 24, axis=1) + 1e-3
    standing = Offers(np.arange(m), masks, serves)
    whole = effective(reach, standing, weight, group, profiles)
    losses = closing_losses(reach, standing, weight, group, profiles)
    for j in range(m):
        rest = np.arange(m) != j
        without = Offers(np.arange(m)[rest], masks[rest], serves[rest])
        assert losses[j] == pytest.approx(whole - effective(reach, without, weight, group, profiles), abs=1e-9)


def test_losses_of_blocks_are_the_same(monkeypatch):
    rng = np.random.default_rng(3)
    reach, masks = pairs_of(rng.random((50, 8)) < 0.3), np.repeat(rng.random((8, 14)) < 0.5, 24, axis=1)
    asked = (reach, Offers(np.arange(8), masks, np.ones(8, bool)), rng.uniform(1, 5, 50), np.zeros(50, np.int64))
    whole = closing_losses(*asked, np.ones((1, 336)))
    monkeypatch.setattr("planner.evaluation._BLOCK", 7)
    assert closing_losses(*asked, np.ones((1, 336))) == pytest.approx(whole)


def test_wilsons_interval():
    # Newcombe (1998), table I: 81 of 263 give 0.2553 to 0.3662, 15 of 148 0.0624 to 0.1605, 0 of 20 0 to 0.1611, 1 of 29 0.0061 to 0.1718.
    low, high = wilson(np.array([81.0, 15.0, 0.0, 1.0]), np.array([263.0, 148.0, 20.0, 29.0]))
    assert low == pytest.approx([0.2553, 0.0624, 0.0, 0.0061], abs=5e-5)
    assert high == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=5e-5)
    assert np.isnan(wilson(np.array([np.nan]), np.array([np.nan]))).all()


def test_a_small_survey_hardly_moves_what_was_assumed():
    found = surveyed_acceptance(
        np.array([[0.8, 0.8, 0.8, 1.0]]), np.array([0, 0, np.nan, 150]), np.array([3, 3000, np.nan, 270])
    )
    assert found[0] == pytest.approx([24 / 33, 24 / 3030, 0.8, 180 / 300])


@pytest.fixture
def judged(tmp_path) -> Result:
    folder = small.write(tmp_path)
    rows = "S1,40,30,20,15,12\nS2,10,5,0,,\nS9,5,5,5,5,1\nS2,10,11,2,1,3\n"
    (folder / "survey.csv").write_text(SURVEY + rows, encoding="utf-8")
    text = small.STUDY + '\n[evaluation]\nfile = "survey.csv"\n[capacity]\nvisit_minutes = 15\n'
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return run(load_study(folder))


def test_a_share_of_few_is_a_small_sample_however_many_were_asked():
    sites = pd.DataFrame({"id": ["A", "B", "C"]})
    counts = {"surveyed": [40.0, 40.0, 40.0], "aware": [40.0, 40.0, np.nan], "took_part": [30.0, 29.0, np.nan]}
    survey = pd.DataFrame({"site": ["A", "B", "C"], **counts, "satisfied": [30.0, 29.0, np.nan], "visits": np.nan})
    card = score_card(sites, survey, np.zeros(3), np.zeros(3), None)
    assert card["small_sample"].tolist() == [False, True, False]


def test_a_row_that_leaves_a_count_empty_is_not_added_to_one_that_has_it(tmp_path):
    folder = small.write(tmp_path)
    rows = "S1,40,30,20,15,12\nS1,60,50,,,\nS2,10,5,,,\nS2,10,5,,,\n"
    (folder / "survey.csv").write_text(SURVEY + rows, encoding="utf-8")
    (folder / "study.toml").write_text(small.STUDY + '\n[evaluation]\nfile = "survey.csv"\n', encoding="utf-8")
    inputs = read_inputs(load_study(folder))
    survey = inputs.survey.set_index("site")
    assert survey.loc["S1", ["surveyed", "took_part"]].tolist() == [40, 20]  # 20 of 100 is what nobody said
    assert survey.loc["S2", "surveyed"] == 20 and np.isnan(survey.loc["S2", "took_part"])
    assert inputs.rejects[["file", "row"]].to_numpy().tolist() == [["survey.csv", 3]]
    assert inputs.rejects["reason"].iloc[0] == say("zh", "quality.survey_partial")


def test_the_score_card_on_paper(judged: Result):
    card = judged.evaluation.set_index("site")
    one = card.loc["S1"]
    assert (one["awareness"], one["participation"], one["satisfaction"]) == (0.75, 0.5, 0.75)
    assert one["score"] == pytest.approx(2 / 3) and one["visits"] == 12
    assert one["small_sample"]  # 40 were asked, but 20 took part and could be satisfied
    # Nobody took part at S2, so nobody can be satisfied; ten answers are few; a row with 11 of 10 is set aside, as is a site that is none.
    two = card.loc["S2"]
    assert (two["awareness"], two["participation"], two["small_sample"]) == (0.5, 0.0, True)
    assert np.isnan(two["satisfaction"]) and two["score"] == pytest.approx(0.25)
    assert judged.rejects["row"].tolist() == [4, 5]
    # S2 lacks water: closing it takes nothing from effective coverage, and nobody sits there who needs some.
    assert two["closing_loss"] == 0 and two["finding"] == "dispensable;idle"
    lost = (judged.demand["weight"] * judged.demand["effective_share"]).sum()
    assert lost > 0 and one["closing_loss"] == pytest.approx(lost)
    assert summary(judged)["evaluation"][0]["site"] == "S1"


def test_shares_in_a_survey_are_not_counted_as_people(tmp_path):
    folder = small.write(tmp_path)
    (folder / "survey.csv").write_text(SURVEY + "S1,40,0.75,0.5,0.4,12\nS2,40,30,20,15,0.5\n", encoding="utf-8")
    (folder / "study.toml").write_text(small.STUDY + '\n[evaluation]\nfile = "survey.csv"\n', encoding="utf-8")
    inputs = read_inputs(load_study(folder))
    # Half a visit a day is an average, half a person is none.
    assert inputs.survey["site"].tolist() == ["S2"] and inputs.survey["visits"].tolist() == [0.5]
    assert inputs.rejects["row"].tolist() == [2] and "比例" in inputs.rejects["reason"].iloc[0]


def test_visits_that_were_counted_say_who_is_idle():
    sites = pd.DataFrame({"id": list("abcd")})
    survey = pd.DataFrame({column: [np.nan] * 2 for column in SURVEY_COLUMNS}).assign(
        site=["a", "b"], visits=[1.0, 12.0]
    )
    load = np.array([0.5, 0.01, 0.01, 0.5])
    card = score_card(sites, survey, np.ones(4), np.array([1.0, 2.0, 3.0, 4.0]), load)
    # Hardly anybody was seen at a, whatever seats the model fills; twelve a day were seen at b; nobody counted at c and d. What would be
    # missed most is told of a site that is full or idle too.
    assert card["finding"].tolist() == ["idle", "vital", "vital;idle", "vital"]


def test_who_was_asked_is_merged_into_who_would_go(judged: Result, tmp_path):
    assert judged.sites.set_index("id").loc["S1", ["surveyed", "took_part"]].tolist() == [40, 20]
    # 30 answers of one were assumed: (30 + 20) ÷ (30 + 40) of everybody would go to S1, and there are seats enough for them.
    state = judged.coverage[0]
    covered = state.effective_share > 0
    assert state.accepted_share[covered] == pytest.approx(state.effective_share[covered] * 50 / 70)
    assert set(judged.gaps["reason"]) & {"awkward_host", "full"}


def test_the_report_says_that_no_other_sharing_of_seats_serves_more(judged: Result):
    seats = judged.indicators[0]["seat_hours"]
    assert 0 < seats["used"] == pytest.approx(seats["at_most"], rel=1e-6)
    assert seats["used"] == pytest.approx(
        (judged.demand["weight"] * judged.coverage[0].served_share * _worked(judged)).sum() * 15 / 60 / 4
    )
    told = [block.text for block in story(judged, "zh") if isinstance(block, Text)]
    assert any("已证明" in text for text in told)


def _worked(result: Result) -> np.ndarray:
    return result.demand["group"].map({group: p.sum() for group, p in result.profiles.items()}).to_numpy(dtype=float)
