import dataclasses
import itertools
import re
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
import small_study as small
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text
from PIL import Image
from pyproj import Geod, Transformer

from planner.draw import atlas, extent, ground, page, panel, pen, place, series, sheet, style, themes
from planner.draw.fonts import clean
from planner.draw.ground import BUSIEST_MM
from planner.words import LANGS, say, term

NAMES = ("existing", "effective", "gaps", "layout", "year-2027", "year-2028")
HOSTILE = "<script>alert('x')</script>&\u202e$\\frac{1}{0}$\n🏦" + "很长的名称" * 12


def draw(result, name: str, lang: str, paper: str = "A3", orientation: page.Orientation = "landscape"):
    theme = themes.all_themes(result, lang)[name]()
    base = sheet.lay_out(result, page.arrange(paper, orientation))
    return theme, base, sheet.draw(result, base, theme, lang, number=say(lang, "sheet.number_value", number=1, count=1))


@cache
def glyphs(file: str) -> frozenset[int]:
    """The characters that a font has, read from the font itself."""
    return frozenset(FT2Font(file).get_charmap())


def texts(axes) -> list[tuple[str, np.ndarray]]:
    """Every text of a sheet with its extent in mm: left, bottom, right, top. The halo under a text is not a text."""
    renderer, mm = axes.figure.canvas.get_renderer(), 25.4 / axes.figure.dpi
    found = [t for t in axes.findobj(Text) if t.get_text() and not t.get_path_effects()]
    return [(t.get_text(), t.get_window_extent(renderer).extents * mm) for t in found]


def frame_texts(axes, frame) -> list[str]:
    return [text for text, box in texts(axes) if frame.left < box[0] and box[2] < frame.right and box[1] > frame.bottom]


def clashes(boxes: list[tuple[str, np.ndarray]], slack_mm: float) -> list[tuple[str, str]]:
    shapes = [shapely.box(*box).buffer(-slack_mm) for _, box in boxes]
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    return [(boxes[i][0], boxes[j][0]) for i, j in zip(left, right, strict=True) if i < j and not shapes[i].is_empty]


def hostile(result):
    """The same result with names nobody should have to read."""
    sites, zones = result.sites.copy(), result.zones.copy()
    for frame in (sites, zones):
        frame["name"] = HOSTILE
    block = result.study.map.model_copy(
        update=dict.fromkeys(("title", "compiling_unit", "date", "approval_number"), HOSTILE)
    )
    changed = {"map": block, "scope": HOSTILE, "illustrative": HOSTILE}
    return dataclasses.replace(result, sites=sites, zones=zones, study=result.study.model_copy(update=changed))


def with_actions(result, count: int):
    """The same result with a long programme: its first built place, many times over."""
    action, places = result.actions.iloc[1], []
    site = result.sites[result.sites["id"] == action["site"]]
    for i in range(count):
        copy = site.copy()
        copy["id"], copy["name"] = f"X{i}", f"很长名称的候选站点第{i}号"
        copy["geometry"] = shapely.Point(small.WEST_M + 10 + (i * 89) % 880, small.NORTH_M - (i * 53) % 590)
        places.append(copy)
    sites = pd.concat([result.sites.assign(year=0, status="existing"), *places], ignore_index=True)
    actions = pd.DataFrame([{**action.to_dict(), "site": f"X{i}"} for i in range(count)])
    return dataclasses.replace(result, sites=sites, actions=actions)


def with_reasons(result):
    """The same result with a gap for each reason."""
    gaps = pd.concat([result.gaps.head(1)] * len(style.REASONS), ignore_index=True)
    gaps["reason"], gaps["id"] = list(style.REASONS), [f"G{i}" for i in range(len(gaps))]
    gaps["x"] += np.arange(len(gaps)) * 1e-3
    units = np.arange(len(result.demand))
    # Those short of a seat are in a gap of that sort alone.
    held = [f"G{i % 6}" if i % 6 < 4 else "" for i in units]
    return dataclasses.replace(result, gaps=gaps, demand=result.demand.assign(gap=held))


