"""What if: add, move, close and change stations on the map; who gains and who loses follows at once. Scenarios are kept and compared."""

import io
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from pydantic import BaseModel, ConfigDict, ValidationError
from streamlit.delta_generator import DeltaGenerator

from planner import scenarios
from planner.errors import ConflictError, PlannerError
from planner.pages import shared, tables, webmap
from planner.pipeline import Result
from planner.tables import service_set
from planner.whatif import Edit, Ground, History, Outcome, evaluate, ground, new_id
from planner.words import Lang, say, term
from planner.words.wording import capital, listed
from planner.workspace import midway, shelf

MAP = "whatif"
PLAIN_STATION = {"opening_hours": "24/7"}


@dataclass
class Draft:
    """What a session is trying: its edits, from which moment, and the file that they were opened from."""

    moment: int = 0
    history: History = field(default_factory=History)
    name: str = ""
    revision: str = ""


class Kept(BaseModel):
    """A draft as it is kept on disk."""

    model_config = ConfigDict(extra="forbid")

    moment: int = 0
    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()
    name: str = ""
    revision: str = ""


@st.cache_resource
def _drafts() -> dict[str, Draft]:
    return {}


def draft(result: Result) -> Draft:
    """Return this session's draft; the page's address names it, so that neither a reload nor a dead server loses anything."""
    token, file, drafts = shared.token(), shared.study_file(), _drafts()
    key = f"{file} {token}"
    if key not in drafts:
        kept = midway.recall(file, token, MAP, Kept) or Kept()
        # A moment that the plan no longer has is today.
        moment = kept.moment if kept.moment in result.indicators else 0
        drafts[key] = Draft(moment, History(kept.done, kept.undone), kept.name, kept.revision)
        for old in list(drafts)[: -midway.KEPT]:
            del drafts[old]
    return drafts[key]


def keep(mine: Draft) -> None:
    """Keep a draft on disk, if it is another than before."""
    now = Kept(
        moment=mine.moment, done=mine.history.done, undone=mine.history.undone, name=mine.name, revision=mine.revision
    )
    before = midway.recall(shared.study_file(), shared.token(), MAP, Kept) or Kept()
    if now != before:
        midway.keep(shared.study_file(), shared.token(), MAP, now)


@st.cache_resource(max_entries=8, show_spinner=False)
def prepared(run_id: str, moment: int, _result: Result) -> Ground:
    """Return what all sessions' what-ifs on a moment start from."""
    made = ground(_result, moment)
    _ = made.figures, made.tree
    return made


def show() -> None:
    """Show the page."""
    lang, result = shared.language(), shared.result()
    st.caption(say(lang, "whatif.intro"))
    choice = st.segmented_control(
        say(lang, "whatif.page"), ["edit", "compare"], default="edit", key="whatif_tab", required=True,
        format_func=lambda tab: say(lang, f"whatif.tab_{tab}"), label_visibility="collapsed",
    )  # fmt: skip
    if choice == "compare":
        compare(result, lang)
    else:
        explore(result, lang)


# --- trying ----------------------------------------------------------------------------------------------------------------


@st.fragment
@shared.told_errors()
def explore(result: Result, lang: Lang) -> None:
    """Show controls, map, figures and the panel of the selected station; each step runs only this."""
    mine = draft(result)
    base = prepared(result.run_id, mine.moment, result)
    hear(webmap.event(result, lang, MAP), mine, base, lang)
    controls(mine, base, lang)
    outcome = worked_out(base, mine.history.done, st.container(), lang)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        state = {
            "moment": list(result.indicators).index(mine.moment),
            "focus": st.session_state.pop("whatif_focus", None),
        }
        webmap.show_map(result, lang, state, height=600, key=MAP, edit=shown(outcome), listens=True)
        st.caption(say(lang, "whatif.legend"))
    with right:
        figures(outcome, lang)
        station(mine, outcome, lang)
        keeping(mine, outcome, lang)
    # Last, when the browser has what it waits for.
    keep(mine)


def worked_out(base: Ground, edits: Sequence[Edit], place: DeltaGenerator, lang: Lang) -> Outcome:
    """Work edits out; where they no longer fit the data, say so in ``place`` and leave them out."""
    try:
        return evaluate(base, edits)
    except PlannerError as error:
        place.error(shared.plain(error.text(lang)), icon=":material/error:")
        return evaluate(base, ())


