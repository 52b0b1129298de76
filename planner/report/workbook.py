"""Result -> programme.xlsx: the construction programme 建设计划表, ready to print, and what stands behind it on further sheets.

Takes a `Result`; opens in Excel, WPS and LibreOffice. Sums that a person would change are live formulas and carry their value for
previews that don't calculate. Text from anybody's file stays text, whatever it begins with.
"""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from planner import __version__
from planner.draw.style import SHAPES, TIER_SIZES
from planner.draw.webdata import planned_hours, zone_names
from planner.evaluation import SHARES
from planner.pipeline import Result
from planner.report import figures
from planner.report.archive import write_package
from planner.report.cells import put_text
from planner.report.layers import licence
from planner.words import Lang, say, term
from planner.words.wording import harmless, hours, listed, metres, people, percent, sentences

TEXT, WHOLE, PEOPLE, SHARE, MONEY, RATIO, DEGREES, YEAR = (
    "@",
    "#,##0",
    "#,##0.0",
    '[=0]0.0%;[<0.0005]"<0.1%";0.0%',
    "#,##0.00",
    "0.00",
    "0.000000",
    "0",
)
# A formula's value by cell, filled in when the file is packed.
Values = dict[tuple[str, str], float | str]

_HEAD, _RULE, _BUDGET = "DCE6EC", "8A9AA5", "1F4FA0"
_FIRST_ROW = 4  # below title, unit line and the row of headings

_PROGRAMME: tuple[tuple[str, float, str, str], ...] = (
    # column of the programme, width in characters, number format, heading above (two columns share one)
    ("number", 4, WHOLE, ""),
    ("site", 6.5, TEXT, ""),
    ("name", 16, TEXT, ""),
    ("tier", 9, TEXT, ""),
    ("town", 10, TEXT, ""),
    ("community", 9, TEXT, ""),
    ("address", 7, TEXT, ""),
    ("longitude", 9.5, DEGREES, "group_coordinates"),
    ("latitude", 9, DEGREES, "group_coordinates"),
    ("mode", 9.5, TEXT, ""),
    ("host", 12, TEXT, ""),
    ("state", 9, TEXT, ""),
    ("action", 8, TEXT, ""),
    ("floor_area_m2", 6.5, WHOLE, ""),
    ("kit_level", 5, TEXT, ""),
    ("opening_hours", 15, TEXT, ""),
    ("services", 12, TEXT, ""),
    ("served", 13.5, TEXT, ""),
    ("capital_cost", 8, MONEY, "group_cost"),
    ("operating_cost", 8, MONEY, "group_cost"),
    ("funding", 6, TEXT, ""),
    ("year", 6, YEAR, ""),
    ("lead_unit", 7, TEXT, ""),
    ("support_unit", 7, TEXT, ""),
    ("due", 7, TEXT, ""),
    ("gain", 8.5, PEOPLE, ""),
    ("note", 17, TEXT, ""),
    ("source", 15, TEXT, ""),
)
_CENTRED = frozenset(("number", "site", "tier", "longitude", "latitude", "mode", "state", "action", "year"))
_NORM_FORMS = dict.fromkeys(("within", "backup", "all_day", "by_density", "offers", "kit", "floor_area"), SHARE) | {
    "people": PEOPLE,
    "residents": WHOLE,
    "spacing": WHOLE,
}
_SUMMED = ("capital_cost", "operating_cost", "gain")


@dataclass(frozen=True)
class Column:
    """One column of a plain table.

    Attributes:
        heading: what stands above it.
        values: a value a row; None and NaN leave the cell empty.
        width: in characters.
        format: number format, or one a row.
    """

    heading: str
    values: Iterable[Any]
    width: float = 12
    format: str | Sequence[str] = TEXT


@dataclass(frozen=True)
class Book:
    """A workbook being written.

    Attributes:
        result: what it speaks of.
        lang: in which language.
        file: the workbook.
        values: what the formulas give.
    """

    result: Result
    lang: Lang
    file: Workbook
    values: Values = field(default_factory=dict)

    def say(self, key: str, **values: object) -> str:
        """Return a text of the catalogue's section ``workbook``."""
        return say(self.lang, f"workbook.{key}", **values)


def write_workbook(result: Result, path: Path, lang: Lang) -> None:
    """Write programme.xlsx.

    Args:
        result: the run.
        path: the file to write; what stands there is replaced.
        lang: language of headings, words and notes.
    """
    book = Book(result, lang, Workbook())
    book.file.remove(book.file.worksheets[0])
    book.file.calculation.fullCalcOnLoad = True
    book.file.properties.creator = harmless(result.study.map.compiling_unit)
    book.file.properties.title = harmless(book.say("title_programme", study=result.study.name))
    for style in _styles(lang):
        book.file.add_named_style(style)
    for write in (
        _programme,
        _totals,
        *([_changes] if result.record else []),
        _why,
        _indicators,
        *([_zones] if len(result.zones) else []),
        _norms,
        _tiers,
        *([] if result.tiers.empty else [_tier_rules]),
        _evaluation,
        _gaps,
        _sites,
        _standards,
        _rejects,
        _method,
    ):
        write(book)
    made = io.BytesIO()
    book.file.save(made)
    write_package(made.getvalue(), path, mend=_with_values(book))


# --- the programme and its sums ---------------------------------------------------------------------------------------


