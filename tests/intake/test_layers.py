"""Layers of any make: what is noticed in them, refused and repaired. The corpus has more of them."""

import tempfile
import warnings
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
import small_study as small
from corpus import into, lying, places, shapefile, wrote, zones

from planner import datum, embedded
from planner.errors import InputError
from planner.evidence import Ground
from planner.intake import read_inputs, read_layer
from planner.intake.notes import Notes
from planner.intake.places import read_sites
from planner.study import Table, load_study
from planner.words import LANGS


def test_a_crs_in_study_toml_overrules_a_wrong_one(small_study: Path):
    (small_study / "zones.gpkg").unlink()
    lying(small_study / "zones.gpkg", "EPSG:4326", "EPSG:32650")
    layer = read_layer(load_study(small_study), "zones.gpkg", crs="EPSG:4326")
    assert layer.area.to_numpy() == pytest.approx(zones().area.to_numpy(), rel=1e-5)


@pytest.mark.parametrize("ids", [["", "O"], [None, "O"], [" ", "Z01"], [None, 7.0]])
def test_zones_without_an_id_get_one_of_their_own(small_study: Path, ids: list[object]):
    (small_study / "zones.gpkg").unlink()
    zones().assign(id=ids).to_file(small_study / "zones.gpkg")
    inputs = read_inputs(load_study(small_study))
    own = {"O": "O", "Z01": "Z01", 7.0: "7"}[ids[1]]
    assert inputs.zones["id"].tolist() == ["Z01b" if own == "Z01" else "Z01", own]
    assert set(inputs.demand["zone"]) == set(inputs.zones["id"])


def degrees_layer(path: Path, x: float, y: float) -> None:
    lines = gpd.read_file(path).to_crs("EPSG:4326").geometry.to_list()
    lines[2] = shapely.LineString([*lines[2].coords, (x, y)])
    path.unlink()
    gpd.GeoDataFrame({"highway": ["residential"] * len(lines)}, geometry=lines, crs="EPSG:4326").to_file(path)


@pytest.mark.parametrize(
    ("x", "y"),
    [(float("nan"), 30.5), (114.2, float("inf")), (float("-inf"), 30.5), (114.2, 95.0), (30.5, 114.2), (1e308, 1e308)],
)
def test_coordinates_that_are_no_place_are_refused_with_their_shape(small_study: Path, x: float, y: float):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of writing such a line, not of reading it
        degrees_layer(small_study / "streets.gpkg", x, y)
    with pytest.raises(InputError) as caught, warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        read_inputs(load_study(small_study))
    if (x, y) == (1e308, 1e308):
        assert caught.value.key == "layer_wrong_crs"
    else:
        assert (caught.value.key, caught.value.values["rows"]) == ("layer_no_place", "3")
    assert all("streets.gpkg" in caught.value.text(lang) for lang in LANGS)


def test_a_file_that_may_not_be_opened_is_told(small_study: Path, monkeypatch: pytest.MonkeyPatch):
    opened = Path.open

    def refuse(path: Path, *args: object, **more: object):
        if path.name == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **more)

    monkeypatch.setattr(Path, "open", refuse)
    for locked in ("sites.xlsx", "candidates.csv", "zones.gpkg"):
        with pytest.raises(InputError) as caught:
            read_inputs(load_study(small_study))
        assert caught.value.key == "unreadable"
        for lang in LANGS:
            sentence = caught.value.text(lang)
            assert locked in sentence and str(small_study) not in sentence and "\n" not in sentence


