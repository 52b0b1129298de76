"""The rules of the house: which way imports point, what the catalogue holds, what no file may hold."""

import ast
import html.parser
import re
import string
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import planner
import run
from planner import errors
from planner.words import LANGS, catalogue

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "planner"

# From the ground up: a module imports from lines above its own, and a folder from itself.
ORDER = (
    "words",
    "errors",
    "study",
    "embedded datum hours tables",
    "evidence",
    "osm",
    "intake",
    "gather",
    "kernels",
    "chains",
    "network",
    "reach",
    "areas audit weeks",
    "coverage",
    "capacity evaluation standards",
    "tiers",
    "gaps",
    "last",
    "actions remedies",
    "siting",
    "programme",
    "replanning",
    "rulebook",
    "plans",
    "why",
    "robustness",
    "pipeline",
    "whatif saving",
    "scenarios",
    "starting",
    "workspace",
    "summary",
    "draw",
    "report",
    "deliver",
    "pages",
    "cli",
    "__main__",
)
RANK = {name: rank for rank, line in enumerate(ORDER) for name in line.split()}


# --- imports -----------------------------------------------------------------------------------------------------------


def modules(package: Path = PACKAGE) -> list[Path]:
    return sorted(file for file in package.rglob("*.py") if file != package / "__init__.py")


def top(file: Path, package: Path = PACKAGE) -> str:
    """The module or folder directly in the package that a file belongs to."""
    return file.relative_to(package).parts[0].removesuffix(".py")


def imported(file: Path, package: Path = PACKAGE) -> Iterator[tuple[int, str]]:
    """Line and top-level name of everything of the package that a file imports, wherever in the file."""
    inside = file.relative_to(package.parent).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(inside[: len(inside) - node.level + 1]) if node.level else ""
            whole = ".".join(part for part in (base, node.module) if part)
            names = [f"{whole}.{alias.name}" for alias in node.names]
        for name in names:
            path = name.split(".")
            if path[0] == "planner" and len(path) > 1 and path[1] != "__version__":
                yield node.lineno, path[1]


def upward(package: Path = PACKAGE) -> list[str]:
    """Each import that does not point down, as "file:line imports name"."""
    return [
        f"{file.relative_to(package)}:{line} imports {name}"
        for file in modules(package)
        for line, name in imported(file, package)
        if name != top(file, package) and not RANK.get(name, len(ORDER)) < RANK[top(file, package)]
    ]


def test_every_module_has_its_place_in_the_order():
    assert sorted({top(file) for file in modules()} - RANK.keys()) == []


def test_imports_point_one_way():
    assert upward() == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("from planner.errors import InputError", False),
        ("from planner import __version__", False),
        ("from .problem import SitingProblem", False),
        ("from planner.siting.problem import SitingProblem", False),
        ("from ..reach import Reach", False),
        ("from planner.pipeline import run", True),
        ("from planner import pipeline", True),
        ("import planner.cli as cli", True),
        ("from .. import deliver", True),
        ("from ..draw.sheet import draw_sheet", True),
        ("def late():\n    from planner.pages.map import page", True),
        ("from planner.nowhere import thing", True),
    ],
)
def test_an_import_that_points_up_is_seen(tmp_path: Path, line: str, wrong: bool):
    folder = tmp_path / "planner" / "siting"
    folder.mkdir(parents=True)
    (folder / "search.py").write_text(line, encoding="utf-8")
    assert bool(upward(tmp_path / "planner")) == wrong


# --- strings -----------------------------------------------------------------------------------------------------------

# say(lang, key), term(lang, section, word), has(key): where the key stands.
ASKERS = {"say": 1, "term": 1, "has": 0}
OWN_ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.PlannerError)
}


