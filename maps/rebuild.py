"""Draw the planning maps of the embedded study again: ``python maps/rebuild.py`` (about two minutes).

Runs the study and writes every sheet beside this file, zh/ and en/, as PNG; the layout plan map as PDF and SVG too.
"""

from pathlib import Path

from planner.draw.pen import Format
from planner.draw.series import write_sheets
from planner.draw.themes import all_themes
from planner.embedded import folder
from planner.pipeline import run
from planner.study import load_study
from planner.words import LANGS

HERE = Path(__file__).resolve().parent
# The repository needs pictures to look at; a run writes 300 dpi.
DPI = 120


def main() -> None:
    """Run the embedded study and write its sheets."""
    result = run(load_study(folder()))
    for lang in LANGS:
        formats: dict[str, tuple[Format, ...]] = dict.fromkeys(all_themes(result, lang), ("png",))
        formats |= {"layout": ("pdf", "svg", "png")}
        for file in write_sheets(result, HERE / lang, lang, formats=formats, dpi=DPI):
            print(file.relative_to(HERE))


if __name__ == "__main__":
    main()