def _programme(book: Book) -> None:
    result, lang = book.result, book.lang
    widths = [width for _, width, _, _ in _PROGRAMME]
    sheet = _sheet(book, "programme", widths, heading_rows=2)
    _programme_headings(book, sheet)
    sheet.row_dimensions[_FIRST_ROW - 1].height = sheet.row_dimensions[_FIRST_ROW].height = 28
    sheet.freeze_panes = f"D{_FIRST_ROW + 1}"
    if result.programme.empty:
        _note(sheet, _FIRST_ROW + 1, _why_empty(book))
        return
    table = _in_words(result, lang)
    letters = {column: get_column_letter(n) for n, (column, *_) in enumerate(_PROGRAMME, 1)}
    row = first = _FIRST_ROW + 1
    for year, part in table.groupby("year", sort=True):
        begun = row
        for record in part.to_dict("records"):
            for n, (column, _, form, _) in enumerate(_PROGRAMME, 1):
                _put(sheet, row, n, record[column], form, "centre" if column in _CENTRED else "")
            _fit(sheet, row, [record[column] for column, *_ in _PROGRAMME])
            row += 1
        _sums(book, sheet, row, part, (begun, row - 1), letters, book.say("count_before", year=year))
        row += 1
    _sums(book, sheet, row, table, (first, row - 1), letters, book.say("count_before_all"))
    _note(sheet, row + 2, book.say("by_hand"))
    _note(sheet, row + 3, book.say("gain_note"))


def _programme_headings(book: Book, sheet: Worksheet) -> None:
    """Write two rows of headings: columns that belong together share one above."""
    unit = _cost_unit(book)
    own = {"longitude": "longitude", "latitude": "latitude", "capital_cost": "capital", "operating_cost": "operating"}
    top, below = _FIRST_ROW - 1, _FIRST_ROW
    for n, (column, _, _, group) in enumerate(_PROGRAMME, 1):
        heading = book.say(own[column]) if column in own else say(book.lang, f"programme.{column}", cost_unit=unit)
        _put(sheet, top, n, book.say(group, cost_unit=unit) if group else heading, "head")
        _put(sheet, below, n, heading if group else None, "head")
    for n, (_, _, _, group) in enumerate(_PROGRAMME, 1):
        if not group:
            sheet.merge_cells(start_row=top, end_row=below, start_column=n, end_column=n)
        elif group != _PROGRAMME[n - 2][3]:
            sheet.merge_cells(start_row=top, end_row=top, start_column=n, end_column=n + 1)


def _in_words(result: Result, lang: Lang) -> pd.DataFrame:
    """Return the programme with words for identifiers."""
    programme = result.programme
    shown = programme.copy()
    for column, section in {"tier": "tier", "mode": "mode", "state": "status", "action": "action"}.items():
        shown[column] = [term(lang, section, word) for word in programme[column]]
    shown["services"] = [_services(lang, text) for text in programme["services"]]
    shown["opening_hours"] = programme["site"].map(planned_hours(result, lang))
    shown["served"] = programme["served"].str.replace(";", "\n")
    if result.record:
        since = [_since(row, lang) for row in programme[["progress", "change"]].to_dict("records")]
        shown["note"] = [
            "\n".join(filter(None, (told, note))) for told, note in zip(since, programme["note"], strict=True)
        ]
    return shown


def _since(row: dict[Any, Any], lang: Lang) -> str:
    """Return how far a row is, and how it stands to the last programme."""
    words = [term(lang, column, row[column]) for column in ("progress", "change") if row[column]]
    return say(lang, "document.list_comma").join(words)


def _services(lang: Lang, text: str) -> str:
    return listed(lang, [term(lang, "service", word) for word in text.split(";") if word])


def _sums(
    book: Book,
    sheet: Worksheet,
    row: int,
    part: pd.DataFrame,
    rows: tuple[int, int],
    letters: dict[str, str],
    label: str,
) -> None:
    """Write a row of subtotals. SUBTOTAL leaves other subtotals out, and new rows within the range count by themselves."""
    first, last = rows
    for n, (column, _, form, _) in enumerate(_PROGRAMME, 1):
        if column in _SUMMED:
            span = f"{letters[column]}{first}:{letters[column]}{last}"
            _formula(book, sheet, row, n, f"=SUBTOTAL(9,{span})", float(part[column].sum()), form, "sum")
        else:
            _put(sheet, row, n, None, "sum")
    counted = f'="{label}"&SUBTOTAL(3,{letters["site"]}{first}:{letters["site"]}{last})&"{book.say("count_after")}"'
    _formula(book, sheet, row, 1, counted, f"{label}{len(part)}{book.say('count_after')}", TEXT, "sum")
    sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=5)


def _why_empty(book: Book) -> str:
    plan = book.result.plan
    if plan is None:
        return book.say("no_plan")
    if not plan.found:
        return book.say("infeasible", reasons=sentences(book.lang, *book.result.plan_reasons(book.lang)))
    return book.say("no_actions")


def _totals(book: Book) -> None:
    result, settings = book.result, book.result.study.plan
    # As wide as the table of years and that of the sums by tier, town and mode need.
    widths = [22, 10, 14, 20, 14, 14, 14, *[14] * max(0, len(book.result.years) - 2)]
    sheet = _sheet(book, "totals", widths, heading_rows=0)
    if settings is None or result.programme.empty:
        _note(sheet, 3, _why_empty(book))
        return
    last = _FIRST_ROW + len(result.programme) + result.programme["year"].nunique()
    spans = {
        column: f"'{book.say('sheet_programme')}'!${get_column_letter(n)}${_FIRST_ROW + 1}:${get_column_letter(n)}${last}"
        for n, (column, *_) in enumerate(_PROGRAMME, 1)
    }
    row = _funds(book, sheet, spans) + 2
    shown = _in_words(result, book.lang)
    for key, column in {"by_tier": "tier", "by_town": "town", "by_mode": "mode"}.items():
        row = _split(book, sheet, row, key, shown, column, spans) + 2


