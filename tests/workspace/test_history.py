"""A save is whole or not at all, whoever is killed; nobody writes over another; every save can be undone."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from planner.errors import ConflictError, InputError, SurroundingsError
from planner.study import load_study
from planner.workspace import files, history


@pytest.fixture
def file(small_study: Path) -> Path:
    return small_study / "study.toml"


def renamed(file: Path, name: str) -> str:
    return history.read_text(file).replace('name = "小研究"', f'name = "{name}"')


def name(file: Path) -> str:
    return load_study(file).name


def corrected(file: Path, folder: Path, number: int) -> tuple[str, dict[str, Path]]:
    """A text that names a corrected table, and where that table is."""
    made = folder / f"sites-{number}.xlsx"
    made.write_bytes((file.parent / "sites.xlsx").read_bytes() + bytes(number))
    text = renamed(file, f"第{number}版").replace('file = "sites.xlsx"', f'file = "{made.name}"')
    return text, {made.name: made}


def test_saves_are_undone_and_done_again_one_by_one(file: Path):
    for number in (1, 2, 3):
        history.save(file, renamed_any(file, number), {}, seen=history.look(file), what="state_saved")
    assert name(file) == "第3版"
    for wanted in ("第2版", "第1版", "小研究"):
        history.step(file, -1, seen=history.look(file))
        assert name(file) == wanted
    with pytest.raises(InputError):
        history.step(file, -1, seen=history.look(file))
    for wanted in ("第1版", "第2版", "第3版"):
        history.step(file, +1, seen=history.look(file))
        assert name(file) == wanted
    with pytest.raises(InputError):
        history.step(file, +1, seen=history.look(file))


def renamed_any(file: Path, number: int) -> str:
    old = name(file)
    return history.read_text(file).replace(f'"{old}"', f'"第{number}版"')


def test_the_same_text_twice_can_still_be_undone_step_by_step(file: Path):
    first = history.read_text(file)
    for text in (renamed(file, "甲"), first, renamed(file, "甲")):
        history.save(file, text, {}, seen=history.look(file), what="state_saved")
    seen = []
    for _ in range(3):
        history.step(file, -1, seen=history.look(file))
        seen.append(name(file))
    assert seen == ["小研究", "甲", "小研究"]


def test_a_save_after_undoing_takes_the_place_of_what_was_undone(file: Path):
    for number in (1, 2):
        history.save(file, renamed_any(file, number), {}, seen=history.look(file), what="state_saved")
    history.step(file, -1, seen=history.look(file))
    history.save(file, renamed_any(file, 9), {}, seen=history.look(file), what="state_saved")
    assert history.read_history(file).after is None
    history.step(file, -1, seen=history.look(file))
    assert name(file) == "第1版"


def test_what_was_changed_by_hand_is_a_state_too(file: Path):
    history.save(file, renamed(file, "甲"), {}, seen=history.look(file), what="state_saved")
    file.write_text(history.read_text(file).replace("甲", "手改"), encoding="utf-8")
    assert history.read_history(file).states[-1].what == "state_by_hand"
    history.save(file, history.read_text(file).replace("手改", "乙"), {}, seen=history.look(file), what="state_saved")
    history.step(file, -1, seen=history.look(file))
    assert name(file) == "手改"


@pytest.mark.parametrize("what", ["study.toml", "sites.xlsx"])
def test_what_another_changed_meanwhile_is_not_written_over(file: Path, what: str):
    seen = history.look(file)
    other = file.parent / what
    other.write_bytes(other.read_bytes() + b"\n")
    before = other.read_bytes()
    with pytest.raises(ConflictError) as caught:
        history.save(file, renamed(file, "我的"), {}, seen=seen, what="state_saved")
    assert what in caught.value.text("zh") and "载入最新" in caught.value.text("zh")
    assert other.read_bytes() == before and name(file) == "小研究"
    with pytest.raises(ConflictError):
        history.step(file, -1, seen=seen)


def test_of_two_who_save_at_once_one_is_told(file: Path, monkeypatch):
    seen = history.look(file)
    results: list[str] = []
    gate = threading.Barrier(2)

    def save(own: str) -> None:
        text = renamed(file, own)
        gate.wait()
        try:
            history.save(file, text, {}, seen=seen, what="state_saved")
            results.append(own)
        except ConflictError:
            results.append("told")

    people = [threading.Thread(target=save, args=(own,)) for own in ("甲", "乙")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(results)[0] == "told" and name(file) in results


def test_wrong_settings_are_not_saved(file: Path):
    before = file.read_bytes()
    with pytest.raises(InputError):
        history.save(file, renamed(file, "甲") + "\n[plan]\n", {}, seen=history.look(file), what="state_saved")
    assert file.read_bytes() == before


@pytest.mark.parametrize("fails_at", range(1, 7))
def test_a_save_that_fails_anywhere_leaves_the_study_as_it_was_or_is_complete(file, tmp_path, monkeypatch, fails_at):
    text, new = corrected(file, tmp_path, 1)
    seen, calls, replace = history.look(file), [], os.replace

    def failing(source, target):
        calls.append(target)
        if len(calls) == fails_at:
            raise PermissionError(13, "held open")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    try:
        history.save(file, text, new, seen=seen, what="state_saved", made=tuple(new))
        saved = True
    except SurroundingsError:
        saved = False
    monkeypatch.undo()
    study = load_study(file)
    assert study.name == ("第1版" if saved else "小研究")
    assert all(study.path(named).is_file() for named in study.files())
    assert (file.parent / "sites-1.xlsx").exists() == saved
    assert not list(file.parent.rglob("*.part"))
    # And it can be tried again.
    history.save(file, text.replace("第1版", "再试"), new, seen=history.look(file), what="state_saved")
    assert name(file) == "再试"


DIE = """
import os, sys
from pathlib import Path
from planner.workspace import history
file, made, dies_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
calls, replace = [], os.replace
def deadly(source, target):
    calls.append(target)
    if len(calls) == dies_at:
        os._exit(9)
    replace(source, target)
