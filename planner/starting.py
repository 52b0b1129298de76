"""An empty study to fill in: study.toml with comments, xlsx templates with drop-downs and notes.

Takes a folder and, if wanted, an area and an OSM extract; writes the templates, with streets and candidates where they can be had.
Downloads only where the area is a place's name or code and no extract is given, through `gather`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import openpyxl
from openpyxl.comments import Comment
from openpyxl.styles import Alignment
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from planner.errors import InputError, PlannerError, SurroundingsError
from planner.gather.places import fill_sheet, headings, tables_of
from planner.gather.region import Region, region_of
from planner.intake.headings import heading_of
from planner.study import STUDY_FILE, Mode, Tier
from planner.words import Lang, catalogue, say

ROWS = 2_000
_TABLES: dict[str, tuple[str, ...]] = {
    "sites": ("id", "name", "tier", "kind", "host", "mode", "opening_hours", "services", "capacity", "address", "lon", "lat"),
    "candidates": ("id", "name", "tier", "kind", "host", "modes", "opening_hours", "address", "lon", "lat"),
    "options": ("action", "kind", "mode", "opening_hours", "services", "capacity", "capital_cost", "operating_cost", "tier", "note"),
    "workers": ("name", "weight", "lon", "lat", "note"),
}  # fmt: skip


@dataclass(frozen=True)
class Start:
    """A study that was begun.

    Attributes:
        files: what was written.
        trouble: why there are no streets yet, where they were wanted of a server; everything else is there.
    """

    files: tuple[Path, ...]
    trouble: PlannerError | None = None

    @property
    def streets(self) -> bool:
        """Whether the streets are there."""
        return any(file.name == "streets.gpkg" for file in self.files)


def start_study(folder: Path, area: str | None, *, extract: Path | None = None, lang: Lang) -> Start:
    """Write the templates of a new study, with the streets and the candidates of its area where they can be had.

    Args:
        folder: a new or an empty folder.
        area: west,south,east,north in degrees; a boundary layer; a place's name or its six-digit code; None for none.
        extract: an OSM file: streets and candidates come from it, and nothing is asked of a server.
        lang: language of templates and comments.

    Raises:
        InputError: the folder isn't empty, the area is none of these, or the extract has no street of it.
        SurroundingsError: the folder can't be written.
        MissingPackageError: an extract needs pyosmium.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("new_not_empty", folder=str(folder))
    region = region_of(area) if area else Region("", "", None, None)
    kept: dict[str, list[dict[str, str]]] = {}
    files: list[Path] = []
    trouble: PlannerError | None = None
    if extract or region.name:
        # What is slow to import waits until streets are wanted.
        from planner.gather.fetching import ALL_KINDS, Wishes, forget, gather, write_streets

        try:
            found = gather(region, folder, Wishes(ALL_KINDS if extract else (), extract=extract))
        except PlannerError as error:
            if extract:
                raise
            trouble = error
        else:
            region, kept = found.region, tables_of(found.features, lang=lang)
            files.append(write_streets(found.streets, folder))
            forget(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files += _write_study(folder, region, kept, lang)
    except OSError as error:
        raise SurroundingsError("cannot_write", folder=str(folder), detail=error.strerror or str(error)) from error
    return Start(tuple(sorted(files)), trouble)


def _write_study(folder: Path, region: Region, kept: dict[str, list[dict[str, str]]], lang: Lang) -> list[Path]:
    """Write settings, zones and tables; where places came from OpenStreetMap the settings say in which datum they are."""
    crs = region.crs or "EPSG:4549"
    text = say(lang, "new.study_toml", name=re.sub(r'["\\\\]', "_", folder.resolve().name), crs=crs)
    files = [folder / STUDY_FILE]
    if region.shapes is not None:
        region.shapes.to_crs(crs).to_file(folder / "zones.gpkg")
        files.append(folder / "zones.gpkg")
        text = text.replace("# [zones]\n# file", "[zones]\nfile")
    for table, rows in kept.items():
        if rows:
            text = text.replace(f'file = "{table}.xlsx"\ndatum = "auto"', f'file = "{table}.xlsx"\ndatum = "WGS-84"')
    files[0].write_text(text, encoding="utf-8", newline="\n")
    return files + [_write_template(folder / f"{table}.xlsx", table, kept.get(table, []), lang) for table in _TABLES]


def _write_template(path: Path, table: str, rows: list[dict[str, str]], lang: Lang) -> Path:
    """Write a table with its headings, a note on each, drop-downs where there is a choice, and the rows that are there already."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = say(lang, f"new.{table}")
    notes = book.create_sheet(say(lang, "new.notes"))
    fields = (*_TABLES[table], *(("services", "origin") if rows and table == "candidates" else ()))
    heads = headings(fields, lang) if rows else [heading_of(field, lang) for field in fields]
    fill_sheet(sheet, rows, fields, heads)
    for n, (field, heading) in enumerate(zip(fields, heads, strict=True), 1):
        note = say(lang, f"new.note_{field}")
        cell = sheet.cell(1, n)
        cell.alignment, cell.comment = Alignment(horizontal="center"), Comment(note, "planner")
        notes.append([heading, note])
        choices = _choices(field, lang)
        if choices:
            # Kinds are open to words of the user's own; the others are not.
            rule = DataValidation("list", formula1=f'"{",".join(choices)}"', showErrorMessage=field != "kind")
            sheet.add_data_validation(rule)
            rule.add(f"{get_column_letter(n)}2:{get_column_letter(n)}{ROWS}")
    notes.column_dimensions["A"].width, notes.column_dimensions["B"].width = 18, 90
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
