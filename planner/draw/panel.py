"""What stands beside the map: title, coverage, legend, programme, title block.

Takes a `Result` and what was drawn, and fills a column of paper from the top down; every block tells where it ends. Decides nothing
about the map.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from matplotlib.axes import Axes
from pyproj import CRS

from planner.draw import pen, style
from planner.draw.extent import Frame, bar_m, cell_of, on_paper_mm, round_down, to_paper
from planner.draw.fonts import MM_PER_PT, clean, width_mm, wrap
from planner.draw.ground import CELL_MM, NEVER, PRIMARY_MM, Drawn, colours, numbers, site_mm
from planner.pipeline import Result
from planner.words import Lang, say, term

Row = tuple[Callable[[float, float], None], str]


@dataclass(frozen=True)
class Column:
    """A column of paper.

    Attributes:
        axes: the sheet.
        left, right: its edges in mm.
        unit: sizes on this sheet relative to A3.
        lang: language of the words.
    """

    axes: Axes
    left: float
    right: float
    unit: float
    lang: Lang

    @property
    def width(self) -> float:
        """Width in mm."""
        return self.right - self.left

    def say(self, key: str, **values: object) -> str:
        """Return words of the sheet."""
        return say(self.lang, f"sheet.{key}", **values)


def figure(value: float, digits: int = 0) -> str:
    """Return a number with a thin space between its thousands and no needless decimals."""
    text = f"{value:,.{digits}f}".replace(",", "\u2009")
    return text.rstrip("0").rstrip(".") if digits else text


def title(column: Column, top: float, text: str, below: list[str]) -> float:
    """Write the sheet's title on at most two lines, as large as fits, and small lines below it."""
    unit = column.unit
    said = clean(text, serif=True)
    pt, rows = _title_rows(said, column)
    y = top
    for row in rows:
        y -= pt * MM_PER_PT * 1.0
        pen.words(column.axes, column.left, y, row, pt, serif=True, limit_mm=column.width)
        y -= pt * MM_PER_PT * 0.22
    y -= 0.6 * unit
    for line in below:
        for row in wrap(clean(line), 7.4 * unit, column.width, lines=2):
            y -= 4.0 * unit
            pen.words(column.axes, column.left, y, row, 7.4 * unit, style.MUTED)
    return y - 2.2 * unit


def _title_rows(said: str, column: Column) -> tuple[float, list[str]]:
    """Return the largest type that holds a title, and its one or two lines; a long one breaks before 布局规划图."""
    cut = said.rfind("布局规划图")

    def fits(rows: list[str], pt: float) -> bool:
        return all(width_mm(row, pt, serif=True) <= column.width for row in rows) and not rows[-1].endswith("…")

    for pt in np.arange(27.0, 10.5, -0.5) * column.unit:
        halves = [said[:cut], said[cut:]] if cut > 0 else wrap(said, pt, column.width, lines=2, serif=True)
        for rows in ([said], halves, wrap(said, pt, column.width, lines=2, serif=True)):
            if fits(rows, pt):
                return float(pt), rows
    return float(pt), wrap(said, pt, column.width, lines=2, serif=True)


def heading(column: Column, top: float, text: str, right: str = "") -> float:
    """Write a heading on a rule; ``right`` is a remark at its end."""
    unit = column.unit
    y = top - 4.4 * unit
    pen.words(column.axes, column.left, y, text, 9.4 * unit)
    if right:
        room = column.width - width_mm(clean(text), 9.4 * unit) - 4 * unit
        pen.words(column.axes, column.right, y, right, 6.2 * unit, style.MUTED, across="right", limit_mm=room)
    pen.rule(column.axes, column.left, y - 1.5 * unit, column.right, y - 1.5 * unit, 0.3 * unit)
    return y - 2.6 * unit


