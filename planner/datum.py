"""WGS-84, GCJ-02 and BD-09: conversions of longitude and latitude, vectorised; and which of them numbers without a label are in.

Conversions take and give degrees. CGCS2000 is WGS-84 within decimetres and passes unchanged. Outside China there is no shift.
The formulas are the published reverse engineering of the Chinese offset (Krasovsky 1940 ellipsoid, a = 6 378 245 m).
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Proj, Transformer

Datum = Literal["WGS-84", "GCJ-02", "BD-09", "CGCS2000"]
Degrees = tuple[NDArray[np.float64], NDArray[np.float64]]

_A_M = 6378245.0
_E2 = 0.00669342162296594323
_BD = np.pi * 3000 / 180


def _offset(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Degrees:
    x, y = lon - 105.0, lat - 35.0
    waves = (20 * np.sin(6 * x * np.pi) + 20 * np.sin(2 * x * np.pi)) * 2 / 3
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + waves
    d_lat += (20 * np.sin(y * np.pi) + 40 * np.sin(y / 3 * np.pi)) * 2 / 3
    d_lat += (160 * np.sin(y / 12 * np.pi) + 320 * np.sin(y * np.pi / 30)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + waves
    d_lon += (20 * np.sin(x * np.pi) + 40 * np.sin(x / 3 * np.pi)) * 2 / 3
    d_lon += (150 * np.sin(x / 12 * np.pi) + 300 * np.sin(x / 30 * np.pi)) * 2 / 3
    phi = np.radians(lat)
    w2 = 1 - _E2 * np.sin(phi) ** 2
    inside = (lon >= 72.004) & (lon <= 137.8347) & (lat >= 0.8293) & (lat <= 55.8271)
    d_lat = np.degrees(d_lat * w2 * np.sqrt(w2) / (_A_M * (1 - _E2)))
    d_lon = np.degrees(d_lon * np.sqrt(w2) / (_A_M * np.cos(phi)))
    return np.where(inside, d_lon, 0.0), np.where(inside, d_lat, 0.0)


def _arrays(lon: ArrayLike, lat: ArrayLike) -> Degrees:
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Degrees:
    """Return GCJ-02 degrees of WGS-84 degrees."""
    x, y = _arrays(lon, lat)
    d_lon, d_lat = _offset(x, y)
    return x + d_lon, y + d_lat


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> Degrees:
    """Return WGS-84 degrees of GCJ-02 degrees, by fixed-point iteration (to well below a centimetre)."""
    x, y = _arrays(lon, lat)
    guess_x, guess_y = x, y
    for _ in range(8):
        d_lon, d_lat = _offset(guess_x, guess_y)
        guess_x, guess_y = x - d_lon, y - d_lat
    return guess_x, guess_y


def gcj02_to_bd09(lon: ArrayLike, lat: ArrayLike) -> Degrees:
    """Return BD-09 degrees of GCJ-02 degrees."""
    x, y = _arrays(lon, lat)
    z = np.hypot(x, y) + 2e-5 * np.sin(y * _BD)
    theta = np.arctan2(y, x) + 3e-6 * np.cos(x * _BD)
    return z * np.cos(theta) + 0.0065, z * np.sin(theta) + 0.006


def bd09_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Degrees:
    """Return GCJ-02 degrees of BD-09 degrees, by fixed-point iteration."""
    x, y = _arrays(lon, lat)
    guess_x, guess_y = x - 0.0065, y - 0.006
    for _ in range(8):
        back_x, back_y = gcj02_to_bd09(guess_x, guess_y)
        guess_x, guess_y = guess_x + x - back_x, guess_y + y - back_y
    return guess_x, guess_y


def to_wgs84(lon: ArrayLike, lat: ArrayLike, datum: Datum) -> Degrees:
    """Return WGS-84 degrees of degrees in ``datum``."""
    match datum:
        case "GCJ-02":
            return gcj02_to_wgs84(lon, lat)
        case "BD-09":
            return gcj02_to_wgs84(*bd09_to_gcj02(lon, lat))
        case _:
            return _arrays(lon, lat)


# --- which datum do these numbers have? ------------------------------------------------------------------------------

# How much more often places lie so far from the nearest street than arbitrary points of the same town do, as a natural logarithm.
# Places stand beside streets: seldom on one, seldom far from one. Measured on 8,100 OSM points and 92,667 streets of Wuhan.
_BESIDE_M = np.array([8.0, 13.0, 60.0, 120.0, 220.0, 500.0])
_LOG_RATIO = np.array([-1.5, -0.4, 0.35, 0.2, 0.0, -0.5, -0.7])
# The points of a table are not wholly independent of each other, nor is every town Wuhan: evidence counts for this much of itself.
_TRUST = 0.8
# A datum that a heading, a note or a file name states counts as this much evidence (a factor of 20).
_STATED = float(np.log(20.0))
# A zone that the table names and the point lies in, against one it doesn't (people name the wrong one now and then).
_IN_ZONE, _OUT_OF_ZONE = float(np.log(0.9)), float(np.log(0.1))
SURE = 0.99
MOST_POINTS = 2_000
NEAR_M = 20_000.0


@dataclass(frozen=True)
class Reading:
    """One way to read two columns of numbers.

    Attributes:
        datum: WGS-84 (CGCS2000 degrees are the same within decimetres), GCJ-02 or BD-09 for degrees; an EPSG code for metres.
        swapped: whether the first column holds latitudes, or northings.
        prefix: zone number in front of the easting, in millions of metres; 0 for none.
    """

    datum: str
    swapped: bool = False
    prefix: int = 0


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


@cache
def _transformer(source: str, target: str) -> Transformer:
    """Return a transformer, made once: making one takes a tenth of a second."""
    return Transformer.from_crs(source, target, always_xy=True)


def degrees(x: float, y: float, crs: str) -> tuple[float, float]:
    """Return longitude and latitude (WGS-84) of a place in metres of ``crs``."""
    lon, lat = _transformer(crs, "EPSG:4326").transform(x, y)
    return float(lon), float(lat)


def scale_error(crs: str, lon: float, lat: float) -> float:
    """Return by which fraction lengths at a place are measured wrong in a projected CRS; infinite where it isn't defined there."""
    factors = Proj(crs).get_factors(lon, lat)
    error = max(abs(float(factors.meridional_scale) - 1), abs(float(factors.parallel_scale) - 1))
    return error if np.isfinite(error) else float("inf")


