"""Gaps: the ranked list and the map; a row leads to its gap."""

import streamlit as st

from planner.pages import shared, tables
from planner.pages.webmap import show_map
from planner.pipeline import Result
from planner.words import Lang, say

# What the sentence above the list counts.
TOP = 10


def show() -> None:
    """Show the page."""
    lang, result = shared.language(), shared.result()
    gaps = result.gaps
    if not len(gaps):
        st.success(say(lang, "app.gaps_none"))
        return
    top = gaps["weight"].head(TOP).sum() / gaps["weight"].sum()
    words = {"count": len(gaps), "weight": gaps["weight"].sum(), "top": min(TOP, len(gaps)), "share": top}
    st.markdown(say(lang, "app.gap_count", **words))
    left, right = st.columns([1, 1], gap="medium")
    with left:
        focus = ranked(result, lang)
    with right:
        show_map(result, lang, {"moment": 0, "focus": focus})


def ranked(result: Result, lang: Lang) -> str | None:
    """Show the list, filtered by group and reason; return the id of the gap whose row is selected."""
    groups, found = result.study.groups, result.gaps
    one, two = st.columns(2)
    group = one.selectbox(
        say(lang, "app.group"), ["", *groups], format_func=lambda g: groups[g].name if g else say(lang, "app.all")
    )
    reason = two.selectbox(
        say(lang, "app.reason"),
        ["", *sorted(found["reason"].unique())],
        format_func=lambda why: say(lang, f"reason.{why}") if why else say(lang, "app.all"),
    )
    kept = ((found["group"] == group) | (not group)) & ((found["reason"] == reason) | (not reason))
    table = tables.gaps(result, lang)[kept.to_numpy()]
    if not len(table):
        st.caption(say(lang, "app.gap_none_here"))
        return None
    st.caption(say(lang, "app.gap_hint"))
    event = st.dataframe(table, hide_index=True, height=440, on_select="rerun", selection_mode="single-row", key="gaps")
    rows = [row for row in event["selection"]["rows"] if row < len(table)]
    return str(found["id"].iat[table.index[rows[0]]]) if rows else None