def with_looks(result):
    """The same result with sites of every status, mode and tier."""
    sites = result.sites.copy()
    sites["status"] = [("existing", "upgraded", "chosen", "closed")[i % 4] for i in range(len(sites))]
    sites["mode"] = [[m for m in style.SHAPES if m][i % 5] for i in range(len(sites))]
    sites["tier"] = [[*style.TIER_SIZES][i % 5] for i in range(len(sites))]
    sites["year"] = [0 if s in ("existing", "closed") else result.years[i % 2] for i, s in enumerate(sites["status"])]
    return dataclasses.replace(result, sites=sites)


@pytest.fixture(scope="module")
def cases(small_result):
    return {
        "plain": small_result,
        "hostile": hostile(small_result),
        "dense": with_actions(small_result, 60),
        "every_reason": with_reasons(small_result),
        "every_look": with_looks(small_result),
        "bare": dataclasses.replace(
            small_result,
            zones=small_result.zones.iloc[:0],
            water=small_result.water.iloc[:0],
            gaps=small_result.gaps.iloc[:0],
        ),
    }


@pytest.fixture(scope="module")
def drawn(cases):
    """Draw a sheet of a case, once: its theme, what lies under it, and the sheet."""
    return cache(lambda name, lang="zh", case="plain": draw(cases[case], name, lang))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(
    ("case", "name"), [*(("plain", n) for n in NAMES), ("hostile", "layout"), ("dense", "layout"), ("bare", "layout")]
)
def test_no_text_leaves_the_page_or_lies_on_another(drawn, case, name, lang):
    _, base, axes = drawn(name, lang, case)
    width, height = page.PAPER_MM["A3"]
    said = texts(axes)
    for text, box in said:
        assert box[0] > 5, text
        assert box[1] > 5, text
        assert box[2] < width - 5, text
        assert box[3] < height - 5, text
    # No character is drawn as a box: each has a glyph in the very font that it is set in.
    for text in (t for t in axes.findobj(Text) if t.get_text()):
        file = text.get_fontproperties().get_file()
        assert file, text.get_text()
        assert set(map(ord, text.get_text())) <= glyphs(file), text.get_text()
    # Extents are those of the line, higher than the letters; numbers of a crowd of ninety sites cannot all be free.
    beside = [item for item in said if item[1][0] > base.frame.right or item[1][3] < base.frame.bottom]
    assert clashes(beside if case == "dense" else said, slack_mm=0.35) == []


PAGES = [
    (paper, way) for paper in page.PAPER_MM for way in ("landscape", "portrait") if (paper, way) != ("A3", "landscape")
]


@pytest.mark.parametrize(
    ("case", "paper", "way"), [*(("plain", *p) for p in PAGES), *(("dense", *p) for p in PAGES if p[0] == "A4")]
)
def test_every_size_of_paper_is_readable_either_way_up(cases, case, paper, way):
    _, base, axes = draw(cases[case], "layout", "zh" if way == "landscape" else "en", paper, way)
    said, (left, bottom, right, top) = texts(axes), base.page.map
    for text, box in said:
        assert min(box[:2]) > 5, text
        assert box[2] < base.page.width - 5, text
        assert box[3] < base.page.height - 5, text
    beside = [item for item in said if item[1][0] > right or item[1][3] < bottom or item[1][1] > top]
    assert clashes(beside if case == "dense" else said, slack_mm=0.35 * base.unit) == []
    assert min(t.get_fontsize() for t in axes.findobj(Text) if t.get_text()) >= page.LEAST_PT
    assert (right - left) * (top - bottom) > base.page.width * base.page.height / 3


