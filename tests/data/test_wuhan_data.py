"""The embedded study's files agree with each other, with study.toml and with what data/README.md says of them."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import opening_hours
import pandas as pd
import pyogrio
import pytest
import shapely

from planner.hours import week_mask
from planner.intake import read_inputs
from planner.study import LineDemand, load_study

DATA = Path(__file__).resolve().parents[2] / "data"
WUHAN = DATA / "wuhan"
RAW = DATA.parent.parent / "shared" / "data"
BOX = shapely.box(523_800, 3_378_300, 533_800, 3_388_300)
HEADINGS = [
    "编号", "名称", "级别", "阵地类型", "类别", "依托单位", "建设方式", "开放时间", "服务项目", "座位数", "地址", "经度", "纬度",
    "来源", "备注",
]  # fmt: skip
HOSTS = {"银行", "邮局", "街道办事处", "派出所", "公共厕所", "医院", "超市", "便利店"}
KINDS = HOSTS | {"产业园区", "企业"}
TIERS = {"市级", "县区", "乡镇街道", "工业集聚区", "企业"}
BRIDGES = ("trunk", "primary", "secondary")


def read_layer(file: Path) -> gpd.GeoDataFrame:
    return gpd.read_file(file)


def read_table(file: Path) -> pd.DataFrame:
    if file.suffix == ".csv":
        return pd.read_csv(file, encoding="utf-8-sig", keep_default_na=False)
    return pd.read_excel(file, engine="calamine", keep_default_na=False)


layer = cache(lambda name: read_layer(WUHAN / f"{name}.gpkg"))
table = cache(lambda name: read_table(WUHAN / name))


def rest_points() -> pd.DataFrame:
    sites = table("sites.xlsx")
    return sites[sites.阵地类型 == "爱心休息点"]


def on_map(places: pd.DataFrame) -> gpd.GeoSeries:
    return gpd.GeoSeries.from_xy(places.经度.astype(float), places.纬度.astype(float), crs=4326).to_crs(4547)


@cache
def street_ends() -> tuple[np.ndarray, np.ndarray]:
    """Distinct end points in whole millimetres, and how many lines end at each."""
    lines = layer("streets").geometry.to_numpy()
    ends = [shapely.get_coordinates(shapely.get_point(lines, end)) for end in (0, -1)]
    places, lines_at = np.unique(np.rint(np.concatenate(ends) * 1000).astype(np.int64), axis=0, return_counts=True)
    return places, lines_at


# ------------------------------------------------------------------------------------------------------------- the folder


def test_the_folder_holds_what_the_settings_name_and_a_licence_and_nothing_else() -> None:
    study = load_study(WUHAN)
    assert {path.name for path in WUHAN.iterdir()} == {*study.files(), "LICENSE.txt"}


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in WUHAN.iterdir()) < 6_000_000


def test_layers_are_streets_zones_and_rivers_and_no_boundaries() -> None:
    layers = {file.name: pyogrio.list_layers(file)[:, 0].tolist() for file in WUHAN.glob("*.gpkg")}
    assert layers == {"streets.gpkg": ["streets"], "zones.gpkg": ["zones"], "water.gpkg": ["water"]}
    for name in ("streets", "zones", "water"):
        assert layer(name).crs.to_epsg() == 4547
        assert layer(name)["id"].is_unique


def test_csv_files_open_in_excel() -> None:
    for file in WUHAN.glob("*.csv"):
        assert file.read_bytes().startswith(b"\xef\xbb\xbf"), f"{file.name}: no byte-order mark"


def test_the_readme_names_every_file_its_licence_and_its_totals() -> None:
    text = (DATA / "README.md").read_text(encoding="utf-8")
    for file in load_study(WUHAN).files():
        assert f"`{file}`" in text
    assert "© OpenStreetMap contributors" in text
    assert "ODbL" in text
    for total in (len(layer("streets")), len(layer("zones")), len(table("candidates.csv")), len(table("outdoor.csv")),
                  len(table("sites.xlsx")), len(table("enterprises.csv")), int(table("enterprises.csv").职工数.sum()),
                  len(table("options.xlsx")), int(table("outdoor.csv").人数.sum())):  # fmt: skip
        assert re.search(rf"\b{total:,}\b", text), f"README does not say {total:,}"


def test_the_planner_reads_it_without_a_rejected_row_or_a_warning() -> None:
    study = load_study(WUHAN)
    inputs = read_inputs(study)
    assert inputs.rejects.empty
    assert inputs.warnings == ()
    assert inputs.sites.status.value_counts().to_dict() == {
        "existing": len(table("sites.xlsx")),
        "candidate": len(table("candidates.csv")),
    }
    weights = inputs.demand.groupby("group").weight.sum()
    assert weights["sanitation"] == pytest.approx(2000)
    assert weights["outdoor"] == pytest.approx(table("outdoor.csv").人数.sum())
    assert weights["employees"] == pytest.approx(table("enterprises.csv").职工数.sum())
    assert set(inputs.demand.zone) <= set(layer("zones")["id"])


def test_what_is_illustrative_says_so() -> None:
    study = load_study(WUHAN)
    assert "示意" in study.illustrative
    assert study.map.approval_number == ""
    notes = [layer("zones")["note"], layer("water")["note"], table("sites.xlsx").备注, table("candidates.csv").备注,
             table("enterprises.csv").备注, table("options.xlsx").说明]  # fmt: skip
    for note in notes:
        assert note.str.startswith("示意").all()


# ------------------------------------------------------------------------------------------------------------ the streets


def test_streets_are_lines_in_whole_millimetres_each_once() -> None:
    streets = layer("streets")
    assert list(streets.columns) == ["id", "highway", "geometry"]
    assert set(streets.geom_type) == {"LineString"}
    assert streets.length.min() > 0
    millimetres = shapely.get_coordinates(streets.geometry.to_numpy()) * 1000
    assert np.abs(millimetres - np.rint(millimetres)).max() < 1e-5
    assert not streets.geometry.normalize().to_wkb().duplicated().any()


def test_streets_meet_at_shared_end_points() -> None:
    lines = layer("streets").geometry.to_numpy()
    places, lines_at = street_ends()
    # Ends that nearly meet would be ends that rounding has torn apart.
    tree = shapely.STRtree(shapely.points(places / 1000))
    near = tree.query(shapely.points(places / 1000), predicate="dwithin", distance=0.02)
    assert near.shape[1] == len(places)
    assert lines_at.mean() > 2
    blocks = shapely.get_parts(shapely.line_merge(shapely.MultiLineString(list(lines))))
    assert len(blocks) < len(lines) / 2


def test_streets_go_on_outside_the_box() -> None:
    west, south, east, north = layer("streets").total_bounds
    assert west < 522_800
    assert south < 3_377_300
    assert east > 534_800
    assert north > 3_389_300
    assert shapely.dwithin(layer("streets").geometry.to_numpy(), BOX, 1500).all()


def test_street_classes_are_swept_or_not_walked() -> None:
    study = load_study(WUHAN)
    swept = next(demand for demand in study.demand if isinstance(demand, LineDemand)).width_m
    classes = set(layer("streets").highway)
    assert set(swept) < classes
    assert classes - set(swept) <= set(study.streets.exclude)


# --------------------------------------------------------------------------------------------------------- zones and water


def test_zones_cover_the_box_once() -> None:
    zones = layer("zones")
    assert zones.name.is_unique
    assert zones.name.str.fullmatch(r"[一-鿿]+街道").all()
    assert zones.is_valid.all()
    assert set(zones.geom_type) == {"Polygon"}
    assert zones.union_all().symmetric_difference(BOX).area < 1
    assert zones.area.sum() == pytest.approx(BOX.area, abs=10)
    assert zones.area.min() >= 100_000


def test_zones_are_nearest_office_areas() -> None:
    """Every place is in the zone of the nearest office of its own bank: brute force on a grid."""
    zones, places = layer("zones"), pd.concat([table("candidates.csv"), table("sites.xlsx")], ignore_index=True)
    office = places.assign(at=on_map(places)).drop_duplicates("来源").set_index("来源")["at"]
    zones = zones.assign(office=zones.source.map(office))
    inside = zones[zones.office.notna()].reset_index(drop=True)
    assert len(inside) >= 30
    assert inside.contains(gpd.GeoSeries(inside.office, crs=zones.crs)).all()
    x, y = np.meshgrid(np.arange(523_900, 533_800, 200), np.arange(3_378_400, 3_388_300, 200))
    places = shapely.points(x.ravel(), y.ravel())
    zone, place = zones.sindex.query(places, predicate="within")[::-1]
    away = shapely.distance(places[:, None], np.array(inside.office.to_list())[None, :])
    nearest = inside["id"].to_numpy()[away.argmin(axis=1)]
    listed = zones.office.notna().to_numpy()[zone]
    same = zones["id"].to_numpy()[zone[listed]] == nearest[place[listed]]
    # The rest lies across the water from an office that is nearer as the crow flies.
    assert same.mean() > 0.85
    river = layer("water").union_all()
    across = place[listed][~same]
    crow = shapely.linestrings(
        np.stack([shapely.get_coordinates(places[across]),
                  shapely.get_coordinates(np.array(inside.office.to_list())[away[across].argmin(axis=1)])], axis=1)
    )  # fmt: skip
    assert shapely.intersects(crow, river).all()


def test_only_bridges_and_tunnels_cross_the_water() -> None:
    water, streets = layer("water"), layer("streets")
    assert set(water.name) == {"长江", "汉江"}
    assert water.is_valid.all()
    river = water.union_all()
    assert BOX.buffer(0.01).contains(river)
    wet = streets[streets.geometry.intersection(river).length > 1]
    assert set(wet.highway) <= set(BRIDGES)
    # Nothing ends, turns off or crosses on the water.
    places, lines_at = street_ends()
    assert set(lines_at[shapely.contains_xy(river, places / 1000)]) == {2}


def test_no_place_is_on_the_water() -> None:
    river = layer("water").union_all()
    for name in ("sites.xlsx", "candidates.csv", "outdoor.csv", "enterprises.csv"):
        assert not on_map(table(name)).within(river).any(), name


def test_the_yangtze_has_its_width() -> None:
    """Central Wuhan's Yangtze is about 1.1 km wide, its Han about 200 m: the void is of that size."""
    area = layer("water").set_index("name").area / 1e6
    assert 11 < area["长江"] < 17  # about 12.5 km of it lie in the box
    assert 0.4 < area["汉江"] < 1.0  # about 3.5 km


