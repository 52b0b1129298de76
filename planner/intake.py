"""A study's files -> checked tables: xlsx, csv in any Chinese encoding, and line or polygon layers.

Takes a `Study`; gives `Inputs`: streets, zones, sites and candidates, demand, options, and the rows that could not be used, each with
its file, row and reason. Nothing is dropped silently: every row ends in a table or among the rejects.
"""

import csv
import hashlib
import io
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import python_calamine
import shapely

from planner import datum
from planner.errors import InputError, PlannerError
from planner.hours import in_osm_syntax, week_profile
from planner.study import Layer, LineDemand, Mode, PointDemand, Streets, Study, Table, Tier
from planner.tables import DEMAND_COLUMNS, OPTION_COLUMNS, REJECT_COLUMNS, SITE_COLUMNS, ZONE_COLUMNS, as_table
from planner.words import LANGS, Lang, catalogue, say

MAX_ROWS = 1_000_000
MAX_BYTES = 500_000_000
WGS84 = "EPSG:4326"

# Headings that people write, by the field they mean. Compared without case, spaces and what stands in brackets.
HEADINGS: dict[str, tuple[str, ...]] = {
    "id": ("编号", "站点编号", "序号", "id", "code"),
    "name": ("名称", "站点名称", "name"),
    "tier": ("级别", "层级", "tier", "level"),
    "kind": ("类别", "类型", "kind", "type"),
    "host": ("依托单位", "host"),
    "mode": ("建设方式", "mode"),
    "modes": ("可选方式", "可选建设方式", "modes"),
    "opening_hours": ("开放时间", "openinghours", "hours"),
    "services": ("服务项目", "services"),
    "capacity": ("座位数", "服务能力", "capacity", "seats"),
    "address": ("地址", "address"),
    "lon": ("经度", "lng", "lon", "long", "longitude", "x"),
    "lat": ("纬度", "lat", "latitude", "y"),
    "weight": ("人数", "权重", "workers", "weight", "people"),
    "action": ("动作", "action"),
    "capital_cost": ("建设费", "建设投资", "capitalcost"),
    "operating_cost": ("年运营费", "运营经费", "operatingcost"),
    "note": ("备注", "说明", "note"),
}


@dataclass(frozen=True)
class Inputs:
    """What a study's files hold, checked and in the study's CRS.

    Attributes:
        streets: the lines people walk on (columns id, highway, name, source, geometry).
        zones: reporting zones; one row per zone; empty frame where the study names none.
        water: polygons for the map, or an empty frame.
        sites: existing places first, then candidates.
        demand: units of demand.
        options: what can be done where, at which cost.
        rejects: rows that could not be used: file, row, reason, values.
        warnings: sentences for the data-quality notes.
        hashes: sha256 of every file of the study.
    """

    streets: gpd.GeoDataFrame
    zones: gpd.GeoDataFrame
    water: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame
    demand: gpd.GeoDataFrame
    options: pd.DataFrame
    rejects: pd.DataFrame
    warnings: tuple[str, ...]
    hashes: dict[str, str]


def read_inputs(study: Study) -> Inputs:
    """Read and check every file of the study.

    Raises:
        InputError: a file is missing or unreadable, lacks what is needed, or holds what would make results wrong; the sentence
            names file, row and column and says what to do.
    """
    notes = _Notes(study.language)
    streets = _read_streets(study, study.streets)
    zones = _read_zones(study, notes)
    water = _read_polygons(study, study.water) if study.water else _no_zones(study)
    area = zones.union_all() if len(zones) else shapely.box(*streets.total_bounds)
    places = [_read_sites(study, study.sites, "existing", streets, notes)]
    if study.candidates:
        places.append(_read_sites(study, study.candidates, "candidate", streets, notes))
    sites = pd.concat(places, ignore_index=True)
    _refuse_repeats(sites["id"], sites["source"])
    sites["zone"] = _zone_of(sites.geometry, zones)
    demand = _read_demand(study, streets, zones, area, notes)
    options = _read_options(study, study.options) if study.options else pd.DataFrame(columns=list(OPTION_COLUMNS))
    return Inputs(
        streets=streets,
        zones=zones,
        water=water,
        sites=as_table(sites, SITE_COLUMNS, study.crs),
        demand=demand,
        options=options,
        rejects=pd.DataFrame(notes.rejects, columns=list(REJECT_COLUMNS)),
        warnings=tuple(notes.warnings),
        hashes={file: hashlib.sha256(study.path(file).read_bytes()).hexdigest() for file in study.files()},
    )


