"""The commands: planner demo, run, why, progress, new, check, fetch, app, compare. Thin: words in, calls to the library.

Exit codes: 0 done; 1 the input is wrong; 2 wrong usage; 3 the surroundings failed; 4 no plan can meet the rules; 130 interrupted.
"""

import gc
import locale
import math
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from planner import __version__
from planner.errors import InfeasibleError, InputError, PlannerError, SurroundingsError, plain_ctrl_c
from planner.words import Lang, say
from planner.words.wording import on_a_terminal

if TYPE_CHECKING:
    from types import FrameType

    from rich.table import Table

    from planner.pipeline import Result
    from planner.siting import Progress
    from planner.study import PlanSettings, Study

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
Out = Annotated[Path, typer.Option(help="文件夹 / folder for the deliverables")]
Language = Annotated[str | None, typer.Option("--lang", help="zh | en", metavar="zh|en")]
Sheets = Annotated[
    list[str] | None,
    typer.Option(
        "--sheets",
        help="all,或其中几种 / all, or some of: existing,effective,gaps,layout,years,atlas",
        metavar="NAME,…",
    ),
]
Pdf = Annotated[
    bool, typer.Option("--pdf", help="报告另存为 PDF(需 LibreOffice)/ the report as PDF too (needs LibreOffice)")
]
Exchange = Annotated[
    bool, typer.Option("--exchange", help="另写 GeoJSON、CSV 和数据字典 / GeoJSON, CSV and a data dictionary too")
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        min=0.0,
        help="求解最多用多少秒(默认按工作量计,结果与机器无关)/ most seconds for solving (default: work is counted, not time)",
        metavar="SECONDS",
    ),
]
Live = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress",
        help="显示进度;不在终端时逐行写到标准错误 / show progress, as lines on stderr where that is no terminal",
    ),
]
Robust = Annotated[
    int | None,
    typer.Option(
        "--robust", min=0, max=1000, metavar="N",
        help="换 N 组假设重新求解,看哪些行动站得住 / plan again under N sets of assumptions: robust core, doubtful rest",
    ),
]  # fmt: skip
StudyPlace = Annotated[
    Path, typer.Argument(help="含 study.toml 的文件夹,或该文件 / folder with study.toml, or that file", metavar="STUDY")
]

_INTERRUPTED = 130
# Steps that Ctrl-C ends, what they found being kept; and seconds that they have for it until another Ctrl-C is heard.
_SEARCHES, _ENDING_S = ("plan", "robustness", "trade_off"), 10.0
# Seconds between two lines on how a search stands, where there is no terminal.
_LINE_S = 2.0
# Whatever complains about words on the command line: newer typers carry a copy of click, older ones import it.
_UsageError: type[Any] = typer.BadParameter.__mro__[2]


