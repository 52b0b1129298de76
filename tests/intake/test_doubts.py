"""What looks wrong without being so for certain: it is said, with file and row, and nothing else happens."""

import re
import time
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import small_study as small

from planner.errors import InputError
from planner.intake import Inputs, read_inputs, read_table
from planner.intake.places import _alike_groups
from planner.study import load_study


def read(folder: Path) -> Inputs:
    return read_inputs(load_study(folder))


def warned(inputs: Inputs, *words: str) -> bool:
    return sum(all(word in warning for word in words) for warning in inputs.warnings) == 1


def couriers(folder: Path, weights: list[object], more: str = "", heads: str = "编号,名称,人数,经度,纬度") -> Inputs:
    """Return the inputs of the small study with other couriers, all along the street from A to D, and lines below them."""
    rows = []
    for n, weight in enumerate(weights):
        lon, lat = small.lonlat("A", east_m=900.0 * n / max(1, len(weights) - 1))
        rows.append(f"P{n},商场{n},{weight},{lon},{lat}")
    (folder / "couriers.csv").write_text("\n".join([heads, *rows, more]), encoding="utf-8")
    return read(folder)


# --- people ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("below", "told"),
    [("合计,,2000,,", True), ("合计,,9,,", False), ("小计,,4,,\n小计,,5,,\n总计,,9,,", False), ("小计,,4,,\n小计,,5,,", False),
     ("合计,,,,", False), ("Total,,2000,,", True)],
)  # fmt: skip
def test_a_total_that_the_rows_do_not_add_up_to(small_study: Path, below: str, told: bool):
    inputs = couriers(small_study, [4, 5], below)
    assert len(inputs.warnings) == told and (not told or warned(inputs, "couriers.csv", "4", "2,000", "9"))
    assert len(inputs.rejects) == below.count("\n") + 1


def test_people_outside_the_area_are_summed_up(small_study: Path):
    inputs = couriers(small_study, [2, 2], "P9,别处,6,{},{}".format(*small.lonlat("D", east_m=5_000)))
    assert warned(inputs, "couriers.csv", "6 ", "60%") and inputs.rejects["row"].tolist() == [4]


def test_a_total_of_the_whole_city_on_the_streets_of_its_core(small_study: Path):
    toml = (small_study / "study.toml").read_text(encoding="utf-8")
    for total, told in ((170, ""), (2_000, "26"), (0.5, "")):
        (small_study / "study.toml").write_text(toml.replace("total = 170", f"total = {total}"), encoding="utf-8")
        inputs = read(small_study)
        assert len(inputs.warnings) == bool(told) and (not told or warned(inputs, "51,000", told))


def test_rows_without_people(small_study: Path):
    assert warned(couriers(small_study, [0, 3, 0]), "couriers.csv", "2, 4")


def test_numbers_in_another_unit(small_study: Path):
    assert warned(couriers(small_study, [5] * 6 + [3] * 5 + [600]), "13", "600", "120")


def test_the_same_number_everywhere(small_study: Path):
    assert warned(couriers(small_study, [50] * 12), "100%", "50")
    assert couriers(small_study, [1] * 12).warnings == (), "a person each is a list of persons"


# --- places ----------------------------------------------------------------------------------------------------------


def candidates(folder: Path, *rows: str) -> Inputs:
    file = folder / "candidates.csv"
    file.write_text(file.read_text(encoding="utf-8-sig") + "\n".join(rows) + "\n", encoding="utf-8-sig")
    return read(folder)


def candidate(identifier: str, name: str, letter: str, east_m: float) -> str:
    return "{},{},超市,,共享,24/7,歇脚,2,,{},{}".format(identifier, name, *small.lonlat(letter, east_m=east_m))


def test_one_name_at_two_places_nearby(small_study: Path):
    assert warned(
        candidates(small_study, candidate("C3", "便民超市东门店", "A", 0), candidate("C4", "便民超市东门店", "A", 200)),
        "#4",
        "#5",
        "200 m",
    )


def test_branches_of_a_chain_are_no_doubles(small_study: Path):
    rows = [candidate("C3", "便民超市(东门店)", "A", 0), candidate("C4", "便民超市(西门店)", "A", 200)]
    rows += [candidate(f"D{n}", "爱心超市", "E", 100.0 * n) for n in range(3)]
    assert candidates(small_study, *rows).warnings == ()


def test_a_candidate_where_a_site_stands(small_study: Path):
    assert warned(
        candidates(small_study, candidate("C3", "人民路休息点", "F", 10)), "candidates.csv#4", "sites.xlsx#3", "10 m"
    )


# --- words -----------------------------------------------------------------------------------------------------------


