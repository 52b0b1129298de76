"""OpenStreetMap -> street lines for `network.from_lines`.

Takes an extract (.osm, .osm.bz2, .osm.gz, .osm.pbf) or an osmnx graph; gives lines that end where streets meet, with the way they come
from. Which ways a mode may use is decided here and nowhere else.
"""

import contextlib
import hashlib
import io
import os
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from planner.errors import InputError, MissingPackageError

WGS84 = "EPSG:4326"
ATTRIBUTION = "© OpenStreetMap contributors (ODbL)"
SUFFIXES = (".osm", ".osm.bz2", ".osm.gz", ".osm.pbf", ".pbf")

NOT_BUILT = frozenset(
    {"abandoned", "construction", "no", "planned", "platform", "proposed", "raceway", "razed", "rest_area", "services"}
)
YES = frozenset({"yes", "designated", "permissive", "official"})
NO = frozenset({"no", "private"})
# What `may_use` and `direction` look at, and what a line keeps.
WAY_TAGS = frozenset(
    {
        "highway",
        "name",
        "access",
        "service",
        "area",
        "foot",
        "bicycle",
        "oneway",
        "oneway:foot",
        "oneway:bicycle",
        "junction",
    }
)
NOWHERE = 2**31 - 1  # how an extract says that it holds a way but not this node of it


@dataclass(frozen=True)
class Mode:
    """How somebody gets about.

    Attributes:
        tag: the access tag of their own, which overrules `shut` and ``access``.
        shut: ``highway`` values that they don't use.
        oneways: whether one-ways bind them.
        speed_m_s: to turn metres into seconds.
    """

    tag: str
    shut: frozenset[str]
    oneways: bool
    speed_m_s: float


# Speeds: walking 1.2 m/s (the study's default), cycling 15 km/h; practitioner's figures.
WALK = Mode("foot", frozenset({"motorway", "motorway_link", "bus_guideway", "cycleway"}), False, 1.2)
BICYCLE = Mode(
    "bicycle",
    frozenset({"motorway", "motorway_link", "bus_guideway", "footway", "steps", "corridor", "elevator", "escalator"}),
    True,
    4.2,
)


def may_use(mode: Mode, tags: Mapping[str, str]) -> bool:
    """Tell whether a mode may use a way: its own access tag first, then the kind of way, then ``access`` and ``service``."""
    highway, own = tags.get("highway"), tags.get(mode.tag)
    if highway is None or highway in NOT_BUILT or tags.get("area") == "yes" or own in NO:
        return False
    if own in YES:
        return True
    return not (highway in mode.shut or tags.get("access") in NO or tags.get("service") == "private")


def direction(mode: Mode, tags: Mapping[str, str]) -> int:
    """Return 1 where a way is only taken as it is drawn, -1 where only against that, 0 where both ways."""
    if not mode.oneways:
        return 0
    oneway = tags.get(f"oneway:{mode.tag}", tags.get("oneway"))
    if oneway in ("-1", "reverse"):
        return -1
    return int(
        oneway in ("yes", "true", "1") or (oneway is None and tags.get("junction") in ("roundabout", "circular"))
    )


def read_streets(file: Path, mode: Mode = WALK) -> gpd.GeoDataFrame:
    """Read the ways of an extract that a mode may use, cut where they meet.

    A million nodes take some seconds and about 150 MiB; nodes are kept only while the file is read.

    Returns:
        Lines in WGS-84, by way in the order of the file; columns ``osm_id`` (of the way), ``highway``, ``name``, ``oneway`` (drawn so
        that it points along the line), geometry.

    Raises:
        MissingPackageError: pyosmium is not installed.
        InputError: not an OSM file, damaged, or without a single way for the mode.
    """
    file = Path(file)
    refuse_no_extract(file)
    ways, osmium = Ways(mode), pyosmium()
    try:
        for way in _ways(file):
            if may_use(mode, way.tags):
                ways.add(way.id, way.tags, [(n.ref, n.x, n.y) for n in way.nodes])
    except (RuntimeError, ValueError, osmium.InvalidLocationError) as error:
        raise InputError("osm_unreadable", file=file.name, detail=str(error)) from error
    if not ways.about:
        raise InputError("osm_no_streets", file=file.name, tag=mode.tag)
    lines = ways.lines()
    west, south, east, north = lines.total_bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise InputError("osm_unreadable", file=file.name, detail=f"{west:g}, {south:g}; {east:g}, {north:g}")
    return lines


