"""A file of rows -> its cells as text: xlsx, xls, csv in any Chinese encoding, and the html and text that are exported as .xls.

Takes a path; gives a `Grid`. Looks at sizes before it reads, so that a hostile or careless file ends in a sentence and not in a full
memory. Knows nothing of headings.
"""

import csv
import datetime as dt
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import python_calamine

from planner.errors import InputError, PlannerError

MAX_BYTES = 500_000_000
MAX_UNPACKED = 1_500_000_000
MAX_RATIO = 400
MAX_ROWS = 1_000_000
MAX_CELLS = 8_000_000
# As many as a sheet of Excel has.
MAX_COLUMNS = 16_384
_CHUNK = 1 << 22
_BLANKS = bytes.maketrans(b"\t\r\n", b"   ")
_OLE2, _ZIP = b"\xd0\xcf\x11\xe0", b"PK\x03\x04"

# A cell with a formula and nothing, or nothing but an empty value, behind it.
_VALUELESS = re.compile(
    rb"<(?:\w+:)?c\s([^<>]*)>\s*<(?:\w+:)?f(?:\s[^<>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*(?:/>|>\s*</(?:\w+:)?v>)\s*)?</"
)

Merge = tuple[int, int, int, int]


@dataclass(frozen=True)
class Grid:
    """The cells of one sheet as text.

    Attributes:
        sheet: the sheet's name; empty where a file has none.
        rows: row by row from the file's first row on; rows may differ in length.
        merges: merged ranges as first row, first column, last row, last column, from 0.
        unsaved: row and column, from 0, of the cells that hold a formula whose value was not saved: they read as blank.
        others: names of the workbook's other sheets that people see.
    """

    sheet: str
    rows: list[list[str]]
    merges: tuple[Merge, ...] = ()
    unsaved: frozenset[tuple[int, int]] = frozenset()
    others: tuple[str, ...] = ()


def read_grid(path: Path, sheet: str | None = None) -> Grid:
    """Read the cells of ``path``, of the first sheet that people see where none is named.

    Raises:
        InputError: unreadable, encrypted, too large, a zip or xml bomb, or no such sheet.
    """
    head = refuse_unfit(path, path.name)
    if head.startswith(_ZIP):
        return _read_book(path, sheet, _weigh_xlsx(path))
    if head.startswith(_OLE2):
        return _read_book(path, sheet)
    if path.suffix.lower() not in (".csv", ".txt", ".tsv", ".xls"):
        raise InputError("xlsx_unreadable", file=path.name)
    text = decode(path.read_bytes(), path.name)
    if re.search(r"<(html|table)\b", text[:4096], re.IGNORECASE):
        return Grid("", _html_rows(text, path.name))
    if text.lstrip()[:5] == "<?xml":
        raise InputError("xlsx_unreadable", file=path.name)
    return Grid("", _csv_rows(text, path.name))


def read_sheet(path: Path, sheet: str) -> Grid:
    """Read another sheet of a workbook that `read_grid` has read one of."""
    return _read_book(path, sheet)


def sheet_names(path: Path) -> tuple[str, ...]:
    """Return the names of a workbook's sheets; none for a csv or a text.

    Raises:
        InputError: unreadable, encrypted, too large, a zip or xml bomb.
    """
    head = refuse_unfit(path, path.name)
    if not head.startswith((_OLE2, _ZIP)):
        return ()
    if head.startswith(_ZIP):
        _weigh_xlsx(path)
    with _readable_book(path), path.open("rb") as file, python_calamine.CalamineWorkbook.from_filelike(file) as book:
        return tuple(book.sheet_names)


