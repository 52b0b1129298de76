"""The map inside the frame: water, streets, demand in its shades, sites and marks, names.

Takes a `Result`, a `Theme` and a `Frame`, and draws on a sheet. It tells what it drew (`Drawn`), so that the legend explains that and
nothing else. What all sheets of a set share is laid out once (`Base`).
"""

from dataclasses import dataclass
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes
from numpy.typing import NDArray
from shapely import Geometry

from planner.draw import pen, place, style
from planner.draw.extent import Frame, cells, letter, to_paper
from planner.draw.fonts import MM_PER_PT, clean, width_mm
from planner.draw.page import Page
from planner.draw.themes import Theme
from planner.pipeline import Result

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Shapes = NDArray[np.object_]
# Side of a square of the search grid, on A3.
CELL_MM = 50.0
# A primary street of the base map, on A3.
PRIMARY_MM = 0.55
# Diameter of a numbered township's site, on A3.
SITE_MM = 5.6
# Line demand: paper shows people as ink, so a line's width is proportional to its people per km; the busiest streets get this width.
BUSIEST_MM = 1.0
THINNEST_MM = 0.16
# Point demand: the area of a dot is proportional to its people.
BIGGEST_DOT_MM = 1.3
SMALLEST_DOT_MM = 0.42
# The edge of the zone that an atlas page is about, on A3.
FOCUS_MM = 0.3
# Bends smaller than this don't show on paper.
BEND_MM = 0.04


@dataclass(frozen=True, eq=False)
class Base:
    """What all sheets of a run share, in mm on paper.

    Attributes:
        page: how the sheet is arranged.
        frame: where the ground lies.
        unit: sizes on this sheet relative to A3.
        water: parts of the waters within the frame, with ``water_names``.
        streets: lines of the base map by width in mm, thin ones first.
        area: the area that is studied, or None where the study has no zones.
        zones: what the frame shows of each zone's land, with ``zone_names``.
        is_line: (n_demand,) whether a unit is a stretch of street.
        shapes: (n_demand,) lines and points.
        inside: (n_demand,) whether the frame shows it.
        density: (n_demand,) units' length in km, to turn people into people per km; NaN for points.
    """

    page: Page
    frame: Frame
    unit: float
    water: tuple[Geometry, ...]
    water_names: tuple[str, ...]
    streets: dict[float, list[Geometry]]
    area: Geometry | None
    zones: tuple[Geometry, ...]
    zone_names: tuple[str, ...]
    is_line: NDArray[np.bool_]
    shapes: Shapes
    inside: NDArray[np.bool_]
    length_km: Floats


@dataclass(frozen=True)
class Drawn:
    """What the map shows, for the legend.

    Attributes:
        line_shades, dot_shades: numbers of the theme's shades that are seen on lines, and on dots.
        mm_per_density: width in mm of a line with one worker per km; 0 without line demand.
        densities: people per km of the lines drawn, least and greatest; empty without line demand.
        dot_mm: diameter of a dot for one worker; 0 without point demand.
        heaviest_dot: most people at a point.
        modes, statuses, tiers, reasons: of the marks drawn, in the order of the symbology.
        streets, water, zones, area, focus: whether each is seen.
    """

    line_shades: tuple[int, ...]
    dot_shades: tuple[int, ...]
    mm_per_density: float
    densities: tuple[float, ...]
    dot_mm: float
    heaviest_dot: float
    modes: tuple[str, ...]
    statuses: tuple[str, ...]
    tiers: tuple[str, ...]
    reasons: tuple[str, ...]
    streets: bool
    water: bool
    zones: bool
    area: bool
    focus: bool


def lay_out(result: Result, page: Page, frame: Frame) -> Base:
    """Turn what all sheets share into millimetres."""
    unit = page.unit
    waters_near = _near(result.water, frame)
    water = _paper(waters_near, frame)
    seen = shapely.intersects(water, frame.box)
    waters = shapely.intersection(water[seen], frame.box.buffer(2))
    zones_near = _near(result.zones, frame)
    zones = _paper(zones_near, frame)
    area = None
    if len(zones):
        # Zones drawn by hand rarely meet to the millimetre.
        area = shapely.buffer(shapely.union_all(shapely.buffer(zones, 0.1, quad_segs=1)), -0.1, quad_segs=1)
    land = shapely.difference(shapely.intersection(zones, frame.box.buffer(-1.5 * unit)), shapely.union_all(waters))
    lines = result.demand["line"]
    is_line = lines.notna().to_numpy()
    shapes = np.where(is_line, lines.to_numpy(), result.demand.geometry.to_numpy()).astype(object)
    left, bottom, right, top = frame.ground.bounds
    x0, y0, x1, y1 = shapely.bounds(shapes).T
    near = (x1 >= left) & (x0 <= right) & (y1 >= bottom) & (y0 <= top)
    shapes[near] = to_paper(frame, shapes[near])
    return Base(
        page=page,
        frame=frame,
        unit=unit,
        water=tuple(waters),
        water_names=tuple(clean(name) for name in waters_near["name"][seen]),
        streets=_streets(_near(result.streets, frame), frame, unit),
        area=area,
        zones=tuple(land),
        zone_names=tuple(clean(name) for name in zones_near["name"]),
        is_line=is_line,
        shapes=shapes,
        inside=near & shapely.intersects(shapes, frame.box),
        length_km=np.where(is_line, result.demand["length_m"].to_numpy(dtype=float) / 1000, np.nan),
    )


