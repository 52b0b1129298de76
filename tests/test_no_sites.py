"""Where no site stands yet: a table with a header and no rows, and everything is still to be planned."""

from pathlib import Path

import pytest
import small_study as small

from planner.errors import InputError
from planner.intake import read_inputs
from planner.pipeline import run
from planner.study import load_study
from planner.summary import summary
from planner.workspace.survey import survey

HEAD = ["编号", "名称", "类别", "开放时间", "服务项目", "经度", "纬度"]


@pytest.fixture
def bare(small_study: Path) -> Path:
    small.book(small_study / "sites.xlsx", [HEAD])
    return small_study


def test_a_county_without_a_site_gets_its_plan(bare: Path):
    result = run(load_study(bare))
    described = summary(result)
    assert described["coverage"]["existing"]["share"] == 0 and described["coverage"]["existing"]["worst_m"] is None
    assert described["coverage"]["plan"]["2028"]["share"] > 0.3 and len(described["plan"]["actions"]) == 2
    assert result.demand["nearest_site"].isna().all()
    assert any("sites.xlsx" in warning and "现状站点" in warning for warning in described["quality"]["warnings"])
    assert survey(load_study(bare), "zh").ready


def test_without_candidates_either_the_gaps_are_all_there_is(bare: Path):
    toml = (bare / "study.toml").read_text(encoding="utf-8")
    for part in ('[candidates]\nfile = "candidates.csv"\n', '[options]\nfile = "options.xlsx"\n'):
        assert part in toml
        toml = toml.replace(part, "")
    toml = toml[: toml.index("[plan]")] + toml[toml.index("[map]") :]
    (bare / "study.toml").write_text(toml, encoding="utf-8")
    result = run(load_study(bare))
    assert result.gaps["weight"].sum() == pytest.approx(173) and result.plan is None
    assert result.demand["nearest_site"].isna().all()


def test_a_table_of_sites_whose_rows_are_all_no_data_is_still_refused(bare: Path):
    small.book(bare / "sites.xlsx", [HEAD, ["合计", "", "", "", "", "", ""]])
    with pytest.raises(InputError) as caught:
        read_inputs(load_study(bare))
    assert caught.value.key == "no_rows_left"
