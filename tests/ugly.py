"""What a planner's desk holds at the beginning: a list exported from a map service, streets, a table of workers.

The list is a csv in GBK with GCJ-02 coordinates, two title rows, units in headings and cells, full-width digits, a row of totals, a letter
in a number, a row without a place, opening hours in no known words, and one place written down twice. Streets and places are those of the
embedded study, cut to a few square kilometres.
"""

import random
from functools import cache
from pathlib import Path

import geopandas as gpd
import shapely

from planner import embedded
from planner.datum import wgs84_to_gcj02
from planner.intake import read_table

SIZE_M = 3_600.0
# Rows of the list, as a spreadsheet counts them.
FIRST, LETTER, NO_PLACE, STRANGE_HOURS, TWICE, WIDE = 4, 6, 9, 11, 14, 20
# Digits, point and letters as a Chinese keyboard types them.
FULL_WIDTH = {sign: sign + 0xFEE0 for sign in range(ord("!"), ord("~") + 1)}
HEADINGS = ("序号", "驿站名称", "所属银行", "类别", "开放时间", "服务内容", "座位数（个）", "东经°", "北纬°", "备注")


@cache
def streets() -> gpd.GeoDataFrame:
    """Return streets of the embedded study in the middle of its area."""
    whole = gpd.read_file(embedded.folder() / "streets.gpkg")
    x, y = shapely.box(*whole.total_bounds).centroid.coords[0]
    x -= 2_200
    box = shapely.box(x - SIZE_M / 2, y - SIZE_M / 2, x + SIZE_M / 2, y + SIZE_M / 2)
    return whole[whole.intersects(box)].reset_index(drop=True)


@cache
def places() -> list[tuple[str, float, float]]:
    """Return names and WGS-84 degrees of candidates of the embedded study that stand beside these streets."""
    table = read_table(embedded.folder() / "candidates.csv").rows
    points = gpd.GeoSeries.from_xy(table["lon"].astype(float), table["lat"].astype(float), crs="EPSG:4326")
    inside = points.to_crs(streets().crs).within(shapely.box(*streets().total_bounds).buffer(-50)).to_numpy()
    named = dict.fromkeys(zip(table["name"][inside], points.x[inside].round(6), points.y[inside].round(6), strict=True))
    return [place for n, place in enumerate(named) if place[0] not in [other[0] for other in list(named)[:n]]]


def stations(count: int = 28) -> bytes:
    """Return the list as the bytes of a csv."""
    chosen = random.Random(5).sample(places(), count)
    rows: list[list[str]] = []
    for n, (name, lon, lat) in enumerate(chosen, 1):
        x, y = (float(v) for v in wgs84_to_gcj02(lon, lat))
        hours = "Mo-Fr 09:00-17:00" if n % 3 else "每天 08:00-20:00"
        rows.append(
            [str(n), name, "农商银行", "银行", hours, "歇脚；饮水", f"{n % 4 + 2}个", f"{x:.6f}", f"{y:.6f}", ""]
        )
    rows[LETTER - FIRST][7] = "l" + rows[LETTER - FIRST][7][1:]
    rows[NO_PLACE - FIRST][7] = rows[NO_PLACE - FIRST][8] = "待查"
    rows[STRANGE_HOURS - FIRST][4] = "看行长心情"
    rows[WIDE - FIRST][6:9] = [text.translate(FULL_WIDTH) for text in rows[WIDE - FIRST][6:9]]
    first = rows[TWICE - FIRST - 1]
    rows[TWICE - FIRST] = [rows[TWICE - FIRST][0], first[1] + "（新）", *first[2:9], "重复填报"]
    total = sum(int(row[6].rstrip("个")) for row in rows)
    lines = [
        ["江岸片区职工爱心驿站一览表"],
        ["填报单位：区总工会", "", "", "", "", "2026年10月"],
        list(HEADINGS),
        *rows,
    ]
    lines.append(["合计", "", "", "", "", "", str(total), "", "", ""])
    return "\r\n".join(",".join(line) for line in lines).encode("gb18030")


def workers(count: int = 60) -> bytes:
    """Return a table of workers at places, in WGS-84 and UTF-8."""
    chosen = random.Random(7).sample(places(), min(count, len(places())))
    lines = ["名称,人数,经度,纬度", *(f"{name},{n % 5 + 1},{lon},{lat}" for n, (name, lon, lat) in enumerate(chosen))]
    return "\n".join(lines).encode("utf-8-sig")


def candidates() -> bytes:
    """Return a list of banks that could take a station in: places that are in no row of the stations' list."""
    taken = {name for name, *_ in random.Random(5).sample(places(), 28)}
    free = [place for place in places() if place[0] not in taken]
    rows = [f"K{n},{name},银行,共建;共享,{lon},{lat}" for n, (name, lon, lat) in enumerate(free, 1)]
    return "\n".join(["编号,名称,类别,可选方式,经度,纬度", *rows]).encode("gb18030")


def options() -> bytes:
    """Return two ways to build at a bank, one dear and open long, one cheap."""
    return (
        "动作,类别,建设方式,开放时间,服务项目,座位数,建设费（万元）,年运营费（万元）\n"
        "新建,银行,共建,Mo-Su 04:00-22:00,歇脚；饮水,6,２.５,0.6\n"
        "新建,银行,共享,Mo-Fr 09:00-17:00,歇脚；饮水,2,0.3,0.2\n"
    ).encode("gb18030")


def write(folder: Path) -> dict[str, Path]:
    """Write the files into a folder: a planner's desk."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "stations": folder / "驿站一览表.csv",
        "workers": folder / "环卫工人数.csv",
        "streets": folder / "道路.gpkg",
        "candidates": folder / "候选网点.csv",
        "options": folder / "建设方式.csv",
    }
    files["stations"].write_bytes(stations())
    files["workers"].write_bytes(workers())
    files["candidates"].write_bytes(candidates())
    files["options"].write_bytes(options())
    streets().to_file(files["streets"])
    return files
