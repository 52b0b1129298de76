"""Millimetres, lines, areas, symbols and words on a sheet of paper; the only module of the print that touches matplotlib's artists.

A sheet is a matplotlib figure with one set of axes that counts in millimetres from the lower left corner. Every function adds to it.
"""

from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import Stroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox, TransformedBbox
from numpy.typing import NDArray
from PIL import Image
from shapely import Geometry

from planner.draw import style
from planner.draw.fonts import MM_PER_PT, clean, font, shorten, width_mm

Box = tuple[float, float, float, float]
Across = Literal["left", "center", "right"]
Cap = Literal["butt", "round", "projecting"]
Format = Literal["pdf", "svg", "png"]
PNG_DPI = 300
# A hollow line: its rim, and below which width it is dashed instead, on A3.
RIM_MM, SLIM_MM = 0.13, 0.42
# Everything that a file's bytes hang on, whatever the user's own settings of matplotlib say.
_SETTINGS = {
    "pdf.fonttype": 3,  # outlines, with a table of characters: text can be searched and copied
    "pdf.compression": 6,
    "svg.fonttype": "path",  # right on a computer that has no Chinese font
    "svg.hashsalt": "planner",
    "path.simplify": True,
    "path.simplify_threshold": 0.05,
    "text.usetex": False,
    "text.hinting": "none",
    "text.antialiased": True,
}


def sheet(width: float, height: float) -> Axes:
    """Return an empty sheet that counts in mm."""
    figure = Figure(figsize=(width / 25.4, height / 25.4), facecolor=style.WHITE)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    return axes