def coverage(column: Column, top: float, result: Result) -> float:
    """Draw a bar for each moment: who has a site in reach, and whose working time is really covered."""
    unit, shade = column.unit, colours(result)
    y = heading(column, top, column.say("coverage"), column.say("of_people", groups=_people(result, column.lang)))
    name_mm, value_mm = 27 * unit, 0.0
    left, width = column.left + name_mm, column.width - name_mm - value_mm
    for moment, figures in result.indicators.items():
        share, effective = figures["share"] or 0.0, figures["effective_share"] or 0.0
        y -= 5.8 * unit
        middle = y + 1.9 * unit
        label = column.say("today") if moment == 0 else column.say("year", year=moment)
        pen.words(column.axes, column.left, middle, label, 7.4 * unit, middle=True)
        added = _added(result, moment, column)
        pen.words(column.axes, left - 1.6 * unit, middle, added, 5.8 * unit, style.MUTED, across="right", middle=True)
        pen.box(column.axes, left, y, width, 3.8 * unit, colour="#eceae3")
        pen.box(column.axes, left, y, width * share, 3.8 * unit, colour=style.WHITE, order=1.1)
        pen.box(column.axes, left, y, width * effective, 3.8 * unit, colour=shade[moment], order=1.2)
        pen.box(column.axes, left, y, width * share, 3.8 * unit, edge=shade[moment], edge_mm=0.3 * unit, order=1.3)
        pen.words(column.axes, left + width * share + 1.2 * unit, middle, f"{share:.0%}", 7.0 * unit, middle=True)
        inside, text = effective > 0.13, f"{effective:.0%}"
        x = left + width * effective + (-1.2 if inside else 0.8) * unit
        # Of a short bar the figure stands in the white part, or is left to the programme where that is short too.
        if inside or share - effective > 0.13:
            ink = style.ink_on(shade[moment]) if inside else style.INK
            pen.words(column.axes, x, middle, text, 7.0 * unit, ink, across="right" if inside else "left", middle=True)
    y -= 4.4 * unit
    x = column.left
    for key, colour in (("bar_effective", style.MUTED), ("bar_share", style.WHITE)):
        text = column.say(key, radius=figure(result.study.standard.service_radius_m))
        pen.box(column.axes, x, y, 3.4 * unit, 2.2 * unit, colour=colour, edge=style.MUTED, edge_mm=0.25 * unit)
        pen.words(column.axes, x + 4.6 * unit, y + 1.1 * unit, text, 6.0 * unit, style.MUTED, middle=True)
        x += 4.6 * unit + width_mm(text, 6.0 * unit) + 3.5 * unit
    return y - 2.6 * unit


def _people(result: Result, lang: Lang) -> str:
    parts = []
    for group, settings in result.study.groups.items():
        people = float(result.demand.loc[result.demand["group"] == group, "weight"].sum())
        parts.append(
            say(lang, "sheet.group_people", name=settings.name, people=figure(people), unit=settings.unit_name)
        )
    return say(lang, "sheet.and").join(parts)


def _added(result: Result, moment: int, column: Column) -> str:
    """Say how many sites stand today, or what a year adds."""
    if moment == 0:
        count = int((result.sites["status"].isin(["existing", "upgraded", "closed"])).sum())
        return column.say("site_count" if count == 1 else "sites_count", count=count)
    taken = result.actions[result.actions["year"] == moment]
    new = int((taken["action"] == "build").sum())
    parts = [column.say(k, count=n) for k, n in (("added_new", new), ("added_upgraded", len(taken) - new)) if n]
    return column.say("and").join(parts)


def legend(column: Column, top: float, result: Result, drawn: Drawn) -> float:
    """Explain what the map shows: an entry for each symbol that is on it, and none for any other."""
    y = heading(column, top, column.say("legend"))
    unit, half = column.unit, column.width * 0.545
    ends = []
    for left, blocks in (
        (column.left, [_demand_block(column, result, drawn), _base_block(column, drawn)]),
        (column.left + half, [_status_block(column, drawn), _mode_block(column, drawn), _tier_block(column, drawn)]),
    ):
        at = y
        for head, rows in blocks:
            if not rows:
                continue
            at -= 3.5 * unit
            pen.words(column.axes, left, at, head, 6.4 * unit, style.MUTED)
            at -= 1.1 * unit
            for sample, text in rows:
                at -= 4.25 * unit
                sample(left, at + 1.5 * unit)
                room = (half - 15 * unit) if left == column.left else (column.right - left - 11 * unit)
                indent = (13 if left == column.left else 9.5) * unit
                pen.words(column.axes, left + indent, at + 1.5 * unit, text, 7.0 * unit, limit_mm=room, middle=True)
            at -= 1.0 * unit
        ends.append(at)
    return min(ends) - 1.0 * unit


