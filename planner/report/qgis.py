"""QGIS styles for plan.gpkg: QGIS reads them from the table ``layer_styles`` and draws each layer right as soon as it is added.

Takes the layers' columns and the one symbology of `draw.style`; writes QML. Only symbols of what the result holds, so that QGIS's legend
lists nothing that isn't on the map.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from planner.draw import style
from planner.pipeline import Result
from planner.words import Lang, say, term

# Label, filter (QGIS expression) and symbol.
Rule = tuple[str, str, str]

# Millimetres on a screen: a township's site, and a primary street.
_SITE_MM, _STREET_MM = 4.0, 0.6
_TODAY, _NEVER = 0, -1


def add_styles(database: sqlite3.Connection, result: Result, lang: Lang, layers: Mapping[str, tuple[str, Any]]) -> None:
    """Create ``layer_styles`` in an open GeoPackage, with one default style for each layer."""
    database.execute(
        "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), "
        "f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, "
        "styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), "
        "update_time DATETIME DEFAULT CURRENT_TIMESTAMP)"
    )
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES ('layer_styles', 'attributes', 'layer_styles', 0)"
    )
    rows = [
        ("", "", name, "geom", name, qml, "", 1, say(lang, f"layers.layer_{name}"), "", "", "2000-01-01T00:00:00.000Z")
        for name, qml in styles(result, lang).items()
        if name in layers
    ]
    columns = (
        "f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, "
        "description, owner, ui, update_time"
    )
    database.executemany(f"INSERT INTO layer_styles ({columns}) VALUES ({', '.join('?' * 12)})", rows)


def styles(result: Result, lang: Lang) -> dict[str, str]:
    """Return the QML of each layer."""
    colours = {**style.year_colours(result.years), _NEVER: style.GAP}
    reached = [(_moment(lang, moment), f'"covered_from" = {moment}', colour) for moment, colour in colours.items()]
    return {
        "sites": _qml(_site_rules(result, lang, colours)),
        "demand": _qml(
            (text, f'"length_m" IS NULL AND {rule}', _marker("circle", colour, colour, 1.2))
            for text, rule, colour in reached
        ),
        "demand_lines": _qml((text, rule, _line(colour, 0.7)) for text, rule, colour in reached),
        "streets": _qml(_street_rules(result)),
        "zones": _qml([("", "", _fill("", style.MUTED, dashed=True))], label="name"),
        "gaps": _qml(
            (term(lang, "reason", reason), f"\"reason\" = '{reason}'", _fill(colour, colour, opacity=0.35))
            for reason, colour in style.REASONS.items()
            if (result.gaps["reason"] == reason).any()
        ),
        "actions": _qml(
            [(_moment(lang, y), f'"year" = {y}', _marker("circle", colours[y], style.INK, 3.8)) for y in result.years],
            label="name",
        ),
        "water": _qml([("", "", _fill(style.WATER, ""))]),
    }


def _moment(lang: Lang, year: int) -> str:
    return {_TODAY: say(lang, "layers.today"), _NEVER: say(lang, "layers.never")}.get(year, str(year))


def _site_rules(result: Result, lang: Lang, colours: Mapping[int, str]) -> Iterable[Rule]:
    """Mode by shape, status by fill, tier by size: one rule for each combination that occurs."""
    kinds = (
        result.sites[["status", "mode", "year", "tier"]]
        .drop_duplicates()
        .sort_values(["status", "year", "mode", "tier"])
    )
    for status, mode, year, tier in kinds.itertuples(index=False):
        words = [term(lang, "status", status), term(lang, "mode", mode), str(year or ""), term(lang, "tier", tier)]
        rule = f"\"status\" = '{status}' AND coalesce(\"mode\", '') = '{mode}' AND \"tier\" = '{tier}'"
        rule += f' AND "year" = {year}' if year else ""
        size, shape = _SITE_MM * style.TIER_SIZES.get(tier, 1.0), style.SHAPES.get(mode, "circle")
        match status:
            case "candidate":
                symbol = _marker("circle", style.PAPER, style.MUTED, 1.4)
            case "closed":
                symbol = _marker(shape, style.PAPER, style.FAINT, size / 2, outline_mm=0.4)
            case "existing":
                symbol = _marker(shape, colours[_TODAY], style.PAPER, size / 2)
            case "upgraded":
                symbol = _marker(shape, style.PAPER, colours[year], size, outline_mm=0.8)
            case _:
                symbol = _marker(shape, colours[year], style.PAPER, size)
        yield " · ".join(filter(None, words)), rule, symbol


def _street_rules(result: Result) -> Iterable[Rule]:
    for name in sorted(result.streets["highway"].unique()):
        yield name, f"\"highway\" = '{_quoted(name)}'", _line(style.STREET, style.street_width(name) * _STREET_MM)


def _quoted(text: str) -> str:
    """Return text as it stands within the quotes of a QGIS expression."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _qml(rules: Iterable[Rule], *, label: str = "") -> str:
    """Return a rule-based style; ``label`` names the column to write beside each feature."""
    rules = list(rules)
    heads = "".join(
        f"<rule key={quoteattr(f'r{n}')} label={quoteattr(text)} {f'filter={quoteattr(rule)} ' if rule else ''}symbol={quoteattr(str(n))}/>"
        for n, (text, rule, _) in enumerate(rules)
    )
    symbols = "".join(symbol.replace('name=""', f'name="{n}"', 1) for n, (_, _, symbol) in enumerate(rules))
    labels = (
        f'<labeling type="simple"><settings calloutType="simple"><text-style fieldName="{label}" isExpression="0" fontSize="7" '
        f'fontSizeUnit="Point" textColor="{_rgba(style.INK)}"><text-buffer bufferDraw="1" bufferSize="0.7" bufferSizeUnits="MM" '
        f'bufferColor="{_rgba(style.PAPER)}"/></text-style></settings></labeling>'
        if label
        else ""
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        f'<qgis version="3.28.0" styleCategories="Symbology|Labeling" labelsEnabled="{int(bool(label))}">'
        f'<renderer-v2 type="RuleRenderer" symbollevels="0" forceraster="0" enableorderby="0"><rules key="root">{heads}</rules>'
        f"<symbols>{symbols}</symbols></renderer-v2>{labels}</qgis>"
    )


