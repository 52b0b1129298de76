"""Result -> what a web map shows, as plain lists and words ready for json.

Takes a `Result` and a language; gives a dict that web.js draws. Every figure is the Result's. Coordinates are WGS-84 in whole
millionths of a degree, each shape as its first vertex and the steps to the next: a quarter of GeoJSON's size.
"""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from planner.areas import service_areas
from planner.coverage import at_work
from planner.datum import transformer
from planner.draw import style
from planner.gaps import left_over
from planner.hours import week_mask
from planner.network import take
from planner.pipeline import Result, cover
from planner.words import Lang, say, term
from planner.words.wording import hours, hours_changed, percent

DEGREE_PARTS = 1_000_000
# A base map needs no more than this; demand is drawn as it was measured.
BASE_TOLERANCE_M = 1.0
AREA_TOLERANCE_M = 4.0
# Relative widths at which a street of the base map is drawn as a street, and as a main road.
STREET_STEPS = (0.5, 0.75)
# Shares of the densest street's workers per metre, and of the fullest point, at which a drawn width grows.
WIDTH_STEPS = (0.1, 0.3, 0.6)
COLOURS = ("PAPER", "INK", "MUTED", "FAINT", "WATER", "WATER_EDGE", "WATER_INK", "STREET", "GAP")
WORDS = (
    "moment", "group", "everyone", "water", "streets", "coverage", "areas", "gaps", "existing_sites", "planned_sites", "candidates",
    "zones", "never", "not_yet", "served_now", "unserved_now", "off_now", "width", "gap_size", "legend", "by_mode", "by_status",
    "search", "nothing_found", "zoom_in", "zoom_out", "whole", "clock", "clock_note", "whole_week", "at_time", "hour",
    "day", "panel", "map", "layers", "sketch", "open_week", "online", "offline", "online_note",
)  # fmt: skip


def plan_data(result: Result, lang: Lang) -> dict[str, Any]:
    """Return everything the web map of a result shows, in one dict of plain values.

    Numbers in sentences are already words; whatever a user typed is plain text, which the script sets as text and never as HTML.
    """
    study = result.study
    moments = [0, *result.years]
    patterns, pattern_of = _patterns(result, moments)
    colours = style.year_colours(result.years)
    return {
        "lang": lang,
        "title": study.map.title or say(lang, "web.title", name=study.name),
        "scope": study.scope,
        "note": study.caveat,
        "run": say(lang, "web.run", run_id=result.run_id),
        "credit": study.base_map,
        "bounds": _bounds(result),
        "style": {
            "colours": [colours[moment] for moment in moments],
            "inks": [style.ink_on(colours[moment]) for moment in moments],
            "outlines": {shape: _outline(shape) for shape in sorted(set(style.SHAPES.values()))},
            **{name.lower(): getattr(style, name) for name in COLOURS},
        },
        "words": _words(lang),
        "classes": [say(lang, "web.covered_today"), *(say(lang, "web.covered_from", year=y) for y in result.years)],
        "moments": [_moment(result, moment, lang) for moment in moments],
        "groups": [{"id": group, "name": settings.name} for group, settings in study.groups.items()],
        "profiles": {group: profile.round(4).tolist() for group, profile in result.profiles.items()},
        "patterns": patterns,
        "streets": _streets(result.streets),
        "water": _water(result.water),
        "zones": _zones(result.zones),
        "areas": [_area(result, moment) for moment in moments],
        **_demand(result, moments, pattern_of),
        "gaps": _gaps(result, lang),
        **_sites(result, moments, lang),
        "online": _online(result, lang),
        "legend": _legend(result, lang),
    }