def test_a_large_sheet_shows_more_not_only_larger(small_result):
    said = {paper: [t for t, _ in texts(draw(small_result, "layout", "zh", paper)[2])] for paper in ("A3", "A1")}
    assert page.UNITS["A1"] < 297 / 210 * page.UNITS["A3"] * 1.1
    assert say("zh", "sheet.zones_plan") in said["A1"]
    scales = [sheet.lay_out(small_result, page.arrange(paper)).frame.scale for paper in ("A4", "A3", "A2", "A1")]
    assert scales == sorted(scales, reverse=True)
    assert scales[0] > scales[-1]


def test_figures_of_a_bar_stand_apart_whichever_is_longer(drawn, small_result):
    theme, _, _ = drawn("layout", "zh")
    pairs = [(s / 20, e / 20) for s in range(0, 21, 2) for e in range(0, 21, 3)]
    for i in range(0, len(pairs), 4):
        bars = tuple(themes.Bar("年", "", s, e, style.YEARS[1]) for s, e in pairs[i : i + 4])
        axes = pen.sheet(120, 60)
        panel.coverage(panel.Column(axes, 5, 111, 1.0, "zh"), 55, small_result, dataclasses.replace(theme, bars=bars))
        said = [item for item in texts(axes) if item[0].endswith("%")]
        assert clashes(said, slack_mm=0.2) == []


@pytest.mark.parametrize("lang", LANGS)
def test_the_atlas_has_an_index_and_a_page_for_each_zone(small_result, lang):
    order = atlas.zones(small_result)
    assert sorted(order) == sorted(small_result.zones["id"])
    for position, axes in enumerate(atlas.draw(small_result, lang), 1):
        said = texts(axes)
        assert clashes(said, slack_mm=0.3) == []
        words = [text for text, _ in said]
        assert clean(say(lang, "sheet.atlas_number", number=position, count=len(order) + 1)) in words
        if position > 1:
            name = small_result.zone_name(order[position - 2])
            assert any(text.startswith(clean(name)) for text in words)
            by_zone = small_result.indicators[max(small_result.indicators)]["by_zone"][order[position - 2]]
            assert f"{by_zone['share']:.0%}" in words
        frame = page.arrange(atlas.PAPER).map
        on_map = [t for t, b in said if t.isdigit() and frame[0] < b[0] and b[2] < frame[2] and b[1] > frame[1]]
        listed = [t for t, b in said if t.isdigit() and b[0] > frame[2]]
        assert set(on_map) <= set(listed)
    assert position == len(order) + 1


def test_two_processes_draw_what_one_does(small_result, tmp_path: Path, monkeypatch):
    formats = {"existing": ("svg",), "layout": ("svg", "png"), "atlas": ("pdf",)}
    started = []
    start = series._start
    monkeypatch.setattr(series, "_start", lambda *job: started.append(job) or start(*job))
    with series.drawing(small_result, tmp_path / "two", "zh", formats=formats, dpi=40, meanwhile=9) as finish:
        two = finish()
    assert started
    monkeypatch.setattr(series, "_start", lambda *_: None)
    with series.drawing(small_result, tmp_path / "one", "zh", formats=formats, dpi=40, meanwhile=9) as finish:
        one = finish()
    assert [f.name for f in one] == [f.name for f in two] == ["existing.svg", "layout.svg", "layout.png", "atlas.pdf"]
    for a, b in zip(one, two, strict=True):
        assert a.read_bytes() == b.read_bytes()
    assert len(re.findall(rb"/Type /Page\b", one[-1].read_bytes())) == 3


def test_the_set_is_numbered_by_what_is_in_it(small_result):
    def asked(*sheets):
        block = small_result.study.map.model_copy(update={"sheets": sheets})
        return dataclasses.replace(small_result, study=small_result.study.model_copy(update={"map": block}))

    assert list(series.chosen(small_result, "zh")) == ["layout"]
    assert list(series.chosen(asked("years", "atlas", "existing"), "zh")) == [
        "existing",
        "year-2027",
        "year-2028",
        "atlas",
    ]
    bare = dataclasses.replace(asked("atlas"), zones=small_result.zones.iloc[:0])
    assert list(series.chosen(bare, "zh")) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_number_on_the_map_is_in_the_list_and_the_other_way_round(drawn, name):
    theme, base, axes = drawn(name, "zh")
    on_map = sorted(int(text) for text in frame_texts(axes, base.frame) if text.isdigit())
    entries = [entry.number for section in theme.listing.sections for entry in section.entries if entry.number]
    assert on_map == sorted(entries)
    said = [text for text, _ in texts(axes)]
    assert all(clean(entry.name) in said for section in theme.listing.sections for entry in section.entries)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", NAMES)