def main() -> None:
    """Run the command line; every error a user can cause ends in one sentence and its exit code."""
    # A run makes hundreds of thousands of geometries that live to its end; looking for garbage among them takes a sixth of its time.
    gc.set_threshold(500_000, 10, 10)
    for stream in (sys.stdout, sys.stderr):
        # A pipe on Windows has the code page of the system, which may lack what the sentences need.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8" if not stream.isatty() else None, errors="replace")
    try:
        with plain_ctrl_c():
            code = app(standalone_mode=False) or 0
        if code == _INTERRUPTED:
            # What newer typers make of Ctrl-C.
            raise KeyboardInterrupt
        sys.exit(code)
    except _UsageError as error:
        error.show()
        sys.exit(error.exit_code)
    except PlannerError as error:
        _echo(error.text(_state["lang"]), err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _echo(say(_state["lang"], "cli.interrupted"), err=True)
        sys.exit(_INTERRUPTED)
    except Exception:  # what no check foresaw: the user gets a sentence, and who mends it the traceback
        handle, log = tempfile.mkstemp(prefix="planner-error-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(traceback.format_exc())
        _echo(say(_state["lang"], "cli.unexpected", log=log), err=True)
        sys.exit(3)


def _echo(text: object, *, err: bool = False) -> None:
    """Print a line; what cells and names of files hold is shown and never obeyed by the terminal."""
    typer.echo(on_a_terminal(str(text)), err=err)


def _system_language() -> Lang:
    """Return English where the system says so, otherwise Chinese: Chinese first."""
    told = (
        os.environ.get("PLANNER_LANG")
        or os.environ.get("LC_ALL")
        or os.environ.get("LANG")
        or (locale.getlocale()[0] or "")
    )
    return "en" if told.lower().startswith("en") else "zh"


_state: dict[str, Lang] = {"lang": _system_language()}


def _speak(lang: str | None, fallback: Lang | None = None) -> Lang:
    if lang not in (None, "zh", "en"):
        raise typer.BadParameter("zh | en", param_hint="--lang")
    chosen: Lang = "zh" if lang == "zh" else "en" if lang == "en" else fallback or _state["lang"]
    _state["lang"] = chosen
    return chosen


@contextmanager
def _steps(live: bool | None = None) -> Iterator["_Steps"]:
    steps = _Steps(live)
    try:
        yield steps
    finally:
        steps.close()


class _Steps:
    """Shows the step at work on a terminal, with the seconds of those that are done; stays quiet in a pipe unless lines are asked for.

    A Ctrl-C that ended a search is the last that counts until the next search: nobody loses the plan that it kept by pressing twice.

    Args:
        live: whether to show anything; None is on a terminal only.
    """

    def __init__(self, live: bool | None = None) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)
        self.shown = self.console.is_terminal if live is None else live
        self.status = self.console.status("") if self.shown and self.console.is_terminal else None
        self.began = time.perf_counter()
        self.step: str | None = None
        self.heard_s = -math.inf
        # Whoever runs this in the background, or in a thread, has said what Ctrl-C is to do.
        self.ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        self.stopped_s, self.told = -math.inf, False

    def __call__(self, step: str) -> None:
        self._tick()
        self._heed_ctrl_c(step)
        self.step, self.began = say(_state["lang"], f"step.{step}"), time.perf_counter()
        if self.status:
            self.status.update(f"{self.step} …")
            self.status.start()

    def _heed_ctrl_c(self, step: str) -> None:
        """Hear Ctrl-C while something is sought; once it was heard, let nothing disturb what follows, nor the processes begun then."""
        if not self.ours:
            return
        if step in _SEARCHES:
            signal.signal(signal.SIGINT, self._stop)
        elif self.stopped_s > -math.inf:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if not self.told:
                self.console.print(say(_state["lang"], "cli.finishing"), highlight=False, markup=False, soft_wrap=True)
            self.told = True

    def _stop(self, number: int, frame: "FrameType | None") -> None:
        now = time.perf_counter()
        if now < self.stopped_s + _ENDING_S:
            return
        self.stopped_s = now
        signal.default_int_handler(number, frame)

    def follow(self, settings: "PlanSettings | None") -> "Callable[[Progress], None] | None":
        """Return a listener that shows the best plan, the bound, their gap and the time while the plan is solved."""
        if not self.shown or settings is None:
            return None
        from rich.markup import escape

        from planner.report.figures import objective_value

        lang = _state["lang"]

        def value(number: float) -> str:
            return objective_value(lang, settings, number) if math.isfinite(number) else "–"

        def hear(now: "Progress") -> None:
            told = say(
                lang,
                "cli.solving_least" if settings.minimises else "cli.solving",
                best=value(now.objective),
                bound=value(now.bound),
                gap=f"{now.gap:.2%}" if math.isfinite(now.gap) else "–",
                seconds=now.seconds,
            )
            if self.status:
                self.status.update(escape(f"{self.step} … {told} ({say(lang, 'cli.may_stop')})"))
            elif now.seconds >= self.heard_s + _LINE_S:
                self.console.print(f"{self.step}: {told}", highlight=False, markup=False, soft_wrap=True)
                self.heard_s = now.seconds

        return hear

    def _tick(self) -> None:
        if self.step and self.shown:
            self.console.print(f"✓ {self.step} {time.perf_counter() - self.began:.1f} s", highlight=False, markup=False)

    def close(self) -> None:
        """End the display, and hear Ctrl-C as before, unless it was to be ignored to the end."""
        self._tick()
        self.step = None
        if self.status:
            self.status.stop()
        # Whoever presses until the command ends has what was written told, and no other exit code.
        if self.ours and not self.told:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="版本 / version")] = False) -> None:
    """服务阵地布局规划 / Plans service networks on real streets: coverage, gaps, a plan over years, maps and reports."""
    if version:
        _echo(__version__)
        raise typer.Exit


