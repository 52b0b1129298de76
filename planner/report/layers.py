"""Result -> plan.gpkg: every layer of a run, in the study's projected CRS, with its notices, its data dictionary and QGIS styles inside.

Takes a `Result`; computes nothing and rounds nothing: what stands here is what was measured, so an outside check can measure it again.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from planner import __version__
from planner.pipeline import Result
from planner.report import qgis
from planner.words import LANGS, Lang, catalogue, has, say

# The clock has no place in a file that two runs must write alike.
_EPOCH = "2000-01-01T00:00:00.000Z"

# What a layer is made of: its geometry, then the columns of design's contract and those that trace a row back to its source.
LAYERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sites": (
        "Point",
        (
            *("id", "name", "tier", "kind", "status", "mode", "year", "host", "opening_hours", "services", "capacity"),
            *("address", "zone", "role", "source"),
        ),
    ),
    "demand": (
        "Point",
        (
            *(
                "id",
                "group",
                "weight",
                "zone",
                "nearest_site",
                "nearest_m",
                "sites_within",
                "covered",
                "effective_share",
            ),
            *("covered_from", "gap", "gap_seats", "street_class", "length_m", "source"),
        ),
    ),
    "demand_lines": (
        "LineString",
        (
            *("id", "group", "weight", "zone", "nearest_m", "covered", "effective_share", "covered_from", "gap"),
            *("street_class", "length_m", "source"),
        ),
    ),
    "streets": ("LineString", ("id", "highway", "name", "length_m", "source")),
    "zones": (
        "MultiPolygon",
        (
            *("id", "name", "total_weight", "share", "effective_share", "backup_share"),
            *("share_planned", "effective_share_planned", "source"),
        ),
    ),
    "gaps": (
        "MultiPolygon",
        (
            *(
                "id",
                "place",
                "zone",
                "group",
                "weight",
                "reason",
                "streets",
                "nearest_site",
                "nearest_m",
                "worst_m",
                "units",
                "length_m",
            ),
            *("x", "y", "remedy", "remedy_site", "remedy_mode", "remedy_cost", "remedy_operating_cost"),
            *("remedy_gain", "remedy_share", "source"),
        ),
    ),
    "actions": (
        "Point",
        (
            *("site", "name", "action", "mode", "tier", "year", "cost", "operating_cost", "gain"),
            *("opening_hours", "services", "capacity", "source"),
        ),
    ),
    "water": ("MultiPolygon", ("id", "name", "source")),
}
# So that an empty layer has the same columns as a full one.
_FLOATS = frozenset(
    (
        *(
            "capacity",
            "weight",
            "nearest_m",
            "worst_m",
            "length_m",
            "total_weight",
            "cost",
            "operating_cost",
            "gain",
            "x",
            "y",
        ),
        *("share", "effective_share", "backup_share", "share_planned", "effective_share_planned"),
        *("remedy_cost", "remedy_operating_cost", "remedy_gain", "remedy_share"),
    )
)
_INTEGERS = frozenset(("sites_within", "covered_from", "units"))


def write_layers(result: Result, path: Path, lang: Lang) -> None:
    """Write plan.gpkg.

    Args:
        result: the run.
        path: the file to write; what stands there is replaced.
        lang: language of the notices, titles and styles. Identifiers of layers and columns are the same in both.
    """
    path.unlink(missing_ok=True)
    # The file is thrown away if anything fails, so nothing is gained by waiting for the disk (half of the time).
    waits = pyogrio.get_gdal_config_option("OGR_SQLITE_SYNCHRONOUS")
    pyogrio.set_gdal_config_options({"OGR_SQLITE_SYNCHRONOUS": "OFF"})
    try:
        _write(result, path, lang)
    finally:
        pyogrio.set_gdal_config_options({"OGR_SQLITE_SYNCHRONOUS": waits})


def _write(result: Result, path: Path, lang: Lang) -> None:
    frames = layers(result)
    for name, frame in frames.items():
        geometry = LAYERS[name][0]
        pyogrio.write_dataframe(
            frame,
            path,
            layer=name,
            driver="GPKG",
            geometry_type=geometry,
            promote_to_multi=geometry.startswith("Multi"),
        )
    for name, table in {"about": about(result, lang), "dictionary": dictionary()}.items():
        pyogrio.write_dataframe(table, path, layer=name, driver="GPKG")
    with closing(sqlite3.connect(path)) as database, database:
        _describe(database, result, lang)
        qgis.add_styles(database, result, lang, LAYERS)
        database.execute("UPDATE gpkg_contents SET last_change = ?", (_EPOCH,))
    _forget_changes(path)


def _forget_changes(path: Path) -> None:
    """Set SQLite's change counter and its twin (bytes 24 and 92 of the header): how often GDAL commits hangs on the clock."""
    with path.open("r+b") as file:
        for place in (24, 92):
            file.seek(place)
            file.write((1).to_bytes(4, "big"))


