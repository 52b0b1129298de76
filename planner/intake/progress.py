"""A progress table -> what has become of each row of an earlier programme.

Takes a table with a row a site: planned, begun, open or closed, in which year, at which actual cost. A row that cannot be understood is
refused with file, row and column: a plan made on half of it would be wrong. Which action a row means is `replanning`'s to say.
"""

import pandas as pd

from planner.errors import InputError, Words
from planner.intake import columns
from planner.intake.cells import is_empty, money, plain
from planner.intake.notes import Notes
from planner.intake.places import read_places
from planner.intake.table import RawTable
from planner.study import STATES, PlanSettings, Study, Table
from planner.words import LANGS, say

PROGRESS_COLUMNS = (
    "site",
    "action_id",  # empty: said by action and mode
    "action",
    "mode",
    "state",  # planned, begun, open or closed
    "year",  # calendar year; 0: not said
    "actual_cost",  # in the study's cost unit, in money of that year; NaN: not said
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
    rows["action"] = columns.identifiers(table, "action", "action")
    rows["mode"] = columns.identifiers(table, "mode", "mode")
    at = rows.index.tolist()
    states = [_state(table, row, cell) for row, cell in zip(at, columns.text(table, "progress"), strict=True)]
    cells = zip(at, columns.text(table, "year"), states, strict=True)
    rows["state"], rows["year"] = states, [_year(table, plan, row, cell, state) for row, cell, state in cells]
    given = "actual_cost" in table.rows.columns
    units = money(plan.cost_unit)
    rows["actual_cost"] = (
        columns.amounts(table, "actual_cost", units, "cell_amount", may_be_empty=True) if given else float("nan")
    )
    rows["source"] = [f"{table.file}#{row}" for row in rows.index]
    _refuse_strangers(table, rows, sites)
    dated = (rows["year"] > 0) | rows["actual_cost"].isna()
    if not dated.all():
        _refuse_year(table, plan, int(rows.index[~dated][0]), "")
    return rows[list(PROGRESS_COLUMNS)].reset_index(drop=True)


def _state(table: RawTable, row: int, cell: str) -> str:
    text = plain(cell).lower()
    for state in STATES:
        if text in {state, *(say(lang, f"progress.{state}") for lang in LANGS), *_WORDS[state]}:
            return state
    choices = Words(f"progress.{state}" for state in STATES)
    if not text:
        raise InputError("cell_empty", file=table.file, row=row, column=table.headings["progress"])
    raise InputError(
        "word_unknown", file=table.file, row=row, column=table.headings["progress"], word=cell, choices=choices
    )


def _year(table: RawTable, plan: PlanSettings, row: int, cell: str, state: str) -> int:
    text = plain(cell).removesuffix("年").removesuffix(".0")
    if is_empty(text) and state == "closed":
        return 0
    if not text.isdigit() or int(text) not in plan.years:
        _refuse_year(table, plan, row, cell)
    return int(text)


def _refuse_year(table: RawTable, plan: PlanSettings, row: int, cell: str) -> None:
    years, column = ", ".join(map(str, plan.years)), table.headings.get("year", say("zh", "programme.year"))
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
        raise InputError("progress_twice", file=table.file, row=row, site=rows["site"].at[row], first=first)
