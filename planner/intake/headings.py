"""Headings as people write them -> the fields they mean.

Takes a row of headings, gives which column holds which field. What is recognised is shown to the user and overruled by
``[sites.columns]`` in study.toml.
"""

import re
from collections.abc import Mapping, Sequence

from planner.intake.cells import plain
from planner.words import Lang

# Compared without case, spaces, datum words and what stands in brackets; where several fit, the first of a field's list wins.
HEADINGS: dict[str, tuple[str, ...]] = {
    "id": ("编号", "站点编号", "点位编号", "驿站编号", "id", "code", "编码", "代码", "no", "序号"),
    "name": ("名称", "站点名称", "name", "点位名称", "驿站名称", "阵地名称", "休息点名称", "网点名称", "站点", "点位", "站名"),
    "tier": ("级别", "层级", "站点级别", "tier", "level"),
    "kind": ("类别", "类型", "站点类型", "场所类型", "kind", "type", "category"),
    "role": ("阵地类型", "阵地类别", "站点功能", "role"),
    "host": ("依托单位", "host", "依托单位名称", "承建单位", "所属银行"),
    "mode": ("建设方式", "mode", "建设模式"),
    "modes": ("可选方式", "可选建设方式", "modes"),
    "opening_hours": ("开放时间", "openinghours", "hours", "营业时间", "服务时间", "开放时段"),
    "services": ("服务项目", "services", "服务内容", "设施", "配置设施"),
    "capacity": ("座位数", "服务能力", "capacity", "seats", "座位"),
    "floor_area_m2": ("建筑面积", "站点面积", "使用面积", "室内面积", "floorarea", "floorareamm2", "floorspace"),
    "kit_level": ("配置等级", "配置档次", "站点等级", "kitlevel", "kit"),
    "address": ("地址", "address", "详细地址", "站点地址", "具体地址", "具体位置", "位置"),
    "zone": ("所属镇街", "镇街", "乡镇街道", "所属街道", "镇(街道)", "街道", "乡镇", "所属区域", "区域", "社区", "网格", "zone", "town"),
    "lon": ("经度", "东经", "lng", "lon", "long", "longitude", "x", "x坐标", "坐标x", "东坐标", "横坐标", "easting"),
    "lat": ("纬度", "北纬", "lat", "latitude", "y", "y坐标", "坐标y", "北坐标", "纵坐标", "northing"),
    "coordinates": ("坐标", "经纬度", "经纬度坐标", "坐标位置", "地理坐标", "点位坐标", "定位", "coordinates", "location", "lnglat",
                    "latlng", "wkt"),
    "weight": ("人数", "权重", "workers", "weight", "people", "服务人数", "职工人数", "职工数", "employees", "环卫工人数", "覆盖人数"),
    "surveyed": ("调查人数", "样本数", "问卷数", "有效问卷", "surveyed", "respondents"),
    "aware": ("知晓人数", "知道人数", "aware"),
    "took_part": ("参与人数", "使用人数", "去过人数", "tookpart", "participants"),
    "satisfied": ("满意人数", "satisfied"),
    "visits": ("日均到访", "日均人次", "日均服务人次", "到访人次", "日均到访人次", "visits", "visitsaday"),
    "action": ("动作", "action"),
    "capital_cost": ("建设费", "建设投资", "capitalcost", "建设费用", "投资估算"),
    "operating_cost": ("年运营费", "运营经费", "operatingcost", "年运营费用", "运营费"),
    "note": ("备注", "说明", "note", "notes", "remark"),
    "origin": ("来源", "数据来源", "坐标来源", "source"),
    "road": ("道路名称", "路名", "道路", "路段名称", "路段", "road", "street"),
    "road_from": ("起点", "起", "起始", "起点位置", "from"),
    "road_to": ("终点", "止", "讫", "终止", "终点位置", "to"),
    "width_m": ("宽度", "清扫宽度", "保洁宽度", "路宽", "道路宽度", "width", "widthm"),
    "length_m": ("长度", "道路长度", "保洁长度", "清扫长度", "length", "lengthm"),
    "area_m2": ("保洁面积", "清扫面积", "面积", "area", "areamm2", "sweptaream2"),
    "road_class": ("道路等级", "保洁等级", "清扫等级", "等级", "class"),
}  # fmt: skip

