"""A study's rules × what stands × what may be done -> rows for `siting`, and the shares that they speak of.

Takes the ``[plan]`` settings and the checked tables; gives `Rulebook`. Each rule carries a reason with the names that a sentence needs.
Decides nothing: which plan keeps them is `siting`'s.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from planner.coverage import Bools, Floats, Ints
from planner.hours import week_mask
from planner.reach import Reach
from planner.replanning import Record, rules_of
from planner.siting import Reason, Rule, rules
from planner.siting.covering import Tally
from planner.study import Floor, Limit, PlanSettings, Study
from planner.tables import service_set


@dataclass(frozen=True)
class Terrain:
    """What a plan is made on.

    Attributes:
        study: the settings.
        sites: existing places, then candidates, as they are today.
        zones: columns id, name.
        demand: the demand units.
        actions: all that may be done (`planner.actions.possible_actions`).
        profiles: each group's work profile over the week.
        reach: pairs (unit, place) within the service radius.
        walks: a cutoff in metres -> pairs (unit, place) within it.
        between: a cutoff in metres -> pairs (place, place) within it.
        record: what has become of an earlier programme, where the study says so.
    """

    study: Study
    sites: gpd.GeoDataFrame
    zones: gpd.GeoDataFrame
    demand: gpd.GeoDataFrame
    actions: pd.DataFrame
    profiles: dict[str, Floats]
    reach: Reach
    walks: Callable[[float], Reach]
    between: Callable[[float], Reach]
    record: Record | None = None

    @property
    def place(self) -> Ints:
        """Row of ``sites`` of each action."""
        return self.actions["place"].to_numpy(dtype=np.int64)

    @property
    def closes(self) -> Bools:
        """Which actions close a site."""
        return np.asarray(self.actions["action"] == "close", dtype=bool)

    @property
    def stands(self) -> Bools:
        """Where a site stands today."""
        return np.asarray(~self.sites["status"].isin(["candidate", "closed"]), dtype=bool)


@dataclass(frozen=True)
class Rulebook:
    """Rows, and the shares that they and the objective speak of.

    Attributes:
        rules: all rules of the study but money and required places, which the problem knows itself.
        tallies: shares; the first is the effective coverage of everybody.
        fair: numbers of those whose worst-off ``fairest`` raises.
    """

    rules: tuple[Rule, ...]
    tallies: tuple[Tally, ...]
    fair: tuple[int, ...]


def rulebook(terrain: Terrain, settings: PlanSettings) -> Rulebook:
    """Write down the rules of a study."""
    everybody = np.ones(len(terrain.demand), dtype=bool)
    tallies = [Tally("effective", everybody)]
    found: list[Rule] = []
    for number, floor in enumerate(settings.floors):
        for names, members in _members(terrain, floor):
            reason = Reason("floor", {"number": number + 1, "share": floor.share, "measure": floor.measure, **names})
            found += rules.floor(
                reason,
                len(tallies),
                floor.share,
                len(settings.years),
                by=_year(settings, floor.by),
                falls=bool(terrain.closes.any()),
            )
            tallies.append(Tally(floor.measure, members, of=_of_tier(terrain, floor.tier)))
    for number, limit in enumerate(settings.limits):
        found += _limit_rules(terrain, settings, number + 1, limit)
    found += _spacing(terrain, settings)
    found += _merging(terrain, settings)
    found += rules_of(terrain.record, terrain.actions, settings) if terrain.record else ()
    fair = []
    if settings.objective == "fairest":
        column = settings.fair_over
        for value in sorted(set(terrain.demand[column]) - {""}):
            fair.append(len(tallies))
            tallies.append(Tally("effective", (terrain.demand[column] == value).to_numpy()))
    return Rulebook(tuple(found), tuple(tallies), tuple(fair))


def _year(settings: PlanSettings, by: int | None) -> int:
    return len(settings.years) - 1 if by is None else settings.years.index(by)


def _members(terrain: Terrain, floor: Floor) -> list[tuple[dict[str, Any], Bools]]:
    """Return whom a floor speaks of: names for its sentence, and which demand units."""
    groups = sorted(set(terrain.demand["group"])) if floor.group == "*" else [floor.group]
    zones = sorted(set(terrain.demand["zone"]) - {""}) if floor.zone == "*" else [floor.zone]
    found = []
    for group in groups:
        for zone in zones:
            members = members_of(terrain, group, zone)
            if members.any() and terrain.demand["weight"].to_numpy()[members].sum() > 0:
                found.append(({"group": group, "zone": zone, "tier": floor.tier}, members))
    return found


def members_of(terrain: Terrain, group: str, zone: str) -> Bools:
    """Return which demand units a group and a zone have; empty is any."""
    members = np.ones(len(terrain.demand), dtype=bool)
    if group:
        members &= (terrain.demand["group"] == group).to_numpy()
    if zone:
        members &= (terrain.demand["zone"] == zone).to_numpy()
    return members


def _of_tier(terrain: Terrain, tier: Sequence[str]) -> tuple[Bools, Bools] | None:
    """Return which existing sites and which actions count for a floor by tier; None: all."""
    if not tier:
        return None
    # In the order of `standing_sites`.
    standing = terrain.sites.iloc[np.flatnonzero(terrain.stands)]
    return standing["tier"].isin(tier).to_numpy(), terrain.actions["tier"].isin(tier).to_numpy()


def _limit_rules(terrain: Terrain, settings: PlanSettings, number: int, limit: Limit) -> list[Rule]:
    states = _states(terrain)
    counted = _matches(states, limit)
    n_sites, n_years, by = len(terrain.sites), len(settings.years), _year(settings, limit.by)
    found: list[Rule] = []
    for names, within in _parts(states, limit.per):
        part, whole = counted & within, within.copy()
        if limit.counts == "actions":
            before, all_before = np.zeros((2, n_sites))
        else:
            before, all_before = (
                (part[:n_sites] & terrain.stands).astype(float),
                (whole[:n_sites] & terrain.stands).astype(float),
            )
        gone = terrain.closes & (limit.counts == "sites")
        after, all_after = (np.where(gone, 0.0, flags[n_sites:].astype(float)) for flags in (part, whole))
        change, all_change = after - before[terrain.place], all_after - all_before[terrain.place]
        said = {"number": number, "what": _what(limit), "counts": limit.counts, **names}
        if limit.at_most is not None:
            reason = Reason("at_most", {**said, "most": limit.at_most, "until": limit.until})
            until = None if limit.until is None else _year(settings, limit.until)
            found += rules.at_most(reason, change, before.sum(), limit.at_most, n_years, until=until)
        if limit.at_least is not None:
            reason = Reason("at_least", {**said, "least": limit.at_least})
            found += rules.at_least(reason, change, before.sum(), limit.at_least, n_years, by=by)
        if limit.share_at_least is not None:
            reason = Reason("share_at_least", {**said, "share": limit.share_at_least})
            standing = float(before.sum()), float(all_before.sum())
            found += rules.at_least_share(reason, change, all_change, standing, limit.share_at_least, n_years, by=by)
    return found


def _states(terrain: Terrain) -> pd.DataFrame:
    """Return one row for each place as it is today, then one for each action as its place would be afterwards."""
    columns = ["id", "zone", "tier", "kind", "host", "mode", "opening_hours", "services"]
    today = terrain.sites[columns].assign(action="")
    after = terrain.sites[columns].iloc[terrain.place].reset_index(drop=True)
    for column in ("tier", "opening_hours", "services", "action"):
        after[column] = terrain.actions[column].to_numpy()
    built = (terrain.actions["action"] == "build").to_numpy()
    # An existing site keeps its mode; a limit on actions speaks of the mode in which they are done.
    after["mode"] = np.where(built, terrain.actions["mode"], after["mode"])
    after["mode_of_action"] = terrain.actions["mode"].to_numpy()
    states: pd.DataFrame = pd.concat([pd.DataFrame(today).assign(mode_of_action=""), after], ignore_index=True)
    return states


def _matches(states: pd.DataFrame, limit: Limit) -> Bools:
    """Tell which states are all that a limit asks for."""
    found = np.ones(len(states), dtype=bool)
    mode = "mode_of_action" if limit.counts == "actions" else "mode"
    asked = {"id": limit.site, "zone": limit.zone, "tier": limit.tier, "kind": limit.kind, "host": limit.host}
    for column, words in {**asked, mode: limit.mode, "action": limit.action}.items():
        if words:
            found &= states[column].isin(words).to_numpy()
    if limit.services:
        found &= np.array([set(limit.services) <= service_set(text) for text in states["services"]], dtype=bool)
    if limit.hours:
        wanted = week_mask(limit.hours)
        found &= np.array([bool((week_mask(text) | ~wanted).all()) for text in states["opening_hours"]], dtype=bool)
    return found


def _parts(states: pd.DataFrame, per: Sequence[str]) -> list[tuple[dict[str, Any], Bools]]:
    """Return the parts for which a limit holds by itself; what has no zone, tier, … belongs to none."""
    if not per:
        return [({}, np.ones(len(states), dtype=bool))]
    parts = []
    for values, rows in states.groupby(list(per), sort=True).indices.items():
        names = dict(zip(per, values if isinstance(values, tuple) else (values,), strict=True))
        if all(names.values()):
            within = np.zeros(len(states), dtype=bool)
            within[rows] = True
            parts.append((names, within))
    return parts


def _what(limit: Limit) -> dict[str, Any]:
    """Return what a limit counts, for its sentence."""
    asked = ("site", "zone", "tier", "kind", "host", "mode", "action", "services")
    return {key: getattr(limit, key) for key in asked if getattr(limit, key)} | (
        {"hours": limit.hours} if limit.hours else {}
    )


def _spacing(terrain: Terrain, settings: PlanSettings) -> tuple[Rule, ...]:
    if settings.spacing_m is None:
        return ()
    pairs = terrain.between(settings.spacing_m)
    # Exactly the spacing apart is far enough.
    near = pairs.distance_m < settings.spacing_m
    ordered = near & (pairs.demand < pairs.site)
    return rules.apart(
        Reason("spacing", {"metres": settings.spacing_m}),
        terrain.place,
        (terrain.actions["action"] == "build").to_numpy(),
        terrain.closes,
        terrain.stands,
        zip(pairs.demand[ordered].tolist(), pairs.site[ordered].tolist(), strict=True),
        len(settings.years),
    )


def _merging(terrain: Terrain, settings: PlanSettings) -> list[Rule]:
    """A site closes only once another within reach is upgraded."""
    closing = np.flatnonzero(terrain.closes)
    if not len(closing):
        return []
    within_m = settings.merge_within_m or terrain.study.standard.service_radius_m
    pairs = terrain.between(within_m)
    upgrades = terrain.actions["action"].isin(["extend_hours", "upgrade"]).to_numpy()
    found: list[Rule] = []
    for action in closing.tolist():
        place = int(terrain.place[action])
        others = np.unique(pairs.site[(pairs.demand == place) & (pairs.site != place)])
        takers = np.flatnonzero(upgrades & np.isin(terrain.place, others))
        reason = Reason("merging", {"place": place, "metres": within_m})
        found += rules.relieved(reason, action, takers, len(settings.years))
    return found
