import io

import openpyxl
import pytest

from planner.report.cells import MOST_CHARACTERS, put_text


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@A1", "2027", "#N/A", "TRUE", "店\u3000名\xa0", "a\nb"])
def test_text_comes_back_as_the_text_it_was(text: str) -> None:
    book = openpyxl.Workbook()
    put_text(book.active["A1"], text)
    file = io.BytesIO()
    book.save(file)
    cell = openpyxl.load_workbook(file).active["A1"]
    assert (cell.value, cell.data_type) == (text, "s")
    assert cell.quotePrefix == (text[0] in "=+-@")


def test_what_a_cell_cannot_hold_is_left_out() -> None:
    cell = openpyxl.Workbook().active["A1"]
    put_text(cell, "\x00" + "长" * 40_000)
    assert cell.value == "长" * MOST_CHARACTERS
