"""Whole toy studies with rules drawn at random: files in, a plan out, against every plan there is, scored by coverage and counted here."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
import small_study as small

from planner.actions import possible_actions, sites_after
from planner.coverage import indicators
from planner.hours import week_profile
from planner.intake import read_inputs
from planner.pipeline import Result, cover, run, walk
from planner.study import load_study

# Four streets across, five down, 300 m apart: the letters of `small_study`, whose walks are the sums of both ways.
LETTERS = "ABCDEFGHIJKLMNOPQRST"
RADIUS_M, CAP_M, MERGE_M, SPACING_M = 400.0, 1_100.0, 700.0, 500.0
YEARS = (2027, 2028, 2029)
Plan = tuple[int, ...]


def walk_m(a: str, b: str) -> float:
    """The walk between two corners."""
    (row, column), (other_row, other_column) = (divmod(LETTERS.index(letter), 4) for letter in (a, b))
    return small.STEP_M * (abs(row - other_row) + abs(column - other_column))


@dataclass
class Drawn:
    """A study as it was drawn: what is written into its files, and what each rule allows, in this test's own words."""

    years: tuple[int, ...]
    budget: tuple[float, ...]
    weights: tuple[float, ...]
    carry: bool
    change: float
    aim: str
    at: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    keeps: list[Callable[["World", Plan], bool]] = field(default_factory=list)


@dataclass(frozen=True)
class World:
    """All that may be done, and what coverage says of what is done."""

    drawn: Drawn
    actions: list[dict[str, Any]]
    score: Callable[[Plan, int], tuple[dict[str, Any], Any, np.ndarray]]
    people: np.ndarray

    def done(self, y: Plan, t: int) -> list[dict[str, Any]]:
        return [action for action, year in zip(self.actions, y, strict=True) if 0 < year <= t]

    def last(self, y: Plan) -> list[dict[str, Any]]:
        return self.done(y, len(self.drawn.years))

    def standing(self, y: Plan, t: int) -> Any:
        sites = self.score(y, t)[1]
        return sites[~sites["status"].isin(["candidate", "closed"])]

    def spent(self, y: Plan) -> list[float]:
        price = [(1 + self.drawn.change) ** t for t in range(len(self.drawn.years))]
        return [
            price[t - 1]
            * sum((year == t) * a["capital_cost"] + (0 < year <= t) * a["operating_cost"] for a, year in zip(self.actions, y, strict=True))
            for t in range(1, len(price) + 1)
        ]  # fmt: skip

    def affordable(self, y: Plan) -> bool:
        spent, budget = np.array(self.spent(y)), np.array(self.drawn.budget)
        if self.drawn.carry:
            spent, budget = spent.cumsum(), budget.cumsum()
        return bool((spent <= budget + 1e-9).all())

    def merges(self, y: Plan) -> bool:
        """Whether each closing has a site within reach that is widened by then."""
        at, widened = self.drawn.at, ("extend_hours", "upgrade")
        closings = [
            (a["site"], year) for a, year in zip(self.actions, y, strict=True) if year and a["action"] == "close"
        ]
        return all(
            any(
                a["action"] in widened and a["site"] != site and walk_m(at[a["site"]], at[site]) <= MERGE_M
                for a in self.done(y, year)
            )
            for site, year in closings
        )

    def plans(self) -> Iterator[Plan]:
        """Every plan that keeps everything."""
        by_site: dict[str, list[int]] = {}
        for n, action in enumerate(self.actions):
            by_site.setdefault(action["site"], []).append(n)
        n_years = len(self.drawn.years)
        ways = [[None, *itertools.product(part, range(1, n_years + 1))] for part in by_site.values()]
        for taken in itertools.product(*ways):
            y = [0] * len(self.actions)
            for way in taken:
                if way is not None:
                    y[way[0]] = way[1]
            if self.keeps(tuple(y)):
                yield tuple(y)

    def keeps(self, y: Plan) -> bool:
        return self.affordable(y) and self.merges(y) and all(rule(self, y) for rule in self.drawn.keeps)

    def worth(self, y: Plan) -> float:
        """What the study aims at; more is better."""
        aim, n_years = self.drawn.aim, len(self.drawn.years)
        if aim == "least_cost":
            return -sum(self.spent(y))
        weights = np.array(self.drawn.weights) / sum(self.drawn.weights)
        states = [self.score(y, t) for t in range(1, n_years + 1)]
        if aim == "mean_walk":
            capped = [np.fmin(np.nan_to_num(metres, nan=CAP_M), CAP_M) for *_, metres in states]
            return -float(weights @ [np.average(metres, weights=self.people) for metres in capped])
        keys = {"effective": "effective_share", "share": "share", "backup": "backup_share"}
        parts = {"mix": {"effective": 0.75, "backup": 0.25}}.get(aim, {aim: 1.0})
        return float(weights @ [sum(part * state[0][keys[key]] for key, part in parts.items()) for state in states])


