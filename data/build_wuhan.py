"""Raw OpenStreetMap extracts -> the embedded study data/wuhan. Run: ``python data/build_wuhan.py --source DIR``.

Takes the raw files that data/README.md names; gives the files that lie in data/wuhan, the same bytes each time (all but
study.toml, which is written by hand). It invents no place: every site, candidate, office and street is in the raw files.
What it assumes about them (which branches are rest points, their hours, how many workers) is illustrative and says so.
"""

import argparse
import io
import re
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

HERE = Path(__file__).resolve().parent
DEFAULT_SOURCE = HERE.parent.parent / "shared" / "data"
TARGET = HERE / "wuhan"

CRS = "EPSG:4547"  # CGCS2000 / 3-degree Gauss-Kruger CM 114E
WIDTH_M = 10_000
BOX = (523_800, 3_378_300, 523_800 + WIDTH_M, 3_378_300 + WIDTH_M)
"""The study area: both banks of the Yangtze, where the Han flows into it."""
MARGIN_M = 1_000
"""Streets go on for this much outside the box, so that a walk may leave it and come back."""

NOTE_ZONE = "示意:距该街道办事处最近的范围,不是行政区界"
NOTE_WATER = "示意:由道路与地点的空白处推得,不是实测岸线"
NOTE_SITE = "示意:是否为现状站点系假定"
NOTE_ENTERPRISE = "示意:单位真实,人数系假定"
NOTE_CANDIDATE = "示意:地点真实,开放时间与可选方式系假定"

MAIN_STREETS = ("trunk", "primary", "secondary", "tertiary")

# ---------------------------------------------------------------------------------------------------------------- streets


def streets_near(source: Path) -> gpd.GeoDataFrame:
    """Return the street lines that touch the box or its margin, whole, in `CRS`, coordinates in whole millimetres.

    The raw end points of neighbouring lines are equal; rounding keeps them so, and hides what the last bits of a
    projection are on another machine.
    """
    raw = gpd.read_parquet(source / "wuhan" / "streets.parquet").to_crs(CRS)
    around = shapely.box(*(np.array(BOX) + MARGIN_M * np.array([-1, -1, 1, 1])))
    raw = raw[raw.intersects(around)]
    raw["geometry"] = shapely.transform(raw.geometry.to_numpy(), lambda xy: np.round(xy, 3))
    raw = raw[raw.geometry.length > 0]
    # A line drawn twice would be swept twice.
    raw = raw.assign(shape=raw.geometry.normalize().to_wkb()).drop_duplicates("shape")
    raw = raw.assign(**raw.bounds.round(3)).sort_values(["minx", "miny", "maxx", "maxy", "shape"], ignore_index=True)
    return gpd.GeoDataFrame(
        {"id": [f"R{n:05d}" for n in range(1, len(raw) + 1)], "highway": raw.highway.astype(str)},
        geometry=raw.geometry.to_numpy(),
        crs=CRS,
    )


# ------------------------------------------------------------------------------------------------------------------ water

# A line down the middle of each river's void of streets, read off a plot of the streets.
MIDDLE = {
    "长江": shapely.LineString(
        [(524_700, 3_376_300), (526_200, 3_378_800), (526_700, 3_380_600), (527_300, 3_382_000), (528_200, 3_383_500),
         (529_250, 3_385_300), (530_250, 3_387_000), (531_800, 3_389_600)]),
    "汉江": shapely.LineString(
        [(522_500, 3_383_700), (523_000, 3_383_450), (523_400, 3_383_130), (523_800, 3_382_940), (524_400, 3_382_870),
         (525_100, 3_382_760), (525_700, 3_382_650), (526_200, 3_382_590), (526_600, 3_382_750), (526_850, 3_382_980),
         (528_100, 3_383_100)]),
}  # fmt: skip
# Within the first distance of the middle any street is a bridge or a tunnel; the river reaches no farther from it than
# the second; its bank keeps the third from the streets.
RIVER_M = {"长江": (430, 850, 85), "汉江": (50, 160, 35)}


POINT_M = 60
"""A named place stands on this much dry land."""


