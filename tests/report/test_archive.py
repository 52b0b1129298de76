import io
import zipfile
from pathlib import Path

from planner.report.archive import write_package


def package(second: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        clock = f'<x><dcterms:created a="b">2026-01-01T00:00:{second:02d}Z</dcterms:created></x>'
        for name, text in (("docProps/core.xml", clock), ("word/a.xml", "<a/>"), ("word/b.png", "png")):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, second)), text)
    return made.getvalue()


def test_the_clock_leaves_no_trace(tmp_path: Path) -> None:
    for second in (2, 4):
        write_package(package(second), tmp_path / f"{second}.zip")
    assert package(2) != package(4)
    assert (tmp_path / "2.zip").read_bytes() == (tmp_path / "4.zip").read_bytes()


def test_parts_are_kept_in_order_and_mended(tmp_path: Path) -> None:
    write_package(
        package(2), tmp_path / "a.zip", mend=lambda name, part: part.upper() if name == "word/a.xml" else part
    )
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["docProps/core.xml", "word/a.xml", "word/b.png"]
        assert archive.read("word/a.xml") == b"<A/>"
        assert archive.read("word/b.png") == b"png"
        assert b"2026" not in archive.read("docProps/core.xml")
