"""Street lines -> Network, and where points lie on it.

Takes lines in a projected CRS; gives nodes, edges and the arrays that the searches run on, and positions (edge, metres along it).
Mends nothing: what the lines leave open is reported, because a gap that is closed by guess makes distances that nobody can check.
"""

from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from planner.chains import Chains, link
from planner.errors import InputError
from planner.kernels import FARTHEST, UNITS_PER_M

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Whole = NDArray[np.uint32]

EARTH_M = 1e8  # more than twice round the earth: no projected coordinate is as large
LONGEST_M = FARTHEST / UNITS_PER_M  # places along a longer edge could not be told apart


@dataclass(frozen=True, eq=False)
class Network:
    """Streets that can be walked both ways, but for one-ways.

    Nodes are numbered along a Hilbert curve, so that neighbours on the map are neighbours in memory (about 4× at a million nodes).

    Attributes:
        crs: projected CRS in metres.
        edges: GeoDataFrame, one LineString an edge, in the order of the lines given; columns ``start``, ``stop`` (node numbers),
            ``length_m``, ``row`` (position of the line in the layer given) and whatever else the lines carried.
        node_x, node_y: (n_nodes,) metres.
        component: (n_nodes,) number of the connected part a node belongs to; 0 has the most nodes.
        dropped: lines that gave no edge: columns ``row`` and ``reason`` (``no_geometry``, ``not_a_line``, ``zero_length``,
            ``nowhere`` where a coordinate is no finite number, ``too_long`` beyond 2,000 km).
        oneway: (n_edges,) whether an edge is only taken from start to stop.
        length: (n_edges,) uint32, whole millimetres.
        chains: the smaller graph that searches run on, and where the edges lie on it.
        detour_factor: None; where there are no streets, walks are estimated as straight lines × this (`without_streets`).
    """

    crs: CRS
    edges: gpd.GeoDataFrame
    node_x: Floats
    node_y: Floats
    component: Ints
    dropped: pd.DataFrame
    oneway: NDArray[np.bool_] = field(repr=False)
    length: Whole = field(repr=False)
    chains: Chains = field(repr=False)
    detour_factor: float | None = None

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.node_x)

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edges)

    @property
    def n_components(self) -> int:
        """Number of connected parts."""
        return int(self.component.max(initial=-1)) + 1

    @property
    def length_km(self) -> float:
        """Length of all edges."""
        return float(self.edges["length_m"].sum()) / 1000

    @property
    def start(self) -> Ints:
        """(n_edges,) node at the start of each edge."""
        return np.asarray(self.edges["start"], dtype=np.int64)

    @property
    def stop(self) -> Ints:
        """(n_edges,) node at the end of each edge."""
        return np.asarray(self.edges["stop"], dtype=np.int64)


def from_lines(lines: gpd.GeoDataFrame, *, oneway: str | None = None) -> Network:
    """Make a network of street lines.

    Lines meet where their end points are the same to the last bit; a crossing without an end point is a bridge. Parts of a
    multi-line become edges of their own, loops and parallel edges stay, heights are ignored.

    Args:
        oneway: column that is true where a line is only taken the way it is drawn; None: both ways, as walking does.

    Raises:
        InputError: the lines have no CRS, one that isn't in metres, or no line among them has a length; ``oneway`` is no column of
            true and false (words such as "yes" and "no" mean something else in every data set).
    """
    crs = _metres(lines.crs)
    shapes, row, dropped = _single_lines(np.asarray(lines.geometry.array))
    xy, of = shapely.get_coordinates(shapes, return_index=True)
    first = np.searchsorted(of, np.arange(len(shapes) + 1))
    ends = xy[np.concatenate([first[:-1], first[1:] - 1])]
    start, stop, xy = _number_nodes(ends)
    length_m = shapely.length(shapes)

    carried = lines.drop(columns=[lines.geometry.name, "start", "stop", "length_m", "row"], errors="ignore").iloc[row]
    columns = {"start": start, "stop": stop, "length_m": length_m, "row": row}
    edges = gpd.GeoDataFrame(
        pd.DataFrame(columns).join(pd.DataFrame(carried).reset_index(drop=True)), geometry=shapes, crs=crs
    )
    length = np.rint(length_m * UNITS_PER_M).astype(np.uint32)
    one = np.zeros(len(row), dtype=bool) if oneway is None else _flags(lines, oneway)[row]
    return Network(
        crs=crs,
        edges=edges,
        node_x=np.ascontiguousarray(xy[:, 0]),
        node_y=np.ascontiguousarray(xy[:, 1]),
        component=_components(start, stop, len(xy)),
        dropped=dropped,
        oneway=one,
        length=length,
        chains=link(start, stop, length, one, len(xy)),
    )