os.replace = deadly
text = history.read_text(file).replace('"小研究"', '"新"').replace('file = "sites.xlsx"', 'file = "sites-1.xlsx"')
history.save(file, text, {"sites-1.xlsx": made}, seen=history.look(file), what="state_saved")
"""


@pytest.mark.parametrize("dies_at", [2, 4])
def test_whoever_is_killed_in_the_middle_leaves_a_whole_study(file: Path, tmp_path: Path, dies_at: int):
    made = tmp_path / "sites-1.xlsx"
    made.write_bytes((file.parent / "sites.xlsx").read_bytes())
    ended = subprocess.run(
        [sys.executable, "-c", DIE, str(file), str(made), str(dies_at)], check=False, capture_output=True
    )
    assert ended.returncode == 9, ended.stderr.decode("utf-8", "replace")
    study = load_study(file)
    assert study.name == "小研究" and all(study.path(named).is_file() for named in study.files())
    # The lock died with it, and what it left behind is in nobody's way.
    text = renamed(file, "后来").replace('file = "sites.xlsx"', 'file = "sites-1.xlsx"')
    history.save(file, text, {"sites-1.xlsx": made}, seen=history.look(file), what="state_saved")
    assert name(file) == "后来"
    history.step(file, -1, seen=history.look(file))
    assert name(file) == "小研究"


def test_old_states_go_and_the_tables_only_they_needed_with_them(file: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(history, "KEPT", 3)
    for number in range(1, 6):
        made = tmp_path / f"sites-{number}.xlsx"
        made.write_bytes((file.parent / "sites.xlsx").read_bytes() + bytes(number))
        old = load_study(file).sites.file
        text = history.read_text(file).replace(f'file = "{old}"', f'file = "{made.name}"')
        history.save(
            file, text, {made.name: made}, seen=history.look(file), what="state_saved", made=(made.name,)
        )  # fmt: skip
    assert sorted(p.name for p in file.parent.glob("sites*.xlsx")) == [
        "sites-3.xlsx", "sites-4.xlsx", "sites-5.xlsx", "sites.xlsx",
    ]  # fmt: skip
    assert len(history.read_history(file).states) == 3


def test_a_broken_study_can_be_gone_back_from(file: Path):
    history.save(file, renamed(file, "好"), {}, seen=history.look(file), what="state_saved")
    file.write_text("name = [", encoding="utf-8")
    history.step(file, -1, seen=history.look(file))
    assert name(file) == "好"


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../study.toml", "study.toml"),
        ("C:\\users\\x\\驿站 表.csv", "驿站 表.csv"),
        ("con.csv", "_con.csv"),
        ("..", "file"),
        (".planner", "planner"),
        ("a\x00<b>.csv", "a__b_.csv"),
        ("a.csv. ", "a.csv"),
        ("长" * 300 + ".xlsx", "长" * 75 + ".xlsx"),
    ],
)
def test_names_from_outside_are_made_safe(given: str, safe: str):
    assert files.safe_name(given) == safe


def test_a_free_name_is_free_on_every_system():
    assert files.free_name("A.csv", {"a.csv", "a-2.CSV"}) == "A-3.csv"
    assert files.free_name("b.csv", {"a.csv"}) == "b.csv"
