"""The road-cleaning ledger 道路保洁台账 -> the streets its rows speak of: "人民路, 解放路 to 建设路".

Takes names of roads and of the roads they run from and to; gives the numbers of the streets, matched by name and by where names meet, and
whether both ends were found.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from shapely.ops import substring

from planner.intake.cells import plain

# A road name's branches stand in brackets or behind it: 人民路(东段), 人民路辅路.
_LONGEST_NAME = 200
_BRANCH = re.compile(r"\([^()]*\)|[东西南北中]?段$|辅路$|\s")
# Words around an end that are no part of a road's name: 自解放路起至建设路口止.
_ABOUT = re.compile(r"^(?:从|自|由|起于|起自)|(?:起|止|为止)$|(?<=[路街道])口$")
# 东起解放路,西至建设路; 东至解放路、西至建设路.
_SIDES = re.compile(
    r"[东西南北](?:起|至|到|起于|起自)\s*([^,、;\s]+)[,、;\s]+[东西南北](?:至|到|止|讫|止于|止至)\s*(\S+)"
)
# Words for all of a road.
_WHOLE = re.compile(
    r"(?:全线|全路|全路段|全段|全程|全长|整条|整条路|整路|whole|entire|all|full length|-|—|/|无)?", re.IGNORECASE
)
# What stands between the two ends of a stretch written in one cell: 解放路至建设路, 解放路—建设路. A single hyphen or "to" only between
# blanks or Chinese, for names hold them too.
_TO = re.compile(r"\s*(?:至|到|~|→|—+|–|－+|--+)\s*|\s+(?:-|to)\s+|(?<=[^\x00-\x7f])-(?=[^\x00-\x7f])")
# A line belongs to the stretch between two crossings if the way over its middle is at most this much longer than the shortest one along
# the road; the metres are the width of a crossing, within which streets meet.
_DETOUR, _CROSSING_M = 1.1, 40.0
# Ends of a road's lines that lie this near to each other are one.
_JOIN_M = 0.5


@dataclass(frozen=True)
class Stretch:
    """What a row of a ledger speaks of.

    Attributes:
        streets: numbers of the streets; none where no street has the road's name.
        lines: of each street the part that belongs to the stretch.
        whole: an end was named, but no street of that name meets the road: the whole road is taken.
    """

    streets: list[int]
    lines: list[shapely.LineString]
    whole: bool = False


class NamedRoads:
    """The streets of a study by their names, as ledgers write them.

    Args:
        streets: lines in a projected CRS with a column ``name``; several names of a street are joined by ";".
    """

    def __init__(self, streets: gpd.GeoDataFrame) -> None:
        self._lines: NDArray[np.object_] = streets.geometry.to_numpy()
        self._names = streets["name"].astype(str).tolist()

    @cached_property
    def _numbers(self) -> dict[str, list[int]]:
        named: dict[str, list[int]] = {}
        for number, names in enumerate(self._names):
            for name in sorted({_core(part) for part in names.split(";")} - {""}):
                named.setdefault(name, []).append(number)
        return named

    def like(self, road: str) -> str:
        """Return the name most like a road's that a street has; "" where none is alike."""
        near = difflib.get_close_matches(_core(road), self._numbers, n=1, cutoff=0.5)
        return near[0] if near else ""

    def _end(self, name: str) -> list[int]:
        """Return the streets of a name as it stands, or else without the words around it."""
        return self._numbers.get(_core(name)) or self._numbers.get(_core(_ABOUT.sub("", plain(name))), [])

    def stretch(self, road: str, start: str, end: str) -> Stretch:
        """Return the lines of a road between its crossings with two others; all of them where no ends are named.

        Args:
            road: the road's name; what stands in brackets and "东段" behind it are no part of it.
            start: the road at which the stretch begins, or blank.
            end: the road at which it ends, or blank.
        """
        own = self._numbers.get(_core(road), [])
        everything = Stretch(own, self._lines[own].tolist())
        if not own or not (_core(start) or _core(end)):
            return everything
        others = [shapely.union_all(self._lines[self._end(name)]) for name in (start, end)]
        found = _between(everything, others)
        return replace(everything, whole=True) if found is None else found