def hear(event: webmap.Event | None, mine: Draft, base: Ground, lang: Lang) -> None:
    """Turn what was done to the map into an edit, or a selection."""
    if event is None:
        return
    if event.picked == "site":
        st.session_state["whatif_site"] = event.id
    elif event.picked == "moved":
        mine.history = mine.history.do(Edit(do="move", site=event.id, lon=event.lon, lat=event.lat))
        st.session_state["whatif_site"] = event.id
    elif event.picked == "place" and st.session_state.get("whatif_adding"):
        taken = {*base.sites["id"], *(edit.site for edit in mine.history.done)}
        site = new_id(taken)
        said = build_options(base.result)[st.session_state.get("whatif_what") or 0]
        edit = Edit(
            do="add", site=site, name=say(lang, "whatif.new_name", id=site), lon=event.lon, lat=event.lat, **said
        )
        mine.history = mine.history.do(edit)
        st.session_state["whatif_site"] = site


def build_options(result: Result) -> list[dict[str, Any]]:
    """Return what a new station may be, as what an edit says: the study's ways of building, then a station that is always open."""
    required = ";".join(result.study.standard.services) or "rest"
    rows = result.options[result.options["action"] == "build"].to_dict("records")
    return [*(_said(row) for row in rows if row["opening_hours"]), {**PLAIN_STATION, "services": required}]


def _said(option: dict[Any, Any]) -> dict[str, Any]:
    """Return what an option gives a place, as what an edit says; what it leaves empty stays as it is."""
    said = {key: option[key] for key in ("kind", "mode", "tier", "opening_hours", "services") if option[key]}
    if not pd.isna(option["capacity"]):
        said["capacity"] = float(option["capacity"])
    return {**said, "capital_cost": float(option["capital_cost"]), "operating_cost": float(option["operating_cost"])}


def option_words(result: Result, said: dict[str, Any], lang: Lang) -> str:
    """Return a way of building in one line."""
    if "mode" not in said:
        return say(lang, "whatif.plain_station")
    kind = term(lang, "kind", said["kind"]) if said.get("kind") else ""
    words = say(
        lang,
        "whatif.option_words",
        mode=term(lang, "mode", said["mode"]),
        hours=said.get("opening_hours") or say(lang, "whatif.option_keep"),
        capital=said["capital_cost"],
        operating=said["operating_cost"],
        unit=cost_unit(result),
    )
    return capital(f"{kind} · {words}" if kind else words)


def cost_unit(result: Result) -> str:
    """Return the study's unit of cost."""
    return result.study.plan.cost_unit if result.study.plan else ""


def start_from(mine: Draft) -> None:
    """Start from the moment that was chosen."""
    mine.moment = st.session_state["whatif_moment"]


def go_to(mine: Draft, history: History) -> None:
    """Go back, or forth."""
    mine.history = history


def do(mine: Draft, site: str, lang: Lang, **said: Any) -> None:
    """Do one edit more; what cannot be done is said when the page is shown."""
    try:
        mine.history = mine.history.do(Edit(site=site, **said))
    except PlannerError as error:
        st.session_state["whatif_error"] = error.text(lang)
    except ValidationError:
        st.session_state["whatif_error"] = say(lang, "whatif.hours_wrong", text=said.get("opening_hours", ""))


def controls(mine: Draft, base: Ground, lang: Lang) -> None:
    """Show where to start from, what to add, and the way back and forth."""
    result = base.result
    moment, what, add, steps_row = st.columns([2.2, 3, 1.5, 2.9], vertical_alignment="bottom")
    # Side by side on a phone too.
    row = steps_row.container(horizontal=True, horizontal_alignment="right")
    moments = list(result.indicators)
    if len(moments) > 1:
        moment.selectbox(
            say(lang, "whatif.base"), moments, index=moments.index(mine.moment), key="whatif_moment",
            format_func=lambda m: tables.moment_name(m, lang), on_change=start_from, args=(mine,),
        )  # fmt: skip
    choices = build_options(result)
    what.selectbox(
        say(lang, "whatif.add_what"), range(len(choices)), key="whatif_what",
        format_func=lambda k: option_words(result, choices[k], lang),
    )  # fmt: skip
    add.toggle(say(lang, "whatif.add"), key="whatif_adding")
    history = mine.history
    for word, icon, then in (
        ("undo", "undo", history.undo()),
        ("redo", "redo", history.redo()),
        ("clear", "delete_sweep", History() if history.done else history),
    ):
        row.button(
            say(lang, f"whatif.{word}"), icon=f":material/{icon}:", disabled=then is history,
            on_click=go_to, args=(mine, then),
        )  # fmt: skip
    # In a place of its own: what comes and goes above a map would make the browser load it anew.
    hint = st.container()
    if st.session_state.get("whatif_adding"):
        hint.caption(f":orange[**{say(lang, 'whatif.adding')}**]")