def draw(axes: Axes, base: Base, theme: Theme) -> Drawn:
    """Draw the map of a theme."""
    frame, unit = base.frame, base.unit
    pen.box(axes, frame.left, frame.bottom, frame.width, frame.height, colour=style.PAPER, order=0)
    if base.water:
        # As one area, clefts closed: where a tributary flows in there is no shore.
        whole = shapely.buffer(shapely.buffer(shapely.union_all(base.water), 0.8 * unit), -0.8 * unit)
        pen.areas(axes, [whole], style.WATER, edge=style.WATER_EDGE, edge_mm=0.2 * unit, clip=frame.edges, order=0.5)
    for mm, streets in base.streets.items():
        pen.lines(axes, streets, mm, style.STREET, clip=frame.edges, cap="round", order=1)
    if base.area is not None:
        # The outer edge of all zones: how far the figures reach. Borders between zones are not drawn.
        edges = [p.exterior for p in shapely.get_parts(base.area)]
        pen.area_line(axes, edges, unit, clip=frame.edges)
    if theme.focus is not None:
        _focus(axes, base, theme.focus)
    lines = _line_demand(axes, base, theme)
    dots = _point_demand(axes, base, theme)
    marks, boxes = _marks(axes, base, theme)
    streets_ink = [(line, 0.3) for streets in base.streets.values() for line in streets]
    _names(axes, base, place.ink(frame.edges, streets_ink + [(line, 1.0) for line in lines.shapes]), boxes)
    _border(axes, frame, unit)
    sites, reasons = (
        marks[~marks["status"].isin(["gap", "gap_seats", "page"])],
        marks.get("reason", pd.Series(dtype=str)),
    )
    return Drawn(
        line_shades=lines.shades,
        dot_shades=dots.shades,
        mm_per_density=lines.mm_per_density,
        densities=lines.densities,
        dot_mm=dots.mm,
        heaviest_dot=dots.heaviest,
        modes=tuple(m for m in style.SHAPES if (sites["mode"] == m).any()),
        statuses=tuple(s for s in ("existing", "upgraded", "chosen", "closed", "page") if (marks["status"] == s).any()),
        tiers=tuple(t for t in style.TIER_SIZES if (sites["tier"] == t).any()),
        reasons=tuple(r for r in style.REASONS if (reasons == r).any()),
        streets=bool(base.streets),
        water=bool(base.water),
        zones=bool(base.zones),
        area=base.area is not None,
        focus=theme.focus is not None,
    )


def _focus(axes: Axes, base: Base, focus: Geometry) -> None:
    """Veil what lies outside the area that the sheet is about, and draw its edge."""
    on_paper = to_paper(base.frame, np.array([focus], dtype=object))[0]
    outside = shapely.difference(base.frame.box, on_paper)
    pen.areas(axes, [outside], style.PAPER, opacity=0.6, clip=base.frame.edges, order=4.1)
    edges = [p.exterior for p in shapely.get_parts(on_paper)]
    pen.lines(axes, edges, FOCUS_MM * base.unit, style.ZONE_INK, clip=base.frame.edges, order=4.2)


def _near(layer: gpd.GeoDataFrame, frame: Frame) -> gpd.GeoDataFrame:
    """Return the rows of a layer that the frame may show, in their order."""
    return layer.iloc[np.sort(layer.sindex.query(frame.ground))]


def _paper(layer: gpd.GeoDataFrame, frame: Frame) -> Shapes:
    return to_paper(frame, np.asarray(layer.geometry.to_numpy(), dtype=object))


def _streets(streets: gpd.GeoDataFrame, frame: Frame, unit: float) -> dict[float, list[Geometry]]:
    """Return the lines of the base map that the frame shows, by width; thin ones first, so that wide ones lie on top."""
    shapes = _paper(streets, frame)
    inside = shapely.intersects(shapes, frame.box)
    classes = streets["highway"] if "highway" in streets else pd.Series("", index=streets.index)
    width = classes.fillna("").astype(str).map(style.street_width).to_numpy(dtype=float) * PRIMARY_MM * unit
    return {float(mm): _merged(shapes[inside & (width == mm)]) for mm in sorted(set(width[inside]))}


