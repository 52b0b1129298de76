"""Studies are found, made, copied and opened; what is typed leads nowhere else."""

from pathlib import Path

import pytest
import small_study as small

from planner import embedded
from planner.errors import InputError
from planner.study import load_study
from planner.workspace import shelf


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv(shelf.ROOT_VARIABLE, str(tmp_path / "studies"))
    return tmp_path / "studies"


def test_a_new_study_stands_among_the_studies(root: Path):
    assert shelf.studies() == []
    file, trouble = shelf.start("东阳/核心区.. ", "120.1,29.2,120.4,29.4", lang="zh")
    assert trouble is None and file == root / "核心区" / "study.toml" and load_study(file).crs == "EPSG:4549"
    again, _ = shelf.start("核心区", None, lang="zh")
    assert again.parent.name == "核心区-2"
    assert {s.name for s in shelf.studies()} == {"核心区", "核心区-2"}
    assert shelf.find(shelf.address(file), anywhere=False) == file


def test_an_area_that_is_none_leaves_nothing(root: Path):
    with pytest.raises(InputError):
        shelf.start("甲", "1,2,3", lang="zh")
    assert list(root.glob("*")) == []


def test_a_copy_of_the_embedded_study_can_be_run(root: Path):
    file = shelf.copy(embedded.folder() / "study.toml", "我的武汉")
    study = load_study(file)
    assert all(study.path(name).read_bytes() == (embedded.folder() / name).read_bytes() for name in study.files())
    assert not shelf.is_embedded(file) and shelf.is_embedded(embedded.folder() / "study.toml")


def test_a_study_elsewhere_is_remembered_once_opened(tmp_path: Path):
    folder = small.write(tmp_path / "别处")
    with pytest.raises(InputError) as caught:
        shelf.find(str(folder), anywhere=False)
    assert caught.value.key == "study_not_here"
    file = shelf.find(f'"{folder}"', anywhere=True)
    shelf.remember(file)
    shelf.remember(file)
    assert [s.file for s in shelf.studies()] == [file] and shelf.find(shelf.address(file), anywhere=False) == file


@pytest.mark.parametrize("typed", ["", "  ", "没有", "../..", "a\0b", "~nobody/x", "study.toml", "/", "x" * 5000])
def test_what_is_no_study_is_told(typed: str):
    with pytest.raises(InputError):
        shelf.find(typed, anywhere=True)


def test_what_was_sent_is_laid_down_under_a_safe_name(tmp_path: Path):
    assert shelf.receive(tmp_path, "../../甲.csv", b"x", []) == "甲.csv"
    assert shelf.receive(tmp_path, "甲.CSV", b"y", ["甲.csv"]) == "甲-2.CSV"
    assert (tmp_path / "甲.csv").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [("a.exe", b"x", "upload_kind"), ("a.shp", b"x", "upload_kind"), ("a.csv", b"", "upload_empty")],
)
def test_what_cannot_be_read_is_not_laid_down(tmp_path: Path, name: str, content: bytes, key: str):
    with pytest.raises(InputError) as caught:
        shelf.receive(tmp_path / "x", name, content, [])
    assert caught.value.key == key and not (tmp_path / "x").exists()


def test_too_large_a_file_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(shelf, "MOST_UPLOAD_BYTES", 10)
    with pytest.raises(InputError) as caught:
        shelf.receive(tmp_path, "a.csv", b"x" * 11, [])
    assert caught.value.key == "too_large"
