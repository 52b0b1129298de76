"""What stands beside and below the map: title, coverage, legend, list, title block, scale bar.

Takes a `Theme` and what was drawn, and fills a column of paper from the top down; every block tells where it ends. Decides nothing
about the map.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from matplotlib.axes import Axes
from pyproj import CRS

from planner.draw import pen, style
from planner.draw.extent import Frame, bar_m, cell_of, on_paper_mm, round_down, to_paper
from planner.draw.fonts import MM_PER_PT, clean, width_mm, wrap, wrap_evenly
from planner.draw.ground import CELL_MM, FOCUS_MM, PRIMARY_MM, SITE_MM, Base, Drawn
from planner.draw.page import readable
from planner.draw.themes import Bar, Entry, Listing, Shade, Theme, figure
from planner.pipeline import Result
from planner.words import Lang, say, term
from planner.words.wording import percent

Draw = Callable[[float, float], None]


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


def title(column: Column, top: float, theme: Theme) -> float:
    """Write the sheet's title on at most two lines, as large as fits, and small lines below it."""
    unit = column.unit
    pt, rows = _title_rows(clean(theme.title, serif=True), clean(theme.kind, serif=True), column)
    y = top
    for row in rows:
        y -= pt * MM_PER_PT
        pen.words(column.axes, column.left, y, row, pt, serif=True, limit_mm=column.width)
        y -= pt * MM_PER_PT * 0.22
    y -= 0.6 * unit
    said = " · ".join(clean(line) for line in theme.below)
    fits = width_mm(said, 7.4 * unit) <= column.width
    for line in [said] if fits else theme.below:
        for row in wrap(clean(line), 7.4 * unit, column.width, lines=2):
            y -= 4.0 * unit
            pen.words(column.axes, column.left, y, row, 7.4 * unit, style.MUTED)
    return y - 2.2 * unit


def _title_rows(said: str, kind: str, column: Column) -> tuple[float, list[str]]:
    """Return the largest type that holds a title, and its one or two lines; a long one breaks before its kind."""
    cut = said.rfind(kind)

    def fits(rows: list[str], pt: float) -> bool:
        return all(width_mm(row, pt, serif=True) <= column.width for row in rows) and not rows[-1].endswith("…")

    for pt in np.arange(27.0, 10.5, -0.5) * column.unit:
        halves = [said[:cut].rstrip(), said[cut:]] if cut > 0 else [said]
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


def coverage(column: Column, top: float, result: Result, theme: Theme) -> float:
    """Draw the bars: who has a site in reach, and for how much of the working time that really helps."""
    unit = column.unit
    y = heading(
        column, top, column.say("coverage"), column.say("of_people", groups=_people(result, theme, column.lang))
    )
    for bar in theme.bars:
        y -= 5.8 * unit
        _bar(column, y, bar)
    y -= 4.4 * unit
    x = column.left
    for key, colour in (("bar_effective", style.MUTED), ("bar_share", style.WHITE)):
        text = column.say(key, radius=figure(result.study.standard.service_radius_m))
        pen.box(column.axes, x, y, 3.4 * unit, 2.2 * unit, colour=colour, edge=style.MUTED, edge_mm=0.25 * unit)
        pen.words(column.axes, x + 4.6 * unit, y + 1.1 * unit, text, 6.0 * unit, style.MUTED, middle=True)
        x += 4.6 * unit + width_mm(text, 6.0 * unit) + 3.5 * unit
    return y - 2.6 * unit