def shown(outcome: Outcome) -> dict[str, Any]:
    """Return what the map shows of an outcome."""
    result = outcome.ground.result
    ids = dict.fromkeys(edit.site for edit in outcome.edits)
    touched = outcome.sites[outcome.sites["id"].isin(ids)]
    at = touched.geometry.to_crs("EPSG:4326")
    places = [
        {"id": site, "name": name or site, "x": x, "y": y, "state": "closed" if status == "closed" else "edited"}
        for site, name, status, x, y in zip(touched["id"], touched["name"], touched["status"], at.x, at.y, strict=True)
    ]
    return {
        "places": places,
        "gained": webmap.units(result, outcome.changed_units(gained=True)),
        "lost": webmap.units(result, outcome.changed_units(gained=False)),
        "selected": st.session_state.get("whatif_site"),
        "adding": bool(st.session_state.get("whatif_adding")),
    }


def figures(outcome: Outcome, lang: Lang) -> None:
    """Show the figures before and after, and who gains and loses."""
    before, after = outcome.ground.figures["", ""], outcome.figures["", ""]
    one, two = st.columns(2)
    for place, key in ((one, "effective"), (two, "share")):
        name = "effective_share" if key == "effective" else "share"
        was, now = before[name] or 0.0, after[name] or 0.0
        delta = say(lang, "whatif.points", points=100 * (now - was)) if now != was else None
        place.metric(say(lang, f"whatif.{key}"), f"{now:.2%}", delta)
    if not outcome.edits:
        st.caption(say(lang, "whatif.nobody"))
        return
    by = outcome.by("zone", "group")
    gained, lost = float(by["gained"].sum()), float(by["lost"].sum())
    label, value = say(lang, "whatif.gain_people"), say(lang, "whatif.gained_lost", gained=gained, lost=lost)
    one.metric(label, value, say(lang, "whatif.net", net=gained - lost), delta_color="off", delta_arrow="off")
    unit = cost_unit(outcome.ground.result)
    label, yearly = (
        shared.plain(say(lang, "whatif.cost", unit=unit)),
        say(lang, "whatif.cost_year", operating=outcome.operating_cost),
    )
    two.metric(label, f"{outcome.capital_cost:,.2f}", yearly, delta_color="off", delta_arrow="off")
    st.markdown(f"**{say(lang, 'whatif.who')}**")
    if len(by):
        st.dataframe(tables.changes(outcome, lang), hide_index=True, height=min(240, 40 + 35 * len(by)))
    else:
        st.caption(say(lang, "whatif.no_change"))


def station(mine: Draft, outcome: Outcome, lang: Lang) -> None:
    """Show the panel of the selected station; what is changed in it is an edit at once."""
    sites = outcome.sites.set_index("id", drop=False)
    if st.session_state.get("whatif_site") not in sites.index:
        st.session_state["whatif_site"] = None
    ids = sites.index.tolist()
    chosen = st.selectbox(
        say(lang, "whatif.site"), ids, key="whatif_site", placeholder=say(lang, "whatif.site_none"),
        format_func=lambda site: f"{sites['name'].get(site, '') or site} ({site})",
    )  # fmt: skip
    if not chosen:
        return
    site = sites.loc[chosen]

    wrong = st.session_state.pop("whatif_error", None)
    if wrong:
        st.error(shared.plain(wrong), icon=":material/error:")
    ways = _ways(outcome, site)
    if site["status"] == "closed":
        st.button(
            say(lang, "whatif.reopen"),
            icon=":material/lock_open:",
            on_click=do,
            args=(mine, chosen, lang),
            kwargs={"do": "change"},
        )
    elif site["status"] == "candidate":
        for k, way in enumerate(ways):
            label = (
                f"{say(lang, 'whatif.open_candidate')} · {shared.plain(option_words(outcome.ground.result, way, lang))}"
            )
            st.button(
                label, key=f"open {chosen} {k}", icon=":material/add_home:", on_click=do, args=(mine, chosen, lang),
                kwargs={"do": "change", **way},
            )  # fmt: skip
    else:
        offer(mine, outcome, site, ways, lang)


