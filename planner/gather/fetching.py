"""An area, by download or from an extract -> streets.gpkg and tables of places in a folder. What `planner fetch` does.

Takes a `Region`; writes files whole or not at all. Asks before it downloads more than a city.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely

from planner.errors import InputError, SurroundingsError
from planner.gather import extract
from planner.gather.overpass import Manners, Servers
from planner.gather.places import KINDS, Feature, tables_of, tags_of, write_table
from planner.gather.region import Region, extract_for
from planner.osm import ATTRIBUTION, WALK, WAY_TAGS, from_graph, may_use
from planner.words import Lang, say

# A county-level city has some 2,000 km², a large prefecture 10,000; a province has from 50,000 on, and belongs to an extract.
ASK_BEYOND_KM2 = 3_000.0
# osmnx cuts an area into squares of 50 km, a question each.
_SQUARE_KM2 = 2_500.0
CACHE = ".osm-answers"


@dataclass(frozen=True)
class Wishes:
    """What is wanted of an area.

    Attributes:
        kinds: kinds of place (`places.KINDS`); none if empty.
        suffix: of the tables of places: ".xlsx" or ".csv".
        extract: an OSM file to read in place of downloading.
        agreed: whether a download of any size is wanted.
    """

    kinds: tuple[str, ...] = ()
    suffix: str = ".xlsx"
    extract: Path | None = None
    agreed: bool = False


@dataclass(frozen=True)
class Gathered:
    """What was found of an area.

    Attributes:
        region: the area with its polygons.
        streets: lines as of `osm.read_streets`, up to `extract.MARGIN_M` beyond it.
        features: places within it.
    """

    region: Region
    streets: gpd.GeoDataFrame
    features: tuple[Feature, ...]


def gather(
    region: Region,
    folder: Path,
    wishes: Wishes,
    *,
    manners: Manners | None = None,
    waiting: Callable[[str, float], None] = lambda *_: None,
) -> Gathered:
    """Return an area's walkable streets and places.

    Args:
        region: the area; the whole extract where it has neither name nor shapes.
        folder: where answers of servers are kept until all is there, so that a broken download goes on.
        wishes: what is wanted.
        manners: how servers are asked.
        waiting: told why and how many seconds before each pause.

    Raises:
        InputError: no such place or kind; too large to download without being agreed to.
        SurroundingsError: servers can't be reached (the sentence says which extract to get instead), or fail too often.
    """
    tags_of(wishes.kinds)
    try:
        if wishes.extract:
            return _from_extract(region, wishes.extract, wishes.kinds)
        return _from_servers(region, wishes, Servers(folder / CACHE, manners, waiting))
    except SurroundingsError as error:
        if error.key != "fetch_offline":
            raise
        file, detail = extract_for(region), error.values["detail"]
        raise SurroundingsError("fetch_offline_extract", place=region.text, extract=file, file=Path(file).name,
                                folder=str(folder), detail=detail) from error  # fmt: skip


def fetch(
    region: Region,
    out: Path,
    wishes: Wishes,
    *,
    lang: Lang,
    manners: Manners | None = None,
    waiting: Callable[[str, float], None] = lambda *_: None,
) -> tuple[Path, ...]:
    """Write an area's walkable streets to ``out``/streets.gpkg, and its places to candidates and sites beside it; return the files.

    Raises:
        InputError: as `gather`; a table that is there already, for somebody may have edited it.
        SurroundingsError: as `gather`; the disk refuses.
    """
    targets = {name: out / f"{name}{wishes.suffix}" for name in ("candidates", "sites") if wishes.kinds}
    for target in targets.values():
        if target.exists():
            raise InputError("table_exists", file=str(target))
    found = gather(region, out, wishes, manners=manners, waiting=waiting)
    files, tables = [write_streets(found.streets, out)], tables_of(found.features, lang=lang)
    for name, target in targets.items():
        if tables[name] or name == "candidates":
            files.append(write_table(tables[name], target, say(lang, f"new.{name}"), lang=lang))
    forget(out)
    return tuple(files)


def forget(folder: Path) -> None:
    """Remove the answers of servers that `gather` keeps in a folder."""
    shutil.rmtree(folder / CACHE, ignore_errors=True)


def _from_extract(region: Region, file: Path, kinds: tuple[str, ...]) -> Gathered:
    if region.shapes is None and region.name:
        region = region.with_shapes(extract.boundary(file, region.name))
    streets, features = extract.clip(file, None if region.shapes is None else _united(region), kinds=kinds)
    if region.shapes is None:
        box = gpd.GeoDataFrame({"id": ["Z01"], "name": [""]}, geometry=[shapely.box(*streets.total_bounds)])
        region = region.with_shapes(box.set_crs(streets.crs))
    return Gathered(region, streets, tuple(features))


def _from_servers(region: Region, wishes: Wishes, servers: Servers) -> Gathered:
    if region.shapes is None:
        region = region.with_shapes(servers.place(region.name))
    area, km2 = _united(region), _km2(region)
    if km2 > ASK_BEYOND_KM2 and not wishes.agreed:
        questions, file = int(km2 // _SQUARE_KM2) + 1, extract_for(region)
        raise InputError("fetch_large", place=region.text, km2=km2, questions=questions, extract=file)
    graph = servers.graph(extract.widened(area, extract.MARGIN_M), region.text)
    found = servers.features(area, tags_of(wishes.kinds), region.text) if wishes.kinds else None
    return Gathered(region, _walked(graph, region), () if found is None else _features(found, area))


def _walked(graph: Any, region: Region) -> gpd.GeoDataFrame:
    """Return the lines that people walk on, by the same rules as those of an extract."""
    import osmnx

    shut = [(u, v, k) for u, v, k, tags in graph.edges(keys=True, data=True) if not may_use(WALK, _texts(tags))]
    graph.remove_edges_from(shut)
    graph.remove_nodes_from([node for node, degree in list(graph.degree) if not degree])
    if not graph.number_of_edges():
        raise InputError("fetch_empty", place=region.text)
    return from_graph(osmnx.simplify_graph(graph, edge_attrs_differ=["osmid"], remove_rings=False))


def _texts(tags: dict[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in tags.items() if key in WAY_TAGS and isinstance(value, str)}


def _features(found: gpd.GeoDataFrame, area: shapely.Geometry) -> tuple[Feature, ...]:
    """Return what osmnx calls features as ours; those whose point lies outside, as of a building across the border, are left out."""
    features = []
    for (element, number), row in zip(found.index, found.to_dict("records"), strict=True):
        shape = row.pop("geometry")
        tags = {str(k): str(v) for k, v in row.items() if isinstance(v, str)}
        point = shape.representative_point()
        if shapely.contains_xy(area, point.x, point.y):
            features.append(Feature(f"{element[0]}{number}", tags, point.x, point.y))
    return tuple(features)


def _united(region: Region) -> shapely.Geometry:
    assert region.shapes is not None
    return region.shapes.to_crs("EPSG:4326").geometry.union_all()


def _km2(region: Region) -> float:
    assert region.shapes is not None
    return float(region.shapes.to_crs(region.crs).area.sum()) / 1e6


def write_streets(streets: gpd.GeoDataFrame, out: Path) -> Path:
    """Write streets.gpkg into a folder, whole or not at all; kinds of place and their source stand inside."""
    target, part = out / "streets.gpkg", out / "streets.part.gpkg"
    try:
        out.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        streets.to_file(part, layer="streets", engine="pyogrio", dataset_metadata={"ATTRIBUTION": ATTRIBUTION})
        part.replace(target)
    except OSError as error:
        raise SurroundingsError("cannot_write", folder=str(out), detail=error.strerror or str(error)) from error
    return target


ALL_KINDS = tuple(KINDS)
