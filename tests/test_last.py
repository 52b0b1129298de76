"""This year beside last year: the small study after its only change, and summaries that are none."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import small_study as small

from planner.errors import InputError
from planner.last import last_run, read_summary
from planner.pipeline import Result, run
from planner.report.story import Text, story
from planner.study import load_study
from planner.summary import summary, summary_json
from planner.words import say


@pytest.fixture(scope="module")
def this_year(tmp_path_factory, small_result: Result) -> Result:
    """S1 is open round the clock now."""
    folder = small.write(tmp_path_factory.mktemp("this") / "study")
    (folder / "last.json").write_text(summary_json(small_result), encoding="utf-8")
    (folder / "study.toml").write_text(small.STUDY + '\n[last]\nsummary = "last.json"\n', encoding="utf-8")
    small.edit_cell(folder / "sites.xlsx", "F3", "24/7")
    return run(load_study(folder))


def test_last_years_figures_and_gaps_stand_beside_this_years(this_year: Result, small_result: Result):
    found = summary(this_year)["last"]
    before = small_result.indicators[0]
    assert found["run_id"] == small_result.run_id != this_year.run_id
    assert found["coverage"]["effective_share"] == pytest.approx(before["effective_share"])
    assert found["coverage"]["share"] == pytest.approx(this_year.indicators[0]["share"])
    changes = found["changes"]
    total = [sum(part[when] for part in changes.values()) for when in ("before", "after")]
    assert total == pytest.approx([small_result.gaps["weight"].sum(), this_year.gaps["weight"].sum()])
    # Whoever only waited for S1 to open is served now; who was too far still is, in the same gaps.
    assert changes["closed"]["gaps"] > 0 and changes["new"]["gaps"] == 0 == changes["grown"]["gaps"]
    closed = {gap["reason_before"] for gap in found["gaps"] if gap["change"] == "closed"}
    assert closed == {"closed_then"}
    assert changes["same"]["gaps"] >= (small_result.gaps["reason"] == "too_far").sum()


def test_a_study_that_names_no_earlier_run_has_none(small_result: Result):
    assert small_result.last is None and summary(small_result)["last"] is None


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_report_tells_it(this_year: Result, lang):
    told = [block.text for block in story(this_year, lang) if isinstance(block, Text)]
    assert any(this_year.last.run_id in text for text in told)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_runs_of_different_scopes_are_not_compared(this_year: Result, lang):
    moved = replace(this_year, study=this_year.study.model_copy(update={"scope": "A"}))
    assert this_year.last is not None
    for scope, refused in (("B", True), ("A", False), ("", False)):
        result = replace(moved, last=replace(this_year.last, scope=scope))
        told = " ".join(block.text for block in story(result, lang) if isinstance(block, Text))
        assert (this_year.last.run_id in told) is not refused
        assert (say(lang, "document.last_scope", name=this_year.last.name, before="B", after="A") in told) is refused


@pytest.mark.parametrize(
    "broken",
    [
        [1],
        {"schema": 2, "study": {}, "coverage": {}, "gaps": []},
        {"schema": 1, "study": {}, "coverage": {}, "gaps": []},
        {"gaps": [{"id": "a", "zone": "", "group": "g", "reason": "full", "weight": "many"}]},
        {"gaps": [7]},
        {"coverage": {"existing": {"share": True}}},
        {"standard": {"service_radius_m": float("nan")}},
    ],
)
def test_what_is_no_summary_is_refused_with_one_sentence(tmp_path: Path, broken, small_result: Result):
    content = (
        json.loads(summary_json(small_result)) | broken
        if isinstance(broken, dict) and "schema" not in broken
        else broken
    )
    file = tmp_path / "s.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=r"s\.json"):
        last_run(read_summary(file, "s.json"), "s.json")


def test_nothing_there(tmp_path: Path):
    with pytest.raises(InputError, match=r"s\.json"):
        read_summary(tmp_path / "s.json", "s.json")