class _Notes:
    """Collects rejects and warnings while the files are read."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self.rejects: list[tuple[str, int, str, str]] = []
        self.warnings: list[str] = []

    def reject(self, file: str, rows: pd.DataFrame, key: str) -> None:
        """Set rows aside, each with what it held."""
        for row, values in zip(rows.index.tolist(), rows.to_dict("records"), strict=True):
            shown = "; ".join(f"{c}={v}" for c, v in values.items() if str(v).strip() and c != "geometry")
            self.rejects.append((file, row, say(self.lang, f"quality.{key}"), shown))

    def warn(self, key: str, **values: object) -> None:
        """Note something that the reader of the results should know."""
        self.warnings.append(say(self.lang, f"quality.{key}", **values))


# --- tables ----------------------------------------------------------------------------------------------------------


def read_table(path: Path, sheet: str | None = None) -> pd.DataFrame:
    """Read a sheet or a csv as text, indexed by the row number of the file, under the headings it has.

    The header is the first row in which at least two known headings stand, so title rows above it do no harm. Empty rows are left out.

    Raises:
        InputError: not a table, no such sheet, no known headings, too many rows, or a heading that stands twice.
    """
    rows = _csv_rows(path) if path.suffix.lower() in (".csv", ".txt") else _sheet_rows(path, sheet)
    if len(rows) > MAX_ROWS:
        raise InputError("too_many_rows", file=path.name, rows=len(rows), most=MAX_ROWS)
    known = {h for headings in HEADINGS.values() for h in headings}
    number = next((n for n, row in enumerate(rows[:20]) if sum(_plain(cell) in known for cell in row) >= 2), None)
    if number is None:
        raise InputError("no_header", file=path.name)
    header = [cell.strip() for cell in rows[number]]
    fields = [_field_of(cell) or cell or f"column {n + 1}" for n, cell in enumerate(header)]
    for n, field in enumerate(fields):
        if field in fields[:n]:
            raise InputError("heading_twice", file=path.name, row=number + 1, column=header[n])
    body = {
        number + 2 + n: [*row[: len(fields)], *[""] * (len(fields) - len(row))]
        for n, row in enumerate(rows[number + 1 :])
        if any(cell.strip() for cell in row)
    }
    if not body:
        raise InputError("table_empty", file=path.name)
    return pd.DataFrame.from_dict(body, orient="index", columns=fields)


def _csv_rows(path: Path) -> list[list[str]]:
    _refuse_giant(path)
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        dialect = "\t" if text.partition("\n")[0].count("\t") > text.partition("\n")[0].count(",") else ","
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=dialect))
    raise InputError("csv_unreadable", file=path.name)


def _sheet_rows(path: Path, sheet: str | None) -> list[list[str]]:
    _refuse_giant(path)
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            if sheet is not None and sheet not in book.sheet_names:
                raise InputError("no_sheet", file=path.name, sheet=sheet, sheets=", ".join(book.sheet_names))
            rows = book.get_sheet_by_name(sheet or book.sheet_names[0]).to_python(skip_empty_area=False)
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        if isinstance(error, PlannerError):
            raise
        raise InputError("xlsx_unreadable", file=path.name) from error
    return [[_cell_text(cell) for cell in row] for row in rows]


def _cell_text(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _refuse_giant(path: Path) -> None:
    if path.stat().st_size > MAX_BYTES:
        raise InputError("too_large", file=path.name, mb=MAX_BYTES // 1_000_000)


def _plain(heading: str) -> str:
    """Return a heading without case, spaces, signs and what stands in brackets: "建设费(万元)" -> "建设费"."""
    return re.sub(r"\(.*?\)|[\s_\-*]", "", unicodedata.normalize("NFKC", heading)).lower()


def _field_of(heading: str) -> str | None:
    plain = _plain(heading)
    return next((field for field, headings in HEADINGS.items() if plain in headings), None)


def _need(table: pd.DataFrame, file: str, *fields: str) -> None:
    for field in fields:
        if field not in table.columns:
            raise InputError(
                "column_missing", file=file, column=HEADINGS[field][0], headings=", ".join(map(str, table.columns))
            )


def _numbers(table: pd.DataFrame, field: str) -> pd.Series:
    """Return a column as floats; a cell that is no number is NaN."""
    plain = table[field].map(lambda cell: unicodedata.normalize("NFKC", str(cell)).strip().replace(",", ""))
    return pd.to_numeric(plain, errors="coerce").astype(float)


def _not_negative(file: str, table: pd.DataFrame, field: str, numbers: pd.Series, key: str) -> pd.Series:
    """Return ``numbers``; refuse the first that is no finite number of 0 or more, with what stood in the cell."""
    wrong = ~(np.isfinite(numbers) & (numbers >= 0)).to_numpy()
    if wrong.any():
        first = int(wrong.argmax())
        text = table[field].iloc[first]
        raise InputError(key, file=file, row=table.index[first], column=HEADINGS[field][0], text=text)
    return numbers


def _text(table: pd.DataFrame, field: str) -> pd.Series:
    blank = pd.Series("", index=table.index, dtype=object)
    return table[field].astype(str).str.strip() if field in table.columns else blank


def _identifiers(
    file: str, table: pd.DataFrame, field: str, section: str, known: tuple[str, ...] | None = None
) -> pd.Series:
    """Return the identifiers of words typed in either language, several joined by ";".

    Where ``known`` is given nothing else is allowed; otherwise a word of the user's own stays as typed.
    """
    words = {
        text[lang]: key.partition(".")[2]
        for key, text in catalogue().items()
        if key.startswith(f"{section}.")
        for lang in LANGS
    }

    def translate(row: int, cell: str) -> str:
        parts = [part.strip() for part in re.split(r"[;;、,,/]", cell) if part.strip()]
        identifiers = [words.get(part, part) for part in parts]
        if known is not None:
            for part, identifier in zip(parts, identifiers, strict=True):
                if identifier not in known:
                    choices = "、".join(say("zh", f"{section}.{k}") for k in known)
                    raise InputError(
                        "word_unknown", file=file, row=row, column=HEADINGS[field][0], word=part, choices=choices
                    )
        return ";".join(identifiers)

    cells = _text(table, field)
    translated = [translate(row, cell) for row, cell in zip(cells.index.tolist(), cells.tolist(), strict=True)]
    return pd.Series(translated, index=table.index, dtype=object)


def _hours(file: str, table: pd.DataFrame) -> pd.Series:
    def read(row: int, cell: str) -> str:
        try:
            return in_osm_syntax(cell) if cell else ""
        except InputError as error:
            raise InputError(
                "cell_hours", file=file, row=row, column=HEADINGS["opening_hours"][0], text=cell
            ) from error

    cells = _text(table, "opening_hours")
    hours = [read(row, cell) for row, cell in zip(cells.index.tolist(), cells.tolist(), strict=True)]
    return pd.Series(hours, index=table.index, dtype=object)


def _read_points(
    study: Study, file: str, table: pd.DataFrame, point_datum: datum.Datum, notes: _Notes
) -> gpd.GeoDataFrame:
    """Return the rows that have a place, as points in the study's CRS; the others become rejects."""
    _need(table, file, "lon", "lat")
    lon, lat = _numbers(table, "lon"), _numbers(table, "lat")
    placed = lon.between(-180, 180) & lat.between(-90, 90)
    notes.reject(file, table[~placed], "no_coordinate")
    table, lon, lat = table[placed], lon[placed], lat[placed]
    if table.empty:
        raise InputError("no_rows_left", file=file)
    points = gpd.points_from_xy(*datum.to_wgs84(lon.to_numpy(), lat.to_numpy(), point_datum), crs=WGS84)
    return gpd.GeoDataFrame(table, geometry=points.to_crs(study.crs), crs=study.crs)