def rivers(streets: gpd.GeoDataFrame, points: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the rivers as the void of streets and places: the raw data has no water."""
    places = shapely.buffer(points.geometry.to_numpy(), POINT_M)
    shapes = {name: _river(name, streets.geometry.to_numpy(), places) for name in MIDDLE}
    shapes["汉江"] = _largest(shapely.difference(shapes["汉江"], shapes["长江"]))
    return gpd.GeoDataFrame(
        {"id": [f"W{n}" for n in range(1, len(shapes) + 1)], "name": list(shapes), "note": NOTE_WATER},
        geometry=[_millimetres(shape) for shape in shapes.values()],
        crs=CRS,
    )


def _river(name: str, lines: np.ndarray, places: np.ndarray) -> shapely.Polygon:
    middle, (bridge_m, reach_m, setback_m) = MIDDLE[name], RIVER_M[name]
    corridor = middle.buffer(reach_m, cap_style="flat")
    near = lines[shapely.dwithin(lines, corridor, setback_m)]
    # A carriageway without junctions is one chain: a bridge is dry land's only from its first junction on.
    chains = shapely.get_parts(shapely.line_merge(shapely.MultiLineString(list(near))))
    dry = chains[~shapely.dwithin(chains, middle, bridge_m)]
    banks = np.concatenate([shapely.buffer(dry, setback_m), places[shapely.intersects(places, corridor)]])
    # A bank runs smoothly from one place to the next: a bay narrower than the river is no bay.
    land = shapely.union_all(banks).buffer(0.8 * bridge_m).buffer(-0.8 * bridge_m)
    # Opening cuts off spurs between streets, closing mends the bites that street ends take out of the bank.
    smooth = corridor.difference(land).buffer(-2 * setback_m).buffer(4 * setback_m).buffer(-2 * setback_m)
    return _largest(_largest(smooth).difference(land).intersection(shapely.box(*BOX)).simplify(3))


def _largest(shape: shapely.Geometry) -> shapely.Polygon:
    return max(shapely.get_parts(shape), key=lambda part: part.area)


def _millimetres(shape: shapely.Geometry) -> shapely.Geometry:
    return shapely.transform(shape, lambda xy: np.round(xy, 3))


# ------------------------------------------------------------------------------------------------------------------ zones

OFFICE = re.compile(r"^(.+?街道)(办事处;?|办)?$")
SMALLEST_ZONE_M2 = 100_000
"""An office outside the box that is the nearest one of less than this gets no zone; its neighbours share the sliver."""


COUNTIES = {
    "江岸区": "大智 一元 车站 四唯 永清 球场 台北 西马 劳动",
    "江汉区": "民族 满春 民权 花楼 水塔 民意 前进 新华 万松 北湖 常青",
    "硚口区": "六角亭 汉中 荣华 宝丰",
    "汉阳区": "五里墩 建桥 晴川 洲头 鹦鹉",
    "武昌区": "珞珈山 中南路 徐家棚 白沙洲 水果湖 杨园 紫阳 积玉桥",
    "洪山区": "梨园 珞南",
}
"""Which district each sub-district belongs to, by the public list of administrative codes: names only, no boundary."""
COUNTY_OF = {f"{township}街道": county for county, townships in COUNTIES.items() for township in townships.split()}


def zones_of(points: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return, for each sub-district office, the part of the box that it is the nearest office of, on its own bank."""
    offices = points[(points.fclass == "town_hall") & points.name.str.match(OFFICE, na=False)].copy()
    offices["name"] = offices.name.str.replace(OFFICE, r"\1", regex=True)
    box = shapely.box(*BOX)
    cuts = shapely.union_all([box.boundary, *MIDDLE.values()])
    banks = [bank for bank in shapely.get_parts(shapely.polygonize([cuts])) if box.buffer(1).contains(bank)]
    side = np.argmin([offices.distance(bank) for bank in banks], axis=0)
    zones = pd.concat([_nearest_office(offices[side == n], bank) for n, bank in enumerate(banks)])
    zones = zones.sort_values("osm_id", key=lambda ids: ids.astype("int64"), ignore_index=True)
    return gpd.GeoDataFrame(
        {
            "id": [f"Z{n:02d}" for n in range(1, len(zones) + 1)],
            "name": zones.name,
            "county": zones.name.map(COUNTY_OF),
            "source": "OSM " + zones.osm_id,
            "note": NOTE_ZONE,
        },
        geometry=[_millimetres(cell) for cell in zones["cell"]],
        crs=CRS,
    )


def _nearest_office(offices: gpd.GeoDataFrame, bank: shapely.Polygon) -> pd.DataFrame:
    while True:
        seeds = shapely.MultiPoint(offices.geometry.to_list())
        cells = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=bank.buffer(WIDTH_M), ordered=True))
        offices = offices.assign(cell=shapely.intersection(cells, bank))
        areas = shapely.area(offices["cell"].to_numpy())
        sliver = (areas < SMALLEST_ZONE_M2) & ~offices.within(bank).to_numpy()
        if not sliver.any():
            return offices
        offices = offices[np.arange(len(offices)) != np.where(sliver, areas, np.inf).argmin()]


