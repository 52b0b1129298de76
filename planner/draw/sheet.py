"""Result -> the print sheets: the layout plan map 布局规划图, and on request the existing sites, effective coverage, gaps and years.

Takes a `Result` and a folder, writes maps/*.pdf|svg|png. Every figure on a sheet is the Result's; nothing comes from the clock or by
chance.
"""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes

from planner.draw import ground, panel, pen
from planner.draw.extent import Frame, fit
from planner.draw.themes import Theme, all_themes
from planner.pipeline import Result
from planner.words import Lang

MARGIN_MM, BAND_MM, FOOT_MM, PANEL_MM, GUTTER_MM = 9.0, 4.0, 13.0, 106.0, 7.0
# Ground beyond the area that is studied, as a share of its width and height.
PADDING = 0.015
# What a run writes by itself: the layout plan in full. The other sheets take as long again, and are made where they are wanted.
DEFAULT: Mapping[str, tuple[pen.Format, ...]] = {"layout": ("pdf", "svg", "png")}


def write_sheets(
    result: Result,
    folder: Path,
    lang: Lang,
    *,
    formats: Mapping[str, tuple[pen.Format, ...]] | None = None,
    dpi: int = pen.PNG_DPI,
) -> list[Path]:
    """Write sheets of a run and return the files.

    Args:
        formats: formats of each sheet by its name: ``existing``, ``effective``, ``gaps``, ``layout``, ``year-2027`` …; what is not named
            is not drawn. By default the layout plan as PDF, SVG and PNG.
        dpi: pixels an inch of the PNGs.

    Raises:
        MissingPackageError: the package with the fonts is not installed.
    """
    formats = DEFAULT if formats is None else formats
    folder.mkdir(parents=True, exist_ok=True)
    base, files = lay_out(result), list[Path]()
    wanted = {name: make for name, make in all_themes(result, lang).items() if name in formats}
    for number, (name, make) in enumerate(wanted.items(), 1):
        theme = make()
        axes = draw(result, base, theme, lang, number=number, count=len(wanted))
        files += pen.save(axes, folder / name, formats[name], title=theme.title, dpi=dpi)
    return files


def lay_out(result: Result) -> ground.Base:
    """Lay out the map on a sheet of the study's paper size."""
    width, height = pen.PAPER_MM[result.study.map.paper]
    unit = height / pen.PAPER_MM["A3"][1]
    return ground.lay_out(result, map_frame(result, unit, width, height), unit)


def draw(result: Result, base: ground.Base, theme: Theme, lang: Lang, *, number: int = 1, count: int = 1) -> Axes:
    """Draw one sheet: the map on the left, what explains it on the right, scale and notes below."""
    study, frame, unit = result.study, base.frame, base.unit
    axes = pen.sheet(study.map.paper)
    width, height = pen.PAPER_MM[study.map.paper]
    drawn = ground.draw(axes, base, theme)
    beside = panel.Column(axes, width - (MARGIN_MM + PANEL_MM) * unit, width - MARGIN_MM * unit, unit, lang)
    y = panel.title(beside, height - MARGIN_MM * unit, theme)
    y = panel.coverage(beside, y, result, theme.bars)
    y = panel.legend(beside, y, result, theme, drawn)
    block = panel.title_block(beside, MARGIN_MM * unit, result, frame, number=number, count=count)
    panel.listing(beside, y, block + 2.5 * unit, theme, frame)
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