def _read_sites(study: Study, table: Table, status: str, streets: gpd.GeoDataFrame, notes: _Notes) -> gpd.GeoDataFrame:
    file = table.file
    raw = read_table(study.path(file), table.sheet)
    _need(raw, file, "id", "name")
    raw = _read_points(study, file, raw, table.datum, notes)
    _refuse_outside(study, file, raw, streets)
    sites = pd.DataFrame(index=raw.index)
    sites["id"], sites["name"], sites["host"], sites["address"] = (
        _text(raw, f) for f in ("id", "name", "host", "address")
    )
    for row, identifier in sites["id"].items():
        if not identifier:
            raise InputError("cell_empty", file=file, row=row, column=HEADINGS["id"][0])
    sites["tier"] = _identifiers(file, raw, "tier", "tier", get_args(Tier)).replace("", "township")
    sites["kind"] = _identifiers(file, raw, "kind", "kind")
    sites["status"] = status
    sites["mode"] = _identifiers(file, raw, "mode", "mode", get_args(Mode)) if status == "existing" else ""
    sites["modes"] = _identifiers(file, raw, "modes", "mode", get_args(Mode)) if status == "candidate" else ""
    sites["opening_hours"] = _hours(file, raw)
    sites["services"] = _identifiers(file, raw, "services", "service")
    sites["capacity"] = _numbers(raw, "capacity") if "capacity" in raw.columns else np.nan
    sites["zone"] = ""
    sites["source"] = [f"{file}#{row}" for row in raw.index]
    sites["geometry"] = raw.geometry
    unknown = sites["opening_hours"] == ""
    if status == "existing" and unknown.any():
        notes.warn("hours_unknown", file=file, rows=_some(sites.index[unknown]))
    return as_table(sites, SITE_COLUMNS, study.crs)


