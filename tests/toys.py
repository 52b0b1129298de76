"""Toy districts drawn in ASCII, so that a reader sees what is tested.

    - |      street, `STEP_M` metres a character, across and down
    +        a junction; corners, ends and forks are junctions anyway
    #        a bridge: the streets cross and don't meet
    A B C    sites, a B c the demand: on the street they stand in, or off it where nothing adjoins them

A letter in the middle of a straight street makes no junction: it lies part-way along an edge.

    >>> town = toy('''
    ...     A--a--+
    ...           |   b
    ...           +--B
    ... ''')
    >>> town.streets.length.tolist()
    [600.0, 300.0, 200.0]
"""

from dataclasses import dataclass
from textwrap import dedent

import geopandas as gpd
import numpy as np
from shapely import LineString, Point

CRS = "EPSG:4547"  # CGCS2000, 3-degree zone around 114° E: Wuhan
WEST, NORTH = 530_000.0, 3_384_000.0
STEP_M = 100.0

RIGHT, LEFT, DOWN, UP = (0, 1), (0, -1), (1, 0), (-1, 0)


@dataclass(frozen=True, eq=False)
class Toy:
    """A drawn district.

    Attributes:
        streets: columns ``id``, ``highway``, geometry; across first, row by row, then down.
        sites: the capital letters in alphabetical order; columns ``id``, geometry.
        demand: the small letters in alphabetical order; columns ``id``, geometry.
    """

    streets: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame
    demand: gpd.GeoDataFrame


def toy(drawing: str, *, step_m: float = STEP_M) -> Toy:
    """Read a drawing."""
    cells = _cells(drawing)
    joined = {(cell, way): _joined(cells, cell, way) for cell in cells for way in (RIGHT, LEFT, DOWN, UP)}

    def is_node(cell: tuple[int, int]) -> bool:
        ways = [way for way in (RIGHT, LEFT, DOWN, UP) if joined[cell, way]]
        straight = ways in ([RIGHT, LEFT], [DOWN, UP])
        return bool(ways) and cells[cell] != "#" and (cells[cell] == "+" or not straight)

    lines = []
    for way in (RIGHT, DOWN):
        for cell in sorted(c for c in cells if is_node(c) and joined[c, way]):
            end = _next(cell, way)
            while not is_node(end):
                end = _next(end, way)
            lines.append(LineString([_xy(cell, step_m), _xy(end, step_m)]))
    streets = {"id": [f"s{i}" for i in range(len(lines))], "highway": "residential"}
    letters = sorted((c, cell) for cell, c in cells.items() if c.isalpha())
    assert len({c for c, _ in letters}) == len(letters), "a letter stands for one place"
    return Toy(
        streets=gpd.GeoDataFrame(streets, geometry=lines, crs=CRS),
        sites=_points([(c, _xy(cell, step_m)) for c, cell in letters if c.isupper()]),
        demand=_points([(c, _xy(cell, step_m)) for c, cell in letters if c.islower()]),
    )


def grid(columns: int, rows: int, *, step_m: float = STEP_M) -> gpd.GeoDataFrame:
    """Draw a chequerboard of streets with that many junctions each way."""
    across = "+-" * (columns - 1) + "+"
    down = "| " * (columns - 1) + "|"
    return toy("\n".join([across, *[down, across] * (rows - 1)]), step_m=step_m / 2).streets


def _cells(drawing: str) -> dict[tuple[int, int], str]:
    rows = dedent(drawing).strip("\n").splitlines()
    cells = {(r, c): char for r, row in enumerate(rows) for c, char in enumerate(row) if char != " "}
    unknown = set(cells.values()) - set("+-|#") - {c for c in cells.values() if c.isascii() and c.isalpha()}
    assert not unknown, f"a drawing can't hold {unknown}"
    return cells


def _joined(cells: dict[tuple[int, int], str], cell: tuple[int, int], way: tuple[int, int]) -> bool:
    """Tell whether a street runs from a cell to the next one: both open that way, and not letter to letter."""
    ends = cells[cell], cells.get(_next(cell, way), " ")
    street = "-" if way in (RIGHT, LEFT) else "|"
    return all(end in street + "+#" or end.isalpha() for end in ends) and not all(end.isalpha() for end in ends)


def _next(cell: tuple[int, int], way: tuple[int, int]) -> tuple[int, int]:
    return cell[0] + way[0], cell[1] + way[1]


def _xy(cell: tuple[int, int], step_m: float) -> tuple[float, float]:
    return WEST + cell[1] * step_m, NORTH - cell[0] * step_m


def _points(places: list[tuple[str, tuple[float, float]]]) -> gpd.GeoDataFrame:
    ids, points = [name for name, _ in places], [Point(xy) for _, xy in places]
    return gpd.GeoDataFrame({"id": np.array(ids, dtype=object)}, geometry=points, crs=CRS)
