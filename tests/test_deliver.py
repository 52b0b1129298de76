import dataclasses
import json
import re
import zipfile
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import shapely
import small_study as small

from planner.deliver import write_set
from planner.pipeline import Result, run
from planner.study import load_study
from planner.words import LANGS, Lang, say


@pytest.fixture(scope="module")
def with_island(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return the small study's result with a swept street that no other street leads to:

    A──B──C──D
    │  │  │  │            X──Y     3 km east of D, in zone O
    E──F──G──H
    """
    folder = small.write(tmp_path_factory.mktemp("island"))
    streets, zones = gpd.read_file(folder / "streets.gpkg"), gpd.read_file(folder / "zones.gpkg")
    x, y = small.node("D")
    line = shapely.LineString([(x + 3_000, y - 300), (x + 3_300, y - 300)])
    island = gpd.GeoDataFrame({"id": ["XY"], "highway": ["residential"], "name": [""]}, geometry=[line], crs=small.CRS)
    pd.concat([streets, island]).to_file(folder / "streets.gpkg")
    west, south, _, north = zones.geometry[1].bounds
    zones.loc[1, "geometry"] = shapely.box(west, south, x + 3_500, north)
    zones.to_file(folder / "zones.gpkg")
    return run(load_study(folder))


@pytest.mark.parametrize("dtype", ["object", "str"])
@pytest.mark.parametrize("lang", LANGS)
def test_what_nobody_can_walk_to_is_said_in_words(with_island: Result, tmp_path: Path, lang: Lang, dtype: str) -> None:
    """Nothing in a column of objects is None, in a column of text it is NaN; either may come from a file."""
    gaps = with_island.gaps.astype(dict.fromkeys(("nearest_site", "remedy", "remedy_site", "remedy_mode"), dtype))
    assert gaps["nearest_site"].isna().any() and gaps["remedy"].isna().any()
    write_set(dataclasses.replace(with_island, gaps=gaps), tmp_path, lang)
    for name, text in shown(tmp_path).items():
        assert not re.search(r"\b(nan|NaN|None|NaT|inf)\b", text), name
        assert say(lang, "reason.unreachable") in text or name == "summary.json", name
    gaps = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["gaps"]
    assert [gap["nearest_site"] for gap in gaps if gap["reason"] == "unreachable"] == [None]


def shown(folder: Path) -> dict[str, str]:
    """What each paper shows, tags and scripts of others left out."""
    with zipfile.ZipFile(folder / "report.docx") as archive:
        document = re.sub(r"<[^>]*>", "\n", archive.read("word/document.xml").decode("utf-8"))
    book = openpyxl.load_workbook(folder / "programme.xlsx", data_only=True)
    cells = (cell.value for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None)
    page = (folder / "map.html").read_text(encoding="utf-8")
    return {
        "report.docx": document,
        "programme.xlsx": "\n".join(map(str, cells)),
        "map.html": re.search(r"window\.plannerData=(.*);</script>", page)[1],
        "summary.json": (folder / "summary.json").read_text(encoding="utf-8"),
    }
