"""What intake makes of each file of a study, file by file: a study with ten faults shows all ten, not the first.

Takes a `Study`; gives `Findings` a role ("streets", "sites", "demand.0" …): the headings and what they were taken for, the datum and what
speaks for it, the cells that stop the reading, the rows that would be left out, places written down twice. Reads by the same functions as
`read_inputs`, and changes nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from planner import datum
from planner.errors import InputError
from planner.evidence import Evidence, Ground, are_metres
from planner.intake import columns, read_inputs
from planner.intake.cells import METRES, PEOPLE, SQUARE_METRES, money
from planner.intake.demand import read_demand
from planner.intake.grid import read_grid, sheet_names
from planner.intake.layers import (
    LAYER_SUFFIXES,
    no_polygons,
    no_streets,
    read_polygons,
    read_raw_layer,
    read_streets,
    read_zones,
)
from planner.intake.notes import Notes
from planner.intake.places import (
    coordinates,
    doubles,
    extent,
    read_options,
    read_places,
    read_sites,
    walkable_area,
    weigh_table,
)
from planner.intake.table import RawTable
from planner.pipeline import check_rules
from planner.study import Action, Mode, Role, Study, Table, Tier
from planner.tables import REJECT_COLUMNS
from planner.words import Lang

LAYERS = ("streets", "zones", "water")
TABLES = ("sites", "candidates", "options")
DATUMS = ("WGS-84", "GCJ-02", "BD-09")
# More faulty cells than this are shown when the first ones are mended.
MOST_FAULTS = 500
MOST_PLACES = 600
_PREVIEW = 15

# What a table of each kind may hold, what it must hold first.
FIELDS: dict[str, tuple[str, ...]] = {
    "sites": ("name", "lon", "lat", "coordinates", "id", "opening_hours", "services", "kind", "host", "capacity", "tier", "role", "mode",
              "address", "zone", "floor_area_m2", "kit_level"),
    "candidates": ("name", "lon", "lat", "coordinates", "id", "kind", "modes", "opening_hours", "services", "host", "capacity", "tier",
                   "address", "zone"),
    "options": ("action", "kind", "mode", "capital_cost", "operating_cost", "opening_hours", "services", "capacity", "tier", "note"),
    "point": ("weight", "lon", "lat", "coordinates", "name", "zone"),
    "enterprise": ("name", "weight", "lon", "lat", "coordinates", "tier", "zone"),
    "zone": ("zone", "weight"),
    "ledger": ("road", "weight", "road_from", "road_to", "road_span", "area_m2", "length_m", "width_m", "road_class"),
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A cell that stops the reading of its table, what stands in it, and what is wrong with that."""

    row: int
    heading: str
    text: str
    error: InputError


@dataclass(frozen=True)
class Double:
    """Two rows that look like one place written down twice."""

    row: int
    name: str
    other: int
    other_name: str
    apart_m: float


