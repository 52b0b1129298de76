"""Documents: make the set of deliverables, look at the sheets, download it."""

import io
import tempfile
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import streamlit as st

from planner.deliver import write_set
from planner.pages import shared
from planner.pipeline import Progress, Result
from planner.study import MapSettings, Sheet
from planner.words import Lang, say

STEPS = ("layers", "workbook", "map", "sheets", "document")
# Those that are wanted one by one.
SINGLE = ("programme.xlsx", "report.docx", "map.html", "plan.gpkg")
# The earliest date that a zip file knows: the set of a result has the same bytes whenever it is made.
NO_DATE = (1980, 1, 1, 0, 0, 0)


def show() -> None:
    """Show the page."""
    lang, result = shared.language(), shared.result()
    st.markdown(say(lang, "app.documents_what"))
    spoken, made_from = choose(result, lang)
    settings = made_from.study.map
    wanted = f"documents {result.run_id} {spoken} {settings.paper} {settings.orientation} {' '.join(settings.sheets)}"
    if st.button(say(lang, "app.make"), type="primary", icon=":material/print:", disabled=not settings.sheets):
        st.session_state["documents"] = wanted
    if st.session_state.get("documents") != wanted:
        return
    files: dict[str, bytes] = shared.finished(wanted, partial(make, made_from, spoken), STEPS)
    downloads(files, zipped(wanted, files), result, lang)
    sheets = [name for name in files if name.endswith(".png")]
    # The layout plan map is the one that is asked for first.
    sheets.sort(key=lambda name: (not name.endswith("layout.png"), name))
    shown = st.selectbox(say(lang, "app.preview"), sheets)
    if shown:
        st.image(files[shown], caption=shown)


def choose(result: Result, lang: Lang) -> tuple[Lang, Result]:
    """Let language, paper and sheets be chosen; return the language, and the result as it is to be drawn."""
    settings = result.study.map
    one, two, three, four = st.columns([2, 2, 2, 5], vertical_alignment="bottom")
    with one:
        spoken = st.segmented_control(
            say(lang, "app.documents_language"), get_args(Lang), format_func=shared.LANGUAGE_NAMES.__getitem__, default=lang,
            key="documents_lang", required=True,
        )  # fmt: skip
    with two:
        papers = get_args(MapSettings.model_fields["paper"].annotation)
        paper = st.selectbox(say(lang, "app.paper"), papers, index=papers.index(settings.paper), key="documents_paper")
    with three:
        ways = get_args(MapSettings.model_fields["orientation"].annotation)
        way = st.selectbox(
            say(lang, "app.orientation"), ways, index=ways.index(settings.orientation), key="documents_orientation",
            format_func=lambda o: say(lang, f"app.{o}"),
        )  # fmt: skip
    with four:
        known = [sheet for sheet in get_args(Sheet) if result.years or sheet != "years"]
        chosen = st.multiselect(
            say(lang, "app.sheets"), known, [s for s in settings.sheets if s in known] or known[:1], key="documents_sheets",
            placeholder=say(lang, "app.choose"),
            format_func=lambda s: say(lang, f"app.sheet_{s}"),
        )  # fmt: skip
    update = {"paper": paper, "orientation": way, "sheets": tuple(s for s in known if s in chosen)}
    study = result.study.model_copy(update={"map": settings.model_copy(update=update)})
    return spoken or lang, replace(result, study=study)


def make(result: Result, lang: Lang, *, progress: Progress) -> dict[str, bytes]:
    """Make the set; return each file's content by its name, summary.json last."""
    with tempfile.TemporaryDirectory(prefix="planner-set-") as folder:
        made = Path(folder)
        write_set(result, made, lang, progress)
        paths = sorted((p for p in made.rglob("*") if p.is_file()), key=lambda p: (p.name == "summary.json", p))
        return {path.relative_to(made).as_posix(): path.read_bytes() for path in paths}


@st.cache_data(max_entries=2, show_spinner=False)
def zipped(key: str, _files: dict[str, bytes]) -> bytes:
    """Return the files as a zip, the same bytes for the same files; ``key`` stands for them."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _files.items():
            archive.writestr(zipfile.ZipInfo(name, NO_DATE), content, zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def downloads(files: dict[str, bytes], whole: bytes, result: Result, lang: Lang) -> None:
    """Show the buttons to download the whole set, and its main files one by one."""
    columns = st.columns(len(SINGLE) + 1)
    label = say(lang, "app.download_all", size=size(whole))
    columns[0].download_button(
        label,
        whole,
        f"{result.run_id}.zip",
        "application/zip",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )
    for column, name in zip(columns[1:], SINGLE, strict=True):
        label = say(lang, "app.download", name=name, size=size(files[name]))
        column.download_button(label, files[name], name, on_click="ignore")


def size(content: bytes) -> str:
    """Return how large a file is, as it is printed."""
    return f"{len(content) / 1e6:.1f} MB" if len(content) >= 1e5 else f"{max(1, round(len(content) / 1e3))} kB"
