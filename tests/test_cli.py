"""The commands as a shell sees them: exit codes, one sentence on stderr, nothing half-written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
import small_study as small

from planner import cli
from planner.study import SHEETS
from planner.words import say


def planner(
    *words: object, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "planner", *map(str, words)]
    environment = {**os.environ, "PYTHONUTF8": "1", **(env or {})}
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment, cwd=cwd, check=False
    )


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def leave(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_run_writes_the_whole_set_and_says_what_it_found(small_study: Path, tmp_path: Path):
    done = planner("run", small_study, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    names = {"summary.json", "plan.gpkg", "programme.xlsx", "report.docx", "map.html", "maps"}
    assert names <= set(leave(tmp_path / "out"))
    assert {p.suffix for p in (tmp_path / "out" / "maps").iterdir()} >= {".pdf", ".png", ".svg"}
    assert leave(tmp_path) == ["out", "study"], "no temporary folder is left behind"
    content = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert f"{content['coverage']['existing']['share']:.1%}" in done.stdout
    # A second run into the same folder replaces the set.
    assert planner("run", small_study, "--out", tmp_path / "out", "--lang", "en").returncode == 0


def test_progress_is_lines_where_it_is_asked_for(small_study: Path, tmp_path: Path):
    done = planner("run", small_study, "--out", tmp_path / "out", "--progress", "--time-limit", 60, "--lang", "en")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert any(line.startswith("✓ Solving the plan") for line in lines)
    assert any("best " in line and "at most " in line and "gap " in line for line in lines)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["plan"]["time_limit_s"] == 60


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "小研究"', 'name = "小研究', "study.toml"),
        ("budget = [3.0, 3.0]", "budget = [3.0, -3.0]", "budget"),
        ('file = "sites.xlsx"', 'file = "nothing.xlsx"', "nothing.xlsx"),
        ('file = "sites.xlsx"', 'file = "../sites.xlsx"', "../sites.xlsx"),
    ],
)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_wrong_input_is_one_sentence_and_exit_1(
    small_study: Path, tmp_path: Path, old: str, new: str, says: str, lang: str
):
    change(small_study, old, new)
    done = planner("run", small_study, "--out", tmp_path / "out", "--lang", lang)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert says in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert any("\u4e00" <= sign <= "\u9fff" for sign in done.stderr.replace("小研究", "")) == (lang == "zh")
    assert leave(tmp_path) == ["study"], "nothing half-written"


def test_the_study_speaks_the_language_it_names(small_study: Path):
    change(small_study, "schema = 1", 'schema = 1\nlanguage = "en"')
    (small_study / "options.xlsx").unlink()
    done = planner("check", small_study, env={"LANG": "zh_CN.UTF-8", "LC_ALL": ""})
    assert done.returncode == 1 and "there is no such file" in done.stderr


def test_check_counts_and_lists_what_was_not_used(small_study: Path):
    file = small_study / "candidates.csv"
    file.write_text(file.read_text(encoding="utf-8-sig") + "C3,无坐标,超市,,共享,,,,,,\n", encoding="utf-8")
    done = planner("check", small_study, "--lang", "en")
    assert done.returncode == 0
    assert "2 existing sites, 2 candidates" in done.stdout and "candidates.csv, row 4" in done.stdout


def test_check_lists_all_that_has_to_be_put_right_and_writes_it_down(small_study: Path, tmp_path: Path):
    small.edit_cell(small_study / "sites.xlsx", "F3", "<b>when we like</b>")
    small.edit_cell(small_study / "sites.xlsx", "H4", "some")
    small.edit_cell(small_study / "options.xlsx", "G2", "=1+")
    out = tmp_path / "out"
    out.mkdir()
    (out / "rejects.xlsx").write_bytes(b"of an earlier run")
    done = planner("check", small_study, "--lang", "en", "--out", out)
    assert done.returncode == 1 and "Traceback" not in done.stderr and done.stdout == ""
    assert [line[:22].strip() for line in done.stderr.splitlines() if line.startswith("- ")] == [
        "- sites.xlsx, row 3, c", "- sites.xlsx, row 4, c", "- options.xlsx, row 2,"
    ]  # fmt: skip
    assert sorted(file.name for file in out.iterdir()) == ["quality.html", "quality.xlsx"], (
        "and no rejects of an earlier run"
    )
    page = (out / "quality.html").read_text(encoding="utf-8")
    assert "<b>when" not in page and "&lt;b&gt;when we like" in page
    change(small_study, 'file = "options.xlsx"', 'file = "gone.xlsx"')
    done = planner("check", small_study, "--lang", "en", "--out", out)
    assert done.returncode == 1 and "gone.xlsx" in done.stderr and "sites.xlsx" in done.stderr


def test_rows_left_out_are_written_also_when_the_check_fails(small_study: Path, tmp_path: Path):
    file = small_study / "candidates.csv"
    file.write_text(
        file.read_text(encoding="utf-8-sig") + "C3,无坐标,超市,,共享,,,,,,\n合计,,,,,,,3,,,\n", encoding="utf-8"
    )
    small.edit_cell(small_study / "sites.xlsx", "F3", "随时")
    done = planner("check", small_study, "--out", tmp_path / "out", "--lang", "zh")
    assert done.returncode == 1 and "rejects.xlsx" in done.stderr
    sheet = openpyxl.load_workbook(tmp_path / "out" / "rejects.xlsx")["candidates.csv"]
    cells = {row[0]: row for row in sheet.iter_rows(min_row=2, values_only=True)}
    assert sorted(cells) == [4, 5] and "C3" in cells[4] and "无坐标" in cells[4]
    book = openpyxl.load_workbook(tmp_path / "out" / "quality.xlsx")
    files = [row[:4] for row in book[say("zh", "check.title_files")].iter_rows(min_row=2, values_only=True)]
    assert ("candidates.csv", 2, 2, 0) in files and ("sites.xlsx", 0, 0, 1) in files


def test_what_cells_hold_does_not_command_the_terminal(small_study: Path, tmp_path: Path):
    evil = "\x1b[2J\x1b]0;hacked\x07\x9b31m店\u202etxt\r\n- all is well"
    file = small_study / "candidates.csv"
    row = f'C3,"{evil}",超市,,共享,,"{evil}",,,,\n'
    file.write_text(file.read_text(encoding="utf-8-sig") + row, encoding="utf-8")
    done = planner("check", small_study, "--out", tmp_path / "out", "--lang", "en")
    assert done.returncode == 0 and "店" in done.stdout and "\n- all is well" not in done.stdout
    small.edit_cell(small_study / "sites.xlsx", "F3", "\x9b31m" + "随时\u202e")
    failed = planner("check", small_study, "--out", tmp_path / "out", "--lang", "en")
    assert failed.returncode == 1 and "随时" in failed.stderr
    for sign in "\x1b\x07\x9b\u202e\r":
        assert sign not in done.stdout + failed.stderr
    source = Path(cli.__file__).read_text(encoding="utf-8")
    assert source.count("typer.echo(") == 1, "all that is printed goes one way"


@pytest.mark.parametrize(
    "words", [["run"], ["nonsense"], ["run", "a", "b"], ["demo", "--lang", "fr"], ["app", "--port", "0"]]
)
def test_wrong_usage_is_exit_2(words: list[str]):
    done = planner(*words)
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_exit_3(small_study: Path, tmp_path: Path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper"):
        done = planner("run", small_study, "--out", out, "--lang", "en")
        assert done.returncode == 3 and "Traceback" not in done.stderr and done.stderr


def test_rules_that_nothing_can_meet_are_exit_4_with_coverage_and_reasons(small_study: Path, tmp_path: Path):
    change(small_study, "budget = [3.0, 3.0]", 'budget = [0.2, 0.2]\nrequired = ["C1"]')
    done = planner("run", small_study, "--out", tmp_path / "out", "--lang", "en")
    assert done.returncode == 4 and "C1" in done.stderr and "Traceback" not in done.stderr
    content = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert content["plan"]["status"] == "infeasible" and content["plan"]["actions"] == []
    assert content["coverage"]["existing"]["share"] > 0


def test_why_explains_each_action_and_names_the_worst_closing(small_study: Path):
    done = planner("why", small_study, "--lang", "en")
    assert done.returncode == 0
    assert "could stand in" in done.stdout and "single closing that hurts most" in done.stdout


def test_a_progress_table_is_written_from_a_result_and_never_over_another(small_study: Path, tmp_path: Path):
    assert planner("run", small_study, "--out", tmp_path / "out").returncode == 0
    done = planner("progress", tmp_path / "out", "--out", tmp_path / "p.xlsx")
    assert done.returncode == 0 and (tmp_path / "p.xlsx").is_file()
    assert planner("progress", tmp_path / "out", "--out", tmp_path / "p.xlsx").returncode == 1
    assert planner("progress", tmp_path, "--out", tmp_path / "q.xlsx").returncode == 1


def test_compare_two_results(small_study: Path, tmp_path: Path):
    for name, radius in (("a", "400"), ("b", "500")):
        change(small_study, "service_radius_m = ", f"service_radius_m = {radius} # ")
        assert planner("run", small_study, "--out", tmp_path / name).returncode == 0
    done = planner("compare", tmp_path / "a", tmp_path / "b" / "summary.json", "--lang", "en")
    assert done.returncode == 0 and "coverage" in done.stdout
    assert planner("compare", tmp_path / "a", tmp_path / "nowhere").returncode == 1
    (tmp_path / "bad.json").write_text("[1]", encoding="utf-8")
    assert planner("compare", tmp_path / "a", tmp_path / "bad.json").returncode == 1


def test_version_and_help():
    import planner as package

    assert planner("--version").stdout.strip() == package.__version__
    for command in ("demo", "run", "why", "progress", "check", "fetch", "app", "compare"):
        assert planner(command, "--help").returncode == 0


def test_the_small_study_is_what_its_drawing_says():
    assert small.node("F") == (525_300.0, 3_384_300.0)


def test_a_study_under_another_name_is_that_file(small_study: Path, tmp_path: Path):
    text = (small_study / "study.toml").read_text(encoding="utf-8")
    (small_study / "variant.toml").write_text(
        text.replace("service_radius_m = 400", "service_radius_m = 500"), encoding="utf-8"
    )
    (small_study / "study.toml").unlink()
    assert planner("run", small_study / "variant.toml", "--out", tmp_path / "out").returncode == 0
    content = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert "variant.toml" in content["study"]["inputs"] and content["standard"]["service_radius_m"] == 500


@pytest.mark.parametrize(
    "broken", [{"schema": 1, "study": {}, "coverage": {}, "gaps": 3}, {"schema": 1, "study": {"run_id": "[/red]x"}}]
)
def test_compare_of_something_else_is_one_sentence(tmp_path: Path, broken: dict):
    file = tmp_path / "summary.json"
    file.write_text(json.dumps(broken), encoding="utf-8")
    done = planner("compare", file, file, "--lang", "en")
    assert done.returncode == 1 and "Traceback" not in done.stderr and "no summary.json" in done.stderr


def test_names_too_long_for_the_system_are_wrong_input(small_study: Path):
    assert planner("run", "x" * 5000).returncode == 1
    change(small_study, 'file = "sites.xlsx"', f'file = "{"x" * 5000}.xlsx"')
    done = planner("check", small_study)
    assert done.returncode == 1 and "Traceback" not in done.stderr and len(done.stderr) < 500


@pytest.mark.parametrize("cause", [None, KeyboardInterrupt()])
def test_ctrl_c_in_a_compiled_kernel_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cause: BaseException | None
):
    def fails(**_: object) -> None:
        raise SystemError("returned a result with an exception set") from cause

    monkeypatch.setattr(cli, "app", fails)
    monkeypatch.setattr(cli.gc, "set_threshold", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == (130 if cause else 3)
    assert (say(cli._state["lang"], "cli.interrupted") in capsys.readouterr().err) == bool(cause)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["gaps", "layout"], ("gaps", "layout")),
        (["layout,years", " existing"], ("existing", "layout", "years")),
        (["gaps", "all"], SHEETS),
    ],
)
def test_sheets_named_one_by_one_add_up(given: list[str], wanted: tuple[str, ...]):
    assert cli._wanted(given, False, False, None, None)["sheets"] == wanted


# Ctrl-C while the plan is sought, and again while what was found is put in order, while files are written and by a second process.
PRESSED = """
import signal, sys
from planner import cli, deliver, pipeline

