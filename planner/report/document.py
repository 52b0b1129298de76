"""Result -> report.docx: the report a leader signs, in the manner of official documents (GB/T 9704-2012).

Takes the blocks of `story` and the map sheets; thinks of fonts, pages and numbers only. Same result, same bytes.
"""

import datetime as dt
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import docx
from docx.document import Document
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.enum.table import WD_ALIGN_VERTICAL, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.image.image import Image
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from planner.pipeline import Result
from planner.report.archive import write_package
from planner.report.story import Block, Grid, Heading, Text, annex, story
from planner.words import Lang, has, say
from planner.words.wording import harmless

# Chinese fonts by style, and the names under which other systems have them (GB/T 9704-2012, 7: 小标宋 for the title, 黑体 and 楷体 for
# headings, 仿宋 for the body). Word looks the second up in the font table where the first is missing.
_CHINESE = {"Title": "方正小标宋简体", "Heading 1": "黑体", "Heading 2": "楷体", "Normal": "仿宋", "Caption": "黑体"}
_TABLE_FONT = "宋体"
_FALLBACKS = {
    "方正小标宋简体": "宋体",
    "黑体": "SimHei",
    "楷体": "KaiTi_GB2312",
    "仿宋": "FangSong_GB2312",
    "宋体": "SimSun",
}
_LATIN = "Times New Roman"
# Points. The norm's body is 三号 (16) at 22 lines a page; a report full of tables is set two sizes smaller (四号), its tables in 小五.
_POINTS: dict[Lang, dict[str, float]] = {
    "zh": {
        "Title": 22,
        "Heading 1": 16,
        "Heading 2": 14,
        "Normal": 14,
        "Caption": 10.5,
        "table": 9,
        "compact": 8,
        "small": 8,
        "line": 22,
    },
    "en": {
        "Title": 20,
        "Heading 1": 14,
        "Heading 2": 12,
        "Normal": 11.5,
        "Caption": 10,
        "table": 8.5,
        "compact": 7.5,
        "small": 8,
        "line": 15,
    },
}
# GB/T 9704-2012, 5.2: a type area of 156 mm × 225 mm. The pages of maps and the annex lie on their side.
_TYPE_MM = 156
_UPRIGHT = {"page": (210, 297), "top": 37, "bottom": 35, "left": 28, "right": 26}
_ASIDE = {"page": (297, 210), "top": 20, "bottom": 18, "left": 16, "right": 16}
# The hyphen after the one or two letters or digits that a word begins with.
_STUB = re.compile(r"(?<![A-Za-z0-9:.-])([A-Za-z0-9]{1,2})-(?=[A-Za-z])")
_KEPT = "\N{NON-BREAKING HYPHEN}"
# A table of so many rows stays on one page; longer ones may run on, under their headings.
_TOGETHER = 5
_CAPTION_MM = 14
_NUMERALS = "〇一二三四五六七八九十"
_INK, _GREY = RGBColor(0, 0, 0), RGBColor(0x59, 0x59, 0x59)
_RULE, _HEAD = "7F8C95", "E6EDF1"
_ALIGN = {"l": WD_ALIGN_PARAGRAPH.LEFT, "c": WD_ALIGN_PARAGRAPH.CENTER, "r": WD_ALIGN_PARAGRAPH.RIGHT}
# The layout plan, and the gaps where they are drawn too; the other sheets lie beside the report.
TOLD_MAPS = ("layout", "gaps")


def write_document(result: Result, path: Path, lang: Lang, *, sheets: Sequence[Path] = ()) -> None:
    """Write report.docx.

    Args:
        result: the run.
        path: the file to write; what stands there is replaced.
        lang: language of the report.
        sheets: map sheets; the first PNG images among them are shown, the layout plan before others.
    """
    document = docx.Document()
    _set_styles(document, lang)
    _set_properties(document, result, lang)
    _set_page(document.sections[0], _UPRIGHT)
    _head_and_foot(document, result, lang)
    _title(document, result, lang)
    for number, block in _numbered(story(result, lang), lang):
        _write(document, block, number, lang)
    maps, tables = _maps(sheets), annex(result, lang)
    if maps or tables:
        _set_page(document.add_section(WD_SECTION.NEW_PAGE), _ASIDE)
    for n, image in enumerate(maps):
        _picture(document, image, result, lang, new_page=n > 0)
    for n, block in enumerate(tables):
        _write(document, block, "", lang, new_page=bool(maps) and n == 0)
    made = io.BytesIO()
    document.save(made)
    write_package(made.getvalue(), path, mend=_with_fallbacks)


# --- blocks -----------------------------------------------------------------------------------------------------------


