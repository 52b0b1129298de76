"""A study with ten faults shows all ten; files are told apart by what is in them; suggestions land where the study is."""

from pathlib import Path

import pandas as pd
import pytest
import small_study as small

from planner import embedded
from planner.errors import InputError
from planner.intake import read_inputs
from planner.study import load_study
from planner.tables import REJECT_COLUMNS
from planner.workspace.repairs import suggest
from planner.workspace.sorting import guess_role
from planner.workspace.survey import survey


def test_a_sound_study_has_no_findings_that_stop_it(small_study: Path):
    study = load_study(small_study)
    found = survey(study, "zh")
    assert found.ready and list(found.findings) == ["streets", "zones", "sites", "candidates", "options", "demand.1"]
    inputs = read_inputs(study)
    used = {role: findings.used for role, findings in found.findings.items()}
    existing = int((inputs.sites["status"] == "existing").sum())
    assert (used["streets"], used["zones"], used["sites"]) == (len(inputs.streets), len(inputs.zones), existing)
    # Every sentence of the run is among the findings.
    assert set(inputs.warnings) <= {w for f in found.findings.values() for w in f.warnings} | set(found.warnings)


def test_all_faults_show_at_once(small_study: Path):
    small.edit_cell(small_study / "sites.xlsx", "F3", "看心情")
    small.edit_cell(small_study / "sites.xlsx", "H4", "很多")
    small.edit_cell(small_study / "sites.xlsx", "E4", "不知道")
    small.edit_cell(small_study / "options.xlsx", "G2", "面议")
    (small_study / "zones.gpkg").unlink()
    found = survey(load_study(small_study), "en")
    assert not found.ready
    faults = {(f.role, fault.row, fault.heading) for f in found.findings.values() for fault in f.faults}
    assert faults == {
        ("sites", 3, "开放时间"), ("sites", 4, "座位数"), ("sites", 4, "建设方式"), ("options", 2, "建设费(万元)"),
    }  # fmt: skip
    assert found.findings["zones"].problem.key == "file_missing"
    assert found.findings["candidates"].fine and found.findings["candidates"].used == 2


def test_what_may_stand_in_a_table_is_no_fault(small_study: Path):
    small.edit_cell(small_study / "options.xlsx", "A5", "改造提升")
    assert survey(load_study(small_study), "zh").ready


def test_ids_that_stand_twice_or_are_blank_are_faults(small_study: Path):
    small.edit_cell(small_study / "sites.xlsx", "A4", "S1")
    (fault,) = survey(load_study(small_study), "zh").findings["sites"].faults
    assert (fault.row, fault.heading, fault.error.key) == (4, "编号", "id_twice")
    small.edit_cell(small_study / "sites.xlsx", "A4", None)
    (fault,) = survey(load_study(small_study), "zh").findings["sites"].faults
    assert (fault.row, fault.heading, fault.error.key) == (4, "编号", "cell_empty")


def test_without_a_header_the_first_rows_are_shown(small_study: Path):
    small.book(small_study / "sites.xlsx", [["甲", "乙"], ["丙", "丁"]])
    found = survey(load_study(small_study), "zh").findings["sites"]
    assert found.problem.key == "no_header" and found.preview == (("甲", "乙"), ("丙", "丁"))


def test_a_fault_of_the_study_as_a_whole_is_told(small_study: Path):
    text = (small_study / "study.toml").read_text(encoding="utf-8")
    (small_study / "study.toml").write_text(text.replace("[plan]", '[plan]\nrequired = ["X"]'), encoding="utf-8")
    found = survey(load_study(small_study), "zh")
    assert not found.ready and found.problem.key == "place_unknown"


def test_a_field_that_is_set_to_nothing_is_in_no_column(small_study: Path):
    text = (small_study / "study.toml").read_text(encoding="utf-8")
    text = text.replace(
        '[sites]\nfile = "sites.xlsx"', '[sites]\nfile = "sites.xlsx"\ncolumns = { opening_hours = "", host = "地址" }'
    )
    (small_study / "study.toml").write_text(text, encoding="utf-8")
    inputs = read_inputs(load_study(small_study))
    assert (inputs.sites["opening_hours"][:2] == "").all() and inputs.sites["host"][0] == "人民路1号"


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("streets.gpkg", "streets"), ("zones.gpkg", "zones"), ("sites.xlsx", "sites"), ("candidates.csv", "candidates"),
        ("options.xlsx", "options"), ("couriers.csv", "demand.0"),
    ],
)  # fmt: skip
def test_files_are_told_apart(small_study: Path, name: str, role: str):
    assert guess_role(load_study(small_study), name) == role


def test_the_embedded_files_are_told_apart():
    study = load_study(embedded.folder())
    names = {"streets.gpkg": "streets", "zones.gpkg": "zones", "water.gpkg": "water", "sites.xlsx": "sites",
             "candidates.csv": "candidates", "options.xlsx": "options", "outdoor.csv": "demand.0"}  # fmt: skip
    assert {name: guess_role(study, name) for name in names} == names


def test_what_is_no_file_of_a_study_is_refused(small_study: Path):
    (small_study / "x.csv").write_bytes(b"\x00\x01\x02" * 50)
    (small_study / "y.zip").write_bytes(b"PK\x03\x04 no archive")
    for name in ("x.csv", "y.zip"):
        with pytest.raises(InputError):
            guess_role(load_study(small_study), name)


AREA = (524_000.0, 3_383_000.0, 527_000.0, 3_386_000.0)


def rejects(*cells: tuple[str, str]) -> pd.DataFrame:
    rows = [("a.csv", n, "", "", "", {"经度": x, "纬度": y}) for n, (x, y) in enumerate(cells, 2)]
    return pd.DataFrame(rows, columns=list(REJECT_COLUMNS))


@pytest.mark.parametrize(
    ("lon", "lat"),
    [("l14.2612", "30.58"), ("114,2612", "30.58"), ("114。2612", "30.58"), ("1142612", "3058000"), ("114.26.12", "30.58"),
     ("114.2612约", "30.58"), ("II4.26I2", "3O.58")],
)  # fmt: skip
def test_what_an_unreadable_coordinate_was_meant_to_be(lon: str, lat: str):
    found = suggest(rejects((lon, lat)), {"lon": "经度", "lat": "纬度"}, small.CRS, AREA)
    assert found == {2: {"经度": "114.2612", "纬度": "30.58"}}


@pytest.mark.parametrize(
    ("lon", "lat"), [("待查", "待查"), ("", ""), ("14.26", "30.58"), ("120.1", "29.3"), ("13800138000", "30.58")]
)
def test_nothing_is_suggested_that_lies_elsewhere(lon: str, lat: str):
    assert suggest(rejects((lon, lat)), {"lon": "经度", "lat": "纬度"}, small.CRS, AREA) == {}