def test_kinds_and_services_have_many_words(small_study: Path):
    file = small_study / "candidates.csv"
    text = file.read_text(encoding="utf-8-sig").replace("公共厕所", "公厕").replace(",如厕,", ",卫生间；休息,")
    file.write_text(text, encoding="utf-8-sig")
    small.edit_cell(small_study / "sites.xlsx", "G3", "座椅、饮水机")
    inputs = read(small_study)
    assert inputs.warnings == () and inputs.sites["kind"].tolist() == ["bank", "bank", "toilet", "supermarket"]
    assert inputs.sites["services"].tolist()[::2] == ["rest;water", "toilet;rest"]


def test_settings_understand_the_words_of_the_tables(small_study: Path):
    toml = (small_study / "study.toml").read_text(encoding="utf-8")
    more = '[capacity.acceptance.couriers]\n"银行网点" = 0.5\n[standard]\nservices = ["休息", "饮用水"]\n'
    rule = '[[plan.limits]]\nkind = ["公厕"]\nat_most = 3\n[map]'
    (small_study / "study.toml").write_text(toml.replace("[standard]\n", more).replace("[map]", rule), encoding="utf-8")
    study = load_study(small_study)
    assert study.capacity.acceptance == {"couriers": {"bank": 0.5}} and study.standard.services == ("rest", "water")
    assert study.plan.limits[0].kind == ("toilet",)


# --- age -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "told"), [("站点汇总表(2019年)", True), ("截至2019-06", True), ("2024年", False), ("东街2019号", False)]
)
def test_a_title_that_speaks_of_long_ago(small_study: Path, title: str, told: bool):
    small.edit_cell(small_study / "sites.xlsx", "A1", title)
    inputs = read(small_study)
    assert len(inputs.warnings) == told and (not told or warned(inputs, "sites.xlsx", "2019", "2027"))


def test_rows_of_long_ago(small_study: Path):
    heads = "编号,名称,人数,经度,纬度,更新时间"
    lon, lat = small.lonlat("C")
    rows = [
        f"P{n},商场{n},{n + 1},{lon},{lat},{when}"
        for n, when in enumerate(["2018-05-01", "2026/1/3", "不详", "2020年"])
    ]
    (small_study / "couriers.csv").write_text("\n".join([heads, *rows]), encoding="utf-8")
    assert warned(read(small_study), "couriers.csv", "2, 5", "2020")


# --- sheets ----------------------------------------------------------------------------------------------------------


def book(path: Path, **sheets: list[list[object]]) -> Path:
    import openpyxl

    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    workbook.save(path)
    return path


HEAD, ROW = ["编号", "名称", "经度", "纬度"], ["A1", "甲站", 120.1, 30.9]


def test_a_cover_on_top_is_passed_over_and_other_tables_are_named(tmp_path: Path):
    file = book(
        tmp_path / "a.xlsx",
        封面=[["驿站台账"], ["某某区总工会"]],
        城区=[HEAD, ROW],
        乡镇=[HEAD, ROW, ROW],
        说明=[["编号", "怎么填"]],
    )
    table = read_table(file)
    assert (table.sheet, len(table.rows), dict(table.unread)) == ("城区", 1, {"乡镇": 2})
    assert read_table(file, "乡镇").unread == {} and len(read_table(file, "乡镇").rows) == 2


def test_sheets_that_nobody_read_are_told(small_study: Path):
    import openpyxl

    file = small_study / "sites.xlsx"
    workbook = openpyxl.load_workbook(file)
    for row in workbook.active.iter_rows(min_row=2, values_only=True):
        (workbook["乡镇"] if "乡镇" in workbook else workbook.create_sheet("乡镇")).append(row)
    workbook.save(file)
    assert warned(read(small_study), "sites.xlsx", "乡镇", "2")


def test_a_row_of_units_is_no_place_and_its_units_hold(small_study: Path):
    heads = "编号,名称,人数,经度,纬度\n,,（万人）,°,°"
    inputs = couriers(small_study, ["0.0003", 0.0004], heads=heads)
    assert inputs.demand.query("group == 'couriers'")["weight"].tolist() == pytest.approx([3, 4])
    assert inputs.rejects["row"].tolist() == [2] and "单位" in inputs.rejects["reason"][0]


# --- what would otherwise go unread without a word -------------------------------------------------------------------


def test_cells_right_of_the_last_heading_are_told(small_study: Path):
    file = small_study / "candidates.csv"
    row = candidate("C3", "甲,乙店", "A", 0)
    file.write_text(file.read_text(encoding="utf-8-sig") + row + "\n\n,,,,,,,,,,,,多出来的\n", encoding="utf-8-sig")
    inputs = read(small_study)
    assert warned(inputs, "candidates.csv", "4, 6", "纬度") and "cells_beyond" in inputs.topics
    assert inputs.rejects["row"].tolist() == [4], "the comma within a name has moved its coordinates"


def formulas(file: Path, cells: dict[str, str], sheet: str | None = None) -> None:
    """Put formulas into a workbook, as somebody does whose program doesn't compute them."""
    import openpyxl

    workbook = openpyxl.load_workbook(file)
    for cell, formula in cells.items():
        (workbook[sheet] if sheet else workbook.active)[cell] = formula
    workbook.save(file)


