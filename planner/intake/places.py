"""Tables of places -> points in the study's CRS, sites and options.

Takes raw tables; gives checked ones. Finds out in which datum, order and system the coordinates are, and says what speaks for it; asks
where that stays uncertain.
"""

import difflib
import math
import re
from pathlib import Path, PurePath
from typing import get_args

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS, Transformer
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from planner import datum, evidence
from planner.errors import InputError
from planner.evidence import Evidence, Ground
from planner.hours import in_season, perhaps_on_12_hours
from planner.intake import columns
from planner.intake.age import note_age
from planner.intake.cells import angles, money, pair, plain
from planner.intake.grid import Grid
from planner.intake.headings import bare, declared_datum
from planner.intake.layers import LAYER_SUFFIXES, likely_crs, note_unread, read_raw_layer
from planner.intake.notes import Notes, some
from planner.intake.table import RawTable, read_table, table_of
from planner.study import STUDY_FILE, Action, Mode, Role, Study, Table, Tier
from planner.tables import NOTE_COLUMNS, OPTION_COLUMNS, SITE_COLUMNS, as_table, service_set
from planner.words import LANGS, catalogue, say, term

# Numbers swapped or in another system land farther off than any walk; metres of error in a datum never do.
_FAR_M = 100_000.0
# Two rows of one name this near to each other are one place written down twice.
_SAME_PLACE_M = 30.0
_SAME_NAME = 0.8
# More names than this on one spot are addresses found only to the town, which is told; only equal ones are put together there.
_CROWD, _LONGEST_NAME = 100, 200
# A name this long that stands twice, within this distance, names one place: chains number or place their branches. K.
_LONG_NAME, _NEARBY_M = 5, 1_000.0
# Without a word about the datum in study.toml, evidence this strong is not passed over.
_BEYOND_DOUBT, _ENOUGH_POINTS = 0.999, 10
_IN_WATER_M = 30.0
# Two lists put together are looked for in at most so many pieces of at least so many rows; two datums must be this much likelier than one.
_PIECES, _PIECE, _PASTED = 5, 20, 1_000.0
# Coordinates of another family than the others', metres among degrees, that fit nowhere: a slip where they are so few, a table to ask about
# where they are more. K.
_STRAY = 0.2


_EARTH = (-180.0, -85.0, 180.0, 85.0)


def read_places(study: Study, settings: Table, notes: Notes, *, may_be_empty: bool = False) -> RawTable:
    """Read a table of the study: a sheet, a csv, or a layer of points."""
    path = study.path(settings.file)
    if path.suffix.lower() in LAYER_SUFFIXES:
        table = _read_layer_table(path, settings, notes)
        note_unread(path, settings.file, settings.sheet, notes, setting="sheet")
    else:
        table = read_table(
            path, settings.sheet, columns=settings.columns, header=settings.header, may_be_empty=may_be_empty
        )
    # A file in a folder keeps its path in every sentence, and of a workbook with several sheets the sheet is named.
    file = f"{settings.file}!{table.sheet}" if settings.sheet and table.sheet else settings.file
    table = RawTable(**{**vars(table), "file": file})
    notes.saw(table)
    note_age(study, table, notes)
    return table


def table_of_layer(path: Path, settings: Table) -> Grid:
    """Return a layer of points as the cells of a table: a header, then a row a feature, longitude and latitude (WGS-84) last.

    Raises:
        InputError: unreadable, or without a coordinate system.
    """
    return _cells_of(_in_degrees(path, settings), settings)


def _in_degrees(path: Path, settings: Table) -> gpd.GeoDataFrame:
    layer = gpd.GeoDataFrame(read_raw_layer(path, settings.file, settings.sheet))
    if layer.crs is None and settings.crs is None:
        bounds = "–".join(f"{number:.10g}" for number in layer.total_bounds)
        raise InputError("layer_no_crs", file=settings.file, numbers=bounds, likely=likely_crs(layer))
    return (layer if settings.crs is None else layer.set_crs(settings.crs, allow_override=True)).to_crs("EPSG:4326")