@app.command()
def demo(
    out: Out = Path("out/demo"),
    lang: Language = None,
    sheets: Sheets = None,
    pdf: Pdf = False,
    exchange: Exchange = False,
    time_limit: TimeLimit = None,
    live: Live = None,
    robust: Robust = None,
) -> None:
    """运行自带示例(武汉)/ Run the main job on the embedded study of Wuhan."""
    from planner.embedded import folder

    _speak(lang)
    _run(folder(), out, lang, _wanted(sheets, pdf, exchange, time_limit, robust), live)


@app.command()
def run(
    study: StudyPlace,
    out: Out = Path("out/run"),
    lang: Language = None,
    sheets: Sheets = None,
    pdf: Pdf = False,
    exchange: Exchange = False,
    time_limit: TimeLimit = None,
    live: Live = None,
    robust: Robust = None,
) -> None:
    """运行一个研究项目 / Run a study and write its deliverables."""
    _speak(lang)
    _run(study, out, lang, _wanted(sheets, pdf, exchange, time_limit, robust), live)


def _wanted(
    sheets: list[str] | None, pdf: bool, exchange: bool, time_limit: float | None, robust: int | None
) -> dict[str, Any]:
    """Return what the command line asks for beyond the study's own settings."""
    from planner.study import SHEETS

    wanted: dict[str, Any] = {key: True for key, asked in (("pdf", pdf), ("exchange", exchange)) if asked}
    if sheets:
        names = [name.strip() for name in ",".join(sheets).split(",") if name.strip()]
        if not names or any(name not in (*SHEETS, "all") for name in names):
            raise typer.BadParameter(",".join(("all", *SHEETS)), param_hint="--sheets")
        wanted["sheets"] = SHEETS if "all" in names else tuple(name for name in SHEETS if name in names)
    if time_limit is not None:
        wanted["time_limit_s"] = max(time_limit, 1e-3)
    if robust is not None:
        wanted["robustness"] = robust
    return wanted


def _with(study: "Study", wanted: dict[str, Any]) -> "Study":
    """Return the study with what the command line asks for."""
    parts = {"map": study.map, "output": study.output, "plan": study.plan}
    asked = {
        name: {k: v for k, v in wanted.items() if part and k in type(part).model_fields} for name, part in parts.items()
    }
    return study.model_copy(update={name: part.model_copy(update=asked[name]) for name, part in parts.items() if part})


def _refuse_file(out: Path) -> None:
    try:
        wrong = out.exists() and not out.is_dir()
    except OSError as error:
        raise SurroundingsError("cannot_write", folder=str(out)[:60], detail=error.strerror or str(error)) from error
    if wrong:
        raise SurroundingsError("out_is_file", folder=str(out))


def _run(place: Path, out: Path, lang: str | None, wanted: dict[str, Any], live: bool | None) -> None:
    from planner.study import load_study

    study = load_study(place)
    speech = _speak(lang, study.language)
    if lang:
        study = study.model_copy(update={"language": speech})
    study = _with(study, wanted)
    _refuse_file(out)
    if study.output.pdf:
        from planner.report.pdf import office

        office()
    # What is slow to import waits until the settings are known to be right.
    from planner import pipeline
    from planner.deliver import deliver
    from planner.report.figures import changes_told
    from planner.words.wording import sentences

    with _steps(live) as steps:
        result = pipeline.run(study, progress=steps, listener=steps.follow(study.plan))
        files = deliver(result, out, lang=speech, progress=steps)
    today, last = result.indicators[0], result.indicators[max(result.indicators)]
    _echo(say(speech, "cli.covered", share=today["share"], effective=today["effective_share"]))
    if result.plan and not result.plan.found:
        reasons = sentences(speech, *result.plan_reasons(speech))
        key = "no_plan" if result.plan.status == "infeasible" else "no_plan_found"
        raise InfeasibleError(key, reasons=reasons, folder=str(out))
    if result.plan:
        _echo(
            say(speech, "cli.planned", year=result.years[-1], actions=len(result.actions), share=last["share"],
                effective=last["effective_share"], status=say(speech, f"plan_status.{result.plan.verdict}"), gap=result.plan.gap)
        )  # fmt: skip
    if changed := changes_told(result, speech):
        _echo(changed)
    _tell_how_sure(result, speech)
    if len(result.rejects):
        _echo(say(speech, "cli.rejects", rows=len(result.rejects)))
    for file in files:
        _echo(f"  {os.path.relpath(file)}" if file.is_relative_to(Path.cwd()) else f"  {file}")