def layers(result: Result) -> dict[str, gpd.GeoDataFrame]:
    """Return the layers by name: GeoDataFrames with the columns of `LAYERS`, in the study's CRS."""
    pieces = result.demand[result.demand["line"].notna()]
    frames = {
        "sites": _sites(result),
        "demand": result.demand,
        "demand_lines": pieces.set_geometry(gpd.GeoSeries(pieces["line"], crs=result.demand.crs)),
        "streets": result.streets,
        "zones": _zones(result),
        "gaps": result.gap_areas,
        "actions": _actions(result),
        "water": result.water,
    }
    return {
        name: _plain(frame, columns)
        for (name, (_, columns)), frame in zip(LAYERS.items(), frames.values(), strict=True)
    }


def about(result: Result, lang: Lang) -> pd.DataFrame:
    """Return what the file must say of itself: whose data it holds, under which licence, and what is made up."""
    study = result.study
    entries = {
        "study": study.name,
        "run_id": result.run_id,
        "planner_version": __version__,
        "crs": study.crs,
        "scope": study.scope,
        "illustrative": study.caveat,
        "standard": study.standard.name,
        "streets": study.base_map,
        "licence": licence(result, lang),
        "moment": say(lang, "layers.moment"),
    }
    return pd.DataFrame(
        [(key, say(lang, f"layers.about_{key}"), text) for key, text in entries.items() if text],
        columns=["key", "title", "value"],
    )


def licence(result: Result, lang: Lang) -> str:
    """Return the notice that OpenStreetMap's licence asks for, where the streets are OpenStreetMap's; else nothing."""
    return say(lang, "layers.odbl") if "openstreetmap" in result.study.base_map.lower() else ""


def dictionary() -> pd.DataFrame:
    """Return the data dictionary: type and meaning of every column of every layer, the latter in both languages."""
    rows = [
        (layer, column, column_type(column), *(meaning(lang, layer, column) for lang in LANGS))
        for layer, (_, columns) in LAYERS.items()
        for column in columns
    ]
    return pd.DataFrame(rows, columns=["layer", "column", "type", *(f"meaning_{lang}" for lang in LANGS)])


def column_type(column: str) -> str:
    """Return what a column holds: real, integer, boolean or text."""
    if column in _FLOATS:
        return "real"
    return "integer" if column in _INTEGERS or column == "year" else "boolean" if column == "covered" else "text"


# Columns that hold codes, and the section of the catalogue that names these.
_CODED = {"tier": "tier", "mode": "mode", "status": "status", "role": "role", "kind": "kind", "services": "service"}
_CODED |= {"reason": "reason", "action": "action", "remedy_mode": "mode"}


def codes() -> pd.DataFrame:
    """Return what the codes of the coded columns mean, in both languages; a study may add kinds and services of its own."""
    rows = [
        (column, key.partition(".")[2], *(texts[lang] for lang in LANGS))
        for column, section in _CODED.items()
        for key, texts in catalogue().items()
        if key.startswith(f"{section}.")
    ]
    return pd.DataFrame(rows, columns=["column", "code", *(f"meaning_{lang}" for lang in LANGS)])


