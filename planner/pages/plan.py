"""Plan: budgets, aim and rules; the search as it goes on; the programme, whose rows can be kept, forbidden, moved and planned again."""

from functools import partial
from typing import Any

import altair as alt
import streamlit as st

from planner.draw import style
from planner.errors import ConflictError, PlannerError
from planner.pages import asking, shared, tables, webmap
from planner.pages.desk import flash, flashes
from planner.pages.shared import Search
from planner.pipeline import Progress, Result
from planner.report import figures
from planner.study import Study, load_study
from planner.words import Lang, say
from planner.words.wording import label, money, people, sentences
from planner.workspace import history, shelf
from planner.workspace.amend import amend

MAP = "plan"


def show() -> None:
    """Show the page."""
    lang, base = shared.language(), shared.result()
    flashes()
    plan = base.study.plan
    if plan is None:
        st.info(say(lang, "app.no_plan"))
        return
    settings = asking.ask(plan, base, lang)
    if settings is None:
        return
    study = base.study.model_copy(update={"plan": settings})
    changes = asking.changes_between(plan, settings)
    said = buttons(study, changes, lang)
    place = st.container()
    result = base
    if changes and asking.kept().wanted == changes:
        found = solved(study, base, changes, place, lang)
        if found is None:
            return
        result = found
    elif changes:
        said.caption(say(lang, "plan.not_yet"))
    other_searches(study, lang)
    verdict(base, result, lang)
    beside(result, lang)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        focus = programme(base, result, lang)
        why(result, focus, lang)
        trade_off(result, lang)
    with right:
        state = {"moment": len(result.indicators) - 1, "focus": focus}
        webmap.show_map(result, lang, state, height=560, key=MAP)


def buttons(study: Study, changes: dict[str, Any], lang: Lang) -> Any:
    """Show what can be done with what is asked for; return the place beside."""
    row = st.container(horizontal=True, vertical_alignment="center")
    embedded = shelf.is_embedded(shared.study_file())
    run = row.button(say(lang, "plan.run"), type="primary", icon=":material/play_arrow:", disabled=not changes)
    if run:
        asking.keep(asking.Asked(changes=changes, wanted=changes))
        st.session_state["plan_again"] = True
    row.button(
        say(lang, "plan.save"), icon=":material/save:", disabled=not changes or embedded, on_click=save,
        args=(study, changes, lang),
        help=say(lang, "plan.save_embedded") if embedded else say(lang, "plan.save_help"),
    )  # fmt: skip
    row.button(say(lang, "plan.discard"), icon=":material/undo:", disabled=not changes, on_click=take, args=({}, None))
    return row


def take(changes: dict[str, Any], wanted: dict[str, Any] | None) -> None:
    """Ask for something else: the widgets are filled anew."""
    asking.keep(asking.Asked(changes=changes, wanted=wanted))
    # Of no file: the widgets belong to something else.
    st.session_state["plan_of"] = None


def save(study: Study, changes: dict[str, Any], lang: Lang) -> None:
    """Write what was changed into study.toml, its comments kept, as a state that can be undone; never over another person's work.

    The search for just these settings is the study's own from then on: what it has found, or will find, also if it was stopped.
    """
    file, key = shared.study_file(), search_key(study)
    try:
        text = amend(
            history.read_text(file), {f"plan.{name}": value for name, value in changes.items()}, file=file.name
        )
        # As the study was when the page that was pressed on was shown.
        history.save(file, text, {}, seen=st.session_state["plan_of"][1], what="state_plan")
    except ConflictError:
        # What they changed, and what to do, is said when the page is filled with it.
        flash("error", say(lang, "plan.not_saved", file=file.name))
        return
    except PlannerError as error:
        flash("error", error.text(lang))
        return
    # They are the study's from now on.
    st.session_state["plan_of"] = (str(file), history.look(file))
    asking.keep(asking.Asked())
    saved = load_study(file)
    if saved == study:
        shared.adopt(saved, key)
    flash("success", say(lang, "plan.saved", file=file.name))


# --- the search --------------------------------------------------------------------------------------------------------------


