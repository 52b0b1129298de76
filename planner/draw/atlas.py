"""Result -> the atlas: an index map, and a page for each zone with its coverage, its part of the programme and its gaps.

Takes a `Result`, gives sheets one after another, each with the number of its page. A page is A4: an atlas is held in the hand.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes

from planner.draw import sheet, style, themes
from planner.draw.extent import Frame, to_paper
from planner.draw.page import arrange
from planner.draw.themes import Entry, Listing, Section, Theme
from planner.pipeline import Result
from planner.words import Lang, say, term

PAPER = "A4"
# Gaps that a page lists.
TOP_GAPS = 8


def zones(result: Result) -> list[str]:
    """Return the ids of the zones that have a page: those where somebody works, from the north-west as one reads a map."""
    people = {zone: f["total_weight"] for zone, f in result.indicators[0]["by_zone"].items()}
    kept = result.zones[[people.get(zone, 0) > 0 for zone in result.zones["id"]]]
    if not len(kept):
        return []
    centre = kept.geometry.representative_point()
    # Rows of about the height of a zone.
    high = max(float(np.sqrt(kept.geometry.area.median())), 1.0)
    order = np.lexsort((kept["id"], centre.x, -np.round(centre.y / high)))
    return [str(zone) for zone in kept["id"].to_numpy()[order]]


def title(result: Result, lang: Lang) -> str:
    """Return the atlas's title."""
    return say(lang, "sheet.of", subject=themes.subject(result, lang), kind=say(lang, "sheet.atlas_kind"))


def draw(result: Result, lang: Lang) -> Iterator[Axes]:
    """Draw the index map, then each zone's page."""
    page, order, plan = arrange(PAPER, result.study.map.orientation), zones(result), themes.layout(result, lang)
    count = len(order) + 1
    base = sheet.lay_out(result, page)
    number = say(lang, "sheet.atlas_number", number=1, count=count)
    yield sheet.draw(result, base, _index(result, lang, plan, order), lang, number=number)
    shapes = dict(zip(result.zones["id"], result.zones.geometry, strict=True))
    for position, zone in enumerate(order, 2):
        x0, y0, x1, y1 = (float(v) for v in shapes[zone].bounds)
        # A zone's neighbours are seen a little: people walk across borders.
        rim = result.study.standard.service_radius_m / 4
        base = sheet.lay_out(result, page, (x0 - rim, y0 - rim, x1 + rim, y1 + rim))
        theme = _zone(result, lang, plan, zone, shapes[zone], base.frame)
        number = say(lang, "sheet.atlas_number", number=position, count=count)
        yield sheet.draw(result, base, theme, lang, number=number)


def _index(result: Result, lang: Lang, plan: Theme, order: list[str]) -> Theme:
    """Return the index map: where each page lies, and how its zone fares."""
    rows = result.zones.set_index("id").loc[order]
    centre = rows.geometry.representative_point()
    pages = np.arange(2, len(order) + 2)
    marks = pd.DataFrame(
        {
            "number": pages,
            "id": order,
            "x": centre.x.to_numpy(),
            "y": centre.y.to_numpy(),
            "shape": "square",
            "status": "page",
            "colour": style.MUTED,
            "size": 0.8,
            "mode": "",
            "tier": "",
        }
    )
    listing = themes.zones_over_time(
        result, lang, dict(zip(order, pages.tolist(), strict=True)), heading=say(lang, "sheet.atlas_list")
    )
    without = len(result.zones) - len(order)
    below = (*plan.below, say(lang, "sheet.atlas_without", count=without)) if without else plan.below
    return replace(
        plan,
        name="index",
        title=say(lang, "sheet.of", subject=themes.subject(result, lang), kind=say(lang, "sheet.atlas_index_kind")),
        kind=say(lang, "sheet.atlas_index_kind"),
        below=below,
        marks=marks,
        listing=listing,
        second=None,
    )


def _zone(result: Result, lang: Lang, plan: Theme, zone: str, shape: shapely.Geometry, frame: Frame) -> Theme:
    """Return the page of a zone: the layout plan in its frame, with the zone's own figures."""
    name = result.zone_name(zone)
    bars = tuple(
        replace(bar, share=f["share"] or 0.0, effective=f["effective_share"] or 0.0, remark="")
        for bar, f in zip(
            plan.bars, (result.indicators[m]["by_zone"][zone] for m in sorted(result.indicators)), strict=True
        )
    )
    seen = shapely.intersects(to_paper(frame, shapely.points(plan.marks[["x", "y"]].to_numpy(dtype=float))), frame.box)
    numbers = set(plan.marks.loc[seen & (plan.marks["number"] > 0).to_numpy(), "number"].tolist())
    listing = plan.listing and replace(
        plan.listing,
        sections=tuple(
            Section(say(lang, "sheet.year", year=year), section.colour, kept)
            for year, section in zip(_planned(result), plan.listing.sections, strict=True)
            if (kept := tuple(entry for entry in section.entries if entry.number in numbers))
        ),
    )
    here = result.demand[result.demand["zone"] == zone]
    return replace(
        plan,
        name=f"zone-{zone}",
        title=say(lang, "sheet.of", subject=name, kind=say(lang, "sheet.layout_kind")),
        below=plan.below[-1:],
        people=here.groupby("group")["weight"].sum().to_dict(),
        bars=bars,
        listing=listing if listing and listing.sections else None,
        second=_gaps(result, lang, zone),
        focus=shape,
    )


def _planned(result: Result) -> list[int]:
    """Return the years that have a section in the programme's list."""
    return [year for year in result.years if (result.actions["year"] == year).any()]


def _gaps(result: Result, lang: Lang, zone: str) -> Listing | None:
    """List the zone's gaps of today."""
    found = result.gaps[result.gaps["zone"] == zone]
    if not len(found):
        return None
    # Gaps of less than half a person would read as nobody.
    top = found[found["weight"] >= 0.5].head(TOP_GAPS)
    if not len(top):
        return None
    entries = tuple(
        Entry(
            0,
            result.study.groups[str(gap["group"])].name,
            (
                themes.people(float(gap["weight"])),
                term(lang, "reason", str(gap["reason"])),
                themes.metres(gap["nearest_m"]),
            ),
        )
        for gap in top.to_dict("records")
    )
    tabs = tuple(say(lang, f"sheet.tab_{key}") for key in ("people", "reason", "nearest"))
    head = themes.gaps_head(lang, top, found)
    return Listing(
        say(lang, "sheet.gaps_list"), tabs, (Section(head, style.GAP, entries),), "sheet.gaps_more", names_alone=False
    )
