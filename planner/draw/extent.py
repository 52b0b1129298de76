"""Where the ground lies on the sheet: a frame, a round scale that is true on the ground, and the way north.

Takes bounds in a projected CRS and a rectangle on paper; gives a `Frame` that turns metres into millimetres. Draws nothing.
"""

from dataclasses import dataclass
from math import floor, log10

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer
from shapely import Geometry

# What numeric scales and scale bars are made of.
ROUND = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.5, 8.0)
ROUND_BAR = (1.0, 2.0, 4.0, 5.0)
ROUND_CELL = (1.0, 2.0, 2.5, 5.0)


@dataclass(frozen=True)
class Frame:
    """A rectangle of paper that shows a piece of ground. Paper counts in mm from the sheet's lower left corner.

    Attributes:
        left, bottom, width, height: the rectangle on paper.
        scale: denominator of the numeric scale: one millimetre is ``scale`` millimetres on the ground at the frame's centre.
        east, north: projected coordinates of the centre.
        stretch: metres of the projection to a metre on the ground at the centre (1 ± 0.0004 in a 3-degree zone; 1.15 in web Mercator
            at 30°), so that the scale is true whatever the projection.
        north_deg: where true north points, clockwise from the sheet's top.
    """

    left: float
    bottom: float
    width: float
    height: float
    scale: int
    east: float
    north: float
    stretch: float
    north_deg: float

    @property
    def right(self) -> float:
        """Right edge on paper."""
        return self.left + self.width

    @property
    def top(self) -> float:
        """Upper edge on paper."""
        return self.bottom + self.height

    @property
    def mm_per_m(self) -> float:
        """Millimetres of paper to a metre of the projection."""
        return 1000 / (self.scale * self.stretch)

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top on paper."""
        return self.left, self.bottom, self.right, self.top

    @property
    def box(self) -> Geometry:
        """The rectangle on paper."""
        return shapely.box(*self.edges)

    @property
    def ground(self) -> Geometry:
        """The rectangle on the ground, in the projected CRS, with a little more around it."""
        half_x, half_y = (0.51 * side / self.mm_per_m for side in (self.width, self.height))
        return shapely.box(self.east - half_x, self.north - half_y, self.east + half_x, self.north + half_y)


def fit(bounds: tuple[float, float, float, float], crs: str, rectangle: tuple[float, float, float, float]) -> Frame:
    """Return the frame in which ``bounds`` fill the rectangle at the largest round scale.

    Args:
        bounds: least and greatest easting and northing of what must be seen, metres of ``crs``: (min x, min y, max x, max y).
        crs: projected CRS in metres.
        rectangle: left, bottom, width, height in mm.
    """
    left, bottom, width, height = rectangle
    east, north = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    stretch, north_deg = _distortion(CRS.from_user_input(crs), east, north)
    needed = 1000 / stretch * max((bounds[2] - bounds[0]) / width, (bounds[3] - bounds[1]) / height, 1e-3)
    return Frame(left, bottom, width, height, _round_up(needed), east, north, stretch, north_deg)


def _distortion(crs: CRS, east: float, north: float) -> tuple[float, float]:
    """Return the point scale and the direction of true north (degrees clockwise) at a point, as PROJ gives them."""
    lon, lat = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(east, north)
    factors = Proj(crs).get_factors(lon, lat)
    return float(np.sqrt(factors.areal_scale)), float(-factors.meridian_convergence)


def _round_up(value: float) -> int:
    """Return the least round number that is at least ``value``."""
    power = 10.0 ** floor(log10(value))
    steps = [step * power for step in (*ROUND, 10.0)]
    return round(next(step for step in steps if step >= value * (1 - 1e-9)))


def round_down(value: float, steps: tuple[float, ...]) -> float:
    """Return the largest of the round numbers ``steps`` × 10ⁿ that is at most ``value``."""
    power = 10.0 ** floor(log10(value))
    return max(step * power for step in steps if step * power <= value * (1 + 1e-9))


def to_paper(frame: Frame, shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return geometries in mm on paper, from geometries in the projected CRS."""
    move = np.array([frame.left + frame.width / 2, frame.bottom + frame.height / 2])
    centre = np.array([frame.east, frame.north])
    moved: NDArray[np.object_] = shapely.transform(shapes, lambda xy: (xy - centre) * frame.mm_per_m + move)
    return moved


def bar_m(frame: Frame, longest_mm: float) -> float:
    """Return the round length in metres on the ground of a scale bar at most ``longest_mm`` long."""
    return round_down(longest_mm * frame.scale / 1000, ROUND_BAR)


def on_paper_mm(frame: Frame, ground_m: float) -> float:
    """Return how long a distance on the ground is drawn."""
    return ground_m * 1000 / frame.scale


def cells(frame: Frame, about_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the borders of the search grid on paper, from the left and from the top, both edges of the frame included.

    Cells are a round length on the ground wide, about ``about_mm`` on paper; the last column and row may be narrower.
    """
    side = on_paper_mm(frame, round_down(about_mm * frame.scale / 1000, ROUND_CELL))

    def borders(length: float) -> NDArray[np.float64]:
        inner = np.arange(0, length - side / 4, side)
        return np.append(inner, length)

    return frame.left + borders(frame.width), frame.top - borders(frame.height)


def cell_of(frame: Frame, about_mm: float, x: float, y: float) -> str:
    """Return the name of the search grid's cell that holds a point of paper: a letter from the left, a number from the top."""
    columns, rows = cells(frame, about_mm)
    column = int(np.clip(np.searchsorted(columns, x, side="right") - 1, 0, len(columns) - 2))
    row = int(np.clip(np.searchsorted(-rows, -y, side="right") - 1, 0, len(rows) - 2))
    return f"{letter(column)}{row + 1}"


def letter(column: int) -> str:
    """Return the letter of a column: A … Z, AA, AB, …"""
    return (letter(column // 26 - 1) if column >= 26 else "") + chr(ord("A") + column % 26)
