"""Overview: covered? where not? what next? The map, the indicators and the programme."""

from typing import Any

import pandas as pd
import streamlit as st

from planner.pages import shared, tables
from planner.pages.webmap import show_map
from planner.pipeline import Result
from planner.words import Lang, say
from planner.words.wording import listed, sentences


def show() -> None:
    """Show the page."""
    lang, result = shared.language(), shared.result_so_far()
    answers(result, lang)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        moment = choose_moment(result, lang)
    with right:
        st.markdown(f"**{say(lang, 'app.indicators')}**")
        st.dataframe(tables.indicators(result, lang), hide_index=True)
        st.markdown(f"**{say(lang, 'app.programme')}**")
        focus = programme(result, lang)
    with left:
        show_map(result, lang, {"moment": moment, "focus": focus}, height=660, clock=True)
    quality(result, lang)


def answers(result: Result, lang: Lang) -> None:
    """Show the three answers."""
    today = result.indicators[0]
    covered, where, after = st.columns(3, border=True)
    covered.markdown(f"**{say(lang, 'app.answer_covered')}**")
    radius_m = result.study.standard.service_radius_m
    covered.markdown(
        say(lang, "app.covered_sentence", total=today["total_weight"], share=today["share"], radius=radius_m)
    )
    covered.markdown(say(lang, "app.effective_sentence", effective=today["effective_share"]))
    where.markdown(f"**{say(lang, 'app.answer_where')}**")
    for sentence in gap_sentences(result, lang):
        where.markdown(sentence)
    after.markdown(f"**{say(lang, 'app.answer_next')}**")
    for sentence in plan_sentences(result, lang):
        after.markdown(sentence)


def gap_sentences(result: Result, lang: Lang) -> list[str]:
    """Return where the largest gap is, and what share of all that is lacking each reason has."""
    gaps = result.gaps
    if not len(gaps):
        return [say(lang, "app.gaps_none")]
    first = gaps.iloc[0]
    group = result.study.groups[first["group"]]
    largest = say(
        lang,
        "app.gap_largest" if first["zone"] else "app.gap_largest_anywhere",
        zone=shared.plain(tables.zone_name(result, first["zone"], lang)),
        group=shared.plain(group.name),
        weight=first["weight"],
        unit=shared.plain(group.unit_name),
        reason=say(lang, f"reason.{first['reason']}"),
    )
    shares = (gaps.groupby("reason")["weight"].sum() / gaps["weight"].sum()).sort_values(ascending=False, kind="stable")
    reasons = [
        say(lang, "app.gap_reason", reason=say(lang, f"reason.{why}"), share=share) for why, share in shares.items()
    ]
    return [largest, say(lang, "app.gap_reasons", reasons=listed(lang, reasons))]


def plan_sentences(result: Result, lang: Lang) -> list[str]:
    """Return what the plan begins with, where it ends, and how good it is."""
    plan, settings = result.plan, result.study.plan
    if plan is None or settings is None:
        return [say(lang, "app.no_plan" if settings is None else "app.plan_coming")]
    if not plan.found:
        return [say(lang, "app.no_plan_fits", reasons=shared.plain(sentences(lang, *result.plan_reasons(lang))))]
    if not len(result.actions):
        return [say(lang, "app.plan_empty")]
    year, last = int(result.actions["year"].min()), result.years[-1]
    before = result.indicators[max(moment for moment in result.indicators if moment < year)]
    values: dict[str, Any] = {
        "year": year,
        "actions": int((result.actions["year"] == year).sum()),
        "cost": result.cost_by_year[year],
        "unit": shared.plain(settings.cost_unit),
        "before": before["effective_share"],
        "after": result.indicators[year]["effective_share"],
    }
    end = result.indicators[last]
    return [
        say(lang, "app.next_year_one" if values["actions"] == 1 else "app.next_year", **values),
        say(lang, "app.next_end", year=last, actions=len(result.actions), share=end["share"], effective=end["effective_share"],
            status=say(lang, f"plan_status.{plan.verdict}"), gap=plan.gap),
    ]  # fmt: skip


def choose_moment(result: Result, lang: Lang, *, key: str = "moment") -> int:
    """Let the user choose today or the end of a year; return its number: 0 is today. At first the end of the plan is shown."""
    moments = list(result.indicators)

    def name(number: int) -> str:
        return say(lang, "web.year", year=moments[number]) if number else say(lang, "web.today")

    last = len(moments) - 1
    # Another widget once there is a plan: what was chosen among fewer moments is no choice.
    chosen = st.segmented_control(
        say(lang, "app.moment"), range(len(moments)), format_func=name, default=last, key=f"{key} {moments}", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    return last if chosen is None else int(chosen)


def programme(result: Result, lang: Lang) -> str | None:
    """Show the construction programme; return the id of the site whose row is selected."""
    table = tables.programme(result, lang)
    if not len(table):
        coming = result.plan is None and result.study.plan is not None
        st.caption(say(lang, "app.plan_coming" if coming else "app.nothing_planned"))
        return None
    st.caption(say(lang, "app.programme_hint"))
    event = st.dataframe(
        table, hide_index=True, height=300, on_select="rerun", selection_mode="single-row", key="programme"
    )
    rows = event["selection"]["rows"]
    return str(result.programme["site"].iat[rows[0]]) if rows else None


def quality(result: Result, lang: Lang) -> None:
    """Show the notes on the data, if there are any."""
    count = len(result.warnings) + len(result.rejects)
    if not count:
        return
    with st.expander(say(lang, "app.quality", count=count)):
        for warning in result.warnings:
            st.markdown(f"- {shared.plain(warning)}")
        if len(result.rejects):
            st.markdown(say(lang, "app.rejected", rows=len(result.rejects)))
            st.dataframe(pd.DataFrame(result.rejects), hide_index=True)
