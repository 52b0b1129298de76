"""What OpenStreetMap tags as a bank, a toilet, a petrol station … -> a table of places that a study can use as it is, and people edit.

Takes features (tags and where they are); gives rows under the headings of the templates, written as xlsx or as csv with a mark. Says of
each row which object it comes from.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from planner.errors import InputError, SurroundingsError
from planner.hours import in_osm_syntax
from planner.intake.headings import heading_of
from planner.words import Lang, say

# Kinds of place that lend themselves as hosts, by the tags that OpenStreetMap gives them.
KINDS: dict[str, tuple[tuple[str, str], ...]] = {
    "bank": (("amenity", "bank"),),
    "post_office": (("amenity", "post_office"),),
    "town_hall": (("amenity", "townhall"),),
    "community_centre": (("amenity", "community_centre"), ("amenity", "social_centre")),
    "toilet": (("amenity", "toilets"),),
    "fuel": (("amenity", "fuel"),),
    "police": (("amenity", "police"),),
    "fire_station": (("amenity", "fire_station"),),
    "hospital": (("amenity", "hospital"), ("amenity", "clinic")),
    "pharmacy": (("amenity", "pharmacy"), ("shop", "chemist")),
    "library": (("amenity", "library"),),
    "marketplace": (("amenity", "marketplace"),),
    "supermarket": (("shop", "supermarket"),),
    "convenience": (("shop", "convenience"),),
}
# Names of places that serve outdoor workers already: 工会驿站, 爱心休息点, 户外劳动者服务站点, 环卫工人道班.
_SERVES_NOW = re.compile(r"驿站|休息点|歇脚|爱心屋|户外劳动者|环卫工人|暖心小站|职工之家")
# Two of a name within about 50 m are one place: cells of 1/2000 of a degree.
_SAME_SPOT = 2_000
FIELDS = (
    "id",
    "name",
    "kind",
    "host",
    "modes",
    "opening_hours",
    "services",
    "address",
    "lon",
    "lat",
    "origin",
    "note",
)


@dataclass(frozen=True)
class Feature:
    """An object of OpenStreetMap.

    Attributes:
        identifier: "n123" for a node, "w123" for a way, "r123" for a relation.
        tags: as they are.
        lon: degrees, WGS-84; of an area a point within it.
        lat: degrees.
    """

    identifier: str
    tags: Mapping[str, str]
    lon: float
    lat: float


def tags_of(kinds: Iterable[str]) -> dict[str, list[str]]:
    """Return the tags of kinds, as osmnx asks for them.

    Raises:
        InputError: a kind isn't known.
    """
    wanted: dict[str, list[str]] = {}
    for kind in kinds:
        if kind not in KINDS:
            raise InputError("kind_unknown", kind=kind, kinds=", ".join(KINDS))
        for key, value in KINDS[kind]:
            wanted.setdefault(key, []).append(value)
    return wanted


def kind_of(tags: Mapping[str, str]) -> str:
    """Return the kind of a place by its tags; "" where it is none of ours."""
    return next((kind for kind, ways in KINDS.items() if any(tags.get(k) == v for k, v in ways)), "")


def tables_of(features: Iterable[Feature], *, lang: Lang) -> dict[str, list[dict[str, str]]]:
    """Return the rows of two tables by field: ``candidates``, and ``sites`` that serve outdoor workers already, by their names.

    A place that stands in OpenStreetMap twice, as a point within its building, is kept once.
    """
    tables: dict[str, list[dict[str, str]]] = {"sites": [], "candidates": []}
    seen: set[tuple[str, str, int, int]] = set()
    for feature in sorted(features, key=lambda f: (f.identifier[0] != "n", f.identifier[0], int(f.identifier[1:]))):
        kind = kind_of(feature.tags)
        name = _name(feature, kind, lang)
        x, y = (round(degrees * _SAME_SPOT) for degrees in (feature.lon, feature.lat))
        if not {(kind, name, x + a, y + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & seen:
            seen.add((kind, name, x, y))
            tables["sites" if _SERVES_NOW.search(name) else "candidates"].append(_row(feature, kind, name, lang))
    return tables


def headings(fields: Iterable[str], lang: Lang) -> list[str]:
    """Return the headings of fields; those of coordinates say in which datum they are, so that nobody has to find out."""
    return [heading_of(field, lang) + ("(WGS-84)" if field in ("lon", "lat") else "") for field in fields]


def _name(feature: Feature, kind: str, lang: Lang) -> str:
    tags = feature.tags
    own = tags.get(f"name:{lang}") or tags.get("name") or tags.get("brand") or tags.get("operator") or ""
    return own.strip() or f"{say(lang, f'kind.{kind}')} {feature.identifier}"


def _row(feature: Feature, kind: str, name: str, lang: Lang) -> dict[str, str]:
    tags = feature.tags
    told = tags.get("opening_hours", "").strip()
    try:
        hours = in_osm_syntax(told) if told else ""
    except InputError:
        hours = ""  # what nobody can read stands in the notes
    services = ["toilet"] if kind == "toilet" or tags.get("toilets") == "yes" else []
    services += ["water"] if tags.get("drinking_water") == "yes" else []
    return {
        "id": f"OSM-{feature.identifier}",
        "name": name,
        "kind": say(lang, f"kind.{kind}"),
        "host": (tags.get("operator") or tags.get("brand") or "").strip(),
        "modes": "; ".join(say(lang, f"mode.{mode}") for mode in ("co_host", "shared")),
        "opening_hours": hours,
        "services": "; ".join(say(lang, f"service.{service}") for service in services),
        "address": _address(tags, lang),
        "lon": f"{feature.lon:.7f}",
        "lat": f"{feature.lat:.7f}",
        "origin": f"OpenStreetMap {feature.identifier}",
        "note": told if told and not hours else "",
    }


def _address(tags: Mapping[str, str], lang: Lang) -> str:
    whole = tags.get("addr:full", "")
    parts = [tags.get(f"addr:{part}", "") for part in ("city", "district", "street", "housenumber")]
    return whole or ("" if lang == "zh" else " ").join(part for part in parts if part)


def write_table(rows: list[dict[str, str]], path: Path, title: str, *, lang: Lang) -> Path:
    """Write a table as xlsx, or as csv with a mark so that Excel reads its Chinese; never over one that is there.

    Raises:
        InputError: the file exists: somebody may have edited it.
        SurroundingsError: the disk refuses.
    """
    if path.exists():
        raise InputError("table_exists", file=str(path))
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            text = io.StringIO()
            cells = [[_harmless(row[field]) for field in FIELDS] for row in rows]
            csv.writer(text, lineterminator="\r\n").writerows([headings(FIELDS, lang), *cells])
            part.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
        else:
            book = openpyxl.Workbook()
            book.worksheets[0].title = title
            fill_sheet(book.worksheets[0], rows, FIELDS, headings(FIELDS, lang))
            book.save(part)
        part.replace(path)
    except OSError as error:
        raise SurroundingsError("cannot_write", folder=str(path.parent), detail=error.strerror or str(error)) from error
    return path


def _harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f" {cell}" if cell[:1] in ("=", "+", "-", "@") and not re.fullmatch(r"-?\d+(\.\d+)?", cell) else cell


def fill_sheet(sheet: Any, rows: list[dict[str, str]], fields: Sequence[str], heads: Sequence[str]) -> None:
    """Write headings and rows into a sheet: coordinates as numbers, all else as text, whatever it looks like."""
    for k, (field, heading) in enumerate(zip(fields, heads, strict=True), 1):
        sheet.cell(1, k, heading).font = Font(bold=True)
        wide = field in ("name", "opening_hours", "address", "services")
        sheet.column_dimensions[get_column_letter(k)].width = 28 if wide else 16
        for n, row in enumerate(rows, 2):
            text = ILLEGAL_CHARACTERS_RE.sub("", row.get(field, ""))[:32_000]
            if field in ("lon", "lat"):
                sheet.cell(n, k, float(text))
            elif text:
                cell = sheet.cell(n, k)
                cell.value, cell.data_type = text, "s"
    sheet.freeze_panes = "A2"
