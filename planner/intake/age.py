"""How old a file says it is -> notes where that is long before the plan begins.

Takes a table's name, title and column of dates, or a year; says what it found. Looks at no clock: old is what lies years before the plan's
first year, so that the same files give the same notes.
"""

import re

import pandas as pd

from planner.intake.notes import Notes, some
from planner.intake.table import RawTable
from planner.study import Study

# Stations move, crews change: what is older than this at the plan's first year is to be looked at again. K.
STALE_YEARS = 3
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
_YEAR_OF_DATA = re.compile(r"(?<!\d)((?:19|20)\d\d)(?=\s*年|[-./]\d{1,2}(?!\d))")


def note_year(study: Study, file: str, year: int, notes: Notes) -> None:
    """Note a file whose data are of a year long before the plan's first."""
    if study.plan and study.plan.years[0] - year > STALE_YEARS:
        first = study.plan.years[0]
        notes.warn("stale_title", file=file, year=year, first=first, years=first - year)


def note_age(study: Study, table: RawTable, notes: Notes) -> None:
    """Note a table whose name or title speaks of a year long gone, and rows that are dated so."""
    if study.plan is None:
        return
    said = [int(year) for year in (*_YEAR.findall(table.file), *_YEAR_OF_DATA.findall(table.title))]
    if said:
        note_year(study, table.file, max(said), notes)
    if "dated" not in table.rows.columns:
        return
    first, found = study.plan.years[0], table.rows["dated"].astype(str).str.extract(_YEAR)[0]
    years = pd.to_numeric(found).dropna().astype(int)
    old = years[first - years > STALE_YEARS]
    if len(old):
        notes.warn(
            "stale_rows",
            file=table.file,
            count=len(old),
            year=int(old.max()),
            rows=some(old.index),
            first=first,
            years=STALE_YEARS,
        )