def test_formulas_without_values_are_told_column_by_column(small_study: Path):
    formulas(small_study / "sites.xlsx", {"F3": '="24/"&7', "I3": "=A1", "I4": "=A1"})
    inputs = read(small_study)
    told = [w for w, topic in zip(inputs.warnings, inputs.topics, strict=True) if topic == "formula_unsaved"]
    assert len(told) == 2 and "第 3 行「开放时间」" in told[0] and "第 3, 4 行「地址」" in told[1]


def test_a_formula_for_a_coordinate_sets_its_row_aside_and_for_an_amount_stops(small_study: Path):
    formulas(small_study / "sites.xlsx", {"J4": "=K4"})
    rejects = read(small_study).rejects
    assert rejects["row"].tolist() == [4] and "公式" in rejects["reason"][0] and "Excel" in rejects["repair"][0]
    formulas(small_study / "options.xlsx", {"G3": "=4*0.5"})
    with pytest.raises(InputError) as caught:
        read(small_study)
    assert (caught.value.key, caught.value.values["row"]) == ("cell_formula", 3)


def test_formulas_of_another_sheet_or_with_values_are_no_doubt(tmp_path: Path):
    import openpyxl

    file = book(tmp_path / "a.xlsx", 城区=[HEAD, ROW], 说明=[["x"]])
    formulas(file, {"B2": "=1+1"}, "说明")
    assert read_table(file).unsaved == {}
    formulas(file, {"B2": "=1+1"}, "城区")
    assert read_table(file).unsaved == {"name": (2,)}
    # Saved by Excel: a value, or the empty text that a formula gave.
    for saved in (b'<c r="B2"><f>1+1</f><v>2</v></c>', b'<c r="B2" t="str"><f>1+1</f><v></v></c>'):
        with zipfile.ZipFile(file) as old:
            parts = {name: old.read(name) for name in old.namelist()}
        parts = {n: re.sub(rb'<c r="B2"[^>]*><f>1\+1</f><v ?/?>(</v>)?</c>', saved, part) for n, part in parts.items()}
        with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
            for name, part in parts.items():
                new.writestr(name, part)
        assert read_table(tmp_path / "b.xlsx").unsaved == {}
        assert openpyxl.load_workbook(tmp_path / "b.xlsx")["城区"]["B2"].value == "=1+1"


# --- many rows of one place ------------------------------------------------------------------------------------------


def crowd(folder: Path, names: list[str], *, apart_m: float = 0.0) -> Inputs:
    return candidates(folder, *(candidate(f"X{n}", name, "A", apart_m * n) for n, name in enumerate(names)))


def test_many_rows_of_one_name_on_one_spot_are_told_once(small_study: Path):
    inputs = crowd(small_study, ["东门便民驿站"] * 300 + ["东门便民驿站点"])
    assert inputs.topics.count("duplicates") == 1 and inputs.topics.count("duplicate") == 0
    assert warned(inputs, "疑似重复", "301 ", "candidates.csv#4", "candidates.csv#5", "candidates.csv#6")


def test_a_row_that_is_one_place_with_two_others_makes_one_group(small_study: Path):
    inputs = crowd(
        small_study, ["东门便民驿站", "东门便民驿站", "南门公厕", "东门便民驿站点", "东门便民驿站"], apart_m=11
    )
    assert warned(inputs, "疑似重复", "4 ", "#4", "#5", "#7", "#8"), "the last is near the third and not near the first"
    file = small_study / "candidates.csv"
    file.write_text(file.read_text("utf-8-sig").replace("东门便民驿站", "人民路休息点"), "utf-8-sig")
    small.edit_cell(small_study / "sites.xlsx", "J3", small.lonlat("A")[0])
    small.edit_cell(small_study / "sites.xlsx", "K3", small.lonlat("A")[1])
    assert warned(read(small_study), "候选点", "4 行", "sites.xlsx#3")


def test_twenty_thousand_names_on_one_spot_are_no_matter_of_minutes():
    count = 20_000
    for names in (
        [f"驿站{n}" for n in range(count)],
        ["".join("甲乙丙丁戊己庚辛壬癸"[int(d)] for d in f"{n:06d}") for n in range(count)],
        ["东门便民驿站"] * count,
    ):
        sites = pd.DataFrame({"name": names, "status": "candidate", "source": [f"a.csv#{n}" for n in range(count)]})
        points = shapely.points(np.random.default_rng(1).uniform(0, 15, (count, 2)))
        began = time.process_time()
        groups = _alike_groups(gpd.GeoDataFrame(sites, geometry=points, crs=small.CRS))
        assert time.process_time() - began < 15
        assert [len(group) for group in groups] == ([count] if len(set(names)) == 1 else [])