def _bar(column: Column, y: float, bar: Bar) -> None:
    axes, unit, high = column.axes, column.unit, 3.8 * column.unit
    left, middle = column.left + 27 * unit, y + high / 2
    width = column.right - left
    taken = width_mm(clean(bar.remark), 5.8 * unit) + 3 * unit
    pen.words(axes, column.left, middle, bar.label, 7.4 * unit, limit_mm=left - column.left - taken, middle=True)
    pen.words(axes, left - 1.6 * unit, middle, bar.remark, 5.8 * unit, style.MUTED, across="right", middle=True)
    pen.box(axes, left, y, width, high, colour=style.TRACK)
    pen.box(axes, left, y, width * bar.share, high, colour=style.WHITE, order=1.1)
    pen.box(axes, left, y, width * bar.effective, high, colour=bar.colour, order=1.2)
    pen.box(axes, left, y, width * bar.share, high, edge=bar.colour, edge_mm=0.3 * unit, order=1.3)
    # Each figure stands at the end of its bar, where there is room for it: inside, or just outside.
    room = 9 * unit
    # Groups with long hours weigh more in what is effective, which can therefore be the longer bar.
    end = max(bar.share, bar.effective)
    outside = width * (1 - end) > room
    x = left + width * end + (1.2 if outside else -1.2) * unit
    beyond = width * (bar.share - bar.effective) > room
    ink = style.INK if outside or beyond else style.ink_on(bar.colour)
    pen.words(
        axes, x, middle, percent(bar.share, 0), 7.0 * unit, ink, across="left" if outside else "right", middle=True
    )
    if width * bar.effective > (room if outside or beyond else 2 * room):
        shift = 1.2 * unit if outside or beyond else room + 1.2 * unit
        x, ink = left + width * bar.effective - shift, style.ink_on(bar.colour)
        pen.words(axes, x, middle, percent(bar.effective, 0), 7.0 * unit, ink, across="right", middle=True)
    elif width * (bar.share - bar.effective) > room * (1 if outside else 2):
        x = left + width * bar.effective + 0.8 * unit
        pen.words(axes, x, middle, percent(bar.effective, 0), 7.0 * unit, middle=True)


def _people(result: Result, theme: Theme, lang: Lang) -> str:
    everybody = result.demand.groupby("group")["weight"].sum().to_dict() if theme.people is None else theme.people
    parts = [
        say(lang, "sheet.group_people", name=g.name, people=figure(everybody.get(group, 0.0)), unit=g.unit_name)
        for group, g in result.study.groups.items()
    ]
    return say(lang, "sheet.and").join(parts)


@dataclass(frozen=True)
class Key:
    """An entry of the legend: ``draw`` puts the sample at a point, ``text`` explains it; how much room it takes on A3."""

    draw: Draw
    text: str
    high: float = 4.25
    wide: float = 0.0


def legend(column: Column, top: float, result: Result, theme: Theme, drawn: Drawn) -> float:
    """Explain what the map shows: an entry for each symbol that is on it, and none for any other."""
    y, unit = heading(column, top, column.say("legend")), column.unit
    half, ends = column.width * 0.545, []
    blocks = (
        [("coverage_head", _demand_keys(column, result, theme, drawn)), ("base_head", _base_keys(column, drawn))],
        [
            ("status_head", _status_keys(column, drawn)),
            ("gap_head", _gap_keys(column, drawn)),
            ("mode_head", _mode_keys(column, drawn)),
            ("tier_head", _tier_keys(column, theme, drawn)),
        ],
    )
    for left, right, indent, side in (
        (column.left, column.left + half - 2 * unit, 13 * unit, blocks[0]),
        (column.left + half, column.right, 9.5 * unit, blocks[1]),
    ):
        at = y
        for head, keys in side:
            if not keys:
                continue
            at -= 3.5 * unit
            pen.words(column.axes, left, at, column.say(head), 6.4 * unit, style.MUTED, limit_mm=right - left)
            at -= 1.1 * unit
            past = max(indent, *(key.wide * unit for key in keys))
            for key in keys:
                high = max(key.high, 4.25)
                at -= high * unit
                middle, room = at + (high / 2 - 0.62) * unit, right - left - past
                key.draw(left, middle)
                pt = min(7.0, 7.0 * room / max(width_mm(clean(key.text), 7.0 * unit), room) + 1e-9)
                pt = readable(max(pt, 5.6) * unit)
                lines = wrap_evenly(clean(key.text), pt, room)
                for i, line in enumerate(lines):
                    pen.words(column.axes, left + past, middle - i * 1.2 * pt * MM_PER_PT, line, pt, middle=True)
                at -= (len(lines) - 1) * 1.2 * pt * MM_PER_PT
            at -= 1.0 * unit
        ends.append(at)
    return min(ends) - 1.0 * unit


