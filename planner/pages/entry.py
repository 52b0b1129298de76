"""The app's entry: `streamlit run` takes this file or app.py; both call `run`."""

import streamlit as st

from planner.errors import PlannerError
from planner.pages import coverage, gaps, overview, shared
from planner.words import say


def run() -> None:
    """Show the page that was asked for; what goes wrong is said in a sentence."""
    lang = shared.language()
    st.set_page_config(
        page_title=say(lang, "app.name"), page_icon="🗺️", layout="wide", initial_sidebar_state="collapsed"
    )
    pages = [
        st.Page(
            overview.show, title=say(lang, "app.overview"), icon=":material/map:", url_path="overview", default=True
        ),
        st.Page(coverage.show, title=say(lang, "app.coverage"), icon=":material/schedule:", url_path="coverage"),
        st.Page(gaps.show, title=say(lang, "app.gaps"), icon=":material/location_off:", url_path="gaps"),
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
