"""The map in the app: a small component of our own around draw/web.js, with everything it loads served by the app itself.

Takes a result and what to show of it; gives back what was done to it. Weighed against streamlit-folium: the same page, layers and data,
but no map has to be built in Python and compared in the browser for each step, a marker can be dragged, and a change is a message of a few
bytes (benchmarks/app.py has the figures). Leaflet, the plan's data and the scripts are files that the browser loads once (`mapfiles`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
import streamlit.components.v1 as components
from numpy.typing import NDArray

from planner.draw import webparts
from planner.draw.webdata import circle_view, service_view
from planner.pages import mapfiles
from planner.pipeline import Result
from planner.words import Lang

# A component declared with a folder makes Streamlit serve the folder.
_map = components.declare_component("planner_map", path=mapfiles.folder())


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


def event(result: Result, lang: Lang, key: str) -> Event | None:
    """Return what was done to a map since it was last asked, once; to be asked before the map is shown again."""
    name = _name(result, lang, key)
    done = st.session_state.get(name)
    if not done or st.session_state.get(f"{name}-seen") == done["at"]:
        return None
    st.session_state[f"{name}-seen"] = done["at"]
    return Event(done["picked"], str(done.get("id", "")), done.get("x"), done.get("y"))


def _name(result: Result, lang: Lang, key: str) -> str:
    return f"{key}-{result.run_id}-{lang}"


def show_map(
    result: Result,
    lang: Lang,
    state: dict[str, Any],
    *,
    height: int = 560,
    key: str = "map",
    clock: bool = False,
    edit: dict[str, Any] | None = None,
    view: str = "",
    step: str = "",
    listens: bool = False,
) -> None:
    """Show the web map of a result.

    Args:
        result: what to show.
        lang: the language of its words.
        state: what web.js's ``show`` takes: ``moment`` (0: today), ``group`` (number, or "" for everyone), ``hour`` (half-hour of the
            week or None) and ``focus`` (id of a site, gap or zone to go to).
        height: in pixels.
        key: one for each map of a page.
        clock: whether the clock of the week stands below the map; it then chooses the hour itself.
        edit: what a what-if shows: ``places`` (id, name, x, y in degrees, state), ``gained`` and ``lost`` (`units`), ``selected`` (id) and
            ``adding``; places may then be dragged.
        view: another look at the units: the address of what `service_look` or `circle_look` laid down; "" for none.
        step: maps with the same word here move in step.
        listens: whether what is done to the map runs the page again; `event` then tells it.
    """
    scripts, styles, layers = mapfiles.assets(result.run_id, lang, result)
    _map(
        key=_name(result, lang, key), default=None, height=height, scripts=scripts, styles=styles, layers=layers, state=state,
        clock=clock, edit=edit, view=view, step=step, listens=listens,
    )  # fmt: skip


def units(result: Result, rows: NDArray[np.int64]) -> dict[str, list[int]]:
    """Return units of demand as the map numbers them: lines and points each by themselves."""
    is_line, number = _numbers(result.run_id, result)
    return {"lines": number[rows[is_line[rows]]].tolist(), "points": number[rows[~is_line[rows]]].tolist()}


@st.cache_resource(max_entries=30, show_spinner=False)
def service_look(run_id: str, service: str, _result: Result) -> str:
    """Lay down the look at one service alone; return its address."""
    return mapfiles.lay(webparts.json_text(service_view(_result, service)), "json")


@st.cache_resource(max_entries=6, show_spinner=False)
def circle_look(run_id: str, lang: Lang, _result: Result) -> str:
    """Lay down the look at circles against streets; return its address."""
    return mapfiles.lay(webparts.json_text(circle_view(_result, lang)), "json")


@st.cache_resource(max_entries=6, show_spinner=False)
def _numbers(run_id: str, _result: Result) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    is_line = _result.demand["line"].notna().to_numpy()
    return is_line, np.where(is_line, np.cumsum(is_line), np.cumsum(~is_line)) - 1
