"""How often the datum of a few points is told right: python benchmarks/datum.py --points FILE [--streets FILE] [--quick].

Three figures for each case: told right, asked about, told wrong; and how often the likeliest reading, told or not, is right. Without
streets nothing but words tells the datums apart, and the figures show that it is said so.

The points (WGS-84, with a column ``fclass`` or ``kind``) are shifted into each datum, drawn at random and read back. `--fit FILE` makes
planner/evidence.toml anew: for each group of places and each feature the logarithm of how much more often it is seen at places than at
the same places shifted by a datum; a ridge regression, so that rare cases say little. What is fitted on one half of a city is measured
on the other by --half --fit FILE, then --half --by FILE.
"""

import argparse
import json
import platform
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.optimize import minimize

from planner import __version__, evidence
from planner.datum import Reading, fitting_crs, from_wgs84, place
from planner.evidence import Ground, weigh

DATUMS = ("WGS-84", "GCJ-02", "BD-09")
EDGES = {
    "street_m": [4, 8, 13, 20, 30, 45, 60, 90, 130, 220, 500],
    "major_m": [8, 15, 25, 40, 60, 100, 200, 400, 800, 1600],
    "junction_m": [8, 15, 25, 40, 60, 80, 110, 160, 250, 500],
    "km_per_km2": [0.5, 1, 2, 4, 6, 8, 11, 15, 20, 26],
}
# What the classes of OpenStreetMap's shapefiles are called here.
KINDS = {"clothes": "shop", "bookshop": "shop", "bakery": "shop", "chemist": "pharmacy", "mobile_phone_shop": "shop", "cafe": "restaurant",
         "fast_food": "restaurant", "bar": "restaurant", "atm": "bank", "industrial": "industrial_park", "hotel": "shop", "mall": "shop",
         "kindergarten": "school", "college": "school", "university": "school", "retail": "shop"}  # fmt: skip
RIDGE = 10.0


def read(file: Path) -> gpd.GeoDataFrame:
    """Read a layer, parquet or any other."""
    return gpd.read_parquet(file) if file.suffix == ".parquet" else gpd.read_file(file)


def fit(xy: dict[tuple[str, str], np.ndarray], kinds: np.ndarray, ground: Ground) -> dict[str, dict[str, list[float]]]:
    """Return group -> feature -> logarithms of ratios, one more than there are edges."""
    features = {key: ground.features(points) for key, points in xy.items()}
    groups = np.array([evidence.group_of(kind) for kind in kinds])
    found = {}
    for group in ("front", "block"):
        own = groups == group
        rows, true = [], []
        for (into, read), seen in features.items():
            rows.append(
                np.hstack(
                    [np.eye(len(e) + 1)[np.searchsorted(e, seen[f][own], side="right")] for f, e in EDGES.items()]
                )
            )
            true.append(np.full(own.sum(), into == read))
        x, y = np.vstack(rows), np.concatenate(true)
        weight = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
        sign = np.where(y, 1.0, -1.0)

        def loss(
            b: np.ndarray, x: np.ndarray = x, sign: np.ndarray = sign, weight: np.ndarray = weight
        ) -> tuple[float, np.ndarray]:
            margin = sign * (x @ b)
            slope = -sign * weight / (1 + np.exp(margin))
            return float((weight * np.logaddexp(0, -margin)).sum() + RIDGE * (b @ b)), x.T @ slope + 2 * RIDGE * b

        b = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x
        ends = np.cumsum([len(e) + 1 for e in EDGES.values()])[:-1]
        found[group] = {f: part.round(2).tolist() for f, part in zip(EDGES, np.split(b, ends), strict=True)}
    return found


