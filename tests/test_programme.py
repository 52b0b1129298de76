"""The construction programme worked out by hand: its order, gains, costs, and what stays empty."""

from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import small_study as small
from scipy import sparse
from shapely import Point

from planner.errors import InputError
from planner.pipeline import run
from planner.programme import (
    PROGRAMME_COLUMNS,
    chosen_actions,
    costs_by_year,
    funds,
    people_within,
    programme,
    subtotals,
)
from planner.siting import Plan, SitingProblem, objective_of
from planner.study import PlanSettings, ProgrammeSettings, load_study
from planner.words import has

YEARS = (2027, 2028)
STUDY = SimpleNamespace(folder=Path(), programme=ProgrammeSettings())
# Units of 4, 3, 2, 1 tenths of 100 people; A covers the first two, B the middle two, C the last.
PROBLEM = SitingProblem(
    unit_weight=np.array([0.4, 0.3, 0.2, 0.1]),
    cover=sparse.csr_array(np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]], np.int8)),
    capital_cost=np.array([2.0, 3.0, 1.0]),
    operating_cost=np.array([0.5, 0.0, 0.25]),
    place=np.array([1, 2, 0]),
    budget=np.array([9.0, 9.0]),
    year_weight=np.array([0.5, 0.5]),
    people=100.0,
)
ZONES = gpd.GeoDataFrame({"id": ["Z1"], "name": ["民族街道"]}, geometry=[Point(0, 0).buffer(9)], crs="EPSG:4547")


def sites() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "id": ["S1", "C1", "C2"],
            "name": ["甲站", "乙站", "丙站"],
            "tier": ["township"] * 3,
            "kind": ["bank"] * 3,
            "mode": ["co_host", "", ""],
            "host": ["农业银行", "", "工商银行"],
            "address": ["中山大道 1 号", "", ""],
            "zone": ["Z1", "Z1", ""],
            "source": ["sites.xlsx#2", "candidates.csv#2", "candidates.csv#3"],
        },
        geometry=[Point(532000 + i, 3384000) for i in range(3)],
        crs="EPSG:4547",
    )


def actions() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": ["C1/build/co_host", "C2/build/shared", "S1/extend_hours/consolidate"],
            "place": [1, 2, 0],
            "site": ["C1", "C2", "S1"],
            "action": ["build", "build", "extend_hours"],
            "mode": ["co_host", "shared", "consolidate"],
            "tier": ["township"] * 3,
            "opening_hours": ["09:00-17:00"] * 3,
            "services": ["rest;water"] * 3,
            "capacity": [4.0, np.nan, 2.0],
            "capital_cost": PROBLEM.capital_cost,
            "operating_cost": PROBLEM.operating_cost,
            "source": ["options.xlsx#2", "options.xlsx#3", "options.xlsx#4"],
            "note": ["示意", "", ""],
        }
    )


def plan(*build_year: int) -> Plan:
    return Plan(np.array(build_year, np.int64), 0.0, 0.0, 0.0, "feasible", 0.0)


def test_order_is_by_year_then_by_what_each_adds() -> None:
    chosen = chosen_actions(plan(1, 1, 2), PROBLEM, actions(), YEARS)
    assert chosen["site"].tolist() == ["C1", "C2", "S1"]
    assert chosen["year"].tolist() == [2027, 2027, 2028]
    assert chosen["gain"].tolist() == pytest.approx([70.0, 20.0, 10.0])


def test_what_an_earlier_year_covers_is_no_later_gain() -> None:
    chosen = chosen_actions(plan(2, 1, 0), PROBLEM, actions(), YEARS)
    assert chosen["site"].tolist() == ["C2", "C1"]
    assert chosen["gain"].tolist() == pytest.approx([50.0, 40.0])


def test_gains_sum_to_what_the_plan_adds() -> None:
    chosen = chosen_actions(plan(2, 1, 1), PROBLEM, actions(), YEARS)
    end = objective_of(PROBLEM, np.array([1, 1, 1]))
    assert chosen["gain"].sum() == pytest.approx(100 * (end - PROBLEM.constant))


def test_costs_are_capital_once_and_operating_every_year_from_opening() -> None:
    chosen = chosen_actions(plan(1, 0, 2), PROBLEM, actions(), YEARS)
    assert costs_by_year(chosen, YEARS) == {2027: 2.5, 2028: 1.0 + 0.25 + 0.5}


