"""Where a table's points fall among the streets under one reading of its coordinates: a small picture for the eye to judge by.

Takes points and streets in metres; gives an svg. Holds no word of the user's.
"""

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from planner.draw import style

WIDTH, HEIGHT = 300, 220
# Wide enough to hold the shift between two datums, narrow enough to see beside which street a point stands.
ACROSS_M = 1_500.0


def window(points: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a view where the points stand densest.

    Args:
        points: (n, 2) metres.
    """
    tree = cKDTree(points)
    busiest = int(np.argmax([len(near) for near in tree.query_ball_point(points, ACROSS_M / 3)]))
    x, y = points[busiest]
    half_x, half_y = ACROSS_M / 2, ACROSS_M / 2 * HEIGHT / WIDTH
    return float(x - half_x), float(y - half_y), float(x + half_x), float(y + half_y)


def readings_svg(
    streets: gpd.GeoDataFrame, points: NDArray[np.float64], view: tuple[float, float, float, float], *, chosen: bool
) -> str:
    """Return a picture of the points among the streets as an svg.

    Args:
        streets: lines in metres.
        points: (n, 2) metres of the same system.
        view: west, south, east, north of what is shown.
        chosen: whether the table is read so; the frame tells.
    """
    west, south, east, north = view
    scale = WIDTH / (east - west)
    seen = streets.geometry.iloc[streets.sindex.query(shapely.box(*view))].to_numpy()
    lines = shapely.get_parts(shapely.clip_by_rect(seen, *view)) if len(seen) else np.array([])
    path = []
    for line in lines:
        xy = shapely.get_coordinates(line)
        at = [f"{(x - west) * scale:.1f} {(north - y) * scale:.1f}" for x, y in xy]
        path.append(f"M{'L'.join(at)}")
    inside = (points[:, 0] > west) & (points[:, 0] < east) & (points[:, 1] > south) & (points[:, 1] < north)
    dots = "".join(
        f'<circle cx="{(x - west) * scale:.1f}" cy="{(north - y) * scale:.1f}" r="5"/>' for x, y in points[inside]
    )
    frame = f'stroke="{style.YEARS[0]}" stroke-width="4"' if chosen else f'stroke="{style.FAINT}" stroke-width="2"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{style.PAPER}"/>'
        f'<path d="{"".join(path)}" fill="none" stroke="{style.MUTED}" stroke-width="1.2"/>'
        f'<g fill="{style.GAP}" stroke="{style.WHITE}" stroke-width="1.5">{dots}</g>'
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" fill="none" {frame}/></svg>'
    )
