"""A progress table × what may be done -> what of the programme is settled, what may still change, and what is left of the money.

Takes the rows that `intake.progress` read; gives a `Record`, the rules that follow from it, and afterwards what became of each row of the
last programme. What is begun or open stays as it is and costs what it did cost; the rest may be planned anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from planner.coverage import Floats, Ints
from planner.errors import InputError, Words
from planner.programme import price_levels
from planner.siting import Reason, Rule, rules
from planner.study import PlanSettings

CHANGE_COLUMNS = (
    "site",
    "action_id",  # as planned last; empty where the site was not in the last programme
    "year",  # as planned last; 0 likewise
    "progress",  # planned, begun, open, closed; empty likewise
    "actual_cost",  # in money of that year, as the progress table has it; NaN where it says none
    "action_now",  # empty where nothing is done there any more
    "year_now",
    "change",  # done, kept, moved, other, new or dropped
    "source",
)
SETTLED = ("begun", "open")
# What has happened gives way last when the least relaxation is looked for: nobody can undo it.
_FACT = 1e3


@dataclass(frozen=True)
class Record:
    """What has become of the last programme.

    Attributes:
        rows: `planner.intake.progress.PROGRESS_COLUMNS`, ``action_id`` found out, and ``row`` (number of the action; −1 for a site that
            was closed, or is planned at a place that is forbidden now).
        settled, settled_year: actions that are begun or open, and their years (0 … n − 1).
        planned, planned_year: actions of the last programme that are not begun, and their years.
        first: the first year in which something may still be planned: 0 … n − 1.
        capital_cost: (n_actions,) in prices of the first year; what is known to cost something else costs that.
        sunk: (n_years,) what was spent on sites that were closed again, in money of each year.
    """

    rows: pd.DataFrame
    settled: Ints
    settled_year: Ints
    planned: Ints
    planned_year: Ints
    first: int
    capital_cost: Floats
    sunk: Floats


def sites_left(sites: gpd.GeoDataFrame, progress: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return the sites less those that the progress table calls closed: existing ones stand no more, candidates stay what they are."""
    gone = sites["id"].isin(progress.loc[progress["state"] == "closed", "site"]) & (sites["status"] == "existing")
    return sites.assign(status=sites["status"].where(~gone, "closed")) if gone.any() else sites


def barred(progress: pd.DataFrame) -> frozenset[str]:
    """Return the sites at which nothing may be planned any more: those that were closed."""
    return frozenset(progress.loc[progress["state"] == "closed", "site"])


def record_of(
    progress: pd.DataFrame, actions: pd.DataFrame, settings: PlanSettings, *, every: pd.DataFrame
) -> Record | None:
    """Find out which action each row of a progress table means; None where there is no table.

    Args:
        progress: what `intake.progress` read.
        actions: all that may be done (`planner.actions.possible_actions`).
        settings: years, prices, and the year from which to plan anew.
        every: ``actions``, and those at places that are forbidden now.

    Raises:
        InputError: a row means no action, may mean several, or is done at a forbidden place.
    """
    if not len(progress):
        return None
    entries = progress.to_dict("records")
    meant = ["" if e["state"] == "closed" else str(every["id"].iat[_action_of(e, every)]) for e in entries]
    row = pd.Index(actions["id"]).get_indexer(pd.Index(meant)).astype(np.int64)
    for entry, action, number in zip(entries, meant, row.tolist(), strict=True):
        if number < 0 and action and entry["state"] in SETTLED:
            file, _, line = str(entry["source"]).rpartition("#")
            raise InputError("progress_forbidden", file=file, row=line, column=entry["said_in"], site=entry["site"])
    rows = progress.assign(row=row, action_id=meant)
    year = np.array([settings.years.index(y) if y else 0 for y in progress["year"].astype(int)], dtype=np.int64)
    settled = progress["state"].isin(SETTLED).to_numpy()
    planned = (progress["state"] == "planned").to_numpy() & (row >= 0)
    first = int(year[settled].max(initial=0))
    if settings.replan_from is not None:
        first = settings.years.index(settings.replan_from)
    level = np.array(price_levels(settings))
    cost, capital = progress["actual_cost"].to_numpy(dtype=float), actions["capital_cost"].to_numpy(dtype=float).copy()
    known = np.isfinite(cost) & (row >= 0)
    capital[row[known]] = cost[known] / level[year[known]]
    sunk = np.zeros(len(settings.years))
    lost = np.isfinite(cost) & (progress["state"] == "closed").to_numpy()
    np.add.at(sunk, year[lost], cost[lost])
    return Record(rows, row[settled], year[settled], row[planned], year[planned], first, capital, sunk)


def _action_of(entry: Mapping[Any, Any], actions: pd.DataFrame) -> int:
    """Return the number of the action that a row of a progress table means."""
    fits = (actions["site"] == entry["site"]).to_numpy()
    at_site = actions.loc[fits, "id"].tolist()
    if entry["action_id"]:
        fits = (actions["id"] == entry["action_id"]).to_numpy() & fits
    else:
        for column in ("action", "mode"):
            if entry[column]:
                fits = fits & (actions[column] == entry[column]).to_numpy()
    found = np.flatnonzero(fits)
    file, _, number = str(entry["source"]).rpartition("#")
    at = {"file": file, "row": number, "column": entry["said_in"]}
    if len(found) == 1:
        action = int(found[0])
        other = [c for c in ("action", "mode") if entry[c] and entry[c] != actions[c].iat[action]]
        if other:
            words = Words(f"{column}.{entry[column]}" for column in other)
            raise InputError("progress_contradicts", **at, action_id=entry["action_id"], text=words)
        return action
    said = entry["action_id"] or "/".join(str(entry[c]) for c in ("site", "action", "mode") if entry[c])
    key = "progress_ambiguous" if len(found) else "progress_action"
    raise InputError(key, **at, site=entry["site"], text=said, choices=", ".join(at_site[:8]) or "–")


