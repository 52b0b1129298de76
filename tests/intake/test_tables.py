"""A corpus of ugly and hostile tables: each is read right, or refused with its file, its place and what to do."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
import small_study as small
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InputError
from planner.intake import grid
from planner.intake.cells import METRES, PEOPLE, angle, money, number, pair
from planner.intake.grid import Grid
from planner.intake.headings import field_of
from planner.intake.table import read_table, table_of
from planner.words import LANGS

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

# name -> (suffix, writer): each file holds the two rows of EXPECTED.
READ_RIGHT: dict[str, tuple[str, Callable[[Path], object]]] = {
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
}  # fmt: skip


def _far_format(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [HEAD, *TYPED]:
        book.active.append(row)
    book.active["XFD1048576"].font = openpyxl.styles.Font(bold=True)
    book.save(path)


@pytest.mark.parametrize("name", READ_RIGHT)
def test_an_ugly_table_is_read_right(tmp_path: Path, name: str):
    suffix, write = READ_RIGHT[name]
    path = tmp_path / f"站点汇总表(最终版2){suffix}"
    write(path)
    table = read_table(path)
    assert [tuple(row) for row in table.rows[["id", "name", "lon", "lat", "weight"]].to_numpy().tolist()] == EXPECTED


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


REFUSED: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "empty": (".csv", "no_header", lambda p: p.write_bytes(b"")),
    "no heading known": (".csv", "no_header", lambda p: p.write_bytes(b"a,b\n1,2\n")),
    "header only": (".csv", "table_empty", lambda p: p.write_bytes(csv_text([HEAD]).encode())),
    "a heading twice": (".csv", "heading_twice", lambda p: p.write_bytes(csv_text([[*HEAD, "名称"], *ROWS]).encode())),
    "binary as csv": (".csv", "csv_unreadable", lambda p: p.write_bytes(bytes(range(256)) * 4)),
    "nul in csv": (".csv", "csv_unreadable", lambda p: p.write_bytes(b"id,name\n\0,\0\n")),
    "half a utf-16": (".csv", "csv_unreadable", lambda p: p.write_bytes(b"\xff\xfea")),
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
    "cells with another prefix": (".xlsx", "too_many_cells", xlsx_with(
        {SHEET: OPEN + b'<row r="1048576"><x:c r="XFD1048576"><x:v>1</x:v></x:c></row>' + CLOSE})),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_table_is_refused_in_a_sentence(tmp_path: Path, name: str):
    suffix, key, write = REFUSED[name]
    path = tmp_path / f"bad{suffix}"
    write(path)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert caught.value.key == key
    for lang in LANGS:
        sentence = caught.value.text(lang)
        assert "bad" in sentence and str(tmp_path) not in sentence and "\n" not in sentence


def test_a_long_csv_is_refused_before_it_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grid, "MAX_CELLS", 50)
    (tmp_path / "a.csv").write_bytes(csv_text([HEAD, *ROWS * 10]).encode())
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "a.csv")
    assert caught.value.key == "too_many_cells"


@pytest.mark.parametrize("row", [b"%d", b"1"])
def test_too_many_cells_are_refused_even_where_their_numbers_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: bytes
):
    monkeypatch.setattr(grid, "MAX_CELLS", 10_000)
    line = b"<row>" + b"".join(b'<c r="%s' % bytes([65 + n]) + row + b'"><v>1</v></c>' for n in range(20)) + b"</row>"
    lines = b"".join(line % ((n,) * line.count(b"%d")) for n in range(1, 601))
    xlsx_with({SHEET: OPEN + lines + CLOSE})(tmp_path / "a.xlsx")
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "a.xlsx")
    assert caught.value.key == "too_many_cells"


def test_merged_values_hold_for_each_row_but_amounts_do_not(tmp_path: Path):
    rows = [[*HEAD, "类别"], [*TYPED[0], "银行"], ["A2", "乙站", 120.2, 30.8, None, None]]
    table = read_table(sheet(tmp_path / "a.xlsx", rows, ("F2:F3", "E2:E3"))).rows
    assert table["kind"].tolist() == ["银行", "银行"] and table["weight"].tolist() == ["3", ""]


def test_headings_can_be_overruled_and_so_can_the_header(tmp_path: Path):
    path = sheet(tmp_path / "a.xlsx", [["甲", "乙"], ["编号", "名称"], ["x", "y"]])
    assert read_table(path, columns={"name": "编号"}).rows["name"].tolist() == ["x"]
    assert read_table(path, columns={"id": "甲", "name": "乙"}, header=1).rows["name"].tolist() == ["名称", "y"]
    with pytest.raises(InputError) as caught:
        read_table(path, columns={"lon": "东经"})
    assert caught.value.key == "column_missing" and "东经" in caught.value.text("zh")


def test_formulas_and_html_stay_text(tmp_path: Path):
    rows = [HEAD, ["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "120.1", "30.9", "3"]]
    (tmp_path / "a.csv").write_bytes(csv_text(rows).encode())
    assert read_table(tmp_path / "a.csv").rows.iloc[0].tolist() == rows[1]


cells = st.sampled_from(
    ["", " ", "A1", "甲站", "120.1", "合计", "小计:", "编号", "名称", "经度", "注:略", "#N/A", "120"]
)


@given(st.lists(st.lists(cells, min_size=0, max_size=7), max_size=12))
def test_every_row_below_the_header_is_kept_or_set_aside(body: list[list[str]]):
    filled = sum(bool("".join(row[:5]).strip()) for row in body)
    try:
        table = table_of(Grid("", [HEAD, *body]), "a.csv", columns={}, header=1)
    except InputError as error:
        assert error.key == "table_empty" and filled == 0
        return
    assert len(table.rows) + len(table.aside) == filled
    assert not set(table.rows.index) & set(table.aside.index)


# --- one cell --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "units", "value"),
    [("12万", money("万元"), 12), ("12万元", money("元"), 120_000), ("5000元", money("万元"), 0.5), ("0.8 km", METRES, 800),
     ("500米", METRES, 500), ("1,200", PEOPLE, 1200), ("12.5", PEOPLE, 12.5), ("约30人", PEOPLE, 30), ("1.2万人", PEOPLE, 12_000),
     ("30人左右", PEOPLE, 30), ("-3", PEOPLE, -3)],
)  # fmt: skip
def test_numbers_with_units(text: str, units: dict[str, float], value: float):
    assert number(text, units) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "三人", "30-40", "1,2", "inf", "nan", "12吨", "0x10", "1 2", "--"])
def test_what_is_no_number_is_none(text: str):
    assert number(text, PEOPLE) != number(text, PEOPLE)


@pytest.mark.parametrize(
    "text", ["120.5", "120°30′", "120°30′0″", "东经120度30分", "E120.5", "120.5°E", "120 30 00", "120:30:00", "120.5"]
)
def test_degrees_however_written(text: str):
    assert angle(text) == pytest.approx(120.5)


@pytest.mark.parametrize("text", ["120°75′", "东一二〇", "120.5.5", "120,5", "°"])
def test_what_is_no_angle_is_none(text: str):
    assert angle(text) != angle(text)


@pytest.mark.parametrize(
    "text",
    ["120.5,30.25", "120.5,30.25", "(120.5;30.25)", "POINT(120.5 30.25)", "经度:120.5 纬度:30.25", "纬度:30.25,经度:120.5",
     "30.25N 120.5E", "N30°15′E120°30′", "北纬30.25 东经120.5", "https://map.example/?position=120.500,30.250&name=x", "[120.5, 30.25]",
     "lat=30.25, lng=120.5", "120.5、30.25"],
)  # fmt: skip
def test_two_coordinates_in_one_cell(text: str):
    assert pair(text) == pytest.approx((120.5, 30.25))


@given(st.text(max_size=40))
def test_no_cell_breaks_the_readers(text: str):
    angle(text), pair(text), number(text, PEOPLE), field_of(text)


def test_the_small_study_still_has_its_headings():
    assert [field_of(h) for h in ("编号", "可选方式", "座位数")] == ["id", "modes", "capacity"] and small.CRS


@pytest.mark.parametrize(
    "cell", ["歇脚；饮水；如厕", "歇脚，饮水，如厕", "歇脚、饮水、如厕", "歇脚; 饮水 ;如厕", "歇脚/饮水/如厕"]
)
def test_words_are_parted_by_whatever_sign_people_type(tmp_path: Path, cell: str):
    from planner.intake import columns

    file = tmp_path / "a.csv"
    file.write_text(f'名称,服务项目,经度,纬度\n甲,"{cell}",120,30\n', encoding="utf-8")
    assert columns.identifiers(read_table(file), "services", "service").tolist() == ["rest;water;toilet"]


def test_a_box_may_be_typed_in_full_width():
    from planner.gather.region import region_of

    assert region_of("１２０.１，２９.２，１２０.４，２９.４").crs == "EPSG:4549"
