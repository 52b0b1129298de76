"""study.toml -> frozen settings. Every field has its unit, its default and the default's source.

Takes a folder with study.toml, or that file; gives a `Study`. Reads no other file: the tables are `intake`'s.
"""

import difflib
import re
import string
import tomllib
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from planner.errors import InputError
from planner.words import Lang, meanings, say

Mode = Literal["self_build", "joint_build", "co_host", "shared", "consolidate"]
Tier = Literal["city", "county", "township", "cluster", "enterprise"]
Role = Literal["rest_station", "service_centre", "venue"]
Action = Literal["build", "extend_hours", "upgrade", "close"]
State = Literal["planned", "begun", "open", "closed"]
Objective = Literal["effective", "share", "backup", "served", "mean_walk", "worst_walk", "fairest", "least_cost"]
# Of a layer nothing is found out: its shapes are no places that lie beside streets.
LayerDatum = Literal["WGS-84", "GCJ-02", "BD-09", "CGCS2000"]
Datum = Literal[LayerDatum, "auto"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
# More people, metres or money than this is a slip of the keyboard, and sums of them may leave the numbers.
People = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False, strict=True)]
Metres = Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False, strict=True)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False, strict=True)]
# Weights are relative to each other, so that none need be large; a sum of larger ones may leave the numbers.
Weight = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, strict=True)]
# More sites than this are nowhere.
Count = Annotated[int, Field(ge=0, le=1_000_000)]
# A visit takes seconds at least and a day at most; a week has 168 hours.
Minutes = Annotated[float, Field(ge=0.1, le=1440, allow_inf_nan=False, strict=True)]
Hours = Annotated[float, Field(ge=0.1, le=168, allow_inf_nan=False, strict=True)]

STUDY_FILE = "study.toml"
STATES: tuple[State, ...] = get_args(State)
# What a study knows and its file doesn't say.
_OURS = ("folder", "settings_file", "unsaved")


def service_words(services: tuple[str, ...]) -> tuple[str, ...]:
    """Let services be written as identifiers, in either language or by a synonym, as in the tables."""
    return tuple(meanings("service").get(service.lower(), service) for service in services)


def kind_word(kind: str) -> str:
    """Return the identifier of a kind of host that is written as in the tables; a word of the user's own as it is."""
    return meanings("kind").get(kind.lower(), kind)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Streets(_Settings):
    """The street lines that people walk on.

    Attributes:
        file: line layer (gpkg, geojson, parquet, shp) or OSM extract (.osm.pbf, .osm, .osm.bz2, .osm.gz; needs the extra ``osm``),
            relative to the study's folder. An extract is read once and then taken from the folder .planner-cache.
        class_column: column with the street's class (OSM ``highway`` values).
        name_column: column with the street's name, where there is one.
        exclude: classes nobody walks on.
        source: what the base map credits.
        crs: the layer's coordinate system, where its file names none or a wrong one.
        datum: in which datum its degrees, or what became of them, were drawn.
    """

    file: str
    layer: str | None = None
    class_column: str = "highway"
    name_column: str = "name"
    exclude: tuple[str, ...] = ("motorway", "motorway_link")
    source: str = "© OpenStreetMap contributors (ODbL)"
    crs: str | None = None
    datum: LayerDatum = "WGS-84"


class Layer(_Settings):
    """A polygon layer: zones, water or green.

    Attributes:
        name_column: what is printed on the map.
        county_column: of zones, the county 县区 that each lies in, where the layer says so.
        residents_column: of zones, who lives there, where the layer says so: norms that go by residents need it.
        crs: the layer's coordinate system, where its file names none or a wrong one.
        datum: in which datum its degrees, or what became of them, were drawn.
    """

    file: str
    layer: str | None = None
    id_column: str = "id"
    name_column: str = "name"
    county_column: str = "county"
    residents_column: str = "residents"
    crs: str | None = None
    datum: LayerDatum = "WGS-84"


class Table(_Settings):
    """A table: xlsx, xls, csv, or a layer of points.

    Attributes:
        datum: the datum of its longitudes and latitudes; ``auto`` finds it out from where the points fall, and asks if unsure.
        crs: coordinate system of its coordinates where they are metres and it isn't found out.
        columns: field -> heading, where recognising the headings must be overruled: ``columns = { lon = "东经" }``.
        header: number of the header's row in the file, where finding it must be overruled.
        sheet: of a workbook or, of a file of several layers, the layer.
    """

    file: str
    sheet: str | None = None
    datum: Datum = "WGS-84"
    crs: str | None = None
    columns: dict[str, str] = {}
    header: Annotated[int, Field(ge=1)] | None = None