def _demand_block(column: Column, result: Result, drawn: Drawn) -> tuple[str, list[Row]]:
    shade = colours(result)
    rows: list[Row] = []
    for moment in drawn.moments:
        key = (
            "lines_today"
            if moment == 0
            else "lines_year"
            if moment != NEVER
            else "lines_never"
            if result.years
            else "lines_never_today"
        )
        rows.append((_coverage_sample(column, drawn, shade[moment], moment), column.say(key, year=moment)))
    if drawn.densities:
        rows.append(
            (_width_sample(column, drawn), column.say("line_width", groups=_names(result, line=True, lang=column.lang)))
        )
    if drawn.dot_mm:
        rows.append(
            (_dot_sample(column, drawn), column.say("dot_size", groups=_names(result, line=False, lang=column.lang)))
        )
    return column.say("coverage_head"), rows


def _names(result: Result, *, line: bool, lang: Lang) -> str:
    present = result.demand.loc[result.demand["line"].notna() == line, "group"].unique()
    return say(lang, "sheet.and").join(result.study.groups[g].name for g in result.study.groups if g in present)


def _coverage_sample(column: Column, drawn: Drawn, colour: str, moment: int) -> Callable[[float, float], None]:
    def draw(x: float, y: float) -> None:
        unit = column.unit
        mm = np.mean(drawn.densities) * drawn.mm_per_density if drawn.densities else 0.0
        if mm:
            stretch = [shapely.LineString([(x, y), (x + (7.5 if drawn.dot_mm else 10.5) * unit, y)])]
            pen.coverage_line(column.axes, stretch, float(mm), colour, gap=moment == NEVER, unit=unit, order=2)
        if drawn.dot_mm:
            pen.dots(
                column.axes, np.array([[x + 9.6 * unit, y]]), np.array([1.3 * unit]), colour, hollow=moment == NEVER
            )

    return draw


def _width_sample(column: Column, drawn: Drawn) -> Callable[[float, float], None]:
    def draw(x: float, y: float) -> None:
        for i, density in enumerate(_steps(drawn.densities[0], drawn.densities[-1])):
            at = x + i * 3.9 * column.unit
            pen.rule(
                column.axes,
                at,
                y - 0.2 * column.unit,
                at + 2.6 * column.unit,
                y - 0.2 * column.unit,
                density * drawn.mm_per_density,
                style.MUTED,
            )
            pen.words(
                column.axes,
                at + 1.3 * column.unit,
                y + 0.75 * column.unit,
                _short(density),
                4.6 * column.unit,
                style.MUTED,
                across="center",
            )

    return draw


def _dot_sample(column: Column, drawn: Drawn) -> Callable[[float, float], None]:
    def draw(x: float, y: float) -> None:
        for i, people in enumerate(_steps(max(drawn.heaviest_dot / 10, 1), drawn.heaviest_dot)):
            at = x + (1.3 + i * 3.9) * column.unit
            mm = float(np.sqrt(people)) * drawn.dot_mm
            pen.dots(column.axes, np.array([[at, y - 0.4 * column.unit]]), np.array([mm]), style.MUTED)
            pen.words(
                column.axes, at, y + 0.95 * column.unit, _short(people), 4.6 * column.unit, style.MUTED, across="center"
            )

    return draw


def _steps(low: float, high: float) -> list[float]:
    """Return up to three round numbers between low and high."""
    top = round_down(high, (1.0, 2.0, 3.0, 5.0))
    steps = sorted({round_down(max(value, 1e-9), (1.0, 2.0, 5.0)) for value in (low, np.sqrt(low * high))} | {top})
    return [s for s in steps if s <= high]