def _numbered(blocks: Iterable[Block], lang: Lang) -> Iterator[tuple[str, Block]]:
    """Give headings and tables their numbers: 一、 and (一), or 1 and 1.1; tables run through."""
    chapter = part = table = 0
    for block in blocks:
        match block:
            case Heading(level=1):
                chapter, part = chapter + 1, 0
                yield say(lang, "document.number_1", n=_numeral(chapter) if lang == "zh" else chapter), block
            case Heading():
                part += 1
                yield say(lang, "document.number_2", n=_numeral(part) if lang == "zh" else f"{chapter}.{part}"), block
            case Grid():
                table += 1
                yield str(table), block
            case _:
                yield "", block


def _numeral(number: int) -> str:
    """Return 1 to 99 in Chinese numerals."""
    tens, ones = divmod(number, 10)
    if not tens:
        return _NUMERALS[ones]
    return ("" if tens == 1 else _NUMERALS[tens]) + "十" + (_NUMERALS[ones] if ones else "")


def _write(document: Document, block: Block, number: str, lang: Lang, *, new_page: bool = False) -> None:
    match block:
        case Heading(level, text):
            heading = document.add_heading(number + harmless(text), level)
            heading.paragraph_format.page_break_before = new_page
        case Text(text, lead, note):
            paragraph = document.add_paragraph(style="Note" if note else None)
            if lead:
                run = paragraph.add_run(say(lang, "document.lead", text=lead))
                _set_font(run, _CHINESE["Heading 2"])
                run.bold = True
            _add_run(paragraph, text)
        case Grid():
            caption = say(lang, "document.table", n=number, text=block.caption) if number else block.caption
            document.add_paragraph(harmless(caption), "Caption").paragraph_format.keep_with_next = True
            _table(document, block, lang)


def _table(document: Document, grid: Grid, lang: Lang) -> None:
    section: Any = document.sections[-1]
    room = section.page_width - section.left_margin - section.right_margin
    widths = [int(room * width / sum(grid.widths)) for width in grid.widths]
    table = document.add_table(rows=0, cols=len(grid.head), style="Table Grid")
    table.alignment, table.autofit = WD_TABLE_ALIGNMENT.CENTER, False
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    for n, values in enumerate((grid.head, *grid.rows)):
        head, total = n == 0, grid.total and n == len(grid.rows)
        row = table.add_row()
        _mark(row._tr.get_or_add_trPr(), "w:cantSplit")
        if head:
            _mark(row._tr.get_or_add_trPr(), "w:tblHeader")
        for cell, text, width, align in zip(row.cells, values, widths, grid.align, strict=True):
            cell.width = width
            cell.vertical_alignment = WD_ALIGN_VERTICAL.CENTER
            paragraph = cell.paragraphs[0]
            # By id: looking the style up by name for every cell takes most of the time.
            paragraph._p.style = "CompactCell" if grid.compact else "Cell"
            paragraph.alignment = _ALIGN["c" if head else align]
            # LibreOffice keeps a whole table with what follows where its first row is to stay with the next.
            paragraph.paragraph_format.keep_with_next = n < len(grid.rows) <= _TOGETHER
            _add_run(paragraph, text).bold = head or total
            if head or total:
                _mark(cell._tc.get_or_add_tcPr(), "w:shd", val="clear", color="auto", fill=_HEAD)
    # Word wants a paragraph after a table; after one that fills a page it must not begin another.
    after = document.add_paragraph()
    after.paragraph_format.line_spacing = Pt(1 if grid.compact else 6)
    after.paragraph_format.space_after = Pt(0)


def _add_run(paragraph: Any, text: str) -> Any:
    """Add text whose lines do not end in a stub: 7-Eleven is no word of two lines."""
    first, *rest = _STUB.sub(r"\1" + _KEPT, harmless(text)).split(_KEPT)
    run = paragraph.add_run(first)
    for part in rest:
        _mark(run._r, "w:noBreakHyphen")
        # Unlike `run.text`, this adds to what the run holds.
        run.add_text(part)
    return run


def _maps(sheets: Sequence[Path]) -> list[Path]:
    """Return the sheets to show: images, the layout plan first; whatever else there is where these are not."""
    images = {sheet.stem: sheet for sheet in sheets if sheet.suffix.lower() == ".png"}
    told = [images[name] for name in TOLD_MAPS if name in images]
    return told or [*images.values()][: len(TOLD_MAPS)]