def without_streets(crs: CRS | str, detour_factor: float) -> Network:
    """Return a network without a street, on which walks are estimated: straight line × ``detour_factor``.

    Raises:
        InputError: the CRS isn't in metres.
        ValueError: the factor is below 1: no walk is shorter than a straight line.
    """
    if not 1 <= detour_factor < np.inf:
        raise ValueError(f"detour_factor = {detour_factor} must be at least 1")
    columns = {
        "start": int,
        "stop": int,
        "length_m": float,
        "row": int,
        "id": str,
        "highway": str,
        "name": str,
        "source": str,
    }
    frame = pd.DataFrame({column: pd.Series([], dtype=kind) for column, kind in columns.items()})
    nothing = gpd.GeoDataFrame(frame, geometry=[], crs=_metres(CRS(crs)))
    none, whole, flags = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint32), np.empty(0, dtype=bool)
    return Network(
        crs=nothing.crs,
        edges=nothing,
        node_x=np.empty(0),
        node_y=np.empty(0),
        component=none,
        dropped=pd.DataFrame({"row": [], "reason": []}),
        oneway=flags,
        length=whole,
        chains=link(none, none, whole, flags, 0),
        detour_factor=detour_factor,
    )


def _flags(lines: gpd.GeoDataFrame, column: str) -> NDArray[np.bool_]:
    """Return a column of true and false, or 1 and 0."""
    if column not in lines.columns:
        raise InputError("oneway_unknown", column=column, value="")
    values = lines[column]
    wrong = ~values.isin([True, False]).to_numpy()
    if wrong.any():
        raise InputError("oneway_unknown", column=column, value=values.iloc[int(np.argmax(wrong))])
    return np.asarray(values.to_numpy(dtype=bool))


def _metres(crs: CRS | None) -> CRS:
    if crs is None:
        raise InputError("streets_no_crs")
    operation = crs.coordinate_operation
    web = operation is not None and "Pseudo Mercator" in operation.method_name  # its metres grow with the latitude
    if not crs.is_projected or crs.axis_info[0].unit_name != "metre" or web:
        raise InputError("streets_not_metres", crs=crs.name)
    return crs


def _single_lines(geometry: NDArray[np.object_]) -> tuple[NDArray[np.object_], Ints, pd.DataFrame]:
    """Return the single flat lines with a length, the row each comes from, and the rows that gave none."""
    kind = shapely.get_type_id(geometry)
    empty = shapely.is_missing(geometry) | shapely.is_empty(geometry)
    is_line = np.isin(kind, [1, 2, 5]) & ~empty
    lines = geometry[is_line]
    flat = shapely.force_2d(lines) if (shapely.get_coordinate_dimension(lines) != 2).any() else lines
    parts, part_of = shapely.get_parts(flat, return_index=True)
    row = np.flatnonzero(is_line)[part_of]
    with np.errstate(invalid="ignore", over="ignore"):
        length_m = shapely.length(parts)
    usable = (length_m > 0) & (length_m <= LONGEST_M)
    lost = [
        (np.flatnonzero(empty), "no_geometry"),
        (np.flatnonzero(~is_line & ~empty), "not_a_line"),
        (row[length_m == 0], "zero_length"),
        (row[~np.isfinite(length_m)], "nowhere"),
        (row[np.isfinite(length_m) & (length_m > LONGEST_M)], "too_long"),
    ]
    dropped = pd.concat([pd.DataFrame({"row": rows, "reason": reason}) for rows, reason in lost])
    if not usable.any():
        raise InputError("streets_none")
    # A closed ring is a loop like any other.
    shapes = parts[usable]
    rings = shapely.get_type_id(shapes) == 2
    if rings.any():
        shapes[rings] = [shapely.LineString(ring.coords) for ring in shapes[rings]]
    return shapes, row[usable], dropped.sort_values("row", kind="stable", ignore_index=True)


