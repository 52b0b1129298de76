"""report.docx -> report.pdf, by the LibreOffice of this computer where there is one.

Takes a document, gives a PDF beside it. Starts a program; asks no network.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from planner.errors import SurroundingsError

# A report of ten pages takes some seconds; a first start of LibreOffice some more.
PATIENCE_S = 180
_PLACES = (
    "C:/Program Files/LibreOffice/program/soffice.exe",
    "C:/Program Files (x86)/LibreOffice/program/soffice.exe",
    "/Applications/LibreOffice.app/Contents/MacOS/soffice",
)


def office() -> str:
    """Return the path of LibreOffice.

    Raises:
        SurroundingsError: it is not installed.
    """
    found = next((path for name in ("soffice", "libreoffice") if (path := shutil.which(name))), None)
    found = found or next((place for place in _PLACES if Path(place).is_file()), None)
    if found is None:
        raise SurroundingsError("office_missing")
    return found


def write_pdf(document: Path) -> Path:
    """Write the document as PDF beside it and return the file.

    Raises:
        SurroundingsError: LibreOffice is not installed, fails, or takes longer than `PATIENCE_S`.
    """
    program, made = office(), document.with_suffix(".pdf")
    # A profile of its own: one that is open on the user's screen would answer instead, and do nothing.
    with tempfile.TemporaryDirectory(prefix="planner-", ignore_cleanup_errors=True) as profile:
        order = [program, f"-env:UserInstallation={Path(profile).as_uri()}", "--headless", "--convert-to", "pdf"]
        order += ["--outdir", str(document.parent), str(document)]
        try:
            done = subprocess.run(order, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SurroundingsError("office_failed", file=document.name) from error
    if done.returncode or not made.is_file():
        raise SurroundingsError("office_failed", file=document.name)
    return made