def _refuse_outside(study: Study, file: str, points: gpd.GeoDataFrame, streets: gpd.GeoDataFrame) -> None:
    """Refuse places farther from all streets than the service radius: a wrong datum or swapped axes makes every result wrong."""
    reach_box = shapely.box(*streets.total_bounds).buffer(study.standard.service_radius_m, join_style="mitre")
    outside = ~points.within(reach_box)
    if outside.any():
        raise InputError("sites_outside", file=file, count=int(outside.sum()), rows=_some(points.index[outside]))


def _refuse_repeats(ids: pd.Series, sources: pd.Series) -> None:
    repeated = ids.duplicated()
    if repeated.any():
        second = int(repeated.to_numpy().argmax())
        first = int((ids == ids.iloc[second]).to_numpy().argmax())
        file, _, row = sources.iloc[second].rpartition("#")
        raise InputError("id_twice", file=file, row=row, id=ids.iloc[second], first=sources.iloc[first])


def _some(rows: pd.Index) -> str:
    return ", ".join(str(row) for row in rows[:5]) + (" …" if len(rows) > 5 else "")


def _read_options(study: Study, table: Table) -> pd.DataFrame:
    file = table.file
    raw = read_table(study.path(file), table.sheet)
    _need(raw, file, "action", "kind", "mode", "capital_cost")
    options = pd.DataFrame(index=raw.index)
    options["action"] = _identifiers(file, raw, "action", "action", ("build", "extend_hours"))
    options["kind"] = _identifiers(file, raw, "kind", "kind")
    options["mode"] = _identifiers(file, raw, "mode", "mode", get_args(Mode))
    options["opening_hours"] = _hours(file, raw)
    options["services"] = _identifiers(file, raw, "services", "service")
    options["tier"] = _identifiers(file, raw, "tier", "tier", get_args(Tier)).replace("", "township")
    options["note"] = _text(raw, "note")
    options["capacity"] = _numbers(raw, "capacity") if "capacity" in raw.columns else np.nan
    for field in ("capital_cost", "operating_cost"):
        amount = _numbers(raw, field) if field in raw.columns else pd.Series(0.0, index=raw.index)
        options[field] = _not_negative(file, raw, field, amount, "cell_amount")
    options["source"] = [f"{file}#{row}" for row in raw.index]
    return options.reset_index(drop=True)[list(OPTION_COLUMNS)]