def _short(value: float) -> str:
    return f"{value:g}"


def _base_block(column: Column, drawn: Drawn) -> tuple[str, list[Row]]:
    unit, axes = column.unit, column.axes
    rows: list[Row] = []
    if drawn.streets:
        rows.append(
            (
                lambda x, y: pen.rule(axes, x, y, x + 10.5 * unit, y, PRIMARY_MM * unit, style.STREET),
                column.say("streets"),
            )
        )
    if drawn.water:
        rows.append(
            (
                lambda x, y: pen.box(
                    axes,
                    x,
                    y - 1.2 * unit,
                    10.5 * unit,
                    2.4 * unit,
                    colour=style.WATER,
                    edge=style.WATER_EDGE,
                    edge_mm=0.2 * unit,
                ),
                column.say("water"),
            )
        )
    if drawn.area:
        rows.append(
            (
                lambda x, y: pen.area_line(axes, [shapely.LineString([(x, y), (x + 10.5 * unit, y)])], unit),
                column.say("area"),
            )
        )
    if drawn.zones:
        rows.append(
            (
                lambda x, y: pen.spaced(
                    axes, x + 5 * unit, y, column.say("zone_sample"), 6.4 * unit, 0.9 * unit, style.ZONE_INK
                ),
                column.say("zone"),
            )
        )
    return column.say("base_head"), rows


def _status_block(column: Column, drawn: Drawn) -> tuple[str, list[Row]]:
    rows: list[Row] = []
    for status in drawn.statuses:

        def draw(x: float, y: float, status: str = status) -> None:
            mm = min(site_mm("township", status, column.unit), 4.0 * column.unit)
            pen.symbol(column.axes, x + 3 * column.unit, y, mm, "circle", status, style.YEARS[0], halo_mm=0)

        rows.append((draw, term(column.lang, "status", status)))
    return column.say("status_head"), rows


def _mode_block(column: Column, drawn: Drawn) -> tuple[str, list[Row]]:
    rows: list[Row] = []
    for mode in drawn.modes:

        def draw(x: float, y: float, mode: str = mode) -> None:
            pen.symbol(
                column.axes,
                x + 3 * column.unit,
                y,
                3.2 * column.unit,
                style.SHAPES[mode],
                "existing",
                style.TODAY,
                halo_mm=0,
            )

        rows.append((draw, term(column.lang, "mode", mode) if mode else "—"))
    return column.say("mode_head"), rows


def _tier_block(column: Column, drawn: Drawn) -> tuple[str, list[Row]]:
    rows: list[Row] = []
    for tier in drawn.tiers:

        def draw(x: float, y: float, tier: str = tier) -> None:
            unit = column.unit
            pen.symbol(
                column.axes,
                x + 1.6 * unit,
                y,
                site_mm(tier, "existing", unit),
                "circle",
                "existing",
                style.TODAY,
                halo_mm=0,
            )
            pen.symbol(
                column.axes,
                x + 6 * unit,
                y,
                0.78 * site_mm(tier, "chosen", unit),
                "circle",
                "chosen",
                style.YEARS[0],
                halo_mm=0,
            )

        rows.append((draw, term(column.lang, "tier", tier)))
    return column.say("tier_head"), rows


def programme(column: Column, top: float, bottom: float, result: Result, frame: Frame) -> None:
    """List the plan's actions by year, as a table where there is room, else in columns of names.

    The type shrinks until all fits above ``bottom``; what never fits is counted in the last line.
    """
    unit = column.unit
    y = heading(column, top, column.say("programme"))
    for pt, columns in _SETTINGS:
        width = (column.width - 4 * unit * (columns - 1)) / columns
        rows = _programme_rows(column, result, frame, pt * unit, width, table=columns == 1)
        parts = _flow(rows, columns, y - bottom)
        if parts is not None:
            break
    else:
        parts = _cut(column, rows, columns, y - bottom, pt * unit)
    for i, part in enumerate(parts):
        x, at = column.left + i * (width + 4 * unit), y
        for row in part:
            row.draw(x, at)
            at -= row.height


