"""Where names and numbers go on a sheet, so that they neither collide nor hide what matters.

Takes boxes and points in mm, gives places in mm. Greedy in a fixed order, ties to the first: the same sheet gives the same places.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Geometry

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]

_CELL_MM = 0.5


@dataclass(frozen=True, eq=False)
class Ink:
    """How much is drawn where: summed over rectangles in constant time.

    Attributes:
        left, bottom: corner of the raster in mm.
        total: (rows + 1, columns + 1) running sums of the ink of cells of `_CELL_MM`.
    """

    left: float
    bottom: float
    total: Floats


def ink(bounds: Box, shapes: Sequence[tuple[Geometry, float]]) -> Ink:
    """Return the ink of lines, each with its weight per mm of length.

    Args:
        bounds: left, bottom, right, top of the raster.
        shapes: lines in mm and their weights.
    """
    columns, rows = (int(np.ceil((bounds[i + 2] - bounds[i]) / _CELL_MM)) for i in (0, 1))
    raster = np.zeros((rows, columns))
    for shape, weight in shapes:
        coords = shapely.get_coordinates(shapely.segmentize(shape, _CELL_MM))
        column = ((coords[:, 0] - bounds[0]) / _CELL_MM).astype(int)
        row = ((coords[:, 1] - bounds[1]) / _CELL_MM).astype(int)
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        np.add.at(raster, (row[inside], column[inside]), weight * _CELL_MM)
    return Ink(bounds[0], bounds[1], np.pad(raster, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1))


def ink_under(under: Ink, boxes: Floats) -> Floats:
    """Return the ink under each box (n, 4)."""
    columns = np.clip(np.rint((boxes[:, [0, 2]] - under.left) / _CELL_MM).astype(int), 0, under.total.shape[1] - 1)
    rows = np.clip(np.rint((boxes[:, [1, 3]] - under.bottom) / _CELL_MM).astype(int), 0, under.total.shape[0] - 1)
    (x0, x1), (y0, y1) = columns.T, rows.T
    total = under.total
    found: Floats = total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0]
    return found


def overlap(boxes: Floats, others: Floats) -> Floats:
    """Return the area (n,) that each of the boxes (n, 4) shares with the others (m, 4)."""
    if not len(others):
        return np.zeros(len(boxes))
    wide = np.minimum(boxes[:, None, 2], others[None, :, 2]) - np.maximum(boxes[:, None, 0], others[None, :, 0])
    high = np.minimum(boxes[:, None, 3], others[None, :, 3]) - np.maximum(boxes[:, None, 1], others[None, :, 1])
    shared: Floats = (np.clip(wide, 0, None) * np.clip(high, 0, None)).sum(axis=1)
    return shared


def around(points: Floats, half_width: float | Floats, half_height: float | Floats) -> Floats:
    """Return boxes (n, 4) centred on points (n, 2)."""
    half = np.column_stack([np.broadcast_to(half_width, len(points)), np.broadcast_to(half_height, len(points))])
    return np.hstack([points - half, points + half])


def spread(anchors: Floats, sizes: Floats, obstacles: Floats, bounds: Box, gap_mm: float = 0.5) -> Floats:
    """Return where symbols of ``sizes`` (diameters) go so that none covers another or an obstacle, each as near its anchor as can be.

    Symbols without conflict stay; the others try rings about their anchor. Where nothing is free, the least overlap wins.

    Args:
        anchors: (n, 2) true places.
        sizes: (n,) diameters.
        obstacles: (m, 4) boxes that should stay visible.
        bounds: none may leave this box.
    """
    placed = anchors.copy()
    half = sizes / 2 + gap_mm / 2
    # Small steps keep a symbol that must give way close to its place.
    rings = [(0.0, 0.0)] + [
        (r * np.cos(a), r * np.sin(a))
        for r in (0.35, 0.55, 0.75, 1.0, 1.3, 1.7, 2.2, 2.8)
        for a in np.arange(16) * (2 * np.pi / 16)
    ]
    offsets = np.array(rings)
    crowd = np.array([np.sum(_touches(anchors[i], half[i], anchors, half)) for i in range(len(anchors))])
    done: list[int] = []
    for i in sorted(range(len(anchors)), key=lambda i: (crowd[i], i)):
        tries = anchors[i] + offsets * sizes[i]
        boxes = around(tries, half[i], half[i])
        outside = (boxes[:, :2] < bounds[:2]).any(axis=1) | (boxes[:, 2:] > bounds[2:]).any(axis=1)
        on_symbols = np.array([_touches(t, half[i], placed[done], half[done]).sum() if done else 0.0 for t in tries])
        on_obstacles = overlap(boxes, obstacles)
        shift = np.hypot(*(tries - anchors[i]).T) / sizes[i]
        cost = 1000.0 * outside + 60.0 * on_symbols + 1.2 * on_obstacles + 1.5 * shift
        placed[i] = tries[int(np.argmin(cost))]
        done.append(i)
    return placed


def _touches(point: Floats, half: float, others: Floats, halves: Floats) -> Floats:
    """Return how far (share of the sum of radii) discs about others reach into the disc about point; 0 where they don't."""
    apart = np.hypot(*(others - point).T)
    reach = half + halves
    depth: Floats = np.clip(1 - apart / reach, 0, None)
    return depth


