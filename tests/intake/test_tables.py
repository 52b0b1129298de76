"""Tables as people type them: sheets, rows and cells. The corpus has more of them."""

import math
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import small_study as small
from corpus import CLOSE, HEAD, OPEN, ROWS, SHEET, TYPED, csv_text, sheet, xlsx_with
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InputError
from planner.intake import grid
from planner.intake.cells import METRES, PEOPLE, angle, money, number, pair
from planner.intake.grid import Grid, _kind_of_line
from planner.intake.headings import bare, field_of
from planner.intake.places import _core
from planner.intake.table import read_table, table_of


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


@pytest.mark.parametrize("text", ["120°75′", "东一二〇", "120.5.5", "120,5", "°", "120.1 30.9", "120°6.5'30\""])
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


UTF8, GBK = "utf-8", "gb18030"


@pytest.mark.parametrize(
    ("kinds", "row"),
    [((UTF8, UTF8, UTF8, GBK), 4), ((GBK, GBK, UTF8, GBK), 3), ((UTF8, GBK, GBK, GBK), 1), ((UTF8, GBK), 2), ((GBK, UTF8), 2),
     ((GBK,) * 4, 0), ((UTF8,) * 4, 0)],
)  # fmt: skip
def test_two_encodings_in_one_file_are_refused_with_the_row(tmp_path: Path, kinds: tuple[str, ...], row: int):
    lines = ["名称,经度,纬度\n", *(f"{'甲乙丙丁'[n]}站,120.{n},30.1\n" for n in range(len(kinds) - 1))]
    (tmp_path / "a.csv").write_bytes(b"".join(line.encode(kind) for line, kind in zip(lines, kinds, strict=True)))
    if not row:
        assert read_table(tmp_path / "a.csv").rows["name"].tolist() == ["甲站", "乙站", "丙站"]
        return
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "a.csv")
    assert (caught.value.key, caught.value.values["row"]) == ("csv_mixed", row)


def test_no_line_of_common_characters_is_taken_for_utf_8():
    # 联通 is UTF-8 by chance; so are one in thousands of short lines.
    common = [bytes([high, low]).decode("gb2312") for high in range(0xB0, 0xD7) for low in range(0xA1, 0xFF)]
    draw = random.Random(1)
    lines = ["联通", *("".join(draw.choices(common, k=draw.randint(2, 6))) for _ in range(20_000))]
    assert {_kind_of_line(line.encode("gb18030")) for line in lines} <= {"", "gb18030"}


@pytest.mark.parametrize("sign", ["(", "纬度", "lat1", "a(", "1 ", "°", "http:1"])
@pytest.mark.parametrize("read", [pair, angle, bare, field_of, _core])
def test_a_cell_of_30_kb_is_no_matter_of_seconds(read: Callable[[str], object], sign: str):
    cell, began = (sign * 30_000)[:30_000], time.process_time()
    read(cell)
    assert time.process_time() - began < 0.3


def test_a_number_beyond_all_numbers_is_no_coordinate():
    assert math.isnan(angle("1e400")) and math.isnan(pair("1e400,30.5")[0])
