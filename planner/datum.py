"""WGS-84, GCJ-02 and BD-09: conversions of longitude and latitude, vectorised; ways to read two columns of numbers.

Conversions take and give degrees. CGCS2000 is WGS-84 within decimetres and passes unchanged. Outside China there is no shift.
The formulas are the published reverse engineering of the Chinese offset (Krasovsky 1940 ellipsoid, a = 6 378 245 m).
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Proj, Transformer

Datum = Literal["WGS-84", "GCJ-02", "BD-09", "CGCS2000"]
Degrees = tuple[NDArray[np.float64], NDArray[np.float64]]

_A_M = 6378245.0
_E2 = 0.00669342162296594323
_BD = np.pi * 3000 / 180
# No projected system has metres as large as this on earth.
_NOWHERE_M = 1e9


def in_china(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Tell where the offset applies: the box that the published algorithm has."""
    x, y = np.asarray(lon), np.asarray(lat)
    return np.asarray((x >= 72.004) & (x <= 137.8347) & (y >= 0.8293) & (y <= 55.8271))


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
    inside = in_china(lon, lat)
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


# --- ways to read two columns of numbers ---------------------------------------------------------------------------------


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


@cache
def transformer(source: str | CRS, target: str) -> Transformer:
    """Return what turns x, y of one CRS into another's, made once: making one takes a tenth of a second."""
    return Transformer.from_crs(source, target, always_xy=True)


def degrees(x: float, y: float, crs: str) -> tuple[float, float]:
    """Return longitude and latitude (WGS-84) of a place in metres of ``crs``."""
    lon, lat = transformer(crs, "EPSG:4326").transform(x, y)
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
        x, y = transformer(source, crs).transform(x, y)
    xy = np.column_stack([x, y])
    xy[~(np.abs(xy) < _NOWHERE_M).all(axis=1)] = np.inf
    return xy


def shift_between(xy: NDArray[np.float64], datum: Datum, other: Datum, crs: str) -> NDArray[np.float64]:
    """Return how far and where places move (metres in ``crs``) when their numbers, given in ``datum``, are read as ``other``."""
    lon, lat = _arrays(*transformer(crs, "EPSG:4326").transform(xy[:, 0], xy[:, 1]))
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
