import dataclasses
import io
import itertools
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import openpyxl
import pytest
from numbers_in import known_numbers
from openpyxl.worksheet.worksheet import Worksheet
from worlds import HOSTILE, WORLDS, hostile

from planner.draw.themes import all_themes
from planner.pipeline import Result, run
from planner.report.workbook import write_workbook
from planner.study import load_study
from planner.words import LANGS, Lang, say
from planner.words.wording import harmless

SHEETS = (
    "programme",
    "totals",
    "why",
    "indicators",
    "zones",
    "norms",
    "tiers",
    "evaluation",
    "gaps",
    "sites",
    "standards",
    "rejects",
    "method",
)


def written(result: Result, folder: Path, lang: Lang = "zh", *, values: bool = False) -> openpyxl.Workbook:
    write_workbook(result, folder / "programme.xlsx", lang)
    return openpyxl.load_workbook(folder / "programme.xlsx", data_only=values)


def column_of(sheet: Worksheet, heading: str, row: int = 3) -> int:
    return next(cell.column for cell in sheet[row] if cell.value == heading)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("world", WORLDS)
def test_every_sheet_is_there_in_every_case(small_result: Result, tmp_path: Path, world: str, lang: Lang) -> None:
    book = written(WORLDS[world](small_result), tmp_path, lang)
    assert book.sheetnames == [say(lang, f"workbook.sheet_{key}") for key in SHEETS]
    for sheet in book:
        assert sheet["A1"].value and sheet.max_row >= 3