class Shift(_Settings):
    """One shift: working hours in OSM opening-hours syntax and the share of the group that works it.

    Attributes:
        season: the season in which it is worked (``summer``, ``winter`` or a word of the user's own); empty: all year.
    """

    name: str
    hours: str
    share: Positive = 1.0
    season: str = ""


class Group(_Settings):
    """A group of workers. Shares of its shifts are relative to each other."""

    name: str
    unit_name: str = "人"
    shifts: tuple[Shift, ...] = Field(min_length=1)

    def in_season(self, season: str) -> tuple[Shift, ...]:
        """Return the shifts that are worked in a season: its own and those of all year."""
        return tuple(shift for shift in self.shifts if shift.season in ("", season))


class LineDemand(_Settings):
    """Workers spread over streets by swept area (length × a width by class).

    Attributes:
        group: key of `Study.groups`.
        total: workers in the whole study area.
        width_m: swept width by street class; a class that is not named is not swept.
        piece_m: longest piece that is measured as one unit (design: at most 100 m).
        scope: what area the total speaks of; printed beside every figure made from it.
    """

    kind: Literal["line"]
    group: str
    total: People
    width_m: dict[str, NonNegative] = Field(min_length=1)
    piece_m: Annotated[float, Field(gt=0, le=100)] = 100.0
    scope: str = ""


class PointDemand(Table):
    """Workers at points: a table with a weight column."""

    kind: Literal["point"]
    group: str
    scope: str = ""


class LedgerDemand(Table):
    """Workers of a road-cleaning ledger 道路保洁台账: road, from, to, and its workers or its swept area.

    Attributes:
        group: key of `Study.groups`.
        total: workers of the whole ledger, spread by swept area, where its rows hold no numbers of workers.
        piece_m: longest piece that is measured as one unit (design: at most 100 m).
        scope: what area the ledger speaks of.
    """

    kind: Literal["ledger"]
    group: str
    total: People | None = None
    piece_m: Annotated[float, Field(gt=0, le=100)] = 100.0
    scope: str = ""


class EnterpriseDemand(Table):
    """Employees at enterprises 企业 and industrial clusters 工业集聚区: a table with names, numbers and, where it matters, the tier.

    Each row is a place of its tier too: the rules of that tier (`TierRule`) are judged at it.
    """

    kind: Literal["enterprise"]
    group: str
    scope: str = ""


class ZoneDemand(Table):
    """Workers known by zone only: a table of zones and numbers, spread inside each zone (dasymetric mapping; each zone keeps its total).

    Attributes:
        group: key of `Study.groups`.
        points: what they are spread over: a table or layer of buildings or points, by its number of people where it has one, else
            alike; without it, the zone's streets.
        width_m: weight of a metre of street by class; empty: all alike.
        piece_m: longest piece of street that is measured as one unit (design: at most 100 m).
        scope: what area the totals speak of.
    """

    kind: Literal["zone"]
    group: str
    points: Table | None = None
    width_m: dict[str, NonNegative] = {}
    piece_m: Annotated[float, Field(gt=0, le=100)] = 100.0
    scope: str = ""


Demand = Annotated[LineDemand | PointDemand | LedgerDemand | EnterpriseDemand | ZoneDemand, Field(discriminator="kind")]


class TierRule(_Settings):
    """What the places of one tier of the five-tier network 五级网络 must have. No norm sets these numbers: they are the user's.

    Attributes:
        tier: the city is the whole study area, a county the zones that name it, a township a zone, a cluster or an enterprise a row
            of an ``enterprise`` demand.
        roles: what counts as a site here; empty: any.
        at_least: sites that each place of the tier must have.
        per_workers: one site for each so many workers, where that asks for more.
        within_m: the walk within which a site must lie: for ``share`` of the workers of a city, county or township, and from a
            cluster or an enterprise, whose sites are those within it (default there: the standard's service radius).
        counts: tiers whose sites count too, beside the tier's own: how a township's site counts upward.
        from_workers: places with fewer workers need nothing.
        source: what the rule rests on; printed beside it.
    """

    tier: Tier
    roles: tuple[Role, ...] = ()
    at_least: Annotated[int, Field(ge=1, le=10_000)] = 1
    per_workers: Annotated[float, Field(ge=1, le=1e9, allow_inf_nan=False, strict=True)] | None = None
    within_m: Metres | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    counts: tuple[Tier, ...] = ()
    from_workers: NonNegative = 0.0
    source: str = ""