def _funds(book: Book, sheet: Worksheet, spans: dict[str, str]) -> int:
    """Write what each year costs beside its budget, as `Result.funds` says it; returns the last row."""
    settings, funds, row = book.result.study.plan, book.result.funds, 3
    assert settings is not None
    keys = {
        "year": "year",
        "actions": "n_actions",
        "capital_cost": "capital_of_year",
        "operating_cost": "operating_of_year",
        # Only where something was spent in vain.
        **({"sunk": "sunk_of_year"} if funds["sunk"].any() else {}),
        "spent": "spent",
        "budget": "budget",
        "left": "left",
    }
    forms = {"year": YEAR, "actions": WHOLE}
    at_column = {column: get_column_letter(n) for n, column in enumerate(keys, 1)}
    _put(sheet, row, 1, book.say("funds"), "section")
    _heads(sheet, row + 1, map(book.say, keys.values()))
    first = row + 2
    for n, record in enumerate(funds.to_dict("records")):
        at = first + n
        cell = {column: f"{letter}{at}" for column, letter in at_column.items()}
        # What runs costs the prices of the year; what is built is in money of its year already.
        level = f"*(1+{settings.price_change!r})^{n}" if settings.price_change and n else ""
        before = f"{at_column['left']}{at - 1}+" if settings.carry_over and n else ""
        formulas = {
            "actions": f"=COUNTIF({spans['year']},A{at})",
            "capital_cost": f"=SUMIF({spans['year']},A{at},{spans['capital_cost']})",
            "operating_cost": f'=SUMIF({spans["year"]},"<="&A{at},{spans["operating_cost"]}){level}',
            "spent": "=" + "+".join(cell[c] for c in ("capital_cost", "operating_cost", "sunk") if c in cell),
            "left": f"={before}{cell['budget']}-{cell['spent']}",
        }
        for place, column in enumerate(keys, 1):
            form, value = forms.get(column, MONEY), record[column]
            if column in formulas:
                shown = value if column == "actions" else round(float(value), 9)
                _formula(book, sheet, at, place, formulas[column], shown, form)
            else:
                _put(sheet, at, place, value, form, "input" if column == "budget" else "")
    end = first + len(funds)
    _put(sheet, end, 1, book.say("total"), "sum")
    for place, column in enumerate([*keys][1:], 2):
        if column == "left":
            _put(sheet, end, place, None, "sum")
            continue
        span, total = f"{at_column[column]}{first}:{at_column[column]}{end - 1}", float(funds[column].sum())
        _formula(book, sheet, end, place, f"=SUM({span})", total, forms.get(column, MONEY), "sum")
    _note(sheet, end + 1, book.say("carry_yes" if settings.carry_over else "carry_no"))
    return end + 1


def _split(
    book: Book, sheet: Worksheet, row: int, key: str, shown: pd.DataFrame, column: str, spans: dict[str, str]
) -> int:
    """Write the programme's sums by one of its columns, in all and what is built in each year; returns the last row."""
    years = book.result.years
    _put(sheet, row, 1, book.say(key), "section")
    sums = [book.say(word) for word in ("n_actions", "capital", "operating", "gain")]
    of_years = [book.say("capital_in", year=year) for year in years]
    _heads(sheet, row + 1, [say(book.lang, f"programme.{column}"), *sums, *of_years])
    at = row + 2
    for word, part in _in_order(book.result, shown, column):
        _put(sheet, at, 1, word or book.say("nowhere"), TEXT)
        # Rows of subtotals have no site, and a comparison, unlike SUMIF, takes no sign in a name for a pattern.
        wanted = f"$A{at}" if word else '""'
        alike = f'({spans[column]}={wanted})*({spans["site"]}<>"")'
        _formula(book, sheet, at, 2, f"=SUMPRODUCT({alike})", len(part), WHOLE)
        for n, summed in enumerate(_SUMMED, 3):
            form = PEOPLE if summed == "gain" else MONEY
            _formula(book, sheet, at, n, f"=SUMPRODUCT({alike}*{spans[summed]})", float(part[summed].sum()), form)
        for n, year in enumerate(years, 3 + len(_SUMMED)):
            formula = f"=SUMPRODUCT({alike}*({spans['year']}={year})*{spans['capital_cost']})"
            capital = float(part.loc[part["year"] == year, "capital_cost"].sum())
            _formula(book, sheet, at, n, formula, capital, MONEY)
        at += 1
    return at - 1


