"""Plan: budgets, aim and rules; the search as it goes on; the programme, whose rows can be kept, forbidden and planned again."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_args

import altair as alt
import pandas as pd
import streamlit as st
import tomlkit
from pydantic import ValidationError

from planner import pipeline, saving
from planner.draw import style
from planner.errors import PlannerError
from planner.pages import shared, tables, webmap
from planner.pipeline import Progress, Result
from planner.siting.watch import Progress as Standing
from planner.study import Limit, Mode, PlanSettings, Study
from planner.words import Lang, say

MAP = "plan"


@dataclass
class Search:
    """A search that is going on: where it stood at each moment, and whether it was asked to stop."""

    standings: list[Standing] = field(default_factory=list)
    stop: bool = False

    def hear(self, standing: Standing) -> bool:
        """Take note of where the search stands; tell it whether to stop."""
        self.standings.append(standing)
        return self.stop


@st.cache_resource
def _searches() -> dict[str, Search]:
    return {}


def show() -> None:
    """Show the page."""
    lang, base = shared.language(), shared.result()
    if base.study.plan is None:
        st.info(say(lang, "app.no_plan"))
        return
    path = base.study.folder / base.study.settings_file
    # What this session has seen of the file: what others write after that is not overwritten.
    st.session_state.setdefault("plan_seen", saving.revision(path))
    settings = asked(base.study.plan, base, lang)
    if settings is None:
        return
    study = base.study.model_copy(update={"plan": settings})
    run, keep, back = st.columns([1, 1, 3], vertical_alignment="bottom")
    changed = settings != base.study.plan
    if run.button(
        say(lang, "plan.run"), type="primary", icon=":material/play_arrow:", disabled=not changed, width="stretch"
    ):
        st.session_state["plan_wanted"] = settings
    if keep.button(say(lang, "plan.save"), icon=":material/save:", disabled=not changed, width="stretch"):
        save(base.study, settings, back, lang)
    place = st.container()
    wanted = st.session_state.get("plan_wanted")
    result = base
    if wanted is not None and wanted == settings and changed:
        found = solved(study, base, place, lang)
        if found is None:
            return
        result = found
    elif changed:
        place.caption(say(lang, "plan.not_yet"))
    verdict(base, result, lang)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        focus = programme(base, result, lang)
        trade_off(result, lang)
    with right:
        state = {"moment": len(result.indicators) - 1, "focus": focus}
        webmap.show_map(result, lang, state, height=560, key=MAP)


# --- what is asked for ---------------------------------------------------------------------------------------------------


def asked(plan: PlanSettings, base: Result, lang: Lang) -> PlanSettings | None:
    """Show the settings; return them as they are now, or None where they make no plan, which is then said."""
    st.session_state.setdefault("plan_required", list(plan.required))
    st.session_state.setdefault("plan_forbidden", list(plan.forbidden))
    st.session_state.setdefault("plan_by", {})
    names = dict(zip(base.sites["id"], base.sites["name"], strict=True))
    with st.expander(say(lang, "plan.settings"), expanded=True, icon=":material/tune:"):
        left, middle, right = st.columns([2, 2, 3], gap="medium")
        year, budget = say(lang, "programme.year"), say(lang, "plan.budget", unit=plan.cost_unit)
        with left:
            table = pd.DataFrame({year: list(plan.years), budget: [float(b) for b in plan.budget]})
            config = {
                year: st.column_config.NumberColumn(format="%d", min_value=1900, max_value=2200, step=1, required=True),
                budget: st.column_config.NumberColumn(min_value=0.0, required=True),
            }
            rows = st.data_editor(table, num_rows="dynamic", hide_index=True, column_config=config, key="plan_budget")
            carry = st.toggle(say(lang, "plan.carry_over"), plan.carry_over, key="plan_carry")
        with middle:
            aims = list(get_args(PlanSettings.model_fields["objective"].annotation))
            if base.study.capacity is None:
                aims.remove("served")
            aim = st.selectbox(
                say(lang, "plan.objective"), aims, index=aims.index(plan.objective), key="plan_objective",
                format_func=lambda a: say(lang, f"objective.{a}"),
            )  # fmt: skip
            gap = st.select_slider(
                say(lang, "plan.gap"), sorted({0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, plan.mip_gap}), plan.mip_gap,
                format_func=lambda g: f"{g:.1%}", key="plan_gap", help=say(lang, "plan.gap_help"),
            )  # fmt: skip
            curve = st.toggle(say(lang, "plan.tradeoff"), plan.tradeoff, key="plan_tradeoff")
        with right:
            ids = base.sites["id"].tolist()
            for key in ("required", "forbidden"):
                st.multiselect(
                    say(lang, f"plan.{key}"), ids, key=f"plan_{key}",
                    placeholder=say(lang, "app.choose"), format_func=lambda site: f"{names[site] or site} ({site})"
                )  # fmt: skip
            modes = [mode for mode in get_args(Mode) if (base.options["mode"] == mode).any()]
            without = st.multiselect(
                say(lang, "plan.without"), modes, key="plan_without", placeholder=say(lang, "app.choose"),
                format_func=lambda mode: say(lang, f"mode.{mode}"),
            )  # fmt: skip
        for site, latest in st.session_state["plan_by"].items():
            st.caption(say(lang, "plan.by_says", name=shared.plain(names.get(site) or site), year=latest))
    rows = rows.dropna().sort_values(year)
    wanted = {
        "years": tuple(int(y) for y in rows[year]), "budget": tuple(float(b) for b in rows[budget]), "carry_over": carry,
        "objective": aim, "mip_gap": gap, "tradeoff": curve, "required": tuple(st.session_state["plan_required"]),
        "forbidden": tuple(st.session_state["plan_forbidden"]),
    }  # fmt: skip
    nothing_of = [Limit(counts="actions", mode=tuple(without), at_most=0)] if without else []
    in_time = [
        Limit(counts="actions", site=(site,), at_least=1, by=latest)
        for site, latest in st.session_state["plan_by"].items()
    ]
    wanted["limits"] = (*plan.limits, *(limit for limit in (*nothing_of, *in_time) if limit not in plan.limits))
    if len(wanted["years"]) != len(plan.years):
        wanted["year_weights"] = ()
    try:
        return PlanSettings.model_validate({**plan.model_dump(), **wanted})
    except ValidationError:
        st.error(say(lang, "plan.wrong"), icon=":material/error:")
        return None


def save(study: Study, settings: PlanSettings, place: Any, lang: Lang) -> None:
    """Write what was changed into study.toml, its comments kept; what somebody else has changed meanwhile is not overwritten."""
    path = study.folder / study.settings_file
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8-sig"))
        plan = document["plan"]
        for name, value in settings.model_dump(mode="json").items():
            if getattr(settings, name) != getattr(study.plan, name):
                limits = [limit.model_dump(mode="json", exclude_defaults=True) for limit in settings.limits]
                plan[name] = limits if name == "limits" else value
        st.session_state["plan_seen"] = saving.save(path, tomlkit.dumps(document), seen=st.session_state["plan_seen"])
    except PlannerError as error:
        place.error(error.text(lang), icon=":material/error:")
        return
    # They are the study's from now on.
    st.session_state["plan_by"] = {}
    place.success(say(lang, "plan.saved", file=path.name), icon=":material/check:")


# --- the search --------------------------------------------------------------------------------------------------------------


def solved(study: Study, base: Result, place: Any, lang: Lang) -> Result | None:
    """Return the plan as it is asked for; while it is sought, show how far the search is and let it be stopped.

    The search goes on when the page is closed, and is the same for all who ask the same.
    """
    key = f"plan {shared.study_key(study)}"
    search = _searches().setdefault(key, Search())
    job = shared.started(key, partial(_run, study, search))
    if not job.future.done():
        watch(key, search, job, lang)
        return None
    try:
        result: Result = job.future.result()
    except PlannerError as error:
        place.error(error.text(lang), icon=":material/error:")
        return None
    return result


def _run(study: Study, search: Search, *, progress: Progress) -> Result:
    return pipeline.run(study, progress=progress, listener=search.hear)


@st.fragment(run_every=0.5)
def watch(key: str, search: Search, job: shared.Job, lang: Lang) -> None:
    """Show where a search stands, again and again until it is done."""
    if job.future.done():
        st.rerun()
    steps = list(shared.RUN_STEPS)
    step = job.steps[-1] if job.steps else steps[0]
    words = say(lang, "app.working", step=say(lang, f"step.{step}"), number=steps.index(step) + 1, steps=len(steps))
    st.progress((steps.index(step) + 1) / (len(steps) + 1), words)
    if search.standings:
        now = search.standings[-1]
        one, two, three, four = st.columns(4)
        one.metric(say(lang, "plan.incumbent"), number(now.objective))
        two.metric(say(lang, "plan.bound"), number(now.bound))
        three.metric(say(lang, "plan.distance"), "–" if now.gap != now.gap or now.gap > 10 else f"{now.gap:.2%}")
        four.metric(say(lang, "plan.seconds"), f"{now.seconds:.0f}")
    if st.button(say(lang, "plan.stop"), icon=":material/stop:", disabled=search.stop, key=f"stop {key}"):
        search.stop = True
    st.caption(say(lang, "app.goes_on"))


def number(value: float) -> str:
    """Return an objective as it is printed; nothing where nothing is known."""
    return f"{value:,.4f}" if abs(value) < 1e12 else "–"


# --- what came out -----------------------------------------------------------------------------------------------------------


def verdict(base: Result, result: Result, lang: Lang) -> None:
    """Show what the plan reaches, against the plan of the study as it is saved."""
    plan = result.plan
    if plan is None or not plan.found:
        st.error(
            say(lang, "app.no_plan_fits", reasons=shared.plain("; ".join(result.plan_reasons(lang)))),
            icon=":material/error:",
        )
        return
    end, old = (
        result.indicators[result.years[-1]],
        base.indicators[base.years[-1]] if base.years else base.indicators[0],
    )
    places = st.columns(4)
    for place, key in zip(places, ("effective_share", "share"), strict=False):
        delta = 100 * ((end[key] or 0) - (old[key] or 0))
        place.metric(
            say(lang, f"indicator.{key}"),
            f"{end[key] or 0:.2%}",
            say(lang, "whatif.points", points=delta) if delta else None,
        )
    unit = result.study.plan.cost_unit if result.study.plan else ""
    places[2].metric(say(lang, "plan.cost", unit=unit), f"{sum(result.cost_by_year.values()):,.1f}")
    gap = "–" if plan.gap is None or plan.gap != plan.gap else f"{plan.gap:.2%}"
    places[3].metric(
        say(lang, "plan.distance"), gap, say(lang, f"plan_status.{plan.verdict}"), delta_color="off", delta_arrow="off"
    )


def programme(base: Result, result: Result, lang: Lang) -> str | None:
    """Show the programme; a row's place can be kept or forbidden in the next plan. Return the site whose row is selected."""
    table = tables.programme(result, lang)
    if not len(table):
        st.caption(say(lang, "app.nothing_planned"))
        return None
    st.caption(say(lang, "plan.programme_hint"))
    event = st.dataframe(
        table, hide_index=True, height=320, on_select="rerun", selection_mode="multi-row", key="plan_rows"
    )
    rows = [row for row in event["selection"]["rows"] if row < len(table)]
    sites = [str(result.programme["site"].iat[row]) for row in rows]
    one, two, three, four, five = st.columns([2, 2, 2, 2, 2], vertical_alignment="bottom")
    latest = four.selectbox(say(lang, "plan.year"), result.years, key="plan_latest", label_visibility="collapsed")
    five.button(
        say(lang, "plan.make_by"), icon=":material/event:", disabled=not sites, on_click=hasten, args=(sites, latest),
        width="stretch",
    )  # fmt: skip
    for place, key, icon in ((one, "required", "lock"), (two, "forbidden", "block"), (three, "free", "lock_open")):
        place.button(
            say(lang, f"plan.make_{key}"), icon=f":material/{icon}:", disabled=not sites, on_click=mark, args=(sites, key),
            width="stretch",
        )  # fmt: skip
    return sites[0] if sites else None


