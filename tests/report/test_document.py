import dataclasses
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn
from numbers_in import known_numbers, numbers_in, shown
from PIL import Image
from worlds import HOSTILE, WORLDS, infeasible, of_one, unproven, without_sites

from planner.pipeline import Result
from planner.report.document import _numeral, write_document
from planner.report.story import Grid, Heading, Text, annex, story
from planner.words import LANGS, Lang, say
from planner.words.wording import amount, harmless, money


def said(result: Result, lang: Lang) -> list[str]:
    """Every sentence and every cell of the report."""
    texts = []
    for block in (*story(result, lang), *annex(result, lang)):
        match block:
            case Heading(_, text):
                texts.append(text)
            case Text(text, lead):
                texts += [lead, text]
            case Grid():
                texts += [block.caption, *block.head, *(cell for row in block.rows for cell in row)]
    return texts


def sentences_of(result: Result, lang: Lang) -> str:
    return "\n".join(block.text for block in story(result, lang) if isinstance(block, Text))


# --- what it says -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("world", WORLDS)
def test_sentences_read_well_in_every_case(small_result: Result, world: str, lang: Lang) -> None:
    bent = WORLDS[world](small_result)
    text = sentences_of(bent, lang)
    if world != "hostile":
        assert not re.search(r"[{}]|nan|None|inf\b|\bNaN\b|  |。。|,,|\.\.", text)
    assert not re.search(r"(?<![\d.])0\s?(个|处|项|行|人(?!\()|年)", text)
    assert not re.search(
        r"(?<![\d.,])1 \w*(sites|gaps|actions|rows|minutes|years)\b|\b0 (sites?|gaps?|actions?|rows?|people)\b|\(s\)",
        text,
    )
    assert not re.search(r"(?<![\d.,])([2-9]|\d\d+) (existing |new )?(site|gap|action|row|minute)\b", text)
    for paragraph in text.splitlines():
        assert (
            paragraph.rstrip('”"').endswith(("。", "."))
            or world == "hostile"
            or paragraph in (*bent.warnings, bent.study.illustrative)
        )


@pytest.mark.parametrize("lang", LANGS)
def test_proven_optimal_stands_only_where_it_is(small_result: Result, lang: Lang) -> None:
    claim = {"zh": "已证明最优", "en": "is proven optimal"}[lang]
    assert claim in sentences_of(small_result, lang)
    for bend in (unproven, infeasible, WORLDS["idle"], WORLDS["without_plan"]):
        assert claim not in sentences_of(bend(small_result), lang)
    assert "0.49%" in sentences_of(unproven(small_result), lang)


def test_a_gap_too_small_to_show_is_not_called_none(small_result: Result) -> None:
    text = sentences_of(unproven(small_result, gap=2e-6), "en")
    assert "0.01%" in text and "0.00%" not in text


@pytest.mark.parametrize("lang", LANGS)
def test_where_no_plan_fits_the_reason_is_told(small_result: Result, lang: Lang) -> None:
    text = sentences_of(infeasible(small_result), lang)
    assert infeasible(small_result).plan_reasons(lang)[0] in text
    assert annex(infeasible(small_result), lang) == []


def test_contrast_is_claimed_only_where_there_is_one(small_result: Result) -> None:
    assert "走得到不等于用得上" in sentences_of(small_result, "zh")
    alike = {**small_result.indicators[0], "effective_share": small_result.indicators[0]["share"]}
    same = dataclasses.replace(small_result, indicators={**small_result.indicators, 0: alike})
    assert "走得到不等于用得上" not in sentences_of(same, "zh")


def test_nobody_is_covered_without_sites(small_result: Result) -> None:
    assert "目前没有站点" in sentences_of(without_sites(small_result), "zh")


def test_one_of_each_is_worded_as_one(small_result: Result) -> None:
    text = sentences_of(of_one(small_result), "en")
    assert (
        "1 existing site covers" in text and "1 gap." in text and "1 action:" in text and "1 row of the input" in text
    )


