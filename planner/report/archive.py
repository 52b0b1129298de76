"""The zip that docx and xlsx files are, written so that the same content gives the same bytes: no clock in it."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

# The earliest moment that a zip can tell, and the moment that the documents' properties tell.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_CORE = "docProps/core.xml"
_CLOCK = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


def write_package(content: bytes, path: Path, *, mend: Callable[[str, bytes], bytes] = lambda name, part: part) -> None:
    """Write an Office file without the clock.

    Args:
        content: the file as a library wrote it.
        path: the file to write.
        mend: given each part's name and bytes, returns the bytes to write.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as made, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as kept:
        for name in made.namelist():
            part = made.read(name)
            if name == _CORE:
                part = _CLOCK.sub(rb"\g<1>2000-01-01T00:00:00Z", part)
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            entry.create_system = 0
            kept.writestr(entry, mend(name, part))
