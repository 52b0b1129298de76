"""What is noticed while files are read: rows set aside, warnings, recognised headings, the evidence for each datum.

The one place where reading keeps a record; `read_inputs` turns it into frames of `Inputs`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planner.datum import Reading
from planner.evidence import Evidence
from planner.intake.table import RawTable
from planner.words import Lang, say


@dataclass
class Notes:
    """A record that grows while the files are read.

    Attributes:
        lang: language of the sentences.
        rejects: a row of `tables.REJECT_COLUMNS` each.
        warnings: sentences for the data-quality notes.
        topics: of each warning, its key in the catalogue's section ``quality``.
        evidence: a row of `tables.EVIDENCE_COLUMNS` each.
        headings: a row of `tables.HEADING_COLUMNS` each.
        hours_said: source of each row whose opening hours hang on the season -> these hours, for every season.
    """

    lang: Lang
    rejects: list[tuple[str, int, str, str, str, dict[str, str]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    evidence: list[tuple[str, str, float, float, float, int, bool]] = field(default_factory=list)
    headings: list[tuple[str, str, str]] = field(default_factory=list)
    hours_said: dict[str, str] = field(default_factory=dict)

    def saw(self, table: RawTable) -> None:
        """Note which headings were understood, the rows that are no data, and the sheets that nobody asked for."""
        self.headings += [(table.file, name, heading) for name, heading in table.recognised.items()]
        for key, rows in table.aside.groupby("reason", sort=True):
            self.reject(table, rows, str(key))
        if table.beyond:
            last = next((head for head in reversed(table.headings.values()) if head), "")
            self.warn("cells_beyond", file=table.file, rows=some(table.beyond), heading=last)
        # Where coordinates are missing each row says so.
        for column, at in table.unsaved.items():
            if column not in ("lon", "lat", "coordinates"):
                head = table.headings.get(column) or column
                self.warn("formula_unsaved", file=table.file, rows=some(at), column=head)
        if table.unread:
            named = (say(self.lang, "quality.sheet_rows", sheet=s, rows=n) for s, n in table.unread.items())
            self.warn("sheets_unread", file=table.file, sheet=table.sheet, others=", ".join(named))

    def reject(self, table: RawTable, rows: pd.DataFrame, key: str, **values: object) -> None:
        """Set rows aside, each with what it held under the user's own headings."""
        reason, repair = say(self.lang, f"quality.{key}", **values), say(self.lang, f"quality.{key}_repair", **values)
        for row, held in zip(rows.index.tolist(), rows.to_dict("records"), strict=True):
            cells = {head or column: str(held.get(column, "")) for column, head in table.headings.items()}
            shown = "; ".join(f"{head}={cell}" for head, cell in cells.items() if cell.strip())
            self.rejects.append((table.file, row, reason, repair, shown, cells))

    def warn(self, key: str, **values: object) -> None:
        """Note something that the reader of the results should know."""
        self.tell(key, say(self.lang, f"quality.{key}", **values))

    def tell(self, topic: str, sentence: str) -> None:
        """Note a sentence that stands already."""
        self.topics.append(topic)
        self.warnings.append(sentence)

    def forget(self) -> None:
        """Begin the record of rejects and warnings anew."""
        for record in (self.rejects, self.warnings, self.topics):
            record.clear()

    def weighed(self, file: str, evidence: tuple[Evidence, ...], chosen: Reading) -> None:
        """Note how likely each reading of a file's coordinates is, and which one was taken."""
        for e in evidence:
            if e.reading == chosen or not e.reading.swapped:
                row = (file, e.reading.datum, e.median_m, e.near, e.likelihood, e.points, e.reading == chosen)
                self.evidence.append(row)


def some(rows: pd.Index | np.ndarray | Sequence[int]) -> str:
    """Return the first row numbers, for a sentence."""
    return ", ".join(str(row) for row in rows[:5]) + (" …" if len(rows) > 5 else "")
