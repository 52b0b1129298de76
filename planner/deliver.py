"""Result -> the set of deliverables in a folder, written whole or not at all.

Takes a `Result` and a folder; writes summary.json, plan.gpkg, programme.xlsx, report.docx, map.html and maps/. Computes nothing.
"""

import shutil
import tempfile
from pathlib import Path

from planner.draw.sheet import write_sheets
from planner.draw.web import write_map
from planner.errors import SurroundingsError
from planner.pipeline import Progress, Result, quiet
from planner.report.document import write_document
from planner.report.layers import write_layers
from planner.report.workbook import write_workbook
from planner.summary import summary_json
from planner.words import Lang


def deliver(result: Result, folder: Path, *, lang: Lang | None = None, progress: Progress = quiet) -> list[Path]:
    """Write the whole set into ``folder`` and return the files, in the order of their names.

    Everything is made in a folder beside it first; what stood there under the same names is replaced only when all is done.

    Raises:
        SurroundingsError: the folder cannot be written, or a file in it is held open by another program.
    """
    lang = lang or result.study.language
    folder = folder.resolve()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise SurroundingsError("cannot_write", folder=str(folder), detail=error.strerror or str(error)) from error
    try:
        write_set(result, made, lang, progress)
        return _move(made, folder)
    except OSError as error:
        raise SurroundingsError("cannot_write", folder=str(folder), detail=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_set(result: Result, folder: Path, lang: Lang, progress: Progress = quiet) -> None:
    """Write each deliverable into an empty folder."""
    progress("layers")
    write_layers(result, folder / "plan.gpkg", lang)
    progress("sheets")
    sheets = write_sheets(result, folder / "maps", lang)
    progress("workbook")
    write_workbook(result, folder / "programme.xlsx", lang)
    progress("document")
    write_document(result, folder / "report.docx", lang, sheets=sheets)
    progress("map")
    write_map(result, folder / "map.html", lang)
    (folder / "summary.json").write_text(summary_json(result), encoding="utf-8", newline="\n")


def _move(made: Path, folder: Path) -> list[Path]:
    """Move the finished set into place: files first, summary.json last, so that it never speaks of what isn't there."""
    files = sorted((p for p in made.rglob("*") if p.is_file()), key=lambda p: (p.name == "summary.json", p))
    stale = set((folder / "maps").glob("*")) if (folder / "maps").is_dir() else set()
    placed = []
    for file in files:
        target = folder / file.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
        placed.append(target)
    for old in stale - set(placed):
        if old.suffix in (".pdf", ".png", ".svg"):
            old.unlink()
    return sorted(placed)