def _merged(shapes: Shapes) -> list[Geometry]:
    """Join lines end to end, and leave out bends that paper cannot show."""
    joined = shapely.line_merge(shapely.multilinestrings(shapely.get_parts(shapes)))
    return list(shapely.simplify(shapely.get_parts(joined), BEND_MM))


@dataclass(frozen=True)
class _Lines:
    shades: tuple[int, ...] = ()
    mm_per_density: float = 0.0
    densities: tuple[float, ...] = ()
    shapes: tuple[Geometry, ...] = ()


def _line_demand(axes: Axes, base: Base, theme: Theme) -> _Lines:
    """Draw line demand as wide as its people per km, in its shade; gaps are hollow."""
    unit, clip = base.unit, base.frame.edges
    rows = base.is_line & base.inside & (theme.weight > 0)
    if not rows.any():
        return _Lines()
    shapes, shade = base.shapes[rows], theme.shade[rows]
    density = theme.weight[rows] / base.length_km[rows]
    per_density = BUSIEST_MM * unit / float(np.quantile(density, 0.995))
    # Rounded, so that neighbours join into one stroke.
    width = np.round(np.clip(density * per_density, THINNEST_MM * unit, 1.25 * BUSIEST_MM * unit), 2)
    keys = sorted(set(zip(shade.tolist(), width.tolist(), strict=True)))
    merged = {(i, mm): _merged(shapes[(shade == i) & (width == mm)]) for i, mm in keys}
    for (_, mm), lines in merged.items():
        pen.lines(axes, lines, mm + 0.45 * unit, style.WHITE, clip=clip, order=2)
    for (i, mm), lines in merged.items():
        look = theme.shades[i]
        pen.coverage_line(axes, lines, mm, look.colour, gap=look.gap, unit=unit, clip=clip, order=3 - 0.06 * i)
    return _Lines(
        shades=tuple(sorted(set(shade.tolist()))),
        mm_per_density=per_density,
        densities=(float(density.min()), float(density.max())),
        shapes=tuple(line for lines in merged.values() for line in lines),
    )


@dataclass(frozen=True)
class _Dots:
    shades: tuple[int, ...] = ()
    mm: float = 0.0
    heaviest: float = 0.0


def _point_demand(axes: Axes, base: Base, theme: Theme) -> _Dots:
    """Draw point demand as dots whose area is proportional to their people; gaps are hollow."""
    rows = ~base.is_line & base.inside & (theme.weight > 0)
    if not rows.any():
        return _Dots()
    xy, shade, weight = shapely.get_coordinates(base.shapes[rows]), theme.shade[rows], theme.weight[rows]
    per_person = BIGGEST_DOT_MM * base.unit / float(np.sqrt(np.quantile(weight, 0.995)))
    mm = np.maximum(np.sqrt(weight) * per_person, SMALLEST_DOT_MM * base.unit)
    for i in sorted(set(shade.tolist()), reverse=True):
        at, look = shade == i, theme.shades[i]
        pen.dots(axes, xy[at], mm[at], look.colour, hollow=look.gap, clip=base.frame.edges, order=3.5)
    return _Dots(tuple(sorted(set(shade.tolist()))), per_person, float(weight.max()))


def _marks(axes: Axes, base: Base, theme: Theme) -> tuple[pd.DataFrame, Floats]:
    """Draw the marks that the frame shows, numbered ones off each other with a leader to their place; return them and their boxes."""
    frame, unit, marks = base.frame, base.unit, theme.marks
    points = to_paper(frame, shapely.points(marks[["x", "y"]].to_numpy(dtype=float)))
    inside = shapely.intersects(points, frame.box)
    marks, xy = marks[inside], shapely.get_coordinates(points[inside])
    size = marks["size"].to_numpy(dtype=float) * SITE_MM * unit
    numbered = marks["number"].to_numpy() > 0
    still = place.around(xy[~numbered], size[~numbered] / 2, size[~numbered] / 2)
    bounds = (frame.left + unit, frame.bottom + unit, frame.right - unit, frame.top - unit)
    at = xy.copy()
    at[numbered] = place.spread(xy[numbered], size[numbered], still, bounds, gap_mm=0.9 * unit)
    looks = list(marks[["number", "shape", "status", "colour"]].itertuples(index=False, name=None))
    for i in np.flatnonzero(~numbered):
        _, shape, status, colour = looks[i]
        pen.symbol(axes, xy[i, 0], xy[i, 1], size[i], shape, status, colour, halo_mm=0.4 * unit, order=5)
    for i in np.flatnonzero(numbered & (np.hypot(*(xy - at).T) > 0.3 * size)):
        leader = [shapely.LineString([xy[i], at[i]])]
        pen.lines(axes, leader, 0.7 * unit, style.WHITE, order=5.5)
        pen.lines(axes, leader, 0.25 * unit, style.INK, order=5.5)
        pen.dots(axes, xy[i][None], np.array([1.1 * unit]), style.INK, order=5.6)
    # The first of the list lies on top.
    for rank, i in enumerate(sorted(np.flatnonzero(numbered), key=lambda i: -looks[i][0])):
        number, shape, status, colour = looks[i]
        _numbered(axes, (at[i, 0], at[i, 1]), size[i], number, (shape, status, colour), unit, order=6 + rank * 1e-3)
    return marks, place.around(at, size / 2 + 0.4 * unit, size / 2 + 0.4 * unit)


