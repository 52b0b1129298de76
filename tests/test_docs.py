import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from planner.study import Objective, PlanSettings

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("page", ["reach.md"])
def test_the_examples_of_a_page_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)


def test_the_settings_that_the_page_on_plans_shows_are_settings() -> None:
    text = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    blocks = [tomllib.loads(b)["plan"] for b in re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)]
    first = PlanSettings.model_validate(blocks[0])
    shown = PlanSettings.model_validate({**blocks[0], **blocks[1]})
    assert len(shown.limits) == 4 and len(shown.floors) == 2 and not first.limits
    objectives = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)[1:]
    assert set(objectives) == set(get_args(Objective))
    for objective in objectives:
        PlanSettings.model_validate({**blocks[0], "objective": objective, "required": ["C1"]})
    with pytest.raises(ValueError, match="least_cost_of_nothing"):
        PlanSettings.model_validate({**blocks[0], "objective": "least_cost"})
