"""Words on a command line -> the area they mean: a box, a boundary file, a code, a place's name.

Takes text; gives a `Region`. Looks nothing up: a name is `overpass`'s or `extract`'s to find.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import shapely

from planner.datum import fitting_crs
from planner.errors import InputError
from planner.intake.cells import plain
from planner.intake.layers import likely_crs, read_raw_layer

# Codes of 中华人民共和国行政区划代码 (GB/T 2260) as names that OpenStreetMap knows, with a longitude and a latitude within, for the
# projected system. The two cities that this was first made for with their neighbours, and that of the embedded study.
CODES: dict[str, tuple[str, float, float]] = {
    "330500": ("浙江省湖州市", 120.0, 30.8),
    "330502": ("浙江省湖州市吴兴区", 120.0, 30.8),
    "330503": ("浙江省湖州市南浔区", 120.3, 30.8),
    "330521": ("浙江省湖州市德清县", 120.0, 30.6),
    "330522": ("浙江省湖州市长兴县", 119.8, 31.0),
    "330523": ("浙江省湖州市安吉县", 119.5, 30.6),
    "330700": ("浙江省金华市", 120.0, 29.1),
    "330702": ("浙江省金华市婺城区", 119.5, 29.0),
    "330703": ("浙江省金华市金东区", 119.8, 29.2),
    "330723": ("浙江省金华市武义县", 119.7, 28.8),
    "330726": ("浙江省金华市浦江县", 119.9, 29.5),
    "330727": ("浙江省金华市磐安县", 120.6, 29.1),
    "330781": ("浙江省金华市兰溪市", 119.5, 29.3),
    "330782": ("浙江省金华市义乌市", 120.0, 29.3),
    "330783": ("浙江省金华市东阳市", 120.4, 29.2),
    "330784": ("浙江省金华市永康市", 120.1, 28.9),
    "420100": ("湖北省武汉市", 114.3, 30.6),
    "420102": ("湖北省武汉市江岸区", 114.3, 30.6),
    "420103": ("湖北省武汉市江汉区", 114.3, 30.6),
    "420104": ("湖北省武汉市硚口区", 114.2, 30.6),
    "420105": ("湖北省武汉市汉阳区", 114.2, 30.5),
    "420106": ("湖北省武汉市武昌区", 114.3, 30.6),
    "420107": ("湖北省武汉市青山区", 114.5, 30.6),
    "420111": ("湖北省武汉市洪山区", 114.5, 30.5),
    "420112": ("湖北省武汉市东西湖区", 114.1, 30.7),
    "420113": ("湖北省武汉市汉南区", 114.0, 30.3),
    "420114": ("湖北省武汉市蔡甸区", 114.0, 30.5),
    "420115": ("湖北省武汉市江夏区", 114.3, 30.3),
    "420116": ("湖北省武汉市黄陂区", 114.3, 31.0),
    "420117": ("湖北省武汉市新洲区", 114.7, 30.8),
}
# How extracts for download are called, by the first two digits of a code and the first two characters of a province's name.
PROVINCES: dict[str, tuple[str, str]] = {
    "11": ("北京", "beijing"), "12": ("天津", "tianjin"), "13": ("河北", "hebei"), "14": ("山西", "shanxi"),
    "15": ("内蒙", "inner-mongolia"), "21": ("辽宁", "liaoning"), "22": ("吉林", "jilin"), "23": ("黑龙", "heilongjiang"),
    "31": ("上海", "shanghai"), "32": ("江苏", "jiangsu"), "33": ("浙江", "zhejiang"), "34": ("安徽", "anhui"),
    "35": ("福建", "fujian"), "36": ("江西", "jiangxi"), "37": ("山东", "shandong"), "41": ("河南", "henan"),
    "42": ("湖北", "hubei"), "43": ("湖南", "hunan"), "44": ("广东", "guangdong"), "45": ("广西", "guangxi"),
    "46": ("海南", "hainan"), "50": ("重庆", "chongqing"), "51": ("四川", "sichuan"), "52": ("贵州", "guizhou"),
    "53": ("云南", "yunnan"), "54": ("西藏", "tibet"), "61": ("陕西", "shaanxi"), "62": ("甘肃", "gansu"),
    "63": ("青海", "qinghai"), "64": ("宁夏", "ningxia"), "65": ("新疆", "xinjiang"), "81": ("香港", "hong-kong"),
    "82": ("澳门", "macau"),
}  # fmt: skip
_NAME_COLUMNS = ("name", "Name", "NAME", "名称")


@dataclass(frozen=True)
class Region:
    """An area somebody asked for.

    Attributes:
        text: what was asked for.
        name: the place's name, where it has to be looked up; "" for a box or a file.
        shapes: polygons with id and name; None where the place has to be looked up.
        middle: a longitude and a latitude within, where they are known without looking up.
    """

    text: str
    name: str
    shapes: gpd.GeoDataFrame | None
    middle: tuple[float, float] | None

    @property
    def crs(self) -> str | None:
        """The projected system that fits the area: its CGCS2000 3-degree zone in China, its UTM zone elsewhere."""
        return fitting_crs(*self.middle) if self.middle else None

    def with_shapes(self, shapes: gpd.GeoDataFrame) -> "Region":
        """Return the region with the polygons that were found for it."""
        return Region(self.text, self.name, shapes, _middle(shapes))


def region_of(text: str) -> Region:
    """Return the area that ``text`` means.

    Args:
        text: west,south,east,north in degrees; a boundary layer; a six-digit code; or a place's name.

    Raises:
        InputError: it is none of these, or a layer without polygons or CRS.
    """
    if Path(text).is_file():
        shapes = _boundary(Path(text))
        return Region(text, "", shapes, _middle(shapes))
    typed = plain(text)  # full-width digits and commas too
    numbers = re.findall(r"-?\d+(?:\.\d+)?", typed) if re.fullmatch(r"[\s\d.,、-]+", typed) else []
    if len(numbers) == 4:
        west, south, east, north = map(float, numbers)
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            raise InputError("area_box", area=text)
        box = gpd.GeoDataFrame({"id": ["Z01"], "name": [""]}, geometry=[shapely.box(west, south, east, north)])
        shapes = box.set_crs("EPSG:4326")
        return Region(text, "", shapes, _middle(shapes))
    if text.strip() in CODES:
        name, lon, lat = CODES[text.strip()]
        return Region(text, name, None, (lon, lat))
    if re.fullmatch(r"\d{6}", text.strip()):
        raise InputError("area_code", code=text.strip())
    if numbers or not text.strip() or Path(text).suffix:
        raise InputError("area_box", area=text)
    return Region(text, text.strip(), None, None)


def extract_for(region: Region) -> str:
    """Return the path, below Geofabrik's download server, of the extract that holds a place: its province's, else all of China's."""
    code = region.text.strip()[:2] if region.text.strip() in CODES else ""
    for digits, (zh, latin) in PROVINCES.items():
        if digits == code or zh in region.name or latin.replace("-", " ") in region.name.lower().replace("-", " "):
            return f"asia/china/{latin}-latest.osm.pbf"
    return "asia/china-latest.osm.pbf"


def _middle(shapes: gpd.GeoDataFrame) -> tuple[float, float]:
    west, south, east, north = shapes.to_crs("EPSG:4326").total_bounds.tolist()
    return (west + east) / 2, (south + north) / 2


def _boundary(path: Path) -> gpd.GeoDataFrame:
    layer = read_raw_layer(path, path.name)
    if layer.crs is None:
        bounds = "–".join(f"{number:.10g}" for number in layer.total_bounds)
        raise InputError("layer_no_crs", file=path.name, numbers=bounds, likely=likely_crs(layer))
    layer = layer[layer.geom_type.isin(["Polygon", "MultiPolygon"])].reset_index(drop=True)
    if layer.empty:
        raise InputError("layer_not_polygons", file=path.name)
    named = next((c for c in _NAME_COLUMNS if c in layer.columns), None)
    names = layer[named].fillna("").astype(str).tolist() if named else [""] * len(layer)
    ids = [f"Z{n + 1:02d}" for n in range(len(layer))]
    shapes = shapely.force_2d(shapely.make_valid(layer.geometry.to_numpy()))
    return gpd.GeoDataFrame({"id": ids, "name": names}, geometry=shapes, crs=layer.crs)
