"""An empty study to fill in: study.toml with comments, xlsx templates with drop-downs and notes.

Takes a folder and, if wanted, an area; writes the templates. Downloads only where the area is a place's name, through `osm`.
"""

import re
from pathlib import Path
from typing import get_args

import geopandas as gpd
import openpyxl
import shapely
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from planner.errors import InputError, SurroundingsError
from planner.intake.headings import HEADINGS
from planner.intake.layers import read_raw_layer
from planner.study import STUDY_FILE, Mode, Tier
from planner.words import Lang, catalogue, say

# The two places this was first made for, and their parts: codes of 中华人民共和国行政区划代码 as names that OpenStreetMap knows.
CODES = {"330500": "湖州市", "330502": "湖州市吴兴区", "330503": "湖州市南浔区", "330521": "德清县", "330522": "长兴县", "330523": "安吉县",
         "330783": "东阳市"}  # fmt: skip
ROWS = 2_000
_TABLES: dict[str, tuple[str, ...]] = {
    "sites": ("id", "name", "tier", "kind", "host", "mode", "opening_hours", "services", "capacity", "address", "lon", "lat"),
    "candidates": ("id", "name", "tier", "kind", "host", "modes", "opening_hours", "address", "lon", "lat"),
    "options": ("action", "kind", "mode", "opening_hours", "services", "capacity", "capital_cost", "operating_cost", "tier", "note"),
    "workers": ("name", "weight", "lon", "lat", "note"),
}  # fmt: skip


def start_study(folder: Path, area: str | None, *, lang: Lang) -> tuple[Path, ...]:
    """Write the templates of a new study and return the files.

    Args:
        folder: a new or an empty folder.
        area: west,south,east,north in degrees; a boundary layer; a place's name or its six-digit code; None for none.
        lang: language of templates and comments.

    Raises:
        InputError: the folder isn't empty, or the area is none of these.
        SurroundingsError: the folder can't be written, or the place can't be looked up.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("new_not_empty", folder=str(folder))
    zones = _zones(area) if area else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        streets = [_fetch(area, folder)] if area and zones is None else []
        where = zones if zones is not None else gpd.read_file(streets[0]) if streets else None
        crs = _crs(where) if where is not None else "EPSG:4549"
        files = [folder / STUDY_FILE]
        text = say(lang, "new.study_toml", name=re.sub(r'["\\\\]', "_", folder.resolve().name), crs=crs)
        if zones is not None:
            zones.to_crs(crs).to_file(folder / "zones.gpkg")
            files.append(folder / "zones.gpkg")
            text = text.replace("# [zones]\n# file", "[zones]\nfile")
        files[0].write_text(text, encoding="utf-8", newline="\n")
        files += [_write_template(folder / f"{table}.xlsx", table, lang) for table in _TABLES]
    except OSError as error:
        if isinstance(error, SurroundingsError):
            raise
        raise SurroundingsError("cannot_write", folder=str(folder), detail=error.strerror or str(error)) from error
    return (*files, *streets)


def _zones(area: str) -> gpd.GeoDataFrame | None:
    """Return the area's polygons with id and name; None where it is a place to look up."""
    if Path(area).is_file():
        layer = read_raw_layer(Path(area), Path(area).name)
        if layer.crs is None:
            raise InputError("layer_no_crs", file=Path(area).name, numbers="")
        layer = layer[layer.geom_type.isin(["Polygon", "MultiPolygon"])].reset_index(drop=True)
        if layer.empty:
            raise InputError("layer_not_polygons", file=Path(area).name)
        named = next((c for c in ("name", "Name", "NAME", "名称") if c in layer.columns), None)
        names = layer[named].astype(str).tolist() if named else [""] * len(layer)
        ids = [f"Z{n + 1:02d}" for n in range(len(layer))]
        return gpd.GeoDataFrame({"id": ids, "name": names}, geometry=layer.geometry.to_numpy(), crs=layer.crs)
    numbers = re.findall(r"-?\d+(?:\.\d+)?", area) if re.fullmatch(r"[\s\d.,,-]+", area) else []
    if len(numbers) == 4:
        west, south, east, north = map(float, numbers)
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            raise InputError("area_box", area=area)
        box = gpd.GeoDataFrame({"id": ["Z01"], "name": [""]}, geometry=[shapely.box(west, south, east, north)])
        return box.set_crs("EPSG:4326")
    if re.fullmatch(r"\d{6}", area) and area not in CODES:
        raise InputError("area_code", code=area)
    if (numbers and area not in CODES) or Path(area).suffix:
        raise InputError("area_box", area=area)
    return None


def _fetch(area: str, folder: Path) -> Path:
    from planner.osm import fetch_streets

    return fetch_streets(CODES.get(area, area), folder)


def _crs(where: gpd.GeoDataFrame) -> str:
    """Return the CGCS2000 3-degree zone of an area, or its UTM zone outside China."""
    west, south, east, north = where.to_crs("EPSG:4326").total_bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    if 73.5 <= lon <= 136.5 and 3 <= lat <= 54:
        return f"EPSG:{4534 + round(lon / 3) - 25}"
    return f"EPSG:{(32601 if lat >= 0 else 32701) + int((lon + 180) // 6) % 60}"


def _write_template(path: Path, table: str, lang: Lang) -> Path:
    """Write a table with its headings, a note on each and drop-downs where there is a choice."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = say(lang, f"new.{table}")
    notes = book.create_sheet(say(lang, "new.notes"))
    for n, field in enumerate(_TABLES[table], 1):
        # The Chinese word is the first of a field's words, the English one the first in Latin letters.
        words = HEADINGS[field]
        heading = words[0] if lang == "zh" else next(w for w in words if w.isascii())
        note = say(lang, f"new.note_{field}")
        cell = sheet.cell(1, n, heading)
        cell.font, cell.alignment, cell.comment = (
            Font(bold=True),
            Alignment(horizontal="center"),
            Comment(note, "planner"),
        )
        sheet.column_dimensions[get_column_letter(n)].width = (
            24 if field in ("name", "opening_hours", "address", "services") else 14
        )
        notes.append([heading, note])
        choices = _choices(field, lang)
        if choices:
            # Kinds are open to words of the user's own; the others are not.
            rule = DataValidation("list", formula1=f'"{",".join(choices)}"', showErrorMessage=field != "kind")
            sheet.add_data_validation(rule)
            rule.add(f"{get_column_letter(n)}2:{get_column_letter(n)}{ROWS}")
    notes.column_dimensions["A"].width, notes.column_dimensions["B"].width = 18, 90
    sheet.freeze_panes = "A2"
    book.save(path)
    return path


def _choices(field: str, lang: Lang) -> list[str]:
    """Return what a cell of a field may hold; a drop-down of Excel takes 255 characters."""
    match field:
        case "tier":
            return [say(lang, f"tier.{tier}") for tier in get_args(Tier)]
        case "mode":
            return [say(lang, f"mode.{mode}") for mode in get_args(Mode)]
        case "action":
            return [say(lang, f"action.{action}") for action in ("build", "extend_hours")]
        case "kind":
            return [words[lang] for key, words in catalogue().items() if key.startswith("kind.")][:15]
    return []
