import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from planner.intake.cells import METRES, PEOPLE, SQUARE_METRES, money, number
from planner.intake.headings import HEADINGS, field_of
from planner.report.figures import norm_rule
from planner.standards import norms
from planner.study import Objective, PlanSettings, ProgrammeSettings, Table, parse_study

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("page", ["reach.md", "coverage.md"])
def test_the_examples_of_a_page_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)


def test_the_settings_that_the_page_on_plans_shows_are_settings() -> None:
    text = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    tables = [tomllib.loads(b) for b in re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)]
    blocks = [table["plan"] for table in tables if "plan" in table]
    first = PlanSettings.model_validate(blocks[0])
    shown = PlanSettings.model_validate({**blocks[0], **blocks[1]})
    assert len(shown.limits) == 4 and len(shown.floors) == 2 and not first.limits
    assert PlanSettings.model_validate({**blocks[0], **blocks[2]}).max_changes == 4
    (programme,) = [ProgrammeSettings.model_validate(table["programme"]) for table in tables if "programme" in table]
    assert [bool(rule.mode) for rule in programme.rules] == [True, False]
    objectives = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)[1:]
    assert set(objectives) == set(get_args(Objective))
    for objective in objectives:
        PlanSettings.model_validate({**blocks[0], "objective": objective, "required": ["C1"]})
    with pytest.raises(ValueError, match="least_cost_of_nothing"):
        PlanSettings.model_validate({**blocks[0], "objective": "least_cost"})


def test_the_headings_that_the_page_on_intake_shows_are_understood() -> None:
    text = (ROOT / "docs" / "intake.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`\w+`(?: `\w+`)*) \| ([^|]+) \|$", text, flags=re.MULTILINE)
    shown = [field for fields, _ in rows for field in re.findall(r"`(\w+)`", fields)]
    assert sorted(shown) == sorted(HEADINGS)
    for fields, words in rows:
        for word in re.split(r"[、;]", re.sub(r"[((][^))]*[))]", "", words)):
            assert field_of(word.strip()) in re.findall(r"`(\w+)`", fields), word
    sites = tomllib.loads(re.search(r"```toml\n(.*?)```", text, flags=re.DOTALL)[1])["sites"]
    assert Table.model_validate(sites).columns["capacity"] == ""


@pytest.mark.parametrize("cell", ["12万", "1.2万人", "约30余人", "0.8 km", "500米", "3.5万㎡", "12亩", "5000元/年"])
def test_the_cells_that_the_page_on_intake_shows_are_numbers(cell: str) -> None:
    assert cell in (ROOT / "docs" / "intake.md").read_text(encoding="utf-8")
    assert any(number(cell, units) == number(cell, units) for units in (PEOPLE, METRES, SQUARE_METRES, money("元")))


def test_the_settings_that_the_page_on_coverage_shows_are_settings() -> None:
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    head = 'schema = 1\nname = "x"\ncrs = "EPSG:4549"\n'
    rest = '\n[sites]\nfile = "sites.xlsx"\n[streets]\nfile = "streets.gpkg"\n'
    study = parse_study(head + block + rest, ROOT / "study.toml")
    assert [demand.kind for demand in study.demand] == ["line", "zone", "enterprise"] and study.scopes == (study.scope,)


def test_the_page_on_coverage_has_every_norm_as_it_is() -> None:
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    for norm, told in norms().items():
        asks = "; ".join(norm_rule(rule, "en") for rule in told["rules"])
        assert f"| `{norm}` | {told['zh']} | {asks} | {told['source']} ({told['confidence']}) |" in text
