"""Start: choose a study, bring in files, look them through, save. What to do next stands on top.

Everything that is typed goes to the draft on disk at once (`planner.workspace.draft`); widgets show what is there.
"""

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import streamlit as st

from planner.errors import InputError, PlannerError
from planner.pages import findings, shared
from planner.pages.desk import Desk, change, flash, flashes, keyed
from planner.study import LineDemand, Study, load_study
from planner.words import Lang, say
from planner.words.wording import capital, label, listed
from planner.workspace import draft, history, shelf
from planner.workspace.draft import Drafted
from planner.workspace.sorting import assigned, guess_role
from planner.workspace.survey import LAYERS, TABLES, Findings, Survey, settings_of, survey

# Streamlit writes its own English on the widget that takes files; what may be sent stands in the help beside it.
UPLOADER = """<style>
[data-testid="stFileUploaderDropzone"] button p { font-size: 0; }
[data-testid="stFileUploaderDropzone"] button p::after { content: "{button}"; font-size: 1rem; }
[data-testid="stFileUploaderDropzoneInstructions"] { display: none; }
</style>"""
Place = st.delta_generator.DeltaGenerator
# What a study can do without.
OPTIONAL = ("zones", "water", "candidates", "options")


def show() -> None:
    """Show the page."""
    lang = shared.language()
    # Each part has its place before anything stands in it: what comes and goes in one moves nothing in the others.
    top, said, first, *rest = (st.container() for _ in range(6))
    with said:
        flashes()
        try:
            file = shared.study_file()
        except PlannerError as error:
            st.error(shared.plain(error.text(lang)), icon=":material/error:")
            file = shared.embedded_file()
    desk = Desk(file, shared.draft_id(file), lang)
    with first:
        choose(desk)
    if shelf.is_embedded(file):
        with top:
            st.info(say(lang, "start.next_choose"), icon=":material/arrow_forward:")
            see_results(lang)
    else:
        work(desk, top, *rest)


def work(desk: Desk, top: Place, second: Place, third: Place, fourth: Place) -> None:
    """Show the steps that work on a study."""
    typed, seen = desk.draft(), None
    try:
        made = draft.drafted(desk.file, desk.draft_id, typed)
    except PlannerError as error:
        words = say(desk.lang, "start.next", what=say(desk.lang, "start.next_broken"))
        top.warning(words, icon=":material/arrow_forward:")
        third.error(shared.plain(error.text(desk.lang)), icon=":material/error:")
    else:
        with top, st.spinner(say(desk.lang, "start.working")):
            seen = looked_through(repr([typed, history.look(desk.file), desk.lang]), made.study, desk.lang)
            what_next(desk, typed.count, made, seen)
        with second:
            files(desk, made, seen)
        with third:
            st.subheader(say(desk.lang, "start.step_check"), anchor=False)
            findings.show(desk, made.study, seen)
    with fourth:
        offer_waiting(desk)
        save(desk, typed, seen)


@st.cache_resource(max_entries=8, show_spinner=False)
def looked_through(key: str, _study: Study, lang: Lang) -> Survey:
    """Return the survey of a study; ``key`` stands for its settings, files and draft, so that sessions share it."""
    return survey(_study, lang)


# --- what to do next -------------------------------------------------------------------------------------------------


