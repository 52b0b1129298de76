"""Aims and rules that a plan may be asked for, one by one from study.toml, against every plan of the small study."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from small_study import edit_cell
from test_plans import World, mean, standing, study_with, world

from planner.errors import InputError
from planner.pipeline import Result, run
from planner.report.figures import objective_value
from planner.report.story import Text, story
from planner.study import load_study
from planner.words import LANGS, say

BUDGET = (1.6, 3.4)
Plan = tuple[int, ...]


def study(tmp_path: Path, rules: str) -> Path:
    """The small study under some rules, in which a toilet that is built jointly is a county's site."""
    folder = study_with(tmp_path, rules, budget=str(list(BUDGET)))
    book = openpyxl.load_workbook(folder / "options.xlsx")
    book.active.cell(1, 10, "级别")
    book.active.cell(3, 10, "县区")
    book.save(folder / "options.xlsx")
    return folder


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(study(tmp_path_factory.mktemp("world"), ""))


def planned(tmp_path: Path, rules: str, w: World) -> tuple[Result, Plan]:
    """The study's result under some rules, and its plan in the numbering of the world."""
    result = run(load_study(study(tmp_path, rules)))
    years = dict(zip(result.actions["id"], (result.actions["year"] - 2026).tolist(), strict=True))
    return result, tuple(int(years.get(action, 0)) for action in w.actions["id"])


def at(w: World, y: Plan) -> set[str]:
    """The sites at which a plan does something."""
    return {w.actions["site"][j] for j, year in enumerate(y) if year}


def share(w: World, y: Plan, r: Result, who: np.ndarray, t: int) -> float:
    """The share of some people with a site in reach at the end of year t."""
    weight = r.demand["weight"].to_numpy()
    return float(weight[who & (w.score(y, t)[2] <= 400)].sum() / weight[who].sum())


def county_share(w: World, y: Plan, r: Result) -> float:
    """The share of all people in reach of the county's site at the end, which is the toilet if it is built jointly."""
    if not y[w.actions["id"].tolist().index("C1/build/joint_build")]:
        return 0.0
    place, weight = r.sites["id"].tolist().index("C1"), r.demand["weight"].to_numpy()
    return float(weight[r.walks.reach.demand[r.walks.reach.site == place]].sum() / weight.sum())


def long_hours(w: World, y: Plan) -> float:
    """The share of sites at the end that are open from five to nine: those whose hours were lengthened, and toilets."""
    sites = standing(w.score(y, 2)[1])
    return float(sites["opening_hours"].str.contains("0[45]:00-22").mean())


Keeps = Callable[[World, Plan, Result], bool]
RULES: dict[str, tuple[str, Keeps]] = {
    "at most one of some hosts": (
        '[[plan.limits]]\ncounts = "actions"\nhost = ["农业银行", "环卫所"]\nat_most = 1',
        lambda w, y, r: len(at(w, y) & {"S1", "C1"}) <= 1,
    ),
    "exactly one of two": (
        '[[plan.limits]]\ncounts = "actions"\nsite = ["C1", "C2"]\nat_most = 1\nat_least = 1',
        lambda w, y, r: len(at(w, y) & {"C1", "C2"}) == 1,
    ),
    "required": ('required = ["C2"]', lambda w, y, r: "C2" in at(w, y)),
    "forbidden": ('forbidden = ["S1"]', lambda w, y, r: "S1" not in at(w, y)),
    "what stands stays": (
        '[[plan.limits]]\ncounts = "actions"\naction = ["close"]\nat_most = 0',
        lambda w, y, r: not any(year and w.actions["action"][j] == "close" for j, year in enumerate(y)),
    ),
    "a third with long hours": (
        '[[plan.limits]]\nhours = "Mo-Su 05:00-21:00"\nshare_at_least = 0.34',
        lambda w, y, r: long_hours(w, y) >= 0.34,
    ),
    "floor of each group": (
        '[[plan.floors]]\ngroup = "*"\nshare = 0.3',
        lambda w, y, r: all(g["effective_share"] >= 0.3 - 1e-9 for g in w.score(y, 2)[0]["by_group"].values()),
    ),
    "floor of cross coverage": (
        '[[plan.floors]]\nmeasure = "backup"\nshare = 0.2',
        lambda w, y, r: w.score(y, 2)[0]["backup_share"] >= 0.2 - 1e-9,
    ),
    "floor of a group in a zone": (
        '[[plan.floors]]\ngroup = "sweepers"\nzone = "O"\nmeasure = "share"\nshare = 0.4\nby = 2027',
        lambda w, y, r: all(
            share(w, y, r, ((r.demand["group"] == "sweepers") & (r.demand["zone"] == "O")).to_numpy(), t) >= 0.4 - 1e-9
            for t in (1, 2)
        ),
    ),
    "floor by sites of a tier": (
        '[[plan.floors]]\ntier = ["county"]\nmeasure = "share"\nshare = 0.1',
        lambda w, y, r: county_share(w, y, r) >= 0.1 - 1e-9,
    ),
}


