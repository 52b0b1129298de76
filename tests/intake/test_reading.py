import itertools
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
import small_study as small
from hypothesis import given
from hypothesis import strategies as st

from planner import datum
from planner.errors import InputError
from planner.hours import week_mask
from planner.intake import read_inputs, read_table
from planner.intake.demand import equal_pieces as _equal_pieces
from planner.study import load_study
from planner.words import LANGS


def read(folder: Path):
    return read_inputs(load_study(folder))


def refused(folder: Path, key: str) -> InputError:
    with pytest.raises(InputError) as caught:
        read(folder)
    assert caught.value.key == key
    assert all(caught.value.text(lang) for lang in LANGS)
    return caught.value


def edit_csv(folder: Path, old: str, new: str) -> None:
    file = folder / "candidates.csv"
    text = file.read_text(encoding="utf-8-sig")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8-sig")


def edit_setting(folder: Path, old: str, new: str) -> None:
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


# --- what is right ---------------------------------------------------------------------------------------------------


def test_every_row_of_the_small_study_arrives_with_its_source(small_study: Path):
    inputs = read(small_study)
    assert inputs.sites["id"].tolist() == ["S1", "S2", "C1", "C2"]
    assert inputs.sites["status"].tolist() == ["existing", "existing", "candidate", "candidate"]
    assert inputs.sites["source"].tolist() == ["sites.xlsx#3", "sites.xlsx#4", "candidates.csv#2", "candidates.csv#3"]
    assert inputs.sites["zone"].tolist() == ["W", "W", "O", "O"]
    assert inputs.sites.loc[2, "modes"] == "self_build;joint_build"
    assert inputs.sites.loc[0, "services"] == "rest;water"
    assert inputs.options["capital_cost"].tolist() == [4.0, 2.0, 0.3, 0.5]
    assert inputs.rejects.empty and inputs.warnings == ()
    assert set(inputs.hashes) == set(load_study(small_study).files())


def test_places_land_where_the_drawing_has_them(small_study: Path):
    sites = read(small_study).sites
    for row, letter in enumerate("FJDL"):
        assert sites.geometry[row].distance(shapely.Point(small.node(letter))) < 0.01


def test_line_demand_keeps_its_total_and_is_cut_at_zone_borders_and_at_100_m(small_study: Path):
    demand = read(small_study).demand
    lines = demand[demand["group"] == "sweepers"]
    # 17 streets: 14 of three 100 m pieces, 3 cut in half by the zone border into two of 75 m on either side.
    assert len(lines) == 14 * 3 + 3 * 4
    assert lines["weight"].sum() == pytest.approx(170)
    assert sorted(set(lines["length_m"].round(6))) == [75.0, 100.0]
    assert lines.loc[lines["zone"] == "W", "weight"].sum() == pytest.approx(170 * (7 * 300 + 3 * 150) / 5100)
    midpoints = shapely.line_interpolate_point(lines["line"].to_numpy(), 0.5, normalized=True)
    assert shapely.distance(midpoints, lines.geometry.to_numpy()).max() < 1e-9
    assert demand["id"].is_unique


def test_a_gbk_table_is_read(small_study: Path):
    courier = read(small_study).demand.iloc[-1]
    assert (courier["group"], courier["weight"], courier["zone"], courier["source"]) == (
        "couriers",
        3.0,
        "O",
        "couriers.csv#2",
    )


def test_a_declared_datum_is_undone(small_study: Path):
    straight = read(small_study).sites.geometry
    lon, lat = datum.gcj02_to_bd09(*datum.wgs84_to_gcj02(*np.array([small.lonlat(c) for c in "DL"]).T))
    text = (small_study / "candidates.csv").read_text(encoding="utf-8-sig")
    for n, letter in enumerate("DL"):
        text = text.replace("{},{}".format(*small.lonlat(letter)), f"{lon[n]:.9f},{lat[n]:.9f}")
    (small_study / "candidates.csv").write_text(text, encoding="utf-8")
    edit_setting(small_study, 'file = "candidates.csv"', 'file = "candidates.csv"\ndatum = "BD-09"')
    assert straight.distance(read(small_study).sites.geometry).max() < 0.05


