"""Draw the golden sheets: ``python tests/draw/golden.py`` writes tests/draw/golden/PLACE-SHEET-LANG.png.

Three places: the core of Wuhan (the embedded study whole), a clip of it that a river splits, and a clip of 2 km where stations are dense.
Look at every sheet that changes, large (``--dpi 150 --out DIR``), before it is committed; golden/README.md has the notes.
"""

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import shapely
from PIL import Image, ImageChops

from planner.draw import ground, pen, sheet, themes
from planner.embedded import folder
from planner.pipeline import Result, run
from planner.study import load_study
from planner.words import LANGS, Lang, say

GOLDEN = Path(__file__).resolve().parent / "golden"
SHEETS = ("existing", "effective", "gaps", "layout", "year-2028")
DPI = 30
# What a clip holds, in the embedded study's CRS.
CLIPS = {"river": (526_000, 3_381_000, 530_000, 3_385_000), "dense": (526_200, 3_384_000, 528_200, 3_386_000)}
PLACES = ("core", *CLIPS)


def clip(target: Path, place: str) -> Path:
    """Write the embedded study as it would be if only a box were studied, and return its folder."""
    box = shapely.box(*CLIPS[place])
    shutil.copytree(folder(), target, dirs_exist_ok=True)
    for layer, margin_m in (("streets", 500), ("zones", 0), ("water", 0)):
        file = target / f"{layer}.gpkg"
        rows = gpd.read_file(file)
        rows = rows[rows.intersects(box.buffer(margin_m))].clip(box.buffer(margin_m))
        rows = rows.explode().reset_index(drop=True) if layer == "streets" else rows
        kind = {"streets": "LineString"}.get(layer, "Polygon")
        rows = rows[rows.geometry.geom_type.isin([kind, f"Multi{kind}"])]
        if layer == "streets":
            rows["id"] = [f"R{i:05d}" for i in range(len(rows))]
        file.unlink()
        rows.to_file(file)
    for file in sorted(target.glob("*.csv")):
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        table[_inside(table["经度"], table["纬度"], box)].to_csv(file, index=False, encoding="utf-8-sig")
    book = openpyxl.load_workbook(target / "sites.xlsx")
    page = book.worksheets[0]
    heads = [cell.value for cell in page[1]]
    lon, lat = heads.index("经度"), heads.index("纬度")
    rows = list(page.iter_rows(min_row=2, values_only=True))
    inside = _inside([row[lon] for row in rows], [row[lat] for row in rows], box)
    for number in np.flatnonzero(~inside)[::-1]:
        page.delete_rows(int(number) + 2)
    book.save(target / "sites.xlsx")
    return target


def _inside(lon: object, lat: object, box: shapely.Polygon) -> np.ndarray:
    points = gpd.points_from_xy(np.asarray(lon, dtype=float), np.asarray(lat, dtype=float), crs="EPSG:4326")
    return shapely.contains(box, points.to_crs("EPSG:4547"))


def result_of(place: str, scratch: Path) -> Result:
    """Run a place; its run id, which every sheet bears, is made constant: the files of a clip hold the moment they were written."""
    result = run(load_study(folder() if place == "core" else clip(scratch / place, place)))
    return replace(result, run_id="0123456789ab")


def pictures(result: Result, dpi: int = DPI) -> dict[tuple[str, Lang], Image.Image]:
    """Draw the sheets of a place in both languages; the map is the same in both, and drawn once."""
    base, drawn = sheet.lay_out(result), {}
    for name in SHEETS:
        axes = pen.sheet(base.page.width, base.page.height)
        seen = ground.draw(axes, base, themes.all_themes(result, "zh")[name]())
        within = set(axes.get_children())
        for lang in LANGS:
            number = say(lang, "sheet.number_value", number=1, count=1)
            sheet.explain(axes, result, base, themes.all_themes(result, lang)[name](), seen, lang, number=number)
            drawn[name, lang] = pen.picture(axes, dpi)
            for artist in set(axes.get_children()) - within:
                artist.remove()
    return drawn


def differences(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """Return the mean and the greatest difference (0–255) of two pictures, over squares of 3 × 3 pixels.

    Squares, because the edge of a letter may fall a little differently with another version of FreeType; a symbol that is missing, moved
    or of another colour fills several.
    """
    if one.size != other.size:
        return 255.0, 255.0
    apart = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).reduce(3)
    values = np.asarray(apart, dtype=float)
    return float(values.mean()), float(values.max())


def main() -> None:
    """Draw the golden sheets anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dpi", type=int, default=DPI)
    parser.add_argument("--out", type=Path, default=GOLDEN)
    parser.add_argument("--place", choices=PLACES, action="append")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for place in options.place or PLACES:
            result = result_of(place, Path(scratch))
            for (name, lang), picture in pictures(result, options.dpi).items():
                picture.save(options.out / f"{place}-{name}-{lang}.png", optimize=True)
                print(f"{place}-{name}-{lang}.png")


if __name__ == "__main__":
    main()
