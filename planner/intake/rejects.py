"""Rows that could not be used -> rejects.xlsx, in the user's own columns, so that they can be repaired and put back.

Takes `Inputs.rejects`; writes one workbook with a sheet a file: row, what is wrong, what to do, then the row as it stood.
"""

import re
from pathlib import Path, PurePath
from typing import Any

import openpyxl
import pandas as pd
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font

from planner.words import Lang, say


def write_rejects(rejects: pd.DataFrame, path: Path, *, lang: Lang) -> Path:
    """Write the rows that could not be used as an xlsx and return its path.

    Args:
        rejects: columns as in `tables.REJECT_COLUMNS`.
        path: the file to write.
        lang: language of the three columns that come before the user's own.
    """
    book = openpyxl.Workbook(write_only=True)
    taken: set[str] = set()
    for file, rows in rejects.groupby("file", sort=True):
        sheet = book.create_sheet(_sheet_name(str(file), taken))
        sheet.freeze_panes = "D2"
        for letter, width in (("A", 8), ("B", 40), ("C", 48)):
            sheet.column_dimensions[letter].width = width
        own = list(dict.fromkeys(head for cells in rows["cells"] for head in cells))
        heads = [say(lang, f"quality.{key}") for key in ("row_head", "reason_head", "repair_head")]
        sheet.append([_text(sheet, text, bold=True) for text in (*heads, *own)])
        for reject in rows.to_dict("records"):
            held = [_text(sheet, reject["cells"].get(head, "")) for head in own]
            sheet.append([reject["row"], _text(sheet, reject["reason"]), _text(sheet, reject["repair"]), *held])
    if not book.worksheets:
        book.create_sheet(say(lang, "quality.no_rejects"))
    book.save(path)
    return path


def _sheet_name(file: str, taken: set[str]) -> str:
    """Return a name that Excel takes: no sign it forbids, 31 characters, each once."""
    name = re.sub(r"[\[\]:*?/\\']", "_", PurePath(file).name)[:28] or "1"
    numbered = (
        name
        if name.lower() not in taken
        else next(f"{name}~{n}" for n in range(2, 100) if f"{name}~{n}".lower() not in taken)
    )
    taken.add(numbered.lower())
    return numbered


def _text(sheet: Any, value: object, *, bold: bool = False) -> Any:
    """Return a cell that stays text, whatever it looks like: a name that begins with "=" is no formula."""
    cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", str(value))[:32_000])
    cell.data_type = "s"
    cell.font, cell.alignment = Font(bold=bold), Alignment(vertical="top", wrap_text=not bold)
    return cell