def test_a_row_without_coordinates_is_set_aside_and_named(small_study: Path):
    edit_csv(small_study, "{},{}".format(*small.lonlat("L")), "不详,")
    inputs = read(small_study)
    assert inputs.sites["id"].tolist() == ["S1", "S2", "C1"]
    assert inputs.rejects[["file", "row"]].to_numpy().tolist() == [["candidates.csv", 3]]
    assert "便民超市" in inputs.rejects.loc[0, "values"]


def test_people_outside_the_zones_are_set_aside_not_counted(small_study: Path):
    file = small_study / "couriers.csv"
    far = "P2,远处,5,{},{}\n".format(*small.lonlat("D", east_m=900))
    file.write_bytes(file.read_bytes() + far.encode("gb18030"))
    inputs = read(small_study)
    assert inputs.demand.loc[inputs.demand["group"] == "couriers", "weight"].tolist() == [3.0]
    assert inputs.rejects["row"].tolist() == [3]


def test_unknown_hours_are_told(small_study: Path):
    small.edit_cell(small_study / "sites.xlsx", "F3", None)
    inputs = read(small_study)
    assert inputs.sites.loc[0, "opening_hours"] == ""
    assert len(inputs.warnings) == 1 and "sites.xlsx" in inputs.warnings[0] and "3" in inputs.warnings[0]


# --- what is refused -------------------------------------------------------------------------------------------------


def test_the_same_id_twice(small_study: Path):
    edit_csv(small_study, "C2,", "S1,")
    error = refused(small_study, "id_twice")
    assert (error.values["row"], error.values["first"]) == ("3", "sites.xlsx#3")


def test_sites_outside_the_area(small_study: Path):
    lon, lat = small.lonlat("L")
    edit_csv(small_study, f"{lon},{lat}", f"{lon + 1},{lat}")
    assert refused(small_study, "sites_outside").values["rows"] == "3"


def test_swapped_axes_are_turned_and_named(small_study: Path):
    straight = read(small_study).sites.geometry
    edit_csv(small_study, "经度,纬度", "纬度,经度")
    inputs = read(small_study)
    assert straight.distance(inputs.sites.geometry).max() < 1e-6
    assert len(inputs.warnings) == 1 and "2, 3" in inputs.warnings[0]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("自建;联建", "自建;租赁", "word_unknown"),
        ("24/7", "早九晚五", "cell_hours"),
        ("C1,东门公厕", ",东门公厕", "cell_empty"),
        ("经度,纬度", "甲列,乙列", "column_missing"),
        ("依托单位", "名称", "heading_twice"),
    ],
)
def test_a_bad_cell_names_file_and_place(small_study: Path, old: str, new: str, key: str):
    edit_csv(small_study, old, new)
    error = refused(small_study, key)
    assert error.values["file"] == "candidates.csv"
    if key.startswith(("cell", "word")):
        assert error.values["row"] == 2


@pytest.mark.parametrize(("cell", "value"), [("G2", -1), ("G2", "面议"), ("H3", "nan")])
def test_an_amount_that_is_none(small_study: Path, cell: str, value: object):
    small.edit_cell(small_study / "options.xlsx", cell, value)
    error = refused(small_study, "cell_amount")
    assert f"{error.values['row']}" == cell[1:]


@pytest.mark.parametrize("seats", [-1, "若干", "1e999"])
def test_seats_that_cannot_be_counted(small_study: Path, seats: object):
    small.edit_cell(small_study / "sites.xlsx", "H4", seats)
    assert refused(small_study, "cell_seats").values["row"] == 4