# ------------------------------------------------------------------------------------------------------- sites and options


def test_39_existing_rest_points_hosted_by_banks() -> None:
    sites = rest_points()
    assert list(sites.columns) == HEADINGS
    assert pd.ExcelFile(WUHAN / "sites.xlsx", engine="calamine").sheet_names == ["现状站点"]
    assert len(sites) == 39
    assert set(sites.类别) == {"银行"}
    assert sites.依托单位.str.contains("银行").all()
    assert sites.名称.str.match(r".+银行.*街道爱心休息点(\(\d\))?$").all()
    assert sites.名称.is_unique
    assert set(sites.建设方式) == {"共建", "共享"}
    assert set(sites.座位数) == {2, 4}
    lacks_water = ~sites.服务项目.str.contains("饮水")
    assert 0 < lacks_water.sum() < 10
    assert (sites.建设方式[lacks_water] == "共享").all()


def test_service_centres_and_venues_stand_on_all_five_tiers() -> None:
    sites = table("sites.xlsx")
    others = sites[sites.阵地类型 != "爱心休息点"]
    assert set(others.阵地类型) == {"职工服务中心", "活动阵地"}
    assert set(others.级别) == TIERS
    assert not (others.类别 == "银行").any()
    assert sites.名称.is_unique and sites.来源.is_unique
    # Each sub-district office is one place: with a centre already, or a candidate for one.
    offices = pd.concat([others[others.类别 == "街道办事处"], table("candidates.csv").query("类别 == '街道办事处'")])
    assert len(offices) >= 30 and (offices.阵地类型 == "职工服务中心").all()


