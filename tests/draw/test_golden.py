"""Each sheet, in both languages, at three places, against pictures that a person has looked at (golden/README.md)."""

from functools import cache
from pathlib import Path

import golden
import pytest
from PIL import Image, ImageDraw

from planner.draw import style
from planner.words import LANGS

# FreeType comes with matplotlib, so that pictures hardly differ between machines; what differs is the last digit of a scale.
MEAN, GREATEST = 0.3, 40.0


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory):
    """Run a place and draw its sheets, once each."""
    scratch = tmp_path_factory.mktemp("golden")
    return cache(lambda place: golden.pictures(golden.result_of(place, scratch)))


def kept(place: str, name: str, lang: str) -> Image.Image:
    return Image.open(golden.GOLDEN / f"{place}-{name}-{lang}.png")


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("place", golden.PLACES)
def test_sheets_look_as_they_did_when_a_person_looked(drawn, place, lang, tmp_path: Path):
    pictures = drawn(place)
    differing = []
    for name in golden.SHEETS:
        mean, greatest = golden.differences(pictures[name, lang], kept(place, name, lang))
        if mean > MEAN or greatest > GREATEST:
            pictures[name, lang].save(tmp_path / f"{place}-{name}-{lang}.png")
            differing.append(f"{name}: mean {mean:.2f}, greatest {greatest:.0f}")
    assert differing == [], f"what was drawn is in {tmp_path}; see CONTRIBUTING.md, When a golden file differs"


def test_there_is_a_golden_sheet_for_each_and_no_other():
    files = {f"{p}-{s}-{lang}.png" for p in golden.PLACES for s in golden.SHEETS for lang in LANGS}
    assert {file.name for file in golden.GOLDEN.glob("*.png")} == files


def test_a_symbol_that_is_gone_or_another_colour_is_noticed():
    sheet = kept("core", "layout", "zh").convert("RGB")
    changed = sheet.copy()
    # A circle of the size of a site that is kept, where there is none.
    ImageDraw.Draw(changed).ellipse((200, 90, 204, 94), fill=style.TODAY)
    assert golden.differences(sheet, changed)[1] > GREATEST
    assert golden.differences(sheet, kept("core", "existing", "zh"))[0] > MEAN
    assert golden.differences(sheet, kept("core", "layout", "en"))[1] > GREATEST
    assert golden.differences(sheet, sheet.resize((100, 100)))[1] > GREATEST