# Type sizes and columns in the order of preference; one column is a table with costs.
_SETTINGS = (
    (7.2, 1),
    (6.8, 1),
    (6.4, 1),
    (6.1, 1),
    (7.0, 2),
    (6.6, 2),
    (6.2, 2),
    (5.8, 2),
    (5.8, 3),
    (5.2, 3),
    (4.8, 3),
)


@dataclass(frozen=True)
class _Row:
    height: float
    draw: Callable[[float, float], None]
    head: bool = False


def _programme_rows(
    column: Column, result: Result, frame: Frame, pt: float, width: float, *, table: bool
) -> list[_Row]:
    """Return the rows of the list, set in ``pt`` for a width."""
    em, axes, shade = pt * MM_PER_PT, column.axes, colours(result)
    places, number = result.sites.set_index("id"), numbers(result)
    squares = _squares(places, frame)
    unit_name = result.study.plan.cost_unit if result.study.plan else ""
    # Right edges of what follows the name: build mode, building cost, gain.
    tabs = {"mode": width - 12.6 * em, "cost": width - 8.4 * em, "gain": width - 3.4 * em} if table else {}
    room = (width - 15.6 * em if table else width - 3.0 * em) - 3.7 * em
    digits = _digits(result.actions["capital_cost"].to_list())
    rows: list[_Row] = []
    for year in result.years:
        taken = result.actions[result.actions["year"] == year]
        if taken.empty:
            continue
        cost = figure(result.cost_by_year[year], 1)
        key = "programme_year_one" if len(taken) == 1 else "programme_year"
        text = column.say(key, year=year, count=len(taken), cost=cost, unit=unit_name)

        def draw_head(x: float, y: float, text: str = text, colour: str = shade[year]) -> None:
            pen.words(axes, x, y - 1.75 * em, text, pt * 1.06, limit_mm=(tabs["mode"] - 2.4 * em) if table else width)
            for key, tab in tabs.items():
                pen.words(
                    axes, x + tab, y - 1.75 * em, column.say(f"tab_{key}"), pt * 0.86, style.MUTED, across="right"
                )
            pen.rule(axes, x, y - 2.15 * em, x + width, y - 2.15 * em, 0.4 * column.unit, colour)

        rows.append(_Row(2.5 * em, draw_head, head=True))
        for action in taken.to_dict("records"):
            site = str(action["site"])
            place = places.loc[site]
            lines = wrap(clean(place["name"]) or site, pt, room, lines=2)
            values = {
                "mode": _way(action, column.lang),
                "cost": f"{action['capital_cost']:.{digits}f}",
                "gain": figure(float(action["gain"])),
            }

            def draw(
                x: float,
                y: float,
                site: str = site,
                mode: str = str(place["mode"]),
                status: str = str(place["status"]),
                lines: list[str] = lines,
                values: dict[str, str] = values,
                colour: str = shade[year],
            ) -> None:
                middle = y - 0.75 * em
                pen.words(axes, x + 1.55 * em, middle, number[site], pt, across="right", middle=True)
                shape = style.SHAPES.get(mode, "circle")
                pen.symbol(axes, x + 2.6 * em, middle, 0.98 * em, shape, status, colour, halo_mm=0)
                for i, line in enumerate(lines):
                    pen.words(axes, x + 3.7 * em, middle - i * 1.2 * em, line, pt, middle=True)
                for key, tab in tabs.items():
                    pen.words(axes, x + tab, middle, values[key], pt, across="right", middle=True)
                pen.words(axes, x + width, middle, squares[site], pt * 0.9, style.MUTED, across="right", middle=True)

            rows.append(_Row((1.45 + 1.2 * (len(lines) - 1)) * em, draw))
    return rows


def _way(action: Mapping[Hashable, object], lang: Lang) -> str:
    """Say how a site comes about: in which mode it is built, or what changes about a site that stands."""
    return (
        term(lang, "mode", str(action["mode"]))
        if action["action"] == "build"
        else term(lang, "action", str(action["action"]))
    )


