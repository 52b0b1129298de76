"""Settings are changed in place: what a person wrote around them stays."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner import embedded
from planner.errors import InputError
from planner.workspace.amend import amend

TEXT = """# 项目
name = "甲"   # 名称

# 站点
[sites]
file = "a.xlsx"                 # 表
datum = "auto"                  # 坐标系

[candidates]
file = "c.xlsx"

[[demand]]
kind = "point"
file = "w.xlsx" # 人数

[[demand]]
kind = "line"
[demand.width_m]
primary = 10
"""


def lines_that_differ(before: str, after: str) -> list[str]:
    return [line for line in after.splitlines() if line not in before.splitlines()]


def test_one_setting_changes_one_line_and_keeps_its_comment():
    after = amend(TEXT, {"sites.datum": "GCJ-02"}, file="study.toml")
    assert lines_that_differ(TEXT, after) == ['datum = "GCJ-02"                  # 坐标系']
    assert len(after.splitlines()) == len(TEXT.splitlines())


def test_entries_of_demand_are_counted_from_nought():
    after = amend(TEXT, {"demand.0.file": "新.xlsx", "demand.1.total": 5}, file="study.toml")
    read = tomllib.loads(after)["demand"]
    assert (read[0]["file"], read[1]["total"], read[1]["width_m"]) == ("新.xlsx", 5, {"primary": 10})
    assert "# 人数" in after


def test_an_entry_is_replaced_and_one_is_added():
    line = {"kind": "line", "group": "g", "total": 20.0, "width_m": {"primary": 1.0}}
    read = tomllib.loads(amend(TEXT, {"demand.0": line, "demand.2": line}, file="study.toml"))["demand"]
    assert read == [line, {"kind": "line", "width_m": {"primary": 10}}, line]


def test_tables_come_and_go():
    after = amend(TEXT, {"candidates": None, "zones.file": "z.gpkg", "sites.columns.lon": "东经"}, file="study.toml")
    read = tomllib.loads(after)
    assert "candidates" not in read and read["zones"] == {"file": "z.gpkg"}
    assert read["sites"] == {"file": "a.xlsx", "datum": "auto", "columns": {"lon": "东经"}}
    assert amend(TEXT, {"nothing.here": None, "demand.7": None}, file="study.toml") == TEXT


def test_what_cannot_be_changed_so_is_told():
    for changes in ({"name.x": 1}, {"demand.9.file": "x"}, {"demand.x": 1}):
        with pytest.raises(InputError):
            amend(TEXT, changes, file="study.toml")
    with pytest.raises(InputError):
        amend("name = [", {"name": "x"}, file="study.toml")


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_is_written_is_read_again(words: str, number: float):
    words = words.encode("utf-8", "ignore").decode("utf-8")
    read = tomllib.loads(amend(TEXT, {"name": words, "sites.crs": words, "x": number}, file="study.toml"))
    assert (read["name"], read["sites"]["crs"], read["x"]) == (words, words, number)


def test_the_embedded_study_keeps_all_its_comments():
    text = (embedded.folder() / "study.toml").read_text(encoding="utf-8")
    changes = {
        "sites.datum": "GCJ-02",
        "sites.columns": {"lon": "X"},
        "demand.1.file": "b.csv",
        "plan.carry_over": False,
    }
    after = amend(text, changes, file="study.toml")
    assert [line.partition("#")[2] for line in text.splitlines() if "#" in line] == [
        line.partition("#")[2] for line in after.splitlines() if "#" in line
    ]
    assert amend(text, {}, file="study.toml") == text
