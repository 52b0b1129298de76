import itertools
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely
import small_study as small
from osm_server import EXTRACT

from planner.errors import InputError
from planner.intake import read_inputs
from planner.intake.ledger import NamedRoads, ends_of
from planner.osm import read_streets
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


def stretch(streets: gpd.GeoDataFrame, road: str, start: str = "", end: str = "") -> tuple[set[str], float, bool]:
    found = NamedRoads(streets).stretch(road, start, end)
    return set(streets["id"].iloc[found.streets]), sum(line.length for line in found.lines), found.whole


def test_stretches_are_found_between_their_crossings(small_study: Path):
    streets = name_streets(small_study)
    assert stretch(streets, "人民路", "乙路", "丁路") == ({"FG", "GH"}, 600, False)
    assert stretch(streets, "人民路", "丁路", "乙路") == ({"FG", "GH"}, 600, False)
    assert stretch(streets, "人民路(东段)") == ({"EF", "FG", "GH"}, 900, False)
    assert stretch(streets, "无名路") == (set(), 0, False)


@pytest.mark.parametrize(("start", "end"), [("外环", "丁路"), ("", "丁路"), ("乙路", ""), ("乙路", "一路")])
def test_where_an_end_is_not_found_the_whole_road_is_taken_and_told(small_study: Path, start: str, end: str):
    assert stretch(name_streets(small_study), "人民路", start, end) == ({"EF", "FG", "GH"}, 900, True)


def lines(**drawn: list[tuple[float, float]]) -> gpd.GeoDataFrame:
    names, shapes = zip(
        *((name.rstrip("0123456789"), shapely.LineString(xy)) for name, xy in drawn.items()), strict=True
    )
    return gpd.GeoDataFrame({"id": list(drawn), "name": names}, geometry=list(shapes), crs=small.CRS)


def test_a_road_drawn_in_one_line_is_cut_at_its_crossings():
    streets = lines(a=[(0, 0), (1000, 0)], b=[(200, -90), (200, 90)], c=[(700, -90), (700, 90)])
    assert stretch(streets, "a", "b", "c") == ({"a"}, 500, False)


def test_a_bend_is_no_way_out():
    half = [(500 - 500 * np.cos(t), 500 * np.sin(t)) for t in np.linspace(0, np.pi, 41)]
    streets = lines(
        a=half[:21], a1=half[20:], b=[(0, 0), (-90, 0)], c=[(1000, 0), (1090, 0)], a2=[(1000, 0), (1000, -300)]
    )
    ids, length_m, whole = stretch(streets, "a", "b", "c")
    assert ids == {"a", "a1"} and length_m == pytest.approx(500 * np.pi, rel=0.01) and not whole


def test_both_carriageways_belong_to_a_road_and_what_lies_beyond_the_end_does_not():
    streets = lines(a=[(0, 0), (300, 0)], a1=[(300, 0), (360, 0)], a2=[(0, 15), (300, 15)], a3=[(300, 15), (360, 15)],
                    b=[(0, -90), (0, 0)], b1=[(0, 0), (0, 15)], b2=[(0, 15), (0, 90)],
                    c=[(300, -90), (300, 0)], c1=[(300, 0), (300, 15)], c2=[(300, 15), (300, 90)])  # fmt: skip
    assert stretch(streets, "a", "b", "c") == ({"a", "a2"}, 600, False)


def test_roads_that_end_short_of_each_other_still_meet_within_a_crossing():
    streets = lines(a=[(0, 0), (1000, 0)], b=[(200, 30), (200, 90)], c=[(700, 20), (700, 90)])
    assert stretch(streets, "a", "b", "c")[1:] == (500, False)
    assert stretch(lines(a=[(0, 0), (1000, 0)], b=[(200, 60), (200, 90)], c=[(700, 0), (700, 9)]), "a", "b", "c")[2]


def test_a_road_drawn_with_gaps_is_bridged():
    streets = lines(a=[(0, 0), (300, 0)], a1=[(320, 0), (600, 0)], b=[(0, 0), (0, 90)], c=[(600, 0), (600, 90)])
    assert stretch(streets, "a", "b", "c") == ({"a", "a1"}, 580, False)


@pytest.mark.parametrize(
    "row",
    [("人民路", "解放路", "建设路", ""), ("人民路", "", "", "解放路至建设路"), ("人民路(解放路-建设路)", "", "", ""),
     ("人民路", "", "", "解放路—建设路"), ("人民路", "", "", "解放路 ~ 建设路"), ("人民路（解放路—建设路）", "", "", ""),
     ("人民路", "", "", "解放路→建设路")],
)  # fmt: skip
def test_ends_may_stand_in_one_cell_or_behind_the_road(row: tuple[str, str, str, str]):
    road, start, end, _ = ends_of(*([cell] for cell in row))[0]
    assert (road.replace("（", "(").partition("(")[0], start, end) == ("人民路", "解放路", "建设路")


