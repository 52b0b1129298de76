import openpyxl
import pytest
import small_study as small

from planner.pipeline import Result, run
from planner.report.figures import people_counted
from planner.study import load_study
from planner.words import LANGS, Lang

# Two sheets of one workbook, and the ledger of one road.
DEMAND = """
[[demand]]
kind = "point"
group = "couriers"
file = "couriers.xlsx"
sheet = "东"
[[demand]]
kind = "point"
group = "couriers"
file = "couriers.xlsx"
sheet = "西"
[[demand]]
kind = "ledger"
group = "sweepers"
file = "台账.xlsx"
total = 40

[standard]
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = small.write(tmp_path_factory.mktemp("sheets"))
    book = openpyxl.Workbook()
    for name, rows in {"东": [("P1", 3, "C")], "西": [("P1", 5, "A"), ("P2", 6, "B")]}.items():
        sheet = book.create_sheet(name)
        sheet.append(["编号", "人数", "经度", "纬度"])
        for site, people, letter in rows:
            sheet.append([site, people, *small.lonlat(letter, north_m=10)])
    book.save(folder / "couriers.xlsx")
    small.book(folder / "台账.xlsx", [["道路名称", "保洁面积"], ["人民路", 9000]])
    toml = (folder / "study.toml").read_text(encoding="utf-8")
    start, end = toml.index("[[demand]]"), toml.index("[standard]")
    (folder / "study.toml").write_text(toml[:start] + DEMAND + toml[end + len("[standard]") :], encoding="utf-8")
    return run(load_study(folder))


@pytest.mark.parametrize("lang", LANGS)
def test_people_are_counted_once_for_each_table(result: Result, lang: Lang) -> None:
    rows = people_counted(result, lang)[-3:]
    assert [value for _, value, _ in rows] == ["3", "11", "40"]
    assert all(f"couriers.xlsx · {sheet}" in basis for sheet, (_, _, basis) in zip("东西", rows, strict=False))
    ledger = {"zh": "道路保洁台账 台账.xlsx", "en": "the road-cleaning ledger 台账.xlsx"}[lang]
    assert ledger in rows[2][2]
