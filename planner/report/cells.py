"""Text -> a cell of a workbook in which it stays text, whatever it begins with.

Takes an openpyxl cell and a value of anybody's file; the one way in which the workbooks of this package write words.
"""

import re
from typing import Any

from planner.words.wording import harmless

# A cell holds 32,767 characters.
MOST_CHARACTERS = 32_000
_LIKE_A_FORMULA = re.compile(r"[=+\-@\t\r]")


def put_text(cell: Any, text: str) -> None:
    """Write text into a cell: a name that begins with "=" is no formula."""
    cell.value = harmless(text)[:MOST_CHARACTERS]
    cell.data_type = "s"
    # As if typed with an apostrophe: it stays text when somebody edits it.
    cell.quotePrefix = bool(_LIKE_A_FORMULA.match(text))
