"""A study small enough to work out on paper, written as the files a planner would have.

A──B──C──D      every street is 300 m long; A lies at (525000, 3384600) in EPSG:4547;
│  │  │  │      zone W holds the columns of A and B and half the way to C, zone O the rest;
E──F──G──H      S1 is a bank at F, open 9-17 on weekdays; S2 one at J without drinking water;
│  │  │  │      candidates: a toilet at D, a shop at L; three couriers stand at C.
I──J──K──L
"""

from pathlib import Path

import geopandas as gpd
import openpyxl
import shapely

CRS = "EPSG:4547"
STEP_M = 300.0
WEST_M, NORTH_M = 525_000.0, 3_384_600.0

STUDY = """
schema = 1
name = "小研究"
crs = "EPSG:4547"
illustrative = "全部数据为测试而编"

[streets]
file = "streets.gpkg"
[zones]
file = "zones.gpkg"
[sites]
file = "sites.xlsx"
[candidates]
file = "candidates.csv"
[options]
file = "options.xlsx"

[groups.sweepers]
name = "环卫工人"
shifts = [{ name = "早班", hours = "Mo-Su 05:00-11:00" }]
[groups.couriers]
name = "快递员"
shifts = [{ name = "白班", hours = "Mo-Fr 09:00-17:00" }]

[[demand]]
kind = "line"
group = "sweepers"
total = 170
width_m = { primary = 10.0, residential = 10.0 }
[[demand]]
kind = "point"
group = "couriers"
file = "couriers.csv"

[standard]
service_radius_m = 400

[plan]
years = [2027, 2028]
budget = [3.0, 3.0]

[map]
title = "小布局规划图"
"""


def node(letter: str) -> tuple[float, float]:
    """Return where a letter of the drawing lies, in metres."""
    row, column = divmod(ord(letter) - ord("A"), 4)
    return WEST_M + column * STEP_M, NORTH_M - row * STEP_M


def lonlat(letter: str, east_m: float = 0.0, north_m: float = 0.0) -> tuple[float, float]:
    """Return where a letter lies (moved by some metres) in WGS-84 degrees."""
    x, y = node(letter)
    point = gpd.GeoSeries([shapely.Point(x + east_m, y + north_m)], crs=CRS).to_crs("EPSG:4326")[0]
    return round(point.x, 8), round(point.y, 8)


def write(folder: Path) -> Path:
    """Write the study into ``folder`` and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    letters = "ABCDEFGHIJKL"
    pairs = [(a, chr(ord(a) + 1)) for a in letters if a not in "DHL"] + [(a, chr(ord(a) + 4)) for a in "ABCDEFGH"]
    streets = gpd.GeoDataFrame(
        {
            "id": [a + b for a, b in pairs],
            "highway": ["primary" if {a, b} <= set("EFGH") else "residential" for a, b in pairs],
            "name": ["人民路" if {a, b} <= set("EFGH") else "" for a, b in pairs],
        },
        geometry=[shapely.LineString([node(a), node(b)]) for a, b in pairs],
        crs=CRS,
    )
    streets.to_file(folder / "streets.gpkg")
    middle = WEST_M + 1.5 * STEP_M
    south, north = NORTH_M - 2 * STEP_M - 100, NORTH_M + 100
    gpd.GeoDataFrame(
        {"id": ["W", "O"], "name": ["西街道", "东街道"]},
        geometry=[shapely.box(WEST_M - 100, south, middle, north), shapely.box(middle, south, WEST_M + 1_000, north)],
        crs=CRS,
    ).to_file(folder / "zones.gpkg")
    head = ["编号", "名称", "类别", "依托单位", "建设方式", "开放时间", "服务项目", "座位数", "地址", "经度", "纬度"]
    book(
        folder / "sites.xlsx",
        [
            ["现状站点(测试)"],
            head,
            [
                "S1",
                "人民路休息点",
                "银行",
                "农业银行",
                "共建",
                "Mo-Fr 09:00-17:00",
                "歇脚;饮水",
                2,
                "人民路1号",
                *lonlat("F"),
            ],
            ["S2", "南街休息点", "银行", "建设银行", "共享", "Mo-Su 08:00-18:00", "歇脚", 2, "", *lonlat("J")],
        ],
    )
    rows = [
        "编号,名称,类别,依托单位,可选方式,开放时间,服务项目,座位数,地址,经度,纬度",
        "C1,东门公厕,公共厕所,环卫所,自建;联建,24/7,如厕,2,,{},{}".format(*lonlat("D")),
        "C2,便民超市,超市,便民超市,共享,Mo-Su 07:00-21:00,歇脚,2,,{},{}".format(*lonlat("L")),
    ]
    (folder / "candidates.csv").write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    book(
        folder / "options.xlsx",
        [
            ["动作", "类别", "建设方式", "开放时间", "服务项目", "座位数", "建设费(万元)", "年运营费(万元)", "说明"],
            ["新建", "公共厕所", "自建", "Mo-Su 04:00-22:00", "歇脚;饮水;如厕", 4, 4.0, 0.5, "示意"],
            ["新建", "公共厕所", "联建", "Mo-Su 04:00-22:00", "歇脚;饮水;如厕", 4, 2.0, 0.5, "示意"],
            ["新建", "超市", "共享", "", "歇脚;饮水", 2, 0.3, 0.1, "示意"],
            ["错时延时", "银行", "整合", "Mo-Su 05:00-22:00", "歇脚;饮水", "", 0.5, 0.6, "示意"],
        ],
    )
    (folder / "couriers.csv").write_bytes(
        "编号,名称,人数,经度,纬度\nP1,商场,3,{},{}\n".format(*lonlat("C", north_m=10)).encode("gb18030")
    )
    return folder


def book(path: Path, rows: list[list[object]]) -> None:
    """Write rows into the first sheet of a workbook."""
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    workbook.save(path)


def edit_cell(file: Path, cell: str, value: object) -> None:
    """Change one cell of a workbook's first sheet."""
    workbook = openpyxl.load_workbook(file)
    workbook.active[cell] = value
    workbook.save(file)