def _in_order(result: Result, shown: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    """Return the programme in parts by the words of a column: tiers and modes in their own order, towns by their money."""
    own = {"tier": [*TIER_SIZES], "mode": [*SHAPES]}.get(column)
    parts = [(str(word), part) for word, part in shown.groupby(column, sort=True)]
    if own is None:
        return sorted(parts, key=lambda item: (-item[1]["capital_cost"].sum(), item[0]))
    known = result.programme[column]
    return sorted(parts, key=lambda item: own.index(word) if (word := known[item[1].index[0]]) in own else len(own))


# --- what stands behind it --------------------------------------------------------------------------------------------


def _changes(book: Book) -> None:
    """Write what has become of each row of the last programme, and what is new."""
    table = figures.changes_table(book.result, book.lang)
    forms = {"workbook.change_year": YEAR, "workbook.change_year_now": YEAR}
    columns = [
        Column(say(book.lang, key), cells, width, forms.get(key, TEXT))
        for (key, cells), width in zip(table.items(), (9, 28, 18, 10, 10, 18, 10, 14, 22), strict=True)
    ]
    sheet, row = _table(book, "changes", columns)
    _note(sheet, row + 1, figures.changes_told(book.result, book.lang) or _why_empty(book))


def _why(book: Book) -> None:
    """Write why each action is in the plan."""
    rows, widths = (
        figures.why_rows(book.result, book.lang),
        {"number": 5, "site": 8, "name": 24, "action": 9, "year": 7},
    )
    widths |= {
        "loss": 10,
        "objective_loss": 11,
        "groups": 26,
        "zones": 30,
        "closes": 28,
        "substitutes": 50,
        "needed": 30,
    }
    widths |= {"stays": 13, "replanned_loss": 13, "price": 11} if book.result.robustness else {}
    forms = {"number": WHOLE, "year": YEAR, "loss": PEOPLE, "objective_loss": "0.0000"}
    forms |= {"replanned_loss": "0.0000", "price": MONEY}
    columns = [
        Column(say(book.lang, f"why.{key}"), [row[key] for row in rows], width, forms.get(key, TEXT))
        for key, width in widths.items()
    ]
    sheet, row = _table(book, "why", columns, note="why_note" if rows else "")
    if not rows:
        _note(sheet, row, _why_empty(book))
    elif aside := figures.not_told(book.result, book.lang):
        _note(sheet, row + 2, aside)


def _indicators(book: Book) -> None:
    result, lang = book.result, book.lang
    moments = figures.moments(result)
    sheet = _sheet(book, "indicators", [34, 70, 8, *[12] * len(moments)], heading_rows=1)
    heads = (book.say("indicator"), book.say("definition"), book.say("unit"), *(_moment(book, m) for m in moments))
    _heads(sheet, 3, heads)
    sheet.freeze_panes = "B4"
    row = 4
    for group in (None, *result.study.groups):
        row = _population(book, sheet, row, group, len(heads))
    row = _by_service(book, sheet, row)
    _put(sheet, row, 1, book.say("shifts"), "section")
    for shift in figures.shift_shares(result).to_dict("records"):
        row += 1
        label = f"{figures.group_name(result, shift['group'])} · {shift['shift']}"
        definition = book.say("def_shift", hours=hours(lang, shift["hours"]))
        _line(sheet, row, [label, definition, book.say("u_share"), *(shift[m] for m in moments)], SHARE)
    row += 1
    plan, settings = result.plan, result.study.plan
    if plan is not None and settings is not None and plan.found:
        _put(sheet, row, 1, book.say("proof"), "section")
        name = term(lang, "objective", "mix" if settings.mix else settings.objective)
        form = "#,##0.00" if settings.minimises else "0.0000%"
        proof = [
            (book.say("objective", name=name), plan.objective, form),
            (book.say("bound"), plan.bound, form),
            (book.say("gap"), plan.gap, "0.0000%"),
            (book.say("status"), term(lang, "plan_status", plan.verdict), TEXT),
        ]
        for text, value, form in proof:
            row += 1
            _put(sheet, row, 1, text, TEXT)
            sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=2)
            _put(sheet, row, 3, None, TEXT)
            _put(sheet, row, 4, value, form)
            _fit(sheet, row, ["", text, "", value])
        if missing := figures.left_out(result, lang):
            row += 1
            _note(sheet, row, missing)
    scopes = [
        book.say("scope_of", group=g.name, scope=figures.scope(result, key) or book.say("scope_none"))
        for key, g in result.study.groups.items()
    ]
    if len({figures.scope(result, group) for group in result.study.groups}) > 1:
        _note(sheet, row + 2, book.say("scopes_mixed", scopes=listed(lang, scopes)))


def _by_service(book: Book, sheet: Worksheet, row: int) -> int:
    """Write who has each service, and for how much of their working time; returns the next row."""
    moments = figures.moments(book.result)
    by_service = {moment: book.result.indicators[moment]["by_service"] for moment in moments}
    _put(sheet, row, 1, book.say("services"), "section")
    for service in by_service[0]:
        for key in ("share", "effective_share"):
            row += 1
            label = book.say(f"service_{key}", service=term(book.lang, "service", service))
            values = (by_service[moment].get(service, {}).get(key) for moment in moments)
            _line(sheet, row, [label, book.say(f"def_service_{key}"), book.say("u_share"), *values], SHARE)
    return row + 1


def _population(book: Book, sheet: Worksheet, row: int, group: str | None, columns: int) -> int:
    """Write the indicators of everybody or of one group under a line that names the denominator; returns the next row."""
    result, standard = book.result, book.result.study.standard
    moments = figures.moments(result)
    who = figures.group_name(result, group) if group else book.say("everyone")
    scope = figures.scope(result, group) if group else result.study.scope
    weight = figures.figures_of(result, 0, group)["total_weight"]
    line = book.say(
        "population",
        who=who,
        weight=people(weight),
        unit=figures.unit_name(result),
        scope=scope or book.say("scope_none"),
    )
    _put(sheet, row, 1, line, "section")
    sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=columns)
    services = listed(book.lang, [term(book.lang, "service", s) for s in standard.services])
    for key in figures.indicators_of(result):
        row += 1
        definition = book.say(
            f"def_{key}", radius=metres(standard.service_radius_m), backup=standard.backup, services=services
        )
        kind = _unit_of(key)
        form = {"u_share": SHARE, "u_m": WHOLE, "u_people": WHOLE, "u_none": RATIO}[kind]
        values = (figures.figures_of(result, moment, group)[key] for moment in moments)
        _line(sheet, row, [_indicator(book, key), definition, book.say(kind), *values], form)
    return row + 1


def _unit_of(key: str) -> str:
    if key == "gini":
        return "u_none"
    return "u_share" if key.endswith("share") else "u_m" if key.endswith("_m") else "u_people"