def _cells_of(degrees: gpd.GeoDataFrame, settings: Table) -> Grid:
    where = degrees.geometry.representative_point()
    cells = pd.DataFrame(degrees.drop(columns=degrees.geometry.name)).astype(object)
    cells = cells.where(cells.notna(), "").astype(str)
    lon, lat = (["" if math.isnan(v) else str(v) for v in axis] for axis in (where.x.tolist(), where.y.tolist()))
    # A layer made from a table has that table's columns of numbers still; where its points are is what holds.
    heads = [f"原{c}" if bare(str(c)) in ("经度", "纬度") else str(c) for c in cells.columns] + ["经度", "纬度"]
    rows = [[*row, x, y] for row, x, y in zip(cells.to_numpy().tolist(), lon, lat, strict=True)]
    return Grid(settings.sheet or "", [heads, *rows])


def _read_layer_table(path: Path, settings: Table, notes: Notes) -> RawTable:
    """Return a layer's features as a table with longitudes and latitudes; row n is feature n.

    A line, or several points in one, is no place: one point of it stands for it, and that is told. Of an area that goes without saying.
    """
    degrees = _in_degrees(path, settings)
    shapes = degrees.geometry
    odd = shapes.geom_type.isin(["LineString", "MultiLineString", "GeometryCollection"]) | (
        (shapes.geom_type == "MultiPoint") & (shapely.get_num_geometries(shapes.to_numpy()) > 1)
    )
    if odd.any():
        rows = some(np.flatnonzero(odd) + 1)
        notes.warn("no_points", file=settings.file, count=int(odd.sum()), rows=rows)
    table = table_of(_cells_of(degrees, settings), settings.file, columns=settings.columns, header=1)
    return RawTable(
        **{**vars(table), "rows": table.rows.rename(lambda n: n - 1), "aside": table.aside.rename(lambda n: n - 1)}
    )


def locate_rows(
    study: Study, settings: Table, table: RawTable, ground: Ground, zones: gpd.GeoDataFrame, notes: Notes
) -> tuple[RawTable, gpd.GeoSeries]:
    """Return the rows that have a place within the study, and their points in the study's CRS; the others become rejects.

    Raises:
        InputError: no row has a place, most lie outside, or it stays uncertain which datum the numbers have.
    """
    first, second = coordinates(table)
    unread = first.isna() | second.isna()
    nought = ~unread & (first == 0) & (second == 0)
    unsaved = [row for field in ("lon", "lat", "coordinates") for row in table.unsaved.get(field, ())]
    formula = unread & table.rows.index.isin(unsaved)
    for rows, key in (
        (unread & ~formula, "no_coordinate"),
        (formula, "no_coordinate_formula"),
        (nought, "zero_coordinate"),
    ):
        notes.reject(table, table.rows[rows], key)
    kept = ~(unread | nought)
    table, a, b = _only(table, kept), first[kept].to_numpy(), second[kept].to_numpy()
    if table.rows.empty:
        raise InputError("no_rows_left", file=table.file)
    xy, lost = np.full((len(a), 2), np.inf), np.zeros(len(a), dtype=bool)
    metres = evidence.are_metres(a, b)
    for family in (metres, ~metres):
        if family.any():
            x, y = a[family], b[family]
            if not metres[family].any():
                x, y = _straighten(study, table, table.rows.index[family], x, y, ground.area, notes)
            try:
                xy[family] = _read_family(study, settings, _only(table, family), x, y, ground, zones, notes)
            except InputError:
                # A telephone number among longitudes is that row's fault, not the table's.
                if family.mean() >= _STRAY:
                    raise
                lost |= family
    if lost.any():
        notes.reject(table, table.rows[lost], "stray_coordinate")
        table, xy = _only(table, ~lost), xy[~lost]
    points = gpd.GeoSeries(shapely.points(np.where(np.isfinite(xy), xy, 1e12)), index=table.rows.index, crs=study.crs)
    return table, points


def _only(table: RawTable, rows: "pd.Series | np.ndarray") -> RawTable:
    return RawTable(**{**vars(table), "rows": table.rows[np.asarray(rows)]})


def coordinates(table: RawTable) -> tuple[pd.Series, pd.Series]:
    """Return the two columns of numbers; one column that holds both is taken apart, and fills what the two leave blank."""
    rows = table.rows
    blank = pd.Series(np.nan, index=rows.index)
    if not {"lon", "lat"} <= set(rows.columns) and "coordinates" not in rows.columns:
        columns.need(table, "lon", "lat")
    first = angles(rows["lon"]) if "lon" in rows.columns else blank.copy()
    second = angles(rows["lat"]) if "lat" in rows.columns else blank.copy()
    if "coordinates" in rows.columns:
        missing = first.isna() | second.isna()
        pairs = np.array([pair(str(cell)) for cell in rows.loc[missing, "coordinates"]]).reshape(-1, 2)
        first[missing], second[missing] = pairs[:, 0], pairs[:, 1]
    return first, second


