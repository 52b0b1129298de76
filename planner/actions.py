"""Sites and a table of options -> the actions a plan may take.

Takes the sites frame and the options table of `intake`; gives one row for every action. An action is the unit of planning: build a
candidate in one of its modes, lengthen an existing site's hours, widen it (kit, seats) or close it. Decides nothing: which of them are
worth it is `siting`'s.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import geopandas as gpd
import pandas as pd

from planner.hours import week_mask, written_out
from planner.tables import NOTE_COLUMNS

ACTION_COLUMNS = (
    "id",
    "place",
    "site",
    "action",
    "mode",
    "tier",
    "opening_hours",
    "services",
    "capacity",
    "capital_cost",
    "operating_cost",
    "source",
)
# What becomes of a place by each action.
STATE_AFTER = {"build": "chosen", "extend_hours": "upgraded", "upgrade": "upgraded", "close": "closed"}


def possible_actions(
    sites: gpd.GeoDataFrame, options: pd.DataFrame, *, forbidden: Collection[str] = ()
) -> pd.DataFrame:
    """List every action that the options allow at the sites.

    A candidate can be built once for each option of its kind whose mode it allows; an existing site can take each ``extend_hours``,
    ``upgrade`` and ``close`` option of its kind. What an option leaves empty is the place's own: hours, services, capacity, tier.
    Longer hours and more services are added to what an existing site has, never taken from it. Closing saves what the option says
    that running the site costs: its operating cost is below zero.

    Args:
        sites: existing places, then candidates (RangeIndex).
        options: columns action, kind, mode, opening_hours, services, capacity, capital_cost, operating_cost, tier, source.
        forbidden: ids of places that must not get an action.

    Returns:
        Columns `ACTION_COLUMNS` and those of `NOTE_COLUMNS` that the options have, sorted by ``id``. ``place`` is the row number in
        ``sites``. The id is ``site/action/mode``, followed by ``#2``, ``#3``, … in the order of the options where several options share it.
    """
    notes = [column for column in NOTE_COLUMNS if column in options]
    by_kind = {kind: rows.to_dict("records") for kind, rows in options.groupby("kind", sort=True)}
    rows: list[dict[str, Any]] = []
    for place, site in enumerate(sites.to_dict("records")):
        if site["id"] in forbidden:
            continue
        seen: dict[str, int] = {}
        for option in by_kind.get(site["kind"], []):
            if not _allows(site, option):
                continue
            name = f"{site['id']}/{option['action']}/{option['mode']}"
            seen[name] = seen.get(name, 0) + 1
            rows.append(
                {
                    "id": name if seen[name] == 1 else f"{name}#{seen[name]}",
                    "place": place,
                    "site": site["id"],
                    "action": option["action"],
                    "mode": option["mode"],
                    "tier": option["tier"] or site["tier"],
                    **_offer(site, option),
                    "capital_cost": float(option["capital_cost"]),
                    "operating_cost": float(option["operating_cost"]) * (-1.0 if option["action"] == "close" else 1.0),
                    "source": option["source"],
                    **{column: option[column] for column in notes},
                }
            )
    return pd.DataFrame(rows, columns=[*ACTION_COLUMNS, *notes]).sort_values("id", kind="stable", ignore_index=True)


def _allows(site: Mapping[Any, Any], option: Mapping[Any, Any]) -> bool:
    if option["action"] == "build":
        return site["status"] == "candidate" and option["mode"] in _words(site["modes"])
    return bool(site["status"] == "existing")


def _offer(site: Mapping[Any, Any], option: Mapping[Any, Any]) -> dict[str, Any]:
    """Return hours, services and capacity of the place once the action is done."""
    if option["action"] == "close":
        return {"opening_hours": "", "services": "", "capacity": 0.0}
    if option["action"] == "build":
        hours = option["opening_hours"] or site["opening_hours"]
        services = option["services"] or site["services"]
    else:
        hours = _united_hours(site["opening_hours"], option["opening_hours"])
        services = ";".join(dict.fromkeys([*_words(site["services"]), *_words(option["services"])]))
    capacity = site["capacity"] if pd.isna(option["capacity"]) else option["capacity"]
    return {"opening_hours": hours, "services": services, "capacity": float(capacity)}


def _united_hours(old: str, new: str) -> str:
    """Return hours that hold both, as close to what the user wrote as OSM's rules allow."""
    both = week_mask(old) | week_mask(new)
    # A later rule may override an earlier one on the same day, so each wording is tried against the week it should mean.
    for text in (new, old, f"{old}, {new}"):
        if (week_mask(text) == both).all():
            return text
    return written_out(both)


def _words(joined: str) -> Iterator[str]:
    return (word for word in str(joined).split(";") if word)


def sites_after(sites: gpd.GeoDataFrame, taken: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return the sites as they stand once the actions of ``taken`` are done.

    A built candidate gets status ``chosen`` and the action's mode; a changed site ``upgraded`` and keeps its mode. Both get the
    action's tier, hours, services and capacity. A closed site gets status ``closed`` and stays as it was otherwise.
    """
    after = sites.copy()
    after.loc[taken["place"].to_numpy(), "status"] = taken["action"].map(STATE_AFTER).to_numpy()
    taken = taken[taken["action"] != "close"]
    place = taken["place"].to_numpy()
    built = (taken["action"] == "build").to_numpy()
    for column in ("tier", "opening_hours", "services", "capacity"):
        after.loc[place, column] = taken[column].to_numpy()
    after.loc[place[built], "mode"] = taken["mode"].to_numpy()[built]
    return after
