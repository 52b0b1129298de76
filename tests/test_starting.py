import json
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
import shapely
import small_study as small

from planner.errors import InputError, SurroundingsError
from planner.intake import read_inputs, read_table
from planner.starting import start_study
from planner.study import load_study
from planner.words import LANGS

BOX = "120.1,29.2,120.4,29.4"


@pytest.mark.parametrize("lang", LANGS)
def test_the_templates_are_a_study_whose_headings_are_understood(tmp_path: Path, lang: str):
    start_study(tmp_path / "新研究", BOX, lang=lang)
    study = load_study(tmp_path / "新研究")
    assert (study.language, study.crs, study.name) == (lang, "EPSG:4549", "新研究") and study.zones is not None
    assert study.sites.datum == "auto"
    for name in ("sites", "candidates", "options", "workers"):
        path = tmp_path / "新研究" / f"{name}.xlsx"
        sheet = openpyxl.load_workbook(path).worksheets[0]
        heads = [cell.value for cell in sheet[1]]
        sheet.append(["x"] * len(heads))
        sheet.parent.save(path)
        assert list(read_table(path).recognised.values()) == heads
        assert all(cell.comment for cell in sheet[1])
    assert openpyxl.load_workbook(tmp_path / "新研究" / "sites.xlsx").worksheets[0].data_validations.count == 3


@pytest.mark.parametrize(("area", "crs"), [("114.2,30.5,114.4,30.6", "EPSG:4547"), ("7.4,43.7,7.5,43.8", "EPSG:32632")])
def test_the_crs_is_the_zone_the_area_lies_in(tmp_path: Path, area: str, crs: str):
    start_study(tmp_path / "s", area, lang="zh")
    assert load_study(tmp_path / "s").crs == crs


def test_a_boundary_file_becomes_the_zones(tmp_path: Path):
    box = gpd.GeoDataFrame({"name": ["甲镇"]}, geometry=[shapely.box(120.1, 29.2, 120.4, 29.4)], crs="EPSG:4326")
    (tmp_path / "边界.geojson").write_text(box.to_json(ensure_ascii=False), encoding="utf-8")
    start_study(tmp_path / "s", str(tmp_path / "边界.geojson"), lang="zh")
    zones = gpd.read_file(tmp_path / "s" / "zones.gpkg")
    assert zones["name"].tolist() == ["甲镇"] and zones.crs == "EPSG:4549"


@pytest.mark.parametrize(
    ("area", "key"), [("1,2,3", "area_box"), ("120,30,110,31", "area_box"), ("999999", "area_code")]
)
def test_an_area_that_is_none(tmp_path: Path, area: str, key: str):
    with pytest.raises(InputError) as caught:
        start_study(tmp_path / "s", area, lang="zh")
    assert caught.value.key == key and not (tmp_path / "s").exists()


@pytest.mark.parametrize("lang", LANGS)
def test_without_a_network_a_code_still_begins_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str):
    """In an office without a network all but the streets is written, and a sentence says how to get them."""
    from planner.gather import overpass

    def refuse(*_: object) -> None:
        raise SurroundingsError("fetch_offline", place="330783", detail="ConnectionError")

    monkeypatch.setattr(overpass.Servers, "place", refuse)
    start = start_study(tmp_path / "s", "330783", lang=lang)
    assert not start.streets and start.trouble is not None
    assert "zhejiang-latest.osm.pbf" in start.trouble.text(lang) and "330783" in start.trouble.text(lang)
    assert load_study(tmp_path / "s").crs == "EPSG:4549"
    assert {f.name for f in start.files} == {f"{n}.xlsx" for n in ("sites", "candidates", "options", "workers")} | {
        "study.toml"
    }


def test_a_folder_in_use_is_left_alone(small_study: Path):
    before = sorted(p.name for p in small_study.iterdir())
    with pytest.raises(InputError):
        start_study(small_study, None, lang="zh")
    assert sorted(p.name for p in small_study.iterdir()) == before


def test_filled_in_templates_run(small_study: Path, tmp_path: Path):
    """The small study written into the templates gives the small study."""
    start_study(tmp_path / "s", None, lang="zh")
    folder = tmp_path / "s"
    for name in ("streets.gpkg", "zones.gpkg", "options.xlsx"):
        (folder / name).write_bytes((small_study / name).read_bytes())
    text = (folder / "study.toml").read_text(encoding="utf-8")
    text = text.replace("EPSG:4549", small.CRS).replace('datum = "auto"', 'datum = "WGS-84"')
    text = text.replace("candidates.xlsx", "candidates.csv").replace("workers.xlsx", "couriers.csv")
    text = text.replace("# [zones]\n# file", "[zones]\nfile")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    for name in ("sites.xlsx", "candidates.csv", "couriers.csv"):
        (folder / name).write_bytes((small_study / name).read_bytes())
    filled, straight = read_inputs(load_study(folder)), read_inputs(load_study(small_study))
    assert filled.sites["id"].tolist() == straight.sites["id"].tolist()
    assert json.loads(filled.headings.to_json())["field"] == json.loads(straight.headings.to_json())["field"]