def test_the_legend_explains_what_is_drawn_and_nothing_else(drawn, small_result, name, lang):
    theme, base, axes = drawn(name, lang)
    said = [text for text, box in texts(axes) if box[0] > base.frame.right]
    shades = {theme.shades[i].label for i in theme.shade[base.inside & (theme.weight > 0)]}
    assert {s.label for s in theme.shades if s.label in said} == shades
    sites = theme.marks[theme.marks["status"] != "gap"]
    for section, column, words in (
        ("status", "status", ("existing", "upgraded", "chosen", "closed")),
        ("mode", "mode", tuple(m for m in style.SHAPES if m)),
        ("tier", "tier", tuple(style.TIER_SIZES)),
    ):
        # The list beside the map says modes too; the legend stands above it.
        foot = min(box[1] for text, box in texts(axes) if text == say(lang, "sheet.tier_head")) - 20
        legend = [text for text, box in texts(axes) if box[0] > base.frame.right and box[1] > foot]
        shown = {word for word in words if term(lang, section, word) in legend}
        assert shown == set(sites[column]) & set(words)
    assert (say(lang, "sheet.water") in said) == bool(len(small_result.water))
    assert (say(lang, "sheet.gap_head") in said) == theme.marks["status"].isin(["gap", "gap_seats"]).any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", ["plain", "every_reason", "every_look"])
def test_each_symbol_on_the_map_has_its_like_in_the_legend_and_the_other_way_round(cases, monkeypatch, case, name):
    """Whatever the pen is asked for on the map and in the legend is written down and compared."""
    asked: dict[str, list] = {"symbol": [], "coverage_line": [], "dots": []}
    for kind, done in asked.items():
        draws = getattr(pen, kind)
        monkeypatch.setattr(pen, kind, lambda *a, done=done, draws=draws, **k: (done.append((a, k)), draws(*a, **k)))

    def taken() -> dict[str, set]:
        symbols = [(shape, status, colour, round(mm, 2)) for (_, _, _, mm, shape, status, colour), _ in asked["symbol"]]
        found = {
            "statuses": {s for _, s, _, _ in symbols if not s.startswith("gap")},
            "gaps": {(shape, s, colour) for shape, s, colour, _ in symbols if s.startswith("gap")},
            "shapes": {shape for shape, s, _, _ in symbols if not s.startswith("gap")},
            "sizes": {mm for _, s, _, mm in symbols if not s.startswith("gap")},
            "lines": {(a[3], k["gap"]) for a, k in asked["coverage_line"]},
            # The dots at a leader's foot are ink; the sample of sizes is grey.
            "dots": {(a[3], k.get("hollow", False)) for a, k in asked["dots"] if a[3] not in (style.INK, style.MUTED)},
        }
        for done in asked.values():
            done.clear()
        return found

    theme = themes.all_themes(cases[case], "zh")[name]()
    base, axes = sheet.lay_out(cases[case]), pen.sheet(420, 297)
    drawn = ground.draw(axes, base, theme)
    on_map = taken()
    panel.legend(panel.Column(axes, 305, 411, 1.0, "zh"), 280, cases[case], theme, drawn)
    in_legend = taken()
    assert in_legend.pop("sizes") >= on_map.pop("sizes")
    # A status is shown on a circle, a mode on what stands today, so that each says one thing.
    assert in_legend.pop("shapes") - {"circle"} == on_map.pop("shapes") - {"circle"}
    assert in_legend.pop("statuses") - {"existing"} == on_map.pop("statuses") - {"existing"}
    assert in_legend == on_map
    if case == "every_reason" and name == "gaps":
        assert {colour for _, _, colour in on_map["gaps"]} == set(style.REASONS.values())