def _demand_keys(column: Column, result: Result, theme: Theme, drawn: Drawn) -> list[Key]:
    def names(*, line: bool) -> str:
        present = result.demand.loc[result.demand["line"].notna() == line, "group"].unique()
        return column.say("and").join(result.study.groups[g].name for g in result.study.groups if g in present)

    seen = sorted({*drawn.line_shades, *drawn.dot_shades})
    keys = [Key(_shade_sample(column, drawn, theme.shades[i], i), theme.shades[i].label) for i in seen]
    if drawn.densities:
        keys.append(Key(_width_sample(column, drawn), column.say(theme.weight_word, groups=names(line=True))))
    if drawn.dot_mm:
        keys.append(Key(_dot_sample(column, drawn), column.say("dot_size", groups=names(line=False))))
    return keys


def _shade_sample(column: Column, drawn: Drawn, shade: Shade, number: int) -> Draw:
    """Show a shade on what bears it: a line, a dot, or both."""

    def draw(x: float, y: float) -> None:
        unit = column.unit
        if number in drawn.line_shades:
            mm = min(max(float(np.mean(drawn.densities)) * drawn.mm_per_density, 0.5 * unit), 0.9 * unit)
            stretch = [shapely.LineString([(x, y), (x + (7.5 if drawn.dot_mm else 10.5) * unit, y)])]
            pen.coverage_line(column.axes, stretch, mm, shade.colour, gap=shade.gap, unit=unit, order=2)
        if number in drawn.dot_shades:
            at, dot = np.array([[x + (9.6 if drawn.densities else 5.2) * unit, y]]), np.array([1.3 * unit])
            pen.dots(column.axes, at, dot, shade.colour, hollow=shade.gap)

    return draw


def _width_sample(column: Column, drawn: Drawn) -> Draw:
    def draw(x: float, y: float) -> None:
        unit, axes = column.unit, column.axes
        for i, density in enumerate(_steps(drawn.densities[0], drawn.densities[-1])):
            at, mm = x + i * 3.9 * unit, density * drawn.mm_per_density
            pen.rule(axes, at, y - 0.5 * unit, at + 2.6 * unit, y - 0.5 * unit, mm, style.MUTED)
            pen.words(
                axes,
                at + 1.3 * unit,
                y + 0.6 * unit,
                f"{density:g}",
                readable(4.6 * unit),
                style.MUTED,
                across="center",
            )

    return draw


def _dot_sample(column: Column, drawn: Drawn) -> Draw:
    def draw(x: float, y: float) -> None:
        unit, axes = column.unit, column.axes
        for i, people in enumerate(_steps(max(drawn.heaviest_dot / 10, 1), drawn.heaviest_dot)):
            at, mm = x + (1.3 + i * 3.9) * unit, float(np.sqrt(people)) * drawn.dot_mm
            pen.dots(axes, np.array([[at, y - 0.5 * unit]]), np.array([mm]), style.MUTED)
            pen.words(axes, at, y + 0.6 * unit, f"{people:g}", readable(4.6 * unit), style.MUTED, across="center")

    return draw


def _steps(low: float, high: float) -> list[float]:
    """Return up to three round numbers between low and high."""
    steps = {round_down(max(value, 1e-9), (1.0, 2.0, 5.0)) for value in (low, float(np.sqrt(low * high)))}
    return sorted(steps | {round_down(high, (1.0, 2.0, 3.0, 5.0))})


