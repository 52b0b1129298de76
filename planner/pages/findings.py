"""What was found in each file of a study, to be set right in place: columns, datum, cells, rows, places written down twice."""

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import pandas as pd
import streamlit as st

from planner.draw.readings import readings_svg, window
from planner.intake.headings import recognise
from planner.intake.places import known_services
from planner.pages import shared
from planner.pages.desk import Desk, change, keyed
from planner.study import Datum, LayerDatum, Study, Table
from planner.words import Lang, has, say
from planner.words.wording import capital, label, listed
from planner.workspace import draft
from planner.workspace.draft import Draft
from planner.workspace.repairs import suggest
from planner.workspace.survey import DATUMS, FIELDS, LAYERS, TABLES, Findings, Survey, settings_of

ROLES = (*LAYERS, *TABLES, "last")
# What settings of a file are called.
SETTINGS = {
    "file": "start.file", "datum": "start.datum", "crs": "start.crs", "sheet": "start.sheet", "header": "start.header_row",
    "columns": "start.columns", "class_column": "start.class_column",
}  # fmt: skip
MOST_SHOWN, _SENTENCES, _FORMS = 200, 12, 12
_MARKS = {
    "absent": ":material/upload_file:",
    "stuck": ":material/error:",
    "left": ":material/warning:",
    "unread": ":material/hourglass_empty:",
    "clean": ":material/check:",
}
# Problems that a file which is not there yet, or not filled in, has.
ABSENT = ("file_missing", "table_empty")
# Problems that the layer's coordinate system sets right.
_CRS = ("layer_no_crs", "layer_wrong_crs", "layer_crs_unknown", "metres_unsure")
_USUAL_CRS = ("EPSG:4326", "EPSG:4490", "EPSG:4549", "EPSG:4547", "EPSG:4548", "EPSG:4526", "EPSG:3857")


def show(desk: Desk, study: Study, seen: Survey) -> None:
    """Show which roles there are, and what was found in the one chosen; at first the one that needs something."""
    lang, roles = desk.lang, list(seen.findings)
    marks = {role: _mark(found) for role, found in seen.findings.items()}
    wanting = [role for mark in ("stuck", "absent", "left") for role in roles if marks[role] == _MARKS[mark]]
    first = next(iter(wanting), roles[0])
    kept = st.session_state.get("looked_at")
    # Who has set one file right goes on to the next that wants something; who only looks around stays.
    was = st.session_state.get("mark_looked_at")
    done = kept in roles and was == (kept, False) and marks[kept] == _MARKS["clean"] and bool(wanting)
    role = kept if kept in roles and not done else first
    st.session_state["mark_looked_at"] = (role, marks[role] == _MARKS["clean"])
    key = keyed("look", desk.draft_id, role, lang, marks)
    chosen = st.segmented_control(
        say(lang, "start.look_at"), roles, default=role, key=key, required=True,
        format_func=lambda r: f"{marks[r]} {shared.plain(capital(role_name(study, r, lang)))}", on_change=_look, args=(key,),
    )  # fmt: skip
    found = seen.findings[chosen if chosen in roles else role]
    with st.container(border=True):
        _one(desk, study, seen, found)
    if seen.problem is not None:
        st.error(shared.plain(seen.problem.text(lang)), icon=":material/error:")
        _remedy_of_whole(desk, study, seen)
    _warnings(seen.warnings, lang)


def _look(key: str) -> None:
    st.session_state["looked_at"] = st.session_state[key]


def _mark(found: Findings) -> str:
    if found.problem and found.problem.key in ABSENT:
        return _MARKS["absent"]
    if not found.fine:
        return _MARKS["stuck"]
    if found.unread:
        return _MARKS["unread"]
    return _MARKS["left"] if len(found.rejects) or found.twice else _MARKS["clean"]


def role_name(study: Study, role: str, lang: Lang) -> str:
    """Return what a role is called."""
    if role.startswith("demand."):
        number = min(int(role.partition(".")[2]), len(study.demand) - 1)
        return say(lang, "start.role_demand", group=study.groups[study.demand[number].group].name)
    return say(lang, f"start.role_{role}")


