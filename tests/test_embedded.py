"""The embedded study of Wuhan: its distances against networkx, its plan against a re-scoring, and its promises."""

import re
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import oracle
import pytest
from PIL import Image

from planner.embedded import folder
from planner.pipeline import Result, run
from planner.report.document import write_document
from planner.report.pdf import write_pdf
from planner.study import load_study
from planner.words import LANGS, Lang


@pytest.fixture(scope="module")
def wuhan() -> Result:
    return run(load_study(folder()))


def test_every_nearest_m_equals_an_independent_computation(wuhan: Result):
    existing = wuhan.sites[wuhan.sites["status"].isin(["existing", "upgraded"])]
    assert (existing["role"] == "rest_station").sum() == 39
    expected = oracle.nearest_m(wuhan.streets.geometry, wuhan.demand.geometry, existing.geometry)
    found = wuhan.demand["nearest_m"].to_numpy()
    assert (np.isfinite(found) == np.isfinite(expected)).all()
    assert np.nanmax(np.abs(found - expected)) < 0.05


def test_the_plan_is_what_it_says(wuhan: Result):
    weights = wuhan.study.plan.normalised_year_weights
    scored = sum(w * wuhan.indicators[y]["effective_share"] for w, y in zip(weights, wuhan.years, strict=True))
    assert wuhan.plan.objective == pytest.approx(scored, rel=1e-9)
    assert wuhan.plan.gap <= 0.01 and wuhan.plan.bound >= wuhan.plan.objective
    spent = earned = 0.0
    for year, budget in zip(wuhan.years, wuhan.study.plan.budget, strict=True):
        spent, earned = spent + wuhan.cost_by_year[year], earned + budget
        assert spent <= earned + 1e-6


def test_each_group_has_its_people_and_each_unit_its_zone(wuhan: Result):
    people = wuhan.demand.groupby("group")["weight"].sum()
    assert people["sanitation"] == pytest.approx(2000)
    assert (wuhan.demand["zone"] != "").all()
    assert wuhan.demand["length_m"].max() <= 100 + 1e-6
    assert wuhan.demand["id"].is_unique and wuhan.rejects.empty


def test_what_is_made_up_says_so(wuhan: Result):
    assert "示意" in wuhan.study.illustrative
    assert "OpenStreetMap contributors" in wuhan.study.streets.source


def test_streets_are_noded(wuhan: Result):
    ends = gpd.GeoSeries(wuhan.streets.geometry).get_coordinates()
    assert wuhan.walks.network.n_nodes < len(ends)
    assert np.bincount(wuhan.walks.network.component).max() > 0.98 * wuhan.walks.network.n_nodes


@pytest.mark.slow
@pytest.mark.parametrize("lang", LANGS)
def test_the_report_has_ten_pages_at_most(wuhan: Result, tmp_path: Path, lang: Lang):
    if not (shutil.which("soffice") or shutil.which("libreoffice")):
        pytest.skip("no LibreOffice on this computer")
    Image.new("RGB", (420, 297), "white").save(tmp_path / "layout.png")
    write_document(wuhan, tmp_path / "report.docx", lang, sheets=[tmp_path / "layout.png"])
    pdf = write_pdf(tmp_path / "report.docx").read_bytes()
    assert 6 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 10