def fields(text: str) -> set[str]:
    """Names of the values that a text asks for."""
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def pattern(node: ast.AST) -> str:
    """A regular expression for the strings that an expression may give; empty where it says nothing of them."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern(part) if isinstance(part, ast.Constant) else ".+" for part in node.values)
    return ""


def keys(expression: str) -> set[str]:
    return {key for key in catalogue() if re.fullmatch(expression, key)}


@cache
def strings() -> list[tuple[str, ast.AST, ast.AST | None]]:
    """Each literal string of the package: where it stands, itself, and the call that takes it."""
    found = []
    for file in modules():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = {id(part): node for node in ast.walk(tree) if isinstance(node, ast.Call) for part in node.args}
        where = file.relative_to(ROOT).as_posix()
        found += [(f"{where}:{n.lineno}", n, calls.get(id(n))) for n in ast.walk(tree) if pattern(n)]
    return found


def asked() -> Iterator[tuple[str, str, set[str] | None]]:
    """What the package asks the catalogue: place, key as an expression, names of the values (None: not to be seen)."""
    for place, node, call in strings():
        if call is None:
            continue
        name = ast.unparse(call.func).rpartition(".")[2]
        names = {k.arg for k in call.keywords}
        seen = None if None in names or name in ("has", "term") else {str(n) for n in names}
        if name in ASKERS and call.args.index(node) == ASKERS[name]:
            yield place, pattern(node) + (r"\..+" if name == "term" else ""), seen
        elif name in OWN_ERRORS and call.args[0] is node:
            yield place, r"error\." + pattern(node), seen
        elif name == "ValueError" and place.startswith("planner/study.py"):
            # A setting's own check names its sentence; `load_study` adds file and line.
            yield place, r"error\." + pattern(node), None


def test_every_text_is_there_in_each_language_and_asks_for_the_same_values():
    assert len(catalogue()) > 100
    for key, texts in catalogue().items():
        assert texts.keys() == set(LANGS), key
        assert all(texts.values()), key
        # The study names its unit (人) in Chinese; an English sentence may say people instead.
        zh, en = (fields(texts[lang]) for lang in LANGS)
        assert en <= zh <= en | {"unit"}, key


def test_every_key_that_is_asked_for_exists_and_gets_its_values():
    wrong = []
    for place, expression, given in asked():
        found = keys(expression)
        if not found:
            wrong.append(f"{place}: the catalogue has no {expression}")
        elif given is not None and ".+" not in expression:
            needed = {field for key in found for field in fields(catalogue()[key]["en"])}
            wrong += [f"{place}: {expression} needs {field}" for field in sorted(needed - given)]
    assert wrong == []


def test_no_text_is_left_over():
    sections = tuple(re.escape(key.partition(".")[0]) + r"\." for key in catalogue())
    expressions = {pattern(node) for _, node, _ in strings()} | {expression for _, expression, _ in asked()}
    used = set().union(*(keys(e) for e in expressions if e.startswith(sections)))
    assert sorted(catalogue().keys() - used) == []


# --- files -------------------------------------------------------------------------------------------------------------

TOP = (
    *("README.md", "README.zh.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"),
    *("app.py", "run.py", "pyproject.toml", "constraints.txt", ".ci/run", ".streamlit/config.toml"),
    *("planner", "tests", "benchmarks", "data/README.md", "data/wuhan/study.toml", "maps/README.md"),
)
# Folders of somebody's own machine, and the sources of packages. Written so that this file holds neither.
MACHINE_PATH = re.compile(rb"(?<![\w.:/-])/(?:work|tmp|root|home|Users|mnt)/\w|[A-Za-z]:[\\/]+Users[\\/]")
HOST = re.compile(r"https?:/{2}|index-url|find-links|trusted-host|registry *=")


@cache
def tracked() -> list[Path]:
    """Files of the repository; the test skips where there is no repository, as in an sdist."""
    try:
        listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    return [file for name in listed.stdout.decode("utf-8").split("\0") if name and (file := ROOT / name).is_file()]


def contents(file: Path) -> Iterator[bytes]:
    """What a file holds; of xlsx, docx and the like also what is packed in it."""
    yield file.read_bytes()
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            yield from map(archive.read, archive.namelist())


def test_the_top_of_the_repository_is_complete():
    assert [name for name in TOP if not (ROOT / name).exists()] == []


def test_no_file_holds_a_path_of_somebodys_machine():
    found = [
        f"{file.relative_to(ROOT)}: {m[0]!r}"
        for file in tracked()
        for c in contents(file)
        for m in MACHINE_PATH.finditer(c)
    ]
    assert found == []


@pytest.mark.parametrize("text", ["= /{}/x", '"/{}/a.csv"', "(/{}/b)"])
@pytest.mark.parametrize("folder", ["work", "tmp", "home", "root"])
def test_a_path_of_somebodys_machine_is_seen(text: str, folder: str):
    assert MACHINE_PATH.search(text.format(folder).encode())
    assert not MACHINE_PATH.search(f"see docs/{folder}/x and example.org/{folder}/y".encode())


@pytest.mark.parametrize("name", ["constraints.txt", ".ci/run"])
def test_where_packages_come_from_is_nobodys_business(name: str):
    assert HOST.findall((ROOT / name).read_text(encoding="utf-8")) == []


class Remote(html.parser.HTMLParser):
    """Collects what a page loads from elsewhere. A link that a person may follow is no such thing."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (
                name in ("src", "href", "srcset", "data")
                and tag != "a"
                and re.match(r"(https?:)?//", (value or "").strip())
            ):
                self.found.append(f"{tag} {value}")


def test_what_a_page_loads_from_elsewhere_is_seen():
    assert Remote('<script src="//cdn.example/a.js"></script><link href=" https://b">').found == [
        "script //cdn.example/a.js",
        "link  https://b",
    ]
    assert Remote('<a href="https://example.org">©</a><img src="data:image/png;base64,">').found == []


def test_exported_maps_load_nothing_from_elsewhere():
    pages = sorted((ROOT / "maps").rglob("*.html"))
    if not pages:
        pytest.skip("no map is exported here")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert Remote(text).found == [] and not re.search(r"url\([\"']?(https?:)?//", text), page.name


# --- versions ----------------------------------------------------------------------------------------------------------


@cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements() -> list[Requirement]:
    extras = project()["optional-dependencies"].values()
    return [Requirement(line) for line in (*project()["dependencies"], *(line for lines in extras for line in lines))]


def test_the_changelog_knows_the_version():
    versions = re.findall(r"^## \[([^]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert next(v for v in versions if v != "Unreleased") == planner.__version__


def test_constraints_pin_what_the_project_asks_for():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(len(pin.specifier) == 1 and str(pin.specifier).startswith("==") for pin in pins)
    for wanted in requirements():
        name = canonicalize_name(wanted.name)
        if name == canonicalize_name(project()["name"]):
            continue
        versions = [str(p.specifier)[2:] for p in pins if canonicalize_name(p.name) == name]
        assert versions and any(v in wanted.specifier for v in versions), f"refresh constraints.txt: {wanted}"


def test_run_py_takes_the_pythons_that_the_project_takes():
    span = f">={run.OLDEST[0]}.{run.OLDEST[1]},<{run.NEWEST[0]}.{run.NEWEST[1] + 1}"
    assert project()["requires-python"] == span