def fitting_crs(lon: float, lat: float) -> str:
    """Return the projected CRS that fits a place: its CGCS2000 3-degree zone where that is in China, else its UTM zone."""
    zone = round(lon / 3)
    if 25 <= zone <= 45 and 3 <= lat <= 54:
        return f"EPSG:{4534 + zone - 25}"
    return f"EPSG:{(32601 if lat >= 0 else 32701) + int((lon + 180) // 6) % 60}"


def are_metres(first: ArrayLike, second: ArrayLike) -> NDArray[np.bool_]:
    """Tell for each pair whether it is metres of a projected system rather than degrees."""
    x, y = _arrays(first, second)
    return np.asarray(np.maximum(np.abs(x), np.abs(y)) > 1_000.0)


def readings(first: ArrayLike, second: ArrayLike, crs: str, middle_lon: float) -> tuple[Reading, ...]:
    """Return the ways in which two columns could be meant, all of the same family: degrees or metres.

    Args:
        first: what stands in the column of longitudes or eastings.
        second: what stands in the other one.
        crs: the study's projected CRS.
        middle_lon: degrees; which zones come into question.
    """
    first, second = _arrays(first, second)
    if not np.median(are_metres(first, second)):
        return tuple(Reading(d, s) for s in (False, True) for d in ("WGS-84", "GCJ-02", "BD-09"))
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


def place(first: ArrayLike, second: ArrayLike, reading: Reading, crs: str) -> NDArray[np.float64]:
    """Return where the pairs lie under a reading, as (n, 2) metres of ``crs``; infinite where that is no place on earth."""
    x, y = _arrays(first, second)
    if reading.swapped:
        x, y = y, x
    if reading.datum.startswith("EPSG:"):
        source, x = reading.datum, x - 1e6 * reading.prefix
    else:
        source = "EPSG:4326"
        sound = (np.abs(x) <= 180) & (np.abs(y) <= 90)
        x, y = np.where(sound, x, np.nan), np.where(sound, y, np.nan)
        if reading.datum in ("GCJ-02", "BD-09"):
            x, y = gcj02_to_wgs84(*(bd09_to_gcj02(x, y) if reading.datum == "BD-09" else (x, y)))
    if source != crs:
        x, y = _transformer(source, crs).transform(x, y)
    xy = np.column_stack([x, y])
    xy[~np.isfinite(xy).all(axis=1)] = np.inf
    return xy


