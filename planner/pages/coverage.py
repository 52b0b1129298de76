"""Coverage: the map by group and by hour of the week, the people covered over the day, and the zones."""

import altair as alt
import pandas as pd
import streamlit as st

from planner.coverage import at_work
from planner.draw import style
from planner.hours import label
from planner.pages import shared, tables
from planner.pages.overview import choose_moment
from planner.pages.webmap import show_map
from planner.pipeline import Result
from planner.words import Lang, say

DAY = 48


def show() -> None:
    """Show the page."""
    explore(shared.result(), shared.language())


@st.fragment
def explore(result: Result, lang: Lang) -> None:
    """Show the controls and what they lead to; a step of the slider runs only this."""
    days = say(lang, "web.days").split()
    groups = list(result.study.groups)
    one, two, three = st.columns([2, 2, 3], vertical_alignment="bottom")
    with one:
        moment = choose_moment(result, lang, key="coverage_moment")
    with two:
        group = st.segmented_control(
            say(lang, "app.group"), ["", *range(len(groups))], default="", key="coverage_group", required=True,
            format_func=lambda g: say(lang, "web.everyone") if g == "" else result.study.groups[groups[int(g)]].name,
            label_visibility="collapsed",
        )  # fmt: skip
    with three:
        day = st.segmented_control(
            say(lang, "app.day"), range(7), format_func=days.__getitem__, default=0, key="coverage_day", required=True,
            label_visibility="collapsed",
        )  # fmt: skip
    left, right = st.columns([3, 2], gap="medium")
    with right:
        by_hour = st.toggle(say(lang, "app.by_hour"), value=True, key="coverage_by_hour")
        slot = st.select_slider(
            say(lang, "app.hour"), range(DAY), value=14, format_func=label, key="coverage_slot", disabled=not by_hour
        )
        year = list(result.indicators)[moment]
        day_of_week = int(day or 0)
        hours = _hours(result.run_id, year, None if group in ("", None) else groups[int(group)], result)
        figure(hours, day_of_week, int(slot), lang)
        chart(hours, day_of_week, int(slot) if by_hour else None, lang)
        st.markdown(f"**{say(lang, 'app.by_zone')}** · {tables.moment_name(year, lang)}")
        focus = zone_table(result, year, lang)
    with left:
        state = {
            "moment": moment,
            "group": "" if group is None else group,
            "hour": day_of_week * DAY + int(slot) if by_hour else None,
            "focus": focus,
        }
        show_map(result, lang, state, height=640, key="coverage")


@st.cache_data(max_entries=64, show_spinner=False)
def _hours(run_id: str, year: int, group: str | None, _result: Result) -> pd.DataFrame:
    """Return the people at work and those covered in each half-hour of the week."""
    both = at_work(_result.demand, _result.coverage[year], _result.profiles)
    chosen = [both[group]] if group else list(both.values())
    return pd.DataFrame({"at_work": sum(work for work, _ in chosen), "covered": sum(covered for _, covered in chosen)})


def figure(hours: pd.DataFrame, day: int, slot: int, lang: Lang) -> None:
    """Show the share that is covered at the hour chosen."""
    work, covered = (float(value) for value in hours.iloc[day * DAY + slot])
    name = say(lang, "app.hour_figure", day=say(lang, "web.days").split()[day], time=label(slot))
    if work > 0:
        st.metric(
            name,
            f"{covered / work:.1%}",
            say(lang, "app.hour_people", at_work=work, covered=covered),
            delta_color="off",
            delta_arrow="off",
        )
    else:
        st.metric(name, "–", say(lang, "app.nobody"), delta_color="off", delta_arrow="off")


def chart(hours: pd.DataFrame, day: int, slot: int | None, lang: Lang) -> None:
    """Show the day as bars: people at work, and those of them who are covered."""
    time = say(lang, "app.clock_time")
    words = {"at_work": say(lang, "app.at_work"), "covered": say(lang, "app.covered_then")}
    table = hours.iloc[day * DAY : (day + 1) * DAY].round(1).reset_index(drop=True)
    table = table.assign(**{time: [label(k) for k in range(DAY)]}).rename(columns=words)
    base = alt.Chart(table).encode(
        x=alt.X(f"{time}:O", title=None, axis=alt.Axis(values=[label(k) for k in range(0, DAY, 8)], labelAngle=0))
    )
    tooltip = [time, *words.values()]
    layers = [
        base.mark_bar(color="#efc7ac").encode(y=alt.Y(f"{words['at_work']}:Q", title=None), tooltip=tooltip),
        base.mark_bar(color=style.YEARS[0]).encode(y=f"{words['covered']}:Q", tooltip=tooltip),
    ]
    if slot is not None:
        mark = alt.Chart(table.iloc[[slot]]).mark_rule(color=style.INK, strokeWidth=2)
        layers.append(mark.encode(x=f"{time}:O"))
    title = say(lang, "app.chart_title", day=say(lang, "web.days").split()[day])
    st.altair_chart(alt.layer(*layers).properties(height=210, title=title))


def zone_table(result: Result, year: int, lang: Lang) -> str | None:
    """Show the zones' indicators; return the id of the zone whose row is selected."""
    table = tables.zones(result, year, lang)
    st.caption(say(lang, "app.zone_hint"))
    shares = {
        say(lang, f"indicator.{key}"): st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
        for key in tables.SHARES[:3]
    }
    metres = {say(lang, "indicator.mean_m"): st.column_config.NumberColumn(format="%.0f m")}
    event = st.dataframe(
        table,
        hide_index=True,
        height=260,
        on_select="rerun",
        selection_mode="single-row",
        key="zones",
        column_config=shares | metres,
    )
    rows = event["selection"]["rows"]
    return f"zone {table.index[rows[0]]}" if rows else None
