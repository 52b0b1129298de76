"""What all pages share: the language, the study, its result, the head and the foot of the page.

Long work is done once for all sessions, in a thread of its own: it goes on when the tab that asked for it is closed.
"""

import datetime as dt
import os
import re
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

import streamlit as st

from planner import embedded, pipeline
from planner.errors import InputError, PlannerError
from planner.pages import mapfiles
from planner.pipeline import Measured, Progress, Result
from planner.saving import revision
from planner.siting import Listener
from planner.siting.watch import Progress as Standing
from planner.study import STUDY_FILE, Study, load_study
from planner.words import LANGS, Lang, say
from planner.workspace import draft, midway, shelf

RUN_STEPS = ("read", "network", "coverage", "plan", "programme", "norms")
LANGUAGE_NAMES: dict[Lang, str] = {"zh": "中文", "en": "English"}
# What is kept in memory when it is done; the one that nobody has asked for longest goes when another comes. Plans on the same files share
# all that is large.
KEPT = 8
# A plan that takes no longer is waited for: a page that shows today and at once another figure is restless.
PATIENCE_S = 0.3
# What a browser takes to draw the first picture once it is laid down.
DRAWING_S = 1.5


@dataclass
class Search:
    """A search for a plan: where it stood at each moment, and whether it was asked to stop.

    Attributes:
        file: of the study.
        changes: what is asked for, where it differs from the study.
        begun_at: local time.
    """

    file: Path = Path()
    changes: dict[str, Any] = field(default_factory=dict)
    begun_at: dt.datetime = field(default_factory=dt.datetime.now)
    standings: list[Standing] = field(default_factory=list)
    stop: bool = False

    def hear(self, standing: Standing) -> bool:
        """Take note of where the search stands; tell it whether to stop."""
        self.standings.append(standing)
        return self.stop

    def end(self) -> None:
        """Ask it to stop with the best plan so far."""
        self.stop = True


@dataclass(frozen=True)
class Job:
    """Work that is going on or done.

    Attributes:
        future: of what it gives.
        steps: that it has begun.
        search: where it stands, if it searches for a plan.
    """

    future: Future[Any]
    steps: list[str] = field(default_factory=list)
    search: Search | None = None


# Of the process, not of Streamlit's cache: work begins before there is a session, and goes on in threads that have none.
_jobs: dict[str, Job] = {}
_grounds: dict[str, Future[Measured]] = {}
_lock = threading.Lock()
# Searches may be long: nobody who only wants to see a study waits for others'.
_threads = {is_search: ThreadPoolExecutor(2, thread_name_prefix="planner") for is_search in (False, True)}


def language() -> Lang:
    """Return the language of this session: as switched, else as the address says (?lang=en), else the study's."""
    told = st.session_state.get("lang") or st.query_params.get("lang")
    for lang in LANGS:
        if lang == told:
            return lang
    try:
        return study().language
    except Exception:  # what is wrong with the study is said on the page, in Chinese first
        return LANGS[0]


def study() -> Study:
    """Return the study that this session shows.

    Raises:
        InputError: its study.toml is wrong, or the address names none.
    """
    return load_study(study_file())


def study_file() -> Path:
    """Return the study.toml of this session's study: as chosen on the Start page, else as the address says (?study=), else the one
    that the app was started with, else the embedded one.

    Raises:
        InputError: the address names no study that may be opened from here.
    """
    chosen = st.session_state.get("study")
    if chosen is None:
        told, started = st.query_params.get("study"), os.environ.get("PLANNER_STUDY")
        if told:
            chosen = shelf.find(told, anywhere=is_local())
            st.session_state["study_in_address"] = True
        elif started:
            chosen = Path(started) / STUDY_FILE if Path(started).is_dir() else Path(started)
        else:
            return embedded_file()
        st.session_state["study"] = chosen
    return Path(chosen)


