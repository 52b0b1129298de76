"""An independent answer to "how far is the nearest site?": networkx on the streets split at the projected points.

Shares no code with the package: it reads lines and points, and nothing else.
"""

import itertools
from collections import defaultdict

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely


def nearest_m(streets: gpd.GeoSeries, demand: gpd.GeoSeries, sites: gpd.GeoSeries) -> np.ndarray:
    """Return metres from each demand point to its nearest site along the streets, both walks to the street counted."""
    lines = streets.to_numpy()
    tree = shapely.STRtree(lines)
    points = np.concatenate([sites.to_numpy(), demand.to_numpy()])
    # nearest() gives one edge of those equally near; the distance to a shared end point is the same along either.
    edge = tree.nearest(points)
    along = shapely.line_locate_point(lines[edge], points)
    access = shapely.distance(lines[edge], points)
    stops: dict[int, list[tuple[float, object]]] = defaultdict(list)
    for number, (e, d) in enumerate(zip(edge, along, strict=True)):
        stops[int(e)].append((float(d), ("point", number)))
    graph = nx.Graph()

    def link(a: object, b: object, metres: float) -> None:
        if a != b and metres < graph.get_edge_data(a, b, {"weight": np.inf})["weight"]:
            graph.add_edge(a, b, weight=metres)

    for e, line in enumerate(lines):
        ends = [(0.0, line.coords[0]), (line.length, line.coords[-1])]
        chain = [ends[0], *sorted(stops[e], key=lambda stop: stop[0]), ends[1]]
        for (d1, a), (d2, b) in itertools.pairwise(chain):
            link(a, b, d2 - d1)
    for number, metres in enumerate(access):
        link(("point", number), ("place", number), float(metres))
    found = nx.multi_source_dijkstra_path_length(graph, {("place", n) for n in range(len(sites))})
    return np.array([found.get(("place", n), np.nan) for n in range(len(sites), len(points))])