# --- layers ----------------------------------------------------------------------------------------------------------


def read_layer(study: Study, file: str, layer: str | None = None) -> gpd.GeoDataFrame:
    """Read a vector layer into the study's CRS; the index is the number of the feature in the file, from 1.

    Raises:
        InputError: unreadable, without a CRS, or empty.
    """
    path = study.path(file)
    _refuse_giant(path)
    try:
        frame = gpd.read_parquet(path) if path.suffix.lower() == ".parquet" else gpd.read_file(path, layer=layer)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError, OSError) as error:
        raise InputError("layer_unreadable", file=file, detail=str(error).splitlines()[0]) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise InputError("layer_no_geometry", file=file)
    if frame.empty or frame.geometry.isna().all() or frame.geometry.is_empty.all():
        raise InputError("layer_empty", file=file)
    if frame.crs is None:
        raise InputError("layer_no_crs", file=file)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame.to_crs(study.crs)


def _read_streets(study: Study, settings: Streets) -> gpd.GeoDataFrame:
    frame = read_layer(study, settings.file, settings.layer)
    lines = frame[frame.geom_type.isin(["LineString", "MultiLineString"])]
    if lines.empty:
        raise InputError("layer_not_lines", file=settings.file)
    if settings.class_column not in lines.columns:
        raise InputError(
            "layer_column", file=settings.file, column=settings.class_column, setting="streets.class_column"
        )
    classes = lines[settings.class_column].astype(str)
    lines, classes = lines[~classes.isin(settings.exclude)], classes[~classes.isin(settings.exclude)]
    if lines.empty:
        raise InputError("layer_all_excluded", file=settings.file)
    own_ids = "id" in lines.columns and lines["id"].notna().all() and lines["id"].is_unique
    streets = gpd.GeoDataFrame(
        {
            "id": lines["id"].astype(str) if own_ids else [f"S{n}" for n in lines.index],
            "highway": classes,
            "name": lines[settings.name_column].fillna("").astype(str) if settings.name_column in lines.columns else "",
            "source": [f"{settings.file}#{n}" for n in lines.index],
        },
        geometry=shapely.force_2d(lines.geometry.to_numpy()),
        index=lines.index,
        crs=study.crs,
    )
    return streets.reset_index(drop=True)


def _no_zones(study: Study) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({c: [] for c in ZONE_COLUMNS}, geometry="geometry", crs=study.crs)


def _read_polygons(study: Study, settings: Layer) -> gpd.GeoDataFrame:
    frame = read_layer(study, settings.file, settings.layer)
    frame = frame[frame.geom_type.isin(["Polygon", "MultiPolygon"])]
    if frame.empty:
        raise InputError("layer_not_polygons", file=settings.file)
    named = settings.name_column in frame.columns
    polygons = pd.DataFrame(
        {
            "id": frame[settings.id_column].astype(str)
            if settings.id_column in frame.columns
            else [f"Z{n:02d}" for n in frame.index],
            "name": frame[settings.name_column].fillna("").astype(str) if named else "",
            "source": [f"{settings.file}#{n}" for n in frame.index],
            "geometry": shapely.make_valid(frame.geometry.to_numpy()),
        }
    )
    return as_table(polygons, ZONE_COLUMNS, study.crs)


