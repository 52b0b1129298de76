"""Coverage: the map by group, service and hour, straight lines against streets; the zones as chart and table, linked to the map."""

from typing import Any

import altair as alt
import streamlit as st

from planner.draw import style
from planner.pages import shared, tables, webmap
from planner.pages.overview import choose_moment
from planner.pipeline import Result
from planner.words import Lang, say, term
from planner.words.wording import label

MAP = "coverage"
# Bars that a screen has room for.
MOST_BARS = 12


def show() -> None:
    """Show the page."""
    explore(shared.result_so_far(), shared.language())


@st.fragment
@shared.told_errors()
def explore(result: Result, lang: Lang) -> None:
    """Show the controls and what they lead to; what is chosen runs only this. The hour is chosen on the map's own clock."""
    groups = list(result.study.groups)
    one, two, three = st.columns([2, 2, 2], vertical_alignment="bottom")
    with one:
        moment = choose_moment(result, lang, key="coverage_moment")
    with two:
        group = st.segmented_control(
            say(lang, "app.group"), ["", *range(len(groups))], default="", key="coverage_group", required=True,
            format_func=lambda g: say(lang, "web.everyone") if g == "" else shared.plain(result.study.groups[groups[int(g)]].name),
            label_visibility="collapsed",
        )  # fmt: skip
    with three:
        view = choose_view(result, lang)
    chosen = hear(webmap.event(result, lang, MAP), result)
    year = list(result.indicators)[moment]
    left, right = st.columns([3, 2], gap="medium")
    with right:
        st.markdown(f"**{say(lang, 'app.by_zone')}** · {tables.moment_name(year, lang)}")
        chart(result, year, chosen, lang)
        chosen = zone_table(result, year, chosen, lang)
    with left:
        state: dict[str, Any] = {
            "moment": moment,
            "group": "" if group is None else group,
            "hour": None,
            "focus": f"zone {chosen}" if chosen else None,
        }
        webmap.show_map(result, lang, state, height=660, key=MAP, clock=True, view=view, listens=True)


def choose_view(result: Result, lang: Lang) -> str:
    """Let the user look at all required services, at one alone, or at circles against streets; return what the map is to load."""
    services = list(result.indicators[0]["by_service"])
    names = {
        "": say(lang, "app.view_required"),
        "circles": say(lang, "app.view_circles"),
        **{f"service {s}": say(lang, "app.view_service", service=term(lang, "service", s)) for s in services},
    }
    chosen = st.selectbox(
        say(lang, "app.view"),
        list(names),
        key="coverage_view",
        format_func=names.__getitem__,
        label_visibility="collapsed",
    )
    if chosen == "circles":
        figures = result.indicators[0]
        st.caption(
            say(lang, "app.circles_say", circles=figures["circle_share"] or 0.0, streets=figures["share"] or 0.0)
        )
        return webmap.circle_look(result.run_id, lang, result)
    if chosen:
        service = chosen.removeprefix("service ")
        shares = result.indicators[0]["by_service"][service]
        st.caption(say(lang, "app.service_says", share=shares["share"], effective=shares["effective_share"]))
        return webmap.service_look(result.run_id, service, result)
    return ""


def hear(event: webmap.Event | None, result: Result) -> str | None:
    """Return the zone that is chosen: by a click on the map just now, or before."""
    if event and event.picked == "zone":
        choose_zone(event.id.removeprefix("zone "))
    elif event and event.picked == "place" and event.lon is not None and event.lat is not None:
        choose_zone(result.zone_at(event.lon, event.lat))
    return st.session_state.get("zone")


def chart(result: Result, year: int, chosen: str | None, lang: Lang) -> None:
    """Show the zones with most people as bars of effective coverage, the chosen one among them; a click on a bar chooses its zone."""
    table = tables.zones(result, year, lang)
    zone, effective = label(lang, "app.zone"), label(lang, "indicator.effective_share")
    shown = table.iloc[:MOST_BARS]
    if chosen in table.index[MOST_BARS:]:
        shown = table.loc[[chosen, *table.index[: MOST_BARS - 1]]]
    shown = shown.assign(chosen=[key == chosen for key in shown.index], id=shown.index)
    bars = alt.Chart(shown).mark_bar(color=style.YEARS[0]).encode(
        x=alt.X(f"{effective}:Q", title=None, axis=alt.Axis(format="%", tickCount=5), scale=alt.Scale(domain=[0, 1])),
        y=alt.Y(f"{zone}:N", title=None, sort=None, axis=alt.Axis(labelOverlap=False)),
        color=alt.condition("datum.chosen", alt.value(style.GAP), alt.value(style.YEARS[0])),
        tooltip=[zone, alt.Tooltip(f"{effective}:Q", format=".1%"), label(lang, "app.people")],
    )  # fmt: skip
    bars = bars.add_params(alt.selection_point(name="bar", fields=["id"]))
    key = f"zone_bars {st.session_state.get('zone_clicks', 0)}"

    def clicked() -> None:
        picked = st.session_state[key]["selection"].get("bar") or []
        if picked:
            choose_zone(str(picked[0]["id"]))

    # Beside the bars there is room for title and axis: Streamlit draws the whole within this height.
    st.altair_chart(bars.properties(height=22 * len(shown) + 88, title=effective), on_select=clicked, key=key)


def choose_zone(zone: str | None) -> None:
    """Choose a zone elsewhere than in the table: table and chart begin anew, with it selected."""
    st.session_state["zone"] = zone
    st.session_state["zone_clicks"] = st.session_state.get("zone_clicks", 0) + 1


def zone_table(result: Result, year: int, chosen: str | None, lang: Lang) -> str | None:
    """Show the zones' indicators; return the id of the zone whose row is selected, here or by a click on the map."""
    table = tables.zones(result, year, lang)
    st.caption(say(lang, "app.zone_hint"))
    names = [label(lang, f"indicator.{key}") for key in tables.SHARES[:3]]
    bar = st.column_config.ProgressColumn(format="%.1f%%", min_value=0, max_value=100)
    shares = dict.fromkeys(names, bar)
    metres = {label(lang, "indicator.mean_m"): st.column_config.NumberColumn(format="%.0f m")}
    rows: list[int] = [table.index.tolist().index(chosen)] if chosen in table.index else []
    event = st.dataframe(
        table.assign(**{name: 100 * table[name].astype(float) for name in names}),
        hide_index=True,
        height=230,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": rows, "columns": [], "cells": []}},
        key=f"zones {st.session_state.get('zone_clicks', 0)}",
        column_config=shares | metres,
    )
    picked = event["selection"]["rows"]
    found = str(table.index[picked[0]]) if picked else None
    if found != chosen:
        st.session_state["zone"] = found
    return found
