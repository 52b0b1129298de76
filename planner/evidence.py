"""Two columns of numbers without a label -> in which datum, order and system they are, and how sure that is.

Takes numbers, the study's area, streets and zones; weighs each way to read them by where the points would fall. The figures it weighs
with are in `evidence.toml`, made by `benchmarks/datum.py`.
"""

import tomllib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS
from scipy.spatial import cKDTree

from planner.datum import Reading, in_china, place, transformer

# The points of a table are not wholly independent of each other, nor is every town the one that was measured: evidence from streets
# counts for this much of itself.
_TRUST = 0.8
# A datum that a heading, a note or a file name states counts as this much evidence (a factor of 20).
_STATED = float(np.log(20.0))
# A zone that the table names and the point lies in, against one it doesn't (people name the wrong one now and then).
_IN_ZONE, _OUT_OF_ZONE = float(np.log(0.9)), float(np.log(0.1))
# A street that a row's name or address names is mostly the one it stands at; half a kilometre away it hardly is.
_AT_STREET_M, _AT_STREET, _OFF_STREET = 60.0, float(np.log(0.8 / 0.15)), float(np.log(0.2 / 0.85))
# No place stands in the middle of a river or a lake.
_IN_WATER = float(np.log(0.02))
# A point that falls far from the study under one reading and not under another: the strongest evidence there is.
_FAR = -6.0
SURE = 0.99
MOST_POINTS = 2_000
NEAR_M = 20_000.0
# What was measured were streets for driving; paths and driveways between them would make everywhere look like beside a street.
_PATHS = frozenset(
    {"footway", "path", "steps", "service", "track", "cycleway", "pedestrian", "corridor", "bridleway", "elevator"}
)
_MAJOR = ("trunk", "primary", "secondary")
_AROUND_M, _SAMPLE_M = 300.0, 20.0
# Places that open onto a street, and places whose point is the middle of a block.
_FRONT = frozenset({"bank", "post_office", "toilet", "police", "supermarket", "convenience", "restaurant", "shop", "fuel", "pharmacy",
                    "marketplace"})  # fmt: skip
_BLOCK = frozenset({"hospital", "residential", "commercial", "industrial_park", "school", "enterprise"})


@dataclass(frozen=True)
class Evidence:
    """What speaks for a reading.

    Attributes:
        reading: the reading.
        median_m: median distance of the points to the nearest street; NaN without streets.
        near: share of the points within 20 km of the study's streets.
        likelihood: how likely this reading is among those weighed, 0 to 1.
        points: how many different points were weighed.
    """

    reading: Reading
    median_m: float
    near: float
    likelihood: float
    points: int


