"""Where things stand on a sheet: the map, what is below it, and the columns that explain it, for each size of paper either way up.

Takes a size of paper and which way up it lies, gives rectangles in mm. Draws nothing. Type is not scaled with the paper: it grows more
slowly than the sheet, so that a large one shows more, and never falls below what can be read in the hand.
"""

from dataclasses import dataclass
from typing import Literal

Orientation = Literal["landscape", "portrait"]
Box = tuple[float, float, float, float]
# ISO 216, the longer side first.
PAPER_MM = {"A4": (297.0, 210.0), "A3": (420.0, 297.0), "A2": (594.0, 420.0), "A1": (841.0, 594.0)}
# Sizes of type, symbols and lines relative to A3.
UNITS = {"A4": 0.87, "A3": 1.0, "A2": 1.2, "A1": 1.5}
# 八号, the smallest named size of Chinese type.
LEAST_PT = 5.0
MARGIN_MM, BAND_MM, FOOT_MM, PANEL_MM, GUTTER_MM, HEAD_MM = 9.0, 4.0, 13.0, 106.0, 7.0, 22.0
# Height of what stands below the map on an upright A3, in its units.
BELOW_MM = 124.0


def readable(pt: float) -> float:
    """Return a size of type, or the least one that is printed where it is smaller."""
    return max(pt, LEAST_PT)


@dataclass(frozen=True)
class Page:
    """An arranged sheet. Boxes are (left, bottom, right, top) in mm from the lower left corner.

    Attributes:
        paper, orientation: what was asked for.
        width, height: of the sheet.
        unit: sizes of type, symbols and lines relative to A3.
        map: the map inside its frame; a band for the search grid runs around it.
        foot: the strip below the map: north, scale, a note.
        head: the title and what it says below.
        columns: what explains the map, first to last: one beside it, or several below it. Where there is one, it is the head's too.
    """

    paper: str
    orientation: Orientation
    width: float
    height: float
    unit: float
    map: Box
    foot: Box
    head: Box
    columns: tuple[Box, ...]


def arrange(paper: str, orientation: Orientation = "landscape") -> Page:
    """Return how a sheet is arranged: lying, the map stands left of one column; upright, it stands above two or three.

    Args:
        paper: A4, A3, A2 or A1.
        orientation: which way up.
    """
    long, short = PAPER_MM[paper]
    unit = UNITS[paper]
    margin, band, foot = MARGIN_MM * unit, BAND_MM * unit, FOOT_MM * unit
    if orientation == "landscape":
        right = long - margin
        beside = right - PANEL_MM * unit
        frame = (margin + band, margin + foot + band, beside - GUTTER_MM * unit - band, short - margin - band)
        column = (beside, margin, right, short - margin)
        strip = (margin, margin, frame[2] + band, margin + foot)
        return Page(paper, orientation, long, short, unit, frame, strip, column, (column,))
    top = long - margin - HEAD_MM * unit
    below = margin + BELOW_MM * unit
    frame = (margin + band, below + GUTTER_MM * unit + foot + band, short - margin - band, top - band)
    count = 2 if short / unit < 320 else 3
    gutter = GUTTER_MM * unit
    wide = (short - 2 * margin - (count - 1) * gutter) / count
    lefts = [margin + i * (wide + gutter) for i in range(count)]
    columns = tuple((left, margin, left + wide, below) for left in lefts)
    strip = (margin, frame[1] - band - foot, short - margin, frame[1] - band)
    return Page(
        paper, orientation, short, long, unit, frame, strip, (margin, top, short - margin, long - margin), columns
    )
