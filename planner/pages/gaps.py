"""Gaps: the ranked list and the map; a row leads to its gap, and its cheapest remedies lead to a what-if."""

import streamlit as st

from planner.draw.webdata import remedy_words
from planner.pages import shared, tables, webmap, whatif
from planner.pipeline import Result
from planner.whatif import edit_of, remedies_of
from planner.words import Lang, say
from planner.words.wording import label

MAP = "gaps"
# What the sentence above the list counts.
TOP = 10


def show() -> None:
    """Show the page."""
    lang, result = shared.language(), shared.result_so_far()
    gaps = result.gaps
    if not len(gaps):
        st.success(say(lang, "app.gaps_none"))
        return
    top = gaps["weight"].head(TOP).sum() / gaps["weight"].sum()
    words = {"count": len(gaps), "weight": gaps["weight"].sum(), "top": min(TOP, len(gaps)), "share": top}
    st.markdown(say(lang, "app.gap_count", **words))
    explore(result, lang)


@st.fragment
@shared.told_errors()
def explore(result: Result, lang: Lang) -> None:
    """Show list, map and remedies; what is chosen runs only this."""
    event = webmap.event(result, lang, MAP)
    if event and event.picked == "gap":
        st.session_state["gap"] = event.id
    left, right = st.columns([1, 1], gap="medium")
    with left:
        ranked(result, lang)
    focus = st.session_state.get("gap")
    with left:
        if focus in set(result.gaps["id"]):
            remedies(result, str(focus), lang)
    with right:
        webmap.show_map(result, lang, {"moment": 0, "focus": focus}, height=640, key=MAP, listens=True)


def ranked(result: Result, lang: Lang) -> None:
    """Show the list, filtered by group and reason; the gap whose row is selected is the one chosen."""
    groups, found = result.study.groups, result.gaps
    one, two = st.columns(2)
    group = one.selectbox(
        say(lang, "app.group"), ["", *groups], format_func=lambda g: groups[g].name if g else label(lang, "app.all")
    )
    reason = two.selectbox(
        label(lang, "app.reason"),
        ["", *sorted(found["reason"].unique())],
        format_func=lambda why: label(lang, f"reason.{why}") if why else label(lang, "app.all"),
    )
    kept = ((found["group"] == group) | (not group)) & ((found["reason"] == reason) | (not reason))
    table = tables.gaps(result, lang)[kept.to_numpy()]
    if not len(table):
        st.caption(say(lang, "app.gap_none_here"))
        return
    st.caption(say(lang, "app.gap_hint"))
    ids = found["id"].to_numpy()[table.index]

    def chosen() -> None:
        rows = st.session_state["gap_rows"]["selection"]["rows"]
        st.session_state["gap"] = str(ids[rows[0]]) if rows and rows[0] < len(ids) else None

    st.dataframe(table, hide_index=True, height=330, on_select=chosen, selection_mode="single-row", key="gap_rows")


def remedies(result: Result, gap: str, lang: Lang) -> None:
    """Offer the cheapest remedies of a gap; one press puts one of them into the what-if."""
    row = result.gaps.set_index("id").loc[gap]
    rank = result.gaps["id"].tolist().index(gap) + 1
    zone, group = tables.zone_name(result, row["zone"], lang), result.study.groups[row["group"]].name
    st.markdown(f"**{say(lang, 'app.remedies_of', rank=rank, zone=shared.plain(zone), group=shared.plain(group))}**")
    found = remedies_of(whatif.prepared(result.run_id, 0, result), gap)
    if not len(found):
        st.caption(say(lang, "app.remedies_none"))
    for number, action in found.iterrows():
        words, button = st.columns([4, 1], vertical_alignment="center")
        words.markdown(shared.plain(remedy_words(result, action, lang)))
        if button.button(say(lang, "app.try"), key=f"try {gap} {number}", icon=":material/edit_location_alt:"):
            mine = whatif.draft(result)
            mine.moment, mine.history = 0, mine.history.do(edit_of(action))
            st.session_state["whatif_site"] = st.session_state["whatif_focus"] = action["site"]
            st.switch_page(st.session_state["pages"]["whatif"])