@pytest.mark.parametrize("rule", list(RULES))
def test_no_plan_that_keeps_the_rule_is_better(tmp_path: Path, w: World, rule: str) -> None:
    text, keeps = RULES[rule]
    result, found = planned(tmp_path, text, w)
    plans = [y for y in w.plans() if w.merged(y)]
    allowed = [y for y in plans if keeps(w, y, result)]
    assert 0 < len(allowed) < len(plans), "a rule that leaves all plans or none tests nothing"
    assert result.plan.status == "optimal" and keeps(w, found, result)
    assert result.plan.objective == pytest.approx(mean(w, found), rel=1e-7)
    assert result.plan.objective == pytest.approx(max(mean(w, y) for y in allowed), abs=1e-7)


def test_most_cross_coverage(tmp_path: Path, w: World) -> None:
    result, found = planned(tmp_path, 'objective = "backup"', w)
    best = max(mean(w, y, "backup_share") for y in w.plans() if w.merged(y))
    assert (
        result.plan.objective
        == pytest.approx(mean(w, found, "backup_share"), abs=1e-7)
        == pytest.approx(best, abs=1e-7)
    )


def test_most_people_with_a_site_in_reach(tmp_path: Path, w: World) -> None:
    result, _ = planned(tmp_path, 'objective = "share"\nyear_weights = [1, 3]', w)
    value = {y: 0.25 * w.score(y, 1)[0]["share"] + 0.75 * w.score(y, 2)[0]["share"] for y in w.plans() if w.merged(y)}
    assert result.plan.objective == pytest.approx(max(value.values()), abs=1e-7)


def spent(w: World, y: Plan, change: float) -> list[float]:
    """What each year costs when prices rise."""
    capital, running = w.actions["capital_cost"], w.actions["operating_cost"]
    return [
        (1 + change) ** (t - 1)
        * (sum(capital[j] for j, s in enumerate(y) if s == t) + sum(running[j] for j, s in enumerate(y) if 0 < s <= t))
        for t in (1, 2)
    ]


@pytest.mark.parametrize("carry", [True, False])
@pytest.mark.parametrize("change", [0.0, 0.25, -0.2])
def test_money_is_kept_to_year_by_year_at_the_prices_of_the_year(
    tmp_path: Path, w: World, carry: bool, change: float
) -> None:
    result, found = planned(tmp_path, f"carry_over = {str(carry).lower()}\nprice_change = {change}", w)
    every = [y for y in replace(w, budget=(99.0, 99.0)).plans() if w.merged(y)]

    def fits(y: Plan) -> bool:
        first, second = spent(w, y, change)
        return first <= BUDGET[0] + 1e-9 and second <= BUDGET[1] + 1e-9 + (BUDGET[0] - first if carry else 0.0)

    assert fits(found)
    assert list(result.cost_by_year.values()) == pytest.approx(spent(w, found, change))
    assert result.plan.objective == pytest.approx(max(mean(w, y) for y in every if fits(y)), abs=1e-7)


def test_a_group_that_counts_more_counts_so_in_the_objective_alone(tmp_path: Path, w: World) -> None:
    result, found = planned(tmp_path, "group_weights = { couriers = 9 }", w)
    people = {g: v["total_weight"] for g, v in w.score(found, 1)[0]["by_group"].items()}
    hours = {"sweepers": 42.0, "couriers": 40.0}

    def value(y: Plan) -> float:
        worth = {g: people[g] * hours[g] * (9 if g == "couriers" else 1) for g in people}
        shares = [w.score(y, t)[0]["by_group"] for t in (1, 2)]
        return float(np.mean([sum(worth[g] * s[g]["effective_share"] for g in worth) for s in shares])) / sum(
            worth.values()
        )

    assert result.plan.objective == pytest.approx(value(found), abs=1e-7)
    assert result.plan.objective == pytest.approx(max(value(y) for y in w.plans() if w.merged(y)), abs=1e-7)
    assert result.indicators[2028]["effective_share"] == pytest.approx(w.score(found, 2)[0]["effective_share"])


