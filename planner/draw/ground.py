"""The map inside the frame: water, streets, demand by the moment of its coverage, sites, names.

Takes a `Result` and a `Frame`, draws on a sheet. What it draws it also tells (`Drawn`), so that the legend shows that and nothing else.
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
from planner.pipeline import Result

Floats = NDArray[np.float64]
Shapes = NDArray[np.object_]
NEVER = -1
CELL_MM = 50.0
# A primary street of the base map, on A3.
PRIMARY_MM = 0.55
# Line demand: paper shows people as ink, so a line's width is proportional to its people per km; the busiest streets get this width.
BUSIEST_MM = 1.0
THINNEST_MM = 0.16
# Point demand: the area of a dot is proportional to its people.
BIGGEST_DOT_MM = 1.3
SMALLEST_DOT_MM = 0.42


@dataclass(frozen=True)
class Drawn:
    """What the map shows, for the legend.

    Attributes:
        moments: 0, years, -1: each moment from which some line or point demand is covered, in this order.
        mm_per_density: width in mm of a line with one worker per km; 0 without line demand.
        densities: people per km of the lines drawn, least and greatest; empty without line demand.
        dot_mm: diameter of a dot for one worker; 0 without point demand.
        heaviest_dot: most people at a point.
        modes, statuses, tiers: of the sites drawn, in the order of the symbology.
        streets, water, zones, area: whether each is seen.
    """

    moments: tuple[int, ...]
    mm_per_density: float
    densities: tuple[float, ...]
    dot_mm: float
    heaviest_dot: float
    modes: tuple[str, ...]
    statuses: tuple[str, ...]
    tiers: tuple[str, ...]
    streets: bool
    water: bool
    zones: bool
    area: bool


def moments_of(result: Result) -> tuple[int, ...]:
    """Return today (0), the years of the plan and never (-1)."""
    return (0, *result.years, NEVER)


def colours(result: Result) -> dict[int, str]:
    """Return the colour of each moment."""
    return {**style.year_colours(result.years), NEVER: style.GAP}


def layout(axes: Axes, result: Result, frame: Frame, unit: float) -> Drawn:
    """Draw the layout plan: who is covered from when, and the sites as they stand at the end of the plan.

    Args:
        unit: sizes on this sheet relative to A3.
    """
    clip = frame.box
    pen.box(axes, frame.left, frame.bottom, frame.width, frame.height, colour=style.PAPER, order=0)
    water = _on_sheet(result.water, frame)
    # As one area, clefts closed: where a tributary flows in there is no shore.
    waters = shapely.buffer(shapely.buffer(shapely.union_all(water), 0.8 * unit), -0.8 * unit)
    pen.areas(axes, [waters], style.WATER, edge=style.WATER_EDGE, edge_mm=0.2 * unit, clip=clip, order=0.5)
    streets = _base_streets(axes, result.streets, frame, unit)
    area = _area(axes, result, frame, unit)
    lines = _line_demand(axes, result, frame, unit, area)
    dots = _point_demand(axes, result, frame, unit)
    seen = _ink(frame, streets, lines)
    sites = _sites(axes, result, frame, unit)
    _names(axes, result, frame, unit, water, seen, sites.boxes)
    _border(axes, frame, unit)
    moments = [m for m in moments_of(result) if m in lines.moments or m in dots.moments]
    return Drawn(
        moments=tuple(moments),
        mm_per_density=lines.mm_per_density,
        densities=lines.densities,
        dot_mm=dots.mm,
        heaviest_dot=dots.heaviest,
        modes=sites.modes,
        statuses=sites.statuses,
        tiers=sites.tiers,
        streets=bool(streets),
        water=bool(len(water)),
        zones=bool(len(result.zones)),
        area=area is not None,
    )


def _on_sheet(layer: gpd.GeoDataFrame, frame: Frame) -> Shapes:
    """Return the parts of a layer that the frame shows, in mm on paper."""
    shapes = to_paper(frame, np.asarray(layer.geometry.to_numpy(), dtype=object))
    shapes = shapes[shapely.intersects(shapes, frame.box)]
    seen: Shapes = shapely.intersection(shapes, frame.box.buffer(2))
    return seen


def _base_streets(axes: Axes, streets: gpd.GeoDataFrame, frame: Frame, unit: float) -> list[Geometry]:
    """Draw the streets as a calm base, wider classes on top, and return them."""
    shapes = to_paper(frame, np.asarray(streets.geometry.to_numpy(), dtype=object))
    inside = shapely.intersects(shapes, frame.box)
    classes = (
        (streets["highway"] if "highway" in streets else pd.Series("", index=streets.index)).fillna("").astype(str)
    )
    width = classes.map(style.street_width).to_numpy() * PRIMARY_MM * unit
    drawn = []
    for mm in sorted(set(width[inside])):
        merged = _merged(shapes[inside & (width == mm)])
        pen.lines(axes, merged, mm, style.STREET, clip=frame.box, cap="round", order=1)
        drawn += merged
    return drawn


def _merged(shapes: Shapes) -> list[Geometry]:
    """Join lines end to end, and leave out bends that paper cannot show."""
    joined = shapely.line_merge(shapely.multilinestrings(shapely.get_parts(shapes)))
    return list(shapely.simplify(shapely.get_parts(joined), 0.04))


def _area(axes: Axes, result: Result, frame: Frame, unit: float) -> Geometry | None:
    """Draw how far the study reaches: what the figures speak of. It is the outer edge of all zones; borders between them are not drawn."""
    if result.zones.empty:
        return None
    zones = to_paper(frame, np.asarray(result.zones.geometry.to_numpy(), dtype=object))
    # Zones drawn by hand rarely meet to the millimetre.
    whole = shapely.buffer(shapely.union_all(shapely.buffer(zones, 0.1, quad_segs=1)), -0.1, quad_segs=1)
    pen.area_line(axes, [p.exterior for p in shapely.get_parts(whole)], unit, clip=frame.box)
    return whole


@dataclass(frozen=True)
class _Lines:
    moments: tuple[int, ...] = ()
    mm_per_density: float = 0.0
    densities: tuple[float, ...] = ()
    shapes: tuple[Geometry, ...] = ()


def _line_demand(axes: Axes, result: Result, frame: Frame, unit: float, area: Geometry | None) -> _Lines:
    """Draw line demand as wide as its people per km, in the colour of the moment from which it is covered.

    Where nobody ever covers it, it lies on a pale wash and is dashed: what it is shows without colours too.
    """
    rows = result.demand[result.demand["line"].notna() & (result.demand["weight"] > 0)]
    if rows.empty:
        return _Lines()
    shapes = to_paper(frame, np.asarray(rows["line"].to_numpy(), dtype=object))
    density = rows["weight"].to_numpy(dtype=float) / rows["length_m"].to_numpy(dtype=float) * 1000
    inside = shapely.intersects(shapes, frame.box)
    per_density = BUSIEST_MM * unit / float(np.quantile(density, 0.995))
    width = np.round(np.clip(density * per_density, THINNEST_MM * unit, 1.25 * BUSIEST_MM * unit), 2)
    moment = rows["covered_from"].to_numpy()
    shade = colours(result)
    merged = {
        (m, mm): _merged(shapes[inside & (moment == m) & (width == mm)])
        for m in moments_of(result)
        for mm in sorted(set(width[inside & (moment == m)]))
    }
    inner = shapely.intersection(area, frame.box) if area is not None else frame.box
    clip = inner if inner.geom_type == "Polygon" else frame.box
    for (m, mm), parts in merged.items():
        if m == NEVER:
            pen.lines(axes, parts, mm + 1.7 * unit, style.GAP_WASH, clip=clip, cap="round", order=1.5)
    for (_, mm), parts in merged.items():
        pen.lines(axes, parts, mm + 0.45 * unit, style.WHITE, clip=frame.box, cap="butt", order=2)
    for (m, mm), parts in merged.items():
        # What is covered lies on top: today first, then by year.
        order = 2.1 if m == NEVER else 3 - 0.01 * moments_of(result).index(m)
        pen.coverage_line(axes, parts, mm, shade[m], gap=m == NEVER, unit=unit, clip=frame.box, order=order)
    present = tuple(m for m in moments_of(result) if any(key[0] == m for key in merged))
    seen = density[inside]
    shown = (float(seen.min()), float(seen.max())) if len(seen) else ()
    return _Lines(present, per_density, shown, tuple(p for parts in merged.values() for p in parts))


@dataclass(frozen=True)
class _Dots:
    moments: tuple[int, ...] = ()
    mm: float = 0.0
    heaviest: float = 0.0


def _point_demand(axes: Axes, result: Result, frame: Frame, unit: float) -> _Dots:
    """Draw point demand as dots whose area is proportional to their people; hollow where nobody ever covers them."""
    rows = result.demand[result.demand["line"].isna() & (result.demand["weight"] > 0)]
    if rows.empty:
        return _Dots()
    points = to_paper(frame, np.asarray(rows.geometry.to_numpy(), dtype=object))
    inside = shapely.intersects(points, frame.box)
    weight = rows["weight"].to_numpy(dtype=float)
    per_person = BIGGEST_DOT_MM * unit / float(np.sqrt(np.quantile(weight, 0.995)))
    mm = np.maximum(np.sqrt(weight) * per_person, SMALLEST_DOT_MM * unit)
    moment = rows["covered_from"].to_numpy()
    shade = colours(result)
    xy = shapely.get_coordinates(points)
    for m in moments_of(result):
        at = inside & (moment == m)
        pen.dots(axes, xy[at], mm[at], shade[m], hollow=m == NEVER, clip=frame.box, order=3.5)
    return _Dots(
        tuple(m for m in moments_of(result) if (inside & (moment == m)).any()),
        per_person,
        float(weight[inside].max(initial=0)),
    )


def _ink(frame: Frame, streets: list[Geometry], lines: _Lines) -> place.Ink:
    bounds = (frame.left, frame.bottom, frame.right, frame.top)
    return place.ink(bounds, [(s, 0.3) for s in streets] + [(s, 1.0) for s in lines.shapes])


@dataclass(frozen=True)
class _Sites:
    modes: tuple[str, ...]
    statuses: tuple[str, ...]
    tiers: tuple[str, ...]
    boxes: Floats


def site_mm(tier: str, status: str, unit: float) -> float:
    """Return the diameter of a site's symbol: its tier's; half of it where nothing is planned for it and it carries no number."""
    mm = 5.6 * unit * style.TIER_SIZES.get(tier, 1.0)
    return mm if status in ("chosen", "upgraded") else 0.5 * mm


def numbers(result: Result) -> dict[str, int]:
    """Return the number of each place of the plan, as in the programme."""
    return {site: number for number, site in enumerate(result.actions["site"], 1)}


def _sites(axes: Axes, result: Result, frame: Frame, unit: float) -> _Sites:
    """Draw the sites as they stand at the end of the plan; those of the plan carry their number in the programme."""
    sites = result.sites[result.sites["status"] != "candidate"]
    points = to_paper(frame, np.asarray(sites.geometry.to_numpy(), dtype=object))
    inside = shapely.intersects(points, frame.box)
    sites, xy = sites[inside], shapely.get_coordinates(points[inside])
    number, shade = numbers(result), colours(result)
    size = np.array([site_mm(t, s, unit) for t, s in zip(sites["tier"], sites["status"], strict=True)])
    planned = sites["id"].isin(number).to_numpy()
    kept = place.around(xy[~planned], size[~planned] / 2, size[~planned] / 2)
    at = xy.copy()
    bounds = (frame.left + 1, frame.bottom + 1, frame.right - 1, frame.top - 1)
    at[planned] = place.spread(xy[planned], size[planned], kept, bounds, gap_mm=0.9 * unit)
    records = list(zip(sites["id"], sites["mode"], sites["status"], sites["year"], strict=True))
    for (_, mode, status, _), (x, y), mm, plan in zip(records, xy, size, planned, strict=True):
        if not plan:
            pen.symbol(axes, x, y, mm, style.SHAPES.get(mode, "circle"), status, shade[0], halo_mm=0.4 * unit, order=5)
    for here, there, mm, plan in zip(xy, at, size, planned, strict=True):
        if plan and np.hypot(*(here - there)) > 0.3 * mm:
            for colour, width in ((style.WHITE, 0.7), (style.INK, 0.25)):
                pen.lines(axes, [shapely.LineString([here, there])], width * unit, colour, order=5.5)
            pen.dots(axes, here[None], np.array([1.1 * unit]), style.INK, order=5.6)
    # The first of the programme lies on top.
    ranked = sorted((i for i in np.flatnonzero(planned)), key=lambda i: -number[records[i][0]])
    for rank, i in enumerate(ranked):
        site, mode, status, year = records[i]
        shape, (x, y), mm, order = style.SHAPES.get(mode, "circle"), at[i], size[i], 6 + rank * 1e-3
        pen.symbol(axes, x, y, mm, shape, status, shade[year], halo_mm=0.3 * unit, order=order)
        lift = 0.09 * mm if status == "upgraded" else 0.0
        pt = (7.4 if number[site] < 100 else 5.8) * unit * mm / (5.6 * unit)
        pen.words(axes, x, y + lift, number[site], pt, across="center", middle=True, order=order + 5e-4)
    return _Sites(
        modes=tuple(m for m in style.SHAPES if (sites["mode"] == m).any()),
        statuses=tuple(s for s in ("existing", "upgraded", "chosen", "closed") if (sites["status"] == s).any()),
        tiers=tuple(t for t in style.TIER_SIZES if (sites["tier"] == t).any()),
        boxes=place.around(at, size / 2 + 0.4, size / 2 + 0.4),
    )


def _names(
    axes: Axes, result: Result, frame: Frame, unit: float, water: Shapes, seen: place.Ink, taken: Floats
) -> None:
    """Letter the waters along their middle and the zones in their calmest corner."""
    shown = result.water[result.water.geometry.intersects(_ground(frame, result))]
    for name, shape in zip(shown["name"], water, strict=False):
        taken = np.vstack([taken, _water_name(axes, clean(name), shape, unit, seen, taken)])
    pt, gap = 7.2 * unit, 0.9 * unit
    for name, shape in zip(
        result.zones["name"], to_paper(frame, np.asarray(result.zones.geometry.to_numpy(), dtype=object)), strict=True
    ):
        said = clean(name)
        width = width_mm(said, pt) + gap * (len(said) - 1)
        room = shapely.intersection(shape, frame.box.buffer(-1.5))
        land = shapely.difference(room, shapely.union_all(water)) if len(water) else room
        parts = [p for p in shapely.get_parts(land) if p.geom_type == "Polygon"]
        if not said or not parts:
            continue
        where = place.in_area(
            max(parts, key=lambda p: p.area), width + 2 * unit, (pt * MM_PER_PT + 1.6 * unit), seen, taken
        )
        if where is not None:
            pen.spaced(axes, *where, said, pt, gap, style.ZONE_INK, halo_mm=0.55 * unit, order=4.5)
            taken = np.vstack([taken, place.around(np.array([where]), width / 2 + 1, pt * MM_PER_PT / 2 + 1)])


def _ground(frame: Frame, result: Result) -> Geometry:
    half_w, half_h = frame.width / frame.mm_per_m / 2, frame.height / frame.mm_per_m / 2
    return shapely.box(frame.east - half_w, frame.north - half_h, frame.east + half_w, frame.north + half_h)


def _water_name(axes: Axes, name: str, shape: Geometry, unit: float, seen: place.Ink, taken: Floats) -> Floats:
    """Letter a water, and return the boxes of its characters."""
    polygon = max(shapely.get_parts(shape), key=lambda p: p.area)
    for pt in (20 * unit, 13 * unit, 9 * unit):
        mm = pt * MM_PER_PT
        at = place.along(polygon, len(name), mm, keep_apart=taken, under=seen) if name else None
        if at is not None:
            for char, (x, y) in zip(name, at, strict=True):
                pen.words(axes, x, y, char, pt, style.WATER_INK, across="center", serif=True, middle=True, order=4.4)
            return place.around(at, mm * 0.6, mm * 0.6)
    return np.empty((0, 4))


def _border(axes: Axes, frame: Frame, unit: float) -> None:
    """Draw the frame with the letters and numbers of its search grid in the margin."""
    band, pt = 4.0 * unit, 6.5 * unit
    left, bottom, right, top = frame.left, frame.bottom, frame.right, frame.top
    # Paper over what stuck out of the frame (round line ends), then the two neat lines.
    pen.box(axes, left, bottom, frame.width, frame.height, edge=style.INK, edge_mm=0.25 * unit, order=9)
    pen.box(
        axes,
        left - band,
        bottom - band,
        frame.width + 2 * band,
        frame.height + 2 * band,
        edge=style.INK,
        edge_mm=0.55 * unit,
        order=9,
    )
    columns, rows = cells(frame, CELL_MM * unit)
    for i, (a, b) in enumerate(pairwise(columns)):
        for y, tick in ((top, band), (bottom, -band)):
            if i:
                pen.rule(axes, a, y, a, y + tick, 0.15 * unit, order=9)
            if b - a > 4 * unit:
                pen.words(
                    axes, (a + b) / 2, y + tick / 2, letter(i), pt, style.MUTED, across="center", middle=True, order=9
                )
    for i, (a, b) in enumerate(pairwise(rows)):
        for x, tick in ((right, band), (left, -band)):
            if i:
                pen.rule(axes, x, a, x + tick, a, 0.15 * unit, order=9)
            if a - b > 4 * unit:
                pen.words(
                    axes, x + tick / 2, (a + b) / 2, i + 1, pt, style.MUTED, across="center", middle=True, order=9
                )