def test_no_plan_gives_an_empty_table_with_the_same_columns() -> None:
    empty = chosen_actions(None, None, actions(), ())
    full = chosen_actions(plan(1, 0, 0), PROBLEM, actions(), YEARS)
    assert len(empty) == 0 and list(empty) == list(full)
    assert list(programme(STUDY, sites(), ZONES, empty)) == list(PROGRAMME_COLUMNS)


def test_row_of_the_programme_says_what_the_tables_say_and_no_more() -> None:
    served = pd.DataFrame({"环卫工人": [0.0, 12.4, 3.0], "户外劳动者": [5.0, 0.0, 7.0]})
    table = programme(STUDY, sites(), ZONES, chosen_actions(plan(1, 2, 2), PROBLEM, actions(), YEARS), served=served)
    assert table["number"].tolist() == [1, 2, 3]
    first = table.iloc[0]
    assert (first["site"], first["town"], first["state"], first["mode"]) == ("C1", "民族街道", "chosen", "co_host")
    assert (first["served"], first["note"], first["source"]) == ("环卫工人 12", "示意", "candidates.csv#2")
    assert (first["longitude"], first["latitude"]) == pytest.approx((114.33, 30.58), abs=0.01)
    for unknown in ("floor_area_m2", "kit_level", "funding", "lead_unit", "support_unit", "due", "community", "host"):
        assert first[unknown] == ""
    assert table.loc[table["site"] == "S1", "state"].item() == "upgraded"
    assert table.loc[table["site"] == "C2", "town"].item() == ""


def test_what_a_users_table_says_is_passed_on() -> None:
    chosen = chosen_actions(plan(1, 0, 0), PROBLEM, actions().assign(funding="市总工会"), YEARS)
    table = programme(STUDY, sites().assign(lead_unit="区总工会", funding="别处"), ZONES, chosen)
    assert (table["lead_unit"].item(), table["funding"].item()) == ("区总工会", "市总工会")


def ruled(*rules: dict[str, object]) -> pd.DataFrame:
    study = SimpleNamespace(folder=Path(), programme=ProgrammeSettings.model_validate({"rules": rules}))
    chosen = chosen_actions(plan(1, 2, 2), PROBLEM, actions().assign(funding=["", "区财政", ""]), YEARS)
    return programme(study, sites(), ZONES, chosen).set_index("site")


def test_the_first_rule_that_fits_says_who_is_responsible() -> None:
    table = ruled(
        {"mode": ["co_host"], "lead_unit": "{town}总工会", "due": "{year}-10-31"},
        {"zone": ["民族街道"], "lead_unit": "别家", "support_unit": "{host}"},
        {"host": ["工商"], "support_unit": "{host}工会"},
        {"lead_unit": "市总工会", "funding": "工会经费"},
    )
    assert table["lead_unit"].to_dict() == {"C1": "民族街道总工会", "C2": "市总工会", "S1": "别家"}
    assert table["support_unit"].to_dict() == {"C1": "", "C2": "工商银行工会", "S1": "农业银行"}
    assert table["due"].to_dict() == {"C1": "2027-10-31", "C2": "", "S1": ""}
    # What a table says comes before any rule.
    assert table["funding"].to_dict() == {"C1": "工会经费", "C2": "区财政", "S1": "工会经费"}


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"tier": ["township"]}, "C1 C2 S1"),
        ({"tier": ["city"]}, ""),
        ({"mode": ["shared", "consolidate"]}, "C2 S1"),
        ({"zone": ["Z1"]}, "C1 S1"),
        ({"host": ["银行"]}, "C2 S1"),
        ({"kind": ["bank"], "action": ["build"]}, "C1 C2"),
        ({"zone": ["Z1"], "mode": ["consolidate"]}, "S1"),
    ],
)
def test_a_rule_fits_what_is_all_that_it_asks_for(rule: dict[str, object], fits: str) -> None:
    table = ruled({**rule, "lead_unit": "甲"})
    assert sorted(table.index[table["lead_unit"] == "甲"]) == fits.split()


@pytest.mark.parametrize("text", ["{place}", "{", "{host!r}", "{host:>9}", "{host.x}", "{}"])
def test_a_rule_asks_for_no_more_than_the_row_has(tmp_path: Path, text: str) -> None:
    with_rule(tmp_path, f'lead_unit = "{text}"')
    with pytest.raises(InputError, match="braces"):
        load_study(tmp_path)


