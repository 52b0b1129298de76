import sys
import unicodedata

import matplotlib.font_manager as manager
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.draw import fonts, pen
from planner.errors import MissingPackageError

words = st.text(max_size=40)
chinese = st.text(alphabet=st.sampled_from("环卫工人爱心休息点,。(示意) Rest-point 800 m"), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("农业银行 🏦🏦 网点", "农业银行 〓 网点"),
        ("一行\n两行\t三行", "一行 两行 三行"),
        ("看‮不见\u200b的\ufeff记号\x00", "看不见的记号"),
        ("  <b>x</b> & $x$ ", "<b>x</b> & $x$"),
        ("👨‍👩‍👧", "〓"),
        (None, "None"),
        ("", ""),
    ],
)
def test_text_becomes_one_line_that_the_font_can_draw(typed, printed):
    assert fonts.clean(typed) == printed


@given(words, st.booleans())
def test_whatever_is_typed_can_be_drawn(text, serif):
    said = fonts.clean(text, serif=serif)
    assert fonts.clean(said, serif=serif) == said
    assert all(ord(char) in fonts._drawable(serif=serif) for char in said)
    assert not any(unicodedata.category(char) in ("Cc", "Cf") for char in said)


@given(chinese, st.floats(8, 60))
def test_wrapped_lines_fit_and_hold_the_whole_text(text, limit):
    said = fonts.clean(text)
    lines = fonts.wrap(said, 7, limit)
    assert all(fonts.width_mm(line, 7) <= limit or len(line) == 1 for line in lines)
    assert "".join(lines).replace(" ", "") == said.replace(" ", "")


def test_closing_marks_open_no_line_and_words_stay_whole():
    lines = fonts.wrap("甲乙丙丁,戊己 OpenStreetMap 庚", 10, fonts.width_mm("甲乙丙丁", 10))
    assert not any(line.startswith(",") for line in lines)
    assert any("Open" in line for line in lines)
    fitting = fonts.wrap("环卫 sanitation workers 工人", 10, fonts.width_mm("环卫 sanitation", 10) + 0.1)
    assert fitting[0] == "环卫 sanitation"


@given(chinese, st.floats(15, 60))
def test_two_lines_are_about_as_long_as_each_other(text, limit):
    said = fonts.clean(text)
    rows, plain = fonts.wrap_evenly(said, 7, limit), fonts.wrap(said, 7, limit, lines=2)
    assert len(rows) == len(plain)
    if not plain[-1].endswith("…"):
        assert "".join(rows).replace(" ", "") == said.replace(" ", "")
        apart = [abs(fonts.width_mm(two[0], 7) - fonts.width_mm(two[-1], 7)) for two in (rows, plain)]
        assert apart[0] <= apart[1] + 1e-9


def test_no_character_stands_alone_and_no_range_of_hours_is_broken():
    limit = fonts.width_mm("农业银行积玉桥街道爱心休息", 7) + 0.1
    assert min(map(len, fonts.wrap_evenly("农业银行积玉桥街道爱心休息点", 7, limit))) > 4
    rows = fonts.wrap("户外劳动者白班每天 8:00–12:00、13:00–20:00", 7, fonts.width_mm("户外劳动者白班每天 8:00–1", 7))
    assert rows[0] == "户外劳动者白班每天"


def test_the_last_line_says_that_there_is_more():
    lines = fonts.wrap("甲" * 100, 7, 30, lines=2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert fonts.width_mm(lines[-1], 7) <= 30


def test_a_text_is_as_wide_as_it_was_measured():
    axes = pen.sheet(297, 210)
    text = pen.words(axes, 20, 100, "环卫工人爱心休息点 Rest points 39", 12)
    assert text is not None
    renderer = axes.figure.canvas.get_renderer()
    drawn_mm = text.get_window_extent(renderer).width / axes.figure.dpi * 25.4
    assert drawn_mm == pytest.approx(fonts.width_mm(text.get_text(), 12), rel=0.02)


def test_chinese_is_drawn_where_the_system_has_no_font_at_all(monkeypatch, tmp_path, recwarn):
    def nothing(*_args, **_options):
        raise AssertionError("the system's fonts were asked")

    for name in ("ttflist", "afmlist"):
        monkeypatch.setattr(manager.fontManager, name, [])
    monkeypatch.setattr(manager, "findSystemFonts", nothing)
    axes = pen.sheet(297, 210)
    pen.words(axes, 20, 150, "环卫工人爱心休息点布局规划图", 30)
    pen.words(axes, 20, 100, "长江", 30, serif=True)
    files = pen.save(axes, tmp_path / "text", ("pdf", "svg", "png"), title="字", dpi=72)
    pdf = files[0].read_bytes()
    assert b"NotoSansSC" in pdf
    assert b"NotoSerifSC" in pdf
    assert b"DejaVu" not in pdf
    assert b"LastResort" not in pdf
    assert not [w for w in recwarn if "missing from font" in str(w.message)]
    svg = files[1].read_text(encoding="utf-8")
    assert "<text" not in svg


def test_different_characters_look_different():
    # A font without the glyphs draws the same box for each.
    pictures = set()
    for char in "环卫工人爱心休息点":
        axes = pen.sheet(297, 210)
        pen.words(axes, 100, 100, char, 60)
        axes.figure.canvas.draw()
        pictures.add(np.asarray(axes.figure.canvas.buffer_rgba()).tobytes())
    assert len(pictures) == 9


def test_without_the_font_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pylopdf_fonts_zh_cn", None)
    with pytest.raises(MissingPackageError) as error:
        fonts._file(serif=False)
    assert "pip install pylopdf-fonts-zh-cn" in error.value.text("zh")
    assert error.value.exit_code == 3
