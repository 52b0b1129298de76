"""The corpus of ugly and hostile files: how each is made, and what has to become of it.

A table holds the two rows of `EXPECTED`, a layer the two zones of `zones`, a list of places real places of Wuhan: each is read right. What
cannot be read right is refused, with the key of the sentence and the words that it must hold: file, and row and column where there are any.
"""

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pyproj
import shapely
import small_study as small

from planner import datum, embedded
from planner.intake import read_table

WIDE = str.maketrans({str(n): chr(0xFF10 + n) for n in range(10)} | {".": chr(0xFF0E)})

# --- tables ----------------------------------------------------------------------------------------------------------

HEAD = ["编号", "名称", "经度", "纬度", "人数"]
ROWS = [["A1", "甲站", "120.1", "30.9", "3"], ["A2", "乙站", "120.2", "30.8", "5"]]
EXPECTED = [("A1", "甲站", "120.1", "30.9", "3"), ("A2", "乙站", "120.2", "30.8", "5")]


def csv_text(rows: list[list[str]], delimiter: str = ",", end: str = "\r\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    return text.getvalue()


def sheet(path: Path, rows: list[list[object]], merges: tuple[str, ...] = (), name: str = "Sheet") -> Path:
    book = openpyxl.Workbook()
    book.active.title = name
    for row in rows:
        book.active.append(row)
    for merge in merges:
        book.active.merge_cells(merge)
    book.save(path)
    return path


def html(rows: list[list[str]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f'<html><head><meta charset="utf-8"><style>td{{}}</style></head><body><table>{body}</table></body></html>'


TYPED = [["A1", "甲站", 120.1, 30.9, 3], ["A2", "乙站", 120.2, 30.8, 5]]


def _far_format(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [HEAD, *TYPED]:
        book.active.append(row)
    book.active["XFD1048576"].font = openpyxl.styles.Font(bold=True)
    book.save(path)


def xlsx_with(parts: dict[str, bytes]) -> Callable[[Path], object]:
    """Return a writer of a workbook some parts of which are replaced."""

    def write(path: Path) -> None:
        good = sheet(path.with_name("good.xlsx"), [HEAD, *TYPED])
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for info in source.infolist():
                target.writestr(info.filename, parts.get(info.filename, source.read(info)))
            for name in parts.keys() - set(source.namelist()):
                target.writestr(name, parts[name])

    return write


SHEET = "xl/worksheets/sheet1.xml"
OPEN, CLOSE = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>',
    b"</sheetData></worksheet>",
)
LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>' + OPEN + CLOSE

TABLES_READ: dict[str, tuple[str, Callable[[Path], object]]] = {
    "utf-8": (".csv", lambda p: p.write_bytes(csv_text([HEAD, *ROWS]).encode("utf-8"))),
    "utf-8 with a mark": (".csv", lambda p: p.write_bytes(csv_text([HEAD, *ROWS]).encode("utf-8-sig"))),
    "gbk": (".csv", lambda p: p.write_bytes(csv_text([HEAD, *ROWS]).encode("gbk"))),
    "gb18030": (".csv", lambda p: p.write_bytes(csv_text([HEAD, *ROWS]).encode("gb18030"))),
    "utf-16": (".csv", lambda p: p.write_bytes(csv_text([HEAD, *ROWS], "\t").encode("utf-16"))),
    "tabs": (".txt", lambda p: p.write_bytes(csv_text([HEAD, *ROWS], "\t").encode("utf-8"))),
    "semicolons": (".csv", lambda p: p.write_bytes(csv_text([HEAD, *ROWS], ";").encode("utf-8"))),
    "old mac line ends": (".csv", lambda p: p.write_bytes(csv_text([HEAD, *ROWS], end="\r").encode("utf-8"))),
    "title rows": (".csv", lambda p: p.write_bytes(csv_text([["站点汇总表"], ["2026年"], HEAD, *ROWS]).encode("gbk"))),
    "blank rows between": (".csv", lambda p: p.write_bytes(csv_text([HEAD, ROWS[0], [""] * 5, ["  "], ROWS[1]]).encode())),
    "total below": (".csv", lambda p: p.write_bytes(csv_text([HEAD, *ROWS, ["合计", "", "", "", "8"]]).encode())),
    "total in the second column": (".csv", lambda p: p.write_bytes(csv_text([HEAD, *ROWS, ["", "总 计:", "", "", "8"]]).encode())),
    "notes below": (".csv", lambda p: p.write_bytes(csv_text([HEAD, *ROWS, ["注:数据截至十月", "", "", "", ""]]).encode())),
    "header on each page": (".csv", lambda p: p.write_bytes(csv_text([HEAD, ROWS[0], HEAD, ROWS[1]]).encode())),
    "more cells than headings": (".csv", lambda p: p.write_bytes(csv_text([HEAD, [*ROWS[0], "x"], ROWS[1]]).encode())),
    "fewer cells than headings": (".csv", lambda p: p.write_bytes(csv_text([[*HEAD, "备注"], *ROWS]).encode())),
    "html exported as xls": (".xls", lambda p: p.write_text(html([HEAD, *ROWS]), encoding="utf-8")),
    "html in gbk as xls": (".xls", lambda p: p.write_bytes(html([HEAD, *ROWS]).encode("gbk"))),
    "tabs exported as xls": (".xls", lambda p: p.write_bytes(csv_text([HEAD, *ROWS], "\t").encode("gbk"))),
    "xlsx named xls": (".xls", lambda p: sheet(p.with_suffix(".xlsx"), [HEAD, *TYPED]).rename(p)),
    "xlsx": (".xlsx", lambda p: sheet(p, [HEAD, *TYPED])),
    "numbers as text": (".xlsx", lambda p: sheet(p, [HEAD, *ROWS])),
    "merged title": (".xlsx", lambda p: sheet(p, [["汇总表"], HEAD, *TYPED], ("A1:E1",))),
    "header of two rows": (".xlsx", lambda p: sheet(p, [["编号", "名称", "坐标", None, "人数"], [None, None, "经度", "纬度", None],
                                                       *TYPED], ("A1:A2", "B1:B2", "C1:D1", "E1:E2"))),
    "header of two rows without merges": (".csv", lambda p: p.write_bytes(csv_text(
        [["编号", "名称", "位置", "", "人数"], ["", "", "经度", "纬度", ""], *ROWS]).encode())),
    "line breaks in headings": (".xlsx", lambda p: sheet(p, [["编\n号", "名称", "经\n度", "纬度", "人\n数"], *TYPED])),
    "stars and brackets in headings": (".xlsx", lambda p: sheet(p, [["编号*", "名称(全称)", "经度(°)", "纬度(°)", "人数(人)"], *TYPED])),
    "english headings": (".csv", lambda p: p.write_bytes(csv_text([["ID", "Name", "Lng", "Lat", "Workers"], *ROWS]).encode())),
    "full-width headings": (".csv", lambda p: p.write_bytes(csv_text([["ID", "名称", "LON", "LAT", "人数"], *ROWS]).encode())),
    "serial number beside the id": (".csv", lambda p: p.write_bytes(csv_text(
        [["序号", "站点编号", "名称", "经度", "纬度", "人数"], ["1", *ROWS[0]], ["2", *ROWS[1]]]).encode())),
    "a far cell with a format only": (".xlsx", lambda p: _far_format(p)),
    "a comma in a quoted name": (".csv", lambda p: p.write_text(
        '编号,名称,经度,纬度,人数,备注\nA1,甲站,120.1,30.9,3,"东,西"\nA2,乙站,120.2,30.8,5,\n')),
    "utf-16 the other way round": (".csv", lambda p: p.write_bytes(
        b"\xfe\xff" + csv_text([HEAD, *ROWS]).encode("utf-16-be"))),
    "a cover on top": (".xlsx", lambda p: book(p, {"封面": [["驿站台账"], ["某区总工会"]], "站点": [HEAD, *TYPED]})),
    "a row of units": (".xlsx", lambda p: sheet(p, [HEAD, [None, None, "°", "°", "(人)"], *TYPED])),
    "a template's second sheet": (".xlsx", lambda p: book(p, {"站点": [HEAD, *TYPED],
                                                          "填写说明": [["编号", "每处一个"], ["名称", "全称"]]})),
    "full-width digits": (".csv", lambda p: p.write_text(
        csv_text([HEAD, *ROWS]).replace("120.1,30.9,3", "120.1,30.9,3".translate(WIDE)), "utf-8")),
    "errors of formulas beside": (".xlsx", lambda p: sheet(p, [[*HEAD, "备注"], [*TYPED[0], "#N/A"], [*TYPED[1], "#REF!"]])),
    "subtotals between": (".xlsx", lambda p: sheet(
        p, [HEAD, TYPED[0], ["小计", None, None, None, 3], TYPED[1], ["总计", None, None, None, 8]])),
    "a heading in capitals and spaces": (".csv", lambda p: p.write_text(
        csv_text([[" ID ", "Site Name", "LNG (°)", "LAT (°)", "Head count"], *ROWS]))),
    "two columns of degrees, one of them shifted": (".csv", lambda p: p.write_text(csv_text(
        [["编号", "名称", "高德经度", "高德纬度", "经度", "纬度", "人数"],
         *([r[0], r[1], "120.105", "30.897", *r[2:]] for r in ROWS)]), "utf-8")),
    "a name that looks like a formula beside": (".xlsx", lambda p: sheet(
        p, [[*HEAD, "备注"], [*TYPED[0], "'=1+1"], [*TYPED[1], "<b>x</b>"]])),
    "an old version hidden in front": (".xlsx", lambda p: hidden_in_front(p)),
    "a million commas behind": (".csv", lambda p: p.write_bytes(
        csv_text([HEAD, *ROWS]).replace("\r\n", "," * 1_000_000 + "\r\n", 1).encode())),
    "more semicolons in cells than commas between": (".csv", lambda p: p.write_text(csv_text(
        [[*HEAD, "服务项目"], *([*row, "歇脚;饮水;如厕;充电;热饭;药箱;雨具;阅读;无线网;打气;针线"] for row in ROWS)]), "utf-8")),
    "places in single quotes, or none": (".xlsx", xlsx_with({SHEET: OPEN + b"".join(
        b"<row r='%d'>" % n + b"".join(
            (b"<c r='%s%d' t='inlineStr'>" % (b"ABCDE"[k : k + 1], n) if n < 3 else b"<c t='inlineStr'>")
            + b"<is><t>" + cell.encode() + b"</t></is></c>" for k, cell in enumerate(row)) + b"</row>"
        for n, row in enumerate([HEAD, *ROWS], 1)) + CLOSE})),
    "member names that climb out": (".xlsx", lambda p: xlsx_with({"../../outside.xml": b"<x/>"})(p)),
}  # fmt: skip

TABLES_REFUSED: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "empty": (".csv", "no_header", lambda p: p.write_bytes(b"")),
    "no heading known": (".csv", "no_header", lambda p: p.write_bytes(b"a,b\n1,2\n")),
    "header only": (".csv", "table_empty", lambda p: p.write_bytes(csv_text([HEAD]).encode())),
    "a heading twice": (".csv", "heading_twice", lambda p: p.write_bytes(csv_text([[*HEAD, "名称"], *ROWS]).encode())),
    "binary as csv": (".csv", "csv_unreadable", lambda p: p.write_bytes(bytes(range(256)) * 4)),
    "nul in csv": (".csv", "csv_unreadable", lambda p: p.write_bytes(b"id,name\n\0,\0\n")),
    "half a utf-16": (".csv", "csv_unreadable", lambda p: p.write_bytes(b"\xff\xfea")),
    "more columns than a sheet has": (".csv", "too_many_columns", lambda p: p.write_bytes(
        (csv_text([HEAD, *ROWS]) + ",".join(map(str, range(20_000)))).encode())),
    "an endless cell": (".csv", "csv_broken", lambda p: p.write_bytes(b'id,name\n1,"' + b"x" * 200_000)),
    "noise as xlsx": (".xlsx", "xlsx_unreadable", lambda p: p.write_bytes(b"\x01\x02 no workbook")),
    "half a workbook": (".xlsx", "xlsx_unreadable", lambda p: p.write_bytes(sheet(p, [HEAD, *TYPED]).read_bytes()[:2000])),
    "a zip that is no workbook": (".xlsx", "xlsx_unreadable", lambda p: zipfile.ZipFile(p, "w").writestr("a.txt", "x")),
    "noise as old xls": (".xls", "xlsx_unreadable", lambda p: p.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))),
    "xml spreadsheet": (".xls", "xlsx_unreadable", lambda p: p.write_text('<?xml version="1.0"?><Workbook/>', encoding="utf-8")),
    "broken xml": (".xlsx", "xlsx_unreadable", xlsx_with({SHEET: OPEN + b"<row><c"})),
    "entities in a sheet": (".xlsx", "xml_bomb", xlsx_with({SHEET: LAUGHS})),
    "entities in the strings": (".xlsx", "xml_bomb", xlsx_with({"xl/sharedStrings.xml": LAUGHS})),
    "a zip bomb": (".xlsx", "zip_bomb", xlsx_with({"xl/media/x.bin": bytes(80_000_000)})),
    "a value in the last cell": (".xlsx", "too_many_cells", xlsx_with(
        {SHEET: OPEN + b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' + CLOSE})),
    "a far cell in single quotes": (".xlsx", "too_many_cells", xlsx_with(
        {SHEET: OPEN + b"<row r='1'><c r='A1'><v>1</v></c></row><row\nr = '1048576'><c\nr = 'xfd1048576'><v>1</v></c></row>" + CLOSE})),
    "cells without a place": (".xlsx", "too_many_cells", xlsx_with(
        {SHEET: OPEN + b"<row>" + b"<c><v>1</v></c>" * 9_000 + b"</row>" + b"<row/>" * 1_000 + b"<row><c><v>1</v></c></row>" + CLOSE})),
    "cells with another prefix": (".xlsx", "too_many_cells", xlsx_with(
        {SHEET: OPEN + b'<row r="1048576"><x:c r="XFD1048576"><x:v>1</x:v></x:c></row>' + CLOSE})),
    "gzip named csv": (".csv", "csv_unreadable", lambda p: p.write_bytes(gzip.compress(csv_text([HEAD, *ROWS]).encode()))),
    "a picture named xlsx": (".xlsx", "xlsx_unreadable", lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))),
    "an entity that names a file": (".xlsx", "xml_bomb", xlsx_with(
        {SHEET: b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + OPEN + CLOSE})),
    "a header far below": (".csv", "no_header", lambda p: p.write_text("\n" * 40 + csv_text([HEAD, *ROWS]), "utf-8")),
    "web page without a table": (".xls", "no_header", lambda p: p.write_text("<html><body>登录已过期</body></html>", "utf-8")),
    "ten million cells": (".xlsx", "too_many_cells", lambda p: ten_million_cells(p)),
    "a million and more rows": (".csv", "too_many_cells", lambda p: p.write_bytes(b"id,name\n" + b"1,a\n" * 1_000_001)),
    "sheets without a table": (".xlsx", "no_header", lambda p: book(p, {"封面": [["台账"]], "二": [["说明"]]})),
}  # fmt: skip


# Large enough to be made and read once only.
HEAVY = ("ten million cells", "a million and more rows")


def book(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        page = workbook.create_sheet(name)
        for row in rows:
            page.append(row)
    workbook.save(path)
    return path


def hidden_in_front(path: Path) -> None:
    workbook = openpyxl.load_workbook(book(path, {"旧": [HEAD, ["X1", "旧站", 121.0, 31.0, 9]], "现": [HEAD, *TYPED]}))
    workbook["旧"].sheet_state, workbook.active = "hidden", 1
    workbook.save(path)


def ten_million_cells(path: Path) -> None:
    """Write a sheet of 10,000 rows and 1,000 columns, all filled, that is small on disk."""
    letters = [bytes(openpyxl.utils.get_column_letter(n), "ascii") for n in range(1, 1_001)]
    row = b'<row r="#">' + b"".join([b'<c r="%s#"><v>1</v></c>' % letter for letter in letters]) + b"</row>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open(SHEET, "w") as part:
            part.write(OPEN)
            for number in range(1, 10_001):
                part.write(row.replace(b"#", b"%d" % number))
            part.write(CLOSE)


# --- layers ----------------------------------------------------------------------------------------------------------

NAMES = ["西街道", "东街道"]


def zones() -> gpd.GeoDataFrame:
    (west, north), step = small.node("A"), small.STEP_M
    shapes = [
        shapely.box(west - 100, north - 700, west + 1.5 * step, north + 100),
        shapely.box(west + 1.5 * step, north - 700, west + 1000, north + 100),
    ]
    return gpd.GeoDataFrame({"id": ["W", "O"], "name": NAMES}, geometry=shapes, crs=small.CRS)


def shapefile(folder: Path, encoding: str, cpg: str | None) -> Path:
    path = folder / "zones.shp"
    zones().to_file(path, encoding=encoding)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg, encoding="ascii")
    return path


def zipped(folder: Path, name: str = "zones", prefix: str = "") -> Path:
    inner = folder / "inner"
    inner.mkdir()
    shapefile(inner, "GBK", None)
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        for part in sorted(inner.iterdir()):
            archive.write(part, f"{prefix}{part.name}")
    return folder / f"{name}.zip"


def kml(extra: str = "") -> str:
    shapes = zones().to_crs("EPSG:4326")
    marks = "".join(
        f"<Folder><name>{name}</name><Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        + " ".join(f"{x},{y},0" for x, y in shape.exterior.coords)
        + "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Folder>"
        for name, shape in zip(shapes["name"], shapes.geometry, strict=True)
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{head}{extra}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{marks}</Document></kml>'


def kmz(folder: Path, name: str = "doc.kml") -> Path:
    with zipfile.ZipFile(folder / "zones.kmz", "w") as archive:
        archive.writestr(name, kml())
    return folder / "zones.kmz"


def wrote(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def saved(path: Path, **options: object) -> Path:
    zones().to_file(path, **options)
    return path


def parquet(path: Path) -> Path:
    zones().to_parquet(path)
    return path


def two_shapes(folder: Path) -> Path:
    path = zipped(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other.shp", b"")
    return path


def bomb(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "zones.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zones.shp", bytes(80_000_000))
    return folder / "zones.zip"


def bare_parquet(path: Path) -> Path:
    zones().drop(columns="geometry").to_parquet(path)
    return path


def lying(path: Path, numbers_in: str, says: str) -> Path:
    zones().to_crs(numbers_in).set_crs(says, allow_override=True).to_file(path)
    return path


NULLS = '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"id":"W"},"geometry":null}]}'


def degrees(path: Path, crs: str) -> Path:
    zones().to_crs(crs).to_file(path)
    return path


def capitals(folder: Path) -> Path:
    for part in list(shapefile(folder, "GBK", "GBK").parent.glob("zones.*")):
        if part.suffix != ".gpkg":
            part.rename(part.with_suffix(part.suffix.upper() if part.suffix != ".shp" else ".shp"))
    return folder / "zones.shp"


def shapefile_without(folder: Path, suffix: str) -> Path:
    path = shapefile(folder, "UTF-8", None)
    path.with_suffix(suffix).unlink()
    return path


def half_shapefile(folder: Path) -> Path:
    path = shapefile(folder, "UTF-8", None)
    for suffix in (".shx", ".dbf"):
        path.with_suffix(suffix).unlink()
    path.write_bytes(path.read_bytes()[:60])
    return path


def bare_gpkg(path: Path) -> Path:
    import pyogrio

    pyogrio.write_dataframe(zones().drop(columns="geometry"), path, layer="zones")
    return path


def emptied(path: Path) -> Path:
    zones().iloc[:0].to_file(path)
    return path


def zip_of(path: Path, name: str, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


LAYERS_READ: dict[str, Callable[[Path], Path]] = {
    "gpkg": lambda d: saved(d / "zones.gpkg"),
    "parquet": lambda d: parquet(d / "zones.parquet"),
    "geojson": lambda d: wrote(d / "zones.geojson", zones().to_crs(4326).to_json()),
    "geojson in gbk": lambda d: wrote(d / "zones.geojson", zones().to_crs(4326).to_json(ensure_ascii=False).encode("gbk")),
    "shp in gbk with cpg": lambda d: shapefile(d, "GBK", "GBK"),
    "shp in gbk without cpg": lambda d: shapefile(d, "GBK", None),
    "shp in gbk whose cpg says utf-8": lambda d: shapefile(d, "GBK", "UTF-8"),
    "shp in utf-8 without cpg": lambda d: shapefile(d, "UTF-8", None),
    "shp in utf-8 whose cpg says gbk": lambda d: shapefile(d, "UTF-8", "GBK"),
    "zip": zipped,
    "zip with a folder": lambda d: zipped(d, prefix="数据/"),
    "zip that climbs out": lambda d: zipped(d, prefix="../../"),
    "kml of two folders": lambda d: wrote(d / "zones.kml", kml()),
    "kmz": kmz,
    "geojson named json": lambda d: wrote(d / "zones.json", zones().to_crs(4326).to_json()),
    "geojson with a mark": lambda d: wrote(d / "zones.geojson", zones().to_crs(4326).to_json().encode("utf-8-sig")),
    "flatgeobuf": lambda d: saved(d / "zones.fgb", SPATIAL_INDEX="NO"),
    "gpkg in degrees of another datum's name": lambda d: degrees(d / "zones.gpkg", "EPSG:4490"),
    "gpkg in a zone beside": lambda d: degrees(d / "zones.gpkg", "EPSG:4546"),
    "shp with letters in capitals": lambda d: capitals(d),
    "kmz whose members climb out": lambda d: kmz(d, "../../doc.kml"),
}  # fmt: skip

ENTITIES = '<!DOCTYPE kml [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
LAYERS_REFUSED: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "noise as gpkg": ("layer_unreadable", lambda d: wrote(d / "zones.gpkg", b"\0noise")),
    "noise as geojson": ("layer_unreadable", lambda d: wrote(d / "zones.geojson", "{")),
    "deep geojson": ("layer_unreadable", lambda d: wrote(d / "zones.geojson", "[" * 200_000)),
    "noise as parquet": ("layer_unreadable", lambda d: wrote(d / "zones.parquet", b"noise")),
    "table as parquet": ("layer_unreadable", lambda d: bare_parquet(d / "zones.parquet")),
    "noise as zip": ("layer_unreadable", lambda d: wrote(d / "zones.zip", b"PK\x03\x04noise")),
    "noise as shp": ("layer_unreadable", lambda d: wrote(d / "zones.shp", b"noise")),
    "kml with entities": ("xml_bomb", lambda d: wrote(d / "zones.kml", kml(ENTITIES))),
    "two shapefiles in a zip": ("zip_layers", two_shapes),
    "a zip bomb": ("zip_bomb", bomb),
    "degrees that say metres": ("layer_wrong_crs", lambda d: lying(d / "zones.gpkg", "EPSG:4326", "EPSG:32650")),
    "metres that say degrees": ("layer_wrong_crs", lambda d: lying(d / "zones.gpkg", "EPSG:4547", "EPSG:4326")),
    "no crs": ("layer_no_crs", lambda d: shapefile_without(d, ".prj")),
    "shp without its shx and dbf, cut in half": ("layer_unreadable", lambda d: half_shapefile(d)),
    "a gpkg without shapes": ("layer_no_geometry", lambda d: bare_gpkg(d / "zones.gpkg")),
    "an empty layer": ("layer_empty", lambda d: emptied(d / "zones.gpkg")),
    "a kml without marks": ("layer_empty", lambda d: wrote(d / "zones.kml", '<kml xmlns="http://www.opengis.net/kml/2.2"><Document/></kml>')),
    "a kmz without a kml": ("layer_unreadable", lambda d: zip_of(d / "zones.kmz", "a.txt")),
    "a zip of none": ("zip_layers", lambda d: zip_of(d / "zones.zip", "a.txt")),
    "kmz that is a bomb": ("zip_bomb", lambda d: zip_of(d / "zones.kmz", "doc.kml", bytes(80_000_000))),
    "noise as kml": ("layer_unreadable", lambda d: wrote(d / "zones.kml", b"\x00\x01noise")),
    "geojson of nulls": ("layer_empty", lambda d: wrote(d / "zones.geojson", NULLS)),
}  # fmt: skip


# --- places: real ones of Wuhan, as people write coordinates ---------------------------------------------------------------


@cache
def places() -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the candidates of the embedded study and their WGS-84 degrees."""
    table = read_table(embedded.folder() / "candidates.csv").rows
    return tuple(table["name"]), table[["lon", "lat"]].to_numpy(dtype=float)


@dataclass(frozen=True)
class Places:
    """A list of places as a csv.

    Attributes:
        heads: the headings of the coordinates.
        cells: WGS-84 degrees (n, 2) -> the cells under these headings.
        few: only so many of the places.
        settings: what study.toml says of the table.
        key: of the sentence that refuses it; empty where it is read right.
        says: what the sentence, or a warning, must hold.
        lost: rows that become rejects.
    """

    heads: tuple[str, ...]
    cells: Callable[[np.ndarray], list[list[str]]]
    few: int = 0
    settings: dict[str, object] = field(default_factory=lambda: {"datum": "auto"})
    key: str = ""
    says: tuple[str, ...] = ()
    lost: int = 0

    def write(self, path: Path) -> np.ndarray:
        """Write the list and return where its places are."""
        names, degrees = places()
        kept = slice(0, self.few or None)
        rows = [
            [f"P{n}", name, *cells]
            for n, (name, cells) in enumerate(zip(names[kept], self.cells(degrees[kept]), strict=True))
        ]
        path.write_text(csv_text([["编号", "名称", *self.heads], *rows]), encoding="utf-8")
        return degrees[kept]


def into(name: datum.Datum, form: str = ".7f") -> Callable[[np.ndarray], list[list[str]]]:
    return lambda wgs84: [
        [f"{x:{form}}", f"{y:{form}}"] for x, y in zip(*datum.from_wgs84(*wgs84.T, name), strict=True)
    ]


def metres(crs: str, prefix: int = 0, swapped: bool = False) -> Callable[[np.ndarray], list[list[str]]]:
    def cells(wgs84: np.ndarray) -> list[list[str]]:
        x, y = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(*wgs84.T)
        pairs = zip(y, x + 1e6 * prefix, strict=True) if swapped else zip(x + 1e6 * prefix, y, strict=True)
        return [[f"{a:.3f}", f"{b:.3f}"] for a, b in pairs]

    return cells


def angle(value: float, signs: str = "°′″") -> str:
    whole, rest = divmod(value, 1)
    minutes, rest = divmod(rest * 60, 1)
    return f"{int(whole)}{signs[0]}{int(minutes):02d}{signs[1]}{rest * 60:07.4f}{signs[2]}"


def one(write: Callable[[float, float], str]) -> Callable[[np.ndarray], list[list[str]]]:
    return lambda wgs84: [[write(x, y)] for x, y in wgs84.tolist()]


def two(write: Callable[[float], str]) -> Callable[[np.ndarray], list[list[str]]]:
    return lambda wgs84: [[write(x), write(y)] for x, y in wgs84.tolist()]


def spoilt(rows: dict[int, list[str]]) -> Callable[[np.ndarray], list[list[str]]]:
    return lambda wgs84: [rows.get(n, cells) for n, cells in enumerate(into("WGS-84")(wgs84))]


LON_LAT, BOTH = ("经度", "纬度"), ("坐标",)
PLACES: dict[str, Places] = {
    "WGS-84": Places(LON_LAT, into("WGS-84")),
    "GCJ-02": Places(LON_LAT, into("GCJ-02"), says=("GCJ-02",)),
    "BD-09": Places(LON_LAT, into("BD-09"), says=("BD-09",)),
    "CGCS2000 degrees": Places(LON_LAT, into("WGS-84"), settings={"datum": "CGCS2000"}),
    "GCJ-02 declared": Places(LON_LAT, into("GCJ-02"), settings={"datum": "GCJ-02"}),
    "GCJ-02 declared as WGS-84 by nobody": Places(LON_LAT, into("GCJ-02"), settings={}, key="datum_unsure", says=("a.csv", "GCJ-02")),
    "a heading that names Baidu": Places(("百度经度", "百度纬度"), into("BD-09"), few=5, settings={}, key="datum_stated",
                                     says=("a.csv", "BD-09")),
    "five points of some datum": Places(LON_LAT, into("GCJ-02"), few=5, key="datum_unsure", says=("a.csv", "5", "WGS-84", "BD-09")),
    "columns the wrong way round": Places(("纬度", "经度"), into("WGS-84"), says=("175",)),
    "CGCS2000 3-degree zone": Places(("X坐标", "Y坐标"), metres("EPSG:4547")),
    "CGCS2000 with the zone in front": Places(("X坐标", "Y坐标"), metres("EPSG:4547", prefix=38)),
    "CGCS2000 northing first": Places(("X坐标", "Y坐标"), metres("EPSG:4547", swapped=True)),
    "CGCS2000 northing first, with the zone": Places(("X坐标", "Y坐标"), metres("EPSG:4547", prefix=38, swapped=True)),
    "CGCS2000 6-degree zone": Places(("X", "Y"), metres("EPSG:4508", prefix=19)),
    "UTM": Places(("easting", "northing"), metres("EPSG:32650")),
    "web Mercator": Places(("POINT_X", "POINT_Y"), metres("EPSG:3857")),
    "metres of nowhere near": Places(("X", "Y"), metres("EPSG:32633"), key="metres_unsure", says=("a.csv", "crs")),
    "degrees, minutes, seconds": Places(LON_LAT, two(angle)),
    "度分秒": Places(LON_LAT, two(lambda v: angle(v, "度分秒"))),
    "hyphens between minutes": Places(LON_LAT, two(lambda v: angle(v, "-- ").strip())),
    "colons between minutes": Places(LON_LAT, two(lambda v: angle(v, ":: ").strip())),
    "full-width digits": Places(LON_LAT, two(lambda v: f"{v:.7f}".translate(WIDE))),
    "letters behind": Places(LON_LAT, lambda w: [[f"{x:.7f}°E", f"{y:.7f}°N"] for x, y in w.tolist()]),
    "words before": Places(LON_LAT, lambda w: [[f"东经{x:.7f}", f"北纬{y:.7f}"] for x, y in w.tolist()]),
    "both in one cell": Places(BOTH, one(lambda x, y: f"{x:.7f},{y:.7f}")),
    "both in one cell, latitude first": Places(BOTH, one(lambda x, y: f"{y:.7f} {x:.7f}"), says=("175",)),
    "both with a Chinese comma": Places(BOTH, one(lambda x, y: f"{x:.7f}，{y:.7f}")),
    "both with their words": Places(BOTH, one(lambda x, y: f"北纬：{y:.7f}；东经：{x:.7f}")),
    "both as json": Places(BOTH, one(lambda x, y: f'{{"lng":{x:.7f},"lat":{y:.7f}}}')),
    "both as wkt": Places(("WKT",), one(lambda x, y: f"POINT ({x:.7f} {y:.7f})")),
    "both with a height": Places(BOTH, one(lambda x, y: f"{x:.7f},{y:.7f},23.5")),
    "both in minutes": Places(BOTH, one(lambda x, y: f"N{angle(y)} E{angle(x)}")),
    "a map link": Places(BOTH, one(lambda x, y: f"https://map.example/?position={x:.7f},{y:.7f}&name=x")),
    "some the wrong way round": Places(LON_LAT, spoilt({3: ["30.58", "114.29"], 7: ["30.59", "114.30"]}), says=("5, 9",)),
    "noughts and blanks": Places(LON_LAT, spoilt({1: ["0", "0"], 2: ["", ""], 3: ["待查", "待查"], 4: ["#N/A", "30.5"]}), lost=4),
    "in another country": Places(LON_LAT, spoilt({5: ["13.26", "53.55"]}), lost=1),
    "in the sea": Places(LON_LAT, spoilt({5: ["123.5", "30.5"], 6: ["-30.0", "5.0"]}), lost=2),
    "no place on earth": Places(LON_LAT, spoilt({5: ["999", "99"], 6: ["1e308", "30"]}), lost=2),
    "all of them elsewhere": Places(LON_LAT, lambda w: into("WGS-84")(w + 2.0), settings={"datum": "WGS-84"}, key="sites_outside",
                                    says=("a.csv", "2")),
    "no coordinates at all": Places(("地址",), one(lambda x, y: "人民路12号旁"), key="column_missing", says=("a.csv", "经度", "地址")),
    "all blank": Places(LON_LAT, two(lambda v: ""), key="no_rows_left", says=("a.csv", "经度")),
}  # fmt: skip
FILES = len(TABLES_READ) + len(TABLES_REFUSED) + len(LAYERS_READ) + len(LAYERS_REFUSED) + len(PLACES)
