"""Rules of the five-tier network 五级网络 -> which places of each tier have what their tier must have, and which lack it.

Takes a study's rules, the sites that stand and who works where; gives a row for each rule and place, and the tier matrix. A study without
rules gets no verdict: no norm says how many sites a tier needs.
"""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, get_args

import geopandas as gpd
import numpy as np
import pandas as pd

from planner.coverage import Bools
from planner.network import take
from planner.reach import Reach, nearest, reach
from planner.standards import Ground
from planner.study import Tier, TierRule

TIERS: tuple[str, ...] = get_args(Tier)
TIER_COLUMNS = (
    "rule",  # number of the rule in the study, from 0
    "tier",
    "place",  # id of the zone or unit, name of the county; empty: the whole study area
    "name",
    "zone",  # the zone of a township, a cluster or an enterprise
    "workers",
    "required",  # sites
    "sites",  # sites that count
    "site_ids",  # joined by ";"
    "required_share",  # of the workers within the rule's walk; NaN: not asked
    "share",
    "met",
)
PRESENT, MISSING, NOTHING = "present", "missing", ""


def judge_tiers(rules: Sequence[TierRule], ground: Ground) -> pd.DataFrame:
    """Judge every place of every tier by the rules.

    A site counts for a rule if it stands, its tier is the rule's or one that the rule counts, and its role is one that the rule names.
    A township, a county and the city have the sites that lie in them; a cluster and an enterprise those within the walk.

    Returns:
        Columns `TIER_COLUMNS`, in the order of rules, then places. Places that no rule speaks of have no row.
    """
    rows: list[dict[str, Any]] = []
    for number, rule in enumerate(rules):
        counted = _counted(rule, ground)
        judged = (
            _at_units(rule, ground, counted)
            if rule.tier in ("cluster", "enterprise")
            else _in_areas(rule, ground, counted)
        )
        rows += [{"rule": number, "tier": rule.tier, **row} for row in judged]
    return pd.DataFrame(rows, columns=list(TIER_COLUMNS))


def tier_matrix(judged: pd.DataFrame, zones: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return for each zone and tier whether what the rules ask for is there.

    Args:
        judged: what `judge_tiers` gave for one moment.
        zones: zones frame.

    Returns:
        Index: ids of the zones; a column a tier: ``present`` where all rules of the tier are met by all its places in the zone (the city
        and the county being those that the zone lies in), ``missing`` where not, "" where there is nothing to judge.
    """
    county = dict(zip(zones["id"], zones["county"], strict=True))
    cells = {
        tier: [_cell(judged[judged["tier"] == tier], tier, zone, county[zone]) for zone in county] for tier in TIERS
    }
    return pd.DataFrame(cells, index=list(county), columns=list(TIERS), dtype=object)


def _cell(judged: pd.DataFrame, tier: str, zone: str, county: str) -> str:
    if tier == "county":
        judged = judged[judged["place"] == county]
    elif tier != "city":
        judged = judged[judged["zone"] == zone]
    if judged.empty:
        return NOTHING
    return PRESENT if judged["met"].all() else MISSING


def _counted(rule: TierRule, ground: Ground) -> np.ndarray:
    """Return the row numbers of the sites that count for a rule."""
    standing = ground.sites.iloc[ground.standing.place]
    counts = standing["tier"].isin([rule.tier, *rule.counts])
    if rule.roles:
        counts &= standing["role"].isin(rule.roles)
    place: np.ndarray = ground.standing.place[counts.to_numpy()]
    return place


def _in_areas(rule: TierRule, ground: Ground, counted: np.ndarray) -> Iterator[dict[str, Any]]:
    """Judge the city, the counties or the townships."""
    weight, unit_zone = ground.demand["weight"].to_numpy(dtype=float), ground.demand["zone"].to_numpy()
    site_zone, ids = ground.sites["zone"].to_numpy()[counted], ground.sites["id"].to_numpy()[counted]
    near = _near(rule, ground, counted)
    for place, name, zones in _areas(rule.tier, ground.zones):
        units = np.ones(len(weight), dtype=bool) if zones is None else np.isin(unit_zone, zones)
        here = np.ones(len(ids), dtype=bool) if zones is None else np.isin(site_zone, zones)
        workers = float(weight[units].sum())
        if workers < rule.from_workers:
            continue
        share = float(weight[units & near].sum() / workers) if rule.within_m and workers > 0 else np.nan
        yield _row(rule, place, name, place if rule.tier == "township" else "", workers, ids[here], share)


def _areas(tier: str, zones: gpd.GeoDataFrame) -> Iterator[tuple[str, str, list[str] | None]]:
    """Return id, name and zones of each place of a tier; no list of zones is the whole study area."""
    if tier == "city":
        yield "", "", None
    elif tier == "township":
        yield from ((zone, name or zone, [zone]) for zone, name in zip(zones["id"], zones["name"], strict=True))
    else:
        for county, part in zones[zones["county"] != ""].groupby("county", sort=False):
            yield str(county), str(county), part["id"].tolist()


def _near(rule: TierRule, ground: Ground, counted: np.ndarray) -> Bools:
    """Return which units of demand have a site that counts within the rule's walk."""
    if rule.within_m is None or not len(counted):
        return np.zeros(len(ground.demand), dtype=bool)
    to = take(ground.at[1], counted)
    metres = nearest(ground.network, ground.at[0], to, access_share=ground.access_share)[1]
    return np.asarray(metres <= rule.within_m)


def _at_units(rule: TierRule, ground: Ground, counted: np.ndarray) -> Iterator[dict[str, Any]]:
    """Judge the clusters or the enterprises, each at its own door."""
    unit = np.flatnonzero(
        (ground.demand["tier"] == rule.tier).to_numpy() & (ground.demand["weight"] >= rule.from_workers).to_numpy()
    )
    if not len(unit):
        return
    ids, rows = ground.sites["id"].to_numpy()[counted], ground.demand.iloc[unit]
    cutoff_m = rule.within_m or ground.radius_m
    from_, to = take(ground.at[0], unit), take(ground.at[1], counted)
    pairs = reach(ground.network, from_, to, cutoff_m=cutoff_m, access_share=ground.access_share) if len(ids) else None
    for n, row in enumerate(rows.to_dict("records")):
        yield _row(rule, row["id"], row["name"], row["zone"], row["weight"], _reached(pairs, n, ids), np.nan)


def _reached(pairs: Reach | None, unit: int, ids: np.ndarray) -> np.ndarray:
    return ids[:0] if pairs is None else ids[pairs.site[pairs.demand == unit]]


def _row(
    rule: TierRule, place: str, name: str, zone: str, workers: float, ids: np.ndarray, share: float
) -> dict[str, Any]:
    required = max(rule.at_least, ceil(workers / rule.per_workers - 1e-9) if rule.per_workers else 0)
    asked = rule.share if rule.within_m and rule.tier not in ("cluster", "enterprise") else np.nan
    near_enough = np.isnan(asked) or np.isnan(share) or share >= asked - 1e-9
    return {
        "place": place,
        "name": name,
        "zone": zone,
        "workers": workers,
        "required": required,
        "sites": len(ids),
        "site_ids": ";".join(sorted(ids.astype(str))),
        "required_share": asked,
        "share": share,
        "met": bool(len(ids) >= required and near_enough),
    }