@dataclass(frozen=True)
class Findings:
    """What was found in one file of a study.

    Attributes:
        role: what the file is for: "streets", "sites", "demand.0" …
        kind: which of `FIELDS` its table has; "layer" for streets, zones and water.
        file: its name.
        problem: what makes the file unusable as it is, if anything.
        used: rows, features or units that are used.
        unread: whether its rows were not looked at yet: places can't be judged before there are streets.
        headings: all headings of a table, with its first values.
        fields: field -> heading, as understood.
        header_row: number of the header's row.
        sheets: the workbook's sheets.
        preview: the first rows as they stand, where no header was found.
        evidence: what speaks for each reading of its coordinates, the likeliest first.
        places: datum -> where its points lie (metres, the study's CRS) when its numbers are read so; at most `MOST_PLACES`.
        faults: cells that stop the reading.
        rejects: rows that are left out (`tables.REJECT_COLUMNS`).
        asides: rows that are no data: totals, notes, the header once more; columns as in ``rejects``.
        twice: pairs of rows that look like one place.
        warnings: sentences.
    """

    role: str
    kind: str
    file: str
    problem: InputError | None = None
    used: int = 0
    unread: bool = False
    headings: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    header_row: int = 0
    sheets: tuple[str, ...] = ()
    preview: tuple[tuple[str, ...], ...] = ()
    evidence: tuple[Evidence, ...] = ()
    places: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    rejects: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(REJECT_COLUMNS)))
    asides: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(REJECT_COLUMNS)))
    twice: tuple[Double, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether the file can be used as it is."""
        return self.problem is None and not self.faults


@dataclass(frozen=True)
class Survey:
    """What was found in all files of a study.

    Attributes:
        findings: role -> findings, in the order in which a planner sees to them.
        problem: what keeps the study from being run although each file is fine.
        warnings: sentences that speak of several files.
        area: west, south, east, north of the streets in the study's CRS; None without streets.
        streets: the streets, empty where they can't be read.
    """

    findings: Mapping[str, Findings]
    problem: InputError | None
    warnings: tuple[str, ...]
    area: tuple[float, float, float, float] | None
    streets: gpd.GeoDataFrame

    @property
    def ready(self) -> bool:
        """Whether the study can be run."""
        return self.problem is None and all(found.fine for found in self.findings.values())


def survey(study: Study, lang: Lang) -> Survey:
    """Return what is found in the files of a study, with sentences in ``lang``; no fault of the files raises."""
    study = study.model_copy(update={"language": lang})
    found: dict[str, Findings] = {}
    streets, zones, of_zones = no_streets(study), no_polygons(study), None
    if study.zones:
        zones, of_zones = _survey_layer(study, "zones", lambda notes: read_zones(study, notes))
    if lines := study.streets:
        streets, found["streets"] = _survey_layer(
            study, "streets", lambda notes: read_streets(study, lines, zones, notes)
        )
    if of_zones is not None:
        found["zones"] = of_zones
    water, of_water = no_polygons(study), None
    if layer := study.water:
        water, of_water = _survey_layer(study, "water", lambda notes: read_polygons(study, layer, notes))
    ground = Ground(streets, water, extent(study, streets, zones))
    for role in (*TABLES, *(f"demand.{n}" for n in range(len(study.demand)))):
        settings = settings_of(study, role)
        if isinstance(settings, Table):
            found[role] = _survey_table(study, role, settings, ground, zones)
    if of_water is not None:
        found["water"] = of_water
    problem, warnings = _whole(study, found)
    area = tuple(map(float, streets.total_bounds)) if len(streets) else None
    return Survey(found, problem, warnings, area, streets)  # type: ignore[arg-type]


def _survey_layer(
    study: Study, role: str, read: Callable[[Notes], gpd.GeoDataFrame]
) -> tuple[gpd.GeoDataFrame, Findings]:
    """Return a layer, empty where it can't be read, and what was found in it."""
    notes, file = Notes(study.language), settings_of(study, role).file
    empty = no_streets(study) if role == "streets" else no_polygons(study)
    try:
        shapes = read(notes)
    except InputError as error:
        return empty, Findings(role, "layer", file, error, headings=_layer_columns(study, file, error))
    return shapes, Findings(role, "layer", file, None, len(shapes), warnings=tuple(notes.warnings))


def _layer_columns(study: Study, file: str, error: InputError) -> dict[str, str]:
    """Return a layer's columns with their first values, where the one that is asked for is not among them."""
    if error.key != "layer_column":
        return {}
    layer = read_raw_layer(study.path(file), file)
    values = layer.drop(columns=layer.geometry.name).astype(str)
    return {str(column): "、".join(values[column].drop_duplicates().head(3).str[:20]) for column in values.columns}


def settings_of(study: Study, role: str) -> Any:
    """Return the settings of a role: a `Layer`, a `Table`, an entry of demand; None where the study has none."""
    if role.startswith("demand."):
        number = int(role.partition(".")[2])
        return study.demand[number] if number < len(study.demand) else None
    return getattr(study, role)


def _whole(study: Study, found: Mapping[str, Findings]) -> tuple[InputError | None, tuple[str, ...]]:
    """Return what is wrong with the study as a whole, and what is noticed about several of its files."""
    if not all(findings.fine for findings in found.values()):
        return None, ()
    try:
        inputs = read_inputs(study)
        check_rules(study, inputs)
    except InputError as error:
        return error, ()
    own = {warning for findings in found.values() for warning in findings.warnings}
    return None, tuple(warning for warning in inputs.warnings if warning not in own)


# --- tables ----------------------------------------------------------------------------------------------------------


def _survey_table(study: Study, role: str, settings: Table, ground: Ground, zones: gpd.GeoDataFrame) -> Findings:
    notes = Notes(study.language)
    kind = str(getattr(settings, "kind", role))
    base: dict[str, Any] = {"role": role, "kind": kind, "file": settings.file}
    try:
        base["sheets"] = _sheets(study, settings)
        table = read_places(study, settings, notes, may_be_empty=role == "sites")
    except InputError as error:
        return Findings(**base, problem=error, preview=_preview(study, settings))
    base |= {
        "headings": _examples(table),
        "fields": {field: heading for field, heading in table.recognised.items() if field in FIELDS[kind]},
        "header_row": table.header_row,
    }
    placed = kind not in ("options", "ledger", "zone")
    if placed and len(ground.streets):
        try:
            base["evidence"] = weigh_table(study, table, ground, zones)
            base["places"] = _places(study, table)
        except InputError:
            pass  # no coordinates: the reading below says it
    problem: InputError | None = None
    used, twice = 0, tuple[Double, ...]()
    readable = len(ground.streets) > 0 or kind == "options" or study.streets is None
    if readable:
        try:
            used, twice = _read(study, role, settings, ground, zones, notes)
        except InputError as error:
            problem = error
    rejects = pd.DataFrame(notes.rejects, columns=list(REJECT_COLUMNS))
    no_data = rejects["row"].isin(table.aside.index)
    faults = tuple(_faults(study, kind, table.without(rejects["row"].tolist())))
    if problem is not None and any(str(problem) == str(fault.error) for fault in faults):
        problem = None
    return Findings(
        **base, problem=problem, used=used, unread=not readable, faults=faults, rejects=rejects[~no_data], asides=rejects[no_data],
        twice=twice, warnings=tuple(notes.warnings),
    )  # fmt: skip


def _sheets(study: Study, settings: Table) -> tuple[str, ...]:
    path = study.path(settings.file)
    return () if path.suffix.lower() in LAYER_SUFFIXES else sheet_names(path)


def _preview(study: Study, settings: Table) -> tuple[tuple[str, ...], ...]:
    """Return the first rows of a table whose header was not found; nothing where it can't be opened."""
    try:
        rows = read_grid(study.path(settings.file), settings.sheet).rows[:_PREVIEW]
    except InputError:
        return ()
    width = max(map(len, rows), default=0)
    return tuple((*row, *[""] * (width - len(row))) for row in rows)


def _examples(table: RawTable) -> dict[str, str]:
    """Return each heading with the first values below it."""
    shown = {}
    for column, heading in table.headings.items():
        cells = (str(cell).strip() for cell in table.rows[column].head(50)) if len(table.rows) else iter(())
        shown[heading or column] = "、".join([cell[:20] for cell in cells if cell][:3])
    return shown


def _places(study: Study, table: RawTable) -> dict[str, NDArray[np.float64]]:
    first, second = coordinates(table)
    kept = (first.notna() & second.notna() & ~((first == 0) & (second == 0)) & ~are_metres(first, second)).to_numpy()
    x, y = first[kept].to_numpy(), second[kept].to_numpy()
    every = -(-len(x) // MOST_PLACES) or 1
    found = {}
    for name in DATUMS:
        xy = datum.place(x[::every], y[::every], datum.Reading(name), study.crs)
        found[name] = xy[np.isfinite(xy).all(axis=1)]
    return found if len(x) else {}


def _read(
    study: Study, role: str, settings: Table, ground: Ground, zones: gpd.GeoDataFrame, notes: Notes
) -> tuple[int, tuple[Double, ...]]:
    """Read a table as `read_inputs` does; return how many rows are used, and which look like one place."""
    # What was noticed when its header was looked at is noticed again.
    notes.forget()
    if role == "options":
        return len(read_options(study, settings, notes)), ()
    if role.startswith("demand."):
        area = zones.union_all() if len(zones) else walkable_area(study, ground)
        one = study.model_copy(update={"demand": (settings,)})
        return read_demand(one, ground, zones, area, notes)["source"].nunique(), ()
    sites = read_sites(study, settings, "existing" if role == "sites" else "candidate", ground, zones, notes)
    rows = [int(source.rpartition("#")[2]) for source in sites["source"]]
    names = sites["name"].tolist()
    return len(sites), tuple(Double(rows[a], names[a], rows[b], names[b], metres) for a, b, metres in doubles(sites))


# --- faults ----------------------------------------------------------------------------------------------------------


def _faults(study: Study, kind: str, table: RawTable) -> Iterator[Fault]:
    """Yield the cells that a reader of their column refuses."""
    found = 0
    for name, read in _readers(study, kind).items():
        if name not in table.rows.columns:
            continue
        try:
            read(table)
            continue
        except InputError:
            pass
        for row in table.rows.index.tolist():
            try:
                read(table.only([row]))
            except InputError as error:
                yield Fault(int(row), table.headings[name], str(table.rows.at[row, name]), error)
                found += 1
                if found >= MOST_FAULTS:
                    return
    yield from _id_faults(kind, table)


def _readers(study: Study, kind: str) -> dict[str, Callable[[RawTable], object]]:
    """Return field -> what reads its column, for the fields whose reading may fail."""

    def words(name: str, section: str, known: tuple[str, ...]) -> Callable[[RawTable], object]:
        return lambda table: columns.identifiers(table, name, section, known)

    def amounts(name: str, units: Mapping[str, float], key: str, empty: bool = False) -> Callable[[RawTable], object]:
        return lambda table: columns.amounts(table, name, units, key, may_be_empty=empty)

    place: dict[str, Callable[[RawTable], object]] = {
        "tier": words("tier", "tier", get_args(Tier)), "opening_hours": columns.hours, "capacity": columns.capacity,
        "role": words("role", "role", get_args(Role)), "floor_area_m2": columns.floor_area_m2,
    }  # fmt: skip
    if kind == "sites":
        return place | {"mode": words("mode", "mode", get_args(Mode))}
    if kind == "candidates":
        return place | {"modes": words("modes", "mode", get_args(Mode))}
    if kind == "options":
        units = money(study.plan.cost_unit if study.plan else "万元")
        costs = {name: amounts(name, units, "cell_amount") for name in ("capital_cost", "operating_cost")}
        modes = words("mode", "mode", get_args(Mode))
        return place | {"action": words("action", "action", get_args(Action)), "mode": modes} | costs
    people: dict[str, Callable[[RawTable], object]] = {"weight": amounts("weight", PEOPLE, "cell_weight")}
    if kind == "enterprise":
        return people | {"tier": words("tier", "tier", ("cluster", "enterprise"))}
    if kind in ("point", "zone"):
        return people
    sizes = {"area_m2": SQUARE_METRES, "length_m": METRES, "width_m": METRES}
    return {name: amounts(name, units, "cell_size") for name, units in sizes.items()}


def _id_faults(kind: str, table: RawTable) -> Iterator[Fault]:
    """Yield ids that are blank where others are not, and those that stand twice."""
    if kind not in ("sites", "candidates") or "id" not in table.rows.columns:
        return
    ids, heading = columns.text(table, "id"), table.headings["id"]
    if (ids == "").all():
        return
    seen: dict[str, int] = {}
    for row, own in zip(ids.index.tolist(), ids.tolist(), strict=True):
        if not own:
            yield Fault(row, heading, own, InputError("cell_empty", file=table.file, row=row, column=heading))
        elif own in seen:
            first = f"{table.file}#{seen[own]}"
            yield Fault(row, heading, own, InputError("id_twice", file=table.file, row=row, id=own, first=first))
        else:
            seen[own] = row