def _base_keys(column: Column, drawn: Drawn) -> list[Key]:
    unit, axes, wide = column.unit, column.axes, 10.5 * column.unit

    def street(x: float, y: float) -> None:
        pen.rule(axes, x, y, x + wide, y, PRIMARY_MM * unit, style.STREET)

    def water(x: float, y: float) -> None:
        edge = 0.2 * unit
        pen.box(axes, x, y - 1.2 * unit, wide, 2.4 * unit, colour=style.WATER, edge=style.WATER_EDGE, edge_mm=edge)

    def area(x: float, y: float) -> None:
        pen.area_line(axes, [shapely.LineString([(x, y), (x + wide, y)])], unit)

    def zone(x: float, y: float) -> None:
        pen.spaced(axes, x + wide / 2, y, column.say("zone_sample"), 6.4 * unit, 0.9 * unit, style.ZONE_INK)

    def focus(x: float, y: float) -> None:
        pen.rule(axes, x, y, x + wide, y, FOCUS_MM * unit, style.ZONE_INK)

    samples: tuple[tuple[str, bool, Draw], ...] = (
        ("focus", drawn.focus, focus),
        ("streets", drawn.streets, street),
        ("water", drawn.water, water),
        ("area", drawn.area, area),
        ("zone", drawn.zones, zone),
    )
    return [Key(draw, column.say(word)) for word, seen, draw in samples if seen]


def _status_keys(column: Column, drawn: Drawn) -> list[Key]:
    def sample(status: str) -> Draw:
        def draw(x: float, y: float) -> None:
            mm = (2.8 if status in ("existing", "closed") else 4.0) * column.unit
            shape, colour = ("square", style.MUTED) if status == "page" else ("circle", style.YEARS[0])
            pen.symbol(column.axes, x + 3 * column.unit, y, mm, shape, status, colour, halo_mm=0)

        return draw

    return [
        Key(sample(s), column.say("page_mark") if s == "page" else term(column.lang, "status", s))
        for s in drawn.statuses
    ]


def _gap_keys(column: Column, drawn: Drawn) -> list[Key]:
    """Show the mark of each reason for which a gap on the map bears a number."""

    def sample(reason: str) -> Draw:
        def draw(x: float, y: float) -> None:
            status, mm = "gap_seats" if reason in style.SEAT_REASONS else "gap", 3.6 * column.unit
            look = ("hexagon", status, style.REASONS[reason])
            pen.symbol(column.axes, x + 3 * column.unit, y, mm, *look, halo_mm=0)

        return draw

    return [Key(sample(reason), term(column.lang, "reason", reason)) for reason in drawn.reasons]


def _mode_keys(column: Column, drawn: Drawn) -> list[Key]:
    def sample(mode: str) -> Draw:
        def draw(x: float, y: float) -> None:
            shape = style.SHAPES[mode]
            pen.symbol(
                column.axes, x + 3 * column.unit, y, 3.0 * column.unit, shape, "existing", style.TODAY, halo_mm=0
            )

        return draw

    return [Key(sample(m), term(column.lang, "mode", m) if m else column.say("mode_unknown")) for m in drawn.modes]


def _tier_keys(column: Column, theme: Theme, drawn: Drawn) -> list[Key]:
    """Show each tier as large as on the map: without a number, and with one."""

    def key(tier: str) -> Key:
        of_tier, unit = theme.marks[theme.marks["tier"] == tier], column.unit
        samples, edge = [], 0.4
        for numbered in (False, True):
            sizes = of_tier.loc[(of_tier["number"] > 0) == numbered, "size"]
            if len(sizes):
                mm = float(sizes.iloc[0]) * SITE_MM
                status = "chosen" if numbered and (of_tier["status"] == "chosen").any() else "existing"
                samples.append((edge + mm / 2, mm, status))
                edge += mm + 0.6

        def draw(x: float, y: float) -> None:
            for at, mm, status in samples:
                pen.symbol(column.axes, x + at * unit, y, mm * unit, "circle", status, style.YEARS[0], halo_mm=0)

        return Key(draw, term(column.lang, "tier", tier), max(mm for _, mm, _ in samples) + 0.4, edge + 0.6)

    return [key(tier) for tier in drawn.tiers]