def _marker(shape: str, fill: str, outline: str, size_mm: float, *, outline_mm: float = 0.3) -> str:
    properties = {
        "name": shape,
        "color": _rgba(fill),
        "outline_color": _rgba(outline),
        "outline_style": "solid",
        "outline_width": f"{outline_mm:g}",
        "outline_width_unit": "MM",
        "size": f"{size_mm:g}",
        "size_unit": "MM",
    }
    return _symbol("marker", "SimpleMarker", properties)


def _line(colour: str, width_mm: float) -> str:
    properties = {
        "line_color": _rgba(colour),
        "line_width": f"{width_mm:g}",
        "line_width_unit": "MM",
        "line_style": "solid",
        "capstyle": "flat",
        "joinstyle": "round",
    }
    return _symbol("line", "SimpleLine", properties)


def _fill(colour: str, outline: str, *, opacity: float = 1.0, dashed: bool = False) -> str:
    properties = {
        "color": _rgba(colour or style.PAPER),
        "style": "solid" if colour else "no",
        "outline_color": _rgba(outline or colour),
        "outline_style": ("dash" if dashed else "solid") if outline else "no",
        "outline_width": "0.2",
        "outline_width_unit": "MM",
    }
    return _symbol("fill", "SimpleFill", properties, opacity)


def _symbol(kind: str, layer: str, properties: Mapping[str, str], opacity: float = 1.0) -> str:
    """Return a symbol of one layer; `_qml` gives it its number."""
    options = "".join(f'<prop k="{key}" v={quoteattr(value)}/>' for key, value in properties.items())
    return (
        f'<symbol type="{kind}" name="" alpha="{opacity:g}" clip_to_extent="1" force_rhr="0">'
        f'<layer class="{layer}" enabled="1" locked="0" pass="0">{options}</layer></symbol>'
    )


def _rgba(colour: str) -> str:
    """Return "#rrggbb" as QML writes it."""
    return ",".join(str(int(colour[n : n + 2], 16)) for n in (1, 3, 5)) + ",255"
