"""The app's entry: `streamlit run` takes this file or app.py; both call `run`."""

import streamlit as st

from planner.errors import PlannerError
from planner.pages import coverage, documents, gaps, overview, shared
from planner.words import say

# What shows a page, its word in the catalogue and in the address, its icon.
PAGES = (
    (overview.show, "overview", "map"),
    (coverage.show, "coverage", "schedule"),
    (gaps.show, "gaps", "location_off"),
    (documents.show, "documents", "description"),
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
            title=say(lang, f"app.{word}"),
            icon=f":material/{icon}:",
            url_path=word,
            default=show is overview.show,
        )
        for show, word, icon in PAGES
    ]
    page = st.navigation(pages, position="top")
    try:
        shared.header(lang)
        page.run()
        shared.footer(lang)
    except PlannerError as error:
        st.error(error.text(lang), icon=":material/error:")


if __name__ == "__main__":
    run()