LOOKS = {"today": (style.TODAY, False), "gap": (style.GAP_LINE, True)}
COVERAGES = [
    [LOOKS["today"], *((c, False) for c in list(style.year_colours(range(3)).values())[1:]), LOOKS["gap"]],
    [LOOKS["today"], (style.YEARS[1], False), LOOKS["gap"]],
    [(c, r in ("too_far", "unreachable")) for r, c in style.REASONS.items() if r not in style.SEAT_REASONS]
    + [(style.FAINT, False)],
    [(c, r in style.SEAT_REASONS) for r, c in style.REASONS.items()],
]


@pytest.mark.parametrize("looks", COVERAGES)
@pytest.mark.parametrize("eyes", ["grey print", "deuteranopia", "protanopia"])
def test_what_a_sheet_sets_apart_stays_apart_for_all_eyes_and_on_a_grey_printer(looks, eyes):
    for (one, hollow), (other, hollow_too) in itertools.combinations(looks, 2):
        a, b = seen_by(eyes, one), seen_by(eyes, other)
        # Two lightnesses 14 apart (CIE L*) are told from each other on a grey print; hollow and solid always are.
        apart = abs(a[0] - b[0]) if eyes == "grey print" else np.linalg.norm(a - b)
        assert hollow != hollow_too or apart >= 14, (one, other)
    if looks is COVERAGES[0]:
        assert np.abs(seen_by(eyes, looks[0][0])[0] - seen_by(eyes, looks[1][0])[0]) > 25