@contextmanager
def told_errors() -> Iterator[None]:
    """Say what goes wrong in a sentence with a way on; what nobody foresaw is written to a file for who mends it."""
    try:
        yield
    except PlannerError as error:
        words = error.text(language())
    except Exception:
        handle, log = tempfile.mkstemp(prefix="planner-error-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(traceback.format_exc())
        words = say(language(), "app.unexpected", log=log)
    else:
        return
    st.error(plain(words), icon=":material/error:")
    start = st.session_state.get("pages", {}).get("start")
    if start is not None:
        st.page_link(start, label=say(language(), "start.to_start"), icon=":material/arrow_back:")


def keep_address(lang: Lang) -> None:
    """Write study and language into the address, which going to another page clears: a reload shall find the same."""
    chosen = st.session_state.get("study")
    if chosen is not None and st.session_state.get("study_in_address"):
        wanted = {"study": shelf.address(Path(chosen)), "lang": lang}
        for key, value in wanted.items():
            if st.query_params.get(key) != value:
                st.query_params[key] = value


def embedded_file() -> Path:
    """Return the embedded study's study.toml."""
    return embedded.folder() / STUDY_FILE


def switch_to(file: Path) -> None:
    """Let this session show another study; other sessions go on with theirs."""
    st.session_state["study"], st.session_state["study_in_address"] = file, True
    for key in ("typing", "draft", "looked_at", "mark_looked_at"):
        st.session_state.pop(key, None)
    for key in ("typing", "draft", "study"):
        st.query_params.pop(key, None)


def draft_id(file: Path) -> str:
    """Return which draft of a study is this session's; the address keeps it over a reload."""
    kept: str | None = st.session_state.get("typing")
    if kept is None:
        told = st.query_params.get("typing", "")
        try:
            draft.folder(file, told)
            kept = told
        except InputError:
            kept = draft.new_id()
        st.session_state["typing"] = kept
    if st.query_params.get("typing") != kept and not shelf.is_embedded(file):
        st.query_params["typing"] = kept
    return kept


def token() -> str:
    """Return what names this person's trying and asking; the address keeps it over a reload."""
    told = midway.token(st.query_params.get("draft") or st.session_state.get("draft"))
    st.session_state["draft"] = told
    if st.query_params.get("draft") != told:
        st.query_params["draft"] = told
    return told


def take_draft(file: Path, other: str) -> None:
    """Let this session go on with a draft that was left behind."""
    st.session_state["typing"] = other
    st.query_params["typing"] = other


def is_local() -> bool:
    """Tell whether only this computer can reach the app: then whoever is at it may open any folder that it has."""
    return st.get_option("server.address") in ("localhost", "127.0.0.1", "::1")


def go_to(word: str) -> None:
    """Go to another page, by its word in the catalogue."""
    pages = st.session_state.get("pages", {})
    if word in pages:
        st.switch_page(pages[word])


def begin() -> None:
    """Begin with the result of the study that the app was started with, before anybody asks for it."""
    with suppress(Exception):  # what is wrong is said on the page
        shown = load_study(Path(os.environ.get("PLANNER_STUDY") or embedded_file()))
        sought(shown, pause_s=DRAWING_S)


def leave() -> None:
    """End the process at once if work is still going on in it: Python would wait for a search to its end.

    Nothing is lost: what is saved is saved whole (`planner.saving`), and what is being worked out is only in memory.
    """
    if any(not job.future.done() for job in jobs().values()):
        mapfiles.clear()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)


def result() -> Result:
    """Return the result of the study as its files are now; while it is being made, show how far it is.

    Raises:
        InputError: the study's files are wrong.
    """
    made: Result = awaited(sought(study()), RUN_STEPS)
    return made


def result_so_far() -> Result:
    """Return the result as `result` does, or, while its plan is still being solved, what is known of today; the page is then shown
    anew when the plan is there.

    Raises:
        InputError: the study's files are wrong.
    """
    shown = study()
    key = study_key(shown)
    going, ground, place = sought(shown), None, st.empty()
    while shown.plan is not None and not going.future.done() and (ground := measured_already(shown)) is None:
        with place.container():
            wait_a_little(going, RUN_STEPS)
    wait([going.future], timeout=PATIENCE_S)
    with place.container():
        if going.future.done() or ground is None:
            return result()
        await_plan(going)
    return today_of(key, ground, shown)


@st.cache_resource(max_entries=2, show_spinner=False)
def today_of(key: str, _ground: Measured, _shown: Study) -> Result:
    """Return what is known of today."""
    return pipeline.plan_on(_ground, _shown, solve=False)


@st.fragment(run_every=1.0)
def await_plan(going: Job) -> None:
    """Show how far the plan is, again and again until it is there."""
    if going.future.done():
        st.rerun()
    lang = language()
    show_standing(going, RUN_STEPS, lang)
    offer_to_stop(going, lang)
    st.caption(say(lang, "app.today_first"))


def sought(shown: Study, *, pause_s: float = 0.0) -> Job:
    """Return the job that makes the result of a study as it is saved; if there is none, begin it, with a pause as in `planned`."""
    search = Search(shown.folder / shown.settings_file)
    return started(study_key(shown), partial(planned, shown, listener=search.hear, pause_s=pause_s), search=search)


