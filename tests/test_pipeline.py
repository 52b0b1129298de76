"""The whole method on the small study: against paper, networkx and brute force."""

import itertools
import json
from pathlib import Path

import numpy as np
import oracle
import pytest
import small_study as small

from planner.actions import possible_actions, sites_after
from planner.coverage import indicators
from planner.errors import InputError
from planner.intake import read_inputs
from planner.pipeline import Result, cover, run, walk
from planner.study import Study, load_study
from planner.summary import plain, summary, summary_json


def test_nearest_m_equals_an_independent_computation(small_result: Result):
    existing = small_result.sites[small_result.sites["status"].isin(["existing", "upgraded"])]
    expected = oracle.nearest_m(small_result.streets.geometry, small_result.demand.geometry, existing.geometry)
    assert np.allclose(small_result.demand["nearest_m"], expected, atol=0.01)


def test_covered_and_sites_within_are_what_the_definitions_say(small_result: Result):
    demand, radius_m = small_result.demand, small_result.study.standard.service_radius_m
    assert (demand["covered"] == (demand["nearest_m"] <= radius_m)).all()
    assert (demand["covered"] == (demand["sites_within"] >= 1)).all()
    figures = small_result.indicators[0]
    assert figures["share"] == pytest.approx(demand.loc[demand["covered"], "weight"].sum() / demand["weight"].sum())


def test_rescoring_the_chosen_actions_gives_the_objective(small_result: Result):
    weights = small_result.study.plan.normalised_year_weights
    scored = sum(
        w * small_result.indicators[y]["effective_share"] for w, y in zip(weights, small_result.years, strict=True)
    )
    assert small_result.plan.objective == pytest.approx(scored, rel=1e-9)
    assert small_result.plan.status == "optimal" and small_result.plan.gap == 0


def test_gains_sum_to_what_the_plan_adds(small_result: Result):
    first, last = small_result.indicators[0], small_result.indicators[small_result.years[-1]]
    added = (last["effective_share"] - first["effective_share"]) * last["total_weight"]
    assert small_result.actions["gain"].sum() == pytest.approx(added)


def test_costs_follow_the_definition_and_fit_the_budgets(small_result: Result):
    actions, settings = small_result.actions, small_result.study.plan
    spent = earned = 0.0
    for year, budget in zip(settings.years, settings.budget, strict=True):
        capital = actions.loc[actions["year"] == year, "cost"].sum()
        running = actions.loc[actions["year"] <= year, "operating_cost"].sum()
        assert small_result.cost_by_year[year] == pytest.approx(capital + running)
        spent, earned = spent + capital + running, earned + budget
        assert spent <= earned + 1e-9


@pytest.mark.parametrize("objective", ["effective", "share"])
@pytest.mark.parametrize("carry_over", [True, False])
def test_brute_force_over_all_plans_finds_nothing_better(tmp_path: Path, objective: str, carry_over: bool):
    folder = small.write(tmp_path)
    settings = f'objective = "{objective}"\ncarry_over = {str(carry_over).lower()}\nyear_weights = [2, 1]\n'
    file = folder / "study.toml"
    file.write_text(small.STUDY.replace("budget = [3.0, 3.0]", f"budget = [1.5, 3.2]\n{settings}"), encoding="utf-8")
    study = load_study(folder)
    result = run(study)
    assert result.plan.objective == pytest.approx(best_of_all(study, objective, carry_over), rel=1e-9)


def best_of_all(study: Study, objective: str, carry_over: bool) -> float:
    """Score every assignment of actions to years by `coverage`, and return the best that the budgets allow."""
    inputs = read_inputs(study)
    walks = walk(study, inputs)
    from planner.hours import week_profile

    profiles = {g: week_profile(s.shifts) for g, s in study.groups.items()}
    actions = possible_actions(inputs.sites, inputs.options)
    key = {"effective": "effective_share", "share": "share"}[objective]
    scores: dict[tuple[int, ...], float] = {}

    def score(taken: tuple[int, ...]) -> float:
        if taken not in scores:
            sites = sites_after(inputs.sites, actions.iloc[list(taken)])
            scores[taken] = indicators(inputs.demand, cover(study, sites, inputs.demand, walks, profiles), profiles)[
                key
            ]
        return scores[taken]

    best, budget = 0.0, study.plan.budget
    for years in itertools.product([0, 1, 2], repeat=len(actions)):
        places = [actions["place"][j] for j, year in enumerate(years) if year]
        if len(places) != len(set(places)):
            continue
        spent = [
            sum(actions["capital_cost"][j] for j, year in enumerate(years) if year == t)
            + sum(actions["operating_cost"][j] for j, year in enumerate(years) if 0 < year <= t)
            for t in (1, 2)
        ]
        limits = [spent[0] <= budget[0] + 1e-9, spent[1] <= budget[1] + 1e-9]
        if carry_over:
            limits[1] = sum(spent) <= sum(budget) + 1e-9
        if all(limits):
            by_year = [score(tuple(j for j, year in enumerate(years) if 0 < year <= t)) for t in (1, 2)]
            best = max(best, sum(w * s for w, s in zip(study.plan.normalised_year_weights, by_year, strict=True)))
    return best