def with_rule(folder: Path, rule: str) -> Path:
    small.write(folder)
    (folder / "study.toml").write_text(small.STUDY + f"\n[[programme.rules]]\n{rule}\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("rule", ['zone = ["X"]', 'host = ["邮政"]', 'kind = ["邮局"]'])
def test_a_rule_that_names_what_is_not_there_is_refused(tmp_path: Path, rule: str) -> None:
    folder = with_rule(tmp_path, f'{rule}\nlead_unit = "甲"')
    with pytest.raises(InputError, match=r"programme\.rules\[1\]"):
        run(load_study(folder))


def test_a_rule_that_fills_in_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fills in nothing"):
        load_study(with_rule(tmp_path, 'tier = ["city"]'))


def test_what_the_files_say_and_what_rules_say_reaches_the_programme(tmp_path: Path) -> None:
    folder = with_rule(tmp_path, 'lead_unit = "{town}总工会"\ndue = "{year}年底"')
    book = openpyxl.load_workbook(folder / "options.xlsx")
    book.active["J1"], book.active["K1"] = "建筑面积(平方米)", "配置等级"
    for row in range(2, 6):
        book.active[f"J{row}"], book.active[f"K{row}"] = 20 + row, "基本"
    book.save(folder / "options.xlsx")
    lines = (folder / "candidates.csv").read_text(encoding="utf-8-sig").splitlines()
    more = [",社区/网格,责任单位", ",东门社区,环卫所工会", ",南门社区,"]
    text = "\n".join(line + extra for line, extra in zip(lines, more, strict=True))
    (folder / "candidates.csv").write_text(text, encoding="utf-8")
    result = run(load_study(folder))
    table = result.programme.set_index("site")
    assert table.loc["C1", ["community", "lead_unit", "kit_level"]].tolist() == ["东门社区", "环卫所工会", "基本"]
    assert table.loc["C2", ["community", "lead_unit"]].tolist() == ["南门社区", "东街道总工会"]
    assert table["due"].tolist() == [f"{year}年底" for year in table["year"]]
    assert (table["floor_area_m2"].astype(float) > 20).all()
    assert result.subtotals["lead_unit"]["actions"].sum() == len(table)


def test_funds_are_what_each_year_costs_beside_its_budget(tmp_path: Path) -> None:
    folder = small.write(tmp_path)
    text = small.STUDY.replace("budget = [3.0, 3.0]", "budget = [3.0, 3.0]\nprice_change = 0.1")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    result = run(load_study(folder))
    table, capital = result.funds.set_index("year"), result.programme.groupby("year")["capital_cost"].sum()
    assert table["spent"].to_dict() == pytest.approx(result.cost_by_year)
    assert table["capital_cost"].to_dict() == pytest.approx({year: capital.get(year, 0.0) for year in (2027, 2028)})
    running = result.programme["operating_cost"].sum() * 1.1
    assert table.loc[2028, "operating_cost"] == pytest.approx(running)
    assert table.loc[2028, "left"] == pytest.approx(6.0 - sum(result.cost_by_year.values()))
    assert result.subtotals["year"]["capital_cost"].sum() == pytest.approx(table["capital_cost"].sum())


def test_funds_without_carry_over_leave_each_year_its_own() -> None:
    settings = PlanSettings(years=YEARS, budget=(5.0, 6.0), carry_over=False)
    chosen = chosen_actions(plan(1, 0, 2), PROBLEM, actions(), YEARS)
    table = funds(settings, chosen, {2027: 2.5 + 0.7, 2028: 1.75}, [0.7, 0.0])
    assert table["left"].tolist() == pytest.approx([1.8, 4.25])
    assert table[["capital_cost", "operating_cost", "sunk"]].to_numpy().tolist() == [
        pytest.approx([2.0, 0.5, 0.7]),
        pytest.approx([1.0, 0.75, 0.0]),
    ]


def test_every_column_has_a_heading() -> None:
    assert [column for column in PROGRAMME_COLUMNS if not has(f"programme.{column}")] == []


@pytest.mark.parametrize("by", ["year", "tier", "town", "mode"])
def test_subtotals_sum_to_the_whole(by: str) -> None:
    table = programme(STUDY, sites(), ZONES, chosen_actions(plan(1, 2, 2), PROBLEM, actions(), YEARS))
    sums = subtotals(table, by)
    assert sums["actions"].sum() == 3
    for column in ("capital_cost", "operating_cost", "gain"):
        assert sums[column].sum() == pytest.approx(table[column].sum())


def test_people_within_counts_each_group() -> None:
    people = people_within(
        np.array([0, 1, 1]), np.array([0, 0, 2]), np.array([2.0, 3.0]), np.array([0, 1]), ["a", "b"], 3
    )
    assert people.to_numpy().tolist() == [[2.0, 3.0], [0.0, 0.0], [0.0, 3.0]]