def _digits(costs: Sequence[float]) -> int:
    """Return the decimals that show all costs, two at most: the figures of a column align."""
    return next((d for d in (0, 1) if all(abs(c - round(c, d)) < 1e-9 for c in costs)), 2)


def _squares(sites: gpd.GeoDataFrame, frame: Frame) -> dict[str, str]:
    xy = shapely.get_coordinates(to_paper(frame, np.asarray(sites.geometry.to_numpy(), dtype=object)))
    return {
        site: cell_of(frame, CELL_MM * frame_unit(frame), x, y) for site, (x, y) in zip(sites.index, xy, strict=True)
    }


def frame_unit(frame: Frame) -> float:
    """Return the sheet's sizes relative to A3, from the frame's place (its left edge is 13 mm on A3)."""
    return frame.left / 13.0


def _flow(rows: list[_Row], columns: int, height: float) -> list[list[_Row]] | None:
    """Return the rows in even columns that are at most ``height`` high, or None. No heading stands alone at a column's foot."""
    low, high = max((r.height for r in rows), default=0.0), height
    best = None
    for limit in np.linspace(max(low, sum(r.height for r in rows) / columns), high, 24):
        parts: list[list[_Row]] = [[]]
        for i, row in enumerate(rows):
            needed = row.height + (rows[i + 1].height if row.head and i + 1 < len(rows) else 0.0)
            if parts[-1] and sum(r.height for r in parts[-1]) + needed > limit + 1e-6:
                parts.append([])
            parts[-1].append(row)
        if len(parts) <= columns and limit <= height:
            best = parts
            break
    return best


def _cut(column: Column, rows: list[_Row], columns: int, height: float, pt: float) -> list[list[_Row]]:
    """Return as many rows as fit, and a last one that says how many more there are."""
    entries = sum(not r.head for r in rows)
    for keep in range(len(rows) - 1, -1, -1):
        left = entries - sum(not r.head for r in rows[:keep])
        text = column.say("programme_more", count=left)

        def draw(x: float, y: float, text: str = text) -> None:
            pen.words(column.axes, x, y - pt * MM_PER_PT, text, pt, style.MUTED)

        parts = _flow([*rows[:keep], _Row(1.45 * pt * MM_PER_PT, draw)], columns, height)
        if parts is not None:
            return parts
    return []


def title_block(column: Column, bottom: float, result: Result, frame: Frame, *, number: int, count: int) -> float:
    """Draw the title block from the foot of the column upwards and return its upper edge."""
    unit, study, m = column.unit, result.study, result.study.map
    period = (
        column.say("years", first=study.plan.years[0], last=study.plan.years[-1])
        if study.plan
        else column.say("no_plan")
    )
    if study.plan and len(study.plan.years) == 1:
        period = column.say("year", year=study.plan.years[0])
    pairs = [
        (("compiling_unit", m.compiling_unit), ("period", period)),
        (
            ("crs", crs_name(study.crs, column.lang)),
            ("scale", column.say("scale_value", scale=figure(frame.scale), paper=m.paper)),
        ),
        (("base_map", study.streets.source), ("date", m.date)),
        (("standard", study.standard.name), ("number", column.say("number_value", number=number, count=count))),
        (("approval", m.approval_number or column.say("internal")), ("run", result.run_id)),
    ]
    pt, high = 6.2 * unit, 5.9 * unit
    split = column.width * 0.6
    key_mm = max(width_mm(column.say(key), pt) for row in pairs for key, _ in row) + 3.4 * unit
    top = bottom + high * len(pairs)
    for i, row in enumerate(pairs):
        middle = top - high * (i + 0.5)
        for x, wide, (key, value) in (
            (column.left, split, row[0]),
            (column.left + split, column.width - split, row[1]),
        ):
            pen.words(column.axes, x + 1.4 * unit, middle, column.say(key), pt, style.MUTED, middle=True)
            room = wide - key_mm - 1.6 * unit
            lines = wrap(clean(value), pt, room, lines=2)
            for j, line in enumerate(lines):
                shift = (0.5 * (len(lines) - 1) - j) * 1.22 * pt * MM_PER_PT
                pen.words(column.axes, x + key_mm, middle + shift, line, pt, middle=True)
        if i:
            pen.rule(column.axes, column.left, top - high * i, column.right, top - high * i, 0.12 * unit, style.FAINT)
    pen.rule(column.axes, column.left + split, bottom, column.left + split, top, 0.12 * unit, style.FAINT)
    pen.box(column.axes, column.left, bottom, column.width, high * len(pairs), edge=style.INK, edge_mm=0.3 * unit)
    return top