def service_view(result: Result, service: str) -> dict[str, Any]:
    """Return the units as one service alone covers them: what web.js's ``look`` takes.

    Covered then means that a site within the radius offers the service; at an hour, that it is also open.
    """
    standard = result.study.standard.model_copy(update={"services": (service,)})
    study = result.study.model_copy(update={"standard": standard, "capacity": None})
    moments = [0, *result.years]
    states = {m: cover(study, result.sites_at(m), result.demand, result.walks, result.profiles) for m in moments}
    covered_from = np.full(len(result.demand), -1)
    for moment in reversed(moments):
        covered_from[states[moment].equipped_share > 0] = moment
    alone = replace(result, coverage=states, demand=result.demand.assign(covered_from=covered_from))
    patterns, pattern_of = _patterns(alone, moments)
    units = _demand(alone, moments, pattern_of)
    return {
        "patterns": patterns,
        **{kind: {k: units[kind][k] for k in ("from", "pattern")} for kind in ("lines", "points")},
    }


def circle_view(result: Result, lang: Lang) -> dict[str, Any]:
    """Return which units a map of straight-line circles would call covered: what web.js's ``look`` takes."""
    is_line = result.demand["line"].notna().to_numpy()
    circled = [result.coverage[moment].circled.astype(int) for moment in (0, *result.years)]
    claimed = {"colour": style.REASONS["unreachable"], "text": say(lang, "web.claimed")}
    kinds = {"lines": is_line, "points": ~is_line}
    return {
        "claimed": claimed,
        **{kind: {"circled": [c[rows].tolist() for c in circled]} for kind, rows in kinds.items()},
    }


def encode(shapes: NDArray[np.object_] | gpd.GeoSeries) -> list[list[int]]:
    """Return each line's vertices as whole millionths of a degree: x, y, then the steps dx, dy, …

    Args:
        shapes: lines, in WGS-84 where they have no CRS; a shape of several lines gives one list a line.
    """
    parts = shapely.get_parts(np.asarray(shapes, dtype=object))
    coords, part = shapely.get_coordinates(parts, return_index=True)
    whole = _whole(coords, getattr(shapes, "crs", None))
    first = np.r_[True, part[1:] != part[:-1]]
    steps = np.where(first[:, None], whole, np.diff(whole, axis=0, prepend=0))
    moved = first | (steps != 0).any(axis=1)
    steps, part = steps[moved], part[moved]
    starts, ends = (np.searchsorted(part, np.arange(len(parts)), side=side) for side in ("left", "right"))
    flat = steps.ravel().tolist()
    return [flat[2 * a : 2 * b] for a, b in zip(starts, ends, strict=True)]


def _words(lang: Lang) -> dict[str, Any]:
    """Return the words of the script's controls; the braces that the script fills in stay as they are."""
    blanks = {name: f"{{{name}}}" for name in ("when", "people", "covered", "share")}
    spoken = {word: say(lang, f"web.{word}") for word in WORDS}
    spoken |= {word: say(lang, f"web.{word}", **blanks) for word in ("at_work", "nobody")}
    return {**spoken, "days": say(lang, "web.days").split()}


def _outline(shape: str) -> str:
    """Return a symbol as an SVG path of diameter about 18, y downwards."""
    return "M" + "L".join(f"{18 * x:.1f} {-18 * y:.1f}" for x, y in style.outline(shape)) + "z"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _lonlat(points: gpd.GeoSeries) -> NDArray[np.int64]:
    """Return points as whole millionths of a degree, shape (n, 2): longitude, latitude."""
    return _whole(shapely.get_coordinates(points.to_numpy()), points.crs)


def _whole(coords: NDArray[np.float64], crs: CRS | None) -> NDArray[np.int64]:
    """Return coordinates as whole millionths of a degree. Shapes in degrees, which nobody needs, would take twice as long."""
    if crs is not None:
        coords = np.column_stack(transformer(crs, "EPSG:4326").transform(*coords.T))
    whole: NDArray[np.int64] = np.rint(coords * DEGREE_PARTS).astype(np.int64)
    return whole