def _straighten(
    study: Study,
    table: RawTable,
    rows: pd.Index,
    x: np.ndarray,
    y: np.ndarray,
    area: tuple[float, float, float, float],
    notes: Notes,
) -> tuple[np.ndarray, np.ndarray]:
    """Return longitudes and latitudes; rows in which they stand the other way round are turned, and named."""
    box = shapely.box(*area)
    distance = [
        shapely.distance(shapely.points(np.where(np.isfinite(xy), xy, 1e12)), box)
        for xy in (datum.place(x, y, datum.Reading("WGS-84", swapped), study.crs) for swapped in (False, True))
    ]
    swapped = (distance[0] > _FAR_M) & (distance[1] <= _FAR_M)
    if swapped.any():
        notes.warn("axes_swapped", file=table.file, count=int(swapped.sum()), rows=some(rows[swapped]))
    return np.where(swapped, y, x), np.where(swapped, x, y)


def _read_family(
    study: Study,
    settings: Table,
    table: RawTable,
    x: np.ndarray,
    y: np.ndarray,
    ground: Ground,
    zones: gpd.GeoDataFrame,
    notes: Notes,
) -> np.ndarray:
    """Return where coordinates of one family, degrees or metres, lie: as declared, or as the evidence has it."""
    stated, weighed = _stated(table), _weigh(study, table, x, y, ground, zones)
    best = weighed[0]
    shown = _evidence_sentence(study, weighed)
    if evidence.are_metres(x, y)[0]:
        if settings.crs is not None:
            reading = datum.Reading(settings.crs, best.reading.swapped if best.reading.datum == settings.crs else False)
        elif best.near > 0 and best.likelihood >= evidence.SURE:
            reading = best.reading
            notes.warn("read_as", file=table.file, reading=reading.datum, evidence=shown)
        else:
            raise InputError("metres_unsure", file=table.file, evidence=shown)
        notes.weighed(table.file, weighed, reading)
        return datum.place(x, y, reading, study.crs)
    wanted: str = "WGS-84" if settings.datum == "CGCS2000" else settings.datum
    own_word = "datum" in settings.model_fields_set
    if wanted == "auto":
        if best.likelihood < evidence.SURE or best.near == 0:
            raise InputError("datum_unsure", file=table.file, evidence=shown, points=best.points)
        wanted = best.reading.datum
        notes.warn("read_as", file=table.file, reading=wanted, evidence=shown)
    elif best.reading.datum != wanted and best.likelihood >= _BEYOND_DOUBT and best.points >= _ENOUGH_POINTS:
        if not own_word:
            raise InputError("datum_unsure", file=table.file, evidence=shown, points=best.points)
        notes.warn("datum_contradicted", file=table.file, datum=settings.datum, best=best.reading.datum, evidence=shown)
    elif not own_word and stated in ("GCJ-02", "BD-09"):
        raise InputError("datum_stated", file=table.file, stated=stated)
    reading = datum.Reading(wanted)
    notes.weighed(table.file, weighed, reading)
    _note_pasted(study, table, x, y, ground, zones, notes)
    return datum.place(x, y, reading, study.crs)


