"""A plan × actions × sites -> the construction programme 建设计划表: one row an action, by year, then by what it gains.

Takes what `siting` chose, with its years; gives a table with stable identifiers as columns (headings are in words/programme.toml).
It decides nothing and invents nothing: what no table says stays empty.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from planner.actions import STATE_AFTER
from planner.siting import Plan, SitingProblem
from planner.siting.problem import Floats, Ints
from planner.study import PLACEHOLDERS, PlanSettings, ProgrammeRule, Study
from planner.tables import NOTE_COLUMNS

# In the order of the paper table; the headings are the catalogue's `programme` section.
PROGRAMME_COLUMNS = (
    "number",
    "site",
    "name",
    "tier",
    "town",
    "community",
    "address",
    "longitude",
    "latitude",
    "mode",
    "host",
    "state",
    "floor_area_m2",
    "kit_level",
    "opening_hours",
    "served",
    "capital_cost",
    "operating_cost",
    "funding",
    "year",
    "lead_unit",
    "support_unit",
    "due",
    "note",
    "gain",
    "action",
    "action_id",
    "services",
    "capacity",
    "source",
    "progress",
    "change",
)
# What a user's tables may carry about a site or an option, and the programme only passes on.
PASSED_ON = ("community", *NOTE_COLUMNS)


def chosen_actions(
    plan: Plan | None,
    problem: SitingProblem | None,
    actions: pd.DataFrame,
    years: Sequence[int],
    *,
    worth: Floats | None = None,
) -> pd.DataFrame:
    """Return the plan's actions in the order of the programme: by year, within a year what adds most first, ties by id.

    Args:
        plan: the plan for ``actions``; None gives an empty table with the same columns.
        problem: what the plan was made for.
        actions: table of `planner.actions.possible_actions`.
        years: calendar years of the plan.
        worth: (n_units,) what covering each unit is worth; default: what the problem says.

    Returns:
        The columns of ``actions`` and ``year``, ``cost`` (capital, in money of that year) and ``gain``: workers (covered weight × share of
        working time) that the action adds to the existing sites and the rows above it; a closing takes them away. Gains sum to what
        the whole plan adds.
    """
    if plan is None or problem is None:
        empty = pd.DataFrame({"year": np.zeros(0, int), "cost": np.zeros(0), "gain": np.zeros(0)})
        return pd.concat([actions.iloc[:0].reset_index(drop=True), empty], axis=1)
    ids = actions["id"].tolist()
    units, unit_worth = problem.cover.tocsc(), problem.unit_weight if worth is None else worth
    count = np.zeros(problem.n_units, np.int64) if problem.standing is None else problem.standing.copy()
    need = np.ones(problem.n_units, np.int64) if problem.need is None else problem.need
    order: list[int] = []
    gain: list[float] = []

    def adds(action: int) -> float:
        part = slice(units.indptr[action], units.indptr[action + 1])
        at, after = units.indices[part], count[units.indices[part]] + units.data[part]
        turns = (after >= need[at]).astype(int) - (count[at] >= need[at]).astype(int)
        return float(unit_worth[at] @ turns)

    for year in range(1, problem.n_years + 1):
        waiting = sorted(np.flatnonzero(plan.build_year == year).tolist(), key=lambda j: ids[j])
        while waiting:
            gains = [adds(action) for action in waiting]
            best = int(np.argmax(gains))
            action = waiting.pop(best)
            order.append(action)
            gain.append(gains[best] * problem.people)
            part = slice(units.indptr[action], units.indptr[action + 1])
            count[units.indices[part]] += units.data[part]
    chosen = actions.iloc[order].reset_index(drop=True)
    year_of = np.asarray(years, dtype=np.int64)[plan.build_year[order] - 1]
    level = np.ones(problem.n_years) if problem.price_level is None else problem.price_level
    cost = chosen["capital_cost"].to_numpy(dtype=float) * level[plan.build_year[order] - 1]
    return chosen.assign(year=year_of, cost=cost, gain=np.asarray(gain, dtype=float))


def programme(
    study: Study,
    sites: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    actions: pd.DataFrame,
    *,
    served: pd.DataFrame | None = None,
    changed: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Make the construction programme.

    Args:
        study: the settings; years and cost unit are its own.
        sites: existing places, then candidates.
        zones: columns id, name.
        actions: what `chosen_actions` gave, in its order.
        served: people of each group within the service radius: one row a site (row numbers of ``sites``), one column a group, whose
            label is printed; `people_within` counts them.
        changed: how the rows stand to the last programme (`planner.replanning.CHANGE_COLUMNS`), where there was one.

    Returns:
        Columns `PROGRAMME_COLUMNS`, a row an action. Longitude and latitude are WGS-84 degrees; costs are in the study's cost unit: capital
        in money of the row's year, operating cost a year in prices of the first; ``state`` is ``chosen`` (new), ``upgraded`` or
        ``closed``. Empty means: no table and no rule says it.
    """
    at = sites.iloc[actions["place"].to_numpy(dtype=np.int64)]
    lon_lat = at.geometry.to_crs("EPSG:4326")
    names = dict(zip(zones["id"], zones["name"], strict=True))
    table = pd.DataFrame(
        {
            "number": np.arange(1, len(actions) + 1),
            "site": at["id"].to_numpy(),
            "name": at["name"].to_numpy(),
            "tier": actions["tier"].to_numpy(),
            "town": [names.get(zone, "") for zone in at["zone"]],
            "address": at["address"].to_numpy(),
            "longitude": lon_lat.x.round(6).to_numpy(),
            "latitude": lon_lat.y.round(6).to_numpy(),
            "mode": actions["mode"].to_numpy(),
            "host": at["host"].to_numpy(),
            "state": actions["action"].map(STATE_AFTER).to_numpy(),
            "opening_hours": actions["opening_hours"].to_numpy(),
            "served": ["" if served is None else _people(served.loc[place]) for place in actions["place"]],
            "capital_cost": actions["cost"].to_numpy(dtype=float),
            "operating_cost": actions["operating_cost"].to_numpy(dtype=float),
            "year": actions["year"].to_numpy(),
            "gain": actions["gain"].to_numpy(dtype=float),
            "action": actions["action"].to_numpy(),
            "action_id": actions["id"].to_numpy(),
            "services": actions["services"].to_numpy(),
            "capacity": actions["capacity"].to_numpy(dtype=float),
            "source": at["source"].to_numpy(),
            **_since(at["id"].tolist(), changed),
        }
    )
    passed_on = pd.DataFrame({column: _first_said(column, actions, at) for column in PASSED_ON}, index=table.index)
    whole = pd.concat([table, passed_on], axis=1)[list(PROGRAMME_COLUMNS)]
    return _by_rule(whole, study.programme.rules, at)


