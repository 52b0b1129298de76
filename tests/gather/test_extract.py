"""Streets and places of an area, cut from an extract."""

from pathlib import Path

import openpyxl
import osmium
import pytest
import shapely
from osm_server import EXTRACT, TOWN

from planner.errors import InputError
from planner.gather.extract import boundary, clip
from planner.gather.fetching import ALL_KINDS, Wishes, fetch
from planner.gather.places import KINDS, Feature, tables_of
from planner.gather.region import Region, extract_for, region_of
from planner.intake import read_inputs, read_table
from planner.osm import read_streets
from planner.starting import start_study
from planner.study import load_study
from planner.words import LANGS, has

BOX = ",".join(map(str, TOWN.bounds))


def test_without_an_area_it_is_the_whole_extract():
    whole, clipped = read_streets(EXTRACT), clip(EXTRACT, None)[0]
    assert clipped.geometry.geom_equals_exact(whole.geometry, 0).all() and list(clipped.osm_id) == list(whole.osm_id)


@pytest.mark.parametrize("margin_m", [0, 50, 300])
def test_a_clip_has_all_within_the_margin_and_nothing_beyond(margin_m: int):
    small = shapely.box(13.258, 53.556, 13.2595, 53.557)
    clipped, whole = clip(EXTRACT, small, margin_m=margin_m)[0], read_streets(EXTRACT)
    metres = whole.to_crs("EPSG:32633").geometry
    reach = shapely.buffer(clipped.set_geometry([small] * len(clipped)).to_crs("EPSG:32633").geometry.iloc[0], margin_m)
    surely = whole[shapely.intersects(shapely.buffer(reach, -1), metres.to_numpy())]
    kept = shapely.union_all(clipped.geometry.to_numpy())
    assert shapely.covers(shapely.buffer(kept, 1e-9), shapely.union_all(surely.geometry.to_numpy()))
    wide = shapely.buffer(reach, 1 + margin_m / 100)
    assert shapely.intersects(wide, clipped.to_crs("EPSG:32633").geometry.to_numpy()).all(), "and no line from beyond"
    assert 0 < len(clipped) < len(whole)


def test_places_are_those_that_the_tags_name():
    expected = set()
    for thing in osmium.FileProcessor(str(EXTRACT), osmium.osm.NODE | osmium.osm.WAY):
        if thing.tags.get("amenity") == "bank" or thing.tags.get("amenity") == "toilets":
            expected.add(f"{'n' if thing.is_node() else 'w'}{thing.id}")
    _, features = clip(EXTRACT, None, kinds=("bank", "toilet"))
    assert {f.identifier for f in features} == expected and len(expected) > 8
    _, inside = clip(EXTRACT, TOWN, kinds=("bank", "toilet"))
    assert 0 < len(inside) <= len(features) and all(TOWN.contains(shapely.Point(f.lon, f.lat)) for f in inside)


def test_every_kind_has_a_word():
    assert all(has(f"kind.{kind}") for kind in KINDS)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_the_tables_of_places_are_read_as_they_are(tmp_path: Path, lang: str, suffix: str):
    files = fetch(region_of(BOX), tmp_path, Wishes(ALL_KINDS, suffix, EXTRACT), lang=lang)
    assert [f.name for f in files] == ["streets.gpkg", f"candidates{suffix}"]
    raw = files[1].read_bytes()
    assert suffix != ".csv" or raw.startswith(b"\xef\xbb\xbf")
    table = read_table(files[1])
    assert {"id", "name", "kind", "modes", "opening_hours", "lon", "lat", "origin"} <= set(table.recognised)
    assert len(table.rows) > 20 and table.aside.empty and table.rows["id"].is_unique


def test_what_looks_like_a_formula_or_html_stays_text(tmp_path: Path):
    tags = {
        "amenity": "bank",
        "name": '=HYPERLINK("http://x")',
        "operator": "<script>",
        "opening_hours": "when we like",
    }
    rows = tables_of([Feature("n1", tags, 120.0, 30.0)], lang="zh")["candidates"]
    assert rows[0]["opening_hours"] == "" and rows[0]["note"] == "when we like"
    from planner.gather.places import write_table

    book = openpyxl.load_workbook(write_table(rows, tmp_path / "a.xlsx", "x", lang="zh"))
    assert book.worksheets[0]["B2"].data_type == "s"
    assert "\r\n" in write_table(rows, tmp_path / "a.csv", "x", lang="zh").read_text("utf-8-sig").replace("\n", "\r\n")
    assert ',"=HYPER' not in (tmp_path / "a.csv").read_text("utf-8-sig")


def test_a_point_within_its_building_is_one_place_and_stations_are_sites():
    def bank(number: int, name: str, lon: float) -> Feature:
        return Feature(f"n{number}", {"amenity": "bank", "name": name}, lon, 30.0)

    tables = tables_of(
        [bank(1, "甲", 120.0), bank(2, "甲", 120.0002), bank(3, "甲", 120.01), bank(4, "爱心驿站", 120)], lang="zh"
    )
    assert [row["id"] for row in tables["candidates"]] == ["OSM-n1", "OSM-n3"]
    assert [row["id"] for row in tables["sites"]] == ["OSM-n4"]