def offer(mine: Draft, outcome: Outcome, site: "pd.Series[Any]", ways: list[dict[str, Any]], lang: Lang) -> None:
    """Let what a station offers be changed."""
    # Keys with the number of edits: what is shown follows undo and redo.
    chosen, mark = str(site["id"]), f"{site['id']} {len(mine.history.done)}"
    keys = {name: f"{name} {mark}" for name in ("way", "hours", "kit")}

    def changed(name: str) -> None:
        # Told late, of a widget that has been made anew, a value may be what already holds: that changes nothing.
        value = st.session_state[keys[name]]
        if name == "way" and value is not None:
            do(mine, chosen, lang, do="change", **{k: v for k, v in ways[value].items() if k != "kind"})
        elif name == "hours" and value.strip() != site["opening_hours"]:
            do(mine, chosen, lang, do="change", opening_hours=value.strip())
        elif name == "kit" and set(value) != set(has):
            do(mine, chosen, lang, do="change", services=";".join(value))

    st.selectbox(
        say(lang, "whatif.option"), list(range(len(ways))), index=None, key=keys["way"], on_change=changed, args=("way",),
        placeholder=say(lang, "whatif.option_keep"), format_func=lambda k: option_words(outcome.ground.result, ways[k], lang),
    )  # fmt: skip
    st.text_input(
        say(lang, "whatif.hours"), site["opening_hours"], key=keys["hours"], help=say(lang, "whatif.hours_help"),
        on_change=changed, args=("hours",),
    )  # fmt: skip
    required = set(outcome.ground.result.study.standard.services)
    known = sorted({s for text in outcome.sites["services"] for s in service_set(text)} | required)
    has = [s for s in known if s in service_set(site["services"])]
    st.multiselect(
        say(lang, "whatif.services"), known, has, key=keys["kit"],
        placeholder=say(lang, "app.choose"), format_func=lambda s: capital(term(lang, "service", s)),
        on_change=changed, args=("kit",),
    )  # fmt: skip
    st.button(
        say(lang, "whatif.close"),
        icon=":material/block:",
        on_click=do,
        args=(mine, chosen, lang),
        kwargs={"do": "close"},
    )


def _ways(outcome: Outcome, site: "pd.Series[Any]") -> list[dict[str, Any]]:
    """Return the ways that the study knows for a place of this kind."""
    options = outcome.ground.result.options
    actions = ["build"] if site["status"] == "candidate" else ["extend_hours", "upgrade"]
    rows = options[(options["kind"] == site["kind"]) & options["action"].isin(actions)].to_dict("records")
    return [_said(row) for row in rows]


def steps(edits: Sequence[Edit], names: dict[str, str], lang: Lang) -> list[str]:
    """Return the edits as sentences."""
    said = []
    for edit in edits:
        name = edit.name or names.get(edit.site) or edit.site
        what = [edit.opening_hours, *(term(lang, "service", s) for s in service_set(edit.services or ""))]
        words = listed(lang, [word for word in what if word]) or (term(lang, "mode", edit.mode) if edit.mode else "–")
        said.append(say(lang, f"whatif.did_{edit.do}", name=name, **({"what": words} if edit.do == "change" else {})))
    return said


def keeping(mine: Draft, outcome: Outcome, lang: Lang) -> None:
    """Show the steps, and let scenarios be saved and opened."""
    result = outcome.ground.result
    names = dict(zip(outcome.sites["id"], outcome.sites["name"], strict=True))
    if mine.history.done:
        with st.expander(say(lang, "whatif.steps", count=len(mine.history.done))):
            for number, sentence in enumerate(steps(mine.history.done, names, lang), 1):
                st.markdown(f"{number}. {shared.plain(sentence)}")
    found = scenarios.kept(result.study.folder)
    for one in found:
        if one.error:
            st.warning(shared.plain(one.error.text(lang)), icon=":material/warning:")
    with st.form("whatif_save", border=True):
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        name = left.text_input(say(lang, "whatif.save_as"), mine.name, max_chars=scenarios.LONGEST_NAME)
        embedded = shelf.is_embedded(shared.study_file())
        saves = right.form_submit_button(
            say(lang, "whatif.save"), icon=":material/save:", width="stretch", disabled=not mine.history.done or embedded,
            help=say(lang, "whatif.save_embedded") if embedded else None,
        )  # fmt: skip
    if saves and name.strip():
        save(mine, result, name.strip(), lang)
    if saved := st.session_state.pop("whatif_saved", None):
        st.success(shared.plain(say(lang, "whatif.saved", name=saved)), icon=":material/check:")
    good = [one for one in scenarios.kept(result.study.folder) if one.scenario]
    if good:
        names_of = {one.path.name: one for one in good}
        key = f"whatif_open {mine.name} {mine.revision[:8]}"
        st.selectbox(
            say(lang, "whatif.open"), list(names_of), index=None, key=key, on_change=take, args=(mine, names_of, key, result),
            placeholder=say(lang, "whatif.open_none"), format_func=lambda file: getattr(names_of[file].scenario, "name", file),
        )  # fmt: skip