def write(found: dict[str, dict[str, list[float]]], file: Path) -> None:
    """Write the figures as toml."""
    text = "# Natural logarithms of how much more often this is seen at places than at the same places shifted by a datum.\n"
    text += "# Made by benchmarks/datum.py from OSM points and streets of Wuhan; edges part the classes from below upwards.\n"
    for group, features in found.items():
        for feature, ratios in features.items():
            text += f"\n[group.{group}.{feature}]\nedges = {[float(e) for e in EDGES[feature]]}\nlog_ratio = {ratios}\n"
    file.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Measure, or fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=Path, required=True)
    parser.add_argument("--streets", type=Path)
    parser.add_argument("--within", type=Path, help="polygons: only the points inside them")
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--by", type=Path, help="measure by what --fit wrote, in the place of planner/evidence.toml")
    parser.add_argument("--half", action="store_true", help="fit and measure on different halves of the area")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 20, 50], help="how many points a draw has")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    points = read(args.points)
    if args.within:
        points = points[
            points.to_crs("EPSG:4326").within(read(args.within).to_crs("EPSG:4326").union_all())
        ].reset_index(drop=True)
    if args.streets:
        streets = read(args.streets)
        named = "Transverse" not in streets.crs.to_wkt() or streets.crs.to_epsg() is not None
        crs = streets.crs.to_string() if named else "EPSG:32650"
        ground = Ground(streets[~streets["highway"].astype(str).str.startswith("motorway")])
        area = ground.area
    else:
        middle = points.to_crs("EPSG:4326").geometry.union_all().centroid
        crs, ground = fitting_crs(middle.x, middle.y), None
        area = tuple(points.to_crs(crs).total_bounds.tolist())
    where = points.to_crs("EPSG:4326").geometry
    kinds = points["fclass" if "fclass" in points else "kind"].map(lambda k: KINDS.get(k, k)).to_numpy()
    numbers = {into: np.column_stack(from_wgs84(where.x, where.y, into)) for into in DATUMS}
    easting = place(*numbers["WGS-84"].T, Reading("WGS-84"), crs)[:, 0]
    fitted = (easting // 4_000) % 2 == 0
    if args.fit:
        chosen = fitted if args.half else np.ones(len(points), dtype=bool)
        xy = {(a, b): place(*numbers[a][chosen].T, Reading(b), crs) for a in DATUMS for b in DATUMS}
        write(fit(xy, kinds[chosen], ground), args.fit)
        return
    if args.by:
        ratios = tomllib.loads(args.by.read_text(encoding="utf-8"))["group"]
        evidence._figures = lambda: ratios
    of = {"all": np.ones(len(points), dtype=bool), "front": np.array([evidence.group_of(k) == "front" for k in kinds])}
    draw, cases = np.random.default_rng(20261125), {}
    for name, mask in of.items():
        pool = np.flatnonzero(mask & ~fitted if args.half else mask)
        for told in (True, False):
            for size in args.sizes:
                right = sure = wrong = count = 0
                for _ in range(10 if args.quick else 100):
                    chosen = draw.choice(pool, size, replace=False)
                    for into in DATUMS:
                        best = weigh(*numbers[into][chosen].T, crs=crs, ground=ground, area=area,
                                     kinds=kinds[chosen] if told else None)[0]  # fmt: skip
                        hit = best.reading == Reading(into)
                        count, right = count + 1, right + hit
                        sure, wrong = (
                            sure + (best.likelihood >= evidence.SURE),
                            wrong + (best.likelihood >= evidence.SURE and not hit),
                        )
                case = f"{name}, {size} points, kinds {'known' if told else 'unknown'}"
                cases[case] = {
                    "draws": count,
                    "likeliest_right": right / count,
                    "right": (sure - wrong) / count,
                    "asked": 1 - sure / count,
                    "wrong": wrong / count,
                }
                print(
                    f"{case:34} right {(sure - wrong) / count:6.1%}  asked {1 - sure / count:6.1%}  wrong {wrong / count:6.2%}   "
                    f"likeliest right {right / count:6.1%}",
                    flush=True,
                )
    if args.json:
        versions = {
            "planner": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pandas": pd.__version__,
        }
        args.json.write_text(json.dumps({"versions": versions, "cases": cases}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
