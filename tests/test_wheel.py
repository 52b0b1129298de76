"""What is packed into a wheel and an sdist, and that the package finds its embedded study there. Needs no network."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import planner
from planner import embedded
from planner.errors import SurroundingsError

ROOT = Path(__file__).resolve().parents[1]


def build(kind: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def test_a_wheel_carries_the_embedded_study_and_the_words(wheel: Path):
    assert planner.__version__ in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    study = {f"planner/_embedded/wuhan/{file.name}" for file in (ROOT / "data" / "wuhan").iterdir()}
    words = {f"planner/words/{file.name}" for file in (ROOT / "planner" / "words").glob("*.toml")}
    assert "planner/_embedded/wuhan/study.toml" in study and study | words <= set(names)
    assert {"planner/_embedded/README.md", "planner/py.typed"} <= set(names), "the data's licences go with the data"
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"planner"}


def test_the_wheel_finds_its_own_study_away_from_the_repository(wheel: Path, tmp_path: Path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "from planner.embedded import folder; from planner.study import load_study; print(load_study(folder()).folder)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUTF8": "1"}
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert Path(found.stdout.strip()) == (tmp_path / "planner" / "_embedded" / "wuhan").resolve()


def test_an_sdist_can_be_built_and_run(tmp_path: Path):
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {
        "pyproject.toml",
        "run.py",
        "constraints.txt",
        "app.py",
        "data/wuhan/study.toml",
        "data/README.md",
        "tests/conftest.py",
    }
    assert needed <= names
    assert not [name for name in names if name.startswith(("maps/", "out/", ".venv", ".git/"))]


def test_a_checkout_finds_the_study_beside_the_package():
    assert embedded.folder() == ROOT / "data" / "wuhan"


def test_an_installation_without_the_study_says_so(tmp_path: Path):
    with pytest.raises(SurroundingsError) as error:
        embedded.folder(tmp_path / "planner")
    assert str(tmp_path) in error.value.text("zh") and error.value.exit_code == 3