def adopt(shown: Study, key: str) -> None:
    """Let a search for just the settings that a study was saved with, done or not, be the study's own: what is shown is delivered.

    Args:
        shown: the study as saved.
        key: of the search, if there was one; nobody can ask for it any more, now that study.toml is another.
    """
    digest, adopted = revision(shown.folder / shown.settings_file), Future[Result]()
    with _lock:
        going = _jobs.pop(key, None)
        if going is None:
            return
        # In the same breath: whoever asks in between would begin the same search once more.
        _jobs[study_key(shown)] = Job(adopted, going.steps, going.search)

    def hand_over(found: Future[Result]) -> None:
        try:
            adopted.set_result(pipeline.saved_meanwhile(found.result(), shown, digest))
        except BaseException as error:
            adopted.set_exception(error)

    going.future.add_done_callback(hand_over)


def planned(shown: Study, *, progress: Progress, listener: Listener | None = None, pause_s: float = 0.0) -> Result:
    """Return the result of a study; plans that differ in budgets, rules or aims alone share what is measured.

    What is known of today is made ready for the map before the plan is sought, and the search of a large study waits ``pause_s`` more:
    somebody waits for the first picture, and a search beside it would take half of the processor's time from it.
    """
    known = measured_already(shown) is not None
    ground = measured(shown, progress=progress)
    if shown.plan is not None and not known:
        begun = time.thread_time()
        today = today_of(study_key(shown), ground, shown)
        mapfiles.assets(today.run_id, shown.language, today)
        # The plan of a small study is there before anybody sees the picture.
        if time.thread_time() - begun > PATIENCE_S:
            time.sleep(pause_s)
    return pipeline.plan_on(ground, shown, progress=progress, listener=listener)


def measured(shown: Study, *, progress: Progress) -> Measured:
    """Return what a study is today: measured once for all plans on the same files. What failed is tried again."""
    key, grounds = _ground_key(shown), _grounds
    with _lock:
        ground = grounds.get(key)
        mine = ground is None or (ground.done() and ground.exception() is not None)
        if ground is None or mine:
            for old in [k for k, one in grounds.items() if one.done()][: max(0, len(grounds) - KEPT + 1)]:
                del grounds[old]
            ground = grounds[key] = Future()
    if mine:
        try:
            ground.set_result(pipeline.measured(shown, progress=progress))
        except BaseException as error:
            ground.set_exception(error)
    return ground.result()


def measured_already(shown: Study) -> Measured | None:
    """Return what a study is today, if that has been measured."""
    ground = _grounds.get(_ground_key(shown))
    return ground.result() if ground is not None and ground.done() and ground.exception() is None else None


def _ground_key(shown: Study) -> str:
    return study_key(pipeline.heeded(shown))


def study_key(shown: Study) -> str:
    """Return what stands for a study with its files as they are now."""
    return repr([shown, [(file, _stamp(shown.folder / file)) for file in shown.files()]])


def finished(key: str, work: Callable[..., Any], steps: Sequence[str]) -> Any:
    """Return what ``work`` gives; while it is at work, show how far it is. What failed is tried again.

    Args:
        key: the same for all sessions that want the same; only the first starts the work.
        work: called with ``progress`` in a thread; it goes on when the page is closed.
        steps: names that ``progress`` is told, in their order.
    """
    return awaited(started(key, work), steps)


def awaited(going: Job, steps: Sequence[str]) -> Any:
    """Return what a job gives; while it is at work, show how far it is, and let a search be stopped."""
    # Always there: a place that comes and goes would move what follows, and the browser would make the map anew.
    place, end, offered = st.empty(), st.empty(), False
    while not going.future.done():
        with place.container():
            wait_a_little(going, steps)
        if not offered and going.search is not None and going.search.standings:
            with end.container():
                offer_to_stop(going, language())
            offered = True
    place.empty()
    end.empty()
    return going.future.result()


def wait_a_little(going: Job, steps: Sequence[str]) -> None:
    """Show how far a job is, for a moment."""
    lang = language()
    show_standing(going, steps, lang)
    st.caption(say(lang, "app.goes_on"))
    wait([going.future], timeout=0.2)


def standing(going: Job, steps: Sequence[str], lang: Lang) -> tuple[float, str]:
    """Return how far a job is, as a fraction and in words."""
    step = going.steps[-1] if going.steps else steps[0]
    # A step that only some studies ask for counts as the last.
    number = steps.index(step) + 1 if step in steps else len(steps)
    words = say(lang, "app.working", step=say(lang, f"step.{step}"), number=number, steps=len(steps))
    return number / (len(steps) + 1), words


