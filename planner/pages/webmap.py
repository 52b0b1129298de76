"""The map in the app: streamlit-folium, with everything it loads served by the app itself.

Takes a result and what to show of it; gives back what was clicked. Weighed: Leaflet as data addresses in folium's own links took seconds a
click, since the base was sent again; a component of one's own answers fastest but is a second way of drawing. Here Leaflet, the plan's
data and web.js are files that the browser loads once, and a click or a slider sends a few bytes of state.
"""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import folium
import streamlit as st
import streamlit.components.v1 as components
from streamlit_folium import st_folium

from planner.draw import web
from planner.draw.webdata import plan_data
from planner.pipeline import Result
from planner.words import Lang

# A component declared with a folder makes Streamlit serve the folder; it is never shown itself.
_folder = tempfile.TemporaryDirectory(prefix="planner-map-")
_served = components.declare_component("served", path=_folder.name)


def show_map(
    result: Result, lang: Lang, state: dict[str, Any], *, height: int = 560, key: str = "map"
) -> dict[str, Any]:
    """Show the web map of a result.

    Args:
        result: what to show.
        state: what web.js's ``show`` takes: ``moment`` (0: today), ``group`` (number, or "" for everyone), ``hour`` (half-hour of the
            week or None) and ``focus`` (id of a site, gap or zone to go to).
        height: in pixels.
        key: one for each map of a page.

    Returns:
        What was clicked last: ``picked`` ("site" or "gap") and ``id``; empty at first.
    """
    scripts, styles, data = _assets(result.run_id, lang, result)
    plan = web.plan_map(data, with_panel=False, scripts=scripts, styles=styles)
    clicked = st_folium(
        plan,
        key=f"{key}-{result.run_id}-{lang}",
        height=height,
        use_container_width=True,
        returned_objects=[],
        feature_group_to_add=_change(state),
    )
    return dict(clicked or {})


@st.cache_resource(max_entries=6, show_spinner=False)
def _assets(run_id: str, lang: Lang, _result: Result) -> tuple[list[str], list[str], dict[str, Any]]:
    """Lay down what the browser loads; return the scripts' and styles' addresses and what `plan_map` takes from the data."""
    data = plan_data(_result, lang)
    scripts = [_lay(text, "js") for text in (web.leaflet_script(), web.data_script(data), web.asset("web.js"))]
    styles = [_lay(text, "css") for text in (web.leaflet_style(), web.asset("web.css"))]
    return scripts, styles, {key: data[key] for key in ("bounds", "words")}


def _lay(text: str, kind: str) -> str:
    """Write a file that is named by what it holds, so that a browser may keep it; return its address from the map's frame."""
    content = text.encode("utf-8")
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
    file = Path(_folder.name) / name
    if not file.exists():
        file.write_bytes(content)
    return f"../{_served.name}/{name}"


def _change(state: dict[str, Any]) -> folium.FeatureGroup:
    """Return an empty layer whose script sets the state of the map that is there already."""
    group = folium.FeatureGroup()
    web.Call("show(" + json.dumps(state).replace("{", "{{").replace("}", "}}") + ")").add_to(group)
    return group