def solved(study: Study, base: Result, changes: dict[str, Any], place: Any, lang: Lang) -> Result | None:
    """Return the plan as it is asked for; while it is sought, show how far the search is and let it be stopped.

    The search goes on when the page is closed, and is the same for all who ask the same.
    """
    key = search_key(study)
    search = Search(shared.study_file(), changes)
    # One that failed says why until it is asked for again: tried anew by itself, it would fail and be tried for ever.
    again = st.session_state.pop("plan_again", False)
    job = shared.started(key, partial(_run, study, search), search=search, again=again)
    if not job.future.done():
        watch(job, lang)
        return None
    try:
        result: Result = job.future.result()
    except PlannerError as error:
        place.error(shared.plain(error.text(lang)), icon=":material/error:")
        return None
    return result


def search_key(study: Study) -> str:
    """Return what stands for the search for a study's plan under other settings than are saved."""
    return f"plan {shared.study_key(study)}"


def _run(study: Study, search: Search, *, progress: Progress) -> Result:
    return shared.planned(study, progress=progress, listener=search.hear)


def other_searches(study: Study, lang: Lang) -> None:
    """Lead to searches on this study that go on or are done, whoever began them: a tab that was closed loses none."""
    shown = search_key(study)
    for key, job in shared.jobs().items():
        search = job.search
        mine = search is not None and search.file == shared.study_file()
        if search is None or not mine or key == shown or not key.startswith("plan "):
            continue
        words = "plan.other_done" if job.future.done() else "plan.other_going"
        row = st.container(horizontal=True, vertical_alignment="center")
        row.caption(say(lang, words, at=search.begun_at.strftime("%H:%M:%S"), count=len(search.changes)))
        row.button(
            say(lang, "plan.other_show"), key=f"other {key}", icon=":material/visibility:", on_click=take,
            args=(search.changes, search.changes),
        )  # fmt: skip


@st.fragment(run_every=0.5)
@shared.told_errors()
def watch(job: shared.Job, lang: Lang) -> None:
    """Show where a search stands, again and again until it is done."""
    if job.future.done():
        st.rerun()
    shared.show_standing(job, shared.RUN_STEPS, lang)
    shared.offer_to_stop(job, lang)
    st.caption(say(lang, "app.goes_on"))


# --- what came out -----------------------------------------------------------------------------------------------------------