def crs_name(crs: str, lang: Lang) -> str:
    """Return what a projected CRS is called: the 3-degree zones of CGCS2000 in words, others by their own name."""
    parsed = CRS.from_user_input(crs)
    code = parsed.to_epsg()
    found = re.fullmatch(r"CGCS2000 / 3-degree Gauss-Kruger (?:CM (\d+)E|zone (\d+))", parsed.name)
    if found and code:
        meridian = int(found[1]) if found[1] else 3 * int(found[2])
        return say(lang, "sheet.crs_cgcs", meridian=meridian, code=code)
    return f"{parsed.name} (EPSG:{code})" if code else parsed.name


def foot(column: Column, top: float, frame: Frame, note: str) -> None:
    """Draw the strip below the map: north, the scale bar with the numeric scale, and a note that wraps in what is left."""
    unit, axes = column.unit, column.axes
    middle = top - 5.2 * unit
    _north(column, column.left + 4 * unit, middle, frame.north_deg)
    end = _scale_bar(column, column.left + 13 * unit, middle - 1.3 * unit, frame)
    left = end + 14 * unit
    rows = wrap(clean(note), 6.6 * unit, column.right - left, lines=3)
    pitch = 1.35 * 6.6 * unit * MM_PER_PT
    for i, row in enumerate(rows):
        pen.words(axes, left, middle + (0.5 * (len(rows) - 1) - i) * pitch, row, 6.6 * unit, style.MUTED, middle=True)


def _north(column: Column, x: float, y: float, degrees: float) -> None:
    """Draw an arrow to true north, its half in shade."""
    unit = column.unit
    turn = np.deg2rad(-degrees)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])

    def half(sign: int) -> shapely.Polygon:
        return shapely.Polygon(
            np.array([(0, 3.2), (sign * 1.9, -3.2), (0, -1.7)]) * unit @ rotation + (x, y - 1.6 * unit)
        )

    pen.areas(column.axes, [half(-1)], style.INK, edge=style.INK, edge_mm=0.15 * unit)
    pen.areas(column.axes, [half(1)], style.WHITE, edge=style.INK, edge_mm=0.15 * unit)
    tip = np.array([(0, 4.0)]) * unit @ rotation + (x, y - 1.6 * unit)
    pen.words(
        column.axes, tip[0, 0], tip[0, 1] + 0.5 * unit, column.say("north"), 6.6 * unit, across="center", middle=True
    )


def _scale_bar(column: Column, x: float, y: float, frame: Frame) -> float:
    """Draw a scale bar that is true on the ground at the middle of the map, and return its right end."""
    unit, axes = column.unit, column.axes
    whole = bar_m(frame, 62 * unit)
    in_km = whole >= 1000
    length = on_paper_mm(frame, whole)
    pen.box(axes, x, y, length, 1.5 * unit, colour=style.WHITE, edge=style.INK, edge_mm=0.2 * unit, order=2)
    for i in (0, 2):
        pen.box(axes, x + i * length / 4, y, length / 4, 1.5 * unit, colour=style.INK, order=2.1)
    for part in (0.0, 0.25, 0.5, 1.0):
        value = whole * part / (1000 if in_km else 1)
        pen.words(axes, x + length * part, y + 2.4 * unit, f"{value:g}", 6.4 * unit, across="center")
    pen.words(
        axes, x + length + 2.2 * unit, y + 2.4 * unit, column.say("kilometres" if in_km else "metres"), 6.4 * unit
    )
    pen.words(axes, x + length + 2.2 * unit, y - 0.4 * unit, f"1:{figure(frame.scale)}", 6.4 * unit)
    return x + length