# ----------------------------------------------------------------------------------------------------------------- points

SIMPLIFIED = str.maketrans(
    "優匯漢設銀貨羅無館國體東鐵醫灘樓號麵門廣場豐興聯龍灣湯雞飯園廳萬達（）",
    "优汇汉设银货罗无馆国体东铁医滩楼号面门广场丰兴联龙湾汤鸡饭园厅万达()",
)
RENAMED = {
    "Carrefour Market": "家乐福",
    "Hubei Bank": "湖北银行",
    "工商银行": "中国工商银行",
    "梨园街道": "梨园街道办事处",
}

LEFT_OUT = {
    "5405384828": "a name in another script, no bank",
    "4462599191": "a cash machine",
    "6799476386": "a historic building",
    "6799498586": "a historic building",
    "6799506186": "a historic building",
    "5575002580": "the provincial government, no sub-district office",
    "5324075410": "a parcel counter",
    "3813878982": "a souvenir shop",
    "1328129770": "a tea market",
    "4666628653": "part of a hospital that is listed",
    "1486539348": "part of a hospital that is listed",
    "4475011096": "part of a hospital that is listed",
}

KINDS = {
    "bank": "银行",
    "post_office": "邮局",
    "town_hall": "街道办事处",
    "police": "派出所",
    "toilet": "公共厕所",
    "hospital": "医院",
    "supermarket": "超市",
    "convenience": "便利店",
}
NAMELESS = {**{word: word for word in KINDS.values()}, "银行": "银行网点"}
SAME_PLACE_M = 60
"""Two nameless places of one kind nearer than this are taken for one."""


