"""Rows in = rows out + rejects, always: each row is used, or set aside with its number, or the file is refused."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
import small_study as small
from corpus import csv_text
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from planner.errors import InputError
from planner.evidence import Ground
from planner.intake.demand import read_demand
from planner.intake.layers import read_streets, read_zones
from planner.intake.notes import Notes
from planner.intake.places import read_options, read_sites
from planner.study import Demand, Study, load_study

FEW = settings(max_examples=40)


class World:
    """The small study with named streets, read once; tables come and go in its folder."""

    def __init__(self, folder: Path) -> None:
        small.write(folder)
        streets = gpd.read_file(folder / "streets.gpkg")
        streets["name"] = ["人民路" if set(i) <= set("EFGH") else f"{min(i)}路" for i in streets["id"]]
        (folder / "streets.gpkg").unlink()
        streets.to_file(folder / "streets.gpkg")
        self.folder, self.study, notes = folder, load_study(folder), Notes("zh")
        self.zones = read_zones(self.study, notes)
        self.ground = Ground(read_streets(self.study, self.study.streets, self.zones, notes))
        self.area = self.zones.union_all()

    def with_demand(self, **demand: Any) -> Study:
        return self.study.model_copy(update={"demand": (TypeAdapter(Demand).validate_python(demand),)})


@cache
def _world(folder: str) -> World:
    return World(Path(folder))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return _world(str(tmp_path_factory.mktemp("lost") / "study"))


def degrees(letter: str, east_m: float = 0.0) -> tuple[str, str]:
    x, y = small.lonlat(letter, east_m=east_m)
    return str(x), str(y)


GOOD = [degrees(letter, east_m) for letter in "ABCDEFGHIJKL" for east_m in (0.0, 12.0)]
ODD = [
    ("", ""), ("不详", "不详"), ("0", "0"), ("114.29", ""), ("30.58", "114.29"), ("13.26", "53.55"), ("999", "99"), ("525100", "3384500"),
    ("13800138000", "30.58"), ("1e308", "1"), ("120°75′", "30"), ("-114", "-30"), ("#N/A", "#N/A"), degrees("D", 900.0),
]  # fmt: skip
places = st.one_of(st.sampled_from(GOOD), st.sampled_from(GOOD), st.sampled_from(ODD))
names = st.sampled_from(["甲站", "乙站", "合计", "小计:", "", " ", "名称", "=1+1", "<b>", "注:略", "甲站"])
people = st.sampled_from(["3", "12", "0", "1.2万", "5人", "3"])


def lines_of(rows: list[list[str]]) -> set[int]:
    """Return the numbers of the rows that are not blank, in a csv whose first row is the header."""
    return {n for n, row in enumerate(rows, 2) if "".join(row).strip()}


def accounted(notes: Notes, sources: "set[str]", rows: list[list[str]], file: str) -> None:
    """Assert that each row is used or set aside, and none is both."""
    used = {int(source.rpartition("#")[2]) for source in sources}
    aside = [row for of, row, *_ in notes.rejects if of == file]
    assert len(aside) == len(set(aside)) and not used & set(aside)
    assert used | set(aside) == lines_of(rows)
    assert all(reason and repair for _, _, reason, repair, *_ in notes.rejects)


def written(world: World, heads: list[str], rows: list[list[str]], file: str = "t.csv") -> None:
    (world.folder / file).write_text(csv_text([heads, *rows]), encoding="utf-8")


def attempt(read: Callable[[], Any], file: str) -> Any:
    """Return what is read, or None where the file is refused in a sentence that names it."""
    try:
        return read()
    except InputError as error:
        assert file in error.text("zh") and file in error.text("en")
        return None


SITE_HEADS = ["编号", "名称", "开放时间", "经度", "纬度"]


@FEW
@given(st.lists(st.tuples(names, st.sampled_from(["24/7", "", "9:00-17:00"]), places), min_size=1, max_size=14))
def test_sites(world: World, drawn: list[tuple[str, str, tuple[str, str]]]):
    rows = [[f"S{n}", name, hours, *place] for n, (name, hours, place) in enumerate(drawn)]
    written(world, SITE_HEADS, rows)
    notes, table = Notes("zh"), world.study.sites.model_copy(update={"file": "t.csv"})
    sites = attempt(lambda: read_sites(world.study, table, "existing", world.ground, world.zones, notes), "t.csv")
    if sites is not None:
        accounted(notes, set(sites["source"]), rows, "t.csv")
        assert sites.geometry.is_valid.all() and not sites.geometry.is_empty.any()


@FEW
@given(st.lists(st.tuples(names, places), min_size=1, max_size=12))
def test_points_of_a_layer(world: World, drawn: list[tuple[str, tuple[str, str]]]):
    def number(cell: str) -> float | None:
        try:
            return float(cell)
        except ValueError:
            return None

    pairs = [(number(x), number(y)) for _, (x, y) in drawn]
    points = [shapely.Point() if None in pair or max(map(abs, pair)) > 1e6 else shapely.Point(pair) for pair in pairs]
    assume(not all(point.is_empty for point in points))
    layer = gpd.GeoDataFrame(
        {"name": [name for name, _ in drawn], "开放时间": "24/7"}, geometry=points, crs="EPSG:4326"
    )
    (world.folder / "t.gpkg").unlink(missing_ok=True)
    layer.to_file(world.folder / "t.gpkg")
    notes, table = Notes("zh"), world.study.sites.model_copy(update={"file": "t.gpkg"})
    sites = attempt(lambda: read_sites(world.study, table, "existing", world.ground, world.zones, notes), "t.gpkg")
    if sites is not None:
        used = {int(source.rpartition("#")[2]) for source in sites["source"]}
        aside = {row for _, row, *_ in notes.rejects}
        assert used | aside == set(range(1, len(drawn) + 1)) and not used & aside


@FEW
@given(st.lists(st.tuples(names, people, places), min_size=1, max_size=14))
def test_people_at_points(world: World, drawn: list[tuple[str, str, tuple[str, str]]]):
    rows = [[name, weight, *place] for name, weight, place in drawn]
    written(world, ["名称", "人数", "经度", "纬度"], rows)
    study, notes = world.with_demand(kind="point", group="couriers", file="t.csv"), Notes("zh")
    demand = attempt(lambda: read_demand(study, world.ground, world.zones, world.area, notes), "t.csv")
    if demand is not None:
        accounted(notes, set(demand["source"]), rows, "t.csv")


roads = st.sampled_from(["人民路", "A路", "E路", "B路", "无名路", "人民路(东段)", "人民大道", ""])
ends = st.sampled_from(["", "A路", "B路", "C路", "外环", "人民路", "火车站"])


@FEW
@given(
    st.lists(st.tuples(roads, ends, ends, people, st.sampled_from(["", "A路至C路", "全线"])), min_size=1, max_size=10)
)
def test_ledgers(world: World, drawn: list[tuple[str, str, str, str, str]]):
    rows = [list(row) for row in drawn]
    written(world, ["道路名称", "起点", "终点", "人数", "起止点"], rows)
    study, notes = world.with_demand(kind="ledger", group="sweepers", file="t.csv"), Notes("zh")
    demand = attempt(lambda: read_demand(study, world.ground, world.zones, world.area, notes), "t.csv")
    if demand is not None:
        accounted(notes, set(demand["source"]), rows, "t.csv")
        by_row = demand.groupby("source")["weight"].sum()
        assert by_row.round(6).isin([3.0, 12.0, 0.0, 12_000.0, 5.0]).all(), "and each row keeps its people"


@FEW
@given(
    st.lists(
        st.tuples(st.sampled_from(["西街道", "东街道", "W", "O", "南街道", "", "合计"]), people), min_size=1, max_size=8
    )
)
def test_people_by_zone(world: World, drawn: list[tuple[str, str]]):
    rows = [list(row) for row in drawn]
    written(world, ["镇街", "人数"], rows)
    study, notes = world.with_demand(kind="zone", group="couriers", file="t.csv"), Notes("zh")
    demand = attempt(lambda: read_demand(study, world.ground, world.zones, world.area, notes), "t.csv")
    if demand is not None:
        accounted(notes, set(demand["source"]), rows, "t.csv")


actions = st.tuples(
    st.sampled_from(["新建", "错时", "建设", "合计", ""]),
    st.sampled_from(["银行", "公厕", ""]),
    st.sampled_from(["自建", "共建", ""]),
    st.sampled_from(["4", "5000元", "0.3万", ""]),
)


@FEW
@given(st.lists(actions, min_size=1, max_size=8))
def test_options(world: World, drawn: list[tuple[str, str, str, str]]):
    rows = [list(row) for row in drawn]
    written(world, ["动作", "类别", "建设方式", "建设费(万元)"], rows)
    notes, table = Notes("zh"), world.study.options.model_copy(update={"file": "t.csv"})
    options = attempt(lambda: read_options(world.study, table, notes), "t.csv")
    if options is not None:
        accounted(notes, set(options["source"]), rows, "t.csv")