def test_each_cluster_and_enterprise_has_a_site_or_could_get_one() -> None:
    enterprises = table("enterprises.csv")
    hosts = set(table("sites.xlsx").来源) | set(table("candidates.csv").来源)
    assert set(enterprises.级别) == {"工业集聚区", "企业"}
    assert set(enterprises.来源) <= hosts
    assert enterprises.编号.is_unique and (enterprises.职工数 > 0).all()


def test_each_zone_names_its_district() -> None:
    zones = layer("zones")
    assert set(zones.county) == {"江岸区", "江汉区", "硚口区", "汉阳区", "武昌区", "洪山区"}


def test_existing_rest_points_open_in_banking_hours() -> None:
    for text in set(rest_points().开放时间):
        open_half_hours = week_mask(text).reshape(7, 48)
        assert open_half_hours[0].sum() in (16, 17)
        assert open_half_hours[5:].sum() < 2 * open_half_hours[0].sum() + 1
        assert not open_half_hours[:, :17].any()
        assert not open_half_hours[:, 34:].any()


def test_candidates_are_other_places_of_every_kind() -> None:
    candidates, sites = table("candidates.csv"), table("sites.xlsx")
    assert list(candidates.columns) == [*HEADINGS, "可选方式"]
    assert set(candidates.类别) == KINDS
    assert candidates.类别.value_counts()[[*HOSTS]].min() >= 5
    assert candidates.名称.is_unique
    for column in ("编号", "来源"):
        assert not pd.concat([sites[column], candidates[column]]).duplicated().any()
    assert candidates.来源.str.fullmatch(r"OSM \d+").all()


