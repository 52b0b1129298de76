"""Result -> what each sheet shows: shades of the demand, sites, bars and a list. Data only: `ground` and `panel` draw it.

A theme says everything in which one sheet differs from another, so that all sheets look alike and none can tell its own truth.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely import Geometry

from planner.draw import style
from planner.pipeline import Result
from planner.words import Lang, say, term
from planner.words.wording import hours, percent

NEVER = -1
# How the title of a layout plan map ends.
LAYOUT_KIND = "布局规划图"
# Marks of gaps on one sheet; the others are in the programme's sheet of gaps.
TOP_GAPS = 24


@dataclass(frozen=True)
class Shade:
    """One look of the demand. ``gap``: drawn hollow on a wash, as nobody covers it."""

    label: str
    colour: str
    gap: bool = False


@dataclass(frozen=True)
class Bar:
    """A bar of the chart: shares of people. The outer bar is the share with a site in reach, the inner the effective share."""

    label: str
    remark: str
    share: float
    effective: float
    colour: str


@dataclass(frozen=True)
class Entry:
    """A row of the list beside the map, and its mark on it.

    Attributes:
        number: on the map and in the list; 0 for what is not on the map.
        name: what it is called.
        values: text of each tab of the listing.
    """

    number: int
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """Entries under a heading on a rule of ``colour``."""

    head: str
    colour: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Listing:
    """The list beside the map.

    Attributes:
        heading: of the list.
        tabs: headings of the values.
        sections: the entries.
        more: key of the words that say how many entries found no room.
        names_alone: whether the names say something without their values, where there is no room for a table.
    """

    heading: str
    tabs: tuple[str, ...]
    sections: tuple[Section, ...]
    more: str
    names_alone: bool = True


@dataclass(frozen=True, eq=False)
class Theme:
    """What one sheet shows.

    Attributes:
        name: of the file, without suffix.
        title: of the sheet.
        kind: how the title ends; a title of two lines breaks before it.
        below: lines under the title.
        bars: the chart.
        shades: looks of the demand in the order of the legend; earlier ones lie on top.
        shade: (n_demand,) number of each unit's shade.
        weight: (n_demand,) people that the width of a line and the area of a dot stand for.
        weight_word: key of the sheet's words for what a line's width means.
        marks: what stands on the map: columns number (0: none), x, y (projected), shape, status, colour, size (relative to a numbered
            township's site), mode and tier ("" for what is no site); on a sheet of gaps also reason ("" for what is no gap).
        listing: the list; None for none.
        people: people of each group that the figures speak of; None for all that are studied.
        second: a list for what room is left on a large sheet; None for none.
        focus: the area that the sheet is about, in the projected CRS; None for all that is studied.
    """

    name: str
    title: str
    kind: str
    below: tuple[str, ...]
    bars: tuple[Bar, ...]
    shades: tuple[Shade, ...]
    shade: NDArray[np.int64]
    weight: NDArray[np.float64]
    weight_word: str
    marks: pd.DataFrame
    listing: Listing | None
    people: Mapping[str, float] | None = None
    second: Listing | None = None
    focus: Geometry | None = None


def figure(value: float, digits: int = 0) -> str:
    """Return a number with a thin space between its thousands and no needless decimals."""
    text = f"{value:,.{digits}f}".replace(",", "\u2009")
    return text.rstrip("0").rstrip(".") if digits else text


def people(value: float) -> str:
    """Return a number of people; a few that are no whole person are less than one, not none."""
    return "<1" if 0 < value < 0.5 else figure(value)


def layout(result: Result, lang: Lang, *, until: int | None = None) -> Theme:
    """Return the layout plan: who is covered from when, and the sites as they stand at the end of the plan.

    Args:
        until: the sheet shows the state at the end of this year; None is the end of the plan.
    """
    years = result.years if until is None else tuple(y for y in result.years if y <= until)
    colour = style.year_colours(result.years)
    shades = [Shade(say(lang, "sheet.lines_today"), colour[0])]
    shades += [Shade(say(lang, "sheet.lines_year", year=year), colour[year]) for year in years]
    never = "lines_never_today" if not years else "lines_never" if until is None else "lines_never_yet"
    shades.append(Shade(say(lang, f"sheet.{never}", year=until), style.GAP_LINE, gap=True))
    index = {0: 0, **{year: i for i, year in enumerate(years, 1)}}
    title = layout_title(result, lang)
    kind = LAYOUT_KIND if LAYOUT_KIND in title else title
    if until is not None:
        title, kind = (say(lang, "sheet.year_title", year=until, title=t) for t in (title, kind))
    return Theme(
        name="layout" if until is None else f"year-{until}",
        title=title,
        kind=kind,
        below=_below(result, lang),
        bars=tuple(_moment_bar(result, lang, moment, colour) for moment in (0, *years)),
        shades=tuple(shades),
        shade=result.demand["covered_from"].map(lambda m: index.get(m, len(shades) - 1)).to_numpy(dtype=np.int64),
        weight=result.demand["weight"].to_numpy(dtype=float),
        weight_word="line_width",
        marks=_sites(result, years),
        listing=_programme(result, lang, years, colour) if len(result.actions) else None,
        second=_zones_by_people(result, lang),
    )


def existing(result: Result, lang: Lang) -> Theme:
    """Return the existing situation: how many sites are within the radius."""
    within = result.demand["sites_within"].to_numpy()
    backup = result.study.standard.backup
    shades = (
        Shade(say(lang, "sheet.within_backup", count=backup), style.TODAY),
        Shade(say(lang, "sheet.within_one" if backup == 2 else "sheet.within_fewer", count=backup - 1), style.YEARS[1]),
        Shade(say(lang, "sheet.lines_never_today"), style.GAP_LINE, gap=True),
    )
    marks = _sites(result, ())
    sites = result.sites.set_index("id").loc[marks["id"]]
    # Sites are numbered from the north-west, as one reads the map.
    order = np.lexsort((marks["x"], -np.round(marks["y"] / 1000)))
    marks["number"] = np.argsort(order) + 1
    marks["size"] *= 1.5
    names, modes = sites["name"].to_list(), marks["mode"].to_list()
    zones = [result.zone_name(zone) if zone else "" for zone in sites["zone"]]
    entries = tuple(
        Entry(rank, str(names[i]), (zones[i], term(lang, "mode", modes[i]) if modes[i] else ""))
        for rank, i in enumerate(order.tolist(), 1)
    )
    section = Section(say(lang, "sheet.existing_count", count=len(entries)), style.TODAY, entries)
    return Theme(
        name="existing",
        title=say(lang, "sheet.of", subject=subject(result, lang), kind=say(lang, "sheet.existing_kind")),
        kind=say(lang, "sheet.existing_kind"),
        below=_below(result, lang),
        bars=_group_bars(result, lang),
        shades=shades,
        shade=np.select([within >= backup, within >= 1], [0, 1], 2).astype(np.int64),
        weight=result.demand["weight"].to_numpy(dtype=float),
        weight_word="line_width",
        marks=marks,
        listing=Listing(
            say(lang, "sheet.existing_list"),
            (say(lang, "sheet.tab_zone"), say(lang, "sheet.tab_mode")),
            (section,),
            "sheet.sites_more",
        ),
    )


def effective(result: Result, lang: Lang) -> Theme:
    """Return effective coverage today: for which share of the working time a site in reach is open and equipped."""
    share = result.demand["effective_share"].to_numpy(dtype=float)
    limits = (0.75, 0.5, 0.25, 0.0)
    colours = (style.TODAY, *style.YEARS)
    labels = [say(lang, "sheet.effective_from", low=f"{low:.0%}", high=f"{low + 0.25:.0%}") for low in limits]
    labels[-1] = say(lang, "sheet.effective_below", high="25%")
    shades = [Shade(label, colour) for label, colour in zip(labels, colours, strict=True)]
    shades.append(Shade(say(lang, "sheet.effective_none"), style.GAP_LINE, gap=True))
    return Theme(
        name="effective",
        title=say(lang, "sheet.of", subject=subject(result, lang), kind=say(lang, "sheet.effective_kind")),
        kind=say(lang, "sheet.effective_kind"),
        below=(*_below(result, lang), _shifts(result, lang)),
        bars=_group_bars(result, lang),
        shades=tuple(shades),
        shade=np.select([share >= 0.75, share >= 0.5, share >= 0.25, share > 0], [0, 1, 2, 3], 4).astype(np.int64),
        weight=result.demand["weight"].to_numpy(dtype=float),
        weight_word="line_width",
        marks=_sites(result, ()),
        listing=_zones(result, lang),
    )


def gaps(result: Result, lang: Lang) -> Theme:
    """Return the gaps of the existing state: why people are not covered, and where most of them are."""
    reason = dict(zip(result.gaps["id"], result.gaps["reason"], strict=True))
    why = result.demand["gap"].map(lambda gap: reason.get(gap, "")).to_numpy()
    present = [r for r in style.REASONS if (why == r).any()]
    shades = [Shade(term(lang, "reason", r), style.REASONS[r], gap=r in ("too_far", "unreachable")) for r in present]
    shades.append(Shade(say(lang, "sheet.no_gap"), style.FAINT))
    index = {r: i for i, r in enumerate(present)}
    lost = result.demand["weight"].to_numpy(dtype=float) * (1 - result.demand["effective_share"].to_numpy(dtype=float))
    top = result.gaps.head(TOP_GAPS)
    places = gpd.GeoSeries(gpd.points_from_xy(top["x"], top["y"]), crs="EPSG:4326").to_crs(result.demand.crs)
    marks = pd.DataFrame(
        {
            "number": np.arange(1, len(top) + 1),
            "id": top["id"].to_numpy(),
            "x": places.x.to_numpy(),
            "y": places.y.to_numpy(),
            "shape": "hexagon",
            "status": ["gap_seats" if r in style.SEAT_REASONS else "gap" for r in top["reason"]],
            "colour": [style.REASONS[r] for r in top["reason"]],
            "reason": top["reason"].to_numpy(),
            "size": 1.0,
            "mode": "",
            "tier": "",
        }
    )
    radius = figure(result.study.standard.service_radius_m)
    entries = tuple(
        Entry(
            rank,
            _gap_name(result, gap, lang),
            (people(float(gap["weight"])), term(lang, "reason", str(gap["reason"])), metres(gap["nearest_m"])),
        )
        for rank, gap in enumerate(top.to_dict("records"), 1)
    )
    head = gaps_head(lang, top, result.gaps)
    tabs = tuple(say(lang, f"sheet.tab_{key}") for key in ("people", "reason", "nearest")) if len(top) else ()
    return Theme(
        name="gaps",
        title=say(lang, "sheet.of", subject=subject(result, lang), kind=say(lang, "sheet.gaps_kind")),
        kind=say(lang, "sheet.gaps_kind"),
        below=(*_below(result, lang), say(lang, "sheet.gaps_below", radius=radius)),
        bars=_group_bars(result, lang),
        shades=tuple(shades),
        shade=np.array([index.get(r, len(present)) for r in why], dtype=np.int64),
        weight=np.where(why == "", result.demand["weight"].to_numpy(dtype=float) * 0.25, lost),
        weight_word="line_width_lost",
        marks=pd.concat([_sites(result, ()).assign(reason=""), marks], ignore_index=True),
        listing=Listing(
            say(lang, "sheet.gaps_list"),
            tabs,
            (Section(head, style.GAP, entries),),
            "sheet.gaps_more",
            names_alone=False,
        ),
    )


def gaps_head(lang: Lang, top: pd.DataFrame, gaps: pd.DataFrame) -> str:
    """Say how many of the gaps are listed, and how many people they stand for."""
    people, total = (figure(float(some["weight"].sum())) for some in (top, gaps))
    if gaps.empty:
        return say(lang, "sheet.gaps_none")
    key = "sheet.gaps_head" if len(top) < len(gaps) else "sheet.gaps_head_all"
    return say(lang, key, shown=len(top), count=len(gaps), people=people, total=total)


def all_themes(result: Result, lang: Lang) -> dict[str, Callable[[], Theme]]:
    """Return how each sheet of a run is made, by its name, in the order of the set."""

    def year(until: int) -> Callable[[], Theme]:
        return lambda: layout(result, lang, until=until)

    return {
        "existing": lambda: existing(result, lang),
        "effective": lambda: effective(result, lang),
        "gaps": lambda: gaps(result, lang),
        "layout": lambda: layout(result, lang),
        **{f"year-{until}": year(until) for until in result.years},
    }


def layout_title(result: Result, lang: Lang) -> str:
    """Return the title of the layout plan map: the study's own, or the general one."""
    return result.study.map.title or say(lang, "sheet.layout_title")


def subject(result: Result, lang: Lang) -> str:
    """Return what the layout plan is a plan of: its title without 布局规划图."""
    short = layout_title(result, lang).removesuffix(LAYOUT_KIND).strip()
    return short if short != layout_title(result, lang) else say(lang, "sheet.subject")


def _below(result: Result, lang: Lang) -> tuple[str, ...]:
    walk = say(lang, "sheet.walk", radius=figure(result.study.standard.service_radius_m))
    return (result.study.scope, walk) if result.study.scope else (walk,)


def _shifts(result: Result, lang: Lang) -> str:
    """Return the working hours of the groups in one line."""
    return say(lang, "sheet.shifts_and").join(
        say(lang, "sheet.shift", group=group.name, shift=shift.name, hours=hours(lang, shift.hours))
        for key, group in result.study.groups.items()
        for shift in result.study.shifts(key)
    )


def _moment_bar(result: Result, lang: Lang, moment: int, colour: Mapping[int, str]) -> Bar:
    figures = result.indicators[moment]
    label = say(lang, "sheet.today") if moment == 0 else say(lang, "sheet.year", year=moment)
    return Bar(
        label, _added(result, lang, moment), figures["share"] or 0.0, figures["effective_share"] or 0.0, colour[moment]
    )


def _group_bars(result: Result, lang: Lang) -> tuple[Bar, ...]:
    """Return today's coverage of all people and of each group."""
    today = result.indicators[0]
    rows = [(say(lang, "sheet.everyone"), today)]
    if len(result.study.groups) > 1:
        rows += [(settings.name, today["by_group"][group]) for group, settings in result.study.groups.items()]
    return tuple(
        Bar(name, figure(f["total_weight"]), f["share"] or 0.0, f["effective_share"] or 0.0, style.TODAY)
        for name, f in rows
    )


def _added(result: Result, lang: Lang, moment: int) -> str:
    """Say how many sites stand today, or what a year adds."""
    if moment == 0:
        count = int((result.sites["status"].isin(["existing", "upgraded", "closed"])).sum())
        return say(lang, "sheet.site_count" if count == 1 else "sheet.sites_count", count=count)
    taken = result.actions[result.actions["year"] == moment]
    new, closed = (int((taken["action"] == action).sum()) for action in ("build", "close"))
    counts = {"added_new": new, "added_upgraded": len(taken) - new - closed, "added_closed": closed}
    parts = [say(lang, f"sheet.{key}", count=count) for key, count in counts.items() if count]
    return say(lang, "sheet.and").join(parts)


def _sites(result: Result, years: Sequence[int]) -> pd.DataFrame:
    """Return the sites as they stand when the actions of ``years`` are done; what an action touches carries its number."""
    sites = result.sites
    done = sites["year"].isin(years)
    status = np.where(done, sites["status"], np.where(sites["status"] == "upgraded", "existing", sites["status"]))
    standing = (done | ~sites["status"].isin(["chosen", "candidate"])).to_numpy()
    number = {site: n for n, site in enumerate(result.actions["site"], 1)}
    colour = style.year_colours(result.years)
    size = sites["tier"].map(lambda tier: style.TIER_SIZES.get(tier, 1.0)).to_numpy(dtype=float)
    marks = pd.DataFrame(
        {
            "number": np.where(done, sites["id"].map(number).fillna(0), 0).astype(int),
            "id": sites["id"].to_numpy(),
            "x": sites.geometry.x.to_numpy(),
            "y": sites.geometry.y.to_numpy(),
            "shape": sites["mode"].map(lambda mode: style.SHAPES.get(mode, "circle")).to_numpy(),
            "status": status,
            "colour": [colour[year] if year in years else style.TODAY for year in sites["year"]],
            # What nothing is planned for carries no number and can be small.
            "size": np.where(done, size, 0.5 * size),
            "mode": sites["mode"].to_numpy(),
            "tier": sites["tier"].to_numpy(),
        }
    )
    kept: pd.DataFrame = marks[standing].reset_index(drop=True)
    return kept


def _programme(result: Result, lang: Lang, years: Sequence[int], colour: Mapping[int, str]) -> Listing:
    names = dict(zip(result.sites["id"], result.sites["name"], strict=True))
    digits = _digits(result.actions["capital_cost"].to_list())
    unit = result.study.plan.cost_unit if result.study.plan else ""
    number = {site: n for n, site in enumerate(result.actions["site"], 1)}
    sections = []
    for year in years:
        taken = result.actions[result.actions["year"] == year].to_dict("records")
        if not taken:
            continue
        key = "sheet.programme_year_one" if len(taken) == 1 else "sheet.programme_year"
        head = say(lang, key, year=year, count=len(taken), cost=figure(result.cost_by_year[year], 1), unit=unit)
        entries = tuple(
            Entry(
                number[action["site"]],
                names[action["site"]] or str(action["site"]),
                (_way(action, lang), f"{action['capital_cost']:.{digits}f}", people(float(action["gain"]))),
            )
            for action in taken
        )
        sections.append(Section(head, colour[year], entries))
    tabs = tuple(say(lang, f"sheet.tab_{key}") for key in ("mode", "cost", "gain"))
    return Listing(say(lang, "sheet.programme"), tabs, tuple(sections), "sheet.programme_more")


def _zones_by_people(result: Result, lang: Lang) -> Listing | None:
    if result.zones.empty:
        return None
    people = {zone: f["total_weight"] for zone, f in result.indicators[0]["by_zone"].items() if f["total_weight"] > 0}
    order = sorted(people, key=lambda zone: (-people[zone], zone))
    return zones_over_time(result, lang, dict.fromkeys(order, 0), heading=say(lang, "sheet.zones_plan"))


def _zones(result: Result, lang: Lang) -> Listing | None:
    """List today's coverage by zone, those first where most people are missed."""
    by_zone = [(zone, f) for zone, f in result.indicators[0]["by_zone"].items() if f["total_weight"] > 0]
    if result.zones.empty or not by_zone:
        return None
    missed = {zone: f["total_weight"] * (1 - f["effective_share"]) for zone, f in by_zone}
    entries = tuple(
        Entry(
            0,
            result.zone_name(zone) if zone else say(lang, "sheet.no_zone"),
            (figure(f["total_weight"]), percent(f["share"], 0), percent(f["effective_share"], 0), figure(missed[zone])),
        )
        for zone, f in sorted(by_zone, key=lambda item: (-missed[item[0]], item[0]))
    )
    tabs = tuple(say(lang, f"sheet.tab_{key}") for key in ("weight", "share", "effective", "missed"))
    head = say(lang, "sheet.zones_head", count=len(entries))
    return Listing(
        say(lang, "sheet.zones_list"),
        tabs,
        (Section(head, style.TODAY, entries),),
        "sheet.zones_more",
        names_alone=False,
    )


def zones_over_time(result: Result, lang: Lang, numbers: Mapping[str, int], *, heading: str) -> Listing | None:
    """List zones with their people and how effective coverage grows from today to the plan's end.

    Args:
        numbers: of the zones to list, by their ids, in the order of the list; 0 for what has no number on the map.
        heading: of the list.
    """
    today, end = (result.indicators[moment]["by_zone"] for moment in (0, max(result.indicators)))

    entries = tuple(
        Entry(
            number,
            result.zone_name(zone) if zone else say(lang, "sheet.no_zone"),
            (figure(today[zone]["total_weight"]), *(percent(f[zone]["effective_share"], 0) for f in (today, end))),
        )
        for zone, number in numbers.items()
    )
    if not entries:
        return None
    tabs = tuple(say(lang, f"sheet.tab_{key}") for key in ("weight", "effective_today", "effective_end"))
    section = Section(say(lang, "sheet.zones_head", count=len(entries)), style.MUTED, entries)
    return Listing(heading, tabs, (section,), "sheet.zones_more", names_alone=any(numbers.values()))


def _way(action: Mapping[Hashable, object], lang: Lang) -> str:
    """Say how a site comes about: in which mode it is built, or what changes about a site that stands."""
    if action["action"] == "build":
        return term(lang, "mode", str(action["mode"]))
    return term(lang, "action", str(action["action"]))


def _digits(costs: Sequence[float]) -> int:
    """Return the decimals that show all costs, two at most: the figures of a column align."""
    return next((d for d in (0, 1) if all(abs(c - round(c, d)) < 1e-9 for c in costs)), 2)


def _gap_name(result: Result, gap: Mapping[Hashable, object], lang: Lang) -> str:
    group = result.study.groups[str(gap["group"])].name
    zone = result.zone_name(str(gap["zone"])) if gap["zone"] else ""
    return say(lang, "sheet.gap_name", zone=zone, group=group) if zone else group


def metres(distance: object) -> str:
    """Return a distance, or a dash where there is none."""
    return figure(float(distance)) + " m" if isinstance(distance, float) and np.isfinite(distance) else "—"