@pytest.mark.parametrize("seats", ["-2", "数把"])
def test_seats_of_an_option_that_cannot_be_counted(small_study: Path, seats: str):
    small.edit_cell(small_study / "options.xlsx", "F2", seats)
    assert refused(small_study, "cell_seats").values["file"] == "options.xlsx"


@pytest.mark.parametrize("seats", [None, "不详"])
def test_unknown_seats_are_told_where_seats_are_asked_for(small_study: Path, seats: str | None):
    small.edit_cell(small_study / "sites.xlsx", "H4", seats)
    assert read(small_study).warnings == ()
    edit_setting(small_study, "[plan]", "[capacity]\n[plan]")
    inputs = read(small_study)
    assert inputs.sites["capacity"].isna().tolist() == [False, True, False, False]
    assert len(inputs.warnings) == 1 and "sites.xlsx" in inputs.warnings[0] and "4" in inputs.warnings[0]


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("weights", [("1e308", "1e308"), ("6e8", "5e8"), ("99999999999", "1")])
def test_more_people_than_there_can_be(small_study: Path, weights: tuple[str, str]):
    rows = [f"P{n},商场,{weight},{{}},{{}}".format(*small.lonlat("C", north_m=10)) for n, weight in enumerate(weights)]
    (small_study / "couriers.csv").write_text("\n".join(["编号,名称,人数,经度,纬度", *rows]), encoding="utf-8")
    assert refused(small_study, "sum_too_large").values["file"] == "couriers.csv"


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_swept_width_that_no_street_has(small_study: Path):
    edit_setting(small_study, "primary = 10.0", "primary = 1e308")
    assert refused(small_study, "sum_too_large").values["file"] == "study.toml"


def test_a_service_word_that_nobody_knows_is_told_with_its_row(small_study: Path):
    small.edit_cell(small_study / "sites.xlsx", "G4", "歇脚;净水器")
    small.edit_cell(small_study / "options.xlsx", "E4", "歇脚;饮水;针线包")
    warnings = read(small_study).warnings
    assert len(warnings) == 2
    assert all(word in warnings[0] for word in ("sites.xlsx", "4", "净水器"))
    assert all(word in warnings[1] for word in ("options.xlsx", "4", "针线包"))
    edit_setting(small_study, "[plan]", 'services = ["rest", "针线包"]\n[plan]')
    assert len(read(small_study).warnings) == 1


@pytest.mark.parametrize(("service", "near"), [("wter", "water"), ("净水器", "water"), ("meal", "meal")])
def test_a_required_service_that_nobody_offers(small_study: Path, service: str, near: str):
    edit_setting(small_study, "[plan]", f'services = ["rest", "{service}"]\n[plan]')
    assert refused(small_study, "service_nowhere").values["near"] == near


def test_options_and_candidates_that_match_nothing_are_told(small_study: Path):
    small.edit_cell(small_study / "options.xlsx", "B4", "杂货铺")
    small.edit_cell(small_study / "options.xlsx", "B5", "邮局")
    warnings = read(small_study).warnings
    assert len(warnings) == 3
    assert all(word in warnings[0] for word in ("options.xlsx", "4", "杂货铺", "候选点"))
    assert all(word in warnings[1] for word in ("options.xlsx", "5", "邮局", "现状站点"))
    assert all(word in warnings[2] for word in ("candidates.csv", "3"))


def test_a_candidate_whose_modes_no_option_has_is_told(small_study: Path):
    edit_csv(small_study, "便民超市,共享", "便民超市,自建")
    warnings = read(small_study).warnings
    assert len(warnings) == 1 and "candidates.csv" in warnings[0] and "3" in warnings[0]


def test_candidates_without_options_are_told(small_study: Path):
    edit_setting(small_study, '[options]\nfile = "options.xlsx"\n', "")
    warnings = read(small_study).warnings
    assert len(warnings) == 1 and "[options]" in warnings[0]


