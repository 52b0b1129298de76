"""Vector layers of any make -> frames in the study's CRS: gpkg, geojson, shp in any encoding, kml and kmz, parquet, zipped shapefiles.

Takes a path; gives a GeoDataFrame whose index is the number of the feature in the file, from 1. A coordinate system that is missing, or
that the numbers belie, is refused or found out by where the shapes fall; never guessed silently.
"""

import io
import json
import os
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import shapely

from planner import datum, osm
from planner.errors import InputError
from planner.intake.age import note_year
from planner.intake.grid import decode, refuse_bomb, refuse_unfit
from planner.intake.headings import declared_datum
from planner.intake.notes import Notes, some
from planner.study import Layer, Streets, Study
from planner.tables import ZONE_COLUMNS, as_table

LAYER_SUFFIXES = frozenset({".gpkg", ".geojson", ".json", ".shp", ".kml", ".kmz", ".zip", ".parquet", ".fgb"})
_SHAPEFILE_PARTS = frozenset({".shp", ".shx", ".dbf", ".prj", ".cpg"})
# Beside the study: what was read from an OSM extract, so that the next run need not read it again.
CACHE = ".planner-cache"
# Overlaps and holes below this are borders drawn twice by hand, and hold nobody.
_SLIVER_M2 = 1.0
_HOLE_M2 = 100.0
# A walk of 1 km measured 10 m wrong; in the 3-degree zone beside the right one it is about 1 m.
_SCALE_ERROR = 0.01


def read_layer(
    study: Study, file: str, layer: str | None = None, crs: str | None = None, shifted: datum.Datum = "WGS-84"
) -> gpd.GeoDataFrame:
    """Read a vector layer into the study's CRS; the index is the number of the feature in the file, from 1.

    Args:
        study: which CRS is wanted, and where the file is.
        file: name within the study's folder.
        layer: which layer of the file; all folders of a kml, the first layer of anything else if not given.
        crs: the layer's true coordinate system, where the file names none or a wrong one.
        shifted: the datum it was drawn in, whatever its CRS says: no CRS knows of GCJ-02.

    Raises:
        InputError: unreadable, unsafe, empty, without a CRS or with one that its numbers belie, or with numbers that are no place.
    """
    frame = read_raw_layer(study.path(file), file, layer)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    if crs is not None:
        frame = frame.set_crs(_known_crs(crs, file), allow_override=True)
    _refuse_no_place(frame, file, study.crs)
    if frame.crs is None:
        raise InputError("layer_no_crs", file=file, numbers=_numbers(frame), likely=likely_crs(frame, study.crs))
    if frame.crs.is_projected and np.abs(frame.total_bounds).max() <= 360:
        raise InputError("layer_wrong_crs", file=file, crs=_name(frame.crs), numbers=_numbers(frame))
    if frame.crs.is_geographic and np.abs(frame.total_bounds).max() > 360:
        raise InputError("layer_wrong_crs", file=file, crs=_name(frame.crs), numbers=_numbers(frame))
    if shifted in ("GCJ-02", "BD-09"):
        frame = frame.to_crs("EPSG:4326")
        straight = shapely.transform(
            shapely.force_2d(frame.geometry.to_numpy()),
            lambda xy: np.column_stack(datum.to_wgs84(xy[:, 0], xy[:, 1], shifted)),
        )
        frame = frame.set_geometry(gpd.GeoSeries(straight, index=frame.index, crs=frame.crs))
    placed = frame.to_crs(study.crs)
    _refuse_no_place(placed, file, study.crs)
    return placed


def _refuse_stated(settings: Layer | Streets) -> None:
    """Refuse a layer whose name says that it is shifted where study.toml says nothing of its datum."""
    stated = declared_datum(f"{PurePosixPath(settings.file).stem} {settings.layer or ''}")
    if stated in ("GCJ-02", "BD-09") and "datum" not in settings.model_fields_set:
        raise InputError("datum_stated", file=settings.file, stated=stated)


