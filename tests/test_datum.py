import numpy as np
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


@pytest.mark.parametrize(("lon", "lat"), [(120.10, 30.87), (114.3, 30.6), (74.0, 39.0), (134.5, 48.3), (109.5, 18.2)])
def test_conversions_and_back_stay_below_half_a_metre(lon: float, lat: float):
    for into in ("GCJ-02", "BD-09"):
        there = datum.from_wgs84(lon, lat, into)
        assert metres((np.array(lon), np.array(lat)), datum.to_wgs84(*there, into)) < 0.5
