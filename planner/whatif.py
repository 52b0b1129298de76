"""What if? Edits to the places of a result -> who gains and who loses, at once.

Takes a `Result` and a list of edits; gives an `Outcome` whose figures are those of a run on the edited tables. Only units near an edited
place are measured again. Draws nothing and saves nothing: that is `scenarios`'.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from scipy.spatial import KDTree

from planner.actions import possible_actions
from planner.coverage import Coverage, Floats, Ints, Offers, figures, indicators, measure, offers, standing_sites
from planner.errors import InputError
from planner.hours import in_osm_syntax
from planner.intake.layers import zone_of
from planner.network import Positions, locate, take
from planner.pipeline import Result, group_profiles
from planner.reach import Reach, nearest, reach
from planner.remedies import CLOSED, gains_by_gap
from planner.study import Amount, Mode, Tier

Degrees = Annotated[float, Field(allow_inf_nan=False)]
# What an edit may say of a place, beside where it is.
SAID = ("name", "kind", "tier", "mode", "opening_hours", "services", "capacity")
# People × share of working time below which nothing has changed.
NOTHING = 1e-9


class Edit(BaseModel):
    """One change to one place.

    Attributes:
        do: ``add`` a new place, ``move`` one, ``close`` one, or ``change`` what one offers; a candidate that is changed opens.
        site: id of the place.
        lon, lat: WGS-84 degrees; where it is added or moved to.
        name, kind, tier, mode, opening_hours, services, capacity: as in the table of sites; None leaves it as it is.
        capital_cost, operating_cost: what it costs to do, and to run for a year, in the study's cost unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal["add", "move", "close", "change"]
    site: Annotated[str, Field(min_length=1, max_length=200)]
    lon: Annotated[Degrees, Field(ge=-180, le=180)] | None = None
    lat: Annotated[Degrees, Field(ge=-90, le=90)] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    kind: Annotated[str, Field(max_length=100)] | None = None
    tier: Tier | None = None
    mode: Mode | None = None
    opening_hours: Annotated[str, Field(max_length=500)] | None = None
    services: Annotated[str, Field(max_length=500)] | None = None
    capacity: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] | None = None
    capital_cost: Amount = 0.0
    operating_cost: Amount = 0.0

    @field_validator("opening_hours")
    @classmethod
    def _understood(cls, text: str | None) -> str | None:
        return in_osm_syntax(text) if text and text.strip() else text

    @model_validator(mode="after")
    def _somewhere(self) -> "Edit":
        if self.do in ("add", "move") and (self.lon is None or self.lat is None):
            raise ValueError("a place is added or moved to somewhere")
        return self


@dataclass(frozen=True)
class History:
    """The edits done so far, and those undone that may be done again."""

    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()

    def do(self, edit: Edit) -> "History":
        """Do one more; what was undone is then gone."""
        return History((*self.done, edit))

    def undo(self) -> "History":
        """Take the last one back."""
        return History(self.done[:-1], (*self.undone, self.done[-1])) if self.done else self

    def redo(self) -> "History":
        """Do again what was undone last."""
        return History((*self.done, self.undone[-1]), self.undone[:-1]) if self.undone else self


def edited(sites: gpd.GeoDataFrame, edits: Sequence[Edit]) -> gpd.GeoDataFrame:
    """Return the places once the edits are done, in their order: new ones after all others, closed ones with status ``closed``.

    Raises:
        InputError: an edit speaks of a place that is not there, or adds one whose id is taken.
    """
    if not edits:
        return sites
    columns: dict[str, list[Any]] = {str(c): list(sites[c]) for c in sites.columns if c != "geometry"}
    where, row_of = list(sites.geometry.array), {site: row for row, site in enumerate(sites["id"])}
    lonlat = gpd.GeoSeries.from_xy([e.lon or 0.0 for e in edits], [e.lat or 0.0 for e in edits], crs="EPSG:4326")
    for number, (edit, point) in enumerate(zip(edits, lonlat.to_crs(sites.crs), strict=True), 1):
        said = {key: value for key in SAID if (value := getattr(edit, key)) is not None}
        if edit.do == "add":
            if edit.site in row_of:
                raise InputError("whatif_taken", site=edit.site)
            row_of[edit.site] = len(where)
            new = _blank(sites) | {"id": edit.site, "status": "existing", "source": f"what-if#{number}"} | said
            for column, values in columns.items():
                values.append(new[column])
            where.append(point)
            continue
        if edit.site not in row_of:
            raise InputError("whatif_no_site", site=edit.site)
        row = row_of[edit.site]
        if edit.do == "move":
            where[row] = point
        elif edit.do == "close":
            columns["status"][row] = "closed"
        else:
            for column, value in said.items():
                columns[column][row] = value
            if columns["status"][row] in ("candidate", "closed"):
                columns["status"][row] = "existing"
    return gpd.GeoDataFrame(columns, geometry=where, crs=sites.crs)


