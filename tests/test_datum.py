from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner import datum

LON, LAT = st.floats(74, 134), st.floats(4, 52)
METRES_PER_DEGREE = 111_320


def metres(a: datum.Degrees, b: datum.Degrees) -> float:
    east = (a[0] - b[0]) * np.cos(np.radians(a[1]))
    return float(np.hypot(east, a[1] - b[1]) * METRES_PER_DEGREE)


@pytest.mark.parametrize(("lon", "lat"), [(120.10, 30.87), (120.23, 29.26)])
def test_offsets_at_huzhou_and_dongyang_are_as_known(lon: float, lat: float):
    # The known sizes there: about 520 m for GCJ-02 and 1.1 to 1.2 km for BD-09.
    here = (np.array(lon), np.array(lat))
    gcj = datum.wgs84_to_gcj02(lon, lat)
    assert 470 < metres(here, gcj) < 570
    assert 1_000 < metres(here, datum.gcj02_to_bd09(*gcj)) < 1_300


@given(LON, LAT)
def test_round_trips_return_within_a_centimetre(lon: float, lat: float):
    here = (np.array(lon), np.array(lat))
    gcj = datum.wgs84_to_gcj02(lon, lat)
    assert metres(here, datum.to_wgs84(*gcj, "GCJ-02")) < 0.01
    assert metres(here, datum.to_wgs84(*datum.gcj02_to_bd09(*gcj), "BD-09")) < 0.01


@pytest.mark.parametrize(("lon", "lat"), [(7.42, 43.73), (13.26, 53.56), (-74.0, 40.7)])
def test_no_shift_outside_china(lon: float, lat: float):
    assert datum.wgs84_to_gcj02(lon, lat) == (lon, lat)
    assert datum.gcj02_to_wgs84(lon, lat) == (lon, lat)


def test_cgcs2000_passes_unchanged_and_arrays_keep_their_shape():
    lon, lat = np.array([114.3, 120.1]), np.array([30.5, 30.9])
    assert datum.to_wgs84(lon, lat, "CGCS2000")[0].tolist() == lon.tolist()
    assert datum.to_wgs84(lon, lat, "BD-09")[0].shape == (2,)


@pytest.mark.parametrize(
    ("lon", "lat", "fitting"),
    [
        (114.3, 30.6, "EPSG:4547"),
        (120.1, 30.9, "EPSG:4549"),
        (75.9, 39.5, "EPSG:4534"),
        (7.4, 43.7, "EPSG:32632"),
        (-58.4, -34.6, "EPSG:32721"),
    ],
)
def test_the_system_that_fits_a_place_measures_it_right(lon: float, lat: float, fitting: str):
    assert datum.fitting_crs(lon, lat) == fitting
    assert datum.scale_error(fitting, lon, lat) < 5e-4
    # Mercator stretches everything by 1 / cos(latitude).
    stretched = 1 / np.cos(np.radians(lat)) - 1
    assert datum.scale_error("EPSG:3857", lon, lat) == pytest.approx(stretched, rel=0.02)


# --- which datum? ----------------------------------------------------------------------------------------------------

WUHAN = Path(__file__).parents[1] / "data" / "wuhan"


@pytest.fixture(scope="module")
def wuhan() -> tuple[np.ndarray, np.ndarray]:
    """Real points of Wuhan in WGS-84 degrees, and its streets."""
    tables = [pd.read_csv(WUHAN / name, encoding="utf-8-sig") for name in ("candidates.csv", "outdoor.csv")]
    points = pd.concat(tables)[["经度", "纬度"]].to_numpy(dtype=float)
    return points, gpd.read_file(WUHAN / "streets.gpkg").geometry.to_numpy()


def weighed(points: np.ndarray, streets: np.ndarray | None, **more: object) -> tuple[datum.Evidence, ...]:
    area = (523_000.0, 3_377_000.0, 535_000.0, 3_389_000.0)
    return datum.weigh(points[:, 0], points[:, 1], crs="EPSG:4547", area=area, streets=streets, **more)


def shifted(points: np.ndarray, into: datum.Datum) -> np.ndarray:
    return np.column_stack(datum.from_wgs84(points[:, 0], points[:, 1], into))


def test_a_hundred_draws_of_real_points_are_told_right_or_left_open(wuhan: tuple[np.ndarray, np.ndarray]):
    points, streets = wuhan
    draw = np.random.default_rng(20261122)
    wrong, open_, large = 0, 0, 0
    for n in range(100):
        into, size = (("WGS-84", "GCJ-02", "BD-09")[n % 3], (10, 30, 100, 200)[n % 4])
        some = points[draw.choice(len(points), size, replace=False)]
        best = weighed(shifted(some, into), streets)[0]
        sure = best.likelihood >= datum.SURE
        wrong += sure and best.reading != datum.Reading(into)
        open_ += not sure
        large += size >= 100 and sure
    assert wrong <= 1
    assert large >= 45, "of fifty draws of a hundred points or more nearly all are decided"
    assert open_ < 60


@pytest.mark.parametrize("into", ["WGS-84", "GCJ-02", "BD-09"])
def test_swapped_columns_are_one_of_the_readings(wuhan: tuple[np.ndarray, np.ndarray], into: datum.Datum):
    points, streets = wuhan
    best = weighed(shifted(points, into)[:, ::-1], streets)[0]
    assert best.reading == datum.Reading(into, swapped=True) and best.likelihood > 0.999 and best.near == 1.0


def test_without_streets_it_says_that_nothing_tells(wuhan: tuple[np.ndarray, np.ndarray]):
    evidence = weighed(wuhan[0], None)
    assert [e.likelihood for e in evidence[:3]] == pytest.approx([1 / 3] * 3) and np.isnan(evidence[0].median_m)
    stated = weighed(shifted(wuhan[0], "BD-09"), None, stated="BD-09")[0]
    assert stated.reading.datum == "BD-09" and 0.8 < stated.likelihood < datum.SURE


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("code", "prefix"),
    [("EPSG:4547", 0), ("EPSG:4547", 38), ("EPSG:32649", 0), ("EPSG:32650", 0), ("EPSG:4546", 37), ("EPSG:3857", 0), ("EPSG:4508", 19)],
)  # fmt: skip
def test_metres_are_placed_whatever_their_zone_and_order(
    wuhan: tuple[np.ndarray, np.ndarray], code: str, prefix: int, swapped: bool
):
    points = wuhan[0][:40]
    xy = np.column_stack(pyproj.Transformer.from_crs(4326, code, always_xy=True).transform(*points.T))
    xy[:, 0] += prefix * 1e6
    best = weighed(xy[:, ::-1] if swapped else xy, wuhan[1])[0]
    found = datum.place(*(xy[:, ::-1] if swapped else xy).T, best.reading, "EPSG:4547")
    true = np.column_stack(pyproj.Transformer.from_crs(4326, 4547, always_xy=True).transform(*points.T))
    assert best.reading.swapped == swapped and best.likelihood >= datum.SURE
    assert np.abs(found - true).max() < 0.5


@pytest.mark.parametrize(("lon", "lat"), [(120.10, 30.87), (114.3, 30.6), (74.0, 39.0), (134.5, 48.3), (109.5, 18.2)])
def test_conversions_and_back_stay_below_half_a_metre(lon: float, lat: float):
    for into in ("GCJ-02", "BD-09"):
        there = datum.from_wgs84(lon, lat, into)
        assert metres((np.array(lon), np.array(lat)), datum.to_wgs84(*there, into)) < 0.5