@pytest.mark.parametrize("lang", LANGS)
def test_money_lost_on_closed_sites_is_no_running_cost(
    small_result: Result, lang: Lang, monkeypatch: pytest.MonkeyPatch
) -> None:
    def years(result: Result) -> Grid:
        wanted = say(lang, "document.table_years", unit=result.study.plan.cost_unit if result.study.plan else "")
        return next(block for block in story(result, lang) if isinstance(block, Grid) and block.caption == wanted)

    funds = small_result.funds
    before, running = years(small_result), money(funds["operating_cost"].sum())
    lost = funds.assign(sunk=[8.25, 0.0], spent=funds["spent"] + [8.25, 0.0])
    monkeypatch.setattr(Result, "funds", property(lambda _: lost))
    # What each year costs holds it too.
    costs = dict(zip(lost["year"], lost["spent"], strict=True))
    after = dataclasses.replace(small_result, cost_by_year=costs)
    grid = years(after)
    at = grid.head.index(say(lang, "document.column_sunk"))
    assert len(grid.head) == len(grid.widths) == len(grid.align) == len(before.head) + 1
    assert [row[at] for row in grid.rows] == [amount(8.25), amount(0.0), amount(8.25)]
    assert [row[:at] for row in grid.rows] == [row[:at] for row in before.rows], (
        "building and running cost what they did"
    )
    assert [row[at + 1] for row in grid.rows] == [amount(n) for n in (*lost["spent"], lost["spent"].sum())]
    [cost] = [block.text for block in story(after, lang) if isinstance(block, Text) and money(8.25) in block.text]
    assert running in cost and money(lost["spent"].sum()) in cost


def test_the_conclusion_comes_first(small_result: Result) -> None:
    first, second = story(small_result, "zh")[:2]
    assert first == Heading(1, "结论")
    assert isinstance(second, Text) and "覆盖率" in second.text


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("world", ["small", "unproven", "without_plan"])
def test_every_number_is_found_again_in_the_summary(small_result: Result, world: str, lang: Lang) -> None:
    result = WORLDS[world](small_result)
    known = shown(known_numbers(result))
    unknown = {token for text in said(result, lang) for token in numbers_in(text, result) if token not in known}
    assert unknown == set()


def test_a_number_from_nowhere_is_seen(small_result: Result) -> None:
    known = shown(known_numbers(small_result))
    assert [token for token in numbers_in("覆盖率12.3%,4,567人", small_result) if token not in known] == [
        "12.3%",
        "4,567",
    ]


def test_four_in_five_figures_wrong_in_one_digit_are_seen(small_result: Result) -> None:
    known = shown(known_numbers(small_result))
    tokens = {
        t for text in said(small_result, "zh") for t in numbers_in(text, small_result) if sum(map(str.isdigit, t)) > 2
    }
    digits = [(token, i) for token in sorted(tokens) for i, sign in enumerate(token) if sign.isdigit()]
    wrong = {token[:i] + str((int(token[i]) + by) % 10) + token[i + 1 :] for token, i in digits for by in (1, 3, 7)}
    assert len(wrong) > 150
    assert sum(token not in known for token in wrong) / len(wrong) > 0.8


@pytest.mark.parametrize(
    ("number", "numeral"), [(1, "一"), (9, "九"), (10, "十"), (11, "十一"), (20, "二十"), (34, "三十四")]
)
def test_chinese_numerals(number: int, numeral: str) -> None:
    assert _numeral(number) == numeral


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("maps") / "layout.png"
    Image.new("RGB", (420, 297), "white").save(path)
    return path


def text_of(document: docx.document.Document) -> str:
    return "\n".join(node.text or "" for node in document.element.body.iter(qn("w:t")))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("world", WORLDS)
def test_the_document_holds_the_whole_story(
    small_result: Result, tmp_path: Path, sheet: Path, world: str, lang: Lang
) -> None:
    result = WORLDS[world](small_result)
    write_document(result, tmp_path / "report.docx", lang, sheets=[sheet.with_suffix(".pdf"), sheet])
    document = docx.Document(tmp_path / "report.docx")
    text = text_of(document).replace("\n", "")
    for part in said(result, lang):
        assert harmless(part).replace("\n", "") in text
    assert len(document.inline_shapes) == 1


def test_two_runs_write_the_same_bytes(small_result: Result, tmp_path: Path, sheet: Path) -> None:
    for name in ("a.docx", "b.docx"):
        write_document(small_result, tmp_path / name, "zh", sheets=[sheet])
    assert (tmp_path / "a.docx").read_bytes() == (tmp_path / "b.docx").read_bytes()


def test_every_page_says_run_and_what_is_illustrative(small_result: Result, tmp_path: Path, sheet: Path) -> None:
    write_document(small_result, tmp_path / "report.docx", "zh", sheets=[sheet])
    document = docx.Document(tmp_path / "report.docx")
    assert len(document.sections) == 2
    for section in document.sections:
        head = section.header.paragraphs[0].text
        assert small_result.run_id in head and small_result.study.illustrative in head
        assert "OpenStreetMap" in section.footer.paragraphs[1].text
    fields = [node.text for node in document.sections[0].footer._element.iter(qn("w:instrText"))]
    assert fields == ["PAGE"]


