"""Layers of any make: each is read right, or refused with its file, what is wrong and what to do."""

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
import small_study as small

from planner.errors import InputError
from planner.intake import read_inputs, read_layer
from planner.study import load_study
from planner.words import LANGS

NAMES = ["西街道", "东街道"]


def zones() -> gpd.GeoDataFrame:
    (west, north), step = small.node("A"), small.STEP_M
    shapes = [
        shapely.box(west - 100, north - 700, west + 1.5 * step, north + 100),
        shapely.box(west + 1.5 * step, north - 700, west + 1000, north + 100),
    ]
    return gpd.GeoDataFrame({"id": ["W", "O"], "name": NAMES}, geometry=shapes, crs=small.CRS)


def shapefile(folder: Path, encoding: str, cpg: str | None) -> Path:
    path = folder / "zones.shp"
    zones().to_file(path, encoding=encoding)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg, encoding="ascii")
    return path


def zipped(folder: Path, name: str = "zones", prefix: str = "") -> Path:
    inner = folder / "inner"
    inner.mkdir()
    shapefile(inner, "GBK", None)
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        for part in sorted(inner.iterdir()):
            archive.write(part, f"{prefix}{part.name}")
    return folder / f"{name}.zip"


def kml(extra: str = "") -> str:
    shapes = zones().to_crs("EPSG:4326")
    marks = "".join(
        f"<Folder><name>{name}</name><Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        + " ".join(f"{x},{y},0" for x, y in shape.exterior.coords)
        + "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Folder>"
        for name, shape in zip(shapes["name"], shapes.geometry, strict=True)
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{head}{extra}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{marks}</Document></kml>'


def kmz(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "zones.kmz", "w") as archive:
        archive.writestr("doc.kml", kml())
    return folder / "zones.kmz"


def wrote(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def saved(path: Path, **options: object) -> Path:
    zones().to_file(path, **options)
    return path


def parquet(path: Path) -> Path:
    zones().to_parquet(path)
    return path


READ_RIGHT: dict[str, Callable[[Path], Path]] = {
    "gpkg": lambda d: saved(d / "zones.gpkg"),
    "parquet": lambda d: parquet(d / "zones.parquet"),
    "geojson": lambda d: wrote(d / "zones.geojson", zones().to_crs(4326).to_json()),
    "geojson in gbk": lambda d: wrote(d / "zones.geojson", zones().to_crs(4326).to_json(ensure_ascii=False).encode("gbk")),
    "shp in gbk with cpg": lambda d: shapefile(d, "GBK", "GBK"),
    "shp in gbk without cpg": lambda d: shapefile(d, "GBK", None),
    "shp in gbk whose cpg says utf-8": lambda d: shapefile(d, "GBK", "UTF-8"),
    "shp in utf-8 without cpg": lambda d: shapefile(d, "UTF-8", None),
    "shp in utf-8 whose cpg says gbk": lambda d: shapefile(d, "UTF-8", "GBK"),
    "zip": zipped,
    "zip with a folder": lambda d: zipped(d, prefix="数据/"),
    "zip that climbs out": lambda d: zipped(d, prefix="../../"),
    "kml of two folders": lambda d: wrote(d / "zones.kml", kml()),
    "kmz": kmz,
}  # fmt: skip


@pytest.mark.parametrize("make", READ_RIGHT)
def test_a_layer_of_any_make_is_read_right(small_study: Path, make: str):
    study = load_study(small_study)
    (small_study / "zones.gpkg").unlink()
    before = set(small_study.parent.rglob("*"))
    layer = read_layer(study, READ_RIGHT[make](small_study).name)
    name = "name" if "name" in layer.columns else "Name"
    assert layer[name].tolist() == NAMES and layer.index.tolist() == [1, 2]
    assert layer.crs == small.CRS
    assert layer.geometry.area.to_numpy() == pytest.approx(zones().area.to_numpy(), rel=1e-5)
    assert all(small_study in p.parents for p in set(small_study.parent.rglob("*")) - before), "nothing climbs out"


def two_shapes(folder: Path) -> Path:
    path = zipped(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other.shp", b"")
    return path


def bomb(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "zones.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zones.shp", bytes(80_000_000))
    return folder / "zones.zip"


def bare_parquet(path: Path) -> Path:
    zones().drop(columns="geometry").to_parquet(path)
    return path


def lying(path: Path, numbers_in: str, says: str) -> Path:
    zones().to_crs(numbers_in).set_crs(says, allow_override=True).to_file(path)
    return path


ENTITIES = '<!DOCTYPE kml [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
REFUSED: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "noise as gpkg": ("layer_unreadable", lambda d: wrote(d / "zones.gpkg", b"\0noise")),
    "noise as geojson": ("layer_unreadable", lambda d: wrote(d / "zones.geojson", "{")),
    "deep geojson": ("layer_unreadable", lambda d: wrote(d / "zones.geojson", "[" * 200_000)),
    "noise as parquet": ("layer_unreadable", lambda d: wrote(d / "zones.parquet", b"noise")),
    "table as parquet": ("layer_unreadable", lambda d: bare_parquet(d / "zones.parquet")),
    "noise as zip": ("layer_unreadable", lambda d: wrote(d / "zones.zip", b"PK\x03\x04noise")),
    "noise as shp": ("layer_unreadable", lambda d: wrote(d / "zones.shp", b"noise")),
    "kml with entities": ("xml_bomb", lambda d: wrote(d / "zones.kml", kml(ENTITIES))),
    "two shapefiles in a zip": ("zip_layers", two_shapes),
    "a zip bomb": ("zip_bomb", bomb),
    "degrees that say metres": ("layer_wrong_crs", lambda d: lying(d / "zones.gpkg", "EPSG:4326", "EPSG:32650")),
    "metres that say degrees": ("layer_wrong_crs", lambda d: lying(d / "zones.gpkg", "EPSG:4547", "EPSG:4326")),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_hostile_layer_is_refused_in_a_sentence(small_study: Path, what: str):
    key, write = REFUSED[what]
    (small_study / "zones.gpkg").unlink()
    path = write(small_study)
    with pytest.raises(InputError) as caught:
        read_layer(load_study(small_study), path.name)
    assert caught.value.key == key
    for lang in LANGS:
        sentence = caught.value.text(lang)
        assert path.name in sentence and str(small_study) not in sentence and "\n" not in sentence


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