def _tell_how_sure(result: "Result", lang: Lang) -> None:
    from planner.report.figures import how_sure, left_out

    if missing := left_out(result, lang):
        _echo(missing)
    for sentence in how_sure(result, lang):
        _echo(sentence)


@app.command()
def why(study: StudyPlace, robust: Robust = None, lang: Language = None) -> None:
    """解释方案:每项行动为何入选 / Explain the plan: why each action is in it."""
    from rich.console import Console

    from planner import pipeline
    from planner.report.figures import not_told
    from planner.study import load_study
    from planner.words.wording import sentences

    _speak(lang)
    settings = load_study(study)
    speech = _speak(lang, settings.language)
    asked = {} if robust is None else {"robustness": robust}
    settings = _with(settings.model_copy(update={"language": speech}), asked)
    with _steps() as steps:
        result = pipeline.run(settings, progress=steps, listener=steps.follow(settings.plan))
    if result.plan and not result.plan.found:
        raise InfeasibleError("no_plan_why", reasons=sentences(speech, *result.plan_reasons(speech)))
    if result.why is None:
        _echo(say(speech, "why.no_plan"))
        return
    console = Console()
    # A pipe has no width: what reads it gets whole lines.
    (console if console.is_terminal else Console(width=200)).print(_why_table(result, speech))
    if aside := not_told(result, speech):
        _echo(aside)
    _tell_how_sure(result, speech)


def _cell(text: object) -> str:
    """Return a cell of a printed table in which nothing is markup, nor obeyed by the terminal."""
    from rich.markup import escape

    return escape(on_a_terminal(str(text)))


def _why_table(result: "Result", lang: Lang) -> "Table":
    from rich.table import Table

    from planner.report.figures import why_rows
    from planner.words.wording import money, people

    sure = ("stays", "price") if result.robustness else ()
    columns = ("number", "name", "year", "loss", "groups", "closes", "substitutes", *sure)
    table = Table(*(say(lang, f"why.{column}") for column in columns))
    for row in why_rows(result, lang):
        shown = {**row, "loss": people(row["loss"]), "substitutes": row["needed"] or row["substitutes"].split("; ")[0]}
        shown["price"] = price if isinstance(price := row.get("price"), str) else money(price)
        table.add_row(*(_cell(shown[column]) for column in columns))
    return table


@app.command()
def progress(
    result: Annotated[Path, typer.Argument(help="summary.json 或其文件夹 / or its folder", metavar="RESULT")],
    out: Annotated[Path, typer.Option(help="进展表 .xlsx 或 .csv / the table to write")] = Path("progress.xlsx"),
    lang: Language = None,
) -> None:
    """由上次的建设计划写出进展表,供填写 / Write a progress table from the last programme, to fill in and plan anew."""
    from planner.report.progress import write_progress

    speech = _speak(lang)
    write_progress(_summary_of(result), out, lang=speech, name=str(result))
    _echo(say(speech, "cli.progress_written", file=out))


@app.command()
def check(
    study: StudyPlace,
    out: Annotated[Path, typer.Option(help="文件夹 / folder for quality.xlsx, quality.html, rejects.xlsx")] = Path(
        "out/check"
    ),
    lang: Language = None,
) -> None:
    """检查数据,写出数据质量报告,不求解 / Check a study's files and write the data-quality report, without solving."""
    from planner.deliver import write_whole
    from planner.intake import read_inputs, write_rejects
    from planner.pipeline import check_rules, walk
    from planner.report.quality import quality_sections, write_quality
    from planner.study import load_study

    _speak(lang)
    settings = load_study(study)
    speech = _speak(lang, settings.language)
    settings = settings.model_copy(update={"language": speech})
    _refuse_file(out)
    with _steps() as steps:
        steps("read")
        try:
            inputs = read_inputs(settings)
            check_rules(settings, inputs)
        except InputError as error:
            _list_faults(settings, out, error)
        steps("network")
        walks = walk(settings, inputs)
    existing = (inputs.sites["status"] == "existing").sum()
    network = walks.network
    _echo(say(speech, "cli.counts", sites=existing, candidates=len(inputs.sites) - existing, demand=len(inputs.demand),
                   weight=inputs.demand["weight"].sum(), zones=len(inputs.zones), length_km=network.length_km,
                   components=network.n_components))  # fmt: skip
    for warning in inputs.warnings:
        _echo(f"- {warning}")
    for reject in inputs.rejects.to_dict("records"):
        _echo(say(speech, "cli.reject", **{str(k): v for k, v in reject.items()}))

    def write(folder: Path) -> None:
        write_quality(quality_sections(settings, inputs, walks, lang=speech), settings.name, folder, lang=speech)
        if len(inputs.rejects):
            write_rejects(inputs.rejects, folder / "rejects.xlsx", lang=speech)

    files = write_whole(out, write, stale=("rejects.xlsx",))
    _echo(say(speech, "check.written"))
    for file in files:
        _echo(f"  {file}")