def rules_of(record: Record, actions: pd.DataFrame, settings: PlanSettings) -> tuple[Rule, ...]:
    """Return what follows from what has happened: what is settled stays, the past is past, and as little churn as is wished."""
    n, n_years = len(actions), len(settings.years)
    place = actions["place"].to_numpy(dtype=np.int64)
    found: list[Rule] = []
    for action, year in zip(record.settled.tolist(), record.settled_year.tolist(), strict=True):
        reason = Reason("settled", {"place": int(place[action]), "year": year + 1})
        found += rules.exactly(reason, action, year, n_years, worth=_FACT)
    free = np.setdiff1d(np.arange(n), record.settled)
    if record.first > 0 and len(free):
        take = np.zeros((len(free), n_years))
        take[:, : record.first] = 1.0
        found.append(Rule(Reason("past", {"year": record.first + 1}), 0.0, free, take, worth=_FACT))
    if settings.max_changes is not None:
        kept = _keeps(record, n, n_years)
        new = ~np.isin(place, place[np.concatenate([record.planned, record.settled])])
        take = np.where(new[:, None], 1.0, 0.0) - kept
        said = np.flatnonzero(take.any(axis=1))
        reason = Reason("churn", {"most": settings.max_changes})
        # What is planned at a place that is forbidden now is a change already.
        counted = int((record.rows["state"] == "planned").sum())
        found.append(Rule(reason, float(settings.max_changes - counted), said, take[said]))
    return tuple(found)


def _keeps(record: Record, n_actions: int, n_years: int) -> Floats:
    """Return which options keep a planned row as it was, (n_actions × n_years): in its year; if that is past, in any that is left."""
    kept = np.zeros((n_actions, n_years))
    for action, year in zip(record.planned.tolist(), record.planned_year.tolist(), strict=True):
        kept[action, year if year >= record.first else slice(record.first, None)] = 1.0
    return kept


def money_left(record: Record | None, actions: pd.DataFrame, settings: PlanSettings) -> tuple[float, ...]:
    """Return the budgets that the rest must keep to.

    What was spent on sites that closed again is taken off; where that is more than there was, nothing is left. Of the years that are past
    nothing is asked any more; what they overspent is missing later where unspent money stays, and else gone.
    """
    if record is None:
        return settings.budget
    budget = np.array(settings.budget, dtype=float) - record.sunk
    spent = _spent(record, actions, settings)
    first = record.first
    if not settings.carry_over:
        budget[:first] = np.maximum(budget[:first], spent[:first])
        return tuple(np.maximum(budget, 0.0).tolist())
    whole = np.maximum(np.cumsum(budget), 0.0)
    whole[:first] = np.maximum(whole[:first], np.cumsum(spent)[:first])
    return tuple(np.diff(whole, prepend=0.0).tolist())


def _spent(record: Record, actions: pd.DataFrame, settings: PlanSettings) -> Floats:
    """Return what the settled actions take from each year's money."""
    level, running = np.array(price_levels(settings)), actions["operating_cost"].to_numpy(dtype=float)
    spent = np.zeros(len(settings.years))
    for action, year in zip(record.settled.tolist(), record.settled_year.tolist(), strict=True):
        spent[year] += level[year] * record.capital_cost[action]
        spent[year:] += level[year:] * running[action]
    return spent


def changes(record: Record | None, chosen: pd.DataFrame, settings: PlanSettings | None) -> pd.DataFrame:
    """Return what has become of each row of the last programme, and what is new.

    Args:
        record: the last programme and its progress.
        chosen: the actions of the new one (`planner.programme.chosen_actions`).
        settings: the plan's.

    Returns:
        Columns `CHANGE_COLUMNS`; first the rows of the progress table in their order, then new rows in the order of the programme.
    """
    if record is None or settings is None:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    now = {row["site"]: row for row in chosen.to_dict("records")}
    first, told = settings.years[record.first], []
    for entry in record.rows.to_dict("records"):
        here = now.pop(entry["site"], None)
        told.append(
            {
                "site": entry["site"],
                "action_id": entry["action_id"],
                "year": int(entry["year"]),
                "progress": entry["state"],
                "actual_cost": float(entry["actual_cost"]),
                "action_now": here["id"] if here else "",
                "year_now": int(here["year"]) if here else 0,
                "change": _change(entry, here, first),
                "source": entry["source"],
            }
        )
    for site, row in now.items():
        told.append(
            {"site": site, "action_id": "", "year": 0, "progress": "", "actual_cost": np.nan, "action_now": row["id"],
             "year_now": int(row["year"]), "change": "new", "source": row["source"]}
        )  # fmt: skip
    return pd.DataFrame(told, columns=list(CHANGE_COLUMNS))


def _change(entry: Mapping[Any, Any], here: Mapping[Any, Any] | None, first: int) -> str:
    """Return what has become of a row of the last programme; a year that is past cannot be kept, any that is left will do."""
    if entry["state"] != "planned":
        return "done"
    if here is None:
        return "dropped"
    if here["id"] != entry["action_id"]:
        return "other"
    return "kept" if here["year"] == entry["year"] or entry["year"] < first else "moved"


def churn(table: pd.DataFrame) -> int:
    """Return how many changes `changes` tells: planned rows that are moved, done otherwise or dropped, and new ones."""
    return int(table["change"].isin(["moved", "other", "dropped", "new"]).sum())