def seen_by(eyes: str, colour: str) -> np.ndarray:
    """CIE L*a*b* of a colour (D65) as the eyes see it: Machado, Oliveira and Fernandes 2009, severity 1."""
    blind = {
        "deuteranopia": [
            (0.367322, 0.860646, -0.227968),
            (0.280085, 0.672501, 0.047413),
            (-0.011820, 0.042940, 0.968881),
        ],
        "protanopia": [
            (0.152286, 1.052583, -0.204868),
            (0.114503, 0.786281, 0.099216),
            (-0.003882, -0.048116, 1.051998),
        ],
    }
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(blind.get(eyes, np.eye(3))) @ linear, 0, 1)
    to_xyz = [(0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041)]
    f = np.array(to_xyz) @ linear / (0.95047, 1.0, 1.08883)
    f = np.where(f > 0.008856, np.cbrt(f), 7.787 * f + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_demand_is_drawn_in_the_colour_of_its_moment_and_as_wide_as_its_people(drawn, small_result):
    _, base, axes = drawn("layout", "zh")
    colour = {**style.year_colours(small_result.years), -1: style.GAP_LINE}
    lines = small_result.demand[small_result.demand["line"].notna()]
    strokes = [
        p
        for p in axes.artists + axes.patches
        if not p.get_fill() and p.get_path().vertices[:, 0].max() < base.frame.right
    ]
    for moment, rows in lines.groupby("covered_from"):
        ink_mm2 = 0.0
        for stroke in (p for p in strokes if to_hex(p.get_edgecolor()) == colour[moment]):
            parts = np.split(stroke.get_path().vertices, np.flatnonzero(stroke.get_path().codes == 1)[1:])
            ink_mm2 += sum(shapely.LineString(part).length for part in parts) * stroke.get_linewidth() * 25.4 / 72
        mm_per_density = BUSIEST_MM / np.quantile(lines["weight"] / lines["length_m"] * 1000, 0.995)
        wanted = rows["weight"].sum() * 1000 * base.frame.mm_per_m * mm_per_density
        assert ink_mm2 == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize(
    ("crs", "east", "north"),
    [("EPSG:4547", 528_800, 3_383_300), ("EPSG:32650", 240_000, 3_385_000), ("EPSG:3857", 12_723_000, 3_575_000)],
)
def test_scale_and_scale_bar_are_true_on_the_ground(crs, east, north):
    frame = extent.fit((east - 5_000, north - 5_000, east + 5_000, north + 5_000), crs, (13, 26, 280, 255))
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    bar_m = extent.bar_m(frame, 62)
    bar_mm = extent.on_paper_mm(frame, bar_m)
    for way in ((1, 0), (0, 1)):
        half = np.array(way) * bar_mm / frame.mm_per_m / 2
        (x0, y0), (x1, y1) = (to_degrees.transform(*(np.array([east, north]) + sign * half)) for sign in (-1, 1))
        ground_m = Geod(ellps="WGS84").inv(x0, y0, x1, y1)[2]
        assert ground_m == pytest.approx(bar_m, rel=0.005)
        assert ground_m * 1000 / bar_mm == pytest.approx(frame.scale, rel=0.005)
    up = to_degrees.transform(east, north + 1_000)
    azimuth = Geod(ellps="WGS84").inv(*to_degrees.transform(east, north), *up)[0]
    assert frame.north_deg == pytest.approx(-azimuth, abs=0.05)


def test_the_scale_bar_on_the_sheet_is_as_long_as_it_says(drawn, small_result):
    _, base, axes = drawn("layout", "zh")
    below = {text: box for text, box in texts(axes) if box[3] < base.frame.bottom}
    middle = {text: (box[0] + box[2]) / 2 for text, box in below.items()}
    metres = max(float(text) for text in below if text.replace(".", "").isdigit())
    assert middle[f"{metres:g}"] - middle["0"] == pytest.approx(metres * 1000 / base.frame.scale, rel=0.005)
    # The streets of the small study are 300 m long; one of them on paper.
    lines = extent.to_paper(base.frame, small_result.streets.geometry.to_numpy())
    assert shapely.length(lines[0]) == pytest.approx(300_000 / base.frame.scale, rel=0.005)
    assert clean(f"1:{themes.figure(base.frame.scale)}") in below


@given(st.floats(50, 200_000), st.floats(0.2, 5))
def test_all_of_the_ground_is_in_the_frame_at_a_round_scale(width, shape):
    bounds = (530_000.0, 3_380_000.0, 530_000 + width, 3_380_000 + width * shape)
    frame = extent.fit(bounds, "EPSG:4547", (10, 20, 280, 250))
    corners = extent.to_paper(frame, shapely.points([bounds[:2], bounds[2:]]))
    assert shapely.covers(frame.box.buffer(1e-6), corners).all()
    digits = f"{frame.scale:d}".rstrip("0")
    assert len(digits) <= 2
    # The next larger scale of the series would not hold it.
    assert max(width * shape / 250, width / 280) * 1000 / frame.scale > 0.6


def test_squares_are_named_from_the_north_west():
    frame = extent.fit((0, 0, 10_000, 10_000), "EPSG:4547", (10, 20, 280, 250))
    assert extent.cell_of(frame, 50, frame.left + 1, frame.top - 1) == "A1"
    assert extent.cell_of(frame, 50, frame.left + 51, frame.top - 101) == "B3"
    columns, rows = extent.cells(frame, 50)
    assert extent.cell_of(frame, 50, frame.right, frame.bottom) == f"{extent.letter(len(columns) - 2)}{len(rows) - 1}"
    assert [extent.letter(i) for i in (0, 25, 26, 52)] == ["A", "Z", "AA", "BA"]


points = st.lists(st.tuples(st.floats(20, 180), st.floats(20, 180)), min_size=1, max_size=12)


@settings(max_examples=40)
@given(points)
def test_symbols_stay_unless_crowded_and_never_cover_each_other(xy):
    anchors, sizes = np.array(xy), np.full(len(xy), 6.0)
    placed = place.spread(anchors, sizes, np.empty((0, 4)), (0, 0, 200, 200))
    gaps = [np.hypot(*(a - b)) for a, b in itertools.combinations(placed, 2)]
    assert min(gaps, default=9) > 5.7
    for i in range(len(xy)):
        alone = all(np.hypot(*(anchors[i] - anchors[j])) > 30 for j in range(len(xy)) if j != i)
        assert not alone or (placed[i] == anchors[i]).all()


def test_a_name_keeps_off_lines_and_other_names():
    area = shapely.box(0, 0, 100, 60)
    lines = [(shapely.LineString([(0, y), (60, y)]), 1.0) for y in range(2, 60, 4)]
    under = place.ink((0, 0, 100, 60), lines)
    taken = np.array([[60.0, 30, 100, 60]])
    x, y = place.in_area(area, 30, 6, under, taken)
    assert 75 <= x <= 85
    assert y <= 27
    assert place.in_area(area, 120, 6, under, taken) is None


def test_ink_under_a_box_is_the_length_of_the_lines_in_it():
    under = place.ink((0, 0, 50, 50), [(shapely.LineString([(5, 10), (45, 10)]), 2.0)])
    assert place.ink_under(under, np.array([[10.0, 5, 20, 15]]))[0] == pytest.approx(20, rel=0.1)
    assert place.ink_under(under, np.array([[10.0, 20, 20, 30]]))[0] == 0


def test_a_river_is_lettered_down_its_middle():
    bend = shapely.LineString([(50, 0), (40, 60), (60, 120), (50, 200)]).buffer(9)
    under = place.ink((0, 0, 100, 200), [])
    at = place.along(bend, 2, 7, keep_apart=np.empty((0, 4)), under=under)
    assert at[0, 1] > at[1, 1]
    assert shapely.contains(bend, shapely.box(*place.around(at, 2.5, 2.5).T)).all()
    assert (
        place.along(shapely.LineString([(0, 0), (0, 100)]).buffer(2), 2, 7, keep_apart=np.empty((0, 4)), under=under)
        is None
    )


def test_shapes_differ_in_form_and_not_in_size():
    areas = {shape: shapely.Polygon(style.outline(shape)).area for shape in set(style.SHAPES.values())}
    assert len(areas) == 5
    assert np.ptp(list(areas.values())) < 0.01
    for shape in areas:
        assert shapely.Polygon(style.outline(shape)).centroid.distance(shapely.Point(0, 0)) < 1e-9


@given(st.integers(1, 8))
def test_years_grow_lighter_and_stay_apart_from_today(count):
    def lightness(colour: str) -> float:
        return sum(w * int(colour[i : i + 2], 16) for w, i in ((0.2126, 1), (0.7152, 3), (0.0722, 5)))

    shades = [lightness(c) for c in style.year_colours(range(2027, 2027 + count)).values()]
    assert all(b - a > 12 for a, b in itertools.pairwise(shades))


def test_the_default_set_is_the_layout_plan_in_three_formats(small_result, tmp_path: Path):
    files = series.write_sheets(small_result, tmp_path / "maps", "zh")
    assert [f.name for f in files] == ["layout.pdf", "layout.svg", "layout.png"]
    assert files[0].read_bytes().startswith(b"%PDF")
    ElementTree.parse(files[1])
    with Image.open(files[2]) as picture:
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert picture.size == pytest.approx((420 / 25.4 * 300, 297 / 25.4 * 300), abs=1)


def test_the_same_result_gives_the_same_bytes(small_result, tmp_path: Path):
    for folder in ("one", "two"):
        _, _, axes = draw(small_result, "layout", "zh")
        (tmp_path / folder).mkdir()
        pen.save(axes, tmp_path / folder / "layout", ("pdf", "svg", "png"), title="图", dpi=60)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
        assert b"CreationDate" not in file.read_bytes()


def test_hostile_names_do_no_harm(drawn, tmp_path: Path):
    _, _, axes = drawn("layout", "zh", "hostile")
    files = pen.save(axes, tmp_path / "layout", ("svg", "pdf"), title=HOSTILE)
    tree = ElementTree.parse(files[0])
    assert not [e for e in tree.iter() if e.tag.endswith(("script", "image", "}a"))]
    assert not [e for e in tree.iter() for key in e.attrib if key.startswith("on")]
    assert b"/JavaScript" not in files[1].read_bytes()


def test_a_colour_of_the_symbology_is_printed_as_it_is(drawn):
    _, base, axes = drawn("layout", "zh")
    pixels = pen.picture(axes, 72).convert("RGB")
    assert pixels.getpixel((2, 2)) == (255, 255, 255)
    corner = (round((base.frame.left + 5) / 25.4 * 72), round((297 - base.frame.top + 5) / 25.4 * 72))
    assert pixels.getpixel(corner) == tuple(int(style.PAPER[i : i + 2], 16) for i in (1, 3, 5))


def test_the_title_block_says_what_was_typed_and_invents_nothing(small_result):
    for number, expected in (("", say("zh", "sheet.internal")), ("鄂S(2026)001号", "鄂S(2026)001号")):
        block = small_result.study.map.model_copy(update={"approval_number": number, "date": ""})
        result = dataclasses.replace(small_result, study=small_result.study.model_copy(update={"map": block}))
        said = [text for text, _ in texts(draw(result, "layout", "zh")[2])]
        assert clean(expected) in said
        assert small_result.run_id in said
        assert clean(small_result.study.illustrative) in said
        assert any("OpenStreetMap" in text for text in said)
        # No clock: of dates there are only the norm's year and the plan's.
        years = {year for text in said for year in re.findall("20[0-9]{2}", text) if text != result.run_id}
        # CGCS2000, the year of the norm and those of the plan.
        assert years == {"2000", "2023", "2027", "2028"} | set(re.findall("20[0-9]{2}", number))


def test_the_legend_shows_each_tier_as_large_as_on_the_map(drawn):
    theme, base, axes = drawn("existing", "zh")
    tier = say("zh", "sheet.tier_head")
    head = next(box for text, box in texts(axes) if text == tier)
    shapes = [p for p in axes.artists + axes.patches if p.get_fill() and len(p.get_path().vertices) > 50]
    discs = [shapely.Polygon(p.get_path().vertices) for p in shapes]
    discs = [d for d in discs if d.centroid.x > base.frame.right and head[1] - 40 < d.centroid.y < head[1]]
    tiers = theme.marks.groupby("tier")["size"].first().to_dict()
    found = {round(d.bounds[2] - d.bounds[0], 1) for d in discs if d.bounds[0] < head[2]}
    assert {round(size * 5.6, 1) for size in tiers.values()} <= found


def test_a_long_list_of_long_names_keeps_names_off_its_figures(small_result):
    zones = small_result.zones.assign(name="特别特别长的街道名称" * 6)
    gaps = pd.concat([small_result.gaps] * 3, ignore_index=True)
    gaps["id"] = [f"G{i}" for i in range(len(gaps))]
    result = dataclasses.replace(small_result, zones=zones, gaps=gaps)
    _, base, axes = draw(result, "gaps", "en", "A4", "portrait")
    beside = [(text, box) for text, box in texts(axes) if box[3] < base.frame.bottom]
    assert clashes(beside, 0.15) == []


@pytest.mark.parametrize("lang", LANGS)
def test_a_study_without_gaps_says_so(small_result, lang):
    result = dataclasses.replace(small_result, gaps=small_result.gaps.iloc[:0])
    result = dataclasses.replace(result, demand=result.demand.assign(gap=""))
    *_, axes = draw(result, "gaps", lang)
    shown = [text for text, _ in texts(axes)]
    assert say(lang, "sheet.gaps_none") in shown and say(lang, "sheet.tab_reason") not in shown