def test_a_row_of_a_named_sheet_is_traced_to_it(small_study: Path):
    edit_setting(small_study, 'file = "sites.xlsx"', 'file = "sites.xlsx"\nsheet = "Sheet"')
    inputs = read(small_study)
    assert inputs.sites["source"].tolist()[1:3] == ["sites.xlsx!Sheet#4", "candidates.csv#2"]
    assert set(inputs.headings["file"]) >= {"sites.xlsx!Sheet", "candidates.csv"}


@pytest.mark.parametrize("weight", ["-3", "许多", "inf"])
def test_people_that_cannot_be_counted(small_study: Path, weight: str):
    file = small_study / "couriers.csv"
    file.write_bytes(file.read_bytes().replace(b",3,", f",{weight},".encode("gb18030")))
    assert refused(small_study, "cell_weight").values["row"] == 2


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.parametrize(
    ("numbers_in", "likely"),
    [("EPSG:4547", "EPSG:4547"), ("EPSG:4326", "EPSG:4326"), ("EPSG:4526", "EPSG:4526"), ("EPSG:3857", "EPSG:…")],
)
def test_a_layer_without_crs(small_study: Path, numbers_in: str, likely: str):
    frame = gpd.read_file(small_study / "streets.gpkg").to_crs(numbers_in)
    (small_study / "streets.gpkg").unlink()
    frame.set_crs(None, allow_override=True).to_file(small_study / "streets.gpkg")
    assert f'crs = "{likely}"' in refused(small_study, "layer_no_crs").text("zh")


def test_an_empty_layer(small_study: Path):
    frame = gpd.read_file(small_study / "zones.gpkg")
    (small_study / "zones.gpkg").unlink()
    frame.iloc[:0].to_file(small_study / "zones.gpkg", geometry_type="Polygon")
    refused(small_study, "layer_empty")


def test_points_where_lines_should_be(small_study: Path):
    frame = gpd.read_file(small_study / "streets.gpkg")
    (small_study / "streets.gpkg").unlink()
    frame.set_geometry(frame.geometry.centroid).to_file(small_study / "streets.gpkg")
    refused(small_study, "layer_not_lines")


def test_a_street_without_a_length_is_told_and_left_out(small_study: Path):
    frame = gpd.read_file(small_study / "streets.gpkg")
    (small_study / "streets.gpkg").unlink()
    start = shapely.get_point(frame.geometry.iloc[0], 0)
    frame.loc[len(frame)] = {**frame.iloc[0], "geometry": shapely.LineString([start, start])}
    frame.to_file(small_study / "streets.gpkg")
    inputs = read(small_study)
    assert len(inputs.streets) == len(frame) - 1
    told = f"streets.gpkg 中有 1 条线没有长度或坐标不是有限的数（第 {len(frame)} 个），未作为街道。"
    assert told in inputs.warnings


@pytest.mark.parametrize("name", ["streets.gpkg", "sites.xlsx", "zones.gpkg"])
def test_a_file_that_is_not_what_its_name_says(small_study: Path, name: str):
    (small_study / name).write_bytes(b"\x00\x01not a table or layer")
    assert (
        refused(small_study, "xlsx_unreadable" if name.endswith("xlsx") else "layer_unreadable").values["file"] == name
    )


def test_a_missing_file(small_study: Path):
    (small_study / "options.xlsx").unlink()
    assert refused(small_study, "file_missing").values["file"] == "options.xlsx"


def test_no_swept_street(small_study: Path):
    edit_setting(small_study, "width_m = { primary = 10.0, residential = 10.0 }", "width_m = { trunk = 10.0 }")
    refused(small_study, "no_swept_streets")


# --- pieces of street and tables -------------------------------------------------------------------------------------


