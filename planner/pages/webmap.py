"""The map in the app: a small component of our own around draw/web.js, with everything it loads served by the app itself.

Takes a result and what to show of it; gives back what was done to it. Weighed against streamlit-folium: the same page, layers and data,
but no map has to be built in Python and compared in the browser for each step, a marker can be dragged, and a change is a message of a few
bytes (benchmarks/app.py has the figures). Leaflet, the plan's data and the scripts are files that the browser loads once.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import streamlit as st
import streamlit.components.v1 as components

from planner.draw import web
from planner.draw.webdata import plan_data
from planner.pipeline import Result
from planner.words import Lang

# A component declared with a folder makes Streamlit serve the folder. Files are named by what they hold, so a browser may keep them.
_folder = tempfile.TemporaryDirectory(prefix="planner-map-")


def _lay(text: str, kind: str) -> str:
    """Write a file that is named by what it holds; return its address from the map's page."""
    content = text.encode("utf-8")
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
    file = Path(_folder.name) / name
    if not file.exists():
        file.write_bytes(content)
    return name


def _page() -> None:
    """Write the page that the frame shows."""
    here = files("planner.pages")
    script = _lay(here.joinpath("map.js").read_text(encoding="utf-8"), "js")
    page = here.joinpath("map.html").read_text(encoding="utf-8").replace("MAP_SCRIPT", script)
    (Path(_folder.name) / "index.html").write_text(page, encoding="utf-8", newline="\n")


_page()
_map = components.declare_component("planner_map", path=_folder.name)


@dataclass(frozen=True)
class Event:
    """What was done to a map.

    Attributes:
        picked: "site", "gap", "zone" (clicked or found), "place" (a click beside them) or "moved" (a site was dragged).
        id: of what was picked; "" for a place.
        lon, lat: WGS-84 degrees of a place, or of where a site was dragged to.
    """

    picked: str
    id: str = ""
    lon: float | None = None
    lat: float | None = None


def show_map(
    result: Result,
    lang: Lang,
    state: dict[str, Any],
    *,
    height: int = 560,
    key: str = "map",
    clock: bool = False,
    edit: dict[str, Any] | None = None,
    step: str = "",
    listens: bool = True,
) -> Event | None:
    """Show the web map of a result.

    Args:
        result: what to show.
        lang: the language of its words.
        state: what web.js's ``show`` takes: ``moment`` (0: today), ``group`` (number, or "" for everyone), ``hour`` (half-hour of the
            week or None) and ``focus`` (id of a site, gap or zone to go to).
        height: in pixels.
        key: one for each map of a page.
        clock: whether the clock of the week stands below the map; it then chooses the hour itself.
        edit: what a what-if shows: ``places`` (id, name, x, y in degrees, state), ``gained`` and ``lost`` (numbers of ``lines`` and
            ``points``), ``selected`` (id) and ``adding``; places may then be dragged.
        step: maps with the same word here move in step.
        listens: whether what is done to the map runs the page again.

    Returns:
        What was done since the last run, once; None if nothing was.
    """
    scripts, styles, layers = _assets(result.run_id, lang, result)
    name = f"{key}-{result.run_id}-{lang}"
    done = _map(
        key=name, default=None, height=height, scripts=scripts, styles=styles, layers=layers, state=state, clock=clock,
        edit=edit, step=step, listens=listens,
    )  # fmt: skip
    if not done or st.session_state.get(f"{name}-seen") == done["at"]:
        return None
    st.session_state[f"{name}-seen"] = done["at"]
    return Event(done["picked"], str(done.get("id", "")), done.get("x"), done.get("y"))


@st.cache_resource(max_entries=6, show_spinner=False)
def _assets(run_id: str, lang: Lang, _result: Result) -> tuple[list[str], list[str], list[list[Any]]]:
    """Lay down what the browser loads; return the scripts' and styles' addresses, and the layers with their labels."""
    data = plan_data(_result, lang)
    scripts = [_lay(text, "js") for text in (web.leaflet_script(), web.data_script(data), web.asset("web.js"))]
    styles = [_lay(text, "css") for text in (web.leaflet_style(), web.asset("web.css"))]
    return scripts, styles, web.layers(data)