def save(axes: Axes, stem: Path, formats: Sequence[Format], *, title: str, dpi: int = PNG_DPI) -> list[Path]:
    """Write the sheet as ``stem`` with each format's suffix. The same sheet gives the same bytes: no clock, no chance."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, "backend": "agg", **_SETTINGS}
    files = []
    with mpl.rc_context(settings):
        for form in formats:
            content = BytesIO()
            match form:
                case "pdf":
                    dateless: dict[str, Any] = {"Title": title, "CreationDate": None, "ModDate": None}
                    figure.savefig(content, format="pdf", metadata=dateless)
                case "svg":
                    figure.savefig(content, format="svg", metadata={"Title": title, "Date": None})
                case "png":
                    picture(axes, dpi).save(content, format="png", dpi=(dpi, dpi))
            file = stem.with_name(f"{stem.name}.{form}")
            file.write_bytes(content.getvalue())
            files.append(file)
    return files


def save_pages(pages: Iterable[Axes], file: Path, *, title: str) -> Path:
    """Write sheets as the pages of one PDF. The same sheets give the same bytes."""
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, "backend": "agg", **_SETTINGS}
    with (
        mpl.rc_context(settings),
        PdfPages(file, metadata={"Title": title, "CreationDate": None, "ModDate": None}) as book,
    ):
        for axes in pages:
            book.savefig(axes.get_figure(root=True))
    return file


def picture(axes: Axes, dpi: int) -> Image.Image:
    """Return the sheet as pixels in 256 colours: those of the symbology, and what its blends need most. A third of the bytes of RGB."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")  # type: ignore[no-untyped-call]
    own = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in style.COLOURS])
    sample = pixels.resize((max(pixels.width // 4, 1), max(pixels.height // 4, 1)), Image.Resampling.NEAREST)
    blends = np.array(sample.quantize(256 - len(own), method=Image.Quantize.MEDIANCUT).getpalette()).reshape(-1, 3)
    # Pillow looks colours up in steps of four, so a blend near one of ours could stand in for it.
    apart = np.abs(blends[:, None] - own).max(axis=2).min(axis=1) > 8
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.vstack([own, blends[apart]]).ravel().tolist())
    return pixels.quantize(palette=palette, dither=Image.Dither.NONE)


def lines(
    axes: Axes,
    shapes: Iterable[Geometry],
    mm: float,
    colour: str,
    *,
    clip: Box | None = None,
    dash_mm: tuple[float, ...] = (),
    cap: Cap = "butt",
    order: float = 1,
) -> None:
    """Draw lines as one stroke of one path, so that crossings don't darken and joints don't pile up."""
    outline = _outline([s for s in shapes if not s.is_empty])
    if outline is not None:
        width = mm / MM_PER_PT
        # matplotlib counts dashes in line widths.
        pattern = (0, tuple(d / mm for d in dash_mm)) if dash_mm else "solid"
        patch = PathPatch(
            outline,
            fill=False,
            edgecolor=colour,
            linewidth=width,
            linestyle=pattern,
            capstyle=cap,
            joinstyle="round",
            zorder=order,
        )
        _add(axes, patch, clip)


def coverage_line(
    axes: Axes,
    shapes: Sequence[Geometry],
    mm: float,
    colour: str,
    *,
    gap: bool,
    unit: float,
    clip: Box | None = None,
    order: float,
) -> None:
    """Draw streets of one coverage; those in a gap are hollow, or dashed where they are slim: told apart without colours too.

    A gap is where nothing is. Its ink whispers where few people are, so that what is covered carries the sheet.
    """
    if not gap:
        lines(axes, shapes, mm, colour, clip=clip, order=order)
    elif mm < SLIM_MM * unit:
        lines(axes, shapes, mm, colour, clip=clip, order=order, dash_mm=(1.1 * unit, 0.7 * unit))
    else:
        lines(axes, shapes, mm, colour, clip=clip, order=order)
        lines(axes, shapes, mm - 2 * RIM_MM * unit, style.GAP_CORE, clip=clip, order=order + 0.05)


def area_line(
    axes: Axes, shapes: Iterable[Geometry], unit: float, *, clip: Box | None = None, order: float = 4
) -> None:
    """Draw the border of the area that is studied."""
    lines(
        axes,
        shapes,
        0.25 * unit,
        style.MUTED,
        dash_mm=(2.4 * unit, 0.9 * unit, 0.3 * unit, 0.9 * unit),
        clip=clip,
        order=order,
    )


def areas(
    axes: Axes,
    shapes: Iterable[Geometry],
    colour: str,
    *,
    edge: str = "none",
    edge_mm: float = 0.0,
    opacity: float = 1.0,
    clip: Box | None = None,
    order: float = 1,
) -> None:
    """Draw polygons as one path."""
    rings = []
    parts = shapely.get_parts(np.array(list(shapes), dtype=object))
    for polygon in parts[~shapely.is_empty(parts)]:
        oriented = shapely.orient_polygons(polygon)
        rings += [oriented.exterior, *oriented.interiors]
    outline = _outline(rings)
    if outline is not None:
        patch = PathPatch(
            outline,
            facecolor=colour,
            edgecolor=edge,
            linewidth=edge_mm / MM_PER_PT,
            joinstyle="round",
            alpha=opacity if opacity < 1 else None,
            zorder=order,
        )
        _add(axes, patch, clip)


def dots(
    axes: Axes,
    xy: NDArray[np.float64],
    mm: NDArray[np.float64],
    colour: str,
    *,
    hollow: bool = False,
    clip: Box | None = None,
    order: float = 1,
) -> None:
    """Draw discs of diameters ``mm``; hollow ones are rings of the same outer diameter."""
    if not len(xy):
        return
    pen_mm = 0.22 if hollow else 0.0
    points = axes.scatter(
        xy[:, 0],
        xy[:, 1],
        s=((mm - pen_mm) / MM_PER_PT) ** 2,
        facecolor=style.WHITE if hollow else colour,
        edgecolor=colour if hollow else "none",
        linewidth=pen_mm / MM_PER_PT,
        zorder=order,
    )
    if clip is not None:
        points.set_clip_box(_clip(axes, clip))


def box(
    axes: Axes,
    left: float,
    bottom: float,
    width: float,
    height: float,
    *,
    colour: str = "none",
    edge: str = "none",
    edge_mm: float = 0.0,
    order: float = 1,
) -> None:
    """Draw a rectangle."""
    pen = edge_mm / MM_PER_PT
    axes.add_artist(
        Rectangle(
            (left, bottom),
            width,
            height,
            facecolor=colour,
            edgecolor=edge,
            linewidth=pen,
            joinstyle="miter",
            zorder=order,
        )
    )


def rule(
    axes: Axes,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    mm: float = 0.15,
    colour: str = style.INK,
    *,
    order: float = 1,
) -> None:
    """Draw a straight line."""
    lines(axes, [shapely.LineString([(x0, y0), (x1, y1)])], mm, colour, order=order)


def symbol(
    axes: Axes,
    x: float,
    y: float,
    mm: float,
    shape: str,
    status: str,
    colour: str,
    *,
    halo_mm: float = 0.35,
    order: float = 6,
) -> None:
    """Draw a site: ``shape`` as in `style.SHAPES`, the fill by status, ``colour`` of the moment from which it serves.

    A site that is kept is solid, one that is upgraded half filled, a new one open with a bold rim; a closed one is struck through.
    The mark of a gap, and that of a page of the atlas, is solid in ``colour``; that of a gap for want of seats has a rim of it.
    """
    corners = np.array(style.outline(shape)) * mm + (x, y)
    body = shapely.Polygon(corners)
    rim, hairline = min(0.16 * mm, 0.95), min(0.3, 0.09 * mm)
    areas(axes, [body], style.WHITE, edge=style.WHITE, edge_mm=2 * halo_mm, order=order)
    match status:
        case "chosen" | "candidate":
            areas(axes, [body], style.INK, edge=style.INK, edge_mm=hairline, order=order)
            areas(axes, [body], colour, order=order)
            areas(axes, [body.buffer(-rim, join_style="mitre")], style.WHITE, order=order)
        case "upgraded":
            areas(axes, [body], style.INK, edge=style.INK, edge_mm=hairline, order=order)
            areas(axes, [body], colour, order=order)
            inner = body.buffer(-rim, join_style="mitre")
            areas(axes, [inner], style.WHITE, order=order)
            low, high = inner.bounds[1], inner.bounds[3]
            filled = shapely.intersection(inner, shapely.box(x - mm, low, x + mm, low + 0.36 * (high - low)))
            areas(axes, [filled], style.TODAY, order=order)
        case "closed":
            areas(axes, [body], style.WHITE, edge=style.MUTED, edge_mm=0.3, order=order)
            half = mm * 0.32
            for sign in (-1, 1):
                rule(axes, x - half, y - sign * half, x + half, y + sign * half, 0.3, style.MUTED, order=order)
        case "gap" | "page":
            areas(axes, [body], colour, edge=style.WHITE, edge_mm=0.3, order=order)
        case "gap_seats":
            areas(axes, [body], colour, edge=style.WHITE, edge_mm=0.3, order=order)
            areas(axes, [body.buffer(-rim, join_style="mitre")], style.WHITE, order=order)
        case _:
            areas(axes, [body], style.TODAY, order=order)


def words(
    axes: Axes,
    x: float,
    y: float,
    text: object,
    pt: float,
    colour: str = style.INK,
    *,
    across: Across = "left",
    serif: bool = False,
    limit_mm: float | None = None,
    halo_mm: float = 0.0,
    rotation: float = 0.0,
    middle: bool = False,
    order: float = 8,
) -> Text | None:
    """Write one line of text; ``y`` is its base line, or its middle.

    Args:
        limit_mm: the text is cut with … where it is wider.
        halo_mm: width of a paper-coloured rim that parts the letters from what lies beneath.
        middle: centre the height of a Chinese character on ``y``.
    """
    said = clean(text, serif=serif)
    if limit_mm is not None:
        said = shorten(said, pt, limit_mm, serif=serif)
    if not said:
        return None
    # A Chinese character of these fonts stands from −0.12 to 0.88 em about the base line.
    base = y - (0.37 * pt * MM_PER_PT if middle else 0.0)
    look: dict[str, Any] = {
        "fontproperties": font(serif=serif),
        "fontsize": pt,
        "ha": across,
        "va": "baseline",
        "rotation": rotation,
    }
    if rotation:
        base, look["va"], look["rotation_mode"] = y, "center", "anchor"
    if halo_mm:
        rim = axes.text(x, base, said, color=style.PAPER, zorder=order - 0.5, parse_math=False, **look)
        rim.set_path_effects([Stroke(linewidth=2 * halo_mm / MM_PER_PT, foreground=style.PAPER, joinstyle="round")])
    return axes.text(x, base, said, color=colour, zorder=order, parse_math=False, **look)


def spaced(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    pt: float,
    gap_mm: float,
    colour: str,
    *,
    halo_mm: float = 0.0,
    order: float = 8,
) -> None:
    """Write one line centred on (x, y) with ``gap_mm`` between its characters, as maps letter the names of areas."""
    said = clean(text)
    widths = [width_mm(c, pt) for c in said]
    left = x - (sum(widths) + gap_mm * (len(said) - 1)) / 2
    for char, width in zip(said, widths, strict=True):
        words(axes, left + width / 2, y, char, pt, colour, across="center", middle=True, halo_mm=halo_mm, order=order)
        left += width + gap_mm


def _outline(shapes: Sequence[Geometry]) -> Outline | None:
    """Return the coordinates of lines and rings as one path."""
    parts = shapely.get_parts(np.array(shapes, dtype=object))
    if not len(parts):
        return None
    coords = shapely.get_coordinates(parts)
    counts = shapely.get_num_coordinates(parts)
    codes = np.full(len(coords), Outline.LINETO, dtype=np.uint8)
    codes[np.cumsum(counts) - counts] = Outline.MOVETO
    closed = shapely.is_ring(parts) & (shapely.get_type_id(parts) == shapely.GeometryType.LINEARRING)
    codes[(np.cumsum(counts) - 1)[closed]] = Outline.CLOSEPOLY
    return Outline(coords, codes)


def _clip(axes: Axes, clip: Box) -> TransformedBbox:
    # A box, not a path: Agg cuts a path through a mask as large as the sheet, at twice the time of all drawing.
    return TransformedBbox(Bbox.from_extents(*clip), axes.transData)


def _add(axes: Axes, patch: PathPatch, clip: Box | None) -> None:
    # Not add_patch, which measures every path to set limits that are set already: half the time of a sheet.
    axes.add_artist(patch)
    if clip is not None:
        patch.set_clip_box(_clip(axes, clip))