def refuse_unfit(path: Path, file: str) -> bytes:
    """Refuse a file that cannot be opened or is too large; return its first 4 kB.

    Raises:
        InputError: it is.
    """
    try:
        with path.open("rb") as opened:
            head, size = opened.read(4096), path.stat().st_size
    except OSError as error:
        raise InputError("unreadable", file=file, detail=error.strerror or type(error).__name__) from error
    if size > MAX_BYTES:
        raise InputError("too_large", file=file, mb=MAX_BYTES // 1_000_000)
    return head


def decode(raw: bytes, file: str) -> str:
    """Return text in the first encoding that fits: UTF-8 with or without a mark, UTF-16 with one, GB18030.

    Raises:
        InputError: none fits, or some lines are in one and some in another, as where two files were put together.
    """
    marked = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            if encoding == "gb18030":
                _refuse_mixed(raw, file)
            return text
    if not marked:
        _refuse_mixed(raw, file)
    raise InputError("csv_unreadable", file=file)


def _refuse_mixed(raw: bytes, file: str) -> None:
    """Refuse a text that isn't UTF-8 as a whole but has lines that can't be anything else."""
    first, count = dict[str, int](), Counter[str]()
    for row, line in enumerate(io.BytesIO(raw), 1):
        if kind := _kind_of_line(line):
            first.setdefault(kind, row)
            count[kind] += 1
    if len(count) == 2:
        odd = min(count, key=lambda kind: (count[kind], -first[kind]))
        raise InputError("csv_mixed", file=file, row=first[odd], count=count[odd])


def _kind_of_line(line: bytes) -> str:
    """Return the encoding that a line must be in; "" where that can't be told.

    A line of GB18030 is UTF-8 too by chance where it is short, but not with two Chinese characters or more and with bytes that no
    common character has.
    """
    if line.isascii():
        return ""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    if sum("\u3000" <= sign <= "\u9fff" or sign >= "\uff00" for sign in text) < 2:
        return ""
    try:
        line.decode("gb2312")
    except UnicodeDecodeError:
        return "utf-8"
    return ""


def delimiter(text: str) -> str:
    """Return the sign between the cells of a csv: the one that stands equally often in most lines, then the commonest."""
    lines = text[:20_000].splitlines()

    def rank(sign: str) -> tuple[int, int, bool]:
        # Services in a cell are many in one row and few in the next; cells are as many in each.
        often = Counter(count for line in lines if (count := line.count(sign)))
        return max(often.values(), default=0), sum(n * times for n, times in often.items()), sign == ","

    return max("\t;,", key=rank)


def _csv_rows(text: str, file: str) -> list[list[str]]:
    rows: list[list[str]] = []
    cells = 0
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(text)):
            cells += len(row)
            if len(rows) >= MAX_ROWS or cells > MAX_CELLS:
                raise InputError("too_many_cells", file=file, rows=MAX_ROWS, cells=MAX_CELLS)
            if len(row) > MAX_COLUMNS and any(row[MAX_COLUMNS:]):
                raise InputError("too_many_columns", file=file, row=len(rows) + 1, count=len(row), most=MAX_COLUMNS)
            rows.append(row[:MAX_COLUMNS])
    except csv.Error as error:
        raise InputError("csv_broken", file=file, row=len(rows) + 1) from error
    return rows


def _weigh_xlsx(path: Path) -> Mapping[str, frozenset[tuple[int, int]]]:
    """Refuse a workbook that is none, or not safe to read; return where in each sheet formulas stand whose values were not saved."""
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_bomb(archive, path.name)
            parts = [info for info in archive.infolist() if info.filename.endswith(".xml")]
            sheets = [info for info in parts if "worksheets/" in info.filename]
            if not sheets:
                raise InputError("xlsx_unreadable", file=path.name)
            for info in parts:
                if info not in sheets and _holds_entities(archive, info):
                    raise InputError("xml_bomb", file=path.name)
            unsaved = {info.filename: _weigh_sheet(archive, info, path.name) for info in sheets}
            return {name: unsaved.get(part, frozenset()) for name, part in _parts(archive) if any(unsaved.values())}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, PlannerError):
            raise
        raise InputError("xlsx_unreadable", file=path.name) from error


