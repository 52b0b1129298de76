"""A survey or a visits table -> counts by site.

Takes a table with a row a site, or several; gives one row a site. Counts that contradict each other are set aside with a reason.
"""

import numpy as np
import pandas as pd

from planner.intake import columns
from planner.intake.cells import PEOPLE
from planner.intake.notes import Notes
from planner.intake.places import read_places
from planner.study import Study, Table
from planner.tables import SURVEY_COLUMNS

_COUNTS = ("surveyed", "aware", "took_part", "satisfied")


def no_survey() -> pd.DataFrame:
    """Return a survey in which nobody was asked."""
    return pd.DataFrame({column: [] for column in SURVEY_COLUMNS})


def read_survey(study: Study, settings: Table, sites: pd.DataFrame, notes: Notes) -> pd.DataFrame:
    """Return what was counted at each existing site: `SURVEY_COLUMNS`, NaN where a table does not count it.

    Rows of one site are added up, its visits a day averaged. Rows of a site that does not exist, with more people who know a site than
    were asked, with counts that are no whole numbers (shares, maybe), or that leave a count empty which another row of the site has,
    become rejects.
    """
    table = read_places(study, settings, notes)
    columns.need(table, "id")
    rows = pd.DataFrame({"site": columns.text(table, "id")})
    for field in (*_COUNTS, "visits"):
        given = field in table.rows.columns
        rows[field] = columns.amounts(table, field, PEOPLE, "cell_weight", may_be_empty=True) if given else np.nan
    rows["source"] = [f"{table.file}#{row}" for row in rows.index]
    unknown = ~rows["site"].isin(sites.loc[sites["status"] == "existing", "id"])
    wrong = (
        (rows["aware"] > rows["surveyed"])
        | (rows["took_part"] > rows["surveyed"])
        | (rows["satisfied"] > rows["took_part"])
    )
    counts = rows[list(_COUNTS)]
    broken = ((counts - counts.round()).abs() > 1e-6).any(axis=1)
    fine = ~(unknown | broken | wrong)
    # Added up, those who answered one question would be taken for a share of those who were asked another.
    counted_there = (
        counts.notna()[fine].groupby(rows["site"][fine]).transform("max").reindex(rows.index, fill_value=False)
    )
    partial = fine & (counted_there.astype(bool) & counts.isna()).any(axis=1)
    for out, key in (
        (unknown, "survey_site"),
        (broken & ~unknown, "survey_shares"),
        (wrong & ~broken & ~unknown, "survey_counts"),
        (partial, "survey_partial"),
    ):
        notes.reject(table, table.rows[out.to_numpy()], key)
    by_site = rows[fine & ~partial].groupby("site", sort=True)
    counted = by_site[list(_COUNTS)].sum(min_count=1)
    found = counted.assign(visits=by_site["visits"].mean(), source=by_site["source"].first()).reset_index()
    return found[list(SURVEY_COLUMNS)]
