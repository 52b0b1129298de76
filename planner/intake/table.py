"""The cells of a sheet -> rows under known fields, whatever stands above, below and between them.

Takes a `Grid`; gives a `RawTable`: the rows under the header, and those that are no data (totals, notes, the header once more), each
with the reason. Every row that is not blank is in one of the two.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from planner.errors import InputError
from planner.intake.cells import UNITS, plain
from planner.intake.grid import Grid, read_grid, read_sheet
from planner.intake.headings import HEADINGS, recognise, unit_of

# How far down a header is looked for, below titles and notes.
HEADER_WITHIN = 30
# A value that stands in a merged cell holds for each of its rows; an amount doesn't, or it would count twice.
_SHARED = frozenset(HEADINGS) - {"id", "name", "weight", "capacity", "capital_cost", "operating_cost", "lon", "lat", "coordinates",
                                 "width_m", "length_m", "area_m2", "floor_area_m2", "actual_cost", "action_id"}  # fmt: skip
# Chinese words may be followed by anything ("合计(人)", "总计39处"), English ones only by another word: Sumner Street is no sum.
_TOTAL = re.compile(
    r"\W*(?:(?:合计|小计|总计|共计|累计|总数|平均).*|计|(?:grand ?)?(?:sub-?)?(?:total|sum|average)\b.*)", re.IGNORECASE
)


@dataclass(frozen=True)
class RawTable:
    """A sheet's rows as text.

    Attributes:
        file: the file's name.
        sheet: the sheet's name; empty where the file has none.
        header_row: number of the header's (last) row in the file.
        rows: text, indexed by the row number in the file; a column is a field of `HEADINGS` or else the user's heading.
        aside: rows that are no data, under the same columns, with the reason (key of the catalogue's section ``quality``) in the
            column ``reason``.
        headings: column -> the user's heading as written.
        units: column -> what stands in the heading's brackets.
        unsaved: column -> rows, from the header on, in which it has a formula whose value was not saved, and so nothing.
        beyond: rows that hold something right of the last heading, which is not read.
        title: what stands above the header.
        unread: other sheets of the workbook that hold a table too, where none was asked for by name, each with its number of rows.
    """

    file: str
    sheet: str
    header_row: int
    rows: pd.DataFrame
    aside: pd.DataFrame
    headings: dict[str, str]
    units: dict[str, str]
    unsaved: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    beyond: tuple[int, ...] = ()
    title: str = ""
    unread: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def recognised(self) -> dict[str, str]:
        """Field -> the user's heading, for the headings that were understood."""
        return {column: heading for column, heading in self.headings.items() if column in HEADINGS}

    def only(self, rows: Sequence[int]) -> "RawTable":
        """Return the table with some of its rows, by their number in the file."""
        return replace(self, rows=self.rows.loc[list(rows)])

    def without(self, rows: Sequence[int]) -> "RawTable":
        """Return the table less some of its rows; numbers that it doesn't have are passed over."""
        return replace(self, rows=self.rows.drop(index=list(rows), errors="ignore"))


def read_table(
    path: Path,
    sheet: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    header: int | None = None,
    may_be_empty: bool = False,
) -> RawTable:
    """Read a sheet or a csv as text under the headings it has.

    Args:
        path: xlsx, xls, csv, tsv or txt.
        sheet: name of the sheet; if not given, the first one that holds a table.
        columns: field -> the user's heading, where recognising must be overruled.
        header: number of the header's row in the file, where finding it must be overruled.
        may_be_empty: whether a header without rows will do.

    Raises:
        InputError: not a table, no such sheet or heading, no known headings, too large, no rows, or a heading that stands twice.
    """
    grid = read_grid(path, sheet)
    try:
        table = table_of(grid, path.name, columns=columns or {}, header=header)
    except InputError as error:
        # A cover or a page of notes may lie on top.
        found = None if sheet or error.key not in ("no_header", "table_empty") else _tables(path, grid.others, columns)
        if not found and not (may_be_empty and error.key == "table_empty"):
            raise
        if found:
            grid, header = read_grid(path, found[0].sheet), None
        table = table_of(grid, path.name, columns=columns or {}, header=header, may_be_empty=may_be_empty)
        rest = (found or [])[1:]
    else:
        rest = _tables(path, grid.others, columns) if not sheet else []
    return replace(table, unread={other.sheet: len(other.rows) for other in rest})


def _tables(path: Path, sheets: Sequence[str], columns: Mapping[str, str] | None) -> list[RawTable]:
    """Return those of a workbook's sheets that hold a table, in their order."""
    found = []
    for sheet in sheets:
        try:
            found.append(table_of(read_sheet(path, sheet), path.name, columns=columns or {}))
        except InputError:
            continue
    return found


def table_of(
    grid: Grid, file: str, *, columns: Mapping[str, str], header: int | None = None, may_be_empty: bool = False
) -> RawTable:
    """Return the rows of a grid under the header that is found in it."""
    first, last = (header - 1, header - 1) if header else _find_header(grid, columns, file)
    if last >= len(grid.rows):
        raise InputError("no_header", file=file)
    headings = _headings(grid, first, last)
    fields = recognise(headings, columns)
    for field, wanted in columns.items():
        if wanted and field not in fields.values():
            present = ", ".join(h for h in headings if h)
            raise InputError("column_missing", file=file, column=wanted, headings=present)
    _refuse_twice(headings, file, last + 1)
    names = [fields.get(n, heading or f"column {n + 1}") for n, heading in enumerate(headings)]
    names = [f"{name} " if name in HEADINGS and n not in fields else name for n, name in enumerate(names)]
    body = _body(grid, last + 1, names)
    if not body and not may_be_empty:
        raise InputError("table_empty", file=file)
    frame = pd.DataFrame(list(body.values()), index=list(body), columns=names, dtype=object)
    reasons = _no_data(frame, headings)
    units = {name: unit_of(heading) for name, heading in zip(names, headings, strict=True)}
    if below := _units_below(frame, last + 2):
        reasons[last + 2] = "units_row"
        units |= below
    return RawTable(
        file=file,
        sheet=grid.sheet,
        header_row=last + 1,
        rows=frame[reasons == ""],
        aside=frame[reasons != ""].assign(reason=reasons[reasons != ""]),
        headings=dict(zip(names, headings, strict=True)),
        units=units,
        unsaved=_unsaved(grid, first, names),
        beyond=_beyond(grid, last + 1, len(names)),
        title=" ".join(cell.strip() for row in grid.rows[:first] for cell in row if cell.strip())[:1000],
    )


def _find_header(grid: Grid, columns: Mapping[str, str], file: str) -> tuple[int, int]:
    """Return the first and last row of the header: the row, or two of them, that name the most fields."""

    def score(first: int, last: int) -> int:
        fields = recognise(_headings(grid, first, last), columns).values()
        # A heading that the user names outweighs all that are recognised.
        return len(fields) + len(HEADINGS) * sum(field in columns for field in fields)

    # Two known headings make a header; one does where the user names headings.
    best, found = 0 if columns else 1, (-1, -1)
    for n in range(min(HEADER_WITHIN, len(grid.rows))):
        single = score(n, n)
        if single > best:
            best, found = single, (n, n)
        if single and n + 1 < len(grid.rows) and _may_be_stacked(grid, n):
            double = score(n, n + 1)
            if double > max(best, score(n + 1, n + 1)):
                best, found = double, (n, n + 1)
    if found[0] < 0:
        raise InputError("no_header", file=file)
    return found


def _may_be_stacked(grid: Grid, n: int) -> bool:
    """Tell whether row ``n + 1`` may be the lower half of a header: it is short of text and holds no number."""
    lower = [plain(cell) for cell in grid.rows[n + 1] if cell.strip()]
    return bool(lower) and not any(re.match(r"[+-]?\d", cell) for cell in lower)


def _headings(grid: Grid, first: int, last: int) -> list[str]:
    """Return the headings of a header of one or two rows; where the lower is blank the upper one holds."""
    upper = [cell.replace("\n", "").strip() for cell in grid.rows[first]]
    if first == last:
        return _trim(upper)
    lower = [cell.replace("\n", "").strip() for cell in grid.rows[last]]
    width = max(len(upper), len(lower))
    upper, lower = upper + [""] * (width - len(upper)), lower + [""] * (width - len(lower))
    return _trim([below or above for above, below in zip(upper, lower, strict=True)])


def _trim(headings: list[str]) -> list[str]:
    width = len(headings)
    while width and not headings[width - 1]:
        width -= 1
    return headings[:width]


def _refuse_twice(headings: list[str], file: str, row: int) -> None:
    seen: set[str] = set()
    for heading in headings:
        if heading and heading in seen:
            raise InputError("heading_twice", file=file, row=row, column=heading)
        seen.add(heading)


def _body(grid: Grid, start: int, names: list[str]) -> dict[int, list[str]]:
    """Return the rows below the header that are not blank, by their number in the file; merged values in each of their rows."""
    width = len(names)
    filled: dict[int, dict[int, str]] = {}
    for top, left, bottom, right in grid.merges:
        if top >= start and bottom > top and left == right and left < width and names[left] in _SHARED:
            for below in range(top + 1, min(bottom + 1, len(grid.rows))):
                filled.setdefault(below, {})[left] = grid.rows[top][left] if left < len(grid.rows[top]) else ""
    body: dict[int, list[str]] = {}
    held = {row for row, _ in grid.unsaved}
    for n in range(start, len(grid.rows)):
        row = grid.rows[n]
        # A row that only merged cells reach is blank; one of formulas without values is not.
        if (row and row[0].strip()) or "".join(row[:width]).strip() or n in held:
            cells = row if len(row) == width else [*row[:width], *[""] * (width - len(row))]
            for column, value in filled.get(n, {}).items():
                cells[column] = cells[column] or value
            body[n + 1] = cells
    return body


def _unsaved(grid: Grid, start: int, names: list[str]) -> dict[str, tuple[int, ...]]:
    """Return column -> rows, by their number in the file, in which it has a formula without a value."""
    found: dict[str, list[int]] = {}
    for row, column in sorted(grid.unsaved):
        if row >= start:
            found.setdefault(names[column] if column < len(names) else f"column {column + 1}", []).append(row + 1)
    return {name: tuple(rows) for name, rows in found.items()}


def _beyond(grid: Grid, start: int, width: int) -> tuple[int, ...]:
    """Return the rows, by their number in the file, that hold something right of the headings."""
    rows = enumerate(grid.rows[start:], start + 1)
    return tuple(n for n, row in rows if len(row) > width and "".join(row[width:]).strip())


def _no_data(frame: pd.DataFrame, headings: list[str]) -> pd.Series:
    """Return why a row is no data, as a key of the section ``quality``: a total, a note, the header once more; else ""."""
    again = pd.Series(0, index=frame.index)
    for n, heading in enumerate(headings):
        again += (frame.iloc[:, n] == heading).astype(int) if heading else 0
    header_again = (again >= 2) & (2 * again >= sum(bool(heading) for heading in headings))
    unplaced = pd.Series(True, index=frame.index)
    for field in ("lon", "lat", "coordinates"):
        if field in frame.columns:
            unplaced &= np.array([not cell or cell.isspace() for cell in frame[field]], dtype=bool)
    reasons = ["header_again" if again else "" for again in header_again]
    for n in np.flatnonzero((unplaced & ~header_again).to_numpy()).tolist():
        texts = [re.sub(r"(?<=[^\x00-\x7f])\s+", "", plain(cell)) for cell in frame.iloc[n] if cell.strip()]
        if any(_TOTAL.fullmatch(text) for text in texts[:2]):
            reasons[n] = "total_row"
        elif len(texts) == 1 and len(headings) > 2:
            reasons[n] = "note_row"
    return pd.Series(reasons, index=frame.index, dtype=object)


def _units_below(frame: pd.DataFrame, row: int) -> dict[str, str]:
    """Return column -> unit where the row below the header holds nothing but units: "(人)", "万元"."""
    if row not in frame.index:
        return {}
    cells = {str(name): plain(cell).lower().strip("()") for name, cell in frame.loc[row].items() if cell.strip()}
    return cells if len(cells) and set(cells.values()) <= UNITS else {}