def state(found: Findings, lang: Lang) -> str:
    """Return in a few words how it stands with a file."""
    if found.problem is not None:
        words = {"file_missing": "start.state_missing", "table_empty": "start.state_empty"}
        return label(lang, words.get(found.problem.key, "start.state_problem"))
    if found.faults:
        return label(lang, "start.state_faults", count=len(found.faults))
    if found.unread:
        return label(lang, "start.state_unread")
    rows = len(found.rejects)
    if rows:
        return label(lang, "start.state_left_out", used=found.used, rows=rows)
    return label(lang, "start.state_fine", used=found.used)


def _one(desk: Desk, study: Study, seen: Survey, found: Findings) -> None:
    lang = desk.lang
    st.markdown(
        f"**{shared.plain(capital(role_name(study, found.role, lang)))}** · {shared.plain(found.file)} · {state(found, lang)}"
    )
    if found.problem is not None and found.problem.key in ABSENT:
        st.markdown(say(lang, "start.absent"))
        return
    if found.problem is not None:
        st.error(shared.plain(found.problem.text(lang)), icon=":material/error:")
        _remedy(desk, study, found)
    if found.kind == "layer":
        _layer_datum(desk, study, found)
    else:
        _layout(desk, study, found)
        if found.headings:
            _columns(desk, study, found)
        if found.places:
            _datum(desk, study, seen, found)
        _rows(desk, study, seen, found)
        _twice(desk, found)
    _warnings(found.warnings, lang)
    if found.fine and not (found.unread or found.warnings or len(found.rejects) or found.twice):
        st.markdown(f":material/check: {say(lang, 'start.fine')}")


def _warnings(warnings: tuple[str, ...], lang: Lang) -> None:
    if warnings:
        with st.expander(say(lang, "start.warnings", count=len(warnings)), icon=":material/info:"):
            for warning in warnings[:MOST_SHOWN]:
                st.markdown(f"- {shared.plain(warning)}")


# --- what sets a problem right ---------------------------------------------------------------------------------------


def _set(desk: Desk, place: str, key: str) -> None:
    """Take a widget's value into the draft."""
    value = st.session_state[key]
    change(desk, lambda typed: draft.set_value(typed, place, value if value != "" else None))


def _remedy(desk: Desk, study: Study, found: Findings) -> None:
    """Show the widget that sets a file's problem right, where one can."""
    lang, problem, role = desk.lang, found.problem, found.role
    if problem is None:
        return
    if problem.key in _CRS:
        key = f"crs {role}"
        st.selectbox(
            say(lang, "start.crs"), _USUAL_CRS, index=None, accept_new_options=True, key=key,
            help=say(lang, "start.crs_help"), on_change=_set, args=(desk, f"{role}.crs", key),
        )  # fmt: skip
    elif problem.key == "crs_elsewhere":
        fitting = str(problem.values["fitting"])
        st.button(
            say(lang, "start.crs_use", crs=fitting), key=f"fit {role}", type="primary", on_click=change,
            args=(desk, lambda typed: draft.set_value(typed, "crs", fitting)),
        )  # fmt: skip
    elif problem.key == "layer_column":
        key = keyed("class", role, found.headings, lang)
        st.selectbox(
            say(lang, "start.class_column"), list(found.headings), index=None, key=key,
            format_func=lambda name: say(lang, "start.column_of", heading=name, example=found.headings[name]),
            on_change=_set, args=(desk, f"{role}.class_column", key),
        )  # fmt: skip
    elif problem.key == "column_missing" and not found.headings:
        st.button(
            say(lang, "start.clear_columns"), key=f"clear {role}", on_click=change,
            args=(desk, lambda typed: draft.set_value(typed, f"{role}.columns", None)),
        )  # fmt: skip


def _remedy_of_whole(desk: Desk, study: Study, seen: Survey) -> None:
    if seen.problem is not None and seen.problem.key == "service_nowhere":
        lang, key = desk.lang, keyed("services", desk.lang)
        options = sorted(known_services() | set(study.standard.services))
        st.multiselect(
            say(lang, "start.services_needed"), options, default=list(study.standard.services), key=key,
            format_func=lambda word: say(lang, f"service.{word}") if has(f"service.{word}") else word,
            on_change=_set, args=(desk, "standard.services", key),
        )  # fmt: skip


# --- columns ---------------------------------------------------------------------------------------------------------