@given(
    turns=st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=8, unique=True),
    pieces=st.integers(1, 7),
)
def test_equal_pieces_are_equal_and_make_up_the_line(turns: list[tuple[int, int]], pieces: int):
    line = shapely.LineString(turns)
    if not line.is_simple:
        return
    parts = _equal_pieces(line, pieces)
    assert len(parts) == pieces
    assert np.allclose(shapely.length(parts), line.length / pieces, atol=1e-6)
    assert all(a.coords[-1] == b.coords[0] for a, b in itertools.pairwise(parts))
    assert parts[0].coords[0] == line.coords[0] and parts[-1].coords[-1] == line.coords[-1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_csv_in_any_chinese_encoding(tmp_path: Path, encoding: str):
    file = tmp_path / "a.csv"
    file.write_bytes('编号,名称,经度\r\nA1,二七路"旧",114.1\r\n\r\nA2,"一,二",114.2\r\n'.encode(encoding))
    table = read_table(file).rows
    assert table.index.tolist() == [2, 4]
    assert table["name"].tolist() == ['二七路"旧"', "一,二"]


def test_titles_above_the_header_do_no_harm(tmp_path: Path):
    small.book(tmp_path / "a.xlsx", [["站点汇总表"], [], ["编号", "名称*", "经 度", "纬度(°)"], [1, "甲", 114.3, 30.5]])
    table = read_table(tmp_path / "a.xlsx").rows
    assert table.columns.tolist() == ["id", "name", "lon", "lat"]
    assert table.index.tolist() == [4] and table.loc[4, "id"] == "1"


@pytest.mark.parametrize(
    ("content", "key"),
    [(b"a,b\n1,2\n", "no_header"), (b"id,name\n", "table_empty"), (b"\xff\xfe\x00", "csv_unreadable")],
)
def test_what_is_no_table(tmp_path: Path, content: bytes, key: str):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "a.csv")
    assert caught.value.key == key


def test_no_such_sheet_lists_those_there_are(tmp_path: Path):
    small.book(tmp_path / "a.xlsx", [["id", "name"], ["1", "x"]])
    with pytest.raises(InputError, match="Sheet"):
        read_table(tmp_path / "a.xlsx", "现状")


def test_rows_in_are_rows_out_and_rejects(small_study: Path):
    rows = len(pd.read_csv(small_study / "candidates.csv")) + 2 + 1
    edit_csv(small_study, "{},{}".format(*small.lonlat("L")), ",")
    inputs = read(small_study)
    couriers = (inputs.demand["group"] == "couriers").sum()
    assert len(inputs.sites) + couriers + len(inputs.rejects) == rows


def test_ground_that_two_zones_claim_counts_once(small_study: Path):
    zones = gpd.read_file(small_study / "zones.gpkg")
    (small_study / "zones.gpkg").unlink()
    zones.loc[1, "geometry"] = zones.geometry[1].union(zones.geometry[0])
    zones.to_file(small_study / "zones.gpkg")
    inputs = read(small_study)
    assert inputs.demand["length_m"].sum() == pytest.approx(5100)
    assert inputs.demand.loc[inputs.demand["zone"] == "W", "length_m"].sum() == pytest.approx(2550)
    assert len(inputs.warnings) == 1 and "zones.gpkg" in inputs.warnings[0]


def set_zones(folder: Path, shapes: dict[str, shapely.Geometry]) -> None:
    (folder / "zones.gpkg").unlink()
    frame = gpd.GeoDataFrame({"id": list(shapes), "name": list(shapes)}, geometry=list(shapes.values()), crs=small.CRS)
    frame.to_file(folder / "zones.gpkg")


def test_a_street_along_a_border_counts_once(small_study: Path):
    (border, north), (east, south) = small.node("B"), small.node("L")
    # The border runs along B–F–J; the eastern zone bulges to the west between F and J.
    bulge = shapely.box(border - 50, south + 100, border, south + 200)
    west = shapely.box(border - 400, south - 100, border, north + 100).difference(bulge)
    set_zones(small_study, {"W": west, "O": shapely.box(border, south - 100, east, north + 100).union(bulge)})
    demand = read(small_study).demand.query("group == 'sweepers'")
    assert demand["length_m"].sum() == pytest.approx(5100)
    assert shapely.union_all(demand["line"].to_numpy()).length == pytest.approx(5100)
    along = demand[[{x for x, _ in line.coords} == {border} for line in demand["line"]]]
    assert along.groupby("zone")["length_m"].sum().to_dict() == pytest.approx({"W": 500, "O": 100})


