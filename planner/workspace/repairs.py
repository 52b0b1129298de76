"""Corrections of a table -> a corrected copy of its file; the original stays as it is.

A row keeps its number in the copy, so that "stations.csv#37" is the same row before and after: a row that is struck out is left blank.
A csv becomes a csv (UTF-8 with a mark, which Excel opens right), a workbook a workbook with its formats (formulas as their values),
anything else a workbook. Also suggests what an unreadable coordinate was meant to be.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, MergedCell
from openpyxl.worksheet.worksheet import Worksheet

from planner import datum
from planner.errors import InputError
from planner.intake.cells import angle, plain
from planner.intake.grid import delimiter, read_grid
from planner.intake.layers import LAYER_SUFFIXES
from planner.intake.places import table_of_layer
from planner.intake.table import RawTable, table_of
from planner.study import Table
from planner.workspace.amend import Value

# A suggestion lands no farther from the streets than this, or it is none.
_SUGGEST_WITHIN_M = 20_000.0
_MISREAD = str.maketrans({"O": "0", "o": "0", "D": "0", "l": "1", "I": "1", "|": "1", "Z": "2", "S": "5", "B": "8", "。": ".", "，": ".",
                          ",": ".", "·": ".", "、": ".", "'": "", "`": "", "_": ""})  # fmt: skip


@dataclass(frozen=True)
class Corrections:
    """What is to be changed in a table.

    Attributes:
        cells: row in the file -> heading -> what the cell should hold.
        struck: rows in the file that are not to be used.
    """

    cells: Mapping[int, Mapping[str, str]]
    struck: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to change."""
        return not self.cells and not self.struck


def corrected(path: Path, settings: Table, corrections: Corrections) -> tuple[bytes, str, dict[str, Value]]:
    """Return the corrected copy of a table's file, its suffix, and the settings by which the copy is read.

    Raises:
        InputError: the table can't be read, or has no such heading.
    """
    if path.suffix.lower() in LAYER_SUFFIXES:
        return _corrected_layer(path, settings, corrections)
    grid = read_grid(path, settings.sheet)
    table = table_of(grid, path.name, columns=settings.columns, header=settings.header)
    cells = _positions(table, corrections)
    # The header stays where it was found, whatever is corrected below it.
    kept: dict[str, Value] = {}
    if path.suffix.lower() in (".csv", ".txt", ".tsv") and not grid.sheet:
        rows = _changed_rows(grid.rows, cells, corrections.struck)
        content = _as_csv(rows)
        if content is not None:
            return content, ".csv", kept
        return _new_workbook(rows), ".xlsx", kept
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return _as_workbook(path, grid.sheet, cells, corrections.struck), ".xlsx", kept
    rows = _changed_rows(grid.rows, cells, corrections.struck)
    return _new_workbook(rows), ".xlsx", kept | ({"sheet": None} if settings.sheet else {})


def _positions(table: RawTable, corrections: Corrections) -> dict[tuple[int, int], str]:
    """Return (row, column) from 1 -> text of the cells to be changed."""
    columns = {heading or column: n for n, (column, heading) in enumerate(table.headings.items(), 1)}
    cells = {}
    for row, by_heading in corrections.cells.items():
        for heading, text in by_heading.items():
            if heading not in columns:
                raise InputError("column_missing", file=table.file, column=heading, headings=", ".join(columns))
            cells[row, columns[heading]] = text
    return cells


def _changed_rows(
    rows: list[list[str]], cells: Mapping[tuple[int, int], str], struck: tuple[int, ...]
) -> list[list[str]]:
    changed = [list(row) for row in rows]
    for (row, column), text in cells.items():
        while len(changed) < row:
            changed.append([])
        line = changed[row - 1]
        line += [""] * (column - len(line))
        line[column - 1] = text
    for row in struck:
        if row <= len(changed):
            changed[row - 1] = []
    return changed


def _as_csv(rows: list[list[str]]) -> bytes | None:
    """Return rows as a csv; None where it would be taken for one with other signs between its cells."""
    written = io.StringIO(newline="")
    # A line that is quite empty would be skipped by some readers and shift the numbers of those below.
    width = max(map(len, rows), default=1)
    csv.writer(written).writerows([*row, *[""] * (max(width, 2) - len(row))] for row in rows)
    text = written.getvalue()
    return text.encode("utf-8-sig") if delimiter(text) == "," else None


def _as_workbook(path: Path, sheet: str, cells: Mapping[tuple[int, int], str], struck: tuple[int, ...]) -> bytes:
    """Return a workbook with cells changed; `read_grid` has looked at its size and its xml before."""
    book = openpyxl.load_workbook(path, data_only=True)
    page = book[sheet]
    for row, column in [*cells, *((row, 1) for row in struck)]:
        _part(page, row, column)
    for (row, column), text in cells.items():
        _put(page, row, column, text)
    for row in struck:
        for merged in [m for m in page.merged_cells.ranges if m.min_row <= row <= m.max_row]:
            _part_range(page, str(merged))
        for cell in page[row]:
            cell.value = None
    return _bytes(book)