def test_maps_lie_on_their_side_and_fit(small_result: Result, tmp_path: Path, sheet: Path) -> None:
    tall = sheet.with_name("gaps.png")
    Image.new("RGB", (297, 420), "white").save(tall)
    write_document(small_result, tmp_path / "report.docx", "en", sheets=[tall, sheet])
    document = docx.Document(tmp_path / "report.docx")
    wide = document.sections[1]
    assert wide.page_width > wide.page_height
    shapes = list(document.inline_shapes)
    assert [shape._inline.docPr.get("name") for shape in shapes] == ["layout", "gaps"]
    for shape, ratio in zip(shapes, (420 / 297, 297 / 420), strict=True):
        assert shape.width / shape.height == pytest.approx(ratio, rel=0.01)
        assert shape.width <= wide.page_width - wide.left_margin - wide.right_margin
        assert shape.height <= wide.page_height - wide.top_margin - wide.bottom_margin
        assert shape._inline.docPr.get("descr")


def test_fonts_are_those_of_official_documents_with_fallbacks(small_result: Result, tmp_path: Path) -> None:
    write_document(small_result, tmp_path / "report.docx", "zh")
    styles = docx.Document(tmp_path / "report.docx").styles
    fonts = {
        name: styles[name].element.rPr.rFonts.get(qn("w:eastAsia"))
        for name in ("Title", "Normal", "Heading 1", "Heading 2")
    }
    assert fonts == {"Title": "方正小标宋简体", "Normal": "仿宋", "Heading 1": "黑体", "Heading 2": "楷体"}
    with zipfile.ZipFile(tmp_path / "report.docx") as archive:
        table = archive.read("word/fontTable.xml").decode()
    for font in (*fonts.values(), "宋体"):
        assert re.search(rf'w:name="{font}"><w:altName w:val=', table)


def test_tables_repeat_their_headings(small_result: Result, tmp_path: Path) -> None:
    write_document(small_result, tmp_path / "report.docx", "zh")
    for table in docx.Document(tmp_path / "report.docx").tables:
        assert table.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None


def test_no_line_ends_in_a_stub_of_a_name(small_result: Result, tmp_path: Path) -> None:
    programme = small_result.programme.copy()
    programme["name"] = "7-Eleven (Lian-hu), AB-c-D 08:00-c 2-3"
    write_document(dataclasses.replace(small_result, programme=programme), tmp_path / "report.docx", "en")
    document = docx.Document(str(tmp_path / "report.docx"))
    cells = [cell for row in document.tables[-1].rows[1:] for cell in row.cells if "Eleven" in cell.text]
    assert len(cells) == len(programme)
    for cell in cells:
        assert programme["name"].iloc[0] in cell.text, "a name reads as it is written"
        kept = ["".join(r.itertext()) for r in cell.paragraphs[0]._p.iter(qn("w:t"))]
        assert [*cell.paragraphs[0]._p.iter(qn("w:noBreakHyphen"))] and kept[:3] == [
            "7",
            "Eleven (Lian-hu), AB",
            kept[2],
        ]
        assert kept[2].startswith("c-D 08:00-c 2-3") and len(kept) == 3


def test_hostile_names_are_text(small_result: Result, tmp_path: Path) -> None:
    write_document(WORLDS["hostile"](small_result), tmp_path / "report.docx", "zh")
    text = text_of(docx.Document(tmp_path / "report.docx"))
    assert HOSTILE[4] in text and harmless(HOSTILE[6]) in text
    with zipfile.ZipFile(tmp_path / "report.docx") as archive:
        assert archive.testzip() is None
        assert not any(b"TargetMode" in archive.read(name) for name in archive.namelist() if name.endswith(".rels"))


@pytest.mark.slow
@pytest.mark.parametrize("lang", LANGS)
def test_the_report_of_the_small_study_is_a_few_pages_in_libreoffice(
    small_result: Result, tmp_path: Path, sheet: Path, lang: Lang
) -> None:
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("no LibreOffice on this computer")
    write_document(small_result, tmp_path / "report.docx", lang, sheets=[sheet])
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [
        office,
        profile,
        "--headless",
        "--convert-to",
        "pdf",
        "--outdir",
        str(tmp_path),
        str(tmp_path / "report.docx"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    pages = (tmp_path / "report.pdf").read_bytes().count(b"/Type/Page/") + (tmp_path / "report.pdf").read_bytes().count(
        b"/Type/Page\n"
    )
    assert 4 <= pages <= 10