def _read_zones(study: Study, notes: _Notes) -> gpd.GeoDataFrame:
    if study.zones is None:
        notes.warn("no_zones")
        return _no_zones(study)
    zones = _read_polygons(study, study.zones)
    _refuse_repeats(zones["id"], zones["source"])
    return _apart(zones, study.zones.file, notes)


def _apart(zones: gpd.GeoDataFrame, file: str, notes: _Notes) -> gpd.GeoDataFrame:
    """Give ground that several zones claim to the first of them, so that nobody is counted twice, and say so."""
    one, other = zones.sindex.query(zones.geometry, predicate="intersects")
    shapes, shared_m2 = zones.geometry.to_numpy().copy(), 0.0
    for first, later in sorted(zip(one[one < other], other[one < other], strict=True)):
        shared = shapely.intersection(shapes[first], shapes[later]).area
        # Borders drawn twice overlap by slivers that hold nobody.
        if shared > 1.0:
            shared_m2 += shared
            shapes[later] = shapely.difference(shapes[later], shapes[first])
    if shared_m2:
        notes.warn("zones_overlap", file=file, km2=shared_m2 / 1e6)
    return zones.set_geometry(gpd.GeoSeries(shapes, crs=zones.crs))


def _zone_of(points: gpd.GeoSeries, zones: gpd.GeoDataFrame) -> np.ndarray:
    """Return the id of the zone each point lies in; the first by order where zones overlap; "" where none."""
    found = np.full(len(points), "", dtype=object)
    if len(zones):
        point, zone = zones.sindex.query(points, predicate="intersects")
        order = np.lexsort((zone, point))[::-1]
        found[point[order]] = zones["id"].to_numpy()[zone[order]]
    return found


# --- demand ----------------------------------------------------------------------------------------------------------


def _read_demand(
    study: Study, streets: gpd.GeoDataFrame, zones: gpd.GeoDataFrame, area: shapely.Geometry, notes: _Notes
) -> gpd.GeoDataFrame:
    parts = []
    for number, source in enumerate(study.demand, 1):
        if isinstance(source, LineDemand):
            part = _line_demand(study, source, number, streets, zones, area)
        else:
            part = _point_demand(study, source, number, zones, area, notes)
        parts.append(part)
    demand = pd.concat(parts, ignore_index=True)
    for group, settings in study.groups.items():
        if not week_profile(settings.shifts).any():
            raise InputError("group_never_works", file="study.toml", group=group)
    return as_table(demand, DEMAND_COLUMNS, study.crs)


def _line_demand(
    study: Study,
    settings: LineDemand,
    number: int,
    streets: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    area: shapely.Geometry,
) -> pd.DataFrame:
    """Spread a total over pieces of street by swept area: length × the class's width.

    Streets are cut at zone borders and into equal pieces of at most ``piece_m``; each piece is a unit measured from its midpoint.
    """
    swept = streets[streets["highway"].map(settings.width_m).fillna(0) > 0]
    pieces: list[tuple[int, shapely.LineString, str]] = []
    lines = swept.geometry.to_numpy()
    inside = _cut_by_zones(lines, zones) if len(zones) else _cut_by_area(lines, area)
    for street, line, zone in inside:
        number_of_pieces = max(1, int(np.ceil(line.length / settings.piece_m - 1e-9)))
        pieces += [(street, piece, zone) for piece in _equal_pieces(line, number_of_pieces)]
    if not pieces:
        raise InputError("no_swept_streets", file="study.toml", number=number)
    of_street, line_of, zone_of = (list(column) for column in zip(*pieces, strict=True))
    lengths_m = shapely.length(line_of)
    of = swept.iloc[of_street]
    swept_m2 = lengths_m * of["highway"].map(settings.width_m).to_numpy(dtype=float)
    nth = pd.Series(of_street).groupby(of_street).cumcount() + 1
    return pd.DataFrame(
        {
            "id": [f"D{number}-{s}-{n}" for s, n in zip(of["id"], nth, strict=True)],
            "group": settings.group,
            "weight": settings.total * swept_m2 / swept_m2.sum(),
            "zone": zone_of,
            "street_class": of["highway"].to_numpy(),
            "length_m": lengths_m,
            "source": of["source"].to_numpy(),
            "geometry": shapely.line_interpolate_point(line_of, 0.5, normalized=True),
            "line": line_of,
        }
    )


