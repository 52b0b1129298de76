"""Coordinates as people have them: metres, other datums, both in one cell, the wrong way round, twice."""

from pathlib import Path

import numpy as np
import pytest
import small_study as small

from planner import datum
from planner.errors import InputError
from planner.intake import Inputs, read_inputs
from planner.study import load_study
from planner.words import LANGS

PLACES = {"S1": "F", "S2": "J"}


def with_sites(folder: Path, heads: list[str], rows: list[list[object]], setting: str = "") -> Inputs:
    """Return the inputs of the small study with other existing sites."""
    (folder / "sites.xlsx").unlink()
    banks = [[*cells, "银行"] if str(cells[0]).startswith("S") else cells for cells in rows]
    small.book(folder / "sites.xlsx", [["编号", "名称", "开放时间", *heads, "类别"], *banks])
    toml = (folder / "study.toml").read_text(encoding="utf-8")
    toml = toml.replace('file = "sites.xlsx"', f'file = "sites.xlsx"\n{setting}')
    (folder / "study.toml").write_text(toml, encoding="utf-8")
    return read_inputs(load_study(folder))


def row(name: str, *coordinates: object) -> list[object]:
    return [name, f"休息点{name}", "24/7", *coordinates]


def right(inputs: Inputs) -> bool:
    found = inputs.sites.set_index("id").geometry
    return all(
        abs(found[name].x - small.node(at)[0]) < 0.5 and abs(found[name].y - small.node(at)[1]) < 0.5
        for name, at in PLACES.items()
    )


def dms(degrees: float) -> str:
    whole, rest = divmod(degrees, 1)
    minutes, rest = divmod(rest * 60, 1)
    return f"{int(whole)}°{int(minutes)}′{rest * 60:.4f}″"


@pytest.mark.parametrize("heads", [["经度", "纬度"], ["纬度", "经度"]])
def test_degrees_minutes_seconds_in_either_order(small_study: Path, heads: list[str]):
    rows = [row(name, *map(dms, small.lonlat(at))) for name, at in PLACES.items()]
    inputs = with_sites(small_study, heads, rows)
    assert right(inputs) and len(inputs.warnings) == (heads[0] == "纬度")


def test_one_row_the_wrong_way_round_is_turned_and_named(small_study: Path):
    rows = [row("S1", *small.lonlat("F")), row("S2", *reversed(small.lonlat("J")))]
    inputs = with_sites(small_study, ["经度", "纬度"], rows)
    assert right(inputs) and len(inputs.warnings) == 1 and "3" in inputs.warnings[0]


def test_both_in_one_cell(small_study: Path):
    (x, y), (u, v) = small.lonlat("F"), small.lonlat("J")
    assert right(with_sites(small_study, ["经纬度"], [row("S1", f"{x},{y}"), row("S2", f"{dms(v)}N {dms(u)}E")]))


@pytest.mark.parametrize("prefix", [0, 38])
@pytest.mark.parametrize("heads", [["X坐标", "Y坐标"], ["Y坐标", "X坐标"]])
def test_metres_with_or_without_zone_in_either_order(small_study: Path, heads: list[str], prefix: int):
    rows = [row(n, small.node(at)[0] + prefix * 1e6, small.node(at)[1]) for n, at in PLACES.items()]
    # Two points do not tell a CGCS2000 zone from UTM by themselves; a zone number, or the study's word, does.
    inputs = with_sites(small_study, heads, rows, "" if prefix else f'crs = "{small.CRS}"')
    assert right(inputs)


def test_two_points_do_not_settle_a_datum(small_study: Path):
    rows = [row(name, *small.lonlat(at)) for name, at in PLACES.items()]
    with pytest.raises(InputError) as caught:
        with_sites(small_study, ["经度", "纬度"], rows, 'datum = "auto"')
    assert caught.value.key == "datum_unsure"
    assert all("WGS-84" in caught.value.text(lang) and "GCJ-02" in caught.value.text(lang) for lang in LANGS)


def test_headings_that_name_a_datum_ask_for_a_word(small_study: Path):
    rows = [row(name, *small.lonlat(at)) for name, at in PLACES.items()]
    with pytest.raises(InputError) as caught:
        with_sites(small_study, ["gcj02_lng", "gcj02_lat"], rows)
    assert caught.value.key == "datum_stated" and "GCJ-02" in caught.value.text("zh")


def test_headings_are_shown_and_overruled(small_study: Path):
    rows = [row(name, *small.lonlat(at)) for name, at in PLACES.items()]
    inputs = with_sites(small_study, ["甲", "乙"], rows, 'columns = { lon = "甲", lat = "乙" }')
    assert right(inputs)
    shown = inputs.headings[inputs.headings["file"] == "sites.xlsx"]
    assert dict(zip(shown["field"], shown["heading"], strict=True))["lon"] == "甲"


def test_rows_that_are_no_place_are_set_aside_each_with_its_reason(small_study: Path):
    rows = [
        *(row(name, *small.lonlat(at)) for name, at in PLACES.items()),
        row("S3", 0, 0),
        row("S4", "待定", "待定"),
        row("S5", 120.0, 30.0),
        ["合计", "5处", "", "", ""],
        ["填表人:张三", "", "", "", ""],
    ]
    inputs = with_sites(small_study, ["经度", "纬度"], rows)
    assert right(inputs) and sorted(inputs.rejects["row"]) == [4, 5, 6, 7, 8]
    assert inputs.rejects["repair"].str.len().min() > 0 and inputs.rejects["reason"].nunique() == 5
    assert inputs.rejects.set_index("row").loc[5, "cells"]["经度"] == "待定"


def test_the_same_place_twice_is_told(small_study: Path):
    rows = [row("S1", *small.lonlat("F")), row("S2", *small.lonlat("J"))]
    rows.append(["S3", "休息点 S1(新)", "24/7", *small.lonlat("F", east_m=8)])
    rows[-1][1] = "休息点S1(新)"
    inputs = with_sites(small_study, ["经度", "纬度"], rows)
    assert len(inputs.warnings) == 1 and "sites.xlsx#2" in inputs.warnings[0] and "sites.xlsx#4" in inputs.warnings[0]


def test_one_datum_mixed_into_another_is_told(small_study: Path):
    rows = [row("S1", *small.lonlat("F")), row("S2", *small.lonlat("J"))]
    moved = datum.wgs84_to_gcj02(*np.array(small.lonlat("F")))
    rows.append(["S3", "休息点S1", "24/7", float(moved[0]), float(moved[1])])
    toml = (small_study / "study.toml").read_text(encoding="utf-8")
    (small_study / "study.toml").write_text(
        toml.replace("service_radius_m = 400", "service_radius_m = 1000"), encoding="utf-8"
    )
    inputs = with_sites(small_study, ["经度", "纬度"], rows)
    assert len(inputs.warnings) == 1 and "GCJ-02" in inputs.warnings[0] and "sites.xlsx#4" in inputs.warnings[0]