class Standard(_Settings):
    """By which standard the study is judged.

    Attributes:
        service_radius_m: walking distance along streets. Default 1 km: 双15工程 (national union, 2023), H.
        walking_speed_m_s: only to print minutes. Default 1.2 m/s (sensitivity 1.0 and 1.39), K.
        backup: sites within the radius that make cross coverage 交叉覆盖. Default 2: 双15工程, H.
        services: what a site must offer to count as effective. Needs are eat, drink, rest, toilet (四难).
        access_share: how much of the walk between a place and its street counts; 1 is all of it.
        detour_factor: walk ÷ straight line where the study has no streets. Default 1.3, K; results are marked approximate.
        judge: ids of norms in standards.toml by which the study is judged besides. Default: the national 双15工程.
    """

    name: str = "双15工程(2023)"
    service_radius_m: Metres = 1000.0
    walking_speed_m_s: Positive = 1.2
    backup: Annotated[int, Field(ge=2)] = 2
    services: tuple[str, ...] = ("rest", "water")
    access_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    detour_factor: Annotated[float, Field(ge=1, le=5, allow_inf_nan=False)] = 1.3
    judge: tuple[str, ...] = ("shuang15",)

    @field_validator("services")
    @classmethod
    def _service_words(cls, services: tuple[str, ...]) -> tuple[str, ...]:
        return service_words(services)