def what_next(desk: Desk, pending: int, made: Drafted, seen: Survey) -> None:
    """Say the one thing to do next."""
    lang = desk.lang
    missing = [role for role, found in seen.findings.items() if found.problem and found.problem.key in findings.ABSENT]
    stuck = next((found for found in seen.findings.values() if not found.fine), None)
    if missing:
        roles = listed(lang, [findings.role_name(made.study, role, lang) for role in missing])
        step = say(lang, "start.next_files", roles=roles)
    elif stuck is not None:
        count = len(stuck.faults)
        what = say(lang, "start.next_fix_cells", count=count) if count else say(lang, "start.next_fix_file")
        step = say(lang, "start.next_fix", role=findings.role_name(made.study, stuck.role, lang), what=what)
    elif seen.problem is not None:
        step = say(lang, "start.next_whole")
    elif pending:
        left = next((found for found in seen.findings.values() if len(found.rejects) or found.twice), None)
        step = say(lang, "start.next_save")
        if left is not None:
            name = findings.role_name(made.study, left.role, lang)
            step = say(lang, "start.next_save_but", role=capital(name), rows=len(left.rejects), pairs=len(left.twice))
        st.info(shared.plain(say(lang, "start.next", what=step)), icon=":material/arrow_forward:")
        st.button(
            say(lang, "start.save_count", count=pending), key="save_top", type="primary", icon=":material/save:",
            on_click=save_now, args=(desk,),
        )  # fmt: skip
        return
    else:
        st.success(say(lang, "start.next", what=say(lang, "start.next_see")), icon=":material/arrow_forward:")
        see_results(lang)
        return
    st.info(shared.plain(say(lang, "start.next", what=step)), icon=":material/arrow_forward:")


def see_results(lang: Lang) -> None:
    """Show the button that leads to the results."""
    if st.button(say(lang, "start.see_results"), type="primary", icon=":material/map:", key="see_results"):
        shared.go_to("overview")


# --- step 1: which study ---------------------------------------------------------------------------------------------


def choose(desk: Desk) -> None:
    """Show which study this is, and the ways to another."""
    lang = desk.lang
    st.subheader(say(lang, "start.step_study"), anchor=False)
    embedded = shelf.is_embedded(desk.file)
    words = "start.where_embedded" if embedded else "start.where"
    st.markdown(shared.plain(say(lang, words, name=name_of(desk.file), folder=str(desk.file.parent))))
    with st.expander(say(lang, "start.how"), expanded=embedded, icon=":material/folder_open:"):
        new, recent, path, example = st.tabs(
            [say(lang, f"start.how_{way}") for way in ("new", "recent", "path", "example")]
        )
        with new:
            start_new(lang)
        with recent:
            open_recent(lang)
        with path:
            open_path(lang)
        with example:
            open_example(desk)


def name_of(file: Path) -> str:
    """Return what a study calls itself; its folder's name where it can't be read."""
    try:
        return load_study(file).name
    except PlannerError:
        return file.parent.name


def start_new(lang: Lang) -> None:
    """Show the form for a new study."""
    with st.form("new_study", border=False):
        name = st.text_input(say(lang, "start.new_name"), placeholder=say(lang, "start.new_name_hint"), key="new_name")
        area = st.text_input(say(lang, "start.new_area"), help=say(lang, "start.new_area_help"), key="new_area")
        st.caption(shared.plain(say(lang, "start.new_where", folder=str(shelf.root()))))
        made = st.form_submit_button(say(lang, "start.new_make"), type="primary")
    if made and not name.strip():
        st.warning(say(lang, "start.new_needs_name"))
    elif made:
        attempt(lang, lambda: begin(name, area.strip() or None, lang))


def begin(name: str, area: str | None, lang: Lang) -> Path:
    """Make a new study; say why it has no streets, if a place's could not be had."""
    file, trouble = shelf.start(name, area, lang=lang)
    if trouble is not None:
        flash("error", trouble.text(lang))
    return file


def open_recent(lang: Lang) -> None:
    """Show the studies that are there."""
    known = {study.file: study for study in shelf.studies()}
    if not known:
        st.caption(say(lang, "start.recent_none"))
        return
    chosen = st.selectbox(
        say(lang, "start.recent_pick"),
        list(known),
        format_func=lambda file: in_list(known[file]),
        key=keyed("recent", known, lang),
    )
    if st.button(say(lang, "start.open"), key="recent_open"):
        attempt(lang, lambda: shelf.find(str(chosen), anywhere=shared.is_local()))


def in_list(study: shelf.Shelved) -> str:
    """Return how a study stands in the list."""
    at = dt.datetime.fromtimestamp(study.changed_at).strftime("%Y-%m-%d %H:%M")
    return f"{study.name} · {study.file.parent.name} · {at}"