def test_least_cost_for_floors_per_zone_group_and_tier(tmp_path: Path, w: World) -> None:
    rules = 'objective = "least_cost"\n[[plan.floors]]\nzone = "*"\nmeasure = "share"\nshare = 0.3\n'
    rules += '[[plan.floors]]\ngroup = "sweepers"\nshare = 0.2\n[[plan.floors]]\ntier = ["county"]\nmeasure = "share"\nshare = 0.1'
    result, found = planned(tmp_path, rules, w)

    def keeps(y: Plan) -> bool:
        end = w.score(y, 2)[0]
        zones = all(zone["share"] >= 0.3 - 1e-9 for zone in end["by_zone"].values())
        return (
            zones and end["by_group"]["sweepers"]["effective_share"] >= 0.2 - 1e-9 and county_share(w, y, result) >= 0.1
        )

    assert keeps(found) and w.merged(found)
    assert result.plan.objective == pytest.approx(w.cost(found))
    assert result.plan.objective == pytest.approx(min(w.cost(y) for y in w.plans() if w.merged(y) and keeps(y)))


@pytest.mark.parametrize(
    "rule",
    [
        'objective = "best"',
        "mix = { effective = 0 }",
        "mix = { beauty = 1 }",
        'objective = "least_cost"',
        "[[plan.limits]]\nsite = ['C1']",
        '[[plan.limits]]\nmode = ["rented"]\nat_most = 1',
        '[[plan.limits]]\nhost = ["邮政"]\nat_most = 1',
        "[[plan.limits]]\nat_most = -1",
        '[[plan.limits]]\nshare_at_least = 15\nhours = "24/7"',
        '[[plan.limits]]\nhours = "全天吗"\nat_least = 1',
        '[[plan.limits]]\nper = ["street"]\nat_most = 1',
        "[[plan.floors]]\nshare = 1.2",
        '[[plan.floors]]\nzone = "X"\nshare = 0.2',
        '[[plan.floors]]\ngroup = "nurses"\nshare = 0.2',
        "[[plan.floors]]\nshare = 0.2\nby = 2031",
        'required = ["C9"]',
        'forbidden = ["C9"]',
        "spacing_m = -5",
        "price_change = 3",
        "year_weights = [1]",
        "group_weights = { nurses = 2 }",
    ],
)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_rule_that_makes_no_sense_is_one_sentence(tmp_path: Path, rule: str, lang: str) -> None:
    with pytest.raises(InputError) as error:
        run(load_study(study(tmp_path, rule)))
    text = error.value.text(lang)
    assert "\n" not in text and len(text) > 20
    assert "study.toml" in text or "全天吗" in text


def test_where_nothing_may_be_done_a_target_is_out_of_reach_and_not_merely_not_found(tmp_path: Path) -> None:
    rules = 'objective = "least_cost"\nforbidden = ["C1", "C2", "S1", "S2"]\n[[plan.floors]]\nshare = '
    never = run(load_study(study_with(tmp_path / "a", rules + "0.9")))
    assert never.plan.status == "infeasible" and "90%" in " ".join(never.plan_reasons("en"))
    kept = run(load_study(study_with(tmp_path / "b", rules + "0.01")))
    assert (kept.plan.status, kept.plan.objective, len(kept.actions)) == ("optimal", 0.0, 0)