def _by_rule(table: pd.DataFrame, rules: Sequence[ProgrammeRule], at: pd.DataFrame) -> pd.DataFrame:
    """Fill in what no table says by the first rule that fits the row and says it."""
    filled = table.copy()
    kinds, zones = at["kind"].tolist(), at["zone"].tolist()
    for n, row in enumerate(table.to_dict("records")):
        place = {**row, "kind": kinds[n], "zone": zones[n]}
        for rule in rules:
            if not _fits(rule, place):
                continue
            for column, text in rule.says.items():
                if filled.at[n, column] == "":
                    said = {key: place[word] for key, word in PLACEHOLDERS.items()}
                    filled.at[n, column] = text.format(**said)
    return filled


def _fits(rule: ProgrammeRule, row: Mapping[Any, Any]) -> bool:
    """Tell whether a row is all that a rule asks for. A zone may go by its name; a host counts if its name holds the word."""
    asked = {"tier": rule.tier, "mode": rule.mode, "kind": rule.kind, "action": rule.action}
    if any(words and row[column] not in words for column, words in asked.items()):
        return False
    if rule.zone and row["zone"] not in rule.zone and row["town"] not in rule.zone:
        return False
    return not rule.host or any(word in row["host"] for word in rule.host)


def _since(sites: Sequence[str], changed: pd.DataFrame | None) -> dict[str, list[str]]:
    """Return the progress of each row and how it stands to the last programme; empty where there was none."""
    rows = {} if changed is None else {row["site"]: row for row in changed.to_dict("records")}
    return {column: [rows[site][column] if site in rows else "" for site in sites] for column in ("progress", "change")}


