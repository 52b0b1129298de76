"""A progress table -> what has become of each row of an earlier programme.

Takes a table with a row a site: planned, begun, open or closed, in which year, at which actual cost. A row that cannot be understood is
refused with file, row and column: a plan made on half of it would be wrong. Which action a row means is `replanning`'s to say.
"""

from collections.abc import Hashable
from typing import get_args

import pandas as pd

from planner.errors import InputError, Words
from planner.intake import columns
from planner.intake.cells import is_empty, money, plain
from planner.intake.notes import Notes
from planner.intake.places import read_places
from planner.intake.table import RawTable
from planner.study import STATES, Action, Mode, PlanSettings, Study, Table
from planner.words import LANGS, meanings, say

PROGRESS_COLUMNS = (
    "site",
    "action_id",  # empty: said by action and mode
    "action",
    "mode",
    "state",  # planned, begun, open or closed
    "year",  # calendar year; 0: not said
    "actual_cost",  # in the study's cost unit, in money of that year; NaN: not said
    "said_in",  # headings of the columns that say which action is meant
    "source",
)
# What else people write for a state.
_WORDS = {
    "planned": ("未开工", "未建", "拟建", "待建"),
    "begun": ("已开工", "施工中", "建设中", "under way", "started"),
    "open": ("已建成", "建成", "已投用", "投用", "开放", "已完成", "完成", "done", "built"),
    "closed": ("关闭", "已撤", "撤销", "停用", "取消", "cancelled", "abandoned"),
}


def no_progress() -> pd.DataFrame:
    """Return the progress of a programme that was never begun."""
    return pd.DataFrame({column: [] for column in PROGRESS_COLUMNS})


def read_progress(study: Study, plan: PlanSettings, settings: Table, sites: pd.DataFrame, notes: Notes) -> pd.DataFrame:
    """Return what the table says: `PROGRESS_COLUMNS`, a row a site.

    Raises:
        InputError: a site that does not exist or stands twice, a word, a year or an amount that cannot be understood.
    """
    table = read_places(study, settings, notes)
    columns.need(table, "id", "progress")
    rows = pd.DataFrame({"site": columns.text(table, "id"), "action_id": columns.text(table, "action_id")})
    rows["action"] = _words(table, "action", get_args(Action))
    rows["mode"] = _words(table, "mode", get_args(Mode))
    at = rows.index.tolist()
    blank = [row for row, site in zip(at, rows["site"], strict=True) if is_empty(site)]
    if blank:
        raise _blank(table, blank[0], "id")
    states = [_state(table, row, cell) for row, cell in zip(at, columns.text(table, "progress"), strict=True)]
    cells = zip(at, columns.text(table, "year"), states, strict=True)
    rows["state"], rows["year"] = states, [_year(table, plan, row, cell, state) for row, cell, state in cells]
    given = "actual_cost" in table.rows.columns
    if formulas := table.unsaved.get("actual_cost"):
        raise _blank(table, formulas[0], "actual_cost")
    units = money(plan.cost_unit)
    rows["actual_cost"] = (
        columns.amounts(table, "actual_cost", units, "cell_amount", may_be_empty=True) if given else float("nan")
    )
    rows["said_in"] = [_said_in(table, row) for row in rows[["action_id", "action", "mode"]].to_dict("records")]
    rows["source"] = [f"{table.file}#{row}" for row in rows.index]
    _refuse_strangers(table, rows, sites)
    dated = (rows["year"] > 0) | rows["actual_cost"].isna()
    if not dated.all():
        columns.need(table, "year")
        raise _blank(table, int(rows.index[~dated][0]), "year")
    return rows[list(PROGRESS_COLUMNS)].reset_index(drop=True)


def _state(table: RawTable, row: int, cell: str) -> str:
    text = plain(cell).lower()
    for state in STATES:
        if text in {state, *(say(lang, f"progress.{state}") for lang in LANGS), *_WORDS[state]}:
            return state
    choices = Words(f"progress.{state}" for state in STATES)
    if is_empty(text):
        raise _blank(table, row, "progress")
    raise InputError(
        "word_unknown", file=table.file, row=row, column=table.headings["progress"], word=cell, choices=choices
    )


def _blank(table: RawTable, row: int, field: str) -> InputError:
    """Say that a cell is blank, or holds a formula whose result was not saved."""
    key = "cell_formula" if row in table.unsaved.get(field, ()) else "cell_empty"
    return InputError(key, file=table.file, row=row, column=table.headings[field])


def _words(table: RawTable, field: str, known: tuple[str, ...]) -> list[str]:
    """Return the identifiers of a column's words; empty where nothing is said."""
    found, choices = [], Words(f"{field}.{word}" for word in known)
    for row, cell in columns.text(table, field).items():
        if row in table.unsaved.get(field, ()):
            raise _blank(table, int(str(row)), field)
        word = "" if is_empty(cell) else meanings(field).get(plain(cell).lower(), cell)
        if word not in ("", *known):
            column = table.headings[field]
            raise InputError("word_unknown", file=table.file, row=row, column=column, word=cell, choices=choices)
        found.append(word)
    return found


def _said_in(table: RawTable, row: dict[Hashable, str]) -> str:
    """Return the headings of the columns in which a row says which action it means: its id, else action and mode."""
    said = ["action_id"] if row["action_id"] else [field for field in ("action", "mode") if row[field]]
    return "/".join(table.headings[field] for field in said or ["id"])


def _year(table: RawTable, plan: PlanSettings, row: int, cell: str, state: str) -> int:
    text = plain(cell).removesuffix("年").removesuffix(".0")
    if is_empty(text) and row not in table.unsaved.get("year", ()) and state == "closed":
        return 0
    if is_empty(text):
        columns.need(table, "year")
        raise _blank(table, row, "year")
    if not text.isdigit() or int(text) not in plan.years:
        _refuse_year(table, plan, row, cell)
    return int(text)


def _refuse_year(table: RawTable, plan: PlanSettings, row: int, cell: str) -> None:
    years, column = ", ".join(map(str, plan.years)), table.headings["year"]
    raise InputError("progress_year", file=table.file, row=row, column=column, text=cell, years=years)


def _refuse_strangers(table: RawTable, rows: pd.DataFrame, sites: pd.DataFrame) -> None:
    """Refuse sites that do not exist, and those that stand twice."""
    unknown, again = ~rows["site"].isin(sites["id"]), rows["site"].duplicated()
    if unknown.any():
        row = rows.index[unknown][0]
        raise InputError(
            "progress_site", file=table.file, row=row, column=table.headings["id"], site=rows["site"].at[row]
        )
    if again.any():
        row = rows.index[again][0]
        first = rows.index[rows["site"] == rows["site"].at[row]][0]
        site, column = rows["site"].at[row], table.headings["id"]
        raise InputError("progress_twice", file=table.file, row=row, column=column, site=site, first=first)
