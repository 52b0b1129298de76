"""OR-Library's p-median instances (Beasley 1990) to their published optima, where the files lie beside the repository."""

import sys
from pathlib import Path

import pytest

from planner.siting import from_cost_matrix

ROOT = Path(__file__).parents[2]
FOLDER = ROOT.parent / "shared" / "data" / "orlib"
sys.path.insert(0, str(ROOT / "benchmarks"))


@pytest.mark.parametrize(("name", "optimum"), [("pmed1", 5819), ("pmed5", 1355), ("pmed10", 1255), ("pmed20", 1789)])
def test_published_optimum_is_proven(name: str, optimum: int) -> None:
    file = FOLDER / f"{name}.txt"
    if not file.is_file():
        pytest.skip(f"OR-Library's {name}.txt is not beside the repository")
    from siting import orlib

    matrix, p = orlib(file)
    plan = from_cost_matrix(matrix, [1.0] * matrix.shape[0], objective="p_median", p_facilities=p)
    assert (plan.status, plan.objective, len(plan.selected)) == ("optimal", optimum, p)
