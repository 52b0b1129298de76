"""Scenarios beside a study: saved whole or not at all, never over somebody else's, and told where damaged."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from planner import saving, scenarios
from planner.errors import ConflictError, SurroundingsError
from planner.scenarios import Scenario, file_name, keep, kept
from planner.whatif import Edit

EDITS = (
    Edit(do="add", site="W1", lon=114.3, lat=30.6, name="新站 <b>", opening_hours="24/7"),
    Edit(do="close", site="S1"),
)


def test_what_is_kept_comes_back(tmp_path: Path):
    scenario = Scenario(name="夜班方案", moment=2027, edits=EDITS, run_id="abc")
    saved = keep(tmp_path, scenario)
    (found,) = kept(tmp_path)
    assert found.scenario == scenario and found.revision == saved.revision and found.error is None
    assert json.loads(saved.path.read_text(encoding="utf-8"))["schema"] == 1


def test_what_somebody_else_saved_is_not_overwritten(tmp_path: Path):
    first = keep(tmp_path, Scenario(name="A"))
    keep(tmp_path, Scenario(name="A", edits=EDITS), seen=first.revision)
    before = first.path.read_bytes()
    for seen in (first.revision, ""):
        with pytest.raises(ConflictError) as told:
            keep(tmp_path, Scenario(name="A"), seen=seen)
        assert told.value.key == "changed_meanwhile"
    assert first.path.read_bytes() == before


def test_of_many_who_save_at_once_one_wins(tmp_path: Path):
    seen, lost = saving.revision(tmp_path / "x"), []
    gate = threading.Barrier(8)

    def write(number: int) -> None:
        gate.wait()
        try:
            saving.save(tmp_path / "x", str(number), seen=seen)
        except ConflictError:
            lost.append(number)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lost) == 7 and int((tmp_path / "x").read_text()) not in lost


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"schema": 2, "name": "x"}', b'{"schema": 1, "name": ""}', b"[" * 999,
                                     b'{"schema": 1, "name": "x", "edits": [{"do": "burn", "site": "S1"}]}'])  # fmt: skip
def test_a_damaged_file_is_told_left_alone_and_hides_no_other(tmp_path: Path, content: bytes):
    keep(tmp_path, Scenario(name="good", edits=EDITS))
    bad = tmp_path / scenarios.FOLDER / "bad.json"
    bad.write_bytes(content)
    found = {one.path.name: one for one in kept(tmp_path)}
    assert found["good.json"].scenario and found["bad.json"].error.key == "scenario_damaged"
    assert bad.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("夜班 方案", "夜班-方案"),
        ("../../etc/passwd", "etc-passwd"),
        ("a/b\\c:d", "a-b-c-d"),
        ("con", "_con"),
        ("..", "_"),
        (" 2027·方案(二) ", "2027·方案(二)"),
    ],
)
def test_a_name_is_no_path(tmp_path: Path, name: str, file: str):
    assert file_name(name) == file
    saved = keep(tmp_path, Scenario(name=name))
    assert saved.path.parent == tmp_path / scenarios.FOLDER


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch):
    saved = keep(tmp_path, Scenario(name="A", edits=EDITS))
    before = saved.path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(SurroundingsError) as told:
        keep(tmp_path, Scenario(name="A"), seen=saved.revision)
    assert told.value.key == "cannot_write" and saved.path.read_bytes() == before
    assert [p.name for p in saved.path.parent.iterdir()] == [saved.path.name]


def test_killed_in_the_middle_of_a_save_nothing_saved_before_is_lost(tmp_path: Path):
    path = tmp_path / "kept"
    saving.save(path, f"{50:09}")
    # What is saved says how long it is.
    script = (
        "import itertools, sys; from pathlib import Path; from planner.saving import revision, save\n"
        "path = Path(sys.argv[1]); print('begun', flush=True)\n"
        "for n in itertools.count(1):\n"
        "    save(path, f'{n:09}' + 'x' * (n % 50 * 100_000), seen=revision(path))\n"
    )
    for delay in (0.0, 0.03):
        writer = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout.readline() == "begun\n"
        time.sleep(0.05 + delay)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        # Whole: either as it was or as it was meant to be, whenever the power went.
        text = path.read_text()
        assert len(text) == 9 + int(text[:9]) % 50 * 100_000
