"""Result -> one print sheet: the layout plan map 布局规划图, the existing sites, effective coverage, gaps, a year, a page of the atlas.

Takes a `Result` and a theme, gives a sheet that `pen.save` writes. Every figure on a sheet is the Result's; nothing comes from the clock
or by chance.
"""

from matplotlib.axes import Axes

from planner.draw import ground, panel, pen
from planner.draw.extent import Frame, fit
from planner.draw.page import BAND_MM, Page, arrange
from planner.draw.themes import Theme
from planner.pipeline import Result
from planner.words import Lang

# Ground beyond the area that is shown, as a share of its width and height.
PADDING = 0.015

Bounds = tuple[float, float, float, float]


def lay_out(result: Result, page: Page | None = None, bounds: Bounds | None = None) -> ground.Base:
    """Lay out the map on a sheet.

    Args:
        page: how the sheet is arranged; as the study asks by default.
        bounds: (min x, min y, max x, max y) of what must be seen, in the study's CRS; all that is studied by default.
    """
    page = page or arrange(result.study.map.paper, result.study.map.orientation)
    return ground.lay_out(result, page, _frame(result, page, bounds or _studied(result)))


def draw(result: Result, base: ground.Base, theme: Theme, lang: Lang, *, number: str) -> Axes:
    """Draw one sheet: the map, beside or below it what explains it, and under its frame scale and notes.

    Args:
        number: what the title block says of the sheet's place in its set.
    """
    axes = pen.sheet(base.page.width, base.page.height)
    explain(axes, result, base, theme, ground.draw(axes, base, theme), lang, number=number)
    return axes


def explain(
    axes: Axes, result: Result, base: ground.Base, theme: Theme, drawn: ground.Drawn, lang: Lang, *, number: str
) -> None:
    """Draw what explains a map that is drawn already: all of the sheet that is in words."""
    page, frame, unit = base.page, base.frame, base.unit
    head, *columns = (panel.Column(axes, left, right, unit, lang) for left, _, right, _ in (page.head, *page.columns))
    tops = [panel.title(head, page.head[3], theme), *(top for *_, top in page.columns[1:])]
    if page.head != page.columns[0]:
        tops = [top for *_, top in page.columns]
    y = panel.coverage(columns[0], tops[0], result, theme)
    tops[0] = panel.legend(columns[0], y, result, theme, drawn)
    # The title block closes the last column; the lists take what room is left, column by column.
    floors = [bottom for _, bottom, *_ in page.columns]
    floors[-1] = panel.title_block(columns[-1], floors[-1], result, base, number) + 2.5 * unit
    at = min(1, len(columns) - 1)
    tops[at] = panel.listing(columns[at], tops[at], floors[at], theme, theme.listing, frame)
    if at + 1 < len(columns):
        at += 1
    panel.listing(columns[at], tops[at], floors[at], theme, theme.second, frame, least_mm=panel.LEAST_FILL_MM)
    below = panel.Column(axes, page.foot[0], page.foot[2], unit, lang)
    panel.foot(below, frame.bottom - BAND_MM * unit, frame, result.study.caveat)


def _studied(result: Result) -> Bounds:
    """Return the bounds of what the zones cover, or of the demand where the study has none."""
    layer = result.zones if len(result.zones) else result.demand
    x0, y0, x1, y1 = (float(v) for v in layer.total_bounds)
    return x0, y0, x1, y1


def _frame(result: Result, page: Page, bounds: Bounds) -> Frame:
    x0, y0, x1, y1 = bounds
    pad_x, pad_y = PADDING * (x1 - x0), PADDING * (y1 - y0)
    left, bottom, right, top = page.map
    seen = (x0 - pad_x, y0 - pad_y, x1 + pad_x, y1 + pad_y)
    return fit(seen, result.study.crs, (left, bottom, right - left, top - bottom))