def test_a_new_study_from_an_extract_needs_only_the_workers(tmp_path: Path):
    start = start_study(tmp_path / "s", BOX, extract=EXTRACT, lang="zh")
    assert start.streets and start.trouble is None
    folder = tmp_path / "s"
    for name, cells in {
        "sites": ["", "甲驿站", "", "银行", "", "", "24/7", "歇脚;饮水", "4", "", 13.2590, 53.5570],
        "workers": ["清扫一班", "12", 13.2600, 53.5575, ""],
        "options": ["新建", "银行", "共建", "", "歇脚;饮水", "", "1", "0.1", "", ""],
    }.items():
        book = openpyxl.load_workbook(folder / f"{name}.xlsx")
        heads = [cell.value for cell in book.worksheets[0][1]]
        book.worksheets[0].append(cells + [""] * (len(heads) - len(cells)) if name != "sites" else _under(heads, cells))
        book.save(folder / f"{name}.xlsx")
    text = (folder / "study.toml").read_text(encoding="utf-8")
    assert text.count('datum = "WGS-84"') == 1, "the candidates'; the others are still to be found out"
    (folder / "study.toml").write_text(text.replace('datum = "auto"', 'datum = "WGS-84"'), encoding="utf-8")
    inputs = read_inputs(load_study(folder))
    assert (inputs.sites["status"] == "candidate").sum() > 20 and inputs.rejects.empty
    assert inputs.sites["source"].str.startswith("candidates.xlsx#").sum() > 20


def _under(heads: list[str], cells: list[object]) -> list[object]:
    fields = (
        "编号",
        "名称",
        "级别",
        "类别",
        "依托单位",
        "建设方式",
        "开放时间",
        "服务项目",
        "座位数",
        "地址",
        "经度",
        "纬度",
    )
    given = dict(zip(fields, cells, strict=True))
    return [given.get(head, "") for head in heads]


# --- areas -----------------------------------------------------------------------------------------------------------


def toy(folder: Path) -> Path:
    """An extract with the border of a made-up town in two ways, and a street."""
    corners = [(120.0, 30.0), (120.1, 30.0), (120.1, 30.1), (120.0, 30.1)]
    nodes = "".join(f'<node id="{n}" version="1" lon="{x}" lat="{y}"/>' for n, (x, y) in enumerate(corners, 1))
    nodes += "".join(f'<node id="{n}" version="1" lon="{120 + n / 1000}" lat="30.05"/>' for n in range(11, 14))
    way = '<way id="{}" version="1">{}{}</way>'
    ways = [(1, (1, 2, 3), ""), (2, (3, 4, 1), ""), (3, (11, 12, 13), '<tag k="highway" v="residential"/>')]
    drawn = "".join(way.format(n, "".join(f'<nd ref="{r}"/>' for r in refs), tags) for n, refs, tags in ways)
    members = "".join(f'<member type="way" ref="{n}" role="outer"/>' for n in (1, 2))
    tags = '<tag k="boundary" v="administrative"/><tag k="name" v="东阳市"/>'
    file = folder / "toy.osm"
    file.write_text(
        f'<osm version="0.6">{nodes}{drawn}<relation id="1" version="1">{members}{tags}</relation></osm>', "utf-8"
    )
    return file


@pytest.mark.parametrize("place", ["东阳市", "浙江省金华市东阳市", "330783"])
def test_a_name_or_a_code_is_found_in_the_extract(tmp_path: Path, place: str):
    region = region_of(place)
    found = boundary(toy(tmp_path), region.name)
    assert found["name"].tolist() == ["东阳市"] and found.geometry.iloc[0].equals(shapely.box(120, 30, 120.1, 30.1))
    assert len(fetch(region, tmp_path / "out", Wishes(extract=toy(tmp_path)), lang="zh")) == 1


@pytest.mark.parametrize(("place", "key"), [("义乌市", "boundary_missing"), ("10,10,11,11", "osm_no_streets")])
def test_an_area_that_the_extract_has_not(tmp_path: Path, place: str, key: str):
    with pytest.raises(InputError) as caught:
        fetch(region_of(place), tmp_path / "out", Wishes(extract=toy(tmp_path)), lang="zh")
    assert caught.value.key == key and not (tmp_path / "out").exists()


def test_an_unknown_kind_is_refused_before_anything_is_read(tmp_path: Path):
    with pytest.raises(InputError) as caught:
        fetch(region_of(BOX), tmp_path, Wishes(("bar",), extract=EXTRACT), lang="zh")
    assert caught.value.key == "kind_unknown" and "bank" in caught.value.text("zh")


def test_the_extract_to_download_is_the_provinces():
    assert extract_for(region_of("330783")) == "asia/china/zhejiang-latest.osm.pbf"
    assert extract_for(region_of("湖北省武汉市")) == "asia/china/hubei-latest.osm.pbf"
    assert extract_for(Region("x", "x", None, None)) == "asia/china-latest.osm.pbf"