def _picture(document: Document, image: Path, result: Result, lang: Lang, *, new_page: bool) -> None:
    """Add a page with a map, as large as it fits."""
    section: Any = document.sections[-1]
    room_x = section.page_width - section.left_margin - section.right_margin
    room_y = section.page_height - section.top_margin - section.bottom_margin - Mm(_CAPTION_MM)
    size = Image.from_file(str(image))
    scale = min(room_x / size.px_width, room_y / size.px_height)
    name, _, year = image.stem.partition("-")
    named = f"document.map_{name}"
    title = say(lang, named, year=year) if has(named) else image.stem
    heading = document.add_heading(say(lang, "document.h_maps", title=title), 1)
    heading.paragraph_format.page_break_before, heading.paragraph_format.first_line_indent = new_page, Pt(0)
    paragraph = document.add_paragraph()
    paragraph.alignment, paragraph.paragraph_format.first_line_indent = WD_ALIGN_PARAGRAPH.CENTER, Pt(0)
    paragraph.paragraph_format.line_spacing_rule = WD_LINE_SPACING.SINGLE
    shape = paragraph.add_run().add_picture(str(image), width=int(size.px_width * scale))
    shape._inline.docPr.set("descr", harmless(say(lang, "document.map_alt", study=result.study.name, title=title)))
    shape._inline.docPr.set("name", image.stem)


# --- page, styles, notices --------------------------------------------------------------------------------------------


def _set_page(section: Any, page: dict[str, Any]) -> None:
    width, height = page["page"]
    section.orientation = WD_ORIENT.LANDSCAPE if width > height else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Mm(width), Mm(height)
    section.top_margin, section.bottom_margin = Mm(page["top"]), Mm(page["bottom"])
    section.left_margin, section.right_margin = Mm(page["left"]), Mm(page["right"])
    section.header_distance, section.footer_distance = Mm(12), Mm(10)


def _set_styles(document: Document, lang: Lang) -> None:
    points = _POINTS[lang]
    styles = document.styles
    cell, compact, note = (styles.add_style(name, 1) for name in ("Cell", "CompactCell", "Note"))
    cell.base_style, compact.base_style, note.base_style = styles["Normal"], cell, cell
    for name, chinese in _CHINESE.items():
        style = styles[name]
        _set_font(style, chinese)
        style.font.size, style.font.color.rgb = Pt(points[name]), _INK
        style.font.bold, style.font.italic = name != "Normal" and (lang == "en" or name == "Heading 2"), False
        form = style.paragraph_format
        form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(points["line"])
        form.space_before = form.space_after = Pt(0)
    body = styles["Normal"].paragraph_format
    if lang == "zh":
        body.first_line_indent, body.alignment = Pt(2 * points["Normal"]), WD_ALIGN_PARAGRAPH.JUSTIFY
    else:
        body.space_after = Pt(6)
    for name, before in {"Heading 1": 10, "Heading 2": 4}.items():
        form = styles[name].paragraph_format
        form.first_line_indent = Pt(2 * points["Normal"]) if lang == "zh" else Pt(0)
        form.space_before, form.space_after = Pt(before), Pt(2)
        form.keep_with_next, form.alignment = True, WD_ALIGN_PARAGRAPH.LEFT
    title = styles["Title"]
    title.paragraph_format.alignment, title.paragraph_format.first_line_indent = WD_ALIGN_PARAGRAPH.CENTER, Pt(0)
    title.paragraph_format.line_spacing = Pt(points["Title"] * 1.5)
    for border in title.element.xpath(".//w:pBdr"):
        border.getparent().remove(border)
    caption = styles["Caption"].paragraph_format
    caption.alignment, caption.first_line_indent = WD_ALIGN_PARAGRAPH.CENTER, Pt(0)
    caption.line_spacing, caption.space_before, caption.space_after = Pt(16), Pt(6), Pt(3)
    _set_font(cell, _TABLE_FONT)
    cell.font.size = Pt(points["table"])
    cell.paragraph_format.first_line_indent = Pt(0)
    cell.paragraph_format.line_spacing = Pt(points["table"] * 1.4)
    cell.paragraph_format.space_before = cell.paragraph_format.space_after = Pt(1.5)
    compact.font.size, compact.paragraph_format.line_spacing = Pt(points["compact"]), Pt(points["compact"] * 1.3)
    compact.paragraph_format.space_before = compact.paragraph_format.space_after = Pt(0.6)
    note.paragraph_format.space_after = Pt(6)
    for edge in styles["Table Grid"].element.xpath(".//w:tblBorders/*"):
        edge.set(qn("w:color"), _RULE)
    for language in document.styles.element.xpath(".//w:docDefaults//w:lang"):
        language.set(qn("w:val"), "en-US")
        language.set(qn("w:eastAsia"), "zh-CN")


def _set_font(target: Any, chinese: str) -> None:
    """Set the Latin and the Chinese font of a style or a run; the template's theme fonts would win over them."""
    target.font.name = _LATIN
    fonts = target.element.get_or_add_rPr().get_or_add_rFonts()
    for attribute in [name for name in fonts.attrib if "heme" in name]:
        del fonts.attrib[attribute]
    fonts.set(qn("w:eastAsia"), chinese)
    fonts.set(qn("w:cs"), _LATIN)


