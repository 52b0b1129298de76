from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import shapely
import small_study as small

from planner.intake import read_inputs, write_rejects
from planner.pipeline import walk
from planner.report.quality import quality_sections, write_quality
from planner.study import load_study
from planner.words import LANGS, say

HOSTILE = '=HYPERLINK("http://x")<script>alert(1)</script>'


def troubled(folder: Path) -> None:
    """Add a candidate without coordinates and with a hostile name, and one far from any street."""
    file = folder / "candidates.csv"
    rows = file.read_text(encoding="utf-8-sig")
    hostile = '"' + HOSTILE.replace('"', '""') + '"'
    rows += f"C8,{hostile},超市,,共享,24/7,歇脚,2,,,\n"
    rows += "C9,野外,超市,,共享,24/7,歇脚,2,,{},{}\n".format(*small.lonlat("C", east_m=150, north_m=150))
    file.write_text(rows, encoding="utf-8-sig")


def test_the_report_tells_counts_rejects_evidence_and_snaps(small_study: Path, tmp_path: Path):
    troubled(small_study)
    study = load_study(small_study)
    inputs = read_inputs(study)
    walks = walk(study, inputs)
    for lang in LANGS:
        sections = quality_sections(study, inputs, walks, lang=lang)
        tables = {section.key: section.table for section in sections}
        assert tables["counts"].iloc[:, 1].tolist()[:4] == [2, 3, len(inputs.demand), 173.0]
        assert tables["rejects"].iloc[0, :2].tolist() == ["candidates.csv", 4]
        doubtful = tables["suspects"]
        assert doubtful.iloc[:, 1].tolist() == ["野外"] and doubtful.iloc[0, 2] == 150
        assert doubtful.iloc[0, 4] == say(lang, "check.doubt_far")
        assert tables["evidence"].iloc[:, 0].unique().tolist() == ["sites.xlsx", "candidates.csv", "couriers.csv"]
        assert len(tables["scopes"]) == 2
        assert tables["layers"].iloc[:, 0].tolist() == ["streets.gpkg", "zones.gpkg"]
        assert all(
            "GCJ-02" in note and f"[{role}]" in note
            for role, note in zip(("streets", "zones"), tables["layers"].iloc[:, 3], strict=True)
        )
        book, page = write_quality(sections, study.name, tmp_path / lang, lang=lang)
        assert len(openpyxl.load_workbook(book).sheetnames) == len(sections)
        cells = [cell for row in openpyxl.load_workbook(book)[say(lang, "check.title_rejects")] for cell in row]
        named = [cell for cell in cells if isinstance(cell.value, str) and "HYPERLINK" in cell.value]
        assert named and all(cell.data_type == "s" for cell in named)
        text = page.read_text(encoding="utf-8")
        assert "<script>" not in text and "&lt;script&gt;" in text


def test_streets_that_fail_to_meet_are_told_with_their_place(small_study: Path):
    streets = gpd.read_file(small_study / "streets.gpkg")
    middle = streets.geometry.iloc[0].interpolate(0.5, normalized=True)
    alley = streets.iloc[[0]].assign(name="断头巷", geometry=[shapely.LineString([(middle.x, middle.y - 80), middle])])
    pd.concat([streets, alley], ignore_index=True).to_file(small_study / "streets.gpkg")
    study = load_study(small_study)
    inputs = read_inputs(study)
    table = next(s.table for s in quality_sections(study, inputs, walk(study, inputs), lang="zh") if s.key == "joints")
    told = table[table["另一条路"] == "断头巷"]
    assert told["情况"].tolist() == [say("zh", "check.joint_touch")]
    assert told["另一条路来源"].tolist() == [f"streets.gpkg#{len(streets) + 1}"]
    lon, lat = gpd.GeoSeries([middle], crs=small.CRS).to_crs("EPSG:4326").get_coordinates().iloc[0]
    assert told[["经度", "纬度"]].to_numpy()[0] == pytest.approx([lon, lat], abs=1e-6)


def test_places_on_an_island_of_the_network_or_across_water_are_doubtful(small_study: Path):
    streets = gpd.read_file(small_study / "streets.gpkg")
    x, y = small.node("L")
    pier = streets.iloc[[0]].assign(geometry=[shapely.LineString([(x + 30, y - 60), (x + 90, y - 60)])])
    pd.concat([streets, pier]).to_file(small_study / "streets.gpkg")
    river = gpd.GeoDataFrame(geometry=[shapely.box(x - 60, y - 40, x + 200, y - 20)], crs=small.CRS)
    river.to_file(small_study / "water.gpkg")
    settings = (small_study / "study.toml").read_text(encoding="utf-8")
    (small_study / "study.toml").write_text(
        settings.replace("[zones]", '[water]\nfile = "water.gpkg"\n[zones]'), encoding="utf-8"
    )
    file = small_study / "candidates.csv"
    rows = file.read_text(encoding="utf-8-sig")
    for number, (name, moved) in enumerate([("码头", (60, -55)), ("对岸", (-40, -50))]):
        rows += "C{},{},超市,,共享,24/7,歇脚,2,,{},{}\n".format(number + 8, name, *small.lonlat("L", *moved))
    file.write_text(rows, encoding="utf-8-sig")
    study = load_study(small_study)
    inputs = read_inputs(study)
    tables = {s.key: s.table for s in quality_sections(study, inputs, walk(study, inputs), lang="zh")}
    doubts = dict(tables["suspects"][["名称", "疑点"]].itertuples(index=False))
    assert doubts["码头"] == say("zh", "check.doubt_island")
    assert doubts["对岸"] == say("zh", "check.doubt_water")


def test_each_row_is_counted_and_each_warning_stands_under_what_it_is_about(small_study: Path):
    troubled(small_study)
    small.edit_cell(small_study / "sites.xlsx", "A1", "站点(2012年)")
    small.edit_cell(small_study / "sites.xlsx", "F3", "")
    study = load_study(small_study)
    inputs = read_inputs(study)
    assert len(inputs.topics) == len(inputs.warnings) == 2
    tables = {s.key: s.table for s in quality_sections(study, inputs, walk(study, inputs), lang="en")}
    assert tables["warnings"].iloc[:, 0].tolist() == ["age of the data", "files and words"]
    assert tables["files"].to_numpy().tolist() == [
        ["sites.xlsx", 2, 0, "WGS-84"], ["candidates.csv", 3, 1, "WGS-84"], ["couriers.csv", 1, 0, "WGS-84"], ["options.xlsx", 4, 0, ""]
    ]  # fmt: skip


def test_rejects_are_written_in_the_users_own_columns_as_text(small_study: Path, tmp_path: Path):
    troubled(small_study)
    inputs = read_inputs(load_study(small_study))
    sheet = openpyxl.load_workbook(write_rejects(inputs.rejects, tmp_path / "rejects.xlsx", lang="zh")).worksheets[0]
    heads = [cell.value for cell in sheet[1]]
    assert heads[3:6] == ["编号", "名称", "类别"] and sheet.title == "candidates.csv"
    assert [sheet.cell(2, 1).value, sheet.cell(2, 4).value, sheet.cell(2, 5).value] == [4, "C8", HOSTILE]
    assert sheet.cell(2, 5).data_type == "s"
