"""What to look at before believing distances: how points came onto the network, and where lines cross without meeting.

Takes a network, points and their positions; gives tables for a person's eye, each row with a geometry for the map. Mends nothing.
"""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from planner.errors import InputError
from planner.network import Network, Positions

FAR_M = 100.0
NEAR_M = 1.0


def audit_positions(
    network: Network,
    points: gpd.GeoSeries | gpd.GeoDataFrame,
    positions: Positions,
    *,
    far_m: float = FAR_M,
    name_column: str = "name",
    barriers: gpd.GeoDataFrame | None = None,
    barrier_column: str = "kind",
) -> gpd.GeoDataFrame:
    """Say of each point how far it was moved, onto which street, and whether that is suspect.

    Args:
        far_m: longer moves are flagged.
        name_column: column of the streets with their name, where they have one.
        barriers: motorways, railways, water: what nobody walks across to a street. Lines or polygons in any CRS.
        barrier_column: what sort of barrier it is.

    Returns:
        One row a point, in their order; columns ``edge``, ``street``, ``moved_m``, ``far``, ``island`` (not on the largest connected
        part), ``barrier`` (the sort crossed, "" if none), geometry: the line from the point to its street.

    Raises:
        InputError: the points have no CRS.
        ValueError: the positions are of other points, or of no streets.
    """
    if points.crs is None:
        raise InputError("points_no_crs")
    if not network.n_edges:
        raise ValueError("there are no streets that points could have been moved onto")
    if len(points) != len(positions):
        raise ValueError(f"{len(points)} points have {len(positions)} positions: make them of the same with `locate`")
    shapes = np.asarray(points.geometry.to_crs(network.crs).array)
    lines = np.asarray(network.edges.geometry.array)[positions.edge]
    feet = shapely.line_interpolate_point(lines, positions.offset_m)
    moves = shapely.linestrings(np.hstack([shapely.get_coordinates(p) for p in (shapes, feet)]).reshape(-1, 2, 2))
    named = name_column in network.edges.columns
    streets = network.edges[name_column].iloc[positions.edge].fillna("").astype(str).to_numpy() if named else ""
    columns = {
        "edge": positions.edge,
        "street": streets,
        "moved_m": positions.access_m,
        "far": positions.access_m > far_m,
        "island": network.component[network.start[positions.edge]] > 0,
        "barrier": _crossed(moves, barriers, barrier_column, network) if barriers is not None else "",
    }
    return gpd.GeoDataFrame(pd.DataFrame(columns, index=range(len(shapes))), geometry=moves, crs=network.crs)


def _crossed(
    moves: NDArray[np.object_], barriers: gpd.GeoDataFrame, column: str, network: Network
) -> NDArray[np.object_]:
    """Return the first sort of barrier in alphabetical order that each move crosses."""
    move, barrier = shapely.STRtree(np.asarray(barriers.geometry.to_crs(network.crs).array)).query(moves, "crosses")
    sorts = barriers[column].astype(str).to_numpy()[barrier]
    first = pd.Series(sorts, dtype=object).groupby(move).min()
    crossed = np.full(len(moves), "", dtype=object)
    crossed[first.index.to_numpy(dtype=np.int64)] = first.to_numpy()
    return crossed


def audit_crossings(network: Network, *, near_m: float = NEAR_M) -> gpd.GeoDataFrame:
    """Find where edges meet, or all but meet, without a common end point, so that nobody can turn from one into the other.

    A ``crossing`` may be a bridge or a missing junction; a ``touch`` (one ends on the other's side) and a ``near`` (a dead end stops
    short of the other) are gaps in most data; an ``overlap`` is a street drawn twice.

    Args:
        near_m: a dead end at most this many metres from a street that it does not meet is near it.

    Returns:
        Columns ``kind``, ``edge``, ``other`` (``edge`` < ``other``), geometry (Point; LineString for an overlap), by edge.
    """
    lines = np.asarray(network.edges.geometry.array)
    tree = shapely.STRtree(lines)
    edge, other = tree.query(lines, "intersects")
    edge, other = edge[edge < other], other[edge < other]
    order = np.lexsort([other, edge])
    edge, other = edge[order], other[order]
    parts, pair = shapely.get_parts(shapely.intersection(lines[edge], lines[other]), return_index=True)
    edge, other = edge[pair], other[pair]
    is_line = shapely.get_type_id(parts) == 1
    ends = shapely.boundary(lines)
    at_ends = [~is_line & (_apart(parts, ends[those], lines[those]) == 0) for those in (edge, other)]
    kind = np.select([is_line, at_ends[0] ^ at_ends[1], ~at_ends[0]], ["overlap", "touch", "crossing"], "junction")
    there = kind != "junction"
    points, dead_end, beside = _dead_ends_near(network, lines, tree, near_m)
    columns = {
        "kind": np.concatenate([kind[there], np.full(len(points), "near")]),
        "edge": np.concatenate([edge[there], np.minimum(dead_end, beside)]),
        "other": np.concatenate([other[there], np.maximum(dead_end, beside)]),
    }
    found = gpd.GeoDataFrame(columns, geometry=np.concatenate([parts[there], points]), crs=network.crs)
    return found.sort_values(["edge", "other"], kind="stable", ignore_index=True)


def _dead_ends_near(
    network: Network, lines: NDArray[np.object_], tree: shapely.STRtree, near_m: float
) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.int64]]:
    """Return the dead ends that stop short of an edge which theirs does not meet: the end, its edge, that edge."""
    start, stop = network.start, network.stop
    met = np.bincount(np.concatenate([start, stop]), minlength=network.n_nodes)
    own = np.concatenate([np.flatnonzero(met[start] == 1), np.flatnonzero(met[stop] == 1)])
    node = np.concatenate([start[met[start] == 1], stop[met[stop] == 1]])
    points = shapely.points(network.node_x[node], network.node_y[node])
    end, other = tree.query(points, "dwithin", near_m)
    edge = own[end]
    joined = (start[edge, None] == np.column_stack([start[other], stop[other]])).any(axis=1)
    joined |= (stop[edge, None] == np.column_stack([start[other], stop[other]])).any(axis=1)
    apart = ~joined & ~shapely.intersects(lines[edge], lines[other])
    return points[end[apart]], edge[apart], other[apart]


def _apart(points: NDArray[np.object_], ends: NDArray[np.object_], lines: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return how far points are from the ends of lines; a closed line ends where it starts."""
    closed = shapely.is_empty(ends)
    return np.asarray(shapely.distance(points, np.where(closed, shapely.get_point(lines, 0), ends)))