def _blank(sites: gpd.GeoDataFrame) -> dict[str, Any]:
    """Return a place about which nothing is said."""
    return {
        column: np.nan if pd.api.types.is_numeric_dtype(kind) else ""
        for column, kind in sites.dtypes.items()
        if column != "geometry"
    } | {"tier": "township"}


def new_id(taken: Collection[str]) -> str:
    """Return an id for a new place: W1, W2, …"""
    number = 1
    while f"W{number}" in taken:
        number += 1
    return f"W{number}"


@dataclass(frozen=True)
class Ground:
    """What a what-if starts from: a moment of a result, and what is worked out once for all edits.

    Attributes:
        result: where everything comes from.
        moment: 0 for today, or a year of the plan: its end.
        sites: the places as they stand then, in the order of ``result.sites``.
        coverage: as they cover then.
        group, profile: row of ``profile`` of each unit; the work profiles, shape (n_groups, 336).
        weight, hours: people of each unit, and their working half-hours.
        rows: the units of everyone (""), of each group and each zone: ``("zone", id)`` -> row numbers, ascending.
        codes: of the columns ``group`` and ``zone``: their ids in order, and each unit's number among them.
        xy: (n_units, 2) metres.
    """

    result: Result
    moment: int
    sites: gpd.GeoDataFrame = field(repr=False)
    coverage: Coverage = field(repr=False)
    group: Ints = field(repr=False)
    profile: Floats = field(repr=False)
    weight: Floats = field(repr=False)
    hours: Floats = field(repr=False)
    rows: dict[tuple[str, str], Ints] = field(repr=False)
    codes: dict[str, tuple[list[str], Ints]] = field(repr=False)
    xy: Floats = field(repr=False)

    @cached_property
    def tree(self) -> KDTree:
        """The units as points, to find those near a place."""
        return KDTree(self.xy)

    @cached_property
    def figures(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The figures of everyone, each group and each zone, without those for which people must be put in order."""
        return {key: self.of(self.coverage, rows) for key, rows in self.rows.items()}

    def of(self, coverage: Coverage, rows: Ints) -> dict[str, Any]:
        """Return the figures of some units."""
        backup = self.result.study.standard.backup
        return figures(self.weight, self.hours, coverage, rows, backup=backup, ranked=False)


def ground(result: Result, moment: int = 0) -> Ground:
    """Prepare what-ifs on a moment of a result: 0 for today, or a year of the plan."""
    demand = result.demand
    group, profile = group_profiles(demand, result.profiles)
    rows, codes = {("", ""): np.arange(len(demand))}, {}
    for column, ids in (("group", sorted(result.profiles)), ("zone", sorted(demand["zone"].unique()))):
        code = pd.Categorical(demand[column], categories=ids).codes.astype(np.int64)
        codes[column] = (ids, code)
        order = np.argsort(code, kind="stable")
        first = np.searchsorted(code[order], np.arange(len(ids) + 1))
        rows |= {(column, name): order[first[k] : first[k + 1]] for k, name in enumerate(ids)}
    return Ground(
        result=result,
        moment=moment,
        sites=result.sites_at(moment),
        # Seats are shared out anew for everybody by each change, which takes longer than a blink: `planner run` does it.
        coverage=replace(result.coverage[moment], served_share=None),
        group=group,
        profile=profile,
        weight=demand["weight"].to_numpy(dtype=float),
        hours=profile.sum(axis=1)[group],
        rows=rows,
        codes=codes,
        xy=shapely.get_coordinates(demand.geometry.to_numpy()),
    )


@dataclass(frozen=True)
class Outcome:
    """What edits lead to.

    Attributes:
        ground: what they start from.
        edits: the edits.
        sites: the places once they are done.
        coverage: what these cover; the arrays are those of a run on the edited tables, but for ``week``, whose numbers may differ.
        touched: units whose coverage was measured again.
        figures: as in `Ground.figures`.
    """

    ground: Ground
    edits: tuple[Edit, ...]
    sites: gpd.GeoDataFrame = field(repr=False)
    coverage: Coverage = field(repr=False)
    touched: Ints = field(repr=False)
    figures: dict[tuple[str, str], dict[str, Any]] = field(repr=False)

    @cached_property
    def indicators(self) -> dict[str, Any]:
        """All indicators, as `planner run` gives them for these places (``served_share`` apart)."""
        result = self.ground.result
        return indicators(result.demand, self.coverage, result.profiles, backup=result.study.standard.backup)

    @cached_property
    def change(self) -> Floats:
        """Each unit's people × the share of their working time that they gain (lose, where negative)."""
        before, after = self.ground.coverage.effective_share, self.coverage.effective_share
        change: Floats = self.ground.weight * (after - before)
        change[np.abs(change) < NOTHING] = 0.0
        return change

    @property
    def capital_cost(self) -> float:
        """What the edits cost to do."""
        return sum(edit.capital_cost for edit in self.edits)

    @property
    def operating_cost(self) -> float:
        """What they cost to run for a year."""
        return sum(edit.operating_cost for edit in self.edits)

    def changed_units(self, *, gained: bool) -> Ints:
        """Return the units that gain, or lose: in working time, or, where that stays equal, in having a site within the radius."""
        before, after = self.ground.coverage, self.coverage
        walk = after.covered.astype(int) - before.covered.astype(int)
        sign = np.where(self.change != 0, np.sign(self.change), walk)
        return np.flatnonzero(sign > 0 if gained else sign < 0)

    def by(self, *columns: str) -> pd.DataFrame:
        """Return who gains and loses by zone, by group, or by both.

        Returns:
            ``columns``, then ``gained`` and ``lost`` (people × share of working time), ``reached`` and ``unreached`` (people who get or
            lose a site within the radius) and ``net`` = gained − lost; those without any change left out, most change first.
        """
        ground, before, after = self.ground, self.ground.coverage, self.coverage
        some = np.flatnonzero((self.change != 0) | (before.covered != after.covered))
        weight, change = ground.weight[some], self.change[some]
        number = np.zeros(len(some), dtype=np.int64)
        for column in columns:
            ids, code = ground.codes[column]
            number = number * len(ids) + code[some]
        different, which = np.unique(number, return_inverse=True)
        sums = {
            "gained": np.maximum(change, 0),
            "lost": np.maximum(-change, 0),
            "reached": weight * (after.covered & ~before.covered)[some],
            "unreached": weight * (before.covered & ~after.covered)[some],
            "net": change,
        }
        table: dict[str, Any] = {}
        for column in reversed(columns):
            ids, _ = ground.codes[column]
            table[column] = np.asarray(ids, dtype=object)[different % len(ids)]
            different = different // len(ids)
        table = {column: table[column] for column in columns}
        table |= {name: np.bincount(which, values, len(which) and which.max() + 1) for name, values in sums.items()}
        frame = pd.DataFrame(table)
        return frame.sort_values("net", key=np.abs, ascending=False, kind="stable", ignore_index=True)


def evaluate(ground: Ground, edits: Sequence[Edit]) -> Outcome:
    """Work out what edits lead to, for the price of what they touch.

    Raises:
        InputError: an edit speaks of a place that is not there, or adds one whose id is taken.
    """
    study, walks, before = ground.result.study, ground.result.walks, ground.sites
    sites = edited(before, edits)
    if not edits:
        return Outcome(ground, (), sites, ground.coverage, np.zeros(0, dtype=np.int64), ground.figures)
    changed = _changed(before, sites)
    moved, positions, pairs = _walks(ground, sites)
    standing = standing_sites(sites, study.standard.services)
    near, near_m = _nearest(ground, sites, standing, positions)
    touched = _touched(ground, sites, changed, pairs)
    units = np.flatnonzero(touched)
    mine = _reach_of(touched, units, walks.reach, moved, pairs, len(sites))
    here = shapely.get_coordinates(sites.geometry.to_numpy()[standing.place])
    straight_m = KDTree(here).query(ground.xy[units])[0] if len(here) else np.full(len(units), np.inf)
    part = measure(mine, (near[units], near_m[units]), straight_m, standing, ground.group[units], ground.profile)
    old = ground.coverage
    shares: dict[str, Any] = {
        name: _put(getattr(old, name), units, getattr(part, name))
        for name in ("sites_within", "covered", "circled", "effective_share", "open_share", "equipped_share")
    }
    coverage = replace(
        old,
        nearest=near,
        nearest_m=near_m,
        week=_put(old.week, units, len(old.weeks) + part.week),
        weeks=np.vstack([old.weeks, part.weeks]),
        **shares,
    )
    walk_same = (near_m == old.nearest_m) | (np.isnan(near_m) & np.isnan(old.nearest_m))
    return Outcome(ground, tuple(edits), sites, coverage, units, _figures(ground, coverage, touched | ~walk_same))


def _changed(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame) -> Ints:
    """Return the rows of ``after`` that are new, elsewhere, or offer something else."""
    n = len(before)
    same = (
        shapely.get_coordinates(before.geometry.to_numpy()) == shapely.get_coordinates(after.geometry.to_numpy()[:n])
    ).all(axis=1)
    for column in ("status", "opening_hours", "services"):
        same &= (before[column].to_numpy() == after[column].to_numpy()[:n]).astype(bool)
    return np.concatenate([np.flatnonzero(~same), np.arange(n, len(after))])


def _walks(ground: Ground, sites: gpd.GeoDataFrame) -> tuple[Ints, Positions, Reach]:
    """Return the places that are elsewhere or new, where all places lie on the streets, and who can walk to those elsewhere.

    In the reach, the places have the numbers of their rows in ``sites``.
    """
    walks, n = ground.result.walks, len(ground.sites)
    was = shapely.get_coordinates(ground.sites.geometry.to_numpy())
    now = shapely.get_coordinates(sites.geometry.to_numpy())
    moved = np.concatenate([np.flatnonzero((was != now[:n]).any(axis=1)), np.arange(n, len(sites))])
    found = locate(walks.network, sites.geometry.iloc[moved])
    cutoff_m = walks.reach.cutoff_m
    pairs = reach(walks.network, walks.demand, found, cutoff_m=cutoff_m, access_share=walks.access_share)
    pairs = replace(pairs, n_sites=len(sites), site=moved.astype(np.int32)[pairs.site])
    return moved, _at(walks.sites, found, moved, len(sites)), pairs


def _at(old: Positions, new: Positions, rows: Ints, n: int) -> Positions:
    """Return ``old`` with the positions of some rows taken from ``new``."""
    arrays = {}
    for name, values in vars(old).items():
        whole = np.empty((n, *values.shape[1:]), dtype=values.dtype)
        whole[: len(values)] = values
        whole[rows] = getattr(new, name)
        arrays[name] = whole
    return type(old)(**arrays)


def _touched(ground: Ground, sites: gpd.GeoDataFrame, changed: Ints, pairs: Reach) -> NDArray[np.bool_]:
    """Tell of each unit whether it had or has one of the changed places within the radius, along streets or as the crow flies."""
    n, was = len(ground.sites), ground.result.walks.reach
    touched = np.zeros(len(ground.weight), dtype=bool)
    is_changed = np.zeros(was.n_sites, dtype=bool)
    is_changed[changed[changed < n]] = True
    touched[was.demand[is_changed[was.site]]] = True
    touched[pairs.demand] = True
    old = shapely.get_coordinates(ground.sites.geometry.to_numpy()[changed[changed < n]])
    new = shapely.get_coordinates(sites.geometry.to_numpy()[changed])
    for near in ground.tree.query_ball_point(np.vstack([old, new]), was.cutoff_m * (1 + 1e-9) + 0.01):
        touched[near] = True
    return touched


def _reach_of(touched: NDArray[np.bool_], units: Ints, was: Reach, moved: Ints, pairs: Reach, n_sites: int) -> Reach:
    """Return the reach of the touched units alone: their old pairs with the places that have not moved, and the new ones."""
    stays = np.ones(was.n_sites, dtype=bool)
    stays[moved[moved < was.n_sites]] = False
    kept = touched[was.demand] & stays[was.site]
    demand = np.concatenate([was.demand[kept], pairs.demand])
    site, distance_mm = (
        np.concatenate([was.site[kept], pairs.site]),
        np.concatenate([was.distance_mm[kept], pairs.distance_mm]),
    )
    order = np.lexsort([site, distance_mm, demand])
    number = np.zeros(len(touched), dtype=np.int32)
    number[units] = np.arange(len(units), dtype=np.int32)
    return replace(
        was,
        n_demand=len(units),
        n_sites=n_sites,
        demand=number[demand[order]],
        site=site[order],
        distance_mm=distance_mm[order],
    )


def _nearest(ground: Ground, sites: gpd.GeoDataFrame, standing: Offers, positions: Positions) -> tuple[Ints, Floats]:
    """Return each unit's nearest standing place and its metres, as `planner.pipeline.cover` finds them."""
    walks = ground.result.walks
    by_id = standing.place[np.argsort(sites["id"].to_numpy()[standing.place].astype(str), kind="stable")]
    near, near_m = nearest(walks.network, walks.demand, take(positions, by_id), access_share=walks.access_share)
    return np.where(near >= 0, by_id[near], -1) if len(by_id) else near, near_m


def _put(old: NDArray[Any], rows: Ints, values: NDArray[Any]) -> NDArray[Any]:
    new = old.copy()
    new[rows] = values
    return new


def _figures(ground: Ground, coverage: Coverage, units: NDArray[np.bool_]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the figures after a change of some units: of everyone and the groups, and of the zones in which they lie."""
    ids, code = ground.codes["zone"]
    zones = {ids[k] for k in np.flatnonzero(np.bincount(code[units], minlength=len(ids)))}
    return {
        key: ground.of(coverage, rows) if key[0] != "zone" or key[1] in zones else ground.figures[key]
        for key, rows in ground.rows.items()
    }


def remedies_of(ground: Ground, gap: str, *, most: int = 3) -> pd.DataFrame:
    """Return what could be done about a gap of today: what helps most for its money first.

    Args:
        ground: today.
        gap: its id.
        most: number of remedies, one a place.

    Returns:
        Rows of `planner.actions.possible_actions` with ``gain`` (people × share of working time that the gap gets) and ``part`` (the
        share of the gap that it takes away). First those that close the gap, by cost, as `planner.remedies.remedies` ranks them.
    """
    result = ground.result
    plan = result.study.plan
    actions = possible_actions(result.sites_today, result.options, forbidden=plan.forbidden if plan else ())
    member = np.where((result.demand["gap"] == gap).to_numpy(), 0, -1)
    place = actions["place"].to_numpy(dtype=np.int64)
    gains = gains_by_gap(
        member, ground.weight, ground.group, ground.profile, result.coverage[0], result.walks.reach,
        offers(actions, place, result.study.standard.services), n_gaps=1,
    )  # fmt: skip
    gain = gains.toarray()[0]
    weight = float(result.gaps.loc[result.gaps["id"] == gap, "weight"].iat[0])
    cost = (actions["capital_cost"] + actions["operating_cost"]).to_numpy(dtype=float)
    table = actions.assign(gain=gain, part=gain / weight, first_year=cost, closes=gain >= CLOSED * weight)
    table = table[table["gain"] > NOTHING]
    closing = table[table["closes"]].sort_values(["first_year", "gain", "id"], ascending=[True, False, True])
    others = table[~table["closes"]].sort_values(["gain", "first_year", "id"], ascending=[False, True, True])
    return pd.concat([closing, others]).drop_duplicates("site").head(most).reset_index(drop=True)


def edit_of(action: "pd.Series[Any]") -> Edit:
    """Return the edit that does what an action of `planner.actions.possible_actions` does."""
    capital, operating = float(action["capital_cost"]), float(action["operating_cost"])
    if action["action"] == "close":
        return Edit(do="close", site=action["site"], capital_cost=capital, operating_cost=operating)
    capacity = float(action["capacity"])
    return Edit(
        do="change",
        site=action["site"],
        tier=action["tier"] or None,
        mode=action["mode"] if action["action"] == "build" else None,
        opening_hours=action["opening_hours"],
        services=action["services"],
        capacity=None if np.isnan(capacity) else capacity,
        capital_cost=capital,
        operating_cost=operating,
    )


def zoned(sites: gpd.GeoDataFrame, zones: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the places with the zone in which each now lies."""
    return sites.assign(zone=zone_of(sites.geometry, zones))