def verdict(base: Result, result: Result, lang: Lang) -> None:
    """Show what the plan reaches, against the plan of the study as it is saved."""
    plan = result.plan
    if plan is None or not plan.found:
        st.error(
            say(lang, "app.no_plan_fits", reasons=shared.plain(sentences(lang, *result.plan_reasons(lang)))),
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
            label(lang, f"indicator.{key}"),
            f"{end[key] or 0:.2%}",
            say(lang, "whatif.points", points=delta) if delta else None,
        )
    unit = result.study.plan.cost_unit if result.study.plan else ""
    places[2].metric(shared.plain(say(lang, "plan.cost", unit=unit)), f"{sum(result.cost_by_year.values()):,.1f}")
    gap = "–" if plan.gap is None or plan.gap != plan.gap else f"{plan.gap:.2%}"
    places[3].metric(
        say(lang, "plan.distance"),
        gap,
        label(lang, f"plan_status.{plan.verdict}"),
        delta_color="off",
        delta_arrow="off",
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
    row = st.container(horizontal=True, vertical_alignment="center")
    for key, icon in (("required", "lock"), ("forbidden", "block"), ("free", "lock_open")):
        row.button(
            say(lang, f"plan.make_{key}"), icon=f":material/{icon}:", disabled=not sites, on_click=mark, args=(sites, key)
        )  # fmt: skip
    year = row.selectbox(
        say(lang, "plan.year"), result.years, key="plan_year", label_visibility="collapsed", width=110,
        format_func=lambda y: str(y),
    )  # fmt: skip
    row.button(
        say(lang, "plan.make_in"), icon=":material/event:", disabled=not sites, on_click=move, args=(sites, year)
    )  # fmt: skip
    return sites[0] if sites else None


def beside(result: Result, lang: Lang) -> None:
    """Show what there is to know besides: what was left out, how sure the plan is, and what has become of the last programme."""
    if missing := figures.left_out(result, lang):
        st.warning(shared.plain(missing), icon=":material/timer_off:")
    if told := figures.how_sure(result, lang):
        st.caption(shared.plain(sentences(lang, *told)))
    if changed := figures.changes_told(result, lang):
        st.markdown(shared.plain(changed))
        with st.expander(say(lang, "plan.changes_title")):
            st.dataframe(tables.since_last_programme(result, lang), hide_index=True)


def why(result: Result, site: str | None, lang: Lang) -> None:
    """Show why the actions at a selected site are in the plan: what is lost without them, whom they serve, what could stand in."""
    for row in (row for row in figures.why_rows(result, lang) if row["site"] == site):
        told = {
            "loss": people(row["loss"]),
            **{key: row[key] for key in ("groups", "zones", "closes", "substitutes", "needed")},
        }
        if "stays" in row:
            told |= {key: in_words(result, key, row[key], lang) for key in ("stays", "replanned_loss", "price")}
        lines = [f"- {label(lang, f'why.{key}')}: {shared.plain(str(text))}" for key, text in told.items() if text]
        title = f"**{say(lang, 'plan.why', name=shared.plain(row['name']), action=row['action'])}**"
        st.markdown("\n".join([title, "", *lines]))
        if aside := figures.not_told(result, lang):
            st.caption(shared.plain(aside))


def in_words(result: Result, key: str, value: str | float, lang: Lang) -> str:
    """Return what `figures.why_rows` says of how sure an action is: words as they are, a loss or a price with its unit."""
    settings = result.study.plan
    if isinstance(value, str) or settings is None:
        return str(value)
    return money(value) if key == "price" else figures.objective_value(lang, settings, value)


def mark(sites: list[str], wish: str) -> None:
    """Ask for places in the next plan, refuse them, or leave it to the search again."""
    for key in ("required", "forbidden"):
        others = [site for site in st.session_state[f"plan_{key}"] if site not in sites]
        st.session_state[f"plan_{key}"] = [*others, *sites] if key == wish else others
    # Whatever is wished now, no year is asked for any more.
    st.session_state["plan_by"] = {k: v for k, v in st.session_state.get("plan_by", {}).items() if k not in sites}


def move(sites: list[str], year: int) -> None:
    """Ask for an action at these places in a year."""
    state = st.session_state
    state["plan_forbidden"] = [site for site in state["plan_forbidden"] if site not in sites]
    state["plan_by"] = {**state["plan_by"], **dict.fromkeys(sites, int(year))}


def trade_off(result: Result, lang: Lang) -> None:
    """Show what more and less money would buy, where it was asked for; a point clicked on is the next budget."""
    table = result.tradeoff
    if not len(table) or result.study.plan is None:
        return
    plan = result.study.plan
    budget, objective = say(lang, "plan.money", unit=plan.cost_unit), label(lang, f"objective.{plan.objective}")
    # Columns keep their own names: in a chart, a "." or "[" of a unit would be read as a path into the value.
    point = alt.selection_point(name="point", fields=["budget"])
    x = alt.X("budget:Q", title=budget)
    y = alt.Y("objective:Q", title=objective, scale=alt.Scale(zero=False))
    tooltip = [alt.Tooltip("budget:Q", title=budget), alt.Tooltip("objective:Q", title=objective)]
    base = alt.Chart(table[["budget", "objective"]]).encode(x=x, y=y, tooltip=tooltip)
    marks = base.mark_circle(size=110, color=style.YEARS[0]).add_params(point)
    st.markdown(f"**{say(lang, 'plan.tradeoff_title')}**")
    event = st.altair_chart(
        alt.layer(base.mark_line(color=style.MUTED), marks).properties(height=200), on_select="rerun", key="plan_curve"
    )
    picked = event["selection"].get("point") or []
    if picked:
        whole = float(picked[0]["budget"])
        shares = [round(whole * money / max(sum(plan.budget), 1e-9), 2) for money in plan.budget]
        words = ", ".join(f"{year}: {money:,.2f}" for year, money in zip(plan.years, shares, strict=True))
        st.caption(shared.plain(say(lang, "plan.tradeoff_point", budget=whole, unit=plan.cost_unit, years=words)))
        rows = [{"year": year, "money": money} for year, money in zip(plan.years, shares, strict=True)]
        st.button(
            say(lang, "plan.tradeoff_use"), icon=":material/input:", on_click=asking.lay, args=("budget", rows), kwargs={"anew": True}
        )  # fmt: skip