def first(name, module):
    function = getattr(module, name)
    def pressed(*args, **options):
        signal.raise_signal(signal.SIGINT)
        return function(*args, **options)
    setattr(module, name, pressed)

if "search" in sys.argv[1]:
    cli._Steps.follow = lambda *_: lambda *_: signal.raise_signal(signal.SIGINT)
for name in ("chosen_actions", "programme"):
    if name in sys.argv[1]:
        first(name, pipeline)
for name in ("write_layers", "write_document"):
    if name in sys.argv[1]:
        first(name, deliver)
if "end" in sys.argv[1]:
    first("_tell_how_sure", cli)
sys.argv = ["planner", *sys.argv[2:]]
cli.main()
"""


def pressed(where: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PRESSED, where, *map(str, words)]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)


def test_ctrl_c_pressed_again_does_not_lose_the_plan_that_the_first_one_kept(small_study: Path, tmp_path: Path):
    change(small_study, "budget = [3.0, 3.0]", "budget = [3.0, 3.0]\nmip_gap = 0.0\nrobustness = 2")
    where = "search chosen_actions programme write_layers write_document end"
    done = pressed(where, "run", small_study, "--out", tmp_path / "out", "--lang", "en")
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert done.stderr.count(say("en", "cli.finishing")) == 1
    plan = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["plan"]
    assert plan["stopped_by"] == "interrupted" and plan["actions"]
    assert {"plan.gpkg", "programme.xlsx", "report.docx", "map.html", "maps"} <= set(leave(tmp_path / "out"))


@pytest.mark.parametrize("where", ["chosen_actions", "write_layers"])
def test_a_first_ctrl_c_after_the_search_ends_the_run_and_writes_nothing(small_study: Path, tmp_path: Path, where: str):
    done = pressed(where, "run", small_study, "--out", tmp_path / "out", "--lang", "en")
    assert done.returncode == 130 and done.stderr.strip() == say("en", "cli.interrupted")
    assert leave(tmp_path) == ["study"]