def weigh(
    first: ArrayLike,
    second: ArrayLike,
    *,
    crs: str,
    area: tuple[float, float, float, float],
    streets: NDArray[np.object_] | None = None,
    zones: NDArray[np.object_] | None = None,
    stated: str = "",
) -> tuple[Evidence, ...]:
    """Weigh the readings of two columns of numbers, the likeliest first.

    Evidence is where the points fall: within 20 km of the study; beside its streets (a log-likelihood of the distance to the nearest
    one, under "a place" against "anywhere in town"); in the zone that the row names. Without streets nothing tells the three Chinese
    datums apart, and the likelihoods say so.

    Args:
        first: what stands in the column of longitudes or eastings; no NaN.
        second: what stands in the other one.
        crs: the study's projected CRS.
        area: west, south, east, north of the study in ``crs``.
        streets: lines in ``crs``.
        zones: for each pair the polygon of the zone that its row names, or None.
        stated: a datum that headings, notes or the file's name speak of; "" for none.
    """
    pairs = np.column_stack(_arrays(first, second))
    _, kept = np.unique(pairs, axis=0, return_index=True)
    kept = np.sort(kept)
    kept = kept[:: -(-len(kept) // MOST_POINTS)]
    pairs = pairs[kept]
    middle = _transformer(crs, "EPSG:4326").transform((area[0] + area[2]) / 2, (area[1] + area[3]) / 2)
    ways = readings(pairs[:, 0], pairs[:, 1], crs, middle[0])
    box, tree = shapely.box(*area), shapely.STRtree(streets) if streets is not None and len(streets) else None
    scores, medians, nears = np.zeros(len(ways)), np.full(len(ways), np.nan), np.zeros(len(ways))
    for n, way in enumerate(ways):
        xy = place(pairs[:, 0], pairs[:, 1], way, crs)
        sound = np.isfinite(xy[:, 0])
        points = shapely.points(np.where(sound[:, None], xy, 1e9))
        near = sound & (shapely.distance(points, box) <= NEAR_M)
        nears[n] = near.mean()
        # A point that falls into another country under one reading and not under another: the strongest evidence there is.
        scores[n] -= 6.0 * (~near).sum()
        if tree is not None and near.any():
            metres = tree.query_nearest(points[near], return_distance=True, all_matches=False)[1]
            medians[n] = float(np.median(metres))
            scores[n] += _TRUST * _LOG_RATIO[np.searchsorted(_BESIDE_M, metres, side="right")].sum()
        if zones is not None:
            named = np.array([zone is not None for zone in zones[kept]])
            inside = shapely.intersects(points[named], zones[kept][named].astype(object))
            scores[n] += _TRUST * float(np.where(inside, _IN_ZONE, _OUT_OF_ZONE).sum())
        scores[n] += _STATED * (way.datum == ("WGS-84" if stated == "CGCS2000" else stated))
    likelihoods = np.exp(scores - scores.max())
    likelihoods /= likelihoods.sum()
    order = np.argsort(-scores, kind="stable")
    return tuple(Evidence(ways[n], medians[n], float(nears[n]), float(likelihoods[n]), len(pairs)) for n in order)


def shift_between(xy: NDArray[np.float64], datum: Datum, other: Datum, crs: str) -> NDArray[np.float64]:
    """Return how far and where places move (metres in ``crs``) when their numbers, given in ``datum``, are read as ``other``."""
    lon, lat = _arrays(*_transformer(crs, "EPSG:4326").transform(xy[:, 0], xy[:, 1]))
    return place(*from_wgs84(lon, lat, datum), Reading(other), crs) - xy


def from_wgs84(lon: ArrayLike, lat: ArrayLike, datum: Datum) -> Degrees:
    """Return degrees in ``datum`` of WGS-84 degrees."""
    match datum:
        case "GCJ-02":
            return wgs84_to_gcj02(lon, lat)
        case "BD-09":
            return gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))
        case _:
            return _arrays(lon, lat)