def _refuse_no_place(frame: gpd.GeoDataFrame, file: str, crs: str) -> None:
    xy, of = shapely.get_coordinates(frame.geometry.to_numpy(), return_index=True)
    lost = ~np.isfinite(xy).all(axis=1)
    if lost.any():
        raise InputError("layer_no_place", file=file, rows=some(frame.index[np.unique(of[lost])]), crs=crs)


def _known_crs(crs: str, file: str) -> pyproj.CRS:
    try:
        return pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise InputError("layer_crs_unknown", file=file, crs=crs) from error


def _name(crs: pyproj.CRS) -> str:
    return crs.to_string() if crs.to_epsg() else crs.name


def _numbers(frame: gpd.GeoDataFrame) -> str:
    west, south, east, north = frame.total_bounds
    return f"{west:.10g}–{east:.10g}, {south:.10g}–{north:.10g}"


def likely_crs(frame: gpd.GeoDataFrame, crs: str | None = None) -> str:
    """Return the system that a layer's numbers look like: degrees, the study's own, a CGCS2000 zone by its number; else "EPSG:…"."""
    west, south, east, north = frame.total_bounds.tolist()
    if max(map(abs, (west, south, east, north))) <= 360:
        return "EPSG:4326"
    zone = int(west // 1e6)
    if 25 <= zone <= 45:  # numbered 3-degree zones, EPSG:4513 is zone 25's
        return f"EPSG:{4513 + zone - 25}"
    if crs is None:
        return "EPSG:…"
    lon, lat = datum.degrees((west + east) / 2, (south + north) / 2, crs)
    return crs if np.isfinite([lon, lat]).all() and datum.scale_error(crs, lon, lat) <= _SCALE_ERROR else "EPSG:…"


def read_raw_layer(path: Path, file: str, layer: str | None = None) -> gpd.GeoDataFrame:
    """Read a layer as it stands in its file, in whatever CRS it names.

    Raises:
        InputError: unreadable, unsafe, no layer, or empty.
    """
    refuse_unfit(path, file)
    try:
        # Coordinates that are no numbers are refused below with their place, not mumbled about here.
        with np.errstate(invalid="ignore", over="ignore"):
            frame = _open(path, file, layer)
    except InputError:
        raise
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError, OSError, zipfile.BadZipFile,
            RuntimeError, NotImplementedError) as error:  # fmt: skip
        raise InputError("layer_unreadable", file=file, detail=_detail(error, path)) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise InputError("layer_no_geometry", file=file)
    if frame.empty or (frame.geometry.isna() | frame.geometry.is_empty).all():
        raise InputError("layer_empty", file=file)
    return frame