class Capacity(_Settings):
    """How many people a seat serves; without this table nothing is said about full sites.

    Attributes:
        visit_minutes: length of a visit. Default 15: the queueing limit of Sphere taken as a rest, K.
        every_hours: working hours between two visits of a worker. Default 4: a rest in the middle of a shift, K.
        acceptance: by group, by kind of host: which share of the group would go there at all. What is not named counts 1. Whoever would go
            to a kind would go to all that more people accept, so a second bank suits no more people than the first.
    """

    visit_minutes: Minutes = 15.0
    every_hours: Hours = 4.0
    acceptance: dict[str, dict[str, Annotated[float, Field(ge=0, le=1)]]] = {}

    @field_validator("acceptance")
    @classmethod
    def _kind_words(cls, acceptance: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        return {g: {kind_word(kind): share for kind, share in shares.items()} for g, shares in acceptance.items()}

    @model_validator(mode="after")
    def _works_between(self) -> "Capacity":
        if self.seat_share > 1:
            raise ValueError("visits_overlap")
        return self

    @property
    def seat_share(self) -> float:
        """Share of working time that a worker spends on a seat."""
        return self.visit_minutes / 60 / self.every_hours


class Limit(_Settings):
    """How many sites, or actions, there may or must be: one rule for "at most n of a mode", either/or, one a zone, a norm's share.

    A site or action is counted if it is all that is asked for; what is not asked for does not matter.

    Attributes:
        counts: ``sites`` counts what stands at the end of a year, ``actions`` what the plan does.
        site, zone, tier, kind, host, mode, action: any of the words given.
        services: all of them are offered.
        hours: open throughout these hours (OSM opening-hours syntax): ``24/7`` is round the clock.
        per: the rule holds for each value of these columns by itself: ``["zone", "tier"]`` is each zone's each tier.
        at_most, at_least: how many. Where more than ``at_most`` stand today, there may not be still more.
        share_at_least: least share of all that stands (that the plan does, if it counts actions).
        by: from the end of which year on; default: ``at_least`` and the share by the last year.
        until: up to the end of which year ``at_most`` holds; default: always. 0 actions until 2027 is: not before 2028.
        source: what the rule rests on; printed beside it.
    """

    counts: Literal["sites", "actions"] = "sites"
    site: tuple[str, ...] = ()
    zone: tuple[str, ...] = ()
    tier: tuple[Tier, ...] = ()
    kind: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    mode: tuple[Mode, ...] = ()
    action: tuple[Action, ...] = ()
    services: tuple[str, ...] = ()
    hours: str = ""
    per: tuple[Literal["zone", "tier", "kind", "host"], ...] = ()
    at_most: Count | None = None
    at_least: Count | None = None
    share_at_least: Annotated[float, Field(ge=0, le=1)] | None = None
    by: int | None = None
    until: int | None = None
    source: str = ""

    @field_validator("services")
    @classmethod
    def _service_words(cls, services: tuple[str, ...]) -> tuple[str, ...]:
        return service_words(services)

    @field_validator("kind")
    @classmethod
    def _kind_words(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(kind_word, kinds))

    @model_validator(mode="after")
    def _asks(self) -> "Limit":
        if self.at_most is None and self.at_least is None and self.share_at_least is None:
            raise ValueError("limit_asks_nothing")
        return self


class Floor(_Settings):
    """How much coverage there must be, of everybody, of a group, of a zone, or by sites of some tiers.

    Attributes:
        share: least share, from the end of year ``by`` on (default: the last year).
        measure: ``effective``, ``share`` or ``backup``, as everywhere.
        group, zone: whose; empty: everybody's. ``zone = "*"``: each zone's, and so for groups.
        tier: counting sites of these tiers only; empty: all.
        source: what the floor rests on; printed beside it.
    """

    share: Annotated[float, Field(gt=0, le=1)]
    measure: Literal["effective", "share", "backup"] = "effective"
    group: str = ""
    zone: str = ""
    tier: tuple[Tier, ...] = ()
    by: int | None = None
    source: str = ""


class PlanSettings(_Settings):
    """What may be built, when, for how much, under which rules, and what the plan aims at.

    Attributes:
        years: ascending years of the plan.
        budget: money of each year, in `cost_unit`; also for ``least_cost`` the most that a year may cost.
        carry_over: whether unspent money stays for later years.
        price_change: by how much prices rise a year, a fraction. Costs are stated in prices of the first year, budgets in money of theirs.
        objective: what is best. ``effective`` (share of working hours with an open, equipped site in reach), ``share`` (a site in reach),
            ``backup`` (cross coverage), ``served`` (seats found of those wanted; needs ``[capacity]``), ``mean_walk`` (p-median: shortest
            mean walk), ``worst_walk`` (p-center: shortest worst walk),
            ``fairest`` (the worst-off zone first, then the next), ``least_cost`` (of the floors and limits).
        mix: weights of several measures, instead of one: ``{ effective = 0.7, backup = 0.3 }``.
        fair_over: whose worst-off ``fairest`` raises first: zones or groups.
        fair_levels: how many of the worst-off it raises before it turns to everybody. Default 3: each is a search of its own, K.
        walk_cap_m: a longer walk counts as this long, where walks are an aim. Default: three service radii, K.
        group_weights: how much a person of each group counts in the objective; default 1.
        year_weights: how much the coverage at each year's end counts; relative. Default: all years alike.
        required, forbidden: ids of places that must or must not get an action.
        limits, floors: see `Limit`, `Floor`.
        spacing_m: walk between new sites, and from new ones to existing ones, at least. Default: not asked.
        merge_within_m: a site may close only once a site within this walk is upgraded (整合 closes one and widens another). Default: the
            service radius.
        tradeoff: whether to compute what more and less money would buy.
        progress: a table of what has become of the last programme (`planner progress` writes one to fill in): what is begun or open stays,
            the rest is planned anew. A file name is enough.
        replan_from: first year in which something may still be planned. Default: the last in which something is begun or open.
        robustness: how many times the plan is made again under wobbling assumptions, to tell its robust core from the doubtful rest.
            Default: not at all, for each takes as long as the plan itself.
        max_changes: most rows of the last programme that may be moved, changed or dropped, new ones counted too. Default: as many as help.
        mip_gap: the solver stops when the proven gap is below this fraction.
        work_limit: most branch-and-bound nodes: a count of work, so that the result doesn't depend on the machine.
        time_limit_s: a limit in seconds, only if the user asks for it; named in the result.
    """

    years: tuple[Annotated[int, Field(ge=1900, le=2200)], ...] = Field(min_length=1)
    budget: tuple[Amount, ...] = Field(min_length=1)
    carry_over: bool = True
    price_change: Annotated[float, Field(ge=-0.5, le=1.0, allow_inf_nan=False)] = 0.0
    cost_unit: str = "万元"
    objective: Objective = "effective"
    mix: dict[Literal["effective", "share", "backup", "walk", "served"], Weight] = {}
    fair_over: Literal["zone", "group"] = "zone"
    fair_levels: Annotated[int, Field(ge=1, le=1000)] = 3
    walk_cap_m: Metres | None = None
    group_weights: dict[str, Weight] = {}
    year_weights: tuple[Weight, ...] = ()
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    floors: tuple[Floor, ...] = ()
    spacing_m: Metres | None = None
    merge_within_m: Metres | None = None
    tradeoff: bool = False
    progress: Table | None = None
    replan_from: int | None = None
    max_changes: Count | None = None
    robustness: Annotated[int, Field(ge=0, le=1000)] = 0
    mip_gap: Annotated[float, Field(ge=0, lt=1)] = 0.005
    work_limit: Annotated[int, Field(ge=0)] = 200
    time_limit_s: Positive | None = None

    @field_validator("years")
    @classmethod
    def _ascending(cls, years: tuple[int, ...]) -> tuple[int, ...]:
        if list(years) != sorted(set(years)):
            raise ValueError("years_ascending")
        return years

    @field_validator("progress", mode="before")
    @classmethod
    def _file_alone(cls, progress: object) -> object:
        return {"file": progress} if isinstance(progress, str) else progress

    @model_validator(mode="after")
    def _replans(self) -> "PlanSettings":
        if self.replan_from is not None and self.replan_from not in self.years:
            raise ValueError("replan_from_no_year")
        if self.progress is None and (self.replan_from is not None or self.max_changes is not None):
            raise ValueError("replan_without_progress")
        return self

    @model_validator(mode="after")
    def _one_each(self) -> "PlanSettings":
        if len(self.budget) != len(self.years):
            raise ValueError("budget_per_year")
        if self.year_weights and (len(self.year_weights) != len(self.years) or sum(self.year_weights) <= 0):
            raise ValueError("weight_per_year")
        named_years = {year for limit in self.limits for year in (limit.by, limit.until)} | {f.by for f in self.floors}
        if not named_years - {None} <= set(self.years):
            raise ValueError("by_no_year")
        if self.mix and sum(self.mix.values()) <= 0:
            raise ValueError("mix_is_nothing")
        if self.aims.get("served") and self.group_weights:
            raise ValueError("served_group_weights")
        if self.objective == "least_cost" and not self.floors and not self.limits and not self.required:
            raise ValueError("least_cost_of_nothing")
        return self

    @property
    def minimises(self) -> bool:
        """Whether less is better: walks and costs."""
        return not self.mix and self.objective in ("mean_walk", "worst_walk", "least_cost")

    @property
    def aims(self) -> dict[str, float]:
        """What coverage is worth, by measure, summing to one; ``walk`` is the walk that is saved."""
        if self.mix:
            return {measure: weight / sum(self.mix.values()) for measure, weight in self.mix.items()}
        plain = {"share": "share", "backup": "backup", "mean_walk": "walk", "served": "served"}
        return {plain.get(self.objective, "effective"): 1.0}

    @property
    def normalised_year_weights(self) -> tuple[float, ...]:
        """Weights of the years, summing to one."""
        weights = self.year_weights or (1.0,) * len(self.years)
        return tuple(w / sum(weights) for w in weights)


# What a text of a programme's rule may ask for, and the column that it is.
PLACEHOLDERS = {"town": "town", "host": "host", "year": "year", "name": "name", "community": "community"}


class ProgrammeRule(_Settings):
    """Who is responsible for what: fills in what no table says in the rows of the programme that are all that is asked for.

    Of several rules that fit the first that says something counts. Texts may hold ``{town}``, ``{host}``, ``{year}``, ``{name}`` and
    ``{community}`` of the row.

    Attributes:
        tier, mode, zone, kind, host, action: any of the words given; a zone by id or name, a host by a word in its name.
        lead_unit, support_unit: 责任单位, 配合单位.
        funding: 资金来源.
        due: 完成时限.
        kit_level: 配置等级.
        note: 备注.
    """

    tier: tuple[Tier, ...] = ()
    mode: tuple[Mode, ...] = ()
    zone: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    action: tuple[Action, ...] = ()
    lead_unit: str = ""
    support_unit: str = ""
    funding: str = ""
    due: str = ""
    kit_level: str = ""
    note: str = ""

    @property
    def says(self) -> dict[str, str]:
        """What it fills in, by column."""
        columns = ("lead_unit", "support_unit", "funding", "due", "kit_level", "note")
        return {column: getattr(self, column) for column in columns if getattr(self, column)}

    @model_validator(mode="after")
    def _fills_in(self) -> "ProgrammeRule":
        if not self.says:
            raise ValueError("programme_rule_empty")
        try:
            parts = [part for text in self.says.values() for part in string.Formatter().parse(text)]
        except ValueError as error:
            raise ValueError("programme_rule_text") from error
        if any(name is not None and (name not in PLACEHOLDERS or form or how) for _, name, form, how in parts):
            raise ValueError("programme_rule_text")
        return self


class ProgrammeSettings(_Settings):
    """How the rows of the programme are filled in: the first rule that fits counts."""

    rules: tuple[ProgrammeRule, ...] = ()


class LastRun(_Settings):
    """An earlier run that this one is compared with: the summary.json that it wrote."""

    summary: str


Sheet = Literal["existing", "effective", "gaps", "layout", "years", "atlas"]
SHEETS: tuple[Sheet, ...] = get_args(Sheet)


class MapSettings(_Settings):
    """What the title block of the layout plan map says. An empty `approval_number` prints 内部用图; none is ever invented."""

    title: str = ""
    compiling_unit: str = ""
    date: str = ""
    approval_number: str = ""
    paper: Literal["A4", "A3", "A2", "A1"] = "A3"
    orientation: Literal["landscape", "portrait"] = "landscape"
    # Which sheets a run draws; `years` is a sheet for each year of the plan, `atlas` a page for each zone.
    sheets: tuple[Sheet, ...] = ("layout",)
    # Base maps that the reader of map.html may switch on; until then, and without this setting, the file asks no host for anything.
    # Both lie where the plan lies: OpenStreetMap in WGS-84, Tianditu 天地图 in CGCS2000. Maps in GCJ-02 or BD-09 would lie 0.5–1.2 km off.
    online: tuple[Literal["osm", "tianditu"], ...] = ()
    # Tianditu's tiles need the user's own key; whoever gets map.html can read it.
    tianditu_key: Annotated[str, Field(pattern="^[0-9A-Za-z]*$")] = ""


class OutputSettings(_Settings):
    """What a run writes besides its standing set."""

    # GeoJSON and CSV for databases of other offices, with a dictionary of their columns.
    exchange: bool = False
    # The report as PDF too, where LibreOffice is installed.
    pdf: bool = False


class Study(_Settings):
    """A study: the settings of one run, as the user wrote them.

    Attributes:
        folder: where the study's files are; not part of study.toml.
        settings_file: the name of the file that holds these settings; not part of it.
        unsaved: where files are that will stand in the folder once a draft is saved, by name; not part of study.toml.
        crs: projected CRS in metres in which everything is measured and written.
        scope: the area the totals speak of.
        illustrative: what in the study is made up; printed on every output. Empty: nothing is.
        season: the season that is planned for; empty: the first that a shift names.
    """

    folder: Path
    settings_file: str = STUDY_FILE
    unsaved: dict[str, Path] = {}
    schema_version: Literal[1] = Field(1, alias="schema")
    name: str
    language: Lang = "zh"
    crs: str
    scope: str = ""
    illustrative: str = ""
    season: str = ""
    streets: Streets | None = None
    zones: Layer | None = None
    water: Layer | None = None
    sites: Table
    candidates: Table | None = None
    options: Table | None = None
    groups: dict[str, Group] = Field(min_length=1)
    demand: tuple[Demand, ...] = Field(min_length=1)
    standard: Standard = Standard()
    tiers: tuple[TierRule, ...] = ()
    capacity: Capacity | None = None
    plan: PlanSettings | None = None
    programme: ProgrammeSettings = ProgrammeSettings()
    map: MapSettings = MapSettings()
    output: OutputSettings = OutputSettings()
    evaluation: Table | None = None
    last: LastRun | None = None

    @field_validator("crs")
    @classmethod
    def _metres(cls, crs: str) -> str:
        from pyproj import CRS
        from pyproj.exceptions import CRSError

        try:
            parsed = CRS.from_user_input(crs)
        except CRSError as error:
            raise ValueError("unknown_crs") from error
        if not parsed.is_projected or parsed.axis_info[0].unit_name != "metre":
            raise ValueError("crs_not_metres")
        return crs

    @model_validator(mode="after")
    def _known_groups(self) -> "Study":
        named = {demand.group for demand in self.demand} | set(self.capacity.acceptance if self.capacity else ())
        if not named <= set(self.groups):
            raise ValueError("unknown_group")
        return self

    @model_validator(mode="after")
    def _known_in_plan(self) -> "Study":
        if self.plan is None:
            return self
        named = {*self.plan.group_weights, *(floor.group for floor in self.plan.floors)} - {"", "*"}
        if not named <= set(self.groups):
            raise ValueError("unknown_group_in_plan")
        return self

    @model_validator(mode="after")
    def _streets_to_sweep(self) -> "Study":
        if self.streets is None and any(isinstance(demand, LineDemand | LedgerDemand) for demand in self.demand):
            raise ValueError("streets_needed")
        return self

    @model_validator(mode="after")
    def _seats_to_serve(self) -> "Study":
        if self.plan and self.plan.aims.get("served") and self.capacity is None:
            raise ValueError("served_needs_capacity")
        return self

    @property
    def scopes(self) -> tuple[str, ...]:
        """The areas that the study's totals speak of, each once; its own first. No two of them may be divided by each other."""
        said = (self.scope, *(demand.scope for demand in self.demand))
        return tuple(dict.fromkeys(scope.strip() for scope in said if scope.strip()))

    @property
    def base_map(self) -> str:
        """Whom the base map credits; where there are no streets, that distances are approximate and how they are estimated."""
        return self.streets.source if self.streets else self.approximation

    @property
    def approximation(self) -> str:
        """The sentence that marks figures as approximate; empty where walks are measured along streets."""
        if self.streets:
            return ""
        return say(self.language, "quality.approximate", factor=self.standard.detour_factor)

    @property
    def caveat(self) -> str:
        """What must be said beside every figure: what is illustrative, and that distances are approximate if they are."""
        return " ".join(filter(None, (self.illustrative, self.approximation)))

    @model_validator(mode="after")
    def _known_season(self) -> "Study":
        if self.season and self.season not in self.seasons:
            raise ValueError("unknown_season")
        return self

    @property
    def seasons(self) -> tuple[str, ...]:
        """Seasons that shifts name, in their order; none where all are worked all year."""
        named = (shift.season for group in self.groups.values() for shift in group.shifts)
        return tuple(dict.fromkeys(season for season in named if season))

    @property
    def season_planned(self) -> str:
        """The season that is planned for; empty where there are none."""
        return self.season or next(iter(self.seasons), "")

    def shifts(self, group: str) -> tuple[Shift, ...]:
        """Return the shifts of a group in the season that is planned for."""
        return self.groups[group].in_season(self.season_planned)

    def path(self, file: str) -> Path:
        """Return where ``file`` of the study is.

        Raises:
            InputError: the name leads out of the study's folder, or nothing is there.
        """
        if file in self.unsaved:
            return self.unsaved[file]
        relative = PurePath(file)
        if relative.is_absolute() or ".." in relative.parts:
            raise InputError("path_outside", file=self.settings_file, path=_short(file))
        path = self.folder / relative
        try:
            inside, there = path.resolve().is_relative_to(self.folder.resolve()), path.is_file()
        except OSError:
            inside = there = False
        if there and not inside:
            raise InputError("path_outside", file=self.settings_file, path=_short(file))
        if not there:
            raise InputError("file_missing", file=_short(file) or '""', folder=self.folder.name)
        return path

    def files(self) -> tuple[str, ...]:
        """Return the names of the files the study is made of, study.toml first, each once."""
        tables = [self.streets, self.zones, self.water, self.sites, self.candidates, self.options, self.evaluation]
        named = [t.file for t in tables if t is not None]
        named += [d.file for d in self.demand if isinstance(d, Table)]
        named += [d.points.file for d in self.demand if isinstance(d, ZoneDemand) and d.points]
        named += [self.last.summary] if self.last else []
        named += [self.plan.progress.file] if self.plan and self.plan.progress else []
        return (self.settings_file, *dict.fromkeys(named))


def load_study(place: Path) -> Study:
    """Read a study's settings.

    Args:
        place: a folder with study.toml, or that file.

    Raises:
        InputError: nothing there, not UTF-8, not TOML, or a setting is missing, unknown or out of range; the sentence names
            the line and what to do.
    """
    try:
        file = place / STUDY_FILE if place.is_dir() else place
        there = file.is_file()
    except OSError:
        there = False
    if not there:
        raise InputError("study_missing", file=_short(place))
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError("study_unreadable", file=file.name, detail=error.strerror or "") from error
    except UnicodeDecodeError as error:
        raise InputError("not_utf8", file=file.name) from error
    return parse_study(text, file.resolve())


def parse_study(text: str, file: Path) -> Study:
    """Return the settings that ``text`` would be as the content of ``file``.

    Raises:
        InputError: not TOML, or a setting is missing, unknown or out of range.
    """
    try:
        raw = tomllib.loads(text)
    except RecursionError as error:
        raise InputError("toml_syntax", file=file.name, row=1, column=1) from error
    except tomllib.TOMLDecodeError as error:
        row, column = _toml_position(str(error), text)
        raise InputError("toml_syntax", file=file.name, row=row, column=column) from error
    for ours in _OURS:
        if ours in raw:
            raise InputError("setting_unknown", file=file.name, row=_line_of(text, (ours,)), setting=ours)
    try:
        return Study.model_validate({**raw, "folder": file.parent, "settings_file": file.name})
    except ValidationError as error:
        raise _explain(error, file.name, text) from error


def _toml_position(message: str, text: str) -> tuple[int, int]:
    found = re.search(r"line (\d+), column (\d+)", message)
    return (int(found[1]), int(found[2])) if found else (text.count("\n") + 1, 1)


def _explain(error: ValidationError, file: str, text: str) -> InputError:
    """Turn pydantic's first complaint into one sentence with the line of study.toml it speaks of."""
    first = error.errors()[0]
    # A discriminated union puts its tag ("line", "point") into the location; the user's file has no such key.
    loc = tuple(part for part in first["loc"] if part not in ("line", "point", "ledger", "enterprise", "zone"))
    setting = ".".join(f"[{p + 1}]" if isinstance(p, int) else str(p) for p in loc) or STUDY_FILE
    row, kind, value = _line_of(text, loc), first["type"], _short(first.get("input"))
    where = {"file": file, "row": row, "setting": setting}
    context: dict[str, Any] = first.get("ctx", {})
    match kind:
        case "missing":
            return InputError("setting_missing", **where)
        case "extra_forbidden":
            near = difflib.get_close_matches(str(loc[-1]), _known_settings(), n=1)
            return InputError("setting_near", hint=near[0], **where) if near else InputError("setting_unknown", **where)
        case "value_error":
            return InputError(str(context["error"]), value=value, **where)
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            sign = {"greater_than_equal": "≥", "greater_than": ">", "less_than_equal": "≤", "less_than": "<"}[kind]
            return InputError("setting_range", value=value, rule=f"{sign} {next(iter(context.values()))}", **where)
        case "literal_error" | "union_tag_invalid":
            return InputError(
                "setting_choice",
                value=first["input"].get("kind") if isinstance(first["input"], dict) else value,
                choices=context.get("expected", context.get("expected_tags", "")),
                **where,
            )
        case _:
            return InputError("setting_type", value=value, expected=_expected(kind), **where)


def _short(value: object) -> str:
    """Return a value as a message shows it: its beginning says enough."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _expected(kind: str) -> str:
    """Return what pydantic's error type expects, in TOML's own notation: it reads the same in every language."""
    notation = {
        "float": "1.5",
        "int": "1",
        "finite": "1.5",
        "string": '"…"',
        "tuple": "[…]",
        "too": "[…]",
        "bool": "true | false",
    }
    return notation.get(kind.partition("_")[0], "{…}")


def _known_settings() -> list[str]:
    models = (
        Study,
        Streets,
        Layer,
        Table,
        Shift,
        Group,
        LineDemand,
        LedgerDemand,
        PointDemand,
        EnterpriseDemand,
        ZoneDemand,
        TierRule,
        Standard,
        Capacity,
        Limit,
        Floor,
        PlanSettings,
        ProgrammeSettings,
        ProgrammeRule,
        MapSettings,
        LastRun,
    )
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()} - set(_OURS))


def _line_of(text: str, loc: tuple[int | str, ...]) -> int:
    """Return the line of study.toml that sets ``loc``, or of the nearest table that should.

    tomllib keeps no positions, so this walks the headers: good for a message, not for parsing.
    """
    names = [part for part in loc if isinstance(part, str)]
    # [[plan.limits]]: which of them is told by the number right after the names of its header.
    depth = next((at for at, part in enumerate(loc) if isinstance(part, int)), len(loc))
    array, index = names[:depth], loc[depth] if depth < len(loc) else 0
    best, table, seen = 1, [], -1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([^\]]+?)\s*\]", line)
        if header:
            table = [p.strip().strip("\"'") for p in header[2].split(".")]
            seen = seen + 1 if header[1] == "[[" and table == array else seen
            if names[: len(table)] == table and (table[:depth] != array or seen in (-1, index)):
                best = number
            continue
        key = re.match(r"\s*([^=#\s]+)\s*=", line)
        inside = table if table == names[: len(table)] and (table[:depth] != array or seen in (-1, index)) else None
        if key and inside is not None and names[len(inside) :][:1] == [key[1].strip("\"'")]:
            return number
    return best