def test_two_runs_write_the_same_bytes(small_result: Result, tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        write_workbook(small_result, tmp_path / name, "zh")
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_the_programme_is_ready_to_print(small_result: Result, tmp_path: Path) -> None:
    for sheet in written(small_result, tmp_path):
        page = sheet.page_setup
        assert (int(page.paperSize), page.orientation, page.fitToWidth, page.fitToHeight) == (8, "landscape", 1, 0)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.print_title_rows.startswith("$1:$")
        assert small_result.run_id in sheet.oddFooter.left.text


def test_headings_of_the_programme_are_merged(small_result: Result, tmp_path: Path) -> None:
    sheet = written(small_result, tmp_path)["建设计划表"]
    merged = {str(span) for span in sheet.merged_cells.ranges}
    cost = column_of(sheet, "投资估算\uff08万元\uff09")
    letters = [openpyxl.utils.get_column_letter(cost + n) for n in (0, 1)]
    assert f"{letters[0]}3:{letters[1]}3" in merged and "A3:A4" in merged
    assert [sheet.cell(4, cost + n).value for n in (0, 1)] == ["建设", "年运营"]
    assert sheet.freeze_panes == "D5"
    widths = [
        sheet.column_dimensions[openpyxl.utils.get_column_letter(n)].width for n in range(1, sheet.max_column + 1)
    ]
    assert all(width and width >= 4 for width in widths)


def test_each_row_of_the_programme_is_a_row_of_the_result(small_result: Result, tmp_path: Path) -> None:
    sheet = written(small_result, tmp_path)["建设计划表"]
    site, source = column_of(sheet, "站点编号"), column_of(sheet, say("zh", "programme.source"))
    year, cost = column_of(sheet, "建设年度"), column_of(sheet, "投资估算\uff08万元\uff09")
    rows = [row for row in sheet.iter_rows(min_row=5) if row[site - 1].value]
    shown = [tuple(row[n - 1].value for n in (site, source, year, cost, cost + 1)) for row in rows]
    table = small_result.programme[["site", "source", "year", "capital_cost", "operating_cost"]]
    assert shown == [tuple(row) for row in table.itertuples(index=False)]


def test_formulas_carry_the_values_of_the_result(small_result: Result, tmp_path: Path) -> None:
    live, stored = written(small_result, tmp_path), written(small_result, tmp_path, values=True)
    formulas = 0
    for sheet in live:
        for cell in itertools.chain.from_iterable(sheet.iter_rows()):
            if cell.data_type == "f":
                formulas += 1
                assert stored[sheet.title][cell.coordinate].value is not None, (sheet.title, cell.coordinate)
    assert formulas > 20
    funds = stored["汇总与资金"]
    spent = [funds.cell(row, 5).value for row in (5, 6, 7)]
    assert spent == pytest.approx([*small_result.cost_by_year.values(), sum(small_result.cost_by_year.values())])
    last = max(cell.row for cell in stored["建设计划表"]["A"] if str(cell.value).startswith("合计"))
    gain = column_of(stored["建设计划表"], say("zh", "programme.gain"))
    assert stored["建设计划表"].cell(last, gain).value == pytest.approx(small_result.programme["gain"].sum())


@pytest.mark.slow
def test_formulas_give_in_libreoffice_what_is_stored(small_result: Result, tmp_path: Path) -> None:
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("no LibreOffice on this computer")
    stored = written(hostile(small_result), tmp_path, values=True)
    # Stored values are taken out, so that LibreOffice has to work them out.
    with zipfile.ZipFile(tmp_path / "programme.xlsx") as made, zipfile.ZipFile(tmp_path / "bare.xlsx", "w") as bare:
        for name in made.namelist():
            part = made.read(name)
            bare.writestr(name, re.sub(rb"(</f>)<v>[^<]*</v>", rb"\1", part) if "sheet" in name else part)
    command = [office, f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless", "--convert-to", "ods"]
    subprocess.run([*command, "--outdir", str(tmp_path), str(tmp_path / "bare.xlsx")], check=True, capture_output=True)
    back = [*command[:-1], "xlsx:Calc MS Excel 2007 XML", "--outdir", str(tmp_path / "again")]
    subprocess.run([*back, str(tmp_path / "bare.ods")], check=True, capture_output=True)
    again = openpyxl.load_workbook(tmp_path / "again" / "bare.xlsx", data_only=True)
    for sheet in openpyxl.load_workbook(tmp_path / "programme.xlsx"):
        for cell in itertools.chain.from_iterable(sheet.iter_rows()):
            if cell.data_type == "f":
                value = stored[sheet.title][cell.coordinate].value
                expected = pytest.approx(value, abs=1e-9) if isinstance(value, float) else value
                assert again[sheet.title][cell.coordinate].value == expected, (sheet.title, cell.coordinate, cell.value)


@pytest.mark.slow
def test_a_changed_cost_and_budget_run_through_all_sums(small_result: Result, tmp_path: Path) -> None:
    """As a person would: 10 more for the first action, 5 more for the first year; LibreOffice works the sums out."""
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("no LibreOffice on this computer")
    before = written(small_result, tmp_path, values=True)
    live = openpyxl.load_workbook(tmp_path / "programme.xlsx")
    cost = column_of(live["建设计划表"], "投资估算\uff08万元\uff09")
    year = live["建设计划表"].cell(5, column_of(live["建设计划表"], "建设年度")).value
    live["建设计划表"].cell(5, cost).value += 10
    funds = live["汇总与资金"]
    budgets = {funds.cell(row, 1).value: row for row in range(5, 5 + len(small_result.years))}
    funds.cell(budgets[year], 6).value += 5
    live.save(tmp_path / "changed.xlsx")
    command = [office, f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless", "--convert-to"]
    command += ["xlsx:Calc MS Excel 2007 XML", "--outdir", str(tmp_path / "again"), str(tmp_path / "changed.xlsx")]
    subprocess.run(command, check=True, capture_output=True)
    after = openpyxl.load_workbook(tmp_path / "again" / "changed.xlsx", data_only=True)

    def moved(sheet: str) -> dict[str, float]:
        cells = itertools.chain.from_iterable(before[sheet].iter_rows())
        pairs = {
            c.coordinate: (c.value, after[sheet][c.coordinate].value) for c in cells if isinstance(c.value, int | float)
        }
        return {at: round(b - a, 6) for at, (a, b) in pairs.items() if abs(b - a) > 1e-9}

    # In the programme the row itself, its year's subtotal and the total.
    assert list(moved("建设计划表").values()) == [10, 10, 10]
    sums = moved("汇总与资金")
    first, last = budgets[year], max(budgets.values())
    assert {sums[f"{letter}{row}"] for letter in "CE" for row in (first, last + 1)} == {10}
    assert sums[f"F{first}"] == sums[f"F{last + 1}"] == 5
    # What a year leaves, and with carry-over every later year.
    left = [sums.get(f"G{row}") for row in range(first, last + 1)]
    assert left == ([-5] * len(left) if small_result.study.plan.carry_over else [-5] + [None] * (len(left) - 1))
    # And twice in each table by tier, by town and by mode: in all, and of its year.
    assert sum(change == 10 for change in sums.values()) == 4 + 2 * sums_below(before["汇总与资金"])


def sums_below(sheet: Worksheet) -> int:
    """How many tables of sums by a column of the programme stand below the funds."""
    return sum(cell.value == say("zh", "workbook.capital") for row in sheet.iter_rows(min_row=5) for cell in row)


@pytest.mark.parametrize("world", ["small", "unproven", "without_plan"])
def test_every_number_is_found_again_in_the_summary(small_result: Result, tmp_path: Path, world: str) -> None:
    result = WORLDS[world](small_result)
    known = sorted(known_numbers(result) | table_numbers(result))
    for sheet in written(result, tmp_path, values=True):
        for cell in itertools.chain.from_iterable(sheet.iter_rows()):
            if isinstance(cell.value, int | float):
                near = min(known, key=lambda number: abs(number - cell.value))
                assert near == pytest.approx(cell.value, rel=1e-8, abs=1e-8), (sheet.title, cell.coordinate)


def table_numbers(result: Result) -> set[float]:
    """Numbers of the tables that the summary has no list of: seats, coordinates, costs of remedies, zones that meet a norm."""
    degrees = result.sites.geometry.to_crs("EPSG:4326")
    numbers = {*degrees.x, *degrees.y, *degrees.x.round(6), *degrees.y.round(6), *result.sites["capacity"].dropna()}
    remedies = {*result.gaps["remedy_cost"].dropna(), *result.gaps["remedy_operating_cost"].dropna()}
    today = result.verdicts[(result.verdicts["zone"] != "") & (result.verdicts["moment"] == 0)]
    zones = {*today.groupby(["norm", "rule"])["met"].sum(), *today.groupby(["norm", "rule"]).size()}
    return {*map(float, numbers), *map(float, remedies), *map(float, zones), *map(float, result.rejects["row"])}


def test_a_number_from_nowhere_is_seen(small_result: Result) -> None:
    known = known_numbers(small_result) | table_numbers(small_result)
    assert min(abs(number - 12.345) for number in known) > 1e-6


def test_longer_hours_are_told_beside_those_of_today(small_result: Result, tmp_path: Path) -> None:
    sheet = written(small_result, tmp_path)["建设计划表"]
    site, open_then = column_of(sheet, "站点编号"), column_of(sheet, say("zh", "programme.opening_hours"))
    told = {row[site - 1].value: row[open_then - 1].value for row in sheet.iter_rows(min_row=5)}
    assert told["S1"] == "由周一至周五 9:00–17:00改为每天 5:00–22:00"
    assert "改为" not in told["C2"]


def test_what_looks_like_a_formula_stays_text(small_result: Result, tmp_path: Path) -> None:
    result = hostile(small_result)
    cells = [cell for sheet in written(result, tmp_path) for row in sheet.iter_rows() for cell in row]
    ours = re.compile(r"=(SUBTOTAL|SUM|SUMIF|COUNTIF|SUMPRODUCT)\(|=[C-G]\d+[+-]|=\"[^\"]*\"&SUBTOTAL")
    assert all(ours.match(cell.value) for cell in cells if cell.data_type == "f")
    texts = [cell for cell in cells if cell.data_type == "s"]
    shown = {cell.value for cell in texts}
    for name in set(result.sites["name"]) | set(result.programme["note"]) | set(result.rejects["values"]):
        assert harmless(name) in shown
    for cell in texts:
        assert cell.quotePrefix == cell.value.startswith(("=", "+", "-", "@")), cell.value
    assert HOSTILE[0] in shown


def test_the_file_points_nowhere(small_result: Result, tmp_path: Path) -> None:
    write_workbook(hostile(small_result), tmp_path / "programme.xlsx", "zh")
    with zipfile.ZipFile(tmp_path / "programme.xlsx") as archive:
        assert not any("externalLink" in name or "connections" in name for name in archive.namelist())
        assert not any(b"TargetMode" in archive.read(name) for name in archive.namelist() if name.endswith(".rels"))


def test_rejects_and_warnings_are_listed(small_result: Result, tmp_path: Path) -> None:
    sheet = written(WORLDS["hostile"](small_result), tmp_path)["未采用的数据"]
    assert [cell.value for cell in sheet[3]] == ["文件", "行", "原因", "处理办法", "该行内容"]
    assert sheet.cell(4, column_of(sheet, "处理办法")).value == HOSTILE[1]
    cells = [cell.value for row in sheet.iter_rows() for cell in row if cell.value]
    assert HOSTILE[2] in cells and HOSTILE[0] in cells and "数据质量提示" in cells
    nothing = written(small_result, tmp_path)["未采用的数据"]
    assert any(cell.value == say("zh", "workbook.no_rejects") for row in nothing.iter_rows() for cell in row)


def test_long_text_gets_the_room_it_needs(small_result: Result, tmp_path: Path) -> None:
    long = dataclasses.replace(small_result, programme=small_result.programme.assign(note="长" * 200))
    heights = [written(r, tmp_path)["建设计划表"].row_dimensions[5].height for r in (small_result, long)]
    # 22 characters of width hold twelve Chinese ones of nine points: seventeen lines.
    assert heights[1] > 17 * 12 > heights[0]


def test_no_heading_is_printed_over_another_table(small_study: Path, small_result: Result, tmp_path: Path) -> None:
    """Headings are repeated on each page, so the rules of the tiers, another table, have a sheet of their own."""
    with (small_study / "study.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[tiers]]\ntier = "township"\nat_least = 1\n')
    result = run(load_study(small_study))
    book = written(result, tmp_path)
    matrix, rules = (book[say("zh", f"workbook.sheet_{key}")] for key in ("tiers", "tier_rules"))
    for sheet, heading, rows in ((matrix, "zone_id", result.zones), (rules, "site_tier", result.tiers)):
        assert sheet.print_title_rows == "$1:$3"
        assert sheet["A3"].value == say("zh", f"workbook.{heading}")
        assert sheet.max_row == 3 + len(rows) > 3
    assert rules.title not in written(small_result, tmp_path).sheetnames, "no rules, no sheet of them"


def test_a_study_without_zones_has_no_list_of_them(small_study: Path, small_result: Result, tmp_path: Path) -> None:
    text = (small_study / "study.toml").read_text(encoding="utf-8")
    (small_study / "study.toml").write_text(re.sub(r"\[zones\]\nfile = .*\n", "", text), encoding="utf-8")
    bare, title = run(load_study(small_study)), say("zh", "workbook.sheet_zones")
    assert title in written(small_result, tmp_path).sheetnames
    assert title not in written(bare, tmp_path).sheetnames
    for lang in LANGS:
        told = [(theme().listing, theme().second) for theme in all_themes(bare, lang).values()]
        assert say(lang, "sheet.no_zone") not in str(told)


def test_properties_hold_no_clock(small_result: Result, tmp_path: Path) -> None:
    write_workbook(small_result, tmp_path / "programme.xlsx", "zh")
    with zipfile.ZipFile(io.BytesIO((tmp_path / "programme.xlsx").read_bytes())) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert re.findall(rb"\d{4}-\d\d-\d\dT", archive.read("docProps/core.xml")) == [b"2000-01-01T"] * 2


def test_the_funds_are_those_of_the_plan_at_the_prices_of_each_year(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (small_study / "study.toml").read_text(encoding="utf-8")
    text = text.replace("budget = [3.0, 3.0]", "budget = [3.0, 3.0]\nprice_change = 0.5")
    (small_study / "study.toml").write_text(text, encoding="utf-8")
    result = run(load_study(small_study))
    without = result.funds
    assert without["operating_cost"].tolist()[1] > result.programme["operating_cost"].sum() > 0
    lost = without.assign(sunk=[0.25, 0.0], spent=without["spent"] + [0.25, 0.0], left=without["left"] - 0.25)
    for funds in (without, lost):
        monkeypatch.setattr(Result, "funds", property(lambda _, table=funds: table))
        sheet = written(result, tmp_path, values=True)[say("zh", "workbook.sheet_totals")]
        columns = [c for c in funds.columns if c != "sunk" or funds["sunk"].any()]
        rows = [[cell.value for cell in row[: len(columns)]] for row in sheet.iter_rows(min_row=5, max_row=7)]
        assert rows[:2] == [pytest.approx(row) for row in funds[columns].to_numpy().tolist()]
        assert rows[2][1:-1] == pytest.approx(funds[columns[1:-1]].sum().tolist())
        live = written(result, tmp_path)[sheet.title]
        running = live.cell(6, columns.index("operating_cost") + 1).value
        assert running.endswith("*(1+0.5)^1"), "a programme that somebody edits still follows the prices"
        assert live.cell(6, columns.index("spent") + 1).value == "=" + "+".join(
            f"{c}6" for c in "CDE"[: len(columns) - 5]
        )