def _detail(error: Exception, path: Path) -> str:
    """Return the first line of a reader's complaint, without the folders of whoever runs this."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line.replace(str(path), path.name).replace(str(path.parent), "")[:200]


def unread_layers(path: Path, layer: str | None = None) -> tuple[str, ...]:
    """Return the names of what lies in a file of layers beside the one that is read; nothing where one was asked for by name.

    Of a kmz that is any other kml than the first, whatever was asked for.
    """
    match path.suffix.lower():
        case ".kmz":
            with zipfile.ZipFile(path) as archive:
                return tuple(_kmls(archive)[1:])
        case ".gpkg" | ".fgb" if layer is None:
            return tuple(_drawn(path)[1:])
    return ()


def _drawn(path: Path) -> list[str]:
    """Return the layers of a file that hold shapes, or all where none does; a GeoPackage has tables beside them."""
    there = [str(name) for name, shape in pyogrio.list_layers(path) if shape is not None]
    return [name for name in there if pyogrio.read_info(path, layer=name)["features"] != 0] or there


def _kmls(archive: zipfile.ZipFile) -> list[str]:
    """Return the kmls in a kmz, the one that holds the map first: doc.kml, or else that nearest to the top."""
    names = [name for name in archive.namelist() if name.lower().endswith(".kml")]
    return sorted(names, key=lambda name: (name.lower() != "doc.kml", name.count("/")))


def note_unread(path: Path, file: str, layer: str | None, notes: Notes, *, setting: str = "layer") -> None:
    """Note layers that nobody asked for and nothing was read of."""
    if others := unread_layers(path, layer):
        key = "kmls_unread" if path.suffix.lower() == ".kmz" else "layers_unread"
        notes.warn(key, file=file, others=", ".join(others), setting=setting)


def _open(path: Path, file: str, layer: str | None) -> gpd.GeoDataFrame:
    match path.suffix.lower():
        case ".parquet":
            return gpd.read_parquet(path)
        case ".zip":
            return _open_zip(path, file, layer)
        case ".kmz":
            return _open_kml(_kml_of(path, file), file, layer)
        case ".kml":
            return _open_kml(path.read_bytes(), file, layer)
        case ".geojson" | ".json":
            return _open_geojson(decode(path.read_bytes(), file), file, layer)
        case ".shp":
            return gpd.read_file(path, encoding=_shapefile_encoding(path))
    there = _drawn(path)
    if layer is not None and layer not in there:
        raise InputError("layer_missing", file=file, layer=layer, found=", ".join(there) or "–")
    return gpd.read_file(path, layer=layer or next(iter(there), None))


def _open_geojson(text: str, file: str, layer: str | None) -> gpd.GeoDataFrame:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("layer_unreadable", file=file, detail=str(error)[:200]) from error
    return gpd.read_file(io.BytesIO(text.encode("utf-8")), layer=layer)


def _open_kml(raw: bytes, file: str, layer: str | None) -> gpd.GeoDataFrame:
    if b"<!ENTITY" in raw or b"<!DOCTYPE" in raw:
        raise InputError("xml_bomb", file=file)
    with _unpacked() as folder:
        copy = Path(folder, "layer.kml")
        copy.write_bytes(raw)
        there = pyogrio.list_layers(copy)[:, 0].tolist()
        if layer is not None and layer not in there:
            raise InputError("layer_missing", file=file, layer=layer, found=", ".join(there) or "–")
        names = [layer] if layer else there
        folders = [gpd.read_file(copy, layer=name) for name in names]
    folders = [marks for marks in folders if isinstance(marks, gpd.GeoDataFrame) and len(marks)]
    if not folders:
        raise InputError("layer_empty", file=file)
    return gpd.GeoDataFrame(pd.concat(folders, ignore_index=True), crs=folders[0].crs)


@contextmanager
def _unpacked() -> Iterator[str]:
    """Give a folder for what an archive holds; a reader's complaint does not name it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield folder
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            raise ValueError(str(error).replace(f"{folder}{os.sep}", "")) from error