def _layout(desk: Desk, study: Study, found: Findings) -> None:
    """Show which sheet is read, where there are several, and where the header is, where it wasn't found."""
    lang, settings = desk.lang, settings_of(study, found.role)
    if len(found.sheets) > 1:
        key = f"sheet {found.role} {found.file}"
        options = list(found.sheets)
        st.selectbox(
            say(lang, "start.sheet"), options, index=options.index(settings.sheet) if settings.sheet in options else 0,
            key=key, on_change=_set, args=(desk, f"{found.role}.sheet", key),
        )  # fmt: skip
    if found.preview:
        st.caption(say(lang, "start.header_preview"))
        rows = pd.DataFrame(found.preview, index=pd.RangeIndex(1, len(found.preview) + 1))
        st.dataframe(rows.rename(columns=lambda n: f"{n + 1}"), height=240)
        key = f"header {found.role}"
        st.number_input(
            say(lang, "start.header_row"), min_value=1, max_value=1_000, value=settings.header, key=key,
            on_change=_set, args=(desk, f"{found.role}.header", key),
        )  # fmt: skip


def _columns(desk: Desk, study: Study, found: Findings) -> None:
    """Show a drop-down a field: which of the table's columns holds it."""
    lang, settings = desk.lang, settings_of(study, found.role)
    missing = found.problem is not None and found.problem.key == "column_missing"
    with st.expander(say(lang, "start.columns"), expanded=missing, icon=":material/view_column:"):
        st.caption(say(lang, "start.columns_help", row=found.header_row))
        columns = st.columns(4)
        options = ["", *found.headings]
        for n, name in enumerate(FIELDS[found.kind]):
            key = keyed("column", found.role, name, found.fields.get(name, ""), found.headings, lang)
            columns[n % 4].selectbox(
                label(lang, f"start.field_{name}"), options, index=options.index(found.fields.get(name, "")), key=key,
                format_func=partial(_heading, lang, found), on_change=_choose, args=(desk, settings, found, name, key),
            )  # fmt: skip
        unused = [heading for heading in found.headings if heading not in found.fields.values()]
        if unused:
            st.caption(shared.plain(say(lang, "start.unused", headings=listed(lang, unused))))


def _heading(lang: Lang, found: Findings, heading: str) -> str:
    if not heading:
        return label(lang, "start.column_none")
    example = found.headings[heading]
    return say(lang, "start.column_of", heading=heading, example=example) if example else heading


def _choose(desk: Desk, settings: Table, found: Findings, name: str, key: str) -> None:
    """Overrule which column holds a field; what the headings say anyway needs no word in study.toml."""
    chosen = st.session_state[key]
    overruled = {field: heading for field, heading in settings.columns.items() if field != name and heading != chosen}
    headings = list(found.headings)
    of_itself = {field: headings[n] for n, field in recognise(headings, overruled).items()}
    if of_itself.get(name, "") != chosen:
        overruled[name] = chosen
    place = f"{found.role}.columns"
    change(desk, lambda typed: draft.set_value(typed, place, overruled or None))


# --- datum -----------------------------------------------------------------------------------------------------------


def _datum(desk: Desk, study: Study, seen: Survey, found: Findings) -> None:
    """Show the same points under each datum, what speaks for it, and the choice."""
    lang, settings = desk.lang, settings_of(study, found.role)
    unsure = found.problem is not None and found.problem.key.startswith("datum_")
    best = found.evidence[0] if found.evidence else None
    auto = best.reading.datum if best and not unsure else ""
    taken = auto if settings.datum == "auto" else "WGS-84" if settings.datum == "CGCS2000" else settings.datum
    with st.expander(f"{say(lang, 'start.datum')}: {taken or '?'}", expanded=unsure or settings.datum == "auto",
                     icon=":material/explore:"):  # fmt: skip
        st.caption(say(lang, "start.datum_help"))
        likeliest = best.reading.datum if best and best.reading.datum in found.places else DATUMS[0]
        shown = found.places.get(taken or likeliest)
        if shown is not None and len(shown):
            _pictures(lang, seen, found, window(shown), taken)
        options: list[str] = ["auto", *(d for d in get_args(Datum) if d != "auto")]
        key = keyed("datum", found.role, found.file, settings.datum, auto, lang)
        st.radio(
            say(lang, "start.datum"), options, index=options.index(settings.datum), key=key, horizontal=True,
            format_func=lambda d: datum_name(d, auto, lang), label_visibility="collapsed",
            on_change=_set, args=(desk, f"{found.role}.datum", key),
        )  # fmt: skip