def open_path(lang: Lang) -> None:
    """Show the form for a study's folder."""
    with st.form("open_path", border=False):
        typed = st.text_input(say(lang, "start.path_label"), help=say(lang, "start.path_help"), key="open_path_text")
        opened = st.form_submit_button(say(lang, "start.open"))
    if opened:
        attempt(lang, lambda: shelf.find(typed, anywhere=shared.is_local()))


def open_example(desk: Desk) -> None:
    """Show the ways to the embedded study: to look at, or as a copy to work on."""
    lang, example = desk.lang, shared.embedded_file()
    one, two = st.columns(2)
    if one.button(say(lang, "start.open"), key="open_example", disabled=shelf.is_embedded(desk.file)):
        attempt(lang, lambda: example)
    if two.button(say(lang, "start.copy"), key="copy_example"):
        attempt(lang, lambda: shelf.copy(example, say(lang, "start.copy_name", name=name_of(example))))


def attempt(lang: Lang, find: Callable[[], Path]) -> None:
    """Go to the study that is found or made; what goes wrong is said where it was asked."""
    try:
        file = find()
    except PlannerError as error:
        st.error(shared.plain(error.text(lang)), icon=":material/error:")
        return
    shelf.remember(file)
    shared.switch_to(file)
    st.rerun()


# --- step 2: files ---------------------------------------------------------------------------------------------------


