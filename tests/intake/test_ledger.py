from pathlib import Path

import geopandas as gpd
import pytest
import small_study as small

from planner.errors import InputError
from planner.intake import read_inputs
from planner.intake.ledger import match_roads
from planner.study import load_study

# 一路 ABCD, 人民路 EFGH, 三路 IJKL from west to east; 甲路 AEI, 乙路 BFJ, 丙路 CGK, 丁路 DHL from north to south.
ROADS = {"一路": "ABCD", "人民路": "EFGH", "三路": "IJKL", "甲路": "AEI", "乙路": "BFJ", "丙路": "CGK", "丁路": "DHL"}


def name_streets(folder: Path) -> gpd.GeoDataFrame:
    streets = gpd.read_file(folder / "streets.gpkg")
    streets["name"] = [next(n for n, letters in ROADS.items() if set(i) <= set(letters)) for i in streets["id"]]
    (folder / "streets.gpkg").unlink()
    streets.to_file(folder / "streets.gpkg")
    return streets


def with_ledger(folder: Path, rows: list[list[object]], total: str = ""):
    name_streets(folder)
    small.book(folder / "台账.xlsx", [["道路名称", "起点", "终点", "人数", "保洁面积"], *rows])
    toml = (folder / "study.toml").read_text(encoding="utf-8")
    start, end = toml.index('kind = "line"'), toml.index("[[demand]]", toml.index('kind = "line"'))
    ledger = f'kind = "ledger"\ngroup = "sweepers"\nfile = "台账.xlsx"\n{total}\n'
    (folder / "study.toml").write_text(toml[:start] + ledger + toml[end:], encoding="utf-8")
    return read_inputs(load_study(folder))


def test_stretches_are_found_between_their_crossings(small_study: Path):
    streets = name_streets(small_study)
    roads, starts, ends = (
        ["人民路", "人民路(东段)", "人民路", "无名路"],
        ["乙路", "", "外环", ""],
        ["丁路", "", "丁路", ""],
    )
    found = match_roads(roads, starts, ends, streets=streets)
    assert [set(streets["id"].iloc[n]) for n in found] == [{"FG", "GH"}, {"EF", "FG", "GH"}, {"EF", "FG", "GH"}, set()]


def test_workers_lie_on_their_stretch_and_unmatched_rows_are_named(small_study: Path):
    rows = [["人民路", "甲路", "丙路", 6, 100], ["三路", "", "", "9人", 100], ["环城路", "", "", 5, 100]]
    inputs = with_ledger(small_study, rows)
    swept = inputs.demand[inputs.demand["group"] == "sweepers"]
    by_row = swept.groupby("source")
    assert by_row["weight"].sum().to_dict() == pytest.approx({"台账.xlsx#2": 6, "台账.xlsx#3": 9})
    assert by_row["length_m"].sum().to_dict() == pytest.approx({"台账.xlsx#2": 600, "台账.xlsx#3": 900})
    assert swept["id"].is_unique and swept["length_m"].max() <= 100 + 1e-6
    assert inputs.rejects[["file", "row"]].to_numpy().tolist() == [["台账.xlsx", 4]]


def test_a_total_is_spread_by_swept_area(small_study: Path):
    rows = [["人民路", "", "", "", "1万平方米"], ["三路", "", "", "", 30_000]]
    swept = with_ledger(small_study, rows, "total = 40").demand.query("group == 'sweepers'")
    assert swept.groupby("source")["weight"].sum().to_dict() == pytest.approx({"台账.xlsx#2": 10, "台账.xlsx#3": 30})


def test_workers_of_roads_that_are_not_found_are_missing_and_told(small_study: Path):
    rows = [["人民路", "", "", "", 100], ["三路", "", "", "", 200], ["环城路", "", "", "", 100]]
    inputs = with_ledger(small_study, rows, "total = 40")
    swept = inputs.demand.query("group == 'sweepers'")
    assert swept.groupby("source")["weight"].sum().to_dict() == pytest.approx({"台账.xlsx#2": 10, "台账.xlsx#3": 20})
    assert len(inputs.warnings) == 1 and "台账.xlsx" in inputs.warnings[0] and "10.0" in inputs.warnings[0]
    assert inputs.rejects["row"].tolist() == [4]


def test_a_ledger_of_other_roads_is_refused(small_study: Path):
    with pytest.raises(InputError) as caught:
        with_ledger(small_study, [["环城路", "", "", 5, 1], ["外环", "", "", 5, 1]])
    assert caught.value.key == "no_road_matched"