def _indicator(book: Book, key: str) -> str:
    return book.say(key) if key.endswith("_weight") else say(book.lang, f"indicator.{key}")


def _moment(book: Book, moment: int) -> str:
    return book.say("year_end", year=moment) if moment else book.say("today")


def _zones(book: Book) -> None:
    result = book.result
    today, moments = result.indicators[0]["by_zone"], figures.moments(result)
    zones, names = [*today], figures.zone_names(result, book.lang)
    parts = [*(today[zone] for zone in zones), result.indicators[0]]
    columns = [
        Column(book.say("zone_id"), [*zones, ""], 9),
        Column(
            book.say("zone_name"),
            [*map(names.__getitem__, zones), book.say("all_zones")],
            18,
        ),
        Column(book.say("total_weight"), [part["total_weight"] for part in parts], 10, WHOLE),
    ]
    for key in figures.indicators_of(result):
        form = SHARE if key.endswith("share") else RATIO if key == "gini" else WHOLE
        columns.append(Column(f"{_indicator(book, key)}\n{book.say('today')}", [part[key] for part in parts], 12, form))
    for moment in moments[1:]:
        then = result.indicators[moment]
        for key in ("share", "effective_share"):
            values = [*(then["by_zone"][zone][key] for zone in zones), then[key]]
            columns.append(Column(f"{_indicator(book, key)}\n{_moment(book, moment)}", values, 12, SHARE))
    _table(book, "zones", columns, total=True)


def _norms(book: Book) -> None:
    rows, say_ = figures.norm_rows(book.result, book.lang), book.say
    moments = sorted({moment for row in rows for moment in row["measured"]})
    columns = [
        Column(say_("norm"), [row["norm"] for row in rows], 34),
        Column(say_("norm_rule"), [row["rule"] for row in rows], 36),
        Column(say_("norm_source"), [row["source"] for row in rows], 36),
        Column(say_("norm_measures"), [row["measures"] for row in rows], 30),
    ]
    for moment in moments:
        measured = [row["measured"].get(moment) for row in rows]
        met = [row["unknown"].get(moment) or say_("met_yes" if row["met"].get(moment) else "met_no") for row in rows]
        columns += [
            Column(_moment(book, moment), measured, 12, [_NORM_FORMS.get(row["kind"], RATIO) for row in rows]),
            Column(say_("norm_met"), met, 9),
        ]
    columns += [
        Column(say_("norm_zones"), [row["zones_met"] for row in rows], 12, WHOLE),
        Column(say_("norm_zones_judged"), [row["zones"] for row in rows], 12, WHOLE),
        Column(say_("norm_failing"), [say(book.lang, "document.list_comma").join(row["failing"]) for row in rows], 60),
    ]
    sheet, row = _table(book, "norms", columns)
    if not rows:
        _note(sheet, row, say_("no_norms"))


def _tiers(book: Book) -> None:
    """Write the tier matrix."""
    result, lang, cells = book.result, book.lang, figures.tier_cells(book.result, book.lang)
    tiers = [*next(iter(cells.values()))] if cells else []
    columns = [
        Column(book.say("zone_id"), result.zones["id"], 12),
        Column(book.say("zone_name"), result.zones["name"], 34),
        Column(book.say("tier_county"), result.zones["county"], 44),
        *(
            Column(f"{term(lang, 'tier', tier)}\n{_moment(book, moment)}", table[tier], 12)
            for moment, table in cells.items()
            for tier in tiers
        ),
    ]
    sheet, row = _table(book, "tiers", columns)
    if result.tiers.empty:
        _note(sheet, row, book.say("no_tiers"))


def _tier_rules(book: Book) -> None:
    """Write what each rule asks of each place and what is there."""
    judged, say_ = book.result.tiers, book.say
    rules, names = book.result.study.tiers, figures.zone_names(book.result, book.lang)
    columns = [
        Column(say_("site_tier"), [term(book.lang, "tier", tier) for tier in judged["tier"]], 12),
        Column(say_("tier_place"), [name or say_("all_zones") for name in judged["name"]], 34),
        Column(say_("tier_rule"), [figures.tier_rule(rules[rule], book.lang) for rule in judged["rule"]], 44),
        Column(say_("zone_name"), [names[zone] if zone else "" for zone in judged["zone"]], 14),
        Column(say_("tier_workers"), judged["workers"], 9, PEOPLE),
        Column(say_("tier_required"), judged["required"], 9, WHOLE),
        Column(say_("tier_sites"), judged["sites"], 9, WHOLE),
        Column(say_("tier_share"), judged["share"], 10, SHARE),
        Column(say_("norm_met"), [say_("met_yes" if met else "met_no") for met in judged["met"]], 9),
        Column(say_("tier_moment"), [_moment(book, moment) for moment in judged["moment"]], 12),
        Column(say_("tier_which"), judged["site_ids"].str.replace(";", " "), 30),
    ]
    _table(book, "tier_rules", columns)


def _findings(book: Book, found: str) -> str:
    return say(book.lang, "document.list_comma").join(book.say(f"finding_{one}") for one in found.split(";") if one)


