"""A plan under wobbling assumptions, and without each of its actions: against runs of the study so changed, and every plan there is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from scipy import sparse
from test_plans import study_with, world

from planner import robustness as module
from planner.pipeline import Result, run
from planner.plans import LeftOut, Made, trade_off
from planner.report.figures import left_out, why_rows
from planner.report.story import Text, story
from planner.report.workbook import write_workbook
from planner.robustness import WOBBLE, without_each
from planner.siting import SitingProblem, objectives, solve
from planner.siting.marginal import leaving_out
from planner.siting.watch import Watch
from planner.study import load_study
from planner.summary import summary


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = study_with(tmp_path_factory.mktemp("robust"), "robustness = 6\nmip_gap = 0.0")
    return run(load_study(folder))


def test_each_action_is_told_how_often_it_stays(result: Result) -> None:
    found = result.robustness
    assert found.actions["action_id"].tolist() == result.actions["id"].tolist()
    assert found.trials["trial"].tolist() == [1, 2, 3, 4, 5, 6]
    assert found.actions["stays"].between(0, 1).all()
    assert (found.actions["place_stays"] >= found.actions["stays"]).all()
    assert found.trials["kept"].sum() == pytest.approx(6 * found.actions["stays"].sum())
    assert summary(result)["plan"]["robustness"]["actions"][0]["action_id"] == result.actions["id"].iat[0]


def test_the_same_seed_gives_the_same_trials_and_each_assumption_takes_evenly_spread_values(result: Result) -> None:
    again = module.robustness(result.terrain, result.study.plan, result.made, result.actions, trials=6)
    assert again.trials.equals(result.robustness.trials) and again.actions.equals(result.robustness.actions)
    for name in ("radius", "pace", "budget"):
        low, high = WOBBLE[name]
        steps = low + (high - low) * (np.arange(6) + 0.5) / 6
        assert sorted(again.trials[name]) == pytest.approx(steps.tolist())


@pytest.mark.parametrize(
    ("after", "raised"), [(2, KeyboardInterrupt), (2, SystemError), (2, None), (0, KeyboardInterrupt)]
)
def test_trials_that_are_broken_off_leave_those_that_are_done(
    result: Result, monkeypatch: pytest.MonkeyPatch, after: int, raised: type[BaseException] | None
) -> None:
    calls: list[Watch] = []

    def stopped(*args: Any, watch: Watch, **limits: Any) -> Made:
        calls.append(watch)
        if len(calls) > after:
            if raised:
                raise raised from KeyboardInterrupt()  # numba makes a SystemError of it
            watch.stopped = "interrupted"
        return module_best(*args, watch=watch, **limits)

    module_best = module.best
    monkeypatch.setattr(module, "best", stopped)
    found = module.robustness(result.terrain, result.study.plan, result.made, result.actions, trials=6)
    assert len(calls) == after + 1
    assert found.trials.to_dict("records") == result.robustness.trials.iloc[:after].to_dict("records")
    kept = np.nan_to_num(found.actions["stays"].to_numpy() * after).sum()
    assert kept == pytest.approx(found.trials["kept"].sum())


def test_a_trial_is_a_run_of_the_study_so_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "WOBBLE", {"radius": (1.2, 1.2), "pace": (0.9, 0.9), "budget": (1.3, 1.3), "people": (1.0, 1.0)}
    )
    monkeypatch.setattr(module, "_GAP", 0.0)
    rules = 'mip_gap = 0.0\n[[plan.floors]]\nshare = 0.2\nmeasure = "share"'
    before = run(load_study(study_with(tmp_path / "a", rules)))
    found = module.robustness(before.terrain, before.study.plan, before.made, before.actions, trials=1)
    folder = study_with(tmp_path / "b", rules, budget="[1.95, 4.16]")
    text = (
        (folder / "study.toml").read_text(encoding="utf-8").replace("service_radius_m = 400", "service_radius_m = 432")
    )
    (folder / "study.toml").write_text(text, encoding="utf-8")
    after = run(load_study(folder))
    trial = found.trials.iloc[0]
    assert trial["objective"] <= after.plan.objective + 1e-9 <= trial["objective"] * (1 + trial["gap"]) + 1e-8
    assert trial["objective"] > before.plan.objective


def test_what_planning_anew_loses_is_never_told_too_small_and_mostly_exact(result: Result, tmp_path: Path) -> None:
    w = world(study_with(tmp_path, ""))
    plans = [y for y in w.plans() if w.merged(y)]
    value = {y: sum(0.5 * w.score(y, t)[0]["effective_share"] for t in (1, 2)) for y in plans}
    best, number = max(value.values()), {action: j for j, action in enumerate(w.actions["id"])}
    told = result.robustness.actions
    exact = []
    for action, loss in zip(told["action_id"], told["replanned_loss"], strict=True):
        true = best - max(v for y, v in value.items() if not y[number[action]])
        assert loss >= true - 1e-7
        exact.append(loss == pytest.approx(true, abs=1e-7))
    assert np.mean(exact) >= 0.75


def test_what_only_a_rule_keeps_has_no_plan_without_it(tmp_path: Path) -> None:
    found = run(load_study(study_with(tmp_path, 'required = ["C2"]\nrobustness = 1', more=False)))
    told = found.robustness.actions.set_index("site")
    assert np.isnan(told.loc["C2", "replanned_loss"]) and told.loc["C2", "replanned"] == "none"
    assert [row["replanned_loss"] for row in why_rows(found, "en") if row["site"] == "C2"] == [
        "without it no plan keeps the rules"
    ]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemError])
@pytest.mark.parametrize("objective", ["effective", "least_cost", "fairest"])
def test_a_ctrl_c_without_an_action_ends_it_there_and_says_what_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objective: str, raised: type[BaseException]
) -> None:
    rules = f'objective = "{objective}"\nrobustness = 2\n[[plan.floors]]\nshare = 0.45'
    study = load_study(study_with(tmp_path, rules, budget="[9.0, 9.0]", more=False))
    asked: list[int] = []

    def broken_off(problem: SitingProblem, row: int) -> SitingProblem:
        asked.append(row)
        if len(asked) > 1:
            raise raised from KeyboardInterrupt()  # numba makes a SystemError of it
        return leaving_out(problem, row)

    monkeypatch.setattr(module, "leaving_out", broken_off)
    found = run(study)
    n = len(found.actions)
    assert n > 1 and len(asked) == 2 and found.plan.found
    assert found.robustness.actions["replanned"].tolist() == ["found", *["left_out"] * (n - 1)]
    assert found.robustness.actions["replanned_loss"].isna().tolist() == [False, *[True] * (n - 1)]
    assert found.left_out == (LeftOut("without", "interrupted", 1, n),)
    assert why_rows(found, "zh")[1]["replanned_loss"] == "未计算（求解提前结束）"
    assert summary(found)["plan"]["left_out"] == [{"part": "without", "by": "interrupted", "done": 1, "of": n}]
    assert f"(1 of {n} actions done)" in left_out(found, "en")


def test_a_ctrl_c_in_the_trials_ends_what_would_follow_too(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*args: Any, **limits: Any) -> Made:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "best", stopped)
    monkeypatch.setattr(module, "leaving_out", lambda *_: pytest.fail("went on"))
    found = module.robustness(result.terrain, result.study.plan, result.made, result.actions, trials=6)
    n = len(result.actions)
    assert found.actions["replanned"].tolist() == ["left_out"] * n
    assert found.left_out == (LeftOut("trials", "interrupted", 0, 6), LeftOut("without", "interrupted", 0, n))


def test_a_limit_in_seconds_bounds_what_follows_the_plan_and_it_is_told(tmp_path: Path) -> None:
    found = run(load_study(study_with(tmp_path, "time_limit_s = 1e-9\nrobustness = 3\ntradeoff = true")))
    n = len(found.actions)
    assert found.plan.found and found.robustness is None and found.tradeoff.empty
    assert {(p.part, p.by, p.done, p.of) for p in found.left_out} == {
        ("phasing", "time", 0, 1),
        ("trials", "time", 0, 3),
        ("without", "time", 0, n),
        ("trade_off", "time", 0, 8),
    }
    told = left_out(found, "zh")
    assert told.startswith("到了求解的时间上限") and "（8个点算出0个）" in told
    assert [block for block in story(found, "zh") if isinstance(block, Text) and told in block.text]
    write_workbook(found, tmp_path / "programme.xlsx", "zh")
    sheet = openpyxl.load_workbook(tmp_path / "programme.xlsx")["覆盖指标"]
    assert told in [row[0].value for row in sheet.iter_rows(min_row=4)]


def test_a_ctrl_c_in_the_trade_off_keeps_its_first_points(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    solve_point, calls = objectives.solve_with_rules, []

    def broken_off(*args: Any, **limits: Any) -> Any:
        calls.append(args)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return solve_point(*args, **limits)

    monkeypatch.setattr(objectives, "solve_with_rules", broken_off)
    table, missing = trade_off(result.made, result.study.plan)
    assert len(calls) == 3 and len(table) == 2 and missing == (LeftOut("trade_off", "interrupted", 2, 8),)


def test_a_plan_that_was_stopped_by_hand_comes_at_once_without_what_it_would_be_compared_with(result: Result) -> None:
    made = replace(result.made, plan=replace(result.plan, status="feasible", stopped="interrupted"))
    found = module.robustness(result.terrain, result.study.plan, made, result.actions, trials=6)
    table, missing = trade_off(made, result.study.plan)
    assert found.trials.empty and table.empty
    assert [part.part for part in (*found.left_out, *missing)] == ["trials", "without", "trade_off"]


def test_a_run_that_was_not_stopped_leaves_nothing_out(result: Result) -> None:
    assert result.left_out == () and left_out(result, "en") == ""
    assert set(result.robustness.actions["replanned"]) <= {"found", "none"}


def test_the_price_is_where_the_money_would_buy_as_much_elsewhere() -> None:
    # Ten places worth 1 for 1 of money each, one worth 3 for 1: with 5 of money its worth is that of three others.
    n = 11
    problem = SitingProblem(
        unit_weight=np.append(np.ones(10), 3.0),
        cover=sparse.csr_array(np.eye(n, dtype=np.int8)),
        capital_cost=np.ones(n),
        operating_cost=np.zeros(n),
        place=np.arange(n),
        budget=np.array([5.0]),
        year_weight=np.array([1.0]),
    )
    years = solve(problem, mip_gap=0.0).build_year
    rows = np.flatnonzero(years)
    losses, worth, known = module._searched(problem, years, rows, Watch())
    assert known.all()
    assert losses[rows == 10] == pytest.approx([2.0]) and losses[rows != 10] == pytest.approx(np.zeros(4))
    assert (1 + losses / worth)[rows == 10] == pytest.approx([3.0])


def test_the_least_cost_says_what_doing_without_would_cost(tmp_path: Path) -> None:
    rules = 'objective = "least_cost"\nmip_gap = 0.0\n[[plan.floors]]\nshare = 0.45'
    found = run(load_study(study_with(tmp_path / "a", rules, budget="[9.0, 9.0]", more=False)))
    w = world(study_with(tmp_path / "b", rules, budget="[9.0, 9.0]", more=False))
    kept = {y: w.cost(y) for y in w.plans() if w.score(y, 2)[0]["effective_share"] >= 0.45 - 1e-9}
    number = {action: j for j, action in enumerate(w.actions["id"])}
    rows = np.array([number[action] for action in found.actions["id"]])
    losses, prices, known = without_each(found.terrain, found.study.plan, found.made, rows)
    assert known.all()
    for row, loss, price in zip(rows.tolist(), losses, prices, strict=True):
        true = min(cost for y, cost in kept.items() if not y[row]) - min(kept.values())
        assert loss == pytest.approx(true) and price == pytest.approx(w.actions["capital_cost"][row] + true)
