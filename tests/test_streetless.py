"""A study without streets: straight lines × a detour factor, marked as such from the settings to every paper."""

import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import small_study

from planner.deliver import deliver
from planner.errors import InputError
from planner.pipeline import run
from planner.study import load_study
from planner.summary import summary


@pytest.fixture(scope="module")
def streetless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study as one has it where nobody has drawn the streets: sites, couriers and zones."""
    folder = small_study.write(tmp_path_factory.mktemp("streetless"))
    text = small_study.STUDY.replace('[streets]\nfile = "streets.gpkg"\n', "")
    line = text[text.index('[[demand]]\nkind = "line"') : text.index('[[demand]]\nkind = "point"')]
    group = text[text.index("[groups.sweepers]") : text.index("[groups.couriers]")]
    (folder / "study.toml").write_text(text.replace(line, "").replace(group, ""), encoding="utf-8")
    (folder / "streets.gpkg").unlink()
    return folder


def test_without_streets_walks_are_straight_lines_and_every_paper_says_so(streetless: Path, tmp_path: Path) -> None:
    result = run(load_study(streetless))
    # C is 300 m east of F's column and 300 m north of it; the couriers stand 10 m farther north; S2 at J is farther still.
    assert result.demand["nearest_m"].iloc[0] == pytest.approx(1.3 * np.hypot(300, 310), abs=0.01)
    assert result.demand["nearest_site"].iloc[0] == "S1"
    assert result.gaps["reason"].tolist() == ["too_far"]
    described = summary(result)
    assert described["network"] | {"source": ""} == {
        "source": "", "nodes": 0, "edges": 0, "length_km": 0, "components": 0, "approximate": True,
    }  # fmt: skip
    assert described["network"]["source"].startswith("近似")
    assert any("近似" in warning for warning in described["quality"]["warnings"])
    deliver(result, tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "out" / "report.docx") as report:
        pages = "".join(report.read(name).decode() for name in report.namelist() if name.endswith(".xml"))
    assert pages.count("近似") >= 3
    assert "近似" in (tmp_path / "out" / "map.html").read_text(encoding="utf-8")
    sheets = openpyxl.load_workbook(tmp_path / "out" / "programme.xlsx", read_only=True)
    for name in sheets.sheetnames:
        assert any("近似" in str(cell) for row in sheets[name].iter_rows(values_only=True) for cell in row), name
    streets = gpd.read_file(tmp_path / "out" / "plan.gpkg", layer="streets")
    assert len(streets) == 0
    assert list(streets.columns) == ["id", "highway", "name", "length_m", "source", "geometry"]


def test_line_demand_without_streets_is_refused(tmp_path: Path) -> None:
    folder = small_study.write(tmp_path)
    (folder / "study.toml").write_text(
        small_study.STUDY.replace('[streets]\nfile = "streets.gpkg"\n', ""), encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"\[streets\]"):
        load_study(folder)