def _layer_datum(desk: Desk, study: Study, found: Findings) -> None:
    """Show in which datum a layer was drawn, and let it be said: no coordinate system knows of GCJ-02 or BD-09."""
    lang, settings = desk.lang, settings_of(study, found.role)
    stated = found.problem is not None and found.problem.key == "datum_stated"
    with st.expander(f"{say(lang, 'start.datum')}: {settings.datum}", expanded=stated, icon=":material/explore:"):
        st.caption(say(lang, "start.layer_datum_help"))
        options = list(get_args(LayerDatum))
        key = keyed("datum", found.role, found.file, settings.datum, stated, lang)
        # Where the file's name says another datum than is set, either is to be chosen, also the one that holds.
        st.radio(
            say(lang, "start.datum"), options, index=None if stated else options.index(settings.datum), key=key, horizontal=True,
            format_func=lambda d: datum_name(d, "", lang), label_visibility="collapsed",
            on_change=_set, args=(desk, f"{found.role}.datum", key),
        )  # fmt: skip


def datum_name(datum: str, auto: str, lang: Lang) -> str:
    """Return what a datum is called, with who uses it."""
    if datum == "auto":
        return label(lang, "start.datum_auto", datum=auto) if auto else label(lang, "start.datum_auto_unsure")
    return say(lang, f"start.datum_{datum.replace('-', '').lower()}")


def _likely(share: float) -> str:
    """Return a likelihood as it is printed: none is ever certain."""
    return "> 99.9%" if share > 0.999 else "< 0.1%" if share < 0.001 else f"{share:.1%}"


def _pictures(lang: Lang, seen: Survey, found: Findings, view: tuple[float, float, float, float], taken: str) -> None:
    for column, datum in zip(st.columns(3), DATUMS, strict=True):
        evidence = next((e for e in found.evidence if e.reading.datum == datum and not e.reading.swapped), None)
        caption = datum_name(datum, "", lang)
        if evidence is not None:
            median = f"{evidence.median_m:,.0f}"
            caption = say(
                lang, "start.datum_picture", datum=caption, median=median, likely=_likely(evidence.likelihood)
            )
        if datum == taken:
            caption = f"{caption} {say(lang, 'start.datum_taken')}"
        picture = readings_svg(seen.streets, found.places[datum], view, chosen=datum == taken)
        column.image(picture, caption=caption, width="stretch")


# --- rows ------------------------------------------------------------------------------------------------------------


def _rows(desk: Desk, study: Study, seen: Survey, found: Findings) -> None:
    """Show the cells that stop the reading and the rows left out, both to be mended in the user's own columns."""
    lang = desk.lang
    if found.faults:
        st.markdown(f"**{say(lang, 'start.faults', count=len(found.faults))}**")
        _sentences([fault.error.text(lang) for fault in found.faults])
        cells: dict[int, dict[str, str]] = {}
        for fault in found.faults[:MOST_SHOWN]:
            cells.setdefault(fault.row, {})[fault.heading] = fault.text
        _cells(desk, found, cells)
        if len(cells) > _FORMS:
            _editor(desk, found, cells, "faults")
    left_out = found.rejects.head(MOST_SHOWN)
    if len(left_out):
        st.markdown(f"**{say(lang, 'start.rejects', count=len(found.rejects))}**")
        for (reason, repair), numbers in left_out.groupby(["reason", "repair"], sort=False)["row"]:
            named = listed(lang, [str(n) for n in numbers[:8]]) + (" …" if len(numbers) > 8 else "")
            _sentences([label(lang, "start.reject", rows=named, reason=reason, repair=repair)])
        _suggestions(desk, study, seen, found, left_out)
        if len(found.rejects) > MOST_SHOWN:
            st.caption(say(lang, "start.editor_more", shown=MOST_SHOWN, count=len(found.rejects)))
        rows = {int(reject["row"]): reject["cells"] for reject in left_out.to_dict("records")}
        place = [found.fields[name] for name in ("lon", "lat", "coordinates", "road") if name in found.fields]
        _cells(desk, found, {row: {head: cells[head] for head in place} for row, cells in rows.items()}, rows)
        _editor(desk, found, rows, "rejects")
    if len(found.asides):
        with st.expander(say(lang, "start.asides", count=len(found.asides))):
            heads = [label(lang, key) for key in ("start.row", "start.wrong", "start.content")]
            st.dataframe(found.asides[["row", "reason", "values"]].set_axis(heads, axis=1), hide_index=True)