def _parts(archive: zipfile.ZipFile) -> list[tuple[str, str]]:
    """Return each sheet's name and the part of a workbook that holds it."""
    listed, links = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
    if not {listed, links} <= set(archive.namelist()):
        return []
    try:
        book, targets = (ElementTree.fromstring(archive.read(part)) for part in (listed, links))
    except ElementTree.ParseError:
        return []
    part_of = {link.get("Id"): link.get("Target", "") for link in targets}
    found = []
    for sheet in book.iterfind(".//{*}sheet"):
        target = next((part_of.get(value, "") for key, value in sheet.attrib.items() if key.endswith("}id")), "")
        found.append((sheet.get("name", ""), target[1:] if target.startswith("/") else f"xl/{target}"))
    return found


def refuse_bomb(archive: zipfile.ZipFile, file: str) -> None:
    """Refuse an archive that unpacks to far more than it should.

    Raises:
        InputError: it does.
    """
    size = sum(info.file_size for info in archive.infolist())
    packed = sum(info.compress_size for info in archive.infolist())
    if size > MAX_UNPACKED or (size > 50_000_000 and size > MAX_RATIO * max(packed, 1)):
        raise InputError("zip_bomb", file=file, mb=size // 1_000_000)


def _holds_entities(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    with archive.open(info) as part:
        return b"<!ENTITY" in part.read(65_536)


def _weigh_sheet(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: str) -> frozenset[tuple[int, int]]:
    """Refuse a sheet whose filled range would not fit into memory; return where formulas stand whose values were not saved.

    Quick bounds come first: only a sheet that is large by them has each of its cells looked at, for empty ones with a format count
    for nothing.
    """
    cells, last_row, widest, unsaved = 0, 0, 26, set[tuple[int, int]]()
    unnumbered, rows, most = 0, 0, 0
    for raw in _blocks(archive, info):
        block = _usual(raw)
        if b"<!ENTITY" in block:
            raise InputError("xml_bomb", file=file)
        cells += block.count(b' r="')
        if block is not raw and (bare := _cells(block) - block.count(b'c r="')) > 0:
            # Cells that don't say where they stand follow one another.
            unnumbered, rows = unnumbered + bare, rows + block.count(b"<row")
            most = max(most, *map(_cells, block.split(b"<row")))
        if b"<f" in block or b":f" in block:
            unsaved |= _unsaved(block)
        last_row = max(last_row, max(map(int, re.findall(rb'r="(\d{1,7})"', block)), default=0))
        widest = max(widest, max(map(_column, set(re.findall(rb'r="([A-Za-z]{2,3})\d', block))), default=0))
    if unnumbered and max(unnumbered, (last_row + rows) * most) > MAX_CELLS:
        raise InputError("too_many_cells", file=file, rows=MAX_ROWS, cells=MAX_CELLS)
    if max(cells, last_row * widest) > MAX_CELLS or last_row > MAX_ROWS:
        # Where the values alone are too many no cell need be looked at.
        values = 0
        if cells > MAX_CELLS:
            values = sum(block.count(b"<v>") + block.count(b"<is>") for block in _blocks(archive, info))
        filled, last_row, widest = 0, 0, 0
        for block in _blocks(archive, info) if values <= MAX_CELLS else ():
            for found in re.finditer(rb' r="([A-Za-z]{1,3})(\d{1,7})"[^>/]*>\s*<(?:\w+:)?(?:v|is|f)\b', _usual(block)):
                filled, last_row = filled + 1, max(last_row, int(found[2]))
                widest = max(widest, _column(found[1]))
            if max(filled, last_row * widest) > MAX_CELLS or last_row > MAX_ROWS:
                break
        if max(values, filled, last_row * widest) > MAX_CELLS or last_row > MAX_ROWS:
            raise InputError("too_many_cells", file=file, rows=MAX_ROWS, cells=MAX_CELLS)
    return frozenset(unsaved)


def _unsaved(block: bytes) -> set[tuple[int, int]]:
    """Return row and column, from 0, of the formulas in a block that have no value; one that gave an empty text has."""
    found = set()
    for cell in _VALUELESS.finditer(block):
        place = re.search(rb'\br="([A-Za-z]{1,3})(\d{1,7})"', cell[1])
        if place and not re.search(rb"""\bt=["']str""", cell[1]):
            found.add((int(place[2]) - 1, _column(place[1]) - 1))
    return found


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a part in blocks that are cut between cells."""
    rest = b""
    with archive.open(info) as part:
        while block := part.read(_CHUNK):
            block = rest + block
            end = max(block.rfind(b"<c"), block.rfind(b":c"), 0)
            rest = block[end:] if end else b""
            yield block[:end] if end else block
    yield rest


def _cells(block: bytes) -> int:
    return sum(block.count(start) for start in (b"<c ", b"<c>", b":c ", b":c>"))


def _usual(block: bytes) -> bytes:
    """Return a block with the places of its cells written as Excel writes them, r="A1", where others may have r = 'A1'.

    A block that Excel has written is returned itself, for this is looked at in every one.
    """
    usual = block.count(b'<c r="')
    if block.count(b"<c") == usual and b":c" not in block:
        return block
    block, raw = block.translate(_BLANKS), block
    if _cells(block) == usual:
        return raw
    return re.sub(rb"""\sr\s*=\s*["']([A-Za-z]{0,3}\d{1,7})["']""", rb' r="\1"', block)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _read_book(path: Path, sheet: str | None, unsaved: Mapping[str, frozenset[tuple[int, int]]] | None = None) -> Grid:
    # From the bytes, not the path: the reader would go by the file's name, which may be wrong.
    with _readable_book(path), path.open("rb") as file, python_calamine.CalamineWorkbook.from_filelike(file) as book:
        if sheet is not None and sheet not in book.sheet_names:
            raise InputError("no_sheet", file=path.name, sheet=sheet, sheets=", ".join(book.sheet_names))
        seen = [s.name for s in book.sheets_metadata if s.visible == python_calamine.SheetVisibleEnum.Visible]
        # What somebody has hidden is an old version or a list for drop-downs.
        table = book.get_sheet_by_name(sheet or (seen or book.sheet_names)[0])
        if table.total_height * table.total_width > MAX_CELLS or table.total_height > MAX_ROWS:
            raise InputError("too_many_cells", file=path.name, rows=MAX_ROWS, cells=MAX_CELLS)
        merges = tuple((a[0], a[1], b[0], b[1]) for a, b in table.merged_cell_ranges or ())
        rows: list[list[Any]] = table.to_python(skip_empty_area=False)
        name, others = table.name, tuple(other for other in seen if other != table.name)
    for row in rows:
        row[:] = [cell if type(cell) is str else _cell_text(cell) for cell in row]
    return Grid(name, rows, merges, (unsaved or {}).get(name, frozenset()), others)


@contextmanager
def _readable_book(path: Path) -> Iterator[None]:
    """Turn whatever the reader of workbooks complains about into a sentence."""
    try:
        yield
    except PlannerError:
        raise
    except python_calamine.PasswordError as error:
        raise InputError("xlsx_locked", file=path.name) from error
    except (python_calamine.CalamineError, OSError, ValueError, IndexError) as error:
        raise InputError("xlsx_unreadable", file=path.name) from error
    except BaseException as error:
        # A panic of the reader on a damaged file is no Exception.
        if type(error).__name__ == "PanicException":
            raise InputError("xlsx_unreadable", file=path.name) from error
        raise


def _cell_text(cell: object) -> str:
    if type(cell) is float:
        return str(int(cell)) if cell.is_integer() else str(cell)
    match cell:
        case bool():
            return str(cell).upper()
        case dt.datetime() if cell.time() == dt.time():
            return cell.date().isoformat()
        case dt.time():
            return cell.strftime("%H:%M")
    return str(cell)


class _Tables(HTMLParser):
    """Collects the cells of the tables of a page; everything else on it is left alone."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        self.inside = tag in ("td", "th") or (self.inside and tag not in ("tr", "script", "style"))

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th", "tr", "table")

    def handle_data(self, data: str) -> None:
        if self.inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def _html_rows(text: str, file: str) -> list[list[str]]:
    tables = _Tables()
    tables.feed(text)
    if sum(map(len, tables.rows)) > MAX_CELLS or len(tables.rows) > MAX_ROWS:
        raise InputError("too_many_cells", file=file, rows=MAX_ROWS, cells=MAX_CELLS)
    return tables.rows