def _people(by_group: pd.Series) -> str:
    return ";".join(f"{group} {round(people)}" for group, people in by_group.items() if people > 0)


def _first_said(column: str, *tables: pd.DataFrame) -> list[object]:
    """Return what the tables say in ``column``, the first that says anything; empty where none does."""
    said: list[object] = [""] * len(tables[0])
    for table in reversed(tables):
        if column in table:
            said = [old if pd.isna(new) or new == "" else new for old, new in zip(said, table[column], strict=True)]
    return said


def people_within(
    reach_demand: Ints, reach_place: Ints, weight: Floats, group: Ints, group_names: Sequence[str], n_places: int
) -> pd.DataFrame:
    """Return the people of each group within the service radius of each place: rows are places, columns ``group_names``."""
    people = np.zeros((n_places, len(group_names)))
    np.add.at(people, (reach_place, group[reach_demand]), weight[reach_demand])
    return pd.DataFrame(people, columns=list(group_names))


def price_levels(settings: PlanSettings) -> tuple[float, ...]:
    """Return what a price of the first year is in each year."""
    return tuple((1 + settings.price_change) ** n for n in range(len(settings.years)))


def costs_by_year(
    actions: pd.DataFrame, years: Sequence[int], levels: Sequence[float] | None = None
) -> dict[int, float]:
    """Return what each year costs: capital of the year's actions and operating cost of all of the plan's that are open.

    Args:
        actions: what `chosen_actions` gave; ``cost`` is in money of its year, ``operating_cost`` in prices of the first year.
        years: calendar years of the plan.
        levels: what a price of the first year is in each year; default: the same.
    """
    level = dict(zip(years, levels or (1.0,) * len(years), strict=True))
    built = actions["year"].to_numpy()
    capital, operating = actions["cost"].to_numpy(dtype=float), actions["operating_cost"].to_numpy(dtype=float)
    return {
        int(year): float(capital[built == year].sum() + level[year] * operating[built <= year].sum()) for year in years
    }


# By what the programme is added up.
SUBTOTALS = ("year", "tier", "mode", "town", "lead_unit")
FUND_COLUMNS = (
    "year",
    "actions",
    "capital_cost",  # of the year's actions
    "operating_cost",  # of all of the plan's actions that are open
    "sunk",  # spent on sites that closed again
    "spent",
    "budget",
    "left",  # at the year's end; with carry-over that of the years before included
)


def funds(
    settings: PlanSettings | None, actions: pd.DataFrame, cost_by_year: Mapping[int, float], sunk: Sequence[float] = ()
) -> pd.DataFrame:
    """Return what each year costs beside its budget: `FUND_COLUMNS`, in money of each year.

    Args:
        settings: years, budgets, prices, carry-over; None gives an empty table.
        actions: what `chosen_actions` gave.
        cost_by_year: what each year costs in all.
        sunk: of that, what was spent on sites that closed again; default nothing.
    """
    rows: list[dict[str, float]] = []
    left = 0.0
    for n, (year, budget) in enumerate(zip(settings.years, settings.budget, strict=True) if settings else ()):
        now = (actions["year"] == year).to_numpy()
        capital, lost = float(actions["cost"].to_numpy(dtype=float)[now].sum()), float(sunk[n]) if len(sunk) else 0.0
        spent = cost_by_year[year]
        left = (left if settings and settings.carry_over else 0.0) + budget - spent
        rows.append(
            {"year": year, "actions": int(now.sum()), "capital_cost": capital, "operating_cost": spent - capital - lost,
             "sunk": lost, "spent": spent, "budget": budget, "left": left}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(FUND_COLUMNS))


def subtotals(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Sum a programme by one of its columns (year, tier, mode, town): actions, capital and operating cost, gain.

    Costs are of one year: the operating cost of a row is what its actions cost in each year from opening on.
    """
    sums: Mapping[str, tuple[str, str]] = {
        "actions": ("site", "size"),
        "capital_cost": ("capital_cost", "sum"),
        "operating_cost": ("operating_cost", "sum"),
        "gain": ("gain", "sum"),
    }
    return table.groupby(by, sort=True, dropna=False).agg(**sums).reset_index()