def _bounds(result: Result) -> list[list[float]]:
    """Return the corners of what the plan is about: its demand and its places."""
    around = pd.concat([result.demand.geometry, result.sites.loc[result.sites["status"] != "candidate"].geometry])
    west, south, east, north = gpd.GeoSeries(around, crs=result.demand.crs).to_crs("EPSG:4326").total_bounds.round(6)
    return [[south, west], [north, east]]


def _streets(streets: gpd.GeoDataFrame) -> list[list[list[int]]]:
    """Return the base map's lines in three ranks: lanes, streets, main roads."""
    widths = [style.street_width(str(kind)) for kind in streets.get("highway", [""] * len(streets))]
    rank = np.digitize(widths, STREET_STEPS)
    lines = streets.geometry.simplify(BASE_TOLERANCE_M)
    return [encode(lines[rank == number]) for number in range(3)]


def _water(water: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    if not len(water):
        return []
    shapes = water.geometry.simplify(BASE_TOLERANCE_M).to_crs("EPSG:4326")
    labels = _lonlat(water.geometry.representative_point())
    drawn = []
    for shape, name, (x, y) in zip(shapes, water.get("name", pd.Series("", index=water.index)), labels, strict=True):
        polygons = [encode(shapely.get_rings(part)) for part in shapely.get_parts(shape)]
        drawn.append({"name": name or "", "x": x, "y": y, "polygons": polygons})
    return drawn


def _zones(zones: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """Return where the zones' names stand; their borders are not drawn on a public map."""
    if not len(zones):
        return []
    at = _lonlat(zones.geometry.representative_point())
    return [
        {"id": f"zone {key}", "name": name or key, "x": x, "y": y}
        for key, name, (x, y) in zip(zones["id"], zones["name"], at, strict=True)
    ]


def _area(result: Result, moment: int) -> list[list[list[int]]]:
    """Return the ground within the service radius of the sites that stand at a moment, along streets: rings of polygons."""
    sites, walks = result.sites, result.walks
    stands = sites["status"].isin(["existing", "upgraded"]) | (
        (sites["status"] == "chosen") & (sites["year"] <= moment)
    )
    areas = service_areas(
        walks.network,
        take(walks.sites, np.flatnonzero(stands.to_numpy())),
        result.study.standard.service_radius_m,
        access_share=walks.access_share,
        # No finer than a screen shows; cells of 10 m take four times as long.
        cell_m=20,
        merged=True,
    )
    shapes = areas.geometry.simplify(AREA_TOLERANCE_M).to_crs("EPSG:4326")
    return [encode(shapely.get_rings(part)) for part in shapely.get_parts(shapes.to_numpy()) if not part.is_empty]


def _patterns(result: Result, moments: list[int]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the distinct weeks of cover (base64 of 336 bits), and each unit's at each moment: shape (n_moments, n_units)."""
    states = [result.coverage[moment] for moment in moments]
    packed = np.packbits(np.concatenate([state.weeks for state in states]), axis=1)
    distinct, which = np.unique(packed, axis=0, return_inverse=True)
    before = np.cumsum([0, *(len(state.weeks) for state in states)])
    of_unit = np.stack([which.reshape(-1)[first + state.week] for first, state in zip(before, states, strict=False)])
    return [base64.b64encode(row.tobytes()).decode() for row in distinct], of_unit


def _demand(result: Result, moments: list[int], pattern_of: NDArray[np.int64]) -> dict[str, Any]:
    """Return the units of line and of point demand, each as columns."""
    demand, groups = result.demand, list(result.study.groups)
    is_line = demand["line"].notna().to_numpy()
    # Where in `moments` a unit is first covered; one past the end: never.
    first = {**{moment: i for i, moment in enumerate(moments)}, -1: len(moments)}
    ranks = {gap: i for i, gap in enumerate(result.gaps["id"])}
    weight = demand["weight"].to_numpy(dtype=float)

    def columns(rows: NDArray[np.bool_], density: NDArray[np.float64]) -> dict[str, Any]:
        most = density.max(initial=0.0) or 1.0
        return {
            "from": demand["covered_from"][rows].map(first).tolist(),
            "group": demand["group"][rows].map(groups.index).tolist(),
            "gap": demand["gap"][rows].map(lambda gap: ranks.get(gap, -1)).tolist(),
            "width": np.digitize(density / most, WIDTH_STEPS).tolist(),
            "pattern": [which[rows].tolist() for which in pattern_of],
        }

    lines = gpd.GeoSeries(demand["line"][is_line].to_numpy(), crs=demand.crs)
    metres = demand["length_m"][is_line].to_numpy(dtype=float)
    points = _lonlat(demand.geometry[~is_line])
    return {
        "lines": {"shape": encode(lines), **columns(is_line, weight[is_line] / np.maximum(metres, 1.0))},
        "points": {"x": points[:, 0], "y": points[:, 1], **columns(~is_line, weight[~is_line])},
    } | {"hours": [_hours(result, moment) for moment in moments]}


def _hours(result: Result, moment: int) -> dict[str, Any]:
    """Return the people at work and those of them who are covered, at each half-hour, of each group and of everyone ("")."""
    table = at_work(result.demand, result.coverage[moment], result.profiles)
    both = {"": (sum(at for at, _ in table.values()), sum(covered for _, covered in table.values())), **table}
    return {group: {"at_work": np.round(at, 1), "covered": np.round(cov, 1)} for group, (at, cov) in both.items()}


def _moment(result: Result, moment: int, lang: Lang) -> dict[str, Any]:
    name = say(lang, "web.year", year=moment) if moment else say(lang, "web.today")
    figures = result.indicators[moment]
    by_group = {"": figures, **figures["by_group"]}
    return {"name": name, "year": moment, "figures": {g: _figures(result, f, lang) for g, f in by_group.items()}}


def _figures(result: Result, figures: dict[str, Any], lang: Lang) -> list[list[str]]:
    """Return the three shares of the map's panel, each as label, figure and what it is a share of."""
    standard = result.study.standard
    values = {
        "covered": figures["covered_weight"],
        "total": figures["total_weight"],
        "radius": standard.service_radius_m,
        "backup": standard.backup,
    }
    return [
        [say(lang, f"web.{key}"), percent(figures[key]), say(lang, f"web.{key}_note", **values)]
        for key in ("share", "effective_share", "backup_share")
    ]


def zone_names(result: Result, outside: str = "") -> dict[str, str]:
    """Return the names of the zones by id, the id where one has none; ``outside`` for "", what lies in no zone."""
    named = {zone: name or zone for zone, name in zip(result.zones["id"], result.zones["name"], strict=True)}
    return {"": outside, **named}


def planned_hours(result: Result, lang: Lang) -> dict[str, str]:
    """Return the opening hours of each place by its id, as the plan leaves them; where it changes them, from when to when."""
    sites, before = result.sites, result.sites_today["opening_hours"]
    return {
        site: hours_changed(lang, old, new) if status == "upgraded" else hours(lang, new)
        for site, status, old, new in zip(sites["id"], sites["status"], before, sites["opening_hours"], strict=True)
    }


def _gaps(result: Result, lang: Lang) -> list[dict[str, Any]]:
    zones = zone_names(result)
    names = dict(zip(result.sites["id"], result.sites["name"], strict=True))
    groups = result.study.groups
    left = [left_over(result.demand, result.coverage[moment]) for moment in (0, *result.years)]
    last = [(result.years[-1], left[-1])] if result.years else []
    drawn = []
    for rank, gap in enumerate(_records(result.gaps), 1):
        group = groups[gap["group"]]
        near = None if pd.isna(gap["nearest_site"]) else gap["nearest_site"]
        metres = say(lang, "web.nearest_m", metres=gap["nearest_m"]) if near else say(lang, "web.unreachable")
        rows = [
            [say(lang, "web.zone"), zones[gap["zone"]]],
            [say(lang, "web.group"), group.name],
            [say(lang, "web.people_without"), say(lang, "web.people", weight=gap["weight"], unit=group.unit_name)],
            *(
                [say(lang, "web.left", year=y), say(lang, "web.people", weight=w[gap["id"]], unit=group.unit_name)]
                for y, w in last
            ),
            [say(lang, "web.reason"), say(lang, f"reason.{gap['reason']}")],
            [
                say(lang, "web.nearest_site"),
                say(lang, "document.place_named", name=names[near], site=near) if near else "",
            ],
            [say(lang, "web.walk"), metres],
            [say(lang, "web.remedy"), remedy(result, gap, names, lang)],
            [say(lang, "web.length"), say(lang, "web.metres", metres=gap["length_m"]) if gap["length_m"] else ""],
        ]
        drawn.append(
            {
                "id": gap["id"],
                "title": say(lang, "web.gap_rank", rank=rank),
                "x": round(gap["x"] * DEGREE_PARTS),
                "y": round(gap["y"] * DEGREE_PARTS),
                "group": list(groups).index(gap["group"]),
                "left": [round(weights[gap["id"]], 2) for weights in left],
                "rows": _said(rows),
            }
        )
    return drawn


def remedy(result: Result, gap: dict[str, Any], names: dict[str, str], lang: Lang) -> str:
    """Return in words the cheapest single action that closes a gap, or the one that helps it most; "" where nothing helps."""
    if pd.isna(gap["remedy"]):
        return ""
    return say(
        lang,
        "web.remedy_words",
        name=names[gap["remedy_site"]],
        site=gap["remedy_site"],
        mode=term(lang, "mode", gap["remedy_mode"]),
        cost=gap["remedy_cost"],
        operating=gap["remedy_operating_cost"],
        unit=result.study.plan.cost_unit if result.study.plan else "",
        share=gap["remedy_share"],
    )


def remedy_words(result: Result, action: pd.Series, lang: Lang) -> str:
    """Return in words what an action of `planner.whatif.remedies_of` would do for its gap."""
    names = dict(zip(result.sites["id"], result.sites["name"], strict=True))
    return say(
        lang,
        "web.remedy_words",
        name=names[action["site"]],
        site=action["site"],
        mode=term(lang, "mode", action["mode"]),
        cost=action["capital_cost"],
        operating=action["operating_cost"],
        unit=result.study.plan.cost_unit if result.study.plan else "",
        share=action["part"],
    )


def _sites(result: Result, moments: list[int], lang: Lang) -> dict[str, Any]:
    """Return the sites, and the distinct weeks in which they are open (base64 of 336 bits)."""
    states = [result.sites_at(moment).set_index("id") for moment in moments]
    texts = [state["opening_hours"].where(state["status"] != "closed", "") for state in states]
    weeks = {text: i for i, text in enumerate(dict.fromkeys(text for column in texts for text in column))}
    open_bits = [base64.b64encode(np.packbits(week_mask(text)).tobytes()).decode() for text in weeks]
    years, zones = {year: i for i, year in enumerate((0, *result.years))}, zone_names(result)
    open_then = planned_hours(result, lang)
    planned = {row["site"]: row for row in _records(result.programme)}
    drawn = []
    for site, (x, y) in zip(_records(result.sites), _lonlat(result.sites.geometry), strict=True):
        plan = planned.get(site["id"], {})
        site["opening_hours"] = open_then[site["id"]]
        drawn.append(
            {
                "id": site["id"],
                "name": site["name"] or site["id"],
                "x": x,
                "y": y,
                "status": site["status"],
                "moment": years.get(site["year"], 0),
                "shape": style.SHAPES.get(site["mode"] or "", "circle"),
                "size": style.TIER_SIZES.get(site["tier"], 1.0),
                "number": str(plan.get("number", "")),
                "host": site["host"],
                "weeks": [weeks[column[site["id"]]] for column in texts],
                "rows": _said(_site_rows(result, site, plan, zones[site["zone"]], lang)),
            }
        )
    return {"sites": drawn, "site_weeks": open_bits}


# Web Mercator tiles; {key} is the user's.
_TIANDITU = (
    "https://t{{s}}.tianditu.gov.cn/{layer}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER={layer}&STYLE=default"
    "&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}&tk={key}"
)


def _online(result: Result, lang: Lang) -> list[dict[str, Any]]:
    """Return the online base maps that the study allows: name, addresses of the tiles from the bottom up, whose they are."""
    block = result.study.map
    known = {
        "osm": ["https://tile.openstreetmap.org/{z}/{x}/{y}.png"],
        "tianditu": [_TIANDITU.format(layer=layer, key=block.tianditu_key) for layer in ("vec", "cva")],
    }
    return [
        {"name": say(lang, f"web.online_{key}"), "tiles": known[key], "credit": say(lang, f"web.credit_{key}")}
        for key in block.online
        if key != "tianditu" or block.tianditu_key
    ]


def _site_rows(result: Result, site: dict[str, Any], plan: dict[str, Any], zone: str, lang: Lang) -> list[list[str]]:
    """Return a site's line of the programme or of the table of sites, as pairs of heading and cell."""
    unit = result.study.plan.cost_unit if result.study.plan else ""
    people_unit = next(iter(result.study.groups.values())).unit_name

    def heading(key: str) -> str:
        return say(lang, f"programme.{key}")

    def several(section: str, words: str) -> str:
        mark = "、" if lang == "zh" else ", "
        return mark.join(term(lang, section, word) for word in words.split(";") if word)

    def amount(value: Any) -> str:
        return say(lang, "web.amount", amount=value, unit=unit)

    in_plan: dict[str, Callable[[], str]] = {
        "web.programme_number": lambda: str(plan["number"]),
        "programme.year": lambda: str(plan["year"]),
        "web.cost": lambda: amount(plan["capital_cost"]),
        "web.operating_cost": lambda: amount(plan["operating_cost"]),
        "web.gain": lambda: (
            say(lang, "web.people", weight=plan["gain"], unit=people_unit) if plan["gain"] == plan["gain"] else ""
        ),
    }
    mode = term(lang, "mode", site["mode"]) if site["mode"] else ""
    return [
        [heading("site"), site["id"]],
        *([say(lang, key), text()] for key, text in in_plan.items() if plan),
        [say(lang, "web.status"), say(lang, f"status.{site['status']}")],
        [heading("mode"), mode or (say(lang, "web.mode_unknown") if site["status"] == "existing" else "")],
        [say(lang, "web.modes"), several("mode", site["modes"]) if site["status"] == "candidate" else ""],
        [heading("tier"), say(lang, f"tier.{site['tier']}") if site["tier"] else ""],
        [say(lang, "web.kind"), term(lang, "kind", site["kind"]) if site["kind"] else ""],
        [heading("host"), site["host"]],
        [heading("opening_hours"), site["opening_hours"]],
        [heading("services"), several("service", site["services"])],
        [heading("capacity"), "" if pd.isna(site["capacity"]) else f"{site['capacity']:g}"],
        [say(lang, "web.zone"), zone],
        [heading("address"), site["address"]],
        [heading("source"), site["source"]],
    ]


def _said(rows: list[list[str]]) -> list[list[str]]:
    return [row for row in rows if row[1]]


def _legend(result: Result, lang: Lang) -> dict[str, Any]:
    """Return the symbols that stand on the map, and no others."""
    sites = result.sites[result.sites["status"] != "candidate"]
    modes = [mode for mode in style.SHAPES if (sites["mode"] == mode).any()]
    states = [state for state in ("existing", "upgraded", "chosen", "closed") if (sites["status"] == state).any()]
    return {
        "modes": [[style.SHAPES[m], say(lang, f"mode.{m}") if m else say(lang, "web.mode_unknown")] for m in modes],
        "states": [[state, say(lang, f"status.{state}")] for state in states],
    }