def _sentences(sentences: list[str]) -> None:
    for sentence in sentences[:_SENTENCES]:
        st.markdown(f"- {shared.plain(sentence)}")


def _cells(
    desk: Desk, found: Findings, wanted: dict[int, dict[str, str]], whole: dict[int, dict[str, str]] | None = None
) -> None:
    """Show the cells that matter of the first rows, each with a name of its own, and a button to leave the row out."""
    lang, name = desk.lang, found.fields.get("name", "")
    st.caption(say(lang, "start.cells_help"))
    for row, cells in list(wanted.items())[:_FORMS]:
        columns = st.columns([3] * len(cells) + [2], vertical_alignment="bottom")
        called = (whole or {}).get(row, {}).get(name, "")
        for column, (heading, text) in zip(columns, cells.items(), strict=False):
            key = f"cell {found.role} {row} {heading} {text}"
            typed = column.text_input(
                shared.plain(label(lang, "start.cell", row=row, heading=heading, name=called).strip(" ·")), value=text,
                key=key, on_change=_typed, args=(desk, found.role, row, heading, key),
            )  # fmt: skip
            # A server that was started again meanwhile calls nobody back for what a page that is older than it sends.
            if typed != text and typed != desk.draft().cells.get(found.role, {}).get(row, {}).get(heading):
                _typed(desk, found.role, row, heading, key)
                st.rerun()
        columns[-1].button(
            label(lang, "start.twice_out", row=row), key=f"out {found.role} {row}", on_click=change,
            args=(desk, partial(draft.strike, role=found.role, row=row)),
        )  # fmt: skip


def _typed(desk: Desk, role: str, row: int, heading: str, key: str) -> None:
    text = st.session_state[key]
    change(desk, lambda typed: draft.set_cell(typed, role, row, heading, text))


def _editor(desk: Desk, found: Findings, rows: dict[int, dict[str, str]], which: str) -> None:
    """Show rows of a table to be changed cell by cell: what a place needs first."""
    lang = desk.lang
    own = list(dict.fromkeys(head for cells in rows.values() for head in cells))
    first = [found.fields[f] for f in ("lon", "lat", "coordinates", "name", "weight", "road") if f in found.fields]
    order = [*(head for head in first if head in own), *(head for head in own if head not in first)]
    number, out = label(lang, "start.row"), label(lang, "start.out")
    table = pd.DataFrame.from_dict(rows, orient="index", columns=own).fillna("")[order]
    table.insert(0, number, table.index)
    table.insert(min(4, len(table.columns)), out, False)
    key = f"{which} {found.role} {found.file} {hash(tuple(rows))}"
    with st.expander(say(lang, "start.editor", count=len(rows)), icon=":material/table:"):
        st.caption(say(lang, "start.editor_help"))
        st.data_editor(
            table, key=key, hide_index=True, num_rows="fixed", width="content", disabled=[number],
            column_config={
                number: st.column_config.NumberColumn(width=60, format="%d"),
                out: st.column_config.CheckboxColumn(width=70),
            },
            on_change=_edited, args=(desk, found.role, list(rows), order, out, key),
        )  # fmt: skip


def _edited(desk: Desk, role: str, rows: list[int], columns: list[str], out: str, key: str) -> None:
    """Take what was changed in the editor into the draft."""
    edits: dict[int, dict[str, Any]] = st.session_state[key]["edited_rows"]

    def typed(changes: Draft) -> Draft:
        for position, cells in edits.items():
            for heading, value in cells.items():
                if heading == out:
                    changes = draft.strike(changes, role, rows[int(position)], out=bool(value))
                elif heading in columns:
                    changes = draft.set_cell(changes, role, rows[int(position)], heading, str(value or ""))
        return changes

    change(desk, typed)


def _suggestions(desk: Desk, study: Study, seen: Survey, found: Findings, left_out: pd.DataFrame) -> None:
    """Show what unreadable coordinates were probably meant to be, and take it at one press."""
    if seen.area is None:
        return
    lang, suggested = desk.lang, suggest(left_out.head(MOST_SHOWN), found.fields, study.crs, seen.area)
    if not suggested:
        return
    st.markdown(say(lang, "start.suggested"))
    was = {int(reject["row"]): reject["cells"] for reject in left_out.to_dict("records")}
    for row, cells in suggested.items():
        words = [
            f"{head} {was[row].get(head, '')} → {text}" for head, text in cells.items() if text != was[row].get(head)
        ]
        st.markdown(f"- {shared.plain(label(lang, 'start.suggestion', row=row, change='; '.join(words)))}")

    def take(changes: Draft) -> Draft:
        for row, cells in suggested.items():
            for heading, text in cells.items():
                if text != was[row].get(heading):
                    changes = draft.set_cell(changes, found.role, row, heading, text)
        return changes

    st.button(
        label(lang, "start.suggest_take", count=len(suggested)), key=f"suggest {found.role}", on_click=change,
        args=(desk, take), type="primary",
    )  # fmt: skip