@pytest.mark.parametrize(
    ("span", "ends"), [("全线", ("", "")), ("Rue Saint-Roman to Quai Kennedy", ("Rue Saint-Roman", "Quai Kennedy"))]
)
def test_what_is_no_stretch_is_none(span: str, ends: tuple[str, str]):
    assert ends_of(["a"], [""], [""], [span])[0][1:3] == ends
    assert ends_of([""], [""], [""], ["人民路"])[0] == ("人民路", "", "", False)


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


def test_stretches_of_a_real_town_are_as_long_as_the_shortest_way_along_the_road():
    streets = read_streets(EXTRACT).to_crs("EPSG:32633")
    named = NamedRoads(streets)
    roads = {name: road for name, road in streets.groupby("name") if name}
    tips = {name: {at for line in road.geometry for at in _tips(line)} for name, road in roads.items()}
    tried = 0
    for name, road in roads.items():
        along = nx.Graph()
        for line in road.geometry:
            along.add_edge(*_tips(line), metres=line.length)
        crossing = [other for other in roads if other != name and tips[other] & tips[name]]
        for start, end in list(itertools.combinations(crossing, 2))[:6]:
            pairs = itertools.product(tips[start] & tips[name], tips[end] & tips[name])
            metres = [
                nx.shortest_path_length(along, *pair, weight="metres") for pair in pairs if nx.has_path(along, *pair)
            ]
            if not metres or min(metres) < 100:
                continue
            found = named.stretch(name, start, end)
            length_m = sum(line.length for line in found.lines)
            assert not found.whole and 0.99 * min(metres) <= length_m <= 1.1 * min(metres) + 200, (name, start, end)
            tried += 1
    assert tried > 100


def _tips(line: shapely.LineString) -> tuple[tuple[float, float], tuple[float, float]]:
    (x, y), (u, v) = line.coords[0], line.coords[-1]
    return (round(x, 2), round(y, 2)), (round(u, 2), round(v, 2))


def test_rows_say_what_was_wrong_with_their_road(small_study: Path):
    rows = [
        ["人民路", "甲路", "丙路", 6, 1],
        ["人民大道", "", "", 5, 1],
        ["环城北道", "", "", 4, 1],
        ["三路", "外环", "甲路", 3, 1],
    ]
    inputs = with_ledger(small_study, rows)
    assert inputs.rejects["row"].tolist() == [3, 4] and "人民路" in inputs.rejects["reason"][0]
    ends, unplaced = inputs.warnings
    assert "5" in ends and "台账.xlsx" in ends and "9.0" in unplaced


@pytest.mark.parametrize(
    ("span", "unsplit"),
    [("乙路/丁路附近", True),
     ("乙路", True), ("甲路至乙路至丁路", True), ("全线", False), ("", False), ("乙路至丁路", False), ("-", False)],
)  # fmt: skip
def test_a_span_that_names_no_two_ends_is_told(small_study: Path, span: str, unsplit: bool):
    name_streets(small_study)
    rows = [["道路名称", "起止点", "人数"], ["人民路", span, 3], ["三路", "甲路至乙路", 3]]
    small.book(small_study / "台账.xlsx", rows)
    toml = (small_study / "study.toml").read_text(encoding="utf-8")
    start, end = toml.index('kind = "line"'), toml.index("[[demand]]", toml.index('kind = "line"'))
    ledger = 'kind = "ledger"\ngroup = "sweepers"\nfile = "台账.xlsx"\n'
    (small_study / "study.toml").write_text(toml[:start] + ledger + toml[end:], encoding="utf-8")
    inputs = read_inputs(load_study(small_study))
    told = [w for w, topic in zip(inputs.warnings, inputs.topics, strict=True) if topic == "road_unsplit"]
    assert len(told) == unsplit and all("第 2 行" in w and span in w for w in told)
    of_road = inputs.demand[inputs.demand["source"] == "台账.xlsx#2"]
    assert of_road["length_m"].sum() == pytest.approx(600 if span == "乙路至丁路" else 900)


@pytest.mark.parametrize(
    "span", ["自乙路起至丁路止", "乙路口至丁路口", "西起乙路,东至丁路", "西至乙路、东至丁路", "从乙路到丁路"]
)
def test_ends_are_found_within_the_words_around_them(small_study: Path, span: str):
    road, start, end, unsplit = ends_of(["人民路"], [""], [""], [span])[0]
    assert stretch(name_streets(small_study), road, start, end) == ({"FG", "GH"}, 600, False) and not unsplit


def test_a_road_that_begins_like_such_a_word_keeps_its_name():
    streets = lines(
        a=[(0, 0), (1000, 0)], 自强路=[(200, -90), (200, 90)], 强路=[(400, -90), (400, 90)], c=[(700, -90), (700, 90)]
    )
    assert stretch(streets, "a", "自强路", "c")[1] == 500
