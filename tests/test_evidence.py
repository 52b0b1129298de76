"""Which datum, order and system numbers without a label have: measured with the embedded study's real points and streets."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely

from planner import datum, evidence
from planner.evidence import Ground

WUHAN = Path(__file__).parents[1] / "data" / "wuhan"
KINDS = {"银行": "bank", "公共厕所": "toilet", "邮局": "post_office", "超市": "supermarket", "便利店": "convenience"}


@pytest.fixture(scope="module")
def wuhan() -> tuple[np.ndarray, np.ndarray, Ground]:
    """Real points of Wuhan in WGS-84 degrees with their kinds, and its streets."""
    tables = [pd.read_csv(WUHAN / name, encoding="utf-8-sig") for name in ("candidates.csv", "outdoor.csv")]
    both = pd.concat(tables, ignore_index=True)
    kinds = both["类别"].map(lambda kind: KINDS.get(kind, "")).to_numpy() if "类别" in both else np.full(len(both), "")
    return (
        both[["经度", "纬度"]].to_numpy(dtype=float),
        kinds,
        Ground(gpd.read_file(WUHAN / "streets.gpkg").assign(name="")),
    )


def weighed(points: np.ndarray, ground: Ground | None, **more: object) -> tuple[evidence.Evidence, ...]:
    area = (523_000.0, 3_377_000.0, 535_000.0, 3_389_000.0)
    return evidence.weigh(points[:, 0], points[:, 1], crs="EPSG:4547", area=area, ground=ground, **more)


def shifted(points: np.ndarray, into: datum.Datum) -> np.ndarray:
    return np.column_stack(datum.from_wgs84(points[:, 0], points[:, 1], into))


@pytest.mark.parametrize(("size", "likeliest", "decides"), [(10, 75, 5), (20, 90, 50), (50, 98, 90)])
def test_a_hundred_draws_of_real_places_are_told_right_or_left_open(
    wuhan: tuple[np.ndarray, np.ndarray, Ground], size: int, likeliest: int, decides: int
):
    points, kinds, ground = wuhan
    known, draw = np.flatnonzero(kinds != ""), np.random.default_rng(20261122)
    right, sure, wrong = 0, 0, 0
    for n in range(100):
        into: datum.Datum = ("WGS-84", "GCJ-02", "BD-09")[n % 3]
        some = draw.choice(known, size, replace=False)
        best = weighed(shifted(points[some], into), ground, kinds=kinds[some])[0]
        right += best.reading == datum.Reading(into)
        sure += best.likelihood >= evidence.SURE
        wrong += best.likelihood >= evidence.SURE and best.reading != datum.Reading(into)
    assert wrong == 0, "nothing is decided wrongly"
    assert right >= likeliest and sure >= decides


def test_hundreds_of_points_decide_whatever_they_are(wuhan: tuple[np.ndarray, np.ndarray, Ground]):
    points, _, ground = wuhan
    for into in ("WGS-84", "GCJ-02", "BD-09"):
        best = weighed(shifted(points, into), ground)[0]
        assert best.reading == datum.Reading(into) and best.likelihood > 0.999


@pytest.mark.parametrize("into", ["WGS-84", "GCJ-02", "BD-09"])
def test_swapped_columns_are_one_of_the_readings(wuhan: tuple[np.ndarray, np.ndarray, Ground], into: datum.Datum):
    points, _, ground = wuhan
    best = weighed(shifted(points, into)[:, ::-1], ground)[0]
    assert best.reading == datum.Reading(into, swapped=True) and best.likelihood > 0.999 and best.near == 1.0


def test_without_streets_it_says_that_nothing_tells(wuhan: tuple[np.ndarray, np.ndarray, Ground]):
    points = wuhan[0]
    found = weighed(points, None)
    assert [e.likelihood for e in found[:3]] == pytest.approx([1 / 3] * 3) and np.isnan(found[0].median_m)
    stated = weighed(shifted(points, "BD-09"), None, stated="BD-09")[0]
    assert stated.reading.datum == "BD-09" and 0.8 < stated.likelihood < evidence.SURE


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("code", "prefix"),
    [("EPSG:4547", 0), ("EPSG:4547", 38), ("EPSG:32649", 0), ("EPSG:32650", 0), ("EPSG:4546", 37), ("EPSG:3857", 0), ("EPSG:4508", 19)],
)  # fmt: skip
def test_metres_are_placed_whatever_their_zone_and_order(
    wuhan: tuple[np.ndarray, np.ndarray, Ground], code: str, prefix: int, swapped: bool
):
    points = wuhan[0][:40]
    xy = np.column_stack(pyproj.Transformer.from_crs(4326, code, always_xy=True).transform(*points.T))
    xy[:, 0] += prefix * 1e6
    best = weighed(xy[:, ::-1] if swapped else xy, wuhan[2])[0]
    found = datum.place(*(xy[:, ::-1] if swapped else xy).T, best.reading, "EPSG:4547")
    true = np.column_stack(pyproj.Transformer.from_crs(4326, 4547, always_xy=True).transform(*points.T))
    assert best.reading.swapped == swapped and best.likelihood >= evidence.SURE
    assert np.abs(found - true).max() < 0.5


# --- other evidence than where streets lie ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grid() -> tuple[Ground, np.ndarray]:
    """A town whose streets all look alike: only names, zones and water can tell. Streets, and WGS-84 degrees of ten places."""
    east, north = 530_000 + 100.0 * np.arange(50), 3_380_000 + 100.0 * np.arange(50)
    lines = [shapely.LineString([(x, north[0]), (x, north[-1])]) for x in east]
    lines += [shapely.LineString([(east[0], y), (east[-1], y)]) for y in north]
    names = [f"经{n:02d}路" for n in range(50)] + [f"纬{n:02d}路" for n in range(50)]
    streets = gpd.GeoDataFrame({"highway": "residential", "name": names}, geometry=lines, crs="EPSG:4547")
    xy = np.array([(530_000 + 400.0 * n + 15, 3_382_050.0) for n in range(10)])
    return Ground(streets), np.column_stack(pyproj.Transformer.from_crs(4547, 4326, always_xy=True).transform(*xy.T))


@pytest.mark.parametrize("into", ["WGS-84", "GCJ-02", "BD-09"])
def test_the_street_that_an_address_names_decides(grid: tuple[Ground, np.ndarray], into: datum.Datum):
    ground, places = grid
    numbers = shifted(places, into)
    assert weighed(numbers, ground)[0].likelihood < evidence.SURE
    streets = np.array([ground.street_in(f"某区经{4 * n:02d}路{n}号") for n in range(10)], dtype=object)
    best = weighed(numbers, ground, streets=streets)[0]
    assert best.reading == datum.Reading(into) and best.likelihood >= evidence.SURE


def test_a_street_is_found_in_a_text_by_its_longest_name():
    lines = [shapely.LineString([(0, n), (9, n)]) for n in range(3)]
    ground = Ground(
        gpd.GeoDataFrame({"highway": "x", "name": ["解放路", "解放路东街;北街", ""]}, geometry=lines, crs="EPSG:4547")
    )
    assert ground.street_in("农商银行解放路支行") == lines[0] and ground.street_in("解放路东街1号") == lines[1]
    assert ground.street_in("北街1号") is None, "two letters stand in too many names"
    assert ground.street_in("") is None


@pytest.mark.parametrize("into", ["WGS-84", "GCJ-02", "BD-09"])
def test_nobody_works_in_the_river(grid: tuple[Ground, np.ndarray], into: datum.Datum):
    ground, places = grid
    xy = datum.place(*shifted(places, into).T, datum.Reading(into), "EPSG:4547")
    banks = shapely.union_all(shapely.buffer(shapely.points(xy), 100))
    river = gpd.GeoDataFrame(
        geometry=[shapely.box(525_000, 3_375_000, 540_000, 3_390_000).difference(banks)], crs="EPSG:4547"
    )
    best = weighed(shifted(places, into), Ground(ground.streets, river))[0]
    assert best.reading == datum.Reading(into) and best.likelihood >= evidence.SURE


def test_outside_china_degrees_are_wgs84():
    streets = gpd.GeoDataFrame(
        {"highway": "x", "name": ""}, geometry=[shapely.LineString([(0, 0), (9, 9)])], crs="EPSG:32633", index=[0]
    )
    found = evidence.weigh(
        [13.26, 13.27],
        [53.55, 53.56],
        crs="EPSG:32633",
        area=(384_000, 5_934_000, 386_000, 5_936_000),
        ground=Ground(streets),
    )
    assert found[0].reading == datum.Reading("WGS-84") and found[0].likelihood >= evidence.SURE
