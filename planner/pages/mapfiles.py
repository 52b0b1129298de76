"""The files that a browser loads for the app's map, in a folder that Streamlit serves (`webmap`).

Takes a result; gives addresses. Files are named by what they hold, so a browser may keep them. Asks Streamlit for no session: the files
of the first map are laid down before there is one.
"""

import hashlib
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import streamlit as st

from planner.draw import webparts
from planner.draw.webdata import plan_data
from planner.pipeline import Result
from planner.saving import put
from planner.words import Lang

_folder = tempfile.TemporaryDirectory(prefix="planner-map-")


@cache
def folder() -> str:
    """Return the folder, with the page that the map's frame shows."""
    here = files("planner.pages")
    script = lay(here.joinpath("map.js").read_text(encoding="utf-8"), "js")
    page = here.joinpath("map.html").read_text(encoding="utf-8").replace("MAP_SCRIPT", script)
    (Path(_folder.name) / "index.html").write_text(page, encoding="utf-8", newline="\n")
    return _folder.name


def clear() -> None:
    """Take the folder away, before the process ends at once: nothing else does it then."""
    _folder.cleanup()


def lay(text: str, kind: str) -> str:
    """Write a file that is named by what it holds; return its address from the map's page."""
    content = text.encode("utf-8")
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
    file = Path(_folder.name) / name
    if not file.exists():
        # Whole or not at all: another session may be told its address at any moment.
        put(file, content)
    return name


@st.cache_resource(max_entries=6, show_spinner=False)
def assets(run_id: str, lang: Lang, _result: Result) -> tuple[list[str], list[str], list[list[Any]]]:
    """Lay down what a map loads; return the scripts' and styles' addresses, and the layers with their labels."""
    data = plan_data(_result, lang)
    scripts = [
        lay(text, "js") for text in (webparts.leaflet_script(), webparts.data_script(data), webparts.asset("web.js"))
    ]
    styles = [lay(text, "css") for text in (webparts.leaflet_style(), webparts.asset("web.css"))]
    return scripts, styles, webparts.layers(data)