def _number_nodes(ends: Floats) -> tuple[Ints, Ints, Floats]:
    """Number the distinct end points along a Hilbert curve; ``ends`` holds all starts, then all stops."""
    xy, node = np.unique(ends[:, 0] + 1j * ends[:, 1], return_inverse=True)
    code = gpd.GeoSeries(shapely.points(xy.real, xy.imag)).hilbert_distance(level=16).to_numpy()
    order = np.argsort(code, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    start, stop = rank[node].reshape(2, -1)
    return start, stop, np.column_stack([xy.real, xy.imag])[order]


def _components(start: Ints, stop: Ints, n_nodes: int) -> Ints:
    """Number the connected parts from the one with most nodes down, ties by their lowest node."""
    n_parts, label = connected_components(
        coo_array((np.ones(len(start)), (start, stop)), shape=(n_nodes, n_nodes)), False
    )
    _, lowest = np.unique(label, return_index=True)
    order = np.lexsort([lowest, -np.bincount(label, minlength=n_parts)])
    rank = np.empty(n_parts, dtype=np.int64)
    rank[order] = np.arange(n_parts)
    return np.asarray(rank[label])


@dataclass(frozen=True, eq=False)
class Positions:
    """Where points lie on a network.

    Attributes:
        edge: (n,) edge each point is nearest to.
        offset_m: (n,) metres along that edge from its start.
        access_m: (n,) metres between the point and the street.
        xy: (n, 2) where the points lie in the network's CRS; needed where there are no streets (``edge`` is -1 there).

    The arrays can't be written to: searches keep what they have made of them (`planner.reach.prepare`).
    """

    edge: Ints
    offset_m: Floats
    access_m: Floats
    xy: Floats | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Show the arrays as they are, read-only."""
        for name in ("edge", "offset_m", "access_m"):
            shown = np.asarray(getattr(self, name)).view()
            shown.flags.writeable = False
            object.__setattr__(self, name, shown)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.edge)


def locate(network: Network, points: gpd.GeoSeries | gpd.GeoDataFrame) -> Positions:
    """Find the place on the nearest street of each point, whatever component that street belongs to.

    Points in another CRS are projected to the network's first. Of streets equally near, the first counts.

    Raises:
        InputError: the points have no CRS, or one of them is missing, empty, not a point, or nowhere in it (longitude and latitude
            swapped, say).
    """
    if points.crs is None:
        raise InputError("points_no_crs")
    shapes = np.asarray(points.geometry.to_crs(network.crs).array)
    wrong = (shapely.get_type_id(shapes) != 0) | shapely.is_empty(shapes)
    if wrong.any():
        raise InputError("point_missing", row=int(np.argmax(wrong)) + 1)
    xy = shapely.get_coordinates(shapes)
    nowhere = ~(np.abs(xy) <= EARTH_M).all(axis=1)  # what cannot be projected comes back infinite
    if nowhere.any():
        row = int(np.argmax(nowhere))
        given = shapely.get_coordinates(points.geometry.iloc[row])[0]
        raise InputError("point_nowhere", row=row + 1, x=f"{given[0]:g}", y=f"{given[1]:g}", crs=points.crs.name)
    if network.detour_factor is not None:
        return Positions(np.full(len(xy), -1), np.zeros(len(xy)), np.zeros(len(xy)), xy)
    lines = np.asarray(network.edges.geometry.array)
    # Every equally near edge comes back; sorted by point and edge, the first of each point is the lowest. The index stays with the edges.
    (point, edge), near = network.edges.sindex.nearest(shapes, return_all=True, return_distance=True)
    order = np.lexsort([edge, point])
    _, first = np.unique(point[order], return_index=True)
    edge, access_m = edge[order][first].astype(np.int64), near[order][first]
    with np.errstate(divide="ignore", invalid="ignore"):  # a line may repeat a vertex
        along = shapely.line_locate_point(lines[edge], shapes)
    offset_m = np.clip(along, 0, network.edges["length_m"].to_numpy()[edge])
    return Positions(edge=edge, offset_m=offset_m, access_m=access_m, xy=xy)


def take(positions: Positions, which: ArrayLike) -> Positions:
    """Return some of the positions: ``which`` is an index or mask array."""
    chosen = selector(which)
    xy = None if positions.xy is None else positions.xy[chosen]
    return Positions(positions.edge[chosen], positions.offset_m[chosen], positions.access_m[chosen], xy)


def selector(which: ArrayLike) -> NDArray[np.generic]:
    """Return an index or mask array; of an empty list NumPy would make floats, which select nothing but an error."""
    return np.asarray(which) if np.size(which) else np.empty(0, dtype=np.int64)