def test_without_zones_people_beside_the_streets_count(small_study: Path):
    edit_setting(small_study, '[zones]\nfile = "zones.gpkg"\n', "")
    near, far = small.lonlat("D", east_m=300), small.lonlat("D", east_m=500)
    rows = "编号,名称,人数,经度,纬度\nP1,近,3,{},{}\nP2,远,4,{},{}\n".format(*near, *far)
    (small_study / "couriers.csv").write_text(rows, encoding="utf-8")
    inputs = read(small_study)
    assert inputs.demand.loc[inputs.demand["group"] == "couriers", "weight"].tolist() == [3.0]
    assert inputs.rejects["row"].tolist() == [3]


def test_one_straight_street_is_area_enough(small_study: Path):
    edit_setting(small_study, '[zones]\nfile = "zones.gpkg"\n', "")
    streets = gpd.read_file(small_study / "streets.gpkg")
    (small_study / "streets.gpkg").unlink()
    streets[streets["highway"] == "primary"].to_file(small_study / "streets.gpkg")
    demand = read(small_study).demand
    assert demand.groupby("group")["weight"].sum().to_dict() == pytest.approx({"sweepers": 170, "couriers": 3})


@pytest.mark.parametrize(("season", "half_hours", "month"), [("summer", 140, "夏季"), ("", 28, "三月")])
def test_hours_that_change_with_the_season_are_those_of_the_season_planned(tmp_path, season, half_hours, month):
    folder = small.write(tmp_path / "study")
    book = openpyxl.load_workbook(folder / "sites.xlsx")
    sheet = book.active
    cell = next(cell for row in sheet.iter_rows() for cell in row if cell.value == "Mo-Fr 09:00-17:00")
    cell.value = "夏季 5:00-15:00；冬季 8:00-10:00"
    book.save(folder / "sites.xlsx")
    text = (folder / "study.toml").read_text(encoding="utf-8")
    if season:
        text = text.replace('hours = "Mo-Su 05:00-11:00"', 'hours = "Mo-Su 05:00-11:00", season = "summer"')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    inputs = read_inputs(load_study(folder))
    assert week_mask(inputs.sites["opening_hours"].iloc[0]).sum() == half_hours
    assert any("随季节变化" in warning and month in warning for warning in inputs.warnings)


def test_hours_on_a_clock_of_12_are_told_with_row_and_column(small_study: Path):
    small.edit_cell(small_study / "sites.xlsx", "F4", "9:00-5:00")
    small.edit_cell(small_study / "options.xlsx", "D2", "18:00-06:00")
    edit_setting(small_study, 'hours = "Mo-Fr 09:00-17:00"', 'hours = "Mo-Fr 09:00-05:00"')
    inputs = read(small_study)
    told = [w for w, topic in zip(inputs.warnings, inputs.topics, strict=True) if topic.endswith("_turned")]
    assert len(told) == 2
    assert "快递员" in told[1] and "白班" in told[1] and "09:00-05:00" in told[1]
    assert "sites.xlsx 第 4 行「开放时间」" in told[0] and "9:00-5:00" in told[0]
    # The reading is kept: twenty hours a day.
    assert week_mask(inputs.sites.set_index("id").loc["S2", "opening_hours"]).sum() == 7 * 40


def test_what_may_be_typed_is_listed_in_the_language_of_the_sentence(small_study: Path):
    small.edit_cell(small_study / "sites.xlsx", "E3", "随便")
    error = refused(small_study, "word_unknown")
    assert "自建、联建" in error.text("zh") and "自建" not in error.text("en")
    assert "self-built, jointly" in error.text("en")