def save(mine: Draft, result: Result, name: str, lang: Lang) -> None:
    """Save the draft; what somebody else has saved under this name meanwhile is not overwritten."""
    scenario = scenarios.Scenario(
        schema=1, name=name, moment=mine.moment, edits=mine.history.done, run_id=result.run_id
    )
    try:
        kept = scenarios.keep(result.study.folder, scenario, seen=mine.revision if name == mine.name else "")
    except ConflictError:
        other = scenarios.free_name(result.study.folder, name)
        st.error(shared.plain(say(lang, "whatif.not_saved", name=name)), icon=":material/error:")
        st.button(
            shared.plain(say(lang, "whatif.save_other", name=other)), icon=":material/save:", on_click=save,
            args=(mine, result, other, lang),
        )  # fmt: skip
        return
    except PlannerError as error:
        st.error(shared.plain(error.text(lang)), icon=":material/error:")
        return
    mine.name, mine.revision = name, kept.revision
    st.session_state["whatif_saved"] = name


def take(mine: Draft, files: dict[str, scenarios.Kept], key: str, result: Result) -> None:
    """Go on with a scenario that was kept."""
    one = files.get(st.session_state[key])
    if one is None or one.scenario is None:
        return
    mine.history, mine.name, mine.revision = History(one.scenario.edits), one.scenario.name, one.revision
    mine.moment = one.scenario.moment if one.scenario.moment in result.indicators else 0


# --- comparing ---------------------------------------------------------------------------------------------------------------


@st.fragment
@shared.told_errors()
def compare(result: Result, lang: Lang) -> None:
    """Show two scenarios side by side: maps in step, and what differs."""
    mine = draft(result)
    choices: dict[str, scenarios.Scenario] = {
        say(lang, "whatif.nothing_done"): scenarios.Scenario(schema=1, name="-"),
        say(lang, "whatif.draft"): scenarios.Scenario(schema=1, name="-", moment=mine.moment, edits=mine.history.done),
    }
    for one in scenarios.kept(result.study.folder):
        if one.scenario is not None:
            # Somebody may have named one like what is always there.
            choices[one.scenario.name + " " * (one.scenario.name in choices)] = one.scenario
    st.caption(say(lang, "whatif.compare_hint"))
    outcomes = []
    for number, (column, side) in enumerate(zip(st.columns(2, gap="small"), ("left", "right"), strict=True)):
        with column:
            label = st.selectbox(say(lang, f"whatif.{side}"), list(choices), index=number, key=f"whatif_{side}")
            outcome = outcome_of(choices[label], result, st.container(), lang)
            outcomes.append(outcome)
            state = {"moment": list(result.indicators).index(outcome.ground.moment), "focus": None}
            still = {**shown(outcome), "selected": None, "adding": False}
            webmap.show_map(
                result, lang, state, height=420, key=f"compare-{side}", edit=still, step=st.session_state["draft"]
            )
    unit = cost_unit(result)
    st.dataframe(tables.comparison(outcomes[0], outcomes[1], unit, lang), hide_index=True)
    st.caption(say(lang, "whatif.seats_note"))
    chosen = choices[st.session_state["whatif_right"]]
    if chosen.edits:
        whole = as_study(result, outcomes[1])
        st.download_button(
            say(lang, "whatif.export"),
            whole,
            f"{scenarios.file_name(chosen.name)}.zip",
            "application/zip",
            on_click="ignore",
        )


def outcome_of(scenario: scenarios.Scenario, result: Result, place: DeltaGenerator, lang: Lang) -> Outcome:
    """Work a scenario out on the data as they are now; what no longer fits is said."""
    if scenario.run_id not in ("", result.run_id):
        place.caption(say(lang, "whatif.other_run", name=shared.plain(scenario.name), run_id=scenario.run_id))
    base = prepared(result.run_id, scenario.moment if scenario.moment in result.indicators else 0, result)
    return worked_out(base, scenario.edits, place, lang)


def as_study(result: Result, outcome: Outcome) -> bytes:
    """Return a what-if as the zip of a study of its own, which `planner run` takes."""
    whole = io.BytesIO()
    with (
        tempfile.TemporaryDirectory(prefix="planner-study-") as folder,
        zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        made = scenarios.write_study(result.study, outcome.sites, Path(folder) / "study")
        for file in sorted(p for p in made.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(made).as_posix())
    return whole.getvalue()
