"""How long the papers take: the whole set for the embedded study, and for all of Wuhan with an atlas of its sub-districts.

Run: ``python benchmarks/paper.py [--quick] [--source DIR] [--json FILE]``. ``--source`` is the folder of raw files that data/build_wuhan.py
reads; without it, or with ``--quick``, only the embedded study is drawn. There is no peer that makes such papers, so there are no ratios.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from planner.deliver import deliver
from planner.embedded import folder
from planner.pipeline import Result, run
from planner.study import SHEETS, Study, load_study

PACKAGES = ("matplotlib", "shapely", "geopandas", "numpy", "openpyxl", "python-docx")
CRS = "EPSG:4547"
# How far from a street a sub-district reaches: beyond, nobody is served.
REACH_M = 1_500
STUDY = """
schema = 1
name = "武汉市（基准测试，示意）"
crs = "EPSG:4547"
illustrative = "示意：站点、人数、费用和分区均为测试所设"
[streets]
file = "streets.gpkg"
class_column = "highway"
exclude = ["motorway", "motorway_link"]
source = "© OpenStreetMap contributors (ODbL 1.0)"
[zones]
file = "zones.gpkg"
[sites]
file = "sites.csv"
datum = "WGS-84"
[candidates]
file = "candidates.csv"
datum = "WGS-84"
[groups.sanitation]
name = "环卫工人"
shifts = [{ name = "早班", hours = "Mo-Su 05:00-11:00" }]
[[demand]]
kind = "line"
group = "sanitation"
total = 20000
width_m = { trunk = 14, primary = 12, secondary = 10, tertiary = 9, unclassified = 6, residential = 6 }
[standard]
service_radius_m = 800
services = ["rest"]
[plan]
years = [2027, 2028, 2029]
budget = [60, 60, 60]
cost_unit = "万元"
"""


def all_wuhan(source: Path, target: Path) -> Study:
    """Write a study of the whole city: 79 nearest-office areas, real banks, every second of them taken to be a site."""
    (target / "study.toml").write_text(STUDY, encoding="utf-8")
    streets = gpd.read_parquet(source / "wuhan" / "streets.parquet").to_crs(CRS)[["highway", "geometry"]]
    streets = streets[streets.geometry.length > 0]
    streets.to_file(target / "streets.gpkg")
    points = gpd.read_parquet(source / "wuhan" / "pois.parquet").to_crs(CRS)
    offices = points[points["fclass"] == "town_hall"].reset_index(drop=True)
    served = shapely.union_all(shapely.buffer(shapely.simplify(streets.geometry.to_numpy(), 50), REACH_M, quad_segs=1))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.union_all(offices.geometry), extend_to=served))
    owner = offices.sindex.query(cells, predicate="contains", output_format="dense").argmax(axis=0)
    zones = gpd.GeoDataFrame(
        {"id": [f"Z{i:02d}" for i in range(len(cells))], "name": offices["name"].fillna("").to_numpy()[owner]},
        geometry=shapely.intersection(cells, served),
        crs=CRS,
    )
    zones["name"] = zones["name"].where(zones["name"] != "", "街道" + zones["id"])
    zones.to_file(target / "zones.gpkg")
    hosts = points[points["fclass"].isin(["bank", "toilet", "police", "supermarket", "town_hall"])].to_crs("EPSG:4326")
    table = pd.DataFrame(
        {
            "编号": [f"P{i:03d}" for i in range(len(hosts))],
            "名称": hosts["name"].fillna("网点").to_numpy(),
            "类别": "银行",
            "可选方式": "共建",
            "开放时间": "Mo-Su 05:00-20:00",
            "服务项目": "歇脚",
            "经度": hosts.geometry.x.round(7).to_numpy(),
            "纬度": hosts.geometry.y.round(7).to_numpy(),
        }
    )
    is_site = (hosts["fclass"] == "bank").to_numpy() & (np.arange(len(hosts)) % 2 == 0)
    table[is_site].to_csv(target / "sites.csv", index=False, encoding="utf-8-sig")
    table[~is_site].to_csv(target / "candidates.csv", index=False, encoding="utf-8-sig")
    return load_study(target)


def measure(name: str, study: Study, times: int, cases: dict[str, dict[str, float]]) -> None:
    """Time the run once and the papers ``times`` times, all sheets among them."""
    study = study.model_copy(update={"map": study.map.model_copy(update={"sheets": SHEETS})})
    start = time.perf_counter()
    result = run(study)
    cases[f"{name}: run"] = {"ours": time.perf_counter() - start}
    took = [papers(result) for _ in range(times)]
    cases[f"{name}: papers"] = {"ours": statistics.median(took)}
    for case in ("run", "papers"):
        print(f"{name + ': ' + case:<28}{cases[f'{name}: {case}']['ours']:7.1f} s", flush=True)


def papers(result: Result) -> float:
    """Return the seconds that all deliverables take, and say how large the largest are."""
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        files = deliver(result, Path(place))
        took = time.perf_counter() - start
        largest = sorted(files, key=lambda f: -f.stat().st_size)[:4]
        print(
            "  ".join(f"{f.name} {f.stat().st_size / 1e6:.1f} MB" for f in largest), f"{len(files)} files", flush=True
        )
    return took


def main() -> None:
    """Print a line a case, and write them all where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the embedded study only, once")
    parser.add_argument("--source", type=Path, help="folder of the raw files that data/build_wuhan.py reads")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cases: dict[str, dict[str, float]] = {}
    measure("embedded", load_study(folder()), 1 if options.quick else 3, cases)
    if options.source and not options.quick:
        with tempfile.TemporaryDirectory() as place:
            measure("all of Wuhan", all_wuhan(options.source, Path(place)), 1, cases)
    if options.json:
        versions = {"python": sys.version.split()[0], **{package: version(package) for package in PACKAGES}}
        content = {"versions": versions, "cases": cases, "ratios": {}}
        options.json.write_text(json.dumps(content, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
