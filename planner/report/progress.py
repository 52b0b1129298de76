"""The last programme -> a progress table to fill in: what is begun, open, closed, and what it did cost.

Takes what summary.json holds; writes xlsx with a list to choose from, or csv. `intake.progress` reads it back.
"""

import csv
import io
import math
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from planner.errors import InputError, SurroundingsError
from planner.intake.headings import heading_of
from planner.report.cells import put_text
from planner.study import STATES
from planner.words import Lang, say, term

_COLUMNS = {"action_id": 30, "id": 10, "name": 26, "action": 11, "mode": 11, "year": 9, "capital_cost": 12, "progress": 10,
            "actual_cost": 14, "note": 24}  # fmt: skip
_MONEY = ("capital_cost", "actual_cost")


def write_progress(summary: dict[str, Any], path: Path, *, lang: Lang, name: str) -> None:
    """Write the table.

    Args:
        summary: what an earlier run wrote.
        path: .xlsx or .csv; what stands there is never written over.
        lang: of headings and words.
        name: of the summary, for the sentence where it is none.

    Raises:
        InputError: the summary has no programme, or a file stands there.
        SurroundingsError: the file cannot be written.
    """
    try:
        rows, unit = _rows(summary, lang), str(summary["plan"]["cost_unit"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("summary_unreadable", file=name) from error
    if not rows:
        raise InputError("progress_no_programme", file=name)
    if path.exists():
        raise InputError("progress_there", file=str(path))
    heads = [heading_of(field, lang) + (f"({unit})" if field in _MONEY else "") for field in _COLUMNS]
    made = _csv(heads, rows) if path.suffix.lower() == ".csv" else _book(heads, rows, lang)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made)
    except OSError as error:
        raise SurroundingsError("cannot_write", folder=str(path), detail=error.strerror or str(error)) from error


def _rows(summary: dict[str, Any], lang: Lang) -> list[list[Any]]:
    """Return a row an action of the programme, then one for each site that was closed."""
    plan = summary["plan"]
    known = {row["site"]: row for row in plan.get("changes", [])}
    rows = []
    for action in plan["actions"]:
        before = known.get(action["site"], {})
        state = before.get("progress") or "planned"
        # What was spent is spent, and a better estimate that stood beside the same plan goes on.
        planned_so = state == "planned" and before.get("action_id") == action["id"]
        told = state in ("begun", "open") or (planned_so and _amount(before) is not None)
        cost = round(float(action["cost"]), 4)
        rows.append(
            [action["id"], action["site"], action.get("name") or "", term(lang, "action", action["action"]),
             term(lang, "mode", action["mode"]), int(action["year"]), cost, say(lang, f"progress.{state}"),
             cost if told else None, ""]
        )  # fmt: skip
    for row in known.values():
        if row["progress"] == "closed":
            # What was lost on a site that closed stays lost.
            closed = say(lang, "progress.closed")
            rows.append(["", row["site"], "", "", "", row["year"] or None, None, closed, _amount(row), ""])
    return rows


def _amount(row: dict[str, Any]) -> float | None:
    """Return the actual cost that a row of the last progress table said; None where it said none."""
    cost = row.get("actual_cost")
    return None if cost is None or math.isnan(cost) else round(float(cost), 4)


def _csv(heads: list[str], rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    # A leading sign makes a formula of a word where the file is opened.
    writer.writerow(heads)
    writer.writerows([[f"'{v}" if isinstance(v, str) and v[:1] in "=+-@" and v else v for v in row] for row in rows])
    return text.getvalue().encode("utf-8-sig")


def _book(heads: list[str], rows: list[list[Any]], lang: Lang) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = say(lang, "programme.progress")
    for column, (head, width) in enumerate(zip(heads, _COLUMNS.values(), strict=True), 1):
        cell = sheet.cell(1, column, head)
        cell.font, cell.alignment = Font(bold=True), Alignment(wrap_text=True, vertical="center")
        sheet.column_dimensions[get_column_letter(column)].width = width
    for at, row in enumerate(rows, 2):
        for column, value in enumerate(row, 1):
            if isinstance(value, str) and value:
                put_text(sheet.cell(at, column), value)
            elif value not in ("", None):
                sheet.cell(at, column, value)
    state = get_column_letter(list(_COLUMNS).index("progress") + 1)
    words = ",".join(say(lang, f"progress.{state}") for state in STATES)
    choice = DataValidation(type="list", formula1=f'"{words}"', allow_blank=False)
    choice.add(f"{state}2:{state}{len(rows) + 200}")
    sheet.add_data_validation(choice)
    sheet.freeze_panes = "D2"
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()