class Ground:
    """What points are held against: streets, and what of them tells a place from anywhere in town. Worked out once, when asked for.

    Args:
        streets: lines in a projected CRS with a column ``highway``; those for driving are looked at, all where there are none.
        water: polygons in the same CRS.
        area: west, south, east, north of the study in metres; that of the streets where it isn't given.
    """

    def __init__(
        self,
        streets: gpd.GeoDataFrame,
        water: gpd.GeoDataFrame | None = None,
        area: tuple[float, float, float, float] | None = None,
    ) -> None:
        self.streets, self.water = streets, water
        west, south, east, north = streets.total_bounds.tolist()
        self.area = area or (west, south, east, north)

    @cached_property
    def _driven(self) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
        """Lines for driving, and which of them are major."""
        classes = self.streets["highway"].astype(str).str.replace("_link", "")
        driven = ~classes.isin(_PATHS).to_numpy()
        driven = driven if driven.any() else np.ones(len(driven), dtype=bool)
        return self.streets.geometry.to_numpy()[driven], classes[driven].isin(_MAJOR).to_numpy()

    @cached_property
    def _trees(self) -> tuple[shapely.STRtree, shapely.STRtree | None]:
        lines, major = self._driven
        return shapely.STRtree(lines), shapely.STRtree(lines[major]) if major.any() else None

    @cached_property
    def _samples(self) -> tuple[cKDTree, float]:
        """Points along the streets, and the metres that each stands for."""
        lines, _ = self._driven
        lengths_m = shapely.length(lines)
        count = np.maximum(1, np.round(lengths_m / _SAMPLE_M)).astype(int)
        of = np.repeat(np.arange(len(lines)), count)
        nth = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
        along = shapely.line_interpolate_point(lines[of], (nth + 0.5) / count[of], normalized=True)
        return cKDTree(shapely.get_coordinates(along)), float(lengths_m.sum() / len(of))

    @cached_property
    def _junctions(self) -> cKDTree | None:
        lines, _ = self._driven
        ends = np.vstack([shapely.get_coordinates(shapely.get_point(lines, n)) for n in (0, -1)])
        spots, meeting = np.unique(np.round(ends, 1), axis=0, return_counts=True)
        return cKDTree(spots[meeting >= 3]) if (meeting >= 3).any() else None

    @cached_property
    def named(self) -> dict[str, NDArray[np.int64]]:
        """The numbers of the streets of each name; names of fewer than three letters stand in too many texts."""
        names = self.streets["name"].astype(str).str.split(";").explode().str.strip()
        names = names[names.str.len() >= 3]
        where = pd.Series(np.arange(len(self.streets)), index=self.streets.index)
        return {str(name): where[rows].to_numpy() for name, rows in names.groupby(names, sort=True).groups.items()}

    def street_in(self, text: str) -> shapely.Geometry | None:
        """Return the street with the longest name that a text holds, all of its pieces as one; None where it holds none."""
        for length in self._lengths:
            for start in range(len(text) - length + 1):
                name = text[start : start + length]
                if name in self.named:
                    if name not in self._found:
                        self._found[name] = shapely.union_all(self.streets.geometry.to_numpy()[self.named[name]])
                    return self._found[name]
        return None

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(name) for name in self.named}, reverse=True)

    @cached_property
    def _found(self) -> dict[str, shapely.Geometry]:
        return {}

    @cached_property
    def deep(self) -> shapely.Geometry | None:
        """Water, 30 m from its banks: nothing stands there."""
        if self.water is None or self.water.empty:
            return None
        inner = shapely.buffer(self.water.union_all(), -30.0)
        shapely.prepare(inner)
        return inner

    def features(self, xy: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Return what is measured at points: metres to the nearest street, major street and junction, km of street per km² around."""
        points, far = shapely.points(xy), np.full(len(xy), np.inf)
        nearest, major = self._trees
        samples, metres = self._samples
        around = samples.query_ball_point(xy, _AROUND_M, return_length=True) * metres / (np.pi * _AROUND_M**2)
        return {
            "street_m": nearest.query_nearest(points, return_distance=True, all_matches=False)[1],
            "major_m": far
            if major is None
            else major.query_nearest(points, return_distance=True, all_matches=False)[1],
            "junction_m": far if self._junctions is None else self._junctions.query(xy)[0],
            "km_per_km2": around * 1_000.0,
        }


@cache
def _figures() -> dict[str, dict[str, dict[str, list[float]]]]:
    """Return what stands in evidence.toml: group -> feature -> edges and logarithms of ratios."""
    text = files("planner").joinpath("evidence.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["group"])


def group_of(kind: str) -> str:
    """Return the group of a kind of place: "front", "block", or "" where it isn't known."""
    return "front" if kind in _FRONT else "block" if kind in _BLOCK else ""


def beside_streets(features: dict[str, NDArray[np.float64]], kinds: NDArray[np.object_] | None = None) -> float:
    """Return how much more like places than like anywhere in town points lie, as a natural logarithm.

    Where their kind isn't known, a table may hold places of either group, or of both: the three are averaged.

    Args:
        features: of `Ground.features`.
        kinds: kinds of place, "" where unknown; None for all unknown.
    """
    size = len(features["street_m"])
    groups = np.array([group_of(str(kind)) for kind in kinds]) if kinds is not None else np.full(size, "")
    ratios = {group: np.zeros(size) for group in ("front", "block")}
    for group, ratio in ratios.items():
        for feature, figures in _figures()[group].items():
            ratio += np.array(figures["log_ratio"])[np.searchsorted(figures["edges"], features[feature], side="right")]
    known = sum(float(ratio[groups == group].sum()) for group, ratio in ratios.items())
    front, block = (ratio[groups == ""] for ratio in ratios.values())
    both = np.logaddexp(front, block) - np.log(2.0)
    tables = _TRUST * np.array([front.sum(), block.sum(), both.sum()])
    return float(_TRUST * known + np.logaddexp.reduce(tables) - np.log(3.0))


def are_metres(first: ArrayLike, second: ArrayLike) -> NDArray[np.bool_]:
    """Tell for each pair whether it is metres of a projected system rather than degrees."""
    x, y = _arrays(first, second)
    return np.asarray(np.maximum(np.abs(x), np.abs(y)) > 1_000.0)


def readings(
    first: ArrayLike, second: ArrayLike, crs: str, middle_lon: float, middle_lat: float
) -> tuple[Reading, ...]:
    """Return the ways in which two columns could be meant, all of the same family: degrees or metres.

    Args:
        first: what stands in the column of longitudes or eastings.
        second: what stands in the other one.
        crs: the study's projected CRS.
        middle_lon: degrees; which zones come into question.
        middle_lat: degrees; with it whether the Chinese datums do.
    """
    first, second = _arrays(first, second)
    if not np.median(are_metres(first, second)):
        # Elsewhere GCJ-02 is WGS-84, and nobody draws in BD-09.
        datums = ("WGS-84", "GCJ-02", "BD-09") if in_china(middle_lon, middle_lat) else ("WGS-84",)
        return tuple(Reading(d, s) for s in (False, True) for d in datums)
    found = []
    for swapped, easting in ((False, np.median(first)), (True, np.median(second))):
        prefix = int(easting // 1e6) if easting >= 1e7 else 0
        if 13 <= prefix <= 23:  # 6-degree zones, central meridian 6 n - 3
            found.append(Reading(f"EPSG:{4502 + prefix - 13}", swapped, prefix))
        elif 25 <= prefix <= 45:  # 3-degree zones, central meridian 3 n
            found.append(Reading(f"EPSG:{4534 + prefix - 25}", swapped, prefix))
        if not prefix:
            # The 6-degree zones have the meridians of every other 3-degree zone, and the same numbers.
            zones = [n for n in range(25, 46) if abs(3 * n - middle_lon) <= 4.5]
            systems = [str(CRS.from_user_input(crs)), *(f"EPSG:{4534 + n - 25}" for n in zones)]
            # Towns lie on the borders of UTM zones too.
            utm = dict.fromkeys(int((middle_lon + aside + 180) // 6) % 60 for aside in (0.0, -1.5, 1.5))
            systems += [f"EPSG:{32601 + zone}" for zone in utm]
            found += [Reading(system, swapped) for system in dict.fromkeys(systems)]
        if np.median(np.abs(first)) > 2e6 or np.median(np.abs(second)) > 2e6:
            found.append(Reading("EPSG:3857", swapped))
    return tuple(dict.fromkeys(found))


def weigh(
    first: ArrayLike,
    second: ArrayLike,
    *,
    crs: str,
    ground: Ground | None,
    area: tuple[float, float, float, float],
    zones: NDArray[np.object_] | None = None,
    streets: NDArray[np.object_] | None = None,
    kinds: NDArray[np.object_] | None = None,
    stated: str = "",
) -> tuple[Evidence, ...]:
    """Weigh the readings of two columns of numbers, the likeliest first.

    Evidence is where the points fall: within 20 km of the study; beside its streets (a log-likelihood of how far streets, major streets and
    junctions are and how dense they lie, under "a place" against "anywhere in town"); in the zone and at the street that the row names;
    in the water. Without streets little tells the three Chinese datums apart, and the likelihoods say so.

    Args:
        first: what stands in the column of longitudes or eastings; no NaN.
        second: what stands in the other one.
        crs: the study's projected CRS.
        ground: streets and water; None for neither.
        area: west, south, east, north of the study in ``crs``.
        zones: for each pair the polygon of the zone that its row names, or None.
        streets: for each pair the lines of the street that its row names, as one geometry, or None.
        kinds: for each pair the kind of place, "" where unknown.
        stated: a datum that headings, notes or the file's name speak of; "" for none.
    """
    pairs = np.column_stack(_arrays(first, second))
    _, kept = np.unique(pairs, axis=0, return_index=True)
    kept = np.sort(kept)
    kept = kept[:: -(-len(kept) // MOST_POINTS)]
    pairs = pairs[kept]
    middle = transformer(crs, "EPSG:4326").transform((area[0] + area[2]) / 2, (area[1] + area[3]) / 2)
    ways, box = readings(pairs[:, 0], pairs[:, 1], crs, *middle), shapely.box(*area)
    scores, medians, nears = np.zeros(len(ways)), np.full(len(ways), np.nan), np.zeros(len(ways))
    for n, way in enumerate(ways):
        xy = place(pairs[:, 0], pairs[:, 1], way, crs)
        sound = np.isfinite(xy[:, 0])
        points = shapely.points(np.where(sound[:, None], xy, 1e9))
        near = sound & (shapely.distance(points, box) <= NEAR_M)
        nears[n] = near.mean()
        scores[n] += _FAR * (~near).sum()
        if ground is not None and len(ground.streets) and near.any():
            seen = ground.features(xy[near])
            medians[n] = float(np.median(seen["street_m"]))
            scores[n] += beside_streets(seen, None if kinds is None else kinds[kept][near])
        if ground is not None and ground.deep is not None:
            scores[n] += _IN_WATER * float(shapely.intersects(ground.deep, points).sum())
        for named, limit_m, inside, outside in (
            (zones, 0.0, _IN_ZONE, _OUT_OF_ZONE),
            (streets, _AT_STREET_M, _AT_STREET, _OFF_STREET),
        ):
            if named is not None:
                has = np.array([shape is not None for shape in named[kept]])
                fits = shapely.dwithin(points[has], named[kept][has].astype(object), limit_m)
                scores[n] += _TRUST * float(np.where(fits, inside, outside).sum())
        scores[n] += _STATED * (way.datum == ("WGS-84" if stated == "CGCS2000" else stated))
    likelihoods = np.exp(scores - scores.max())
    likelihoods /= likelihoods.sum()
    order = np.argsort(-scores, kind="stable")
    return tuple(Evidence(ways[n], medians[n], float(nears[n]), float(likelihoods[n]), len(pairs)) for n in order)


def _arrays(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