def _kml_of(path: Path, file: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        refuse_bomb(archive, file)
        names = _kmls(archive)
        if not names:
            raise InputError("layer_unreadable", file=file, detail="no .kml")
        return archive.read(names[0])


def _open_zip(path: Path, file: str, layer: str | None) -> gpd.GeoDataFrame:
    """Read the shapefile in an archive; nothing is unpacked under a name that the archive chooses."""
    with zipfile.ZipFile(path) as archive, _unpacked() as folder:
        refuse_bomb(archive, file)
        shapes = [name for name in archive.namelist() if name.lower().endswith(".shp")]
        chosen = [name for name in shapes if layer in (None, PurePosixPath(name).stem)]
        if not chosen or (layer is None and len(shapes) > 1):
            found = ", ".join(PurePosixPath(name).stem for name in shapes)
            raise InputError("zip_layers", file=file, found=found or "–")
        stem = chosen[0][:-4]
        for name in archive.namelist():
            if name[:-4] == stem and name[-4:].lower() in _SHAPEFILE_PARTS:
                Path(folder, f"layer{name[-4:].lower()}").write_bytes(archive.read(name))
        shape = Path(folder, "layer.shp")
        return gpd.read_file(shape, encoding=_shapefile_encoding(shape))


def shapefile_parts(shape: Path) -> dict[str, Path]:
    """Return the files a shapefile is made of, by suffix in lower case, in the order of suffixes."""
    beside = [p for p in shape.parent.iterdir() if p.stem == shape.stem and p.suffix.lower() in _SHAPEFILE_PARTS]
    return {p.suffix.lower(): p for p in sorted(beside, key=lambda p: p.suffix.lower())}


def _shapefile_encoding(shape: Path) -> str:
    """Return the encoding that a shapefile's table really has; what its .cpg says may be missing or wrong."""
    parts = shapefile_parts(shape)
    declared = parts[".cpg"].read_text("ascii", errors="replace").strip() if ".cpg" in parts else ""
    if ".dbf" not in parts:
        return "UTF-8"
    with parts[".dbf"].open("rb") as table:
        raw = table.read(20_000_000)
    if len(raw) < 32:
        return "UTF-8"
    names_end = struct.unpack("<H", raw[8:10])[0]
    body = raw[32:names_end:1] + raw[names_end:]
    high = sum(byte > 127 for byte in body[:2_000_000])
    # A field cut within a character leaves a few broken bytes; another encoding leaves many.
    broken = body[:2_000_000].decode("utf-8", errors="replace").count("\ufffd")
    if not high or broken * 10 <= high:
        return "UTF-8"
    chinese = {"", "utf-8", "utf8", "gbk", "gb2312", "gb18030", "936", "cp936", "65001", "iso-8859-1", "88591"}
    return "GB18030" if declared.lower() in chinese else declared


# --- streets ---------------------------------------------------------------------------------------------------------


def read_streets(study: Study, settings: Streets, zones: gpd.GeoDataFrame, notes: Notes) -> gpd.GeoDataFrame:
    """Return the lines that people walk on: id, highway, name, source, geometry.

    Of an OSM extract those within the service radius of the zones: whoever is farther away doesn't count, and whoever isn't may walk
    out of the zones and in again.
    """
    extract = settings.file.lower().endswith(osm.SUFFIXES)
    layer = (settings.file, settings.layer, settings.crs, settings.datum)
    _refuse_stated(settings)
    frame = _walkable(study, settings, zones) if extract else read_layer(study, *layer)
    note_unread(study.path(settings.file), settings.file, settings.layer, notes)
    lines = frame[frame.geom_type.isin(["LineString", "MultiLineString"]) & ~frame.is_empty]
    if lines.empty:
        raise InputError("layer_not_lines", file=settings.file)
    _refuse_elsewhere(study.crs, lines, settings.file)
    if extract and (written := osm.written_in(study.path(settings.file))):
        note_year(study, settings.file, written, notes)
    if len(lines) < len(frame):
        notes.warn("not_lines", file=settings.file, count=len(frame) - len(lines))
    if settings.class_column not in lines.columns:
        raise InputError(
            "layer_column", file=settings.file, column=settings.class_column, setting="streets.class_column"
        )
    classes = lines[settings.class_column].astype(str)
    lines, classes = lines[~classes.isin(settings.exclude)], classes[~classes.isin(settings.exclude)]
    with np.errstate(invalid="ignore"):
        length_m = shapely.length(lines.geometry.to_numpy())
    walked = np.isfinite(length_m) & (length_m > 0)
    if not walked.all():
        notes.warn("streets_no_length", file=settings.file, rows=some(lines.index[~walked]), count=int((~walked).sum()))
        lines, classes = lines[walked], classes[walked]
    if lines.empty:
        raise InputError("layer_all_excluded", file=settings.file)
    own_ids = "id" in lines.columns and lines["id"].notna().all() and lines["id"].is_unique
    streets = gpd.GeoDataFrame(
        {
            "id": lines["id"].astype(str) if own_ids else [f"S{n}" for n in lines.index],
            "highway": classes,
            "name": lines[settings.name_column].fillna("").astype(str) if settings.name_column in lines.columns else "",
            "source": [f"{settings.file}#{n}" for n in (lines["osm_id"] if extract else lines.index)],
        },
        geometry=shapely.force_2d(lines.geometry.to_numpy()),
        index=lines.index,
        crs=study.crs,
    )
    return streets.reset_index(drop=True)


def _walkable(study: Study, settings: Streets, zones: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the ways of an OSM extract that people may walk, in the study's CRS; read once, then from the study's cache."""
    within = None
    if len(zones):
        around = zones.geometry.buffer(study.standard.service_radius_m).union_all()
        within = gpd.GeoSeries([around], crs=study.crs).to_crs(osm.WGS84)[0]
    lines = osm.cached_streets(study.path(settings.file), study.folder / CACHE, within=within)
    if lines.empty:
        raise InputError("extract_elsewhere", file=settings.file)
    lines.index = pd.RangeIndex(1, len(lines) + 1)
    return lines.to_crs(study.crs)


def no_streets(study: Study) -> gpd.GeoDataFrame:
    """Return a frame of streets with no row."""
    columns: dict[str, list[str]] = {"id": [], "highway": [], "name": [], "source": [], "geometry": []}
    return gpd.GeoDataFrame(columns, geometry="geometry", crs=study.crs)


def _refuse_elsewhere(crs: str, streets: gpd.GeoDataFrame, file: str) -> None:
    """Refuse a study's CRS that is made for another part of the world than where the streets are."""
    west, south, east, north = streets.total_bounds.tolist()
    lon, lat = datum.degrees((west + east) / 2, (south + north) / 2, crs)
    error = datum.scale_error(crs, lon, lat)
    if not error <= _SCALE_ERROR:
        fitting = datum.fitting_crs(lon, lat)
        raise InputError("crs_elsewhere", file=file, crs=crs, lon=lon, lat=lat, error=error, fitting=fitting)


# --- polygons --------------------------------------------------------------------------------------------------------


def no_polygons(study: Study) -> gpd.GeoDataFrame:
    """Return a frame of zones with no row."""
    return gpd.GeoDataFrame({c: [] for c in ZONE_COLUMNS}, geometry="geometry", crs=study.crs)


def read_polygons(study: Study, settings: Layer, notes: Notes) -> gpd.GeoDataFrame:
    """Return valid polygons: id, name, source, geometry. What had to be repaired or left out is noted."""
    _refuse_stated(settings)
    whole = read_layer(study, settings.file, settings.layer, settings.crs, settings.datum)
    note_unread(study.path(settings.file), settings.file, settings.layer, notes)
    frame = whole[whole.geom_type.isin(["Polygon", "MultiPolygon"]) & ~whole.is_empty]
    if frame.empty:
        raise InputError("layer_not_polygons", file=settings.file)
    if len(frame) < len(whole):
        notes.warn("not_polygons", file=settings.file, rows=some(whole.index.difference(frame.index)))
    shapes = shapely.force_2d(frame.geometry.to_numpy())
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        before, shapes = shapely.area(shapes), _polygonal(shapely.make_valid(shapes))
        changed = float(np.abs(shapely.area(shapes) - before)[broken].sum())
        rows = frame.index[broken]
        notes.warn("polygons_repaired", file=settings.file, count=len(rows), rows=some(rows), km2=changed / 1e6)
    blank = pd.Series("", index=frame.index)
    polygons = pd.DataFrame(
        {
            "id": _polygon_ids(frame, settings.id_column),
            "name": frame.get(settings.name_column, blank).fillna("").astype(str),
            "county": frame.get(settings.county_column, blank).fillna("").astype(str).str.strip(),
            "residents": _residents(frame, settings),
            "source": [f"{settings.file}#{n}" for n in frame.index],
            "geometry": shapes,
        }
    )
    return as_table(polygons, ZONE_COLUMNS, study.crs)


def _residents(frame: gpd.GeoDataFrame, settings: Layer) -> pd.Series:
    """Return who lives in each polygon; NaN where the layer doesn't say. Refuse what is no number of people."""
    if settings.residents_column not in frame.columns:
        return pd.Series(np.nan, index=frame.index)
    said = frame[settings.residents_column]
    people: pd.Series = pd.to_numeric(said, errors="coerce").astype(float)
    wrong = said.notna() & (said.astype(str).str.strip() != "") & ~(np.isfinite(people) & (people >= 0))
    if wrong.any():
        row = frame.index[int(wrong.to_numpy().argmax())]
        where = {"file": settings.file, "row": row, "column": settings.residents_column}
        raise InputError("cell_weight", text=str(said[row])[:60], **where)
    return people


def _polygon_ids(frame: gpd.GeoDataFrame, column: str) -> list[str]:
    """Return the user's ids; Z03 for polygon 3 where it has none, or Z03b where that is another's."""
    given = frame[column].tolist() if column in frame.columns else [None] * len(frame)
    # A column of whole numbers with a gap in it is read as fractions.
    whole = [int(v) if isinstance(v, float) and v.is_integer() else v for v in given]
    ids = ["" if pd.isna(v) else str(v).strip() for v in whole]
    taken = set(ids)
    for n, (number, own) in enumerate(zip(frame.index, ids, strict=True)):
        made = f"Z{number:02d}"
        while not own and made in taken:
            made += "b"
        ids[n] = own or made
    return ids


def _polygonal(shapes: np.ndarray) -> np.ndarray:
    """Return the polygons of each shape; repairing a bow tie may leave lines beside them."""
    parts, of = shapely.get_parts(shapes, return_index=True)
    inner, of_inner = shapely.get_parts(parts, return_index=True)
    flat = shapely.get_type_id(inner) == shapely.GeometryType.POLYGON
    kept, owner = inner[flat], of[of_inner[flat]]
    return np.array([shapely.union_all(kept[owner == n]) for n in range(len(shapes))], dtype=object)


def read_zones(study: Study, notes: Notes) -> gpd.GeoDataFrame:
    """Return the reporting zones, parted where several claim the same ground; overlaps and holes are noted with their size."""
    if study.zones is None:
        notes.warn("no_zones")
        return no_polygons(study)
    zones = read_polygons(study, study.zones, notes)
    for n in np.flatnonzero(zones["id"].duplicated()):
        first = int((zones["id"] == zones["id"].iloc[n]).to_numpy().argmax())
        file, _, row = zones["source"].iloc[n].rpartition("#")
        raise InputError("id_twice", file=file, row=row, id=zones["id"].iloc[n], first=zones["source"].iloc[first])
    named = zones["name"].str.strip()
    for name, rows in zones[(named != "") & named.duplicated(keep=False)].groupby(named, sort=False):
        of = ", ".join(rows["id"])
        notes.warn("zones_one_name", file=study.zones.file, name=name, count=len(rows), ids=of)
    zones = _apart(zones, study.zones.file, notes)
    holes = shapely.get_parts(shapely.polygons(shapely.get_parts(_rings(zones.union_all()))))
    sizes = shapely.area(holes) if len(holes) else np.zeros(0)
    if (sizes > _HOLE_M2).any():
        count, km2 = int((sizes > _HOLE_M2).sum()), float(sizes[sizes > _HOLE_M2].sum()) / 1e6
        notes.warn("zones_holes", file=study.zones.file, count=count, km2=km2)
    return zones


def _rings(shape: shapely.Geometry) -> np.ndarray:
    """Return the inner rings of a shape's polygons."""
    rings = [ring for part in shapely.get_parts(shape) for ring in part.interiors]
    return np.array([shapely.LinearRing(ring.coords) for ring in rings], dtype=object)


def _apart(zones: gpd.GeoDataFrame, file: str, notes: Notes) -> gpd.GeoDataFrame:
    """Give ground that several zones claim to the first of them, so that nobody is counted twice, and say so."""
    one, other = zones.sindex.query(zones.geometry, predicate="intersects")
    shapes, shared_m2 = zones.geometry.to_numpy().copy(), 0.0
    for first, later in sorted(zip(one[one < other], other[one < other], strict=True)):
        shared = shapely.intersection(shapes[first], shapes[later]).area
        if shared > _SLIVER_M2:
            shared_m2 += shared
            shapes[later] = shapely.difference(shapes[later], shapes[first])
    if shared_m2:
        notes.warn("zones_overlap", file=file, km2=shared_m2 / 1e6)
    return zones.set_geometry(gpd.GeoSeries(shapes, crs=zones.crs))


def zone_of(points: gpd.GeoSeries, zones: gpd.GeoDataFrame) -> np.ndarray:
    """Return the id of the zone each point lies in; the first by order where zones overlap; "" where none."""
    found = np.full(len(points), "", dtype=object)
    if len(zones):
        point, zone = zones.sindex.query(points, predicate="intersects")
        order = np.lexsort((zone, point))[::-1]
        found[point[order]] = zones["id"].to_numpy()[zone[order]]
    return found