# Type sizes, columns and whether the tabs are shown, in the order of preference.
_LIST_SETTINGS = (
    *((pt, 1, True) for pt in (7.2, 6.8, 6.4, 6.1, 5.8)),
    *((pt, 2, True) for pt in (6.4, 6.1, 5.8)),
    *((pt, 2, False) for pt in (7.0, 6.6, 6.2, 5.8)),
    *((pt, 3, False) for pt in (5.8, 5.2, 4.8)),
)


# Below this height, on A3, a list is not begun; one that only fills room is worth more of it.
LEAST_LIST_MM, LEAST_FILL_MM = 16.0, 21.0


@dataclass(frozen=True)
class _Row:
    height: float
    draw: Draw
    head: bool = False
    lines: int = 1


def listing(
    column: Column,
    top: float,
    bottom: float,
    theme: Theme,
    said: Listing | None,
    frame: Frame,
    *,
    least_mm: float = LEAST_LIST_MM,
) -> float:
    """List what the numbers of the map mean, as a table where there is room, else in columns of names; return where it ends.

    The type shrinks until all fits above ``bottom``; what never fits is counted in the last line.
    """
    unit = column.unit
    if said is None or top - bottom < least_mm * unit:
        return top
    y = heading(column, top, said.heading)
    for size, columns, table in (s for s in _LIST_SETTINGS if said.names_alone or s[2]):
        pt = readable(size * unit)
        width = (column.width - 4 * unit * (columns - 1)) / columns
        rows = _rows(column, theme, said, frame, pt, width, table=table)
        parts = _flow(rows, columns, y - bottom)
        # Two tables side by side are good for short names only.
        if parts is not None and not (table and columns > 1 and any(row.lines > 1 for row in rows)):
            break
    else:
        if table and any(row.lines > 1 for row in rows):
            # Beside its tabs a long name has room in one column only.
            columns, width = 1, column.width
            rows = _rows(column, theme, said, frame, pt, width, table=table)
        parts = _cut(column, said, rows, columns, y - bottom, pt)
    ends = [y]
    for i, part in enumerate(parts):
        x, at = column.left + i * (width + 4 * unit), y
        for row in part:
            row.draw(x, at)
            at -= row.height
        ends.append(at)
    return min(ends) - 3.0 * unit


def _rows(
    column: Column, theme: Theme, said: Listing, frame: Frame, pt: float, width: float, *, table: bool
) -> list[_Row]:
    """Return the rows of the list, set in ``pt`` for a width: number, symbol, name, tabs, square of the map."""
    em, axes = pt * MM_PER_PT, column.axes
    marks = {m["number"]: m for m in theme.marks[theme.marks["number"] > 0].to_dict("records")}
    places = shapely.points(np.array([(m["x"], m["y"]) for m in marks.values()]).reshape(-1, 2))
    xy = shapely.get_coordinates(to_paper(frame, places))
    square = {n: cell_of(frame, CELL_MM * column.unit, x, y) for n, (x, y) in zip(marks, xy, strict=True)}
    numbered = any(entry.number for section in said.sections for entry in section.entries)
    indent = 3.7 * em if numbered else 0.0
    tabs = _tabs(said, pt, width - (3.4 * em if numbered else 0.0)) if table else []
    room = (tabs[0] - _tab_widths(said, pt)[0] - 1.2 * em if tabs else width - 3.0 * em) - indent

    def head(text: str, colour: str, down: float) -> Draw:
        def draw(x: float, y: float) -> None:
            pen.words(axes, x, y - 1.75 * em, text, pt * 1.06, limit_mm=width if down > 2 * em else room + indent)
            for tab, word in zip(tabs, said.tabs, strict=bool(tabs)):
                pen.words(axes, x + tab, y - down, word, readable(pt * 0.86), style.MUTED, across="right")
            foot = y - down - 0.4 * em
            pen.rule(axes, x, foot, x + width, foot, 0.4 * column.unit, colour)

        return draw

    def item(entry: Entry, lines: list[str]) -> Draw:
        def draw(x: float, y: float) -> None:
            middle = y - 0.75 * em
            for i, line in enumerate(lines):
                pen.words(axes, x + indent, middle - i * 1.2 * em, line, pt, middle=True)
            for tab, value in zip(tabs, entry.values, strict=bool(tabs)):
                pen.words(axes, x + tab, middle, value, pt, across="right", middle=True)
            if entry.number == 0:
                return
            mark = marks[entry.number]
            pen.words(axes, x + 1.55 * em, middle, entry.number, pt, across="right", middle=True)
            pen.symbol(axes, x + 2.6 * em, middle, 0.98 * em, mark["shape"], mark["status"], mark["colour"], halo_mm=0)
            pen.words(
                axes,
                x + width,
                middle,
                square[entry.number],
                readable(pt * 0.9),
                style.MUTED,
                across="right",
                middle=True,
            )

        return draw

    rows: list[_Row] = []
    for section in said.sections:
        # The names of the tabs go below a heading that leaves them no room.
        down = 1.75 * em if not tabs or width_mm(clean(section.head), pt * 1.06) <= room + indent else 3.05 * em
        rows.append(_Row(down + 0.75 * em, head(section.head, section.colour, down), head=True))
        for entry in section.entries:
            lines = wrap_evenly(clean(entry.name), pt, room)
            rows.append(_Row((1.45 + 1.2 * (len(lines) - 1)) * em, item(entry, lines), lines=len(lines)))
    return rows