def test_nameless_candidates_are_called_in_chinese() -> None:
    candidates = table("candidates.csv")
    brands = {"7-Eleven"}
    foreign = candidates[~candidates.名称.str.contains(r"[一-鿿]") & ~candidates.名称.isin(list(brands))]
    assert foreign.empty, foreign.名称.tolist()
    toilets = candidates[candidates.类别 == "公共厕所"]
    assert toilets.名称.str.fullmatch(r"公共厕所\([一-鿿]+街道\d+\)").all()


def test_every_candidate_can_be_built_in_every_mode_it_allows() -> None:
    candidates, options = table("candidates.csv"), table("options.xlsx")
    build = options[options.动作 == "新建"]
    known = set(zip(build.类别, build.建设方式, strict=True))
    allowed = {(kind, mode) for kind, modes in zip(candidates.类别, candidates.可选方式, strict=True)
               for mode in modes.split(";")}  # fmt: skip
    assert allowed == known


def test_options_hold_every_build_mode_and_longer_hours_for_banks() -> None:
    options = table("options.xlsx")
    assert list(options.columns) == [
        "动作", "类别", "建设方式", "开放时间", "服务项目", "座位数", "建设费(万元)", "年运营费(万元)", "级别", "说明",
    ]  # fmt: skip
    assert set(options.建设方式) == {"自建", "联建", "共建", "共享", "整合"}
    longer = options[options.动作 == "错时延时"]
    assert set(longer.类别) == {"银行"}
    assert set(longer.建设方式) == {"整合"}
    assert len(longer) == 2
    hosted = options[options.建设方式 == "共建"]
    assert hosted["建设费(万元)"].between(0.56, 2.67).all()
    assert (options[["建设费(万元)", "年运营费(万元)"]] > 0).all(axis=None)


def test_longer_hours_meet_the_early_shift_that_banking_hours_miss() -> None:
    options, study = table("options.xlsx"), load_study(WUHAN)
    early = week_mask(study.groups["sanitation"].shifts[0].hours)
    banks = [week_mask(text) for text in set(rest_points().开放时间)]
    longer = [week_mask(text) for text in options.开放时间[options.动作 == "错时延时"]]
    assert max((early & bank).sum() for bank in banks) / early.sum() < 0.3
    assert min((early & mask).sum() for mask in longer) / early.sum() > 0.85


def test_all_hours_are_osm_syntax() -> None:
    texts = {text for name in ("sites.xlsx", "candidates.csv", "options.xlsx") for text in table(name).开放时间} - {""}
    assert len(texts) >= 10
    for text in texts:
        opening_hours.OpeningHours(text)
        assert week_mask(text).any(), text


def test_places_lie_in_the_box_to_seven_decimals() -> None:
    for name in ("sites.xlsx", "candidates.csv", "outdoor.csv", "enterprises.csv"):
        places = table(name)
        assert on_map(places).within(BOX).all(), name
        for degrees in (places.经度.astype(float), places.纬度.astype(float)):
            assert (degrees == degrees.round(7)).all()
            assert (degrees != degrees.round(5)).mean() > 0.9


def test_outdoor_workers() -> None:
    outdoor = table("outdoor.csv")
    assert list(outdoor.columns) == ["编号", "名称", "类别", "人数", "经度", "纬度", "来源"]
    assert outdoor.编号.is_unique
    assert outdoor.来源.is_unique
    assert (outdoor.人数 > 0).all()
    assert (outdoor.名称 != "").all()
    assert set(outdoor.类别) == {"餐馆", "商店", "超市", "商业区", "住宅区"}
    assert 2_500 <= outdoor.人数.sum() <= 3_500


# ------------------------------------------------------------------------------------------------------------- rebuilding


@pytest.mark.skipif(
    not (RAW / "wuhan").is_dir(), reason="the raw extracts (../shared/data, see data/README.md) are not here"
)
def test_the_generator_gives_the_committed_files(tmp_path: Path) -> None:
    command = [sys.executable, str(DATA / "build_wuhan.py"), "--source", str(RAW), "--out", str(tmp_path)]
    subprocess.run(command, check=True)
    built = sorted(path.name for path in tmp_path.iterdir())
    assert built == sorted(path.name for path in WUHAN.iterdir() if path.suffix in (".gpkg", ".xlsx", ".csv"))
    for name in built:
        if name.endswith(".gpkg"):
            again, committed = read_layer(tmp_path / name), layer(name.removesuffix(".gpkg"))
            assert again.drop(columns="geometry").equals(committed.drop(columns="geometry")), name
            assert shapely.equals_exact(again.geometry.to_numpy(), committed.geometry.to_numpy(), 0.0015).all(), name
        else:
            pd.testing.assert_frame_equal(read_table(tmp_path / name), table(name))
