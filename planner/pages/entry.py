"""The app's entry: `streamlit run` takes this file or app.py; both call `run`."""

import os
from functools import partial
from importlib import import_module

import streamlit as st

from planner.pages import shared
from planner.words import say

# A page's module and address, its word in the catalogue, its icon. A page that opens or changes a study comes first.
PAGES = (
    ("start", "app.start", "folder_open"),
    ("overview", "app.overview", "map"),
    ("coverage", "app.coverage", "schedule"),
    ("gaps", "app.gaps", "location_off"),
    ("whatif", "whatif.page", "edit_location_alt"),
    ("plan", "plan.page", "checklist"),
    ("documents", "app.documents", "description"),
)


def show(name: str) -> None:
    """Show a page; what it needs is imported when it is first asked for, so that nobody waits for the others'."""
    import_module(f"planner.pages.{name}").show()


def lead_on() -> None:
    """Lead from the address that the page shown first would have if it were not the first: links that people keep name it."""
    asked = st.query_params.to_dict()
    st.switch_page(st.session_state["pages"][first()], query_params=asked)


def first() -> str:
    """Return which page is shown first: whoever names no study is asked for one; the embedded study is one step away."""
    return "overview" if os.environ.get("PLANNER_STUDY") else "start"


def run() -> None:
    """Show the page that was asked for; what goes wrong is said in a sentence."""
    lang = shared.language()
    st.set_page_config(
        page_title=say(lang, "app.name"), page_icon="🗺️", layout="wide", initial_sidebar_state="collapsed"
    )
    pages = [
        st.Page(
            partial(show, address),
            title=say(lang, word),
            icon=f":material/{icon}:",
            url_path="" if address == first() else address,
            default=address == first(),
        )
        for address, word, icon in PAGES
    ]
    # Leading to another page clears the address; a draft that it named is remembered.
    if st.query_params.get("draft"):
        st.session_state["draft"] = st.query_params["draft"]
    # So that a page can lead to another.
    st.session_state["pages"] = dict(zip((address for address, _, _ in PAGES), pages, strict=True))
    page = st.navigation([*pages, st.Page(lead_on, url_path=first(), visibility="hidden")], position="top")
    with shared.told_errors():
        shared.header(lang)
        page.run()
        if page is not pages[0]:
            shared.footer(lang)


if __name__ == "__main__":
    run()