@pytest.mark.parametrize(("crs", "fitting"), [("EPSG:4535", "EPSG:4547"), ("EPSG:3857", "EPSG:4547")])
def test_a_crs_of_another_place_is_refused_with_the_one_that_fits(small_study: Path, crs: str, fitting: str):
    toml = (small_study / "study.toml").read_text(encoding="utf-8")
    (small_study / "study.toml").write_text(toml.replace(small.CRS, crs), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_inputs(load_study(small_study))
    assert caught.value.key == "crs_elsewhere"
    assert all(crs in caught.value.text(lang) and fitting in caught.value.text(lang) for lang in LANGS)


def test_the_zone_beside_the_right_one_will_do(small_study: Path):
    toml = (small_study / "study.toml").read_text(encoding="utf-8")
    (small_study / "study.toml").write_text(toml.replace(small.CRS, "EPSG:4548"), encoding="utf-8")
    assert read_inputs(load_study(small_study)).streets.length.sum() == pytest.approx(5100, rel=2e-3)


def test_each_part_of_a_shapefile_counts_for_the_hashes(small_study: Path):
    (small_study / "zones.gpkg").unlink()
    shapefile(small_study, "GBK", "GBK")
    toml = (small_study / "study.toml").read_text(encoding="utf-8")
    (small_study / "study.toml").write_text(toml.replace("zones.gpkg", "zones.shp"), encoding="utf-8")
    before = read_inputs(load_study(small_study)).hashes
    assert {f"zones.{part}" for part in ("shp", "shx", "dbf", "prj", "cpg")} <= before.keys()
    names = small_study / "zones.dbf"
    names.write_bytes(names.read_bytes().replace("西".encode("gbk"), "南".encode("gbk")))
    after = read_inputs(load_study(small_study)).hashes
    assert {name for name in before if before[name] != after[name]} == {"zones.dbf"}


def with_zones(folder: Path, shapes: list[shapely.Geometry]):
    (folder / "zones.gpkg").unlink()
    names = [f"第{n}街道" for n in range(len(shapes))]
    frame = gpd.GeoDataFrame({"id": names, "name": names}, geometry=shapes, crs=small.CRS)
    frame.to_file(folder / "zones.gpkg")
    return read_inputs(load_study(folder))


def test_holes_between_zones_are_told_with_their_size(small_study: Path):
    whole, hole = (
        shapely.box(524_000, 3_383_000, 527_000, 3_386_000),
        shapely.box(526_500, 3_385_000, 526_600, 3_385_200),
    )
    warnings = with_zones(small_study, [whole.difference(hole)]).warnings
    assert len(warnings) == 1 and "0.020" in warnings[0]


def test_a_bow_tie_is_repaired_and_told(small_study: Path):
    whole = shapely.box(524_000, 3_383_000, 527_000, 3_386_000)
    tie = shapely.Polygon([(524_000, 3_386_000), (527_000, 3_389_000), (527_000, 3_386_000), (524_000, 3_389_000)])
    inputs = with_zones(small_study, [whole, tie])
    assert inputs.zones.is_valid.all()
    assert len(inputs.warnings) == 1 and "zones.gpkg" in inputs.warnings[0] and "2" in inputs.warnings[0]


def test_where_a_point_lies_holds_and_not_what_its_attributes_say(small_study: Path):
    points = [shapely.Point(small.node(letter)) for letter in "FJ"]
    attributes = {
        "编号": ["S1", "S2"],
        "名称": ["甲", "乙"],
        "类别": ["银行", "银行"],
        "经度": [1.0, 2.0],
        "纬度°": [3.0, 4.0],
    }
    gpd.GeoDataFrame(attributes, geometry=points, crs=small.CRS).to_file(small_study / "sites.gpkg")
    settings = small_study / "study.toml"
    settings.write_text(settings.read_text("utf-8").replace("sites.xlsx", "sites.gpkg"), "utf-8")
    sites = read_inputs(load_study(small_study)).sites
    for site, point in zip(sites[sites["status"] == "existing"].geometry, points, strict=True):
        assert site.distance(point) < 0.01


def test_sites_from_a_phone(small_study: Path):
    straight = read_inputs(load_study(small_study)).sites
    marks = "".join(
        "<Placemark><name>{}</name><Point><coordinates>{},{},0</coordinates></Point></Placemark>".format(
            n, *small.lonlat(c)
        )
        for n, c in (("人民路休息点", "F"), ("南街休息点", "J"))
    )
    wrote(small_study / "phone.kml", f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{marks}</Document></kml>')
    toml = (small_study / "study.toml").read_text(encoding="utf-8")
    (small_study / "study.toml").write_text(toml.replace("sites.xlsx", "phone.kml"), encoding="utf-8")
    sites = read_inputs(load_study(small_study)).sites
    assert sites["name"].tolist()[:2] == straight["name"].tolist()[:2]
    assert sites["source"].tolist()[:2] == ["phone.kml#1", "phone.kml#2"]
    assert sites.distance(straight).max() < 0.01


def extra(file: Path, name: str) -> None:
    """Put another layer, and a table without shapes, into a GeoPackage."""
    points = [shapely.Point(small.node(letter)) for letter in "FJ"]
    sites = {"编号": ["S1", "S2"], "名称": ["甲", "乙"], "类别": ["银行", "银行"]}
    gpd.GeoDataFrame(sites, geometry=points, crs=small.CRS).to_file(file, layer=name)
    pyogrio.write_dataframe(pd.DataFrame({"styleName": ["a"]}), file, layer="layer_styles")


def told(folder: Path, topic: str) -> list[str]:
    inputs = read_inputs(load_study(folder))
    return [warning for warning, of in zip(inputs.warnings, inputs.topics, strict=True) if of == topic]


def test_layers_that_nobody_read_are_told_and_can_be_named(small_study: Path):
    for file in ("zones.gpkg", "streets.gpkg"):
        extra(small_study / file, "现状站点")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = told(small_study, "layers_unread")
    assert len(said) == 2 and all("现状站点" in line and "layer_styles" not in line for line in said)
    settings = small_study / "study.toml"
    toml = settings.read_text("utf-8").replace('"zones.gpkg"', '"zones.gpkg"\nlayer = "zones"')
    toml = toml.replace('"streets.gpkg"', '"streets.gpkg"\nlayer = "streets"')
    settings.write_text(toml.replace('"sites.xlsx"', '"zones.gpkg"\nsheet = "现状站点"'), "utf-8")
    assert told(small_study, "layers_unread") == []
    assert read_inputs(load_study(small_study)).sites["source"][0] == "zones.gpkg!现状站点#1"
    settings.write_text(settings.read_text("utf-8").replace('layer = "zones"', 'layer = "zone"'), "utf-8")
    with pytest.raises(InputError) as caught:
        read_inputs(load_study(small_study))
    assert caught.value.key == "layer_missing" and "zones, 现状站点" in caught.value.text("zh")


def test_a_second_kml_of_a_kmz_is_told(small_study: Path):
    def marks(letters: str) -> str:
        mark = "<Placemark><name>{}点</name><Point><coordinates>{},{}</coordinates></Point></Placemark>"
        inside = "".join(mark.format(letter, *small.lonlat(letter)) for letter in letters)
        return f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{inside}</Document></kml>'

    with zipfile.ZipFile(small_study / "phone.kmz", "w") as archive:
        archive.writestr("files/more.kml", marks("A"))
        archive.writestr("doc.kml", marks("FJ"))
    settings = small_study / "study.toml"
    settings.write_text(settings.read_text("utf-8").replace("sites.xlsx", "phone.kmz"), "utf-8")
    assert read_inputs(load_study(small_study)).sites["name"].tolist()[:2] == ["F点", "J点"]
    said = told(small_study, "kmls_unread")
    assert len(said) == 1 and "phone.kmz" in said[0] and "files/more.kml" in said[0]


def test_zones_of_one_name_are_told_and_people_known_by_that_name_are_not_guessed(small_study: Path):
    (small_study / "zones.gpkg").unlink()
    zones().assign(id=["W", "O"], name=["街道", "街道 "]).to_file(small_study / "zones.gpkg")
    said = told(small_study, "zones_one_name")
    assert len(said) == 1 and "zones.gpkg" in said[0] and "W, O" in said[0]
    wrote(small_study / "people.csv", "镇街,人数\n街道,5\nO,7\n")
    toml = (small_study / "study.toml").read_text("utf-8")
    more = '[[demand]]\nkind = "zone"\ngroup = "couriers"\nfile = "people.csv"\n[standard]'
    (small_study / "study.toml").write_text(toml.replace("[standard]", more), "utf-8")
    inputs = read_inputs(load_study(small_study))
    assert inputs.rejects["row"].tolist() == [2] and "几个分区" in inputs.rejects["reason"][0]
    by_zone = inputs.demand[inputs.demand["source"] == "people.csv#3"].groupby("zone")["weight"].sum()
    assert by_zone.to_dict() == {"O": pytest.approx(7)}


@pytest.mark.parametrize("shifted", ["GCJ-02", "BD-09"])
def test_a_shifted_layer_is_put_right_where_the_study_says_so(small_study: Path, shifted: str):
    straight = read_inputs(load_study(small_study))
    for role in ("zones", "streets"):
        file = small_study / f"{role}.gpkg"
        frame = gpd.read_file(file).to_crs("EPSG:4326")
        frame.geometry = shapely.transform(
            frame.geometry.to_numpy(), lambda xy: np.column_stack(datum.from_wgs84(xy[:, 0], xy[:, 1], shifted))
        )
        file.unlink()
        frame.to_file(file)
    toml = (small_study / "study.toml").read_text("utf-8")
    for role in ("zones", "streets"):
        toml = toml.replace(f'"{role}.gpkg"', f'"{role}.gpkg"\ndatum = "{shifted}"')
    (small_study / "study.toml").write_text(toml, "utf-8")
    found = read_inputs(load_study(small_study))
    for role in ("zones", "streets"):
        before, after = (getattr(inputs, role).geometry.to_numpy() for inputs in (straight, found))
        assert shapely.hausdorff_distance(before, after).max() < 0.05


def test_a_layer_whose_name_says_that_it_is_shifted_asks(small_study: Path):
    (small_study / "zones.gpkg").rename(small_study / "街道_高德.gpkg")
    settings = small_study / "study.toml"
    settings.write_text(settings.read_text("utf-8").replace("zones.gpkg", "街道_高德.gpkg"), "utf-8")
    with pytest.raises(InputError) as caught:
        read_inputs(load_study(small_study))
    assert caught.value.key == "datum_stated" and "街道_高德.gpkg" in caught.value.text("zh")
    named = '"街道_高德.gpkg"\ndatum = "WGS-84"'
    settings.write_text(settings.read_text("utf-8").replace('"街道_高德.gpkg"', named), "utf-8")
    assert len(read_inputs(load_study(small_study)).zones) == 2


def test_points_of_a_layer_are_weighed_as_those_of_a_table(tmp_path: Path):
    study = load_study(embedded.folder())
    ground = Ground(gpd.read_file(embedded.folder() / "streets.gpkg").assign(name=""))
    names, degrees = places()
    moved = gpd.points_from_xy(*np.array(into("GCJ-02")(degrees), dtype=float).T, crs="EPSG:4326")
    gpd.GeoDataFrame({"名称": names}, geometry=moved).to_file(tmp_path / "a.gpkg")
    study, bare = study.model_copy(update={"folder": tmp_path}), gpd.GeoDataFrame({"id": [], "name": []}, geometry=[])
    notes = Notes("zh")
    with pytest.raises(InputError) as caught:
        read_sites(study, Table(file="a.gpkg"), "candidate", ground, bare, notes)
    assert caught.value.key == "datum_unsure" and "GCJ-02" in caught.value.text("zh")
    sites = read_sites(study, Table(file="a.gpkg", datum="auto"), "candidate", ground, bare, notes)
    true = gpd.GeoSeries(gpd.points_from_xy(*degrees.T), crs="EPSG:4326").to_crs(study.crs)
    rows = sites["source"].str.rpartition("#")[2].astype(int) - 1
    assert shapely.distance(sites.geometry.to_numpy(), true.to_numpy()[rows]).max() < 0.5
    assert "read_as" in notes.topics


def test_shapes_that_are_no_points_are_told(small_study: Path):
    two, line = (
        shapely.MultiPoint([small.node("F"), small.node("A")]),
        shapely.LineString([small.node(c) for c in "AB"]),
    )
    shapes = [two, shapely.Point(small.node("J")), line, shapely.Point(small.node("K")).buffer(5)]
    gpd.GeoDataFrame({"名称": list("甲乙丙丁")}, geometry=shapes, crs=small.CRS).to_file(small_study / "sites.gpkg")
    settings = small_study / "study.toml"
    settings.write_text(settings.read_text("utf-8").replace("sites.xlsx", "sites.gpkg"), "utf-8")
    said = told(small_study, "no_points")
    assert len(said) == 1 and "sites.gpkg" in said[0] and "第 1, 3 个" in said[0]


def test_an_empty_layer_before_a_full_one_is_passed_over(small_study: Path):
    full = gpd.read_file(small_study / "zones.gpkg")
    (small_study / "zones.gpkg").unlink()
    full.iloc[:0].to_file(small_study / "zones.gpkg", layer="草稿")
    full.to_file(small_study / "zones.gpkg", layer="镇街")
    assert len(read_inputs(load_study(small_study)).zones) == 2


@pytest.mark.parametrize("name", ["a.kml", "a.kmz", "a.zip"])
def test_what_a_reader_complains_of_names_no_folder(small_study: Path, name: str):
    file = small_study / name
    with zipfile.ZipFile(file, "w") as archive:
        for part in ("doc.kml", "a.shp", "a.shx", "a.dbf"):
            archive.writestr(part, "<kml><Document><broken")
    if name == "a.kml":
        file.write_text("<kml><Document><broken", "utf-8")
    with pytest.raises(InputError) as caught:
        read_layer(load_study(small_study), name)
    assert caught.value.key == "layer_unreadable" and name in caught.value.text("en")
    assert tempfile.gettempdir() not in caught.value.text("en")
