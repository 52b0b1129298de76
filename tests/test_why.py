"""Why each action is in the plan: on the small study, against coverage measured anew without it."""

from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import small_study as small
from test_plans import study_with

from planner import cli
from planner.actions import sites_after
from planner.pipeline import Result, Walks, cover, run
from planner.report.figures import not_told, why_rows
from planner.report.story import Text, story
from planner.report.workbook import write_workbook
from planner.study import load_study
from planner.summary import summary
from planner.words import LANGS, say


def measured(result: Result, sites: pd.DataFrame) -> np.ndarray:
    """People × working time of each unit that some sites cover."""
    walks: Walks = result.walks
    state = cover(result.study, sites, result.demand, walks, result.profiles)
    return result.demand["weight"].to_numpy() * state.effective_share


@pytest.fixture(scope="module", params=["", 'required = ["C1"]', "mix = { effective = 1, walk = 2 }"])
def result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = study_with(tmp_path_factory.mktemp("why"), request.param, budget="[2.0, 4.0]")
    found = run(load_study(folder))
    assert len(found.actions) >= 3
    return found


def test_what_is_lost_without_an_action_is_what_coverage_says(result: Result) -> None:
    whole = measured(result, result.sites)
    for row, action in enumerate(result.actions["id"]):
        rest = result.actions[result.actions["id"] != action]
        lost = whole - measured(result, sites_after(result.sites_today, rest))
        assert result.why.actions["loss"].iat[row] == pytest.approx(lost.sum(), abs=1e-9)
        serves = result.why.serves[result.why.serves["action_id"] == action]
        for of in ("group", "zone"):
            mine = serves[serves["of"] == of].set_index("id")["loss"]
            by_hand = pd.Series(lost).groupby(result.demand[of].to_numpy()).sum()
            assert mine.sum() == pytest.approx(lost.sum(), abs=1e-9)
            assert mine.to_numpy() == pytest.approx(by_hand[mine.index].to_numpy(), abs=1e-9)


def test_who_is_within_reach_is_counted(result: Result) -> None:
    reach, weight = result.walks.reach, result.demand["weight"].to_numpy()
    for action, place in zip(result.actions["id"], result.actions["place"], strict=True):
        serves = result.why.serves[result.why.serves["action_id"] == action]
        people = weight[reach.demand[reach.site == place]].sum()
        assert serves.loc[serves["of"] == "group", "within"].sum() == pytest.approx(people)
        assert serves.loc[serves["of"] == "zone", "within"].sum() == pytest.approx(people)


def test_gaps_are_those_that_the_action_alone_takes_away(result: Result) -> None:
    today = measured(result, result.sites_today)
    for action in result.actions["id"]:
        alone = result.actions[result.actions["id"] == action]
        added = pd.Series(measured(result, sites_after(result.sites_today, alone)) - today)
        by_gap = added.groupby(result.demand["gap"].to_numpy()).sum()
        told = result.why.gaps[result.why.gaps["action_id"] == action].set_index("gap")
        weights = result.gaps.set_index("id")["weight"]
        for gap, weight in weights.items():
            share = by_gap.get(gap, 0.0) / weight
            assert told["share"].get(gap, 0.0) == pytest.approx(share if share >= 0.01 else 0.0, abs=1e-9)
        assert (told["closes"] == (told["share"] >= 0.9 - 1e-12)).all()


def test_substitutes_say_what_swapping_would_lose(result: Result) -> None:
    whole = measured(result, result.sites).sum()
    possible = result.possible.set_index("id")
    told = result.why.substitutes
    assert len(told) and not set(told["substitute"]) & set(result.actions["id"])
    for swap in told.to_dict("records"):
        rest = result.actions[result.actions["id"] != swap["action_id"]]
        other = possible.loc[[swap["substitute"]]].reset_index()
        after = sites_after(result.sites_today, pd.concat([rest, other]))
        assert swap["loss"] == pytest.approx(whole - measured(result, after).sum(), abs=1e-9)
    mine = result.why.actions.set_index("action_id")["objective_loss"][told["action_id"]].to_numpy()
    keeps = 1 - told["objective_loss"].to_numpy() / mine
    assert told["keeps"].to_numpy() == pytest.approx(keeps)
    for _, swaps in told.groupby("action_id"):
        assert swaps["objective_loss"].is_monotonic_increasing


