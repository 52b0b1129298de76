"""Coverage: the map by group and by hour of the week, the people covered over the day, and the zones."""

import streamlit as st

from planner.pages import shared
from planner.pages.overview import choose_moment
from planner.pages.webmap import show_map
from planner.pipeline import Result
from planner.words import Lang, say


def show() -> None:
    """Show the page."""
    explore(shared.result(), shared.language())


@st.fragment
def explore(result: Result, lang: Lang) -> None:
    """Show the controls and what they lead to; what is chosen runs only this."""
    one, two = st.columns(2, vertical_alignment="bottom")
    with one:
        moment = choose_moment(result, lang, key="coverage_moment")
    with two:
        groups = list(result.study.groups)
        group = st.segmented_control(
            say(lang, "app.group"), ["", *range(len(groups))], default="", key="coverage_group", required=True,
            format_func=lambda g: say(lang, "web.everyone") if g == "" else result.study.groups[groups[int(g)]].name,
            label_visibility="collapsed",
        )  # fmt: skip
    left, right = st.columns([3, 2], gap="medium")
    with left:
        show_map(
            result,
            lang,
            {"moment": moment, "group": group, "hour": 14, "focus": None},
            height=620,
            key="coverage",
            clock=True,
        )
