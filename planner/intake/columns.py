"""Columns of text -> what the tables hold: amounts, identifiers of words in either language, opening hours.

Takes a `RawTable` and a field; a cell that would make results wrong is refused with file, row, column and what stood in it.
"""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from planner.errors import InputError, Words
from planner.hours import in_osm_syntax
from planner.intake.cells import SEATS, SQUARE_METRES, is_empty, numbers, plain
from planner.intake.headings import HEADINGS
from planner.intake.table import RawTable
from planner.words import meanings

# More money than this is a slip of the keyboard, as in study.toml. Sums of people are looked at where they are made.
_MOST = {"cell_amount": 1e12}


def need(table: RawTable, *fields: str) -> None:
    """Refuse a table that lacks one of ``fields``."""
    for field in fields:
        if field not in table.rows.columns:
            present = ", ".join(heading for heading in table.headings.values() if heading)
            raise InputError("column_missing", file=table.file, column=HEADINGS[field][0], headings=present)


def text(table: RawTable, field: str) -> pd.Series:
    """Return a column as text without blanks around it; blank where the table has none."""
    if field not in table.rows.columns:
        return pd.Series("", index=table.rows.index, dtype=object)
    return table.rows[field].astype(str).str.strip().astype(object)


def amounts(
    table: RawTable, field: str, units: Mapping[str, float], key: str, *, may_be_empty: bool = False
) -> pd.Series:
    """Return a column as numbers of 0 or more and within reason; refuse the first cell that is none, with what stood in it.

    A cell that says nothing is refused too, or NaN where it ``may_be_empty``.
    """
    found = numbers(table.rows[field], units, table.units.get(field, ""))
    wrong = ~(np.isfinite(found) & (found >= 0)).to_numpy()
    if may_be_empty:
        wrong &= ~table.rows[field].map(lambda cell: is_empty(str(cell))).to_numpy(dtype=bool)
    if wrong.any():
        first = int(wrong.argmax())
        row, heading = table.rows.index[first], table.headings[field]
        cell = str(table.rows[field].iloc[first])
        if row in table.unsaved.get(field, ()):
            raise InputError("cell_formula", file=table.file, row=row, column=heading)
        if not cell.strip():
            raise InputError("cell_empty", file=table.file, row=row, column=heading)
        raise InputError(key, file=table.file, row=row, column=heading, text=cell)
    if (beyond := (found > _MOST.get(key, np.inf)).to_numpy()).any():
        first = int(beyond.argmax())
        row, heading, cell = table.rows.index[first], table.headings[field], str(table.rows[field].iloc[first])
        raise InputError("cell_too_much", file=table.file, row=row, column=heading, text=cell)
    return found


def capacity(table: RawTable) -> pd.Series:
    """Return the seats of each row; NaN where the cell is empty."""
    if "capacity" not in table.rows.columns:
        return pd.Series(np.nan, index=table.rows.index)
    return amounts(table, "capacity", SEATS, "cell_seats", may_be_empty=True)


def floor_area_m2(table: RawTable) -> pd.Series:
    """Return the floor of each row in m²; NaN where the cell is empty."""
    if "floor_area_m2" not in table.rows.columns:
        return pd.Series(np.nan, index=table.rows.index)
    return amounts(table, "floor_area_m2", SQUARE_METRES, "cell_size", may_be_empty=True)


def identifiers(table: RawTable, field: str, section: str, known: tuple[str, ...] | None = None) -> pd.Series:
    """Return the identifiers of words typed in either language, several joined by ";".

    Where ``known`` is given nothing else is allowed; otherwise a word of the user's own stays as typed.
    """
    words = meanings(section)

    def translate(row: int, cell: str) -> str:
        parts = [part.strip() for part in re.split(r"[;、,/\n]", plain(cell)) if part.strip()]
        found = [words.get(part.lower(), part) for part in parts]
        for part, identifier in zip(parts, found, strict=True):
            if known is not None and identifier not in known:
                choices = Words(f"{section}.{k}" for k in known)
                raise InputError(
                    "word_unknown", file=table.file, row=row, column=table.headings[field], word=part, choices=choices
                )
        return ";".join(found)

    cells = text(table, field)
    translated = [translate(row, cell) for row, cell in zip(cells.index.tolist(), cells.tolist(), strict=True)]
    return pd.Series(translated, index=cells.index, dtype=object)


def hours(table: RawTable) -> pd.Series:
    """Return opening hours in OSM syntax; blank where unknown."""

    def read(row: int, cell: str) -> str:
        try:
            return "" if is_empty(cell) else in_osm_syntax(cell)
        except InputError as error:
            column = table.headings["opening_hours"]
            raise InputError("cell_hours", file=table.file, row=row, column=column, text=cell) from error

    cells = text(table, "opening_hours")
    found = [read(row, cell) for row, cell in zip(cells.index.tolist(), cells.tolist(), strict=True)]
    return pd.Series(found, index=cells.index, dtype=object)