def test_two_runs_give_the_same_summary_but_for_seconds(small_study: Path):
    texts = []
    for _ in range(2):
        content = json.loads(summary_json(run(load_study(small_study))))
        content["plan"].pop("seconds")
        texts.append(json.dumps(content))
    assert texts[0] == texts[1]


def test_a_changed_input_changes_the_run_id(small_study: Path):
    before = run(load_study(small_study)).run_id
    with (small_study / "candidates.csv").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert run(load_study(small_study)).run_id != before


def test_the_summary_has_the_shape_of_the_contract(small_result: Result):
    found = plain(summary(small_result))
    assert list(found) == [
        "schema",
        "study",
        "network",
        "demand",
        "standard",
        "coverage",
        "seasons",
        "hosts_open",
        "norms",
        "tiers",
        "evaluation",
        "gaps",
        "last",
        "plan",
        "quality",
    ]
    assert {"name", "run_id", "planner_version", "inputs"} <= found["study"].keys()
    assert {"source", "nodes", "edges", "length_km", "components", "approximate"} <= found["network"].keys()
    assert (found["network"]["nodes"], found["network"]["edges"], found["network"]["length_km"]) == (12, 17, 5.1)
    figures = {
        "share",
        "covered_weight",
        "total_weight",
        "effective_share",
        "backup_share",
        "mean_m",
        "p90_m",
        "worst_m",
    }
    figures |= {"unreachable_share", "by_group", "by_zone"}
    for moment in [found["coverage"]["existing"], *found["coverage"]["plan"].values()]:
        assert figures <= moment.keys()
    assert list(found["coverage"]["plan"]) == ["2027", "2028"]
    assert set(found["coverage"]["existing"]["by_zone"]) == {"W", "O"}
    gap = {"id", "zone", "group", "weight", "reason", "nearest_site", "nearest_m", "x", "y"}
    assert all(gap <= g.keys() for g in found["gaps"])
    action = {"site", "action", "mode", "tier", "year", "cost", "operating_cost", "gain"}
    assert all(action <= a.keys() for a in found["plan"]["actions"])
    plan = {"objective_name", "status", "objective", "bound", "gap", "seconds", "actions", "cost_by_year"}
    assert plan | {"budget_by_year", "carry_over"} <= found["plan"].keys()
    assert json.loads(summary_json(small_result)) == found


def test_an_action_by_a_user_rule(small_study: Path):
    file = small_study / "study.toml"
    rules = 'budget = [3.0, 3.0]\nrequired = ["C1"]\nforbidden = ["C2"]'
    file.write_text(small.STUDY.replace("budget = [3.0, 3.0]", rules), encoding="utf-8")
    sites = set(run(load_study(small_study)).actions["site"])
    assert "C1" in sites and "C2" not in sites


def test_a_rule_about_a_place_that_is_not_there(small_study: Path):
    file = small_study / "study.toml"
    file.write_text(
        small.STUDY.replace("budget = [3.0, 3.0]", 'budget = [3.0, 3.0]\nrequired = ["C9"]'), encoding="utf-8"
    )
    with pytest.raises(InputError, match="C9"):
        run(load_study(small_study))


def test_no_money_no_actions(small_study: Path):
    file = small_study / "study.toml"
    file.write_text(small.STUDY.replace("budget = [3.0, 3.0]", "budget = [0, 0]"), encoding="utf-8")
    result = run(load_study(small_study))
    assert len(result.actions) == 0 and len(result.programme) == 0
    assert result.plan.status == "optimal"
    assert result.plan.objective == pytest.approx(result.indicators[0]["effective_share"])


def test_a_study_without_a_plan_is_measured_all_the_same(small_study: Path):
    file = small_study / "study.toml"
    text = small.STUDY[: small.STUDY.index("[plan]")] + small.STUDY[small.STUDY.index("[map]") :]
    file.write_text(text, encoding="utf-8")
    result = run(load_study(small_study))
    assert result.plan is None and result.years == () and len(result.actions) == 0
    assert json.loads(summary_json(result))["coverage"]["plan"] == {}


