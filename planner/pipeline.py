"""run(study) -> Result: the whole method, readable top to bottom.

Takes a `Study`, gives a `Result`: the one truth behind every figure that is shown anywhere. Writes nothing.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import KDTree

from planner import __version__
from planner.actions import ACTION_COLUMNS, possible_actions, sites_after
from planner.capacity import serve
from planner.coverage import (
    Coverage,
    Floats,
    Offers,
    effective_by_group,
    host_hours,
    indicators,
    measure,
    offers,
    service_shares,
    standing_sites,
)
from planner.errors import InputError
from planner.evaluation import acceptance, closing_losses, score_card
from planner.gaps import find_gaps, gap_areas, seat_reasons
from planner.hours import in_season, week_mask, week_profile
from planner.intake import Inputs, read_inputs
from planner.last import Last, last_run, read_summary
from planner.network import Network, Positions, from_lines, locate, take, without_streets
from planner.plans import TRADEOFF_COLUMNS, LeftOut, Made, effective_gain, make, reason_sentences, trade_off
from planner.programme import (
    SUBTOTALS,
    chosen_actions,
    costs_by_year,
    funds,
    people_within,
    price_levels,
    programme,
    subtotals,
)
from planner.reach import Reach, nearest, reach
from planner.remedies import gains_by_gap, remedies, seat_gains_by_gap
from planner.replanning import Record, barred, changes, record_of, sites_left
from planner.robustness import Robustness, robustness
from planner.rulebook import Terrain
from planner.siting import Listener, Plan
from planner.standards import Ground, judge, norms
from planner.study import PlanSettings, Study
from planner.tables import service_set
from planner.tiers import judge_tiers
from planner.why import Why, explain, needed_sentences
from planner.words import Lang

Progress = Callable[[str], None]


def quiet(step: str) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Walks:
    """What is measured once and asked often: where things lie on the network, and who can walk where.

    Attributes:
        network: the streets.
        demand: positions of the demand units.
        sites: positions of all places, existing and candidate.
        reach: pairs (unit, place) within the service radius.
        access_share: how much of the walk to the street counts.
    """

    network: Network
    demand: Positions
    sites: Positions
    reach: Reach
    access_share: float = 1.0


@dataclass(frozen=True)
class Result:
    """Everything a run found out.

    Attributes:
        study: the settings it was made from.
        run_id: hash of the inputs and the version; the same inputs give the same id.
        sites: all places at the end of the plan, with ``year`` (0: not in the plan).
        sites_today: all places as they are today, in the same order.
        demand: the units with their existing coverage (nearest_site, nearest_m, sites_within, covered, effective_share, gap) and
            ``covered_from``: 0 covered today, a year of the plan, or -1 never.
        zones, water, streets: what the maps draw; streets are exactly the network measured on.
        gaps: ranked gaps of the existing state, each with its remedy (`planner.remedies.REMEDY_COLUMNS`).
        options: what the study says can be done where (`planner.tables.OPTION_COLUMNS`).
        possible: every action that could be taken (`planner.actions.possible_actions`).
        actions: the chosen actions in the order of the programme: site, action, mode, tier, year, cost, operating_cost, gain, …
        programme: 建设计划表, a row per chosen action.
        plan: what the solver says of its solution; None where the study asks for no plan.
        coverage: coverage arrays today (0) and at the end of each year of the plan.
        indicators: the indicators of each of these moments.
        profiles: each group's work profile over the week.
        cost_by_year: what each year costs.
        made: the plan with what it was made for: the problem, its rules, its loss against the best end of the last year.
        tradeoff: what more and less money buys (`planner.plans.TRADEOFF_COLUMNS`); empty unless the study asks for it.
        left_out: what the study asks to be told of the plan and is not, or not all of it, because the search was ended.
        verdicts: which norm is met where: columns of `planner.standards.VERDICT_COLUMNS` and ``moment`` (0 today, the plan's last year).
        tiers: what the tiers' rules ask for and what is there: columns of `planner.tiers.TIER_COLUMNS` and ``moment``, as in verdicts.
        rejects: rows of the input that could not be used.
        warnings: data-quality notes, in the study's language.
        inputs: sha256 of every file of the study.
        seasons: effective coverage of each group in each season: ``season``, ``group``, ``moment`` (0 and the plan's last year) and
            ``effective_share``; no row where no shift has a season.
        evaluation: the score card of today's sites (`planner.evaluation.SCORE_COLUMNS`).
        last: the earlier run that the study names, if any.
        why: why each action is in the plan; None where there is no plan.
        robustness: how often each action stays when assumptions wobble; None unless the study asks for it.
        record: what has become of an earlier programme; None where the study has no progress table.
        changes: what has become of each of its rows, and what is new (`planner.replanning.CHANGE_COLUMNS`).
        walks: network, positions and reach, for what-ifs.
    """

    study: Study
    run_id: str
    sites: gpd.GeoDataFrame
    sites_today: gpd.GeoDataFrame
    demand: gpd.GeoDataFrame
    zones: gpd.GeoDataFrame
    water: gpd.GeoDataFrame
    streets: gpd.GeoDataFrame
    gaps: gpd.GeoDataFrame
    options: pd.DataFrame
    possible: pd.DataFrame
    actions: pd.DataFrame
    programme: pd.DataFrame
    plan: Plan | None
    coverage: dict[int, Coverage]
    indicators: dict[int, dict[str, Any]]
    profiles: dict[str, Floats]
    cost_by_year: dict[int, float]
    made: Made | None = field(repr=False)
    tradeoff: pd.DataFrame
    left_out: tuple[LeftOut, ...]
    verdicts: pd.DataFrame
    tiers: pd.DataFrame
    rejects: pd.DataFrame
    warnings: tuple[str, ...]
    inputs: dict[str, str]
    seasons: pd.DataFrame
    evaluation: pd.DataFrame
    last: Last | None
    why: Why | None
    robustness: Robustness | None
    record: Record | None = field(repr=False)
    changes: pd.DataFrame
    walks: Walks = field(repr=False)

    @property
    def years(self) -> tuple[int, ...]:
        """Years of the plan; none where the study asks for no plan."""
        return self.study.plan.years if self.study.plan and self.plan else ()

    def sites_at(self, moment: int) -> gpd.GeoDataFrame:
        """Return the places as they stand today (0) or at the end of a year of the plan."""
        taken = self.actions[self.actions["year"] <= moment]
        return sites_after(self.sites_today, taken) if len(taken) else self.sites_today

    @cached_property
    def gap_areas(self) -> gpd.GeoDataFrame:
        """The gaps with all that they cover (`planner.gaps.gap_areas`), worked out when it is first asked for."""
        return gap_areas(self.gaps, self.demand)

    def zone_name(self, zone: str) -> str:
        """Return the name of a zone, or its id where it has none."""
        names = self.zones.loc[self.zones["id"] == zone, "name"]
        return str(names.iat[0]) if len(names) and names.iat[0] else zone

    def zone_at(self, lon: float, lat: float) -> str | None:
        """Return the id of the zone in which a place (WGS-84 degrees) lies; None outside all."""
        point = gpd.GeoSeries.from_xy([lon], [lat], crs="EPSG:4326").to_crs(self.demand.crs).iloc[0]
        inside = self.zones.loc[self.zones.geometry.intersects(point), "id"]
        return str(inside.iat[0]) if len(inside) else None

    def plan_reasons(self, lang: Lang) -> tuple[str, ...]:
        """Return why no plan fits, as sentences; nothing where there is a plan."""
        return reason_sentences(self.plan.reasons if self.plan else (), self.terrain, lang)

    @property
    def subtotals(self) -> dict[str, pd.DataFrame]:
        """The programme added up by year, tier, mode, town and responsible unit (`planner.programme.subtotals`)."""
        return {by: subtotals(self.programme, by) for by in SUBTOTALS}

    @property
    def funds(self) -> pd.DataFrame:
        """What each year costs beside its budget (`planner.programme.FUND_COLUMNS`)."""
        sunk = self.record.sunk.tolist() if self.record else ()
        return funds(self.study.plan if self.years else None, self.actions, self.cost_by_year, sunk)

    def why_needed(self, lang: Lang) -> tuple[tuple[str, ...], ...]:
        """Return, for each action of the programme, the rules that would be broken without it, as sentences."""
        return (
            tuple(needed_sentences(self.why, row, self.terrain, lang) for row in range(len(self.actions)))
            if self.why
            else ()
        )

    @property
    def terrain(self) -> Terrain:
        """What plans of this study are made on."""
        return terrain_of(
            self.study,
            self.sites_today,
            self.zones,
            self.demand,
            self.walks,
            self.profiles,
            self.possible,
            self.record,
        )


@dataclass(frozen=True)
class Measured:
    """What a study is today, before anything is planned. Plans with other budgets, rules or aims start from the same.

    Attributes:
        study: the settings with which it was measured.
        inputs: the checked tables, less the sites that a progress table calls closed.
        last: the earlier run that the study names, if any.
        profiles: each group's work profile over the week.
        walks: network, positions and reach.
        today: the coverage.
        gaps: ranked gaps, without remedies; ``gap_of`` tells each unit's (`planner.gaps.find_gaps`).
    """

    study: Study
    inputs: Inputs
    last: Last | None
    profiles: dict[str, Floats]
    walks: Walks
    today: Coverage
    gaps: gpd.GeoDataFrame
    gap_of: tuple[NDArray[np.object_], NDArray[np.object_]]


def run(study: Study, *, progress: Progress = quiet, listener: Listener | None = None) -> Result:
    """Run the whole method on a study.

    Args:
        study: what `planner.study.load_study` read.
        progress: told the name of each step (key of the catalogue's section ``step``) as it begins.
        listener: told objective and bound of the plan while it is solved; returning True keeps the best so far.

    Raises:
        InputError: the study's files are wrong.
    """
    return plan_on(measured(study, progress=progress), study, progress=progress, listener=listener)


def measured(study: Study, *, progress: Progress = quiet) -> Measured:
    """Read a study's files and measure what there is today; arguments and errors as in `run`."""
    progress("read")
    inputs = read_inputs(study)
    check_rules(study, inputs)
    inputs = replace(inputs, sites=sites_left(inputs.sites, inputs.progress))
    last = (
        last_run(read_summary(study.path(study.last.summary), study.last.summary), study.last.summary)
        if study.last
        else None
    )
    profiles = {group: week_profile(study.shifts(group)) for group in study.groups}

    progress("network")
    walks = walk(study, inputs)

    progress("coverage")
    today = cover(study, inputs.sites, inputs.demand, walks, profiles)
    radius_m = study.standard.service_radius_m
    gaps, *gap_of = find_gaps(inputs.demand, today, walks.network, walks.demand, inputs.sites, radius_m=radius_m)
    return Measured(study, inputs, last, profiles, walks, today, gaps, (gap_of[0], gap_of[1]))


def heeded(study: Study) -> Study:
    """Return the study with no more of its plan than measuring heeds: studies that are alike in this are measured alike."""
    plan = study.plan
    if plan is None:
        return study
    # Notes on stale data speak of the years, costs are read in the unit, and a progress table belongs to the plan.
    kept = PlanSettings.model_construct(years=plan.years, budget=(), cost_unit=plan.cost_unit, progress=plan.progress)
    return study.model_copy(update={"plan": kept})


def plan_on(
    ground: Measured,
    study: Study,
    *,
    solve: bool = True,
    progress: Progress = quiet,
    listener: Listener | None = None,
) -> Result:
    """Plan on what was measured.

    Args:
        ground: what was measured of this study, or of one that differs from it in nothing that is `heeded`.
        study: whose plan is made.
        solve: whether it is; else the result holds today alone, and its run_id says so.
        progress, listener: as in `run`.

    Raises:
        InputError: the plan's rules speak of what isn't there.
    """
    inputs, walks, profiles, today, gap_of = ground.inputs, ground.walks, ground.profiles, ground.today, ground.gap_of
    check_rules(study, inputs)
    settings = study.plan if solve else None

    progress("plan")
    possible, record = open_actions(study, inputs)
    gap_gains = _gap_gains(study, inputs, walks, profiles, today, ground.gaps, list(gap_of), possible)
    gaps = ground.gaps.join(remedies(gap_gains, ground.gaps["weight"].to_numpy(dtype=float), possible))
    made, actions = make_plan(study, settings, inputs, walks, profiles, possible, record, listener=listener)

    progress("programme")
    changed = changes(record if made and made.plan.found else None, actions, settings)
    moments, sites = {0: today}, inputs.sites.assign(year=0)
    figures = {0: _figures(study, sites, inputs.demand, walks, profiles, today)}
    for year in settings.years if settings else ():
        taken = actions[actions["year"] <= year]
        sites = sites_after(inputs.sites, taken).assign(year=0)
        sites.loc[taken["place"], "year"] = taken["year"].to_numpy()
        moments[year] = cover(study, sites, inputs.demand, walks, profiles)
        figures[year] = _figures(study, sites, inputs.demand, walks, profiles, moments[year])
    ends = {0: inputs.sites, max(moments): sites}
    why = _why(study, inputs, walks, profiles, possible, record, made, actions, sites, (gap_gains, gaps))
    sure, left_out = None, made.left_out if made else ()
    if made is not None and why is not None and settings is not None and settings.robustness:
        progress("robustness")
        terrain = terrain_of(study, inputs.sites, inputs.zones, inputs.demand, walks, profiles, possible, record)
        wobbled = robustness(terrain, settings, made, actions, trials=settings.robustness)
        sure = wobbled if len(wobbled.trials) else None
        left_out += wobbled.left_out
    tradeoff, missing = _trade_off(study, made, progress)
    left_out += missing

    progress("norms")
    return Result(
        study=study,
        run_id=run_id(study, inputs.hashes) if solve else f"{run_id(study, inputs.hashes)}-today",
        sites=sites,
        sites_today=inputs.sites,
        demand=_annotated(inputs, moments, list(gap_of)),
        zones=inputs.zones,
        water=inputs.water,
        streets=walks.network.edges,
        gaps=gaps,
        options=inputs.options,
        possible=possible,
        actions=actions,
        programme=programme(
            study, sites, inputs.zones, actions, served=_people_near(study, inputs, walks), changed=changed
        ),
        plan=made.plan if made else None,
        made=made,
        tradeoff=tradeoff,
        left_out=left_out,
        coverage=moments,
        indicators=figures,
        profiles=profiles,
        cost_by_year=_cost_by_year(settings, actions, record) if settings else {},
        verdicts=_judged(
            study, inputs, walks, ends, lambda ground, at: judge(study.standard.judge, ground, moments[at])
        ),
        tiers=_judged(study, inputs, walks, ends, lambda ground, at: judge_tiers(study.tiers, ground)),
        rejects=inputs.rejects,
        warnings=inputs.warnings,
        inputs=inputs.hashes,
        seasons=_seasons(study, inputs, walks, actions, {0: today, max(moments): moments[max(moments)]}),
        evaluation=_evaluation(study, inputs, walks, profiles, today),
        last=ground.last,
        why=why,
        robustness=sure,
        record=record if solve else None,
        changes=changed,
        walks=walks,
    )


def walk(study: Study, inputs: Inputs) -> Walks:
    """Lay everything on the streets and measure who can walk where within the service radius."""
    streetless = study.streets is None
    network = without_streets(study.crs, study.standard.detour_factor) if streetless else from_lines(inputs.streets)
    demand, sites = locate(network, inputs.demand.geometry), locate(network, inputs.sites.geometry)
    share, radius_m = study.standard.access_share, study.standard.service_radius_m
    pairs = reach(network, demand, sites, cutoff_m=radius_m, access_share=share)
    return Walks(network=network, demand=demand, sites=sites, reach=pairs, access_share=share)


def cover(
    study: Study, sites: gpd.GeoDataFrame, demand: gpd.GeoDataFrame, walks: Walks, profiles: dict[str, Floats]
) -> Coverage:
    """Measure the coverage that ``sites``, as they stand, give to the demand."""
    standing = standing_sites(sites, study.standard.services)
    # Of sites equally near, the one whose id comes first counts, in whatever order the rows of a table stand.
    by_id = standing.place[np.argsort(sites["id"].to_numpy()[standing.place].astype(str), kind="stable")]
    near, near_m = nearest(walks.network, walks.demand, take(walks.sites, by_id), access_share=walks.access_share)
    place = np.where(near >= 0, by_id[near], -1) if len(by_id) else near
    straight_m = straight_walk_m(sites.geometry.iloc[standing.place], demand.geometry)
    group, profile = group_profiles(demand, profiles)
    state = measure(walks.reach, (place, near_m), straight_m, standing, group, profile)
    if study.capacity is None:
        return state
    here, weight = sites.iloc[standing.place], demand["weight"].to_numpy(dtype=float)
    service = serve(
        walks.reach,
        standing,
        here["capacity"].to_numpy(dtype=float),
        weight,
        group,
        profile,
        seat_share=study.capacity.seat_share,
        acceptance=acceptance(study.capacity, list(profiles), here),
    )
    return replace(
        state,
        served_share=service.served_share,
        accepted_share=service.accepted_share,
        load=service.load,
        seat_hours=(service.served, service.limit),
    )


def _figures(
    study: Study,
    sites: gpd.GeoDataFrame,
    demand: gpd.GeoDataFrame,
    walks: Walks,
    profiles: dict[str, Floats],
    state: Coverage,
) -> dict[str, Any]:
    """Return the indicators of a moment, those of each service that any place offers among them."""
    figures = indicators(demand, state, profiles, backup=study.standard.backup)
    standing = standing_sites(sites, study.standard.services)
    services = [service_set(text) for text in sites["services"].iloc[standing.place]]
    names = sorted(set(study.standard.services).union(*services))
    weight = demand["weight"].to_numpy(dtype=float)
    group, profile = group_profiles(demand, profiles)
    reached = np.isfinite(state.nearest_m) & (weight > 0)
    straight_m = straight_walk_m(sites.geometry.iloc[standing.place], demand.geometry)
    figures["mean_straight_m"] = (
        float(np.average(straight_m[reached], weights=weight[reached])) if reached.any() else None
    )
    if state.seat_hours is not None:
        figures["seat_hours"] = dict(zip(("used", "at_most"), state.seat_hours, strict=True))
    figures["by_service"] = service_shares(walks.reach, standing, services, names, weight, group, profile)
    return figures


def _judged(
    study: Study,
    inputs: Inputs,
    walks: Walks,
    sites_at: dict[int, gpd.GeoDataFrame],
    judge_moment: Callable[[Ground, int], pd.DataFrame],
) -> pd.DataFrame:
    """Judge today and the end of the plan: by norms, by the rules of the tiers."""
    parts = []
    for moment, sites in sites_at.items():
        ground = Ground(
            sites=sites,
            standing=standing_sites(sites, study.standard.services),
            demand=inputs.demand,
            zones=inputs.zones,
            network=walks.network,
            at=(walks.demand, walks.sites),
            radius_m=study.standard.service_radius_m,
            access_share=walks.access_share,
            walking_speed_m_s=study.standard.walking_speed_m_s,
            scopes_differ=len(study.scopes) > 1,
        )
        parts.append(judge_moment(ground, moment).assign(moment=moment))
    return pd.concat(parts, ignore_index=True)


def hosts_open(result: Result) -> pd.DataFrame:
    """Return how much of each shift of the season planned for today's hosts are open (columns of `planner.coverage.host_hours`)."""
    standing = standing_sites(result.sites_today, ()).place
    shifts = [(group, shift.name, shift.hours) for group in result.study.groups for shift in result.study.shifts(group)]
    return host_hours(result.sites_today.iloc[standing], shifts)


def _seasons(
    study: Study, inputs: Inputs, walks: Walks, actions: pd.DataFrame, moments: dict[int, Coverage]
) -> pd.DataFrame:
    """Return each group's effective coverage in each season, by its shifts and its opening hours, today and at the end of the plan."""
    rows = []
    for season in study.seasons:
        profiles = {group: week_profile(settings.in_season(season)) for group, settings in study.groups.items()}
        other = inputs.hours_said and season != study.season_planned
        states = _in_season(study, inputs, walks, actions, moments, season, profiles) if other else moments
        for moment, state in states.items():
            for group, share in effective_by_group(inputs.demand, state, profiles).items():
                rows.append({"season": season, "group": group, "moment": moment, "effective_share": share})
    return pd.DataFrame(rows, columns=["season", "group", "moment", "effective_share"])


def _hours_in(table: pd.DataFrame, said: Mapping[str, str], season: str) -> list[str]:
    """Return the opening hours of sites or options in a season: what their rows say for it, else what holds all year."""
    by_row = zip(table["source"], table["opening_hours"], strict=True)
    return [in_season(said[source], season) if source in said else text for source, text in by_row]


def _in_season(
    study: Study,
    inputs: Inputs,
    walks: Walks,
    actions: pd.DataFrame,
    moments: dict[int, Coverage],
    season: str,
    profiles: dict[str, Floats],
) -> dict[int, Coverage]:
    """Return what the same sites and the same plan give with the opening hours of another season."""
    sites, options = (
        table.assign(opening_hours=_hours_in(table, inputs.hours_said, season))
        for table in (inputs.sites, inputs.options)
    )
    hours = possible_actions(sites, options).set_index("id")["opening_hours"]
    then = actions.assign(opening_hours=actions["id"].map(hours))
    group, profile = group_profiles(inputs.demand, profiles)
    states = {}
    for moment, state in moments.items():
        standing = standing_sites(sites_after(sites, then[then["year"] <= moment]), study.standard.services)
        near, straight_m = (state.nearest, state.nearest_m), np.zeros(len(group))
        measured_then = measure(walks.reach, near, straight_m, standing, group, profile)
        states[moment] = replace(state, week=measured_then.week, weeks=measured_then.weeks)
    return states


def _evaluation(
    study: Study, inputs: Inputs, walks: Walks, profiles: dict[str, Floats], today: Coverage
) -> pd.DataFrame:
    """Return the score card of the sites that stand today."""
    standing, weight = (
        standing_sites(inputs.sites, study.standard.services),
        inputs.demand["weight"].to_numpy(dtype=float),
    )
    near = np.bincount(walks.reach.site, weights=weight[walks.reach.demand], minlength=walks.reach.n_sites)
    losses = closing_losses(walks.reach, standing, weight, *group_profiles(inputs.demand, profiles))
    sites = inputs.sites.iloc[standing.place]
    return score_card(sites, inputs.survey, near[standing.place].astype(float), losses, today.load)


def straight_walk_m(sites: gpd.GeoSeries, demand: gpd.GeoSeries) -> Floats:
    """Return the straight line from each unit to the nearest of some sites; infinite where there are none."""
    here = shapely.get_coordinates(demand.to_numpy())
    if not len(sites):
        return np.full(len(here), np.inf)
    distance_m: Floats = KDTree(shapely.get_coordinates(sites.to_numpy())).query(here)[0]
    return distance_m


def group_profiles(demand: pd.DataFrame, profiles: dict[str, Floats]) -> tuple[NDArray[np.int64], Floats]:
    """Return each unit's row of the profiles, and the profiles, shape (n_groups, 336)."""
    code = {group: row for row, group in enumerate(profiles)}
    return np.array([code[group] for group in demand["group"]], dtype=np.int64), np.stack(list(profiles.values()))


def check_rules(study: Study, inputs: Inputs) -> None:
    """Refuse rules that speak of what isn't there.

    Raises:
        InputError: a required or forbidden place, or a norm, that does not exist; nobody who counts; workers divided by sites of
            another scope.
    """
    ids = set(inputs.sites["id"])
    for place in (*study.plan.required, *study.plan.forbidden) if study.plan else ():
        if place not in ids:
            raise InputError("place_unknown", file=study.settings_file, place=place)
    if study.plan:
        _check_names(study, study.plan, inputs)
        _check_weights(study, study.plan, inputs)
    _check_programme(study, inputs)
    for norm in study.standard.judge:
        if norm not in norms():
            raise InputError("norm_unknown", file=study.settings_file, norm=norm, norms=", ".join(norms()))
    for number, rule in enumerate(study.tiers, 1):
        if rule.per_workers and len(study.scopes) > 1:
            one, other = study.scopes[:2]
            raise InputError("scopes_divided", file=study.settings_file, number=number, one=one, other=other)


def _check_names(study: Study, plan: PlanSettings, inputs: Inputs) -> None:
    """Refuse limits and floors that name what isn't there, or hours that cannot be read."""
    sites, zones = inputs.sites, inputs.zones
    known = {"site": set(sites["id"]), "zone": set(zones["id"]), "kind": set(sites["kind"]), "host": set(sites["host"])}
    asked = [
        (f"limits[{n + 1}].{key}", key, word)
        for n, limit in enumerate(plan.limits)
        for key in known
        for word in getattr(limit, key)
    ]
    asked += [
        (f"floors[{n + 1}].zone", "zone", floor.zone)
        for n, floor in enumerate(plan.floors)
        if floor.zone not in ("", "*")
    ]
    for setting, key, word in asked:
        if word not in known[key]:
            raise InputError("rule_names_unknown", file=study.settings_file, setting=f"plan.{setting}", word=word)
    for limit in plan.limits:
        week_mask(limit.hours)


def _check_weights(study: Study, plan: PlanSettings, inputs: Inputs) -> None:
    """Refuse weights by which nobody counts: then every plan is as good as none."""
    people = inputs.demand.groupby("group")["weight"].sum()
    idle = [group for group in people.index[people > 0] if plan.group_weights.get(str(group), 1.0) == 0]
    if idle and len(idle) == (people > 0).sum():
        raise InputError("weights_are_nothing", file=study.settings_file, groups=", ".join(map(str, idle)))


def _check_programme(study: Study, inputs: Inputs) -> None:
    """Refuse rules of the programme that name a zone, a kind or a host that isn't there."""
    sites, zones = inputs.sites, inputs.zones
    hosts = "\n".join(sites["host"])
    for n, rule in enumerate(study.programme.rules, 1):
        strangers = {
            "zone": [word for word in rule.zone if word not in {*zones["id"], *zones["name"]}],
            "kind": [word for word in rule.kind if word not in set(sites["kind"])],
            "host": [word for word in rule.host if word not in hosts],
        }
        for key, words in strangers.items():
            if words:
                setting = f"programme.rules[{n}].{key}"
                raise InputError("rule_names_unknown", file=study.settings_file, setting=setting, word=words[0])


def _cost_by_year(settings: PlanSettings, actions: pd.DataFrame, record: Record | None) -> dict[int, float]:
    """Return what each year costs, with what was spent on sites that closed again."""
    costs = costs_by_year(actions, settings.years, price_levels(settings))
    sunk = dict(zip(settings.years, record.sunk.tolist(), strict=True)) if record else {}
    return {year: cost + sunk.get(year, 0.0) for year, cost in costs.items()}


def _trade_off(study: Study, made: Made | None, progress: Progress) -> tuple[pd.DataFrame, tuple[LeftOut, ...]]:
    """Return what more and less money buys, where the study asks."""
    wanted = study.plan is not None and study.plan.tradeoff and made is not None and made.plan.found
    if not wanted:
        return pd.DataFrame(columns=list(TRADEOFF_COLUMNS)), ()
    assert made is not None and study.plan is not None
    progress("trade_off")
    return trade_off(made, study.plan)


def _gap_gains(
    study: Study,
    inputs: Inputs,
    walks: Walks,
    profiles: dict[str, Floats],
    today: Coverage,
    gaps: pd.DataFrame,
    gap_of: list[NDArray[np.object_]],
    actions: pd.DataFrame,
) -> csr_array:
    """Return what each action alone would give each gap, (n_gaps × n_actions)."""
    number = {gap: row for row, gap in enumerate(gaps["id"])}
    lacking, seatless = (np.array([number.get(gap, -1) for gap in of], dtype=np.int64) for of in gap_of)
    group, profile = group_profiles(inputs.demand, profiles)
    weight = inputs.demand["weight"].to_numpy(dtype=float)
    offered = offers(actions, actions["place"].to_numpy(dtype=np.int64), study.standard.services)
    gain = gains_by_gap(lacking, weight, group, profile, today, walks.reach, offered, n_gaps=len(gaps))
    if study.capacity is not None:
        at = inputs.sites.iloc[offered.place]
        gain = gain + seat_gains_by_gap(
            seatless,
            weight * seat_reasons(today)[1],
            weight,
            group,
            profile,
            walks.reach,
            offered,
            _added_seats(inputs.sites, actions, offered, study.standard.services),
            accepts=acceptance(study.capacity, list(profiles), at),
            seat_share=study.capacity.seat_share,
            n_gaps=len(gaps),
        )
    return gain


def _added_seats(sites: gpd.GeoDataFrame, actions: pd.DataFrame, offered: Offers, required: tuple[str, ...]) -> Floats:
    """Return the seats that each action adds in each half-hour to what its place offers today, shape (n_actions, 336)."""
    here, standing = offers(sites, np.arange(len(sites)), required), np.zeros(len(sites), dtype=bool)
    standing[standing_sites(sites, required).place] = True
    today = np.nan_to_num(sites["capacity"].to_numpy(dtype=float)) * (here.serves & standing)
    after = np.nan_to_num(actions["capacity"].to_numpy(dtype=float)) * offered.serves
    more = after[:, None] * offered.mask - (today[:, None] * here.mask)[offered.place]
    return np.asarray(np.maximum(more, 0.0))


def open_actions(study: Study, inputs: Inputs) -> tuple[pd.DataFrame, Record | None]:
    """Return every action that may be taken, at what it costs or did cost, and what has become of an earlier programme.

    Raises:
        InputError: a row of the progress table means no action, may mean several, or is done at a forbidden place.
    """
    settings = study.plan
    closed, forbidden = barred(inputs.progress), set(settings.forbidden if settings else ())
    possible = possible_actions(inputs.sites, inputs.options, forbidden=closed | forbidden)
    # What was planned before it was forbidden is known still.
    every = possible_actions(inputs.sites, inputs.options, forbidden=closed) if len(inputs.progress) else possible
    record = record_of(inputs.progress, possible, settings, every=every) if settings else None
    return (possible if record is None else possible.assign(capital_cost=record.capital_cost)), record


def make_plan(
    study: Study,
    settings: PlanSettings | None,
    inputs: Inputs,
    walks: Walks,
    profiles: dict[str, Floats],
    actions: pd.DataFrame,
    record: Record | None = None,
    *,
    listener: Listener | None = None,
) -> tuple[Made | None, pd.DataFrame]:
    """Make the best plan by the study's aim, rules and budgets.

    Args:
        study: the settings.
        settings: its plan; None makes none.
        inputs: the checked tables.
        walks: who can walk where.
        profiles: each group's work profile.
        actions: all that may be done.
        record: what has become of an earlier programme.
        listener: told objective and bound while it is solved.

    Returns:
        The plan and what it was made for, or None where none is asked for; and its actions in the order of the programme.
    """
    if settings is None:
        return None, chosen_actions(None, None, pd.DataFrame(columns=list(ACTION_COLUMNS)), ())
    made = make(
        terrain_of(study, inputs.sites, inputs.zones, inputs.demand, walks, profiles, actions, record),
        settings,
        progress=listener,
    )
    chosen = chosen_actions(made.plan, made.problem, actions, settings.years, worth=effective_gain(made))
    return made, chosen.assign(name=inputs.sites["name"].to_numpy()[chosen["place"].to_numpy(dtype=np.int64)])


def _why(
    study: Study,
    inputs: Inputs,
    walks: Walks,
    profiles: dict[str, Floats],
    possible: pd.DataFrame,
    record: Record | None,
    made: Made | None,
    actions: pd.DataFrame,
    sites: gpd.GeoDataFrame,
    lacking: tuple[csr_array, pd.DataFrame],
) -> Why | None:
    """Tell why each action is in the plan."""
    if made is None or study.plan is None or not made.plan.found:
        return None
    terrain = terrain_of(study, inputs.sites, inputs.zones, inputs.demand, walks, profiles, possible, record)
    return explain(terrain, study.plan, made, actions, standing_sites(sites, study.standard.services), *lacking)


def terrain_of(
    study: Study,
    sites: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    demand: gpd.GeoDataFrame,
    walks: Walks,
    profiles: dict[str, Floats],
    actions: pd.DataFrame,
    record: Record | None = None,
) -> Terrain:
    """Return what plans are made on."""

    def walked(cutoff_m: float) -> Reach:
        return reach(walks.network, walks.demand, walks.sites, cutoff_m=cutoff_m, access_share=walks.access_share)

    def between(cutoff_m: float) -> Reach:
        return reach(walks.network, walks.sites, walks.sites, cutoff_m=cutoff_m, access_share=walks.access_share)

    return Terrain(study, sites, zones, demand, actions, profiles, walks.reach, walked, between, record)


def _people_near(study: Study, inputs: Inputs, walks: Walks) -> pd.DataFrame:
    """Return the people of each group within the service radius of each place."""
    groups = list(study.groups)
    return people_within(
        walks.reach.demand.astype(np.int64),
        walks.reach.site.astype(np.int64),
        inputs.demand["weight"].to_numpy(dtype=float),
        inputs.demand["group"].map(groups.index).to_numpy(dtype=np.int64),
        [study.groups[g].name for g in groups],
        len(inputs.sites),
    )


def saved_meanwhile(result: Result, study: Study, digest: str) -> Result:
    """Return a result as that of a study which says the same in its file as the result's did in memory.

    Args:
        result: of settings that were not saved.
        study: the same settings, read from the file that they were saved to; no other file has changed.
        digest: sha256 of this file.
    """
    inputs = result.inputs | {study.settings_file: digest}
    return replace(result, study=study, inputs=inputs, run_id=run_id(study, inputs))


def run_id(study: Study, hashes: dict[str, str]) -> str:
    """Return a hash of the inputs, the settings in force and the version: twelve hexadecimal digits."""
    settings = study.model_dump(mode="json", exclude={"folder"})
    content = json.dumps([__version__, hashes, settings], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _annotated(inputs: Inputs, moments: dict[int, Coverage], gap_of: list[NDArray[np.object_]]) -> gpd.GeoDataFrame:
    """Return the demand with its existing coverage, its gap and the moment from which it is covered."""
    # Where no site is near the last of these is meant, also where there is no site at all.
    today, ids = moments[0], np.array([*inputs.sites["id"], None], dtype=object)
    covered_from = np.full(len(inputs.demand), -1)
    for year in sorted(moments, reverse=True):
        covered_from[moments[year].covered] = year
    return inputs.demand.assign(
        nearest_site=ids[today.nearest],
        nearest_m=today.nearest_m,
        sites_within=today.sites_within,
        covered=today.covered,
        effective_share=today.effective_share,
        gap=gap_of[0],
        gap_seats=gap_of[1],
        covered_from=covered_from,
    )