# A longer heading that ends so means the same: "环卫驿站名称", "详细地址", "道班工人数".
_ENDINGS = {"名称": "name", "地址": "address", "经度": "lon", "纬度": "lat", "人数": "weight", "编号": "id", "经纬度": "coordinates",
            "开放时间": "opening_hours", "营业时间": "opening_hours"}  # fmt: skip
_DATUM_WORDS = {
    "BD-09": r"百度|baidu|bd[-_ ]?0?9(ll)?",
    "GCJ-02": r"高德|腾讯|火星|amap|gcj[-_ ]?0?2",
    "CGCS2000": r"cgcs[-_ ]?2000|国家2000|大地2000|2000坐标",
    "WGS-84": r"wgs[-_ ]?(19)?84|gps|天地图",
}


def bare(heading: str) -> str:
    """Return a heading without case, spaces, signs, datum words and brackets: "建设费(万元)*" -> "建设费"."""
    short = re.sub(r"\(.*?\)|[\s_\-*:°]", "", plain(heading).lower())
    stripped = re.sub("|".join(re.sub(r"\[.*?\]\?", "", words) for words in _DATUM_WORDS.values()), "", short)
    return stripped or short


def unit_of(heading: str) -> str:
    """Return what stands in a heading's brackets: "建设费(万元)" -> "万元"; empty where there are none."""
    found = re.search(r"\(([^()]*)\)\s*\*?$", plain(heading))
    return found[1].strip().lower() if found else ""


def declared_datum(text: str) -> str:
    """Return the datum that words name ("gcj02_lng", "百度坐标"), or "" where they name none or several."""
    named = [datum for datum, words in _DATUM_WORDS.items() if re.search(words, plain(text).lower())]
    return named[0] if len(named) == 1 else ""


def heading_of(field: str, lang: Lang) -> str:
    """Return the heading of a field in our own tables: the first of its words, in Latin letters for English."""
    words = HEADINGS[field]
    return words[0] if lang == "zh" else next(word for word in words if word.isascii())


def field_of(heading: str) -> str:
    """Return the field a heading means, or "" where it means none."""
    short = bare(heading)
    exact = (field for field, words in HEADINGS.items() if short in words)
    ending = (field for end, field in sorted(_ENDINGS.items(), key=lambda e: -len(e[0])) if short.endswith(end))
    return next(exact, next(ending, ""))


def recognise(headings: Sequence[str], overrules: Mapping[str, str]) -> dict[int, str]:
    """Return the field of each column that has one; each field once.

    Args:
        headings: as they stand in the file.
        overrules: field -> the user's heading, from study.toml; these come before anything recognised. "" where the table has no
            such field, whatever its headings look like.
    """
    fields: dict[int, str] = {}
    for field, wanted in overrules.items():
        for column, heading in enumerate(headings):
            if wanted and plain(heading) == plain(wanted) and column not in fields:
                fields[column] = field
                break
    best: dict[str, tuple[int, int, int]] = {}
    for column, heading in enumerate(headings):
        field = field_of(heading) if heading.strip() and column not in fields else ""
        if field and field not in overrules:
            words, short = HEADINGS[field], bare(heading)
            # True degrees before shifted ones, where a table has both; then the word that says it best; then the first.
            shifted = declared_datum(heading) in ("GCJ-02", "BD-09")
            rank = (int(shifted), words.index(short) if short in words else len(words), column)
            best[field] = min(best.get(field, rank), rank)
    return fields | {rank[2]: field for field, rank in best.items()}
