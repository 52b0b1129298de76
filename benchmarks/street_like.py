"""A graph like a city's streets, of any size, the same each time."""

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import Delaunay

NODES_PER_KM2 = 150
MEAN_DEGREE = 2.8
N_CENTRES = 12
SHARE_IN_CENTRES = 0.3


def street_like(n_nodes: int, seed: int = 1) -> gpd.GeoDataFrame:
    """Draw ``n_nodes`` junctions and the streets between them, in metres.

    Jittered points, a dozen denser centres among them; Delaunay edges without the longest 3 %; of these the shortest spanning
    tree and random short ones up to the mean degree.
    """
    chance = np.random.default_rng(seed)
    side_m = np.sqrt(n_nodes / NODES_PER_KM2) * 1000
    n_centred = int(n_nodes * SHARE_IN_CENTRES)
    across = int(np.ceil(np.sqrt(n_nodes - n_centred)))
    cells = np.indices((across, across)).reshape(2, -1).T[: n_nodes - n_centred]
    spread = (cells + 0.5 + chance.uniform(-0.4, 0.4, cells.shape)) * side_m / across
    centres = chance.uniform(0.15, 0.85, (N_CENTRES, 2)) * side_m
    centred = centres[chance.integers(0, N_CENTRES, n_centred)] + chance.normal(0, side_m / 20, (n_centred, 2))
    points = np.vstack([spread, centred])

    corners = Delaunay(points).simplices
    edges = np.unique(np.sort(np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]]), axis=1), axis=0)
    length_m = np.hypot(*(points[edges[:, 0]] - points[edges[:, 1]]).T)
    tree = minimum_spanning_tree(coo_array((length_m, edges.T), shape=(n_nodes, n_nodes))).tocoo()
    in_tree = np.isin(edges @ [n_nodes, 1], np.sort([tree.row, tree.col], axis=0).T.astype(np.int64) @ [n_nodes, 1])
    free = np.flatnonzero(~in_tree & (length_m <= np.quantile(length_m, 0.97)))
    short_first = free[np.argsort(length_m[free] * chance.uniform(0.5, 1.5, len(free)), kind="stable")]
    chosen = np.sort(
        np.concatenate([np.flatnonzero(in_tree), short_first[: int(n_nodes * MEAN_DEGREE / 2) - in_tree.sum()]])
    )
    return gpd.GeoDataFrame(geometry=shapely.linestrings(points[edges[chosen]]), crs="EPSG:4547")