LIMIT = "[[plan.limits]]\n"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("group_weights = { sweepers = 1e308, couriers = 1e308 }", "group_weights"),
        ("group_weights = { sweepers = -1 }", "group_weights"),
        ("group_weights = { sweepers = nan }", "group_weights"),
        ("mix = { effective = 1e308, backup = 1e308 }", "mix"),
        ("year_weights = [1e308, 1e308]", "year_weights"),
        ("spacing_m = 0", "spacing_m"),
        ("spacing_m = -5", "spacing_m"),
        ("spacing_m = 1e308", "spacing_m"),
        (f"{LIMIT}at_most = -1", "at_most"),
        (f"{LIMIT}at_most = 1e308", "at_most"),
        (f"{LIMIT}at_least = 1000000000000000000", "at_least"),
        (f"{LIMIT}share_at_least = 15", "share_at_least"),
        (f"{LIMIT}share_at_least = -0.1", "share_at_least"),
        (f"{LIMIT}share_at_least = nan", "share_at_least"),
        ("[[plan.floors]]\nshare = 80", "share"),
        ("price_change = 1e308", "price_change"),
    ],
)
def test_absurd_numbers_are_refused_with_their_line_and_setting(tmp_path: Path, rules: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        load_study(study_with(tmp_path, rules))
    for lang in LANGS:
        assert said in refused.value.text(lang) and "study.toml" in refused.value.text(lang)


@pytest.mark.parametrize("budget", ["[-1.0, 3.2]", "[nan, 3.2]", "[inf, 3.2]", '["多", 3.2]', "[1e308, 3.2]"])
def test_budgets_that_are_no_money_are_refused(tmp_path: Path, budget: str) -> None:
    with pytest.raises(InputError) as refused:
        load_study(study_with(tmp_path, "", budget=budget))
    assert "plan.budget.[1]" in refused.value.text("zh")


@pytest.mark.parametrize("price", [-1, "很贵", "NaN", "", 1e20, "=1+1"])
def test_prices_that_are_no_money_are_refused_with_row_and_column(tmp_path: Path, price: object) -> None:
    folder = study_with(tmp_path, "", more=False)
    edit_cell(folder / "options.xlsx", "G4", price)
    with pytest.raises(InputError) as refused:
        run(load_study(folder))
    assert "options.xlsx 第 4 行「建设费(万元)」" in refused.value.text("zh")


def test_weights_by_which_nobody_counts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        run(load_study(study_with(tmp_path / "a", "group_weights = { sweepers = 0, couriers = 0 }")))
    assert "group_weights" in refused.value.text("zh") and "sweepers" in refused.value.text("en")
    one = run(load_study(study_with(tmp_path / "b", "group_weights = { sweepers = 0 }")))
    assert one.plan.status == "optimal" and len(one.actions)


@pytest.mark.parametrize("objective", ["mean_walk", "worst_walk"])
def test_a_cap_that_no_walk_is_within_is_refused(tmp_path: Path, objective: str) -> None:
    with pytest.raises(InputError) as refused:
        run(load_study(study_with(tmp_path, f'objective = "{objective}"\nwalk_cap_m = 1')))
    assert refused.value.key == "walk_cap_reaches_nobody" and "walk_cap_m" in refused.value.text("en")


@pytest.mark.parametrize("levels", [1, 1000])
def test_whose_worst_off_is_proven_though_what_follows_is_not_says_so(tmp_path: Path, levels: int) -> None:
    result = run(load_study(study_with(tmp_path, f'objective = "fairest"\nfair_levels = {levels}')))
    assert (result.plan.status, result.plan.gap) == ("feasible", 0.0)
    for lang in LANGS:
        told = "\n".join(block.text for block in story(result, lang) if isinstance(block, Text))
        share = objective_value(lang, result.study.plan, result.plan.objective)
        assert say(lang, "document.proof_fair", objective=share) in told


def test_a_forbidden_site_that_stands_stays_as_it_is(tmp_path: Path) -> None:
    result = run(load_study(study_with(tmp_path / "a", 'forbidden = ["S1"]')))
    assert result.plan.found and "S1" not in set(result.actions["site"])
    assert result.sites.set_index("id").loc["S1", "status"] == "existing"
    both = run(load_study(study_with(tmp_path / "b", 'required = ["S1"]\nforbidden = ["S1"]')))
    assert both.plan_reasons("zh") == ("人民路休息点（S1） 既在必建名单、又在禁建名单里。请从其中一个名单中去掉它。",)


def test_a_share_of_sites_with_a_service_is_called_that(tmp_path: Path) -> None:
    rules = f'{LIMIT}services = ["toilet"]\nshare_at_least = 1.0\n{LIMIT}counts = "actions"\nat_most = 0'
    result = run(load_study(study_with(tmp_path, rules)))
    assert "提供如厕的站点不少于 100%" in "".join(result.plan_reasons("zh"))
    assert "sites with toilet at least 100%" in "".join(result.plan_reasons("en"))
