"""The road-cleaning ledger 道路保洁台账 -> the streets its rows speak of: "人民路, 解放路 to 建设路".

Takes names of roads and of the roads they run from and to; gives the numbers of the streets, matched by name and by where names meet.
"""

import re

import geopandas as gpd
import numpy as np
import shapely

from planner.intake.cells import plain

# A road name's branches stand in brackets or behind it: 人民路(东段), 人民路辅路.
_BRANCH = re.compile(r"\(.*?\)|[东西南北中]?段$|辅路$|\s")
# A street belongs to the stretch between two crossings if the way over its middle is at most this much longer than the straight one;
# the metres are the width of a crossing.
_DETOUR, _CROSSING_M = 1.1, 40.0


def match_roads(roads: list[str], starts: list[str], ends: list[str], *, streets: gpd.GeoDataFrame) -> list[list[int]]:
    """Return for each row of a ledger the numbers of its streets; none where no street has the road's name.

    Args:
        roads: the road of each row.
        starts: the road at which its stretch begins; blank, or a road that doesn't meet it: the whole road.
        ends: the road at which it ends.
        streets: lines with a column ``name``; several names of a street are joined by ";".
    """
    named: dict[str, list[int]] = {}
    for number, names in enumerate(streets["name"]):
        for name in sorted({_core(part) for part in str(names).split(";")} - {""}):
            named.setdefault(name, []).append(number)
    lines = streets.geometry.to_numpy()
    return [
        _between(named.get(_core(road), []), named.get(_core(start), []), named.get(_core(end), []), lines)
        for road, start, end in zip(roads, starts, ends, strict=True)
    ]


def _core(name: str) -> str:
    return _BRANCH.sub("", plain(name))


def _between(road: list[int], start: list[int], end: list[int], lines: np.ndarray) -> list[int]:
    """Return the streets of a road between its crossings with two others; all of them where it doesn't meet both."""
    if not (road and start and end):
        return road
    whole = shapely.union_all(lines[road])
    crossings = [shapely.intersection(whole, shapely.union_all(lines[other])) for other in (start, end)]
    if any(crossing.is_empty for crossing in crossings):
        return road
    begin, finish = (crossing.centroid for crossing in crossings)
    middle = shapely.line_interpolate_point(lines[road], 0.5, normalized=True)
    way_m = shapely.distance(middle, begin) + shapely.distance(middle, finish)
    kept = way_m <= _DETOUR * shapely.distance(begin, finish) + _CROSSING_M
    return [number for number, inside in zip(road, kept, strict=True) if inside] or road
