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
    "id": ("编号", "站点编号", "点位编号", "驿站编号", "id", "code", "编码", "代码", "站点代码", "no", "序号"),
    "name": ("名称", "站点名称", "name", "点位名称", "驿站名称", "阵地名称", "休息点名称", "网点名称", "站点", "点位", "站名", "网点",
             "驿站", "sitename", "stationname", "site", "station"),
    "tier": ("级别", "层级", "站点级别", "tier", "level"),
    "kind": ("类别", "类型", "站点类型", "场所类型", "kind", "type", "category", "站点类别", "场所类别", "场所性质", "点位类型",
             "依托类型", "单位性质", "单位类型"),
    "role": ("阵地类型", "阵地类别", "站点功能", "role"),
    "host": ("依托单位", "host", "依托单位名称", "承建单位", "所属银行", "依托场所", "承办单位", "共建单位", "挂靠单位", "所属单位",
             "operator"),
    "mode": ("建设方式", "mode", "建设模式"),
    "modes": ("可选方式", "可选建设方式", "modes"),
    "opening_hours": ("开放时间", "openinghours", "hours", "营业时间", "服务时间", "开放时段", "服务时段", "开门时间", "openingtimes",
                      "businesshours"),
    "services": ("服务项目", "services", "服务内容", "设施", "配置设施", "服务设施", "配备设施", "配套设施", "设施设备", "服务功能",
                 "facilities", "amenities"),
    "capacity": ("座位数", "服务能力", "capacity", "seats", "座位", "座椅数", "座位数量", "座椅数量", "容纳人数", "可容纳人数",
                 "接待能力"),
    "floor_area_m2": ("建筑面积", "站点面积", "使用面积", "室内面积", "floorarea", "floorareamm2", "floorspace"),
    "kit_level": ("配置等级", "配置档次", "站点等级", "kitlevel", "kit"),
    "address": ("地址", "address", "详细地址", "站点地址", "具体地址", "具体位置", "位置"),
    "zone": ("所属镇街", "镇街", "乡镇街道", "所属街道", "镇(街道)", "街道", "乡镇", "所属区域", "区域", "社区", "网格", "zone", "town",
             "所在街道", "所在乡镇", "所属乡镇", "所在镇街", "所属乡镇街道", "镇街名称", "街道名称", "乡镇名称", "社区名称", "网格名称",
             "分区", "分区名称", "所属社区", "所在社区", "township", "subdistrict"),
    "lon": ("经度", "东经", "lng", "lon", "long", "longitude", "x", "x坐标", "坐标x", "东坐标", "横坐标", "easting", "pointx", "经度坐标",
            "lng84", "lon84"),
    "lat": ("纬度", "北纬", "lat", "latitude", "y", "y坐标", "坐标y", "北坐标", "纵坐标", "northing", "pointy", "纬度坐标", "lat84"),
    "coordinates": ("坐标", "经纬度", "经纬度坐标", "坐标位置", "地理坐标", "点位坐标", "定位", "coordinates", "location", "lnglat",
                    "latlng", "wkt", "位置坐标", "地图坐标", "gps", "lonlat", "latlon", "geometry"),
    "weight": ("人数", "权重", "workers", "weight", "people", "服务人数", "职工人数", "职工数", "employees", "环卫工人数", "覆盖人数",
               "环卫工人数量", "人员数量", "职工总数", "员工数", "从业人员", "环卫工", "环卫工人", "保洁员", "保洁人员", "保洁员数",
               "工人数", "人数合计", "用工数", "headcount", "sweepers", "staff", "employeecount", "numberofworkers", "numberofemployees"),
    "surveyed": ("调查人数", "样本数", "问卷数", "有效问卷", "surveyed", "respondents"),
    "aware": ("知晓人数", "知道人数", "aware"),
    "took_part": ("参与人数", "使用人数", "去过人数", "tookpart", "participants"),
    "satisfied": ("满意人数", "satisfied"),
    "visits": ("日均到访", "日均人次", "日均服务人次", "到访人次", "日均到访人次", "visits", "visitsaday"),
    "action": ("动作", "建设内容", "action"),
    "capital_cost": ("建设费", "建设投资", "capitalcost", "建设费用", "投资估算"),
    "operating_cost": ("年运营费", "运营经费", "operatingcost", "年运营费用", "运营费"),
    "action_id": ("行动编号", "actionid"),
    "year": ("建设年度", "计划年度", "年度", "建设年份", "year"),
    "progress": ("进展", "进展状态", "建设进展", "建设状态", "进度", "状态", "progress", "status"),
    "actual_cost": ("实际费用", "实际投资", "实际造价", "决算金额", "实际建设费", "actualcost"),
    "community": ("社区/网格", "社区网格", "所属社区", "community"),
    "funding": ("资金来源", "经费来源", "funding", "sourceoffunds"),
    "lead_unit": ("责任单位", "牵头单位", "leadunit"),
    "support_unit": ("配合单位", "协办单位", "supportunit"),
    "due": ("完成时限", "完成时间", "due"),
    "note": ("备注", "说明", "note", "notes", "remark"),
    "origin": ("来源", "数据来源", "坐标来源", "source"),
    "dated": ("数据日期", "dated", "更新时间", "更新日期", "采集时间", "采集日期", "调查时间", "调查日期", "填报时间", "填报日期",
              "统计时间", "统计日期", "数据时间", "核实日期", "updated", "lastupdated", "asof"),
    "road": ("道路名称", "路名", "道路", "路段名称", "路段", "road", "street", "道路名", "街路名称", "保洁道路", "清扫道路", "作业道路",
             "roadname", "streetname"),
    "road_from": ("起点", "起", "起始", "起点位置", "from", "起点名称", "起点道路", "起点路口", "起始路口", "起始点", "起始位置",
                  "fromstreet"),
    "road_to": ("终点", "止", "讫", "终止", "终点位置", "to", "终点名称", "终点道路", "终点路口", "终止路口", "讫点", "止点", "终止点",
                "终止位置", "tostreet"),
    "road_span": ("起止点", "起讫点", "起止路段", "起讫路段", "起止位置", "起讫位置", "起止地点", "起讫地点", "起止", "起讫", "路段起止",
                  "起止路口", "起止范围", "保洁范围", "清扫范围", "保洁路段", "清扫路段", "作业范围", "span", "extent"),
    "width_m": ("宽度", "清扫宽度", "保洁宽度", "路宽", "道路宽度", "width", "widthm", "平均宽度", "路面宽度"),
    "length_m": ("长度", "道路长度", "保洁长度", "清扫长度", "length", "lengthm", "路长", "全长", "里程", "路段长度"),
    "area_m2": ("保洁面积", "清扫面积", "面积", "area", "areamm2", "sweptaream2", "areasqm", "清扫保洁面积", "作业面积", "道路面积"),
    "road_class": ("道路等级", "保洁等级", "清扫等级", "等级", "class"),
}  # fmt: skip

# A longer heading that ends so means the same: "环卫驿站名称", "详细地址", "道班工人数".
_ENDINGS = {"名称": "name", "地址": "address", "经度": "lon", "纬度": "lat", "人数": "weight", "编号": "id", "经纬度": "coordinates",
            "开放时间": "opening_hours", "营业时间": "opening_hours", "时间段": "opening_hours"}  # fmt: skip
_DATUM_WORDS = {
    "BD-09": r"百度|baidu|bd[-_ ]?0?9(ll)?",
    "GCJ-02": r"高德|腾讯|火星|amap|gcj[-_ ]?0?2",
    "CGCS2000": r"cgcs[-_ ]?2000|国家2000|大地2000|2000坐标",
    "WGS-84": r"wgs[-_ ]?(19)?84|gps|天地图",
}


def bare(heading: str) -> str:
    """Return a heading without case, spaces, signs, datum words and brackets: "建设费(万元)*" -> "建设费"."""
    short = re.sub(r"\([^()]*\)|[\s_\-*:°]", "", plain(heading).lower())
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