def mark(sites: list[str], wish: str) -> None:
    """Ask for places in the next plan, refuse them, or leave it to the search again."""
    for key in ("required", "forbidden"):
        others = [site for site in st.session_state[f"plan_{key}"] if site not in sites]
        st.session_state[f"plan_{key}"] = [*others, *sites] if key == wish else others
    # Whatever is wished now, no year is asked for any more.
    st.session_state["plan_by"] = {k: v for k, v in st.session_state.get("plan_by", {}).items() if k not in sites}


def hasten(sites: list[str], year: int) -> None:
    """Ask for an action at these places by the end of a year."""
    st.session_state["plan_by"] = {**st.session_state["plan_by"], **dict.fromkeys(sites, int(year))}


def trade_off(result: Result, lang: Lang) -> None:
    """Show what more and less money would buy, where it was asked for; a point clicked on is the next budget."""
    table = result.tradeoff
    if not len(table) or result.study.plan is None:
        return
    plan = result.study.plan
    budget, objective = say(lang, "plan.money", unit=plan.cost_unit), say(lang, f"objective.{plan.objective}")
    shown = table[["budget", "objective"]].rename(columns={"budget": budget, "objective": objective})
    point = alt.selection_point(name="point", fields=[budget])
    base = alt.Chart(shown).encode(
        x=alt.X(f"{budget}:Q"), y=alt.Y(f"{objective}:Q", scale=alt.Scale(zero=False)), tooltip=[budget, objective]
    )
    marks = base.mark_circle(size=110, color=style.YEARS[0]).add_params(point)
    st.markdown(f"**{say(lang, 'plan.tradeoff_title')}**")
    event = st.altair_chart(
        alt.layer(base.mark_line(color=style.MUTED), marks).properties(height=200), on_select="rerun", key="plan_curve"
    )
    picked = event["selection"].get("point") or []
    if picked:
        whole = float(picked[0][budget])
        share = whole / max(sum(plan.budget), 1e-9)
        words = ", ".join(f"{year}: {share * money:,.1f}" for year, money in zip(plan.years, plan.budget, strict=True))
        st.caption(say(lang, "plan.tradeoff_point", budget=whole, unit=plan.cost_unit, years=words))