def in_area(
    area: Geometry, width: float, height: float, under: Ink, taken: Floats, *, step_mm: float = 2.0
) -> tuple[float, float] | None:
    """Return the calmest centre for a name of an area, or None where the area is too small to hold it.

    The name's box must lie on the area and off everything taken; of such places the one with least ink under it and near the middle wins.

    Args:
        area: polygon in mm.
        width, height: of the name.
        under: what is drawn beneath.
        taken: (m, 4) boxes that names must not touch.
    """
    left, bottom, right, top = area.bounds
    grid_x, grid_y = np.meshgrid(np.arange(left, right, step_mm), np.arange(bottom, top, step_mm))
    points = np.column_stack([grid_x.ravel(), grid_y.ravel()])
    boxes = around(points, width / 2, height / 2)
    fits = shapely.contains(area, shapely.box(*boxes.T)) if len(boxes) else np.zeros(0, dtype=bool)
    fits &= overlap(boxes, taken) == 0
    if not fits.any():
        return None
    points, boxes = points[fits], boxes[fits]
    middle = (
        np.array(area.representative_point().coords[0])
        if not area.contains(area.centroid)
        else np.array(area.centroid.coords[0])
    )
    off = np.hypot(*(points - middle).T) / max(right - left, top - bottom)
    best = int(np.argmin(ink_under(under, boxes) + 6.0 * off))
    return float(points[best, 0]), float(points[best, 1])


def along(area: Geometry, n: int, size_mm: float, *, keep_apart: Floats, under: Ink) -> Floats | None:
    """Return centres (n, 2) of n characters along the middle of a long area, such as a river; None where it is too narrow.

    The middle line is made of the midpoints of chords across the area's longer axis. Characters stand evenly, off bridges and symbols.

    Args:
        area: polygon in mm.
        n: number of characters.
        size_mm: height of a character.
        keep_apart: (m, 4) boxes to stay off.
        under: what is drawn on the area.
    """
    rectangle = area.minimum_rotated_rectangle
    corners = np.array(rectangle.exterior.coords)[:4]
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(*sides.T)
    longer = int(np.argmax(lengths))
    axis, across = sides[longer] / lengths[longer], sides[(longer + 1) % 4] / lengths[(longer + 1) % 4]
    start = corners[longer]
    if axis[1] > abs(axis[0]) * 0.6 or (abs(axis[1]) <= abs(axis[0]) * 0.6 and axis[0] < 0):
        # Names run from top to bottom along upright rivers, from left to right along level ones.
        start, axis = start + sides[longer], -axis
    stations = np.arange(1.0, lengths[longer], 1.0)
    width = lengths[(longer + 1) % 4]
    middles, reach = np.full((len(stations), 2), np.nan), np.zeros(len(stations))
    shapely.prepare(area)
    for i, t in enumerate(stations):
        chord = shapely.intersection(
            area, shapely.LineString([start + axis * t - across, start + axis * t + across * (width + 1)])
        )
        pieces = [p for p in shapely.get_parts(chord) if p.length > 0]
        if pieces:
            longest = max(pieces, key=lambda p: p.length)
            middles[i], reach[i] = shapely.get_coordinates(longest.centroid)[0], longest.length
    wide = reach > 1.6 * size_mm
    if wide.sum() < n * size_mm * 1.5:
        return None
    boxes = around(np.nan_to_num(middles, nan=-1e6), size_mm * 0.75, size_mm * 0.75)
    cost = ink_under(under, boxes) + 5.0 * overlap(boxes, keep_apart) + 1000.0 * ~wide
    first, last = np.flatnonzero(wide)[[0, -1]]
    best, where = np.inf, None
    for pitch in np.linspace(0.16, 0.24, 9) * (last - first) / max(n - 1, 1) * 2:
        for begin in np.arange(first + 0.1 * (last - first), last - pitch * (n - 1) - 0.1 * (last - first), 2.0):
            at = np.rint(begin + pitch * np.arange(n)).astype(int)
            centred = abs(at.mean() - (first + last) / 2) / (last - first)
            price = cost[at].sum() + 4.0 * centred
            if price < best:
                best, where = price, at
    return None if where is None else middles[where]