def _cut_by_zones(lines: np.ndarray, zones: gpd.GeoDataFrame) -> list[tuple[int, shapely.LineString, str]]:
    """Return (street, part of its line, zone) for the parts inside zones, in the order of streets, then zones."""
    polygons, ids = zones.geometry.to_numpy(), zones["id"].to_numpy()
    shapely.prepare(polygons)
    street, zone = shapely.STRtree(polygons).query(lines, predicate="intersects")
    order = np.lexsort((zone, street))
    street, zone = street[order], zone[order]
    whole = shapely.contains_properly(polygons[zone], lines[street])
    parts = lines[street].copy()
    parts[~whole] = shapely.intersection(lines[street[~whole]], polygons[zone[~whole]])
    cut = []
    for s, z, part in zip(street, zone, parts, strict=True):
        cut += [(int(s), line, str(ids[z])) for line in _line_parts(part)]
    return cut


def _cut_by_area(lines: np.ndarray, area: shapely.Geometry) -> list[tuple[int, shapely.LineString, str]]:
    return [(s, line, "") for s, part in enumerate(shapely.intersection(lines, area)) for line in _line_parts(part)]


def _line_parts(part: shapely.Geometry) -> list[shapely.LineString]:
    """Return the lines of an intersection: crumbs below a centimetre and touching points are no demand."""
    merged = shapely.line_merge(part) if part.geom_type == "MultiLineString" else part
    return [p for p in shapely.get_parts(merged) if p.geom_type == "LineString" and p.length > 0.01]


def _equal_pieces(line: shapely.LineString, pieces: int) -> list[shapely.LineString]:
    if pieces == 1:
        return [line]
    along = shapely.line_locate_point(line, shapely.points(shapely.get_coordinates(line)))
    along[-1] = line.length  # a loop's last point would be found at its first
    along = np.maximum.accumulate(along)
    cuts = np.linspace(0, line.length, pieces + 1)
    xy, cut_xy = shapely.get_coordinates(line), shapely.get_coordinates(shapely.line_interpolate_point(line, cuts))
    return [
        shapely.LineString(np.vstack([cut_xy[n], xy[(along > cuts[n]) & (along < cuts[n + 1])], cut_xy[n + 1]]))
        for n in range(pieces)
    ]


def _point_demand(
    study: Study, settings: PointDemand, number: int, zones: gpd.GeoDataFrame, area: shapely.Geometry, notes: _Notes
) -> pd.DataFrame:
    file = settings.file
    raw = read_table(study.path(file), settings.sheet)
    _need(raw, file, "weight")
    raw = _read_points(study, file, raw, settings.datum, notes)
    weight = _numbers(raw, "weight")
    _not_negative(file, raw, "weight", weight, "cell_weight")
    inside = raw.intersects(area)
    notes.reject(file, raw[~inside], "outside_area")
    if not inside.any():
        raise InputError("all_outside", file=file)
    raw, weight = raw[inside], weight[inside]
    if weight.sum() <= 0:
        raise InputError("no_weight", file=file)
    points = pd.DataFrame(
        {
            "id": [f"D{number}-{row}" for row in raw.index],
            "group": settings.group,
            "weight": weight,
            "zone": _zone_of(raw.geometry, zones),
            "street_class": "",
            "length_m": np.nan,
            "source": [f"{file}#{row}" for row in raw.index],
            "geometry": raw.geometry,
            "line": None,
        }
    )
    return points.reset_index(drop=True)