def draw(seed: int) -> Drawn:
    """Draw years, money, an aim and some rules; where places are is drawn while the files are written."""
    rng = np.random.default_rng(seed)
    years = YEARS[: int(rng.integers(2, 4))]
    drawn = Drawn(
        years=years,
        budget=tuple(round(float(b), 1) for b in rng.uniform(1.0, 4.0, len(years))),
        weights=tuple(map(float, rng.integers(1, 4, len(years)))),
        carry=bool(rng.random() < 0.5),
        change=float(rng.choice([0.0, 0.0, 0.1, -0.1])),
        aim=str(rng.choice(["effective", "effective", "share", "backup", "mix", "least_cost", "mean_walk"])),
    )
    last, at_year = len(years), int(rng.integers(1, len(years) + 1))
    candidate, other = (str(c) for c in rng.choice(["C1", "C2", "C3"], 2, replace=False))
    mode, most = str(rng.choice(["shared", "joint_build", "consolidate"])), int(rng.integers(0, 2))
    share = round(float(rng.uniform(0.05, 0.35)), 2)
    limit = '[[plan.limits]]\ncounts = "actions"\n'
    rules: dict[str, tuple[str, Callable[[World, Plan], bool]]] = {
        "required": (f'required = ["{candidate}"]', lambda w, y: candidate in {a["site"] for a in w.last(y)}),
        "forbidden": (f'forbidden = ["{other}"]', lambda w, y: other not in {a["site"] for a in w.last(y)}),
        "spacing": (f"spacing_m = {SPACING_M}", spaced),
        "either or": (
            f'{limit}site = ["{candidate}", "S1"]\nat_most = 1',
            lambda w, y: len({a["site"] for a in w.last(y)} & {candidate, "S1"}) <= 1,
        ),
        "at most of a mode": (
            f'{limit}mode = ["{mode}"]\nat_most = {most}',
            lambda w, y: sum(a["mode"] == mode for a in w.last(y)) <= most,
        ),
        "not before": (
            f'{limit}site = ["{other}", "S2"]\nat_most = 0\nuntil = {years[0]}',
            lambda w, y: not {a["site"] for a in w.done(y, 1)} & {other, "S2"},
        ),
        "share with a toilet": (
            f'[[plan.limits]]\nservices = ["toilet"]\nshare_at_least = {share}',
            lambda w, y: (s := w.standing(y, last)).empty or s["services"].str.contains("toilet").mean() >= share - 1e-9,
        ),
        "at least so many": (
            f"[[plan.limits]]\nat_least = 3\nby = {years[at_year - 1]}",
            lambda w, y: all(len(w.standing(y, t)) >= 3 for t in range(at_year, last + 1)),
        ),
        "most a zone": (
            '[[plan.limits]]\nper = ["zone"]\nat_most = 2',
            lambda w, y: all(w.standing(y, t).groupby("zone").size().max() <= 2 for t in range(1, last + 1)),
        ),
        "floor of a group": (
            f'[[plan.floors]]\ngroup = "sweepers"\nshare = {share}\nby = {years[at_year - 1]}',
            lambda w, y: all(
                w.score(y, t)[0]["by_group"]["sweepers"]["effective_share"] >= share - 1e-9
                for t in range(at_year, last + 1)
            ),
        ),
        "floor of each zone": (
            f'[[plan.floors]]\nzone = "*"\nmeasure = "share"\nshare = {share}',
            lambda w, y: all(zone["share"] >= share - 1e-9 for zone in w.score(y, last)[0]["by_zone"].values()),
        ),
    }  # fmt: skip
    names = set(rng.choice(list(rules), int(rng.integers(1, 4)), replace=False).tolist())
    if drawn.aim == "least_cost":
        names |= {"floor of a group"}
    # Settings of [plan] stand before its tables.
    for name in sorted(names, key=lambda n: rules[n][0].startswith("[")):
        text, keeps = rules[name]
        drawn.lines.append(text)
        drawn.keeps.append(keeps)
    return drawn


