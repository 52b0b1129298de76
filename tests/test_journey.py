"""The journey of one row: a line of somebody's Excel, followed to every output.

Row 3 of sites.xlsx is a bank at F. It covers streets today, is chosen for longer hours, and must be found again in each file.
"""

import json
import zipfile
from pathlib import Path

import docx
import geopandas as gpd
import openpyxl
import pytest

from planner.deliver import write_set
from planner.pipeline import Result

SOURCE, SITE, NAME = "sites.xlsx#3", "S1", "人民路休息点"


@pytest.fixture(scope="module")
def files(small_result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("journey")
    write_set(small_result, folder, "zh")
    return folder


def test_it_is_read_with_its_source(small_result: Result):
    row = small_result.sites_today[small_result.sites_today["source"] == SOURCE].iloc[0]
    assert (row["id"], row["name"], row["zone"], row["status"]) == (SITE, NAME, "W", "existing")


def test_it_covers_streets_and_is_named_in_gaps(small_result: Result):
    near = small_result.demand[small_result.demand["nearest_site"] == SITE]
    assert near["covered"].any() and not near["covered"].all()
    assert SITE in set(small_result.gaps["nearest_site"])


def test_it_is_in_the_plan_and_the_programme(small_result: Result):
    action = small_result.actions[small_result.actions["site"] == SITE].iloc[0]
    assert (action["action"], action["mode"], action["year"]) == ("extend_hours", "consolidate", 2027)
    line = small_result.programme[small_result.programme["site"] == SITE].iloc[0]
    assert line["source"] == SOURCE and line["gain"] == action["gain"]


def test_summary_json_has_its_action(files: Path, small_result: Result):
    actions = json.loads((files / "summary.json").read_text(encoding="utf-8"))["plan"]["actions"]
    written = next(action for action in actions if action["site"] == SITE)
    gain = small_result.actions.set_index("site").loc[SITE, "gain"]
    assert written["gain"] == pytest.approx(gain) and written["cost"] == 0.5


def test_the_layers_have_it(files: Path):
    sites = gpd.read_file(files / "plan.gpkg", layer="sites").set_index("id")
    assert (sites.loc[SITE, "source"], sites.loc[SITE, "status"], sites.loc[SITE, "year"]) == (SOURCE, "upgraded", 2027)
    actions = gpd.read_file(files / "plan.gpkg", layer="actions").set_index("site")
    assert actions.loc[SITE, "source"] == SOURCE
    demand = gpd.read_file(files / "plan.gpkg", layer="demand")
    assert (demand["nearest_site"] == SITE).any()


def test_the_workbook_has_its_line(files: Path):
    book = openpyxl.load_workbook(files / "programme.xlsx", read_only=True)
    cells = {
        sheet.title: [str(c) for row in sheet.iter_rows(values_only=True) for c in row if c is not None]
        for sheet in book
    }
    programme = cells[book.sheetnames[0]]
    assert SITE in programme and NAME in programme
    assert any(SOURCE in sheet for sheet in cells.values())


def test_the_map_shows_it_in_a_popup(files: Path):
    page = (files / "map.html").read_text(encoding="utf-8")
    assert NAME in page and SOURCE in page


def test_the_report_names_it(files: Path):
    document = docx.Document(str(files / "report.docx"))
    words = [p.text for p in document.paragraphs]
    words += [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    assert any(NAME in text for text in words)
    assert zipfile.is_zipfile(files / "report.docx")