def _tab_widths(said: Listing, pt: float) -> list[float]:
    """Return how wide each tab is: its heading, or its widest value."""
    entries = [entry for section in said.sections for entry in section.entries]
    return [
        max([width_mm(clean(word), readable(pt * 0.86)), *(width_mm(clean(e.values[i]), pt) for e in entries)])
        for i, word in enumerate(said.tabs)
    ]


def _tabs(said: Listing, pt: float, right: float) -> list[float]:
    """Return the right edge of each tab, the last at ``right``."""
    widths = _tab_widths(said, pt)
    gap = 1.3 * pt * MM_PER_PT
    return [right - sum(widths[i + 1 :]) - gap * (len(widths) - 1 - i) for i in range(len(widths))]


def _flow(rows: list[_Row], columns: int, height: float) -> list[list[_Row]] | None:
    """Return the rows in even columns that are at most ``height`` high, or None. No heading stands alone at a column's foot."""
    total, tallest = sum(r.height for r in rows), max((r.height for r in rows), default=0.0)
    for limit in np.linspace(max(tallest, total / columns), height, 24):
        parts: list[list[_Row]] = [[]]
        for i, row in enumerate(rows):
            needed = row.height + (rows[i + 1].height if row.head and i + 1 < len(rows) else 0.0)
            if parts[-1] and sum(r.height for r in parts[-1]) + needed > limit + 1e-6:
                parts.append([])
            parts[-1].append(row)
        if len(parts) <= columns and limit <= height:
            return parts
    return None


def _cut(column: Column, said: Listing, rows: list[_Row], columns: int, height: float, pt: float) -> list[list[_Row]]:
    """Return as many rows as fit, and a last one that says how many more there are."""

    def last(text: str) -> Draw:
        def draw(x: float, y: float) -> None:
            pen.words(column.axes, x, y - pt * MM_PER_PT, text, pt, style.MUTED)

        return draw

    entries = sum(not r.head for r in rows)
    for keep in range(len(rows) - 1, -1, -1):
        text = say(column.lang, said.more, count=entries - sum(not r.head for r in rows[:keep]))
        parts = _flow([*rows[:keep], _Row(1.45 * pt * MM_PER_PT, last(text))], columns, height)
        if parts is not None:
            return parts
    return []