def _twice(desk: Desk, found: Findings) -> None:
    """Show pairs of rows that look like one place, with the choice of which to leave out."""
    lang = desk.lang
    if not found.twice:
        return
    st.markdown(f"**{say(lang, 'start.twice', count=len(found.twice))}**")
    for pair in found.twice[:MOST_SHOWN]:
        words = label(lang, "start.twice_pair", row=pair.row, name=pair.name, other=pair.other, other_name=pair.other_name,
            apart=pair.apart_m,
        )  # fmt: skip
        key = keyed("twice", found.role, words)
        st.radio(
            shared.plain(words), [0, pair.row, pair.other], key=key, horizontal=True,
            format_func=lambda row: label(lang, "start.twice_out", row=row) if row else label(lang, "start.twice_both"),
            on_change=_strike, args=(desk, found.role, key),
        )  # fmt: skip


def _strike(desk: Desk, role: str, key: str) -> None:
    row = st.session_state[key]
    if row:
        change(desk, lambda typed: draft.strike(typed, role, row))


# --- the draft in words ----------------------------------------------------------------------------------------------


def changes(typed: Draft, lang: Lang) -> list[tuple[str, Callable[[Draft], Draft]]]:
    """Return each change that is not saved: in words, and what takes it back."""
    found: list[tuple[str, Callable[[Draft], Draft]]] = []
    for place, value in typed.settings.items():
        key = "start.pending_taken" if value is None else "start.pending_setting"
        words = say(lang, key, place=_place(place, lang), **({} if value is None else {"value": _value(value, lang)}))
        found.append((words, partial(_without_setting, place)))
    for role, rows in typed.cells.items():
        for row, cells in rows.items():
            for heading, text in cells.items():
                words = say(lang, "start.pending_cell", role=_short(role, lang), row=row, heading=heading, text=text)
                found.append((words, partial(_without_cell, role, row, heading)))
    for role, struck in typed.struck.items():
        for row in struck:
            words = say(lang, "start.pending_out", role=_short(role, lang), row=row)
            found.append((words, partial(draft.strike, role=role, row=row, out=False)))
    return found


def _place(place: str, lang: Lang) -> str:
    """Return what a setting is called: of which file, and which of its settings; what has no word, as study.toml has it."""
    role, _, rest = place.partition(".")
    if role == "demand":
        number, _, rest = rest.partition(".")
        role = f"demand.{number}"
    if role not in ROLES and not role.startswith("demand."):
        return place
    words = SETTINGS.get(rest.partition(".")[0])
    own = [say(lang, words)] if words else [rest] if rest else []
    return " · ".join([capital(_short(role, lang)), *own])


def _value(value: Any, lang: Lang) -> str:
    """Return a setting's value; of a whole entry its file, or the total that is spread."""
    if isinstance(value, dict):
        told = value.get("file") or value.get("summary") or value.get("total")
        return (
            f"{told:g}" if isinstance(told, float) else str(told) if told else listed(lang, [str(key) for key in value])
        )
    return listed(lang, [str(one) for one in value]) if isinstance(value, (list, tuple)) else str(value)


def _short(role: str, lang: Lang) -> str:
    return say(lang, "start.field_weight") if role.startswith("demand.") else say(lang, f"start.role_{role}")


def _without_setting(place: str, typed: Draft) -> Draft:
    return typed.model_copy(update={"settings": {k: v for k, v in typed.settings.items() if k != place}})


def _without_cell(role: str, row: int, heading: str, typed: Draft) -> Draft:
    rows = {n: {h: t for h, t in cells.items() if (n, h) != (row, heading)} for n, cells in typed.cells[role].items()}
    kept = {n: cells for n, cells in rows.items() if cells}
    cells = {r: (kept if r == role else c) for r, c in typed.cells.items()}
    return typed.model_copy(update={"cells": {r: c for r, c in cells.items() if c}})