def ends_of(
    roads: Sequence[str], starts: Sequence[str], ends: Sequence[str], spans: Sequence[str]
) -> list[tuple[str, str, str, bool]]:
    """Return (road, start, end, unsplit) of each row, where both ends may stand in one cell or behind the road in brackets.

    人民路 with 解放路至建设路 beside it and 人民路(解放路-建设路) say the same. ``unsplit`` is whether a cell speaks of ends that were
    not found in it: neither two of them, nor a word for the whole road.
    """
    found = []
    for road, start, end, span in zip(roads, starts, ends, spans, strict=True):
        bracket = re.search(r"\(([^()]*)\)", plain(road))
        for text in (span, bracket[1] if bracket else ""):
            sides = _SIDES.fullmatch(plain(text))
            parts = list(sides.groups()) if sides else [part for part in _TO.split(plain(text)) if part.strip()]
            if not (start or end) and len(parts) == 2:
                start, end = parts
        unsplit = bool(road) and not (start or end) and not _WHOLE.fullmatch(plain(span))
        found.append((road or span, start, end, unsplit))
    return found


def _core(name: str) -> str:
    return _BRANCH.sub("", plain(name[:_LONGEST_NAME]))


def _between(road: Stretch, others: Sequence[shapely.Geometry]) -> Stretch | None:
    """Return the parts of a road between its crossings with two others; None where it doesn't meet both, or both at one place.

    Measured along the road, so that a bend is no way out; both carriageways of a road belong to it.
    """
    crossings = [_crossings(road, other) for other in others]
    if not all(map(len, crossings)):
        return None
    parts = _cut(road, np.vstack(crossings))
    lines = np.array(parts.lines, dtype=object)
    tips = np.vstack([shapely.get_coordinates(shapely.get_point(lines, n)) for n in (0, -1)])
    tree = cKDTree(tips)
    node = np.array([min(near) for near in tree.query_ball_point(tips, _JOIN_M)])
    tail, head = np.split(node, 2)
    half_m = shapely.length(lines) / 2
    graph = coo_array((2 * half_m, (tail, head)), shape=(len(tips), len(tips))).tocsr()
    ways_m = []
    for points in crossings:
        at = np.unique(node[tree.query(points)[1]])
        metres = dijkstra(graph, directed=False, indices=at, min_only=True)
        ways_m.append(np.minimum(metres[tail], metres[head]) + half_m)
    by_start_m, by_end_m = ways_m
    shortest_m = float((by_start_m + by_end_m).min())
    if shortest_m < _CROSSING_M and shapely.distance(*map(shapely.multipoints, crossings)) <= _JOIN_M:
        return None  # both at one junction
    if np.isfinite(shortest_m):
        inside = (by_start_m + by_end_m <= _DETOUR * shortest_m + _CROSSING_M) & (
            np.maximum(by_start_m, by_end_m) <= shortest_m + _JOIN_M
        )
    else:
        inside = _straight(lines, crossings)
    kept = np.flatnonzero(inside).tolist()
    if not kept:
        return None
    return Stretch([parts.streets[n] for n in kept], [parts.lines[n] for n in kept])


def _crossings(road: Stretch, other: shapely.Geometry) -> NDArray[np.float64]:
    """Return the points (n, 2) at which a road meets another, or comes within the width of a crossing."""
    whole = shapely.union_all(road.lines)
    if other.is_empty or shapely.distance(whole, other) > _CROSSING_M:
        return np.zeros((0, 2))
    meeting = shapely.intersection(whole, other)
    if meeting.is_empty:
        meeting = shapely.get_point(shapely.shortest_line(whole, other), 0)
    return np.asarray(shapely.get_coordinates(meeting))


def _cut(road: Stretch, points: NDArray[np.float64]) -> Stretch:
    """Return a road with its lines cut at points on them."""
    streets, lines = [], []
    for street, line in zip(road.streets, road.lines, strict=True):
        on = shapely.points(points)[shapely.distance(shapely.points(points), line) <= _JOIN_M]
        along = np.unique(np.round(shapely.line_locate_point(line, on), 2))
        along = along[(along > _JOIN_M) & (along < line.length - _JOIN_M)].tolist()
        for begin, end in pairwise([0.0, *along, line.length]):
            streets.append(street)
            lines.append(substring(line, begin, end))
    return Stretch(streets, lines)


def _straight(lines: NDArray[np.object_], crossings: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Return which lines lie between two crossings as the crow flies: where a road is drawn with gaps."""
    begin, finish = (shapely.points(points.mean(axis=0)) for points in crossings)
    middle = shapely.line_interpolate_point(lines, 0.5, normalized=True)
    way_m = shapely.distance(middle, begin) + shapely.distance(middle, finish)
    return np.asarray(way_m <= _DETOUR * shapely.distance(begin, finish) + _CROSSING_M)
