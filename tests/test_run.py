"""run.py, the first thing that anybody runs: when it sets up anew, in which way, and what it says where it cannot."""

import ast
import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[1]
NO_NETWORK = "NewConnectionError(... [Errno -3] Temporary failure in name resolution)"


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_of_" + file.parent.name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with run.py and the two files it looks at."""
    folder = tmp_path / "a clone 库"
    folder.mkdir()
    for name in ("run.py", "pyproject.toml", "constraints.txt"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture
def setup(clone: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """run.py with programs that only write down what they were asked; `setup.fails` is what pip does next."""
    run = load(clone / "run.py")
    state = SimpleNamespace(run=run, done=[], fails=None, like=run.identity(), own_pip=True)

    def step(command: list[str], **options):
        if command[0] == str(run.PYTHON) and not run.PYTHON.exists():
            raise FileNotFoundError(command[0])
        said, code = "", 0
        if "venv" in command or "virtualenv" in command:
            state.done.append("make")
            run.PYTHON.parent.mkdir()
            run.PYTHON.touch()
            state.like = run.identity()
        elif "install" in command:
            state.done.append("install " + command[-1])
            state.command = command
            assert run.read_stamp() == {}, "until it is done, it is noted as not done"
            if isinstance(state.fails, BaseException):
                raise state.fails
            if state.fails:
                run.LOG.write_text(state.fails, encoding="utf-8")
                code = 1
        elif command[-1] == "import pip":
            code = 0 if state.own_pip else 1
        else:
            said = state.like
        return subprocess.CompletedProcess(command, code, stdout=said)

    def ask(*words: str) -> tuple[int, list[str]]:
        """The exit code, and what was done to get there."""
        state.done.clear()
        try:
            code = run.main(list(words))
        except SystemExit as end:
            code = end.code
        return code, list(state.done)

    monkeypatch.setattr(run, "step", step)
    monkeypatch.setattr(run, "hand_over", lambda command: 0)
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)
    monkeypatch.chdir(clone)
    state.ask = ask
    return state


def test_an_old_python_can_read_it():
    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 6))
    allowed = set(sys.stdlib_module_names)
    for node in ast.walk(ast.parse((ROOT / "run.py").read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        assert {name.split(".")[0] for name in names} <= allowed


@pytest.mark.parametrize(("version", "bits"), [((3, 6), 64), ((3, 10), 64), ((3, 15), 64), ((3, 12), 32)])
def test_a_python_that_cannot_run_the_planner_is_told(clone: Path, capsys, version, bits):
    with pytest.raises(SystemExit) as end:
        load(clone / "run.py").check_python(version, bits)
    said = capsys.readouterr().err
    assert end.value.code == 3 and f"{version[0]}.{version[1]}" in said and "需要" in said and "This needs" in said


def test_it_sets_up_once(setup):
    assert setup.ask("demo") == (0, ["make", "install ."])
    assert setup.ask("demo") == setup.ask("app") == (0, [])


def test_demo_and_test_share_what_is_set_up(setup):
    setup.ask("demo")
    assert setup.ask("test") == (0, ["install .[test]"])
    assert setup.ask("demo") == setup.ask("test") == (0, [])
    assert setup.ask("lint") == (0, ["install .[dev,test]"])


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_into_what_is_there(setup, clone: Path, file: str):
    setup.ask("test")
    with (clone / file).open("a", encoding="utf-8") as text:
        text.write("\n# changed\n")
    assert setup.ask("demo") == (0, ["install .[test]"])
    assert setup.ask("test") == (0, [])


@pytest.mark.parametrize("why", [KeyboardInterrupt(), NO_NETWORK, OSError(28, "No space left on device")])
def test_what_an_unfinished_install_left_is_made_anew(setup, why):
    setup.fails = why
    code, done = setup.ask("demo")
    assert code == (130 if isinstance(why, KeyboardInterrupt) else 3) and done == ["make", "install ."]
    setup.fails = None
    assert setup.ask("demo") == (0, ["make", "install ."])


def test_another_python_makes_it_anew(setup, monkeypatch):
    setup.ask("test")
    before = setup.run.identity()
    monkeypatch.setattr(setup.run, "identity", lambda: "cpython-399 elsewhere")
    setup.like = before
    assert setup.ask("demo") == (0, ["make", "install ."])


def test_a_moved_folder_is_installed_again(setup, monkeypatch):
    setup.ask("demo")
    stamp = setup.run.read_stamp()
    setup.run.write_stamp({**stamp, "folder": "where it was"})
    assert setup.ask("demo") == (0, ["install ."])


def test_an_environment_that_somebody_else_made_is_kept_if_it_works(setup):
    setup.run.PYTHON.parent.mkdir(parents=True)
    setup.run.PYTHON.touch()
    (setup.run.VENV / "theirs.txt").touch()
    assert setup.ask("demo") == (0, ["install ."])
    assert (setup.run.VENV / "theirs.txt").exists()


@pytest.mark.parametrize("state", ["empty", "dead", "unreadable stamp"])
def test_a_half_made_environment_is_made_anew(setup, state: str):
    setup.run.VENV.mkdir()
    if state == "dead":
        setup.run.PYTHON.parent.mkdir()
        setup.run.PYTHON.touch()
        setup.like = ""
    if state == "unreadable stamp":
        setup.run.STAMP.write_text("{", encoding="utf-8")
    assert setup.ask("demo") == (0, ["make", "install ."])


@pytest.mark.parametrize(
    ("modules", "way"),
    [
        ({"venv", "ensurepip", "pip", "virtualenv"}, ["-m", "venv"]),
        ({"venv", "pip", "virtualenv"}, ["-m", "virtualenv"]),
        ({"venv", "pip"}, ["-m", "venv", "--without-pip"]),
        ({"venv"}, None),
        ({"pip"}, None),
    ],
)
def test_each_way_to_make_an_environment(setup, monkeypatch, capsys, modules: set[str], way: list[str] | None):
    made = []
    fake = setup.run.step
    monkeypatch.setattr(setup.run, "step", lambda command, **o: (made.append(command), fake(command, **o))[1])
    monkeypatch.setattr(setup.run, "has", lambda module: module in modules)
    setup.own_pip = "ensurepip" in modules or "virtualenv" in modules
    code, done = setup.ask("demo")
    if way is None:
        assert code == 3 and done == [] and "python3-venv" in capsys.readouterr().err
        return
    assert code == 0
    assert next(c for c in made if str(setup.run.VENV) == c[-1])[1:-1] == way
    pip = setup.command[: setup.command.index("install")]
    own = [str(setup.run.PYTHON), "-m", "pip"]
    assert pip == (own if setup.own_pip else [sys.executable, "-m", "pip", "--python", str(setup.run.PYTHON)])


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (NO_NETWORK, "network"),
        ("pip._vendor.urllib3.exceptions.ReadTimeoutError", "network"),
        ("OSError: [Errno 28] No space left on device", "disk"),
        ("error: metadata-generation-failed", "install.log"),
    ],
)
def test_it_says_what_kept_it_from_installing(setup, capsys, log: str, says: str):
    setup.fails = log
    assert setup.ask("demo")[0] == 3
    zh, en = capsys.readouterr().err.splitlines()[-2:]
    assert says in en and zh != en and any("\u4e00" <= sign <= "\u9fff" for sign in zh)


