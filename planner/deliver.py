"""Result -> the set of deliverables in a folder, written whole or not at all.

Takes a `Result` and a folder; writes summary.json, plan.gpkg, programme.xlsx, report.docx, map.html and maps/; where asked, report.pdf
and exchange/. Computes nothing.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from planner.draw.series import drawing
from planner.draw.web import write_map
from planner.errors import PlannerError, SurroundingsError
from planner.pipeline import Progress, Result, quiet
from planner.report.document import write_document
from planner.report.exchange import write_exchange
from planner.report.layers import write_layers
from planner.report.pdf import write_pdf
from planner.report.workbook import write_workbook
from planner.summary import summary_json
from planner.words import Lang

# What writing the tables and the web map takes, measured in sheets.
TABLES_COST = 2.5
# What a run may leave out: an earlier run's must not stand beside this run's.
OPTIONAL = (
    "maps/*.pdf",
    "maps/*.png",
    "maps/*.svg",
    "exchange/*.geojson",
    "exchange/*.csv",
    "exchange/*.xlsx",
    "report.pdf",
)


def deliver(result: Result, folder: Path, *, lang: Lang | None = None, progress: Progress = quiet) -> list[Path]:
    """Write the whole set into ``folder`` and return the files, in the order of their names.

    Raises:
        SurroundingsError: the folder cannot be written, or a file in it is held open by another program; it is then as it was.
    """
    lang = lang or result.study.language
    return write_whole(folder, lambda made: write_set(result, made, lang, progress), stale=OPTIONAL)


def write_whole(folder: Path, write: Callable[[Path], None], *, stale: Sequence[str] = ()) -> list[Path]:
    """Let ``write`` fill an empty folder, then move what it made into ``folder``: all of it, or nothing.

    Args:
        folder: where the files go; made if it is not there.
        write: writes files, in subfolders too.
        stale: patterns of files of an earlier run that are taken away when this run made none of that name.

    Raises:
        SurroundingsError: something cannot be written or replaced.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Inside the folder, so that moving never leaves its file system.
        made = Path(tempfile.mkdtemp(prefix=".planner-", dir=folder))
        try:
            new = made / "new"
            new.mkdir()
            write(new)
            return _move(new, made / "old", folder, stale)
        finally:
            shutil.rmtree(made, ignore_errors=True)
            # A folder made for nothing goes again.
            if not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        if isinstance(error, PlannerError):
            raise
        raise SurroundingsError("cannot_write", folder=str(folder), detail=error.strerror or str(error)) from error


def write_set(result: Result, folder: Path, lang: Lang, progress: Progress = quiet) -> None:
    """Write each deliverable into an empty folder."""
    # The sheets take longest: a second process begins them while the tables are written here.
    with drawing(result, folder / "maps", lang, meanwhile=TABLES_COST) as finish_sheets:
        progress("layers")
        write_layers(result, folder / "plan.gpkg", lang)
        progress("workbook")
        write_workbook(result, folder / "programme.xlsx", lang)
        progress("map")
        write_map(result, folder / "map.html", lang)
        progress("sheets")
        sheets = finish_sheets()
    progress("document")
    write_document(result, folder / "report.docx", lang, sheets=sheets)
    if result.study.output.pdf:
        write_pdf(folder / "report.docx")
    if result.study.output.exchange:
        write_exchange(result, folder / "exchange", lang)
    (folder / "summary.json").write_text(summary_json(result), encoding="utf-8", newline="\n")


def _move(new: Path, old: Path, folder: Path, stale: Sequence[str]) -> list[Path]:
    """Put the new files in the place of the old ones; if one cannot be moved, put all the old ones back."""
    files = sorted(file.relative_to(new) for file in new.rglob("*") if file.is_file())
    gone = sorted({file.relative_to(folder) for pattern in stale for file in folder.glob(pattern)})
    done: list[tuple[Path, Path]] = []
    try:
        for file in [*files, *(g for g in gone if g not in files)]:
            if (folder / file).exists():
                (old / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).replace(old / file)
                done.append((old / file, folder / file))
            if file in files:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (new / file).replace(folder / file)
                done.append((folder / file, new / file))
    except OSError:
        for here, back in reversed(done):
            here.replace(back)
        raise
    return [folder / file for file in files]
