"""Norms -> verdicts: which norm is met where, from the study's own figures.

Takes the norms of standards.toml that a study names, and what was measured; gives a row for each norm, rule and zone. A norm that a
study's data cannot answer is not in the file: nothing is judged by guess.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from planner.coverage import Coverage, Offers
from planner.network import Network, Positions, take
from planner.reach import k_nearest, reach, sites_within
from planner.words import Lang

VERDICT_COLUMNS = ("norm", "rule", "zone", "measured", "required", "met")
# The words of "at least" and "at most" stand with the rule: whether more is better.
AT_LEAST = {"within", "backup", "all_day"}


@cache
def norms() -> dict[str, dict[str, Any]]:
    """Return every norm by its id: ``zh``, ``en``, ``source``, ``confidence`` and ``rules``."""
    return tomllib.loads((files("planner") / "standards.toml").read_text(encoding="utf-8"))


def norm_name(norm: str, lang: Lang) -> str:
    """Return what a norm is called."""
    return str(norms()[norm][lang])


def judge(
    names: tuple[str, ...],
    *,
    demand: gpd.GeoDataFrame,
    sites: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    coverage: Coverage,
    standing: Offers,
    network: Network,
    at: tuple[Positions, Positions],
    access_share: float = 1.0,
) -> pd.DataFrame:
    """Judge a moment by norms.

    Args:
        names: ids of norms that exist.
        demand: demand frame.
        sites: sites frame.
        zones: zones frame, maybe empty.
        coverage: what `coverage.measure` gave for the sites that stand.
        standing: the sites that stand.
        network: the streets.
        at: positions of the demand and of all places of the sites frame.
        access_share: how much of the walk to the street counts.

    Returns:
        Columns `VERDICT_COLUMNS`: ``zone`` is "" for the whole area; ``measured`` and ``required`` are shares, sites per km², people
        per site (infinite where there is no site) or metres, as the rule says. Zones with nothing to measure have no row.
    """
    weight = demand["weight"].to_numpy(dtype=float)
    places = take(at[1], standing.place)
    in_zone = demand["zone"].to_numpy()
    site_zone = sites["zone"].to_numpy()[standing.place]
    area_km2 = dict(zip(zones["id"], zones.area / 1e6, strict=True))
    rows: list[dict[str, Any]] = []
    for norm in names:
        for rule in norms()[norm]["rules"]:
            people = _people(rule, coverage, network, at[0], places, access_share)
            gaps_m = _spacing_m(rule, network, places, access_share)
            for zone in ["", *area_km2]:
                units = np.ones(len(weight), dtype=bool) if zone == "" else in_zone == zone
                here = np.ones(len(site_zone), dtype=bool) if zone == "" else site_zone == zone
                km2 = sum(area_km2.values()) if zone == "" else area_km2[zone]
                measured = _measured(rule, weight[units], people[units], here, standing, gaps_m, km2)
                if measured is not None:
                    required, met = _verdict(rule, measured)
                    rows.append(
                        {
                            "norm": norm,
                            "rule": rule["kind"],
                            "zone": zone,
                            "measured": measured,
                            "required": required,
                            "met": met,
                        }
                    )
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))


def _people(
    rule: dict[str, Any],
    coverage: Coverage,
    network: Network,
    demand: Positions,
    places: Positions,
    access_share: float,
) -> np.ndarray:
    """Return which units have what a rule about people asks for."""
    if rule["kind"] == "within":
        return np.asarray(coverage.nearest_m <= rule["within_m"])
    if rule["kind"] == "backup" and len(places):
        pairs = reach(network, demand, places, cutoff_m=rule["within_m"], access_share=access_share)
        return np.asarray(sites_within(pairs) >= rule["sites"])
    return np.zeros(len(demand), dtype=bool)


def _spacing_m(rule: dict[str, Any], network: Network, places: Positions, access_share: float) -> np.ndarray:
    """Return how far the next site is from each; NaN where there is none that can be reached."""
    if rule["kind"] != "spacing" or not len(places):
        return np.full(len(places), np.nan)
    # The nearest of all is the site itself, or one that shares its place.
    number, metres = k_nearest(network, places, places, 2, access_share=access_share)
    itself = number[:, 0] == np.arange(len(places))
    return np.where(itself, metres[:, 1], metres[:, 0])


def _measured(
    rule: dict[str, Any],
    weight: np.ndarray,
    has: np.ndarray,
    here: np.ndarray,
    standing: Offers,
    gaps_m: np.ndarray,
    km2: float,
) -> float | None:
    """Return the figure that a rule speaks of, or None where there is nothing to measure."""
    total, count = float(weight.sum()), int(here.sum())
    match rule["kind"]:
        case "within" | "backup":
            return float(weight[has].sum() / total) if total else None
        case "density":
            return count / km2 if km2 else None
        case "people":
            return total / count if count else (np.inf if total else None)
        case "spacing":
            known = gaps_m[here][np.isfinite(gaps_m[here])]
            return float(known.max()) if len(known) else None
        case _:
            return float(standing.mask[here].all(axis=1).mean()) if count else None


def _verdict(rule: dict[str, Any], measured: float) -> tuple[float, bool]:
    """Return what a rule requires, and whether the figure meets it."""
    match rule["kind"]:
        case "within" | "backup":
            return 1.0, measured >= 1 - 1e-9
        case "density":
            required = rule["least"] if measured < rule["least"] else rule["most"]
            return float(required), rule["least"] <= measured <= rule["most"]
        case "people":
            return float(rule["most"]), measured <= rule["most"]
        case "spacing":
            return float(rule["metres"]), measured <= rule["metres"]
        case _:
            return float(rule["share"]), measured >= rule["share"]