def _evaluation(book: Book) -> None:
    """Write the score card of the sites that stand today."""
    card, say_ = book.result.evaluation, book.say
    small = np.where(card["small_sample"], say_("score_small"), "")
    columns = [
        Column(say_("site_id"), card["site"], 9),
        Column(say_("site_name"), [figures.site_name(book.result, site) for site in card["site"]], 30),
        Column(say_("score_people"), card["people_within"], 10, WHOLE),
        Column(say_("score_loss"), card["closing_loss"], 12, PEOPLE),
        Column(say_("score_load"), card["load"], 10, SHARE),
        Column(say_("score_finding"), [_findings(book, f) for f in card["finding"]], 14),
    ]
    if card["surveyed"].notna().any() or card["visits"].notna().any():
        columns += [
            Column(say_("score_visits"), card["visits"], 9, PEOPLE),
            Column(say_("score_surveyed"), card["surveyed"], 9, WHOLE),
        ]
        for key in SHARES:
            name = say_(f"score_{key}")
            bounds = zip(card[f"{key}_low"], card[f"{key}_high"], strict=True)
            between = ["" if np.isnan(low) else f"{percent(low, 0)}–{percent(high, 0)}" for low, high in bounds]
            columns += [Column(name, card[key], 9, SHARE), Column(say_("score_interval", name=name), between, 11)]
        columns += [Column(say_("score_total"), card["score"], 11, SHARE), Column(say_("score_sample"), small, 9)]
    _table(book, "evaluation", columns, note="evaluation_note")


def _gaps(book: Book) -> None:
    result, gaps = book.result, book.result.gaps
    say_, unit = book.say, _cost_unit(book)
    columns = [
        Column(say_("rank"), range(1, len(gaps) + 1), 6, WHOLE),
        Column(say_("gap_id"), gaps["id"], 12),
        Column(say_("zone_name"), gaps["zone"].map(figures.zone_names(result, book.lang)), 14),
        Column(say_("gap_group"), [figures.group_name(result, group) for group in gaps["group"]], 13),
        Column(say_("gap_weight"), gaps["weight"], 10, PEOPLE),
        Column(say_("gap_reason"), [term(book.lang, "reason", reason) for reason in gaps["reason"]], 16),
        Column(say_("gap_streets"), gaps["streets"].str.replace(";", "、" if book.lang == "zh" else ", "), 20),
        Column(say_("gap_nearest_site"), _names(result, book.lang, gaps["nearest_site"]), 30),
        Column(say_("gap_nearest_m"), gaps["nearest_m"], 12, WHOLE),
        Column(say_("gap_worst_m"), gaps["worst_m"], 12, WHOLE),
        Column(say_("remedy"), _remedies(book), 34),
        Column(say_("remedy_cost", unit=unit), gaps["remedy_cost"], 9, MONEY),
        Column(say_("remedy_operating_cost", unit=unit), gaps["remedy_operating_cost"], 9, MONEY),
        Column(say_("remedy_share"), gaps["remedy_share"], 9, SHARE),
        Column(say_("gap_units"), gaps["units"], 9, WHOLE),
        Column(say_("gap_length_m"), gaps["length_m"].astype(float).replace(0.0, np.nan), 10, WHOLE),
        Column(say_("longitude"), gaps["x"], 11, DEGREES),
        Column(say_("latitude"), gaps["y"], 10, DEGREES),
        Column(say_("source"), gaps["source"], 22),
    ]
    _table(book, "gaps", columns, note="gap_note")


def _remedies(book: Book) -> list[str]:
    """Return the remedy of each gap in words."""
    names = {site: name or site for site, name in zip(book.result.sites["id"], book.result.sites["name"], strict=True)}
    told = []
    for remedy, site, mode in book.result.gaps[["remedy", "remedy_site", "remedy_mode"]].itertuples(index=False):
        if pd.isna(remedy):
            told.append(book.say("remedy_none"))
            continue
        # An action's id is site/action/mode.
        action = term(book.lang, "action", remedy.split("/")[-2])
        told.append(
            book.say("remedy_named", action=action, mode=term(book.lang, "mode", mode), name=names[site], site=site)
        )
    return told


def _names(result: Result, lang: Lang, sites: Iterable[str | None]) -> list[str]:
    names = {site: name or site for site, name in zip(result.sites["id"], result.sites["name"], strict=True)}
    return ["" if pd.isna(site) else say(lang, "document.place_named", name=names[site], site=site) for site in sites]


def _sites(book: Book) -> None:
    result, lang = book.result, book.lang
    order = result.sites["status"].map({"existing": 0, "upgraded": 1, "chosen": 2, "closed": 3, "candidate": 4})
    sites = result.sites.assign(order=order).sort_values(["order", "year", "id"], kind="stable")
    degrees = sites.geometry.to_crs("EPSG:4326")
    columns = [
        Column(book.say("site_id"), sites["id"], 9),
        Column(book.say("site_name"), sites["name"], 28),
        Column(book.say("site_status"), [term(lang, "status", s) for s in sites["status"]], 10),
        Column(book.say("site_year"), sites["year"].where(sites["year"] > 0), 8, YEAR),
        Column(book.say("site_tier"), [term(lang, "tier", t) for t in sites["tier"]], 10),
        Column(book.say("site_role"), [term(lang, "role", r) for r in sites["role"]], 11),
        Column(book.say("site_kind"), [term(lang, "kind", k) for k in sites["kind"]], 13),
        Column(book.say("site_mode"), [term(lang, "mode", m) if m else "" for m in sites["mode"]], 9),
        Column(book.say("site_host"), sites["host"], 22),
        Column(book.say("site_hours"), sites["id"].map(planned_hours(result, lang)), 28),
        Column(book.say("site_services"), [_services(lang, text) for text in sites["services"]], 24),
        Column(book.say("site_capacity"), sites["capacity"], 7, WHOLE),
        Column(book.say("site_address"), sites["address"], 18),
        Column(book.say("zone_name"), sites["zone"].map(zone_names(result)), 14),
        Column(book.say("longitude"), degrees.x, 11, DEGREES),
        Column(book.say("latitude"), degrees.y, 10, DEGREES),
        Column(book.say("source"), sites["source"], 18),
    ]
    _table(book, "sites", columns, note="site_note")