def _list_faults(study: "Study", out: Path, first: InputError) -> NoReturn:
    """Print all that has to be put right in the files of a study, not the first fault alone, and write it down; then give up."""
    from planner.deliver import write_whole
    from planner.intake import write_rejects
    from planner.report.quality import fault_sections, faults, unused, write_quality
    from planner.workspace.survey import survey

    speech = study.language
    found = survey(study, speech)
    wrong, rejects = faults(found), unused(found)
    if not wrong:
        raise first
    for *_, error in wrong:
        _echo(f"- {error.text(speech)}", err=True)

    def write(folder: Path) -> None:
        write_quality(fault_sections(study, found, lang=speech), study.name, folder, lang=speech)
        if len(rejects):
            write_rejects(rejects, folder / "rejects.xlsx", lang=speech)

    files = write_whole(out, write, stale=("rejects.xlsx",))
    _echo(say(speech, "check.faults", count=len(wrong)), err=True)
    for file in files:
        _echo(f"  {file}", err=True)
    raise typer.Exit(first.exit_code)


Extract = Annotated[
    Path | None,
    typer.Option(help="本机上的 OSM 文件,不用网络 / an OSM file on this computer (.osm.pbf, .osm.bz2); no network"),
]


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="新文件夹 / a new folder", metavar="DIR")],
    area: Annotated[
        str | None,
        typer.Option(
            help="地名、代码、边界图层或 西,南,东,北 / a place, its code, a boundary layer, or west,south,east,north"
        ),
    ] = None,
    extract: Extract = None,
    lang: Language = None,
) -> None:
    """新建研究项目:设置与表格模板 / Start a study: settings and table templates; with --extract its streets and candidates."""
    from planner.starting import start_study

    speech = _speak(lang)
    start = start_study(folder, area, extract=extract, lang=speech)
    for file in start.files:
        _echo(f"  {file}")
    if start.trouble:
        _echo(start.trouble.text(speech))
    _echo(say(speech, "new.written" if start.streets else "new.written_no_streets", folder=folder))


@app.command()
def fetch(
    place: Annotated[
        str,
        typer.Argument(
            help="地名、代码、边界图层或 西,南,东,北 / a place, its code, a boundary layer, or west,south,east,north",
            metavar="PLACE",
        ),
    ],
    out: Annotated[Path, typer.Option(help="文件夹 / folder for streets.gpkg")],
    extract: Extract = None,
    places: Annotated[
        bool, typer.Option("--places", help="还要银行、公厕等场所的表 / banks, toilets and the like as tables, too")
    ] = False,
    kinds: Annotated[
        str | None, typer.Option(help="哪些类别,逗号分隔 / which kinds, by commas: bank,toilet,fuel", metavar="KINDS")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="表格写成 csv / tables as csv, not xlsx")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="范围很大也下载 / download however large")] = False,
    lang: Language = None,
) -> None:
    """下载或从本机 OSM 文件裁出街道与场所 / Streets (and places) of an area, downloaded from OpenStreetMap or cut from a file."""
    from planner.gather.fetching import ALL_KINDS, Wishes, fetch
    from planner.gather.region import region_of

    speech = _speak(lang)
    _refuse_file(out)
    chosen = tuple(kind.strip() for kind in kinds.split(",") if kind.strip()) if kinds else ALL_KINDS if places else ()
    wishes = Wishes(chosen, ".csv" if csv else ".xlsx", extract, yes)

    def waiting(why: str, seconds: float) -> None:
        _echo(say(speech, "cli.waiting", why=why, seconds=seconds), err=True)

    files = fetch(region_of(place), out, wishes, lang=speech, waiting=waiting)
    for file in files:
        _echo(f"  {file}")
    if chosen:
        _echo(say(speech, "cli.look_through"))