def test_a_season_is_what_a_study_of_its_shifts_alone_would_find(tmp_path: Path):
    summer = '{ name = "早班", season = "summer", hours = "Mo-Su 05:00-11:00" }'
    winter = '{ name = "早班", season = "winter", hours = "Mo-Su 08:00-12:00" }'
    both = small.STUDY.replace('{ name = "早班", hours = "Mo-Su 05:00-11:00" }', f"{summer}, {winter}")

    def found(name: str, text: str) -> Result:
        folder = small.write(tmp_path / name)
        (folder / "study.toml").write_text(text, encoding="utf-8")
        return run(load_study(folder))

    result = found("both", both)
    alone = found("winter", small.STUDY.replace("05:00-11:00", "08:00-12:00"))
    assert result.study.season_planned == "summer"
    shares = result.seasons.set_index(["season", "group", "moment"])["effective_share"]
    for group, figures in alone.indicators[0]["by_group"].items():
        assert shares["winter", group, 0] == pytest.approx(figures["effective_share"])
        assert shares["summer", group, 0] == pytest.approx(result.indicators[0]["by_group"][group]["effective_share"])
    assert shares["winter", "sweepers", 0] > shares["summer", "sweepers", 0]
    planned = found("planned", both.replace('crs = "EPSG:4547"', 'crs = "EPSG:4547"\nseason = "winter"'))
    assert planned.indicators[0]["effective_share"] == pytest.approx(alone.indicators[0]["effective_share"])
    with pytest.raises(InputError):
        found("none", both.replace('crs = "EPSG:4547"', 'crs = "EPSG:4547"\nseason = "rain"'))


def test_another_season_has_the_opening_hours_of_that_season(tmp_path: Path):
    folder = small.write(tmp_path)
    summer, winter = (
        f'{{ name = "早班", season = "{season}", hours = "Mo-Su {hours}" }}'
        for season, hours in (("summer", "05:00-11:00"), ("winter", "08:00-12:00"))
    )
    text = small.STUDY.replace('{ name = "早班", hours = "Mo-Su 05:00-11:00" }', f"{summer}, {winter}")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    small.edit_cell(folder / "sites.xlsx", "F3", "夏季 5:00-8:00；冬季 8:00-10:00")
    # What is built opens late in winter, at a shop by the shop's own hours; what is lengthened has a winter too.
    for cell in ("D2", "D3"):
        small.edit_cell(folder / "options.xlsx", cell, "May-Sep 05:00-22:00; Oct-Apr 09:30-16:00")
    small.edit_cell(folder / "options.xlsx", "D5", "May-Sep 05:00-22:00; Oct-Apr 07:00-09:00")
    candidates = folder / "candidates.csv"
    shop = candidates.read_text(encoding="utf-8-sig").replace("Mo-Su 07:00-21:00", "夏季 7:00-21:00；冬季 10:00-12:00")
    candidates.write_text(shop, encoding="utf-8-sig")
    result = run(load_study(folder))
    taken = {(row.site, row.action) for row in result.actions.itertuples()}
    assert {("C1", "build"), ("C2", "build"), ("S1", "extend_hours")} <= taken, (
        "each kind of seasonal hours is in the plan"
    )
    ends = {
        0: {"S1": [(8, 10)]},
        2028: {"S1": [(8, 10), (7, 9)], "C1": [(9.5, 16)], "C2": [(10, 12)]},
    }
    if ("S2", "extend_hours") in taken:
        ends[2028]["S2"] = [(8, 18), (7, 9)]
    shares = result.seasons.set_index(["season", "group", "moment"])["effective_share"]
    work = {"sweepers": (7, 8, 12), "couriers": (5, 9, 17)}
    row_of = {site: row for row, site in enumerate(result.sites["id"])}
    near = set(zip(result.walks.reach.demand.tolist(), result.walks.reach.site.tolist(), strict=True))
    for moment, hours in ends.items():
        for group, (days, begin, end) in work.items():
            met = worked = 0.0
            for unit in result.demand[result.demand["group"] == group].itertuples():
                here = [spans for site, spans in hours.items() if (unit.Index, row_of[site]) in near]
                for half in range(2 * begin, 2 * end):
                    open_then = any(a <= half / 2 and half / 2 + 0.5 <= b for spans in here for a, b in spans)
                    met, worked = met + unit.weight * days * open_then, worked + unit.weight * days
            assert shares["winter", group, moment] == pytest.approx(met / worked), (group, moment)
            if moment == 0:
                planned = result.indicators[0]["by_group"][group]["effective_share"]
                assert shares["summer", group, 0] == pytest.approx(planned)
    assert shares["winter", "sweepers", 2028] > shares["winter", "sweepers", 0] > 0
