"""An OSM extract, of a province if need be -> the streets and the places of one area, in one pass over the file.

Takes .osm, .osm.bz2, .osm.gz or .osm.pbf and a polygon; gives lines and features. What lies outside the area is looked at and let go;
where nodes are is kept in a file beside while this one is read (16 bytes a node), so that memory holds the area alone.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from planner.errors import InputError
from planner.gather.places import Feature, kind_of, tags_of
from planner.osm import WALK, WGS84, Mode, Ways, may_use, pyosmium, refuse_no_extract

# The walk from the area's edge to a site beyond it must not be cut off: the national radius of 1 km, and half as much again.
MARGIN_M = 1_500.0
_PER_DEGREE = 10_000_000
_METRES_PER_DEGREE = 111_320.0


def clip(
    file: Path,
    area: shapely.Geometry | None,
    *,
    kinds: Iterable[str] = (),
    margin_m: float = MARGIN_M,
    mode: Mode = WALK,
) -> tuple[gpd.GeoDataFrame, list[Feature]]:
    """Read the streets within ``margin_m`` of an area and the places within it.

    Args:
        file: the extract.
        area: polygons in WGS-84 degrees; None for all that the file holds.
        kinds: which places (`places.KINDS`); none if empty. Places drawn as relations (multipolygons) are left out.
        margin_m: how far beyond the area streets go on; each is whole up to a junction with another that is kept.
        mode: who walks or rides.

    Returns:
        Lines as of `osm.read_streets`, and features in the order of the file.

    Raises:
        MissingPackageError: pyosmium is not installed.
        InputError: not an OSM file, damaged, or without a single street there.
    """
    refuse_no_extract(file)
    wanted, keys = frozenset(kinds), tuple(tags_of(kinds))
    wide = None if area is None else widened(area, margin_m)
    box = None if wide is None else [round(v * _PER_DEGREE) for v in wide.bounds]
    ways, features = Ways(mode), []
    with _readable(file):
        for thing in _pass(file, ("highway", *keys)):
            if thing.is_way():
                drawn = [(n.ref, n.x, n.y) for n in thing.nodes]
                if box is None or any(box[0] <= x <= box[2] and box[1] <= y <= box[3] for _, x, y in drawn):
                    if may_use(mode, thing.tags):
                        ways.add(thing.id, dict(thing.tags), drawn)
                    if kind_of(thing.tags) in wanted:
                        features += _area_feature(thing, drawn)
            elif kind_of(thing.tags) in wanted and thing.location.valid():
                features.append(Feature(f"n{thing.id}", dict(thing.tags), thing.location.lon, thing.location.lat))
    lines = ways.lines() if ways.about else None
    if lines is not None and wide is not None:
        shapely.prepare(wide)
        lines = lines[shapely.intersects(wide, lines.geometry.to_numpy())].reset_index(drop=True)
    if lines is None or lines.empty:
        raise InputError("osm_no_streets", file=file.name, tag=mode.tag)
    if area is not None and features:
        inside = shapely.contains_xy(area, [f.lon for f in features], [f.lat for f in features])
        features = [f for f, within in zip(features, inside.tolist(), strict=True) if within]
    return lines, features


def widened(area: shapely.Geometry, margin_m: float) -> shapely.Geometry:
    """Return an area with a margin around it; degrees of longitude are shorter than those of latitude."""
    shrink = np.cos(np.radians(area.centroid.y))
    flat = shapely.transform(area, lambda xy: xy * [shrink, 1.0])
    return shapely.transform(flat.buffer(margin_m / _METRES_PER_DEGREE), lambda xy: xy / [shrink, 1.0])


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise InputError("osm_unreadable", file=file.name, detail=str(error)[:200]) from error


def _pass(file: Path, keys: tuple[str, ...]) -> Iterator[Any]:
    """Yield the nodes and ways that have one of the keys; a way's nodes know where they are."""
    osmium = pyosmium()
    entities = osmium.osm.NODE | osmium.osm.WAY
    processor = osmium.FileProcessor(str(file), entities).with_locations("sparse_file_array")
    return iter(processor.with_filter(osmium.filter.KeyFilter(*keys)))


def _area_feature(way: Any, drawn: list[tuple[int, int, int]]) -> list[Feature]:
    """Return a building or an area as a feature at a point within it; nothing where its drawing leaves the extract."""
    xy = np.array([(x, y) for _, x, y in drawn], dtype=float) / _PER_DEGREE
    if len(xy) < 2 or np.abs(xy).max() > 180:
        return []
    ring = len(xy) >= 4 and (xy[0] == xy[-1]).all()
    point = (shapely.make_valid(shapely.Polygon(xy)) if ring else shapely.LineString(xy)).representative_point()
    return [Feature(f"w{way.id}", dict(way.tags), point.x, point.y)]


def boundary(file: Path, place: str) -> gpd.GeoDataFrame:
    """Return the administrative area of a name from an extract: one row with id and name, WGS-84.

    ``place`` may be longer than the name (浙江省金华市东阳市): the longest name that it ends with is taken. Two more passes.

    Raises:
        MissingPackageError: pyosmium is not installed.
        InputError: not an OSM file, damaged, or it draws no such area.
    """
    refuse_no_extract(file)
    osmium, asked = pyosmium(), place.split(",")[0].strip()
    best, members = "", set[int]()
    with _readable(file):
        relations = osmium.FileProcessor(str(file), osmium.osm.RELATION).with_filter(
            osmium.filter.KeyFilter("boundary")
        )
        for relation in relations:
            tags = relation.tags
            names = {tags.get(key, "").strip() for key in ("name", "name:zh", "name:en", "official_name")} - {""}
            fits = [name for name in names if asked.lower().endswith(name.lower())]
            if tags.get("boundary") == "administrative" and fits and len(max(fits, key=len)) > len(best):
                best = max(fits, key=len)
                members = {m.ref for m in relation.members if m.type == "w" and m.role in ("", "outer")}
        rings = []
        if members:
            processor = osmium.FileProcessor(str(file), osmium.osm.NODE | osmium.osm.WAY).with_locations(
                "sparse_file_array"
            )
            kept = osmium.filter.EntityFilter(osmium.osm.WAY), osmium.filter.IdFilter(members)
            for way in processor.with_filter(kept[0]).with_filter(kept[1]):
                xy = [(n.lon, n.lat) for n in way.nodes if n.location.valid()]
                rings += [shapely.LineString(xy)] if len(xy) > 1 else []
    shape = shapely.union_all(shapely.get_parts(shapely.polygonize(rings))) if rings else shapely.Polygon()
    if shape.is_empty:
        raise InputError("boundary_missing", file=file.name, place=place)
    return gpd.GeoDataFrame({"id": ["Z01"], "name": [best]}, geometry=[shape], crs=WGS84)
