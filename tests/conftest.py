from pathlib import Path

import pytest
import small_study as small


@pytest.fixture
def small_study(tmp_path: Path) -> Path:
    """The folder of the small study of `small_study.py`, fresh for each test."""
    return small.write(tmp_path / "study")


@pytest.fixture(scope="session")
def small_result(tmp_path_factory: pytest.TempPathFactory):
    """The result of the small study, run once."""
    from planner.pipeline import run
    from planner.study import load_study

    return run(load_study(small.write(tmp_path_factory.mktemp("small"))))