def _standards(book: Book) -> None:
    rows = [*figures.standards(book.result, book.lang), *figures.people_counted(book.result, book.lang)]
    columns = [
        Column(book.say("setting"), [row[0] for row in rows], 34),
        Column(book.say("value"), [row[1] for row in rows], 44),
        Column(book.say("basis"), [row[2] for row in rows], 70),
    ]
    _table(book, "standards", columns)


def _rejects(book: Book) -> None:
    rejects = book.result.rejects
    columns = [
        Column(book.say("reject_file"), rejects["file"], 22),
        Column(book.say("reject_row"), rejects["row"], 8, WHOLE),
        Column(book.say("reject_reason"), rejects["reason"], 50),
        Column(book.say("reject_repair"), rejects["repair"], 50),
        Column(book.say("reject_values"), rejects["values"], 90),
    ]
    sheet, row = _table(book, "rejects", columns)
    if rejects.empty:
        _note(sheet, row, book.say("no_rejects"))
    for n, warning in enumerate((book.say("warnings"), *book.result.warnings) if book.result.warnings else ()):
        _note(sheet, row + 2 + n, warning, "section" if n == 0 else "note")


def _method(book: Book) -> None:
    result, study, network = book.result, book.result.study, book.result.walks.network
    counts = {
        "edges": f"{network.n_edges:,}",
        "nodes": f"{network.n_nodes:,}",
        "components": f"{network.n_components:,}",
    }
    rows = [
        (book.say("m_study"), study.name),
        (book.say("m_scope"), study.scope),
        (book.say("m_illustrative"), study.caveat),
        (book.say("m_run"), book.say("m_run_text", run_id=result.run_id, version=__version__)),
        (
            book.say("m_network"),
            book.say("m_network_text", source=study.base_map, length=f"{network.length_km:,.0f}", **counts),
        ),
        (book.say("m_distance"), book.say("m_distance_text", crs=study.crs)),
        (book.say("m_effective"), book.say("m_effective_text")),
        (book.say("m_gaps"), book.say("m_gaps_text")),
        (book.say("m_plan"), book.say("m_plan_text") if result.plan else ""),
        (book.say("m_licence"), licence(result, book.lang)),
        *((book.say("m_inputs", file=file), f"sha256 {digest}") for file, digest in result.inputs.items()),
    ]
    rows = [row for row in rows if row[1]]
    columns = [Column(book.say("item"), [r[0] for r in rows], 30), Column(book.say("text"), [r[1] for r in rows], 110)]
    _table(book, "method", columns)


# --- sheets, cells, formulas ------------------------------------------------------------------------------------------


def _cost_unit(book: Book) -> str:
    return book.result.study.plan.cost_unit if book.result.study.plan else ""


def _table(
    book: Book, key: str, columns: Sequence[Column], *, note: str = "", total: bool = False
) -> tuple[Worksheet, int]:
    """Write a sheet that is one table; returns it and the row below. ``total`` sets the last row off."""
    sheet = _sheet(book, key, [column.width for column in columns], heading_rows=1)
    rows = list(zip(*(column.values for column in columns), strict=True))
    _heads(sheet, 3, [column.heading for column in columns])
    for row, values in enumerate(rows, 4):
        style = "sum" if total and row == len(rows) + 3 else ""
        for n, (value, column) in enumerate(zip(values, columns, strict=True), 1):
            form = column.format if isinstance(column.format, str) else column.format[row - 4]
            _put(sheet, row, n, value, form, style)
        _fit(sheet, row, values)
    last = 3 + len(rows)
    if rows:
        sheet.auto_filter.ref = f"A3:{get_column_letter(len(columns))}{last - total}"
    sheet.freeze_panes = "C4" if len(columns) > 4 else "B4"
    if note:
        _note(sheet, last + 2, book.say(note))
    return sheet, last + 1


def _sheet(book: Book, key: str, widths: Sequence[float], *, heading_rows: int) -> Worksheet:
    """Add a sheet with its title, its unit line and its print set-up: A3 landscape, one page wide, titles on every page."""
    result, study = book.result, book.result.study
    sheet: Worksheet = book.file.create_sheet(book.say(f"sheet_{key}"))
    for n, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(n)].width = width
    _put(sheet, 1, 1, book.say(f"title_{key}", study=study.name), "title")
    _put(sheet, 2, 1, _unit_line(book, key), "unit")
    for row in (1, 2):
        sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=len(widths))
    sheet.row_dimensions[1].height = 30
    _fit(sheet, 2, [_unit_line(book, key)], width=sum(widths))
    page = sheet.page_setup
    page.paperSize, page.orientation, page.fitToWidth, page.fitToHeight = 8, "landscape", 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = f"1:{2 + heading_rows}"
    sheet.print_options.horizontalCentered = True
    margins = sheet.page_margins
    margins.left = margins.right = 0.35
    margins.top, margins.bottom, margins.header, margins.footer = 0.6, 0.7, 0.3, 0.3
    foot: Any = sheet.oddFooter
    foot.left.text = _in_footer(book.say("run", run_id=result.run_id))
    foot.center.text = book.say("page", page="&P", pages="&N")
    foot.right.text = _in_footer(study.base_map[:80])
    for part in (foot.left, foot.center, foot.right):
        part.size = 8
    return sheet


def _in_footer(text: str) -> str:
    return harmless(text).replace("&", "&&")