def meaning(lang: Lang, layer: str, column: str) -> str:
    """Return what a column means: in this layer, or else in every layer."""
    own = f"layers.{layer}_{column}"
    return say(lang, own if has(own) else f"layers.any_{column}")


def _plain(frame: gpd.GeoDataFrame, columns: tuple[str, ...]) -> gpd.GeoDataFrame:
    """Return ``columns`` and the geometry, under the name that the file gives it."""
    table = frame[[*columns]].reset_index(drop=True)
    types = {
        c: float if c in _FLOATS else "int32" if c in _INTEGERS else str
        for c in columns
        if c not in ("year", "covered")
    }
    typed = table.astype({c: t for c, t in types.items() if t is not str or table.empty})
    return gpd.GeoDataFrame(typed, geometry=frame.geometry.to_numpy(), crs=frame.crs).rename_geometry("geom")


def _or_null(years: pd.Series) -> pd.Series:
    return years.astype("Int32").mask(years == 0)


def _sites(result: Result) -> gpd.GeoDataFrame:
    """Return the sites with what they offer today, as the demand was measured; those to be built, with what is planned."""
    sites, planned = result.sites, result.sites["status"] == "chosen"
    offered = ["tier", "mode", "opening_hours", "services", "capacity"]
    shown = sites.assign(**sites[offered].where(planned, result.sites_today[offered]))
    return shown.assign(year=_or_null(sites["year"]))


def _zones(result: Result) -> gpd.GeoDataFrame:
    """Return the zones with their indicators today and at the plan's end; null where nobody works in a zone."""
    today = result.indicators[0]["by_zone"]
    last = result.indicators[max(result.indicators)]["by_zone"]

    def of(figures: dict[str, Any], key: str) -> list[float | None]:
        return [figures[zone][key] if zone in figures else None for zone in result.zones["id"]]

    return result.zones.assign(
        **{
            key: np.array(of(today, key), dtype=float)
            for key in ("total_weight", "share", "effective_share", "backup_share")
        },
        **{f"{key}_planned": np.array(of(last, key), dtype=float) for key in ("share", "effective_share")},
    )


def _actions(result: Result) -> gpd.GeoDataFrame:
    places = result.sites.iloc[result.actions["place"].to_numpy(dtype=np.int64)]
    named = result.actions.assign(name=places["name"].to_numpy(), source=places["source"].to_numpy())
    return gpd.GeoDataFrame(named, geometry=places.geometry.to_numpy(), crs=result.sites.crs)


def _describe(database: sqlite3.Connection, result: Result, lang: Lang) -> None:
    """Give each layer a title and the notices, and each column its meaning (GeoPackage's schema extension)."""
    notice = " ".join(filter(None, (result.study.caveat, result.study.base_map, licence(result, lang))))
    names = [*LAYERS, "about", "dictionary"]
    database.executemany(
        "UPDATE gpkg_contents SET identifier = ?, description = ? WHERE table_name = ?",
        [
            (f"{say(lang, f'layers.layer_{name}')} ({name})", f"{say(lang, f'layers.note_{name}')} {notice}", name)
            for name in names
        ],
    )
    # OGC 12-128r19, F.9.
    database.execute(
        "CREATE TABLE gpkg_data_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, "
        "description TEXT, mime_type TEXT, constraint_name TEXT, CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name), "
        "CONSTRAINT gdc_tn UNIQUE (table_name, name))"
    )
    database.execute(
        "CREATE TABLE gpkg_data_column_constraints (constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, "
        "min NUMERIC, min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT, "
        "CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value))"
    )
    database.executemany(
        "INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) "
        "VALUES (?, NULL, 'gpkg_schema', 'http://www.geopackage.org/spec121/#extension_schema', 'read-write')",
        [("gpkg_data_columns",), ("gpkg_data_column_constraints",)],
    )
    database.executemany(
        "INSERT INTO gpkg_data_columns (table_name, column_name, title) VALUES (?, ?, ?)",
        [(layer, column, meaning(lang, layer, column)) for layer, (_, columns) in LAYERS.items() for column in columns],
    )
