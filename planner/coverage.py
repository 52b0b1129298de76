"""Reach × hours × services -> Coverage: who is covered in space, and for which share of their working time.

Takes distances, the sites that stand at a moment, and the demand; gives a `Coverage` per unit and its indicators per group and zone.
Knows nothing of streets. The definitions are those of ARCHITECTURE.md and hold everywhere: app, paper and json.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from planner.hours import HALF_HOURS, week_mask
from planner.reach import Reach
from planner.tables import service_set
from planner.weeks import Rows, different, tally, united

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Offers:
    """What stands, or could stand, at places: sites at a moment, or what actions would bring.

    Attributes:
        place: row numbers in the sites frame, shape (n,).
        mask: half-hours of the week in which each is open, shape (n, 336).
        serves: whether each offers every service that the standard requires, shape (n,).
    """

    place: Ints
    mask: Bools
    serves: Bools


@dataclass(frozen=True)
class Coverage:
    """How each unit of demand is covered by the sites that stand; arrays have one entry per unit.

    Attributes:
        nearest: row number of the nearest standing site in the sites frame; -1 where none can be reached.
        nearest_m: metres to it, both walks to the street counted; NaN where unreachable.
        sites_within: number of standing sites within the service radius.
        covered: nearest_m is at most the service radius.
        circled: a standing site lies within the service radius as the crow flies: what a map of circles would call covered.
        week: number of the week in ``weeks`` that each unit has.
        weeks: the different weeks there are: half-hours with at least one site in reach that is open and offers what the standard
            requires, shape (n_weeks, 336). Few units differ, so this is a hundredth of a mask for each.
        effective_share: share of the unit's working half-hours that are so covered.
        open_share: the same if services did not matter: some site in reach is open.
        equipped_share: the same if hours did not matter: some site in reach offers what is required (1 or 0).
        served_share: share of the working time in which a seat is free when needed (`planner.capacity`); None where capacity is not asked
            about. Never part of the other shares.
        accepted_share: the same if seats were never taken: hosts that the group would go to, however full; None likewise.
        load: seat-time used ÷ open of each site that stands, in their order; None likewise.
        seat_hours: seat-half-hours of a week: how many are used, and how many any assignment could use at most (the capacity of a cut:
            the proof that no other serves more); None likewise.
    """

    nearest: Ints
    nearest_m: Floats
    sites_within: Ints
    covered: Bools
    circled: Bools
    week: Ints
    weeks: Bools
    effective_share: Floats
    open_share: Floats
    equipped_share: Floats
    served_share: Floats | None = None
    accepted_share: Floats | None = None
    load: Floats | None = None
    seat_hours: tuple[float, float] | None = None

    @property
    def open_mask(self) -> Bools:
        """Half-hours in which each unit has an open, equipped site in reach, shape (n, 336)."""
        return self.weeks[self.week]


def offers(table: pd.DataFrame, place: Ints, required: tuple[str, ...]) -> Offers:
    """Return what the rows of a table (sites or actions: ``opening_hours``, ``services``) offer at ``place``.

    Args:
        table: n rows.
        place: row numbers in the sites frame, shape (n,).
        required: services that the standard requires; all of them must be there to count as effective.
    """
    mask = np.array([week_mask(text) for text in table["opening_hours"]], dtype=bool).reshape(len(place), HALF_HOURS)
    serves = np.array([set(required) <= service_set(text) for text in table["services"]], dtype=bool)
    return Offers(place=np.asarray(place, dtype=np.int64), mask=mask, serves=serves)


def standing_sites(sites: pd.DataFrame, required: tuple[str, ...]) -> Offers:
    """Return the sites of a frame that stand now: those whose status is neither candidate nor closed.

    Args:
        sites: sites frame, as it is at that moment (hours and services included).
        required: services that the standard requires; a site must offer all of them to count as effective.
    """
    place = np.flatnonzero(~sites["status"].isin(["candidate", "closed"]).to_numpy())
    return offers(sites.iloc[place], place, required)


def measure(
    reach: Reach,
    nearest: tuple[Ints, Floats],
    straight_m: Floats,
    standing: Offers,
    group: Ints,
    profiles: Floats,
) -> Coverage:
    """Measure how each unit of demand is covered.

    Args:
        reach: pairs (unit, place) within the service radius, over all places of the sites frame.
        nearest: place number (-1: none) and metres (NaN: none) of each unit's nearest standing site, not cut off.
        straight_m: straight line to the nearest standing site, shape (n_units,).
        standing: the sites that stand.
        group: (n_units,) row of ``profiles`` of each unit.
        profiles: fraction of each group at work in each half-hour, shape (n_groups, 336).
    """
    hours, yes = different(standing.mask), np.ones((1, 1), dtype=bool)
    serving, kit_of = np.where(standing.serves, hours.of, -1), np.where(standing.serves, 0, -1)
    sites_within, ((week, weeks), (open_week, open_weeks), (kit, equipped)) = united(
        reach, standing.place, [Rows(hours.flags, serving), hours, Rows(yes, kit_of)]
    )
    effective_share = _share_of_work(week, weeks, group, profiles)
    open_share = effective_share if standing.serves.all() else _share_of_work(open_week, open_weeks, group, profiles)
    return Coverage(
        nearest=nearest[0],
        nearest_m=nearest[1],
        sites_within=sites_within,
        covered=sites_within > 0,
        circled=straight_m <= reach.cutoff_m,
        week=week,
        weeks=weeks,
        effective_share=effective_share,
        open_share=open_share,
        equipped_share=equipped[kit, 0].astype(float),
    )


def _share_of_work(week: Ints, weeks: Bools, group: Ints, profiles: Floats) -> Floats:
    """Return which share of its group's working half-hours each unit's week covers, shape (n_units,)."""
    shares: Floats = (weeks @ profiles.T) / profiles.sum(axis=1)
    # What covers every working half-hour covers all of it, whatever the sum of floats says.
    shares[(weeks[:, None, :] | (profiles[None] == 0)).all(axis=2)] = 1.0
    return shares[week, group]


def indicators(
    demand: pd.DataFrame, coverage: Coverage, profiles: Mapping[str, Floats], *, backup: int = 2
) -> dict[str, Any]:
    """Return the indicators of all demand, of each group and of each zone (keys of summary.json's ``coverage``).

    Args:
        demand: demand frame.
        coverage: what `measure` gave for it.
        profiles: each group's work profile, shape (336,).
        backup: sites within the radius that make cross coverage.
    """
    weight = demand["weight"].to_numpy(dtype=float)
    hours = demand["group"].map({group: profile.sum() for group, profile in profiles.items()}).to_numpy(dtype=float)

    def of(rows: Bools) -> dict[str, Any]:
        return figures(weight, hours, coverage, rows, backup=backup)

    everything = of(np.ones(len(demand), dtype=bool))
    everything["by_group"] = {g: of((demand["group"] == g).to_numpy()) for g in sorted(profiles)}
    everything["by_zone"] = {z: of((demand["zone"] == z).to_numpy()) for z in sorted(demand["zone"].unique())}
    return everything


def _rows(coverage: Coverage, rows: Bools | Ints) -> Coverage:
    """Return the coverage of some units."""
    arrays = {f.name: getattr(coverage, f.name) for f in fields(coverage)}
    return Coverage(
        **{k: a if k in ("weeks", "load", "seat_hours") or a is None else a[rows] for k, a in arrays.items()}
    )


def figures(
    weight: Floats, hours: Floats, coverage: Coverage, rows: Bools | Ints, *, backup: int, ranked: bool = True
) -> dict[str, float | None]:
    """Return the indicators of some units.

    Args:
        weight: (n_units,) people.
        hours: (n_units,) working half-hours of each.
        coverage: what `measure` gave for all units.
        rows: which units: a mask, or row numbers in ascending order.
        backup: sites within the radius that make cross coverage.
        ranked: also those for which people must be put in order (``p90_m``, ``gini``), which take most of the time.
    """
    weight, hours, coverage = weight[rows], hours[rows], _rows(coverage, rows)
    total, worked = float(weight.sum()), weight * hours
    near_m = coverage.nearest_m
    near = np.isfinite(near_m) & (weight > 0)

    def share(units: Bools) -> float | None:
        return float(weight[units].sum()) / total if total > 0 else None

    def of_work(part: Floats) -> float | None:
        return float((worked * part).sum() / worked.sum()) if worked.sum() > 0 else None

    served = {} if coverage.served_share is None else {"served_share": of_work(coverage.served_share)}
    return {
        "share": share(coverage.covered),
        "covered_weight": float(weight[coverage.covered].sum()),
        "total_weight": total,
        "effective_share": of_work(coverage.effective_share),
        "backup_share": share(coverage.sites_within >= backup),
        "mean_m": float(np.average(near_m[near], weights=weight[near])) if near.any() else None,
        **({"p90_m": weighted_quantile(near_m[near], weight[near], 0.9) if near.any() else None} if ranked else {}),
        "worst_m": float(near_m[near].max()) if near.any() else None,
        "unreachable_share": share(~np.isfinite(near_m)),
        "circle_share": share(coverage.circled),
        "open_share": of_work(coverage.open_share),
        "equipped_share": share(coverage.equipped_share > 0),
        "all_hours_share": share(coverage.effective_share >= 1),
        **({"gini": gini(coverage.effective_share, weight)} if ranked else {}),
        **served,
    }


def gini(values: Floats, weights: Floats) -> float | None:
    """Return the Gini coefficient of a distribution over people: 0 where all have the same; None where nobody has anything.

    Half the mean absolute difference between two people, relative to the mean (Gini 1912); weights are numbers of people.
    """
    order = np.argsort(values, kind="stable")
    weight, worth = weights[order], (weights * values)[order]
    if worth.sum() <= 0:
        return None
    before = np.cumsum(worth) - worth / 2
    return float(1 - 2 * (weight * before).sum() / (weight.sum() * worth.sum()))


def service_shares(
    reach: Reach,
    standing: Offers,
    services: Sequence[frozenset[str]],
    names: Sequence[str],
    weight: Floats,
    group: Ints,
    profiles: Floats,
) -> dict[str, dict[str, float]]:
    """Return, for each service alone, who has it within the radius and for which share of the working time.

    Args:
        reach: pairs within the service radius.
        standing: the sites that stand.
        services: what each of them offers, in their order.
        names: the services asked about.
        weight, group: (n_units,) people and row of ``profiles``.
        profiles: (n_groups, 336) share of the group at work.

    Returns:
        ``{service: {"share": …, "effective_share": …}}``.
    """
    offered = np.array([[name in offer for name in names] for offer in services], dtype=bool).reshape(-1, len(names))
    hours = different(standing.mask)
    alone = [Rows(hours.flags, np.where(offered[:, s], hours.of, -1)) for s in range(len(names))]
    _, [*by_service, (kit, kits)] = united(reach, standing.place, [*alone, different(offered)])
    numbers, rows = [*(number for number, _ in by_service), kit], [*(weeks for _, weeks in by_service), kits]
    people = tally(numbers, [len(row) for row in rows], group, weight, len(profiles))
    everybody, worked = float(weight.sum()), float(people[-1].sum(axis=0) @ profiles.sum(axis=1))
    has, shares = people[-1].sum(axis=1) @ kits, {}
    for s, (name, (_, weeks)) in enumerate(zip(names, by_service, strict=True)):
        met = float((people[s] * (weeks @ profiles.T)).sum())
        shares[name] = {"share": float(has[s]) / everybody, "effective_share": met / worked}
    return shares


def host_hours(sites: pd.DataFrame, shifts: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    """Return how much of each shift falls into the opening hours of each kind of host: what a map of places does not show.

    Args:
        sites: those that stand, with ``kind`` and ``opening_hours``.
        shifts: group, name and hours of each.

    Returns:
        A row a shift and kind: ``group``, ``shift``, ``kind``, ``sites``, ``open_share`` (the mean over the sites of the share of the
        shift's half-hours in which they are open) and ``missed_share``, the rest; kinds with most sites first. A shift that no ordinary
        week has, of public holidays alone, has no row.
    """
    masks = np.array([week_mask(text) for text in sites["opening_hours"]], dtype=bool).reshape(len(sites), HALF_HOURS)
    counts = sites["kind"].value_counts()
    kinds = sorted(counts.index, key=lambda kind: (-counts[kind], kind))
    of_kind = {kind: masks[(sites["kind"] == kind).to_numpy()] for kind in kinds}
    worked = [(group, name, week_mask(hours)) for group, name, hours in shifts]
    rows = [
        (group, name, kind, len(of_kind[kind]), float(of_kind[kind][:, shift].mean()))
        for group, name, shift in worked
        for kind in kinds
        if shift.any()
    ]
    table = pd.DataFrame(rows, columns=["group", "shift", "kind", "sites", "open_share"])
    return table.assign(missed_share=1 - table["open_share"])


def clock(demand: pd.DataFrame, coverage: Coverage, profiles: Mapping[str, Floats]) -> pd.DataFrame:
    """Return, for each half-hour of the week and each group, which share of those at work can reach an open, equipped site.

    Returns:
        Index 0 … 335, a column a group; NaN where nobody of the group works.
    """
    weight = demand["weight"].to_numpy(dtype=float)
    columns = {}
    for group, profile in profiles.items():
        rows = (demand["group"] == group).to_numpy()
        total = weight[rows].sum()
        by_week = np.bincount(coverage.week[rows], weights=weight[rows], minlength=len(coverage.weeks))
        reached = by_week @ coverage.weeks
        columns[group] = np.where((profile > 0) & (total > 0), reached / max(total, 1e-300), np.nan)
    return pd.DataFrame(columns)


def weighted_quantile(values: Floats, weights: Floats, q: float) -> float:
    """Return the smallest value at or below which at least ``q`` of the weight lies (the inverse of the weighted distribution)."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulated, q * cumulated[-1] * (1 - 1e-12))])


def at_work(
    demand: pd.DataFrame, coverage: Coverage, profiles: Mapping[str, Floats]
) -> dict[str, tuple[Floats, Floats]]:
    """Return, for each group, the people at work in each half-hour and how many of them are covered then: two arrays (336,).

    Covered means what effective coverage means, so the sum of the second is the group's effective_share of the sum of the first.
    """
    weight = demand["weight"].to_numpy(dtype=float)
    table = {}
    for group, profile in profiles.items():
        rows = (demand["group"] == group).to_numpy()
        by_week = np.bincount(coverage.week[rows], weights=weight[rows], minlength=len(coverage.weeks))
        table[group] = (profile * weight[rows].sum(), profile * (by_week @ coverage.weeks))
    return table


def effective_by_group(
    demand: pd.DataFrame, coverage: Coverage, profiles: Mapping[str, Floats]
) -> dict[str, float | None]:
    """Return each group's effective share if it worked by ``profiles``: of another season, of a single shift.

    Which sites are open when doesn't hang on who works, so nothing is measured anew. None where nobody works.
    """
    shares: dict[str, float | None] = {}
    for group, (people, covered) in at_work(demand, coverage, profiles).items():
        shares[group] = float(covered.sum() / people.sum()) if people.sum() > 0 else None
    return shares
