"""Result -> the folder exchange/: GeoJSON and CSV for the databases of other offices, with a dictionary in both languages.

Takes a `Result`; the layers are those of plan.gpkg, in WGS-84 degrees as RFC 7946 asks. Computes nothing.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from planner.pipeline import Result
from planner.report.archive import write_package
from planner.report.cells import put_text
from planner.report.layers import LAYERS, about, codes, dictionary, layers
from planner.words import LANGS, Lang, say
from planner.words.wording import harmless

# What others ask for; the streets and the water are a base map that they have themselves.
EXCHANGED = ("sites", "actions", "gaps", "zones", "demand")
# Degrees to seven decimals are a centimetre.
DECIMALS = 7
_LIKE_A_FORMULA = re.compile(r"[=+\-@\t\r]")


def write_exchange(result: Result, folder: Path, lang: Lang) -> list[Path]:
    """Write a GeoJSON and a CSV for each layer, the dictionary, and about.csv (source, licence, what is made up); return the files.

    The dictionary says what every layer, column and code means: dictionary.csv (columns), codes.csv, and all of it in dictionary.xlsx.

    A CSV opens in a spreadsheet, where text that begins like a formula would be computed: there, and in no GeoJSON, an apostrophe stands
    before it. UTF-8; the CSV with a byte-order mark, which Excel in China needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, frame in layers(result).items():
        if name in EXCHANGED:
            degrees = frame.to_crs("EPSG:4326")
            files += [_geojson(degrees, folder / f"{name}.geojson"), _csv(_flat(degrees), folder / f"{name}.csv")]
    meanings = dictionary()
    places = pd.DataFrame(
        [
            (name, column, "real", *(say(each, f"layers.any_{column}") for each in LANGS))
            for name in EXCHANGED
            for column in _PLACE
        ],
        columns=meanings.columns,
    )
    meanings = pd.concat([meanings[meanings["layer"].isin(EXCHANGED)], places]).sort_values("layer", kind="stable")
    said = about(result, lang)
    tables = {"layers": _layer_names(), "columns": meanings, "codes": codes(), "about": said}
    return [
        *files,
        _csv(meanings, folder / "dictionary.csv"),
        _csv(tables["codes"], folder / "codes.csv"),
        _csv(said, folder / "about.csv"),
        _book(tables, folder / "dictionary.xlsx"),
    ]


def _layer_names() -> pd.DataFrame:
    """Return what each exchanged layer is, in both languages."""
    rows = [
        (name, LAYERS[name][0], *(say(lang, f"layers.{kind}_{name}") for kind in ("layer", "note") for lang in LANGS))
        for name in EXCHANGED
    ]
    heads = [f"{kind}_{lang}" for kind in ("title", "note") for lang in LANGS]
    return pd.DataFrame(rows, columns=["layer", "geometry", *heads])


_PLACE = ("longitude", "latitude")


def _geojson(frame: gpd.GeoDataFrame, file: Path) -> Path:
    pyogrio.write_dataframe(
        frame, file, driver="GeoJSON", layer_options={"RFC7946": "YES", "COORDINATE_PRECISION": str(DECIMALS)}
    )
    return file


def _flat(frame: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return a layer's columns with a point in or on each row's shape."""
    points = frame.geometry.representative_point()
    places = {"longitude": points.x.round(DECIMALS), "latitude": points.y.round(DECIMALS)}
    return pd.DataFrame(frame.drop(columns=frame.geometry.name)).assign(**places)


def _book(tables: Mapping[str, pd.DataFrame], file: Path) -> Path:
    """Write tables as the sheets of a workbook, each under its heads, which stay in sight."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, table in tables.items():
        sheet = book.create_sheet(name)
        for n, column in enumerate(table.columns, 1):
            put_text(sheet.cell(1, n), column)
            sheet.cell(1, n).font = Font(bold=True)
            longest = max((len(text) for text in table[column].astype(str)), default=0)
            sheet.column_dimensions[get_column_letter(n)].width = min(max(len(column), longest) + 3, 70)
            for row, text in enumerate(table[column].astype(str), 2):
                put_text(sheet.cell(row, n), text)
                sheet.cell(row, n).alignment = Alignment(vertical="top", wrap_text=True)
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = sheet.dimensions
    made = io.BytesIO()
    book.save(made)
    write_package(made.getvalue(), file)
    return file


def _csv(table: pd.DataFrame, file: Path) -> Path:
    def quiet(value: object) -> object:
        if not isinstance(value, str):
            return value
        text = harmless(value)
        return f"'{text}" if _LIKE_A_FORMULA.match(text) else text

    texts = {column: table[column].map(quiet) for column in table.select_dtypes(exclude=["number", "bool"]).columns}
    table.assign(**texts).to_csv(file, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    return file