def show_standing(going: Job, steps: Sequence[str], lang: Lang) -> None:
    """Show how far a job is; of a search also the best plan so far, the bound and the gap between them."""
    st.progress(*standing(going, steps, lang))
    if going.search is not None and going.search.standings:
        now = going.search.standings[-1]
        one, two, three, four = st.columns(4)
        one.metric(say(lang, "plan.incumbent"), number(now.objective))
        two.metric(say(lang, "plan.bound"), number(now.bound))
        three.metric(say(lang, "plan.distance"), "–" if now.gap != now.gap or now.gap > 10 else f"{now.gap:.2%}")
        four.metric(say(lang, "plan.seconds"), f"{now.seconds:.0f}")


def offer_to_stop(going: Job, lang: Lang) -> None:
    """Let a search be stopped, once it has something to keep."""
    search = going.search
    if search is not None and search.standings:
        st.button(
            say(lang, "plan.stopping" if search.stop else "plan.stop"), icon=":material/stop:", disabled=search.stop,
            key=f"stop {search.begun_at}", on_click=search.end,
        )  # fmt: skip


def number(value: float) -> str:
    """Return an objective as it is printed; nothing where nothing is known."""
    return f"{value:,.4f}" if abs(value) < 1e12 else "–"


def jobs() -> dict[str, Job]:
    """Return all jobs that go on or are kept, by their keys."""
    return dict(_jobs)


def started(key: str, work: Callable[..., Any], *, search: Search | None = None, again: bool = True) -> Job:
    """Return the job of this key; if there is none, begin it.

    Args:
        key: as in `finished`.
        work: as in `finished`.
        search: what is known of a search while it goes on; it is the job's as long as that is kept.
        again: whether one that failed is tried again; else it is returned, failed.
    """
    with _lock:
        there = _jobs.pop(key, None)
        if there is None or (again and there.future.done() and there.future.exception()):
            for old in [k for k, one in _jobs.items() if one.future.done()][: max(0, len(_jobs) - KEPT + 1)]:
                del _jobs[old]
            begun: list[str] = []
            threads = _threads[search is not None and bool(search.changes)]
            there = Job(threads.submit(work, progress=begun.append), begun, search)
        # Last: the one that nobody has asked for longest goes first.
        _jobs[key] = there
        return there


def _stamp(path: Path) -> tuple[int, int]:
    """Return a file's size and time of change; nothing where there is no file, which the run will say."""
    try:
        seen = path.stat()
    except OSError:
        return (0, 0)
    return (seen.st_size, seen.st_mtime_ns)


# Streamlit leaves wide margins; an office screen of 1366 × 768 has none to spare.
ROOM = """<style>
.stMainBlockContainer { padding: 4.25rem 1.5rem 1rem; }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
@media (max-width: 640px) { .stMainBlockContainer { padding: 4rem 0.75rem 1rem; } }
</style>"""


def header(lang: Lang) -> None:
    """Show what the study is, what in it is illustrative, and the switch of languages."""
    st.html(ROOM)
    keep_address(lang)
    left, right = st.columns([6, 1], vertical_alignment="top")
    right.container(horizontal=True, horizontal_alignment="right").segmented_control(
        say(lang, "app.language"),
        get_args(Lang),
        format_func=LANGUAGE_NAMES.__getitem__,
        default=lang,
        key="lang",
        required=True,
        label_visibility="collapsed",
    )
    try:
        shown = study()
    except PlannerError:
        return  # the page says it
    left.markdown(f"#### {plain(shown.map.title or shown.name)}")
    notes = [note for note in (shown.scope, shown.caveat) if note]
    if notes:
        st.caption(plain(" · ".join(notes)))


def footer(lang: Lang) -> None:
    """Show where the data is from, the run and the standard, once there is a result."""
    going = jobs().get(study_key(study()))
    if going is None or not going.future.done():
        return
    shown: Result = going.future.result()
    words = {"credit": shown.study.base_map, "run_id": shown.run_id, "standard": shown.study.standard.name}
    st.caption(plain(say(lang, "app.footer", **words)))


def plain(text: str) -> str:
    """Return a user's words so that Markdown shows them as they are.

    No more signs are escaped than are read as marks: what names a widget is read aloud with its backslashes.
    """
    text = re.sub(r"[\\`*_\[\]<>$~:&]", r"\\\g<0>", text)
    return re.sub(r"^\s*(?:\d+(?=[.)])|(?=[#+=-]))", r"\g<0>\\", text)