def spaced(w: World, y: Plan) -> bool:
    """Whether no new site stands too near to another that stands at the same time."""
    at = w.drawn.at
    for t in range(1, len(w.drawn.years) + 1):
        here = w.standing(y, t)["id"].tolist()
        new = {a["site"] for a in w.done(y, t) if a["action"] == "build"}
        if any(walk_m(at[a], at[b]) < SPACING_M for a in new for b in here if a != b):
            return False
    return True


def write(folder: Path, drawn: Drawn, seed: int, places: int) -> Path:
    """Write the study's files."""
    rng = np.random.default_rng([seed, 1])
    folder.mkdir()
    pairs = [(a, LETTERS[n + 1]) for n, a in enumerate(LETTERS) if n % 4 < 3]
    pairs += [(a, LETTERS[n + 4]) for n, a in enumerate(LETTERS[:-4])]
    lines = [shapely.LineString([small.node(a), small.node(b)]) for a, b in pairs]
    streets = {"id": [a + b for a, b in pairs], "highway": "residential"}
    gpd.GeoDataFrame(streets, geometry=lines, crs=small.CRS).to_file(folder / "streets.gpkg")
    (west, south), (east, north) = small.node("Q"), small.node("D")
    middle = west + 450
    halves = [shapely.box(a, south - 50, b, north + 50) for a, b in ((west - 50, middle), (middle, east + 50))]
    gpd.GeoDataFrame({"id": ["W", "O"], "name": ["西", "东"]}, geometry=halves, crs=small.CRS).to_file(
        folder / "zones.gpkg"
    )
    ids = ["S1", "S2", *[f"C{n}" for n in range(1, places - 1)]]
    drawn.at.update(zip(ids, map(str, rng.choice(list(LETTERS), places, replace=False)), strict=True))
    head = [
        "编号",
        "名称",
        "类别",
        "依托单位",
        "建设方式",
        "可选方式",
        "开放时间",
        "服务项目",
        "座位数",
        "经度",
        "纬度",
    ]
    kit = ["歇脚;饮水", "歇脚", "歇脚;饮水;如厕"]
    rows = {
        site: [site, site, "银行", "某单位", "共建", "", "Mo-Su 09:00-17:00", str(rng.choice(kit)), 2]
        if site[0] == "S"
        else [site, site, str(rng.choice(["公共厕所", "超市"])), "某单位", "", "联建;共享", "", "", 2]
        for site in ids
    }
    for file, part in (("sites", ids[:2]), ("candidates", ids[2:])):
        small.book(folder / f"{file}.xlsx", [head, *([*rows[site], *small.lonlat(drawn.at[site])] for site in part)])

    def price(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 1)

    small.book(folder / "options.xlsx", [
        ["动作", "类别", "建设方式", "开放时间", "服务项目", "建设费(万元)", "年运营费(万元)"],
        ["新建", "公共厕所", "联建", "Mo-Su 04:00-22:00", "歇脚;饮水;如厕", price(0.5, 2.0), price(0.1, 0.5)],
        ["新建", "超市", "共享", "Mo-Su 07:00-21:00", "歇脚;饮水", price(0.2, 1.0), price(0.0, 0.3)],
        ["错时延时", "银行", "整合", "Mo-Su 05:00-22:00", "歇脚;饮水", price(0.2, 0.8), price(0.2, 0.6)],
        ["撤并", "银行", "整合", "", "", price(0.0, 0.3), price(0.2, 0.9)],
    ])  # fmt: skip
    for group in ("sweepers", "couriers"):
        corners, people = rng.choice(list(LETTERS), 6, replace=False), rng.integers(1, 10, 6)
        small.book(folder / f"{group}.xlsx", [["编号", "人数", "经度", "纬度"], *(
            [f"{group}{n}", int(weight), *small.lonlat(str(corner), east_m=7, north_m=5)]
            for n, (corner, weight) in enumerate(zip(corners, people, strict=True))
        )])  # fmt: skip
    text = small.STUDY[: small.STUDY.index("[[demand]]")].replace("candidates.csv", "candidates.xlsx")
    text += "".join(f'[[demand]]\nkind = "point"\ngroup = "{g}"\nfile = "{g}.xlsx"\n' for g in ("sweepers", "couriers"))
    text += f"[standard]\nservice_radius_m = {RADIUS_M}\n[plan]\nyears = {list(drawn.years)}\nbudget = {list(drawn.budget)}\n"
    text += f"year_weights = {list(drawn.weights)}\ncarry_over = {str(drawn.carry).lower()}\nprice_change = {drawn.change}\n"
    text += f"mip_gap = 0.0\nwalk_cap_m = {CAP_M}\nmerge_within_m = {MERGE_M}\n"
    text += "mix = { effective = 3, backup = 1 }\n" if drawn.aim == "mix" else f'objective = "{drawn.aim}"\n'
    (folder / "study.toml").write_text(text + "\n".join(drawn.lines) + "\n", encoding="utf-8")
    return folder