def points_of(source: Path, zones: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the raw points of the box, names cleaned, each with its zone, sorted by OpenStreetMap id."""
    raw = raw_points(source)
    raw = raw[raw.within(shapely.box(*BOX)) & ~raw.osm_id.isin(list(LEFT_OUT))]
    raw = raw.sort_values("osm_id", key=lambda ids: ids.astype("int64"), ignore_index=True)
    raw["name"] = raw.name.fillna("").str.strip().str.translate(SIMPLIFIED).replace(RENAMED)
    zone = zones.sindex.nearest(raw.geometry, return_all=False)[1]
    return raw.assign(zone=zones.name.to_numpy()[zone])


def raw_points(source: Path) -> gpd.GeoDataFrame:
    """Return all raw points in `CRS`."""
    return gpd.read_parquet(source / "wuhan" / "pois.parquet").to_crs(CRS)


def hosts_of(points: gpd.GeoDataFrame, streets: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the places that could host a rest point, with their kind, name and distance to the nearest main street."""
    hosts = points[points.fclass.isin(list(KINDS))].reset_index(drop=True)
    hosts["kind"] = hosts.fclass.map(KINDS)
    hosts = hosts[~_repeated(hosts)].reset_index(drop=True)
    hosts["host"] = _names(hosts, NAMELESS)
    main = streets[streets.highway.isin(MAIN_STREETS)].geometry.union_all()
    return hosts.assign(to_main_m=shapely.distance(hosts.geometry.to_numpy(), main))


def _repeated(places: gpd.GeoDataFrame) -> np.ndarray:
    """Tell which nameless places lie within `SAME_PLACE_M` of an earlier one of their kind."""
    repeated = np.zeros(len(places), dtype=bool)
    for place in range(len(places)):
        earlier = places.iloc[:place][~repeated[:place]]
        earlier = earlier[earlier.kind == places.kind[place]]
        near = earlier.distance(places.geometry[place]) < SAME_PLACE_M
        repeated[place] = places.name[place] == "" and near.any()
    return repeated


def _names(places: gpd.GeoDataFrame, nameless: dict[str, str]) -> list[str]:
    """Return the real names; for places without one, the kind, the zone and a running number within the zone."""
    without = places.name == ""
    number = places[without].groupby(["kind", "zone"]).cumcount().add(1).reindex(places.index)
    return [
        name or f"{nameless[kind]}({zone}{int(n)})"
        for name, kind, zone, n in zip(places.name, places.kind, places.zone, number, strict=True)
    ]


# ------------------------------------------------------------------------------------------------------- existing and new

N_SITES = 39
"""Dongyang's number of rest points (domain: 39 along the main roads of the core urban area)."""
APART_M = 120

BANKING_HOURS = {
    "中国农业银行": "Mo-Fr 09:00-17:00; Sa,Su 09:00-16:00",
    "中国工商银行": "Mo-Fr 09:00-17:00; Sa,Su 09:30-16:00",
    "中国建设银行": "Mo-Fr 08:30-17:00; Sa,Su 09:00-16:00",
    "中国银行": "Mo-Fr 09:00-17:00; Sa 09:00-16:00",
    "招商银行": "Mo-Fr 09:00-17:00; Sa,Su 09:00-17:00",
}
OTHER_BANKING_HOURS = "Mo-Fr 09:00-17:00; Sa,Su 10:00-16:00"


def choose_existing(hosts: gpd.GeoDataFrame) -> np.ndarray:
    """Return which hosts are taken to be the 39 existing rest points.

    The pattern of Dongyang: named bank branches along the main streets, nearest to one first, never two at one corner.
    """
    order = hosts[(hosts.kind == "银行") & (hosts.name != "")].sort_values(["to_main_m", "osm_id"]).index
    chosen: list[int] = []
    for place in order:
        apart = hosts.geometry[chosen].distance(hosts.geometry[place]) >= APART_M
        if apart.all():
            chosen.append(place)
        if len(chosen) == N_SITES:
            break
    return hosts.index.isin(chosen)


def sites_table(hosts: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the sheet 现状站点. Every eighth is shared: signage and two chairs, and no water dispenser."""
    number = np.arange(1, len(hosts) + 1)
    shared = number % 8 == 0
    well_kept = number % 5 == 0
    brand = hosts.host.str.replace(r"^中国(?=.{2,}银行)", "", regex=True)
    name = brand + hosts.zone + "爱心休息点"
    again = name.groupby(name).cumcount()
    name = name.where(again == 0, name + "(" + (again + 1).astype(str) + ")")
    return pd.DataFrame(
        {
            "编号": [f"A{n:02d}" for n in number],
            "名称": name,
            "级别": "乡镇街道",
            "阵地类型": "爱心休息点",
            "类别": "银行",
            "依托单位": hosts.host,
            "建设方式": np.where(shared, "共享", "共建"),
            "开放时间": [bank_hours(host) for host in hosts.host],
            "服务项目": np.select([shared, well_kept], ["歇脚", "歇脚;饮水;充电"], "歇脚;饮水"),
            "座位数": np.where(well_kept, 4, 2),
            "地址": "",
            **_degrees(hosts),
            "来源": "OSM " + hosts.osm_id,
            "备注": NOTE_SITE,
        }
    )


CENTRE, VENUE = "职工服务中心", "活动阵地"
CULTURE = "歇脚;饮水;如厕"
# Where a city, its districts, clusters and enterprises are taken to have a site (illustrative).
# OpenStreetMap id, place, tier, role, kind, hours, services, seats.
HIGHER: tuple[tuple[str, str, str, str, str, str, str, int], ...] = (
    ("1880547287", "武汉市群众艺术馆", "市级", CENTRE, "文化馆", "Tu-Su 09:00-17:00", CULTURE + ";热饭;充电", 20),
    ("494588332", "武汉市图书馆", "市级", VENUE, "图书馆", "Tu-Su 09:00-21:00", CULTURE, 30),
    ("773689478", "武汉市青少年宫", "市级", VENUE, "青少年宫", "We-Su 09:00-17:00", CULTURE, 20),
    ("236672647", "武昌区人民政府", "县区", CENTRE, "机关", "Mo-Fr 09:00-17:00", "歇脚;饮水;如厕;充电", 10),
    ("1882003788", "江岸区少年儿童图书馆", "县区", VENUE, "图书馆", "Tu-Su 09:00-17:00", CULTURE, 16),
    ("908271289", "武昌区少儿图书馆", "县区", VENUE, "图书馆", "Tu-Su 09:00-17:00", CULTURE, 16),
    ("106474269", "洪山区青少年科技活动中心", "县区", VENUE, "青少年宫", "We-Su 09:00-17:00", CULTURE, 16),
    ("967195310", "汉阳造", "工业集聚区", CENTRE, "产业园区", "Mo-Su 08:00-20:00", "歇脚;饮水;热饭;充电", 12),
    ("366054971", "武汉铁路局", "企业", CENTRE, "企业", "Mo-Fr 07:30-18:30", "歇脚;饮水;热饭;充电", 12),
    ("1227724524", "中铁建工集团职工之家", "企业", VENUE, "企业", "Mo-Su 08:00-20:00", CULTURE, 10),
)
EVERY_OFFICE = 4
"""One sub-district office of so many is taken to run a service centre already."""

# Clusters and enterprises: OpenStreetMap id, name, tier and front-line staff (illustrative).
ENTERPRISES: tuple[tuple[str, str, str, int], ...] = (
    ("967195310", "汉阳造", "工业集聚区", 120),
    ("1236249423", "华中小龟山金融文化公园", "工业集聚区", 90),
    ("1280768416", "云尚武汉国际时尚中心", "工业集聚区", 150),
    ("1101962289", "武汉天地企业中心", "工业集聚区", 110),
    ("1071699812", "中铁第四勘察设计院集团有限公司", "企业", 60),
    ("1094546666", "武汉世通物流股份有限公司", "企业", 40),
    ("1225915144", "武汉公交集团第七运营公司", "企业", 80),
    ("1227075455", "中铁大桥局股份有限公司设计分公司", "企业", 30),
    ("1227075460", "武汉汉阳供电公司", "企业", 45),
    ("1227724524", "中铁建工集团", "企业", 50),
    ("366054971", "武汉铁路局", "企业", 70),
    ("1094546680", "长江武汉航道工程局", "企业", 40),
    ("1058246206", "湖北华电武昌热电有限公司", "企业", 60),
    ("230480993", "武汉塑料二厂", "企业", 35),
    ("472459483", "中国邮政武昌枢纽", "企业", 60),
)


def offices_with_centre(hosts: gpd.GeoDataFrame) -> np.ndarray:
    """Return which hosts are sub-district offices that are taken to run a service centre already."""
    office = (hosts.kind == "街道办事处").to_numpy()
    return office & (np.cumsum(office) % EVERY_OFFICE == 1)


def centres_table(offices: gpd.GeoDataFrame, points: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the rows of the sheet 现状站点 that follow the rest points: service centres and venues of all five tiers."""
    higher = pd.DataFrame(HIGHER, columns=["osm_id", "host", "tier", "role", "kind", "hours", "services", "seats"])
    higher = (
        points[["osm_id", "geometry"]].merge(higher, on="osm_id").set_index("osm_id").loc[higher.osm_id].reset_index()
    )
    own = higher.host.str.contains(r"^.{2,3}区人民政府$")
    higher["name"] = (higher.host.str.removesuffix("人民政府") + CENTRE).where(
        own, higher.host + "职工" + higher.role.str.removeprefix("职工")
    )
    at_office = offices.assign(
        tier="乡镇街道",
        role=CENTRE,
        hours="Mo-Fr 09:00-17:00",
        services="歇脚;饮水;充电",
        seats=8,
        name=offices.host.str.removesuffix("办事处") + CENTRE,
    )
    every = pd.concat([higher, at_office], ignore_index=True)
    every = gpd.GeoDataFrame(every, geometry="geometry", crs=CRS)
    return pd.DataFrame(
        {
            "编号": [f"B{n:02d}" for n in range(1, len(every) + 1)],
            "名称": every["name"],
            "级别": every.tier,
            "阵地类型": every.role,
            "类别": every.kind,
            "依托单位": every.host,
            "建设方式": np.where(every.role == VENUE, "共享", "共建"),
            "开放时间": every.hours,
            "服务项目": every.services,
            "座位数": every.seats,
            "地址": "",
            **_degrees(every),
            "来源": "OSM " + every.osm_id,
            "备注": NOTE_SITE,
        }
    )


def enterprises_table(points: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return enterprises.csv: real clusters and enterprises with an assumed number of front-line staff."""
    places = enterprises_of(points)
    return pd.DataFrame(
        {
            "编号": [f"E{n:02d}" for n in range(1, len(places) + 1)],
            "名称": places["name"],
            "级别": places.tier,
            "职工数": places.staff,
            **_degrees(places),
            "来源": "OSM " + places.osm_id,
            "备注": NOTE_ENTERPRISE,
        }
    )


def enterprises_of(points: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the clusters and enterprises with their place and zone."""
    listed = pd.DataFrame(ENTERPRISES, columns=["osm_id", "name", "tier", "staff"])
    places = points.set_index("osm_id").loc[listed.osm_id]
    return gpd.GeoDataFrame(
        listed.assign(zone=places.zone.to_numpy()), geometry=places.geometry.to_numpy(), crs=points.crs
    )


def enterprise_hosts(points: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the clusters and enterprises without a site as candidate hosts."""
    places = enterprises_of(points)
    places = places[~places.osm_id.isin([row[0] for row in HIGHER])]
    kind = places.tier.map({"工业集聚区": "产业园区", "企业": "企业"})
    return places.assign(kind=kind, host=places["name"], to_main_m=np.nan, role=CENTRE)


def candidates_table(hosts: gpd.GeoDataFrame, modes: dict[str, str]) -> pd.DataFrame:
    """Return candidates.csv. A candidate offers workers nothing yet: services and seats come with an option."""
    hosts = hosts.assign(rank=hosts.kind.map({kind: n for n, kind in enumerate((*KINDS.values(), "产业园区", "企业"))}))
    hosts = hosts.sort_values("rank", kind="stable", ignore_index=True)
    return pd.DataFrame(
        {
            "编号": [f"C{n:03d}" for n in range(1, len(hosts) + 1)],
            "名称": _told_apart(hosts.host, hosts.zone),
            "级别": hosts.kind.map({"产业园区": "工业集聚区", "企业": "企业"}).fillna("乡镇街道"),
            "阵地类型": np.where(hosts.kind.isin(["街道办事处", "产业园区", "企业"]), CENTRE, "爱心休息点"),
            "类别": hosts.kind,
            "依托单位": hosts.host,
            "建设方式": "",
            "开放时间": [host_hours(*host) for host in zip(hosts.kind, hosts.host, hosts.to_main_m, strict=True)],
            "服务项目": "",
            "座位数": "",
            "地址": "",
            **_degrees(hosts),
            "来源": "OSM " + hosts.osm_id,
            "备注": NOTE_CANDIDATE,
            "可选方式": hosts.kind.map(modes),
        }
    )


def _told_apart(name: pd.Series, zone: pd.Series) -> pd.Series:
    """Add the zone, then a running number, to the names of chains: ``中国银行(一元街道)``."""
    name = name.where(~name.duplicated(keep=False), name + "(" + zone + ")")
    number = (name.groupby(name).cumcount() + 1).astype(str)
    return name.where(~name.duplicated(keep=False), name.str.removesuffix(")") + number + ")")


def bank_hours(host: str) -> str:
    """Return a bank's opening hours by its brand: banks open from 9 to 17 and shorter at weekends."""
    brands = [brand for brand in BANKING_HOURS if host.startswith(brand)]
    return BANKING_HOURS[brands[0]] if brands else OTHER_BANKING_HOURS


def host_hours(kind: str, host: str, to_main_m: float) -> str:
    """Return a host's own opening hours by its kind."""
    match kind:
        case "银行":
            return bank_hours(host)
        case "邮局":
            return "Mo-Su 09:00-17:00"
        case "街道办事处":
            return "Mo-Fr 09:00-17:00"
        case "派出所" | "医院":
            return "24/7"
        case "公共厕所":
            return "24/7" if to_main_m <= 60 else "Mo-Su 05:00-23:00"
        case "超市":
            return "Mo-Su 08:00-22:00"
        case "产业园区":
            return "Mo-Su 08:00-20:00"
        case "企业":
            return "Mo-Fr 08:00-18:00"
        case "便利店":
            return "Mo-Su 07:00-23:00" if host.startswith("便利店") else "24/7"
        case _:
            raise ValueError(kind)


def _degrees(places: gpd.GeoDataFrame) -> dict[str, np.ndarray]:
    """WGS-84 (CGCS2000 within centimetres)."""
    there = places.geometry.to_crs("EPSG:4326")
    return {"经度": there.x.round(7).to_numpy(), "纬度": there.y.round(7).to_numpy()}


# ---------------------------------------------------------------------------------------------------------------- options

OPTION_COLUMNS = (
    "动作", "类别", "建设方式", "开放时间", "服务项目", "座位数", "建设费(万元)", "年运营费(万元)", "级别", "说明",
)  # fmt: skip
HOSTED = "示意:参照依托式站点 0.56–2.67 万元;"
SIGNAGE = "示意:共享只挂牌、开放现有空间;"
OWN = "示意:费用为假定,无公布标准;"
KIT = "歇脚;饮水;如厕;热饭;充电"
OPTIONS: tuple[tuple[str, str, str, str, str, int, float, float, str], ...] = (
    ("新建", "银行", "共建", "", "歇脚;饮水", 4, 1.0, 0.4, HOSTED + "随银行营业时间"),
    ("新建", "银行", "共享", "", "歇脚", 2, 0.3, 0.2, SIGNAGE + "无饮水机"),
    ("新建", "邮局", "共建", "", "歇脚;饮水;充电", 4, 1.2, 0.4, HOSTED + "随邮局营业时间"),
    ("新建", "邮局", "共享", "", "歇脚;饮水", 2, 0.3, 0.4, SIGNAGE + "用邮局现有饮水机"),
    ("新建", "街道办事处", "联建", "Mo-Su 04:00-22:00", KIT, 8, 2.6, 0.9, OWN + "各方分担,单设出入口"),
    ("新建", "街道办事处", "共建", "Mo-Su 06:00-20:00", "歇脚;饮水;热饭;充电", 6, 1.8, 0.7, HOSTED + "付费延长开放"),
    ("新建", "街道办事处", "共享", "", "歇脚;饮水", 4, 0.4, 0.4, SIGNAGE + "随机关办公时间"),
    ("新建", "派出所", "联建", "", "歇脚;饮水;充电;急救箱", 4, 2.4, 0.5, OWN + "临街单设一间,全天开放"),
    ("新建", "派出所", "共享", "Mo-Fr 09:00-17:00", "歇脚;饮水", 2, 0.3, 0.4, SIGNAGE + "只开放办事大厅"),
    ("新建", "公共厕所", "联建", "Mo-Su 04:00-22:00", KIT, 6, 2.8, 0.8, OWN + "公厕管理间改造,环卫部门分担"),
    ("新建", "公共厕所", "自建", "24/7", KIT + ";急救箱", 10, 9.6, 1.6, OWN + "贴建 20 m² 独立驿站,智能门禁"),
    ("新建", "医院", "共建", "", "歇脚;饮水;如厕;热饭", 6, 2.2, 0.6, HOSTED + "急诊旁设点,全天开放"),
    ("新建", "医院", "共享", "Mo-Sa 08:00-17:00", "歇脚;饮水;如厕", 4, 0.4, 0.5, SIGNAGE + "只开放门诊大厅"),
    ("新建", "超市", "共建", "", "歇脚;饮水;充电", 4, 1.5, 0.5, HOSTED + "随超市营业时间"),
    ("新建", "超市", "共享", "", "歇脚", 2, 0.3, 0.2, SIGNAGE + "无饮水机"),
    ("新建", "便利店", "共建", "", "歇脚;饮水;热饭;充电", 4, 1.6, 0.6, HOSTED + "随便利店营业时间"),
    ("新建", "便利店", "共享", "Mo-Su 07:00-23:00", "歇脚", 2, 0.3, 0.2, SIGNAGE + "无饮水机"),
    ("新建", "产业园区", "联建", "Mo-Su 06:00-22:00", KIT, 10, 3.2, 0.9, OWN + "园区分担,面向园区职工"),
    ("新建", "企业", "共建", "Mo-Su 06:00-20:00", "歇脚;饮水;热饭;充电", 6, 1.6, 0.6, HOSTED + "企业提供场地,对外开放"),
    ("错时延时", "银行", "整合", "Mo-Su 05:00-22:00", "歇脚;饮水;充电", 4, 1.2, 1.1, OWN + "自助区错时开放,AB 岗"),
    ("错时延时", "银行", "整合", "Mo-Su 04:30-17:00", "歇脚;饮水", 4, 0.6, 0.6, OWN + "只补早班,AB 岗"),
)


def options_table() -> pd.DataFrame:
    """Return the sheet 建设方式. A blank 开放时间 means the host's own hours, a blank 级别 the place's own tier."""
    rows = [(*row[:8], "", row[8]) for row in OPTIONS]
    return pd.DataFrame(rows, columns=list(OPTION_COLUMNS))


def modes_by_kind() -> dict[str, str]:
    """Return the modes in which each kind of host may be built: ``{"银行": "共建;共享"}``."""
    new = options_table().query("动作 == '新建'")
    return new.groupby("类别").建设方式.agg(lambda modes: ";".join(dict.fromkeys(modes))).to_dict()


# ---------------------------------------------------------------------------------------------------------------- outdoor

# What draws couriers, porters and sales staff, and how many of them (illustrative): kind and people a place.
OUTDOOR: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("restaurant", "fast_food", "cafe", "bar", "pub", "food_court"), ("餐馆", 5)),
    **dict.fromkeys(("mall", "department_store", "market_place"), ("商业区", 24)),
    **dict.fromkeys(("commercial", "retail"), ("商业区", 14)),
    **dict.fromkeys(("supermarket",), ("超市", 12)),
    **dict.fromkeys(
        ("convenience", "clothes", "bookshop", "bakery", "beverages", "chemist", "toy_shop", "car_dealership", "optician",
         "hairdresser", "mobile_phone_shop", "stationery", "shoe_shop", "bicycle_shop", "doityourself"), ("商店", 3)),
    "residential": ("住宅区", 3),
}  # fmt: skip


def outdoor_table(points: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return outdoor.csv: the second group of workers at real shops, restaurants and housing."""
    places = points[points.fclass.isin(list(OUTDOOR))].reset_index(drop=True)
    places["kind"] = [OUTDOOR[fclass][0] for fclass in places.fclass]
    return pd.DataFrame(
        {
            "编号": [f"H{n:03d}" for n in range(1, len(places) + 1)],
            "名称": _names(places, {kind: kind for kind, _ in OUTDOOR.values()}),
            "类别": places.kind,
            "人数": [OUTDOOR[fclass][1] for fclass in places.fclass],
            **_degrees(places),
            "来源": "OSM " + places.osm_id,
        }
    )


# ---------------------------------------------------------------------------------------------------------------- writing

EPOCH = "2024-01-01T00:00:00.000Z"
"""The date that the written files carry inside: that of the data, so that two runs give the same bytes."""


def write_layer(frame: gpd.GeoDataFrame, file: Path) -> None:
    """Write a GeoPackage of one layer that is named like the file."""
    file.unlink(missing_ok=True)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": EPOCH})
    frame.to_file(file, layer=file.stem, driver="GPKG", engine="pyogrio", SPATIAL_INDEX="NO")


def write_csv(frame: pd.DataFrame, file: Path) -> None:
    """Write UTF-8 with a byte-order mark, which Excel in China needs to read it right."""
    file.write_bytes(frame.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig"))


def write_sheet(frame: pd.DataFrame, file: Path, sheet: str) -> None:
    """Write an Excel workbook with one sheet, headings frozen."""
    book = Workbook()
    page = book.active
    page.title = sheet
    page.append(list(frame.columns))
    for row in frame.itertuples(index=False):
        page.append([None if value == "" else value for value in map(_plain, row)])
    for number, column in enumerate(frame, 1):
        widest = max(frame[column].astype(str).map(_width).max(), _width(column))
        page.column_dimensions[get_column_letter(number)].width = min(widest + 2, 60)
        page.cell(1, number).font = Font(bold=True)
        page.cell(1, number).alignment = Alignment(horizontal="center")
    page.freeze_panes = "A2"
    file.write_bytes(_without_clock(book))


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _width(text: str) -> int:
    return sum(1 if ord(letter) < 256 else 2 for letter in text)


def _without_clock(book: Workbook) -> bytes:
    """Return the workbook's bytes with the times of writing set to `EPOCH`."""
    written, steady = io.BytesIO(), io.BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as old, zipfile.ZipFile(steady, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            body = old.read(name)
            if name == "docProps/core.xml":
                body = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", EPOCH.replace(".000", "").encode(), body)
            new.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), body, zipfile.ZIP_DEFLATED)
    return steady.getvalue()


def build(source: Path, target: Path) -> None:
    """Write the study's files, all but study.toml, into the folder ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    streets = streets_near(source)
    zones = zones_of(raw_points(source))
    points = points_of(source, zones)
    hosts = hosts_of(points, streets)
    existing = choose_existing(hosts)
    centres = offices_with_centre(hosts)
    sites = sites_table(hosts[existing].reset_index(drop=True))
    sites = pd.concat([sites, centres_table(hosts[centres].reset_index(drop=True), points)], ignore_index=True)
    new = pd.concat([hosts[~existing & ~centres], enterprise_hosts(points)], ignore_index=True)

    write_layer(streets, target / "streets.gpkg")
    write_layer(zones, target / "zones.gpkg")
    write_layer(rivers(streets, points), target / "water.gpkg")
    write_sheet(sites, target / "sites.xlsx", "现状站点")
    write_csv(candidates_table(new, modes_by_kind()), target / "candidates.csv")
    write_sheet(options_table(), target / "options.xlsx", "建设方式")
    write_csv(outdoor_table(points), target / "outdoor.csv")
    write_csv(enterprises_table(points), target / "enterprises.csv")


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description="Build the embedded study data/wuhan from the raw extracts.")
    parser.add_argument("--source", type=Path, default=DEFAULT_SOURCE, help="folder with the raw files")
    parser.add_argument("--out", type=Path, default=TARGET, help="folder to write into")
    options = parser.parse_args()
    build(options.source, options.out)


if __name__ == "__main__":
    main()