def _unit_line(book: Book, key: str) -> str:
    """Return the line under the title: who, when, in which units; and what is illustrative."""
    study, plan = book.result.study, book.result.study.plan
    parts = [
        book.say("unit_compiler", unit=study.map.compiling_unit) if study.map.compiling_unit else "",
        study.map.date,
    ]
    if plan and key in ("programme", "totals"):
        first, last = plan.years[0], plan.years[-1]
        parts.append(book.say("unit_period" if first != last else "unit_year", first=first, last=last))
        parts.append(book.say("unit_money", unit=plan.cost_unit))
    if key in ("programme", "gaps", "sites"):
        parts.append(book.say("unit_coordinates"))
    parts += [study.caveat, book.say("run", run_id=book.result.run_id)]
    return book.say("unit_separator").join(part for part in parts if part)


def _note(sheet: Worksheet, row: int, text: str, style: str = "note") -> None:
    _put(sheet, row, 1, text, style)


def _put(sheet: Worksheet, row: int, column: int, value: Any, form: str, style: str = "") -> Any:
    """Write a value; text stays text, whatever it begins with. ``form`` is a number format or, for words, the name of a style."""
    cell: Any = sheet.cell(row, column)
    cell.style = style or (form if form in _WORD_STYLES else "cell")
    if form not in _WORD_STYLES and form != TEXT:
        cell.number_format = form
    if value is None or (isinstance(value, float) and not np.isfinite(value)) or value is pd.NA:
        return cell
    if not isinstance(value, str):
        cell.value = value.item() if isinstance(value, np.generic) else value
        return cell
    put_text(cell, value)
    return cell


def _formula(
    book: Book, sheet: Worksheet, row: int, column: int, formula: str, value: float | str, form: str, style: str = ""
) -> None:
    cell = _put(sheet, row, column, None, form, style)
    if style:
        cell.number_format = form
    cell.value = formula
    book.values[sheet.title, cell.coordinate] = value


_WORD_STYLES = frozenset(("title", "unit", "head", "section", "note", "sum", "input", "centre"))


def _styles(lang: Lang) -> Iterable[NamedStyle]:
    """Return the few styles of the workbook; fonts that Windows, macOS and WPS have or replace by their like."""
    body, bold = ("宋体", "黑体") if lang == "zh" else ("Calibri", "Calibri")
    line = Side("thin", color=_RULE)
    box = Border(line, line, line, line)
    middle = Alignment(horizontal="center", vertical="center", wrap_text=True)
    left = Alignment(vertical="center", wrap_text=True)
    flat = Alignment(vertical="center")
    fill = PatternFill("solid", fgColor=_HEAD)
    yield NamedStyle("title", font=Font(bold, 18, bold=lang == "en"), alignment=middle)
    yield NamedStyle("unit", font=Font(body, 9), alignment=left)
    yield NamedStyle("head", font=Font(bold, 9, bold=lang == "en"), fill=fill, border=box, alignment=middle)
    yield NamedStyle("section", font=Font(bold, 10, bold=True), alignment=flat)
    yield NamedStyle("note", font=Font(body, 9), alignment=flat)
    yield NamedStyle("sum", font=Font(bold, 9, bold=True), fill=copy(fill), border=box, alignment=flat)
    yield NamedStyle("input", font=Font(body, 9, color=_BUDGET), border=box, alignment=flat)
    yield NamedStyle("centre", font=Font(body, 9), border=box, alignment=copy(middle), number_format=TEXT)
    yield NamedStyle("cell", font=Font(body, 9), border=box, alignment=left, number_format=TEXT)


def _heads(sheet: Worksheet, row: int, headings: Iterable[str]) -> None:
    """Write a row of headings."""
    words = list(headings)
    for n, heading in enumerate(words, 1):
        _put(sheet, row, n, heading, "head")
    _fit(sheet, row, words)


def _line(sheet: Worksheet, row: int, values: Sequence[Any], form: str) -> None:
    """Write label, definition and unit, then a figure a moment."""
    for n, value in enumerate(values, 1):
        _put(sheet, row, n, value, form if n > 3 else TEXT)
    _fit(sheet, row, values)


def _fit(sheet: Worksheet, row: int, values: Sequence[Any], *, width: float | None = None) -> None:
    """Make a row high enough for its longest cell; programs differ in whether they do so by themselves.

    ``width`` is that of a cell merged over several columns.
    """
    lines = 1
    for n, value in enumerate(values, 1):
        if isinstance(value, str):
            room = width or sheet.column_dimensions[get_column_letter(n)].width
            lines = max(lines, sum(max(1, ceil(_width(line) / (room - 0.8))) for line in value.split("\n")))
    sheet.row_dimensions[row].height = 4 + 12 * lines


def _width(text: str) -> float:
    """Return the width of text of nine points in characters of a column, whose measure is a digit of eleven points."""
    return sum(1.75 if ord(sign) > 0x2E7F else 0.95 for sign in text)


def _with_values(book: Book) -> Callable[[str, bytes], bytes]:
    """Return a mender for `write_package` that gives each formula its value: previews on a phone show what is stored."""
    parts = {f"xl/worksheets/sheet{n}.xml": sheet.title for n, sheet in enumerate(book.file.worksheets, 1)}

    def mend(name: str, part: bytes) -> bytes:
        title = parts.get(name)
        if title is None:
            return part

        def fill(found: re.Match[str]) -> str:
            value = book.values[title, found[2]]
            kind = ' t="str"' if isinstance(value, str) else ""
            shown = value.replace("&", "&amp;").replace("<", "&lt;") if isinstance(value, str) else repr(value)
            return f"{found[1]}{kind}>{found[3]}<v>{shown}</v></c>"

        text = part.decode("utf-8")
        return re.sub(r'(<c r="([A-Z]+\d+)"(?: s="\d+")?)>(<f>[^<]*</f>)<v ?/?>(?:</v>)?</c>', fill, text).encode(
            "utf-8"
        )

    return mend