def _numbered(
    axes: Axes,
    at: tuple[float, float],
    mm: float,
    number: int,
    look: tuple[str, str, str],
    unit: float,
    *,
    order: float,
) -> None:
    """Draw a symbol (shape, status, colour) with its number: inside it, and above the water line of a half filled one."""
    shape, status, colour = look
    pen.symbol(axes, *at, mm, shape, status, colour, halo_mm=0.3 * unit, order=order)
    pt = (7.4 if number < 100 else 5.8) * mm / SITE_MM
    ink = style.WHITE if status == "existing" else style.ink_on(colour) if status in ("gap", "page") else style.INK
    lift = 0.09 * mm if status == "upgraded" else 0.0
    pen.words(axes, at[0], at[1] + lift, number, pt, ink, across="center", middle=True, order=order + 5e-4)


def _names(axes: Axes, base: Base, under: place.Ink, taken: Floats) -> None:
    """Letter the waters along their middle and the zones in their calmest corner, off all marks."""
    unit = base.unit
    for name, shape in zip(base.water_names, base.water, strict=True):
        taken = np.vstack([taken, _water_name(axes, name, shape, unit, under, taken)])
    pt, gap = 7.2 * unit, 0.9 * unit
    for name, shape in zip(base.zone_names, base.zones, strict=True):
        parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and not p.is_empty]
        if not name or not parts:
            continue
        width, height = width_mm(name, pt) + gap * (len(name) - 1), pt * MM_PER_PT
        widest = max(parts, key=lambda p: p.area)
        where = place.in_area(widest, width + 2 * unit, height + 1.6 * unit, under, taken)
        if where is not None:
            pen.spaced(axes, *where, name, pt, gap, style.ZONE_INK, halo_mm=0.55 * unit, order=4.5)
            taken = np.vstack([taken, place.around(np.array([where]), width / 2 + unit, height / 2 + unit)])


def _water_name(axes: Axes, name: str, shape: Geometry, unit: float, under: place.Ink, taken: Floats) -> Floats:
    """Letter a water as large as it holds, and return the boxes of its characters."""
    polygon = max(shapely.get_parts(shape), key=lambda p: p.area)
    for pt in (20 * unit, 13 * unit, 9 * unit):
        mm = pt * MM_PER_PT
        at = place.along(polygon, len(name), mm, keep_apart=taken, under=under) if name else None
        if at is not None:
            for char, (x, y) in zip(name, at, strict=True):
                pen.words(axes, x, y, char, pt, style.WATER_INK, across="center", serif=True, middle=True, order=4.4)
            return place.around(at, mm * 0.6, mm * 0.6)
    return np.empty((0, 4))


def _border(axes: Axes, frame: Frame, unit: float) -> None:
    """Draw the frame with the letters and numbers of its search grid in the margin."""
    band, pt = 4.0 * unit, 6.5 * unit
    left, bottom, right, top = frame.left, frame.bottom, frame.right, frame.top
    pen.box(axes, left, bottom, frame.width, frame.height, edge=style.INK, edge_mm=0.25 * unit, order=9)
    outer = (left - band, bottom - band, frame.width + 2 * band, frame.height + 2 * band)
    pen.box(axes, *outer, edge=style.INK, edge_mm=0.55 * unit, order=9)
    columns, rows = cells(frame, CELL_MM * unit)
    look = {"across": "center", "middle": True, "order": 9}
    for i, (a, b) in enumerate(pairwise(columns)):
        for y, tick in ((top, band), (bottom, -band)):
            if i:
                pen.rule(axes, a, y, a, y + tick, 0.15 * unit, order=9)
            if b - a > 4 * unit:
                pen.words(axes, (a + b) / 2, y + tick / 2, letter(i), pt, style.MUTED, **look)  # type: ignore[arg-type]
    for i, (a, b) in enumerate(pairwise(rows)):
        for x, tick in ((right, band), (left, -band)):
            if i:
                pen.rule(axes, x, a, x + tick, a, 0.15 * unit, order=9)
            if a - b > 4 * unit:
                pen.words(axes, x + tick / 2, (a + b) / 2, i + 1, pt, style.MUTED, **look)  # type: ignore[arg-type]
