"""Which file is which: what a file that was sent looks made for, and the changes that put it there.

Takes a study and the name of a file in it; gives a role ("streets", "sites", "demand.0" …) or a draft.
"""

import re
from contextlib import suppress

from planner import datum
from planner.errors import InputError
from planner.intake import read_table
from planner.intake.layers import LAYER_SUFFIXES, read_layer, read_raw_layer
from planner.last import read_summary
from planner.study import Study
from planner.workspace import draft
from planner.workspace.draft import Draft

# The role of an earlier run's summary.json: this year is compared with it.
LAST = "last"
# Layers of streets that don't come from osmnx: Geofabrik's extracts call the class so.
_CLASS_COLUMNS = ("highway", "fclass", "type", "道路等级", "等级")
# Beyond this a study measures in a system made for elsewhere; at the edge of a 3-degree zone it is half of it.
_SCALE_ERROR = 5e-4
_SPOKEN = (
    ("candidates", "候选|拟建|备选|candidate"),
    ("options", "建设方式|option"),
    ("demand.0", "人数|需求|台账|worker|demand"),
)


def guess_role(study: Study, file: str) -> str:
    """Return which role a file looks made for: by its shapes, by its headings, by its name.

    Raises:
        InputError: it can't be read at all.
    """
    path = study.path(file)
    if path.suffix.lower() == ".json":
        with suppress(InputError):
            read_summary(path, file)
            return LAST
    if path.suffix.lower() in LAYER_SUFFIXES:
        shapes = read_raw_layer(path, file).geom_type.dropna()
        kinds = set(shapes.str.replace("Multi", ""))
        if "LineString" in kinds:
            return "streets"
        if "Polygon" in kinds:
            return "water" if re.search(r"水|water|河|湖", file, re.IGNORECASE) else "zones"
        return _by_name(file)
    fields, sheet = _fields(study, file)
    if {"action", "capital_cost"} <= fields:
        return "options"
    if "weight" in fields or "road" in fields:
        return "demand.0"
    return "candidates" if "modes" in fields else _by_name(f"{file} {sheet}")


def assigned(typed: Draft, study: Study, file: str, role: str) -> Draft:
    """Return the draft with a file in a role; what was chosen and typed for the file that was there before is forgotten.

    A ledger of roads and a table of workers at points are told apart; streets bring the column of their class and, where the study
    measures in a system made for elsewhere, one that fits.

    Args:
        typed: the changes so far.
        study: the study that they make.
        file: a file in the study's or the draft's folder.
        role: what it is to be.
    """
    for place, value in list(typed.settings.items()):
        used = value.get("file") if isinstance(value, dict) else value
        if used == file and (place.endswith(".file") or isinstance(value, dict)):
            typed = draft.forget_table(typed, place.removesuffix(".file"))
    typed = draft.forget_table(typed, role)
    if role == LAST:
        return draft.set_value(typed, LAST, {"summary": file})
    if role.startswith("demand."):
        number = min(int(role.partition(".")[2]), len(study.demand) - 1)
        kind = _kind(study, file)
        entry: dict[str, str] = {"kind": kind, "group": study.demand[number].group, "file": file}
        return draft.set_value(typed, role, {**entry, **({"datum": "auto"} if kind == "point" else {})})
    typed = draft.set_value(typed, f"{role}.file", file)
    old = getattr(study, role)
    for setting in ("sheet", "layer", "crs", "columns", "header"):
        if old is not None and getattr(old, setting, None):
            typed = draft.set_value(typed, f"{role}.{setting}", None)
    if role in ("sites", "candidates"):
        typed = draft.set_value(typed, f"{role}.datum", "auto")
    return _fit_streets(typed, study, file) if role == "streets" else typed


def _fit_streets(typed: Draft, study: Study, file: str) -> Draft:
    """Return the draft with the column of the streets' class, and a system that fits where they are."""
    try:
        layer = read_layer(study, file)
    except InputError:
        return typed
    if study.streets and study.streets.class_column not in layer.columns:
        found = next((column for column in _CLASS_COLUMNS if column in layer.columns), None)
        typed = draft.set_value(typed, "streets.class_column", found) if found else typed
    west, south, east, north = layer.total_bounds.tolist()
    lon, lat = datum.degrees((west + east) / 2, (south + north) / 2, study.crs)
    if not datum.scale_error(study.crs, lon, lat) <= _SCALE_ERROR:
        typed = draft.set_value(typed, "crs", datum.fitting_crs(lon, lat))
    return typed


def _kind(study: Study, file: str) -> str:
    """Return which kind of demand a table is: workers at points; without coordinates a ledger of roads, or numbers by zone."""
    fields, _ = _fields(study, file)
    if fields & {"lon", "lat", "coordinates"}:
        return "point"
    return "ledger" if "road" in fields else "zone" if "zone" in fields and study.zones else "point"


def _fields(study: Study, file: str) -> tuple[set[str], str]:
    """Return the fields that a table's headings name, and its sheet; nothing where no header is found."""
    path = study.path(file)
    if path.suffix.lower() in LAYER_SUFFIXES:
        return {"lon", "lat"}, ""
    try:
        table = read_table(path)
    except InputError as error:
        if error.key not in ("no_header", "table_empty", "heading_twice"):
            raise
        return set(), ""
    return set(table.recognised), table.sheet


def _by_name(spoken: str) -> str:
    return next((role for role, words in _SPOKEN if re.search(words, spoken, re.IGNORECASE)), "sites")