def title_block(column: Column, bottom: float, result: Result, base: Base, number: str) -> float:
    """Draw the title block from the foot of the column upwards and return its upper edge."""
    unit, study, frame = column.unit, result.study, base.frame
    block, settings = study.map, study.plan
    period = column.say("no_plan")
    if settings:
        years = {"first": settings.years[0], "last": settings.years[-1], "year": settings.years[0]}
        period = column.say("years" if len(settings.years) > 1 else "year", **years)
    scale = column.say("scale_value", scale=figure(frame.scale), paper=base.page.paper)
    pairs = [
        (("compiling_unit", block.compiling_unit), ("period", period)),
        (("crs", crs_name(study.crs, column.lang)), ("scale", scale)),
        (("base_map", study.base_map), ("date", block.date)),
        (("standard", study.standard.name), ("number", number)),
        (("approval", block.approval_number or column.say("internal")), ("run", result.run_id)),
    ]
    pt, high, split = 6.2 * unit, 5.9 * unit, column.width * 0.6
    key_mm = max(width_mm(column.say(key), pt) for row in pairs for key, _ in row) + 3.4 * unit
    top = bottom + high * len(pairs)
    for i, row in enumerate(pairs):
        middle = top - high * (i + 0.5)
        for x, wide, (key, value) in (
            (column.left, split, row[0]),
            (column.left + split, column.width - split, row[1]),
        ):
            pen.words(column.axes, x + 1.4 * unit, middle, column.say(key), pt, style.MUTED, middle=True)
            lines = wrap_evenly(clean(value), pt, wide - key_mm - 1.6 * unit)
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
    _north(column, column.left + 4 * unit, middle - 1.6 * unit, frame.north_deg)
    end = _scale_bar(column, column.left + 13 * unit, middle - 1.3 * unit, frame)
    left = end + 14 * unit
    rows = wrap(clean(note), 6.6 * unit, column.right - left, lines=3)
    pitch = 1.35 * 6.6 * unit * MM_PER_PT
    for i, row in enumerate(rows):
        shift = (0.5 * (len(rows) - 1) - i) * pitch
        pen.words(axes, left, middle + shift, row, 6.6 * unit, style.MUTED, middle=True)


def _north(column: Column, x: float, y: float, degrees: float) -> None:
    """Draw an arrow to true north, half of it in shade."""
    unit, turn = column.unit, np.deg2rad(-degrees)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    for sign, colour in ((-1, style.INK), (1, style.WHITE)):
        corners = np.array([(0, 3.2), (sign * 1.9, -3.2), (0, -1.7)]) * unit @ rotation + (x, y)
        pen.areas(column.axes, [shapely.Polygon(corners)], colour, edge=style.INK, edge_mm=0.15 * unit)
    tip_x, tip_y = np.array([0, 4.4]) * unit @ rotation + (x, y)
    pen.words(column.axes, tip_x, tip_y, column.say("north"), 6.6 * unit, across="center", middle=True)


def _scale_bar(column: Column, x: float, y: float, frame: Frame) -> float:
    """Draw a scale bar that is true on the ground at the middle of the map, and return its right end."""
    unit, axes = column.unit, column.axes
    whole = bar_m(frame, 62 * unit)
    length = on_paper_mm(frame, whole)
    per, word = (1000, "kilometres") if whole >= 1000 else (1, "metres")
    pen.box(axes, x, y, length, 1.5 * unit, colour=style.WHITE, edge=style.INK, edge_mm=0.2 * unit, order=2)
    for i in (0, 2):
        pen.box(axes, x + i * length / 4, y, length / 4, 1.5 * unit, colour=style.INK, order=2.1)
    for part in (0.0, 0.25, 0.5, 1.0):
        pen.words(axes, x + length * part, y + 2.4 * unit, f"{whole * part / per:g}", 6.4 * unit, across="center")
    pen.words(axes, x + length + 2.2 * unit, y + 2.4 * unit, column.say(word), 6.4 * unit)
    pen.words(axes, x + length + 2.2 * unit, y - 0.4 * unit, f"1:{figure(frame.scale)}", 6.4 * unit)
    return x + length