def _note_pasted(
    study: Study, table: RawTable, x: np.ndarray, y: np.ndarray, ground: Ground, zones: gpd.GeoDataFrame, notes: Notes
) -> None:
    """Note a table whose upper rows are in one datum and whose lower rows in another, as where two lists were put together.

    The rows are weighed in pieces, in their order; two datums must explain them so much better than one that chance doesn't, wherever
    the border is.
    """
    count = min(_PIECES, len(x) // _PIECE)
    if count < 2 or not len(ground.streets):
        return
    names = ("WGS-84", "GCJ-02", "BD-09")
    pieces, scores = np.array_split(np.arange(len(x)), count), np.full((count, len(names)), -np.inf)
    for n, whole in enumerate(pieces):
        piece = whole[:: -(-len(whole) // (2 * _PIECE))]
        for e in _weigh(study, _only(table, np.isin(np.arange(len(x)), piece)), x[piece], y[piece], ground, zones):
            if not e.reading.swapped and e.reading.datum in names:
                scores[n, names.index(e.reading.datum)] = math.log(max(e.likelihood, 1e-300))
    if not np.isfinite(scores).all():
        return
    above, below = np.cumsum(scores, axis=0), np.cumsum(scores[::-1], axis=0)[::-1]
    ways = [
        (above[n - 1, a] + below[n, b], n, a, b) for n in range(1, count) for a in range(3) for b in range(3) if a != b
    ]
    score, border, a, b = max(ways)
    if score - above[-1].max() - math.log(len(ways)) >= math.log(_PASTED):
        row = table.rows.index[pieces[border][0]]
        notes.warn("datum_pasted", file=table.file, row=row, above=names[a], below=names[b])


def _weigh(
    study: Study, table: RawTable, x: np.ndarray, y: np.ndarray, ground: Ground, zones: gpd.GeoDataFrame
) -> tuple[Evidence, ...]:
    return evidence.weigh(
        x,
        y,
        crs=study.crs,
        ground=ground,
        area=ground.area,
        zones=_named_zones(table, zones),
        streets=_named_streets(table, ground),
        kinds=columns.identifiers(table, "kind", "kind").to_numpy(),
        stated=_stated(table),
    )


def weigh_table(study: Study, table: RawTable, ground: Ground, zones: gpd.GeoDataFrame) -> tuple[Evidence, ...]:
    """Return what speaks for each reading of a table's longitudes and latitudes, the likeliest first; nothing where it has none."""
    x, y = coordinates(table)
    kept = (x.notna() & y.notna() & ~((x == 0) & (y == 0)) & ~evidence.are_metres(x, y)).to_numpy()
    return (
        _weigh(study, _only(table, kept), x[kept].to_numpy(), y[kept].to_numpy(), ground, zones) if kept.any() else ()
    )


def _stated(table: RawTable) -> str:
    """Return the datum that the headings of the coordinates, the sheet's, the file's name or the rows' origin speak of."""
    heads = [table.headings[f] for f in ("lon", "lat", "coordinates") if f in table.headings]
    origins = table.rows["origin"].unique().tolist() if "origin" in table.rows.columns else []
    named = {declared_datum(word) for word in (*heads, table.sheet, PurePath(table.file).stem)} - {""}
    named |= {declared_datum(str(word)) for word in origins} - {""} if len(origins) == 1 else set()
    return named.pop() if len(named) == 1 else ""


def _named_zones(table: RawTable, zones: gpd.GeoDataFrame) -> np.ndarray | None:
    """Return for each row the polygon of the zone that it names, None where it names none."""
    if "zone" not in table.rows.columns or zones.empty:
        return None
    once = zones[~zones["name"].duplicated(keep=False)]
    by_name = dict(zip(once["name"], once.geometry, strict=True)) | dict(zip(zones["id"], zones.geometry, strict=True))
    by_name.pop("", None)
    named = [by_name.get(str(cell).strip()) for cell in table.rows["zone"]]
    return np.array(named, dtype=object) if any(zone is not None for zone in named) else None


def _named_streets(table: RawTable, ground: Ground) -> np.ndarray | None:
    """Return for each row the street that its name or address speaks of ("解放路支行", "人民路12号"), None where it names none."""
    if not ground.named:
        return None
    texts = columns.text(table, "name").str[:_LONGEST_NAME] + " " + columns.text(table, "address").str[:_LONGEST_NAME]
    named = [ground.street_in(text) for text in texts]
    return np.array(named, dtype=object) if any(street is not None for street in named) else None


def _evidence_sentence(study: Study, weighed: tuple[Evidence, ...]) -> str:
    """Return what speaks for each reading that lands near the study: "GCJ-02 9 m (99.8%), WGS-84 310 m (0.2%)"."""
    near = [e for e in weighed if e.near > 0] or list(weighed[:3])
    parts = [
        say(study.language, "quality.reading", datum=e.reading.datum, median=_metres(e.median_m), likely=e.likelihood)
        for e in near[:4]
    ]
    return "; ".join(parts)


def _metres(median_m: float) -> str:
    return "–" if math.isnan(median_m) else f"{median_m:,.0f}"


# --- sites -----------------------------------------------------------------------------------------------------------


def read_sites(
    study: Study, settings: Table, status: str, ground: Ground, zones: gpd.GeoDataFrame, notes: Notes
) -> gpd.GeoDataFrame:
    """Return a table of existing sites or candidates; rows without a place, or far from all streets, become rejects.

    A table of existing sites may hold none: where there is no site yet, all is to be built.
    """
    table = read_places(study, settings, notes, may_be_empty=status == "existing")
    columns.need(table, "name")
    if table.rows.empty and table.aside.empty:
        notes.warn("no_sites", file=table.file)
        return as_table(pd.DataFrame(columns=list(SITE_COLUMNS)), SITE_COLUMNS, study.crs)
    table, points = locate_rows(study, settings, table, ground, zones, notes)
    table, points = _within_reach(study, table, points, ground, notes)
    file, sites = table.file, pd.DataFrame(index=table.rows.index)
    sites["id"] = _ids(table, status)
    for field in ("name", "host", "address"):
        sites[field] = columns.text(table, field)
    sites["tier"] = columns.identifiers(table, "tier", "tier", get_args(Tier)).replace("", "township")
    sites["role"] = columns.identifiers(table, "role", "role", get_args(Role)).replace("", "rest_station")
    sites["kind"] = columns.identifiers(table, "kind", "kind")
    sites["status"] = status
    existing = status == "existing"
    sites["mode"] = columns.identifiers(table, "mode", "mode", get_args(Mode)) if existing else ""
    sites["modes"] = "" if existing else columns.identifiers(table, "modes", "mode", get_args(Mode))
    sites["opening_hours"] = _hours(study, table, notes)
    sites["services"] = _services(study, table, notes)
    sites["capacity"] = columns.capacity(table)
    sites["surveyed"] = sites["took_part"] = np.nan
    sites["community"] = columns.text(table, "community")
    sites = sites.assign(**_notes(table))
    sites["zone"] = ""
    sites["source"] = [f"{file}#{row}" for row in sites.index]
    sites["geometry"] = points.to_numpy()
    unknown = sites["opening_hours"] == ""
    if existing and unknown.any():
        notes.warn("hours_unknown", file=file, rows=some(sites.index[unknown]))
    seatless = sites["capacity"].isna()
    if existing and study.capacity and seatless.any():
        notes.warn("seats_unknown", file=file, rows=some(sites.index[seatless]))
    return as_table(sites, SITE_COLUMNS, study.crs)


def _hours(study: Study, table: RawTable, notes: Notes) -> pd.Series:
    """Return each row's opening hours in the season that is planned for; rows whose hours hang on it, or are doubtful, are noted."""
    said = columns.hours(table)
    doubtful = said.map(perhaps_on_12_hours)
    rows = doubtful.index[(doubtful != "").to_numpy()]
    if len(rows):
        head, span = table.headings["opening_hours"], doubtful[rows[0]]
        notes.warn("hours_turned", file=table.file, rows=some(rows), column=head, span=span)
    then = said.map(lambda text: in_season(text, study.season_planned))
    seasonal = (then != said).to_numpy()
    if seasonal.any():
        planned = study.season_planned
        season = term(study.language, "season", planned) if planned else say(study.language, "quality.march")
        notes.warn("hours_seasonal", file=table.file, rows=some(said.index[seasonal]), season=season)
        notes.hours_said |= {f"{table.file}#{row}": text for row, text in said[seasonal].items()}
    return then


def _services(study: Study, table: RawTable, notes: Notes) -> pd.Series:
    """Return each row's services; words that are neither known nor required are noted, for they may be slips."""
    services = columns.identifiers(table, "services", "service")
    known = known_services() | set(study.standard.services)
    strange: dict[str, list[int]] = {}
    for row, cell in zip(services.index.tolist(), services.tolist(), strict=True):
        for word in sorted(service_set(cell) - known):
            strange.setdefault(word, []).append(row)
    for word, rows in strange.items():
        notes.warn("service_unknown", file=table.file, rows=some(pd.Index(rows)), word=word)
    return services


def _notes(table: RawTable) -> dict[str, pd.Series]:
    """Return what a row says for the programme to pass on (`NOTE_COLUMNS`)."""
    return {column: columns.text(table, column) for column in NOTE_COLUMNS} | {
        "floor_area_m2": columns.floor_area_m2(table)
    }


def known_services() -> set[str]:
    """Return the identifiers of the services that have a word in both languages."""
    return {key.partition(".")[2] for key in catalogue() if key.startswith("service.")}


def refuse_unoffered(study: Study, sites: gpd.GeoDataFrame, options: pd.DataFrame) -> None:
    """Refuse a standard that requires what no place and no option offers: nothing could ever count as effective."""
    if sites.empty and options.empty:
        return  # nothing stands and nothing is planned: gaps alone are asked for
    offered = frozenset[str]().union(*map(service_set, [*sites["services"], *options["services"]]))
    for service in study.standard.services:
        if service not in offered:
            words = {say(lang, f"service.{known}"): known for known in known_services() for lang in LANGS}
            words |= {known: known for known in (*known_services(), *offered)}
            near = difflib.get_close_matches(service, sorted(words), n=1, cutoff=0.0)[0]
            raise InputError("service_nowhere", file=STUDY_FILE, service=service, near=words[near])


def _ids(table: RawTable, status: str) -> pd.Series:
    """Return the user's ids; S3 or C3 for row 3 where the table has no such column."""
    ids = columns.text(table, "id")
    if (ids == "").all():
        letter = "S" if status == "existing" else "C"
        return pd.Series([f"{letter}{row}" for row in table.rows.index], index=table.rows.index, dtype=object)
    for row, identifier in ids.items():
        if not identifier:
            raise InputError("cell_empty", file=table.file, row=row, column=table.headings["id"])
    return ids


def extent(study: Study, streets: gpd.GeoDataFrame, zones: gpd.GeoDataFrame) -> tuple[float, float, float, float]:
    """Return the box around the streets; without them around the zones, or else where the study's CRS is made for."""
    for layer in (streets, zones):
        if len(layer):
            west, south, east, north = layer.total_bounds.tolist()
            return west, south, east, north
    crs = CRS(study.crs)
    to_metres = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    return to_metres.transform_bounds(*(crs.area_of_use.bounds if crs.area_of_use else _EARTH))


def walkable_area(study: Study, ground: Ground) -> shapely.Polygon:
    """Return the study's extent, wider by the service radius: whoever stands outside cannot walk to a street."""
    (west, south, east, north), radius_m = ground.area, study.standard.service_radius_m
    # Not by `buffer`, which drops a box without area: all streets may lie on one line.
    return shapely.box(west - radius_m, south - radius_m, east + radius_m, north + radius_m)


def _within_reach(
    study: Study, table: RawTable, points: gpd.GeoSeries, ground: Ground, notes: Notes
) -> tuple[RawTable, gpd.GeoSeries]:
    """Set places aside that lie farther from all streets than the service radius; refuse a table most of which does.

    Nobody can walk to them within the radius; where it is most of them, the datum or the axes are wrong and so would be every result.
    """
    outside = ~points.within(walkable_area(study, ground)).to_numpy()
    if 2 * outside.sum() >= len(points):
        rows = some(points.index[outside])
        raise InputError("sites_outside", file=table.file, count=int(outside.sum()), rows=rows)
    notes.reject(table, table.rows[outside], "outside_streets")
    return _only(table, ~outside), points[~outside]


def refuse_repeats(sites: gpd.GeoDataFrame) -> None:
    """Refuse an id that two places share."""
    repeated = sites["id"].duplicated()
    if repeated.any():
        second = int(repeated.to_numpy().argmax())
        first = int((sites["id"] == sites["id"].iloc[second]).to_numpy().argmax())
        file, _, row = sites["source"].iloc[second].rpartition("#")
        source = sites["source"].iloc[first]
        raise InputError("id_twice", file=file, row=row, id=sites["id"].iloc[second], first=source)


def note_doubts(study: Study, sites: gpd.GeoDataFrame, water: gpd.GeoDataFrame, notes: Notes) -> None:
    """Note places that may be wrong: one written down twice, many on one spot, in the water, in another datum than the rest."""
    names = [_core(name) for name in sites["name"]]
    xy = shapely.get_coordinates(sites.geometry)
    for group in _doubled(sites):
        one, other, more = group[0], group[1], group[2:]
        told: dict[str, object] = {"one": _shown(sites, one), "other": _shown(sites, other)}
        if more:
            notes.warn("duplicates", **told, count=len(group), rows=some(sites["source"].iloc[more]))
        else:
            notes.warn("duplicate", **told, m=math.dist(xy[one], xy[other]))
    kinds = sites["status"].to_numpy()
    for group in _alike_groups(sites):
        standing, planned = ([n for n in group if kinds[n] == status] for status in ("existing", "candidate"))
        if standing and planned:
            one, other, count = planned[0], standing[0], len(planned)
            told = {"one": _shown(sites, one), "other": _shown(sites, other), "m": math.dist(xy[one], xy[other])}
            notes.warn("candidates_stand" if count > 1 else "candidate_stands", **told, count=count)
    spot = (
        pd.Series([tuple(p) for p in np.round(xy, 2)]).to_frame("at").groupby("at", sort=False)["at"].transform("size")
    )
    if (spot >= 3).any():
        crowded = sites[(spot >= 3).to_numpy()]
        notes.warn("same_spot", count=len(crowded), places=", ".join(crowded["source"][:5]))
    if len(water):
        deep = shapely.buffer(water.union_all(), -_IN_WATER_M)
        wet = sites[shapely.intersects(sites.geometry.to_numpy(), deep)]
        if len(wet):
            notes.warn("in_water", count=len(wet), places=", ".join(wet["source"][:5]))
    _note_mixed(study, sites, names, xy, notes)


def doubles(sites: gpd.GeoDataFrame) -> list[tuple[int, int, float]]:
    """Return pairs of rows, by position, that look like one place written down twice, and how far apart they are in metres.

    Of several rows of one place each is paired with the first.
    """
    xy = shapely.get_coordinates(sites.geometry)
    return [(group[0], n, math.dist(xy[group[0]], xy[n])) for group in _doubled(sites) for n in group[1:]]


def _doubled(sites: gpd.GeoDataFrame) -> list[list[int]]:
    """Return groups of rows, by position, of one status that look like one place."""
    found = []
    for status in ("existing", "candidate"):
        rows = np.flatnonzero((sites["status"] == status).to_numpy())
        found += [[int(rows[n]) for n in group] for group in _alike_groups(sites.iloc[rows])]
    return found


def _alike_groups(sites: gpd.GeoDataFrame) -> list[list[int]]:
    """Return groups of rows, by position, in which each stands on one spot with another that has an alike name.

    Rows of one name come together first, around one of them, so that a thousand of them on a spot are a thousand steps and not a
    million; only that one is held against other names.
    """
    names, xy = pd.Series([_core(name) for name in sites["name"]]), shapely.get_coordinates(sites.geometry)
    links, stars = list[tuple[int, int]](), list[np.ndarray]()
    for name, of_name in names.groupby(names, sort=False):
        own = _stars(xy, of_name.index.to_numpy()) if name else []
        links += [(int(star[0]), int(row)) for star in own for row in star[1:]] + _touching(xy, own)
        stars += own
    # 1号 and 2号 of a place are two places.
    digits = names[[int(star[0]) for star in stars]].str.replace(r"\D", "", regex=True).reset_index(drop=True)
    for _, of_digits in digits.groupby(digits, sort=False):
        at = xy[[stars[n][0] for n in of_digits.index]]
        crowd = cKDTree(at).query_ball_point(at, 3 * _SAME_PLACE_M, return_length=True)
        calm = [stars[n] for n in of_digits.index[crowd <= _CROWD]]
        links += _touching(xy, calm, names)
    one, other = np.array(links, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (one, other)), shape=(len(names), len(names)))
    group_of = connected_components(graph, directed=False)[1]
    groups = names.groupby(group_of, sort=False)
    return [rows.index.tolist() for _, rows in groups if len(rows) > 1]


def _stars(xy: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """Return rows around the first of them that none has taken yet, it first, until all are taken."""
    tree, left, stars = cKDTree(xy[rows]), np.ones(len(rows), dtype=bool), list[np.ndarray]()
    for n in range(len(rows)):
        if left[n]:
            near = np.array(tree.query_ball_point(xy[rows[n]], _SAME_PLACE_M))
            left[n] = False
            stars.append(np.append(rows[n], rows[near[left[near]]]))
            left[near] = False
    return stars


def _touching(xy: np.ndarray, stars: list[np.ndarray], names: pd.Series | None = None) -> list[tuple[int, int]]:
    """Return the first rows of stars of which a row of one stands on one spot with a row of the other; of alike ``names`` if given."""
    if len(stars) < 2:
        return []
    first = [int(star[0]) for star in stars]
    near = list(cKDTree(xy[first]).query_pairs(3 * _SAME_PLACE_M))
    if names is not None:
        near = [(a, b) for a, b in near if _alike(names[first[a]], names[first[b]])]
    apart_m = [cKDTree(xy[stars[a]]).query(xy[stars[b]])[0].min() for a, b in near]
    return [(first[a], first[b]) for (a, b), m in zip(near, apart_m, strict=True) if m <= _SAME_PLACE_M]


def _note_mixed(study: Study, sites: gpd.GeoDataFrame, names: list[str], xy: np.ndarray, notes: Notes) -> None:
    """Note places of one name that lie apart by just what one datum moves against another."""
    of_name = pd.Series(range(len(names))).groupby(names, sort=True).groups
    for name, rows in of_name.items():
        if len(str(name)) < 4 or len(rows) != 2:
            continue
        one, other = int(rows[0]), int(rows[1])
        apart = xy[other] - xy[one]
        if not _SAME_PLACE_M < math.hypot(*apart) < 2_000:
            continue
        mixed = False
        for start, end, way in ((one, other, apart), (other, one, -apart)):
            for shifted in ("GCJ-02", "BD-09"):
                move = datum.shift_between(xy[[start]], shifted, "WGS-84", study.crs)[0]
                if math.dist(move, way) <= _SAME_PLACE_M * 2:
                    mixed = True
                    notes.warn("datum_mixed", one=_shown(sites, end), other=_shown(sites, start), datum=shifted)
        same = all(sites[column].iloc[one] == sites[column].iloc[other] for column in ("name", "status"))
        if same and not mixed and len(str(name)) >= _LONG_NAME and math.hypot(*apart) <= _NEARBY_M:
            notes.warn("same_name", one=_shown(sites, one), other=_shown(sites, other), m=math.hypot(*apart))


def _shown(sites: gpd.GeoDataFrame, n: int) -> str:
    return f"{sites['name'].iloc[n]}({sites['source'].iloc[n]})"


def _core(name: str) -> str:
    """Return a name without brackets, spaces and signs; of a text that is no name any more, its beginning."""
    return re.sub(r"\([^()]*\)|\W", "", plain(name[:_LONGEST_NAME])).lower()


def _alike(one: str, other: str) -> bool:
    # The ratio is at most twice the shorter's share of both.
    if 2 * min(len(one), len(other)) < _SAME_NAME * (len(one) + len(other)):
        return False
    return one == other or difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() >= _SAME_NAME


# --- options ---------------------------------------------------------------------------------------------------------


def read_options(study: Study, settings: Table, notes: Notes) -> pd.DataFrame:
    """Return what may be done where, at which cost in the study's cost unit."""
    table = read_places(study, settings, notes)
    columns.need(table, "action", "kind", "mode", "capital_cost")
    options = pd.DataFrame(index=table.rows.index)
    options["action"] = columns.identifiers(table, "action", "action", get_args(Action))
    options["kind"] = columns.identifiers(table, "kind", "kind")
    options["mode"] = columns.identifiers(table, "mode", "mode", get_args(Mode))
    options["opening_hours"] = _hours(study, table, notes)
    options["services"] = _services(study, table, notes)
    # Empty is the place's own tier.
    options["tier"] = columns.identifiers(table, "tier", "tier", get_args(Tier))
    options = options.assign(**_notes(table))
    options["capacity"] = columns.capacity(table)
    units = money(study.plan.cost_unit if study.plan else "万元")
    for field in ("capital_cost", "operating_cost"):
        given = field in table.rows.columns
        options[field] = columns.amounts(table, field, units, "cell_amount") if given else 0.0
    options["source"] = [f"{table.file}#{row}" for row in options.index]
    return options.reset_index(drop=True)[list(OPTION_COLUMNS)]


def note_idle(study: Study, sites: gpd.GeoDataFrame, options: pd.DataFrame, notes: Notes) -> None:
    """Note options that fit no place and candidates that no option fits: often a kind written in two ways."""
    candidates, existing = (sites[sites["status"] == status] for status in ("candidate", "existing"))
    if options.empty:
        if len(candidates):
            notes.warn("no_options", count=len(candidates))
        return
    for option in options.to_dict("records"):
        places, key = (candidates, "candidates") if option["action"] == "build" else (existing, "existing")
        if option["kind"] not in set(places["kind"]):
            file, _, row = option["source"].rpartition("#")
            kind = term(study.language, "kind", option["kind"]) or "–"
            missing = say(study.language, f"quality.option_for_{key}")
            notes.warn("option_idle", file=file, row=row, kind=kind, places=missing)
    build = options[options["action"] == "build"]
    ways = set(zip(build["kind"], build["mode"], strict=True))
    stuck = [
        not any((kind, mode) in ways for mode in modes.split(";"))
        for kind, modes in zip(candidates["kind"], candidates["modes"], strict=True)
    ]
    if any(stuck):
        at = candidates.loc[stuck, "source"].str.rpartition("#")
        notes.warn("candidate_idle", file=at[0].iloc[0], rows=some(pd.Index(at[2])))
