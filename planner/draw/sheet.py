"""Result -> the print sheets: the layout plan map 布局规划图 as PDF, SVG and PNG.

Takes a `Result` and a folder, writes maps/layout.*. Every figure on a sheet is the Result's; nothing comes from the clock or by chance.
"""

from pathlib import Path

from matplotlib.axes import Axes

from planner.draw import ground, panel, pen
from planner.draw.extent import Frame, fit
from planner.pipeline import Result
from planner.words import Lang, say

MARGIN_MM, BAND_MM, FOOT_MM, PANEL_MM, GUTTER_MM = 9.0, 4.0, 13.0, 106.0, 7.0
# Ground beyond the area that is studied, as a share of its width and height.
PADDING = 0.015


def write_sheets(result: Result, folder: Path, lang: Lang) -> list[Path]:
    """Write the sheets of a run and return the files.

    Raises:
        MissingPackageError: the package with the fonts is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    axes = layout_sheet(result, lang)
    return pen.save(axes, folder / "layout", ("pdf", "svg", "png"), title=sheet_title(result, lang))


def sheet_title(result: Result, lang: Lang) -> str:
    """Return the title of the layout plan map."""
    return result.study.map.title or say(lang, "sheet.layout_title")


def layout_sheet(result: Result, lang: Lang) -> Axes:
    """Draw the layout plan map on a sheet of the study's paper size."""
    study = result.study
    axes = pen.sheet(study.map.paper)
    width, height = pen.PAPER_MM[study.map.paper]
    unit = height / pen.PAPER_MM["A3"][1]
    frame = map_frame(result, unit, width, height)
    drawn = ground.layout(axes, result, frame, unit)

    beside = panel.Column(axes, width - (MARGIN_MM + PANEL_MM) * unit, width - MARGIN_MM * unit, unit, lang)
    y = panel.title(beside, height - MARGIN_MM * unit, sheet_title(result, lang), _below_title(result, lang))
    y = panel.coverage(beside, y, result)
    y = panel.legend(beside, y, result, drawn)
    foot = panel.title_block(beside, MARGIN_MM * unit, result, frame, number=1, count=1)
    if len(result.actions):
        panel.programme(beside, y, foot + 2.5 * unit, result, frame)
    below = panel.Column(axes, MARGIN_MM * unit, frame.right + BAND_MM * unit, unit, lang)
    panel.foot(below, frame.bottom - BAND_MM * unit, frame, study.illustrative)
    return axes


def map_frame(result: Result, unit: float, width: float, height: float) -> Frame:
    """Return the map's frame on a sheet: what the zones cover, or the demand where the study has none."""
    layer = result.zones if len(result.zones) else result.demand
    x0, y0, x1, y1 = layer.total_bounds
    pad_x, pad_y = PADDING * (x1 - x0), PADDING * (y1 - y0)
    left, bottom = (MARGIN_MM + BAND_MM) * unit, (MARGIN_MM + FOOT_MM + BAND_MM) * unit
    right = width - (MARGIN_MM + PANEL_MM + GUTTER_MM + BAND_MM) * unit
    top = height - (MARGIN_MM + BAND_MM) * unit
    bounds = (x0 - pad_x, y0 - pad_y, x1 + pad_x, y1 + pad_y)
    return fit(bounds, result.study.crs, (left, bottom, right - left, top - bottom))


def _below_title(result: Result, lang: Lang) -> list[str]:
    study = result.study
    walk = say(lang, "sheet.walk", radius=panel.figure(study.standard.service_radius_m))
    return [study.scope, walk] if study.scope else [walk]
