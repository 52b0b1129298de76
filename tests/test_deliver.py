"""A set is written whole or not at all, also into a folder that holds an earlier one."""

from pathlib import Path

import pytest

from planner.deliver import OPTIONAL, write_whole
from planner.errors import SurroundingsError


def fill(text: str):
    def write(folder: Path) -> None:
        (folder / "maps").mkdir()
        (folder / "a.txt").write_text(text, encoding="utf-8")
        (folder / "maps" / f"{text}.png").write_text(text, encoding="utf-8")
        (folder / "z.txt").write_text(text, encoding="utf-8")

    return write


def content(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_new_folder_holds_the_set_and_nothing_else(tmp_path: Path):
    files = write_whole(tmp_path / "deep" / "out", fill("one"))
    assert [f.name for f in files] == ["a.txt", "one.png", "z.txt"]
    assert set(content(tmp_path)) == {"deep/out/a.txt", "deep/out/maps/one.png", "deep/out/z.txt"}


def test_a_second_set_replaces_the_first_and_leaves_what_is_not_its_own(tmp_path: Path):
    write_whole(tmp_path, fill("one"))
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write_whole(tmp_path, fill("two"), stale=OPTIONAL)
    assert content(tmp_path) == {"a.txt": "two", "maps/two.png": "two", "notes.txt": "mine", "z.txt": "two"}


def test_what_only_the_first_run_was_asked_for_does_not_stand_beside_the_second(tmp_path: Path):
    (tmp_path / "exchange").mkdir()
    for name in ("report.pdf", "exchange/gaps.csv", "exchange/gaps.geojson", "exchange/mine.txt"):
        (tmp_path / name).write_text("old", encoding="utf-8")
    write_whole(tmp_path, fill("two"), stale=OPTIONAL)
    assert set(content(tmp_path)) == {"a.txt", "maps/two.png", "z.txt", "exchange/mine.txt"}


def test_when_one_file_cannot_be_replaced_all_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_whole(tmp_path, fill("one"))
    before = content(tmp_path)
    replace = Path.replace

    def held_open(self: Path, target: Path) -> Path:
        if self.name == "z.txt" and self.parent.name == "new":
            raise PermissionError(13, "held open by another program")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", held_open)
    with pytest.raises(SurroundingsError, match="held open"):
        write_whole(tmp_path, fill("two"), stale=OPTIONAL)
    assert content(tmp_path) == before


def test_when_writing_fails_no_folder_is_left(tmp_path: Path):
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    with pytest.raises(SurroundingsError, match="No space left"):
        write_whole(tmp_path / "out", fail)
    assert list(tmp_path.iterdir()) == []