def _set_properties(document: Document, result: Result, lang: Lang) -> None:
    core, epoch = document.core_properties, dt.datetime(2000, 1, 1)
    core.title = harmless(" ".join(say(lang, "document.title", study=result.study.name).split()))[:255]
    core.author = core.last_modified_by = harmless(result.study.map.compiling_unit)[:255]
    core.created = core.modified = epoch
    core.comments, core.identifier, core.revision = "", result.run_id, 1
    core.language = "zh-CN" if lang == "zh" else "en"


def _title(document: Document, result: Result, lang: Lang) -> None:
    settings = result.study.map
    title = document.add_paragraph(harmless(say(lang, "document.title", study=result.study.name)), "Title")
    title.runs[0].font.size = Pt(_title_points(title.text, lang))
    by = "  ".join(part for part in (settings.compiling_unit, settings.date) if part)
    if by:
        paragraph = document.add_paragraph(harmless(by))
        paragraph.alignment, paragraph.paragraph_format.first_line_indent = WD_ALIGN_PARAGRAPH.CENTER, Pt(0)
        _set_font(paragraph.runs[0], _CHINESE["Heading 2"])


def _title_points(text: str, lang: Lang) -> float:
    """Return the size at which no line of the title breaks; not below that of a heading, where a long one breaks by itself."""
    room_pt = 0.97 * _TYPE_MM * 72 / 25.4
    # A Chinese character is an em wide, a letter of a bold Latin font about half of one.
    widest_em = max(sum(1.0 if ord(sign) > 0x2E7F else 0.55 for sign in line) for line in text.split("\n"))
    largest, least = _POINTS[lang]["Title"], _POINTS[lang]["Heading 1"]
    return max(least, min(largest, int(2 * room_pt / max(widest_em, 1.0)) / 2))


def _head_and_foot(document: Document, result: Result, lang: Lang) -> None:
    """Say on every page what is illustrative, whose data it is, which run and which page."""
    section, study = document.sections[0], result.study
    run_id = say(lang, "document.run", run_id=result.run_id)
    head = section.header.paragraphs[0]
    _small(head, say(lang, "document.sentence_comma").join(part for part in (study.caveat, run_id) if part), lang)
    edge = OxmlElement("w:pBdr")
    _mark(edge, "w:bottom", val="single", sz="4", space="2", color=_RULE)
    head._p.get_or_add_pPr().append(edge)
    before, after = say(lang, "document.page", page="\0").split("\0")
    foot = section.footer.paragraphs[0]
    foot.alignment, foot.paragraph_format.first_line_indent = WD_ALIGN_PARAGRAPH.CENTER, Pt(0)
    foot.add_run(before)
    _field(foot, "PAGE")
    foot.add_run(after)
    for run in foot.runs:
        _set_font(run, _TABLE_FONT)
        run.font.size = Pt(12)
    _small(section.footer.add_paragraph(), say(lang, "document.attribution", source=study.base_map), lang)


def _small(paragraph: Any, text: str, lang: Lang) -> None:
    form = paragraph.paragraph_format
    paragraph.alignment, form.first_line_indent = WD_ALIGN_PARAGRAPH.CENTER, Pt(0)
    form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(11)
    run = paragraph.add_run(harmless(text))
    _set_font(run, _TABLE_FONT)
    run.font.size, run.font.color.rgb = Pt(_POINTS[lang]["small"]), _GREY


def _field(paragraph: Any, name: str) -> None:
    for kind in ("begin", "instruction", "separate", "result", "end"):
        run = paragraph.add_run("1" if kind == "result" else "")
        if kind == "instruction":
            instruction = OxmlElement("w:instrText")
            instruction.text = name
            run._r.append(instruction)
        elif kind != "result":
            _mark(run._r, "w:fldChar", fldCharType=kind)


def _mark(parent: Any, tag: str, **attributes: str) -> None:
    """Append an element to an XML parent."""
    child = OxmlElement(tag)
    for key, value in attributes.items():
        child.set(qn(f"w:{key}"), value)
    parent.append(child)


def _with_fallbacks(name: str, part: bytes) -> bytes:
    """Name in the font table what replaces each Chinese font where it is missing (OOXML, w:altName)."""
    if name != "word/fontTable.xml":
        return part
    named = "".join(
        f'<w:font w:name="{font}"><w:altName w:val="{other}"/><w:charset w:val="86"/></w:font>'
        for font, other in _FALLBACKS.items()
    )
    kept = re.sub(
        rf'<w:font w:name="(?:{"|".join(_FALLBACKS)})">.*?</w:font>', "", part.decode("utf-8"), flags=re.DOTALL
    )
    return kept.replace("</w:fonts>", f"{named}</w:fonts>").encode("utf-8")