def files(desk: Desk, made: Drafted, seen: Survey) -> None:
    """Show where files are brought in, and which file is what."""
    lang, study = desk.lang, made.study
    st.subheader(say(lang, "start.step_files"), anchor=False)
    st.html(UPLOADER.replace("{button}", say(lang, "start.upload_button")))
    turn = st.session_state.setdefault("upload_turn", 0)
    # Any kind is taken here: Streamlit would turn one away in its own English; `shelf.receive` says what can be read.
    sent = st.file_uploader(
        say(lang, "start.upload"),
        accept_multiple_files=True,
        help=say(lang, "start.upload_help", mb=shelf.MOST_UPLOAD_BYTES // 1_000_000),
        key=f"upload_{turn}",
    )
    if sent:
        for one in sent:
            bring_in(desk, one.name, one.getvalue())
        # The widget is made anew, empty: what was sent is in the draft.
        st.session_state["upload_turn"] = turn + 1
        st.rerun()
    rows = [
        {label(lang, "start.role"): capital(findings.role_name(study, role, lang)), label(lang, "start.file"): found.file,
         label(lang, "start.state"): findings.state(found, lang)}
        for role, found in seen.findings.items()
    ]  # fmt: skip
    for n, demand in enumerate(study.demand):
        if isinstance(demand, LineDemand):
            name = capital(findings.role_name(study, f"demand.{n}", lang))
            state = label(lang, "start.state_by_streets", total=demand.total)
            rows.append(
                {label(lang, "start.role"): name, label(lang, "start.file"): "–", label(lang, "start.state"): state}
            )
    # Cells are read as Markdown.
    st.table([{head: shared.plain(text) for head, text in row.items()} for row in rows])
    roles_of_new_files(desk, study, made.of)
    for role, found in seen.findings.items():
        if found.problem and found.problem.key in findings.ABSENT:
            absent(desk, study, role, found, seen)


def bring_in(desk: Desk, name: str, content: bytes) -> None:
    """Put a file that was sent into the draft, in the role that it looks made for."""
    lang, typed = desk.lang, desk.draft()
    place = draft.folder(desk.file, desk.draft_id)
    try:
        taken = {path.name for path in desk.file.parent.iterdir()} | set(typed.files)
        safe = shelf.receive(place, name, content, taken)
        study = draft.drafted(desk.file, desk.draft_id, typed).study
        study = study.model_copy(update={"unsaved": study.unsaved | {safe: place / safe}})
        try:
            role = guess_role(study, safe)
        except InputError:
            (place / safe).unlink(missing_ok=True)
            raise
    except PlannerError as error:
        flash("error", error.text(lang))
        return
    with_file = typed.model_copy(update={"files": [*typed.files, safe]})
    change(desk, lambda _: assigned(with_file, study, safe, role))
    flash("success", say(lang, "start.uploaded", file=safe, role=findings.role_name(study, role, lang)))


def roles_of_new_files(desk: Desk, study: Study, corrected: dict[str, str]) -> None:
    """Show a drop-down for each file that was sent: what it is. A file that is being corrected is still itself."""
    lang, typed = desk.lang, desk.draft()
    roles = [*LAYERS, *TABLES, *(f"demand.{n}" for n in range(len(study.demand)))]
    current = {corrected.get(role) or getattr(settings_of(study, role), "file", None): role for role in roles}
    # Also one that another file has displaced: it may be given another role.
    shown = list(typed.files)
    columns = st.columns(min(3, max(1, len(shown))))
    for n, name in enumerate(shown):
        key = keyed("role", name, current.get(name), lang)
        columns[n % len(columns)].selectbox(
            shared.plain(say(lang, "start.is_what", file=name)),
            roles,
            index=roles.index(current[name]) if name in current else None,
            placeholder=say(lang, "start.no_role"),
            format_func=lambda role: capital(findings.role_name(study, role, lang)),
            key=key,
            on_change=reassign,
            args=(desk, study, name, key),
        )


def reassign(desk: Desk, study: Study, name: str, key: str) -> None:
    """Give a file another role."""
    role = st.session_state[key]
    change(desk, lambda typed: assigned(typed, study, name, role))


def absent(desk: Desk, study: Study, role: str, found: Findings, seen: Survey) -> None:
    """Show what can be done about a file that is not there yet."""
    lang, name = desk.lang, findings.role_name(study, role, desk.lang)
    with st.container(border=True):
        st.markdown(f"**{shared.plain(capital(name))}** · {findings.state(found, lang)}")
        ways = st.columns(3, vertical_alignment="bottom")
        with suppress(InputError):
            content = study.path(found.file).read_bytes()
            ways[0].download_button(
                say(lang, "start.template"), content, found.file, key=f"template {role}", on_click="ignore"
            )
        if role in OPTIONAL:
            ways[1].button(
                shared.plain(say(lang, "start.leave_out", role=name)),
                key=f"leave {role}",
                on_click=leave_out,
                args=(desk, role, study),
            )
        if role.startswith("demand.") and len(seen.streets):
            group = study.groups[study.demand[int(role[7:])].group].name
            total = ways[1].number_input(
                shared.plain(say(lang, "start.spread_total", group=group)), min_value=1, value=None, key=f"total {role}",
                help=say(lang, "start.spread_help"),
            )  # fmt: skip
            ways[2].button(
                say(lang, "start.spread"), key=f"spread {role}", disabled=total is None, on_click=spread,
                args=(desk, study, role, total, sorted(set(seen.streets["highway"]))),
            )  # fmt: skip


def leave_out(desk: Desk, role: str, study: Study) -> None:
    """Take a role out of the study; without ways to build or places for them there is no plan either."""
    change(desk, lambda typed: draft.set_value(draft.forget_table(typed, role), role, None))


def spread(desk: Desk, study: Study, role: str, total: float, classes: list[str]) -> None:
    """Spread a total of people over the streets by their length: every class counts with the same width."""
    group = study.demand[int(role[7:])].group
    line = {"kind": "line", "group": group, "total": float(total), "width_m": dict.fromkeys(classes, 1.0)}
    change(desk, lambda typed: draft.set_value(draft.forget_table(typed, role), role, line))


# --- step 4: saving --------------------------------------------------------------------------------------------------


def save(desk: Desk, typed: draft.Draft, seen: Survey | None) -> None:
    """Show what is not saved yet, the button to save it, and the way back."""
    lang = desk.lang
    st.subheader(say(lang, "start.step_save"), anchor=False)
    meanwhile = history.changed(desk.file, typed.seen) if typed.count else ()
    if typed.count:
        pending(desk, typed)
    else:
        st.caption(say(lang, "start.pending_none"))
    if meanwhile:
        words = say(lang, "start.changed_meanwhile", files=listed(lang, meanwhile))
        st.warning(shared.plain(words), icon=":material/group:")
        st.button(say(lang, "start.latest"), key="latest", type="primary", on_click=latest, args=(desk,))
    columns = st.columns([1, 1, 2, 2])
    columns[0].button(
        say(lang, "start.save"), key="save", type="primary", disabled=not typed.count or seen is None,
        icon=":material/save:", help=say(lang, "start.save_help"), on_click=save_now, args=(desk,),
    )  # fmt: skip
    columns[1].button(
        say(lang, "start.discard"), key="discard", disabled=not typed.count, on_click=draft.discard,
        args=(desk.file, desk.draft_id),
    )  # fmt: skip
    try:
        states = history.read_history(desk.file)
    except PlannerError:
        return
    back, forth = states.before, states.after
    columns[2].button(
        say(lang, "start.undo", at=back.at) if back else say(lang, "start.undo_none"), key="undo",
        disabled=back is None or bool(typed.count), icon=":material/undo:", on_click=step, args=(desk, -1),
        help=say(lang, "start.undo_first_save") if typed.count else None,
    )  # fmt: skip
    columns[3].button(
        say(lang, "start.redo", at=forth.at) if forth else say(lang, "start.redo_none"), key="redo",
        disabled=forth is None or bool(typed.count), icon=":material/redo:", on_click=step, args=(desk, +1),
    )  # fmt: skip


def pending(desk: Desk, typed: draft.Draft) -> None:
    """Show each change that is not saved, with a button to take it back."""
    lang = desk.lang
    st.caption(say(lang, "start.pending_kept"))
    with st.expander(say(lang, "start.pending", count=typed.count)):
        for what, without in findings.changes(typed, lang)[: findings.MOST_SHOWN]:
            words, button = st.columns([6, 1], vertical_alignment="center")
            words.markdown(shared.plain(what))
            button.button(
                say(lang, "start.withdraw"), key=f"withdraw {what}", help=shared.plain(say(lang, "start.withdraw_what", what=what)),
                on_click=change, args=(desk, without),
            )  # fmt: skip


def save_now(desk: Desk) -> None:
    """Save the draft; what goes wrong is said, and nothing is lost."""
    try:
        made = draft.drafted(desk.file, desk.draft_id, desk.draft())
        draft.save(desk.file, desk.draft_id, desk.draft())
    except PlannerError as error:
        flash("error", error.text(desk.lang))
        return
    flash("success", say(desk.lang, "start.saved", files=listed(desk.lang, list(made.files))))


def latest(desk: Desk) -> None:
    """Put the changes onto the study as it is now."""
    change(desk, lambda typed: draft.onto_latest(desk.file, typed))
    flash("info", say(desk.lang, "start.latest_loaded", count=desk.draft().count))


def step(desk: Desk, way: int) -> None:
    """Undo the last save, or do it again."""
    try:
        state = history.step(desk.file, way, seen=history.look(desk.file))
    except PlannerError as error:
        flash("error", error.text(desk.lang))
        return
    flash("info", say(desk.lang, "start.undone", at=state.at, what=say(desk.lang, f"workspace.{state.what}")))


def offer_waiting(desk: Desk) -> None:
    """Offer drafts that somebody left behind."""
    if desk.draft().count:
        return
    for draft_id, left, seconds in list(draft.waiting(desk.file))[:3]:
        at = dt.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
        st.info(say(desk.lang, "start.waiting", at=at, count=left.count), icon=":material/history:")
        # Throwing it away is for whoever goes on with it: it may be another person's, at work just now.
        words = say(desk.lang, "start.waiting_go_on", at=at)
        st.button(words, key=f"go_on {draft_id}", on_click=shared.take_draft, args=(desk.file, draft_id))