def refuse_no_extract(file: Path) -> None:
    """Refuse what is no OSM file by its name.

    Raises:
        InputError: it is none, or isn't there.
    """
    if not file.exists():
        raise InputError("osm_missing", file=file.name, folder=str(file.absolute().parent))
    if not file.is_file() or not file.name.lower().endswith(SUFFIXES):
        raise InputError("osm_unreadable", file=file.name, detail=", ".join(SUFFIXES))


class Ways:
    """Collects the ways of a mode while a file is read, in flat arrays; `lines` cuts them where they meet.

    Attributes:
        about: of each unbroken stretch the way's id, class, name, and whether it is one-way.
    """

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.about: list[tuple[int, str, str, bool]] = []
        self._nodes, self._x, self._y, self._first = array("q"), array("i"), array("i"), array("q")

    def add(self, identifier: int, tags: Mapping[str, str], drawn: list[tuple[int, int, int]]) -> None:
        """Add a way that the mode may use, drawn as node, x, y in 1e-7 degrees; nodes that are `NOWHERE` break it."""
        way = direction(self.mode, tags)
        if way < 0:
            drawn = drawn[::-1]
        for part in _unbroken(drawn):
            self._first.append(len(self._nodes))
            self.about.append((identifier, tags["highway"], tags.get("name", ""), way != 0))
            refs, xs, ys = zip(*part, strict=True)
            self._nodes.extend(refs)
            self._x.extend(xs)
            self._y.extend(ys)

    def lines(self) -> gpd.GeoDataFrame:
        """Return the lines between junctions, as `read_streets` does."""
        xy = np.column_stack([np.frombuffer(self._x, dtype=np.int32), np.frombuffer(self._y, dtype=np.int32)]) / 1e7
        nodes, first = np.frombuffer(self._nodes, dtype=np.int64), np.frombuffer(self._first, dtype=np.int64)
        lines, way_of = _cut_at_junctions(nodes, xy, first)
        columns = pd.DataFrame(self.about, columns=["osm_id", "highway", "name", "oneway"])
        return gpd.GeoDataFrame(columns.iloc[way_of].reset_index(drop=True), geometry=lines, crs=WGS84)


def pyosmium() -> Any:
    """Return the package that reads OSM files.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import osmium
    except ImportError as error:
        raise MissingPackageError("package_missing", package="osmium", extra="osm") from error
    return osmium


def written_in(file: Path) -> int | None:
    """Return the year of the data of an extract; None where its header doesn't say, or can't be read here."""
    try:
        stamp = pyosmium().io.Reader(str(file)).header().get("osmosis_replication_timestamp")
    except (MissingPackageError, RuntimeError):
        return None
    return int(stamp[:4]) if stamp[:4].isdigit() else None


def _ways(file: Path) -> Iterator[Any]:
    osmium = pyosmium()
    entities = osmium.osm.NODE | osmium.osm.WAY
    kept = osmium.filter.EntityFilter(osmium.osm.WAY), osmium.filter.KeyFilter("highway")
    # Named by the ending in small letters: where names don't care for case, an ending is as often written large.
    named = osmium.io.File(str(file), next(end for end in SUFFIXES if file.name.lower().endswith(end))[1:])
    processor = osmium.FileProcessor(named, entities).with_locations()
    return iter(processor.with_filter(kept[0]).with_filter(kept[1]))


def _unbroken(drawn: list[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Yield the stretches of a way whose nodes are in the extract."""
    if all(x != NOWHERE for _, x, _ in drawn):
        stretches = [drawn]
    else:
        breaks = [-1, *(i for i, (_, x, _) in enumerate(drawn) if x == NOWHERE), len(drawn)]
        stretches = [drawn[a + 1 : b] for a, b in pairwise(breaks)]
    return (stretch for stretch in stretches if len(stretch) > 1)


