"""The app's entry: `streamlit run` takes this file or app.py; both call `run`."""

import os

import streamlit as st

from planner.pages import coverage, documents, gaps, overview, plan, shared, start, whatif
from planner.words import say

# What shows a page, its address, its word in the catalogue, its icon. A page that opens or changes a study comes first.
PAGES = (
    (start.show, "start", "app.start", "folder_open"),
    (overview.show, "overview", "app.overview", "map"),
    (coverage.show, "coverage", "app.coverage", "schedule"),
    (gaps.show, "gaps", "app.gaps", "location_off"),
    (whatif.show, "whatif", "whatif.page", "edit_location_alt"),
    (plan.show, "plan", "plan.page", "checklist"),
    (documents.show, "documents", "app.documents", "description"),
)


def run() -> None:
    """Show the page that was asked for; what goes wrong is said in a sentence."""
    lang = shared.language()
    st.set_page_config(
        page_title=say(lang, "app.name"), page_icon="🗺️", layout="wide", initial_sidebar_state="collapsed"
    )
    pages = [
        st.Page(
            show,
            title=say(lang, word),
            icon=f":material/{icon}:",
            url_path=address,
            # Whoever names no study is asked for one; the embedded study is one step away.
            default=address == ("overview" if os.environ.get("PLANNER_STUDY") else "start"),
        )
        for show, address, word, icon in PAGES
    ]
    # Leading to another page clears the address; a draft that it named is remembered.
    if st.query_params.get("draft"):
        st.session_state["draft"] = st.query_params["draft"]
    # So that a page can lead to another.
    st.session_state["pages"] = dict(zip((address for _, address, _, _ in PAGES), pages, strict=True))
    page = st.navigation(pages, position="top")
    with shared.told_errors():
        shared.header(lang)
        page.run()
        if page is not pages[0]:
            shared.footer(lang)


if __name__ == "__main__":
    run()