@app.command("app")
def app_command(
    study: Annotated[Path | None, typer.Argument(metavar="[STUDY]")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser")] = True,
) -> None:
    """打开网页应用(仅本机)/ Open the app in a browser; it listens on this computer only."""
    from importlib.resources import files

    # The server whole, before the work begins beside it: two threads that import the same at once may see half of it.
    from streamlit.web import bootstrap  # noqa: F401
    from streamlit.web import cli as streamlit

    from planner.study import load_study

    if study is not None:
        load_study(study)
        os.environ["PLANNER_STUDY"] = str(study.absolute())
    entry = str(files("planner.pages").joinpath("entry.py"))
    settings = {
        "server.address": "localhost",
        "server.port": port,
        "server.headless": str(not browser).lower(),
        "server.showEmailPrompt": "false",
        "browser.gatherUsageStats": "false",
        # Collecting all garbage after every step takes half a second with a city in memory, and no page answers meanwhile.
        "runner.postScriptGC": "false",
        "client.toolbarMode": "viewer",
        # A sentence, never a traceback (`planner.pages.shared.told_errors`).
        "client.showErrorDetails": "none",
        "server.fileWatcherType": "none",
        "theme.base": "light",
        "theme.primaryColor": "#1f6aa0",
        "theme.baseFontSize": 14,
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    # The work begins while the server and the browser start.
    beginning = threading.Thread(target=_begin, name="planner-begin", daemon=True)
    beginning.start()
    # In this process, so that whoever stops the planner stops the server.
    try:
        streamlit.main(["run", entry, *options], prog_name="streamlit", standalone_mode=False)
    finally:
        beginning.join()
        from planner.pages import shared

        shared.leave()


def _begin() -> None:
    """Import what reads and measures, and begin with the study that the app shows first."""
    with suppress(Exception):  # what is wrong is said on the page
        from planner.pages import shared

        shared.begin()


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="summary.json 或其文件夹 / or its folder", metavar="RESULT")],
    after: Annotated[Path, typer.Argument(metavar="RESULT")],
    lang: Language = None,
) -> None:
    """比较两次结果 / Compare two results."""
    from rich.console import Console

    from planner.last import scopes_differ

    speech = _speak(lang)
    old, new = _summary_of(before), _summary_of(after)
    try:
        table = _differences(old, new, speech)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("summary_unreadable", file=str(after)) from error
    Console().print(table)
    if scopes_differ(*(str(summary["study"].get("scope", "")) for summary in (old, new))):
        _echo(say(speech, "cli.scopes_differ"))


def _differences(old: dict[str, Any], new: dict[str, Any], lang: Lang) -> "Table":
    from rich.table import Table

    from planner.gaps import compare_gaps
    from planner.last import changes, last_run

    table = Table("", *(_cell(x["study"]["run_id"]) for x in (old, new)), "Δ")
    moments = [(say(lang, "cli.today"), old["coverage"]["existing"], new["coverage"]["existing"])]
    both = [year for year in old["coverage"]["plan"] if year in new["coverage"]["plan"]]
    moments += [(str(year), old["coverage"]["plan"][year], new["coverage"]["plan"][year]) for year in both]
    for moment, a, b in moments:
        for key in ("share", "effective_share", "backup_share", "mean_m", "p90_m", "worst_m"):
            if a.get(key) is None or b.get(key) is None:
                continue
            shown = "{:.1%}" if key.endswith("share") else "{:,.0f} m"
            change = ("+" if b[key] >= a[key] else "") + shown.format(b[key] - a[key])
            name = _cell(f"{moment} {say(lang, f'indicator.{key}')}")
            table.add_row(name, shown.format(a[key]), shown.format(b[key]), change)
    one, two = last_run(old, "RESULT"), last_run(new, "RESULT")
    found = compare_gaps(one.gaps, two.gaps)
    table.add_row(say(lang, "cli.gaps"), str(len(one.gaps)), str(len(two.gaps)), f"{len(two.gaps) - len(one.gaps):+d}")
    for change, counted in changes(found).items():
        weights = [f"{counted[when]:,.1f}" for when in ("before", "after")]
        moved = f"{counted['after'] - counted['before']:+,.1f}"
        table.add_row(say(lang, f"cli.gaps_{change}", n=f"{counted['gaps']:,.0f}"), *weights, moved)
    return table


def _summary_of(place: Path) -> dict[str, Any]:
    from planner.last import read_summary

    return read_summary(place / "summary.json" if place.is_dir() else place, str(place))