def _part(page: Worksheet, row: int, column: int) -> None:
    """Take a merged cell apart, if this is one, so that one row of it can be changed alone."""
    if isinstance(page.cell(row, column), MergedCell):
        merged = next(m for m in page.merged_cells.ranges if (row, column) in set(m.cells))
        _part_range(page, str(merged))


def _part_range(page: Worksheet, where: str) -> None:
    first = page[where][0][0].value
    page.unmerge_cells(where)
    for line in page[where]:
        line[0].value = first


def _put(page: Worksheet, row: int, column: int, text: str) -> None:
    cell = page.cell(row, column)
    number = re.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d{1,14})?", text.strip())
    cell.value = float(text) if number else ILLEGAL_CHARACTERS_RE.sub("", text)[:32_000]
    if not number:
        cell.data_type = "s"  # a name that begins with "=" is no formula


def _new_workbook(rows: list[list[str]]) -> bytes:
    book = openpyxl.Workbook()
    for n, row in enumerate(rows, 1):
        for column, text in enumerate(row, 1):
            if text:
                _put(book.worksheets[0], n, column, text)
    return _bytes(book)


def _bytes(book: openpyxl.Workbook) -> bytes:
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _corrected_layer(path: Path, settings: Table, corrections: Corrections) -> tuple[bytes, str, dict[str, Value]]:
    """Return a layer of points as a workbook; feature n stands in row n + 1, below the header."""
    grid = table_of_layer(path, settings)
    table = table_of(grid, path.name, columns=settings.columns, header=1)
    moved = Corrections(
        {row + 1: cells for row, cells in corrections.cells.items()}, tuple(row + 1 for row in corrections.struck)
    )
    rows = _changed_rows(grid.rows, _positions(table, moved), moved.struck)
    return _new_workbook(rows), ".xlsx", {"datum": "WGS-84", "crs": None, "sheet": None, "header": 1}


# --- suggestions -----------------------------------------------------------------------------------------------------


def suggest(
    rejects: pd.DataFrame, fields: Mapping[str, str], crs: str, area: tuple[float, float, float, float]
) -> dict[int, dict[str, str]]:
    """Return what unreadable coordinates were probably meant to be: row -> heading -> text.

    Letters that look like digits, a comma for a point, a point that was left out, longitude and latitude in one cell. Only what lands
    within 20 km of the study is suggested; nothing is changed by it.

    Args:
        rejects: rows of one file (`tables.REJECT_COLUMNS`).
        fields: field -> heading, as recognised.
        crs: the study's CRS.
        area: west, south, east, north of the streets in it.
    """
    lon, lat = fields.get("lon"), fields.get("lat")
    found: dict[int, dict[str, str]] = {}
    if not (lon and lat):
        return found
    for reject in rejects.to_dict("records"):
        x, y = (str(reject["cells"].get(heading, "")) for heading in (lon, lat))
        for meant_x in _meanings(x):
            meant_y = next((m for m in _meanings(y) if _inside(meant_x, m, crs, area)), None)
            if meant_y is not None and (meant_x != angle(x) or meant_y != angle(y)):
                found[int(reject["row"])] = {lon: f"{meant_x:.10g}", lat: f"{meant_y:.10g}"}
                break
    return found


def _meanings(text: str) -> list[float]:
    """Return the numbers a cell may have been meant to hold, the plainest first."""
    cell = plain(text)
    tried = [cell, cell.translate(_MISREAD), re.sub(r"[^\d.]", "", cell.translate(_MISREAD))]
    tried += [re.sub(r"\.(?=.*\.)", "", t) for t in tried] + [
        t.replace(".", "#", 1).replace(".", "").replace("#", ".") for t in tried
    ]
    digits = re.sub(r"\D", "", cell.translate(_MISREAD))
    if len(digits) >= 5:
        tried += [f"{digits[:3]}.{digits[3:]}", f"{digits[:2]}.{digits[2:]}"]
    numbers = [angle(t) for t in dict.fromkeys(tried) if t]
    return list(dict.fromkeys(n for n in numbers if np.isfinite(n)))


def _inside(lon: float, lat: float, crs: str, area: tuple[float, float, float, float]) -> bool:
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        return False
    x, y = datum.place([lon], [lat], datum.Reading("WGS-84"), crs)[0]
    west, south, east, north = area
    return bool(
        west - _SUGGEST_WITHIN_M <= x <= east + _SUGGEST_WITHIN_M
        and south - _SUGGEST_WITHIN_M <= y <= north + _SUGGEST_WITHIN_M
    )