def world_of(folder: Path, drawn: Drawn) -> World:
    study = load_study(folder)
    inputs = read_inputs(study)
    walks = walk(study, inputs)
    profiles = {g: week_profile(s.shifts) for g, s in study.groups.items()}
    actions = possible_actions(inputs.sites, inputs.options)
    scores: dict[tuple[int, ...], Any] = {}

    def score(y: Plan, t: int) -> Any:
        taken = tuple(n for n, year in enumerate(y) if 0 < year <= t)
        if taken not in scores:
            sites = sites_after(inputs.sites, actions.iloc[list(taken)])
            state = cover(study, sites, inputs.demand, walks, profiles)
            scores[taken] = indicators(inputs.demand, state, profiles), sites, state.nearest_m
        return scores[taken]

    return World(drawn, actions.to_dict("records"), score, inputs.demand["weight"].to_numpy(dtype=float))


def compared(folder: Path, seed: int, places: int) -> tuple[Result, float | None, float | None]:
    """Run a drawn study; return the result, what its plan is worth by this test's own counting, and the most there is."""
    drawn = draw(seed)
    study = write(folder / str(seed), drawn, seed, places)
    w, result = world_of(study, drawn), run(load_study(study))
    best = max(map(w.worth, w.plans()), default=None)
    if result.plan is None or not result.plan.found:
        return result, None, best
    years = dict(zip(result.actions["id"], result.actions["year"].tolist(), strict=True))
    y = tuple(drawn.years.index(years[a["id"]]) + 1 if a["id"] in years else 0 for a in w.actions)
    assert w.keeps(y), f"seed {seed}: the plan breaks a rule"
    return result, w.worth(y), best


@pytest.mark.parametrize("seed", range(6))
def test_no_plan_of_a_whole_study_is_better(tmp_path: Path, seed: int) -> None:
    result, worth, best = compared(tmp_path, seed, places=5)
    assert result.plan is not None
    if best is None:
        assert result.plan.status == "infeasible" and result.plan_reasons("zh") and result.plan_reasons("en")
        return
    told = result.plan.objective * (-1 if result.study.plan and result.study.plan.minimises else 1)
    assert result.plan.status == "optimal"
    assert told == pytest.approx(worth, abs=1e-6) and worth == pytest.approx(best, abs=1e-6)