def test_closings_rank_every_site_by_what_its_closing_takes(result: Result) -> None:
    whole, ids = measured(result, result.sites).sum(), result.sites["id"]
    standing = result.sites.loc[~result.sites["status"].isin(["candidate", "closed"]), "id"]
    assert sorted(result.why.closings["site"]) == sorted(standing)
    assert result.why.closings["loss"].is_monotonic_decreasing
    for site, loss in result.why.closings.itertuples(index=False):
        closed = result.sites.copy()
        closed.loc[ids == site, "status"] = "closed"
        assert loss == pytest.approx(whole - measured(result, closed).sum(), abs=1e-9)


def test_the_summary_tells_the_same(result: Result) -> None:
    plan = summary(result)["plan"]
    assert [why["id"] for why in plan["why"]] == [action["id"] for action in plan["actions"]]
    assert plan["worst_closing"]["site"] == result.why.closings["site"].iat[0]
    for why, loss in zip(plan["why"], result.why.actions["loss"], strict=True):
        assert why["loss"] == loss
        assert {gap["gap"] for gap in why["gaps"] if gap["closes"]} == set(
            result.why.gaps.loc[(result.why.gaps["action_id"] == why["id"]) & result.why.gaps["closes"], "gap"]
        )


def test_a_required_place_is_needed_and_the_rule_says_so(tmp_path: Path) -> None:
    folder = study_with(tmp_path, 'required = ["C2"]\n[[plan.floors]]\nshare = 0.3', more=False)
    found = run(load_study(folder))
    told = dict(zip(found.actions["site"], found.why_needed("zh"), strict=True))
    assert any("便民超市" in sentence for sentence in told["C2"])
    assert dict(zip(found.actions["site"], found.why.actions["needed"], strict=True))["C2"]


def test_without_a_plan_there_is_nothing_to_explain(tmp_path: Path) -> None:
    folder = small.write(tmp_path)
    text = small.STUDY.replace("[plan]\nyears = [2027, 2028]\nbudget = [3.0, 3.0]\n", "")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    assert run(load_study(folder)).why is None


@pytest.mark.parametrize("lang", LANGS)
def test_with_seats_as_an_aim_it_is_told_why_nothing_stands_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str
) -> None:
    aim = 'objective = "served"\nrobustness = 1\n[capacity]\nvisit_minutes = 60'
    folder = study_with(tmp_path, aim, budget="[2.0, 4.0]", more=False)
    found = run(load_study(folder))
    cell, told = say(lang, "why.with_seats"), not_told(found, lang)
    assert told == say(lang, "why.with_seats_why")
    assert {(row["substitutes"], row["price"]) for row in why_rows(found, lang)} == {(cell, say(lang, "why.no_price"))}
    write_workbook(found, tmp_path / "programme.xlsx", lang)
    sheet = openpyxl.load_workbook(tmp_path / "programme.xlsx")[say(lang, "workbook.sheet_why")]
    cells = [value for row in sheet.iter_rows(min_row=4, values_only=True) for value in row]
    assert cells.count(cell) == len(found.actions) and told in cells
    assert [block for block in story(found, lang) if isinstance(block, Text) and told in block.text]
    cli.why(folder, robust=None, lang=lang)
    printed = " ".join(capsys.readouterr().out.split())
    assert cell.split("：")[0][:6] in printed and told in printed


def test_with_other_aims_nothing_is_said_of_seats(result: Result) -> None:
    assert not_told(result, "zh") == ""
    assert say("zh", "why.with_seats") not in {row["substitutes"] for row in why_rows(result, "zh")}