def test_pip_takes_the_constraints_and_leaves_stdout_alone(setup):
    setup.ask("demo")
    assert setup.command[setup.command.index("-c") + 1] == "constraints.txt"
    assert {"--no-input", "--no-user"} <= set(setup.command)


@pytest.mark.parametrize(("words", "code"), [([], 2), (["dmeo"], 2), (["-h"], 0), (["--help"], 0)])
def test_wrong_usage_sets_nothing_up(setup, capsys, words: list[str], code: int):
    assert setup.ask(*words) == (code, [])
    assert "run.py" in capsys.readouterr().err


def test_it_knows_every_command_of_the_planner():
    from typer.main import get_command

    from planner.cli import app

    run = load(ROOT / "run.py")
    assert set(run.PLANNER) == set(get_command(app).commands)


@pytest.fixture
def ready(clone: Path) -> Path:
    """A clone that is set up, with a planner in .venv that says what it sees and ends with code 4."""
    venv.create(clone / ".venv", with_pip=False)
    run = load(clone / "run.py")
    packages = sysconfig.get_path("purelib", "venv", {"base": str(run.VENV), "platbase": str(run.VENV)})
    program = (
        "import os, sys; print(sys.argv[1:], os.getcwd(), 'PYTHONPATH' in os.environ, sys.prefix, sep='|'); sys.exit(4)"
    )
    (Path(packages) / "planner").mkdir()
    (Path(packages) / "planner" / "__main__.py").write_text(program, encoding="utf-8")
    run.write_stamp({**run.wanted(), "extras": []})
    return clone


def test_it_hands_over_words_folder_and_exit_code(ready: Path, tmp_path: Path):
    (tmp_path / "planner.py").write_text("raise SystemExit('the wrong one')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(ready / "run.py"), "run", "my study", "--out", "图"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 4 and done.stderr == ""
    words, folder, foreign, prefix = done.stdout.strip().split("|")
    assert words == "['run', 'my study', '--out', '图']" and foreign == "False"
    assert Path(folder).samefile(tmp_path) and Path(prefix).samefile(ready / ".venv")


def test_a_terminal_without_chinese_gets_english(clone: Path):
    done = subprocess.run(
        [sys.executable, str(clone / "run.py")],
        env={**os.environ, "PYTHONIOENCODING": "cp437", "PYTHONUTF8": "0"},
        capture_output=True,
    )
    assert done.returncode == 2 and done.stderr.decode("ascii").startswith("Usage:")


def test_two_windows_take_turns(clone: Path):
    run = load(clone / "run.py")
    with (clone / ".venv.lock").open("a") as first, (clone / ".venv.lock").open("a") as second:
        assert run.try_lock(first) and not run.try_lock(second)
        first.close()
        assert run.try_lock(second)