def _cut_at_junctions(
    node: NDArray[np.int64], xy: NDArray[np.float64], first: NDArray[np.int64]
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Cut ways where a node is used twice; return the lines and the way each is of."""
    _, number, used = np.unique(node, return_inverse=True, return_counts=True)
    begins = np.zeros(len(node), dtype=bool)
    begins[first] = True
    ends = np.append(begins[1:], True)
    cut = (used[number] > 1) & ~begins & ~ends
    # A node that is cut at ends one line and begins the next.
    again = np.repeat(np.arange(len(node)), 1 + cut)
    begins_line = begins[again]
    begins_line[1:] |= again[1:] == again[:-1]
    line = np.cumsum(begins_line) - 1
    way = np.cumsum(begins) - 1
    return shapely.linestrings(xy[again], indices=line), way[again[begins_line]]


def from_graph(graph: Any, mode: Mode = WALK) -> gpd.GeoDataFrame:
    """Turn an osmnx graph into street lines; where one-ways don't bind, the two directions of a street become one line.

    Returns:
        Lines in the graph's CRS; columns ``osm_id``, ``highway``, ``name`` (several joined by ";"), ``oneway``, geometry.
    """
    import osmnx

    lines = osmnx.graph_to_gdfs(graph if mode.oneways else osmnx.convert.to_undirected(graph), nodes=False)
    lines = lines.reset_index(drop=True)
    columns = {"osm_id": _joined(lines, "osmid"), "highway": _joined(lines, "highway"), "name": _joined(lines, "name")}
    return gpd.GeoDataFrame({**columns, "oneway": mode.oneways}, geometry=lines.geometry, crs=lines.crs)


def _joined(lines: gpd.GeoDataFrame, column: str) -> list[str]:
    """osmnx keeps a list where it merged ways: "a;b"."""
    if column not in lines:
        return [""] * len(lines)
    values = (v if isinstance(v, list) else [v] for v in lines[column])
    return [";".join(str(v) for v in several if not (isinstance(v, float) and np.isnan(v))) for several in values]


def near(lines: gpd.GeoDataFrame, area: gpd.GeoSeries | gpd.GeoDataFrame, margin_m: float) -> gpd.GeoDataFrame:
    """Keep the lines within ``margin_m`` of an area, whole: with the cutoff as margin, the area's border shortens no walk.

    Args:
        lines: in a projected CRS.
        area: polygons in any CRS.

    Raises:
        InputError: the lines have no CRS, or one in degrees.
    """
    if lines.crs is None:
        raise InputError("streets_no_crs")
    if not lines.crs.is_projected:
        raise InputError("streets_not_metres", crs=lines.crs.name)
    reach = area.geometry.to_crs(lines.crs).union_all().buffer(margin_m)
    return lines[lines.intersects(reach)].reset_index(drop=True)


def cached_streets(
    file: Path, cache: Path, mode: Mode = WALK, within: shapely.Geometry | None = None
) -> gpd.GeoDataFrame:
    """Read an extract once: later calls take the lines from ``cache``, a folder beside the study.

    The key is the content of the file, the mode, the area and the rules; a changed file is read again, and a damaged cache is noticed
    by its checksum and replaced. Nothing half-written is ever left under the key's name; a cache that can't be written is done without.

    Args:
        file: the extract.
        cache: the folder, made when it is needed.
        mode: who goes there.
        within: an area in WGS-84; lines that don't touch it are left out.
    """
    refuse_no_extract(file)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256")
    rules = (
        f"{mode.tag} {sorted(mode.shut)} {mode.oneways}"  # not repr(): a set's order changes from process to process
    )
    digest.update(Path(__file__).read_bytes() + rules.encode() + (b"" if within is None else within.wkb))
    kept = cache / f"streets-{digest.hexdigest()[:16]}.parquet"
    # Where nothing was kept, or what was kept is no table, the extract is read.
    with contextlib.suppress(OSError, ValueError):
        whole = kept.read_bytes()
        if hashlib.sha256(whole[:-32]).digest() == whole[-32:]:
            return gpd.read_parquet(io.BytesIO(whole[:-32]))
    lines = read_streets(file, mode)
    if within is not None:
        lines = lines[lines.intersects(within)].reset_index(drop=True)
    buffer = io.BytesIO()
    lines.to_parquet(buffer)
    part = kept.with_suffix(f".{os.getpid()}.part")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        part.write_bytes(buffer.getvalue() + hashlib.sha256(buffer.getvalue()).digest())
        part.replace(kept)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return lines
